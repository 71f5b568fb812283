"""Settings of the backward pass that PyTorch's engine of several threads knows; here a walk has one thread, and they only remember."""

from collections.abc import Callable
from functools import wraps
from typing import Any

_state = {"multithreading": True}


def is_multithreading_enabled() -> bool:
    """What `set_multithreading_enabled` has set."""
    return _state["multithreading"]


def is_view_replay_enabled() -> bool:
    """False: the views of a changed tensor are always made anew from its base."""
    return False


def kineto_available() -> bool:
    """Whether `torch.profiler` can record."""
    return True


class set_multithreading_enabled:
    """A setting, a block or a decorator: whether the backward pass may use several threads. Without effect on results."""

    def __init__(self, mode: bool) -> None:
        self.mode = mode
        self.previous = _state["multithreading"]
        _state["multithreading"] = mode

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: Any) -> None:
        _state["multithreading"] = self.previous

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        _state["multithreading"] = self.previous

        @wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with type(self)(self.mode):
                return function(*args, **kwargs)

        return inside

    def clone(self) -> "set_multithreading_enabled":
        """Another of the same mode."""
        return type(self)(self.mode)


set_multithreading_enabled.__module__ = "torch.autograd.grad_mode"
