"""`torch.sym_...`: functions of numbers that PyTorch's compiler also applies to sizes it does not know. Here all sizes are known."""

import math
from typing import Any


def _absent(name: str) -> type:
    def __new__(cls: type, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(f"flambeau has no symbolic sizes: torch.{name} cannot be made")

    members = {"__new__": __new__, "__module__": "torch", "__doc__": "A number that is not known yet; there are none, so nothing is one."}
    return type(name, (), members)


SymInt, SymFloat, SymBool = (_absent(name) for name in ("SymInt", "SymFloat", "SymBool"))


def sym_int(a: Any) -> int:
    """The number without its fraction."""
    return math.trunc(a)


def sym_float(a: Any) -> float:
    """The number as a float."""
    return float(a)


def sym_not(a: Any) -> bool:
    """The opposite of a truth value."""
    return not a


def sym_max(a: Any, b: Any) -> Any:
    """The larger number, a float if one of them is."""
    return _alike(max(a, b), a, b)


def sym_min(a: Any, b: Any) -> Any:
    """The smaller number, a float if one of them is."""
    return _alike(min(a, b), a, b)


def _alike(found: Any, a: Any, b: Any) -> Any:
    return float(found) if isinstance(a, float) or isinstance(b, float) else found


def sym_sum(*args: Any) -> Any:
    """The sum of the numbers, given one by one or as one list."""
    return sum(args[0] if len(args) == 1 and isinstance(args[0], (list, tuple)) else args)


def sym_ite(b: bool, t: Any, f: Any) -> Any:
    """`t` if `b` is true, else `f`. Raises AssertionError for a `b` that is no bool, or values of different types."""
    if not isinstance(b, bool):
        raise AssertionError(f"expected SymBool or bool, got {type(b)}")
    if type(t) is not type(f):
        raise AssertionError(f"type mismatch: {type(t)} != {type(f)}")
    return t if b else f


def sym_sqrt(a: Any) -> float:
    """The square root."""
    return math.sqrt(a)
