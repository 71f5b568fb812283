"""Error functions, the gamma function and what belongs to them."""

import math

from ..expression import Expression, absolute, constant, copysign, fma, rint, sqrt, where
from . import tables
from .angles import half_turns
from .exponential import exp_of, log1p, natural_log, reduced_exp
from .parts import INF, NAN, chebyshev, choice, exact_product, least, polynomial, scaled, wide

SQRT_HALF = (0.7071067811865476, -4.833646656726457e-17)

# --- error functions --------------------------------------------------------------------------------------------------


def erf(x: Expression) -> Expression:
    """x + x P(x^2) near zero; elsewhere 1 - erfc, in float32 with a polynomial for the fourth root of erfc."""
    z = x * x
    if x.type == "f64":
        near = fma(x, polynomial(z, tables.ERF_64), x)
        return where(absolute(x) < 1.0, near, copysign(1.0 - erfc_tail(absolute(x), False), x))
    near = fma(x, polynomial(z, tables.ERF_32), x)
    root = polynomial(least(absolute(x), 3.94) - 2.5, tables.ERF_TAIL_32)
    square = root * root
    return where(absolute(x) < 1.25, near, copysign(1.0 - square * square, x))


def erfc_tail(x: Expression, short: bool, low: Expression | None = None) -> Expression:
    """erfc(x + low) = exp(-x^2) C(t) / (1 + 2x) for x >= 0 in float64, t = (x - 3.75) / (x + 3.75) (M. Shepherd, J. Laframboise,
    1981)."""
    x = least(x, 28.0)
    square, rest = exact_product(x, x)
    if low is not None:
        rest = fma(x * 2.0, low, rest)
    q, n = reduced_exp(-square, -rest, short)
    t = (x - 3.75) / (x + 3.75)
    c = polynomial(t, tables.ERFCX_WIDE) if short else chebyshev(t, tables.ERFCX)
    return scaled(fma(q, c, c) / fma(x, 2.0, 1.0), n)


def erfc_of(x: Expression, short: bool, low: Expression | None = None) -> Expression:
    """erfc(x + low) in float64; |low| is half a unit in the last place of x at most."""
    negative = x < 0.0
    tail = erfc_tail(absolute(x), short, None if low is None else where(negative, -low, low))
    near = 1.0 - fma(x, polynomial(x * x, tables.ERF_64), x)
    return where(absolute(x) < 0.5, near, where(negative, 2.0 - tail, tail))


@wide
def erfc(x: Expression, short: bool) -> Expression:
    """1 - erf(x)."""
    return erfc_of(x, short)


@wide
def erfcx(x: Expression, short: bool) -> Expression:
    """exp(x^2) erfc(x), which falls like 1 / (sqrt(pi) x)."""
    size = least(absolute(x), 1e300)
    tail = chebyshev((size - 3.75) / (size + 3.75), tables.ERFCX) / fma(size, 2.0, 1.0)
    square, low = exact_product(least(size, 30.0), least(size, 30.0))
    q, n = reduced_exp(least(square, 720.0), low, short)
    result = where(x < 0.0, scaled(q + 1.0, n) * 2.0 - tail, tail)
    return where(absolute(x) < INF, result, where(x < 0.0, INF, where(x > 0.0, 0.0, x)))


def erfc_of_root(x: Expression, sign: float, short: bool) -> Expression:
    """erfc(sign x / sqrt(2)) in float64."""
    high = x * (sign * SQRT_HALF[0])
    low = fma(x, sign * SQRT_HALF[0], -high) + x * (sign * SQRT_HALF[1])
    return erfc_of(high, short, where(absolute(x) < 100.0, low, 0.0))


@wide
def ndtr(x: Expression, short: bool) -> Expression:
    """The standard normal distribution's share below x: erfc(-x / sqrt(2)) / 2."""
    return erfc_of_root(x, -1.0, short) * 0.5


@wide
def log_ndtr(x: Expression, short: bool) -> Expression:
    """log(ndtr(x)); below -1 it is log(erfcx(-x / sqrt(2)) / 2) - x^2 / 2."""
    far = x < -1.0
    share = erfcx(where(far, x * -SQRT_HALF[0], 1.0)) * 0.5
    return where(far, natural_log(share, short) - x * x * 0.5, log1p(erfc_of_root(x, 1.0, short) * -0.5, short))


@wide
def erfinv(x: Expression, short: bool) -> Expression:
    """x P(w), w = -log(1 - x^2) (M. Giles, 2012); in float64 with one step of Halley's method."""
    size = absolute(x)
    product = (1.0 - size) * (1.0 + size)
    w = -natural_log(product, True)
    root = sqrt(w)
    tail = polynomial(root - 3.0, tables.ERFINV_TAIL_WIDE) if short else polynomial(root - 4.0, tables.ERFINV_TAIL)
    y = where(w < 5.0, polynomial(w - 2.5, tables.ERFINV_CENTER), tail) * size
    if not short:
        near = fma(y, polynomial(y * y, tables.ERF_64), y) - size
        error = where(size < 0.5, near, (1.0 - size) - erfc_tail(y, False))
        step = error * exp_of(y * y, False) * (math.sqrt(math.pi) / 2)
        y = y - step / fma(y, step, 1.0)
    return copysign(where(size < 1.0, y, choice(size.equals(1.0), INF, NAN, "f64")), x)


# --- the gamma function -----------------------------------------------------------------------------------------------


@wide
def lgamma(x: Expression, short: bool) -> Expression:
    """log|gamma(x)|: Stirling's series from 8 on, below it a table on [1, 3], where the zeros are, and the recurrence.

    Negative numbers by reflection: log(pi / |x sin(pi x)|) - lgamma(-x).
    """
    size = absolute(x)
    # From 3 to 8: gamma(x) = (x - 1) ... (x - k) gamma(x - k), x - k in [2, 3)
    y, product = size, constant(1.0, "f64")
    for bound in (7.0, 6.0, 5.0, 4.0, 3.0):
        above = size >= bound
        product = where(above, product * (y - 1.0), product)
        y = where(above, y - 1.0, y)
    below = size < 1.0
    t = where(below, size - 1.0, y - 2.0)
    table_value = t * (t + 1.0) * (polynomial(t, tables.LGAMMA_WIDE) if short else chebyshev(t, tables.LGAMMA))
    large = size >= 8.0
    logarithm = natural_log(where(large, size, where(below, size, product)), short)
    inverse = 1.0 / size
    series = inverse * polynomial(inverse * inverse, tables.STIRLING_WIDE if short else tables.STIRLING_64)
    stirling = (size - 0.5) * (logarithm - 1.0) + (series + 0.4189385332046727)
    result = where(large, stirling, where(below, table_value - logarithm, table_value + logarithm))
    result = where(size.equals(0.0), INF, where(size < INF, result, size))
    fraction = size - rint(size)
    sine, _ = half_turns(fraction, short)
    reflected = where(sine > 0.0, natural_log(math.pi / (size * sine), short) - result, INF)
    reflected = where(size < 2.0**-60, result, reflected)
    return where(x < 0.0, where(size < INF, reflected, INF), result)


# x (x + 1) ... (x + 7) and its derivative
RISING = (1.0, 28.0, 322.0, 1960.0, 6769.0, 13132.0, 13068.0, 5040.0, 0.0)
RISING_SLOPE = tuple(c * (8 - i) for i, c in enumerate(RISING[:-1]))


@wide
def digamma(x: Expression, short: bool) -> Expression:
    """The derivative of log(gamma(x)), by its asymptotic series from 8 on, below it by the recurrence, eight steps at once.

    Negative numbers by reflection: digamma(1 - x) - pi / tan(pi x). Near its zeros the error is absolute, hence the exact
    logarithm in any case.
    """
    negative = x < 0.0
    y = where(negative, 1.0 - x, x)
    below = y < 8.0
    large = where(below, y + 8.0, y)
    inverse = 1.0 / large
    z = inverse * inverse
    result = natural_log(large) - (inverse * 0.5 + z * polynomial(z, tables.DIGAMMA_64))
    result = where(below, result - polynomial(y, RISING_SLOPE) / polynomial(y, RISING), result)
    fraction = x - rint(x)
    sine, cosine = half_turns(fraction, short)
    result = where(negative, result - copysign(cosine * math.pi / sine, fraction), result)
    result = where(negative, where(fraction.equals(0.0), NAN, result), result)
    return where(x.equals(0.0), copysign(constant(INF, "f64"), -x), where(x < INF, result, x))
