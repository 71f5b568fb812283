"""Divisions rounded to whole numbers, and their remainders.

Each takes arrays (or Python numbers) of one dtype and, last, where to write. Integers raise RuntimeError for a divisor 0; floating-point
numbers give infinity or NaN, in silence.
"""

from typing import Any

import numpy as np

from . import memory
from .compiler import usable
from .elementwise import put
from .library import elementwise as library
from .library import finding
from .pointwise import arithmetic, exact
from .quiet import quiet, quiet_binary

_I64 = np.dtype(np.int64)

_remainder = exact(arithmetic(lambda x, y, out: put(_signed_remainder(x, y), out), library.remainder), library.remainder)
_fmod = arithmetic(np.fmod, library.fmod)
_floor_quotient = exact(arithmetic(lambda x, y, out: _floor_divide(x, y, out), library.floor_divide, steps=True), library.floor_divide)
_trunc_quotient = arithmetic(lambda x, y, out: np.trunc(np.true_divide(x, y), out=out), library.trunc_divide, steps=True)


def _checked_divisor(x: Any, y: Any) -> bool:
    """Whether the division is one of integers. Raises RuntimeError if the divisor has a 0."""
    dtype = x.dtype if hasattr(x, "dtype") else y.dtype
    if dtype.kind not in "biu":
        return False
    if not (y.all() if hasattr(y, "dtype") else y):
        raise RuntimeError("ZeroDivisionError")
    return True


def _large_quotient(kind: str, x: Any, y: Any, out: Any) -> Any:
    """A division of many int64 by as many, or by one number, compiled; None for others."""
    if x.__class__ is not np.ndarray or x.size < memory.LARGE or x.dtype is not _I64 or not x.flags.carray or not usable():
        return None
    step = 1.0
    if y.__class__ is not np.ndarray:
        if y.__class__ is not int or not -(1 << 63) <= y < 1 << 63:
            return None
        y, step = np.array([y], _I64), 0.0
    elif y.dtype is not _I64 or y.shape != x.shape or not y.flags.carray:
        return None
    if out is None:
        out = np.empty(x.shape, _I64)
    elif (
        out.dtype is not _I64 or out.shape != x.shape or not out.flags.carray or np.may_share_memory(out, x) or np.may_share_memory(out, y)
    ):
        return None
    return finding.quotients(kind)(out, x, y, float(x.size), step)


def floor_divide(x: Any, y: Any, out: Any = None) -> Any:
    """Division rounded down. Raises RuntimeError (ZeroDivisionError) for integers and divisor 0."""
    if _checked_divisor(x, y):
        found = _large_quotient("floor", x, y, out)
        return _whole_floor(x, y, out) if found is None else found
    return _floor_quotient(x, y, out)


_whole_floor = quiet_binary(np.floor_divide)


def _floor_divide(x: Any, y: Any, out: Any = None) -> Any:
    zero = y == 0
    if not np.any(zero):
        return np.floor_divide(x, y, out=out)
    result = np.floor_divide(x, y)
    return put(np.where(zero, np.true_divide(x, y), result).astype(result.dtype), out)  # of a zero divisor PyTorch has the plain quotient


@quiet
def trunc_divide(x: Any, y: Any, out: Any = None) -> Any:
    """Division rounded towards zero. Raises RuntimeError (ZeroDivisionError) for integers and divisor 0."""
    if _checked_divisor(x, y):
        found = _large_quotient("trunc", x, y, out)
        if found is not None:
            return found
        quotient = np.floor_divide(x, y)
        inexact = np.multiply(quotient, y) != x
        result = quotient + (inexact & (quotient < 0))
        result = np.asarray(result).astype((x if hasattr(x, "dtype") else y).dtype)
        if out is None:
            return result
        out[...] = result
        return out
    return _trunc_quotient(x, y, out)


def _signed_remainder(x: Any, y: Any) -> Any:
    """The remainder with the divisor's sign; 0 has the dividend's, unlike NumPy's."""
    result = np.remainder(x, y)
    if result.dtype.kind != "i" and result.dtype.kind != "u":
        zero = result == 0
        if zero.any():
            return np.where(zero, np.copysign(result, x), result)
    return result


def remainder(x: Any, y: Any, out: Any = None) -> Any:
    """The remainder with the divisor's sign. Raises RuntimeError (ZeroDivisionError) for integers and divisor 0."""
    if _checked_divisor(x, y) and (found := _large_quotient("remainder", x, y, out)) is not None:
        return found
    return _remainder(x, y, out)


def fmod(x: Any, y: Any, out: Any = None) -> Any:
    """The remainder with the dividend's sign. Raises RuntimeError (ZeroDivisionError) for integers and divisor 0."""
    if _checked_divisor(x, y) and (found := _large_quotient("fmod", x, y, out)) is not None:
        return found
    return _fmod(x, y, out)
