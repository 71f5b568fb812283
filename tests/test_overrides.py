"""Functions taken over by classes and modes."""

from harness import parity


def duck(torch):
    class Duck:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return "mean!" if func is torch.mean else NotImplemented

    return Duck()


@parity
def test_a_class_that_is_no_tensor(torch):
    return torch.mean(duck(torch))


@parity(message="Multiple dispatch failed for 'torch.add'")
def test_nobody_takes_it(torch):
    return torch.add(duck(torch), 1)


@parity
def test_questions(torch):
    overrides, one, own = torch.overrides, torch.ones(1), duck(torch)
    return [
        overrides.has_torch_function((one,)), overrides.has_torch_function([own]), overrides.has_torch_function_variadic(1, own),
        overrides.is_tensor_like(own), overrides.is_tensor_like(one), overrides.is_tensor_like(3),
    ]  # fmt: skip


@parity
def test_functions_of_the_user(torch):
    class Own(torch.Tensor):
        pass

    def double(a):
        if torch.overrides.has_torch_function((a,)):
            return torch.overrides.handle_torch_function(double, (a,), a)
        return a * 2

    return double(torch.ones(1)), type(double(torch.ones(1).as_subclass(Own))).__name__


@parity
def test_a_mode(torch):
    seen = []

    class Mode(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            seen.append(func.__name__)
            return func(*args, **(kwargs or {}))

    with Mode():
        y = torch.nn.functional.relu(torch.ones(2) + 1).sum()
        with torch._C.DisableTorchFunction():
            y = y * 2
    return y, seen


@parity
def test_disabled(torch):
    class Own(torch.Tensor):
        pass

    x = torch.ones(1).as_subclass(Own)
    with torch._C.DisableTorchFunctionSubclass():
        inside = type(x + 1).__name__
    return inside, type(x + 1).__name__


@parity
def test_names(torch):
    return [torch.overrides.resolve_name(f) for f in (torch.add, torch.nn.functional.gelu, torch.nn.functional.relu)]
