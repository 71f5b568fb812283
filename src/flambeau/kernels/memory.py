"""Memory: allocating, filling and copying arrays."""

from typing import Any, Sequence

import numpy as np

empty = np.empty
zeros = np.zeros
ones = np.ones
full = np.full
arange = np.arange


def clone_like(source: Any, layout: Any) -> Any:
    """A copy of `source` in the memory order of `layout`, an array of the same shape."""
    result = np.empty_like(layout, source.dtype)
    result[...] = source
    return result


def clone(source: Any) -> Any:
    """A copy in the same memory order where that is dense, else row-major."""
    return source.copy(order="K")


def copy_into(target: Any, source: Any) -> None:
    """Writes `source` into `target`, broadcast and cast."""
    token_needed = target.dtype != source.dtype if hasattr(source, "dtype") else False
    if token_needed:
        from .quiet import SILENT, restore, silence

        token = silence(SILENT)
        try:
            np.copyto(target, source.real if source.dtype.kind == "c" and target.dtype.kind != "c" else source, casting="unsafe")
        finally:
            restore(token)
    else:
        target[...] = source


def fill(target: Any, value: Any) -> None:
    """Writes one value everywhere."""
    target.fill(value)


def sum_to(x: Any, shape: Sequence[int]) -> Any:
    """Adds up what was broadcast: the sum of `x` over the dimensions that `shape` lacks or has as 1."""
    lead = x.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(i for i, n in enumerate(shape, lead) if n == 1 and x.shape[i] != 1)
    if axes:
        if lead == len(axes) and x.flags.c_contiguous and x.ndim == 2 and lead == 1:
            x = ones_row(x.shape[0], x.dtype) @ x  # a matrix product sums rows faster than a reduction does
        else:
            x = np.add.reduce(x, axis=axes, keepdims=True, dtype=x.dtype)
    return x.reshape(shape)


def ones_row(n: int, dtype: Any) -> Any:
    """n ones, for sums by matrix product."""
    return np.ones(n, dtype)
