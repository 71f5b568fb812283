"""Losses between an input and a target, element by element, and their slopes, the derivatives by the input.

`reduced` and `scaled` go around them: 16-bit floats are computed in float32, values are summed or averaged.
"""

from functools import reduce as fold
from typing import Any, Callable

import numpy as np

from .compiler import in_numpy, mapped, usable
from .library import pair_loss as library
from .pointwise import LARGE, applied
from .quiet import quiet
from .reduction import SHORT, square_sum
from .reduction import sum as sum_over

_F32 = np.dtype(np.float32)


def _wide(array: Any) -> Any:
    return array.astype(_F32) if array is not None and array.dtype.itemsize == 2 else array


def _over(kernel: Any, *operands: Any) -> Any:
    """A map over arrays that broadcast, of one dtype or not, and numbers."""
    x = operands[0]
    arrays = [a for a in operands if hasattr(a, "dtype")]
    if all(a.dtype is x.dtype and a.shape == x.shape for a in arrays):
        return applied(kernel, *operands)
    out = np.asanyarray(fold(np.add, arrays))
    dtype = out.dtype
    cast = [a.astype(dtype, copy=False) if hasattr(a, "dtype") else a for a in operands]
    if out.__class__ is np.ndarray and kernel.takes(dtype) and usable() and mapped(kernel, dtype, out, *cast) is not None:
        return out
    return in_numpy(kernel, dtype)(out, *cast)


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
    total = sum_over(values) if values.size > LARGE else np.add.reduce(values, None)
    return np.asarray(total if reduction == "sum" else total / values.dtype.type(values.size), values.dtype)


@quiet
def scaled(slope: Callable[..., Any], grad: Any, x: Any, target: Any, reduction: str, *options: Any) -> Any:
    """The slope times the gradient of the reduced loss. `slope(x, target, *options, scale)` multiplies by a number itself."""
    if x.dtype.itemsize == 2:
        x, target, grad = _wide(x), _wide(target), _wide(grad)
        options = tuple(_wide(o) if isinstance(o, np.ndarray) else o for o in options)
    if reduction == "none" or grad.__class__ is not np.ndarray or grad.ndim:
        result = slope(x, target, *options, 1.0)
        if reduction == "mean" and result.size:
            grad = grad / grad.dtype.type(result.size)
        result *= grad
        return result
    if reduction == "mean":
        count = max(1, x.size if x.shape == target.shape else np.broadcast(x, target).size)
        grad = grad / grad.dtype.type(count)
    return slope(x, target, *options, float(grad))


@quiet
def mse(x: Any, target: Any, reduction: str) -> Any:
    """(x - target)^2."""
    low = x.dtype
    if x.size > LARGE and low.itemsize > 2:
        return reduced(squared_error, x, target, reduction)
    d = np.asarray(np.subtract(_wide(x), _wide(target)))
    if reduction == "none":
        return np.multiply(d, d, d).astype(low, copy=False)
    flat = d.ravel("K")
    if low != d.dtype:
        total = np.add.reduce((flat * flat).astype(low).astype(_F32))
    else:
        total = np.dot(flat, flat) if flat.size <= SHORT else d.dtype.type(square_sum([flat]))
    return np.asarray(total / d.dtype.type(d.size) if reduction == "mean" else total, low)


def squared_error(x: Any, target: Any) -> Any:
    """(x - target)^2."""
    return _over(library.squared_error, x, target)


def mse_slope(x: Any, target: Any, scale: float) -> Any:
    return _over(library.squared_error_slope, x, target, scale)


def smooth_l1(x: Any, target: Any, beta: float) -> Any:
    """0.5 d^2 / beta where d = |x - target| < beta, else d - 0.5 beta."""
    return _over(library.smooth_l1, x, target, float(beta))


def smooth_l1_slope(x: Any, target: Any, beta: float, scale: float) -> Any:
    return _over(library.smooth_l1_slope, x, target, float(beta), scale)


def huber(x: Any, target: Any, delta: float) -> Any:
    """0.5 d^2 where d = |x - target| <= delta, else delta (d - 0.5 delta)."""
    return _over(library.huber, x, target, float(delta))


def huber_slope(x: Any, target: Any, delta: float, scale: float) -> Any:
    return _over(library.huber_slope, x, target, float(delta), scale)


def soft_margin(x: Any, target: Any) -> Any:
    """log(1 + exp(-target x))."""
    return _over(library.soft_margin, x, target)


def soft_margin_slope(x: Any, target: Any, scale: float) -> Any:
    return _over(library.soft_margin_slope, x, target, scale)


def _times(result: Any, weight: Any) -> Any:
    return result if weight is None else np.multiply(result, weight)


def bce(x: Any, target: Any, weight: Any) -> Any:
    """-(target log x + (1 - target) log(1 - x)), the logarithms not below -100, times weight."""
    return _times(_over(library.bce, x, target), weight)


def bce_slope(x: Any, target: Any, weight: Any, scale: float) -> Any:
    return _times(_over(library.bce_slope, x, target, scale), weight)


def bce_target_slope(x: Any, target: Any, weight: Any, scale: float) -> Any:
    return _times(applied(library.bce_target_slope, x, scale), weight)


def bce_logits(x: Any, target: Any, weight: Any, pos_weight: Any) -> Any:
    """(1 - target) x - (1 + (pos_weight - 1) target) log sigmoid(x), times weight."""
    if pos_weight is None:
        return _times(_over(library.bce_logits, x, target), weight)
    return _times(_over(library.bce_logits_weighted, x, target, pos_weight), weight)


def bce_logits_slope(x: Any, target: Any, weight: Any, pos_weight: Any, scale: float) -> Any:
    if pos_weight is None:
        return _times(_over(library.bce_logits_slope, x, target, scale), weight)
    return _times(_over(library.bce_logits_weighted_slope, x, target, pos_weight, scale), weight)


def bce_logits_target_slope(x: Any, target: Any, weight: Any, pos_weight: Any, scale: float) -> Any:
    if pos_weight is None:
        result = applied(library.bce_logits_target_slope, x, scale)
    else:
        result = _over(library.bce_logits_weighted_target_slope, x, pos_weight, scale)
    if result.shape != target.shape:
        result = np.broadcast_to(result, np.broadcast_shapes(result.shape, target.shape)).copy()
    return _times(result, weight)


def within_unit(x: Any) -> bool:
    """Whether all elements lie in [0, 1]; NaN does not."""
    return not x.size or bool(((x >= 0) & (x <= 1)).all())
