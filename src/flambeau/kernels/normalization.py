"""Layer, group and RMS normalisation and their gradients, in their NumPy lowering."""

import math
from typing import Any

import numpy as np

from .batch_norm import channel_dots, channel_totals, channels_of
from .compiler import chunks_of_rows, compiled_for, mapped, usable
from .elementwise import multiply
from .library import normalization as library
from .pointwise import LARGE
from .quiet import quiet

_F32 = np.dtype(np.float32)
SHORT = 8
"""Rows of fewer elements: the few that people print and compare."""


def _rows(x: Any, count: int) -> Any:
    """A row-major array as rows, else None."""
    return x.reshape(-1, count) if x.size and x.flags.c_contiguous else None


def _statistics(x: Any, rows: int, how_many: int) -> Any:
    """Room for numbers per row, float32 at least."""
    return np.empty((how_many, rows, 1), _F32 if x.dtype.itemsize == 2 else x.dtype)


def layer_norm(x: Any, count: int, weight: Any, bias: Any, eps: float) -> tuple[Any, Any, Any]:
    """(x - mean) / sqrt(var + eps) * weight + bias over rows of `count` elements.

    Returns the result in x's shape, and per row the mean and 1 / sqrt(var + eps).
    """
    rows = _rows(x, count) if count >= SHORT else None
    if rows is not None and (weight is not None or bias is None):
        given = [w.reshape(-1) for w in (weight, bias) if w is not None]
        kernel = compiled_for((library.layer_norm_plain, library.layer_norm_weight, library.layer_norm)[len(given)], rows, *given)
        if kernel is not None:
            out = np.empty(x.shape, x.dtype)
            mean, rstd = _statistics(x, len(rows), 2)
            kernel(out.reshape(-1, count), mean, rstd, rows, *given, 1 / count, float(eps))
            return out, mean, rstd
    return _layer_norm(x, count, weight, bias, eps)


@quiet
def _layer_norm(x: Any, count: int, weight: Any, bias: Any, eps: float) -> tuple[Any, Any, Any]:
    """(x - mean) / sqrt(var + eps) * weight + bias over rows of `count` elements.

    Returns the result in x's shape, and per row the mean and 1 / sqrt(var + eps).
    """
    shape, low = x.shape, x.dtype
    rows = x.reshape(-1, count)
    if low.itemsize == 2:
        rows = rows.astype(_F32)
    if 0 < count < SHORT:
        mean, variance = _running_statistics(rows)
        centred = rows - mean
    else:
        one_over = rows.dtype.type(1 / count) if count else rows.dtype.type(0)
        mean = np.add.reduce(rows, 1, keepdims=True) * one_over
        centred = rows - mean
        variance = np.einsum("ij,ij->i", centred, centred)[:, None] * one_over
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
    """The gradients of x, weight and bias; None where `needs` is False."""
    count = x.size // max(mean.size, 1)
    rows, g = _rows(x, count), _rows(grad, count)
    if rows is not None and g is not None and mean.flags.c_contiguous and rstd.flags.c_contiguous:
        out = np.empty(x.shape, x.dtype)
        if weight is not None:
            kernel = compiled_for(library.layer_norm_backward, rows, g, weight.reshape(-1))
            if kernel is not None and mean.dtype is rstd.dtype is _computed(x.dtype):
                sums = np.zeros((2, chunks_of_rows(len(rows), count), count), mean.dtype)
                kernel(out.reshape(-1, count), sums[0], sums[1], g, rows, mean, rstd, weight.reshape(-1), 1 / count)
                grads = np.add.reduce(sums, 1).astype(x.dtype, copy=False)
                return out if needs[0] else None, grads[0].reshape(weight.shape) if needs[1] else None, grads[1] if needs[2] else None
        elif not needs[1] and not needs[2]:
            kernel = compiled_for(library.layer_norm_plain_backward, rows, g)
            if kernel is not None and mean.dtype is rstd.dtype is _computed(x.dtype):
                kernel(out.reshape(-1, count), g, rows, mean, rstd, 1 / count)
                return out, None, None
    return _layer_norm_backward(grad, x, mean, rstd, weight, needs)


def _computed(dtype: Any) -> Any:
    return _F32 if dtype.itemsize == 2 else dtype


@quiet
def _layer_norm_backward(grad: Any, x: Any, mean: Any, rstd: Any, weight: Any, needs: Any) -> tuple[Any, Any, Any]:
    """The gradients of x, weight and bias; None where `needs` is False."""
    if not x.size:
        shape = (0,) if weight is None else weight.shape
        return np.zeros_like(x), np.zeros(shape, x.dtype), np.zeros(math.prod(shape), x.dtype)
    count = x.size // max(mean.size, 1)
    low = x.dtype
    rows, g = x.reshape(mean.size, count), grad.reshape(mean.size, count)
    if low.itemsize == 2:
        rows, g = rows.astype(_F32), g.astype(_F32)
    normal = rows - mean
    normal *= rstd
    grad_x = grad_weight = grad_bias = None
    if needs[1]:
        grad_weight = np.einsum("ij,ij->j", g, normal).reshape(weight.shape)
    if needs[2]:
        grad_bias = np.dot(np.ones(g.shape[0], g.dtype), g)
    if needs[0]:
        gw = g if weight is None else g * weight.reshape(-1)
        one_over = gw.dtype.type(1 / count) if count else gw.dtype.type(0)
        mean_g = np.add.reduce(gw, 1, keepdims=True) * one_over
        mean_gn = np.einsum("ij,ij->i", gw, normal)[:, None] * one_over
        normal *= mean_gn
        normal += mean_g
        grad_x = np.subtract(gw, normal, out=normal)
        grad_x *= rstd
        grad_x = grad_x.reshape(x.shape)
    cast = (lambda a: a if a is None else a.astype(low)) if low.itemsize == 2 else (lambda a: a)
    return cast(grad_x), cast(grad_weight), cast(grad_bias)


# --- group and RMS normalisation --------------------------------------------------------------------------------------


@quiet
def group_norm(x: Any, groups: int, weight: Any, bias: Any, eps: float) -> tuple[Any, Any, Any]:
    """Layer normalisation of each group of channels, then weight and bias per channel: result, mean and 1 / sqrt(var + eps)."""
    low = x.dtype
    if low.itemsize == 2:
        x = x.astype(_F32)
    if not x.size:
        return x.astype(low), np.zeros((x.shape[0], groups), x.dtype), np.zeros((x.shape[0], groups), x.dtype)
    count = x.size // (x.shape[0] * groups)
    result, mean, rstd = layer_norm(x, count, None, None, eps)
    line = (-1, *[1] * (x.ndim - 2))
    if weight is not None and bias is not None and x.size > LARGE and weight.dtype is bias.dtype is x.dtype and usable():
        if mapped(library.scale_and_shift, x.dtype, result, result, weight.reshape(line), bias.reshape(line)) is not None:
            weight = bias = None
    if weight is not None:
        result *= weight.reshape(line)
    if bias is not None:
        result += bias.reshape(line)
    return result.astype(low, copy=False), mean.reshape(-1, groups), rstd.reshape(-1, groups)


@quiet
def group_norm_backward(grad: Any, x: Any, mean: Any, rstd: Any, weight: Any, needs: Any) -> tuple[Any, Any, Any]:
    """The gradients of x, weight and bias; None where `needs` is False."""
    low = x.dtype
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
        g = channels_of(grad)
        if needs[1]:
            count = x.size // max(mean.size, 1)
            rows, centre, scale = x.reshape(mean.size, count), mean.reshape(-1, 1), rstd.reshape(-1, 1)
            normal = None
            if x.size > LARGE and mean.dtype is rstd.dtype is x.dtype and usable():
                normal = mapped(library.centre_and_scale, x.dtype, np.empty_like(rows), rows, centre, scale)
            if normal is None:
                normal = (rows - centre) * scale
            grad_weight = channel_dots(g, normal.reshape(g.shape))
        if needs[2]:
            grad_bias = channel_totals(g)
    return grad_x, grad_weight, grad_bias


def rms_norm(x: Any, count: int, weight: Any, eps: float) -> tuple[Any, Any]:
    """x / sqrt(mean(x^2) + eps) * weight over rows of `count` elements: the result, and 1 / sqrt(...) per row."""
    rows = _rows(x, count)
    if rows is not None:
        given = [] if weight is None else [weight.reshape(-1)]
        kernel = compiled_for(library.rms_norm if given else library.rms_norm_plain, rows, *given)
        if kernel is not None:
            out = np.empty(x.shape, x.dtype)
            (rstd,) = _statistics(x, len(rows), 1)
            kernel(out.reshape(-1, count), rstd, rows, *given, 1 / count, float(eps))
            return out, rstd
    return _rms_norm(x, count, weight, eps)


@quiet
def _rms_norm(x: Any, count: int, weight: Any, eps: float) -> tuple[Any, Any]:
    shape, low = x.shape, x.dtype
    rows = x.reshape(x.size // max(count, 1), count)
    if low.itemsize == 2:
        rows = rows.astype(_F32)
    real = rows.real.dtype
    squares = np.einsum("ij,ij->i", rows, rows)[:, None] if real == rows.dtype else np.add.reduce(rows * rows, 1, keepdims=True)
    rstd = 1 / np.sqrt(squares / real.type(count) + real.type(eps))
    result = rows * rstd
    if weight is not None:
        result *= weight.reshape(-1)
    return result.reshape(shape).astype(low, copy=False), rstd


def rms_norm_backward(grad: Any, x: Any, rstd: Any, weight: Any, needs: Any) -> tuple[Any, Any]:
    """The gradients of x and weight; None where `needs` is False."""
    count = x.size // max(rstd.size, 1)
    rows, g = _rows(x, count), _rows(grad, count)
    if rows is not None and g is not None and rstd.flags.c_contiguous and rstd.dtype is _computed(x.dtype):
        given = [] if weight is None else [weight.reshape(-1)]
        kernel = compiled_for(library.rms_norm_backward if given else library.rms_norm_plain_backward, rows, g, *given)
        if kernel is not None:
            out = np.empty(x.shape, x.dtype)
            if weight is None:
                kernel(out.reshape(-1, count), g, rows, rstd, 1 / count)
                return out if needs[0] else None, None
            sums = np.zeros((chunks_of_rows(len(rows), count), count), rstd.dtype)
            kernel(out.reshape(-1, count), sums, g, rows, rstd, *given, 1 / count)
            grad_weight = np.add.reduce(sums, 0).astype(x.dtype, copy=False).reshape(weight.shape)
            return out if needs[0] else None, grad_weight if needs[1] else None
    return _rms_norm_backward(grad, x, rstd, weight, needs)


@quiet
def _rms_norm_backward(grad: Any, x: Any, rstd: Any, weight: Any, needs: Any) -> tuple[Any, Any]:
    if not x.size:
        return np.zeros_like(x), None if weight is None else np.zeros_like(weight)
    low, count = x.dtype, x.size // rstd.size
    rows, g = x.reshape(rstd.size, count), grad.reshape(rstd.size, count)
    if low.itemsize == 2:
        rows, g = rows.astype(_F32), g.astype(_F32)
    normal = rows * rstd
    grad_x = grad_weight = None
    if needs[1]:
        grad_weight = np.einsum("ij,ij->j", g, normal).reshape(weight.shape)
    if needs[0]:
        gw = g if weight is None else g * weight.reshape(-1)
        normal *= np.einsum("ij,ij->i", gw, normal)[:, None] / rows.dtype.type(count)
        grad_x = np.subtract(gw, normal, out=normal)
        grad_x *= rstd
        grad_x = grad_x.reshape(x.shape).astype(low, copy=False)
    return grad_x, grad_weight
