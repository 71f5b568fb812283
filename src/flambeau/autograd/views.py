"""Views under autograd: which base a view shares memory with, and what an in-place write through it means.

Writing through a view changes the base, so the base's history must tell of it: the base gets a `CopySlices` node, and
the node of every view is made anew from the base when it is next looked at.
"""

from typing import Any

import numpy as np

from .engine import edge_of
from .grad_mode import grad_mode
from .node import Namespace, Node, next_sequence, tensors

DEFAULT, NO_GRAD, MULTI_OUTPUT, INFERENCE = range(4)
"""How a view came about: in the ordinary way, under no_grad, as one of several views, or in inference mode."""


class View:
    """How a tensor came out of its base: `function(parent, *arguments)`, the parent being the base or a view of it."""

    __slots__ = ("base", "parent", "function", "arguments", "mode", "node")

    def __init__(self, source: Any, function: Any, arguments: tuple[Any, ...], mode: int, node: Any) -> None:
        parent = source._view
        self.base = source if parent is None else parent.base
        self.parent = parent
        self.function = function  # the operator's definition: .forward over arrays, .function over Tensors
        self.arguments = arguments
        self.mode = mode if parent is None or parent.mode == DEFAULT or mode != DEFAULT else parent.mode
        self.node = self.base._node  # the history of the base that the view's own node was made from

    def sync(self, tensor: Any) -> None:
        """Renews the view's node where the base's history was rewritten since."""
        base = self.base
        if base._node is self.node or self.mode in (NO_GRAD, INFERENCE):
            return
        self.node = base._node
        mode, grad_mode.enabled = grad_mode.enabled, True
        try:
            again = self.replay(base)
        finally:
            grad_mode.enabled = mode
        tensor._node = again._node
        tensor._requires_grad = again._requires_grad

    def chain(self) -> list["View"]:
        """The steps from the base to here."""
        steps: list[View] = []
        step: View | None = self
        while step is not None:
            steps.append(step)
            step = step.parent
        return steps[::-1]

    def replay(self, base: Any) -> Any:
        """The same view of another tensor of the base's shape."""
        for step in self.chain():
            base = step.function.function(base, *step.arguments)
        return base

    def replay_array(self, base: Any) -> Any:
        """The same view of an array of the base's shape; shares its memory."""
        for step in self.chain():
            view = step.function.forward(base, *step.arguments)
            if isinstance(view, (tuple, list)):
                raise RuntimeError("internal: a view with several outputs cannot be replayed")
            if view.size and not np.may_share_memory(view, base):
                raise RuntimeError("a view of the base cannot be formed on its gradient; use an out-of-place operation")
            base = view
        return base


class CopySlices(Node):
    """An in-place operation on a view, seen from its base: the gradient of the overwritten part goes the operation's way."""

    __slots__ = ("view", "inner")

    def apply(self, F: Namespace, grad: Any, saved: Any) -> Any:
        inner = self.inner
        if F is tensors:
            from .engine import rebuild_saved

            part = self.view.replay(grad)
            inner_saved = inner.unpack()
            results = inner.apply(F, part, rebuild_saved(inner, inner_saved) if inner.spec else inner_saved)
            rest = F.clone(grad)
            F.write(self.view.replay(rest), results[0])
            return (rest, *results[1:])
        rest = np.empty(self.shape, self.dtype)
        rest[...] = grad
        part = self.view.replay_array(rest)
        results = inner.apply(F, np.array(part), inner.unpack())
        part[...] = 0 if results[0] is None else results[0]
        return (rest, *results[1:])


def check_in_place(tensor: Any) -> None:
    """Refuses what PyTorch refuses to change in place while a graph is recorded."""
    view = tensor._view
    if view is not None:
        view.sync(tensor)
        base = view.base
        if view.mode == MULTI_OUTPUT:
            name = type(tensor.grad_fn).__name__ if tensor._node is not None else view.function.name
            raise RuntimeError(
                f"Output {_output_number(tensor)} of {name} is a view and is being modified inplace. This view is the output of a "
                "function that returns multiple views. Such functions do not allow the output views to be modified inplace. You should "
                "replace the inplace operation by an out-of-place one."
            )
        if view.mode == NO_GRAD:
            raise RuntimeError(
                "A view was created in no_grad mode and is being modified inplace with grad mode enabled. Given that this use case is "
                "ambiguous and error-prone, it is forbidden. You can clarify your code by moving both the view and the inplace either "
                "both inside the no_grad block (if you don't want the inplace to be tracked) or both outside (if you want the inplace "
                "to be tracked)."
            )
        if base._requires_grad and base._node is None:
            raise RuntimeError("a view of a leaf Variable that requires grad is being used in an in-place operation.")
    elif tensor._requires_grad and tensor._node is None:
        raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")


def _output_number(tensor: Any) -> int:
    return getattr(tensor._node, "index", 0)


def set_history(tensor: Any, node: Node) -> None:
    """Makes `node` the producer of a tensor that was changed in place; for a view, the base is told."""
    view = tensor._view
    if view is None:
        tensor._node = node
        tensor._requires_grad = True
        return
    base = view.base
    outer = object.__new__(CopySlices)
    outer.sequence = next_sequence()
    outer.edges = (edge_of(base), *node.edges[1:])
    outer.saved = (node,)
    outer.versions = ()
    outer.shape = base._array.shape
    outer.dtype = base._array.dtype
    outer.pre_hooks = outer.post_hooks = None
    outer.view = view
    outer.inner = node
    base._node = outer
    base._requires_grad = True
    view.sync(tensor)


def view_mode(multi_output: bool) -> int:
    """How a view made now came about."""
    if grad_mode.inference:
        return INFERENCE
    if multi_output:
        return MULTI_OUTPUT
    return DEFAULT if grad_mode.enabled else NO_GRAD

