"""Gradients of gamma, beta and Dirichlet numbers for their parameters.

A number x of distribution function F(x; a) moves with a so that F stays what it is: dx/da = -(dF/da) / (dF/dx) (Jankowiak and
Obermeyer, "Pathwise derivatives beyond the reparameterization trick", 2018). By regions: power series, saddle point expansions, and
rational approximations, with PyTorch's coefficients and bounds, so that the same networks learn the same.
"""

from typing import Any

import numpy as np

from .quiet import quiet
from .random_support import F32, F64, not_implemented, scalar_name
from .special import digamma, pieces

Array = Any


def _same_floats(name: str, first: Array, *others: Array) -> None:
    for other in others:
        if other.dtype != first.dtype:
            raise RuntimeError(f"Found dtype {scalar_name(other.dtype)} but expected {scalar_name(first.dtype)}")
    if first.dtype not in (F32, F64):
        raise not_implemented(name, first.dtype)


def _single(number: float) -> float:
    """The number as float32 holds it."""
    return float(np.float32(number))


# --- gamma ---------------------------------------------------------------------------------------------------------

# numerator, then denominator: powers of log(alpha); rows: powers of log(x / alpha)
_GAMMA = (
    ((0.16009398, -0.094634809, 0.025146376, -0.0030648343), (1.0, 0.32668115, 0.10406089, 0.0014179084)),
    ((0.53487893, 0.1298071, 0.065735949, -0.0015649758), (0.16639465, 0.020070113, -0.0035938915, -0.00058392623)),
    ((0.040121004, -0.0065914022, -0.0026286047, -0.0013441777), (0.017050642, -0.0021309326, 0.00085092367, -1.5247877e-07)),
)


def _horner(coefficients: Any, x: Array) -> Array:
    result = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        result = coefficient + x * result
    return result


def _gamma_series(alpha: Array, x: Array) -> Array:
    """Small x: the incomplete gamma function's power series and its derivative, term by term."""
    term = np.ones_like(x)
    below = alpha.copy()
    series, slope = 1 / below, 1 / (below * below)
    for i in range(1, 6):
        term = term * (-x / i)
        below = below + 1
        series = series + term / below
        slope = slope + term / (below * below)
    power = np.power(x, alpha)
    change = (np.log(x) - digamma(alpha)) * (power * series) - power * slope
    result = -change / (np.power(x, alpha - 1) * np.exp(-x))
    return np.where(np.isnan(result), 0.0, result)


def _gamma_near(alpha: Array, x: Array) -> Array:
    """Large alpha, x within a tenth of it, where the saddle point expansion divides zero by zero."""
    square = alpha * alpha
    inner = 1440 * square + 6 * x * (53 - 120 * x) - 65 * x * x / alpha + alpha * (107 + 3600 * x)
    return (1 + 24 * alpha * (1 + 12 * alpha)) * inner / (1244160 * square * square)


def _gamma_saddle(alpha: Array, x: Array) -> Array:
    """Large alpha: Rice's saddle point expansion."""
    root = np.sqrt(8 * alpha)
    log_ratio = np.log(x / alpha)
    distance = alpha - x
    power = np.power(-distance - alpha * log_ratio, -1.5)
    both = root / distance + np.where(x < alpha, -power, power)
    first = log_ratio * both - np.sqrt(2 / alpha) * (alpha + x) / (distance * distance)
    stirling = 1 + 1 / (12 * alpha) * (1 + 1 / (24 * alpha))
    return -stirling * x * first / root


def _gamma_rational(alpha: Array, x: Array) -> Array:
    u, v = np.log(x / alpha), np.log(alpha)
    numerator, denominator = ([_horner(powers, u) for powers in zip(*(row[i] for row in _GAMMA))] for i in (0, 1))
    return np.exp(_horner(numerator, v) / _horner(denominator, v))


@quiet
def standard_gamma_grad(alpha: Array, x: Array) -> Array:
    """dx/dalpha of gamma numbers of scale 1: a new array of the dtype of both, float32 or float64, broadcast."""
    _same_floats("_standard_gamma_grad_cpu", alpha, x)
    shape = np.broadcast_shapes(alpha.shape, x.shape)
    a, y = (np.broadcast_to(part, shape).astype(F64).reshape(-1) for part in (alpha, x))
    small = y < _single(0.8)
    large = ~small & (a > 8)
    near = large & (_single(0.9) * a <= y) & (y <= _single(1.1) * a)
    result = pieces(
        a, (small, _gamma_series), (near, _gamma_near), (large & ~near, _gamma_saddle), (~(small | large), _gamma_rational), others=(y,)
    )
    return result.astype(alpha.dtype).reshape(shape)


# --- beta and Dirichlet --------------------------------------------------------------------------------------------

# numerator and denominator: powers of log(x), of log(alpha / x), and of log(total x / alpha)
_BETA = np.array((
    (
        ((1.003668233, -0.01061107488, -0.0657888334, 0.01201642863), (0.6336835991, -0.3557432599, 0.05486251648, -0.001465281033),
         (-0.03276231906, 0.004474107445, 0.002429354597, -0.0001557569013)),
        ((0.221950385, -0.3187676331, 0.01799915743, 0.01074823814), (-0.2951249643, 0.06219954479, 0.01535556598, 0.001550077057),
         (0.02155310298, 0.004170831599, 0.001292462449, 6.976601077e-05)),
        ((-0.05980841433, 0.008441916499, 0.01085618172, 0.002319392565), (0.02911413504, 0.01400243777, -0.002721828457, 0.000751041181),
         (0.005900514878, -0.001936558688, -9.495446725e-06, 5.385558597e-05)),
    ),
    (
        ((1.0, -0.02924021934, -0.04438342661, 0.007285809825), (0.6357567472, -0.3473456711, 0.05454656494, -0.002407477521),
         (-0.03301322327, 0.004845219414, 0.00231480583, -0.0002307248149)),
        ((0.5925320577, -0.1757678135, 0.01505928619, 0.000564515273), (0.1014815858, -0.06589186703, 0.01272886114, -0.0007316646956),
         (-0.007258481865, 0.001096195486, 0.0003934994223, -4.12701925e-05)),
        ((0.06469649321, -0.0236701437, 0.002902096474, -5.896963079e-05),
         (0.001925008108, -0.002869809258, 0.0008000589141, -6.063713228e-05),
         (-0.0003477407336, 6.959756487e-05, 1.097287507e-05, -1.650964693e-06)),
    ),
))  # fmt: skip


_DIGAMMA = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)


def _rough_digamma(x: Array) -> Array:
    """Digamma, of positive numbers by recurrence to 10 or more, then A&S 6.3.18: rounded on the way where PyTorch rounds to the dtype.

    For small parameters it nearly cancels with 1 / x, so that these roundings show in the gradient.
    """
    if x.dtype == F64:
        return digamma(x)
    positive = x > 0
    if not positive.all():
        return np.where(positive, _rough_digamma(np.where(positive, x, 1).astype(x.dtype)), digamma(x))
    total = np.zeros(x.shape, F64)
    while (low := x < 10).any():
        total = np.where(low, total - 1 / x, total)
        x = np.where(low, x + 1, x)
    square = 1 / (x * x).astype(F64)
    return (total + np.log(x) - 0.5 / x - square * _horner(_DIGAMMA, square)).astype(x.dtype)


def _beta_small(x: Array, alpha: Array, beta: Array) -> Array:
    """For alpha, near x = 0: the incomplete beta function's power series, differentiated. In the arrays' dtype, as PyTorch computes it."""
    kind = x.dtype.type
    factor = _rough_digamma(alpha) - _rough_digamma(alpha + beta) - np.log(x)
    term = np.ones_like(x)
    series = term / alpha * (factor + 1 / alpha)
    for i in range(1, 11):
        term = term * ((kind(i) - beta) * x / kind(i))
        below = alpha + kind(i)
        series = series + term / below * (factor + 1 / below)
    result = x * np.power(1 - x, -beta) * series
    return np.where(np.isnan(result), kind(0), result)


def _beta_small_other(x: Array, alpha: Array, beta: Array) -> Array:
    """The same for beta."""
    kind = x.dtype.type
    factor = _rough_digamma(alpha + beta) - _rough_digamma(beta)
    term, product, slope = np.ones_like(x), np.ones_like(x), np.zeros_like(x)
    series = factor / alpha
    for i in range(1, 9):
        term = term * (-x / kind(i))
        slope = slope * (beta - kind(i)) + product
        product = product * (beta - kind(i))
        series = series + term / (alpha + kind(i)) * (slope + factor * product)
    result = -np.power(1 - x, 1 - beta) * series
    return np.where(np.isnan(result), kind(0), result)


def _beta_near(x: Array, alpha: Array, beta: Array) -> Array:
    """Both large, x near the mean, where the saddle point expansion divides zero by zero."""
    total = alpha + beta
    square = beta * beta
    innermost = 8 * (1 - x) * (135 * beta - 11)
    inner = (453 + 1620 * beta * (1 - x) - 455 * x) * beta + alpha * innermost
    inner = 3 * (59 + 180 * beta - 90 * x) * square + alpha * inner
    inner = (43 + 20 * (16 + 27 * beta) * x) * square * beta + alpha * inner
    polynomial = 47 * x * square * square + alpha * inner
    above = (1 + 12 * alpha) * (1 + 12 * beta) / (total * total)
    below = 12960 * alpha * alpha * alpha * beta * beta * (1 + 12 * total)
    return above / (1 - x) * polynomial / below


def _beta_saddle(x: Array, alpha: Array, beta: Array) -> Array:
    """Both large: Rice's saddle point expansion."""
    total = alpha + beta

    def stirling(z: Array) -> Array:
        return 1 + 1 / (12 * z) + 1 / (288 * z * z)

    factor = stirling(alpha) * stirling(beta) / stirling(total) * (-x / np.sqrt(2 * alpha * beta / total))
    distance = alpha * (x - 1) + beta * x
    above = 2 * (alpha * alpha) * (x - 1) + alpha * beta * (x - 1) - x * (beta * beta)
    first = above / (np.sqrt(2 * alpha / beta) * np.power(total, 1.5) * distance * distance)
    log_ratio = np.log(alpha / (total * x))
    third = np.sqrt(8 * alpha * beta / total) / distance
    fourth = np.power(beta * np.log(beta / (total * (1 - x))) + alpha * log_ratio, -1.5)
    return factor * (first + 0.5 * log_ratio * (third + np.where(x < alpha / total, fourth, -fourth)))


def _beta_large(x: Array, alpha: Array, beta: Array) -> Array:
    total = alpha + beta
    mean, deviation = alpha / total, np.sqrt(alpha * beta / (total + 1)) / total
    near = (mean - 0.1 * deviation <= x) & (x <= mean + 0.1 * deviation)
    return pieces(x, (near, _beta_near), (~near, _beta_saddle), others=(alpha, beta))


def _beta_rational(x: Array, alpha: Array, total: Array) -> Array:
    """A rational correction to `x (digamma(total) - digamma(alpha)) / (total - alpha)`."""
    difference = (_rough_digamma(total) - _rough_digamma(alpha)).astype(F64)
    x, alpha, total = x.astype(F64), alpha.astype(F64), total.astype(F64)
    u = np.log(x)
    a = np.log(alpha) - u
    b = np.log(total) - a
    numerator, denominator = (_horner([_horner([_horner(powers, b) for powers in row], a) for row in table], u) for table in _BETA)
    return numerator / denominator * (x * difference / (total - alpha))


@quiet
def dirichlet_grad(x: Array, alpha: Array, total: Array) -> Array:
    """dx/dalpha / (1 - x) of beta numbers of the parameters alpha and total - alpha: the part of a Dirichlet number's gradient.

    A new array of the dtype of all three, float32 or float64, broadcast.
    """
    _same_floats("_dirichlet_grad_cpu", x, alpha, total)
    shape = np.broadcast_shapes(x.shape, alpha.shape, total.shape)
    y, a, t = (np.broadcast_to(part, shape).reshape(-1) for part in (x, alpha, total))
    beta = t - a
    boundary = t * y * (1 - y)
    low = (y <= 0.5) & (boundary < 2.5)
    high = ~low & (y >= 0.5) & (boundary < 0.75)
    large = ~(low | high) & (a > 6) & (beta > 6)

    def in_double(y: Array, a: Array, t: Array) -> Array:
        return _beta_large(y.astype(F64), a.astype(F64), t.astype(F64) - a.astype(F64))

    result = pieces(
        y,
        (low, lambda y, a, t: _beta_small(y, a, t - a)),
        (high, lambda y, a, t: -_beta_small_other(1 - y, t - a, a)),
        (large, in_double),
        (~(low | high | large), _beta_rational),
        others=(a, t),
    )
    return result.astype(x.dtype, copy=False).reshape(shape)
