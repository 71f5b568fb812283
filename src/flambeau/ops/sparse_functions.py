"""Products with sparse results under names of their own."""

from __future__ import annotations

from typing import Any

from ..core.sparse import CooArray
from ..kernels import sparse as k
from ..tensor import wrap
from .definition import Array, composite, operator, tensors
from .sparse import empty_coo

# --- functions of torch.sparse and their kin -----------------------------------------------------------------------


@operator("torch.hspmm", node="NotImplemented")
def hspmm(mat1: Array, mat2: Array) -> Array:
    """The product of a sparse and a dense matrix as a hybrid tensor: its rows that are not empty."""
    a = _expect_coo_array(mat1).coalesce()
    if a.shape[1] != mat2.shape[0]:
        raise RuntimeError(f"hspmm: Argument #2: Expected dim 0 size {a.shape[1]}, got {mat2.shape[0]}")
    rows, values = k.rows_times_dense(a, mat2)
    return CooArray(rows[None], values, (a.shape[0], mat2.shape[1]), False)


@operator("torch.sspaddmm", "Tensor.sspaddmm", node="NotImplemented")
def sspaddmm(input: Array, mat1: Array, mat2: Array, *, beta: Any = 1, alpha: Any = 1) -> Array:
    """`beta * input + alpha * (mat1 @ mat2)` with sparse `input`, `mat1` and dense `mat2`: sparse, and not coalesced."""
    a, first = _expect_coo_array(mat1).coalesce(), _expect_coo_array(input)
    if a.shape[1] != mat2.shape[0]:
        raise RuntimeError(f"sspaddmm: Argument #3: Expected dim 0 size {a.shape[1]}, got {mat2.shape[0]}")
    for d, n in enumerate((a.shape[0], mat2.shape[1])):
        if first.shape[d] != n:
            raise RuntimeError(f"sspaddmm: Argument #1: Expected dim {d} size {n}, got {first.shape[d]}")
    return k.joined_with_product(first, a, mat2, beta, alpha)


def _expect_coo_array(array: Any) -> CooArray:
    if array.__class__ is not CooArray:
        raise RuntimeError("expected a sparse COO tensor")
    return array


def _underivable(name: str) -> Any:
    def refuse(F: Any, grad: Any) -> Any:
        raise RuntimeError(f"derivative for aten::{name} is not implemented")

    return refuse


hspmm.derivative(mat1=_underivable("hspmm"), mat2=_underivable("hspmm"))
sspaddmm.derivative(input=_underivable("sspaddmm"), mat1=_underivable("sspaddmm"), mat2=_underivable("sspaddmm"))


@composite("torch.smm", "Tensor.smm")
def smm(input: Any, mat: Any) -> Any:
    """The product of a sparse and a dense matrix, sparse."""
    zero = wrap(empty_coo((input.shape[0], mat.shape[1]), input._array.dtype))
    return sspaddmm.function(zero, input, mat)


@composite("torch.saddmm")
def saddmm(input: Any, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """`sspaddmm`."""
    return sspaddmm.function(input, mat1, mat2, beta=beta, alpha=alpha)


@composite("torch.spmm")
def spmm(input: Any, mat2: Any) -> Any:
    """The product of a sparse matrix with a matrix."""
    return tensors.mm(input, mat2)
