"""GELU (D. Hendrycks, K. Gimpel, 2016) and its derivative: of float32 as PyTorch has them, by oneDNN, rounding by rounding.

With AVX-512 oneDNN's erf(x / sqrt(2)) is a polynomial of degree 5 in |x| for each quarter of a power of 2, whose coefficients lie in
registers (`published_tables.GELU_ERF`). Elsewhere, and in the derivative, it is formula 7.1.26 of M. Abramowitz and I. Stegun, Handbook of
Mathematical Functions, 1964, which is right to 1.5e-7; its exponential is by A. C. I. Malossi and others, "Fast Exponential
Computation on SIMD Architectures", 2015.
"""

import math

from ..expression import Expression, absolute, bitcast, cast, floor, fma, lookup, where
from .exponential import exp as exact_exp
from .parts import bits_of, polynomial, single, two_to
from .published_tables import RATIONAL_ERF, SHORT_EXP
from .special import erf as exact_erf

SQRT_HALF = single(math.sqrt(0.5))
INVERSE_ROOT_OF_PI = 0.5641895532608032  # one unit less than the nearest
LAST = 5.542593955993652  # from here on the table's erf is 1
LOWEST = -87.3365478515625  # below, exp is zero


def erf_by_table(x: Expression) -> Expression:
    """erf(x / sqrt(2))."""
    size = absolute(x)
    place = (bitcast(size, "i32") - bits_of(0.109375, "f32") - 1) >> 21
    place = where(place < 1, 1, place)
    place = where(place > 24, 24, place)
    place = where(size > LAST, 23, place)
    result = lookup("GELU_ERF_5", place)
    for power in range(4, -1, -1):
        result = fma(result, size, lookup(f"GELU_ERF_{power}", place))
    return bitcast(bitcast(result, "i32") ^ (bitcast(x, "i32") & -(2**31)), "f32")


def short_exp(x: Expression) -> Expression:
    """exp(x) for x <= 0, to 20 units in the last place."""
    bound = where(x > LOWEST, x, LOWEST)
    n = floor(bound * single(1 / math.log(2)) + 0.5)
    r = fma(-n, single(math.log(2)), bound)
    power = two_to(cast(n - 1.0, "i32"), "f32")
    return polynomial(r, SHORT_EXP) * where(x < LOWEST, 0.0, power) * 2.0


def erf_by_exp(x: Expression) -> tuple[Expression, Expression]:
    """erf(x) and exp(-x^2)."""
    e = short_exp(-(x * x))
    t = 1.0 / fma(absolute(x), single(0.3275911), 1.0)
    result = fma(-e * t, polynomial(t, RATIONAL_ERF), 1.0)
    return bitcast(bitcast(result, "i32") ^ (bitcast(x, "i32") & -(2**31)), "f32"), e


def gelu(x: Expression) -> Expression:
    """x Phi(x) = x (1 + erf(x / sqrt(2))) / 2."""
    from ..lanes import permutes

    if x.type == "f64":
        return x * 0.5 * (exact_erf(x * math.sqrt(0.5)) + 1.0)
    if permutes():
        return (erf_by_table(x) + 1.0) * x * 0.5
    half = x * 0.5
    return fma(erf_by_exp(x * SQRT_HALF)[0], half, half)


def gelu_slope(x: Expression) -> Expression:
    """Phi(x) + x Phi'(x)."""
    if x.type == "f64":
        cdf = (exact_erf(x * math.sqrt(0.5)) + 1.0) * 0.5
        return cdf + x * exact_exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))
    r = x * SQRT_HALF
    erf, e = erf_by_exp(r)
    return fma(erf, 0.5, r * INVERSE_ROOT_OF_PI * e + 0.5)
