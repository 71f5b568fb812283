"""`torch` as a second name of flambeau, in processes of their own: this one may have the real PyTorch."""

import os
import sys

import pytest

import flambeau
from harness import run_python

NO_TORCH = "import sys; sys.modules['torch'] = None\n"
"""In front of a program: PyTorch cannot be imported, as if it were not installed."""


def program(folder, source, **options):
    """What the program prints; run as a file, so that spawned workers can import it."""
    path = folder / "program.py"
    path.write_text(source)
    return run_python(path, **options).stdout.splitlines()


def test_one_module_under_both_names(tmp_path):
    lines = program(
        tmp_path,
        """
import sys, flambeau
assert flambeau.alias_torch() is flambeau and flambeau.alias_torch() is flambeau
import torch, torch.nn.functional as F
from torch import nn
from torch.nn import functional
import flambeau.nn
print(torch is flambeau, nn is flambeau.nn, F is flambeau.nn.functional is functional, sys.modules["torch.nn"] is nn)
print(torch.__name__, torch.__spec__.name, nn.__spec__.name, sum(type(f).__module__ == "flambeau.alias" for f in sys.meta_path))
import importlib
print(all(importlib.import_module("torch" + n[8:]) is m for n, m in list(sys.modules.items()) if n.split(".")[0] == "flambeau"))
print(all(m.__spec__.name == n for n, m in sys.modules.items() if n.split(".")[0] == "flambeau"))
""",
    )
    assert lines == ["True True True True", "flambeau flambeau flambeau.nn 1", "True", "True"]


def test_submodules_imported_later_are_the_same(tmp_path):
    lines = program(
        tmp_path,
        """
import sys, flambeau
flambeau.alias_torch()
name = "torch.version" if "flambeau.torch_version" in sys.modules else "torch.torch_version"
import torch.torch_version as a
import flambeau.torch_version as b
print(a is b, b.__spec__.name, b.__name__)
""",
    )
    assert lines == ["True flambeau.torch_version flambeau.torch_version"]


def test_metadata_and_find_spec_answer(tmp_path):
    lines = program(
        tmp_path,
        """
import flambeau, importlib.metadata, importlib.util
flambeau.alias_torch()
print(importlib.metadata.version("torch"), importlib.metadata.metadata("torch")["Name"])
print(importlib.util.find_spec("torch") is not None, importlib.util.find_spec("torch.nn") is not None)
print(importlib.util.find_spec("torch.no_such_module"), importlib.util.find_spec("torch.nn.no_such_module"))
print(importlib.metadata.version("numpy") != "2.13.0+cpu", "torch" in {d.metadata["Name"] for d in importlib.metadata.distributions()})
""",
    )
    assert lines == ["2.13.0+cpu torch", "True True", "None None", "True True"]


def test_nothing_is_aliased_unasked(tmp_path):
    lines = program(
        tmp_path,
        """
import sys, flambeau, flambeau.nn, flambeau.cli
print([n for n in sys.modules if n.split(".")[0] == "torch"])
sys.modules["torch"] = None
try:
    import torch
except ImportError as error:
    print(error)
""",
    )
    assert lines == ["[]", "import of torch halted; None in sys.modules"]


def test_aliasing_after_another_torch_raises(tmp_path):
    (tmp_path / "torch.py").write_text("")
    lines = program(
        tmp_path,
        """
import torch, flambeau
try:
    flambeau.alias_torch()
except RuntimeError as error:
    print(error)
import torch as again
print(again is torch)
""",
    )
    assert lines[0].startswith("alias_torch(): the real PyTorch has already been imported as 'torch'.")
    assert lines[1] == "True"


def test_probes_answer_false_and_errors_name_the_gap(tmp_path):
    lines = program(
        tmp_path,
        """
import flambeau
flambeau.alias_torch()
import torch
print(hasattr(torch, "no_such_thing"), getattr(torch, "no_such_thing", 5))
try:
    torch.no_such_thing
except AttributeError as error:
    print(error)
try:
    import torch.no_such_module
except ModuleNotFoundError as error:
    print(error, error.name)
""",
    )
    assert lines == [
        "False 5",
        "module 'torch' has no attribute 'no_such_thing'",
        "No module named 'torch.no_such_module' torch.no_such_module",
    ]


SPAWN = """
import multiprocessing as mp
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 2)

def work(queue, net, device):
    import importlib.metadata
    queue.put((torch.__name__, importlib.metadata.version("torch"), type(net).__name__, type(net.layer).__module__, device))

if __name__ == "__main__":
    context = mp.get_context(METHOD)
    queue = context.SimpleQueue()
    process = context.Process(target=work, args=(queue, Net(), torch.device("cpu")), name=NAME)
    process.start()
    print(*queue.get())
    process.join()
    print(process.exitcode)
"""


@pytest.mark.parametrize("name", ["worker", "ignore"])
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
@pytest.mark.parametrize("how", ["script", "module"])
def test_spawned_workers_have_the_alias(tmp_path, method, how, name):
    if method == "forkserver" and sys.platform == "win32":
        pytest.skip("Windows has no fork server")
    (tmp_path / "workers.py").write_text(SPAWN.replace("METHOD", repr(method)).replace("NAME", repr(name)))
    arguments = ["workers.py"] if how == "script" else ["-m", "workers"]
    lines = run_python("-m", "flambeau", "run", *arguments, cwd=tmp_path).stdout.splitlines()
    assert lines == ["flambeau 2.13.0+cpu Net torch.nn.modules.linear cpu", "0"]


PICKLED = """
import pickle, flambeau
from flambeau import nn
net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
things = [net, flambeau.device("cpu"), flambeau.float32, flambeau.Size([2, 3]), flambeau.ones(2), nn.Parameter(flambeau.ones(2)),
          flambeau.optim.SGD(net.parameters(), lr=0.1), flambeau.Generator(), flambeau.__version__]
for thing in things:
    again = pickle.loads(pickle.dumps(thing))
    assert type(again) is type(thing), (type(again), type(thing))
    assert type(again).__module__.split(".")[0] == "torch"
    assert str(again).split(" object at ")[0] == str(thing).split(" object at ")[0]
"""


def test_pickling_without_torch_and_without_the_alias(tmp_path):
    assert program(tmp_path, NO_TORCH + PICKLED + "print('done')") == ["done"]


def test_pickling_beside_another_torch(tmp_path):
    """What is pickled never comes back as a class of whatever else is called torch."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("class device: pass\nclass Size: pass\nclass Tensor: pass\n")
    assert program(tmp_path, "import torch\n" + PICKLED + "print('done')") == ["done"]


@pytest.mark.skipif(os.environ.get("FLAMBEAU_LIVE", "") in ("", "0"), reason="needs PyTorch")
def test_pickling_beside_the_real_torch(tmp_path):
    assert program(tmp_path, "import torch\n" + PICKLED + "print('done')") == ["done"]


def test_pickling_to_a_spawned_worker_without_the_alias(tmp_path):
    source = NO_TORCH + SPAWN.replace("import torch\n", "import flambeau as torch\n").replace("METHOD", "'spawn'").replace("NAME", "'w'")
    source = source.replace('importlib.metadata.version("torch")', "torch.__version__")
    assert program(tmp_path, source) == ["flambeau 2.13.0+cpu Net torch.nn.modules.linear cpu", "0"]


def test_version():
    assert flambeau.__version__ == "2.13.0+cpu"
    assert flambeau.version.__version__ == "0.1.0"
    assert flambeau.version.cuda is None
