"""Exponential families."""

from typing import Any

from ..autograd import grad as gradient
from ..core.naming import public
from .distribution import Distribution

__all__ = ["ExponentialFamily"]


@public("torch.distributions.exp_family")
class ExponentialFamily(Distribution):
    """Densities `exp(<t(x), theta> - F(theta) + k(x))` of natural parameters theta, statistics t, log-normaliser F and carrier measure k.

    A subclass gives `_natural_params`, `_log_normalizer` and `_mean_carrier_measure`, the expected k(x). The gradient of F is the mean of
    t(x), so that the entropy and the divergence within a family follow from F alone (Nielsen and Nock, "Entropies and cross-entropies of
    exponential families", 2010).
    """

    @property
    def _natural_params(self) -> tuple[Any, ...]:
        raise NotImplementedError

    def _log_normalizer(self, *natural_params: Any) -> Any:
        raise NotImplementedError

    @property
    def _mean_carrier_measure(self) -> Any:
        raise NotImplementedError

    def entropy(self) -> Any:
        """`F(theta) - <theta, F'(theta)> - E k(x)`."""
        carrier = self._mean_carrier_measure
        params, normaliser, means = normaliser_and_means(self)
        result = normaliser - carrier
        for theta, mean in zip(params, means):
            result = result - (theta * mean).reshape(*self._batch_shape, -1).sum(-1)
        return result


def normaliser_and_means(d: ExponentialFamily) -> tuple[list[Any], Any, tuple[Any, ...]]:
    """The natural parameters cut off from what they were computed from, F there and its gradients."""
    params = [theta.detach().requires_grad_() for theta in d._natural_params]
    normaliser = d._log_normalizer(*params)
    return params, normaliser, gradient(normaliser.sum(), params, create_graph=True)
