"""Layers that turn channels into pixels and back."""

from typing import Any

from ...core.naming import public
from ...ops.definition import NAMES
from .module import Module

__all__ = ["PixelShuffle", "PixelUnshuffle"]

F = NAMES["F"]


@public("torch.nn.modules.pixelshuffle")
class PixelShuffle(Module):
    """Rearranges (..., C r^2, H, W) to (..., C, H r, W r), r = `upscale_factor`."""

    __constants__ = ["upscale_factor"]

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Any) -> Any:
        return F["pixel_shuffle"](input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


@public("torch.nn.modules.pixelshuffle")
class PixelUnshuffle(Module):
    """Rearranges (..., C, H r, W r) to (..., C r^2, H, W), r = `downscale_factor`."""

    __constants__ = ["downscale_factor"]

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Any) -> Any:
        return F["pixel_unshuffle"](input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"
