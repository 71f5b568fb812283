"""The von Mises distribution."""

import math
from typing import Any

from ..autograd.grad_mode import no_grad
from ..core import dtype as dt
from ..core.naming import public
from ..ops.creation import empty, zeros
from . import constraints
from .distribution import Distribution
from .utils import broadcast_all, lazy_property, uniform

__all__ = ["VonMises"]

# The modified Bessel functions I0 and I1: Abramowitz and Stegun 9.8.1 to 9.8.4. Powers of (x / 3.75)**2 below 3.75 (I1: divided by x), of
# 3.75 / x above (times sqrt(x) exp(-x)).
SMALL = (
    (1.0, 3.5156229, 3.0899424, 1.2067492, 0.2659732, 0.0360768, 0.0045813),
    (0.5, 0.87890594, 0.51498869, 0.15084934, 0.02658733, 0.00301532, 0.00032411),
)
LARGE = (
    (0.39894228, 0.01328592, 0.00225319, -0.00157565, 0.00916281, -0.02057706, 0.02635537, -0.01647633, 0.00392377),
    (0.39894228, -0.03988024, -0.00362018, 0.00163801, -0.01031555, 0.02282967, -0.02895312, 0.01787654, -0.00420059),
)


def _polynomial(coefficients: tuple[float, ...], x: Any) -> Any:
    result: Any = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        result = coefficient + x * result
    return result


def log_bessel(x: Any, order: int) -> Any:
    """The logarithm of the modified Bessel function I0 or I1 of positive numbers."""
    small = _polynomial(SMALL[order], (x / 3.75) ** 2)
    if order == 1:
        small = x.abs() * small
    large = x - 0.5 * x.log() + _polynomial(LARGE[order], 3.75 / x).log()
    return small.log().where(x < 3.75, large)


@public("torch.distributions.von_mises")
class VonMises(Distribution):
    """Angles, in radians, with density `exp(concentration cos(x - loc)) / (2 pi I0(concentration))`."""

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real
    _batched = ("loc", "concentration")

    def __init__(self, loc: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return self.loc

    @property
    def mode(self) -> Any:
        return self.loc

    @lazy_property
    def variance(self) -> Any:
        """One minus the length of the mean direction: `1 - I1 / I0`."""
        return 1 - (log_bessel(self.concentration, 1) - log_bessel(self.concentration, 0)).exp()

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        return self.concentration * (value - self.loc).cos() - math.log(2 * math.pi) - log_bessel(self.concentration, 0)

    @lazy_property
    def _proposal_r(self) -> Any:
        """The parameter of the wrapped Cauchy distribution whose numbers are proposed; 1 / kappa + kappa in the limit of 0."""
        kappa = self.concentration.to(dt.float64)
        tau = 1 + (1 + 4 * kappa**2).sqrt()
        rho = (tau - (2 * tau).sqrt()) / (2 * kappa)
        return (1 / kappa + kappa).where(kappa < 1e-5, (1 + rho**2) / (2 * rho))

    def sample(self, sample_shape: Any = ()) -> Any:
        """Best and Fisher, "Efficient simulation of the von Mises distribution" (1979), in float64, all numbers until the last is good."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            loc, kappa, r = self.loc.to(dt.float64), self.concentration.to(dt.float64), self._proposal_r
            x = empty(shape, dtype=dt.float64, device=loc.device)
            done = zeros(shape, dtype=dt.bool, device=loc.device)
            while not done.all():
                u1, u2, u3 = uniform((3, *shape), loc).unbind()
                z = (math.pi * u1).cos()
                f = (1 + r * z) / (r + z)
                c = kappa * (r - f)
                accepted = (c * (2 - c) - u2 > 0) | ((c / u2).log() + 1 - c >= 0)
                x = ((u3 - 0.5).sign() * f.acos()).where(accepted, x)  # also those done: a good number is as good as another
                done = done | accepted
            return ((x + math.pi + loc) % (2 * math.pi) - math.pi).to(self.loc.dtype)
