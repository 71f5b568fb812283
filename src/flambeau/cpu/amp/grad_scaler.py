"""`torch.cpu.amp.GradScaler`, deprecated: `torch.amp.GradScaler("cpu", ...)`."""

import warnings

from ...amp import grad_scaler
from ...core.naming import public

__all__ = ["GradScaler"]


@public("torch.cpu.amp.grad_scaler")
class GradScaler(grad_scaler.GradScaler):
    """A scaler for the CPU."""

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        warnings.warn(
            "`torch.cpu.amp.GradScaler(args...)` is deprecated. Please use `torch.amp.GradScaler('cpu', args...)` instead.",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__("cpu", init_scale, growth_factor, backoff_factor, growth_interval, enabled)
