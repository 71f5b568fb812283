"""torch.jit.save and torch.jit.load: flambeau's archive, and what other files are told."""

import io
import json
import math
import zipfile

import numpy as np
import pytest

import flambeau as torch
from flambeau.nn import functional as F

nn = torch.nn
SCALE = 2.5


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 4)
        self.tied = self.fc
        self.register_buffer("scale", torch.tensor([2.0]))
        self.register_buffer("offset", torch.tensor([1.0]), persistent=False)

    def forward(self, x, mask):
        y = (self.tied(self.fc(x)[..., :3]) * self.scale + self.offset).masked_fill(mask, float("-inf"))
        half = y.to(torch.float16, memory_format=torch.contiguous_format)
        return y.view(x.size(0), 2, -1), {"y": y.sum(dim=-1, dtype=torch.float64)}, half


def saved(model, **options):
    file = io.BytesIO()
    torch.jit.save(model, file, **options)
    file.seek(0)
    return file


def inputs(batch=2):
    return torch.randn(batch, 3), torch.arange(4) > 2


def same(a, b):
    if isinstance(a, dict):
        return all(same(a[k], b[k]) for k in a)
    return all(map(same, a, b)) if isinstance(a, tuple) else torch.equal(a, b)


def test_a_module_comes_back():
    model = Net().eval()
    traced = torch.jit.trace(model, inputs(), strict=False)
    loaded = torch.jit.load(saved(traced))
    given = inputs(5)
    assert same(loaded(*given), model(*given))
    assert repr(loaded) == repr(traced).replace("Net(\n", "RecursiveScriptModule(\n", 1).replace(": Linear(", ": RecursiveScriptModule(")
    assert list(loaded.state_dict()) == list(model.state_dict()) and loaded.fc.weight is loaded.tied.weight
    assert not loaded.training and loaded.code == traced.code and str(loaded.graph) == str(traced.graph)
    loaded(*given)[0].nan_to_num(0, 0, 0).sum().backward()
    assert loaded.fc.weight.grad is not None
    again = torch.jit.load(saved(loaded))
    assert same(again(*given), model(*given))


def test_a_function_comes_back(tmp_path):
    constant = torch.arange(3.0)
    traced = torch.jit.trace(lambda x: torch.where(x > 0, x * constant, -x)[..., ::2], torch.randn(2, 3))
    traced.save(str(tmp_path / "f.pt"))
    loaded = torch.jit.load(tmp_path / "f.pt")
    x = torch.randn(4, 3)
    assert torch.equal(loaded(x), traced(x)) and loaded.name == "_lambda" and loaded.code == traced.code


def test_extra_files_and_devices():
    traced = torch.jit.trace(nn.Linear(2, 2), torch.ones(2))
    extra = {"note.txt": "", "missing": "as it was"}
    torch.jit.load(saved(traced, _extra_files={"note.txt": "hello"}), map_location="cpu", _extra_files=extra)
    assert extra == {"note.txt": b"hello", "missing": "as it was"}


def test_the_archive_is_what_the_documentation_says():
    with zipfile.ZipFile(saved(torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)))) as file:
        assert sorted(file.namelist()) == ["flambeau_jit.json", "tensors.pt"]
        content = json.loads(file.read("flambeau_jit.json"))
        tensors = torch.load(io.BytesIO(file.read("tensors.pt")), weights_only=True)
    assert (content["format"], content["version"], content["kind"]) == ("flambeau.jit", 1, "module")
    call = content["graphs"]["forward"]["calls"][0]
    assert call["function"] == "torch.nn.functional.linear" and call["args"] == [{"ref": 0}, {"ref": 1}, {"ref": 2}]
    assert [tuple(t.shape) for t in tensors] == [(2, 2), (2,)]


def rewritten(model, change):
    """The archive of a model with its JSON changed."""
    target = io.BytesIO()
    with zipfile.ZipFile(saved(model)) as source, zipfile.ZipFile(target, "w") as out:
        content = json.loads(source.read("flambeau_jit.json"))
        change(content)
        out.writestr("flambeau_jit.json", json.dumps(content))
        out.writestr("tensors.pt", source.read("tensors.pt"))
    target.seek(0)
    return target


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(version=2), "version 2; this flambeau reads 'flambeau.jit', version 1"),
        (lambda c: c["graphs"]["forward"]["calls"][0].update(function="os.system"), "a graph cannot call 'os.system'"),
        (lambda c: c["graphs"]["forward"]["calls"][0].update(function="torch.Tensor.__reduce__"), "a graph cannot call"),
        (lambda c: c["graphs"]["forward"]["calls"][0].update(function="torch.from_file"), "a graph cannot call"),
        (lambda c: c["graphs"]["forward"]["values"][1].__setitem__(1, "__class__.x"), "a graph cannot read the attribute"),
        (lambda c: c["graphs"]["forward"]["arguments"][0].__setitem__(0, "x: 1"), "cannot be a name in a graph"),
        (lambda c: c["graphs"]["forward"]["calls"][0].update(args=[{"name": "exit()"}]), "not part of a graph"),
    ],
)
def test_changed_archives_are_refused(change, message):
    with pytest.raises(RuntimeError, match=message):
        torch.jit.load(rewritten(torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)), change))


def test_other_files():
    script = io.BytesIO()
    with zipfile.ZipFile(script, "w") as file:
        file.writestr("model/constants.pkl", b"")
        file.writestr("model/code/__torch__.py", b"")
    with pytest.raises(RuntimeError, match=r"written by PyTorch's torch.jit.save. flambeau does not run TorchScript"):
        torch.jit.load(script)
    state = io.BytesIO()
    torch.save({"a": torch.ones(1)}, state)
    with pytest.raises(RuntimeError, match=r"failed locating file constants.pkl: file not found.*read it with torch.load"):
        torch.jit.load(state)
    with pytest.raises(RuntimeError, match="failed reading zip archive: not a ZIP archive"):
        torch.jit.load(io.BytesIO(b"junk"))


def test_what_cannot_be_saved():
    traced = torch.jit.trace(nn.Sequential(nn.Linear(2, 2)), torch.ones(2))
    with pytest.raises(RuntimeError, match="save that module, not a part of it"):
        traced.get_submodule("0").save(io.BytesIO())
    with pytest.raises(RuntimeError, match=r"Tried to serialize object __torch__.Sequential which does not have a __getstate__ method"):
        torch.save(traced, io.BytesIO())


def test_a_copy_stands_on_its_own():
    import copy

    traced = torch.jit.trace(nn.Linear(2, 2), torch.ones(2))
    twin = copy.deepcopy(traced)
    with torch.no_grad():
        twin.weight.zero_()
        twin.bias.zero_()
    assert np.array_equal(twin(torch.ones(2)).detach(), [0, 0]) and traced(torch.ones(2)).abs().sum() > 0


# --- scripted code ---------------------------------------------------------------------------------------------------


def helper(x, k: int = 2):
    return x * k + math.pi


def count_down(x, n: int):
    if n > 0:
        return count_down(x + 1, n - 1)
    return x


class Scripted(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 3)
        self.blocks = nn.ModuleList([nn.Sequential(nn.ReLU(), nn.LayerNorm(3)), nn.Conv1d(2, 2, 3, padding=1)])
        self.times = 2
        self.names = ["a", "b"]
        self.unused = object()

    def forward(self, x: torch.Tensor, flag: bool = True, sizes: dict[str, int] | None = None):
        """What it does is not kept."""
        for _ in range(self.times):
            x = self.step(x)
        if flag:
            return F.relu(x) * SCALE
        y: torch.Tensor = helper(count_down(x, 3))
        return torch.cat([y, x], dim=-1), x.shape[0], len(self.names), f"{x.dim()}"

    def step(self, x):
        for block in self.blocks:
            x = block(x)
        return self.fc(x)

    @torch.jit.export
    def twice(self, x):
        return self.step(self.step(x))

    @torch.jit.ignore
    def ignored(self, x):
        return open("/etc/passwd")


@pytest.mark.filterwarnings("ignore")
def test_a_scripted_module_comes_back():
    scripted = torch.jit.script(Scripted().eval())
    x = torch.randn(2, 3)
    loaded = torch.jit.load(saved(scripted))
    for module in (loaded, torch.jit.load(saved(loaded))):
        assert torch.equal(module(x), scripted(x)) and torch.equal(module.twice(x), scripted.twice(x))
        assert torch.equal(module(x, False)[0], scripted(x, False)[0]) and module(x, flag=False)[1:] == (2, 2, "2")
        assert repr(module) == repr(scripted) and list(module.state_dict()) == list(scripted.state_dict()) and not module.training
        assert "What it does" not in module.code and "self.step(x)" in module.code
        with pytest.raises(
            RuntimeError, match=r"forward\(\) Expected a value of type 'bool' for argument 'flag' but instead found type 'int'"
        ):
            module(x, 3)
    loaded(x).sum().backward()
    assert loaded.fc.weight.grad is not None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "make",
    [lambda: nn.LSTM(3, 4, 2), lambda: nn.Sequential(nn.Linear(3, 4), nn.Dropout(), nn.GELU()), lambda: nn.BatchNorm1d(5),
     lambda: nn.TransformerEncoderLayer(3, 1, 8), lambda: nn.MaxPool1d(2)],
)  # fmt: skip
def test_flambeaus_own_modules_come_back(make):
    scripted = torch.jit.script(make().eval())
    x = torch.randn(2, 5, 3)
    first, second = (m(x)[0] for m in (scripted, torch.jit.load(saved(scripted))))
    assert torch.equal(first, second)


@pytest.mark.filterwarnings("ignore")
def test_a_scripted_function_comes_back():
    loaded = torch.jit.load(saved(torch.jit.script(helper)))
    assert str(loaded.schema) == "helper(Tensor x, int k=2) -> Tensor" and loaded(torch.ones(1), k=3).item() == pytest.approx(3 + math.pi)
    assert torch.jit.load(saved(torch.jit.script(count_down)))(torch.zeros(1), 4).item() == 4


def reads_a_file(x):
    return open(x)


def uses_a_module(x):
    return json.dumps(x)


def calls_what_is_ignored(x):
    return ignored(x)


@torch.jit.ignore
def ignored(x):
    return x


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("function", "message"),
    [(uses_a_module, "it uses 'json', which is neither"), (calls_what_is_ignored, "it is marked with torch.jit.ignore")],
)
def test_what_scripted_code_cannot_take_along(function, message):
    with pytest.raises(RuntimeError, match=message):
        saved(torch.jit.script(function))


class Reaching(nn.Module):
    """In a file its attributes are given the names of what a file must not reach."""

    def __init__(self):
        super().__init__()
        self._scale = 2
        self.child = nn.ReLU()
        self.register_buffer("b", torch.ones(1))

    def forward(self, x):
        return x * self._scale


REACHING = [
    "self.b.numpy()",
    "self.child.save('f')",
    "self.save('f')",
    "x._array",
    "self.b._scale",
    "self.forward.function",
    "x.tofile('f')",
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("expression", REACHING)
def test_attributes_of_the_module_open_nothing(expression):
    def change(content):
        content["module"]["attributes"].update({n: {"value": 1} for n in ("numpy", "tofile", "save", "function", "_array")})
        content["module"]["methods"]["forward"]["source"] = f"def forward(self, x):\n    return {expression}"

    scripted = torch.jit.script(Reaching())
    assert torch.jit.load(saved(scripted))(torch.ones(1)).item() == 2
    with pytest.raises(RuntimeError, match="cannot hold source that reads the attribute"):
        torch.jit.load(rewritten(scripted, change))


SOURCES = [
    "return x.__class__",
    "return x.numpy().tofile('f')",
    "return x._array",
    "return __import__('os')",
    "return open('f')",
    "return eval('1')",
    "return getattr(x, 'numpy')",
    "return '{0.numpy}'.format(x)",
    "return torch.from_file('f')",
    "return torch.Tensor.__subclasses__(x)",
    "import os",
    "return (lambda: x)()",
    "return [y for y in x.grad_fn.saved]",
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("body", SOURCES)
def test_source_in_a_changed_archive_is_refused(body):
    target = io.BytesIO()
    with zipfile.ZipFile(saved(torch.jit.script(helper))) as source, zipfile.ZipFile(target, "w") as out:
        content = json.loads(source.read("flambeau_jit.json"))
        content["function"]["source"] = f"def helper(x, k):\n    {body}"
        content["function"]["globals"]["torch"] = {"module": "torch"}
        out.writestr("flambeau_jit.json", json.dumps(content))
        out.writestr("tensors.pt", source.read("tensors.pt"))
    target.seek(0)
    with pytest.raises((RuntimeError, torch.jit.frontend.NotSupportedError)):
        torch.jit.load(target)(torch.ones(1))
