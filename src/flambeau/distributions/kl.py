"""The Kullback-Leibler divergence of two distributions.

Within a family the formulas are well known (Gil, Alajaji and Linder, "Renyi divergence measures for commonly used univariate continuous
distributions", 2013). Those between families are `-entropy(p) - E_p[log q(x)]`, with the moments of p.
"""

import math
import warnings
from functools import cache
from typing import Any, Callable

from ..nn import functional as F
from ..ops.definition import NAMES
from .bernoulli import Bernoulli
from .beta import Beta
from .binomial import Binomial
from .categorical import Categorical
from .cauchy import Cauchy
from .continuous_bernoulli import ContinuousBernoulli
from .dirichlet import Dirichlet
from .distribution import Distribution
from .exp_family import ExponentialFamily, normaliser_and_means
from .exponential import Exponential
from .gamma import Gamma
from .geometric import Geometric
from .gumbel import Gumbel
from .half_normal import HalfNormal
from .independent import Independent
from .laplace import Laplace
from .lowrank_multivariate_normal import LowRankMultivariateNormal
from .multivariate_normal import MultivariateNormal, half_log_det, mahalanobis
from .normal import Normal
from .one_hot_categorical import OneHotCategorical
from .pareto import Pareto
from .poisson import Poisson
from .transformed_distribution import TransformedDistribution
from .uniform import Uniform
from .utils import euler_constant, filled, sum_rightmost

__all__ = ["kl_divergence", "register_kl"]

_formulas: dict[tuple[type, type], Callable[[Any, Any], Any]] = {}
linalg = NAMES["linalg"]
INFINITY = math.inf


def register_kl(type_p: type, type_q: type) -> Callable[[Any], Any]:
    """Decorator: the function computes the divergence of distributions of these types and of their subclasses.

    Raises TypeError for what are no distributions.
    """
    for name, given in (("type_p", type_p), ("type_q", type_q)):
        if not (isinstance(given, type) and issubclass(given, Distribution)):
            raise TypeError(f"Expected {name} to be a Distribution subclass but got {given}")

    def register(function: Any) -> Any:
        _formulas[type_p, type_q] = function
        _formula.cache_clear()
        return function

    return register


@cache
def _formula(type_p: Any, type_q: Any) -> Callable[[Any, Any], Any] | None:
    """The formula of the nearest types: of p's first, then of q's. Warns where q's first would give another one."""
    fitting = [(p, q) for p, q in _formulas if issubclass(type_p, p) and issubclass(type_q, q)]
    if not fitting:
        return None
    steps = [(type_p.__mro__.index(p), type_q.__mro__.index(q), p, q) for p, q in fitting]
    _, _, p, q = min(steps, key=lambda s: s[:2])
    _, _, other_p, other_q = min(steps, key=lambda s: s[1::-1])
    if _formulas[p, q] is not _formulas[other_p, other_q]:
        warnings.warn(
            f"Ambiguous kl_divergence({type_p.__name__}, {type_q.__name__}). Please register_kl({p.__name__}, {other_q.__name__})",
            RuntimeWarning,
            stacklevel=3,
        )
    return _formulas[p, q]


def kl_divergence(p: Distribution, q: Distribution) -> Any:
    """`E_p[log p(x) - log q(x)]`, of shape batch_shape. Raises NotImplementedError for types without a formula."""
    types: tuple[Any, Any] = type(p), type(q)
    formula = _formula(*types)
    if formula is None:
        raise NotImplementedError(f"No KL(p || q) is implemented for p type {type(p).__name__} and q type {type(q).__name__}")
    return formula(p, q)


def _infinite(*pairs: tuple[type, str, tuple[type, ...]]) -> None:
    """p has probability where q has none: the divergence is infinite, of the shape of p's parameter."""
    for type_p, parameter, types_q in pairs:
        for type_q in types_q:
            register_kl(type_p, type_q)(lambda p, q, name=parameter: filled(getattr(p, name), INFINITY))


_infinite(
    (Beta, "concentration1", (Pareto,)),
    (ContinuousBernoulli, "probs", (Pareto,)),
    (Exponential, "rate", (Beta, ContinuousBernoulli, Pareto, Uniform)),
    (Gamma, "concentration", (Beta, ContinuousBernoulli, Pareto, Uniform)),
    (Gumbel, "loc", (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)),
    (Laplace, "loc", (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)),
    (Normal, "loc", (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)),
    (Pareto, "scale", (Beta, ContinuousBernoulli, Uniform)),
    (Poisson, "rate", (Bernoulli, Binomial)),
)


# --- within a family -----------------------------------------------------------------------------------------------


@register_kl(Normal, Normal)
def _normal_normal(p: Any, q: Any) -> Any:
    ratio = (p.scale / q.scale).pow(2)
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).pow(2) - 1 - ratio.log())


@register_kl(HalfNormal, HalfNormal)
def _half_normals(p: Any, q: Any) -> Any:
    return _normal_normal(p.base_dist, q.base_dist)


@register_kl(Bernoulli, Bernoulli)
def _bernoulli_bernoulli(p: Any, q: Any) -> Any:
    first = p.probs * (F.softplus(-q.logits) - F.softplus(-p.logits))
    first = first.masked_fill(q.probs == 0, INFINITY).masked_fill(p.probs == 0, 0)
    second = (1 - p.probs) * (F.softplus(q.logits) - F.softplus(p.logits))
    return first + second.masked_fill(q.probs == 1, INFINITY).masked_fill(p.probs == 1, 0)


@register_kl(Beta, Beta)
def _beta_beta(p: Any, q: Any) -> Any:
    a, b, c, d = p.concentration1, p.concentration0, q.concentration1, q.concentration0
    log_betas = (c.lgamma() + d.lgamma() + (a + b).lgamma()) - (a.lgamma() + b.lgamma() + (c + d).lgamma())
    return log_betas + (a - c) * a.digamma() + (b - d) * b.digamma() + (c + d - (a + b)) * (a + b).digamma()


@register_kl(Binomial, Binomial)
def _binomial_binomial(p: Any, q: Any) -> Any:
    if (p.total_count < q.total_count).any():
        raise NotImplementedError("KL between Binomials where q.total_count > p.total_count is not implemented")
    each = p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p()
    return (p.total_count * each).masked_fill(p.total_count > q.total_count, INFINITY)


@register_kl(Categorical, Categorical)
def _categorical_categorical(p: Any, q: Any) -> Any:
    terms = p.probs * (p.logits - q.logits)
    impossible = (q.probs == 0).expand_as(terms)
    return terms.masked_fill(impossible, INFINITY).masked_fill((p.probs == 0).expand_as(terms), 0).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot_one_hot(p: Any, q: Any) -> Any:
    return _categorical_categorical(p._categorical, q._categorical)


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _continuous_bernoullis(p: Any, q: Any) -> Any:
    of_p = p._cont_bern_log_norm() + (-p.probs).log1p()
    return p.mean * (p.logits - q.logits) + of_p - q._cont_bern_log_norm() - (-q.probs).log1p()


@register_kl(Dirichlet, Dirichlet)
def _dirichlet_dirichlet(p: Any, q: Any) -> Any:
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    log_betas = total.lgamma() - b.sum(-1).lgamma() - (a.lgamma() - b.lgamma()).sum(-1)
    return log_betas + ((a - b) * (a.digamma() - total.digamma().unsqueeze(-1))).sum(-1)


@register_kl(Exponential, Exponential)
def _exponential_exponential(p: Any, q: Any) -> Any:
    ratio = q.rate / p.rate
    return ratio - ratio.log() - 1


@register_kl(ExponentialFamily, ExponentialFamily)
def _exponential_families(p: Any, q: Any) -> Any:
    """The Bregman divergence of the log-normaliser."""
    if type(p) is not type(q):
        raise NotImplementedError(
            "The cross KL-divergence between different exponential families cannot" + 29 * " " + "be computed using Bregman divergences"
        )
    params, normaliser, means = normaliser_and_means(p)
    others = q._natural_params
    result = q._log_normalizer(*others) - normaliser
    for theta, other, mean in zip(params, others, means):
        result = result - sum_rightmost((other - theta) * mean, len(q.event_shape))
    return result


@register_kl(Gamma, Gamma)
def _gamma_gamma(p: Any, q: Any) -> Any:
    a, b = p.concentration, q.concentration
    log_normalisers = b * (p.rate / q.rate).log() + (b.lgamma() - a.lgamma())
    return log_normalisers + (a - b) * a.digamma() + (q.rate - p.rate) * (a / p.rate)


@register_kl(Geometric, Geometric)
def _geometric_geometric(p: Any, q: Any) -> Any:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(Gumbel, Gumbel)
def _gumbel_gumbel(p: Any, q: Any) -> Any:
    ratio, p_loc, q_loc = p.scale / q.scale, p.loc / q.scale, q.loc / q.scale
    expected = (q_loc + (1 + ratio).lgamma() - p_loc).exp()
    return p_loc - q_loc - ratio.log() + ratio * euler_constant + expected - (1 + euler_constant)


@register_kl(Laplace, Laplace)
def _laplace_laplace(p: Any, q: Any) -> Any:
    ratio, distance = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + distance / q.scale + ratio * (-distance / p.scale).exp() - 1


@register_kl(Cauchy, Cauchy)
def _cauchy_cauchy(p: Any, q: Any) -> Any:
    """Chyzak and Nielsen, 2019."""
    return ((p.scale + q.scale).pow(2) + (p.loc - q.loc).pow(2)).log() - (4 * p.scale * q.scale).log()


@register_kl(Pareto, Pareto)
def _pareto_pareto(p: Any, q: Any) -> Any:
    ratio = q.alpha / p.alpha
    result = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return result.masked_fill(p.scale < q.scale, INFINITY)


@register_kl(Poisson, Poisson)
def _poisson_poisson(p: Any, q: Any) -> Any:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Uniform, Uniform)
def _uniform_uniform(p: Any, q: Any) -> Any:
    result = ((q.high - q.low) / (p.high - p.low)).log()
    return result.masked_fill((q.low > p.low) | (q.high < p.high), INFINITY)


@register_kl(Independent, Independent)
def _independent_independent(p: Any, q: Any) -> Any:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed_transformed(p: Any, q: Any) -> Any:
    """Equal bijections change nothing."""
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError
    return kl_divergence(p.base_dist, q.base_dist)


# --- normal vectors: half of the log-determinants' difference, the trace of q's inverse times p's covariance, and the means' distance ----


def _same_events(p: Any, q: Any, what: str) -> None:
    if p.event_shape != q.event_shape:
        raise ValueError(f"KL-divergence between two {what} with" + 26 * " " + "different event shapes cannot be computed")


def _squares(matrix: Any) -> Any:
    return matrix.pow(2).sum((-2, -1))


def _solved(factor: Any, matrix: Any) -> Any:
    """`factor**-1 matrix`, whose squares sum to the trace of `(factor factor')**-1 matrix matrix'`."""
    factor, matrix = _common_batch(factor, matrix)
    return linalg["solve_triangular"](factor, matrix, upper=False)


def _common_batch(a: Any, b: Any) -> tuple[Any, Any]:
    batch = NAMES["torch"]["broadcast_shapes"](a.shape[:-2], b.shape[:-2])
    return a.expand(*batch, *a.shape[-2:]), b.expand(*batch, *b.shape[-2:])


def _low_rank_trace(q: Any, factor: Any) -> Any:
    """The trace of q's inverse covariance times `factor factor'`."""
    scaled = q._scaled_factor()
    solved = linalg["solve_triangular"](q._capacitance_tril, scaled, upper=False)
    return _squares(factor * q._unbroadcasted_cov_diag.rsqrt().unsqueeze(-1)) - _squares(solved @ factor)


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate_normals(p: Any, q: Any) -> Any:
    _same_events(p, q, "Multivariate Normals")
    p_factor, q_factor = p._unbroadcasted_scale_tril, q._unbroadcasted_scale_tril
    rest = _squares(_solved(q_factor, p_factor)) + mahalanobis(q_factor, q.loc - p.loc) - p.event_shape[0]
    return half_log_det(q_factor) - half_log_det(p_factor) + 0.5 * rest


@register_kl(MultivariateNormal, LowRankMultivariateNormal)
def _multivariate_low_rank(p: Any, q: Any) -> Any:
    _same_events(p, q, "(Low Rank) Multivariate Normals")
    factor = p._unbroadcasted_scale_tril
    log_det = q.log_det() - 2 * half_log_det(factor)
    return 0.5 * (log_det + _low_rank_trace(q, factor) + q.distance(q.loc - p.loc) - p.event_shape[0])


@register_kl(LowRankMultivariateNormal, MultivariateNormal)
def _low_rank_multivariate(p: Any, q: Any) -> Any:
    _same_events(p, q, "(Low Rank) Multivariate Normals")
    factor = q._unbroadcasted_scale_tril
    diagonal = p._unbroadcasted_cov_diag.sqrt().diag_embed()
    trace = _squares(_solved(factor, p._unbroadcasted_cov_factor)) + _squares(_solved(factor, diagonal))
    log_det = 2 * half_log_det(factor) - p.log_det()
    return 0.5 * (log_det + trace + mahalanobis(factor, q.loc - p.loc) - p.event_shape[0])


@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
def _low_ranks(p: Any, q: Any) -> Any:
    _same_events(p, q, "Low Rank Multivariate Normals")
    scaled = linalg["solve_triangular"](q._capacitance_tril, q._scaled_factor(), upper=False)
    of_diagonal = (p._unbroadcasted_cov_diag / q._unbroadcasted_cov_diag).sum(-1)
    of_diagonal = of_diagonal - _squares(scaled * p._unbroadcasted_cov_diag.sqrt().unsqueeze(-2))
    trace = of_diagonal + _low_rank_trace(q, p._unbroadcasted_cov_factor)
    return 0.5 * (q.log_det() - p.log_det() + trace + q.distance(q.loc - p.loc) - p.event_shape[0])


# --- between families: the moments of p in the density of q -----------------------------------------------------------


def _beyond(result: Any, mask: Any) -> Any:
    """Infinite where p reaches beyond q."""
    return result.masked_fill(mask, INFINITY)


def _log_normal(q: Any) -> Any:
    """log of the normal density's normaliser."""
    return 0.5 * (q.scale.pow(2) * 2 * math.pi).log()


def _cross_normal(q: Any, mean: Any, square: Any) -> Any:
    """-E log q of a normal distribution, by the mean and the mean of the squares."""
    return _log_normal(q) + (0.5 * square - q.loc * mean + 0.5 * q.loc.pow(2)) / q.scale.pow(2)


def _cross_gamma(q: Any, mean: Any, log: Any) -> Any:
    """-E log q of a gamma distribution, by the mean and the mean of the logarithms."""
    return q.concentration.lgamma() - q.concentration * q.rate.log() - (q.concentration - 1) * log + q.rate * mean


def _cross_continuous_bernoulli(q: Any, mean: Any) -> Any:
    return -mean * q.logits - (-q.probs).log1p() - q._cont_bern_log_norm()


@register_kl(Bernoulli, Poisson)
def _bernoulli_poisson(p: Any, q: Any) -> Any:
    return q.rate - p.probs * q.rate.log() - p.entropy()


@register_kl(Beta, ContinuousBernoulli)
@register_kl(Uniform, ContinuousBernoulli)
def _to_continuous_bernoulli(p: Any, q: Any) -> Any:
    result = _cross_continuous_bernoulli(q, p.mean) - p.entropy()
    return _beyond(result, (p.high >= 1.0) | (p.low <= 0.0)) if isinstance(p, Uniform) else result


@register_kl(Beta, Exponential)
@register_kl(ContinuousBernoulli, Exponential)
@register_kl(Gamma, Exponential)
def _to_exponential(p: Any, q: Any) -> Any:
    return q.rate * p.mean - q.rate.log() - p.entropy()


@register_kl(Beta, Gamma)
def _beta_gamma(p: Any, q: Any) -> Any:
    a, total = p.concentration1, p.concentration1 + p.concentration0
    return _cross_gamma(q, p.mean, a.digamma() - total.digamma()) - p.entropy()


@register_kl(Beta, Normal)
@register_kl(ContinuousBernoulli, Normal)
def _to_normal(p: Any, q: Any) -> Any:
    return _cross_normal(q, p.mean, p.variance + p.mean.pow(2)) - p.entropy()


@register_kl(Beta, Uniform)
def _beta_uniform(p: Any, q: Any) -> Any:
    return _beyond((q.high - q.low).log() - p.entropy(), (q.low > 0.0) | (q.high < 1.0))


@register_kl(ContinuousBernoulli, Uniform)
def _continuous_bernoulli_uniform(p: Any, q: Any) -> Any:
    # PyTorch's condition: infinite for a uniform distribution on [0, 1] itself, too.
    return _beyond((q.high - q.low).log() - p.entropy(), (q.low >= 0.0) | (q.high <= 1.0))


@register_kl(Exponential, Gamma)
def _exponential_gamma(p: Any, q: Any) -> Any:
    ratio, a = q.rate / p.rate, q.concentration
    return ratio - a * ratio.log() + a.lgamma() + a * euler_constant - (1 + euler_constant)


@register_kl(Exponential, Gumbel)
def _exponential_gumbel(p: Any, q: Any) -> Any:
    product, loc = p.rate * q.scale, q.loc / q.scale
    return product.log() - 1 - loc + loc.exp() * product / (product + 1) + product.reciprocal()


@register_kl(Exponential, Normal)
def _exponential_normal(p: Any, q: Any) -> Any:
    return p.rate.log() - 1 + _cross_normal(q, p.rate.reciprocal(), 2 * p.rate.pow(2).reciprocal())


@register_kl(Gamma, Gumbel)
def _gamma_gumbel(p: Any, q: Any) -> Any:
    a, product, loc = p.concentration, p.rate * q.scale, q.loc / q.scale
    of_p = (a - 1) * a.digamma() - a.lgamma() - a
    return of_p + product.log() + a / product + loc.exp() * (1 + product.reciprocal()).pow(-a) - loc


@register_kl(Gamma, Normal)
def _gamma_normal(p: Any, q: Any) -> Any:
    a = p.concentration
    of_p = p.rate.log() - a - a.lgamma() + (a - 1) * a.digamma()
    return of_p + _cross_normal(q, a / p.rate, (a.pow(2) + a) / p.rate.pow(2))


@register_kl(Gumbel, Normal)
def _gumbel_normal(p: Any, q: Any) -> Any:
    ratio = p.scale / q.scale
    distance = (p.loc + p.scale * euler_constant - q.loc) / q.scale
    log_ratio = (ratio / math.sqrt(2 * math.pi)).log()
    return (math.pi * ratio * 0.5).pow(2) / 3 + distance.pow(2) * 0.5 - log_ratio - (euler_constant + 1)


@register_kl(Laplace, Normal)
def _laplace_normal(p: Any, q: Any) -> Any:
    return _cross_normal(q, p.loc, p.loc.pow(2) + 2 * p.scale.pow(2)) - p.entropy()


@register_kl(Normal, Gumbel)
def _normal_gumbel(p: Any, q: Any) -> Any:
    p_loc, q_loc, square = p.loc / q.scale, q.loc / q.scale, (p.scale / q.scale).pow(2)
    expected = (q_loc - p_loc + 0.5 * square).exp()
    return p_loc - q_loc - square.log() * 0.5 + expected - 0.5 * (1 + math.log(2 * math.pi))


@register_kl(Normal, Laplace)
def _normal_laplace(p: Any, q: Any) -> Any:
    difference = p.loc - q.loc
    shifted = difference / p.scale
    distance = math.sqrt(2 / math.pi) * p.scale * (-0.5 * shifted.pow(2)).exp() + difference * (math.sqrt(0.5) * shifted).erf()
    return distance / q.scale - (p.scale / q.scale).log() - 0.5 * (1 + math.log(0.5 * math.pi))


@register_kl(Pareto, Exponential)
def _pareto_exponential(p: Any, q: Any) -> Any:
    product = p.scale * q.rate
    result = (p.alpha / product).log() - p.alpha.reciprocal() + p.alpha * product / (p.alpha - 1) - 1
    return _beyond(result, p.alpha <= 1)


@register_kl(Pareto, Gamma)
def _pareto_gamma(p: Any, q: Any) -> Any:
    log = p.scale.log() + p.alpha.reciprocal()  # the mean of the logarithms
    result = p.alpha.log() - log - 1 + _cross_gamma(q, p.alpha * p.scale / (p.alpha - 1), log)
    return _beyond(result, p.alpha <= 1)


@register_kl(Pareto, Normal)
def _pareto_normal(p: Any, q: Any) -> Any:
    share = p.scale / (p.alpha - 1)
    spread = p.alpha * share.pow(2) / (p.alpha - 2) + (p.alpha * share - q.loc).pow(2)
    log = (math.sqrt(2 * math.pi) * q.scale * p.alpha / p.scale).log()
    return _beyond(log - p.alpha.reciprocal() + spread / (2 * q.scale.pow(2)) - 1, p.alpha <= 2)


def _x_log_x(x: Any) -> Any:
    return x.xlogy(x)


def _mean_log(p: Any) -> Any:
    """The mean of the logarithms of uniform numbers."""
    width = p.high - p.low
    return (_x_log_x(p.high) - _x_log_x(p.low) - width) / width


@register_kl(Uniform, Beta)
def _uniform_beta(p: Any, q: Any) -> Any:
    a, b, width = q.concentration1, q.concentration0, p.high - p.low
    mean_log_rest = (_x_log_x(1 - p.low) - _x_log_x(1 - p.high) - width) / width
    log_beta = a.lgamma() + b.lgamma() - (a + b).lgamma()
    result = log_beta - width.log() - (a - 1) * _mean_log(p) - (b - 1) * mean_log_rest
    return _beyond(result, (p.high > 1.0) | (p.low < 0.0))


@register_kl(Uniform, Exponential)
def _uniform_exponential(p: Any, q: Any) -> Any:
    return _beyond(q.rate * (p.high + p.low) / 2 - ((p.high - p.low) * q.rate).log(), p.low < 0.0)


@register_kl(Uniform, Gamma)
def _uniform_gamma(p: Any, q: Any) -> Any:
    return _beyond(_cross_gamma(q, p.mean, _mean_log(p)) - (p.high - p.low).log(), p.low < 0.0)


@register_kl(Uniform, Gumbel)
def _uniform_gumbel(p: Any, q: Any) -> Any:
    share, high, low = q.scale / (p.high - p.low), (p.high - q.loc) / q.scale, (p.low - q.loc) / q.scale
    return share.log() + 0.5 * (high + low) - share * ((-high).exp() - (-low).exp())


@register_kl(Uniform, Normal)
def _uniform_normal(p: Any, q: Any) -> Any:
    width = p.high - p.low
    log = (math.sqrt(math.pi * 2) * q.scale / width).log()
    return log + 0.5 * (width.pow(2) / 12 + ((p.high + p.low - 2 * q.loc) / 2).pow(2)) / q.scale.pow(2)


@register_kl(Uniform, Pareto)
def _uniform_pareto(p: Any, q: Any) -> Any:
    normaliser = (q.alpha * q.scale.pow(q.alpha) * (p.high - p.low)).log()
    return _beyond(_mean_log(p) * (q.alpha + 1) - normaliser, p.low < q.scale)
