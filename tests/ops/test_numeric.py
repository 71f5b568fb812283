"""Rounding, parts of numbers, interpolation, fused products and divisors, compared with PyTorch."""

from harness import Row, distinct, rand, randint, randn, rows, value

HALVES = value([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.0, -0.3])
EDGES = value([float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1.5, -2.5])

test_rounding = rows(
    *(
        Row(f"torch.{name}(x)", x=HALVES, grad=True, dtypes="float16 bfloat16 float32 float64")
        for name in "floor ceil trunc round frac".split()
    ),
    *(Row(f"torch.{name}(x)", x=EDGES) for name in "floor ceil trunc round frac fix".split()),
    *(Row(f"torch.{name}(x)", x=value([1, -2])) for name in "floor ceil trunc round frac".split()),
    *(Row(f"torch.{name}(x)", x=randn(2, dtype="bool")) for name in "floor ceil trunc round frac".split()),
    *(Row(f"torch.{name}(x)", x=randn(2, dtype="complex64")) for name in "floor ceil trunc round frac".split()),
    Row("torch.round(x, decimals=2), x.round(decimals=-1), x.clone().round_(decimals=1)", x=value([12345.678, -2.675, 0.125])),
    Row("torch.round(x, decimals=1)", x=randn(4), grad=True),
    Row("torch.round(x, decimals=1)", x=value([1, 2])),
)

test_parts = rows(
    Row("torch.nan_to_num(x)", x=EDGES, grad=True, dtypes="float16 bfloat16 float32 float64"),
    Row("torch.nan_to_num(x, nan=1.0, posinf=2, neginf=-3)", x=EDGES),
    Row("torch.nan_to_num(x, 1, 2)", x=randn(3, dtype="complex64")),
    Row("torch.nan_to_num(x)", x=value([1, 2])),
    Row("torch.copysign(a, b)", a=randn(4), b=randn(4), grad=2),
    Row("torch.copysign(a, b)", a=value([0.0, 1.0]), b=value([-0.0, -1.0]), grad=True),
    Row("torch.copysign(a, -2)", a=randn(4), grad=True),
    Row("torch.copysign(a, -1)", a=value([1, 2])),
    Row(
        "torch.nextafter(a, b)",
        a=value([0.0, 1.0, 2.0]),
        b=value([1.0, 1.0, -1.0]),
        grad=True,
        exact=True,
        dtypes="float32 float64 bfloat16",
    ),
    Row("torch.nextafter(a, a)", a=value([1])),
    Row("torch.ldexp(a, b)", a=randn(3), b=value([1, -2, 3])),
    Row("torch.ldexp(a, b)", a=randn(3), b=randn(3), grad=2),
    Row("torch.ldexp(a, b)", a=randn(3, dtype="float16"), b=value([1, 2, 3], dtype="int8")),
    Row("torch.frexp(x)", x=value([0.0, 1.0, -3.0, 1e-3]), grad=True, dtypes="float32 float64 float16 bfloat16"),
    Row("torch.frexp(x)", x=value([1])),
    Row("torch.signbit(x)", x=EDGES),
    Row("torch.signbit(x)", x=value([1, -1])),
    Row("torch.signbit(x)", x=randn(2, dtype="complex64")),
    Row("torch.heaviside(a, b)", a=value([-1.0, 0.0, 2.0, float("nan")]), b=value([0.5])),
    Row("torch.heaviside(a, b)", a=value([1.0]), b=value([1])),
    Row("torch.heaviside(a, b).sum().backward()", a=randn(2), b=randn(2), grad=True),
)

test_two_operands = rows(
    Row("torch.fmax(a, b)", a=value([1.0, float("nan"), 2.0]), b=value([2.0, 1.0, float("nan")]), grad=True),
    Row("torch.fmin(a, b)", a=value([1.0, float("nan"), 2.0]), b=value([2.0, 1.0, float("nan")]), grad=True),
    Row("torch.fmax(a, a)", a=randn(2, dtype="complex64")),
    Row("torch.hypot(a, b)", a=distinct(5), b=rand(5, low=0.5), grad=2),
    Row("torch.hypot(a, b)", a=value([3e38, 0.0]), b=value([3e38, 0.0])),
    Row("torch.hypot(a, a)", a=value([1])),
    Row("torch.gcd(a, b), torch.lcm(a, b)", a=value([-4, 6, 0]), b=value([6, -4, 0])),
    Row("torch.gcd(a, b)", a=value([4, 6]), b=value([6, 4], dtype="int8")),
    Row("torch.gcd(a, a)", a=randn(2)),
    Row("torch.lcm(a, a)", a=randn(2, dtype="bool")),
)

test_fused = rows(
    Row("torch.lerp(a, b, 0.3)", a=randn(4), b=randn(4), grad=2, dtypes="float32 float16 bfloat16 complex64"),
    Row("torch.lerp(a, b, 0.7)", a=randn(4), b=randn(4), grad=2),
    Row("torch.lerp(a, b, c)", a=randn(4), b=randn(3, 4), c=rand(4), grad=2),
    Row("a.clone().lerp_(b, 0.1)", a=randn(4), b=randn(4), grad=True),
    Row("torch.lerp(a, b, 1)", a=randn(2), b=randn(2, dtype="float64")),
    Row("torch.lerp(a, a, 0.5)", a=value([1])),
    Row("torch.lerp(a, a, 'x')", a=randn(1)),
    Row("torch.addcmul(a, b, c, value=2)", a=randn(4), b=randn(3, 1), c=randn(4), grad=2, dtypes="float32 complex64"),
    Row(
        "torch.addcmul(a, b, c, value=2)", a=randn(4), b=randn(3, 1), c=randn(4), dtypes="float16 bfloat16", name="addcmul in low precision"
    ),
    Row("torch.addcmul(a, a, a, value=1.5)", a=value([1, 2])),
    Row("torch.addcmul(a, a, b)", a=randn(2), b=randn(2, dtype="float64")),
    Row("torch.addcdiv(a, b, c, value=0.5)", a=randn(4), b=randn(3, 1), c=rand(4, low=0.5), grad=2),
    Row(
        "torch.addcdiv(a, b, c, value=0.5)",
        a=randn(4),
        b=randn(3, 1),
        c=rand(4, low=0.5),
        dtypes="float16 bfloat16",
        name="addcdiv in low precision",
    ),
    Row("torch.addcdiv(a, a, a)", a=value([1, 2])),
    Row("b = a.clone(); b.addcmul_(a, a, value=0.1).addcdiv_(a, a + 3, value=-1)", a=randn(4), grad=2),
    Row("torch.addcmul(a, b, b)", a=randn(70000), b=randn(70000), dtypes="float32 bfloat16", name="more than a chunk"),
    Row("torch.addcmul(a, a, b)", a=randn(2), b=randn(3), message="must match the size"),
)

test_complex_numbers = rows(
    Row("torch.complex(a, b)", a=randn(4), b=randn(4), grad=2),
    Row("torch.polar(a, b)", a=rand(4), b=randn(4), grad=2),
    Row("torch.complex(a, b)", a=randn(4), b=randn(4, dtype="float64")),
    Row("torch.complex(a, a)", a=value([1])),
    Row("torch.angle(a)", a=randn(4), grad=True),
    Row("torch.angle(a)", a=randn(4, dtype="complex128"), grad=2),
    Row("torch.angle(a)", a=randint(-3, 3, (5,))),
)
