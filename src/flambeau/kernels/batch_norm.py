"""Batch normalisation and its gradient, and the sums of channels."""

from typing import Any

import numpy as np

from ..core.meta import MetaArray
from .compiler import in_numpy
from .library import batch_norm as library
from .memory import contiguous
from .quiet import quiet

_F32 = np.dtype(np.float32)


def _ready(x: Any) -> Any:
    """The array if kernels can read it as it is, else a copy that they can."""
    return x if x.__class__ is not np.ndarray or x.flags.carray else np.require(contiguous(x), requirements="A")


def _computed(dtype: Any) -> Any:
    """The dtype that statistics have."""
    return _F32 if dtype.itemsize == 2 else dtype


def _room(like: Any, shape: Any, dtype: Any) -> Any:
    """A new array; one without memory where `like` is such."""
    return np.empty(shape, dtype) if like.__class__ is np.ndarray else MetaArray(shape, dtype)


def _per_channel(values: Any, like: Any, fill: float) -> Any:
    """One number for each channel as the kernels take them; None stands for `fill`."""
    if values is None:
        return np.full(like.shape[1], fill, _computed(like.dtype))
    return _ready(values.astype(_computed(like.dtype), copy=False))


def _run(kernel: Any, *arguments: Any) -> None:
    first = arguments[0]
    (kernel.compiled_for(first) or in_numpy(kernel, first.dtype))(*arguments)


def channel_sums(x: Any) -> Any:
    """The sum of each channel of (N, C, ...), in its dtype."""
    if not x.size or x.dtype.kind not in "fV":
        return np.add.reduce(x, (0, *range(2, x.ndim)), x.dtype)
    sums = _room(x, x.shape[1], _computed(x.dtype))
    _run(library.channel_sums, _ready(x), sums)
    return sums.astype(x.dtype, copy=False)


def channel_dots(x: Any, y: Any) -> Any:
    """The sum of x * y over each channel of two (N, C, ...) of one dtype, which are not empty; float32 at least."""
    sums = _room(x, x.shape[1], _computed(x.dtype))
    _run(library.channel_dots, _ready(x), _ready(y), sums)
    return sums


@quiet
def batch_norm(x: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool, momentum: float, eps: float) -> Any:
    """(x - mean) / sqrt(var + eps) * weight + bias per channel of (N, C, ...): the result, the mean and 1 / sqrt(var + eps).

    In training the statistics are those of x, and the running ones move towards them in place (the variance by the unbiased
    estimate); else they are the running ones. Of half precision they are float32.
    """
    dtype = _computed(x.dtype)
    channels = x.shape[1] if x.ndim > 1 else 0
    if not x.size:
        return x.copy(), np.zeros(channels, x.dtype), np.zeros(channels, x.dtype)
    x = _ready(x)
    out = _room(x, x.shape, x.dtype)
    given = x, _per_channel(weight, x, 1), _per_channel(bias, x, 0)
    if not training:
        mean = _ready(running_mean.astype(dtype))
        rstd = _ready(1 / np.sqrt(running_var.astype(dtype) + dtype.type(eps)))
        _run(library.batch_norm_evaluation, out, mean, rstd, *given)
        return out, mean, rstd
    mean, rstd, squares = (_room(x, channels, dtype) for _ in range(3))
    count = x.size // channels
    _run(library.batch_norm_training, out, mean, rstd, squares, *given, float(count), float(eps))
    _update_running(running_mean, running_var, mean, squares, count, momentum)
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


@quiet
def batch_norm_backward(grad: Any, x: Any, weight: Any, mean: Any, rstd: Any, training: bool, needs: Any) -> tuple[Any, Any, Any]:
    """The gradients of x, weight and bias; None where `needs` is False."""
    if not x.size:
        channels = x.shape[1] if x.ndim > 1 else 0
        return np.zeros_like(x), None if weight is None else np.zeros_like(weight), np.zeros(channels, x.dtype)
    x, grad = _ready(x), _ready(grad.astype(x.dtype, copy=False))
    mean, rstd = _per_channel(mean, x, 0), _per_channel(rstd, x, 1)
    sums, dots, out = _room(x, x.shape[1], mean.dtype), _room(x, x.shape[1], mean.dtype), None
    if not needs[0]:
        _run(library.batch_norm_sums, grad, x, sums, dots, mean)
    else:
        out = _room(x, x.shape, x.dtype)
        arrays = out, sums, dots, grad, x, mean, rstd, _per_channel(weight, x, 1)
        if training:
            _run(library.batch_norm_training_backward, *arrays, float(x.size // x.shape[1]))
        else:
            _run(library.batch_norm_evaluation_backward, *arrays)
    grad_weight = (dots * rstd).astype(weight.dtype, copy=False) if needs[1] else None
    return out, grad_weight, sums if needs[2] else None
