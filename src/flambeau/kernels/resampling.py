"""Weighted sums along a dimension: what adaptive means and interpolation are made of.

A resampling is a table of taps: output i is the sum over t of weight[t, i] * x[index[t, i]]. Its transpose, which the
gradient takes, is a table of the same kind.
"""

import math
from functools import lru_cache
from typing import Any

import numpy as np

from .compiler import usable
from .library import grid_sampling as library
from .library import resampling as kernels
from .quiet import quiet

_F32 = np.dtype(np.float32)
_KINDS = {_F32: "f32", np.dtype(np.float64): "f64"}
Table = tuple[Any, Any]
"""Indices and weights, both (taps, out)."""


@quiet
def resample(x: Any, axis: int, table: Table) -> Any:
    """The weighted sums along `axis`. Half precision is summed in float32; the caller rounds."""
    indices, weights = table
    if x.dtype.itemsize == 2:
        x = x.astype(_F32)
    kind = _KINDS.get(x.dtype)
    if kind is not None and x.size and x.__class__ is np.ndarray and indices.shape[1] and usable():
        shape = x.shape
        out = np.empty((*shape[:axis], indices.shape[1], *shape[axis + 1 :]), x.dtype)
        sizes = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]), indices.shape[1], indices.shape[0]
        arrays = np.ascontiguousarray(x), np.ascontiguousarray(indices), np.ascontiguousarray(weights, x.dtype)
        return kernels.resample(kind)(out, *arrays, *map(float, sizes))
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


# --- interpolation ------------------------------------------------------------------------------------------------------


def _cubic(x: Any, a: float) -> Any:
    """Keys' cubic convolution kernel."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


_FILTERS = {
    "linear": (1, lambda x: np.maximum(1 - np.abs(x), 0)),
    "cubic": (2, lambda x: _cubic(x, -0.5)),
    "lanczos": (3, lambda x: np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)),
}
"""The filters of antialiasing: half their width, and their values."""


@lru_cache(256)
def interpolation_table(mode: str, size: int, out: int, factor: float | None, align_corners: bool, antialias: bool) -> Table:
    """The taps of interpolation from `size` to `out` elements; `factor` is the scale factor where the user gave one."""
    i = np.arange(out)
    if align_corners:
        scale = (size - 1) / (out - 1) if out > 1 else 0.0
    else:
        scale = 1 / factor if factor is not None and factor > 0 else size / out
    if mode == "nearest" or mode == "nearest-exact":
        # PyTorch places the nearest element in float32.
        step = np.float32(1 / factor) if factor is not None and factor > 0 else np.float32(size) / np.float32(out)
        position = i.astype(_F32) if mode == "nearest" else i.astype(_F32) + np.float32(0.5)
        return np.minimum(np.floor(position * step).astype(np.int64), size - 1)[None], np.ones((1, out))
    if antialias:
        half, kernel = _FILTERS[mode]
        wide = max(scale, 1.0)
        centre = scale * (i + 0.5)
        start = np.maximum((centre - half * wide + 0.5).astype(np.int64), 0)
        end = np.minimum((centre + half * wide + 0.5).astype(np.int64), size)
        tap = np.arange(int((end - start).max()))[:, None]
        weights = np.where(start + tap < end, kernel((tap + start - centre + 0.5) / wide), 0.0)
        total = weights.sum(0)
        return np.minimum(start + tap, size - 1), weights / np.where(total == 0, 1.0, total)
    source = scale * i if align_corners else scale * (i + 0.5) - 0.5
    if mode == "cubic":
        first = np.floor(source).astype(np.int64)
        t = source - first
        tap = np.arange(-1, 3)[:, None]
        return np.clip(first + tap, 0, size - 1), _cubic(t - tap, -0.75)
    source = np.maximum(source, 0)
    first = np.minimum(np.floor(source).astype(np.int64), size - 1)
    t = np.minimum(source - first, 1.0)
    return np.stack((first, np.minimum(first + 1, size - 1))), np.stack((1 - t, t))


@lru_cache(256)
def interpolation_table_back(mode: str, size: int, out: int, factor: float | None, align_corners: bool, antialias: bool) -> Table:
    """The transpose of `interpolation_table`."""
    return transposed(interpolation_table(mode, size, out, factor, align_corners, antialias), size)


def base_grid(spatial: tuple[int, ...], align_corners: bool, dtype: Any) -> Any:
    """Homogeneous coordinates (x, y[, z], 1) of all places of an image, from -1 to 1."""
    wide = _F32 if dtype.itemsize == 2 else dtype
    base = np.ones((*spatial, len(spatial) + 1), wide)
    for i, n in enumerate(spatial):
        line = np.linspace(-1, 1, n) if n > 1 else np.zeros(1)
        if not align_corners and n > 1:
            line *= (n - 1) / n
        base[..., len(spatial) - 1 - i] = line.reshape(-1, *[1] * (len(spatial) - 1 - i))
    return base


# --- sampling at the places of a grid -----------------------------------------------------------------------------------


def _grid_table(x: Any, grid: Any, mode: str, padding_mode: str, align_corners: bool, needs: Any) -> Any:
    """The numbers of the compiled kernels; None where there are none for these arrays and modes."""
    dtype = x.dtype
    if x.ndim != 4 or mode == "bicubic" or dtype not in _KINDS or grid.dtype != dtype or x.__class__ is not np.ndarray or not usable():
        return None
    if not x.size or not grid.size:
        return None
    positions = grid.shape[1] * grid.shape[2]
    flags = mode == "nearest", padding_mode == "border", padding_mode == "reflection", align_corners, *needs
    return np.array([*x.shape, positions, *flags], np.int64)


def grid_sample(x: Any, grid: Any, mode: str, padding_mode: str, align_corners: bool) -> Any:
    """Images (N, C, H, W) at the places of a grid (N, h, w, 2) by a compiled kernel; None where there is none."""
    table = _grid_table(x, grid, mode, padding_mode, align_corners, (False, False))
    if table is None:
        return None
    out = np.empty((*x.shape[:2], *grid.shape[1:3]), x.dtype)
    return library.forward(_KINDS[x.dtype])(out, np.ascontiguousarray(x), np.ascontiguousarray(grid), table)


def grid_sample_backward(
    grad: Any, x: Any, grid: Any, mode: str, padding_mode: str, align_corners: bool, needs: Any
) -> tuple[Any, Any] | None:
    """The gradients of images and grid, each None where it is not needed; None where there is no kernel."""
    table = _grid_table(x, grid, mode, padding_mode, align_corners, needs)
    if table is None or grad.dtype != x.dtype:
        return None
    grad_x = np.zeros(x.shape if needs[0] else 0, x.dtype)
    grad_grid = np.empty(grid.shape if needs[1] else 0, x.dtype)
    arrays = [np.ascontiguousarray(a) for a in (grad, x, grid)]
    library.backward(_KINDS[x.dtype])(grad_x, grad_grid, *arrays, table)
    return grad_x if needs[0] else None, grad_grid if needs[1] else None
