"""Samples: recipes for the arrays that rows are tried on, made with NumPy alone."""

import math
from dataclasses import dataclass, replace
from typing import Any, Callable

import ml_dtypes
import numpy as np

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


@dataclass(frozen=True)
class Sample:
    """A recipe for an array: `make(seed, dtype)` gives it."""

    draw: Callable[[np.random.RandomState], Any]
    text: str
    dtype: str | None = None
    layout: str = ""
    grad: bool = True

    @property
    def T(self) -> "Sample":
        """The same shape as without, its memory in the reverse order of dims."""
        return replace(self, layout="T")

    @property
    def strided(self) -> "Sample":
        """The same shape, every second element of a longer last dim."""
        return replace(self, layout="strided")

    def expanded(self, size: int) -> "Sample":
        """A new first dim of `size` with stride 0."""
        return replace(self, layout=f"expanded{size}", grad=False)

    @property
    def nograd(self) -> "Sample":
        """No gradient is asked for."""
        return replace(self, grad=False)

    def make(self, seed: int, default: str) -> np.ndarray:
        drawn = np.asarray(self.draw(np.random.RandomState(seed)))
        array = cast(drawn, self.dtype or (default if drawn.dtype == np.float64 else str(drawn.dtype)))
        if self.layout == "T":
            array = array.T.copy().T
        elif self.layout == "strided":
            wide = np.zeros(array.shape[:-1] + (2 * array.shape[-1],), array.dtype)
            wide[..., ::2] = array
            array = wide[..., ::2]
        elif self.layout:
            array = np.broadcast_to(array, (int(self.layout[8:]), *array.shape))
        return array

    def signature(self) -> str:
        return f"{self.text}:{self.dtype}:{self.layout}:{self.grad}"


def cast(array: np.ndarray, dtype: str) -> np.ndarray:
    """`array` in another dtype; random reals spread to whole numbers, signs, imaginary parts as the dtype asks."""
    if dtype == "bool":
        return array > 0
    target = BFLOAT16 if dtype == "bfloat16" else np.dtype(dtype)
    if array.dtype.kind == "f" and target.kind in "iu":
        array = np.round(array * 3)
        array = np.abs(array) if target.kind == "u" else array
    if target.kind == "c" and array.dtype.kind != "c":
        array = array + 1j * np.flip(array)
    return np.ascontiguousarray(array.astype(target)).reshape(array.shape)


def randn(*shape: int, dtype: str | None = None, scale: float = 1.0) -> Sample:
    """Normally distributed."""
    return Sample(lambda rng: rng.standard_normal(shape) * scale, f"randn{shape}{scale}", dtype)


def rand(*shape: int, low: float = 0.0, high: float = 1.0, dtype: str | None = None) -> Sample:
    """Uniform in [low, high)."""
    return Sample(lambda rng: rng.uniform(low, high, shape), f"rand{shape}{low}{high}", dtype)


def randint(low: int, high: int, shape: tuple[int, ...], dtype: str | None = "int64") -> Sample:
    """Whole numbers in [low, high); int64 unless another dtype is named."""
    return Sample(lambda rng: rng.randint(low, high, shape), f"randint{low}{high}{shape}", dtype)


def bools(*shape: int) -> Sample:
    """True or False."""
    return Sample(lambda rng: rng.standard_normal(shape) > 0, f"bools{shape}", "bool")


def distinct(*shape: int, dtype: str | None = None) -> Sample:
    """A permutation of evenly spaced numbers around zero, for maxima and sorting without ties."""
    size = math.prod(shape)
    return Sample(lambda rng: (rng.permutation(size).reshape(shape) - size / 2 + 0.25) * 0.5, f"distinct{shape}", dtype)


def value(data: Any, dtype: str | None = None) -> Sample:
    """Exactly these numbers (float32 unless a dtype is named or they are integers or booleans)."""
    return Sample(lambda rng: np.array(data), f"value{data}", dtype)
