"""Trigonometric functions and their inverses."""

import math

from ..expression import Expression, absolute, bitcast, cast, constant, copysign, fma, rint, shift_right, sqrt, where
from . import tables
from .parts import BIAS, HALF_PI, INF, INTEGER, choice, chosen, exact_product, nearest, polynomial, table, two_to, wide

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
    result = where(negative, 2 * HALF_PI[0] - (result - 2 * HALF_PI[1]), result)
    return where(bitcast(y, "i64") < 0, -result, result)  # a copysign would be narrowed: its sign, a number, in one step to float16


def half_turns(fraction: Expression, short: bool) -> tuple[Expression, Expression]:
    """(|sin(pi d)|, cos(pi d)) for |d| <= 1/2 in float64."""
    d = absolute(fraction)
    flipped = d > 0.25
    r = where(flipped, 0.5 - d, d) * math.pi
    s, c = sin_polynomial(r, short), cos_polynomial(r, short)
    return where(flipped, c, s), where(flipped, s, c)
