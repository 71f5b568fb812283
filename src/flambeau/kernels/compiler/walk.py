"""How a map walks over arrays that are not all row-major: dimensions that lie one behind the other in every array become one.

A kernel is compiled for how its arrays lie along the innermost dimension, never for sizes or for the other strides: these
are in the plan, an array of int64 that the kernel reads.
"""

from functools import lru_cache

import numpy as np

SHORTEST = 8
"""Rows shorter than this are not worth the walk from one to the next."""


@lru_cache(1024)
def plan(shape: tuple[int, ...], itemsizes: tuple[int, ...], *strides: tuple[int, ...]) -> tuple[str, np.ndarray] | None:
    """The access of each array ("1", "0", "s": see `entry.py`) and the plan; None where the innermost rows are too short.

    `strides` are those of each array for `shape`, 0 where it is broadcast. The first array's order is the order of the walk.
    """
    dims = sorted([d for d in range(len(shape)) if shape[d] != 1], key=lambda d: -abs(strides[0][d]))
    merged: list[tuple[int, list[int]]] = []  # from the outermost on: size, distances
    for d in dims:
        size, steps = shape[d], [s[d] for s in strides]
        if merged and all(before == step * size for before, step in zip(merged[-1][1], steps)):
            merged[-1] = merged[-1][0] * size, steps
        else:
            merged.append((size, steps))
    if not merged:
        merged.append((1, [0] * len(strides)))
    inner, inner_steps = merged.pop()
    if inner < SHORTEST and merged:
        return None
    access = "".join("1" if step == itemsize else "0" if step == 0 else "s" for step, itemsize in zip(inner_steps, itemsizes))
    outer = merged[::-1]
    numbers = [inner, len(outer), *[size for size, _ in outer]]
    for k in range(len(strides)):
        numbers += [inner_steps[k], *[steps[k] for _, steps in outer]]
    return access, np.array(numbers, np.int64)


def broadcast_strides(shape: tuple[int, ...], array: np.ndarray) -> tuple[int, ...] | None:
    """The array's strides when it is broadcast to `shape`; None if it cannot be."""
    lead = len(shape) - array.ndim
    if lead < 0:
        return None
    strides = [0] * lead
    for wide, size, stride in zip(shape[lead:], array.shape, array.strides):
        if size != wide and size != 1:
            return None
        strides.append(stride if size == wide else 0)
    return tuple(strides)
