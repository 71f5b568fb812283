"""`torch.Stream` and `torch.Event` on the CPU, where every operator has finished when it returns: there is nothing to wait for."""

from typing import Any

from .core.device import device as Device
from .core.naming import public


def _cpu(device: Any) -> Device:
    found = Device("cpu") if device is None else Device(device)
    if found.type != "cpu":
        raise RuntimeError(f"flambeau has no device {found.type!r}")
    return found


@public("torch")
class Stream:
    """A queue of work. Raises RuntimeError for devices other than the CPU."""

    def __init__(self, device: Any = None, *, priority: int = 0) -> None:
        self.device = _cpu(device)
        self.device_type = 0
        self.device_index = -1
        self.stream_id = 0

    def query(self) -> bool:
        """True: all work is done."""
        return True

    def synchronize(self) -> None:
        """Returns at once."""

    def wait_event(self, event: Any) -> None:
        """Returns at once."""

    def wait_stream(self, stream: Any) -> None:
        """Returns at once."""

    def record_event(self, event: Any = None) -> "Event":
        """An event that has happened."""
        return Event() if event is None else event

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *exception: Any) -> None:
        return None

    def __repr__(self) -> str:
        return f"torch.Stream device_type={self.device.type}, device_index={self.device_index}, stream_id={self.stream_id}"


@public("torch")
class Event:
    """A mark in a queue of work. Raises RuntimeError for devices other than the CPU."""

    def __init__(self, device: Any = None, *, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False) -> None:
        self.device = _cpu(device)
        self.event_id = 0

    def record(self, stream: Any = None) -> None:
        """Returns at once."""

    def query(self) -> bool:
        """True: it has happened."""
        return True

    def synchronize(self) -> None:
        """Returns at once."""

    def wait(self, stream: Any = None) -> None:
        """Returns at once."""

    def elapsed_time(self, end_event: Any) -> float:
        """Not there on the CPU: raises NotImplementedError."""
        raise NotImplementedError("flambeau does not support torch.Event.elapsed_time: use time.perf_counter")

    def __repr__(self) -> str:
        return f"torch.Event device_type={self.device.type}, device_index=-1, event_flag=0, event_id={self.event_id}"
