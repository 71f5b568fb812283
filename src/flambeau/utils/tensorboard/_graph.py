"""The graph of a module as TensorFlow's GraphDef, which TensorBoard draws: a node per operator, grouped by module."""

from typing import Any

from ._wire import integer, message, text

_PRODUCER = 22  # the version of TensorFlow's graphs that this is


def graph_def(model: Any, inputs: Any, verbose: bool, strict: bool) -> bytes:
    """The traced graph of a module, as bytes. Raises what tracing raises."""
    from ...jit import trace
    from ...tensor import Tensor

    given = (inputs,) if isinstance(inputs, (Tensor, dict)) else tuple(inputs)
    graph = trace(model, given, strict=strict, check_trace=False).graph
    if verbose:
        print(graph)
    classes = {path: type(module).__name__ for path, module in model.named_modules()}
    top = type(model).__name__

    def place(path: str) -> str:
        parts, name = [top], ""
        for part in path.split(".") if path else ():
            name = f"{name}.{part}" if name else part
            parts.append(f"{classes.get(name, name)}[{part}]")
        return "/".join(parts)

    names: dict[int, str] = {}
    nodes = []
    for value in graph.values:
        if value.kind == "input":
            names[value.number] = f"input/{value.name}"
            nodes.append(_node(names[value.number], "IO Node", [], "", value))
        elif value.kind == "attribute":
            path, _, last = value.name.rpartition(".")
            names[value.number] = f"{place(path)}/{last}"
            nodes.append(_node(names[value.number], "prim::GetAttr", [], f"{{ name : {last} }}", value))
        elif value.kind == "constant":
            names[value.number] = f"{top}/constant{value.number}"
            nodes.append(_node(names[value.number], "prim::Constant", [], "", value))
    for call in graph.calls:
        outputs = list(call.outputs())
        module = place(call.scope.removeprefix("__module").lstrip("."))
        name = f"{module}/{call.kind().removeprefix('aten::')}{outputs[0].number if outputs else ''}"
        for value in outputs:
            names[value.number] = name
        nodes.append(_node(name, call.kind(), [names[value.number] for value in call.inputs()], "{}", *outputs[:1]))
    for i, value in enumerate(graph.outputs()):
        nodes.append(_node(f"output/output.{i + 1}", "IO Node", [names[value.number]], "", value))
    return b"".join(message(1, node) for node in nodes) + message(4, integer(1, _PRODUCER))


def _node(name: str, op: str, inputs: list[str], attribute: str, *values: Any) -> bytes:
    content = text(1, name) + text(2, op) + b"".join(text(3, source) for source in inputs)
    content += message(5, text(1, "attr") + message(2, message(2, attribute.encode())))
    shapes = [_shape(value) for value in values]
    if shapes:
        listed = b"".join(message(7, b"".join(message(2, integer(1, size)) for size in sizes)) for sizes in shapes)
        content += message(5, text(1, "_output_shapes") + message(2, message(1, listed)))
    return content


def _shape(value: Any) -> list[int]:
    """The sizes in a described type: `Float(2, 3, strides=...)`."""
    inside = value.type().partition("(")[2]
    return [int(part) for part in inside.rstrip(")").split(", ") if part.isdigit()]
