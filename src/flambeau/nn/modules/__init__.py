"""The modules, one file per family."""

from .container import Container, ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from .lazy import LazyModuleMixin
from .module import Module

__all__ = [
    "Container",
    "LazyModuleMixin",
    "Module",
    "ModuleDict",
    "ModuleList",
    "ParameterDict",
    "ParameterList",
    "Sequential",
]
