"""Tensors of the compressed sparse layouts: how they are made and converted, and what they are made of."""

from __future__ import annotations

from typing import Any

from ..core.compressed import CompressedArray, check, compress_dense, reformat
from ..core.compressed import empty as empty_array
from ..core.sparse import CooArray, Sparse
from ..kernels import sparse as k
from ..kernels.elementwise import cast
from ..kernels.memory import contiguous
from ..tensor import Tensor, wrap
from .definition import Array, composite, formula_function, ndarray, operator, tensors
from .running import I64
from .sparse import LAYOUT_WORDS, Invariants, check_requires, from_parts, part, sparse_times_dense, stored, to_sparse

BLOCKS = ("sparse_bsr", "sparse_bsc")


@operator(node="SparseCompressedTensorBackward0", out=False)
def compressed_from_parts(compressed: Array, plain: Array, values: Array, size: Any, layout: Any) -> Array:
    """A compressed array of its parts: the memory is shared."""
    return CompressedArray(compressed, plain, values, size, layout)


compressed_from_parts.derivative(
    values=lambda F, grad, compressed, plain, values_shape, size, layout: F.values_like(grad, compressed, plain, values_shape, size, layout)
)


def _values_like(grad: Any, compressed: Any, plain: Any, shape: Any, size: Any, layout: Any) -> Any:
    """The gradient of values: that of the whole at their places."""
    if isinstance(grad, CompressedArray) and grad.compressed is compressed and grad.plain is plain:
        return grad.values
    whole = grad.dense() if isinstance(grad, Sparse) else grad
    return CompressedArray(compressed, plain, _Shaped(shape), size, layout).at(whole)  # type: ignore[arg-type]


class _Shaped:
    """Stands for values of a shape, where only that is asked for."""

    def __init__(self, shape: Any) -> None:
        self.shape, self.ndim = shape, len(shape)


def _values_like_of_tensors(grad: Any, compressed: Any, plain: Any, shape: Any, size: Any, layout: Any) -> Any:
    if isinstance(grad._array, CompressedArray) and grad._array.plain is plain._array:
        return stored.function(grad)
    array = CompressedArray(compressed._array, plain._array, _Shaped(shape), size, layout)  # type: ignore[arg-type]
    return grad.to_dense()[tuple(wrap(p) for p in array.places())]


formula_function("values_like", _values_like, _values_like_of_tensors)


@operator(node="ToDenseBackward0", out=False)
def compressed_to_dense(input: Array, masked_grad: Any) -> Array:
    """The whole array."""
    return input.dense()


compressed_to_dense.derivative(input=lambda F, grad, input: F.compressed_at(grad, input))
formula_function(
    "compressed_at",
    lambda grad, like: like.with_values(like.at(grad.dense() if isinstance(grad, Sparse) else grad)),
    lambda grad, like: with_new_values(like, grad.to_dense()[tuple(wrap(p) for p in like._array.places())]),
)


@operator(node="ToSparseBackward0", out=False)
def dense_to_compressed(input: Array, layout: Any, block: Any, dense_dim: Any) -> Array:
    """What is not zero of a dense array."""
    return compress_dense(input, layout, block, dense_dim)


dense_to_compressed.choose_node = lambda input, layout, block, dense_dim: f"ToSparse{layout[7:].capitalize()}Backward0"
dense_to_compressed.derivative(input=lambda F, grad: F.as_dense(grad))


@operator(node="ToSparseBackward0", out=False)
def reformatted(input: Array, layout: Any, block: Any) -> Array:
    """A sparse array in a compressed layout."""
    return reformat(input, layout, block)


reformatted.derivative(input=lambda F, grad, input: F.in_layout_of(grad, input))


def _in_layout_of(grad: Any, like: Any) -> Any:
    whole = grad.dense() if isinstance(grad, Sparse) else grad
    if isinstance(like, CompressedArray):
        return like.with_values(like.at(whole))
    return CooArray(like.coalesce().indices, whole[tuple(like.coalesce().indices)], like.shape, True)


def _in_layout_of_tensors(grad: Any, like: Any) -> Any:
    if isinstance(like._array, CompressedArray):
        return with_new_values(like, grad.to_dense()[tuple(wrap(p) for p in like._array.places())])
    return grad.to_dense().sparse_mask(like.detach().coalesce())


formula_function("in_layout_of", _in_layout_of, _in_layout_of_tensors)


def with_new_values(x: Any, values: Any) -> Any:
    """The tensor with other values at the same places."""
    array = x._array
    return compressed_from_parts.function(wrap(array.compressed), wrap(array.plain), values, array.shape, array.layout)


@operator(node="SparseSampledAddmmBackward0", out=False)
def sampled_products(input: Array, mat1: Array, mat2: Array, beta: Any, alpha: Any) -> Array:
    """`beta * input + alpha * (mat1 @ mat2)` at the places of a matrix in CSR."""
    values = k.products_at(mat1, contiguous(mat2.T), input.coo().indices)
    if alpha != 1:
        values = (values * alpha).astype(values.dtype, copy=False)
    return input.with_values(values if beta == 0 else values + (input.values * beta).astype(values.dtype, copy=False))


sampled_products.derivative(
    input=lambda F, grad, beta: grad * beta,
    mat1=lambda F, grad, input, mat2, alpha: F.sampled_times(F.compressed_at(grad, input), F.conj(F.t(mat2)), False) * alpha,
    mat2=lambda F, grad, input, mat1, alpha: F.t(F.sampled_times(F.compressed_at(grad, input), F.conj(mat1), True)) * alpha,
)


def _sampled_times(x: Any, dense: Any, turned: bool) -> Any:
    """A matrix in CSR, or `dense.T @ x` turned, times a dense one."""
    coo = x.coo()
    if turned:
        return k.times_dense(coo.indices[::-1], coo.values, dense, coo.shape[1])
    return k.times_dense(coo.indices, coo.values, dense, coo.shape[0])


def _sampled_times_of_tensors(x: Any, dense: Any, turned: bool) -> Any:
    indices = x._array.coo().indices
    rows = x._array.shape[1 if turned else 0]
    return sparse_times_dense.function(wrap(indices[::-1] if turned else indices), stored.function(x), dense, rows)


formula_function("sampled_times", _sampled_times, _sampled_times_of_tensors)


# --- making them -----------------------------------------------------------------------------------------------------


def _make(
    compressed: Any, plain: Any, values: Any, size: Any, layout: str, dtype: Any, requires_grad: bool, check_invariants: Any
) -> Tensor:
    first, second = part(compressed, None)._array, part(plain, None)._array
    checks = Invariants.enabled if check_invariants is None else check_invariants
    values_ = part(values, dtype)
    array = values_._array
    names = ("crow_indices", "col_indices") if layout in ("sparse_csr", "sparse_bsr") else ("ccol_indices", "row_indices")
    if first.dtype != second.dtype:
        from ..core.dtype import OF_NUMPY, SCALAR_NAMES

        kinds = [SCALAR_NAMES[OF_NUMPY[x.dtype]] for x in (first, second)]
        raise RuntimeError(f"{names[0]} and {names[1]} must have the same dtype, bot got {kinds[0]} and {kinds[1]}, respectively")
    if first.dtype.kind != "i" or first.dtype.itemsize < 4:
        first, second = cast(first, I64), cast(second, I64)
    if not first.ndim or not second.ndim or not array.ndim:
        raise RuntimeError(f"{names[0]}, {names[1]} and values must have at least one dimension")
    lead, extra = second.ndim - 1, 2 if layout in BLOCKS else 0
    if array.ndim < lead + 1 + extra:
        raise RuntimeError(
            f"values must have dimensionality > sum of batch and block dimensionalities (={lead} + {extra}) but got {array.ndim}"
        )
    dense_dim = array.ndim - lead - 1 - extra
    if size is None:
        lines, across = first.shape[-1] - 1, int(second.max()) + 1 if second.size else 0
        if extra:
            block = array.shape[lead + 1 : lead + 3]
            lines, across = (lines * block[0], across * block[1]) if layout == "sparse_bsr" else (lines * block[1], across * block[0])
        matrix = (lines, across) if layout in ("sparse_csr", "sparse_bsr") else (across, lines)
        shape = (*second.shape[:-1], *matrix, *array.shape[lead + 1 + extra :])
    else:
        shape = tuple(int(n) for n in size)
        if len(shape) != lead + 2 + dense_dim:
            raise RuntimeError(
                f"tensor dimensionality must be sum of batch, base, and dense dimensionalities (={lead} + 2 + {dense_dim}) but got "
                f"{len(shape)}"
            )
    if checks:
        check(CompressedArray(first, second, array, shape, layout))
    result = compressed_from_parts.function(wrap(first), wrap(second), values_, shape, layout)
    if requires_grad and not result.requires_grad:
        check_requires(requires_grad, array.dtype)
        result._requires_grad = True
    return result


@composite("torch.sparse_compressed_tensor")
def sparse_compressed_tensor(
    compressed_indices: Any, plain_indices: Any, values: Any, size: Any = None, *, dtype: Any = None, layout: Any = None,
    device: Any = None, pin_memory: bool = False, requires_grad: bool = False, check_invariants: bool | None = None,
) -> Tensor:  # fmt: skip
    """A sparse tensor of a compressed layout: where each row (or column) begins, the places along the other dim, and the values.

    Raises RuntimeError where the parts do not go together; with `check_invariants`, also where they name no matrix.
    """
    name = "none" if layout is None else LAYOUT_WORDS.get(layout.name, layout.name.capitalize())
    if layout is None or layout.name not in ("sparse_csr", "sparse_csc", *BLOCKS):
        raise RuntimeError(f"sparse_compressed_tensor expected sparse compressed tensor layout but got {name}")
    return _make(compressed_indices, plain_indices, values, size, layout.name, dtype, requires_grad, check_invariants)


@composite("torch.sparse_csr_tensor")
def sparse_csr_tensor(
    crow_indices: Any, col_indices: Any, values: Any, size: Any = None, *, dtype: Any = None, layout: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False, check_invariants: bool | None = None,
) -> Tensor:  # fmt: skip
    """A sparse tensor with compressed rows: row i holds `values[crow_indices[i]:crow_indices[i + 1]]` in the columns `col_indices`."""
    return _make(crow_indices, col_indices, values, size, "sparse_csr", dtype, requires_grad, check_invariants)


@composite("torch.sparse_csc_tensor")
def sparse_csc_tensor(
    ccol_indices: Any, row_indices: Any, values: Any, size: Any = None, *, dtype: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False, check_invariants: bool | None = None,
) -> Tensor:  # fmt: skip
    """A sparse tensor with compressed columns."""
    return _make(ccol_indices, row_indices, values, size, "sparse_csc", dtype, requires_grad, check_invariants)


@composite("torch.sparse_bsr_tensor")
def sparse_bsr_tensor(
    crow_indices: Any, col_indices: Any, values: Any, size: Any = None, *, dtype: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False, check_invariants: bool | None = None,
) -> Tensor:  # fmt: skip
    """A sparse tensor of blocks (count, rows, columns) with compressed rows."""
    return _make(crow_indices, col_indices, values, size, "sparse_bsr", dtype, requires_grad, check_invariants)


@composite("torch.sparse_bsc_tensor")
def sparse_bsc_tensor(
    ccol_indices: Any, row_indices: Any, values: Any, size: Any = None, *, dtype: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False, check_invariants: bool | None = None,
) -> Tensor:  # fmt: skip
    """A sparse tensor of blocks (count, rows, columns) with compressed columns."""
    return _make(ccol_indices, row_indices, values, size, "sparse_bsc", dtype, requires_grad, check_invariants)


# --- what they are made of ---------------------------------------------------------------------------------------------


def _indices(self: Any, name: str, kind: str, layouts: tuple[str, str], which: str) -> Any:
    array = self._array
    layout = getattr(array, "layout", "")
    if layout not in layouts:
        raise RuntimeError(f"{name} expected sparse {kind} compressed tensor layout but got {LAYOUT_WORDS.get(layout, 'Strided')}")
    return wrap(getattr(array, which))


@composite("Tensor.crow_indices")
def crow_indices(self: Any) -> Any:
    """Where each row begins among the values."""
    return _indices(self, "crow_indices", "row", ("sparse_csr", "sparse_bsr"), "compressed")


@composite("Tensor.col_indices")
def col_indices(self: Any) -> Any:
    """The column of each value."""
    return _indices(self, "col_indices", "row", ("sparse_csr", "sparse_bsr"), "plain")


@composite("Tensor.ccol_indices")
def ccol_indices(self: Any) -> Any:
    """Where each column begins among the values."""
    return _indices(self, "ccol_indices", "column", ("sparse_csc", "sparse_bsc"), "compressed")


@composite("Tensor.row_indices")
def row_indices(self: Any) -> Any:
    """The row of each value."""
    return _indices(self, "row_indices", "column", ("sparse_csc", "sparse_bsc"), "plain")


# --- conversion ----------------------------------------------------------------------------------------------------------


def to_compressed(x: Any, layout: str, blocksize: Any, dense_dim: int | None, caller: str = "") -> Any:
    """A tensor in a compressed layout. Raises RuntimeError where the block does not divide its sizes."""
    array = x._array
    word = LAYOUT_WORDS.get(getattr(array, "layout", ""), "Strided")
    if layout not in BLOCKS and blocksize is not None:
        kind = "dense_to_sparse" if array.__class__ is ndarray else "to_sparse"
        raise RuntimeError(f"{kind}: conversion from {word} to {LAYOUT_WORDS[layout]} with blocksize argument given is not supported")
    block: tuple[int, ...] = ()
    kind = "dense_to" if array.__class__ is ndarray else "coo_to" if isinstance(array, CooArray) else "sparse_compressed_to"
    source = {"dense_to": "dense_to_sparse", "coo_to": "sparse_coo_to_sparse"}.get(kind, "sparse_compressed_to_sparse")
    if layout in BLOCKS:
        if blocksize is None:
            if not getattr(array, "block", ()):
                raise RuntimeError(
                    f"{source}: conversion from {word} to {LAYOUT_WORDS[layout]} without blocksize argument given is not supported"
                )
            blocksize = array.block
        block = (blocksize, blocksize) if isinstance(blocksize, int) else tuple(blocksize)
        if len(block) != 2:
            raise RuntimeError(f"{kind}_{layout}: blocksize needs to be a tuple of size 2, but got {len(block)}")
        if min(block) <= 0:
            raise RuntimeError(f"{kind}_{layout}: blocksize needs to be positive, but got {list(block)}")
    lead = len(array.shape) - 2 - (dense_dim or 0) if array.__class__ is ndarray else len(getattr(array, "batch", ()))
    if lead < 0 and dense_dim:
        most = len(array.shape) - 2
        raise RuntimeError(f"{kind}_{layout}: dense_dim argument must be in [0,{most}] range, but {dense_dim} is given")
    if lead < 0:
        raise IndexError(f"a tensor of {len(array.shape)} dims has no two sparse dims")
    n, m = array.shape[lead : lead + 2]
    if block and (n % block[0] or m % block[1]):
        raise RuntimeError(f"{kind}_{layout}: tensor sparse size ({n},{m}) must be divisible by given blocksize ({block[0]},{block[1]})")
    if array.__class__ is ndarray:
        return dense_to_compressed.function(x, layout, block, dense_dim or 0)
    if getattr(array, "block", ()) and not block:
        raise RuntimeError(f"{kind}_{layout}: expected SparseCsr or SparseCsc layout but got {word}")
    if array.layout == layout and (not block or array.block == block):
        return x
    return reformatted.function(x, layout, block)


def compressed_to_coo(x: Any, sparse_dim: int | None) -> Any:
    """A tensor by coordinates, in the order in which the values are stored."""
    if sparse_dim is not None and sparse_dim != 2:
        raise RuntimeError(
            f"sparse_compressed_to_sparse: conversion from {LAYOUT_WORDS[x._array.layout]} to Sparse with sparse_dim argument !=2 is not "
            "supported"
        )
    coo = x._array.coo()
    values = tensors.reshape(stored.function(x), coo.values.shape)
    return from_parts.function(wrap(coo.indices), values, coo.shape, coo.coalesced)


def mask_compressed(x: Any, mask: Any) -> Any:
    """The values of a tensor at the places of a compressed one."""
    array = mask._array
    whole = x.to_dense()
    return with_new_values(mask.detach(), whole[tuple(wrap(p) for p in array.places())])


@composite("Tensor.to_sparse_csr")
def to_sparse_csr(self: Any, dense_dim: int | None = None) -> Any:
    """The tensor with compressed rows; trailing dims may stay dense, leading ones are a batch."""
    return to_compressed(self, "sparse_csr", None, dense_dim)


@composite("Tensor.to_sparse_csc")
def to_sparse_csc(self: Any, dense_dim: int | None = None) -> Any:
    """The tensor with compressed columns."""
    return to_compressed(self, "sparse_csc", None, dense_dim)


@composite("Tensor.to_sparse_bsr")
def to_sparse_bsr(self: Any, blocksize: Any, dense_dim: int | None = None) -> Any:
    """The tensor in blocks with compressed rows. Raises RuntimeError where the block does not divide the sizes."""
    return to_compressed(self, "sparse_bsr", blocksize, dense_dim)


@composite("Tensor.to_sparse_bsc")
def to_sparse_bsc(self: Any, blocksize: Any, dense_dim: int | None = None) -> Any:
    """The tensor in blocks with compressed columns."""
    return to_compressed(self, "sparse_bsc", blocksize, dense_dim)


def empty_like_compressed(array: CompressedArray, numpy_type: Any) -> CompressedArray:
    """An array of the same shape and layout with nothing stored."""
    return empty_array(array.layout, array.shape, numpy_type, array.block, array.dense_dim)


def empty_compressed(layout: str, shape: Any, numpy_type: Any) -> CompressedArray:
    """An array with nothing stored. Raises RuntimeError for fewer than two dims, and for layouts of blocks, whose size nobody says."""
    if len(shape) < 2:
        raise RuntimeError(f"torch.empty: Only batched sparse compressed (non-block) tensors are supported, but got size {list(shape)}")
    if layout in BLOCKS:
        raise RuntimeError("torch.empty: Only batched sparse compressed (non-block) tensors are supported")
    return empty_array(layout, shape, numpy_type)


__all__ = ["compressed_from_parts", "to_compressed", "to_sparse", "with_new_values"]
