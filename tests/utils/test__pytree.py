"""Nested containers taken apart and put together."""

import importlib

from harness import parity


def pytree(torch):
    return importlib.import_module(f"{torch.__name__}.utils._pytree")


@parity
def test_flatten(torch):
    pt, tree = pytree(torch), {"a": [1, (2, 3)], "b": (4,), "c": None}
    leaves, spec = pt.tree_flatten(tree)
    return leaves, repr(spec), pt.tree_unflatten(leaves, spec) == tree, spec.num_leaves, pt.tree_structure(1).is_leaf()


@parity
def test_map(torch):
    from collections import OrderedDict, defaultdict, deque, namedtuple

    pt, Point = pytree(torch), namedtuple("Point", "a b")

    def plus(v):
        return v + 1

    trees = [Point(1, [2, 3]), OrderedDict(z=1, a=2), defaultdict(list, z=1), deque([1, 2], maxlen=3), [1, (2, {"k": 3})]]
    return [repr(pt.tree_map(plus, t)) for t in trees], pt.tree_map(lambda a, b: a + b, [1, (2, 3)], [10, (20, 30)])


@parity
def test_some_leaves(torch):
    pt = pytree(torch)
    return (
        pt.tree_map_only(int, lambda v: v + 1, [1, "a", (2.5, 3)]), pt.tree_all(lambda v: v > 0, [1, 2]), pt.tree_any(lambda v: v > 5, [1]),
        pt.tree_map(len, [[1, 2], [3]], is_leaf=lambda v: isinstance(v, list) and all(isinstance(i, int) for i in v)),
        [(pt.keystr(k), v) for k, v in pt.tree_flatten_with_path({"a": [1, 2], "b": 3})[0]],
    )  # fmt: skip


@parity
def test_leaves_and_their_paths(torch):
    from collections import namedtuple

    pt, Point = pytree(torch), namedtuple("Point", "a b")
    tree = {"a": [1, (2.5, "x")], "b": Point(3, None)}
    paths = [path for path, _ in pt.tree_leaves_with_path(tree)]
    return (
        pt.tree_leaves(tree), pt.tree_leaves([[1], [2]], is_leaf=lambda v: v == [2]), repr(pt.treespec_leaf()),
        [(pt.keystr(path), pt.key_get(tree, path)) for path in paths],
        repr(pt.tree_map_with_path(lambda path, v: f"{pt.keystr(path)}={v}", tree)),
        [pt.tree_is_leaf(v) for v in (1, [1], (), None, "a", Point(1, 2))],
        [pt.is_namedtuple(v) for v in (Point, Point(1, 2), (1, 2), tuple)],
        [pt.is_namedtuple_instance(v) for v in (Point, Point(1, 2), (1,))],
    )  # fmt: skip


@parity
def test_leaves_of_some_types(torch):
    pt, seen = pytree(torch), []
    tree = [1, "a", (2.5, 3)]
    same = pt.tree_map_only_(int, seen.append, tree) is tree
    return (
        same, seen, pt.tree_all_only(int, lambda v: v > 0, tree), pt.tree_any_only((int, float), lambda v: v > 2.7, tree),
        pt.tree_all_only(str, lambda v: v == "b", tree), pt.tree_any_only(complex, bool, tree),
    )  # fmt: skip


@parity
def test_trees_that_differ(torch):
    return pytree(torch).tree_map(lambda a, b: a + b, [1, (2, 3)], [10, (20,)])


@parity
def test_too_few_leaves(torch):
    pt = pytree(torch)
    return pt.tree_unflatten([1], pt.tree_structure([1, 2]))


@parity
def test_registered(torch):
    class Box:
        def __init__(self, v):
            self.v = v

    pt = pytree(torch)
    pt.register_pytree_node(Box, lambda b: ([b.v], None), lambda children, _: Box(*children))
    return pt.tree_map(lambda v: v + 1, [Box(1)])[0].v, repr(pt.tree_flatten([Box(1)])[1])
