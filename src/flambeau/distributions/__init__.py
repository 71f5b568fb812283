"""Probability distributions: samples, probabilities of values, entropies and divergences, with gradients for the parameters."""

from ..core.missing import missing_name
from . import constraints, kl
from .bernoulli import Bernoulli
from .categorical import Categorical
from .distribution import Distribution
from .exponential import Exponential
from .independent import Independent
from .kl import kl_divergence, register_kl
from .laplace import Laplace
from .multivariate_normal import MultivariateNormal
from .normal import Normal
from .poisson import Poisson
from .uniform import Uniform

__all__ = [
    "Bernoulli", "Categorical", "Distribution", "Exponential", "Independent", "Laplace", "MultivariateNormal", "Normal", "Poisson",
    "Uniform", "constraints", "kl", "kl_divergence", "register_kl",
]  # fmt: skip

__getattr__ = missing_name(__name__)
