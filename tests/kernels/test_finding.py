"""Loops over bytes and whole numbers, against NumPy and Python."""

import numpy as np
import pytest

import flambeau
from flambeau.kernels import division, embedding, memory, placing, reduction, scattering, sorting, special
from flambeau.kernels.compiler import usable

pytestmark = pytest.mark.skipif(not usable(), reason="no compiler here")


@pytest.mark.parametrize("shape", [(1,), (50,), (7, 11), (3, 1), (1, 9), (4, 5, 6), (2, 3, 4, 5), (0, 3), (3, 0)])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_nonzero(shape, share):
    mask = np.random.default_rng(0).random(shape) < share
    np.testing.assert_array_equal(scattering.argwhere(mask), np.argwhere(mask))
    numbers = mask.astype(np.float32) * 2
    np.testing.assert_array_equal(scattering.argwhere(numbers.T), np.argwhere(numbers.T))


@pytest.mark.parametrize("bins, n", [(1, 300), (10, 5001), (1024, 70_000), (1025, 70_000), (5000, 9000)])
def test_bincount(bins, n):
    generator = np.random.default_rng(bins)
    x = generator.integers(0, bins, n)
    np.testing.assert_array_equal(sorting.bincount(x, None, 0), np.bincount(x))
    np.testing.assert_array_equal(sorting.bincount(x, None, bins + 7), np.bincount(x, minlength=bins + 7))
    for dtype in (np.float32, np.float64):
        weights = generator.integers(-5, 5, n).astype(dtype)
        found = sorting.bincount(x, weights, 0)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, np.bincount(x, weights))


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.int16, np.float16, np.int32, np.float32, np.int64, np.float64, np.complex128])
@pytest.mark.parametrize("value", [0, 1])
def test_fill(dtype, value):
    x = np.full(memory.LARGE + 3, 2, dtype)
    memory.fill(x[1:-1], value)
    assert (x[1:-1] == value).all()
    assert x[0] == x[-1] == dtype(2)


def test_fill_keeps_the_sign_of_zero():
    x = np.ones(memory.LARGE, np.float32)
    memory.fill(x, -0.0)
    assert np.signbit(x).all()


@pytest.mark.parametrize("times", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.float32, np.int64])
def test_repeat_each(dtype, times):
    x = np.random.default_rng(1).integers(-9, 9, (30, 40)).astype(dtype)
    np.testing.assert_array_equal(placing.repeat_each(x, times), np.repeat(x, times, 1))


EDGES = [-(2**63), -(2**63) + 1, -(2**53) - 1, -(2**31), -(2**31) + 1, -7, -1, 0, 1, 6, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1]


@pytest.mark.parametrize("far", [False, True])
@pytest.mark.parametrize("divisor", [None, 1, -1, 3, -3, 2**31 - 1, -(2**31), 2**40 + 1])
def test_quotients_of_integers(far, divisor):
    generator = np.random.default_rng(2)
    size = memory.LARGE + 5
    x = generator.choice([e for e in EDGES if far or abs(e) < 2**31], size)
    y = generator.choice([e for e in EDGES if e and (far or abs(e) < 2**31)], size) if divisor is None else divisor
    pairs = list(zip(x.tolist(), y.tolist() if divisor is None else [y] * size))
    wrapped = [(a // b + 2**63) % 2**64 - 2**63 for a, b in pairs]
    cut = [(abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1) + 2**63) % 2**64 - 2**63 for a, b in pairs]
    assert division.floor_divide(x, y).tolist() == wrapped
    assert division.trunc_divide(x, y).tolist() == cut
    assert division.remainder(x, y).tolist() == [a % b for a, b in pairs]
    assert division.fmod(x, y).tolist() == [(abs(a) % abs(b)) * (-1 if a < 0 else 1) for a, b in pairs]


def test_division_by_zero_is_refused():
    x = np.ones(memory.LARGE, np.int64)
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        division.remainder(x, 0)
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        division.floor_divide(x, np.zeros_like(x))


def test_equal_of_large_tensors():
    x = flambeau.arange(100_000)
    y = x.clone()
    assert flambeau.equal(x, y)
    y[-1] = 0
    assert not flambeau.equal(x, y)
    z = x.clone()
    z[0] = 5
    assert not flambeau.equal(x, z)


@pytest.mark.parametrize("padding", [-1, 2])
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags(mode, padding):
    generator = np.random.default_rng(3)
    table = generator.standard_normal((6, 5)).astype(np.float32)
    indices, offsets = generator.integers(0, 6, 20), np.array([0, 3, 3, 9])
    found = embedding.bag(table, indices, offsets, 4, mode, None, padding)
    for b, (start, stop) in enumerate(zip([0, 3, 3, 9], [3, 3, 9, 20])):
        rows = [i for i in indices[start:stop] if i != padding]
        reduce = {"sum": np.sum, "mean": np.mean, "max": np.max}[mode]
        wanted = reduce(table[rows], axis=0) if rows else np.zeros(5)
        np.testing.assert_allclose(found[0][b], wanted, rtol=1e-6)
        assert found[2][b] == len(rows)
        if mode == "max" and rows:
            np.testing.assert_array_equal(table[found[3][b], range(5)], wanted)


@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3, 37, 64, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int32])
def test_search(dtype, n, right):
    generator = np.random.default_rng(n)
    sequences = np.sort((generator.standard_normal((5, n)) * 9).astype(dtype), 1)
    values = (generator.standard_normal((5, 43)) * 9).astype(dtype)
    side = "right" if right else "left"
    wanted = [np.searchsorted(s, v, side) for s, v in zip(sequences, values)]
    np.testing.assert_array_equal(sorting.searchsorted(sequences, values, right), wanted)
    np.testing.assert_array_equal(sorting.searchsorted(sequences[0], values, right), np.searchsorted(sequences[0], values, side))


def test_search_puts_nan_at_the_end():
    values = np.array([1.0, np.nan, np.inf], np.float32)
    assert sorting.searchsorted(np.array([0.0, 1.0, 2.0], np.float32), values, False).tolist() == [1, 3, 3]


@pytest.mark.parametrize("n", [64, 65, 200, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extremes_of_long_rows(dtype, n):
    x = np.random.default_rng(n).standard_normal((70_000 // n + 1, n)).astype(dtype)
    x[3, n - 1] = np.nan
    x[4, 0] = np.nan
    x[5] = -np.inf
    np.testing.assert_array_equal(reduction.maximum(x, (1,), False), x.max(1))
    np.testing.assert_array_equal(reduction.minimum(x, 1, True), x.min(1, keepdims=True))


@pytest.mark.parametrize("function", ["xlogy", "entr"])
def test_the_logarithm_is_rounded_before_the_product(function):
    x = np.random.default_rng(4).random(3000).astype(np.float32)
    x[:3] = 0, np.inf, np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        log = np.log(x.astype(np.float64)).astype(np.float32)
        wanted = -x * log if function == "entr" else x * log
    wanted[0] = 0
    found = special.entr(x) if function == "entr" else special.xlogy(x, x)
    np.testing.assert_array_max_ulp(found[3:], wanted[3:], 1)
    np.testing.assert_array_equal(found[:3], wanted[:3])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(5,), (3, 100), (2, 33, 7), (4, 5, 70)])
def test_products(shape, dtype):
    x = np.random.default_rng(6).random(shape).astype(dtype) + dtype(0.5)
    for axes in (None, *[(axis,) for axis in range(x.ndim)]):
        np.testing.assert_allclose(reduction.prod(x, axes), np.multiply.reduce(x, axes), rtol=1e-5 if dtype is np.float32 else 1e-13)
