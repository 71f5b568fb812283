"""Tensors taken apart for a pickle or a copy, and put together again.

`reduce_tensor` is `Tensor.__reduce_ex__`, `deepcopy_tensor` is `Tensor.__deepcopy__`. The functions with an underscore are
those that model files name (`torch._utils._rebuild_tensor_v2`).
"""

import copyreg
import threading
from collections import OrderedDict
from typing import Any, Callable

import numpy as np

from ..core import dtype as dtypes
from ..core.naming import _HOME as HOME
from ..core.naming import PUBLIC, find_class
from ..core.size import Size
from ..core.storage import UntypedStorage, strided_array
from ..core.typed_storage import STORAGE_NAMES, TypedStorage
from ..tensor import Tensor, wrap, wrap_as

ENGINE_FIELDS = frozenset({"_accumulator", "_post_accumulate_grad_hooks", "_retains_grad", "_inference", "_metadata"})
"""What the graph keeps in a tensor's `__dict__`; everything else there is the user's."""


class _Waiting(threading.local):
    """`computations`: those that wait until the storages are read, where a format holds them behind the object; else None."""

    computations: list[tuple[Callable, Any, Any]] | None = None


waiting = _Waiting()

_FIELDS = ENGINE_FIELDS | set(vars(Tensor)["__slots__"])


def storage_of(tensor: Tensor) -> UntypedStorage:
    """The storage that `tensor` lies in: `Tensor.untyped_storage`."""
    array = tensor._array
    if array.__class__ is not np.ndarray:
        if hasattr(array, "layout"):
            raise NotImplementedError(f"Cannot access storage of {'SparseTensorImpl' if tensor.is_sparse else 'SparseCsrTensorImpl'}")
        return UntypedStorage.on_meta(array.size * array.itemsize)
    return UntypedStorage.of_array(array)


def reduce_tensor(self: Tensor, protocol: Any) -> tuple[Callable, tuple]:
    """`Tensor.__reduce_ex__`. A subclass, or a tensor with attributes of the user's, keeps them."""
    function, args = _parts(self)
    state = _user_state(self)
    if type(self) is Tensor and not state:
        return function, args
    return _rebuild_from_type_v2, (function, type(self), args, state)


def _parts(self: Tensor) -> tuple[Callable, tuple]:
    if self._hooks:
        _warn_of_hooks(self)
    array = self._array
    requires_grad = self.requires_grad
    if array.__class__ is not np.ndarray and hasattr(array, "layout"):
        if array.layout == "sparse_coo":
            parts: tuple[Any, ...] = (wrap(array.indices), wrap(array.values), Size(array.shape), array.coalesced)
        else:
            parts = (wrap(array.compressed), wrap(array.plain), wrap(array.values), Size(array.shape))
        return _rebuild_sparse_tensor, (self.layout, parts)
    if array.__class__ is not np.ndarray:
        return _rebuild_meta_tensor_no_storage, (self.dtype, tuple(array.shape), self.stride(), requires_grad)
    dtype = dtypes.OF_NUMPY[array.dtype]
    untyped = UntypedStorage.of_array(array)
    offset = self.storage_offset()
    if dtype in STORAGE_NAMES:
        storage = TypedStorage.over(untyped, dtype)
        return _rebuild_tensor_v2, (storage, offset, array.shape, self.stride(), requires_grad, OrderedDict())
    return _rebuild_tensor_v3, (untyped, offset, array.shape, self.stride(), requires_grad, OrderedDict(), dtype)


def _user_state(self: Tensor) -> Any:
    getstate = getattr(type(self), "__getstate__", None)
    if getstate is not getattr(object, "__getstate__", None) and getstate is not None:
        return self.__getstate__()
    state = {name: value for name, value in self.__dict__.items() if name not in ENGINE_FIELDS}
    slots = {name: getattr(self, name) for name in _own_slots(type(self)) if hasattr(self, name)}
    return (state or None, slots) if slots else state or None


def _own_slots(cls: type) -> list[str]:
    """The slots that subclasses of Tensor add to those of the engine."""
    names: list[str] = []
    for base in cls.__mro__[: cls.__mro__.index(Tensor)]:
        slots = base.__dict__.get("__slots__", ())
        names += [slots] if isinstance(slots, str) else slots
    return [name for name in names if name not in ("__dict__", "__weakref__")]


def _warn_of_hooks(self: Tensor) -> None:
    import warnings

    for hook in (self._hooks or {}).values():
        if not hasattr(hook, "__torch_unserializable__"):
            warnings.warn(
                f"backward hook {hook!r} on tensor will not be serialized.  If this is expected, you can decorate the function with "
                "@torch.utils.hooks.unserializable_hook to suppress this warning",
                stacklevel=2,
            )


def set_state(obj: Any, state: Any) -> Any:
    """Sets the attributes that `_user_state` gave. Raises RuntimeError for a name that belongs to the engine."""
    if isinstance(state, tuple):
        if len(state) != 2:
            raise RuntimeError("Invalid serialized state")
        parts = state
    else:
        parts = (state, None)
    for part in parts:
        for name, value in (part or {}).items():
            if name in _FIELDS or name.startswith("__"):
                raise RuntimeError(f"Invalid serialized state: it sets {name!r}")
            setattr(obj, name, value)
    return obj


def _rebuild_tensor(storage: Any, storage_offset: int, size: Any, stride: Any, dtype: Any = None) -> Tensor:
    """A tensor over `storage`. Raises RuntimeError where it would reach outside."""
    untyped = storage._untyped_storage
    dtype = storage.dtype if dtype is None else dtype
    if untyped._memory is None:
        return _meta_tensor(dtype, size, stride)
    return wrap(strided_array(untyped._memory, dtype, storage_offset, size, stride))


def _rebuild_tensor_v2(
    storage: Any, storage_offset: int, size: Any, stride: Any, requires_grad: bool, backward_hooks: Any, metadata: Any = None
) -> Tensor:
    """A tensor from a typed storage. Hooks are never restored. `metadata` says whether it is to be conjugated or negated."""
    return _finish(_rebuild_tensor(storage, storage_offset, size, stride), requires_grad, metadata)


def _rebuild_tensor_v3(
    storage: Any, storage_offset: int, size: Any, stride: Any, requires_grad: bool, backward_hooks: Any, dtype: Any, metadata: Any = None
) -> Tensor:
    """A tensor from an untyped storage and a dtype."""
    return _finish(_rebuild_tensor(storage, storage_offset, size, stride, dtype), requires_grad, metadata)


def _finish(tensor: Tensor, requires_grad: bool, metadata: Any) -> Tensor:
    if metadata:
        # Conjugates and negatives are computed here at once; PyTorch keeps a mark on shared memory.
        for mark, compute in (("conj", np.conjugate), ("neg", np.negative)):
            if metadata.get(mark):
                source = tensor._array
                tensor = wrap(np.empty_like(source))
                if waiting.computations is None:
                    compute(source, out=tensor._array)
                else:
                    waiting.computations.append((compute, source, tensor._array))
    if requires_grad:
        tensor.requires_grad_()
    return tensor


def _meta_tensor(dtype: Any, size: Any, stride: Any) -> Tensor:
    from ..ops.creation import empty_strided

    return empty_strided(tuple(size), tuple(stride), dtype=dtype, device="meta")


def _rebuild_meta_tensor_no_storage(dtype: Any, size: Any, stride: Any, requires_grad: bool) -> Tensor:
    """A tensor on the meta device."""
    return _meta_tensor(dtype, size, stride).requires_grad_(requires_grad)


def _rebuild_parameter(data: Any, requires_grad: bool, backward_hooks: Any) -> Any:
    """A parameter over the memory of `data`."""
    from ..nn.parameter import Parameter

    return Parameter(data, requires_grad)


def _rebuild_parameter_with_state(data: Any, requires_grad: bool, backward_hooks: Any, state: Any) -> Any:
    """A parameter with attributes of the user's."""
    return set_state(_rebuild_parameter(data, requires_grad, backward_hooks), state)


def _rebuild_device_tensor_from_cpu_tensor(data: Tensor, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    """A tensor that was saved from a device without storages (XLA and the like), on the CPU."""
    return data.to(dtype=dtype).requires_grad_(requires_grad)


def _rebuild_device_tensor_from_numpy(data: Any, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    """The same from an ndarray, as older versions saved it."""
    return wrap(np.ascontiguousarray(data, dtype=dtype.numpy)).requires_grad_(requires_grad)


def _rebuild_sparse_tensor(layout: Any, data: Any) -> Tensor:
    """A sparse tensor of its parts: places, values, size, and for coordinates whether they are coalesced.

    Raises NotImplementedError for layouts that there are none of.
    """
    if layout.name == "sparse_coo":
        from ..ops.sparse import sparse_coo_tensor

        indices, values, size, *coalesced = data  # old files do not say whether it is coalesced
        return sparse_coo_tensor(indices, values, size, check_invariants=False, is_coalesced=coalesced[0] if coalesced else None)
    if not layout.name.startswith("sparse_"):
        raise NotImplementedError(f"rebuilding sparse tensor for layout {layout}")
    from ..ops.compressed import sparse_compressed_tensor

    return sparse_compressed_tensor(*data, layout=layout, check_invariants=False)


def _unsupported(what: str) -> Callable:
    def rebuild(*args: Any) -> Tensor:
        raise NotImplementedError(f"this file holds {what}, which flambeau does not support")

    return rebuild


_rebuild_qtensor = _unsupported("a quantized tensor")
_rebuild_nested_tensor = _unsupported("a nested tensor")
_rebuild_wrapper_subclass = _unsupported("a wrapper subclass of Tensor")


def _rebuild_from_type_v2(function: Callable, cls: type, args: tuple, state: Any) -> Any:
    """A tensor of class `cls` with the attributes in `state`, around what `function(*args)` gives."""
    result = function(*args)
    if type(result) is not cls:
        counter = result._counter
        result = wrap_as(cls, result._array, result._requires_grad)
        result._counter = counter
    setstate = getattr(type(result), "__setstate__", None)
    if setstate is not None and setstate is not getattr(Tensor, "__setstate__", None):
        result.__setstate__(state)
        return result
    return set_state(result, state)


def deepcopy_tensor(self: Tensor, memo: dict[int, Any]) -> Any:
    """`Tensor.__deepcopy__`: copies the whole storage once, so that tensors that shared memory share its copy.

    Raises RuntimeError for a tensor that was computed from others that require gradients.
    """
    if not self.is_leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment.  If you were "
            "attempting to deepcopy a module, this may be because of a torch.nn.utils.weight_norm usage, see "
            "https://github.com/pytorch/pytorch/pull/103001"
        )
    if id(self) in memo:
        return memo[id(self)]
    array = self._array
    if array.__class__ is not np.ndarray:
        new = wrap_as(type(self), self.clone()._array, self._requires_grad)
    else:
        memory = UntypedStorage.of_array(array).__deepcopy__(memo).memory
        copied = strided_array(memory, self.dtype, self.storage_offset(), array.shape, self.stride())
        new = wrap_as(type(self), copied, self._requires_grad)
    memo[id(self)] = new
    from copy import deepcopy

    if self._grad is not None:
        new._grad = deepcopy(self._grad, memo)
    for name in _own_slots(type(self)):
        if hasattr(self, name):
            setattr(new, name, deepcopy(getattr(self, name), memo))
    for name, value in self.__dict__.items():
        if name not in ENGINE_FIELDS:
            new.__dict__[name] = deepcopy(value, memo)
    return new


def is_layout(obj: Any) -> bool:
    """Whether `obj` is a `torch.layout`."""
    return (type(obj).__module__, type(obj).__name__) == ("torch", "layout")


def _class(module: str, name: str, home: str | None = None) -> type:
    """Unpickles a tensor class of ours."""
    return Tensor if home is None else find_class(module, name, home)


def _reduce_class(cls: type) -> Any:
    """Plain pickle would look for our classes in a package called `torch`."""
    key = cls.__module__, cls.__qualname__
    if cls is Tensor:
        return _class, key
    return (_class, (*key, HOME[key])) if PUBLIC.get(key) is cls else cls.__qualname__


copyreg.pickle(type(Tensor), _reduce_class)
setattr(Tensor, "__reduce_ex__", reduce_tensor)  # noqa: B010 (the package has put stand-ins there)
setattr(Tensor, "__deepcopy__", deepcopy_tensor)  # noqa: B010
