"""The transcendental functions, written in expressions: `FUNCTIONS[name](x)` says what a node of that name stands for.

Each is a polynomial behind an exact reduction of its argument, without branches, so that a loop over it is vectorised:
LLVM would call the C library once for each lane. An element's value does not depend on where it stands: products are
fused (`fma`) where this file says so and nowhere else.

Errors are at most 2 units in the last place in float32 and 4 in float64. Functions of float32 that are not computed in float32
are computed in float64 with shorter polynomials (`wide`): there they are rounded once. The methods are the common ones
(W. J. Cody and W. Waite, Software Manual for the Elementary Functions, 1980; fdlibm; S. Moshier, Cephes); the coefficients are
found by tools/maths_tables.py.
"""

import math
import struct
from typing import Any, Callable

from . import maths_tables as tables
from .expression import Expression, absolute, bitcast, cast, constant, copysign, floor, fma, rint, shift_right, sqrt, where

INF, NAN = math.inf, math.nan
INTEGER = {"f32": "i32", "f64": "i64"}
DIGITS = {"f32": 23, "f64": 52}
BIAS = {"f32": 127, "f64": 1023}
SIGN = {"f32": -(2**31), "f64": -(2**63)}
TINY = {"f32": 2.0**-126, "f64": 2.0**-1022}


def _single(value: float) -> float:
    return struct.unpack("<f", struct.pack("<f", value))[0]


def _bits(value: float, type_: str) -> int:
    """The bits of a number as an integer."""
    codes = ("<f", "<i") if type_ == "f32" else ("<d", "<q")
    return struct.unpack(codes[1], struct.pack(codes[0], value))[0]


# ln 2 and pi / 2 in parts: the first rounded to the type, the others what is missing
LN2 = {"f32": (_single(math.log(2)), -1.904654299957768e-09), "f64": (0.6931471805599453, 2.3190468138462996e-17)}
LN2_EXACT = (0.6931471803691238, 1.9082149292705877e-10)  # the first has 32 bits: times a whole number it is exact
HALF_PI = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591833e-33)
LOG2_E = (1.4426950408889634, 2.0355273740931033e-17)
LOG10_E = (0.4342944819032518, 1.098319650216765e-17)
LOG10_2 = (0.3010299956639812, -2.8037281277851704e-18)


def wide(function: Callable[..., Any]) -> Callable[..., Expression]:
    """Decorator: float32 is computed in float64, with `short=True`: 2^-30 will do."""

    def call(*args: Expression) -> Expression:
        if args[0].type == "f32":
            return cast(function(*[cast(a, "f64") for a in args], short=True), "f32")
        return function(*args, short=False)

    call.__name__, call.__doc__ = function.__name__, function.__doc__
    return call


def polynomial(x: Expression, coefficients: tuple[float, ...]) -> Any:
    """Horner's scheme, the highest power first."""
    result: Any = coefficients[0]
    for c in coefficients[1:]:
        result = fma(result, x, c)
    return result


def chebyshev(t: Expression, coefficients: tuple[float, ...]) -> Expression:
    """Clenshaw's recurrence, the last coefficient first."""
    twice = t * 2.0
    first: Any = constant(0.0, t.type)
    second: Any = constant(0.0, t.type)
    for c in coefficients[:-1]:
        first, second = fma(twice, first, c - second), first
    return fma(t, first, coefficients[-1] - second)


def least(x: Expression, bound: float) -> Expression:
    """The smaller of x and a number, NaN if x is: cheaper than `minimum`, which looks at both and at the sign of zero."""
    return where(x > bound, bound, x)


def most(x: Expression, bound: float) -> Expression:
    """The larger of x and a number, NaN if x is."""
    return where(x < bound, bound, x)


def nearest(x: Any, factor: float) -> tuple[Expression, Expression]:
    """The whole number n nearest to x * factor, |n| < 2^21 (2^50 in float64), as a number and as an integer.

    Adding 1.5 * 2^23 (2^52) leaves n in the last bits. Unlike a conversion this gives some integer for NaN.
    """
    t = x.type
    shift = 1.5 * 2.0 ** DIGITS[t]
    moved = fma(x, factor, shift)
    return moved - shift, bitcast(moved, INTEGER[t]) - _bits(shift, t)


def scaled(x: Expression, power: Expression) -> Expression:
    """x * 2^power in two steps, so that subnormal numbers and infinity come out; |power| up to twice the largest exponent."""
    t = x.type
    both = power + 2 * BIAS[t]
    half = shift_right(both, 1)
    return x * bitcast(half << DIGITS[t], t) * bitcast((both - half) << DIGITS[t], t)


def two_to(power: Expression, t: str) -> Expression:
    """2^power, a normal number."""
    return bitcast((power + BIAS[t]) << DIGITS[t], t)


def table(name: str, index: Expression) -> Expression:
    """An element of a table of float64 (see `primitives.py`)."""
    return Expression(f"table:{name}", "f64", index)


def chosen(values: tuple[float, ...], index: Expression) -> Any:
    """One of 1, 2, 4, 8 ... numbers by selects: faster than loads from a table where there are few."""
    if len(values) == 1:
        return constant(values[0], "f64")
    half = len(values) // 2
    return where((index & half).equals(0), chosen(values[:half], index), chosen(values[half:], index))


def choice(condition: Expression, a: float, b: float, type_: str) -> Expression:
    """One of two numbers."""
    return where(condition, constant(a, type_), b)


def exact_product(a: Expression, b: Any) -> tuple[Expression, Expression]:
    """a * b in two parts."""
    high = a * b
    return high, fma(a, b, -high)


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


def split(x: Expression) -> tuple[Expression, Expression]:
    """(e, m) with x = m 2^e and sqrt(1/2) <= m < sqrt(2), for positive numbers, subnormal ones too; e is a float."""
    t, digits = x.type, DIGITS[x.type]
    small = x < TINY[t]
    bits = bitcast(where(small, x * 2.0**digits, x), INTEGER[t])
    biased = shift_right(bits - (_bits(math.sqrt(0.5), t) - (BIAS[t] << digits)), digits)
    m = bitcast(bits - ((biased - BIAS[t]) << digits), t)
    offset = 2.0**digits
    number = bitcast(biased + _bits(offset, t), t)  # 2^digits + biased
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


# --- trigonometric functions ------------------------------------------------------------------------------------------


def quarter_turns(x: Expression, short: bool) -> tuple[Expression, Expression]:
    """(r, n) with x = n pi/2 + r, |r| <= pi/4, n an integer modulo 4; x in float64, |x| < 2^30."""
    n, whole = nearest(x, 2 / math.pi)
    first, second, third = HALF_PI
    r = fma(n, -first, x)
    reduced = fma(n, -second, r)
    if short:
        return reduced, whole
    lost = fma(n, -second, r - reduced)
    return reduced + fma(n, -third, lost), whole


def modulo_one(x: Expression) -> tuple[Expression, Expression]:
    """(x - n, n modulo 4) with the nearest whole number n."""
    x = x - rint(x * 0.25) * 4.0
    n = rint(x)
    return x - n, n


def quarter_turns_of_huge(x: Expression, short: bool) -> tuple[Expression, Expression]:
    """The same for numbers of any size from 2^20 on, by the bits of 2/pi that matter (M. Payne and R. Hanek, 1983).

    x = X 2^(16k), and the table holds 2/pi 2^(16k) modulo 4 in parts.
    """
    digits = 23 if short else 52
    exponent = (shift_right(bitcast(x, "i64"), 52) & 2047) - (BIAS["f64"] + digits)
    k = shift_right(where(exponent < 0, 0, exponent), 4)
    scaled_x = x * two_to(-(k << 4), "f64")
    if short:
        first, second = (chosen(values[:8], k) for values in (tables.TWO_OVER_PI_0, tables.TWO_OVER_PI_1))
    else:
        first, second = table("TWO_OVER_PI_0", k), table("TWO_OVER_PI_1", k)
    a, a_low = exact_product(scaled_x, first)
    b, b_low = exact_product(scaled_x, second)
    a, n = modulo_one(a)
    a_low, more = modulo_one(a_low)
    b, yet_more = modulo_one(b)
    n = n + more + yet_more
    total = a + a_low
    back = total - a
    lost = (a - (total - back)) + (a_low - back)
    sum_ = total + b
    back = sum_ - total
    lost = lost + ((total - (sum_ - back)) + (b - back))
    if not short:
        lost = lost + b_low + scaled_x * table("TWO_OVER_PI_2", k)
    turns = rint(sum_)
    rest = sum_ - turns
    high = rest + lost
    low = (rest - high) + lost
    r, r_low = exact_product(high, HALF_PI[0])
    r = r + (r_low + fma(high, HALF_PI[1], low * HALF_PI[0]))
    _, whole = nearest(n + turns, 1.0)
    return r, whole


def any_quarter_turns(x: Expression, short: bool, bounded: bool) -> tuple[Expression, Expression]:
    """`quarter_turns` for all numbers; only for those below 2^30 if `bounded`."""
    r, n = quarter_turns(x, short)
    if bounded:
        return r, n
    huge = absolute(x) >= 2.0**30
    r_huge, n_huge = quarter_turns_of_huge(x, short)
    return where(huge, r_huge, r), where(huge, n_huge, n)


def sin_polynomial(r: Expression, short: bool = False) -> Expression:
    z = r * r
    return fma(r * z, polynomial(z, tables.SIN_32 if r.type == "f32" else tables.SIN_WIDE if short else tables.SIN_64), r)


def cos_polynomial(r: Expression, short: bool = False) -> Expression:
    z = r * r
    p = polynomial(z, tables.COS_32 if r.type == "f32" else tables.COS_WIDE if short else tables.COS_64)
    if short or r.type == "f32":
        return fma(z * z, p, z * -0.5) + 1.0
    half = z * 0.5
    high = 1.0 - half
    return high + fma(z * z, p, (1.0 - high) - half)


def sin_cos(x: Expression, turns: int, bounded: bool) -> Expression:
    """sin(x + turns pi/2)."""
    t = x.type
    r, n = any_quarter_turns(cast(x, "f64"), t == "f32", bounded)
    if t == "f32":
        r, n = cast(r, "f32"), cast(n, "i32")
    if turns:
        n = n + turns
    result = where((n & 1).equals(0), sin_polynomial(r), cos_polynomial(r))
    return bitcast(bitcast(result, INTEGER[t]) ^ ((n & 2) << (30 if t == "f32" else 62)), t)


def sin(x: Expression, bounded: bool = False) -> Expression:
    """sin of what is left of x after quarter turns."""
    return where(x.equals(0.0), x, sin_cos(x, 0, bounded))


def cos(x: Expression, bounded: bool = False) -> Expression:
    """cos of what is left of x after quarter turns."""
    return sin_cos(x, 1, bounded)


def _tan(x: Expression, short: bool, bounded: bool) -> Expression:
    r, n = any_quarter_turns(x, short, bounded)
    s, c = sin_polynomial(r, short), cos_polynomial(r, short)
    even = (n & 1).equals(0)
    return where(x.equals(0.0), x, where(even, s, -c) / where(even, c, s))


@wide
def tan(x: Expression, short: bool) -> Expression:
    """sin / cos of what is left of x after quarter turns, or -cos / sin."""
    return _tan(x, short, False)


@wide
def bounded_tan(x: Expression, short: bool) -> Expression:
    """tan for |x| < 2^30."""
    return _tan(x, short, True)


def angle(y: Expression, x: Expression, short: bool) -> Expression:
    """atan(y / x) for y >= 0 and x >= 0 in float64, by the angle to 0, pi/4 or pi/2, whichever is near."""
    steep = y > x * 2.414213562373095
    middle = y > x * 0.41421356237309503
    top = where(steep, -x, where(middle, y - x, y))
    bottom = where(steep, y, where(middle, y + x, x))
    t = top / bottom
    z = t * t
    p = polynomial(z, tables.ATAN_WIDE if short else tables.ATAN_64)
    high = where(steep, HALF_PI[0], choice(middle, HALF_PI[0] / 2, 0.0, "f64"))
    low = where(steep, HALF_PI[1], choice(middle, HALF_PI[1] / 2, 0.0, "f64"))
    return high + (t + fma(t * z, p, low))


@wide
def atan(x: Expression, short: bool) -> Expression:
    """The angle whose tangent is x."""
    return copysign(angle(absolute(x), constant(1.0, "f64"), short), x)


@wide
def asin(x: Expression, short: bool) -> Expression:
    """atan(x / sqrt((1 - x)(1 + x)))."""
    size = absolute(x)
    return copysign(angle(size, sqrt((1.0 - size) * (1.0 + size)), short), x)


@wide
def acos(x: Expression, short: bool) -> Expression:
    """2 atan(sqrt(1 - x) / sqrt(1 + x))."""
    return angle(sqrt(1.0 - x), sqrt(x + 1.0), short) * 2.0


@wide
def atan2(y: Expression, x: Expression, short: bool) -> Expression:
    """The angle of the point (x, y)."""
    a, b = absolute(y), absolute(x)
    if not short:  # sums must not overflow, and small quotients be exact
        larger = where(a > b, a, b)
        factor = where(larger > 2.0**1000, 2.0**-100, choice(larger < 2.0**-900, 2.0**100, 1.0, "f64"))
        a, b = a * factor, b * factor
    both = where(a.equals(INF), b, 0.0).equals(INF)
    a, b = where(both, 1.0, a), where(both, 1.0, b)
    result = where(a.equals(0.0), where(b.equals(b), 0.0, b), angle(a, b, short))
    negative = bitcast(x, "i64") < 0
    return copysign(where(negative, 2 * HALF_PI[0] - (result - 2 * HALF_PI[1]), result), y)


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


def erfc_tail(x: Expression, short: bool) -> Expression:
    """erfc(x) = exp(-x^2) C(t) / (1 + 2x) for x >= 0 in float64, t = (x - 3.75) / (x + 3.75) (M. Shepherd, J. Laframboise, 1981)."""
    x = least(x, 28.0)
    square, low = exact_product(x, x)
    q, n = reduced_exp(-square, -low, short)
    t = (x - 3.75) / (x + 3.75)
    c = polynomial(t, tables.ERFCX_WIDE) if short else chebyshev(t, tables.ERFCX)
    return scaled(fma(q, c, c) / fma(x, 2.0, 1.0), n)


@wide
def erfc(x: Expression, short: bool) -> Expression:
    """1 - erf(x)."""
    size = absolute(x)
    tail = erfc_tail(size, short)
    near = 1.0 - fma(x, polynomial(x * x, tables.ERF_64), x)
    return where(size < 0.5, near, where(x < 0.0, 2.0 - tail, tail))


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


def half_turns(fraction: Expression, short: bool) -> tuple[Expression, Expression]:
    """(|sin(pi d)|, cos(pi d)) for |d| <= 1/2 in float64."""
    d = absolute(fraction)
    flipped = d > 0.25
    r = where(flipped, 0.5 - d, d) * math.pi
    s, c = sin_polynomial(r, short), cos_polynomial(r, short)
    return where(flipped, c, s), where(flipped, s, c)


# x (x + 1) ... (x + 7) and its derivative
RISING = (1.0, 28.0, 322.0, 1960.0, 6769.0, 13132.0, 13068.0, 5040.0, 0.0)
RISING_SLOPE = tuple(c * (8 - i) for i, c in enumerate(RISING[:-1]))


@wide
def digamma(x: Expression, short: bool) -> Expression:
    """The derivative of log(gamma(x)), by its asymptotic series from 8 on, below it by the recurrence, eight steps at once.

    Negative numbers by reflection: digamma(1 - x) - pi / tan(pi x). Near its zeros the error is absolute.
    """
    negative = x < 0.0
    y = where(negative, 1.0 - x, x)
    below = y < 8.0
    large = where(below, y + 8.0, y)
    inverse = 1.0 / large
    z = inverse * inverse
    result = natural_log(large, short) - (inverse * 0.5 + z * polynomial(z, tables.DIGAMMA_64))
    result = where(below, result - polynomial(y, RISING_SLOPE) / polynomial(y, RISING), result)
    fraction = x - rint(x)
    sine, cosine = half_turns(fraction, short)
    result = where(negative, result - copysign(cosine * math.pi / sine, fraction), result)
    result = where(negative, where(fraction.equals(0.0), NAN, result), result)
    return where(x.equals(0.0), copysign(constant(INF, "f64"), -x), where(x < INF, result, x))


FUNCTIONS: dict[str, Callable[..., Expression]] = {
    "exp": exp, "exp2": exp2, "expm1": expm1, "sigmoid": sigmoid, "log_sigmoid": log_sigmoid, "softplus": softplus,
    "log": log, "log1p": log1p, "log2": log2, "log10": log10, "pow": power, "rsqrt": rsqrt,
    "sin": sin, "cos": cos, "tan": tan, "asin": asin, "acos": acos, "atan": atan, "atan2": atan2,
    "sinh": sinh, "cosh": cosh, "tanh": tanh, "asinh": asinh, "acosh": acosh, "atanh": atanh,
    "erf": erf, "erfc": erfc, "erfinv": erfinv, "lgamma": lgamma, "digamma": digamma,
    "bounded_sin": lambda x: sin(x, True), "bounded_cos": lambda x: cos(x, True), "bounded_tan": bounded_tan,
}  # fmt: skip
"""What the nodes of these names stand for. The bounded ones hold for |x| < 2^30 and are faster."""
