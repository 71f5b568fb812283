"""The marks of `torch.jit` on functions and values, and its settings: what there is to set, is set and changes nothing."""

from __future__ import annotations

import builtins
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .annotations import fits

Attribute = namedtuple("Attribute", ["value", "type"])
Attribute.__module__ = "torch.jit"
Error = RuntimeError


def annotate(the_type: Any, the_value: Any) -> Any:
    """The value as it is; to TorchScript it tells the type."""
    return the_value


def isinstance(obj: Any, target_type: Any) -> bool:
    """Whether a value is of a type; containers are looked into (`List[int]`)."""
    return builtins.any(fits(t, obj) for t in (target_type if builtins.isinstance(target_type, tuple) else (target_type,)))


def export(fn: Any) -> Any:
    """Marks a method that `script` keeps although forward does not call it."""
    fn._torchscript_modifier = "export"
    return fn


def _marked(fn: Any, how: str) -> Any:
    marked: Any = fn.fget if builtins.isinstance(fn, property) else fn
    marked._torchscript_modifier = how
    return fn


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """Marks a function that stays Python in scripted code. Such code runs, but cannot be saved."""
    if callable(drop):
        return _marked(drop, "ignore")
    return lambda fn: _marked(fn, "unused" if drop else "ignore")


def unused(fn: Any) -> Any:
    """Marks a function that saved scripted code must not call."""
    return _marked(fn, "unused")


def export_opnames(m: Any) -> list[str]:
    """The operators that a scripted or traced module calls."""
    return sorted({node.kind() for node in m.graph.nodes()})


class Future:
    """The result of `fork`, there at once."""

    __module__ = "torch.jit"

    def __init__(self, value: Any = None) -> None:
        self._value = value

    def wait(self) -> Any:
        """The result."""
        return self._value

    value = wait

    def done(self) -> bool:
        """True."""
        return True


def fork(func: Any, *args: Any, **kwargs: Any) -> Future:
    """Calls `func` at once: nothing runs side by side."""
    return Future(func(*args, **kwargs))


def wait(future: Any) -> Any:
    """The result of a `fork`."""
    return future.wait()


def _script_module(mod: Any, what: str) -> None:
    from ._modules import ScriptModule

    if not builtins.isinstance(mod, ScriptModule):
        raise RuntimeError(
            f"{what} expects a ScriptModule as input. Please use torch.jit.script or torch.jit.trace to script your 'nn.Module'."
        )


def freeze(mod: Any, preserved_attrs: Any = None, optimize_numerics: bool = True) -> Any:
    """A copy of a scripted or traced module in eval mode, whose parameters need no gradient any more.

    Raises RuntimeError for other modules, and in training mode.
    """
    _script_module(mod, "Freezing")
    if mod.training:
        raise RuntimeError(
            "Freezing is currently only implemented for modules in eval mode. Please call .eval() on your module before freezing."
        )
    frozen = mod.copy()
    for parameter in frozen.parameters():
        parameter.requires_grad_(False)
    return frozen


def optimize_for_inference(mod: Any, other_methods: Any = None) -> Any:
    """A frozen copy of the module."""
    _script_module(mod, "optimize_for_inference")
    return freeze(mod.eval(), preserved_attrs=other_methods)


def run_frozen_optimizations(mod: Any, optimize_numerics: bool = True, preserved_methods: Any = None) -> None:
    """Changes nothing: nothing is optimized."""


_settings = {"onednn": False}


def enable_onednn_fusion(enabled: bool) -> None:
    """A setting without effect."""
    _settings["onednn"] = enabled


def onednn_fusion_enabled() -> bool:
    """What `enable_onednn_fusion` was given."""
    return _settings["onednn"]


def set_fusion_strategy(strategy: Any) -> list[tuple[str, int]]:
    """A setting without effect; returns PyTorch's default."""
    return [("STATIC", 2), ("DYNAMIC", 10)]


def last_executed_optimized_graph() -> None:
    """None: no graph is optimized."""


@contextmanager
def optimized_execution(should_optimize: bool) -> Iterator[None]:
    """A block; it runs as everything else does."""
    yield


@contextmanager
def fuser(name: str) -> Iterator[None]:
    """A block; operators are fused inside as outside. Raises Exception for a name that PyTorch does not know."""
    if name not in ("", "fuser0", "fuser1", "fuser2", "fuser3"):
        raise Exception(f"unrecognized fuser option (name: {name})")
    yield


class strict_fusion:
    """A block; operators are fused inside as outside."""

    __module__ = "torch.jit"

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exception: Any) -> None:
        return None
