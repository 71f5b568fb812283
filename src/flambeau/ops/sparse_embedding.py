"""Embeddings whose gradient is sparse: what is looked up has one, nothing else."""

from __future__ import annotations

from typing import Any

from ..core.sparse import CooArray
from ..kernels.elementwise import cast
from .definition import Array, formula_function, operator
from .embedding import embedding, embedding_bag_rows
from .running import I64

# --- gradients of tables -------------------------------------------------------------------------------------------


@operator(node="EmbeddingBackward0", out=False)
def embedding_sparse(weight: Array, indices: Array, padding_idx: Any, scale_grad_by_freq: Any) -> Array:
    """`embedding`, with a sparse gradient."""
    return embedding.forward(weight, indices)


embedding_sparse.derivative(
    weight=lambda F, grad, indices, weight_shape, padding_idx, scale_grad_by_freq: F.embedding_sparse_backward(
        grad, indices, weight_shape, padding_idx, scale_grad_by_freq
    )
)


@operator(out=False)
def embedding_sparse_backward(grad_output: Array, indices: Array, shape: Any, padding_idx: Any, scale_grad_by_freq: Any) -> Array:
    """The gradient of the table: each row of `grad_output` at its index, those of `padding_idx` left out."""
    if scale_grad_by_freq:
        raise RuntimeError("embedding_backward: scale_grad_by_freq not supported with sparse gradients")
    rows, flat = grad_output.reshape(-1, shape[1]), indices.reshape(-1)
    if padding_idx >= 0:
        keep = flat != padding_idx
        rows, flat = rows[keep], flat[keep]
    return CooArray(cast(flat, I64)[None], rows, shape, len(flat) < 2)


@operator(outputs=4, node="EmbeddingBagBackward0", out=False)
def embedding_bag_sparse(
    weight: Array, indices: Array, offsets: Array, bags: Any, mode: Any, per_sample_weights: Array | None, padding_idx: Any,
    scale_grad_by_freq: Any,
) -> Array:  # fmt: skip
    """`embedding_bag_rows`, with a sparse gradient."""
    return embedding_bag_rows.forward(weight, indices, offsets, bags, mode, per_sample_weights, padding_idx, scale_grad_by_freq)


@embedding_bag_sparse.joint("weight", "per_sample_weights")
def _bag_gradients(
    F: Any, grads: Any, needs: Any, weight: Any, indices: Any, mode: Any, per_sample_weights: Any, padding_idx: Any,
    scale_grad_by_freq: Any, result1: Any, result2: Any, weight_shape: Any,
) -> Any:  # fmt: skip
    table = None
    if needs[0]:
        if scale_grad_by_freq:
            raise RuntimeError("embedding_backward: scale_grad_by_freq not supported with sparse gradients")
        table = F.bag_backward_sparse(grads[0], indices, result1, result2, mode, per_sample_weights, padding_idx, weight_shape)
    return table, F.bag_weight_gradient(grads[0], weight, indices, result1, padding_idx) if needs[1] else None


def _bag_backward(grad: Any, indices: Any, which: Any, sizes: Any, mode: str, weights: Any, padding: int, shape: Any) -> Any:
    keep = indices != padding
    kept, owner = indices[keep], which[keep]
    rows = grad[owner]
    if weights is not None:
        rows = rows * weights[keep][:, None]
    if mode == "mean":
        rows = rows / sizes[owner].astype(grad.dtype)[:, None]
    return CooArray(cast(kept, I64)[None], rows, shape, len(kept) < 2)


def _no_second(*args: Any) -> Any:
    raise NotImplementedError("the second derivative of embedding_bag(sparse=True) is not implemented")


formula_function("bag_backward_sparse", _bag_backward, _no_second)
