"""`linalg.ldl_factor` and `ldl_solve`: factors of symmetric matrices that need not be positive."""

from __future__ import annotations

from typing import Any

from ..core.layout import columns
from ..core.return_types import return_type
from ..kernels import indefinite as k
from .definition import Array, composite, operator, write_out
from .solving import check_floating, check_square, type_name

_NAME = "torch.linalg.ldl_factor_ex"


@operator("linalg.ldl_factor_ex", outputs=3, result_type=return_type("linalg_ldl_factor_ex", "LD", "pivots", "info"))
def linalg_ldl_factor_ex(A: Array, *, hermitian: bool = False, check_errors: bool = False) -> Array:
    """L and D of A = L D L^T (or, of complex matrices and `hermitian`, L D L^H) in one matrix, the pivots, and 0 or what is zero.

    D has blocks of one and two; pivots are as in LAPACK's `sytrf`. There is no derivative. Raises RuntimeError for what is no batch of
    square floating-point matrices.
    """
    check_square(_NAME, A)
    check_floating(_NAME, A, "ldl_factor_kernel_cpu" if A.dtype.itemsize == 2 else "")
    result, pivots, info = k.factor(A, hermitian)
    if check_errors:
        _check(_NAME, info)
    return columns(result), pivots, info


def _check(name: str, info: Any) -> None:
    if info.any():
        raise RuntimeError(f"{name}: Unknown error code: {info.ravel()[info.ravel() != 0][0]}.")


_FACTORS = return_type("linalg_ldl_factor", "LD", "pivots")


@composite("linalg.ldl_factor")
def linalg_ldl_factor(A: Any, *, hermitian: bool = False, out: Any = None) -> Any:
    """`ldl_factor_ex` that raises RuntimeError where D is singular."""
    factors, pivots, info = linalg_ldl_factor_ex.function(A, hermitian=hermitian)
    _check("torch.linalg.ldl_factor", info._array)
    result = _FACTORS((factors, pivots))
    return result if out is None else write_out(result, out)


@operator("linalg.ldl_solve")
def linalg_ldl_solve(LD: Array, pivots: Array, B: Array, *, hermitian: bool = False) -> Array:
    """X with A X = B, given the factors and pivots of A. LD: (*, n, n), pivots: (*, n), B: (*, n, m).

    There is no derivative. Raises RuntimeError for shapes and dtypes that do not go together.
    """
    check_square("torch.linalg.ldl_solve", LD)
    check_floating("torch.linalg.ldl_solve", LD)
    if B.ndim < 2:
        raise IndexError("Dimension out of range (expected to be in range of [-1, 0], but got -2)")
    if LD.dtype != B.dtype:
        raise RuntimeError(
            f"Expected b and A to have the same dtype, but found b of type {type_name(B)} and A of type {type_name(LD)} instead."
        )
    if B.shape[-2] != LD.shape[-1]:
        raise RuntimeError(
            f"Incompatible matrix sizes for torch.linalg.ldl_solve: each A matrix is {LD.shape[-1]} by {LD.shape[-1]} but each b matrix is "
            f"{B.shape[-2]} by {B.shape[-1]}"
        )
    if LD.shape[:-1] != pivots.shape:
        raise RuntimeError(
            "torch.linalg.ldl_solve: Expected LD.shape[:-1] and pivots.shape to be the same, but got pivots with shape "
            f"{list(pivots.shape)} instead"
        )
    if pivots.dtype.kind not in "iu":
        raise RuntimeError(f"torch.linalg.ldl_solve: Expected pivots to be integers. Got {type_name(pivots)}")
    return columns(k.solve(LD, pivots, B, hermitian))
