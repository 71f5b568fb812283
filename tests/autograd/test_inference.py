"""Tensors made in inference mode: which are, and what they refuse outside it."""

import threading

import pytest

import flambeau
from harness import parity

MADE = """
x = torch.ones(3)                       x * 2                   x[:2]           torch.tensor([1.0])     torch.arange(3)
torch.empty_like(n)                     n.clone()               w * 2           torch.randn(2)          n.double()
n[:2]                                   n.detach()              w.view(3)       n.split(1)[0]           n.contiguous()
n.to(torch.float32)                     n.add_(1)               w.detach()      x.requires_grad_()      torch.add(n, n, out=n)
torch.nn.Linear(3, 2).weight            torch.from_numpy(a)     n.sum()         n.max(0)[0]             torch.ones(3)[1]
""".split("  ")

OUTSIDE = [
    "x * 2", "x * w", "x + w", "w.exp().mul(x)", "x[:2]", "x.detach()", "x.view(3)", "x.expand(2, 3)", "x.clone()", "x.double()",
    "x.float()", "torch.stack([x, w])", "(w * 1).add_(x)", "(w * 1).mul_(x)", "n.add_(x)", "v.add_(1)", "v * w[:2]",
    "(x.sum() * w).sum()", "x.add_(1)", "x.mul_(2)", "x.fill_(1)", "x.zero_()", "x.copy_(n)", "x.copy_(n.double())",
    "x.__setitem__(0, 1.0)", "x.uniform_()", "x.bernoulli_()", "x.unsqueeze_(0)", "x.t_()", "x.resize_(2)", "x.index_fill_(0, i, 1.0)",
    "x.scatter_(0, i, 1.0)", "x.masked_fill_(n > 0, 0.0)", "x.index_put_((i,), n[:1])", "x.index_add_(0, i, n[:1])", "x.clamp_(0)",
    "x.set_(n)", "(x.data.add_(1), 1)[1]", "x.detach_()", "torch.add(n, n, out=x)", "torch.nn.functional.relu_(x)",
    "torch.nn.functional.dropout(x, 0.5, inplace=True)", "torch.nn.init.zeros_(x)", "x.requires_grad_()", "x.requires_grad_(False)",
    "x._version", "torch.nn.Parameter(x)", "torch.nn.Parameter(x, False)", "torch.is_inference(x), torch.is_inference(n)", "sgd.step()",
    "adam.step()",
]  # fmt: skip


def about(thing):
    if not hasattr(thing, "is_inference"):
        return thing if isinstance(thing, (int, tuple)) else None
    return thing.is_inference(), thing.requires_grad, list(thing.shape)


@pytest.mark.parametrize("source", [s.strip().removeprefix("x = ") for s in MADE if s.strip()])
@parity
def test_which_are_made(torch, source):
    import numpy

    given = {"torch": torch, "n": torch.ones(3), "w": torch.ones(3, requires_grad=True), "a": numpy.ones(3)}
    with torch.inference_mode():
        given["x"] = torch.ones(3)
        result = eval(source, given)
    return about(result)


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("source", OUTSIDE)
@parity
def test_outside(torch, source, grad):
    given = {"torch": torch, "n": torch.ones(3), "w": torch.ones(3, requires_grad=True), "i": torch.tensor([0])}
    with torch.inference_mode():
        given["x"] = x = torch.ones(3)
        given["v"] = given["n"][:2]
        p = torch.ones(3, requires_grad=True)
    p.grad = torch.ones(3)
    given |= {"sgd": torch.optim.SGD([p], 0.1), "adam": torch.optim.Adam([p], 0.1)}
    with torch.set_grad_enabled(grad):
        try:
            result = about(eval(source, given))
        except RuntimeError as error:
            result = str(error)
            if torch is flambeau:  # PyTorch writes first and refuses then
                assert [x.tolist(), p.tolist()] == [[1.0] * 3] * 2
    return result


@parity
def test_inside_all_is_allowed(torch):
    """Also what is machine code after some calls."""
    with torch.inference_mode():
        x, n = torch.ones(3), torch.zeros(3)
        for _ in range(300):
            y = (x * 2 + 1).exp_()
            x.mul_(1.0)
            x[0] = 1.0
        kinds = [y.is_inference(), (y[1:]).is_inference()]
    z = x * 2
    kinds += [z.is_inference(), x.reshape(3, 1).is_inference(), n.reshape(3, 1).is_inference()]
    refused = 0
    w = torch.ones(3, requires_grad=True)
    for _ in range(300):
        for change in (lambda: x.mul_(2.0), lambda: w * x):
            try:
                change()
            except RuntimeError:
                refused += 1
    return kinds, refused, (w * z).sum().item()


@parity
def test_saving_in_a_function(torch):
    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            return a * b

        @staticmethod
        def backward(ctx, grad):
            a, b = ctx.saved_tensors
            return grad * b, grad * a

    with torch.inference_mode():
        x = torch.ones(3)
    try:
        Product.apply(torch.ones(3, requires_grad=True), x)
    except RuntimeError as error:
        return str(error)


def test_other_threads_are_not_in_inference_mode():
    seen = []

    def work():
        w = flambeau.ones(2, requires_grad=True)
        for _ in range(300):
            seen.append((w * 2).is_inference())

    with flambeau.inference_mode():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert flambeau.ones(1).is_inference()
        with flambeau.inference_mode(False):
            assert not flambeau.ones(1).is_inference()
    assert not flambeau.ones(1).is_inference() and set(seen) == {False} and len(seen) == 300
