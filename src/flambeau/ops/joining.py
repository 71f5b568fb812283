"""Joining tensors, and repeating them."""

from __future__ import annotations

from typing import Any

from ..core.dtype import OF_NUMPY
from ..core.layout import broadcast_shapes as broadcast_shapes_of
from ..core.layout import channels_last_format, contiguous_format, in_format_of, normalize_dim, strided_view, strides_of
from ..core.promotion import promote_types
from ..core.size import Size
from ..kernels import memory, placing
from ..tensor import PLAIN, Tensor, wrap
from .definition import Array, composite, operator, tensors
from .running import refuse
from .shape import as_dim, clone_tensor, expand, ints, reshape_tensor, unsqueeze, view

_view, _expand, _unsqueeze = view.function, expand.function, unsqueeze.function


def joined_dtype(arrays: Any) -> Any:
    """The NumPy dtype that all promote to."""
    found = OF_NUMPY[arrays[0].dtype]
    for a in arrays:
        if a.dtype is not found.numpy:
            found = promote_types(found, OF_NUMPY[a.dtype])
    return found.numpy


@operator("torch.cat", "torch.concat", "torch.concatenate")
def cat(tensors: list[Array], dim: int = 0, into: Any = None) -> Array:
    """Tensors one behind the other along a dimension. Empty 1-dim tensors do not count.

    Raises RuntimeError unless they agree in all other dimensions.
    """
    if not tensors:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    dtype = tensors[0].dtype
    mixed = False
    for a in tensors:
        if a.dtype is not dtype:
            mixed, dtype = True, joined_dtype(tensors)
            break
    if not mixed:
        try:
            result = placing.concatenate(tensors, dim, into)
            return result if tensors[0].flags.c_contiguous else _in_common_format(tensors, result)
        except (ValueError, TypeError, IndexError):
            pass
    for i, a in enumerate(tensors):
        if not a.ndim:
            raise RuntimeError(f"zero-dimensional tensor (at position {i}) cannot be concatenated")
    kept = [a for a in tensors if a.shape != (0,)]
    first = kept[0] if kept else tensors[0]
    d = normalize_dim(dim, first.ndim)
    for i, a in enumerate(tensors):
        if a.shape == (0,):
            continue
        if a.ndim != first.ndim:
            raise RuntimeError(f"Tensors must have same number of dimensions: got {first.ndim} and {a.ndim}")
        for j, (n, m) in enumerate(zip(first.shape, a.shape)):
            if n != m and j != d:
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {d}. Expected size {n} but got size {m} for tensor number {i} in "
                    "the list."
                )
    return _in_common_format(kept, placing.concatenate([a.astype(dtype, copy=False) for a in kept or tensors[:1]], d))


def _in_common_format(arrays: list[Array], result: Array) -> Array:
    """What was joined with channels last, if all the parts had them there; row-major else."""
    formats = {channels_last_format(a) for a in arrays}
    if len(formats) == 1 and None not in formats:
        return in_format_of(arrays[0], result)
    return result if result.flags.c_contiguous else result.copy()


def _cat_gradient(F: Any, grad: Any, shapes: Any, dim: int) -> list[Any]:
    found, start = [], 0
    ndim = max(len(s) for s in shapes)
    d = dim % ndim
    for shape in shapes:
        if shape == (0,) and ndim > 1:
            found.append(F.zeros(shape, getattr(grad, "_array", grad).dtype))
            continue
        found.append(F.slice_dim(grad, d, start, start + shape[d], 1))
        start += shape[d]
    return found


cat.derivative(tensors=lambda F, grad, tensors_shape, dim: _cat_gradient(F, grad, tensors_shape, dim))


@operator("torch.stack")
def stack(tensors: list[Array], dim: int = 0, into: Any = None) -> Array:
    """Tensors of one shape side by side along a new dimension."""
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    first = tensors[0]
    shape, dtype = first.shape, first.dtype
    if dim.__class__ is not int or dim < 0 or dim > len(shape):
        dim = normalize_dim(dim, len(shape) + 1)
    mixed = False
    for i, a in enumerate(tensors):
        if a.shape != shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(shape)} at entry 0 and {list(a.shape)} at entry {i}"
            )
        mixed = mixed or a.dtype is not dtype
    if mixed:
        dtype = joined_dtype(tensors)
        tensors = [a.astype(dtype, copy=False) for a in tensors]
    if not first.flags.c_contiguous and dim < first.ndim:  # as if joined along the dimension, which is then split in two
        joined = _in_common_format(tensors, placing.concatenate(tensors, dim))
        if not joined.flags.c_contiguous:
            strides = strides_of(joined)
            strides = (*strides[:dim], strides[dim] * shape[dim], *strides[dim:])
            return strided_view(joined, (*shape[:dim], len(tensors), *shape[dim:]), strides)
    return placing.stack(tensors, dim, into)


stack.derivative(tensors=lambda F, grad, dim: F.unbind(grad, dim))


# --- tensors of some least number of dimensions, and joining these -------------------------------------------------


def _each(tensors_: Any, one: Any) -> Any:
    """`one` of a tensor, or of each of several."""
    if len(tensors_) == 1 and isinstance(tensors_[0], (tuple, list)):
        tensors_ = tensors_[0]
    elif len(tensors_) == 1:
        if not isinstance(tensors_[0], Tensor):
            raise TypeError(f"{one.__name__}(): argument 'tensors' must be tuple of Tensors, not {type(tensors_[0]).__name__}")
        return one(tensors_[0])
    for i, t in enumerate(tensors_):
        if not isinstance(t, Tensor):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {type(t).__name__}")
    return tuple([one(t) for t in tensors_])


def _at_least_1(x: Tensor) -> Tensor:
    return _view(x, (1,)) if not x._array.ndim else x


def _at_least_2(x: Tensor) -> Tensor:
    ndim = x._array.ndim
    return _view(x, (1, 1)) if ndim == 0 else _unsqueeze(x, 0) if ndim == 1 else x


def _at_least_3(x: Tensor) -> Tensor:
    ndim = x._array.ndim
    if ndim == 0:
        return _view(x, (1, 1, 1))
    return _unsqueeze(_unsqueeze(x, 0), 2) if ndim == 1 else _unsqueeze(x, 2) if ndim == 2 else x


@composite("torch.atleast_1d")
def atleast_1d(*tensors: Any) -> Any:
    """Views with at least one dimension."""
    return _each(tensors, _at_least_1)


@composite("torch.atleast_2d")
def atleast_2d(*tensors: Any) -> Any:
    """Views with at least two dimensions, new ones in front."""
    return _each(tensors, _at_least_2)


@composite("torch.atleast_3d")
def atleast_3d(*tensors: Any) -> Any:
    """Views with at least three dimensions: a vector becomes (1, n, 1), a matrix (m, n, 1)."""
    return _each(tensors, _at_least_3)


def _some(tensors: Any, name: str) -> Any:
    if not isinstance(tensors, (tuple, list)):
        raise TypeError(f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not {type(tensors).__name__}")
    if not tensors:
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    for i, t in enumerate(tensors):
        if not isinstance(t, Tensor):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {type(t).__name__}")
    return tensors


@composite("torch.hstack")
def hstack(tensors: Any, *, out: Any = None) -> Tensor:
    """Joins along the second dimension; vectors along their only one."""
    parts = [_at_least_1(t) for t in _some(tensors, "hstack")]
    return cat.function(parts, 0 if parts[0]._array.ndim == 1 else 1, out=out)


@composite("torch.vstack", "torch.row_stack")
def vstack(tensors: Any, *, out: Any = None) -> Tensor:
    """Joins along the first dimension; vectors count as rows."""
    return cat.function([_at_least_2(t) for t in _some(tensors, "vstack")], 0, out=out)


@composite("torch.dstack")
def dstack(tensors: Any, *, out: Any = None) -> Tensor:
    """Joins along the third dimension."""
    return cat.function([_at_least_3(t) for t in _some(tensors, "dstack")], 2, out=out)


@composite("torch.column_stack")
def column_stack(tensors: Any, *, out: Any = None) -> Tensor:
    """Joins along the second dimension; vectors count as columns."""
    parts = []
    for t in _some(tensors, "column_stack"):
        parts.append(reshape_tensor(t, (t._array.size, 1)) if t._array.ndim <= 1 else t)
    return hstack(parts, out=out)


@operator(node="BlockDiagBackward0")
def joined_blocks(tensors: list[Array]) -> Array:
    """Matrices along the diagonal."""
    return placing.block_diagonal(tensors, joined_dtype(tensors))


def _block_gradients(F: Any, grad: Any, shapes: Any) -> list[Any]:
    found = []
    i = j = 0
    for m, n in shapes:
        found.append(F.slice_dim(F.slice_dim(grad, 0, i, i + m, 1), 1, j, j + n, 1))
        i, j = i + m, j + n
    return found


joined_blocks.derivative(tensors=lambda F, grad, tensors_shape: _block_gradients(F, grad, tensors_shape))


@composite("torch.block_diag")
def block_diag(*tensors: Tensor) -> Tensor:
    """Matrices (vectors count as rows) along the diagonal of a larger matrix."""
    for i, t in enumerate(tensors):
        if t._array.ndim > 2:
            raise RuntimeError(f"torch.block_diag: Input tensors must have 2 or fewer dimensions. Input {i} has {t._array.ndim} dimensions")
    return joined_blocks.function([_at_least_2(t) for t in tensors])


# --- grids and combinations ----------------------------------------------------------------------------------------


@composite("torch.broadcast_shapes")
def broadcast_shapes(*shapes: Any) -> Size:
    """The common shape of shapes that broadcast together. Raises RuntimeError where there is none."""
    result: list[int] = [1] * max((1 if hasattr(s, "__index__") else len(s) for s in shapes), default=0)
    for number, shape in enumerate(shapes):
        shape = (shape,) if hasattr(shape, "__index__") else shape
        for back in range(-1, -1 - len(shape), -1):
            n = shape[back]
            if n < 0:
                raise ValueError("Attempting to broadcast a dimension with negative length!")
            if n == 1 or n == result[back]:
                continue
            if result[back] != 1:
                raise RuntimeError(
                    f"Attempting to broadcast a dimension of length {n} at {back}! Mismatching argument at index {number} had {shape}; but "
                    f"expected shape should be broadcastable to {result}"
                )
            result[back] = n
    return Size(result)


@composite("torch.broadcast_tensors")
def broadcast_tensors(*tensors: Any) -> Any:
    """The tensors expanded to their common shape."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    shape = broadcast_shapes_of(*[t._array.shape for t in tensors])
    return tuple([_expand(t, shape) for t in tensors])


@composite("torch.meshgrid")
def meshgrid(*tensors: Any, indexing: str | None = None) -> Any:
    """Coordinates of a grid: each vector expanded over the dimensions of the others, in matrix (`ij`) or picture (`xy`) order."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    if not tensors:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    if indexing is None:
        import warnings

        warnings.warn("torch.meshgrid: in an upcoming release, it will be required to pass the indexing argument.", stacklevel=3)
        indexing = "ij"
    if not isinstance(indexing, str):
        raise TypeError(f"meshgrid(): argument 'indexing' must be str, not {type(indexing).__name__}")
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    for t in tensors:
        if t._array.ndim > 1:
            raise RuntimeError(f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {t}")
    for t in tensors[1:]:
        if t._array.dtype != tensors[0]._array.dtype:
            raise RuntimeError("torch.meshgrid expects all tensors to have the same dtype")
    swap = indexing == "xy" and len(tensors) >= 2
    given = [tensors[1], tensors[0], *tensors[2:]] if swap else list(tensors)
    shape = tuple([t._array.size for t in given])
    grids = []
    for i, t in enumerate(given):
        grids.append(_expand(_view(t, (1,) * i + (t._array.size,) + (1,) * (len(given) - i - 1)), shape))
    if swap:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


@composite("torch.cartesian_prod")
def cartesian_prod(*tensors: Any) -> Tensor:
    """All combinations of one element from each vector, a row each."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    for t in tensors:
        if t._array.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(t._array.shape)}")
    if len(tensors) == 1:
        return tensors[0]
    return stack.function([reshape_tensor(g, (-1,)) for g in meshgrid(*tensors, indexing="ij")], 1)


@composite("torch.combinations")
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of `r` elements of a vector in their order, a row each."""
    if input._array.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input._array.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return wrap(memory.empty(0, input._array.dtype))
    n = input._array.size
    mask = wrap(placing.choices(n, r, with_replacement))
    grids = meshgrid(*[input] * r, indexing="ij")
    return stack.function([tensors.masked_select(g, mask) for g in grids], 1)


# --- repeating -----------------------------------------------------------------------------------------------------


@operator(out=False)
def repeat(input: Array, repeats: Any) -> Array:
    """Copies side by side."""
    return placing.repeat(input, repeats)


def _repeat_gradient(F: Any, grad: Any, shape: Any, repeats: Any) -> Any:
    lead = len(repeats) - len(shape)
    if 0 in repeats:
        return F.zeros(shape, getattr(grad, "_array", grad).dtype)
    full = (1,) * lead + tuple(shape)
    split = F.reshape(grad, tuple([n for pair in zip(repeats, full) for n in pair]))
    return F.reshape(F.sum_to(split, tuple([n for m in full for n in (1, m)])), shape)


repeat.derivative(input=lambda F, grad, input_shape, repeats: _repeat_gradient(F, grad, input_shape, repeats))


@composite("Tensor.repeat")
def repeat_method(self: Tensor, *args: Any, repeats: Any = None) -> Tensor:
    """Copies side by side, so many in each dimension; more repeats than dimensions add new ones in front."""
    repeats = ints(args if repeats is None else (repeats,), "repeat", "repeats")
    shape = self._array.shape
    if len(repeats) < len(shape):
        raise RuntimeError("Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor")
    if repeats and min(repeats) < 0:
        full = (1,) * (len(repeats) - len(shape)) + shape
        sizes = [r * n for r, n in zip(repeats, full)]
        raise RuntimeError(f"Trying to create tensor with negative dimension {next(n for n in sizes if n < 0)}: {sizes}")
    return repeat.function(self, repeats)


repeat_method.__name__ = "repeat"


@composite("Tensor.tile")
def tile_method(self: Tensor, *args: Any, dims: Any = None) -> Tensor:
    """Copies side by side; missing repeats count as 1."""
    dims = ints(args if dims is None else (dims,), "tile", "dims")
    return repeat_method(self, (1,) * (self._array.ndim - len(dims)) + dims)


tile_method.__name__ = "tile"


@composite("torch.tile")
def tile(input: Tensor, dims: Any) -> Tensor:
    """Copies side by side; missing repeats count as 1."""
    return tile_method(input, dims)


@composite("torch.repeat_interleave", "Tensor.repeat_interleave")
def repeat_interleave(input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None) -> Tensor:
    """Each element (or each part along `dim`) several times in a row: `repeats` times, or as often as a tensor of counts says.

    With only one argument, a vector of counts: the indices that would repeat accordingly.
    """
    if repeats is None:
        counts = input._array
        if counts.dtype.kind not in "iu" or counts.itemsize < 4:
            refuse(counts, "repeat_interleave_cpu")
        if counts.ndim != 1:
            raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
        if counts.size and counts.min() < 0:
            raise RuntimeError("repeats can not be negative")
        return wrap(placing.repeated_places(counts))
    if dim is None:
        input, dim = reshape_tensor(input, (-1,)), 0
    ndim = input._array.ndim
    d = normalize_dim(dim, ndim)
    if not isinstance(repeats, Tensor):
        count = as_dim(repeats, "repeat_interleave", "repeats", 2)
        if count < 0:
            raise RuntimeError("Repeats must be non-negative")
        if not ndim:
            return repeat_interleave(reshape_tensor(input, (1,)), count, 0)
        if d == ndim - 1 and input._array.size >= memory.LARGE and type(input) in PLAIN and not input.requires_grad:
            repeated = placing.repeat_each(input._array, count)
            if repeated is not None:
                return wrap(repeated)
        wide = list(input._array.shape)
        wide.insert(d + 1, count)
        shape = list(input._array.shape)
        shape[d] *= count
        return _view(clone_tensor(_expand(_unsqueeze(input, d + 1), tuple(wide)), contiguous_format), tuple(shape))
    counts = repeats._array
    if counts.ndim > 1:
        raise RuntimeError("repeats must be 0-dim or 1-dim tensor")
    n = input._array.shape[d] if ndim else 1
    if counts.size == 1:
        counts = memory.full(n, int(counts.reshape(-1)[0]), counts.dtype)
    elif counts.size != n:
        raise RuntimeError(
            f"repeats must have the same size as input along dim, but got repeats.size(0) = {counts.size} and input.size({d}) = {n}"
        )
    return tensors.index_select(input, d, repeat_interleave(wrap(counts)))
