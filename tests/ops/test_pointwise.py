"""Element-wise arithmetic, compared with PyTorch."""

import math

import pytest

from harness import Row, distinct, parity, rand, randint, randn, rows, value

ALL = "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64 complex128"
COMPLEX = "neg abs sgn reciprocal sqrt rsqrt conj conj_physical".split()
FLOATS = "float16 bfloat16 float32 float64"

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

test_numbers_first = rows(
    Row("torch.add(2, a)", a=randn(3)),
    Row("torch.mul(2.5, a)", a=randint(0, 5, (3,))),
    Row("torch.sub(2, 3)"),
    Row("torch.div(1, a)", a=value([1, 2], dtype="uint8")),
    Row("torch.floor_divide(-3, a)", a=value([44, 200], dtype="uint8")),
    Row("torch.remainder(7, a)", a=value([2, -2, 3])),
    Row("torch.pow(2, a)", a=randn(3), grad=2),
    Row("torch.pow(0, a)", a=value([0.0, 1.0, 2.0]), grad=True),
    Row("torch.pow(2, 3)", message="invalid combination of arguments"),
    *(Row(f"5 {op} a", a=value([2.0, -3.0, 0.5]), grad=True) for op in ("+", "-", "*", "/", "**")),
    *(Row(f"5 {op} a", a=value([2, -3, 4])) for op in ("+", "-", "*", "/", "**", "//", "%")),
)

test_numbers_that_do_not_fit = rows(
    Row("a + 300", a=value([44, 200], dtype="uint8")),
    Row("a * -1", a=value([44, 200], dtype="uint8")),
    Row("a == 300", a=value([44, 200], dtype="uint8")),
    Row("a / -3", a=value([44, 200], dtype="uint8")),
    Row("a + 2**40", a=value([44, -3], dtype="int8")),
    Row("a ** 2", a=value([44, -3], dtype="int8")),
    Row("a + 1e10", a=randn(2, dtype="float16")),
    Row("a.fill_(300)", a=value([1, 2], dtype="uint8")),
    Row("a.fill_(-1)", a=value([1, 2], dtype="uint8")),
    Row("a.fill_(float('inf'))", a=value([1, 2])),
    Row("a.fill_(1j)", a=value([1.0])),
)

test_powers = rows(
    *(Row(f"a ** {n}", a=rand(4, low=0.5, high=2.0), grad=2) for n in ("0", "1", "2", "-1", "0.5", "-0.5", "-2", "2.5")),
    Row("a ** b", a=value([0.0, 0.0, 0.5, 1.0]), b=value([0.0, 2.0, 2.0, 0.0]), grad=True),
    Row("a ** b", a=value([0, 1, -1, 2, -1]), b=value([-1, -2, -3, -1, -4])),
    Row("a ** -2", a=value([2, 3], dtype="uint8")),
    Row("a ** b", a=randn(2, dtype="bool"), b=randn(2, dtype="bool")),
    Row("a ** 2", a=randn(2, dtype="bool")),
    Row("a ** 2", a=randn(3, dtype="complex128"), grad=2),
    Row("a ** b", a=randn(3, dtype="complex128"), b=randn(3, dtype="complex128"), grad=2),
    Row("torch.square(a)", a=randn(3), grad=2, dtypes="float32 complex64"),
    Row("torch.float_power(a, 2)", a=randint(1, 5, (3,))),
    Row("torch.float_power(a, b)", a=rand(3, low=0.5), b=randn(3), grad=True),
    Row("a.clone().float_power_(2)", a=randn(2)),
)

test_bounds = rows(
    *(
        Row(f"torch.clamp(a, {bounds})", a=value([-2.0, -0.5, 0.5, 2.0, math.nan]), grad=True)
        for bounds in ("0, 1", "min=0", "max=0", "2, 1")
    ),
    Row("torch.clamp(a, b, c)", a=randn(6), b=value([-0.5]), c=rand(6), grad=2),
    Row("torch.clamp(a, max=b)", a=randn(6), b=randn(6), grad=True),
    Row("torch.clamp(a, 0.5)", a=value([0, 1, 2])),
    Row("torch.clamp(a, 0, 1)", a=randn(3, dtype="bool")),
    Row("a.clone().clamp_(0, 1)", a=randn(4), grad=True),
    Row("a.clamp_(0.5)", a=value([0, 1, 2]), message="result type Float can't be cast to the desired output type"),
    Row("a.clamp_min(b)", a=randn(4), b=randn(4), grad=True),
    Row("a.clamp_max(0.2)", a=randn(4), grad=True),
    Row("torch.maximum(a, b)", a=value([1.0, 2.0, 2.0, math.nan]), b=value([2.0, 1.0, 2.0, 0.0]), grad=2),
    Row("torch.minimum(a, b)", a=value([1.0, 2.0, 2.0, math.nan]), b=value([2.0, 1.0, 2.0, 0.0]), grad=2),
    Row("a.clamp()", a=randn(2)),
    Row("a.clamp(0, b)", a=randn(2), b=randn(2)),
    Row("a.clamp(0)", a=randn(2, dtype="complex64")),
    Row("torch.maximum(a, 2)", a=randn(2)),
)

test_errors = rows(
    Row("a + b", a=randn(3), b=randn(4)),
    Row("torch.add(a, 'x')", a=randn(3)),
    *(Row(f"a {op} 'x'", a=randn(3)) for op in ("+", "-", "*", "/", "//", "**", "<")),
    Row("a == 'x', a != None", a=randn(3)),
    Row("a += 'x'", a=randn(3)),
    Row("torch.eq(a, 'x')", a=randn(3)),
    Row("a.add_(b)", a=randn(3), b=randn(2, 3)),
    Row("a.add_(1.5)", a=randint(0, 5, (3,))),
    Row("a.mul_(b)", a=randn(2), b=randn(2, dtype="complex64")),
    Row("a.mul_(2)", a=randn(3), grad=True, name="in place on a leaf"),
    Row("a.expand(3).add_(1)", a=randn(1)),
    Row("torch.add(a, a, alpha=1.5)", a=value([1, 2])),
    Row("torch.add(a, a, alpha=True)", a=randn(2)),
    Row("torch.add(a, a, alpha=1j)", a=randn(2)),
    Row("a.add(1, alpha='x')", a=randn(2)),
    Row("a - True", a=value([1, 2])),
    Row("a - b", a=randn(2), b=randn(2, dtype="bool")),
    Row("1 - a", a=randn(2, dtype="bool")),
    Row("+a", a=randn(2, dtype="bool")),
    Row("abs(a)", a=randn(2, dtype="bool")),
    Row("a // 2", a=randn(2, dtype="complex64")),
    Row("a % b", a=randn(2, dtype="bool"), b=randn(2, dtype="bool")),
    Row("torch.sign(a)", a=randn(2, dtype="complex64")),
    Row("a.abs_()", a=randn(2, dtype="complex64")),
    Row("(a // 2).sum().backward()", a=randn(2), grad=True),
    Row("torch.Tensor.__radd__(2, a)", a=randn(2), message=""),
    Row("torch.add(a, a, out=torch.empty(2, dtype=torch.int64))", a=randn(2)),
    Row("torch.add(a, a, out=torch.empty(2))", a=randn(2), grad=True),
)

test_in_place = rows(
    Row("b = a.clone(); b += 1; b *= a; b", a=randn(3), grad=2),
    Row("b = a.clone(); b -= 1; b /= a; b", a=randn(3), grad=2),
    Row("b = a.clone(); b //= 2; b %= 3; b", a=value([7, -7, 12])),
    Row("b = a.clone(); b **= 2; b", a=randn(3), grad=2),
    Row("b = a.clone(); b[1:].mul_(3); b", a=randn(3), grad=True, name="in place on a view"),
    Row("b = a * 2; c = b * b; b.add_(1); c", a=randn(3), grad=True, name="modified after it was saved"),
    Row("b = a.clone(); b.add_(a, alpha=0.5)", a=randn(3), grad=True, dtypes=FLOATS),
    Row("b = a.clone(); c = b.mul_(2); c is b, b._version", a=randn(3)),
    Row("a.add_(b)", a=randn(3), b=randn(dtype="float64")),
    Row("a.add_(b)", a=randn(3, dtype="float16"), b=randn(3)),
    Row("a[1:].add_(a[1:])", a=randn(4)),
    Row("a.T.mul_(2); a", a=randn(2, 3)),
    Row("torch.add(a, b, out=torch.empty(0))", a=randn(3), b=randn(3)),
    Row("torch.sin_(a), torch.neg_(a), a.zero_(), a.fill_(2)", a=randn(3)),
    Row("b = a.clone(); b.copy_(c)", a=randn(3), c=randn(3, dtype="float64"), grad=True),
    Row("a.copy_(c)", a=randn(2, 3), c=randint(0, 5, (3,))),
    Row("a.copy_(c)", a=randn(2), c=randn(3)),
    Row("a.copy_(c)", a=randn(2), c=randn(1, 2)),
    Row("b = a.clone(); b.fill_(c)", a=randn(3), c=randn(), grad=True),
    Row("b = a.clone(); b.zero_()", a=randn(3), grad=True),
)

test_old_orders_of_arguments = rows(
    Row("a.add_(-0.5, b)", a=randn(3), b=randn(3), exact=True),
    Row("torch.add(a, 2, b)", a=randn(3), b=randn(3)),
    Row("a.addcmul_(0.5, b, b)", a=randn(3), b=randn(3)),
    Row("a.addcdiv_(0.5, b, c)", a=randn(3), b=randn(3), c=rand(3, low=0.5)),
)

test_numpy = rows(
    Row("a + np.ones(2)", a=randn(2)),
    Row("np.ones(2) + a", a=randn(2)),
    Row("a * np.float64(2), np.float32(2) * a, a + np.int64(3)", a=randn(2)),
)

test_complex = rows(
    *(Row(f"a {op} b", a=randn(3, dtype=d), b=randn(3, dtype=e), grad=2)
      for op in "+-*/" for d, e in (("complex128", "complex128"), ("float64", "complex128"), ("complex128", "float64"))),
    *(Row(f"torch.{name}(a)", a=randn(4, dtype="complex128"), grad=2) for name in COMPLEX),
    Row("a.conj() is a, torch.resolve_conj(a) is a, a.is_conj()", a=randn(2)),
)  # fmt: skip


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


NUMBERS_BESIDE_HALF = [
    "x + 0.1", "0.1 + x", "x - 0.1", "0.1 - x", "x * 0.1", "x / 0.3", "0.3 / x", "x.abs().round() ** 1.3", "1.3**x.round()",
    "x.fmod(0.3)", "x % 0.3", "x // 0.3", "x + 301", "x.clone().add_(0.1)", "x.clone().sub_(0.1)", "x.clone().fmod_(0.3)",
    "x + 1e5",
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("source", NUMBERS_BESIDE_HALF)
@parity
def test_a_number_beside_half_precision_is_rounded_first(torch, source, dtype):
    x = ((torch.arange(200) * 0.37).remainder(5.9) - 2.9).to(getattr(torch, dtype))
    return eval(source, {"x": x}).view(torch.int16)


@pytest.mark.parametrize("size", [6, 60_000])
@parity
def test_signs_of_zero_remainders(torch, size):
    x = torch.tensor([-2.0, 2.0, -4.0, 0.0, -0.0, 3.0]).repeat(size // 6)
    found = [x % 2, x % -2, x.remainder(torch.full_like(x, 2.0)), x.fmod(2), 4 % x.where(x != 0, 4.0), x.double() % 2, x.bfloat16() % 2]
    return [(f.signbit()[:6], f[-6:], f.signbit().sum()) for f in found]
