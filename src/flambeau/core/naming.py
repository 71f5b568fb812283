"""The names under which users see flambeau's classes: PyTorch's.

A public class says `torch...` in `__module__`, so that reprs, error messages and model files agree with PyTorch's.
pickle would look such a class up in a package called `torch`; instances therefore pickle through `rebuild`, which
finds the class by its public name in a table of ours, with or without a real PyTorch beside it.
"""

import importlib
from types import FunctionType
from typing import Any, Callable, TypeVar

Class = TypeVar("Class", bound=type)

PUBLIC: dict[tuple[str, str], type] = {}
"""Every public class, by (module, qualified name) as users see them."""

_HOME: dict[tuple[str, str], str] = {}


def public(module: str) -> Callable[[Class], Class]:
    """Class decorator: the class appears under `module` (`"torch.nn.modules.linear"`) and pickles by that name."""

    def name(cls: Class) -> Class:
        key = (module, cls.__qualname__)
        _HOME[key] = cls.__module__
        cls.__module__ = module
        PUBLIC[key] = cls
        owner = next(c for c in cls.__mro__ if "__init__" in c.__dict__)
        if owner is not cls and owner is not object and owner not in PUBLIC.values():
            own_constructor(cls)
        if cls.__reduce_ex__ is object.__reduce_ex__ and cls.__reduce__ is object.__reduce__:
            cls.__reduce_ex__ = reduce_by_name  # type: ignore[assignment]
        return cls

    return name


def own_constructor(cls: Class) -> Class:
    """Class decorator: the inherited `__init__` is called after the class in Python's errors, as where it is written out for each."""
    written: Any = cls.__init__  # type: ignore[misc]
    if written.__class__ is FunctionType:
        copy: Any = FunctionType(written.__code__, written.__globals__, "__init__", written.__defaults__, written.__closure__)
        copy.__kwdefaults__, copy.__annotations__, copy.__doc__ = written.__kwdefaults__, written.__annotations__, written.__doc__
        copy.__module__, copy.__qualname__ = written.__module__, f"{cls.__qualname__}.__init__"
        cls.__init__ = copy  # type: ignore[misc]
    return cls


def reduce_by_name(self: Any, protocol: int) -> Any:
    """`object.__reduce_ex__` with the class of a flambeau instance named, not referenced."""
    reduced: Any = object.__reduce_ex__(self, max(protocol, 2))
    cls = type(self)
    if PUBLIC.get((cls.__module__, cls.__qualname__)) is not cls:
        return reduced  # a user's subclass: pickle finds it where the user defined it
    _, (_, *arguments), *rest = reduced
    return rebuild, (_HOME[cls.__module__, cls.__qualname__], cls.__module__, cls.__qualname__, *arguments), *rest


def rebuild(home: str, module: str, qualname: str, *arguments: Any) -> Any:
    """A new instance of a public class, before its state is set."""
    cls = find_class(module, qualname, home)
    return cls.__new__(cls, *arguments)


def find_class(module: str, qualname: str, home: str | None = None) -> type:
    """The public class of that name; `home` is the module of ours that defines it, imported if need be."""
    if (module, qualname) not in PUBLIC and home is not None:
        importlib.import_module(home)
    return PUBLIC[module, qualname]
