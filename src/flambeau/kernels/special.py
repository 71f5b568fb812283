"""Special functions in NumPy: computed in float64, except the error function of float32. Some are compiled where that is possible.

Chebyshev series carry most of them; tools/special_tables.py says where the coefficients come from. The formulas are
those of Abramowitz and Stegun, Handbook of Mathematical Functions (A&S), and of the NIST Digital Library (DLMF).
"""

import functools
import math
from typing import Any, Callable, Sequence

import numpy as np

from ..core.promotion import rounded
from . import elementwise
from . import special_tables as tables
from .compiler.numpy_lowering import FUNCTIONS
from .library import elementwise as library_elementwise
from .library import special as library
from .pointwise import LOW, NUMBERS, arithmetic, binary_function
from .pointwise import function as compiled
from .quiet import SILENT, restore, silence

Array = np.ndarray
F32 = np.dtype(np.float32)
F64 = np.dtype(np.float64)

SQRT_PI = math.sqrt(math.pi)
SQRT_HALF = math.sqrt(0.5)
LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)


def chebyshev(coefficients: Sequence[float], t: Array) -> Array:
    """The sum of `coefficients[k] * T_k(t)`, by Clenshaw's recurrence."""
    double = t + t
    b, before = np.full_like(t, coefficients[-1]), np.zeros_like(t)
    for c in coefficients[-2:0:-1]:
        np.subtract(c, before, out=before)
        before += double * b
        b, before = before, b
    return coefficients[0] + t * b - before


def polynomial(coefficients: Sequence[float], x: Array) -> Array:
    """The sum of `coefficients[k] * x**k`, by Horner's rule."""
    result = np.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        result *= x
        result += c
    return result


def pieces(x: Array, *cases: tuple[Array, Callable[..., Array]], others: Sequence[Array] = ()) -> Array:
    """A function defined by cases: pairs of a mask and a function of the elements there. NaN where no mask holds."""
    result = np.full_like(x, np.nan)
    for mask, function in cases:
        if mask.all():
            return function(x, *others)
        if mask.any():
            result[mask] = function(x[mask], *[y[mask] for y in others])
    return result


def in_double(function: Callable[..., Array]) -> Callable[..., Array]:
    """Decorator: a function of one-dimensional float64 arrays as a kernel for all shapes and floating-point dtypes.

    Arrays, and numbers among them, come first and are broadcast; other arguments follow by keyword. The result has the
    dtype of the first array.
    """

    def kernel(x: Array, *others: Any, out: Any = None, **options: Any) -> Array:
        token = silence(SILENT)
        try:
            if others:
                operands = [y for y in (x, *others) if hasattr(y, "shape")]
                shape = operands[0].shape
                if any(y.shape != shape for y in operands):
                    shape = np.broadcast_shapes(*[y.shape for y in operands])
                flat = []
                for y in (x, *others):
                    wide = np.asarray(y, F64)
                    flat.append((wide if wide.shape == shape else np.broadcast_to(wide, shape)).reshape(-1))
                result = np.empty(shape, operands[0].dtype) if out is None else out
                result[...] = function(*flat, **options).reshape(shape)
                return result
            result = np.empty_like(x) if out is None else out
            result[...] = function(x.reshape(-1).astype(F64, copy=False), **options).reshape(x.shape)
            return result
        finally:
            restore(token)

    return functools.wraps(function)(kernel)


# --- the error function ----------------------------------------------------------------------------------------

CHUNK = 32768
"""Elements that are worked on at a time: they stay in the second-level cache."""

# erf(x) = tanh(x + x R(x^2)); R fitted in the least maximum of the relative error of erf, 1e-8, for |x| < 4.4.
_ERF32 = tuple(
    np.array(c, np.float32)
    for c in (
        0.128379181, 0.102772146, -2.06572106e-4, -5.95465011e-4, 6.94613991e-5,
        1.26099269e-6, -1.27218061e-6, 1.53802645e-7, -8.30114555e-9, 1.74028181e-10,
    )
)  # fmt: skip


def erf_chunk(x: Array, out: Array, square: Array) -> None:
    """erf of float32 numbers, to 2 units in the last place; `square` is scratch, `out` may not be `x`."""
    np.multiply(x, x, out=square)
    np.multiply(square, _ERF32[9], out=out)
    for c in _ERF32[8:0:-1]:
        np.add(out, c, out=out)
        np.multiply(out, square, out=out)
    np.add(out, _ERF32[0], out=out)
    np.multiply(out, x, out=out)
    np.add(out, x, out=out)
    np.tanh(out, out=out)


def _erf_float32(x: Array, out: Any) -> Array:
    result = np.empty_like(x)
    if x.size <= CHUNK or not x.flags.c_contiguous:
        erf_chunk(x, result, np.empty_like(x))
    else:
        source, target = x.reshape(-1), result.reshape(-1)
        scratch = np.empty(CHUNK, F32)
        for i in range(0, source.size, CHUNK):
            part = source[i : i + CHUNK]
            erf_chunk(part, target[i : i + CHUNK], scratch[: part.size])
    if out is None:
        return result
    out[...] = result
    return out


def _any_erf(x: Array, out: Any = None) -> Array:
    """The error function."""
    if x.size <= 16 and x.__class__ is Array:  # the standard library's is quicker for a few numbers
        return _cast(np.array([math.erf(v) for v in x.reshape(-1).tolist()], F64).reshape(x.shape), x.dtype, out)
    token = silence(SILENT)
    try:
        if x.dtype is F32:
            return _erf_float32(x, out)
        if x.dtype != F64:
            wide = _erf_float32(x.astype(F32), None)
            return _cast(wide, x.dtype, out)
    finally:
        restore(token)
    return _erf_double(x, out=out)


erf = compiled(_any_erf, library.erf)


def _cast(x: Array, dtype: Any, out: Any) -> Array:
    if out is None:
        return x.astype(dtype)
    out[...] = x
    return out


def _erf_small(x: Array) -> Array:
    return x * chebyshev(tables.ERF, 2 * x * x - 1)


def _erf(x: Array) -> Array:
    size = np.abs(x)
    return pieces(x, (size < 1, _erf_small), (size >= 1, lambda x: np.sign(x) * (1 - _gauss(x) * _erfcx_positive(np.abs(x)))))


_erf_double = in_double(_erf)


def _gauss(x: Array) -> Array:
    """`exp(-x * x)`, the square taken in two parts so that its rounding does not count."""
    high = np.trunc(x * 16) / 16
    return np.where(np.isinf(x), 0.0, np.exp(-high * high) * np.exp(-(x - high) * (x + high)))


def _erfcx_positive(x: Array) -> Array:
    return chebyshev(tables.ERFCX, 1 - 7.5 / (x + 3.75)) / (1 + 2 * x)


def _erfc(x: Array) -> Array:
    def large(x: Array) -> Array:
        tail = _gauss(x) * _erfcx_positive(np.abs(x))
        return np.where(x > 0, tail, 2 - tail)

    size = np.abs(x)
    return pieces(x, (size < 1, lambda x: 1 - _erf_small(x)), (size >= 1, large))


erfc = compiled(in_double(_erfc), library.erfc)


def _erfcx(x: Array) -> Array:
    return pieces(x, (x >= 0, _erfcx_positive), (x < 0, lambda x: 2 / _gauss(x) - _erfcx_positive(-x)))


erfcx = compiled(in_double(_erfcx), library.erfcx)


@in_double
def _erfinv(y: Array) -> Array:
    """The inverse of erf: a first guess of S. Winitzki (2008), then Halley's iteration."""
    size = np.abs(y)
    rest = 1 - size
    log = np.log(rest * (1 + size))
    a = 2 / (math.pi * 0.147) + log / 2
    x = np.sqrt(np.sqrt(a * a - log / 0.147) - a)
    for _ in range(3):
        error = np.where(size < 0.5, _erf(x) - size, rest - _erfc(x))
        step = error * (SQRT_PI / 2) / _gauss(x)
        x = x - step / (1 + x * step)
    x = np.where(size == 1, np.inf, np.where(y == 0, 0.0, x))
    return np.where(size <= 1, np.copysign(x, y), np.nan)


# --- the normal distribution -----------------------------------------------------------------------------------


erfinv = compiled(_erfinv, library.erfinv)


@in_double
def _ndtr(x: Array) -> Array:
    """The probability that a standard normal variable is below x."""
    return 0.5 * _erfc(x * -SQRT_HALF)


def _log_ndtr(x: Array) -> Array:
    return pieces(
        x,
        (x < -1, lambda x: np.log(_erfcx(x * -SQRT_HALF) / 2) - x * x / 2),
        (x >= -1, lambda x: np.log1p(-_erfc(x * SQRT_HALF) / 2)),
    )


_whole_ndtr = compiled(_ndtr, library.ndtr)


def ndtr(x: Array, out: Any = None) -> Array:
    """The distribution function of the standard normal distribution; half precision in steps."""
    if x.dtype.char not in LOW:
        return _whole_ndtr(x, out)
    return elementwise.multiply(elementwise.add(erf(elementwise.multiply(x, SQRT_HALF)), 1.0), 0.5, out)


log_ndtr = compiled(in_double(_log_ndtr), library.log_ndtr)


@in_double
def ndtri(p: Array) -> Array:
    """The inverse of `ndtr`: A&S 26.2.23 as a first guess, then Newton's iteration on the logarithm."""
    q = np.minimum(p, 1 - p)
    log = np.log(q)
    t = np.sqrt(-2 * log)
    x = (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t
    for _ in range(3):
        value = _log_ndtr(x)
        x = x - (value - log) * np.exp(value + x * x / 2 + LOG_SQRT_2PI)
    centre = np.abs(p - 0.5) < 0.3
    if centre.any():
        x[centre] = -np.abs(erfinv(2 * p[centre] - 1)) * math.sqrt(2.0)
    x = np.where(p > 0.5, -x, x)
    return np.where((p > 0) & (p < 1), x, np.where(p == 0, -np.inf, np.where(p == 1, np.inf, np.nan)))


def entr(x: Array, out: Any = None) -> Array:
    """`-x log(x)`, 0 at 0 and minus infinity below; half precision rounds the logarithm, too."""
    if x.dtype.char not in LOW:
        return _entr_single(x, out) if x.dtype is F32 else _entr(x, out=out)
    result = elementwise.multiply(elementwise.negative(x), elementwise.log(x))
    others = np.where(x == 0, np.asarray(0, x.dtype), np.where(x < 0, np.asarray(-np.inf, x.dtype), x))
    return _cast(np.where(x > 0, result, others), x.dtype, out)


def _entr_in_numpy(x: Array, out: Any) -> Array:
    logs = np.log(x, dtype=F64).astype(F32)
    return _cast(np.where(x > 0, -x * logs, np.where(x == 0, F32.type(0), np.where(x == x, F32.type(-np.inf), x))), F32, out)


_entr_single = compiled(_entr_in_numpy, library_elementwise.entr)


@in_double
def _entr(x: Array) -> Array:
    """`-x log(x)`, 0 at 0 and minus infinity below."""
    return np.where(x > 0, -x * np.log(x), np.where(x == 0, 0.0, np.where(np.isnan(x), x, -np.inf)))


# --- the gamma function ----------------------------------------------------------------------------------------

_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)


def _stirling(x: Array) -> Array:
    """log Gamma(x) for x >= 10 without its leading terms (A&S 6.1.41)."""
    return polynomial(_STIRLING, 1 / (x * x)) / x


def _lgamma_large(x: Array) -> Array:
    return np.where(np.isinf(x), np.inf, (x - 0.5) * np.log(x) - x + LOG_SQRT_2PI + _stirling(x))


def _lgamma_middle(x: Array) -> Array:
    """For 0 < x < 13: taken to [1, 3] by the recurrence, where a series holds without its zeros at 1 and 2."""
    product = np.ones_like(x)
    while True:
        high = x >= 3
        if not high.any():
            break
        x = np.where(high, x - 1, x)
        product = np.where(high, product * x, product)
    low = x < 1
    factor = np.where(low, x, 1.0)
    z = np.where(low, x + 1, x) - 2
    return z * (1 + z) * chebyshev(tables.LGAMMA, z) + np.log(product) - np.log(factor)


def _lgamma_positive(x: Array) -> Array:
    return pieces(x, (x >= 13, _lgamma_large), (x < 13, _lgamma_middle))


def _lgamma(x: Array) -> Array:
    def negative(x: Array) -> Array:
        # Gamma(x) Gamma(-x) = -pi / (x sin(pi x)), the sine of the distance to the nearest integer
        sine = np.abs(np.sin(math.pi * (x - np.rint(x))))
        value = np.log(math.pi / (np.abs(x) * sine)) - _lgamma_positive(-x)
        return np.where(x == np.floor(x), np.inf, value)

    return pieces(x, (x > 0, _lgamma_positive), (x <= 0, negative))


lgamma = compiled(in_double(_lgamma), library.lgamma)

_DIGAMMA = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)


def _digamma(x: Array) -> Array:
    """By recurrence to 10 or more, then A&S 6.3.18; below 0 by reflection."""

    def positive(x: Array) -> Array:
        total = np.zeros_like(x)
        while True:
            low = x < 10
            if not low.any():
                break
            total = np.where(low, total - 1 / x, total)
            x = np.where(low, x + 1, x)
        square = 1 / (x * x)
        return total + np.log(x) - 0.5 / x - square * polynomial(_DIGAMMA, square)

    def negative(x: Array) -> Array:
        value = positive(1 - x) - math.pi / np.tan(math.pi * (x - np.rint(x)))
        return np.where(x == np.floor(x), np.nan, value)

    return pieces(x, (x > 0, positive), (x < 0, negative), (x == 0, lambda x: np.copysign(np.inf, -x)))


digamma = compiled(in_double(_digamma), library.digamma)

FUNCTIONS.update(
    erf=_any_erf, erfc=in_double(_erfc), erfcx=in_double(_erfcx), erfinv=_erfinv, ndtr=_ndtr, log_ndtr=in_double(_log_ndtr),
    lgamma=in_double(_lgamma), digamma=in_double(_digamma),
)  # fmt: skip

# (2k)! / B(2k), the denominators of the Euler-Maclaurin sum
_EULER_MACLAURIN = (
    12.0, -720.0, 30240.0, -1209600.0, 47900160.0, -1307674368000 / 691, 74724249600.0, -10670622842880000 / 3617,
    5109094217170944000 / 43867, -802857662698291200000 / 174611, 14101100039391805440000 / 77683,
    -1693824136731743669452800000 / 236364091,
)  # fmt: skip


def _zeta(x: Array, q: Array) -> Array:
    """Hurwitz's zeta function, the sum of (q + k)**-x, by Euler's and Maclaurin's formula."""
    shape = np.broadcast_shapes(x.shape, q.shape)
    x, q = np.broadcast_to(x, shape), np.broadcast_to(q, shape)
    total = np.power(q, -x)
    w = q
    count = 0
    while True:  # nine terms, and on until w > 9
        more = (w <= 9) | (count < 9)
        if not more.any():
            break
        w = np.where(more, w + 1, w)
        total = np.where(more, total + np.power(w, -x), total)
        count += 1
        if count > 10000:
            break
    power = np.power(w, -x)
    total = total + power * w / (x - 1) - 0.5 * power
    factor = np.ones_like(power)
    k = 0
    for denominator in _EULER_MACLAURIN:
        factor = factor * (x + k)
        power = power / w
        total = total + factor * power / denominator
        factor = factor * (x + k + 1)
        power = power / w
        k += 2
    total = np.where(q <= 0, np.where(q == np.floor(q), np.inf, np.where(x != np.floor(x), np.nan, total)), total)
    return np.where(x == 1, np.inf, np.where(x < 1, np.nan, total))


zeta = in_double(_zeta)


def polygamma(x: Array, n: int, out: Any = None) -> Array:
    """The n-th derivative of digamma; the first one of float32 and half precision is compiled."""
    return _trigamma(x, out) if n == 1 and x.dtype != F64 else _polygamma(x, n=n, out=out)


@in_double
def _polygamma(x: Array, n: int) -> Array:
    if n == 0:
        return _digamma(x)
    if n == 1:

        def reflected(x: Array) -> Array:
            sine = np.sin(math.pi * (x - np.rint(x)))
            return (math.pi / sine) ** 2 - _zeta(np.full_like(x, 2.0), 1 - x)

        value = pieces(x, (x > 0, lambda x: _zeta(np.full_like(x, 2.0), x)), (x <= 0, reflected))
        return np.where(x == np.inf, 0.0, value)
    sign = 1.0 if n % 2 else -1.0
    return sign * math.factorial(n) * _zeta(np.full_like(x, n + 1.0), x) if n < 171 else np.full_like(x, sign * np.inf)


_trigamma = compiled(lambda x, out: _polygamma(x, n=1, out=out), library.trigamma)

# --- incomplete gamma functions --------------------------------------------------------------------------------


def _gamma_weight(a: Array, x: Array) -> Array:
    """`x**a exp(-x) / Gamma(a + 1)`, without cancellation for large a."""

    def large(a: Array, x: Array) -> Array:
        mu = (x - a) / a
        return np.exp(a * (np.log1p(mu) - mu) - _stirling(a)) / np.sqrt(2 * math.pi * a)

    return pieces(a, (a >= 13, large), (a < 13, lambda a, x: np.exp(a * np.log(x) - x - _lgamma_positive(a + 1))), others=(x,))


def _igamma_series(a: Array, x: Array) -> Array:
    """The lower function by its power series (A&S 6.5.29)."""
    term = np.ones_like(a)
    total = term.copy()
    for k in range(1, 3000):
        term = term * x / (a + k)
        total += term
        if not (term > total * 1e-17).any():
            break
    return total * _gamma_weight(a, x)


def _igammac_fraction(a: Array, x: Array) -> Array:
    """The upper function by its continued fraction (A&S 6.5.31), evaluated by Lentz's method."""
    b = x + 1 - a
    c = np.full_like(b, 1e300)
    d = 1 / b
    value = d.copy()
    for k in range(1, 3000):
        n = -k * (k - a)
        b = b + 2
        d = 1 / (n * d + b)
        c = b + n / c
        ratio = c * d
        value *= ratio
        if not (np.abs(ratio - 1) > 4e-16).any():
            break
    return value * a * _gamma_weight(a, x)


def _temme(a: Array, x: Array) -> tuple[Array, Array]:
    """Both functions by Temme's uniform expansion (DLMF 8.12), for large a near x."""
    mu = (x - a) / a
    eta = np.sign(mu) * np.sqrt(np.maximum(2 * (mu - np.log1p(mu)), 0))
    small = np.abs(mu) < 0.01  # where the difference above cancels
    if small.any():
        m = mu[small]
        eta[small] = m * np.sqrt(2 * polynomial([(-1) ** k / (k + 2) for k in range(9)], m))
    total = np.zeros_like(a)
    for row in tables.TEMME[::-1]:
        total = total / a + polynomial(row, eta)
    rest = total * np.exp(-a * eta * eta / 2) / np.sqrt(2 * math.pi * a)
    half = eta * np.sqrt(a / 2)
    return 0.5 * _erfc(-half) - rest, 0.5 * _erfc(half) + rest


def _incomplete_gamma(a: Array, x: Array, upper: bool) -> Array:
    uniform = (a > 200) & (np.abs(x - a) < 0.3 * a) & np.isfinite(x)
    fraction = ~uniform & (x > 1.1) & (x > a)
    series = ~uniform & ~fraction
    valid = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
    result = pieces(
        a,
        (valid & uniform, lambda a, x: _temme(a, x)[int(upper)]),
        (valid & fraction, lambda a, x: _igammac_fraction(a, x) if upper else 1 - _igammac_fraction(a, x)),
        (valid & series, lambda a, x: 1 - _igamma_series(a, x) if upper else _igamma_series(a, x)),
        others=(x,),
    )
    zero, one = (1.0, 0.0) if upper else (0.0, 1.0)  # at x = 0 and at x = inf
    result = np.where((a > 0) & (x == 0), zero, result)
    result = np.where((a == 0) & (x > 0), one, result)
    result = np.where(np.isinf(x) & (x > 0) & (a >= 0) & ~np.isinf(a), one, result)
    return np.where(np.isinf(a) & (a > 0) & (x >= 0) & ~np.isinf(x), zero, result)


@in_double
def igamma(a: Array, x: Array) -> Array:
    """The regularised lower incomplete gamma function."""
    return _incomplete_gamma(a, x, False)


@in_double
def igammac(a: Array, x: Array) -> Array:
    """The regularised upper incomplete gamma function."""
    return _incomplete_gamma(a, x, True)


@in_double
def _xlogy(x: Array, y: Array) -> Array:
    """`x log(y)`, 0 where x is 0 unless y is NaN."""
    return np.where((x == 0) & ~np.isnan(y), 0.0, x * np.log(y))


@in_double
def _xlog1py(x: Array, y: Array) -> Array:
    """`x log(1 + y)`, 0 where x is 0 unless y is NaN."""
    return np.where((x == 0) & ~np.isnan(y), 0.0, x * np.log1p(y))


def _xlogy_in_numpy(x: Any, y: Any, out: Any) -> Array:
    logs = np.log(np.asarray(y, F64)).astype(F32)
    return _cast(np.where((x == 0) & (y == y), F32.type(0), np.multiply(x, logs, dtype=F32)), F32, out)


_xlogy_single = binary_function(_xlogy_in_numpy, library_elementwise.xlogy_single)


def _xlogy_whole(x: Any, y: Any, out: Any = None) -> Array:
    """`x log(y)`, 0 where x is 0 unless y is NaN; the logarithm of float32 is rounded first, as in PyTorch."""
    return _xlogy_single(x, y, out) if (y if x.__class__ in NUMBERS else x).dtype is F32 else _xlogy(x, y, out=out)


def _in_steps(whole: Callable[..., Array], steps: Callable[..., Array]) -> Callable[..., Array]:
    """Of two operands; half precision takes it in steps, each of which is rounded, as in PyTorch."""

    def kernel(x: Any, y: Any, out: Any = None) -> Array:
        if (y if x.__class__ in NUMBERS else x).dtype.char in LOW:
            return steps(x, y, out)
        return whole(x, y, out=out)

    kernel.__name__, kernel.__doc__ = whole.__name__, whole.__doc__
    return kernel


def _stepwise(log: Callable[..., Array]) -> Callable[..., Array]:
    def compute(x: Any, y: Any, out: Any) -> Array:
        logs = log(y) if hasattr(y, "dtype") else rounded(float(log(np.array(y, F32))), x.dtype)
        result = np.where((x == 0) & (y == y), elementwise.multiply(x, 0.0) if hasattr(x, "dtype") else 0.0, elementwise.multiply(x, logs))
        return _cast(result, (y if x.__class__ in NUMBERS else x).dtype, out)

    return compute


xlogy = _in_steps(_xlogy_whole, arithmetic(_stepwise(elementwise.log), library_elementwise.xlogy))
xlog1py = _in_steps(_xlog1py, arithmetic(_stepwise(elementwise.log1p), library_elementwise.xlog1py))


@in_double
def mvlgamma(x: Array, p: int) -> Array:
    """The logarithm of the multivariate gamma function of dimension p."""
    total = np.full_like(x, p * (p - 1) / 4 * math.log(math.pi))
    for j in range(p):
        total += _lgamma(x - 0.5 * j)
    return total
