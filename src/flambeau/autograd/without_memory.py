"""Backward on the device meta: there is nothing to compute, and a gradient has the shape and dtype of what it belongs to."""

from typing import Any, Sequence

from ..core.meta import MetaArray
from .node import Output, tensors


def reached(roots: Sequence[Any], retain_graph: bool) -> tuple[dict[int, Any], set[int]]:
    """The leaves that a backward from these edges comes to, by id, and the ids of the nodes on the way.

    Frees what the nodes hold unless `retain_graph`. Raises RuntimeError where an earlier backward has freed it.
    """
    leaves: dict[int, Any] = {}
    nodes: set[int] = set()
    waiting = list(roots)
    while waiting:
        edge = waiting.pop()
        if edge is None:
            continue
        node = edge.node if edge.__class__ is Output else edge
        if not hasattr(node, "edges"):
            leaves[id(node)] = node
            continue
        if id(node) in nodes:
            continue
        nodes.add(id(node))
        if node.saved is None:
            node.unpack()
        waiting.extend(node.edges)
        if not retain_graph:
            node.saved = None
    return leaves, nodes


def gradient_like(tensor: Any) -> Any:
    """A tensor without memory in the shape and dtype of another."""
    return tensors.wrap(MetaArray(tensor._array.shape, tensor._array.dtype))


def accumulate(roots: Sequence[Any], retain_graph: bool, only: set[int] | None) -> None:
    """Gives every leaf that is reached (or only those whose id is named) a gradient, and calls the hooks that wait for it."""
    for number, leaf in reached(roots, retain_graph)[0].items():
        if only is not None and number not in only:
            continue
        if leaf._grad is None:
            leaf._grad = gradient_like(leaf)
        hooks = leaf.__dict__.get("_post_accumulate_grad_hooks")
        for hook in list(hooks.values()) if hooks else ():
            hook(leaf)


def gradients(roots: Sequence[Any], inputs: Sequence[Any], targets: Sequence[Any], retain_graph: bool) -> list[Any]:
    """A gradient for each input that is reached, None for the others."""
    leaves, nodes = reached(roots, retain_graph)
    found = [id(t.node if t.__class__ is Output else t) for t in targets]
    return [gradient_like(tensor) if number in leaves or number in nodes else None for tensor, number in zip(inputs, found)]
