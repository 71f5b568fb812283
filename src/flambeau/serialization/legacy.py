"""The formats before the archive: a row of pickles with the storages behind them, and a tar file before that."""

import io
import os
import struct
import sys
from typing import Any

import numpy as np

from ..core.storage import UntypedStorage
from ..core.typed_storage import TypedStorage
from . import locations
from .pickler import StorageIds, make_pickler
from .rebuild import _rebuild_tensor, waiting
from .stored import dtype_of, text

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001


class _LegacyIds(StorageIds):
    """Storage ids with the address as key and a sixth field, which once described views."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: dict[str, tuple[UntypedStorage, int]] = {}
        self._classes: set[type] = set()

    def __call__(self, obj: Any) -> tuple | None:
        if isinstance(obj, type):
            return self._module(obj)
        found = super().__call__(obj)
        if found is None:
            return None
        self.sizes.setdefault(found[2], (self.storages[found[2]], obj.dtype.itemsize if type(obj) is TypedStorage else 1))
        return (*found, None)

    def _key(self, count: int, identity: int) -> str:
        return str(identity)

    def _module(self, cls: type) -> tuple | None:
        """A class of modules goes with its source, so that a reader can be warned when it has changed."""
        module = sys.modules.get(f"{__package__.rpartition('.')[0]}.nn")
        if module is None or not issubclass(cls, module.Module) or cls in self._classes:
            return None
        self._classes.add(cls)
        file = source = None
        try:
            import inspect

            source, file = inspect.getsource(cls), inspect.getsourcefile(cls)
        except Exception:  # no source at hand: the file is as good without
            _warn_no_source(cls)
        return ("module", cls, file, source)


def _warn_no_source(cls: type) -> None:
    import warnings

    warnings.warn(
        f"Couldn't retrieve source code for container of type {cls.__name__}. It won't be checked for correctness upon loading.",
        stacklevel=2,
    )


def save(obj: Any, file: Any, pickle_module: Any, protocol: int) -> None:
    """Writes the format of PyTorch before 1.6."""
    ids = _LegacyIds()
    sizes = {name: struct.calcsize(f"={code}") for name, code in (("short", "h"), ("int", "i"), ("long", "l"))}
    info = {"protocol_version": PROTOCOL_VERSION, "little_endian": sys.byteorder == "little", "type_sizes": sizes}
    for value in (MAGIC_NUMBER, PROTOCOL_VERSION, info):
        pickle_module.dump(value, file, protocol=protocol)
    make_pickler(pickle_module, file, protocol, ids).dump(obj)
    keys = sorted(ids.sizes)
    pickle_module.dump(keys, file, protocol=protocol)
    for key in keys:
        storage, itemsize = ids.sizes[key]
        file.write(struct.pack("<q", storage.nbytes() // itemsize))
        if storage.nbytes():
            file.write(storage.memory.data)
    file.flush()


class _Bounded:
    """A binary file that asks for no more than it holds, whatever length a pickle names."""

    def __init__(self, file: Any) -> None:
        self.file = file
        here = file.tell()
        self.end = file.seek(0, os.SEEK_END)
        file.seek(here)

    def tell(self) -> int:
        return self.file.tell()

    def left(self) -> int:
        return self.end - self.file.tell()

    def read(self, count: int = -1) -> bytes:
        if count > 1 << 16:
            count = min(count, self.left())
        return self.file.read(count)

    def readline(self) -> bytes:
        return self.file.readline()

    def readinto(self, target: Any) -> int:
        data = self.file.read(min(len(target), max(self.left(), 0)))
        target[: len(data)] = data
        return len(data)


def read_storage(file: Any, storage: UntypedStorage) -> None:
    """Fills a storage. Raises RuntimeError where the file is too short."""
    view = storage.memory.data
    readinto = getattr(file, "readinto", None)
    while len(view):
        if readinto is not None:
            count = readinto(view)
        else:
            part = file.read(min(len(view), 1 << 26))
            count = len(part)
            view[:count] = part
        if not count:
            raise RuntimeError(f"unexpected EOF, expected {len(view)} more bytes. The file might be corrupted.")
        view = view[count:]


class _LegacyStorages:
    """`persistent_load` for the row of pickles: makes storages that are filled once the object is read."""

    def __init__(self, file: _Bounded, map_location: Any, skip_data: bool) -> None:
        self.file = file
        self.restore = locations.restorer(map_location)
        self.skip_data = skip_data
        self.loaded: dict[Any, TypedStorage] = {}
        self.unfilled: dict[Any, tuple[UntypedStorage, Any]] = {}
        self.views: dict[Any, TypedStorage] = {}
        self.room = file.left()

    def __call__(self, identity: Any) -> Any:
        from pickle import UnpicklingError

        if not isinstance(identity, tuple):
            raise AssertionError(f"saved_id must be a tuple, got {type(identity).__name__}")
        kind = text(identity[0]) if identity else None
        if kind == "module":
            if all(identity[2:]):
                check_source(*identity[1:])
            return identity[1]
        if kind != "storage":
            raise RuntimeError("Unknown saved id type")
        if len(identity) != 6:
            raise UnpicklingError("the persistent id of a storage is malformed")
        _, storage_type, key, location, numel, view = identity
        dtype = dtype_of(storage_type)
        if type(key) not in (str, bytes, int) or type(numel) is not int or numel < 0 or type(location) not in (str, bytes):
            raise UnpicklingError("the persistent id of a storage is malformed")
        root = self.loaded.get(key)
        if root is None:
            root = self.loaded[key] = self._make(key, dtype, numel * dtype.itemsize, text(location))
        if view is None:
            return root if root.dtype is dtype else TypedStorage.over(root._untyped_storage, dtype)
        if type(view) is not tuple or len(view) != 3 or type(view[0]) not in (str, bytes, int):
            raise UnpicklingError("the persistent id of a storage is malformed")
        view_key, offset, size = view
        if view_key not in self.views:
            start, stop = offset * dtype.itemsize, (offset + size) * dtype.itemsize
            if not 0 <= start <= stop <= root._untyped_storage.nbytes():
                raise UnpicklingError("a storage's view reaches outside the storage")
            self.views[view_key] = TypedStorage.over(root._untyped_storage[start:stop], dtype)
        return self.views[view_key]

    def _make(self, key: Any, dtype: Any, nbytes: int, location: str) -> TypedStorage:
        self.room -= nbytes
        if self.room < 0:
            raise RuntimeError(f"unexpected EOF, expected {-self.room} more bytes. The file might be corrupted.")
        storage = UntypedStorage.of_bytes(np.zeros(nbytes, np.uint8) if self.skip_data else np.empty(nbytes, np.uint8))
        self.unfilled[key] = (storage, dtype)
        moved = self.restore(storage, location)
        if moved is storage:
            return TypedStorage.over(storage, dtype)
        return TypedStorage(wrap_storage=moved, dtype=dtype, _internal=True)

    def fill(self, keys: Any) -> None:
        for key in keys:
            if type(key) not in (str, bytes, int) or key not in self.unfilled:
                raise RuntimeError("the file lists a storage that its object does not use; it might be corrupted")
            storage, dtype = self.unfilled.pop(key)
            header = self.file.read(8)
            if len(header) != 8:
                raise RuntimeError(f"unexpected EOF, expected {8 - len(header)} more bytes. The file might be corrupted.")
            numel = int.from_bytes(header, "little", signed=True)
            if numel * dtype.itemsize != storage.nbytes():
                raise RuntimeError(f"storage has wrong byte size: expected {storage.nbytes()} got {numel * dtype.itemsize}")
            read_storage(self.file.file, storage)
            if sys.byteorder != "little":  # the data is always little-endian
                storage.byteswap(dtype)
        if self.unfilled:
            raise RuntimeError("the file holds no data for some storages; it might be corrupted")


def load(
    file: Any, map_location: Any, pickle_module: Any, make_unpickler: Any, skip_data: bool, weights_only: bool, **arguments: Any
) -> Any:
    """Reads the row of pickles, or the tar file where it is one."""
    if isinstance(file, io.RawIOBase):
        file = io.BufferedReader(file)  # opcodes are read one by one
    if file.tell() == 0 and _is_tar(file):
        if weights_only:
            from . import UNSAFE_MESSAGE

            raise RuntimeError("Cannot use ``weights_only=True`` with files saved in the legacy .tar format. " + UNSAFE_MESSAGE)
        return _load_tar(file, map_location, pickle_module, make_unpickler, **arguments)
    bounded = _Bounded(file)
    if pickle_module.load(bounded, **arguments) != MAGIC_NUMBER:
        raise RuntimeError("Invalid magic number; corrupt file?")
    version = pickle_module.load(bounded, **arguments)
    if version != PROTOCOL_VERSION:
        raise RuntimeError(f"Invalid protocol version: {version if type(version) is int else type(version).__name__}")
    pickle_module.load(bounded, **arguments)  # about the machine that wrote it
    storages = _LegacyStorages(bounded, map_location, skip_data)
    unpickler = make_unpickler(bounded, **arguments)
    unpickler.persistent_load = storages
    before, waiting.computations = waiting.computations, []
    try:
        result = unpickler.load()
        computations = waiting.computations
    finally:
        waiting.computations = before
    keys = pickle_module.load(bounded, **arguments)
    if type(keys) is not list:
        raise RuntimeError("the list of storages is missing; the file might be corrupted")
    if not skip_data:
        storages.fill(keys)
    for compute, source, target in computations:
        compute(source, out=target)
    return result


def check_source(cls: Any, file: Any, original: Any) -> None:
    """Warns where a module's class is not what it was when the file was written."""
    import inspect
    import warnings

    from . import SourceChangeWarning

    try:
        current = inspect.getsource(cls)
    except Exception:
        _warn_no_source(cls)
        return
    if current != original:
        warnings.warn(
            f"source code of class '{cls.__module__}.{cls.__qualname__}' has changed. you can retrieve the original source code by "
            "accessing the object's source attribute or set `torch.nn.Module.dump_patches = True` and use the patch tool to revert "
            "the changes.",
            SourceChangeWarning,
            stacklevel=2,
        )


# --- the oldest: a tar file ------------------------------------------------------------------------------------


def _is_tar(file: Any) -> bool:
    start = file.tell()
    header = file.read(262)
    file.seek(start)
    return header[257:262] == b"ustar" or (
        len(header) == 262 and header.split(b"\0", 1)[0] in (b"storages", b"tensors", b"pickle", b"sys_info")
    )


def _load_tar(file: Any, map_location: Any, pickle_module: Any, make_unpickler: Any, **arguments: Any) -> Any:
    import tarfile

    restore = locations.restorer(map_location)
    objects: dict[Any, Any] = {}
    with tarfile.open(fileobj=file, mode="r:", format=tarfile.PAX_FORMAT) as tar:

        def member(name: str) -> _Bounded:
            found = tar.extractfile(name)
            if found is None:
                raise RuntimeError(f"the archive has no file {name}")
            return _Bounded(found)

        stream = member("storages")
        for _ in range(pickle_module.load(stream, **arguments)):
            key, location, storage_type = make_unpickler(stream, **arguments).load()
            dtype = dtype_of(storage_type)
            (numel,) = struct.unpack("<q", stream.read(8))
            if not 0 <= numel * dtype.itemsize <= stream.left():
                raise RuntimeError("the size of a storage is beyond the end of the file; it might be corrupted")
            storage = UntypedStorage.of_bytes(np.empty(numel * dtype.itemsize, np.uint8))
            read_storage(stream, storage)
            if sys.byteorder != "little":
                storage.byteswap(dtype)
            objects[key] = TypedStorage.over(restore(storage, text(location)), dtype)
        for target, root, offset, numel in pickle_module.load(stream, **arguments):
            whole = objects[root]
            width = whole.dtype.itemsize
            objects[target] = TypedStorage.over(whole._untyped_storage[offset * width : (offset + numel) * width], whole.dtype)

        stream = member("tensors")
        for _ in range(pickle_module.load(stream, **arguments)):
            key, storage_key, _ = make_unpickler(stream, **arguments).load()
            (ndim,) = struct.unpack("<i", stream.read(8)[:4])
            if not 0 <= ndim * 16 <= stream.left():
                raise RuntimeError("the shape of a tensor is beyond the end of the file; it might be corrupted")
            size = struct.unpack(f"<{ndim}q", stream.read(8 * ndim))
            stride = struct.unpack(f"<{ndim}q", stream.read(8 * ndim))
            (offset,) = struct.unpack("<q", stream.read(8))
            objects[key] = _rebuild_tensor(objects[storage_key], offset, size, stride)

        def persistent_load(identity: Any) -> Any:
            if isinstance(identity, tuple):
                if all(identity[1:]):
                    check_source(*identity)
                return identity[0]
            return objects[int(identity)]

        unpickler = make_unpickler(member("pickle"), **arguments)
        unpickler.persistent_load = persistent_load
        return unpickler.load()
