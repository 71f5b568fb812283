"""Element-wise kernels of one and two operands, in their NumPy lowering.

Each takes arrays (or Python numbers) of one dtype and, last, where to write; each is silent about floating-point errors.
"""

import functools
from typing import Any, Callable

import numpy as np

from ..core.promotion import result_dtype, wrap_integer
from .quiet import SILENT, quiet, quiet_binary, quiet_unary, restore, silence

add = quiet_binary(np.add)
subtract = quiet_binary(np.subtract)
multiply = quiet_binary(np.multiply)
divide = quiet_binary(np.true_divide)
maximum = quiet_binary(np.maximum)
minimum = quiet_binary(np.minimum)
fmax = quiet_binary(np.fmax)
fmin = quiet_binary(np.fmin)
arctan2 = quiet_binary(np.arctan2)
hypot = quiet_binary(np.hypot)
copysign = quiet_binary(np.copysign)
nextafter = quiet_binary(np.nextafter)
ldexp = quiet_binary(np.ldexp)
logaddexp = quiet_binary(np.logaddexp)
logaddexp2 = quiet_binary(np.logaddexp2)
heaviside = quiet_binary(np.heaviside)

equal = quiet_binary(np.equal)
not_equal = quiet_binary(np.not_equal)
less = quiet_binary(np.less)
less_equal = quiet_binary(np.less_equal)
greater = quiet_binary(np.greater)
greater_equal = quiet_binary(np.greater_equal)
logical_and = quiet_binary(np.logical_and)
logical_or = quiet_binary(np.logical_or)
logical_xor = quiet_binary(np.logical_xor)
bitwise_and = quiet_binary(np.bitwise_and)
bitwise_or = quiet_binary(np.bitwise_or)
bitwise_xor = quiet_binary(np.bitwise_xor)
left_shift = quiet_binary(np.left_shift)
right_shift = quiet_binary(np.right_shift)
gcd = quiet_binary(np.gcd)
lcm = quiet_binary(np.lcm)

negative = quiet_unary(np.negative)
absolute = quiet_unary(np.absolute)
sign = quiet_unary(np.sign)
exp = quiet_unary(np.exp)
exp2 = quiet_unary(np.exp2)
expm1 = quiet_unary(np.expm1)
log = quiet_unary(np.log)
log2 = quiet_unary(np.log2)
log10 = quiet_unary(np.log10)
log1p = quiet_unary(np.log1p)
sqrt = quiet_unary(np.sqrt)
square = quiet_unary(np.square)
reciprocal = quiet_unary(np.reciprocal)
sin = quiet_unary(np.sin)
cos = quiet_unary(np.cos)
tan = quiet_unary(np.tan)
arcsin = quiet_unary(np.arcsin)
arccos = quiet_unary(np.arccos)
arctan = quiet_unary(np.arctan)
sinh = quiet_unary(np.sinh)
cosh = quiet_unary(np.cosh)
tanh = quiet_unary(np.tanh)
arcsinh = quiet_unary(np.arcsinh)
arccosh = quiet_unary(np.arccosh)
arctanh = quiet_unary(np.arctanh)
floor = quiet_unary(np.floor)
ceil = quiet_unary(np.ceil)
trunc = quiet_unary(np.trunc)
rint = quiet_unary(np.rint)
isnan = quiet_unary(np.isnan)
isinf = quiet_unary(np.isinf)
isfinite = quiet_unary(np.isfinite)
signbit = quiet_unary(np.signbit)
logical_not = quiet_unary(np.logical_not)
invert = quiet_unary(np.invert)
conjugate = quiet_unary(np.conjugate)


LOW = frozenset("eE")
"""Type codes of float16 and bfloat16, which are computed in float32 and rounded once."""

F32 = np.dtype(np.float32)


def rounded_once(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: of the arrays (and numbers) given by position, float16 and bfloat16 are widened, and the result is rounded."""

    def rounding(*operands: Any, out: Any = None) -> Any:
        dtype = operands[0].dtype
        if dtype.char not in LOW:
            return kernel(*operands, out=out)
        wide = [x.astype(F32) if hasattr(x, "dtype") and x.dtype.char in LOW else x for x in operands]
        result = np.asarray(kernel(*wide))
        if out is None:
            return result.astype(dtype)
        np.copyto(out, result, casting="unsafe")
        return out

    return functools.wraps(kernel)(rounding)


def conj(x: Any) -> Any:
    """The complex conjugate of an array or a number; real ones as they are."""
    if x.__class__ is np.ndarray:
        return x.conj() if x.dtype.kind == "c" else x
    return x.conjugate()


def zeros_like(x: Any, out: Any = None) -> Any:
    """Zeros; `out` is filled if given."""
    if out is None:
        return np.zeros_like(x)
    out.fill(0)
    return out


def full_like(x: Any, value: Any) -> Any:
    """One value in an array like `x`."""
    token = silence(SILENT)
    try:
        if value.__class__ is int and x.dtype.kind in "iu":
            value = wrap_integer(value, x.dtype)
        return np.full_like(x, value)
    finally:
        restore(token)


def result_numpy(*operands: Any) -> Any:
    """The NumPy dtype of the operands' common result."""
    return result_dtype(*operands).numpy


@quiet
def add_scaled(x: Any, y: Any, alpha: Any, out: Any = None) -> Any:
    """`x + alpha * y`"""
    dtype = (x if hasattr(x, "dtype") else y).dtype
    if dtype.char in LOW:
        x, y = (z.astype(F32) if hasattr(z, "dtype") else z for z in (x, y))
        result = np.asarray(x + y * alpha).astype(dtype)
        if out is None:
            return result
        out[...] = result
        return out
    if dtype.kind in "biu":
        scaled = np.multiply(y, np.asarray(alpha).astype(dtype)) if hasattr(y, "dtype") else y * alpha
        if not hasattr(scaled, "dtype"):
            scaled = np.asarray(wrap_integer(int(scaled), dtype) if dtype.kind != "b" else bool(scaled), dtype)
        return np.add(x, scaled, out=out)
    return np.add(x, y * alpha, out=out)


def _checked_divisor(x: Any, y: Any) -> bool:
    """Whether the division is one of integers. Raises RuntimeError if the divisor has a 0."""
    dtype = x.dtype if hasattr(x, "dtype") else y.dtype
    if dtype.kind not in "biu":
        return False
    if not (y.all() if hasattr(y, "dtype") else y):
        raise RuntimeError("ZeroDivisionError")
    return True


@quiet
def floor_divide(x: Any, y: Any, out: Any = None) -> Any:
    """Division rounded down. Raises RuntimeError (ZeroDivisionError) for integers and divisor 0."""
    if _checked_divisor(x, y):
        return np.floor_divide(x, y, out=out)
    return _floor_divide(x, y, out=out)


def _floor_divide(x: Any, y: Any, out: Any = None) -> Any:
    result = np.floor_divide(x, y, out=out)
    zero = y == 0
    if np.any(zero):  # NumPy's rule for a zero divisor is PyTorch's: the plain quotient
        result = np.where(zero, np.true_divide(x, y), result).astype(result.dtype)
        if out is not None:
            out[...] = result
            return out
    return result


@quiet
def trunc_divide(x: Any, y: Any, out: Any = None) -> Any:
    """Division rounded towards zero. Raises RuntimeError (ZeroDivisionError) for integers and divisor 0."""
    if _checked_divisor(x, y):
        quotient = np.floor_divide(x, y)
        inexact = np.multiply(quotient, y) != x
        result = quotient + (inexact & (quotient < 0))
        result = np.asarray(result).astype((x if hasattr(x, "dtype") else y).dtype)
        if out is None:
            return result
        out[...] = result
        return out
    return np.trunc(np.true_divide(x, y), out=out)


@quiet
def remainder(x: Any, y: Any, out: Any = None) -> Any:
    """The remainder with the divisor's sign. Raises RuntimeError (ZeroDivisionError) for integers and divisor 0."""
    _checked_divisor(x, y)
    return np.remainder(x, y, out=out)


@quiet
def fmod(x: Any, y: Any, out: Any = None) -> Any:
    """The remainder with the dividend's sign. Raises RuntimeError (ZeroDivisionError) for integers and divisor 0."""
    _checked_divisor(x, y)
    return np.fmod(x, y, out=out)


@quiet
def power(x: Any, y: Any, out: Any = None) -> Any:
    """`x ** y`. Raises RuntimeError for an integer array with a negative number as exponent."""
    if y.__class__ is not np.ndarray:
        kind = x.dtype.kind
        if kind in "biu":
            if y < 0:
                raise RuntimeError("Integers to negative integer powers are not allowed.")
            return np.power(x, np.asarray(y, x.dtype) if kind != "b" else bool(y), out=out)
        if x.dtype.char not in LOW:
            if y == 2:
                return np.multiply(x, x, out=out)
            if y == 1:
                return np.positive(x, out=out)
            if kind == "f":
                if y == 3:
                    return np.multiply(x * x, x, out=out)
                if y == 0.5:
                    return np.sqrt(x, out=out)
                if y == -1:
                    return np.reciprocal(x, out=out)
                if y == -0.5:
                    return np.reciprocal(np.sqrt(x), out=out)
                if y == -2:
                    return np.reciprocal(x * x, out=out)
        return np.power(x, y, out=out)
    if y.dtype.kind in "iu" and (y < 0).any():  # integers: what is not 1 or -1 vanishes
        base, exponent = np.broadcast_arrays(x, y)
        result = np.power(base, np.where(exponent < 0, 0, exponent).astype(y.dtype))
        unit = np.where(base == 1, 1, np.where(base == -1, np.where(exponent % 2 == 0, 1, -1), 0))
        result = np.where(exponent < 0, unit, result).astype(y.dtype)
        return _put(result, out)
    if x.__class__ is not np.ndarray and y.dtype.kind in "iu":
        x = np.asarray(x, y.dtype)
    return np.power(x, y, out=out)


def _put(result: Any, out: Any) -> Any:
    if out is None:
        return result
    np.copyto(out, result, casting="unsafe")
    return out


def sgn(x: Any, out: Any = None) -> Any:
    """The sign, `x / |x|` for complex numbers."""
    return sign(x, out)


@quiet
@rounded_once
def rsqrt(x: Any, out: Any = None) -> Any:
    """1 / sqrt(x)."""
    return np.reciprocal(np.sqrt(x), out=out)


@quiet
@rounded_once
def sigmoid(x: Any, out: Any = None) -> Any:
    """1 / (1 + exp(-x))."""
    result = np.negative(x, out=out)
    if result.__class__ is not np.ndarray:
        return np.reciprocal(1 + np.exp(result))
    np.exp(result, out=result)
    result += 1
    return np.reciprocal(result, out=result)


@rounded_once
def sigmoid_backward(grad: Any, y: Any, out: Any = None) -> Any:
    """`grad * y * (1 - y)`, `y` being the sigmoid."""
    if y.dtype.kind == "c":
        y = y.conj()
    t = np.subtract(1, y)
    t = t * y
    return np.multiply(grad, t, out=out)


@rounded_once
def tanh_backward(grad: Any, y: Any, out: Any = None) -> Any:
    """`grad * (1 - y * y)`, `y` being the hyperbolic tangent."""
    if y.dtype.kind == "c":
        y = y.conj()
    t = np.multiply(y, y)
    t = np.subtract(1, t)
    return np.multiply(grad, t, out=out)


@quiet
def clamp(x: Any, low: Any, high: Any, out: Any = None) -> Any:
    """The values held between bounds, either of which may be None; NaN stays NaN."""
    if low is not None:
        x = np.maximum(x, low, out=out)
    return x if high is None else np.minimum(x, high, out=out)


@quiet
def where(condition: Any, x: Any, y: Any) -> Any:
    """`x` where the condition holds, else `y`, in their common dtype."""
    if x.__class__ is np.ndarray:
        if y.__class__ is np.ndarray:
            if x.dtype is y.dtype:
                return np.where(condition, x, y)
        elif y.__class__ is float and x.dtype.kind in "fc" or y == 0 and y.__class__ is int:
            return np.where(condition, x, np.asarray(y, x.dtype))
    elif y.__class__ is np.ndarray and x.__class__ is float and y.dtype.kind in "fc":
        return np.where(condition, np.asarray(x, y.dtype), y)
    dtype = result_dtype(x, y).numpy
    return np.where(condition, np.asarray(x).astype(dtype), np.asarray(y).astype(dtype))


@quiet
def cast(x: Any, dtype: Any) -> Any:
    """A copy in another dtype."""
    return x.astype(dtype)
