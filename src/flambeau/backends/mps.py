"""`torch.backends.mps`: not there."""

from ..core.missing import missing_name


def is_built() -> bool:
    """False: there is no MPS."""
    return False


def is_available() -> bool:
    """False: there is no MPS."""
    return False


def is_macos_or_newer(major: int, minor: int) -> bool:
    """Raises RuntimeError: there is no MPS."""
    raise RuntimeError("Cannot execute isOnMacOSorNewer() without MPS backend.")


__getattr__ = missing_name(__name__)
