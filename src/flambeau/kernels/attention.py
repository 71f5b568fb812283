"""Scaled dot-product attention and its gradient, in their NumPy lowering."""

from typing import Any

import numpy as np

from .quiet import quiet
from .random import bernoulli_mask

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
    kept = np.empty(0, np.bool_)
    used = scores
    if dropout > 0:
        kept = bernoulli_mask(scores.shape, 1 - dropout)
        used = scores * kept
        used *= scores.dtype.type(1 / (1 - dropout))
    out = np.matmul(used, v)
    return (out if out.dtype == low else out.astype(low)), scores, kept


@quiet
def attention_backward(grad: Any, q: Any, k: Any, v: Any, p: Any, kept: Any, dropout: float, scale: float) -> tuple[Any, Any, Any]:
    """The gradients of q, k and v, given the probabilities and the dropout mask of the forward."""
    low = q.dtype
    grad, q, k, v = _wide(grad), _wide(q), _wide(k), _wide(v)
    used = p
    if dropout > 0:
        factor = p.dtype.type(1 / (1 - dropout))
        used = p * kept
        used *= factor
    grad_v = np.matmul(used.swapaxes(-1, -2), grad)
    grad_p = np.matmul(grad, v.swapaxes(-1, -2))
    if dropout > 0:
        grad_p *= kept
        grad_p *= factor
    product = grad_p * p
    product -= p * np.add.reduce(product, -1, keepdims=True)
    product *= product.dtype.type(scale)
    grad_q = np.matmul(product, k)
    grad_k = np.matmul(product.swapaxes(-1, -2), q)
    if low.itemsize == 2:
        return grad_q.astype(low), grad_k.astype(low), grad_v.astype(low)
    return grad_q, grad_k, grad_v
