"""Layer normalisation and its gradient, in their NumPy lowering."""

from typing import Any

import numpy as np

from .compiler import compiled_for
from .library import normalization as library
from .quiet import quiet

_F32 = np.dtype(np.float32)


def layer_norm(x: Any, count: int, weight: Any, bias: Any, eps: float) -> tuple[Any, Any, Any]:
    """(x - mean) / sqrt(var + eps) * weight + bias over rows of `count` elements.

    Returns the result in x's shape, and per row the mean and 1 / sqrt(var + eps).
    """
    if weight is not None and bias is not None and x.size and x.ndim and x.shape[-1] == count:
        kernel = compiled_for(library.layer_norm, x, weight, bias)
        if kernel is not None:
            out = np.empty_like(x)
            mean, rstd = np.empty((2, x.size // count, 1), x.dtype)
            kernel(out, mean, rstd, x, weight, bias, 1 / count, float(eps))
            return out, mean, rstd
    return _layer_norm(x, count, weight, bias, eps)


@quiet
def _layer_norm(x: Any, count: int, weight: Any, bias: Any, eps: float) -> tuple[Any, Any, Any]:
    """(x - mean) / sqrt(var + eps) * weight + bias over rows of `count` elements.

    Returns the result in x's shape, and per row the mean and 1 / sqrt(var + eps).
    """
    shape, low = x.shape, x.dtype
    rows = x.reshape(-1, count)
    if low.itemsize == 2:
        rows = rows.astype(_F32)
    one_over = rows.dtype.type(1 / count) if count else rows.dtype.type(0)
    mean = np.add.reduce(rows, 1, keepdims=True) * one_over
    centred = rows - mean
    variance = np.einsum("ij,ij->i", centred, centred)[:, None] * one_over
    rstd = 1 / np.sqrt(variance + rows.dtype.type(eps))
    centred *= rstd
    if weight is not None:
        centred *= weight.reshape(-1)
    if bias is not None:
        centred += bias.reshape(-1)
    result = centred.reshape(shape)
    return (result if result.dtype == low else result.astype(low)), mean, rstd


def layer_norm_backward(grad: Any, x: Any, mean: Any, rstd: Any, weight: Any, needs: Any) -> tuple[Any, Any, Any]:
    """The gradients of x, weight and bias; None where `needs` is False."""
    if weight is not None and x.size and weight.shape == x.shape[-1:]:
        kernel = compiled_for(library.layer_norm_backward, x, grad, mean, rstd, weight)
        if kernel is not None:
            count = x.shape[-1]
            out = np.empty_like(x)
            grad_weight, grad_bias = np.zeros(count, x.dtype), np.zeros(count, x.dtype)
            kernel(out, grad_weight, grad_bias, grad, x, mean, rstd, weight, 1 / count)
            return out if needs[0] else None, grad_weight if needs[1] else None, grad_bias if needs[2] else None
    return _layer_norm_backward(grad, x, mean, rstd, weight, needs)


@quiet
def _layer_norm_backward(grad: Any, x: Any, mean: Any, rstd: Any, weight: Any, needs: Any) -> tuple[Any, Any, Any]:
    """The gradients of x, weight and bias; None where `needs` is False."""
    count = x.size // max(mean.size, 1)
    low = x.dtype
    rows, g = x.reshape(-1, count), grad.reshape(-1, count)
    if low.itemsize == 2:
        rows, g = rows.astype(_F32), g.astype(_F32)
    normal = rows - mean
    normal *= rstd
    grad_x = grad_weight = grad_bias = None
    if needs[1]:
        grad_weight = np.einsum("ij,ij->j", g, normal).reshape(weight.shape)
    if needs[2]:
        grad_bias = np.dot(np.ones(g.shape[0], g.dtype), g)
    if needs[0]:
        gw = g if weight is None else g * weight.reshape(-1)
        one_over = gw.dtype.type(1 / count) if count else gw.dtype.type(0)
        mean_g = np.add.reduce(gw, 1, keepdims=True) * one_over
        mean_gn = np.einsum("ij,ij->i", gw, normal)[:, None] * one_over
        normal *= mean_gn
        normal += mean_g
        grad_x = np.subtract(gw, normal, out=normal)
        grad_x *= rstd
        grad_x = grad_x.reshape(x.shape)
    cast = (lambda a: a if a is None else a.astype(low)) if low.itemsize == 2 else (lambda a: a)
    return cast(grad_x), cast(grad_weight), cast(grad_bias)
