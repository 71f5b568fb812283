"""Sparse forms of products of matrices and vectors."""

from __future__ import annotations

from typing import Any

from ..core.dtype import SCALAR_NAMES
from ..core.sparse import flat_places, refusal
from ..kernels import memory
from ..tensor import wrap
from .definition import tensors
from .sparse import is_sparse, sparse_mm, sparse_product, sparse_times_dense, stored
from .sparse_registry import form

# --- products ------------------------------------------------------------------------------------------------------------


def _check_matrix(x: Any) -> None:
    array = x._array
    if array.sparse_dim != 2 or array.dense_dim:
        raise RuntimeError(f"addmm: matrices expected, got {array.sparse_dim}D tensor")


def _same_dtype(a: Any, b: Any) -> None:
    if a._array.dtype != b._array.dtype:
        raise RuntimeError(f"expected scalar type {SCALAR_NAMES[a.dtype]} but found {SCALAR_NAMES[b.dtype]}")


def matrix_product(a: Any, b: Any, masked: bool) -> Any:
    """The product of two matrices of which one at least is sparse. `masked`: whether gradients keep to what is stored."""
    if is_sparse(a) and is_sparse(b):
        if a._array.shape[1] != b._array.shape[0]:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied ({}x{} and {}x{})".format(*a._array.shape, *b._array.shape))
        if a._array.dtype != b._array.dtype:
            raise RuntimeError(f"mat1 dtype {SCALAR_NAMES[a.dtype]} does not match mat2 dtype {SCALAR_NAMES[b.dtype]}")
        return sparse_product.function(a, b)
    if is_sparse(b):
        return tensors.t(matrix_product(tensors.t(b), tensors.t(a), masked))
    _check_matrix(a)
    if b._array.ndim != 2:
        raise RuntimeError(f"addmm: matrices expected, got {b._array.ndim}D tensor")
    if a._array.shape[1] != b._array.shape[0]:
        raise RuntimeError(f"addmm: Argument #3 (dense): Expected dim 0 size {a._array.shape[1]}, got {b._array.shape[0]}")
    _same_dtype(a, b)
    flat_places(a._array.indices, a._array.shape)  # raises where a place lies outside
    if not masked:
        return sparse_mm.function(a, b)
    return sparse_times_dense.function(wrap(a._array.indices), stored.function(a), b, a._array.shape[0])


@form("mm")
def mm(input: Any, mat2: Any) -> Any:
    """The product of two matrices."""
    for name, x in (("self", input), ("mat2", mat2)):
        if x._array.ndim != 2:
            raise RuntimeError(f"{name} must be a matrix")
    return matrix_product(input, mat2, False)


@form("mv")
def mv(input: Any, vec: Any) -> Any:
    """The product of a sparse matrix and a vector."""
    if not is_sparse(input):
        raise refusal("mv")
    if input._array.ndim != 2:
        raise RuntimeError(f"mv: two dim tensor 'self' expected, got {input._array.ndim}D tensor")
    if vec._array.shape[0] != input._array.shape[1]:
        raise RuntimeError("mv: expected self.size(-1) == vec.size(-1)")
    return tensors.squeeze_dim(matrix_product(input, tensors.unsqueeze(vec, 1), False), 1)


@form("matmul")
def matmul(input: Any, other: Any) -> Any:
    """The product of matrices and vectors, or of a batch of sparse matrices."""
    a, b = input._array.ndim, other._array.ndim
    if a == 2 and b == 2:
        return matrix_product(input, other, False)
    if a == 2 and b == 1:
        return mv(input, other)
    if a == 1 and b == 2:
        return mv(tensors.t(other), input)
    if a == 3 and b == 3:
        raise RuntimeError("expand is unsupported for Sparse tensors")
    if a == 1 and b == 1:
        raise refusal("dot")
    if a > 2 and b == 2 and not is_sparse(input):
        return tensors.reshape(
            matrix_product(tensors.reshape(input, (-1, input._array.shape[-1])), other, False),
            (*input._array.shape[:-1], other._array.shape[1]),
        )
    raise refusal("matmul")


@form("linear")
def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """`input @ weight.T + bias`."""
    if bias is not None and is_sparse(bias):
        raise RuntimeError("expand is unsupported for Sparse tensors")
    product = matmul(input, tensors.t(weight))
    return product if bias is None else tensors.add(product, bias)


@form("bmm")
def bmm(input: Any, mat2: Any) -> Any:
    """The products of a batch of sparse matrices and dense ones."""
    if not is_sparse(input) or is_sparse(mat2):
        raise refusal("bmm")
    array = input._array
    if array.dense_dim or array.sparse_dim != 3:
        raise RuntimeError("bmm_sparse: Tensor 'self' must be 3D sparse")
    count, n, m = array.shape
    if mat2._array.ndim != 3 or mat2._array.shape[:2] != (count, m):
        raise RuntimeError("bmm_sparse: sizes of the batch and of the inner dim must agree")
    flat_places(array.indices, array.shape)
    rows, columns = array.indices[0] * n + array.indices[1], array.indices[0] * m + array.indices[2]
    dense = tensors.reshape(mat2, (count * m, mat2._array.shape[2]))
    result = sparse_times_dense.function(wrap(memory.stack([rows, columns])), stored.function(input), dense, count * n)
    return tensors.reshape(result, (count, n, mat2._array.shape[2]))


@form("addmm")
def addmm(input: Any, mat1: Any, mat2: Any, beta: Any = 1, alpha: Any = 1, masked: bool = False) -> Any:
    """`beta * input + alpha * (mat1 @ mat2)`."""
    if not is_sparse(mat1) or is_sparse(mat2) or is_sparse(input):
        if is_sparse(input):
            raise RuntimeError("addmm_sparse_dense: expected strided result tensor, got tensor with layout Sparse")
        names = tuple("Sparse" if is_sparse(x) else "Strided" for x in (mat1, mat2))
        raise RuntimeError(
            "addmm_sparse_dense: expected either 'mat1' to have sparse layout and 'mat2' to have strided layout, got 'mat1' with layout "
            "{} and 'mat2' with layout {}".format(*names)
        )
    product = matrix_product(mat1, mat2, masked)
    if alpha != 1:
        product = tensors.mul(product, alpha)
    if not is_sparse(product) and input._array.shape != product._array.shape:
        input = tensors.expand(input, product._array.shape)
    return product if beta == 0 else tensors.add(input if beta == 1 else tensors.mul(input, beta), product)
