"""Element-wise kernels of one and two operands, in their NumPy lowering.

Each takes arrays (or Python numbers) of one dtype and, last, where to write; each is silent about floating-point errors.
"""

import functools
import math
from typing import Any, Callable

import ml_dtypes
import numpy as np

from ..core.dtype import DEFAULT, OF_NUMPY, SCALAR_NAMES
from ..core.layout import place
from ..core.promotion import as_element, result_dtype, rounded, wrap_integer
from . import memory
from .compiler import Kernel, in_numpy, mapped, usable
from .library import elementwise as library
from .pointwise import FEW, LARGE, LOW, arithmetic, binary_function, function, fused, into, large, predicate
from .quiet import SILENT, quiet, quiet_binary, quiet_unary, restore, silence

try:  # the ufunc alone, without what np.clip does around it
    from numpy._core.umath import clip as _clip  # type: ignore[attr-defined]  # not in NumPy's stubs
except ImportError:
    _clip = np.clip

_I64 = np.dtype(np.int64)

add = arithmetic(np.add, library.add)
subtract = arithmetic(np.subtract, library.subtract)
multiply = arithmetic(np.multiply, library.multiply)
divide = arithmetic(np.true_divide, library.divide)
maximum = arithmetic(np.maximum, library.maximum)
minimum = arithmetic(np.minimum, library.minimum)
fmax = arithmetic(np.fmax, library.fmax)
fmin = arithmetic(np.fmin, library.fmin)
arctan2 = binary_function(np.arctan2, library.arctan2)
_power = binary_function(np.power, library.power)
hypot = binary_function(np.hypot, library.hypot)
copysign = arithmetic(np.copysign, library.copysign)
nextafter = arithmetic(np.nextafter, library.nextafter)
logaddexp = binary_function(np.logaddexp, library.logaddexp)
logaddexp2 = binary_function(np.logaddexp2, library.logaddexp2)

equal = arithmetic(np.equal, library.equal, True)
not_equal = arithmetic(np.not_equal, library.not_equal, True)
less = arithmetic(np.less, library.less, True)
less_equal = arithmetic(np.less_equal, library.less_equal, True)
greater = arithmetic(np.greater, library.greater, True)
greater_equal = arithmetic(np.greater_equal, library.greater_equal, True)
logical_and = arithmetic(np.logical_and, library.logical_and, True)
logical_or = arithmetic(np.logical_or, library.logical_or, True)
logical_xor = arithmetic(np.logical_xor, library.logical_xor, True)
bitwise_and = quiet_binary(np.bitwise_and)
bitwise_or = quiet_binary(np.bitwise_or)
bitwise_xor = quiet_binary(np.bitwise_xor)
left_shift = quiet_binary(np.left_shift)
right_shift = quiet_binary(np.right_shift)
gcd = quiet_binary(np.gcd)
lcm = quiet_binary(np.lcm)


def add_gradients(x: Any, y: Any, out: Any = None) -> Any:
    """`x + y` of arrays of one dtype, for a walk that has switched floating-point warnings off."""
    return np.add(x, y, out) if x.size <= FEW else add(x, y, out)


def _negative(x: Any, out: Any = None) -> Any:
    """-x. NumPy 2.4 computes nonsense where both arrays have gaps in their last dimension: there, another way round."""
    if out is not None and not out.flags.c_contiguous and out.dtype.kind in "ifc":
        return np.multiply(x, -1, out=out)
    return np.negative(x, out=out)


negative = function(_negative, library.negative, LARGE)
absolute = function(np.absolute, library.absolute, LARGE)
_sign = quiet_unary(np.sign)
exp = function(np.exp, library.exp)
expm1 = function(np.expm1, library.expm1)
log = function(np.log, library.log)
log2 = function(np.log2, library.log2)
log10 = function(np.log10, library.log10)
log1p = function(np.log1p, library.log1p)
sqrt = function(np.sqrt, library.sqrt)
exact_sqrt = function(np.sqrt, library.exact_sqrt, LARGE)
square = function(np.square, library.square, LARGE)
_cube = function(lambda x, out: np.multiply(x * x, x, out=out), library.cube, LARGE)
positive = quiet_unary(np.positive)
_exp2 = function(np.exp2, library.exp2)
reciprocal = function(np.reciprocal, library.reciprocal, LARGE)
sin = function(np.sin, library.sin)
cos = function(np.cos, library.cos)
tan = function(np.tan, library.tan)
arcsin = function(np.arcsin, library.arcsin)
arccos = function(np.arccos, library.arccos)
arctan = function(np.arctan, library.arctan)
sinh = function(np.sinh, library.sinh)
cosh = function(np.cosh, library.cosh)
tanh = function(np.tanh, library.tanh)
arcsinh = function(np.arcsinh, library.arcsinh)
arccosh = function(np.arccosh, library.arccosh)
arctanh = function(np.arctanh, library.arctanh)
floor = function(np.floor, library.floor, LARGE)
ceil = function(np.ceil, library.ceil, LARGE)
trunc = function(np.trunc, library.trunc, LARGE)
rint = function(np.rint, library.rint, LARGE)
isnan = predicate(np.isnan, library.isnan)
isinf = predicate(np.isinf, library.isinf)
isfinite = predicate(np.isfinite, library.isfinite)
signbit = predicate(np.signbit, library.signbit)
_logical_not = quiet_unary(np.logical_not)
invert = quiet_unary(np.invert)
conjugate = quiet_unary(np.conjugate)


F32 = np.dtype(np.float32)


CHUNK = 32768
"""Elements that a kernel of several passes works on at a time: they stay in the second-level cache."""


def rounded_once(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: float16 and bfloat16 operands are widened and the result is rounded; no floating-point warnings.

    The first argument is an array; arrays and numbers come by position. Large arrays are walked in chunks.
    """

    def rounding(x: Any, *others: Any, out: Any = None) -> Any:
        token = silence(SILENT)
        try:
            if x.size > CHUNK:
                flat = _flat_operands(x, others, out)
                if flat is not None:
                    return _in_chunks(kernel, x, flat, out)
            if x.dtype.char not in LOW:
                return kernel(x, *others, out=out)
            return put(np.asarray(kernel(*_widened((x, *others)))), out, x.dtype)
        finally:
            restore(token)

    return functools.wraps(kernel)(rounding)


def _widened(operands: Any) -> list[Any]:
    return [y.astype(F32) if hasattr(y, "dtype") and y.dtype.char in LOW else y for y in operands]


def _flat_operands(x: Any, others: Any, out: Any) -> list[Any] | None:
    """The operands in one dimension, if they lie in memory one like the other; numbers as they are."""
    flat = []
    for y in (x, *others) if out is None else (x, *others, out):
        if hasattr(y, "dtype"):
            if y.__class__ is not np.ndarray or y.shape != x.shape or not y.flags.c_contiguous:
                return None
            y = y.reshape(-1)
        flat.append(y)
    return flat


def _in_chunks(kernel: Callable[..., Any], x: Any, flat: list[Any], out: Any) -> Any:
    result = np.empty_like(x) if out is None else out
    target = result.reshape(-1)
    operands = flat if out is None else flat[:-1]
    low = x.dtype.char in LOW
    for i in range(0, x.size, CHUNK):
        part = [y[i : i + CHUNK] if hasattr(y, "dtype") else y for y in operands]
        if low:
            target[i : i + CHUNK] = kernel(*_widened(part))
        else:
            kernel(*part, out=target[i : i + CHUNK])
    return result


def beside_scalar(compute: Callable[[Any, Any], Any], a: Any, b: Any, dtype: Any, rounds: bool) -> Any:
    """`compute(a, b)` where one operand is a 0-dim array, which counts as a number beside the other, of half precision.

    As in PyTorch it keeps its digits behind the other one, unless `rounds`, and is rounded before it.
    """
    array, scalar = (a, b) if a.ndim else (b, a)
    number = float(scalar.item()) if scalar.__class__ is np.ndarray else 1.0
    if array.dtype is not dtype:
        array = cast(array, dtype)
    if scalar is a:
        return compute(np.full_like(array, rounded(number, dtype), shape=()), array)
    return compute(array, rounded(number, dtype) if rounds else number)


def conj(x: Any) -> Any:
    """The complex conjugate of an array or a number; real ones as they are."""
    if x.__class__ is np.ndarray:
        return x.conj() if x.dtype.kind == "c" else x
    return x.conjugate()


def write(out: Any, result: Any) -> Any:
    """Writes a result where it is wanted, if its dtype may become that one. Raises RuntimeError where it may not."""
    if not np.can_cast(result.dtype, out.dtype, "same_kind"):
        names = [SCALAR_NAMES[OF_NUMPY[x.dtype]] for x in (result, out)]
        raise RuntimeError(f"result type {names[0]} can't be cast to the desired output type {names[1]}")
    out[...] = result
    return out


def zeros_like(x: Any, out: Any = None) -> Any:
    """Zeros; `out` is filled if given."""
    if x.dtype.kind == "V" and x.__class__ is np.ndarray:  # bfloat16 is written element by element, integers are not
        if out is None:
            return np.zeros_like(x, np.int16).view(x.dtype)
        out.view(np.int16).fill(0)
        return out
    if out is None:
        return np.zeros(x.shape, x.dtype) if x.__class__ is np.ndarray and x.flags.c_contiguous else np.zeros_like(x)
    memory.fill(out, 0)
    return out


def fill(x: Any, value: Any) -> None:
    """Writes one number everywhere."""
    token = silence(SILENT)
    try:
        number = as_element(value, x.dtype)
        if x.dtype.kind == "V" and x.__class__ is np.ndarray:  # see `zeros_like`
            memory.fill(x.view(np.int16), np.asarray(number, x.dtype).view(np.int16)[()])
        else:
            memory.fill(x, number)
    finally:
        restore(token)


def full_like(x: Any, value: Any) -> Any:
    """One value in an array like `x`."""
    token = silence(SILENT)
    try:
        return np.full_like(x, as_element(value, x.dtype) if value.__class__ is not np.ndarray else cast(value, x.dtype))
    finally:
        restore(token)


def full(shape: Any, value: Any, dtype: Any) -> Any:
    """One value in a new array."""
    token = silence(SILENT)
    try:
        result = np.empty(shape, dtype)
        memory.fill(result, as_element(value, dtype))
        return result
    finally:
        restore(token)


def all_of(x: Any) -> Any:
    """Whether every element is true."""
    return x.all()


FIRST = 256
"""So many elements are compared before all of a large array."""


def same(x: Any, y: Any) -> bool:
    """Whether all elements of two arrays of one shape are equal. Most that differ do so early."""
    if x.size > 32 * FIRST and x.__class__ is y.__class__ is np.ndarray and x.flags.c_contiguous and y.flags.c_contiguous:
        if not equal(x.reshape(-1)[:FIRST], y.reshape(-1)[:FIRST]).all():
            return False
    return bool(all_of(equal(x, y)))


@quiet
def isclose(x: Any, y: Any, rtol: float, atol: float, equal_nan: bool) -> Any:
    """Where `|x - y| <= atol + rtol * |y|`, or both are equal."""
    if x.dtype.char in LOW:
        x, y = cast(x, F32), cast(y, F32)
    close = np.asarray(x == y)
    kind = x.dtype.kind
    if equal_nan and kind in "fcV":
        close = close | (np.isnan(x) & np.isnan(y))
    if rtol == 0 and atol == 0:
        return close
    if kind in "biu":
        x, y = x.astype(np.float64), y.astype(np.float64)
    difference = np.abs(x - y)
    return close | (np.isfinite(difference) & (difference <= atol + np.abs(rtol * y)))


def result_numpy(*operands: Any) -> Any:
    """The NumPy dtype of the operands' common result."""
    return result_dtype(*operands).numpy


def add_scaled(x: Any, y: Any, alpha: Any, out: Any = None) -> Any:
    """`x + alpha * y`; half precision rounds alpha first."""
    dtype = (x if hasattr(x, "dtype") else y).dtype
    if dtype.char in LOW and alpha.__class__ in (float, int):
        alpha = rounded(alpha, dtype)
    result = fused(library.add_scaled, out, (x, y), alpha)
    if result is not None:
        return result
    token = silence(SILENT)
    try:
        if dtype.char in LOW:
            x, y = (z.astype(F32) if hasattr(z, "dtype") else z for z in (x, y))
            return put(np.asarray(x + y * alpha), out, dtype)
        if dtype.kind in "biu":
            alpha = np.asarray(alpha if dtype.kind == "b" else wrap_integer(int(alpha), dtype), dtype)
            y = np.asarray(y, dtype)
        return np.add(x, np.multiply(y, alpha), out=out)
    finally:
        restore(token)


@quiet
def power(x: Any, y: Any, out: Any = None) -> Any:
    """`x ** y`, whole where both are integers; the number that an integer array is raised to is not negative."""
    if y.__class__ is not np.ndarray:
        kind = x.dtype.kind
        if kind in "biu":
            if kind == "b":
                return put(x.copy() if y else np.ones_like(x), out)
            return np.power(x, np.asarray(y, x.dtype), out=out)
        if y == 2:
            return multiply(x, x, out)
        if y == 1:
            return put(x.copy(), out)
        if y == 0:
            return put(np.ones_like(x), out)
        if x.dtype.char == "E":  # PyTorch has vectors of these: each step is rounded
            if y == 3:
                return multiply(multiply(x, x), x, out)
            if y == 0.5:
                return sqrt(x, out)
            if y == -1:
                return reciprocal(x, out)
            if y == -0.5:
                return rsqrt(x, out)
            if y == -2:
                return reciprocal(multiply(x, x), out)
        elif x.dtype.char != "e":
            if kind == "f":
                if y == 3:
                    return _cube(x, out)
                if y == 0.5:
                    return sqrt(x, out)
                if y == -1:
                    return np.reciprocal(x, out=out)
                if y == -0.5:
                    return np.reciprocal(np.sqrt(x), out=out)
                if y == -2:
                    return np.reciprocal(x * x, out=out)
        return _power(x, y, out)
    if y.dtype.kind in "iu" and (y < 0).any():  # integers: what is not 1 or -1 vanishes
        base, exponent = np.broadcast_arrays(x, y)
        result = np.power(base, np.where(exponent < 0, 0, exponent).astype(y.dtype))
        unit = np.where(base == 1, 1, np.where(base == -1, np.where(exponent % 2 == 0, 1, -1), 0))
        result = np.where(exponent < 0, unit, result).astype(y.dtype)
        return put(result, out)
    if x.__class__ is not np.ndarray and y.dtype.kind in "iu":
        x = np.asarray(x, y.dtype)
    return _power(x, y, out)


def put(result: Any, out: Any, dtype: Any = None) -> Any:
    """The result, cast if a dtype is given; written into `out` if that is given."""
    if out is not None:
        np.copyto(out, result, casting="unsafe")
        return out
    return result if dtype is None else result.astype(dtype)


def sign(x: Any, out: Any = None) -> Any:
    """-1, 0 or 1; booleans as they are, of complex numbers `x / |x|`, and 0 for NaN."""
    if x.dtype.kind == "b":
        return put(x.copy(), out)
    if x.size > LARGE:
        result = into(library.sign, out, x)
        if result is not None:
            return result
    result = _sign(x, out)
    if x.dtype.kind in "fV" and result is not out or out is not None and x.dtype.kind in "fV":
        result = np.asarray(result)
        np.copyto(result, 0, where=np.isnan(result))
    return result


def sgn(x: Any, out: Any = None) -> Any:
    """The sign, `x / |x|` for complex numbers."""
    return sign(x, out)


def _lowered(kernel: Kernel) -> Callable[..., Any]:
    """A map of one array in its NumPy lowering; the second argument is where the result goes."""

    def compute(x: Any, out: Any = None) -> Any:
        if out is None:
            return in_numpy(kernel, x.dtype)(memory.like(x), x)
        return write(out, in_numpy(kernel, x.dtype)(np.empty_like(x), x))

    compute.__name__ = kernel.name
    return compute


rsqrt = function(_lowered(library.rsqrt), library.rsqrt)
rsqrt.__doc__ = "1 / sqrt(x)."
sigmoid = function(_lowered(library.sigmoid), library.sigmoid)
sigmoid.__doc__ = "1 / (1 + exp(-x))."


def _slope(kernel: Kernel, grad: Any, y: Any, out: Any) -> Any:
    """A map of two arrays that broadcast, of one dtype or not."""
    if grad.dtype is y.dtype and grad.shape == y.shape:
        if y.dtype.kind == "c":
            y = y.conj()
        result = into(kernel, out, grad, y)
        if result is None:
            result = in_numpy(kernel, y.dtype)(memory.like(grad), grad, y)
            return result if out is None else write(out, result)
        return result
    dtype = np.result_type(grad, y)
    grad, y = [a.astype(dtype) for a in np.broadcast_arrays(grad, y)]
    return _slope(kernel, grad, y, out)


def sigmoid_backward(grad: Any, y: Any, out: Any = None) -> Any:
    """`grad * y * (1 - y)`, `y` being the sigmoid."""
    return _slope(library.sigmoid_backward, grad, y, out)


def tanh_backward(grad: Any, y: Any, out: Any = None) -> Any:
    """`grad * (1 - y * y)`, `y` being the hyperbolic tangent."""
    return _slope(library.tanh_backward, grad, y, out)


def clamp(x: Any, low: Any, high: Any, out: Any = None) -> Any:
    """The values held between bounds, either of which may be None; NaN stays NaN."""
    if large(x):
        result = large_clamp(x, low, high, out)
        if result is not None:
            return result
        if low is None:
            return minimum(x, high, out)
        if high is None:
            return maximum(x, low, out)
    if x.dtype.kind == "V":  # NumPy takes no Python number beside bfloat16
        low, high = (b if b is None or b.__class__ is np.ndarray else np.asarray(b, x.dtype) for b in (low, high))
    token = silence(SILENT)
    try:
        if x.dtype.kind == "f" and (x.size > 4096 or low is not None and high is not None):  # one pass, and a quick one
            return _clip(x, -np.inf if low is None else low, np.inf if high is None else high, out=out)
        if low is not None:
            x = np.maximum(x, low, out=out)
            if out is None and high is not None and x.__class__ is np.ndarray:
                out = x
        return x if high is None else np.minimum(x, high, out=out)
    finally:
        restore(token)


def large_clamp(x: Any, low: Any, high: Any, out: Any) -> Any:
    """`clamp` of a large array between numbers, compiled; None where it cannot be."""
    numbers = [bound for bound in (low, high) if bound is not None]
    if len(numbers) == 2 and all(b.__class__ is np.ndarray for b in numbers):
        return into(library.clamp_between, out, x, low, high)
    if not usable() or any(n.__class__ not in (float, int) for n in numbers):
        return None
    if not library.clamp.takes(x.dtype) and (
        x.dtype is not _I64 or len(numbers) < 2 or any(n.__class__ is float or abs(n) >= 1 << 53 for n in numbers)
    ):
        return None
    if out is None:
        out = np.empty_like(x)
    elif out.dtype is not x.dtype or out is not x and np.may_share_memory(x, out):
        return None
    return mapped(library.clamp, x.dtype, out, x, -math.inf if low is None else float(low), math.inf if high is None else float(high))


def _large_where(condition: Any, x: Any, y: Any, into: Any) -> Any:
    """`where` of a large row-major condition, compiled; None where it cannot be."""
    arrays = [z for z in (x, y) if z.__class__ is np.ndarray]
    if not arrays or condition.dtype.kind != "b" or not condition.flags.c_contiguous or not usable():
        return None
    dtype = arrays[0].dtype
    if not library.where.takes(dtype) or any(z.dtype is not dtype for z in arrays):
        return None
    if len(arrays) == 2:
        kernel, numbers = library.where, list[Any]()
    else:
        kernel, numbers = (library.where_else_number, [y]) if arrays[0] is x else (library.where_number, [x])
    if any(n.__class__ not in (float, int) for n in numbers):
        return None
    return mapped(kernel, dtype, place(into, condition.shape, dtype), condition, *arrays, *[float(n) for n in numbers])


def where(condition: Any, x: Any, y: Any, into: Any = None) -> Any:
    """`x` where the condition holds, else `y`, in their common dtype."""
    if condition.__class__ is np.ndarray and condition.size > LARGE:
        result = _large_where(condition, x, y, into)
        if result is not None:
            return result
    if x.__class__ is np.ndarray:
        if y.__class__ is np.ndarray:
            if x.dtype is y.dtype:
                return np.where(condition, x, y)
        elif y.__class__ is float and x.dtype.kind in "fc" or y == 0 and y.__class__ is int:
            return np.where(condition, x, np.asarray(y, x.dtype))
    elif y.__class__ is np.ndarray and x.__class__ is float and y.dtype.kind in "fc":
        return np.where(condition, np.asarray(x, y.dtype), y)
    return np.where(condition, *promoted(x, y))


def cast(x: Any, dtype: Any) -> Any:
    """A copy in another dtype; complex numbers lose their imaginary parts."""
    if x.size >= memory.LARGE:
        result = memory.cast(x, dtype)
        if result is not None:
            return result
        if x.dtype.char in LOW and dtype.kind in "iu":  # quicker in two steps
            x = cast(x, F32)
    token = silence(SILENT)
    try:
        if x.dtype.kind == "c" and dtype.kind not in "cb":
            x = x.real
        return x.astype(dtype)
    finally:
        restore(token)


def promoted(*operands: Any) -> list[Any]:
    """Arrays and numbers as arrays of their common dtype."""
    dtype = result_dtype(*operands).numpy
    return [np.asarray(x, dtype) if not hasattr(x, "dtype") else x if x.dtype == dtype else cast(x, dtype) for x in operands]


def falses_like(x: Any) -> Any:
    """False everywhere."""
    return np.zeros_like(x, bool, "C")


# --- exponentials and angles -----------------------------------------------------------------------------------


def exp2(x: Any, out: Any = None) -> Any:
    """2 to the power of x, complex too."""
    return exp(complex_from(multiply(x.real, _LN2), multiply(x.imag, _LN2)), out) if x.dtype.kind == "c" else _exp2(x, out)


_LN2 = 0.6931471805599453


@quiet
def complex_logaddexp(x: Any, y: Any, out: Any = None) -> Any:
    """`log(exp(x) + exp(y))` of complex numbers; the larger real part is taken out."""
    swap = x.real < y.real
    larger, smaller = np.where(swap, y, x), np.where(swap, x, y)
    same = ~np.isfinite(larger.real) & (larger.real == smaller.real)
    result = np.where(same & (larger.real < 0), larger, larger + np.log1p(np.exp(smaller - larger)))
    result = np.where(same & (larger.real > 0), np.log(np.exp(larger) + np.exp(smaller)), result)
    return put(result.astype(x.dtype), out)


def scale(x: Any, factor: float, out: Any = None) -> Any:
    """`x * factor`"""
    return multiply(x, factor, out)


@rounded_once
def sinc(x: Any, out: Any = None) -> Any:
    """`sin(pi x) / (pi x)`, and 1 at 0."""
    t = np.multiply(x, np.pi)
    result = np.where(x == 0, 1, np.sin(t) / t).astype(x.dtype)
    return put(result, out)


def logit(x: Any, eps: Any, out: Any = None) -> Any:
    """`log(x / (1 - x))`, x held within eps of 0 and 1 unless None; half precision in steps."""
    if x.dtype.char in LOW:
        if eps is not None:
            low = rounded(eps, x.dtype)
            x = clamp(x, low, rounded(1.0 - low, x.dtype))
        return log(divide(x, subtract(1.0, x)), out)
    return _logit(x, eps, out=out)


@rounded_once
def _logit(x: Any, eps: Any, out: Any = None) -> Any:
    if eps is not None:
        x = np.minimum(np.maximum(x, eps), 1 - eps)
    return np.log(x / (1 - x), out=out)


# --- rounding and parts ----------------------------------------------------------------------------------------


@quiet
def _frac(x: Any, out: Any = None) -> Any:
    return np.subtract(x, np.trunc(x), out=out)


frac = function(_frac, library.frac, LARGE)
"""What truncation cuts off."""


@rounded_once
def round_decimals(x: Any, decimals: int, out: Any = None) -> Any:
    """The nearest multiple of `10**-decimals`."""
    power = x.dtype.type(10.0) ** abs(decimals)
    if decimals > 0:
        return np.divide(np.rint(x * power), power, out=out)
    return np.multiply(np.rint(x / power), power, out=out)


@functools.cache
def _greatest(dtype: Any) -> float:
    return float(ml_dtypes.finfo(dtype).max)


def nan_to_num(x: Any, nan: Any, posinf: Any, neginf: Any, out: Any = None) -> Any:
    """NaN and the infinities replaced, in both parts of complex numbers."""
    kind = x.dtype.kind
    if kind in "biu":
        return put(x.copy(), out)
    if kind == "c":
        result = np.empty_like(x)
        result.real = nan_to_num(x.real, nan, posinf, neginf)
        result.imag = nan_to_num(x.imag, nan, posinf, neginf)
        return put(result, out)
    greatest = _greatest(x.dtype)
    token = silence(SILENT)
    try:
        given = [(nan, 0.0), (posinf, greatest), (neginf, -greatest)]
        numbers = [default if v is None else float(np.asarray(v).astype(x.dtype)) for v, default in given]
        result = into(library.nan_to_num, out, x, *numbers)
        if result is not None:
            return result
        values = [np.asarray(v, x.dtype) for v in numbers]
        result = np.where(np.isnan(x), values[0], np.where(x == np.inf, values[1], np.where(x == -np.inf, values[2], x)))
    finally:
        restore(token)
    return put(result, out)


def logical_not(x: Any, out: Any = None) -> Any:
    """Whether each element is zero."""
    if large(x) and x.dtype.kind in "fV" and (out is None or out.dtype.kind == "b"):
        return equal(x, 0.0, out)
    return _logical_not(x, out)


def outer(x: Any, y: Any, into: Any = None) -> Any:
    """Every product of an element of one vector with one of another."""
    column = x[:, None]
    size = x.size * y.size
    if size > LARGE and x.__class__ is np.ndarray and x.dtype is y.dtype and library.multiply[0].takes(x.dtype) and usable():
        result = mapped(library.multiply[0], x.dtype, place(into, (len(x), len(y)), x.dtype), column, y)
        if result is not None:
            return result
    return multiply(column, y)


def ldexp(x: Any, exponent: Any) -> Any:
    """`x * 2**exponent`, in the dtype of that product."""
    if exponent.dtype.kind in "biu":
        exponent = exponent.astype(DEFAULT.dtype.numpy if x.dtype.kind in "biu" else x.dtype)
    x, power = promoted(x, exp2(exponent))
    return multiply(x, power)


def frexp(x: Any) -> tuple[Any, Any]:
    """Mantissa and exponent."""
    if x.dtype.char == "E":
        mantissa, exponent = np.frexp(x.astype(F32))
        return np.asarray(mantissa).astype(x.dtype), exponent
    return np.frexp(x)


@quiet
def heaviside(x: Any, at_zero: Any, out: Any = None) -> Any:
    """The step function."""
    result = np.where(x == 0, at_zero, (x > 0).astype(x.dtype))
    return put(result, out)


# --- three operands --------------------------------------------------------------------------------------------


def lerp(x: Any, end: Any, weight: Any, out: Any = None) -> Any:
    """`x + weight * (end - x)`, from the nearer end."""
    if hasattr(weight, "dtype"):
        result = fused(library.lerp_between, out, (x, end, weight))
    else:
        result = fused(library.lerp, out, (x, end), weight)
    if result is None and x.dtype.char in LOW:  # in float64, which holds the product
        wide = [y.astype(np.float64) if hasattr(y, "dtype") else float(F32.type(y)) for y in (x, end, weight)]
        return put(np.asarray(_lerp(*wide)).astype(F32), out, x.dtype)
    return result if result is not None else _lerp(x, end, weight, out=out)


@rounded_once
def _lerp(x: Any, end: Any, weight: Any, out: Any = None) -> Any:
    if hasattr(weight, "dtype"):
        near = np.abs(weight) < 0.5
        difference = end - x
        return put(np.where(near, x + weight * difference, end - difference * (1 - weight)), out)
    difference = np.subtract(end, x)
    if abs(weight) < 0.5:
        return np.add(x, difference * weight, out=out)
    return np.subtract(end, difference * (1 - weight), out=out)


def addcmul(x: Any, a: Any, b: Any, value: Any, out: Any = None) -> Any:
    """`x + value * a * b`"""
    result = fused(library.add_product, out, (x, a, b), value)
    return result if result is not None else _addcmul(x, a, b, value, out=out)


@rounded_once
def _addcmul(x: Any, a: Any, b: Any, value: Any, out: Any = None) -> Any:
    if value != 1:
        a = np.multiply(a, np.asarray(as_element(value, x.dtype), x.dtype))
    return np.add(x, np.multiply(a, b), out=out)


@quiet
def scaled_sum(product: Any, alpha: Any, x: Any, beta: Any, dtype: Any, steps: bool = False) -> Any:
    """`alpha * product + beta * x`, the product in float32, rounded to half precision once.

    steps: as PyTorch's products with a vector have it, where alpha, beta and `beta * x` are rounded, too.
    """
    if steps:
        alpha, beta = rounded(alpha, dtype), rounded(beta, dtype)
    product = multiply(product, float(alpha))
    if beta == 0:
        return cast(product, dtype)
    x = cast(x, F32)
    x = multiply(x, float(beta))
    if steps:
        x = cast(cast(x, dtype), F32)
    return cast(add(x, product), dtype)


def addcdiv(x: Any, a: Any, b: Any, value: Any, out: Any = None) -> Any:
    """`x + value * a / b`"""
    if large(x) and a.__class__ is b.__class__ is np.ndarray and value.__class__ in (float, int):
        result = into(library.add_quotient, out, x, a, b, float(value))
        if result is not None:
            return result
    return _addcdiv(x, a, b, value, out=out)


@rounded_once
def _addcdiv(x: Any, a: Any, b: Any, value: Any, out: Any = None) -> Any:
    if value != 1:
        a = np.multiply(a, np.asarray(as_element(value, x.dtype), x.dtype))
    return np.add(x, np.divide(a, b), out=out)


# --- complex numbers -------------------------------------------------------------------------------------------


def complex_from(real: Any, imag: Any) -> Any:
    """Complex numbers of two parts."""
    shape = np.broadcast_shapes(np.shape(real), np.shape(imag))
    result = np.empty(shape, np.complex64 if real.dtype == F32 else np.complex128)
    result.real = real
    result.imag = imag
    return result


@quiet
def polar(length: Any, angle: Any) -> Any:
    """Complex numbers of lengths and angles."""
    return complex_from(length * np.cos(angle), length * np.sin(angle))


@quiet
def angle(x: Any) -> Any:
    """The angle of complex numbers; 0 or pi for real ones."""
    if x.dtype.kind == "c":
        return np.arctan2(x.imag, x.real)
    if large(x):
        result = into(library.angle, None, x)
        if result is not None:
            return result
    result = np.where(x < 0, np.pi, 0.0).astype(x.dtype)
    return np.where(np.isnan(x), x, result)
