"""Loss functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels import loss as k
from ..kernels.reduction import sum as sum_kernel
from .activation import unimplemented
from .definition import Array, formula_function, operator, tensors


def check_targets(target: Array, classes: int, ignore_index: int) -> None:
    """Raises IndexError where a class index is out of range."""
    if target.size:
        low, high = target.min(), target.max()
        if low < 0 or high >= classes:
            bad = target[((target < 0) | (target >= classes)) & (target != ignore_index)]
            if bad.size:
                raise IndexError(f"Target {int(bad[0])} is out of bounds.")


def _cross_entropy_backward_tensors(scale: Any, x: Any, target: Any, lse: Any, ignore_index: int) -> Any:
    keep = (target != ignore_index).to(x.dtype)
    safe = tensors.where(target != ignore_index, target, tensors.zeros_like(target))
    onehot = tensors.zeros_like(x).scatter(1, safe.unsqueeze(1), 1.0)
    return (tensors.softmax(x, 1) - onehot) * (scale * keep).unsqueeze(1)


tensors.zeros_like = lambda x: tensors.wrap(np.zeros_like(x._array))  # type: ignore[attr-defined]
formula_function("cross_entropy_backward", k.cross_entropy_backward, _cross_entropy_backward_tensors)


@operator(outputs=3, hidden=2, node="NllLossBackward0", out=False)
def cross_entropy_rows(input: Array, target: Array, reduction: Any, ignore_index: Any) -> Array:
    """Cross entropy of logits (rows, classes) and class indices (rows), for reductions `none`, `sum` and `mean`."""
    if input.dtype.kind in "iub":
        raise unimplemented("log_softmax_lastdim_kernel_impl", input)
    check_targets(target, input.shape[1], ignore_index)
    losses, lse, count = k.cross_entropy(input, target, ignore_index)
    counted = np.asarray(count)
    if reduction == "none":
        return losses.astype(input.dtype, copy=False), lse, counted
    total = sum_kernel(losses)
    if reduction == "mean":
        total = total / losses.dtype.type(count) if count else losses.dtype.type(np.nan)
    return np.asarray(total, input.dtype), lse, counted


def _cross_entropy_gradient(F: Any, grads: Any, input: Any, target: Any, reduction: Any, ignore_index: Any, result1: Any, result2: Any) -> Any:
    scale = grads[0]
    if reduction == "mean":
        scale = scale / max(int(result2), 1)
    return (F.cross_entropy_backward(scale, input, target, result1, ignore_index),)


cross_entropy_rows.joint("input")(_cross_entropy_gradient)
