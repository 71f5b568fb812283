"""Tools around tensors: loading data, checkpointing of activations, exchange with other libraries."""

from typing import Any

from ..core.missing import missing_name

_SUBMODULES = ("_pytree", "checkpoint", "collect_env", "data", "deterministic", "dlpack", "hooks")
"""Imported when they are first named, so that `import flambeau` stays light; the others want an import, as in PyTorch."""

_missing = missing_name(__name__)


def set_module(obj: Any, mod: str) -> None:
    """Sets `__module__` of an object. Raises TypeError unless `mod` is a string."""
    if not isinstance(mod, str):
        raise TypeError("The mod argument should be a string")
    obj.__module__ = mod


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    return _missing(name)
