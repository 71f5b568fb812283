"""Matrix products and what is made of them."""

from __future__ import annotations

from typing import Any

from ..kernels import matmul as k
from ..kernels.reduction import sum as sum_kernel
from .definition import Array, operator


def _linear_node(input: Array, weight: Array, bias: Array | None) -> str:
    """PyTorch's name for the last step of the computation, which depends on the shapes."""
    if weight.ndim == 1:
        return "MvBackward0" if bias is None else "AddBackward0"
    if input.ndim == 2:
        return "MmBackward0" if bias is None else "AddmmBackward0"
    if bias is None:
        return "UnsafeViewBackward0" if input.ndim > 2 else "SqueezeBackward4"
    return "ViewBackward0"


@operator("F.linear", node=_linear_node, out=False)
def linear(input: Array, weight: Array, bias: Array | None = None) -> Array:
    """`input @ weight.T + bias`.

    input: (..., in); weight: (out, in) or (in); bias: (out) or none. Returns (..., out).
    Raises RuntimeError where the inner sizes differ.
    """
    if input.shape[-1:] != weight.shape[-1:] or input.ndim == 0:
        rows = 1
        for n in input.shape[:-1]:
            rows *= n
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({rows}x{input.shape[-1] if input.ndim else 1} and {weight.shape[-1]}x{weight.shape[0]})"
        )
    return k.linear(input, weight, bias)


@linear.joint("input", "weight", "bias")
def _linear_gradients(F: Any, grad: Any, needs: Any, input: Any, weight: Any) -> Any:
    return (
        F.linear_input_gradient(grad, weight) if needs[0] else None,
        F.linear_weight_gradient(grad, input) if needs[1] else None,
        F.linear_bias_gradient(grad) if needs[2] else None,
    )


@operator(out=False)
def linear_input_gradient(grad_output: Array, weight: Array) -> Array:
    """The gradient of `input` in `linear`."""
    return k.matmul(grad_output, weight)


linear_input_gradient.derivative(
    grad_output=lambda F, grad, weight: F.linear(grad, weight, None),
    weight=lambda F, grad, grad_output: F.linear_weight_gradient(grad_output, grad),
)


@operator(out=False)
def linear_weight_gradient(grad_output: Array, input: Array) -> Array:
    """The gradient of `weight` in `linear`: (out, in)."""
    return k.linear_weight_gradient(grad_output, input)


linear_weight_gradient.derivative(
    grad_output=lambda F, grad, input: F.linear(input, grad, None),
    input=lambda F, grad, grad_output: F.linear_input_gradient(grad_output, grad),
)


@operator(out=False)
def linear_bias_gradient(grad_output: Array) -> Array:
    """The gradient of `bias` in `linear`: the sum over all rows."""
    return sum_kernel(grad_output.reshape(-1, grad_output.shape[-1]), (0,))


linear_bias_gradient.derivative(grad_output=lambda F, grad, grad_output_shape: F.expand(grad, grad_output_shape))
