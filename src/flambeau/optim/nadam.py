"""NAdam."""

from ..core.naming import public
from ..kernels.optimizer import nadam_step
from ..tensor import Tensor
from .optimizer import (
    Group,
    KernelOptimizer,
    ParamsT,
    State,
    _check_betas,
    _check_lr,
    _check_positive,
    _new_scalar,
    _number,
    _refuse_capturable,
    _zeros_like,
)

__all__ = ["NAdam"]


@public("torch.optim.nadam")
class NAdam(KernelOptimizer):
    """NAdam, Adam with Nesterov momentum (Dozat, 2016).

    With the gradient `g` (plus `weight_decay * p`), `mu[t] = beta1 * (1 - 0.5 * 0.96**(t * momentum_decay))`, `m` and `v` as in Adam:
    `p -= lr * ((1 - mu[t]) / (1 - prod mu[..t]) * g + mu[t+1] / (1 - prod mu[..t+1]) * m) / (sqrt(v / (1 - beta2**t)) + eps)`.
    State: "step" (t), "mu_product", "exp_avg" (m), "exp_avg_sq" (v).

    Args:
        params: parameters or dicts that define groups.
        lr: the learning rate, a number or a tensor of one element.
        betas, eps, weight_decay, momentum_decay: see above.
        decoupled_weight_decay: shrink `p` by `1 - lr * weight_decay` instead of changing the gradient.
        maximize: ascend instead.
        foreach: accepted; every step is one kernel call for each group.
        capturable: for graphs on an accelerator; a step on the CPU raises AssertionError, as PyTorch's does.
        differentiable: record the step, so that gradients flow through it; parameters must not be leaves.

    Raises ValueError for options out of range.
    """

    _missing_options = {
        "maximize": False,
        "foreach": None,
        "capturable": False,
        "differentiable": False,
        "decoupled_weight_decay": False,
    }
    _scalar_state = ("step", "mu_product")

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        _check_lr(lr)
        _check_positive("epsilon value", eps)
        _check_betas(betas)
        _check_positive("weight_decay value", weight_decay)
        _check_positive("momentum_decay value", momentum_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _init_state(self, group: Group, p: Tensor, state: State) -> None:
        state["step"] = _new_scalar(0.0)
        state["mu_product"] = _new_scalar(1.0)
        state["exp_avg"] = _zeros_like(p)
        state["exp_avg_sq"] = _zeros_like(p)

    def _refuse(self, group: Group) -> None:
        if group["foreach"]:
            _refuse_capturable("params, mu_products, and state_steps", xla=False)
        _refuse_capturable("params, mu_products and state_steps")

    def _update(self, group: Group, params: list, grads: list, states: list[State]) -> None:
        beta1, beta2 = group["betas"]
        nadam_step(
            params,
            grads,
            [state["exp_avg"]._array for state in states],
            [state["exp_avg_sq"]._array for state in states],
            [state["mu_product"]._array for state in states],
            [state["step"]._array for state in states],
            _number(group["lr"]),
            beta1,
            beta2,
            group["eps"],
            group["weight_decay"],
            group["momentum_decay"],
            group["decoupled_weight_decay"],
            group["maximize"],
        )
