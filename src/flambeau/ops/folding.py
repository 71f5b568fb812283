"""Sliding blocks as columns and back, and rearranging channels into pixels."""

from __future__ import annotations

import math
from typing import Any

from ..core.layout import in_format_of
from ..kernels import convolution as k
from .definition import Array, composite, operator
from .running import refuse


@operator(node="Im2ColBackward0", out=False)
def im2col(input: Array, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Array:
    """The blocks of (N, C, H, W) as columns (N, C * kh * kw, blocks)."""
    if input.dtype.kind in "iu":
        refuse(input, "im2col_out_cpu")
    return k.im2col(input, kernel_size, dilation, padding, stride)


@operator(node="Col2ImBackward0", out=False)
def col2im(input: Array, output_size: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Array:
    """The transpose of `im2col`: overlapping blocks add up."""
    return k.col2im(input, output_size, kernel_size, dilation, padding, stride)


im2col.derivative(
    input=lambda F, grad, input_shape, kernel_size, dilation, padding, stride: F.col2im(
        grad, tuple(input_shape[2:]), kernel_size, dilation, padding, stride
    )
)
col2im.derivative(input=lambda F, grad, kernel_size, dilation, padding, stride: F.im2col(grad, kernel_size, dilation, padding, stride))


_PLACES = {"kernel_size": 2, "dilation": 3, "padding": 4, "stride": 5, "output_size": 1}


def _pair(value: Any, name: str, kernel: str = "im2col") -> tuple[int, int]:
    """Two integers, or one for both. Raises TypeError for what is none, as the kernel does, and RuntimeError for another number."""
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    for i, n in enumerate(pair):
        if n.__class__ is bool or not hasattr(n, "__index__"):
            place = _PLACES[name] + (kernel == "col2im")
            raise TypeError(
                f"{kernel}(): argument '{name}' (position {place}) must be tuple of ints, but found element of type {type(n).__name__} at "
                f"pos {i}"
            )
    if len(pair) != 2:
        raise RuntimeError(f"It is expected {name} equals to 2, but got size {len(pair)}")
    return pair[0].__index__(), pair[1].__index__()


def _blocks(spatial: Any, kernel: Any, dilation: Any, padding: Any, stride: Any) -> tuple[int, ...]:
    for name, values in (("kernel size", kernel), ("dilation", dilation), ("stride", stride)):
        if min(values) <= 0:
            words = name.replace(" size", "")
            raise RuntimeError(f"{name} should be greater than zero, but got {words}_height: {values[0]} {words}_width: {values[1]}")
    if min(padding) < 0:
        raise RuntimeError(f"padding should be non-negative, but got pad_height: {padding[0]} pad_width: {padding[1]}")
    return k.output_size(tuple(spatial), kernel, stride, padding, dilation)


def _text(values: Any) -> str:
    return f"({', '.join(map(str, values))})"


@composite("F.unfold", formula=False)
def unfold(input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """All blocks of (N, C, H, W) or (C, H, W) as columns: (N, C * kh * kw, blocks)."""
    kernel, dilation = _pair(kernel_size, "kernel_size"), _pair(dilation, "dilation")
    padding, stride = _pair(padding, "padding"), _pair(stride, "stride")
    shape = list(input.shape)
    if len(shape) < 3:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-len(shape)}, {len(shape) - 1}], but got {len(shape)})")
    if len(shape) > 4 or 0 in shape[-3:]:
        raise RuntimeError(
            f"Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, but got: {shape}"
        )
    blocks = _blocks(shape[-2:], kernel, dilation, padding, stride)
    if min(blocks) < 1:
        raise RuntimeError(
            f"Given input with spatial size {_text(shape[-2:])}, kernel_size={_text(kernel)}, dilation={_text(dilation)}, "
            f"padding={_text(padding)}, calculated shape of the array of sliding blocks as {_text(blocks)}, but its components must be at "
            "least one."
        )
    if len(shape) == 3:
        return im2col.function(input.unsqueeze(0), kernel, dilation, padding, stride).squeeze(0)
    return im2col.function(input, kernel, dilation, padding, stride)


@composite("F.fold")
def fold(input: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Adds up columns (N, C * kh * kw, blocks) or (C * kh * kw, blocks) as blocks of an image of `output_size`."""
    size, kernel, dilation, padding, stride = (
        _pair(value, name, "col2im")
        for value, name in (
            (output_size, "output_size"),
            (kernel_size, "kernel_size"),
            (dilation, "dilation"),
            (padding, "padding"),
            (stride, "stride"),
        )
    )
    shape = list(input.shape)
    if len(shape) not in (2, 3) or 0 in shape[-2:]:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for input, but got: "
            + str(shape)
        )
    blocks = _blocks(size, kernel, dilation, padding, stride)
    if input._array.dtype.kind in "iu":
        refuse(input._array, "col2im_out_cpu")
    at = len(shape) - 2
    if shape[at] % math.prod(kernel):
        raise RuntimeError(
            f"Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got input.size(1)={shape[at]} and "
            f"kernel_size={_text(kernel)}."
        )
    how = (
        f"Given output_size={_text(size)}, kernel_size={_text(kernel)}, dilation={_text(dilation)}, padding={_text(padding)}, "
        f"stride={_text(stride)}"
    )
    if shape[at + 1] != math.prod(blocks) or min(blocks) < 1:
        if min(blocks) < 1:
            raise RuntimeError(
                f"{how}, calculated shape of the array of sliding blocks as {_text(blocks)}, which is too small (non-positive)"
            )
        raise RuntimeError(
            f"{how}, expected size of input's dimension 2 to match the calculated number of sliding blocks {blocks[0]} * {blocks[1]} = "
            f"{math.prod(blocks)}, but got input.size(2)={shape[at + 1]}."
        )
    if at == 0:
        return col2im.function(input.unsqueeze(0), size, kernel, dilation, padding, stride).squeeze(0)
    return col2im.function(input, size, kernel, dilation, padding, stride)


# --- channels and pixels ----------------------------------------------------------------------------------------------------


@operator(node="PixelShuffleBackward0", out=False)
def pixel_shuffle_op(input: Array, upscale_factor: Any) -> Array:
    """(..., C r^2, H, W) as (..., C, H r, W r)."""
    *lead, c, h, w = input.shape
    r = upscale_factor
    result = k.rearranged(input, (*lead, c // (r * r), r, r, h, w), (0, 3, 1, 4, 2), (*lead, c // (r * r), h * r, w * r))
    return in_format_of(input, result)


@operator(node="PixelUnshuffleBackward0", out=False)
def pixel_unshuffle_op(input: Array, downscale_factor: Any) -> Array:
    """(..., C, H r, W r) as (..., C r^2, H, W)."""
    *lead, c, h, w = input.shape
    r = downscale_factor
    result = k.rearranged(input, (*lead, c, h // r, r, w // r, r), (0, 2, 4, 1, 3), (*lead, c * r * r, h // r, w // r))
    return in_format_of(input, result)


pixel_shuffle_op.derivative(input=lambda F, grad, upscale_factor: F.pixel_unshuffle_op(grad, upscale_factor))
pixel_unshuffle_op.derivative(input=lambda F, grad, downscale_factor: F.pixel_shuffle_op(grad, downscale_factor))


@composite("torch.pixel_shuffle", "F.pixel_shuffle")
def pixel_shuffle(input: Any, upscale_factor: int) -> Any:
    """Rearranges (..., C r^2, H, W) to (..., C, H r, W r). Shi et al., 2016."""
    if input.dim() < 3:
        raise RuntimeError(f"pixel_shuffle expects input to have at least 3 dimensions, but got input with {input.dim()} dimension(s)")
    if upscale_factor <= 0:
        raise RuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {upscale_factor}")
    if input.shape[-3] % (upscale_factor * upscale_factor):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, but "
            f"input.size(-3)={input.shape[-3]} is not divisible by {upscale_factor * upscale_factor}"
        )
    return pixel_shuffle_op.function(input, upscale_factor)


@composite("torch.pixel_unshuffle", "F.pixel_unshuffle")
def pixel_unshuffle(input: Any, downscale_factor: int) -> Any:
    """Rearranges (..., C, H r, W r) to (..., C r^2, H, W)."""
    if input.dim() < 3:
        raise RuntimeError(f"pixel_unshuffle expects input to have at least 3 dimensions, but got input with {input.dim()} dimension(s)")
    if downscale_factor <= 0:
        raise RuntimeError(f"pixel_unshuffle expects a positive downscale_factor, but got {downscale_factor}")
    for at, what in ((-2, "height"), (-1, "width")):
        if input.shape[at] % downscale_factor:
            raise RuntimeError(
                f"pixel_unshuffle expects {what} to be divisible by downscale_factor, but input.size({at})={input.shape[at]} is not "
                f"divisible by {downscale_factor}"
            )
    return pixel_unshuffle_op.function(input, downscale_factor)


@operator(node="ChannelShuffleBackward0", out=False)
def channel_shuffle_op(input: Array, groups: Any) -> Array:
    """(N, g * c, ...) with the channels of the groups in turn."""
    n, c, *rest = input.shape
    result = k.rearranged(input, (n, groups, c // groups, math.prod(rest)), (1, 0, 2), input.shape)
    return in_format_of(input, result)


channel_shuffle_op.derivative(input=lambda F, grad, input_shape, groups: F.channel_shuffle_op(grad, input_shape[1] // groups))


@composite("torch.channel_shuffle", "torch.native_channel_shuffle", "F.channel_shuffle", "F.native_channel_shuffle")
def channel_shuffle(input: Any, groups: int) -> Any:
    """Splits the channels of (N, C, ...) into groups and takes one of each group in turn."""
    if input.dim() < 3:
        raise RuntimeError(f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(input.shape)}")
    if groups <= 0:
        raise RuntimeError(f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    if input.shape[1] % groups:
        raise RuntimeError(f"Number of channels must be divisible by groups. Got {input.shape[1]} channels and {groups} groups.")
    return channel_shuffle_op.function(input, groups)
