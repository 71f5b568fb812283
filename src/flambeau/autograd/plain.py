"""The walk of an ordinary `backward()`: over arrays, from the outputs to every leaf. `engine.Walk` does all the others.

It is one loop without calls of its own, because its Python steps are what a training step of a small model costs.
"""

from heapq import heappop, heappush
from typing import Any, Callable, Sequence

import numpy as np

from ..kernels.elementwise import add_gradients, cast
from ..kernels.memory import sum_to
from .node import Node, Output, arrays

native: Callable[..., Any] | None = None
"""The same walk in machine code, where there is a compiler: takes (edges, results, retain_graph)."""

ndarray = np.ndarray
generic = np.generic


def as_array(value: Any) -> Any:
    """A gradient as an array: NumPy gives scalars for 0-dim results. Sparse ones stay as they are."""
    return np.asarray(value) if isinstance(value, generic) else value


def goes_once(array: Any, results: Sequence[Any]) -> bool:
    """Whether an array is one of the results only, and none of them is a view of it."""
    seen = False
    for r in results:
        if r is array:
            if seen:
                return False
            seen = True
        elif r.__class__ is ndarray and r.base is not None and (r.base is array or r.base is array.base):
            return False
    return True


def fitted(grad: Any, shape: Any, dtype: Any) -> Any:
    """A gradient in the shape and dtype of what it goes to: summed over what was broadcast, and cast."""
    if grad.shape != shape:
        grad = sum_to(grad, shape)
    return cast(grad, dtype) if grad.dtype is not dtype and grad.dtype != dtype else grad


def walk(edges: Sequence[Any], results: Sequence[Any], retain_graph: bool, hooks: Any) -> list[list[Any]]:
    """Hands the gradients `results` to `edges` and on to the leaves: [leaf, gradient, owned] each.

    `owned` says of an array that nobody else holds it: it may be added into and given away. `hooks` has the functions that
    call a node's hooks.
    """
    heap: list[int] = []  # the numbers of nodes with a gradient, negated: the latest comes first
    waiting: dict[int, list[Any]] = {}  # [node, gradient, owned], lists of them for a node with several outputs
    leaves: dict[int, list[Any]] = {}
    grad: Any = None
    incoming: Any = False
    if native is not None:
        nodes, found, rest = native(edges, results, retain_graph)
        if rest is None:
            return found
        for entry in nodes:
            number = entry[0].sequence
            waiting[number] = entry
            heappush(heap, -number)
        leaves = {id(entry[0]): entry for entry in found}
        edges, results, grad, incoming = rest
    while True:
        single = len(results) == 1
        for edge, result in zip(edges, results):
            if edge is None or result is None:
                continue
            # An array that the formula made is ours to add into, and so is the gradient that came in if it was ours,
            # unless it goes to several inputs, or another of the results is a view of it.
            owned = incoming if result is grad else result.__class__ is ndarray and result.base is None
            if owned and grad.__class__ is list and any(result is g for g in grad):
                owned = False
            if owned and not single:
                owned = goes_once(result, results)
            if result.__class__ is not ndarray:
                result = as_array(result)
            several = False
            if isinstance(edge, Node):
                shape, dtype, number = edge.shape, edge.dtype, edge.sequence
                entry = waiting.get(number)
                if entry is None:
                    heappush(heap, -number)
            elif edge.__class__ is Output:
                several, index, edge = True, edge.index, edge.node
                shape, dtype, number = edge.shape[index], edge.dtype[index], edge.sequence
                entry = waiting.get(number)
                if entry is None:
                    count = edge.outputs
                    entry = waiting[number] = [edge, [None] * count, [False] * count]
                    heappush(heap, -number)
            else:
                array = edge._array
                shape, dtype, number = array.shape, array.dtype, -1
                entry = leaves.get(id(edge))
            if result.shape != shape or result.dtype is not dtype and result.dtype != dtype:
                given = result
                result = fitted(result, shape, dtype)
                if result is not given:  # where only sizes of one come or go, it is a view of what came
                    owned = result.base is None or result.base is not given and result.base is not given.base
            if several:
                held = entry[1][index]
                if held is None:
                    entry[1][index], entry[2][index] = result, owned
                else:
                    entry[1][index], entry[2][index] = as_array(add_gradients(held, result)), True
            elif entry is None:
                if number < 0:
                    leaves[id(edge)] = [edge, result, owned]
                else:
                    waiting[number] = [edge, result, owned]
            elif entry[2]:
                add_gradients(entry[1], result, entry[1])
            else:
                entry[1], entry[2] = as_array(add_gradients(entry[1], result)), True
        if not heap:
            return list(leaves.values())
        node, grad, incoming = waiting.pop(-heappop(heap))
        if node.pre_hooks is not None:
            grads = [grad] if node.outputs == 1 else grad
            hooks.call_pre_hooks(node, grads)
            grad, incoming = (grads[0], False) if node.outputs == 1 else (grads, incoming)
        if incoming.__class__ is list:
            incoming = False
        saved = node.saved
        if saved is None or node.versions:
            saved = node.unpack()
        edges = node.edges
        try:
            results = node.apply(arrays, grad, saved)
        except NotImplementedError as error:
            results = hooks.apply_to_sparse(node, grad, saved, error)
        if node.post_hooks is not None:
            results = hooks.call_post_hooks(node, results, [grad] if node.outputs == 1 else grad)
        if saved and not retain_graph:
            node.saved = None
