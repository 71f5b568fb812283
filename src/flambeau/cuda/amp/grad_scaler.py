"""`torch.cuda.amp.GradScaler`, deprecated: `torch.amp.GradScaler("cuda", ...)`."""

import warnings

from ...amp import grad_scaler
from ...amp.grad_scaler import OptState
from ...core.naming import public

__all__ = ["GradScaler", "OptState"]


@public("torch.cuda.amp.grad_scaler")
class GradScaler(grad_scaler.GradScaler):
    """A scaler for CUDA; disabled with a warning."""

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        warnings.warn(
            "`torch.cuda.amp.GradScaler(args...)` is deprecated. Please use `torch.amp.GradScaler('cuda', args...)` instead.",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__("cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled)
