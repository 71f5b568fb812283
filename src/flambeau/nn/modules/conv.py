"""Convolution layers."""

import math
from typing import Any

from ...core.naming import own_constructor, public
from ...ops.creation import empty
from ...ops.definition import NAMES
from .. import init
from ..parameter import Parameter, UninitializedParameter
from .lazy import LazyModuleMixin
from .module import Module

__all__ = [
    "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "LazyConv1d", "LazyConv2d", "LazyConv3d",
    "LazyConvTranspose1d", "LazyConvTranspose2d", "LazyConvTranspose3d",
]  # fmt: skip

F = NAMES["F"]
_here = public("torch.nn.modules.conv")


def _each(value: Any, dims: int) -> Any:
    """One number for each dimension; what is a sequence already stays as it is."""
    return tuple(value) if hasattr(value, "__iter__") else (value,) * dims


@_here
class _ConvNd(Module):
    """What all convolution layers share: parameters, their first values, and what `repr` shows."""

    __constants__ = [
        "stride", "padding", "dilation", "groups", "padding_mode", "output_padding", "in_channels", "out_channels", "kernel_size",
    ]  # fmt: skip

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, ...],
        stride: tuple[int, ...],
        padding: Any,
        dilation: tuple[int, ...],
        transposed: bool,
        output_padding: tuple[int, ...],
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups:
            raise ValueError("out_channels must be divisible by groups")
        if isinstance(padding, str):
            names = {"same", "valid"}
            if padding not in names:
                raise ValueError(f"Invalid padding string {padding!r}, should be one of {names}")
            if padding == "same" and any(s != 1 for s in stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
        modes = {"zeros", "reflect", "replicate", "circular"}
        if padding_mode not in modes:
            raise ValueError(f"padding_mode must be one of {modes}, but got padding_mode='{padding_mode}'")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.transposed = transposed
        self.output_padding = output_padding
        self.groups = groups
        self.padding_mode = padding_mode
        # What F.pad takes where the padding is not of zeros: the last dimension first.
        if padding == "same":
            sides = [(d * (k - 1) // 2, d * (k - 1) - d * (k - 1) // 2) for d, k in zip(dilation, kernel_size)]
        elif isinstance(padding, str):
            sides = [(0, 0)] * len(kernel_size)
        else:
            sides = [(p, p) for p in padding]
        pads = [n for pair in reversed(sides) for n in pair]
        self._reversed_padding_repeated_twice = pads if isinstance(padding, str) else tuple(pads)
        shape = (in_channels, out_channels // groups) if transposed else (out_channels, in_channels // groups)
        self.weight = Parameter(empty((*shape, *kernel_size), device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(empty(out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new initial values: uniform in (-b, b), b = 1 / sqrt(number of inputs of an output)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in != 0:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0,) * len(self.padding):
            text += f", padding={self.padding}"
        if self.dilation != (1,) * len(self.dilation):
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * len(self.output_padding):
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)
        self.__dict__.setdefault("padding_mode", "zeros")


class _Conv(_ConvNd):
    """A convolution in `_dims` dimensions."""

    _dims: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        dims = self._dims
        super().__init__(
            in_channels,
            out_channels,
            _each(kernel_size, dims),
            _each(stride, dims),
            padding if isinstance(padding, str) else _each(padding, dims),
            _each(dilation, dims),
            False,
            (0,) * dims,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def _conv_forward(self, input: Any, weight: Any, bias: Any) -> Any:
        convolve = F[f"conv{self._dims}d"]
        if self.padding_mode != "zeros":
            input = F["pad"](input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            return convolve(input, weight, bias, self.stride, (0,) * self._dims, self.dilation, self.groups)
        return convolve(input, weight, bias, self.stride, self.padding, self.dilation, self.groups)

    def forward(self, input: Any) -> Any:
        return self._conv_forward(input, self.weight, self.bias)


@_here
class Conv1d(_Conv):
    """Convolution of (N, C, L) or (C, L) with `out_channels` kernels; `padding` is a number of zeros, "same" or "valid".

    Weight: (out_channels, in_channels / groups, kernel_size).
    """

    _dims = 1


@_here
class Conv2d(_Conv):
    """Convolution of (N, C, H, W) or (C, H, W) with `out_channels` kernels; `padding` is a number of zeros, "same" or "valid".

    Weight: (out_channels, in_channels / groups, *kernel_size).
    """

    _dims = 2


@_here
class Conv3d(_Conv):
    """Convolution of (N, C, D, H, W) or (C, D, H, W) with `out_channels` kernels; `padding` is a number of zeros, "same" or "valid".

    Weight: (out_channels, in_channels / groups, *kernel_size).
    """

    _dims = 3


@_here
class _ConvTransposeNd(_ConvNd):
    """A transposed convolution in `_dims` dimensions."""

    _dims: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        dims = self._dims
        super().__init__(
            in_channels,
            out_channels,
            _each(kernel_size, dims),
            _each(stride, dims),
            _each(padding, dims),
            _each(dilation, dims),
            True,
            _each(output_padding, dims),
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def _output_padding(self, input: Any, output_size: Any) -> Any:
        """What must be added on one side for the result to have `output_size`. Raises ValueError where that can't be."""
        if output_size is None:
            return self.output_padding
        dims = self._dims
        others = 2 if input.dim() == dims + 2 else 1
        output_size = list(output_size)
        if len(output_size) == others + dims:
            output_size = output_size[others:]
        if len(output_size) != dims:
            raise ValueError(
                f"ConvTranspose{dims}D: for {input.dim()}D input, output_size must have {dims} or {others + dims} elements (got "
                f"{len(output_size)})"
            )
        least = [
            (input.size(i + others) - 1) * self.stride[i] - 2 * self.padding[i] + self.dilation[i] * (self.kernel_size[i] - 1) + 1
            for i in range(dims)
        ]
        most = [n + s - 1 for n, s in zip(least, self.stride)]
        if any(not a <= n <= b for a, n, b in zip(least, output_size, most)):
            raise ValueError(
                f"requested an output size of {output_size}, but valid sizes range from {least} to {most} (for an input of "
                f"{input.size()[2:]})"
            )
        return [n - a for n, a in zip(output_size, least)]

    def forward(self, input: Any, output_size: Any = None) -> Any:
        return F[f"conv_transpose{self._dims}d"](
            input, self.weight, self.bias, self.stride, self.padding, self._output_padding(input, output_size), self.groups, self.dilation
        )


@_here
@own_constructor
class ConvTranspose1d(_ConvTransposeNd):
    """The gradient of `Conv1d` as a layer: (N, C, L) to (N, out_channels, longer L).

    Weight: (in_channels, out_channels / groups, kernel).
    """

    _dims = 1


@_here
@own_constructor
class ConvTranspose2d(_ConvTransposeNd):
    """The gradient of `Conv2d` as a layer: it makes images larger. Weight: (in_channels, out_channels / groups, *kernel_size)."""

    _dims = 2


@_here
@own_constructor
class ConvTranspose3d(_ConvTransposeNd):
    """The gradient of `Conv3d` as a layer: it makes volumes larger. Weight: (in_channels, out_channels / groups, *kernel_size)."""

    _dims = 3


@_here
class _LazyConvXdMixin(LazyModuleMixin):
    """Learns `in_channels` from the first input."""

    in_channels: int
    out_channels: int
    kernel_size: tuple[int, ...]
    groups: int
    transposed: bool
    weight: Any
    bias: Any
    _dims: int

    def __init__(self, out_channels: int, kernel_size: Any, *args: Any, bias: bool = True, **kwargs: Any) -> None:
        args_ = list(args)
        position = 5 if self._transposed else 4  # of `bias` behind kernel_size
        if len(args_) > position:
            bias, args_[position] = args_[position], False
        else:
            kwargs["bias"] = False
        super().__init__(0, 0, kernel_size, *args_, **kwargs)
        device, dtype = self.weight.device, self.weight.dtype
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.out_channels = out_channels
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    _transposed = False

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()  # type: ignore[misc]  # of the convolution, the next base

    def initialize_parameters(self, input: Any, *args: Any, **kwargs: Any) -> None:
        """Gives the parameters their shapes and values."""
        if self.has_uninitialized_params():
            self.in_channels = self._get_in_channels(input)
            if self.in_channels % self.groups:
                raise ValueError("in_channels must be divisible by groups")
            a, b = (self.in_channels, self.out_channels) if self.transposed else (self.out_channels, self.in_channels)
            self.weight.materialize((a, b // self.groups, *self.kernel_size))
            if self.bias is not None:
                self.bias.materialize((self.out_channels,))
            self.reset_parameters()

    def _get_in_channels(self, input: Any) -> int:
        dims = self._dims
        if input.dim() not in (dims + 1, dims + 2):
            raise RuntimeError(
                f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to {type(self).__name__}, but got input of size: "
                f"{input.shape}"
            )
        return input.shape[-dims - 1]

    def _get_num_spatial_dims(self) -> int:
        return self._dims


@_here
class LazyConv1d(_LazyConvXdMixin, Conv1d):
    """`Conv1d` that learns `in_channels` from its first input."""

    cls_to_become = Conv1d


@_here
class LazyConv2d(_LazyConvXdMixin, Conv2d):
    """`Conv2d` that learns `in_channels` from its first input."""

    cls_to_become = Conv2d


@_here
class LazyConv3d(_LazyConvXdMixin, Conv3d):
    """`Conv3d` that learns `in_channels` from its first input."""

    cls_to_become = Conv3d


@_here
class LazyConvTranspose1d(_LazyConvXdMixin, ConvTranspose1d):
    """`ConvTranspose1d` that learns `in_channels` from its first input."""

    cls_to_become = ConvTranspose1d
    _transposed = True


@_here
class LazyConvTranspose2d(_LazyConvXdMixin, ConvTranspose2d):
    """`ConvTranspose2d` that learns `in_channels` from its first input."""

    cls_to_become = ConvTranspose2d
    _transposed = True


@_here
class LazyConvTranspose3d(_LazyConvXdMixin, ConvTranspose3d):
    """`ConvTranspose3d` that learns `in_channels` from its first input."""

    cls_to_become = ConvTranspose3d
    _transposed = True
