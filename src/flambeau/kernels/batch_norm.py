"""Batch normalisation and its gradient, and the sums of channels."""

import math
from functools import lru_cache
from typing import Any

import numpy as np

from .compiler import usable
from .library import batch_norm as library
from .quiet import quiet

_F32 = np.dtype(np.float32)
KINDS = {_F32: "f32", np.dtype(np.float64): "f64"}
_CHUNK = 1 << 16
"""Elements that stay in the cache while several passes run over them."""


def _chunks(x: Any) -> Any:
    """Slices of samples of (N, C, L), each about as large as the cache likes."""
    step = max(1, _CHUNK // max(x.shape[1] * x.shape[2], 1))
    return [slice(i, i + step) for i in range(0, len(x), step)]


def channels_of(x: Any) -> Any:
    """x (N, C, ...) as (N, C, L), half precision in float32."""
    x = x.reshape(*x.shape[:2], math.prod(x.shape[2:])) if x.ndim > 2 else x[:, :, None]
    return x.astype(_F32) if x.dtype.itemsize == 2 else x


def channel_totals(x: Any) -> Any:
    """The sum of each channel of (N, C, L)."""
    if x.shape[2] == 1:
        return np.add.reduce(x[:, :, 0], 0)
    return np.add.reduce(np.matmul(x, np.ones(x.shape[2], x.dtype)), 0, np.float64).astype(x.dtype)


def channel_dots(x: Any, y: Any) -> Any:
    """The sum of x * y over each channel of two (N, C, L)."""
    if x.shape[2] == 1:
        return np.einsum("nc,nc->c", x[:, :, 0], y[:, :, 0])
    return np.add.reduce(np.vecdot(x, y), 0)


@lru_cache(256)
def _table(samples: int, channels: int, length: int, training: bool, wanted: bool) -> Any:
    """The numbers that the compiled kernels of batch normalisation ask for."""
    grain = max(1, 20_000 // max(1, samples * length))
    if length == 1:
        grain = max(grain, 64)
    return np.array([samples, channels, length, grain, training, wanted], np.int64)


def _per_channel(values: Any, like: Any, fill: float) -> Any:
    """One number for each channel as the compiled kernels take them; None stands for `fill`."""
    if values is None:
        return np.full(like.shape[1], fill, like.dtype)
    return np.ascontiguousarray(values, like.dtype)


def _compiles(x: Any) -> bool:
    return x.dtype in KINDS and x.size > 0 and x.ndim > 1 and usable()


def channel_sums(x: Any) -> Any:
    """The sum of each channel of (N, C, ...)."""
    if _compiles(x):
        x = np.require(x, requirements=("C", "A"))
        table = _table(x.shape[0], x.shape[1], math.prod(x.shape[2:]), False, False)
        return library.channel_sums(KINDS[x.dtype])(np.empty(x.shape[1], x.dtype), x, table)
    return _low_sums(x)


@quiet
def _low_sums(x: Any) -> Any:
    if not x.size or x.dtype.kind not in "fV":
        return np.add.reduce(x, (0, *range(2, x.ndim)), x.dtype)
    return channel_totals(channels_of(x)).astype(x.dtype, copy=False)


@quiet
def batch_norm(x: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool, momentum: float, eps: float) -> Any:
    """(x - mean) / sqrt(var + eps) * weight + bias per channel of (N, C, ...): the result, the mean and 1 / sqrt(var + eps).

    In training the statistics are those of x, and the running ones move towards them in place (the variance by the unbiased
    estimate); else they are the running ones.
    """
    if not _compiles(x):
        return _batch_norm(x, weight, bias, running_mean, running_var, training, momentum, eps)
    x = np.require(x, requirements=("C", "A"))
    dtype = x.dtype
    samples, channels = x.shape[:2]
    length = x.size // (samples * channels)
    out = np.empty(x.shape, dtype)
    mean, rstd, squares = np.empty(channels, dtype), np.empty(channels, dtype), np.empty(channels, dtype)
    if not training:
        mean[...] = running_mean
        np.add(running_var, dtype.type(eps), out=rstd, dtype=dtype, casting="unsafe")
        np.divide(1, np.sqrt(rstd, out=rstd), out=rstd)
    library.batch_norm(KINDS[dtype])(
        out, mean, rstd, squares, x, _per_channel(weight, x, 1), _per_channel(bias, x, 0),
        _table(samples, channels, length, training, False), float(eps),
    )  # fmt: skip
    if training:
        _update_running(running_mean, running_var, mean, squares, samples * length, momentum)
    return out, mean, rstd


def _update_running(running_mean: Any, running_var: Any, mean: Any, squares: Any, count: int, momentum: float) -> None:
    """Moves the running statistics towards those of a batch."""
    if running_mean is not None:
        running_mean *= 1 - momentum
        running_mean += (momentum * mean).astype(running_mean.dtype, copy=False)
    if running_var is not None:
        running_var *= 1 - momentum
        step = momentum / (count - 1) * squares if count > 1 else momentum * squares / 0.0
        running_var += step.astype(running_var.dtype, copy=False)


def _batch_norm(x: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool, momentum: float, eps: float) -> Any:
    """The NumPy lowering of `batch_norm`."""
    low, shape = x.dtype, x.shape
    if not x.size:
        channels = shape[1] if len(shape) > 1 else 0
        return x.copy(), np.zeros(channels, low), np.zeros(channels, low)
    x = channels_of(x)
    dtype = x.dtype
    if training:
        count = x.shape[0] * x.shape[2]
        mean = channel_totals(x) / dtype.type(count)
        centre = mean[:, None]
        squares = np.zeros(x.shape[1], dtype)
        for part in _chunks(x):
            centred = x[part] - centre
            squares += channel_dots(centred, centred)
        var = squares / dtype.type(count)
        _update_running(running_mean, running_var, mean, squares, count, momentum)
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
    if not _compiles(x) or grad.dtype != x.dtype or mean.dtype != x.dtype or rstd.dtype != x.dtype:
        return _batch_norm_backward(grad, x, weight, mean, rstd, training, needs)
    x, grad = np.require(x, requirements=("C", "A")), np.require(grad, requirements=("C", "A"))
    dtype = x.dtype
    samples, channels = x.shape[:2]
    out = np.empty(x.shape if needs[0] else 0, dtype)
    sums, dots = np.empty(channels, dtype), np.empty(channels, dtype)
    library.batch_norm_backward(KINDS[dtype])(
        out, sums, dots, grad, x, _per_channel(mean, x, 0), _per_channel(rstd, x, 0), _per_channel(weight, x, 1),
        _table(samples, channels, x.size // (samples * channels), training, bool(needs[0])),
    )  # fmt: skip
    grad_weight = (dots * rstd).astype(weight.dtype, copy=False) if needs[1] else None
    return out if needs[0] else None, grad_weight, sums if needs[2] else None


def _batch_norm_backward(grad: Any, x: Any, weight: Any, mean: Any, rstd: Any, training: bool, needs: Any) -> tuple[Any, Any, Any]:
    """The NumPy lowering of `batch_norm_backward`."""
    low, shape = x.dtype, x.shape
    if not x.size:
        return np.zeros_like(x), None if weight is None else np.zeros_like(weight), np.zeros(shape[1] if len(shape) > 1 else 0, low)
    x, grad = channels_of(x), channels_of(grad)
    dtype = x.dtype
    centre = mean[:, None]
    sums: Any = channel_totals(grad) if needs[2] or (training and needs[0]) else None
    dots: Any = None
    if needs[1] or (training and needs[0]):
        dots = np.zeros(x.shape[1], dtype)
        for part in _chunks(x):
            dots += channel_dots(grad[part], x[part] - centre)
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
