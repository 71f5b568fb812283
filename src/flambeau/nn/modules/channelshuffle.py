"""A layer that mixes groups of channels."""

from typing import Any

from ...core.naming import public
from ...ops.definition import NAMES
from .module import Module

__all__ = ["ChannelShuffle"]


@public("torch.nn.modules.channelshuffle")
class ChannelShuffle(Module):
    """Splits the channels of (N, C, ...) into `groups` and takes one of each in turn."""

    __constants__ = ["groups"]

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Any) -> Any:
        return NAMES["F"]["channel_shuffle"](input, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"
