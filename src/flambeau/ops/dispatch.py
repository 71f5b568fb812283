"""The operators' one exit from their straight path: overrides, modes, autocast, odd arguments, `out=`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Callable, Iterator

import numpy as np

from ..autograd.grad_mode import grad_mode
from ..core.promotion import result_dtype, wrap_integer
from ..core.size import Size
from ..kernels import memory
from ..tensor import PLAIN, Tensor, wrap
from .modes import modes, stacks
from .outputs import NOT_BESIDE, refuse_shared_memory
from .outputs import write_out as write_out
from .running import NUMBERS, sparse_among

if TYPE_CHECKING:
    from .definition import Operator


REQUIRED = object()
"""Stands in a call for a parameter without default that was not given, where its other name might have been."""

ALSO_CALLED = {"dim": "axis", "keepdim": "keepdims"}
"""NumPy's names for parameters, which PyTorch's functions take too."""


def renamed(op: Operator, name: str, value: Any, also: Any) -> Any:
    """The value of a parameter that may have been given under its other name."""
    if also is None:
        return value
    if value is not op.defaults.get(name, REQUIRED):
        raise TypeError(f"{op.name}() got an unexpected keyword argument '{ALSO_CALLED[name]}'")
    return also


def under_own_names(public: tuple[str, ...], function: Any, kwargs: dict[str, Any]) -> dict[str, Any] | None:
    """The keywords of a failed call with `dim` for `axis`, where the function is one that takes both; else None."""
    given = {own: also for own, also in ALSO_CALLED.items() if also in kwargs}
    if not given:
        return None
    from .arguments import overloads_of

    names = function.__code__.co_varnames[: function.__code__.co_argcount + function.__code__.co_kwonlyargcount]
    known = any(overloads_of(where, name) for where, _, name in (n.rpartition(".") for n in public))
    if not known or any(also in names or own not in names or own in kwargs for own, also in given.items()):
        return None
    return {next((own for own, also in given.items() if also == name), name): value for name, value in kwargs.items()}


_VALUES = frozenset((int, float, bool, str, complex, type(None)))
"""Classes that override nothing."""


def overriding(values: Any) -> list[Any]:
    """The arguments whose classes override functions, subclasses before their bases."""
    found: list[Any] = []
    for value in values:
        kind = type(value)
        if kind in PLAIN or kind in _VALUES:
            continue
        for v in value if isinstance(value, (list, tuple)) else (value,):
            cls = type(v)
            if cls in PLAIN or cls in _VALUES or not hasattr(cls, "__torch_function__") or isinstance(v, type):
                continue
            if any(type(f) is cls for f in found):
                continue
            position = next((i for i, f in enumerate(found) if issubclass(cls, type(f))), len(found))
            found.insert(position, v)
    return found


def handle_overrides(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """What a mode or an argument's `__torch_function__` makes of the call; NotImplemented where none takes it."""
    found = [] if stacks.subclasses_disabled else overriding((*args, *kwargs.values()))
    if stacks.subclasses_disabled:
        found = [f for f in overriding((*args, *kwargs.values())) if not isinstance(f, Tensor)]
    types = tuple(type(f) for f in found)
    if stacks.function_modes:
        mode = stacks.function_modes.pop()
        modes.active -= 1
        try:
            result = mode.__torch_function__(function, types, args, kwargs)
        finally:
            stacks.function_modes.append(mode)
            modes.active += 1
        if result is NotImplemented:
            raise TypeError(f"no implementation found for {function!r} on types that implement __torch_function__: {list(types)}")
        return result
    if not found:
        return NotImplemented if stacks.autocast is None else under_autocast(function, args, kwargs)
    for value in found:
        result = type(value).__torch_function__(function, types, args, kwargs)
        if result is not NotImplemented:
            return result
    handlers = "".join(f"  - tensor subclass {c!r}\n" for c in types)
    raise TypeError(
        f"Multiple dispatch failed for 'torch.{function.__name__}'; all __torch_function__ handlers returned "
        f"NotImplemented:\n\n{handlers}\n"
        "For more information, try re-running with TORCH_LOGS=not_implemented"
    )


def under_autocast(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """The call with its arguments in the dtype that autocast wants; NotImplemented where they are in it already."""
    given = (*args, *kwargs.values())
    cast = stacks.autocast(function.__name__, given)
    if cast is given:
        return NotImplemented
    return function(*cast[: len(args)], **dict(zip(kwargs, cast[len(args) :])))


def slow_path(op: Operator, args: tuple[Any, ...], out: Any = None) -> Any:
    """Everything an operator does off its straight path: overrides, modes, autocast, odd arguments, `out=`."""
    if out is not None and not modes.active:
        result = (op.write or writer(op))(*args, out)
        if result is not None:
            return out if result is out else write_out(wrap(result), out, op.name, own=True)
    if stacks.function_modes or overriding(args) or (out is not None and overriding((out,))):
        given, kwargs = op.as_called(args)
        if out is not None:
            kwargs["out"] = out
        result = handle_overrides(op.function, given, kwargs)
        if result is not NotImplemented:
            return result
    if any(value is REQUIRED for value in args):
        from .arguments import better_error

        missing = ", ".join(f'"{n}"' for n, value in zip(op.params, args) if value is REQUIRED)
        raise better_error(op, sys._getframe(1), TypeError(f"{op.name}() missing required arguments: {missing}"))
    if stacks.autocast is not None and out is None:
        args = stacks.autocast(op.name, args)
    checked = []
    for position, (name, value) in enumerate(zip(op.params, args), 1):
        kind = op.kinds[name]
        if value.__class__ is bool if name in op.integers else value.__class__ is not bool and name in op.flags:
            raise misfit(op, args, position - 1)
        if kind == "value" or (isinstance(value, Tensor) and kind != "list") or (kind == "optional" and value is None):
            checked.append(value)
        elif kind == "number" and type(value) in NUMBERS:
            checked.append(value)
        elif kind == "number" and isinstance(value, (np.generic, int, float, complex)):
            checked.append(value.item() if isinstance(value, np.generic) else _plain_number(value))
        elif kind == "tensor" and op.takes_numbers and isinstance(value, (np.generic, int, float, complex)):
            checked.append(wrap(number_array(value.item() if isinstance(value, np.generic) else _plain_number(value), args)))
        elif kind == "list" and isinstance(value, (list, tuple)):
            for i, v in enumerate(value):
                if not isinstance(v, Tensor):
                    from .arguments import type_name

                    raise TypeError(f"expected Tensor as element {i} in argument {position - 1}, but got {type_name(v)}")
            checked.append(value)
        else:
            raise misfit(op, args, position - 1)
    if op.takes_numbers and not any(isinstance(value, Tensor) for value in args) and op.takes_numbers < 2:
        raise misfit(op, args, 0)
    if out is None:
        return op.body(*checked)
    if not isinstance(out, Tensor if op.outputs == 1 else (Tensor, tuple, list)):
        from .arguments import better_error

        plain = TypeError(f"{op.name}(): argument 'out' must be Tensor, not {type(out).__name__}")
        raise better_error(op, sys._getframe(1), plain)
    refuse_shared_memory(op.name, args, out)
    if op.name in ("cumsum", "cumprod") and checked[-1] is None:
        checked[-1] = out.dtype  # type: ignore[union-attr]
    result = op.body(*checked)
    if (
        isinstance(out, Tensor)
        and any(v is out for v in args)
        and not sparse_among((out,))
        and result.shape != out.shape
        and elementwise(op)
    ):
        raise RuntimeError(f"output with shape {list(out.shape)} doesn't match the broadcast shape {list(result.shape)}")
    return write_out(result, out, op.name)


def writer(op: Operator) -> Callable[..., Any]:
    """`op.write`, made at the first call with `out=`."""
    from .writing import write_function

    op.write = write_function(op)
    return op.write


def elementwise(op: Operator) -> bool:
    """Whether it broadcasts operands against each other."""
    if op.name in ("addcmul", "addcdiv", "addr", "outer", "lerp", "heaviside"):
        return True
    return len(op.tensor_params) > 1 and (op.promote is not None or op.forward_takes_out)


def misfit(op: Operator, args: tuple[Any, ...], position: int) -> Exception:
    """The error for an operator that was called with something else in the place of a tensor."""
    from .arguments import better_error, type_name

    value = args[position]
    if op.kinds[op.params[position]] == "value":
        where = f" (position {position + 1})" if position < op.positional else ""
        kind = "bool" if op.params[position] in op.flags else "int"
        plain = TypeError(f"{op.name}(): argument '{op.params[position]}'{where} must be {kind}, not {type_name(value)}")
    elif "number" in op.kinds.values() and not op.takes_numbers:
        plain = invalid_combination(op, args)
    else:
        what = "tuple of Tensors" if op.kinds[op.params[position]] == "list" else "Tensor"
        message = f"argument '{op.params[position]}' (position {position + 1}) must be {what}, not {type_name(value)}"
        plain = TypeError(f"{op.name}(): {message}")
    return better_error(op, sys._getframe(2), plain)


def first_of_kind(
    public: tuple[str, ...], function: Any, call: Any, known: set[Any], types: tuple[Any, ...], args: Any, kwargs: dict[str, Any]
) -> Any:
    """Where a composite is called with types of arguments that it is not known to take: the result of what overrides it, or
    NotImplemented. Raises where PyTorch takes no such arguments; what it takes whatever the values are is known from then on."""
    if modes.active or overriding((*args, *kwargs.values()) if kwargs else args):
        result = handle_overrides(call, args, kwargs)
        if result is not NotImplemented:
            return result
    if types in known:
        return NotImplemented
    again = (*types, None)  # lists are looked through for overrides each time, and what is written for shared memory
    if again not in known:
        from .arguments import check_call

        if check_call(public, function, args, kwargs, sys._getframe(2)):
            lists = "out" in kwargs or any(isinstance(t, type) and issubclass(t, (list, tuple)) and t is not Size for t in types)
            known.add(again if lists else types)
    if kwargs.get("out") is not None and function.__name__ in NOT_BESIDE:
        refuse_shared_memory(function.__name__, (*args, *[v for k, v in kwargs.items() if k != "out"]), kwargs["out"])
    return NotImplemented


def after_failure(public: tuple[str, ...], function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception) -> Any:
    """What becomes of a composite that has failed: it is called again with `dim` for `axis`, or with stand-ins for tensors without
    memory; else it raises `error`, or what says better which argument it does not take."""
    if kwargs:
        named = under_own_names(public, function, kwargs)
        if named is not None:
            return function(*args, **named)
    if sparse_among((*args, *kwargs.values())):
        from .sparse_forms import run_composite

        return run_composite(public, function, args, kwargs, error)
    if any(t.is_meta for t in tensors_in((*args, *kwargs.values()))):
        return on_stand_ins(function, args, kwargs, error)
    from .arguments import better_error_of_call, fits_as_numbers

    better = better_error_of_call(public, function, args, kwargs, sys._getframe(2), error)
    if better is error:
        numbers = fits_as_numbers(public, args, kwargs)
        if numbers is not None:
            return function(*numbers[0], **numbers[1])
    raise better


def tensors_in(values: Any) -> Iterator[Tensor]:
    """The tensors among the values, in lists too."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from tensors_in(value)


NEEDS_ELEMENTS = frozenset(
    "nonzero unique unique_consecutive bincount equal allclose item tolist numpy cpu type_as histogram histogramdd one_hot "
    "combinations".split()
)
"""Functions that are refused on the device meta: their result, or its shape, depends on the elements."""


def on_stand_ins(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception) -> Any:
    """A composite's result on the device meta, where it asks for elements on its way: shapes and dtypes do not depend on them.

    Raises `error` where they do, where a gradient would be needed, or where tensors with and without memory stand side by side.
    """
    given = list(tensors_in((*args, *kwargs.values())))
    if (
        function.__name__ in NEEDS_ELEMENTS
        or any(not t.is_meta and t.ndim for t in given)
        or (grad_mode.enabled and any(t.requires_grad for t in given))
    ):
        raise error
    from ..core.device import CPU, device
    from ..core.generator import default_generator
    from ..core.meta import as_meta

    made = {id(t): wrap(t._array.filled()) for t in given if t.is_meta}
    back = {id(stand_in): t for t in given if (stand_in := made.get(id(t))) is not None}

    def there(value: Any) -> Any:
        if isinstance(value, Tensor):
            return made.get(id(value), value)
        if value.__class__ in (list, tuple):
            return value.__class__([there(v) for v in value])
        return CPU if isinstance(value, device) and value.type == "meta" else value

    def home(value: Any) -> Any:
        if isinstance(value, Tensor):
            return back[id(value)] if id(value) in back else wrap(as_meta(value._array))
        if isinstance(value, (list, tuple)):
            parts = [home(v) for v in value]
            return value._make(parts) if hasattr(value, "_make") else value.__class__(parts)
        return value

    state = default_generator.get_state()
    try:
        found = function(*[there(v) for v in args], **{k: there(v) for k, v in kwargs.items()})
    except Exception:
        raise error from None
    finally:
        default_generator.set_state(state)
    return home(found)


def explained_here(error: Exception, *public: str) -> Exception:
    """The same for the composite that calls it, under its public names."""
    if hasattr(error, "nameless"):
        from .sparse_forms import named

        return named(error, public)
    from .arguments import better_error_here

    return better_error_here(public, sys._getframe(1), error)


def legacy_call(op: Operator, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """A call in the old order of arguments, with the multiplier second."""
    import warnings

    input, value, *rest = args
    warnings.warn(
        f"This overload of {function.__name__} is deprecated:\n\t{function.__name__}(Tensor input, Number {op.legacy}, ...)\n"
        f"Consider using the keyword argument {op.legacy} instead.",
        stacklevel=3,
    )
    return function(input, *rest, **{op.legacy: value})


def number_array(number: Any, others: Any) -> Any:
    """A number in the place of a tensor, in the dtype that it has together with the other operands."""
    arrays_ = [t._array for t in others if isinstance(t, Tensor)]
    to = result_dtype(number, *arrays_).numpy
    return memory.asarray(wrap_integer(number, to) if to.kind in "iu" else number, to)


def invalid_combination(op: Operator, args: tuple[Any, ...]) -> TypeError:
    """The error for a function with overloads for tensors and numbers, none of which takes the arguments."""
    given, _ = op.as_called(args)
    numbers = [n for n in op.params if op.kinds[n] == "number"]
    overloads = [()] + [(n,) for n in numbers]
    lines = []
    for overload in sorted(overloads, key=lambda o: o[:1] != (op.params[0],) and bool(o)):
        types = [f"{'Number' if n in overload else 'Tensor'} {n}" for n in op.params[: op.positional] if op.kinds[n] != "value"]
        lines.append(f" * ({', '.join(types)}, *, Tensor out = None)\n")
    return TypeError(
        f"{op.name}() received an invalid combination of arguments - got ({', '.join(type(v).__name__ for v in given)}), but expected "
        f"one of:\n{''.join(lines)}"
    )


def slow_dunder(op: Operator, args: tuple[Any, ...], out: Any = None) -> Any:
    """`slow_path` for Python's operators, which ask the other operand next where this one does not know it."""
    if not isinstance(args[0], Tensor):
        raise TypeError(f"{op.name}(): argument '{op.params[0]}' (position 1) must be Tensor, not {type(args[0]).__name__}")
    try:
        return slow_path(op, args, out)
    except TypeError:
        return NotImplemented


def _plain_number(value: Any) -> Any:
    """A subclass of a Python number, such as an IntEnum, as the number itself."""
    for cls in (bool, int, float, complex):
        if isinstance(value, cls):
            return cls(value)  # type: ignore[arg-type]
    return value
