"""Mixtures of distributions of one kind."""

from typing import Any

from ..autograd.grad_mode import no_grad
from ..core.naming import public
from . import constraints
from .categorical import Categorical
from .distribution import Distribution

__all__ = ["MixtureSameFamily"]


@public("torch.distributions.mixture_same_family")
class MixtureSameFamily(Distribution):
    """A value of one of K distributions, the last batch dim of `component_distribution`, chosen by the categorical `mixture_distribution`.

    Raises ValueError for other types, and for batches or numbers of components that do not fit.
    """

    arg_constraints: Any = {}
    _batched = ("_mixture_distribution", "_component_distribution")

    def __init__(self, mixture_distribution: Any, component_distribution: Any, validate_args: bool | None = None) -> None:
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError(" The Mixture distribution needs to be an  instance of torch.distributions.Categorical")
        if not isinstance(component_distribution, Distribution):
            raise ValueError("The Component distribution needs to be an instance of torch.distributions.Distribution")
        self._mixture_distribution, self._component_distribution = mixture_distribution, component_distribution
        mixture, components = mixture_distribution.batch_shape, component_distribution.batch_shape[:-1]
        if any(m != 1 and c != 1 and m != c for m, c in zip(reversed(mixture), reversed(components))):
            raise ValueError(
                f"`mixture_distribution.batch_shape` ({mixture}) is not compatible with `component_distribution.batch_shape`({components})"
            )
        chosen, there = mixture_distribution.logits.shape[-1], component_distribution.batch_shape[-1]
        if chosen != there:
            raise ValueError(
                f"`mixture_distribution component` ({chosen}) does not equal `component_distribution.batch_shape[-1]` ({there})"
            )
        self._num_component = chosen
        self._event_ndims = len(component_distribution.event_shape)
        super().__init__(components, component_distribution.event_shape, validate_args=validate_args)

    @constraints.dependent_property
    def support(self) -> Any:
        return constraints.MixtureSameFamilyConstraint(self._component_distribution.support)

    @property
    def mixture_distribution(self) -> Any:
        """The distribution that chooses."""
        return self._mixture_distribution

    @property
    def component_distribution(self) -> Any:
        """The distributions to choose from."""
        return self._component_distribution

    def _averaged(self, values: Any) -> Any:
        """The mean over the components, of values with event dims."""
        probs = self._mixture_distribution.probs
        batch_dims = len(self._mixture_distribution.batch_shape)
        missing = 0 if batch_dims == 1 else len(self._batch_shape) - batch_dims
        weights = probs.reshape(*probs.shape[:-1], *(1,) * missing, probs.shape[-1], *(1,) * self._event_ndims)
        return (weights * values).sum(-1 - self._event_ndims)

    def _widened(self, x: Any) -> Any:
        return x.unsqueeze(-1 - self._event_ndims)

    @property
    def mean(self) -> Any:
        return self._averaged(self._component_distribution.mean)

    @property
    def variance(self) -> Any:
        """The mean of the variances and the variance of the means."""
        components = self._component_distribution
        return self._averaged(components.variance) + self._averaged((components.mean - self._widened(self.mean)).pow(2.0))

    def cdf(self, x: Any) -> Any:
        return (self._component_distribution.cdf(self._widened(x)) * self._mixture_distribution.probs).sum(-1)

    def log_prob(self, x: Any) -> Any:
        if self._validate_args:
            self._validate_sample(x)
        log_weights = self._mixture_distribution.logits.log_softmax(-1)
        return (self._component_distribution.log_prob(self._widened(x)) + log_weights).logsumexp(-1)

    def sample(self, sample_shape: Any = ()) -> Any:
        dim = len(sample_shape) + len(self._batch_shape)
        with no_grad():
            chosen = self._mixture_distribution.sample(sample_shape)
            values = self._component_distribution.sample(sample_shape)
            index = chosen.reshape(*chosen.shape, *(1,) * (self._event_ndims + 1)).expand(*chosen.shape, 1, *self._event_shape)
            return values.gather(dim, index).squeeze(dim)

    def __repr__(self) -> str:
        return f"MixtureSameFamily(\n  {self._mixture_distribution},\n  {self._component_distribution})"
