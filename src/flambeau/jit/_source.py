"""Scripted functions in an archive: their source, cut down to what a file may contain, and the way back.

A file holds no code that could do more than TorchScript: when it is read, the source is looked through again, attributes must be
those of tensors, containers and the saved module itself, and names lead to operators, `math`, a few of Python's functions and
the other functions of the file. Nothing is imported.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import math
import types
from collections.abc import Callable
from functools import cache
from typing import Any, Union

import numpy as np

from ..core import device as devices
from ..tensor import Tensor
from ._graph import PLAIN, Torch, function_named, name_of, pack, unpack
from ._modules import ScriptModule
from ._script import SourceMethod, source_of
from .annotations import type_name
from .frontend import Source, check

_ROOT = __name__.partition(".")[0]
_BUILTINS = (
    abs, all, any, bool, chr, dict, divmod, enumerate, float, int, isinstance, len, list, max, min, ord, pow, print, range, reversed, round,
    sorted, str, sum, tuple, zip, AssertionError, IndexError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
_FUNCTIONS: dict[str, Any] = {f.__name__: f for f in _BUILTINS}
_UNSAFE = frozenset(
    "numpy apply_ map_ map2_ register_hook register_post_accumulate_grad_hook storage untyped_storage share_memory_ set_ data_ptr backward "
    "as_subclass pin_memory record_stream reinforce format format_map".split()
)
_ATTRIBUTES = frozenset(
    name
    for cls in (Tensor, list, dict, str, tuple, int, float, devices.device)
    for name in dir(cls)
    if not name.startswith("_") and name not in _UNSAFE
) | {"nn", "functional", "linalg", "fft", "special", "Tensor", "device", *(n for n in dir(math) if not n.startswith("_"))}


class _Stripped(ast.NodeTransformer):
    """A function without decorators and annotations."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        node.decorator_list, node.returns = [], None
        arguments = node.args
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            argument.annotation = None
        arguments.defaults = []
        arguments.kw_defaults = [None] * len(arguments.kwonlyargs)
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        if node.value is None:
            return ast.Pass()
        return self.generic_visit(ast.copy_location(ast.Assign([node.target], node.value), node))


def _loaded(node: ast.FunctionDef) -> set[str]:
    """The names that a function takes from outside."""
    names = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
    own = {a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
    own |= {n.id for n in names if isinstance(n.ctx, ast.Store)}
    return {n.id for n in names if isinstance(n.ctx, ast.Load)} - own


def of_self(node: ast.AST) -> set[str]:
    """The attributes of `self` that a function names."""
    return {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == "self"}


def plain(value: Any) -> bool:
    """Whether an archive can hold a value."""
    if isinstance(value, dict):
        return all(isinstance(k, PLAIN) and plain(v) for k, v in value.items())
    return value is None or isinstance(value, PLAIN) or (isinstance(value, (list, tuple)) and all(map(plain, value)))


# --- writing -------------------------------------------------------------------------------------------------------


def pack_method(method: SourceMethod, functions: dict[str, Any]) -> dict[str, Any]:
    """A method, or a function, for the archive; functions that it calls are added to `functions`."""
    if isinstance(method, LoadedMethod):
        functions.update({n: f for n, f in method.functions.items() if n not in functions})
        return method.packed
    return _pack(method.function, method, functions)


def pack_function(function: Any, functions: dict[str, Any]) -> dict[str, Any]:
    """A function that has no checked signature: a helper."""
    return _pack(function, None, functions)


def _pack(function: Any, method: SourceMethod | None, functions: dict[str, Any]) -> dict[str, Any]:
    if getattr(function, "_torchscript_modifier", None) in ("ignore", "unused"):
        raise RuntimeError(f"Could not export Python function call '{function.__name__}': it is marked with torch.jit.ignore")
    node, source = source_of(function)
    check(node, source)
    node = ast.fix_missing_locations(_Stripped().visit(node))
    signature = inspect.signature(function)
    defaults = {p.name: p.default for p in signature.parameters.values() if p.default is not p.empty}
    for name, value in defaults.items():
        if not plain(value):
            raise RuntimeError(f"flambeau cannot save {function.__name__}(): the default of {name!r} is a {type(value).__name__}")
    closure = inspect.getclosurevars(function)
    packed: dict[str, Any] = {"name": function.__name__, "source": ast.unparse(node), "globals": {}}
    packed["defaults"] = {name: pack(value) for name, value in defaults.items()}
    if method is not None:
        packed["types"] = {n: None if t is inspect.Parameter.empty else type_name(t) for n, t in method.types.items()}
        packed["returns"] = None if method._returns is inspect.Parameter.empty else type_name(method._returns)
    for name in sorted(_loaded(node)):
        value = {**function.__globals__, **closure.nonlocals}.get(name, _FUNCTIONS.get(name, _pack))
        if value is not _FUNCTIONS.get(name):
            packed["globals"][name] = _pack_global(function.__name__, name, value, functions)
    return packed


def _pack_global(where: str, name: str, value: Any, functions: dict[str, Any]) -> Any:
    from ._modules import ScriptFunction

    if isinstance(value, types.ModuleType):
        path = value.__name__
        path = "torch" + path[len(_ROOT) :] if path == _ROOT or path.startswith(_ROOT + ".") else path
        if path in ("torch", "torch.nn", "torch.nn.functional", "torch.linalg", "torch.fft", "torch.special", "math"):
            return {"module": path}
    elif plain(value):
        return {"value": pack(value)}
    elif isinstance(value, ScriptFunction) and isinstance(value._method, SourceMethod):
        if value.name not in functions:
            functions[value.name] = None  # it may call itself
            functions[value.name] = pack_method(value._method, functions)
        return {"local": value.name}
    elif callable(value) and not isinstance(value, type):
        public = name_of(value)
        if public is not None:
            return {"function": public}
        if isinstance(value, types.FunctionType):
            if value.__name__ not in functions:
                functions[value.__name__] = None
                functions[value.__name__] = pack_function(value, functions)
            return {"local": value.__name__}
    raise RuntimeError(f"flambeau cannot save {where}(): it uses {name!r}, which is neither an operator, a function nor a plain value")


# --- reading -------------------------------------------------------------------------------------------------------


def _parts(text: str) -> list[str]:
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def type_of(text: str | None) -> Any:
    """The type that a declaration names; Any for one that is not known."""
    if text is None:
        return inspect.Parameter.empty
    if text.endswith("[]"):
        return list[type_of(text[:-2])]  # type: ignore[misc]
    if text.endswith("?"):
        return Union[type_of(text[:-1]), None]
    if text.startswith("Dict("):
        key, value = _parts(text[5:-1])
        return dict[type_of(key), type_of(value)]  # type: ignore[misc]
    if text.startswith("("):
        return tuple[tuple(map(type_of, _parts(text[1:-1])))]  # type: ignore[misc]
    known = {"int": int, "float": float, "bool": bool, "str": str, "complex": complex, "Tensor": Tensor, "Device": devices.device}
    return known.get(text, Any)


class LoadedMethod(SourceMethod):
    """A function that came out of an archive."""

    def __init__(self, packed: dict[str, Any], functions: dict[str, Any], function: Callable[..., Any], owner: Any = None) -> None:
        self.packed = packed
        self.functions = functions
        self.function = function
        self.owner = owner
        self.name = packed["name"]
        self.types = {name: type_of(text) for name, text in packed["types"].items()}
        self.defaults = {name: unpack(value) for name, value in packed["defaults"].items()}
        self._returns = type_of(packed["returns"])

    @property
    def code(self) -> str:
        """The source."""
        return self.packed["source"] + "\n"


def build(packed: dict[str, Any], functions: dict[str, Any], made: dict[str, Any], known: set[str]) -> Callable[..., Any]:
    """The function of a packed one. `known`: the attributes that the saved module has.

    Raises RuntimeError for source that a file may not contain.
    """
    source = Source(packed["source"], "<archive>", 1)
    body = ast.parse(packed["source"]).body
    if len(body) != 1 or not isinstance(body[0], ast.FunctionDef) or body[0].name != packed["name"] or body[0].decorator_list:
        raise RuntimeError("torch.jit.load: the archive holds source that is no single function")
    node = body[0]
    check(node, source)
    scope: dict[str, Any] = {"__builtins__": {}, **_FUNCTIONS}
    for name, entry in packed["globals"].items():
        scope[name] = _unpack_global(entry, functions, made, known)
    modules = {name for name, entry in packed["globals"].items() if "module" in entry}
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and not _may_read(part, known, modules):
            raise RuntimeError(f"flambeau's archives cannot hold source that reads the attribute {part.attr!r}:\n{source.at(part)}")
        if isinstance(part, ast.Name) and part.id.startswith("__"):
            raise RuntimeError(f"torch.jit.load: the archive's source names {part.id!r}:\n{source.at(part)}")
    for name in _loaded(node) - scope.keys():
        raise RuntimeError(f"torch.jit.load: the archive's source names {name!r}, which it does not define")
    defaults = {name: unpack(value) for name, value in packed["defaults"].items()}
    exec(compile(ast.Module([node], []), "<flambeau archive>", "exec"), scope)
    function = scope[packed["name"]]
    function.__defaults__ = tuple(defaults.values()) or None
    return function


@cache
def _refused() -> frozenset[str]:
    """What a file cannot make readable by giving its module an attribute of that name: it would reach beyond tensors."""
    classes = (ScriptModule, LoadedMethod, np.ndarray, Tensor, types.FunctionType)
    inside = {*vars(ScriptModule()), "function", "functions", "owner", "packed"}  # of modules, and of loaded methods
    return frozenset(name for cls in classes for name in dir(cls)) - _ATTRIBUTES | _UNSAFE | inside


def _may_read(node: ast.Attribute, known: set[str], modules: set[str]) -> bool:
    """Whether source in an archive may read an attribute."""
    name = node.attr
    if name in _ATTRIBUTES or name in ("training", "forward"):
        return True
    if name in known and name not in _refused():
        of_module = isinstance(node.value, ast.Name) and node.value.id == "self"
        return not name.startswith("__" if of_module else "_")
    root: ast.AST = node
    while isinstance(root, ast.Attribute):
        root = root.value
    return isinstance(root, ast.Name) and root.id in modules and not name.startswith("_")  # graphs' `torch` decides


def _unpack_global(entry: Any, functions: dict[str, Any], made: dict[str, Any], known: set[str]) -> Any:
    match next(iter(entry.items())):
        case "module", "math":
            return math
        case "module", str(path):
            found: Any = Torch()
            for part in path.split(".")[1:]:
                found = getattr(found, part)
            return found
        case "value", value:
            return unpack(value)
        case "function", str(name):
            return function_named(name)
        case "local", str(name) if name in functions:
            if name not in made:
                made[name] = lambda *args, **kwargs: made[name](*args, **kwargs)  # until it is there: it may call itself
                function = build(functions[name], functions, made, known)
                made[name] = LoadedMethod(functions[name], functions, function) if "types" in functions[name] else function
            return made[name]
    raise RuntimeError(f"not part of an archive: {entry!r}")


def own_class(module: str, qualname: str) -> Any:
    """One of flambeau's modules by its public name. Raises RuntimeError for anything else."""
    from ..core.naming import PUBLIC
    from ..nn.modules.module import Module

    if module.startswith("torch.nn.modules.") and module.replace(".", "").isidentifier():
        try:
            importlib.import_module(_ROOT + module[len("torch") :])
        except ModuleNotFoundError:
            pass
    found = PUBLIC.get((module, qualname))
    if not isinstance(found, type) or not issubclass(found, Module) or not module.startswith("torch.nn."):
        raise RuntimeError(f"torch.jit.load: {module}.{qualname} is no module of flambeau")
    return found
