"""Copies between memory orders and casts, compiled or not, keep every element."""

import ml_dtypes
import numpy as np
import pytest

from flambeau.kernels import elementwise, memory
from flambeau.kernels.compiler import usable
from flambeau.kernels.library import transposing
from flambeau.kernels.quiet import quiet

DTYPES = [np.dtype(t) for t in (np.int8, ml_dtypes.bfloat16, np.float32, np.float64, np.complex64, np.bool_, np.complex128)]
ORDERS = [
    ((30, 20), (1, 0)),
    ((257, 131), (1, 0)),
    ((6, 12, 33, 40), (0, 2, 1, 3)),
    ((6, 12, 33, 40), (0, 2, 3, 1)),
    ((6, 12, 33, 40), (3, 2, 1, 0)),
    ((5, 70, 90), (0, 2, 1)),
    ((2, 1, 300, 1, 20), (4, 1, 0, 3, 2)),
    ((7000, 3), (1, 0)),
    ((9, 900), (1, 0)),
]
NUMBERS = [
    np.dtype(t) for t in (np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.int64, np.int32, np.int16, np.int8, np.uint8, bool)
]


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch):
    monkeypatch.setattr(memory, "LARGE", 100)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape,order", ORDERS, ids=str)
def test_copies(shape, order, dtype):
    x = (np.random.default_rng(0).standard_normal(shape) * 50).astype(dtype).transpose(order)
    for y in (x, x[1:-1] if len(x) > 2 else x, x[..., ::2], x[::-1]):
        copy = memory.row_major(y)
        assert copy.flags.c_contiguous and copy.tobytes() == y.tobytes()
        for target in (np.zeros(y.shape, dtype), np.zeros(y.shape[::-1], dtype).T, np.zeros((*y.shape, 2), dtype)[..., 1]):
            memory.copy_into(target, y)
            assert target.tobytes() == y.tobytes()
    like = memory.clone_like(x, x)
    assert [s for s, n in zip(like.strides, like.shape) if n > 1] == [s for s, n in zip(x.strides, x.shape) if n > 1]


@pytest.mark.skipif(not usable(), reason="kernels are not compiled here")
def test_transposed_memory_is_copied_in_tiles():
    assert transposing.plan((300, 200), (4, 1200), 4) is not None
    assert transposing.plan((8, 300, 200), (240000, 4, 1200), 4) is not None
    assert transposing.plan((300, 200), (1600, 8), 4) is None
    assert transposing.plan((300, 200), (800, 4), 4) is None


def test_what_cannot_be_written_is_not():
    target, source = np.zeros((40, 50), np.float32), np.ones((50, 40), np.float32).T
    target.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        memory.copy_into(target, source)
    with pytest.raises(ValueError, match="broadcast"):
        memory.copy_into(np.zeros((40, 50)), np.zeros((3, 50)))
    assert not target.any()


def test_overlapping_memory():
    base = np.arange(2000.0)
    expected = base.copy()
    expected[1:] = base[:-1]
    memory.copy_into(base[1:], base[:-1])
    assert np.array_equal(base, expected)
    square = np.arange(2500.0).reshape(50, 50)
    expected = square.T.copy()
    memory.copy_into(square, square.T)
    assert np.array_equal(square, expected)


@pytest.mark.parametrize("source", NUMBERS, ids=str)
@quiet
def test_casts(source):
    x = (np.random.default_rng(0).standard_normal((60, 200)) * 90).astype(source)
    if source.kind in "fV":
        x[0, :6] = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-7, 65520]).astype(source)
    for target in NUMBERS:
        if source.kind in "fV" and target.kind in "iu":
            x = np.where(abs(x.astype(np.float32)) < 100, x, source.type(3))
        for y in (x, x.T, x[:, ::2], x[:, :3]):
            ours, theirs = elementwise.cast(y, target), y.astype(target)
            assert ours.dtype == target and ours.strides == theirs.strides
            assert np.array_equal(ours.astype(np.float64), theirs.astype(np.float64), equal_nan=True)
            into = np.zeros(y.shape, target)
            memory.copy_into(into, y)
            assert np.array_equal(into.astype(np.float64), theirs.astype(np.float64), equal_nan=True)
