"""Element-wise kernels of one and two operands, in their NumPy lowering.

Each takes arrays (or Python numbers) of one dtype and, last, where to write; each is silent about floating-point errors.
"""

from typing import Any

import numpy as np

from .quiet import SILENT, quiet, quiet_binary, quiet_unary, restore, silence

add = quiet_binary(np.add)
subtract = quiet_binary(np.subtract)
multiply = quiet_binary(np.multiply)
divide = quiet_binary(np.true_divide)
remainder = quiet_binary(np.remainder)
fmod = quiet_binary(np.fmod)
power = quiet_binary(np.power)
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


@quiet
def floor_divide(x: Any, y: Any, out: Any = None) -> Any:
    """Division rounded down. Raises ZeroDivisionError, as RuntimeError, for integers."""
    if getattr(x, "dtype", y.dtype if hasattr(y, "dtype") else None).kind in "iub" and not np.all(y):
        raise RuntimeError("ZeroDivisionError")
    return np.floor_divide(x, y, out=out)


def rsqrt(x: Any, out: Any = None) -> Any:
    """1 / sqrt(x)."""
    token = silence(SILENT)
    try:
        return np.reciprocal(np.sqrt(x), out=out)
    finally:
        restore(token)


@quiet
def sigmoid(x: Any, out: Any = None) -> Any:
    """1 / (1 + exp(-x))."""
    result = np.negative(x, out=out)
    result = np.exp(result, out=result if isinstance(result, np.ndarray) else None)
    if isinstance(result, np.ndarray):
        result += 1
        return np.reciprocal(result, out=result)
    return np.reciprocal(result + 1)


def where(condition: Any, x: Any, y: Any) -> Any:
    """`x` where the condition holds, else `y`."""
    return np.where(condition, x, y)


@quiet
def cast(x: Any, dtype: Any) -> Any:
    """A copy in another dtype."""
    return x.astype(dtype)
