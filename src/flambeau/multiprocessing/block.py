"""Shared memory that has no name: it is gone with the last process that holds it, however that process ends."""

import mmap
import os
import sys
from typing import Any

ALIGNMENT = 64
"""Arrays begin at multiples of this in a block: a cache line, and more than any dtype needs."""


class Block(mmap.mmap):
    """Memory that other processes can map too.

    `descriptor` is an open file of it that other processes can be sent, or None. `Block.live` counts the blocks that
    are mapped in this process.
    """

    live = 0
    descriptor: int | None
    sent: tuple[Any, Any] | None
    """To which process being started it goes along, and as what."""

    def __new__(cls, descriptor: int, size: int, keep: bool) -> "Block":
        arguments: dict[str, Any] = {"flags": mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)}
        if sys.version_info >= (3, 13) and sys.platform == "linux":
            arguments["trackfd"] = False  # a mapping needs no open file, and a process may have few
        self = super().__new__(cls, descriptor, size, **arguments)
        Block.live += 1
        self.descriptor = descriptor if keep else None
        self.sent = None
        return self

    def __init__(self, descriptor: int, size: int, keep: bool) -> None:
        pass

    def __del__(self) -> None:
        Block.live -= 1
        if self.descriptor is not None:
            os.close(self.descriptor)


def open_memory() -> int:
    """An open file in memory without a name. Raises OSError where the system has none."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("flambeau", os.MFD_CLOEXEC)
    import tempfile

    with tempfile.TemporaryFile() as file:  # already unlinked
        return os.dup(file.fileno())


def make_block(size: int) -> Block:
    """A new block of zeros, to be shared."""
    descriptor = open_memory()
    try:
        os.ftruncate(descriptor, size)
        return Block(descriptor, size, keep=True)
    except BaseException:
        os.close(descriptor)
        raise


def find_block(array: Any) -> Block | None:
    """The block in which an array's memory lies, or None."""
    owner = array
    while owner is not None and not isinstance(owner, Block):
        owner = owner.obj if isinstance(owner, memoryview) else getattr(owner, "base", None)
    return owner


def round_up(size: int) -> int:
    """The next multiple of ALIGNMENT."""
    return -(-size // ALIGNMENT) * ALIGNMENT
