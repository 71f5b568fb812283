"""Stochastic gradient descent, with momentum."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.grad_mode import enable_grad
from ..autograd.version import bump_version
from ..core.naming import public
from ..kernels.optimizer import sgd_step
from ..tensor import Tensor, wrap
from .optimizer import KernelOptimizer, ParamsT, _check_fused, _device_dtype_check_for_fused, _number

__all__ = ["SGD"]


@public("torch.optim.sgd")
class SGD(KernelOptimizer):
    """Stochastic gradient descent.

    With the gradient `g` (plus `weight_decay * p`): `b = momentum * b + (1 - dampening) * g`, at first `b = g`; then
    `p -= lr * b`, or `p -= lr * (g + momentum * b)` with `nesterov`. State: "momentum_buffer", with momentum only.

    Args:
        params: parameters or dicts that define groups.
        lr: the learning rate, a number or a tensor of one element.
        momentum, dampening, weight_decay, nesterov: see above.
        maximize: ascend instead.
        foreach, fused: accepted; every step is one kernel call for each group.
        differentiable: record the step, so that gradients flow through it; parameters must not be leaves.

    Raises ValueError for options out of range, and for `nesterov` without momentum or with dampening.
    """

    _missing_options = {"nesterov": False, "maximize": False, "foreach": None, "differentiable": False, "fused": False}
    _scalar_state = ()

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        for name, value in ("learning rate", lr), ("momentum value", momentum), ("weight_decay value", weight_decay):
            if value < 0.0:
                raise ValueError(f"Invalid {name}: {value}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        if fused:
            self._step_supports_amp_scaling = True
            self._need_device_dtype_check_for_fused = True
            _check_fused(fused, foreach, differentiable)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters that have a gradient.

        `closure` evaluates the model anew (with gradients) and returns the loss, which is returned; None without one.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group["differentiable"]:
                from ._differentiable import step_group

                step_group(self, group)
                continue
            with_grad = [p for p in group["params"] if p._grad is not None]
            grads = [p._grad._array for p in with_grad]
            if list(map(type, grads)).count(np.ndarray) != len(grads):
                from ._sparse import descend

                with_grad = descend(group, with_grad, self.state)
                grads = [p._grad._array for p in with_grad]
            if not with_grad or not self._unscale(grads, group["fused"]):
                continue
            if group["fused"] and getattr(self, "_need_device_dtype_check_for_fused", True):
                _device_dtype_check_for_fused(with_grad[0])
                self._need_device_dtype_check_for_fused = False
            if group["momentum"] == 0:
                self._descend(group, with_grad, [])
                continue
            known, buffers, fresh, empty = [], [], [], []
            for p in with_grad:
                state = self.state[p]
                buffer = state.get("momentum_buffer")
                if buffer is None:
                    buffer = state["momentum_buffer"] = wrap(np.empty_like(p._grad._array))
                    fresh.append(p)
                    empty.append(buffer._array)
                else:
                    known.append(p)
                    buffers.append(buffer._array)
            if known:
                self._descend(group, known, buffers)
            if fresh:
                self._descend(group, fresh, empty, first=True)
        return loss

    def _descend(self, group: dict[str, Any], params: list, buffers: list, first: bool = False) -> None:
        for p in params:
            bump_version(p)
        sgd_step(
            [p._array for p in params],
            [p._grad._array for p in params],
            buffers,
            _number(group["lr"]),
            group["momentum"],
            group["dampening"],
            _number(group["weight_decay"]),
            group["nesterov"],
            group["maximize"],
            first,
            bool(group["fused"]),
        )
