"""Activations, softmax and its kin."""

from harness import Row, bools, randint, randn, rows, value

SPECIAL = value([-float("inf"), -30.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0, 30.0, float("inf"), float("nan")])
CALLS = {
    "relu": "", "relu6": "", "elu": ", 0.7", "selu": "", "celu": ", 1.3", "leaky_relu": ", 0.2", "gelu": "", "silu": "", "mish": "",
    "hardtanh": ", -0.5, 0.7", "hardsigmoid": "", "hardswish": "", "softplus": ", 2.0, 3.0", "softsign": "", "tanhshrink": "",
    "softshrink": ", 0.4", "hardshrink": ", 0.4", "logsigmoid": "", "threshold": ", 0.1, 9.0", "tanh": "", "sigmoid": "",
}  # fmt: skip

test_each = rows(
    *[
        Row(f"F.{name}(x{rest})", x=randn(3, 4), grad=1 if name == "hardsigmoid" else 2, grad_fn=name not in ("logsigmoid",))
        for name, rest in CALLS.items()
    ],
    *[Row(f"F.{name}(x{rest})", name=f"{name}, half", x=randn(20), dtypes="float16 bfloat16 float64") for name, rest in CALLS.items()],
    *[
        Row(f"F.{name}(x{rest})", name=f"{name}, limits", x=SPECIAL) for name, rest in CALLS.items() if name != "gelu"
    ],  # inf * 1 is NaN in PyTorch's vector code
    Row("F.gelu(x)", x=value([-9.0, -1.0, 0.0, 1.0, 9.0, float("nan")])),
    Row("F.gelu(x[None].expand(2, 10, 10))", x=randn(10, 10)),
    Row("F.gelu(x, approximate='tanh')", x=randn(3, 4), grad=2),
    Row("F.glu(x), F.glu(x, 0), F.glu(x, dim=1)", x=randn(4, 6), grad=2, grad_fn=False),
    Row("F.prelu(x, w), torch.prelu(x, v), F.prelu(x, v[0])", x=randn(2, 3, 2), w=randn(3), v=randn(1), grad=True, grad_fn=False),
    Row("F.relu(x), torch.relu(x), F.relu6(x)", x=randint(-4, 9, (6,)), dtypes="int64 int32"),
)

IN_PLACE = ["relu", "relu6", "elu", "selu", "celu", "leaky_relu", "silu", "mish", "hardtanh", "hardsigmoid", "hardswish"]
test_in_place = rows(
    *[Row(f"y = x * 1; r = F.{name}(y, inplace=True); r is y, y", x=randn(5), grad=True, grad_fn=False) for name in IN_PLACE],
    *[Row(f"y = x * 1; r = F.{name}_(y); r is y, y", x=randn(5)) for name in ("relu", "elu", "selu", "celu", "leaky_relu", "hardtanh")],
    Row("y = x * 1; F.threshold_(y, 0.1, 2.0); torch.relu_(y); y", x=randn(5)),
)

test_softmax = rows(
    Row(
        "F.softmax(x, 1), x.softmax(0), torch.softmax(x, -1), F.log_softmax(x, 1), x.log_softmax(0), F.softmin(x, 1)",
        x=randn(3, 4),
        grad=2,
        grad_fn=True,
    ),
    Row("F.softmax(x, 0), F.log_softmax(x, 0), F.softmin(x, 0)", x=randn(), grad=True),
    Row("F.softmax(x, 1), F.softmax(x, 0), F.log_softmax(x, 1)", x=randn(0, 3), grad=True),
    Row("F.softmax(x, 1), F.log_softmax(x, 1)", x=randn(3, 4), dtypes="float16 bfloat16 float64"),
    Row("F.softmax(x, 0, dtype=torch.float64), x.log_softmax(0, torch.float32)", x=randint(-3, 3, (4,))),
    Row("F.softmax(x, 0), F.log_softmax(x, 0)", x=value([0.0, -float("inf"), 1000.0])),
    Row("F.softmax(x, 0), F.log_softmax(x, 0)", x=value([-float("inf"), -float("inf")])),
    Row("F.softmax(x), F.log_softmax(x)", x=randn(3, 4), warns=True),
    Row("F.softmax(x, 1)", x=randn(3, 4, 2).T, strides=True),
)

test_random = rows(
    Row("F.rrelu(x, 0.1, 0.3), F.rrelu(x, 0.1, 0.3, training=True)", x=randn(50), grad=True, exact=True, grad_fn=False),
    Row("F.gumbel_softmax(x, 0.5), F.gumbel_softmax(x, hard=True, dim=0)", x=randn(5, 6), grad_fn=False),
)

test_errors = rows(
    Row("F.relu(x)", x=bools(3)),
    Row("F.gelu(x)", x=randint(0, 3, (3,))),
    Row("F.gelu(x, approximate='no')", x=randn(3)),
    Row("F.silu(x)", x=randint(0, 3, (3,))),
    Row("F.softmax(x, 0)", x=randint(0, 3, (3,))),
    Row("F.log_softmax(x, 0)", x=randint(0, 3, (3,))),
    Row("F.softmax(x, 1)", x=randn(3)),
    Row("F.softshrink(x, -0.5)", x=randn(3)),
    Row(
        "[torch.signbit(F.softshrink(torch.full((n,), -0.1, dtype=x.dtype))).tolist() for n in (1, 7, 8, 16, 33, 100)]",
        x=randn(1),
        dtypes="float32 float64 float16 bfloat16",
        name="zeros of softshrink",
    ),
    Row("F.hardtanh(x, 1.0, -1.0)", x=randn(3)),
    *[
        Row(f"F.{name}(torch.ones(3, dtype=torch.{dtype}))")
        for name in ("hardtanh", "relu6")
        for dtype in ("bool", "complex64", "uint8", "int64")
    ],
    Row("F.celu(x, 0.0)", x=randn(3)),
    Row("F.glu(x)", x=randn(3)),
    Row("F.glu(x)", x=randn()),
    Row("F.prelu(x, w)", x=randn(2, 8, 3), w=randn(2, 4)),
    Row("F.prelu(x, w)", x=randn(), w=randn(2)),
    Row("F.prelu(x, w)", x=randn(2, 3), w=randn(2)),
    Row("F.rrelu(x, 0.3, 0.1)", x=randn(3)),
)

REFUSING = ["elu", "mish", "softplus", "logsigmoid", "hardswish", "hardsigmoid", "leaky_relu"]
test_no_kernel_for_the_dtype = rows(
    *[Row(f"F.{name}(x)", x=randint(0, 3, (3,)), dtypes="int64 bool") for name in REFUSING],
    *[Row(f"F.{name}(x)", x=randn(3), dtypes="complex64") for name in [*REFUSING, "relu", "gelu"]],
)

LARGE = ["relu", "relu6", "hardtanh", "softshrink", "hardshrink", "threshold", "leaky_relu", "hardsigmoid", "hardswish"]
test_large = rows(*[Row(f"F.{name}(x{CALLS[name]}), torch.sign(x), torch.frac(x)", x=randn(140_001), grad=1) for name in LARGE])
test_large_prelu = rows(
    Row("F.prelu(x, w)", x=randn(5, 7, 4001), w=randn(7), grad=True, grad_fn=False, dtypes="float32 float16"),
    Row("F.prelu(x, w), F.prelu(x.mT, w)", x=randn(401, 401), w=randn(1), grad=False),
    Row("torch.lerp(x, y, w)", x=randn(140_001), y=randn(140_001), w=randn(140_001), grad=True),
)
