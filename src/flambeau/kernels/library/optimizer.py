"""Updates of parameters, in place. The numbers come in this order, the ones that only flip a sign last."""

from typing import Any

from ..compiler import map_kernel
from ..compiler.expression import sqrt, where


def _decayed(grad: Any, x: Any, decay: Any) -> Any:
    """grad + decay * x; without decay x does not matter, not even an infinite one."""
    return where(decay.equals(0.0), grad, grad + x * decay)


def _moments(p: Any, g: Any, m: Any, v: Any, i: Any, keep: Any, decay: Any, w1: Any, beta2: Any, w2: Any, sign: Any) -> Any:
    """The parameter after decay and the two averages, which are stored."""
    x = p[i] * keep
    grad = _decayed(g[i] * sign, x, decay)
    first = m[i] + (grad - m[i]) * w1
    second = v[i] * beta2 + grad * grad * w2
    m[i] = first
    v[i] = second
    return x, first, second


@map_kernel("p:f g:f m:f v:f", numbers=9)
def adam(
    row: Any, p: Any, g: Any, m: Any, v: Any, keep: Any, decay: Any, w1: Any, beta2: Any, w2: Any, correction: Any, eps: Any, size: Any,
    sign: Any,
) -> None:  # fmt: skip
    """One step of Adam: `keep` multiplies p first (AdamW), `decay` times p is added to the gradient (Adam), `size` is
    -lr / (1 - beta1^t) and `correction` sqrt(1 - beta2^t); `sign` is -1 to maximize."""

    def body(i: Any) -> None:
        x, first, second = _moments(p, g, m, v, i, keep, decay, w1, beta2, w2, sign)
        p[i] = x + first / (sqrt(second) / correction + eps) * size

    row.each(body)


@map_kernel("p:f g:f m:f v:f largest:f", numbers=9)
def amsgrad(
    row: Any, p: Any, g: Any, m: Any, v: Any, largest: Any, keep: Any, decay: Any, w1: Any, beta2: Any, w2: Any, correction: Any, eps: Any,
    size: Any, sign: Any,
) -> None:  # fmt: skip
    """The same with the largest second average so far."""

    def body(i: Any) -> None:
        x, first, second = _moments(p, g, m, v, i, keep, decay, w1, beta2, w2, sign)
        before = largest[i]
        top = where(before > second, before, where(before.equals(before), second, before))
        largest[i] = top
        p[i] = x + first / (sqrt(top) / correction + eps) * size

    row.each(body)


@map_kernel("p:f g:f", numbers=3)
def descent(row: Any, p: Any, g: Any, size: Any, decay: Any, sign: Any) -> None:
    """p + size * (g + decay * p)."""

    def body(i: Any) -> None:
        p[i] = p[i] + _decayed(g[i] * sign, p[i], decay) * size

    row.each(body)


@map_kernel("p:f g:f buffer:f", numbers=5)
def momentum(row: Any, p: Any, g: Any, buffer: Any, size: Any, decay: Any, friction: Any, undamped: Any, sign: Any) -> None:
    """buffer = friction * buffer + undamped * gradient; p + size * buffer."""

    def body(i: Any) -> None:
        b = buffer[i] * friction + _decayed(g[i] * sign, p[i], decay) * undamped
        buffer[i] = b
        p[i] = p[i] + b * size

    row.each(body)


@map_kernel("p:f g:f buffer:f", numbers=5)
def nesterov(row: Any, p: Any, g: Any, buffer: Any, size: Any, decay: Any, friction: Any, undamped: Any, sign: Any) -> None:
    """The same, with the buffer looked ahead: p + size * (gradient + friction * buffer)."""

    def body(i: Any) -> None:
        grad = _decayed(g[i] * sign, p[i], decay)
        b = buffer[i] * friction + grad * undamped
        buffer[i] = b
        p[i] = p[i] + (grad + b * friction) * size

    row.each(body)


@map_kernel("p:f", numbers=1)
def scale(row: Any, p: Any, factor: Any) -> None:
    """p * factor."""

    def body(i: Any) -> None:
        p[i] = p[i] * factor

    row.each(body)
