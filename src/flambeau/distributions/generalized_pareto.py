"""The generalised Pareto distribution."""

import math
from typing import Any

from ..core.naming import public
from . import constraints
from .distribution import Distribution
from .utils import batch_shape_of, broadcast_all, filled, torch, uniform

__all__ = ["GeneralizedPareto"]


@public("torch.distributions.generalized_pareto")
class GeneralizedPareto(Distribution):
    """Values z = (x - loc) / scale beyond 0 that survive with probability `(1 + c z)**(-1 / c)`, c = concentration; c = 0: `exp(-z)`.

    For c < 0 they end at -1 / c.
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive, "concentration": constraints.real}
    has_rsample = True
    _batched = ("loc", "scale", "concentration")

    def __init__(self, loc: Any, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        super().__init__(batch_shape_of(self.loc, loc, scale, concentration), validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        end = (self.loc - self.scale / self.concentration).where(self.concentration < 0, math.inf)
        return constraints.interval(self.loc, end)

    def _limit(self) -> tuple[Any, Any]:
        """Where the concentration is 0, and a concentration that can be divided by."""
        zero = torch["isclose"](self.concentration, filled(self.concentration, 0))
        return zero, self.concentration.masked_fill(zero, 1)

    def _standard(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        return (value - self.loc) / self.scale

    def rsample(self, sample_shape: Any = ()) -> Any:
        return self.icdf(uniform(self._extended_shape(sample_shape), self.loc))

    def log_prob(self, value: Any) -> Any:
        z = self._standard(value)
        zero, c = self._limit()
        power = 1 / c + filled(z, 1)
        return -self.scale.log() - z.where(zero, power.where(power == 0, power * (c * z).log1p()))

    def log_survival_function(self, value: Any) -> Any:
        """The logarithm of the probability of values above this one."""
        z = self._standard(value)
        zero, c = self._limit()
        return (-z).where(zero, -(c * z).log1p() / c)

    def log_cdf(self, value: Any) -> Any:
        """The logarithm of `cdf`."""
        return (-self.log_survival_function(value).exp()).log1p()

    def cdf(self, value: Any) -> Any:
        return self.log_cdf(value).exp()

    def icdf(self, value: Any) -> Any:
        zero, c = self._limit()
        log_survival = (-value).log1p()
        return (self.loc - self.scale * log_survival).where(zero, self.loc + self.scale / c * (-c * log_survival).expm1())

    @property
    def mean(self) -> Any:
        exists = self.concentration < 1
        return (self.loc + self.scale / (1 - self.concentration.where(exists, 0.5))).where(exists, math.nan)

    @property
    def variance(self) -> Any:
        exists = self.concentration < 0.5
        c = self.concentration.where(exists, 0.25)
        return (self.scale**2 / ((1 - c) ** 2 * (1 - 2 * c))).where(exists, math.nan)

    @property
    def mode(self) -> Any:
        return self.loc

    def entropy(self) -> Any:
        return (self.scale.log() + self.concentration + 1).expand(self._batch_shape)
