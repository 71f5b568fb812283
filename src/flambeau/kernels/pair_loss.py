"""Losses between an input and a target, element by element, and their gradients by the input.

`reduced` and `scaled` go around them: values are summed or averaged, gradients multiplied and divided by the count.
"""

from functools import reduce as fold
from typing import Any, Callable

import numpy as np

from ..core.promotion import result_dtype, rounded
from .compiler import in_numpy, mapped, usable
from .elementwise import divide, multiply
from .library import pair_loss as library
from .pointwise import LOW, applied
from .quiet import quiet
from .reduction import ORDERED
from .reduction import mean as mean_over
from .reduction import sum as sum_over


def _over(kernel: Any, *operands: Any) -> Any:
    """A map over arrays that broadcast, of one dtype or not, and numbers."""
    arrays = [a for a in operands if hasattr(a, "dtype")]
    x = max(arrays, key=lambda a: a.ndim)
    if all(a.dtype is x.dtype and a.shape == x.shape for a in arrays):
        return applied(kernel, *operands)
    dtype = x.dtype if all(a.dtype is x.dtype for a in arrays) else result_dtype(*arrays).numpy
    cast = [a.astype(dtype, copy=False) if hasattr(a, "dtype") else a for a in operands]
    shape = np.broadcast_shapes(*[a.shape for a in arrays])
    model = x if x.shape == shape and x.__class__ is np.ndarray else next((a for a in arrays if a.shape == shape), None)
    out = np.empty_like(model, dtype) if model is not None else np.empty_like(fold(np.add, arrays), dtype)
    if out.__class__ is np.ndarray and kernel.takes(dtype) and usable() and mapped(kernel, dtype, out, *cast) is not None:
        return out
    return in_numpy(kernel, dtype)(out, *cast)


def _slope(kernels: Any, grad: Any, *operands: Any) -> Any:
    """A map of a gradient, one for each element or one number for all, and what `_over` takes."""
    if grad.__class__ is np.ndarray and not grad.ndim and grad.dtype is operands[0].dtype:
        return _over(kernels[1], *operands, float(grad))
    return _over(kernels[0], grad, *operands)


@quiet
def reduced(value: Callable[..., Any], x: Any, target: Any, reduction: str, *options: Any) -> Any:
    """`value(x, target, *options)`: itself, its sum or its mean, in x's dtype."""
    return reduce(value(x, target, *options), reduction).astype(x.dtype, copy=False)


def reduce(values: Any, reduction: str) -> Any:
    """An array of losses: itself, its sum or its mean; the mean of nothing is NaN."""
    if reduction == "none":
        return values
    if values.dtype.char in LOW:  # added in float32, rounded once
        total = mean_over(values, None, False, values.size) if reduction == "mean" else sum_over(values)
        return np.asarray(total, values.dtype)
    total = sum_over(values)
    return np.asarray(total if reduction == "sum" else total / values.dtype.type(values.size), values.dtype)


@quiet
def scaled(slope: Callable[..., Any], grad: Any, x: Any, target: Any, reduction: str, *options: Any) -> Any:
    """The gradient by x: `slope(grad, x, target, *options, count)`, count being what the mean divides by, else 1."""
    count = 1
    if reduction == "mean":
        count = max(1, x.size if x.shape == target.shape else np.broadcast(x, target).size)
    return slope(grad, x, target, *options, count)


def _norm(numerator: float, count: int, dtype: Any) -> float:
    """A number that half precision rounds before it multiplies."""
    return rounded(numerator / count, dtype) if dtype.char in LOW else numerator / count


@quiet
def mse(x: Any, target: Any, reduction: str) -> Any:
    """(x - target)^2."""
    if x.size > ORDERED or x.dtype.char in LOW:
        return reduced(squared_error, x, target, reduction)
    d = np.asarray(np.subtract(x, target))
    if reduction == "none":
        return np.multiply(d, d, d)
    flat = d.ravel("K")
    total = sum_over(np.multiply(flat, flat))
    return np.asarray(total / d.dtype.type(d.size) if reduction == "mean" else total, x.dtype)


def squared_error(x: Any, target: Any) -> Any:
    """(x - target)^2."""
    return _over(library.squared_error, x, target)


def mse_slope(grad: Any, x: Any, target: Any, count: int) -> Any:
    return _slope(library.squared_error_slope, grad, x, target, _norm(2.0, count, x.dtype))


def smooth_l1(x: Any, target: Any, beta: float) -> Any:
    """0.5 d^2 / beta where d = |x - target| < beta, else d - 0.5 beta."""
    if x.dtype.char == "e":
        return _over(library.smooth_l1, x, target, rounded(beta, x.dtype))
    return _over(library.smooth_l1_at_once, x, target, float(beta))


def smooth_l1_slope(grad: Any, x: Any, target: Any, beta: float, count: int) -> Any:
    return _slope(library.smooth_l1_slope, grad, x, target, float(beta), 1.0 / count)


def huber(x: Any, target: Any, delta: float) -> Any:
    """0.5 d^2 where d = |x - target| <= delta, else delta (d - 0.5 delta)."""
    if x.dtype.char == "E":
        return _over(library.huber, x, target, rounded(delta, x.dtype))
    return _over(library.huber_at_once, x, target, float(delta))


def huber_slope(grad: Any, x: Any, target: Any, delta: float, count: int) -> Any:
    low = x.dtype.char in LOW
    return _slope(library.huber_slope, grad, x, target, rounded(delta, x.dtype) if low else float(delta), _norm(1.0, count, x.dtype))


def soft_margin(x: Any, target: Any) -> Any:
    """log(1 + exp(-target x))."""
    return _over(library.soft_margin, x, target)


def soft_margin_slope(grad: Any, x: Any, target: Any, count: int) -> Any:
    return _slope(library.soft_margin_slope, grad, x, target, _norm(1.0, count, x.dtype))


def _times(result: Any, weight: Any, count: int = 1) -> Any:
    """The result times weight, divided by a count."""
    if weight is not None:
        result = multiply(result, weight)
    return result if count == 1 else divide(result, float(count))


def _counted(kernels: Any, grad: Any, weight: Any, count: int, *arrays: Any) -> Any:
    """The gradient divided by a count, behind the weights if there are any."""
    if weight is None:
        return _slope(kernels, grad, *arrays, float(count))
    return _times(_slope(kernels, grad, *arrays, 1.0), weight, count)


def bce(x: Any, target: Any, weight: Any) -> Any:
    """-(target log x + (1 - target) log(1 - x)), the logarithms not below -100, times weight."""
    return _times(_over(library.bce, x, target), weight)


def bce_slope(grad: Any, x: Any, target: Any, weight: Any, count: int) -> Any:
    return _counted(library.bce_slope, grad, weight, count, x, target)


def bce_target_slope(grad: Any, x: Any, target: Any, weight: Any, count: int) -> Any:
    return _counted(library.bce_target_slope, grad, weight, count, x)


def bce_logits(x: Any, target: Any, weight: Any, pos_weight: Any) -> Any:
    """(1 - target) x - (1 + (pos_weight - 1) target) log sigmoid(x), times weight."""
    if pos_weight is None:
        return _times(_over(library.bce_logits, x, target), weight)
    return _times(_over(library.bce_logits_weighted, x, target, pos_weight), weight)


def bce_logits_slope(grad: Any, x: Any, target: Any, weight: Any, pos_weight: Any, count: int) -> Any:
    if pos_weight is None:
        return _counted(library.bce_logits_slope, grad, weight, count, x, target)
    return _counted(library.bce_logits_weighted_slope, grad, weight, count, x, target, pos_weight)


def bce_logits_target_slope(grad: Any, x: Any, target: Any, weight: Any, pos_weight: Any, count: int) -> Any:
    if pos_weight is None:
        result = _slope(library.bce_logits_target_slope, grad, x, 1.0)
    else:
        result = _slope(library.bce_logits_weighted_target_slope, grad, x, pos_weight, 1.0)
    if result.shape != target.shape:
        result = np.broadcast_to(result, np.broadcast_shapes(result.shape, target.shape)).copy()
    return _times(result, weight, count)


def within_unit(x: Any) -> bool:
    """Whether all elements lie in [0, 1]; NaN does not."""
    return not x.size or bool(((x >= 0) & (x <= 1)).all())
