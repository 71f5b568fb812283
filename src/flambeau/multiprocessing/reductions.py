"""Sharing tensors between processes: moving them into shared memory, and sending that memory through queues and pipes."""

import os
import sys
import threading
from multiprocessing import reduction
from multiprocessing.context import get_spawning_popen
from typing import Any
from weakref import WeakValueDictionary, ref

import numpy as np

from ..core.dtype import DTYPES
from ..core.layout import address, root_of
from ..tensor import Tensor, wrap_as
from .block import Block, find_block, make_block, round_up

COWARDLY = (
    "Cowardly refusing to serialize non-leaf tensor which requires_grad, since autograd does not support crossing process boundaries.  "
    "If you just want to transfer the data, call detach() on the tensor before serializing (e.g., putting it on the queue)."
)

CAN_SHARE = sys.platform != "win32"
"""Whether open files, and with them memory, can be sent to another process."""

NUMPY_DTYPES = {dtype.numpy.name: dtype.numpy for dtype in DTYPES}

_blocks: WeakValueDictionary[Any, Block] = WeakValueDictionary()
"""The blocks that this process received or sent, by what names them in the whole system: none is mapped twice."""
_lock = threading.Lock()


def is_shared(tensor: Tensor) -> bool:
    """Whether the tensor lies in shared memory."""
    return find_block(tensor._array) is not None


def share_memory_(tensor: Tensor) -> Tensor:
    """Moves the tensor's memory into shared memory, where other processes can see and change it; returns the tensor.

    Other tensors that look at the same memory follow; NumPy arrays over it keep the old one. Does nothing where the
    tensor is shared already. Raises RuntimeError for a meta tensor.
    """
    if type(tensor._array) is not np.ndarray:
        raise RuntimeError("_share_fd_: only available on CPU")
    if find_block(tensor._array) is not None:
        return tensor
    if not CAN_SHARE:
        raise RuntimeError("share_memory_(): this system cannot share memory without a name")
    if _is_sole_owner(tensor):
        tensor._array = _copy_to_block(tensor._array)
    else:
        _move_storage(root_of(tensor._array))
    return tensor


def _move_storage(root: Any) -> None:
    """Moves the array that owns some memory into shared memory, and all tensors that look at it along with it.

    Arrays do not know who looks at them, so this goes through all objects: some 10 ms.
    """
    import gc

    lookers = [
        obj
        for obj in gc.get_objects()
        if issubclass(type(obj), Tensor) and type(getattr(obj, "_array", None)) is np.ndarray and root_of(obj._array) is root
    ]
    if not (root.flags.c_contiguous or root.flags.f_contiguous):
        raise RuntimeError("share_memory_(): the memory behind this tensor has gaps; share a clone() of it")
    shared = _copy_to_block(root)
    block, start = find_block(shared), address(shared) - address(root)
    begin = _address(block)
    for tensor in lookers:
        array = tensor._array
        offset = address(array) + start - begin if array.size else 0
        tensor._array = np.ndarray(array.shape, array.dtype, block, offset, array.strides)


def _is_sole_owner(tensor: Tensor) -> bool:
    """Whether nothing but this tensor refers to its array and, through views, to the memory."""
    owner: Any = tensor._array
    while owner is not None:
        if sys.getrefcount(owner) > 3:  # the tensor or the view, the name here, the argument
            return False
        owner = getattr(owner, "base", None)
    return True


def _copy_to_block(array: Any) -> Any:
    """A copy of an array in shared memory, with the same strides where its elements lie dense, else contiguous."""
    strides = None
    if not array.flags.c_contiguous:
        order = sorted(range(array.ndim), key=lambda dim: -array.strides[dim])
        if array.transpose(order).flags.c_contiguous:
            strides = array.strides
    block, offset = _arena.take(array.nbytes)
    shared = np.ndarray(array.shape, array.dtype, block, offset, strides)
    shared[...] = array
    return shared


class Arena:
    """Where small tensors get shared memory: together in one block, for a block costs open files and whole pages."""

    SIZE = 1 << 20
    SMALL = 1 << 16

    def __init__(self) -> None:
        self.block: Block | None = None
        self.used = 0
        self.owner = 0
        self.lock = threading.Lock()

    def take(self, size: int) -> tuple[Block, int]:
        """A block and an offset in it, at which `size` bytes are free."""
        if size > self.SMALL:
            return make_block(size), 0
        with self.lock:
            # After a fork the rest of the block belongs to the parent.
            if self.block is None or self.used + size > self.SIZE or self.owner != os.getpid():
                self.block, self.used, self.owner = make_block(self.SIZE), 0, os.getpid()
            offset, self.used = self.used, self.used + round_up(max(size, 1))
            return self.block, offset


_arena = Arena()


def _after_fork() -> None:
    """In a forked child: locks that a thread of the parent may hold are of no use."""
    global _lock
    _lock = threading.Lock()
    _arena.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def reduce_tensor(tensor: Tensor) -> Any:
    """How a tensor passes to another process: as the descriptor of shared memory, into which it moves if it can.

    A tensor whose memory others look at is sent as a copy. Raises RuntimeError for a non-leaf that requires grad.
    """
    if tensor.requires_grad and not tensor.is_leaf:
        raise RuntimeError(COWARDLY)
    if not CAN_SHARE or type(tensor._array) is not np.ndarray:
        return tensor.__reduce_ex__(2)
    block = find_block(tensor._array)
    if block is not None and block.descriptor is not None:
        array = tensor._array
    else:
        movable = _is_sole_owner(tensor)
        array = _copy_to_block(tensor._array)
        block = find_block(array)
        if movable:
            tensor._array = array
    assert block is not None and block.descriptor is not None
    with _lock:
        _blocks[_key(block.descriptor)] = block
    layout = (array.dtype.name, array.shape, address(array) - _address(block), array.strides)
    return rebuild_tensor, (type(tensor) is not Tensor, _duplicate(block), len(block), layout, tensor.requires_grad)


def _duplicate(block: Block) -> Any:
    """The block's descriptor as an object that pickles into another process; one and the same for a process being started.

    `multiprocessing` takes each descriptor only once along to a new process.
    """
    assert block.descriptor is not None
    starting: Any = get_spawning_popen()
    if starting is None:
        return reduction.DupFd(block.descriptor)
    if block.sent is None or block.sent[0]() is not starting:
        block.sent = ref(starting), reduction.DupFd(block.descriptor)
    return block.sent[1]


def rebuild_tensor(is_parameter: bool, duplicate: Any, size: int, layout: tuple[Any, ...], requires_grad: bool) -> Tensor:
    """The tensor over shared memory that was received."""
    descriptor = duplicate.detach()
    with _lock:
        key = _key(descriptor)
        block = _blocks.get(key)
        if block is None:
            block = _blocks[key] = Block(descriptor, size, keep=True)
        elif block.descriptor != descriptor:  # the same one comes again where several tensors lie in a block
            os.close(descriptor)
    dtype, shape, offset, strides = layout
    cls: type = Tensor
    if is_parameter:
        from ..nn.parameter import Parameter as cls
    return wrap_as(cls, np.ndarray(shape, NUMPY_DTYPES[dtype], block, offset, strides), requires_grad)


def _address(block: Block | None) -> int:
    """Where a block begins in this process."""
    return address(np.ndarray((1,), np.uint8, block))


def _key(descriptor: int) -> tuple[int, int]:
    """What names the memory behind a descriptor in the whole system."""
    stat = os.fstat(descriptor)
    return stat.st_dev, stat.st_ino


def init_reductions() -> None:
    """Teaches the pickler of `multiprocessing` about tensors and parameters."""
    from ..nn.parameter import Parameter

    reduction.ForkingPickler.register(Tensor, reduce_tensor)
    reduction.ForkingPickler.register(Parameter, reduce_tensor)
