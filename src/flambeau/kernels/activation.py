"""Activations and their gradients, in their NumPy lowering. Half precision computes in float32."""

import math
from typing import Any, Callable

import numpy as np

from .quiet import quiet

_F32 = np.dtype(np.float32)


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
    """max(x, 0); NaN stays NaN."""
    return np.maximum(x, x.dtype.type(0), out=out)


def threshold_backward(grad: Any, result: Any, threshold: float) -> Any:
    """The gradient where the result is above the threshold, else zero."""
    return grad * (result > threshold)


def gelu(x: Any, approximate: str) -> Any:
    """x * Phi(x), with the normal distribution by erf or by the tanh approximation."""
    return _gelu(x, approximate)


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


@in_float32
def gelu_backward(grad: Any, x: Any, approximate: str) -> Any:
    """grad * d gelu(x) / dx."""
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


@in_float32
def silu(x: Any) -> Any:
    """x * sigmoid(x)."""
    return x / (1 + np.exp(-x))


@in_float32
def silu_backward(grad: Any, x: Any) -> Any:
    """grad * sigmoid(x) * (1 + x * (1 - sigmoid(x)))."""
    s = 1 / (1 + np.exp(-x))
    return grad * s * (1 + x * (1 - s))


@in_float32
def tanh_backward(grad: Any, result: Any) -> Any:
    """grad * (1 - tanh(x)^2)."""
    return grad * (1 - result * result)


@in_float32
def sigmoid_backward(grad: Any, result: Any) -> Any:
    """grad * s * (1 - s)."""
    return grad * ((1 - result) * result)


@in_float32
def softmax(x: Any, axis: int) -> Any:
    """exp(x) divided by its sum along the axis, computed after subtracting the maximum."""
    if x.size == 0:
        return x.copy()
    result = x - np.maximum.reduce(x, axis, keepdims=True)
    np.exp(result, out=result)
    result /= np.add.reduce(result, axis, keepdims=True)
    return result


@in_float32
def softmax_backward(grad: Any, result: Any, axis: int) -> Any:
    """result * (grad - sum(grad * result))."""
    product = grad * result
    product -= result * np.add.reduce(product, axis, keepdims=True)
    return product


@in_float32
def log_softmax(x: Any, axis: int) -> Any:
    """x minus the logarithm of the sum of exp(x) along the axis."""
    if x.size == 0:
        return x.copy()
    result = x - np.maximum.reduce(x, axis, keepdims=True)
    result -= np.log(np.add.reduce(np.exp(result), axis, keepdims=True))
    return result


@in_float32
def log_softmax_backward(grad: Any, result: Any, axis: int) -> Any:
    """grad - exp(result) * sum(grad)."""
    return grad - np.exp(result) * np.add.reduce(grad, axis, keepdims=True)
