"""Muon."""

import math
from collections.abc import Callable
from typing import Any

from ..autograd.grad_mode import enable_grad, no_grad
from ..core.naming import public
from ..tensor import Tensor
from .optimizer import Optimizer, ParamsT, _number, _zeros_like

__all__ = ["Muon"]


def _zeropower_via_newtonschulz(grad: Any, ns_coefficients: tuple[float, float, float], ns_steps: int, eps: float) -> Any:
    """`U V^T` of the singular value decomposition of a matrix, roughly, in bfloat16: the quintic Newton-Schulz iteration
    `X = a X + (b A + c A^2) X` with `A = X X^T`, which brings all singular values near 1 (Jordan et al., 2024).
    """
    if ns_steps >= 100:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    if grad.dim() != 2:
        raise ValueError("Input tensor gradient must be a 2D matrix")
    if len(ns_coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    a, b, c = ns_coefficients
    tall = grad.size(0) > grad.size(1)
    x = _rounded(grad)
    x = x.T if tall else x
    x = _rounded(x / _rounded(x.norm()).clamp(min=eps))  # the spectral norm is then at most 1
    for _ in range(ns_steps):
        gram = _rounded(x @ x.T)
        x = _rounded(a * x + _rounded(b * gram + c * (gram @ gram)) @ x)
    x = x.bfloat16()
    return x.T if tall else x


def _rounded(x: Any) -> Any:
    """The numbers of bfloat16, in float32: sums of products are then rounded once, as PyTorch's matrix products are."""
    return x.bfloat16().float()


def _adjust_lr(lr: Any, adjust_lr_fn: str | None, param_shape: Any) -> Any:
    rows, columns = param_shape[:2]
    if adjust_lr_fn == "match_rms_adamw":
        return lr * (0.2 * math.sqrt(max(rows, columns)))
    return lr * math.sqrt(max(1, rows / columns))


@public("torch.optim")
class Muon(Optimizer):
    """Muon (Jordan et al., 2024): momentum whose matrix is made orthogonal before the step; for 2D parameters.

    With the gradient `g`: `b = momentum * b + (1 - momentum) * g`, `u` the same step from `g` with `nesterov`, else `b`;
    `p = (1 - lr * weight_decay) * p - lr' * orthogonal(u)`. State: "momentum_buffer" (b).

    Args:
        params: 2D parameters or dicts that define groups.
        lr, weight_decay, momentum, nesterov: see above.
        ns_coefficients, ns_steps, eps: of the Newton-Schulz iteration.
        adjust_lr_fn: `lr'` is `lr * sqrt(max(1, rows / columns))` for "original" or None, `lr * 0.2 * sqrt(max(rows, columns))`
            for "match_rms_adamw".

    Raises ValueError for options out of range and parameters that are not 2D.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not lr >= 0.0:
            raise ValueError(f"Learning rate should be >= 0 but is: {lr}")
        if not momentum >= 0.0:
            raise ValueError(f"momentum should be >= 0 but is: {momentum}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight decay should be >= 0 but is: {weight_decay}")
        if adjust_lr_fn is not None and adjust_lr_fn not in ["original", "match_rms_adamw"]:
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                if p.ndim != 2:
                    raise ValueError(f"Muon only supports 2D parameters whereas we found a parameter with size: {p.size()}")

    @no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters that have a gradient.

        `closure` evaluates the model anew (with gradients) and returns the loss, which is returned; None without one.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            lr = _number(group["lr"])
            momentum = group["momentum"]
            for p in group["params"]:
                grad = p._grad
                if grad is None:
                    continue
                if p.is_complex():
                    raise RuntimeError("Muon does not support complex parameters")
                state = self.state[p]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = _zeros_like(grad)
                buffer = state["momentum_buffer"]
                buffer.lerp_(grad, 1 - momentum)
                update = grad.lerp(buffer, momentum) if group["nesterov"] else buffer
                update = _zeropower_via_newtonschulz(update, group["ns_coefficients"], group["ns_steps"], group["eps"])
                p.mul_(1 - lr * group["weight_decay"])
                p.add_(update, alpha=-_adjust_lr(lr, group["adjust_lr_fn"], p.shape))
        return loss
