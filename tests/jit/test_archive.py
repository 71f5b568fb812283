"""torch.jit.save and torch.jit.load: flambeau's archive, and what other files are told."""

import io
import json
import zipfile

import numpy as np
import pytest

import flambeau as torch

nn = torch.nn


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
    with pytest.raises(RuntimeError, match="flambeau cannot save scripted code"):
        torch.jit.save(torch.jit.script(nn.Linear(2, 2)), io.BytesIO())
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
