"""`torch.random`: the default stream of random numbers, and a block that leaves it as it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .core.generator import default_generator
from .ops.random import get_rng_state, initial_seed, manual_seed, seed, set_rng_state

__all__ = [
    "set_rng_state", "get_rng_state", "manual_seed", "seed", "initial_seed", "fork_rng", "thread_safe_generator", "default_generator",
]  # fmt: skip


def thread_safe_generator() -> Any:
    """The generator of a data-loading thread; None outside of one."""
    return None


@contextmanager
def fork_rng(
    devices: Any = None, enabled: bool = True, _caller: str = "fork_rng", _devices_kw: str = "devices", device_type: str | None = None
) -> Iterator[None]:
    """A block after which the default stream continues as if the block had drawn no numbers.

    `devices` names accelerators whose streams are kept as well. Raises AssertionError where one is named that is not there,
    RuntimeError for a device type that has none.
    """
    if not enabled:
        yield
        return
    if device_type is not None and device_type not in ("cpu", "meta"):
        from .core.device import device

        kind = device(device_type).type
        if kind not in ("cuda", "xpu", "mps"):
            raise RuntimeError(f"torch has no module of `{kind}`, you should register a module by `torch._register_device_module`.")
    if devices:
        from .core.device import check_available, device

        check_available(device(device_type or "cuda"))
    state = default_generator.state_array()
    try:
        yield
    finally:
        default_generator.set_state_array(state)
