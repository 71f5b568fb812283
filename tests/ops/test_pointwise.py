"""Element-wise arithmetic, compared with PyTorch."""

from harness import Row, distinct, parity, rand, randint, randn, rows, value

ALL = "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64 complex128"
SMOOTH = "exp log log2 log10 log1p expm1 sqrt rsqrt sin cos tan asin acos atan sinh cosh tanh sigmoid square reciprocal erf"

test_arithmetic = rows(
    Row("torch.add(a, b)", a=randn(3, 4), b=randn(3, 4), grad=2),
    Row("torch.add(a, b, alpha=2)", a=randn(3, 4), b=randn(4), grad=2),
    Row("a + b", a=randn(3, 1), b=randn(4), grad=2),
    Row("a + b", a=randn(2, 3).T, b=randn(2, 3).strided, strides=True, grad=True, name="add in any memory order"),
    Row("a + b", a=randn(3), b=randn(3), dtypes=ALL),
    Row("a - b", a=randn(3), b=randn(3), dtypes=ALL.replace("bool ", "")),
    Row("a - b", a=randn(3, dtype="bool"), b=randn(3, dtype="bool")),
    Row("a * b", a=randn(3, 4), b=randn(3, 4), grad=2, gradgrad=True),
    Row("a * b", a=randn(3), b=randn(3), dtypes=ALL),
    Row("a / b", a=randn(3), b=rand(3, low=0.5, high=2.0), grad=2),
    Row("a / b", a=randint(-5, 6, (4,)), b=value([0, 2, 0, -2])),
    Row("a // b", a=value([7.0, -7.0, 7.0, -7.0, 1.0]), b=value([2.0, 2.0, -2.0, -2.0, 0.0])),
    Row("a // b", a=value([7, -7, 7, -7]), b=value([2, 2, -2, -2])),
    Row("a // 0", a=value([7, -7])),
    Row("a % b", a=value([7.0, -7.0, 7.0, -7.0]), b=value([2.0, 2.0, -2.0, -2.0]), grad=True),
    Row("a % b", a=value([7, -7, 7, -7]), b=value([2, 2, -2, -2])),
    Row("torch.div(a, b, rounding_mode='trunc')", a=value([7.0, -7.0]), b=value([2.0, 2.0]), grad=True),
    Row("torch.div(a, b, rounding_mode='up')", a=randn(2), b=randn(2)),
    Row("a ** b", a=rand(4, low=0.5, high=2.0), b=randn(4), grad=2),
    Row("a ** 3", a=randn(4), grad=2),
    Row("2 ** a", a=randn(4), grad=2),
    Row("a ** -1", a=value([1, 2])),
    Row("-a", a=randn(3), grad=2),
    Row("-a", a=randn(3, dtype="bool")),
    Row("abs(a)", a=distinct(5), grad=2),
    Row("1 - a", a=randn(3), grad=True),
    Row("1 / a", a=rand(3, low=0.5), grad=2),
    Row("torch.fmod(a, 2)", a=value([7.0, -7.0, 0.5]), grad=True),
    Row("torch.remainder(a, b)", a=value([5, -5]), b=value([3, 3])),
)

test_promotion = rows(
    Row("a + 1", a=randn(3), dtypes=ALL),
    Row("a + 1.5", a=randn(3), dtypes=ALL),
    Row("a * 1j", a=randn(3), dtypes="bfloat16 float32 float64 int64"),
    Row("a + b", a=randint(0, 5, (3,), dtype="int32"), b=randn(3, dtype="float16")),
    Row("a + b", a=randn(3), b=randn(dtype="float64"), name="a 0-dim tensor does not promote within its category"),
    Row("a + b", a=randint(0, 5, (3,)), b=randn(dtype="float64"), name="a 0-dim float promotes integers to the default dtype"),
    Row("a + b", a=randint(0, 5, (3,), dtype="uint8"), b=randint(0, 5, (3,), dtype="int8")),
    Row("torch.result_type(a, 2.5)", a=randint(0, 5, (3,))),
)

test_errors = rows(
    Row("a + b", a=randn(3), b=randn(4)),
    Row("torch.add(a, 'x')", a=randn(3), message="must be Tensor, not str"),
    Row("a.add_(b)", a=randn(3), b=randn(2, 3)),
    Row("a.add_(1.5)", a=randint(0, 5, (3,))),
    Row("a.mul_(2)", a=randn(3), grad=True, name="in place on a leaf"),
)

test_in_place = rows(
    Row("b = a.clone(); b += 1; b *= a; b", a=randn(3), grad=2),
    Row("b = a.clone(); b[1:].mul_(3); b", a=randn(3), grad=True, name="in place on a view"),
    Row("b = a * 2; c = b * b; b.add_(1); c", a=randn(3), grad=True, name="modified after it was saved"),
    Row("torch.add(a, b, out=torch.empty(0))", a=randn(3), b=randn(3)),
)

test_functions = rows(
    *(Row(f"torch.{name}(x)", x=rand(7, low=0.1, high=0.9), grad=2) for name in SMOOTH.split()),
    *(Row(f"torch.{name}(x)", x=value([-1.5, -0.5, 0.5, 1.5, 2.5, 0.0])) for name in "floor ceil round trunc sign frac relu".split()),
    Row("torch.sin(x)", x=randn(5), dtypes=ALL),
    Row("torch.exp(x)", x=randn(1000), grad=True, name="many elements: stored as a digest"),
)


@parity
def test_polynomial_fits(torch):
    """A straight line, fitted with nothing but arithmetic."""
    torch.manual_seed(1)
    x = torch.linspace(-1, 1, 20)
    y = 3 * x + 0.5
    a = torch.zeros(1, requires_grad=True)
    b = torch.zeros(1, requires_grad=True)
    losses = []
    for _ in range(10):
        loss = ((a * x + b - y) ** 2).mean()
        loss.backward()
        losses.append(loss.item())
        with torch.no_grad():
            a -= 0.5 * a.grad
            b -= 0.5 * b.grad
        a.grad = b.grad = None
    return losses, a, b
