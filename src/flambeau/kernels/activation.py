"""Activations and their gradients. Half precision computes in float32."""

import math
from functools import partial
from typing import Any

import numpy as np

from ..core.generator import default_generator
from ..core.layout import place
from .compiler import compiled_for, compiled_for_columns, in_numpy, mapped, usable
from .library import activation as library
from .library.elementwise import clamp
from .memory import contiguous, like
from .pointwise import applied, into, written
from .quiet import quiet
from .random_support import u53

FEW = 256
"""Up to so many elements columns are copied into rows."""
maximum = np.maximum


def relu(x: Any, out: Any = None) -> Any:
    """max(x, 0); NaN stays NaN, and -0.0 what it is."""
    if x.dtype.kind in "iuc":
        if x.dtype.kind == "c":
            raise NotImplementedError("clamp is not supported for complex types")
        return maximum(x, 0, out=out)
    if out is None:
        return applied(library.relu, x)
    if into(library.relu, out, x) is None:
        in_numpy(library.relu, x.dtype)(out, x if out is x or not np.may_share_memory(out, x) else x.copy())
    return out


def threshold_backward(grad: Any, result: Any, threshold: float) -> Any:
    """Zero where the result is not above the threshold, else the gradient; NaN lets it pass."""
    return applied(library.threshold_backward, grad, result, float(threshold))


def gelu(x: Any, approximate: str) -> Any:
    """x * Phi(x), with the normal distribution by erf or by the tanh approximation."""
    if approximate == "none":
        return applied(library.gelu if x.size != 1 else library.gelu_of_one, x)
    return applied(library.gelu_tanh, x)


def gelu_backward(grad: Any, x: Any, approximate: str) -> Any:
    """grad * d gelu(x) / dx."""
    return applied(library.gelu_backward if approximate == "none" else library.gelu_tanh_backward, grad, x)


def silu(x: Any, out: Any = None) -> Any:
    """x * sigmoid(x)."""
    return written(library.silu, out, x)


def silu_backward(grad: Any, x: Any) -> Any:
    """grad * sigmoid(x) * (1 + x * (1 - sigmoid(x)))."""
    return applied(library.silu_backward, grad, x)


def by_rows(kernel: Any, axis: int, *arrays: Any, into: Any = None) -> Any:
    """A row kernel over the rows along an axis. The result is row-major; it goes into `into` where that is possible."""
    x = arrays[0]
    if not x.ndim:
        return by_rows(kernel, -1, *[a.reshape(1) for a in arrays]).reshape(())
    if axis in (-1, x.ndim - 1):
        arrays = tuple([contiguous(a) for a in arrays])
        found = compiled_for(kernel, *arrays) if x.size else None
        return (
            in_numpy(kernel, x.dtype)(np.empty_like(arrays[0]), *arrays) if found is None else found(place(into, x.shape, x.dtype), *arrays)
        )
    inner = math.prod(x.shape[axis % x.ndim + 1 :])
    if x.size > FEW and inner >= 8:  # of fewer columns the vectors are mostly waste
        rows = x.size // (inner * x.shape[axis]), x.shape[axis], inner
        columns = [contiguous(a).reshape(rows) for a in arrays]
        over = compiled_for_columns(kernel, *columns)
        if over is not None:
            result = place(into, x.shape, x.dtype)
            over(result.reshape(rows), *columns)
            return result
    arrays = tuple([contiguous(a.swapaxes(axis, -1)) for a in arrays])
    found = (compiled_for(kernel, *arrays) if x.size else None) or in_numpy(kernel, x.dtype)
    return contiguous(found(np.empty_like(arrays[0]), *arrays).swapaxes(axis, -1))


def softmax(x: Any, axis: Any, into: Any = None) -> Any:
    """exp(x) divided by its sum along the axis, computed after subtracting the maximum."""
    return by_rows(library.softmax, axis, x, into=into)


def softmax_backward(grad: Any, result: Any, axis: int) -> Any:
    """result * (grad - sum(grad * result))."""
    return by_rows(library.softmax_backward, axis, grad, result)


def log_softmax(x: Any, axis: Any, into: Any = None) -> Any:
    """x minus the logarithm of the sum of exp(x) along the axis."""
    return by_rows(library.log_softmax, axis, x, into=into)


def log_softmax_backward(grad: Any, result: Any, axis: int) -> Any:
    """grad - exp(result) * sum(grad)."""
    return by_rows(library.log_softmax_backward, axis, grad, result)


log_sigmoid = partial(applied, library.log_sigmoid)
"""min(x, 0) - log1p(exp(-|x|))."""


def softplus(x: Any, beta: float, threshold: float) -> Any:
    """log1p(exp(beta * x)) / beta, or x where beta * x exceeds the threshold."""
    return applied(library.softplus, x, float(beta), float(threshold))


def elu(x: Any, alpha: float, scale: float, input_scale: float, out: Any = None) -> Any:
    """scale * (x if x > 0 else alpha * expm1(x * input_scale))."""
    return written(library.elu, out, x, float(scale), float(input_scale), float(alpha * scale))


def elu_backward(grad: Any, x: Any, alpha: float, scale: float, input_scale: float) -> Any:
    """scale * grad where x > 0, else scale * alpha * input_scale * exp(x * input_scale) * grad."""
    return applied(library.elu_backward, grad, x, float(scale), float(input_scale), float(alpha * scale))


def softplus_backward(grad: Any, x: Any, beta: float, threshold: float) -> Any:
    """grad * sigmoid(beta * x); the gradient itself where beta * x exceeds the threshold."""
    return applied(library.softplus_backward, grad, x, float(beta), float(threshold))


log_sigmoid_backward = partial(applied, library.log_sigmoid_backward)
"""grad * sigmoid(-x)."""


def leaky_relu(x: Any, slope: float, out: Any = None) -> Any:
    """x where positive, else slope * x."""
    return written(library.leaky_relu, out, x, float(slope))


def leaky_relu_backward(grad: Any, x: Any, slope: float) -> Any:
    """The gradient where x is positive, else slope times it."""
    return applied(library.leaky_relu_backward, grad, x, float(slope))


def clip(x: Any, low: Any, high: Any, out: Any = None) -> Any:
    """x cut off at both bounds; NaN stays NaN."""
    if x.dtype.kind in "iu":
        return np.minimum(x.dtype.type(high), np.maximum(x.dtype.type(low), x), out=out)
    return written(clamp, out, x, float(low), float(high))


def hardtanh_backward(grad: Any, x: Any, low: float, high: float) -> Any:
    """The gradient where x lies between the bounds, else zero."""
    return applied(library.hardtanh_backward, grad, x, float(low), float(high))


def hardsigmoid(x: Any, out: Any = None) -> Any:
    """min(max(x + 3, 0), 6) / 6."""
    return written(library.hardsigmoid, out, x)


hardsigmoid_backward = partial(applied, library.hardsigmoid_backward)
"""grad / 6 where -3 < x < 3, else zero."""


def hardswish(x: Any, out: Any = None) -> Any:
    """x * min(max(x + 3, 0), 6) / 6."""
    return written(library.hardswish, out, x)


hardswish_backward = partial(applied, library.hardswish_backward)
"""Zero up to -3, grad * (x / 3 + 1 / 2) up to 3, the gradient beyond."""


def mish(x: Any, out: Any = None) -> Any:
    """x * tanh(log1p(exp(x)))."""
    return written(library.mish, out, x)


mish_backward = partial(applied, library.mish_backward)
"""grad * (t + x * sigmoid(x) * (1 - t^2)) with t = tanh(log1p(exp(x)))."""


def _halves(x: Any, axis: int) -> tuple[Any, Any]:
    """The two halves of an array along an axis."""
    half, before = x.shape[axis] // 2, (slice(None),) * axis
    return x[(*before, slice(half))], x[(*before, slice(half, None))]


def glu(x: Any, axis: int) -> Any:
    """The first half along the axis times the sigmoid of the second."""
    first, gate = _halves(x, axis)
    return _map_into(library.glu, like(first), first, gate)


def glu_backward(grad: Any, x: Any, axis: int) -> Any:
    """The gradients of both halves: grad * sigmoid(gate), and grad * first * sigmoid(gate) * (1 - sigmoid(gate))."""
    first, gate = _halves(x, axis)
    result = like(x)
    of_first, of_gate = _halves(result, axis)
    _map_into(library.glu_first_backward, of_first, grad, gate)
    _map_into(library.glu_gate_backward, of_gate, grad, first, gate)
    return result


def _map_into(kernel: Any, out: Any, *arrays: Any) -> Any:
    """A map over arrays of one shape and dtype, whatever their strides, into `out`."""
    dtype = out.dtype
    if out.__class__ is np.ndarray and out.size and kernel.takes(dtype) and usable():
        result = mapped(kernel, dtype, out, *arrays)
        if result is None:
            out[...] = applied(kernel, *[contiguous(a) for a in arrays])
        return out
    return in_numpy(kernel, dtype)(out, *arrays)


def softshrink(x: Any, lambd: float) -> Any:
    """x - lambd above lambd, x + lambd below -lambd, else zero (NaN stays NaN).

    The zero has x's sign where PyTorch's loop is not in vectors: in less than two of 256 bits, and in what is left behind these.
    """
    if x.__class__ is not np.ndarray or not x.flags.c_contiguous:
        return applied(library.softshrink, x, float(lambd))
    behind = x.size % (64 // x.itemsize)
    if behind == x.size:
        return applied(library.softshrink_of_few, x, float(lambd))
    result = applied(library.softshrink, x, float(lambd))
    if behind:
        result.reshape(-1)[-behind:] = applied(library.softshrink_of_few, x.reshape(-1)[-behind:], float(lambd))
    return result


def hardshrink(x: Any, lambd: float) -> Any:
    """x beyond lambd on either side, else zero (NaN stays NaN)."""
    return applied(library.hardshrink, x, float(x.dtype.type(lambd)) if x.dtype.itemsize == 2 else float(lambd))


def shrink_backward(grad: Any, x: Any, lambd: float) -> Any:
    """The gradient where x lies beyond lambd on either side, else zero."""
    return applied(library.shrink_backward, grad, x, float(x.dtype.type(lambd)) if x.dtype.itemsize == 2 else float(lambd))


def threshold(x: Any, bound: float, value: float) -> Any:
    """x above the bound, else the value (NaN stays NaN)."""
    if x.dtype.kind in "iu":
        return np.where(x <= bound, x.dtype.type(value), x)
    return applied(library.threshold, x, float(bound), float(value))


def prelu(x: Any, weight: Any) -> Any:
    """x where positive, else weight * x; the weight broadcasts."""
    out = np.empty_like(x)
    if x.size and x.__class__ is np.ndarray and weight.dtype is x.dtype and library.prelu.takes(x.dtype) and usable():
        result = mapped(library.prelu, x.dtype, out, x, weight)
        if result is not None:
            return result
    return in_numpy(library.prelu, x.dtype)(out, x, weight)


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
