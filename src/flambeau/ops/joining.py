"""Joining tensors, and repeating them."""

from __future__ import annotations

from typing import Any

from ..core.dtype import OF_NUMPY
from ..core.layout import normalize_dim
from ..core.promotion import promote_types
from ..kernels import placing
from .definition import Array, operator


def joined_dtype(arrays: Any) -> Any:
    """The NumPy dtype that all promote to."""
    found = OF_NUMPY[arrays[0].dtype]
    for a in arrays:
        if a.dtype is not found.numpy:
            found = promote_types(found, OF_NUMPY[a.dtype])
    return found.numpy


@operator("torch.cat", "torch.concat", "torch.concatenate")
def cat(tensors: list[Array], dim: int = 0) -> Array:
    """Tensors one behind the other along a dimension. Empty 1-dim tensors do not count.

    Raises RuntimeError unless they agree in all other dimensions.
    """
    if not tensors:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    dtype = tensors[0].dtype
    for a in tensors:
        if a.dtype is not dtype:
            dtype = joined_dtype(tensors)
            break
    try:
        if tensors[0].dtype is not dtype or dtype.kind == "V":
            raise ValueError
        return placing.concatenate(tensors, dim)
    except (ValueError, TypeError, IndexError):
        pass
    for i, a in enumerate(tensors):
        if not a.ndim:
            raise RuntimeError(f"zero-dimensional tensor (at position {i}) cannot be concatenated")
    kept = [a for a in tensors if a.shape != (0,)]
    first = kept[0] if kept else tensors[0]
    d = normalize_dim(dim, first.ndim)
    for i, a in enumerate(tensors):
        if a.shape == (0,):
            continue
        if a.ndim != first.ndim:
            raise RuntimeError(f"Tensors must have same number of dimensions: got {first.ndim} and {a.ndim}")
        for j, (n, m) in enumerate(zip(first.shape, a.shape)):
            if n != m and j != d:
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {d}. Expected size {n} but got size {m} for tensor number {i} in the list."
                )
    return placing.concatenate([a.astype(dtype, copy=False) for a in kept or tensors[:1]], d)


def _cat_gradient(F: Any, grad: Any, shapes: Any, dim: int) -> list[Any]:
    found, start = [], 0
    ndim = max(len(s) for s in shapes)
    d = dim % ndim
    for shape in shapes:
        if shape == (0,) and ndim > 1:
            found.append(F.zeros(shape, getattr(grad, "_array", grad).dtype))
            continue
        found.append(F.slice_dim(grad, d, start, start + shape[d], 1))
        start += shape[d]
    return found


cat.derivative(tensors=lambda F, grad, tensors_shape, dim: _cat_gradient(F, grad, tensors_shape, dim))


@operator("torch.stack")
def stack(tensors: list[Array], dim: int = 0) -> Array:
    """Tensors of one shape side by side along a new dimension."""
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    first = tensors[0]
    shape, dtype = first.shape, first.dtype
    if dim.__class__ is not int or dim < 0 or dim > len(shape):
        dim = normalize_dim(dim, len(shape) + 1)
    mixed = False
    for i, a in enumerate(tensors):
        if a.shape != shape:
            raise RuntimeError(f"stack expects each tensor to be equal size, but got {list(shape)} at entry 0 and {list(a.shape)} at entry {i}")
        mixed = mixed or a.dtype is not dtype
    if mixed:
        dtype = joined_dtype(tensors)
        tensors = [a.astype(dtype, copy=False) for a in tensors]
    return placing.stack(tensors, dim)


stack.derivative(tensors=lambda F, grad, dim: F.unbind(grad, dim))
