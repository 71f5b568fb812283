"""Distributions: samples from the same seeds, probabilities, entropies, divergences, texts and errors."""

import pytest

from harness import parity

DISTRIBUTIONS = [
    "D.Normal(0.,1.)",
    "D.Normal(torch.tensor([0.,1.]),torch.tensor([1.,2.]))",
    "D.Normal(torch.zeros(2,1),torch.ones(3)*.5)",
    "D.Normal(torch.randn(3,requires_grad=True),torch.rand(3)+.1)",
    "D.Uniform(0.,2.)",
    "D.Uniform(torch.tensor([0.,-1.]),torch.tensor([1.,2.]))",
    "D.Bernoulli(.3)",
    "D.Bernoulli(torch.tensor([.3,.5,.9]))",
    "D.Bernoulli(logits=torch.tensor([.3,-2.]))",
    "D.Categorical(torch.tensor([.1,.2,.7]))",
    "D.Categorical(torch.tensor([[1.,2.,3.],[4.,0.,1.]]))",
    "D.Categorical(logits=torch.randn(2,4))",
    "D.Exponential(2.)",
    "D.Exponential(torch.tensor([1.,3.]))",
    "D.Laplace(0.,1.)",
    "D.Laplace(torch.tensor([0.,2.]),torch.tensor([1.,.5]))",
    "D.Poisson(3.)",
    "D.Poisson(torch.tensor([.5,20.]))",
    "D.MultivariateNormal(torch.zeros(2),torch.tensor([[2.,.5],[.5,1.]]))",
    "D.MultivariateNormal(torch.zeros(3,2),scale_tril=torch.tensor([[2.,0.],[.5,1.]]))",
    "D.MultivariateNormal(torch.ones(2),precision_matrix=torch.tensor([[2.,.5],[.5,1.]]))",
    "D.Independent(D.Normal(torch.zeros(3,2),torch.ones(3,2)),1)",
    "D.Independent(D.Bernoulli(torch.full((2,3),.4)),2)",
]
CALLS = """
    repr(d), repr(d.support), d.has_rsample, d.batch_shape, d.event_shape
    d.sample(), d.sample((3,)), d.sample((2, 2))
    d.rsample((3,))
    d.log_prob(d.sample((4,)))
    d.entropy(), d.perplexity()
    d.mean, d.variance, d.stddev
    d.mode
    d.cdf(d.sample((2,)))
    d.icdf(torch.rand(()))
    d.enumerate_support(), d.enumerate_support(False)
    d.expand((4, *d.batch_shape)).sample(), repr(d.expand((4, *d.batch_shape)))
    D.kl_divergence(d, d)
    d.log_prob(torch.full((7,), 0.5))
    d.log_prob(1)
    d.log_prob(torch.full((*d.batch_shape, *d.event_shape), math.nan))
"""
PAIRS = [
    ("D.Normal(0.,1.)", "D.Normal(1.,2.)"),
    ("D.Bernoulli(torch.tensor([.3,0.,1.]))", "D.Bernoulli(torch.tensor([.6,0.,.4]))"),
    ("D.Categorical(torch.tensor([.1,.9,0.]))", "D.Categorical(torch.tensor([.3,.3,.4]))"),
    ("D.Categorical(torch.tensor([.1,.9,.1]))", "D.Categorical(torch.tensor([.3,0.,.4]))"),
    ("D.Exponential(2.)", "D.Exponential(3.)"),
    ("D.Laplace(0.,1.)", "D.Laplace(1.,2.)"),
    ("D.Poisson(2.)", "D.Poisson(5.)"),
    ("D.Uniform(0.,1.)", "D.Uniform(-1.,2.)"),
    ("D.Uniform(0.,1.)", "D.Uniform(.5,2.)"),
    ("D.MultivariateNormal(torch.zeros(2),torch.eye(2))", "D.MultivariateNormal(torch.ones(2),torch.tensor([[2.,.5],[.5,1.]]))"),
    ("D.Uniform(0.,1.)", "D.Normal(1.,2.)"),
    ("D.Normal(0.5,1.)", "D.Laplace(1.,2.)"),
    ("D.Normal(0.,1.)", "D.Categorical(torch.ones(2))"),
    ("D.Independent(D.Normal(torch.zeros(3),torch.ones(3)),1)", "D.Independent(D.Normal(torch.ones(3),torch.ones(3)),1)"),
]
ERRORS = [
    "D.Normal(0.,-1.)",
    "D.Normal(torch.tensor([float('nan')]),torch.ones(1))",
    "D.Normal('a',1.)",
    "D.Normal(0.,-1.,validate_args=False)",
    "D.Uniform(1.,0.)",
    "D.Bernoulli(1.5)",
    "D.Bernoulli()",
    "D.Bernoulli(.5,.5)",
    "D.Categorical(torch.tensor(1.))",
    "D.Categorical(torch.tensor([-1.,2.]))",
    "D.Categorical(torch.ones(2),torch.ones(2))",
    "D.Exponential(0.)",
    "D.Poisson(-1.)",
    "D.Laplace(0.,0.)",
    "D.MultivariateNormal(torch.zeros(2),-torch.eye(2))",
    "D.MultivariateNormal(torch.zeros(2),torch.tensor([[1.,2.],[0.,1.]]))",
    "D.MultivariateNormal(torch.zeros(2))",
    "D.MultivariateNormal(torch.tensor(0.),torch.eye(2))",
    "D.MultivariateNormal(torch.zeros(2),torch.ones(2))",
    "D.MultivariateNormal(torch.zeros(2),scale_tril=torch.ones(2,2))",
    "D.Independent(D.Normal(0.,1.),1)",
    "D.constraints.positive, D.constraints.real_vector, D.constraints.simplex, D.constraints.unit_interval, D.constraints.boolean",
    "D.Normal(0.,1.).rsample().requires_grad",
]


def attempt(call):
    try:
        return call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def evaluate(torch, expression, **names):
    import math

    torch.distributions.Distribution.set_default_validate_args(True)  # whoever imports PyTorch's compiler switches it off
    return eval(expression, {"torch": torch, "D": torch.distributions, "math": math, **names})


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@parity
def test_distribution(torch, distribution):
    d = evaluate(torch, distribution)
    return [attempt(lambda call=call: evaluate(torch, call.strip(), d=d)) for call in CALLS.strip().splitlines()]


@pytest.mark.parametrize(("p", "q"), PAIRS)
@parity
def test_divergence(torch, p, q):
    return attempt(lambda: torch.distributions.kl_divergence(evaluate(torch, p), evaluate(torch, q)))


@pytest.mark.parametrize("expression", ERRORS)
@parity
def test_errors_and_texts(torch, expression):
    return attempt(lambda: repr(evaluate(torch, expression)))


@parity
def test_a_policy_learns(torch):
    """The score-function estimator: gradients of `log_prob` and of the entropy."""
    weight, x = torch.zeros(4, 3, requires_grad=True), torch.randn(5, 4)
    policy = torch.distributions.Categorical(logits=x @ weight)
    action = policy.sample()
    loss = -(policy.log_prob(action) * torch.randn(5)).mean() - 0.1 * policy.entropy().mean()
    loss.backward()
    return action, loss, weight.grad


@pytest.mark.parametrize("kind", ["Normal", "Laplace"])
@parity
def test_gradients_of_samples(torch, kind):
    D = torch.distributions
    loc, scale = torch.zeros(3, requires_grad=True), torch.ones(3, requires_grad=True)
    d = getattr(D, kind)(loc, scale)
    z = d.rsample((2,))
    loss = (z**2).sum() + D.kl_divergence(d, getattr(D, kind)(0.5, 2.0)).sum()
    loss.backward()
    return z, loss, loc.grad, scale.grad


@parity
def test_own_divergences(torch):
    D = torch.distributions

    class Own(D.Normal):
        pass

    found = [D.kl_divergence(Own(0.0, 1.0), D.Normal(1.0, 1.0))]
    D.register_kl(Own, D.Normal)(lambda p, q: "own")
    return [*found, D.kl_divergence(Own(0.0, 1.0), Own(1.0, 1.0))]


@parity
def test_checks_can_be_left_out(torch):
    D = torch.distributions
    return D.Normal(0.0, -1.0, validate_args=False).log_prob(torch.tensor(float("nan"))), D.Bernoulli(0.5, validate_args=False).log_prob(
        0.3
    )
