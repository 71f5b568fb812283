"""Kernels that gather, scatter and reduce at places along a dimension, and by masks."""

from typing import Any

import numpy as np

from . import places as compiled
from .compiler import mapped, usable
from .elementwise import not_equal
from .indexing import add_rows
from .library import elementwise, finding
from .pointwise import LARGE
from .quiet import quiet

ndarray = np.ndarray


def _check(index: Any, n: int, dim: int) -> None:
    """Raises RuntimeError for an index out of [0, n)."""
    if out_of_range(index, n):
        bad = index[(index < 0) | (index >= n)].flat[0]
        raise RuntimeError(f"index {bad} is out of bounds for dimension {dim} with size {n}")


_UNSIGNED = {np.dtype(np.int64): np.uint64, np.dtype(np.int32): np.uint32}


def out_of_range(index: Any, n: int) -> bool:
    """Whether any index lies outside [0, n). As unsigned numbers the negative ones are large, so one look will do."""
    unsigned = _UNSIGNED.get(index.dtype)
    if unsigned is None:
        return bool(index.size) and bool(index.min() < 0 or index.max() >= n)
    return bool(index.size) and int(np.maximum.reduce(index.view(unsigned), axis=None)) >= n


def places(index: Any, dim: int) -> tuple[Any, ...]:
    """Index arrays for all dimensions: `index` in `dim`, the own position in the others."""
    ndim = index.ndim
    found = []
    for d in range(ndim):
        if d == dim:
            found.append(index)
        else:
            shape = [1] * ndim
            shape[d] = index.shape[d]
            found.append(np.arange(index.shape[d]).reshape(shape))
    return tuple(found)


def flat_places(shape: Any, index: Any, dim: int) -> Any:
    """The same as running numbers in a row-major array of a shape: one index array, which NumPy takes several times faster."""
    step, factor = 1, 1
    base: Any = 0
    for d in range(len(shape) - 1, -1, -1):
        if d == dim:
            factor = step
        elif index.shape[d] > 1:
            line = np.arange(0, index.shape[d] * step, step).reshape((-1,) + (1,) * (len(shape) - 1 - d))
            base = base + line
        step *= shape[d]
    return index * factor + base if factor != 1 else index + base


def gather(x: Any, dim: int, index: Any, into: Any = None) -> Any:
    """`x` at `index` along a dimension; both have as many dimensions."""
    if not x.ndim:
        _check(index, 1, 0)
        return np.full(index.shape, x, x.dtype)
    if not index.ndim:
        index = index.reshape(1)
        _check(index, x.shape[dim], dim)
        return x[index].reshape(())
    try:
        found = compiled.gather(x, dim, index, into)
    except IndexError:
        _check(index, x.shape[dim], dim)
        raise
    if found is not None:
        return found
    _check(index, x.shape[dim], dim)
    if not index.size:
        return np.empty(index.shape, x.dtype)
    if x.ndim == 1:
        return x.take(index)
    if x.flags.c_contiguous:
        return x.reshape(-1).take(flat_places(x.shape, index, dim))
    return np.ascontiguousarray(x[places(index, dim)])


def _prepared(target: Any, index: Any, src: Any) -> tuple[Any, Any, Any]:
    """The three with at least one dimension, the source cut to the index."""
    target = target.reshape(1) if not target.ndim else target
    index = index.reshape(1) if not index.ndim else index
    if src.ndim and src.shape != index.shape:
        src = src[tuple([slice(n) for n in index.shape])]
    elif not src.ndim:
        src = np.broadcast_to(src, index.shape)
    return target, index, src


def _scattered(target: Any, dim: int, index: Any, src: Any, add: bool) -> bool:
    """Whether a compiled kernel has done it."""
    try:
        return compiled.scatter(target, dim, index, src, add)
    except IndexError:
        _check(index, target.shape[dim], dim)
        raise


def scatter(target: Any, dim: int, index: Any, src: Any) -> None:
    """Writes `src` (an array or one number as a 0-dim array) into `target` at `index` along a dimension."""
    if not index.size:
        return
    if not src.ndim and index.ndim:
        one, src = src, np.empty(index.shape, src.dtype)
        src[...] = one
    target, index, src = _prepared(target, index, src)
    if _scattered(target, dim, index, src, False):
        return
    _check(index, target.shape[dim], dim)
    if target.flags.c_contiguous and target.ndim > 1:
        target.reshape(-1)[flat_places(target.shape, index, dim)] = src
    else:
        target[places(index, dim)] = src


_UFUNC = {"sum": np.add, "prod": np.multiply, "amax": np.maximum, "amin": np.minimum, "mean": np.add}


@quiet
def scatter_with(target: Any, dim: int, index: Any, src: Any, reduce: str) -> None:
    """Combines `src` into `target` at `index` along a dimension; places named twice get both."""
    if not index.size:
        return
    target, index, src = _prepared(target, index, src)
    if reduce == "sum" and _scattered(target, dim, index, src, True):
        return
    _check(index, target.shape[dim], dim)
    if target.dtype.kind == "V" or target.dtype == np.float16:
        wide = target.astype(np.float32)
        _UFUNC[reduce].at(wide, places(index, dim), src.astype(np.float32))
        target[...] = wide
    elif target.flags.c_contiguous:
        # One running number per element: ufunc.at is several times faster with a single flat index.
        flat = flat_places(target.shape, index, dim)
        _UFUNC[reduce].at(target.reshape(-1), flat.reshape(-1), src.reshape(-1))
    else:
        _UFUNC[reduce].at(target, places(index, dim), src)


def _start_value(dtype: Any, reduce: str) -> Any:
    """What a reduction begins with."""
    if reduce in ("sum", "mean"):
        return 0
    if reduce == "prod":
        return 1
    if dtype.kind == "b":
        return reduce == "amin"
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return info.min if reduce == "amax" else info.max
    return -np.inf if reduce == "amax" else np.inf


@quiet
def scatter_reduce(target: Any, dim: int, index: Any, src: Any, reduce: str, include_self: bool) -> None:
    """Reduces all sources for a place (and what is there, with `include_self`) into it."""
    if not index.size:
        return
    target, index, src = _prepared(target, index, src)
    _check(index, target.shape[dim], dim)
    if target.flags.c_contiguous:
        where: Any = flat_places(target.shape, index, dim).reshape(-1)
        target, src = target.reshape(-1), src.reshape(-1)
    else:
        where = places(index, dim)
    if not include_self:
        target[where] = _start_value(target.dtype, reduce)
    if target.dtype.kind == "V" or target.dtype == np.float16:
        work, values = target.astype(np.float32), src.astype(np.float32)
    else:
        work, values = target, src
    _UFUNC[reduce].at(work, where, values)
    if reduce == "mean":
        counts = np.full(target.shape, 1 if include_self else 0, np.int64)
        np.add.at(counts, where, 1)
        counts = np.maximum(counts, 1)
        if work.dtype.kind in "iu":
            np.floor_divide(work, counts.astype(work.dtype), out=work)
        else:
            np.divide(work, counts.astype(work.dtype), out=work)
    if work is not target:
        target[...] = work


def along(index: Any, source: Any, dim: int) -> Any:
    """A vector of indices along a dimension, spread over the shape of the source."""
    if not source.ndim:
        return index.reshape(())
    shape = [1] * source.ndim
    shape[dim] = index.size
    return np.broadcast_to(index.reshape(shape), source.shape)


def index_select(x: Any, dim: int, index: Any, into: Any = None) -> Any:
    """The parts of `x` at a vector of indices along a dimension."""
    if not x.ndim:
        if index.size != 1:
            raise RuntimeError(f"index_select(): Index to scalar can have only 1 value, got {index.size} value(s)")
        if index.size and (index.min() < 0 or index.max() > 0):
            raise IndexError("index out of range in self")
        return x.copy() if index.size == 1 else np.full(index.size, x, x.dtype)
    n = x.shape[dim]
    try:
        found = compiled.take(x, dim, index.reshape(-1), False, into)
        if found is not None:
            return found
    except IndexError:
        pass
    if out_of_range(index, n):
        if not n and x.ndim > 1:
            raise RuntimeError("index_select(): self indexing axis dim should be positive")
        if dim == 1:
            first = next(i for i in index.reshape(-1).tolist() if not 0 <= i < n)
            raise RuntimeError(f"INDICES element is out of DATA bounds, id={first} axis_dim={n}")
        raise IndexError("index out of range in self")
    return x.take(index.reshape(-1), dim)


def index_add(target: Any, dim: int, index: Any, source: Any) -> None:
    """Adds the parts of a source to `target` at a vector of indices along a dimension."""
    if not index.size:
        return
    if not target.ndim:
        _check(index, 1, 0)
        target += source.sum() if source.ndim else source
        return
    if not source.ndim:
        source = source.reshape((1,) * target.ndim)
    try:
        if compiled.add_rows(target, dim, index, source, False):
            return
    except IndexError:
        pass
    _check(index, target.shape[dim], dim)
    if target.dtype.kind == "V" or target.dtype == np.float16:
        wide = target.astype(np.float32)
        add_rows(wide.swapaxes(0, dim), index, source.astype(np.float32).swapaxes(0, dim))
        target[...] = wide
    elif target.dtype.kind == "b":
        np.logical_or.at(target.swapaxes(0, dim), index.reshape(-1), source.swapaxes(0, dim))
    else:
        add_rows(target.swapaxes(0, dim), index, source.swapaxes(0, dim))


def index_copy(target: Any, dim: int, index: Any, source: Any, negative: bool = False) -> None:
    """Writes the parts of a source (or one number) into `target` at a vector of indices along a dimension."""
    n = target.shape[dim] if target.ndim else 1
    if index.size:
        low, high = int(index.min()), int(index.max())
        if low < (-n if negative else 0) or high >= n:
            bad = index[(index < (-n if negative else 0)) | (index >= n)].flat[0]
            raise IndexError(f"{'' if negative else 'index_copy_(): '}index {bad} is out of bounds for dimension {dim} with size {n}")
    if not target.ndim:
        if index.size:
            target[...] = source.reshape(()) if source.size == 1 else source[-1]
        return
    if source.ndim:
        if (
            target.__class__ is not np.ndarray
            or source.ndim != target.ndim
            or not compiled.put_rows(target, dim, index.reshape(-1), source)
        ):
            target.swapaxes(0, dim)[index.reshape(-1)] = source.swapaxes(0, dim)
    elif target.size > LARGE and dim:
        here = np.zeros(n, np.bool_)
        here[index.reshape(-1)] = True
        masked_fill(target, here.reshape(-1, *[1] * (target.ndim - dim - 1)), source)
    else:
        target.swapaxes(0, dim)[index.reshape(-1)] = source


def masked_fill(target: Any, mask: Any, value: Any) -> None:
    """Writes one number where a mask, broadcast, holds."""
    if not _large_fill(target, mask, value, target):
        np.copyto(target, value, where=mask, casting="unsafe")


def masked_filled(x: Any, mask: Any, value: Any) -> Any:
    """A row-major copy with one number where a mask, broadcast, holds."""
    if x.__class__ is np.ndarray and x.size > LARGE:
        result = np.empty(x.shape, x.dtype)
        if _large_fill(result, mask, value, x):
            return result
    result = np.array(x, order="C")
    np.copyto(result, value, where=mask, casting="unsafe")
    return result


def _large_fill(target: Any, mask: Any, value: Any, x: Any) -> bool:
    """Writes x with one number where the mask holds by a compiled kernel; False where there is none."""
    kernel, dtype = elementwise.where_number, target.dtype
    if target.size <= LARGE or target.__class__ is not np.ndarray or dtype.kind not in "fV" or not usable() or not kernel.takes(dtype):
        return False
    return mapped(kernel, dtype, target, mask, x, float(dtype.type(value))) is not None


def masked_select(x: Any, mask: Any, shape: Any) -> Any:
    """The elements where the mask holds; `shape` is True where both have the same, else what they broadcast to."""
    if shape is True:
        return x[mask] if x.ndim else x.reshape(1)[mask.reshape(1)]
    return np.broadcast_to(x, shape)[np.broadcast_to(mask, shape)]


def masked_place(values: Any, shape: Any, mask: Any, full: Any) -> Any:
    """Zeros of a shape with values where the mask holds; what was broadcast is summed."""
    result = np.zeros(full, values.dtype)
    if not full:
        if mask:
            result[...] = values[0]
        return result
    result[np.broadcast_to(mask, full)] = values
    if full == tuple(shape):
        return result
    from .memory import sum_to

    return sum_to(result, shape)


def masked_scatter(x: Any, mask: Any, source: Any, shape: Any) -> Any:
    """A copy of `x` with the elements of a source, one after the other, where the mask holds."""
    result = x.copy() if x.shape == shape else np.broadcast_to(x, shape).copy()
    mask = mask if mask.shape == shape else np.broadcast_to(mask, shape)
    count = int(np.count_nonzero(mask))
    if count > source.size:
        raise RuntimeError("Number of elements of source < number of ones in mask")
    if shape:
        result[mask] = source.reshape(-1)[:count]
    elif count:
        result[...] = source.reshape(-1)[0]
    return result


def take(x: Any, index: Any) -> Any:
    """The elements with the given numbers, row by row."""
    return np.asarray(x.take(index))


def put(x: Any, index: Any, source: Any, accumulate: bool) -> Any:
    """A copy with elements written or added at the given numbers, row by row."""
    result = x.copy()
    flat = result.reshape(-1)
    if accumulate:
        if x.dtype.kind == "V" or x.dtype == np.float16:
            wide = flat.astype(np.float32)
            np.add.at(wide, index.reshape(-1), source.reshape(-1).astype(np.float32))
            flat[...] = wide
        else:
            np.add.at(flat, index.reshape(-1), source.reshape(-1))
    else:
        flat[index.reshape(-1)] = source.reshape(-1)
    return result


def argwhere(x: Any) -> Any:
    """The indices of nonzero elements, a row each."""
    if not x.ndim:
        return np.empty((1 if x else 0, 0), np.int64)
    if x.__class__ is np.ndarray and x.dtype.kind != "c" and usable():
        mask = x if x.dtype.kind == "b" else not_equal(x, 0)
        mask = mask if mask.flags.c_contiguous else mask.copy("C")
        count = int(np.count_nonzero(mask))
        found = np.empty((count, x.ndim), np.int64)
        if count:
            last = mask.size - 1 - int(mask.reshape(-1)[::-1].argmax())
            finding.nonzero()(found, mask, np.array([x.ndim, *x.shape], np.int64), float(count), float(last))
        return found
    return np.ascontiguousarray(np.argwhere(x))


def one_hot(numbers: Any, classes: int) -> Any:
    """Zeros with a 1 at each number in a new last dimension."""
    result = np.zeros((numbers.size, classes), np.int64)
    result[np.arange(numbers.size), numbers.reshape(-1)] = 1
    return result.reshape(*numbers.shape, classes)


def first_rows(rows: Any, size: int, fill: int) -> Any:
    """The first `size` rows; missing ones are filled."""
    result = np.full((size, rows.shape[1]), fill, rows.dtype)
    result[: len(rows)] = rows[:size]
    return result


def distinct(index: Any) -> Any:
    """The numbers of a vector, each once."""
    return np.unique(index)


def from_the_front(index: Any, n: int) -> Any:
    """Negative indices counted from the front."""
    return np.where(index < 0, index + n, index)


def coordinates(numbers: Any, shape: Any) -> list[Any]:
    """The coordinates of elements given by their numbers in row-major order, an array per dimension."""
    found = []
    for n in reversed(shape):
        found.append(np.asarray(numbers % n))
        numbers = numbers // n
    return found[::-1]
