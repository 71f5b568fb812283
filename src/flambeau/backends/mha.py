"""`torch.backends.mha`: whether attention layers may take their fast path."""

from ..core.missing import missing_name

_is_fastpath_enabled = True


def get_fastpath_enabled() -> bool:
    """What `set_fastpath_enabled` set; True at first."""
    return _is_fastpath_enabled


def set_fastpath_enabled(value: bool) -> None:
    """Keeps the setting."""
    global _is_fastpath_enabled
    _is_fastpath_enabled = value


__getattr__ = missing_name(__name__)
