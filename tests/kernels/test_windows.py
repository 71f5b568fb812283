"""Convolution and pooling: the compiled kernels against the NumPy lowering, over any shapes, and for every number of threads."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flambeau.kernels import convolution, direct, pooling
from flambeau.kernels.compiler import threads, usable

pytestmark = pytest.mark.skipif(not usable(), reason="kernels are not compiled here")

DTYPES = st.sampled_from([np.dtype(np.float32), np.dtype(np.float64)])
SEEDS = st.integers(0, 2**32 - 1)


def by_numpy(monkeypatch, function, *args):
    """What the NumPy lowering makes of it."""
    with monkeypatch.context() as m:
        m.setattr(direct, "usable", lambda: False)
        m.setattr(pooling, "usable", lambda: False)
        return function(*args)


@pytest.fixture(scope="module")
def monkeypatch():
    with pytest.MonkeyPatch.context() as m:
        yield m


@st.composite
def windows(draw, dilated=True, longest=40):
    """Sizes of an image, of a window, stride, padding and dilation, in 1 to 3 dimensions."""
    dims = draw(st.integers(1, 3))
    each = {1: longest, 2: 20, 3: 8}[dims]
    sizes = tuple(draw(st.integers(1, each)) for _ in range(dims))
    kernel = tuple(draw(st.integers(1, min(4, s + 1))) for s in sizes)
    stride = tuple(draw(st.integers(1, 3)) for _ in range(dims))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    dilation = tuple(draw(st.integers(1, 2)) if dilated else 1 for _ in range(dims))
    out = tuple((s + 2 * p - d * (k - 1) - 1) // t + 1 for s, k, t, p, d in zip(sizes, kernel, stride, padding, dilation))
    assume(min(out) > 0)
    return sizes, kernel, stride, padding, dilation, out


@settings(max_examples=150, deadline=None)
@given(windows(longest=90), st.integers(1, 3), st.integers(1, 3), st.integers(1, 5), st.integers(1, 9), st.booleans(), DTYPES, SEEDS)
def test_convolution_and_its_gradients(monkeypatch, shape, samples, groups, channels, out_channels, cropped, dtype, seed):
    sizes, kernel, stride, padding, dilation, out = shape
    if cropped:  # fewer windows than fit, as second derivatives ask for
        out = tuple(max(1, n - 1) for n in out)
    random = np.random.default_rng(seed)
    x = random.standard_normal((samples, groups * channels, *sizes)).astype(dtype)
    weight = random.standard_normal((groups * out_channels, channels, *kernel)).astype(dtype)
    bias = random.standard_normal(groups * out_channels).astype(dtype) if seed % 2 else None
    how = (stride, padding, dilation, groups)
    grad = random.standard_normal((samples, groups * out_channels, *out)).astype(dtype)
    close = dict(rtol=2e-4, atol=2e-4) if dtype == np.float32 else dict(rtol=1e-11, atol=1e-11)
    for function, args in (
        (lambda *a: (convolution.convolution(*a),), (x, weight, bias, *how, out)),
        (convolution.convolution_backward, (grad, x, weight, x.shape, weight.shape, *how)),
    ):
        for ours, expected in zip(function(*args), by_numpy(monkeypatch, function, *args), strict=True):
            assert ours.dtype == dtype
            np.testing.assert_allclose(ours, expected, **close)


SHAPES = [
    ((3, 3, 64, 64), (20, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((9, 40, 16, 16), (70, 40, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((2, 16, 33, 47), (24, 8, 5, 3), (2, 1), (2, 0), (1, 2), 2),
    ((2, 12, 300), (12, 1, 7), (3,), (3,), (1,), 12),
    ((2, 70, 30, 30), (65, 70, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((1, 5, 9, 40, 40), (17, 5, 3, 3, 3), (1, 2, 2), (1, 1, 1), (1, 1, 1), 1),
    ((2, 130, 100, 90), (6, 130, 3, 3), (1, 1), (1, 1), (1, 1), 1),
]


@pytest.mark.parametrize("x_shape,weight_shape,stride,padding,dilation,groups", SHAPES)
def test_shapes_in_several_blocks(monkeypatch, x_shape, weight_shape, stride, padding, dilation, groups):
    random = np.random.default_rng(0)
    x, weight = random.standard_normal(x_shape), random.standard_normal(weight_shape)
    how = (stride, padding, dilation, groups)
    y = convolution.convolution(x, weight, None, *how)
    np.testing.assert_allclose(y, by_numpy(monkeypatch, convolution.convolution, x, weight, None, *how), rtol=1e-10, atol=1e-10)
    args = (random.standard_normal(y.shape), x, weight, x_shape, weight_shape, *how)
    found, expected = convolution.convolution_backward(*args), by_numpy(monkeypatch, convolution.convolution_backward, *args)
    for ours, theirs in zip(found, expected):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("x_shape,weight_shape,stride,padding,dilation,groups", SHAPES)
def test_convolution_is_the_same_for_every_number_of_threads(x_shape, weight_shape, stride, padding, dilation, groups):
    random = np.random.default_rng(0)
    x, weight = (random.standard_normal(s).astype(np.float32) for s in (x_shape, weight_shape))
    how = (stride, padding, dilation, groups)
    results = []
    before = threads.count()
    try:
        for n in (1, 2, 4):
            threads.set_count(n)
            y = convolution.convolution(x, weight, None, *how)
            results.append((y, *convolution.convolution_backward(y, x, weight, x_shape, weight_shape, *how)))
    finally:
        threads.set_count(before)
    for other in results[1:]:
        for a, b in zip(results[0], other):
            np.testing.assert_array_equal(a, b)


def test_what_lies_outside_a_window_does_not_matter():
    """NaN and infinities reach only the windows that hold them, whatever shares a vector with them."""
    x = np.zeros((1, 1, 9, 9), np.float32)
    x[0, 0, 4, 4], x[0, 0, 0, 8] = np.nan, np.inf
    weight = np.ones((1, 1, 3, 3), np.float32)
    y = convolution.convolution(x, weight, None, (1, 1), (1, 1), (1, 1), 1)[0, 0]
    reach = np.zeros((9, 9), bool)
    reach[3:6, 3:6] = reach[:2, 7:] = True
    np.testing.assert_array_equal(~np.isfinite(y), reach)
    x[0, 0, 4, 4] = 0
    _, found = convolution.convolution_backward(np.ones_like(x), x, None, x.shape, weight.shape, (1, 1), (1, 1), (1, 1), 1)
    reading = np.zeros((3, 3), bool)  # the taps that ever lie on the corner
    reading[:2, 1:] = True
    np.testing.assert_array_equal(~np.isfinite(found[0, 0]), reading)


# --- pooling --------------------------------------------------------------------------------------------------------------


def images(random, planes, sizes, dtype, kind):
    """Few different numbers, so that there are equal maxima; NaN, infinities."""
    x = random.integers(-3, 3, (planes, *sizes)).astype(dtype)
    if kind == "nan":
        x[random.random(x.shape) < 0.2] = np.nan
    elif kind == "infinite":
        x[random.random(x.shape) < 0.5] = -np.inf
    return x


@settings(max_examples=200, deadline=None)
@given(windows(), st.integers(1, 3), DTYPES, st.sampled_from(["plain", "nan", "infinite"]), SEEDS)
def test_max_pooling(monkeypatch, shape, planes, dtype, kind, seed):
    sizes, kernel, stride, padding, dilation, out = shape
    random = np.random.default_rng(seed)
    x = images(random, planes, sizes, dtype, kind)
    how = (kernel, stride, padding, dilation)
    values = pooling.max_pool(x, *how, out)
    np.testing.assert_array_equal(values, by_numpy(monkeypatch, pooling.max_pool, x, *how, out))
    indices = pooling.max_pool_indices(x, values, *how)
    assume(indices.min() >= 0)  # dilated windows may lie in the padding alone: nothing is their maximum
    np.testing.assert_array_equal(indices, by_numpy(monkeypatch, pooling.max_pool_indices, x, values, *how))
    grad = random.standard_normal(values.shape).astype(dtype)
    np.testing.assert_allclose(
        pooling.max_pool_backward(grad, x, values, *how), pooling.scatter(grad, indices, sizes), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", [(2, 2), (8, 8), (17, 70), (16, 32), (31, 47), (4, 9)])
@pytest.mark.parametrize("kind", ["plain", "nan", "infinite"])
def test_max_pooling_of_squares(sizes, dtype, kind):
    random = np.random.default_rng(0)
    x = images(random, 5, sizes, dtype, kind)
    how = ((2, 2), (2, 2), (0, 0), (1, 1))
    values = pooling.max_pool(x, *how, (sizes[0] // 2, sizes[1] // 2))
    grad = random.standard_normal(values.shape).astype(dtype)
    expected = pooling.scatter(grad, pooling.max_pool_indices(x, values, *how), sizes)
    np.testing.assert_array_equal(pooling.max_pool_backward(grad, x, values, *how), expected)


@settings(max_examples=150, deadline=None)
@given(windows(dilated=False), st.integers(1, 3), DTYPES, st.booleans(), st.sampled_from([None, 3, -2]), SEEDS)
def test_mean_pooling(monkeypatch, shape, planes, dtype, include, divisor, seed):
    sizes, kernel, stride, padding, _, out = shape
    random = np.random.default_rng(seed)
    close = dict(rtol=1e-5, atol=1e-6)
    x = random.standard_normal((planes, *sizes)).astype(dtype)
    args = (x, kernel, stride, padding, out, include, divisor)
    np.testing.assert_allclose(pooling.avg_pool(*args), by_numpy(monkeypatch, pooling.avg_pool, *args), **close)
    grad = random.standard_normal((planes, *out)).astype(dtype)
    back = (grad, sizes, kernel, stride, padding, include, divisor)
    np.testing.assert_allclose(pooling.avg_pool_backward(*back), by_numpy(monkeypatch, pooling.avg_pool_backward, *back), **close)
