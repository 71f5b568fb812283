"""`torch.backends.cudnn`: not there; its switches keep what they are set to."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..core.missing import missing_name

enabled = True
benchmark = False
benchmark_limit: int | None = None
deterministic = False
allow_tf32 = True
fp32_precision = "none"


class _Precision:
    """How precise the convolutions, or the recurrent networks, have to be."""

    def __init__(self) -> None:
        self.fp32_precision = "tf32"


conv = _Precision()
rnn = _Precision()


def is_available() -> bool:
    """False: there is no cuDNN."""
    return False


def version() -> None:
    """None: there is no cuDNN."""
    return None


def is_acceptable(tensor: Any) -> bool:
    """False: there is no cuDNN that could take the tensor."""
    return False


def set_flags(
    _enabled: Any = None,
    _benchmark: Any = None,
    _benchmark_limit: Any = None,
    _deterministic: Any = None,
    _allow_tf32: Any = None,
    _fp32_precision: Any = "none",
) -> tuple[Any, ...]:
    """Sets the switches that are given; returns all of them as they were."""
    before = (enabled, benchmark, None, deterministic, allow_tf32, fp32_precision)
    given = {"enabled": _enabled, "benchmark": _benchmark, "deterministic": _deterministic, "allow_tf32": _allow_tf32}
    globals().update({name: value for name, value in given.items() if value is not None})
    if _fp32_precision is not None:
        globals()["fp32_precision"] = _fp32_precision
    return before


@contextmanager
def flags(
    enabled: bool = False,
    benchmark: bool = False,
    benchmark_limit: int = 10,
    deterministic: bool = False,
    allow_tf32: bool = True,
    fp32_precision: str = "none",
) -> Iterator[None]:
    """A block with the switches set; what is not given is set to its default."""
    before = set_flags(enabled, benchmark, benchmark_limit, deterministic, allow_tf32, fp32_precision)
    try:
        yield
    finally:
        set_flags(*before)


__getattr__ = missing_name(__name__)
