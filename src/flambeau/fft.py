"""`torch.fft`: discrete Fourier transforms."""

from .core.missing import missing_name
from .ops import spectral  # noqa: F401  (importing a family attaches its functions)
from .ops.definition import NAMES

globals().update(NAMES["fft"])
__all__ = list(NAMES["fft"])
__getattr__ = missing_name(__name__)
