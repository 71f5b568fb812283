"""The compiled kernels of `library/places.py`, for arrays that they take: each returns False or None for others."""

import math
from typing import Any

import numpy as np

from ..core.layout import place
from .compiler import usable
from .library import places as library

_F32, _I64 = np.dtype(np.float32), np.dtype(np.int64)
_SIZES = (1, 2, 4, 8)
ADDED = {np.dtype(np.float32): "float", np.dtype(np.float64): "double", _I64: "i64", np.dtype(np.int32): "i32",
         np.dtype(np.int16): "i16", np.dtype(np.int8): "i8", np.dtype(np.uint8): "i8"}  # fmt: skip
"""The LLVM types of the dtypes that are added."""

MANY = 1 << 14
"""Elements from which on a compiled `take` beats NumPy's."""


def _plain(array: Any) -> bool:
    flags = array.flags
    return flags.c_contiguous and flags.aligned


def _split(shape: tuple[int, ...], dim: int) -> tuple[float, float, float]:
    """(outer, n, inner)."""
    if len(shape) == 1:
        return 1.0, float(shape[0]), 1.0
    return float(math.prod(shape[:dim])), float(shape[dim]), float(math.prod(shape[dim + 1 :]))


def take(x: Any, dim: int, index: Any, wrap: bool, into: Any = None) -> Any:
    """The parts of x at indices (any shape) along a dimension, or None. Raises IndexError for one out of range."""
    shape = x.shape[:dim] + index.shape + x.shape[dim + 1 :]
    if math.prod(shape) < MANY or x.dtype.itemsize not in _SIZES or index.dtype is not _I64 or not (_plain(x) and usable()):
        return None
    if not index.flags.c_contiguous:
        index = index.copy("C")
    out = place(into, shape, x.dtype)
    if library.take(x.dtype.itemsize, wrap)(out, x, index, *_split(x.shape, dim), float(index.size)) is not out:
        raise IndexError
    return out


def add_rows(target: Any, dim: int, index: Any, rows: Any, wrap: bool, skip: int = -1) -> bool:
    """target[..., index[i], ...] += rows[..., i, ...]; raises IndexError for an index out of range."""
    dtype = target.dtype
    if dtype not in ADDED or rows.dtype != dtype or index.dtype is not _I64 or not (rows.size and _plain(target) and usable()):
        return False
    if not index.flags.c_contiguous:
        index = index.copy("C")
    if not _plain(rows):
        rows = rows.copy("C")
    kernel = library.add_rows(ADDED[dtype], wrap)
    if kernel(target, index, rows, *_split(target.shape, dim), float(index.size), float(skip)) is not target:
        raise IndexError
    return True


def reverse(x: Any) -> Any:
    """A copy with the order along the last dimension reversed, or None."""
    if x.size < MANY or x.dtype.itemsize not in _SIZES or x.__class__ is not np.ndarray or not (_plain(x) and usable()):
        return None
    n = x.shape[-1]
    return library.reverse(x.dtype.itemsize)(np.empty(x.shape, x.dtype), x, float(x.size // n), float(n))


def triangle(x: Any, diagonal: int, lower: bool, into: Any = None) -> Any:
    """A copy with zeros above (`lower`) or below a diagonal of the last two dimensions, or None."""
    if x.size < MANY or x.dtype.itemsize not in _SIZES or x.__class__ is not np.ndarray or not (_plain(x) and usable()):
        return None
    rows, columns = x.shape[-2:]
    sizes = x.size // (rows * columns), rows, columns, max(-rows, min(diagonal, columns))
    return library.triangle(x.dtype.itemsize, lower)(place(into, x.shape, x.dtype), x, *map(float, sizes))


def put_rows(target: Any, dim: int, index: Any, rows: Any) -> bool:
    """target[..., index[i], ...] = rows[..., i, ...], negative indices from the end; raises IndexError for an index out of range."""
    size = target.dtype.itemsize
    if (
        size not in _SIZES
        or rows.dtype != target.dtype
        or index.dtype is not _I64
        or not (rows.size > MANY and _plain(target) and usable())
    ):
        return False
    kernel = library.put_rows(size, True)
    sizes = _split(target.shape, dim)
    if kernel(target, _contiguous(index), _contiguous(rows), *sizes, float(index.size), -1.0) is not target:
        raise IndexError
    return True


def bags(table: Any, index: Any, starts: Any, skip: int, largest: bool = False) -> Any:
    """The sums of rows of `table` at indices, which must be in range, in bags from each start to the next; None for other arrays.

    largest: instead of the sums the largest elements and the indices of their rows.
    """
    dtype = table.dtype
    if dtype.kind != "f" or dtype not in ADDED or index.dtype is not _I64 or starts.dtype is not _I64 or not (index.size and starts.size):
        return None
    if not (_plain(table) and usable()):
        return None
    out = np.empty((starts.size, table.shape[1]), dtype)
    sizes = starts.size, index.size, table.shape[1], skip
    if largest:
        places = np.empty(out.shape, np.int64)
        kernel = library.largest_in_bags(ADDED[dtype])
        return kernel(out, places, table, _contiguous(index), _contiguous(starts), *map(float, sizes)), places
    return library.bags(ADDED[dtype])(out, table, _contiguous(index), _contiguous(starts), *map(float, sizes))


def _fits(x: Any, index: Any, dim: int) -> bool:
    """Whether the index has the shape of x but in `dim`."""
    if index.dtype is not _I64 or not index.size or not (_plain(x) and usable()):
        return False
    a, b = x.shape, index.shape
    return a == b or (len(a) == len(b) and a[:dim] == b[:dim] and a[dim + 1 :] == b[dim + 1 :])


def _contiguous(array: Any) -> Any:
    return array if _plain(array) else array.copy("C")


def gather(x: Any, dim: int, index: Any, into: Any = None) -> Any:
    """x at the index along a dimension, or None. Raises IndexError for an index out of range."""
    if x.dtype.itemsize not in _SIZES or not _fits(x, index, dim):
        return None
    out = place(into, index.shape, x.dtype)
    kernel = library.gather(x.dtype.itemsize)
    outer, n, inner = _split(x.shape, dim)
    if kernel(out, _contiguous(index), x, outer, n, inner, float(index.shape[dim])) is not out:
        raise IndexError
    return out


def scatter(target: Any, dim: int, index: Any, source: Any, add: bool) -> bool:
    """Writes or adds the source into the target at the index along a dimension. Raises IndexError for an index out of range."""
    dtype = target.dtype
    if source.dtype != dtype or source.shape != index.shape or not _fits(target, index, dim):
        return False
    if add:
        if dtype.char in "eE":  # added up in float32, rounded once
            from .elementwise import cast

            wide = cast(target, _F32) if _fits(target, index, dim) else None
            if wide is None or not scatter(wide, dim, index, cast(source, _F32), True):
                return False
            target[...] = cast(wide, dtype)
            return True
        if dtype not in ADDED:
            return False
        kernel = library.scatter_add(ADDED[dtype])
    elif dtype.itemsize in _SIZES:
        kernel = library.scatter(dtype.itemsize)
    else:
        return False
    outer, n, inner = _split(target.shape, dim)
    if kernel(target, _contiguous(index), _contiguous(source), outer, n, inner, float(index.shape[dim])) is not target:
        raise IndexError
    return True
