"""Sorting, selecting, counting and running sums."""

import math
from typing import Any

import ml_dtypes
import numpy as np

from ..core.layout import place
from .compiler import usable
from .elementwise import cast, subtract
from .library import finding, selection
from .library import scan as library
from .library import sorting as library_sorting
from .memory import contiguous, row_major
from .places import gather, scatter
from .quiet import quiet
from .selection import top_order

_F32 = np.dtype(np.float32)
_F64 = np.dtype(np.float64)
_I64 = np.dtype(np.int64)
MANY = 256
"""Above so many elements sums at indices are compiled."""


def _sortable(x: Any) -> Any:
    return cast(x, _F32) if x.dtype.kind == "V" or x.dtype.char == "e" else x


_KNOWN = {
    np.dtype(ml_dtypes.bfloat16): 0x7F80, np.dtype(np.float16): 0x7C00, _F32: 0x7F800000, _F64: 0x7FF0000000000000,
    np.dtype(np.bool_): None, np.dtype(np.uint8): None, np.dtype(np.int8): None, np.dtype(np.int16): None, np.dtype(np.int32): None,
    np.dtype(np.int64): None,
}  # fmt: skip
"""The bits of infinity in the dtypes that machine code brings in order; None for integers."""


def _rows_along(x: Any, axis: int) -> Any:
    """A row-major array with that axis in the last place."""
    last = x.ndim - 1
    return contiguous(x if axis == last else x.transpose(*range(axis), *range(axis + 1, last + 1), axis))


def _rows_back(rows: Any, axis: int) -> Any:
    """The last axis put back in its place, row-major."""
    last = rows.ndim - 1
    if axis == last:
        return rows
    shape = rows.shape
    return row_major(rows.transpose(*range(axis), last, *range(axis, last))).reshape(*shape[:axis], shape[-1], *shape[axis:-1])


def _compiles(x: Any) -> bool:
    """Whether machine code brings the elements of an array in order."""
    return bool(x.__class__ is np.ndarray and x.size and x.dtype in _KNOWN and usable())


def _sorted_rows(x: Any, axis: int, descending: bool = False) -> tuple[Any, Any]:
    """`sort` with that axis in the last place."""
    rows = _rows_along(x, axis)
    n, wide = x.shape[axis], x.itemsize == 8
    values, indices = np.empty(rows.shape, x.dtype), np.empty(rows.shape, np.int64)
    room = 2 * (x.size // n) * (n + library_sorting.LANES)
    words, more = np.empty(room, np.int64), np.empty(room if wide else 1, np.int32)
    kernel = library_sorting.sort(x.itemsize, _KNOWN[x.dtype], x.dtype.kind in "bu", descending)
    kernel(values, indices, rows, words, more, float(x.size // n), float(n))
    return values, indices


def _at(rows: Any, place: int, shape: tuple[int, ...]) -> Any:
    """One place of each row, in a shape."""
    return rows[..., place : place + 1].copy().reshape(shape)


def sort(x: Any, axis: int, descending: bool) -> tuple[Any, Any]:
    """Values and int64 indices in order along the axis, equal ones in their former order; NaN is the largest."""
    if _compiles(x):
        values, indices = _sorted_rows(x, axis, descending)
        return _rows_back(values, axis), _rows_back(indices, axis)
    keys = _sortable(x)
    if descending:
        flipped = np.flip(keys, axis)
        order = np.flip(np.argsort(flipped, axis, kind="stable"), axis)
        indices = keys.shape[axis] - 1 - order
    else:
        indices = np.argsort(keys, axis, kind="stable")
    indices = np.ascontiguousarray(indices, np.int64)
    return take_along(x, indices, axis), indices


def topk(x: Any, count: int, axis: int, largest: bool) -> tuple[Any, Any]:
    """The `count` largest (or smallest) values along the axis in order, and their indices; equal ones in PyTorch's order."""
    if count and _compiles(x):
        return _compiled_topk(x, count, axis, largest)
    keys = _sortable(x)
    n = keys.shape[axis]
    if n == 0 or count == 0 or keys.size == 0:
        indices = np.zeros((*keys.shape[:axis], count, *keys.shape[axis + 1 :]), np.int64)
        return take_along(x, indices, axis) if x.size else np.empty(indices.shape, x.dtype), indices
    if keys.dtype.kind == "b":
        keys = keys.view(np.uint8)
    rows = keys if axis == keys.ndim - 1 else np.moveaxis(keys, axis, -1)
    rows = rows.reshape(-1, n)
    picked, tied = _chosen(rows, count, largest)
    for row in np.flatnonzero(tied):
        picked[row] = top_order(_ranks(rows[row], largest), count)
    indices = picked.reshape(*keys.shape[:axis], *keys.shape[axis + 1 :], count)
    if axis != keys.ndim - 1:
        indices = np.moveaxis(indices, -1, axis)
    indices = np.ascontiguousarray(indices)
    return take_along(x, indices, axis), indices


def _compiled_topk(x: Any, count: int, axis: int, largest: bool) -> tuple[Any, Any]:
    rows = _rows_along(x, axis)
    n = x.shape[axis]
    shape = (*rows.shape[:-1], count)
    values, indices = np.empty(shape, x.dtype), np.empty(shape, np.int64)
    keys, places = np.empty(x.size, np.int64 if x.itemsize == 8 else np.int32), np.empty(x.size, np.int64)
    kernel = selection.top(x.itemsize, _KNOWN[x.dtype], x.dtype.kind in "bu", largest)
    kernel(values, indices, rows, keys, places, float(x.size // n), float(n), float(count))
    return _rows_back(values, axis), _rows_back(indices, axis)


def _chosen(rows: Any, count: int, largest: bool) -> tuple[Any, Any]:
    """The places of the first `count` of each row in order, and which rows have ties, so that the order is open."""
    n = rows.shape[1]
    if count == 1:
        picked = (rows.argmax if largest else rows.argmin)(1, keepdims=True)
        best = take_along(rows, picked, 1)
        if n < 64 or not largest:  # NaN, which argmin takes for the smallest, is the largest here
            return picked, (np.add.reduce(_same(rows, best), 1) > 1) | (best != best)[:, 0]
        return picked, np.zeros(len(rows), np.bool_)
    if count * 8 < n:
        part = np.argpartition(rows, n - count if largest else count - 1, 1)
        part = part[:, n - count :] if largest else part[:, :count]
        chosen = take_along(rows, part, 1)
        order = np.argsort(chosen, 1)
        if largest:
            order = order[:, ::-1]
        picked, chosen = take_along(part, order, 1), take_along(chosen, order, 1)
        last = chosen[:, -1:]
        ties = np.add.reduce(_same(rows, last), 1) > 1
    else:
        order = np.argsort(rows, 1)
        if largest:
            order = order[:, ::-1]
        picked, chosen = np.array(order[:, :count]), take_along(rows, order[:, : count + 1], 1)
        ties = np.zeros(len(rows), np.bool_)
    return picked, ties | _same(chosen[:, 1:], chosen[:, :-1]).any(1)


def _same(a: Any, b: Any) -> Any:
    """Where two arrays are equal, NaN to NaN."""
    return (a == b) | ((a != a) & (b != b)) if a.dtype.kind == "f" else a == b


def _ranks(row: Any, largest: bool) -> list[Any]:
    """Numbers that sort as the row does, the wanted ones first; NaN is the largest."""
    if row.dtype.kind == "f":
        row = row.astype(np.float64)
        values = np.where(row != row, np.inf, row)
        if (row != row).any():  # NaN ranks above infinity: by position among the distinct values
            distinct = np.unique(values[row == row])
            values = np.where(row != row, len(distinct), np.searchsorted(distinct, values)).astype(np.float64)
        return (-values if largest else values).tolist()
    return [-v for v in row.tolist()] if largest else row.tolist()


def unique(x: Any, inverse: bool, counts: bool) -> tuple[Any, Any, Any]:
    """The sorted distinct elements; for each element the index of its own; how often each occurs."""
    if _compiles(x):
        return _unique(x, inverse, counts)
    found = np.unique(_sortable(x), return_inverse=True, return_counts=True, equal_nan=False)
    return found[0].astype(x.dtype), found[1].reshape(x.shape).astype(np.int64), found[2].astype(np.int64)


def _unique(x: Any, inverse: bool, counts: bool) -> tuple[Any, Any, Any]:
    """The same from machine code's order; what is not asked for is empty."""
    values, order = _sorted_rows(x.reshape(-1), 0)
    starts = np.empty(values.size, np.bool_)
    starts[0] = True
    np.not_equal(values[1:], values[:-1], starts[1:])
    places = own = _NOTHING
    if inverse:
        places = np.empty(values.size, np.int64)
        places[order] = np.add.accumulate(starts, dtype=np.int64) - 1
        places = places.reshape(x.shape)
    if counts:
        own = np.diff(np.flatnonzero(starts), append=values.size)
    return values[starts], places, own


_NOTHING = np.zeros(0, np.int64)


def unique_rows(x: Any, axis: int) -> tuple[Any, Any, Any]:
    """`unique` of the slices along an axis."""
    values, inverse, counts = np.unique(x, return_inverse=True, return_counts=True, axis=axis)
    return values, inverse.reshape(-1).astype(np.int64), counts.astype(np.int64)


def searchsorted(sequence: Any, values: Any, right: bool) -> Any:
    """Where each value would be inserted to keep the (last dimension of the) sequence sorted."""
    if values.dtype is sequence.dtype and values.dtype.itemsize == 2 and values.dtype.kind in "fV":
        sequence, values = cast(sequence, _F32), cast(values, _F32)
    if sequence.dtype in _SEARCHED and values.dtype is sequence.dtype and sequence.size and values.size and usable():
        if sequence.__class__ is values.__class__ is np.ndarray:
            found = np.empty(values.shape, np.int64)
            n = sequence.shape[-1]
            rows = sequence.size // n
            kernel = finding.search(_SEARCHED[sequence.dtype], right)
            return kernel(found, contiguous(sequence), contiguous(values), float(rows), float(n), float(values.size // rows))
    side: Any = "right" if right else "left"
    if sequence.ndim == 1:
        return np.asarray(np.searchsorted(sequence, values, side), np.int64)
    if not values.size:
        return np.zeros(values.shape, np.int64)
    flat, wanted = sequence.reshape(-1, sequence.shape[-1]), values.reshape(-1, values.shape[-1])
    rows = [np.searchsorted(row, v, side) for row, v in zip(flat, wanted)]
    return np.array(rows, np.int64).reshape(values.shape)


_SEARCHED = {_F32: "float", _F64: "double", _I64: "i64", np.dtype(np.int32): "i32"}
"""The LLVM types of what is searched by machine code."""


def bincount(x: Any, weights: Any, minlength: int) -> Any:
    """How often each non-negative integer occurs, or the sum of its weights."""
    if x.dtype is _I64 and x.__class__ is np.ndarray and x.size > MANY and usable():
        bins = max(int(x.max()) + 1, minlength)
        numbers = contiguous(x)
        if weights is None:
            return finding.bincount(None)(np.zeros(bins, np.int64), numbers, float(x.size), float(bins))
        if weights.dtype is _F32 or weights.dtype is _F64:
            kind = "float" if weights.dtype is _F32 else "double"
            return finding.bincount(kind)(np.zeros(bins, weights.dtype), numbers, contiguous(weights), float(x.size), float(bins))
    return np.bincount(x, weights, minlength)


def histogram(x: Any, bins: int, low: float, high: float) -> Any:
    """Counts in `bins` equal bins from low to high."""
    return np.histogram(x, bins, (low, high))[0]


# --- running -------------------------------------------------------------------------------------------------------


def cumsum(x: Any, axis: int, dtype: Any, into: Any = None) -> Any:
    """Running sums along the axis."""
    return _running(np.add, x, axis, dtype, into)


def cumprod(x: Any, axis: int, dtype: Any, into: Any = None) -> Any:
    """Running products along the axis."""
    return _running(np.multiply, x, axis, dtype, into)


def _sizes(x: Any, axis: int) -> tuple[float, float, float]:
    """(outer, n, inner)."""
    if axis < 0:
        axis += x.ndim
    n = x.shape[axis]
    inner = 1 if axis == x.ndim - 1 else math.prod(x.shape[axis + 1 :])
    return float(x.size // (n * inner)), float(n), float(inner)


def _compiled_running(x: Any, axis: int, dtype: Any, product: bool, backwards: bool, into: Any = None) -> Any:
    """Running sums or products of floating-point numbers, with the bits that NumPy has; None where they are not compiled."""
    if not x.size or x.__class__ is not np.ndarray or not usable():
        return None
    if dtype is _F32 or dtype is _F64:
        if x.dtype is not dtype or not x.flags.carray:
            x = np.require(x, dtype, ("C", "A"))
        return library.running("f32" if dtype is _F32 else "f64", product, backwards)(place(into, x.shape, dtype), x, *_sizes(x, axis))
    if dtype.itemsize != 2 or dtype.kind not in "fV":
        return None
    x = np.require(cast(x, _F32), None, ("C", "A"))
    return cast(library.running("f32", product, backwards, "float")(np.empty(x.shape, _F32), x, *_sizes(x, axis)), dtype)


def _running(ufunc: Any, x: Any, axis: int, dtype: Any, into: Any = None) -> Any:
    """Running sums or products, row-major: of float32 in float64, of float16 and bfloat16 in float32, each rounded once."""
    if dtype.kind in "fV":
        result = _compiled_running(x, axis, dtype, ufunc is np.multiply, False, into)
        if result is not None:
            return result
    return _accumulated(ufunc, contiguous(x), axis, dtype)


@quiet
def _accumulated(ufunc: Any, x: Any, axis: int, dtype: Any) -> Any:
    if dtype.kind in "biu":
        return ufunc.accumulate(x, axis, dtype)
    if dtype.kind == "c":
        return ufunc.accumulate(x, axis, np.complex128).astype(dtype, copy=False)
    if ufunc is np.add and x.dtype.kind in "fV":
        x = x + x.dtype.type(0)  # sums begin with 0: none is -0
    if dtype.itemsize == 2:
        return ufunc.accumulate(x, axis, _F32).astype(dtype)
    return ufunc.accumulate(x.astype(dtype, copy=False), axis, _F64).astype(dtype, copy=False)


_COMPARED = {
    _F32: "f32",
    _F64: "f64",
    np.dtype(np.int64): "i64",
    np.dtype(np.int32): "i32",
    np.dtype(np.int16): "i16",
    np.dtype(np.int8): "i8",
}
"""The dtypes of running extremes in machine code."""


@quiet
def running_extreme(x: Any, axis: int, largest: bool) -> tuple[Any, Any]:
    """The largest (smallest) element so far along the axis and its (last) index; NaN stays once it has come."""
    keys = _sortable(x)
    if x.size and x.__class__ is np.ndarray and keys.dtype in _COMPARED and usable():
        if not keys.flags.carray:
            keys = np.require(keys, None, ("C", "A"))
        values, places = np.empty(x.shape, keys.dtype), np.empty(x.shape, np.int64)
        library.extremes(_COMPARED[keys.dtype], largest)(values, places, keys, *_sizes(x, axis))
        return values if keys.dtype is x.dtype else cast(values, x.dtype), places
    values = (np.maximum if largest else np.minimum).accumulate(keys, axis)
    hits = (keys == values) | ((keys != keys) & (values != values))
    shape = [1] * x.ndim
    shape[axis] = x.shape[axis]
    positions = np.arange(x.shape[axis]).reshape(shape)
    indices = np.maximum.accumulate(np.where(hits, positions, 0), axis)
    return values.astype(x.dtype), np.asarray(indices, np.int64)


@quiet
def logcumsumexp(x: Any, axis: int) -> Any:
    """The logarithm of running sums of exp(x)."""
    wide = x.astype(_F32) if x.dtype.itemsize == 2 else x
    if wide.dtype.kind == "c":
        return _complex_logcumsumexp(wide, axis)
    return np.logaddexp.accumulate(wide, axis).astype(x.dtype)


def _complex_logcumsumexp(x: Any, axis: int) -> Any:
    """Step by step: the larger real part out of both, then log1p of what is left."""
    moved = np.moveaxis(x, axis, 0)
    result = np.empty_like(moved)
    if len(moved):
        result[0] = moved[0]
    for i in range(1, len(moved)):
        a, b = result[i - 1], moved[i]
        low, high = np.where(a.real < b.real, a, b), np.where(a.real < b.real, b, a)
        same = np.isinf(high.real) & (low == high)
        difference = np.where(same, 0, low - high)
        result[i] = np.where(same & (high.real < 0), low, high + np.log1p(np.exp(difference)))
    return np.moveaxis(result, 0, axis)


@quiet
def logcumsumexp_backward(grad: Any, x: Any, result: Any, axis: int) -> Any:
    """exp(x) * (running sums from the end of grad * exp(-result)), in logarithms so that nothing overflows."""
    if x.dtype.kind == "c":
        return np.exp(x).conj() * reverse_cumsum(grad * np.exp(-result).conj(), axis)
    wide = _F32 if x.dtype.itemsize == 2 else x.dtype
    g, x, result = grad.astype(wide), x.astype(wide), result.astype(wide)
    total = np.zeros_like(g)
    for sign in (1, -1):
        logs = np.where(g * sign > 0, np.log(np.abs(g)), -np.inf) - result
        total += sign * np.exp(np.flip(np.logaddexp.accumulate(np.flip(logs, axis), axis), axis) + x)
    return total


def reverse_cumsum(x: Any, axis: int) -> Any:
    """Running sums from the end."""
    result = _compiled_running(x, axis, x.dtype, False, True)
    return np.flip(_running(np.add, np.flip(x, axis), axis, x.dtype), axis) if result is None else result


# --- what is made of the order -------------------------------------------------------------------------------------


def differences(x: Any, axis: int) -> Any:
    """Each element along the axis less the one before it, row-major."""
    before = (slice(None),) * axis
    after = x[(*before, slice(1, None))]
    return subtract(after, x[(*before, slice(-1))], np.empty(after.shape, x.dtype))


def take(x: Any, positions: Any, axis: int) -> Any:
    """The slices at the positions along the axis."""
    return np.take(x, positions, axis)


def take_along(x: Any, indices: Any, axis: int) -> Any:
    """The element at each index along the axis."""
    found = gather(x, axis % x.ndim, indices) if x.ndim and x.__class__ is np.ndarray else None
    return np.take_along_axis(x, indices, axis) if found is None else found


FEW = 256
"""Up to so many elements sorting them all is as quick as finding one."""
QUICK = 4096
"""Up to so many elements, and of half precision always, sorting them in machine code is quicker than NumPy's partition."""


def nth(x: Any, axis: int, place: int) -> tuple[Any, Any]:
    """The element that a stable sort along the axis puts at a place, kept with size 1, and its index. NaN is the largest."""
    if (x.size <= QUICK or x.itemsize == 2) and _compiles(x):
        values, indices = _sorted_rows(x, axis)
        kept = *x.shape[:axis], 1, *x.shape[axis + 1 :]
        return _at(values, place, kept), _at(indices, place, kept)
    if x.__class__ is not np.ndarray or x.size <= FEW or x.dtype.kind not in "iuf" or x.dtype.itemsize == 2:
        values, indices = sort(x, axis, False)
        return take(values, [place], axis), take(indices, [place], axis)
    value = np.partition(x, place, axis).take([place], axis)
    same = x == value
    rank = place - np.add.reduce(x < value, axis, np.int64, keepdims=True)
    if not rank.any() and not (value != value).any():
        return value, same.argmax(axis, keepdims=True)
    lost = value != value  # of NaN, what comes before are all others
    same |= lost & (x != x)
    rank = np.where(lost, place - np.add.reduce(x == x, axis, np.int64, keepdims=True), rank)
    return value, (np.add.accumulate(same, axis, np.int64) == rank + 1).argmax(axis, keepdims=True)


def median(x: Any, axis: int, skip_nan: bool) -> tuple[Any, Any]:
    """The lower median along the axis, kept with size 1, and its index; the first NaN where there is one, unless skipped."""
    size = x.shape[axis]
    if (x.size <= QUICK or x.itemsize == 2) and _compiles(x):
        values, indices = _sorted_rows(x, axis)
        kept = *x.shape[:axis], 1, *x.shape[axis + 1 :]
        last = values[..., -1:]
        if x.dtype.kind not in "fV" or not (last != last).any():
            return _at(values, (size - 1) // 2, kept), _at(indices, (size - 1) // 2, kept)
        count = size - np.add.reduce(values != values, -1, keepdims=True)
        position = np.maximum((count - 1) // 2, 0) if skip_nan else np.where(count < size, count, (size - 1) // 2)
        return take_along(values, position, -1).reshape(kept), take_along(indices, position, -1).reshape(kept)
    if x.__class__ is np.ndarray and x.dtype.kind in "iuf" and x.dtype.itemsize > 2 and x.size > FEW:
        nan = x != x
        lost = bool(nan.any())
        if not (lost and skip_nan):
            value, index = nth(x, axis, (size - 1) // 2)
            if lost:
                there = nan.any(axis, keepdims=True)
                value = np.where(there, x.dtype.type(np.nan), value)
                index = np.where(there, nan.argmax(axis, keepdims=True), index)
            return value, index
    values, indices = sort(x, axis, False)
    count = size - np.add.reduce(values != values, axis, keepdims=True)
    position = np.maximum((count - 1) // 2, 0) if skip_nan else np.where(count < size, count, (size - 1) // 2)
    return take_along(values, position, axis), take_along(indices, position, axis)


def mode(x: Any, axis: int) -> tuple[Any, Any]:
    """The most frequent value along the axis, kept with size 1 (the smallest of several), and an index of it."""
    if _compiles(x):
        values, indices = _sorted_rows(x, axis)
    else:
        values, indices = (np.moveaxis(part, axis, -1) for part in sort(x, axis, False))
    starts = np.ones(values.shape, np.bool_)
    np.not_equal(values[..., 1:], values[..., :-1], starts[..., 1:])
    positions = np.arange(values.shape[-1])
    begin = np.maximum.accumulate(np.multiply(starts, positions), -1)
    best = (positions - begin).argmax(-1)[..., None]
    kept = *x.shape[:axis], 1, *x.shape[axis + 1 :]
    return take_along(values, best, -1).reshape(kept), take_along(indices, best, -1).reshape(kept)


def unique_consecutive(x: Any, dim: int | None, inverse: bool, counts: bool) -> tuple[Any, Any, Any]:
    """Each run of equal elements (or slices along `dim`) as one; for each element its run; the lengths of the runs, if
    asked for."""
    flat = x.reshape(-1) if dim is None else np.moveaxis(x, dim, 0)
    starts = np.ones(len(flat), np.bool_)
    if len(flat) > 1:
        apart = flat[1:] != flat[:-1]
        starts[1:] = apart if flat.ndim == 1 else apart.reshape(len(flat) - 1, -1).any(1)
    values = np.ascontiguousarray(flat[starts] if dim is None else np.moveaxis(flat[starts], 0, dim))
    if not inverse and not counts:
        return values, _NOTHING, _NOTHING
    runs = np.asarray(np.cumsum(starts) - 1, np.int64)
    lengths = np.diff(np.append(np.flatnonzero(starts), len(flat))).astype(np.int64)
    return values, runs.reshape(x.shape) if dim is None else runs, lengths


def isin(x: Any, among: Any, invert: bool) -> Any:
    """For each element, whether it is among the others (or is not)."""
    if 0 < x.size * among.size <= FEW and x.__class__ is np.ndarray:
        found = np.logical_or.reduce(x.reshape(-1, 1) == among.reshape(-1), 1).reshape(x.shape)
        return np.logical_not(found, found) if invert else found
    return np.asarray(np.isin(x, among, invert=invert))


def quantile_ranks(ordered: Any, q: Any, skip_nan: bool, interpolation: str) -> tuple[Any, Any, Any, Any]:
    """Where the quantiles lie in a sorted last dimension.

    Returns the positions below and above, the share of the latter, and how far a quantile moves with q.
    """
    size, dtype = ordered.shape[-1], ordered.dtype
    counts = size - np.add.reduce(ordered != ordered, -1, keepdims=True)
    if skip_nan:
        last = np.maximum(counts - 1, 0)
        rank = q * last
    else:
        last = np.where(counts < size, 0, counts - 1)
        rank = np.where(counts < size, float(size - 1), q * (size - 1))
    rank = rank.astype(dtype)
    rounding = {"lower": np.floor, "higher": np.ceil, "nearest": np.rint}.get(interpolation)
    if rounding is not None:
        rank = rounding(rank)
    rank = np.broadcast_to(rank, (*ordered.shape[:-1], q.size))
    low = np.floor(rank)
    share = np.full_like(rank, 0.5) if interpolation == "midpoint" else rank - low
    return low.astype(np.int64), np.ceil(rank).astype(np.int64), np.ascontiguousarray(share), last.astype(dtype)


def scatter_sum(values: Any, indices: Any, shape: Any, dim: int) -> Any:
    """Zeros of `shape` with each value added at its index along `dim`; a number as it is."""
    if not values.ndim:
        return values
    if values.dtype.itemsize == 2 and values.dtype.kind in "fV":  # added up in float32, rounded once
        return cast(scatter_sum(cast(values, _F32), indices, shape, dim), values.dtype)
    result = np.zeros(shape, values.dtype)
    if values.size > MANY and values.__class__ is np.ndarray and usable() and scatter(result, dim, indices, values, True):
        return result
    where = list(np.indices(values.shape, sparse=True))
    where[dim] = indices
    np.add.at(result, tuple(where), values)
    return result
