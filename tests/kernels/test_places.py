"""Gathering and scattering: the compiled kernels against plain loops, and for every number of threads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flambeau.kernels import places
from flambeau.kernels.compiler import threads, usable

pytestmark = pytest.mark.skipif(not usable(), reason="kernels are not compiled here")

DTYPES = st.sampled_from([np.dtype(t) for t in (np.float32, np.float64, np.int64, np.int32, np.int16, np.int8, np.uint8)])
SHAPES = st.lists(st.sampled_from([1, 2, 3, 7, 20]), min_size=1, max_size=3).map(tuple)
SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module", autouse=True)
def all_are_many():
    with pytest.MonkeyPatch.context() as m:
        m.setattr(places, "MANY", 0)
        yield


def made(shape, dtype, dim, count, seed):
    random = np.random.default_rng(seed)
    dim %= len(shape)
    x = (random.standard_normal(shape) * 9).astype(dtype)
    index_shape = (*shape[:dim], count, *shape[dim + 1 :])
    index = random.integers(0, shape[dim], index_shape)
    return x, dim, index, (random.standard_normal(index_shape) * 9).astype(dtype), random.integers(0, shape[dim], count)


@settings(max_examples=100, deadline=None)
@given(SHAPES, DTYPES, st.integers(0, 2), st.integers(1, 30), SEEDS)
def test_reading(shape, dtype, dim, count, seed):
    x, dim, index, _, line = made(shape, dtype, dim, count, seed)
    np.testing.assert_array_equal(places.gather(x, dim, index), np.take_along_axis(x, index, dim))
    np.testing.assert_array_equal(places.take(x, dim, line, False), x.take(line, dim))
    from_the_end = np.where(line % 2 == 0, line - shape[dim], line)
    np.testing.assert_array_equal(places.take(x, dim, from_the_end, True), x.take(line, dim))
    np.testing.assert_array_equal(places.take(x, dim, line[None, ::-1], False), x.take(line[None, ::-1], dim))


@settings(max_examples=100, deadline=None)
@given(SHAPES, DTYPES, st.integers(0, 2), st.integers(1, 30), SEEDS)
def test_writing(shape, dtype, dim, count, seed):
    x, dim, index, source, line = made(shape, dtype, dim, count, seed)
    written, added, rows = x.copy(), x.copy(), x.copy()
    for at in np.ndindex(index.shape):
        place = (*at[:dim], index[at], *at[dim + 1 :])
        written[place] = source[at]
        with np.errstate(over="ignore"):
            added[place] += source[at]
    with np.errstate(over="ignore"):
        for i, place in enumerate(line):
            rows.swapaxes(0, dim)[place] += source.swapaxes(0, dim)[i]
    copied = x.copy()
    copied.swapaxes(0, dim)[line] = source.swapaxes(0, dim)
    ours = x.copy()
    assert places.put_rows(ours, dim, line - x.shape[dim], source)
    np.testing.assert_array_equal(ours, copied)
    ours = x.copy()
    assert places.scatter(ours, dim, index, source, False)
    np.testing.assert_array_equal(ours, written)
    ours = x.copy()
    assert places.scatter(ours, dim, index, source, True)
    np.testing.assert_array_equal(ours, added)
    for wrap in (False, True):
        ours = x.copy()
        assert places.add_rows(ours, dim, line - shape[dim] if wrap else line, source, wrap)
        np.testing.assert_array_equal(ours, rows)


def test_skipped_rows_are_left_out():
    table = np.zeros((4, 3), np.float32)
    assert places.add_rows(table, 0, np.array([1, 2, 1, 3]), np.ones((4, 3), np.float32), False, skip=1)
    np.testing.assert_array_equal(table[:, 0], [0, 0, 1, 1])


@pytest.mark.parametrize("bad", [-1, 5, 2**40])
def test_nothing_is_done_where_an_index_is_out_of_range(bad):
    x = np.arange(10.0).reshape(5, 2)
    index = np.array([[0, 1], [bad, 0]])
    with pytest.raises(IndexError):
        places.gather(x, 0, index)
    with pytest.raises(IndexError):
        places.take(x, 0, index, False)
    for add in (False, True):
        with pytest.raises(IndexError):
            places.scatter(x, 0, index, np.ones((2, 2)), add)
    with pytest.raises(IndexError):
        places.add_rows(x, 0, index[:, 0], np.ones((2, 2)), False)
    np.testing.assert_array_equal(x, np.arange(10.0).reshape(5, 2))


def test_arrays_that_the_kernels_do_not_take():
    x, index = np.zeros((4, 6)), np.zeros((4, 6), np.int64)
    assert places.gather(x.T, 0, index.T) is None
    assert places.gather(x, 0, index.astype(np.int32)) is None
    assert places.gather(x, 0, index[:, :3]) is None
    assert places.gather(x.astype(complex), 0, index) is None
    assert places.take(x[:, ::2], 0, index, False) is None
    assert not places.scatter(x, 0, index, np.zeros((4, 6), np.float32), False)


@pytest.mark.parametrize("shape", [(200_000,), (1000, 300), (2, 3, 50_000)])
def test_sums_are_the_same_for_every_number_of_threads(shape):
    x, dim, index, source, line = made(shape, np.float32, -1, shape[-1], 0)
    results = []
    before = threads.count()
    try:
        for n in (1, 2, 4):
            threads.set_count(n)
            a, b = x.copy(), x.copy()
            places.scatter(a, dim, index, source, True)
            places.add_rows(b, dim, line, source, False)
            results.append((a, b, places.gather(x, dim, index), places.take(x, dim, line, False)))
    finally:
        threads.set_count(before)
    for other in results[1:]:
        for a, b in zip(results[0], other):
            np.testing.assert_array_equal(a, b)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 6), st.lists(st.integers(0, 5), min_size=1, max_size=9), SEEDS)
def test_bags(rows, width, sizes, seed):
    random = np.random.default_rng(seed)
    if not sum(sizes):
        return
    table, index = random.standard_normal((rows, width)), random.integers(0, rows, sum(sizes))
    starts = np.cumsum([0, *sizes[:-1]])
    ours = places.bags(table, index, starts, 0)
    for row, start, size in zip(ours, starts, sizes):
        kept = index[start : start + size]
        np.testing.assert_allclose(row, table[kept[kept != 0]].sum(0), rtol=1e-12, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(SHAPES, DTYPES, SEEDS)
def test_reverse(shape, dtype, seed):
    x = (np.random.default_rng(seed).standard_normal(shape) * 9).astype(dtype)
    np.testing.assert_array_equal(places.reverse(x), x[..., ::-1])


@settings(max_examples=60, deadline=None)
@given(st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)), DTYPES, st.integers(-12, 12), SEEDS)
def test_triangle(shape, dtype, diagonal, seed):
    x = (np.random.default_rng(seed).standard_normal(shape) * 9).astype(dtype)
    np.testing.assert_array_equal(places.triangle(x, diagonal, True), np.tril(x, diagonal))
    np.testing.assert_array_equal(places.triangle(x, diagonal, False), np.triu(x, diagonal))
