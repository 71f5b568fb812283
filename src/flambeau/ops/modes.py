"""What makes operators leave their straight path: modes, counted in one flag that every operator tests first."""

import threading
from typing import Any, Callable


class _Modes:
    """`active`: how many modes are entered in any thread; 0 on the straight path."""

    __slots__ = ("active",)

    def __init__(self) -> None:
        self.active = 0


modes = _Modes()


class _Stacks(threading.local):
    """The modes entered in this thread, by kind."""

    def __init__(self) -> None:
        self.function_modes: list[Any] = []  # TorchFunctionMode objects, innermost last
        self.subclasses_disabled = 0
        self.autocast: Any = None  # set by amp: (operator's name, arguments) -> arguments, the same object where nothing changes
        self.node_hooks: list[Any] = []  # called with each new node: anomaly mode, saved-tensor hooks


stacks = _Stacks()


def watch_nodes(hook: Callable[[Any], None]) -> None:
    """From now on `hook` is called with each new node of this thread; machine code, which calls nobody, is passed by."""
    stacks.node_hooks.append(hook)
    modes.active += 1


def stop_watching_nodes(hook: Callable[[Any], None]) -> None:
    """Ends `watch_nodes`."""
    stacks.node_hooks.remove(hook)
    modes.active -= 1
