"""The geometric distribution."""

from typing import Any

from ..autograd.grad_mode import no_grad
from ..core.naming import public
from ..nn import functional as F
from . import constraints
from .distribution import ProbsAndLogits
from .utils import batch_shape_of, broadcast_all, filled, tiny_of, uniform

__all__ = ["Geometric"]


@public("torch.distributions.geometric")
class Geometric(ProbsAndLogits):
    """How many trials fail before the first success, of probability `probs`: k with probability `(1 - probs)**k probs`."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.nonnegative_integer
    _batched = ("probs", "logits")

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        name, given = self._check_one(probs, logits)
        (value,) = broadcast_all(given)
        self.__dict__[name] = value
        super().__init__(batch_shape_of(value, given), validate_args=validate_args)
        if self._validate_args and probs is not None and not (value > 0).all():
            raise ValueError(
                f"Expected parameter probs ({type(value).__name__} of shape {tuple(value.shape)}) of distribution {self!r} to be positive "
                f"but found invalid values:\n{value.detach()[~(value > 0)]}"
            )

    @property
    def mean(self) -> Any:
        return 1.0 / self.probs - 1.0

    @property
    def mode(self) -> Any:
        return filled(self.probs, 0)

    @property
    def variance(self) -> Any:
        return (1.0 / self.probs - 1.0) / self.probs

    def sample(self, sample_shape: Any = ()) -> Any:
        with no_grad():
            u = uniform(self._extended_shape(sample_shape), self.probs, tiny_of(self.probs), 1)
            return (u.log() / (-self.probs).log1p()).floor()

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        value, probs = broadcast_all(value, self.probs)
        failing = probs.masked_fill((probs == 1) & (value == 0), 0)  # 0 times log 0 is to be 0
        return value * (-failing).log1p() + self.probs.log()

    def entropy(self) -> Any:
        return F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none") / self.probs
