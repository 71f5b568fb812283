"""The compiled kernels agree with NumPy's arithmetic in float64, wherever a row ends."""

import math

import numpy as np
import pytest

from flambeau.kernels.compiler import usable
from flambeau.kernels.library import activation, attention, elementwise, loss, normalization, optimizer

pytestmark = pytest.mark.skipif(not usable(), reason="kernels are not compiled here")

erf = np.vectorize(math.erf)
SIZES = [1, 7, 8, 33, 1000]
DTYPES = [np.dtype(np.float32), np.dtype(np.float64)]


def tolerance(dtype):
    return dict(rtol=2e-6, atol=2e-6) if dtype == np.float32 else dict(rtol=1e-12, atol=1e-12)


def samples(*shape, dtype, seed=0, scale=3.0):
    return (np.random.RandomState(seed).randn(*shape) * scale).astype(dtype)


def run(kernel, *arguments):
    """The kernel's first argument after the call."""
    return kernel.version(arguments[0].dtype)(*arguments)


MAPS = {
    "gelu": lambda x: x * 0.5 * (erf(x / math.sqrt(2)) + 1),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "exp": np.exp,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}


def kernel_named(name):
    return getattr(elementwise if hasattr(elementwise, name) else activation, name)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", MAPS)
def test_map(name, size, dtype):
    x = samples(size, dtype=dtype)
    result = run(kernel_named(name), np.empty_like(x), x)
    np.testing.assert_allclose(result, MAPS[name](x.astype(np.float64)), **tolerance(dtype))


@pytest.mark.parametrize("name", MAPS)
def test_value_does_not_depend_on_position(name):
    x = samples(1000, dtype=DTYPES[0])
    whole = run(kernel_named(name), np.empty_like(x), x)
    for start in (1, 5, 993):
        part = x[start : start + 7].copy()
        assert np.array_equal(run(kernel_named(name), np.empty_like(part), part), whole[start : start + 7])


def test_exp_at_the_edges():
    x = np.array([-np.inf, np.inf, np.nan, 0.0, -0.0, -104.0, -90.0, 88.7, 89.0, 1e30], np.float32)
    with np.errstate(over="ignore"):
        expected = np.exp(x.astype(np.float64)).astype(np.float32)
    np.testing.assert_allclose(run(elementwise.exp, np.empty_like(x), x), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gradients_of_maps(dtype):
    x, grad = samples(101, dtype=dtype), samples(101, dtype=dtype, seed=1)
    wide, g = x.astype(np.float64), grad.astype(np.float64)
    s = 1 / (1 + np.exp(-wide))
    phi = np.exp(-wide * wide / 2) / math.sqrt(2 * math.pi)
    expected = g * (0.5 * (erf(wide / math.sqrt(2)) + 1) + wide * phi)
    np.testing.assert_allclose(run(activation.gelu_backward, np.empty_like(x), grad, x), expected, **tolerance(dtype))
    np.testing.assert_allclose(run(activation.silu_backward, np.empty_like(x), grad, x), g * s * (1 + wide * (1 - s)), **tolerance(dtype))
    assert np.array_equal(run(activation.threshold_backward, np.empty_like(x), grad, x, 0.5), np.where(x > 0.5, grad, 0))
    mask = samples(101, dtype=dtype, seed=2) > 0
    assert np.array_equal(run(activation.scale_by_mask, np.empty_like(x), x, mask, 1.25), x * (mask * dtype.type(1.25)))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("columns", SIZES)
def test_softmax(columns, dtype):
    x, grad = samples(5, columns, dtype=dtype), samples(5, columns, dtype=dtype, seed=1)
    wide = np.exp(x.astype(np.float64) - x.max(1, keepdims=True))
    expected = wide / wide.sum(1, keepdims=True)
    result = run(activation.softmax, np.empty_like(x), x)
    np.testing.assert_allclose(result, expected, **tolerance(dtype))
    gradient = run(activation.softmax_backward, np.empty_like(x), grad, result)
    np.testing.assert_allclose(gradient, expected * (grad - (grad * expected).sum(1, keepdims=True)), **tolerance(dtype))


def test_softmax_of_nan_and_infinities():
    x = np.array([[1, np.nan, 2], [-np.inf, -np.inf, -np.inf], [0, -np.inf, 0]], np.float32)
    result = run(activation.softmax, np.empty_like(x), x)
    assert np.isnan(result[:2]).all()
    assert np.array_equal(result[2], [0.5, 0, 0.5])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_attention_softmax(dtype):
    scores = samples(2, 3, 4, 9, dtype=dtype)
    mask = np.where(np.tri(4, 9, dtype=bool), 0, -np.inf).astype(dtype)
    mask[2] = -np.inf
    wide = scores * 0.5 + mask.astype(np.float64)
    wide = np.exp(wide - np.where(np.isinf(wide.max(-1, keepdims=True)), 0, wide.max(-1, keepdims=True)))
    total = wide.sum(-1, keepdims=True)
    expected = np.divide(wide, total, out=np.zeros_like(wide), where=total > 0)
    p = run(attention.masked_softmax, scores.copy(), mask, 0.5)
    np.testing.assert_allclose(p, expected, **tolerance(dtype))
    plain = run(attention.scaled_softmax, scores.copy(), 0.5)
    np.testing.assert_allclose(plain, run(activation.softmax, np.empty_like(scores), scores * dtype.type(0.5)), **tolerance(dtype))
    grad, kept = samples(2, 3, 4, 9, dtype=dtype, seed=3), samples(2, 3, 4, 9, dtype=dtype, seed=4) > 0
    through = grad * (kept * 1.25)
    expected = plain * (through - (through * plain).sum(-1, keepdims=True)) * 0.5
    np.testing.assert_allclose(run(attention.dropped_softmax_gradient, grad.copy(), plain, kept, 0.5, 1.25), expected, **tolerance(dtype))
    expected = plain * (grad - (grad * plain).sum(-1, keepdims=True)) * 0.5
    np.testing.assert_allclose(run(attention.softmax_gradient, grad.copy(), plain, 0.5), expected, **tolerance(dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("columns", SIZES)
def test_layer_norm(columns, dtype):
    x, weight, bias = samples(6, columns, dtype=dtype), samples(columns, dtype=dtype, seed=1), samples(columns, dtype=dtype, seed=2)
    grad = samples(6, columns, dtype=dtype, seed=3)
    out, mean, rstd = np.empty_like(x), np.empty(6, dtype), np.empty(6, dtype)
    run(normalization.layer_norm, out, mean, rstd, x, weight, bias, 1 / columns, 1e-5)
    wide = x.astype(np.float64)
    centre, deviation = wide.mean(1, keepdims=True), np.sqrt(wide.var(1, keepdims=True) + 1e-5)
    normal = (wide - centre) / deviation
    close = dict(rtol=1e-4, atol=2e-5) if dtype == np.float32 else dict(rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(out, normal * weight + bias, **close)
    grad_weight, grad_bias = np.zeros((2, columns), dtype), np.zeros((2, columns), dtype)
    grad_x = np.empty_like(x)
    run(normalization.layer_norm_backward, grad_x, grad_weight, grad_bias, grad, x, mean, rstd, weight, 1 / columns)
    grad_weight, grad_bias = grad_weight.sum(0), grad_bias.sum(0)  # two chunks of rows
    g = grad * weight.astype(np.float64)
    expected = (g - g.mean(1, keepdims=True) - normal * (g * normal).mean(1, keepdims=True)) / deviation
    if columns > 1:  # a single element normalises to zero, and rounding is all that is left
        np.testing.assert_allclose(grad_x, expected, rtol=1e-3, atol=1e-4 if dtype == np.float32 else 1e-9)
        np.testing.assert_allclose(grad_weight, (grad * normal).sum(0), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(grad_bias, grad.sum(0), **close)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("classes", SIZES)
def test_cross_entropy(classes, dtype):
    x = samples(6, classes, dtype=dtype)
    target = np.random.RandomState(1).randint(0, classes, 6)
    target[3] = -1
    losses, *sums, state = np.empty((4, 6), dtype)
    loss.cross_entropy.version(dtype)(x, losses, *sums, state, target, -1.0, float(classes))
    wide = x.astype(np.float64)
    expected_lse = np.log(np.exp(wide).sum(1))
    expected = np.where(target >= 0, expected_lse - wide[np.arange(6), np.maximum(target, 0)], 0)
    np.testing.assert_allclose(sums[0] + sums[1], expected_lse, **tolerance(dtype))
    np.testing.assert_allclose(losses, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(state, target >= 0)
    loss.cross_entropy.version(dtype)(x, losses, *sums, state, np.where(target < 0, classes, target), -1.0, float(classes))
    assert np.isnan(state[3])
    scale = np.where(target >= 0, 0.25, 0).astype(dtype)
    grad = run(loss.cross_entropy_rows_backward, np.empty_like(x), x, target, *sums, scale)
    onehot = np.zeros_like(wide)
    onehot[np.arange(6), np.maximum(target, 0)] = 1
    np.testing.assert_allclose(grad, (np.exp(wide - expected_lse[:, None]) - onehot) * scale[:, None], **tolerance(dtype))
    again = loss.cross_entropy_backward.version(dtype)(np.empty_like(x), x, target, *sums, 0.25, -1.0)
    np.testing.assert_array_equal(again, grad)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_adam(dtype):
    p, g, m, v = (samples(37, dtype=dtype, seed=i) for i in range(4))
    v = np.abs(v)
    keep, decay, w1, beta2, w2, correction, eps, size = 0.9, 0.1, 0.1, 0.99, 0.01, 0.5, 1e-8, -1e-2
    x = p.astype(np.float64) * keep
    grad = g + x * decay
    first, second = m + (grad - m) * w1, v * beta2 + grad * grad * w2
    run(optimizer.adam, p, g, m, v, keep, decay, w1, beta2, w2, correction, eps, size, 1.0)
    np.testing.assert_allclose(m, first, **tolerance(dtype))
    np.testing.assert_allclose(v, second, **tolerance(dtype))
    np.testing.assert_allclose(p, x + first / (np.sqrt(second) / correction + eps) * size, **tolerance(dtype))
