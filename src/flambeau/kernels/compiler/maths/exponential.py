"""Exponentials, logarithms, powers and hyperbolic functions."""

import math

from ..expression import Expression, absolute, bitcast, constant, copysign, floor, fma, shift_right, sqrt, where
from . import sleef, tables
from .parts import (
    BIAS,
    DIGITS,
    INF,
    INTEGER,
    LN2,
    LN2_EXACT,
    LOG2_E,
    LOG10_2,
    LOG10_E,
    NAN,
    TINY,
    bits_of,
    choice,
    exact_product,
    least,
    most,
    nearest,
    polynomial,
    scaled,
    two_to,
    wide,
)

# --- exponentials -----------------------------------------------------------------------------------------------------


def reduced_exp(x: Expression, low: Expression | None = None, short: bool = False) -> tuple[Expression, Expression]:
    """(q, n) with exp(x + low) = (1 + q) 2^n and |q| < 0.42; x within the range where exp is a number."""
    t = x.type
    n, whole = nearest(x, 1.4426950408889634)
    high, rest = LN2[t]
    r = fma(n, -high, x)
    if not short:
        r = fma(n, -rest, r)
    if low is not None:
        r = r + low
    p = polynomial(r, tables.EXP_32 if t == "f32" else tables.EXP_WIDE if short else tables.EXP_64)
    return fma(r * r, p, r), whole


def within_exp(x: Expression) -> Expression:
    """x, or the nearest number whose exp is 0 or infinity."""
    low, high = (-104.5, 89.0) if x.type == "f32" else (-746.0, 710.0)
    return least(most(x, low), high)


def exp(x: Expression) -> Expression:
    """exp(x) = 2^n exp(r), |r| <= ln(2) / 2."""
    q, n = reduced_exp(within_exp(x))
    return scaled(q + 1.0, n)


def vector_tanh(x: Expression) -> Expression:
    """tanh(x); in float32 PyTorch's vector function."""
    return sleef.tanh(x) if x.type == "f32" else tanh(x)


def vector_exp(x: Expression) -> Expression:
    """exp(x); of float32 as PyTorch's vector kernels have it."""
    return sleef.exp(x) if x.type == "f32" else exp(x)


def exp_of_negative(x: Expression) -> Expression:
    """The same for x <= 0."""
    return sleef.exp_of_negative(x) if x.type == "f32" else exp(x)


def vector_log1p(x: Expression) -> Expression:
    """log(1 + x) for x >= 0; of float32 as PyTorch's vector kernels have it."""
    return sleef.log1p(x) if x.type == "f32" else log1p(x)


def exp_plus_one(x: Expression) -> Expression:
    """exp(x) + 1."""
    return sleef.exp_plus_one(x) if x.type == "f32" else exp(x) + 1.0


def exp2(x: Expression) -> Expression:
    """2^x."""
    low, high = (-151.0, 129.0) if x.type == "f32" else (-1077.0, 1025.0)
    x = least(most(x, low), high)
    n, whole = nearest(x, 1.0)
    q, _ = reduced_exp((x - n) * math.log(2))
    # The argument is below ln(2) / 2 but for the rounding, so no further power is taken out.
    return scaled(q + 1.0, whole)


def expm1(x: Expression) -> Expression:
    """exp(x) - 1 = 2^n (exp(r) - 1) + (2^n - 1)."""
    t = x.type
    q, n = reduced_exp(least(most(x, -50.0), 89.0 if t == "f32" else 710.0))
    half = two_to(n - 1, t)
    return where(absolute(x) < 2.0 ** -(DIGITS[t] + 2), x, fma(q, half, half - 0.5) * 2.0)


def sigmoid(x: Expression) -> Expression:
    """1 / (1 + exp(-x)); both are scaled down, so that subnormal results come out."""
    t = x.type
    high, shift = (105.0, 32) if t == "f32" else (747.0, 64)
    q, n = reduced_exp(least(most(-x, -40.0), high))
    scale, unit = two_to(n - shift, t), 2.0**-shift
    p = q + 1.0
    rest = (1.0 - p) + q
    return unit / fma(p, scale, fma(rest, scale, unit))


def vector_sigmoid(x: Expression) -> Expression:
    """The same; of float32 as PyTorch's vector kernels have it: it loses half a unit in the last place, and subnormal results are 0."""
    return 1.0 / sleef.exp_plus_one(-x) if x.type == "f32" else sigmoid(x)


def log_sigmoid(x: Expression) -> Expression:
    """log(sigmoid(x)) = min(x, 0) - log1p(exp(-|x|))."""
    return least(x, 0.0) - log1p(exp(-absolute(x)))


def softplus(x: Expression) -> Expression:
    """log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|))."""
    return most(x, 0.0) + log1p(exp(-absolute(x)))


def exp_of(x: Expression, short: bool) -> Expression:
    """exp in float64."""
    q, n = reduced_exp(within_exp(x), short=short)
    return scaled(q + 1.0, n)


# --- logarithms -------------------------------------------------------------------------------------------------------


def split(x: Expression, low: float = math.sqrt(0.5)) -> tuple[Expression, Expression]:
    """(e, m) with x = m 2^e and low <= m < 2 low, for positive numbers, subnormal ones too; e is a float."""
    t, digits = x.type, DIGITS[x.type]
    small = x < TINY[t]
    bits = bitcast(where(small, x * 2.0**digits, x), INTEGER[t])
    biased = shift_right(bits - (bits_of(low, t) - (BIAS[t] << digits)), digits)
    m = bitcast(bits - ((biased - BIAS[t]) << digits), t)
    offset = 2.0**digits
    number = bitcast(biased + bits_of(offset, t), t)  # 2^digits + biased
    return number - choice(small, offset + BIAS[t] + digits, offset + BIAS[t], t), m


def log_limits(x: Expression, result: Expression) -> Expression:
    """The logarithm at zero, infinity, negative numbers and NaN; `result` elsewhere."""
    return where(x > 0.0, where(x < INF, result, x), choice(x.equals(0.0), -INF, NAN, x.type))


def natural_log(x: Expression, short: bool = False, correction: Expression | None = None) -> Expression:
    """log(x) + correction of a positive number, x = (1 + f) 2^e.

    log(1 + f) is f - f^2/2 + f^3 P(f) in float32, 2s + s^3 P(s^2) with s = f / (2 + f) in float64.
    """
    t = x.type
    e, m = split(x)
    f = m - 1.0
    high, low = LN2[t]
    small = e * low
    if correction is not None:
        small = small + correction
    if t == "f32":
        z = f * f
        return fma(e, high, f + fma(z, -0.5, fma(f * z, polynomial(f, tables.LOG_32), small)))
    s = f / (f + 2.0)
    z = s * s
    rest = z * polynomial(z, tables.LOG_WIDE if short else tables.LOG_64)
    half = f * f * 0.5
    return fma(e, high, f - (half - fma(s, half + rest, small)))


def log(x: Expression) -> Expression:
    """The natural logarithm."""
    return log_limits(x, natural_log(x))


def vector_log(x: Expression) -> Expression:
    """The natural logarithm; of float32 as PyTorch's vector kernels have it."""
    return log_limits(x, sleef.log(*split(x, 0.75)) if x.type == "f32" else natural_log(x))


def log1p(x: Expression, short: bool = False) -> Expression:
    """log(1 + x): the logarithm of the rounded sum, and what is missing divided by it."""
    sum_ = x + 1.0
    missing = where(x < 1.0, x - (sum_ - 1.0), 1.0 - (sum_ - x))
    result = natural_log(sum_, short, missing / sum_)
    return where(absolute(x) < 2.0 ** -(DIGITS[x.type] + 2), x, log_limits(sum_, result))


def log_parts(x: Expression, short: bool) -> tuple[Expression, Expression, Expression]:
    """(e, high, low) with log(x) = e ln 2 + high + low for positive numbers: to 2^-65 of float64, 2^-37 if short."""
    e, m = split(x)
    f = m - 1.0
    sum_ = f + 2.0
    if short:
        s = f / sum_
        z = s * s
        return e, fma(s * z, polynomial(z, tables.LOG_WIDE), s * 2.0), constant(0.0, "f64")
    inverse = 1.0 / sum_
    s = f * inverse
    s_low = (fma(-s, sum_, f) - s * (f - (sum_ - 2.0))) * inverse
    z, z_low = exact_product(s, s)
    z_low = fma(s * 2.0, s_low, z_low)
    t = z * polynomial(z, tables.LOG_TAIL)
    third = 0.6666666666666666
    u = t + third
    u_low = (third - u) + t + 3.700743415417188e-17
    v, v_low = exact_product(z, u)
    v_low = v_low + fma(z, u_low, z_low * u)
    w = v + 2.0
    w_low = (2.0 - w) + v + v_low
    high, low = exact_product(s, w)
    return e, high, low + fma(s, w_low, s_low * w)


def log_to_base(x: Expression, factor: tuple[float, float], two: tuple[float, float], short: bool) -> Expression:
    """log(x) * factor, where two = factor * log(2)."""
    e, high, low = log_parts(x, short)
    p, p_low = exact_product(high, factor[0])
    p_low = p_low + fma(high, factor[1], low * factor[0])
    whole = e * two[0]
    total = whole + p
    rest = (whole - total) + p + p_low + fma(e, two[1], fma(e, two[0], -whole))
    return log_limits(x, total + rest)


@wide
def log2(x: Expression, short: bool) -> Expression:
    """The logarithm to base 2; that of a power of 2 is exact."""
    return log_to_base(x, LOG2_E, (1.0, 0.0), short)


@wide
def log10(x: Expression, short: bool) -> Expression:
    """The logarithm to base 10."""
    return log_to_base(x, LOG10_E, LOG10_2, short)


@wide
def power(x: Expression, y: Expression, short: bool) -> Expression:
    """x^y = exp(y log|x|), with the logarithm in two parts; IEEE 754's values at the limits."""
    size = absolute(x)
    e, high, low = log_parts(size, short)
    whole = e * LN2_EXACT[0]
    log_high = whole + high
    log_low = (whole - log_high) + high + fma(e, LN2_EXACT[1], low)
    log_high = log_limits(size, log_high)
    p = y * log_high
    p_low = fma(y, log_low, fma(y, log_high, -p))
    inside = absolute(p) < 800.0
    p = where(inside, p, where(p > 0.0, 800.0, where(p < 0.0, -800.0, p)))
    q, n = reduced_exp(p, where(inside, p_low, 0.0), short)
    result = scaled(q + 1.0, n)
    result = where(size.equals(1.0), where(y.equals(y), 1.0, y), result)
    whole_y = floor(y).equals(y)
    half = y * 0.5
    even = floor(half).equals(half)
    signed = where(even, result, copysign(result, x))
    result = where(whole_y, signed, where(x < 0.0, where(x > -INF, NAN, result), result))
    return where(y.equals(0.0), 1.0, where(x.equals(1.0), 1.0, result))


def rsqrt(x: Expression) -> Expression:
    """1 / sqrt(x)."""
    return 1.0 / sqrt(x)


# --- hyperbolic functions ---------------------------------------------------------------------------------------------


def tanh(x: Expression) -> Expression:
    """x + x^3 P(x^2) near zero, else 1 - 2 / (exp(2|x|) + 1)."""
    if x.type == "f64":
        e = expm1(least(absolute(x), 22.0) * 2.0)
        return copysign(e / (e + 2.0), x)
    z = x * x
    size = least(absolute(x), 10.0)
    near = fma(z * size, polynomial(z, tables.TANH_32), size)
    q, n = reduced_exp(size * 2.0)
    far = 1.0 - 2.0 / (fma(q, two_to(n, "f32"), two_to(n, "f32")) + 1.0)
    return copysign(where(size < 0.625, near, far), x)


def quarter_exp(x: Expression, short: bool) -> tuple[Expression, Expression]:
    """(exp(x) / 4, expm1(x)) for x >= 0 in float64; the former overflows later than exp."""
    q, n = reduced_exp(least(x, 710.6), short=short)
    quarter = two_to(n - 2, "f64")
    return fma(q, quarter, quarter), fma(q, quarter, quarter - 0.25) * 4.0


@wide
def sinh(x: Expression, short: bool) -> Expression:
    """(exp(x) - exp(-x)) / 2, near zero by way of expm1."""
    quarter, e = quarter_exp(absolute(x), short)
    result = where(absolute(x) < 1.0, (e + e / (e + 1.0)) * 0.5, (quarter - 0.0625 / quarter) * 2.0)
    return where(absolute(x) < 2.0**-28, x, copysign(result, x))


@wide
def cosh(x: Expression, short: bool) -> Expression:
    """(exp(x) + exp(-x)) / 2."""
    quarter, _ = quarter_exp(absolute(x), short)
    return (quarter + 0.0625 / quarter) * 2.0


@wide
def asinh(x: Expression, short: bool) -> Expression:
    """log1p(|x| + x^2 / (1 + sqrt(1 + x^2))), from 2^28 on log|x| + log 2."""
    size = absolute(x)
    big = size > 2.0**28
    square = x * x
    argument = where(big, size - 1.0, size + square / (sqrt(square + 1.0) + 1.0))
    result = log1p(argument, short)
    return copysign(where(big, result + LN2["f64"][0], result), x)


@wide
def acosh(x: Expression, short: bool) -> Expression:
    """log1p(t + sqrt(2t + t^2)) with t = x - 1, from 2^28 on log(x) + log 2."""
    big = x > 2.0**28
    t = x - 1.0
    argument = where(big, t, t + sqrt(fma(t, t, t * 2.0)))
    result = log1p(argument, short)
    return where(x < 1.0, NAN, where(big, result + LN2["f64"][0], result))


@wide
def atanh(x: Expression, short: bool) -> Expression:
    """log1p(2|x| / (1 - |x|)) / 2."""
    size = absolute(x)
    result = log1p(size * 2.0 / (1.0 - size), short) * 0.5
    return copysign(where(size > 1.0, NAN, result), x)
