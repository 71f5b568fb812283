"""`torch.backends.mkldnn`: no part of this engine; its switches keep what they are set to."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..core.missing import missing_name

enabled = True
deterministic = False
allow_tf32: bool | None = None


def is_available() -> bool:
    """True, as PyTorch's CPU build says: what programs ask this for works here, by other means."""
    return True


def set_flags(_enabled: Any = None, _deterministic: Any = None, _allow_tf32: Any = None, _fp32_precision: Any = "none") -> tuple[Any, ...]:
    """Sets the switches that are given; returns them as they were."""
    before = (enabled, deterministic, allow_tf32)
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


__getattr__ = missing_name(__name__)
