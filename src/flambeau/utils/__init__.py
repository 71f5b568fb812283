"""Tools around tensors: loading data, checkpointing of activations, exchange with other libraries."""

from typing import Any

from ..core.missing import missing_name

_SUBMODULES = (
    "_pytree", "checkpoint", "collect_env", "cpp_extension", "data", "deterministic", "dlpack", "hooks", "module_tracker", "weak",
)  # fmt: skip
"""Imported when they are first named, so that `import flambeau` stays light; the others want an import, as in PyTorch."""

_missing = missing_name(__name__)


def set_module(obj: Any, mod: str) -> None:
    """Sets `__module__` of an object. Raises TypeError unless `mod` is a string."""
    if not isinstance(mod, str):
        raise TypeError("The mod argument should be a string")
    obj.__module__ = mod


def swap_tensors(t1: Any, t2: Any) -> None:
    """Makes each of two tensors what the other was: class, memory, attributes, place in the graph.

    Raises RuntimeError where a weak reference would no longer find its tensor. A graph that was recorded before leads to what the
    object then was, and must not be walked any more.
    """
    import weakref

    from ..tensor import Tensor

    for name, t in (("t1", t1), ("t2", t2)):
        if weakref.getweakrefs(t):
            raise RuntimeError(f"Cannot swap {name} because it has weakref associated with it")
    t1.__class__, t2.__class__ = t2.__class__, t1.__class__
    first, second = t1.__dict__.copy(), t2.__dict__.copy()
    for t, attributes in ((t1, second), (t2, first)):
        t.__dict__.clear()
        t.__dict__.update(attributes)
    for slot in vars(Tensor)["__slots__"]:
        if not slot.startswith("__"):
            a, b = getattr(t1, slot), getattr(t2, slot)
            setattr(t1, slot, b)
            setattr(t2, slot, a)


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    return _missing(name)
