"""The continuous Bernoulli distribution."""

import math
from typing import Any

from ..core.naming import public
from ..nn import functional as F
from . import constraints
from .distribution import ProbsAndLogits
from .exp_family import ExponentialFamily
from .utils import batch_shape_of, broadcast_all, clamp_probs, filled, lazy_property, logits_to_probs, uniform

__all__ = ["ContinuousBernoulli"]


@public("torch.distributions.continuous_bernoulli")
class ContinuousBernoulli(ProbsAndLogits, ExponentialFamily):
    """On [0, 1] with density proportional to `probs**x (1 - probs)**(1 - x)` (Loaiza-Ganem and Cunningham, 2019).

    The formulas have removable singularities at probs = 1/2: between the two `lims` Taylor's series stand in for them.
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True
    _mean_carrier_measure = 0
    _batched = ("probs", "logits", "_param")

    def __init__(
        self, probs: Any = None, logits: Any = None, lims: tuple[float, float] = (0.499, 0.501), validate_args: bool | None = None
    ) -> None:
        name, given = self._check_one(probs, logits)
        (self._param,) = broadcast_all(given)
        if probs is not None:
            if validate_args is not None and not self.arg_constraints["probs"].check(self._param).all():
                raise ValueError("The parameter probs has invalid values")
            self._param = clamp_probs(self._param)
        self.__dict__[name] = self._param
        self._lims = lims
        super().__init__(batch_shape_of(self._param, given), validate_args=validate_args)

    @lazy_property
    def probs(self) -> Any:
        """The parameter, off 0 and 1; not the mean."""
        return clamp_probs(logits_to_probs(self.logits, is_binary=True))

    def _off_half(self) -> tuple[Any, Any]:
        """Where the formulas are stable, and probabilities that they can be computed for everywhere."""
        stable = (self.probs <= self._lims[0]) | (self.probs > self._lims[1])
        return stable, self.probs.where(stable, filled(self.probs, self._lims[0]))

    def _cont_bern_log_norm(self) -> Any:
        """log C, C being `2 atanh(1 - 2 probs) / (1 - 2 probs)`, 2 for 1/2."""
        stable, p = self._off_half()
        low = p <= 0.5
        # the branch that is not taken is kept off the logarithm's singularity
        of_difference = (-2.0 * p.where(low, filled(p, 0))).log1p().where(low, (2.0 * p.where(p >= 0.5, filled(p, 1)) - 1.0).log())
        square = (self.probs - 0.5).pow(2)
        series = math.log(2.0) + (4.0 / 3.0 + 104.0 / 45.0 * square) * square
        return (((-p).log1p() - p.log()).abs().log() - of_difference).where(stable, series)

    @property
    def mean(self) -> Any:
        stable, p = self._off_half()
        x = self.probs - 0.5
        series = 0.5 + (1.0 / 3.0 + 16.0 / 45.0 * x.pow(2)) * x
        return (p / (2.0 * p - 1.0) + 1.0 / ((-p).log1p() - p.log())).where(stable, series)

    @property
    def stddev(self) -> Any:
        return self.variance.sqrt()

    @property
    def variance(self) -> Any:
        stable, p = self._off_half()
        square = (self.probs - 0.5).pow(2)
        series = 1.0 / 12.0 - (1.0 / 15.0 - 128.0 / 945.0 * square) * square
        return (p * (p - 1.0) / (1.0 - 2.0 * p).pow(2) + 1.0 / ((-p).log1p() - p.log()).pow(2)).where(stable, series)

    def rsample(self, sample_shape: Any = ()) -> Any:
        return self.icdf(uniform(self._extended_shape(sample_shape), self.probs))

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        return self._cont_bern_log_norm() - F.binary_cross_entropy_with_logits(logits, value, reduction="none")

    def cdf(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        stable, p = self._off_half()
        inside = ((p.pow(value) * (1.0 - p).pow(1.0 - value) + p - 1.0) / (2.0 * p - 1.0)).where(stable, value)
        return filled(value, 0).where(value <= 0.0, filled(value, 1).where(value >= 1.0, inside))

    def icdf(self, value: Any) -> Any:
        stable, p = self._off_half()
        log_rest = (-p).log1p()
        return (((value * (2.0 * p - 1.0) - p).log1p() - log_rest) / (p.log() - log_rest)).where(stable, value)

    def entropy(self) -> Any:
        log_rest = (-self.probs).log1p()
        return self.mean * (log_rest - self.probs.log()) - self._cont_bern_log_norm() - log_rest

    @property
    def _natural_params(self) -> tuple[Any, ...]:
        return (self.logits,)

    def _log_normalizer(self, x: Any) -> Any:
        """`log((exp(x) - 1) / x)`."""
        low, high = self._lims[0] - 0.5, self._lims[1] - 0.5
        stable = (x <= low) | (x > high)
        y = x.where(stable, filled(x, low))
        series = 0.5 * x + x.pow(2) / 24.0 - x.pow(4) / 2880.0
        return (y.expm1().abs().log() - y.abs().log()).where(stable, series)
