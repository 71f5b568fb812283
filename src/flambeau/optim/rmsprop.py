"""RMSprop."""

from ..core.naming import public
from ..kernels.optimizer import rmsprop_step
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

__all__ = ["RMSprop"]


@public("torch.optim.rmsprop")
class RMSprop(KernelOptimizer):
    """RMSprop (Hinton's lectures, 2012); centered as in Graves, 2013.

    With the gradient `g` (plus `weight_decay * p`): `v = alpha * v + (1 - alpha) * g**2`, `p -= lr * g / (sqrt(v) + eps)`. With
    `centered`, `v` loses the square of the gradient's running mean; with momentum, `b = momentum * b + g / (sqrt(v) + eps)` and
    `p -= lr * b`. State: "step", "square_avg" (v), and where needed "momentum_buffer" (b) and "grad_avg".

    Args:
        params: parameters or dicts that define groups.
        lr: the learning rate, a number or a tensor of one element.
        alpha, eps, weight_decay, momentum, centered: see above.
        maximize: ascend instead.
        foreach: accepted; every step is one kernel call for each group.
        capturable: for graphs on an accelerator; a step on the CPU raises AssertionError, as PyTorch's does.
        differentiable: record the step, so that gradients flow through it; parameters must not be leaves.

    Raises ValueError for options out of range.
    """

    _missing_options = {
        "momentum": 0,
        "centered": False,
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "capturable": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        _check_lr(lr)
        _check_positive("epsilon value", eps)
        _check_positive("momentum value", momentum)
        _check_positive("weight_decay value", weight_decay)
        _check_positive("alpha value", alpha)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _init_state(self, group: Group, p: Tensor, state: State) -> None:
        state["step"] = _new_scalar(0.0)
        state["square_avg"] = _zeros_like(p)
        if group["momentum"] > 0:
            state["momentum_buffer"] = _zeros_like(p)
        if group["centered"]:
            state["grad_avg"] = _zeros_like(p)

    def _refuse(self, group: Group) -> None:
        _refuse_capturable()

    def _update(self, group: Group, params: list, grads: list, states: list[State]) -> None:
        rmsprop_step(
            params,
            grads,
            [state["square_avg"]._array for state in states],
            [state["grad_avg"]._array for state in states] if group["centered"] else (),
            [state["momentum_buffer"]._array for state in states] if group["momentum"] > 0 else (),
            [state["step"]._array for state in states],
            _number(group["lr"]),
            group["alpha"],
            group["eps"],
            group["weight_decay"],
            group["momentum"],
            group["maximize"],
        )
