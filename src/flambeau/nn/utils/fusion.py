"""Batch norms folded into the layer before them, for inference: one layer that gives the same results."""

import copy
from typing import Any

from ...autograd.node import tensors
from ..parameter import Parameter

__all__ = ["fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights"]


def _check(layer: Any, bn: Any) -> None:
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """A convolution that does what `bn(conv(x))` does; both in eval mode, or AssertionError. `transpose`: a transposed convolution."""
    _check(conv, bn)
    fused = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, transpose
    )
    return fused


def _scale(mean: Any, var: Any, eps: float, weight: Any, bias: Any) -> tuple[Any, Any]:
    """The factor and the shift of a batch norm's affine part, or 1 and 0."""
    weight = tensors.ones_like(mean) if weight is None else weight
    bias = tensors.zeros_like(mean) if bias is None else bias
    return weight * (var + eps).rsqrt(), bias


def fuse_conv_bn_weights(
    conv_w: Any, conv_b: Any, bn_rm: Any, bn_rv: Any, bn_eps: float, bn_w: Any, bn_b: Any, transpose: bool = False
) -> tuple[Any, Any]:
    """The weight and the bias of a convolution with the batch norm folded in, in the dtypes of the convolution's."""
    dtypes = conv_w.dtype, conv_w.dtype if conv_b is None else conv_b.dtype
    factor, shift = _scale(bn_rm, bn_rv, bn_eps, bn_w, bn_b)
    bias = tensors.zeros_like(bn_rm) if conv_b is None else conv_b
    shape = (1, -1) if transpose else (-1, 1)
    weight = (conv_w * factor.reshape(*shape, *[1] * (conv_w.dim() - 2))).to(dtypes[0])
    fused = ((bias - bn_rm) * factor + shift).to(dtypes[1])
    return (
        Parameter(weight.detach(), conv_w.requires_grad),
        Parameter(fused.detach(), conv_b is not None and conv_b.requires_grad),
    )


def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """A linear layer that does what `bn(linear(x))` does; both in eval mode and of matching sizes, or AssertionError."""
    if linear.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if linear.out_features != bn.num_features and bn.num_features != 1:
        raise AssertionError(
            f"To fuse, linear.out_features == bn.num_features or bn.num_features == 1, got linear.out_features={linear.out_features} and "
            f"bn.num_features={bn.num_features}"
        )
    _check(linear, bn)
    fused = copy.deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias)
    return fused


def fuse_linear_bn_weights(linear_w: Any, linear_b: Any, bn_rm: Any, bn_rv: Any, bn_eps: float, bn_w: Any, bn_b: Any) -> tuple[Any, Any]:
    """The weight and the bias of a linear layer with the batch norm folded in."""
    dtypes = linear_w.dtype, linear_w.dtype if linear_b is None else linear_b.dtype
    factor, shift = _scale(bn_rm, bn_rv, bn_eps, bn_w, bn_b)
    bias = tensors.zeros_like(bn_rm) if linear_b is None else linear_b
    weight = linear_w * factor.unsqueeze(-1).to(dtypes[0])
    fused = ((bias - bn_rm) * factor + shift).to(dtypes[1])
    return (
        Parameter(weight.detach(), linear_w.requires_grad),
        Parameter(fused.detach(), linear_b is not None and linear_b.requires_grad),
    )
