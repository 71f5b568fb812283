"""Memory: allocating, filling and copying arrays."""

import math
from functools import lru_cache
from typing import Any, Callable, Sequence

import numpy as np

from ..core.layout import empty_strided, ordered_strides
from ..core.meta import meta_like
from .compiler import mapped, usable
from .library import copying, finding, transposing
from .reduction import sum as sum_over

empty = np.empty
zeros = np.zeros
ones = np.ones
full = np.full
arange: Any = np.arange
array = np.array
asarray = np.asarray
ascontiguousarray = np.ascontiguousarray
concatenate = np.concatenate
empty_like = np.empty_like
eye = np.eye
frombuffer = np.frombuffer
stack = np.stack
tri = np.tri


LARGE = 1 << 15
"""From so many elements on copies are compiled."""


def like(x: Any, dtype: Any = None) -> Any:
    """An array in the shape and memory order of another, not filled. Dimensions that repeat tell nothing of the order, as in PyTorch."""
    if x.__class__ is np.ndarray and x.ndim > 1 and 0 in x.strides:
        return empty_strided(x.shape, ordered_strides(x.shape, x.strides), x.dtype if dtype is None else dtype)
    return np.empty_like(x) if dtype is None else np.empty_like(x, dtype)


def allocated(beside: Any, shape: Any, dtype: Any, make: Callable[..., Any] = np.empty) -> Any:
    """A new array, made by `make(shape, dtype)`; one without memory where `beside` is such."""
    return make(shape, dtype) if beside.__class__ is np.ndarray else meta_like(beside, shape, dtype)


def clone_like(source: Any, layout: Any) -> Any:
    """A copy of `source` in the memory order of `layout`, an array of the same shape."""
    try:
        result = np.empty_like(layout, source.dtype)
        _copy(result, source)
    except NotImplementedError:
        if not hasattr(source, "layout") and not hasattr(layout, "layout"):
            raise
        return copy_of(source)  # one of the two is sparse
    return result


def copy_of(x: Any) -> Any:
    """A copy of a dense or sparse array."""
    return x.duplicate() if hasattr(x, "layout") else x.copy()


def clone(source: Any) -> Any:
    """A copy in the same memory order where that is dense, else row-major."""
    return source.copy(order="K")


def row_major(x: Any) -> Any:
    """A row-major copy."""
    if x.size < LARGE:
        return x.copy()
    result = np.empty(x.shape, x.dtype)
    _copy(result, x)
    return result


def contiguous(x: Any) -> Any:
    """The array itself if it is row-major, else a copy that is."""
    return x if x.flags.c_contiguous else row_major(x)


def _copy(target: Any, source: Any) -> None:
    """Writes an array into another of the same dtype, broadcast."""
    if target.size < LARGE or not _large_copy(target, source):
        target[...] = source


def _large_copy(target: Any, source: Any) -> bool:
    """Copies by a compiled kernel; False where it can't. The two must be of one dtype."""
    if source.__class__ is not np.ndarray or target.dtype is not source.dtype or target.flags.c_contiguous and source.flags.c_contiguous:
        return False
    if not source.flags.aligned or not target.flags.behaved or np.may_share_memory(source, target) or not usable():
        return False
    size = target.itemsize
    if size in (1, 2, 4, 8) and target.flags.c_contiguous and source.shape == target.shape:
        sizes = transposing.plan(source.shape, source.strides, size)
        if sizes is not None:
            transposing.kernel(size)(target, source, sizes)
            return True
    as_bits = copying.BITS.get(size)
    return as_bits is not None and mapped(copying.copy, as_bits, target.view(as_bits), source.view(as_bits)) is not None


def cast(x: Any, dtype: Any) -> Any:
    """A copy in another dtype, made by a compiled kernel; None where there is none for these two."""
    kernel = copying.cast(x.dtype, dtype) if x.__class__ is np.ndarray and usable() else None
    return None if kernel is None else mapped(kernel, dtype, np.empty_like(x, dtype), x)


def copy_into(target: Any, source: Any) -> None:
    """Writes `source` into `target`, broadcast and cast."""
    if not hasattr(source, "dtype") or target.dtype == source.dtype:
        _copy(target, source)
        return
    if target.size >= LARGE and source.__class__ is np.ndarray and not np.may_share_memory(source, target) and usable():
        kernel = copying.cast(source.dtype, target.dtype)
        if kernel is not None and mapped(kernel, target.dtype, target, source) is not None:
            return
    from .quiet import SILENT, restore, silence

    token = silence(SILENT)
    try:
        np.copyto(target, source.real if source.dtype.kind == "c" and target.dtype.kind != "c" else source, casting="unsafe")
    finally:
        restore(token)


def fill(target: Any, value: Any) -> None:
    """Writes one value everywhere."""
    if target.size >= LARGE and target.__class__ is np.ndarray and target.flags.carray:
        size = target.itemsize
        one = np.empty(1, target.dtype)
        one.fill(value)
        if not any(one.tobytes()):
            target.reshape(-1).view(np.uint8).fill(0)  # which the C library does
            return
        if size in (1, 2, 4, 8) and usable():
            finding.fill(size)(target, one, float(target.size))
            return
    target.fill(value)


def sum_to(x: Any, shape: Sequence[int]) -> Any:
    """Adds up what was broadcast: the sum of `x` over the dimensions that `shape` lacks or has as 1."""
    axes = summed_dims(x.shape, shape)
    if axes:
        x = np.asarray(sum_over(x, axes))
    return x.reshape(shape)


@lru_cache(256)
def summed_dims(wide: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The dimensions of `wide` that are summed away to reach `shape`. Raises RuntimeError where no broadcasting made `wide`."""
    lead = len(wide) - len(shape)
    if lead < 0 or any(n != 1 and n != m for n, m in zip(shape[::-1], wide[::-1])):
        raise RuntimeError(f"a function returned an invalid gradient - got {list(wide)} but expected shape compatible with {list(shape)}")
    return tuple(range(lead)) + tuple(i for i, n in enumerate(shape, lead) if n == 1 and wide[i] != 1)


def broadcast(x: Any, shape: tuple[int, ...]) -> Any:
    """`x` seen in a larger shape; a small one element is written out, a large one stays a view."""
    if x.size == 1:
        count = math.prod(shape)
        if count <= 4096:
            out = np.empty(shape, x.dtype)
            out.fill(x.item() if x.dtype.kind != "V" else x.reshape(())[()])
            return out
    return np.broadcast_to(x, shape)


def keep_freed_memory() -> bool:
    """Has the C library keep freed arrays for the next ones instead of handing their pages back at every step.

    A training step allocates the same sizes again and again; without this, touching the new pages costs a quarter of it.
    Memory goes back when more than 1 GiB is free at the end of the heap. glibc only; `FLAMBEAU_KEEP_MEMORY=0` leaves the C
    library as it is. Returns whether it was done.
    """
    import os

    if os.environ.get("FLAMBEAU_KEEP_MEMORY") == "0" or "CS_GNU_LIBC_VERSION" not in getattr(os, "confstr_names", ()):
        return False
    import ctypes

    mallopt = ctypes.CDLL(None).mallopt
    trim_threshold, top_pad, most_mappings = -1, -2, -4
    return bool(mallopt(most_mappings, 0) and mallopt(trim_threshold, 1 << 30) and mallopt(top_pad, 64 << 20))


keep_freed_memory()


def no_index(x: Any) -> Any:
    """The index 0 of a tensor without dimensions, on its device."""
    return np.zeros_like(x, np.int64)


def shares_dense(a: Any, b: Any) -> bool:
    """Whether two arrays without gaps, each in some order of dimensions, reach into the same memory. Arrays without memory do not."""
    if a.__class__ is not np.ndarray or b.__class__ is not np.ndarray or not np.may_share_memory(a, b):
        return False
    return all(x.flags.forc or x.transpose(np.argsort([-s for s in x.strides], kind="stable")).flags.c_contiguous for x in (a, b))


def shares(a: Any, b: Any) -> bool:
    """Whether one array may reach into the memory of another, which is not the same object. Two that own theirs do not."""
    return (a.base is not None or b.base is not None) and np.may_share_memory(a, b)


def same_elements(a: Any, b: Any) -> bool:
    """Whether two arrays are the same view of the same memory."""
    return a.shape == b.shape and a.strides == b.strides and a.__array_interface__["data"][0] == b.__array_interface__["data"][0]
