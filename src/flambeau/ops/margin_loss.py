"""Losses with margins: of similarities, distances, rankings and class scores."""

from __future__ import annotations

from typing import Any

from ..core.dtype import OF_NUMPY, SCALAR_NAMES
from ..kernels import margin_loss as k
from ..kernels.pair_loss import reduce as reduce_kernel
from .definition import Array, composite, formula_function, operator, tensors
from .distance import pairwise_distance
from .pair_loss import REDUCTIONS, numbered, reduced, reduction_of
from .running import refuse

# --- made of other operators ---------------------------------------------------------------------------------------


@composite("F.hinge_embedding_loss")
def hinge_embedding_loss(
    input: Any, target: Any, margin: float = 1.0, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Any:
    """input where the target is 1, max(0, margin - input) where it is -1."""
    reduction = reduction_of(size_average, reduce, reduction)
    zero = tensors.zeros_like(input)
    if not (input.is_floating_point() or input.is_complex()):
        margin = int(margin)
    apart = tensors.where(target != 1, (margin - input).clamp_min(0), zero)
    return reduced(apart + tensors.where(target != -1, input, zero), reduction)


@composite("F.margin_ranking_loss")
def margin_ranking_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Any:
    """max(0, -target (input1 - input2) + margin). Raises RuntimeError where the numbers of dimensions differ."""
    reduction = reduction_of(size_average, reduce, reduction)
    if input1.dim() != input2.dim() or input1.dim() != target.dim():
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.size()}, input2: {input2.size()}, target: {target.size()} "
        )
    return reduced((-target * (input1 - input2) + margin).clamp_min(0), reduction)


@composite("F.cosine_embedding_loss")
def cosine_embedding_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Any:
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1. Inputs (N, D) and target (N), or (D) and ()."""
    reduction = reduction_of(size_average, reduce, reduction)
    if target.dim() not in (0, 1):
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    wanted = target.dim() + 1
    if input1.dim() != wanted or input2.dim() != wanted:
        raise RuntimeError(
            f"{target.dim()}D target tensor expects {wanted}D input tensors, but found inputs with sizes {list(input1.shape)} and "
            f"{list(input2.shape)}."
        )
    dim = target.dim()
    dot = (input1 * input2).sum(dim)
    square1, square2 = (input1 * input1).sum(dim) + 1e-12, (input2 * input2).sum(dim) + 1e-12
    cos = dot / (square1 * square2).sqrt()
    zero = tensors.zeros_like(cos)
    loss = tensors.where(target == 1, 1 - cos, zero) + tensors.where(target == -1, (cos - margin).clamp_min(0), zero)
    return reduced(loss, reduction)


def _check_ndims(anchor: Any, positive: Any, negative: Any) -> None:
    dims = anchor.dim(), positive.dim(), negative.dim()
    if not dims[0] == dims[1] == dims[2]:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {dims[0]}D, positive {dims[1]}D, and negative {dims[2]}D inputs"
        )


def _triplet(anchor: Any, positive: Any, negative: Any, distance: Any, margin: float, swap: bool, reduction: str) -> Any:
    _check_ndims(anchor, positive, negative)
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = tensors.minimum(far, distance(positive, negative))
    return reduced((margin + near - far).clamp_min(0), reduction)


@composite("F.triplet_margin_loss")
def triplet_margin_loss(
    anchor: Any, positive: Any, negative: Any, margin: float = 1.0, p: float = 2, eps: float = 1e-6, swap: bool = False,
    size_average: Any = None, reduce: Any = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) with the p-norm distance.

    `swap`: the negative is compared with the nearer of anchor and positive (Balntas et al., 2016).
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    return _triplet(anchor, positive, negative, lambda a, b: pairwise_distance(a, b, p, eps), margin, swap, reduction)


@composite("F.triplet_margin_with_distance_loss")
def triplet_margin_with_distance_loss(
    anchor: Any, positive: Any, negative: Any, *, distance_function: Any = None, margin: float = 1.0, swap: bool = False,
    reduction: str = "mean",
) -> Any:  # fmt: skip
    """`triplet_margin_loss` with a distance of one's own; by default `pairwise_distance`."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"{reduction} is not a valid value for reduction")
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    return _triplet(anchor, positive, negative, distance_function or pairwise_distance, margin, swap, reduction)


@composite("F.multilabel_soft_margin_loss")
def multilabel_soft_margin_loss(
    input: Any, target: Any, weight: Any = None, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Any:
    """Binary cross entropy of sigmoid(input), averaged over the classes, the last dimension."""
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    loss = -(target * tensors.logsigmoid(input) + (1 - target) * tensors.logsigmoid(-input))
    if weight is not None:
        loss = loss * weight
    last = input.dim() - 1
    loss = loss.sum(dim=last) / input.size(last)
    if reduction not in REDUCTIONS:
        raise ValueError(f"{reduction} is not valid")
    return reduced(loss, reduction)


numbered("hinge_embedding_loss", hinge_embedding_loss, 1.0)
numbered("margin_ranking_loss", margin_ranking_loss, 0.0)
numbered("cosine_embedding_loss", cosine_embedding_loss, 0.0)
numbered("triplet_margin_loss", triplet_margin_loss, 1.0, 2.0, 1e-6, False)

# --- class scores --------------------------------------------------------------------------------------------------


def _need_long(target: Array) -> None:
    if target.dtype.kind != "i" or target.dtype.itemsize != 8:
        raise RuntimeError(f"expected scalar type Long but found {SCALAR_NAMES[OF_NUMPY[target.dtype]]}")


@operator(node="MultiMarginLossBackward0", out=False)
def multi_margin(input: Array, target: Array, p: Any, margin: Any, weight: Array | None, reduction: Any) -> Array:
    """The multi-class margin loss, reduced."""
    rows, classes = _as_rows(input)
    if input.ndim > 2 or (input.ndim == 2 and not input.shape[1]) or (input.ndim == 1 and not input.size):
        raise RuntimeError(f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(input.shape)}")
    if target.ndim > 1 or target.size != rows:
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input samples (batch size). "
            f"Expected target size [{rows}], but got {list(target.shape)}. Input has shape {list(input.shape)}."
        )
    if weight is not None and (weight.ndim > 1 or weight.size != classes):
        raise RuntimeError(f"inconsistent weight size, expected {classes} but got {list(weight.shape)}")
    _need_long(target)
    if input.dtype.kind != "f" or input.dtype.itemsize == 2:
        refuse(input, "multi_margin_loss_cpu_kernel")
    if target.size and (target.min() < 0 or target.max() >= classes):
        raise RuntimeError("target out of range")
    losses = k.multi_margin(input.reshape(rows, classes), target.reshape(-1), p, margin, weight)
    return reduce_kernel(losses.reshape(target.shape), reduction)


def _as_rows(input: Array) -> tuple[int, int]:
    return (input.shape[0], input.shape[1]) if input.ndim == 2 else (1, input.shape[0] if input.ndim else 1)


def _rows_grad(grad: Array, rows: int, reduction: str) -> Array:
    grad = grad.reshape(-1)
    if reduction == "mean":
        grad = grad / grad.dtype.type(max(rows, 1))
    return k.per_row(grad, rows)


def _multi_margin_backward(grad: Array, input: Array, target: Array, p: Any, margin: Any, weight: Any, reduction: str) -> Array:
    rows, classes = _as_rows(input)
    grad = _rows_grad(grad, rows, reduction)
    return k.multi_margin_backward(grad, input.reshape(rows, classes), target.reshape(-1), p, margin, weight).reshape(input.shape)


def _multi_margin_backward_tensors(grad: Any, input: Any, target: Any, p: Any, margin: Any, weight: Any, reduction: str) -> Any:
    rows, classes = _as_rows(input)
    x, at = input.reshape(rows, classes), target.reshape(-1, 1)
    onehot = tensors.zeros_like(x).scatter(1, at, 1.0)
    z = (margin - x.gather(1, at) + x).clamp_min(0) * (1 - onehot)
    slope = (2 * z if p == 2 else (z > 0).to(x.dtype)) / classes
    if weight is not None:
        slope = slope * weight[at]
    slope = slope * (grad.reshape(-1, 1) / (rows if reduction == "mean" else 1))
    return (slope - onehot * slope.sum(1, True)).reshape(input.shape)


formula_function("multi_margin_backward", _multi_margin_backward, _multi_margin_backward_tensors)
multi_margin.derivative(
    input=lambda F, grad, input, target, p, margin, weight, reduction: F.multi_margin_backward(
        grad, input, target, p, margin, weight, reduction
    )
)


@composite("F.multi_margin_loss")
def multi_margin_loss(
    input: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Any:  # fmt: skip
    """sum_j max(0, margin - input[target] + input[j])^p / classes over the classes j other than the target, times weight[target].

    input: (N, C) or (C); target: (N) or (). Raises ValueError for a p other than 1 and 2.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if p != 1 and p != 2:
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.dim() != 1:
        raise ValueError("weight must be one-dimensional")
    return multi_margin.function(input, target, p, margin, weight, reduction)


@operator(outputs=2, hidden=1, node="MultilabelMarginLossBackward0", out=False)
def multilabel_margin(input: Array, target: Array, reduction: Any) -> Array:
    """The multi-label margin loss, reduced, and which classes are targets."""
    rows, classes = _as_rows(input)
    if input.ndim > 2 or (input.ndim == 2 and not input.shape[1]) or (input.ndim == 1 and not input.size):
        raise RuntimeError(f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(input.shape)}")
    if target.shape != input.shape:
        raise RuntimeError(f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}")
    _need_long(target)
    if input.dtype.kind != "f" or input.dtype.itemsize == 2:
        refuse(input, "multilabel_margin_loss_forward_out_frame")
    if target.size and (target.min() < -1 or target.max() >= classes):
        raise RuntimeError("argument #2 'target' is out of range")
    losses, named = k.multilabel_margin(input.reshape(rows, classes), target.reshape(rows, classes))
    if input.ndim < 2:
        losses = losses.reshape(())
    return reduce_kernel(losses, reduction), named.reshape(input.shape)


def _multilabel_backward(grad: Array, input: Array, target: Array, reduction: str) -> Array:
    rows, classes = _as_rows(input)
    grad = _rows_grad(grad, rows, reduction)
    return k.multilabel_margin_backward(grad, input.reshape(rows, classes), target.reshape(rows, classes)).reshape(input.shape)


def _multilabel_backward_tensors(grad: Any, input: Any, target: Any, reduction: str) -> Any:
    # The slope is constant wherever it is defined: only `grad` is differentiated further.
    rows, _ = _as_rows(input)
    slope = tensors.wrap(_multilabel_backward(k.ones(rows, input._array), input._array, target._array, "none"))
    if input.dim() == 2:
        grad = grad.reshape(-1, 1)
    return slope * (grad / max(rows, 1) if reduction == "mean" else grad)


formula_function("multilabel_margin_backward", _multilabel_backward, _multilabel_backward_tensors)
multilabel_margin.joint("input")(
    lambda F, grads, input, target, reduction: (F.multilabel_margin_backward(grads[0], input, target, reduction),)
)


@composite("F.multilabel_margin_loss")
def multilabel_margin_loss(input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean") -> Any:
    """sum over target labels y and other classes j of max(0, 1 - (input[y] - input[j])) / classes.

    input: (N, C) or (C); target: of that shape, labels up to the first -1.
    """
    return multilabel_margin.function(input, target, reduction_of(size_average, reduce, reduction))
