"""Adadelta."""

from ..core.naming import public
from ..kernels.optimizer import adadelta_step
from ..tensor import Tensor
from .optimizer import (
    Group,
    KernelOptimizer,
    ParamsT,
    State,
    _check_lr,
    _check_positive,
    _new_scalar,
    _number,
    _refuse_capturable,
    _zeros_like,
)

__all__ = ["Adadelta"]


@public("torch.optim.adadelta")
class Adadelta(KernelOptimizer):
    """Adadelta (Zeiler, 2012).

    With the gradient `g` (plus `weight_decay * p`): `v = rho * v + (1 - rho) * g**2`, `d = sqrt(u + eps) / sqrt(v + eps) * g`,
    `u = rho * u + (1 - rho) * d**2`, `p -= lr * d`. State: "step", "square_avg" (v), "acc_delta" (u).

    Args:
        params: parameters or dicts that define groups.
        lr: the learning rate, a number or a tensor of one element.
        rho, eps, weight_decay: see above.
        maximize: ascend instead.
        foreach: accepted; every step is one kernel call for each group.
        capturable: for graphs on an accelerator; a step on the CPU raises AssertionError, as PyTorch's does.
        differentiable: record the step, so that gradients flow through it; parameters must not be leaves.

    Raises ValueError for options out of range.
    """

    _missing_options = {"foreach": None, "maximize": False, "differentiable": False, "capturable": False}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        _check_lr(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        _check_positive("epsilon value", eps)
        _check_positive("weight_decay value", weight_decay)
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _init_state(self, group: Group, p: Tensor, state: State) -> None:
        state["step"] = _new_scalar(0.0)
        state["square_avg"] = _zeros_like(p)
        state["acc_delta"] = _zeros_like(p)

    def _refuse(self, group: Group) -> None:
        _refuse_capturable(xla=False)

    def _update(self, group: Group, params: list, grads: list, states: list[State]) -> None:
        adadelta_step(
            params,
            grads,
            [state["square_avg"]._array for state in states],
            [state["acc_delta"]._array for state in states],
            [state["step"]._array for state in states],
            _number(group["lr"]),
            group["rho"],
            group["eps"],
            group["weight_decay"],
            group["maximize"],
        )
