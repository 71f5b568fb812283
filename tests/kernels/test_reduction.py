"""Compiled reductions: over any dimensions of any order, precise, and the same for every number of threads."""

import ml_dtypes
import numpy as np
import pytest

from flambeau.kernels import reduction as k
from flambeau.kernels.compiler import threads, usable
from flambeau.kernels.library import reduction as library
from flambeau.kernels.quiet import quiet


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch):
    """Arrays of some thousand elements take the way of large ones."""
    monkeypatch.setattr(k, "LARGE", 1000)


pytestmark = pytest.mark.skipif(not usable(), reason="kernels are not compiled here")

DTYPES = [np.dtype(t) for t in (np.float32, np.float64, np.float16, ml_dtypes.bfloat16)]
CASES = [
    ((300, 200), None),
    ((300, 200), (0,)),
    ((300, 200), (1,)),
    ((300, 200), (-1,)),
    ((70000,), None),
    ((3, 40000), (1,)),
    ((40001, 3), (0,)),
    ((40, 50, 60), (1,)),
    ((40, 50, 60), (0, 2)),
    ((40, 50, 60), (0, 1)),
    ((40, 50, 60), (2,)),
    ((32, 1, 64, 30), (0, 3)),
    ((2, 70000), (0,)),
    ((33000, 2), (1,)),
    ((5, 9000, 20), (1,)),
    ((4001, 20), (0,)),
    ((1025, 1030), (0,)),
    ((1025, 1030), (1,)),
    ((1, 40000), (0,)),
]
ORDERS = ["rows", "columns", "gaps"]


def laid_out(x, order):
    if order == "rows":
        return x
    if order == "columns":
        return np.asfortranarray(x)
    return np.repeat(x, 2, -1)[..., ::2]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape,axes", CASES, ids=str)
@quiet
def test_against_longer_numbers(shape, axes, dtype, order):
    x = laid_out(np.random.default_rng(0).standard_normal(shape).astype(dtype), order)
    wide = x.astype(np.longdouble)
    eps = float(ml_dtypes.finfo(dtype).eps)
    for keepdims in (False, True):
        total = np.sum(wide, axes, keepdims=keepdims)
        sizes = np.sum(abs(wide), axes, keepdims=keepdims)
        count = x.size // max(total.size, 1)

        def close(name, ours, theirs, scale):
            ours = np.asarray(ours)
            assert ours.shape == theirs.shape, name
            assert ours.dtype == dtype or name == "var" and ours.dtype == np.float64, name
            assert (abs(ours.astype(np.longdouble) - theirs) <= scale).all(), name

        half_ulp, sums = eps * abs(total), 12 * float(np.finfo(np.float32 if dtype.itemsize < 8 else np.float64).eps) * sizes
        close("sum", k.sum(x, axes, keepdims), total, half_ulp + sums)
        close("mean", k.mean(x, axes, keepdims, count), total / count, (half_ulp + sums) / count)
        close("maximum", k.maximum(x, axes, keepdims), np.max(wide, axes, keepdims=keepdims), 0)
        close("minimum", k.minimum(x, axes, keepdims), np.min(wide, axes, keepdims=keepdims), 0)
        spread = np.var(wide, axes, keepdims=keepdims)
        close("var", k.var(x, axes, keepdims, count, 0)[0], spread, (4 * eps if dtype.itemsize > 2 else 1e-5) * (spread + 1))
        length = np.sqrt(np.sum(wide * wide, axes, keepdims=keepdims))
        close("norm", k.norm(x, 2, axes, keepdims), length, 8 * eps * length)
        close("norm 1", k.norm(x, 1, axes, keepdims), sizes, 8 * eps * sizes)
        close("norm inf", k.norm(x, np.inf, axes, keepdims), np.max(abs(wide), axes, keepdims=keepdims), 0)
        peak = np.max(wide, axes, keepdims=True)
        expected = (np.log(np.sum(np.exp(wide - peak), axes, keepdims=True)) + peak).reshape(total.shape)
        close("logsumexp", k.logsumexp(x, axes, keepdims), expected, 8 * eps * (1 + abs(expected)))


@pytest.mark.parametrize("dtype", DTYPES[:2], ids=str)
@quiet
def test_thread_count_changes_nothing(dtype):
    x = np.random.default_rng(0).standard_normal((1100, 1300)).astype(dtype)
    results, before = [], threads.count()
    for count in (1, 2, 5):
        threads.set_count(count)
        results.append([np.asarray(f(y, axes)).tobytes() for f in (k.sum, k.maximum) for axes in ((0,), (1,)) for y in (x, x.T)])
        results[-1].append(np.asarray(k.maximum(x)).tobytes())
    threads.set_count(before)
    assert results[0] == results[1] == results[2]


@quiet
def test_not_a_number_and_infinities():
    x = np.random.default_rng(0).standard_normal((300, 200)).astype(np.float32)
    x[3, 5], x[4, 6] = np.nan, np.inf
    assert np.isnan(k.maximum(x)) and np.isnan(k.sum(x)) and np.isnan(k.norm(x, np.inf, None, False))
    for f in (k.sum, k.maximum, k.minimum):
        assert np.isnan(f(x, (0,))[5]) and np.isnan(f(x, (1,))[3]) and not np.isnan(f(x, (1,))[4])
    assert k.maximum(x, (1,))[4] == np.inf == k.sum(x, (0,))[6]
    x = np.full((300, 200), -np.inf, np.float32)
    assert (k.logsumexp(x, (1,), False) == -np.inf).all()
    x[:, 3] = np.inf
    assert (k.logsumexp(x, (0,), False)[3] == np.inf) and (k.logsumexp(x, (1,), False) == np.inf).all()


@quiet
def test_many_equal_numbers_add_up():
    x = np.full(1 << 22, np.float32(0.1))
    before = threads.count()
    threads.set_count(2)
    total = k.sum(x) if usable() else None
    threads.set_count(before)
    assert total is None or float(total) == 419430.46875  # what PyTorch's order gives
    assert abs(float(k.norm(x.reshape(-1, 4), 1, (0,), False)[1]) - 0.1 * (1 << 20)) < 0.01
    assert float(k.sum(x.reshape(-1, 4), (0,))[1]) == 104857.5078125  # what PyTorch's order gives


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@quiet
def test_places_of_extremes(dtype):
    x = np.random.default_rng(0).standard_normal((60, 50, 40)).astype(dtype)
    x[3, 5, 7:9] = np.nan
    x[4, 6] = 0
    x[5, 7] = np.inf
    x[5, 8] = -np.inf
    wide = x.astype(np.float64)
    for y, z in ((x, wide), (x.T, wide.T), (x[:, ::2], wide[:, ::2])):
        for axis in (0, 1, 2, -1):
            for keepdims in (False, True):
                for name in ("argmax", "argmin"):
                    ours, theirs = getattr(k, name)(y, axis, keepdims), getattr(z, name)(axis, keepdims=keepdims)
                    assert ours.dtype == np.int64 and ours.shape == theirs.shape and (ours == theirs).all()


LISTS = [((3,), (200, 300), (), (0, 4), (40000,), (70, 5, 3)), ((5,),), ((0,), (0, 3)), ((1 << 20,), (7,))]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shapes", LISTS)
@pytest.mark.parametrize("compiled", [True, False])
def test_squares_of_many_arrays(compiled, shapes, dtype, monkeypatch):
    random = np.random.RandomState(0)
    arrays = [np.asarray(random.standard_normal(shape), dtype) for shape in shapes]
    exact = sum(float(np.sum(a.astype(np.longdouble) ** 2)) for a in arrays)
    if not compiled:
        monkeypatch.setattr(k, "usable", lambda: False)
    assert k.square_sum(arrays) == pytest.approx(exact, rel=1e-14 if compiled or dtype == np.float64 else 1e-6)


def test_squares_do_not_depend_on_the_threads():
    random = np.random.RandomState(0)
    arrays = [random.standard_normal(size).astype(np.float32) for size in (100003, 5, 70001)]
    before = threads.count()
    sums = []
    for count in (1, 2, 4):
        threads.set_count(count)
        sums.append([k.square_sum(arrays) for _ in range(20)])
    threads.set_count(before)
    assert len({x for some in sums for x in some}) == 1


def test_squares_in_any_memory_order():
    wide = np.arange(24, dtype=np.float32).reshape(4, 6)
    assert k.square_sum([wide.T, wide[:, ::2], np.broadcast_to(wide[0], (3, 6))]) == float(
        (wide**2).sum() + (wide[:, ::2] ** 2).sum() + 165
    )
    assert k.square_sum([wide, np.ones(3)]) is None and k.square_sum([np.ones(3, np.float16)]) is None


def test_lists_that_are_no_arrays_of_one_dtype_are_not_summed():
    good = np.ones(3, np.float32)
    for bad in (np.ones((3, 4), np.float32).T, np.ones(3), np.ones(6, np.float32)[::2], 3.0, None):
        assert library.squares_of_all([good, bad]) is None
    assert library.squares_of_all([np.ones(3, np.float16)]) is None
    locked = np.ones(5, np.float32)
    locked.flags.writeable = False  # it is only read
    assert library.squares_of_all([good, locked]) == 8.0


@pytest.mark.parametrize("shape", [(1000, 10), (64, 512), (300, 200), (3, 9000), (2, 4097), (8193, 1)])
def test_rows_are_summed_in_blocks(shape):
    x = np.random.RandomState(0).standard_normal(shape).astype(np.float32)
    np.testing.assert_allclose(k.sum_rows(x, False), x.astype(np.float64).sum(0), rtol=1e-4, atol=1e-4)
    assert k.sum_rows(x, True).shape == (1, shape[1])
