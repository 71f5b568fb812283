"""Losses between scores of classes and target classes, with margins. Rows are samples; one loss per row."""

from typing import Any, Iterator

import numpy as np

from .quiet import quiet


def per_row(grad: Any, rows: int) -> Any:
    """One number for every row, where there is only one for all."""
    return np.broadcast_to(grad, (rows,))


def ones(rows: int, like: Any) -> Any:
    """A 1 for every row, in the dtype of `like`."""
    return np.ones(rows, like.dtype)


def _margins(x: Any, target: Any, margin: float) -> Any:
    """max(0, margin - x[target] + x), zero at the target itself."""
    rows = np.arange(x.shape[0])
    result = np.maximum(x.dtype.type(margin) - x[rows, target][:, None] + x, x.dtype.type(0))
    result[rows, target] = 0
    return result


@quiet
def multi_margin(x: Any, target: Any, p: int, margin: float, weight: Any) -> Any:
    """sum_j max(0, margin - x[target] + x[j])^p / classes, times weight[target]."""
    z = _margins(x, target, margin)
    if p == 2:
        z *= z
    if weight is not None:
        z *= weight[target][:, None]
    return np.add.reduce(z, 1) / x.dtype.type(x.shape[1])


@quiet
def multi_margin_backward(grad: Any, x: Any, target: Any, p: int, margin: float, weight: Any) -> Any:
    """The gradient of x for gradients (rows) of the losses."""
    z = _margins(x, target, margin)
    slope = 2 * z if p == 2 else (z > 0).astype(x.dtype)
    slope *= (grad / x.dtype.type(x.shape[1]))[:, None]
    if weight is not None:
        slope *= weight[target][:, None]
    slope[np.arange(x.shape[0]), target] = -np.add.reduce(slope, 1)
    return slope


def _label_sets(x: Any, target: Any) -> tuple[Any, Any]:
    """Which labels count (those before the first -1), and which classes they name."""
    counted = np.logical_and.accumulate(target >= 0, 1)
    named = np.zeros(x.shape, bool)
    rows, columns = np.nonzero(counted)
    named[rows, target[rows, columns]] = True
    return counted, named


@quiet
def multilabel_margin(x: Any, target: Any) -> tuple[Any, Any]:
    """sum over target labels y and other classes j of max(0, 1 - (x[y] - x[j])) / classes, and which classes are targets."""
    counted, named = _label_sets(x, target)
    totals = np.zeros(len(x), x.dtype)
    for rows, labels in _in_turn(counted, target):
        some = x[rows]
        hinge = np.maximum(x.dtype.type(1) - some[np.arange(len(some)), labels][:, None] + some, x.dtype.type(0))
        hinge[named[rows]] = 0
        totals[rows] += np.add.reduce(hinge, 1)
    return totals / x.dtype.type(max(x.shape[1], 1)), named.astype(x.dtype)


def _in_turn(counted: Any, target: Any) -> Iterator[tuple[Any, Any]]:
    """The first labels of all rows, then the second ones, ...: the rows that have one, and which it is."""
    for place in range(int(counted.sum(1).max(initial=0))):
        rows = np.flatnonzero(counted[:, place])
        yield rows, target[rows, place]


@quiet
def multilabel_margin_backward(grad: Any, x: Any, target: Any) -> Any:
    """The gradient of x for gradients (rows) of the losses."""
    counted, named = _label_sets(x, target)
    result = np.zeros_like(x)
    for rows, labels in _in_turn(counted, target):
        some = x[rows]
        active = (x.dtype.type(1) - some[np.arange(len(some)), labels][:, None] + some > 0) & ~named[rows]
        result[rows] += active
        result[rows, labels] -= np.add.reduce(active, 1, x.dtype)
    result *= (grad / x.dtype.type(max(x.shape[1], 1)))[:, None]
    return result
