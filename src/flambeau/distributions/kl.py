"""The Kullback-Leibler divergence of two distributions."""

from typing import Any, Callable

from ..autograd.node import tensors
from ..nn import functional as F
from ..ops.definition import NAMES
from .bernoulli import Bernoulli
from .categorical import Categorical
from .distribution import Distribution, sum_rightmost
from .exponential import Exponential
from .independent import Independent
from .laplace import Laplace
from .multivariate_normal import MultivariateNormal
from .normal import Normal
from .poisson import Poisson
from .uniform import Uniform

__all__ = ["kl_divergence", "register_kl"]

_formulas: dict[tuple[type, type], Callable[[Any, Any], Any]] = {}
INFINITY = float("inf")


def register_kl(type_p: type, type_q: type) -> Callable[[Any], Any]:
    """Decorator: the function computes the divergence of distributions of these types and of their subclasses."""
    for name, given in (("type_p", type_p), ("type_q", type_q)):
        if not (isinstance(given, type) and issubclass(given, Distribution)):
            raise TypeError(f"Expected {name} to be a Distribution subclass but got {given}")

    def register(function: Any) -> Any:
        _formulas[type_p, type_q] = function
        return function

    return register


def kl_divergence(p: Distribution, q: Distribution) -> Any:
    """`E_p[log p(x) - log q(x)]`, of shape batch_shape. Raises NotImplementedError for types without a formula."""
    for type_p in type(p).__mro__:  # the nearest classes that have one
        for type_q in type(q).__mro__:
            if (type_p, type_q) in _formulas:
                return _formulas[type_p, type_q](p, q)
    raise NotImplementedError(f"No KL(p || q) is implemented for p type {type(p).__name__} and q type {type(q).__name__}")


@register_kl(Normal, Normal)
def _normal_normal(p: Any, q: Any) -> Any:
    ratio = (p.scale / q.scale).pow(2)
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).pow(2) - 1 - ratio.log())


@register_kl(Bernoulli, Bernoulli)
def _bernoulli_bernoulli(p: Any, q: Any) -> Any:
    first = p.probs * (F.softplus(-q.logits) - F.softplus(-p.logits))
    first = first.masked_fill(q.probs == 0, INFINITY).masked_fill(p.probs == 0, 0)
    second = (1 - p.probs) * (F.softplus(q.logits) - F.softplus(p.logits))
    return first + second.masked_fill(q.probs == 1, INFINITY).masked_fill(p.probs == 1, 0)


@register_kl(Categorical, Categorical)
def _categorical_categorical(p: Any, q: Any) -> Any:
    terms = p.probs * (p.logits - q.logits)
    impossible = (q.probs == 0).expand_as(terms)
    return terms.masked_fill(impossible, INFINITY).masked_fill((p.probs == 0).expand_as(terms), 0).sum(-1)


@register_kl(Exponential, Exponential)
def _exponential_exponential(p: Any, q: Any) -> Any:
    ratio = q.rate / p.rate
    return ratio - ratio.log() - 1


@register_kl(Laplace, Laplace)
def _laplace_laplace(p: Any, q: Any) -> Any:
    ratio, distance = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + distance / q.scale + ratio * (-distance / p.scale).exp() - 1


@register_kl(Poisson, Poisson)
def _poisson_poisson(p: Any, q: Any) -> Any:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Uniform, Uniform)
def _uniform_uniform(p: Any, q: Any) -> Any:
    result = ((q.high - q.low) / (p.high - p.low)).log()
    return result.masked_fill((q.low > p.low) | (q.high < p.high), INFINITY)


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate_normals(p: Any, q: Any) -> Any:
    if p.event_shape != q.event_shape:
        raise ValueError("KL-divergence between two Multivariate Normals with different event shapes cannot be computed")
    solve, broadcast = NAMES["linalg"]["solve_triangular"], NAMES["torch"]["broadcast_tensors"]
    factors = broadcast(q._factor, p._factor)
    spread = solve(*factors, upper=False).pow(2).sum((-2, -1))
    distance = solve(q._factor, (q.loc - p.loc).unsqueeze(-1), upper=False).squeeze(-1).pow(2).sum(-1)
    return q.half_log_det() - p.half_log_det() + 0.5 * (spread + distance - p.event_shape[0])


@register_kl(Independent, Independent)
def _independent_independent(p: Any, q: Any) -> Any:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(Uniform, Normal)
def _uniform_normal(p: Any, q: Any) -> Any:
    width = p.high - p.low
    normalised = (3.141592653589793 * 2) ** 0.5 * q.scale / width
    return normalised.log() + (width.pow(2) / 12 + ((p.high + p.low - 2 * q.loc) / 2).pow(2)) * 0.5 / q.scale.pow(2)


@register_kl(Normal, Laplace)
def _normal_laplace(p: Any, q: Any) -> Any:
    difference = p.loc - q.loc
    ratio, shifted = p.scale / q.scale, difference / p.scale
    first = ratio.log()
    second = (2 / 3.141592653589793) ** 0.5 * p.scale * (-0.5 * shifted.pow(2)).exp()
    third = difference * tensors.erf(0.5**0.5 * shifted)
    return -first + (second + third) / q.scale - (0.5 * (1 + 1.8378770664093453 - 2 * 0.6931471805599453))
