"""`torch.backends.mkl`."""

from ..core.missing import missing_name


def is_available() -> bool:
    """True, as PyTorch's CPU build says: what programs ask this for works here, by other means."""
    return True


VERBOSE_OFF, VERBOSE_ON = 0, 1


class verbose:
    """A block in which MKL would print each call; it does no work here, so there is nothing to print."""

    __module__ = "torch.backends.mkl"

    def __init__(self, enable: int) -> None:
        self.enable = enable

    def __enter__(self) -> "verbose":
        return self

    def __exit__(self, *exception: object) -> None:
        return None


__getattr__ = missing_name(__name__)
