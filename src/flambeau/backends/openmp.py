"""`torch.backends.openmp`."""

from ..core.missing import missing_name


def is_available() -> bool:
    """True, as PyTorch's CPU build says: what programs ask this for works here, by other means."""
    return True


__getattr__ = missing_name(__name__)
