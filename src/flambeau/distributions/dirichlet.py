"""The Dirichlet distribution."""

from typing import Any

from ..autograd.function import Function, once_differentiable
from ..core.naming import public
from ..nn import functional as F
from . import constraints
from .exp_family import ExponentialFamily
from .utils import torch

__all__ = ["Dirichlet"]


class _Dirichlet(Function):
    """Samples, whose gradients are implicit: `_dirichlet_grad` moves along the level lines of the distribution function."""

    @staticmethod
    def forward(ctx: Any, concentration: Any) -> Any:
        x = torch["_sample_dirichlet"](concentration)
        ctx.save_for_backward(x, concentration)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Any) -> Any:
        x, concentration = ctx.saved_tensors
        total = concentration.sum(-1, True).expand_as(concentration)
        return torch["_dirichlet_grad"](x, concentration, total) * (grad_output - (x * grad_output).sum(-1, True))


@public("torch.distributions.dirichlet")
class Dirichlet(ExponentialFamily):
    """Vectors x of positive numbers with sum 1, density proportional to `prod x_i ** (concentration_i - 1)`."""

    arg_constraints = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True
    _batched = ("concentration",)

    def __init__(self, concentration: Any, validate_args: bool | None = None) -> None:
        if concentration.dim() < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:], validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return self.concentration / self.concentration.sum(-1, True)

    @property
    def mode(self) -> Any:
        above = (self.concentration - 1).clamp(min=0.0)
        mode = above / above.sum(-1, True)
        corners = F.one_hot(mode.argmax(dim=-1), mode.shape[-1]).to(mode)  # where all are below 1 the density is largest there
        return corners.where((self.concentration < 1).all(dim=-1, keepdim=True), mode)

    @property
    def variance(self) -> Any:
        total = self.concentration.sum(-1, True)
        return self.concentration * (total - self.concentration) / (total.pow(2) * (total + 1))

    def rsample(self, sample_shape: Any = ()) -> Any:
        return _Dirichlet.apply(self.concentration.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        a = self.concentration
        return (a - 1.0).xlogy(value).sum(-1) + a.sum(-1).lgamma() - a.lgamma().sum(-1)

    def entropy(self) -> Any:
        a = self.concentration
        total = a.sum(-1)
        return a.lgamma().sum(-1) - total.lgamma() - (a.shape[-1] - total) * total.digamma() - ((a - 1.0) * a.digamma()).sum(-1)

    @property
    def _natural_params(self) -> tuple[Any, ...]:
        return (self.concentration,)

    def _log_normalizer(self, x: Any) -> Any:
        return x.lgamma().sum(-1) - x.sum(-1).lgamma()
