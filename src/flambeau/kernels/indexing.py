"""Kernels that read and write at places given by index arrays and masks."""

import math
from typing import Any, Sequence

import numpy as np

from ..core import layout
from . import places as compiled
from .quiet import quiet

INTEGERS = "iu"


def expanded(array: Any, indices: Sequence[Any]) -> tuple[Any, ...]:
    """One integer index array or None per dimension, as far as indices go: masks become the places where they hold.

    Raises IndexError where an index is of another dtype, a mask does not fit, or there are too many.
    """
    found: list[Any] = []
    for index in indices:
        if index is None:
            found.append(None)
            continue
        dtype = index.dtype
        if dtype == np.bool_ or dtype == np.uint8:
            if dtype == np.uint8:
                warn_bytes()
            for j in range(index.ndim):
                d = len(found) + j
                if d >= array.ndim:
                    raise IndexError(f"too many indices for tensor of dimension {array.ndim}")
                if index.shape[j] != array.shape[d]:
                    raise IndexError(
                        f"The shape of the mask {list(index.shape)} at index {j} does not match the shape of the indexed tensor "
                        f"{list(array.shape)} at index {d}"
                    )
            found.extend(np.nonzero(index) if index.ndim else (np.zeros(1 if index else 0, np.int64),))
        elif dtype.kind == "i" and dtype.itemsize in (4, 8):
            found.append(index)
        else:
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
    if len(found) > array.ndim:
        raise IndexError(f"too many indices for tensor of dimension {array.ndim} (got {len(found)})")
    return tuple(found)


def warn_bytes() -> None:
    import warnings

    warnings.warn("indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead.", stacklevel=4)


def result_shape(array: Any, indices: Sequence[Any]) -> tuple[int, ...]:
    """The shape of what integer index arrays read. Raises IndexError where these do not broadcast together."""
    shapes = [i.shape for i in indices if i is not None]
    try:
        shape = layout.broadcast_shapes(*shapes)
    except RuntimeError:
        text = ", ".join(str(list(s)) for s in shapes)
        raise IndexError(f"shape mismatch: indexing tensors could not be broadcast together with shapes {text}") from None
    given = [d for d, i in enumerate(indices) if i is not None]
    first = given[0] if given == list(range(given[0], given[-1] + 1)) else 0
    rest = [n for d, n in enumerate(array.shape) if d not in given]
    return (*rest[:first], *shape, *rest[first:])


def check_bounds(array: Any, indices: Sequence[Any]) -> Exception:
    """The error for indices that are out of range or do not broadcast together."""
    number = -1  # of the index, by which PyTorch calls the dimension
    for d, index in enumerate(indices):
        number += index is not None
        if index is None or not index.size:
            continue
        n = array.shape[d]
        bad = index[(index < -n) | (index >= n)]
        if bad.size:
            if n == 0:
                return IndexError("index is out of bounds for dimension with size 0")
            return IndexError(f"index {bad.flat[0]} is out of bounds for dimension {number} with size {n}")
    try:
        result_shape(array, indices)
    except IndexError as error:
        return error
    return IndexError("index is out of bounds")


def to_numpy_index(indices: Sequence[Any]) -> tuple[Any, ...]:
    """Index arrays and None as NumPy takes them."""
    return tuple([slice(None) if i is None else i for i in indices])


def get(array: Any, indices: Sequence[Any]) -> Any:
    """The elements at the places that integer index arrays name, a copy laid out as PyTorch does."""
    given = [d for d, i in enumerate(indices) if i is not None]
    try:
        if len(given) == 1:
            found = compiled.take(array, given[0], indices[given[0]], True)
            if found is not None:
                return found
            result = array.take(indices[given[0]], given[0])
        else:
            result = array[to_numpy_index(indices)]
    except IndexError:
        raise check_bounds(array, indices) from None
    if result.__class__ is not np.ndarray:
        return np.asarray(result)
    if array.flags.c_contiguous:
        return result if result.flags.c_contiguous else np.ascontiguousarray(result)
    return _laid_out(result, array, indices, given)


def _laid_out(result: Any, array: Any, indices: Sequence[Any], given: list[int]) -> Any:
    """The result in the memory order that follows from the input's, as the iteration over input and indices suggests."""
    strides = layout.strides_of(array)
    shape = layout.broadcast_shapes(*(indices[d].shape for d in given))
    rest = [0 if d in given else strides[d] for d in range(array.ndim)]
    adjacent = given == list(range(given[0], given[-1] + 1))
    first = given[0] if adjacent else 0
    others = [rest[d] for d in range(array.ndim) if d not in given]
    count = len(shape)
    operands = [(*others[:first], *(0,) * count, *others[first:])]
    full = (*(1,) * first, *shape, *(1,) * (len(others) - first))
    for d in given:
        index = np.broadcast_to(indices[d], shape)
        steps = layout.view_strides(shape, layout.strides_of(index), full) or layout.contiguous_strides(full)
        operands.append(tuple([s if n == m else 0 for n, m, s in zip(full, result.shape, steps)]))
    wanted = layout.ordered_strides(result.shape, *operands)
    if wanted == layout.strides_of(result):
        return result
    placed = layout.empty_strided(result.shape, wanted, result.dtype)
    placed[...] = result
    return placed


@quiet
def put(target: Any, indices: Sequence[Any], values: Any, accumulate: bool = False) -> None:
    """Writes values (broadcast) at the places that integer index arrays name, or adds them there, repeats counting."""
    try:
        if accumulate:
            add_at(target, indices, values)
        else:
            target[to_numpy_index(indices)] = values
    except IndexError:
        given, wanted = values.shape, result_shape(target, indices)
        if len(given) > len(wanted) or any(n != 1 and n != m for n, m in zip(given[::-1], wanted[::-1])):
            raise ValueError from None  # the caller tells: values that do not fit come before indices that do not
        raise check_bounds(target, indices) from None


def add_at(target: Any, indices: Sequence[Any], values: Any) -> None:
    """Adds values at the places that index arrays name; a place named twice gets both."""
    if len(indices) == 1 and indices[0] is not None and values.shape == indices[0].shape + target.shape[1:]:
        if compiled.add_rows(target, 0, indices[0], values, True):
            return
    if sum(i is not None for i in indices) == 1:
        dim = next(d for d, i in enumerate(indices) if i is not None)
        index = indices[dim]
        if values.shape == target.shape[:dim] + index.shape + target.shape[dim + 1 :] and compiled.add_rows(
            target, dim, index, values, True
        ):
            return
    if target.dtype.kind in "V" or target.dtype == np.float16:
        wide = target.astype(np.float32)
        add_at(wide, indices, values.astype(np.float32))
        target[...] = wide
        return
    if target.dtype == np.bool_:
        np.logical_or.at(target, to_numpy_index(indices), values)
        return
    if indices[0] is None or any(i is None for i in indices):
        np.add.at(target, to_numpy_index(indices), values)
        return
    count = len(indices)
    if count == 1:
        rows = indices[0]
    else:
        broadcast = np.broadcast_arrays(
            *[np.where(i < 0, i + n, i) if i.size and i.min() < 0 else i for i, n in zip(indices, target.shape)]
        )
        for i, n in zip(broadcast, target.shape):
            if i.size and (i.max() >= n or i.min() < 0):
                raise IndexError
        rows = np.ravel_multi_index(broadcast, target.shape[:count]) if 0 not in target.shape[:count] else broadcast[0]
    if count > 1 and not target.flags.c_contiguous:
        np.add.at(target, to_numpy_index(indices), values)
        return
    flat = target if count == 1 else target.reshape(-1, *target.shape[count:])
    add_rows(flat, rows, np.broadcast_to(values, (*rows.shape, *target.shape[count:])))


WIDE = 256  # elements of a row from which on adding row by row beats adding element by element


def add_rows(target: Any, rows: Any, values: Any) -> None:
    """`target[rows[i]] += values[i]` for each i in turn."""
    rows = rows.reshape(-1)
    inner = target.shape[1:]
    if not inner:
        if not compiled.add_rows(target, 0, rows, values.reshape(-1), True):
            np.add.at(target, rows, values.reshape(-1))
        return
    values = values.reshape(rows.size, *inner)
    if compiled.add_rows(target, 0, rows, values, True):
        return
    width = math.prod(inner)
    n = target.shape[0]
    if rows.size and not -n <= int(rows.min()) <= int(rows.max()) < n:
        raise IndexError
    if rows.size <= 16 or width >= WIDE or not target.flags.c_contiguous:
        add = np.add
        if target.ndim == 1:
            np.add.at(target, rows, values)
            return
        for row, value in zip(rows.tolist(), values):
            place = target[row]
            add(place, value, place)
        return
    if rows.size and rows.min() < 0:
        rows = np.where(rows < 0, rows + n, rows)
    flat = rows[:, None] * width + np.arange(width)
    np.add.at(target.reshape(-1), flat.reshape(-1), values.reshape(-1))
