"""`x[...]` and `x[...] = v`: integers, slices, None, `...`, index tensors and masks, in PyTorch's order of things."""

from __future__ import annotations

from operator import index as as_int
from typing import Any

import numpy as np

from ..autograd.grad_mode import grad_mode
from ..autograd.version import UNVERSIONED, shared_version
from ..core import dtype as dt
from ..core.dtype import OF_NUMPY, SCALAR_NAMES
from ..kernels import indexing as k
from ..kernels import memory
from ..kernels.scattering import masked_fill as fill_masked
from ..tensor import PLAIN, Tensor, wrap
from . import running
from .definition import Array, apply_in_place, attach, formula_function, handle_overrides, operator, tensors, use_native_parts
from .modes import modes
from .shape import alias, unsqueeze
from .slicing import select, slice_dim

ndarray = np.ndarray
_select, _slice, _unsqueeze = select.function, slice_dim.function, unsqueeze.function
EVERYTHING = slice(None)

formula_function("write", memory.copy_into, lambda x, value: x.copy_(value))


# --- reading and writing at index tensors --------------------------------------------------------------------------


@operator(node="IndexBackward0")
def index(input: Array, indices: Any) -> Array:
    """The elements where index arrays (one per leading dimension, or None for all of it) point."""
    return k.get(input, indices)


_index = index.function
index.derivative(input=lambda F, grad, input_shape, indices: F.index_zeros(grad, input_shape, indices))


@operator(node="IndexPutBackward0")
def index_zeros(grad: Array, shape: Any, indices: Any) -> Array:
    """Zeros to which `grad` is added where the indices point."""
    result = memory.zeros(shape, grad.dtype)
    k.put(result, indices, grad, True)
    return result


index_zeros.derivative(grad=lambda F, grad, indices: F.index(grad, indices))


@operator(node="IndexPutBackward0", overlap=True)
def index_put(input: Array, indices: Any, values: Array, accumulate: bool) -> Array:
    """A copy of the input with values written, or added, where the indices point."""
    result = memory.array(input)
    try:
        k.put(result, indices, values, accumulate)
    except ValueError:
        raise _mismatch(input, indices, values.shape) from None
    return result


index_put.derivative(
    input=lambda F, grad, indices, accumulate, values_dtype: (
        grad if accumulate else F.index_put(grad, indices, F.zeros((), values_dtype), False)
    ),
    values=lambda F, grad, indices, values_shape: F.sum_to(F.index(grad, indices), values_shape),
)


def check_put_dtypes(self: Tensor, values: Tensor) -> None:
    """Raises RuntimeError where what is put in is of another dtype than the tensor."""
    array, source = self._array, values._array
    if array.dtype != source.dtype:
        names = SCALAR_NAMES[OF_NUMPY[array.dtype]], SCALAR_NAMES[OF_NUMPY[source.dtype]]
        raise RuntimeError(
            f"Index put requires the source and destination dtypes match, got {names[0]} for the destination and {names[1]} for the source."
        )


def put(self: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """`index_put_` with the indices in order."""
    array = self._array
    check_put_dtypes(self, values)
    if grad_mode.enabled and (self._requires_grad or values._requires_grad or self._view is not None or values._view is not None):
        indices = tuple([None if i is None else i.copy() for i in indices])
        return apply_in_place(index_put, self, (indices, values, accumulate), "index_put_")
    try:
        k.put(array, indices, values._array, accumulate)
    except ValueError:
        raise _mismatch(array, indices, values._array.shape) from None
    shared_version(self)[0] += 1
    return self


def _mismatch(array: Any, indices: Any, given: Any) -> Exception:
    if any(i is not None and i.size and array.shape[d] == 0 for d, i in enumerate(indices)):
        return IndexError("index is out of bounds for dimension with size 0")
    shape = k.result_shape(array, indices)
    return RuntimeError(
        f"shape mismatch: value tensor of shape {list(given)} cannot be broadcast to indexing result of shape {list(shape)}"
    )


# --- what stands between the brackets ------------------------------------------------------------------------------


def _as_index_tensor(sequence: Any) -> Any:
    """A sequence between the brackets as an index array."""
    if isinstance(sequence, Tensor):
        return sequence._array
    if isinstance(sequence, str):
        raise TypeError("new(): invalid data type 'str'")
    try:
        array = sequence if isinstance(sequence, ndarray) else tensors.tensor(sequence)._array
    except ValueError as error:
        raise TypeError("new(): invalid data type 'str'") if "'str'" in str(error) else error
    if not array.size and array.dtype.kind == "f" and not isinstance(sequence, ndarray):
        array = array.astype(np.int64)
    return array


def _is_sequence(value: Any) -> bool:
    return isinstance(value, (list, tuple, range, ndarray, str)) or (
        hasattr(type(value), "__getitem__") and hasattr(type(value), "__len__") and not isinstance(value, dict)
    )


def _bad_index(value: Any) -> Exception:
    cls = type(value)
    name = cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
    return IndexError(f"only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got {name})")


def _as_tuple(index: Any) -> Any:
    """The items of a many-dimensional index, or None where the index is a single item."""
    if index.__class__ is tuple:
        return index
    if isinstance(index, tuple):
        return tuple(index)
    if isinstance(index, (Tensor, ndarray)) or not isinstance(index, list) or len(index) >= 32:
        return None
    for item in index:
        if item is None or item is Ellipsis or isinstance(item, (slice, Tensor, list, tuple, ndarray, range)):
            if all(isinstance(item, (list, tuple)) for item in index):
                pass
            import warnings

            warnings.warn(
                "Using a non-tuple sequence for multidimensional indexing is deprecated and will be changed in pytorch 2.9; use "
                "x[tuple(seq)] instead of x[seq]. In pytorch 2.9 this will be interpreted as tensor index, x[torch.tensor(seq)], which "
                "will result either in an error or a different result",
                stacklevel=4,
            )
            return tuple(index)
    return None


def _select_int(x: Tensor, dim: int, i: int, outer: int) -> Tensor:
    """`select` with the errors of indexing."""
    shape = x._array.shape
    if dim >= len(shape):
        if outer:
            raise IndexError(f"index {i} is out of bounds for dimension {outer} with size 0")
        if i:
            raise IndexError(f"index {i} is out of bounds for dimension 0 with size 0")
        raise IndexError(
            "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a 0-dim tensor to "
            "a number"
        )
    n = shape[dim]
    if not -n <= i < n:
        raise IndexError(f"index {i} is out of bounds for dimension {outer} with size {n}")
    return _select(x, dim, i)


def _take_slice(x: Tensor, dim: int, item: slice, alone: bool = False) -> Tensor:
    """A slice as a view; one that takes everything is no step of its own unless it stands `alone` between the brackets."""
    step = 1 if item.step is None else as_int(item.step)
    if step == 0:
        raise ValueError("slice step cannot be zero")
    if step < 0:
        raise ValueError("step must be greater than zero")
    if not x._array.ndim:
        raise IndexError("slice() cannot be applied to a 0-dim tensor.")
    try:
        start = None if item.start is None else as_int(item.start)
        stop = None if item.stop is None else as_int(item.stop)
    except TypeError:
        raise TypeError("slice indices must be integers or None or have an __index__ method") from None
    if not alone and step == 1 and slice(start, stop).indices(x._array.shape[dim]) == (0, x._array.shape[dim], 1):
        return x
    return _slice(x, dim, start, stop, step)


def basic(self: Tensor, items: tuple[Any, ...]) -> tuple[Tensor, list[Any] | None]:
    """The view that integers, slices, None and `...` name, and the index arrays that remain to be applied to it."""
    array = self._array
    specified = 0
    for item in items:
        if item is None or item is Ellipsis or item.__class__ is bool:
            continue
        if isinstance(item, Tensor):
            a = item._array
            specified += a.ndim if a.dtype.kind == "b" or a.dtype == np.uint8 else 1
        else:
            specified += 1
    ndim = array.ndim
    if specified > ndim and not (ndim == 0 and len(items) == 1 and (items[0].__class__ is int or items[0].__class__ is slice)):
        raise IndexError(f"too many indices for tensor of dimension {ndim}")
    result = self
    dim = 0
    found: list[Any] = []

    def remember(index_array: Any) -> None:
        found.extend([None] * (dim - len(found)))
        found.append(index_array)

    for outer, item in enumerate(items):  # PyTorch's messages count the items, not the dimensions
        cls = item.__class__
        if cls is int:
            result = _select_int(result, dim, item, outer)
        elif cls is slice:
            if item != EVERYTHING or not result._array.ndim:
                result = _take_slice(result, dim, item)
            dim += 1
        elif item is None:
            result = _unsqueeze(result, dim)
            dim += 1
        elif item is Ellipsis:
            skipped = ndim - specified
            dim += skipped
        elif cls is bool:
            result = _unsqueeze(result, dim)
            remember(memory.array([item]))
            dim += 1
        elif isinstance(item, Tensor):
            index_array = item._array
            if not index_array.ndim and index_array.dtype.kind in "iu" and index_array.dtype != np.uint8:
                result = _select_int(result, dim, int(index_array), outer)
                continue
            if not index_array.ndim and (index_array.dtype.kind == "b" or index_array.dtype == np.uint8):
                result = _unsqueeze(result, dim)
                remember(index_array.astype(np.bool_).reshape(1))
                dim += 1
                continue
            remember(index_array)
            width = max(index_array.ndim, 1) if index_array.dtype.kind == "b" or index_array.dtype == np.uint8 else 1
            dim += width
        elif isinstance(item, np.bool_):
            raise _bad_index(item)
        elif isinstance(item, np.integer) or (hasattr(item, "__index__") and not _is_sequence(item)):
            result = _select_int(result, dim, as_int(item), outer)
        elif _is_sequence(item):
            index_array = _as_index_tensor(item)
            remember(index_array)
            dim += max(index_array.ndim, 1) if index_array.dtype.kind == "b" else 1
        else:
            raise _bad_index(item)
    if not found:
        return result, None
    # A mask of several dimensions takes as many places; those behind it were counted already.
    packed: list[Any] = []
    for entry in found:
        packed.append(entry)
    return result, _skip_covered(packed)


def _skip_covered(found: list[Any]) -> list[Any]:
    """The indices without the gaps that stand for further dimensions of a mask."""
    kept: list[Any] = []
    skip = 0
    for entry in found:
        if skip and entry is None:
            skip -= 1
            continue
        kept.append(entry)
        skip = entry.ndim - 1 if entry is not None and (entry.dtype.kind == "b" or entry.dtype == np.uint8) else 0
    return kept


_calls_left = 200


def _item(self: Tensor, index: Any) -> Any:
    """Counts calls until `x[i]` is worth compiling for; then machine code stands in its place (see `native_graph.py`)."""
    global _calls_left, _item
    _calls_left -= 1
    if _calls_left <= 0:  # threads may count past it
        _item = use_native_parts().get("item", lambda self, index: None)


def getitem(self: Tensor, index: Any) -> Any:
    """The part of a tensor that an index names.

    Integers, slices, None and `...` give a view; index tensors, lists, arrays and masks give a copy.
    Raises IndexError where an index is out of range or of a kind that is none.
    """
    found = _item(self, index)
    if found is not None:
        return found
    if modes.active or type(self) not in PLAIN:
        result = handle_overrides(getitem, (self, index), {})
        if result is not NotImplemented:
            return result
    array = self._array
    cls = index.__class__
    if cls is int:
        try:
            part = array[index, ...]
        except IndexError:
            return _select_int(self, 0, index, 0)
        if grad_mode.enabled and (self._requires_grad or self._view is not None):
            node = select.record(part, self, array, 0, index)
        else:
            node = None
    elif cls is slice:
        if index.step is not None or not array.ndim:
            return _take_slice(self, 0, index, True)
        try:
            part = array[index]
        except TypeError:
            return _take_slice(self, 0, index, True)
        if not part.size:
            return _take_slice(self, 0, index, True)
        if grad_mode.enabled and (self._requires_grad or self._view is not None):
            node = slice_dim.record(part, self, array, 0, index.start, index.stop, 1)
        else:
            node = None
    elif index is None:
        return _unsqueeze(self, 0)
    else:
        return _getitem_general(self, index)
    t = running.new_view(part, self)
    if node is not None:
        t._node = node
        t._requires_grad = True
    return t


def _getitem_general(self: Tensor, index: Any) -> Any:
    array = self._array
    if index.__class__ is tuple:
        items = index
        if not (grad_mode.enabled and (self._requires_grad or self._view is not None)):
            key = (*items, ...)
            for item in items:
                if item is Ellipsis and key is not items:
                    key = items
                elif item.__class__ is not int and not (item.__class__ is slice and item.step is None):
                    break
            else:  # NumPy's view of integers and slices is PyTorch's
                try:
                    part = array[key]
                except (IndexError, TypeError):
                    part = None
                if part is not None and part.size:
                    return running.new_view(part, self)
    elif type(index) in PLAIN and 0 < index._array.ndim <= array.ndim and array.__class__ is ndarray:
        return index_with(self, [index._array])
    else:
        found = _as_tuple(index)
        items = (index,) if found is None else found
    result, indices = basic(self, items)
    if indices is None:
        return alias(result) if result is self else result
    return index_with(result, indices)


def index_with(x: Tensor, indices: Any) -> Tensor:
    """`index` for index arrays and masks as they come."""
    array = x._array
    recording = grad_mode.enabled and (x._requires_grad or x._view is not None)
    if len(indices) == 1 and not recording:
        only = indices[0]
        kind = only.dtype
        if kind is INT64:
            try:
                return wrap(array.take(only, 0)) if array.flags.c_contiguous else wrap(k.get(array, indices))
            except (IndexError, ValueError):  # 0-dim arrays, too
                pass
        elif kind is BOOL and only.shape == array.shape and array.flags.c_contiguous:
            return wrap(array[only])
    expanded = k.expanded(array, indices)
    if recording:
        expanded = tuple([None if i is None else i.copy() for i in expanded])
    return _index(x, expanded)


INT64, BOOL = np.dtype(np.int64), np.dtype(np.bool_)
_OVERFLOW = 3.4028234663852886e38


def _assigned(self: Tensor, value: Any) -> Tensor:
    """A Python number as a 0-dim tensor of this tensor's dtype; tensors as they are."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, (bool, int, float, complex, np.integer)):
        return wrap(number_array(value, self._array.dtype))
    cls = type(value)
    name = cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
    raise TypeError(f"can't assign a {name} to a torch.{SCALAR_NAMES[self.dtype]}Tensor")


_C_TYPES = {
    dt.uint8: "uint8_t", dt.int8: "int8_t", dt.int16: "int16_t", dt.int32: "int", dt.int64: "int64_t", dt.float16: "at::Half",
    dt.bfloat16: "at::BFloat16", dt.float32: "float", dt.float64: "double", dt.complex64: "c10::complex<float>",
    dt.complex128: "c10::complex<double>", dt.bool: "bool", dt.uint16: "uint16_t", dt.uint32: "uint32_t", dt.uint64: "uint64_t",
}  # fmt: skip


def number_array(value: Any, dtype: Any) -> Any:
    """A Python number as a 0-dim array. Raises RuntimeError where the dtype cannot hold it."""
    kind = dtype.kind
    fits = True
    if isinstance(value, np.generic):
        value = value.item()
    if kind != "c" and isinstance(value, complex):
        if value.imag != 0:
            fits = False
        value = value.real
    if fits:
        if kind in "iu":
            if value != value or value in (float("inf"), float("-inf")):
                fits = False
            else:
                value = int(value)
                bits = 8 * dtype.itemsize
                low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if kind == "i" else (-(1 << bits) + 1, (1 << bits) - 1)
                fits = low <= value <= high
                if fits and kind == "u":
                    value &= high
        elif kind == "b":
            value = bool(value)
        elif kind in "fV" and value == value and abs(value) != float("inf"):
            limit = {np.dtype(np.float16): 65504.0, np.dtype(np.float32): _OVERFLOW}.get(
                dtype, 1.7976931348623157e308 if kind == "f" else _OVERFLOW
            )
            fits = -limit <= value <= limit
    if not fits:
        raise RuntimeError(f"value cannot be converted to type {_C_TYPES[OF_NUMPY[dtype]]} without overflow")
    return memory.array(value, dtype)


def setitem(self: Tensor, index: Any, value: Any) -> None:
    """Writes a number or a tensor, broadcast, into the part that an index names."""
    if modes.active or type(self) not in PLAIN or (value.__class__ not in NUMBER_TYPES and type(value) not in PLAIN):
        result = handle_overrides(setitem, (self, index, value), {})
        if result is not NotImplemented:
            return
    if self._counter is UNVERSIONED:
        UNVERSIONED.check()
    array = self._array
    cls = index.__class__
    view = self._view
    if not (grad_mode.enabled and (self._requires_grad or (view is not None and view.base._requires_grad))) and 0 not in array.strides:
        # Nothing is recorded unless the value asks for it: NumPy writes, if the index is one that it takes as PyTorch does.
        if cls is tuple:
            simple = True
            for item in index:
                if item.__class__ is not int and not (item.__class__ is slice and item.step is None) and item is not Ellipsis:
                    simple = False
        elif cls is slice:
            simple = index.step is None
        elif cls is Tensor:
            index = index._array
            simple = index.ndim > 0 and (index.dtype is INT64 or (index.dtype is BOOL and index.shape == array.shape))
        else:
            simple = cls is int
        kind = value.__class__
        if not simple:
            pass
        elif (kind is float and -1e38 < value < 1e38 and array.dtype.kind == "f" and array.itemsize > 2) or kind is bool:
            try:
                if cls is Tensor and index.dtype is BOOL:
                    fill_masked(array, index, value)
                else:
                    array[index] = value
            except (IndexError, TypeError):
                pass
            else:
                counter = self._counter
                if counter is None:
                    self._counter = [1]
                else:
                    counter[0] += 1
                return
        elif (
            type(value) in PLAIN
            and not (grad_mode.enabled and (value._requires_grad or value._view is not None))
            and value._array.dtype is array.dtype
        ):
            try:
                array[index] = value._array
            except (IndexError, TypeError, ValueError):
                pass
            else:
                counter = self._counter
                if counter is None:
                    self._counter = [1]
                else:
                    counter[0] += 1
                return
        if cls is Tensor:
            index = wrap(index)
    _setitem_general(self, index, value)


NUMBER_TYPES = frozenset((int, float, bool, complex))


def _setitem_general(self: Tensor, index: Any, value: Any) -> None:
    items = _as_tuple(index)
    whole = index is Ellipsis or (index.__class__ is slice and index == EVERYTHING and self._array.ndim > 0)
    source = _assigned(self, value)
    if whole:
        target, indices = self, None
    else:
        target, indices = basic(self, (index,) if items is None else items)
    shape = source._array.shape
    if indices is None:
        if shape == target._array.shape:
            target.copy_(source)
            return
        if not shape:
            target.fill_(source)
            return
    lead = 0
    while lead < len(shape) and shape[lead] == 1:
        lead += 1
    if lead:
        source = tensors.view(source, shape[lead:])
    if indices is None:
        target.copy_(tensors.expand(source, target._array.shape))
    else:
        put(target, k.expanded(target._array, indices), source)


attach("Tensor.__getitem__", getitem)
attach("Tensor.__setitem__", setitem)
getitem.__name__, setitem.__name__ = "__getitem__", "__setitem__"


def _delete(self: Tensor, index: Any) -> None:
    raise TypeError("Tensor does not support deleting items")


attach("Tensor.__delitem__", _delete)


def iterate(self: Tensor) -> Any:
    """The parts along the first dimension, one after the other. Raises TypeError for a 0-dim tensor."""
    if not self._array.ndim:
        raise TypeError("iteration over a 0-d tensor")
    return iter(tensors.unbind(self, 0))


attach("Tensor.__iter__", iterate)
