"""Adamax."""

from ..core.naming import public
from ..kernels.optimizer import adamax_step
from ..tensor import Tensor
from .optimizer import Group, KernelOptimizer, ParamsT, State, _check_betas, _check_lr, _check_positive, _new_scalar, _number, _zeros_like

__all__ = ["Adamax"]


@public("torch.optim.adamax")
class Adamax(KernelOptimizer):
    """Adamax, Adam with the infinity norm (Kingma and Ba, 2015).

    With the gradient `g` (plus `weight_decay * p`): `m = beta1 * m + (1 - beta1) * g`, `u = max(beta2 * u, abs(g) + eps)`,
    `p -= lr / (1 - beta1**t) * m / u`. State: "step" (t), "exp_avg" (m), "exp_inf" (u).

    Args:
        params: parameters or dicts that define groups.
        lr: the learning rate, a number or a tensor of one element.
        betas, eps, weight_decay: see above.
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
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        _check_lr(lr)
        _check_positive("epsilon value", eps)
        _check_betas(betas)
        _check_positive("weight_decay value", weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _init_state(self, group: Group, p: Tensor, state: State) -> None:
        state["step"] = _new_scalar(0.0)
        state["exp_avg"] = _zeros_like(p)
        state["exp_inf"] = _zeros_like(p)

    def _update(self, group: Group, params: list, grads: list, states: list[State]) -> None:
        beta1, beta2 = group["betas"]
        adamax_step(
            params,
            grads,
            [state["exp_avg"]._array for state in states],
            [state["exp_inf"]._array for state in states],
            [state["step"]._array for state in states],
            _number(group["lr"]),
            beta1,
            beta2,
            group["eps"],
            group["weight_decay"],
            group["maximize"],
        )
