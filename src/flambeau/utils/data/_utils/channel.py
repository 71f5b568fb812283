"""The line between a loader and one of its workers: messages are pickled, and large ones pass through shared memory.

Each worker has a line of its own and nothing is locked, so a worker that is killed takes nothing with it: the line
just ends. The memory has no name and goes with the last process that holds it, so nothing stays behind either.
"""

import copyreg
import os
import pickle
import socket
import struct
import sys
from collections import deque
from io import BytesIO
from multiprocessing.reduction import ForkingPickler
from typing import Any, Callable
from weakref import WeakSet

import numpy as np

from ....core.dtype import DTYPES
from ....core.naming import _HOME, PUBLIC, find_class
from ....multiprocessing.block import Block, open_memory, round_up
from ....tensor import Tensor, wrap

INLINE = 16 * 1024
"""Messages up to this many bytes go through the socket itself."""

SHARED_MEMORY = sys.platform == "linux" and hasattr(os, "memfd_create")
"""Whether descriptors of memory can go along with messages. Elsewhere a pipe carries everything."""

PARENT_ENDS: WeakSet[Any] = WeakSet()
"""The loader's ends of all lines of this process. A forked child must close its copies, or it keeps lines alive."""

NUMPY_DTYPES = {dtype.numpy.name: dtype.numpy for dtype in DTYPES}


class MessagePickler(ForkingPickler):
    """Pickles with the memory of tensors and arrays out of band, and flambeau's classes by their public names."""

    def __init__(self, file: Any, buffer_callback: Callable[[Any], Any] | None = None) -> None:
        pickle.Pickler.__init__(self, file, 5, buffer_callback=buffer_callback)
        self.dispatch_table = {**copyreg.dispatch_table, **ForkingPickler._extra_reducers}  # type: ignore[attr-defined]
        self.out_of_band = buffer_callback is not None

    def reducer_override(self, obj: Any) -> Any:
        if self.out_of_band and type(obj) is Tensor:
            return reduce_tensor(obj)
        if isinstance(obj, type):
            key = (obj.__module__, obj.__qualname__)
            if PUBLIC.get(key) is obj:
                return find_class, (*key, _HOME[key])
        return NotImplemented


def reduce_tensor(tensor: Tensor) -> Any:
    """How a tensor in a batch is pickled: its elements as one buffer, in the order in which they lie in memory."""
    if tensor.requires_grad and not tensor.is_leaf:
        raise RuntimeError(
            "Cowardly refusing to serialize non-leaf tensor which requires_grad, since autograd does not support crossing process "
            "boundaries.  If you just want to transfer the data, call detach() on the tensor before serializing (e.g., putting it on "
            "the queue)."
        )
    array = tensor._array
    if type(array) is not np.ndarray:
        return NotImplemented
    strides = None
    if not array.flags.c_contiguous:
        dense = array.transpose(sorted(range(array.ndim), key=lambda dim: -array.strides[dim]))
        if dense.flags.c_contiguous:
            array, strides = dense, array.strides
        else:
            array = np.ascontiguousarray(array)
    buffer = pickle.PickleBuffer(array.reshape(-1).view(np.uint8))
    return rebuild_tensor, (buffer, array.dtype.name, tensor._array.shape, strides, tensor.requires_grad)


def rebuild_tensor(buffer: Any, dtype: str, shape: tuple[int, ...], strides: tuple[int, ...] | None, requires_grad: bool) -> Tensor:
    """The tensor over a buffer that was received."""
    tensor = wrap(np.ndarray(shape, NUMPY_DTYPES[dtype], buffer, 0, strides))
    tensor._requires_grad = requires_grad
    return tensor


def pack(message: Any) -> tuple[list[Any], list[int], int]:
    """A message as buffers, the offset of each in the whole, and the size of the whole.

    First comes a table: how many buffers follow, and the size of each; then the pickle, then what is out of band.
    """
    pickled = BytesIO()
    buffers: list[Any] = []
    MessagePickler(pickled, buffers.append).dump(message)
    parts = [pickled.getbuffer(), *[buffer.raw() for buffer in buffers]]
    parts.insert(0, struct.pack(f"<{len(parts) + 1}Q", len(parts), *[len(part) for part in parts]))
    offsets, end = [], 0
    for part in parts:
        offsets.append(end)
        end += round_up(len(part))
    return parts, offsets, end


def unpack(block: Any) -> Any:
    """The message in a block of memory; its arrays lie in that memory."""
    view = memoryview(block)
    (count,) = struct.unpack_from("<Q", view)
    sizes = struct.unpack_from(f"<{count}Q", view, 8)
    parts, offset = [], round_up(8 * (count + 1))
    for size in sizes:
        parts.append(view[offset : offset + size])
        offset += round_up(size)
    return pickle.loads(parts[0], buffers=parts[1:])


def join_parts(parts: list[Any], offsets: list[int], size: int) -> bytearray:
    """A packed message as one run of bytes."""
    whole = bytearray(size)
    for part, offset in zip(parts, offsets, strict=True):
        whole[offset : offset + len(part)] = part
    return whole


class Channel:
    """One end of a line over a socket that keeps messages apart and carries descriptors.

    `send` never blocks at the loader's end: what finds no room waits in `unsent` until `flush`. `receive` raises
    EOFError once the other side is gone.
    """

    def __init__(self, end: socket.socket, blocking: bool) -> None:
        self.socket = end
        self.flags = 0 if blocking else socket.MSG_DONTWAIT
        self.unsent: deque[tuple[bytes | bytearray, int | None]] = deque()

    @property
    def waitable(self) -> Any:
        """What `multiprocessing.connection.wait` takes."""
        return self.socket

    def send(self, message: Any) -> None:
        parts, offsets, size = pack(message)
        if size <= INLINE:
            self.unsent.append((join_parts(parts, offsets, size), None))
        else:
            self.unsent.append((struct.pack("<Q", size), write_memory(parts, offsets, size)))
        self.flush()

    def flush(self) -> None:
        """Sends what waits to be sent, as far as there is room."""
        unsent = self.unsent
        while unsent:
            data, descriptor = unsent[0]
            try:
                if descriptor is None:
                    self.socket.send(data, self.flags)
                else:
                    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", descriptor))
                    self.socket.sendmsg([data], [rights], self.flags)
            except BlockingIOError:
                return
            unsent.popleft()
            if descriptor is not None:
                os.close(descriptor)

    def receive(self) -> Any:
        data, rights, flags, _ = self.socket.recvmsg(INLINE, socket.CMSG_LEN(4), socket.MSG_CMSG_CLOEXEC)
        if rights:
            return unpack(map_memory(struct.unpack("i", rights[0][2])[0], struct.unpack("<Q", data)[0]))
        if flags & socket.MSG_CTRUNC:
            raise RuntimeError(
                "Too many open files. Communication with the workers is no longer possible. Please increase the limit using `ulimit -n` "
                "in the shell"
            )
        if not data:
            raise EOFError
        return unpack(bytearray(data))  # writable, as tensors are

    def close(self) -> None:
        """Ends the line for both sides, also where a forked process holds a copy of this end."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other side was faster
        self.abandon()

    def abandon(self) -> None:
        """Closes this process's copy of the end alone."""
        self.socket.close()
        while self.unsent:
            _, descriptor = self.unsent.popleft()
            if descriptor is not None:
                os.close(descriptor)


def write_memory(parts: list[Any], offsets: list[int], size: int) -> int:
    """The parts in a nameless file in memory. Writing is faster than mapping: the kernel need not clear the pages."""
    descriptor = open_memory()
    try:
        os.ftruncate(descriptor, size)
        for part, offset in zip(parts, offsets, strict=True):
            view = memoryview(part)
            while view:
                written = os.pwrite(descriptor, view, offset)
                view, offset = view[written:], offset + written
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def map_memory(descriptor: int, size: int) -> Any:
    """The memory behind a received descriptor; a copy of it where mapping would use up the process's open files."""
    try:
        if Block.live < _mapping_limit():
            return Block(descriptor, size, keep=False)
        copy = bytearray(size)
        view, offset = memoryview(copy), 0
        while offset < size:
            offset += os.preadv(descriptor, [view[offset:]], offset)
        return copy
    finally:
        os.close(descriptor)


def _mapping_limit() -> int:
    if sys.version_info >= (3, 13):
        return 16_384
    import resource

    return min(resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2, 16_384)


class PipeChannel:
    """One end of a line over a pipe, for systems without the above: everything goes through the pipe.

    In the worker a thread sends: the worker goes on while the loader is busy, and takes the indices that come in.
    """

    def __init__(self, connection: Any, blocking: bool) -> None:
        self.connection = connection
        self.in_worker = blocking
        self.outbox: Any = None

    @property
    def waitable(self) -> Any:
        """What `multiprocessing.connection.wait` takes."""
        return self.connection

    def send(self, message: Any) -> None:
        data = join_parts(*pack(message))
        if not self.in_worker:
            self.connection.send_bytes(data)
            return
        if self.outbox is None:
            from queue import SimpleQueue
            from threading import Thread

            self.outbox = SimpleQueue()
            Thread(target=self._send_all, daemon=True).start()
        self.outbox.put(data)

    def _send_all(self) -> None:
        try:
            while True:
                self.connection.send_bytes(self.outbox.get())
        except OSError:
            pass  # the loader is gone; the worker's main thread hears of it too

    def flush(self) -> None:
        """Nothing waits at the loader's end."""

    def receive(self) -> Any:
        return unpack(bytearray(self.connection.recv_bytes()))

    def close(self) -> None:
        """Closes this end."""
        self.connection.close()

    abandon = close


def make_line(context: Any) -> tuple[Any, Any]:
    """The loader's and the worker's end of a new line."""
    ends: tuple[Any, Any]
    if SHARED_MEMORY:
        left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ends = Channel(left, blocking=False), Channel(right, blocking=True)
    else:
        near, far = context.Pipe()
        ends = PipeChannel(near, blocking=False), PipeChannel(far, blocking=True)
    PARENT_ENDS.add(ends[0])
    return ends


def close_parent_ends() -> None:
    """In a worker: gives up the copies of the loader's ends that came with the fork."""
    for end in list(PARENT_ENDS):
        end.abandon()
