"""Parts of a tensor as views: one index, a range, a diagonal, windows, pieces, any strides."""

from __future__ import annotations

from itertools import pairwise
from operator import index as as_int
from typing import Any

import numpy as np

from ..core import layout
from ..core.layout import normalize_dim, strided_view, strides_of
from ..kernels import memory, placing
from ..tensor import PLAIN, Tensor, wrap
from .definition import Array, arrays, composite, explained_here, formula_function, handle_overrides, operator, tensors
from .modes import modes
from .shape import as_dim, ints

formula_function("zeros", lambda shape, dtype: memory.zeros(shape, dtype), lambda shape, dtype: wrap(memory.zeros(shape, dtype)))


def drop(values: Any, d: int) -> Any:
    """A tuple without its element `d`."""
    return (*values[:d], *values[d + 1 :])


# --- one index, a range --------------------------------------------------------------------------------------------


@operator("torch.select", "Tensor.select", view=True)
def select(input: Array, dim: int, index: int) -> Array:
    """The part at one index of a dimension, which disappears."""
    if dim == 0 and index.__class__ is int:
        try:
            return input[index, ...]
        except IndexError:
            pass
    shape = input.shape
    if not shape:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    d, i = normalize_dim(as_dim(dim, "select"), len(shape)), as_dim(index, "select", "index", 2)
    n = shape[d]
    if not -n <= i < n:
        raise IndexError(f"select(): index {i} out of range for tensor of size {list(shape)} at dimension {d}")
    if not input.size:
        strides = strides_of(input)
        return strided_view(input, drop(shape, d), drop(strides, d), (i % n) * strides[d])
    return input[(slice(None),) * d + (i, ...)]


select.derivative(input=lambda F, grad, input_shape, dim, index: F.select_backward(grad, input_shape, dim, index))


@operator(node="SelectBackwardBackward0")
def select_backward(grad: Array, input_sizes: Any, dim: int, index: int) -> Array:
    """Zeros with `grad` at one index of a dimension."""
    result = memory.zeros(input_sizes, grad.dtype)
    result[(slice(None),) * (dim % len(input_sizes)) + (index,)] = grad
    return result


select_backward.derivative(grad=lambda F, grad, dim, index: F.select(grad, dim, index))


@operator(view=True, node="SliceBackward0")
def slice_dim(input: Array, dim: int, start: Any, stop: Any, step: int) -> Array:
    """Every `step`-th part from `start` to before `stop` along a dimension; out-of-range bounds are clipped."""
    if step.__class__ is not int:
        step = as_int(step)
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    shape = input.shape
    if not shape:
        raise RuntimeError("slice() cannot be applied to a 0-dim tensor.")
    d = normalize_dim(dim, len(shape))
    n = shape[d]
    first, last, _ = slice(start, stop, step).indices(n)
    if last > first and input.size:
        return input[(slice(None),) * d + (slice(first, last, step),)]
    count = max(0, (max(last, first) - first + step - 1) // step)
    strides = strides_of(input)
    return strided_view(
        input, (*shape[:d], count, *shape[d + 1 :]), (*strides[:d], strides[d] * step, *strides[d + 1 :]), first * strides[d]
    )


slice_dim.derivative(input=lambda F, grad, input_shape, dim, start, stop, step: F.slice_backward(grad, input_shape, dim, start, stop, step))


@operator(node="SliceBackwardBackward0")
def slice_backward(grad: Array, input_sizes: Any, dim: int, start: Any, stop: Any, step: int) -> Array:
    """Zeros with `grad` in a range of a dimension."""
    result = memory.zeros(input_sizes, grad.dtype)
    result[(slice(None),) * (dim % len(input_sizes)) + (slice(start, stop, step),)] = grad
    return result


slice_backward.derivative(grad=lambda F, grad, dim, start, stop, step: F.slice_dim(grad, dim, start, stop, step))
_slice = slice_dim.function


@composite("torch.narrow", "Tensor.narrow", hot=True)
def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """`length` parts from `start` on along a dimension. Raises RuntimeError where they are not all there."""
    try:
        if modes.active or type(input) not in PLAIN:
            result = handle_overrides(narrow, (input, dim, start, length), {})
            if result is not NotImplemented:
                return result
        dim, start, length = _narrowing(input, dim, start, length)
        return _slice(input, dim, start, start + length, 1)
    except Exception as error:
        raise explained_here(error, "Tensor.narrow", "torch.narrow")


def _narrowing(input: Tensor, dim: Any, start: Any, length: Any) -> tuple[int, int, int]:
    shape = input._array.shape
    if not shape:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    length = as_dim(length, "narrow", "length", 3)
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    if isinstance(start, Tensor) and (start._array.ndim or start._array.dtype.kind not in "iu"):
        raise RuntimeError("start must be an 0-dim integral Tensor.")
    d = normalize_dim(as_dim(dim, "narrow"), len(shape))
    start = as_dim(start, "narrow", "start", 2)
    n = shape[d]
    if not -n <= start <= n:
        raise IndexError(f"start out of range (expected to be in range of [{-n}, {n}], but got {start})")
    if start < 0:
        start += n
    if start + length > n:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    return d, start, length


@operator(node="NarrowCopyBackward0")
def narrow_copied(input: Array, dim: int, start: int, stop: int) -> Array:
    return input[(slice(None),) * dim + (slice(start, stop),)].copy()


narrow_copied.derivative(input=lambda F, grad, input_shape, dim, start, stop: F.slice_backward(grad, input_shape, dim, start, stop, 1))


@composite("torch.narrow_copy", "Tensor.narrow_copy")
def narrow_copy(input: Tensor, dim: int, start: int, length: int, *, out: Any = None) -> Tensor:
    """A copy of `length` parts from `start` on along a dimension."""
    if input.dim() <= dim and input.dim():
        raise RuntimeError(
            "Expected dim < static_cast<int64_t>(self_sizes.size()) to be true, but got false.  (Could this error message be improved?  If "
            "so, please report an enhancement request to PyTorch.)"
        )
    if isinstance(length, int) and length < 0 and isinstance(start, int):
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({input.shape[dim]}).")
    dim, start, length = _narrowing(input, dim, start, length)
    return narrow_copied.function(input, dim, start, start + length, out=out)


# --- pieces --------------------------------------------------------------------------------------------------------


def pieces(input: Array, dim: int, sizes: Any) -> list[Array]:
    """Consecutive parts of the given sizes along a dimension."""
    found, start = [], 0
    lead = (slice(None),) * dim
    if not input.size or 0 in sizes:
        for n in sizes:
            shape, strides = list(input.shape), strides_of(input)
            shape[dim] = n
            found.append(strided_view(input, shape, strides, start * strides[dim]))
            start += n
        return found
    for n in sizes:
        found.append(input[lead + (slice(start, start + n),)])
        start += n
    return found


def _joined(F: Any, grads: Any, shape: Any, dtype: Any, dim: int, sizes: Any) -> Any:
    """The gradients of consecutive parts, zeros for those without one, as one tensor."""
    parts = []
    for g, n in zip(grads, sizes):
        parts.append(g if g is not None else F.zeros((*shape[:dim], n, *shape[dim + 1 :]), dtype))
    return F.cat(parts, dim) if parts else F.zeros(shape, dtype)


def _equal_sizes(n: int, size: int) -> list[int]:
    if size == 0:
        return [0]
    count = max((n + size - 1) // size, 1)
    return [size] * (count - 1) + [n - size * (count - 1)]


@operator(view=True, outputs=0, node="SplitBackward0")
def split_equal(input: Array, split_size: int, dim: int) -> list[Array]:
    return pieces(input, dim, _equal_sizes(input.shape[dim], split_size))


split_equal.derivative(
    input=lambda F, grads, input_shape, input_dtype, split_size, dim: _joined(
        F, grads, input_shape, input_dtype, dim, _equal_sizes(input_shape[dim], split_size)
    )
)


@operator(view=True, outputs=0, node="SplitWithSizesBackward0")
def split_sized(input: Array, split_sizes: Any, dim: int) -> list[Array]:
    return pieces(input, dim, split_sizes)


split_sized.derivative(
    input=lambda F, grads, input_shape, input_dtype, split_sizes, dim: _joined(F, grads, input_shape, input_dtype, dim, split_sizes)
)


@operator(outputs=0, node="UnsafeSplitBackward0")
def unsafe_split_equal(input: Array, split_size: int, dim: int) -> list[Array]:
    return pieces(input, dim, _equal_sizes(input.shape[dim], split_size))


unsafe_split_equal.formulas = split_equal.formulas


@operator(outputs=0, node="UnsafeSplitWithSizesBackward0")
def unsafe_split_sized(input: Array, split_sizes: Any, dim: int) -> list[Array]:
    return pieces(input, dim, split_sizes)


unsafe_split_sized.formulas = split_sized.formulas


def _check_split(input: Tensor, split_size: Any, dim: Any, name: str = "split") -> tuple[int, int]:
    shape = input._array.shape
    if not shape:
        raise RuntimeError(f"{name} expects at least a 1-dimensional tensor")
    size = as_dim(split_size, name, "split_size", 2)
    if size < 0:
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}")
    d = normalize_dim(as_dim(dim, name), len(shape))
    if size == 0 and shape[d]:
        raise RuntimeError(f"split_size can only be 0 if dimension size is 0, but got dimension size of {shape[d]}")
    return size, d


def _check_sizes(input: Tensor, split_sizes: Any, dim: Any) -> tuple[tuple[int, ...], int]:
    shape = input._array.shape
    if not isinstance(split_sizes, (tuple, list)):
        raise TypeError(f"split_with_sizes(): argument 'split_sizes' (position 2) must be tuple of ints, not {type(split_sizes).__name__}")
    sizes = ints((split_sizes,), "split_with_sizes", "split_sizes")
    if not shape:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    d = normalize_dim(as_dim(dim, "split"), len(shape))
    if sizes and min(sizes) < 0:
        raise RuntimeError(f"split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes={list(sizes)}")
    if sum(sizes) != shape[d]:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {shape[d]} (input tensor's size at dimension {d}), but got "
            f"split_sizes={list(sizes)}"
        )
    return sizes, d


@composite("Tensor.split", hot=True)
def split_method(self: Tensor, split_size: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of consecutive parts: of `split_size` each (the last may be smaller), or of the sizes in a list."""
    if modes.active or type(self) not in PLAIN:
        result = handle_overrides(split_method, (self, split_size, dim), {})
        if result is not NotImplemented:
            return result
    if hasattr(split_size, "__index__"):
        return split_equal.function(self, *_check_split(self, split_size, dim))
    return split_sized.function(self, *_check_sizes(self, split_size, dim))


split_method.__name__ = "split"


@composite("torch.split", hot=True)
def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of consecutive parts: of one size each (the last may be smaller), or of the sizes in a list."""
    if modes.active or type(tensor) not in PLAIN:
        result = handle_overrides(split, (tensor, split_size_or_sections, dim), {})
        if result is not NotImplemented:
            return result
    return split_method(tensor, split_size_or_sections, dim)


@composite("torch.split_with_sizes", "Tensor.split_with_sizes")
def split_with_sizes(input: Tensor, split_sizes: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of consecutive parts of the given sizes."""
    return split_sized.function(input, *_check_sizes(input, split_sizes, dim))


@composite("torch.unsafe_split", "Tensor.unsafe_split")
def unsafe_split(input: Tensor, split_size: int, dim: int = 0) -> tuple[Tensor, ...]:
    """`split` whose results are not known as views, and may be changed in place."""
    return unsafe_split_equal.function(input, *_check_split(input, split_size, dim))


@composite("torch.unsafe_split_with_sizes", "Tensor.unsafe_split_with_sizes")
def unsafe_split_with_sizes(input: Tensor, split_sizes: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """`split_with_sizes` whose results are not known as views, and may be changed in place."""
    return unsafe_split_sized.function(input, *_check_sizes(input, split_sizes, dim))


def _chunking(input: Tensor, chunks: Any, dim: Any) -> tuple[int, int, int]:
    shape = input._array.shape
    if not shape:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    chunks = as_dim(chunks, "chunk", "chunks", 2)
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    d = normalize_dim(as_dim(dim, "chunk"), len(shape))
    return chunks, d, (shape[d] + chunks - 1) // chunks


@composite("torch.chunk", "Tensor.chunk", hot=True)
def chunk(input: Tensor, chunks: int, dim: int = 0, *, axis: int | None = None) -> tuple[Tensor, ...]:
    """Views of at most `chunks` consecutive parts of equal size, the last of which may be smaller."""
    try:
        if modes.active or type(input) not in PLAIN:
            result = handle_overrides(chunk, (input, chunks, dim), {})
            if result is not NotImplemented:
                return result
        chunks, d, size = _chunking(input, chunks, dim if axis is None else axis)
        if size == 0:
            return split_sized.function(input, (0,) * chunks, d)
        return split_equal.function(input, size, d)
    except Exception as error:
        raise explained_here(error, "Tensor.chunk", "torch.chunk")


@composite("torch.unsafe_chunk", "Tensor.unsafe_chunk")
def unsafe_chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """`chunk` whose results are not known as views, and may be changed in place."""
    chunks, d, size = _chunking(input, chunks, dim)
    if size == 0:
        return unsafe_split_sized.function(input, (0,) * chunks, d)
    return unsafe_split_equal.function(input, size, d)


@composite("torch.tensor_split", "Tensor.tensor_split")
def tensor_split(input: Tensor, indices_or_sections: Any = None, dim: int = 0, *, sections: Any = None, indices: Any = None) -> Any:
    """Views of parts: `sections` nearly equal ones, or those between the given indices."""
    by: Any = next((x for x in (indices_or_sections, sections, indices) if x is not None), None)
    shape = input._array.shape
    if not shape:
        raise RuntimeError(f"tensor_split expected at least a 1-dimensional tensor, but got a tensor with {len(shape)} dims")
    d = normalize_dim(as_dim(dim, "tensor_split"), len(shape))
    n = shape[d]
    if isinstance(by, Tensor):
        if by._array.dtype.kind not in "iu" or by._array.dtype.itemsize != 8:
            raise RuntimeError(f"tensor_split expected tensor_indices_or_sections to have dtype of long, but got {_long_name(by)}")
        if by._array.ndim > 1:
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or one-dimensional tensor, but got a tensor "
                f"with {by._array.ndim} dims"
            )
        by = by.tolist()
    if hasattr(by, "__index__"):
        count = as_int(by)
        if count <= 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {count}")
        size, more = divmod(n, count)
        bounds = [i * size + min(i, more) for i in range(count + 1)]
        return tuple([_slice(input, d, a, b, 1) for a, b in pairwise(bounds)])
    if not isinstance(by, (tuple, list)):
        raise TypeError(
            f"tensor_split() received an invalid combination of arguments - got ({type(by).__name__}), but expected one of:\n"
            " * (tuple of ints indices, int dim = 0)\n * (Tensor tensor_indices_or_sections, int dim = 0)\n * (int sections, int dim = 0)\n"
        )
    cuts = ints((by,), "tensor_split", "indices")
    return tuple([_slice(input, d, a, b, 1) for a, b in zip((0, *cuts), (*cuts, n))])


def _long_name(t: Tensor) -> str:
    from ..core.dtype import SCALAR_NAMES

    return SCALAR_NAMES[t.dtype]


def _split_along(name: str, input: Tensor, by: Any, dim: int, least: int) -> Any:
    shape = input._array.shape
    if len(shape) < least:
        raise RuntimeError(
            f"torch.{name} requires a tensor with at least {least} dimension, but got a tensor with {len(shape)} dimensions!"
        )
    if hasattr(by, "__index__") and not isinstance(by, (tuple, list)):
        count = as_int(by)
        n = shape[dim]
        if count == 0 or n % count:
            raise RuntimeError(
                f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension {n} is not divisible by the "
                f"split_size {count}!"
            )
    return tensor_split(input, by, dim)


@composite("torch.hsplit", "Tensor.hsplit")
def hsplit(input: Tensor, indices_or_sections: Any) -> Any:
    """Splits along the second dimension, or the first of a 1-dim tensor."""
    return _split_along("hsplit", input, indices_or_sections, 0 if input._array.ndim == 1 else 1, 1)


@composite("torch.vsplit", "Tensor.vsplit")
def vsplit(input: Tensor, indices_or_sections: Any) -> Any:
    """Splits along the first dimension."""
    return _split_along("vsplit", input, indices_or_sections, 0, 2)


@composite("torch.dsplit", "Tensor.dsplit")
def dsplit(input: Tensor, indices_or_sections: Any) -> Any:
    """Splits along the third dimension."""
    return _split_along("dsplit", input, indices_or_sections, 2, 3)


@operator("torch.unbind", "Tensor.unbind", view=True, outputs=0)
def unbind(input: Array, dim: int = 0) -> list[Array]:
    """Views of all parts along a dimension, which disappears."""
    if not input.ndim:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    d = normalize_dim(as_dim(dim, "unbind"), input.ndim)
    return [input[(slice(None),) * d + (i, ...)] for i in range(input.shape[d])]


def _unbound(grads: Any, shape: Any, strides: Any, dtype: Any, dim: int) -> Array:
    """The gradients of the parts in the memory order of what was taken apart: reshaping it back then costs no copy."""
    given = [g for g in grads if g is not None]
    if any(g.__class__ is not np.ndarray for g in given):
        return _stacked(arrays, grads, shape, dtype, dim)
    result = layout.empty_strided(shape, layout.ordered_strides(shape, strides), dtype)
    lead: tuple[Any, ...] = (slice(None),) * (dim % len(shape))
    for i, grad in enumerate(grads):
        part = result[lead + (i, ...)]
        if grad is None:
            memory.fill(part, 0)
        else:
            memory.copy_into(part, grad)
    return result


def _stacked(F: Any, grads: Any, shape: Any, dtype: Any, dim: int) -> Any:
    d = dim % len(shape)
    part = drop(shape, d)
    return F.stack([g if g is not None else F.zeros(part, dtype) for g in grads], d) if grads else F.zeros(shape, dtype)


formula_function(
    "unbound",
    _unbound,
    lambda grads, shape, strides, dtype, dim: _stacked(tensors, grads, shape, dtype, dim),
)
unbind.derivative(
    input=lambda F, grads, input_shape, input_strides, input_dtype, dim: F.unbound(grads, input_shape, input_strides, input_dtype, dim)
)


# --- any strides ---------------------------------------------------------------------------------------------------


@operator(view=True, node="AsStridedBackward0")
def as_strided_view(input: Array, size: Any, stride: Any, offset: int, input_stride: Any) -> Array:
    """A view of the storage that begins `offset` elements behind the input, with any strides."""
    return strided_view(input, size, stride, offset)


as_strided_view.derivative(
    input=lambda F, grad, input_shape, input_stride, size, stride, offset: F.as_strided_backward(
        grad, input_shape, input_stride, size, stride, offset
    )
)
formula_function(
    "strided", strided_view, lambda x, size, stride, offset: as_strided_view.function(x, size, stride, offset, strides_of(x._array))
)


@operator()
def as_strided_backward(grad: Array, input_size: Any, input_stride: Any, size: Any, stride: Any, offset: int) -> Array:
    """The gradient of the tensor that `grad` is a strided view of."""
    return placing.strided_gradient(grad, input_size, input_stride, size, stride, offset)


def _copy_and_part(input: Array, input_stride: Any, size: Any, stride: Any, offset: int) -> tuple[Array, Array]:
    """A copy of the input with the strides `input_stride`, and a strided part of its memory, which may reach beyond the copy."""
    low = min(0, offset)
    high = max(layout.extent(input.shape, input_stride), offset + layout.extent(size, stride))
    spanned = layout.empty_strided((high - low,), (1,), input.dtype)
    spanned[...] = 0
    copy = strided_view(spanned, input.shape, input_stride, -low)
    copy[...] = input
    return copy, strided_view(spanned, size, stride, offset - low)


@operator()
def strided_reading(input: Array, input_stride: Any, size: Any, stride: Any, offset: int) -> Array:
    """What a strided view of the input would be, had the input the strides `input_stride`."""
    return _copy_and_part(input, input_stride, size, stride, offset)[1].copy()


as_strided_backward.derivative(
    grad=lambda F, grad, input_stride, size, stride, offset: F.strided_reading(grad, input_stride, size, stride, offset)
)
strided_reading.derivative(
    input=lambda F, grad, input_shape, input_stride, size, stride, offset: F.as_strided_backward(
        grad, input_shape, input_stride, size, stride, offset
    )
)


@operator(node="CloneBackward0")
def relayout(input: Array, shape: Any, strides: Any) -> Array:
    """A copy, broadcast to a shape, whose memory has the given strides."""
    result = layout.empty_strided(shape, strides, input.dtype)
    result[...] = input
    return result


relayout.derivative(input=lambda F, grad: grad)


def _check_strided(size: Any, stride: Any) -> None:
    if len(size) != len(stride):
        raise RuntimeError("mismatch in length of strides and shape")
    if any(s < 0 for s in stride):
        raise RuntimeError(f"as_strided: Negative strides are not supported at the moment, got strides: {list(stride)}")


def strided_place(input: Tensor, size: Any, stride: Any, storage_offset: Any, name: str = "as_strided") -> tuple[Any, Any, int]:
    """Size, stride and offset from the input's first element, after checking that the storage holds them."""
    array = input._array
    size, stride = ints((size,), name), ints((stride,), name, "stride")
    _check_strided(size, stride)
    here = input.storage_offset()
    offset = here if storage_offset is None else as_dim(storage_offset, name, "storage_offset", 4)
    if offset < 0:
        raise RuntimeError(f"Tensor: invalid storage offset {offset}")
    if array.__class__ is layout.ndarray and 0 not in size:
        held = layout.root_of(array).nbytes
        needed = (offset + layout.extent(size, stride)) * array.itemsize
        if needed > held:
            raise RuntimeError(
                f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset}, and itemsize {array.itemsize} requiring "
                f"a storage size of {needed} are out of bounds for storage of size {held}"
            )
    return size, stride, offset - here


@composite("torch.as_strided", "Tensor.as_strided")
def as_strided(input: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """A view of the input's storage with any size, strides and offset (in elements). Raises RuntimeError where it is too small."""
    size, stride, offset = strided_place(input, size, stride, storage_offset)
    return as_strided_view.function(input, size, stride, offset, strides_of(input._array))


# --- diagonals and windows -----------------------------------------------------------------------------------------


def _diagonal_place(shape: Any, strides: Any, offset: int, dim1: int, dim2: int) -> tuple[Any, Any, int]:
    """Shape, strides and offset of a diagonal."""
    ndim = len(shape)
    a, b = normalize_dim(dim1, ndim), normalize_dim(dim2, ndim)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    count = max(min(shape[a], shape[b] - offset) if offset >= 0 else min(shape[a] + offset, shape[b]), 0)
    start = 0 if count == 0 else offset * strides[b] if offset >= 0 else -offset * strides[a]
    rest = [d for d in range(ndim) if d != a and d != b]
    return (*[shape[d] for d in rest], count), (*[strides[d] for d in rest], strides[a] + strides[b]), start


def diagonal_of(array: Array, offset: int, dim1: int, dim2: int) -> Array:
    """A diagonal as a view, its elements in the last dimension."""
    return strided_view(array, *_diagonal_place(array.shape, strides_of(array), offset, dim1, dim2))


@operator("torch.diagonal", "Tensor.diagonal", view=True)
def diagonal(input: Array, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Array:
    """The diagonal of two dimensions, `offset` to the right, as the last dimension."""
    return diagonal_of(input, offset, dim1, dim2)


diagonal.derivative(input=lambda F, grad, input_shape, offset, dim1, dim2: F.diagonal_backward(grad, input_shape, offset, dim1, dim2))


@operator(node="DiagonalBackwardBackward0")
def diagonal_backward(grad: Array, input_sizes: Any, offset: int, dim1: int, dim2: int) -> Array:
    """Zeros with `grad` on a diagonal."""
    result = memory.zeros(input_sizes, grad.dtype)
    diagonal_of(result, offset, dim1, dim2)[...] = grad
    return result


diagonal_backward.derivative(grad=lambda F, grad, offset, dim1, dim2: F.diagonal(grad, offset, dim1, dim2))


@operator("torch.diag_embed", "Tensor.diag_embed")
def diag_embed(input: Array, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Array:
    """Matrices with the last dimension of the input on a diagonal of `dim1` and `dim2`, zeros elsewhere."""
    ndim = input.ndim + 1
    a, b = normalize_dim(dim1, ndim), normalize_dim(dim2, ndim)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    n = input.shape[-1] + abs(offset)
    shape = list(input.shape[:-1])
    for d in sorted((a, b)):
        shape.insert(d, n)
    result = memory.zeros(shape, input.dtype)
    diagonal_of(result, offset, a, b)[...] = input
    return result


diag_embed.derivative(input=lambda F, grad, offset, dim1, dim2: F.diagonal(grad, offset, dim1, dim2))


@operator("torch.diagonal_copy", node="DiagonalBackward0_copy")
def diagonal_copy(input: Array, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Array:
    """A copy of a diagonal."""
    return diagonal_of(input, offset, dim1, dim2).copy()


diagonal_copy.formulas = diagonal.formulas


@composite("torch.diag", "Tensor.diag")
def diag(input: Tensor, diagonal: int = 0, *, out: Any = None) -> Tensor:
    """A matrix with the input on a diagonal, or a copy of the diagonal of a matrix."""
    ndim = input._array.ndim
    if ndim not in (1, 2):
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {ndim}D")
    return (diag_embed if ndim == 1 else diagonal_copy).function(input, diagonal, out=out)


@composite("torch.diagflat", "Tensor.diagflat")
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """A matrix with all elements of the input on a diagonal."""
    return diag(input.contiguous().view(-1), offset)


@operator("Tensor.unfold", view=True)
def unfold(input: Array, dimension: int, size: int, step: int) -> Array:
    """All windows of `size` elements along a dimension, `step` apart; the windows become the last dimension."""
    ndim = input.ndim
    d = normalize_dim(dimension, ndim)
    n = input.shape[d] if ndim else 1
    if size < 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    if size > n:
        raise RuntimeError(f"maximum size for tensor at dimension {d} is {n} but size is {size}")
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    shape, strides = list(input.shape), list(strides_of(input))
    if not ndim:
        return strided_view(input, (size,), (1,))
    inner = strides[d]
    shape[d] = (n - size) // step + 1
    strides[d] *= step
    return strided_view(input, (*shape, size), (*strides, inner))


unfold.derivative(input=lambda F, grad, input_shape, dimension, size, step: F.unfold_backward(grad, input_shape, dimension, size, step))


@operator()
def unfold_backward(grad: Array, input_sizes: Any, dim: int, size: int, step: int) -> Array:
    """The gradient of what was unfolded: windows that overlap add up."""
    return placing.unfold_gradient(grad, input_sizes, normalize_dim(dim, len(input_sizes)), size, step)


unfold_backward.derivative(grad=lambda F, grad, dim, size, step: F.unfold(grad, dim, size, step))


# --- a copy with a part replaced -----------------------------------------------------------------------------------


def _replaced(input: Array, part: Any, src: Array) -> Array:
    """A copy of the input with `src` in the part that `part(copy)` shows."""
    result = input.copy()
    target = part(result)
    if target.shape != src.shape:
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = {list(src.shape)}, slice size = {list(target.shape)}"
        )
    target[...] = src
    return result


@operator("torch.select_scatter", "Tensor.select_scatter")
def select_scatter(input: Array, src: Array, dim: int, index: int) -> Array:
    """A copy with `src` at one index of a dimension."""
    return _replaced(input, lambda x: select.forward(x, dim, index), src)


select_scatter.derivative(
    input=lambda F, grad, src_shape, src_dtype, dim, index: F.select_scatter(grad, F.zeros(src_shape, src_dtype), dim, index),
    src=lambda F, grad, dim, index: F.select(grad, dim, index),
)


@operator("torch.slice_scatter", "Tensor.slice_scatter")
def slice_scatter(input: Array, src: Array, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Array:
    """A copy with `src` in a range of a dimension."""
    return _replaced(input, lambda x: slice_dim.forward(x, dim, start, end, step), src)


slice_scatter.derivative(
    input=lambda F, grad, src_shape, src_dtype, dim, start, end, step: F.slice_scatter(
        grad, F.zeros(src_shape, src_dtype), dim, start, end, step
    ),
    src=lambda F, grad, dim, start, end, step: F.slice_dim(grad, dim, start, end, step),
)


@operator("torch.diagonal_scatter", "Tensor.diagonal_scatter")
def diagonal_scatter(input: Array, src: Array, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Array:
    """A copy with `src` on a diagonal."""
    return _replaced(input, lambda x: diagonal_of(x, offset, dim1, dim2), src)


diagonal_scatter.derivative(
    input=lambda F, grad, src_shape, src_dtype, offset, dim1, dim2: F.diagonal_scatter(
        grad, F.zeros(src_shape, src_dtype), offset, dim1, dim2
    ),
    src=lambda F, grad, offset, dim1, dim2: F.diagonal(grad, offset, dim1, dim2),
)


@operator(node="AsStridedScatterBackward0")
def strided_scatter(input: Array, src: Array, input_stride: Any, size: Any, stride: Any, offset: int) -> Array:
    """A copy in the input's memory order with `src` in a strided part of it."""
    result, target = _copy_and_part(input, input_stride, size, stride, offset)
    if target.shape != src.shape:
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = {list(src.shape)}, slice size = {list(target.shape)}"
        )
    target[...] = src
    return result


strided_scatter.derivative(
    input=lambda F, grad, src_shape, src_dtype, input_stride, size, stride, offset: F.strided_scatter(
        grad, F.zeros(src_shape, src_dtype), input_stride, size, stride, offset
    ),
    src=lambda F, grad, input_stride, size, stride, offset: F.strided_reading(grad, input_stride, size, stride, offset),
)


@composite("torch.as_strided_scatter", "Tensor.as_strided_scatter")
def as_strided_scatter(input: Tensor, src: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """A copy with `src` in a strided part of it."""
    size, stride, offset = strided_place(input, size, stride, storage_offset)
    return strided_scatter.function(input, src, strides_of(input._array), size, stride, offset)
