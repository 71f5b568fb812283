"""Looking up rows of a table, and adding rows back into it."""

from typing import Any

import numpy as np

from . import places as compiled
from .compiler import usable
from .elementwise import cast
from .quiet import quiet

_F32 = np.dtype(np.float32)


def take_rows(table: Any, indices: Any) -> Any:
    """The rows of `table` at the indices, in the indices' shape. Raises IndexError for one out of range, negative ones too."""
    found = compiled.take(table, 0, indices, False)
    if found is not None:
        return found
    if indices.size and indices.min() < 0:  # NumPy would count these from the end
        raise IndexError
    return table.take(indices, 0)


def add_rows(rows: Any, indices: Any, count: int, skip: int = -1) -> Any:
    """A table of `count` rows with each of `rows` (n, width) added at its index, those with the index `skip` left out."""
    width = rows.shape[1]
    wide = rows.astype(np.float32) if rows.dtype.itemsize == 2 else rows
    table = np.zeros((count, width), wide.dtype)
    if compiled.add_rows(table, 0, indices, wide, False, skip):
        return table if table.dtype == rows.dtype else table.astype(rows.dtype)
    if skip >= 0:
        keep = indices != skip
        wide, indices = wide[keep], indices[keep]
    if indices.size:
        order = np.argsort(indices, kind="stable")
        ordered = indices[order]
        starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
        table[ordered[starts]] = np.add.reduceat(wide[order], starts, axis=0)
    return table if table.dtype == rows.dtype else table.astype(rows.dtype)


def counts(indices: Any, count: int) -> Any:
    """How often each index from 0 to `count` - 1 occurs."""
    return np.bincount(indices, minlength=count)


def renormalize_rows(table: Any, indices: Any, max_norm: float, p: float) -> None:
    """Scales each indexed row whose p-norm exceeds `max_norm` down to it, in place."""
    used = np.unique(indices)
    rows = table[used]
    norms = np.linalg.norm(rows, ord=p, axis=1)
    long = norms > max_norm
    table[used[long]] = rows[long] * (max_norm / (norms[long] + 1e-7))[:, None].astype(table.dtype)


def _bag_of(offsets: Any, count: int) -> Any:
    """The number of each index's bag."""
    return np.searchsorted(offsets, np.arange(count), side="right") - 1


def bag_counts(indices: Any, count: int) -> Any:
    """What `scale_grad_by_freq` divides by, for each index.

    PyTorch looks up, for the k-th distinct index, how often the k-th of all sorted indices occurs; so it is here.
    """
    result = np.ones(count, np.int64)
    distinct = np.unique(indices)
    result[distinct] = counts(indices, count)[np.sort(indices)[: distinct.size]]
    return result


def _sizes(offsets: Any, count: int) -> Any:
    """How many indices are in each bag."""
    sizes = np.empty(offsets.size, np.int64)
    np.subtract(offsets[1:], offsets[:-1], sizes[:-1])
    sizes[-1] = count - offsets[-1]
    return sizes


@quiet
def bag(table: Any, indices: Any, offsets: Any, bags: int, mode: str, weights: Any, padding: int) -> tuple[Any, Any, Any, Any]:
    """Sums, means or maxima of rows of `table`, bag by bag: (bags, width).

    Also, for the backward: the bag of each index, how many count in each bag, and for maxima the index of each.
    """
    regular = offsets.size == bags and table.__class__ is np.ndarray
    sizes = _sizes(offsets, indices.size) if regular and bags else None
    which = _bag_of(offsets, indices.size) if sizes is None else np.repeat(np.arange(bags), sizes)
    if weights is None and sizes is not None and table.dtype.itemsize == 2 and usable():  # in float32, rounded once
        found = bag(cast(table, _F32), indices, offsets, bags, mode, None, padding)
        return cast(found[0], table.dtype), *found[1:]
    if mode == "max" and weights is None and sizes is not None:
        largest = compiled.bags(table, indices, offsets, padding, True)
        if largest is not None:
            counted = sizes if padding < 0 else np.bincount(which[indices != padding], minlength=bags)
            return largest[0], which, counted, largest[1]
    if mode != "max" and weights is None and sizes is not None:
        sums = compiled.bags(table, indices, offsets, padding)
        if sums is not None:
            if padding >= 0:
                sizes = np.bincount(which[indices != padding], minlength=bags)
            if mode == "mean":
                sums /= np.maximum(sizes, 1).astype(sums.dtype)[:, None]
            return sums, which, sizes, np.full(sums.shape, -1, np.int64)
    keep = indices != padding
    kept, owner = indices[keep], which[keep]
    wide = np.float32 if table.dtype.itemsize == 2 else table.dtype
    rows = table[kept].astype(wide, copy=False)
    if weights is not None:
        rows = rows * weights[keep].astype(wide, copy=False)[:, None]
    sizes = np.bincount(owner, minlength=bags)
    result = np.zeros((bags, table.shape[1]), wide)
    picked = np.full((bags, table.shape[1]), -1, np.int64)
    if kept.size:
        starts = np.flatnonzero(np.concatenate(([True], owner[1:] != owner[:-1])))
        reduce = np.maximum if mode == "max" else np.add
        result[owner[starts]] = reduce.reduceat(rows, starts, axis=0)
        if mode == "max":
            hits = rows == result[owner]
            order = np.arange(kept.size)[:, None]
            first = np.minimum.reduceat(np.where(hits, order, kept.size - 1), starts, axis=0)
            picked[owner[starts]] = kept[first]
    if mode == "mean":
        result /= np.maximum(sizes, 1).astype(wide)[:, None]
    return result.astype(table.dtype, copy=False), which, sizes, picked


@quiet
def bag_backward(
    grad: Any, indices: Any, which: Any, sizes: Any, picked: Any, mode: str, weights: Any, padding: int, count: int, by_frequency: bool
) -> Any:
    """The gradient of the table."""
    if mode == "max":
        result = np.zeros((count, grad.shape[1]), grad.dtype)
        rows, columns = np.nonzero(picked >= 0)
        np.add.at(result, (picked[rows, columns], columns), grad[rows, columns])
        return result
    keep = indices != padding
    kept, owner = indices[keep], which[keep]
    rows = grad[owner]
    if weights is not None:
        rows = rows * weights[keep][:, None]
    if mode == "mean":
        rows = rows / np.maximum(sizes, 1)[owner].astype(grad.dtype)[:, None]
    if by_frequency:
        rows = rows / bag_counts(kept, count)[kept][:, None].astype(rows.dtype)
    return add_rows(rows, kept, count)


@quiet
def bag_weight_gradient(grad: Any, table: Any, indices: Any, which: Any, padding: int) -> Any:
    """The gradient of the weight of each index, zero at `padding`."""
    result = np.einsum("ij,ij->i", grad[which], table[indices])
    result[indices == padding] = 0
    return result
