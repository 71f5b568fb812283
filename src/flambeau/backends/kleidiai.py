"""`torch.backends.kleidiai`: not there."""

from ..core.missing import missing_name


def is_available() -> bool:
    """False: there is no KleidiAI."""
    return False


__getattr__ = missing_name(__name__)
