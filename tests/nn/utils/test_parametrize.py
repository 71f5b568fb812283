"""Parametrizations, weight and spectral normalisation, stateless calls, skip_init."""

import copy
import pickle

from harness import parity
from models import error, layer


def symmetric(torch):
    class Symmetric(torch.nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).transpose(-1, -2)

        def right_inverse(self, x):
            return x.triu()

    return Symmetric()


def scaled(torch):
    class Scaled(torch.nn.Module):
        def forward(self, x):
            return x * 2

    return Scaled()


@parity
def test_registration(torch):
    """Class, repr, keys, values, assignment, removal."""
    P = torch.nn.utils.parametrize
    m = layer(torch, 3, 3)
    weight = m.weight
    out = [P.is_parametrized(m), P.register_parametrization(m, "weight", symmetric(torch)) is m]
    out += [type(m).__name__, repr(m), list(m.state_dict()), m.weight, m.parametrizations.weight.original is weight]
    m.weight = torch.ones(3, 3)
    out += [m.weight, m.parametrizations.weight.original, [n for n, _ in m.named_parameters()]]
    out += [P.is_parametrized(m, "weight"), P.is_parametrized(m, "bias"), P.type_before_parametrizations(m).__name__]
    P.register_parametrization(m, "weight", scaled(torch))
    P.register_parametrization(m, "mean", scaled(torch))
    out += [m.weight, m.mean, repr(m), error(lambda: setattr(m, "weight", torch.ones(3, 3)))]
    m(torch.ones(1, 3)).sum().backward()
    out.append(weight.grad)
    P.remove_parametrizations(m, "weight", leave_parametrized=False)
    out += [m.weight is weight, m.weight, type(m).__name__]
    P.remove_parametrizations(m, "mean")
    out += [m.mean, type(m).__name__, repr(m), list(m.state_dict())]
    return out


@parity
def test_cache(torch):
    """Inside `cached` a parametrization runs once."""
    P = torch.nn.utils.parametrize
    calls = []

    class Counting(torch.nn.Module):
        def forward(self, x):
            calls.append(1)
            return x + 0

    m = layer(torch)
    P.register_parametrization(m, "weight", Counting())
    counts = [len(calls)]
    with P.cached():
        same = m.weight is m.weight
        counts.append(len(calls))
        with P.cached():
            same = same and m.weight is m.weight
    different = m.weight is m.weight
    return counts, len(calls), same, different


@parity
def test_refused(torch):
    """What may not be registered, removed or pickled."""
    P = torch.nn.utils.parametrize
    nn = torch.nn

    def making(forward, inverse=None):
        members = {"forward": lambda self, *args: forward(*args)}
        if inverse:
            members["right_inverse"] = lambda self, x: inverse(x)
        return type("Made", (nn.Module,), members)()

    def register(*modules, unsafe=False):
        m = layer(torch)
        for module in modules:
            P.register_parametrization(m, "weight", module, unsafe=unsafe)
        return m

    same = making(lambda x: x + 0)
    pair = making(lambda a, b: a + b, lambda x: (x, torch.zeros_like(x)))
    one_way = register(pair)
    return [
        error(lambda: P.register_parametrization(layer(torch), "nothing", same)),
        error(lambda: register(making(lambda x: x[0]))),
        error(lambda: register(making(lambda x: x.double()))),
        error(lambda: register(making(lambda x: 3))),
        error(lambda: register(making(lambda x: x, lambda x: x.double()))),
        error(lambda: register(making(lambda x: x, lambda x: 3))),
        error(lambda: register(making(lambda x: x, lambda x: (x, 3)))),
        error(lambda: register(same, making(lambda x: x[0]))),
        error(lambda: register(same, making(lambda x: x.double()))),
        error(lambda: register(same, making(lambda x: 3))),
        error(lambda: register(same, making(lambda x: x, lambda x: x.double()))),
        error(lambda: register(same, making(lambda x: x, lambda x: x[0]))),
        error(lambda: register(same, making(lambda x: x, lambda x: 3))),
        list(register(making(lambda x: x[0]), unsafe=True).weight.shape),
        [n for n, _ in one_way.named_parameters()],
        error(lambda: P.remove_parametrizations(one_way, "weight", leave_parametrized=False)),
        error(lambda: P.remove_parametrizations(layer(torch), "weight")),
        error(lambda: P.ParametrizationList([], torch.ones(1))),
        error(lambda: pickle.dumps(one_way)),
        P.remove_parametrizations(one_way, "weight").weight,
    ]


@parity
def test_copy_and_transfer(torch):
    P = torch.nn.utils.parametrize
    m = layer(torch, 2, 2)
    P.register_parametrization(m, "weight", symmetric(torch))
    twin = copy.deepcopy(m)
    twin.weight = torch.ones(2, 2)
    target = P.transfer_parametrizations_and_params(m, layer(torch, 2, 2))
    return [
        m.weight,
        twin.weight,
        type(twin).__name__,
        target.weight,
        target.parametrizations.weight.original is m.parametrizations.weight.original,
    ]


@parity
def test_weight_norm(torch):
    """The parametrization, for every dim, and states of the older form."""
    out = []
    for dim in (0, 1, -1, None):
        torch.manual_seed(0)
        m = layer(torch)
        m.weight.data.normal_()
        before = m.weight.detach().clone()
        torch.nn.utils.parametrizations.weight_norm(m, dim=dim)
        m(torch.ones(1, 2)).sum().backward()
        out.append([(m.weight - before).abs().max().item() < 1e-6, [(n, p, p.grad) for n, p in m.named_parameters()], repr(m)])
    state = m.state_dict()
    old_names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    old = {old_names.get(key, key): value for key, value in state.items()}
    return out, list(state), repr(m.load_state_dict(old))


@parity(warns=True)
def test_weight_norm_as_a_hook(torch):
    m = layer(torch)
    out = [torch.nn.utils.weight_norm(m) is m, [n for n, _ in m.named_parameters()], m(torch.ones(1, 2))]
    out.append(error(lambda: torch.nn.utils.weight_norm(m)))
    m(torch.ones(1, 2)).sum().backward()
    out += [m.weight_g.grad, m.weight_v.grad]
    torch.nn.utils.remove_weight_norm(m)
    return out, m.weight, [n for n, _ in m.named_parameters()], error(lambda: torch.nn.utils.remove_weight_norm(m))


@parity
def test_spectral_norm(torch):
    """The parametrization: random start, power iteration in training only, gradients."""
    m = layer(torch, 4, 3)
    torch.nn.utils.parametrizations.spectral_norm(m, n_power_iterations=2)
    out = [repr(m), list(m.state_dict()), m.parametrizations.weight[0]._u, m.weight]
    m(torch.ones(1, 4)).sum().backward()
    out += [m.parametrizations.weight.original.grad, m.parametrizations.weight[0]._v]
    m.eval()
    out += [m.weight, m.parametrizations.weight[0]._v, torch.rand(1)]
    vector = layer(torch)
    torch.nn.utils.parametrizations.spectral_norm(vector, "mean")
    out += [vector.mean, list(vector.state_dict())]
    for arguments in (dict(n_power_iterations=0), dict(dim=3), dict(name="nothing")):
        out.append(error(lambda arguments=arguments: torch.nn.utils.parametrizations.spectral_norm(layer(torch), **arguments)))
    return out


@parity
def test_spectral_norm_as_a_hook(torch):
    m = torch.nn.utils.spectral_norm(layer(torch, 4, 3))
    state = m.state_dict()
    out = [list(state), state._metadata[""], m.weight_u, m(torch.ones(1, 4)), m.weight_u, m.weight]
    m(torch.ones(1, 4)).sum().backward()
    out += [m.weight_orig.grad, repr(m.load_state_dict(state))]
    m.eval()
    out += [m(torch.ones(1, 4)), error(lambda: torch.nn.utils.spectral_norm(m, "weight_orig", 0))]
    old = {key: value for key, value in state.items() if key != "weight_v"} | {"weight": m.weight.detach()}
    out += [error(lambda: m.load_state_dict({key: value for key, value in old.items() if key != "weight"}))]
    torch.nn.utils.remove_spectral_norm(m)
    out += [[n for n, _ in m.named_parameters()], len(m._forward_pre_hooks), len(m._state_dict_hooks), m.weight]
    return out, error(lambda: torch.nn.utils.remove_spectral_norm(m))


@parity
def test_functional_call(torch):
    """Other parameters and buffers for one call, tied ones, strict names, and the module's own afterwards."""
    call = torch.nn.utils.stateless._functional_call
    nn = torch.nn

    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Parameter(torch.ones(1))
            self.b = self.a
            self.register_buffer("count", torch.zeros(1))

        def forward(self, x, *, plus=0):
            self.count = self.count + 1
            return x * self.a + self.b + plus

    m = nn.Sequential()
    m.inner = Tied()
    m.forward = lambda x, **kwargs: m.inner(x, **kwargs)
    own = m.inner.a
    w = torch.full((1,), 3.0, requires_grad=True)
    given = {"inner.a": w, "inner.count": torch.full((1,), 5.0)}
    result = call(m, given, torch.ones(1), {"plus": 1})
    result.backward()
    return [
        result,
        w.grad,
        given["inner.count"],
        m.inner.count,
        m.inner.a is own and m.inner.b is own,
        call(m, {"inner.a": w}, (torch.ones(1),), tie_weights=False),
        error(lambda: call(m, {"inner.a": w, "inner.b": torch.ones(1)}, torch.ones(1))),
        error(lambda: call(m, {"inner.a": w}, torch.ones(1), strict=True)),
        error(lambda: call(m, {"inner.a": w, "x": w, "inner.b": w, "inner.count": w}, torch.ones(1), strict=True)),
        error(lambda: call(m, {"inner.nothing.x": w}, torch.ones(1))),
        m.inner.a is own,
        m(torch.ones(1)),
    ]


@parity(warns=True)
def test_the_deprecated_functional_call(torch):
    m = layer(torch)
    return torch.nn.utils.stateless.functional_call(m, {"bias": torch.ones(3)}, torch.ones(1, 2))


@parity
def test_skip_init(torch):
    class Layer(torch.nn.Module):
        def __init__(self, n, device=None):
            super().__init__()
            self.w = torch.nn.Parameter(torch.empty(n, device=device))

    m = torch.nn.utils.skip_init(Layer, 3)
    return [
        list(m.w.shape),
        str(m.w.device),
        m.w.requires_grad,
        error(lambda: torch.nn.utils.skip_init(torch.nn.Module)),
        error(lambda: torch.nn.utils.skip_init(dict)).__class__.__name__,
    ]
