"""`torch.jit.save` and `torch.jit.load`: flambeau's own archive of traced functions and modules. docs/jit.md describes it.

It holds graphs as JSON and tensors as `torch.save` writes them; loading runs no code of the file.
"""

from __future__ import annotations

import ast
import io
import json
import os
import types
from typing import Any

from ..tensor import Tensor
from ._graph import Graph, Node, Value, pack, unpack
from ._modules import Method, RecursiveScriptModule, ScriptFunction, ScriptMethod, ScriptModule

FORMAT = "flambeau.jit"
VERSION = 1
_CORRUPT = (
    " This is an internal miniz error. If you are seeing this error, there is a high likelihood that your checkpoint file is corrupted. "
    "This can happen if the checkpoint was not saved properly, was transferred incorrectly, or the file was modified after saving."
)


# --- writing -------------------------------------------------------------------------------------------------------


def _packed_graph(graph: Graph, tensors: _Tensors) -> dict[str, Any]:
    return {
        "name": graph.name,
        "owner": graph.owner,
        "values": [[value.kind, value.name, value.described] for value in graph.values],
        "arguments": [[name, pack(template)] for name, template in graph.arguments],
        "calls": [
            {
                "function": node.function,
                "args": pack(list(node.args)),
                "kwargs": pack(node.kwargs),
                "result": pack(node.result),
                "scope": node.scope,
                "stack": list(node.stack),
            }
            for node in graph.calls
        ],
        "result": pack(graph.result),
        "constants": [tensors.add(constant) for constant in graph.constants],
    }


class _Tensors:
    """The tensors of an archive, each once."""

    def __init__(self) -> None:
        self.list: list[Tensor] = []
        self.numbers: dict[int, int] = {}

    def add(self, tensor: Tensor) -> int:
        """The number of a tensor."""
        if id(tensor) not in self.numbers:
            self.numbers[id(tensor)] = len(self.list)
            self.list.append(tensor)
        return self.numbers[id(tensor)]


def _packed_module(module: Any, tensors: _Tensors) -> dict[str, Any]:
    buffers = module._buffers.items()
    return {
        "name": module.original_name,
        "training": module.training,
        "parameters": {n: None if p is None else [tensors.add(p), p.requires_grad] for n, p in module._parameters.items()},
        "buffers": {n: None if b is None else [tensors.add(b), n not in module._non_persistent_buffers_set] for n, b in buffers},
        "modules": {n: None if m is None else _packed_module(m, tensors) for n, m in module._modules.items()},
    }


def _packed_script(module: Any, functions: dict[str, Any], packed: dict[str, Any]) -> None:
    """Adds what a scripted module is made of: one of flambeau's own by its class, another by the source of its methods."""
    from . import _source

    cls = module.__dict__.get("_made_from")
    state = {
        n: v
        for n, v in module.__dict__.items()
        if n not in _INSIDE and n != "training" and not isinstance(v, (types.MethodType, ScriptMethod))
    }
    if cls is not None and cls.__module__.startswith("torch.nn."):
        packed["class"] = [cls.__module__, cls.__qualname__]
        packed["attributes"] = {n: _packed_attribute(module, n, v) for n, v in state.items() if n not in _FLAT}
    else:
        packed["methods"], helpers, wanted = {}, {}, set()
        for name, method in module._methods.items():
            packed["methods"][name] = _source.pack_method(method, functions)
            wanted |= _source.of_self(ast.parse(packed["methods"][name]["source"]))
        todo = set(wanted)
        while todo:
            name = todo.pop()
            helper = None if cls is None else getattr(cls, name, None)
            known = module.__dict__.get("_helpers", {}).get(name)
            if (known or isinstance(helper, types.FunctionType)) and name not in helpers and name not in module._methods:
                helpers[name] = known or _source.pack_function(helper, functions)
                found = _source.of_self(ast.parse(helpers[name]["source"])) - wanted
                wanted |= found
                todo |= found
        packed["helpers"] = helpers
        packed["attributes"] = {n: _packed_attribute(module, n, v) for n, v in state.items() if n in wanted}
    for name, child in module._modules.items():
        if child is not None:
            _packed_script(child, functions, packed["modules"][name])


_FLAT = ("_flat_weights", "_flat_weight_refs")
"""The lists of their parameters that recurrent modules keep."""
_INSIDE = frozenset(vars(ScriptModule())) - {"training"} | {"_made_from", "_helpers"}


def _packed_attribute(module: Any, name: str, value: Any) -> Any:
    from ._graph import name_of
    from ._source import plain

    if plain(value):
        return {"value": pack(value)}
    public = name_of(value) if callable(value) and hasattr(value, "__name__") else None
    if public is None:
        raise RuntimeError(f"flambeau cannot save the attribute {name!r} of {module.original_name}: it is a {type(value).__name__}")
    return {"function": public}


def _graphs(methods: dict[str, Any], tensors: _Tensors) -> dict[str, Any]:
    return {name: _packed_graph(method.graph, tensors) for name, method in methods.items()}


def _write(f: Any, content: dict[str, Any], tensors: _Tensors, extra_files: Any) -> None:
    import zipfile

    from ..serialization import save as save_tensors

    payload = io.BytesIO()
    save_tensors([tensor.detach() for tensor in tensors.list], payload)
    with zipfile.ZipFile(f, "w") as file:
        file.writestr("flambeau_jit.json", json.dumps({"format": FORMAT, "version": VERSION, **content}))
        file.writestr("tensors.pt", payload.getvalue())
        for name, text in (extra_files or {}).items():
            file.writestr(f"extra/{name}", text)


def save_module(module: Any, f: Any, extra_files: Any = None) -> None:
    """Writes a traced or scripted module."""
    tensors = _Tensors()
    if not module._methods:
        raise RuntimeError("flambeau records one graph for a whole traced module: save that module, not a part of it")
    packed = _packed_module(module, tensors)
    if all(isinstance(method, Method) for method in module._methods.values()):
        content = {"kind": "module", "module": packed, "graphs": _graphs(module._methods, tensors)}
    else:
        functions: dict[str, Any] = {}
        _packed_script(module, functions, packed)
        content = {"kind": "script module", "module": packed, "functions": functions}
        _unpacked_script(json.loads(json.dumps(content)), tensors.list)  # what could not be read is refused now
    _write(f, content, tensors, extra_files)


def save_function(function: ScriptFunction, f: Any, extra_files: Any = None) -> None:
    """Writes a traced or scripted function."""
    from ._source import pack_method

    tensors = _Tensors()
    method: Any = function._method
    if isinstance(method, Method):
        content = {"kind": "function", "graphs": _graphs({function.name: method}, tensors)}
    else:
        functions: dict[str, Any] = {}
        content = {"kind": "script function", "function": pack_method(method, functions), "functions": functions}
        _unpacked_script(json.loads(json.dumps(content)), [])  # what could not be read is refused now
    _write(f, content, tensors, extra_files)


def save(m: Any, f: Any, _extra_files: Any = None) -> None:
    """Writes a traced or scripted function or module to a path or a binary file, in flambeau's own format.

    `_extra_files`: texts by name. Raises AttributeError for anything else, RuntimeError for scripted code that uses what a file
    cannot hold, such as functions marked with `ignore`.
    """
    m.save(f, _extra_files=_extra_files)


# --- reading -------------------------------------------------------------------------------------------------------


def _unpacked_graph(packed: dict[str, Any], tensors: list[Tensor]) -> Graph:
    graph = Graph(packed["name"], packed["owner"])
    graph.values = [Value(i, kind, name, text) for i, (kind, name, text) in enumerate(packed["values"])]
    graph.arguments = [(name, unpack(template)) for name, template in packed["arguments"]]
    graph.constants = [tensors[number] for number in packed["constants"]]
    for call in packed["calls"]:
        stack = tuple(call["stack"])
        node = Node(graph, call["function"], unpack(call["args"]), unpack(call["kwargs"]), call["scope"], stack)
        node.result = unpack(call["result"])
        for value in node.outputs():
            value.producer = node
        graph.calls.append(node)
    graph.result = unpack(packed["result"])
    return graph


def _unpacked_module(packed: dict[str, Any], tensors: list[Tensor], parameters: dict[int, Any]) -> RecursiveScriptModule:
    from ..nn.parameter import Parameter

    module = RecursiveScriptModule()
    module.original_name = packed["name"]
    module.training = packed["training"]
    for name, entry in packed["parameters"].items():
        if entry is None:
            module._parameters[name] = None
        else:
            number, requires_grad = entry
            if number not in parameters:
                parameters[number] = Parameter(tensors[number], requires_grad)
            module._parameters[name] = parameters[number]
    for name, entry in packed["buffers"].items():
        module._buffers[name] = None if entry is None else tensors[entry[0]]
        if entry is not None and not entry[1]:
            module._non_persistent_buffers_set.add(name)
    for name, entry in packed["modules"].items():
        module._modules[name] = None if entry is None else _unpacked_module(entry, tensors, parameters)
    return module


def _open(f: Any) -> Any:
    import zipfile

    if isinstance(f, (str, os.PathLike)):
        if not os.path.exists(f):
            raise ValueError(f"The provided filename {f} does not exist")
        if os.path.isdir(f):
            raise ValueError(f"The provided filename {f} is a directory")
    try:
        return zipfile.ZipFile(f)
    except zipfile.BadZipFile:
        raise RuntimeError(f"PytorchStreamReader failed reading zip archive: not a ZIP archive.{_CORRUPT}")


def load(f: Any, map_location: Any = None, _extra_files: Any = None, _restore_shapes: bool = False) -> Any:
    """Reads what `torch.jit.save` wrote: a ScriptFunction, or a module with the same parameters, buffers, submodules and methods.

    Raises ValueError where there is no such file, RuntimeError for a file that flambeau's `torch.jit.save` did not write: one by
    PyTorch's `torch.jit.save` holds TorchScript, which flambeau does not run; for one by `torch.save` there is `torch.load`.
    """
    from ..serialization import load as load_tensors

    with _open(f) as file:
        names = file.namelist()
        if "flambeau_jit.json" not in names:
            raise _not_ours(names)
        content = json.loads(file.read("flambeau_jit.json"))
        if content.get("format") != FORMAT or content.get("version") != VERSION:
            raise RuntimeError(
                f"torch.jit.load: this file has the format {content.get('format')!r}, version {content.get('version')!r}; this flambeau "
                f"reads {FORMAT!r}, version {VERSION}"
            )
        tensors = load_tensors(io.BytesIO(file.read("tensors.pt")), map_location=map_location, weights_only=True)
        for name in _extra_files or ():
            if f"extra/{name}" in names:
                _extra_files[name] = file.read(f"extra/{name}")
    if content["kind"].startswith("script"):
        return _unpacked_script(content, tensors)
    graphs = {name: _unpacked_graph(packed, tensors) for name, packed in content["graphs"].items()}
    for graph in graphs.values():
        graph.compile()  # a graph that calls what it must not is refused here
    if content["kind"] == "function":
        return ScriptFunction(Method(next(iter(graphs.values()))))
    module: ScriptModule = _unpacked_module(content["module"], tensors, {})
    for name, graph in graphs.items():
        module._methods[name] = Method(graph, module)
    return module


def _unpacked_script(content: dict[str, Any], tensors: list[Tensor]) -> Any:
    """A scripted function or module out of an archive."""
    from . import _source

    functions = content["functions"]
    made: dict[str, Any] = {}
    if content["kind"] == "script function":
        packed = content["function"]
        return ScriptFunction(_source.LoadedMethod(packed, functions, _source.build(packed, functions, made, set())))
    known: set[str] = set()

    def collect(packed: dict[str, Any]) -> None:
        for field in ("parameters", "buffers", "modules", "attributes", "methods", "helpers"):
            known.update(packed.get(field, ()))
        for child in packed["modules"].values():
            if child is not None:
                collect(child)

    collect(content["module"])
    module = _unpacked_module(content["module"], tensors, {})
    return _with_script(module, content["module"], functions, made, known)


def _with_script(module: Any, packed: dict[str, Any], functions: dict[str, Any], made: dict[str, Any], known: set[str]) -> Any:
    """A module with the methods and attributes that an archive gives it."""
    from . import _source
    from ._graph import function_named
    from ._script import scripted_module

    for name, child in module._modules.items():
        if child is not None:
            module._modules[name] = _with_script(child, packed["modules"][name], functions, made, known)
    attributes = {}
    for name, entry in packed["attributes"].items():
        if name.startswith("__") or name in _INSIDE:
            raise RuntimeError(f"flambeau's archives cannot hold an attribute called {name!r}")
        attributes[name] = function_named(entry["function"]) if "function" in entry else unpack(entry["value"])
    if "class" in packed:
        own: Any = object.__new__(_source.own_class(*packed["class"]))
        own.__dict__.update({k: v for k, v in module.__dict__.items() if k not in ("original_name", "_methods")}, **attributes)
        if hasattr(own, "_init_flat_weights"):
            own._init_flat_weights()
        return scripted_module(own)
    module.__dict__.update(attributes)
    module.__dict__["_helpers"] = packed["helpers"]
    for name, entry in packed["helpers"].items():
        module.__dict__[name] = types.MethodType(_source.build(entry, functions, made, known), module)
    for name, entry in packed["methods"].items():
        module._methods[name] = _source.LoadedMethod(entry, functions, _source.build(entry, functions, made, known), module)
    return module


def _not_ours(names: list[str]) -> RuntimeError:
    inside = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inside or any(name.startswith("code/") for name in inside):
        return RuntimeError(
            "torch.jit.load received a TorchScript archive, written by PyTorch's torch.jit.save. flambeau does not run TorchScript: in "
            "PyTorch, load it with torch.jit.load and save its state_dict() with torch.save instead."
        )
    if "data.pkl" in inside:
        return RuntimeError(
            f"PytorchStreamReader failed locating file constants.pkl: file not found.{_CORRUPT} (It was written by torch.save: read it "
            "with torch.load.)"
        )
    return RuntimeError("torch.jit.load: this ZIP archive was not written by torch.jit.save")
