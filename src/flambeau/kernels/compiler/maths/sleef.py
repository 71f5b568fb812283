"""exp and log of float32 as PyTorch's vector kernels compute them, rounding by rounding, so that the bits are PyTorch's.

The method and the coefficients are those of SLEEF's expf and logf of 1 ulp with fused products (N. Shibata, F. Petrogalli,
"SLEEF: A Portable Vectorized Library of C Standard Mathematical Functions", 2020). A pair is a number in two parts.
"""

from typing import Any

from ..expression import Expression, absolute, bitcast, cast, fma, shift_right, where
from .parts import INF, SIGN, bits_of, least, most, polynomial, single

Pair = tuple[Any, Any]

LOG2_E = single(1.4426950408889634)
LN2 = (0.693145751953125, 1.428606765330187e-06)  # times a whole number the first is exact
EXP = (0.000198527617612853646278381, 0.00139304355252534151077271, 0.00833336077630519866943359, 0.0416664853692054748535156,
       0.166666671633720397949219, 0.5)  # fmt: skip
EXP_IN_TWO = (0.1980960224e-3, 0.1394256484e-2, 0.8333456703e-2, 0.4166637361e-1)
LN2_PAIR = (0.69314718246459960938, -1.904654323148236017e-09)
LOG = (0.3027294874, 0.3996108174, 0.6666694880)


def nearest_power(x: Expression, bias: int) -> tuple[Expression, Expression]:
    """The whole number n nearest to x log2(e), the product rounded before; and an integer whose last 9 bits are n + bias, bias even."""
    shift = 1.5 * 2.0**23 + bias
    moved = x * LOG2_E + shift
    return moved - shift, bitcast(moved, "i32")


def reduced_exp(x: Expression, n: Expression) -> Expression:
    """exp(x) / 2^n."""
    r = fma(n, -LN2[1], fma(n, -LN2[0], x))
    return fma(r * r, polynomial(r, EXP), r) + 1.0


def two_to(biased: Expression) -> Expression:
    """2^(biased - 127) of the last 9 bits, a normal number."""
    return bitcast(biased << 23, "f32")


def scaled(x: Expression, power: Expression) -> Expression:
    """x 2^n in two steps, so that subnormal numbers and infinity come out; the last bits of `power` are n + 254."""
    half = shift_right(power, 1)
    return x * two_to(half) * two_to(power - half)


def exp(x: Expression) -> Expression:
    """exp(x) = 2^n exp(r), |r| <= ln(2) / 2."""
    x = least(most(x, -104.5), 89.0)
    n, power = nearest_power(x, 254)
    return scaled(reduced_exp(x, n), power)


def exp_of_negative(x: Expression) -> Expression:
    """The same for x <= 0, in fewer steps: 2^(n + 63) is a normal number for all n."""
    x = most(x, -104.5)
    n, power = nearest_power(x, 127 + 63)
    return reduced_exp(x, n) * two_to(power) * 2.0**-63


def exp_plus_one(x: Expression) -> Expression:
    """exp(x) + 1, for which it does not matter what exactly exp(x) is below 2^-80."""
    x = least(most(x, -60.0), 89.0)
    n, power = nearest_power(x, 126)
    return reduced_exp(x, n) * two_to(power) * 2.0 + 1.0


# --- numbers in two parts ---------------------------------------------------------------------------------------------


def sum_of(x: Any, y: Any) -> Pair:
    """x + y of two numbers."""
    total = x + y
    v = total - x
    return total, (x - (total - v)) + (y - v)


def plus_smaller(x: Pair, y: Any) -> Pair:
    """x + y, the number smaller than the pair."""
    total = x[0] + y
    return total, ((x[0] - total) + y) + x[1]


def plus_smaller_pair(x: Pair, y: Pair) -> Pair:
    """x + y, the second smaller than the first."""
    total = x[0] + y[0]
    return total, (((x[0] - total) + y[0]) + x[1]) + y[1]


def times(x: Pair, y: Any) -> Pair:
    """x * y of a pair and a number."""
    product = x[0] * y
    return product, fma(x[1], y, fma(x[0], y, -product))


def quotient(x: Pair, y: Pair) -> Pair:
    """x / y."""
    inverse = 1.0 / y[0]
    result = x[0] * inverse
    missing = fma(inverse, x[0], -result)
    lost = fma(-y[1], inverse, fma(-y[0], inverse, 1.0))
    return result, fma(result, lost, fma(x[1], inverse, missing))


def plus(x: Pair, y: Any) -> Pair:
    """x + y of a pair and a number, whichever is larger."""
    total, missing = sum_of(x[0], y)
    return total, missing + x[1]


def plus_pair(x: Pair, y: Pair) -> Pair:
    """x + y, whichever is larger."""
    total, missing = sum_of(x[0], y[0])
    return total, missing + (x[1] + y[1])


def times_pair(x: Pair, y: Pair) -> Pair:
    """x * y."""
    product = x[0] * y[0]
    return product, fma(x[0], y[1], fma(x[1], y[0], fma(x[0], y[0], -product)))


def squared(x: Pair) -> Pair:
    """x * x."""
    product = x[0] * x[0]
    return product, fma(x[0] + x[0], x[1], fma(x[0], x[0], -product))


def inverse(x: Pair) -> Pair:
    """1 / x."""
    first = 1.0 / x[0]
    return first, first * fma(-x[1], first, fma(-x[0], first, 1.0))


# --- functions that need them -----------------------------------------------------------------------------------------


def log(e: Expression, m: Expression) -> Expression:
    """log(m 2^e) for 3/4 <= m < 3/2; e is a float."""
    return log_of_ratio(e, sum_of(m, -1.0), sum_of(m, 1.0))


def log_of_ratio(e: Expression, below: Pair, above: Pair) -> Expression:
    """log(m 2^e) by (m - 1) / (m + 1)."""
    x = quotient(below, above)
    square = x[0] * x[0]
    whole = times((_constant(e, LN2_PAIR[0]), _constant(e, LN2_PAIR[1])), e)
    total = plus_smaller_pair(whole, (x[0] * 2.0, x[1] * 2.0))
    high, low = plus_smaller(total, (square * x[0]) * polynomial(square, LOG))
    return high + low


def log1p(x: Expression) -> Expression:
    """log(1 + x) for x >= 0."""
    huge = x > 1e38
    part = where(huge, x * 0.25, x)  # the inverse of its power of 2 is a normal number
    exponent = shift_right(bitcast(part + 1.0, "i32") - (bits_of(0.75, "f32") - (127 << 23)), 23) - 127
    unit = two_to(127 - exponent)
    f = fma(part, unit, unit - 1.0)  # 1 + f is 1 + x brought between 3/4 and 3/2
    e = cast(exponent + (cast(huge, "i32") << 1), "f32")
    above = f + 2.0
    return where(x < INF, log_of_ratio(e, (f, _constant(f, 0.0)), (above, (2.0 - above) + f)), x)


def tanh(x: Expression) -> Expression:
    """(e^|x| - e^-|x|) / (e^|x| + e^-|x|) with the sign of x; 1 from 8.664 on."""
    size = absolute(x)
    grown = exp_in_two(least(size, 9.0))
    shrunk = inverse(grown)
    high, low = quotient(plus_pair(grown, (-shrunk[0], -shrunk[1])), plus_pair(grown, shrunk))
    result = where(size > 8.664339742, 1.0, high + low)
    return where(x.equals(x), bitcast(bitcast(result, "i32") | (bitcast(x, "i32") & SIGN["f32"]), "f32"), x)


def exp_in_two(x: Expression) -> Pair:
    """exp(x) of 0 <= x <= 9."""
    n, power = nearest_power(x, 126)
    r = plus(sum_of(x, n * -LN2[0]), n * -LN2[1])
    p = plus(times(r, polynomial(r[0], EXP_IN_TWO)), 0.166666659414234244790680580464)
    p = plus(times_pair(r, p), 0.5)
    p = plus_pair(r, times_pair(squared(r), p))
    first = p[0] + 1.0
    rest = ((1.0 - first) + p[0]) + p[1]
    scale = two_to(power) * 2.0
    return first * scale, rest * scale


def _constant(like: Expression, value: float) -> Expression:
    return Expression("constant", like.type, value)
