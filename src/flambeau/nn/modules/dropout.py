"""Dropout layers."""

from typing import Any

from ...core.naming import public
from ...ops import dropout as ops
from ...ops.definition import NAMES
from .module import Module

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]

F = NAMES["F"]


@public("torch.nn.modules.dropout")
class _DropoutNd(Module):
    """p: the probability of zeroing; `inplace`: overwrite the input. Acts during training only."""

    __constants__ = ["p", "inplace"]

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        ops.check_probability(p)
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


def _layer(name: str, doc: str) -> type:
    function = F[{"Dropout": "dropout", "Dropout1d": "dropout1d", "Dropout2d": "dropout2d", "Dropout3d": "dropout3d",
                  "AlphaDropout": "alpha_dropout", "FeatureAlphaDropout": "feature_alpha_dropout"}[name]]  # fmt: skip
    inplace = "AlphaDropout" not in name

    def forward(self: Any, input: Any) -> Any:
        return function(input, self.p, self.training, self.inplace) if inplace else function(input, self.p, self.training)

    forward.__qualname__ = f"{name}.forward"
    cls = type(name, (_DropoutNd,), {"forward": forward, "__doc__": doc, "__module__": __name__, "__qualname__": name})
    return public("torch.nn.modules.dropout")(cls)


Dropout = _layer("Dropout", "Zeroes elements with probability `p` during training and divides the others by 1 - p.")
Dropout1d = _layer("Dropout1d", "Zeroes whole channels of (N, C, L) or (C, L).")
Dropout2d = _layer("Dropout2d", "Zeroes whole channels of (N, C, H, W) or (C, H, W).")
Dropout3d = _layer("Dropout3d", "Zeroes whole channels of (N, C, D, H, W) or (C, D, H, W).")
AlphaDropout = _layer("AlphaDropout", "Dropout that keeps mean and variance of SELU activations.")
FeatureAlphaDropout = _layer("FeatureAlphaDropout", "`AlphaDropout` of whole channels.")
