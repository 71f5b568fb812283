"""Losses between an input and a target, element by element, and their slopes: the derivatives by the input times a number."""

from typing import Any

from ..compiler.expression import absolute, exp, log, log1p, maximum, minimum, sigmoid, where
from .activation import logarithm_of_sigmoid
from .elementwise import GRAIN, of_several


def _smooth_l1(x: Any, target: Any, beta: Any) -> Any:
    d = absolute(x - target)
    return where(d < beta, d * 0.5 * d / beta, d - beta * 0.5)


def _huber(x: Any, target: Any, delta: Any) -> Any:
    d = absolute(x - target)
    return where(d <= delta, d * 0.5 * d, (d - delta * 0.5) * delta)


def _clamped(x: Any, bound: Any) -> Any:
    return minimum(maximum(x, -bound), bound)


def _soft_margin_slope(x: Any, target: Any, scale: Any) -> Any:
    z = exp(-target * x)
    return -target * z / (z + 1.0) * scale


def _bce(x: Any, target: Any) -> Any:
    return (target - 1.0) * maximum(log1p(-x), -100.0) - target * maximum(log(x), -100.0)


def _weighted_slope(x: Any, target: Any, pos_weight: Any, scale: Any) -> Any:
    positive = pos_weight * target
    return ((positive + 1.0 - target) * sigmoid(x) - positive) * scale


squared_error = of_several("squared_error", lambda x, target: (x - target) * (x - target), 2, 0)
squared_error_slope = of_several("squared_error_slope", lambda x, target, scale: (x - target + (x - target)) * scale, 2, 1)
smooth_l1 = of_several("smooth_l1", _smooth_l1, 2, 1)
smooth_l1_slope = of_several(
    "smooth_l1_slope", lambda x, target, beta, scale: minimum(maximum((x - target) / beta, -1.0), 1.0) * scale, 2, 2
)
huber = of_several("huber", _huber, 2, 1)
huber_slope = of_several("huber_slope", lambda x, target, delta, scale: _clamped(x - target, delta) * scale, 2, 2)
soft_margin = of_several("soft_margin", lambda x, target: log1p(exp(-target * x)), 2, 0, GRAIN)
soft_margin_slope = of_several("soft_margin_slope", _soft_margin_slope, 2, 1, GRAIN)
bce = of_several("bce", _bce, 2, 0, GRAIN)
bce_slope = of_several("bce_slope", lambda x, target, scale: (x - target) / maximum((1.0 - x) * x, 1e-12) * scale, 2, 1)
bce_target_slope = of_several("bce_target_slope", lambda x, scale: (log1p(-x) - log(x)) * scale, 1, 1, GRAIN)
bce_logits = of_several("bce_logits", lambda x, target: (1.0 - target) * x - logarithm_of_sigmoid(x), 2, 0, GRAIN)
bce_logits_slope = of_several("bce_logits_slope", lambda x, target, scale: (sigmoid(x) - target) * scale, 2, 1, GRAIN)
bce_logits_weighted = of_several(
    "bce_logits_weighted",
    lambda x, target, pos_weight: (1.0 - target) * x - logarithm_of_sigmoid(x) * ((pos_weight - 1.0) * target + 1.0),
    3,
    0,
    GRAIN,
)
bce_logits_weighted_slope = of_several("bce_logits_weighted_slope", _weighted_slope, 3, 1, GRAIN)
bce_logits_target_slope = of_several("bce_logits_target_slope", lambda x, scale: -x * scale, 1, 1)
bce_logits_weighted_target_slope = of_several(
    "bce_logits_weighted_target_slope",
    lambda x, pos_weight, scale: (logarithm_of_sigmoid(-x) - pos_weight * logarithm_of_sigmoid(x)) * scale,
    2,
    1,
    GRAIN,
)
