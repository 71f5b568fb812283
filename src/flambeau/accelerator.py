"""`torch.accelerator`: there is none."""

from typing import Any

from ._absent import raising
from .core.missing import missing_name

globals().update(
    raising(
        "torch.accelerator",
        "current_device_index current_device_idx set_device_index set_device_idx synchronize empty_cache empty_host_cache current_stream "
        "set_stream memory_allocated max_memory_allocated memory_reserved max_memory_reserved memory_stats get_memory_info "
        "reset_peak_memory_stats reset_accumulated_memory_stats get_device_capability",
        RuntimeError,
        "Cannot access accelerator device when none is available.",
    )
)


def is_available() -> bool:
    """False: there is no accelerator."""
    return False


def device_count() -> int:
    """0: there is no accelerator."""
    return 0


def current_accelerator(check_available: bool = False) -> Any:
    """None: there is no accelerator."""
    return None


class Graph:
    """Work recorded for an accelerator; making one raises RuntimeError."""

    __module__ = "torch.accelerator.graphs"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("Cannot access accelerator device when none is available.")


class device_index:
    """A block on another accelerator; with None, nothing. Raises RuntimeError otherwise."""

    __module__ = "torch.accelerator"

    def __init__(self, device: int | None) -> None:
        self.idx = device

    def __enter__(self) -> None:
        if self.idx is not None:
            raise RuntimeError("Cannot access accelerator device when none is available.")

    def __exit__(self, *exception: Any) -> None:
        return None


__getattr__ = missing_name(__name__)
