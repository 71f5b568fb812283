"""What all functions that make tensors share: sizes, dtypes and devices as they are asked for, and errors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtype as dt
from ..core.device import CPU, as_device
from ..core.device import DEFAULT as DEFAULT_DEVICE
from ..core.dtype import DEFAULT, dtype
from ..core.layout import strided
from ..tensor import Tensor, wrap


def maker_error(*given: Any) -> Exception:
    from .arguments import maker_error

    return maker_error(*given)


def finish(array: Any, requires_grad: bool = False) -> Tensor:
    """The new tensor over an array of its own."""
    t = wrap(array)
    if requires_grad is not False:
        if requires_grad is None:
            return t
        if requires_grad is not True:
            raise TypeError(f"argument 'requires_grad' must be bool, not {type(requires_grad).__name__}")
        if array.dtype.kind not in "fcV":
            raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
        t._requires_grad = True
    return t


def check_layout(layout: Any) -> None:
    """Raises where a dense tensor would not be what was asked for."""
    if layout.__class__ is not strided.__class__:
        raise TypeError(f"argument 'layout' must be torch.layout, not {type(layout).__name__}")
    raise NotImplementedError(f"tensors of the layout {layout} are not available here")


def shape_of(size: Any, name: str = "size") -> tuple[int, ...]:
    """A shape given as several ints or as one sequence. Raises TypeError and RuntimeError as PyTorch does."""
    if len(size) == 1:
        n = size[0]
        if n.__class__ is int and n >= 0:
            return size if size.__class__ is tuple else (n,)
    given = tuple(size)
    if not given:
        from .arguments import refusal

        error = refusal("Tensor" if name.startswith("new_") else "torch", name, (), {})
        if error is not None:
            raise error
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = size[0]
    shape: list[int] = []
    for n in size:
        if type(n) is not int:
            try:
                if not shape and isinstance(n, bool):  # further on it passes for a number
                    raise TypeError
                n = n.__index__()
            except (AttributeError, TypeError):
                from .arguments import size_refusal

                raise size_refusal(name, given) from None
        if n < 0:
            if name == "zeros":
                raise RuntimeError("zeros: Dimension size must be non-negative.")
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: {list(size)}")
        shape.append(n)
    return tuple(shape)


def numpy_dtype(d: Any) -> Any:
    """The NumPy dtype of a requested dtype; the default one where none is."""
    if d is None:
        return DEFAULT.dtype.numpy
    if type(d) is dtype:
        return d.numpy
    if d is float or d is int or d is bool or d is complex:
        return {float: dt.float64, int: dt.int64, bool: dt.bool, complex: dt.complex128}[d].numpy
    raise TypeError(f"dtype must be torch.dtype, not {type(d).__name__}")


def allocate(shape: tuple[int, ...], numpy_type: Any, device: Any, make: Any) -> Any:
    """`make(shape, dtype)` on the CPU; on meta, only the shape."""
    if device is None:
        device = DEFAULT_DEVICE.device
        if device is CPU:
            return make(shape, numpy_type)
    where = as_device(device)
    if where.type == "meta":
        from ..core.meta import MetaArray

        return MetaArray(shape, numpy_type)
    return make(shape, numpy_type)


def allocate_like_data(array: Any, device: Any) -> Any:
    """An array that holds data already, as a tensor on a device does: itself on the CPU; on meta, only its shape."""
    return array if device is None else allocate(array.shape, array.dtype, device, lambda s, d: array)


def number_of(x: Any) -> Any:
    """A Python number for a tensor or a NumPy scalar; all else as it is."""
    return x.item() if isinstance(x, (Tensor, np.generic)) else x
