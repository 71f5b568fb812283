"""Whether operators record a graph: per thread, switched by context managers that are also decorators."""

import functools
import threading
from types import GeneratorType
from typing import Any, Callable, TypeVar

from ..core.naming import public

Function = TypeVar("Function", bound=Callable[..., Any])


class _GradMode(threading.local):
    """`enabled`: operators record; `inference`: tensors made now can never be recorded; `walk`: the backward that runs."""

    enabled = True
    inference = False
    walk: Any = None


grad_mode = _GradMode()


class _Inferring:
    """`blocks`: how many blocks of inference mode are entered in all threads; while there are none, nobody asks the thread."""

    __slots__ = ("blocks", "lock")

    def __init__(self) -> None:
        self.blocks = 0
        self.lock = threading.Lock()

    def count(self, change: int) -> None:
        with self.lock:
            self.blocks += change


inferring = _Inferring()


def is_grad_enabled() -> bool:
    """Whether operators in this thread record a graph."""
    return grad_mode.enabled


def is_inference_mode_enabled() -> bool:
    """Whether this thread is inside `inference_mode`."""
    return grad_mode.inference


class _Switch:
    """A context manager that may also decorate a function or a generator function."""

    def clone(self) -> "_Switch":
        return type(self)()

    def __enter__(self) -> Any:
        raise NotImplementedError

    def __exit__(self, *exception: Any) -> None:
        raise NotImplementedError

    def __call__(self, function: Function) -> Function:
        code = getattr(function, "__code__", None)
        if code is not None and code.co_flags & 0x20:  # a generator function: each step runs inside
            return self._wrap_generator(function)

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return function(*args, **kwargs)

        return inside  # type: ignore[return-value]

    def _wrap_generator(self, function: Function) -> Function:
        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            generator: GeneratorType[Any, Any, Any] = function(*args, **kwargs)
            step, value = generator.send, None
            while True:
                try:
                    with self.clone():
                        item = step(value)
                except StopIteration as stop:
                    return stop.value
                try:
                    step, value = generator.send, (yield item)
                except GeneratorExit:
                    generator.close()
                    raise
                except BaseException as error:
                    step, value = generator.throw, error

        return inside  # type: ignore[return-value]


class _PlainSwitch(_Switch):
    """A switch without arguments, which may stand as a decorator without parentheses: `@torch.no_grad`."""

    def __new__(cls, function: Any = None) -> Any:
        self = object.__new__(cls)
        return self if function is None else self(function)

    def __init__(self) -> None:
        self.previous: list[bool] = []

    def __exit__(self, *exception: Any) -> None:
        grad_mode.enabled = self.previous.pop()


@public("torch.autograd.grad_mode")
class no_grad(_PlainSwitch):
    """Operators inside record no graph: their results do not require gradients."""

    def __enter__(self) -> None:
        self.previous.append(grad_mode.enabled)
        grad_mode.enabled = False


@public("torch.autograd.grad_mode")
class enable_grad(_PlainSwitch):
    """Operators inside record a graph, also within `no_grad`."""

    def __enter__(self) -> None:
        self.previous.append(grad_mode.enabled)
        grad_mode.enabled = not grad_mode.inference


@public("torch.autograd.grad_mode")
class set_grad_enabled(_Switch):
    """Sets at once whether operators record; used in `with` or as a decorator, only until its end."""

    def __init__(self, mode: bool) -> None:
        if mode is not True and mode is not False:
            raise TypeError(f"set_grad_enabled(): argument 'enabled' (position 1) must be bool, not {type(mode).__name__}")
        self.mode = mode
        self.previous = grad_mode.enabled
        grad_mode.enabled = mode

    def __call__(self, function: Function) -> Function:
        grad_mode.enabled = self.previous  # decorating switches nothing yet
        return super().__call__(function)

    def clone(self) -> "set_grad_enabled":
        return type(self)(self.mode)

    def __enter__(self) -> None:
        grad_mode.enabled = self.mode

    def __exit__(self, *exception: Any) -> None:
        grad_mode.enabled = self.previous

    def __repr__(self) -> str:
        return f"torch.autograd.grad_mode.set_grad_enabled(mode={self.mode})"


@public("torch.autograd.grad_mode")
class inference_mode(_Switch):
    """`no_grad`, and tensors made inside are marked: they can never take part in a graph."""

    def __new__(cls, mode: Any = True) -> Any:
        self = object.__new__(cls)
        if isinstance(mode, bool):
            return self
        self.__init__(True)  # type: ignore[misc]
        return self(mode)

    def __init__(self, mode: bool = True) -> None:
        self.mode = mode
        self.previous: list[tuple[bool, bool]] = []

    def clone(self) -> "inference_mode":
        return type(self)(self.mode)

    def __enter__(self) -> None:
        self.previous.append((grad_mode.enabled, grad_mode.inference))
        inferring.count(self.mode)
        grad_mode.enabled, grad_mode.inference = not self.mode, self.mode

    def __exit__(self, *exception: Any) -> None:
        grad_mode.enabled, grad_mode.inference = self.previous.pop()
        inferring.count(-self.mode)
