"""Pooling against PyTorch: forward, gradients of both orders, indices, errors."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flambeau.kernels import pooling as k
from harness import Row, distinct, randint, randn, rows, value

NAN, INF = float("nan"), float("inf")

test_max = rows(
    Row("F.max_pool1d(x * x, 2)", x=randn(2, 3, 7), grad=2),
    Row("F.max_pool1d(x, 3, 2, 1, return_indices=True)", x=randn(3, 7)),
    Row("F.max_pool2d(x * x, 2)", x=randn(2, 3, 6, 8), grad=2),
    Row("F.max_pool2d(x, 2, return_indices=True)", x=randn(2, 3, 5, 5), grad=True),
    Row("F.max_pool2d(x * x, (3, 2), (2, 1), (1, 0), ceil_mode=True)", x=randn(2, 3, 6, 7), grad=2),
    Row("F.max_pool2d(x, 2, 1, dilation=2, return_indices=True)", x=randn(1, 2, 6, 7), grad=True),
    Row("F.max_pool2d(x, 2)", x=randint(0, 3, (2, 2, 6, 6), dtype="float32"), grad=True, name="ties go to the first"),
    Row("F.max_pool2d(x, 3, 2, 1)", x=randint(0, 2, (2, 2, 7, 7), dtype="float32"), grad=True, name="ties in overlapping windows"),
    Row("F.max_pool2d(x, 2, return_indices=True)", x=value([[[1.0, NAN, 3.0, 4.0], [NAN, 0.0, INF, -INF]]]), grad=True, name="nan and inf"),
    Row("F.max_pool2d(x, 2, return_indices=True)", x=value([[[-INF, -INF], [-INF, -INF]]]), name="nothing but -inf"),
    Row("F.max_pool2d(x, 2)", x=randn(2, 4, 4), dtypes="float64 float16 bfloat16 int64 int32 uint8"),
    Row("F.max_pool3d(x, 2, padding=1, return_indices=True)", x=randn(1, 2, 4, 5, 3), grad=True),
    Row("F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2)", x=distinct(1, 2, 4, 4), grad=True),
    Row("F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), 2, output_size=(5,))", x=distinct(2, 5), grad=True),
    Row("F.max_unpool3d(*F.max_pool3d(x, 2, return_indices=True), 2)", x=distinct(1, 2, 4, 2, 4)),
    Row(
        "F.fractional_max_pool2d(x, 2, (3, 2), _random_samples=s)",
        s=value(np.linspace(0, 0.95, 12).reshape(2, 3, 2).tolist()).nograd,
        x=randn(2, 3, 6, 5),
        grad=True,
    ),
    Row("F.fractional_max_pool3d(x, 2, output_ratio=(0.5, 0.5, 0.4), return_indices=True)", x=randn(1, 2, 6, 6, 5)),
)

test_means = rows(
    Row("F.avg_pool1d(x * x, 2)", x=randn(2, 3, 7), grad=2),
    Row("F.avg_pool2d(x * x, 2)", x=randn(2, 3, 6, 7), grad=2),
    Row("F.avg_pool2d(x * x, 3, 2, 1, True, False)", x=randn(2, 3, 6, 7), grad=2),
    Row("F.avg_pool2d(x, 3, 2, 1, ceil_mode=True)", x=randn(2, 3, 6, 7), grad=True),
    Row("F.avg_pool2d(x, 2, divisor_override=3)", x=randn(3, 6, 7), grad=True),
    Row("F.avg_pool2d(x, 2)", x=randint(-9, 9, (1, 4, 4))),
    Row("F.avg_pool3d(x * x, (1, 2, 2), padding=(0, 1, 1))", x=randn(1, 2, 3, 4, 5), grad=2),
    Row("F.lp_pool1d(x, 2, 3)", x=randn(1, 2, 7), grad=True),
    Row("F.lp_pool2d(x, 3, 2, 1)", x=randn(1, 2, 4, 4), grad=True),
    Row("F.lp_pool3d(x, 2, 2)", x=randn(1, 2, 4, 4, 4), grad=True),
)

test_adaptive = rows(
    Row("F.adaptive_avg_pool1d(x * x, 3)", x=randn(2, 3, 7), grad=2),
    Row("F.adaptive_avg_pool2d(x * x, (3, None))", x=randn(2, 3, 7, 5), grad=2),
    Row("F.adaptive_avg_pool2d(x, 1)", x=randn(2, 3, 7, 5), grad=True, grad_fn=False),
    Row("F.adaptive_avg_pool2d(x, 3)", x=value([[[INF, 1.0, 2.0, 3.0, 4.0]] * 5]), name="infinity stays in its window"),
    Row("F.adaptive_avg_pool3d(x, (2, 3, 4))", x=randn(1, 2, 5, 5, 3), grad=True),
    Row("F.adaptive_max_pool1d(x, 3, return_indices=True)", x=randn(2, 3, 7), grad=True),
    Row("F.adaptive_max_pool2d(x * x, (3, 2))", x=randn(2, 3, 7, 5), grad=2),
    Row("F.adaptive_max_pool3d(x, 2, True)", x=randn(1, 2, 5, 4, 3), grad=True),
)

test_errors = rows(
    Row("F.max_pool2d(x, 7)", x=randn(1, 3, 5, 5)),
    Row("F.max_pool2d(x, 2)", x=randn(5, 5)),
    Row("F.max_pool2d(x, 2, padding=2)", x=randn(1, 3, 5, 5)),
    Row("F.max_pool2d(x, 2, 0)", x=randn(1, 3, 5, 5)),
    Row("F.max_pool2d(x, (2, 2, 2))", x=randn(1, 3, 5, 5)),
    Row("F.max_pool2d(x.bool(), 2)", x=randn(1, 3, 5, 5)),
    Row("F.max_pool1d(x, 7)", x=randn(1, 3, 5)),
    Row("F.avg_pool2d(x, 2, divisor_override=0)", x=randn(1, 3, 5, 5)),
    Row("F.avg_pool2d(x.int(), 2)", x=randn(1, 3, 5, 5)),
    Row("F.avg_pool3d(x, 9)", x=randn(1, 3, 5, 5, 5)),
    Row("F.adaptive_avg_pool2d(x, (2, 2))", x=randn(5, 5)),
    Row("F.adaptive_avg_pool2d(x, 2)", x=randn(1, 3, 0, 5)),
    Row("F.adaptive_max_pool2d(x, 2)", x=randint(0, 3, (1, 3, 5, 5))),
    Row("F.max_unpool2d(x, torch.tensor([[[[0, 3], [8, 16]]]]), 2)", x=randn(1, 1, 2, 2)),
    Row("F.max_unpool2d(x, torch.tensor([[[[0, 3], [8, 15]]]]), 2, output_size=(9, 9))", x=randn(1, 1, 2, 2)),
)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_maxima_and_their_gradients_follow_the_definition(data):
    draw = lambda low, high: tuple(data.draw(st.integers(low, high)) for _ in range(2))
    kernel, stride, dilation = draw(1, 3), draw(1, 4), draw(1, 2)
    padding = tuple(data.draw(st.integers(0, ((n - 1) * d + 1) // 2)) for n, d in zip(kernel, dilation))
    size = tuple(d * (n - 1) + 1 + data.draw(st.integers(0, 5)) for n, d in zip(kernel, dilation))
    out = tuple((s + 2 * p - d * (n - 1) - 1) // t + 1 for s, n, t, p, d in zip(size, kernel, stride, padding, dilation))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x = rng.integers(0, 4, (2, *size)).astype(np.float32)
    grad = rng.standard_normal((2, *out)).astype(np.float32)
    values = k.max_pool(x, kernel, stride, padding, dilation, out)
    indices = k.max_pool_indices(x, values, kernel, stride, padding, dilation)
    expected = np.zeros_like(x)
    for place in np.ndindex(2, *out):
        best, where = -np.inf, -1
        for offset in np.ndindex(*kernel):
            i, j = (place[a + 1] * stride[a] + offset[a] * dilation[a] - padding[a] for a in (0, 1))
            if 0 <= i < size[0] and 0 <= j < size[1] and x[place[0], i, j] > best:
                best, where = x[place[0], i, j], i * size[1] + j
        assert values[place] == best and indices[place] == where
        expected[place[0]].reshape(-1)[where] += grad[place]
    found = k.max_pool_backward(grad, x, values, kernel, stride, padding, dilation)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(k.scatter(grad, indices, size), expected, atol=1e-5)
