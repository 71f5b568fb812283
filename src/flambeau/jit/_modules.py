"""What `torch.jit` makes: functions and modules that run a recorded graph, or checked source."""

from __future__ import annotations

from typing import Any

from ..core.naming import public
from ..nn.modules.module import Module
from ..tensor import Tensor
from ._graph import Graph, Ref


def qualified_name(module: Module) -> str:
    """A module's type as graphs write it."""
    cls = type(module)
    where = cls.__module__
    return f"__torch__.{cls.__qualname__}" if where == "__main__" else f"__torch__.{where}.{cls.__qualname__}"


def fit(template: Any, value: Any) -> bool:
    """Whether an argument has the structure that was traced."""
    if isinstance(template, Ref):
        return isinstance(value, Tensor)
    if isinstance(template, dict):
        return isinstance(value, dict) and all(key in value and fit(t, value[key]) for key, t in template.items())
    return isinstance(value, (list, tuple)) and len(value) == len(template) and all(map(fit, template, value))


def type_text(template: Any) -> str:
    """The type of a template, as TorchScript declares it."""
    if isinstance(template, Ref):
        return "Tensor"
    if isinstance(template, dict):
        return f"Dict(str, {type_text(next(iter(template.values()), Ref(0)))})"
    if isinstance(template, list):
        return f"{type_text(template[0]) if template else 'Tensor'}[]"
    return f"({', '.join(map(type_text, template))})"


def unfit(name: str, argument: str, expected: str, position: int, value: Any, declaration: str, inferred: bool = False) -> RuntimeError:
    """The error for an argument of the wrong type."""
    note = f"Inferred '{argument}' to be of type 'Tensor' because it was not annotated with an explicit type.\n" if inferred else ""
    if expected == "Tensor":
        detail = f"Unable to cast {value} to Tensor"
    else:
        detail = (
            f"Unable to cast Python instance of type {type(value)} to C++ type '?' (#define PYBIND11_DETAILED_ERROR_MESSAGES or compile in "
            "debug mode for details)"
        )
    wanted = expected + (" (inferred)" if inferred else "")
    return RuntimeError(
        f"{name}() Expected a value of type '{wanted}' for argument '{argument}' but instead found type "
        f"'{type(value).__name__}'.\n{note}Position: {position}\nValue: {value!r}\nDeclaration: {declaration}\nCast error details: {detail}"
    )


def arrange(name: str, arguments: list[str], defaults: dict[str, Any], args: Any, kwargs: Any, method: bool, declaration: str) -> list[Any]:
    """The arguments in order. Raises RuntimeError where one is missing or there are too many."""
    count = len(args) + len(kwargs)
    if len(args) > len(arguments):
        raise RuntimeError(
            f"{name}() expected at most {len(arguments) + method} argument(s) but received {count + method} argument(s). "
            f"Declaration: {declaration}"
        )
    given = list(args)
    for argument in arguments[len(args) :]:
        if argument in kwargs:
            given.append(kwargs[argument])
        elif argument in defaults:
            given.append(defaults[argument])
        else:
            raise RuntimeError(f"{name}() is missing value for argument '{argument}'. Declaration: {declaration}")
    if set(kwargs) - set(arguments[len(args) :]):
        raise RuntimeError(
            f"{name}() expected at most {len(arguments) + method} argument(s) but received {count + method} argument(s). "
            f"Declaration: {declaration}"
        )
    return given


@public("torch._C")
class ScriptMethod:
    """A function of a scripted module. `graph`, `code`, `schema` tell what it does."""

    name: str

    @property
    def code(self) -> str:
        raise NotImplementedError

    @property
    def schema(self) -> str:
        raise NotImplementedError

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


@public("torch._C")
class Method(ScriptMethod):
    """A recorded graph that can be called; `owner`, if any, is the module that holds its parameters."""

    def __init__(self, graph: Graph, owner: Any = None) -> None:
        self.graph = graph
        self.owner = owner
        self.name = graph.name
        self._function: Any = None

    @property
    def code(self) -> str:
        """The graph as Python."""
        return self.graph.source()

    inlined_graph = property(lambda self: self.graph)

    @property
    def schema(self) -> str:
        """Name, arguments and result."""
        own = [] if self.graph.owner is None else [f"{self.graph.owner} self"]
        given = own + [f"{type_text(template)} {name}" for name, template in self.graph.arguments]
        return f"{self.name}({', '.join(given)}) -> {type_text(self.graph.result)}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        arguments = self.graph.arguments
        if kwargs or len(args) != len(arguments):
            names = [name for name, _ in arguments]
            args = tuple(arrange(self.name, names, {}, args, kwargs, self.owner is not None, self.schema))
        for position, ((name, template), value) in enumerate(zip(arguments, args)):
            if not fit(template, value):
                raise unfit(self.name, name, type_text(template), position + (self.owner is not None), value, self.schema)
        if self._function is None:
            self._function = self.graph.compile()
        try:
            return self._function(*args) if self.owner is None else self._function(self.owner, *args)
        except (RuntimeError, IndexError, TypeError, ValueError) as error:
            raise RuntimeError(
                "The following operation failed in the TorchScript interpreter.\nTraceback of TorchScript (most recent call last):\n"
                f"{self._place(error)}RuntimeError: {error}\n"
            )

    def _place(self, error: Any) -> str:
        """Where the call that failed was recorded: its line in the generated source is that of its node."""
        traceback, line = error.__traceback__, None
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename.startswith("<flambeau graph"):
                line = traceback.tb_lineno
            traceback = traceback.tb_next
        if line is None:
            return ""
        # The calls are the last lines before `return`.
        text = self.graph.source(annotated=False).splitlines()
        node = line - 1 - (len(text) - 1 - len(self.graph.calls))
        if not 0 <= node < len(self.graph.calls):
            return ""
        where = self.graph.calls[node].sourceRange()
        return (where or text[line - 1].strip()) + "\n"


@public("torch.jit")
class ScriptFunction:
    """A function that was traced or scripted."""

    def __init__(self, method: ScriptMethod) -> None:
        self._method = method
        self.name = self.__name__ = method.name
        self.qualified_name = f"__torch__.{method.name}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._method(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name in ("graph", "inlined_graph", "code", "schema"):
            return getattr(self._method, name)
        raise AttributeError(f"'torch.jit.ScriptFunction' object has no attribute '{name}'")

    def save(self, f: Any, _extra_files: Any = None) -> None:
        """Writes the function into an archive: see `torch.jit.save`."""
        from ._archive import save_function

        save_function(self, f, _extra_files)

    def save_to_buffer(self, _extra_files: Any = None) -> bytes:
        """The archive as bytes."""
        import io

        file = io.BytesIO()
        self.save(file, _extra_files)
        return file.getvalue()

    def __repr__(self) -> str:
        return f"<torch.jit.ScriptFunction object at {hex(id(self))}>"

    def __reduce_ex__(self, protocol: Any) -> Any:
        import pickle

        raise pickle.PickleError("ScriptFunction cannot be pickled")


@public("torch.jit._script")
class ScriptModule(Module):
    """The base of what `trace`, `script` and `load` make of modules: parameters, buffers and submodules as before, and methods."""

    original_name: str
    _methods: dict[str, ScriptMethod]

    def __init__(self) -> None:
        super().__init__()
        self.original_name = type(self).__name__
        self._methods = {}

    def __getattr__(self, name: str) -> Any:
        methods = self.__dict__.get("_methods")
        if methods and name in methods:
            return methods[name]
        try:
            return super().__getattr__(name)
        except AttributeError:
            raise AttributeError(f"'RecursiveScriptModule' object has no attribute '{name}'")

    def _method(self, name: str) -> ScriptMethod:
        try:
            return self._methods[name]
        except KeyError:
            raise NotImplementedError(
                f"flambeau does not run {name}() of a part of a traced module: call the traced module itself, or trace this part on its own"
            )

    @property
    def forward(self) -> Any:
        """The method that calling the module runs."""
        return self._method("forward")

    @property
    def graph(self) -> Any:
        """The graph of forward."""
        return self.forward.graph

    inlined_graph = graph

    @property
    def code(self) -> str:
        """forward as Python."""
        return self.forward.code

    def extra_repr(self) -> str:
        return f"original_name={self.original_name}"

    def get_debug_state(self, *args: Any, **kwargs: Any) -> Any:
        """Not supported: raises NotImplementedError."""
        raise NotImplementedError("flambeau does not support ScriptModule.get_debug_state")

    def save(self, f: Any, _extra_files: Any = None) -> None:
        """Writes the module into an archive: see `torch.jit.save`."""
        from ._archive import save_module

        save_module(self, f, _extra_files)

    def save_to_buffer(self, _extra_files: Any = None) -> bytes:
        """The archive as bytes."""
        import io

        file = io.BytesIO()
        self.save(file, _extra_files)
        return file.getvalue()

    def copy(self) -> Any:
        """A module of its own with copies of parameters and buffers."""
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: Any) -> Any:
        import copy

        made = type(self).__new__(type(self))
        memo[id(self)] = made
        state = {name: value for name, value in self.__dict__.items() if name != "_methods" and not isinstance(value, ScriptMethod)}
        made.__dict__.update(copy.deepcopy(state, memo))
        made.__dict__["_methods"] = {name: copy.copy(method) for name, method in self._methods.items()}
        for name, method in made._methods.items():
            if getattr(method, "owner", None) is not None:
                method.owner = made  # type: ignore[attr-defined]
            if name in self.__dict__:
                made.__dict__[name] = method
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise RuntimeError(f"Tried to serialize object __torch__.{self.original_name} which does not have a __getstate__ method defined!")


@public("torch.jit._script")
class RecursiveScriptModule(ScriptModule):
    """A module that was scripted or loaded."""

    def _get_name(self) -> str:
        return "RecursiveScriptModule"


@public("torch.jit._trace")
class TracedModule(ScriptModule):
    """A module inside a traced one."""

    def _get_name(self) -> str:
        return self.original_name


@public("torch.jit._trace")
class TopLevelTracedModule(TracedModule):
    """A traced module."""


def mirror(module: Module, cls: Any) -> ScriptModule:
    """A scripted module with the same parameters and buffers, and its submodules likewise."""
    made: Any = cls.__new__(cls)
    Module.__init__(made)  # not that of the class, which may be a subclass of the module's own
    made.__dict__["_methods"] = {}
    made.original_name = module.original_name if isinstance(module, ScriptModule) else type(module).__name__
    made.training = module.training
    made._parameters.update(module._parameters)
    made._buffers.update(module._buffers)
    made._non_persistent_buffers_set |= module._non_persistent_buffers_set
    inner = TracedModule if issubclass(cls, TracedModule) else RecursiveScriptModule
    for name, child in module._modules.items():
        made._modules[name] = None if child is None else mirror(child, inner)
    return made
