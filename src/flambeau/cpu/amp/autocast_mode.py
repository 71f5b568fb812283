"""`torch.cpu.amp.autocast`, deprecated: `torch.amp.autocast("cpu", ...)`."""

import warnings

from ...amp import autocast_mode
from ...core.dtype import bfloat16
from ...core.dtype import dtype as Dtype
from ...core.naming import public

__all__ = ["autocast"]


@public("torch.cpu.amp.autocast_mode")
class autocast(autocast_mode.autocast):
    """A region in which the CPU runs matrix products in half precision."""

    def __init__(self, enabled: bool = True, dtype: Dtype = bfloat16, cache_enabled: bool = True) -> None:
        warnings.warn(
            "`torch.cpu.amp.autocast(args...)` is deprecated. Please use `torch.amp.autocast('cpu', args...)` instead.",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__("cpu", enabled=enabled, dtype=dtype, cache_enabled=cache_enabled)
