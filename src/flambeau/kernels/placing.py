"""Kernels that put values at places in memory: joining, and gradients of views."""

import math
from functools import lru_cache
from itertools import pairwise
from typing import Any, Sequence

import numpy as np

from ..core import layout
from ..core.layout import place
from .compiler import usable
from .library import finding
from .memory import fill
from .places import MANY, reverse
from .places import triangle as compiled_triangle


def concatenate(arrays: Sequence[Any], dim: int, into: Any = None) -> Any:
    """Arrays of one dtype one behind the other."""
    if into is not None and into.flags.c_contiguous and into.dtype is arrays[0].dtype:
        try:
            return np.concatenate(arrays, dim, into)
        except ValueError:  # it has another shape, or the arrays do not fit together
            pass
    result = np.concatenate(arrays, dim)
    return result if result.flags.c_contiguous else np.ascontiguousarray(result)


def stack(arrays: Sequence[Any], dim: int, into: Any = None) -> Any:
    """Arrays of one shape and dtype side by side along a new dimension."""
    first = arrays[0]
    shape = first.shape
    result = place(into, (*shape[:dim], len(arrays), *shape[dim:]), first.dtype)
    lead = (slice(None),) * dim
    for i, a in enumerate(arrays):
        result[lead + (i,)] = a
    return result


def like(x: Any) -> Any:
    """An uninitialised array of the same shape and dtype, in the memory order that PyTorch preserves."""
    if x.flags.c_contiguous:
        return np.empty(x.shape, x.dtype)
    return layout.empty_strided(x.shape, layout.preserved_strides(x.shape, layout.strides_of(x)), x.dtype)


def strided_gradient(grad: Any, input_shape: Any, input_strides: Any, shape: Any, strides: Any, offset: int) -> Any:
    """The gradient of a tensor of which a strided view (its shape, strides, offset) has gradient `grad`.

    Elements that the view shows several times add up; so do those that the input itself shows several times, whose sum
    is shared out among them.
    """
    if grad.size == 0 or math.prod(input_shape) == 0:
        return np.zeros(input_shape, grad.dtype)
    low = min(offset, 0)
    total = max(layout.extent(input_shape, input_strides), offset + layout.extent(shape, strides)) - low
    storage = np.zeros(total, grad.dtype)
    part = layout.strided_view(storage, shape, strides, offset - low)
    if layout.overlaps(shape, strides):
        places = layout.strided_view(np.arange(total), shape, strides, offset - low)
        np.add.at(storage, places, grad)
    else:
        part[...] = grad
    if layout.overlaps(input_shape, input_strides):
        places = layout.strided_view(np.arange(total), input_shape, input_strides, -low)
        counts = np.zeros(total, np.int64)
        np.add.at(counts, places, 1)
        storage /= np.maximum(counts, 1)
    return layout.strided_view(storage, input_shape, input_strides, -low)


def unfold_gradient(grad: Any, shape: Sequence[int], dim: int, size: int, step: int) -> Any:
    """The gradient of a tensor whose windows of `size` elements, `step` apart, have gradient `grad` (windows last)."""
    result = np.zeros(shape, grad.dtype)
    count = grad.shape[dim] if len(shape) else grad.shape[0]
    if not len(shape):
        result += grad.sum()
        return result
    lead = (slice(None),) * dim
    for k in range(size):
        result[lead + (slice(k, k + step * (count - 1) + 1, step),)] += grad[..., k]
    return result


def repeat(x: Any, repeats: Sequence[int]) -> Any:
    """`x` laid `repeats` times side by side in each dimension (as many repeats as dimensions, or more)."""
    lead = len(repeats) - x.ndim
    shape = (1,) * lead + x.shape
    result = np.empty([n for pair in zip(repeats, shape) for n in pair], x.dtype)
    result[...] = x.reshape([n for m in shape for n in (1, m)])
    return result.reshape([r * n for r, n in zip(repeats, shape)])


def repeat_each(x: Any, times: int) -> Any:
    """Each element `times` times in a row, along the last dimension; None where that is not compiled."""
    if x.__class__ is not np.ndarray or x.itemsize not in (1, 2, 4, 8) or not x.flags.carray or not usable():
        return None
    result = np.empty((*x.shape[:-1], x.shape[-1] * times), x.dtype)
    return finding.repeat(x.itemsize)(result, x, float(x.size), float(times))


def flip(x: Any, dims: Sequence[int]) -> Any:
    """A copy with the order along some dimensions reversed."""
    if len(dims) == 1 and dims[0] in (-1, x.ndim - 1) and x.ndim and (result := reverse(x)) is not None:
        return result
    first = x.ndim - len(dims)
    if len(dims) > 1 and x.size >= MANY and sorted([d % x.ndim for d in dims]) == list(range(first, x.ndim)) and x.flags.c_contiguous:
        result = reverse(x.reshape(*x.shape[:first], math.prod(x.shape[first:])))  # the last ones: as if they were one
        if result is not None:
            return result.reshape(x.shape)
    index = [slice(None)] * x.ndim
    for d in dims:
        index[d] = slice(None, None, -1)
    result = like(x)
    result[...] = x[tuple(index)]
    return result


def roll(x: Any, shifts: Sequence[int], dims: Sequence[int]) -> Any:
    """A copy shifted along dimensions; what leaves at the end comes in at the start."""
    for shift, dim in zip(shifts, dims):
        n = x.shape[dim]
        shift = shift % n if n else 0
        result = np.empty(x.shape, x.dtype)
        lead = (slice(None),) * dim
        result[lead + (slice(shift, None),)] = x[lead + (slice(None, n - shift),)]
        result[lead + (slice(None, shift),)] = x[lead + (slice(n - shift, None),)]
        x = result
    return x


def triangle(x: Any, diagonal: int, lower: bool, into: Any = None) -> Any:
    """A copy with zeros above (`lower`) or below a diagonal of the last two dimensions."""
    result = compiled_triangle(x, diagonal, lower, into)
    if result is not None:
        return result
    rows, columns = x.shape[-2:]
    outside = (_outside if rows * columns <= 1 << 16 else _outside.__wrapped__)(rows, columns, diagonal, lower)
    result = np.array(x, order="C")
    np.copyto(result, False, where=outside, casting="unsafe")
    return result


@lru_cache(64)
def _outside(rows: int, columns: int, diagonal: int, lower: bool) -> Any:
    """Where a triangle has zeros."""
    inside = np.tri(rows, columns, diagonal if lower else diagonal - 1, dtype=bool)
    return ~inside if lower else inside


def triangle_places(rows: int, columns: int, diagonal: int, lower: bool) -> Any:
    """The rows and the columns (2, count) of the elements on one side of a diagonal, row by row."""
    edge = np.arange(diagonal + int(lower), diagonal + int(lower) + rows).clip(0, columns)
    counts = edge if lower else columns - edge
    total = int(np.add.reduce(counts))
    result = np.empty((2, total), np.int64)
    result[0] = np.repeat(np.arange(rows), counts)
    before = np.add.accumulate(counts) - counts
    np.subtract(np.arange(total), np.repeat(before if lower else before - edge, counts), result[1])
    return result


def block_diagonal(blocks: Sequence[Any], dtype: Any) -> Any:
    """Matrices along the diagonal of a larger one, zeros elsewhere."""
    result = np.zeros((sum(b.shape[0] for b in blocks), sum(b.shape[1] for b in blocks)), dtype)
    i = j = 0
    for b in blocks:
        result[i : i + b.shape[0], j : j + b.shape[1]] = b
        i, j = i + b.shape[0], j + b.shape[1]
    return result


def pad_constant(x: Any, pads: Sequence[tuple[int, int]], value: Any) -> Any:
    """`x` with `pads[d]` elements before and behind in each dimension, all `value`; negative pads cut off."""
    shape = [n + a + b for n, (a, b) in zip(x.shape, pads)]
    result = np.zeros(shape, x.dtype)
    if value:
        fill(result, value)
    if not any(a < 0 or b < 0 for a, b in pads):
        result[tuple([slice(a, a + n) for n, (a, _) in zip(x.shape, pads)])] = x
        return result
    source = tuple([slice(max(0, -a), n - max(0, -b)) for n, (a, b) in zip(x.shape, pads)])
    target = tuple([slice(max(0, a), n - max(0, b)) for n, (a, b) in zip(shape, pads)])
    result[target] = x[source]
    return result


def _pad_places(n: int, before: int, behind: int, mode: str) -> Any:
    """Where each element of a padded dimension comes from."""
    if mode == "circular":  # what is cut off does not come round again
        kept = np.arange(max(-before, 0), n - max(-behind, 0))
        return np.concatenate((kept[len(kept) - max(before, 0) :], kept, kept[: max(behind, 0)]))
    places = np.arange(-before, n + behind)
    if mode == "replicate":
        return np.clip(places, 0, n - 1)
    places = np.abs(places)
    return np.where(places >= n, 2 * (n - 1) - places, places)


def _pad_by_slices(x: Any, pads: Sequence[tuple[int, int]], mode: str) -> Any:
    """The inside copied once, then the edges of one dimension after the other, the last one first."""
    inside = [slice(before, before + n) for n, (before, _) in zip(x.shape, pads)]
    result = np.empty([n + before + behind for n, (before, behind) in zip(x.shape, pads)], x.dtype)
    result[tuple(inside)] = x
    for d in range(x.ndim - 1, -1, -1):
        before, behind = pads[d]
        if not before and not behind:
            continue
        end = before + x.shape[d]  # of the inside
        if mode == "circular":
            sources = slice(end - before, end), slice(before, before + behind)
        elif mode == "replicate":
            sources = slice(before, before + 1), slice(end - 1, end)
        else:
            stop = end - 2 - behind
            sources = slice(2 * before, before, -1), slice(end - 2, stop if stop >= 0 else None, -1)
        lead = tuple(inside[:d])
        if before:
            result[(*lead, slice(before))] = result[(*lead, sources[0])]
        if behind:
            result[(*lead, slice(end, None))] = result[(*lead, sources[1])]
    return result


def pad_from_inside(x: Any, pads: Sequence[tuple[int, int]], mode: str) -> Any:
    """Padding with elements of `x` itself: `reflect`, `replicate` or `circular`."""
    if x.size and all(before >= 0 and behind >= 0 for before, behind in pads):
        return _pad_by_slices(x, pads, mode)
    for d, (before, behind) in enumerate(pads):
        if before or behind:
            x = x.take(_pad_places(x.shape[d], before, behind, mode), d)
    return x if x.flags.c_contiguous else np.ascontiguousarray(x)


def pad_gradient(grad: Any, shape: Sequence[int], pads: Sequence[tuple[int, int]], mode: str) -> Any:
    """The gradient of what `pad_from_inside` padded."""
    for d, (before, behind) in enumerate(pads):
        if not before and not behind:
            continue
        n = shape[d]
        places = _pad_places(n, before, behind, mode)
        lead = (slice(None),) * d
        start, stop = max(0, before), before + n + min(0, behind)
        result = np.zeros((*grad.shape[:d], n, *grad.shape[d + 1 :]), grad.dtype)
        result[lead + (slice(max(0, -before), n + min(0, behind)),)] = grad[lead + (slice(start, stop),)]
        for k in [*range(start), *range(stop, grad.shape[d])]:
            result[lead + (places[k],)] += grad[lead + (k,)]
        grad = result
    return grad


def choices(n: int, r: int, with_replacement: bool) -> Any:
    """A mask over `r` dimensions of size `n`: where the coordinates ascend."""
    grids = np.meshgrid(*[np.arange(n)] * r, indexing="ij", sparse=True)
    mask = np.ones((n,) * r, bool)
    for a, b in pairwise(grids):
        mask &= a <= b if with_replacement else a < b
    return mask


def repeated_places(counts: Any) -> Any:
    """Each index as often as its count says."""
    return np.repeat(np.arange(counts.size, dtype=counts.dtype), counts)
