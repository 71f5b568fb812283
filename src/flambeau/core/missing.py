"""What a name says that flambeau lacks: whether PyTorch has it, so that the gap is ours, or not.

A public module says `__getattr__ = missing_name(__name__)`. The list of PyTorch's names is read at the first name
that is missing, not before.
"""

import os.path
import sys
from functools import cache
from typing import Any, Callable


def missing_name(module: str) -> Callable[[str], Any]:
    """The `__getattr__` (PEP 562) of the module called `module` (`"flambeau.nn.functional"`).

    It raises AttributeError: `hasattr` answers False, and the text says whether PyTorch has the name.
    """
    public = "torch" + module[len("flambeau") :]

    def __getattr__(name: str) -> Any:
        text = explain(public, name)
        # With an object Python adds "Did you mean ...?", which misleads where the name is right and the gap is ours.
        raise AttributeError(text, name=name, obj=None if text.startswith("flambeau") else sys.modules.get(module))

    return __getattr__


def explain(owner: str, name: str) -> str:
    """Why `owner` (`"torch.nn"`, or the class `"torch.Tensor"`) has no `name`, in one sentence."""
    if not name.startswith("_") and name in torch_names().get(owner, ()):
        return f"flambeau has no {owner}.{name} yet"
    if owner == "torch.Tensor":
        return f"'Tensor' object has no attribute '{name}'"
    return f"module '{owner}' has no attribute '{name}'"


@cache
def torch_names() -> dict[str, frozenset[str]]:
    """The public names of PyTorch's modules and of its Tensor class."""
    import gzip

    with gzip.open(os.path.join(os.path.dirname(__file__), "torch_names.gz"), "rt") as file:
        _, *lines = file.read().split("\n")
    return {owner: frozenset(names.split()) for owner, _, names in (line.partition(":") for line in lines)}
