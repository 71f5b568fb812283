"""Looking up rows of a table, and adding rows back into it."""

from typing import Any

import numpy as np


def take_rows(table: Any, indices: Any) -> Any:
    """The rows of `table` at the indices, in the indices' shape. Indices must be in range."""
    return np.take(table, indices, axis=0)


def add_rows(rows: Any, indices: Any, count: int) -> Any:
    """A table of `count` rows with each of `rows` (n, width) added at its index."""
    width = rows.shape[1]
    wide = rows.astype(np.float32) if rows.dtype.itemsize == 2 else rows
    table = np.zeros((count, width), wide.dtype)
    if indices.size:
        order = np.argsort(indices, kind="stable")
        ordered = indices[order]
        starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
        table[ordered[starts]] = np.add.reduceat(wide[order], starts, axis=0)
    return table if table.dtype == rows.dtype else table.astype(rows.dtype)


def counts(indices: Any, count: int) -> Any:
    """How often each index from 0 to `count` - 1 occurs."""
    return np.bincount(indices, minlength=count)


def renormalize_rows(table: Any, indices: Any, max_norm: float, p: float) -> None:
    """Scales each indexed row whose p-norm exceeds `max_norm` down to it, in place."""
    used = np.unique(indices)
    rows = table[used]
    norms = np.linalg.norm(rows, ord=p, axis=1)
    long = norms > max_norm
    table[used[long]] = rows[long] * (max_norm / (norms[long] + 1e-7))[:, None].astype(table.dtype)
