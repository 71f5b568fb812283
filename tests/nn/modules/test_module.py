"""`Module`: registration, attributes, iteration, conversion, printing, pickling."""

import copy
import pickle

import pytest

from harness import Row, parity, rows
from models import error, layer, net

SETUP = """
m = nn.Module(); m.p = nn.Parameter(torch.ones(2)); m.child = nn.Module(); m.register_buffer('b', torch.zeros(1)); m.plain = 3
"""

test_errors = rows(
    *(
        Row(SETUP + expression, name=expression)
        for expression in (
            "m.missing",
            "m(1)",
            "del m.missing; 0",
            "nn.Module(1)",
            "nn.Module(1, 2)",
            "nn.Module(a=1)",
            "setattr(m, 'p', 3)",
            "setattr(m, 'p', torch.ones(2))",
            "setattr(m, 'p', m.child)",
            "setattr(m, 'child', 3)",
            "setattr(m, 'child', torch.ones(1))",
            "setattr(m, 'b', 3)",
            "m.register_buffer(3, None)",
            "m.register_buffer('x.y', None)",
            "m.register_buffer('', None)",
            "m.register_buffer('plain', None)",
            "m.register_buffer('p', None)",
            "m.register_buffer('forward', None)",
            "m.register_buffer('q', 3)",
            "m.register_buffer('q', m)",
            "m.register_parameter(3, None)",
            "m.register_parameter('x.y', None)",
            "m.register_parameter('', None)",
            "m.register_parameter('plain', None)",
            "m.register_parameter('q', torch.ones(1))",
            "m.register_parameter('q', 'text')",
            "m.register_parameter('q', nn.Parameter)",
            "m.add_module('x', 3)",
            "m.add_module('x', nn.Module)",
            "m.add_module(3, None)",
            "m.add_module('x.y', None)",
            "m.add_module('', None)",
            "m.add_module('plain', None)",
            "m.get_submodule('child.x')",
            "m.get_submodule('plain')",
            "m.get_parameter('b')",
            "m.get_parameter('child.x')",
            "m.get_parameter('plain')",
            "m.get_buffer('p')",
            "m.get_buffer('child.x')",
            "m.set_submodule('', nn.Module())",
            "m.set_submodule('child', 3)",
            "m.set_submodule('plain', nn.Module())",
            "m.set_submodule('x', nn.Module(), strict=True)",
            "m.set_submodule('x.y', nn.Module())",
            "m.train('yes')",
            "m.to(torch.int32)",
            "m.to('nowhere')",
            "m.to(torch.float64, 'cpu')",
            "m.to(1, 2, 3, 4, 5)",
            "m.to('cpu', copy=True)",
            "m.to(nonsense=1)",
            "m.cuda()",
            "m.to('cuda')",
            "m.load_state_dict(3)",
            "m.load_state_dict({})",
        )
    ),
    Row(
        "class M(nn.Module):\n    def __init__(self): self.w = nn.Parameter(torch.ones(1))\nM()",
        name="a parameter before super().__init__()",
    ),
    Row("class M(nn.Module):\n    def __init__(self): self.m = nn.Module()\nM()", name="a module before super().__init__()"),
    Row("class M(nn.Module):\n    def __init__(self): self.register_buffer('b', None)\nM()", name="a buffer before super().__init__()"),
    Row(
        "class M(nn.Module):\n    def __init__(self): self.register_parameter('b', None)\nM()",
        name="register_parameter before super().__init__()",
    ),
    Row("class M(nn.Module):\n    def __init__(self): self.x = 1; self.x\nM().y", name="a plain attribute before super().__init__()"),
    Row("m = nn.Module(); w = torch.ones(2, requires_grad=True); p = nn.Parameter(w * 2); p.is_leaf", name="a parameter is a leaf"),
)


@parity
def test_names_and_order(torch):
    """named_*, with prefix, recurse, duplicates."""
    model = net(torch)
    return {
        "parameters": [name for name, _ in model.named_parameters()],
        "duplicates": [name for name, _ in model.named_parameters(remove_duplicate=False)],
        "prefix": [name for name, _ in model.named_parameters(prefix="net")],
        "own": [name for name, _ in model.named_parameters(recurse=False)],
        "buffers": [name for name, _ in model.named_buffers()],
        "buffers too often": [name for name, _ in model.named_buffers("x", True, False)],
        "modules": [(name, type(module).__name__) for name, module in model.named_modules()],
        "modules too often": [name for name, _ in model.named_modules(remove_duplicate=False, prefix="net")],
        "children": [name for name, _ in model.inner.named_children()],
        "counts": [len(list(each)) for each in (model.modules(), model.children(), model.parameters(), model.buffers())],
        "all modules": len(list(model.modules(remove_duplicate=False))),
        "state": list(model.state_dict()),
        "dir": [name for name in dir(model) if name in ("scale", "inner", "act", "training", "forward", "_modules")],
        "fields": list(model.__dict__),
        "hidden": [list(model.inner._parameters), list(model.inner._modules), list(model.inner._buffers)],
    }


@parity
def test_repr(torch):
    """Nested modules, several lines of extra text, None."""
    nn = torch.nn

    class Wordy(nn.Module):
        def extra_repr(self):
            return "one\n\ntwo"

    class Both(Wordy):
        def __init__(self):
            super().__init__()
            self.inner = Wordy()
            self.nothing = nn.Module()
            self.add_module("absent", None)

    return [repr(nn.Module()), repr(net(torch)), repr(Wordy()), repr(Both()), repr(nn.Sequential(Both(), nn.Sequential())), str(Both())]


@parity
def test_assignment_moves_between_registers(torch):
    """An attribute that becomes a parameter, a buffer, a module, None, and back."""
    nn = torch.nn
    m = nn.Module()

    def where():
        return [list(m._parameters), list(m._buffers), list(m._modules), sorted(m._non_persistent_buffers_set), "x" in m.__dict__]

    seen = []
    m.x = 3
    seen.append(where())
    m.x = nn.Parameter(torch.ones(1))
    seen.append(where())
    m.x = None
    seen.append([where(), m.x, error(lambda: setattr(m, "x", nn.Module()))])
    del m.x
    m.x = nn.Module()
    seen.append(where())
    m.x = None
    seen.append([where(), m.x])
    m.x = nn.Parameter(torch.ones(1))
    seen.append(where())
    del m.x
    m.x = nn.Buffer(torch.ones(2), persistent=False)
    seen.append([where(), list(m.state_dict())])
    m.x = torch.zeros(2)
    seen.append([where(), m.x])
    m.x = nn.Buffer(torch.ones(2))
    seen.append([where(), list(m.state_dict())])
    m.x = None
    seen.append([where(), m.x])
    del m.x
    seen.append([where(), hasattr(m, "x")])
    m.x = torch.ones(1)
    seen.append(where())
    return seen


@parity
def test_dotted_access(torch):
    """get_* and set_submodule."""
    model = net(torch)
    model.set_submodule("inner.second", torch.nn.Module())
    model.set_submodule("fresh", torch.nn.Sequential())
    model.register_module("act2", torch.nn.Module())
    return [
        model.get_submodule("") is model,
        model.get_submodule("inner.first") is model.inner.again,
        model.get_parameter("inner.first.weight"),
        model.get_buffer("inner.first.mean"),
        repr(model),
    ]


@parity
def test_a_class_with_its_own_register_buffer(torch):
    """Assigning to a buffer goes through it, also where it knows no `persistent`."""
    nn = torch.nn

    class Old(nn.Module):
        def register_buffer(self, name, tensor):
            self.log = [*getattr(self, "log", []), name]
            super().register_buffer(name, tensor)

    m = Old()
    m.b = nn.Buffer(torch.ones(1))
    m.b = torch.zeros(1)
    return [m.log, error(lambda: setattr(m, "c", nn.Buffer(torch.ones(1), persistent=False)))]


@parity
def test_modes_and_gradients(torch):
    """train, eval, requires_grad_, zero_grad, apply."""
    model = net(torch)
    out = [model.train(False) is model, [m.training for m in model.modules()], model.eval().training, model.train().inner.first.training]
    model(torch.ones(1, 2)).sum().backward()
    out.append([p.grad for p in model.parameters()])
    model.zero_grad(set_to_none=False)
    out.append([p.grad for p in model.parameters()])
    model.zero_grad()
    out.append([p.grad for p in model.parameters()])
    model.inner.requires_grad_(False)
    out.append([p.requires_grad for p in model.parameters()])
    visited = []
    out.append(model.apply(lambda m: visited.append(type(m).__name__)) is model)
    return out, visited


@parity
def test_conversion(torch):
    """Casts keep the parameter objects, convert gradients, and leave integer buffers alone."""
    model = layer(torch)
    model.register_buffer("count", torch.tensor([1, 2]))
    weight = model.weight
    model(torch.ones(1, 2)).sum().backward()
    grad = model.weight.grad
    seen = []
    casts = ("double", "half", "bfloat16", "float")
    for convert in [*(lambda m, name=name: getattr(m, name)() for name in casts), lambda m: m.to(torch.float64), lambda m: m.to("cpu")]:
        assert convert(model) is model
        seen.append([str(t.dtype) for t in (model.weight, model.weight.grad, model.mean, model.count)])
    seen.append([model.weight is weight, model.weight.grad is grad, isinstance(model.weight, torch.nn.Parameter)])
    model.to(torch.ones(1, dtype=torch.float16))
    model.to(device="cpu", dtype=torch.float32)
    model.to(None)
    model.type(torch.float64)
    seen.append([str(t.dtype) for t in (model.weight, model.count)])
    return seen, model.weight, model.cpu() is model


@parity
def test_meta(torch):
    """Modules on the meta device, and the way off it."""
    model = layer(torch)
    weight = model.weight
    model.to("meta")
    out = [model.weight is weight, str(model.weight.device), model.weight.requires_grad, str(model.mean.device)]
    out.append(error(lambda: model.to("cpu")))
    model.to_empty(device="cpu")
    out += [str(model.weight.device), list(model.weight.shape), type(model.weight).__name__]
    return out


@parity
def test_registration_hooks(torch):
    """The global hooks on registration see and replace what is registered."""
    module = torch.nn.modules.module
    log = []
    handles = [
        module.register_module_parameter_registration_hook(lambda m, name, p: log.append(("p", name))),
        module.register_module_buffer_registration_hook(lambda m, name, b: log.append(("b", name))),
        module.register_module_module_registration_hook(lambda m, name, c: log.append(("m", name))),
        module.register_module_buffer_registration_hook(lambda m, name, b: b + 1),
    ]
    m = torch.nn.Module()
    m.p = torch.nn.Parameter(torch.ones(1))
    m.register_buffer("b", torch.ones(1))
    m.c = torch.nn.Module()
    m.add_module("d", None)
    m.register_parameter("none", None)
    for handle in handles:
        handle.remove()
    m.register_buffer("later", torch.ones(1))
    return log, m.b, m.later


def importable(torch):
    """An instance of a class that pickle finds by name; each library has its own."""

    class Leaf(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(2))
            self.register_buffer("b", torch.zeros(1))
            self.note = ["text"]

        def forward(self, x):
            return x * self.weight

    name = f"Leaf_{torch.__name__}"
    Leaf.__qualname__ = Leaf.__name__ = name
    Leaf.__module__ = __name__
    globals()[name] = Leaf
    return Leaf()


@parity
def test_pickle_and_deepcopy(torch):
    """A copy has its own parameters, keeps sharing, hooks and mode."""
    model = torch.nn.Sequential(importable(torch), torch.nn.ModuleList([torch.nn.Module()]))
    model.append(model[0])
    model.eval()
    out = []
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        out.append(
            [
                type(twin).__name__,
                twin[0] is twin[2],
                twin[0] is not model[0],
                twin[0].weight is not model[0].weight,
                twin[0].weight,
                type(twin[0].weight).__name__,
                twin[0].note == model[0].note and twin[0].note is not model[0].note,
                twin.training,
                list(twin[0].__dict__),
                twin[0](torch.ones(2)),
            ]
        )
    return out


@parity
def test_older_pickles_lack_fields(torch):
    """__setstate__ makes up for them."""
    m = torch.nn.Module.__new__(torch.nn.Module)
    m.__setstate__({"training": True, "_parameters": {}, "_buffers": {}, "_modules": {}, "_forward_hooks": {}, "_backward_hooks": {}})
    return sorted(m.__dict__), m._is_full_backward_hook, sorted(m._non_persistent_buffers_set)


@parity
def test_call_super_init(torch):
    """A class that passes its arguments on to the next in line."""

    class Other:
        def __init__(self, a=0, **kwargs):
            self.a = a

    class Model(torch.nn.Module, Other):
        call_super_init = True

    return Model(a=3).a, Model(4).a


@parity
def test_subclass_of_tensor_as_parameter(torch):
    """Parameter and Buffer keep a subclass; only isinstance tells."""
    nn = torch.nn

    class Special(torch.Tensor):
        pass

    special = torch.ones(2).as_subclass(Special)
    parameter, buffer = nn.Parameter(special), nn.Buffer(torch.ones(1))
    m = nn.Module()
    m.p, m.b = parameter, buffer
    return [
        type(parameter).__name__, isinstance(parameter, nn.Parameter), parameter.requires_grad, list(m._parameters), list(m._buffers),
        isinstance(buffer, nn.Buffer), isinstance(torch.ones(1), nn.Buffer), type(buffer).__name__, buffer.persistent,
        isinstance(torch.ones(1), nn.Parameter), isinstance(nn.Parameter(torch.ones(1)), torch.Tensor),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["ipu", "xpu"])
@parity
def test_devices_that_are_not_there(torch, name):
    """PyTorch's errors for other accelerators."""
    model = layer(torch)
    return getattr(model, name)()
