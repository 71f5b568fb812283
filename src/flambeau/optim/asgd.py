"""Averaged stochastic gradient descent."""

from ..core.naming import public
from ..kernels.optimizer import asgd_step
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

__all__ = ["ASGD"]


@public("torch.optim.asgd")
class ASGD(KernelOptimizer):
    """Averaged stochastic gradient descent (Polyak and Juditsky, 1992).

    With the gradient `g` (plus `weight_decay * p`): `p = (1 - lambd * eta) * p - eta * g`, where `eta = lr / (1 + lambd * lr * t)**alpha`;
    the average `a` is `p` until step `t0`, then `a += (p - a) / (t - t0)`. State: "step" (t), "eta", "mu" (the average's weight), "ax" (a).

    Args:
        params: parameters or dicts that define groups.
        lr: the learning rate, a number or a tensor of one element.
        lambd, alpha, t0, weight_decay: see above.
        maximize: ascend instead.
        foreach: accepted; every step is one kernel call for each group.
        capturable: for graphs on an accelerator; a step on the CPU raises AssertionError, as PyTorch's does.
        differentiable: record the step, so that gradients flow through it; parameters must not be leaves.

    Raises ValueError for options out of range.
    """

    _missing_options = {"foreach": None, "maximize": False, "differentiable": False, "capturable": False}
    _scalar_state = ("step", "eta", "mu")

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        _check_lr(lr)
        _check_positive("weight_decay value", weight_decay)
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _init_state(self, group: Group, p: Tensor, state: State) -> None:
        state["step"] = _new_scalar(0.0)
        state["eta"] = _new_scalar(_number(group["lr"]))
        state["mu"] = _new_scalar(1.0)
        state["ax"] = _zeros_like(p)

    def _refuse(self, group: Group) -> None:
        _refuse_capturable("params, mus, etas, and state_steps", xla=not group["foreach"])

    def _update(self, group: Group, params: list, grads: list, states: list[State]) -> None:
        asgd_step(
            params,
            grads,
            [state["ax"]._array for state in states],
            [state["mu"]._array for state in states],
            [state["eta"]._array for state in states],
            [state["step"]._array for state in states],
            _number(group["lr"]),
            group["lambd"],
            group["alpha"],
            group["t0"],
            group["weight_decay"],
            group["maximize"],
            bool(group["foreach"]),
        )
