"""What is made of definitions: names under which functions are found again."""

import ast
import importlib
import pickle
from pathlib import Path
from types import FunctionType

import pytest

import flambeau
from flambeau.ops.definition import NAMES


@pytest.mark.parametrize("where", sorted(NAMES))
def test_public_functions_pickle(where):
    importlib.import_module("flambeau.ops.linalg")  # one of the files that come when they are needed
    functions = {name: f for name, f in list(NAMES[where].items()) if isinstance(f, FunctionType)}
    assert [name for name, f in functions.items() if pickle.loads(pickle.dumps(f)) is not f] == []


def test_a_module_that_stores_a_function_pickles():
    layer = flambeau.nn.TransformerEncoderLayer(4, 2, 8)
    assert pickle.loads(pickle.dumps(layer)).activation is flambeau.nn.functional.relu


@pytest.mark.parametrize("name", "add view reshape permute expand split repeat tile clone sum unsqueeze_".split())
def test_methods_pickle(name):
    method = getattr(flambeau.Tensor, name)
    assert pickle.loads(pickle.dumps(method)) is method


def test_a_name_in_formulas_is_one_definition():
    """A second definition of a name would change what formulas compute as soon as its file is imported."""
    found = {}
    for path in sorted(Path(flambeau.ops.__file__).parent.glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.FunctionDef):
                continue
            for call in node.decorator_list:
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("operator", "composite"):
                    if not any(k.arg == "formula" and k.value.value is False for k in call.keywords):
                        found.setdefault(node.name, []).append(path.name)
    assert {name: files for name, files in found.items() if len(files) > 1} == {} and len(found) > 500


def test_an_import_changes_no_result():
    """`torch.linalg.norm` once took the place of `torch.norm` in weight_norm."""
    v = flambeau.tensor([[1.0, 2.0], [3.0, 4.0]])
    before = flambeau.norm_except_dim(v, 2, -1)
    importlib.import_module("flambeau.ops.linalg")
    assert flambeau.equal(flambeau.norm_except_dim(v, 2, -1), before) and flambeau.allclose(before, flambeau.tensor(30.0).sqrt())
