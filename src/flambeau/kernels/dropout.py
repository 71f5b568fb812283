"""Dropout: the mask from the generator's stream, and scaling by it."""

from typing import Any

import numpy as np

from .compiler import compiled_for
from .library import activation as library
from .quiet import quiet
from .random import bernoulli_, bernoulli_mask

_F32 = np.dtype(np.float32)


def scale_by_mask(x: Any, mask: Any, scale: float) -> Any:
    """x * scale where the mask holds, x * 0 elsewhere (NaN and infinities give NaN there, as in PyTorch)."""
    if x.dtype.itemsize == 2:  # PyTorch's noise is of the dtype of x
        scale = float(x.dtype.type(scale))
    if mask.__class__ is np.ndarray and mask.shape == x.shape:
        if mask.flags.carray:
            kernel = compiled_for(library.scale_by_mask, x)
            if kernel is not None:
                return kernel(np.empty_like(x), x, mask, scale)
        elif x.flags.c_contiguous is False:  # permuted alike: in the order of the memory they are row-major
            order = sorted(range(x.ndim), key=lambda d: -x.strides[d])
            inner, noise = x.transpose(order), mask.transpose(order)
            if inner.flags.carray and noise.flags.carray:
                back = sorted(range(x.ndim), key=order.__getitem__)
                return scale_by_mask(inner, noise, scale).transpose(back)
    return _scale_by_mask(x, mask, scale)


@quiet
def _scale_by_mask(x: Any, mask: Any, scale: float) -> Any:
    """For masks of any shape."""
    if x.dtype.itemsize == 2:
        return (x.astype(_F32) * (mask * _F32.type(scale))).astype(x.dtype)
    return x * np.multiply(mask, x.dtype.type(scale), dtype=x.dtype)


def mask_for(x: Any, shape: Any, p: float) -> Any:
    """Dropout's noise, True with probability p: drawn in the order of x's memory where it has x's shape."""
    if shape == x.shape and not x.flags.c_contiguous:
        return bernoulli_(np.empty_like(x, np.bool_), p)
    return bernoulli_mask(shape, p)


__all__ = ["bernoulli_mask", "mask_for", "scale_by_mask"]
