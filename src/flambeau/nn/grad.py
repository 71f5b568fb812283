"""`torch.nn.grad`: the gradients of convolutions, as functions of their own."""

from typing import Any

from ..autograd import grad
from ..autograd.grad_mode import enable_grad
from ..autograd.node import tensors
from ..core.missing import missing_name
from ..ops.definition import NAMES

__all__ = ["conv1d_input", "conv1d_weight", "conv2d_input", "conv2d_weight", "conv3d_input", "conv3d_weight"]


def _input_gradient(n: int, size: Any, weight: Any, grad_output: Any, *options: Any) -> Any:
    with enable_grad():
        x = NAMES["torch"]["zeros"](tuple(size), dtype=weight.dtype).requires_grad_()
        return grad(NAMES["F"][f"conv{n}d"](x, weight.detach(), None, *options), x, grad_output)[0]


def _weight_gradient(n: int, x: Any, size: Any, grad_output: Any, *options: Any) -> Any:
    with enable_grad():
        weight = tensors.zeros_like(x.detach().reshape(-1)[:1]).expand(tuple(size)).clone().requires_grad_()
        return grad(NAMES["F"][f"conv{n}d"](x.detach(), weight, None, *options), weight, grad_output)[0]


def conv1d_input(
    input_size: Any, weight: Any, grad_output: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    """The gradient of `conv1d` with respect to its input, of the shape `input_size`."""
    return _input_gradient(1, input_size, weight, grad_output, stride, padding, dilation, groups)


def conv1d_weight(
    input: Any, weight_size: Any, grad_output: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    """The gradient of `conv1d` with respect to its weight, of the shape `weight_size`."""
    return _weight_gradient(1, input, weight_size, grad_output, stride, padding, dilation, groups)


def conv2d_input(
    input_size: Any, weight: Any, grad_output: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    """The gradient of `conv2d` with respect to its input, of the shape `input_size`."""
    return _input_gradient(2, input_size, weight, grad_output, stride, padding, dilation, groups)


def conv2d_weight(
    input: Any, weight_size: Any, grad_output: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    """The gradient of `conv2d` with respect to its weight, of the shape `weight_size`."""
    return _weight_gradient(2, input, weight_size, grad_output, stride, padding, dilation, groups)


def conv3d_input(
    input_size: Any, weight: Any, grad_output: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    """The gradient of `conv3d` with respect to its input, of the shape `input_size`."""
    return _input_gradient(3, input_size, weight, grad_output, stride, padding, dilation, groups)


def conv3d_weight(
    input: Any, weight_size: Any, grad_output: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    """The gradient of `conv3d` with respect to its weight, of the shape `weight_size`."""
    return _weight_gradient(3, input, weight_size, grad_output, stride, padding, dilation, groups)


__getattr__ = missing_name(__name__)
