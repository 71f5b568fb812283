"""What the functions that are written from operators' definitions call: operands, results and errors."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd.node import Node, Output, next_sequence
from ..autograd.version import remembered_version, shared_version
from ..autograd.views import make_view
from ..core import dtype as dtypes
from ..core import layout
from ..core.dtype import DEFAULT, DTYPES, OF_NUMPY, SCALAR_NAMES
from ..kernels import memory
from ..kernels.halves import bare, seen
from ..tensor import PLAIN, Tensor, wrap
from .halves import halves
from .modes import stacks

if TYPE_CHECKING:
    from .definition import Operator

ndarray = np.ndarray
Array = Any  # an ndarray, or a meta array
Number = int | float | bool | complex
NUMBERS: Any = frozenset((int, float, bool, complex))
F32, F64, I64 = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int64)
HALVES = frozenset((dtypes.float16.numpy, dtypes.bfloat16.numpy))
INTEGERS = frozenset(d.numpy for d in DTYPES if d.kind < 2)


def as_array(value: Any) -> Any:
    """A kernel's result as an ndarray: NumPy gives scalars for 0-dim results."""
    return value if not isinstance(value, np.generic) else memory.asarray(value)


def to_float(array: Any) -> Any:
    """An integer array as the default floating-point dtype."""
    return array.astype(DEFAULT.dtype.numpy)


def both_to_float(a: Any, b: Any) -> tuple[Any, Any]:
    """Two integer operands in the default floating-point dtype; numbers stay numbers."""
    return (to_float(a) if hasattr(a, "dtype") else float(a)), (to_float(b) if hasattr(b, "dtype") else float(b))


def laid_out(result: Any, first: Any, *others: Any) -> Any:
    """A result in the memory order that PyTorch gives it, where NumPy decides otherwise: that of the first operand."""
    if result.__class__ is not ndarray or first.strides == result.strides and all(x.strides == first.strides for x in others):
        return result
    shape = result.shape
    if first.ndim > len(shape) or not others and shape != first.shape or any(x.ndim > len(shape) for x in others):
        return result
    operands_ = []
    for x in (first, *others):
        here = shape[len(shape) - x.ndim :]
        steps = [s if n > 1 or m == 1 else 0 for s, n, m in zip(x.strides, x.shape, here)]
        operands_.append((0,) * (len(shape) - x.ndim) + tuple(steps))
    strides = layout.ordered_strides(shape, *operands_)
    return result if strides == layout.strides_of(result) else layout.in_strides(result, strides)


def broadcast_failure(*operands_: Any) -> Exception:
    """The error for operands whose shapes do not broadcast; the kernel's own error where they do."""
    shapes = [getattr(x, "shape", ()) for x in operands_]
    try:
        layout.broadcast_shapes(*shapes)
    except RuntimeError as error:
        return error
    failure: Any = sys.exc_info()[1] or RuntimeError("the operands cannot be combined")
    frame = sys._getframe(1)
    op = frame.f_globals.get("OP")
    if op is None:
        return failure
    from .arguments import better_error

    return better_error(op, frame, failure)


UNSUITED = Exception
"""What a forward raises that wants the memory of an array that has none, or an argument that it was not given."""


def sparse_among(values: Any) -> bool:
    """Whether one of the tensors, or one in a list among them, is sparse."""
    for value in values:
        if value.__class__ in (list, tuple):
            if sparse_among(value):
                return True
        elif hasattr(getattr(value, "_array", None), "layout"):
            return True
    return False


def in_other_layout(op: Operator, error: Exception, values: tuple[Any, ...]) -> Any:
    """The result of an operator whose forward has failed, where one of its tensors is sparse; None where none is."""
    if not sparse_among(values):
        return None
    from .sparse_forms import run

    return run(op, values, error)


def without_memory(op: Operator, error: Exception, values: tuple[Any, ...]) -> Any:
    """The result of a forward on arrays of the device meta; raises `error`, or what explains it better, where there are none."""
    if not any(v.__class__.__name__ == "MetaArray" for value in values for v in (value if isinstance(value, (list, tuple)) else (value,))):
        from .arguments import better_error

        raise better_error(op, sys._getframe(1), in_own_words(op, error, values))
    from ..core.meta import run_forward

    return run_forward(op, error, values)


def numbers_for_tensors(op: Operator, error: Exception, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """The arguments of an operator that has failed, with numbers for the tensors without dimensions that stand where it takes
    numbers; None where there are none. Raises where PyTorch does not take them either."""
    found = tuple([number_for(v) if op.takes_number(n) else v for n, v in zip(op.params, values)])
    if all(a is b for a, b in zip(found, values)):
        return None
    from .arguments import better_error

    better = better_error(op, sys._getframe(1), error)
    if better is not error:
        raise better
    return found


def number_for(value: Any) -> Any:
    """The number in a tensor without dimensions or gradient; anything else as it is."""
    if isinstance(value, Tensor) and value.ndim == 0 and not value.requires_grad and not value.is_meta:
        return value._array.item()
    return value


def refuse_options(name: str, options: dict[str, Any]) -> None:
    """Raises TypeError for a keyword that no function takes that makes a tensor. Layout and pinned memory are passed over."""
    for key in options:
        if key not in ("layout", "pin_memory"):
            raise TypeError(f"{name}() got an unexpected keyword argument '{key}'")


def unfit_number(value: Any, dtype: Any) -> Exception | None:
    """The error for an integer of 64 bits that an array of this dtype does not hold; None for a longer one."""
    if not -(1 << 63) <= value < 1 << 64:
        return None
    return no_such_number(dtype)


def no_such_number(dtype: Any) -> Exception:
    """The error for a number, an integer too long or a complex one, that an array of this dtype does not hold."""
    kind = "double" if dtype == np.float64 else f"{dtype.name}_t" if dtype.kind in "iu" and dtype != np.int32 else ""
    return RuntimeError(f"value cannot be converted to type {kind or ('int' if dtype == np.int32 else 'float')} without overflow")


def in_own_words(op: Operator, error: Exception, values: tuple[Any, ...]) -> Exception:
    """The error for operands whose shapes do not broadcast, where NumPy has noticed it first, or the kernel has refused their dtype,
    which PyTorch asks for later; else `error`."""
    if error.__class__ is NotImplementedError:
        if op.promote is None and not op.forward_takes_out:
            return error
    elif error.__class__ is not ValueError or "broadcast" not in str(error):
        return error
    try:
        layout.broadcast_shapes(*[v.shape for v in values if isinstance(v, ndarray)])
    except RuntimeError as found:
        return found
    return error


def plain_list(values: Any) -> bool:
    """Whether it is a list or tuple of Tensors that operators take as they are."""
    if values.__class__ is not list and values.__class__ is not tuple:
        return False
    for t in values:
        if type(t) not in PLAIN:
            return False
    return True


def any_requires_grad(values: Any) -> bool:
    for t in values:
        if t._requires_grad or t._view is not None:
            return True
    return False


def no_derivative(op: Operator, name: str) -> Exception:
    return NotImplementedError(f"the derivative for '{name}' of {op.name} is not implemented")


def call_node_hooks(node: Node) -> None:
    """Tells whoever watches the graph being built (anomaly detection, saved-tensor hooks) of a new node."""
    for hook in stacks.node_hooks:
        hook(node)


def any_half(grads: Any) -> bool:
    """Whether one of the gradients is a half-precision array."""
    for grad in grads:
        if grad.__class__ is ndarray and grad.dtype.char in "eE":
            return True
    return False


def backward_in_halves(node: Node, grad: Any, saved: tuple[Any, ...]) -> Any:
    """`node.apply` in half precision: every operation of the formula is a kernel that rounds its result, as in PyTorch."""
    return [bare(x) for x in node.apply(halves, seen(grad), tuple([seen(x) for x in saved]))]


def refuse(x: Any, name: str) -> None:
    """Raises NotImplementedError: a kernel does not know this dtype."""
    raise NotImplementedError(f"\"{name}\" not implemented for '{SCALAR_NAMES[OF_NUMPY[x.dtype]]}'")


def same_scalar_type(first: Any, *others: Any) -> None:
    """Raises RuntimeError where arrays (None is passed over) differ in dtype from the first: the operator does not promote."""
    for x in others:
        if x is not None and x.dtype != first.dtype:
            wanted, found = (SCALAR_NAMES[OF_NUMPY[a.dtype]] for a in (first, x))
            raise RuntimeError(f"expected scalar type {wanted} but found {found}")


new_tensor = wrap


def new_view(array: Any, source: Any) -> Any:
    """A Tensor over an array that shares memory with another Tensor."""
    t = wrap(array)
    shared_version(source)
    make_view(t, source)
    return t


def new_node(cls: Any, shape: Any, dtype: Any, edges: Any, saved: Any, tensors: Any) -> Node:
    """A node of the graph; `tensors` are those whose version counters it remembers (None is passed over)."""
    node = _new(cls)
    node.sequence = next_sequence()
    node.shape, node.dtype, node.edges, node.saved = shape, dtype, edges, saved
    versions: list[Any] = []
    for t in tensors:
        if t is not None:
            counter = t._counter or remembered_version(t)
            versions += (counter, counter[0])
    node.versions = versions
    node.pre_hooks = node.post_hooks = None
    return node


_new: Any = object.__new__


def wrap_outputs(op: Operator, results: Any, node: Node | None, source: Any) -> Any:
    """Tensors over an operator's several results; integer ones stay outside the graph."""
    visible = []
    for i, r in enumerate(results[: len(results) - op.hidden] if op.hidden else results):
        t = new_tensor(r if r.__class__ is ndarray else as_array(r))
        if node is not None and r.dtype.kind in "fcV":
            t._node = node if node.outputs == 1 else Output(node, i)
            t._requires_grad = True
        if source is not None:
            shared_version(source)
            make_view(t, source, True)
        if node is not None and i in op.saved_results:
            counter = remembered_version(t)
            node.versions += (counter, counter[0])
        visible.append(t)
    if op.hidden and len(visible) == 1:
        return visible[0]
    return tuple(visible) if op.result_type is None else op.result_type(visible)


def raise_overlap() -> None:
    """Refuses to write where several elements share memory."""
    raise RuntimeError(
        "unsupported operation: more than one element of the written-to tensor refers to a single memory location. Please clone() the "
        "tensor before performing the operation."
    )
