"""`torch.autograd.profiler`: the profiler by its older name. What it records lies with `torch.profiler`, a floor above, and is
imported when a name is first asked for."""

from typing import Any

from ..core.missing import missing_name

_NAMES = frozenset(("profile", "record_function", "emit_itt", "emit_nvtx", "EventList", "FunctionEvent", "FunctionEventAvg", "Interval"))

_missing = missing_name(__name__)


def __getattr__(name: str) -> Any:
    import importlib

    if name == "profiler_util":
        return importlib.import_module(f"{__package__.partition('.')[0]}.profiler._events")
    if name in _NAMES:
        for module in ("_recording", "_events"):
            found = getattr(importlib.import_module(f"{__package__.partition('.')[0]}.profiler.{module}"), name, None)
            if found is not None:
                globals()[name] = found
                return found
    return _missing(name)
