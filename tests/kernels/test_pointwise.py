"""Large arrays in every order and dtype: arithmetic to the bit, functions the same wherever an element stands."""

import ml_dtypes
import numpy as np
import pytest

from flambeau.kernels import elementwise as k
from flambeau.kernels import pointwise
from flambeau.kernels.compiler import launch, threads, usable
from flambeau.kernels.compiler.walk import plan
from flambeau.kernels.quiet import quiet

pytestmark = pytest.mark.skipif(not usable(), reason="kernels are not compiled here")

DTYPES = [np.dtype(t) for t in (np.float32, np.float64, np.float16, ml_dtypes.bfloat16)]
BINARY = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.true_divide, "maximum": np.maximum, "minimum": np.minimum,
    "equal": np.equal, "not_equal": np.not_equal, "less": np.less, "less_equal": np.less_equal, "greater": np.greater,
    "greater_equal": np.greater_equal,
}  # fmt: skip
UNARY = {"negative": np.negative, "absolute": np.absolute, "square": np.square, "reciprocal": np.reciprocal, "exact_sqrt": np.sqrt}
FUNCTIONS = ["exp", "expm1", "log", "log1p", "log2", "sin", "cos", "tan", "tanh", "sigmoid", "arctan", "arcsinh"]
SPECIAL = [1, -1, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 60000, 0.5, 2]


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch):
    """Arrays of some thousand elements take the way of large ones."""
    monkeypatch.setattr(pointwise, "LARGE", 500)
    monkeypatch.setattr(pointwise, "FEW", 500)
    monkeypatch.setattr(k, "LARGE", 500)


def samples(dtype, shape=(60, 44), seed=0):
    x = np.random.default_rng(seed).standard_normal(shape)
    flat = x.reshape(-1)
    flat[: len(SPECIAL) * 10] = np.roll(SPECIAL * 10, seed)
    with np.errstate(all="ignore"):
        return x.astype(dtype)


def pairs(dtype):
    x, y = samples(dtype), samples(dtype, seed=3)
    yield x, y
    yield x, y[7]
    yield x, y[:, :1]
    yield x[0], y
    yield x, y[5, 5, ...]
    yield x.T, y.T
    yield x, np.asfortranarray(y)
    yield x[:, ::2], y[:, 1::2]
    yield x[::-1], y
    yield x[:, None, :2], y[:, :30, None]
    if dtype.itemsize > 2:
        yield x, 0.3
        yield 0.3, x
        yield 3, x.T


def same(ours, theirs, note=""):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape and ours.strides == theirs.strides, note
    with np.errstate(all="ignore"):
        nan = np.isnan(ours.astype(np.float64))
        assert (nan == np.isnan(theirs.astype(np.float64))).all(), note
    bits = f"u{ours.itemsize}"
    a, b = (np.ascontiguousarray(x).view(bits)[~nan] for x in (ours, theirs))
    assert (a == b).all(), (note, np.ascontiguousarray(ours)[~nan][a != b][:3], np.ascontiguousarray(theirs)[~nan][a != b][:3])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", BINARY)
@quiet
def test_two_operands(name, dtype):
    for x, y in pairs(dtype):
        ours, theirs = getattr(k, name)(x, y), BINARY[name](x, y)
        if dtype.char == "e" and name in ("maximum", "minimum"):  # NumPy prefers the other one of 0 and -0 there
            zero = dtype.type(0)
            ours, theirs = ours + zero, theirs + zero
        same(ours, theirs, [getattr(z, "shape", z) for z in (x, y)])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@quiet
def test_in_place(dtype):
    x, y = samples(dtype), samples(dtype, seed=3)
    for other in (y, y[3], x[3], x[::-1]):
        target = x.copy()
        other = target[3] if other.base is x and other.ndim == 1 else target[::-1] if other.base is x else other
        expected = np.add(target.copy(), other.copy())
        assert k.add(target, other, target) is target
        same(target, expected)
    wide = np.zeros((60, 88), dtype)
    k.multiply(x, y, wide[:, ::2])
    same(wide[:, ::2].copy(), np.multiply(x, y))
    assert not wide[:, 1::2].any()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", UNARY)
@quiet
def test_one_operand(name, dtype):
    x = samples(dtype)
    for y in (x, x.T, x[:, ::2], x[:, :3], x[::-1, ::-1]):
        same(getattr(k, name)(y), UNARY[name](y))


@pytest.mark.parametrize("dtype", DTYPES[:2], ids=str)
@quiet
def test_where_and_clamp(dtype):
    x, y = samples(dtype), samples(dtype, seed=3)
    c = x > 0
    zero = np.zeros((), dtype)
    same(k.where(c, x, y), np.where(c, x, y))
    same(k.where(c, x[2], y), np.where(c, x[2], y))
    same(k.where(c, x, 0), np.where(c, x, zero))
    same(k.where(c, 0.0, y), np.where(c, zero, y))
    same(k.clamp(x, -0.5, 0.25), np.clip(x, -0.5, 0.25))
    same(k.clamp(x, None, 0.25), np.clip(x, None, 0.25))
    same(k.clamp(x, 1, None), np.clip(x, 1, None))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
@quiet
def test_the_value_of_an_element_is_its_own(name, dtype):
    function, x = getattr(k, name), samples(dtype)
    whole = function(x)
    for count in (1, 2):
        before = threads.count()
        threads.set_count(count)
        try:
            big = function(np.tile(x, (40, 1)))
        finally:
            threads.set_count(before)
        same(big[:60].copy(), whole)
        same(big[-60:].copy(), whole)
    same(function(x.T).T.copy(), whole)
    same(function(x[:, 1::2]).copy(), whole[:, 1::2].copy())
    same(function(x[:, 5:8]).copy(), whole[:, 5:8].copy())
    same(np.array([function(x[i, 3, ...]) for i in range(60)], dtype), whole[:, 3].copy())
    out = np.empty((60, 88), dtype)
    same(function(x, out[:, ::2]).copy(), whole)
    target = x.copy()
    same(function(target, target), whole)
    wide = whole.astype(np.float64)
    exact = 1 / (1 + np.exp(-x.astype(np.float64))) if name == "sigmoid" else getattr(np, name)(x.astype(np.float64))
    limits = ml_dtypes.finfo(dtype)
    good = np.isclose(wide, exact, rtol=4 * float(limits.eps), atol=float(limits.tiny), equal_nan=True)
    assert (good | np.isinf(wide) & (abs(exact) > float(limits.max))).all()


def test_a_plan_joins_dimensions():
    access, numbers = plan((5, 6, 7), (4, 4), (168, 28, 4), (168, 28, 4))
    assert access == "11" and list(numbers) == [210, 0, 4, 4]
    access, numbers = plan((5, 6, 7), (4, 4), (168, 28, 4), (0, 28, 4))
    assert access == "11" and list(numbers) == [42, 1, 5, 4, 168, 4, 0]
    access, numbers = plan((5, 6, 7), (4, 4), (4, 20, 120), (4, 20, 120))
    assert access == "11" and numbers[0] == 210
    access, numbers = plan((5, 60), (4, 4), (240, 4), (4, 0))
    assert access == "10" and list(numbers) == [60, 1, 5, 4, 240, 0, 4]
    assert plan((5, 6), (4, 4), (24, 4), (4, 20)) is None


def calls_on(x, y, z):
    return [
        lambda out: k.add_scaled(x, y, 0.3, out), lambda out: k.addcmul(x, y, z, 0.3, out), lambda out: k.addcdiv(x, y, z, 1, out),
        lambda out: k.lerp(x, y, 0.3, out), lambda out: k.lerp(x, y, 0.8, out), lambda out: k.lerp(x, y, z, out),
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@quiet
def test_three_operands(dtype, monkeypatch):
    x, y, z = samples(dtype), samples(dtype, seed=3), samples(dtype, seed=5)
    calls = calls_on(x, y, z)
    compiled = [call(out) for call in calls for out in (None, np.empty_like(x), np.empty_like(x.T).T)]
    few = [call(None) for call in calls_on(x[:1, :3], y[:1, :3], z[:1, :3])]
    for first, *others, start in zip(compiled[::3], compiled[1::3], compiled[2::3], few):
        for other in others:  # whatever the memory order and the size, the bits are the same
            same(other.copy("C"), first)
        same(first[:1, :3].copy(), start)
    monkeypatch.setattr(launch, "compiled", False)
    digits = {2: 0.02, 4: 1e-6, 8: 1e-14}[dtype.itemsize]
    for ours, call in zip(compiled[::3], calls):  # NumPy fuses no product with a sum
        np.testing.assert_allclose(ours.astype(np.float64), call(None).astype(np.float64), rtol=digits, atol=digits)
