"""Losses between an input and a target of one shape: squared and absolute errors, binary cross entropy, divergences."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from ..autograd.grad_mode import no_grad
from ..core.dtype import OF_NUMPY, SCALAR_NAMES
from ..core.promotion import operands
from ..kernels import pair_loss as k
from ..tensor import PLAIN
from .activation import unimplemented
from .creation import ones_like
from .definition import Array, attach, composite, formula_function, handle_overrides, operator, tensors
from .modes import modes

REDUCTIONS = frozenset(("none", "mean", "sum"))
_BY_NUMBER = ("none", "mean", "sum")


# --- reductions ----------------------------------------------------------------------------------------------------


def reduction_of(size_average: Any, reduce: Any, reduction: Any) -> str:
    """The reduction that a name or the deprecated flags mean. Raises ValueError for another name."""
    if size_average is not None or reduce is not None:
        import warnings

        mean, some = size_average is None or bool(size_average), reduce is None or bool(reduce)
        reduction = "mean" if mean and some else "sum" if some else "none"
        warnings.warn(f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.", stacklevel=4)
    if reduction.__class__ is str and reduction in REDUCTIONS:
        return reduction
    if reduction == "elementwise_mean":
        import warnings

        warnings.warn("reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead.", stacklevel=4)
        return "mean"
    raise ValueError(f"{reduction} is not a valid value for reduction")


def reduced(loss: Any, reduction: str) -> Any:
    """A Tensor of losses, its mean or its sum."""
    return loss if reduction == "none" else loss.mean() if reduction == "mean" else loss.sum()


def numbered(name: str, function: Any, *defaults: Any) -> None:
    """Gives `torch.<name>` its form: arguments in order, the reduction last, as a number, and none by default."""

    def call(*args: Any, **kwargs: Any) -> Any:
        flags = {key: kwargs.pop(key) for key in ("size_average", "reduce") if key in kwargs}
        reduction = kwargs.pop("reduction", 0)
        if len(args) > count:
            *args, reduction = args  # type: ignore[assignment]
        return function(*args, **kwargs, **flags, reduction=_BY_NUMBER[reduction] if reduction.__class__ is int else reduction)

    count = 2 + len(defaults) if name not in ("margin_ranking_loss", "cosine_embedding_loss", "triplet_margin_loss") else 3 + len(defaults)
    call.__name__ = call.__qualname__ = name
    call.__doc__ = function.__doc__
    attach(f"torch.{name}", call)


def _check_sizes(input: Any, target: Any) -> None:
    """Warns where the sizes differ, and raises RuntimeError where they do not broadcast."""
    if target.size() != input.size():
        import warnings

        warnings.warn(
            f"Using a target size ({target.size()}) that is different to the input size ({input.size()}). This will likely lead to "
            "incorrect results due to broadcasting. Please ensure they have the same size.",
            stacklevel=4,
        )
        tensors.broadcast_tensors(input, target)


def _weighted(loss: Any, input: Any, weight: Any, reduction: str, plain_mean: bool = False) -> Any:
    if weight.size() != input.size():
        raise ValueError("Weights and input must have the same size.")
    loss = loss * weight
    if reduction not in REDUCTIONS:
        raise ValueError(f"Invalid reduction mode: {reduction}. Expected one of 'none', 'mean', 'sum'.")
    if reduction == "mean" and not plain_mean:
        return loss.sum() / weight.sum()
    return reduced(loss, reduction)


def _refuse(kernel: str, x: Array, y: Array) -> None:
    for array in (x, y):
        if array.dtype.kind in "iub" and x.dtype.kind in "iub" or array.dtype.kind == "c":
            raise unimplemented(kernel, array)


def _scale(slope: Any, grad: Any, reduction: str) -> Any:
    """Over Tensors: the slope times the gradient of the reduced loss."""
    return slope * (grad / slope.numel()) if reduction == "mean" and slope.numel() else slope * grad


def _slope_function(name: str, over_arrays: Any, over_tensors: Any) -> None:
    """`F.<name>(grad, x, target, reduction, *options)`, from the slope in both forms."""
    formula_function(
        name,
        partial(k.scaled, over_arrays),
        lambda grad, x, target, reduction, *options: _scale(over_tensors(x, target, *options), grad, reduction),
    )


# --- squared and absolute errors ---------------------------------------------------------------------------------


@operator(promote="arithmetic", out=False)
def mse_loss(input: Array, target: Array, reduction: Any) -> Array:
    """(input - target)^2, reduced."""
    if input.dtype.kind not in "fV":
        raise unimplemented("mse_cpu", input)
    return k.mse(input, target, reduction)


_slope_function("mse_slope", k.mse_slope, lambda x, target: (x - target) * 2)


@mse_loss.joint("input", "target")
def _mse_gradients(F: Any, grad: Any, needs: Any, input: Any, target: Any, reduction: Any) -> Any:
    return (
        F.mse_slope(grad, input, target, reduction) if needs[0] else None,
        F.mse_slope(grad, target, input, reduction) if needs[1] else None,
    )


@composite("F.mse_loss", hot=True)
def mse_loss_function(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean", weight: Any = None
) -> Any:
    """(input - target)^2, averaged, summed or neither; with `weight`, weighted and divided by the sum of the weights."""
    if modes.active or type(input) not in PLAIN or type(target) not in PLAIN:
        result = handle_overrides(mse_loss_function, (input, target), dict(reduction=reduction, weight=weight))
        if result is not NotImplemented:
            return result
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    if target.size() != input.size():
        _check_sizes(input, target)
    if weight is not None:
        return _weighted((input - target) ** 2, input, weight, reduction)
    if reduction not in REDUCTIONS:
        reduction = reduction_of(None, None, reduction)
    return mse_loss.function(input, target, reduction)


mse_loss_function.__name__ = mse_loss_function.__qualname__ = "mse_loss"


@composite("F.l1_loss")
def l1_loss(input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean", weight: Any = None) -> Any:
    """|input - target|, averaged, summed or neither; with `weight`, weighted and divided by the sum of the weights."""
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    _check_sizes(input, target)
    if weight is not None:
        return _weighted((input - target).abs(), input, weight, reduction)
    return reduced((input - target).abs(), reduction_of(None, None, reduction))


def _clamped(x: Any, target: Any, limit: float, over: float = 1.0) -> Any:
    return ((x - target) / over if over != 1 else x - target).clamp(-limit, limit)


@operator(node="SmoothL1LossBackward0", promote="arithmetic", out=False)
def smooth_l1(input: Array, target: Array, reduction: Any, beta: Any) -> Array:
    """The smooth absolute error, reduced."""
    _refuse("smooth_l1_cpu", input, target)
    return k.reduced(k.smooth_l1, input, target, reduction, beta)


_slope_function("smooth_l1_slope", k.smooth_l1_slope, lambda x, target, beta: _clamped(x, target, 1.0, beta))


@smooth_l1.joint("input", "target")
def _smooth_l1_gradients(F: Any, grad: Any, needs: Any, input: Any, target: Any, reduction: Any, beta: Any) -> Any:
    return (
        F.smooth_l1_slope(grad, input, target, reduction, beta) if needs[0] else None,
        F.smooth_l1_slope(grad, target, input, reduction, beta) if needs[1] else None,
    )


@composite("F.smooth_l1_loss")
def smooth_l1_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean", beta: float = 1.0
) -> Any:
    """0.5 d^2 / beta where d = |input - target| < beta, else d - 0.5 beta. Raises RuntimeError for a negative beta."""
    _check_sizes(input, target)
    reduction = reduction_of(size_average, reduce, reduction)
    if beta == 0.0:
        return reduced((input - target).abs(), reduction)
    if not beta >= 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    return smooth_l1.function(input, target, reduction, beta)


def _alike(input: Array, target: Array, into: Array) -> tuple[Array, Array]:
    """Both in the dtype they have together. Raises RuntimeError where the result does not go into the dtype of `into`."""
    if input.dtype == target.dtype:
        if into.dtype.kind in "iub":
            raise RuntimeError(f"result type Float can't be cast to the desired output type {SCALAR_NAMES[OF_NUMPY[into.dtype]]}")
        return input, target
    x, y, _ = operands(input, target)
    if into.dtype.kind in "iub" and x.dtype.kind not in "iub" or x.dtype.kind == "c" and into.dtype.kind != "c":
        names = SCALAR_NAMES[OF_NUMPY[x.dtype]], SCALAR_NAMES[OF_NUMPY[into.dtype]]
        raise RuntimeError(f"result type {names[0]} can't be cast to the desired output type {names[1]}")
    return x, y


@operator(out=False)
def huber_loss(input: Array, target: Array, reduction: Any, delta: Any) -> Array:
    """The Huber loss, reduced; in the dtype of the input."""
    if input.dtype != target.dtype:
        x, y = _alike(input, target, input)
    else:
        x, y = input, target
    _refuse("huber_cpu", x, y)
    return k.reduced(k.huber, x, y, reduction, delta).astype(input.dtype, copy=False)


_slope_function("huber_slope", k.huber_slope, lambda x, target, delta: _clamped(x, target, delta))


@huber_loss.joint("input", "target")
def _huber_gradients(F: Any, grad: Any, needs: Any, input: Any, target: Any, reduction: Any, delta: Any) -> Any:
    return (
        F.huber_slope(grad, input, target, reduction, delta) if needs[0] else None,
        F.huber_slope(grad, target, input, reduction, delta) if needs[1] else None,
    )


@composite("F.huber_loss")
def huber_loss_function(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None) -> Any:
    """0.5 d^2 where d = |input - target| <= delta, else delta (d - 0.5 delta). Raises RuntimeError for a delta that is not positive."""
    _check_sizes(input, target)
    mode = reduction_of(None, None, reduction) if weight is None else "none"
    if not delta > 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    loss = huber_loss.function(input, target, mode, delta)
    return loss if weight is None else _weighted(loss, input, weight, reduction, plain_mean=True)


huber_loss_function.__name__ = huber_loss_function.__qualname__ = "huber_loss"


@operator(node="SoftMarginLossBackward0", out=False)
def soft_margin(input: Array, target: Array, reduction: Any) -> Array:
    """log(1 + exp(-target * input)), reduced; in the dtype of the input."""
    if input.dtype.kind == "c":
        raise RuntimeError("soft_margin_loss does not support automatic differentiation for outputs with complex dtype.")
    x, y = _alike(input, target, input)
    return k.reduced(k.soft_margin, x, y, reduction).astype(input.dtype, copy=False)


_slope_function("soft_margin_slope", k.soft_margin_slope, lambda x, target: -target * tensors.sigmoid(-target * x))
soft_margin.derivative(input=lambda F, grad, input, target, reduction: F.soft_margin_slope(grad, input, target, reduction))


@composite("F.soft_margin_loss")
def soft_margin_loss(input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean") -> Any:
    """log(1 + exp(-target * input)) for targets 1 and -1."""
    reduction = reduction_of(size_average, reduce, reduction)
    if input.shape != target.shape:
        wide = tensors.broadcast_tensors(input, target)[0].shape
        if wide != input.shape:
            raise RuntimeError(f"output with shape {list(input.shape)} doesn't match the broadcast shape {list(wide)}")
    return soft_margin.function(input, target, reduction)


# --- binary cross entropy ------------------------------------------------------------------------------------------


@operator(out=False)
def binary_cross_entropy(input: Array, target: Array, weight: Array | None, reduction: Any) -> Array:
    """-(target log(input) + (1 - target) log(1 - input)), weighted and reduced."""
    if target.dtype != input.dtype:
        names = SCALAR_NAMES[OF_NUMPY[target.dtype]], SCALAR_NAMES[OF_NUMPY[input.dtype]]
        raise RuntimeError(f"Found dtype {names[0]} but expected {names[1]}")
    if input.dtype.kind not in "fV":
        raise unimplemented("binary_cross_entropy", input)
    if not k.within_unit(input):
        raise RuntimeError("all elements of input should be between 0 and 1")
    if not k.within_unit(target):
        raise RuntimeError("all elements of target should be between 0 and 1")
    return k.reduced(k.bce, input, target, reduction, weight)


def _times(slope: Any, weight: Any) -> Any:
    return slope if weight is None else slope * weight


_slope_function("bce_slope", k.bce_slope, lambda x, t, w: _times((x - t) / ((1 - x) * x).clamp_min(1e-12), w))
_slope_function("bce_target_slope", k.bce_target_slope, lambda x, t, w: _times((1 - x).log() - x.log(), w))
binary_cross_entropy.derivative(
    input=lambda F, grad, input, target, weight, reduction: F.bce_slope(grad, input, target, reduction, weight),
    target=lambda F, grad, input, target, weight, reduction: F.bce_target_slope(grad, input, target, reduction, weight),
)


@composite("F.binary_cross_entropy")
def binary_cross_entropy_function(
    input: Any, target: Any, weight: Any = None, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Any:
    """-(target log(input) + (1 - target) log(1 - input)) of probabilities; logarithms count as no less than -100.

    Raises ValueError where the sizes differ, RuntimeError for values outside [0, 1].
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if target.size() != input.size():
        raise ValueError(
            f"Using a target size ({target.size()}) that is different to the input size ({input.size()}) is deprecated. Please ensure "
            "they have the same size."
        )
    if weight is not None:
        from ..core.layout import broadcast_shapes

        try:
            weight = weight.expand(broadcast_shapes(tuple(target.shape), tuple(weight.shape)))
        except RuntimeError:
            raise _broadcast_error(target, weight) from None
    return binary_cross_entropy.function(input, target, weight, reduction)


binary_cross_entropy_function.__name__ = binary_cross_entropy_function.__qualname__ = "binary_cross_entropy"


def _broadcast_error(target: Any, weight: Any) -> Exception:
    """PyTorch's words for shapes that do not broadcast, as its function for shapes alone has them."""
    for i in range(1, 1 + min(target.dim(), weight.dim())):
        if weight.shape[-i] not in (1, target.shape[-i]) and target.shape[-i] != 1:
            return RuntimeError(
                f"Attempting to broadcast a dimension of length {weight.shape[-i]} at {-i}! Mismatching argument at index 1 had "
                f"{weight.shape}; but expected shape should be broadcastable to {list(target.shape)}"
            )
    return RuntimeError("the shapes cannot be broadcast")


@operator(node="BinaryCrossEntropyWithLogitsBackward0", out=False)
def bce_with_logits(input: Array, target: Array, weight: Array | None, pos_weight: Array | None, reduction: Any) -> Array:
    """Binary cross entropy of sigmoid(input), weighted and reduced; in the dtype of the target."""
    if input.dtype.kind not in "fV":
        raise unimplemented("log_sigmoid_cpu", input)
    x, y = _alike(input, target, target)
    result = k.reduced(k.bce_logits, x, y, reduction, weight, pos_weight)
    return result if result.dtype == target.dtype else result.astype(target.dtype)


def _logits_slope(x: Any, t: Any, weight: Any, pos_weight: Any) -> Any:
    if pos_weight is None:
        return _times(tensors.sigmoid(x) - t, weight)
    positive = pos_weight * t
    return _times((positive + 1 - t) * tensors.sigmoid(x) - positive, weight)


def _logits_target_slope(x: Any, t: Any, weight: Any, pos_weight: Any) -> Any:
    slope = -x if pos_weight is None else tensors.logsigmoid(-x) - pos_weight * tensors.logsigmoid(x)
    return _times(slope, weight)


_slope_function("bce_logits_slope", k.bce_logits_slope, _logits_slope)
_slope_function("bce_logits_target_slope", k.bce_logits_target_slope, _logits_target_slope)
bce_with_logits.derivative(
    input=lambda F, grad, input, target, weight, pos_weight, reduction: F.bce_logits_slope(
        grad, input, target, reduction, weight, pos_weight
    ),
    target=lambda F, grad, input, target, weight, pos_weight, reduction: F.bce_logits_target_slope(
        grad, input, target, reduction, weight, pos_weight
    ),
)


@composite("F.binary_cross_entropy_with_logits", hot=True)
def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
    pos_weight: Any = None,
) -> Any:  # fmt: skip
    """Binary cross entropy of sigmoid(input), without overflow. `pos_weight` multiplies the loss of positive targets.

    Raises ValueError where the sizes of input and target differ.
    """
    if modes.active or type(input) not in PLAIN or type(target) not in PLAIN:
        options = dict(weight=weight, reduction=reduction, pos_weight=pos_weight)
        result = handle_overrides(binary_cross_entropy_with_logits, (input, target), options)
        if result is not NotImplemented:
            return result
    if size_average is not None or reduce is not None or reduction not in REDUCTIONS:
        reduction = reduction_of(size_average, reduce, reduction)
    if target.size() != input.size():
        raise ValueError(f"Target size ({target.size()}) must be the same as input size ({input.size()})")
    return bce_with_logits.function(input, target, weight, pos_weight, reduction)


attach(
    "torch.binary_cross_entropy_with_logits",
    lambda input, target, weight=None, pos_weight=None, reduction=0: binary_cross_entropy_with_logits(
        input, target, weight, reduction=_BY_NUMBER[reduction], pos_weight=pos_weight
    ),
)


# --- divergences and likelihoods -----------------------------------------------------------------------------------


@composite("F.kl_div")
def kl_div(input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean", log_target: bool = False) -> Any:
    """target (log(target) - input), the Kullback-Leibler divergence for log probabilities `input`.

    `log_target`: the target is given as log probabilities, too. reduction: "batchmean" divides the sum by the batch size.
    """
    flagged = size_average is not None or reduce is not None
    if not flagged and reduction == "mean":
        import warnings

        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size.'batchmean' divides only by the batch "
            "size, and aligns with the KL div math definition.'mean' will be changed to behave the same as 'batchmean' in the next major "
            "release.",
            stacklevel=3,
        )
    mode = "sum" if not flagged and reduction == "batchmean" else reduction_of(size_average, reduce, reduction)
    loss = kl_div_plain(input, target, mode, log_target)
    return loss / input.size(0) if reduction == "batchmean" and input.dim() else loss


def kl_div_plain(input: Any, target: Any, reduction: Any = 0, *args: Any, log_target: bool = False) -> Any:
    """`kl_div` with PyTorch's number for the reduction."""
    log_target = args[0] if args else log_target
    if log_target is not True and log_target is not False:
        raise TypeError(f"kl_div(): argument 'log_target' must be bool, not {type(log_target).__name__}")
    for t in (input, target):
        if t.dtype.kind < 2:
            raise RuntimeError("kl_div: Integral inputs not supported.")
        if t.is_complex():
            raise RuntimeError("kl_div: Complex inputs not supported.")
    loss = target.exp() * (target - input) if log_target else tensors.xlogy(target, target) - target * input
    return reduced(loss, _BY_NUMBER[reduction] if reduction.__class__ is int else reduction)


attach("torch.kl_div", kl_div_plain)


@composite("F.poisson_nll_loss")
def poisson_nll_loss(
    input: Any, target: Any, log_input: bool = True, full: bool = False, size_average: Any = None, eps: float = 1e-8,
    reduce: Any = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """exp(input) - target input, the negative log likelihood of a Poisson target; `full` adds Stirling's approximation.

    Without `log_input`: input - target log(input + eps).
    """
    reduction = reduction_of(size_average, reduce, reduction)
    loss = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        loss = loss + stirling.masked_fill(target <= 1, 0)
    return reduced(loss, reduction)


attach(
    "torch.poisson_nll_loss",
    lambda input, target, log_input, full, eps, reduction: poisson_nll_loss(
        input, target, log_input, full, eps=eps, reduction=_BY_NUMBER[reduction]
    ),
)


@composite("F.gaussian_nll_loss")
def gaussian_nll_loss(input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> Any:
    """0.5 (log(var) + (input - target)^2 / var), the negative log likelihood of a normal target; `full` adds 0.5 log(2 pi).

    `var`: of the input's shape, or without its last dimension, or with a 1 in one; a float. Values below `eps` count as eps.
    Raises ValueError for a negative or misshaped variance.
    """
    if isinstance(var, float):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = ones_like(input) * var
    elif (var < 0).any():
        raise ValueError("var has negative entry/entries")
    if var.size() != input.size():
        if input.size()[:-1] == var.size():
            var = var.unsqueeze(-1)
        elif not (input.ndim == var.ndim and sum(y for x, y in zip(input.size(), var.size()) if x != y) == 1):
            raise ValueError("var is of incorrect size")
    if reduction not in REDUCTIONS:
        raise ValueError(f"{reduction} is not valid")
    var = var.clone()
    with no_grad():
        var.clamp_(min=eps)
    loss = 0.5 * (var.log() + (input - target) ** 2 / var)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return reduced(loss, reduction)
