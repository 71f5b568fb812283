"""Storages: the flat memory behind tensors as bytes. `typed_storage` has the classes for elements of one dtype.

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


def is_int(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


@public("torch.storage")
class UntypedStorage:
    """A row of bytes: `UntypedStorage()`, `UntypedStorage(nbytes)` (uninitialised) or `UntypedStorage(sequence_of_ints)`.

    Indexing gives and takes ints; a slice (step 1) shares the memory. Two objects are equal when they are the same
    memory. Raises RuntimeError for a negative size and for sequences of anything but ints.
    """

    __slots__ = ("__weakref__", "_memory", "_nbytes", "_root", "device", "filename")
    is_sparse = is_sparse_csr = False

    def __init__(self, *args: Any, device: Any = None, allocator: Any = None, size: Any = None, sequence: Any = None) -> None:
        where = CPU if device is None else as_place(device)
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
        if is_int(what):
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

    def getas_place(self) -> int:
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
        if not is_int(size):
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
        if not is_int(index):
            raise TypeError(f"can't index a torch.UntypedStorage with {type(index).__name__}")
        position = index + self._nbytes if index < 0 else index
        if not 0 <= position < self._nbytes:
            raise IndexError(f"index {position} out of range for storage of size {self._nbytes}")
        return int(memory[position])

    def __setitem__(self, index: Any, value: Any) -> None:
        memory = self.memory
        if not is_int(value):
            raise RuntimeError(f"can only set storage content with a int types, but got {type(value).__name__} instead")
        if isinstance(index, slice):
            memory[self._slice(index)] = value & 255
            return
        if not is_int(index):
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
        if not is_int(value):
            raise RuntimeError(f"fill_ expects int, but got {type(value).__name__}")
        self.memory.fill(value & 255)
        return self

    def copy_(self, source: Any, non_blocking: bool | None = None) -> "UntypedStorage":
        """Takes over the bytes of another storage of the same size. Raises RuntimeError where the sizes differ."""
        source = getattr(source, "_untyped_storage", source)
        if not isinstance(source, UntypedStorage):
            raise TypeError(f"copy_(): argument 'src' (position 1) must be torch.Storage, not {type(source).__name__}")
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
        where = as_place(device)
        if where.type == self.device.type:
            return self
        if where.type == "meta":
            return type(self).on_meta(self._nbytes)
        return self.cpu()

    def cuda(self, device: Any = None, non_blocking: bool = False) -> NoReturn:
        """Raises AssertionError: there is no CUDA device."""
        raise AssertionError("Torch not compiled with CUDA enabled")

    def __repr__(self) -> str:
        return storage_text(self, f"[torch.storage.UntypedStorage(device={self.device}) of size {self._nbytes}]")

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

            return storage_of_buffer, (pickle.PickleBuffer(self._memory.data),)
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


def as_place(where: Any) -> device:
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


def storage_text(storage: Any, closing: str) -> str:
    if storage._untyped_storage._memory is None:
        return "...\n" + closing
    return " " + "\n ".join(map(str, storage.tolist())) + "\n" + closing
