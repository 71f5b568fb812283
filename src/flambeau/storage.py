"""`torch.storage`: the storage classes, and the methods by which a tensor shows and changes its storage."""

from typing import Any

from .autograd.version import bump_version
from .core.dtype import SCALAR_NAMES
from .core.storage import UntypedStorage, strided_array
from .core.typed_storage import LEGACY, TypedStorage, _LegacyStorage, is_storage, warn_deprecated
from .serialization import _load_from_bytes
from .serialization.rebuild import storage_of
from .tensor import Tensor, guard_in_place

__all__ = ["TypedStorage", "UntypedStorage", "_LegacyStorage", "_load_from_bytes"]

globals().update(LEGACY)


def untyped_storage(self: Tensor) -> UntypedStorage:
    """The bytes that this tensor lies in, shared with every tensor that shares its memory."""
    return storage_of(self)


def _typed_storage(self: Tensor) -> TypedStorage:
    """`storage` without the warning."""
    return TypedStorage.over(storage_of(self), self.dtype)


def storage(self: Tensor) -> TypedStorage:
    """The memory that this tensor lies in as elements of its dtype. Deprecated in PyTorch, which warns once."""
    warn_deprecated()
    return _typed_storage(self)


def set_(self: Tensor, source: Any = None, storage_offset: int = 0, size: Any = None, stride: Any = None) -> Tensor:
    """Makes this tensor look at other memory: that of a tensor, or of a storage from `storage_offset` on; returns it.

    Without `size` it covers the storage, without `stride` it is contiguous, without `source` it becomes empty.
    Raises RuntimeError for another dtype, or where it would reach outside the storage (PyTorch enlarges it).
    """
    from .core.layout import contiguous_strides

    if hasattr(self._array, "layout"):
        from .core.sparse import refusal

        raise refusal("set_", self._array.backend)
    guard_in_place(self)
    dtype = self.dtype
    if source is None:
        source = UntypedStorage(0)
    if isinstance(source, Tensor):
        if source.dtype is not dtype:
            raise RuntimeError(f"Could not set tensor of type {source.dtype} to a tensor of type {dtype}".replace("torch.", ""))
        if size is None:
            self._array = source._array
            bump_version(self)
            return self
        source, storage_offset = storage_of(source), storage_offset + source.storage_offset()
    if not is_storage(source):
        raise TypeError(f"set_() received an invalid combination of arguments - got ({type(source).__name__})")
    if isinstance(source, TypedStorage) and source.dtype is not dtype:
        raise RuntimeError(f"Expected a Storage of type {dtype} or an UntypedStorage, but got type {source.dtype} for argument 1 'storage'")
    memory = source._untyped_storage.memory
    if size is None:
        size = (len(memory) // dtype.itemsize - storage_offset,)
    elif isinstance(size, int):
        size = (size,)
    self._array = strided_array(memory, dtype, storage_offset, size, contiguous_strides(size) if stride is None else stride)
    bump_version(self)
    return self


def storage_type(self: Tensor) -> Any:
    """The class of the tensor's typed storage (`torch.FloatStorage`)."""
    warn_deprecated()
    return LEGACY[SCALAR_NAMES[self.dtype] + "Storage"]


def is_shared(self: Tensor) -> bool:
    """Whether the memory is shared between processes."""
    from .multiprocessing import reductions

    return reductions.is_shared(self)


def share_memory_(self: Tensor) -> Tensor:
    """Moves the memory to where other processes see it, too; returns the tensor. Nothing happens if it is there already."""
    from .multiprocessing import reductions

    return reductions.share_memory_(self)


for _method in (untyped_storage, storage, _typed_storage, set_, storage_type, is_shared, share_memory_):
    setattr(Tensor, _method.__name__, _method)
