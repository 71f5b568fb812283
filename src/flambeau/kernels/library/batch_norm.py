"""Batch normalisation of (N, C, ...): per channel. What is known per channel is computed in float64 where a mean is taken.

`count` is how many elements a channel has; half precision computes in float32, and so are the statistics.
"""

from typing import Any

from ..compiler import channel_kernel
from ..compiler.expression import cast, multiply_add, sqrt


def _apply(row: Any, out: Any, x: Any, mean: Any, rstd: Any, weight: Any, bias: Any) -> None:
    """out = (x - mean) * rstd * weight + bias, as one product and one sum."""
    scale = row.once(rstd * row.get(weight))
    shift = row.once(row.get(bias) - mean * scale)

    def body(i: Any) -> None:
        out[i] = multiply_add(x[i], scale, shift)

    row.each(body)


@channel_kernel("out:f mean:c* rstd:c* squares:c* x:f weight:c* bias:c*", numbers=2)
def batch_norm_training(
    row: Any, out: Any, mean: Any, rstd: Any, squares: Any, x: Any, weight: Any, bias: Any, count: Any, eps: Any
) -> None:
    """The result, the mean, 1 / sqrt(variance + eps), and the sum of the squared deviations."""
    centre = row.once(cast(row.sum(lambda i: x[i]) / count, mean.type))

    def square(i: Any) -> Any:
        d = x[i] - centre
        return d * d

    deviations = row.once(cast(row.sum(square), mean.type))
    by = row.once(cast(1.0 / sqrt(cast(deviations, "f64") / count + eps), mean.type))
    row.put(mean, centre)
    row.put(squares, deviations)
    row.put(rstd, by)
    _apply(row, out, x, centre, by, weight, bias)


@channel_kernel("out:f mean:c* rstd:c* x:f weight:c* bias:c*")
def batch_norm_evaluation(row: Any, out: Any, mean: Any, rstd: Any, x: Any, weight: Any, bias: Any) -> None:
    """The result by a mean and 1 / sqrt(variance + eps) that are given."""
    _apply(row, out, x, row.get(mean), row.get(rstd), weight, bias)


def _sums(row: Any, sums: Any, dots: Any, grad: Any, x: Any, centre: Any) -> tuple[Any, Any]:
    """The sums of grad and of grad * (x - mean), which are also written."""
    total, product = row.sums(lambda i: grad[i], lambda i: grad[i] * (x[i] - centre))
    total, product = row.once(cast(total, sums.type)), row.once(cast(product, dots.type))
    row.put(sums, total)
    row.put(dots, product)
    return total, product


@channel_kernel("out:f sums:c* dots:c* grad:f x:f mean:c* rstd:c* weight:c*", numbers=1)
def batch_norm_training_backward(
    row: Any, out: Any, sums: Any, dots: Any, grad: Any, x: Any, mean: Any, rstd: Any, weight: Any, count: Any
) -> None:
    """The gradient of x where the statistics are its own, and the sums of grad and of grad * (x - mean)."""
    centre, by, n = row.get(mean), row.get(rstd), cast(count, mean.type)
    total, product = _sums(row, sums, dots, grad, x, centre)
    scale = row.once(by * row.get(weight))
    slope = row.once(product * by * by / n * -1.0)
    offset = row.once(total / n)

    def body(i: Any) -> None:
        out[i] = ((x[i] - centre) * slope + (grad[i] - offset)) * scale

    row.each(body)


@channel_kernel("out:f sums:c* dots:c* grad:f x:f mean:c* rstd:c* weight:c*")
def batch_norm_evaluation_backward(row: Any, out: Any, sums: Any, dots: Any, grad: Any, x: Any, mean: Any, rstd: Any, weight: Any) -> None:
    """The same where the statistics were given."""
    _sums(row, sums, dots, grad, x, row.get(mean))
    scale = row.once(row.get(rstd) * row.get(weight))

    def body(i: Any) -> None:
        out[i] = grad[i] * scale

    row.each(body)


@channel_kernel("grad:f x:f sums:c* dots:c* mean:c*")
def batch_norm_sums(row: Any, grad: Any, x: Any, sums: Any, dots: Any, mean: Any) -> None:
    """The sums of grad and of grad * (x - mean) alone."""
    _sums(row, sums, dots, grad, x, row.get(mean))


@channel_kernel("x:f sums:c*")
def channel_sums(row: Any, x: Any, sums: Any) -> None:
    """The sum of each channel."""
    row.put(sums, cast(row.sum(lambda i: x[i]), sums.type))


@channel_kernel("x:f y:f sums:c*")
def channel_dots(row: Any, x: Any, y: Any, sums: Any) -> None:
    """The sum of x * y over each channel."""
    row.put(sums, cast(row.sum(lambda i: x[i] * y[i]), sums.type))
