"""Layer, group and RMS normalisation and their gradients."""

import math
from functools import lru_cache
from typing import Any

import numpy as np

from .batch_norm import channel_dots, channel_sums
from .compiler import chunks_of_rows, compiled_for, in_numpy, mapped, unimplemented, usable
from .compiler.launch import GRAIN
from .compiler.threads import count as thread_count
from .elementwise import multiply
from .library import group_norm as kernels_of_groups
from .library import layer_norm as ordered
from .library import normalization as library
from .library import rms_norm as kernels_of_rms
from .memory import allocated, contiguous
from .pointwise import LARGE
from .quiet import quiet
from .reduction import scaled_column_sums

_F32, _F64 = np.dtype(np.float32), np.dtype(np.float64)
SHORT = 8
"""Rows of fewer elements: the few that people print and compare, which NumPy does in PyTorch's order, too."""


def _rows(x: Any, count: int) -> Any:
    """A row-major array as rows, else None."""
    return x.reshape(-1, count) if x.size and x.flags.c_contiguous else None


def _statistics(x: Any, rows: int, how_many: int) -> Any:
    """Room for numbers per row, float32 at least."""
    dtype = _F32 if x.dtype.itemsize == 2 else x.dtype
    return allocated(x, (how_many, rows, 1), dtype)


def _element(*arrays: Any) -> str | None:
    """What machine code calls the dtype of some arrays, where kernels in PyTorch's order take them; else None. None is no array."""
    dtype = arrays[0].dtype
    if dtype is not _F32 and dtype is not _F64 or not usable():
        return None
    for a in arrays:
        if a is not None and (a.__class__ is not np.ndarray or a.dtype is not dtype or not a.flags.carray):
            return None
    return "float" if dtype is _F32 else "double"


@lru_cache(256)
def _row_table(rows: int, count: int) -> Any:
    return np.array([rows, GRAIN // count + 1, count, rows, 1], np.int64)


@lru_cache(256)
def _part_table(rows: int, count: int, threads: int) -> Any:
    """As many parts of all rows as there are threads, or rows."""
    each = -(-rows // min(threads, rows))
    parts = -(-rows // each)
    return np.array([parts, 1 if rows * count > GRAIN else parts, count, rows, each], np.int64)


def layer_norm(x: Any, count: int, weight: Any, bias: Any, eps: float, name: str = "LayerNormKernelImpl") -> tuple[Any, Any, Any]:
    """(x - mean) / sqrt(var + eps) * weight + bias over rows of `count` elements.

    Returns the result in x's shape, and per row the mean and 1 / sqrt(var + eps): compiled, and in float32 or float64, with PyTorch's bits.
    Raises NotImplementedError, by this name, for complex numbers and integers.
    """
    element = _element(x, weight, bias)
    if element is not None and count:
        rows = x.size // count
        out, statistics = np.empty(x.shape, x.dtype), np.empty((2, rows, 1), x.dtype)
        mean, rstd = statistics
        launch = ordered.forward(element, weight is not None, bias is not None)
        launch(out, mean, rstd, x, x if weight is None else weight, x if bias is None else bias, _row_table(rows, count), float(eps))
        return out, mean, rstd
    if not count:
        if x.dtype.kind in "biuc":
            raise unimplemented(name, x.dtype)
        return np.zeros_like(x), *_statistics(x, 0, 2)
    if weight is None and bias is not None:
        weight = np.ones_like(bias)
    given = [w.reshape(-1) for w in (weight, bias) if w is not None]
    kernel = (library.layer_norm_plain, library.layer_norm_weight, library.layer_norm)[len(given)]
    halves = _rows(x, count)
    found = None if halves is None else compiled_for(kernel, halves, *given)
    if found is None:
        if x.dtype.kind in "biuc":
            raise unimplemented(name, x.dtype)
        if count < SHORT:
            return _short_layer_norm(x, count, weight, bias, eps)
        found = in_numpy(kernel, x.dtype)
    out = allocated(x, x.shape, x.dtype)
    mean, rstd = _statistics(x, x.size // count, 2)
    found(out.reshape(-1, count), mean, rstd, x.reshape(-1, count), *given, 1 / count, float(eps))
    return out, mean, rstd


@quiet
def _short_layer_norm(x: Any, count: int, weight: Any, bias: Any, eps: float) -> tuple[Any, Any, Any]:
    """`layer_norm` of rows of few elements, with PyTorch's way to their statistics."""
    shape, low = x.shape, x.dtype
    rows = x.reshape(-1, count)
    if low.itemsize == 2:
        rows = rows.astype(_F32)
    mean, variance = _running_statistics(rows)
    centred = rows - mean
    rstd = 1 / np.sqrt(variance + rows.dtype.type(eps))
    centred *= rstd
    if weight is not None:
        centred *= weight.reshape(-1)
    if bias is not None:
        centred += bias.reshape(-1)
    result = centred.reshape(shape)
    return (result if result.dtype == low else result.astype(low)), mean, rstd


def _running_statistics(rows: Any) -> tuple[Any, Any]:
    """Mean and variance of short rows, element after element as PyTorch does it, so that no digit differs (Welford, 1962)."""
    mean = np.zeros((len(rows), 1), rows.dtype)
    squares = np.zeros_like(mean)
    for i in range(rows.shape[1]):
        element = rows[:, i : i + 1]
        distance = element - mean
        mean = mean + distance / rows.dtype.type(i + 1)
        squares += distance * (element - mean)
    return mean, squares / rows.dtype.type(rows.shape[1])


def layer_norm_backward(grad: Any, x: Any, mean: Any, rstd: Any, weight: Any, needs: Any) -> tuple[Any, Any, Any]:
    """The gradients of x, weight and bias; None where `needs` is False.

    Compiled, and in float32 or float64, they have PyTorch's bits. Those of weight and bias are added up in as many parts as there are
    threads, as PyTorch does it.
    """
    if not x.size:
        shape = (0,) if weight is None else weight.shape
        return np.zeros_like(x), allocated(x, shape, x.dtype, np.zeros), allocated(x, math.prod(shape), x.dtype, np.zeros)
    count = x.size // mean.size
    element = _element(x, grad, mean, rstd, weight)
    if element is not None:
        return _layer_norm_backward_in_order(element, grad, x, mean, rstd, weight, needs, count)
    plain = weight is None and not needs[1] and not needs[2]
    kernel, given = library.layer_norm_plain_backward, []
    if not plain:
        kernel, given = library.layer_norm_backward, [np.ones(count, x.dtype) if weight is None else weight.reshape(-1)]
    rows, g, found = _rows(x, count), _rows(grad, count), None
    if rows is not None and g is not None and mean.flags.c_contiguous and rstd.flags.c_contiguous:
        found = compiled_for(kernel, rows, g, *given) if mean.dtype is rstd.dtype is _computed(x.dtype) else None
    if found is None:
        rows, g, found = x.reshape(-1, count), grad.reshape(-1, count), in_numpy(kernel, x.dtype)
    out = allocated(x, x.shape, x.dtype)
    if plain:
        found(out.reshape(-1, count), g, rows, mean, rstd, 1 / count)
        return out, None, None
    extent = 2, chunks_of_rows(len(rows), count), count
    sums = allocated(x, extent, mean.dtype, np.zeros)
    found(out.reshape(-1, count), sums[0], sums[1], g, rows, mean, rstd, *given, 1 / count)
    grads = np.add.reduce(sums, 1).astype(x.dtype, copy=False)
    return out if needs[0] else None, grads[0].reshape(weight.shape) if needs[1] else None, grads[1] if needs[2] else None


def _layer_norm_backward_in_order(
    element: str, grad: Any, x: Any, mean: Any, rstd: Any, weight: Any, needs: Any, count: int
) -> tuple[Any, Any, Any]:
    """`layer_norm_backward` by machine code."""
    rows, out = mean.size, np.empty(x.shape, x.dtype)
    factor = x if weight is None else weight
    if not needs[1] and not needs[2]:
        kernel = ordered.backward(element, weight is not None, False)
        kernel(out, x, x, grad, x, mean, rstd, factor, _row_table(rows, count))
        return out, None, None
    table = _part_table(rows, count, thread_count())
    sums = np.empty((2, table[0], -(-count // ordered.PADDING) * ordered.PADDING), x.dtype)
    ordered.backward(element, weight is not None, True)(out, *sums, grad, x, mean, rstd, factor, table)
    to_weight, to_bias = (sums[:, 0] if table[0] == 1 else np.add.reduce(sums, 1))[:, :count]
    return out if needs[0] else None, to_weight.reshape(weight.shape) if needs[1] else None, to_bias if needs[2] else None


def _computed(dtype: Any) -> Any:
    return _F32 if dtype.itemsize == 2 else dtype


# --- group and RMS normalisation --------------------------------------------------------------------------------------


def _broadcast(kernel: Any, out: Any, *operands: Any) -> Any:
    """A map over arrays that broadcast to `out`: arithmetic, which has the same bits in both lowerings."""
    if out.size > LARGE and out.__class__ is np.ndarray and usable() and mapped(kernel, out.dtype, out, *operands) is not None:
        return out
    return in_numpy(kernel, out.dtype)(out, *operands)


@lru_cache(256)
def _group_table(shape: tuple[int, ...], groups: int, threads: int) -> Any:
    samples, channels = shape[:2]
    length = math.prod(shape[2:])
    each = channels // groups
    alone = threads == 1 or samples * groups == 1
    return np.array([samples * groups, GRAIN // (each * length) + 1, each, length, groups, samples, alone], np.int64)


@quiet
def group_norm(x: Any, groups: int, weight: Any, bias: Any, eps: float) -> tuple[Any, Any, Any]:
    """Layer normalisation of each group of channels, then weight and bias per channel: result, mean and 1 / sqrt(var + eps)."""
    low = x.dtype
    element = _element(weight if weight is not None else x, bias) if x.size and x.__class__ is np.ndarray else None
    if element is not None and x.flags.aligned:
        return _group_norm_in_order(element, contiguous(x), groups, weight, bias, eps)
    if low.itemsize == 2:
        x = x.astype(_F32)
    if not x.size:
        return x.astype(low), np.zeros((x.shape[0], groups), x.dtype), np.zeros((x.shape[0], groups), x.dtype)
    count = x.size // (x.shape[0] * groups)
    result, mean, rstd = layer_norm(x, count, None, None, eps, "GroupNormKernelImpl")
    line = (-1, *[1] * (x.ndim - 2))
    if weight is not None or bias is not None:
        scale = np.ones_like(bias) if weight is None else weight
        shift = np.zeros_like(scale) if bias is None else bias
        _broadcast(library.scale_and_shift, result, result, *[w.astype(x.dtype, copy=False).reshape(line) for w in (scale, shift)])
    return result.astype(low, copy=False), mean.reshape(-1, groups), rstd.reshape(-1, groups)


def _group_norm_in_order(element: str, x: Any, groups: int, weight: Any, bias: Any, eps: float) -> tuple[Any, Any, Any]:
    """`group_norm` by machine code."""
    out, statistics = np.empty(x.shape, x.dtype), np.empty((2, x.shape[0], groups), x.dtype)
    plain = weight is None and bias is None
    if not plain:
        weight = np.ones_like(bias) if weight is None else weight
        bias = np.zeros_like(weight) if bias is None else bias
    given = (x, x) if plain else (weight, bias)
    kernels_of_groups.forward(element, plain)(out, *statistics, x, *given, _group_table(x.shape, groups, thread_count()), float(eps))
    return out, *statistics


@quiet
def group_norm_backward(grad: Any, x: Any, mean: Any, rstd: Any, weight: Any, needs: Any) -> tuple[Any, Any, Any]:
    """The gradients of x, weight and bias; None where `needs` is False."""
    low = x.dtype
    if not x.size:
        return np.zeros_like(x), allocated(x, x.shape[1], low, np.zeros), allocated(x, x.shape[1], low, np.zeros)
    element = _element(mean, rstd, weight) if x.__class__ is grad.__class__ is np.ndarray and x.dtype is grad.dtype is mean.dtype else None
    if element is not None and x.flags.aligned and grad.flags.aligned:
        return _group_norm_backward_in_order(element, contiguous(grad), contiguous(x), mean, rstd, weight, needs)
    if low.itemsize == 2:
        x, grad = x.astype(_F32), grad.astype(_F32)
    line = (-1, *[1] * (x.ndim - 2))
    grad_x = grad_weight = grad_bias = None
    if needs[0]:
        scaled = grad if weight is None else multiply(grad, weight.astype(grad.dtype, copy=False).reshape(line))
        grad_x = layer_norm_backward(scaled, x, mean.reshape(-1, 1), rstd.reshape(-1, 1), None, (True, False, False))[0].astype(
            low, copy=False
        )
    if needs[1] or needs[2]:
        if needs[1]:
            rows, like = x.reshape(mean.size, -1), np.empty_like(x)
            _broadcast(library.centre_and_scale, like.reshape(rows.shape), rows, mean.reshape(-1, 1), rstd.reshape(-1, 1))
            grad_weight = channel_dots(grad, like)
        if needs[2]:
            grad_bias = channel_sums(grad)
    return grad_x, grad_weight, grad_bias


def _group_norm_backward_in_order(element: str, grad: Any, x: Any, mean: Any, rstd: Any, weight: Any, needs: Any) -> tuple[Any, Any, Any]:
    """`group_norm_backward` by machine code."""
    channels = x.shape[1]
    out = np.empty(x.shape, x.dtype) if needs[0] else None
    parameters, room = np.empty((2, channels), x.dtype), np.empty((2, x.shape[0], channels), x.dtype)
    factor = np.ones(channels, x.dtype) if weight is None else weight
    kernel = kernels_of_groups.backward(element, needs[0])
    kernel(
        x if out is None else out,
        *parameters,
        *room,
        grad,
        x,
        mean,
        rstd,
        factor,
        _group_table(x.shape, mean.size // x.shape[0], thread_count()),
    )
    return out, parameters[0] if needs[1] else None, parameters[1] if needs[2] else None


def rms_norm(x: Any, count: int, weight: Any, eps: float) -> tuple[Any, Any]:
    """x / sqrt(mean(x^2) + eps) * weight over rows of `count` elements: the result, and 1 / sqrt(...) per row.

    Compiled, and in float32 or float64, with PyTorch's bits.
    """
    element = _element(x, weight) if x.size else None
    if element is not None:
        rows = x.size // count
        out, rstd = np.empty(x.shape, x.dtype), np.empty((rows, 1), x.dtype)
        launch = kernels_of_rms.forward(element, weight is not None)
        launch(out, rstd, x, x if weight is None else weight, _row_table(rows, count), float(eps))
        return out, rstd
    given = [] if weight is None else [weight.reshape(-1)]
    kernel = library.rms_norm if given else library.rms_norm_plain
    rows = _rows(x, count)
    found = None if rows is None else compiled_for(kernel, rows, *given)
    if found is None:
        rows, found = x.reshape(x.size // max(count, 1), count), in_numpy(kernel, x.dtype)
    out = allocated(x, x.shape, x.dtype)
    (rstd,) = _statistics(x, len(rows), 1)
    found(out.reshape(rows.shape), rstd, rows, *given, 1 / max(count, 1), float(eps))
    return out, rstd


def rms_norm_backward(grad: Any, x: Any, rstd: Any, weight: Any, needs: Any) -> tuple[Any, Any]:
    """The gradients of x and weight; None where `needs` is False."""
    if not x.size:
        return np.zeros_like(x), None if weight is None else np.zeros_like(weight)
    count = x.size // rstd.size
    element = _element(x, grad, rstd, weight)
    if element is not None:
        return _rms_norm_backward_in_order(element, grad, x, rstd, weight, needs, count)
    given = [] if weight is None else [weight.reshape(-1)]
    kernel = library.rms_norm_backward if given else library.rms_norm_plain_backward
    rows, g, found = _rows(x, count), _rows(grad, count), None
    if rows is not None and g is not None and rstd.flags.c_contiguous and rstd.dtype is _computed(x.dtype):
        found = compiled_for(kernel, rows, g, *given)
    if found is None:
        rows, g, found = x.reshape(-1, count), grad.reshape(-1, count), in_numpy(kernel, x.dtype)
    out = allocated(x, x.shape, x.dtype)
    if weight is None:
        found(out.reshape(-1, count), g, rows, rstd, 1 / count)
        return out if needs[0] else None, None
    extent = chunks_of_rows(len(rows), count), count
    sums = allocated(x, extent, rstd.dtype, np.zeros)
    found(out.reshape(-1, count), sums, g, rows, rstd, *given, 1 / count)
    grad_weight = np.add.reduce(sums, 0).astype(x.dtype, copy=False).reshape(weight.shape)
    return out if needs[0] else None, grad_weight if needs[1] else None


def _rms_norm_backward_in_order(element: str, grad: Any, x: Any, rstd: Any, weight: Any, needs: Any, count: int) -> tuple[Any, Any]:
    """`rms_norm_backward` by machine code."""
    out = to_weight = None
    if needs[0]:
        out = np.empty(x.shape, x.dtype)
        launch = kernels_of_rms.backward(element, weight is not None)
        launch(out, grad, x, rstd, x if weight is None else weight, _row_table(rstd.size, count))
    if needs[1]:
        to_weight = np.empty(weight.shape, x.dtype)
        scaled_column_sums(to_weight, grad, x, rstd, rstd.size, count)
    return out, to_weight
