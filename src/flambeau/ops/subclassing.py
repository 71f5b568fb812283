"""Subclasses of Tensor: the default `__torch_function__`, and how a tensor becomes one of a subclass."""

from __future__ import annotations

from typing import Any

from .. import tensor as tensor_module
from ..core.size import Size
from ..tensor import PLAIN, Tensor, shared_version, wrap_as
from .definition import OPERATORS
from .modes import stacks

_FIELDS = ("_array", "_node", "_requires_grad", "_grad", "_view", "_counter", "_hooks")


def as_subclass(self: Tensor, cls: Any) -> Any:
    """The same values as an instance of `cls`, a subclass of Tensor; gradients flow back to this tensor.

    Raises TypeError for any other class.
    """
    if not (isinstance(cls, type) and issubclass(cls, Tensor)):
        raise TypeError(
            "Creating a Tensor subclass from a class that does not inherit from Tensor is not possible. Make sure your class inherits from "
            "Tensor."
        )
    stacks.subclasses_disabled += 1
    try:
        return _copied(OPERATORS["alias_view"].function(self), cls)
    finally:
        stacks.subclasses_disabled -= 1


def _copied(tensor: Tensor, cls: Any) -> Any:
    """A second object over the same memory, at the same place in the graph."""
    made = object.__new__(cls)
    for field in _FIELDS:
        setattr(made, field, getattr(tensor, field))
    return made


def make_subclass(cls: Any, data: Any, require_grad: bool = False, **options: Any) -> Any:
    """A leaf of class `cls` over the memory of `data`: for the `__new__` of subclasses."""
    if not isinstance(data, Tensor):
        raise TypeError(f"_make_subclass(): argument 'data' (position 2) must be Tensor, not {type(data).__name__}")
    made = wrap_as(cls, data._array, bool(require_grad))
    made._counter = shared_version(data)
    return made


def convert(result: Any, cls: Any) -> Any:
    """A result, or each in a list or tuple, as an instance of `cls`."""
    if isinstance(result, Tensor):
        if isinstance(result, cls):
            return result
        return as_subclass(result, cls) if result._requires_grad else _copied(result, cls)
    if isinstance(result, (tuple, list)) and type(result) is not Size:
        return type(result)([convert(r, cls) for r in result])
    return result


def default_torch_function(cls: Any, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """Runs `func` on the data and gives its results the class `cls`; NotImplemented beside a class it knows nothing of."""
    for t in types:
        if not issubclass(cls, t):
            return NotImplemented
    stacks.subclasses_disabled += 1
    try:
        result = func(*args, **kwargs)
    finally:
        stacks.subclasses_disabled -= 1
    return result if cls is Tensor else convert(result, cls)


_DEFAULT = Tensor.__dict__["__torch_function__"].__func__


def takes_over(tensor: Tensor) -> bool:
    """Whether the class of a tensor has a `__torch_function__` of its own that is to see methods of Tensor itself."""
    cls = type(tensor)
    return cls not in PLAIN and not stacks.subclasses_disabled and getattr(cls.__torch_function__, "__func__", None) is not _DEFAULT


tensor_module.default_torch_function = default_torch_function
tensor_module.takes_over = takes_over
Tensor.as_subclass = as_subclass  # type: ignore[method-assign]
Tensor._make_subclass = staticmethod(make_subclass)  # type: ignore[method-assign]
