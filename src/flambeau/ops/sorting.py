"""Sorting, selecting, counting: operators that look at the order of elements."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.dtype import SCALAR_NAMES
from ..core.layout import in_order_of, normalize_dim
from ..core.return_types import return_type
from ..kernels import memory
from ..kernels import sorting as k
from ..tensor import PLAIN, Tensor, wrap
from .definition import Array, composite, operator, tensors, write_out
from .running import refuse

_SORT = return_type("sort", "values", "indices")
_TOPK = return_type("topk", "values", "indices")


def _sort_node(input: Array, dim: Any, descending: Any, stable: Any) -> str:
    return "SortBackward1" if stable else "SortBackward0"


@operator(node=_sort_node, outputs=2, result_type=_SORT)
def sort_op(input: Array, dim: Any, descending: Any, stable: Any = False) -> Array:
    """Values and indices in order along `dim`."""
    axis = normalize_dim(dim, input.ndim)
    if not input.ndim:
        return input.copy(), memory.no_index(input)
    if input.dtype.kind == "c":
        raise RuntimeError(" Sort does not support complex dtypes on CPU")
    values, indices = k.sort(input, axis, bool(descending))
    return in_order_of(input, values), in_order_of(input, indices)


sort_op.joint("input")(lambda F, grads, result1, input_shape, dim: (F.value_selecting_backward(grads[0], result1, input_shape, dim, True),))


@composite("torch.sort", "Tensor.sort")
def sort(input: Any, dim: Any = -1, descending: bool = False, stable: bool = False, *, out: Any = None) -> Any:
    """The elements in order along `dim` and their indices, as a named tuple (values, indices). Equal elements keep their order."""
    if isinstance(dim, bool):
        dim, descending = -1, dim
    result = sort_op.function(input, dim, descending, bool(stable))
    return result if out is None else write_out(result, out)


@composite("torch.argsort", "Tensor.argsort")
def argsort(input: Any, dim: Any = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The indices that put `input` in order along `dim`."""
    if isinstance(dim, bool):
        dim, descending = -1, dim
    return sort_op.function(input, dim, descending)[1]


@composite("torch.msort", "Tensor.msort")
def msort(input: Any, *, out: Any = None) -> Tensor:
    """The elements in order along the first dimension."""
    result = sort_op.function(input, 0, False)[0]
    return result if out is None else write_out(result, out)


@operator(node="TopkBackward0", outputs=2, result_type=_TOPK)
def topk_op(input: Array, k: Any, dim: Any, largest: Any) -> Array:
    """The k largest or smallest along `dim`, in order."""
    axis = normalize_dim(dim, input.ndim)
    if not 0 <= k <= (input.shape[axis] if input.ndim else 1):
        raise RuntimeError("selected index k out of range")
    if input.dtype.kind in "bc":
        raise RuntimeError(f"{'topk does not support bool' if input.dtype.kind == 'b' else ' topk does not support complex'} dtypes on CPU")
    if not input.ndim:
        return input.copy(), memory.no_index(input)
    return top(input, k, axis, bool(largest))


top = k.topk
topk_op.joint("input")(lambda F, grads, result1, input_shape, dim: (F.value_selecting_backward(grads[0], result1, input_shape, dim, True),))


@composite("torch.topk", "Tensor.topk")
def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True, *, out: Any = None) -> Any:
    """The `k` largest (or smallest) elements along `dim` and their indices, in order, as a named tuple (values, indices)."""
    result = topk_op.function(input, int(k), dim, largest)
    return result if out is None else write_out(result, out)


@operator(node="KthvalueBackward0", outputs=2, result_type=return_type("kthvalue", "values", "indices"))
def kthvalue_op(input: Array, k: Any, dim: Any, keepdim: Any) -> Array:
    """The k-th smallest along `dim`."""
    axis = normalize_dim(dim, input.ndim)
    if not 1 <= k <= (input.shape[axis] if input.ndim else 1):
        raise RuntimeError("kthvalue(): selected number k out of range for dimension %d" % axis)
    if input.dtype.kind in "bc":
        refuse(input, "kthvalue_cpu")
    if not input.ndim:
        return input.copy(), memory.no_index(input)
    values, indices = element_at(input, axis, k - 1)
    return (values, indices) if keepdim else (values.squeeze(axis), indices.squeeze(axis))


in_order, middle, commonest, element_at = k.sort, k.median, k.mode, k.nth
kthvalue_op.joint("input")(
    lambda F, grads, result1, input_shape, dim, keepdim: (F.value_selecting_backward(grads[0], result1, input_shape, dim, keepdim),)
)


@composite("torch.kthvalue", "Tensor.kthvalue")
def kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False, *, out: Any = None) -> Any:
    """The `k`-th smallest element along `dim` (k from 1) and its index."""
    result = kthvalue_op.function(input, k, dim, keepdim)
    return result if out is None else write_out(result, out)


def _middle(name: str, skip_nan: bool) -> None:
    result_type = return_type(name, "values", "indices")

    def along(input: Array, dim: Any, keepdim: Any) -> Array:
        axis = normalize_dim(dim, input.ndim)
        if not input.ndim:
            return input.copy(), memory.no_index(input)
        if input.shape[axis] == 0:
            raise IndexError(f"median(): Expected reduction dim {axis} to have non-zero size.")
        if input.dtype.kind in "bc":
            refuse(input, "median_out")
        values, indices = middle(input, axis, skip_nan)
        return (values, indices) if keepdim else (values.squeeze(axis), indices.squeeze(axis))

    along.__name__ = f"{name}_dim"
    along.__doc__ = "The lower median along a dimension, and its index."
    along.__annotations__ = {"input": "Array"}
    op = operator(node=f"{name.capitalize()}Backward1", outputs=2, result_type=result_type)(along)
    op.joint("input")(
        lambda F, grads, result1, input_shape, dim, keepdim: (F.value_selecting_backward(grads[0], result1, input_shape, dim, keepdim),)
    )

    def whole(input: Array) -> Array:
        if input.dtype.kind in "bc":
            refuse(input, "median_cpu")
        value, index = along(input.reshape(-1), 0, False)
        return value, index

    whole.__name__, whole.__doc__ = f"{name}_all", "The lower median of all elements, and its index in memory order."
    whole.__annotations__ = {"input": "Array"}
    whole_op = operator(node=f"{name.capitalize()}Backward0", outputs=2, hidden=1, out=False)(whole)
    whole_op.joint("input")(
        lambda F, grads, result1, input_shape: (
            F.value_selecting_backward(grads[0], result1, (math.prod(input_shape),), 0, False).reshape(input_shape),
        )
    )

    def call(input: Any, dim: Any = None, keepdim: bool = False, *, out: Any = None) -> Any:
        if dim is None:
            if input.numel() == 0:
                return input.new_full((), float("nan"))
            return whole_op.function(input)
        result = op.function(input, dim, keepdim)
        return result if out is None else write_out(result, out)

    call.__name__ = name
    call.__doc__ = "The (lower) median; with `dim`, a named tuple of medians and indices." + (" NaN are left out." if skip_nan else "")
    composite(f"torch.{name}", f"Tensor.{name}")(call)


_middle("median", False)
_middle("nanmedian", True)


@operator(node="ModeBackward0", outputs=2, result_type=return_type("mode", "values", "indices"))
def mode_op(input: Array, dim: Any, keepdim: Any) -> Array:
    """The most frequent value along `dim`, the smallest of several, and an index of it."""
    axis = normalize_dim(dim, input.ndim)
    if not input.ndim:
        return input.copy(), memory.no_index(input)
    if input.shape[axis] == 0:
        raise IndexError(f"mode(): Expected reduction dim {axis} to have non-zero size.")
    if input.dtype.kind == "c":
        refuse(input, "mode_cpu")
    values, indices = commonest(input, axis)
    return (values, indices) if keepdim else (values.squeeze(axis), indices.squeeze(axis))


mode_op.joint("input")(
    lambda F, grads, result1, input_shape, dim, keepdim: (F.value_selecting_backward(grads[0], result1, input_shape, dim, keepdim),)
)


@composite("torch.mode", "Tensor.mode")
def mode(input: Any, dim: int = -1, keepdim: bool = False, *, out: Any = None) -> Any:
    """The most frequent value along `dim` and an index of it; the smallest where several are equally frequent."""
    result = mode_op.function(input, dim, keepdim)
    return result if out is None else write_out(result, out)


# --- distinct values, counts, positions --------------------------------------------------------------------------


def _asked_for(values: Any, inverse: Any, counts: Any) -> Any:
    """The distinct elements alone, or a tuple with what else was asked for; None: it was not."""
    if inverse is None and counts is None:
        return wrap(values)
    return tuple([wrap(part) for part in (values, inverse, counts) if part is not None])


@composite("torch.unique", "Tensor.unique")
def unique(input: Any, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None) -> Any:
    """The distinct elements (or slices along `dim`), sorted; with their inverse indices and counts where asked for."""
    if input._array.dtype.kind == "c":
        refuse(input._array, "unique" if dim is None else "unique_dim")
    if dim is None:
        values, inverse, counts = k.unique(input._array, return_inverse, return_counts)
    else:
        values, inverse, counts = k.unique_rows(input._array, normalize_dim(dim, input.dim()))
    return _asked_for(values, inverse if return_inverse else None, counts if return_counts else None)


@composite("torch.unique_consecutive", "Tensor.unique_consecutive")
def unique_consecutive(input: Any, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None) -> Any:
    """Each run of equal elements (or slices along `dim`) as one."""
    if input._array.dtype.kind == "c":
        refuse(input._array, "unique" if dim is None else "unique_dim")
    values, inverse, counts = k.unique_consecutive(input._array, dim, return_inverse, return_counts)
    return _asked_for(values, inverse if return_inverse else None, counts if return_counts else None)


@composite("torch.bincount", "Tensor.bincount")
def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Tensor:
    """How often each non-negative integer occurs in a 1-d tensor, or the sum of its weights."""
    array = input._array
    if array.ndim != 1 or (array.size and array.min() < 0) or array.dtype.kind not in "iu":
        if array.dtype.kind not in "iu":
            raise NotImplementedError(f"\"bincount_cpu\" not implemented for '{SCALAR_NAMES[input.dtype]}'")
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if weights is not None and weights.shape != input.shape:
        raise RuntimeError("weights should be 1-d and have the same length as input")
    counts = k.bincount(array, None if weights is None else weights._array, minlength)
    target = np.int64 if weights is None else np.float32 if weights._array.dtype == np.float32 else np.float64
    return wrap(counts.astype(target))


@composite("torch.histc", "Tensor.histc")
def histc(input: Any, bins: int = 100, min: float = 0, max: float = 0, *, out: Any = None) -> Tensor:
    """Counts of the elements in `bins` equal bins between min and max (of the data, if both are zero)."""
    array = input._array.reshape(-1)
    if array.dtype.kind not in "fV":
        raise NotImplementedError(f"\"histogram_cpu\" not implemented for '{SCALAR_NAMES[input.dtype]}'")
    if bins <= 0:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0")
    low, high = float(min), float(max)
    if low == high and array.size:
        low, high = float(array.min()), float(array.max())
    if low == high:
        low, high = low - 1, high + 1
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RuntimeError(f"range of [{low}, {high}] is not finite")
    if low > high:
        raise RuntimeError("max must be larger than min")
    result = wrap(k.histogram(array[(array >= low) & (array <= high)], bins, low, high).astype(array.dtype))
    return result if out is None else write_out(result, out)


@composite("torch.searchsorted")
def searchsorted(
    sorted_sequence: Any,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Any = None,
    out: Any = None,
) -> Tensor:
    """Where each element of `input` would be inserted into the sorted last dimension of `sorted_sequence`."""
    if side is not None:
        if side not in ("left", "right"):
            raise RuntimeError(f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}")
        if right and side == "left":
            raise RuntimeError("torch.searchsorted(): side and right can't be set to opposites, got side of left while right was True")
        right = side == "right"
    sequence = sorted_sequence._array
    if sorter is not None:
        sequence = k.take_along(sequence, sorter._array, -1)
    values = input._array if isinstance(input, Tensor) else memory.asarray(input, sequence.dtype)
    if sequence.ndim > 1 and sequence.shape[:-1] != values.shape[:-1]:
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries tensor and input "
            f"value tensor must match, but we got boundaries tensor {list(sequence.shape)} and input value tensor {list(values.shape)}"
        )
    found = k.searchsorted(sequence, values, right)
    result = wrap(found.astype(np.int32) if out_int32 else found)
    return result if out is None else write_out(result, out)


@composite("torch.bucketize", "Tensor.bucketize")
def bucketize(input: Any, boundaries: Any, *, out_int32: bool = False, right: bool = False, out: Any = None) -> Tensor:
    """The number of the bucket, between 1-d sorted boundaries, that each element falls into."""
    if boundaries.dim() != 1:
        raise RuntimeError(f"boundaries tensor must be 1 dimension, but got dim({boundaries.dim()})")
    if out is None and type(boundaries) in PLAIN and type(input) in PLAIN:
        found = k.searchsorted(boundaries._array, input._array, right)
        return wrap(found.astype(np.int32) if out_int32 else found)
    return searchsorted(boundaries, input, out_int32=out_int32, right=right, out=out)


def _quantile(name: str, skip_nan: bool) -> None:
    def call(
        input: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear", out: Any = None
    ) -> Tensor:
        if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
            raise RuntimeError(f"{name}() interpolation must be one of linear, lower, higher, midpoint or nearest, but got {interpolation}")
        if input.numel() == 0:
            raise RuntimeError(f"{name}() input tensor must be non-empty")
        if input.dtype.name not in ("float32", "float64"):
            raise RuntimeError(f"{name}() input tensor must be either float or double dtype")
        many = isinstance(q, Tensor)
        if many and q.dtype is not input.dtype:
            raise RuntimeError(f"{name}() q tensor must be same dtype as the input tensor")
        if many and q.ndim > 1:
            raise RuntimeError(f"{name}() q must be a scalar or 1D tensor")
        q_array = memory.asarray(q._array if many else q, input._array.dtype).reshape(-1)
        if ((q_array < 0) | (q_array > 1)).any():
            raise RuntimeError(f"{name}() q {'values ' if many else ''}must be in the range [0, 1]" + ("" if many else f" but got {q:g}"))
        axis = 0 if dim is None else normalize_dim(dim, input.dim())
        x = input.reshape(-1) if dim is None or input.dim() == 0 else input
        x = tensors.movedim(x, axis, -1) if dim is not None else x
        ordered = sort_op.function(x, -1, False)[0]
        low, high, part, span = k.quantile_ranks(ordered._array, q_array, skip_nan, interpolation)
        below, above, share = ordered.gather(-1, wrap(low)), ordered.gather(-1, wrap(high)), wrap(part)
        if many and q.requires_grad and interpolation == "linear":  # how far the quantile moves with q
            share = share + (q.reshape(-1) - q.detach().reshape(-1)) * wrap(span)
        result = tensors.lerp(below, above, share)
        result = tensors.movedim(result, -1, 0)
        if keepdim:
            shape = [1] * input.dim() if dim is None else [1 if i == axis else n for i, n in enumerate(input.shape)]
            result = result.reshape([len(q_array), *shape])
        if not many or q.dim() == 0:
            result = result.squeeze(0)
        return result if out is None else write_out(result, out, name)

    call.__name__ = name
    call.__doc__ = "The q-quantiles, of all or along `dim`, with interpolation between neighbours." + (
        " NaN are left out." if skip_nan else ""
    )
    composite(f"torch.{name}", f"Tensor.{name}")(call)


_quantile("quantile", False)
_quantile("nanquantile", True)


@composite("torch.isin")
def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False, out: Any = None) -> Tensor:
    """For each element, whether it is among `test_elements`."""
    a = elements._array if isinstance(elements, Tensor) else memory.asarray(elements)
    b = test_elements._array if isinstance(test_elements, Tensor) else memory.asarray(test_elements)
    result = wrap(k.isin(a, b, invert))
    return result if out is None else write_out(result, out)
