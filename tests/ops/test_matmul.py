"""Matrix products."""

import math

from harness import Row, randint, randn, rows, value

FLOATS = "float32 float64 float16 bfloat16 complex64 int64"

test_products = rows(
    Row("a @ b, torch.matmul(a, b), torch.mm(a, b), a.mm(b)", a=randn(3, 4), b=randn(4, 2), grad=2),
    Row("a @ b", a=randn(3, 4), b=randn(4, 2), dtypes=FLOATS),
    Row("a @ b", a=randn(3, 4).T, b=randn(3, 2), grad=True),
    Row("a @ v, a.mv(v), v @ b, v @ v, v.dot(v)", a=randn(3, 4), v=randn(4), b=randn(4, 2), grad=2),
    Row("a @ b, a @ c, a @ v, c @ b", a=randn(2, 3, 4), b=randn(4, 5), c=randn(2, 4, 4), v=randn(4), grad=True),
    Row("a @ b", a=randn(2, 1, 3, 4), b=randn(5, 4, 2), grad=2),
    Row("v @ a", v=randn(4), a=randn(2, 4, 3), grad=True),
    Row("a @ b, b @ c", a=randn(0, 3), b=randn(3, 2), c=randn(2, 0), grad=True),
    Row("a @ b", a=randn(5, 5, 0), b=randn(0, 5), grad=True),
    Row("torch.bmm(a, b), a.bmm(b)", a=randn(2, 3, 4), b=randn(2, 4, 2), grad=2),
    Row("torch.outer(a, b), torch.ger(a, b), torch.vdot(a, a), torch.inner(a, a)", a=randn(3), b=randn(4), grad=2),
    Row("torch.outer(a, b), torch.vdot(a, a), torch.dot(a, a)", a=randn(3), b=randn(4), dtypes="complex64 int64 bfloat16", grad=False),
    Row("torch.inner(a, b), torch.inner(a, torch.tensor(2.0))", a=randn(2, 3), b=randn(4, 3), grad=True, grad_fn=False),
    Row("torch.kron(a, b), a.kron(b[0])", a=randn(2, 3), b=randn(2, 2), grad=True, grad_fn=False),
    Row("torch.chain_matmul(a, b, a)", a=randn(2, 3), b=randn(3, 2), grad=True, grad_fn=False),
    Row(
        "out = torch.empty(3, 2); r = torch.mm(a, b, out=out); r is out, out, torch.inner(a, a, out=torch.empty(3, 3))",
        a=randn(3, 4),
        b=randn(4, 2),
    ),
)

test_sums_with_products = rows(
    Row("torch.addr(x, a, b, beta=2)", x=value([[3e38], [-math.inf]]), a=value([3e38, math.inf]), b=value([2.0]), name="infinite addr"),
    Row(
        "torch.addmm(c, a, b), torch.addmm(v, a, b, beta=0.5, alpha=2), c.addmm(a, b, beta=0)",
        a=randn(3, 4),
        b=randn(4, 2),
        c=randn(3, 2),
        v=randn(2),
        grad=2,
    ),
    Row(
        "torch.addmv(v, a, w), torch.addmv(v, a, w, beta=2, alpha=0.5), torch.addr(a, v, w)",
        a=randn(3, 4),
        v=randn(3),
        w=randn(4),
        grad=True,
    ),
    Row(
        "torch.baddbmm(c, a, b, beta=0.3), torch.addbmm(c[0], a, b, alpha=2)",
        a=randn(2, 3, 4),
        b=randn(2, 4, 2),
        c=randn(2, 3, 2),
        grad=True,
    ),
    Row(
        "torch.addmv(v, a, w, beta=0.6), torch.baddbmm(c, a[None], a[None], alpha=0.6)",
        a=randint(-3, 3, (3, 3)),
        v=randint(-3, 3, (3,)),
        w=randint(-3, 3, (3,)),
        c=randint(-3, 3, (1, 3, 3)),
    ),
    Row("y = c.clone(); y.addmm_(a, b); y", a=randn(3, 4), b=randn(4, 2), c=randn(3, 2), grad=True),
)

test_linear = rows(
    Row("F.linear(x, w, b), F.linear(x, w)", x=randn(3, 4), w=randn(2, 4), b=randn(2), grad=2),
    Row("F.linear(x, w, b), F.linear(x, w)", x=randn(2, 3, 4), w=randn(5, 4), b=randn(5), grad=True),
    Row("F.linear(x, w, b), F.linear(x, w)", x=randn(4), w=randn(5, 4), b=randn(5), grad=True),
    Row("F.linear(x, w), F.linear(x[0], w)", x=randn(3, 4), w=randn(4), grad=True, grad_fn=False),
    Row("F.linear(x, w, b)", x=randn(3, 4), w=randn(2, 4), b=randn(2), dtypes="float64 float16 bfloat16 complex64"),
    Row("F.linear(x, w, b)", x=randn(0, 4), w=randn(2, 4), b=randn(2), grad=True),
    Row("F.bilinear(x, y, w, b)", x=randn(3, 4), y=randn(3, 5), w=randn(2, 4, 5), b=randn(2), grad=True, grad_fn=False),
)

test_contractions = rows(
    Row(
        "torch.einsum('ij,jk->ik', a, b), torch.einsum('ij,jk', a, b), torch.einsum('ij->ji', a), torch.einsum('ij->', a)",
        a=randn(3, 4),
        b=randn(4, 2),
        grad=True,
        grad_fn=False,
    ),
    Row(
        "torch.einsum('bij,bjk->bik', a, b), torch.einsum('bij,bkj->bik', a, a), torch.einsum('...ij,...jk', a, b)",
        a=randn(2, 3, 4),
        b=randn(2, 4, 5),
        grad=True,
        grad_fn=False,
    ),
    Row(
        "torch.einsum('ii->i', a), torch.einsum('ii', a), torch.einsum('i,j,k->ijk', a[0], a[1], a[2])",
        a=randn(3, 3),
        grad=True,
        grad_fn=False,
    ),
    Row("torch.einsum('bhqd,bhkd->bhqk', a, a), torch.einsum(a, [0, 1, 2, 3], [0, 1, 3, 2])", a=randn(2, 2, 3, 4), grad_fn=False),
    Row("torch.einsum('ij,jk->ik', a, b)", a=randn(2, 3), b=randn(2, 3)),
    Row("torch.einsum('ij', a)", a=randn(2)),
    Row("torch.einsum('ij->ik', a)", a=randn(2, 2)),
    Row("torch.einsum('ij->ii', a)", a=randn(2, 2)),
    Row(
        "torch.tensordot(a, b, 1), torch.tensordot(a, c, ([0, 1], [1, 0])), torch.tensordot(a, b, 0)",
        a=randn(3, 4),
        b=randn(4, 2),
        c=randn(4, 3),
        grad=True,
        grad_fn=False,
    ),
    Row("torch.tensordot(a, b, ([0, 1], [2, 0]))", a=randn(1, 1, 1), b=randn(2, 1, 2), grad=True, grad_fn=False),
    Row("torch.tensordot(a, b, 1)", a=randn(2, 3), b=randn(2, 3)),
)

test_errors = rows(
    Row("a @ b", a=randn(2, 2), b=randn(3, 2)),
    Row("a @ b", a=randn(2, 3), b=randn(2)),
    Row("a @ b", a=randn(2, 3), b=randn()),
    Row("a @ b", a=randn(2), b=randn(3)),
    Row("a @ b", a=randn(2, 2), b=randn(2, 2, dtype="float64")),
    Row("a @ b", a=randn(2, 2, 3), b=randn(3, 3, 4)),
    Row("a @ b", a=randn(2, 2, 3), b=randn(2, 4, 4)),
    Row("torch.mm(a, b)", a=randn(2), b=randn(2, 2)),
    Row("torch.mm(a, b)", a=randn(2, 2), b=randn(2)),
    Row("torch.mv(a, b)", a=randn(2, 2), b=randn(3)),
    Row("torch.mv(a, b)", a=randn(2), b=randn(3)),
    Row("torch.bmm(a, b)", a=randn(2, 2, 2), b=randn(3, 2, 2)),
    Row("torch.bmm(a, b)", a=randn(2, 2), b=randn(3, 2, 2)),
    Row("torch.addmm(c, a, b)", a=randn(2, 2), b=randn(2, 2), c=randn(3)),
    Row("F.linear(a, b)", a=randn(2, 3), b=randn(2, 2)),
    Row("F.linear(a, b, c)", a=randn(2, 3), b=randn(4, 3), c=randn(5)),
    Row("F.linear(a, b)", a=randn(2, 3), b=randn(4, 3, dtype="float64")),
    Row("torch.dot(a, b)", a=randn(2), b=randn(3)),
    Row("torch.dot(a, b)", a=randn(2, 2), b=randn(3)),
    Row("torch.inner(a, b)", a=randn(2), b=randn(3)),
    Row("torch.outer(a, b)", a=randn(2, 2), b=randn(3)),
)
