"""Clipping of gradients, by norm and by value."""

import types
import warnings
from typing import Any, Iterable

import numpy as np

from ...autograd.grad_mode import no_grad
from ...autograd.node import tensors as operators
from ...autograd.version import bump_version
from ...kernels.optimizer import limit_all, scale_all
from ...kernels.reduction import norm, norms_of_all, square_sum
from ...tensor import Tensor, wrap

__all__ = ["clip_grad_norm_", "clip_grad_norm", "clip_grad_value_", "get_total_norm", "clip_grads_with_norm_"]

_Tensors = Tensor | Iterable[Tensor]
_F32, _F64 = np.dtype(np.float32), np.dtype(np.float64)


def clip_grad_norm_(
    parameters: _Tensors, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """Scales the gradients, in place, so that their norm, all taken as one vector, is at most `max_norm`.

    `norm_type`: the order of the norm, also infinity. `foreach` is accepted and makes no difference.
    Returns the norm before clipping. Raises RuntimeError for a norm that is not finite, if `error_if_nonfinite`.
    """
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    else:
        is_generator = isinstance(parameters, types.GeneratorType)
        parameters = list(parameters)
        if is_generator and not parameters:
            warnings.warn("`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=2)
    grads = [grad for parameter in parameters if (grad := parameter.grad) is not None]
    total = get_total_norm(grads, norm_type, error_if_nonfinite, foreach)
    _scale(grads, max_norm, total)
    return total


def clip_grad_norm(
    parameters: _Tensors, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """Deprecated name of `clip_grad_norm_`."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of `torch.nn.utils.clip_grad_norm_`.", FutureWarning, stacklevel=2
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def get_total_norm(tensors: _Tensors, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None) -> Tensor:
    """The norm of all tensors taken as one vector, as a 0-dim tensor. Arguments as `clip_grad_norm_`."""
    values = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    order = float(norm_type)
    if not values:
        return wrap(np.zeros((), np.float32))
    total = _fast_norm([tensor._array for tensor in values]) if order == 2.0 else None
    if total is None:
        total = _norm_of_norms(values, order)
    if error_if_nonfinite and not np.isfinite(total._array):
        raise RuntimeError(
            f"The total norm of order {order} for gradients from `parameters` is non-finite, so it cannot be clipped. To disable this "
            "error and scale the gradients by the non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    return total


def _fast_norm(arrays: list[Any]) -> Tensor | None:
    """The 2-norm with one pass over all arrays; None unless they are of one dtype, float32 or float64.

    Compiled, it is the norm of the arrays' norms, as in PyTorch. In NumPy it is None also where a square may be too large or
    too small for float32: PyTorch squares in the dtype.
    """
    norms = norms_of_all(arrays)
    if norms is not None:
        return wrap(norm(norms, 2, None, False))
    total = square_sum(arrays)
    return wrap(np.array(total**0.5, arrays[0].dtype)) if total is not None and 1e-30 < total < 1e38 else None


@no_grad()
def _norm_of_norms(values: list[Tensor], order: float) -> Tensor:
    if order in (float("inf"), float("-inf")) and any(tensor.numel() == 0 for tensor in values):
        raise RuntimeError(
            "_foreach_norm cannot compute the infinity norm on an empty tensor because the operation does not have an identity"
        )
    return operators.vector_norm(operators.stack([operators.vector_norm(tensor, order) for tensor in values]), order)


def clip_grads_with_norm_(parameters: _Tensors, max_norm: float, total_norm: Tensor, foreach: bool | None = None) -> None:
    """Scales the gradients, in place, by `max_norm / (total_norm + 1e-6)`, but never up. `foreach` makes no difference."""
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    _scale([grad for parameter in parameters if (grad := parameter.grad) is not None], max_norm, total_norm)


def _scale(grads: list[Any], max_norm: float, total_norm: Tensor) -> None:
    max_norm = float(max_norm)
    if not grads:
        return
    factor = _factor(max_norm, total_norm._array)
    if factor is None:
        return _scale_by_tensor(grads, max_norm, total_norm)
    plain = [grad for grad in grads if grad._array.dtype is factor.dtype and grad._array.__class__ is np.ndarray and not grad.requires_grad]
    if len(plain) < len(grads):
        chosen = {id(grad) for grad in plain}
        _scale_by_tensor([grad for grad in grads if id(grad) not in chosen], max_norm, total_norm)
    if plain and factor != 1:  # also for nan, which spreads
        scale_all([grad._array for grad in plain], factor)
    for grad in plain:
        bump_version(grad)


def _factor(max_norm: float, total: Any) -> Any:
    """What gradients of the norm's dtype are multiplied with, at most 1; None unless that is float32 or float64."""
    dtype = total.dtype
    if total.__class__ is not np.ndarray or dtype is not _F32 and dtype is not _F64:
        return None
    # PyTorch divides by way of the reciprocal. Each step in double and rounded gives what the dtype's own arithmetic gives.
    rounded = dtype.type
    divisor = float(rounded(float(total) + float(rounded(1e-6))))
    if divisor == 0:
        return None
    factor = rounded(float(rounded(1.0 / divisor)) * max_norm)
    return rounded(1.0) if factor > 1 else factor


@no_grad()
def _scale_by_tensor(grads: list[Any], max_norm: float, total_norm: Any) -> None:
    factor = (max_norm / (total_norm + 1e-6)).clamp(max=1.0)
    for grad in grads:
        grad.mul_(factor.to(grad.device))


def clip_grad_value_(parameters: _Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Limits every element of the gradients, in place, to [-clip_value, clip_value]. `foreach` makes no difference."""
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    limit = float(clip_value)
    plain = []
    for parameter in parameters:
        grad: Any = parameter.grad
        if grad is None:
            continue
        array = grad._array
        if (array.dtype is _F32 or array.dtype is _F64) and array.__class__ is np.ndarray and not grad.requires_grad:
            plain.append(array)
            bump_version(grad)
        else:
            with no_grad():
                grad.clamp_(min=-limit, max=limit)
    if plain:
        limit_all(plain, limit)
