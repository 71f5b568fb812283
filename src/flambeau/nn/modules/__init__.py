"""The modules, one file per family."""

from . import (
    activation, attention, batchnorm, container, conv, dropout, flatten, instancenorm, lazy, linear, module, normalization,
    pooling, rnn, sparse, transformer,
)  # fmt: skip
from .activation import *  # noqa: F403
from .attention import *  # noqa: F403
from .batchnorm import *  # noqa: F403
from .container import Container, ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from .conv import *  # noqa: F403
from .dropout import *  # noqa: F403
from .flatten import *  # noqa: F403
from .instancenorm import *  # noqa: F403
from .lazy import LazyModuleMixin
from .linear import *  # noqa: F403
from .module import Module
from .normalization import *  # noqa: F403
from .pooling import *  # noqa: F403
from .rnn import *  # noqa: F403
from .sparse import *  # noqa: F403
from .transformer import *  # noqa: F403

__all__ = ["Container", "LazyModuleMixin", "Module", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]
for _family in (
    activation, attention, batchnorm, conv, dropout, flatten, instancenorm, linear, normalization, pooling, rnn, sparse,
    transformer,
):  # fmt: skip
    __all__ += _family.__all__
