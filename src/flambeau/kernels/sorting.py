"""Sorting, selecting, counting and running sums, in their NumPy lowering."""

from typing import Any

import numpy as np

from .quiet import quiet

_F32 = np.dtype(np.float32)


def _sortable(x: Any) -> Any:
    return x.astype(_F32) if x.dtype.kind == "V" else x


def sort(x: Any, axis: int, descending: bool) -> tuple[Any, Any]:
    """Values and int64 indices in order along the axis, equal ones in their former order; NaN is the largest."""
    keys = _sortable(x)
    if descending:
        flipped = np.flip(keys, axis)
        order = np.flip(np.argsort(flipped, axis, kind="stable"), axis)
        indices = keys.shape[axis] - 1 - order
    else:
        indices = np.argsort(keys, axis, kind="stable")
    indices = np.ascontiguousarray(indices, np.int64)
    return np.take_along_axis(x, indices, axis), indices


def topk(x: Any, count: int, axis: int, largest: bool) -> tuple[Any, Any]:
    """The `count` largest (or smallest) values along the axis in order, and their indices."""
    keys = _sortable(x)
    n = keys.shape[axis]
    if count == 1 and n:
        keys_ = keys if keys.dtype.kind != "b" else keys.view(np.uint8)
        indices = np.expand_dims((np.argmax if largest else np.argmin)(keys_, axis), axis)
    elif count * 8 < n and keys.dtype.kind in "iuf":
        part = np.argpartition(keys, n - count, axis) if largest else np.argpartition(keys, count - 1, axis)
        part = np.take(part, range(n - count, n) if largest else range(count), axis)
        part.sort(axis)
        chosen = np.take_along_axis(keys, part, axis)
        _, order = sort(chosen, axis, largest)
        indices = np.take_along_axis(part, order, axis)
    else:
        _, indices = sort(x, axis, largest)
        indices = np.take(indices, range(count), axis)
    indices = np.ascontiguousarray(indices, np.int64)
    return np.take_along_axis(x, indices, axis), indices


def unique(x: Any, inverse: bool, counts: bool) -> tuple[Any, Any, Any]:
    """The sorted distinct elements; for each element the index of its own; how often each occurs."""
    found = np.unique(_sortable(x), return_inverse=True, return_counts=True)
    return found[0].astype(x.dtype), found[1].reshape(x.shape).astype(np.int64), found[2].astype(np.int64)


def unique_rows(x: Any, axis: int) -> tuple[Any, Any, Any]:
    """`unique` of the slices along an axis."""
    values, inverse, counts = np.unique(x, return_inverse=True, return_counts=True, axis=axis)
    return values, inverse.reshape(-1).astype(np.int64), counts.astype(np.int64)


def searchsorted(sequence: Any, values: Any, right: bool) -> Any:
    """Where each value would be inserted to keep the (last dimension of the) sequence sorted."""
    side = "right" if right else "left"
    if sequence.ndim == 1:
        return np.asarray(np.searchsorted(sequence, values, side), np.int64)
    flat, wanted = sequence.reshape(-1, sequence.shape[-1]), values.reshape(-1, values.shape[-1])
    rows = [np.searchsorted(row, v, side) for row, v in zip(flat, wanted)]
    return np.array(rows, np.int64).reshape(values.shape)


def bincount(x: Any, weights: Any, minlength: int) -> Any:
    """How often each non-negative integer occurs, or the sum of its weights."""
    return np.bincount(x, weights, minlength)


def histogram(x: Any, bins: int, low: float, high: float) -> Any:
    """Counts in `bins` equal bins from low to high."""
    return np.histogram(x, bins, (low, high))[0]


# --- running -------------------------------------------------------------------------------------------------------


@quiet
def cumsum(x: Any, axis: int, dtype: Any) -> Any:
    """Running sums along the axis."""
    if dtype.itemsize == 2 and dtype.kind in "fV":
        return np.add.accumulate(x, axis, _F32).astype(dtype)
    return np.add.accumulate(x, axis, dtype)


@quiet
def cumprod(x: Any, axis: int, dtype: Any) -> Any:
    """Running products along the axis."""
    if dtype.itemsize == 2 and dtype.kind in "fV":
        return np.multiply.accumulate(x, axis, _F32).astype(dtype)
    return np.multiply.accumulate(x, axis, dtype)


@quiet
def running_extreme(x: Any, axis: int, largest: bool) -> tuple[Any, Any]:
    """The largest (smallest) element so far along the axis and its (last) index; NaN stays once it has come."""
    keys = _sortable(x)
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
    return np.logaddexp.accumulate(wide, axis).astype(x.dtype)


@quiet
def reverse_cumsum(x: Any, axis: int) -> Any:
    """Running sums from the end."""
    return np.flip(np.add.accumulate(np.flip(x, axis), axis), axis)
