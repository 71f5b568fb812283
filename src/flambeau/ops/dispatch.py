"""The operators' one exit from their straight path: overrides, modes, autocast, odd arguments, `out=`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Callable, Iterator

import numpy as np

from ..autograd.grad_mode import grad_mode
from ..autograd.version import UNVERSIONED, bump_version
from ..core.dtype import OF_NUMPY, SCALAR_NAMES
from ..core.promotion import can_cast, result_dtype, wrap_integer
from ..core.return_types import return_type
from ..core.size import Size
from ..kernels import memory
from ..kernels.memory import copy_into
from ..tensor import PLAIN, Tensor, wrap
from .modes import modes, stacks
from .running import NUMBERS, raise_overlap

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


def overriding(values: Any) -> list[Any]:
    """The arguments whose classes override functions, subclasses before their bases."""
    found: list[Any] = []
    for value in values:
        for v in value if isinstance(value, (list, tuple)) else (value,):
            cls = type(v)
            if cls in PLAIN or not hasattr(cls, "__torch_function__") or isinstance(v, type):
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
        if name in op.flags and value.__class__ is not bool:
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
    result = op.body(*checked)
    if op.name in _OUT_DTYPE:
        check_out_dtype(op.name, result, out)
    return write_out(result, out, f"{op.name}(): functions with ")


def misfit(op: Operator, args: tuple[Any, ...], position: int) -> Exception:
    """The error for an operator that was called with something else in the place of a tensor."""
    from .arguments import better_error

    value = args[position]
    if op.params[position] in op.flags:
        where = f" (position {position + 1})" if position < op.positional else ""
        plain = TypeError(f"{op.name}(): argument '{op.params[position]}'{where} must be bool, not {type(value).__name__}")
    elif "number" in op.kinds.values() and not op.takes_numbers:
        plain = invalid_combination(op, args)
    else:
        what = "tuple of Tensors" if op.kinds[op.params[position]] == "list" else "Tensor"
        message = f"argument '{op.params[position]}' (position {position + 1}) must be {what}, not {type(value).__name__}"
        plain = TypeError(f"{op.name}(): {message}")
    return better_error(op, sys._getframe(2), plain)


def first_of_kind(
    public: tuple[str, ...], function: Any, call: Any, known: set[Any], types: tuple[Any, ...], args: Any, kwargs: dict[str, Any]
) -> Any:
    """Where a composite is called with types of arguments that it is not known to take: the result of what overrides it, or
    NotImplemented. Raises where PyTorch takes no such arguments; what it takes whatever the values are is known from then on."""
    if modes.active or overriding((*args, *kwargs.values())):
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
    if kwargs.get("out") is not None:
        refuse_shared_memory(function.__name__, (*args, *[v for k, v in kwargs.items() if k != "out"]), kwargs["out"])
    return NotImplemented


def after_failure(public: tuple[str, ...], function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception) -> Any:
    """What becomes of a composite that has failed: it is called again with `dim` for `axis`, or with stand-ins for tensors without
    memory; else it raises `error`, or what says better which argument it does not take."""
    if kwargs:
        named = under_own_names(public, function, kwargs)
        if named is not None:
            return function(*args, **named)
    if any(t.is_meta for t in tensors_in((*args, *kwargs.values()))):
        return on_stand_ins(function, args, kwargs, error)
    from .arguments import better_error_of_call

    raise better_error_of_call(public, function, args, kwargs, sys._getframe(2), error)


def tensors_in(values: Any) -> Iterator[Tensor]:
    """The tensors among the values, in lists too."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from tensors_in(value)


NEEDS_ELEMENTS = frozenset(
    "nonzero unique unique_consecutive bincount equal allclose item tolist numpy histogram histogramdd one_hot combinations".split()
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
    from .arguments import better_error_here

    return better_error_here(public, sys._getframe(1), error)


_SEPARATE_OUT = frozenset(("cat", "gather", "index_select", "kthvalue", "masked_select", "scatter", "scatter_add", "take"))
"""Operators that do not write into one of their own inputs, not even as a whole."""

_EXPECTED_OUT = "Expected out tensor to have dtype {0}, but got {1} instead"
_SAME_OUT = "Expected the dtype for input and out to match, but got {2} for input's dtype and {3} for out's dtype."
_OUT_DTYPE = {
    "amax": _SAME_OUT,
    "amin": _SAME_OUT,
    "aminmax": _EXPECTED_OUT,
    "complex": "Expected object of scalar type {2} but got scalar type {3} for argument 'out'",
    "gather": _EXPECTED_OUT,
}
"""What is said where `out` has another dtype than the result, by the operators that do not convert."""


def refuse_shared_memory(name: str, args: tuple[Any, ...], out: Any) -> None:
    """Raises RuntimeError where `out` shares memory with an input in a way that PyTorch refuses."""
    inputs = [v._array for value in args for v in (value if isinstance(value, (list, tuple)) else (value,)) if isinstance(v, Tensor)]
    for target in out if isinstance(out, (tuple, list)) else (out,):
        for array in inputs:
            # Where an array has gaps PyTorch does not look closer either.
            a, b = target._array, array
            if not memory.shares_dense(a, b) or (memory.same_elements(a, b) and name not in _SEPARATE_OUT):
                continue
            raise RuntimeError(
                "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory location. "
                "Please clone() the tensor before performing the operation."
            )


def check_out_dtype(name: str, result: Any, out: Any) -> None:
    """Raises RuntimeError where `out` has another dtype than the result."""
    pairs = zip(result, out) if isinstance(result, tuple) else ((result, out),)
    for found, given in pairs:
        if found._array.dtype != given._array.dtype:
            names = [SCALAR_NAMES[OF_NUMPY[t._array.dtype]] for t in (found, given)]
            raise RuntimeError(_OUT_DTYPE[name].format(*(n.lower() for n in names), *names))


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


def write_out(result: Any, out: Any, where: str = "") -> Any:
    """Puts a result where `out=` says, resizing it if need be. Raises where dtype or graph forbid."""
    if isinstance(result, (tuple, list)):
        written = [write_out(r, o) for r, o in zip(result, out)]
        fields = getattr(result, "_fields", None)
        return type(result)(written) if fields is None else return_type(f"{type(result).__name__}_out", *fields)(written)
    if result.requires_grad or (grad_mode.enabled and out.requires_grad):
        raise RuntimeError(f"{where}out=... arguments don't support automatic differentiation, but one of the arguments requires grad.")
    if out._counter is UNVERSIONED:
        UNVERSIONED.check()
    source, target = result._array, out._array
    if not can_cast(OF_NUMPY[source.dtype], OF_NUMPY[target.dtype]):
        raise RuntimeError(
            f"result type {SCALAR_NAMES[OF_NUMPY[source.dtype]]} can't be cast to the desired output type "
            f"{SCALAR_NAMES[OF_NUMPY[target.dtype]]}"
        )
    if target.shape != source.shape:
        if target.size:
            import warnings

            warnings.warn(
                f"An output with one or more elements was resized since it had shape {list(target.shape)}, which does not match the "
                f"required output shape {list(source.shape)}. This behavior is deprecated, and in a future PyTorch release outputs will "
                "not be resized unless they have zero elements. You can explicitly reuse an out tensor t by resizing it, inplace, to zero "
                "elements with t.resize_(0).",
                stacklevel=3,
            )
        out._array = source.astype(target.dtype)
    else:
        if target.size > 1 and 0 in target.strides and any(s == 0 and n > 1 for s, n in zip(target.strides, target.shape)):
            raise_overlap()
        copy_into(target, source)
    bump_version(out)
    return out
