"""What the modules of accelerators share: there is no accelerator, and each function says so in PyTorch's words."""

from typing import Any, Callable


def raising(module: str, names: str, error: type[Exception], message: str) -> dict[str, Callable[..., Any]]:
    """Functions of those names that raise `error(message)`; `{name}` in the message is the function's."""

    def make(name: str) -> Callable[..., Any]:
        def absent(*args: Any, **kwargs: Any) -> Any:
            raise error(message.replace("{name}", name))

        absent.__name__ = absent.__qualname__ = name
        absent.__module__ = module
        absent.__doc__ = f"Raises {error.__name__}: the device is not there."
        return absent

    return {name: make(name) for name in names.split()}


def answering(module: str, names: str, answer: Callable[[], Any], what: str) -> dict[str, Callable[..., Any]]:
    """Functions of those names that return `answer()` whatever they are given."""

    def make(name: str) -> Callable[..., Any]:
        def idle(*args: Any, **kwargs: Any) -> Any:
            return answer()

        idle.__name__ = idle.__qualname__ = name
        idle.__module__ = module
        idle.__doc__ = what
        return idle

    return {name: make(name) for name in names.split()}


def absent_class(module: str, name: str, message: str) -> type:
    """A class that can be named and subclassed; making an instance raises RuntimeError."""

    def __new__(cls: type, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(message)

    return type(name, (), {"__new__": __new__, "__module__": module, "__doc__": "Cannot be instantiated: the device is not there."})
