"""Layer normalisation."""

from typing import Any

from ..compiler import row_kernel
from ..compiler.expression import sqrt


@row_kernel("out:f mean:f* rstd:f* x:f weight:f+ bias:f+", numbers=2)
def layer_norm(row: Any, out: Any, mean: Any, rstd: Any, x: Any, weight: Any, bias: Any, one_over: Any, eps: Any) -> None:
    """(x - mean) / sqrt(var + eps) * weight + bias, per row; `one_over` is 1 / columns."""
    centre = row.once(row.sum(lambda i: x[i]) * one_over)

    def square(i: Any) -> Any:
        d = x[i] - centre
        return d * d

    scale = row.once(1.0 / sqrt(row.sum(square) * one_over + eps))
    row.put(mean, centre)
    row.put(rstd, scale)

    def body(i: Any) -> None:
        out[i] = (x[i] - centre) * scale * weight[i] + bias[i]

    row.each(body)


@row_kernel("out:f grad_weight:f% grad_bias:f% grad:f x:f mean:f* rstd:f* weight:f+", numbers=1)
def layer_norm_backward(
    row: Any, out: Any, grad_weight: Any, grad_bias: Any, grad: Any, x: Any, mean: Any, rstd: Any, weight: Any, one_over: Any
) -> None:
    """The gradient of x, and those of weight and bias added up over each chunk of rows (they start at zero)."""
    centre, scale = row.get(mean), row.get(rstd)
    total = row.once(row.sum(lambda i: grad[i] * weight[i]) * one_over)
    product = row.once(row.sum(lambda i: grad[i] * weight[i] * ((x[i] - centre) * scale)) * one_over)

    def body(i: Any) -> None:
        g, normal = grad[i], (x[i] - centre) * scale
        out[i] = (g * weight[i] - total - normal * product) * scale
        grad_weight[i] = grad_weight[i] + g * normal
        grad_bias[i] = grad_bias[i] + g

    row.each(body)
