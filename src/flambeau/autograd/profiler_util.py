"""`torch.autograd.profiler_util`: what the profiler gives. It lies with `torch.profiler`, a floor above, and is imported when asked for."""

from typing import Any

from ..core.missing import missing_name

_missing = missing_name(__name__)


def __getattr__(name: str) -> Any:
    import importlib

    found = getattr(importlib.import_module(f"{__name__.partition('.')[0]}.profiler._events"), name, None)
    return _missing(name) if found is None else found
