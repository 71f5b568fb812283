"""Changing dtype and device, copies, and leaving the graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtype as dt
from ..core.device import CPU, as_device, device
from ..core.dtype import dtype
from ..core.layout import in_order_of, preserve_format, preserved_strides, strides_of
from ..kernels import elementwise as k
from ..tensor import PLAIN, Tensor, wrap
from .definition import Array, attach, composite, handle_overrides, operator
from .making import numpy_dtype
from .modes import modes


@operator(node="ToCopyBackward0", out=False)
def to_dtype(input: Array, numpy_dtype: Any) -> Array:
    """A copy in another dtype; a complex number loses its imaginary part."""
    if input.dtype.kind == "c" and numpy_dtype.kind not in "cb":
        input = input.real
    result = k.cast(input, numpy_dtype)
    return in_order_of(input, result) if 0 in input.strides else result


to_dtype.derivative(input=lambda F, grad, input_dtype: F.to_dtype(grad, input_dtype))


@operator(differentiable=False, out=False)
def to_integer(input: Array, numpy_dtype: Any) -> Array:
    """`to_dtype` for integers and booleans, where the graph ends."""
    return to_dtype.forward(input, numpy_dtype)


def _converted(input: Tensor, numpy_dtype: Any) -> Tensor:
    return (to_dtype if numpy_dtype.kind in "fcV" else to_integer).function(input, numpy_dtype)


def _parse_to(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, bool, bool, Any]:
    """(device, dtype, non_blocking, copy, memory_format) from the forms that `Tensor.to` takes. Raises TypeError for others."""
    if not args:  # the forms that are used most
        where, to = kwargs.get("device"), kwargs.get("dtype")
        if len(kwargs) == (where is not None) + (to is not None) and where.__class__ in _PLACES and to.__class__ in _TYPES:
            return where, to, False, False, None
    named = dict(kwargs)
    where, to, other = named.pop("device", None), named.pop("dtype", None), named.pop("tensor", None)
    non_blocking, copy, memory_format = named.pop("non_blocking", False), named.pop("copy", False), named.pop("memory_format", None)
    fits = not named and (other is None or where is None and to is None)
    rest = list(args)
    if rest:
        first = rest.pop(0)
        if isinstance(first, dtype) or first in _PYTHON_TYPES:
            fits = fits and where is None and to is None and other is None
            to = first
        elif first is None or isinstance(first, (device, str, int)):
            fits = fits and where is None and other is None
            where = first
            if rest and (rest[0] is None or isinstance(rest[0], dtype) or rest[0] in _PYTHON_TYPES):
                fits = fits and to is None
                to = rest.pop(0)
        elif isinstance(first, Tensor):
            fits = fits and where is None and to is None and other is None
            other = first
        else:
            fits = False
        if rest:
            non_blocking = rest.pop(0)
        if rest:
            copy = rest.pop(0)
    if (
        not fits
        or rest
        or non_blocking.__class__ is not bool
        or copy.__class__ is not bool
        or not (to is None or isinstance(to, dtype) or to in _PYTHON_TYPES)
        or not (where is None or isinstance(where, (device, str, int)))
    ):
        from .arguments import refusal

        raise refusal("Tensor", "to", args, kwargs) or TypeError("to() received an invalid combination of arguments")
    if other is not None:
        where, to = other.device, other.dtype
    return where, to, non_blocking, copy, memory_format


_PYTHON_TYPES = (float, int, bool, complex)
_PLACES, _TYPES = (device, str, type(None)), (dtype, type(None))


def convert(self: Tensor, where: Any, to: Any, copy: bool, memory_format: Any = None) -> Tensor:
    """The tensor on a device, in a dtype: itself if it is so already and no copy is asked for."""
    array = self._array
    target = array.dtype if to is None else numpy_dtype(to)
    if where is not None and where is not CPU:
        where = as_device(where)
        if where.type != self.device.type:
            if where.type == "meta":
                from ..core.meta import MetaArray

                if hasattr(array, "layout"):
                    raise NotImplementedError("sparse tensors on the device meta are not supported")
                return wrap(MetaArray(array.shape, target, preserved_strides(array.shape, strides_of(array))))
            if array.__class__ is not np.ndarray:
                raise NotImplementedError("Cannot copy out of meta tensor; no data!")
    elif where is CPU and array.__class__ is not np.ndarray and self.is_meta:
        raise NotImplementedError("Cannot copy out of meta tensor; no data!")
    if array.dtype == target:
        if not copy:
            return self if memory_format is None else self.contiguous(memory_format=memory_format)
        return self.clone() if memory_format is None else self.clone(memory_format=memory_format)
    result = _converted(self, target)
    return result if memory_format is None else result.contiguous(memory_format=memory_format)


@composite("Tensor.to", hot=True)
def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """The tensor in another dtype or on another device; itself where nothing changes and `copy` is False."""
    if modes.active or type(self) not in PLAIN:
        result = handle_overrides(to, (self, *args), kwargs)
        if result is not NotImplemented:
            return result
    if len(args) == 1 and not kwargs:
        cls = args[0].__class__
        if cls is dtype:
            target = args[0].numpy
            return self if self._array.dtype == target else _converted(self, target)
        if cls is device or cls is str:
            return convert(self, args[0], None, False)
    where, d, _, copy, memory_format = _parse_to(args, kwargs)
    if memory_format is preserve_format:
        memory_format = None
    return convert(self, where, d, copy, memory_format)


def _caster(name: str, d: dt.dtype) -> None:
    target = d.numpy
    convert = (to_dtype if target.kind in "fcV" else to_integer).function

    def cast(self: Tensor, memory_format: Any = None) -> Tensor:
        if modes.active or type(self) not in PLAIN:
            result = handle_overrides(cast, (self,), {})
            if result is not NotImplemented:
                return result
        result = self if self._array.dtype is target or self._array.dtype == target else convert(self, target)
        return result if memory_format is None or memory_format is preserve_format else result.contiguous(memory_format=memory_format)

    cast.__name__ = cast.__qualname__ = name
    cast.__doc__ = f"The tensor in {d}; itself if it is so already."
    attach(f"Tensor.{name}", cast)


for _name, _dtype in {
    "bool": dt.bool, "byte": dt.uint8, "char": dt.int8, "short": dt.int16, "int": dt.int32, "long": dt.int64, "half": dt.float16,
    "bfloat16": dt.bfloat16, "float": dt.float32, "double": dt.float64, "cfloat": dt.complex64, "cdouble": dt.complex128,
}.items():  # fmt: skip
    _caster(_name, _dtype)


_LAYOUTS = {
    "strided": "Strided", "sparse_coo": "Sparse", "sparse_csr": "SparseCsr", "sparse_csc": "SparseCsc", "sparse_bsr": "SparseBsr",
    "sparse_bsc": "SparseBsc",
}  # fmt: skip


@composite("Tensor.type_as")
def type_as(self: Tensor, other: Tensor) -> Tensor:
    """The tensor in the dtype of `other`, on its device."""
    if self.layout is not other.layout:
        raise RuntimeError(
            "to(options) doesn't support converting to a different layout, but got self.layout being "
            f"{_LAYOUTS[self.layout.name]} and options.layout set as {_LAYOUTS[other.layout.name]}"
        )
    return convert(self, other.device, other.dtype, False)


@composite("Tensor.cpu")
def cpu(self: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor on the CPU: itself if it is there."""
    return convert(self, CPU, None, False)


@composite("Tensor.cuda")
def cuda(self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = None) -> Tensor:
    """Raises AssertionError: there is no CUDA here."""
    return convert(self, as_device("cuda"), None, False)
