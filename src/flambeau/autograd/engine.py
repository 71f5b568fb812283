"""The backward walk: nodes in reverse order of creation, each handed the gradient of its output.

The walk knows no operator. It adds and fits gradients by kernels in an ordinary backward, and by `add`, `sum_to` and `cast`
of the namespace `tensors` where the walk itself is recorded (`create_graph`).
"""

from functools import lru_cache
from heapq import heappop, heappush
from typing import Any, NamedTuple, Sequence

import numpy as np

from ..kernels.elementwise import add_gradients, cast
from ..kernels.memory import clone_like, copy_of, sum_to, summed_dims
from ..kernels.quiet import SILENT, restore, silence
from . import plain
from .anomaly_mode import anomaly, report
from .grad_mode import grad_mode
from .node import AccumulateGrad, Namespace, Node, Output, arrays, tensors

ndarray = np.ndarray
as_array = plain.as_array


class Pending:
    """Gradients on their way to one target: a node with several outputs, or a leaf. A node with one has a list instead."""

    __slots__ = ("target", "grads", "owned")

    def __init__(self, target: Any, outputs: int) -> None:
        self.target = target
        self.grads: list[Any] = [None] * outputs
        self.owned = [False] * outputs


class GradientEdge(NamedTuple):
    """Where a gradient goes: a node, and the number of its output."""

    node: Node
    output_nr: int
    ownership_token: Any = None


GradientEdge.__module__ = "torch.autograd.graph"


class Walk:
    """One backward pass: what waits for nodes and leaves, and the loop that hands it on.

    `nodes` maps a node's number to what waits for it; `heap` holds the numbers, negated, so that the latest comes first.
    `owned` says of an array that nobody else holds it, so that the engine may add into it or give it away.
    """

    def __init__(self, create_graph: bool, retain_graph: bool) -> None:
        self.create_graph = create_graph
        self.retain_graph = retain_graph
        self.F: Namespace = tensors if create_graph else arrays
        self.heap: list[int] = []
        self.nodes: dict[int, Pending] = {}
        self.leaves: dict[int, Pending] = {}
        self.needed: set[int] | None = None  # numbers of nodes, where only some matter
        self.stops: set[int] = set()  # of these, the ones behind which nothing matters
        self.wanted: set[tuple[int, int]] = set()  # (number, output) whose gradient is asked for
        self.captured: dict[tuple[int, int], Any] = {}
        self.roots: Sequence[Any] = ()

    def deliver(self, edge: Any, grad: Any, owned: bool) -> None:
        """Adds a gradient to what waits for the edge's target, in the target's shape and dtype."""
        index = 0
        if edge.__class__ is Output:
            edge, index = edge.node, edge.index
        if isinstance(edge, Node):
            number = edge.sequence
            if self.needed is not None and number not in self.needed:
                return
            pending = self.nodes.get(number)
            if edge.outputs == 1:
                shape, dtype = edge.shape, edge.dtype
            else:
                shape, dtype = edge.shape[index], edge.dtype[index]
            if pending is None:
                pending = self.nodes[number] = Pending(edge, edge.outputs)
                heappush(self.heap, -number)
        else:
            pending = self.leaves.get(id(edge))
            array = edge._array
            shape, dtype = array.shape, array.dtype
            if pending is None:
                pending = self.leaves[id(edge)] = Pending(edge, 1)
        grads = pending.grads
        held = grads[index]
        if self.create_graph:
            if grad._array.shape != shape:
                summed_dims(tuple(grad._array.shape), shape)  # raises where no broadcasting made it
                grad = tensors.sum_to(grad, shape)
            if grad._array.dtype != dtype:
                grad = tensors.cast(grad, dtype)
            grads[index] = grad if held is None else tensors.add(held, grad)
            return
        if grad.__class__ is not ndarray:
            grad = as_array(grad)
        if grad.shape != shape:
            grad, owned = sum_to(grad, shape), True
        if grad.dtype is not dtype and grad.dtype != dtype:
            grad, owned = cast(grad, dtype), True
        if held is None:
            grads[index] = grad
            pending.owned[index] = owned
        elif pending.owned[index]:
            add_gradients(held, grad, held)
        else:
            grads[index] = as_array(add_gradients(held, grad))
            pending.owned[index] = True

    def run(self) -> None:
        """Walks until no node waits; the gradients of the leaves are then complete in `leaves`."""
        heap, nodes, F = self.heap, self.nodes, self.F
        create_graph, retain_graph = self.create_graph, self.retain_graph
        deliver = self.deliver
        while heap:
            pending = nodes.pop(-heappop(heap))
            node = pending.target
            grads_in = pending.grads
            if node.pre_hooks is not None:
                self.call_tensor_hooks(node, grads_in)
            if self.wanted and self.capture(node, grads_in):
                continue
            if node.pre_hooks is not None:
                self.call_node_pre_hooks(node, grads_in)
            grad = grads_in[0] if node.outputs == 1 else grads_in
            if anomaly.enabled:
                results = self.apply_watched(node, grad)
            else:
                saved = node.saved
                if saved is None or node.versions:
                    saved = node.unpack()
                if create_graph and node.spec:
                    saved = rebuild_saved(node, saved)
                try:
                    results = node.apply(F, grad, saved)
                except NotImplementedError as error:
                    results = self.apply_to_sparse(node, grad, saved, error)
            if node.post_hooks is not None:
                results = self.call_post_hooks(node, results, grads_in)
            if not retain_graph and node.saved:
                node.saved = None
            incoming = node.outputs == 1 and pending.owned[0]
            if node.pre_hooks is not None or self.wanted:  # a hook, or the caller, may keep what came in
                incoming = False
            for edge, result in zip(node.edges, results):
                if edge is None or result is None:
                    continue
                # An array that the formula made is the engine's to add into, and so is the gradient that came in if it was
                # ours, unless it goes to several inputs, or another of the results is a view of it.
                owned = incoming if result is grad else result.__class__ is ndarray and result.base is None
                deliver(edge, result, owned and plain.goes_once(result, results))

    def apply_to_sparse(self, node: Node, grad: Any, saved: Any, error: Exception) -> Any:
        """What a node gives that has failed with `error` on a sparse gradient: its formula over Tensors. Raises `error` on any other."""
        given = grad if grad.__class__ is list else [grad]
        if self.create_graph or not any(hasattr(g, "layout") for g in given):
            raise error
        wrapped = [g if g is None else tensors.wrap(g) for g in given]
        results = node.apply(tensors, wrapped if grad.__class__ is list else wrapped[0], rebuild_saved(node, saved))
        return [getattr(r, "_array", r) for r in results]

    def apply_watched(self, node: Node, grad: Any) -> Any:
        """What the node gives, under anomaly detection: a failure or NaN is reported with the forward call it belongs to."""
        parent, anomaly.parent = anomaly.parent, node
        try:
            saved = node.unpack()
            if self.create_graph and node.spec:
                saved = rebuild_saved(node, saved)
            results = node.apply(self.F, grad, saved)
            if anomaly.check_nan:
                for i, result in enumerate(results):
                    array = getattr(result, "_array", result)
                    if array is not None and array.dtype.kind in "fcV" and np.isnan(array).any():
                        raise RuntimeError(f"Function '{node.name()}' returned nan values in its {i}th output.")
            return results
        except Exception:
            report(node)
            raise
        finally:
            anomaly.parent = parent

    def will_run(self, node: Node) -> bool:
        """Whether the walk comes past a node (or an accumulator of a leaf)."""
        reached = self.__dict__.get("reached")
        if reached is None:
            reached = self.__dict__["reached"] = set()
            stack = [_node_of(r) for r in self.roots]
            while stack:
                target = stack.pop()
                if target is not None and id(target) not in reached:
                    reached.add(id(target))
                    if isinstance(target, Node) and (self.needed is None or target.sequence in self.needed):
                        stack += [_node_of(e) for e in target.edges]
        return id(node.variable if node.__class__ is AccumulateGrad else node) in reached

    def capture(self, node: Node, grads: list[Any]) -> bool:
        """Keeps the gradients asked for at this node; True if nothing behind it is needed."""
        for index, grad in enumerate(grads):
            if (node.sequence, index) in self.wanted:
                self.captured[node.sequence, index] = grad
        return self.needed is not None and node.sequence in self.stops

    def restrict(self, roots: Sequence[Any], targets: Sequence[Any]) -> None:
        """Limits the walk to the nodes on a path from the roots to the targets (edges)."""
        leaves = {id(t) for t in targets if not isinstance(t, (Node, Output))}
        for t in targets:
            if isinstance(t, Output):
                self.wanted.add((t.node.sequence, t.index))
            elif isinstance(t, Node):
                self.wanted.add((t.sequence, 0))
        ends = {sequence for sequence, _ in self.wanted}
        by_number: dict[int, Node] = {}
        stack = [_node_of(r) for r in roots]
        while stack:
            node = stack.pop()
            if isinstance(node, Node) and node.sequence not in by_number:
                by_number[node.sequence] = node
                stack.extend(_node_of(e) for e in node.edges if e is not None)
        behind: set[int] = set()
        for sequence in sorted(by_number):
            for e in by_number[sequence].edges:
                target = _node_of(e)
                if isinstance(target, Node):
                    if target.sequence in behind or target.sequence in ends:
                        behind.add(sequence)
                elif target is not None and id(target) in leaves:
                    behind.add(sequence)
        self.needed = behind | ends
        self.stops = ends - behind

    def call_pre_hooks(self, node: Node, grads: list[Any]) -> None:
        """All hooks that come before a node."""
        self.call_tensor_hooks(node, grads)
        self.call_node_pre_hooks(node, grads)

    def call_tensor_hooks(self, node: Node, grads: list[Any]) -> None:
        """Hooks of the tensors that the node made; those of `retain_grad`, under negative numbers, come last."""
        hooks = list(node.pre_hooks.values())
        last: list[Any] = []
        for index, hook in hooks:
            if index is None:
                continue
            if index < 0:
                last.append((~index, hook))
            elif grads[index] is not None:
                grad = self.as_tensor(grads[index])
                replaced = hook(grad)
                if replaced is not None:
                    grads[index] = self.from_tensor(hook_result(hook, replaced, grad))
        for index, hook in last:
            if grads[index] is not None:
                hook(tensors.wrap(copy_of(grads[index])) if not self.create_graph else grads[index])

    def call_node_pre_hooks(self, node: Node, grads: list[Any]) -> None:
        """Hooks of the node itself."""
        for index, hook in list(node.pre_hooks.values()):
            if index is None:
                replaced = hook(tuple(self.as_tensor(g) for g in grads))
                if replaced is not None:
                    replaced = replaced if isinstance(replaced, tuple) else (replaced,)
                    grads[:] = [self.from_tensor(g) for g in replaced]

    def call_post_hooks(self, node: Node, results: Any, grads: list[Any]) -> Any:
        for hook in list(node.post_hooks.values()):
            replaced = hook(tuple(self.as_tensor(g) for g in results), tuple(self.as_tensor(g) for g in grads))
            if replaced is not None:
                results = tuple(self.from_tensor(g) for g in (replaced if isinstance(replaced, tuple) else (replaced,)))
        return results

    def as_tensor(self, grad: Any) -> Any:
        return grad if grad is None or self.create_graph else tensors.wrap(as_array(grad))

    def from_tensor(self, grad: Any) -> Any:
        return grad if grad is None or self.create_graph else grad._array

    def finish_leaf(self, pending: Pending) -> Any:
        """The complete gradient of a leaf, as a Tensor of its own, after the leaf's hooks."""
        leaf, grad = pending.target, pending.grads[0]
        if self.create_graph:
            result = grad
        else:
            try:
                if not pending.owned[0] or grad.strides != leaf._array.strides:
                    grad = clone_like(grad, leaf._array)
            except NotImplementedError:  # the leaf is sparse
                pass
            result = tensors.wrap(grad)
        if leaf._hooks is not None:
            mode, outer = grad_mode.enabled, grad_mode.walk
            grad_mode.enabled, grad_mode.walk = self.create_graph, self
            try:
                for hook in list(leaf._hooks.values()):
                    replaced = hook(result)
                    if replaced is not None:
                        result = hook_result(hook, replaced, result)
            finally:
                grad_mode.enabled, grad_mode.walk = mode, outer
        return result


def hook_result(hook: Any, replaced: Any, grad: Any) -> Any:
    """What a tensor's hook has returned in place of the gradient. Raises where it cannot stand for it."""
    name = getattr(hook, "__name__", "<unknown>")
    if not hasattr(replaced, "_array"):
        raise TypeError(f"expected Variable, but hook returned '{type(replaced).__name__}'")
    if replaced._array.dtype != grad._array.dtype:
        raise RuntimeError(f"hook '{name}' has changed the type of value (was {grad.type()} got {replaced.type()})")
    if replaced._array.shape != grad._array.shape:
        raise RuntimeError(f"hook '{name}' has changed the size of value")
    return replaced


def shape_of(edge: Any) -> tuple[int, ...]:
    """The shape of the gradient that an edge takes."""
    if edge.__class__ is Output:
        return edge.node.shape[edge.index]
    return edge.shape if isinstance(edge, Node) else edge._array.shape


def compatible(wide: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether a gradient of shape `wide` can be summed to `shape`."""
    lead = len(wide) - len(shape)
    return lead >= 0 and all(n == 1 or n == m for n, m in zip(shape[::-1], wide[::-1]))


def _node_of(edge: Any) -> Any:
    return edge.node if edge.__class__ is Output else edge


def rebuild_saved(node: Node, saved: Any) -> list[Any]:
    """What a node saved, as Tensors that stand where they stood in the graph."""
    rebuilt = []
    for (_, kind, number), value in zip(node.spec, saved):
        if kind == "value" or value is None:
            rebuilt.append(value)
        elif kind == "result":
            # Of a node with one output, the results behind the first are hidden: they have no place in the graph.
            edge = Output(node, number) if node.outputs != 1 else node if number == 0 else None
            rebuilt.append(_attach(value, edge))
        elif kind == "list":
            rebuilt.append([_attach(v, e) for v, e in zip(value, node.edges[number : number + len(value)])])
        else:
            rebuilt.append(_attach(value, node.edges[number] if 0 <= number < len(node.edges) else None))
    return rebuilt


def _attach(array: Any, edge: Any) -> Any:
    """A Tensor over a saved array, with the edge that its producer had."""
    if not isinstance(array, ndarray) and not hasattr(array, "layout"):
        return array
    if edge is not None and not isinstance(edge, (Node, Output)):
        return edge if edge._array is array else tensors.cast(edge, array.dtype)
    tensor = tensors.wrap(array)
    if edge is not None and array.dtype.kind in "fcV":
        tensor._node = edge
        tensor._requires_grad = True
    return tensor


@lru_cache(64)
def one(shape: tuple[int, ...], dtype: Any) -> Any:
    """The gradient of a scalar with respect to itself; never written into."""
    array = np.ones(shape, dtype)
    array.flags.writeable = False
    return array


def edge_of(tensor: Any) -> Any:
    """Where the gradient of a tensor goes: its node, or itself if it is a leaf that requires one; else None."""
    if tensor._view is not None:
        tensor._view.sync(tensor)
    if not tensor._requires_grad:
        return None
    return tensor._node or tensor


def first_gradient(given: Any) -> Any:
    """The gradient of one output, given in a list or tuple. Raises TypeError where it is no tensor."""
    values = tuple(given)
    if not values:
        raise RuntimeError("got 1 tensors and 0 gradients")
    if values[0] is not None and not hasattr(values[0], "_array"):
        raise TypeError(f"gradients can be either Tensors or None, but got {type(values[0]).__name__}")
    return values[0]


def start_gradients(outputs: Sequence[Any], gradients: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Pairs of edge and first gradient, checked as PyTorch checks them."""
    starts = []
    for i, (output, gradient) in enumerate(zip(outputs, gradients)):
        if output.__class__ is GradientEdge:
            starts.append(start_at_edge(output, gradient))
            continue
        if gradient is None:
            if not output.requires_grad:
                raise RuntimeError(f"element {i} of tensors does not require grad and does not have a grad_fn")
            if output._array.size != 1:
                raise RuntimeError("grad can be implicitly created only for scalar outputs")
            if not output.dtype.is_floating_point:
                raise RuntimeError(f"grad can be implicitly created only for real scalar outputs but got {output.dtype}")
            gradient = tensors.wrap(one(output._array.shape, output._array.dtype))
        else:
            if gradient._array.shape != output._array.shape:
                raise RuntimeError(
                    f"Mismatch in shape: grad_output[{i}] has a shape of {gradient.shape} and output[{i}] has a shape of {output.shape}."
                )
            if output.dtype.is_complex != gradient.dtype.is_complex:
                raise RuntimeError(
                    "For complex Tensors, both grad_output and output are required to have the same dtype. "
                    f"Mismatch in dtype: grad_output[{i}] has a dtype of {gradient.dtype} and output[{i}] has a dtype of {output.dtype}."
                )
        edge = edge_of(output)
        if edge is None:
            raise RuntimeError(f"element {i} of tensors does not require grad and does not have a grad_fn")
        starts.append((edge, gradient))
    return starts


def start_at_edge(edge: GradientEdge, gradient: Any) -> tuple[Any, Any]:
    """The first gradient for an edge in place of an output."""
    node, number = edge.node, edge.output_nr
    if gradient is None:
        shape, dtype = (node.shape, node.dtype) if node.outputs == 1 else (node.shape[number], node.dtype[number])
        if np.prod(shape) != 1:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
        gradient = tensors.wrap(one(tuple(shape), dtype))
    return target_of(edge), gradient


def target_of(tensor: Any) -> Any:
    """`edge_of` a Tensor or of a GradientEdge. Raises RuntimeError where no gradient goes there."""
    if tensor.__class__ is GradientEdge:
        node = tensor.node
        if node.__class__ is AccumulateGrad:
            return node.variable
        return node if node.outputs == 1 else Output(node, tensor.output_nr)
    edge = edge_of(tensor)
    if edge is None:
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    return edge


def walk_back(starts: Sequence[tuple[Any, Any]], retain_graph: bool, create_graph: bool, targets: Sequence[Any] | None = None) -> Walk:
    """Runs a walk from the starts; with `targets` (edges), only towards these."""
    walk = Walk(create_graph, retain_graph)
    if targets is not None:
        walk.restrict([edge for edge, _ in starts], targets)
    walk.roots = [edge for edge, _ in starts]
    mode, outer = grad_mode.enabled, grad_mode.walk
    grad_mode.enabled, grad_mode.walk = create_graph, walk
    token = silence(SILENT)
    try:
        for edge, gradient in starts:
            walk.deliver(edge, gradient if create_graph else gradient._array, False)
        walk.run()
    finally:
        restore(token)
        grad_mode.enabled, grad_mode.walk = mode, outer
    return walk


def accumulate(walk: Walk, only: set[int] | None = None) -> None:
    """Adds the gradients of a finished walk into `.grad` of its leaves."""
    mode, outer = grad_mode.enabled, grad_mode.walk
    grad_mode.enabled, grad_mode.walk = walk.create_graph, walk
    try:
        for key, pending in walk.leaves.items():
            if only is None or key in only:
                accumulate_leaf(walk, pending)
    finally:
        grad_mode.enabled, grad_mode.walk = mode, outer


def accumulate_leaf(walk: Walk, pending: Pending) -> None:
    """Adds one leaf's gradient into its `.grad`, in place unless this is recorded, and calls all its hooks in order."""
    leaf, held = pending.target, pending.target._grad
    node = leaf.__dict__.get("_accumulator_hooks")
    grad = walk.finish_leaf(pending)
    if node is not None and node.pre_hooks is not None:
        grads = [grad if walk.create_graph else grad._array]
        walk.call_pre_hooks(node, grads)
        grad = grads[0] if walk.create_graph else tensors.wrap(grads[0])
    if held is None:
        if walk.create_graph and grad.is_sparse:
            leaf._grad = grad.clone()
        elif walk.create_graph:  # what the graph holds stays apart from what the user may change
            copy = tensors.wrap(np.empty_like(leaf._array))
            copy.copy_(grad)
            leaf._grad = copy
        else:
            leaf._grad = grad
    elif walk.create_graph:
        leaf._grad = tensors.add(held, grad)
    else:
        add_into(held, grad._array)
    hooks = leaf.__dict__.get("_post_accumulate_grad_hooks")
    if hooks:
        for hook in list(hooks.values()):
            hook(leaf)
    if node is not None and node.post_hooks is not None:
        walk.call_post_hooks(node, (), [grad if walk.create_graph else grad._array])


def add_into(held: Any, grad: Any) -> None:
    """Adds into the gradient that a leaf holds. A sparse one becomes dense where a dense one comes."""
    try:
        add_gradients(held._array, grad, held._array)
    except NotImplementedError:
        held._array = add_gradients(held._array, grad)
    if held._counter is not None:
        held._counter[0] += 1


def run_backward(
    outputs: Sequence[Any], gradients: Sequence[Any], retain_graph: bool | None, create_graph: bool, inputs: Sequence[Any] | None
) -> None:
    """Accumulates the gradients of the outputs' weighted sum into the leaves (or only into `inputs`)."""
    starts = start_gradients(outputs, gradients)
    keep = create_graph if retain_graph is None else retain_graph
    first = outputs[0]
    if not create_graph and first.__class__ is not GradientEdge and first._array.__class__ is not ndarray and first.is_meta:
        only = None if inputs is None else {id(t) for t in inputs}
        without_memory().accumulate([edge for edge, _ in starts], keep, only)
        return
    if inputs is None and not create_graph and not anomaly.enabled:
        accumulate_plain(starts, keep)
        return
    if inputs is None:
        accumulate(walk_back(starts, keep, create_graph))
        return
    targets = [target_of(t) for t in inputs]
    for tensor, target in zip(inputs, targets):
        if isinstance(target, (Node, Output)) and tensor.__class__ is not GradientEdge:
            tensor.retain_grad()
    accumulate(walk_back(starts, keep, create_graph, targets), {id(t) for t in targets})


def without_memory() -> Any:
    """The module for backwards on the device meta, imported when there is one."""
    from . import without_memory as module

    return module


def accumulate_plain(starts: Sequence[tuple[Any, Any]], retain_graph: bool) -> None:
    """An ordinary backward: walks over arrays and adds what arrives into `.grad` of the leaves."""
    mode, outer = grad_mode.enabled, grad_mode.walk
    roots = [edge for edge, _ in starts]
    grad_mode.enabled, grad_mode.walk = False, PlainWalk(roots)
    token = silence(SILENT)
    try:
        found = plain.walk(roots, [g._array for _, g in starts], retain_graph, grad_mode.walk)
        for leaf, grad, owned in found:
            held = leaf._grad
            if leaf._hooks is not None or leaf.__dict__:
                pending = Pending(leaf, 1)
                pending.grads[0], pending.owned[0] = grad, owned
                accumulate_leaf(grad_mode.walk, pending)
            elif held is None:
                try:
                    if not owned or grad.strides != leaf._array.strides:
                        grad = clone_like(grad, leaf._array)
                except NotImplementedError:  # the leaf is sparse
                    pass
                leaf._grad = tensors.wrap(grad)
            else:
                try:
                    add_gradients(held._array, grad, held._array)
                except NotImplementedError:  # sparse
                    held._array = add_gradients(held._array, grad)
                if held._counter is not None:
                    held._counter[0] += 1
    finally:
        restore(token)
        grad_mode.enabled, grad_mode.walk = mode, outer


class PlainWalk(Walk):
    """Stands for the walk of `plain`: calls its hooks, and tells one walk from another."""

    create_graph = False
    needed = None

    def __init__(self, roots: Sequence[Any]) -> None:
        self.roots = roots


def gradients_of(
    outputs: Sequence[Any], inputs: Sequence[Any], gradients: Sequence[Any], retain_graph: bool | None, create_graph: bool
) -> list[Any]:
    """The gradients with respect to `inputs` (None where an input is not reached)."""
    starts = start_gradients(outputs, gradients)
    keep = create_graph if retain_graph is None else retain_graph
    targets = [target_of(t) for t in inputs]
    first = outputs[0]
    if not create_graph and first.__class__ is not GradientEdge and first._array.__class__ is not ndarray and first.is_meta:
        return without_memory().gradients([edge for edge, _ in starts], inputs, targets, keep)
    walk = walk_back(starts, keep, create_graph, targets)
    results: list[Any] = []
    for target in targets:
        if isinstance(target, (Node, Output)):
            grad = walk.captured.get((_node_of(target).sequence, getattr(target, "index", 0)))
            results.append(grad if grad is None or create_graph else tensors.wrap(copy_of(grad)))
        else:
            pending = walk.leaves.get(id(target))
            results.append(None if pending is None else walk.finish_leaf(pending))
    return results
