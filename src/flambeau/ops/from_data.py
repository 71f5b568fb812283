"""Tensors from data: nested lists, numbers, arrays, buffers."""

from __future__ import annotations

from functools import reduce
from typing import Any, Sequence

import numpy as np

from ..core import dtype as dt
from ..core.device import CPU, as_device
from ..core.device import DEFAULT as DEFAULT_DEVICE
from ..core.dtype import DEFAULT, SCALAR_NAMES, dtype, of_array
from ..core.promotion import number_dtype, promote_types
from ..kernels import memory
from ..tensor import Tensor, wrap
from .definition import composite, handle_overrides
from .making import allocate, allocate_like_data, finish, numpy_dtype
from .modes import modes

ndarray = np.ndarray


def _ragged(data: Any) -> Exception:
    """The error for nested sequences that are no array."""

    def walk(item: Any, expected: Sequence[int], depth: int) -> Exception | None:
        if depth == len(expected):
            return None
        if not isinstance(item, (list, tuple)):
            return (
                TypeError(f"must be real number, not {type(item).__name__}")
                if not isinstance(item, (int, float))
                else TypeError("not a sequence")
            )
        if len(item) != expected[depth]:
            return ValueError(f"expected sequence of length {expected[depth]} at dim {depth} (got {len(item)})")
        for part in item:
            error = walk(part, expected, depth + 1)
            if error is not None:
                return error
        return None

    expected, item = [], data
    while isinstance(item, (list, tuple)):
        expected.append(len(item))
        item = item[0] if item else None
    found = walk(data, expected, 0)
    if found is not None:
        return found

    def leaf(item: Any) -> Any:
        while isinstance(item, (list, tuple)) and item:
            item = next((x for x in item if not isinstance(x, (int, float))), item[0])
        return item

    odd = leaf(data)
    if isinstance(odd, (list, tuple)):
        return TypeError("must be real number, not list")
    return TypeError(f"must be real number, not {type(odd).__name__}")


def _without_tensors(data: Any) -> Any:
    """Nested sequences with tensors replaced by their values. Raises ValueError unless each has one element, of any shape."""
    if isinstance(data, Tensor):
        array = data._array
        if array.__class__ is not ndarray:
            raise RuntimeError("Tensor.item() cannot be called on meta tensors")
        if array.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return (array.astype(np.float32) if array.dtype.kind == "V" else array).reshape(())
    if isinstance(data, (list, tuple)):
        return [_without_tensors(x) for x in data]
    return data


def _contains_tensor(data: Any) -> bool:
    while isinstance(data, (list, tuple)) and data:
        if any(isinstance(x, Tensor) for x in data):
            return True
        data = data[0]
    return False


def array_of(data: Any, want: Any = None, copy: bool = True) -> Any:
    """The array that `torch.tensor(data, dtype=want)` holds: dtype inferred as PyTorch infers it."""
    target = None if want is None else numpy_dtype(want)
    cls = data.__class__
    if cls is float:
        return memory.array(data, DEFAULT.dtype.numpy if target is None else target)
    if cls is int or cls is bool:
        if target is None:
            if cls is int and not -(2**63) <= data < 2**63:
                raise ValueError("Overflow when unpacking long long")
            return memory.array(data, np.bool_ if cls is bool else np.int64)
        return memory.array(data).astype(target)
    if isinstance(data, Tensor):
        array = data._array
        return array.astype(array.dtype if target is None else target, copy=copy)
    if isinstance(data, (ndarray, np.generic)):
        array = memory.asarray(data)
        found = of_array(array)
        if array.dtype != found.numpy:
            array = array.astype(found.numpy)
        if target is None and isinstance(data, np.generic) and found is dt.float64 and not isinstance(data, ndarray):
            target = found.numpy
        return array.astype(array.dtype if target is None else target, order="C", copy=copy)
    if cls is list or cls is tuple or hasattr(data, "__len__") and not isinstance(data, (str, bytes, dict, set)):
        if hasattr(data, "__array__") or hasattr(data, "__array_interface__"):
            return array_of(memory.asarray(data), want, copy)
        if _contains_tensor(data):
            if target is None:
                target = _common_dtype(data).numpy
            values = _without_tensors(data)
            try:
                array = memory.array(values)
            except ValueError:
                raise _ragged(data) from None
        else:
            try:
                array = memory.array(data)
            except ValueError:
                raise _ragged(data) from None
            except OverflowError:
                raise ValueError("Overflow when unpacking long long") from None
        kind = array.dtype.kind
        if kind in "OUS" or (kind == "u" and array.dtype.itemsize == 8):
            if kind in "US":
                first = data
                while isinstance(first, (list, tuple)) and first:
                    first = first[0]
                if isinstance(first, str) and first:  # PyTorch takes a string for a sequence of strings
                    raise ValueError("too many dimensions 'str'")
                if target is not None:
                    raise TypeError(f"must be real number, not {'str' if kind == 'U' else 'bytes'}")
                raise TypeError(f"new(): invalid data type '{'str' if kind == 'U' else 'bytes'}'")
            if kind == "u":
                if target is None or target.kind == "i":
                    raise ValueError("Overflow when unpacking long long")
                return array.astype(target)
            raise _object_error(data)
        if target is not None:
            return array.astype(target)
        if kind == "f":
            return array.astype(DEFAULT.dtype.numpy, copy=False) if not _holds_numpy(data) else array
        if kind == "c":
            return array.astype(DEFAULT.complex.numpy)
        if kind == "b":
            return array
        return array.astype(np.int64, copy=False) if not _holds_numpy(data) else array
    if cls is complex:
        return memory.array(data, DEFAULT.complex.numpy if target is None else target)
    if hasattr(data, "__array__") or hasattr(data, "__array_interface__") or hasattr(data, "__cuda_array_interface__"):
        return array_of(memory.asarray(data), want, copy)
    if isinstance(data, (int, float)):
        return array_of(int(data) if isinstance(data, int) else float(data), want, copy)
    if data is None:
        raise RuntimeError("Could not infer dtype of NoneType")
    if isinstance(data, str):
        raise TypeError("new(): invalid data type 'str'")
    raise RuntimeError(f"Could not infer dtype of {type(data).__name__}")


def _holds_numpy(data: Any) -> bool:
    """Whether the nested sequences hold NumPy values, whose dtype then counts."""
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return isinstance(data, (np.generic, ndarray))


def _common_dtype(data: Any) -> dtype:
    """The dtype that numbers and tensors in nested sequences promote to."""
    if isinstance(data, Tensor):
        return data.dtype
    if isinstance(data, (list, tuple)):
        found = [_common_dtype(x) for x in data]
        return reduce(promote_types, found) if found else DEFAULT.dtype
    if isinstance(data, (np.generic, ndarray)):
        return of_array(memory.asarray(data))
    return number_dtype(data)


def _object_error(data: Any) -> Exception:
    item = data
    while isinstance(item, (list, tuple)) and item:
        item = next((x for x in item if isinstance(x, (list, tuple)) or not isinstance(x, (int, float, complex))), item[0])
    if item is None:
        return RuntimeError("Could not infer dtype of NoneType")
    if isinstance(item, int):
        return ValueError("Overflow when unpacking long long")
    if isinstance(item, (list, tuple)):
        return _ragged(data)
    return RuntimeError(f"Could not infer dtype of {type(item).__name__}")


@composite("torch.tensor", hot=True)
def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False) -> Tensor:
    """A new tensor with a copy of `data`: a number, nested sequences, an array or a tensor.

    Without `dtype`: floats give the default dtype, ints int64, bools bool. Raises ValueError for ragged sequences.
    """
    if modes.active:
        result = handle_overrides(tensor, (data,), dict(dtype=dtype, device=device, requires_grad=requires_grad))
        if result is not NotImplemented:
            return result
    if isinstance(data, Tensor):
        import warnings

        warnings.warn(
            "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
            "sourceTensor.detach().clone().requires_grad_(True), rather than torch.tensor(sourceTensor).",
            stacklevel=2,
        )
    try:
        array = array_of(data, dtype)
        if device is not None or DEFAULT_DEVICE.device is not CPU:
            array = allocate(array.shape, array.dtype, device, lambda s, d: array)
    except TypeError as error:
        from .arguments import option_error

        raise option_error("tensor", dtype, device, error)
    if requires_grad is not False and requires_grad is not True:
        raise TypeError(f"tensor(): argument 'requires_grad' must be bool, not {type(requires_grad).__name__}")
    return finish(array, requires_grad)


@composite("torch.as_tensor", hot=True)
def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """`data` as a tensor, sharing memory with an array or tensor where dtype and device allow."""
    if isinstance(data, Tensor):
        if (dtype is None or data.dtype is dtype) and (device is None or as_device(device).type == data.device.type):
            return data
        return data.to(dtype=dtype or data.dtype, device=device)
    try:
        if isinstance(data, ndarray) and of_array(data).numpy == data.dtype:
            if dtype is None or numpy_dtype(dtype) == data.dtype:
                return from_numpy(data)
        return finish(allocate_like_data(array_of(data, dtype), device), False)
    except TypeError as error:
        from .arguments import option_error

        raise option_error("as_tensor", dtype, device, error)


@composite("torch.asarray")
def asarray(obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool | None = None) -> Tensor:
    """`obj` as a tensor: it shares memory with a tensor, an array or a buffer where it can, unless `copy`.

    It requires a gradient where `obj` does, unless told.

    Raises ValueError where `copy` is False and memory cannot be shared.
    """
    if isinstance(obj, Tensor):
        return _tensor_asarray(obj, dtype, device, copy, requires_grad)
    if isinstance(obj, np.generic):
        if copy is False:
            raise RuntimeError("can't alias NumPy scalars. Either remove copy=False or transform it in a ndarray. ")
        obj = memory.asarray(obj)
    if isinstance(obj, ndarray):
        shared = from_numpy(obj)
    elif isinstance(obj, (bytes, bytearray, memoryview)) or _has_buffer(obj):
        shared = frombuffer(obj, dtype=DEFAULT.dtype if dtype is None else dtype)
    else:
        if copy is False:
            raise ValueError("can't alias arbitrary sequence into a tensor.")
        return finish(allocate_like_data(array_of(obj, dtype), device), bool(requires_grad))
    found = _tensor_asarray(shared, dtype, device, copy, False)
    return found.requires_grad_() if requires_grad else found


def _tensor_asarray(obj: Tensor, dtype: Any, device: Any, copy: bool | None, requires_grad: bool | None) -> Tensor:
    """`asarray` of a tensor: itself where nothing has to change."""
    if requires_grad is None:
        requires_grad = obj.requires_grad
    other_dtype = dtype is not None and dtype is not obj.dtype
    other_device = device is not None and as_device(device).type != obj.device.type
    if copy is False and other_dtype:
        names = (SCALAR_NAMES[d] for d in (obj.dtype, dtype))
        raise ValueError("can't alias tensor with dtype '{}' into dtype '{}'.".format(*names))
    if copy is False and other_device:
        raise ValueError(f"can't alias tensor from device '{obj.device}' to '{as_device(device)}'.")
    if other_dtype or other_device:
        obj = obj.to(dtype=dtype or obj.dtype, device=device)
    elif copy:
        obj = obj.clone()
    if obj.requires_grad and not requires_grad:
        return obj.detach()
    return obj.requires_grad_() if requires_grad and not obj.requires_grad else obj


def _has_buffer(obj: Any) -> bool:
    """Whether an object lends its memory, as arrays of the module `array` do."""
    try:
        memoryview(obj)
    except TypeError:
        return False
    return True


@composite("torch.from_numpy", hot=True)
def from_numpy(ndarray: Any) -> Tensor:
    """A tensor over the array's own memory. Raises TypeError for a dtype PyTorch lacks, ValueError for negative strides."""
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    found = of_array(ndarray)
    if ndarray.dtype != found.numpy:
        raise ValueError(
            "given numpy array has byte order different from the native byte order. Conversion between byte "
            "orders is currently not supported."
        )
    for s in ndarray.strides:
        if s < 0:
            raise ValueError(
                "At least one stride in the given numpy array is negative, and tensors with negative strides are not currently "
                "supported. (You can probably work around this by making a copy of your array  with array.copy().) "
            )
        if s % ndarray.itemsize:
            raise ValueError(
                "given numpy array strides not a multiple of the element byte size. Copy the numpy array to reallocate the memory."
            )
    if not ndarray.flags.writeable:
        import warnings

        warnings.warn(
            "The given NumPy array is not writable, and PyTorch does not support non-writable tensors. This means writing to this tensor "
            "will result in undefined behavior. You may want to copy the array to protect its data or make it writable before converting "
            "it to a tensor. This type of warning will be suppressed for the rest of this program.",
            stacklevel=2,
        )
    return wrap(ndarray.view(np.ndarray) if type(ndarray) is not np.ndarray else ndarray)


@composite("torch.frombuffer")
def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """A 1-d tensor over the memory of a Python buffer. Raises ValueError where the buffer does not hold it."""
    size = memoryview(buffer).nbytes
    item = numpy_dtype(dtype).itemsize
    if size <= 0 or count == 0:
        raise ValueError(f"both buffer length ({size}) and count ({count}) must not be 0")
    if not 0 <= offset < size:
        raise ValueError(f"offset ({offset} bytes) must be non-negative and no greater than buffer length ({size} bytes) minus 1")
    if count < 0 and (size - offset) % item:
        raise ValueError(f"buffer length ({size - offset} bytes) after offset ({offset} bytes) must be a multiple of element size ({item})")
    if count > 0 and offset + count * item > size:
        raise ValueError(
            f"requested buffer length ({count} * {item} bytes) after offset ({offset} bytes) must not be greater than actual buffer "
            f"length ({size} bytes)"
        )
    return finish(memory.frombuffer(buffer, numpy_dtype(dtype), count, offset), requires_grad)


@composite("torch.scalar_tensor")
def scalar_tensor(s: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A 0-dim tensor, of the default dtype unless one is given."""
    return finish(allocate((), numpy_dtype(dtype), device, lambda shape, to: memory.array(s, to)), requires_grad)
