"""Padding layers."""

from typing import Any

from ...core.naming import own_constructor, public
from ...ops.definition import NAMES
from .conv import _each
from .module import Module

__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d", "ReflectionPad1d",
    "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d", "ZeroPad1d", "ZeroPad2d", "ZeroPad3d",
]  # fmt: skip

F = NAMES["F"]
_here = public("torch.nn.modules.padding")


class _Pad(Module):
    """Padding of the last `_dims` dimensions; one number stands for all sides."""

    __constants__ = ["padding"]
    _dims: int
    _mode: str

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = _each(padding, 2 * self._dims)

    def forward(self, input: Any) -> Any:
        return F["pad"](input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


@_here
class _CircularPadNd(_Pad):
    """The input goes on in a circle."""

    _mode = "circular"

    def _check_input_dim(self, input: Any) -> None:
        least = self._dims + 1
        if input.dim() not in (least, least + 1):
            raise ValueError(f"expected {least}D or {least + 1}D input (got {input.dim()}D input)")

    def forward(self, input: Any) -> Any:
        self._check_input_dim(input)
        return F["pad"](input, self.padding, "circular")


@_here
class _ReflectionPadNd(_Pad):
    """The input is mirrored at its edges."""

    _mode = "reflect"


@_here
class _ReplicationPadNd(_Pad):
    """The elements at the edges are repeated."""

    _mode = "replicate"


@_here
class _ConstantPadNd(_Pad):
    """Padding with one value."""

    __constants__ = ["padding", "value"]

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Any) -> Any:
        return F["pad"](input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


@_here
@own_constructor
class CircularPad1d(_CircularPadNd):
    """Continues (N, C, L) or (C, L) in a circle; `padding` is a number or (left, right)."""

    _dims = 1


@_here
@own_constructor
class CircularPad2d(_CircularPadNd):
    """Continues (N, C, H, W) or (C, H, W) in a circle; `padding` is a number or (left, right, top, bottom)."""

    _dims = 2


@_here
@own_constructor
class CircularPad3d(_CircularPadNd):
    """Continues (N, C, D, H, W) or (C, D, H, W) in a circle; `padding` is a number or (left, right, top, bottom, front, back)."""

    _dims = 3


@_here
@own_constructor
class ConstantPad1d(_ConstantPadNd):
    """Pads the last dimension with `value`; `padding` is a number or (left, right)."""

    _dims = 1


@_here
@own_constructor
class ConstantPad2d(_ConstantPadNd):
    """Pads the last two dimensions with `value`; `padding` is a number or (left, right, top, bottom)."""

    _dims = 2


@_here
@own_constructor
class ConstantPad3d(_ConstantPadNd):
    """Pads the last three dimensions with `value`; `padding` is a number or (left, right, top, bottom, front, back)."""

    _dims = 3


@_here
@own_constructor
class ReflectionPad1d(_ReflectionPadNd):
    """Mirrors (N, C, L) or (C, L) at its edges; `padding` is a number or (left, right)."""

    _dims = 1


@_here
@own_constructor
class ReflectionPad2d(_ReflectionPadNd):
    """Mirrors (N, C, H, W) or (C, H, W) at its edges; `padding` is a number or (left, right, top, bottom)."""

    _dims = 2


@_here
@own_constructor
class ReflectionPad3d(_ReflectionPadNd):
    """Mirrors (N, C, D, H, W) or (C, D, H, W) at its edges; `padding` is a number or (left, right, top, bottom, front, back)."""

    _dims = 3


@_here
@own_constructor
class ReplicationPad1d(_ReplicationPadNd):
    """Repeats the edges of (N, C, L) or (C, L); `padding` is a number or (left, right)."""

    _dims = 1


@_here
@own_constructor
class ReplicationPad2d(_ReplicationPadNd):
    """Repeats the edges of (N, C, H, W) or (C, H, W); `padding` is a number or (left, right, top, bottom)."""

    _dims = 2


@_here
@own_constructor
class ReplicationPad3d(_ReplicationPadNd):
    """Repeats the edges of (N, C, D, H, W) or (C, D, H, W); `padding` is a number or (left, right, top, bottom, front, back)."""

    _dims = 3


@_here
@own_constructor
class ZeroPad1d(ConstantPad1d):
    """Pads the last dimension with zeros."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


@_here
@own_constructor
class ZeroPad2d(ConstantPad2d):
    """Pads the last two dimensions with zeros."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


@_here
@own_constructor
class ZeroPad3d(ConstantPad3d):
    """Pads the last three dimensions with zeros."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"
