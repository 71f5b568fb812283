"""Subclasses of Tensor through operators."""

import weakref

import flambeau
from harness import parity


def subclass(torch):
    class Own(torch.Tensor):
        pass

    return Own


@parity
def test_results_have_the_class(torch):
    x = torch.ones(2, 3).as_subclass(subclass(torch))
    results = [
        x + 1, x.sum(), torch.add(x, x), torch.stack([x, x]), x.T, x.view(6), x[0], x.clone(), x.detach(), x.to(torch.float64), x.float(),
        x.max(0).values, x.split(1)[0], x.data, torch.relu(x), torch.zeros_like(x), x.reshape(3, 2), x.mean(), 1 + x, -x, x == x, x @ x.T,
        torch.ones(2, 3) + x, torch.cat([torch.ones(2, 3), x]), x.contiguous(), x.cpu(), x.numpy(), x.tolist(), x.shape, x.requires_grad_(),
    ]  # fmt: skip
    return [type(r).__name__ for r in results], repr(x + 1)


@parity
def test_attributes_gradients_and_in_place(torch):
    x = torch.ones(2, 3, requires_grad=True)
    s = x.as_subclass(subclass(torch))
    s.note = 3
    (s * 2).sum().backward()
    return s.note, hasattr(s + 1, "note"), x.grad, type(x.grad).__name__, type(s.detach().add_(1)).__name__


@parity
def test_make_subclass(torch):
    class Own(torch.Tensor):
        @staticmethod
        def __new__(cls, data, extra=None, requires_grad=False):
            made = torch.Tensor._make_subclass(cls, data, requires_grad)
            made.extra = extra
            return made

    own = Own(torch.ones(2), "e")
    return repr(own), own.extra, type(own * 2).__name__, Own(torch.ones(2), requires_grad=True).requires_grad


@parity
def test_as_subclass_of_another_class(torch):
    return torch.ones(2).as_subclass(int)


@parity
def test_a_log_of_functions(torch):
    log = []

    class Logged(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            log.append(func.__name__)
            return super().__torch_function__(func, types, args, kwargs or {})

    x = torch.ones(2).as_subclass(Logged)
    y = torch.nn.functional.softmax(x + 1, 0).sum()
    y.clone().requires_grad_
    return type(y).__name__, [name for name in log if name in ("add", "softmax", "sum", "clone")]


def test_weak_references():
    x = flambeau.ones(2).as_subclass(subclass(flambeau))
    assert weakref.ref(x)() is x
