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


@parity
def test_properties_and_methods_without_operators_are_seen(torch):
    """What the class asks of its tensors goes through `__torch_function__`; within the default one it does not come again."""
    seen = []

    class Watched(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            seen.append((func.__name__, len(args)))
            if func == torch.Tensor.shape.__get__:
                return "a shape"
            return super().__torch_function__(func, types, args, kwargs or {})

    class Further(Watched):
        pass

    x = torch.ones(2, 3).as_subclass(Further)
    one = torch.tensor(1.5).as_subclass(Watched)
    results = [x.shape, x.ndim, str(x.dtype), str(x.device), x.numel(), x.size(0), x.stride(), len(x), x.is_floating_point(), x.is_cuda]
    results += [
        x.requires_grad,
        x.is_leaf,
        x.grad_fn is None,
        x.grad is None,
        one.item(),
        x.tolist(),
        float(one),
        bool(one),
        x.is_contiguous(),
    ]
    results += [type(x.T).__name__, type(x.data).__name__]
    x.requires_grad = True
    (x * 2).sum().backward()
    results += [type(x.grad).__name__]
    return results, seen


def test_plain_tensors_keep_their_own_properties():
    assert all("shape" not in cls.__dict__ for cls in flambeau.nn.Parameter.__mro__ if cls is not flambeau.Tensor)
    assert isinstance(flambeau.Tensor.__dict__["shape"], property)
