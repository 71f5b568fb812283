"""What finfo and iinfo say, field by field."""

import pytest

from harness import Row, parity, rows

FLOATS = "float16 bfloat16 float32 float64".split()
INTEGERS = "uint8 int8 int16 int32 int64 uint16 uint32 uint64".split()


@pytest.mark.parametrize("name", FLOATS + ["complex64", "complex128"])
@parity
def test_finfo(torch, name):
    info = torch.finfo(getattr(torch, name))
    return repr(info), info.bits, info.eps, info.max, info.min, info.tiny, info.smallest_normal, info.resolution, info.dtype


@pytest.mark.parametrize("name", INTEGERS)
@parity
def test_iinfo(torch, name):
    info = torch.iinfo(getattr(torch, name))
    return repr(info), info.bits, info.max, info.min, info.dtype


test_refusals = rows(
    Row("torch.finfo(torch.int32)"),
    Row("torch.finfo(3)"),
    Row("torch.iinfo(torch.bool)"),
    Row("torch.iinfo(torch.float32)"),
    Row("torch.iinfo()"),
    Row("torch.iinfo(3)"),
    Row("torch.finfo(torch.float32) == torch.finfo(torch.float32), torch.finfo(torch.float32) == torch.finfo(torch.float64)"),
    Row("str(torch.finfo())"),
)
