"""Changing dtype and device, copies."""

from harness import Row, bools, randint, randn, rows, value

test_dtypes = rows(
    Row(
        "x.float(), x.double(), x.half(), x.bfloat16(), x.long(), x.int(), x.short(), x.char(), x.bool(), x.cfloat()",
        x=value([0.0, 1.7, -2.6, 100.0]),
    ),
    Row("x.byte(), x.to(torch.uint8)", x=randint(0, 200, (4,))),
    Row("x.float(), x.bool(), x.to(torch.float16), x.type(torch.int32), x.type_as(torch.ones(1))", x=randint(-3, 3, (4,))),
    Row("x.to(torch.float64) * 2, x.half(), x.double()", x=randn(3), grad=True),
    Row(
        "x.float() is x, x.to('cpu') is x, x.to(torch.float32) is x, x.to(torch.float32, copy=True) is x, x.cpu() is x, x.to(x) is x",
        x=randn(3),
    ),
    Row(
        "x.to('cpu', torch.float64), x.to(y), x.to(dtype=torch.int64), x.to(device='cpu', dtype=torch.half), "
        "x.to(torch.float64, True, True)",
        x=randn(3),
        y=randint(0, 3, (1,)),
    ),
    Row(
        "x.to(torch.float64, memory_format=torch.preserve_format), x.to(memory_format=torch.channels_last)",
        x=randn(2, 3, 4, 5),
        strides=True,
    ),
    Row("x.double()", x=randn(3, 4).T, strides=True),
    Row("x.to('meta').device, x.to('meta').shape", x=randn(3)),
    Row("x.to('foo')", x=randn(3)),
    Row("x.to([])", x=randn(3), message="invalid combination"),
    Row("x.to(torch.complex64), x.cdouble()", x=randn(3), grad=True),
    Row("x.to(torch.float32)", x=bools(3)),
)
