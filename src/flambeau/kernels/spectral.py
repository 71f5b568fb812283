"""Discrete Fourier transforms by NumPy, unscaled but for the factor that is given, and window functions."""

from typing import Any

import numpy as np

from .quiet import quiet


def _scaled(x: Any, scale: float) -> Any:
    return x if scale == 1 else x * x.real.dtype.type(scale)


@quiet
def c2c(x: Any, dims: tuple[int, ...], scale: float, forward: bool) -> Any:
    """Complex to complex, over `dims`; the backward direction has the opposite sign in the exponent."""
    if not dims:
        return _scaled(x, scale).copy()
    result = np.fft.fftn(x, axes=dims) if forward else np.fft.ifftn(x, axes=dims, norm="forward")
    return _scaled(result, scale)


@quiet
def r2c(x: Any, dims: tuple[int, ...], scale: float, onesided: bool) -> Any:
    """Real to complex, forward; `onesided` leaves out the negative frequencies of the last of `dims`."""
    result = np.fft.rfftn(x, axes=dims) if onesided else np.fft.fftn(x, axes=dims)
    return _scaled(result, scale)


@quiet
def c2r(x: Any, dims: tuple[int, ...], scale: float, size: int) -> Any:
    """Back from the non-negative frequencies of the last of `dims` to `size` real numbers."""
    if len(dims) > 1:
        x = np.fft.ifftn(x, axes=dims[:-1], norm="forward")
    return _scaled(np.fft.irfft(x, size, axis=dims[-1], norm="forward"), scale)


def half_weights(like: Any, dim: int, size: int) -> Any:
    """How often each of the non-negative frequencies counts in a real signal of `size`: 1 or 2, shaped to broadcast along `dim`."""
    count = size // 2 + 1
    weights = np.full(count, 2, like.real.dtype)
    weights[0] = 1
    if size % 2 == 0:
        weights[-1] = 1
    shape = [1] * like.ndim
    shape[dim] = count
    return weights.reshape(shape)


def cosine_window(length: int, periodic: bool, coefficients: tuple[float, ...]) -> Any:
    """`a0 - a1 cos(2 pi n / N) + a2 cos(4 pi n / N) - ...`"""
    if length <= 1:
        return np.ones(length)
    angle = 2 * np.pi * np.arange(length) / (length if periodic else length - 1)
    return sum((-1) ** i * a * np.cos(i * angle) for i, a in enumerate(coefficients))


def bartlett_window(length: int, periodic: bool) -> Any:
    """A triangle from 0 to 1 and back."""
    if length <= 1:
        return np.ones(length)
    n = length if periodic else length - 1
    position = np.arange(length) * 2 / n
    return np.where(position <= 1, position, 2 - position)


def kaiser_window(length: int, periodic: bool, beta: float) -> Any:
    """`I0(beta sqrt(1 - x^2)) / I0(beta)` for x from -1 to 1."""
    if length <= 1:
        return np.ones(length)
    return np.kaiser(length + 1, beta)[:-1] if periodic else np.kaiser(length, beta)


# What operators make arrays and pick elements with.
abs = np.abs
arange = np.arange
asarray = np.asarray
concatenate = np.concatenate
ones = np.ones
result_type = np.result_type
zeros = np.zeros
