"""`torch.mps` on a machine without one."""

from ._absent import raising
from .core.missing import missing_name

_CALLS = {
    "synchronize": "deviceSynchronize",
    "empty_cache": "emptyCache",
    "seed": "getDefaultGenerator",
    "get_rng_state": "getDefaultGenerator",
    "set_rng_state": "getDefaultGenerator",
    "current_allocated_memory": "getCurrentAllocatedMemory",
    "driver_allocated_memory": "getDriverAllocatedMemory",
    "recommended_max_memory": "getRecommendedMaxMemory",
    "set_per_process_memory_fraction": "setMemoryFraction",
}
for _name, _call in _CALLS.items():
    globals().update(raising("torch.mps", _name, RuntimeError, f"Cannot execute {_call}() without MPS backend."))

_is_in_bad_fork = False


def is_available() -> bool:
    """False: there is no MPS here."""
    return False


def device_count() -> int:
    """0: there is no MPS here."""
    return 0


def manual_seed(seed: int) -> None:
    """Would seed the device; there is none, so nothing happens."""
    int(seed)


class Event:
    """Raises RuntimeError: there is no device."""

    __module__ = "torch.mps.event"

    def __init__(self, enable_timing: bool = False) -> None:
        raise RuntimeError("Cannot execute acquireEvent() without MPS backend.")


__getattr__ = missing_name(__name__)
