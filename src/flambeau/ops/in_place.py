"""In-place forms off their straight path: checked, recorded, and written through any memory order."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Callable

import numpy as np

from ..autograd.grad_mode import grad_mode
from ..autograd.version import UNVERSIONED
from ..autograd.views import check_in_place, set_history
from ..core import layout
from ..core.dtype import OF_NUMPY, SCALAR_NAMES
from ..core.promotion import can_cast, float_operands, operands, result_dtype
from ..kernels.elementwise import beside_scalar
from ..kernels.memory import clone_like, copy_into
from ..tensor import Tensor
from .dispatch import handle_overrides, overriding
from .modes import stacks
from .recording import saved_names
from .running import (
    F32,
    NUMBERS,
    UNSUITED,
    as_array,
    both_to_float,
    broadcast_failure,
    ndarray,
    number_for,
    raise_overlap,
    sparse_among,
    to_float,
)
from .running import without_memory as without_memory

if TYPE_CHECKING:
    from .definition import Operator


def slow_in_place(op: Operator, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Overrides, modes and odd arguments of an in-place form."""
    input = args[0]
    if not isinstance(input, Tensor):
        raise TypeError(f"{function.__name__}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    if stacks.function_modes or overriding(args):
        given, kwargs = op.as_called(args)
        result = handle_overrides(function, given, kwargs)
        if result is not NotImplemented:
            return result
    for name, value in zip(op.params, args):
        if name in op.flags and value is not True and value is not False:
            from .arguments import better_error_in_place

            message = f"{function.__name__}(): argument '{name}' must be bool, not {type(value).__name__}"
            raise better_error_in_place(op, function.__name__, args, sys._getframe(1), TypeError(message))
    return apply_in_place(op, input, args[1:], function.__name__)


def slow_dunder_in_place(op: Operator, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """`slow_in_place` for Python's operators."""
    try:
        return slow_in_place(op, function, args)
    except TypeError:
        if not isinstance(args[0], Tensor):
            raise
        return NotImplemented


def run_in_place(op: Operator, input: Any, args: tuple[Any, ...], name: str, recording: bool) -> Any:
    """The in-place form where a tensor is sparse."""
    from .sparse_forms import run_in_place

    return run_in_place(op, input, args, name, recording)


def explained(op: Operator, name: str, values: tuple[Any, ...], error: Exception) -> Exception:
    """What an in-place form says that has failed, two calls from here."""
    from .arguments import better_error_in_place

    return better_error_in_place(op, name, values, sys._getframe(2), error)


def _check_written(target: Any, shape: tuple[int, ...], source: Any) -> None:
    """Raises RuntimeError where a result of a shape and dtype cannot be written into `target`."""
    if shape != target.shape:
        wide = layout.broadcast_shapes(target.shape, shape)
        if wide != target.shape:
            raise RuntimeError(f"output with shape {list(target.shape)} doesn't match the broadcast shape {list(wide)}")
    into = OF_NUMPY[target.dtype]
    if not can_cast(source, into):
        raise RuntimeError(f"result type {SCALAR_NAMES[source]} can't be cast to the desired output type {SCALAR_NAMES[into]}")


def _check_result(target: Any, operands_: list[Any]) -> None:
    """The same for the result of operands whose dtype a kernel has refused, which PyTorch asks for later."""
    shape = layout.broadcast_shapes(*[getattr(x, "shape", ()) for x in operands_])
    _check_written(target, shape, result_dtype(*operands_))


def apply_in_place(op: Operator, input: Any, args: tuple[Any, ...], name: str = "", straight: bool = True) -> Any:
    """Runs an operator and writes its result into `input`, with its history where a graph is recorded.

    straight: whether a forward that can may write there itself.
    """
    if input._counter is UNVERSIONED:
        UNVERSIONED.check()
    target = input._array
    recording = grad_mode.enabled and _needs_history(op, input, args)
    may_overlap = op.overlap and not (args and isinstance(args[-1], Tensor))
    if target.__class__ is not ndarray and sparse_among((input,)) or sparse_among(args):
        if recording:
            check_in_place(input)
        return run_in_place(op, input, args, name, recording)
    try:
        values = _arrays_of(op, input, args, name)
    except TypeError as error:
        raise explained(op, name, (input, *args), error) from None
    if recording:
        check_in_place(input)
    if not target.flags.writeable and target.__class__ is ndarray and 0 in target.strides and not may_overlap:
        raise_overlap()
    rounds = op.rounds_number or op.promote == "compare"
    positions = [i for i, p in enumerate(op.params) if op.kinds[p] in ("tensor", "number")]
    final = _promote(op, values, positions, rounds)
    keep_input = recording and any(n == op.params[0] for n in saved_names(op))
    own = values[0] is target
    if keep_input and own:
        values[0] = clone_like(target, target)
    positional, keywords = values[: op.positional], dict(zip(op.params[op.positional :], values[op.positional :]))
    direct = op.forward_takes_out and straight and final is None and own and target.__class__ is ndarray and op.promote != "compare"
    try:
        if direct and 0 not in target.strides:
            result = op.forward(*positional, **keywords, out=target)
        else:
            if final is None:
                result = op.forward(*positional, **keywords)
            else:

                def compute(a: Any, b: Any) -> Any:
                    return op.forward(a, b, *positional[2:], **keywords)

                result = beside_scalar(compute, positional[0], positional[1], final, rounds)
            direct = False
    except ValueError:
        failure = broadcast_failure(*(values[i] for i in positions))
        if isinstance(failure, ValueError):
            shape = layout.broadcast_shapes(*(getattr(values[i], "shape", ()) for i in positions))
            raise RuntimeError(f"output with shape {list(target.shape)} doesn't match the broadcast shape {list(shape)}") from None
        raise failure from None
    except UNSUITED as error:
        if direct and error.__class__.__name__ == "UFuncTypeError":
            return apply_in_place(op, input, args, name, False)
        if error.__class__ is NotImplementedError and (op.promote is not None or op.forward_takes_out):
            _check_result(target, [values[i] for i in positions])
        try:
            result, direct = without_memory(op, error, tuple(values)), False
        except Exception as found:
            better = explained(op, name, (input, *args), found)
            numbers = tuple([number_for(v) if op.takes_number(n) else v for n, v in zip(op.params[1:], args)])
            if better is not found or all(a is b for a, b in zip(numbers, args)):
                raise better from None
            return apply_in_place(op, input, numbers, name, straight)
    if not direct:
        _write(target, as_array(result), may_overlap)
    counter = input._counter
    if counter is None:
        input._counter = [1]
    else:
        counter[0] += 1
    if recording:
        if input._view is not None:
            input._view.version = counter[0]  # its node was renewed above and stands for the old values
        _record(op, input, args, values, keep_input)
    return input


def _needs_history(op: Operator, input: Tensor, args: tuple[Any, ...]) -> bool:
    """Whether a gradient can arrive at the result."""
    if not op.differentiable_params:
        return input.requires_grad
    for p, v in zip(op.params, (input, *args)):
        if op.kinds[p] != "value" and isinstance(v, Tensor):
            if v.requires_grad or (v is input and v._view is not None and v._view.base.requires_grad):
                return True
    return False


def _arrays_of(op: Operator, input: Tensor, args: tuple[Any, ...], name: str) -> list[Any]:
    """The arguments as the forward takes them. Raises TypeError for what is no tensor where one must be."""
    values: list[Any] = []
    for p, v in zip(op.params, (input, *args)):
        if op.kinds[p] == "value":
            values.append(v)
        elif isinstance(v, Tensor):
            values.append(v._array)
        elif isinstance(v, np.generic):
            values.append(v.item())
        elif op.kinds[p] == "list":
            values.append([t._array for t in v])
        elif op.kinds[p] == "number" and type(v) in NUMBERS or v is None and op.kinds[p] == "optional":
            values.append(v)
        else:
            raise TypeError(f"{name or op.name}(): argument '{p}' (position {op.params.index(p)}) must be Tensor, not {type(v).__name__}")
    return values


def _promote(op: Operator, values: list[Any], positions: list[int], rounds: bool) -> Any:
    """Brings the operands at these positions to one dtype, in place; gives the result's where it is another, as beside a 0-dim tensor."""
    final = None
    if op.promote is not None and len(positions) == 2:
        i, j = positions
        a, b = values[i], values[j]
        if not (hasattr(a, "dtype") and hasattr(b, "dtype") and a.dtype is b.dtype):
            if op.check is not None:
                op.check(a, b)
            values[i], values[j], final = (float_operands if op.promote == "float" else operands)(a, b, rounds)
        if op.promote == "float" and getattr(values[i], "dtype", F32).kind in "iub":
            values[i], values[j] = both_to_float(values[i], values[j])
    elif op.promote == "float" and len(positions) == 1 and values[0].dtype.kind in "biu":
        values[0] = to_float(values[0])
    return final


def _write(target: Any, result: Any, may_overlap: bool) -> None:
    """Writes a result into the array of the tensor. Raises RuntimeError where its shape or dtype does not fit."""
    _check_written(target, result.shape, OF_NUMPY[result.dtype])
    if not may_overlap and target.size > 1 and 0 in target.strides:
        if any(s == 0 and n > 1 for s, n in zip(target.strides, target.shape)):
            raise_overlap()
    copy_into(target, result)


def _record(op: Operator, input: Tensor, args: tuple[Any, ...], values: list[Any], keep_input: bool) -> None:
    """Gives `input`, written by now, its history. keep_input: the formula saves what was there before, of which `values` has a copy."""
    flat: list[Any] = []
    for p, v, value in zip(op.params, (input, *args), values):
        flat.append(v)
        if op.kinds[p] != "value":
            flat.append(value)
    node = op.record(input if "result" in saved_names(op) else input._array, *flat)
    if node is not None:
        if keep_input:
            node.versions = ()
        set_history(input, node)
