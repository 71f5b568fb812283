"""Dropout and its kin. The noise is PyTorch's, bit for bit: two words of the generator for each element."""

from __future__ import annotations

import math
from typing import Any

from ..core.dtype import OF_NUMPY, SCALAR_NAMES
from ..kernels import dropout as k
from ..tensor import PLAIN
from .definition import Array, composite, explained_here, formula_function, handle_overrides, operator, tensors
from .modes import modes
from .running import refuse

formula_function("scale_by_mask", k.scale_by_mask, lambda x, mask, scale: x * (mask.to(x.dtype) * scale))


@operator(outputs=2, hidden=1, node="MulBackward0", out=False)
def masked_scale(input: Array, p: Any, shape: Any) -> Array:
    """`input` with elements zeroed with probability `p` and the others divided by 1 - p; and the mask.

    shape: that of the noise, broadcast to the input.
    """
    if input.dtype.kind in "biuc":
        if input.dtype.kind == "c":
            refuse(input, "bernoulli_scalar_cpu_")
        raise RuntimeError(f"result type Float can't be cast to the desired output type {SCALAR_NAMES[OF_NUMPY[input.dtype]]}")
    mask = k.mask_for(input, tuple(shape), 1 - p)
    return k.scale_by_mask(input, mask, 1 / (1 - p)), mask


masked_scale.joint("input")(lambda F, grads, result1, p: (F.scale_by_mask(grads[0], result1, 1 / (1 - p)),))


def check_probability(p: float, name: str = "dropout probability") -> None:
    """Raises ValueError unless 0 <= p <= 1."""
    if p < 0.0 or p > 1.0:
        raise ValueError(f"{name} has to be between 0 and 1, but got {p}")


def _drop(input: Any, p: float, training: bool, inplace: bool, shape: Any) -> Any:
    if not training or p == 0 or input.numel() == 0:
        return input
    if p == 1:
        return input.mul_(0.0) if inplace else input * input.new_zeros(())
    result = masked_scale.function(input, p, shape)
    return input.copy_(result) if inplace else result


@composite("F.dropout", hot=True)
def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """During training, zeroes elements with probability `p` and divides the others by 1 - p.

    Hinton et al., "Improving neural networks by preventing co-adaptation of feature detectors", 2012.
    """
    try:
        if modes.active or type(input) not in PLAIN:
            result = handle_overrides(dropout, (input, p, training, inplace), {})
            if result is not NotImplemented:
                return result
        if p < 0.0 or p > 1.0:
            check_probability(p)
        if training is not True and training is not False:
            raise TypeError(f"dropout(): argument 'train' (position 3) must be bool, not {type(training).__name__}")
        if not training or p == 0.0:
            return input
        if p == 1 or inplace or not input._array.size:
            return _drop(input, p, training, inplace, input.shape)
        return masked_scale.function(input, p, input._array.shape)
    except Exception as error:
        raise explained_here(error, "F.dropout")


@composite("torch.dropout")
def torch_dropout(input: Any, p: float, train: bool) -> Any:
    """`F.dropout` as a function of `torch`."""
    return dropout(input, p, train)


@composite("torch.dropout_")
def torch_dropout_(input: Any, p: float, train: bool) -> Any:
    """`F.dropout(inplace=True)` as a function of `torch`."""
    return dropout(input, p, train, True)


def _channel_shape(input: Any) -> tuple[int, ...]:
    return (*input.shape[:2], *(1 for _ in input.shape[2:]))


def _feature(name: str, low: int, high: int) -> None:
    def call(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
        if modes.active or type(input) not in PLAIN:
            result = handle_overrides(call, (input, p, training, inplace), {})
            if result is not NotImplemented:
                return result
        check_probability(p)
        if training is not True and training is not False:
            raise TypeError(f"feature_dropout(): argument 'train' (position 3) must be bool, not {type(training).__name__}")
        ndim = input.dim()
        if name == "dropout1d":
            if ndim not in (2, 3):
                raise RuntimeError(
                    f"dropout1d: Expected 2D or 3D input, but received a {ndim}D input. Note that dropout1d exists to "
                    "provide channel-wise dropout on inputs with 1 spatial dimension, a channel dimension, and an "
                    "optional batch dimension (i.e. 2D or 3D inputs)."
                )
        elif ndim not in (low, high):
            import warnings

            warnings.warn(
                f"{name}: Received a {ndim}-D input to {name}, which is deprecated and will result in an error in a future release. To "
                f"retain the behavior and silence this warning, please use dropout instead. Note that {name} exists to provide "
                f"channel-wise dropout on inputs with {low - 1} spatial dimensions, a channel dimension, and an optional batch dimension "
                f"(i.e. {low}D or {high}D inputs).",
                stacklevel=2,
            )
        if ndim < 2 and training and p > 0:
            raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
        batched = name != "dropout1d" or ndim == 3
        x = input if batched else input.unsqueeze(0)
        result = _drop(x, p, training, inplace, _channel_shape(x))
        return result if batched else result.squeeze(0)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = "Zeroes whole channels with probability `p` during training and divides the others by 1 - p."
    composite(f"F.{name}", hot=True)(call)


_feature("dropout1d", 2, 3)
_feature("dropout2d", 3, 4)
_feature("dropout3d", 4, 5)

_ALPHA = 1.7580993408473766


def _alpha(input: Any, p: float, training: bool, inplace: bool, shape: Any) -> Any:
    check_probability(p)
    if not training or p == 0 or input.numel() == 0:
        return input
    if p == 1:
        return input.mul_(0.0) if inplace else input * input.new_zeros(())
    if input.dtype.kind != 2:
        if input.dtype.kind == 3:
            refuse(input._array, "bernoulli_scalar_cpu_")
        name = "Long" if input.dtype.kind == 0 and input._array.dtype.kind == "b" else SCALAR_NAMES[input.dtype]
        raise RuntimeError(f"result type Float can't be cast to the desired output type {name}")
    a = 1.0 / math.sqrt((_ALPHA * _ALPHA * p + 1) * (1 - p))
    noise = tensors.wrap(k.bernoulli_mask(shape, 1 - p).astype(input._array.dtype))
    b = (noise - 1) * (_ALPHA * float(a)) + _ALPHA * float(a) * p
    result = input * (noise * float(a)) + b
    return input.copy_(result) if inplace else result


@composite("F.alpha_dropout")
def alpha_dropout(input: Any, p: float = 0.5, training: bool = False, inplace: bool = False) -> Any:
    """Dropout that keeps mean and variance of SELU activations (Klambauer et al., 2017)."""
    return _alpha(input, p, training, inplace, input.shape)


@composite("F.feature_alpha_dropout")
def feature_alpha_dropout(input: Any, p: float = 0.5, training: bool = False, inplace: bool = False) -> Any:
    """`alpha_dropout` of whole channels."""
    if input.dim() < 2 and training and p > 0:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    return _alpha(input, p, training, inplace, _channel_shape(input))
