"""`torch.autograd.graph`: nodes and edges of the graph, and hooks on what it saves."""

import threading
from typing import Any, Callable, Sequence

from ..core.hooks import RemovableHandle
from ..core.naming import public
from .engine import GradientEdge, edge_of
from .grad_mode import grad_mode
from .node import Node, accumulator
from .saving import pack_node, saving

__all__ = [
    "saved_tensors_hooks", "save_on_cpu", "disable_saved_tensors_hooks", "register_multi_grad_hook", "allow_mutation_on_saved_tensors",
    "Node", "GradientEdge", "get_gradient_edge", "increment_version",
]  # fmt: skip


def get_gradient_edge(tensor: Any) -> GradientEdge:
    """The edge that the gradient of the tensor takes, which `autograd.grad` and `backward` accept in place of the tensor."""
    if not tensor.requires_grad:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    return GradientEdge(_node_of(tensor), tensor.output_nr)


def _node_of(tensor: Any) -> Node:
    if isinstance(tensor, GradientEdge):
        return tensor.node
    edge = edge_of(tensor)
    return accumulator(tensor) if edge is tensor else tensor.grad_fn


def increment_version(tensor: Any) -> None:
    """Counts an in-place change of the tensor (or of each of several) that autograd did not see."""
    for t in [tensor] if hasattr(tensor, "_array") else tensor:
        if t._counter is None:
            t._counter = [1]
        else:
            t._counter[0] += 1


@public("torch.autograd.graph")
class saved_tensors_hooks:
    """Context manager: what operators save inside goes through `pack_hook`, and comes back through `unpack_hook`.

    `pack_hook(tensor)` may return anything; `unpack_hook` gets that, and must return a tensor with the same content.
    """

    def __init__(self, pack_hook: Callable[[Any], Any], unpack_hook: Callable[[Any], Any]) -> None:
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook

    def __enter__(self) -> None:
        from ..ops.modes import watch_nodes

        if saving.forbidden is not None:
            raise RuntimeError(saving.forbidden)
        if not saving.hooks:
            watch_nodes(pack_node)
        saving.hooks.append((self.pack_hook, self.unpack_hook))

    def __exit__(self, *exception: object) -> None:
        from ..ops.modes import stop_watching_nodes

        saving.hooks.pop()
        if not saving.hooks:
            stop_watching_nodes(pack_node)


@public("torch.autograd.graph")
class save_on_cpu(saved_tensors_hooks):
    """Context manager: saved tensors are kept on the CPU. All tensors are there already, so each is kept as it is.

    Raises RuntimeError for `pin_memory`, which needs an accelerator.
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        if pin_memory:
            raise RuntimeError("Cannot access accelerator device when none is available.")
        super().__init__(lambda tensor: (tensor.device, tensor), lambda packed: packed[1].to(packed[0]))


@public("torch.autograd.graph")
class disable_saved_tensors_hooks:
    """Context manager and decorator: entering `saved_tensors_hooks` inside raises RuntimeError with `error_message`."""

    def __init__(self, error_message: str) -> None:
        self.error_message = error_message
        self.previous: list[str | None] = []

    def __enter__(self) -> None:
        if saving.hooks:
            raise RuntimeError(self.error_message)
        self.previous.append(saving.forbidden)
        saving.forbidden = self.error_message

    def __exit__(self, *exception: object) -> None:
        saving.forbidden = self.previous.pop()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        import functools

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with type(self)(self.error_message):
                return function(*args, **kwargs)

        return inside


class _MultiHandle(RemovableHandle):
    """Takes several hooks back at once."""

    def __init__(self, handles: Sequence[RemovableHandle]) -> None:
        self.handles = tuple(handles)

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()

    def __getstate__(self) -> Any:
        return self.handles

    def __setstate__(self, state: Any) -> None:
        self.handles = state


def register_multi_grad_hook(tensors: Sequence[Any], fn: Callable[..., None], *, mode: str = "all") -> RemovableHandle:
    """Calls `fn` once per backward, when gradients of the tensors are there.

    `mode="all"`: `fn(grads)` with a gradient or None per tensor, after the last of them that this backward computes.
    `mode="any"`: `fn(grad)` with the first one. Raises RuntimeError where one of several tensors (in mode "all") requires no gradient.
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    lock = threading.Lock()
    if mode == "any":
        seen: dict[int, Any] = {}

        def first(grad: Any) -> None:
            walk = grad_mode.walk
            with lock:
                known, seen[0] = seen.get(0) is walk, walk
            if not known:
                fn(grad)

        return _MultiHandle([t.register_hook(first) for t in tensors if t.requires_grad])
    import weakref

    waiting: Any = weakref.WeakKeyDictionary()
    nodes = [_node_of(t) for t in tensors]

    def hook_of(index: int) -> Callable[[Any], None]:
        def hook(grad: Any) -> None:
            walk = grad_mode.walk
            with lock:
                state = waiting.get(walk)
                if state is None:
                    expected = sum(1 for node in nodes if walk.will_run(node))
                    state = waiting[walk] = [expected, [None] * len(nodes)]
                state[1][index] = grad
                state[0] -= 1
            if state[0] == 0:
                fn(state[1])

        return hook

    return _MultiHandle([t.register_hook(hook_of(i)) for i, t in enumerate(tensors)])


class allow_mutation_on_saved_tensors:
    """Not supported: saved tensors are never copied before a change in place. Entering raises NotImplementedError."""

    def __enter__(self) -> Any:
        raise NotImplementedError(
            "flambeau does not support torch.autograd.graph.allow_mutation_on_saved_tensors: clone the tensor before changing it"
        )

    def __exit__(self, *exception: object) -> None:
        pass
