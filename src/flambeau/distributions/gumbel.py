"""The Gumbel distribution."""

import math
from typing import Any

from ..core.naming import public
from ..core.number_info import finfo
from . import constraints
from .transformed_distribution import TransformedDistribution
from .transforms import AffineTransform, ExpTransform
from .uniform import Uniform
from .utils import broadcast_all, euler_constant, filled, is_number

__all__ = ["Gumbel"]


@public("torch.distributions.gumbel")
class Gumbel(TransformedDistribution):
    """`loc - scale * log(-log(u))` of uniform numbers u: the distribution function is `exp(-exp(-(x - loc) / scale))`."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    _batched = ("base_dist", "loc", "scale")

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        info = finfo(self.loc.dtype)
        low, high = info.tiny, 1 - info.eps
        numbers = is_number(loc) and is_number(scale)
        base = Uniform(low if numbers else filled(self.loc, low), high if numbers else filled(self.loc, high), validate_args=validate_args)
        transforms = [
            ExpTransform().inv, AffineTransform(0, -filled(self.scale, 1)),
            ExpTransform().inv, AffineTransform(loc, -self.scale),
        ]  # fmt: skip
        super().__init__(base, transforms, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return self.loc + self.scale * euler_constant

    @property
    def mode(self) -> Any:
        return self.loc

    @property
    def stddev(self) -> Any:
        return math.pi / math.sqrt(6) * self.scale

    @property
    def variance(self) -> Any:
        return self.stddev.pow(2)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        y = (self.loc - value) / self.scale
        return y - y.exp() - self.scale.log()

    def entropy(self) -> Any:
        return self.scale.log() + (1 + euler_constant)
