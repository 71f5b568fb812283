"""The modules, one file per family."""

from . import activation, container, dropout, lazy, linear, module, sparse
from .activation import *  # noqa: F403
from .container import Container, ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from .dropout import *  # noqa: F403
from .lazy import LazyModuleMixin
from .linear import *  # noqa: F403
from .module import Module
from .sparse import *  # noqa: F403

__all__ = ["Container", "LazyModuleMixin", "Module", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]
for _family in (activation, dropout, linear, sparse):
    __all__ += _family.__all__
