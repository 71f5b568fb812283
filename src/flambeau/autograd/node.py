"""The nodes of the graph: what an operator's result remembers so that gradients can flow back.

An edge points at what produced an input: a `Node`, one `Output` of a node with several, or a leaf Tensor itself.
A node never holds its own result as a Tensor, or the two would form a cycle and wait for the garbage collector.
"""

import itertools
from typing import TYPE_CHECKING, Any, Callable

next_sequence = itertools.count(1).__next__
"""Numbers nodes in order of creation; inputs come before what is made of them, so the engine walks numbers downwards."""


class Namespace:
    """The functions a backward formula may call, by name."""

    def __init__(self, **functions: Callable[..., Any]) -> None:
        self.__dict__.update(functions)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Callable[..., Any]: ...

        def __setattr__(self, name: str, value: Callable[..., Any]) -> None: ...


arrays = Namespace()
"""Functions over arrays: an ordinary `backward()`. Filled by the operators' definitions."""

tensors = Namespace()
"""The same names over Tensors: `create_graph=True`, where the formulas themselves are recorded."""


class Output:
    """Output number `index` of a node with several."""

    __slots__ = ("node", "index")

    def __init__(self, node: "Node", index: int) -> None:
        self.node = node
        self.index = index


class Node:
    """One recorded operation. Each operator has a subclass, called as PyTorch calls it (`MulBackward0`).

    Fields: `sequence`; `edges`, one per differentiable input (None where it needs no gradient); `saved`, what the
    formula takes (None once freed); `versions`, alternating version counters and their values when saved; `shape` and
    `dtype` of the output (lists of them where `outputs` > 1).
    """

    __slots__ = ("sequence", "edges", "saved", "versions", "shape", "dtype", "pre_hooks", "post_hooks", "__dict__", "__weakref__")

    sequence: int
    edges: Any
    saved: Any
    versions: Any
    shape: Any
    dtype: Any
    pre_hooks: Any
    post_hooks: Any

    outputs = 1
    spec: tuple[tuple[str, str, int], ...] = ()
    """Per saved value: its name, its kind (`input`, `result`, `value`), and the number of that input or result."""

    def apply(self, F: Namespace, grad: Any, saved: Any) -> Any:
        """The gradients of the inputs, one per edge, given the gradient of the output."""
        raise NotImplementedError

    def name(self) -> str:
        """The node's name as PyTorch's C++ gives it."""
        return type(self).__name__

    def __repr__(self) -> str:
        return f"<{type(self).__name__} object at {hex(id(self))}>"

    def _sequence_nr(self) -> int:
        return self.sequence

    @property
    def metadata(self) -> dict[str, Any]:
        """A dictionary for the user's own remarks."""
        return self.__dict__.setdefault("_metadata", {})

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """The nodes that the gradient goes to next, each with the number of its output."""
        return tuple(_function_of(edge) for edge in self.edges)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_saved_"):
            for (saved_name, _, _), value in zip(self.spec, self.unpack()):
                if name == "_saved_" + saved_name:
                    return value if not hasattr(value, "__array_interface__") else tensors.wrap(value)
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def register_hook(self, hook: Callable[..., Any]) -> Any:
        """Calls `hook(grad_inputs, grad_outputs)` after this node; what it returns replaces the former."""
        if self.post_hooks is None:
            self.post_hooks = {}
        from ..core.hooks import RemovableHandle

        handle = RemovableHandle(self.post_hooks)
        self.post_hooks[handle.id] = hook
        return handle

    def register_prehook(self, hook: Callable[..., Any]) -> Any:
        """Calls `hook(grad_outputs)` before this node; what it returns replaces them."""
        from ..core.hooks import RemovableHandle

        if self.pre_hooks is None:
            self.pre_hooks = {}
        handle = RemovableHandle(self.pre_hooks)
        self.pre_hooks[handle.id] = (None, hook)
        return handle

    def unpack(self) -> Any:
        """What was saved, after checking that it is still there and unchanged."""
        saved = self.saved
        if saved is None:
            raise RuntimeError(
                "Trying to backward through the graph a second time (or directly access saved tensors after they have already been "
                "freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify "
                "retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors after "
                "calling backward."
            )
        versions = self.versions
        if versions:
            for i in range(0, len(versions), 2):
                if versions[i][0] != versions[i + 1]:
                    self._raise_modified(versions, i)
        return saved

    def _raise_modified(self, versions: Any, i: int) -> None:
        entries = [(*entry, v) for entry, v in zip(self.spec, self.saved) if entry[1] != "value" and hasattr(v, "strides")]
        entries.sort(key=lambda entry: entry[1] == "result" and entry[0] != "result")  # several results are remembered last
        if i // 2 < len(entries):
            name, kind, index, array = entries[i // 2]
            edge = self.edges[index] if kind == "input" and index < len(self.edges) else None
            if kind == "result":
                edge = self if name == "result" else Output(self, index)
            raise modified(versions, i, array, edge, kind == "result")
        raise modified(versions, i, None, None)


def modified(versions: Any, i: int, array: Any, edge: Any, result: bool = False) -> RuntimeError:
    """The error for a saved array that was changed in place; `edge` is where it stood in the graph."""
    what = "a tensor"
    if array is not None:
        from ..core.dtype import OF_NUMPY, SCALAR_NAMES

        what = f"[torch.{SCALAR_NAMES[OF_NUMPY[array.dtype]]}Tensor [{', '.join(map(str, array.shape))}]]"
        source, number = (edge.node, edge.index) if isinstance(edge, Output) else (edge, 0)
        name = None
        if len(versions[i]) > 1 and not result:
            name, number = versions[i][1], 0  # whatever changed it last
        elif isinstance(source, Node):
            name = source.name()
        if name is not None:
            what += f", which is output {number} of {name.removesuffix('Backward0')},"
    return RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"{what} is at version {versions[i][0]}; expected version {versions[i + 1]} instead. Hint: {_hint()}"
    )


def _hint() -> str:
    from .anomaly_mode import anomaly

    if anomaly.enabled:
        return (
            "the backtrace further above shows the operation that failed to compute its gradient. The variable in question was changed in "
            "there or anywhere later. Good luck!"
        )
    return (
        "enable anomaly detection to find the operation that failed to compute its gradient, with "
        "torch.autograd.set_detect_anomaly(True, check_nan=False)."
    )


class AccumulateGrad(Node):
    """Stands for a leaf in `next_functions`, made when somebody looks; edges point at the leaf itself."""

    __slots__ = ("variable",)

    def __init__(self, variable: Any) -> None:
        self.sequence = 2**63 - 1
        self.edges = ()
        self.saved = ()
        self.versions = ()
        self.shape = variable._array.shape
        self.dtype = variable._array.dtype
        self.pre_hooks = self.post_hooks = None
        self.variable = variable

    def name(self) -> str:
        return "torch::autograd::AccumulateGrad"

    def register_hook(self, hook: Callable[..., Any]) -> Any:
        """Calls `hook((), (grad,))` after the gradient was added into the leaf's `.grad`."""
        self.variable.__dict__["_accumulator_hooks"] = self  # keeps the node, with its hooks, as long as the leaf
        return super().register_hook(hook)

    def register_prehook(self, hook: Callable[..., Any]) -> Any:
        """Calls `hook((grad,))` before the gradient is added; what it returns replaces it."""
        self.variable.__dict__["_accumulator_hooks"] = self
        return super().register_prehook(hook)


def accumulator(leaf: Any) -> AccumulateGrad:
    """The AccumulateGrad node of a leaf: the same object as long as anyone holds it."""
    import weakref

    known = leaf.__dict__.get("_accumulator")
    node = known() if known is not None else None
    if node is None:
        node = AccumulateGrad(leaf)
        leaf.__dict__["_accumulator"] = weakref.ref(node)
    return node


def _function_of(edge: Any) -> tuple[Any, int]:
    if edge is None or isinstance(edge, Node):
        return edge, 0
    if isinstance(edge, Output):
        return edge.node, edge.index
    return accumulator(edge), 0


def node_class(name: str) -> type[Node]:
    """A new subclass of Node under PyTorch's name for it; a C++ namespace in front shows in `name()` alone."""
    members: dict[str, Any] = {"__slots__": (), "__module__": "torch.autograd"}
    if "::" in name:
        members["name"] = lambda self: name
    return type(name.rpartition("::")[2], (Node,), members)
