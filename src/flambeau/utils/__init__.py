"""Tools around tensors: loading data, checkpointing of activations, exchange with other libraries."""

from typing import Any

from ..core.missing import missing_name

_SUBMODULES = ("_pytree", "checkpoint", "data", "dlpack", "hooks")
"""Imported when they are first named, so that `import flambeau` stays light."""

_missing = missing_name(__name__)


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    return _missing(name)
