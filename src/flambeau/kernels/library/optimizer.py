"""Updates of parameters, in place."""

from typing import Any

from ..compiler import map_kernel
from ..compiler.expression import sqrt


@map_kernel("p:f g:f m:f v:f", numbers=8)
def adam(
    row: Any, p: Any, g: Any, m: Any, v: Any, keep: Any, decay: Any, w1: Any, beta2: Any, w2: Any, correction: Any, eps: Any, size: Any
) -> None:
    """One step of Adam: `keep` multiplies p first (AdamW), `decay` times p is added to the gradient (Adam), `size` is
    -lr / (1 - beta1^t) and `correction` sqrt(1 - beta2^t)."""

    def body(i: Any) -> None:
        x = p[i] * keep
        grad = g[i] + x * decay
        first = m[i] + (grad - m[i]) * w1
        second = v[i] * beta2 + grad * grad * w2
        m[i] = first
        v[i] = second
        p[i] = x + first / (sqrt(second) / correction + eps) * size

    row.each(body)


@map_kernel("p:f g:f", numbers=2)
def descent(row: Any, p: Any, g: Any, size: Any, decay: Any) -> None:
    """p + size * (g + decay * p)."""

    def body(i: Any) -> None:
        p[i] = p[i] + (g[i] + p[i] * decay) * size

    row.each(body)
