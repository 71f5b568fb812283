"""The graph that tracing records, and the Python function that runs it again.

A node is one call of a public function: its name, its arguments as a template, and the numbers of the tensors that came out.
A template holds a `Ref` wherever a tensor stood; everything else stands for itself. `Graph.source()` writes the nodes as Python;
that text is what `.code` shows, and what runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from ..core import device as devices
from ..core import layout as layouts
from ..core.dtype import SCALAR_NAMES, dtype
from ..ops.definition import NAMES, OPERATORS
from ..overrides import resolve_name
from ..tensor import Tensor

_SPACES = {"torch.nn.functional": "F", "torch.linalg": "linalg", "torch.fft": "fft", "torch.special": "special", "torch": "torch"}
_REFUSED = frozenset(("torch.from_file", "torch.Tensor.apply_", "torch.Tensor.map_", "torch.Tensor.map2_"))
RANDOM = frozenset(
    "rand randn randint randperm rand_like randn_like randint_like normal normal_ uniform_ bernoulli bernoulli_ multinomial poisson "
    "exponential_ geometric_ cauchy_ log_normal_ random_".split()
)
DROPOUTS = frozenset("dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout feature_dropout rrelu".split())


def name_of(function: Any) -> str | None:
    """The public name of a function that graphs call; None for others."""
    name = function.__name__
    for path in ("torch", "torch.nn.functional", "torch.linalg", "torch.fft", "torch.special"):
        if NAMES[_SPACES[path]].get(name) is function:
            return f"{path}.{name}"
    if vars(Tensor).get(name) is function or (function.__qualname__ == f"Tensor.{name}" and name in vars(Tensor)):
        return f"torch.Tensor.{name}"
    if name in OPERATORS and OPERATORS[name].function is function:
        return f"torch.ops.aten.{name}"
    return resolve_name(function)


def function_named(name: str) -> Any:
    """The function that a graph calls by its public name. Raises RuntimeError for one that graphs do not call."""
    where, _, last = name.rpartition(".")
    if name not in _REFUSED:
        if where == "torch.Tensor" and (not last.startswith("_") or last in ("__getitem__", "__setitem__")):
            found = vars(Tensor).get(last)
            if callable(found):
                return found
        elif where in _SPACES and not last.startswith("__"):
            try:
                return NAMES[_SPACES[where]][last]
            except KeyError:
                pass
        elif where == "torch.ops.aten" and last in OPERATORS:
            return OPERATORS[last].function
    raise RuntimeError(f"a graph cannot call {name!r}")


class Ref:
    """A tensor's place in a template; `integer`: it is handed over as an int."""

    __slots__ = ("integer", "number")

    def __init__(self, number: int, integer: bool = False) -> None:
        self.number = number
        self.integer = integer


class Value:
    """A tensor in a graph: `kind` is "input", "attribute", "constant" or "node"."""

    def __init__(self, number: int, kind: str, name: str, described: str, producer: Node | None = None) -> None:
        self.number = number
        self.kind = kind
        self.name = name
        self.described = described
        self.producer = producer

    def debugName(self) -> str:
        """The name in the printed graph."""
        return self.name if self.kind == "input" else str(self.number)

    def type(self) -> str:
        """dtype, shape and strides that it had when it was recorded, as text."""
        return self.described

    def node(self) -> Node | None:
        """The node that it comes out of; None for what goes into the graph."""
        return self.producer

    def __repr__(self) -> str:
        return f"{self.debugName()} defined in (%{self.debugName()} : {self.described})"


class Node:
    """One call: the public name of the function, templates of arguments and result, and where the call stood."""

    def __init__(self, graph: Graph, function: str, args: Any, kwargs: Any, scope: str = "", stack: tuple[str, ...] = ()) -> None:
        self.graph = graph
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.result: Any = None
        self.scope = scope
        self.stack = stack

    def kind(self) -> str:
        """The operator as PyTorch calls it: `aten::linear`."""
        last = self.function.rpartition(".")[2]
        return f"aten::{last.strip('_') if last.startswith('__') else last}"

    def scopeName(self) -> str:
        """The module that made the call: `__module.encoder.0`."""
        return self.scope

    def sourceRange(self) -> str:
        """The lines that led to the call, innermost first."""
        return "\n".join(self.stack)

    def inputs(self) -> Iterator[Value]:
        """The tensors that go in."""
        return (self.graph.values[ref.number] for ref in refs((self.args, self.kwargs)))

    def outputs(self) -> Iterator[Value]:
        """The tensors that come out."""
        return (self.graph.values[ref.number] for ref in refs(self.result))

    def is_random(self) -> bool:
        """Whether another run may give another result."""
        last = self.function.rpartition(".")[2]
        if last in DROPOUTS:
            given = self.kwargs.get("training", self.kwargs.get("train", self.args[2] if len(self.args) > 2 else None))
            return given is not False
        return last in RANDOM

    def __repr__(self) -> str:
        return self.graph.line(self)


def refs(template: Any) -> Iterator[Ref]:
    """All tensors in a template."""
    if isinstance(template, Ref):
        yield template
    elif isinstance(template, (list, tuple)):
        for item in template:
            yield from refs(item)
    elif isinstance(template, dict):
        yield from refs(list(template.values()))
    elif isinstance(template, slice):
        yield from refs((template.start, template.stop, template.step))


def described(tensor: Tensor) -> str:
    """A tensor's type as PyTorch writes it in graphs."""
    sizes = ", ".join(map(str, tensor._array.shape))
    strides = f"strides=[{', '.join(map(str, Tensor.stride(tensor)))}], " if sizes else ""
    sizes = sizes + ", " if sizes else ""
    return f"{SCALAR_NAMES[tensor.dtype]}({sizes}{strides}requires_grad={int(tensor.requires_grad)}, device={tensor.device})"


class Graph:
    """The calls of one function. `owner`: the qualified name of the module that it is a method of, or None."""

    def __init__(self, name: str, owner: str | None) -> None:
        self.name = name
        self.owner = owner
        self.values: list[Value] = []
        self.calls: list[Node] = []
        self.arguments: list[tuple[str, Any]] = []
        self.result: Any = None
        self.constants: list[Tensor] = []

    def add_value(self, kind: str, name: str, tensor: Tensor, producer: Node | None = None) -> Ref:
        """A new tensor in the graph."""
        self.values.append(Value(len(self.values), kind, name, described(tensor), producer))
        return Ref(len(self.values) - 1)

    def drop_unused(self, pure: frozenset[str]) -> None:
        """Takes out sizes that were looked at, and calls of pure functions, where they led to nothing."""
        used = {ref.number for ref in refs(self.result)}
        kept = []
        for node in reversed(self.calls):
            made = {ref.number for ref in refs(node.result)}
            if node.function.rpartition(".")[2] in pure and not made & used:
                continue
            used |= {ref.number for ref in refs((node.args, node.kwargs))}
            kept.append(node)
        self.calls = kept[::-1]

    # --- what users look at ------------------------------------------------------------------------------------------

    def nodes(self) -> Iterator[Node]:
        """The calls in order."""
        return iter(self.calls)

    def inputs(self) -> list[Value]:
        """The tensors that are given to the graph."""
        return [value for value in self.values if value.kind == "input"]

    def outputs(self) -> list[Value]:
        """The tensors that it returns."""
        return [self.values[ref.number] for ref in refs(self.result)]

    def __str__(self) -> str:
        head = [] if self.owner is None else [f"%self : {self.owner}"]
        head += [f"%{value.name} : {value.described}" for value in self.inputs()]
        lines = []
        for value in self.values:
            if value.kind == "attribute":
                lines.append(f'  %{value.number} : Tensor = prim::GetAttr[name="{value.name}"](%self)\n')
            elif value.kind == "constant":
                lines.append(f"  %{value.number} : {value.described} = prim::Constant[value={value.name}]()\n")
        lines += [f"  {self.line(node)}\n" for node in self.calls]
        outputs = ", ".join(f"%{value.debugName()}" for value in self.outputs())
        return "graph(" + ",\n      ".join(head) + "):\n" + "".join(lines) + f"  return ({outputs})\n"

    __repr__ = __str__

    def line(self, node: Node) -> str:
        """One call as the printed graph shows it."""

        def name(ref: Ref) -> str:
            return f"%{self.values[ref.number].debugName()}"

        made = ", ".join(f"%{value.debugName()} : {value.described}" for value in node.outputs())
        given = [write(a, name) for a in node.args] + [f"{k}={write(v, name)}" for k, v in node.kwargs.items()]
        scope = f", scope: {node.scope}" if node.scope else ""
        where = ""
        if node.stack:
            file, _, number = node.stack[0].partition("): ")[0].rpartition("(")
            where = f" # {file}:{number}:0"
        return f"{made}{' = ' if made else ''}{node.kind()}({', '.join(given)}){scope}{where}"

    # --- the function ------------------------------------------------------------------------------------------------

    def source(self, annotated: bool = True) -> str:
        """The graph as a Python function of `torch`, `ops` and `CONSTANTS`. Without annotations it can be run."""
        names: dict[int, str] = {}
        taken = {name for name, _ in self.arguments} | {"self", "torch", "ops", "CONSTANTS"}
        lines: list[str] = []

        def fresh(wish: str) -> str:
            name, i = wish, 0
            while name in taken:
                name, i = f"{wish}{i}", i + 1
            taken.add(name)
            return name

        def take_apart(template: Any, text: str) -> None:
            if isinstance(template, Ref):
                if text.isidentifier():
                    names[template.number] = text
                else:
                    names[template.number] = fresh(self.values[template.number].name)
                    lines.append(f"{names[template.number]} = {text}")
            else:
                for key, item in template.items() if isinstance(template, dict) else enumerate(template):
                    take_apart(item, f"{text}[{key!r}]")

        for name, template in self.arguments:
            take_apart(template, name)
        used = {ref.number for node in self.calls for ref in refs((node.args, node.kwargs))} | {ref.number for ref in refs(self.result)}
        constants = 0
        for value in self.values:
            if value.kind == "constant":
                names[value.number], constants = f"CONSTANTS.c{constants}", constants + 1
            elif value.kind == "attribute" and value.number in used:
                names[value.number] = fresh(value.name.rpartition(".")[2])
                lines.append(f"{names[value.number]} = {_attribute('self', value.name)}")
        results = 0
        for node in self.calls:
            for ref in refs(node.result):
                if ref.number in used:
                    names[ref.number], results = f"_{results}", results + 1
            call = self._call(node, lambda ref: names[ref.number])
            target = _target(node.result, names)
            lines.append(call if target == "_" else f"{target} = {call}")
        lines.append(f"return {write(self.result, lambda ref: names[ref.number])}")
        given = [] if self.owner is None else ["self"]
        if annotated:
            given += [f"{name}: {annotation(template)}" for name, template in self.arguments]
            joined = ",\n    ".join(given)
            head = f"def {self.name}({joined}) -> {annotation(self.result)}:\n"
        else:
            head = f"def {self.name}({', '.join(given + [name for name, _ in self.arguments])}):\n"
        return head + "".join(f"  {line}\n" for line in lines)

    def _call(self, node: Node, name: Any) -> str:
        given = [write(a, name) for a in node.args]
        last = node.function.rpartition(".")[2]
        if last == "__getitem__":
            index = node.args[1]
            if isinstance(index, tuple) and index:
                return f"{given[0]}[{', '.join(_subscript(i, name) for i in index)}{',' if len(index) == 1 else ''}]"
            return f"{given[0]}[{_subscript(index, name)}]"
        if last == "__setitem__":
            return f"{given[0]}[{given[1]}] = {given[2]}"
        given += [f"{key}={write(value, name)}" for key, value in node.kwargs.items()]
        if last in ("size", "numel") and node.function.startswith("torch.Tensor."):
            return f"ops.prim.NumToTensor(torch.Tensor.{last}({', '.join(given)}))"
        return f"{node.function}({', '.join(given)})"

    def compile(self) -> Any:
        """The function that runs the graph again."""
        for node in self.calls:
            function_named(node.function)
        for name, _ in self.arguments:
            _check_name(name)
        _check_name(self.name)
        for value in self.values:
            if value.kind == "attribute":
                for part in value.name.split("."):
                    if not re.fullmatch(r"\w+", part) or part.startswith("__"):
                        raise RuntimeError(f"a graph cannot read the attribute {value.name!r}")
        constants = type("CONSTANTS", (), {f"c{i}": c for i, c in enumerate(self.constants)})
        scope: dict[str, Any] = {"torch": Torch(), "ops": _OPS, "CONSTANTS": constants, "getattr": getattr, "__builtins__": {}}
        scope.update(slice=slice, int=int, float=float, complex=complex)
        source = self.source(annotated=False)
        exec(compile(source, f"<flambeau graph of {self.name}>", "exec"), scope)
        return scope[self.name]


def _check_name(name: str) -> None:
    if not name.isidentifier() or name.startswith("__"):
        raise RuntimeError(f"{name!r} cannot be a name in a graph")


def _target(template: Any, names: dict[int, str]) -> str:
    """What a result is assigned to: `_` where nobody uses it."""
    if isinstance(template, tuple):
        items = [_target(item, names) for item in template]
        return "_" if set(items) == {"_"} else f"({', '.join(items)}{',' if len(items) == 1 else ''})"
    return names.get(template.number, "_") if isinstance(template, Ref) else "_"


def _attribute(owner: str, path: str) -> str:
    for part in path.split("."):
        owner = f"{owner}.{part}" if part.isidentifier() else f'getattr({owner}, "{part}")'
    return owner


def _subscript(index: Any, name: Any) -> str:
    if isinstance(index, slice):
        start, stop, step = ("" if i is None else write(i, name) for i in (index.start, index.stop, index.step))
        return f"{start}:{stop}{':' + step if step else ''}"
    return write(index, name)


def annotation(template: Any) -> str:
    """The type of a template, or of a value, as TorchScript annotates it."""
    if isinstance(template, (Ref, Tensor)):
        return "Tensor"
    if isinstance(template, dict):
        return f"Dict[str, {annotation(next(iter(template.values()), Ref(0)))}]"
    if isinstance(template, list):
        return f"List[{annotation(template[0]) if template else 'Tensor'}]"
    if isinstance(template, tuple):
        return f"Tuple[{', '.join(map(annotation, template))}]"
    return type(template).__name__


def write(template: Any, name: Any) -> str:
    """A template as Python."""
    if isinstance(template, Ref):
        return f"int({name(template)})" if template.integer else str(name(template))
    if isinstance(template, list):
        return f"[{', '.join(write(item, name) for item in template)}]"
    if isinstance(template, tuple):
        return f"({', '.join(write(item, name) for item in template)}{',' if len(template) == 1 else ''})"
    if isinstance(template, dict):
        return "{" + ", ".join(f"{key!r}: {write(value, name)}" for key, value in template.items()) + "}"
    if isinstance(template, slice):
        return f"slice({write(template.start, name)}, {write(template.stop, name)}, {write(template.step, name)})"
    if template is Ellipsis:
        return "..."
    if isinstance(template, devices.device):
        return f"torch.device({str(template)!r})"
    if isinstance(template, float) and template - template != 0:  # infinite or NaN
        return f"float({str(template)!r})"
    return repr(template)


class _Space:
    """A module of functions as graphs see it."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __getattr__(self, name: str) -> Any:
        found = function_named(f"{self._path}.{name}")
        self.__dict__[name] = found
        return found


class Torch(_Space):
    """`torch` as graphs see it."""

    def __init__(self) -> None:
        super().__init__("torch")
        self.nn = type("nn", (), {"functional": _Space("torch.nn.functional")})
        self.Tensor = _Space("torch.Tensor")
        self.linalg, self.fft, self.special = (_Space(f"torch.{n}") for n in ("linalg", "fft", "special"))
        self.ops = type("ops", (), {"aten": _Space("torch.ops.aten")})
        self.device = devices.device

    def __getattr__(self, name: str) -> Any:
        found = _plain_objects().get(f"torch.{name}")
        return super().__getattr__(name) if found is None else found


@cache
def _plain_objects() -> dict[str, Any]:
    """dtypes, layouts and memory formats, by the name that their repr gives."""
    formats = [value for value in vars(layouts).values() if isinstance(value, layouts.memory_format)]
    return {repr(value): value for value in [*SCALAR_NAMES, *layouts.LAYOUTS.values(), *formats]}


def _num_to_tensor(number: Any) -> Tensor:
    return NAMES["torch"]["tensor"](int(number))


_OPS = type("ops", (), {"prim": type("prim", (), {"NumToTensor": staticmethod(_num_to_tensor)})})


# --- templates as JSON -------------------------------------------------------------------------------------------------


def pack(template: Any) -> Any:
    """A template as what JSON can hold."""
    if template is None or isinstance(template, (bool, int, str)):
        return template
    if isinstance(template, Ref):
        return {"ref": template.number, "int": True} if template.integer else {"ref": template.number}
    if isinstance(template, float):
        return {"float": template.hex()}
    if isinstance(template, complex):
        return {"complex": [template.real.hex(), template.imag.hex()]}
    if isinstance(template, list):
        return [pack(item) for item in template]
    if isinstance(template, tuple):
        return {"tuple": [pack(item) for item in template]}
    if isinstance(template, dict):
        return {"dict": [[pack(key), pack(value)] for key, value in template.items()]}
    if isinstance(template, slice):
        return {"slice": [pack(i) for i in (template.start, template.stop, template.step)]}
    if template is Ellipsis:
        return {"name": "..."}
    if isinstance(template, devices.device):
        return {"device": str(template)}
    return {"name": repr(template)}


def unpack(packed: Any) -> Any:
    """A template out of what JSON held. Raises RuntimeError for what no graph holds."""
    if packed is None or isinstance(packed, (bool, int, str)):
        return packed
    if isinstance(packed, list):
        return [unpack(item) for item in packed]
    match next(iter(packed.items())):
        case "ref", int(number):
            return Ref(number, packed.get("int", False))
        case "float", str(text):
            return float.fromhex(text)
        case "complex", [str(real), str(imag)]:
            return complex(float.fromhex(real), float.fromhex(imag))
        case "tuple", list(items):
            return tuple(unpack(item) for item in items)
        case "dict", list(items):
            return {unpack(key): unpack(value) for key, value in items}
        case "slice", [start, stop, step]:
            return slice(unpack(start), unpack(stop), unpack(step))
        case "name", "...":
            return Ellipsis
        case "device", str(name):
            return devices.device(name)
        case "name", str(name) if name in _plain_objects():
            return _plain_objects()[name]
    raise RuntimeError(f"not part of a graph: {packed!r}")


PLAIN = (bool, int, float, complex, str, dtype, devices.device, layouts.layout, layouts.memory_format)
"""What may stand in a template beside tensors and containers."""
