"""Complex numbers seen as pairs of real ones and back, and tensors whose own shape or memory is changed in place."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ..autograd.version import shared_version
from ..core import layout
from ..core.dtype import OF_NUMPY
from ..core.layout import strided_view, strides_of
from ..kernels import memory
from ..tensor import Tensor, guard_in_place
from .definition import Array, attach, composite, formula_function, operator, tensors
from .ordering import t, transpose
from .shape import alias, clone_tensor, ints, squeeze, unsqueeze
from .slicing import as_strided, select

_REAL = {np.dtype(np.complex64): np.dtype(np.float32), np.dtype(np.complex128): np.dtype(np.float64)}
_COMPLEX = {real: whole for whole, real in _REAL.items()}


# --- complex numbers -----------------------------------------------------------------------------------------------


@operator("torch.view_as_real", view="crossing")
def view_as_real(input: Array) -> Array:
    """A complex tensor's memory as pairs (real, imaginary) in a new last dimension."""
    real = _REAL.get(input.dtype)
    if real is None:
        raise RuntimeError("view_as_real is only supported for complex tensors")
    strides = (*[2 * s for s in strides_of(input)], 1)
    return _as_dtype(input, real, (*input.shape, 2), strides)


@operator("torch.view_as_complex", view="crossing")
def view_as_complex(input: Array) -> Array:
    """Pairs in the last dimension as complex numbers."""
    whole = _COMPLEX.get(input.dtype)
    if whole is None:
        name = OF_NUMPY[input.dtype].name
        raise RuntimeError(
            f"view_as_complex is only supported for half, float and double tensors, but got a tensor of scalar type: {_title(name)}"
        )
    if not input.ndim:
        raise RuntimeError("Input tensor must have one or more dimensions")
    if input.shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")
    strides = strides_of(input)
    if strides[-1] != 1:
        raise RuntimeError("Tensor must have a last dimension with stride 1")
    if any(s % 2 for s in strides[:-1]):
        raise RuntimeError("Tensor must have a stride divisible by 2 for all but last dimension")
    if layout.storage_offset(input) % 2:
        raise RuntimeError("Tensor must have a storage_offset divisible by 2")
    return _as_dtype(input, whole, input.shape[:-1], [s // 2 for s in strides[:-1]])


def _title(name: str) -> str:
    from ..core.dtype import SCALAR_NAMES, by_name

    return SCALAR_NAMES[by_name(name)]


def _as_dtype(input: Array, dtype: Any, shape: Any, strides: Any) -> Array:
    """The memory from the input's first element on, read as another dtype."""
    if input.__class__ is not np.ndarray:  # without memory
        return type(input)(shape, dtype, strides)
    if not input.size:
        return strided_view(memory.empty(0, dtype), shape, strides)
    root = layout.root_of(input)
    start = layout.address(input) - layout.address(root)
    if not root.flags.c_contiguous:
        root = root.transpose(sorted(range(root.ndim), key=lambda d: -root.strides[d]))
    return np.ndarray(shape, dtype, root, start, [s * dtype.itemsize for s in strides])


def _pairs_as_complex(x: Array) -> Array:
    x = memory.ascontiguousarray(x)
    return x.view(_COMPLEX[x.dtype])[..., 0]


formula_function("complex_of", _pairs_as_complex, lambda x: view_as_complex.function(x.contiguous()))
view_as_real.derivative(input=lambda F, grad: F.complex_of(grad))
view_as_complex.derivative(input=lambda F, grad: F.view_as_real(grad))


@composite("torch.real")
def real(input: Tensor) -> Tensor:
    """The real parts, as a view; a real tensor itself."""
    if input._array.dtype.kind != "c":
        return input
    if input.is_sparse:
        from .sparse_arithmetic import real

        return real(input)
    return select.function(view_as_real.function(input), -1, 0)


@composite("torch.imag")
def imag(input: Tensor) -> Tensor:
    """The imaginary parts, as a view. Raises RuntimeError for a real tensor."""
    if input._array.dtype.kind != "c":
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    if input.is_sparse:
        from .sparse_arithmetic import imaginary

        return imaginary(input)
    return select.function(view_as_real.function(input), -1, 1)


formula_function("real", lambda x: x.real, real)
formula_function("imag", lambda x: x.imag, imag)
attach("Tensor.real", property(real, lambda self, value: real(self).copy_(value)))
attach("Tensor.imag", property(imag, lambda self, value: imag(self).copy_(value)))


# --- another shape for the tensor itself ---------------------------------------------------------------------------


def reshape_in_place(self: Tensor, made: Any) -> Tensor:
    """Gives the tensor the shape of `made()`, a view of it, with that step in its history."""
    view = self._view
    guard_in_place(self)
    result = made()
    self._array = result._array
    node = result._node
    if node is not None:
        node.__class__ = _in_place_class(type(node))
    self._node = node
    self._requires_grad = result._requires_grad
    shared_version(self)[0] += 1
    if view is not None and node is not None:
        view.version = self._counter[0]
    return self


_IN_PLACE_CLASSES: dict[type, type] = {}


def _in_place_class(cls: type) -> type:
    """The node class of an in-place form, whose name has the next number (`TBackward1`); after squeeze's three, 3 to 5."""
    found = _IN_PLACE_CLASSES.get(cls)
    if found is None:
        name, _, number = cls.__name__.rpartition("d")
        step = 3 if name.startswith("Squeeze") else 1
        found = _IN_PLACE_CLASSES[cls] = type(f"{name}d{int(number) + step}", (cls,), {"__slots__": (), "__module__": cls.__module__})
    return found


def _in_place(name: str, function: Any) -> None:
    def in_place(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return reshape_in_place(self, lambda: function(self, *args, **kwargs))

    in_place.__name__ = in_place.__qualname__ = name
    in_place.__doc__ = f"`{name.removesuffix('_')}` of the tensor itself."
    attach(f"Tensor.{name}", composite()(in_place))


def _transposed(x: Tensor) -> Tensor:
    if x._array.ndim > 2:
        raise RuntimeError(f"t_() expects a tensor with <= 2 dimensions, but self is {x._array.ndim}D")
    return t.function(x)


for _name, _function in {
    "transpose_": transpose.function, "swapaxes_": transpose.function, "swapdims_": transpose.function, "t_": _transposed,
    "squeeze_": squeeze, "unsqueeze_": unsqueeze.function, "as_strided_": as_strided,
}.items():  # fmt: skip
    _in_place(_name, _function)
attach("torch.as_strided_", Tensor.as_strided_)


@composite("Tensor.resize_")
def resize_(self: Tensor, *sizes: Any, memory_format: Any = None) -> Tensor:
    """Gives the tensor another shape over its storage, which grows if need be; new elements are uninitialised.

    Raises RuntimeError for a tensor that requires a gradient, or where a storage that others look at would have to grow.
    """
    shape = ints(sizes, "resize_")
    if self.requires_grad:
        raise RuntimeError("cannot resize variables that require grad")
    if any(n < 0 for n in shape):
        raise RuntimeError("numel: integer multiplication overflow")
    array = self._array
    if memory_format is None or memory_format is layout.contiguous_format:
        strides = layout.contiguous_strides(shape)
    elif memory_format is layout.preserve_format:
        raise RuntimeError("Unsupported memory format preserve_format")
    else:
        strides = layout.format_strides(shape, memory_format)
    if shape == array.shape and memory_format is None:
        return self
    guard_in_place(self)
    needed = layout.extent(shape, strides)
    offset = self.storage_offset()
    if array.__class__ is not np.ndarray:
        self._array = array.as_strided(shape, strides)
        return self
    held = layout.root_of(array)
    if (needed + offset) * array.itemsize <= held.nbytes:
        self._array = strided_view(array, shape, strides)
        return self
    if array.size and (array.base is not None or sys.getrefcount(array) > 3):
        shared = array.base is not None and layout.root_of(array) is not array and sys.getrefcount(held) > 3
        if shared or self._view is not None:
            raise RuntimeError("resize_: the storage would have to grow, but other tensors look at it; use torch.empty and copy_ instead")
    old = held.reshape(-1, order="A").view(array.dtype)[: held.nbytes // array.itemsize] if held.size else memory.empty(0, array.dtype)
    grown = memory.empty(needed + offset, array.dtype)
    grown[: old.size] = old
    self._array = strided_view(grown, shape, strides, offset)
    return self


@composite("Tensor.resize_as_", "torch.resize_as_")
def resize_as_(self: Tensor, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
    """`resize_` to the shape of another tensor."""
    return resize_(self, the_template._array.shape, memory_format=memory_format)


@composite("Tensor.resize")
def resize(self: Tensor, *sizes: Any) -> Tensor:
    """The elements in another shape of the same number of elements."""
    return self.reshape(*sizes)


@composite("Tensor.set_")
def set_(self: Tensor, source: Any = None, storage_offset: int = 0, size: Any = None, stride: Any = None) -> Tensor:
    """Lets the tensor look at another tensor's memory, or at a storage with an offset, size and stride in elements."""
    if source is None:
        self._array = memory.empty(0, self._array.dtype)
    elif isinstance(source, Tensor):
        if source._array.dtype != self._array.dtype:
            raise RuntimeError(f"Could not set tensor of type {_c_name(source)} to a tensor of type {_c_name(self)}")
        if size is None:
            self._array = source._array
        else:
            self._array = as_strided(source.detach(), size, stride or layout.contiguous_strides(size), storage_offset)._array
    else:
        from ..core.storage import strided_array
        from ..core.typed_storage import TypedStorage

        untyped: Any = source._untyped_storage if isinstance(source, TypedStorage) else source
        dtype = OF_NUMPY[self._array.dtype]
        if size is None:
            size = (untyped.nbytes() // dtype.itemsize,)
        size = tuple(size)
        self._array = strided_array(
            untyped._memory, dtype, storage_offset, size, layout.contiguous_strides(size) if stride is None else stride
        )
    shared_version(self)[0] += 1
    return self


def _c_name(x: Tensor) -> str:
    return {"float32": "float", "float64": "double", "int64": "long", "bool": "bool", "int32": "int"}.get(x.dtype.name, x.dtype.name)


# --- copies of what would be views ---------------------------------------------------------------------------------


def _copying(name: str, view_of: Any) -> None:
    def copy(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        found = view_of(*args, **kwargs)
        if out is not None:
            if isinstance(found, tuple):
                for o, f in zip(out, found):
                    o.resize_(f.shape).copy_(f)
                return None
            return out.resize_(found.shape).copy_(found)
        if isinstance(found, tuple):
            return tuple([clone_tensor(f, layout.contiguous_format) for f in found])
        return clone_tensor(found, layout.contiguous_format)

    copy.__name__ = copy.__qualname__ = name
    copy.__doc__ = f"`{name.removesuffix('_copy')}` as a copy, not a view."
    attach(f"torch.{name}", composite()(copy))


for _name, _function in {
    "alias_copy": alias, "as_strided_copy": as_strided, "detach_copy": Tensor.detach, "expand_copy": Tensor.expand,
    "permute_copy": Tensor.permute, "select_copy": select.function,
    "slice_copy": lambda x, dim=0, start=None, end=None, step=1: tensors.slice_dim(x, dim, start, end, step),
    "split_copy": Tensor.split, "split_with_sizes_copy": Tensor.split_with_sizes, "squeeze_copy": squeeze, "t_copy": t.function,
    "transpose_copy": transpose.function, "unbind_copy": Tensor.unbind, "unfold_copy": Tensor.unfold,
    "unsqueeze_copy": unsqueeze.function, "view_copy": Tensor.view, "view_as_real_copy": view_as_real.function,
    "view_as_complex_copy": view_as_complex.function,
}.items():  # fmt: skip
    _copying(_name, _function)
