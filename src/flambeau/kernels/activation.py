"""Activations and their gradients, in their NumPy lowering. Half precision computes in float32."""

import math
from typing import Any, Callable

import numpy as np

from ..core.generator import default_generator
from .compiler import compiled_for
from .library import activation as library
from .memory import contiguous
from .pointwise import LARGE, applied
from .quiet import quiet
from .random_support import u53

_F32 = np.dtype(np.float32)
maximum = np.maximum


def in_float32(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: half-precision arrays are computed in float32 and rounded once."""

    def wide(x: Any, *args: Any) -> Any:
        if x.dtype.itemsize == 2:
            low = x.dtype
            result = kernel(x.astype(_F32), *[a.astype(_F32) if getattr(a, "dtype", None) == low else a for a in args])
            return result.astype(low)
        return kernel(x, *args)

    wide.__name__, wide.__doc__ = kernel.__name__, kernel.__doc__
    return quiet(wide)


def relu(x: Any, out: Any = None) -> Any:
    """max(x, 0); NaN stays NaN, and -0.0 what it is."""
    if x.size > LARGE and out is None:
        result = applied(library.relu, x)
        if result is not None:
            return result
    if x.dtype.kind in "iu":
        return maximum(x, 0, out=out)
    below = x < 0
    if out is None:
        return np.where(below, x.dtype.type(0), x)
    if out is not x:
        np.copyto(out, x)
    np.putmask(out, below, 0)
    return out


def threshold_backward(grad: Any, result: Any, threshold: float) -> Any:
    """Zero where the result is not above the threshold, else the gradient; NaN lets it pass."""
    found = applied(library.threshold_backward, grad, result, float(threshold))
    return grad * ~(result <= threshold) if found is None else found


def gelu(x: Any, approximate: str) -> Any:
    """x * Phi(x), with the normal distribution by erf or by the tanh approximation."""
    result = applied(library.gelu if approximate == "none" else library.gelu_tanh, x)
    return _gelu(x, approximate) if result is None else result


@in_float32
def _gelu(x: Any, approximate: str) -> Any:
    if approximate == "tanh":
        inner = x * x
        inner *= 0.044715
        inner += 1
        inner *= x
        inner *= math.sqrt(2 / math.pi)
        inner = np.tanh(inner)
        inner += 1
        inner *= x
        inner *= 0.5
        return inner
    from .special import erf

    result = erf(x * x.dtype.type(math.sqrt(0.5)))
    result += 1
    result *= x
    result *= 0.5
    return result


def gelu_backward(grad: Any, x: Any, approximate: str) -> Any:
    """grad * d gelu(x) / dx."""
    result = applied(library.gelu_backward if approximate == "none" else library.gelu_tanh_backward, grad, x)
    return _gelu_backward(grad, x, approximate) if result is None else result


@in_float32
def _gelu_backward(grad: Any, x: Any, approximate: str) -> Any:
    if approximate == "tanh":
        beta, kappa = math.sqrt(2 / math.pi), 0.044715
        square = x * x
        t = np.tanh(beta * (x + kappa * square * x))
        left = 0.5 * (1 + t)
        return grad * (left + 0.5 * x * (1 - t * t) * beta * (1 + 3 * kappa * square))
    from .special import erf

    cdf = erf(x * x.dtype.type(math.sqrt(0.5)))
    cdf += 1
    cdf *= 0.5
    density = x * x
    density *= -0.5
    density = np.exp(density)
    density *= 1 / math.sqrt(2 * math.pi)
    density *= x
    cdf += density
    cdf *= grad
    return cdf


def silu(x: Any) -> Any:
    """x * sigmoid(x)."""
    result = applied(library.silu, x)
    return _silu(x) if result is None else result


@in_float32
def _silu(x: Any) -> Any:
    return x / (1 + np.exp(-x))


def silu_backward(grad: Any, x: Any) -> Any:
    """grad * sigmoid(x) * (1 + x * (1 - sigmoid(x)))."""
    result = applied(library.silu_backward, grad, x)
    return _silu_backward(grad, x) if result is None else result


@in_float32
def _silu_backward(grad: Any, x: Any) -> Any:
    s = 1 / (1 + np.exp(-x))
    return grad * s * (1 + x * (1 - s))


def compiled_if_large(kernel: Any, plain: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel of arrays of one shape and of numbers: compiled for large arrays. For arithmetic: the bits are the same."""

    def choose(x: Any, *others: Any) -> Any:
        if x.size > LARGE:
            result = applied(kernel, x, *[y if y.__class__ is np.ndarray else float(y) for y in others])
            if result is not None:
                return result
        return plain(x, *others)

    choose.__name__, choose.__doc__ = plain.__name__.lstrip("_"), plain.__doc__
    return choose


def compiled(kernel: Any, plain: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel of arrays of one shape and of numbers: compiled for every size, as its functions are."""

    def choose(x: Any, *others: Any) -> Any:
        result = applied(kernel, x, *[y if y.__class__ is np.ndarray else float(y) for y in others])
        return plain(x, *others) if result is None else result

    choose.__name__, choose.__doc__ = plain.__name__.lstrip("_"), plain.__doc__
    return choose


@in_float32
def _tanh_backward(grad: Any, result: Any) -> Any:
    """grad * (1 - tanh(x)^2)."""
    return grad * (1 - result * result)


@in_float32
def _sigmoid_backward(grad: Any, result: Any) -> Any:
    """grad * s * (1 - s)."""
    return grad * ((1 - result) * result)


tanh_backward = compiled_if_large(library.tanh_backward, _tanh_backward)
sigmoid_backward = compiled_if_large(library.sigmoid_backward, _sigmoid_backward)


def by_rows(kernel: Any, axis: int, *arrays: Any) -> Any:
    """A compiled kernel over the rows along an axis; None if it cannot be compiled. The result is row-major."""
    x = arrays[0]
    if not x.ndim or not x.size:
        return None
    if axis in (-1, x.ndim - 1):
        arrays = tuple([contiguous(a) for a in arrays])
        found = compiled_for(kernel, *arrays)
        return None if found is None else found(np.empty(x.shape, x.dtype), *arrays)
    arrays = tuple([contiguous(a.swapaxes(axis, -1)) for a in arrays])
    found = compiled_for(kernel, *arrays)
    return None if found is None else contiguous(found(np.empty_like(arrays[0]), *arrays).swapaxes(axis, -1))


def softmax(x: Any, axis: Any) -> Any:
    """exp(x) divided by its sum along the axis, computed after subtracting the maximum."""
    result = by_rows(library.softmax, axis, x)
    return _softmax(x if x.flags.c_contiguous else np.ascontiguousarray(x), axis) if result is None else result


@in_float32
def _softmax(x: Any, axis: int) -> Any:
    if x.size == 0:
        return x.copy()
    if x.ndim == 0:
        return np.exp(x - x)
    result = x - np.maximum.reduce(x, axis, keepdims=True)
    np.exp(result, out=result)
    result /= np.add.reduce(result, axis, keepdims=True)
    return result


def softmax_backward(grad: Any, result: Any, axis: int) -> Any:
    """result * (grad - sum(grad * result))."""
    found = by_rows(library.softmax_backward, axis, grad, result)
    return _softmax_backward(grad, result, axis) if found is None else found


@in_float32
def _softmax_backward(grad: Any, result: Any, axis: int) -> Any:
    product = grad * result
    product -= result * np.add.reduce(product, axis, keepdims=True)
    return product


def log_softmax(x: Any, axis: Any) -> Any:
    """x minus the logarithm of the sum of exp(x) along the axis."""
    result = by_rows(library.log_softmax, axis, x)
    return _log_softmax(x if x.flags.c_contiguous else np.ascontiguousarray(x), axis) if result is None else result


@in_float32
def _log_softmax(x: Any, axis: int) -> Any:
    if x.size == 0:
        return x.copy()
    result = x - np.maximum.reduce(x, axis, keepdims=True)
    result -= np.log(np.add.reduce(np.exp(result), axis, keepdims=True))
    return result


def log_softmax_backward(grad: Any, result: Any, axis: int) -> Any:
    """grad - exp(result) * sum(grad)."""
    found = by_rows(library.log_softmax_backward, axis, grad, result)
    return _log_softmax_backward(grad, result, axis) if found is None else found


@in_float32
def _log_softmax_backward(grad: Any, result: Any, axis: int) -> Any:
    return grad - np.exp(result) * np.add.reduce(grad, axis, keepdims=True)


def one_like(x: Any) -> Any:
    """A one of x's dtype, broadcast to its shape."""
    return np.broadcast_to(x.dtype.type(1), x.shape)


@in_float32
def _log_sigmoid(x: Any) -> Any:
    """min(x, 0) - log1p(exp(-|x|))."""
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


log_sigmoid = compiled(library.log_sigmoid, _log_sigmoid)


@in_float32
def _softplus(x: Any, beta: float, threshold: float) -> Any:
    """log1p(exp(beta * x)) / beta, or x where beta * x exceeds the threshold."""
    scaled = x * beta
    return np.where(scaled > threshold, x, np.log1p(np.exp(np.minimum(scaled, threshold))) / x.dtype.type(beta))


softplus = compiled(library.softplus, _softplus)


def elu(x: Any, alpha: float, scale: float, input_scale: float) -> Any:
    """scale * (x if x > 0 else alpha * expm1(x * input_scale))."""
    result = applied(library.elu, x, float(scale), float(input_scale), float(alpha * scale))
    return _elu(x, alpha, scale, input_scale) if result is None else result


@in_float32
def _elu(x: Any, alpha: float, scale: float, input_scale: float) -> Any:
    """scale * (x if x > 0 else alpha * expm1(x * input_scale))."""
    return np.where(x > 0, x * scale, np.expm1(np.minimum(x, 0) * input_scale) * x.dtype.type(alpha * scale))


@in_float32
def _leaky_relu(x: Any, slope: float) -> Any:
    """x where positive, else slope * x."""
    return np.where(x > 0, x, x * x.dtype.type(slope))


leaky_relu = compiled_if_large(library.leaky_relu, _leaky_relu)


@quiet
def clip(x: Any, low: Any, high: Any) -> Any:
    """x cut off at both bounds; NaN stays NaN."""
    return np.minimum(np.maximum(x, x.dtype.type(low)), x.dtype.type(high))


@in_float32
def _hardsigmoid(x: Any) -> Any:
    """min(max(x + 3, 0), 6) / 6."""
    return np.minimum(np.maximum(x + 3, 0), 6) / 6


hardsigmoid = compiled_if_large(library.hardsigmoid, _hardsigmoid)


@in_float32
def _hardswish(x: Any) -> Any:
    """x * min(max(x + 3, 0), 6) / 6."""
    return x * np.minimum(np.maximum(x + 3, 0), 6) / 6


hardswish = compiled_if_large(library.hardswish, _hardswish)


@in_float32
def _mish(x: Any) -> Any:
    """x * tanh(log1p(exp(x)))."""
    return x * np.tanh(np.where(x > 20, x, np.log1p(np.exp(np.minimum(x, 20)))))


mish = compiled(library.mish, _mish)


@in_float32
def softshrink(x: Any, lambd: float) -> Any:
    """x - lambd above lambd, x + lambd below -lambd, else zero (NaN stays NaN)."""
    return np.where(x > lambd, x - x.dtype.type(lambd), np.where(x < -lambd, x + x.dtype.type(lambd), x * 0))


@quiet
def hardshrink(x: Any, lambd: float) -> Any:
    """x beyond lambd on either side, else zero (NaN stays NaN)."""
    return np.where((x >= -lambd) & (x <= lambd), x.dtype.type(0), x)


@quiet
def threshold(x: Any, bound: float, value: float) -> Any:
    """x above the bound, else the value (NaN stays NaN)."""
    return np.where(x <= bound, x.dtype.type(value), x)


@in_float32
def prelu(x: Any, weight: Any) -> Any:
    """x where positive, else weight * x."""
    return np.where(x > 0, x, weight * x)


def rrelu_noise(x: Any, lower: float, upper: float, generator: Any = None) -> Any:
    """One where `x` is positive; elsewhere, in memory order, numbers drawn uniformly from [lower, upper], bounds of its dtype."""
    low, high = float(x.dtype.type(lower)), float(x.dtype.type(upper))
    noise = np.ones(x.shape, x.dtype)
    drawn = x <= 0
    noise[drawn] = u53(generator or default_generator, int(np.count_nonzero(drawn))) * (high - low) + low
    return noise


@quiet
def times_noise(x: Any, noise: Any) -> Any:
    """x * noise."""
    return x * noise
