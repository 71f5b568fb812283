"""Depthwise convolution by the compiled kernels of `library/depthwise.py`: plans of the layouts, once per shape."""

from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from .compiler import usable
from .compiler.threads import count
from .library import depthwise as library
from .library.vectors import lanes

_KINDS = {np.dtype(np.float32): "f32", np.dtype(np.float64): "f64"}
LARGEST = 1 << 14
"""Up to so many elements of a laid-out plane these kernels are for."""
Ints = tuple[int, ...]
Plan = tuple[Any, int, int]
"""The table, how many threads have memory, elements for each."""


def _up(n: int, step: int) -> int:
    return -(-n // step) * step


@lru_cache(256)
def _plan(
    planes: int, channels: int, images: int, x: Ints, window: Ints, out: Ints, stride: Ints, spread: Ints, padding: Ints, dilation: Ints,
    size: int, sums: bool, threads: int,
) -> Plan | None:  # fmt: skip
    """The plan of windows over planes of `x` elements, laid out with `padding` before and `spread` between them."""
    phases = list(product(range(stride[0]), range(stride[1])))
    reach = [d * (k - 1) // s for d, k, s in zip(dilation, window, stride)]
    rows, pitch = out[0] + reach[0], out[1] + reach[1]
    if max(stride) == 1:  # all of x goes in, the windows need not reach it
        rows = max(rows, padding[0] + (x[0] - 1) * spread[0] + 1)
        pitch = max(pitch, padding[1] + (x[1] - 1) * spread[1] + 1)
    image = rows * pitch
    places: list[int] = []
    for number, (a, b) in enumerate(phases):
        firsts = [max(0, -((phase - p) // s)) if phase < p else 0 for phase, p, s in zip((a, b), padding, stride)]
        counts = []
        for n, first, phase, p, s, limit in zip(x, firsts, (a, b), padding, stride, (rows, pitch)):
            counts.append(max(0, min(limit - first, (n - 1 - (first * s + phase - p)) // s + 1)) if max(stride) > 1 else n)
        if max(stride) == 1:
            firsts = list(padding)
            source = 0
        else:
            source = (firsts[0] * stride[0] + a - padding[0]) * x[1] + firsts[1] * stride[1] + b - padding[1]
        places += [
            number * image + firsts[0] * pitch + firsts[1],
            source if min(counts) > 0 else 0,
            *(counts if min(counts) > 0 else (0, 0)),
        ]
    offsets, numbers = [], []
    for tap, (i, j) in enumerate(product(*map(range, window))):
        r, c = i * dilation[0], j * dilation[1]
        phase = r % stride[0] * stride[1] + c % stride[1]
        offsets.append(phase * image + r // stride[0] * pitch + c // stride[1])
        numbers.append(tap)
    positions = _up((out[0] - 1) * pitch + out[1], size)
    packed = _up(len(phases) * image + positions - (out[0] - 1) * pitch + 2 * size, size)
    if packed > LARGEST:
        return None
    taps = len(offsets)
    if sums:
        missing = _up(taps, library.TAPS) - taps
        offsets, numbers = offsets + [0] * missing, numbers + [-1] * missing
    work = 2 * packed + (len(offsets) if sums else 4) * size + 64
    cost = positions * taps * (images if sums else 1)
    slots = max(1, min(threads, planes))
    header = dict(
        planes=planes, grain=max(1, 400_000 // cost), slots=slots, channels=channels, images=images, window=taps, taps=len(offsets),
        packed=packed, work=work, x_plane=x[0] * x[1], x_row=x[1] * stride[0], x_column=stride[1], out_h=out[0], out_w=out[1], pitch=pitch,
        positions=positions, phases=len(phases), to_row=pitch * spread[0], to_column=spread[1],
    )  # fmt: skip
    table: list[int] = [0] * len(library.HEADER)
    for name, values in (("at_phases", places), ("at_offsets", offsets), ("at_taps", numbers)):
        header[name] = len(table)
        table += values
    table[: len(library.HEADER)] = [header[name] for name in library.HEADER]
    return np.array(table, np.int64), slots, work


def _fits(groups: int, *arrays: Any) -> bool:
    """Whether these are arrays of one dtype for the kernels, the last of them of `groups` windows."""
    dtype, window = arrays[0].dtype, arrays[-1].shape
    if len(window) not in (3, 4) or window[1] != 1 or window[0] != groups or dtype not in _KINDS or not usable():
        return False
    return all(a.dtype == dtype and a.flags.aligned and a.size for a in arrays)


def _two(values: Ints, fill: int) -> Ints:
    """The sizes of two dimensions; of one, it is the last."""
    return (fill, *values) if len(values) == 1 else tuple(values)


def _run(out: Any, x: Any, weight: Any, bias: Any, plan: Plan) -> None:
    table, slots, work = plan
    memory, flags = np.zeros(slots * work, x.dtype), np.zeros(slots, np.int64)
    library.forward(_KINDS[x.dtype])(out, np.ascontiguousarray(x), weight, bias, memory, flags, table)


def convolution(y: Any, x: Any, weight: Any, bias: Any, stride: Ints, padding: Ints, dilation: Ints, groups: int) -> bool:
    """Writes the convolution into y; False where it is not for these kernels."""
    if not _fits(groups, x, weight):
        return False
    images, channels = x.shape[:2]
    size = lanes(library.ELEMENT[_KINDS[x.dtype]])
    plan = _plan(
        images * channels, channels, images, _two(x.shape[2:], 1), _two(weight.shape[2:], 1), _two(y.shape[2:], 1), _two(stride, 1), (1, 1),
        _two(padding, 0), _two(dilation, 1), size, False, count(),
    )  # fmt: skip
    if plan is None:
        return False
    _run(y, x, np.ascontiguousarray(weight), np.zeros(channels, x.dtype) if bias is None else np.ascontiguousarray(bias), plan)
    return True


def input_gradient(grad_x: Any, grad: Any, weight: Any, stride: Ints, padding: Ints, dilation: Ints, groups: int) -> bool:
    """Writes the gradient of the input into grad_x: the mirrored windows over gradients as far apart as the stride."""
    if not _fits(groups, grad, weight):
        return False
    images, channels = grad.shape[:2]
    window = weight.shape[2:]
    before = [d * (k - 1) - p for d, k, p in zip(dilation, window, padding)]
    if min(before) < 0:
        return False
    size = lanes(library.ELEMENT[_KINDS[grad.dtype]])
    plan = _plan(
        images * channels, channels, images, _two(grad.shape[2:], 1), _two(window, 1), _two(grad_x.shape[2:], 1), (1, 1), _two(stride, 1),
        _two(tuple(before), 0), _two(dilation, 1), size, False, count(),
    )  # fmt: skip
    if plan is None:
        return False
    mirrored = np.ascontiguousarray(weight.reshape(channels, -1)[:, ::-1])
    _run(grad_x, grad, mirrored, np.zeros(channels, grad.dtype), plan)
    return True


def weight_gradient(grad_weight: Any, grad: Any, x: Any, stride: Ints, padding: Ints, dilation: Ints, groups: int) -> bool:
    """Writes the gradient of the windows into grad_weight; False where it is not for these kernels, or infinite."""
    if not _fits(groups, grad, x, grad_weight):
        return False
    images, channels = x.shape[:2]
    size = lanes(library.ELEMENT[_KINDS[x.dtype]])
    plan = _plan(
        channels, channels, images, _two(x.shape[2:], 1), _two(grad_weight.shape[2:], 1), _two(grad.shape[2:], 1), _two(stride, 1), (1, 1),
        _two(padding, 0), _two(dilation, 1), size, True, count(),
    )  # fmt: skip
    if plan is None:
        return False
    table, slots, work = plan
    memory, flags = np.zeros(slots * work, x.dtype), np.zeros(slots, np.int64)
    kernel = library.weight_gradient(_KINDS[x.dtype])
    kernel(grad_weight, np.ascontiguousarray(x), np.ascontiguousarray(grad), memory, flags, table)
    # The zeros between the rows of a laid-out gradient meet elements that are no business of theirs: 0 times infinity is NaN.
    return bool(np.isfinite(grad_weight).all())
