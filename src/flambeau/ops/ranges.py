"""Tensors of numbers in even steps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import dtype as dt
from ..core.device import CPU
from ..core.device import DEFAULT as DEFAULT_DEVICE
from ..core.dtype import DEFAULT, OF_NUMPY, SCALAR_NAMES
from ..core.layout import strided
from ..kernels import memory
from ..kernels.elementwise import power, trunc
from ..tensor import Tensor, wrap
from .definition import composite, explained_here, handle_overrides, write_out
from .making import allocate, allocate_like_data, check_layout, finish, number_of, numpy_dtype
from .modes import modes


@composite("torch.arange", hot=True)
def arange(start: Any = None, end: Any = None, step: Any = 1, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
           requires_grad: bool = False, pin_memory: bool = False) -> Tensor:  # fmt: skip
    """Numbers from `start` (0 if only one bound is given) up to but without `end`, in steps of `step`."""
    try:
        if modes.active:
            result = handle_overrides(arange, (start, end, step), dict(dtype=dtype, device=device, requires_grad=requires_grad))
            if result is not NotImplemented:
                return result
        if layout is not None and layout is not strided:
            check_layout(layout)
        if end is None:
            if (
                start.__class__ is int
                and start >= 0
                and step == 1
                and dtype is None
                and device is None
                and out is None
                and DEFAULT_DEVICE.device is CPU
            ):
                array = memory.arange(start)
                return wrap(array) if requires_grad is False else finish(array, requires_grad)
            start, end = 0, start
        elif start is None:
            start = 0
        if start is None or end is None:
            raise TypeError('arange() missing 1 required positional arguments: "end"')
        start, end, step = number_of(start), number_of(end), number_of(step)
        whole = type(start) is int and type(end) is int and type(step) is int
        target = DEFAULT.dtype.numpy if dtype is None else numpy_dtype(dtype)
        if dtype is None and (whole or out is not None):
            target = dt.int64.numpy if out is None else out._array.dtype
        if step == 0:
            raise RuntimeError("step must be nonzero")
        if target is dt.int64.numpy:  # all three are cut to integers first
            start, end, step = int(start), int(end), int(step)
        elif target.kind == "c":
            raise NotImplementedError(f"\"arange_cpu\" not implemented for '{SCALAR_NAMES[OF_NUMPY[target]]}'")
        elif target.kind == "b":
            raise NotImplementedError("\"arange_cpu\" not implemented for 'Bool'")
        if step == 0:
            raise ValueError("step must be nonzero")
        if not (math.isfinite(start) and math.isfinite(end)):
            raise RuntimeError(f"unsupported range: {_shown(start)} -> {_shown(end)}")
        if (end - start) * step < 0:
            raise RuntimeError("upper bound and lower bound inconsistent with step sign")

        def make(shape: Any, numpy_type: Any) -> Any:
            if numpy_type is dt.int64.numpy:
                return memory.arange(start, end, step, numpy_type)
            if numpy_type.kind in "iu":
                return (int(start) + int(step) * memory.arange(shape[0])).astype(numpy_type)
            if numpy_type.itemsize == 8:
                return start + step * memory.arange(shape[0], dtype=numpy_type)
            return (start + step * memory.arange(shape[0], dtype=np.float64)).astype(numpy_type)

        array = allocate((max(0, math.ceil((end - start) / step)),), target, device, make)
        return finish(array, requires_grad) if out is None else write_out(wrap(array), out, "arange")
    except Exception as error:
        raise explained_here(error, "torch.arange")


def _shown(number: Any) -> str:
    """A bound as C++ streams print it."""
    return f"{number:g}"


@composite("torch.range")
def range_(start: Any, end: Any, step: Any = 1, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """`arange` with its end included; deprecated in PyTorch."""
    import warnings

    warnings.warn(
        "torch.range is deprecated and will be removed in a future release because its behavior is inconsistent with Python's range "
        "builtin. Instead, use torch.arange, which produces values in [start, end).",
        stacklevel=2,
    )
    count = int((end - start) / step) + 1
    array = (start + step * memory.arange(count, dtype=np.float64)).astype(numpy_dtype(dtype))
    return finish(allocate_like_data(array, device), requires_grad)


@composite("torch.linspace")
def linspace(start: Any, end: Any, steps: int, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
             requires_grad: bool = False, pin_memory: bool = False) -> Tensor:  # fmt: skip
    """`steps` numbers at equal distances from `start` to `end`, both included."""
    complex_ends = isinstance(start, complex) or isinstance(end, complex)
    _check_bounds("linspace", start, end)
    start, end, steps = number_of(start), number_of(end), _steps(steps, "linspace")
    target = DEFAULT.complex.numpy if dtype is None and complex_ends else numpy_dtype(dtype)
    array = allocate((steps,), target, device, lambda s, d: _linspace(start, end, steps, d))
    return finish(array, requires_grad) if out is None else write_out(wrap(array), out, "linspace")


def _linspace(start: Any, end: Any, steps: int, numpy_type: Any) -> Any:
    """PyTorch's way: from the start in the first half, back from the end in the second, in the result's precision."""
    if steps == 1:
        return memory.full(1, start).astype(numpy_type)
    if steps == 0:
        return memory.empty(0, numpy_type)
    if numpy_type.kind in "iu":
        return _integer_linspace(int(start), int(end), steps).astype(numpy_type)
    a, b = numpy_type.type(start), numpy_type.type(end)
    step = (b - a) / numpy_type.type(steps - 1)
    half = steps // 2
    wide: Any = {"f4": np.float64, "f8": np.longdouble}.get(numpy_type.str[1:])  # PyTorch's vector code fuses the product and the sum
    if wide is None:
        wide = numpy_type.type if numpy_type.kind == "c" else np.float32
    a, b, step = wide(a), wide(b), wide(step)
    result = memory.empty(steps, numpy_type)
    ahead, back = memory.arange(half, dtype=wide), memory.arange(steps - half - 1, -1, -1, dtype=wide)
    ahead *= step
    ahead += a
    back *= -step
    back += b
    result[:half], result[half:] = ahead, back
    return result


def _integer_linspace(start: int, end: int, steps: int) -> Any:
    """In float64, cut off towards zero: the bounds are integers already."""
    step = (float(end) - float(start)) / (steps - 1)
    half = steps // 2
    ahead = start + step * memory.arange(half)
    back = end - step * (steps - 1 - memory.arange(half, steps))
    return trunc(memory.concatenate([ahead, back])).astype(np.int64)


def _check_bounds(name: str, start: Any, end: Any) -> None:
    """Raises RuntimeError for a tensor that is not a single number."""
    for which, bound in (("start", start), ("end", end)):
        if isinstance(bound, Tensor) and bound.ndim:
            raise RuntimeError(f"{name} only supports 0-dimensional start and end tensors, but got {which} with {bound.ndim} dimension(s).")


def _steps(steps: Any, name: str) -> int:
    """The number of steps. Raises TypeError for a float, RuntimeError for a negative one."""
    if isinstance(steps, Tensor):
        steps = steps.item()
    if isinstance(steps, bool) or not hasattr(steps, "__index__"):
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got (int, int, {type(steps).__name__}), but expected one of:\n"
            " * (Tensor start, Tensor end, int steps, *, Tensor out = None, torch.dtype dtype = None)\n"
            " * (Number start, Number end, int steps, *, Tensor out = None, torch.dtype dtype = None)\n"
        )
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    return int(steps)


@composite("torch.logspace")
def logspace(start: Any, end: Any, steps: int, base: float = 10.0, *, out: Any = None, dtype: Any = None, device: Any = None,
             requires_grad: bool = False, **ignored: Any) -> Tensor:  # fmt: skip
    """`base` to the powers `linspace(start, end, steps)`."""
    _check_bounds("logspace", start, end)
    start, end, steps, target = number_of(start), number_of(end), _steps(steps, "logspace"), numpy_dtype(dtype)
    if out is not None and dtype is None:
        target = out._array.dtype
    if target.kind in "iu":
        start, end = int(start), int(end)
    wide = np.dtype(np.complex128 if target.kind == "c" else np.float64)
    array = allocate_like_data(power(base, _linspace(start, end, steps, wide)).astype(target), device)
    return finish(array, requires_grad) if out is None else write_out(wrap(array), out, "logspace")
