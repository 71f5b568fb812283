"""`torch.cpu.amp`: the older names of what is in `torch.amp`."""

from .autocast_mode import autocast
from .grad_scaler import GradScaler

__all__ = ["autocast", "GradScaler"]
