"""Pooling layers."""

from typing import Any

from ...core.naming import own_constructor, public
from ...ops.definition import NAMES
from .conv import _each
from .module import Module

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d",
    "AvgPool1d", "AvgPool2d", "AvgPool3d", "FractionalMaxPool2d", "FractionalMaxPool3d", "LPPool1d", "LPPool2d", "LPPool3d",
    "MaxPool1d", "MaxPool2d", "MaxPool3d", "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d",
]  # fmt: skip

F = NAMES["F"]
_here = public("torch.nn.modules.pooling")


@_here
class _MaxPoolNd(Module):
    """Maxima over windows; `_function` is its name in nn.functional."""

    __constants__ = ["kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode"]
    _function: str

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Any) -> Any:
        return F[self._function](
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


@_here
class MaxPool1d(_MaxPoolNd):
    """The largest element of each window over (N, C, L) or (C, L); `stride` is the kernel size by default."""

    _function = "max_pool1d"


@_here
class MaxPool2d(_MaxPoolNd):
    """The largest element of each window over (N, C, H, W) or (C, H, W); `stride` is the kernel size by default."""

    _function = "max_pool2d"


@_here
class MaxPool3d(_MaxPoolNd):
    """The largest element of each window over (N, C, D, H, W) or (C, D, H, W); `stride` is the kernel size by default."""

    _function = "max_pool3d"


@_here
class _MaxUnpoolNd(Module):
    """Puts maxima back to where they lay; zeros elsewhere."""

    _dims: int

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        self.kernel_size = _each(kernel_size, self._dims)
        self.stride = _each(stride if stride is not None else kernel_size, self._dims)
        self.padding = _each(padding, self._dims)

    def forward(self, input: Any, indices: Any, output_size: Any = None) -> Any:
        return F[f"max_unpool{self._dims}d"](input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


@_here
@own_constructor
class MaxUnpool1d(_MaxUnpoolNd):
    """Undoes `MaxPool1d` as far as can be, given its indices."""

    _dims = 1


@_here
@own_constructor
class MaxUnpool2d(_MaxUnpoolNd):
    """Undoes `MaxPool2d` as far as can be, given its indices."""

    _dims = 2


@_here
@own_constructor
class MaxUnpool3d(_MaxUnpoolNd):
    """Undoes `MaxPool3d` as far as can be, given its indices."""

    _dims = 3


@_here
class _AvgPoolNd(Module):
    """Means over windows."""

    __constants__ = ["kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"]

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


@_here
class AvgPool1d(_AvgPoolNd):
    """The mean of each window over (N, C, L) or (C, L)."""

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, count_include_pad: bool = True
    ) -> None:
        super().__init__()
        self.kernel_size = _each(kernel_size, 1)
        self.stride = _each(stride if stride is not None else kernel_size, 1)
        self.padding = _each(padding, 1)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Any) -> Any:
        return F["avg_pool1d"](input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class _AvgPool(_AvgPoolNd):
    __constants__ = ["kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"]
    _function: str

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Any) -> Any:
        return F[self._function](
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad, self.divisor_override
        )


@_here
class AvgPool2d(_AvgPool):
    """The mean of each window over (N, C, H, W) or (C, H, W)."""

    _function = "avg_pool2d"


@_here
class AvgPool3d(_AvgPool):
    """The mean of each window over (N, C, D, H, W) or (C, D, H, W)."""

    _function = "avg_pool3d"


class _FractionalMaxPool(Module):
    __constants__ = ["kernel_size", "return_indices", "output_size", "output_ratio"]
    _dims: int

    def __init__(
        self, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: bool = False, _random_samples: Any = None
    ) -> None:
        super().__init__()
        name, dims = type(self).__name__, self._dims
        self.kernel_size = _each(kernel_size, dims)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = _each(output_size, dims) if output_size is not None else None
        self.output_ratio = _each(output_ratio, dims) if output_ratio is not None else None
        if output_size is None and output_ratio is None:
            raise ValueError(f"{name} requires specifying either an output size, or a pooling ratio")
        if output_size is not None and output_ratio is not None:
            raise ValueError("only one of output_size and output_ratio may be specified")
        if self.output_ratio is not None and not all(0 < r < 1 for r in self.output_ratio):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def forward(self, input: Any) -> Any:
        return F[f"fractional_max_pool{self._dims}d"](
            input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, _random_samples=self._random_samples
        )


@_here
class FractionalMaxPool2d(_FractionalMaxPool):
    """Maxima over windows placed at random, so that sizes shrink by any ratio. Graham, 2014."""

    _dims = 2


@_here
class FractionalMaxPool3d(_FractionalMaxPool):
    """Maxima over volumes placed at random, so that sizes shrink by any ratio. Graham, 2014."""

    _dims = 3


@_here
class _LPPoolNd(Module):
    """p-norms over windows."""

    __constants__ = ["norm_type", "kernel_size", "stride", "ceil_mode"]
    _function: str

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Any) -> Any:
        return F[self._function](input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        return f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, ceil_mode={self.ceil_mode}"


@_here
class LPPool1d(_LPPoolNd):
    """(sum of x ** p) ** (1 / p) over each window of (N, C, L) or (C, L)."""

    _function = "lp_pool1d"


@_here
class LPPool2d(_LPPoolNd):
    """(sum of x ** p) ** (1 / p) over each window of (N, C, H, W) or (C, H, W)."""

    _function = "lp_pool2d"


@_here
class LPPool3d(_LPPoolNd):
    """(sum of x ** p) ** (1 / p) over each window of (N, C, D, H, W) or (C, D, H, W)."""

    _function = "lp_pool3d"


@_here
class _AdaptiveMaxPoolNd(Module):
    """Maxima over as many windows as `output_size` says."""

    __constants__ = ["output_size", "return_indices"]
    _function: str

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Any) -> Any:
        return F[self._function](input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


@_here
class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """`output_size` maxima over the last dimension of (N, C, L) or (C, L)."""

    _function = "adaptive_max_pool1d"


@_here
class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """`output_size` maxima over the last two dimensions of (N, C, H, W) or (C, H, W)."""

    _function = "adaptive_max_pool2d"


@_here
class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """`output_size` maxima over the last three dimensions of (N, C, D, H, W) or (C, D, H, W)."""

    _function = "adaptive_max_pool3d"


@_here
class _AdaptiveAvgPoolNd(Module):
    """Means over as many windows as `output_size` says."""

    __constants__ = ["output_size"]
    _function: str

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Any) -> Any:
        return F[self._function](input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


@_here
class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """`output_size` means over the last dimension of (N, C, L) or (C, L)."""

    _function = "adaptive_avg_pool1d"


@_here
class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """`output_size` means over the last two dimensions of (N, C, H, W) or (C, H, W)."""

    _function = "adaptive_avg_pool2d"


@_here
class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd):
    """`output_size` means over the last three dimensions of (N, C, D, H, W) or (C, D, H, W)."""

    _function = "adaptive_avg_pool3d"
