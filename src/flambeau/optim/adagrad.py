"""Adagrad."""

from typing import Any

from ..core.naming import public
from ..kernels.optimizer import adagrad_step
from ..tensor import Tensor
from .optimizer import (
    Group,
    KernelOptimizer,
    ParamsT,
    State,
    _check_fused,
    _check_lr,
    _check_positive,
    _device_dtype_check_for_fused,
    _full_like,
    _new_scalar,
    _number,
)

__all__ = ["Adagrad"]


@public("torch.optim.adagrad")
class Adagrad(KernelOptimizer):
    """Adagrad (Duchi, Hazan and Singer, 2011).

    With the gradient `g` (plus `weight_decay * p`): `s += g**2`, `p -= lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)`.
    State, from the beginning: "step" (t), "sum" (s).

    Args:
        params: parameters or dicts that define groups.
        lr: the learning rate, a number or a tensor of one element.
        lr_decay, weight_decay, eps: see above.
        initial_accumulator_value: where `s` begins.
        maximize: ascend instead.
        foreach, fused: accepted; every step is one kernel call for each group.
        differentiable: record the step, so that gradients flow through it; parameters must not be leaves.

    Raises ValueError for options out of range.
    """

    _missing_options = {"foreach": None, "maximize": False, "differentiable": False, "fused": None}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        _check_lr(lr)
        _check_positive("lr_decay value", lr_decay)
        _check_positive("weight_decay value", weight_decay)
        _check_positive("initial_accumulator_value value", initial_accumulator_value)
        _check_positive("epsilon value", eps)
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        if fused:
            _check_fused(fused, foreach, differentiable)
            self._need_device_dtype_check_for_fused = True
            self._step_supports_amp_scaling = True
        for group in self.param_groups:
            for p in group["params"]:
                self._fill_state(group, p, self.state[p])

    def _fill_state(self, group: Group, p: Tensor, state: State) -> None:
        value: Any = self.defaults["initial_accumulator_value"]
        state["step"] = _new_scalar(0.0, bool(group["fused"]))
        state["sum"] = _full_like(p, complex(value, value) if p.is_complex() else value)

    def _init_state(self, group: Group, p: Tensor, state: State) -> None:
        if group["fused"]:
            _device_dtype_check_for_fused(p)
        self._fill_state(group, p, state)

    def share_memory(self) -> None:
        """Move the sums into shared memory."""
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["sum"].share_memory_()

    def _update_sparse(self, group: Group, params: list, grads: list, states: list[State]) -> None:
        from ._sparse import adagrad

        adagrad(self, group, params, grads, states)

    def _update(self, group: Group, params: list, grads: list, states: list[State]) -> None:
        fused = bool(group["fused"])
        if fused and getattr(self, "_need_device_dtype_check_for_fused", True):
            for p in group["params"]:
                if p._grad is not None:
                    _device_dtype_check_for_fused(p)
            self._need_device_dtype_check_for_fused = False
        if not self._unscale(grads, fused):
            return
        adagrad_step(
            params,
            grads,
            [state["sum"]._array for state in states],
            [state["step"]._array for state in states],
            _number(group["lr"]),
            group["lr_decay"],
            group["eps"],
            group["weight_decay"],
            group["maximize"],
            fused,
        )
