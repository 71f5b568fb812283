"""`torch.cpu`: the CPU seen as a device, so that programs need not tell it apart. Its work is always done at once."""

from contextlib import AbstractContextManager
from typing import Any

from ..core.naming import public

__all__ = [
    "is_available", "is_initialized", "synchronize", "current_device", "current_stream", "stream", "set_device", "device_count",
    "Stream", "StreamContext", "Event",
]  # fmt: skip


def is_available() -> bool:
    """True."""
    return True


def is_initialized() -> bool:
    """True: there is nothing to initialize."""
    return True


def synchronize(device: Any = None) -> None:
    """Does nothing: no work is ever outstanding."""


def current_device() -> str:
    """`"cpu"`."""
    return "cpu"


def set_device(device: Any) -> None:
    """Does nothing: there is one CPU."""


def device_count() -> int:
    """1."""
    return 1


@public("torch.cpu")
class Stream:
    """A stream of work, which is done at once."""

    def __init__(self, priority: int = -1) -> None:
        pass

    def wait_stream(self, stream: Any) -> None:
        """Does nothing: that stream's work is done."""

    def record_event(self) -> None:
        """Does nothing."""

    def wait_event(self, event: Any) -> None:
        """Does nothing: the event is over."""


@public("torch.cpu")
class Event:
    """A point in a stream of work, which is always over."""

    def __init__(self, enable_timing: bool = False) -> None:
        self.enable_timing = enable_timing

    def query(self) -> bool:
        """True: the work is done."""
        return True

    def record(self, stream: Any = None) -> None:
        """Does nothing."""

    def synchronize(self) -> None:
        """Does nothing."""

    def wait(self, stream: Any = None) -> None:
        """Does nothing."""


_default_stream = Stream()
_current_stream = _default_stream


def current_stream(device: Any = None) -> Stream:
    """The stream of the block that is entered, or the default one."""
    return _current_stream


@public("torch.cpu")
class StreamContext(AbstractContextManager):
    """A block whose stream is the given one."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.prev_stream = _default_stream

    def __enter__(self) -> None:
        global _current_stream
        if self.stream is not None:
            self.prev_stream, _current_stream = _current_stream, self.stream

    def __exit__(self, *exception: Any) -> None:
        global _current_stream
        if self.stream is not None:
            _current_stream = self.prev_stream


def stream(stream: Any) -> AbstractContextManager:
    """A block whose stream is `stream`."""
    return StreamContext(stream)


def __getattr__(name: str) -> Any:
    if name == "amp":
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    from ..core.missing import missing_name

    return missing_name(__name__)(name)
