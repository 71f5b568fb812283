"""Views under autograd: which base a view shares memory with, and what an in-place write through it means.

Writing through a view changes the base, so the base's history must tell of it: the base gets a `CopySlices` node, and
the node of every view is made anew from the base when it is next looked at after a change. Where a view lies in its base
is known from its memory (shape, strides, offset); only a step that changes the dtype, as between complex numbers and
their real and imaginary parts, must be remembered.
"""

from typing import Any

from ..core.layout import empty_strided, offset_between, strided_view, strides_of
from .engine import edge_of, rebuild_saved
from .grad_mode import grad_mode
from .node import Namespace, Node, next_sequence, tensors

DEFAULT, NO_GRAD, MULTI_OUTPUT, INFERENCE = range(4)
"""How a view came about: in the ordinary way, under no_grad, as one of several views, or in inference mode."""

_new = object.__new__


class View:
    """What a view knows of its base.

    `version` is the base's count of in-place changes when the view's node was made. `crossing` is the last step on the
    way from the base that changed the dtype: (array before it, array after it, operator, arguments, crossing before it).
    """

    __slots__ = ("base", "mode", "version", "crossing")

    base: Any
    mode: int
    version: int
    crossing: Any

    def sync(self, tensor: Any) -> None:
        """Renews the view's node where the base was changed in place since."""
        base = self.base
        if tensor._node is None and not base._requires_grad:
            return
        version = tensor._counter[0]
        if version == self.version:
            return
        if self.mode != DEFAULT:
            raise RuntimeError(self.refusal(tensor, "its base or another view of its base has been"))
        previous, grad_mode.enabled = grad_mode.enabled, True
        try:
            again = self.replay(base, tensor._array)
        finally:
            grad_mode.enabled = previous
        tensor._node = again._node
        tensor._requires_grad = again._requires_grad
        self.version = version

    def steps(self, base: Any, array: Any) -> list[Any]:
        """How to get from the base to this view of it: operators with arguments, and (shape, strides, offset) between them."""
        found: list[Any] = []
        crossing = self.crossing
        target = array
        while crossing is not None:
            before, after, operator, arguments, earlier = crossing
            if not same_place(after, target):
                found.append(place(after, target))
            found.append((operator, arguments))
            target, crossing = before, earlier
        if self.crossing is None or not same_place(base, target):
            found.append(place(base, target))
        return found[::-1]

    def replay(self, base: Any, array: Any) -> Any:
        """The same view of the base as a new Tensor."""
        for step in self.steps(base._array, array):
            base = step[0].function(base, *step[1]) if len(step) == 2 else tensors.strided(base, *step)
        return base

    def refusal(self, tensor: Any, change: str) -> str:
        """Why PyTorch does not let this view be changed in place."""
        node = tensor._node
        name = None
        if node is not None:
            name, _, number = type(getattr(node, "node", node)).__name__.partition("Backward")
            name += number if number != "0" else ""
        mode = self.mode
        if mode in (INFERENCE, NO_GRAD) or name is None:
            start = (
                "A view was created in"
                if name is None
                else f"Output {_output_number(tensor)} of {name} is a view of a view which was created in"
            )
            text = (
                f"{start} inference mode and {change} modified inplace in normal mode."
                if mode == INFERENCE
                else (f"{start} no_grad mode and {change} modified inplace with grad mode enabled.")
            )
        else:
            text = f"Output {_output_number(tensor)} of {name} is a view and {change} modified inplace."
        if mode == MULTI_OUTPUT:
            return text + (
                " This view is the output of a function that returns multiple views. Such functions do not allow the output views to be "
                "modified inplace. You should replace the inplace operation by an out-of-place one."
            )
        block = "inference_mode" if mode == INFERENCE else "no_grad"
        return text + (
            " Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving both the view "
            f"and the inplace either both inside the {block} block (if you don't want the inplace to be tracked) or both outside (if you "
            "want the inplace to be tracked)."
        )


def same_place(a: Any, b: Any) -> bool:
    """Whether two arrays over one storage are the same view of it."""
    return a.shape == b.shape and a.strides == b.strides and offset_between(a, b) == 0


def place(base: Any, array: Any) -> tuple[Any, Any, int]:
    """Where an array lies in another: shape, strides and offset in elements."""
    return array.shape, strides_of(array), offset_between(base, array)


def make_view(tensor: Any, source: Any, multi_output: bool = False) -> None:
    """Registers a new tensor as a view of `source`, whose version counter (made by now) it shares."""
    tensor._counter = counter = source._counter
    tensor._view = view = _new(View)
    view.version = counter[0]
    parent = source._view
    if grad_mode.enabled:
        mode = MULTI_OUTPUT if multi_output else DEFAULT
    else:
        mode = INFERENCE if grad_mode.inference else NO_GRAD
    if parent is None:
        view.base = source
        view.mode = mode
        view.crossing = None
    else:
        view.base = parent.base
        view.mode = mode or parent.mode
        view.crossing = parent.crossing


def cross(tensor: Any, source: Any, operator: Any, arguments: tuple[Any, ...]) -> None:
    """Tells a new view that the operator which made it changed the dtype."""
    view = tensor._view
    view.crossing = (source._array, tensor._array, operator, arguments, view.crossing)


class CopySlices(Node):
    """An in-place operation on a view, seen from its base: the gradient of the overwritten part goes the operation's way."""

    __slots__ = ("strides", "steps", "inner")

    strides: Any
    steps: Any
    inner: Any

    def name(self) -> str:
        return "torch::autograd::CopySlices"

    def apply(self, F: Namespace, grad: Any, saved: Any) -> Any:
        inner = self.inner
        inner_saved = inner.unpack()
        if F is tensors:
            rest = part = F.relayout(grad, self.shape, self.strides)
            for step in self.steps:
                part = step[0].function(part, *step[1]) if len(step) == 2 else F.strided(part, *step)
            results = inner.apply(F, F.clone(part), rebuild_saved(inner, inner_saved) if inner.spec else inner_saved)
            if results[0] is None:
                F.write(part, part * 0)
            else:
                F.write(part, _fitted(F, results[0], part._array))
            return (rest, *results[1:])
        rest = empty_strided(self.shape, self.strides, self.dtype)
        rest[...] = grad
        part = rest
        for step in self.steps:
            part = step[0].forward(part, *step[1]) if len(step) == 2 else strided_view(part, *step)
        results = inner.apply(F, part.copy(), inner_saved)
        if results[0] is None:
            part[...] = 0
        else:
            result = results[0]
            if result.shape != part.shape:
                result = F.sum_to(result, part.shape)
            F.write(part, result)
        return (rest, *results[1:])


def _fitted(F: Namespace, grad: Any, array: Any) -> Any:
    """A gradient in the shape and dtype of the array it belongs to."""
    if grad._array.shape != array.shape:
        grad = F.sum_to(grad, array.shape)
    return grad if grad._array.dtype == array.dtype else F.cast(grad, array.dtype)


def check_in_place(tensor: Any) -> None:
    """Refuses what PyTorch refuses to change in place while a graph is recorded."""
    view = tensor._view
    if view is not None:
        if view.mode != DEFAULT:
            raise RuntimeError(view.refusal(tensor, "is being"))
        view.sync(tensor)
        if view.base._node is None and (tensor._requires_grad or view.base._requires_grad):
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
        if tensor._counter is not None:
            tensor._counter[1:] = [node.name()]  # for the error where the old value was needed
        return
    base = view.base
    outer = _new(CopySlices)
    outer.edges = (edge_of(base), *node.edges[1:])
    outer.sequence = next_sequence()
    outer.saved = (node,)
    outer.versions = ()
    outer.shape = base._array.shape
    outer.dtype = base._array.dtype
    outer.pre_hooks = outer.post_hooks = None
    outer.strides = strides_of(base._array)
    outer.steps = view.steps(base._array, tensor._array)
    outer.inner = node
    base._node = outer
    base._requires_grad = True
    if base._counter is not None:
        base._counter[1:] = [outer.name()]
    view.version = -1
    view.sync(tensor)
