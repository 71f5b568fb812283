"""Running sums, products and extremes."""

from harness import Row, randint, randn, rows, value

EVERY = "float32 int64 uint8 bool bfloat16 float16 complex64"

test_running = rows(
    Row("x.cumsum(0), torch.cumsum(x, -1)", x=randn(3, 4), grad=2),
    Row("x.cumsum(0), x.cumprod(0)", x=randint(0, 3, (5,)), dtypes=EVERY),
    Row("torch.cumsum(x, -1), x.cumprod(-1), x.cumsum(-2)", x=randn(20, 40), grad=True),
    Row("x.cummax(-1), x.cummin(0)", x=randint(-5, 5, (20, 40)), dtypes="float32 float64 float16 bfloat16 int64 int32 int16 int8"),
    *[
        Row(f"x.cumsum({dim}), x.cumprod({dim}), x.mT.cumsum({dim})", x=randn(3, 41, 133), exact=True, strides=True, grad=dim == 1)
        for dim in (0, 1, 2)
    ],
    Row("x.cumsum(0), x.cumprod(0), x[:7].cumsum(0)", x=randn(20_000), exact=True, dtypes="float32 float64 float16 bfloat16 complex64"),
    Row("x.cumsum(0, dtype=torch.float64), x.cumprod(0, dtype=torch.int32)", x=randint(0, 3, (5,))),
    Row("y = x.clone(); y.cumsum_(1); y.cumprod_(0)", x=randn(3, 4), grad=True),
    Row("x.cumprod(0), x.cumprod(1)", x=randn(3, 4), grad=2),
    Row("x.cumprod(0)", x=value([2.0, 0.0, 3.0, 0.0, 4.0]), grad=2),
    Row("x.cummax(0), x.cummin(1)", x=randn(3, 4), grad=2),
    Row("x.cummax(0), x.cummin(0)", x=value([1.0, 2.0, 2.0, float("nan"), 3.0]), grad=True),
    Row("x.logcumsumexp(0), x.logcumsumexp(1)", x=randn(3, 4), grad=2, dtypes="float32 float64"),
    Row("x.logcumsumexp(0)", x=value([-float("inf"), -float("inf"), 1.0, 2.0]), grad=True),
    Row("x.logcumsumexp(0)", x=randn(6), dtypes="float16 bfloat16 complex64"),
    Row("x.cumsum(0), x.cumprod(0), x.cummax(0), x.logcumsumexp(0)", x=randn(), grad=True),
    Row("x.cumsum(0), x.cumprod(1), x.cummax(0), x.logcumsumexp(0)", x=randn(0, 3), grad=True),
    Row("x.cumsum(2)", x=randn(2)),
    Row("x.logcumsumexp(0)", x=randint(0, 3, (3,))),
)

test_differences = rows(
    Row(
        "x.diff(), x.diff(2, 0), x.diff(n=0), x.diff(prepend=p), torch.diff(x, append=p)",
        x=randn(3, 4),
        p=randn(3, 2),
        grad=True,
        grad_fn=False,
    ),
    Row("x.diff()", x=randint(0, 2, (5,)), dtypes="bool int64 uint8"),
    Row("x.diff(5), x.diff(1, 1)", x=randn(3, 1), grad=True),
    Row("x.diff(-1)", x=randn(3)),
    Row("x.diff()", x=randn()),
    Row("torch.trapezoid(y), torch.trapz(y, x), torch.trapezoid(y, dx=0.5, dim=0)", y=randn(3, 4), x=randn(4), grad=True, grad_fn=False),
    Row("torch.cumulative_trapezoid(y), torch.cumulative_trapezoid(y, x)", y=randn(3, 4), x=randn(4), grad=True, grad_fn=False),
)
