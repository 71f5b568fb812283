"""Sparse tensors: how they are made, what they are made of, and the operators that know how they are stored.

Most functions of a sparse tensor are functions of its values: `sparse_forms` takes it apart with `stored`, and puts it together
again with `from_parts`, so that gradients flow through the values.
"""

from __future__ import annotations

from typing import Any

from ..core.dtype import OF_NUMPY
from ..core.layout import normalize_dim
from ..core.sparse import CooArray, Sparse, check_places
from ..kernels import sparse as k
from ..kernels.elementwise import cast
from ..tensor import Tensor, wrap
from .definition import Array, composite, formula_function, ndarray, operator, tensors
from .making import finish, numpy_dtype
from .reduction import sum
from .running import I64

__all__ = ["from_parts", "mask_by", "places", "stored"]


# --- taking apart and putting together ---------------------------------------------------------------------------------


@operator(node="SparseCooTensorWithDimsAndTensorsBackward0", out=False)
def from_parts(indices: Array, values: Array, size: Any, coalesced: Any) -> Array:
    """A sparse array of coordinates (sparse dims, count) and values (count, ...): the memory is shared."""
    return CooArray(indices, values, size, coalesced)


from_parts.derivative(values=lambda F, grad, indices: F.sparse_values_at(grad, indices))


@operator(out=False)
def sparse_values_at(input: Array, indices: Array) -> Array:
    """The values of a sparse or dense array at coordinates (sparse dims, count); zero where none is stored."""
    return k.values_at(input, indices)


sparse_values_at.derivative(input=lambda F, grad, indices, input_shape: F.from_parts(indices, grad, input_shape, False))


@operator(node="ValuesBackward0", out=False)
def stored(input: Array) -> Array:
    """The values of a sparse array: its own memory."""
    return input.values


stored.derivative(input=lambda F, grad, input: F.gradient_at_places(grad, input))


def _gradient_at_places(grad: Any, x: Any) -> Any:
    """The gradient of a sparse array, given that of its values. Those of one place count once: all are the gradient of their sum."""
    if x.__class__ is not CooArray:
        return x.with_values(grad)
    if x.coalesced:
        return CooArray(x.indices, grad, x.shape, True)
    places, first = k.first_of_places(x)
    return CooArray(places, grad[first], x.shape, True)


def _gradient_at_places_of_tensors(grad: Any, x: Any) -> Any:
    array = x._array
    if array.__class__ is not CooArray:
        return tensors.compressed_from_parts(wrap(array.compressed), wrap(array.plain), grad, array.shape, array.layout)
    if array.coalesced:
        return from_parts.function(wrap(array.indices), grad, array.shape, True)
    places, first = k.first_of_places(array)
    return from_parts.function(wrap(places), rows_of_values.function(grad, wrap(first)), array.shape, True)


formula_function("gradient_at_places", _gradient_at_places, _gradient_at_places_of_tensors)


@operator(node="ToDenseBackward0", out=False)
def sparse_to_dense(input: Array, masked_grad: Any) -> Array:
    """The whole array."""
    return input.dense()


sparse_to_dense.derivative(
    input=lambda F, grad, input, masked_grad: (
        F.mask_by(grad, F.sparse_pattern(input)) if masked_grad else F.dense_to_sparse(grad, F.sparse_dims(input))
    )
)


def _numbered(input: Any, sparse_dim: Any) -> str:
    return "ToSparseBackward1" if sparse_dim is None else "ToSparseBackward0"


@operator(node=_numbered, out=False)
def dense_to_sparse(input: Array, sparse_dim: Any) -> Array:
    """What is not zero of a dense array; `sparse_dim` leading dims (None: all of them) are sparse."""
    return k.from_dense(input, input.ndim if sparse_dim is None else sparse_dim)


dense_to_sparse.derivative(input=lambda F, grad: F.as_dense(grad))


@operator(node="CoalesceBackward0", out=False)
def coalesced(input: Array) -> Array:
    """Every place once, in row-major order."""
    return input.coalesce()


coalesced.derivative(input=lambda F, grad: grad)


@operator(node="SparseMaskBackward0", out=False)
def mask_by(input: Array, mask: Array) -> Array:
    """The values of a dense or sparse array at the places of a sparse one."""
    return CooArray(mask.indices, k.values_at(input, mask.indices).astype(input.dtype, copy=False), mask.shape, mask.coalesced)


mask_by.derivative(input=lambda F, grad, input, mask: F.layout_of(F.mask_by(grad, mask), input))


def _same_layout(x: Any, like: Any) -> Any:
    return x.dense() if isinstance(like, ndarray) and isinstance(x, Sparse) else x


def _same_layout_of_tensors(x: Any, like: Any) -> Any:
    return x.to_dense() if not is_sparse(like) else x


formula_function("as_dense", lambda x: x.dense() if isinstance(x, Sparse) else x, lambda x: x.to_dense())
formula_function("layout_of", _same_layout, _same_layout_of_tensors)
formula_function("sparse_pattern", lambda x: x.coalesce(), lambda x: wrap(x._array.coalesce()))
formula_function("sparse_dims", lambda x: x.sparse_dim, lambda x: x._array.sparse_dim)


# --- products, softmax -------------------------------------------------------------------------------------------------


@operator(node="SparseAddmmBackward0", out=False)
def sparse_times_dense(indices: Array, values: Array, dense: Array, rows: Any) -> Array:
    """The sparse matrix (rows, m) of coordinates (2, count) and values, times a dense one (m, k)."""
    return k.times_dense(indices, values, dense, rows)


sparse_times_dense.derivative(
    values=lambda F, grad, indices, dense: F.products_at(F.as_dense(grad), F.conj(dense), indices),
    dense=lambda F, grad, indices, values, dense_shape: F.sparse_times_dense(
        F.reversed_places(indices), F.conj(values), F.as_dense(grad), dense_shape[0]
    ),
)


@operator(out=False)
def products_at(a: Array, b: Array, indices: Array) -> Array:
    """The elements of `a @ b.T` at coordinates (2, count)."""
    return k.products_at(a, b, indices)


products_at.derivative(
    a=lambda F, grad, indices, b, a_shape: F.sparse_times_dense(indices, grad, F.conj(b), a_shape[0]),
    b=lambda F, grad, indices, a, b_shape: F.sparse_times_dense(F.reversed_places(indices), grad, F.conj(a), b_shape[0]),
)
formula_function("reversed_places", lambda x: x[::-1], lambda x: wrap(x._array[::-1]))


@operator(node="MmBackward0", out=False)
def sparse_mm(input: Array, mat2: Array) -> Array:
    """A sparse matrix times a dense one; the gradient of the sparse one is dense."""
    return k.times_dense(input.indices, input.values, mat2, input.shape[0])


sparse_mm.derivative(
    input=lambda F, grad, mat2: F.mm(F.as_dense(grad), F.conj(F.t(mat2))),
    mat2=lambda F, grad, input: F.sparse_mm(F.sparse_adjoint(input), F.as_dense(grad)),
)


@operator(node="SumBackward0", out=False)
def sparse_total(input: Array, dtype: Any) -> Array:
    """The sum of all elements; its gradient is dense."""
    return sum.forward(input.values, None, False, dtype=dtype)


sparse_total.derivative(input=lambda F, grad, input_shape: F.expand(grad, input_shape))


@operator(node="SparseSparseMatmulBackward0", out=False)
def sparse_product(input: Array, other: Array) -> Array:
    """The product of two sparse matrices, sparse."""
    return k.product(input, other)


sparse_product.derivative(
    input=lambda F, grad, input, other: F.mask_by(F.sparse_product(grad, F.sparse_adjoint(other)), F.sparse_pattern(input)),
    other=lambda F, grad, input, other: F.mask_by(F.sparse_product(F.sparse_adjoint(input), grad), F.sparse_pattern(other)),
)


def _adjoint(x: Any) -> Any:
    return CooArray(x.indices[::-1], x.values.conj(), x.shape[::-1], False)


formula_function("sparse_adjoint", _adjoint, lambda x: x.t().conj())


@operator(node="SparseSoftmaxBackward0", out=False)
def sparse_softmax(input: Array, dim: Any, logarithm: Any) -> Array:
    """Softmax, or its logarithm, over what is stored of a coalesced array."""
    return input.with_values(k.softmax(input, dim, logarithm))


sparse_softmax.choose_node = lambda input, dim, logarithm: f"Sparse{'Log' if logarithm else ''}SoftmaxBackward0"
sparse_softmax.derivative(
    input=lambda F, grad, input, result, dim, logarithm: F.sparse_softmax_backward(grad, result, input, dim, logarithm)
)


def _softmax_gradient(grad: Any, result: Any, x: Any, dim: int, logarithm: bool) -> Any:
    """The gradient of `sparse_softmax`'s argument."""
    return x.with_values(k.softmax_backward(k.values_at(grad, x.indices), result.values, x, dim, logarithm))


def _softmax_gradient_of_tensors(grad: Any, result: Any, x: Any, dim: int, logarithm: bool) -> Any:
    array = x._array
    grad, result = sparse_values_at.function(grad, wrap(array.indices)), stored.function(result)
    product = grad if logarithm else grad * result
    if dim >= array.sparse_dim:
        sums = product.sum(dim - array.sparse_dim + 1, keepdim=True)
    else:
        lines, count = k.groups_along(array.indices, array.shape, dim)
        which = wrap(lines)
        sums = rows_of_values.function(rows_scattered.function(product, which, count), which)
    values = grad - result.exp() * sums if logarithm else product - result * sums
    return from_parts.function(wrap(array.indices), values, array.shape, True)


formula_function("sparse_softmax_backward", _softmax_gradient, _softmax_gradient_of_tensors)


@operator(node="IndexSelectBackward0", out=False)
def rows_of_values(input: Array, which: Array) -> Array:
    """The values at positions that may come several times."""
    return input[which]


rows_of_values.derivative(input=lambda F, grad, which, input_shape: F.rows_scattered(grad, which, input_shape[0]))


@operator(out=False)
def rows_scattered(input: Array, places: Array, count: Any) -> Array:
    """Zeros in `count` rows with each row added at its place."""
    return k.scattered(input, places, count)


rows_scattered.derivative(input=lambda F, grad, places: F.rows_of_values(grad, places))


# --- making them ---------------------------------------------------------------------------------------------------


def is_sparse(x: Any) -> bool:
    """Whether it is a tensor of the layout `sparse_coo`."""
    return isinstance(x, Tensor) and x._array.__class__ is CooArray


class Invariants:
    """Whether every construction is checked: see `torch.sparse.check_sparse_tensor_invariants`."""

    enabled = False


def part(data: Any, dtype: Any) -> Any:
    """Indices or values as a tensor; a tensor of the dtype stays as it is."""
    if isinstance(data, Tensor):
        return data if dtype is None or data.dtype is dtype else data.to(dtype)
    return tensors.as_tensor(data, dtype=dtype) if dtype is not None else tensors.as_tensor(data)


def check_requires(requires_grad: Any, dtype: Any) -> None:
    if requires_grad and dtype.kind not in "fcV":
        raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")


@composite("torch.sparse_coo_tensor")
def sparse_coo_tensor(
    indices: Any = None, values: Any = None, size: Any = None, *, dtype: Any = None, device: Any = None, pin_memory: bool = False,
    requires_grad: bool = False, check_invariants: bool | None = None, is_coalesced: bool | None = None,
) -> Tensor:  # fmt: skip
    """A sparse tensor of coordinates (sparse dims, count) and values (count, dense dims): `values[n]` at `indices[:, n]`.

    Coordinates that come several times count as the sum of their values. size: without it, as large as the coordinates need; with
    it alone, an empty tensor. is_coalesced: promises that no coordinates come twice and that they are in order.
    check_invariants: whether that, and that no coordinate lies outside, is looked at.
    Raises RuntimeError where indices, values and size do not go together.
    """
    if indices is None and size is None and values is None:
        raise TypeError("sparse_coo_tensor() received an invalid combination of arguments - got ()")
    if values is None:
        shape = tuple(int(n) for n in (indices if size is None else size))
        if any(n < 0 for n in shape):
            raise RuntimeError(f"size must be nonnegative, but got {list(shape)}")
        kind = wrap_dtype(dtype)
        return finish(empty_coo(shape, kind), requires_grad)
    check = Invariants.enabled if check_invariants is None else check_invariants
    values_ = part(values, dtype)
    if not isinstance(indices, Tensor):
        indices = tensors.as_tensor(indices)
    places_ = cast(indices._array, I64) if indices._array.dtype != I64 else indices._array
    if size is not None and places_.ndim == 1 and values_._array.ndim and len(size) != places_.shape[0] + values_._array.ndim - 1:
        raise RuntimeError(
            f"'len(size) == sparse_dim + dense_dim' is not satisfied: len(size) = {len(size)}, sparse_dim = {places_.shape[0]}, "
            f"dense_dim = {values_._array.ndim - 1}"
        )
    if places_.ndim != 2:
        raise RuntimeError(f"indices must be sparse_dim x nnz, but got: {list(places_.shape)}")
    if not values_._array.ndim:
        values_ = values_.reshape(1)
    array = values_._array
    if array.shape[0] != places_.shape[1]:
        raise RuntimeError(
            f"indices and values must have same nnz, but got nnz from indices: {places_.shape[1]}, nnz from values: {array.shape[0]}"
        )
    sparse_dim, dense_dim = places_.shape[0], array.ndim - 1
    if size is None:
        shape = _inferred(places_, array)
    else:
        shape = tuple(int(n) for n in size)
        if any(n < 0 for n in shape):
            raise RuntimeError("numel: integer multiplication overflow")
        if len(shape) != sparse_dim + dense_dim:
            raise RuntimeError(
                f"'len(size) == sparse_dim + dense_dim' is not satisfied: len(size) = {len(shape)}, sparse_dim = {sparse_dim}, "
                f"dense_dim = {dense_dim}"
            )
        if array.shape[1:] != shape[sparse_dim:]:
            wanted = [array.shape[0], *shape[sparse_dim:]]
            raise RuntimeError(f"values has incorrect size, expected {wanted}, got {list(array.shape)}")
        if check:
            check_places(places_, shape)
    if check and is_coalesced and places_.shape[1] > 1:
        keys = CooArray(places_, array, shape).keys()
        if (keys[1:] <= keys[:-1]).any():
            raise RuntimeError("cannot set is_coalesced to true if indices correspond to uncoalesced COO tensor")
    result = from_parts.function(wrap(places_), values_, shape, bool(is_coalesced))
    if requires_grad and not result.requires_grad:
        check_requires(requires_grad, array.dtype)
        result._requires_grad = True
    return result


def _inferred(indices: Any, values: Any) -> tuple[int, ...]:
    """The least size that takes the coordinates. Raises RuntimeError for negative ones."""
    if not indices.shape[1]:
        return (0,) * indices.shape[0] + values.shape[1:]
    low = indices.min(1)
    for d, n in enumerate(low.tolist()):
        if n < 0:
            raise RuntimeError(f"found negative index {n} for dim {d}")
    return (*[n + 1 for n in indices.max(1).tolist()], *values.shape[1:])


def wrap_dtype(dtype: Any) -> Any:
    """The NumPy dtype for a dtype, by default the default one."""
    from ..core.dtype import DEFAULT

    return DEFAULT.dtype.numpy if dtype is None else numpy_dtype(dtype)


def empty_coo(shape: Any, numpy_type: Any, sparse_dim: int | None = None) -> CooArray:
    """A sparse array with nothing stored."""
    from ..kernels import memory

    cut = len(shape) if sparse_dim is None else sparse_dim
    return CooArray(memory.zeros((cut, 0), I64), memory.zeros((0, *shape[cut:]), numpy_type), shape, False)


# --- methods -----------------------------------------------------------------------------------------------------------


def _expect_coo(self: Any, name: str, kind: str = "sparse coordinate") -> Any:
    array = self._array
    if array.__class__ is not CooArray:
        raise RuntimeError(f"{name} expected {kind} tensor layout but got {LAYOUT_WORDS.get(getattr(array, 'layout', ''), 'Strided')}")
    return array


LAYOUT_WORDS = {
    "sparse_coo": "Sparse", "sparse_csr": "SparseCsr", "sparse_csc": "SparseCsc", "sparse_bsr": "SparseBsr", "sparse_bsc": "SparseBsc",
}  # fmt: skip


@composite("Tensor.coalesce")
def coalesce(self: Any) -> Any:
    """The same tensor with every place once, in row-major order, and values at one place summed; itself if it is so already."""
    array = _expect_coo(self, "coalesce")
    return self if array.coalesced else coalesced.function(self)


@composite("Tensor.is_coalesced")
def is_coalesced(self: Any) -> bool:
    """Whether every place is known to come once, in row-major order."""
    return _expect_coo(self, "is_coalesced").coalesced


@composite("Tensor._coalesced_")
def _coalesced_(self: Any, coalesced: bool) -> Any:
    """Says of the tensor whether it is coalesced, unchecked."""
    _expect_coo(self, "_coalesced_").coalesced = coalesced
    return self


@composite("Tensor.indices")
def indices(self: Any) -> Any:
    """The coordinates (sparse dims, count) of a coalesced tensor. Raises RuntimeError for one that is not."""
    if not _expect_coo(self, "indices").coalesced:
        raise RuntimeError("Cannot get indices on an uncoalesced tensor, please call .coalesce() first")
    return wrap(self._array.indices)


@composite("Tensor.values")
def values(self: Any) -> Any:
    """The values, (count, dense dims) of a coalesced tensor, which gradients flow through. Raises RuntimeError for one that is not."""
    array = self._array
    if not isinstance(array, Sparse):
        raise RuntimeError("values expected sparse tensor layout but got Strided")
    if array.__class__ is CooArray and not array.coalesced:
        raise RuntimeError("Cannot get values on an uncoalesced tensor, please call .coalesce() first")
    return stored.function(self)


@composite("Tensor._indices")
def places(self: Any) -> Any:
    """The coordinates as they are."""
    if self._array.__class__ is not CooArray:
        from ..core.sparse import refusal

        raise refusal("_indices", "CPU")
    return wrap(self._array.indices)


@composite("Tensor._values")
def _values(self: Any) -> Any:
    """The values as they are, outside the graph."""
    array = self._array
    if not isinstance(array, Sparse):
        from ..core.sparse import refusal

        raise refusal("_values", "CPU")
    return wrap(array.values)


@composite("Tensor._nnz")
def _nnz(self: Any) -> int:
    """How many values are stored."""
    array = self._array
    if not isinstance(array, Sparse):
        from ..core.sparse import refusal

        raise refusal("_nnz", "CPU")
    return array.nnz


@composite("Tensor._dimI")
def _dimI(self: Any) -> int:
    """`sparse_dim`."""
    return self.sparse_dim()


@composite("Tensor._dimV")
def _dimV(self: Any) -> int:
    """`dense_dim`."""
    return self.dense_dim()


@composite("Tensor.sparse_dim")
def sparse_dim(self: Any) -> int:
    """How many of the dims are sparse: 0 for a dense tensor."""
    return self._array.sparse_dim if isinstance(self._array, Sparse) else 0


@composite("Tensor.dense_dim")
def dense_dim(self: Any) -> int:
    """How many of the dims are dense: all of a dense tensor's."""
    return self._array.dense_dim if isinstance(self._array, Sparse) else self.dim()


@composite("Tensor.sparse_mask")
def sparse_mask(self: Any, mask: Any) -> Any:
    """The values at the places of a sparse tensor of the same size. Raises RuntimeError where the sizes differ."""
    from ..core.sparse import refusal

    if not isinstance(mask._array, Sparse):
        raise refusal("_nnz" if isinstance(self._array, Sparse) else "sparse_mask", "CPU")
    if self.shape != mask.shape:
        raise RuntimeError(
            f"sparse_mask(): operands have incompatible sizes; self has size {list(self.shape)} but mask has size {list(mask.shape)}"
        )
    if mask._array.__class__ is not CooArray:
        from .compressed import mask_compressed

        return mask_compressed(self, mask)
    return mask_by.function(self, mask.detach())


@composite("Tensor.sparse_resize_")
def sparse_resize_(self: Any, size: Any, sparse_dim: int, dense_dim: int) -> Any:
    """Another size for a sparse tensor, in place. Raises RuntimeError where stored values would lie outside or not fit."""
    array = _expect_coo(self, "sparse_resize_")
    size = tuple(size)
    if sparse_dim + dense_dim != len(size):
        raise RuntimeError(
            f"'len(size) == sparse_dim + dense_dim' is not satisfied: len(size) = {len(size)}, sparse_dim = {sparse_dim}, "
            f"dense_dim = {dense_dim}"
        )
    if array.nnz:
        if (sparse_dim, dense_dim) != (array.sparse_dim, array.dense_dim):
            raise RuntimeError(
                f"changing the number of {'sparse' if sparse_dim != array.sparse_dim else 'dense'} dimensions (from "
                f"{array.sparse_dim if sparse_dim != array.sparse_dim else array.dense_dim} to "
                f"{sparse_dim if sparse_dim != array.sparse_dim else dense_dim}) on a non-empty sparse tensor is not supported."
            )
        if size[sparse_dim:] != array.shape[sparse_dim:]:
            raise NotImplementedError("sparse_resize_ with other dense sizes on a non-empty sparse tensor is not supported")
        if any(n < m for n, m in zip(size, array.shape)):
            raise RuntimeError(
                f"shrinking the size of sparse dimensions (from {list(array.shape[:sparse_dim])} to {list(size[:sparse_dim])}) on a "
                "non-empty sparse tensor is not supported."
            )
        self._array = CooArray(array.indices, array.values, size, array.coalesced)
    else:
        self._array = empty_coo(size, array.dtype, sparse_dim)
    return self


@composite("Tensor.sparse_resize_and_clear_")
def sparse_resize_and_clear_(self: Any, size: Any, sparse_dim: int, dense_dim: int) -> Any:
    """Another size for a sparse tensor, with nothing stored, in place."""
    array = _expect_coo(self, "sparse_resize_and_clear_")
    if sparse_dim + dense_dim != len(size):
        raise RuntimeError(
            f"'len(size) == sparse_dim + dense_dim' is not satisfied: len(size) = {len(size)}, sparse_dim = {sparse_dim}, "
            f"dense_dim = {dense_dim}"
        )
    self._array = empty_coo(tuple(size), array.dtype, sparse_dim)
    return self


# --- conversion ----------------------------------------------------------------------------------------------------


@composite("Tensor.to_dense")
def to_dense(self: Any, dtype: Any = None, *, masked_grad: bool | None = None) -> Any:
    """The tensor with all its elements; a dense one is returned as it is, in `dtype` if given.

    masked_grad: whether the gradient keeps to what is stored (the default) or becomes all of the dense one.
    """
    array = self._array
    if not isinstance(array, Sparse):
        return self if dtype is None else self.to(dtype)
    if dtype is not None:
        raise RuntimeError("dtype argument is not supported by sparse_to_dense")
    if array.__class__ is not CooArray:
        from .compressed import compressed_to_dense

        return compressed_to_dense.function(self, masked_grad is not False)
    return sparse_to_dense.function(self, masked_grad is not False)


@composite("Tensor.to_sparse")
def to_sparse(self: Any, sparse_dim: int | None = None, *, layout: Any = None, blocksize: Any = None, dense_dim: int | None = None) -> Any:
    """What is not zero, as a sparse tensor with `sparse_dim` leading sparse dims (all), or of another layout."""
    name = "sparse_coo" if layout is None else layout.name
    array = self._array
    if name == "strided":
        return self.to_dense() if isinstance(array, Sparse) else self
    if name != "sparse_coo":
        from .compressed import to_compressed

        return to_compressed(self, name, blocksize, dense_dim)
    if blocksize is not None:
        raise RuntimeError(
            "to_sparse: conversion from {} to Sparse does not use specified blocksize".format(
                LAYOUT_WORDS.get(getattr(array, "layout", ""), "Strided")
            )
        )
    if array.__class__ is CooArray:
        if sparse_dim is not None and sparse_dim != array.sparse_dim:
            raise RuntimeError("to_sparse: conversion from Sparse to Sparse with sparse_dim argument !=self.sparse_dim() is not supported")
        return self
    if isinstance(array, Sparse):
        from .compressed import compressed_to_coo

        return compressed_to_coo(self, sparse_dim)
    ndim = array.ndim
    if sparse_dim is not None:
        if not 0 <= sparse_dim <= ndim:
            raise RuntimeError(f"dense_to_sparse: sparse_dim argument must be in [0,{ndim}] range, but {sparse_dim} is given")
        if ndim and not sparse_dim:
            raise RuntimeError("dense_to_sparse: sparse_dim argument must be in >0 when self.dim()>0")
    return dense_to_sparse.function(self, sparse_dim)


@composite("Tensor.to_sparse_coo")
def to_sparse_coo(self: Any) -> Any:
    """`to_sparse()`."""
    return to_sparse(self)


# --- sums, and empty ones ---------------------------------------------------------------------------------------------


def sparse_sum(input: Any, dim: Any = None, *, dtype: Any = None) -> Any:
    """The sum of a sparse tensor over all dims, or over those in `dim`: sparse unless all sparse dims are summed over."""
    array = _expect_coo(input, "coalesce")
    x = coalesce(input)
    if dim is None or dim == ():
        return tensors.sum(stored.function(x)) if dtype is None else tensors.sum(stored.function(x), dtype=dtype)
    dims = [dim] if isinstance(dim, int) else list(dim)
    if not dims:
        raise RuntimeError("dim must not be empty")
    dims = [normalize_dim(d, len(array.shape)) for d in dims]
    if len(set(dims)) != len(dims):
        raise RuntimeError(f"dim {next(d for d in dims if dims.count(d) > 1)} appears multiple times in the list of dims")
    return sum_over(x, dims, False, dtype)


def sum_over(x: Any, dims: list[int], keepdim: bool, dtype: Any) -> Any:
    """The sum over several dims of a coalesced sparse tensor; dense where no sparse dim is left and none is kept."""
    array = x._array
    cut = array.sparse_dim
    values = stored.function(x)
    if dtype is not None:
        values = values.to(dtype)
    elif array.dtype.kind in "iub":
        values = values.to(OF_NUMPY[I64])
    inner = [d - cut + 1 for d in dims if d >= cut]
    if inner:
        values = tensors.sum(values, inner, keepdim)
    over = [d for d in dims if d < cut]
    rest = [d for d in range(cut) if d not in over]
    shape = (
        [1 if d in dims else n for d, n in enumerate(array.shape)] if keepdim else [n for d, n in enumerate(array.shape) if d not in dims]
    )
    if not over:
        return from_parts.function(wrap(array.indices), values, shape, True)
    if not rest and not keepdim:
        return tensors.sum(values, 0)
    kept = array.indices.copy()
    kept[over] = 0
    result = from_parts.function(wrap(kept if keepdim else array.indices[rest]), values, shape, False)
    result = coalesced.function(result)
    if keepdim:
        result._array.coalesced = result._array.nnz < 2
    return result


def empty_like_sparse(array: Any, numpy_type: Any) -> Any:
    """A sparse array of the same shape and layout, with nothing stored."""
    if array.__class__ is CooArray:
        return empty_coo(array.shape, numpy_type, array.sparse_dim)
    from .compressed import empty_like_compressed

    return empty_like_compressed(array, numpy_type)


def empty_of_layout(name: str, shape: Any, numpy_type: Any) -> Any:
    """A sparse array of a layout, with nothing stored."""
    if name == "sparse_coo":
        return empty_coo(shape, numpy_type)
    from .compressed import empty_compressed

    return empty_compressed(name, shape, numpy_type)
