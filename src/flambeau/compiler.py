"""`torch.compiler`: nothing is compiled, so its marks change nothing and its questions are answered with no."""

from collections.abc import Callable
from typing import Any

from .core.missing import missing_name

__all__ = ["is_compiling", "is_dynamo_compiling", "is_exporting", "disable", "reset", "allow_in_graph", "assume_constant_result",
           "cudagraph_mark_step_begin", "list_backends", "set_stance"]  # fmt: skip


def compile(*args: Any, **kwargs: Any) -> Any:
    """`torch.compile`: the model as it is."""
    from ._settings import compile as eager

    return eager(*args, **kwargs)


def is_compiling() -> bool:
    """False: nothing is compiled."""
    return False


def is_dynamo_compiling() -> bool:
    """False: nothing is compiled."""
    return False


def is_exporting() -> bool:
    """False: nothing is exported."""
    return False


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """The function as it is, a decorator where none is given: it would not be compiled anyway."""
    return (lambda function: function) if fn is None else fn


def reset() -> None:
    """Forgets what was compiled: nothing."""


def allow_in_graph(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function as it is."""
    return fn


def assume_constant_result(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function as it is."""
    return fn


def cudagraph_mark_step_begin() -> None:
    """Does nothing: there are no CUDA graphs."""


def list_backends(exclude_tags: Any = ("debug", "experimental")) -> list[str]:
    """An empty list: nothing is compiled."""
    return []


class set_stance:
    """A block, or a setting, of how eagerly to compile: without effect."""

    __module__ = "torch.compiler"

    def __init__(self, stance: str = "default", **options: Any) -> None:
        if stance not in (
            "default",
            "force_eager",
            "eager_on_recompile",
            "fail_on_recompile",
            "eager_then_compile",
            "aot_eager_then_compile",
        ):
            raise RuntimeError(f"invalid torch.compile stance {stance!r}")
        self.stance = stance

    def __call__(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        return fn

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exception: Any) -> None:
        return None


__getattr__ = missing_name(__name__)
