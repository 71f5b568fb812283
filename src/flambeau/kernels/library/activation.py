"""Activations, their gradients, and softmax."""

import math
from typing import Any, Callable

from ..compiler import Kernel, row_kernel
from ..compiler import expression as e
from ..compiler.expression import (
    cast,
    erf,
    exp_of_negative,
    exp_plus_one,
    expm1,
    maximum,
    minimum,
    multiply_add,
    vector_exp,
    vector_log,
    vector_log1p,
    vector_sigmoid,
    vector_tanh,
    where,
)
from .elementwise import LIGHT, of_several

GRAIN = 32768
_BETA, _KAPPA = math.sqrt(2 / math.pi), 0.044715
_THREE_KAPPA = 0.13414499163627625  # the product of numbers of float32


def _map(name: str, compute: Callable[..., Any], arrays: int = 1, numbers: int = 0, grain: int = GRAIN, looks_up: bool = False) -> Kernel:
    """`out = compute(x, ..., number, ...)` for each element. looks_up: in tables."""

    def build(row: Any, out: Any, *operands: Any) -> None:
        def body(i: Any) -> None:
            out[i] = compute(*[x[i] for x in operands[:arrays]], *operands[arrays:])

        if looks_up:
            row.each_lane(body)
        else:
            row.each(body)

    build.__name__ = name
    return Kernel(build, " ".join(["out:f", *[f"x{i}:f" for i in range(arrays)]]), numbers, False, True, grain)


def _gelu_tanh(x: Any) -> Any:
    return x * 0.5 * (vector_tanh(multiply_add(x * x * x, _KAPPA, x) * _BETA) + 1.0)


def _gelu_tanh_backward(grad: Any, x: Any) -> Any:
    square = x * x
    t = vector_tanh(multiply_add(square * x, _KAPPA, x) * _BETA)
    inner = multiply_add(square, _THREE_KAPPA, 1.0) * _BETA
    return grad * ((t + 1.0) * 0.5 + x * 0.5 * multiply_add(-t, t, 1.0) * inner)


def _silu_backward(grad: Any, x: Any) -> Any:
    s = vector_sigmoid(x)
    return grad * s * multiply_add(x, 1.0 - s, 1.0)


def logarithm_of_sigmoid(x: Any) -> Any:
    """log(sigmoid(x)) = min(x, 0) - log1p(exp(-|x|))."""
    return minimum(x, 0.0) - vector_log1p(exp_of_negative(-e.absolute(x)))


def _log_sigmoid_backward(grad: Any, x: Any, rounded: Any) -> Any:
    small = rounded(exp_of_negative(-e.absolute(x)))
    share = small / (small + 1.0)
    return where(x < 0.0, 1.0 - share, share) * grad


def _softplus_backward(grad: Any, x: Any, beta: Any, threshold: Any) -> Any:
    z = vector_exp(x * beta)
    return where(x * beta > threshold, grad, grad * z / (z + 1.0))


gelu = _map("gelu", e.gelu, looks_up=True)
gelu_of_one = _map("gelu_of_one", lambda x: x * 0.5 * (erf(x * math.sqrt(0.5)) + 1.0))
gelu_backward = _map("gelu_backward", lambda grad, x: grad * e.gelu_slope(x), 2)
gelu_tanh = _map("gelu_tanh", _gelu_tanh)
gelu_tanh_backward = _map("gelu_tanh_backward", _gelu_tanh_backward, 2)
silu = _map("silu", lambda x: x / exp_plus_one(-x))
silu_backward = _map("silu_backward", _silu_backward, 2)
relu = _map("relu", lambda x: where(x < 0.0, 0.0, x), grain=LIGHT)
threshold_backward = _map("threshold_backward", lambda grad, result, bound: where(result <= bound, 0.0, grad), 2, 1, LIGHT)
log_sigmoid = _map("log_sigmoid", logarithm_of_sigmoid)
mish = _map("mish", lambda x: x * vector_tanh(vector_log1p(vector_exp(x))))
softplus = _map(
    "softplus",
    lambda x, beta, threshold: where(x * beta > threshold, x, vector_log1p(vector_exp(minimum(x * beta, threshold))) / beta),
    numbers=2,
)
elu = _map(
    "elu",
    lambda x, scale, input_scale, behind: where(x > 0.0, x * scale, expm1(minimum(x, 0.0) * input_scale) * behind),
    numbers=3,
)
leaky_relu = _map("leaky_relu", lambda x, slope: where(x > 0.0, x, x * slope), numbers=1, grain=LIGHT)
hardsigmoid = _map("hardsigmoid", lambda x: minimum(maximum(x + 3.0, 0.0), 6.0) / 6.0, grain=LIGHT)
hardtanh_backward = _map("hardtanh_backward", lambda grad, x, low, high: where((x > low) & (x < high), grad, 0.0), 2, 2, LIGHT)
hardshrink = _map("hardshrink", lambda x, bound: where(e.absolute(x) <= bound, 0.0, x), numbers=1, grain=LIGHT)
softshrink = _map(
    "softshrink",
    lambda x, bound: where(x > bound, x - bound, where(x < -bound, x + bound, where(x.equals(x), 0.0, x))),
    numbers=1,
    grain=LIGHT,
)
softshrink_of_few = _map(
    "softshrink_of_few",
    lambda x, bound: where(x > bound, x - bound, where(x < -bound, x + bound, x * 0.0)),
    numbers=1,
    grain=LIGHT,
)
shrink_backward = _map("shrink_backward", lambda grad, x, bound: where(e.absolute(x) > bound, grad, 0.0), 2, 1, LIGHT)
prelu = _map("prelu", lambda x, weight: where(x > 0.0, x, weight * x), 2, grain=LIGHT)
threshold = _map("threshold", lambda x, bound, value: where(x <= bound, value, x), numbers=2, grain=LIGHT)
hardswish = _map("hardswish", lambda x: x * minimum(maximum(x + 3.0, 0.0), 6.0) / 6.0, grain=LIGHT)


def _elu_backward(grad: Any, x: Any, scale: Any, input_scale: Any, behind: Any) -> Any:
    return where(x > 0.0, grad * scale, grad * input_scale * behind * vector_exp(minimum(x, 0.0) * input_scale))


def _mish_backward(grad: Any, x: Any) -> Any:
    t = vector_tanh(vector_log1p(vector_exp(x)))
    return grad * multiply_add(x * vector_sigmoid(x), multiply_add(-t, t, 1.0), t)


def _glu_gate_backward(grad: Any, x: Any, gate: Any, rounded: Any) -> Any:
    s = rounded(vector_sigmoid(gate))
    return (1.0 - s) * s * x * grad


elu_backward = _map("elu_backward", _elu_backward, 2, 3)
mish_backward = _map("mish_backward", _mish_backward, 2)
leaky_relu_backward = _map("leaky_relu_backward", lambda grad, x, slope: where(x > 0.0, grad, grad * slope), 2, 1, LIGHT)
hardsigmoid_backward = _map("hardsigmoid_backward", lambda grad, x: where((x > -3.0) & (x < 3.0), grad * (1 / 6), 0.0), 2, grain=LIGHT)
hardswish_backward = _map(
    "hardswish_backward", lambda grad, x: where(x <= -3.0, 0.0, where(x < 3.0, grad * (x / 3.0 + 0.5), grad)), 2, grain=LIGHT
)
softplus_backward = _map("softplus_backward", _softplus_backward, 2, 2)
log_sigmoid_backward = of_several("log_sigmoid_backward", _log_sigmoid_backward, 2, 0, GRAIN, True)
glu_first_backward = of_several("glu_first_backward", lambda grad, gate, rounded: rounded(vector_sigmoid(gate)) * grad, 2, 0, GRAIN, True)
glu = _map("glu", lambda x, gate: x * vector_sigmoid(gate), 2)
glu_gate_backward = of_several("glu_gate_backward", _glu_gate_backward, 3, 0, GRAIN, True)


def _scale_by_mask(row: Any, out: Any, x: Any, mask: Any, scale: Any) -> None:
    """x * mask * scale."""

    def body(i: Any) -> None:
        out[i] = x[i] * (cast(mask[i], out.type) * scale)

    row.each(body)


scale_by_mask = Kernel(_scale_by_mask, "out:f x:f mask:i1", 1, False, True, LIGHT)


@row_kernel("out:f x:f", halves=True)
def softmax(row: Any, out: Any, x: Any) -> None:
    """exp(x - max) / sum, per row."""
    peak = row.max(lambda i: x[i])
    if out.stored != out.type:  # what is kept for the second pass must not be rounded
        scale = row.once(1.0 / row.lane_sum(lambda i: exp_of_negative(x[i] - peak)))

        def again(i: Any) -> None:
            out[i] = exp_of_negative(x[i] - peak) * scale

        row.each_lane(again)
        return

    def body(i: Any) -> Any:
        value = exp_of_negative(x[i] - peak)
        out[i] = value
        return value

    total = row.lane_sum(body)
    scale = row.once(1.0 / total) if row.along_lanes else None  # PyTorch, too, divides along other dimensions than the last

    def divide(i: Any) -> None:
        out[i] = out[i] / total if scale is None else out[i] * scale

    row.each_lane(divide)


@row_kernel("out:f grad:f result:f", halves=True)
def softmax_backward(row: Any, out: Any, grad: Any, result: Any) -> None:
    """result * (grad - sum(grad * result)), per row."""
    total = row.lane_dot(lambda i: (grad[i], result[i]))

    def body(i: Any) -> None:
        out[i] = result[i] * (grad[i] - total)

    row.each_lane(body)


@row_kernel("out:f x:f", halves=True)
def log_softmax(row: Any, out: Any, x: Any) -> None:
    """x - max - log(sum(exp(x - max))), per row."""
    peak = row.max(lambda i: x[i])
    total = row.once(vector_log(row.lane_sum(lambda i: exp_of_negative(x[i] - peak))))

    def body(i: Any) -> None:
        out[i] = x[i] - peak - total

    row.each_lane(body)


@row_kernel("out:f grad:f result:f", halves=True)
def log_softmax_backward(row: Any, out: Any, grad: Any, result: Any) -> None:
    """grad - exp(result) * sum(grad), per row."""
    total = row.lane_sum(lambda i: grad[i])

    def body(i: Any) -> None:
        out[i] = multiply_add(-vector_exp(result[i]), total, grad[i])

    row.each_lane(body)
