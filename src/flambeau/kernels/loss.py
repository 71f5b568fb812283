"""Cross entropy and its gradient: the normalised logits are never written.

Beside the kernels stands the same written by hand in NumPy: it needs a half of the time of the lowered kernel, which works out for
every row whether it counts.
"""

from typing import Any

import numpy as np

from .compiler import compiled_for
from .library import loss as library
from .places import gather
from .quiet import SILENT, quiet, restore, silence

_F32 = np.dtype(np.float32)
add_reduce = np.add.reduce


_EXACT = 1 << 24
"""Integers below this are float32 numbers."""


def _compiled_rows(x: Any, target: Any, ignore_index: int) -> Any:
    """Losses, logs of sums and states of the rows (see the kernel), as rows of one array; None without a kernel for the arrays."""
    kernel = compiled_for(library.cross_entropy, x)
    rows, classes = x.shape
    if kernel is None or not target.flags.carray or not (-_EXACT < ignore_index < _EXACT and rows < _EXACT and 0 < classes < _EXACT):
        return None
    parts = np.empty((3, rows), _F32 if x.dtype.itemsize == 2 else x.dtype)
    kernel(x, *parts, target, float(ignore_index), float(classes))
    return parts


def cross_entropy_total(x: Any, target: Any, ignore_index: int, mean: bool) -> tuple[Any, Any, int] | None:
    """The sum or mean of `cross_entropy`, by a compiled kernel; None where there is none for the arrays, or a target is no class."""
    parts = _compiled_rows(x, target, ignore_index)
    if parts is None:
        return None
    token = silence(SILENT)
    try:
        total, _, count = add_reduce(parts, 1)
        if count != count:
            return None
        return np.asarray(total / count if mean else total, x.dtype), parts[1], int(count)
    finally:
        restore(token)


@quiet
def cross_entropy(x: Any, target: Any, ignore_index: int) -> tuple[Any, Any, int]:
    """Per row of x (rows, classes): the loss -log softmax(x)[target], the log of the sum of exp(x), how many rows count.

    Rows whose target is `ignore_index` have loss 0. Targets must be in range or `ignore_index`.
    """
    parts = _compiled_rows(x, target, ignore_index)
    if parts is not None:
        losses, lse, state = parts
        return losses, lse, int(add_reduce(state))
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
    one = getattr(scale, "ndim", 0) == 0 and -_EXACT < ignore_index < _EXACT
    kernel = compiled_for(library.cross_entropy_backward if one else library.cross_entropy_rows_backward, x)
    if kernel is not None and target.flags.carray and lse.flags.carray and lse.dtype is (_F32 if low.itemsize == 2 else low):
        if one:
            return kernel(np.empty(x.shape, low), x, target, lse, float(scale), float(ignore_index))
        keep = target != ignore_index
        rows, target = np.where(keep, scale, lse.dtype.type(0)).astype(lse.dtype, copy=False), np.where(keep, target, -1)
        return kernel(np.empty_like(x), x, target, lse, rows)
    keep = target != ignore_index
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


def _picked(x: Any, target: Any) -> Any:
    """The elements of x (N, C, ...) at the target (N, ...) along dimension 1."""
    if x.ndim == 2:
        return x[np.arange(len(x)), target]
    found = gather(x, 1, target[:, None]) if x.__class__ is np.ndarray else None
    return (np.take_along_axis(x, target[:, None], 1) if found is None else found)[:, 0]


@quiet
def nll(x: Any, target: Any, weight: Any, ignore_index: int, reduction: str) -> tuple[Any, Any]:
    """-weight[target] * x at the target, along dimension 1, reduced, and the sum of the weights that count.

    x: (N, C, ...), target: (N, ...). The mean is divided by the sum of the weights.
    """
    keep, safe = _kept(target, ignore_index)
    losses = -_picked(x, safe)
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
