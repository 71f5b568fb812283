"""`torch.signal`: what signal processing needs; `windows` so far."""

from . import windows as windows

__all__ = ["windows"]
