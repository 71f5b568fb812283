"""Activations and softmax."""

import math
from typing import Any

from ..compiler import map_kernel, row_kernel
from ..compiler.expression import cast, erf, exp, sigmoid, tanh, where


@map_kernel("out:f x:f")
def gelu(row: Any, out: Any, x: Any) -> None:
    """x * Phi(x)."""

    def body(i: Any) -> None:
        v = x[i]
        out[i] = v * 0.5 * (erf(v * math.sqrt(0.5)) + 1.0)

    row.each(body)


@map_kernel("out:f grad:f x:f")
def gelu_backward(row: Any, out: Any, grad: Any, x: Any) -> None:
    """grad * (Phi(x) + x * phi(x))."""

    def body(i: Any) -> None:
        v = x[i]
        cdf = (erf(v * math.sqrt(0.5)) + 1.0) * 0.5
        out[i] = grad[i] * (cdf + v * exp(v * v * -0.5) * (1 / math.sqrt(2 * math.pi)))

    row.each(body)


@map_kernel("out:f x:f")
def tanh_map(row: Any, out: Any, x: Any) -> None:
    """tanh(x)."""

    def body(i: Any) -> None:
        out[i] = tanh(x[i])

    row.each(body)


@map_kernel("out:f x:f")
def exp_map(row: Any, out: Any, x: Any) -> None:
    """exp(x)."""

    def body(i: Any) -> None:
        out[i] = exp(x[i])

    row.each(body)


@map_kernel("out:f x:f")
def sigmoid_map(row: Any, out: Any, x: Any) -> None:
    """1 / (1 + exp(-x))."""

    def body(i: Any) -> None:
        out[i] = sigmoid(x[i])

    row.each(body)


@map_kernel("out:f x:f")
def silu(row: Any, out: Any, x: Any) -> None:
    """x * sigmoid(x)."""

    def body(i: Any) -> None:
        v = x[i]
        out[i] = v * sigmoid(v)

    row.each(body)


@map_kernel("out:f grad:f x:f")
def silu_backward(row: Any, out: Any, grad: Any, x: Any) -> None:
    """grad * s * (1 + x * (1 - s)), s = sigmoid(x)."""

    def body(i: Any) -> None:
        v = x[i]
        s = sigmoid(v)
        out[i] = grad[i] * s * (v * (1.0 - s) + 1.0)

    row.each(body)


@map_kernel("out:f grad:f result:f", numbers=1)
def threshold_backward(row: Any, out: Any, grad: Any, result: Any, bound: Any) -> None:
    """Zero where result <= bound, else grad: NaN lets it pass."""

    def body(i: Any) -> None:
        out[i] = where(result[i] <= bound, 0.0, grad[i])

    row.each(body)


@map_kernel("out:f x:f mask:i1", numbers=1)
def scale_by_mask(row: Any, out: Any, x: Any, mask: Any, scale: Any) -> None:
    """x * mask * scale."""

    def body(i: Any) -> None:
        out[i] = x[i] * (cast(mask[i], out.type) * scale)

    row.each(body)


@row_kernel("out:f x:f")
def softmax(row: Any, out: Any, x: Any) -> None:
    """exp(x - max) / sum, per row."""
    peak = row.max(lambda i: x[i])

    def body(i: Any) -> Any:
        value = exp(x[i] - peak)
        out[i] = value
        return value

    scale = row.once(1.0 / row.sum(body))

    def divide(i: Any) -> None:
        out[i] = out[i] * scale

    row.each(divide)


@row_kernel("out:f grad:f result:f")
def softmax_backward(row: Any, out: Any, grad: Any, result: Any) -> None:
    """result * (grad - sum(grad * result)), per row."""
    total = row.sum(lambda i: grad[i] * result[i])

    def body(i: Any) -> None:
        out[i] = result[i] * (grad[i] - total)

    row.each(body)
