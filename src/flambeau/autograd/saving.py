"""Hooks on what the graph saves: each saved tensor goes through `pack` at once and comes back through `unpack`.

A node whose tensors were packed becomes an instance of a subclass that unpacks them; all other nodes know nothing of it.
"""

import threading
from functools import cache
from typing import Any

import numpy as np

from .engine import rebuild_saved
from .grad_mode import grad_mode
from .node import Node

ndarray = np.ndarray


class _Stack(threading.local):
    """The pairs (pack, unpack) entered in this thread, innermost last; why hooks are forbidden, if they are."""

    def __init__(self) -> None:
        self.hooks: list[tuple[Any, Any]] = []
        self.forbidden: str | None = None


saving = _Stack()

NEVER_CHANGED = ([0], 0)  # keeps the engine asking the node for what it saved; packed tensors have no version to compare


class Packed:
    """What a pack hook made of one tensor, and how to get it back."""

    __slots__ = ("value", "unpack")

    def __init__(self, tensor: Any) -> None:
        pack, self.unpack = saving.hooks[-1]
        version = tensor._counter and tensor._counter[0]
        previous, grad_mode.enabled = grad_mode.enabled, False
        try:
            self.value = pack(tensor)
        finally:
            grad_mode.enabled = previous
        if (tensor._counter and tensor._counter[0]) != version:
            raise RuntimeError(
                "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook cannot be modified by "
                "in-place operations as this can lead to unexpected side-effects. Please open an issue if you need to perform in-place "
                "operations on the input to a pack hook."
            )

    def open(self) -> Any:
        """The tensor, as the unpack hook gives it back."""
        tensor = self.unpack(self.value)
        if not hasattr(tensor, "_array"):
            raise TypeError(f"Output of saved tensor unpack_hook expected to be a Tensor but got result of type {type(tensor).__name__}")
        return tensor


def pack_node(node: Node) -> None:
    """Packs the arrays that a new node of an operator saved, each as the tensor it was in the graph."""
    saved: list[Any] = []
    found = False
    for (_, kind, _), value, tensor in zip(node.spec, node.saved, rebuild_saved(node, node.saved)):
        if kind == "list":
            value, found = [Packed(t) if hasattr(t, "_array") else t for t in tensor], True
        elif kind != "value" and isinstance(value, ndarray):
            value, found = Packed(tensor), True
        saved.append(value)
    if found:
        node.saved, node.versions = tuple(saved), NEVER_CHANGED
        kind_of_node: Any = type(node)
        node.__class__ = _unpacking(kind_of_node)


def _opened(value: Any) -> Any:
    if value.__class__ is Packed:
        return value.open()._array
    return [_opened(v) for v in value] if value.__class__ is list else value


@cache
def _unpacking(cls: type[Node]) -> type[Node]:
    """The subclass of a node class whose saved tensors were packed."""

    def unpack(self: Any) -> Any:
        return tuple([_opened(value) for value in cls.unpack(self)])

    return type(cls.__name__, (cls,), {"__slots__": (), "__module__": cls.__module__, "unpack": unpack})
