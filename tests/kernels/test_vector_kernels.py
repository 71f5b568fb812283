"""Kernels whose results are PyTorch's bit for bit: exponentials, GELU, softmax, cross entropy, and the order of their sums."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flambeau.kernels import elementwise
from flambeau.kernels.compiler import row_kernel, usable
from flambeau.kernels.compiler.lanes import width
from flambeau.kernels.compiler.machine import vector_bits
from flambeau.kernels.library.loss import total_loss
from harness import Row, randn, rows

pytestmark = pytest.mark.skipif(not usable(), reason="kernels are not compiled here")


@row_kernel("x:f sums:c*")
def sums_of_rows(row, x, sums):
    row.put(sums, row.lane_sum(lambda i: x[i]))


@row_kernel("x:f y:f sums:c*")
def dots_of_rows(row, x, y, sums):
    row.put(sums, row.lane_dot(lambda i: (x[i], y[i])))


@row_kernel("out:f x:f", halves=True)
def negatives(row, out, x):
    row.each_lane(lambda i: out.__setitem__(i, -x[i]))


def one_after_the_other(terms):
    result = terms[0]
    for term in terms[1:]:
        result = result + term
    return result


def sum_in_lanes(terms, rest_added, lanes):
    """The sum of a row; `rest_added(sums, start)` adds what is behind the last whole vector."""
    if len(terms) < lanes:
        return one_after_the_other(terms)
    whole = len(terms) // lanes * lanes
    sums = terms[:lanes].copy()
    for start in range(lanes, whole, lanes):
        sums += terms[start : start + lanes]
    if whole < len(terms):
        sums[: len(terms) - whole] = rest_added(sums[: len(terms) - whole], whole)
    if terms.dtype == np.float64:
        return one_after_the_other(sums)
    while len(sums) > 1:
        sums = sums[: len(sums) // 2] + sums[len(sums) // 2 :]
    return sums[0]


SIZES = st.one_of(st.integers(1, 9), st.sampled_from([15, 16, 17, 31, 32, 33, 64, 65, 130, 257]))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), SIZES, st.sampled_from([np.float32, np.float64]), st.integers(0, 99))
def test_the_order_of_sums(count, columns, dtype, seed):
    random = np.random.RandomState(seed)
    x, y = random.standard_normal((2, count, columns)).astype(dtype)
    lanes = width("f32" if dtype == np.float32 else "f64")
    found = np.empty((count, 1), dtype)
    sums_of_rows.version(np.dtype(dtype))(x, found)
    expected = [sum_in_lanes(a, lambda sums, start, a=a: sums + a[start:], lanes) for a in x]
    assert found.ravel().tolist() == expected
    if dtype == np.float32:
        dots_of_rows.version(np.dtype(dtype))(x, y, found)

        def fused(a, b, sums, start):
            return (a[start:].astype(np.float64) * b[start:] + sums).astype(dtype)

        expected = [sum_in_lanes(a * b, lambda sums, start, a=a, b=b: fused(a, b, sums, start), lanes) for a, b in zip(x, y)]
        assert found.ravel().tolist() == expected


@pytest.mark.parametrize("dtype", [d for d in map(np.dtype, ("f4", "f8", "f2")) if negatives.takes(d)], ids=str)
@pytest.mark.parametrize("columns", [1, 5, 16, 37])
def test_vectors_keep_to_the_row(columns, dtype):
    x = np.random.RandomState(1).standard_normal((3, columns)).astype(dtype)
    memory = np.full(x.size + 40, 7, dtype)
    negatives.version(dtype)(memory[: x.size].reshape(x.shape), x)
    assert np.array_equal(memory[: x.size], -x.ravel())
    assert (memory[x.size :] == 7).all()


def cascade(losses, counts):
    levels = [np.float32(0)] * 8
    for row, (loss, counted) in enumerate(zip(losses, counts)):
        if not counted:
            continue
        levels[0] = levels[0] + loss
        for level in range(1, 8):
            if row >> (4 * (level - 1)) & 15:
                break
            levels[level], levels[level - 1] = levels[level] + levels[level - 1], np.float32(0)
    return one_after_the_other(levels)


@pytest.mark.parametrize("count", [1, 2, 16, 17, 300, 5000])
def test_the_order_of_losses(count):
    random = np.random.RandomState(count)
    losses, state = random.rand(count).astype(np.float32), (random.rand(count) < 0.8).astype(np.float32)
    out = total_loss("f32")(np.empty(2, np.float32), losses, state, float(count))
    assert out[0] == cascade(losses, state)
    assert out[1] == state.sum()
    state[-1] = np.nan
    assert np.isnan(total_loss("f32")(out, losses, state, float(count))[1])


@pytest.mark.parametrize("size", [5, 100])
def test_the_slope_of_tanh_is_fused(size):
    grad, y = np.random.RandomState(size).standard_normal((2, size)).astype(np.float32)
    expected = grad * (1 - y.astype(np.float64) * y).astype(np.float32)
    assert np.array_equal(elementwise.tanh_backward(grad, y), expected)


def gradient(expression):
    """The gradient of an expression for fixed cotangents, as one more expression."""
    return f"x = x.clone().requires_grad_(); y = {expression}; y.backward(g); x.grad"


def both(expression, *shape):
    """Rows for the bits of an expression of x and of its gradient."""
    x, g = randn(*shape), randn(*shape)
    return [
        Row(expression, x=x, exact=True, name=f"{expression} {shape}"),
        Row(gradient(expression), x=x, g=g, exact=True, name=f"gradient of {expression} {shape}"),
    ]


LOSS = "F.cross_entropy(x * 3, torch.arange(x.shape[0]) % x.shape[1])"

test_bits = pytest.mark.skipif(usable() and vector_bits() != 512, reason="the stored bits are those of 512-bit vectors")(
    rows(
        *[row for shape in ((9, 10), (5, 16), (4, 33), (3, 200), (2, 4001)) for row in both("torch.softmax(x * 2, -1)", *shape)],
        *[row for shape in ((9, 10), (5, 16), (4, 33), (3, 200), (2, 4001)) for row in both("torch.log_softmax(x * 2, -1)", *shape)],
        *both("torch.softmax(x, 0)", 9, 48),
        *both("torch.log_softmax(x, 0)", 9, 48),
        *both("F.gelu(x * 2)", 7, 33),
        *both("F.gelu(x * 1e-3)", 40),
        *both("F.gelu(x * 8)", 200),
        Row("F.gelu(x)", x=randn(1), exact=True),
        *both("F.silu(x * 3)", 96),
        *both("F.gelu(x * 3, approximate='tanh')", 96),
        *both("F.gelu(x * 12, approximate='tanh')", 64),
        *both("F.mish(x * 3)", 96),
        *both("F.mish(x * 30)", 64),
        *both("F.logsigmoid(x * 9)", 96),
        *both("F.softplus(x * 9, 1.5)", 96),
        Row("F.softplus(88.7 - (x * 9) ** 2, 1, 100)", x=randn(96), exact=True),
        Row("F.glu(x)", x=randn(6, 64), exact=True),
        Row(gradient("F.glu(x)"), x=randn(6, 64), g=randn(6, 32), exact=True, name="gradient of glu"),
        Row(gradient("F.elu(x, 1.3)"), x=randn(96), g=randn(96), exact=True, name="gradient of elu"),
        Row(gradient("F.selu(x)"), x=randn(96), g=randn(96), exact=True, name="gradient of selu"),
        Row(gradient("F.hardsigmoid(x)"), x=randn(96), g=randn(96), exact=True, name="gradient of hardsigmoid"),
        Row("F.binary_cross_entropy_with_logits(x, (y > 0).float(), reduction='none')", x=randn(96), y=randn(96), exact=True),
        Row("F.gelu(torch.tensor([0.0, -0.0, math.inf, -math.inf, math.nan, 1e-45, 1e38, -1e38, 5.5, 5.6, -5.6]))", exact=True),
        Row("F.gelu(torch.tensor([0.0, -0.0, math.inf, -math.inf, math.nan, 1e-45, 1e38, -1e38] * 4), approximate='tanh')", exact=True),
        Row("F.mish(torch.tensor([0.0, -0.0, math.inf, -math.inf, math.nan, 1e-45, 1e38, -1e38] * 4))", exact=True),
        *[Row(LOSS, x=randn(*shape), exact=True, name=f"loss {shape}") for shape in ((9, 10), (40, 33), (300, 7), (3, 2000))],
        *[
            Row(f"x = x.clone().requires_grad_(); {LOSS}.backward(); x.grad", x=randn(*shape), exact=True, name=f"gradient of loss {shape}")
            for shape in ((9, 10), (40, 33), (3, 2000))
        ],
        Row("F.cross_entropy(x, torch.arange(40) % 5, y.abs(), ignore_index=3)", x=randn(40, 5), y=randn(5), exact=True),
        Row("F.nll_loss(x, torch.arange(300) % 5, y.abs(), reduction='sum')", x=randn(300, 5), y=randn(5), exact=True),
        Row("F.cross_entropy(x, torch.arange(40 * 33).view(40, 33) % 5)", x=randn(40, 5, 33), exact=True, name="two dimensions"),
        Row("F.cross_entropy(x, torch.arange(40) % 5, ignore_index=3)", x=randn(40, 5), exact=True),
        Row("F.cross_entropy(x, torch.arange(40) % 5, reduction='none')", x=randn(40, 5), exact=True),
    )
)
