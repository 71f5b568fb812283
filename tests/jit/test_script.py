"""torch.jit.script: which source it takes, how it checks arguments, what it says."""

import copy

import pytest

import flambeau
from harness import Row, parity, rows


def scale(x, n: int):
    if n > 2:
        return x * n
    return x - n


def typed(x: "flambeau.Tensor", names: list[str], sizes: dict[str, int], pair: tuple[int, float] = (1, 2.0)):
    return x + len(names) + sizes["a"] + pair[0]


def with_try(x):
    try:
        return x
    except Exception:
        return x


def with_import(x):
    import math

    return x * math.pi


def with_yield(x):
    yield x


def with_function(x):
    def inner(y):
        return y

    return inner(x)


def with_undefined(x):
    return undefined_name(x)  # noqa: F821


def with_stars(*args):
    return args[0]


def with_global(x):
    global scale
    return x


CALLS = [
    "f(x, 3)", "f(x, 1)", "f(x, n=3)", "f(3, 3)", "f(x, 1.5)", "f(x, 'a')", "f(x)", "f(x, 1, 2)", "f(x, 3, z=3)", "f.name", "str(f.schema)",
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", CALLS)
@parity
def test_signatures(torch, call):
    return eval(call, {"f": torch.jit.script(scale), "x": torch.arange(3.0), "str": str})


REFUSED = [with_try, with_import, with_yield, with_function, with_undefined, with_stars, with_global]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [f.__name__ for f in REFUSED])
@parity
def test_what_is_not_torchscript(torch, name):
    function = globals()[name]
    try:
        torch.jit.script(function)
    except (torch.jit.frontend.NotSupportedError, RuntimeError) as error:
        return type(error).__name__, [line for line in str(error).strip().splitlines() if "File" not in line]


def module(torch):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = torch.nn.Linear(2, 2)
            self.times = 3

        def forward(self, x):
            for _ in range(self.times):
                x = self.helper(x)
            return x

        def helper(self, x):
            return torch.relu(self.fc(x))

        @torch.jit.export
        def other(self, x, flag: bool = False):
            return x if flag else -x

        @torch.jit.ignore
        def ignored(self, x):
            return x

    return Net()


def test_modules():
    torch = flambeau
    model = module(torch)
    scripted = torch.jit.script(model)
    x = torch.ones(2)
    assert repr(scripted) == ("RecursiveScriptModule(\n  original_name=Net\n  (fc): RecursiveScriptModule(original_name=Linear)\n)")
    assert isinstance(scripted, torch.jit.ScriptModule) and isinstance(scripted, torch.jit.RecursiveScriptModule)
    assert torch.equal(scripted(x), model(x)) and torch.equal(scripted.other(x), -x) and scripted.ignored(x) is x
    assert scripted.times == 3 and scripted.fc.weight is model.fc.weight and "self.helper(x)" in scripted.code
    with pytest.raises(RuntimeError, match=r"other\(\) Expected a value of type 'bool' for argument 'flag' but instead found type 'int'."):
        scripted.other(x, 3)
    with pytest.raises(NotImplementedError, match="does not turn scripted code into a graph"):
        scripted.graph
    assert torch.jit.script(scripted) is scripted
    twin = copy.deepcopy(scripted)
    torch.nn.init.zeros_(twin.fc.weight)
    torch.nn.init.zeros_(twin.fc.bias)
    assert twin(x).sum() == 0 and scripted(x).sum() == model(x).sum() and torch.equal(twin.other(x), -x)


@pytest.mark.parametrize("make", ["LSTM(3, 4)", "Sequential(nn.Linear(3, 4), nn.Dropout(0.5))", "TransformerEncoderLayer(4, 2, 8)"])
def test_flambeaus_own_modules(make):
    nn = flambeau.nn
    model = eval(f"nn.{make}", {"nn": nn})
    scripted = flambeau.jit.script(model)
    x = flambeau.ones(2, 3, 4 if "Trans" in make else 3)
    flambeau.manual_seed(0)
    expected = model(x)
    flambeau.manual_seed(0)
    assert flambeau.equal(scripted(x)[0], expected[0])
    assert not scripted.eval().training and not any(m.training for m in scripted.modules()) and model.training
    assert [len(c) for c in scripted.children() if isinstance(c, nn.Sequential)] == []


def test_is_scripting():
    seen = []

    def look(x):
        seen.append(flambeau.jit.is_scripting())
        return x

    flambeau.jit.script(look)(flambeau.ones(1))
    assert seen == [True] and not flambeau.jit.is_scripting()


def test_containers_in_signatures():
    f = flambeau.jit.script(typed)
    x = flambeau.zeros(1)
    assert str(f.schema) == "typed(Tensor x, str[] names, Dict(str, int) sizes, (int, float) pair=(1, 2.0)) -> Tensor"
    assert f(x, ["a"], {"a": 2}).item() == 4
    with pytest.raises(RuntimeError, match="for argument 'names' but instead found type 'list'"):
        f(x, [1], {"a": 2})


test_marks = rows(
    *(
        Row(f"torch.jit.{e}")
        for e in """annotate(int,3) isinstance([1],list[int]) isinstance(["a"],list[int]) Attribute(3,int) wait(torch.jit.fork(lambda:3))
        set_fusion_strategy([("STATIC",2)]) freeze(nn.Linear(1,1)) is_scripting() is_tracing()
        script(3) load("/no/such/file.pt") load("/") save(nn.Linear(1,1),"x.pt")""".split()
    ),
    Row("f = lambda x: x\nj = torch.jit\nj.ignore(f) is f, j.unused(f) is f, j.export(f) is f, j.ignore(drop=True)(f) is f"),
)


@pytest.mark.filterwarnings("ignore")
@parity
def test_freezing(torch):
    traced = torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(2))
    with pytest.raises(RuntimeError) as error:
        torch.jit.freeze(traced)
    frozen = torch.jit.freeze(traced.eval())
    return str(error.value), frozen(torch.ones(2)).detach()
