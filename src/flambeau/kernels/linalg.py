"""Linear algebra by the LAPACK inside NumPy, over batches of matrices; what NumPy does not expose is written out."""

import math
from typing import Any

import numpy as np

from .quiet import quiet


def _flat(a: Any) -> Any:
    """A batch as one dimension."""
    return a.reshape((math.prod(a.shape[:-2]), *a.shape[-2:]))


@quiet
def inverse(a: Any) -> tuple[Any, Any]:
    """Inverses, and per matrix 0 or the number (from 1) of the first pivot that is zero."""
    info = np.zeros(a.shape[:-2], np.int32)
    try:
        return np.linalg.inv(a), info
    except np.linalg.LinAlgError:
        result, flat = np.empty_like(a, order="C"), info.reshape(-1)
        for i, (matrix, into) in enumerate(zip(_flat(a), _flat(result))):
            try:
                into[...] = np.linalg.inv(matrix)
            except np.linalg.LinAlgError:
                flat[i] = first_zero_pivot(matrix)
                into[...] = np.nan
        return result, flat.reshape(info.shape)


def first_zero_pivot(a: Any) -> int:
    """Of one singular matrix: the number (from 1) of the first pivot that is zero."""
    return int(lu_factor(a)[2]) or a.shape[-1]


@quiet
def solve(a: Any, b: Any) -> tuple[Any, Any]:
    """`x` with `a @ x = b` for matrices `b`, and as `inverse` says of which matrices are singular."""
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    info = np.zeros(a.shape[:-2], np.int32)
    try:
        return np.linalg.solve(a, b), info
    except np.linalg.LinAlgError:
        for i, matrix in enumerate(_flat(a)):
            try:
                np.linalg.inv(matrix)
            except np.linalg.LinAlgError:
                info.reshape(-1)[i] = first_zero_pivot(matrix)
        return np.full((*batch, *b.shape[-2:]), np.nan, a.dtype), info


@quiet
def cholesky(a: Any, upper: bool) -> tuple[Any, Any]:
    """Lower (or upper) factors, and per matrix 0 or the order of the first leading minor that is not positive."""
    if upper:
        a = a.conj().swapaxes(-1, -2)
    info = np.zeros(a.shape[:-2], np.int32)
    try:
        result = np.linalg.cholesky(a)
    except np.linalg.LinAlgError:
        result = np.tril(a)
        for i, (matrix, into) in enumerate(zip(_flat(a), _flat(result))):
            order = next((n for n in range(1, len(matrix) + 1) if not _positive(matrix[:n, :n])), 0)
            info.reshape(-1)[i] = order
            if not order:
                into[...] = np.linalg.cholesky(matrix)
            elif order > 1:
                into[: order - 1, : order - 1] = np.linalg.cholesky(matrix[: order - 1, : order - 1])
    return (result.conj().swapaxes(-1, -2) if upper else result), info


def _positive(a: Any) -> bool:
    try:
        np.linalg.cholesky(a)
    except np.linalg.LinAlgError:
        return False
    return True


@quiet
def lu_factor(a: Any, pivot: bool = True) -> tuple[Any, Any, Any]:
    """L and U in one matrix, the row (from 1) that each step exchanged its own with, and the first zero pivot (or 0)."""
    result = np.array(a, order="C")
    m, n = a.shape[-2:]
    k = min(m, n)
    pivots = np.empty((*a.shape[:-2], k), np.int32)
    info = np.zeros(a.shape[:-2], np.int32)
    for matrix, rows, number in zip(_flat(result), pivots.reshape(info.size, k), np.ndindex(info.shape)):
        for j in range(k):
            column = matrix[j:, j]
            size = np.abs(column.real) + np.abs(column.imag) if a.dtype.kind == "c" else np.abs(column)  # as LAPACK measures
            p = j + int(np.argmax(size)) if pivot else j
            rows[j] = p + 1
            if p != j:
                matrix[[j, p]] = matrix[[p, j]]
            if matrix[j, j] == 0:
                if not info[number]:
                    info[number] = j + 1
                continue
            matrix[j + 1 :, j] /= matrix[j, j]
            matrix[j + 1 :, j + 1 :] -= np.multiply.outer(matrix[j + 1 :, j], matrix[j, j + 1 :])
    return result, pivots, info


def permutation(pivots: Any, m: int, dtype: Any) -> Any:
    """The permutation matrices P (m, m), with `A = P @ L @ U`, of exchanges of rows."""
    result = np.zeros((*pivots.shape[:-1], m, m), dtype)
    for matrix, rows in zip(_flat(result), pivots.reshape(math.prod(pivots.shape[:-1]), pivots.shape[-1])):
        order = np.arange(m)
        for j, p in enumerate(rows):
            order[[j, p - 1]] = order[[p - 1, j]]
        matrix[order, np.arange(m)] = 1
    return result


@quiet
def qr(a: Any, mode: Any) -> tuple[Any, Any]:
    """Q and R; Q is empty in mode "r"."""
    if mode == "r":
        return np.empty(0, a.dtype), np.linalg.qr(a, "r")
    q, r = np.linalg.qr(a, mode)
    return q, r


@quiet
def geqrf(a: Any) -> tuple[Any, Any]:
    """Householder vectors below R, and their factors."""
    h, tau = np.linalg.qr(a, "raw")
    return np.ascontiguousarray(h.swapaxes(-1, -2)), tau


@quiet
def eigh(a: Any, uplo: Any) -> tuple[Any, Any]:
    """Eigenvalues, ascending, and eigenvectors of Hermitian matrices."""
    values, vectors = np.linalg.eigh(a, uplo)
    return values, vectors


@quiet
def eig(a: Any) -> tuple[Any, Any]:
    """Eigenvalues and eigenvectors, always complex."""
    complex_type = np.result_type(a.dtype, np.complex64)
    values, vectors = np.linalg.eig(a)
    return values.astype(complex_type), vectors.astype(complex_type)


@quiet
def svd(a: Any, full_matrices: bool, vectors: bool) -> tuple[Any, Any, Any]:
    """U, S and V^H; only S unless `vectors`."""
    if not vectors:
        empty = np.empty(0, a.dtype)
        return empty, np.linalg.svd(a, compute_uv=False), empty
    u, s, vh = np.linalg.svd(a, full_matrices)
    return u, s, vh


@quiet
def det(a: Any) -> Any:
    """Determinants."""
    return np.asarray(np.linalg.det(a))


@quiet
def slogdet(a: Any) -> tuple[Any, Any]:
    """Signs and logarithms of the magnitudes of determinants."""
    sign, logabs = np.linalg.slogdet(a)
    return np.asarray(sign), np.asarray(logabs)


@quiet
def det_backward(grad: Any, a: Any, det: Any) -> Any:
    """`grad conj(det) a^-H`; zero for a singular matrix, as in PyTorch."""
    inverses, info = inverse(a)
    if info.any():
        inverses = np.where((info == 0)[..., None, None], inverses, 0)
    return (grad * det.conj())[..., None, None] * inverses.conj().swapaxes(-1, -2)


@quiet
def matrix_exp(a: Any) -> Any:
    """The matrix exponential, by scaling and squaring of a Taylor polynomial of degree 18."""
    if not a.size:
        return a.copy()
    given = a.dtype
    a = a.astype(np.result_type(given, np.float64))  # squaring doubles the errors, too
    norm = np.abs(a).sum(-2).max(-1, initial=0)
    squarings = np.maximum(0, np.ceil(np.log2(np.maximum(norm, 1e-300)) + 1)).astype(np.int64)
    squarings = np.where(np.isfinite(norm), squarings, 0)
    scaled = a / (2.0**squarings)[..., None, None].astype(a.real.dtype)
    eye = np.eye(a.shape[-1], dtype=a.dtype)
    result = np.broadcast_to(eye, a.shape).copy()
    for k in range(18, 0, -1):
        result = eye + scaled @ result / a.real.dtype.type(k)
    for step in range(int(squarings.max(initial=0))):
        more = (squarings > step)[..., None, None]
        result = np.where(more, result @ result, result)
    return result.astype(given)


@quiet
def lstsq(a: Any, b: Any, rcond: float) -> tuple[Any, Any, Any]:
    """Least-squares solutions by the singular values, the ranks, and the singular values."""
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    kept = s > rcond * s.max(-1, keepdims=True, initial=0)
    inverse_s = np.where(kept, 1 / np.where(kept, s, 1), 0).astype(s.dtype)
    solution = vh.conj().swapaxes(-1, -2) @ (inverse_s[..., None] * (u.conj().swapaxes(-1, -2) @ b))
    return solution, kept.sum(-1), s


@quiet
def triangle_solve(a: Any, b: Any, upper: bool, unit: bool) -> Any:
    """`x` with `a @ x = b`, of which only the upper or lower triangle of `a` counts; its diagonal is 1 where `unit`."""
    a = np.triu(a) if upper else np.tril(a)
    if unit:
        index = np.arange(a.shape[-1])
        a[..., index, index] = 1
    if (np.diagonal(a, 0, -2, -1) == 0).any():
        return _substitute(a, b, upper)
    return np.linalg.solve(a, b)


def _substitute(a: Any, b: Any, upper: bool) -> Any:
    """Substitution row by row, where a zero on the diagonal makes infinities as it does in LAPACK."""
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    x = np.array(np.broadcast_to(b, (*batch, *b.shape[-2:])))
    n = a.shape[-1]
    for i in reversed(range(n)) if upper else range(n):
        rest = slice(i + 1, n) if upper else slice(0, i)
        x[..., i, :] -= (a[..., i : i + 1, rest] @ x[..., rest, :])[..., 0, :]
        x[..., i, :] /= a[..., i, i, None]
    return x


@quiet
def cross(a: Any, b: Any, axis: int) -> Any:
    """The vector products of arrays of one shape along an axis of three, row-major."""
    result = np.empty(a.shape, a.dtype)
    lead: tuple[Any, ...] = (slice(None),) * axis
    x, y, target = ([v[(*lead, i, ...)] for i in range(3)] for v in (a, b, result))
    for i, j, m in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        target[i][...] = x[j] * y[m] - x[m] * y[j]
    return result


# What operators make arrays and pick elements with.
abs = np.abs
arange = np.arange
asarray = np.asarray
ascontiguousarray = np.ascontiguousarray
broadcast_arrays = np.broadcast_arrays
diagonal = np.diagonal
empty = np.empty
eye = np.eye
finfo = np.finfo
flatnonzero = np.flatnonzero
isfinite = np.isfinite
pinv = np.linalg.pinv
maximum = np.maximum
ones = np.ones
trace = np.trace
tril = np.tril
triu = np.triu
where = np.where
zeros = np.zeros
