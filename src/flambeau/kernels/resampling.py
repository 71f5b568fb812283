"""Weighted sums along a dimension: what adaptive means and interpolation are made of.

A resampling is a table of taps: output i is the sum over t of weight[t, i] * x[index[t, i]]. Its transpose, which the
gradient takes, is a table of the same kind.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from .quiet import quiet

_F32 = np.dtype(np.float32)
Table = tuple[Any, Any]
"""Indices and weights, both (taps, out)."""


@quiet
def resample(x: Any, axis: int, table: Table) -> Any:
    """The weighted sums along `axis`. Half precision is summed in float32; the caller rounds."""
    indices, weights = table
    if x.dtype.itemsize == 2:
        x = x.astype(_F32)
    line = [1] * x.ndim
    line[axis] = -1
    result = None
    for index, weight in zip(indices, weights):
        part = x.take(index, axis)
        if not (weight == 1).all():
            part *= weight.astype(x.dtype if x.dtype.kind != "c" else x.real.dtype).reshape(line)
            unused = weight == 0
            if unused.any():  # a tap without weight hands on no infinity
                part[(slice(None),) * axis + (unused,)] = 0
        if result is None:
            result = part
        else:
            result += part
    return result


def transposed(table: Table, size: int) -> Table:
    """The table of the transposed map, whose result has `size` elements."""
    indices, weights = table
    out = np.broadcast_to(np.arange(indices.shape[1]), indices.shape)
    used = weights.reshape(-1) != 0
    target, source, weight = indices.reshape(-1)[used], out.reshape(-1)[used], weights.reshape(-1)[used]
    order = np.argsort(target, kind="stable")
    target, source, weight = target[order], source[order], weight[order]
    counts = np.bincount(target, minlength=size)
    taps = max(int(counts.max()), 1) if size else 1
    rank = np.arange(len(target)) - (np.cumsum(counts) - counts)[target]
    back_indices, back_weights = np.zeros((taps, size), np.int64), np.zeros((taps, size), weights.dtype)
    back_indices[rank, target] = source
    back_weights[rank, target] = weight
    return back_indices, back_weights


@lru_cache(64)
def adaptive_table(size: int, out: int) -> Table:
    """Means over the windows of adaptive pooling."""
    i = np.arange(out)
    start, end = i * size // out, -(-(i + 1) * size // out)
    tap = np.arange(int((end - start).max()) if out else 1)[:, None]
    return np.minimum(start + tap, end - 1), np.where(start + tap < end, 1 / (end - start), 0.0)


@lru_cache(64)
def adaptive_table_back(size: int, out: int) -> Table:
    """The transpose of `adaptive_table`."""
    return transposed(adaptive_table(size, out), size)
