"""Storages as files hold them: how persistent ids are turned back into memory."""

import sys
from typing import Any, Callable

import numpy as np

from ..core import dtype as dtypes
from ..core.storage import UntypedStorage
from ..core.typed_storage import STORAGE_DTYPES, TypedStorage
from . import locations
from .reader import ZipReader


class StorageType:
    """What stands for a class like `FloatStorage` while a file is read: nothing but its dtype."""

    def __init__(self, name: str) -> None:
        if name not in STORAGE_DTYPES:
            raise KeyError(f'pickle storage type "{name}" is not recognized')
        self._dtype = STORAGE_DTYPES[name]

    @property
    def dtype(self) -> Any:
        return self._dtype

    def __str__(self) -> str:
        return f"StorageType(dtype={self.dtype})"


def text(value: Any) -> str:
    """A key or tag of the format, which files of Python 2 hold as bytes."""
    return value.decode("ascii") if isinstance(value, bytes) else value


def shown(value: Any) -> str:
    """A value out of a file for a message: only classes and functions are spelled out, as a nest of tuples may be endless."""
    return repr(value) if callable(value) and hasattr(value, "__name__") else f"an object of type {type(value).__name__}"


def dtype_of(storage_type: Any) -> Any:
    """The dtype that a persistent id's class means. Raises UnpicklingError where it is no storage class."""
    if storage_type is UntypedStorage:
        return dtypes.uint8
    dtype = getattr(storage_type, "dtype", None)
    if not isinstance(dtype, dtypes.dtype):
        from pickle import UnpicklingError

        raise UnpicklingError(f"a storage was expected to have a storage class, but it has {shown(storage_type)}")
    return dtype


class ZipStorages:
    """`persistent_load` for an archive: reads each storage once, when it is first asked for."""

    def __init__(self, archive: ZipReader, map_location: Any, mapped: Any, skip_data: bool) -> None:
        self.archive = archive
        self.mapped = mapped
        self.skip_data = skip_data
        self.to_meta = locations.is_meta(map_location)
        self.restore: Callable[[Any, str], Any] = locations.restorer(map_location)
        self.loaded: dict[Any, TypedStorage] = {}
        self.swapped = _byte_order(archive) != sys.byteorder

    def __call__(self, identity: Any) -> TypedStorage:
        from pickle import UnpicklingError

        if not isinstance(identity, tuple):
            raise AssertionError(f"saved_id must be a tuple, got {type(identity).__name__}")
        if len(identity) != 5 or text(identity[0]) != "storage":
            raise AssertionError("Unknown typename for persistent_load, expected 'storage'")
        _, storage_type, key, location, numel = identity
        dtype = dtype_of(storage_type)
        if type(key) not in (str, bytes, int) or type(numel) is not int or numel < 0 or type(location) not in (str, bytes):
            raise UnpicklingError("the persistent id of a storage is malformed")
        found = self.loaded.get(key)
        if found is None:
            found = self.loaded[key] = self._load(dtype, numel * dtype.itemsize, text(key), text(location))
        return found if found.dtype is dtype else TypedStorage.over(found._untyped_storage, dtype)

    def _load(self, dtype: Any, nbytes: int, key: Any, location: str) -> TypedStorage:
        name = f"data/{key}"
        if self.to_meta:
            self.archive.offset(name)  # raises where there is no such record
            return TypedStorage.over(UntypedStorage.on_meta(nbytes), dtype)
        size = self.archive.nbytes(name)
        if size != nbytes:
            raise RuntimeError(
                f"record size ({size} bytes) does not match expected size ({nbytes} bytes = {nbytes} elements * 1 bytes/element) "
                "for dtype Byte"
            )
        storage = UntypedStorage.of_bytes(self._memory(name, nbytes))
        if self.swapped and not self.skip_data:
            storage.byteswap(dtype)
        moved = self.restore(storage, location)
        if moved is storage:
            return TypedStorage.over(storage, dtype)
        return TypedStorage(wrap_storage=moved, dtype=dtype, _internal=True)

    def _memory(self, name: str, nbytes: int) -> np.ndarray:
        if self.skip_data:
            self.archive.offset(name)
            return np.zeros(nbytes, np.uint8)
        if self.mapped is not None and nbytes and self.archive.is_stored(name):
            offset = self.archive.offset(name)
            if offset % 16 == 0:  # what is not aligned is read, as kernels want aligned elements
                return np.frombuffer(self.mapped, np.uint8, nbytes, offset)
        return self.archive.array(name)


def _byte_order(archive: ZipReader) -> str:
    """The byte order of the storages: the file says, otherwise the settings, otherwise little-endian."""
    from ..utils.serialization import config

    if "byteorder" in archive:
        order = archive.content("byteorder")
        if order not in (b"little", b"big"):
            raise ValueError("Unknown endianness type: " + order[:64].decode("ascii", "replace"))
        return order.decode()
    wanted = getattr(config.load.endianness, "name", "LITTLE")
    return {"LITTLE": "little", "BIG": "big"}.get(wanted, sys.byteorder)
