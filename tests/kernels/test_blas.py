"""Products and attention of our own against NumPy in float64: odd shapes, memory orders, NaN and infinity, threads."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flambeau as torch
from flambeau.kernels import activation, attention, blas, matmul
from flambeau.kernels.compiler import threads
from harness import run_python

DTYPES = [np.dtype(np.float32), np.dtype(np.float64)]

pytestmark = pytest.mark.skipif(blas.products(DTYPES[0]) is None, reason="no products are compiled here")

SIZES = st.one_of(st.integers(0, 9), st.sampled_from([15, 16, 17, 31, 33, 47, 48, 49, 64, 97, 130]))


def samples(seed, *shape, dtype):
    return np.random.RandomState(seed).randn(*shape).astype(dtype)


def laid(x, how):
    """The same matrix in another memory order: 0 as it is, 1 transposed, 2 every other row, 3 rows backwards."""
    if how == 1:
        return np.asfortranarray(x)
    if how == 2:
        wide = np.empty((2 * x.shape[0], x.shape[1] + 3), x.dtype)
        wide[::2, : x.shape[1]] = x
        return wide[::2, : x.shape[1]]
    return x[::-1].copy()[::-1] if how == 3 else x


def near(result, expected, terms):
    scale = np.sqrt(max(terms, 1)) * (4e-6 if result.dtype == np.float32 else 1e-14)
    np.testing.assert_allclose(result, expected, rtol=20 * scale, atol=20 * scale)


@settings(max_examples=80, deadline=None)
@given(SIZES, SIZES, SIZES, st.sampled_from(DTYPES), st.integers(0, 3), st.integers(0, 3))
def test_products(m, k, n, dtype, how_a, how_b):
    own = blas.products(dtype)
    a, b = samples(1, m, k, dtype=dtype), samples(2, k, n, dtype=dtype)
    wide = a.astype(np.float64) @ b.astype(np.float64)
    out = np.full((m, n), np.nan, dtype)
    assert own.matmul(out, laid(a, how_a), laid(b, how_b)) is out
    near(out, wide, k)
    out.fill(2)
    assert own.matmul_add(out, laid(a, how_a), laid(b, how_b)) is out
    near(out, wide + 2, k)
    weight, bias = np.ascontiguousarray(b.T), samples(3, n, dtype=dtype)
    out.fill(np.nan)
    assert own.linear(out, laid(a, how_a), laid(weight, how_b), bias) is out
    near(out, wide + bias, k)
    assert own.linear_relu(out, laid(a, how_a), laid(weight, how_b), None) is out
    near(out, np.maximum(wide, 0), k)
    gradient = np.full((n, k), np.nan, dtype)
    grad = samples(4, m, n, dtype=dtype)
    assert own.weight_gradient(gradient, laid(grad, how_b), laid(a, how_a)) is gradient
    near(gradient, grad.astype(np.float64).T @ a, m)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([((), ()), ((3,), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((4, 1, 2), (1,))]),
       SIZES, SIZES, SIZES, st.booleans())  # fmt: skip
def test_batches_broadcast(batches, m, k, n, turned):
    a = samples(1, *batches[0], m, k, dtype=np.float32)
    b = samples(2, *batches[1], n, k, dtype=np.float32).swapaxes(-1, -2)
    b = b if turned else b.copy()
    expected = a.astype(np.float64) @ b.astype(np.float64)
    out = np.full(expected.shape, np.nan, np.float32)
    assert blas.products(out.dtype).matmul(out, a, b) is out
    near(out, expected, k)


def test_no_matrices_at_all():
    assert matmul.matmul(np.empty((0, 2, 3), np.float32), np.empty((1, 3, 4), np.float32)).shape == (0, 2, 4)


def test_leading_dimensions_are_rows():
    x, weight = samples(1, 3, 4, 5, dtype=np.float32), samples(2, 7, 5, dtype=np.float32)
    own, out = blas.products(x.dtype), np.empty((3, 4, 7), np.float32)
    assert own.linear(out, x, weight, None) is out
    near(out, x.astype(np.float64) @ weight.T, 5)
    back = np.empty_like(x)
    assert own.input_gradient(back, out, weight) is back
    near(back, out.astype(np.float64) @ weight, 7)
    permuted = x.swapaxes(0, 1)
    assert own.linear(np.empty((4, 3, 7), np.float32), permuted, weight, None) is permuted


def test_what_does_not_fit_is_left_alone():
    own, out = blas.products(DTYPES[0]), np.full((3, 4), 7, np.float32)
    a, b = samples(1, 3, 5, dtype=np.float32), samples(2, 5, 4, dtype=np.float32)
    for first, second in [
        (a.astype(np.float64), b),
        (a, b[:-1]),
        (a[:, :4], b),
        (a, b.astype(">f4")),
        (a, b[:, ::2]),
        (a[0], b),
        (a, None),
    ]:
        assert own.matmul(out, first, second) is first
    rows = samples(3, 10, 20, dtype=np.float32)[::2, ::2]
    assert own.matmul(np.empty((5, 5), np.float32), rows, rows) is rows
    assert own.linear(out, a, np.ascontiguousarray(b.T), np.ones(3, np.float32)) is a
    assert (out == 7).all()


@pytest.mark.parametrize("rows", [1, 3, 40, 100])
def test_nan_and_infinity(rows):
    a, b = samples(1, rows, 300, dtype=np.float32), samples(2, 300, 70, dtype=np.float32)
    a[0, 7], b[9, 66], b[200, 3] = np.nan, np.inf, -np.inf
    own, out = blas.products(a.dtype), np.empty((rows, 70), np.float32)
    for right in (b, np.asfortranarray(b)):
        own.matmul(out, a, right)
        assert np.isnan(out[0]).all()
        special = {3, 66} if rows > 1 else set()
        assert not np.isfinite(out[1:, sorted(special)]).any()
        assert np.isfinite(out[1:, [j for j in range(70) if j not in special]]).all()
    relu = np.empty_like(out)
    own.linear_relu(relu, a, np.ascontiguousarray(b.T), None)
    assert np.isnan(relu[0]).all()


def test_result_does_not_depend_on_threads():
    own, before = blas.products(DTYPES[0]), threads.count()
    try:
        for m, k, n in [(300, 700, 500), (32, 784, 256), (1, 900, 3000), (5, 300, 7000), (700, 64, 700)]:
            a, b = samples(1, m, k, dtype=np.float32), samples(2, k, n, dtype=np.float32)
            for right in (b, np.asfortranarray(b)):
                results = []
                for count in (1, 2, 5):
                    threads.set_count(count)
                    results.append(own.matmul(np.empty((m, n), np.float32), a, right))
                assert all(np.array_equal(results[0], r) for r in results[1:])
    finally:
        threads.set_count(before)


def test_several_python_threads():
    own = blas.products(DTYPES[0])
    a, b = samples(1, 200, 300, dtype=np.float32), samples(2, 300, 400, dtype=np.float32)
    expected, wrong = own.matmul(np.empty((200, 400), np.float32), a, b), []

    def work():
        for _ in range(20):
            if not np.array_equal(own.matmul(np.empty((200, 400), np.float32), a, b), expected):
                wrong.append(1)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@pytest.mark.parametrize("k", [1, 20, 192, 193, 300, 383, 384, 500])
def test_the_order_of_sums_is_pytorchs(k):
    """One fused chain after the other, each over a part of k (float64 holds a product of float32 whole)."""
    a, b, bias = (samples(i, *shape, dtype=DTYPES[0]) for i, shape in enumerate(((40, k), (k, 33), (33,))))
    part = k if k <= 192 else k // 2 if k < 384 else 192
    parts = []
    for start in range(0, k, part):
        total = np.zeros((40, 33), np.float32)
        for i in range(start, min(start + part, k)):
            total = (np.outer(a[:, i].astype(np.float64), b[i].astype(np.float64)) + total).astype(np.float32)
        parts.append(total)
    plain, biased = parts[0], parts[0] + bias
    for other in parts[1:]:
        plain, biased = plain + other, biased + other
    assert np.array_equal(matmul.matmul(a, b), plain)
    if k < 8 * len(a):  # otherwise few rows times long rows, another way
        assert np.array_equal(matmul.linear(a, b.T.copy(), bias), biased)


def test_relu_behind_a_product_is_that_of_the_kernel():
    x, weight = np.array([[1, np.nan], [-0.0, 0.0], [2, -3]], np.float32), np.eye(2, dtype=np.float32)
    for shape in ((3, 2), (3, 1, 2)):
        result = matmul.linear_relu(x.reshape(shape), weight, None)
        assert result.tobytes() == activation.relu(matmul.linear(x.reshape(shape), weight, None)).tobytes() and result.shape == shape


def test_no_memory_order_is_left_to_numpy(monkeypatch):
    """The threads of NumPy's BLAS spin after a product and slow down what follows."""
    monkeypatch.setattr(matmul, "by_numpy", None)
    x, weight = samples(1, 6, 5, 8, dtype=DTYPES[0]), samples(2, 8, 14, dtype=DTYPES[0])[:, ::2].T
    for turned in (x.swapaxes(0, 1), x[:, :, ::-1], x[::2], x[..., ::2], np.broadcast_to(x[:1, :1, :1], x.shape)):
        w = weight[:, : turned.shape[-1]]
        near(matmul.linear(turned, w, None), turned @ w.T, 8)
        near(matmul.matmul(turned, w.T), turned @ w.T, 8)
        near(matmul.matmul(turned, turned.swapaxes(-1, -2)), turned @ turned.swapaxes(-1, -2), 8)
        near(matmul.dot(turned[0], w.T), turned[0] @ w.T, 8)
        grad = turned @ w.T
        flat = grad.reshape(-1, 7), turned.reshape(-1, turned.shape[-1])
        near(matmul.linear_weight_gradient(grad, turned), flat[0].T @ flat[1], 30)


BOUNDED = """
import numpy as np
from flambeau.kernels import blas
from flambeau.kernels.compiler import threads

get, _ = blas.blas_threads()
before, seen = get(), []

def product(a, b):
    seen.append(get())
    return a @ b

threads.set_count(1)
assert blas.by_numpy(product, np.eye(2), np.eye(2)).tolist() == [[1, 0], [0, 1]]
threads.set_count(2)
blas.by_numpy(product, np.eye(2), np.eye(2))
assert seen == [1, before] and get() == before, (seen, before)
"""


@pytest.mark.skipif(blas.blas_threads() is None, reason="no OpenBLAS inside NumPy")
def test_products_by_numpy_are_bounded_too():
    """In a process of two threads: the tests themselves run with one."""
    run_python("-c", BOUNDED, OMP_NUM_THREADS="2")


# --- attention ------------------------------------------------------------------------------------------------------------


def whole(q, k, v, mask, scale, grad, noise=1.0):
    """Attention and its gradients in float64, by the matrix of all scores."""
    q, k, v, grad = (x.astype(np.float64) for x in (q, k, v, grad))
    scores = q @ k.swapaxes(-1, -2) * scale
    if mask is not None:
        mask = mask.array() if isinstance(mask, attention.Causal) else mask
        scores = np.where(mask, scores, -np.inf) if mask.dtype == np.bool_ else scores + mask
    peak = scores.max(-1, keepdims=True)
    e = np.exp(scores - np.where(np.isneginf(peak), 0, peak))
    total = e.sum(-1, keepdims=True)
    p = e / np.where(total == 0, 1, total)
    grad_p = grad @ v.swapaxes(-1, -2) * noise
    grad_scores = p * (grad_p - (p * grad_p).sum(-1, keepdims=True)) * scale
    return (p * noise) @ v, grad_scores @ k, grad_scores.swapaxes(-1, -2) @ q, (p * noise).swapaxes(-1, -2) @ grad


LENGTHS = st.one_of(st.integers(1, 8), st.sampled_from([15, 16, 17, 31, 32, 33, 64, 100, 129]))


@settings(max_examples=50, deadline=None)
@given(st.sampled_from([(), (2,), (2, 3)]), LENGTHS, LENGTHS, st.integers(1, 70), st.integers(1, 70), st.sampled_from(DTYPES),
       st.sampled_from(["none", "causal", "bool", "per key", "per query", "all"]), st.booleans())  # fmt: skip
def test_attention(batch, length, keys, inner, outer, dtype, kind, permuted):
    q, k, v, grad = (
        samples(i, *batch, *size, dtype=dtype) for i, size in enumerate(((length, inner), (keys, inner), (keys, outer), (length, outer)))
    )
    if permuted:
        q, k = np.asfortranarray(q), np.ascontiguousarray(k.swapaxes(0, -2)).swapaxes(0, -2)
    random = np.random.RandomState(9)
    mask = {
        "none": None,
        "causal": attention.Causal(length, keys),
        "bool": random.rand(length, keys) > 0.4,
        "per key": random.randn(*batch, 1, keys).astype(dtype),
        "per query": random.randn(length, 1).astype(dtype),
        "all": random.randn(*batch, length, keys).astype(dtype),
    }[kind]
    scale = inner**-0.5
    out, stats, kept = attention.attention(q, k, v, mask, 0.0, scale)
    assert stats.shape == (*batch, length, 2, 1)
    gradients = attention.attention_backward(grad, q, k, v, out, stats, kept, 0.0, scale, mask)
    tolerance = 3e-5 if dtype == np.float32 else 1e-12
    for result, expected in zip((out, *gradients), whole(q, k, v, mask, scale, grad)):
        np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("causal", [False, True])
def test_attention_with_dropout(causal):
    q, k, v, grad = (samples(i, 2, 3, 50, 16, dtype=np.float32) for i in range(4))
    mask = attention.Causal(50, 50) if causal else None
    out, stats, kept = attention.attention(q, k, v, mask, 0.25, 0.25)
    assert 0.6 < kept.mean() < 0.9
    gradients = attention.attention_backward(grad, q, k, v, out, stats, kept, 0.25, 0.25, mask)
    for result, expected in zip((out, *gradients), whole(q, k, v, mask, 0.25, grad, kept / 0.75)):
        np.testing.assert_allclose(result, expected, rtol=3e-5, atol=3e-5)


def test_attention_by_long_rows_and_threads():
    q, k, v = (samples(i, 1, 1100, 32, dtype=np.float32) for i in range(3))
    before, results = threads.count(), []
    try:
        for count in (1, 3):
            threads.set_count(count)
            results.append(attention.attention(q, k, v, attention.Causal(1100, 1100), 0.0, 0.2)[0])
    finally:
        threads.set_count(before)
    assert np.array_equal(*results)
    np.testing.assert_allclose(results[0], whole(q, k, v, attention.Causal(1100, 1100), 0.2, q)[0], rtol=3e-5, atol=3e-5)


@pytest.mark.parametrize("batch", [(1,), (1, 1)])
def test_attention_passes_nan_on(batch):
    q, k, v = (samples(i, *batch, 40, 8, dtype=np.float32) for i in range(3))
    q[..., 1, 0] = np.nan
    out = attention.attention(q, k, v, None, 0.0, 0.3)[0]
    assert np.isnan(out[..., 1, :]).all() and np.isfinite(np.delete(out, 1, -2)).all()


def test_tensors_without_memory_stay_so():
    x, weight = (torch.empty(rows, 100_000, device="meta", requires_grad=True) for rows in (300_000, 200_000))
    result = torch.nn.functional.linear(x, weight)
    assert result.shape == (x @ weight.T).shape == (300_000, 200_000)
    result.backward(torch.empty_like(result))
    assert weight.grad.shape == weight.shape and weight.grad.is_meta
    q = torch.empty(2, 4, 100_000, 64, device="meta", requires_grad=True)
    result = torch.nn.functional.scaled_dot_product_attention(q, q, q, is_causal=True)
    result.backward(torch.empty_like(result))
    assert result.shape == q.grad.shape == q.shape and q.grad.is_meta
