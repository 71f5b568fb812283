"""What is said about names that are missing."""

import importlib

import pytest

from flambeau.core import missing
from harness import LIVE, run_python


def test_a_name_that_pytorch_has_is_a_gap():
    names = missing.torch_names()
    assert {"add", "compile", "nn", "Tensor"} <= names["torch"]
    assert {"Linear", "Module"} <= names["torch.nn"] and {"relu", "conv2d"} <= names["torch.nn.functional"]
    assert "backward" in names["torch.Tensor"]
    for owner, name in (("torch", "compile"), ("torch.nn.functional", "conv2d"), ("torch.Tensor", "backward")):
        assert missing.explain(owner, name) == f"flambeau has no {owner}.{name} yet"


def test_other_names_are_not():
    assert missing.explain("torch", "foo") == "module 'torch' has no attribute 'foo'"
    assert missing.explain("torch.nn", "__path__") == "module 'torch.nn' has no attribute '__path__'"
    assert missing.explain("torch.Tensor", "foo") == "'Tensor' object has no attribute 'foo'"


def test_the_error_carries_name_and_object():
    lookup = missing.missing_name("flambeau.core.missing")
    with pytest.raises(AttributeError, match=r"^module 'torch.core.missing' has no attribute 'explian'$") as caught:
        lookup("explian")
    assert caught.value.name == "explian" and caught.value.obj is missing


def test_the_list_is_read_only_when_a_name_is_missing():
    done = run_python(
        "-c",
        "import flambeau; from flambeau.core import missing; print(missing.torch_names.cache_info().currsize);"
        "hasattr(flambeau, '__nothing__'); print(missing.torch_names.cache_info().currsize);"
        "hasattr(flambeau, 'nothing'); print(missing.torch_names.cache_info().currsize)",
    )
    assert done.stdout.split() == ["0", "0", "1"]


@pytest.mark.skipif(not LIVE, reason="needs PyTorch")
@pytest.mark.parametrize("owner", ["torch", "torch.nn", "torch.nn.functional", "torch.optim", "torch.utils.data", "torch.linalg"])
def test_the_list_is_pytorchs(owner):
    module = importlib.import_module(owner)
    names = getattr(module, "__all__", None)
    if names is None:
        public = ((n, getattr(v, "__module__", None) or "") for n, v in vars(module).items() if not n.startswith("_"))
        names = [n for n, home in public if home.startswith((owner, "torch._C"))]
    assert names
    assert set(names) <= missing.torch_names()[owner]
