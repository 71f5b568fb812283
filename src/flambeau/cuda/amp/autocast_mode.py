"""`torch.cuda.amp.autocast`, deprecated: `torch.amp.autocast("cuda", ...)`."""

import warnings
from typing import Any

from ...amp import autocast_mode
from ...core.dtype import dtype as Dtype
from ...core.dtype import float16
from ...core.naming import public

__all__ = ["autocast", "custom_fwd", "custom_bwd"]


@public("torch.cuda.amp.autocast_mode")
class autocast(autocast_mode.autocast):
    """A region that would run on CUDA in half precision; disabled with a warning."""

    def __init__(self, enabled: bool = True, dtype: Dtype = float16, cache_enabled: bool = True) -> None:
        warnings.warn(
            "`torch.cuda.amp.autocast(args...)` is deprecated. Please use `torch.amp.autocast('cuda', args...)` instead.",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__("cuda", enabled=enabled, dtype=dtype, cache_enabled=cache_enabled)


def custom_fwd(fwd: Any = None, *, cast_inputs: Dtype | None = None) -> Any:
    """`torch.amp.custom_fwd` for CUDA; deprecated."""
    warnings.warn(
        "`torch.cuda.amp.custom_fwd(args...)` is deprecated. Please use `torch.amp.custom_fwd(args..., device_type='cuda')` instead.",
        FutureWarning,
        stacklevel=2,
    )
    return autocast_mode.custom_fwd(fwd, device_type="cuda", cast_inputs=cast_inputs)


def custom_bwd(bwd: Any) -> Any:
    """`torch.amp.custom_bwd` for CUDA; deprecated."""
    warnings.warn(
        "`torch.cuda.amp.custom_bwd(args...)` is deprecated. Please use `torch.amp.custom_bwd(args..., device_type='cuda')` instead.",
        FutureWarning,
        stacklevel=2,
    )
    return autocast_mode.custom_bwd(bwd, device_type="cuda")
