"""What the mathematical functions are made of: numbers in parts, polynomials, powers of 2."""

import math
import struct
from typing import Any, Callable

from ..expression import Expression, bitcast, cast, constant, fma, shift_right, where

INF, NAN = math.inf, math.nan
INTEGER = {"f32": "i32", "f64": "i64"}
DIGITS = {"f32": 23, "f64": 52}
BIAS = {"f32": 127, "f64": 1023}
SIGN = {"f32": -(2**31), "f64": -(2**63)}
TINY = {"f32": 2.0**-126, "f64": 2.0**-1022}


def single(value: float) -> float:
    return struct.unpack("<f", struct.pack("<f", value))[0]


def bits_of(value: float, type_: str) -> int:
    """The bits of a number as an integer."""
    codes = ("<f", "<i") if type_ == "f32" else ("<d", "<q")
    return struct.unpack(codes[1], struct.pack(codes[0], value))[0]


# ln 2 and pi / 2 in parts: the first rounded to the type, the others what is missing
LN2 = {"f32": (single(math.log(2)), -1.904654299957768e-09), "f64": (0.6931471805599453, 2.3190468138462996e-17)}
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
    return moved - shift, bitcast(moved, INTEGER[t]) - bits_of(shift, t)


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
