"""Gradient modes: context managers, decorators, generators, inference mode."""

from harness import parity


@parity
def test_modes_nest(torch):
    x = torch.ones(2, requires_grad=True)
    seen = []
    with torch.no_grad():
        seen.append((torch.is_grad_enabled(), (x * 2).requires_grad))
        with torch.enable_grad():
            seen.append((torch.is_grad_enabled(), (x * 2).requires_grad))
            with torch.set_grad_enabled(False):
                seen.append(torch.is_grad_enabled())
            seen.append(torch.is_grad_enabled())
    torch.set_grad_enabled(False)
    seen.append(torch.is_grad_enabled())
    torch.set_grad_enabled(True)
    seen.append(torch.is_grad_enabled())
    try:
        with torch.no_grad():
            raise ValueError
    except ValueError:
        seen.append(torch.is_grad_enabled())
    return seen


@parity
def test_decorators(torch):
    x = torch.ones(2, requires_grad=True)

    @torch.no_grad()
    def plain(a, *, b=1):
        """Doc."""
        return (x * a * b).requires_grad

    @torch.no_grad
    def bare():
        return torch.is_grad_enabled()

    @torch.enable_grad()
    def enabled():
        return torch.is_grad_enabled()

    @torch.inference_mode()
    def inference():
        return torch.is_inference_mode_enabled(), torch.is_grad_enabled()

    @torch.set_grad_enabled(False)
    def off():
        return torch.is_grad_enabled()

    @torch.no_grad()
    def generator():
        yield torch.is_grad_enabled()
        got = yield torch.is_grad_enabled()
        yield got

    g = generator()
    steps = [next(g), torch.is_grad_enabled(), next(g), g.send("sent"), torch.is_grad_enabled()]
    with torch.no_grad():
        inner = enabled()
    return plain(2, b=3), plain.__name__, plain.__doc__, bare(), inner, inference(), off(), steps, torch.is_grad_enabled()


@parity
def test_no_grad_allows_in_place_on_leaves(torch):
    x = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        x -= 0.5
        x[0] = 3
        y = x * 2
        z = x.view(2)
    return x, x.requires_grad, x.is_leaf, y.requires_grad, z.requires_grad


@parity
def test_factories_under_no_grad(torch):
    with torch.no_grad():
        a = torch.ones(2, requires_grad=True)
        b = (a * 2).requires_grad_()
    (a * 2).sum().backward()
    return a.requires_grad, b.is_leaf, a.grad


@parity
def test_inference_mode(torch):
    x = torch.ones(2, requires_grad=True)
    with torch.inference_mode():
        y = x * 2
        inside = torch.is_inference_mode_enabled(), y.requires_grad
        with torch.inference_mode(False):
            outside = torch.is_inference_mode_enabled(), torch.is_grad_enabled()
    return inside, outside, y.requires_grad, y.grad_fn, y, torch.is_inference_mode_enabled()
