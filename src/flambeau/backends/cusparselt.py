"""`torch.backends.cusparselt`: not there."""

from ..core.missing import missing_name


def is_available() -> bool:
    """False: there is no cuSPARSELt."""
    return False


def version() -> None:
    """None: there is no cuSPARSELt."""
    return None


__getattr__ = missing_name(__name__)
