"""LU, QR, eigenvalues, singular values, and least squares."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.dtype import float32, int32
from ..core.layout import columns
from ..core.return_types import return_type
from ..kernels import linalg as k
from .definition import NAMES, Array, composite, formula_function, operator, tensors, write_out
from .solving import LinAlgError, _where, adjoint, check_floating, check_matrix, check_square, type_name, zeros_for


def _skew(F: Any, x: Any) -> Any:
    return x - adjoint(F, x)


def _gaps(F: Any, rows: Any, columns: Any) -> Any:
    """Differences of all pairs, with ones on the diagonal."""
    gaps = columns[..., None, :] - rows[..., :, None]
    return gaps + F.diag_embed(F.zeros_like(rows) + 1)


def _without_diagonal(F: Any, x: Any) -> Any:
    return x - F.diag_embed(F.diagonal(x, 0, -2, -1))


# --- LU ----------------------------------------------------------------------------------------------------------------


@operator("linalg.lu_factor_ex", outputs=3, result_type=return_type("linalg_lu_factor_ex", "LU", "pivots", "info"))
def linalg_lu_factor_ex(A: Array, *, pivot: bool = True, check_errors: bool = False) -> Array:
    """L and U in one matrix, the exchanges of rows (from 1), and per matrix 0 or which pivot is zero."""
    check_matrix("torch.lu_factor_ex", A)
    check_floating("torch.linalg.lu_factor_ex", A, "lu_cpu" if A.dtype.itemsize == 2 else "")
    factors, pivots, info = k.lu_factor(A, pivot)
    if check_errors:
        check_regular("torch.linalg.lu_factor_ex", info)
    return columns(factors), pivots, info


def check_regular(name: str, info: Any) -> None:
    if info.any():
        where, order = _where(info)
        raise LinAlgError(
            f"{name}: {where}U[{order},{order}] is zero and using it on lu_solve would result in a division by zero. If you still want to "
            "perform the factorization, consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)"
        )


@linalg_lu_factor_ex.joint("A")
def _lu_factor_gradient(F: Any, grads: Any, result0: Any, result1: Any) -> Any:
    m, n = result0.shape[-2:]
    size = min(m, n)
    lower = F.tril(result0, -1)[..., :size] + F.eye_like(result0, m, size)
    upper = F.triu(result0, 0)[..., :size, :]
    g = grads[0]
    gl = F.tril(g[..., :size], -1)
    gu = F.triu(g[..., :size, :], 0)
    return (_lu_backward(F, F.permutation(result1, m, result0), lower, upper, gl, gu),)


def _like(kernel: Any) -> Any:
    return lambda pivots, m, like: tensors.wrap(kernel(pivots._array, m, like._array.dtype))


formula_function("permutation", lambda pivots, m, like: k.permutation(pivots, m, like.dtype), _like(k.permutation))
formula_function(
    "eye_like", lambda like, m, n: k.eye(m, n, dtype=like.dtype), lambda like, m, n: tensors.wrap(k.eye(m, n, dtype=like._array.dtype))
)


def _lu_backward(F: Any, p: Any, lower: Any, upper: Any, gl: Any, gu: Any) -> Any:
    """The gradient of `A = P L U`; for a wide or tall A the rest is linear in the square part."""
    m, n, size = lower.shape[-2], upper.shape[-1], lower.shape[-1]
    l1, u1 = lower[..., :size, :], upper[..., :size]
    solve = F.linalg_solve_triangular
    if m == n:
        phi = F.tril(F.matmul(adjoint(F, lower), gl), -1) + F.triu(F.matmul(gu, adjoint(F, upper)), 0)
        middle = solve(adjoint(F, upper), phi, upper=False, left=False)
        return F.matmul(p, solve(adjoint(F, lower), middle, upper=True, unitriangular=True))
    if m < n:
        u2, gu2 = upper[..., size:], gu[..., size:]
        phi = F.tril(F.matmul(adjoint(F, lower), gl) - F.matmul(gu2, adjoint(F, u2)), -1) + F.triu(
            F.matmul(gu[..., :size], adjoint(F, u1)), 0
        )
        middle = F.cat([solve(adjoint(F, u1), phi, upper=False, left=False), gu2], -1)
        return F.matmul(p, solve(adjoint(F, lower), middle, upper=True, unitriangular=True))
    l2, gl2 = lower[..., size:, :], gl[..., size:, :]
    phi = F.tril(F.matmul(adjoint(F, l1), gl[..., :size, :]), -1) + F.triu(
        F.matmul(gu, adjoint(F, upper)) - F.matmul(adjoint(F, l2), gl2), 0
    )
    top = solve(adjoint(F, l1), phi, upper=True, unitriangular=True)
    return F.matmul(p, solve(adjoint(F, upper), F.cat([top, gl2], -2), upper=False, left=False))


@composite("linalg.lu_factor")
def linalg_lu_factor(A: Any, *, pivot: bool = True, out: Any = None) -> Any:
    """L and U in one matrix, and the exchanges of rows (from 1). Raises LinAlgError for a zero pivot."""
    factors, pivots, info = linalg_lu_factor_ex.function(A, pivot=pivot)
    check_regular("torch.linalg.lu_factor", info._array)
    result = return_type("linalg_lu_factor", "LU", "pivots")((factors, pivots))
    return result if out is None else write_out(result, out)


@composite("torch.lu", "Tensor.lu")
def lu(A: Any, pivot: bool = True, get_infos: bool = False, out: Any = None) -> Any:
    """The older form of `linalg.lu_factor_ex`: (LU, pivots), with `get_infos` also the infos."""
    factors, pivots, info = linalg_lu_factor_ex.function(A, pivot=pivot)
    if not get_infos:
        check_regular("torch.linalg.lu_factor", info._array)
    result = return_type("_lu_with_info", "LU", "pivots", "info")((factors, pivots, info)) if get_infos else (factors, pivots)
    return result if out is None else write_out(result, out)


@operator(outputs=3, node="LinalgLuBackward0", out=False)
def linalg_lu_parts(A: Array, *, pivot: bool = True) -> Array:
    """P, L and U."""
    check_matrix("torch.linalg.lu", A)
    check_floating("torch.linalg.lu", A, "lu_cpu" if A.dtype.itemsize == 2 else "")
    factors, pivots, _ = k.lu_factor(A, pivot)
    m, n = A.shape[-2:]
    size = min(m, n)
    lower = k.tril(factors[..., :size], -1) + k.eye(m, size, dtype=A.dtype)
    p = k.permutation(pivots, m, A.dtype) if pivot else k.empty(0, A.dtype)
    return p, lower, k.triu(factors[..., :size, :])


@linalg_lu_parts.joint("A")
def _lu_gradient(F: Any, grads: Any, result0: Any, result1: Any, result2: Any, pivot: Any) -> Any:
    gl, gu = zeros_for(F, grads[1], result1), zeros_for(F, grads[2], result2)
    p = result0 if pivot else F.eye_like(result1, result1.shape[-2], result1.shape[-2])
    return (_lu_backward(F, p, result1, result2, gl, gu),)


@composite("linalg.lu")
def linalg_lu(A: Any, *, pivot: bool = True, out: Any = None) -> Any:
    """P, L and U with `A = P L U`: P a permutation, L unit lower triangular, U upper triangular."""
    p, lower, upper = linalg_lu_parts.function(A, pivot=pivot)
    result = return_type("linalg_lu", "P", "L", "U")((tensors.wrap(p._array), lower, upper))
    return result if out is None else write_out(result, out)


@composite("torch.lu_unpack")
def lu_unpack(LU_data: Any, LU_pivots: Any, unpack_data: bool = True, unpack_pivots: bool = True, *, out: Any = None) -> Any:
    """P, L and U of what `lu_factor` returned."""
    if unpack_pivots and LU_pivots.dtype is not int32:
        raise RuntimeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype.\n"
            "Note: this function is intended to be used with the output produced by torch.linalg.lu_factor"
        )
    m, n = LU_data.shape[-2:]
    size = min(m, n)
    empty = tensors.wrap(k.empty(0, LU_data._array.dtype))
    p = tensors.wrap(k.permutation(LU_pivots._array, m, LU_data._array.dtype)) if unpack_pivots else empty
    lower = upper = empty
    if unpack_data:
        lower = LU_data[..., :size].tril(-1) + tensors.wrap(k.eye(m, size, dtype=LU_data._array.dtype))
        upper = LU_data[..., :size, :].triu()
    result = return_type("lu_unpack", "P", "L", "U")((p, lower, upper))
    return result if out is None else write_out(result, out)


@composite("linalg.lu_solve")
def linalg_lu_solve(LU: Any, pivots: Any, B: Any, *, left: bool = True, adjoint: bool = False, out: Any = None) -> Any:
    """`X` with `A X = B` (or `X A = B`, or with the adjoint of A), given A's factors and exchanges."""
    n = LU.shape[-1]
    p = tensors.wrap(k.permutation(pivots._array, n, LU._array.dtype))
    if not left:
        return (
            linalg_lu_solve(LU, pivots, B.mH, adjoint=not adjoint).mH
            if out is None
            else write_out(linalg_lu_solve(LU, pivots, B.mH, adjoint=not adjoint).mH, out)
        )
    solve = tensors.linalg_solve_triangular
    if adjoint:
        result = p @ solve(LU.mH, solve(LU.mH, B, upper=False), upper=True, unitriangular=True)
    else:
        result = solve(LU, solve(LU, p.mT @ B, upper=False, unitriangular=True), upper=True)
    return result if out is None else write_out(result, out)


@composite("torch.lu_solve", "Tensor.lu_solve")
def lu_solve(b: Any, LU_data: Any, LU_pivots: Any, *, out: Any = None) -> Any:
    """The older form of `linalg.lu_solve`."""
    return linalg_lu_solve(LU_data, LU_pivots, b, out=out)


# --- QR ----------------------------------------------------------------------------------------------------------------


@operator("linalg.qr", outputs=2, result_type=return_type("linalg_qr", "Q", "R"))
def linalg_qr(A: Array, mode: str = "reduced") -> Array:
    """Q with orthonormal columns and upper triangular R with `A = Q R`; mode "reduced", "complete" or "r" (Q is empty)."""
    check_matrix("linalg.qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'")
    check_floating("linalg.qr", A, "geqrf_cpu" if A.dtype.itemsize == 2 else "")
    q, r = k.qr(A, mode)
    return columns(q), columns(r)


@linalg_qr.joint("A")
def _qr_gradient(F: Any, grads: Any, result0: Any, result1: Any, mode: Any) -> Any:
    q, r = result0, result1
    if mode == "r":
        raise RuntimeError(
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use linalg.qr(A, mode='reduced') if "
            "you are going to differentiate through linalg.qr."
        )
    m, n = q.shape[-2], r.shape[-1]
    if mode == "complete" and m > n:
        raise RuntimeError("The QR decomposition is not differentiable when mode='complete' and nrows > ncols.")
    gq, gr = zeros_for(F, grads[0], q), zeros_for(F, grads[1], r)
    size = min(m, n)
    r1, gr1 = r[..., :size], gr[..., :size]
    if n > m:  # the columns beyond are linear in Q
        gq = gq + F.matmul(F.matmul(q, r[..., size:]), adjoint(F, gr[..., size:]))
    inner = F.triu(F.matmul(gr1, adjoint(F, r1)) - F.matmul(adjoint(F, q), gq), 0)
    both = inner + adjoint(F, inner)
    both = both - F.diag_embed(F.diagonal(both, 0, -2, -1)) / 2
    first = F.linalg_solve_triangular(adjoint(F, r1), gq + F.matmul(q, both), upper=False, left=False)
    return (F.cat([first, F.matmul(q, gr[..., size:])], -1) if n > m else first,)


@composite("torch.qr", "Tensor.qr")
def qr(input: Any, some: bool = True, *, out: Any = None) -> Any:
    """`linalg.qr` under its older name; not `some` is mode "complete"."""
    result = return_type("qr", "Q", "R")(linalg_qr.function(input, "reduced" if some else "complete"))
    return result if out is None else write_out(result, out)


@operator("torch.geqrf", "Tensor.geqrf", outputs=2, result_type=return_type("geqrf", "a", "tau"))
def geqrf(input: Array) -> Array:
    """R above, and below it the Householder vectors of Q, with their factors."""
    check_matrix("torch.geqrf", input, "input")
    a, tau = k.geqrf(input)
    return columns(a), tau


@composite("linalg.householder_product", "torch.orgqr", "Tensor.orgqr")
def householder_product(A: Any, tau: Any, *, out: Any = None) -> Any:
    """The first columns of the product of the reflections `I - tau v v^H`, whose vectors lie below A's diagonal."""
    if A.ndim < 2:
        raise RuntimeError("torch.linalg.householder_product: input must have at least 2 dimensions.")
    m, n = A.shape[-2:]
    if m < n:
        raise RuntimeError("torch.linalg.householder_product: input.shape[-2] must be greater than or equal to input.shape[-1]")
    if n < tau.shape[-1]:
        raise RuntimeError("torch.linalg.householder_product: input.shape[-1] must be greater than or equal to tau.shape[-1]")
    if not A.numel() or not tau.numel():
        result = _without_reflections.function(A, tau)
        return result if out is None else write_out(result, out)
    result = _reflected(A, tau, tensors.wrap(k.eye(m, n, dtype=A._array.dtype)).expand(*A.shape[:-2], m, n))
    return result if out is None else write_out(result, out)


@operator(node="LinalgHouseholderProductBackward0", out=False)
def _without_reflections(A: Array, tau: Array) -> Array:
    """`householder_product` of no reflections: the first columns of the identity. Nothing has a gradient."""
    return np.broadcast_to(k.eye(*A.shape[-2:], dtype=A.dtype), A.shape).copy()


_without_reflections.derivative(A=lambda F, grad: None, tau=lambda F, grad: None)


def _reflected(A: Any, tau: Any, x: Any, last_first: bool = True, conjugate: bool = False) -> Any:
    """The product of the reflections with `x`."""
    m = A.shape[-2]
    order = range(tau.shape[-1])
    for i in reversed(order) if last_first else order:
        column = A[..., i]
        v = column * tensors.wrap((k.arange(m) > i).astype(A._array.dtype)) + tensors.wrap((k.arange(m) == i).astype(A._array.dtype))
        t = tau[..., i].conj() if conjugate else tau[..., i]
        x = x - t[..., None, None] * v[..., :, None] * (v.conj()[..., None, :] @ x)
    return x


@composite("torch.ormqr", "Tensor.ormqr")
def ormqr(input: Any, tau: Any, other: Any, left: bool = True, transpose: bool = False, *, out: Any = None) -> Any:
    """The product of Q, given by its reflections, with `other`: from the left or right, Q itself or its adjoint."""
    for name, x in (("input", input), ("other", other)):
        if x.ndim < 2:
            raise RuntimeError(f"torch.ormqr: {name} must have at least 2 dimensions.")
    rows = other.shape[-2 if left else -1]
    if rows != input.shape[-2]:
        raise RuntimeError(f"torch.ormqr: other.shape[{-2 if left else -1}] must be equal to input.shape[-2]")
    if tau.shape[-1] != min(rows, input.shape[-1]):
        raise RuntimeError(f"torch.ormqr: tau.shape[-1] must be equal to min(other.shape[{-2 if left else -1}], input.shape[-1])")
    if left:
        result = _reflected(input, tau, other, not transpose, transpose)
    else:
        result = _reflected(input, tau, other.mH, transpose, not transpose).mH
    return result if out is None else write_out(result, out)


# --- eigenvalues ---------------------------------------------------------------------------------------------------------


@operator("linalg.eigh", outputs=2, result_type=return_type("linalg_eigh", "eigenvalues", "eigenvectors"))
def linalg_eigh(A: Array, UPLO: str = "L") -> Array:
    """Eigenvalues, ascending, and eigenvectors of Hermitian matrices, of which the triangle `UPLO` counts."""
    check_square("linalg.eigh", A)
    if UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    check_floating("linalg.eigh", A, "linalg_eigh_cpu" if A.dtype.itemsize == 2 else "")
    values, vectors = k.eigh(A, UPLO.upper())
    return values, columns(vectors)


@linalg_eigh.joint("A")
def _eigh_gradient(F: Any, grads: Any, result0: Any, result1: Any) -> Any:
    gl, gv = grads
    h = adjoint(F, result1)
    if gv is None:
        return (F.matmul(result1 * gl[..., None, :], h),)
    inner = F.matmul(h, gv)
    inner = _without_diagonal(F, inner / _gaps(F, result0, result0))
    if gl is not None:
        inner = inner + F.diag_embed(gl)
    return (F.matmul(result1, F.matmul(inner, h)),)


@composite("linalg.eigvalsh")
def eigvalsh(A: Any, UPLO: str = "L", *, out: Any = None) -> Any:
    """The eigenvalues of Hermitian matrices, ascending."""
    result = linalg_eigh.function(A, UPLO)[0]
    return result if out is None else write_out(result, out)


@operator("linalg.eig", outputs=2, result_type=return_type("linalg_eig", "eigenvalues", "eigenvectors"))
def linalg_eig(A: Array) -> Array:
    """Eigenvalues and eigenvectors of square matrices; complex also where A is real."""
    check_square("linalg.eig", A)
    if A.dtype.kind in "iub":
        raise RuntimeError(f"linalg.eig: Expected a floating point or complex tensor as input. Got {type_name(A)}")
    check_floating("linalg.eig", A)
    if not k.isfinite(A).all():
        raise RuntimeError("torch.linalg.eig: input tensor should not contain infs or NaNs.")
    values, vectors = k.eig(A)
    return values, columns(vectors)


@linalg_eig.joint("A")
def _eig_gradient(F: Any, grads: Any, result0: Any, result1: Any) -> Any:
    gl, gv = grads
    h = adjoint(F, result1)
    if gv is None:
        inner = F.diag_embed(gl)
    else:
        inner = F.matmul(h, gv)
        diagonal = F.diagonal(inner, 0, -2, -1)
        real = (diagonal + F.conj(diagonal)) / 2
        values = F.conj(result0)
        inner = _without_diagonal(F, (inner - F.matmul(h, result1 * real[..., None, :])) / _gaps(F, values, values))
        if gl is not None:
            inner = inner + F.diag_embed(gl)
    return (F.solved(h, F.matmul(inner, h)),)


@composite("linalg.eigvals")
def eigvals(A: Any, *, out: Any = None) -> Any:
    """The eigenvalues of square matrices; complex also where A is real."""
    result = linalg_eig.function(A)[0]
    return result if out is None else write_out(result, out)


# --- singular values -------------------------------------------------------------------------------------------------------


@operator(outputs=3, node="LinalgSvdBackward0", out=False)
def linalg_svd_parts(A: Array, full_matrices: bool, vectors: bool) -> Array:
    """U, S, V^H; U and V^H are empty unless `vectors`."""
    check_matrix("linalg.svd", A)
    check_floating("linalg.svd", A, "linalg_svd_cpu" if A.dtype.itemsize == 2 else "")
    u, s, vh = k.svd(A, full_matrices, vectors)
    return columns(u), s, vh


@linalg_svd_parts.joint("A")
def _svd_gradient(F: Any, grads: Any, A: Any, result0: Any, result1: Any, result2: Any, vectors: Any) -> Any:
    gu, gs, gvh = grads
    if not vectors:
        u, _, vh = F.svd_vectors(A)
        return (F.matmul(u * gs[..., None, :], vh),)
    s = result1
    size = s.shape[-1]
    u, vh = result0[..., :size], result2[..., :size, :]
    if gu is not None and gu.shape[-1] > size or gvh is not None and gvh.shape[-2] > size:
        beyond_u = None if gu is None else gu[..., size:]
        beyond_v = None if gvh is None else gvh[..., size:, :]
        for beyond in (beyond_u, beyond_v):
            values = None if beyond is None else getattr(beyond, "_array", beyond)
            if values is not None and values.any():
                raise RuntimeError(
                    "svd_backward: The singular vectors in the complex case are specified up to multiplication by e^{i phi}. linalg.svd "
                    "is differentiable for full_matrices=False only."
                )
    gu = None if gu is None else gu[..., :size]
    gvh = None if gvh is None else gvh[..., :size, :]
    if gu is None and gvh is None:
        return (F.matmul(u * gs[..., None, :], vh),)
    h, v = adjoint(F, u), adjoint(F, vh)
    squares = s * s
    gaps = _gaps(F, squares, squares)
    inner: Any = None
    if gu is not None:
        turned = _skew(F, F.matmul(h, gu))
        inner = turned * s[..., None, :] / gaps
        inner = _without_diagonal(F, inner) + F.diag_embed(F.diagonal(turned, 0, -2, -1) / (2 * s))
    if gvh is not None:
        more = _without_diagonal(F, s[..., :, None] * _skew(F, F.matmul(vh, adjoint(F, gvh))) / gaps)
        inner = more if inner is None else inner + more
    if gs is not None:
        inner = inner + F.diag_embed(gs)
    m, n = u.shape[-2], vh.shape[-1]
    result = F.matmul(u, F.matmul(inner, vh))
    if gu is not None and m > size:
        scaled = gu / s[..., None, :]
        result = result + F.matmul(scaled - F.matmul(u, F.matmul(h, scaled)), vh)
    if gvh is not None and n > size:
        scaled = gvh / s[..., :, None]
        result = result + F.matmul(u, scaled - F.matmul(F.matmul(scaled, v), vh))
    return (result,)


formula_function("svd_vectors", lambda a: k.svd(a, False, True), lambda a: linalg_svd_parts.function(a, False, True))


@composite("linalg.svd")
def linalg_svd(A: Any, full_matrices: bool = True, *, driver: str | None = None, out: Any = None) -> Any:
    """U, S and V^H with `A = U diag(S) V^H`, singular values in descending order."""
    if driver is not None:
        raise RuntimeError("torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend.")
    result = return_type("linalg_svd", "U", "S", "Vh")(linalg_svd_parts.function(A, full_matrices, True))
    return result if out is None else write_out(result, out)


@composite("linalg.svdvals")
def svdvals(A: Any, *, driver: str | None = None, out: Any = None) -> Any:
    """The singular values in descending order."""
    if driver is not None:
        raise RuntimeError("torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend.")
    result = linalg_svd_parts.function(A, False, False)[1]
    return result if out is None else write_out(result, out)


@composite("torch.svd", "Tensor.svd")
def svd(input: Any, some: bool = True, compute_uv: bool = True, *, out: Any = None) -> Any:
    """U, S and V: the older form of `linalg.svd`; without `compute_uv` U and V are zeros."""
    if input.ndim < 2:
        raise RuntimeError("linalg.svd: The input tensor A must have at least 2 dimensions.")
    if compute_uv:
        u, s, vh = linalg_svd_parts.function(input, not some, True)
        result = (u, s, vh.mH)
    else:
        m, n = input.shape[-2:]
        zeros = [tensors.wrap(k.zeros((*input.shape[:-2], size, size), input._array.dtype)) for size in (m, n)]
        result = (zeros[0], linalg_svd_parts.function(input, False, False)[1], zeros[1])
    result = return_type("svd", "U", "S", "V")(result)
    return result if out is None else write_out(result, out)


# --- pseudo-inverse and least squares ----------------------------------------------------------------------------------------


@operator(node="LinalgPinvBackward0", out=False)
def linalg_pinv_cut(A: Array, cut: Array, hermitian: bool) -> Array:
    """The pseudo-inverse from the singular values (or eigenvalues) above `cut`, which has the batch's shape."""
    if hermitian:
        values, u = k.eigh(A, "L")
        vh = u.conj().swapaxes(-1, -2)
    else:
        u, values, vh = k.svd(A, False, True)
    kept = k.abs(values) > cut[..., None]
    inverse = k.where(kept, 1 / k.where(kept, values, 1), 0).astype(values.dtype)
    return (vh.conj().swapaxes(-1, -2) * inverse[..., None, :]) @ u.conj().swapaxes(-1, -2)


def _pinv_gradient(F: Any, grad: Any, p: Any, a: Any) -> Any:
    g, h, mm = adjoint(F, grad), adjoint(F, p), F.matmul
    if a.shape[-2] <= a.shape[-1]:
        left = mm(g, p)
        both = mm(left, h)
        return both - adjoint(F, mm(p, left)) - mm(mm(a, p), both) + mm(mm(h, p), g - mm(left, a))
    right = mm(p, g)
    both = mm(h, right)
    return both - adjoint(F, mm(right, p)) + mm(mm(g - mm(a, right), p), h) - mm(mm(both, p), a)


@linalg_pinv_cut.joint("A")
def _pinv_cut_gradient(F: Any, grad: Any, A: Any, result: Any) -> Any:
    return (_pinv_gradient(F, grad, result, A),)


def cut_of(name: str, A: Any, atol: Any, rtol: Any, values: Any) -> Any:
    """Below which magnitude singular values count as zero: the larger of `atol` and `rtol` times the largest."""
    eps = float(k.finfo(A._array.dtype).eps) * max(A.shape[-2:])
    number = lambda x: x._array if hasattr(x, "_array") else x  # noqa: E731
    if rtol is None:
        rtol = eps if atol is None else k.where(number(atol) > 0, 0.0, eps)
    atol = 0.0 if atol is None else atol
    largest = k.abs(values).max(-1, initial=0)
    return k.asarray(k.maximum(number(atol), number(rtol) * largest), values.dtype)


@composite("linalg.pinv", "torch.pinverse", "Tensor.pinverse")
def pinv(A: Any, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None, out: Any = None) -> Any:
    """The pseudo-inverse of matrices; singular values below `max(atol, rtol * largest)` count as zero."""
    a = A._array
    if a.ndim < 2 or a.dtype.kind in "iub" or a.dtype.itemsize == 2:
        raise RuntimeError(
            f"linalg.pinv({type_name(a)}{{{list(a.shape)}}}): expected a tensor with 2 or more dimensions of float, double, cfloat or "
            "cdouble types"
        )
    if not a.size:
        return A.mT.clone() if out is None else write_out(A.mT.clone(), out)
    if hermitian:
        check_square("linalg.pinv", a)
    values = k.eigh(a, "L")[0] if hermitian else k.svd(a, False, False)[1]
    rtol = rcond if rcond is not None else rtol
    result = linalg_pinv_cut.function(A, tensors.wrap(cut_of("linalg.pinv", A, atol, rtol, values)), hermitian)
    return result if out is None else write_out(result, out)


@operator(outputs=4, node="LinalgLstsqBackward0", out=False)
def linalg_lstsq_parts(A: Array, B: Array, rcond: float, with_residuals: bool) -> Array:
    """Solutions, residuals, ranks and singular values."""
    solution, rank, s = k.lstsq(A, B, rcond)
    m, n = A.shape[-2:]
    residuals = k.empty(0, s.dtype)
    if with_residuals and m > n and (rank == n).all():
        rest = A @ solution - B
        residuals = np.add.reduce((rest * rest.conj()).real, -2)
    return columns(solution), residuals, k.asarray(rank, np.int64), s


@linalg_lstsq_parts.joint("A", "B")
def _lstsq_gradient(F: Any, grads: Any, needs: Any, A: Any, B: Any, result0: Any) -> Any:
    gx, gr = grads[0], grads[1]
    ga = gb = None
    if gx is not None:
        p = F.pseudo_inverse(A)
        gb = F.matmul(adjoint(F, p), gx)
        if needs[0]:
            ga = _pinv_gradient(F, F.matmul(gx, adjoint(F, B)), p, A)
    if gr is not None and gr.shape[-1:] == B.shape[-1:]:
        rest = (F.matmul(A, result0) - B) * gr[..., None, :] * 2
        more = F.matmul(rest, adjoint(F, result0))
        ga, gb = more if ga is None else ga + more, -rest if gb is None else gb - rest
    return ga, gb


formula_function("pseudo_inverse", k.pinv, pinv)


@composite("linalg.lstsq")
def lstsq(A: Any, B: Any, rcond: float | None = None, *, driver: str | None = None, out: Any = None) -> Any:
    """The X of least norm that minimises `|A X - B|`; with residuals, ranks and singular values as the driver gives them."""
    if A.ndim < 2:
        raise RuntimeError("torch.linalg.lstsq: input must have at least 2 dimensions.")
    if B.ndim < 1:
        raise RuntimeError("torch.linalg.lstsq: other must have at least 1 dimension.")
    if A.dtype != B.dtype:
        raise RuntimeError(
            f"torch.linalg.lstsq: Expected input and other to have the same dtype, but got input's dtype {type_name(A._array)} and other's "
            f"dtype {type_name(B._array)}"
        )
    check_floating("torch.linalg.lstsq", A._array)
    if driver is not None and driver not in ("gels", "gelsy", "gelsd", "gelss"):
        raise RuntimeError(f"torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss), but got {driver}")
    vector = A.ndim - 1 == B.ndim
    if not vector and A.ndim != B.ndim:
        raise RuntimeError("torch.linalg.lstsq: input.dim() must be greater or equal to other.dim() and (input.dim() - other.dim()) <= 1")
    b = B[..., None] if vector else B
    if A.shape[-2] != b.shape[-2]:
        raise RuntimeError(f"torch.linalg.lstsq: input.size(-2) should match other.size({-1 if vector else -2})")
    eps = float(k.finfo(A._array.dtype).eps) * max(A.shape[-2:])
    driver = driver or "gelsy"
    solution, residuals, rank, s = linalg_lstsq_parts.function(A, b, eps if rcond is None else float(rcond), driver != "gelsy")
    if vector:
        solution = solution[..., 0]
    if driver == "gels":
        rank = tensors.wrap(k.empty(0, np.int64))
    if driver not in ("gelsd", "gelss"):
        s = tensors.wrap(k.empty(0, s._array.dtype))
    s = tensors.wrap(s._array)
    result = return_type("linalg_lstsq", "solution", "residuals", "rank", "singular_values")((solution, residuals, rank, s))
    return result if out is None else write_out(result, out)


# --- of low rank ---------------------------------------------------------------------------------------------------------


def _approximate_basis(A: Any, q: int, niter: int, M: Any) -> Any:
    """`q` orthonormal columns that span nearly what A (less M) does: Halko, Martinsson and Tropp, 2009, algorithm 4.4."""

    def through(matrix: Any, mean: Any, columns: Any) -> Any:
        product = matrix @ columns
        return product if mean is None else product - mean @ columns

    dtype = A.dtype if A.is_floating_point() or A.is_complex() else float32
    Q = NAMES["linalg"]["qr"](through(A, M, NAMES["torch"]["randn"](A.shape[-1], q, dtype=dtype)))[0]
    for _ in range(niter):
        Q = NAMES["linalg"]["qr"](through(A.mH, None if M is None else M.mH, Q))[0]
        Q = NAMES["linalg"]["qr"](through(A, M, Q))[0]
    return Q


@composite("torch.svd_lowrank")
def svd_lowrank(A: Any, q: int | None = 6, niter: int | None = 2, M: Any = None) -> tuple[Any, Any, Any]:
    """(U, S, V) with A - M near U diag(S) V^H, of rank `q` at most: Halko, Martinsson and Tropp, 2009, algorithm 5.1.

    Draws from the default generator. `M` broadcasts to A, which is (*, m, n).
    """
    m, n = A.shape[-2:]
    wide = m < n
    if M is not None:
        M = M.broadcast_to(A.shape)
    if wide:
        A, M = A.mH, None if M is None else M.mH
    Q = _approximate_basis(A, 6 if q is None else q, 2 if niter is None else niter, M)
    small = Q.mH @ A
    if M is not None:
        small = small - Q.mH @ M
    U, S, Vh = NAMES["linalg"]["svd"](small, full_matrices=False)
    U, V = Q @ U, Vh.mH
    return (V, S, U) if wide else (U, S, V)


@composite("torch.pca_lowrank")
def pca_lowrank(A: Any, q: int | None = None, center: bool = True, niter: int = 2) -> tuple[Any, Any, Any]:
    """The first `q` (6, or as many as there are) principal components of the rows of A: `svd_lowrank` of A less the mean row.

    Raises ValueError for a `q` that A does not have, or a negative `niter`.
    """
    m, n = A.shape[-2:]
    if q is None:
        q = min(6, m, n)
    elif not 0 <= q <= min(m, n):
        raise ValueError(f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}")
    if not niter >= 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, q, niter)
