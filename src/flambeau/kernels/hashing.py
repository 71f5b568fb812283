"""Hashes of elements."""

from __future__ import annotations

from typing import Any

import numpy as np


def xor_sum(x: Any, axes: tuple[int, ...] | None, keepdims: bool) -> Any:
    """The exclusive or, over `axes` (None: all), of the bits that the elements have as 64-bit numbers, as uint64."""
    bits: Any = np.asarray(x, np.float64 if x.dtype.kind in "fV" else np.int64).view(np.uint64)
    xor: Any = np.bitwise_xor
    return np.asarray(xor.reduce(bits, axes, keepdims=keepdims))
