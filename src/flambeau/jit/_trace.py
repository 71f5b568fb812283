"""`torch.jit.trace`: runs a function once, records the operators it calls, and makes a function that calls them again."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from typing import Any

from ..core.naming import public
from ..nn.modules.module import Module
from ..overrides import TorchFunctionMode
from ..tensor import Tensor
from ._graph import PLAIN, Graph, Node, Ref, annotation, name_of, refs
from ._modules import Method, ScriptFunction, ScriptModule, TopLevelTracedModule, mirror, qualified_name
from ._watch import TracerWarning as TracerWarning
from ._watch import warn, watching

_ARITHMETIC = frozenset(
    "add sub rsub mul div true_divide floor_divide remainder fmod pow neg abs eq ne lt le gt ge minimum maximum to type_as float int long "
    "where sqrt rsqrt floor ceil round logical_and logical_or logical_not".split()
)
"""Functions to which a size is a tensor like any other; to the rest it is an int."""

_CONSTANT = frozenset(("tensor", "as_tensor", "from_numpy", "scalar_tensor", "asarray"))
_CONSTANT_RESULT = (
    "torch.{} results are registered as constants in the trace. You can safely ignore this warning if you use this function to create "
    "tensors out of constant variables that would be the same every time you call this function. In any other case, this might cause the "
    "trace to be incorrect."
)
_STRUCTURE = (
    "Encountering a {} at the output of the tracer might cause the trace to be incorrect, this is only valid if the container structure "
    "does not change based on the module's inputs. Consider using a constant container instead (e.g. for `list`, use a `tuple` instead. "
    "for `dict`, use a `NamedTuple` instead). If you absolutely need this and know the side effects, pass strict=False to trace() to allow "
    "this behavior."
)


class _Local(threading.local):
    tracing = 0


_local = _Local()


def is_tracing() -> bool:
    """Whether this code runs to be traced."""
    return _local.tracing > 0


@public("torch.jit._trace")
class TracingCheckError(Exception):
    """A second trace differs from the first."""

    def __init__(self, graph_diff_error: str | None, tensor_compare_error: str | None, extra_msg: str | None = None) -> None:
        self.message = "Tracing failed sanity checks!\n"
        if extra_msg is not None:
            self.message += extra_msg + "\n"
        if graph_diff_error is not None:
            self.message += "ERROR: Graphs differed across invocations!\n" + _indent(graph_diff_error) + "\n"
        if tensor_compare_error is not None:
            self.message += "ERROR: Tensor-valued Constant nodes differed in value across invocations.\n"
            self.message += _indent(tensor_compare_error) + "\n"
        super().__init__(self.message)


def _indent(text: str) -> str:
    return "\n".join("\t" + line for line in text.splitlines())


class _Tracer(TorchFunctionMode):
    """The mode that records: it sees the calls that the traced function makes, not those which these make in turn."""

    is_tracer = True

    def __init__(self, graph: Graph, module: Any) -> None:
        self.graph = graph
        self.known: dict[int, Ref] = {}
        self.kept: list[Any] = []  # what `known` names by id must not go away
        self.sizes: set[int] = set()
        self.paths: dict[int, str] = {}
        self.modules: dict[int, str] = {}
        if module is not None:
            for path, tensor in (*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)):
                self.paths.setdefault(id(tensor), path)
            for path, child in module.named_modules(remove_duplicate=False):
                self.modules.setdefault(id(child), path)

    # --- tensors -------------------------------------------------------------------------------------------------------

    def learn(self, tensor: Tensor, ref: Ref) -> Ref:
        """From now on this object stands for that value."""
        self.known[id(tensor)] = ref
        self.kept.append(tensor)
        return ref

    def add_input(self, value: Any, name: str) -> tuple[Any, Any]:
        """The value to call the function with, and its template. Raises RuntimeError for what is not made of tensors."""
        if isinstance(value, Tensor):
            if id(value) in self.known:  # the same tensor given twice
                value = value.view_as(value)
            return value, self.learn(value, self.graph.add_value("input", name, value))
        if isinstance(value, (list, tuple)):
            pairs = [self.add_input(v, f"{name}_{i}") for i, v in enumerate(value)]
            given, templates = [p[0] for p in pairs], [p[1] for p in pairs]
            if isinstance(value, list):
                return given, templates
            return (type(value)(*given) if hasattr(value, "_fields") else tuple(given)), tuple(templates)
        found = {key: self.add_input(v, f"{name}_{key}") for key, v in value.items()}
        return {key: pair[0] for key, pair in found.items()}, {key: pair[1] for key, pair in found.items()}

    def ref(self, tensor: Tensor) -> Ref:
        """The value that a tensor stands for; a parameter, a buffer or a constant if nothing has made it."""
        found = self.known.get(id(tensor))
        if found is not None:
            return found
        path = self.paths.get(id(tensor))
        if path is not None:
            return self.learn(tensor, self.graph.add_value("attribute", path, tensor))
        if tensor.requires_grad:
            raise RuntimeError(
                "Cannot insert a Tensor that requires grad as a constant. Consider making it a parameter or input, or detaching the "
                f"gradient\nTensor:\n{tensor}"
            )
        number = len(self.graph.constants)
        self.graph.constants.append(tensor.detach().clone())
        return self.learn(tensor, self.graph.add_value("constant", f"CONSTANTS.c{number}", tensor))

    def template(self, value: Any, integers: bool) -> Any:
        """What a node keeps of an argument. `integers`: sizes are handed over as ints."""
        if isinstance(value, Tensor):
            ref = self.ref(value)
            return Ref(ref.number, True) if integers and ref.number in self.sizes else ref
        if value is None or value is Ellipsis or isinstance(value, PLAIN):
            return value
        if isinstance(value, list):
            return [self.template(v, integers) for v in value]
        if isinstance(value, tuple):
            return tuple([self.template(v, integers) for v in value])
        if isinstance(value, dict):
            return {k: self.template(v, integers) for k, v in value.items()}
        if isinstance(value, slice):
            return slice(*(self.template(v, integers) for v in (value.start, value.stop, value.step)))
        if hasattr(value, "item") and getattr(value, "shape", None) == ():
            return value.item()
        if isinstance(value, range):
            return list(value)
        if hasattr(value, "__array_interface__"):
            return value.tolist()
        raise RuntimeError(f"flambeau's tracer cannot record an argument of type {type(value).__name__}")

    def as_given(self, value: Any) -> Any:
        """An argument with sizes as ints, for the call itself."""
        if isinstance(value, Tensor):
            ref = self.known.get(id(value))
            return value._array.item() if ref is not None and ref.number in self.sizes else value
        if isinstance(value, (list, tuple)):
            items = [self.as_given(v) for v in value]
            return items if isinstance(value, list) else tuple(items)
        if isinstance(value, slice):
            return slice(*(self.as_given(v) for v in (value.start, value.stop, value.step)))
        return value

    # --- calls -----------------------------------------------------------------------------------------------------------

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.__name__
        if name in _CONSTANT:
            if not (name in ("as_tensor", "asarray") and isinstance(args[0], Tensor)):
                warn(_CONSTANT_RESULT.format(name), 4)
                return func(*args, **kwargs)
        public_name = name_of(func)
        if public_name is None:
            raise RuntimeError(f"flambeau's tracer cannot record a call of {func!r}")
        integers = name not in _ARITHMETIC
        templates = [self.template(a, integers) for a in args], {k: self.template(v, integers) for k, v in kwargs.items()}
        if integers and self.sizes:
            args, kwargs = [self.as_given(a) for a in args], {k: self.as_given(v) for k, v in kwargs.items()}
        result = func(*args, **kwargs)
        positional, named = templates
        named = {k: v for k, v in named.items() if v is not None and not (k == "requires_grad" and v is False)}
        self.record(public_name, positional, named, result)
        if name in _ARITHMETIC and isinstance(result, Tensor) and result._array.dtype.kind == "i":
            given = list(refs(templates))
            if given and all(ref.number in self.sizes for ref in given):
                self.sizes.add(self.known[id(result)].number)
        return result

    def record(self, public_name: str, args: Any, kwargs: Any, result: Any) -> None:
        """Adds a node for a call, unless neither a tensor came out nor one was changed."""
        stack, scope = _where(self.modules)
        node = Node(self.graph, public_name, args, kwargs, scope, stack)
        node.result = self.outputs(result, node)
        if node.result is None and not public_name.endswith(("_", "__setitem__")):
            return
        self.graph.calls.append(node)

    def outputs(self, result: Any, node: Node) -> Any:
        """The template of a result; None where there is no tensor in it."""
        if isinstance(result, Tensor):
            return self.learn(result, self.graph.add_value("node", "", result, node))
        if isinstance(result, (list, tuple)):
            found = [self.outputs(r, node) for r in result]
            return None if all(f is None for f in found) else tuple(found)
        return None

    def size(self, tensor: Tensor, dim: int) -> Tensor:
        """The size of a dimension as a tensor."""
        from ..core.layout import normalize_dim

        number = tensor._array.shape[normalize_dim(dim, tensor._array.ndim)]
        return self._number("torch.Tensor.size", (self.ref(tensor), dim), number)

    def numel(self, tensor: Tensor) -> Tensor:
        """The number of elements as a tensor."""
        return self._number("torch.Tensor.numel", (self.ref(tensor),), tensor._array.size)

    def _number(self, name: str, args: Any, number: int) -> Tensor:
        import numpy as np

        from ..tensor import wrap

        result = wrap(np.asarray(number, np.int64))
        self.record(name, list(args), {}, result)
        self.sizes.add(self.known[id(result)].number)
        return result


def _where(modules: dict[int, str]) -> tuple[tuple[str, ...], str]:
    """The frames that led to a call, innermost first, and the innermost traced module among them."""
    import sys

    frame: Any = sys._getframe(3)
    lines: list[str] = []
    scope = ""
    while frame is not None and frame.f_code is not _run.__code__:
        code = frame.f_code
        owner = frame.f_locals.get("self")
        if not scope and isinstance(owner, Module) and id(owner) in modules:
            path = modules[id(owner)]
            scope = "__module" + "".join(f".{part}" for part in path.split(".") if path)
        file = code.co_filename
        if not file.startswith("<flambeau") and "/flambeau/ops/" not in file and "/flambeau/jit/" not in file:
            lines.append(f"{file}({frame.f_lineno}): {code.co_name}")
        frame = frame.f_back
    return tuple(lines), "" if scope == "__module" else scope


def _run(func: Callable[..., Any], args: Any, kwargs: Any, tracer: _Tracer) -> Any:
    """Calls the function to be traced."""
    _local.tracing += 1
    try:
        with watching(), tracer:
            return func(*args, **kwargs)
    finally:
        _local.tracing -= 1


# --- tracing ----------------------------------------------------------------------------------------------------------


def _traceable(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_traceable, value))
    if isinstance(value, dict):
        return all(map(_traceable, value.values()))
    return isinstance(value, Tensor)


def _names(func: Any, count: int) -> list[str]:
    """Names for positional arguments: those of the parameters, numbered for `*args`."""
    import inspect

    try:
        parameters = list(inspect.signature(func).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names: list[str] = []
    for parameter in parameters:
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            names.append(parameter.name)
        elif parameter.kind is parameter.VAR_POSITIONAL:
            names += [f"{parameter.name}_{i}" for i in range(count - len(names))]
    names += [f"argument_{i + 1}" for i in range(len(names), count)]
    return names[:count]


def record_graph(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], strict: bool, name: str, module: Any = None) -> Graph:
    """Runs `func` and gives the graph of what it did; `module` is what its parameters and buffers belong to.

    Raises RuntimeError for inputs or results that are not made of tensors.
    """
    if not _traceable(args) or not _traceable(kwargs):
        given = (*args, *kwargs.values())
        raise RuntimeError(
            f"Type '{annotation(given)}' cannot be traced. Only Tensors and (possibly nested) Lists, Dicts, and Tuples of Tensors can be "
            "traced"
        )
    graph = Graph(name, None if module is None else qualified_name(module))
    tracer = _Tracer(graph, module)
    target = func.forward if isinstance(func, Module) else func
    positional: list[Any] = []
    for argument, value in zip(_names(target, len(args)), args):
        value, template = tracer.add_input(value, argument)
        positional.append(value)
        graph.arguments.append((argument, template))
    named = {}
    for argument, value in kwargs.items():
        named[argument], template = tracer.add_input(value, argument)
        graph.arguments.append((argument, template))
    result = _run(func, positional, named, tracer)
    _check_result(result, strict)
    graph.result = tracer.template(result, False)
    graph.drop_unused(_ARITHMETIC | {"size", "numel"})
    return graph


def _check_result(result: Any, strict: bool) -> None:
    if result is None:
        raise RuntimeError("The traced function didn't return any values! Side-effects are not captured in traces, so it would be a no-op.")
    if not _traceable(result):
        raise RuntimeError("Only tensors, lists, tuples of tensors, or dictionary of tensors can be output from traced functions")
    if strict and isinstance(result, dict):
        raise RuntimeError(_STRUCTURE.format("dict"))
    if strict and isinstance(result, list):
        warn(_STRUCTURE.format("list"), 4)


def _clone(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, dict):
        return {key: _clone(v) for key, v in value.items()}
    items = [_clone(v) for v in value]
    if isinstance(value, list):
        return items
    return type(value)(*items) if hasattr(value, "_fields") else tuple(items)


def _flatten(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    return [t for v in (value.values() if isinstance(value, dict) else value) for t in _flatten(v)]


def _deprecated(name: str) -> None:
    text = f"`torch.jit.{name}` is deprecated. Please switch to `torch.compile` or `torch.export`."
    warnings.warn(text, DeprecationWarning, stacklevel=1)  # at this file, so that it shows only where such warnings are asked for


def _check(func: Any, traced: Any, graph: Graph, inputs: Any, kwargs: Any, strict: bool, tolerance: float, module: Any) -> None:
    """Traces again and compares the graphs, runs both and compares the results."""
    _deprecated("trace" if module is None else "trace_method")
    again = record_graph(func, _clone(inputs), _clone(kwargs), strict, graph.name, module)
    first, second = graph.source(), again.source()
    if first != second:
        import difflib

        difference = "\n".join(line.rstrip() for line in difflib.ndiff(first.splitlines(), second.splitlines()))
        error = "Graph diff:\n" + _indent(difference) + "\n"
        for a, b in zip(graph.calls, again.calls):
            if graph.line(a) != again.line(b):
                lines = "\n".join(line.rstrip() for line in difflib.ndiff([graph.line(a)], [again.line(b)]))
                error += "First diverging operator:\nNode diff:\n" + _indent(lines) + "\n"
                if a.stack and b.stack:
                    error += "Trace source location:\n" + _indent(a.sourceRange()) + "\nCheck source location:\n"
                    error += _indent(b.sourceRange()) + "\n"
                break
        raise TracingCheckError(error, None)
    found, expected, repeated = (_flatten(run(*_clone(inputs), **_clone(kwargs))) for run in (traced, func, traced))
    if _differ(graph, found, expected, tolerance, "Python function"):
        _differ(graph, found, repeated, tolerance, "repeated trace")


def _differ(graph: Graph, found: list[Tensor], expected: list[Tensor], tolerance: float, what: str) -> bool:
    from ..testing import assert_close

    for i, (a, b) in enumerate(zip(found, expected)):
        try:
            assert_close(a.detach(), b.detach(), rtol=tolerance, atol=tolerance, equal_nan=True)
        except AssertionError as error:
            random = [graph.line(node) for node in graph.calls if node.is_random()]
            if random:
                text = "Trace had nondeterministic nodes. Did you forget call .eval() on your model? Nodes:\n"
                text += "\n".join(_indent(line) for line in random[:20])
                text += "\nThis may cause errors in trace checking. To disable trace checking, pass check_trace=False to torch.jit.trace()"
                warn(text, 5)
            text = f"Output nr {i + 1}. of the traced function does not match the corresponding output of the {what}. Detailed error:\n"
            warn(text + str(error), 5)
            return False
    return True


def trace(
    func: Any,
    example_inputs: Any = None,
    optimize: Any = None,
    check_trace: bool = True,
    check_inputs: Any = None,
    check_tolerance: float = 1e-5,
    strict: bool = True,
    _force_outplace: bool = False,
    _module_class: Any = None,
    _compilation_unit: Any = None,
    example_kwarg_inputs: Any = None,
    _store_inputs: bool = True,
) -> Any:
    """Runs `func`, a function or a module, with the example inputs, and returns a function or module that does the same again.

    Only operators are recorded: the way that control flow took becomes the only one, and Python values read out of tensors become
    constants; of both a TracerWarning warns. Sizes read through `.shape` and `.size()` are recorded, so that other batch sizes work.
    With `check_trace` the function is traced again and the results are compared, also on each of `check_inputs`: TracingCheckError
    where the graphs differ, a TracerWarning where the results do.
    """
    _deprecated("trace")
    if isinstance(func, ScriptModule):
        warnings.warn("The input to trace is already a ScriptModule, tracing it is a no-op. Returning the object as is.", stacklevel=2)
        return func
    method = getattr(func, "__self__", None)
    module = func if isinstance(func, Module) else method if isinstance(method, Module) and func.__name__ == "forward" else None
    if example_inputs is None and (module is not None or example_kwarg_inputs is not None):
        if not isinstance(example_kwarg_inputs, dict):
            raise RuntimeError("example_kwarg_inputs should be a dict")
        inputs, kwargs = (), example_kwarg_inputs
    else:
        inputs, kwargs = (example_inputs,) if isinstance(example_inputs, (Tensor, dict)) else tuple(example_inputs), {}
    if module is not None:
        return _traced_module(module, {"forward": (inputs, kwargs)}, check_trace, check_inputs, check_tolerance, strict)
    if not callable(func) or not hasattr(func, "__name__"):
        raise RuntimeError("Could not get name of python class object")
    name = func.__name__ if func.__name__.isidentifier() else "_lambda"
    graph = record_graph(func, inputs, kwargs, strict, name)
    traced = ScriptFunction(Method(graph))
    if check_trace:
        for given in [inputs] if check_inputs is None else map(_as_tuple, check_inputs):
            _check(func, traced, graph, given, kwargs, strict, check_tolerance, None)
    return traced


def _as_tuple(inputs: Any) -> tuple[Any, ...]:
    return (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)


def _traced_module(
    module: Module, methods: dict[str, Any], check_trace: bool, check_inputs: Any, tolerance: float, strict: bool
) -> TopLevelTracedModule:
    _deprecated("trace_method")
    traced: Any = mirror(module, TopLevelTracedModule)
    for name, (inputs, kwargs) in methods.items():
        func = module if name == "forward" else getattr(module, name)
        graph = record_graph(func, inputs, kwargs, strict, name, module)
        traced._methods[name] = Method(graph, traced)
        if check_trace:
            others = [inputs] if check_inputs is None else [_as_tuple(c[name] if isinstance(c, dict) else c) for c in check_inputs]
            for given in others:
                _check(func, getattr(traced, name), graph, given, kwargs, strict, tolerance, module)
    return traced


def trace_module(
    mod: Module,
    inputs: dict[str, Any],
    optimize: Any = None,
    check_trace: bool = True,
    check_inputs: Any = None,
    check_tolerance: float = 1e-5,
    strict: bool = True,
    _force_outplace: bool = False,
    _module_class: Any = None,
    _compilation_unit: Any = None,
    example_inputs_is_kwarg: bool = False,
    _store_inputs: bool = True,
) -> Any:
    """Traces several methods of a module: `inputs` has the example inputs of each. Raises AttributeError where `mod` is no module."""
    if not isinstance(mod, Module):
        raise AttributeError("expected torch.nn.Module as the first argument")
    if not isinstance(inputs, dict):
        raise AttributeError("expected a dictionary of (method_name, input) pairs")
    methods = {name: ((), given) if example_inputs_is_kwarg else (_as_tuple(given), {}) for name, given in inputs.items()}
    return _traced_module(mod, methods, check_trace, check_inputs, check_tolerance, strict)
