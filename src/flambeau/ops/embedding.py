"""Embeddings: rows of a table by index."""

from __future__ import annotations

from typing import Any

from ..core.dtype import OF_NUMPY, SCALAR_NAMES
from ..kernels import embedding as k
from .definition import Array, composite, operator


@operator(node="EmbeddingBackward0", out=False)
def embedding(weight: Array, indices: Array, padding_idx: Any = -1, scale_grad_by_freq: Any = False) -> Array:
    """The rows of `weight` (count, width) at `indices` (any shape): (..., width). Raises IndexError out of range."""
    if indices.dtype.kind != "i" or indices.dtype.itemsize < 4:
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            f"torch.{SCALAR_NAMES[OF_NUMPY[indices.dtype]]}Tensor instead (while checking arguments for embedding)"
        )
    if weight.ndim != 2:
        raise RuntimeError("'weight' must be 2-D")
    if indices.size and (indices.min() < 0 or indices.max() >= weight.shape[0]):
        raise IndexError("index out of range in self")
    return k.take_rows(weight, indices)


embedding.derivative(
    weight=lambda F, grad, indices, weight_shape, padding_idx, scale_grad_by_freq: F.embedding_backward(
        grad, indices, weight_shape[0], padding_idx, scale_grad_by_freq
    )
)


@operator(out=False)
def embedding_backward(grad_output: Array, indices: Array, count: Any, padding_idx: Any, scale_grad_by_freq: Any) -> Array:
    """The gradient of the table: each row of `grad_output` added at its index, those of `padding_idx` left out."""
    rows, flat = grad_output.reshape(-1, grad_output.shape[-1]), indices.reshape(-1)
    if padding_idx >= 0:
        keep = flat != padding_idx
        rows, flat = rows[keep], flat[keep]
    if scale_grad_by_freq:
        rows = rows / k.counts(flat, count)[flat][:, None].astype(rows.dtype)
    return k.add_rows(rows, flat, count)


def _back(F: Any, grad: Any, indices: Any, padding_idx: Any, scale_grad_by_freq: Any, count: Any) -> Any:
    if scale_grad_by_freq:
        raise NotImplementedError("the second derivative of an embedding with scale_grad_by_freq is not implemented")
    if padding_idx >= 0:
        keep = (indices != padding_idx)[..., None]
        return F.embedding(grad, indices) * keep
    return F.embedding(grad, indices)


embedding_backward.derivative(grad_output=_back)


@composite("F.embedding", hot=True)
def embedding_function(
    input: Any,
    weight: Any,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:
    """The rows of `weight` (count, width) at the indices `input` (any shape): (..., width).

    `max_norm`: rows longer than that are scaled down in place first. `sparse` gradients are not supported.
    """
    if padding_idx is not None:
        if padding_idx >= 0:
            assert padding_idx < weight.size(0), "Padding_idx must be within num_embeddings"
        else:
            assert padding_idx >= -weight.size(0), "Padding_idx must be within num_embeddings"
            padding_idx += weight.size(0)
    if sparse:
        raise NotImplementedError("flambeau has no sparse tensors: embedding(sparse=True) is not supported")
    if max_norm is not None:
        renormalize(weight, input, max_norm, norm_type)
    return embedding.function(weight, input, -1 if padding_idx is None else padding_idx, scale_grad_by_freq)


embedding_function.__name__ = embedding_function.__qualname__ = "embedding"


def renormalize(weight: Any, indices: Any, max_norm: float, norm_type: float) -> None:
    """Scales the used rows down, in place, to a norm of at most `max_norm`."""
    from ..tensor import bump_version

    k.renormalize_rows(weight._array, indices._array, max_norm, norm_type)
    bump_version(weight)
