"""Scaled dot-product attention and its gradient: fused (`library/{flash,fused}_attention.py`), else by whole score matrices."""

import math
from typing import Any

import numpy as np

from .blas import attention as own_kernels
from .compiler import compiled_for, in_numpy
from .dropout import bernoulli_mask, scale_by_mask
from .library import attention as library
from .matmul import matmul
from .quiet import quiet

_F32 = np.dtype(np.float32)


def _wide(x: Any) -> Any:
    return x.astype(_F32) if x.dtype.itemsize == 2 else x


class Causal:
    """The mask by which a query looks at keys no later than itself; its array is made where somebody needs it."""

    dtype = np.dtype(np.bool_)

    def __init__(self, rows: int, columns: int) -> None:
        self.shape = (rows, columns)

    def array(self) -> Any:
        """The mask, True where a query may look."""
        return np.tri(*self.shape, dtype=np.bool_)


@quiet
def attention(q: Any, k: Any, v: Any, mask: Any, dropout: float, scale: float) -> tuple[Any, Any, Any]:
    """softmax(q @ k.T * scale + mask) @ v over the last two dimensions, with dropout on the probabilities.

    mask: bool (False forbids), `Causal`, or added to the scores; None for none. Returns the result, what the backward needs
    of the probabilities (fused: two numbers of each row, one dimension more than q; else all of them) and the dropout
    mask (empty without dropout). A row that may look nowhere gives zeros, as in PyTorch.
    """
    low = q.dtype
    flash = is_flash(q, k, v, dropout)
    q, k, v = _wide(q), _wide(k), _wide(v)
    real = q.__class__ is np.ndarray  # and not a tensor's array on meta, without memory
    kernels = own_kernels(q.dtype, flash) if real else None
    if kernels is not None and q.dtype is k.dtype is v.dtype and q.size and k.size and v.size:
        out, stats, kept = _fused(kernels[0], q, k, v, mask, dropout, scale, flash)
        return (out if out.dtype == low else out.astype(low)), stats, kept
    scores = matmul(q, k.swapaxes(-1, -2))
    kept = np.empty(0, np.bool_)
    if not real:
        return matmul(scores, v).astype(low), scores, kept
    if mask.__class__ is Causal:
        mask = mask.array()
    _softmax(scores, mask, scale)
    used = scores
    if dropout > 0:
        kept = bernoulli_mask(scores.shape, 1 - dropout)
        used = scale_by_mask(scores, kept, 1 / (1 - dropout))
    out = matmul(used, v)
    return (out if out.dtype == low else out.astype(low)), scores, kept


def is_flash(q: Any, k: Any, v: Any, dropout: float) -> bool:
    """Whether PyTorch's fused kernel serves, and not operators: no dropout, four dimensions, the same batches, heads and widths."""
    return dropout == 0 and q.ndim == k.ndim == v.ndim == 4 and q.shape[:2] == k.shape[:2] == v.shape[:2] and q.shape[3] == v.shape[3]


def _fused(kernel: Any, q: Any, k: Any, v: Any, mask: Any, dropout: float, scale: float, flash: bool) -> tuple[Any, Any, Any]:
    """The forward without the matrix of scores."""
    scores = (*q.shape[:-1], k.shape[-2])
    kept = np.empty(0, np.bool_)
    if dropout > 0:
        kept = bernoulli_mask(scores, 1 - dropout)
        out = np.empty(q.shape[:-1] + v.shape[-1:], q.dtype)
    elif q.ndim == 4:  # heads side by side in memory, as PyTorch's kernel leaves them: joining them copies nothing
        batch, heads, length, _ = q.shape
        out = np.empty((batch, length, heads, v.shape[-1]), q.dtype).swapaxes(1, 2)
    else:
        out = np.empty(q.shape[:-1] + v.shape[-1:], q.dtype)
    stats = np.empty((*q.shape[:-1], 2, 1), q.dtype)
    dropped = () if flash else (kept if dropout > 0 else None,)
    kernel(out, _rows(q), _rows(k), _rows(v), stats, _added(mask, scores, q.dtype), *dropped, *_numbers(scale, dropout, mask, flash))
    return out, stats, kept


def _numbers(scale: float, dropout: float, mask: Any, flash: bool) -> tuple[float, ...]:
    """The numbers that the kernels take: see `library/flash_attention.py` and `fused_attention.py`."""
    causal = 1.0 if mask.__class__ is Causal else 0.0
    if flash:
        return float(scale), causal
    root = math.sqrt(abs(scale))
    return 1.0, 1 / (1 - dropout) if dropout < 1 else math.inf, causal, math.copysign(root, scale), root


def _rows(x: Any) -> Any:
    """The same with contiguous rows: a copy where they are not."""
    return x if x.strides[-1] == x.itemsize and not x.strides[-2] % x.itemsize and x.flags.aligned else np.ascontiguousarray(x)


def _added(mask: Any, scores: tuple[int, ...], dtype: Any) -> Any:
    """A mask as an array that is added, seen in the shape of the scores; None where there is none to add."""
    if mask is None or mask.__class__ is Causal:
        return None
    mask = additive(mask, dtype) if mask.dtype.kind == "b" else mask.astype(dtype, copy=False)
    if mask.ndim and mask.shape[-1] == scores[-1]:
        return np.broadcast_to(_rows(mask if mask.ndim > 1 else mask[None]), scores)
    return np.ascontiguousarray(np.broadcast_to(mask, scores))


def _softmax(scores: Any, mask: Any, scale: float) -> None:
    """softmax(scores * scale + mask) in place."""
    if not scores.size:
        return
    if mask is not None:
        if mask.shape[-2:] == scores.shape[-2:] and mask.size == mask.shape[-1] * mask.shape[-2]:
            mask = additive(mask, scores.dtype) if mask.dtype.kind == "b" else mask
            _in_place(library.masked_softmax, scores, np.ascontiguousarray(mask, scores.dtype), float(scale))
            return
        scores *= scores.dtype.type(scale)
        scores += additive(mask, scores.dtype) if mask.dtype.kind == "b" else mask.astype(scores.dtype, copy=False)
        scale = 1.0
    _in_place(library.scaled_softmax, scores, float(scale))


def _in_place(kernel: Any, x: Any, *others: Any) -> None:
    """A kernel over the memory of x: compiled, else in NumPy."""
    (compiled_for(kernel, x) or in_numpy(kernel, x.dtype))(x, *others)


def _softmax_gradient(grad_p: Any, p: Any, kept: Any, dropout: float, scale: float) -> Any:
    """The gradient of the scores, written over that of the probabilities."""
    kernel, more = (library.dropped_softmax_gradient, (kept,)) if dropout > 0 else (library.softmax_gradient, ())
    numbers = (scale, 1 / (1 - dropout)) if dropout > 0 else (scale,)
    found = compiled_for(kernel, grad_p, p) if grad_p.size else None
    return (found or in_numpy(kernel, grad_p.dtype))(grad_p, p, *more, *numbers)


@quiet
def attention_backward(
    grad: Any, q: Any, k: Any, v: Any, out: Any, p: Any, kept: Any, dropout: float, scale: float, mask: Any
) -> tuple[Any, Any, Any]:
    """The gradients of q, k and v, given the result and what the forward left: probabilities (or two numbers a row) and dropout mask."""
    low = q.dtype
    grad, q, k, v = _wide(grad), _wide(q), _wide(k), _wide(v)
    if p.ndim > q.ndim:
        grad_q, grad_k, grad_v = (np.empty_like(x, subok=False) for x in (q, k, v))
        if not grad_q.strides[-1] == grad_k.strides[-1] == grad_v.strides[-1] == q.itemsize:
            grad_q, grad_k, grad_v = (np.empty(x.shape, x.dtype) for x in (q, k, v))
        flash = is_flash(q, k, v, dropout)
        kernels = own_kernels(q.dtype, flash)
        assert kernels is not None
        added = _added(mask, (*q.shape[:-1], k.shape[-2]), q.dtype)
        given = (_rows(_wide(out)),) if flash else ()
        dropped = () if flash else (kept if dropout > 0 else None,)
        arrays = grad_q, grad_k, grad_v, _rows(grad), *given, _rows(q), _rows(k), _rows(v), p, added, *dropped
        kernels[1](*arrays, *_numbers(scale, dropout, mask, flash))
        if low.itemsize == 2:
            return grad_q.astype(low), grad_k.astype(low), grad_v.astype(low)
        return grad_q, grad_k, grad_v
    if grad.__class__ is not np.ndarray:
        return tuple(matmul(a, b).astype(low) for a, b in ((p, k), (p.swapaxes(-1, -2), q), (p.swapaxes(-1, -2), grad)))
    used = p
    if dropout > 0:
        used = scale_by_mask(p, kept, 1 / (1 - dropout))
    grad_v = matmul(used.swapaxes(-1, -2), grad)
    grad_p = matmul(grad, v.swapaxes(-1, -2))
    product = _softmax_gradient(grad_p, p, kept, dropout, float(scale))
    grad_q = matmul(product, k)
    grad_k = matmul(product.swapaxes(-1, -2), q)
    if low.itemsize == 2:
        return grad_q.astype(low), grad_k.astype(low), grad_v.astype(low)
    return grad_q, grad_k, grad_v


def additive(allowed: Any, dtype: Any) -> Any:
    """A bool mask as one that is added to the scores: zero where a query may look, else minus infinity."""
    return np.where(allowed, dtype.type(0), dtype.type(-np.inf))
