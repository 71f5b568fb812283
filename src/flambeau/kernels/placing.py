"""Kernels that put values at places in memory: joining, and gradients of views."""

import math
from typing import Any, Sequence

import numpy as np

from ..core import layout


def concatenate(arrays: Sequence[Any], dim: int) -> Any:
    """Arrays of one dtype one behind the other."""
    result = np.concatenate(arrays, dim)
    return result if result.flags.c_contiguous else np.ascontiguousarray(result)


def stack(arrays: Sequence[Any], dim: int) -> Any:
    """Arrays of one shape and dtype side by side along a new dimension."""
    first = arrays[0]
    shape = first.shape
    result = np.empty((*shape[:dim], len(arrays), *shape[dim:]), first.dtype)
    lead = (slice(None),) * dim
    for i, a in enumerate(arrays):
        result[lead + (i,)] = a
    return result


def strided_gradient(grad: Any, input_shape: Any, input_strides: Any, shape: Any, strides: Any, offset: int) -> Any:
    """The gradient of a tensor of which a strided view (its shape, strides, offset) has gradient `grad`.

    Elements that the view shows several times add up; so do those that the input itself shows several times, whose sum
    is shared out among them.
    """
    if grad.size == 0 or math.prod(input_shape) == 0:
        return np.zeros(input_shape, grad.dtype)
    low = min(offset, 0)
    total = max(layout.extent(input_shape, input_strides), offset + layout.extent(shape, strides)) - low
    storage = np.zeros(total, grad.dtype)
    part = layout.strided_view(storage, shape, strides, offset - low)
    if layout.overlaps(shape, strides):
        places = layout.strided_view(np.arange(total), shape, strides, offset - low)
        np.add.at(storage, places, grad)
    else:
        part[...] = grad
    if layout.overlaps(input_shape, input_strides):
        places = layout.strided_view(np.arange(total), input_shape, input_strides, -low)
        counts = np.zeros(total, np.int64)
        np.add.at(counts, places, 1)
        storage /= np.maximum(counts, 1)
    return layout.strided_view(storage, input_shape, input_strides, -low)
