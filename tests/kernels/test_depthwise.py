"""Depthwise convolution against plain sums, for any window, stride, padding and dilation and every number of threads."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flambeau.kernels import depthwise
from flambeau.kernels.compiler import threads, usable

pytestmark = pytest.mark.skipif(not usable(), reason="kernels are not compiled here")

PAIRS = st.tuples(st.integers(1, 20), st.integers(1, 20))


def by_hand(x, weight, bias, stride, padding, dilation, out):
    """The convolution and, for a gradient of ones times position numbers, those of input and weight, in float64."""
    wide = np.pad(x.astype(np.float64), [(0, 0), (0, 0), *[(p, p) for p in padding]])
    y = np.zeros((*x.shape[:2], *out)) + bias.astype(np.float64).reshape(-1, 1, 1)
    grad = np.arange(y.size).reshape(y.shape) % 7 - 3.0
    grad_wide, grad_weight = np.zeros_like(wide), np.zeros(weight.shape)
    for i, j in product(*map(range, weight.shape[2:])):
        rows = slice(i * dilation[0], i * dilation[0] + (out[0] - 1) * stride[0] + 1, stride[0])
        columns = slice(j * dilation[1], j * dilation[1] + (out[1] - 1) * stride[1] + 1, stride[1])
        part, w = wide[:, :, rows, columns], weight[:, 0, i, j].reshape(-1, 1, 1)
        y += part * w
        grad_weight[:, 0, i, j] = (part * grad).sum((0, 2, 3))
        grad_wide[:, :, rows, columns] += grad * w
    inside = grad_wide[:, :, padding[0] : padding[0] + x.shape[2], padding[1] : padding[1] + x.shape[3]]
    return y, grad, inside, grad_weight


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([np.float32, np.float64]),
    st.integers(1, 3),
    st.integers(1, 9),
    PAIRS,
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
    st.integers(0, 2**32 - 1),
)
def test_all_three_products(dtype, images, channels, size, window, stride, padding, dilation, seed):
    out = tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in zip(size, window, stride, padding, dilation))
    if min(out) < 1:
        return
    random = np.random.default_rng(seed)
    x, weight, bias = (random.standard_normal(s).astype(dtype) for s in ((images, channels, *size), (channels, 1, *window), channels))
    y, grad, grad_x, grad_weight = by_hand(x, weight, bias, stride, padding, dilation, out)
    grad = grad.astype(dtype)
    near = {"rtol": 1e-3, "atol": 1e-3} if dtype is np.float32 else {"rtol": 1e-9, "atol": 1e-9}
    how = (stride, padding, dilation, channels)
    ours = np.empty(y.shape, dtype)
    assert depthwise.convolution(ours, x, weight, bias, *how)
    np.testing.assert_allclose(ours, y, **near)
    ours = np.empty(weight.shape, dtype)
    assert depthwise.weight_gradient(ours, grad, x, *how)
    np.testing.assert_allclose(ours, grad_weight, **near)
    ours = np.empty(x.shape, dtype)
    if depthwise.input_gradient(ours, grad, weight, *how):
        np.testing.assert_allclose(ours, grad_x, **near)
    else:
        assert any(p > d * (k - 1) for p, d, k in zip(padding, dilation, window))


def test_threads_change_no_bit():
    random = np.random.default_rng(0)
    x, weight = random.standard_normal((4, 64, 20, 20)).astype(np.float32), random.standard_normal((64, 1, 3, 3)).astype(np.float32)
    grad = random.standard_normal(x.shape).astype(np.float32)
    found = []
    before = threads.count()
    for number in (1, 4):
        threads.set_count(number)
        y, grad_x, grad_weight = np.empty_like(x), np.empty_like(x), np.empty_like(weight)
        how = ((1, 1), (1, 1), (1, 1), 64)
        assert depthwise.convolution(y, x, weight, None, *how)
        assert depthwise.input_gradient(grad_x, grad, weight, *how)
        assert depthwise.weight_gradient(grad_weight, grad, x, *how)
        found.append((y, grad_x, grad_weight))
    threads.set_count(before)
    for one, other in zip(*found):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("shape, groups", [((4, 2, 3, 3), 2), ((4, 1, 3, 3), 2), ((4, 1, 3, 3, 3), 4)])
def test_other_convolutions_are_left_alone(shape, groups):
    x = np.zeros((1, 4, 9, 9, 9)[: len(shape)], np.float32)
    assert not depthwise.convolution(np.empty_like(x), x, np.zeros(shape, np.float32), None, (1,) * 3, (1,) * 3, (1,) * 3, groups)
