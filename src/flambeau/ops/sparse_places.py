"""Sparse forms that move, choose and join places, and the refusals of those that would need strides."""

from __future__ import annotations

from typing import Any

from ..core.dtype import SCALAR_NAMES
from ..core.layout import normalize_dim
from ..core.sparse import refusal
from ..kernels import memory
from ..kernels import sparse as k
from ..tensor import wrap
from .definition import tensors
from .running import I64
from .sparse import coalesce, from_parts, is_sparse, rows_of_values, stored
from .sparse_registry import COMPOSITES, FORMS, IN_PLACE, form, moved, recorded_as

# --- places ----------------------------------------------------------------------------------------------------------


@form("t")
def transpose_matrix(input: Any) -> Any:
    """A matrix transposed."""
    ndim = input._array.ndim
    if ndim > 2 or input._array.dense_dim:
        raise RuntimeError(
            "t() expects a tensor with <= 2 sparse and 0 dense dimensions, but got "
            f"{input._array.sparse_dim} sparse and {input._array.dense_dim} dense dimensions"
        )
    return transpose(input, 0, ndim - 1) if ndim == 2 else input


@form("transpose")
def transpose(input: Any, dim0: Any, dim1: Any) -> Any:
    """Two sparse dims exchanged."""
    array = input._array
    a, b = normalize_dim(dim0, array.ndim), normalize_dim(dim1, array.ndim)
    if a == b:
        return moved(input, array.indices, array.shape, array.coalesced)
    if max(a, b) >= array.sparse_dim:
        raise RuntimeError(f"sparse transpose: transposed dimensions must be sparse Got sparse_dim: {array.sparse_dim}, d0: {a}, d1: {b}")
    order = list(range(array.ndim))
    order[a], order[b] = b, a
    return _reordered(input, order)


@form("permute")
def permute(input: Any, dims: Any) -> Any:
    """The sparse dims among themselves, and the dense ones, in another order."""
    array = input._array
    if len(dims) != array.ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired ordering of "
            f"dimensions i.e. input.dim() = {array.ndim} is not equal to len(dims) = {len(dims)}"
        )
    order = [normalize_dim(d, array.ndim) for d in dims]
    if len(set(order)) != array.ndim:
        raise RuntimeError("permute(sparse_coo): duplicate dims are not allowed.")
    cut = array.sparse_dim
    if any(d >= cut for d in order[:cut]):
        raise RuntimeError(
            "permute(sparse_coo): transpositions between sparse and dense dimensions are not allowed. Only transpositions within "
            "sparse and dense dimensions are supported."
        )
    return _reordered(input, order)


def _reordered(x: Any, order: list[int]) -> Any:
    array = x._array
    cut = array.sparse_dim
    values = stored.function(x)
    if order[cut:] != list(range(cut, array.ndim)):
        values = tensors.permute(values, (0, *[d - cut + 1 for d in order[cut:]]))
    same = order[:cut] == list(range(cut))
    indices = array.indices if same else memory.ascontiguousarray(array.indices[order[:cut]])
    return moved(x, indices, [array.shape[d] for d in order], array.coalesced and (same or array.nnz < 2), values)


@form("unsqueeze")
def unsqueeze(input: Any, dim: Any) -> Any:
    """A dim of size 1 more: a sparse one where it stands before a sparse one or behind the last."""
    array = input._array
    d = normalize_dim(dim, array.ndim + 1)
    shape = (*array.shape[:d], 1, *array.shape[d:])
    if d > array.sparse_dim:
        return moved(input, array.indices, shape, False, tensors.unsqueeze(stored.function(input), d - array.sparse_dim + 1))
    zeros = memory.zeros((1, array.nnz), I64)
    return moved(input, memory.concatenate([array.indices[:d], zeros, array.indices[d:]]), shape)


@form("select")
def select(input: Any, dim: Any, index: Any) -> Any:
    """One slice; dense where the last sparse dim is selected from."""
    array = input._array
    d = normalize_dim(dim, array.ndim)
    size = array.shape[d]
    if not -size <= index < size:
        raise IndexError(f"select(): index {index} out of range for tensor of size {list(array.shape)} at dimension {dim}")
    index = int(index) % size
    if d >= array.sparse_dim:
        values = tensors.select(stored.function(input), d - array.sparse_dim + 1, index)
        return moved(input, array.indices, (*array.shape[:d], *array.shape[d + 1 :]), False, values)
    if array.sparse_dim == 1:
        x = coalesce(input)
        at, found = k.find(memory.asarray([index]), x._array)
        values = rows_of_values.function(stored.function(x), wrap(at[found]))
        return tensors.sum(values, 0) if found.any() else _zeros(array.shape[1:], input.dtype)
    here = (array.indices[d] == index).nonzero()[0]
    values = rows_of_values.function(stored.function(input), wrap(here))
    rest = [i for i in range(array.sparse_dim) if i != d]
    return moved(input, array.indices[rest][:, here], (*array.shape[:d], *array.shape[d + 1 :]), False, values)


@form("unbind")
def unbind(input: Any, dim: Any = 0) -> Any:
    """All slices along a dim."""
    return tuple(select(input, dim, i) for i in range(input._array.shape[normalize_dim(dim, input._array.ndim)]))


@form("index_select")
def index_select(input: Any, dim: Any, index: Any) -> Any:
    """Slices along a dim, in any order and as often as asked."""
    array = input._array
    d = normalize_dim(dim, array.ndim)
    if not array.ndim:
        raise IndexError("index_select() cannot be applied to a 0-dim tensor.")
    if index._array.ndim != 1 or index._array.dtype != I64:
        raise IndexError("index_select() argument index must be 1-D long-tensor.")
    size = array.shape[d]
    wanted = index._array
    if wanted.size and (wanted.min() < -size or wanted.max() >= size):
        bad = int(next(i for i in wanted.tolist() if not -size <= i < size))
        raise IndexError(
            f"index_select(): index contains {bad} that is out of range for tensor of size {list(array.shape)} at dimension {d}"
        )
    wanted = wanted % size if size else wanted
    shape = (*array.shape[:d], wanted.size, *array.shape[d + 1 :])
    if d >= array.sparse_dim:
        values = tensors.index_select(stored.function(input), d - array.sparse_dim + 1, wrap(wanted))
        return moved(input, array.indices, shape, False, values)
    which, new = k.selected(array.indices, d, wanted)
    indices = array.indices[:, which]
    indices[d] = new
    return moved(input, indices, shape, False, rows_of_values.function(stored.function(input), wrap(which)))


def narrow_copy(input: Any, dim: int, start: int, length: int) -> Any:
    """A copy of `length` slices from `start` on."""
    array = input._array
    d = normalize_dim(dim, array.ndim)
    start = int(start)
    if start < 0:
        start += array.shape[d]
    if not 0 <= start or start + length > array.shape[d]:
        raise RuntimeError("Invalid range to narrow. range(start, start+length) must be a subset of range(0, input.size(dim)).")
    shape = (*array.shape[:d], length, *array.shape[d + 1 :])
    if d >= array.sparse_dim:
        values = tensors.narrow(stored.function(input), d - array.sparse_dim + 1, start, length)
        return moved(input, array.indices, shape, array.coalesced, values)
    row = array.indices[d]
    here = ((row >= start) & (row < start + length)).nonzero()[0]
    indices = array.indices[:, here]
    indices[d] -= start
    result = moved(input, indices, shape, array.coalesced, rows_of_values.function(stored.function(input), wrap(here)))
    return recorded_as(result, "NarrowCopyBackward0")


COMPOSITES["torch.narrow_copy"] = COMPOSITES["Tensor.narrow_copy"] = narrow_copy


@form("cat", "joined_blocks")
def cat(parts: Any, dim: Any = 0) -> Any:
    """Sparse tensors one behind the other."""
    if not all(is_sparse(t) for t in parts):
        first = next(i for i, t in enumerate(parts) if not is_sparse(t))
        raise RuntimeError(f"Concatenating sparse tensors, but a dense tensor was found at position {first}.")
    first = parts[0]._array
    d = normalize_dim(dim, first.ndim)
    for i, t in enumerate(parts):
        x = t._array
        if x.sparse_dim != first.sparse_dim or x.dense_dim != first.dense_dim:
            raise RuntimeError(
                f"All tensors must have the same sparse_dim and dense_dim: {first.sparse_dim}, {first.dense_dim}, but tensor at position "
                f"{i} has {x.sparse_dim}, {x.dense_dim}."
            )
        if any(n != m for j, (n, m) in enumerate(zip(x.shape, first.shape)) if j != d):
            raise RuntimeError(
                f"All tensors must have the same shape: {list(first.shape)} (except in the concatenating dimension), but found shape: "
                f"{list(x.shape)} at position {i}."
            )
    shape = list(first.shape)
    shape[d] = 0
    for t in parts:
        shape[d] += t._array.shape[d]
    values = [stored.function(t) for t in parts]
    to = values[0].dtype
    for v in values[1:]:
        to = tensors.promote_types(to, v.dtype)
    values = [v.to(to) for v in values]
    if d < first.sparse_dim:
        indices, offset = [], 0
        for t in parts:
            own = t._array.indices.copy()
            own[d] += offset
            offset += t._array.shape[d]
            indices.append(own)
        return from_parts.function(wrap(memory.concatenate(indices, 1)), tensors.cat(values), tuple(shape), False)
    inner, before = d - first.sparse_dim + 1, 0
    filled = []
    for t, v in zip(parts, values):
        lead, tail = list(v.shape), list(v.shape)
        lead[inner], tail[inner] = before, shape[d] - before - t._array.shape[d]
        filled.append(tensors.cat([_zeros(lead, to), v, _zeros(tail, to)], inner))
        before += t._array.shape[d]
    return from_parts.function(wrap(memory.concatenate([t._array.indices for t in parts], 1)), tensors.cat(filled), tuple(shape), False)


def _zeros(shape: Any, dtype: Any) -> Any:
    return wrap(memory.zeros(tuple(shape), dtype.numpy))


@form("stack")
def stack(parts: Any, dim: Any = 0) -> Any:
    """Sparse tensors side by side along a new dim."""
    d = normalize_dim(dim, parts[0]._array.ndim + 1)
    if not all(is_sparse(t) for t in parts):
        raise refusal("stack")
    return cat([unsqueeze(t, d) for t in parts], d)


@form("alias_view")
def alias_view(input: Any) -> Any:
    """The same tensor."""
    raise NotImplementedError("Cannot access storage of SparseTensorImpl")


@form("view")
def view(input: Any, shape: Any) -> Any:
    """Refused."""
    raise refusal("view")


@form("reshaped", "_unsafe_view")
def reshape(input: Any, *args: Any) -> Any:
    """Refused."""
    raise RuntimeError("reshape is not implemented for sparse tensors")


@form("expand", "repeat")
def expand(input: Any, *args: Any) -> Any:
    """Refused."""
    raise RuntimeError("expand is unsupported for Sparse tensors")


@form("copy")
def copy(input: Any, src: Any) -> Any:
    """What `copy_` puts in the place of `input`."""
    if not is_sparse(input) or not is_sparse(src):
        names = [f"torch.{'sparse.' if is_sparse(t) else ''}{SCALAR_NAMES[t.dtype]}Tensor" for t in (input, src)]
        raise RuntimeError(
            "copy_() between dense and sparse Tensors is not implemented! Found self type = {} and src type = {}".format(*names)
        )
    return FORMS["clone"](src).to(input.dtype)


IN_PLACE["copy"] = copy
