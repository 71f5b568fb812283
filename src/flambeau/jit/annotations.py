"""`torch.jit.annotations`: types as TorchScript writes them."""

from __future__ import annotations

import typing
from typing import Any

from ..core import device as devices
from ..core.dtype import dtype
from ..tensor import Tensor

_PLAIN = {int: "int", float: "float", bool: "bool", str: "str", complex: "complex", Tensor: "Tensor", type(None): "NoneType"}


def type_name(annotation: Any) -> str:
    """The name of a type in a declaration: `int[]`, `Tensor?`, `Dict(str, int)`. Raises TypeError for types beyond TorchScript."""
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if annotation is None:
        return "NoneType"
    if annotation is devices.device:
        return "Device"
    if annotation is dtype:
        return "int"
    if annotation is Any:
        return "Any"
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (list, typing.List):  # noqa: UP006
        return f"{type_name(arguments[0])}[]"
    if origin in (dict, typing.Dict):  # noqa: UP006
        return f"Dict({', '.join(map(type_name, arguments))})"
    if origin in (tuple, typing.Tuple):  # noqa: UP006
        return f"({', '.join(map(type_name, arguments))})"
    if origin is typing.Union or type(annotation).__name__ == "UnionType":
        kinds = [a for a in arguments if a is not type(None)]
        if len(kinds) == 1 and len(arguments) == 2:
            return f"{type_name(kinds[0])}?"
        return f"Union({', '.join(map(type_name, arguments))})"
    if origin is typing.Final:
        return type_name(arguments[0])
    if isinstance(annotation, type) and issubclass(annotation, Tensor):
        return "Tensor"
    if isinstance(annotation, type):
        return annotation.__name__
    raise TypeError(f"Unknown type annotation: '{annotation}'")


def fits(annotation: Any, value: Any) -> bool:
    """Whether TorchScript takes a value for a parameter of that type: ints pass for floats, and lists are looked into."""
    if annotation is Any or annotation is None:
        return annotation is Any or value is None
    if isinstance(annotation, type) and issubclass(annotation, Tensor):
        return isinstance(value, Tensor)
    if annotation is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (list, typing.List):  # noqa: UP006
        return isinstance(value, (list, tuple)) and all(fits(arguments[0], v) for v in value)
    if origin in (dict, typing.Dict):  # noqa: UP006
        return isinstance(value, dict) and all(fits(arguments[0], k) and fits(arguments[1], v) for k, v in value.items())
    if origin in (tuple, typing.Tuple):  # noqa: UP006
        return isinstance(value, tuple) and len(value) == len(arguments) and all(map(fits, arguments, value))
    if origin is typing.Union or type(annotation).__name__ == "UnionType":
        return any(fits(a, value) for a in arguments)
    if origin is typing.Final:
        return fits(arguments[0], value)
    return not isinstance(annotation, type) or isinstance(value, annotation)
