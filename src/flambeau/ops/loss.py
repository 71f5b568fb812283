"""Loss functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.dtype import OF_NUMPY, SCALAR_NAMES
from ..core.meta import one_device
from ..kernels import loss as k
from ..kernels import memory
from ..kernels.elementwise import divide
from ..kernels.reduction import sum as sum_kernel
from ..kernels.scattering import out_of_range
from ..tensor import PLAIN
from .activation import unimplemented
from .definition import Array, composite, explained_here, formula_function, handle_overrides, operator, tensors
from .modes import modes
from .pair_loss import REDUCTIONS, reduction_of
from .running import ndarray


def check_targets(target: Array, classes: int, ignore_index: int) -> None:
    """Raises IndexError where a class index is out of range."""
    if target.size:
        if out_of_range(target, classes):
            bad = target[((target < 0) | (target >= classes)) & (target != ignore_index)]
            if bad.size:
                raise IndexError(f"Target {int(bad[0])} is out of bounds.")


def _cross_entropy_backward_tensors(scale: Any, x: Any, target: Any, sums: Any, ignore_index: int) -> Any:
    keep = (target != ignore_index).to(x.dtype)
    safe = tensors.where(target != ignore_index, target, tensors.zeros_like(target))
    onehot = tensors.zeros_like(x).scatter(1, safe.unsqueeze(1), 1.0)
    return (tensors.softmax(x, 1) - onehot) * (scale * keep).unsqueeze(1)


formula_function("cross_entropy_backward", k.cross_entropy_backward, _cross_entropy_backward_tensors)


@operator(outputs=3, hidden=2, node="NllLossBackward0", out=False)
def cross_entropy_rows(input: Array, target: Array, reduction: Any, ignore_index: Any) -> Array:
    """Cross entropy of logits (rows, classes) and class indices (rows), for reductions `none`, `sum` and `mean`."""
    if input.dtype.kind in "iubc":
        raise unimplemented("log_softmax_lastdim_kernel_impl", input)
    if (
        reduction != "none"
        and input.__class__ is ndarray
        and (found := k.cross_entropy_total(input, target, ignore_index, reduction == "mean"))
    ):
        total, sums, count = found
        return total, sums, memory.asarray(count)
    check_targets(target, input.shape[1], ignore_index)
    losses, sums, count = k.cross_entropy(input, target, ignore_index)
    counted = memory.asarray(count)
    if reduction == "none":
        return losses.astype(input.dtype, copy=False), sums, counted
    total = sum_kernel(losses)
    if reduction == "mean":
        total = total / losses.dtype.type(count) if count else losses.dtype.type(np.nan)
    return memory.asarray(total, input.dtype), sums, counted


def _cross_entropy_gradient(
    F: Any, grads: Any, input: Any, target: Any, reduction: Any, ignore_index: Any, result1: Any, result2: Any
) -> Any:
    scale = grads[0]
    if reduction == "mean":
        scale = scale / max(int(result2), 1)
    return (F.cross_entropy_backward(scale, input, target, result1, ignore_index),)


cross_entropy_rows.joint("input")(_cross_entropy_gradient)


# --- cross entropy -------------------------------------------------------------------------------------------------


@composite("F.cross_entropy", hot=True)
def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """-log softmax(input)[target], averaged over the targets that count.

    input: (N, C), (C) or (N, C, d1, ...); target: class indices without the C dimension, or probabilities of the input's
    shape. Raises ValueError and RuntimeError where shapes or dtypes do not fit, IndexError for a class out of range.
    """
    try:
        if modes.active or type(input) not in PLAIN or type(target) not in PLAIN:
            options = dict(weight=weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing)
            result = handle_overrides(cross_entropy, (input, target), options)
            if result is not NotImplemented:
                return result
        if size_average is not None or reduce is not None:
            reduction = reduction_of(size_average, reduce, reduction)
        x, t = input._array, target._array
        if (
            x.ndim == 2 and t.ndim == 1 and t.dtype.kind == "i" and weight is None and label_smoothing == 0.0 and x.shape[0] == t.shape[0]
            and reduction in REDUCTIONS and t.dtype.itemsize == 8
        ):  # fmt: skip
            return cross_entropy_rows.function(input, target, reduction, ignore_index)
        return _cross_entropy_general(input, target, weight, ignore_index, reduction, label_smoothing)
    except Exception as error:
        raise explained_here(error, "F.cross_entropy")


def _cross_entropy_general(input: Any, target: Any, weight: Any, ignore_index: int, reduction: str, label_smoothing: float) -> Any:
    """Every form of cross entropy but the plain one, by log_softmax."""
    reduction = reduction_of(None, None, reduction)
    if ignore_index.__class__ is not int:
        if ignore_index.__class__ is bool or not hasattr(ignore_index, "__index__"):
            raise TypeError(f"cross_entropy_loss(): argument 'ignore_index' (position 5) must be int, not {type(ignore_index).__name__}")
        ignore_index = ignore_index.__index__()
    class_dim = 0 if input.dim() == 1 else 1
    if not input.dim():
        raise IndexError("Dimension out of range (expected to be in range of [-1, 0], but got 1)")
    classes = input.shape[class_dim] if input.dim() else 1
    if weight is not None and target.shape == input.shape and (weight.dim() != 1 or weight.numel() != classes):
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of shape: "
            f"{list(weight.shape)}"
        )
    if target.shape == input.shape:
        if target.dtype.kind >= 2 and ignore_index >= 0:
            raise RuntimeError("ignore_index is not supported for floating point target")
        return _cross_entropy_probabilities(input, target, weight, reduction, label_smoothing, class_dim)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing:g}")
    log_p = tensors.log_softmax(input, class_dim)
    loss = nll_loss(log_p, target, weight, ignore_index=ignore_index, reduction=reduction)
    if label_smoothing == 0.0:
        return loss
    if weight is not None:
        shape = [1] * input.dim()
        shape[class_dim] = weight.shape[0]
        smooth = -(log_p * weight.reshape(shape)).sum(class_dim)
    else:
        smooth = -log_p.sum(class_dim)
    keep = target != ignore_index
    smooth = smooth.masked_fill(~keep, 0.0)
    if reduction == "mean":
        if weight is not None:
            safe = target.masked_fill(~keep, 0)
            total = (tensors.take_rows_of(weight, safe) * keep).sum()
        else:
            total = keep.sum()
        smooth = smooth.sum() / total
    elif reduction == "sum":
        smooth = smooth.sum()
    return loss * (1 - label_smoothing) + smooth * (label_smoothing / classes)


tensors.take_rows_of = lambda weight, index: weight[index]


def _cross_entropy_probabilities(input: Any, target: Any, weight: Any, reduction: str, label_smoothing: float, class_dim: int) -> Any:
    if target.dtype.kind != 2:
        raise RuntimeError(f"Expected floating point type for target with class probabilities, got {SCALAR_NAMES[target.dtype]}")
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing:g}")
    classes = input.shape[class_dim]
    if label_smoothing > 0.0:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    log_p = tensors.log_softmax(input, class_dim)
    product = log_p * target
    if weight is not None:
        shape = [1] * input.dim()
        shape[class_dim] = weight.shape[0]
        product = product * weight.reshape(shape)
    if reduction == "none":
        return -product.sum(class_dim)
    total = -product.sum()
    if reduction == "sum":
        return total
    return divided.function(total, input.numel() // classes)


@operator(node="DivBackward1", out=False)
def divided(input: Array, number: Any) -> Array:
    """`input` divided by a Python number, under PyTorch's name for that."""
    return divide(input, number)


divided.derivative(input=lambda F, grad, number: grad / number)


def _nll_node(input: Array, target: Array, weight: Any, reduction: Any, ignore_index: Any) -> str:
    return "NllLossBackward0" if input.ndim <= 2 else "NllLoss2DBackward0"


@operator(outputs=2, hidden=1, node=_nll_node, out=False)
def nll(input: Array, target: Array, weight: Array | None, reduction: Any, ignore_index: Any) -> Array:
    """-weight[target] * input at the target along dimension 1, reduced; zero where the target is ignored.

    input: (N, C, ...), target: (N, ...); or (C), and () or (1).
    """
    if input.dtype.kind not in "fV":
        raise unimplemented("nll_loss_out_frame" if input.ndim <= 2 else "nll_loss2d_forward_out_frame", input)
    if weight is not None and weight.dtype != input.dtype:
        names = SCALAR_NAMES[OF_NUMPY[input.dtype]], SCALAR_NAMES[OF_NUMPY[weight.dtype]]
        raise RuntimeError(f"expected scalar type {names[0]} but found {names[1]}")
    one_device((input, target, weight))
    shape = target.shape
    if input.ndim == 1:
        input, target = input[None], target.reshape(1)
    check_targets(target, input.shape[1], ignore_index)
    loss, total = k.nll(input, target.astype(np.int64, copy=False), weight, ignore_index, reduction)
    return loss.reshape(shape) if reduction == "none" else loss, total


def _nll_gradient(F: Any, grads: Any, target: Any, weight: Any, reduction: Any, ignore_index: Any, result1: Any, input_shape: Any) -> Any:
    if len(input_shape) == 1:
        grad = F.nll_backward(grads[0].reshape((1,)), target.reshape((1,)), weight, ignore_index, reduction, result1, (1, *input_shape))
        return (grad[0],)
    return (F.nll_backward(grads[0], target, weight, ignore_index, reduction, result1, input_shape),)


def _nll_backward_tensors(grad: Any, target: Any, weight: Any, ignore_index: int, reduction: str, total: Any, shape: Any) -> Any:
    keep = target != ignore_index
    safe = tensors.where(keep, target, tensors.zeros_like(target)).long()
    scale = -grad * keep if weight is None else -grad * keep * weight[safe]
    if reduction == "mean":
        scale = scale / total.detach()
    return grad.new_zeros(shape).scatter(1, safe.unsqueeze(1), scale.unsqueeze(1))


formula_function("nll_backward", k.nll_backward, _nll_backward_tensors)
nll.joint("input")(_nll_gradient)


@composite("F.nll_loss")
def nll_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """The negative of `input` (log probabilities) at the target classes, weighted and averaged by weight.

    input: (N, C), (C) or (N, C, d1, ...); target: class indices without the C dimension. Raises ValueError and RuntimeError
    where shapes or dtypes do not fit, IndexError for a class out of range.
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    shape, dtype = input._array.shape, target._array.dtype
    if weight is None and len(shape) == 2 and target._array.shape == shape[:1] and dtype.kind == "i" and dtype.itemsize == 8:
        if reduction in REDUCTIONS:
            return nll.function(input, target, None, reduction, ignore_index)
    reduction = reduction_of(None, None, reduction)
    ndim = input.dim()
    if ndim < 1:
        raise ValueError(f"Expected 1 or more dimensions (got {ndim})")
    if ndim != 1 and (not target.dim() or input.shape[0] != target.shape[0]):
        found = target.shape[0] if target.dim() else 0
        raise ValueError(f"Expected input batch_size ({input.shape[0]}) to match target batch_size ({found}).")
    if ndim == 1 and target.dim() == 1 and target.shape[0] != 1:
        raise ValueError(f"For 1D input, 1D target must have size 1, but got target size: {target.shape[0]}")
    if ndim < 3 and target.dim() > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if ndim > 2:
        expected = [input.shape[0], *input.shape[2:]]
        if ndim != 4 and list(target.shape) != expected:
            raise RuntimeError(f"Expected target size {expected}, got {list(target.shape)}")
        if target.dim() != ndim - 1:
            raise RuntimeError(f"only batches of spatial targets supported (3D tensors) but got targets of dimension: {target.dim()}")
        if list(target.shape) != expected:
            raise RuntimeError(f"size mismatch (got input: {list(input.shape)} , target: {list(target.shape)}")
    dtype = target._array.dtype
    if dtype.kind not in "iu" or dtype.itemsize not in (1, 8) or dtype == np.int8:
        raise RuntimeError(f"expected target dtype to be Long or Byte, but got {SCALAR_NAMES[target.dtype]}")
    if weight is not None:
        classes = input.shape[1 if ndim > 1 else 0]
        if weight.dim() != 1 or weight.numel() != classes:
            raise RuntimeError(
                f"weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of shape: "
                f"{list(weight.shape)}"
            )
    loss = nll.function(input, target, weight, reduction, ignore_index)
    return loss.view(target.shape) if reduction == "none" and ndim not in (1, 2, 4) else loss  # as PyTorch names it


# --- a linear layer before it --------------------------------------------------------------------------------------


@composite("F.linear_cross_entropy")
def linear_cross_entropy(
    input: Any, linear_weight: Any, target: Any, *, linear_bias: Any = None, weight: Any = None, reduction: str = "mean",
    ignore_index: int | None = None, label_smoothing: float = 0.0, options: Any = None,
) -> Any:  # fmt: skip
    """The cross entropy of `input @ linear_weight.T + linear_bias`.

    Shapes: input (N, in) or (in), linear_weight (C, ..., in), linear_bias (C, ...), target as for logits (N, C, ...).
    `options`, which lets PyTorch compute the logits in pieces, makes no difference to the result and is not used.
    Raises RuntimeError where shapes do not fit.
    """
    if input.dim() not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.dim()}")
    if linear_weight.dim() < 2:
        raise RuntimeError(f"expected linear_weight with dimensionality at least 2, got {linear_weight.dim()}")
    batch, features = tuple(input.shape[:-1]), input.shape[-1]
    if features != linear_weight.shape[-1]:
        raise RuntimeError(
            f"expected equal input and linear_weight last dimensions (in_features), got {features} and {linear_weight.shape[-1]}, "
            "respectively"
        )
    outputs = tuple(linear_weight.shape[:-1])
    if linear_bias is not None and tuple(linear_bias.shape) != outputs:
        raise RuntimeError(f"expected linear_bias shape {outputs}, got {tuple(linear_bias.shape)}")
    if len(outputs) > 1 and not batch:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(linear_weight.shape)} requires batched input, (N, {features}), got "
            f"unbatched input with shape {tuple(input.shape)}"
        )
    shape = (*batch, *outputs)
    if tuple(target.shape) == shape and ignore_index is not None:
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    if options is not None and (
        len(outputs) > 1 or reduction not in REDUCTIONS or label_smoothing != 0.0 or target._array.dtype != np.int64
    ):
        import warnings

        warnings.warn(
            "linear_cross_entropy: ``options`` ignored; chunked path needs reduction in {'mean','sum','none'}, label_smoothing == 0, "
            f"target.dtype == int64, out_features == (). Got reduction={reduction!r}, label_smoothing={label_smoothing}, "
            f"target.dtype={target.dtype}, out_features={outputs[1:]}, tracing=False, "
            f"linear_bias.shape={None if linear_bias is None else tuple(linear_bias.shape)}.",
            stacklevel=3,
        )
    rows = linear_weight.reshape(-1, features) if len(outputs) > 1 else linear_weight
    logits = tensors.linear(input, rows, None if linear_bias is None else linear_bias.reshape(-1))
    if len(outputs) > 1:
        logits = logits.reshape(shape)
    ignored = -100 if ignore_index is None else ignore_index
    return cross_entropy(logits, target, weight, ignore_index=ignored, reduction=reduction, label_smoothing=label_smoothing)
