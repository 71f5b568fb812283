"""`torch.backends.opt_einsum`: einsum multiplies from left to right; no library plans the order."""

from ..core.missing import missing_name

enabled = False
strategy: str | None = None


def is_available() -> bool:
    """False: no such library is used."""
    return False


__getattr__ = missing_name(__name__)
