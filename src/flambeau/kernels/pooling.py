"""Maxima and means over windows, in any number of dimensions.

Every window element is a strided slice of the whole input: maxima and sums run over these slices, one dimension after
the other, and never over single windows. Arrays are (M, *S) with all other dimensions in front as one.
"""

import math
from functools import lru_cache
from itertools import product
from typing import Any, Iterator

import numpy as np

from .compiler import usable
from .elementwise import cast
from .library import pooling as library
from .library import resampling
from .quiet import quiet
from .reduction import square_sum

_F32 = np.dtype(np.float32)
_KINDS = {_F32: "f32", np.dtype(np.float64): "f64"}
Ints = tuple[int, ...]


def _lowest(dtype: Any) -> Any:
    return np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf


def _reach(offset: int, size: int, out: int, stride: int, padding: int) -> tuple[slice, slice] | None:
    """The outputs whose window element at `offset` lies inside the input, and those elements; None where there are none."""
    first = max(0, -((offset - padding) // stride)) if offset < padding else 0
    last = min(out - 1, (size - 1 + padding - offset) // stride)
    if last < first:
        return None
    start = first * stride - padding + offset
    return slice(first, last + 1), slice(start, start + (last - first) * stride + 1, stride)


def _elements(spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints) -> Iterator[tuple[int, tuple, tuple]]:
    """For each window element, in row-major order: its number, the slices of the outputs that have it, and of the input."""
    reaches = [[_reach(j * d, s, o, t, p) for j in range(k)] for s, k, t, p, d, o in zip(spatial, kernel, stride, padding, dilation, out)]
    for number, found in enumerate(product(*reaches)):
        if None not in found:
            yield number, (slice(None), *[f[0] for f in found]), (slice(None), *[f[1] for f in found])  # type: ignore[index]


def _along(x: Any, axis: int, kernel: int, stride: int, padding: int, dilation: int, out: int, combine: Any, start: Any) -> Any:
    """`combine` over the windows of one dimension."""
    size = x.shape[axis]
    before = (slice(None),) * axis
    reaches = [_reach(j * dilation, size, out, stride, padding) for j in range(kernel)]
    whole = [r for r in reaches if r is not None and r[0].start == 0 and r[0].stop == out]
    if len(whole) == kernel:
        views = [x[(*before, r[1])] for r in whole]
        if kernel == 1:
            return views[0].copy()
        result = combine(views[0], views[1])
        for view in views[2:]:
            combine(result, view, out=result)
        return result
    result = np.full((*x.shape[:axis], out, *x.shape[axis + 1 :]), start, x.dtype)
    for r in reaches:
        if r is not None:
            target = result[(*before, r[0])]
            combine(target, x[(*before, r[1])], out=target)
    return result


@lru_cache(256)
def _table(
    planes: int, spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints, include: bool, divisor: int
) -> Any:
    """The numbers that the compiled kernels ask for, see `library/pooling.py`."""
    lead = 3 - len(spatial)
    grain = max(1, 30_000 // max(1, math.prod(out) * math.prod(kernel)))
    sizes = [n for v, fill in ((spatial, 1), (out, 1), (kernel, 1), (stride, 1), (padding, 0), (dilation, 1)) for n in (fill,) * lead + v]
    return np.array([planes, grain, *sizes, include, divisor], np.int64)


def _ready(*arrays: Any) -> tuple[Any, ...] | None:
    """The arrays as the compiled kernels take them; None where they take none such."""
    dtype = arrays[0].dtype
    if dtype not in _KINDS or arrays[0].ndim > 4 or not usable():
        return None
    for a in arrays:
        if a.dtype != dtype or not a.size:
            return None
    return tuple([a if a.flags.aligned and a.flags.c_contiguous else a.copy("C") for a in arrays])


def max_pool(x: Any, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints) -> Any:
    """The largest element of each window; NaN where there is one."""
    ready = _ready(x)
    if ready is not None:
        result = np.empty((len(x), *out), x.dtype)
        table = _table(len(x), x.shape[1:], kernel, stride, padding, dilation, out, False, 0)
        return library.max_pool(_KINDS[x.dtype], False)(result, *ready, table)
    return _max_pool(x, kernel, stride, padding, dilation, out)


@quiet
def _max_pool(x: Any, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints) -> Any:
    for i in range(len(kernel)):
        x = _along(x, i + 1, kernel[i], stride[i], padding[i], dilation[i], out[i], np.maximum, _lowest(x.dtype))
    return x


@quiet
def max_pool_indices(x: Any, values: Any, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Any:
    """Where in its image, flattened, each maximum lies: the first of equal ones, the last NaN."""
    ready = _ready(x)
    if ready is not None:
        indices = np.empty(values.shape, np.int64)
        table = _table(len(x), x.shape[1:], kernel, stride, padding, dilation, values.shape[1:], False, 0)
        library.max_pool(_KINDS[x.dtype], True)(np.empty(values.shape, x.dtype), indices, *ready, table)
        return indices
    spatial, out = x.shape[1:], values.shape[1:]
    number = np.zeros(values.shape, np.uint8 if np.prod(kernel) < 256 else np.int32)
    taken = np.zeros(values.shape, bool)
    lost = np.isnan(values) if values.dtype.kind in "fV" else None
    lost = lost if lost is not None and lost.any() else None
    for n, where, source in _elements(spatial, kernel, stride, padding, dilation, out):
        part = x[source]
        found = part == values[where]
        np.greater(found, taken[where], out=found)
        taken[where] |= found
        number[where] += np.multiply(found, n, dtype=number.dtype, casting="unsafe")
        if lost is not None:
            np.copyto(number[where], number.dtype.type(n), where=lost[where] & np.isnan(part))
    steps = [int(np.prod(spatial[i + 1 :])) for i in range(len(spatial))]
    offsets = np.zeros(kernel, np.int64)
    starts = np.zeros(out, np.int64)
    for i, step in enumerate(steps):
        line = [1] * len(spatial)
        line[i] = -1
        offsets += (np.arange(kernel[i]) * (dilation[i] * step)).reshape(line)
        starts += ((np.arange(out[i]) * stride[i] - padding[i]) * step).reshape(line)
    indices = offsets.reshape(-1).take(number)
    indices += starts
    return indices


def _finite(array: Any) -> bool:
    return bool(np.isfinite(array.dtype.type(square_sum([array]))))


@quiet
def max_pool_backward(grad: Any, x: Any, values: Any, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Any:
    """Each gradient goes to where its maximum lay."""
    ready = _ready(grad, x, values)
    if ready is not None and math.prod(x.shape[1:]) < 1 << 31:
        table = _table(len(x), x.shape[1:], kernel, stride, padding, dilation, values.shape[1:], False, 0)
        return library.max_pool_backward(_KINDS[x.dtype])(np.empty(x.shape, x.dtype), *ready, table)
    if grad.dtype.itemsize < 4 or not (_finite(grad) and _finite(values)):
        indices = max_pool_indices(x, values, kernel, stride, padding, dilation)
        return scatter(grad, indices, x.shape[1:])
    elements = list(_elements(x.shape[1:], kernel, stride, padding, dilation, values.shape[1:]))
    apart = all(t >= d * (k - 1) + 1 for k, t, d in zip(kernel, stride, dilation))
    # Windows that lie apart write each element once; those that fill the input leave none unwritten.
    full = apart and all(k == t and d == 1 and s == o * t and not p for s, k, t, p, d, o in zip(
        x.shape[1:], kernel, stride, padding, dilation, values.shape[1:]))  # fmt: skip
    result = (np.empty if full else np.zeros)(x.shape, grad.dtype)
    taken: Any = None
    for _, where, source in elements:
        found = x[source] == values[where]
        if taken is None and found.shape == values.shape:
            taken = found.copy()
        else:
            if taken is None:
                taken = np.zeros(values.shape, bool)
            np.greater(found, taken[where], out=found)
            taken[where] |= found
        if apart:
            np.multiply(grad[where], found, out=result[source])
        else:
            result[source] += grad[where] * found
    return result


@quiet
def scatter(grad: Any, indices: Any, spatial: Ints) -> Any:
    """Adds each element of (M, *out) at its index into an image of zeros: (M, *spatial)."""
    size = int(np.prod(spatial))
    wide = np.zeros(len(grad) * size, _F32 if grad.dtype.itemsize == 2 else grad.dtype)
    if not grad.size:
        return np.zeros((len(grad), *spatial), grad.dtype)
    flat = indices.reshape(len(grad), -1) + (np.arange(len(grad)) * size)[:, None]
    np.add.at(wide, flat.reshape(-1), grad.reshape(-1).astype(wide.dtype, copy=False))
    return wide.reshape(len(grad), *spatial).astype(grad.dtype, copy=False)


def gather(x: Any, indices: Any) -> Any:
    """The elements of (M, *S), each image flattened, at indices (M, *out)."""
    if not indices.size:
        return np.empty(indices.shape, x.dtype)
    return np.take_along_axis(x.reshape(len(x), -1), indices.reshape(len(x), -1), 1).reshape(indices.shape)


# --- means --------------------------------------------------------------------------------------------------------------


def _counts(spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, out: Ints, include_padding: bool) -> Any:
    """How many elements each window has, broadcast over the output."""
    total: Any = 1
    for i, (s, k, t, p, o) in enumerate(zip(spatial, kernel, stride, padding, out)):
        start = np.arange(o) * t - p
        end = np.minimum(start + k, s + p)
        counts = end - start if include_padding else np.minimum(end, s) - np.maximum(start, 0)
        total = total * counts.reshape(-1, *[1] * (len(out) - 1 - i))
    return total


def _divide(
    sums: Any, spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, out: Ints, include_padding: bool, divisor: int | None
) -> Any:
    counts: Any = divisor
    if divisor is None:
        counts = _counts(spatial, kernel, stride, padding, out, include_padding)
        first = counts.reshape(-1)[0] if counts.size else 1
        if (counts == first).all():
            counts = int(first)
    if sums.dtype.kind in "iu":
        quotient = np.abs(sums) // np.abs(counts)  # towards zero, as C divides
        return (quotient * (np.sign(sums) * np.sign(counts))).astype(sums.dtype)
    return np.divide(sums, counts if isinstance(counts, int) else counts.astype(sums.dtype), out=sums)


def avg_pool(x: Any, kernel: Ints, stride: Ints, padding: Ints, out: Ints, include_padding: bool, divisor: int | None) -> Any:
    """The mean of each window: its sum over the number of its elements, or over `divisor`."""
    ready = _ready(x)
    if ready is not None:
        table = _table(len(x), x.shape[1:], kernel, stride, padding, (1,) * len(out), out, include_padding, divisor or 0)
        return library.avg_pool(_KINDS[x.dtype])(np.empty((len(x), *out), x.dtype), *ready, table)
    return _avg_pool(x, kernel, stride, padding, out, include_padding, divisor)


@quiet
def _avg_pool(x: Any, kernel: Ints, stride: Ints, padding: Ints, out: Ints, include_padding: bool, divisor: int | None) -> Any:
    low, spatial = x.dtype, x.shape[1:]
    if low.itemsize == 2 and low.kind in "fV":
        x = x.astype(_F32)
    for i in range(len(kernel)):
        x = _along(x, i + 1, kernel[i], stride[i], padding[i], 1, out[i], np.add, 0)
    return _divide(x, spatial, kernel, stride, padding, out, include_padding, divisor).astype(low, copy=False)


@quiet
def avg_pool_backward(
    grad: Any, spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, include_padding: bool, divisor: int | None
) -> Any:
    """Each gradient is spread evenly over its window."""
    ready = _ready(grad)
    if ready is not None and 0 not in spatial:
        table = _table(len(grad), spatial, kernel, stride, padding, (1,) * len(spatial), grad.shape[1:], include_padding, divisor or 0)
        return library.avg_pool_backward(_KINDS[grad.dtype])(np.empty((len(grad), *spatial), grad.dtype), *ready, table)
    low, out = grad.dtype, grad.shape[1:]
    grad = grad.astype(_F32 if low.itemsize == 2 else low)
    grad = _divide(grad, spatial, kernel, stride, padding, out, include_padding, divisor)
    for i in range(len(kernel) - 1, -1, -1):
        before = (slice(None),) * (i + 1)
        spread = np.zeros((*grad.shape[: i + 1], spatial[i], *grad.shape[i + 2 :]), grad.dtype)
        for j in range(kernel[i]):
            r = _reach(j, spatial[i], out[i], stride[i], padding[i])
            if r is not None:
                spread[(*before, r[1])] += grad[(*before, r[0])]
        grad = spread
    return grad.astype(low, copy=False)


# --- windows given one by one -------------------------------------------------------------------------------------------


@quiet
def max_of_windows(x: Any, windows: list[Any]) -> tuple[Any, Any]:
    """Maxima and their flat indices over windows given per dimension as indices (taps, out); a tap may repeat another."""
    dims = len(windows)
    spatial, out = x.shape[1:], tuple([w.shape[1] for w in windows])
    steps = [int(np.prod(spatial[i + 1 :])) for i in range(dims)]
    ready = _ready(x)
    if ready is not None and 0 not in out and all(w.size for w in windows):
        best, places = np.empty((len(x), *out), x.dtype), np.empty((len(x), *out), np.int64)
        given = [np.zeros((1, 1), np.int64)] * (3 - dims) + windows
        numbers = [n for size, w in zip((1,) * (3 - dims) + spatial, given) for n in (size, w.shape[1], w.shape[0])]
        grain = max(1, 30_000 // max(1, math.prod(w.size for w in windows)))
        table = np.array([len(x), grain, *numbers], np.int64)
        lines = np.concatenate([w.reshape(-1) for w in given])
        resampling.max_of_windows(_KINDS[x.dtype])(best, places, *ready, lines, table)
        return best, places
    flat = x.reshape(len(x), math.prod(spatial))
    values: Any = None
    indices: Any = None
    for taps in product(*[range(len(w)) for w in windows]):
        place = np.zeros(out, np.int64)
        for i, t in enumerate(taps):
            place += (windows[i][t] * steps[i]).reshape(-1, *[1] * (dims - 1 - i))
        part = flat.take(place, 1)
        if values is None:
            values, indices = part, np.broadcast_to(place, part.shape).copy()
            continue
        better = part > values
        if part.dtype.kind in "fV":
            better |= np.isnan(part)
        np.copyto(values, part, where=better)
        np.copyto(indices, np.broadcast_to(place, part.shape), where=better)
    return values, indices


@lru_cache(64)
def adaptive_windows(size: int, out: int) -> Any:
    """The windows of adaptive pooling, from floor(i * size / out) to ceil((i + 1) * size / out), as indices (taps, out)."""
    i = np.arange(out)
    start, end = i * size // out, -(-(i + 1) * size // out)
    taps = int((end - start).max()) if out else 1
    return np.minimum(start + np.arange(taps)[:, None], end - 1)


def adaptive_max_pool(x: Any, out: Ints) -> tuple[Any, Any]:
    """Maxima and their flat indices over windows that divide each dimension of (M, *spatial) as evenly as can be."""
    low = x.dtype
    ready = _ready(cast(x, _F32) if low.itemsize == 2 and low.kind in "fV" else x) if len(out) < 4 and 0 not in out else None
    if ready is None:
        return max_of_windows(x, [adaptive_windows(n, o) for n, o in zip(x.shape[1:], out)])
    shape = (len(x), *out)
    values, places = np.empty(shape, ready[0].dtype), np.empty(shape, np.int64)
    lead = (1,) * (3 - len(out))
    library.adaptive_max_pool(_KINDS[values.dtype])(values, places, *ready, *map(float, (len(x), *lead, *x.shape[1:], *lead, *out)))
    return (values if values.dtype is low else cast(values, low)), places


def fractional_max_pool(x: Any, samples: Any, kernel: Ints, out: Ints) -> tuple[Any, Any]:
    """Maxima and their flat indices over windows placed for each plane by its own samples (M, dims)."""
    dims = len(kernel)
    values = np.empty((len(x), *out), x.dtype)
    indices = np.empty((len(x), *out), np.int64)
    order = range(dims - 1, -1, -1) if dims == 2 else range(dims)  # images take the sample of the width first
    for plane in range(len(x)):
        windows: list[Any] = [None] * dims
        for sample, i in zip(samples[plane].astype(np.float64), order):
            starts = _fractional_starts(sample, x.shape[i + 1], out[i], kernel[i])
            windows[i] = starts + np.arange(kernel[i])[:, None]
        v, at = max_of_windows(x[plane : plane + 1], windows)
        values[plane], indices[plane] = v[0], at[0]
    return values, indices


def _fractional_starts(sample: float, size: int, out: int, kernel: int) -> Any:
    starts = np.full(out, size - kernel, np.int64)
    if out > 1:
        step = np.float32((size - kernel) / (out - 1))
        u = np.float32(sample)
        i = np.arange(out - 1, dtype=np.float32)
        starts[:-1] = ((i + u) * step).astype(np.int64) - int(u * step)
    return starts


def index_outside(indices: Any, size: int) -> int | None:
    """The first index that does not lie in [0, size)."""
    bad = (indices < 0) | (indices >= size)
    return int(indices[bad][0]) if bad.any() else None


def place(x: Any, indices: Any, spatial: Ints) -> Any:
    """Each element of (M, *out) written at its index into an image of zeros: (M, *spatial)."""
    result = np.zeros((len(x), int(np.prod(spatial))), x.dtype)
    np.put_along_axis(result, indices.reshape(len(x), -1), x.reshape(len(x), -1), 1)
    return result.reshape(len(x), *spatial)
