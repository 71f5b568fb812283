"""`torch.backends.mkldnn`: no part of this engine; its switches keep what they are set to."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..core.missing import missing_name

VERBOSE_OFF, VERBOSE_ON, VERBOSE_ON_CREATION = 0, 1, 2
enabled = True
deterministic = False
allow_tf32: bool | None = None


def is_available() -> bool:
    """True, as PyTorch's CPU build says: what programs ask this for works here, by other means."""
    return True


def set_flags(_enabled: Any = None, _deterministic: Any = None, _allow_tf32: Any = None, _fp32_precision: Any = "none") -> tuple[Any, ...]:
    """Sets the switches that are given; returns them as they were."""
    before = (enabled, deterministic, allow_tf32, "none")
    given = {"enabled": _enabled, "deterministic": _deterministic, "allow_tf32": _allow_tf32}
    globals().update({name: value for name, value in given.items() if value is not None})
    return before


@contextmanager
def flags(enabled: bool = False, deterministic: bool = False, allow_tf32: bool = True, fp32_precision: str = "none") -> Iterator[None]:
    """A block with the switches set."""
    before = set_flags(enabled, deterministic, allow_tf32)
    try:
        yield
    finally:
        globals().update(zip(("enabled", "deterministic", "allow_tf32"), before))


class verbose:
    """A block in which oneDNN would print each call; it does no work here, so there is nothing to print."""

    __module__ = "torch.backends.mkldnn"

    def __init__(self, level: int) -> None:
        self.level = level

    def __enter__(self) -> "verbose":
        return self

    def __exit__(self, *exception: object) -> None:
        return None


__getattr__ = missing_name(__name__)
