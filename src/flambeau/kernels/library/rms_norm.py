"""RMS normalisation and its gradient in PyTorch's order, so that no digit differs.

PyTorch composes it of operators: x * rsqrt(mean(x^2) + eps) * weight. So each step rounds, sums are those of `ordered_sums.py`, and the
gradient is what the derivatives of these operators make, one after the other.
"""

from functools import cache
from typing import Any, Callable

from ..compiler.code import Code, Value
from .layer_norm import launched, over_vectors, wide
from .moments import registers
from .ordered_sums import row_sum
from .vectors import Shape, Writer


def _apply(s: Shape, weight: bool) -> Code:
    """x * rstd * weight over a row."""
    w = Writer(s, "apply", f"out x weight n:i64 rstd:{s.element}", apart=True)
    rstd = w.everywhere(w["rstd"])

    def body(i: Value, mask: Value | None) -> None:
        result = w.vector_at(w.at(w["x"], i), mask) * rstd
        if weight:
            result = result * w.vector_at(w.at(w["weight"], i), mask)
        w.set_vector(w.at(w["out"], i), result, mask)

    over_vectors(w, w["n"], body)
    return w


def _forward_body(s: Shape) -> Code:
    """Rows [begin, end)."""
    w = Writer(s, "body", "out rstd x weight table eps:double begin:i64 end:i64")
    n = w.field(w["table"], 16, "i64")
    count, eps = w.convert(n, s.element), w.convert(w["eps"], s.element)
    with w.loop(w["begin"], w["end"]) as row:
        x = w.at(w["x"], row * n)

        def square(i: Any, whole: bool) -> Value:
            value = w.load(s.vector if whole else s.element, x, i)
            return value * value

        rstd = 1.0 / w.root(row_sum(w, n, square).value / count + eps)
        w.store(rstd, w["rstd"], row)
        w.call("void", "apply", w.at(w["out"], row * n), x, w["weight"], n, rstd)
    return w


@cache
def forward(element: str, weight: bool) -> Callable[..., Any]:
    """`kernel(out, rstd, x, weight, [rows, grain, n], eps)`; any array stands for a weight that is not there."""
    s = registers(element)
    return launched(f"flambeau_rms_norm_{s.kind}{'_weight' * weight}", _forward_body(s), _apply(wide(element), weight))


def _slope(s: Shape, weight: bool) -> Code:
    """The gradient of x over a row: grad * weight * rstd + 2 * x * part."""
    w = Writer(s, "slope", f"out grad x weight n:i64 rstd:{s.element} part:{s.element}", apart=True)
    rstd, part = w.everywhere(w["rstd"]), w.everywhere(w["part"])

    def body(i: Value, mask: Value | None) -> None:
        g, x = (w.vector_at(w.at(w[name], i), mask) for name in ("grad", "x"))
        if weight:
            g = g * w.vector_at(w.at(w["weight"], i), mask)
        w.set_vector(w.at(w["out"], i), g * rstd + part * (x * 2.0), mask)

    over_vectors(w, w["n"], body)
    return w


def _backward_body(s: Shape, weight: bool) -> Code:
    """Rows [begin, end)."""
    w = Writer(s, "body", "out grad x rstd weight table begin:i64 end:i64")
    n = w.field(w["table"], 16, "i64")
    count = w.convert(n, s.element)
    with w.loop(w["begin"], w["end"]) as row:
        grad, x = (w.at(w[name], row * n) for name in ("grad", "x"))

        def product(i: Any, whole: bool) -> Value:
            type_ = s.vector if whole else s.element
            g = w.load(type_, grad, i)
            if weight:
                g = g * w.load(type_, w["weight"], i)
            return g * w.load(type_, x, i)

        rstd = w.load(s.element, w["rstd"], row)
        part = row_sum(w, n, product).value * -0.5 * (rstd * rstd * rstd) / count
        w.call("void", "slope", w.at(w["out"], row * n), grad, x, w["weight"], n, rstd, part)
    return w


@cache
def backward(element: str, weight: bool) -> Callable[..., Any]:
    """`kernel(out, grad, x, rstd, weight, [rows, grain, n])`: the gradient of x."""
    s = registers(element)
    name = f"flambeau_rms_norm_backward_{s.kind}{'_weight' * weight}"
    return launched(name, _backward_body(s, weight), _slope(wide(element), weight))
