"""Operators on small arrays in machine code: the same as NumPy computes, for every way in which operands can lie."""

import gc
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flambeau as torch
from flambeau.kernels.compiler.launch import usable
from flambeau.ops import native_objects
from flambeau.ops.definition import OPERATORS

pytestmark = pytest.mark.skipif(not usable(), reason="kernels are not compiled here")

BINARY = {
    "add": (lambda a, b: a + b, lambda g, a, b: (g, g)),
    "sub": (lambda a, b: a - b, lambda g, a, b: (g, -g)),
    "mul": (lambda a, b: a * b, lambda g, a, b: (g * b, g * a)),
    "div": (lambda a, b: a / b, lambda g, a, b: (g / b, -g * a / b / b)),
}
UNARY = {
    "exp": (np.exp, lambda x, y: y),
    "log": (np.log, lambda x, y: 1 / x),
    "tanh": (np.tanh, lambda x, y: 1 - y * y),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda x, y: y * (1 - y)),
    "neg": (np.negative, lambda x, y: -np.ones_like(x)),
    "sqrt": (np.sqrt, lambda x, y: 0.5 / y),
}


@pytest.fixture(scope="module", autouse=True)
def _native():
    """Every operator has been called often enough."""
    x = torch.ones(2, 2)
    for _ in range(210):
        for f in (
            lambda: x + x,
            lambda: x - x,
            lambda: x * x,
            lambda: 1 - x,
            lambda: x**2,
            x.sum,
            x.mean,
            x.relu,
            lambda: x.clone().add_(x),
        ):
            f()
        for name in ("sub_", "mul_"):
            getattr(x.clone(), name)(x)
        x[0]
        for name in UNARY:
            getattr(x, name)()
        for f in (lambda: x / x, lambda: x < x, lambda: x <= x, lambda: x > x, lambda: x >= x, lambda: x == x):
            f()
    for name in ("add", "sub", "mul", "true_divide", "rsub", "pow", "sum", "mean", "relu", "lt", "le", "gt", "ge", "eq", *UNARY):
        assert "call" in OPERATORS[name].natives, name


@st.composite
def shapes(draw):
    """A shape and one that broadcasts to it: the same, one element, trailing sizes, or sizes of one at the end."""
    big = draw(st.lists(st.integers(1, 5), min_size=0, max_size=4))
    kind = draw(st.sampled_from(["same", "one", "row", "column", "any"]))
    cut = draw(st.integers(0, len(big)))
    if kind == "one":
        small = [1] * draw(st.integers(0, len(big)))
    elif kind == "row":
        small = big[cut:]
    elif kind == "column":
        small = big[:cut] + [1] * (len(big) - cut)
    elif kind == "any":
        small = [draw(st.sampled_from([1, n])) for n in big]
    else:
        small = big
    return tuple(big), tuple(small)


def fitted(g, shape):
    """A gradient summed to the shape of what was broadcast."""
    g = g.sum(tuple(range(g.ndim - len(shape))))
    return g.sum(tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True).reshape(shape)


@pytest.mark.parametrize("name", BINARY)
@settings(max_examples=60, deadline=None)
@given(shapes(), st.booleans(), st.sampled_from([np.float32, np.float64]), st.integers(0, 2**31))
def test_two_operands(name, pair, swap, dtype, seed):
    rng = np.random.RandomState(seed)
    a, b = (np.asarray(rng.randn(*s), dtype) for s in (pair if not swap else pair[::-1]))
    forward, backward = BINARY[name]
    x, y = torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True)
    result = forward(x, y)
    expected = forward(a, b)
    np.testing.assert_array_equal(result.detach().numpy(), expected)
    g = np.asarray(rng.randn(*expected.shape), dtype)
    result.backward(torch.tensor(g))
    for t, grad in zip((x, y), backward(*(v.astype(np.float64) for v in (g, a, b)))):
        assert t.grad.shape == t.shape
        np.testing.assert_allclose(t.grad.numpy(), fitted(grad, t.shape), rtol=1e-4 if dtype == np.float32 else 1e-10, atol=1e-5)
    with torch.no_grad():
        again = forward(x, y)
        assert not again.requires_grad
        np.testing.assert_array_equal(again.numpy(), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", UNARY)
def test_one_operand(name, dtype):
    a = np.random.RandomState(0).rand(5, 7).astype(dtype) + 0.1
    x = torch.tensor(a, requires_grad=True)
    y = getattr(x, name)()
    forward, slope = UNARY[name]
    wide = a.astype(np.float64)
    close = dict(rtol=1e-6 if dtype == np.float32 else 1e-14)
    np.testing.assert_allclose(y.detach().numpy(), forward(wide), **close)
    y.backward(torch.tensor(a))
    np.testing.assert_allclose(x.grad.numpy(), a * slope(wide, forward(wide)), rtol=1e-5, atol=1e-6)
    z = torch.tensor(a)
    assert getattr(z, name + "_")() is z and torch.equal(z, y) and z._version == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", UNARY)
def test_an_element_does_not_depend_on_the_size_of_its_tensor(name, dtype):
    x = torch.rand(70_000, dtype=dtype) * 8 + 1e-3
    whole = getattr(x, name)()
    for start, stop in ((0, 1), (3, 20), (100, 1127), (5000, 37000)):
        assert torch.equal(getattr(x[start:stop].clone(), name)(), whole[start:stop])


@pytest.mark.parametrize("name", ["lt", "le", "gt", "ge", "eq"])
def test_comparisons(name):
    a = np.array([[1.0, 2.0, np.nan], [-0.0, 0.0, np.inf]], np.float32)
    b = np.array([1.0, 3.0, np.inf], np.float32)
    compare = getattr(np, {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal"}[name])
    dunder = getattr(torch.Tensor, f"__{name}__")
    for other in (b, a, np.float32(1)):
        result = dunder(torch.tensor(a), torch.tensor(other))
        assert result.dtype is torch.bool
        np.testing.assert_array_equal(result.numpy(), compare(a, other))
    np.testing.assert_array_equal(dunder(torch.tensor(a), 0).numpy(), compare(a, 0))
    assert not dunder(torch.tensor(a, requires_grad=True), 1.0).requires_grad


@pytest.mark.parametrize("number", [2, 2.5, -1, 0, float("inf"), float("nan"), 10**30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_numbers(number, dtype):
    x = torch.tensor([[1.5, -2.0, 0.0]], dtype=dtype, requires_grad=True)
    with np.errstate(all="ignore"):
        wide = x.detach().numpy()
        for result, expected in (
            (x + number, wide + number),
            (x - number, wide - number),
            (x * number, wide * number),
            (number - x, number - wide),
        ):
            np.testing.assert_array_equal(result.detach().numpy(), expected.astype(wide.dtype))
    (x * number).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.full((1, 3), number, wide.dtype))


def test_one_element_and_whole_reductions():
    x = torch.tensor([[1.0, 2.0, 6.0]], requires_grad=True)
    assert (x.sum().item(), x.mean().item()) == (9.0, 3.0)
    (x.mean() + x.sum() * 2).backward()
    np.testing.assert_allclose(x.grad.numpy(), [[1 / 3 + 2] * 3], rtol=1e-6)
    assert torch.ones(()).sum().shape == ()


def test_square_only():
    x = torch.tensor([3.0, -2.0], requires_grad=True)
    for exponent in (2, 2.0, 3, 1, 0, 0.5):
        x.grad = None
        (x**exponent).sum().backward()
        with np.errstate(all="ignore"):
            a = np.array([3.0, -2.0], np.float32)
            np.testing.assert_allclose((x**exponent).detach().numpy(), a**exponent, rtol=1e-6)
            np.testing.assert_allclose(x.grad.numpy(), exponent * a ** (exponent - 1), rtol=1e-6)


def test_alpha_is_not_passed_over():
    x, y = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    torch.add(x, y, alpha=3).sum().backward()
    assert y.grad.tolist() == [3.0] * 3
    z = torch.ones(3)
    z.sub_(torch.ones(3), alpha=2)
    assert z.tolist() == [-1.0] * 3


def test_relu_keeps_nan_and_negative_zero():
    x = torch.tensor([-1.0, -0.0, 2.0, float("nan")], requires_grad=True)
    y = x.relu()
    assert torch.signbit(y).tolist() == [False, True, False, False] and y[3] != y[3]
    y.backward(torch.ones(4))
    assert x.grad.tolist() == [0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize("rows", [3, 40000])
def test_in_place(rows):
    x = torch.zeros(rows, 2)
    same = x.add_(torch.ones(2))
    assert same is x and x._version == 1
    x += torch.full((rows, 1), 2.0)
    x -= 1
    x.mul_(x)
    assert x._version == 4 and x.unique().tolist() == [4.0]


def test_in_place_with_an_operand_in_the_same_memory():
    x = torch.arange(12.0).view(4, 3).contiguous()
    expected = x.numpy() + x.numpy()[1].copy()
    x.add_(x[1])
    np.testing.assert_array_equal(x.numpy(), expected)
    y = torch.arange(6.0)
    expected = y.numpy()[1:].copy() + y.numpy()[:-1].copy()
    y[1:].add_(y[:-1])
    np.testing.assert_array_equal(y.numpy()[1:], expected)


def test_in_place_errors():
    leaf = torch.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place operation"):
        leaf.add_(1)
    with pytest.raises(RuntimeError, match="output with shape"):
        torch.ones(3).add_(torch.ones(2, 3))
    with pytest.raises(RuntimeError, match="must match the size"):
        torch.ones(3) + torch.ones(2)
    with pytest.raises(TypeError, match="unsupported operand"):
        torch.ones(3) + "x"
    with pytest.raises(TypeError):
        torch.Tensor.__add__(torch.ones(3))


def test_saved_operands_are_watched():
    x, y = torch.ones(3, requires_grad=True), torch.ones(3)
    z = x * y
    y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()
    z = (x * 2).relu()
    total = z.sum()
    total.backward()
    with pytest.raises(RuntimeError, match="second time"):
        total.backward()


def test_views_of_a_base_that_changes():
    base = torch.zeros(4, requires_grad=True) * 1
    view = base[:2]
    base.mul_(3)
    (view * torch.tensor([1.0, 2.0])).sum().backward()  # the view's node is renewed
    row = torch.arange(6.0).view(2, 3)[1]
    assert row._base is not None and row._is_view() and row.tolist() == [3.0, 4.0, 5.0]
    row.add_(1)
    assert row._base.tolist()[3:] == [4.0, 5.0, 6.0] and row._version == row._base._version == 1


def test_items():
    x = torch.arange(12, dtype=torch.int64).view(3, 4).t()
    assert x[1].tolist() == [1, 5, 9] and x[-1].tolist() == [3, 7, 11] and x[2].stride() == (4,)
    with pytest.raises(IndexError, match="index 4 is out of bounds for dimension 0 with size 4"):
        x[4]
    with pytest.raises(IndexError, match="invalid index of a 0-dim tensor"):
        torch.ones(())[0]
    y = torch.ones(2, 2, requires_grad=True)
    y[1].sum().backward()
    assert y.grad.tolist() == [[0.0, 0.0], [1.0, 1.0]]
    with torch.no_grad():
        assert y[0]._is_view() and y[0].grad_fn is None


def test_subclasses_and_modes_see_the_call():
    class Loud(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            seen.append(func)
            return super().__torch_function__(func, types, args, kwargs or {})

    seen = []
    x = torch.ones(2).as_subclass(Loud)
    assert type(x + 1) is Loud and type(torch.ones(2) * x) is Loud and type(x[0]) is Loud
    assert seen == [torch.Tensor.add, torch.Tensor.mul, torch.Tensor.__getitem__]
    packed = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: packed.append(t.clone()) or t, lambda t: t):
        y = torch.ones(2, requires_grad=True)
        (y * torch.full((2,), 3.0)).sum().backward()
    assert packed and y.grad.tolist() == [3.0, 3.0]


def test_walk_meets_every_kind_of_node():
    x = torch.ones(4, requires_grad=True)
    left, right = (x * 2).split(2)
    hooked = left * 1
    hooked.register_hook(lambda g: g * 10)
    (hooked.sum() + (right * right).sum() + x.sum()).backward()
    assert x.grad.tolist() == [21.0, 21.0, 9.0, 9.0]


def test_nothing_is_kept_or_lost():
    x, b, c = torch.randn(5, 3, requires_grad=True), torch.randn(3, requires_grad=True), torch.randn(5, 1, requires_grad=True)

    def step():
        y = ((x * b + c - 1.0) ** 2).relu() * 2
        (y.mean() + (x - b).sum() * (2 - c).sum()).backward()
        with torch.no_grad():
            x.sub_(0.0 * x.grad)
        x.grad = b.grad = c.grad = None
        (x[0] + x.view(3, 5)[1][:3]).sum().backward()

    def counted():
        gc.collect()
        watched = (None, True, False, torch.Tensor, x._array, x._array.dtype, x._counter, b._array)
        return [sys.getrefcount(o) for o in watched], len(gc.get_objects())

    for _ in range(100):
        step()
    before, objects = counted()
    for _ in range(500):
        step()
    after, objects_after = counted()
    assert all(abs(a - b) < 100 for a, b in zip(before, after)) and abs(objects_after - objects) < 100


def test_threads_that_come_at_once():
    op = OPERATORS["gt"]
    op.native_form = (lambda input, other: input > other, "compare", None)
    with ThreadPoolExecutor(8) as threads:
        for each in [threads.submit(op.count_call) for _ in range(8)]:
            each.result()
    assert op.native_form is None and (torch.ones(2) > torch.zeros(2)).tolist() == [True, True]


def test_layout_of_objects_is_probed():
    assert native_objects.fields() is not None
