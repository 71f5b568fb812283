"""`torch.return_types`: the named tuples that operators with several results return."""

from operator import itemgetter
from typing import Any

from .naming import PUBLIC

_CACHE: dict[str, type] = {}


def _repr(self: Any) -> str:
    lines = ",\n".join(f"{name}={value!r}" for name, value in zip(self._fields, self))
    return f"torch.return_types.{type(self).__name__}(\n{lines})"


class _ReturnType(tuple):
    """A tuple whose items also have names."""

    _fields: tuple[str, ...] = ()
    __slots__ = ()

    __repr__ = _repr

    @property
    def n_fields(self) -> int:
        return len(self._fields)

    n_sequence_fields = n_fields
    n_unnamed_fields = 0

    def __reduce__(self) -> Any:
        return make, (type(self).__name__, tuple(self))


def return_type(name: str, *fields: str) -> type:
    """The class of the results called `fields`, shown as `torch.return_types.<name>`."""
    if name not in _CACHE:
        members: dict[str, Any] = {"_fields": fields, "__slots__": (), "__module__": "torch.return_types"}
        for i, field in enumerate(fields):
            members[field] = property(itemgetter(i))
        _CACHE[name] = PUBLIC["torch.return_types", name] = type(name, (_ReturnType,), members)
    return _CACHE[name]


def make(name: str, values: tuple[Any, ...]) -> Any:
    """Unpickles a result."""
    return _CACHE[name](values)
