"""Exponentials, logarithms, trigonometric and hyperbolic functions, compared with PyTorch."""

from harness import Row, rand, randn, rows, value

ALL = "bool uint8 int64 float16 bfloat16 float32 float64 complex64"
NAMES = (
    "exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh atanh sigmoid sinc deg2rad rad2deg logit"
).split()
REAL = ("deg2rad", "rad2deg", "logit")
EDGES = value([float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1e-30, 3e38, -1.5, 2.5])

test_functions = rows(
    *(Row(f"torch.{name}(x)", x=rand(7, low=0.1, high=0.9), grad=2) for name in NAMES),
    *(
        Row(f"torch.{name}(x)", x=rand(3, low=0.1, high=0.9), dtypes=ALL if name not in REAL else ALL.replace(" complex64", ""))
        for name in NAMES
    ),
    *(Row(f"torch.{name}(x)", x=EDGES) for name in (*NAMES, "acosh")),
    *(Row(f"torch.{name}(x)", x=randn(3, dtype="complex64")) for name in REAL),
    *(Row(f"torch.{name}(x)", x=randn(4, dtype="complex128"), grad=2) for name in (*NAMES, "acosh") if name not in REAL),
    *(Row(f"x.clone().{name}_()", x=rand(4, low=0.1, high=0.9), grad=name not in ("asinh", "atanh")) for name in NAMES),
    *(Row(f"x.clone().{name}_()", x=rand(4, low=0.1, high=0.9), dtypes="float16 bfloat16") for name in NAMES),
    Row("torch.acosh(x)", x=rand(4, low=1.1, high=3.0), grad=2),
    Row("torch.exp(x)", x=randn(1000), grad=True, name="many elements: stored as a digest"),
    Row("torch.sigmoid(x)", x=randn(70000), dtypes="float32 bfloat16 float64", name="more than a chunk"),
    Row("torch.sin(x)", x=randn(4, 6).T, strides=True),
    Row("torch.sin(x)", x=randn(4, 6).strided, strides=True),
    Row("x.sin_()", x=value([1, 2])),
    Row("torch.sin('x')"),
    Row("torch.logit(x, 0.3), torch.special.logit(x, eps=0.1), torch.special.expit(x)", x=rand(5), grad=True),
    Row("torch.logit(x, 0.3)", x=rand(6), grad=True),
)

test_two_operands = rows(
    Row("torch.atan2(a, b)", a=randn(8), b=randn(8), grad=2),
    Row("torch.atan2(a, b)", a=value([0.0, -0.0, 0.0, 1.0]), b=value([0.0, -1.0, -1.0, 0.0]), grad=True),
    Row("torch.atan2(a, b)", a=value([1, 2]), b=value([3, 4])),
    Row("torch.atan2(a, a)", a=randn(2, dtype="complex64")),
    Row(
        "torch.atan2(torch.tensor(-2.0).half(), (torch.arange(70000) % 9 - 4).half())[:9]",
        name="a number and many of float16",
    ),
    Row("torch.logaddexp(a, b)", a=randn(5), b=randn(5), grad=2),
    Row("torch.logaddexp2(a, b)", a=randn(5), b=randn(5), grad=2),
    Row("torch.logaddexp(a, b)", a=value([float("inf"), -float("inf"), 1000.0]), b=value([float("inf"), -float("inf"), 0.0])),
    Row("torch.logaddexp(a, b)", a=randn(4, dtype="complex64"), b=randn(4, dtype="complex64")),
    Row("torch.logaddexp(a, a)", a=value([1, 2])),
    Row("torch.logaddexp2(a, a)", a=randn(2, dtype="complex64")),
)

test_what_repeats_tells_nothing_of_the_memory_order = rows(
    Row("x.expand(2, 2, 3).exp(), x.expand(2, 2, 3).permute(2, 0, 1).tanh()", x=randn(2, 3), strides=True),
    Row("x.expand(2, 2, 3).permute(2, 0, 1).abs().sqrt(), -x.expand(2, 2, 3).permute(2, 0, 1)", x=randn(2, 3), strides=True),
    Row(
        "F.gelu(x.expand(2, 5, 3).permute(2, 1, 0)), x.expand(2, 5, 3).sigmoid(), x.expand(2, 5, 3).mT.relu()",
        x=randn(2, 1, 3),
        strides=True,
    ),
)
