"""Linear algebra: results, first and second derivatives, errors."""

import math
from functools import partial

from harness import Row, parity, rand, randn, rows, value

square = randn(4, 4)
batch = randn(2, 3, 3)

Made = partial(Row, grad_fn=False)  # what PyTorch writes in C++ is made of other operators here: the last node has another name

test_solving = rows(
    Made("torch.linalg.inv(a)", a=batch, grad=True, rtol=1e-4, atol=1e-4),
    Made("torch.inverse(a), a.inverse()", a=square, rtol=1e-4, atol=1e-4),
    Made("torch.linalg.inv(a)", a=randn(3, 3), grad=2, gradgrad=True),
    Made("torch.linalg.inv(a)", a=randn(3, 3), dtypes="complex64 complex128", grad=True, rtol=1e-4, atol=1e-4),
    Made("torch.linalg.inv_ex(a).info", a=value([[0.0, 0.0], [0.0, 1.0]])),
    Made("torch.linalg.solve(a, b)", a=randn(3, 3), b=randn(3, 2), gradgrad=True, grad=True),
    Made("torch.linalg.solve(a, b)", a=randn(3, 3), b=randn(3), gradgrad=True, grad=True),
    Made("torch.linalg.solve(a, b, left=False)", a=randn(3, 3), b=randn(2, 3), gradgrad=True, grad=True),
    Made("torch.linalg.solve(a, b)", a=randn(2, 3, 3), b=randn(2, 3), grad=True, rtol=1e-4, atol=1e-4),
    Made(
        "torch.linalg.solve_triangular(a + 3 * torch.eye(3, dtype=a.dtype), b, upper=True)",
        a=randn(3, 3),
        b=randn(3, 2),
        gradgrad=True,
        grad=True,
    ),
    Made(
        "torch.linalg.solve_triangular(a, b, upper=False, left=False, unitriangular=True)",
        a=randn(3, 3),
        b=randn(2, 3),
        gradgrad=True,
        grad=True,
    ),
    Made("torch.linalg.det(a)", a=randn(3, 3), gradgrad=True, grad=True),
    Made("torch.det(a), a.det()", a=value([[1.0, 2.0], [2.0, 4.0]]), grad=True),
    Made("torch.linalg.slogdet(a)", a=randn(3, 3), gradgrad=True, grad=True),
    Made("torch.slogdet(a)", a=randn(3, 3), dtypes="complex64 float64", grad=True, rtol=1e-4, atol=1e-4),
    Made("torch.logdet(a @ a.T + torch.eye(3))", a=randn(3, 3), grad=True, rtol=1e-4, atol=1e-4),
    Made("torch.logdet(a)", a=value([[0.0, 1.0], [1.0, 0.0]])),
    Made("torch.linalg.cholesky(a @ a.mT + torch.eye(3, dtype=a.dtype))", a=randn(3, 3), gradgrad=True, grad=True),
    Made(
        "torch.linalg.cholesky(a @ a.mH + torch.eye(3), upper=True)",
        a=randn(2, 3, 3),
        dtypes="float32 complex64",
        grad=True,
        rtol=1e-4,
        atol=1e-4,
    ),
    Made(
        "L = a.tril(); torch.cholesky_solve(b, L), torch.cholesky_inverse(L)",
        a=rand(3, 3, low=1, high=2),
        b=randn(3, 2),
        grad=True,
        gradgrad=True,
    ),
    Made("torch.linalg.matrix_exp(a)", a=randn(3, 3), gradgrad=True, grad=True),
    Made("torch.linalg.matrix_power(a, 3), a.matrix_power(0), torch.matrix_power(a, -2)", a=randn(3, 3), grad=True, rtol=1e-3, atol=1e-3),
    Made("torch.linalg.pinv(a)", a=randn(3, 2), gradgrad=True, grad=True),
    Made("torch.linalg.pinv(a)", a=randn(2, 4), gradgrad=True, grad=True),
    Made("torch.linalg.lstsq(a, b).solution", a=randn(4, 2), b=randn(4, 3), grad=True, rtol=1e-4, atol=1e-4),
    Made("torch.linalg.lstsq(a, b, driver='gelsd')", a=randn(4, 2), b=randn(4, 3), rtol=1e-4, atol=1e-4),
    Made(
        "torch.linalg.tensorinv(a.reshape(2, 2, 4)), torch.linalg.tensorsolve(a.reshape(2, 2, 4), b)",
        a=square,
        b=randn(2, 2),
        grad=True,
        rtol=1e-3,
        atol=1e-3,
    ),
)

test_factors = rows(
    Made("torch.linalg.lu(a)", a=randn(3, 3), gradgrad=True, grad=True),
    Made("torch.linalg.lu(a)", a=randn(3, 5), gradgrad=True, grad=True),
    Made("torch.linalg.lu(a)", a=randn(5, 3), gradgrad=True, grad=True),
    Made("torch.linalg.lu_factor(a)", a=randn(2, 4, 4), grad=True, rtol=1e-4, atol=1e-4),
    Made("torch.lu_unpack(*torch.linalg.lu_factor(a))", a=randn(4, 3), grad=True, rtol=1e-4, atol=1e-4),
    Made("torch.linalg.lu_solve(*torch.linalg.lu_factor(a), b)", a=randn(3, 3), b=randn(3, 2), grad=True, rtol=1e-4, atol=1e-4),
    Made("torch.linalg.qr(a)", a=randn(4, 3), gradgrad=True, grad=True),
    Made("torch.linalg.qr(a)", a=randn(3, 4), gradgrad=True, grad=True),
    Made("torch.linalg.qr(a, mode='complete'), torch.linalg.qr(a, mode='r'), torch.qr(a)", a=randn(4, 3), rtol=1e-4, atol=1e-4),
    Made("torch.linalg.qr(a, mode='complete')[1].sum().backward()", a=randn(4, 3), grad=True),
    Made("torch.linalg.qr(a, mode='r')[1].sum().backward()", a=randn(4, 3), grad=True),
    Made("torch.linalg.eigvalsh(a + a.mT)", a=randn(3, 3), gradgrad=True, grad=True),
    Made("torch.linalg.eigh(a + a.mT).eigenvectors.abs()", a=randn(2, 3, 3), grad=True, rtol=1e-3, atol=1e-3),
    Made("torch.linalg.eigvals(a).abs().sum()", a=randn(3, 3), grad=True, rtol=1e-4, atol=1e-4),
    Made("L, V = torch.linalg.eig(a); V @ torch.diag(L) @ torch.linalg.inv(V)", a=randn(3, 3), grad=True, rtol=1e-3, atol=1e-3),
    Made("torch.linalg.svdvals(a)", a=randn(2, 4, 3), gradgrad=True, grad=True),
    Made("U, S, Vh = torch.linalg.svd(a, full_matrices=False); U @ torch.diag(S**2) @ Vh", a=randn(4, 3), gradgrad=True, grad=True),
    Made("U, S, Vh = torch.linalg.svd(a, full_matrices=False); U @ torch.diag(S**2) @ Vh", a=randn(2, 3), gradgrad=True, grad=True),
    Made("torch.linalg.svd(a).U.shape, torch.svd(a).V.shape, torch.svd(a, compute_uv=False)", a=randn(4, 3), rtol=1e-4, atol=1e-4),
    Made("torch.linalg.householder_product(*torch.geqrf(a))", a=randn(4, 3), rtol=1e-4, atol=1e-4),
    Made("torch.linalg.householder_product(a, t)", a=randn(4, 3), t=randn(2), gradgrad=True, grad=True),
    Made(
        "torch.ormqr(a, t, b.mT), torch.ormqr(a, t, b.mT, transpose=True), torch.ormqr(a, t, b, left=False)",
        a=randn(3, 2),
        t=randn(2),
        b=randn(2, 3),
        grad=True,
        rtol=1e-4,
        atol=1e-4,
    ),
)

test_norms_and_products = rows(
    Row("torch.linalg.cross(a, b)", a=value([math.inf, 0.0, 3e38]), b=value([0.0, 2.0, 3e38]), name="cross of infinite numbers"),
    *[
        Made(f"torch.linalg.matrix_norm(a, {ord})", a=randn(2, 3, 4), grad=True, rtol=1e-4, atol=1e-4)
        for ord in ("'fro'", "'nuc'", "1", "-1", "2", "-2", "float('inf')", "-float('inf')")
    ],
    Made(
        "torch.linalg.norm(a), torch.linalg.norm(a, dim=1), torch.linalg.norm(a, 2, dim=(0, 1)), torch.linalg.norm(a, 1)",
        a=randn(3, 4),
        grad=True,
        rtol=1e-4,
        atol=1e-4,
    ),
    Made("torch.linalg.norm(a, 'fro', (0, 2), True)", a=randn(3, 2, 4), grad=True),
    Made("torch.norm(a, 'nuc'), torch.norm(a, dim=(0, 1)), a.norm()", a=randn(3, 4), grad=True, rtol=1e-4, atol=1e-4),
    *[
        Made(f"torch.linalg.cond(a, {p})", a=randn(3, 3), grad=p in ("None", "-2"), rtol=1e-3, atol=1e-3)
        for p in ("None", "'fro'", "1", "-2", "float('inf')")
    ],
    Made(
        "torch.linalg.matrix_rank(a @ a.mT), torch.linalg.matrix_rank(a, tol=9.0), torch.linalg.matrix_rank(a @ a.mT, hermitian=True)",
        a=randn(4, 2),
    ),
    Made("torch.linalg.multi_dot([a, b, c])", a=randn(2, 5), b=randn(5, 3), c=randn(3), grad=True),
    Made("torch.linalg.cross(a, b), torch.cross(a, b, dim=-1), a.cross(b, dim=1)", a=randn(2, 3), b=randn(2, 3), gradgrad=True, grad=True),
    Made("torch.linalg.vecdot(a, b)", a=randn(2, 3), b=randn(2, 3), dtypes="float32 complex64", grad=True),
    Made("torch.linalg.vander(a, N=4)", a=randn(3), grad=True),
    Made("torch.linalg.diagonal(a), torch.linalg.matmul(a, a), torch.trace(a), a.trace()", a=randn(3, 3), grad=True),
)

test_errors = rows(
    Row("torch.linalg.inv(a)", a=randn(3)),
    Row("torch.linalg.inv(a)", a=randn(2, 3)),
    Row("torch.linalg.inv(torch.zeros(3, 3))"),
    Row("torch.linalg.inv(torch.stack([torch.eye(2), torch.zeros(2, 2)]))"),
    Row("torch.linalg.inv(torch.eye(3, dtype=torch.int64))"),
    Row("torch.linalg.solve(torch.zeros(3, 3), torch.ones(3))"),
    Row("torch.linalg.solve(a, b)", a=randn(3, 3), b=randn(2, 3)),
    Row("torch.linalg.det(a)", a=randn(2, 3)),
    Row("torch.linalg.cholesky(-torch.eye(3))"),
    Row("torch.linalg.cholesky(torch.stack([torch.eye(3), torch.tensor([[1.0, 2, 0], [2, 1, 0], [0, 0, 1]])]))"),
    Row("torch.cholesky(-torch.eye(2))"),
    Row("torch.linalg.qr(a, mode='x')", a=randn(3, 3)),
    Row("torch.linalg.eigh(a, UPLO='X')", a=randn(3, 3)),
    Row("torch.linalg.matrix_power(a, 2.5)", a=randn(3, 3)),
    Row("torch.linalg.lstsq(a, b)", a=randn(3, 3), b=randn(2, 3)),
    Row("torch.linalg.cross(a, b)", a=randn(3), b=randn(2, 3)),
    Row("torch.linalg.cross(a, a, dim=0)", a=randn(2, 3)),
    Row("torch.linalg.multi_dot([a])", a=randn(3, 3)),
    Row("torch.linalg.multi_dot([a, b])", a=randn(3, 3), b=randn(2, 3)),
    Row("torch.linalg.tensorinv(a)", a=randn(2, 3)),
    Row("torch.linalg.cond(a, p='x')", a=randn(3, 3)),
    Row("torch.linalg.norm(a, ord='x')", a=randn(3, 3)),
    Row("torch.linalg.norm(a, ord=2)", a=randn(2, 3, 3)),
    Row("torch.linalg.matrix_norm(a, ord=3)", a=randn(3, 3)),
    Row("torch.linalg.matrix_norm(a, dim=(0, 0))", a=randn(3, 3)),
    Row("torch.linalg.pinv(a)", a=randn(3)),
    Row("torch.linalg.svd(a)", a=randn(3)),
)


@parity
def test_a_singular_matrix_can_be_caught(torch):
    try:
        torch.linalg.inv(torch.zeros(2, 2))
    except torch.linalg.LinAlgError as error:
        return isinstance(error, RuntimeError), torch.linalg.inv_ex(torch.zeros(2, 2)).info
