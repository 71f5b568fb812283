"""Adam."""

from ..core.naming import public
from ..kernels.optimizer import adam_step
from ..tensor import Tensor
from .optimizer import (
    Group,
    KernelOptimizer,
    ParamsT,
    State,
    _check_betas,
    _check_fused,
    _check_positive,
    _device_dtype_check_for_fused,
    _new_scalar,
    _number,
    _to_scalar,
    _zeros_like,
)

__all__ = ["Adam"]

_TENSOR_LR = "lr as a Tensor is not supported for capturable=False and foreach=True"


@public("torch.optim.adam")
class Adam(KernelOptimizer):
    """Adam (Kingma and Ba, 2015).

    With the gradient `g` (plus `weight_decay * p`): `m = beta1 * m + (1 - beta1) * g`, `v = beta2 * v + (1 - beta2) * g**2`,
    `p -= lr * m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t)) + eps)`. State: "step" (t), "exp_avg" (m), "exp_avg_sq" (v).

    Args:
        params: parameters or dicts that define groups.
        lr, betas: numbers, or tensors of one element.
        eps, weight_decay: see above.
        amsgrad: divide by the largest v so far (state "max_exp_avg_sq").
        maximize: ascend instead.
        decoupled_weight_decay: shrink `p` by `1 - lr * weight_decay` instead of changing the gradient (AdamW).
        foreach, fused: accepted; every step is one kernel call for each group.
        capturable: for graphs on an accelerator; a step on the CPU raises AssertionError, as PyTorch's does.
        differentiable: record the step, so that gradients flow through it; parameters must not be leaves.

    Raises ValueError for options out of range.
    """

    _missing_options = {
        "amsgrad": False,
        "maximize": False,
        "foreach": None,
        "capturable": False,
        "differentiable": False,
        "decoupled_weight_decay": False,
        "fused": None,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        if isinstance(lr, Tensor):
            if foreach and not capturable:
                raise ValueError(_TENSOR_LR)
            if lr.numel() != 1:
                raise ValueError("Tensor lr must be 1-element")
        _check_positive("learning rate", lr)
        _check_positive("epsilon value", eps)
        _check_betas(betas)
        _check_positive("weight_decay value", weight_decay)
        if not (all(isinstance(beta, float) for beta in betas[:2]) or all(isinstance(beta, Tensor) for beta in betas[:2])):
            raise ValueError("betas must be either both floats or both Tensors")
        for i in range(2):
            beta = betas[i]
            if isinstance(beta, Tensor):
                if not capturable and foreach:
                    raise ValueError(f"betas[{i}] as a Tensor is not supported for capturable=False and foreach=True")
                if beta.numel() != 1:
                    raise ValueError(f"Tensor betas[{i}] must be 1-element")
        defaults = {
            "lr": lr,
            "betas": tuple(map(_to_scalar, betas)),
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)
        if fused:
            _check_fused(fused, foreach, differentiable)
            self._step_supports_amp_scaling = True

    def _init_state(self, group: Group, p: Tensor, state: State) -> None:
        if group["fused"]:
            _device_dtype_check_for_fused(p)
        state["step"] = _new_scalar(0.0, bool(group["fused"]))
        state["exp_avg"] = _zeros_like(p)
        state["exp_avg_sq"] = _zeros_like(p)
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = _zeros_like(p)

    def _update(self, group: Group, params: list, grads: list, states: list[State]) -> None:
        fused = bool(group["fused"])
        if group["foreach"] and isinstance(group["lr"], Tensor):
            raise RuntimeError(_TENSOR_LR)
        if not self._unscale(grads, fused):
            return
        beta1, beta2 = group["betas"]
        adam_step(
            params,
            grads,
            [state["exp_avg"]._array for state in states],
            [state["exp_avg_sq"]._array for state in states],
            [state["max_exp_avg_sq"]._array for state in states] if group["amsgrad"] else (),
            [state["step"]._array for state in states],
            _number(group["lr"]),
            _number(beta1),
            _number(beta2),
            group["eps"],
            _number(group["weight_decay"]),
            group["decoupled_weight_decay"],
            group["maximize"],
            fused,
        )
