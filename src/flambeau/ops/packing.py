"""Rows of sequences, between their padded and their packed order. Who computes the order is nn/utils/rnn."""

from __future__ import annotations

from typing import Any

from ..kernels import memory
from .definition import Array, operator


@operator(node="PackPaddedSequenceBackward0")
def pack_rows(input: Array, index: Any) -> Array:
    """The rows `index` of `input`, whose first two dimensions count as one."""
    return input.reshape(-1, *input.shape[2:])[index]


@operator(node="torch::autograd::CopySlices")
def unpack_rows(input: Array, index: Any, sizes: Any, fill: Any) -> Array:
    """A tensor of shape (*sizes, ...), flattened to rows for `index`: the rows of `input` there, and `fill` elsewhere."""
    rows = input.shape[1:]
    result = memory.empty((sizes[0] * sizes[1], *rows), input.dtype)
    memory.fill(result, fill)
    result[index] = input
    return result.reshape(*sizes, *rows)


def side_by_side(parts: list[Array], longest: int, batch_first: bool, left: bool, fill: Any) -> Array:
    """Arrays (L, *) of one dtype as one, (B, longest, *) or (longest, B, *); `fill` stands behind them, or (`left`) before them."""
    lead = (len(parts), longest) if batch_first else (longest, len(parts))
    result = memory.empty((*lead, *parts[0].shape[1:]), parts[0].dtype)
    if any(len(part) != longest for part in parts):
        memory.fill(result, fill)
    for b, part in enumerate(parts):
        steps = slice(longest - len(part), longest) if left else slice(len(part))
        result[(b, steps) if batch_first else (steps, b)] = part
    return result


pack_rows.derivative(input=lambda F, grad, index, input_shape: F.unpack_rows(grad, index, input_shape[:2], 0))
unpack_rows.derivative(input=lambda F, grad, index: F.pack_rows(grad, index))
