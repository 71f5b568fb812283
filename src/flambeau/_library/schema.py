"""Schemas of operators: what they are called with, as text (`"mul2(Tensor a, float s=2.) -> Tensor"`) and taken apart."""

import ast
import collections.abc
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..core import device as devices
from ..core import dtype as dt
from ..tensor import Tensor

_BASE = {Tensor: "Tensor", int: "SymInt", float: "float", bool: "bool", str: "str", dt.dtype: "ScalarType", devices.device: "Device"}
_SCALAR = frozenset((int, float, bool))


@dataclass
class Argument:
    """One parameter: its name, its type as schemas write it, its default, whether it wants a keyword and is written into."""

    name: str
    type: str
    default: Any = None
    has_default: bool = False
    kwarg_only: bool = False
    alias: str = ""

    @property
    def is_write(self) -> bool:
        """Whether the operator changes it in place."""
        return self.alias.endswith("!)")

    def has_default_value(self) -> bool:
        return self.has_default

    def __str__(self) -> str:
        kind = self.type.replace("Tensor", f"Tensor{self.alias}", 1)
        return f"{kind} {self.name}" + (f"={_shown(self.default, self.type)}" if self.has_default else "")


@dataclass
class FunctionSchema:
    """The name, the parameters and the types of the results of an operator."""

    name: str
    overload_name: str
    arguments: list[Argument]
    returns: list[str]

    def __str__(self) -> str:
        parts = []
        for i, a in enumerate(self.arguments):
            if a.kwarg_only and (i == 0 or not self.arguments[i - 1].kwarg_only):
                parts.append("*")
            parts.append(str(a))
        overload = f".{self.overload_name}" if self.overload_name else ""
        result = self.returns[0] if len(self.returns) == 1 else f"({', '.join(self.returns)})"
        return f"{self.name}{overload}({', '.join(parts)}) -> {result}"

    __repr__ = __str__

    @property
    def is_mutable(self) -> bool:
        """Whether an argument is changed in place."""
        return any(a.is_write for a in self.arguments)


def _shown(value: Any, kind: str) -> str:
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, str) and kind.startswith("str"):
        return f'"{value}"'
    if isinstance(value, float) or (kind.startswith("float") and isinstance(value, int)):
        text = repr(float(value))
        return text.removesuffix("0") if text.endswith(".0") else text
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(str, value))}]"
    return str(value)


def parse(text: str) -> FunctionSchema:
    """The schema that a text describes. Raises RuntimeError for a text that describes none."""
    text = text.strip()
    match = re.match(r"^([\w:]+)(?:\.(\w+))?\s*\(", text)
    if match is None:
        raise RuntimeError("Tried to parse a function schema but only the operator name was given")
    close = _closing(text, match.end() - 1)
    arrow = text[close + 1 :].strip()
    if not arrow.startswith("->"):
        raise RuntimeError(f"Could not parse the schema {text!r}: a result type, `-> Tensor`, has to follow the arguments")
    arguments, only = [], False
    for part in _parts(text[match.end() : close]):
        if part == "*":
            only = True
        else:
            arguments.append(_argument(part, only, text))
    result = arrow[2:].strip()
    returns = [r.split(" ")[0] for r in _parts(result[1:-1])] if result.startswith("(") else [result]
    return FunctionSchema(match.group(1), match.group(2) or "", arguments, returns)


def _closing(text: str, start: int) -> int:
    depth = 0
    for i in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[i], 0)
        if depth == 0:
            return i
    raise RuntimeError(f"Could not parse the schema {text!r}: a bracket is not closed")


def _parts(text: str) -> list[str]:
    """The parts between commas that stand outside of brackets."""
    parts, depth, current = [], 0, ""
    for c in text:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(c, 0)
        if c == "," and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += c
    return parts + ([current.strip()] if current.strip() else [])


def _argument(part: str, only: bool, text: str) -> Argument:
    match = re.match(r"^(\w+)(\([^)]*\))?((?:\[\d*\]|\?)*)\s+(\w+)(?:\s*=\s*(.+))?$", part)
    if match is None:
        raise RuntimeError(f"Could not parse the argument {part!r} of the schema {text!r}")
    base, alias, marks, name, default = match.groups()
    kind = base + marks
    value = None
    if default is not None:
        try:
            value = ast.literal_eval(default)
        except (ValueError, SyntaxError):
            value = default
        if kind.startswith("float") and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
    return Argument(name, kind, value, default is not None, only, alias or "")


# --- from annotations ----------------------------------------------------------------------------------------------------


def _kind(annotation: Any) -> str | None:
    """The schema's word for an annotation; None where there is none."""
    if annotation in _BASE:
        return _BASE[annotation]
    if annotation in (typing.Union[int, float, bool], int | float | bool):
        return "Scalar"
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        rest = [a for a in args if a is not type(None)]
        if len(rest) < len(args):
            inner = _kind(rest[0] if len(rest) == 1 else typing.Union[tuple(rest)])
            return None if inner is None else f"{inner}?"
        return "Scalar" if set(rest) == _SCALAR else None
    if origin in (list, collections.abc.Sequence) and len(args) == 1:
        inner = _kind(args[0])
        return None if inner is None or inner.endswith("]") or inner == "str" else f"{inner}[]"
    return None


def infer_schema(prototype_function: Callable[..., Any], /, *, mutates_args: str | Iterable[str] = (), op_name: str | None = None) -> str:
    """The schema of a function with annotations, as text, under `op_name` if given.

    `mutates_args`: the parameters that it changes in place, or `"unknown"` for all tensors. Raises ValueError for annotations that
    schemas do not know.
    """
    signature = inspect.signature(prototype_function)
    try:
        hints = typing.get_type_hints(prototype_function)
    except (NameError, TypeError):
        hints = {}

    def refuse(what: str) -> ValueError:
        return ValueError(f"infer_schema(func): {what} Got func with signature {signature})")

    parts: list[str] = []
    seen, only = set(), False
    for i, (name, p) in enumerate(signature.parameters.items()):
        if p.kind not in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
            raise refuse("We do not support positional-only args, varargs, or varkwargs.")
        if p.kind is p.KEYWORD_ONLY and not only:
            parts.append("*")
            only = True
        if p.annotation is p.empty:
            raise refuse(f"Parameter {name} must have a type annotation.")
        annotation = hints.get(name, p.annotation)
        if p.default is None and p.annotation is not None and type(None) not in typing.get_args(p.annotation):
            annotation = p.annotation if not isinstance(p.annotation, str) else annotation
        kind = _kind(annotation)
        if kind is None:
            raise refuse(
                f"Parameter {name} has unsupported type {annotation}. The valid types are: Tensor, int, float, bool, str, "
                "int | float | bool, torch.dtype, torch.device, lists and sequences of tensors and numbers, and each of these or None."
            )
        seen.add(name)
        if mutates_args == "unknown" or (not isinstance(mutates_args, str) and name in mutates_args):
            if "Tensor" not in kind:
                if mutates_args != "unknown":
                    raise refuse(f"Parameter {name} is in mutable_args but only Tensors or collections of Tensors can be mutated")
            else:
                kind = kind.replace("Tensor", f"Tensor(a{i}!)", 1)
        default = ""
        if p.default is not p.empty:
            if p.default is not None and not isinstance(p.default, (int, float, bool, str, dt.dtype, devices.device)):
                raise refuse(
                    f"Parameter {name} has an unsupported default value type {type(p.default)}. Please file an issue on GitHub so we can "
                    "prioritize this."
                )
            shown = str(p.default).removeprefix("torch.") if isinstance(p.default, dt.dtype) else p.default
            default = f'="{shown}"' if isinstance(p.default, (str, devices.device)) else f"={shown}"
        parts.append(f"{kind} {name}{default}")
    if not isinstance(mutates_args, str):
        unknown = set(mutates_args) - seen
        if unknown:
            raise refuse(
                f"{unknown} in mutates_args were not found in the custom op's signature. mutates_args should contain the names of all args "
                "that the custom op mutates, or just the string 'unknown' if you don't know."
            )
    if signature.return_annotation is signature.empty:
        raise refuse("No return type annotation was provided. Please add one.")
    result = _result(hints.get("return", signature.return_annotation), refuse)
    return f"{op_name or ''}({', '.join(parts)}) -> {result}"


def _result(annotation: Any, refuse: Callable[[str], ValueError]) -> str:
    if annotation is None or annotation is type(None):
        return "()"
    if typing.get_origin(annotation) is tuple:
        return f"({', '.join(_result(a, refuse) for a in typing.get_args(annotation))})"
    kind = _kind(annotation)
    if kind not in ("Tensor", "Tensor[]", "SymInt", "float", "bool", "Scalar"):
        raise refuse(f"Return has unsupported type {annotation}. The valid types are: Tensor, list[Tensor], int, float, bool.")
    return kind
