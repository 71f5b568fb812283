"""Exponentials, logarithms, trigonometric and hyperbolic functions, element by element."""

from __future__ import annotations

from typing import Any

from ..kernels import elementwise as k
from .definition import Array, operator


@operator("torch.exp", "torch.exp_", "Tensor.exp", "Tensor.exp_", promote="float")
def exp(input: Array, out: Any = None) -> Array:
    """e to the power of `input`."""
    return k.exp(input, out)


exp.derivative(input=lambda F, grad, result: grad * F.conj(result))


@operator("torch.log", "torch.log_", "Tensor.log", "Tensor.log_", promote="float")
def log(input: Array, out: Any = None) -> Array:
    """The natural logarithm."""
    return k.log(input, out)


log.derivative(input=lambda F, grad, input: grad / F.conj(input))


@operator("torch.tanh", "torch.tanh_", "Tensor.tanh", "Tensor.tanh_", promote="float")
def tanh(input: Array, out: Any = None) -> Array:
    """The hyperbolic tangent."""
    return k.tanh(input, out)


@operator()
def tanh_backward(grad_output: Array, output: Array) -> Array:
    """`grad_output * (1 - output^2)`, conjugated for complex numbers."""
    return k.tanh_backward(grad_output, output)


tanh.derivative(input=lambda F, grad, result: F.tanh_backward(grad, result))
tanh_backward.derivative(
    grad_output=lambda F, grad, output: F.tanh_backward(grad, F.conj(output)),
    output=lambda F, grad, grad_output, output: grad * F.conj(output * grad_output) * -2.0,
)


@operator("torch.sigmoid", "torch.sigmoid_", "Tensor.sigmoid", "Tensor.sigmoid_", "special.expit", promote="float")
def sigmoid(input: Array, out: Any = None) -> Array:
    """`1 / (1 + exp(-input))`."""
    return k.sigmoid(input, out=out)


@operator()
def sigmoid_backward(grad_output: Array, output: Array) -> Array:
    """`grad_output * output * (1 - output)`, conjugated for complex numbers."""
    return k.sigmoid_backward(grad_output, output)


sigmoid.derivative(input=lambda F, grad, result: F.sigmoid_backward(grad, result))
sigmoid_backward.derivative(
    grad_output=lambda F, grad, output: F.sigmoid_backward(grad, output),
    output=lambda F, grad, grad_output, output: grad * F.conj(grad_output) * F.conj(1.0 - output * 2.0),
)
