"""Scaled dot-product attention and its gradient, in their NumPy lowering."""

from typing import Any

import numpy as np

from .compiler import compiled_for
from .dropout import bernoulli_mask, scale_by_mask
from .library import attention as library
from .quiet import quiet

_F32 = np.dtype(np.float32)


def _wide(x: Any) -> Any:
    return x.astype(_F32) if x.dtype.itemsize == 2 else x


@quiet
def attention(q: Any, k: Any, v: Any, mask: Any, dropout: float, scale: float) -> tuple[Any, Any, Any]:
    """softmax(q @ k.T * scale + mask) @ v over the last two dimensions, with dropout on the probabilities.

    mask: bool (False forbids) or added to the scores; None for none. Returns the result, the probabilities and the
    dropout mask (empty without dropout). A row that may look nowhere gives zeros, as in PyTorch.
    """
    low = q.dtype
    q, k, v = _wide(q), _wide(k), _wide(v)
    scores = np.matmul(q, k.swapaxes(-1, -2))
    kept = np.empty(0, np.bool_)
    fused = _fused_softmax(scores, mask, scale)
    if not fused:
        _softmax(scores, mask, scale)
    used = scores
    if dropout > 0:
        kept = bernoulli_mask(scores.shape, 1 - dropout)
        used = scale_by_mask(scores, kept, 1 / (1 - dropout))
    out = np.matmul(used, v)
    return (out if out.dtype == low else out.astype(low)), scores, kept


def _fused_softmax(scores: Any, mask: Any, scale: float) -> bool:
    """softmax(scores * scale + mask) in place by one compiled kernel; False where it does not fit."""
    if not scores.size:
        return False
    if mask is None:
        kernel = compiled_for(library.scaled_softmax, scores)
        if kernel is None:
            return False
        kernel(scores, float(scale))
        return True
    if mask.shape[-2:] != scores.shape[-2:] or mask.size != mask.shape[-1] * mask.shape[-2]:
        return False
    if mask.dtype.kind == "b":
        mask = np.where(mask, scores.dtype.type(0), scores.dtype.type(-np.inf))
    mask = np.ascontiguousarray(mask, scores.dtype)
    kernel = compiled_for(library.masked_softmax, scores)
    if kernel is None:
        return False
    kernel(scores, mask, float(scale))
    return True


def _softmax(scores: Any, mask: Any, scale: float) -> None:
    """The same in place by NumPy, for any mask that broadcasts."""
    scores *= scores.dtype.type(scale)
    if mask is not None:
        if mask.dtype.kind == "b":
            np.copyto(scores, scores.dtype.type(-np.inf), where=np.broadcast_to(~mask, scores.shape))
        else:
            scores += mask.astype(scores.dtype, copy=False)
    if scores.size:
        peak = np.maximum.reduce(scores, -1, keepdims=True)
        if mask is not None and np.isneginf(peak).any():
            peak = np.where(np.isneginf(peak), scores.dtype.type(0), peak)
            empty_rows = True
        else:
            empty_rows = False
        scores -= peak
        np.exp(scores, out=scores)
        total = np.add.reduce(scores, -1, keepdims=True)
        if empty_rows:
            total = np.where(total == 0, total.dtype.type(1), total)
        scores /= total


def _softmax_gradient(grad_p: Any, p: Any, kept: Any, dropout: float, scale: float) -> Any:
    """The gradient of the scores, written over that of the probabilities."""
    factor = 1 / (1 - dropout)
    kernel = compiled_for(library.dropped_softmax_gradient if dropout > 0 else library.softmax_gradient, grad_p, p)
    if kernel is not None and grad_p.size:
        return kernel(grad_p, p, kept, scale, factor) if dropout > 0 else kernel(grad_p, p, scale)
    if dropout > 0:
        grad_p *= kept
        grad_p *= p.dtype.type(factor)
    product = grad_p * p
    product -= p * np.add.reduce(product, -1, keepdims=True)
    product *= product.dtype.type(scale)
    return product


@quiet
def attention_backward(grad: Any, q: Any, k: Any, v: Any, p: Any, kept: Any, dropout: float, scale: float) -> tuple[Any, Any, Any]:
    """The gradients of q, k and v, given the probabilities and the dropout mask of the forward."""
    low = q.dtype
    grad, q, k, v = _wide(grad), _wide(q), _wide(k), _wide(v)
    used = p
    if dropout > 0:
        used = scale_by_mask(p, kept, 1 / (1 - dropout))
    grad_v = np.matmul(used.swapaxes(-1, -2), grad)
    grad_p = np.matmul(grad, v.swapaxes(-1, -2))
    product = _softmax_gradient(grad_p, p, kept, dropout, float(scale))
    grad_q = np.matmul(product, k)
    grad_k = np.matmul(product.swapaxes(-1, -2), q)
    if low.itemsize == 2:
        return grad_q.astype(low), grad_k.astype(low), grad_v.astype(low)
    return grad_q, grad_k, grad_v


def additive(allowed: Any, dtype: Any) -> Any:
    """A bool mask as one that is added to the scores: zero where a query may look, else minus infinity."""
    return np.where(allowed, dtype.type(0), dtype.type(-np.inf))
