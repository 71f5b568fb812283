"""Masks, elements by their running number, and where something holds: masked_fill, take, nonzero, one_hot, ..."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.layout import broadcast_shapes, normalize_dim
from ..kernels import memory
from ..kernels import scattering as k
from ..tensor import Tensor, wrap
from .definition import Array, Number, composite, operator, tensors
from .indexing import number_array
from .scattering import INT64, dtype_of, gather, scalar_name, start
from .shape import reshape_tensor

# --- masks ---------------------------------------------------------------------------------------------------------


@operator("torch.masked_fill", "Tensor.masked_fill", "Tensor.masked_fill_", out=False, overlap=True,
          node=lambda *given: "MaskedFillBackward0" if not hasattr(given[-1], "ndim") else "MaskedFillBackward1")  # fmt: skip
def masked_fill(input: Array, mask: Array, value: Array | Number, out: Any = None) -> Array:
    """A copy with one number wherever a mask, broadcast, holds."""
    if mask.dtype.kind != "b":
        broadcast_shapes(mask.shape, input.shape)
        raise RuntimeError(f"masked_fill_ only supports boolean masks, but got mask with dtype {_c_name(mask)}")
    if value.__class__ is not float and value.__class__ is not int:
        if hasattr(value, "ndim"):
            given: Any = value
            if not value.ndim and given.dtype.kind == "c" and input.dtype.kind != "c":
                number_array(given.item(), input.dtype)
            if value.ndim:
                raise RuntimeError(
                    f"masked_fill_ only supports a 0-dimensional value tensor, but got tensor with {value.ndim} dimension(s)."
                )
        else:
            value = number_array(value, input.dtype)
    elif not (input.dtype.kind == "f" and input.itemsize > 2 and -1e38 < value < 1e38):
        value = number_array(value, input.dtype)
    shape = input.shape if mask.shape == input.shape else broadcast_shapes(mask.shape, input.shape)
    if out is not None:
        if shape != input.shape:
            raise RuntimeError(f"output with shape {list(input.shape)} doesn't match the broadcast shape {list(shape)}")
        result = start(input, out)
    elif shape == input.shape:
        return k.masked_filled(input, mask, value)
    else:
        result = np.broadcast_to(input, shape).copy()
    k.masked_fill(result, mask, value)
    return result


def _c_name(array: Array) -> str:
    name = scalar_name(array)
    return {
        "Byte": "unsigned char", "Char": "signed char", "Half": "c10::Half", "BFloat16": "c10::BFloat16", "Long": "long int",
        "ComplexFloat": "c10::complex<float>", "ComplexDouble": "c10::complex<double>", "Short": "short int",
    }.get(name, name.lower())  # fmt: skip


masked_fill.derivative(
    input=lambda F, grad, mask: F.masked_fill(grad, mask, 0),
    value=lambda F, grad, mask: F.sum(F.where(mask, grad, F.zeros((), dtype_of(grad)))),
)


@operator("torch.masked_select", "Tensor.masked_select")
def masked_select(input: Array, mask: Array) -> Array:
    """The elements where a mask holds, in one dimension; both broadcast."""
    if mask.dtype.kind != "b":
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    return k.masked_select(input, mask, mask.shape == input.shape or broadcast_shapes(mask.shape, input.shape))


masked_select.derivative(input=lambda F, grad, input_shape, mask: F.masked_place(grad, input_shape, mask))


@operator()
def masked_place(grad: Array, shape: Any, mask: Array) -> Array:
    """Zeros with `grad` where the mask holds, summed to a shape: the gradient of `masked_select`."""
    return k.masked_place(grad, shape, mask, broadcast_shapes(mask.shape, shape))


masked_place.derivative(grad=lambda F, grad, mask: F.masked_select(grad, mask))


@operator("torch.masked_scatter", "Tensor.masked_scatter", "Tensor.masked_scatter_", out=False)
def masked_scatter(input: Array, mask: Array, source: Array) -> Array:
    """A copy with the elements of `source`, one after the other, where a mask holds."""
    if mask.dtype.kind != "b":
        raise RuntimeError(f"masked_scatter_ only supports boolean masks, but got mask with dtype {scalar_name(mask)}")
    if input.dtype != source.dtype:
        raise RuntimeError(
            f"masked_scatter: expected self and source to have same dtypes but got{scalar_name(input)} and {scalar_name(source)}"
        )
    return k.masked_scatter(input, mask, source, broadcast_shapes(mask.shape, input.shape))


masked_scatter.derivative(
    input=lambda F, grad, mask: F.masked_fill(grad, mask, 0),
    source=lambda F, grad, mask, source_shape: F.first_elements(F.masked_select(grad, mask), source_shape),
)


@operator()
def first_elements(input: Array, shape: Any) -> Array:
    """The elements of a vector followed by zeros, in a shape."""
    result = memory.zeros(shape, input.dtype)
    result.reshape(-1)[: input.size] = input
    return result


first_elements.derivative(input=lambda F, grad, input_shape: F.slice_dim(F.reshape(grad, (-1,)), 0, 0, input_shape[0], 1))


# --- elements by their number in row-major order -------------------------------------------------------------------


def _check_take(input: Array, index: Array) -> None:
    n = input.size
    if index.size:
        bad = index[(index < -n) | (index >= n)]
        if bad.size:
            raise IndexError(f"out of range: tried to access index {bad.flat[0]} on a tensor of {n} elements.")


@operator("torch.take", "Tensor.take")
def take(input: Array, index: Array) -> Array:
    """The elements with the given numbers, counted row by row, in the shape of `index`."""
    if index.dtype != INT64:
        raise RuntimeError(f"take(): Expected a long tensor for index, but got {scalar_name(index)}")
    if not input.size and index.size:
        raise IndexError("take(): tried to take from an empty tensor")
    _check_take(input, index)
    return k.take(input, index)


take.derivative(input=lambda F, grad, input_shape, index: F.put(F.zeros(input_shape, dtype_of(grad)), index, grad, True))


@operator("torch.put", "Tensor.put", "Tensor.put_", out=False)
def put(input: Array, index: Array, source: Array, accumulate: bool = False) -> Array:
    """A copy with elements written (or added) at the given numbers, counted row by row."""
    if index.dtype != INT64:
        raise RuntimeError(f"put_(): Expected a long tensor for index, but got {scalar_name(index)}")
    if input.dtype != source.dtype:
        raise RuntimeError(
            f"put_(): self and source expected to have the same dtype, but got self.dtype = {scalar_name(input)} and "
            f"source.dtype = {scalar_name(source)}"
        )
    if index.size != source.size:
        raise IndexError(
            f"put_(): Expected source and index to have the same number of elements, but got source.numel() = {source.size}, "
            f"index.numel() = {index.size}"
        )
    if not input.size and index.size:
        raise IndexError("put_(): Tried to put elements into an empty tensor")
    _check_take(input, index)
    return k.put(input, index, source, accumulate)


put.derivative(
    input=lambda F, grad, index, accumulate: grad if accumulate else F.put(grad, index, F.zeros(_shape(index), dtype_of(grad)), False),
    source=lambda F, grad, index, source_shape: F.reshape(F.take(grad, index), source_shape),
)


def _shape(x: Any) -> Any:
    return getattr(x, "_array", x).shape


@composite("torch.take_along_dim", "Tensor.take_along_dim")
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None, *, out: Any = None) -> Tensor:
    """`gather` whose input and indices broadcast in all other dimensions; over all elements without a `dim`."""
    a, b = input._array, indices._array
    if dim is None:
        return gather.function(reshape_tensor(input, (-1,)), 0, reshape_tensor(indices, (-1,)), out=out)
    if a.ndim != b.ndim:
        raise RuntimeError(
            f"torch.take_along_dim(): input and indices should have the same number of dimensions, but got {a.ndim} dimensions for input, "
            f"and {b.ndim} dimensions for indices"
        )
    if b.dtype != INT64:
        raise RuntimeError(f"torch.take_along_dim(): dtype of indices should be Long but got {scalar_name(b)}")
    d = normalize_dim(dim, a.ndim)
    if b.size and b.min() < 0:
        indices = wrap(k.from_the_front(b, a.shape[d] if a.ndim else 1))
    others = broadcast_shapes((*a.shape[:d], 1, *a.shape[d + 1 :]), (*b.shape[:d], 1, *b.shape[d + 1 :])) if a.ndim else ()
    if a.ndim:
        input = tensors.expand(input, (*others[:d], a.shape[d], *others[d + 1 :]))
        indices = tensors.expand(indices, (*others[:d], b.shape[d], *others[d + 1 :]))
    return gather.function(input, d, indices, out=out)


@composite("torch.unravel_index")
def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """The coordinates, a tensor per dimension, of elements given by their numbers in row-major order."""
    if not isinstance(indices, Tensor):
        raise TypeError(f"expected 'indices' to be of type Tensor but got {type(indices)}")
    if indices._array.dtype.kind not in "iu":
        raise TypeError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    shape = (shape,) if hasattr(shape, "__index__") else tuple(shape)
    for n in shape:
        if not hasattr(n, "__index__"):
            raise TypeError(f"expected 'shape' sequence to only contain ints, but got {type(n)}")
        if n < 0:
            raise ValueError(f"'shape' cannot have negative values, but got {shape}")
    return tuple([wrap(c) for c in k.coordinates(indices._array, shape)])


# --- where something holds -----------------------------------------------------------------------------------------


@operator("torch.argwhere", "Tensor.argwhere", differentiable=False)
def argwhere(input: Array) -> Array:
    """The indices of nonzero elements, a row each."""
    return k.argwhere(input)


@operator(differentiable=False)
def nonzero_rows(input: Array) -> Array:
    """The indices of nonzero elements, a row each."""
    return k.argwhere(input)


@composite("torch.nonzero", "Tensor.nonzero")
def nonzero(input: Tensor, *, as_tuple: bool = False, out: Any = None) -> Any:
    """The indices of nonzero elements: a row each, or with `as_tuple` a vector per dimension."""
    if not as_tuple:
        return nonzero_rows.function(input, out=out)
    if not input._array.ndim:
        input = tensors.unsqueeze(input, 0)
    return tensors.unbind(nonzero_rows.function(input), 1)


@composite("torch.nonzero_static", "Tensor.nonzero_static")
def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """The indices of the first `size` nonzero elements, a row each; missing rows are filled with one number."""
    if size < 0:
        raise RuntimeError("nonzero_static: 'size' must be an non-negative integer")
    return wrap(k.first_rows(k.argwhere(input._array), size, fill_value))


@composite("Tensor.fill_diagonal_")
def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Writes a number on the main diagonal; with `wrap`, the diagonal of a tall matrix goes on after each block."""
    shape = self._array.shape
    if len(shape) < 2:
        raise RuntimeError("dimensions must larger than 1")
    if len(shape) > 2 and len(set(shape)) != 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    step = sum(self.stride())
    diagonal = self.as_strided((min(shape),), (step,), self.storage_offset())
    diagonal.fill_(fill_value)
    if wrap and len(shape) == 2 and shape[0] > shape[1] + 1:
        n = shape[1]
        stride0 = self.stride(0)
        start = (n + 1) * stride0
        while start // stride0 < shape[0]:
            count = min(n, shape[0] - start // stride0)
            self.as_strided((count,), (step,), self.storage_offset() + start).fill_(fill_value)
            start += (n + 1) * stride0
    return self


def one_hot(input: Tensor, num_classes: int = -1) -> Tensor:
    """Rows of zeros with a 1 at each number: a new last dimension of `num_classes` (default: the largest number plus 1)."""
    array = input._array
    if array.dtype != INT64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if array.__class__ is not np.ndarray:
        if num_classes == -1:
            raise RuntimeError("Tensor.item() cannot be called on meta tensors")
        return wrap(type(array)((*array.shape, num_classes), INT64))
    if not array.size:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return wrap(memory.zeros((*array.shape, num_classes), INT64))
    if array.min() < 0:
        raise RuntimeError("Class values must be non-negative.")
    if num_classes == -1:
        num_classes = int(array.max()) + 1
    elif num_classes < 1:
        raise RuntimeError("num_classes should be positive")
    elif num_classes <= array.max():
        raise RuntimeError("Class values must be smaller than num_classes.")
    return wrap(k.one_hot(array, num_classes))


composite("F.one_hot")(one_hot)
