"""Making tensors: from data, from a shape, like another tensor."""

from __future__ import annotations

import math
from functools import reduce
from typing import Any, Sequence

import numpy as np

from .. import tensor as tensor_module
from ..core import dtype as dt
from ..core.device import CPU, as_device
from ..core.device import DEFAULT as DEFAULT_DEVICE
from ..core.dtype import DEFAULT, OF_NUMPY, SCALAR_NAMES, dtype, of_array
from ..core.layout import contiguous_format, format_strides, preserve_format, preserved_strides, strided, strided_view, strides_of
from ..core.layout import empty_strided as strided_empty
from ..core.promotion import number_dtype, promote_types
from ..core.size import Size
from ..kernels import memory
from ..kernels.elementwise import power, trunc
from ..tensor import PLAIN, Tensor, wrap, wrap_as
from .definition import attach, composite, explained_here, formula_function, handle_overrides, write_out
from .modes import modes
from .outputs import room
from .running import refuse_options, unfit_number

ndarray = np.ndarray


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


# --- from data ---------------------------------------------------------------------------------------------------


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


def allocate_like_data(array: Any, device: Any) -> Any:
    return array if device is None else allocate(array.shape, array.dtype, device, lambda s, d: array)


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


# --- from a shape ------------------------------------------------------------------------------------------------


def _of_layout(name: str, shape: Any, layout: Any, dtype: Any, requires_grad: bool, like: bool = False) -> Tensor:
    """An empty sparse tensor. Raises where the function would not give zeros, and for layouts that there are none of."""
    if layout.__class__ is not strided.__class__ or not layout.name.startswith("sparse_"):
        check_layout(layout)
    if name == "ones" and like:
        from ..core.sparse import refusal

        raise refusal("fill_.Scalar")
    if name not in ("zeros", "empty"):
        raise RuntimeError("full(...) is not implemented for sparse layout")
    from .sparse import empty_of_layout

    return finish(empty_of_layout(layout.name, shape, DEFAULT.dtype.numpy if dtype is None else numpy_dtype(dtype)), requires_grad)


def _maker(name: str, make: Any, value: Any, doc: str) -> Any:
    def create(*size: Any, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
               requires_grad: bool = False, memory_format: Any = None, **named: Any) -> Tensor:  # fmt: skip
        if named:
            if "size" in named:
                size = (named.pop("size"),)
            if "names" in named and named.pop("names") is not None:
                raise NotImplementedError("named tensors are not supported")
            if named:
                raise TypeError(f"{name}() got an unexpected keyword argument '{next(iter(named))}'")
        if modes.active:
            result = handle_overrides(create, size, dict(dtype=dtype, device=device, requires_grad=requires_grad))
            if result is not NotImplemented:
                return result
        try:
            shape = shape_of(size, name)
            if layout is not None and layout is not strided:
                return _of_layout(name, shape, layout, dtype, requires_grad)
            if out is not None:
                return _filled(out, shape, out._array.dtype if dtype is None else numpy_dtype(dtype), value, name)
            numpy_type = DEFAULT.dtype.numpy if dtype is None else dtype.numpy if dtype.__class__ is dt.dtype else numpy_dtype(dtype)
            if device is None and DEFAULT_DEVICE.device is CPU:
                array = make(shape, numpy_type)
            else:
                array = allocate(shape, numpy_type, device, make)
            if memory_format is not None and memory_format is not contiguous_format:
                array = _in_format(array, memory_format)
            return wrap(array) if requires_grad is False else finish(array, requires_grad)
        except Exception as error:
            raise maker_error(
                "torch", name, size, dict(out=out, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad), error
            )

    create.__name__ = create.__qualname__ = name
    create.__doc__ = doc
    create.__module__ = "torch"
    attach(f"torch.{name}", create)
    return create


def _in_format(array: Any, memory_format: Any) -> Any:
    """An array of the same content in another memory format."""
    if memory_format is preserve_format:
        raise RuntimeError("unsupported memory format option Preserve")
    result = strided_empty(array.shape, format_strides(array.shape, memory_format), array.dtype)
    result[...] = array
    return result


def _filled(out: Tensor, shape: Any, numpy_type: Any, value: Any, name: str) -> Tensor:
    """`out` in that shape with one value everywhere; with whatever was there where it is None."""
    array = room(out, shape, numpy_type)
    if value is not None:
        memory.copy_into(array, value)
    return write_out(wrap(array), out, name)


zeros = _maker("zeros", memory.zeros, 0, "A tensor of zeros. `size`: ints or one sequence; dtype: the default unless given.")
ones = _maker("ones", memory.ones, 1, "A tensor of ones. `size`: ints or one sequence; dtype: the default unless given.")
empty = _maker("empty", memory.empty, None, "A tensor whose elements are whatever the memory held.")


@composite("torch.full", hot=True)
def full(size: Any, fill_value: Any, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
         requires_grad: bool = False, pin_memory: bool = False) -> Tensor:  # fmt: skip
    """A tensor of one value, whose Python type gives the dtype unless one is given."""
    try:
        if modes.active:
            result = handle_overrides(full, (size, fill_value), dict(dtype=dtype, device=device, requires_grad=requires_grad))
            if result is not NotImplemented:
                return result
        if isinstance(fill_value, Tensor):
            if fill_value.ndim:
                raise TypeError("full(): argument 'fill_value' (position 2) must be Number, not Tensor")
            fill_value = fill_value.item()
        if fill_value is None:
            raise TypeError("full(): argument 'fill_value' (position 2) must be Number, not NoneType")
        if dtype is None:
            if out is not None:
                dtype = out.dtype
            elif fill_value.__class__ is float:
                dtype = DEFAULT.dtype
            elif isinstance(fill_value, (bool, np.bool_)):
                dtype = dt.bool
            elif isinstance(fill_value, (int, np.integer)):
                dtype = dt.int64
            elif isinstance(fill_value, complex):
                dtype = DEFAULT.complex
            else:
                dtype = DEFAULT.dtype
        numpy_type = numpy_dtype(dtype)
        if isinstance(size, int):
            raise TypeError(f"full(): argument 'size' (position 1) must be tuple of ints, not {type(size).__name__}")
        shape = shape_of((size,), "full")
        if numpy_type.kind in "iu":
            fill_value = int(fill_value)
            if numpy_type.kind == "u" and -(1 << 8 * numpy_type.itemsize) < fill_value < 0:  # wraps round, as in C
                fill_value += 1 << 8 * numpy_type.itemsize
        if layout is not None and layout is not strided:
            check_layout(layout)
        if out is not None and device is None and DEFAULT_DEVICE.device is CPU:
            return _filled(out, shape, numpy_type, fill_value, "full")
        array = allocate(shape, numpy_type, device, lambda s, d: memory.full(s, fill_value, d))
        return finish(array, requires_grad) if out is None else write_out(wrap(array), out, "full")
    except OverflowError as error:
        raise unfit_number(fill_value, numpy_type) or explained_here(error, "torch.full")
    except Exception as error:
        raise explained_here(error, "torch.full")


@composite("torch.empty_strided")
def empty_strided(size: Any, stride: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, **ignored: Any) -> Tensor:
    """An uninitialised tensor with explicit strides (in elements)."""
    shape, strides = tuple(size), tuple(stride)
    if len(shape) != len(strides):
        raise RuntimeError("mismatch in length of strides and shape")
    extent = 1 + sum((n - 1) * s for n, s in zip(shape, strides)) if math.prod(shape) else 0
    array = allocate((extent,), numpy_dtype(dtype), device, memory.empty)
    if array.__class__ is ndarray:
        array = strided_view(array, shape, strides)
    else:
        array = type(array)(shape, array.dtype, strides)
    return finish(array, requires_grad)


@composite("torch.empty_permuted")
def empty_permuted(size: Any, physical_layout: Any, **options: Any) -> Tensor:
    """An uninitialised tensor whose dimensions lie in memory in the given order."""
    if len(size) != len(physical_layout):
        raise RuntimeError(
            "Number of dimensions in size does not match the length of the physical_layout; i.e. len(size) = "
            f"{len(size)} is not equal to len(physical_layout) = {len(physical_layout)}"
        )
    for i, d in enumerate(physical_layout):
        if not 0 <= d < len(size):
            raise RuntimeError(
                f"Dimension out of range (expected to be between 0 and {len(size) - 1}, but got {d} at index {i}).  NB: negative dims not "
                "currently supported; file an issue if you want it."
            )
    if len(set(physical_layout)) < len(size):
        raise RuntimeError("Duplicate dim not allowed")
    made = empty([size[d] for d in physical_layout], **options)
    back = [0] * len(size)
    for i, d in enumerate(physical_layout):
        back[d] = i
    return made.permute(back)


def _number(x: Any) -> Any:
    return x.item() if isinstance(x, (Tensor, np.generic)) else x


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
        start, end, step = _number(start), _number(end), _number(step)
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
    start, end, steps = _number(start), _number(end), _steps(steps, "linspace")
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
    ahead, back = memory.arange(half), memory.arange(steps - half - 1, -1, -1)
    wide = {"f4": np.float64, "f8": np.longdouble}.get(numpy_type.str[1:])  # PyTorch's vector code fuses the product and the sum
    if wide is None and numpy_type.kind == "c":
        ahead, back = ahead.astype(numpy_type), back.astype(numpy_type)
        return memory.concatenate([a + step * ahead, b - step * back])
    if wide is None:
        wide = np.float32
    a, b, step = wide(a), wide(b), wide(step)
    return memory.concatenate([a + step * ahead.astype(wide), b - step * back.astype(wide)]).astype(numpy_type)


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
    start, end, steps, target = _number(start), _number(end), _steps(steps, "logspace"), numpy_dtype(dtype)
    if out is not None and dtype is None:
        target = out._array.dtype
    if target.kind in "iu":
        start, end = int(start), int(end)
    wide = np.dtype(np.complex128 if target.kind == "c" else np.float64)
    array = allocate_like_data(power(base, _linspace(start, end, steps, wide)).astype(target), device)
    return finish(array, requires_grad) if out is None else write_out(wrap(array), out, "logspace")


@composite("torch.eye")
def eye(n: int, m: int | None = None, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
        requires_grad: bool = False, pin_memory: bool = False) -> Tensor:  # fmt: skip
    """The n x m matrix with ones on its diagonal."""
    m = n if m is None else m
    for name, value in (("n", n), ("m", m)):
        if value < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {value}")
    array = allocate((n, m), numpy_dtype(dtype), device, lambda s, d: memory.eye(*s, dtype=d))
    return finish(array, requires_grad) if out is None else write_out(wrap(array), out, "eye")


def _triangle(name: str, keep: Any) -> None:
    def indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None, **ignored: Any) -> Tensor:
        mask = keep(memory.ones((row, col), np.bool_), offset)
        return finish(allocate_like_data(memory.stack(mask.nonzero()).astype(numpy_dtype(dtype or dt.int64)), device))

    indices.__name__ = name
    indices.__doc__ = f"A (2, count) tensor: rows and columns of the {name[:4]} part of a row x col matrix."
    attach(f"torch.{name}", indices)


_triangle("tril_indices", np.tril)
_triangle("triu_indices", np.triu)


# --- like another tensor -------------------------------------------------------------------------------------------


empty_like_array = np.empty_like


def like_array(array: Any, numpy_type: Any) -> Any:
    """Uninitialised memory in the order of `array` where that is dense, else row-major."""
    return memory.empty_like(array, numpy_type, subok=False) if array.__class__ is ndarray else _unfilled(array, numpy_type)


def _unfilled(array: Any, numpy_type: Any) -> Any:
    """The same for an array without memory. Raises NotImplementedError for a sparse one."""
    if hasattr(array, "layout"):
        from ..core.sparse import refusal

        raise refusal("uniform_", array.backend)
    return type(array)(array.shape, numpy_type)


def _sparse_like(name: str, source: Any, numpy_type: Any, fill: Any, requires_grad: bool) -> Tensor:
    """What `zeros_like` or `empty_like` gives for a sparse tensor: one with nothing stored. Others are refused."""
    if source.layout != "sparse_coo" and name in ("ones_like", "full_like"):
        return finish(source.with_values(memory.full(source.values.shape, fill, numpy_type)), requires_grad)
    if name not in ("zeros_like", "empty_like"):
        from ..core.sparse import refusal

        raise refusal("fill_.Scalar", source.backend)
    from .sparse import empty_like_sparse

    return finish(empty_like_sparse(source, numpy_type), requires_grad)


def _like(name: str, fill: Any, extra: bool = False) -> Any:
    def create(input: Any, *args: Any, dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
               requires_grad: bool = False, memory_format: Any = None, **more: Any) -> Tensor:  # fmt: skip
        if modes.active or type(input) not in PLAIN:
            if not isinstance(input, Tensor):
                raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
            result = handle_overrides(create, (input, *args), dict(more, dtype=dtype, device=device, requires_grad=requires_grad))
            if result is not NotImplemented:
                return result
        try:
            if layout is not None and layout is not strided:
                check_layout(layout)
            source = input._array
            numpy_type = source.dtype if dtype is None else numpy_dtype(dtype)
            if device is not None and as_device(device).type != input.device.type:
                array = allocate(source.shape, numpy_type, device, memory.empty)
            elif source.__class__ is ndarray:
                if source.flags.forc:
                    array = empty_like_array(source, numpy_type)
                else:
                    array = strided_empty(source.shape, preserved_strides(source.shape, strides_of(source)), numpy_type)
            else:
                if hasattr(source, "layout"):
                    return _sparse_like(name, source, numpy_type, next(iter((*args, *more.values())), 1), requires_grad)
                array = type(source)(source.shape, numpy_type, preserved_strides(source.shape, strides_of(source)))
            if memory_format is not None and memory_format is not preserve_format:
                array = _in_format(array, memory_format)
            if fill is None and (args or more):
                raise TypeError(f"{name}() takes 1 positional argument")
            if array.__class__ is ndarray and fill is not None:
                fill(array, *args, **more)
            return wrap(array) if requires_grad is False else finish(array, requires_grad)
        except Exception as error:
            options = dict(more, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad, memory_format=memory_format)
            raise maker_error("torch", name, (input, *args), options, error)

    create.__name__ = create.__qualname__ = name
    create.__module__ = "torch"
    create.__doc__ = f"A tensor of `input`'s shape, dtype and device unless others are given; see `{name[:-5]}`."
    attach(f"torch.{name}", create)
    return create


def _fill_value(array: Any, fill_value: Any) -> None:
    memory.fill(array, _number(fill_value))


zeros_like = _like("zeros_like", lambda a: memory.fill(a, 0))
ones_like = _like("ones_like", lambda a: memory.fill(a, 1))
formula_function("ones_like", np.ones_like, ones_like)
empty_like = _like("empty_like", None)
formula_function("empty_like", np.empty_like, empty_like)
full_like = _like("full_like", _fill_value)


def _new(name: str, make: Any) -> Any:
    def create(self: Tensor, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, **ignored: Any) -> Tensor:
        if ignored:
            size = (ignored.pop("size"),) if "size" in ignored else size
            refuse_options(name, ignored)
        if modes.active or type(self) not in PLAIN:
            result = handle_overrides(create, (self, *size), dict(dtype=dtype, device=device, requires_grad=requires_grad))
            if result is not NotImplemented:
                return result
        try:
            numpy_type = self._array.dtype if dtype is None else numpy_dtype(dtype)
            if self._array.__class__ is not ndarray and hasattr(self._array, "layout"):
                return _of_layout(name[4:], shape_of(size, name), self.layout, OF_NUMPY[numpy_type], requires_grad, True)
            where = self.device if device is None else device
            return finish(allocate(shape_of(size, name), numpy_type, where, make), requires_grad)
        except Exception as error:
            raise maker_error("Tensor", name, size, dict(dtype=dtype, device=device, requires_grad=requires_grad), error)

    create.__name__ = name
    create.__doc__ = f"Like `torch.{name[4:]}`, with this tensor's dtype and device."
    attach(f"Tensor.{name}", create)
    return create


_new("new_zeros", memory.zeros)
_new("new_ones", memory.ones)
new_empty = _new("new_empty", memory.empty)


@composite("Tensor.new_full")
def new_full(
    self: Tensor, size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, **ignored: Any
) -> Tensor:
    """Like `torch.full`, with this tensor's dtype and device."""
    refuse_options("new_full", ignored)
    if self._array.__class__ is not ndarray and hasattr(self._array, "layout"):
        return _of_layout("full", size, self.layout, dtype, requires_grad)
    return full(size, fill_value, dtype=dtype or self.dtype, device=device or self.device, requires_grad=requires_grad)


@composite("Tensor.new_tensor")
def new_tensor(self: Tensor, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, **ignored: Any) -> Tensor:
    """Like `torch.tensor`, with this tensor's dtype and device."""
    refuse_options("new_tensor", ignored)
    return finish(allocate_like_data(array_of(data, dtype or self.dtype), device or self.device), requires_grad)


@composite("Tensor.new_empty_strided")
def new_empty_strided(self: Tensor, size: Any, stride: Any, *, dtype: Any = None, device: Any = None, **options: Any) -> Tensor:
    """Like `torch.empty_strided`, with this tensor's dtype and device."""
    return empty_strided(size, stride, dtype=dtype or self.dtype, device=device or self.device, **options)


@composite("Tensor.new")
def new(self: Tensor, *args: Any) -> Tensor:
    """The legacy constructor with this tensor's dtype."""
    if self._array.__class__ is not ndarray and hasattr(self._array, "layout"):
        return new_empty(self, shape_of(args, "new"))
    return legacy(Tensor, self._array.dtype, args)


# --- torch.Tensor(...), torch.FloatTensor(...) ----------------------------------------------------------------------


def legacy(cls: type, numpy_type: Any, args: tuple[Any, ...]) -> Any:
    """What the legacy constructors make: from sizes, from data, from nothing."""
    if not args:
        array = memory.empty((0,), numpy_type)
    elif len(args) == 1 and isinstance(args[0], Tensor):
        array = args[0]._array.astype(numpy_type, copy=False)
        if cls not in PLAIN or cls is not Tensor:
            made = wrap_as(cls, array)
            made._node, made._requires_grad = args[0]._node, args[0].requires_grad
            return made
    elif len(args) == 1 and isinstance(args[0], (list, tuple, ndarray, range)) and not isinstance(args[0], Size):
        array = array_of(args[0], OF_NUMPY[numpy_type])
    elif isinstance(args[0], (int, np.integer, Size)) and not isinstance(args[0], bool):
        array = memory.empty(shape_of(args, "new"), numpy_type)
    else:
        raise TypeError(f"new(): data must be a sequence (got {type(args[0]).__name__})")
    return wrap_as(cls, array)


def _construct(cls: type, *args: Any, device: Any = None, dtype: Any = None, **named: Any) -> Any:
    if "data" in named:
        args = (named.pop("data"), *args)
    if "size" in named:
        args = (named.pop("size"), *args)
    if named or dtype is not None:
        given = dict(named, **({} if dtype is None else {"dtype": dtype}))
        described = [type(v).__name__ for v in args] + [f"{key}={type(value).__name__}" for key, value in given.items()]
        raise TypeError(f"new() received an invalid combination of arguments - got ({', '.join(described)})")
    if device is not None and as_device(device).type == "meta":
        return wrap_as(cls, allocate(shape_of(args), DEFAULT.dtype.numpy, device, memory.empty))
    return legacy(cls, DEFAULT.dtype.numpy, args)


tensor_module.construct = _construct
