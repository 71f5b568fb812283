"""`torch.func.rearrange`: dimensions named, split, joined and reordered by a pattern, as einops writes it."""

import re
from typing import Any

from ..autograd.node import tensors

_ELLIPSIS = "..."


def rearrange(tensor: Any, pattern: str, **axes_lengths: int) -> Any:
    """`rearrange(x, "b (h d) -> b h d", h=8)`: each name is a dimension, names in brackets are one dimension in memory.

    `...` stands for all dimensions that have no name, `()` and 1 for one of size 1. A list of tensors is stacked first.
    Raises ValueError for a pattern that does not fit.
    """
    if isinstance(tensor, (list, tuple)):
        tensor = tensors.stack(list(tensor))
    sides = pattern.split("->")
    if len(sides) != 2:
        raise ValueError("Pattern must contain a single '->' separator")
    left, right = (_groups(side.strip()) for side in sides)
    shape = list(tensor.shape)
    named = [name for group in left for name in group if name != _ELLIPSIS]
    target = [name for group in right for name in group if name != _ELLIPSIS]
    for names in (named, target):
        doubled = next((name for name in names if names.count(name) > 1), None)
        if doubled is not None:
            raise ValueError(f"Identifiers appear more than once on one side of the rearrange expression: {doubled}")
    if set(named) != set(target):
        raise ValueError(f"Identifiers only on one side of rearrange expression (should be on both): {set(named) ^ set(target)}")
    unknown = set(axes_lengths) - set(named)
    if unknown:
        raise ValueError(f"Identifiers not found in rearrange expression: {unknown}")
    dotted = [_ELLIPSIS] in left
    if dotted != any(_ELLIPSIS in group for group in right):
        raise ValueError("Ellipsis must be on both sides of the rearrange expression")
    count = len(left) - dotted
    if len(shape) < count or (len(shape) != count and not dotted):
        raise ValueError(
            f"Number of dimensions in pattern ({count}) must be equal to the number of dimensions in the tensor ({len(shape)})"
        )
    more = [f"...{i}" for i in range(len(shape) - count)]
    left = [group for each in left for group in ([[m] for m in more] if each == [_ELLIPSIS] else [each])]
    right = [[name for each in group for name in (more if each == _ELLIPSIS else [each])] for group in right]
    open_right = []
    for group, was in zip(right, _groups(sides[1].strip())):
        open_right += [[m] for m in more] if was == [_ELLIPSIS] else [group]
    sizes = dict(axes_lengths)
    split: list[int] = []
    for group, size in zip(left, shape):
        known = 1
        for name in group:
            known *= sizes.get(name, 1)
        free = [name for name in group if name not in sizes]
        if len(free) > 1:
            raise ValueError(f"Could not infer the sizes of {free}: name all but one of them")
        if (not free and known != size) or not known or size % known:
            raise ValueError(f"A dimension of size {size} does not fit ({' '.join(group)}) with {axes_lengths}")
        if free:
            sizes[free[0]] = size // known
        split += [sizes[name] for name in group]
    order = [name for group in left for name in group]
    moved = tensor.reshape(split).permute([order.index(name) for group in open_right for name in group])
    joined = []
    for group in open_right:
        size = 1
        for name in group:
            size *= sizes[name]
        joined.append(size)
    return moved.reshape(joined)


def _groups(side: str) -> list[list[str]]:
    """The dimensions of one side, each a list of names; 1 and () are empty lists."""
    if side.count("(") != side.count(")"):
        raise ValueError(f"Brackets do not match in {side!r}")
    found = []
    for token in re.findall(r"\([^()]*\)|[^\s()]+", side):
        names = token.strip("()").split() if token.startswith("(") else [token]
        for name in names:
            if name not in (_ELLIPSIS, "1") and not name.isidentifier():
                raise ValueError(f"Invalid identifier {name!r} in rearrange expression")
        found.append([name for name in names if name != "1"])
    return found
