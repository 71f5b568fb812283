"""Resilient backpropagation."""

from typing import Any

from ..core.naming import public
from ..kernels.optimizer import rprop_step
from ..tensor import Tensor
from .optimizer import Group, KernelOptimizer, ParamsT, State, _check_lr, _full_like, _new_scalar, _number, _refuse_capturable, _zeros_like

__all__ = ["Rprop"]


@public("torch.optim.rprop")
class Rprop(KernelOptimizer):
    """Resilient backpropagation (Riedmiller and Braun, 1993), for full batches: only the signs of the gradients count.

    Each element has a step size: times `etas[1]` where the gradient keeps its sign, times `etas[0]` where the sign has turned (there
    the element rests for one step), kept within `step_sizes`. State: "step", "prev" (the gradient before), "step_size".

    Args:
        params: parameters or dicts that define groups.
        lr: the first step size, a number or a tensor of one element.
        etas, step_sizes: see above.
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
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        _check_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _init_state(self, group: Group, p: Tensor, state: State) -> None:
        grad: Any = p._grad
        size = _number(group["lr"])
        state["step"] = _new_scalar(0.0)
        state["prev"] = _zeros_like(p)
        state["step_size"] = _full_like(grad, complex(size, size) if p.is_complex() else size)

    def _refuse(self, group: Group) -> None:
        _refuse_capturable()

    def _update(self, group: Group, params: list, grads: list, states: list[State]) -> None:
        eta_minus, eta_plus = group["etas"]
        size_min, size_max = group["step_sizes"]
        rprop_step(
            params,
            grads,
            [state["prev"]._array for state in states],
            [state["step_size"]._array for state in states],
            [state["step"]._array for state in states],
            eta_minus,
            eta_plus,
            size_min,
            size_max,
            group["maximize"],
        )
