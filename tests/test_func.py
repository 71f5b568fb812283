"""`torch.func`: gradients, Jacobians, products and batches of functions."""

import importlib

import pytest

from harness import parity


def func_of(torch):
    return importlib.import_module(f"{torch.__name__}.func")


@parity
def test_gradients(torch):
    func = func_of(torch)
    x, y = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])
    f = lambda a, b: (a.sin() * b).sum()
    w = torch.tensor([1.0, 1.0], requires_grad=True)
    through = func.grad(lambda a: (a**2 * w).sum())(x)
    through.sum().backward()
    return (
        func.grad(f)(x, y),
        func.grad(f, argnums=(0, 1))(x, y),
        func.grad(func.grad(lambda a: a**3))(torch.tensor(2.0)),
        func.grad_and_value(f)(x, y),
        func.grad(lambda a: ((a**2).sum(), a * 2), has_aux=True)(x),
        w.grad,
        func.grad(lambda p: (p["w"] * x + p["b"]).sum())({"w": y, "b": torch.zeros(2)}),
    )


@parity
def test_jacobians_and_products(torch):
    func = func_of(torch)
    x, y = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])
    value, product = func.vjp(lambda a, b: (a * b, a.sum()), x, y)
    return (
        func.jacrev(torch.sin)(x),
        func.jacfwd(lambda a: a**2)(x),
        func.hessian(lambda a: (a**3).sum())(x),
        value,
        product((x, torch.tensor(1.0))),
        func.jvp(lambda a, b: a * b.exp(), (x, y), (y, x)),
        func.jacrev(lambda a, b: a * b, argnums=(0, 1))(x, y),
    )


@parity
def test_vmap(torch):
    func = func_of(torch)
    x, y = torch.arange(6.0).reshape(2, 3), torch.arange(3.0)
    per_sample = func.vmap(func.grad(lambda w, a: (w * a).sum() ** 2), in_dims=(None, 0))
    return (
        func.vmap(torch.dot)(x, x),
        func.vmap(torch.dot, in_dims=(0, None))(x, y),
        func.vmap(lambda a: (a * 2, a.sum()), out_dims=(1, 0))(x),
        func.vmap(lambda a: a.sum(), in_dims=1)(x),
        per_sample(y, x),
        func.vmap(lambda d: d["a"] + 1)({"a": x}),
    )


@parity
def test_functional_call(torch):
    func = func_of(torch)
    models = [torch.nn.Linear(2, 1) for _ in range(3)]
    params, buffers = func.stack_module_state(models)
    x = torch.ones(4, 2)
    out = func.functional_call(models[0], {k: v[1] for k, v in params.items()}, (x,))
    return out, {k: v.shape for k, v in params.items()}, buffers, torch.equal(out, models[1](x))


@pytest.mark.parametrize("what", ["not scalar", "argnum", "random"])
@parity
def test_errors(torch, what):
    func = func_of(torch)
    x = torch.ones(2)
    if what == "not scalar":
        func.grad(lambda a: a * 2)(x)
    elif what == "argnum":
        func.grad(lambda a: a.sum(), argnums=1)(x)
    else:
        func.vmap(lambda a: a + torch.rand(()))(x)
