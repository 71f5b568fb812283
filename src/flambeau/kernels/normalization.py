"""Layer, batch, group and RMS normalisation and their gradients, in their NumPy lowering."""

import math
from typing import Any

import numpy as np

from .compiler import chunks_of_rows, compiled_for
from .library import normalization as library
from .quiet import quiet

_F32 = np.dtype(np.float32)


def layer_norm(x: Any, count: int, weight: Any, bias: Any, eps: float) -> tuple[Any, Any, Any]:
    """(x - mean) / sqrt(var + eps) * weight + bias over rows of `count` elements.

    Returns the result in x's shape, and per row the mean and 1 / sqrt(var + eps).
    """
    if weight is not None and bias is not None and x.size and x.shape[-1:] == weight.shape == bias.shape == (count,):
        kernel = compiled_for(library.layer_norm, x, weight, bias)
        if kernel is not None:
            out = np.empty_like(x)
            mean, rstd = np.empty((2, x.size // count, 1), x.dtype)
            kernel(out, mean, rstd, x, weight, bias, 1 / count, float(eps))
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


def layer_norm_backward(grad: Any, x: Any, mean: Any, rstd: Any, weight: Any, needs: Any) -> tuple[Any, Any, Any]:
    """The gradients of x, weight and bias; None where `needs` is False."""
    if weight is not None and x.size and weight.shape == x.shape[-1:]:
        kernel = compiled_for(library.layer_norm_backward, x, grad, mean, rstd, weight)
        if kernel is not None:
            count = x.shape[-1]
            out = np.empty_like(x)
            sums = np.zeros((2, chunks_of_rows(x.size // count, count), count), x.dtype)
            kernel(out, sums[0], sums[1], grad, x, mean, rstd, weight, 1 / count)
            sums = np.add.reduce(sums, 1)
            return out if needs[0] else None, sums[0] if needs[1] else None, sums[1] if needs[2] else None
    return _layer_norm_backward(grad, x, mean, rstd, weight, needs)


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


# --- batch normalisation ----------------------------------------------------------------------------------------------

_CHUNK = 1 << 16
"""Elements that stay in the cache while several passes run over them."""


def _chunks(x: Any) -> Any:
    """Slices of samples of (N, C, L), each about as large as the cache likes."""
    step = max(1, _CHUNK // max(x.shape[1] * x.shape[2], 1))
    return [slice(i, i + step) for i in range(0, len(x), step)]


def _channels(x: Any) -> Any:
    """x (N, C, ...) as (N, C, L), half precision in float32."""
    x = x.reshape(*x.shape[:2], math.prod(x.shape[2:])) if x.ndim > 2 else x[:, :, None]
    return x.astype(_F32) if x.dtype.itemsize == 2 else x


def _channel_sums(x: Any) -> Any:
    """The sum of each channel of (N, C, L)."""
    if x.shape[2] == 1:
        return np.add.reduce(x[:, :, 0], 0)
    return np.add.reduce(np.matmul(x, np.ones(x.shape[2], x.dtype)), 0, np.float64).astype(x.dtype)


def _channel_dots(x: Any, y: Any) -> Any:
    """The sum of x * y over each channel of two (N, C, L)."""
    if x.shape[2] == 1:
        return np.einsum("nc,nc->c", x[:, :, 0], y[:, :, 0])
    return np.add.reduce(np.vecdot(x, y), 0)


@quiet
def batch_norm(x: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool, momentum: float, eps: float) -> Any:
    """(x - mean) / sqrt(var + eps) * weight + bias per channel of (N, C, ...): the result, the mean and 1 / sqrt(var + eps).

    In training the statistics are those of x, and the running ones move towards them in place (the variance by the unbiased
    estimate); else they are the running ones.
    """
    low, shape = x.dtype, x.shape
    if not x.size:
        channels = shape[1] if len(shape) > 1 else 0
        return x.copy(), np.zeros(channels, low), np.zeros(channels, low)
    x = _channels(x)
    dtype = x.dtype
    if training:
        count = x.shape[0] * x.shape[2]
        mean = _channel_sums(x) / dtype.type(count)
        centre = mean[:, None]
        squares = np.zeros(x.shape[1], dtype)
        for part in _chunks(x):
            centred = x[part] - centre
            squares += _channel_dots(centred, centred)
        var = squares / dtype.type(count)
        if running_mean is not None:
            running_mean *= 1 - momentum
            running_mean += (momentum * mean).astype(running_mean.dtype)
        if running_var is not None:
            running_var *= 1 - momentum
            running_var += (momentum / (count - 1) * squares if count > 1 else momentum * squares / 0.0).astype(running_var.dtype)
    else:
        mean, var = running_mean.astype(dtype), running_var.astype(dtype, copy=False)
    rstd = 1 / np.sqrt(var + dtype.type(eps))
    scale = rstd if weight is None else rstd * weight.astype(dtype, copy=False)
    shift = -mean * scale
    if bias is not None:
        shift += bias
    scale, shift = scale[:, None], shift[:, None]
    result = np.empty(x.shape, dtype)
    for part in _chunks(x):
        target = result[part]
        np.multiply(x[part], scale, out=target)
        target += shift
    result = result.reshape(shape)
    return (result if result.dtype == low else result.astype(low)), mean, rstd


@quiet
def batch_norm_backward(grad: Any, x: Any, weight: Any, mean: Any, rstd: Any, training: bool, needs: Any) -> tuple[Any, Any, Any]:
    """The gradients of x, weight and bias; None where `needs` is False."""
    low, shape = x.dtype, x.shape
    if not x.size:
        return np.zeros_like(x), None if weight is None else np.zeros_like(weight), np.zeros(shape[1] if len(shape) > 1 else 0, low)
    x, grad = _channels(x), _channels(grad)
    dtype = x.dtype
    centre = mean[:, None]
    sums: Any = _channel_sums(grad) if needs[2] or (training and needs[0]) else None
    dots: Any = None
    if needs[1] or (training and needs[0]):
        dots = np.zeros(x.shape[1], dtype)
        for part in _chunks(x):
            dots += _channel_dots(grad[part], x[part] - centre)
    grad_x = None
    if needs[0]:
        scale = rstd if weight is None else rstd * weight.astype(dtype, copy=False)
        scale = scale[:, None]
        grad_x = np.empty(x.shape, dtype)
        if training:
            count = dtype.type(x.shape[0] * x.shape[2])
            slope = (-dots * rstd * rstd / count)[:, None]
            mean_grad = (sums / count)[:, None]
            for part in _chunks(x):
                target = grad_x[part]
                np.subtract(x[part], centre, out=target)
                target *= slope
                target += grad[part]
                target -= mean_grad
                target *= scale
        else:
            np.multiply(grad, scale, out=grad_x)
        grad_x = grad_x.reshape(shape)
    grad_weight = None if not needs[1] else (dots * rstd).astype(weight.dtype, copy=False)
    return (grad_x if grad_x is None or low == dtype else grad_x.astype(low)), grad_weight, sums if needs[2] else None


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
        scaled = grad if weight is None else grad * weight.reshape(line)
        grad_x = layer_norm_backward(scaled, x, mean.reshape(-1, 1), rstd.reshape(-1, 1), None, (True, False, False))[0].astype(
            low, copy=False
        )
    if needs[1] or needs[2]:
        g = _channels(grad)
        if needs[1]:
            count = x.size // max(mean.size, 1)
            normal = (x.reshape(mean.size, count) - mean.reshape(-1, 1)) * rstd.reshape(-1, 1)
            grad_weight = _channel_dots(g, normal.reshape(g.shape))
        if needs[2]:
            grad_bias = _channel_sums(g)
    return grad_x, grad_weight, grad_bias


@quiet
def rms_norm(x: Any, count: int, weight: Any, eps: float) -> tuple[Any, Any]:
    """x / sqrt(mean(x^2) + eps) * weight over rows of `count` elements: the result, and 1 / sqrt(...) per row."""
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


@quiet
def rms_norm_backward(grad: Any, x: Any, rstd: Any, weight: Any, needs: Any) -> tuple[Any, Any]:
    """The gradients of x and weight; None where `needs` is False."""
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
