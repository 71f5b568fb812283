"""Divergences of all pairs of distributions that PyTorch has formulas for, and of those that it has none for."""

import pytest

from expressions import attempt, evaluate
from harness import parity

DISTRIBUTIONS = """
    D.Normal(t(0.,1.),t(1.,2.))
    D.Bernoulli(t(.3,.6))
    D.Bernoulli(t(0.,1.))
    D.Beta(t(.5,2.),t(1.5,3.))
    D.Binomial(5,t(.3,.6))
    D.Binomial(4,t(.3,.6))
    D.Categorical(t(.3,.7))
    D.ContinuousBernoulli(t(.3,.6))
    D.Dirichlet(t(.5,2.))
    D.Exponential(t(.5,2.))
    D.Gamma(t(.5,2.),t(1.5,3.))
    D.Chi2(t(.5,2.))
    D.Geometric(t(.5,.2))
    D.Gumbel(t(.5,2.),t(1.,.5))
    D.HalfNormal(t(.5,2.))
    D.Laplace(t(.5,2.),t(1.,.4))
    D.MultivariateNormal(t(0.,1.),t(2.,1.).diag())
    D.MultivariateNormal(torch.zeros(3).double(),torch.eye(3).double()*2)
    D.MultivariateNormal(torch.zeros(4,2).double(),torch.tensor([[2.,.5],[.5,1.]]).double())
    D.LowRankMultivariateNormal(t(0.,1.),t(1.,.5).view(2,1),t(1.,2.))
    D.LowRankMultivariateNormal(torch.ones(4,2).double(),t(1.,.5).view(2,1).expand(4,2,1),t(1.,.3).expand(4,2))
    D.OneHotCategorical(t(.3,.7))
    D.OneHotCategoricalStraightThrough(t(.4,.6))
    D.Pareto(t(.5,2.),t(1.5,3.))
    D.Pareto(t(.4,2.),t(.5,3.))
    D.Poisson(t(.5,2.))
    D.Uniform(t(.1,.2),t(.5,.8))
    D.Uniform(t(0.,-1.),t(1.,3.))
    D.Uniform(t(.6,2.5),t(.7,3.))
    D.Cauchy(t(.5,2.),t(1.,.4))
    D.LogNormal(t(.5,2.),t(1.,.4))
    D.Independent(D.Normal(t(.5,2.),t(1.,.4)),1)
    D.Independent(D.Gamma(t(.5,2.),t(1.,.4)),1)
    D.HalfCauchy(t(1.,2.))
    D.Weibull(t(1.,2.),t(1.,2.))
    D.StudentT(t(1.,2.))
    D.Wishart(t(3.,4.),torch.eye(2))
    D.VonMises(t(0.,1.),t(1.,2.))
    D.InverseGamma(t(1.,2.),t(1.,2.))
    D.LogNormal(0.,1.)
    D.Kumaraswamy(t(1.,2.),t(1.,2.))
    D.RelaxedBernoulli(torch.tensor(1.),t(.3,.5))
    D.TransformedDistribution(D.Normal(0.,1.),D.AffineTransform(0.,2.))
    D.TransformedDistribution(D.Normal(t(0.,1.),1.),D.AffineTransform(0.,2.))
"""

DISTRIBUTIONS = [line.strip() for line in DISTRIBUTIONS.strip().splitlines()]


@pytest.mark.parametrize("p", DISTRIBUTIONS)
@parity
def test_divergences(torch, p):
    """Of one distribution and all others, with gradients for both's parameters."""

    def answer(q):
        leaves = []

        def t(*numbers):
            leaves.append(torch.tensor(numbers, dtype=torch.float64, requires_grad=True))
            return leaves[-1]

        value = torch.distributions.kl_divergence(evaluate(torch, p, t=t), evaluate(torch, q, t=t))
        if value.requires_grad:
            value.sum().backward()
        return [value.detach(), *(leaf.grad for leaf in leaves)]

    return [attempt(lambda q=q: answer(q)) for q in DISTRIBUTIONS]


@parity
def test_own_divergences(torch):
    D = torch.distributions

    class Own(D.Normal):
        pass

    class Further(Own):
        pass

    found = [D.kl_divergence(Own(0.0, 1.0), D.Normal(1.0, 1.0))]
    D.register_kl(Own, D.Normal)(lambda p, q: "own")
    found += [D.kl_divergence(Own(0.0, 1.0), Own(1.0, 1.0)), D.kl_divergence(Further(0.0, 1.0), D.Normal(1.0, 1.0))]
    D.register_kl(D.Normal, Own)(lambda p, q: "the other way")
    found.append(attempt(lambda: D.kl_divergence(Own(0.0, 1.0), Own(1.0, 1.0))))  # two are as near
    D.register_kl(Own, Own)(lambda p, q: "both")
    return [*found, attempt(lambda: D.kl_divergence(Own(0.0, 1.0), Further(1.0, 1.0)))]


def test_what_is_no_distribution_is_refused():
    from flambeau.distributions import Normal, register_kl

    with pytest.raises(TypeError, match="Expected type_q to be a Distribution subclass but got 3"):
        register_kl(Normal, 3)
