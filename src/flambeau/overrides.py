"""`torch.overrides`: classes and blocks that take over what functions of tensors do."""

import functools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ._C import DisableTorchFunctionSubclass
from .core.missing import missing_name
from .core.naming import public
from .ops.definition import NAMES, overriding
from .ops.modes import modes, stacks
from .tensor import Tensor

__all__ = [
    "get_overridable_functions", "handle_torch_function", "has_torch_function", "resolve_name", "is_tensor_like",
    "is_tensor_method_or_property", "wrap_torch_function", "TorchFunctionMode", "BaseTorchFunctionMode",
]  # fmt: skip


def has_torch_function(relevant_args: Iterable[Any], /) -> bool:
    """Whether one of the arguments overrides functions, or a mode is entered."""
    if stacks.function_modes:
        return True
    found = overriding([relevant_args if isinstance(relevant_args, (list, tuple)) else list(relevant_args)])
    return bool(found) and (not stacks.subclasses_disabled or any(not isinstance(f, Tensor) for f in found))


def has_torch_function_unary(obj: Any, /) -> bool:
    """`has_torch_function` for one argument."""
    return has_torch_function((obj,))


def has_torch_function_variadic(*args: Any) -> bool:
    """`has_torch_function` for arguments one by one."""
    return has_torch_function(args)


def handle_torch_function(public_api: Callable[..., Any], relevant_args: Iterable[Any], /, *args: Any, **kwargs: Any) -> Any:
    """What the mode, or the `__torch_function__` of an argument, makes of `public_api(*args, **kwargs)`.

    Raises TypeError where all of them return NotImplemented.
    """
    found = overriding([list(relevant_args)])
    if stacks.subclasses_disabled:
        found = [f for f in found if not isinstance(f, Tensor)]
    types = tuple(type(f) for f in found)
    if stacks.function_modes:
        with _pop_mode_temporarily() as mode:
            result = mode.__torch_function__(public_api, types, args, kwargs)
        if result is not NotImplemented:
            return result
    for value in found:
        result = type(value).__torch_function__(public_api, types, args, kwargs)
        if result is not NotImplemented:
            return result
    name = f"{public_api.__module__}.{public_api.__name__}"
    text = f"no implementation found for '{name}' on types that implement __torch_function__: {list(types)}"
    if stacks.function_modes:
        text += f" nor in mode {stacks.function_modes[-1]}"
    raise TypeError(text)


def is_tensor_like(inp: Any) -> bool:
    """Whether it is a tensor, or something that overrides functions of tensors."""
    return type(inp) is Tensor or hasattr(inp, "__torch_function__")


def wrap_torch_function(dispatcher: Callable[..., Iterable[Any]]) -> Callable[..., Any]:
    """Decorator: the function can be overridden by the arguments that `dispatcher` picks out."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            relevant = dispatcher(*args, **kwargs)
            if has_torch_function(relevant):
                return handle_torch_function(wrapped, relevant, *args, **kwargs)
            return function(*args, **kwargs)

        return wrapped

    return decorate


@functools.cache
def _index() -> dict[Any, str]:
    """Every overridable function with its name."""
    index: dict[Any, str] = {}
    for name, value in vars(Tensor).items():
        if callable(value) and value is not getattr(object, name, None):
            index[value] = f"torch.Tensor.{name}"
        elif isinstance(value, property):
            index[value.__get__] = f"torch.Tensor.{name}.__get__"
            index[value.__set__] = f"torch.Tensor.{name}.__set__"
    for key, module in {
        "fft": "torch.fft",
        "linalg": "torch.linalg",
        "special": "torch.special",
        "F": "torch.nn.functional",
        "torch": "torch",
    }.items():
        for name, function in NAMES[key].items():
            if not name.startswith("_"):
                index[function] = f"{module}.{name}"
    return index


def resolve_name(f: Any) -> str | None:
    """The public name of a function that `__torch_function__` was given; None for an unknown one."""
    names = NAMES["F"]
    name: str = getattr(f, "__name__", "")
    if name in names and names[name] is f and NAMES["torch"].get(name) is not f:
        return f"torch.nn.functional.{name}"
    return _index().get(f)


def get_overridable_functions() -> dict[Any, list[Callable[..., Any]]]:
    """The functions that can be overridden, by the module or class they are in."""
    import importlib

    root = __package__
    modules = {"torch": root, "F": f"{root}.nn.functional", "special": f"{root}.special"}
    found: dict[Any, list[Callable[..., Any]]] = {
        importlib.import_module(path): [f for n, f in NAMES[key].items() if not n.startswith("_") and not n.endswith("_")]
        for key, path in modules.items()
    }
    found[Tensor] = [f for f, name in _index().items() if name.startswith("torch.Tensor.") and not name.endswith(".__set__")]
    return found


def is_tensor_method_or_property(func: Callable[..., Any]) -> bool:
    """Whether it is a method of Tensor, or the `__get__` of one of its properties."""
    return func.__name__ == "__get__" or any(value is func for value in vars(Tensor).values())


@public("torch.overrides")
class TorchFunctionMode:
    """A block in which `__torch_function__(self, func, types, args, kwargs)` of the innermost mode sees every call.

    Calls from inside of it go to the next mode outwards.
    """

    def __init__(self) -> None:
        pass

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise NotImplementedError

    def __enter__(self) -> "TorchFunctionMode":
        _push_mode(self)
        return self

    def __exit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        _pop_mode()


@public("torch.overrides")
class BaseTorchFunctionMode(TorchFunctionMode):
    """A mode that lets everything pass."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


def _push_mode(mode: Any) -> None:
    stacks.function_modes.append(mode)
    modes.active += 1


def _pop_mode() -> Any:
    modes.active -= 1
    return stacks.function_modes.pop()


@contextmanager
def _pop_mode_temporarily() -> Iterator[Any]:
    mode = _pop_mode()
    try:
        yield mode
    finally:
        _push_mode(mode)


def _get_current_function_mode() -> Any:
    return stacks.function_modes[-1] if stacks.function_modes else None


def _get_current_function_mode_stack() -> list[Any]:
    return list(stacks.function_modes)


def redispatch_function(func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """Calls `func` without asking the overrides of subclasses again."""
    with DisableTorchFunctionSubclass():
        return func(*args, **(kwargs or {}))


def get_default_nowrap_functions() -> set[Any]:
    """The properties whose values keep their class whatever subclass asks for them."""
    members = vars(Tensor)
    return {members[name].__get__ for name in ("_base", "grad") if name in members}


__getattr__ = missing_name(__name__)
