"""The standard library's `multiprocessing`, whose queues and pipes then pass tensors by shared memory.

The memory has no name in any file system: it is gone with the last process that holds it. Where a system has no such
memory, tensors are copied through the pipes.
"""

import multiprocessing as _multiprocessing
import sys as _sys
from multiprocessing import *  # noqa: F403

from . import reductions as _reductions
from .spawn import (  # noqa: F401
    ENV_VAR_PARALLEL_START,
    ProcessContext,
    ProcessException,
    ProcessExitedException,
    ProcessRaisedException,
    SpawnContext,
    spawn,
    start_processes,
)

__all__ = ["get_all_sharing_strategies", "get_sharing_strategy", "set_sharing_strategy", *_multiprocessing.__all__]  # noqa: PLE0604

_ALL_STRATEGIES = {"file_system"} if _sys.platform in ("darwin", "win32") else {"file_descriptor", "file_system"}
_strategy = "file_system" if _sys.platform in ("darwin", "win32") else "file_descriptor"


def set_sharing_strategy(new_strategy: str) -> None:
    """Chooses how tensors are shared, by PyTorch's names. Raises AssertionError for an unknown one.

    Either name gives the same memory here, which has no file name to leave behind and no limit on open files.
    """
    global _strategy
    if new_strategy not in _ALL_STRATEGIES:
        raise AssertionError(f"invalid sharing strategy {new_strategy!r}, expected one of {_ALL_STRATEGIES}")
    _strategy = new_strategy


def get_sharing_strategy() -> str:
    """The sharing strategy in use."""
    return _strategy


def get_all_sharing_strategies() -> set[str]:
    """The sharing strategies that this system knows."""
    return _ALL_STRATEGIES


_reductions.init_reductions()
