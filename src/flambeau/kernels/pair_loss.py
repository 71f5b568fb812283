"""Losses between an input and a target, element by element: `value`, the loss, and `slope`, its derivative by the input.

`reduced` and `scaled` go around them: 16-bit floats are computed in float32, values are summed or averaged.
"""

from typing import Any, Callable

import numpy as np

from .quiet import quiet

_F32 = np.dtype(np.float32)


def _wide(array: Any) -> Any:
    return array.astype(_F32) if array is not None and array.dtype.itemsize == 2 else array


@quiet
def reduced(value: Callable[..., Any], x: Any, target: Any, reduction: str, *options: Any) -> Any:
    """`value(x, target, *options)`: itself, its sum or its mean, in x's dtype."""
    low = x.dtype
    if low.itemsize == 2:
        x, target, options = _wide(x), _wide(target), tuple(_wide(o) if isinstance(o, np.ndarray) else o for o in options)
        # Each loss is rounded before they are summed, as in PyTorch.
        result = np.asarray(value(x, target, *options)).astype(low).astype(_F32)
    else:
        result = value(x, target, *options)
    return reduce(result, reduction).astype(low, copy=False)


def reduce(values: Any, reduction: str) -> Any:
    """An array of losses: itself, its sum or its mean; the mean of nothing is NaN."""
    if reduction == "none":
        return values
    total = np.add.reduce(values, None)
    return np.asarray(total if reduction == "sum" else total / values.dtype.type(values.size), values.dtype)


@quiet
def scaled(slope: Callable[..., Any], grad: Any, x: Any, target: Any, reduction: str, *options: Any) -> Any:
    """`slope(x, target, *options)` times the gradient of the reduced loss."""
    if x.dtype.itemsize == 2:
        x, target, grad = _wide(x), _wide(target), _wide(grad)
        options = tuple(_wide(o) if isinstance(o, np.ndarray) else o for o in options)
    result = slope(x, target, *options)
    if reduction == "mean":
        grad = grad / grad.dtype.type(result.size) if result.size else grad
    result *= grad
    return result


@quiet
def mse(x: Any, target: Any, reduction: str) -> Any:
    """(x - target)^2."""
    low = x.dtype
    d = np.asarray(np.subtract(_wide(x), _wide(target)))
    if reduction == "none":
        return np.multiply(d, d, d).astype(low, copy=False)
    flat = d.ravel("K")
    if low != d.dtype:
        total = np.add.reduce((flat * flat).astype(low).astype(_F32))
    else:
        total = np.dot(flat, flat)
    return np.asarray(total / d.dtype.type(d.size) if reduction == "mean" else total, low)


def mse_slope(x: Any, target: Any) -> Any:
    d = x - target
    d += d
    return d


def smooth_l1(x: Any, target: Any, beta: float) -> Any:
    """0.5 d^2 / beta where d = |x - target| < beta, else d - 0.5 beta."""
    d = np.abs(x - target)
    beta = d.dtype.type(beta)
    half = d.dtype.type(0.5)
    return np.where(d < beta, half * d * d / beta, d - half * beta)


def smooth_l1_slope(x: Any, target: Any, beta: float) -> Any:
    d = x - target
    one = d.dtype.type(1)
    return np.clip(d / d.dtype.type(beta), -one, one)


def huber(x: Any, target: Any, delta: float) -> Any:
    """0.5 d^2 where d = |x - target| <= delta, else delta (d - 0.5 delta)."""
    d = np.abs(x - target)
    delta = d.dtype.type(delta)
    half = d.dtype.type(0.5)
    return np.where(d <= delta, half * d * d, delta * (d - half * delta))


def huber_slope(x: Any, target: Any, delta: float) -> Any:
    d = x - target
    return np.clip(d, d.dtype.type(-delta), d.dtype.type(delta))


def soft_margin(x: Any, target: Any) -> Any:
    """log(1 + exp(-target x))."""
    return np.log1p(np.exp(-target * x))


def soft_margin_slope(x: Any, target: Any) -> Any:
    z = np.exp(-target * x)
    return -target * z / (1 + z)


def bce(x: Any, target: Any, weight: Any) -> Any:
    """-(target log x + (1 - target) log(1 - x)), the logarithms not below -100, times weight."""
    floor = x.dtype.type(-100)
    result = (target - 1) * np.maximum(np.log1p(-x), floor) - target * np.maximum(np.log(x), floor)
    return result if weight is None else result * weight


def bce_slope(x: Any, target: Any, weight: Any) -> Any:
    result = (x - target) / np.maximum((1 - x) * x, x.dtype.type(1e-12))
    return result if weight is None else result * weight


def log_sigmoid(x: Any) -> Any:
    result = np.abs(x, np.empty_like(x))  # an array also of a 0-dim one
    np.negative(result, result)
    np.exp(result, result)
    np.log1p(result, result)
    return np.subtract(np.minimum(x, x.dtype.type(0)), result, result)


def _sigmoid(x: Any) -> Any:
    half = x.dtype.type(0.5)
    result = np.multiply(x, half, np.empty_like(x))
    np.tanh(result, result)
    result *= half
    result += half
    return result


def bce_logits(x: Any, target: Any, weight: Any, pos_weight: Any) -> Any:
    """(1 - target) x - (1 + (pos_weight - 1) target) log sigmoid(x), times weight."""
    logs = log_sigmoid(x)
    if pos_weight is not None:
        logs = logs * ((pos_weight - 1) * target + 1)
    result = (1 - target) * x - logs
    return result if weight is None else result * weight


def bce_logits_slope(x: Any, target: Any, weight: Any, pos_weight: Any) -> Any:
    s = _sigmoid(x)
    if pos_weight is None:
        result = s - target
    else:
        t = pos_weight * target
        result = (t + 1 - target) * s - t
    return result if weight is None else result * weight


def bce_target_slope(x: Any, target: Any, weight: Any) -> Any:
    result = np.log1p(-x) - np.log(x)
    return result if weight is None else result * weight


def bce_logits_target_slope(x: Any, target: Any, weight: Any, pos_weight: Any) -> Any:
    result = -x if pos_weight is None else log_sigmoid(-x) - pos_weight * log_sigmoid(x)
    result = np.broadcast_to(result, np.broadcast_shapes(result.shape, target.shape)).copy()
    return result if weight is None else result * weight


def within_unit(x: Any) -> bool:
    """Whether all elements lie in [0, 1]; NaN does not."""
    return not x.size or bool(((x >= 0) & (x <= 1)).all())
