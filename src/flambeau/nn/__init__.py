"""Building blocks of neural networks."""

from typing import Any

from ..core.missing import missing_name
from . import functional, init, modules, parameter, utils
from .modules.container import ModuleDict as ModuleDict
from .modules.container import ModuleList as ModuleList
from .modules.container import ParameterDict as ParameterDict
from .modules.container import ParameterList as ParameterList
from .modules.container import Sequential as Sequential
from .modules.module import Module as Module
from .parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

__all__ = [
    "Buffer", "DataParallel", "Parameter", "UninitializedBuffer", "UninitializedParameter", "attention", "functional", "grad", "init",
    "modules", "parallel", "parameter", "utils",
]  # fmt: skip
__all__ += modules.__all__

_missing = missing_name(__name__)


def __getattr__(name: str) -> Any:
    """A class of modules, whose file is imported now."""
    if name in ("attention", "grad", "parallel", "DataParallel"):
        from importlib import import_module

        module = import_module(f"{__name__}.{'parallel' if name == 'DataParallel' else name}")
        return module.DataParallel if name == "DataParallel" else module
    if name not in modules.__all__:
        return _missing(name)
    found = globals()[name] = getattr(modules, name)
    return found
