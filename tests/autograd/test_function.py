"""`torch.autograd.Function`: contexts, marks, saved tensors, errors."""

from harness import parity


@parity
def test_a_function_with_several_arguments_and_results(torch):
    seen = []

    class Mix(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a, b, scale, flag=None):
            ctx.save_for_backward(a, b)
            ctx.scale = scale
            return a * b * scale, a + b

        @staticmethod
        def backward(ctx, g1, g2):
            a, b = ctx.saved_tensors
            seen.append((ctx.needs_input_grad, g1.tolist(), g2.tolist()))
            return g1 * b * ctx.scale + g2, g1 * a * ctx.scale + g2, None, None

    a = torch.tensor([1.0, 2.0], requires_grad=True)
    b = torch.tensor([3.0, 4.0])
    p, q = Mix.apply(a, b, 2, "x")
    p.sum().backward(retain_graph=True)
    names = p.grad_fn.name(), type(p.grad_fn).__name__, q.output_nr, repr(p)
    (p * q).sum().backward()
    return names, a.grad, seen, [(type(f).__name__, i) for f, i in p.grad_fn.next_functions if f is not None]


@parity
def test_double_backward_of_a_function(torch):
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 3 * x**2

    x = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
    (g,) = torch.autograd.grad(Cube.apply(x * 1).sum(), x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x)
    return g, h, torch.autograd.gradcheck(Cube.apply, (x,)), torch.autograd.gradgradcheck(Cube.apply, (x,))


@parity
def test_saved_outputs(torch):
    class Exp(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            (y,) = ctx.saved_tensors
            return g * y

    x = torch.tensor([0.5], requires_grad=True)
    y = Exp.apply(x)
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    (h,) = torch.autograd.grad(g, x, create_graph=True)
    return g, h, y


@parity
def test_setup_context(torch):
    class Scale(torch.autograd.Function):
        @staticmethod
        def forward(x, factor):
            return x * factor

        @staticmethod
        def setup_context(ctx, inputs, output):
            _, ctx.factor = inputs

        @staticmethod
        def backward(ctx, g):
            return g * ctx.factor, None

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    Scale.apply(x, 5.0).sum().backward()
    return x.grad


@parity
def test_mark_dirty_and_non_differentiable(torch):
    class AddOne(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x.add_(1)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 7

    class Sort(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            values, indices = x.sort()
            ctx.mark_non_differentiable(indices)
            ctx.set_materialize_grads(False)
            ctx.save_for_backward(indices)
            return values, indices

        @staticmethod
        def backward(ctx, g, unused):
            assert unused is None
            (indices,) = ctx.saved_tensors
            return torch.zeros_like(g).scatter(0, indices, g)

    x = torch.tensor([3.0, 1.0, 2.0], requires_grad=True)
    y = x * 2
    z = AddOne.apply(y)
    same = z is y
    version = y._version
    values, indices = Sort.apply(z)
    (values * torch.arange(3.0)).sum().backward()
    return same, version, values.requires_grad, indices.requires_grad, x.grad


@parity
def test_inputs_handed_back(torch):
    class Same(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = torch.tensor([1.0], requires_grad=True)
    y = Same.apply(x)
    y.backward()
    return y is x, x.grad, y.grad_fn.name()


def failing(torch, what):
    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y=None):
            if what == "save":
                ctx.save_for_backward(3)
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx, g):
            if what == "count":
                return g, g, g
            if what == "few":
                return g
            if what == "type":
                return 3, None
            if what == "shape":
                return g.new_ones(7), None
            if what == "none":
                return None, None
            return ctx.saved_tensors[0] * g, None

    return Broken


import pytest  # noqa: E402


@pytest.mark.parametrize("what", ["save", "count", "few", "type", "shape", "none", "changed", "twice", "instance", "legacy"])
@parity
def test_errors(torch, what):
    Broken = failing(torch, what)
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    if what == "instance":
        return type(Broken()).__name__
    if what == "legacy":
        return Broken()(x)
    y = x * 1
    z = Broken.apply(y, None)
    if what == "changed":
        y.add_(1)
    z.sum().backward()
    if what == "twice":
        z.sum().backward()
    return x.grad


@parity
def test_once_differentiable(torch):
    from_module = torch.autograd.function.once_differentiable

    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @from_module
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * x * g

    x = torch.tensor([3.0], requires_grad=True)
    (g,) = torch.autograd.grad(Once.apply(x), x, create_graph=True)
    try:
        g.backward()
    except RuntimeError as error:
        return g.detach(), str(error)


@parity
def test_no_graph_without_need(torch):
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = torch.ones(2)
    with torch.no_grad():
        inside = Double.apply(torch.ones(2, requires_grad=True))
    return Double.apply(x).requires_grad, inside.requires_grad, Double.apply(x).grad_fn
