"""SparseAdam."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.grad_mode import enable_grad
from ..autograd.version import bump_version
from ..core.naming import public
from ..kernels.sparse_optimizer import sparse_adam_step
from ..tensor import Tensor, wrap
from .optimizer import Optimizer, ParamsT, _check_betas, _number

__all__ = ["SparseAdam"]


@public("torch.optim.sparse_adam")
class SparseAdam(Optimizer):
    """Adam for sparse gradients, which touches only the elements that have one.

    For these, with the gradient `g`: `m += (1 - beta1) * (g - m)`, `v += (1 - beta2) * (g**2 - v)`, and
    `p -= lr * sqrt(1 - beta2**t) / (1 - beta1**t) * m / (sqrt(v) + eps)`. State: "step" (t, an int), "exp_avg" (m), "exp_avg_sq" (v).

    Raises ValueError for options out of range and for complex parameters.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not lr > 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not eps > 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        _check_betas(betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})
        places = [(p, [i, j]) for i, group in enumerate(self.param_groups) for j, p in enumerate(group["params"])]
        sparse = [place for p, place in places if p.is_sparse]
        if sparse:
            raise ValueError(f"Sparse params at indices {sparse}: SparseAdam requires dense parameter tensors")
        complex_ = [place for p, place in places if p.is_complex()]
        if complex_:
            raise ValueError(f"Complex params at indices {complex_}: SparseAdam does not support complex parameters")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters that have a gradient. Raises RuntimeError for a dense one.

        `closure` evaluates the model anew (with gradients) and returns the loss, which is returned; None without one.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            with_grad = [p for p in group["params"] if p._grad is not None]
            if any(not p._grad.is_sparse for p in with_grad):
                raise RuntimeError("SparseAdam does not support dense gradients, please consider Adam instead")
            for p in with_grad:
                state = self.state[p]
                if not state:
                    state["step"] = 0
                    state["exp_avg"] = wrap(np.zeros_like(p._array))
                    state["exp_avg_sq"] = wrap(np.zeros_like(p._array))
                state["step"] += 1
                grad = p._grad._array
                grad = (grad.with_values(-grad.values) if group["maximize"] else grad).coalesce()
                sparse_adam_step(
                    p._array, grad, state["exp_avg"]._array, state["exp_avg_sq"]._array, state["step"], _number(group["lr"]),
                    group["betas"], group["eps"],
                )  # fmt: skip
                bump_version(p)
        return loss
