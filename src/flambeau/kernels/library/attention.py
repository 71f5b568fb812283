"""The softmax inside attention."""

from typing import Any

from ..compiler import row_kernel
from ..compiler.expression import cast, exp, where

_LOW = float("-inf")


def _softmax(row: Any, scores: Any, value: Any) -> None:
    peak = row.max(value)
    peak = row.once(where(peak > _LOW, peak, 0.0))  # a row that may look nowhere becomes zeros

    def body(i: Any) -> Any:
        e = exp(value(i) - peak)
        scores[i] = e
        return e

    total = row.sum(body)
    scale = row.once(where(total > 0.0, 1.0 / total, 0.0))

    def divide(i: Any) -> None:
        scores[i] = scores[i] * scale

    row.each(divide)


@row_kernel("scores:f", numbers=1)
def scaled_softmax(row: Any, scores: Any, scale: Any) -> None:
    """softmax(scores * scale) in place."""
    _softmax(row, scores, lambda i: scores[i] * scale)


@row_kernel("scores:f mask:f~", numbers=1)
def masked_softmax(row: Any, scores: Any, mask: Any, scale: Any) -> None:
    """softmax(scores * scale + mask) in place; the mask's rows are used again and again."""
    _softmax(row, scores, lambda i: scores[i] * scale + mask[i])


@row_kernel("grad:f p:f", numbers=1)
def softmax_gradient(row: Any, grad: Any, p: Any, scale: Any) -> None:
    """p * (grad - sum(grad * p)) * scale, over the gradient itself."""
    total = row.sum(lambda i: grad[i] * p[i])

    def body(i: Any) -> None:
        grad[i] = p[i] * (grad[i] - total) * scale

    row.each(body)


@row_kernel("grad:f p:f kept:i1", numbers=2)
def dropped_softmax_gradient(row: Any, grad: Any, p: Any, kept: Any, scale: Any, factor: Any) -> None:
    """The same behind dropout: the gradient counts where `kept`, times `factor`."""

    def through(i: Any) -> Any:
        return grad[i] * (cast(kept[i], grad.type) * factor)

    total = row.sum(lambda i: through(i) * p[i])

    def body(i: Any) -> None:
        grad[i] = p[i] * (through(i) - total) * scale

    row.each(body)
