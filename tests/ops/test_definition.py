"""What is made of definitions: names under which functions are found again."""

import importlib
import pickle
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
