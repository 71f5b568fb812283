"""Matrix products, by the BLAS inside NumPy."""

import math
from typing import Any

import numpy as np

from .quiet import SILENT, quiet, restore, silence

_F32 = np.dtype(np.float32)
_BOOL = np.dtype(np.bool_)
dot = np.dot


def _low(x: Any) -> bool:
    return x.dtype.itemsize == 2 and x.dtype.kind in "fV"


def matmul(a: Any, b: Any) -> Any:
    """`a @ b`, broadcast over leading dimensions; half precision multiplies in float32."""
    token = silence(SILENT)
    try:
        if a.ndim == 2 and b.ndim == 2 and a.dtype is not _BOOL:
            return dot(a.astype(_F32), b.astype(_F32)).astype(a.dtype) if _low(a) else dot(a, b)
        if _low(a):
            return np.matmul(a.astype(_F32), b.astype(_F32)).astype(a.dtype)
        return np.matmul(a, b)
    finally:
        restore(token)


def linear(x: Any, weight: Any, bias: Any) -> Any:
    """`x @ weight.T + bias`: `x` of shape (..., in), `weight` (out, in), `bias` (out) or None."""
    token = silence(SILENT)
    try:
        dtype = x.dtype
        if dtype.itemsize == 2 and dtype.kind in "fV":
            x, weight, bias = x.astype(_F32), weight.astype(_F32), None if bias is None else bias.astype(_F32)
        if x.ndim < 3:
            y = dot(x, weight.T)
        else:
            shape = x.shape
            y = dot(x.reshape(math.prod(shape[:-1]), shape[-1]), weight.T).reshape(shape[:-1] + weight.shape[:-1])
        if bias is not None:
            y += bias
        return y if y.dtype is dtype else y.astype(dtype)
    finally:
        restore(token)


@quiet
def linear_weight_gradient(grad: Any, x: Any) -> Any:
    """The gradient of `weight` in `x @ weight.T`: the sum over rows of outer products, of shape (out, in)."""
    grad2, x2 = grad.reshape(-1, grad.shape[-1]), x.reshape(-1, x.shape[-1])
    if _low(grad):
        return np.dot(grad2.astype(_F32).T, x2.astype(_F32)).astype(grad.dtype)
    return np.dot(grad2.T, x2)
