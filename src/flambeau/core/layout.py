"""Shapes and strides by PyTorch's rules, and views of an array by explicit strides.

NumPy's own strides differ from PyTorch's for sizes 0 and 1; whoever makes a view with such sizes makes it here.
Strides are in elements, as PyTorch counts them, unless a name says bytes.
"""

import math
from typing import Any, Self, Sequence

import numpy as np

from .naming import public

ndarray = np.ndarray


def contiguous_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides of a row-major tensor; sizes 0 count as 1."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n if n > 1 else 1
    return tuple(reversed(strides))


def strides_of(array: Any) -> tuple[int, ...]:
    """An array's strides in elements. NumPy gives new empty arrays zeros, which stand for row-major strides."""
    strides = array.strides
    if not array.size and not any(strides):
        return contiguous_strides(array.shape)
    itemsize = array.itemsize
    return tuple([s // itemsize for s in strides])


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


def offset_between(base: ndarray, array: ndarray) -> int:
    """How many elements of `array`'s dtype it begins behind the first of `base`."""
    return 0 if array is base else (address(array) - address(base)) // array.itemsize


def strided_view(array: Any, shape: Sequence[int], strides: Sequence[int], offset: int = 0) -> Any:
    """A view that begins `offset` elements behind `array`'s first (it may be negative), with any shape and strides.

    The caller has checked that it stays inside the storage.
    """
    if array.__class__ is not ndarray:
        return array.as_strided(shape, strides)
    itemsize = array.itemsize
    bytes_ = [s * itemsize for s in strides]
    if not offset and array.size:
        flags = array.flags
        if flags.c_contiguous or flags.f_contiguous:
            try:
                return ndarray(shape, array.dtype, array, 0, bytes_)
            except ValueError:  # it reaches beyond this array, into the storage
                pass
    root = root_of(array)
    try:
        return ndarray(shape, array.dtype, root, address(array) - address(root) + offset * itemsize, bytes_)
    except (ValueError, BufferError):  # another library's memory with gaps, or no element at all
        place = _Place(array, tuple(shape), tuple(bytes_), offset * itemsize)
        return np.asarray(place).view(array.dtype)


class _Place:
    """What NumPy makes an array of that lies anywhere in the memory of another."""

    def __init__(self, base: ndarray, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> None:
        start, read_only = base.__array_interface__["data"]
        self.base = base
        self.__array_interface__ = dict(base.__array_interface__, shape=shape, strides=strides, data=(start + offset, read_only))


def extent(shape: Sequence[int], strides: Sequence[int]) -> int:
    """How many elements of memory a tensor reaches over, from its first to its last."""
    last = 1
    for n, s in zip(shape, strides):
        if n == 0:
            return 0
        last += (n - 1) * s
    return last


def empty_strided(shape: Sequence[int], strides: Sequence[int], dtype: Any) -> ndarray:
    """An uninitialised array with the given strides in elements."""
    itemsize = dtype.itemsize
    return ndarray(shape, dtype, np.empty(extent(shape, strides), dtype), 0, [s * itemsize for s in strides])


def row_major(operand: Any, result: Any) -> Any:
    """A reduction's result row by row, in whatever order the operand lies in memory: so PyTorch gives it."""
    if operand.flags.c_contiguous or not result.ndim:
        return result
    strides = contiguous_strides(result.shape)
    if strides == strides_of(result):
        return result
    if not result.flags.c_contiguous:
        return np.ascontiguousarray(result) if result.__class__ is ndarray else result.copy()
    return strided_view(result, result.shape, strides)  # sizes 1 had strides of their own


def place(into: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Where a row-major result goes: `into`, where that is such an array, else a new one."""
    if into is not None and into.shape == shape and into.dtype is dtype and into.flags.carray:
        return into
    return np.empty(shape, dtype)


def overlaps(shape: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether two elements may share memory, as with an expanded dimension."""
    reach = 1
    for s, n in sorted([(s, n) for s, n in zip(strides, shape) if n != 1]):
        if s < reach:
            return True
        reach = s * (n - 1) + reach
    return False


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
            raise RuntimeError(f"invalid shape dimension {n} at index {i} of shape {list(shape)}")
        else:
            known *= n
    if missing < 0:
        if known != numel:
            raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {numel}")
        return tuple(shape)
    if known == 0 and numel == 0:
        raise RuntimeError(
            f"cannot reshape tensor of 0 elements into shape {list(shape)} because the unspecified dimension size -1 can be any "
            "value and is ambiguous"
        )
    if known == 0 or numel % known:
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


# --- the objects `torch.strided`, `torch.channels_last` and so on ---------------------------------------------------


class _Named:
    """One of a few objects that are told apart by identity: a copy is the object itself."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self


@public("torch")
class layout(_Named):
    """How a tensor's elements are stored: dense with strides, or sparse in one of several ways."""

    __slots__ = ()

    def __reduce__(self) -> Any:
        return layout_by_name, (self.name,)


LAYOUTS = {
    name: layout(name) for name in ("strided", "sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc", "_mkldnn", "jagged")
}
strided = LAYOUTS["strided"]


def layout_by_name(name: str) -> layout:
    """The layout called `name`."""
    return LAYOUTS[name]


@public("torch")
class memory_format(_Named):
    """In which order a tensor's dimensions lie in memory."""

    __slots__ = ()

    def __reduce__(self) -> Any:
        return memory_format_by_name, (self.name,)


contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
MEMORY_FORMATS = (contiguous_format, preserve_format, channels_last, channels_last_3d)


def memory_format_by_name(name: str) -> memory_format:
    """Unpickles a memory format."""
    return next(f for f in MEMORY_FORMATS if f.name == name)


def format_strides(shape: Sequence[int], format: Any) -> tuple[int, ...]:
    """The strides of a dense tensor in a memory format. Raises RuntimeError where the format needs another rank."""
    if format is contiguous_format:
        return contiguous_strides(shape)
    if format is channels_last or format is channels_last_3d:
        rank = 4 if format is channels_last else 5
        if len(shape) != rank:
            raise RuntimeError(f"required rank {rank} tensor to use {format.name} format")
        order = (0, *range(2, rank), 1)
        inner = contiguous_strides([shape[d] for d in order])
        strides = [0] * rank
        for d, s in zip(order, inner):
            strides[d] = s
        return tuple(strides)
    if not isinstance(format, memory_format):
        raise TypeError(f"memory_format must be torch.memory_format, not {type(format).__name__}")
    raise RuntimeError("unsupported memory format option Preserve")


def has_format(shape: Sequence[int], strides: Sequence[int], format: Any) -> bool:
    """Whether a tensor is dense in a memory format; strides of dimensions of size 1 do not count."""
    if format is channels_last or format is channels_last_3d:
        if len(shape) != (4 if format is channels_last else 5):
            return False
    elif 0 in shape:
        return True
    wanted = format_strides(shape, format)
    return all(n == 1 or s == w for n, s, w in zip(shape, strides, wanted))


def preserved_strides(shape: Sequence[int], strides: Sequence[int]) -> tuple[int, ...]:
    """The strides of a copy that keeps the format: those of a dense tensor as they are, others in the same order."""
    if not overlaps(shape, strides) and extent(shape, strides) == math.prod(shape):
        return tuple(strides)
    return ordered_strides(shape, strides)


def channels_last_format(array: Any) -> "memory_format | None":
    """The format of a tensor of four or five dimensions whose channels are the innermost; None for all others."""
    if array.ndim not in (4, 5) or array.flags.c_contiguous or not array.size:
        return None
    shape, strides = array.shape, array.strides
    least = 0
    if not strides[1]:
        return None
    for d in (1, *range(array.ndim - 1, 1, -1), 0):  # from the innermost to the outermost, as it ought to be
        if strides[d] < least or (d == 0 and least == strides[1]):  # the second: sizes 1, which tell nothing
            return None
        least = strides[d] * (shape[d] if shape[d] > 1 else 1)
    return channels_last if array.ndim == 4 else channels_last_3d


def columns(result: Any) -> Any:
    """Matrices stored column by column, as LAPACK and so PyTorch leave them."""
    if result.ndim < 2:
        return result
    shape = result.shape
    strides = contiguous_strides((*shape[:-2], shape[-1], shape[-2]))
    strides = (*strides[:-2], strides[-1], strides[-2])
    if result.__class__ is not ndarray:
        return result.as_strided(shape, strides)
    return result if strides == strides_of(result) else in_strides(result, strides)


def in_order_of(operand: Any, result: Any) -> Any:
    """A result of the operand's shape in its order in memory: strides are kept where they have no gaps."""
    if operand.flags.c_contiguous:
        return result
    strides = preserved_strides(result.shape, strides_of(operand))
    if result.__class__ is not ndarray:
        return result.as_strided(result.shape, strides)
    return result if strides == strides_of(result) else in_strides(result, strides)


def in_strides(array: ndarray, strides: Sequence[int]) -> ndarray:
    """A copy with the given strides in elements."""
    moved = empty_strided(array.shape, strides, array.dtype)
    moved[...] = array
    return moved


def in_format_of(operand: Any, result: Any) -> Any:
    """A result with channels last where the operand has them, as PyTorch suggests a memory format; else row-major."""
    if operand.flags.c_contiguous:
        return result
    format = channels_last_format(operand)
    if format is None or result.ndim != operand.ndim or not result.size:
        return row_major(operand, result)
    strides = format_strides(result.shape, format)
    if result.__class__ is not ndarray:
        return result.as_strided(result.shape, strides)
    return result if strides == strides_of(result) else in_strides(result, strides)


def ordered_strides(shape: Sequence[int], *operands: Sequence[int]) -> tuple[int, ...]:
    """Dense strides in the order of dimensions that the operands' strides suggest, the first operand first.

    Stride 0 tells nothing; where no operand tells, the order is row-major. So PyTorch lays out a new result.
    """
    ndim = len(shape)
    order = list(range(ndim - 1, -1, -1))  # innermost first

    def outside(d0: int, d1: int) -> int:
        """1 if d0 must move outside of d1, -1 if it must not, 0 where nothing tells."""
        for strides in operands:
            s0, s1 = strides[d0], strides[d1]
            if s0 == 0 or s1 == 0:
                continue
            if s0 != s1:
                return 1 if s0 > s1 else -1
            if shape[d0] > shape[d1]:
                return 1
        return 0

    for i in range(1, ndim):
        d1 = i
        for d0 in range(i - 1, -1, -1):
            found = outside(order[d0], order[d1])
            if found > 0:
                order[d0], order[d1] = order[d1], order[d0]
                d1 = d0
            elif found < 0:
                break
    result, step = [0] * ndim, 1
    for d in order:
        result[d] = step
        step *= max(shape[d], 1)
    return tuple(result)
