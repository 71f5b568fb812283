"""Embeddings: rows of a table by index."""

from __future__ import annotations

from typing import Any

from ..autograd.grad_mode import grad_mode
from ..core.dtype import OF_NUMPY, SCALAR_NAMES
from ..kernels import embedding as k
from .definition import Array, composite, explained_here, formula_function, ndarray, operator, tensors


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
    try:
        return k.take_rows(weight, indices)
    except IndexError:
        raise IndexError("index out of range in self") from None


embedding.derivative(
    weight=lambda F, grad, indices, weight_shape, padding_idx, scale_grad_by_freq: F.embedding_backward(
        grad, indices, weight_shape[0], padding_idx, scale_grad_by_freq
    )
)


@operator(out=False)
def embedding_backward(grad_output: Array, indices: Array, count: Any, padding_idx: Any, scale_grad_by_freq: Any) -> Array:
    """The gradient of the table: each row of `grad_output` added at its index, those of `padding_idx` left out."""
    rows, flat = grad_output.reshape(-1, grad_output.shape[-1]), indices.reshape(-1)
    if scale_grad_by_freq:
        rows = rows / k.counts(flat, count)[flat][:, None].astype(rows.dtype)
    return k.add_rows(rows, flat, count, padding_idx)


def _back(F: Any, grad: Any, indices: Any, padding_idx: Any, scale_grad_by_freq: Any) -> Any:
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

    `max_norm`: rows longer than that are scaled down in place first. `sparse`: the gradient of `weight` is a sparse tensor.
    """
    try:
        if padding_idx is not None:
            if padding_idx.__class__ is bool or padding_idx.__class__ is float:
                raise TypeError(f"embedding(): argument 'padding_idx' (position 3) must be int, not {type(padding_idx).__name__}")
            if padding_idx >= 0:
                assert padding_idx < weight.size(0), "Padding_idx must be within num_embeddings"
            else:
                assert padding_idx >= -weight.size(0), "Padding_idx must be within num_embeddings"
                padding_idx += weight.size(0)
        if sparse is not False and sparse is not True:
            raise TypeError(f"embedding(): argument 'sparse' (position 5) must be bool, not {type(sparse).__name__}")
        if max_norm is not None:
            renormalize(weight, input, max_norm, norm_type)
        if sparse and weight.requires_grad and grad_mode.enabled:
            return tensors.embedding_sparse(weight, input, -1 if padding_idx is None else padding_idx, scale_grad_by_freq)
        return embedding.function(weight, input, -1 if padding_idx is None else padding_idx, scale_grad_by_freq)
    except Exception as error:
        raise explained_here(error, "F.embedding")


embedding_function.__name__ = embedding_function.__qualname__ = "embedding"


def renormalize(weight: Any, indices: Any, max_norm: float, norm_type: float) -> None:
    """Scales the used rows down, in place, to a norm of at most `max_norm`."""
    from ..autograd.version import bump_version

    if weight._array.__class__ is ndarray:
        dtype = indices._array.dtype
        if dtype.kind != "i" or dtype.itemsize < 4:
            raise RuntimeError(
                "Expected tensor for argument #2 'indices' to have one of the following scalar types: Long, Int; but got "
                f"torch.{SCALAR_NAMES[OF_NUMPY[dtype]]}Tensor instead (while checking arguments for embedding_renorm_)"
            )
        try:
            k.renormalize_rows(weight._array, indices._array, max_norm, norm_type)
        except IndexError:
            count = weight._array.shape[0]
            first = next(i for i in sorted(indices._array.reshape(-1).tolist()) if not -count <= i < count)
            raise IndexError(f"select(): index {first} out of range for tensor of size {list(weight.shape)} at dimension 0") from None
    bump_version(weight)


# --- bags ----------------------------------------------------------------------------------------------------------


@operator(outputs=4, node="EmbeddingBagBackward0", out=False)
def embedding_bag_rows(
    weight: Array, indices: Array, offsets: Array, bags: Any, mode: Any, per_sample_weights: Array | None, padding_idx: Any,
    scale_grad_by_freq: Any,
) -> Array:  # fmt: skip
    """Rows of `weight` reduced bag by bag; then the bag of each index, the sizes of the bags, the places of maxima."""
    return k.bag(weight, indices, offsets, bags, mode, per_sample_weights, padding_idx)


@embedding_bag_rows.joint("weight", "per_sample_weights")
def _bag_gradients(
    F: Any, grads: Any, needs: Any, weight: Any, indices: Any, mode: Any, per_sample_weights: Any, padding_idx: Any,
    scale_grad_by_freq: Any, result1: Any, result2: Any, result3: Any, weight_shape: Any,
) -> Any:  # fmt: skip
    grad = grads[0]
    table = None
    if needs[0]:
        table = F.bag_backward(
            grad, indices, result1, result2, result3, mode, per_sample_weights, padding_idx, weight_shape[0], scale_grad_by_freq
        )
    return table, F.bag_weight_gradient(grad, weight, indices, result1, padding_idx) if needs[1] else None


def _bag_backward_tensors(
    grad: Any, indices: Any, which: Any, sizes: Any, picked: Any, mode: str, weights: Any, padding: int, count: int, by_frequency: bool
) -> Any:
    """The kernel's sum in operators, so that it is differentiated further."""
    width = grad.shape[1]
    if mode == "max":
        kept = picked >= 0
        place = picked.clamp(min=0) * width + tensors.arange(width)
        flat = grad.new_zeros(count * width).index_add(0, place.reshape(-1), (grad * kept).reshape(-1))
        return flat.reshape(count, width)
    rows = grad[which] * (indices != padding).unsqueeze(1)
    if weights is not None:
        rows = rows * weights.unsqueeze(1)
    if mode == "mean":
        rows = rows / sizes.clamp(min=1)[which].unsqueeze(1)
    if by_frequency:
        rows = rows / tensors.wrap(k.bag_counts(indices._array[indices._array != padding], count))[indices].unsqueeze(1)
    return grad.new_zeros(count, width).index_add(0, indices, rows)


def _bag_weight_gradient_tensors(grad: Any, table: Any, indices: Any, which: Any, padding: int) -> Any:
    return (grad[which] * table[indices]).sum(1) * (indices != padding)


formula_function("bag_backward", k.bag_backward, _bag_backward_tensors)
formula_function("bag_weight_gradient", k.bag_weight_gradient, _bag_weight_gradient_tensors)
_BAG_MODES = ("sum", "mean", "max")


def _check_bags(input: Any, offsets: Any, weight: Any, include_last_offset: bool) -> int:
    """How many bags there are. Raises RuntimeError for offsets out of order or indices out of range."""
    indices, starts = input._array, offsets._array
    for name, array in (("indices", indices), ("offsets", starts)):
        if array.dtype.kind != "i" or array.dtype.itemsize < 4:
            raise RuntimeError(
                f"Expected tensor for argument #1 '{name}' to have one of the following scalar types: Long, Int; but got "
                f"torch.{SCALAR_NAMES[OF_NUMPY[array.dtype]]}Tensor instead (while checking arguments for embedding_bag)"
            )
    if include_last_offset and not starts.size:
        raise RuntimeError("include_last_offset: number of offsets should be at least 1")
    if indices.__class__ is not ndarray or starts.__class__ is not ndarray:  # without memory
        return starts.size - 1 if include_last_offset else starts.size
    if starts.size and starts[0] != 0:
        raise RuntimeError(
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. However, got "
            f"{int(starts[0])}\n[ torch.LongTensor{{}} ]"
        )
    if starts.size and starts[-1] > indices.size:
        raise RuntimeError(f"offsets[-1] can not be greater than input's length {indices.size} but got offsets[-1] of {int(starts[-1])}")
    if indices.size and (indices.min() < 0 or indices.max() >= weight.shape[0]):
        bad = int(indices[(indices < 0) | (indices >= weight.shape[0])][0])
        raise RuntimeError(f"embedding_bag: Expected idx >= 0 && idx < num_embeddings but found idx to be {bad}")
    return starts.size - 1 if include_last_offset else starts.size


@composite("torch.embedding_bag")
def embedding_bag_of(
    weight: Any, indices: Any, offsets: Any, scale_grad_by_freq: bool = False, mode: int = 0, sparse: bool = False,
    per_sample_weights: Any = None, include_last_offset: bool = False, padding_idx: int | None = None,
) -> Any:  # fmt: skip
    """The reduced rows, the bag of each index, the sizes of the bags, the places of maxima. `mode`: 0 sum, 1 mean, 2 max."""
    if weight._array.dtype.kind not in "fV":
        raise RuntimeError(
            "Expected tensor for argument #1 'weight' to have one of the following scalar types: Half, BFloat16, Float, Double; but got "
            f"CPU{SCALAR_NAMES[weight.dtype]}Type instead (while checking arguments for embedding_bag)"
        )
    bags = _check_bags(indices, offsets, weight, include_last_offset)
    padding = -1
    if padding_idx is not None:
        if not -weight.size(0) <= padding_idx < weight.size(0):
            raise RuntimeError(
                f"padding_idx must be within the number of embeddings, -{weight.size(0)} through {weight.size(0) - 1}, but got "
                f"{padding_idx}"
            )
        padding = padding_idx % weight.size(0)
    starts = offsets[:-1] if include_last_offset else offsets
    rows = tensors.embedding_bag_sparse if sparse and weight.requires_grad and grad_mode.enabled else embedding_bag_rows.function
    return rows(weight, indices, starts, bags, _BAG_MODES[mode], per_sample_weights, padding, scale_grad_by_freq)


@composite("F.embedding_bag")
def embedding_bag(
    input: Any, weight: Any, offsets: Any = None, max_norm: float | None = None, norm_type: float = 2, scale_grad_by_freq: bool = False,
    mode: str = "mean", sparse: bool = False, per_sample_weights: Any = None, include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:  # fmt: skip
    """Sums, means or maxima of rows of `weight` (count, width), bag by bag: (bags, width).

    input: indices, (B, N) for B bags of N, or (N) with `offsets`, where each bag begins. Bags without rows give zeros.
    Raises ValueError where the shapes or options do not go together.
    """
    if per_sample_weights is not None and input.size() != per_sample_weights.size():
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then it must have the same shape as the "
            f"input ({input.shape})"
        )
    flags = (("scale_grad_by_freq", 4, scale_grad_by_freq), ("sparse", 6, sparse), ("include_last_offset", 8, include_last_offset))
    for name, place, flag in flags:
        if flag is not True and flag is not False:
            raise TypeError(f"embedding_bag(): argument '{name}' (position {place}) must be bool, not {type(flag).__name__}")
    if weight.dim() != 2:
        raise ValueError(f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.dim()}")
    if input.dim() == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length sequences. However, "
                f"found offsets of type {type(offsets)}"
            )
        offsets = tensors.arange(0, input.numel(), input.size(1), dtype=input.dtype, device=input.device)
        include_last_offset = False
        input = input.reshape(-1)
        per_sample_weights = None if per_sample_weights is None else per_sample_weights.reshape(-1)
    elif input.dim() != 1:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.dim()}")
    elif offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    elif offsets.dim() != 1:
        raise ValueError("offsets has to be a 1D Tensor")
    if mode not in _BAG_MODES:
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and (scale_grad_by_freq or sparse):
        raise ValueError(
            "max mode does not support " + ("scaling the gradient by the frequency" if scale_grad_by_freq else "sparse weights")
        )
    if max_norm is not None:
        renormalize(weight, input, max_norm, norm_type)
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' "
            f"(got mode='{mode}'). Please open a feature request on GitHub."
        )
    number = _BAG_MODES.index(mode)
    return embedding_bag_of(
        weight, input, offsets, scale_grad_by_freq, number, sparse, per_sample_weights, include_last_offset, padding_idx
    )[0]
