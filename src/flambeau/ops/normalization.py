"""Layer, batch, group and other normalisations."""

from __future__ import annotations

import math
from typing import Any

from ..kernels import normalization as k
from .definition import Array, composite, formula_function, operator, tensors


def _layer_norm_backward_tensors(grad: Any, x: Any, mean: Any, rstd: Any, weight: Any, needs: Any) -> tuple[Any, Any, Any]:
    """The kernel's formula in operators, the statistics computed anew so that they are differentiated as well."""
    shape = x.shape
    count = x.numel() // max(mean.numel(), 1)
    rows, g = x.reshape(-1, count), grad.reshape(-1, count)
    centred = rows - rows.mean(1, True)
    # The eps that the forward used is what its rstd holds beyond the variance.
    eps = (1 / (rstd * rstd) - (centred * centred).mean(1, True)).detach()
    scale = ((centred * centred).mean(1, True) + eps) ** -0.5
    normal = centred * scale
    gw = g if weight is None else g * weight.reshape(-1)
    grad_x = (gw - gw.mean(1, True) - normal * (gw * normal).mean(1, True)) * scale
    return (
        grad_x.reshape(shape) if needs[0] else None,
        (g * normal).sum(0).reshape(weight.shape) if needs[1] else None,
        g.sum(0) if needs[2] else None,
    )


formula_function("layer_norm_backward", k.layer_norm_backward, _layer_norm_backward_tensors)


@operator("torch.native_layer_norm", outputs=3, hidden=0, out=False)
def native_layer_norm(input: Array, normalized_shape: Any, weight: Array | None, bias: Array | None, eps: Any) -> Array:
    """Layer normalisation with its statistics: (result, mean, 1 / sqrt(var + eps))."""
    check_normalized_shape(input.shape, tuple(normalized_shape), weight, bias)
    return k.layer_norm(input, math.prod(normalized_shape), weight, bias, eps)


def _layer_norm_gradients(F: Any, grads: Any, needs: Any, input: Any, weight: Any, result1: Any, result2: Any, bias_shape: Any) -> Any:
    grad = grads[0]
    if grad is None:
        return None, None, None
    gx, gw, gb = F.layer_norm_backward(grad, input, result1, result2, weight, needs)
    return gx, gw, gb if gb is None else gb.reshape(bias_shape)


def check_normalized_shape(shape: tuple[int, ...], normalized: tuple[int, ...], weight: Any, bias: Any) -> None:
    """Raises RuntimeError where the shapes do not go together, in PyTorch's words."""
    if not normalized:
        raise RuntimeError(
            f"Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got normalized_shape = {list(normalized)}"
        )
    for name, p in (("weight", weight), ("bias", bias)):
        if p is not None and tuple(p.shape) != normalized:
            raise RuntimeError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape {list(p.shape)} and normalized_shape = {list(normalized)}"
            )
    if len(shape) < len(normalized) or shape[len(shape) - len(normalized) :] != normalized:
        wanted = ", ".join(["*", *map(str, normalized)])
        raise RuntimeError(
            f"Given normalized_shape={list(normalized)}, expected input with shape [{wanted}], but got input of size{list(shape)}"
        )


@operator(outputs=3, hidden=2, node="NativeLayerNormBackward0", out=False)
def layer_norm(input: Array, normalized_shape: Any, weight: Array | None = None, bias: Array | None = None, eps: Any = 1e-5) -> Array:
    """Normalises over the last dimensions, which must be `normalized_shape`: zero mean, unit variance, then `weight` and `bias`.

    Ba, Kiros and Hinton, "Layer Normalization", 2016. The variance is the biased one.
    """
    if normalized_shape.__class__ is not tuple or input.shape[input.ndim - len(normalized_shape) :] != normalized_shape or not normalized_shape:
        check_normalized_shape(input.shape, tuple(normalized_shape), weight, bias)
    return k.layer_norm(input, math.prod(normalized_shape), weight, bias, eps)


for _op in (native_layer_norm, layer_norm):
    _op.joint("input", "weight", "bias")(_layer_norm_gradients)


@composite("F.layer_norm", "torch.layer_norm", hot=True)
def layer_norm_function(
    input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5, cudnn_enable: bool = True
) -> Any:
    """Normalises over the last dimensions, which must be `normalized_shape`: zero mean, unit variance, then `weight` and `bias`."""
    if normalized_shape.__class__ is not tuple:
        normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    return layer_norm.function(input, normalized_shape, weight, bias, eps)


layer_norm_function.__name__ = layer_norm_function.__qualname__ = "layer_norm"
tensors.layer_norm = layer_norm_function  # type: ignore[attr-defined]
