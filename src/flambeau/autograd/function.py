"""Custom operators with a backward of their own: `torch.autograd.Function`."""

from typing import Any, Callable

import numpy as np

from ..core.naming import public
from .anomaly_mode import anomaly, remember
from .engine import compatible, edge_of, shape_of
from .grad_mode import grad_mode
from .node import Namespace, Node, Output, modified, next_sequence, tensors
from .saving import Packed, saving
from .version import remembered_version

ndarray = np.ndarray

apply_inside: Any = None
"""What `Function.apply` does inside of the transforms of `torch.func`: set by them when they are imported."""


@public("torch.autograd.function")
class FunctionCtx:
    """What a custom Function's forward leaves for its backward: saved tensors, marks, and any attributes."""

    def save_for_backward(self, *saved: Any) -> None:
        """Keeps tensors (or None) for the backward; `ctx.saved_tensors` gives them back, checked for in-place changes."""
        self.to_save = saved

    def save_for_forward(self, *saved: Any) -> None:
        """Keeps tensors for forward-mode differentiation, which is not supported: they are only remembered."""
        self.saved_for_forward = saved

    def mark_dirty(self, *changed: Any) -> None:
        """Says which inputs the forward changed in place; they must be returned."""
        self.dirty_tensors = changed

    def mark_non_differentiable(self, *outputs: Any) -> None:
        """Says which outputs have no gradient."""
        self.non_differentiable = outputs

    def set_materialize_grads(self, value: bool) -> None:
        """Whether missing gradients reach the backward as zeros (the default) or as None."""
        self.materialize_grads = value

    to_save: tuple[Any, ...] = ()
    dirty_tensors: tuple[Any, ...] = ()
    non_differentiable: tuple[Any, ...] = ()
    materialize_grads = True


class _FunctionNode(Node, FunctionCtx):
    """The context and the node of one application are the same object, as in PyTorch."""

    __slots__ = ("function", "positions", "input_count")

    spec = ()

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The tensors given to `save_for_backward`. Raises RuntimeError once freed or where one was changed in place."""
        found = []
        for tensor, own, edge in self.unpack():
            if tensor.__class__ is Packed:
                opened = tensor.open()
                if edge is None and own is None:
                    found.append(opened)
                    continue
                tensor = opened._array
                if own is None:
                    rebuilt = tensors.wrap(tensor)
                    rebuilt._node = edge if isinstance(edge, (Node, Output)) else None
                    rebuilt._requires_grad = True
                    found.append(rebuilt if rebuilt._node is not None else edge)
                    continue
            if own is not None:  # an output of this very application: rebuilt, or node and result would form a cycle
                rebuilt = tensors.wrap(tensor)
                rebuilt._node = self if self.outputs == 1 else Output(self, own)
                rebuilt._requires_grad = True
                found.append(rebuilt)
            else:
                found.append(tensor)
        return tuple(found)

    @property
    def needs_input_grad(self) -> tuple[bool, ...]:
        """Per argument of `apply`, whether its gradient is asked for."""
        needed = [False] * self.input_count
        for position, edge in zip(self.positions, self.edges):
            needed[position] = edge is not None
        return tuple(needed)

    def _raise_modified(self, versions: Any, i: int) -> None:
        kept = [entry for entry in self.saved if entry[0] is not None and entry[0].__class__ is not Packed]
        tensor, own, _ = kept[i // 2]
        raise modified(versions, i, getattr(tensor, "_array", tensor), self if own is not None else tensor._node)

    def apply(self, F: Namespace, grad: Any, saved: Any) -> Any:
        grads = [grad] if self.outputs == 1 else grad
        given = []
        shapes = [self.shape] if self.outputs == 1 else self.shape
        dtypes = [self.dtype] if self.outputs == 1 else self.dtype
        for g, shape, dtype in zip(grads, shapes, dtypes):
            if g is None:
                given.append(tensors.wrap(np.zeros(shape, dtype)) if self.materialize_grads else None)
            else:
                given.append(g if F is tensors else tensors.wrap(g))
        mode, grad_mode.enabled = grad_mode.enabled, F is tensors
        try:
            results = self.function.backward(self, *given)
        finally:
            grad_mode.enabled = mode
        if not isinstance(results, tuple):
            results = (results,)
        if len(results) > self.input_count and all(r is None for r in results[self.input_count :]):
            results = results[: self.input_count]
        if len(results) != self.input_count:
            raise RuntimeError(
                f"function {type(self).__name__} returned an incorrect number of gradients (expected {self.input_count}, got "
                f"{len(results)})"
            )
        out: list[Any] = []
        for number, (position, edge) in enumerate(zip(self.positions, self.edges)):
            result = results[position]
            if result is not None and not hasattr(result, "_array"):
                raise RuntimeError(f"expected Variable or None (got {type(result).__name__})")
            if result is None or edge is None:
                out.append(None)
                continue
            wanted = shape_of(edge)
            if result._array.shape != wanted and not compatible(result._array.shape, wanted):
                raise RuntimeError(
                    f"Function {type(self).__name__} returned an invalid gradient at index {number} - got {list(result._array.shape)} but "
                    f"expected shape compatible with {list(wanted)}"
                )
            if F is tensors:
                out.append(result)
            else:  # a view, so that the engine never takes an array that the user may still hold for its own
                out.append(result._array.view())
        return tuple(out)


class _FunctionMeta(type):
    """Makes a node class for every Function class: `ExpBackward` for `Exp`."""

    _backward_cls: type

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> None:
        super().__init__(name, bases, namespace)
        cls._backward_cls = type(f"{name}Backward", (_FunctionNode,), {"__slots__": (), "__module__": cls.__module__})


@public("torch.autograd.function")
class Function(metaclass=_FunctionMeta):
    """Subclass with static methods `forward(ctx, *args)` (or `forward(*args)` and `setup_context(ctx, inputs, output)`)
    and `backward(ctx, *grads)`, which returns one gradient (or None) per argument; call it by `apply`."""

    generate_vmap_rule = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        import warnings

        warnings.warn(
            f"{type(self)} should not be instantiated. Methods on autograd functions are all static, so you should invoke them on the "
            "class itself. Instantiating an autograd function will raise an error in a future version of PyTorch.",
            DeprecationWarning,
            stacklevel=2,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use new-style autograd function with static "
            "forward method. (Example: https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function)"
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """The computation; runs without recording."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Fills the context where `forward` does not take it."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """The gradients of the arguments, given those of the outputs."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with backward mode AD."
        )

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """Forward-mode differentiation: not supported."""
        raise NotImplementedError("You must implement the jvp function for custom autograd.Function to use it with forward mode AD.")

    vjp = backward

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        """The outputs for a batch of arguments, mapped over `in_dims`, and their batch dimensions; `info.batch_size` samples."""
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap staticmethod or set generate_vmap_rule=True."
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Runs the forward and, where an argument needs a gradient, records a node."""
        if apply_inside is not None:
            result = apply_inside(cls, args, kwargs)
            if result is not NotImplemented:
                return result
        node: Any = object.__new__(cls._backward_cls)
        node.function = cls
        node.input_count = len(args)
        node.pre_hooks = node.post_hooks = None
        node.saved, node.versions, node.edges, node.positions = (), (), (), ()
        node.shape = node.dtype = None
        positions = [i for i, a in enumerate(args) if hasattr(a, "_array")]
        recording = grad_mode.enabled
        edges = [edge_of(args[i]) if recording else None for i in positions]
        node.positions, node.edges = tuple(positions), tuple(edges)
        recording = any(e is not None for e in edges)
        mode, grad_mode.enabled = grad_mode.enabled, False
        try:
            if cls.setup_context is not Function.setup_context:
                outputs = cls.forward(*args, **kwargs)
                cls.setup_context(node, args, outputs)
            else:
                outputs = cls.forward(node, *args, **kwargs)
        finally:
            grad_mode.enabled = mode
        single = not isinstance(outputs, tuple)
        results = [outputs] if single else list(outputs)
        if recording:
            results = _connect(node, args, results)
        for dirty in node.dirty_tensors:
            if dirty._counter is None:
                dirty._counter = [1]
            else:
                dirty._counter[0] += 1
        return results[0] if single else tuple(results)


def _connect(node: _FunctionNode, args: tuple[Any, ...], results: list[Any]) -> list[Any]:
    """Makes the node the producer of the results, and keeps what was saved."""
    node.sequence = next_sequence()
    outputs = [r for r in results if hasattr(r, "_array")]
    marked = [id(t) for t in node.non_differentiable]
    dirty = [id(t) for t in node.dirty_tensors]
    by_id = {id(r): i for i, r in enumerate(outputs)}
    inputs = {id(a) for a in args if hasattr(a, "_array")}
    saved: list[Any] = []
    versions: list[Any] = []
    for t in node.to_save:
        if t is None:
            saved.append((None, None, None))
            continue
        if not hasattr(t, "_array"):
            raise TypeError(f"save_for_backward can only save variables, but argument {len(saved)} is of type {type(t).__name__}")
        counter = t._counter or remembered_version(t)
        own = by_id.get(id(t)) if id(t) not in inputs or id(t) in dirty else None
        if saving.hooks:
            saved.append((Packed(t), own, edge_of(t) if own is None else None))
            continue
        saved.append((t._array if own is not None else t, own, None))
        versions += [counter, counter[0] + (1 if id(t) in dirty else 0)]
    node.saved, node.versions, node.to_save = tuple(saved), tuple(versions), ()
    if anomaly.enabled:
        remember(node)
    count = len(outputs)
    if count != 1:
        cls = type(node)
        node.__class__ = type(cls.__name__, (cls,), {"__slots__": (), "outputs": count, "__module__": cls.__module__})
    node.shape = outputs[0]._array.shape if count == 1 else [r._array.shape for r in outputs]
    node.dtype = outputs[0]._array.dtype if count == 1 else [r._array.dtype for r in outputs]
    connected = []
    for r in results:
        if not hasattr(r, "_array"):
            connected.append(r)
            continue
        index = by_id[id(r)]
        if id(r) in inputs and id(r) not in dirty:  # an input handed back: a new tensor over the same memory
            again = tensors.wrap(r._array)
            again._counter = r._counter
            r = again
        if id(r) in marked or r._array.dtype.kind not in "fcV":
            connected.append(r)
            continue
        if id(r) in dirty and r._node is None and r._requires_grad:
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
        if id(r) in dirty and r._view is not None:
            from .views import set_history

            set_history(r, node)
        else:
            r._node = node if count == 1 else Output(node, index)
            r._requires_grad = True
        connected.append(r)
    return connected


def once_differentiable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator for a backward that cannot itself be differentiated: a second derivative through it raises."""
    import functools

    @functools.wraps(function)
    def once(ctx: Any, *grads: Any) -> Any:
        mode, grad_mode.enabled = grad_mode.enabled, False
        try:
            results = function(ctx, *grads)
        finally:
            grad_mode.enabled = mode
        if not mode or not any(g is not None and g.requires_grad for g in grads):
            return results
        many = isinstance(results, tuple)
        refused = [None if r is None else _Refuse.apply(r.detach().requires_grad_()) for r in (results if many else (results,))]
        return tuple(refused) if many else refused[0]

    return once


class _Refuse(Function):
    """Passes a gradient on and refuses to be differentiated."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")
