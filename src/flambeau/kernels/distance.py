"""Distances between all pairs of rows."""

from functools import lru_cache
from typing import Any

import numpy as np

from .matmul import matmul
from .places import add_rows
from .quiet import quiet


@quiet
def p_norm(d: Any, p: float) -> Any:
    """The p-norm over the last dimension."""
    a = np.abs(d)
    if p == 0:
        return np.add.reduce((a != 0).astype(d.dtype), -1)
    if p == 1:
        return np.add.reduce(a, -1)
    if p == 2:
        return np.sqrt(np.add.reduce(a * a, -1))
    if p == np.inf:
        return np.maximum.reduce(a, -1) if a.shape[-1] else np.zeros(a.shape[:-1], a.dtype)
    return np.add.reduce(a ** d.dtype.type(p), -1) ** d.dtype.type(1 / p)


@quiet
def p_norm_slope(d: Any, result: Any, p: float) -> Any:
    """The derivative of the p-norm by each element, zero where the norm is zero."""
    full = result[..., None]
    if p == 0:
        return np.zeros_like(d)
    if p == 1:
        return np.sign(d)
    if p == np.inf:
        return np.sign(d) * (np.abs(d) == full)
    if p == 2:
        return np.where(full == 0, d.dtype.type(0), d / full)
    a = np.abs(d)
    power = np.where(a == 0, d.dtype.type(0), a ** d.dtype.type(p - 1)) if p < 2 else a ** d.dtype.type(p - 1)
    return np.where(full == 0, d.dtype.type(0), np.sign(d) * power / full ** d.dtype.type(p - 1))


def _differences(x1: Any, x2: Any) -> Any:
    return x1[..., :, None, :] - x2[..., None, :, :]


@quiet
def cdist(x1: Any, x2: Any, p: float, by_product: bool) -> Any:
    """The p-norm distances (..., P, R) between rows of x1 (..., P, M) and of x2 (..., R, M).

    `by_product`: the 2-norm as |a|^2 - 2 ab + |b|^2, one matrix product.
    """
    if not x1.shape[-1]:
        return np.zeros((*np.broadcast_shapes(x1.shape[:-2], x2.shape[:-2]), x1.shape[-2], x2.shape[-2]), x1.dtype)
    if not by_product:
        return p_norm(_differences(x1, x2), p)
    # One product of [-2 a, |a|^2, 1] and [b, 1, |b|^2], so that the sum is rounded as PyTorch rounds it.
    a2, b2 = np.add.reduce(x1 * x1, -1, keepdims=True), np.add.reduce(x2 * x2, -1, keepdims=True)
    left = np.concatenate([-2 * x1, a2, np.ones_like(a2)], -1)
    right = np.concatenate([x2, np.ones_like(b2), b2], -1)
    square = matmul(left, np.swapaxes(right, -1, -2))
    np.maximum(square, square.dtype.type(0), square)
    return np.sqrt(square, square)


@quiet
def cdist_backward(grad: Any, x1: Any, x2: Any, p: float, result: Any) -> Any:
    """The gradient of x1, (..., P, M)."""
    if not x1.shape[-1] or not result.size:
        return np.zeros((*result.shape[:-2], *x1.shape[-2:]), x1.dtype)
    if p == 2:
        ratio = np.where(result == 0, result.dtype.type(0), grad / result)
        return x1 * np.add.reduce(ratio, -1, keepdims=True) - matmul(ratio, x2)
    slope = p_norm_slope(_differences(x1, x2), result, p)
    slope *= grad[..., None]
    return np.add.reduce(slope, -2)


@lru_cache(16)
def pairs(n: int) -> tuple[Any, Any]:
    """The numbers i < j of all pairs of n rows."""
    return np.triu_indices(n, 1)


def pdist(x: Any, p: float) -> Any:
    """The p-norm distances between rows i < j of x (N, M), in the order of (i, j)."""
    i, j = pairs(x.shape[0])
    return p_norm(x[i] - x[j], p)


def pdist_backward(grad: Any, x: Any, p: float, result: Any) -> Any:
    """The gradient of x."""
    i, j = pairs(x.shape[0])
    slope = p_norm_slope(x[i] - x[j], result, p) * grad[:, None]
    total = np.zeros(x.shape, x.dtype)
    for places, rows in ((i, slope), (j, -slope)):
        if not add_rows(total, 0, places, rows, False):
            np.add.at(total, places, rows)
    return total
