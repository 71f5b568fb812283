"""SparseAdam."""

from collections.abc import Callable
from typing import Any

from ..autograd.grad_mode import enable_grad
from ..core.naming import public
from ..tensor import Tensor
from .optimizer import Optimizer, ParamsT, _check_betas

__all__ = ["SparseAdam"]


@public("torch.optim.sparse_adam")
class SparseAdam(Optimizer):
    """Adam for sparse gradients, which touches only the elements that have one.

    Gradients here are dense, and a step with a dense gradient raises RuntimeError, as in PyTorch: use `Adam`. Raises ValueError for
    options out of range and for complex parameters.
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
        """Raise RuntimeError if there is a gradient, for it is dense; without any, do nothing but call `closure`."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            if any(p._grad is not None for p in group["params"]):
                raise RuntimeError("SparseAdam does not support dense gradients, please consider Adam instead")
        return loss
