"""Storages seen as elements of one dtype: `TypedStorage` and its old classes `FloatStorage`, `LongStorage`, ...

PyTorch is giving them up for `UntypedStorage`; model files still name them.
"""

from typing import Any, Iterator, NoReturn

import numpy as np

from . import dtype as dtypes
from .device import CPU, device
from .naming import public
from .storage import UntypedStorage, as_place, is_int, storage_text

ndarray = np.ndarray

STORAGE_NAMES: dict[Any, str] = {
    d: f"{name}Storage" for d, name in dtypes.SCALAR_NAMES.items() if d not in (dtypes.uint16, dtypes.uint32, dtypes.uint64)
}
"""The storage class that stands for a dtype in model files. Dtypes without one are stored as bytes beside their name."""

STORAGE_DTYPES: dict[str, Any] = {name: d for d, name in STORAGE_NAMES.items()}

C_NAMES = {"int8": "int8_t", "uint8": "uint8_t", "int16": "short", "int32": "int", "int64": "long"}

_warned = False


def warn_deprecated(stacklevel: int = 2) -> None:
    """Warns once in a process that typed storages are on their way out."""
    global _warned
    if _warned:
        return
    _warned = True
    import warnings

    warnings.warn(
        "TypedStorage is deprecated. It will be removed in the future and UntypedStorage will be the only storage class. This should only "
        "matter to you if you are using storages directly.  To access UntypedStorage directly, use tensor.untyped_storage() instead of "
        "tensor.storage()",
        UserWarning,
        stacklevel=stacklevel + 1,
    )


_EXPECTED = (
    "TypedStorage.__init__ received an invalid combination of arguments. Expected one of:\n"
    " * (*, torch.device device, torch.dtype dtype)\n"
    " * (int size, *, torch.device device, torch.dtype dtype)\n"
    " * (Sequence data, *, torch.device device, torch.dtype dtype)\n"
    " * (*, UntypedStorage wrap_storage, torch.dtype dtype)"
)


@public("torch.storage")
class TypedStorage:
    """A storage seen as elements of one dtype; deprecated in PyTorch, which warns once.

    `TypedStorage(size_or_sequence, dtype=..., device=...)`, or `TypedStorage(wrap_storage=untyped, dtype=...)`.
    """

    is_sparse = False
    dtype: Any = None
    _untyped_storage: UntypedStorage

    def __new__(cls, *args: Any, wrap_storage: Any = None, dtype: Any = None, device: Any = None, _internal: bool = False) -> Any:
        if not _internal:
            warn_deprecated()
        if cls is _LegacyStorage:
            raise RuntimeError("Only child classes of _LegacyStorage can be instantiated")
        if cls is TypedStorage:
            return object.__new__(cls)
        return _legacy_storage(cls, args, wrap_storage, dtype, device)

    def __init__(self, *args: Any, device: Any = None, dtype: Any = None, wrap_storage: Any = None, _internal: bool = False) -> None:
        if wrap_storage is not None:
            if args:
                raise RuntimeError(f"{_EXPECTED}\nNo positional arguments should be given when using 'wrap_storage'")
            if dtype is None:
                raise RuntimeError(f"{_EXPECTED}\nArgument 'dtype' must be specified")
            if not isinstance(dtype, dtypes.dtype):
                raise TypeError(f"{_EXPECTED}\nArgument 'dtype' must be torch.dtype, not {type(dtype)}")
            if device is not None:
                raise RuntimeError(f"{_EXPECTED}\nArgument 'device' should not be specified when 'wrap_storage' is given")
            if not isinstance(wrap_storage, UntypedStorage):
                raise TypeError(f"{_EXPECTED}\nArgument 'wrap_storage' must be UntypedStorage, but got {type(wrap_storage)}")
            self.dtype = dtype
            self._untyped_storage = wrap_storage
            return
        self.dtype = dtypes.get_default_dtype() if dtype is None else dtype
        if len(args) > 1:
            raise RuntimeError(f"{_EXPECTED}\nToo many positional arguments")
        if not args or is_int(args[0]):
            self._untyped_storage = UntypedStorage((int(args[0]) if args else 0) * self.dtype.itemsize, device=device)
            return
        if isinstance(args[0], (str, bytes)):
            raise TypeError(f"new(): invalid data type '{type(args[0]).__name__}'")
        if not hasattr(args[0], "__len__") or not hasattr(args[0], "__getitem__"):
            raise TypeError(f"{_EXPECTED}\nArgument type not recognized: {type(args[0])}")
        values = np.asarray(args[0])
        row = UntypedStorage.of_array(_cast(values, self.dtype) if values.size else np.empty(0, self.dtype.numpy))
        self._untyped_storage = row.to(device="cpu" if device is None else device)

    @classmethod
    def over(cls, untyped: UntypedStorage, dtype: Any) -> "TypedStorage":
        """`untyped` seen as elements of `dtype`, without the checks and the warning of the constructor."""
        self = object.__new__(TypedStorage)
        self._untyped_storage = untyped
        self.dtype = dtype
        return self

    def _array(self) -> ndarray:
        """The whole elements as an array that shares the memory."""
        memory = self._untyped_storage.memory
        width = self.dtype.itemsize
        return memory[: len(memory) // width * width].view(self.dtype.numpy)

    # Names that PyTorch's own Python code uses: the same without the warning.
    _dtype = property(lambda self: self.dtype)
    _cdata = property(lambda self: self._untyped_storage._cdata)

    def _size(self) -> int:
        return self._untyped_storage._nbytes // self.dtype.itemsize

    def _element_size(self) -> int:
        return self.dtype.itemsize

    def _nbytes(self) -> int:
        return self._untyped_storage._nbytes

    def _data_ptr(self) -> int:
        return self._untyped_storage.data_ptr()

    def _deepcopy(self, memo: dict[Any, Any]) -> "TypedStorage":
        return TypedStorage.over(self._untyped_storage.__deepcopy__(memo), self.dtype)

    def _pickle_storage_type(self) -> str:
        if self.dtype not in STORAGE_NAMES:
            raise KeyError(f"dtype {self.dtype} is not recognized")
        return STORAGE_NAMES[self.dtype]

    @property
    def device(self) -> device:
        warn_deprecated()
        return self._untyped_storage.device

    @property
    def filename(self) -> str | None:
        return self._untyped_storage.filename

    @property
    def is_cuda(self) -> bool:
        warn_deprecated()
        return False

    is_hpu = is_cuda

    def __len__(self) -> int:
        warn_deprecated()
        return self._size()

    def size(self) -> int:
        """How many elements it holds."""
        warn_deprecated()
        return self._size()

    def nbytes(self) -> int:
        """How many bytes it holds."""
        warn_deprecated()
        return self._nbytes()

    def element_size(self) -> int:
        """Bytes of one element."""
        warn_deprecated()
        return self._element_size()

    def data_ptr(self) -> int:
        """The address of the first byte."""
        warn_deprecated()
        return self._data_ptr()

    def getas_place(self) -> int:
        warn_deprecated()
        return self._untyped_storage.getas_place()

    def untyped(self) -> UntypedStorage:
        """The bytes underneath."""
        warn_deprecated()
        return self._untyped_storage

    def pickle_storage_type(self) -> str:
        """The class that stands for it in model files. Raises KeyError for dtypes without one."""
        warn_deprecated()
        return self._pickle_storage_type()

    def type(self, dtype: Any = None, non_blocking: bool = False) -> Any:
        """The name of the storage class of its dtype."""
        warn_deprecated()
        if dtype is not None:
            return self._untyped_storage.type(dtype, non_blocking)
        name = STORAGE_NAMES.get(self.dtype) if self._untyped_storage.device.type == "cpu" else None
        return "torch.storage.TypedStorage" if name is None else f"torch.{name}"

    def __getitem__(self, index: Any) -> Any:
        warn_deprecated()
        if self._untyped_storage._memory is None:
            raise NotImplementedError("Not available for 'meta' device type")
        if isinstance(index, slice):
            raise RuntimeError("slices are only supported in UntypedStorage.__getitem__")
        if not isinstance(index, int):
            raise RuntimeError(f"can't index a {type(self)} with {type(index)}")
        size = self._size()
        if not -size <= index < size:
            raise IndexError(f"index {index} out of range for storage of size {size}")
        return _python(self._array()[index % size : index % size + 1])[0]

    def __setitem__(self, index: Any, value: Any) -> None:
        warn_deprecated()
        if not isinstance(index, (int, slice)):
            raise RuntimeError(f"can't index a {type(self)} with {type(index)}")
        if isinstance(value, (UntypedStorage, TypedStorage)):
            raise RuntimeError(f"cannot set item with value type {type(value)}")
        self._array()[index] = _cast(np.asarray(value), self.dtype)

    def __iter__(self) -> Iterator[Any]:
        warn_deprecated()
        return iter(_python(self._array()))

    def tolist(self) -> list[Any]:
        """The elements as Python numbers."""
        warn_deprecated()
        return _python(self._array())

    def fill_(self, value: Any) -> "TypedStorage":
        """Sets every element."""
        warn_deprecated()
        self._array()[:] = _cast(np.asarray(value), self.dtype)
        return self

    def copy_(self, source: Any, non_blocking: bool | None = None) -> "TypedStorage":
        """Takes over the bytes of another storage of the same size in bytes."""
        warn_deprecated()
        self._untyped_storage.copy_(source, non_blocking)
        return self

    def clone(self) -> "TypedStorage":
        """A copy with memory of its own."""
        warn_deprecated()
        return TypedStorage.over(self._untyped_storage.clone(), self.dtype)

    def cpu(self) -> "TypedStorage":
        warn_deprecated()
        return TypedStorage.over(self._untyped_storage.cpu(), self.dtype)

    def to(self, *, device: Any, non_blocking: bool = False) -> "TypedStorage":
        warn_deprecated()
        return TypedStorage.over(self._untyped_storage.to(device=device), self.dtype)

    def cuda(self, device: Any = None, non_blocking: bool = False) -> NoReturn:
        self._untyped_storage.cuda(device)

    def resizable(self) -> bool:
        warn_deprecated()
        return self._untyped_storage.resizable()

    def resize_(self, size: int) -> None:
        """Makes it `size` elements long, as `UntypedStorage.resize_` does."""
        warn_deprecated()
        self._untyped_storage.resize_(size * self.dtype.itemsize)

    def is_shared(self) -> bool:
        warn_deprecated()
        return self._untyped_storage.is_shared()

    def share_memory_(self) -> "TypedStorage":
        warn_deprecated()
        self._untyped_storage.share_memory_()
        return self

    def is_pinned(self, device: Any = None) -> bool:
        return self._untyped_storage.is_pinned(device)

    def pin_memory(self, device: Any = None) -> NoReturn:
        self._untyped_storage.pin_memory(device)
        raise AssertionError

    def _to(self, dtype: Any) -> "TypedStorage":
        if not isinstance(dtype, dtypes.dtype):
            raise TypeError(f"Argument 'dtype' must be torch.dtype, not {type(dtype)}")
        return TypedStorage.over(UntypedStorage.of_array(self._array().astype(dtype.numpy)), dtype)

    def __str__(self) -> str:
        warn_deprecated()
        where = self._untyped_storage.device
        return storage_text(self, f"[torch.storage.TypedStorage(dtype={self.dtype}, device={where}) of size {self._size()}]")

    __repr__ = __str__

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + self._nbytes()

    def __copy__(self) -> "TypedStorage":
        return self.clone()

    def __deepcopy__(self, memo: dict[Any, Any]) -> "TypedStorage":
        warn_deprecated()
        return self._deepcopy(memo)

    def __reduce_ex__(self, protocol: int) -> Any:  # type: ignore[override]
        return typed_storage, (self._untyped_storage, self.dtype)

    @classmethod
    def from_buffer(cls, *args: Any, dtype: Any = None, device: Any = None, **kwargs: Any) -> "TypedStorage":
        """`UntypedStorage.from_buffer` seen as elements of the dtype."""
        warn_deprecated()
        if cls is TypedStorage:
            dtype = dtypes.get_default_dtype() if dtype is None else dtype
            where = CPU if device is None else as_place(device)
            if where is not CPU:
                raise RuntimeError(f"TypedStorage.from_buffer: Not available for device {where.type}")
        else:
            for name, given in (("dtype", dtype is not None or len(args) == 5), ("device", device is not None)):
                if given:
                    raise RuntimeError(
                        f"from_buffer: '{name}' can only be specified in UntypedStorage.from_buffer and TypedStorage.from_buffer"
                    )
            dtype = cls.dtype
        return TypedStorage.over(UntypedStorage.from_buffer(*args, **kwargs, dtype=dtype), dtype)  # type: ignore[misc]

    @classmethod
    def from_file(cls, filename: Any, shared: bool = False, size: int = 0) -> "TypedStorage":
        """`size` elements of a file mapped into memory; on the classes of one dtype."""
        warn_deprecated()
        if cls is TypedStorage:
            raise RuntimeError("from_file can only be called on derived classes")
        return TypedStorage.over(UntypedStorage.from_file(filename, shared, size * cls.dtype.itemsize), cls.dtype)


def typed_storage(untyped: UntypedStorage, dtype: Any) -> TypedStorage:
    """Unpickles a typed storage."""
    return TypedStorage.over(untyped, dtype)


def _cast(values: ndarray, dtype: Any) -> ndarray:
    """Values for a storage of `dtype`. Raises RuntimeError where an integer does not fit."""
    if dtype.kind == 1 and values.dtype.kind in "iufO" and values.size:
        bounds = np.iinfo(dtype.numpy)
        low = bounds.min if dtype.is_signed else -bounds.max
        if min(values.min(), 0) < low or values.max() > bounds.max:
            raise RuntimeError(f"value cannot be converted to type {C_NAMES.get(dtype.name, dtype.name + '_t')} without overflow")
    return values.astype(dtype.numpy)


def _python(array: ndarray) -> list[Any]:
    return array.astype(np.float32).tolist() if array.dtype.kind == "V" else array.tolist()


class _LegacyStorageMeta(type):
    """`isinstance(storage, FloatStorage)` asks for the dtype."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return type(instance) is TypedStorage and instance.dtype is cls.dtype and instance._untyped_storage.device.type == "cpu"  # type: ignore[attr-defined]


@public("torch.storage")
class _LegacyStorage(TypedStorage, metaclass=_LegacyStorageMeta):
    """What the storage classes of one dtype have in common."""


def _legacy_storage(cls: Any, args: tuple, wrap_storage: Any, dtype: Any, device: Any) -> TypedStorage:
    """What `FloatStorage(...)` makes: a TypedStorage of the class's dtype."""
    message = (
        f"{cls}.__new__ received an invalid combination of arguments. Expected one of:\n * no arguments\n * (int size)\n"
        " * (Sequence data)\n * (*, UntypedStorage wrap_storage)"
    )
    for name, given in (("device", device), ("dtype", dtype)):
        if given is not None:
            raise RuntimeError(f"{message}\nKeyword argument '{name}' cannot be specified")
    if wrap_storage is None:
        if len(args) > 1:
            raise RuntimeError(f"{message}\nToo many positional arguments")
        if args and not is_int(args[0]) and not (hasattr(args[0], "__len__") and hasattr(args[0], "__getitem__")):
            raise TypeError(f"{message}\nArgument type not recognized: {type(args[0])}")
        return TypedStorage(*args, dtype=cls.dtype, _internal=True)
    if args:
        raise RuntimeError(f"{message}\nNo positional arguments should be given when using 'wrap_storage'")
    if not isinstance(wrap_storage, UntypedStorage):
        raise TypeError(f"{message}\nArgument 'wrap_storage' must be UntypedStorage, but got {type(wrap_storage)}")
    if wrap_storage.device.type != "cpu":
        raise RuntimeError(f"{message}\nDevice of 'wrap_storage' must be cpu, but got {wrap_storage.device.type}")
    return TypedStorage.over(wrap_storage, cls.dtype)


def _with_casts() -> None:
    """`storage.float()` and its kin, which copy into another dtype."""
    casts = dict(
        double=dtypes.float64, float=dtypes.float32, half=dtypes.float16, long=dtypes.int64, int=dtypes.int32, short=dtypes.int16,
        char=dtypes.int8, byte=dtypes.uint8, bool=dtypes.bool, bfloat16=dtypes.bfloat16, complex_double=dtypes.complex128,
        complex_float=dtypes.complex64,
    )  # fmt: skip
    for name, dtype in casts.items():

        def typed(self: Any, _dtype: Any = dtype) -> TypedStorage:
            warn_deprecated()
            return self._to(_dtype)

        def untyped(self: Any, _dtype: Any = dtype) -> TypedStorage:
            return TypedStorage.over(self, dtypes.uint8)._to(_dtype)

        for cls, method in ((TypedStorage, typed), (UntypedStorage, untyped)):
            method.__name__ = name
            method.__qualname__ = f"{cls.__name__}.{name}"
            method.__doc__ = f"A copy with its elements cast to {dtype}."
            setattr(cls, name, method)


_with_casts()

LEGACY: dict[str, type] = {
    name: public("torch")(_LegacyStorageMeta(name, (_LegacyStorage,), {"dtype": d, "__doc__": f"Storages of {d}."}))
    for name, d in STORAGE_DTYPES.items()
}
"""`FloatStorage`, `LongStorage` and the other storage classes of one dtype, by name."""


def is_storage(obj: Any) -> bool:
    """Whether `obj` is a storage."""
    return type(obj) is UntypedStorage or type(obj) is TypedStorage
