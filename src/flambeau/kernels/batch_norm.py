"""Batch normalisation and its gradient, and the sums of channels."""

import math
from functools import lru_cache
from typing import Any

import numpy as np

from .compiler import in_numpy, usable
from .compiler.launch import GRAIN
from .compiler.threads import count as thread_count
from .library import batch_norm as library
from .library import batch_norm_order as ordered
from .memory import allocated, contiguous
from .quiet import quiet

_F32, _F64 = np.dtype(np.float32), np.dtype(np.float64)


def _ready(x: Any) -> Any:
    """The array if kernels can read it as it is, else a copy that they can."""
    return x if x.__class__ is not np.ndarray or x.flags.carray else np.require(contiguous(x), requirements="A")


def _computed(dtype: Any) -> Any:
    """The dtype that statistics have."""
    return _F32 if dtype.itemsize == 2 else dtype


def _per_channel(values: Any, like: Any, fill: float) -> Any:
    """One number for each channel as the kernels take them; None stands for `fill`."""
    if values.__class__ is np.ndarray and values.dtype is _computed(like.dtype) and values.flags.carray:
        return values
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
    sums = allocated(x, x.shape[1], _computed(x.dtype))
    _run(library.channel_sums, _ready(x), sums)
    return sums.astype(x.dtype, copy=False)


def channel_dots(x: Any, y: Any) -> Any:
    """The sum of x * y over each channel of two (N, C, ...) of one dtype, which are not empty; float32 at least."""
    sums = allocated(x, x.shape[1], _computed(x.dtype))
    _run(library.channel_dots, _ready(x), _ready(y), sums)
    return sums


def _in_order(x: Any) -> str | None:
    """What machine code calls the dtype of an array where kernels in PyTorch's order take it; else None."""
    dtype = x.dtype
    if dtype is not _F32 and dtype is not _F64 or x.__class__ is not np.ndarray or not usable():
        return None
    return "float" if dtype is _F32 else "double"


def _last(x: Any) -> Any:
    """(N, C, ...) with the channels moved to the end."""
    return x.transpose(0, *range(2, x.ndim), 1) if x.ndim > 2 else x


def _first(x: Any) -> Any:
    """The same back again."""
    return x.transpose(0, x.ndim - 1, *range(1, x.ndim - 1)) if x.ndim > 2 else x


def _is_matrix(x: Any) -> bool:
    """Whether neighbours in memory are of different channels: nothing is behind these, or they come last."""
    if x.flags.c_contiguous:
        return x.ndim == 2 or x.size == x.shape[0] * x.shape[1]
    return x.ndim > 2 and _last(x).flags.c_contiguous


@lru_cache(256)
def _plane_table(shape: tuple[int, ...]) -> Any:
    samples, channels = shape[:2]
    length = math.prod(shape[2:])
    return np.array([channels, GRAIN // (samples * length) + 1, samples, channels, length], np.int64)


@lru_cache(256)
def _column_table(rows: int, columns: int, threads: int) -> Any:
    """As many parts of all rows as there are threads, or rows."""
    each = -(-rows // min(threads, rows))
    parts = -(-rows // each)
    return np.array([parts, 1 if rows * columns > GRAIN else parts, columns, rows, each, GRAIN // columns + 1], np.int64)


def _room_for_columns(x: Any, rows_of_each: int) -> tuple[Any, Any]:
    """The table of a kernel over columns, and its room: two rows, then so many rows for each part."""
    columns = x.shape[1]
    table = _column_table(x.size // columns, columns, thread_count())
    padded = -(-columns // ordered.PADDING) * ordered.PADDING
    return table, np.empty((2 + rows_of_each * int(table[0]), padded), x.dtype)


@quiet
def batch_norm(x: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool, momentum: float, eps: float) -> Any:
    """(x - mean) / sqrt(var + eps) * weight + bias per channel of (N, C, ...): the result, the mean and 1 / sqrt(var + eps).

    In training the statistics are those of x, and the running ones move towards them in place (the variance by the unbiased
    estimate); else they are the running ones. Of half precision they are float32. Compiled, and in float32, the bits are PyTorch's; the
    statistics of (N, C) are added up in as many parts as there are threads, as PyTorch does it.
    """
    dtype = _computed(x.dtype)
    channels = x.shape[1] if x.ndim > 1 else 0
    if not x.size:
        return x.copy(), np.zeros(channels, x.dtype), np.zeros(channels, x.dtype)
    count = x.size // channels
    element = _in_order(x)
    if element is not None:
        out, mean, rstd, squares = _batch_norm_in_order(element, x, weight, bias, running_mean, running_var, training, eps)
    else:
        x = _ready(x)
        out = allocated(x, x.shape, x.dtype)
        given = x, _per_channel(weight, x, 1), _per_channel(bias, x, 0)
        if not training:
            mean = _ready(running_mean.astype(dtype))
            rstd = _ready(1 / np.sqrt(running_var.astype(dtype) + dtype.type(eps)))
            _run(library.batch_norm_evaluation, out, mean, rstd, *given)
            return out, mean, rstd
        mean, rstd, squares = (allocated(x, channels, dtype) for _ in range(3))
        _run(library.batch_norm_training, out, mean, rstd, squares, *given, float(count), float(eps))
    if training:
        _update_running(running_mean, running_var, mean, squares, count, momentum)
    return out, mean, rstd


def _batch_norm_in_order(
    element: str, x: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool, eps: float
) -> tuple[Any, Any, Any, Any]:
    """The result, mean, 1 / sqrt(var + eps) and the sums of the squared distances from the mean (the variance where that is given)."""
    channels = x.shape[1]
    weight, bias = _per_channel(weight, x, 1), _per_channel(bias, x, 0)
    rstd = np.empty(channels, x.dtype)
    if training:
        mean, squares = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
    else:
        mean, squares = np.array(running_mean, x.dtype, order="C"), _per_channel(running_var, x, 1)
    if _is_matrix(x):
        x = _last(x)
        out = np.empty(x.shape, x.dtype)
        table, room = _room_for_columns(_first(x), 1)
        x = _ready(x)
        ordered.columns_forward(element, training)(out, mean, rstd, squares, x, weight, bias, room, room[2:], table, float(eps))
        return _first(out), mean, rstd, squares
    x = _ready(x)
    out = np.empty(x.shape, x.dtype)
    ordered.planes_forward(element, training)(out, mean, rstd, squares, x, weight, bias, _plane_table(x.shape), float(eps))
    return out, mean, rstd, squares


@lru_cache(256)
def _number(n: int) -> Any:
    return np.array(n, np.int64)


def _update_running(running_mean: Any, running_var: Any, mean: Any, squares: Any, count: int, momentum: float) -> None:
    """Moves the running statistics towards those of a batch."""
    if running_mean is not None and running_var is not None and mean.__class__ is np.ndarray:
        dtype, element = mean.dtype, _in_order(mean)
        if (
            element is not None
            and dtype is running_mean.dtype is running_var.dtype
            and running_mean.flags.carray
            and running_var.flags.carray
        ):
            ordered.running(element)(running_mean, running_var, mean, squares, _number(len(mean)), float(momentum), float(count))
            return
    if running_mean is not None:
        running_mean *= 1 - momentum
        running_mean += (momentum * mean).astype(running_mean.dtype, copy=False)
    if running_var is not None:
        running_var *= 1 - momentum
        running_var += (momentum * (squares / squares.dtype.type(count - 1))).astype(running_var.dtype, copy=False)


@quiet
def batch_norm_backward(grad: Any, x: Any, weight: Any, mean: Any, rstd: Any, training: bool, needs: Any) -> tuple[Any, Any, Any]:
    """The gradients of x, weight and bias; None where `needs` is False. For bits and threads see `batch_norm`."""
    if not x.size:
        channels = x.shape[1] if x.ndim > 1 else 0
        return np.zeros_like(x), None if weight is None else np.zeros_like(weight), np.zeros(channels, x.dtype)
    element = _in_order(x)
    if element is not None and grad.__class__ is np.ndarray:
        out, to_weight, to_bias = _batch_norm_backward_in_order(
            element, grad.astype(x.dtype, copy=False), x, weight, mean, rstd, training, needs[0]
        )
        return out, to_weight if needs[1] else None, to_bias if needs[2] else None
    x, grad = _ready(x), _ready(grad.astype(x.dtype, copy=False))
    mean, rstd = _per_channel(mean, x, 0), _per_channel(rstd, x, 1)
    sums, dots, out = allocated(x, x.shape[1], mean.dtype), allocated(x, x.shape[1], mean.dtype), None
    if not needs[0]:
        _run(library.batch_norm_sums, grad, x, sums, dots, mean)
    else:
        out = allocated(x, x.shape, x.dtype)
        arrays = out, sums, dots, grad, x, mean, rstd, _per_channel(weight, x, 1)
        if training:
            _run(library.batch_norm_training_backward, *arrays, float(x.size // x.shape[1]))
        else:
            _run(library.batch_norm_evaluation_backward, *arrays)
    grad_weight = (dots * rstd).astype(weight.dtype, copy=False) if needs[1] else None
    return out, grad_weight, sums if needs[2] else None


def _batch_norm_backward_in_order(
    element: str, grad: Any, x: Any, weight: Any, mean: Any, rstd: Any, training: bool, with_x: bool
) -> tuple[Any, Any, Any]:
    """The gradients of x (None unless it is asked for), weight and bias."""
    to_weight, to_bias = np.empty(x.shape[1], x.dtype), np.empty(x.shape[1], x.dtype)
    given = _per_channel(mean, x, 0), _per_channel(rstd, x, 1), _per_channel(weight, x, 1)
    matrix = _is_matrix(x)
    if not (_last(grad) if matrix and x.ndim > 2 and not x.flags.c_contiguous else grad).flags.c_contiguous:
        return _gathered_backward(element, grad, x, given, training, with_x)
    if matrix:
        x, grad = _last(x), _last(grad)
    x, grad = _ready(x), _ready(grad)
    out = np.empty(x.shape, x.dtype) if with_x else None
    target = x if out is None else out
    if matrix:
        table, room = _room_for_columns(_first(x), 2)
        parts = int(table[0])
        kernel = ordered.columns_backward(element, training, with_x)
        kernel(target, to_weight, to_bias, grad, x, *given, room, room[2:], room[2 + parts :], table)
        return out if out is None else _first(out), to_weight, to_bias
    ordered.planes_backward(element, training, with_x)(target, to_weight, to_bias, grad, x, *given, _plane_table(x.shape))
    return out, to_weight, to_bias


def _gathered_backward(element: str, grad: Any, x: Any, given: Any, training: bool, with_x: bool) -> tuple[Any, Any, Any]:
    """The same where the gradient is not dense in memory in the order of x."""
    to_weight, to_bias = np.empty(x.shape[1], x.dtype), np.empty(x.shape[1], x.dtype)
    flat = x.ndim == 2
    if flat:  # channels are planes of a single sample
        x, grad = x.T[None], grad.T[None]
    x, grad = _ready(x), _ready(grad)
    out = np.empty(x.shape, x.dtype) if with_x else None
    kernel = ordered.planes_backward(element, training, with_x, True)
    kernel(x if out is None else out, to_weight, to_bias, grad, x, *given, _plane_table(x.shape))
    return contiguous(out[0].T) if flat and out is not None else out, to_weight, to_bias
