"""RAdam."""

from ..core.naming import public
from ..kernels.optimizer import radam_step
from ..tensor import Tensor
from .optimizer import Group, KernelOptimizer, ParamsT, State, _check_betas, _check_lr, _check_positive, _new_scalar, _number, _zeros_like

__all__ = ["RAdam"]


@public("torch.optim.radam")
class RAdam(KernelOptimizer):
    """RAdam, rectified Adam (Liu et al., 2020).

    `m` and `v` as in Adam. `rho = rho_inf - 2 t beta2**t / (1 - beta2**t)` with `rho_inf = 2 / (1 - beta2) - 1` is the length of the
    average behind `v`. While `rho <= 5`: `p -= lr * m / (1 - beta1**t)`; then that times `r * sqrt(1 - beta2**t) / (sqrt(v) + eps)`,
    where `r**2 = (rho - 4) (rho - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho)`. State: "step", "exp_avg", "exp_avg_sq".

    Args:
        params: parameters or dicts that define groups.
        lr: the learning rate, a number or a tensor of one element.
        betas, eps: see above.
        weight_decay: added to the gradient, times the parameter.
        decoupled_weight_decay: shrink `p` by `1 - lr * weight_decay` instead.
        maximize: ascend instead.
        foreach: accepted; every step is one kernel call for each group.
        capturable: for graphs on an accelerator; a step on the CPU raises AssertionError, as PyTorch's does.
        differentiable: record the step, so that gradients flow through it; parameters must not be leaves.

    Raises ValueError for options out of range.
    """

    _missing_options = {
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "decoupled_weight_decay": False,
        "capturable": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
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
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _init_state(self, group: Group, p: Tensor, state: State) -> None:
        state["step"] = _new_scalar(0.0)
        state["exp_avg"] = _zeros_like(p)
        state["exp_avg_sq"] = _zeros_like(p)

    def _update(self, group: Group, params: list, grads: list, states: list[State]) -> None:
        beta1, beta2 = group["betas"]
        radam_step(
            params,
            grads,
            [state["exp_avg"]._array for state in states],
            [state["exp_avg_sq"]._array for state in states],
            [state["step"]._array for state in states],
            _number(group["lr"]),
            beta1,
            beta2,
            group["eps"],
            group["weight_decay"],
            group["decoupled_weight_decay"],
            group["maximize"],
        )
