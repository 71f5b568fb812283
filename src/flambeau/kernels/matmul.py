"""Matrix products, by the BLAS inside NumPy."""

from typing import Any

import numpy as np

from .quiet import quiet

_F32 = np.dtype(np.float32)


def _low(x: Any) -> bool:
    return x.dtype.itemsize == 2 and x.dtype.kind in "fV"


@quiet
def matmul(a: Any, b: Any) -> Any:
    """`a @ b`, broadcast over leading dimensions; half precision multiplies in float32."""
    if _low(a):
        return np.matmul(a.astype(_F32), b.astype(_F32)).astype(a.dtype)
    return np.matmul(a, b)


@quiet
def linear(x: Any, weight: Any, bias: Any) -> Any:
    """`x @ weight.T + bias`: `x` of shape (..., in), `weight` (out, in), `bias` (out) or None."""
    if _low(x):
        y = np.matmul(x.astype(_F32), weight.astype(_F32).T)
        return (y if bias is None else y + bias.astype(_F32)).astype(x.dtype)
    if x.ndim == 2:
        y = np.dot(x, weight.T)
    else:
        y = np.dot(x.reshape(-1, x.shape[-1]), weight.T).reshape(*x.shape[:-1], weight.shape[0])
    if bias is not None:
        y += bias
    return y


@quiet
def linear_weight_gradient(grad: Any, x: Any) -> Any:
    """The gradient of `weight` in `x @ weight.T`: the sum over rows of outer products, of shape (out, in)."""
    grad2, x2 = grad.reshape(-1, grad.shape[-1]), x.reshape(-1, x.shape[-1])
    if _low(grad):
        return np.dot(grad2.astype(_F32).T, x2.astype(_F32)).astype(grad.dtype)
    return np.dot(grad2.T, x2)
