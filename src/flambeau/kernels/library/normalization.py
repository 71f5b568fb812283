"""Layer and RMS normalisation, with and without weights; half precision computes in float32, and so are the statistics."""

from typing import Any

from ..compiler import map_kernel, row_kernel
from ..compiler.expression import sqrt


def _normalise(row: Any, out: Any, mean: Any, rstd: Any, x: Any, one_over: Any, eps: Any, behind: Any) -> None:
    """out = behind((x - mean) / sqrt(var + eps), i), per row."""
    centre = row.once(row.sum(lambda i: x[i]) * one_over)

    def square(i: Any) -> Any:
        d = x[i] - centre
        return d * d

    scale = row.once(1.0 / sqrt(row.sum(square) * one_over + eps))
    row.put(mean, centre)
    row.put(rstd, scale)

    def body(i: Any) -> None:
        out[i] = behind((x[i] - centre) * scale, i)

    row.each(body)


@row_kernel("out:f mean:c* rstd:c* x:f weight:f+ bias:f+", numbers=2, halves=True)
def layer_norm(row: Any, out: Any, mean: Any, rstd: Any, x: Any, weight: Any, bias: Any, one_over: Any, eps: Any) -> None:
    """(x - mean) / sqrt(var + eps) * weight + bias, per row; `one_over` is 1 / columns."""
    _normalise(row, out, mean, rstd, x, one_over, eps, lambda normal, i: normal * weight[i] + bias[i])


@row_kernel("out:f mean:c* rstd:c* x:f weight:f+", numbers=2, halves=True)
def layer_norm_weight(row: Any, out: Any, mean: Any, rstd: Any, x: Any, weight: Any, one_over: Any, eps: Any) -> None:
    """The same without a bias."""
    _normalise(row, out, mean, rstd, x, one_over, eps, lambda normal, i: normal * weight[i])


@row_kernel("out:f mean:c* rstd:c* x:f", numbers=2, halves=True)
def layer_norm_plain(row: Any, out: Any, mean: Any, rstd: Any, x: Any, one_over: Any, eps: Any) -> None:
    """The same without weight and bias."""
    _normalise(row, out, mean, rstd, x, one_over, eps, lambda normal, i: normal)


@row_kernel("out:f grad_weight:c% grad_bias:c% grad:f x:f mean:c* rstd:c* weight:f+", numbers=1, halves=True)
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


@row_kernel("out:f grad:f x:f mean:c* rstd:c*", numbers=1, halves=True)
def layer_norm_plain_backward(row: Any, out: Any, grad: Any, x: Any, mean: Any, rstd: Any, one_over: Any) -> None:
    """The gradient of x where there is no weight."""
    centre, scale = row.get(mean), row.get(rstd)
    total = row.once(row.sum(lambda i: grad[i]) * one_over)
    product = row.once(row.sum(lambda i: grad[i] * ((x[i] - centre) * scale)) * one_over)

    def body(i: Any) -> None:
        out[i] = (grad[i] - total - (x[i] - centre) * scale * product) * scale

    row.each(body)


@row_kernel("out:f rstd:c* x:f weight:f+", numbers=2, halves=True)
def rms_norm(row: Any, out: Any, rstd: Any, x: Any, weight: Any, one_over: Any, eps: Any) -> None:
    """x / sqrt(mean(x^2) + eps) * weight, per row."""
    scale = row.once(1.0 / sqrt(row.sum(lambda i: x[i] * x[i]) * one_over + eps))
    row.put(rstd, scale)

    def body(i: Any) -> None:
        out[i] = x[i] * scale * weight[i]

    row.each(body)


@row_kernel("out:f rstd:c* x:f", numbers=2, halves=True)
def rms_norm_plain(row: Any, out: Any, rstd: Any, x: Any, one_over: Any, eps: Any) -> None:
    """The same without a weight."""
    scale = row.once(1.0 / sqrt(row.sum(lambda i: x[i] * x[i]) * one_over + eps))
    row.put(rstd, scale)

    def body(i: Any) -> None:
        out[i] = x[i] * scale

    row.each(body)


@row_kernel("out:f grad_weight:c% grad:f x:f rstd:c* weight:f+", numbers=1, halves=True)
def rms_norm_backward(row: Any, out: Any, grad_weight: Any, grad: Any, x: Any, rstd: Any, weight: Any, one_over: Any) -> None:
    """The gradient of x, and that of the weight added up over each chunk of rows (it starts at zero)."""
    scale = row.get(rstd)
    product = row.once(row.sum(lambda i: grad[i] * weight[i] * (x[i] * scale)) * one_over)

    def body(i: Any) -> None:
        g, normal = grad[i], x[i] * scale
        out[i] = (g * weight[i] - normal * product) * scale
        grad_weight[i] = grad_weight[i] + g * normal

    row.each(body)


@row_kernel("out:f grad:f x:f rstd:c*", numbers=1, halves=True)
def rms_norm_plain_backward(row: Any, out: Any, grad: Any, x: Any, rstd: Any, one_over: Any) -> None:
    """The gradient of x where there is no weight."""
    scale = row.get(rstd)
    product = row.once(row.sum(lambda i: grad[i] * (x[i] * scale)) * one_over)

    def body(i: Any) -> None:
        out[i] = (grad[i] - x[i] * scale * product) * scale

    row.each(body)


@map_kernel("out:f x:f weight:f bias:f")
def scale_and_shift(row: Any, out: Any, x: Any, weight: Any, bias: Any) -> None:
    """x * weight + bias."""

    def body(i: Any) -> None:
        out[i] = x[i] * weight[i] + bias[i]

    row.each(body)


@map_kernel("out:f x:f mean:f rstd:f")
def centre_and_scale(row: Any, out: Any, x: Any, mean: Any, rstd: Any) -> None:
    """(x - mean) * rstd."""

    def body(i: Any) -> None:
        out[i] = (x[i] - mean[i]) * rstd[i]

    row.each(body)
