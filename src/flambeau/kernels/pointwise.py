"""Element-wise kernels that are compiled where that pays, else NumPy's: which of the two, and where the result goes.

Arithmetic gives the same bits either way, so only large arrays are handed to the compiler. The transcendental functions do
not, so they are compiled for every size: the value of an element must not depend on the size of its tensor.
"""

from typing import Any, Callable

import numpy as np

from ..core.meta import OtherArray
from .compiler import Kernel, in_numpy, mapped, usable
from .memory import clone_like, like, row_major
from .quiet import SILENT, restore, silence

LARGE = 1 << 17
"""Above so many elements arithmetic is compiled: NumPy's is as good while the arrays fit the caches of one core."""

FEW = 1024
"""Up to here NumPy is as good for float16 and bfloat16, too."""

LOW = frozenset("eE")
"""Type codes of float16 and bfloat16."""

NUMBERS = frozenset((int, float, bool))
"""Real numbers of Python's."""

_BOOL = np.dtype(np.bool_)
F32 = np.dtype(np.float32)
F64 = np.dtype(np.float64)
ndarray = np.ndarray
empty = np.empty

Two = tuple[Kernel, Kernel, Kernel]


def large(x: Any) -> bool:
    """Whether an operand is an array that is worth a launch."""
    return x.__class__ is ndarray and x.size > FEW and (x.size > LARGE or x.dtype.char in LOW)


def arithmetic(ufunc: Callable[..., Any], kernels: Two, boolean: bool = False, steps: bool = False) -> Callable[..., Any]:
    """A kernel of two operands, compiled for large arrays; the third argument is where the result goes.

    `boolean`: the result is one. `steps`: half precision rounds on the way, which the ufunc does not.
    """

    def kernel(x: Any, y: Any, out: Any = None) -> Any:
        if (x.__class__ is ndarray and x.size > FEW or y.__class__ is ndarray and y.size > FEW) and (large(x) or large(y)):
            result = two_operands(kernels, x, y, out, boolean)
            if result is not None:
                return result
        if x.__class__ is not ndarray or y.__class__ is not ndarray:
            if y.__class__ in NUMBERS and x.dtype.char in LOW or x.__class__ in NUMBERS and y.dtype.char in LOW:
                return beside_number(ufunc, kernels, x, y, out, boolean)
        if steps and x.dtype.char in LOW:
            return in_steps(kernels, x, y, out)
        token = silence(SILENT)
        try:
            return ufunc(x, y, out=out)
        finally:
            restore(token)

    kernel.__name__ = getattr(ufunc, "__name__", "kernel")
    return kernel


def in_steps(kernels: Two, x: Any, y: Any, out: Any) -> Any:
    """A kernel over two arrays of half precision by whatever lowering there is, which rounds where the kernel says so."""
    result = two_operands(kernels, x, y, out)
    if result is not None:
        return result
    wide = np.broadcast_arrays(x, y) if x.shape != y.shape else (x, y)
    made = in_numpy(kernels[0], x.dtype)(np.empty_like(wide[0], order="C"), *wide)
    if out is None:
        return made
    out[...] = made
    return out


def beside_number(ufunc: Callable[..., Any], kernels: Two, x: Any, y: Any, out: Any, boolean: bool = False) -> Any:
    """The same for an array of half precision and a number, which NumPy would round first: in float32, rounded once."""
    result = two_operands(kernels, x, y, out, boolean)
    if result is not None:
        return result
    array = y if x.__class__ in NUMBERS else x
    token = silence(SILENT)
    try:
        wide = array.astype(F32)
        result = ufunc(x, wide, out=None) if array is y else ufunc(wide, y, out=None)
        if out is not None:
            out[...] = result
            return out
        return result if boolean else result.astype(array.dtype)
    finally:
        restore(token)


def two_operands(kernels: Two, x: Any, y: Any, out: Any, boolean: bool = False) -> Any:
    """A compiled kernel over two arrays, or one and a number, broadcast; None where it cannot take them."""
    if not usable():
        return None
    operands: tuple[Any, ...]
    if x.__class__ is not ndarray:  # a number comes first
        if y.__class__ is not ndarray or not _is_number(x):
            return None
        kernel, first, operands = kernels[2], y, (y, float(x))
    elif y.__class__ is ndarray:
        if x.dtype is not y.dtype:
            return None
        kernel, first, operands = kernels[0], x, (x, y)
    elif _is_number(y):
        kernel, first, operands = kernels[1], x, (x, float(y))
    else:
        return None
    dtype = first.dtype
    if not kernel.takes(dtype):
        return None
    result_dtype = _BOOL if boolean else dtype
    if out is None:
        if operands[1].__class__ is float:
            out = like(first, result_dtype)
        else:
            out = _result_for(x, y, result_dtype)
            if out is None:
                return None
            if y.ndim > 1 and y.shape == out.shape and y.strides != out.strides and 0 not in y.strides:
                if abs(y.strides[-1]) > 64:
                    operands = (x, row_major(y)) if out.flags.c_contiguous else (x, clone_like(y, out))
                elif not out.flags.c_contiguous and x.strides == out.strides:
                    operands = (x, clone_like(y, out))
    elif out.dtype is not result_dtype or not _apart(out, operands):
        return None
    return mapped(kernel, dtype, out, *operands)


def _is_number(value: Any) -> bool:
    """Whether a Python number can be handed to a kernel, which takes it in the type that it computes in."""
    kind = value.__class__
    return kind is float or kind is int and -(1 << 53) < value < 1 << 53


def _result_for(x: Any, y: Any, dtype: Any) -> Any:
    """Where the result of two arrays goes, if that is in the order of the first of full size; else None."""
    if x.shape == y.shape:
        if x.flags.c_contiguous or y.flags.c_contiguous and 0 in x.strides:
            return empty(x.shape, dtype)
        return np.empty_like(x, dtype) if x.strides == y.strides or 0 not in x.strides else None
    try:
        shape = np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        return None
    if x.shape == shape and x.flags.c_contiguous or y.shape == shape and y.flags.c_contiguous:
        return empty(shape, dtype)
    return None


def _apart(out: Any, operands: Any) -> bool:
    """Whether no operand lies in the memory of `out`, except as `out` itself."""
    for x in operands:
        if x is not out and x.__class__ is ndarray and np.may_share_memory(x, out):
            return False
    return True


def exact(two: Callable[..., Any], kernels: Two) -> Callable[..., Any]:
    """An `arithmetic` kernel whose bits take NumPy several passes: compiled for float32 and float64 of every size."""

    def kernel(x: Any, y: Any, out: Any = None) -> Any:
        dtype = x.dtype if x.__class__ is ndarray else getattr(y, "dtype", None)
        if dtype is F32 or dtype is F64:
            result = two_operands(kernels, x, y, out)
            if result is not None:
                return result
        return two(x, y, out)

    return kernel


def function(ufunc: Callable[..., Any], compiled: Kernel, least: int = -1) -> Callable[..., Any]:
    """A kernel of one array, compiled above `least` elements; the second argument is where the result goes."""
    versions = compiled.versions
    few = min(least, FEW)

    def kernel(x: Any, out: Any = None) -> Any:
        if x.__class__ is ndarray and x.size > few:
            dtype = x.dtype
            if (x.size > least or dtype.char in LOW) and (dtype in versions or compiled.takes(dtype) and usable()):
                if out is None:
                    if x.flags.c_contiguous and x.flags.aligned:
                        return (versions.get(dtype) or compiled.version(dtype))(empty(x.shape, dtype), x)
                    return one_operand(compiled, x, like(x))
                if out.dtype is dtype:
                    return one_operand(compiled, x, out)
        if out is None and x.__class__ is ndarray and not x.flags.c_contiguous and x.dtype.kind == "f":
            out = like(x)
        token = silence(SILENT)
        try:
            return ufunc(x, out=out)
        finally:
            restore(token)

    kernel.__name__ = getattr(ufunc, "__name__", "kernel")
    return kernel


def predicate(ufunc: Callable[..., Any], compiled: Kernel) -> Callable[..., Any]:
    """A condition on the elements of one array, compiled for large arrays."""

    def kernel(x: Any) -> Any:
        if x.__class__ is ndarray and x.size > FEW and large(x) and compiled.takes(x.dtype) and usable():
            result = mapped(compiled, x.dtype, like(x, _BOOL), x)
            if result is not None:
                return result
        token = silence(SILENT)
        try:
            return ufunc(x)
        finally:
            restore(token)

    kernel.__name__ = getattr(ufunc, "__name__", "kernel")
    return kernel


def one_operand(kernel: Kernel, x: Any, out: Any) -> Any:
    """A compiled kernel over one array, into `out`, whatever the strides of both."""
    if _apart(out, (x,)) and x.shape == out.shape:
        result = mapped(kernel, x.dtype, out, x)
        if result is not None:
            return result
    out[...] = kernel.version(x.dtype)(empty(x.shape, x.dtype), np.require(x, None, ["C", "A"]))
    return out


def binary_function(ufunc: Callable[..., Any], kernels: Two) -> Callable[..., Any]:
    """A kernel of two operands, compiled for every size; the third argument is where the result goes."""

    def kernel(x: Any, y: Any, out: Any = None) -> Any:
        result = two_operands(kernels, x, y, out)
        if result is None and usable():
            result = _contiguous(kernels, x, y, out)
        if result is not None:
            return result
        if y.__class__ in NUMBERS and x.dtype.char in LOW or x.__class__ in NUMBERS and y.dtype.char in LOW:
            return beside_number(ufunc, kernels, x, y, out)
        token = silence(SILENT)
        try:
            return ufunc(x, y, out=out)
        finally:
            restore(token)

    kernel.__name__ = getattr(ufunc, "__name__", "kernel")
    return kernel


def _contiguous(kernels: Two, x: Any, y: Any, out: Any) -> Any:
    """The same over row-major copies of two arrays of one dtype, for orders and short rows that `mapped` does not take."""
    if x.__class__ is not ndarray or y.__class__ is not ndarray or x.dtype is not y.dtype or not kernels[0].takes(x.dtype):
        return None
    if out is not None and out.dtype is not x.dtype:
        return None
    wide = np.broadcast_arrays(x, y)
    result = kernels[0].version(x.dtype)(empty(wide[0].shape, x.dtype), *[np.require(a, None, ["C", "A"]) for a in wide])
    if out is None:
        return result
    out[...] = result
    return out


def applied(kernel: Kernel, x: Any, *operands: Any) -> Any:
    """A map over `x` and further arrays of its shape and dtype (then floats), in x's memory order: compiled, else in NumPy."""
    dtype = x.dtype
    if x.__class__ is not ndarray or not kernel.takes(dtype) or not usable():
        return in_numpy(kernel, dtype)(like(x), x, *operands)
    rows = x.flags.c_contiguous
    for y in operands:
        if y.__class__ is ndarray:
            if y.dtype is not dtype or y.shape != x.shape:
                return in_numpy(kernel, dtype)(like(x), x, *operands)
            rows = rows and y.flags.c_contiguous
        elif y.__class__ is not float and isinstance(y, OtherArray):
            return in_numpy(kernel, dtype)(like(x), x, *operands)
    if rows:
        return kernel.version(dtype)(empty(x.shape, dtype), x, *operands)
    out = like(x)
    result = mapped(kernel, dtype, out, x, *operands)
    if result is None:
        copies = [np.require(y, None, ["C", "A"]) if y.__class__ is ndarray else y for y in (x, *operands)]
        out[...] = kernel.version(dtype)(empty(x.shape, dtype), *copies)
    return out


def into(kernel: Kernel, out: Any, x: Any, *operands: Any) -> Any:
    """`applied`, into `out` unless that is None; None if it cannot be compiled."""
    dtype = x.dtype
    if x.__class__ is not ndarray or not kernel.takes(dtype) or not usable():
        return None
    arrays = [y for y in operands if y.__class__ is ndarray]
    if any(y.dtype is not dtype or y.shape != x.shape for y in arrays):
        return None
    if out is None:
        return applied(kernel, x, *operands)
    if out.dtype is not dtype or out.shape != x.shape or not _apart(out, (x, *arrays)):
        return None
    return mapped(kernel, dtype, out, x, *operands)


def written(kernel: Kernel, out: Any, x: Any, *numbers: float) -> Any:
    """`applied`, into `out` unless that is None: of the shape and dtype of `x`, and `x` itself or apart from it."""
    if out is None:
        return applied(kernel, x, *numbers)
    if into(kernel, out, x, *numbers) is None:
        out[...] = applied(kernel, x, *numbers)
    return out


def fused(kernel: Kernel, out: Any, operands: tuple[Any, ...], number: Any = None) -> Any:
    """A map that fuses products with sums, which NumPy cannot: compiled for every size, so that the bits do not depend on it.

    operands: arrays of one dtype or numbers, broadcast. None where it cannot be compiled.
    """
    x = operands[0]
    if x.__class__ is not ndarray:
        x = operands[1]
        if x.__class__ is not ndarray:
            return None
    if number is not None and number.__class__ is not float:
        if number.__class__ is not int:
            return None
        number = float(number)
    dtype, shape = x.dtype, x.shape
    version = kernel.versions.get(dtype)
    if version is None:
        if not kernel.takes(dtype) or not usable():
            return None
        version = kernel.version(dtype)
    for y in operands:
        if y.__class__ is not ndarray or y.dtype is not dtype or y.shape != shape or not y.flags.carray:
            return _fused_anyhow(kernel, dtype, out, operands, number)
    if out is None:
        out = empty(shape, dtype)
    elif out.dtype is not dtype or out.shape != shape or not out.flags.carray or not _apart(out, operands):
        return _fused_anyhow(kernel, dtype, out, operands, number)
    return version(out, *operands) if number is None else version(out, *operands, number)


def _fused_anyhow(kernel: Kernel, dtype: Any, out: Any, operands: tuple[Any, ...], number: float | None) -> Any:
    """The same of arrays that lie otherwise than row-major, or that are broadcast."""
    arrays = [np.asarray(y, dtype) if y.__class__ is float or y.__class__ is int else y for y in operands]
    x = arrays[0]
    if any(y.__class__ is not ndarray or y.dtype is not dtype for y in arrays):
        return None
    numbers = () if number is None else (number,)
    if out is not None:
        if out.dtype is not dtype:
            return None
        result = mapped(kernel, dtype, out, *arrays, *numbers) if _apart(out, arrays) else None
        if result is None:  # on a detour: the bits may not depend on where the result goes
            result = fused(kernel, None, tuple(arrays), number)
            if result is not None:
                out[...] = result
                result = out
        return result
    if all(y.shape == x.shape for y in arrays):
        return into(kernel, None, *arrays, *numbers)
    if not all(y.flags.c_contiguous for y in arrays):
        return None
    try:
        out = empty(np.broadcast_shapes(*[y.shape for y in arrays]), dtype)
    except ValueError:
        return None
    return mapped(kernel, dtype, out, *arrays, *numbers)
