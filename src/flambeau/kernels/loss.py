"""Cross entropy and its gradient: the normalised logits are never written."""

from typing import Any

import numpy as np

from ..core.meta import MetaArray
from .compiler import compiled_for, in_numpy, usable
from .library import loss as library
from .memory import contiguous
from .places import gather
from .quiet import SILENT, quiet, restore, silence

_F32, _F64 = np.dtype(np.float32), np.dtype(np.float64)
add_reduce = np.add.reduce
ndarray = np.ndarray


_EXACT = 1 << 24
"""Integers up to this are float32 numbers."""


def _plain(x: Any) -> Any:
    """The array if kernels can read it as it is, else a copy that they can."""
    return x if x.flags.carray else x.copy()


def _rows(x: Any, target: Any, ignore_index: int) -> Any:
    """Losses, maxima, logs of sums and states of the rows (see the kernel), as rows of one array."""
    rows, classes = x.shape
    if classes > _EXACT:
        x = x.astype(_F64)
    if not -_EXACT <= ignore_index <= _EXACT:
        target, ignore_index = np.where(target == ignore_index, -_EXACT, np.maximum(target, 1 - _EXACT)), -_EXACT
    dtype = _F32 if x.dtype.itemsize == 2 else x.dtype
    if x.__class__ is not ndarray:
        return MetaArray((4, rows), dtype)
    if not classes:  # the sum of nothing: a row that counts has no class to count with
        parts = np.empty((4, rows), dtype)
        parts[0], parts[1], parts[2], parts[3] = 0, -np.inf, -np.inf, np.where(target == ignore_index, 0, np.nan)
        return parts
    x, target, parts = contiguous(x), _plain(target), np.empty((4, rows), dtype)
    kernel = compiled_for(library.cross_entropy, x) or in_numpy(library.cross_entropy, x.dtype)
    kernel(x, *parts, target, float(ignore_index), float(classes))
    return parts


def cross_entropy_total(x: Any, target: Any, ignore_index: int, mean: bool) -> tuple[Any, Any, int] | None:
    """The sum or mean of `cross_entropy`; None where a target is no class, or where rows are too many to count them so."""
    if len(x) > _EXACT:
        return None
    parts = _rows(x, target, ignore_index)
    token = silence(SILENT)
    try:
        total, count = _total(parts)
        if count != count:
            return None
        return np.asarray(total / count if mean else total, x.dtype), parts[1:3], int(count)
    finally:
        restore(token)


def _total(parts: Any) -> Any:
    """The sum of the losses, and how many count, as numbers of their dtype."""
    if not usable():
        return add_reduce(parts[::3], 1)
    return library.total_loss("f32" if parts.itemsize == 4 else "f64")(np.empty(2, parts.dtype), parts[0], parts[3], float(parts.shape[1]))


def cross_entropy(x: Any, target: Any, ignore_index: int) -> tuple[Any, Any, int]:
    """Per row of x (rows, classes): the loss -log softmax(x)[target]; maximum and log(sum(exp(x - max))); how many rows count.

    Rows whose target is `ignore_index` have loss 0. Targets must be in range or `ignore_index`.
    """
    parts = _rows(x, target, ignore_index)
    return parts[0], parts[1:3], int(add_reduce(parts[3], 0, _F64))


@quiet
def cross_entropy_backward(scale: Any, x: Any, target: Any, sums: Any, ignore_index: int) -> Any:
    """scale[row] * (softmax(x) - onehot(target)); zero in ignored rows. `scale`: one number, or one per row."""
    dtype, one = x.dtype, getattr(scale, "ndim", 0) == 0 and -_EXACT <= ignore_index <= _EXACT
    if not x.size or x.__class__ is not ndarray:
        return np.zeros_like(x)
    x, sums = contiguous(x), sums.astype(_F32 if dtype.itemsize == 2 else dtype, copy=False)
    kernel = library.cross_entropy_backward if one else library.cross_entropy_rows_backward
    found = compiled_for(kernel, x) or in_numpy(kernel, dtype)
    if one:
        return found(np.empty(x.shape, dtype), x, _plain(target), *sums, float(scale), float(ignore_index))
    keep = target != ignore_index
    rows, target = np.where(keep, scale, sums.dtype.type(0)).astype(sums.dtype, copy=False), np.where(keep, target, -1)
    return found(np.empty(x.shape, dtype), x, target, *sums, rows)


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
    if weight is None and reduction != "none" and (found := _reduced_rows(x, target, ignore_index)) is not None:
        total, whole = found
        return np.asarray(total / whole if reduction == "mean" else total), np.asarray(whole)
    keep, safe = _kept(target, ignore_index)
    losses = -_picked(x, safe)
    weights = None if weight is None else weight[safe]
    if reduction != "none" and (found := _reduced(losses, keep, weights)) is not None:
        total, whole = found
        return np.asarray(total / whole if reduction == "mean" else total), np.asarray(whole)
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


def _reduced_rows(x: Any, target: Any, ignore_index: int) -> Any:
    """`_reduced` of the losses of rows without weights; None where that is not compiled."""
    dtype, n = x.dtype, target.size
    if x.ndim != 2 or not n or n > _EXACT or dtype.char not in "fd" or x.__class__ is not ndarray or not x.flags.carray or not usable():
        return None
    if target.dtype.char != "l" or not target.flags.carray or not -_EXACT <= ignore_index <= _EXACT:
        return None
    parts, kind = np.empty((2, n), dtype), "f32" if dtype.char == "f" else "f64"
    library.picked(kind)(parts[0], parts[1], x, target, float(n), float(x.shape[1]), float(ignore_index))
    return library.total_loss(kind)(np.empty(2, dtype), parts[0], parts[1], float(n))


def _reduced(losses: Any, keep: Any, weights: Any) -> Any:
    """The sum of losses times weights, and of the weights, of those that are kept, in PyTorch's order; None where it is not compiled."""
    dtype = losses.dtype
    if dtype.char not in "fd" or losses.__class__ is not ndarray or not usable() or losses.size > _EXACT:
        return None
    state = np.ones(losses.size, dtype) if keep is None else keep.astype(dtype).reshape(-1)
    arrays = [contiguous(losses).reshape(-1), contiguous(state)]
    if weights is not None:
        arrays.append(contiguous(weights.astype(dtype, copy=False)).reshape(-1))
    kernel = library.total_loss("f32" if dtype.char == "f" else "f64", weights is not None)
    return kernel(np.empty(2, dtype), *arrays, float(losses.size))


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
    if target.ndim == 1:
        result[np.arange(len(safe)), safe] = values
        return result
    np.put_along_axis(result, safe[:, None], np.broadcast_to(values, target.shape)[:, None], 1)
    return result
