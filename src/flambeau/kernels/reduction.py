"""Reductions along axes, in their NumPy lowering. `axes`: a tuple, or None for all."""

import math
from functools import lru_cache
from typing import Any

import numpy as np

from .compiler import compiled_for, usable
from .compiler.launch import takes_float
from .compiler.threads import count as thread_count
from .library import norms
from .library import ordered_sums as sums
from .library import reduction as library
from .library import row_reductions as rows
from .places import scatter
from .quiet import SILENT, quiet, restore, silence

_F32, _F64, _I64 = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int64)
LARGE = 1 << 16
"""From so many elements on reductions are compiled."""
SHORT = 8192
"""Elements of a product with a vector that BLAS computes without threads of its own: those would spin beside ours afterwards."""
ORDERED = 1 << 15
"""Elements of one sum that PyTorch gives a thread at least."""
add_reduce: Any = np.add.reduce
multiply_reduce: Any = np.multiply.reduce
maximum_reduce: Any = np.maximum.reduce
minimum_reduce: Any = np.minimum.reduce
logical_or_reduce: Any = np.logical_or.reduce
logical_and_reduce: Any = np.logical_and.reduce


def reduced(reduction: Any, x: Any, axes: Any, *extras: Any) -> Any:
    """A compiled reduction over `axes`: the accumulated values with size 1 there; None where it cannot be compiled.

    extras: arrays of that shape that it depends on.
    """
    if x.__class__ is not np.ndarray or not takes_float(x.dtype) or not x.size or not usable():
        return None
    ndim, shape = x.ndim, x.shape
    over = set(range(ndim)) if axes is None else {axis % ndim for axis in ((axes,) if axes.__class__ is int else axes)}
    if x.flags.c_contiguous:
        order = list(range(ndim))
    else:
        order = sorted(range(ndim), key=lambda d: -x.strides[d])
        x = x.transpose(order)
        if not x.flags.c_contiguous:
            if 0 in x.strides:  # broadcast: a copy may be far larger
                return None
            x = np.ascontiguousarray(x)
    runs: list[list[int]] = []  # neighbours that are all reduced, or all kept: reduced?, size
    for d in order:
        if shape[d] != 1:
            if runs and runs[-1][0] == (d in over):
                runs[-1][1] *= shape[d]
            else:
                runs.append([d in over, shape[d]])
    reduced_runs = [i for i, (is_reduced, _) in enumerate(runs) if is_reduced]
    if not reduced_runs:
        return None
    last = reduced_runs[-1]
    outer, n, inner = (math.prod([size for _, size in part]) for part in (runs[:last], runs[last : last + 1], runs[last + 1 :]))
    if outer * inner == 1 and reduction.combine != "sum" and reduction is not library.largest_size and x.dtype.itemsize > 2:
        return None  # NumPy is as fast
    if len(reduced_runs) > 1 and (extras or outer * inner * 64 > x.size):
        return None  # what a first pass leaves is not small
    joined = 1
    if 1 < inner < 64 and outer == 1:  # short rows are joined; what is left over is added below
        joined = min(-(-64 // inner), n // 64)
    if joined < 2:
        joined = 1
    flat = [np.ascontiguousarray(extra.transpose(order), reduction.accumulates(x.dtype)) for extra in extras]
    if joined == 1:
        parts = reduction.launch(x, outer, n, inner, *flat)
    else:
        lines, rest = n // joined, n % joined
        x = x.reshape(n, inner)
        wide = reduction.launch(x[: lines * joined], 1, lines, joined * inner, *[np.tile(extra.reshape(-1), joined) for extra in flat])
        parts = wide.reshape(1, -1, inner)
        if rest:
            parts = np.concatenate([parts, reduction.launch(x[lines * joined :], 1, rest, inner, *flat)], 1)
    combine = {"sum": add_reduce, "maximum": maximum_reduce, "minimum": minimum_reduce}[reduction.combine]
    parts = parts.reshape(outer, inner) if parts.shape[1] == 1 else combine(parts, 1)
    if len(reduced_runs) > 1:
        sizes = [size for _, size in runs[:last]]
        parts = combine(parts.reshape(*sizes, inner), tuple(reduced_runs[:-1]))
    kept = parts.reshape([1 if d in over else shape[d] for d in order])
    return kept if order[0] == 0 and order == list(range(ndim)) else kept.transpose(np.argsort(order))


def _finished(values: Any, x: Any, axes: Any, keepdims: bool, dtype: Any) -> Any:
    """Accumulated values as a result: in the dtype, with or without the dimensions that were reduced."""
    if not keepdims:
        ndim = x.ndim
        over = range(ndim) if axes is None else [axis % ndim for axis in ((axes,) if axes.__class__ is int else axes)]
        values = values.reshape([size for d, size in enumerate(x.shape) if d not in over])
    return values.astype(dtype, copy=False)


def sum(x: Any, axes: Any = None, keepdims: bool = False, dtype: Any = None) -> Any:
    """The sum over `axes`; half precision adds in float32."""
    kind = x.dtype
    if dtype is not None and dtype is not kind:
        return _cast_sum(x, axes, keepdims, dtype)
    if kind is _I64:
        return _integer_sum(x, axes, keepdims)
    totals = sums_in_order(x, axes, keepdims)
    if totals is not None:
        return totals
    if x.size >= LARGE:
        token = silence(SILENT)
        try:
            values = reduced(library.total, x, axes)
            if values is not None:
                return _finished(values, x, axes, keepdims, kind)
        finally:
            restore(token)
    if kind.itemsize == 2 and kind.kind in "fV":
        return _cast_sum(x, axes, keepdims, kind)
    if axes == (0,) and kind is _F32 and x.ndim == 2 and x.size > 1024 and x.flags.c_contiguous:
        return sum_rows(x, keepdims)
    token = silence(SILENT)
    try:
        if in_order(x, axes):
            total = ordered_sum(x.reshape(-1), 8 if kind is _F32 else 4)
            return np.full((1,) * x.ndim, total) if keepdims else total
        return add_reduce(x, axes, kind, None, keepdims)
    finally:
        restore(token)


def sums_in_order(x: Any, axes: Any, keepdims: bool) -> Any:
    """The sum over neighbouring dimensions of a row-major array, or over all of one without gaps, in PyTorch's order; None for others.

    That of all of a large array depends on the number of threads.
    """
    if axes is None:
        axes = _DIMS[: x.ndim]
    if (
        not axes
        or axes.__class__ is not tuple
        or keepdims.__class__ is not bool
        or not (x.dtype is _F32 or x.dtype is _F64)
        or x.__class__ is not np.ndarray
    ):
        return None
    first = axes[0]
    if len(axes) == x.ndim > 1 and x.flags.farray:
        x = x.T
    if not x.flags.carray or not x.size or not usable():
        return None
    if axes != _DIMS[first : first + len(axes)]:
        return _sums_of_sums(x, axes, keepdims)
    shape = x.shape
    kept = shape[:first] + shape[first + len(axes) :]
    out = np.empty(shape[:first] + (1,) * len(axes) + shape[first + len(axes) :] if keepdims else kept, x.dtype)
    if out.size == 1 and x.size > ORDERED:
        return _sum_of_all(x, out)
    inner = math.prod(shape[first + len(axes) :])
    outer = out.size // inner
    n = x.size // out.size
    if inner == 1:
        return sums.along_rows(x.itemsize)(out, x, _row_plan(outer, n))
    kernel, wide = sums.along_columns(x.itemsize)
    return kernel(out, x, _column_plan(outer, n, inner, sums.register(x.itemsize), wide))


def _sum_of_all(x: Any, out: Any) -> Any:
    """The sum of all of a large array: as many parts as there are threads are added up, and their sums."""
    kernel, threads = sums.along_rows(x.itemsize), thread_count()
    parts = min(threads, -(-x.size // ORDERED))
    if parts == 1:
        return kernel(out, x, _row_plan(1, x.size))
    n = -(-x.size // parts)
    totals = np.zeros(threads, x.dtype)
    grain = 1 if x.size > LARGE else parts
    kernel(totals, x, np.array([-(-x.size // n), grain, n, x.size], np.int64))
    return kernel(out, totals, _row_plan(1, threads))


def _sums_of_sums(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    """The same over dimensions with others between them: sums over the last neighbours, added one after the other. None for other axes."""
    if not 0 <= axes[0] < axes[-1] < x.ndim or sorted(set(axes)) != list(axes):
        return None
    cut = len(axes) - 1
    while axes[cut - 1] == axes[cut] - 1:
        cut -= 1
    if axes[:cut] != _DIMS[:cut]:  # a dimension before them is kept
        return None
    parts = sums_in_order(x, axes[cut:], True)
    if parts is None or parts.size == math.prod(parts.shape[:cut]):
        return None
    lines = parts.reshape(math.prod(parts.shape[:cut]), -1)
    totals = add_reduce(lines, 0)
    shape = [1 if d in axes else n for d, n in enumerate(x.shape) if keepdims or d not in axes]
    return totals.reshape(shape)


_DIMS = tuple(range(64))
_SHARE = 1 << 15
"""Elements that are one thread's share."""


@lru_cache(256)
def _row_plan(rows: int, n: int) -> Any:
    return np.array([rows, _SHARE // n + 1, n, rows * n], np.int64)


@lru_cache(256)
def _column_plan(outer: int, n: int, inner: int, register: int, wide: int) -> Any:
    panels, behind = divmod(inner, wide)
    blocks, behind = divmod(behind, 4 * register)
    each = panels + blocks + (behind > 0)
    return np.array([outer * each, _SHARE * each // (n * inner) + 1, n, inner, panels, blocks, each], np.int64)


def scaled_column_sums(out: Any, grad: Any, x: Any, scale: Any, rows: int, columns: int) -> None:
    """out = the sums along the columns of grad * (x * scale of the row), in PyTorch's order; row-major arrays of one dtype."""
    if columns == 1:
        product = grad.reshape(rows) * (x.reshape(rows) * scale.reshape(rows))
        sums.along_rows(x.itemsize)(out, product, _row_plan(1, rows))
    else:
        kernel, wide = sums.along_columns(x.itemsize, sums.SCALED)
        kernel(out, grad, x, scale, _column_plan(1, rows, columns, sums.register(x.itemsize), wide))


def in_order(x: Any, axes: Any) -> bool:
    """Whether all elements of a row-major array are to be added up, in a dtype and a number for which `ordered_sum` is."""
    return (
        (x.dtype is _F32 or x.dtype is _F64)
        and (axes is None or axes.__class__ is tuple and len(axes) == x.ndim)
        and 3 < x.size <= ORDERED
        and x.__class__ is np.ndarray
        and x.flags.c_contiguous
    )


def ordered_sum(x: Any, lanes: int) -> Any:
    """The sum of a vector in PyTorch's order, so that no digit differs: what people print.

    It goes by vectors of `lanes` elements, four at a time; 16 of these groups make a block, and 16 blocks a larger one. Then come the
    four, what is left over, and the lanes one after the other. The machine code of `ops/native.py` does the same.
    """
    count = len(x)
    vectors = count // lanes
    if not vectors:  # fewer than a vector: by fours, what is left over behind the first
        return np.add.accumulate(x.take([0, *range(4, count), 1, 2, 3]))[-1]
    groups = vectors // 4
    levels = x[: groups * 4 * lanes].reshape(groups, 4, lanes)
    total = np.zeros((4, lanes), x.dtype)
    for _ in range(3):
        whole = len(levels) // 16 * 16
        total += add_reduce(levels[whole:], 0)
        levels = add_reduce(levels[:whole].reshape(-1, 16, 4, lanes), 1)
    for vector in x[groups * 4 * lanes : vectors * lanes].reshape(-1, lanes):
        total[0] += vector
    return np.add.accumulate(np.concatenate([x[vectors * lanes :], add_reduce(total, 0)]))[-1]


@quiet
def _cast_sum(x: Any, axes: Any, keepdims: bool, dtype: Any) -> Any:
    """`sum` in another dtype than that of `x`."""
    if x.dtype.kind == "c" and dtype.kind != "c":
        x = x.real
    if x.dtype.kind == "b" and dtype.kind in "iu" and x.__class__ is np.ndarray:
        if axes is None or axes.__class__ is tuple and len(axes) == x.ndim:
            return np.full((1,) * x.ndim if keepdims else (), np.count_nonzero(x), np.int64).astype(dtype, copy=False)
    if dtype is _I64:
        return _integer_sum(x, axes, keepdims)
    if dtype.itemsize == 2 and dtype.kind in "fV":
        return add_reduce(x, axes, _F32, keepdims=keepdims).astype(dtype)
    return add_reduce(x, axes, dtype, keepdims=keepdims)


def _integer_sum(x: Any, axes: Any, keepdims: bool) -> Any:
    """The sum of integers in int64."""
    if x.size >= LARGE and x.dtype.kind in "iub" and x.__class__ is np.ndarray and x.flags.carray and usable():
        ndim = x.ndim
        over = range(ndim) if axes is None else sorted([axis % ndim for axis in ((axes,) if axes.__class__ is int else axes)])
        kept = ndim - len(over)
        if list(over) == list(range(kept, ndim)):  # the last dimensions
            outer = math.prod(x.shape[:kept])
            parts = max(1, min(64, x.size // LARGE)) if outer == 1 else 1
            while x.size % parts:
                parts -= 1
            out = np.empty(outer * parts, np.int64)
            rows.integer_sums(x.itemsize, x.dtype.kind in "ub")(out, x, float(out.size), float(x.size // out.size), 1.0)
            totals = add_reduce(out, keepdims=True) if parts > 1 else out
            return totals.reshape(x.shape[:kept] + ((1,) * len(over) if keepdims else ()))
    return add_reduce(x, axes, _I64, None, keepdims)


@quiet
def sum_rows(x: Any, keepdims: bool) -> Any:
    """The sum of the rows of a large matrix: products of blocks with a vector of ones are faster than a reduction."""
    rows, columns = x.shape
    block = SHORT // columns
    if rows <= block:
        result = np.dot(np.ones(rows, x.dtype), x)
    elif block < 2:
        result = add_reduce(x, 0)
    else:
        whole = rows // block * block
        result = add_reduce(np.matmul(np.ones(block, x.dtype), x[:whole].reshape(-1, block, columns)), 0)
        if whole < rows:
            result += np.dot(np.ones(rows - whole, x.dtype), x[whole:])
    return result[None] if keepdims else result


@quiet
def square_sum(arrays: list[Any]) -> Any:
    """The sum of all squares in some arrays, a float; None unless they are of one dtype, float32 or float64."""
    total = library.squares_of_all(arrays) if usable() else None
    if total is None:
        dtype = arrays[0].dtype
        if dtype is not _F32 and dtype is not _F64:
            return None
        for array in arrays:
            if array.__class__ is not np.ndarray or array.dtype is not dtype:
                return None
        flats = [array.ravel("K") for array in arrays]
        if usable():
            return library.squares_of_all(flats)
        total = 0.0
        for flat in flats:
            whole = flat.size // SHORT * SHORT
            if whole:
                blocks = flat[:whole].reshape(-1, SHORT)
                total += float(add_reduce(np.vecdot(blocks, blocks), dtype=np.float64))
            total += float(np.dot(flat[whole:], flat[whole:]))
    return total


def mean(x: Any, axes: Any, keepdims: bool, count: int) -> Any:
    """The sum over `axes` divided by `count`."""
    totals = sums_in_order(x, axes, keepdims)
    if totals is not None:
        totals /= count
        return totals
    token = silence(SILENT)
    try:
        if x.size >= LARGE:
            values = reduced(library.total, x, axes)
            if values is not None:
                return _finished(values / count, x, axes, keepdims, x.dtype)
        if x.dtype.itemsize == 2:
            return np.divide(add_reduce(x, axes, _F32, None, keepdims), _F32.type(count)).astype(x.dtype)
        if in_order(x, axes):
            total = ordered_sum(x.reshape(-1), 8 if x.dtype is _F32 else 4)
            total = np.full((1,) * x.ndim, total) if keepdims else total
        else:
            total = add_reduce(x, axes, None, None, keepdims)
        if total.__class__ is np.ndarray:
            total /= count
            return total
        return total / total.dtype.type(count)
    finally:
        restore(token)


@quiet
def nansum(x: Any, axes: Any, keepdims: bool, dtype: Any) -> Any:
    """The sum over `axes` without NaN; half precision adds in float32."""
    if x.size >= LARGE and dtype is x.dtype:
        values = reduced(library.without_nan, x, axes)
        if values is not None:
            return _finished(values, x, axes, keepdims, dtype)
    wide = _F32 if dtype.itemsize == 2 and dtype.kind in "fV" else dtype
    if x.dtype.kind in "fcV":
        return np.asarray(add_reduce(x, axes, wide, keepdims=keepdims, where=x == x)).astype(dtype)
    return np.asarray(add_reduce(x, axes, wide, keepdims=keepdims)).astype(dtype)


@quiet
def prod(x: Any, axes: Any = None, keepdims: bool = False, dtype: Any = None) -> Any:
    """The product over `axes`; half precision multiplies in float32."""
    target = x.dtype if dtype is None else dtype
    if x.dtype is target and (target is _F32 or target is _F64):
        found = _small_axes(x, axes)
        if found is not None:
            out = np.empty(_reduced_shape(x.shape, found[0], keepdims), target)
            return rows.products("f32" if target is _F32 else "f64")(out, x, *found[1])
    if target.itemsize == 2 and target.kind in "fV":
        from .memory import cast  # which asks for sums itself

        wide = cast(x, _F32) if x.dtype is target and x.size >= LARGE else None
        if wide is not None:
            return np.asarray(prod(wide, axes, keepdims)).astype(target)
        return multiply_reduce(x, axes, _F32, keepdims=keepdims).astype(target)
    if x.size >= LARGE and not keepdims and x.__class__ is np.ndarray and x.flags.c_contiguous and (axes is None or len(axes) == x.ndim):
        rest = x.size % 1024
        columns = multiply_reduce(x.reshape(-1)[: x.size - rest].reshape(-1, 1024), 0, target)
        return np.asarray(multiply_reduce(columns) * multiply_reduce(x.reshape(-1)[x.size - rest :], dtype=target))
    return multiply_reduce(x, axes, target, keepdims=keepdims)


def _small_axes(x: Any, axes: Any) -> tuple[Any, tuple[float, float, float]] | None:
    """One axis (None for all) of an array that a kernel reduces as (outer, n, inner), and these sizes; None for others."""
    if x.__class__ is not np.ndarray or not x.flags.carray or not x.size or not usable():
        return None
    ndim = x.ndim
    if axes is None or len(axes) == ndim:
        return None, (1.0, float(x.size), 1.0)
    if len(axes) != 1:
        return None
    axis, shape = axes[0], x.shape
    n = shape[axis]
    inner = 1 if axis == ndim - 1 else math.prod(shape[axis + 1 :])
    return axis, (float(x.size // (n * inner)), float(n), float(inner))


def _reduced_shape(shape: Any, axis: int | None, keepdims: bool) -> Any:
    """A shape without an axis, or with 1 there; None for all axes."""
    if axis is None:
        return (1,) * len(shape) if keepdims else ()
    return (*shape[:axis], 1, *shape[axis + 1 :]) if keepdims else shape[:axis] + shape[axis + 1 :]


def spread(x: Any, axes: Any, keepdims: bool, count: int, correction: float, root: bool) -> tuple[Any, Any] | None:
    """The variance of float32 over `axes`, or its `root`, and the mean, both float32; None where `var` has to compute it."""
    if x.dtype is not _F32 or x.size >= LARGE:
        return None
    found = _small_axes(x, axes)
    if found is None:
        return None
    shape = _reduced_shape(x.shape, found[0], keepdims)
    out, mean = np.empty(shape, _F32), np.empty(shape, _F32)
    rows.spread("f32")(out, mean, x, *found[1], float(max(count - correction, 0)), 1.0 if root else 0.0)
    return out, mean


def _row_extremes(x: Any, axes: Any, keepdims: bool, largest: bool) -> Any:
    """The largest (smallest) element of each long row of float32 or float64; None for others."""
    dtype = x.dtype
    if axes.__class__ is int:
        axes = (axes % x.ndim,)
    if not (dtype is _F32 or dtype is _F64) or axes != (x.ndim - 1,) or x.shape[-1] < 64:
        return None
    found = _small_axes(x, axes)
    if found is None:
        return None
    out = np.empty(_reduced_shape(x.shape, found[0], keepdims), dtype)
    return rows.extremes("f32" if dtype is _F32 else "f64", largest)(out, x, *found[1])


def maximum(x: Any, axes: Any = None, keepdims: bool = False) -> Any:
    """The largest element over `axes`; NaN where there is one."""
    token = silence(SILENT)
    try:
        if x.size >= LARGE:
            found = _row_extremes(x, axes, keepdims, True)
            if found is not None:
                return found
            values = reduced(library.largest, x, axes)
            if values is not None:
                return _finished(values, x, axes, keepdims, x.dtype)
        return maximum_reduce(x, axes, None, None, keepdims)
    finally:
        restore(token)


def minimum(x: Any, axes: Any = None, keepdims: bool = False) -> Any:
    """The smallest element over `axes`; NaN where there is one."""
    token = silence(SILENT)
    try:
        if x.size >= LARGE:
            found = _row_extremes(x, axes, keepdims, False)
            if found is not None:
                return found
            values = reduced(library.smallest, x, axes)
            if values is not None:
                return _finished(values, x, axes, keepdims, x.dtype)
        return minimum_reduce(x, axes, None, None, keepdims)
    finally:
        restore(token)


def _places(kernel: Any, x: Any, axis: int, keepdims: bool) -> Any:
    """A kernel that finds one index in each row along an axis; None where it cannot be compiled."""
    if x.__class__ is not np.ndarray or not x.size or not takes_float(x.dtype):
        return None
    axis %= x.ndim
    from .memory import contiguous  # which asks for sums itself

    moved = contiguous(np.moveaxis(x, axis, -1))
    found = compiled_for(kernel, moved)
    if found is None:
        return None
    places = np.empty(moved.shape[:-1], np.int64)
    found(moved, places)
    return np.expand_dims(places, axis) if keepdims else places


def argmax(x: Any, axis: int | None, keepdims: bool = False) -> Any:
    """The index of the first largest element (or first NaN)."""
    if axis is not None and x.size >= LARGE:
        places = _places(library.argmax, x, axis, keepdims)
        if places is not None:
            return places
    return x.argmax(axis, keepdims=keepdims)


def argmin(x: Any, axis: int | None, keepdims: bool = False) -> Any:
    """The index of the first smallest element (or first NaN)."""
    if axis is not None and x.size >= LARGE:
        places = _places(library.argmin, x, axis, keepdims)
        if places is not None:
            return places
    return x.argmin(axis, keepdims=keepdims)


def _truth(x: Any) -> Any:
    """Where large arrays of half precision are not zero; others as they are."""
    if x.dtype.itemsize != 2 or x.size < LARGE or x.dtype.kind not in "fV":
        return x
    from .elementwise import not_equal

    return not_equal(x, 0.0)


def any_true(x: Any, axes: Any = None, keepdims: bool = False) -> Any:
    """Whether any element is not zero."""
    return logical_or_reduce(_truth(x), axes, None, None, keepdims)


def all_true(x: Any, axes: Any = None, keepdims: bool = False) -> Any:
    """Whether no element is zero."""
    return logical_and_reduce(_truth(x), axes, None, None, keepdims)


def count_nonzero(x: Any, axes: Any = None) -> Any:
    """How many elements are not zero."""
    if x.dtype.kind in "fi" and x.size >= LARGE and x.__class__ is np.ndarray and x.flags.c_contiguous:
        from .elementwise import not_equal

        x = not_equal(x, 0)
    else:
        x = _truth(x)
    if x.dtype.kind == "b" and axes is not None:
        return _integer_sum(x, axes, False)
    return np.asarray(np.count_nonzero(x, axes), np.int64)


@quiet
def var(x: Any, axes: Any, keepdims: bool, count: int, correction: float) -> tuple[Any, Any]:
    """The variance over `axes`, its sum of squares divided by `count - correction`; and the mean, both computed and left in float64.

    So does PyTorch, and rounds at the end.
    """
    by = max(count - correction, 0)
    if x.size >= LARGE:
        centre = reduced(library.wide_total, x, axes)
        if centre is not None:
            centre = centre / count
            total = reduced(library.deviations, x, axes, centre)
            if total is not None:
                return _finished(total / by, x, axes, keepdims, _F64), _finished(centre, x, axes, keepdims, _F64)
    work = x.astype(np.result_type(x.dtype, _F64) if x.dtype.kind == "c" else _F64, copy=False)
    mean_kept = add_reduce(work, axes, keepdims=True) / count
    centred = work - mean_kept
    squares = (centred.real**2 + centred.imag**2) if centred.dtype.kind == "c" else np.multiply(centred, centred, out=centred)
    result = np.divide(add_reduce(squares, axes, keepdims=keepdims), by)
    return result, (mean_kept if keepdims else mean_kept.reshape(np.shape(result)))


def norms_of_all(arrays: list[Any]) -> Any:
    """The 2-norm of each array; None unless all are of one dtype, float32 or float64, row-major, and kernels are compiled here."""
    dtype = arrays[0].dtype
    if not (dtype is _F32 or dtype is _F64) or not usable():
        return None
    out = np.empty(len(arrays), dtype)
    return out if norms.of_list(dtype.itemsize)(out, arrays) is out else None


def _norms_in_order(x: Any, axes: Any, keepdims: bool) -> Any:
    """The 2-norm of all of an array or over its last dimensions, in PyTorch's order; None for others."""
    if x.__class__ is not np.ndarray or not (x.dtype is _F32 or x.dtype is _F64) or not x.size or not usable():
        return None
    if axes is None:
        axes = _DIMS[: x.ndim]
        x = x if x.flags.carray else x.ravel("K").reshape(x.shape)
    kept = x.ndim - len(axes)
    if not x.flags.carray or axes != _DIMS[kept : x.ndim]:
        return None
    out = np.empty(x.shape[:kept] + (1,) * len(axes) if keepdims else x.shape[:kept], x.dtype)
    return norms.of_rows(x.itemsize)(out, x, _row_plan(out.size, x.size // out.size))


@quiet
def norm(x: Any, p: float, axes: Any, keepdims: bool) -> Any:
    """The p-norm over `axes`; half precision in float32, complex by magnitudes."""
    if p == 2 and (result := _norms_in_order(x, axes, keepdims)) is not None:
        return result
    low = x.dtype
    if x.size >= LARGE and p in (1, 2, np.inf):
        values = reduced(library.squares if p == 2 else library.size if p == 1 else library.largest_size, x, axes)
        if values is not None:
            return _finished(np.sqrt(values) if p == 2 else values, x, axes, keepdims, low)
    if low.itemsize == 2:
        x = x.astype(_F32)
    if p == 2 and x.dtype.kind != "c":
        if axes is None and x.__class__ is np.ndarray and x.flags.c_contiguous:
            result = np.sqrt(x.dtype.type(square_sum([x])))
            result = result.reshape((1,) * x.ndim) if keepdims else result
        else:
            result = np.sqrt(add_reduce(x * x, axes, keepdims=keepdims))
    else:
        magnitude = np.abs(x)
        if p == np.inf:
            result = maximum_reduce(magnitude, axes, keepdims=keepdims, initial=0)
        elif p == -np.inf:
            result = minimum_reduce(magnitude, axes, keepdims=keepdims)
        elif p == 0:
            result = add_reduce(magnitude != 0, axes, keepdims=keepdims, dtype=magnitude.dtype)
        elif p == 1:
            result = add_reduce(magnitude, axes, keepdims=keepdims)
        elif p == 2:
            result = np.sqrt(add_reduce(magnitude * magnitude, axes, keepdims=keepdims))
        else:
            result = add_reduce(magnitude ** magnitude.dtype.type(p), axes, keepdims=keepdims) ** magnitude.dtype.type(1 / p)
    return np.asarray(result).astype(low) if low.itemsize == 2 else np.asarray(result)


@quiet
def logsumexp(x: Any, axes: Any, keepdims: bool) -> Any:
    """log(sum(exp(x))) over `axes`, without overflow; half precision in steps, each of which is rounded, as in PyTorch."""
    low = x.dtype
    if low.itemsize == 2 and x.size:
        from . import elementwise as k

        peak = np.asarray(maximum(x, axes, True))
        peak = np.where(np.isinf(peak), np.asarray(0, low), peak)
        total = k.log(np.asarray(sum(k.exp(k.subtract(x, peak)), axes, keepdims)))
        return k.add(total, peak.reshape(total.shape))
    if x.size >= LARGE:
        peak = reduced(library.largest, x, axes)
        if peak is not None:
            peak = np.where(np.isinf(peak), 0, peak)
            total = reduced(library.exponentials, x, axes, peak)
            if total is not None:
                return _finished(np.log(total) + peak, x, axes, keepdims, low)
    if low.itemsize == 2:
        x = x.astype(_F32)
    if x.size == 0:
        return np.log(add_reduce(np.exp(x), axes, keepdims=keepdims)).astype(low)
    peak = maximum_reduce(x, axes, keepdims=True)
    if x.dtype.kind == "c":
        peak = peak.real
    peak = np.where(np.isinf(peak), peak.dtype.type(0), peak)
    result = np.log(add_reduce(np.exp(x - peak), axes, keepdims=keepdims))
    return (result + (peak if keepdims else peak.reshape(np.shape(result)))).astype(low)


def place_along(values: Any, indices: Any, shape: Any, axis: int) -> Any:
    """Zeros of `shape` with `values` put at `indices` along the axis."""
    result = np.zeros(shape, values.dtype)
    if result.size < LARGE or not scatter(result, axis, indices, values, False):
        np.put_along_axis(result, indices, values, axis)
    return result


@quiet
def product_of_others(x: Any, axis: int) -> Any:
    """For each element the product of all others along the axis."""
    n = x.shape[axis]
    if n == 0:
        return x.copy()
    if x.dtype.itemsize == 2 and x.dtype.kind in "fV":
        return product_of_others(x.astype(_F32), axis).astype(x.dtype)
    if x.dtype.kind == "f" and x.dtype.itemsize > 2 and x.all():
        return prod(x, (axis,), True) / x
    moved = np.moveaxis(x, axis, -1)
    before, behind = np.ones_like(moved), np.ones_like(moved)
    np.multiply.accumulate(moved[..., :-1], -1, out=before[..., 1:])
    behind[..., :-1] = np.multiply.accumulate(moved[..., :0:-1], -1)[..., ::-1]
    return np.moveaxis(before * behind, -1, axis)


@quiet
def renorm(x: Any, p: float, axis: int, maxnorm: float) -> Any:
    """Each slice along the axis whose p-norm exceeds `maxnorm`, scaled down to it."""
    norms = norm(x, p, tuple([i for i in range(x.ndim) if i != axis]), True)
    if norms.dtype.itemsize == 2:
        norms = norms.astype(_F32)
    one = norms.dtype.type(1)
    return (x * np.where(norms > maxnorm, norms.dtype.type(maxnorm) / (norms + norms.dtype.type(1e-7)), one)).astype(x.dtype)


def zero_where(condition: Any, x: Any) -> Any:
    """x with zeros where the condition holds."""
    return np.where(condition, x.dtype.type(0), x)
