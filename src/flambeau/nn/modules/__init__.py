"""The modules, one file per family."""

from . import activation, attention, container, dropout, lazy, linear, module, normalization, rnn, sparse, transformer
from .activation import *  # noqa: F403
from .attention import *  # noqa: F403
from .container import Container, ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from .dropout import *  # noqa: F403
from .lazy import LazyModuleMixin
from .linear import *  # noqa: F403
from .module import Module
from .normalization import *  # noqa: F403
from .rnn import *  # noqa: F403
from .sparse import *  # noqa: F403
from .transformer import *  # noqa: F403

__all__ = ["Container", "LazyModuleMixin", "Module", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]
for _family in (activation, attention, dropout, linear, normalization, rnn, sparse, transformer):
    __all__ += _family.__all__
