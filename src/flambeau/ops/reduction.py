"""Sums, means and other reductions along dimensions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.dtype import DEFAULT, OF_NUMPY
from ..core.layout import normalize_dim, normalize_dims
from ..kernels import reduction as k
from .creation import numpy_dtype
from .definition import Array, operator

_INT64 = np.dtype(np.int64)


def axes_of(dim: Any, ndim: int) -> tuple[int, ...] | None:
    """The axes that `dim` means: None (or empty) for all."""
    if dim is None:
        return None
    if dim.__class__ is int:
        return (normalize_dim(dim, ndim),) if ndim else None
    if not isinstance(dim, (tuple, list)):
        return (normalize_dim(dim.__index__(), ndim),)
    if not len(dim):
        return None
    if not ndim:
        normalize_dims(dim, ndim)
        return None
    return normalize_dims(dim, ndim)


def count_of(shape: tuple[int, ...], axes: tuple[int, ...] | None) -> int:
    """How many elements each result is made of."""
    return math.prod(shape) if axes is None else math.prod(shape[a] for a in axes)


def expand_reduced(F: Any, grad: Any, shape: tuple[int, ...], dim: Any, keepdim: bool) -> Any:
    """The gradient of a reduction with its reduced dimensions back, broadcast over them."""
    if not keepdim and shape:
        axes = axes_of(dim, len(shape))
        if axes is not None:
            grad = grad.reshape(tuple([1 if i in axes else n for i, n in enumerate(shape)]))
        elif len(shape):
            grad = grad.reshape((1,) * len(shape))
    return F.expand(grad, shape)


@operator("torch.sum", "Tensor.sum")
def sum(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Array:
    """The sum of all elements, or along `dim` (an int or several); integers and bools sum in int64."""
    kind = input.dtype.kind
    if dtype is not None:
        target = numpy_dtype(dtype)
    else:
        target = _INT64 if kind in "iub" else None
    return k.sum(input, None if dim is None else axes_of(dim, input.ndim), keepdim, target)


sum.derivative(input=lambda F, grad, input_shape, dim, keepdim: expand_reduced(F, grad, input_shape, dim, keepdim))


@operator("torch.mean", "Tensor.mean")
def mean(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Array:
    """The mean of all elements, or along `dim`. Raises RuntimeError for integers unless `dtype` is a floating one."""
    if dtype is not None:
        input = input.astype(numpy_dtype(dtype), copy=False)
    if input.dtype.kind in "iub":
        from ..core.dtype import SCALAR_NAMES

        name = SCALAR_NAMES[OF_NUMPY[input.dtype]]
        raise RuntimeError(
            f"mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: {name}"
        )
    axes = None if dim is None else axes_of(dim, input.ndim)
    return k.mean(input, axes, keepdim, count_of(input.shape, axes))


def _mean_derivative(F: Any, grad: Any, input_shape: Any, dim: Any, keepdim: bool) -> Any:
    count = count_of(input_shape, axes_of(dim, len(input_shape)))
    return expand_reduced(F, grad / count if count else grad, input_shape, dim, keepdim)


mean.derivative(input=_mean_derivative)

_DEFAULT = DEFAULT
