"""Adafactor."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.grad_mode import enable_grad, no_grad
from ..autograd.version import bump_version
from ..core.naming import public
from ..kernels.optimizer import adafactor_step
from ..tensor import Tensor
from .optimizer import Group, KernelOptimizer, ParamsT, State, _new_scalar, _number

__all__ = ["Adafactor"]


@public("torch.optim")
class Adafactor(KernelOptimizer):
    """Adafactor (Shazeer and Stern, 2018): the second moment of a matrix is kept as one vector for rows and one for columns.

    With the gradient `g` and `b = 1 - t**beta2_decay`: `r` and `c`, the running means of `g**2` over rows and columns, estimate
    `v = r c / mean(r)`; of a vector `v` itself is kept. `u = g / sqrt(max(v, eps1**2))`, and
    `p -= max(eps2, rms(p)) * min(lr, 1 / sqrt(t)) * u / max(1, rms(u) / d)` after `p *= 1 - lr * weight_decay`.
    State: "step" (t), and "row_var" with "col_var", or "variance".

    Args:
        params: parameters or dicts that define groups.
        lr: the highest rate, a number or a tensor of one element.
        beta2_decay, d, weight_decay: see above.
        eps: eps1 (None: the precision of the parameter's dtype) and eps2.
        foreach: accepted.
        maximize: ascend instead.

    Raises ValueError for options out of range, RuntimeError at a step with complex parameters.
    """

    _missing_options = {"foreach": None}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not lr >= 0.0:
            raise ValueError(f"Learning rate should be >= 0 but is: {lr}")
        if not beta2_decay <= 0.0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None and not eps[0] >= 0.0:
            raise ValueError(f"epsilon1 should be >= 0 but is: {eps[0]}")
        if not eps[1] >= 0.0:
            raise ValueError(f"epsilon2 should be >= 0 but is: {eps[1]}")
        if not d >= 1.0:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight_decay should be >= 0 but is: {weight_decay}")
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _init_state(self, group: Group, p: Tensor, state: State) -> None:
        grad: Any = p._grad
        state["step"] = _new_scalar(0.0)
        if grad.dim() > 1:
            shape = list(grad.shape)
            state["row_var"] = grad.new_zeros([*shape[:-1], 1])
            state["col_var"] = grad.new_zeros([*shape[:-2], 1, shape[-1]])
        else:
            state["variance"] = grad.new_zeros(grad.shape)

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
            for p in group["params"]:
                if p._grad is None:
                    continue
                if p.is_complex():
                    raise RuntimeError("Adafactor does not support complex parameters")
                if p._grad.is_sparse:
                    raise RuntimeError("Adafactor does not support sparse gradients")
                state = self.state[p]
                if not state:
                    self._init_state(group, p, state)
                _adafactor(p, p._grad, state, group)
        return loss


def _adafactor(p: Tensor, grad: Tensor, state: State, group: Group) -> None:
    """One step of one parameter."""
    eps1, eps2 = group["eps"]
    if eps1 is None:
        eps1 = float(np.spacing(np.ones((), p._array.dtype)))
    state["step"] += 1
    names = ("variance",) if "variance" in state else ("row_var", "col_var")
    bump_version(p)
    adafactor_step(
        p._array,
        grad._array,
        [state[name]._array for name in names],
        state["step"].item(),
        _number(group["lr"]),
        group["beta2_decay"],
        eps1,
        eps2,
        group["d"],
        group["weight_decay"],
        group["maximize"],
    )
