"""Histograms, in their NumPy lowering."""

from typing import Any

import numpy as np

from .quiet import quiet


def bounds(x: Any) -> tuple[float, float]:
    """The range of the data; 0 to 1 where there is none, and half a unit to either side where it is a point."""
    low, high = (float(x.min()), float(x.max())) if x.size else (0.0, 1.0)
    return (low - 0.5, high + 0.5) if low == high else (low, high)


@quiet
def edges(low: float, high: float, bins: int, dtype: Any) -> Any:
    """`bins + 1` numbers at equal distances."""
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, bins + 1).astype(dtype)


@quiet
def histogram(x: Any, edges: list[Any], weight: Any, density: bool) -> Any:
    """Counts of the rows of `x` (n, d) between the edges of each dimension; the last bin includes its right edge."""
    shape = tuple(max(len(e) - 1, 0) for e in edges)
    inside = np.ones(len(x), np.bool_)
    places = []
    for d, e in enumerate(edges):
        column = x[:, d]
        place = np.searchsorted(e, column, side="right") - 1
        place = np.where(column == e[-1], len(e) - 2, place)
        inside &= (column >= e[0]) & (column <= e[-1])
        places.append(place)
    flat = np.ravel_multi_index([p[inside] for p in places], shape) if x.size else np.zeros(0, np.int64)
    counts = np.bincount(flat, None if weight is None else weight[inside], int(np.prod(shape))).reshape(shape).astype(x.dtype)
    if density:
        counts = counts / counts.sum()
        for d, e in enumerate(edges):
            counts = counts / np.diff(e).reshape([-1 if i == d else 1 for i in range(len(edges))])
    return counts.astype(x.dtype)
