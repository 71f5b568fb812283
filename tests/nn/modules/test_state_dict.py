"""state_dict and load_state_dict: keys, metadata, errors, hooks, extra state."""

import copy

from harness import Row, parity, rows
from models import error, layer, net


@parity
def test_state_dict(torch):
    """Keys, order, prefix, metadata, sharing of memory, keep_vars."""
    model = net(torch)
    state = model.state_dict()
    kept = model.state_dict(keep_vars=True)
    own = model.state_dict(prefix="x.", destination={})
    model.scale.data.fill_(7.0)
    return [
        list(state.items()),
        type(state).__name__,
        [(key, value) for key, value in state._metadata.items()],
        [t.requires_grad for t in state.values()],
        [t.requires_grad for t in kept.values()],
        kept["scale"] is model.scale,
        list(own),
        state["scale"],
    ]


@parity(warns=True)
def test_positional_arguments(torch):
    return list(layer(torch).state_dict({}, "a.", True))


@parity
def test_load(torch):
    """Values are copied, the objects stay."""
    model, other = net(torch), net(torch)
    for p in other.parameters():
        p.data.add_(1)
    weight = model.inner.first.weight
    result = model.load_state_dict(other.state_dict())
    return [
        repr(result),
        result,
        str(result) == repr(result),
        model.inner.first.weight is weight,
        weight,
        weight.requires_grad,
        model.inner.first.weight is model.inner.again.weight,
    ]


LOAD = "m = nn.Module(); m.w = nn.Parameter(torch.ones(2)); m.c = nn.Module(); m.c.v = nn.Parameter(torch.ones(())); "

test_errors = rows(
    *(
        Row(LOAD + f"m.load_state_dict({arguments})", name=arguments)
        for arguments in (
            "{}",
            "{}, strict=False",
            "{'w': torch.ones(2), 'c.v': torch.ones(()), 'x': torch.ones(1)}",
            "{'w': torch.ones(2), 'c.x': torch.ones(()), 'c.d.e': torch.ones(1), 'd.e': 1}",
            "{'w': torch.ones(3), 'c.v': torch.ones(2)}",
            "{'w': torch.ones(3), 'y': 1}, strict=False",
            "{'w': 3, 'c.v': [1.0]}",
            "{'w': torch.ones(2), 'c.v': torch.ones(1)}",
            "{'w': torch.ones(2), 'c.v': torch.ones(())}",
            "[1, 2]",
            "None",
        )
    ),
    Row(LOAD + "m.load_state_dict({'w': torch.ones(2, dtype=torch.float64), 'c.v': torch.ones(())}); m.w", name="loading casts"),
    Row(LOAD + "m.load_state_dict({'w': torch.ones(2), 'c.v': torch.zeros(1)}); m.c.v", name="one element into a 0-dim parameter"),
)


@parity
def test_assign(torch):
    """The given tensors take the place of the module's own."""
    model = layer(torch)
    state = {key: value.double() + 1 for key, value in model.state_dict().items()}
    model.bias.requires_grad_(False)
    model.load_state_dict(state, assign=True)
    kept = torch.nn.Parameter(torch.zeros(3))
    out = [model.weight.dtype == torch.float64, model.weight.requires_grad, model.bias.requires_grad, type(model.weight).__name__]
    model.load_state_dict({**state, "bias": kept}, assign=True)
    return out + [model.bias is kept, kept.requires_grad, model.mean is state["mean"], model.weight]


@parity(warns=True)
def test_meta(torch):
    """Loading into meta tensors changes nothing and warns; assigning works."""
    real, model = layer(torch), layer(torch).to("meta")
    model.load_state_dict(real.state_dict())
    out = [str(model.weight.device)]
    model.load_state_dict(real.state_dict(), assign=True)
    return out + [model.weight, model.mean]


@parity
def test_hooks(torch):
    """All kinds of them, in their order."""
    log = []
    model = torch.nn.Sequential(layer(torch))
    inner = model[0]
    inner.register_state_dict_pre_hook(lambda m, prefix, keep: log.append(("pre", prefix, keep)))
    inner.register_state_dict_post_hook(lambda m, state, prefix, meta: state.pop(prefix + "mean") is None or None)
    inner._register_state_dict_hook(lambda m, state, prefix, meta: log.append(("post", sorted(state), meta)))
    state = model.state_dict()

    def before(module, state, prefix, meta, strict, missing, unexpected, errors):
        log.append(("load", prefix, sorted(state), strict))
        state[prefix + "mean"] = torch.zeros(3)

    inner.register_load_state_dict_pre_hook(before)
    inner._register_load_state_dict_pre_hook(lambda *args: log.append(len(args)))
    inner.register_load_state_dict_post_hook(lambda m, keys: log.append([list(keys.missing_keys), list(keys.unexpected_keys)]))
    model.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.clear())
    copied = copy.deepcopy(model)
    return [list(state), repr(model.load_state_dict(state)), inner.mean, repr(copied.load_state_dict({}, strict=True)), log]


@parity
def test_hooks_that_return_what_they_may_not(torch):
    def hook(module, state, prefix, meta):
        return state

    m = torch.nn.Module()
    m.register_state_dict_post_hook(hook)
    n = torch.nn.Module()
    n.register_load_state_dict_post_hook(lambda module, keys: keys)
    old = torch.nn.Module()
    old._register_state_dict_hook(lambda module, state, prefix, meta: {"replaced": 1})
    return [
        error(m.state_dict),
        error(lambda: n.load_state_dict({})),
        old.state_dict(),
        error(lambda: torch.nn.Module()._register_state_dict_hook(hook)),
    ]


@parity
def test_extra_state(torch):
    """get_extra_state and set_extra_state, present and missing."""

    class Extra(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.value = 1

        def get_extra_state(self):
            return {"value": self.value}

        def set_extra_state(self, state):
            self.value = state["value"]

    model, other = torch.nn.Sequential(Extra()), torch.nn.Sequential(Extra())
    other[0].value = 5
    state = other.state_dict()
    model.load_state_dict(state)
    plain = torch.nn.Sequential(torch.nn.Module())
    return [
        list(state.items()),
        model[0].value,
        error(lambda: model.load_state_dict({})),
        error(lambda: plain.load_state_dict(state)),
        repr(model.load_state_dict({}, strict=False)),
    ]


@parity
def test_versions(torch):
    """A newer class translates what an older one saved."""

    class New(torch.nn.Module):
        _version = 2

        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.zeros(1))

        def _load_from_state_dict(self, state, prefix, metadata, *rest):
            if metadata.get("version", 0) < 2:
                state[prefix + "w"] = state.pop(prefix + "old")
            super()._load_from_state_dict(state, prefix, metadata, *rest)

    model = torch.nn.Sequential(New())
    version = model.state_dict()._metadata["0"]
    return version, repr(model.load_state_dict({"0.old": torch.ones(1)})), model[0].w
