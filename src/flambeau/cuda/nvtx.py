"""`torch.cuda.nvtx`: marks for a profiler that is not there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .._absent import raising

_functions = raising(
    "torch.cuda.nvtx",
    "range_push range_pop range_start range_end mark",
    RuntimeError,
    "NVTX functions not installed. Are you sure you have a CUDA build?",
)
globals().update(_functions)


@contextmanager
def range(msg: str, *args: Any, **kwargs: Any) -> Iterator[None]:
    """A marked block. Raises RuntimeError: there is no profiler."""
    _functions["range_push"](msg)
    yield
