"""`torch._dynamo`, as far as programs touch it: nothing is compiled, so there is little to say."""

from collections.abc import Callable
from typing import Any

from ..compiler import allow_in_graph as allow_in_graph
from ..compiler import disable as disable
from ..compiler import is_compiling as is_compiling
from ..compiler import list_backends as list_backends
from ..compiler import reset as reset
from ..core.naming import public
from . import config as config
from .eval_frame import OptimizedModule as OptimizedModule

__all__ = [
    "allow_in_graph", "config", "disable", "explain", "forbid_in_graph", "graph_break", "is_compiling", "list_backends", "mark_dynamic",
    "mark_static", "maybe_mark_dynamic", "optimize", "reset", "OptimizedModule",
]  # fmt: skip


@public("torch._dynamo.exc")
class InvalidBackend(RuntimeError):
    """A backend of `torch.compile` that PyTorch does not know."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Invalid backend: {name!r}, see `torch._dynamo.list_backends()` for available backends.")


def graph_break(msg: str = "") -> None:
    """Does nothing: there is no graph to break."""


def forbid_in_graph(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function as it is."""
    return fn


def mark_dynamic(t: Any, index: Any, **options: Any) -> None:
    """Does nothing: sizes are never taken for constant."""


maybe_mark_dynamic = mark_static = mark_dynamic


def optimize(*args: Any, **kwargs: Any) -> Callable[[Any], Any]:
    """A decorator that gives the function as it is."""
    return lambda fn: fn


def explain(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Not supported: raises NotImplementedError."""
    raise NotImplementedError("flambeau does not support torch._dynamo.explain: nothing is compiled, so there is nothing to explain")
