"""Losses between an input and a target, element by element, and their gradients by the input.

Each goes the way of PyTorch's: `rounded` stands where a step on the way is stored, which half precision rounds.
"""

from typing import Any

from ..compiler import Kernel
from ..compiler import expression as e
from ..compiler.expression import absolute, exp, log, log1p, maximum, minimum, vector_sigmoid, where
from .activation import logarithm_of_sigmoid
from .elementwise import GRAIN, LIGHT, of_several


def _squared_error(x: Any, target: Any, rounded: Any) -> Any:
    d = rounded(x - target)
    return d * d


def _smooth_l1(x: Any, target: Any, beta: Any, rounded: Any) -> Any:
    d = rounded(absolute(x - target))
    return where(d < beta, rounded(rounded(d * 0.5) * d) / beta, d - rounded(beta * 0.5))


def _huber(x: Any, target: Any, delta: Any, rounded: Any) -> Any:
    d = rounded(absolute(x - target))
    return where(d <= delta, rounded(d * 0.5) * d, rounded(d - rounded(delta * 0.5)) * delta)


def _unrounded(compute: Any) -> Any:
    """The same in one step."""
    return lambda *operands: compute(*operands, lambda value: value)


def _huber_slope(grad: Any, x: Any, target: Any, delta: Any, norm: Any, rounded: Any) -> Any:
    d = rounded(x - target)
    return where(absolute(d) <= delta, rounded(d * norm), e.copysign(rounded(delta * norm), d)) * grad


def _soft_margin_slope(grad: Any, x: Any, target: Any, norm: Any, rounded: Any) -> Any:
    z = rounded(exp(rounded(-target * x)))
    return rounded(rounded(rounded(target * z) * -norm) / rounded(z + 1.0)) * grad


def _bce(x: Any, target: Any, rounded: Any) -> Any:
    first = rounded(rounded(target - 1.0) * maximum(rounded(log1p(-x)), -100.0))
    return first - rounded(target * maximum(rounded(log(x)), -100.0))


def _bce_slope(grad: Any, x: Any, target: Any, rounded: Any) -> Any:
    spread = rounded(maximum(rounded(rounded(1.0 - x) * x), 1e-12))
    return rounded(grad * rounded(x - target)) / spread


def _bce_logits(x: Any, target: Any, rounded: Any) -> Any:
    return rounded(rounded(1.0 - target) * x) - rounded(logarithm_of_sigmoid(x))


def _bce_logits_weighted(x: Any, target: Any, pos_weight: Any, rounded: Any) -> Any:
    weight = rounded(rounded(rounded(pos_weight - 1.0) * target) + 1.0)
    return rounded(rounded(1.0 - target) * x) - rounded(weight * rounded(logarithm_of_sigmoid(x)))


def _weighted_slope(grad: Any, x: Any, target: Any, pos_weight: Any, rounded: Any) -> Any:
    positive = rounded(pos_weight * target)
    return rounded(rounded(rounded(rounded(positive + 1.0) - target) * rounded(vector_sigmoid(x))) - positive) * grad


def _weighted_target_slope(grad: Any, x: Any, pos_weight: Any, rounded: Any) -> Any:
    return rounded(rounded(logarithm_of_sigmoid(-x)) - rounded(pos_weight * rounded(logarithm_of_sigmoid(x)))) * grad


def _slope(name: str, compute: Any, arrays: int, numbers: int, grain: int = LIGHT, steps: bool = False) -> tuple[Kernel, Kernel]:
    """`out = compute(grad, x, ..., number, ...)`, with the gradient as the first array, and as the last number."""

    def by_number(*operands: Any) -> Any:
        given, rounded = (operands[:-1], operands[-1:]) if steps else (operands, ())
        return compute(given[-1], *given[:-1], *rounded)

    return (
        of_several(name, compute, arrays, numbers, grain, steps),
        of_several(f"{name}_by_number", by_number, arrays - 1, numbers + 1, grain, steps),
    )


def _counted_slope(name: str, compute: Any, arrays: int, grain: int = GRAIN) -> tuple[Kernel, Kernel]:
    """`out = compute(grad, x, ..., rounded) / count`."""

    def divided(*operands: Any) -> Any:
        *given, count, rounded = operands
        return rounded(compute(*given, rounded)) / count

    return _slope(name, divided, arrays, 1, grain, True)


squared_error = of_several("squared_error", _squared_error, 2, 0, steps=True)
squared_error_slope = _slope(
    "squared_error_slope", lambda grad, x, target, norm, rounded: rounded(rounded(x - target) * norm) * grad, 3, 1, steps=True
)
smooth_l1 = of_several("smooth_l1", _smooth_l1, 2, 1, steps=True)
smooth_l1_at_once = of_several("smooth_l1_at_once", _unrounded(_smooth_l1), 2, 1)
smooth_l1_slope = _slope(
    "smooth_l1_slope", lambda grad, x, target, beta, norm: minimum(maximum((x - target) / beta, -1.0), 1.0) * norm * grad, 3, 2
)
huber = of_several("huber", _huber, 2, 1, steps=True)
huber_at_once = of_several("huber_at_once", _unrounded(_huber), 2, 1)
huber_slope = _slope("huber_slope", _huber_slope, 3, 2, steps=True)
soft_margin = of_several("soft_margin", lambda x, target, rounded: log1p(rounded(exp(rounded(-x * target)))), 2, 0, GRAIN, True)
soft_margin_slope = _slope("soft_margin_slope", _soft_margin_slope, 3, 1, GRAIN, True)
bce = of_several("bce", _bce, 2, 0, GRAIN, True)
bce_slope = _counted_slope("bce_slope", _bce_slope, 3, LIGHT)
bce_target_slope = _counted_slope("bce_target_slope", lambda grad, x, rounded: grad * rounded(rounded(log1p(-x)) - rounded(log(x))), 2)
bce_logits = of_several("bce_logits", _bce_logits, 2, 0, GRAIN, True)
bce_logits_slope = _counted_slope(
    "bce_logits_slope", lambda grad, x, target, rounded: rounded(rounded(vector_sigmoid(x)) - target) * grad, 3
)
bce_logits_weighted = of_several("bce_logits_weighted", _bce_logits_weighted, 3, 0, GRAIN, True)
bce_logits_weighted_slope = _counted_slope("bce_logits_weighted_slope", _weighted_slope, 4)
bce_logits_target_slope = _counted_slope("bce_logits_target_slope", lambda grad, x, rounded: -x * grad, 2, LIGHT)
bce_logits_weighted_target_slope = _counted_slope("bce_logits_weighted_target_slope", _weighted_target_slope, 3)
