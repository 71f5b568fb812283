"""Sparse arrays by coordinates: looking values up, products, sums and softmax over what is stored."""

from typing import Any, Sequence

import numpy as np

from ..core.sparse import I64, CooArray, Sparse, flat_places, sum_groups
from .embedding import add_rows
from .quiet import quiet

ndarray = np.ndarray


def from_dense(x: ndarray, sparse_dim: int) -> CooArray:
    """The rows of a dense array, over its first `sparse_dim` dims, that are not zero throughout."""
    if not x.ndim:
        return CooArray(np.zeros((0, int(x != 0)), I64), x.reshape(1)[: int(x != 0)].copy(), (), True)
    mask = (x != 0).any(tuple(range(sparse_dim, x.ndim))) if sparse_dim < x.ndim else x != 0
    places = mask.nonzero()
    return CooArray(np.array(places, I64).reshape(sparse_dim, -1), x[places], x.shape, True)


def first_of_places(x: CooArray) -> tuple[ndarray, ndarray]:
    """The places of an array, each once and in order, and where each comes first."""
    _, first = np.unique(x.keys(), return_index=True)
    return x.indices[:, first], first


def find(wanted: ndarray, array: CooArray) -> tuple[ndarray, ndarray]:
    """For each of the keys: where it stands in a coalesced array, and whether it does."""
    keys = array.keys()
    if not keys.size:
        return np.zeros(wanted.shape, I64), np.zeros(wanted.shape, bool)
    at = np.minimum(keys.searchsorted(wanted), keys.size - 1)
    return at, keys[at] == wanted


def values_at(x: Any, indices: ndarray) -> ndarray:
    """The values, dense or zero if not stored, at coordinates (sparse dims, count)."""
    if isinstance(x, ndarray):
        flat_places(indices, x.shape)
        return x[tuple(indices)] if indices.shape[0] else np.broadcast_to(x, (indices.shape[1], *x.shape)).copy()
    if not isinstance(x, CooArray):
        return values_at(x.dense(), indices)
    if x.sparse_dim != indices.shape[0]:
        return values_at(x.dense(), indices)
    array = x.coalesce()
    at, found = find(flat_places(indices, x.shape), array)
    result = np.zeros((indices.shape[1], *array.values.shape[1:]), x.dtype)
    result[found] = array.values[at[found]]
    return result


@quiet
def times_dense(indices: ndarray, values: ndarray, dense: ndarray, rows: int) -> ndarray:
    """The product of a sparse matrix (rows, m), by coordinates (2, count) and values, with a dense one (m, k)."""
    if dense.dtype.kind in "fc" or dense.dtype.itemsize == 2:
        return add_rows(values[:, None] * dense[indices[1]], indices[0], rows)
    result = np.zeros((rows, dense.shape[1]), dense.dtype)
    np.add.at(result, indices[0], values[:, None] * dense[indices[1]])
    return result


def rows_times_dense(a: CooArray, dense: ndarray) -> tuple[ndarray, ndarray]:
    """The rows of a coalesced matrix that are not empty, and their products with a dense matrix."""
    rows, which = np.unique(a.indices[0], return_inverse=True)
    return rows, times_dense(np.stack([which.reshape(-1), a.indices[1]]), a.values, dense, len(rows))


@quiet
def joined_with_product(first: CooArray, a: CooArray, dense: ndarray, beta: Any, alpha: Any) -> CooArray:
    """What is stored of `first`, times `beta`, and behind it all elements of the rows of `alpha * (a @ dense)` that are not empty."""
    rows, part = rows_times_dense(a, dense)
    columns = np.arange(part.shape[1])
    places = np.stack([np.repeat(rows, len(columns)), np.tile(columns, len(rows))]).reshape(2, -1)
    values = np.concatenate([first.values * beta, (part * alpha).reshape(-1)]).astype(a.dtype)
    return CooArray(np.concatenate([first.indices, places], 1), values, first.shape, False)


@quiet
def products_at(a: ndarray, b: ndarray, indices: ndarray) -> ndarray:
    """The elements of `a @ b.T` at coordinates (2, count): sums of products of rows."""
    if a.dtype.itemsize == 2 and a.dtype.kind in "fV":
        wide = np.float32
        return np.einsum("ij,ij->i", a[indices[0]].astype(wide), b[indices[1]].astype(wide)).astype(a.dtype)
    return np.einsum("ij,ij->i", a[indices[0]], b[indices[1]])


@quiet
def product(a: CooArray, b: CooArray) -> CooArray:
    """The product of two sparse matrices: an element wherever a row and a column have a place in common."""
    a, b = a.coalesce(), b.coalesce()
    starts = np.searchsorted(b.indices[0], np.arange(b.shape[0] + 1))
    inner = a.indices[1]
    counts = starts[inner + 1] - starts[inner]
    left = np.repeat(np.arange(a.nnz), counts)
    offset = np.arange(left.size) - np.repeat(counts.cumsum() - counts, counts)
    right = starts[inner][left] + offset
    places = np.stack([a.indices[0][left], b.indices[1][right]])
    return CooArray(places, a.values[left] * b.values[right], (a.shape[0], b.shape[1])).coalesce()


def groups_along(indices: ndarray, shape: Sequence[int], dim: int) -> tuple[ndarray, int]:
    """The number of the line along `dim` that each place lies on, and how many lines there are."""
    rest = [d for d in range(indices.shape[0]) if d != dim]
    keys = flat_places(indices[rest], [shape[d] for d in rest])
    lines, which = np.unique(keys, return_inverse=True)
    return which.reshape(-1), lines.size


@quiet
def softmax(array: CooArray, dim: int, logarithm: bool) -> ndarray:
    """The values of softmax (or its logarithm) along a dim, where what is not stored counts as minus infinity."""
    values = array.values
    if dim >= array.sparse_dim:
        axis = dim - array.sparse_dim + 1
        shifted = values - values.max(axis, keepdims=True) if values.size else values
        sums = np.exp(shifted).sum(axis, keepdims=True)
        return shifted - np.log(sums) if logarithm else np.exp(shifted) / sums
    which, count = groups_along(array.indices, array.shape, dim)
    largest = np.full((count, *values.shape[1:]), -np.inf, values.dtype)
    np.maximum.at(largest, which, values)
    shifted = values - largest[which]
    powers = np.exp(shifted)
    sums = np.zeros((count, *values.shape[1:]), values.dtype)
    np.add.at(sums, which, powers)
    return (shifted - np.log(sums)[which] if logarithm else powers / sums[which]).astype(values.dtype, copy=False)


@quiet
def softmax_backward(grad: ndarray, result: ndarray, array: CooArray, dim: int, logarithm: bool) -> ndarray:
    """The gradient of `softmax`'s argument, as values."""
    product = grad if logarithm else grad * result
    if dim >= array.sparse_dim:
        sums = product.sum(dim - array.sparse_dim + 1, keepdims=True)
    else:
        which, count = groups_along(array.indices, array.shape, dim)
        sums = np.zeros((count, *grad.shape[1:]), grad.dtype)
        np.add.at(sums, which, product)
        sums = sums[which]
    return (grad - np.exp(result) * sums if logarithm else product - result * sums).astype(grad.dtype, copy=False)


def selected(indices: ndarray, dim: int, index: ndarray) -> tuple[ndarray, ndarray]:
    """For `index_select` along a sparse dim: which of the stored places come, and where along the dim, by place in `index` last."""
    row = indices[dim]
    order = row.argsort(kind="stable")
    ordered = row[order]
    begin, end = ordered.searchsorted(index), ordered.searchsorted(index, "right")
    counts = end - begin
    new = np.repeat(np.arange(index.size), counts)
    offset = np.arange(new.size) - np.repeat(counts.cumsum() - counts, counts)
    return order[begin[new] + offset], new


def scattered(values: ndarray, places: ndarray, count: int) -> ndarray:
    """Zeros in `count` rows with each row of `values` added at its place."""
    result = np.zeros((count, *values.shape[1:]), values.dtype)
    np.add.at(result, places, values)
    return result


def is_zero(x: Any) -> bool:
    """Whether no element is other than zero."""
    return not (x.values if isinstance(x, Sparse) else x).any()


__all__ = [
    "CooArray", "find", "from_dense", "groups_along", "is_zero", "product", "products_at", "scattered", "selected", "softmax",
    "softmax_backward", "sum_groups", "times_dense", "values_at",
]  # fmt: skip
