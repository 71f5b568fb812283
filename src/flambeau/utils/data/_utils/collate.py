"""Collating: from a list of samples to one batch of the same structure."""

from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from copy import copy
from typing import Any

import numpy as np

from ....core.dtype import float64
from ....ops.from_data import as_tensor, tensor
from ....ops.joining import stack
from ....ops.modes import modes
from ....tensor import Tensor, wrap

default_collate_err_msg_format = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"

NO_TENSOR = "SUO"
"""The kinds of NumPy dtypes, strings and objects, whose arrays are refused, or left alone by `default_convert`."""

CollateMap = dict[Any, Callable[..., Any]]


def default_convert(data: Any) -> Any:
    """Turns NumPy arrays and scalars inside a sample into tensors and leaves the rest; the loader's default without batches.

    Mappings, named tuples and sequences keep their type, but a plain tuple comes back as a list. Raises TypeError for
    an array of a dtype that has no tensor.
    """
    if isinstance(data, Tensor):
        return data
    cls = type(data)
    if cls.__module__ == "numpy" and cls.__name__ not in ("str_", "string_"):
        if cls.__name__ == "ndarray" and data.dtype.kind in NO_TENSOR:
            return data
        return as_tensor(data)
    if isinstance(data, Mapping):
        return _rebuild_mapping(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, tuple):
        items = [default_convert(item) for item in data]
        return cls(*items) if hasattr(data, "_fields") else items
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _rebuild_sequence(data, [default_convert(item) for item in data])
    return data


def collate(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    """Collates samples by the type of the first one.

    `collate_fn_map` maps a type, or a tuple of types, to a function called as `f(batch, collate_fn_map=...)`. An exact
    type is looked up first, then the first entry of which the sample is an instance. Mappings, named tuples and
    sequences are collated item by item; a plain tuple gives a list. Raises RuntimeError for sequences of different
    lengths and TypeError for a type that nothing handles.
    """
    first = batch[0]
    cls = type(first)
    if collate_fn_map is not None:
        if cls in collate_fn_map:
            return collate_fn_map[cls](batch, collate_fn_map=collate_fn_map)
        if isinstance(first, tuple(collate_fn_map)):
            kind = next(kind for kind in collate_fn_map if isinstance(first, kind))
            return collate_fn_map[kind](batch, collate_fn_map=collate_fn_map)
    if cls is not tuple:
        if isinstance(first, Mapping):
            return _rebuild_mapping(
                first, {key: collate([sample[key] for sample in batch], collate_fn_map=collate_fn_map) for key in first}
            )
        if isinstance(first, tuple) and hasattr(first, "_fields"):
            return cls(*[collate(column, collate_fn_map=collate_fn_map) for column in zip(*batch, strict=False)])
        if not isinstance(first, Sequence):
            raise TypeError(default_collate_err_msg_format.format(cls))
    if len(set(map(len, batch))) > 1:
        raise RuntimeError("each element in list of batch should be of equal size")
    items = [collate(column, collate_fn_map=collate_fn_map) for column in zip(*batch, strict=True)]
    return items if isinstance(first, tuple) else _rebuild_sequence(first, items)


def _rebuild_mapping(like: Any, items: dict[Any, Any]) -> Any:
    """A mapping of the type of `like`, with its extra attributes where it can be copied; else a dict."""
    try:
        if isinstance(like, MutableMapping):
            clone = copy(like)
            clone.update(items)
            return clone
        return type(like)(items)
    except TypeError:
        return items


def _rebuild_sequence(like: Any, items: list[Any]) -> Any:
    """A sequence of the type of `like`, with its extra attributes where it can be copied; else a list."""
    try:
        if isinstance(like, MutableSequence):
            clone = copy(like)
            for i, item in enumerate(items):
                clone[i] = item
            return clone
        return type(like)(items)
    except TypeError:
        return items


def collate_tensor_fn(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Tensor:
    """Stacks tensors of one shape along a new dimension 0. Raises RuntimeError where the shapes differ."""
    # Plain tensors outside any graph, the usual samples, go to NumPy at once; everything else is the operator's affair.
    arrays = [
        t._array for t in batch if type(t) is Tensor and not t._requires_grad and (t._view is None or not t._view.base._requires_grad)
    ]
    if len(arrays) == len(batch) and not modes.active:
        stacked = stack_arrays(arrays)
        if stacked is not None:
            return wrap(stacked)
    return stack.function(list(batch), 0)


def stack_arrays(arrays: list[Any]) -> Any:
    """The arrays along a new axis 0, or None unless they are ndarrays of one shape and, by and large, one dtype."""
    first = arrays[0]
    if type(first) is not np.ndarray:
        return None
    if first.size > 1024 and not first.flags.c_contiguous:
        # np.array would walk these element by element; np.stack alone would keep their order in memory.
        if len({array.shape for array in arrays}) > 1 or len({array.dtype for array in arrays}) > 1:
            return None
        return np.stack(arrays, out=np.empty((len(arrays), *first.shape), first.dtype))
    try:
        stacked = np.array(arrays)
    except ValueError:  # shapes that differ
        return None
    # Where NumPy's promotion of several dtypes gives the first one, PyTorch's does, too.
    return stacked if stacked.dtype is first.dtype or stacked.dtype == first.dtype else None


def collate_numpy_array_fn(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    """Stacks NumPy arrays as a tensor. Raises TypeError for arrays of strings or objects."""
    if batch[0].dtype.kind in NO_TENSOR:
        raise TypeError(default_collate_err_msg_format.format(batch[0].dtype))
    return collate([as_tensor(array) for array in batch], collate_fn_map=collate_fn_map)


def collate_numpy_scalar_fn(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    """A tensor of NumPy scalars, in their dtype."""
    return as_tensor(batch)


def collate_float_fn(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    """A float64 tensor of Python floats."""
    return tensor(batch, dtype=float64)


def collate_int_fn(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    """An int64 tensor of Python ints; what `tensor(batch)` makes of mixed numbers."""
    return tensor(batch)


def collate_str_fn(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    """Leaves strings as they are."""
    return batch


default_collate_fn_map: CollateMap = {
    Tensor: collate_tensor_fn,
    np.ndarray: collate_numpy_array_fn,
    (np.bool_, np.number, np.object_): collate_numpy_scalar_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}
"""What `default_collate` does with each type; add entries to extend it."""


def default_collate(batch: Any) -> Any:
    """Makes one batch of a list of samples: tensors, arrays and numbers get a new dimension 0, structure stays.

    Tensors and NumPy arrays are stacked, ints and floats become int64 and float64 tensors, strings and bytes stay;
    mappings, named tuples and sequences are collated item by item, tuples into lists. Raises TypeError for other types
    and RuntimeError for samples of different sizes.
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)
