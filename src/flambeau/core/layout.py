"""Shapes and strides by PyTorch's rules, and views of an array by explicit strides.

NumPy's own strides differ from PyTorch's for sizes 0 and 1; whoever makes a view with such sizes makes it here.
Strides are in elements, as PyTorch counts them, unless a name says bytes.
"""

import math
from typing import Any, Sequence

import numpy as np
from numpy.lib.stride_tricks import as_strided as _numpy_as_strided

ndarray = np.ndarray


def contiguous_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides of a row-major tensor; sizes 0 count as 1."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n if n > 1 else 1
    return tuple(reversed(strides))


def strides_of(array: Any) -> tuple[int, ...]:
    """An array's strides in elements."""
    if array.size == 0:
        return contiguous_strides(array.shape)
    itemsize = array.itemsize
    return tuple([s // itemsize for s in array.strides])


def address(array: Any) -> int:
    """The address of the array's first element."""
    return array.__array_interface__["data"][0]


def root_of(array: ndarray) -> ndarray:
    """The array that owns the memory `array` lies in: its storage."""
    while True:
        base = array.base
        if not isinstance(base, ndarray):
            base = getattr(base, "base", None)  # what NumPy's as_strided puts between a view and its array
            if not isinstance(base, ndarray):
                return array
        array = base


def storage_offset(array: ndarray) -> int:
    """How many elements `array` begins behind the start of its storage."""
    root = root_of(array)
    return 0 if root is array else (address(array) - address(root)) // array.itemsize


def strided_view(array: ndarray, shape: Sequence[int], strides: Sequence[int], offset: int = 0) -> ndarray:
    """A view that begins `offset` elements behind `array`'s first (it may be negative), with any shape and strides.

    The caller has checked that it stays inside the storage.
    """
    itemsize = array.itemsize
    bytes_ = [s * itemsize for s in strides]
    if offset:
        root = root_of(array)
        start = address(array) - address(root) + offset * itemsize
        if root.flags.c_contiguous or root.flags.f_contiguous:
            flat = root.reshape(-1, order="A").view(np.uint8) if root.dtype != array.dtype else root.reshape(-1, order="A")
            return ndarray(tuple(shape), array.dtype, flat, start, bytes_)
        shifted = _numpy_as_strided(array.view(), (abs(offset) + 1,), (itemsize if offset > 0 else -itemsize,))[-1:]
        return _numpy_as_strided(shifted, tuple(shape), bytes_, writeable=array.flags.writeable)
    return _numpy_as_strided(array, tuple(shape), bytes_, writeable=array.flags.writeable)


def normalize_dim(dim: int, ndim: int) -> int:
    """A dimension counted from the front. Raises IndexError out of range, as PyTorch does (a 0-dim tensor has one)."""
    bound = ndim if ndim > 0 else 1
    if not -bound <= dim < bound:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-bound}, {bound - 1}], but got {dim})")
    return dim + bound if dim < 0 else dim


def normalize_dims(dims: Sequence[int], ndim: int) -> tuple[int, ...]:
    """Several dimensions counted from the front. Raises RuntimeError where one appears twice."""
    found = tuple([normalize_dim(d, ndim) for d in dims])
    if len(set(found)) != len(found):
        double = next(d for i, d in enumerate(found) if d in found[:i])
        raise RuntimeError(f"dim {double} appears multiple times in the list of dims")
    return found


def infer_size(shape: Sequence[int], numel: int) -> tuple[int, ...]:
    """A requested shape with its -1 worked out. Raises RuntimeError where it does not hold `numel` elements."""
    missing, known = -1, 1
    for i, n in enumerate(shape):
        if n == -1:
            if missing >= 0:
                raise RuntimeError("only one dimension can be inferred")
            missing = i
        elif n < 0:
            raise RuntimeError(f"invalid shape dimension {n}")
        else:
            known *= n
    if missing < 0:
        if known != numel:
            raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {numel}")
        return tuple(shape)
    if known == 0:
        raise RuntimeError(
            f"cannot reshape tensor of 0 elements into shape {list(shape)} because the unspecified dimension size -1 can be any "
            "value and is ambiguous"
        )
    if numel % known:
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {numel}")
    return (*shape[:missing], numel // known, *shape[missing + 1 :])


def view_strides(shape: Sequence[int], strides: Sequence[int], new: Sequence[int]) -> tuple[int, ...] | None:
    """The strides with which a tensor can be seen in the shape `new` without copying, or None if it cannot.

    Runs of dimensions that lie evenly in memory are merged, then cut anew.
    """
    numel = math.prod(shape)
    if numel == 0:
        return tuple(strides) if tuple(shape) == tuple(new) else contiguous_strides(new)
    result = [0] * len(new)
    view_dim = len(new) - 1
    base_stride = strides[-1] if strides else 1
    run = view_run = 1
    for dim in range(len(shape) - 1, -1, -1):
        run *= shape[dim]
        if dim == 0 or (shape[dim - 1] != 1 and strides[dim - 1] != run * base_stride):
            while view_dim >= 0 and (view_run < run or new[view_dim] == 1):
                result[view_dim] = view_run * base_stride
                view_run *= new[view_dim]
                view_dim -= 1
            if view_run != run:
                return None
            if dim > 0:
                base_stride, run, view_run = strides[dim - 1], 1, 1
    while view_dim >= 0 and not shape:  # a 0-dim tensor seen with dimensions of size 1
        result[view_dim] = 1
        view_dim -= 1
    return tuple(result)


def broadcast_error(a: Sequence[int], b: Sequence[int]) -> RuntimeError:
    """What PyTorch raises where two shapes do not broadcast."""
    for back in range(1, min(len(a), len(b)) + 1):
        if a[-back] != b[-back] and 1 not in (a[-back], b[-back]):
            dim = max(len(a), len(b)) - back
            return RuntimeError(
                f"The size of tensor a ({a[-back]}) must match the size of tensor b ({b[-back]}) at non-singleton dimension {dim}"
            )
    return RuntimeError(f"shapes {list(a)} and {list(b)} cannot be broadcast")


def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The common shape of broadcast operands. Raises RuntimeError, naming sizes and dimension, where there is none."""
    result: tuple[int, ...] = ()
    for shape in shapes:
        wide, narrow = (result, tuple(shape)) if len(result) >= len(shape) else (tuple(shape), result)
        skip = len(wide) - len(narrow)
        merged = list(wide)
        for i, n in enumerate(narrow, skip):
            if n != merged[i]:
                if merged[i] == 1:
                    merged[i] = n
                elif n != 1:
                    raise broadcast_error(result, shape)
        result = tuple(merged)
    return result
