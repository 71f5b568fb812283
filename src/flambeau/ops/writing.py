"""`out=` without a copy: what is written for an operator so that its kernel fills the tensor that is given.

An operator says by its forward's last parameter what that can do:

- `out`, of an elementwise one: it writes there, in whatever memory order. It is called so where `out` has the dtype of the operands
  (bool, if it compares) and the shape that these broadcast to; an operand may be just what is written.
- `into`, of any other: it writes there if its result has that shape and dtype and may lie so, and returns it; else it returns
  another array. No operand shares memory with it.

What these cannot do is computed first and copied, and so it is where a forward has neither parameter.
"""

from typing import TYPE_CHECKING, Any, Callable

from ..core.layout import broadcast_shapes
from ..kernels.memory import copy_into, same_elements, shares
from .outputs import SEPARATE
from .running import ndarray

if TYPE_CHECKING:
    from .definition import Operator

_DONE = ["counter = out._counter", "if counter is None:", "    out._counter = [1]", "else:", "    counter[0] += 1", "return out"]


def write_function(op: "Operator") -> Callable[..., Any]:
    """`write(each parameter, out)`: `out` with the result in it; or the result's array, where it has another shape or dtype; or None.

    None, with nothing done, is for arguments that need to be looked at: odd ones, what shares memory, what is recorded, errors.
    """
    if op.outputs != 1:
        return lambda *args: None
    lines = _tests(op)
    for position, n in enumerate(op.tensor_params):
        lines += _array(op, n, op.forward_takes_out and op.name not in SEPARATE and (op.promote is not None or position == 0))
    lines += ["try:", *_indented(_computing(op)), "except UNSUITED:", "    return None", *op._layout_source(), "return r"]
    source = "\n".join([f"def write({', '.join(op.params)}, out):", *_indented(lines), ""])
    return op._compile("write", source, {**op._scope(), "broadcasts": broadcasts, "copy_into": copy_into, "outside": outside,
                                         "same_elements": same_elements})  # fmt: skip


def broadcasts(shape: tuple[int, ...], *operands: Any) -> bool:
    """Whether operands, arrays or numbers, broadcast to a shape."""
    try:
        return broadcast_shapes(*[x.shape for x in operands if x.__class__ is ndarray]) == shape
    except RuntimeError:
        return False


def outside(x: Any, target: Any) -> bool:
    """Whether an array has memory, and none of the target's."""
    return x.__class__ is ndarray and x is not target and not shares(x, target)


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _tests(op: "Operator") -> list[str]:
    """Leaves for odd arguments, for an `out` that is not just memory to write to, and where a graph is recorded."""
    operands = op._operand_params()
    tests, recorded = ["type(out) not in PLAIN"], ["out.requires_grad"]
    for n in op.params:
        kind = op.kinds[n]
        needs_gradient = f"{n}._requires_grad or {n}._view is not None and {n}.requires_grad"
        if kind == "tensor":
            tests.append(f"type({n}) not in PLAIN")
            recorded.append(needs_gradient)
        elif kind == "optional":
            tests.append(f"({n} is not None and type({n}) not in PLAIN)")
            recorded.append(f"{n} is not None and ({needs_gradient})")
        elif kind == "number":
            tests.append(f"(type({n}) not in PLAIN and type({n}) not in NUMBERS)")
            recorded.append(f"{n}.__class__ not in NUMBERS and ({needs_gradient})")
        elif kind == "list":
            tests.append(f"not plain_list({n})")
            recorded.append(f"any([t.requires_grad for t in {n}])")
        elif n in op.flags:
            tests.append(f"{n} is not True and {n} is not False")
        elif n in op.integers:
            tests.append(f"{n} is REQUIRED or {n} is True or {n} is False")
        else:
            tests.append(f"{n} is REQUIRED")
    if operands and all(op.kinds[n] == "number" for n in operands):
        tests.append(f"({' and '.join(f'{n}.__class__ in NUMBERS' for n in operands)})")
    return [
        f"if {' or '.join(tests)}:",
        "    return None",
        "target = out._array",
        "if (",
        "    target.__class__ is not ndarray or 0 in target.strides or out._counter is UNVERSIONED",
        f"    or grad_mode.enabled and ({' or '.join(recorded)})",
        "):",
        "    return None",
    ]


def _array(op: "Operator", n: str, may_be_target: bool) -> list[str]:
    """Takes an operand's array; leaves where it shares memory with what is written, unless it may be the same elements."""
    a, kind = f"a_{n}", op.kinds[n]
    if kind == "list":
        return [f"{a} = [t._array for t in {n}]", f"for a in {a}:", "    if not outside(a, target):", "        return None"]
    if kind == "optional":
        return [f"{a} = None if {n} is None else {n}._array", f"if {a} is not None and not outside({a}, target):", "    return None"]
    lines = [f"{a} = {n}._array", f"if not outside({a}, target):", "    return None"]
    if may_be_target:
        lines[1] = f"if {a} is not target and not outside({a}, target):"
        lines[2:] = [f"    if {a}.__class__ is not ndarray or not same_elements({a}, target):", "        return None", f"    {a} = target"]
    if kind == "number":
        return [f"{a} = {n}", f"if {n}.__class__ not in NUMBERS:", *_indented(lines)]
    return lines


def _computing(op: "Operator") -> list[str]:
    """From the operands' arrays to the result, `r`; or to the end, where it is in its place."""
    lines = op._promotion_source()
    if "final = None" in lines:
        lines += ["if final is not None:", "    return None"]
    if op.name in ("cumsum", "cumprod"):  # they add up in the dtype that is given
        lines += ["if dtype is None:", "    dtype = out.dtype"]
    call = ", ".join(("" if i < op.positional else f"{n}=") + (f"a_{n}" if n in op.tensor_params else n) for i, n in enumerate(op.params))
    if op.forward_takes_out:
        operands = op._operand_params()
        lines += [f"if {_fits(op, operands)}:", f"    r = forward({call}, out=target)", "    if r is not target:", "        return None"]
        lines += [*_indented(_DONE), f"if {' or '.join(f'{n} is out' for n in operands)}:", "    return None"]
        return [*lines, f"r = forward({call})", "if r.__class__ is not ndarray:", "    r = as_array(r)"]
    return [
        *lines,
        f"r = forward({call}{', into=target' if op.forward_takes_into else ''})",
        "if r.__class__ is not ndarray:",
        "    r = as_array(r)",
        "if r.dtype is target.dtype and r.shape == target.shape:",
        "    if r is not target:",
        "        copy_into(target, r)",
        *_indented(_DONE),
    ]


def _fits(op: "Operator", operands: list[str]) -> str:
    """The condition under which an elementwise forward can write into the target."""
    first, *rest = operands
    number = {n: f"a_{n}.__class__ is not ndarray or " if op.kinds[n] == "number" else "" for n in operands}
    array = f"(a_{first} if a_{first}.__class__ is ndarray else a_{rest[0]})" if number[first] else f"a_{first}"
    tests = ["target.dtype.char == '?'" if op.promote == "compare" else f"target.dtype is {array}.dtype"]
    if op.promote is None:
        tests += [f"({number[n]}a_{n}.dtype is target.dtype)" for n in rest]
        tests.append(f"a_{first}.shape == target.shape")
    same = " and ".join(f"({number[n]}a_{n}.shape == target.shape)" for n in operands)
    tests.append(f"({same} or broadcasts(target.shape, {', '.join(f'a_{n}' for n in operands)}))")
    return " and ".join(tests)
