"""`torch.utils._pytree`: nested containers taken apart into leaves and put together again."""

from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Any, NamedTuple

PyTree = Any
Context = Any


class NodeDef(NamedTuple):
    """How a container type is taken apart and put together."""

    type: Any
    flatten_fn: Callable[[Any], tuple[list[Any], Any]]
    unflatten_fn: Callable[[Iterable[Any], Any], Any]
    flatten_with_keys_fn: Callable[[Any], Any] | None


SUPPORTED_NODES: dict[type, NodeDef] = {}


class _Key(NamedTuple):
    """One step of a path into a tree."""

    value: Any


class SequenceKey(_Key):
    """A place in a list or tuple."""

    idx = property(attrgetter("value"))

    def __str__(self) -> str:
        return f"[{self.value!r}]"

    def get(self, sequence: Any) -> Any:
        return sequence[self.value]


class MappingKey(_Key):
    """A key of a dict."""

    key = property(attrgetter("value"))

    def __str__(self) -> str:
        return f"[{self.value!r}]"

    def get(self, mapping: Any) -> Any:
        return mapping[self.value]


class GetAttrKey(_Key):
    """A field of a named tuple, or an attribute."""

    name = property(attrgetter("value"))

    def __str__(self) -> str:
        return f".{self.value}"

    def get(self, obj: Any) -> Any:
        return getattr(obj, self.value)


def register_pytree_node(
    cls: type,
    flatten_fn: Callable[[Any], tuple[list[Any], Any]],
    unflatten_fn: Callable[[Iterable[Any], Any], Any],
    *,
    serialized_type_name: str | None = None,
    to_dumpable_context: Any = None,
    from_dumpable_context: Any = None,
    flatten_with_keys_fn: Callable[[Any], Any] | None = None,
) -> None:
    """Makes `cls` a container: `flatten_fn` gives its children and a context, `unflatten_fn` builds it of these.

    Raises ValueError where it is one already.
    """
    if cls in SUPPORTED_NODES:
        raise ValueError(f"{cls} is already registered as pytree node.")
    SUPPORTED_NODES[cls] = NodeDef(cls, flatten_fn, unflatten_fn, flatten_with_keys_fn)


_register_pytree_node = register_pytree_node


def _indexed(values: Any) -> list[tuple[Any, Any]]:
    return [(SequenceKey(i), v) for i, v in enumerate(values)]


def _keyed(d: Any) -> list[tuple[Any, Any]]:
    return [(MappingKey(k), v) for k, v in d.items()]


def _add(cls: Any, flatten: Any, unflatten: Any, keys: Any) -> None:
    SUPPORTED_NODES[cls] = NodeDef(cls, flatten, unflatten, keys)


_add(tuple, lambda d: (list(d), None), lambda c, _: tuple(c), lambda d: (_indexed(d), None))
_add(list, lambda d: (list(d), None), lambda c, _: list(c), lambda d: (_indexed(d), None))
_add(dict, lambda d: (list(d.values()), list(d)), lambda c, keys: dict(zip(keys, c)), lambda d: (_keyed(d), list(d)))
_add(OrderedDict, lambda d: (list(d.values()), list(d)), lambda c, keys: OrderedDict(zip(keys, c)), lambda d: (_keyed(d), list(d)))
_add(
    defaultdict,
    lambda d: (list(d.values()), [d.default_factory, list(d)]),
    lambda c, context: defaultdict(context[0], zip(context[1], c)),
    lambda d: (_keyed(d), [d.default_factory, list(d)]),
)
_add(deque, lambda d: (list(d), d.maxlen), lambda c, maxlen: deque(c, maxlen=maxlen), lambda d: (_indexed(d), d.maxlen))
_add(
    namedtuple,
    lambda d: (list(d), type(d)),
    lambda c, cls: cls(*c),
    lambda d: ([(GetAttrKey(name), v) for name, v in zip(d._fields, d)], type(d)),
)


def is_namedtuple_class(cls: Any) -> bool:
    """Whether it is a class that `collections.namedtuple` made."""
    fields = getattr(cls, "_fields", None)
    return (
        isinstance(cls, type) and issubclass(cls, tuple) and isinstance(fields, tuple) and all(type(f) is str for f in fields)
        and hasattr(cls, "_make") and hasattr(cls, "_asdict")
    )  # fmt: skip


def is_namedtuple(obj: Any) -> bool:
    """Whether it is a named tuple, or a class of such."""
    return is_namedtuple_class(obj if isinstance(obj, type) else type(obj))


def is_namedtuple_instance(obj: Any) -> bool:
    """Whether it is a named tuple."""
    return is_namedtuple_class(type(obj))


def _register_sizes() -> None:
    """`torch.Size`, and what operators with several results return: tuples, rebuilt as what they were."""
    from ..core.size import Size

    _add(Size, lambda d: (list(d), None), lambda c, _: tuple(c), lambda d: (_indexed(d), None))


_register_sizes()


def _node_type(tree: Any) -> Any:
    cls = type(tree)
    if cls in SUPPORTED_NODES:
        return cls
    if isinstance(tree, tuple) and is_namedtuple_class(cls):
        return namedtuple
    if cls.__module__ == "torch.return_types" and isinstance(tree, tuple):  # what operators with several results return
        _add(cls, lambda d: (list(d), None), lambda c, _: cls(c), lambda d: (_indexed(d), None))
        return cls
    return None


def _get_node_type(tree: Any) -> Any:
    return _node_type(tree) or type(tree)


def tree_is_leaf(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether a tree is a leaf: not a container, or one that `is_leaf` says is to be left whole."""
    return (is_leaf is not None and is_leaf(tree)) or _node_type(tree) is None


class TreeSpec:
    """The structure of a tree without its leaves: a type, a context and the specs of the children; `type` None is a leaf."""

    __slots__ = ("type", "context", "_children", "num_leaves", "num_nodes", "num_children")
    num_leaves: int
    num_nodes: int

    def __init__(self, type: Any, context: Any = None, children_specs: Iterable["TreeSpec"] = ()) -> None:
        self.type = type
        self.context = context
        self._children = list(children_specs)
        self.num_children = len(self._children)
        self.num_leaves = 1 if type is None else sum(c.num_leaves for c in self._children)
        self.num_nodes = 1 + sum(c.num_nodes for c in self._children)

    @property
    def children_specs(self) -> list["TreeSpec"]:
        return self._children

    def children(self) -> list["TreeSpec"]:
        """The specs of the children."""
        return list(self._children)

    def child(self, index: int) -> "TreeSpec":
        """The spec of one child."""
        return self._children[index]

    def is_leaf(self) -> bool:
        """Whether it stands for a single leaf."""
        return self.type is None

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, TreeSpec):
            return NotImplemented
        return self.type is other.type and self.context == other.context and self._children == other._children

    def __hash__(self) -> int:
        return hash((self.type, len(self._children)))

    def __repr__(self, indent: int = 0) -> str:
        if self.is_leaf():
            return "*"
        children = (",\n" + " " * (indent + 2)).join(c.__repr__(indent + 2) for c in self._children)
        return f"TreeSpec({self.type.__name__}, {self.context}, [{children}])"

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """The tree of this structure with the given leaves. Raises ValueError where their number is wrong."""
        leaves = list(leaves)
        if len(leaves) != self.num_leaves:
            raise ValueError(
                f"treespec.unflatten(leaves): `leaves` has length {len(leaves)} but the spec refers to a pytree that holds "
                f"{self.num_leaves} items ({self})."
            )
        return self._build(iter(leaves))

    def _build(self, leaves: Iterator[Any]) -> Any:
        if self.type is None:
            return next(leaves)
        return SUPPORTED_NODES[self.type].unflatten_fn([c._build(leaves) for c in self._children], self.context)

    def flatten_up_to(self, tree: Any) -> list[Any]:
        """The subtrees of `tree` at the leaves of this structure. Raises ValueError where the structures differ."""
        found: list[Any] = []
        self._collect(tree, found)
        return found

    def _collect(self, tree: Any, found: list[Any]) -> None:
        if self.type is None:
            found.append(tree)
            return
        kind = _get_node_type(tree)
        dicts = (dict, OrderedDict, defaultdict)
        if kind is not self.type and not (kind in dicts and self.type in dicts):
            raise ValueError(f"Node type mismatch; expected {self.type!r}, but got {kind!r}.")
        if kind in dicts:
            keys = self.context[1] if self.type is defaultdict else self.context
            if len(tree) != len(keys):
                raise ValueError(f"Node arity mismatch; expected {len(keys)}, but got {len(tree)}.")
            if set(keys) != set(tree):
                missing, extra = set(keys) - set(tree), set(tree) - set(keys)
                message = f"; missing key(s): {missing}" if missing else ""
                raise ValueError(f"Node keys mismatch{message}{f'; additional key(s): {extra}' if extra else ''}.")
            children: list[Any] = [tree[key] for key in keys]
        else:
            children, context = SUPPORTED_NODES[kind].flatten_fn(tree)
            if len(children) != self.num_children:
                raise ValueError(f"Node arity mismatch; expected {self.num_children}, but got {len(children)}.")
            if self.type is not deque and context != self.context:
                raise ValueError(f"Node context mismatch for node type {self.type!r}.")
        for spec, child in zip(self._children, children):
            spec._collect(child, found)


def LeafSpec() -> TreeSpec:
    """The structure of a single leaf."""
    return TreeSpec(None)


treespec_leaf = LeafSpec


def _flatten(tree: Any, leaves: list[Any], is_leaf: Callable[[Any], bool] | None) -> TreeSpec:
    kind = _node_type(tree)
    if kind is None or (is_leaf is not None and is_leaf(tree)):
        leaves.append(tree)
        return TreeSpec(None)
    children, context = SUPPORTED_NODES[kind].flatten_fn(tree)
    return TreeSpec(kind, context, [_flatten(c, leaves, is_leaf) for c in children])


def tree_flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list[Any], TreeSpec]:
    """The leaves from left to right, and the structure."""
    leaves: list[Any] = []
    spec = _flatten(tree, leaves, is_leaf)
    return leaves, spec


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> Any:
    """The tree of a structure with the given leaves. Raises TypeError for no TreeSpec, ValueError for a wrong number of leaves."""
    if not isinstance(treespec, TreeSpec):
        raise TypeError(
            f"tree_unflatten(leaves, treespec): Expected `treespec` to be instance of TreeSpec but got item of type {type(treespec)}."
        )
    return treespec.unflatten(leaves)


def tree_iter(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> Iterator[Any]:
    """The leaves one by one."""
    kind = _node_type(tree)
    if kind is None or (is_leaf is not None and is_leaf(tree)):
        yield tree
    else:
        for child in SUPPORTED_NODES[kind].flatten_fn(tree)[0]:
            yield from tree_iter(child, is_leaf)


def tree_leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[Any]:
    """The leaves from left to right."""
    return list(tree_iter(tree, is_leaf))


def tree_structure(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> TreeSpec:
    """The structure."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """A tree of what `func` returns for each leaf (and the subtrees of `rests` in its place)."""
    leaves, spec = tree_flatten(tree, is_leaf)
    columns = [leaves, *(spec.flatten_up_to(r) for r in rests)]
    return spec.unflatten([func(*row) for row in zip(*columns)])


def tree_map_(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """Calls `func` for each leaf; returns the tree as it was."""
    leaves, spec = tree_flatten(tree, is_leaf)
    for row in zip(leaves, *(spec.flatten_up_to(r) for r in rests)):
        func(*row)
    return tree


def map_only(type_or_types_or_pred: Any, /) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: the function is called for values of a type, or that a predicate accepts; others stay."""
    if isinstance(type_or_types_or_pred, (type, tuple)) or not callable(type_or_types_or_pred):

        def accepts(value: Any) -> bool:
            return isinstance(value, type_or_types_or_pred)

    else:
        accepts = type_or_types_or_pred
    return lambda func: lambda value: func(value) if accepts(value) else value


def tree_map_only(
    type_or_types_or_pred: Any, /, func: Callable[[Any], Any], tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> Any:
    """`tree_map` for the leaves of a type, or that a predicate accepts; the others stay."""
    return tree_map(map_only(type_or_types_or_pred)(func), tree, is_leaf=is_leaf)


def tree_map_only_(
    type_or_types_or_pred: Any, /, func: Callable[[Any], Any], tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> Any:
    """`tree_map_` for the leaves of a type, or that a predicate accepts."""
    return tree_map_(map_only(type_or_types_or_pred)(func), tree, is_leaf=is_leaf)


def tree_all(pred: Callable[[Any], bool], tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether `pred` holds for all leaves."""
    return all(map(pred, tree_iter(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether `pred` holds for a leaf."""
    return any(map(pred, tree_iter(tree, is_leaf)))


def tree_all_only(type_or_types: Any, /, pred: Callable[[Any], bool], tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether `pred` holds for all leaves of a type."""
    return all(pred(x) for x in tree_iter(tree, is_leaf) if isinstance(x, type_or_types))


def tree_any_only(type_or_types: Any, /, pred: Callable[[Any], bool], tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether `pred` holds for a leaf of a type."""
    return any(pred(x) for x in tree_iter(tree, is_leaf) if isinstance(x, type_or_types))


# --- paths -----------------------------------------------------------------------------------------------------------


def _walk(path: tuple[Any, ...], tree: Any, is_leaf: Callable[[Any], bool] | None) -> Iterator[tuple[tuple[Any, ...], Any]]:
    kind = _node_type(tree)
    if kind is None or (is_leaf is not None and is_leaf(tree)):
        yield path, tree
        return
    with_keys = SUPPORTED_NODES[kind].flatten_with_keys_fn
    if with_keys is None:
        raise ValueError(
            f"Did not find a flatten_with_keys_fn for type: {kind}. Please pass a flatten_with_keys_fn argument to register_pytree_node."
        )
    for key, child in with_keys(tree)[0]:
        yield from _walk((*path, key), child, is_leaf)


def tree_flatten_with_path(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list[Any], TreeSpec]:
    """The leaves, each with the keys that lead to it, and the structure."""
    return list(_walk((), tree, is_leaf)), tree_structure(tree, is_leaf)


def tree_leaves_with_path(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[Any]:
    """The leaves, each with the keys that lead to it."""
    return list(_walk((), tree, is_leaf))


def tree_map_with_path(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """`tree_map` with the path to each leaf as the first argument."""
    pairs, spec = tree_flatten_with_path(tree, is_leaf)
    columns = [spec.flatten_up_to(r) for r in rests]
    return spec.unflatten([func(path, leaf, *rest) for (path, leaf), *rest in zip(pairs, *columns)])


def keystr(kp: tuple[Any, ...]) -> str:
    """A path as Python would write it (`"['a'][0]"`)."""
    return "".join(map(str, kp))


def key_get(obj: Any, kp: tuple[Any, ...]) -> Any:
    """What a path leads to."""
    for key in kp:
        obj = key.get(obj)
    return obj
