"""Rows in order and their first elements: machine code against NumPy's stable order and the steps in Python."""

import ml_dtypes
import numpy as np
import pytest

from flambeau.kernels import sorting
from flambeau.kernels.compiler import usable
from flambeau.kernels.selection import top_order

DTYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.int64, np.int32, np.int16, np.int8, np.uint8, np.bool_]

pytestmark = pytest.mark.skipif(not usable(), reason="no compiler here")


def rows_of(dtype, n, seed):
    """Three rows: with ties, without, and far apart; NaN and infinities where there are such."""
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((3, n)) * 10
    x[0] = np.round(x[0])
    x[2] *= 2.0**40 if np.dtype(dtype).itemsize == 8 else 3
    kind = np.dtype(dtype).kind
    if kind in "fV":
        x[1, generator.random(n) < 0.1] = np.nan
        x[2, generator.random(n) < 0.1] = -np.inf
        x[0, generator.random(n) < 0.1] = -0.0
        return x.astype(dtype)
    return (np.abs(x) % 200 if kind in "ub" else x % 100 if np.dtype(dtype).itemsize == 1 else x).astype(np.int64).astype(dtype)


def stable_order(x, descending):
    """Indices by Python's sort, NaN the largest."""
    keys = [(v != v, 0 if v != v else v) for v in x.astype(np.float64 if x.dtype.kind in "fV" else np.int64).tolist()]
    return sorted(range(len(keys)), key=keys.__getitem__, reverse=descending)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("n", [1, 2, 16, 17, 79, 81, 191, 193, 700])
@pytest.mark.parametrize("dtype", DTYPES)
def test_sort_is_stable(dtype, n, descending):
    x = rows_of(dtype, n, n)
    values, indices = sorting.sort(x, 1, descending)
    for row, found, places in zip(x, values, indices):
        assert places.tolist() == stable_order(row, descending)
        assert found.tobytes() == row[places].tobytes()


@pytest.mark.parametrize("axis", [0, 1])
def test_sort_along_another_axis(axis):
    x = rows_of(np.float32, 50, 1).reshape(3, 10, 5)
    values, indices = sorting.sort(x, axis, False)
    np.testing.assert_array_equal(indices, np.argsort(x, axis, kind="stable"))
    assert values.flags.c_contiguous and indices.flags.c_contiguous


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("n, count", [(1, 1), (2, 1), (10, 3), (10, 10), (63, 1), (64, 1), (300, 4), (300, 5), (300, 150), (700, 690)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_topk_leaves_equal_elements_as_the_library_does(dtype, n, count, largest):
    x = rows_of(dtype, n, n + count)
    values, indices = sorting.topk(x, count, 1, largest)
    for row, found, places in zip(x, values, indices):
        keys = row.view(np.uint8) if row.dtype.kind == "b" else row.astype(np.float64) if row.dtype.kind in "fV" else row
        assert places.tolist() == top_order(sorting._ranks(keys, largest), count)
        assert found.tobytes() == row[places].tobytes()


def test_many_threads_sort_their_own_rows():
    x = np.random.default_rng(3).standard_normal((64, 2000)).astype(np.float32)
    values, indices = sorting.sort(x, 1, False)
    np.testing.assert_array_equal(indices, np.argsort(x, 1, kind="stable"))
    values, indices = sorting.topk(x, 5, 1, True)
    np.testing.assert_array_equal(values, np.sort(x, 1)[:, :-6:-1])
