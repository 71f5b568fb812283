"""Families that few programs need: each is imported when one of its names is first asked for.

`index.py` says which names a family attaches. It is written by `tools/index.py` from the definitions themselves, so a
definition stays in one place; a test fails when it is stale.
"""

from importlib import import_module
from typing import Any

from ..autograd.node import Namespace
from ..tensor import Tensor
from .definition import Functions
from .index import INDEX

_FAMILY_OF = {name: family for family, names in INDEX.items() for name in names.split()}


def load(name: str) -> bool:
    """Imports the family that attaches `name` (`"torch.conv2d"`, `"Tensor.inverse"`, or `"formula.x"`); False if none does."""
    family = _FAMILY_OF.get(name)
    if family is None:
        return False
    import_module(f"{__package__}.{family}")
    return True


def _formula(self: Namespace, name: str) -> Any:
    if load(f"formula.{name}") and name in self.__dict__:
        return self.__dict__[name]
    raise AttributeError(f"no operator is called {name!r}")


def _method(self: Tensor, name: str) -> object:
    from ..core.missing import explain

    if load(f"Tensor.{name}"):
        return object.__getattribute__(self, name)
    text = explain("torch.Tensor", name)
    if text.startswith("'Tensor'"):
        text = f"'{type(self).__name__}'{text[8:]}"
    raise AttributeError(text, name=name, obj=self)


def _class_attribute(cls: type, name: str) -> object:
    if load(f"Tensor.{name}"):
        return getattr(cls, name)
    raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")


Functions.load = staticmethod(load)
Namespace.__getattr__ = _formula  # type: ignore[method-assign]
Tensor.__getattr__ = _method  # type: ignore[attr-defined]
type(Tensor).__getattr__ = _class_attribute  # type: ignore[attr-defined]
