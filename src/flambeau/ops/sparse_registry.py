"""The table of the operators' sparse forms, and what the forms are written with.

A form takes the operator's arguments and works on the values, so that gradients flow through them: `stored` takes them out of a
tensor, `new_values` and `moved` put them into another.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Callable

from ..tensor import wrap
from .definition import OPERATORS
from .sparse import from_parts, stored

Form = Callable[..., Any]

FORMS: dict[str, Form] = {}
"""By the name of the operator: its result for arguments of which one at least is sparse."""

COMPOSITES: dict[str, Form] = {}
"""The same for functions made of operators, by their first public name, which are asked where these do not lead there."""

IN_PLACE: dict[str, Form] = {}
"""What in-place forms put in the tensor's place, where it is another result than the operator's."""


def form(*names: str) -> Callable[[Form], Form]:
    """Decorator: the sparse form of operators."""

    def register(function: Form) -> Form:
        FORMS.update(dict.fromkeys(names, function))
        return function

    return register


_TAKEN_APART = frozenset(
    "SparseCooTensorWithDimsAndTensorsBackward0 SparseCompressedTensorBackward0 "
    "SqueezeBackward1 ViewBackward0 CoalesceBackward0 AddBackward0 TBackward0 "
    "LinalgVectorNormBackward0".split()
)
"""The last nodes of forms that take a tensor apart and put it together again."""


def recorded_as(result: Any, name: str) -> Any:
    """The result of a form; its last node is called as the operator's own is."""
    node = result._node
    if node.__class__.__name__ in _TAKEN_APART:
        node.__class__ = _called(node.__class__, name)
    return result


@lru_cache(None)
def _called(cls: Any, name: str) -> Any:
    """A class of nodes under another name."""
    return type(name, (cls,), {"__slots__": (), "__module__": cls.__module__})


def new_values(x: Any, values: Any, coalesced_: bool | None = None) -> Any:
    """The tensor with other values at the same places."""
    array = x._array
    return from_parts.function(wrap(array.indices), values, array.shape, array.coalesced if coalesced_ is None else coalesced_)


def moved(x: Any, indices: Any, shape: Any, coalesced_: bool = False, values: Any = None) -> Any:
    """The tensor with its values at other places."""
    return from_parts.function(wrap(indices), stored.function(x) if values is None else values, tuple(shape), coalesced_)


def call(name: str, *args: Any) -> Any:
    """An operator on all its arguments in order."""
    op = OPERATORS[name]
    return op.function(*args[: op.positional], **dict(zip(op.params[op.positional :], args[op.positional :])))
