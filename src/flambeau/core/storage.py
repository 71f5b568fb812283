"""Storages: the flat memory behind tensors, as bytes (`UntypedStorage`) and as elements of one dtype (`TypedStorage`).

A storage is a view of the root buffer that an array lies in; it owns nothing by itself. NumPy ties an array to its
buffer for good, so a buffer that tensors look at cannot be moved: `resize_` raises there.
"""

import sys
from typing import Any, Iterator, NoReturn

import numpy as np

from . import dtype as dtypes
from .device import CPU, META, check_available, device
from .layout import address, root_of
from .naming import public

ndarray = np.ndarray

STORAGE_NAMES: dict[Any, str] = {
    d: f"{name}Storage" for d, name in dtypes.SCALAR_NAMES.items() if d not in (dtypes.uint16, dtypes.uint32, dtypes.uint64)
}
"""The storage class that stands for a dtype in model files. Dtypes without one are stored as bytes beside their name."""

STORAGE_DTYPES: dict[str, Any] = {name: d for d, name in STORAGE_NAMES.items()}

C_NAMES = {"int8": "int8_t", "uint8": "uint8_t", "int16": "short", "int32": "int", "int64": "long"}


def flat_bytes(array: ndarray) -> ndarray:
    """The whole memory of `array`'s root as one row of bytes, in the order it lies in memory."""
    root = root_of(array)
    if root.flags.c_contiguous:
        return root.reshape(-1).view(np.uint8)
    if root.flags.f_contiguous:
        return root.T.reshape(-1).view(np.uint8)
    # A foreign buffer with gaps, such as every second column of another library's array.
    low, high = np.lib.array_utils.byte_bounds(root)
    first = root[tuple(slice(None, None, -1) if s < 0 else slice(None) for s in root.strides)]
    element = np.lib.stride_tricks.as_strided(first, (1,), (root.itemsize,)).view(np.uint8)
    return np.lib.stride_tricks.as_strided(element, (high - low,), (1,))


def strided_array(memory: ndarray, dtype: Any, offset: int, size: Any, stride: Any) -> ndarray:
    """An array of `dtype` over `memory` (bytes) with an offset and strides in elements.

    Raises RuntimeError where they are malformed or reach outside the memory.
    """
    size, stride = tuple(size), tuple(stride)
    if len(size) != len(stride):
        raise RuntimeError(f"unequal size length ({len(size)}) and stride length ({len(stride)})")
    if offset < 0:
        raise RuntimeError(f"Tensor: invalid storage offset {offset}")
    last = offset
    for n, step in zip(size, stride):
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: {list(size)}")
        if step < 0:
            raise RuntimeError(f"Storage size calculation overflowed with sizes={list(size)} and strides={list(stride)}")
        last += (n - 1) * step
    itemsize = dtype.itemsize
    if 0 in size:
        # No element is read, so any offset and strides will do; NumPy wants the start inside the buffer.
        return ndarray(size, dtype.numpy, memory, min(offset * itemsize, len(memory)), strides_in_bytes(size, stride, itemsize))
    need = (last + 1) * itemsize
    if need > len(memory):
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset}, and itemsize {itemsize} requiring a "
            f"storage size of {need} are out of bounds for storage of size {len(memory)}"
        )
    return ndarray(size, dtype.numpy, memory, offset * itemsize, strides_in_bytes(size, stride, itemsize))


def strides_in_bytes(size: tuple[int, ...], stride: tuple[int, ...], itemsize: int) -> list[int]:
    """Strides for NumPy. A step that is never taken may be any number in a file; it must fit NumPy's."""
    return [0 if n <= 1 and step > 1 << 40 else step * itemsize for n, step in zip(size, stride)]


def _is_int(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


@public("torch.storage")
class UntypedStorage:
    """A row of bytes: `UntypedStorage()`, `UntypedStorage(nbytes)` (uninitialised) or `UntypedStorage(sequence_of_ints)`.

    Indexing gives and takes ints; a slice (step 1) shares the memory. Two objects are equal when they are the same
    memory. Raises RuntimeError for a negative size and for sequences of anything but ints.
    """

    __slots__ = ("_memory", "_root", "_nbytes", "device", "filename", "__weakref__")
    is_sparse = is_sparse_csr = False

    def __init__(self, *args: Any, device: Any = None, allocator: Any = None, size: Any = None, sequence: Any = None) -> None:
        where = CPU if device is None else _device(device)
        if size is not None:
            args = (*args, size)
        if sequence is not None:
            args = (*args, sequence)
        if len(args) > 1:
            raise TypeError(
                f"torch.UntypedStorage() received an invalid combination of arguments - got ({', '.join(type(a).__name__ for a in args)}), "
                "but expected one of:\n * (*, int allocator = None, torch.device device = None)\n * (int size, *, int allocator = None, "
                "torch.device device = None)\n * (object sequence, *, int allocator = None, torch.device device = None)\n"
            )
        what = args[0] if args else 0
        if _is_int(what):
            if what < 0:
                _negative_size(what)
            memory = np.empty(what, np.uint8) if where is not META else None
            nbytes = int(what)
        else:
            memory = _bytes_of_ints(what)
            nbytes = len(memory)
        self._set(memory if where is not META else None, nbytes, where)

    def _set(self, memory: ndarray | None, nbytes: int, where: device) -> None:
        self._memory = memory
        self._root = None if memory is None else root_of(memory)
        self._nbytes = nbytes
        self.device = where
        self.filename = None

    @classmethod
    def of_array(cls, array: ndarray) -> "UntypedStorage":
        """The storage that `array` lies in."""
        return cls.of_bytes(flat_bytes(array))

    @classmethod
    def of_bytes(cls, memory: ndarray) -> "UntypedStorage":
        """A storage over a one-dimensional array of bytes, which it shares."""
        self = object.__new__(cls)
        self._set(memory, len(memory), CPU)
        return self

    @classmethod
    def on_meta(cls, nbytes: int) -> "UntypedStorage":
        """A storage that has a size but no memory."""
        self = object.__new__(cls)
        self._set(None, nbytes, META)
        return self

    @property
    def memory(self) -> ndarray:
        """The bytes as an array. Raises NotImplementedError on the meta device."""
        if self._memory is None:
            raise NotImplementedError("Not available for 'meta' device type")
        return self._memory

    @property
    def _cdata(self) -> int:
        """A number that is the same for every object over the same memory, while that memory lives."""
        if self._root is None:
            return id(self)
        return address(self._memory) if self._nbytes else id(self._root)

    @property
    def _untyped_storage(self) -> "UntypedStorage":
        return self

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, UntypedStorage) and self._key() == other._key())

    def __hash__(self) -> int:
        return hash(self._cdata)

    def _key(self) -> tuple[int, int]:
        return self._cdata, self._nbytes

    # --- size and place ----------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self._nbytes

    def nbytes(self) -> int:
        """How many bytes it holds."""
        return self._nbytes

    size = nbytes

    def element_size(self) -> int:
        """1: its elements are bytes."""
        return 1

    def data_ptr(self) -> int:
        """The address of the first byte; 0 for an empty storage and on the meta device."""
        return address(self._memory) if self._memory is not None and self._nbytes else 0

    def get_device(self) -> int:
        """The number of the CUDA device; -1 on the CPU."""
        return -1

    is_cuda = property(lambda self: self.device.type == "cuda")
    is_hpu = property(lambda self: self.device.type == "hpu")

    def is_pinned(self, device: Any = None) -> bool:
        """False: no memory here is pinned."""
        return False

    def pin_memory(self, device: Any = None) -> "UntypedStorage":
        """Raises RuntimeError: there is no accelerator to pin memory for."""
        raise RuntimeError("Cannot access accelerator device when none is available.")

    def is_shared(self) -> bool:
        """Whether it is mapped so that other processes see its changes."""
        return self.filename is not None

    def share_memory_(self) -> "UntypedStorage":
        """Raises RuntimeError unless shared already: memory that arrays look at cannot be moved."""
        if self.is_shared() or self._memory is None:
            return self
        raise RuntimeError("share_memory_() is not supported: the memory of a storage cannot be moved into shared memory")

    def type(self, dtype: Any = None, non_blocking: bool = False) -> Any:
        """The name of the class."""
        if dtype is not None:
            raise RuntimeError("UntypedStorage.type() only gives the storage's type; it cannot convert it")
        return "torch.storage.UntypedStorage"

    def resizable(self) -> bool:
        """Whether `resize_` may change its size: only where no tensor or other storage looks at the memory."""
        memory, root = self._memory, self._root
        if memory is None or root is None or root.base is not None:
            return memory is None
        # Counted for the root: two fields of this object, or one and the view's base; the local name; the argument.
        return sys.getrefcount(root) <= (5 if memory is root else 4) and (memory is root or sys.getrefcount(memory) <= 3)

    def resize_(self, size: int) -> "UntypedStorage":
        """Makes it `size` bytes long, keeping the bytes that fit. Raises RuntimeError where the memory is in use elsewhere."""
        if not _is_int(size):
            raise RuntimeError(f"resize_ expects an int, but got {type(size).__name__}")
        if size < 0:
            _negative_size(size)
        if size == self._nbytes:
            return self
        if self._memory is None:
            self._nbytes = size
            return self
        if not self.resizable():
            raise RuntimeError("Trying to resize storage that is not resizable")
        memory = np.empty(size, np.uint8)
        kept = min(size, self._nbytes)
        memory[:kept] = self._memory[:kept]
        self._set(memory, size, CPU)
        return self

    # --- content -----------------------------------------------------------------------------------------------

    def __getitem__(self, index: Any) -> Any:
        memory = self.memory
        if isinstance(index, slice):
            return type(self).of_bytes(memory[self._slice(index)])
        if not _is_int(index):
            raise TypeError(f"can't index a torch.UntypedStorage with {type(index).__name__}")
        position = index + self._nbytes if index < 0 else index
        if not 0 <= position < self._nbytes:
            raise IndexError(f"index {position} out of range for storage of size {self._nbytes}")
        return int(memory[position])

    def __setitem__(self, index: Any, value: Any) -> None:
        memory = self.memory
        if not _is_int(value):
            raise RuntimeError(f"can only set storage content with a int types, but got {type(value).__name__} instead")
        if isinstance(index, slice):
            memory[self._slice(index)] = value & 255
            return
        if not _is_int(index):
            raise TypeError(f"can't index a torch.UntypedStorage with {type(index).__name__}")
        position = index + self._nbytes if index < 0 else index
        if not 0 <= position < self._nbytes:
            raise RuntimeError("out of bounds")
        memory[position] = value & 255

    def _slice(self, index: slice) -> slice:
        start, stop, step = index.indices(self._nbytes)
        if step != 1:
            raise RuntimeError(f"Trying to slice with a step of {step}, but only a step of 1 is supported")
        return slice(start, max(start, stop))

    def __iter__(self) -> Iterator[int]:
        return iter(self.tolist())

    def tolist(self) -> list[int]:
        """The bytes as ints."""
        return self.memory.tolist()

    def fill_(self, value: int) -> "UntypedStorage":
        """Sets every byte."""
        if not _is_int(value):
            raise RuntimeError(f"fill_ expects int, but got {type(value).__name__}")
        self.memory.fill(value & 255)
        return self

    def copy_(self, source: Any, non_blocking: bool | None = None) -> "UntypedStorage":
        """Takes over the bytes of another storage of the same size. Raises RuntimeError where the sizes differ."""
        if not isinstance(source, (UntypedStorage, TypedStorage)):
            raise TypeError(f"copy_(): argument 'src' (position 1) must be torch.Storage, not {type(source).__name__}")
        source = source._untyped_storage
        if source._nbytes != self._nbytes:
            raise RuntimeError(f"size does not match, self was {self._nbytes} bytes but src was {source._nbytes} bytes")
        if self._memory is not None:
            self._memory[:] = source.memory
        return self

    def clone(self) -> "UntypedStorage":
        """A copy with memory of its own."""
        if self._memory is None:
            return type(self).on_meta(self._nbytes)
        root = self._root
        if root is not None and root.dtype != np.uint8 and root.nbytes == self._nbytes:
            return type(self).of_bytes(flat_bytes(root.copy(order="K")))  # a root of the dtype gives arrays without detours
        return type(self).of_bytes(self._memory.copy())

    def byteswap(self, dtype: Any) -> None:
        """Reverses the byte order of its elements, taken to be of `dtype`, in place."""
        width = dtype.itemsize // 2 if dtype.is_complex else dtype.itemsize
        if self._nbytes % width:
            raise RuntimeError(f"the length of data is not a multiple of {width}")
        if width > 1:
            self.memory.view(f"V{width}" if width > 8 else f"u{width}").byteswap(inplace=True)

    def untyped(self) -> "UntypedStorage":
        return self

    def cpu(self) -> "UntypedStorage":
        """This storage, or a copy on the CPU of one that is elsewhere."""
        return self if self._memory is not None else type(self)(self._nbytes).copy_(self)

    def to(self, *, device: Any, non_blocking: bool = False) -> "UntypedStorage":
        """This storage where it is on `device` already, otherwise a copy there."""
        where = _device(device)
        if where.type == self.device.type:
            return self
        if where.type == "meta":
            return type(self).on_meta(self._nbytes)
        return self.cpu()

    def cuda(self, device: Any = None, non_blocking: bool = False) -> NoReturn:
        """Raises AssertionError: there is no CUDA device."""
        raise AssertionError("Torch not compiled with CUDA enabled")

    def __repr__(self) -> str:
        return _text(self, f"[torch.storage.UntypedStorage(device={self.device}) of size {self._nbytes}]")

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + self._nbytes

    # --- copies, pickles, files --------------------------------------------------------------------------------

    def __copy__(self) -> "UntypedStorage":
        return self.clone()

    def __deepcopy__(self, memo: dict[Any, Any]) -> "UntypedStorage":
        done = memo.setdefault("torch", {})
        key = self._cdata
        if key not in done:
            done[key] = self.clone()
        return done[key]

    def __reduce_ex__(self, protocol: int) -> Any:  # type: ignore[override]
        if self._memory is None:
            return meta_storage, (self._nbytes,)
        if protocol >= 5:
            import pickle

            return storage_of_buffer, (pickle.PickleBuffer(self._memory),)
        return storage_of_buffer, (self._memory.tobytes(),)

    @classmethod
    def from_buffer(
        cls, buffer: Any, byte_order: str | None = None, count: int = -1, offset: int = 0, dtype: Any = None
    ) -> "UntypedStorage":
        """A copy of `count` elements of `dtype` out of a bytes-like object, brought from `byte_order` to this machine's."""
        if dtype is None:
            raise RuntimeError("argument 'dtype' cannot be None")
        itemsize = dtype.itemsize
        if byte_order is None and dtype not in (dtypes.uint8, dtypes.int8):
            raise RuntimeError("function missing required argument 'byte_order' (pos 2)")
        if byte_order not in (None, "native", "little", "big"):
            raise ValueError(f"invalid byte_order '{byte_order}' (expected 'big', 'little', or 'native')")
        try:
            view = memoryview(buffer).cast("B")
        except TypeError:
            raise TypeError(f"a bytes-like object is required, not '{type(buffer).__name__}'") from None
        if not 0 <= offset <= len(view):
            raise ValueError(f"offset must be non-negative and no greater than buffer length ({offset}) , but got {len(view)}")
        if count < 0:
            if (len(view) - offset) % itemsize:
                raise ValueError(f"buffer size ({len(view)}) must be a multiple of element size ({itemsize})")
            count = (len(view) - offset) // itemsize
        elif count * itemsize > len(view) - offset:
            raise ValueError(
                f"buffer has only {(len(view) - offset) // itemsize} elements after offset {offset}, but specified a size of {count}"
            )
        self = cls.of_bytes(np.frombuffer(bytearray(view[offset : offset + count * itemsize]), np.uint8))
        if byte_order not in (None, "native", sys.byteorder):
            self.byteswap(dtype)
        return self

    @classmethod
    def from_file(cls, filename: Any, shared: bool = False, nbytes: int = 0) -> "UntypedStorage":
        """The first `nbytes` of a file mapped into memory.

        `shared`: changes are written to the file, which is made or lengthened if need be. Raises RuntimeError where the
        file cannot be opened, or is shorter and not shared.
        """
        import os

        path = os.fspath(filename)
        try:
            handle = os.open(path, (os.O_RDWR | os.O_CREAT) if shared else os.O_RDONLY, 0o600)
        except OSError as error:
            mode = "read-write" if shared else "read-only"
            raise RuntimeError(f"unable to open file <{path}> in {mode} mode: {error.strerror} ({error.errno})") from None
        try:
            length = os.fstat(handle).st_size
            if length < nbytes:
                if not shared:
                    raise RuntimeError(f"file <{path}> size <{length}> is smaller than the required mapping size <{nbytes}>")
                os.truncate(handle, nbytes)
            self = cls.of_bytes(np.frombuffer(map_file(handle, nbytes, shared), np.uint8) if nbytes else np.empty(0, np.uint8))
        finally:
            os.close(handle)
        self.filename = path if shared else None
        return self


def map_file(handle: int, nbytes: int, shared: bool = False) -> Any:
    """The first `nbytes` of an open file in memory: changes stay private unless `shared`."""
    import mmap

    return mmap.mmap(handle, nbytes, access=mmap.ACCESS_WRITE if shared else mmap.ACCESS_COPY)


def storage_of_buffer(buffer: Any) -> UntypedStorage:
    """Unpickles a storage. It shares the buffer where that may be written to."""
    memory = np.frombuffer(buffer, np.uint8)
    return UntypedStorage.of_bytes(memory if memory.flags.writeable else memory.copy())


def meta_storage(nbytes: int) -> UntypedStorage:
    """Unpickles a storage without memory."""
    return UntypedStorage.on_meta(nbytes)


def _device(where: Any) -> device:
    found = where if type(where) is device else device(where)
    check_available(found)
    return META if found.type == "meta" else CPU


def _negative_size(size: int) -> NoReturn:
    raise RuntimeError(
        "[enforce fail at alloc_cpu.cpp:98] ((ptrdiff_t)nbytes) >= 0. alloc_cpu() seems to have been called with negative number: "
        f"{int(size) % (1 << 64)}"
    )


def _bytes_of_ints(sequence: Any) -> ndarray:
    kind = type(sequence).__name__
    if not hasattr(sequence, "__len__") or not hasattr(sequence, "__getitem__"):
        raise RuntimeError(f"torch.UntypedStorage(): Expected a sequence type, but got {kind}")
    for item in sequence:
        if type(item) is not int:
            found = type(item)
            name = found.__name__ if found.__module__ == "builtins" else f"{found.__module__}.{found.__name__}"
            raise RuntimeError(
                f"torch.UntypedStorage(): tried to construct a storage from a sequence ({_type_name(sequence)}), but one of the items "
                f"was of type {name} instead of int"
            )
    return np.array([item & 255 for item in sequence], np.uint8)


def _type_name(value: Any) -> str:
    found = type(value)
    return found.__name__ if found.__module__ == "builtins" else f"{found.__module__}.{found.__name__}"


def _text(storage: Any, closing: str) -> str:
    if storage._untyped_storage._memory is None:
        return "...\n" + closing
    return " " + "\n ".join(map(str, storage.tolist())) + "\n" + closing


# --- storages of one dtype -------------------------------------------------------------------------------------

_warned = False


def _deprecated(stacklevel: int = 2) -> None:
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
            _deprecated()
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
        if not args or _is_int(args[0]):
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
        _deprecated()
        return self._untyped_storage.device

    @property
    def filename(self) -> str | None:
        return self._untyped_storage.filename

    @property
    def is_cuda(self) -> bool:
        _deprecated()
        return False

    is_hpu = is_cuda

    def __len__(self) -> int:
        _deprecated()
        return self._size()

    def size(self) -> int:
        """How many elements it holds."""
        _deprecated()
        return self._size()

    def nbytes(self) -> int:
        """How many bytes it holds."""
        _deprecated()
        return self._nbytes()

    def element_size(self) -> int:
        """Bytes of one element."""
        _deprecated()
        return self._element_size()

    def data_ptr(self) -> int:
        """The address of the first byte."""
        _deprecated()
        return self._data_ptr()

    def get_device(self) -> int:
        _deprecated()
        return self._untyped_storage.get_device()

    def untyped(self) -> UntypedStorage:
        """The bytes underneath."""
        _deprecated()
        return self._untyped_storage

    def pickle_storage_type(self) -> str:
        """The class that stands for it in model files. Raises KeyError for dtypes without one."""
        _deprecated()
        return self._pickle_storage_type()

    def type(self, dtype: Any = None, non_blocking: bool = False) -> Any:
        """The name of the storage class of its dtype."""
        _deprecated()
        if dtype is not None:
            return self._untyped_storage.type(dtype, non_blocking)
        name = STORAGE_NAMES.get(self.dtype) if self._untyped_storage.device.type == "cpu" else None
        return "torch.storage.TypedStorage" if name is None else f"torch.{name}"

    def __getitem__(self, index: Any) -> Any:
        _deprecated()
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
        _deprecated()
        if not isinstance(index, (int, slice)):
            raise RuntimeError(f"can't index a {type(self)} with {type(index)}")
        if isinstance(value, (UntypedStorage, TypedStorage)):
            raise RuntimeError(f"cannot set item with value type {type(value)}")
        self._array()[index] = _cast(np.asarray(value), self.dtype)

    def __iter__(self) -> Iterator[Any]:
        _deprecated()
        return iter(_python(self._array()))

    def tolist(self) -> list[Any]:
        """The elements as Python numbers."""
        _deprecated()
        return _python(self._array())

    def fill_(self, value: Any) -> "TypedStorage":
        """Sets every element."""
        _deprecated()
        self._array()[:] = _cast(np.asarray(value), self.dtype)
        return self

    def copy_(self, source: Any, non_blocking: bool | None = None) -> "TypedStorage":
        """Takes over the bytes of another storage of the same size in bytes."""
        _deprecated()
        self._untyped_storage.copy_(source, non_blocking)
        return self

    def clone(self) -> "TypedStorage":
        """A copy with memory of its own."""
        _deprecated()
        return TypedStorage.over(self._untyped_storage.clone(), self.dtype)

    def cpu(self) -> "TypedStorage":
        _deprecated()
        return TypedStorage.over(self._untyped_storage.cpu(), self.dtype)

    def to(self, *, device: Any, non_blocking: bool = False) -> "TypedStorage":
        _deprecated()
        return TypedStorage.over(self._untyped_storage.to(device=device), self.dtype)

    def cuda(self, device: Any = None, non_blocking: bool = False) -> NoReturn:
        self._untyped_storage.cuda(device)

    def resizable(self) -> bool:
        _deprecated()
        return self._untyped_storage.resizable()

    def resize_(self, size: int) -> None:
        """Makes it `size` elements long, as `UntypedStorage.resize_` does."""
        _deprecated()
        self._untyped_storage.resize_(size * self.dtype.itemsize)

    def is_shared(self) -> bool:
        _deprecated()
        return self._untyped_storage.is_shared()

    def share_memory_(self) -> "TypedStorage":
        _deprecated()
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
        _deprecated()
        where = self._untyped_storage.device
        return _text(self, f"[torch.storage.TypedStorage(dtype={self.dtype}, device={where}) of size {self._size()}]")

    __repr__ = __str__

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + self._nbytes()

    def __copy__(self) -> "TypedStorage":
        return self.clone()

    def __deepcopy__(self, memo: dict[Any, Any]) -> "TypedStorage":
        _deprecated()
        return self._deepcopy(memo)

    def __reduce_ex__(self, protocol: int) -> Any:  # type: ignore[override]
        return typed_storage, (self._untyped_storage, self.dtype)

    @classmethod
    def from_buffer(cls, *args: Any, dtype: Any = None, device: Any = None, **kwargs: Any) -> "TypedStorage":
        """`UntypedStorage.from_buffer` seen as elements of the dtype."""
        _deprecated()
        if cls is TypedStorage:
            dtype = dtypes.get_default_dtype() if dtype is None else dtype
            where = CPU if device is None else _device(device)
            if where is not CPU:
                raise RuntimeError(f"TypedStorage.from_buffer: Not available for device {where.type}")
        else:
            for name, given in (("dtype", dtype is not None or len(args) == 5), ("device", device is not None)):
                if given:
                    raise RuntimeError(
                        f"from_buffer: '{name}' can only be specified in UntypedStorage.from_buffer and TypedStorage.from_buffer"
                    )
            dtype = cls.dtype
        return TypedStorage.over(UntypedStorage.from_buffer(*args, dtype=dtype, **kwargs), dtype)

    @classmethod
    def from_file(cls, filename: Any, shared: bool = False, size: int = 0) -> "TypedStorage":
        """`size` elements of a file mapped into memory; on the classes of one dtype."""
        _deprecated()
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
        if args and not _is_int(args[0]) and not (hasattr(args[0], "__len__") and hasattr(args[0], "__getitem__")):
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
            _deprecated()
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

STORAGE_CLASSES = frozenset({UntypedStorage, TypedStorage, *LEGACY.values()})


def is_storage(obj: Any) -> bool:
    """Whether `obj` is a storage."""
    return type(obj) in STORAGE_CLASSES
