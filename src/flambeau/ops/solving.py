"""Linear algebra: inverses, solutions, determinants, Cholesky factors, powers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.dtype import OF_NUMPY, SCALAR_NAMES
from ..core.layout import columns
from ..core.naming import public
from ..core.return_types import return_type
from ..kernels import linalg as k
from .definition import NAMES, Array, composite, formula_function, operator, tensors, write_out


class _LinAlgError(RuntimeError):
    """A matrix is singular, or not positive-definite, or an iteration did not converge."""


_LinAlgError = LinAlgError = public("torch._C")(_LinAlgError)  # type: ignore[misc]
NAMES["linalg"]["LinAlgError"] = LinAlgError


# --- checks ------------------------------------------------------------------------------------------------------


def type_name(a: Any) -> str:
    """`Float`, `Long`: as error messages call a dtype."""
    return SCALAR_NAMES[OF_NUMPY[a.dtype]]


def check_matrix(name: str, a: Any, what: str = "A") -> None:
    """Raises RuntimeError for anything but batches of matrices."""
    if a.ndim < 2:
        raise RuntimeError(f"{name}: The input tensor {what} must have at least 2 dimensions.")


def check_square(name: str, a: Any, what: str = "A") -> None:
    """Raises RuntimeError for anything but batches of square matrices."""
    check_matrix(name, a, what)
    if a.shape[-1] != a.shape[-2]:
        raise RuntimeError(f"{name}: {what} must be batches of square matrices, but they are {a.shape[-2]} by {a.shape[-1]} matrices")


def check_floating(name: str, a: Any, kernel: str = "") -> None:
    """Raises RuntimeError for integers, NotImplementedError for half precision."""
    if a.dtype.kind in "iub":
        raise RuntimeError(f"{name}: Expected a floating point or complex tensor as input. Got {type_name(a)}")
    if a.dtype.itemsize == 2:
        if kernel:
            raise NotImplementedError(f"\"{kernel}\" not implemented for '{type_name(a)}'")
        raise RuntimeError(f"{name}: Low precision dtypes not supported. Got {type_name(a)}")


def _where(info: Any) -> tuple[str, int]:
    """The words that name the first matrix that failed, and its number in `info`."""
    flat = info.reshape(-1)
    first = int(k.flatnonzero(flat)[0])
    return (f"(Batch element {first}): " if info.ndim else ""), int(flat[first])


def check_inverse(name: str, info: Any) -> None:
    if info.any():
        where, order = _where(info)
        raise LinAlgError(
            f"{name}: {where}The diagonal element {order} is zero, the inversion could not be completed because the input matrix is "
            "singular."
        )


def adjoint(F: Any, x: Any) -> Any:
    """The conjugate transpose of the last two dimensions."""
    return F.conj(F.transpose(x, -2, -1))


def zeros_for(F: Any, grad: Any, like: Any) -> Any:
    """A gradient, or zeros where it is missing."""
    return F.zeros_like(like) if grad is None else grad


# --- inverse and solve ---------------------------------------------------------------------------------------------


@operator("linalg.inv_ex", outputs=2, result_type=return_type("linalg_inv_ex", "inverse", "info"))
def linalg_inv_ex(A: Array, *, check_errors: bool = False) -> Array:
    """Inverses of square matrices (..., n, n), and 0 per matrix, or which pivot is zero (the inverse is then NaN)."""
    check_square("linalg.inv", A)
    check_floating("linalg.inv", A)
    result, info = k.inverse(A)
    if check_errors:
        check_inverse("linalg.inv_ex", info)
    return columns(result), info


@linalg_inv_ex.joint("A")
def _inverse_gradient(F: Any, grads: Any, result0: Any) -> Any:
    h = adjoint(F, result0)
    return (-F.matmul(h, F.matmul(grads[0], h)),)


@composite("linalg.inv", "torch.inverse", "Tensor.inverse")
def inv(A: Any, *, out: Any = None) -> Any:
    """The inverses of square matrices (..., n, n). Raises LinAlgError for a singular one."""
    result, info = linalg_inv_ex.function(A)
    check_inverse("linalg.inv", info._array)
    return result if out is None else write_out(result, out)


def is_vector_case(a: Any, b: Any) -> bool:
    """Whether `b` is a batch of vectors, not of matrices."""
    return b.ndim == 1 or (a.ndim - 1 == b.ndim and tuple(b.shape) == tuple(a.shape[:-1]))


@operator("linalg.solve_ex", outputs=2, result_type=return_type("linalg_solve_ex", "result", "info"))
def linalg_solve_ex(A: Array, B: Array, *, left: bool = True, check_errors: bool = False) -> Array:
    """`X` with `A X = B` (`X A = B` unless `left`), and per matrix of A 0 or which pivot is zero.

    A: (..., n, n). B: (..., n, k), or (..., n) with A's batch.
    """
    check_square("linalg.solve", A)
    check_floating("linalg.solve", A, "lu_cpu" if A.dtype.itemsize == 2 else "")
    if A.dtype != B.dtype:
        raise RuntimeError(
            f"linalg.solve: Expected A and B to have the same dtype, but found A of type {type_name(A)} and B of type {type_name(B)} "
            "instead"
        )
    vector = is_vector_case(A, B)
    b = B[..., None] if vector else B
    if vector and not left:
        raise RuntimeError(
            "linalg.solve: Vector broadcasting of the left hand side is not supported for left=False. In this case linalg.solve is "
            "equivalent to B / A.squeeze(-1)"
        )
    n = A.shape[-1]
    if b.shape[-2 if left else -1] != n:
        raise RuntimeError(
            f"linalg.solve: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} "
            f"({A.shape[-2]}x{A.shape[-1]} and {b.shape[-2]}x{b.shape[-1]})"
        )
    if left:
        result, info = k.solve(A, b)
    else:
        result, info = k.solve(A.swapaxes(-1, -2), b.swapaxes(-1, -2))
        result = result.swapaxes(-1, -2)
    if check_errors:
        check_inverse("torch.linalg.solve_ex", info)
    return (result[..., 0] if vector else columns(result)), info


@linalg_solve_ex.joint("A", "B")
def _solve_gradient(F: Any, grads: Any, needs: Any, A: Any, B: Any, result0: Any, left: Any) -> Any:
    vector = is_vector_case(A, B)
    g, x = (grads[0][..., None], result0[..., None]) if vector else (grads[0], result0)
    a = adjoint(F, A)
    gb = F.solved(a, g) if left else adjoint(F, F.solved(adjoint(F, a), adjoint(F, g)))
    ga = None
    if needs[0]:
        ga = -F.matmul(gb, adjoint(F, x)) if left else -F.matmul(adjoint(F, x), gb)
    return ga, (gb[..., 0] if vector else gb)


formula_function("solved", lambda a, b: k.solve(a, b)[0], lambda a, b: linalg_solve_ex.function(a, b)[0])


@composite("linalg.solve")
def solve(A: Any, B: Any, *, left: bool = True, out: Any = None) -> Any:
    """`X` with `A X = B`, or `X A = B` unless `left`. Raises LinAlgError where A is singular."""
    result, info = linalg_solve_ex.function(A, B, left=left)
    if info._array.any():
        where, _ = _where(info._array)
        raise LinAlgError(f"torch.linalg.solve: {where}The solver failed because the input matrix is singular.")
    return result if out is None else write_out(result, out)


@operator("linalg.solve_triangular")
def linalg_solve_triangular(A: Array, B: Array, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Array:
    """`X` with `A X = B` (`X A = B` unless `left`) for triangular A (..., n, n); the other triangle does not count."""
    check_square("linalg.solve_triangular", A)
    check_matrix("linalg.solve_triangular", B, "B")
    check_floating("linalg.solve_triangular", A, "triangular_solve_cpu" if A.dtype.itemsize == 2 else "")
    if B.shape[-2 if left else -1] != A.shape[-1]:
        raise RuntimeError(
            f"linalg.solve_triangular: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} "
            f"({A.shape[-2]}x{A.shape[-1]} and {B.shape[-2]}x{B.shape[-1]})"
        )
    if left:
        return columns(k.triangle_solve(A, B, upper, unitriangular))
    return k.triangle_solve(A.swapaxes(-1, -2), B.swapaxes(-1, -2), not upper, unitriangular).swapaxes(-1, -2)


@linalg_solve_triangular.joint("A", "B")
def _triangular_gradient(F: Any, grad: Any, needs: Any, A: Any, result: Any, upper: Any, left: Any, unitriangular: Any) -> Any:
    gb = F.linalg_solve_triangular(adjoint(F, A), grad, upper=not upper, left=left, unitriangular=unitriangular)
    ga = None
    if needs[0]:
        ga = -F.matmul(gb, adjoint(F, result)) if left else -F.matmul(adjoint(F, result), gb)
        inner = 1 if unitriangular else 0
        ga = F.triu(F.sum_to(ga, tuple(A.shape)), inner) if upper else F.tril(F.sum_to(ga, tuple(A.shape)), -inner)
    return ga, gb


def check_pair(b: Any, A: Any) -> None:
    """Raises RuntimeError where tensors or arrays of a system of equations differ in dtype."""
    if b.dtype != A.dtype:
        first, second = (SCALAR_NAMES[OF_NUMPY.get(d, d)] for d in (b.dtype, A.dtype))
        raise RuntimeError(f"Expected b and A to have the same dtype, but found b of type {first} and A of type {second} instead.")


@composite("torch.triangular_solve", "Tensor.triangular_solve")
def triangular_solve(
    input: Any, A: Any, upper: bool = True, transpose: bool = False, unitriangular: bool = False, *, out: Any = None
) -> Any:
    """The older form of `linalg.solve_triangular`: the solution of `A X = input`, and a copy of A."""
    check_pair(input, A)
    a = A.mT if transpose else A
    solution = linalg_solve_triangular.function(a, input, upper=upper != transpose, unitriangular=unitriangular)
    result = return_type("triangular_solve", "solution", "cloned_coefficient")(
        (solution, A.expand(*solution.shape[:-2], *A.shape[-2:]).clone())
    )
    return result if out is None else write_out(result, out)


# --- determinants --------------------------------------------------------------------------------------------------


@operator("linalg.det", "torch.det", "Tensor.det")
def linalg_det(A: Array) -> Array:
    """The determinants of square matrices (..., n, n)."""
    check_square("linalg.det", A)
    check_floating("linalg.det", A)
    return k.det(A)


linalg_det.derivative(A=lambda F, grad, A, result: F.det_backward(grad, A, result))


def _det_backward(grad: Any, A: Any, result: Any) -> Any:
    inverses, info = linalg_inv_ex.function(A)
    if info._array.any():
        inverses = tensors.where((info == 0)[..., None, None], inverses, tensors.zeros_like(inverses))
    return (grad * result.conj())[..., None, None] * adjoint(tensors, inverses)


formula_function("det_backward", k.det_backward, _det_backward)


@operator("linalg.slogdet", outputs=2, result_type=return_type("linalg_slogdet", "sign", "logabsdet"))
def linalg_slogdet(A: Array) -> Array:
    """The sign of the determinants and the logarithm of their magnitude."""
    check_square("linalg.slogdet", A)
    check_floating("linalg.slogdet", A)
    return k.slogdet(A)


@linalg_slogdet.joint("A")
def _slogdet_gradient(F: Any, grads: Any, A: Any, result0: Any, result1: Any) -> Any:
    sign, logabs = grads
    weight = zeros_for(F, logabs, result1)
    if A.dtype in _COMPLEX and sign is not None:
        turned = sign * F.conj(result0)
        weight = weight + (turned - F.conj(turned)) / 2
    return (weight[..., None, None] * adjoint(F, F.inverted(A)),)


class _Complex:
    """Whether a dtype, NumPy's or ours, is complex."""

    def __contains__(self, dtype: Any) -> bool:
        return getattr(dtype, "kind", None) == "c" or getattr(dtype, "is_complex", False)


_COMPLEX = _Complex()
formula_function("inverted", lambda a: k.inverse(a)[0], lambda a: linalg_inv_ex.function(a)[0])


@composite("torch.slogdet", "Tensor.slogdet")
def slogdet(input: Any) -> Any:
    """`linalg.slogdet` under its older name."""
    return return_type("slogdet", "sign", "logabsdet")(linalg_slogdet.function(input))


@composite("torch.logdet", "Tensor.logdet")
def logdet(input: Any) -> Any:
    """The logarithm of the determinants: NaN where negative, -inf where zero."""
    check_square("logdet", input._array)
    sign, logabs = linalg_slogdet.function(input)
    if input.is_complex():
        return sign.log() + logabs
    return tensors.where(sign == -1.0, tensors.wrap(k.asarray(np.nan, logabs._array.dtype)), logabs)


# --- Cholesky --------------------------------------------------------------------------------------------------------


@operator("linalg.cholesky_ex", outputs=2, result_type=return_type("linalg_cholesky_ex", "L", "info"))
def linalg_cholesky_ex(A: Array, *, upper: bool = False, check_errors: bool = False) -> Array:
    """The Cholesky factors of Hermitian positive-definite matrices, and 0 per matrix, or the order of the minor that fails."""
    check_square("linalg.cholesky", A)
    check_floating("linalg.cholesky", A, "cholesky_cpu" if A.dtype.itemsize == 2 else "")
    result, info = k.cholesky(A, upper)
    if check_errors:
        check_positive("linalg.cholesky_ex", info)
    return columns(result), info if A.__class__ is np.ndarray else type(A)(info.shape, info.dtype)


def check_positive(name: str, info: Any) -> None:
    if info.any():
        where, order = _where(info)
        raise LinAlgError(
            f"{name}: {where}The factorization could not be completed because the input is not positive-definite (the leading minor of "
            f"order {order} is not positive-definite)."
        )


@linalg_cholesky_ex.joint("A")
def _cholesky_gradient(F: Any, grads: Any, result0: Any, upper: Any) -> Any:
    factor, g = (adjoint(F, result0), adjoint(F, grads[0])) if upper else (result0, grads[0])
    phi = F.tril(F.matmul(adjoint(F, factor), g), 0)
    phi = (phi + adjoint(F, phi) - F.diag_embed(F.diagonal(phi, 0, -2, -1))) / 2
    half = F.linalg_solve_triangular(adjoint(F, factor), phi, upper=True)
    return (F.linalg_solve_triangular(factor, half, upper=False, left=False),)


@composite("linalg.cholesky")
def linalg_cholesky(A: Any, *, upper: bool = False, out: Any = None) -> Any:
    """The lower (or upper) Cholesky factor. Raises LinAlgError where a matrix is not positive-definite."""
    result, info = linalg_cholesky_ex.function(A, upper=upper)
    check_positive("linalg.cholesky", info._array)
    return result if out is None else write_out(result, out)


@composite("torch.cholesky", "Tensor.cholesky")
def cholesky(input: Any, upper: bool = False, *, out: Any = None) -> Any:
    """`linalg.cholesky` under its older name."""
    result, info = linalg_cholesky_ex.function(input, upper=upper)
    check_positive("cholesky", info._array)
    return result if out is None else write_out(result, out)


@operator("torch.cholesky_solve", "Tensor.cholesky_solve")
def cholesky_solve(B: Array, L: Array, upper: bool = False) -> Array:
    """`X` with `A X = B`, given the Cholesky factor L of A."""
    if B.ndim < 2:
        raise RuntimeError(f"b should have at least 2 dimensions, but has {B.ndim} dimensions instead")
    if L.ndim < 2:
        raise RuntimeError(f"u should have at least 2 dimensions, but has {L.ndim} dimensions instead")
    check_square("cholesky_solve", L)
    check_pair(B, L)
    if B.shape[-2] != L.shape[-1]:
        raise RuntimeError(
            f"Incompatible matrix sizes for cholesky_solve: each A matrix is {L.shape[-1]} by {L.shape[-1]} but each b matrix is "
            f"{B.shape[-2]} by {B.shape[-1]}"
        )
    h = L.conj().swapaxes(-1, -2)
    first, second = (h, L) if upper else (L, h)
    return columns(k.triangle_solve(second, k.triangle_solve(first, B, False, False), True, False))


@cholesky_solve.joint("B", "L")
def _cholesky_solve_gradient(F: Any, grad: Any, needs: Any, L: Any, result: Any, upper: Any) -> Any:
    gb = F.cholesky_solve(grad, L, upper)
    gl = None
    if needs[1]:
        both = F.matmul(gb, adjoint(F, result))
        both = both + adjoint(F, both)
        gl = -F.matmul(L, both) if upper else -F.matmul(both, L)
    return gb, gl


@operator("torch.cholesky_inverse", "Tensor.cholesky_inverse")
def cholesky_inverse(L: Array, upper: bool = False) -> Array:
    """The inverse of A, given its Cholesky factor L."""
    check_square("cholesky_inverse", L)
    return cholesky_solve.forward(np.broadcast_to(k.eye(L.shape[-1], dtype=L.dtype), L.shape), L, upper)


def _cholesky_inverse_gradient(F: Any, grad: Any, L: Any, result: Any, upper: Any) -> Any:
    both = F.matmul(result, F.matmul(grad + adjoint(F, grad), result))
    return -F.matmul(L, both) if upper else -F.matmul(both, L)


cholesky_inverse.derivative(L=_cholesky_inverse_gradient)


# --- powers, exponential -----------------------------------------------------------------------------------------------


@composite("linalg.matrix_power", "torch.matrix_power", "Tensor.matrix_power")
def matrix_power(A: Any, n: int, *, out: Any = None) -> Any:
    """The n-th power of square matrices; a negative n takes the inverse."""
    if not isinstance(n, int):
        raise TypeError(f"linalg_matrix_power(): argument 'n' (position 2) must be int, not {type(n).__name__}")
    check_square("linalg.matrix_power", A._array)
    if n == 0:
        everything = tensors.wrap(k.ones((), np.bool_))
        result = A.masked_fill(everything, 0) + tensors.wrap(k.eye(A.shape[-1], dtype=A._array.dtype))
    else:
        base = inv(A) if n < 0 else A
        n, result = abs(n), None
        while n:
            if n & 1:
                result = base if result is None else result @ base
            n >>= 1
            if n:
                base = base @ base
        if result is A:
            result = A.clone()
    return result if out is None else write_out(result, out)


@operator("linalg.matrix_exp", "torch.matrix_exp", "Tensor.matrix_exp", out=False)
def linalg_matrix_exp(A: Array) -> Array:
    """The matrix exponential of square matrices."""
    check_square("linalg.matrix_exp", A)
    if A.dtype.kind in "iub":
        raise RuntimeError(f"linalg.matrix_exp: Expected a floating point or complex tensor as input. Got {type_name(A)}")
    if A.dtype.itemsize == 2:
        return k.matrix_exp(A.astype(np.float32)).astype(A.dtype)
    return k.matrix_exp(A)


def _exp_gradient(F: Any, grad: Any, A: Any) -> Any:
    """The upper right block of the exponential of `[[A^H, grad], [0, A^H]]`."""
    h, n = adjoint(F, A), A.shape[-1]
    zeros = F.zeros_like(grad)
    block = F.cat([F.cat([h, grad], -1), F.cat([zeros, h], -1)], -2)
    return F.linalg_matrix_exp(block)[..., :n, n:]


linalg_matrix_exp.derivative(A=_exp_gradient)
