"""`gradcheck`, `gradgradcheck` and `torch.autograd.functional`."""

import pytest

import flambeau
from harness import Row, parity, randn, rows, value


def wrong(torch):
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

    return Wrong.apply


@parity
def test_right_gradients_pass(torch):
    x = torch.tensor([0.5, -1.5], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([[1.0], [2.0]], dtype=torch.float64, requires_grad=True)
    z = torch.tensor([1.0 + 2j, 0.5], dtype=torch.complex128, requires_grad=True)
    check, twice = torch.autograd.gradcheck, torch.autograd.gradgradcheck
    return [
        check(lambda a, b: (a * b).sin(), (x, y)),
        twice(lambda a, b: (a * b).exp(), (x, y)),
        check(lambda a: a.abs(), z),
        check(lambda a: (a * a, a.max(0)[0], 3 * a), x),
        check(torch.exp, (z,)),
        check(lambda a, b: a * b, (x, y.detach()), eps=1e-5, atol=1e-4),
        check(torch.sin, x, fast_mode=True),
        twice(torch.tanh, x, torch.ones(2, dtype=torch.float64)),
        check(torch.sin, x, check_batched_grad=True),
    ]


@parity
def test_wrong_gradients_fail(torch):
    x = torch.tensor([0.5, -1.5], dtype=torch.float64, requires_grad=True)
    found = torch.autograd.gradcheck(wrong(torch), (x,), raise_exception=False)
    try:
        torch.autograd.gradcheck(wrong(torch), (x,))
    except torch.autograd.gradcheck.__globals__["GradcheckError"] as error:
        lines = str(error).splitlines()
        return found, lines[0], len(lines)


test_errors = rows(
    Row("torch.autograd.gradcheck(torch.sin, x)", x=randn(2)),
    Row("torch.autograd.gradcheck(torch.sin, x.expand(3, 2))", x=randn(2), grad=True, dtype="float64"),
    Row(
        "torch.autograd.gradcheck(lambda a: a[:1] if a.detach()[0] > 0.5 else a, x.requires_grad_())", x=value([0.5, 1.0], dtype="float64")
    ),
    Row(
        "torch.autograd.gradcheck(lambda a: a.float() if a.detach()[0] > 0.5 else a, x.requires_grad_())",
        x=value([0.5, 1.0], dtype="float64"),
    ),
    Row("torch.autograd.functional.jacobian(lambda a, b, c: a * c, (x, y, z), strict=True)", x=randn(2), y=randn(2), z=randn(2)),
    Row("torch.autograd.functional.jacobian(lambda a, b: (a, a.sum()), (x, y), strict=True)", x=randn(2), y=randn(2)),
    Row("torch.autograd.functional.jacobian(lambda a: a * 2, x, strict=True, create_graph=True)", x=randn(2)),
    Row("torch.autograd.functional.jacobian(lambda a: 3, x)", x=randn(2)),
    Row("torch.autograd.functional.vjp(lambda a: a * 2, x)", x=randn(2)),
    Row("torch.autograd.functional.vjp(lambda a: a * 2, x, torch.ones(3))", x=randn(2)),
    Row("torch.autograd.functional.hessian(lambda a: a * 2, x)", x=randn(2)),
    Row("torch.autograd.functional.jacobian(lambda a: torch.ones(2), x, strict=True)", x=randn(2)),
    Row("torch.autograd.functional.hvp(lambda a: a.sum(), x, torch.ones(2), strict=True)", x=randn(2)),
)

test_functional = rows(
    Row("torch.autograd.functional.jacobian(lambda a: a.exp().sum(1), x)", x=randn(2, 3)),
    Row("torch.autograd.functional.jacobian(lambda a, b: (a * b, a.sum()), (x, y))", x=randn(2), y=randn(2)),
    Row("torch.autograd.functional.jacobian(lambda a: a.exp(), x, create_graph=True).sum()", x=randn(2), grad=True),
    Row("torch.autograd.functional.jacobian(lambda a: a.exp(), x, vectorize=True)", x=randn(2)),
    Row("torch.autograd.functional.hessian(lambda a: (a**3).sum(), x)", x=randn(2, 2)),
    Row("torch.autograd.functional.hessian(lambda a, b: (a * b**2).sum(), (x, y))", x=randn(2), y=randn(2)),
    Row("torch.autograd.functional.vjp(lambda a: a.exp().sum(1), x, v)", x=randn(2, 3), v=randn(2)),
    Row("torch.autograd.functional.vjp(lambda a: a.sum(), x)", x=randn(2, 3)),
    Row("torch.autograd.functional.jvp(lambda a: a.exp().sum(1), x, v)", x=randn(2, 3), v=randn(2, 3)),
    Row("torch.autograd.functional.jvp(lambda a, b: (a * b, b), (x, y), (y, x))", x=randn(2), y=randn(2)),
    Row("torch.autograd.functional.hvp(lambda a: (a**3).sum(), x, v)", x=randn(3), v=randn(3)),
    Row("torch.autograd.functional.vhp(lambda a: (a**3).sum(), x, v)", x=randn(3), v=randn(3)),
    Row("torch.autograd.functional.hvp(lambda a, b: (a * b.exp()).sum(), (x, y), (y, x))", x=randn(3), y=randn(3)),
    Row(
        "v = torch.autograd.Variable(x, requires_grad=True); v.requires_grad, isinstance(x, torch.autograd.Variable), type(v).__name__",
        x=value([1.0]),
    ),
)


def test_forward_mode_is_refused():
    with pytest.raises(NotImplementedError, match="forward-mode"), flambeau.autograd.forward_ad.dual_level():
        pass
    x = flambeau.ones(2, dtype=flambeau.float64, requires_grad=True)
    with pytest.raises(NotImplementedError, match="forward-mode"):
        flambeau.autograd.gradcheck(flambeau.sin, x, check_forward_ad=True)
