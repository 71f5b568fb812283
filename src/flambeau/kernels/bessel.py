"""Bessel and Airy functions and orthogonal polynomials in their NumPy lowering, computed in float64."""

import math
from typing import Callable

import numpy as np

from . import special_tables as tables
from .special import chebyshev, in_double, pieces

Array = np.ndarray

# --- modified Bessel functions ---------------------------------------------------------------------------------


def _i0e(x: Array) -> Array:
    """`exp(-|x|) I0(x)`: a series in x to 8, then one in 1/x of its product with sqrt(x)."""
    x = np.abs(x)
    return pieces(
        x,
        (x <= 8, lambda x: chebyshev(tables.I0E, x / 4 - 1)),
        (x > 8, lambda x: chebyshev(tables.I0E_TAIL, 16 / x - 1) / np.sqrt(x)),
    )


def _i1e(x: Array) -> Array:
    size = np.abs(x)
    value = pieces(
        size,
        (size <= 8, lambda x: x * chebyshev(tables.I1E, x / 4 - 1)),
        (size > 8, lambda x: chebyshev(tables.I1E_TAIL, 16 / x - 1) / np.sqrt(x)),
    )
    return np.where(x < 0, -value, value)


def _grown(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """A scaled function times `exp(|x|)`."""

    def unscaled(x: Array) -> Array:
        half = np.exp(np.abs(x) / 2)
        return function(x) * half * half

    return unscaled


i0e = in_double(_i0e)
i1e = in_double(_i1e)
_i0, _i1 = _grown(_i0e), _grown(_i1e)
i0 = in_double(_i0)
i1 = in_double(_i1)


def _k_function(regular: Callable[[Array], Array], tail: tuple[float, ...], scaled: bool) -> Callable[..., Array]:
    """K0 or K1: what is left of it without its logarithm up to 2, then a series of sqrt(x) exp(x) K(x) in 1/x."""

    def near(x: Array) -> Array:
        return regular(x) * np.exp(x) if scaled else regular(x)

    def far(x: Array) -> Array:
        value = chebyshev(tail, 4 / x - 1) / np.sqrt(x)
        return value if scaled else value * np.exp(-x)

    def function(x: Array) -> Array:
        value = pieces(x, ((x > 0) & (x <= 2), near), (x > 2, far))
        return np.where(x == 0, np.inf, value)

    return in_double(function)


def _k0_near(x: Array) -> Array:
    return chebyshev(tables.K0, x * x / 2 - 1) - np.log(x / 2) * _i0(x)


def _k1_near(x: Array) -> Array:
    return chebyshev(tables.K1, x * x / 2 - 1) / x + np.log(x / 2) * _i1(x)


k0 = _k_function(_k0_near, tables.K0E_TAIL, False)
k1 = _k_function(_k1_near, tables.K1E_TAIL, False)
k0e = _k_function(_k0_near, tables.K0E_TAIL, True)
k1e = _k_function(_k1_near, tables.K1E_TAIL, True)


# --- Bessel functions ------------------------------------------------------------------------------------------


def _square(x: Array) -> Array:
    return x * x / 32 - 1


def _waves(x: Array, p: tuple[float, ...], q: tuple[float, ...], order: int) -> tuple[Array, Array]:
    """J and Y beyond 8: amplitude and phase (A&S 9.2.5), the angle split so that its rounding does not count."""
    t = 128 / (x * x) - 1
    p_value, q_value = chebyshev(p, t), chebyshev(q, t) / x
    sine, cosine = np.sin(x), np.cos(x)
    c, s = (cosine + sine, sine - cosine) if order == 0 else (sine - cosine, -sine - cosine)  # of the angle, times sqrt(2)
    scale = 1 / np.sqrt(math.pi * x)
    return scale * (p_value * c - q_value * s), scale * (p_value * s + q_value * c)


def _j0(x: Array) -> Array:
    x = np.abs(x)
    return pieces(
        x,
        (x <= 8, lambda x: chebyshev(tables.J0, _square(x))),
        (x > 8, lambda x: _waves(x, tables.P0, tables.Q0, 0)[0]),
    )


def _j1(x: Array) -> Array:
    size = np.abs(x)
    value = pieces(
        size,
        (size <= 8, lambda x: x * chebyshev(tables.J1, _square(x))),
        (size > 8, lambda x: _waves(x, tables.P1, tables.Q1, 1)[0]),
    )
    return np.where(np.signbit(x), -value, value)


j0 = in_double(_j0)
j1 = in_double(_j1)


def _second_kind(near: Callable[[Array], Array], p: tuple[float, ...], q: tuple[float, ...], order: int) -> Callable[..., Array]:
    def function(x: Array) -> Array:
        value = pieces(x, ((x > 0) & (x <= 8), near), (x > 8, lambda x: _waves(x, p, q, order)[1]))
        return np.where(x == 0, -np.inf, value)

    return in_double(function)


y0 = _second_kind(lambda x: chebyshev(tables.Y0, _square(x)) + 2 / math.pi * np.log(x) * _j0(x), tables.P0, tables.Q0, 0)
y1 = _second_kind(lambda x: x * chebyshev(tables.Y1, _square(x)) + 2 / math.pi * (np.log(x) * _j1(x) - 1 / x), tables.P1, tables.Q1, 1)


@in_double
def spherical_j0(x: Array) -> Array:
    """`sin(x) / x`"""
    value = np.where(np.abs(x) < 1e-4, 1 - x * x / 6, np.sin(x) / x)
    return np.where(np.isinf(x), 0.0, value)


# --- the Airy function -----------------------------------------------------------------------------------------

_ZETA = 2 * 3**1.5 / 3
"""The variable 2/3 |x|^(3/2) of the asymptotic series (A&S 10.4.59) at |x| = 3, where they take over."""


def _airy_right(x: Array) -> Array:
    zeta = 2 / 3 * x * np.sqrt(x)
    return chebyshev(tables.AIRY_RIGHT, 2 * _ZETA / zeta - 1) * np.exp(-zeta) / (2 * math.sqrt(math.pi) * np.sqrt(np.sqrt(x)))


def _airy_left(x: Array) -> Array:
    x = -x
    zeta = 2 / 3 * x * np.sqrt(x)
    t = 2 * (_ZETA / zeta) ** 2 - 1
    p, q = chebyshev(tables.AIRY_LEFT_P, t), chebyshev(tables.AIRY_LEFT_Q, t) / zeta
    angle = zeta + math.pi / 4
    return (np.sin(angle) * p - np.cos(angle) * q) / (math.sqrt(math.pi) * np.sqrt(np.sqrt(x)))


@in_double
def airy_ai(x: Array) -> Array:
    """The Airy function Ai."""
    right = (x > 3) & (x < np.inf)
    return pieces(x, (np.abs(x) <= 3, lambda x: chebyshev(tables.AIRY, x / 3)), (right, _airy_right), (x < -3, _airy_left))


# --- orthogonal polynomials ------------------------------------------------------------------------------------


def _recurrence(first: Callable[[Array], Array], step: Callable[[int, Array, Array, Array], Array]) -> Callable[..., Array]:
    """Polynomials with p_0 = 1, p_1 = `first(x)` and p_(k+1) = `step(k, x, p_k, p_(k-1))`; 0 for a negative degree.

    The degree is an array too and is cut to an integer.
    """

    def kernel(x: Array, n: Array) -> Array:
        degree = np.trunc(np.where(np.isnan(n), -1, n))
        top = int(min(degree.max(), 1 << 20)) if degree.size else 0
        result = np.where(degree == 0, 1.0, 0.0)
        before, current = np.ones_like(x), first(x)
        for k in range(1, top + 1):
            result = np.where(degree == k, current, result)
            if k < top:
                before, current = current, step(k, x, current, before)
        return result

    return in_double(kernel)


def _twice(k: int, x: Array, p: Array, before: Array) -> Array:
    return 2 * x * p - before


def _twice_shifted(k: int, x: Array, p: Array, before: Array) -> Array:
    return 2 * (2 * x - 1) * p - before


chebyshev_t = _recurrence(lambda x: x, _twice)
chebyshev_u = _recurrence(lambda x: 2 * x, _twice)
chebyshev_v = _recurrence(lambda x: 2 * x - 1, _twice)
chebyshev_w = _recurrence(lambda x: 2 * x + 1, _twice)
shifted_chebyshev_t = _recurrence(lambda x: 2 * x - 1, _twice_shifted)
shifted_chebyshev_u = _recurrence(lambda x: 2 * (2 * x - 1), _twice_shifted)
shifted_chebyshev_v = _recurrence(lambda x: 2 * (2 * x - 1) - 1, _twice_shifted)
shifted_chebyshev_w = _recurrence(lambda x: 2 * (2 * x - 1) + 1, _twice_shifted)
hermite_h = _recurrence(lambda x: 2 * x, lambda k, x, p, before: 2 * x * p - 2 * k * before)
hermite_he = _recurrence(lambda x: x, lambda k, x, p, before: x * p - k * before)
laguerre_l = _recurrence(lambda x: 1 - x, lambda k, x, p, before: ((2 * k + 1 - x) * p - k * before) / (k + 1))
legendre_p = _recurrence(lambda x: x, lambda k, x, p, before: ((2 * k + 1) * x * p - k * before) / (k + 1))
