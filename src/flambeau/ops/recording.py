"""The functions by which an operator's nodes come into being and hand gradients on, written out as Python source.

`definition.py` compiles them; `apply` is a method of the node's class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from ..autograd.node import Node, arrays
from .running import F32, any_half, backward_in_halves, ndarray

if TYPE_CHECKING:
    from .definition import Operator


def arguments(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a function's parameters."""
    code = function.__code__
    return code.co_varnames[: code.co_argcount]


def saved_names(op: Operator) -> list[str]:
    """What the formulas take, in a fixed order."""
    wanted: set[str] = set()
    for formula in (*op.formulas.values(), *([op.joint_formula] if op.joint_formula else [])):
        wanted |= set(arguments(formula)) - {"F", "grad", "grads", "needs"}
    return sorted(wanted)


def needed_for(op: Operator, name: str) -> list[str] | None:
    """The differentiable parameters whose formulas take `name`; None if that is always so."""
    params = op.differentiable_params
    if op.joint_formula is not None or len(params) == 1:
        return None
    needed = [p for p in params if name in arguments(op.formulas[p])]
    return None if len(needed) == len(params) or any(op.kinds[p] == "list" for p in params) else needed


def apply_source(op: Operator) -> tuple[str, dict[str, Any]]:
    """The source of `apply(self, F, gradients, saved)` of an operator's nodes, and the names that it needs."""
    names = saved_names(op)
    scope: dict[str, Any] = {"formula": op.joint_formula, "OP": op}
    lines = [f"    {', '.join(names)}, = saved"] if names else []
    gradient = "grads" if op.outputs != 1 else "grad"
    if op.visible > 1 and not op.kernel_backward and not op.view:
        lines.insert(0, "    if F is arrays and any_half(grads):")
        lines.insert(1, "        return backward_in_halves(self, grads, saved)")
        scope |= {"arrays": arrays, "any_half": any_half, "backward_in_halves": backward_in_halves}
    elif op.visible == 1 and not op.kernel_backward and not op.view:
        g = gradient
        lines.insert(0, f"    if {g}.dtype is not F32 and F is arrays and {g}.__class__ is ndarray and {g}.dtype.char in 'eE':")
        lines.insert(1, f"        return backward_in_halves(self, {g}, saved)")
        scope |= {"F32": F32, "ndarray": ndarray, "arrays": arrays, "backward_in_halves": backward_in_halves}
    if op.outputs == 0:
        lines += ["    if self.outputs == 1:", "        grads = [grads]"]
    elif op.visible == 1 and op.outputs > 1:
        lines.append(f"    grads = [grads{', None' * op.hidden}]")
    params = op.differentiable_params
    if op.joint_formula is not None:
        args = ", ".join(
            {"F": "F", "grad": gradient, "grads": gradient, "needs": "[e is not None for e in self.edges]"}.get(a, a)
            for a in arguments(op.joint_formula)
        )
        lines.append(f"    return formula({args})")
    else:
        results = []
        has_list = any(op.kinds[p] == "list" for p in params)
        for i, p in enumerate(params):
            scope[f"d_{p}"] = op.formulas[p]
            args = ", ".join({"F": "F", "grad": gradient, "grads": gradient, "needs": "[e is not None for e in self.edges]"}.get(a, a)
                             for a in arguments(op.formulas[p]))  # fmt: skip
            if op.kinds[p] == "list":
                results.append(f"*d_{p}({args})")
            elif len(params) == 1:
                results.append(f"d_{p}({args})")
            else:
                position = f"len(edges) - {len(params) - i}" if has_list and i else str(i)
                results.append(f"d_{p}({args}) if edges[{position}] is not None else None")
        if len(params) > 1:
            lines.append("    edges = self.edges")
        lines.append(f"    return ({', '.join(results)},)")
    return f"def apply(self, F, {gradient}, saved):\n" + "\n".join(lines) + "\n", scope


def record_source(op: Operator) -> str:
    """The source of `record(result, each parameter (and its array)...)`; `NODE` and `variant` say of which class nodes are."""
    params = op.differentiable_params
    names = saved_names(op)
    signature = "".join(f", {n}, a_{n}" if n in op.tensor_params else f", {n}" for n in op.params)
    head = f"def record(result{signature}):\n"
    lines: list[str] = []
    for n in op.tensor_params:
        if n not in params and op.kinds[n] != "list":
            guard = f"{n} is not None and {n}.__class__ not in NUMBERS and " if op.kinds[n] in ("optional", "number") else ""
            lines.append(f"if {guard}{n}.requires_grad: raise no_derivative(OP, {n!r})")
    edge_parts, tests = [], []
    for p in params:
        kind = op.kinds[p]
        if kind == "list":
            lines.append(f"e_{p} = [edge_of(t) for t in {p}]")
            edge_parts.append(f"*e_{p}")
            tests.append(f"not any(e is not None for e in e_{p})")
            continue
        prefix = ""
        if kind in ("optional", "number"):
            absent = f"{p} is None" if kind == "optional" else f"{p}.__class__ in NUMBERS"
            lines += [f"if {absent}:", f"    e_{p} = None", "else:"]
            prefix = "    "
        lines += [
            f"{prefix}if {p}._view is not None: {p}._view.sync({p})",
            f"{prefix}e_{p} = ({p}._node or {p}) if {p}._requires_grad else None",
        ]
        edge_parts.append(f"e_{p}")
        tests.append(f"e_{p} is None")
    if not params:
        lines.append("return None")
        return head + "".join(f"    {x}\n" for x in lines)
    # Views made under no_grad of what requires a gradient: their results require one too, but it leads nowhere.
    nowhere = [f"({p}._view is None or not {p}._view.base._requires_grad)" for p in params if op.kinds[p] == "tensor"]
    nowhere += [f"not any(t._view is not None and t._view.base._requires_grad for t in {p})" for p in params if op.kinds[p] == "list"]
    lines.append(f"if {' and '.join(tests + nowhere)}: return None")
    chosen = ", ".join(f"a_{n}" if n in op.tensor_params else n for n in op.params)
    saved, versions = [], []
    for n in names:
        needed = needed_for(op, n)
        condition = "" if needed is None else " or ".join(f"e_{p} is not None" for p in needed)
        if n == "result" or (n.startswith("result") and n[6:].isdigit()):
            if op.outputs == 1:
                saved.append("result._array")
                versions.append("result")
            else:
                saved.append(f"result[{n[6:] or 0}]")
        elif n in op.tensor_params:
            kind = op.kinds[n]
            value = f"({n} if {n}.__class__ in NUMBERS else a_{n})" if op.rounds_number and kind == "number" else f"a_{n}"
            saved.append(f"{value} if {condition} else None" if condition else value)
            exists = {"optional": f"{n} is not None", "number": f"{n}.__class__ not in NUMBERS"}.get(kind, "")
            if kind != "list":
                test = " and ".join(filter(None, (exists, f"({condition})" if condition else "")))
                versions.append(f"{n} if {test} else None" if test else n)
        elif n.endswith("_shape") and n[:-6] in op.tensor_params:
            base = n[:-6]
            saved.append(f"[x.shape for x in a_{base}]" if op.kinds[base] == "list" else
                         f"getattr(a_{base}, 'shape', ())")  # fmt: skip
        elif n.endswith("_strides") and n[:-8] in op.tensor_params:
            saved.append(f"a_{n[:-8]}.strides")
        elif n.endswith("_dtype") and n[:-6] in op.tensor_params:
            saved.append(f"{n[:-6]}._array.dtype")
        elif n in op.params:
            saved.append(n)
        else:
            raise TypeError(f"the derivative of {op.name} takes {n!r}, which is neither a parameter nor a result")
    if op.outputs == 1:
        r = "result._array" if "result" in names else "result"
        shape, dtype = f"{r}.shape", f"{r}.dtype"
    elif op.visible == 1:
        shape, dtype = "result[0].shape", "result[0].dtype"
    elif op.outputs:
        shape, dtype = "[r.shape for r in result]", "[r.dtype for r in result]"
    else:  # as many as come
        shape, dtype = (f"result[0].{x} if len(result) == 1 else [r.{x} for r in result]" for x in ("shape", "dtype"))
    kind = f"variant({chosen})" if op.choose_node else "NODE"
    edges, kept, watched = (f"({', '.join(parts)},)" if parts else "()" for parts in (edge_parts, saved, versions))
    lines.append(f"node = new_node({kind}, {shape}, {dtype}, {edges}, {kept}, {watched})")
    if not op.outputs:
        lines.append("node.outputs = len(result)")
    lines += ["if modes.active and stacks.node_hooks:", "    call_node_hooks(node)"]
    lines.append("return node")
    return head + "".join(f"    {x}\n" for x in lines)


def counted(cls: type[Node]) -> type[Node]:
    """A node class whose number of outputs differs from node to node."""
    return type(cls.__name__, (cls,), {"__slots__": ("outputs",), "__module__": cls.__module__})
