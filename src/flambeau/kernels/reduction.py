"""Reductions along axes, in their NumPy lowering. `axes`: a tuple, or None for all."""

from typing import Any

import numpy as np

from .quiet import quiet

_F32 = np.dtype(np.float32)


@quiet
def sum(x: Any, axes: Any = None, keepdims: bool = False, dtype: Any = None) -> Any:
    """The sum over `axes`; half precision adds in float32."""
    kind = x.dtype
    target = kind if dtype is None else dtype
    if target.itemsize == 2 and target.kind in "fV":
        return np.add.reduce(x, axes, _F32, keepdims=keepdims).astype(target)
    if axes == (0,) and x.ndim == 2 and kind is _F32 and target is _F32 and x.flags.c_contiguous and x.size > 1024:
        result = np.dot(np.ones(x.shape[0], _F32), x)  # a matrix product sums rows faster than a reduction does
        return result[None] if keepdims else result
    return np.add.reduce(x, axes, target, keepdims=keepdims)


@quiet
def mean(x: Any, axes: Any, keepdims: bool, count: int) -> Any:
    """The sum over `axes` divided by `count`."""
    if x.dtype.itemsize == 2:
        return (np.add.reduce(x, axes, _F32, keepdims=keepdims) / np.float32(count)).astype(x.dtype)
    return np.add.reduce(x, axes, keepdims=keepdims) / x.dtype.type(count)
