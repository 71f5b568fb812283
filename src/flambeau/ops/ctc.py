"""Connectionist temporal classification."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels import ctc as k
from ..kernels import memory
from ..tensor import Tensor
from .activation import unimplemented
from .definition import Array, composite, operator, tensors
from .pair_loss import reduction_of


@operator(outputs=2, hidden=1, node="CtcLossBackward0", out=False)
def _ctc_loss(log_probs: Array, targets: Any, input_lengths: Any, target_lengths: Any, blank: Any, zero_infinity: Any) -> Array:
    """The loss of each sample, and the logarithms of the forward variables."""
    losses, alpha = k.ctc(log_probs, targets, input_lengths, target_lengths, blank)
    return losses, alpha


@operator(out=False)
def ctc_loss_backward(
    grad_output: Array, log_probs: Array, losses: Array, alpha: Array, targets: Any, input_lengths: Any, target_lengths: Any, blank: Any,
    zero_infinity: Any,
) -> Array:  # fmt: skip
    """The gradient of log_probs."""
    return k.ctc_backward(grad_output, log_probs, targets, input_lengths, target_lengths, losses, alpha, blank, zero_infinity)


def _no_second_derivative(F: Any, grad: Any) -> Any:
    raise RuntimeError("the derivative for '_ctc_loss_backward' is not implemented.")


ctc_loss_backward.derivative(
    grad_output=_no_second_derivative, log_probs=_no_second_derivative, losses=_no_second_derivative, alpha=_no_second_derivative
)
_ctc_loss.joint("log_probs")(
    lambda F, grads, log_probs, targets, input_lengths, target_lengths, result0, result1, blank, zero_infinity: (
        F.ctc_loss_backward(grads[0], log_probs, result0, result1, targets, input_lengths, target_lengths, blank, zero_infinity),
    )
)


def _lengths(values: Any, name: str) -> Any:
    """Lengths as a vector. Raises RuntimeError for those that are no integers."""
    if isinstance(values, Tensor) and values._array.dtype.kind not in "iu":
        raise RuntimeError(f"{name} must be integral")
    return (values._array if isinstance(values, Tensor) else memory.asarray(values)).astype(np.int64).reshape(-1)


_WHERE = "(while checking arguments for ctc_loss_allocate_outputs)"


def _check(log_probs: Any, targets: Any, inputs: Any, lengths: Any, blank: int) -> None:
    steps, batch, classes = log_probs.shape
    if not 0 <= blank < classes:
        raise RuntimeError("blank must be in label range")
    if inputs.size != batch:
        raise RuntimeError("input_lengths must be of size batch_size")
    if lengths.size != batch:
        raise RuntimeError("target_lengths must be of size batch_size")
    for n in lengths.tolist():
        if n < 0:
            raise RuntimeError(f"Expected target_lengths to have value at least 0, but got value {n} {_WHERE}")
    if targets.ndim == 1:
        if targets.size != lengths.sum():
            raise RuntimeError(
                f"Expected tensor to have size {int(lengths.sum())} at dimension 0, but got size {targets.size} for argument #2 'targets' "
                "(while checking arguments for ctc_loss_allocate_outputs)"
            )
    elif targets.ndim != 2:
        raise RuntimeError("targets should have 1 or 2 dimensions")
    elif lengths.size and targets.shape[1] < lengths.max():
        raise RuntimeError(
            f"Expected tensor to have size at least {int(lengths.max())} at dimension 1, but got size {targets.shape[1]} for argument #2 "
            "'targets' (while checking arguments for ctc_loss_allocate_outputs)"
        )
    for n in inputs.tolist():
        if n < 0:
            raise RuntimeError(f"Expected input_lengths to have value at least 0, but got value {n} {_WHERE}")
        if n > steps:
            raise RuntimeError(f"Expected input_lengths to have value at most {steps}, but got value {n} {_WHERE}")


@composite("F.ctc_loss")
def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Any:
    """Minus the log probability of the targets, summed over all alignments with the input.

    log_probs: (T, N, C) or (T, C); targets: (N, S), or all one after the other; lengths: (N). The mean is that of the losses
    divided by the target lengths. `zero_infinity`: infinite losses, of inputs too short for their targets, count as zero.
    """
    reduction = reduction_of(None, None, reduction)
    if log_probs.dim() not in (2, 3):
        raise RuntimeError("log_probs tensor must have 2 or 3 dimensions")
    batched = log_probs.dim() == 3
    if log_probs._array.dtype.kind != "f" or log_probs._array.dtype.itemsize == 2:
        raise unimplemented("ctc_loss_cpu", log_probs._array)
    if input_lengths.__class__ is not target_lengths.__class__ or not isinstance(input_lengths, Tensor):
        from .arguments import refusal

        error = refusal("torch", "ctc_loss", (log_probs, targets, input_lengths, target_lengths, blank, 1, zero_infinity), {})
        if error is not None:
            raise error
    inputs, lengths = _lengths(input_lengths, "input_lengths"), _lengths(target_lengths, "target_lengths")
    labels = targets._array
    if not batched:
        log_probs = log_probs.unsqueeze(1)
        if labels.ndim == 1:
            labels = labels[None]
    _check(log_probs, labels, inputs, lengths, blank)
    loss = _ctc_loss.function(log_probs, k.padded(labels, lengths), inputs, lengths, blank, zero_infinity)
    if zero_infinity:
        loss = tensors.where(loss == float("inf"), tensors.zeros_like(loss), loss)
    if reduction == "none":
        return loss if batched else loss.squeeze(0)
    if reduction == "sum":
        return loss.sum()
    return (loss / tensors.wrap(lengths.clip(1)).to(loss.dtype)).mean()


def _by_number(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: int = 0,
    zero_infinity: bool = False,
) -> Any:
    """`ctc_loss` with PyTorch's number for the reduction."""
    return ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, reduction, zero_infinity)


_by_number.__name__ = "ctc_loss"
composite("torch.ctc_loss", hot=True)(_by_number)
tensors.ctc_loss = ctc_loss
