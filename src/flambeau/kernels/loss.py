"""Cross entropy and its gradient, in their NumPy lowering: the normalised logits are never written."""

from typing import Any

import numpy as np

from .compiler import compiled_for
from .library import loss as library
from .quiet import quiet

_F32 = np.dtype(np.float32)


@quiet
def cross_entropy(x: Any, target: Any, ignore_index: int) -> tuple[Any, Any, int]:
    """Per row of x (rows, classes): the loss -log softmax(x)[target], the log of the sum of exp(x), how many rows count.

    Rows whose target is `ignore_index` have loss 0. Targets must be in range or `ignore_index`.
    """
    kernel = compiled_for(library.cross_entropy, x)
    if kernel is not None and target.flags.carray:
        keep = target != ignore_index
        count = int(np.count_nonzero(keep))
        if count < len(target):
            target = np.where(keep, target, -1)
        losses, lse = np.empty((2, len(target)), _F32 if x.dtype.itemsize == 2 else x.dtype)
        kernel(x, losses, lse, target)
        return losses, lse, count
    if x.dtype.itemsize == 2:
        x = x.astype(_F32)
    peak = np.maximum.reduce(x, 1)
    shifted = x - peak[:, None]
    np.exp(shifted, out=shifted)
    lse = np.log(np.add.reduce(shifted, 1)) + peak
    keep = target != ignore_index
    if keep.all():
        losses = lse - x[np.arange(len(target)), target]
        return losses, lse, len(target)
    losses = np.where(keep, lse - x[np.arange(len(target)), np.where(keep, target, 0)], x.dtype.type(0))
    return losses, lse, int(np.count_nonzero(keep))


@quiet
def cross_entropy_backward(scale: Any, x: Any, target: Any, lse: Any, ignore_index: int) -> Any:
    """scale[row] * (softmax(x) - onehot(target)); zero in ignored rows. `scale`: one number, or one per row."""
    low = x.dtype
    keep = target != ignore_index
    kernel = compiled_for(library.cross_entropy_backward, x)
    if kernel is not None and target.flags.carray and lse.flags.carray and lse.dtype is (_F32 if low.itemsize == 2 else low):
        if keep.all():
            rows = np.full(target.shape, scale, lse.dtype)
        else:
            rows, target = np.where(keep, scale, lse.dtype.type(0)).astype(lse.dtype, copy=False), np.where(keep, target, -1)
        return kernel(np.empty_like(x), x, target, lse, rows)
    if low.itemsize == 2:
        x = x.astype(_F32)
    scale = np.broadcast_to(np.asarray(scale, x.dtype), target.shape)
    if not keep.all():
        scale = np.where(keep, scale, x.dtype.type(0))
        target = np.where(keep, target, 0)
    result = x - lse[:, None]
    np.exp(result, out=result)
    result *= scale[:, None]
    result[np.arange(len(target)), target] -= scale
    return result if result.dtype == low else result.astype(low)


def _kept(target: Any, ignore_index: int) -> tuple[Any, Any]:
    """Which targets count, or None for all, and targets that are safe to index with."""
    keep = target != ignore_index
    return (None, target) if keep.all() else (keep, np.where(keep, target, 0))


@quiet
def nll(x: Any, target: Any, weight: Any, ignore_index: int, reduction: str) -> tuple[Any, Any]:
    """-weight[target] * x at the target, along dimension 1, reduced, and the sum of the weights that count.

    x: (N, C, ...), target: (N, ...). The mean is divided by the sum of the weights.
    """
    keep, safe = _kept(target, ignore_index)
    losses = -np.take_along_axis(x, safe[:, None], 1)[:, 0]
    weights = None if weight is None else weight[safe]
    if weights is not None:
        losses *= weights
    if keep is not None:
        losses = np.where(keep, losses, x.dtype.type(0))
    if weights is None:
        total = x.dtype.type(target.size if keep is None else np.count_nonzero(keep))
    else:
        total = np.add.reduce(weights if keep is None else weights * keep, None)
    if reduction != "none":
        wide = losses.astype(_F32) if losses.dtype.itemsize == 2 else losses
        losses = np.add.reduce(wide, None)
        if reduction == "mean":
            losses = losses / wide.dtype.type(total)
    return np.asarray(losses, x.dtype), np.asarray(total, x.dtype)


@quiet
def nll_backward(grad: Any, target: Any, weight: Any, ignore_index: int, reduction: str, total: Any, shape: Any) -> Any:
    """-grad * weight[target] at the targets, along dimension 1, zero elsewhere."""
    keep, safe = _kept(target, ignore_index)
    if reduction == "mean":
        grad = grad / total
    values = -grad if weight is None else -grad * weight[safe]
    if keep is not None:
        values = np.where(keep, values, grad.dtype.type(0))
    result = np.zeros(shape, grad.dtype)
    np.put_along_axis(result, safe[:, None], np.broadcast_to(values, target.shape)[:, None], 1)
    return result
