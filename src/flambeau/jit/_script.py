"""`torch.jit.script`: functions and modules whose source lies in TorchScript's subset of Python. They run as Python.

The source is parsed and looked through (`frontend`), and the arguments of each call are checked against the annotations; a parameter
without one is a Tensor. `.code` is the source as it is. What TorchScript's compiler would find beyond that, such as the types of local
variables, is not looked for.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
import threading
import types
import warnings
from functools import cache
from typing import Any

from ..core.naming import public
from ..nn.modules.module import Module
from ..tensor import Tensor
from ._modules import RecursiveScriptModule, ScriptFunction, ScriptMethod, ScriptModule, arrange, mirror, qualified_name, unfit
from ._trace import is_tracing
from .annotations import fits, type_name
from .frontend import Source, check


class _Local(threading.local):
    depth = 0


_local = _Local()


@public("torch.jit._script")
class ScriptWarning(Warning):
    """Something in scripted code is not as it seems."""


def is_scripting() -> bool:
    """Whether this code runs as part of a scripted function."""
    return _local.depth > 0


def source_of(function: Any) -> tuple[ast.FunctionDef, Source]:
    """The parsed source of a function. Raises OSError where there is none, RuntimeError where it is no plain function."""
    try:
        lines, first = inspect.getsourcelines(function)
    except OSError as error:
        raise OSError(
            f"Can't get source for {function}. TorchScript requires source access in order to carry out compilation, make sure original "
            ".py files are available."
        ) from error
    text = textwrap.dedent("".join(lines))
    file = inspect.getsourcefile(function) or "<unknown>"
    try:
        body = ast.parse(text).body
    except SyntaxError:
        body = []
    if len(body) != 1 or not isinstance(body[0], ast.FunctionDef):
        raise RuntimeError(f"Expected a single top-level function: {file}:{first}")
    return body[0], Source(text, file, first)


def _check_names(node: ast.FunctionDef, source: Source, function: Any) -> None:
    """Raises RuntimeError for a name that is defined nowhere, or one of Python's own functions that TorchScript does not have."""
    closure = inspect.getclosurevars(function)
    known = {*closure.globals, *closure.nonlocals, *function.__globals__}
    local = {a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
    local |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    loaded = (n for statement in node.body for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
    for name in loaded:
        if name.id in local or name.id in known:
            continue
        if not hasattr(builtins, name.id):
            raise RuntimeError(f"\nundefined value {name.id}:\n{source.at(name, len(name.id))}")
        if name.id not in _BUILTINS and not (isinstance(getattr(builtins, name.id), type)):
            found = getattr(builtins, name.id)
            raise RuntimeError(f"\nPython builtin {found!r} is currently not supported in Torchscript:\n{source.at(name, len(name.id))}")


_BUILTINS = frozenset(
    "abs all any bin bool chr complex dict divmod enumerate float getattr hasattr hex int isinstance len list max min oct ord pow print "
    "range reversed round sorted str sum super tuple zip".split()
)


@public("torch._C")
class SourceMethod(ScriptMethod):
    """A function that runs as Python after its source was checked. `owner`: the scripted module that stands for `self`."""

    def __init__(self, function: Any, owner: Any = None) -> None:
        self.function = function
        self.owner = owner
        self.name = function.__name__
        self._node, self.source = source_of(function)
        check(self._node, self.source)
        _check_names(self._node, self.source, function)
        self.defaults: dict[str, Any] = {}
        self.types: dict[str, Any] = {}
        self._returns: Any = None
        self._read_signature()

    def _read_signature(self) -> None:
        signature = inspect.signature(self.function)
        try:
            hints = inspect.get_annotations(self.function, eval_str=True)
        except NameError:
            hints = inspect.get_annotations(self.function)
        parameters = list(signature.parameters.values())[self.owner is not None :]
        for parameter in parameters:
            self.types[parameter.name] = hints.get(parameter.name, inspect.Parameter.empty)
            if parameter.default is not parameter.empty:
                self.defaults[parameter.name] = parameter.default
        self._returns = hints.get("return", inspect.Parameter.empty)

    @property
    def code(self) -> str:
        """The source, without decorators and comments."""
        node = ast.parse(self.source.text).body[0]
        assert isinstance(node, ast.FunctionDef)
        node.decorator_list = []
        return ast.unparse(node) + "\n"

    @property
    def schema(self) -> str:
        """Name, arguments and result."""
        own = [] if self.owner is None else [f"__torch__.{self.owner.original_name} self"]
        for name, annotation in self.types.items():
            text = f"{'Tensor' if annotation is inspect.Parameter.empty else type_name(annotation)} {name}"
            own.append(f"{text}={self.defaults[name]!r}" if name in self.defaults else text)
        returned = "Tensor" if self._returns is inspect.Parameter.empty else type_name(self._returns)
        return f"{self.name}({', '.join(own)}) -> {returned}"

    @property
    def graph(self) -> Any:
        """Not there: raises NotImplementedError. Scripted code is not turned into a graph."""
        raise NotImplementedError("flambeau does not turn scripted code into a graph: .code shows it, and torch.jit.trace records one")

    inlined_graph = graph

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        names = list(self.types)
        if kwargs or len(args) != len(names):
            args = tuple(arrange(self.name, names, self.defaults, args, kwargs, self.owner is not None, self.schema))
        for position, (name, value) in enumerate(zip(names, args)):
            annotation = self.types[name]
            inferred = annotation is inspect.Parameter.empty
            if not (isinstance(value, Tensor) or (is_tracing() and value is None) if inferred else fits(annotation, value)):
                expected = "Tensor" if inferred else type_name(annotation)
                raise unfit(self.name, name, expected, position + (self.owner is not None), value, self.schema, inferred)
        _local.depth += 1
        try:
            return self.function(*args) if self.owner is None else self.function(self.owner, *args)
        finally:
            _local.depth -= 1


def _modifier(function: Any) -> str | None:
    return getattr(function, "_torchscript_modifier", None)


@cache
def _class_for(cls: type) -> type:
    """The class of scripted modules made from modules of a class: the methods that are not scripted come from there."""
    members = {"__module__": RecursiveScriptModule.__module__, "__doc__": RecursiveScriptModule.__doc__}
    return type("RecursiveScriptModule", (RecursiveScriptModule, cls), members)


def scripted_module(module: Module) -> Any:
    """A scripted copy of a module: its attributes, its submodules scripted, and its methods with their source checked.

    The parameters and buffers are those of the module. flambeau's own modules are not looked through.
    """
    cls: Any = type(module)
    made: Any = mirror(module, _class_for(cls))
    made.__dict__["_made_from"] = cls
    for name, value in vars(module).items():
        if name not in made.__dict__:
            made.__dict__[name] = value
    for name, child in module._modules.items():
        if child is not None:
            made._modules[name] = child if isinstance(child, ScriptModule) else scripted_module(child)
    ours = cls.__module__.startswith("torch.nn.")
    for owner in reversed(cls.__mro__):
        for name, value in vars(owner).items() if owner not in Module.__mro__ else ():
            if not isinstance(value, types.FunctionType) or _modifier(value) in ("ignore", "unused"):
                continue
            if name == "forward" and (ours or owner.__module__.startswith("torch.nn.")):
                made._methods[name] = _OwnMethod(value, made)
            elif name == "forward" or _modifier(value) == "export":
                made._methods[name] = SourceMethod(value, made)
                if name != "forward":
                    made.__dict__[name] = made._methods[name]  # ahead of the class's
    return made


class _OwnMethod(ScriptMethod):
    """The forward of one of flambeau's own modules, which is not looked through."""

    __module__ = "torch._C"

    def __init__(self, function: Any, owner: Any) -> None:
        self.function = function
        self.owner = owner
        self.name = function.__name__

    @property
    def code(self) -> str:
        """The source."""
        return textwrap.dedent(inspect.getsource(self.function))

    schema = SourceMethod.schema
    graph = SourceMethod.graph
    types: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    _returns: Any = inspect.Parameter.empty

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(self.owner, *args, **kwargs)


def script(obj: Any, optimize: Any = None, _frames_up: int = 0, _rcb: Any = None, example_inputs: Any = None) -> Any:
    """A function, or a module with its methods, whose source was checked; it runs as Python, its arguments checked at each call.

    Raises torch.jit.frontend.NotSupportedError for Python that TorchScript does not have, RuntimeError for undefined names, TypeError
    for objects that are neither functions nor modules. Classes are returned as they are.
    """
    warnings.warn("`torch.jit.script` is deprecated. Please switch to `torch.compile` or `torch.export`.", DeprecationWarning, stacklevel=1)
    if isinstance(obj, (ScriptModule, ScriptFunction)):
        return obj
    if isinstance(obj, Module):
        return scripted_module(obj)
    if isinstance(obj, type):
        return obj
    if isinstance(obj, types.FunctionType):
        return ScriptFunction(SourceMethod(obj))
    if isinstance(obj, types.MethodType) and isinstance(obj.__self__, Module):
        raise RuntimeError(f"{obj.__qualname__} is a method of a module: script the module instead")
    if type(obj).__module__ == "builtins":
        raise TypeError(f"{type(obj)} is a built-in class")
    raise TypeError(f"flambeau's torch.jit.script takes functions and modules, not {type(obj).__name__}")


def script_method(fn: Any) -> Any:
    """The method as it is: `script` looks it through when the module is scripted."""
    return _exported(fn)


def _exported(fn: Any) -> Any:
    fn._torchscript_modifier = "export"
    return fn


def script_if_tracing(fn: Any) -> Any:
    """The function as it is: what it calls is recorded by the trace that it is called in."""
    return fn


def interface(obj: type) -> type:
    """The class as it is. Raises RuntimeError for anything but a class."""
    if not inspect.isclass(obj):
        raise RuntimeError("interface must be applied to a class")
    return obj


@public("torch.jit")
class CompilationUnit:
    """Functions compiled from text. Not supported: making one with text raises NotImplementedError."""

    def __init__(self, lang: str | None = None, _frames_up: int = 0) -> None:
        if lang is not None:
            raise NotImplementedError("flambeau does not compile TorchScript from text: pass a Python function to torch.jit.script")


__all__ = ["qualified_name", "script"]
