"""Dropout: the mask from the generator's stream, and scaling by it."""

from typing import Any

import numpy as np

from .compiler import compiled_for
from .library import activation as library
from .quiet import quiet
from .random import bernoulli_mask

_F32 = np.dtype(np.float32)


def scale_by_mask(x: Any, mask: Any, scale: float) -> Any:
    """x * scale where the mask holds, x * 0 elsewhere (NaN and infinities give NaN there, as in PyTorch)."""
    if mask.__class__ is np.ndarray and mask.shape == x.shape and mask.flags.carray:
        kernel = compiled_for(library.scale_by_mask, x)
        if kernel is not None:
            return kernel(np.empty_like(x), x, mask, scale)
    return _scale_by_mask(x, mask, scale)


@quiet
def _scale_by_mask(x: Any, mask: Any, scale: float) -> Any:
    if x.dtype.itemsize == 2:
        noise = (mask * _F32.type(scale)).astype(x.dtype)
        return (x.astype(_F32) * noise.astype(_F32)).astype(x.dtype)
    return x * np.multiply(mask, x.dtype.type(scale), dtype=x.dtype)


__all__ = ["bernoulli_mask", "scale_by_mask"]
