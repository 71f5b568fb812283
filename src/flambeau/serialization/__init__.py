"""`torch.save` and `torch.load`: objects with tensors in PyTorch's own files, both ways.

A file is a zip archive: `data.pkl`, a pickle in which every storage is a persistent id, and one record of raw bytes for
each storage. `writer` and `reader` know the archive, `pickler` and `unpickler` the pickle, `names` what our objects are
called in it, `rebuild` how a tensor is taken apart and put together, `legacy` the formats before the archive.
"""

import os
import sys
import threading
from contextlib import contextmanager
from enum import Enum
from typing import Any, Iterator

from ..core.naming import public
from .locations import default_restore_location, location_tag, register_package
from .rebuild import is_layout, storage_of
from .stored import StorageType, ZipStorages

__all__ = [
    "SourceChangeWarning", "mkdtemp", "register_package", "check_module_version_greater_or_equal", "validate_cuda_device",
    "validate_hpu_device", "location_tag", "default_restore_location", "normalize_storage_type", "storage_to_tensor_type", "save", "load",
    "StorageType", "LoadEndianness", "get_crc32_options", "set_crc32_options", "get_default_load_endianness",
    "set_default_load_endianness", "get_default_mmap_options", "set_default_mmap_options", "clear_safe_globals", "get_safe_globals",
    "add_safe_globals", "safe_globals", "get_unsafe_globals_in_checkpoint", "skip_data",
]  # fmt: skip

DEFAULT_PROTOCOL = 2
MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001

UNSAFE_MESSAGE = (
    "In PyTorch 2.6, we changed the default value of the `weights_only` argument in `torch.load` from `False` to `True`. Re-running "
    "`torch.load` with `weights_only` set to `False` will likely succeed, but it can result in arbitrary code execution. Do it only if you "
    "got the file from a trusted source."
)

_DOCS_MESSAGE = (
    "\n\nCheck the documentation of torch.load to learn more about types accepted by default with weights_only "
    "https://pytorch.org/docs/stable/generated/torch.load.html."
)


class _Local(threading.local):
    skip_data = False


_local = _Local()


@public("torch.serialization")
class SourceChangeWarning(Warning):
    """The source of a module's class is not what it was when the file was written."""


@public("torch.serialization")
class LoadEndianness(Enum):
    """The byte order that a file is taken to have if it does not say."""

    NATIVE = 1
    LITTLE = 2
    BIG = 3


# --- settings --------------------------------------------------------------------------------------------------


def _config() -> Any:
    from ..utils.serialization import config

    return config


def get_default_load_endianness() -> LoadEndianness | None:
    """The byte order of files that do not name theirs; None means little-endian."""
    return _config().load.endianness


def set_default_load_endianness(endianness: LoadEndianness | None) -> None:
    """Sets the byte order of files that do not name theirs. Raises TypeError for anything but a LoadEndianness or None."""
    if endianness is not None and not isinstance(endianness, LoadEndianness):
        raise TypeError("Invalid argument type in function set_default_load_endianness")
    _config().load.endianness = endianness


def get_crc32_options() -> bool:
    """Whether `save` writes checksums."""
    return _config().save.compute_crc32


def set_crc32_options(compute_crc32: bool) -> None:
    """Sets whether `save` writes checksums. `load` never asks for them, other programs that read zip files may."""
    _config().save.compute_crc32 = compute_crc32


def get_default_mmap_options() -> int | None:
    """How `load(mmap=True)` maps a file: `mmap.MAP_PRIVATE` or `mmap.MAP_SHARED`."""
    return _config().load.mmap_flags


@public("torch.serialization")
class set_default_mmap_options:
    """Sets how `load(mmap=True)` maps a file; as a context manager, until its end.

    Args: `flags`, `mmap.MAP_PRIVATE` (changes stay in memory) or `mmap.MAP_SHARED` (they go into the file).
    Raises ValueError for other flags, RuntimeError on Windows.
    """

    def __init__(self, flags: int) -> None:
        if sys.platform == "win32":
            raise RuntimeError("Changing the default mmap options is currently not supported for Windows")
        import mmap

        if flags not in (mmap.MAP_PRIVATE, mmap.MAP_SHARED):
            raise ValueError(
                f"Invalid argument in function set_default_mmap_options, expected mmap.MAP_PRIVATE or mmap.MAP_SHARED, but got {flags}"
            )
        self.prev = get_default_mmap_options()
        _config().load.mmap_flags = flags

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: Any) -> None:
        _config().load.mmap_flags = self.prev


@public("torch.serialization")
class skip_data:
    """Inside it, `save` leaves the space of storages empty and `load` leaves storages zero, in this thread.

    Raises RuntimeError from `save` for the format before the archive.
    """

    def __init__(self, materialize_fake_tensors: bool = False) -> None:
        self.materialize_fake_tensors = materialize_fake_tensors

    def __enter__(self) -> None:
        self._before = _local.skip_data
        _local.skip_data = True

    def __exit__(self, *exception: Any) -> None:
        _local.skip_data = self._before


def clear_safe_globals() -> None:
    """Forgets every class and function that was declared safe for loading with `weights_only`."""
    from . import unpickler

    unpickler.clear()


def get_safe_globals() -> list[Any]:
    """The classes and functions that were declared safe for loading with `weights_only`."""
    from . import unpickler

    return unpickler.declared()


def add_safe_globals(safe_globals: list[Any]) -> None:
    """Declares classes and functions safe: files loaded with `weights_only` may name them, call them and set their state.

    An entry is the object itself, or a tuple of it and the full name that it has in files.
    """
    from . import unpickler

    unpickler.add(safe_globals)


@public("torch.serialization")
class safe_globals:
    """`add_safe_globals` for the time of a `with` block."""

    def __init__(self, safe_globals: list[Any]) -> None:
        self.safe_globals = safe_globals

    def __enter__(self) -> None:
        add_safe_globals(self.safe_globals)

    def __exit__(self, *exception: Any) -> None:
        from . import unpickler

        unpickler.remove(self.safe_globals)


def get_unsafe_globals_in_checkpoint(f: Any) -> list[str]:
    """The names in a file that `weights_only` would refuse, found without building anything.

    Raises ValueError for a file that is no archive of `save`.
    """
    import io

    from . import unpickler
    from .reader import ZipReader

    with _reading(f) as file:
        if not _is_zip(file):
            raise ValueError("Expected input to be a checkpoint returned by torch.save")
        archive = ZipReader(file)
        if "constants.pkl" in archive:
            raise ValueError("Expected input to be a checkpoint returned by torch.save but got a torchscript checkpoint")
        names = unpickler.globals_in(io.BytesIO(archive.content("data.pkl")))
    return list(names - unpickler.allowed_globals().keys() - unpickler.user_globals().keys())


# --- saving ----------------------------------------------------------------------------------------------------


def save(
    obj: object,
    f: Any,
    pickle_module: Any = None,
    pickle_protocol: int = DEFAULT_PROTOCOL,
    _use_new_zipfile_serialization: bool = True,
    _disable_byteorder_record: bool = False,
) -> None:
    """Writes an object with its tensors to a file that `load`, PyTorch's as well as ours, reads.

    Args: `f`, a path or a file object with `write`; `pickle_module`, what pickles everything but the storages;
    `pickle_protocol`, 2 unless told otherwise (`weights_only` loading reads no other). Tensors that share memory share it
    after loading. A file given by path is replaced in one step once it is complete.
    Raises RuntimeError where one memory is saved under two dtypes, or the folder is not there.
    """
    if pickle_module is None:
        import pickle as pickle_module
    _check_dill_version(pickle_module)
    if not isinstance(f, (str, os.PathLike)) and not hasattr(f, "write"):
        raise AttributeError("expected 'f' to be string, path, or a file-like object with a 'write' attribute")
    if not _use_new_zipfile_serialization:
        from . import legacy

        if _local.skip_data:
            raise RuntimeError("Cannot use skip_data=True with _use_new_zipfile_serialization=False")
        with _writing(f) as file:
            legacy.save(obj, file, pickle_module, pickle_protocol)
        return
    from .writer import archive_root

    root = "archive"
    if isinstance(f, (str, os.PathLike)):
        path = os.fspath(f)
        root = archive_root(os.fsdecode(path))
        _check_folder(os.fsdecode(path))
    elif not callable(f.write):
        raise TypeError(f"Buffer of {str(type(f)).strip('<>')} has no callable attribute 'write'")
    with _writing(f) as file:
        _save_archive(obj, file, file is not f, root, pickle_module, pickle_protocol, _disable_byteorder_record)


def _save_archive(obj: object, file: Any, to_path: bool, root: str, pickle_module: Any, protocol: int, no_byte_order: bool) -> None:
    import io

    from .pickler import StorageIds, make_pickler
    from .writer import ZipWriter, reserve

    ids = StorageIds()
    data = io.BytesIO()
    make_pickler(pickle_module, data, protocol, ids).dump(obj)
    settings = _config().save
    alignment = settings.storage_alignment
    if to_path:
        overhead = 1 << 12 if len(ids.storages) < 8 else len(ids.storages) << 9
        reserve(file, data.tell() + sum(storage.nbytes() + alignment for storage in ids.storages.values()) + overhead)
    archive = ZipWriter(file, root, alignment, settings.compute_crc32)
    archive.record("data.pkl", data.getbuffer())
    archive.record(".format_version", b"1")
    archive.record(".storage_alignment", str(alignment).encode())
    if not no_byte_order:
        archive.record("byteorder", sys.byteorder.encode())
    for key, storage in ids.storages.items():
        if _local.skip_data or storage.device.type == "meta":
            archive.gap(f"data/{key}", storage.nbytes())
        else:
            archive.record(f"data/{key}", storage.memory)
    archive.close()


def _check_folder(path: str) -> None:
    folder = os.path.dirname(path)
    if folder and path.isascii() and not os.path.isdir(folder):
        raise RuntimeError(f"Parent directory {folder} does not exist.")
    if os.path.isdir(path):
        raise RuntimeError("[enforce fail at inline_container.cc:747] . open file failed with strerror: Is a directory")


@contextmanager
def _writing(f: Any) -> Iterator[Any]:
    """The file object to write to: `f`, or one that takes the place of the path `f` when all is written."""
    if isinstance(f, (str, os.PathLike)):
        from .writer import replacing

        with replacing(os.fspath(f)) as file:
            yield file
    else:
        yield f
        if hasattr(f, "flush"):
            f.flush()


# --- loading ---------------------------------------------------------------------------------------------------


def load(
    f: Any,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Reads what `save` wrote, PyTorch's as well as ours.

    Args: `f`, a path or a seekable binary file object; `map_location`, where storages go: a device, its name, a dict from
    names in the file to names here, or a function of (storage, name) that returns a storage or None; `weights_only` (the
    default), build tensors and plain containers alone, and what `add_safe_globals` named; if False the file is unpickled
    and can run any code, so its source must be trusted; `mmap`, map the file (given by path) and read storages when they are
    used. Other keywords go to the unpickler.

    Raises pickle.UnpicklingError for what `weights_only` refuses, RuntimeError for a damaged file.
    """
    weights_only, pickle_module = _settle(weights_only, pickle_module)
    if pickle_load_args and weights_only:
        import warnings

        warnings.warn("pickle_load_args only works if `weights_only=False`.", stacklevel=2)
    if mmap is None:
        mmap = _config().load.mmap
    _check_dill_version(pickle_module)
    pickle_load_args.setdefault("encoding", "utf-8")
    if isinstance(f, (str, os.PathLike)) and os.fsdecode(os.fspath(f)).endswith(".safetensors"):
        return _load_safetensors(os.fspath(f), map_location)
    with _reading(f) as file:
        if not weights_only:
            return _load(file, f, map_location, pickle_module, mmap, False, pickle_load_args)
        import pickle

        try:
            return _load(file, f, map_location, pickle_module, mmap, True, pickle_load_args)
        except pickle.UnpicklingError as error:
            raise pickle.UnpicklingError(_refusal(str(error))) from None


def _settle(weights_only: bool | None, pickle_module: Any) -> tuple[bool, Any]:
    """Arguments and environment decide between the interpreter of `weights_only` and a pickle module."""
    chosen = pickle_module is None if weights_only is None else weights_only
    force, forbid = (
        os.getenv(name, "0").lower() in ("1", "y", "yes", "true")
        for name in ("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")
    )
    if force and forbid:
        raise RuntimeError(
            "Only one of `TORCH_FORCE_WEIGHTS_ONLY_LOAD` or `TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD` should be set, but both were set."
        )
    if force:
        chosen = True
    elif forbid and weights_only is None:
        import warnings

        warnings.warn(
            "Environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD detected, since the`weights_only` argument was not explicitly passed to "
            "`torch.load`, forcing weights_only=False.",
            UserWarning,
            stacklevel=3,
        )
        chosen = False
    if chosen:
        if pickle_module is not None:
            raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
        from . import unpickler

        return True, unpickler
    if pickle_module is None:
        import pickle as pickle_module
    return False, pickle_module


def _load(file: Any, f: Any, map_location: Any, pickle_module: Any, mmap: bool, weights_only: bool, arguments: dict[str, Any]) -> Any:
    unpickler = pickle_module.Unpickler if weights_only else _unpickler_of(pickle_module)
    if not _is_zip(file):
        if mmap:
            name = f"{f}, " if isinstance(f, str) else ""
            raise RuntimeError(
                f"mmap can only be used with files saved with `torch.save({name}_use_new_zipfile_serialization=True), please torch.save "
                "your checkpoint with this option in order to use mmap."
            )
        from . import legacy

        return legacy.load(file, map_location, pickle_module, unpickler, _local.skip_data, weights_only, **arguments)
    import io

    from .reader import ZipReader

    archive = ZipReader(file)
    if "constants.pkl" in archive:
        _refuse_torchscript(weights_only)
    mapped = None
    if mmap:
        if not isinstance(f, (str, os.PathLike)):
            raise ValueError("f must be a file path in order to use the mmap argument")
        mapped = _map(file, os.fspath(f), archive.size)
    reader = unpickler(io.BytesIO(archive.content("data.pkl")), **arguments)
    reader.persistent_load = ZipStorages(archive, map_location, mapped, _local.skip_data)
    return reader.load()


def _map(file: Any, path: Any, size: int) -> Any:
    from ..core.storage import map_file

    if get_default_mmap_options() != 1:  # mmap.MAP_SHARED
        return map_file(file.fileno(), size)
    with open(path, "r+b") as writable:
        return map_file(writable.fileno(), size, shared=True)


def _unpickler_of(pickle_module: Any) -> type:
    """The Unpickler of a pickle module, with PyTorch's names leading to our objects."""
    from .names import find

    class Unpickler(pickle_module.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if "Storage" in name:
                try:
                    return StorageType(name)
                except KeyError:
                    pass
            found = find(module, name)
            return super().find_class(module, name) if found is None else found

    return Unpickler


def _refuse_torchscript(weights_only: bool) -> None:
    if weights_only:
        raise RuntimeError("Cannot use ``weights_only=True`` with TorchScript archives passed to ``torch.load``. " + UNSAFE_MESSAGE)
    raise RuntimeError(
        "torch.load received a zip file that looks like a TorchScript archive, written by torch.jit.save. flambeau does not run "
        "TorchScript: in PyTorch, load it with torch.jit.load and save its state_dict() with torch.save instead."
    )


def _load_safetensors(path: Any, map_location: Any) -> Any:
    from ..core.device import device

    where = "cpu"
    if isinstance(map_location, (str, bytes, device)):
        where = str(map_location)
    elif map_location is not None:
        kind = "dict" if isinstance(map_location, dict) else "callable"
        raise RuntimeError(
            f"Loading safetensors file with {kind} map_location is not supported. Use a device string or torch.device instead."
        )
    try:
        import safetensors.numpy
    except ImportError as error:
        raise RuntimeError(
            "Attempting to load a safetensors file but safetensors is not installed. Please install safetensors with: "
            "pip install safetensors"
        ) from error
    from ..tensor import wrap

    arrays = safetensors.numpy.load_file(path)
    return {name: default_restore_tensor(wrap(array), where) for name, array in arrays.items()}


def default_restore_tensor(tensor: Any, location: str) -> Any:
    """`tensor` where `location` says. Raises RuntimeError for a place that is not there."""
    return tensor if default_restore_location(storage_of(tensor), location).device.type == "cpu" else tensor.to(location)


def _refusal(message: str) -> str:
    """What the user is told when `weights_only` refuses a file, and what to do about it."""
    import re

    if re.search(r"GLOBAL (\S+) was not an allowed global by default.", message):
        return (
            "Weights only load failed. This file can still be loaded, to do so you have two options, \033[1mdo those steps only if you "
            f"trust the source of the checkpoint\033[0m. \n\t(1) {UNSAFE_MESSAGE}\n\t(2) Alternatively, to load with "
            "`weights_only=True` please check the recommended steps in the following error message.\n\tWeightsUnpickler error: "
            f"{message}{_DOCS_MESSAGE}"
        )
    told = f"Weights only load failed. {UNSAFE_MESSAGE}\n"
    if not re.search(r"whose module (\S+) is blocked", message):
        told += (
            "Please file an issue with the following so that we can make `weights_only=True` compatible with your use case: "
            "WeightsUnpickler error: "
        )
    return f"{told}\n\n{message}{_DOCS_MESSAGE}"


@contextmanager
def _reading(f: Any) -> Iterator[Any]:
    """The file object to read from. Raises for one that cannot seek."""
    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb", buffering=0) as raw:
            yield raw
        return
    try:
        f.seek(f.tell())
    except (AttributeError, OSError) as error:
        if "seek" not in str(error) and "tell" not in str(error):
            raise
        raise type(error)(
            f"{error}. You can only torch.load from a file that is seekable. Please pre-load the data into a buffer like io.BytesIO and "
            "try to load from it instead."
        ) from None
    yield f


def _is_zip(file: Any) -> bool:
    start = file.tell()
    head = file.read(4)
    file.seek(start)
    return head == b"PK\3\4"


# --- what pickles name, and small helpers of PyTorch's module ---------------------------------------------------


def _get_layout(name: str) -> Any:
    """Unpickles a layout (`"torch.strided"`). Raises KeyError for a name that is none."""
    package = sys.modules[__package__.rpartition(".")[0]]
    found = getattr(package, name.removeprefix("torch."), None)
    if not is_layout(found):
        raise KeyError(name)
    return found


def _load_from_bytes(data: bytes) -> Any:
    """Unpickles a storage that PyTorch pickled by itself, outside a model file."""
    import io

    return load(io.BytesIO(data), weights_only=False)


@contextmanager
def mkdtemp() -> Iterator[str]:
    """A temporary folder, removed at the end."""
    import tempfile

    with tempfile.TemporaryDirectory() as path:
        yield path


def normalize_storage_type(storage_type: type) -> Any:
    """The class called as `storage_type` is, in the package itself."""
    from ..core.storage import UntypedStorage
    from ..core.typed_storage import LEGACY

    return UntypedStorage if storage_type.__name__ == "UntypedStorage" else LEGACY[storage_type.__name__]


def storage_to_tensor_type(storage: Any) -> Any:
    """The tensor class that goes with a storage's class."""
    package = sys.modules[__package__.rpartition(".")[0]]
    return getattr(package, type(storage).__name__.replace("Storage", "Tensor"))


def validate_cuda_device(location: str) -> int:
    """Raises RuntimeError: there is no CUDA device."""
    from .locations import validate

    return validate("cuda")


def validate_hpu_device(location: str) -> int:
    """Raises RuntimeError: there is no HPU device."""
    from .locations import validate

    return validate("hpu", registered=False)


def check_module_version_greater_or_equal(module: Any, req_version_tuple: tuple, error_if_malformed: bool = True) -> bool:
    """Whether `module.__version__` is at least `req_version_tuple`.

    A version that cannot be compared raises RuntimeError, or warns and passes if `error_if_malformed` is False.
    """
    try:
        parts = module.__version__.split(".")
        found = tuple(type(wanted)(parts[i]) for i, wanted in enumerate(req_version_tuple))
        return found >= req_version_tuple
    except Exception as error:
        message = (
            f"'{module.__name__}' module version string is malformed '{module.__version__}' and cannot be compared with tuple "
            f"{req_version_tuple}"
        )
        if error_if_malformed:
            raise RuntimeError(message) from error
        import warnings

        warnings.warn(message + ", but continuing assuming that requirement is met", stacklevel=2)
        return True


def _check_dill_version(pickle_module: Any) -> None:
    if pickle_module is not None and pickle_module.__name__ == "dill":
        if not check_module_version_greater_or_equal(pickle_module, (0, 3, 1), False):
            raise ValueError(
                f"'torch' supports dill >= 0.3.1, but you have dill {pickle_module.__version__}. Please upgrade dill or switch to 'pickle'"
            )
