"""Distributions: samples from the same seeds, probabilities, moments, entropies, gradients, texts and errors."""

import pytest

from expressions import attempt, evaluate
from harness import parity

DISTRIBUTIONS = """
    D.Normal(0.,1.)
    D.Normal(torch.tensor([0.,1.]),torch.tensor([1.,2.]))
    D.Normal(torch.zeros(2,1),torch.ones(3)*.5)
    D.Normal(torch.zeros(2,dtype=torch.float64),1.5)
    D.Uniform(torch.tensor([0.,-1.]),torch.tensor([1.,2.]))
    D.Normal(torch.randn(3,requires_grad=True),torch.rand(3)+.1)
    D.Uniform(0.,2.)
    D.Categorical(torch.tensor([.1,.2,.7]))
    D.Categorical(logits=torch.randn(2,4))
    D.Exponential(2.)
    D.Laplace(0.,1.)
    D.Poisson(3.)
    D.Bernoulli(.3)
    D.Bernoulli(torch.tensor([.3,.5,.9]))
    D.Bernoulli(logits=torch.tensor([.3,-2.]))
    D.Categorical(torch.tensor([[1.,2.,3.],[4.,0.,1.]]))
    D.Categorical(logits=torch.tensor([1.,2.,.5]))
    D.Exponential(torch.tensor([1.,3.]))
    D.Laplace(torch.tensor([0.,2.]),torch.tensor([1.,.5]))
    D.Poisson(torch.tensor([.5,20.]))
    D.MultivariateNormal(torch.zeros(2),torch.tensor([[2.,.5],[.5,1.]]))
    D.MultivariateNormal(torch.zeros(3,2),scale_tril=torch.tensor([[2.,0.],[.5,1.]]))
    D.MultivariateNormal(torch.ones(2),precision_matrix=torch.tensor([[2.,.5],[.5,1.]]))
    D.MultivariateNormal(torch.ones(2),torch.tensor([[2.,.5],[.5,1.]]).expand(3,2,2))
    D.Independent(D.Normal(torch.zeros(3,2),torch.ones(3,2)),1)
    D.Independent(D.Bernoulli(torch.full((2,3),.4)),2)
    D.Gamma(2.,3.)
    D.Gamma(torch.tensor([.3,1.,9.]),torch.tensor([1.,2.,.5]))
    D.Gamma(torch.tensor([.3,1.,9.],dtype=torch.float64),2.)
    D.Beta(2.,3.)
    D.Beta(torch.tensor([.3,1.,9.]),torch.tensor([1.,2.,.5]))
    D.Beta(torch.tensor([.3,1.,9.]),2.)
    D.Dirichlet(torch.tensor([.3,1.,9.]))
    D.Dirichlet(torch.tensor([[.3,.1,.2],[2.,3.,4.]]))
    D.Chi2(3.)
    D.Chi2(torch.tensor([1.,5.]))
    D.StudentT(3.)
    D.StudentT(torch.tensor([.5,1.5,5.]),torch.tensor([0.,1.,2.]),2.)
    D.FisherSnedecor(3.,5.)
    D.FisherSnedecor(torch.tensor([1.,3.]),torch.tensor([1.5,6.]))
    D.LogNormal(0.,1.)
    D.LogNormal(torch.tensor([0.,.5]),torch.tensor([1.,.3]))
    D.HalfNormal(2.)
    D.HalfNormal(torch.tensor([1.,.3]))
    D.HalfCauchy(2.)
    D.HalfCauchy(torch.tensor([1.,.3]))
    D.Cauchy(0.,2.)
    D.Cauchy(torch.tensor([1.,.3]),torch.tensor([1.,3.]))
    D.Gumbel(0.,2.)
    D.Gumbel(torch.tensor([1.,.3]),torch.tensor([1.,3.]))
    D.Pareto(1.,2.)
    D.Pareto(torch.tensor([1.,.3]),torch.tensor([1.,3.]))
    D.Weibull(1.,2.)
    D.Weibull(torch.tensor([1.,.3]),torch.tensor([1.,3.]))
    D.Kumaraswamy(1.,2.)
    D.Kumaraswamy(torch.tensor([.5,2.]),torch.tensor([1.5,3.]))
    D.Binomial(5,.3)
    D.Binomial(torch.tensor([5,50]),torch.tensor([.3,.6]))
    D.Binomial(20,logits=torch.tensor([.3,-.6]))
    D.NegativeBinomial(5,.3)
    D.NegativeBinomial(torch.tensor([5,50]),torch.tensor([.3,.6]))
    D.NegativeBinomial(5.5,logits=torch.tensor([.3,-.6]))
    D.Geometric(.3)
    D.Geometric(torch.tensor([.3,.6,1.]))
    D.Geometric(logits=torch.tensor([.3,-.6]))
    D.Multinomial(5,torch.tensor([.2,.3,.5]))
    D.Multinomial(5,logits=torch.tensor([[.2,.3,.5],[0.,1.,2.]]))
    D.OneHotCategorical(torch.tensor([.2,.3,.5]))
    D.OneHotCategorical(logits=torch.tensor([[.2,.3,.5],[0.,1.,2.]]))
    D.OneHotCategoricalStraightThrough(torch.tensor([.2,.3,.5]))
    D.RelaxedBernoulli(torch.tensor(.5),.3)
    D.RelaxedBernoulli(torch.tensor(2.2),torch.tensor([.3,.8]))
    D.RelaxedBernoulli(torch.tensor([2.2,.1]),logits=torch.tensor([.3,.8]))
    D.relaxed_bernoulli.LogitRelaxedBernoulli(torch.tensor(2.2),torch.tensor([.3,.8]))
    D.RelaxedOneHotCategorical(torch.tensor(.5),torch.tensor([.2,.3,.5]))
    D.RelaxedOneHotCategorical(torch.tensor(1.5),logits=torch.tensor([[.2,.3,.5],[0.,1.,2.]]))
    D.relaxed_categorical.ExpRelaxedCategorical(torch.tensor(1.5),logits=torch.tensor([[.2,.3,.5],[0.,1.,2.]]))
    D.ContinuousBernoulli(.3)
    D.ContinuousBernoulli(torch.tensor([.3,.5,.9,.4995]))
    D.ContinuousBernoulli(logits=torch.tensor([.3,-2.]))
    D.VonMises(0.,1.)
    D.VonMises(torch.tensor([0.,1.]),torch.tensor([.5,20.]))
    D.LowRankMultivariateNormal(torch.zeros(3),torch.tensor([[1.],[.5],[0.]]),torch.tensor([1.,2.,.5]))
    D.LowRankMultivariateNormal(torch.zeros(2,3),torch.tensor([[1.,.2],[.5,-.3],[0.,1.]]),torch.tensor([1.,2.,.5]))
    D.LowRankMultivariateNormal(torch.zeros(3),torch.tensor([[1.],[.5],[0.]]).expand(2,3,1),torch.tensor([1.,2.,.5]))
    D.MixtureSameFamily(D.Categorical(torch.tensor([.2,.8])),D.Normal(torch.tensor([0.,3.]),torch.tensor([1.,.5])))
    D.MixtureSameFamily(D.Categorical(torch.tensor([.2,.8])),D.Independent(D.Normal(torch.zeros(2,3),torch.ones(2,3)),1))
    D.MixtureSameFamily(D.Categorical(torch.rand(3,2)),D.Normal(torch.randn(3,2),torch.rand(3,2)+.1))
    D.MixtureSameFamily(D.Categorical(torch.rand(2)),D.Poisson(torch.rand(3,2)))
    D.InverseGamma(2.,3.)
    D.InverseGamma(torch.tensor([.5,1.5,3.]),torch.tensor([1.,2.,3.]))
    D.LKJCholesky(3)
    D.LKJCholesky(3,.5)
    D.LKJCholesky(2,torch.tensor([.5,3.]))
    D.Wishart(torch.tensor(4.),torch.eye(2))
    D.Wishart(torch.tensor([4.,5.]),scale_tril=torch.tensor([[2.,0.],[.5,1.]]))
    D.Wishart(3.5,precision_matrix=torch.tensor([[2.,.5],[.5,1.]]))
    D.GeneralizedPareto(0.,1.,.3)
    D.GeneralizedPareto(torch.tensor([0.,1.,2.]),torch.tensor([1.,2.,3.]),torch.tensor([0.,.6,-.5]))
    D.LogisticNormal(torch.zeros(2),torch.ones(2))
    D.LogisticNormal(0.,1.)
    D.LogisticNormal(torch.zeros(3,2),torch.ones(3,2))
    D.TransformedDistribution(D.Uniform(0.,1.),[D.SigmoidTransform().inv,D.AffineTransform(1.,2.)])
    D.TransformedDistribution(D.Normal(torch.zeros(3),torch.ones(3)),D.ExpTransform())
    D.TransformedDistribution(D.Normal(torch.zeros(3),torch.ones(3)),D.StickBreakingTransform())
    D.TransformedDistribution(D.Normal(torch.zeros(3),torch.ones(3)),[D.AffineTransform(torch.zeros(2,1),-2.),D.SigmoidTransform()])
    D.TransformedDistribution(D.Normal(0.,1.),[])
    D.TransformedDistribution(D.Normal(torch.zeros(6),torch.ones(6)),[D.ReshapeTransform((6,),(2,3))])
"""

CALLS = """
    (repr(d), d.has_rsample, d.has_enumerate_support, d.batch_shape, d.event_shape)
    repr(d.support)
    (d.support.is_discrete, d.support.event_dim)
    sorted((k, repr(v)) for k,v in d.arg_constraints.items())
    d.sample()
    d.sample((3,))
    d.sample((2,2))
    d.rsample((3,))
    d.log_prob(d.sample((4,)))
    d.entropy()
    d.perplexity()
    d.mean
    d.variance
    d.stddev
    d.mode
    d.cdf(d.sample((2,)))
    d.icdf(torch.rand(()))
    d.icdf(torch.full((2,)+tuple(d.batch_shape), 0.3))
    d.enumerate_support()
    d.enumerate_support(False)
    d.expand((4,)+tuple(d.batch_shape)).sample()
    repr(d.expand((4,)+tuple(d.batch_shape)))
    d.expand((4,)+tuple(d.batch_shape)).log_prob(d.sample((4,)))
    d.expand((4,)+tuple(d.batch_shape)).mean
    d.log_prob(torch.full((7,), 0.5))
    d.log_prob(1)
    d.log_prob(torch.full(tuple(d.batch_shape)+tuple(d.event_shape), math.nan))
    d.log_prob(torch.full(tuple(d.batch_shape)+tuple(d.event_shape), -1.5))
    d.log_prob(torch.full(tuple(d.batch_shape)+tuple(d.event_shape), 2.))
    D.kl_divergence(d,d)
    D.kl_divergence(d,D.Normal(0.,1.))
    d.probs
    d.logits
    D.Independent(d, len(d.batch_shape)).log_prob(d.sample())
    D.ExponentialFamily.entropy(d)
"""

DIFFERENTIABLE = """
    D.Normal(t(0.,1.),t(1.,2.))
    D.Bernoulli(t(.3,.6))
    D.Beta(t(.5,2.),t(1.5,3.))
    D.Binomial(5,t(.3,.6))
    D.Binomial(5,logits=t(.3,0.))
    D.Categorical(t(.3,.7))
    D.ContinuousBernoulli(t(.3,.9))
    D.ContinuousBernoulli(logits=t(.9,.001))
    D.Dirichlet(t(.5,2.,9.))
    D.Exponential(t(.5,2.))
    D.Gamma(t(.5,2.,20.),t(1.5,3.,1.))
    D.Chi2(t(.5,2.))
    D.Geometric(t(.5,.2))
    D.Geometric(logits=t(.3,.5))
    D.Gumbel(t(.5,2.),t(1.,.5))
    D.HalfNormal(t(.5,2.))
    D.HalfCauchy(t(1.,2.))
    D.Laplace(t(.5,2.),t(1.,.4))
    D.MultivariateNormal(t(0.,1.),t(2.,1.).diag())
    D.LowRankMultivariateNormal(t(0.,1.),t(1.,.5).view(2,1),t(1.,2.))
    D.OneHotCategoricalStraightThrough(t(.4,.6))
    D.Pareto(t(.5,2.),t(1.5,3.))
    D.Poisson(t(.5,2.))
    D.Uniform(t(.1,.2),t(.5,.8))
    D.Cauchy(t(.5,2.),t(1.,.4))
    D.LogNormal(t(.5,2.),t(1.,.4))
    D.Independent(D.Gamma(t(.5,2.),t(1.,.4)),1)
    D.Weibull(t(1.,2.),t(1.,2.))
    D.StudentT(t(3.,4.),t(1.,2.),t(2.,3.))
    D.VonMises(t(0.,1.),t(1.,2.))
    D.InverseGamma(t(1.,2.),t(1.,2.))
    D.Kumaraswamy(t(1.,2.),t(1.,2.))
    D.RelaxedBernoulli(torch.tensor(1.),t(.3,.5))
    D.RelaxedOneHotCategorical(torch.tensor(.5),t(.3,.7))
    D.FisherSnedecor(t(1.,3.),t(2.,5.))
    D.Multinomial(5,t(.3,.7))
    D.NegativeBinomial(5,t(.3,.7))
    D.MixtureSameFamily(D.Categorical(t(.3,.7)),D.Normal(t(0.,1.),t(1.,2.)))
    D.LKJCholesky(3,t(1.,2.))
    D.GeneralizedPareto(t(0.,1.,2.),t(1.,2.,3.),t(0.,.6,-.5))
    D.LogisticNormal(t(0.,1.),t(1.,2.))
"""

FUNCTIONS_OF_PARAMETERS = """
    d.rsample((3,)).sin()
    d.log_prob(d.sample((3,)))
    d.entropy()
    D.ExponentialFamily.entropy(d)
    d.mean
    d.variance
    d.cdf(d.sample((2,)))
    d.icdf(torch.full((2,),.4))
"""

ERRORS_AND_TEXTS = """
    D.Normal(0.,-1.)
    D.Normal(torch.tensor([float('nan')]),torch.ones(1))
    D.Normal(0.,-1.,validate_args=False)
    D.Uniform(1.,0.)
    D.Bernoulli(1.5)
    D.Bernoulli()
    D.Bernoulli(.5,.5)
    D.Categorical(torch.tensor(1.))
    D.Categorical(torch.tensor([-1.,2.]))
    D.Categorical(torch.ones(2),torch.ones(2))
    D.Exponential(0.)
    D.Poisson(-1.)
    D.Laplace(0.,0.)
    D.MultivariateNormal(torch.zeros(2),-torch.eye(2))
    D.MultivariateNormal(torch.zeros(2),torch.tensor([[1.,2.],[0.,1.]]))
    D.MultivariateNormal(torch.zeros(2))
    D.MultivariateNormal(torch.tensor(0.),torch.eye(2))
    D.MultivariateNormal(torch.zeros(2),torch.ones(2))
    D.MultivariateNormal(torch.zeros(2),scale_tril=torch.ones(2,2))
    D.Independent(D.Normal(0.,1.),1)
    D.Normal(0.,1.).rsample().requires_grad
    D.Normal('a',1.)
    D.Normal(0.,1j)
    D.Gamma(-1.,1.)
    D.Gamma(torch.ones(2),torch.zeros(2))
    D.Beta(0.,1.)
    D.Beta(torch.ones(2),-1.)
    D.Dirichlet(torch.tensor(1.))
    D.Dirichlet(torch.tensor([1.,-1.]))
    D.Dirichlet(torch.tensor([1.,2.])).log_prob(torch.tensor([.5,.6]))
    D.Chi2(-1.)
    D.StudentT(-1.)
    D.StudentT(1.,0.,-1.)
    D.FisherSnedecor(1.,-1.)
    D.LogNormal(0.,-1.)
    D.LogNormal(0.,1.).log_prob(torch.tensor(-1.))
    D.HalfNormal(-1.)
    D.HalfNormal(1.).log_prob(torch.tensor(-1.))
    D.HalfNormal(1.,validate_args=False).log_prob(torch.tensor(-1.))
    D.HalfCauchy(-1.)
    D.HalfCauchy(1.,validate_args=False).log_prob(torch.tensor(-1.))
    D.Cauchy(0.,-1.)
    D.Gumbel(0.,-1.)
    D.Pareto(-1.,1.)
    D.Pareto(1.,-1.)
    D.Weibull(-1.,1.)
    D.Kumaraswamy(-1.,1.)
    D.Binomial()
    D.Binomial(-1,.5)
    D.Binomial(2.5,.5)
    D.Binomial(2,1.5)
    D.Binomial(2,.5).log_prob(torch.tensor(3.))
    D.Binomial(torch.tensor([2,3]),.5).entropy()
    D.Binomial(torch.tensor([2,3]),.5).enumerate_support()
    D.NegativeBinomial(2,1.)
    D.NegativeBinomial(-2,.5)
    D.NegativeBinomial(2)
    D.NegativeBinomial(2,.5).entropy()
    D.Geometric()
    D.Geometric(0.)
    D.Geometric(torch.tensor([0.,.5,0.]))
    D.Geometric(1.5)
    D.Multinomial(torch.tensor([2,3]),torch.ones(2))
    D.Multinomial(2,torch.ones(2)).log_prob(torch.tensor([2.,3.]))
    D.Multinomial(2)
    D.OneHotCategorical()
    D.OneHotCategorical(torch.tensor([.5,.5])).log_prob(torch.tensor([1.,1.]))
    D.OneHotCategorical(torch.tensor([.5,.5])).log_prob(torch.tensor([1.,0.,0.]))
    D.RelaxedBernoulli(torch.tensor(1.))
    D.RelaxedBernoulli(torch.tensor(1.),1.5)
    D.RelaxedBernoulli(torch.tensor(1.),.5).entropy()
    D.RelaxedOneHotCategorical(torch.tensor(1.),torch.tensor([-1.,2.]))
    D.ContinuousBernoulli()
    D.ContinuousBernoulli(1.5)
    D.ContinuousBernoulli(1.5,validate_args=True)
    D.ContinuousBernoulli(1.5,validate_args=False)
    D.VonMises(0.,-1.)
    D.VonMises(0.,1.).rsample()
    D.VonMises(0.,1.).entropy()
    D.LowRankMultivariateNormal(torch.tensor(0.),torch.ones(1,1),torch.ones(1))
    D.LowRankMultivariateNormal(torch.zeros(2),torch.ones(2),torch.ones(2))
    D.LowRankMultivariateNormal(torch.zeros(2),torch.ones(3,1),torch.ones(2))
    D.LowRankMultivariateNormal(torch.zeros(2),torch.ones(2,1),torch.ones(3))
    D.LowRankMultivariateNormal(torch.zeros(2,2),torch.ones(3,2,1),torch.ones(2))
    D.LowRankMultivariateNormal(torch.zeros(2),torch.ones(2,1),-torch.ones(2)*.1)
    D.MixtureSameFamily(1,D.Normal(0.,1.))
    D.MixtureSameFamily(D.Categorical(torch.ones(2)),1)
    D.MixtureSameFamily(D.Categorical(torch.ones(2)),D.Normal(torch.zeros(3),1.))
    D.MixtureSameFamily(D.Categorical(torch.ones(3,2)),D.Normal(torch.zeros(2,2),1.))
    D.MixtureSameFamily(D.Categorical(torch.ones(2)),D.Normal(torch.zeros(2),1.)).rsample()
    D.MixtureSameFamily(D.Categorical(torch.ones(2)),D.Gamma(torch.ones(2),1.)).log_prob(torch.tensor(-1.))
    D.InverseGamma(-1.,1.)
    D.LKJCholesky(1)
    D.LKJCholesky(3,-1.)
    D.LKJCholesky(2).log_prob(torch.ones(2,2))
    D.Wishart(1.,torch.eye(2))
    D.Wishart(3.,torch.eye(2),torch.eye(2))
    D.Wishart(3.,torch.ones(2))
    D.Wishart(3.,-torch.eye(2))
    D.Wishart(torch.tensor([3.,1.]),torch.eye(2))
    D.GeneralizedPareto(0.,-1.,0.)
    D.GeneralizedPareto(0.,1.,.5).log_prob(torch.tensor(-1.))
    D.GeneralizedPareto(0.,1.,.5).log_survival_function(torch.tensor(2.))
    D.GeneralizedPareto(0.,1.,.5).log_cdf(torch.tensor(2.))
    D.Uniform.support.event_dim, D.Binomial.support.is_discrete, D.Multinomial.support.event_dim
    D.Distribution()
    D.Distribution(validate_args=False).sample()
    D.Distribution(validate_args=False).mode
    D.Distribution(validate_args=False).expand((2,))
    D.Distribution(validate_args=False).arg_constraints
    D.ExponentialFamily(validate_args=False).entropy()
    D.Distribution.set_default_validate_args(3)
    D.utils.tril_matrix_to_vec(torch.arange(9.).view(3,3)), D.utils.tril_matrix_to_vec(torch.arange(9.).view(3,3),-1)
    D.utils.tril_matrix_to_vec(torch.arange(9.).view(3,3),1)
    D.utils.tril_matrix_to_vec(torch.arange(9.).view(3,3),3)
    D.utils.vec_to_tril_matrix(torch.arange(6.)), D.utils.vec_to_tril_matrix(torch.arange(12.).view(2,6),-1)
    D.utils.vec_to_tril_matrix(torch.arange(5.))
    D.utils.broadcast_all(1.,torch.ones(2,dtype=torch.float64)), D.utils.broadcast_all(1,2)
    D.utils.probs_to_logits(torch.tensor([0.,.5,1.])), D.utils.logits_to_probs(torch.tensor([0.,.5,1.]))
    D.utils.probs_to_logits(torch.tensor([0.,.5,1.]),True), D.utils.logits_to_probs(torch.tensor([0.,.5,1.]),is_binary=True)
    D.utils.clamp_probs(torch.tensor([0.,.5,1.],dtype=torch.float64))
    D.utils.euler_constant
    D.Normal(0.,1.).sample_n(3)
    D.Gamma(1.,1.).log_prob(2.)
    D.HalfCauchy(1.,validate_args=False).log_prob(2.)
    D.Normal(torch.zeros(2),1.).expand((3,3))
    D.Gamma(torch.ones(2),1.).sample(torch.Size([2])).shape
    D.TransformedDistribution(D.Normal(0.,1.),1)
    D.TransformedDistribution(D.Normal(0.,1.),[1])
    D.TransformedDistribution(D.Normal(0.,1.),D.StickBreakingTransform())
    D.TransformedDistribution(D.Normal(0.,1.),D.AbsTransform()).log_prob(torch.tensor(1.))
    D.TransformedDistribution(D.Normal(0.,1.),D.ExpTransform()).entropy()
    D.TransformedDistribution(D.Normal(0.,1.),D.ExpTransform()).mean
"""

SAMPLERS = """
    torch._standard_gamma(torch.ones(2,dtype=torch.half))
    torch._standard_gamma(torch.ones(2,dtype=torch.int64))
    torch._sample_dirichlet(torch.ones(2,dtype=torch.half))
    torch._sample_dirichlet(torch.tensor(1.))
    torch._sample_dirichlet(torch.tensor([-1.,float('nan'),0.]))
    torch._standard_gamma(torch.tensor([-1.,float('nan'),0.,1e-30]))
    torch._standard_gamma_grad(torch.rand(3),torch.rand(3,dtype=torch.double))
    torch._standard_gamma_grad(torch.ones(3,dtype=torch.half),torch.ones(3,dtype=torch.half))
    torch._standard_gamma_grad(torch.tensor([0.,1.,float('inf'),float('nan'),9.,9.]),torch.tensor([0.,0.,1.,1.,9.,0.]))
    torch._dirichlet_grad(torch.rand(3),torch.rand(1),torch.rand(3)+1)
    torch._dirichlet_grad(torch.rand(3,dtype=torch.double),torch.rand(3),torch.rand(3))
    torch._dirichlet_grad(torch.ones(3,dtype=torch.int),torch.ones(3,dtype=torch.int),torch.ones(3,dtype=torch.int))
    torch._dirichlet_grad(torch.tensor([0.,1.,.5,.5,.5]),torch.tensor([1.,2.,10.,0.,float('nan')]),torch.tensor([2.,3.,20.,1.,1.]))
    torch._sample_dirichlet(torch.rand(3,requires_grad=True)).sum().backward()
    torch._standard_gamma_grad(torch.rand(3,requires_grad=True),torch.rand(3)).sum().backward()
    torch._sample_dirichlet(torch.zeros(0)), torch._standard_gamma(torch.zeros(2,0))
    torch._standard_gamma(torch.rand(3,3).T.clone()), torch._standard_gamma(torch.rand(3,3).T), torch._sample_dirichlet(torch.rand(3,4).T)
"""


def lines(text):
    return [line.strip() for line in text.strip().splitlines()]


@pytest.mark.parametrize("distribution", lines(DISTRIBUTIONS))
@parity
def test_distribution(torch, distribution):
    d = evaluate(torch, distribution)
    answers = []
    for call in lines(CALLS):
        torch.manual_seed(0)
        answers.append(attempt(lambda call=call: evaluate(torch, call, d=d)))
    return answers


@pytest.mark.parametrize("distribution", lines(DIFFERENTIABLE))
@parity
def test_gradients(torch, distribution):
    """Of samples, with their implicit gradients, of probabilities, entropies and moments, for the parameters."""
    dtype = torch.float32 if "Pareto(t(0." in distribution else torch.float64  # the generalised Pareto in PyTorch knows float32 alone

    def gradient(call):
        leaves = []

        def t(*numbers):
            leaves.append(torch.tensor(numbers, dtype=dtype, requires_grad=True))
            return leaves[-1]

        torch.manual_seed(0)
        d = evaluate(torch, distribution, t=t)
        value = evaluate(torch, call, d=d)
        if value.requires_grad:
            value.sum().backward()
        return [value.detach(), *(leaf.grad for leaf in leaves)]

    return [attempt(lambda call=call: gradient(call)) for call in lines(FUNCTIONS_OF_PARAMETERS)]


@pytest.mark.parametrize("expression", lines(ERRORS_AND_TEXTS))
@parity
def test_errors_and_texts(torch, expression):
    return attempt(lambda: repr(evaluate(torch, expression)))


@pytest.mark.parametrize("expression", lines(SAMPLERS))
@parity
def test_samplers(torch, expression):
    return attempt(lambda: evaluate(torch, expression))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@parity(exact=True)
def test_gamma_and_dirichlet_numbers(torch, dtype):
    """Bit for bit, among normal numbers, which share the stream and the number that waits."""
    alpha = (torch.arange(200, dtype=getattr(torch, dtype)) + 1) / 20
    rows = alpha.view(-1, 5)
    return torch._standard_gamma(alpha), torch.randn(3), torch._sample_dirichlet(rows), torch._standard_gamma(rows[:, 0]), torch.rand(2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@parity
def test_implicit_gradients(torch, dtype):
    """In all the regions that the formulas tell apart."""
    large = 1000.0 if dtype == "float64" else 50.0
    alpha = torch.tensor([0.01, 0.3, 1.0, 3.0, 7.0, 9.0, 20.0, large], dtype=getattr(torch, dtype)).view(-1, 1)
    share = torch.tensor([0.001, 0.1, 0.3, 0.5, 0.7, 0.95, 0.999], dtype=alpha.dtype)
    totals = [alpha * 1.2, alpha * 2, alpha + 7, alpha + 100]
    gamma = [torch._standard_gamma_grad(alpha, alpha * scale) for scale in (0.01, 0.3, 0.8, 0.97, 1.0, 1.05, 1.2, 5)]
    return gamma, [torch._dirichlet_grad(share, alpha, total) for total in totals]


@parity
def test_a_policy_learns(torch):
    """The score-function estimator: gradients of `log_prob` and of the entropy."""
    weight, x = torch.zeros(4, 3, requires_grad=True), torch.randn(5, 4)
    policy = torch.distributions.Categorical(logits=x @ weight)
    action = policy.sample()
    loss = -(policy.log_prob(action) * torch.randn(5)).mean() - 0.1 * policy.entropy().mean()
    loss.backward()
    return action, loss, weight.grad


@parity
def test_a_variational_posterior_learns(torch):
    """Implicit gradients: a gamma posterior approaches the exact one of a Poisson rate."""
    D = torch.distributions
    counts = torch.tensor([3.0, 5.0, 4.0, 6.0])
    unconstrained = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.Adam([unconstrained], lr=0.1)
    losses = []
    for _ in range(20):
        concentration, rate = D.transform_to(D.constraints.positive)(unconstrained)
        posterior = D.Gamma(concentration, rate)
        rates = posterior.rsample((16,))
        likelihood = D.Poisson(rates.unsqueeze(-1)).log_prob(counts).sum(-1)
        loss = D.kl_divergence(posterior, D.Gamma(1.0, 1.0)) - likelihood.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return losses, unconstrained


@parity
def test_subclasses_expand(torch):
    D = torch.distributions

    class Plain(D.Normal):
        pass

    class Twice(D.Normal):
        def __init__(self, loc):
            super().__init__(loc, 2.0)

    class Kept(Twice):
        def __init__(self, loc, note):
            self.note = note
            super().__init__(loc)

        def expand(self, batch_shape, _instance=None):
            new = self._get_checked_instance(Kept, _instance)
            new.note = self.note + "!"
            return super().expand(batch_shape, _instance=new)

    plain, kept = Plain(torch.zeros(2), 1.0).expand((3, 2)), Kept(torch.zeros(2), "a").expand((3, 2))
    return [
        type(plain).__name__, plain.scale.shape, kept.note, kept.loc.shape, kept.batch_shape,
        attempt(lambda: Twice(0.0).expand((2,))), attempt(lambda: D.Distribution((2,), validate_args=False).expand((3, 2))),
    ]  # fmt: skip


@parity
def test_an_own_distribution(torch):
    """A subclass that says little: what it leaves out is asked for, or warned of."""
    D = torch.distributions

    class Silent(D.Distribution):
        def rsample(self, sample_shape=()):
            return torch.full(self._extended_shape(sample_shape), 2.0)

        def log_prob(self, value):
            if self._validate_args:
                self._validate_sample(value)
            return value * 0

    def own():
        d = Silent((2,))
        return d.sample((3,)), d.log_prob(torch.zeros(2)), d.has_rsample

    named = attempt(lambda: Silent((2,), validate_args=False).stddev)
    answer = attempt(own)
    return [answer[0], [warning.rpartition(".Silent")[2] for warning in answer[1]], named]


@parity
def test_checks_can_be_left_out(torch):
    D = torch.distributions
    unchecked = D.Normal(0.0, -1.0, validate_args=False)
    return unchecked.log_prob(torch.tensor(float("nan"))), D.Bernoulli(0.5, validate_args=False).log_prob(0.3)


def test_distributions_pickle_and_copy():
    import copy
    import pickle

    import flambeau as torch

    D = torch.distributions
    for d in (D.Gamma(2.0, 3.0), D.LogNormal(torch.zeros(2), 1.0), D.Wishart(4.0, torch.eye(2)), D.Categorical(torch.ones(3))):
        again = pickle.loads(pickle.dumps(d))
        torch.manual_seed(0)
        first = d.sample()
        for other in (again, copy.deepcopy(d)):
            torch.manual_seed(0)
            assert type(other) is type(d)
            assert torch.equal(other.sample(), first)
            assert repr(other) == repr(d)


SMOOTH = """
    D.Normal(t(0.3), t(1.7))
    D.Cauchy(t(0.3), t(1.7))
    D.ContinuousBernoulli(t(0.3))
    D.Exponential(t(1.7))
    D.Gamma(t(2.3), t(1.7))
    D.GeneralizedPareto(t(0.3), t(1.7), t(0.4))
    D.Gumbel(t(0.3), t(1.7))
    D.HalfCauchy(t(1.7))
    D.HalfNormal(t(1.7))
    D.InverseGamma(t(2.3), t(1.7))
    D.Kumaraswamy(t(1.3), t(1.7))
    D.Laplace(t(0.3), t(1.7))
    D.LogNormal(t(0.3), t(0.7))
    D.Pareto(t(0.3), t(1.7))
    D.Uniform(t(0.3), t(1.7))
    D.Weibull(t(0.3), t(1.7))
"""


@pytest.mark.parametrize("distribution", lines(SMOOTH))
def test_the_density_is_the_slope_of_the_distribution_function(distribution):
    import flambeau as torch

    torch.manual_seed(0)
    d = evaluate(torch, distribution, t=lambda number: torch.tensor(number, dtype=torch.float64))
    x = d.sample((50,)).requires_grad_()
    probability = d.cdf(x)
    torch.testing.assert_close(torch.autograd.grad(probability.sum(), x)[0].log(), d.log_prob(x).detach(), rtol=1e-6, atol=1e-6)
    if type(d).icdf is not torch.distributions.Distribution.icdf and "Gamma" not in distribution:
        torch.testing.assert_close(d.icdf(probability.detach()), x.detach(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.05, 0.5, 2.0, 6.0, 12.0, 300.0])
def test_implicit_gradients_follow_the_distribution_function(alpha):
    """dx/da = -(dF/da) / (dF/dx), with F's derivative taken numerically; the approximations are good to about one in a thousand."""
    import flambeau as torch

    torch.manual_seed(0)
    a = torch.full((200,), alpha, dtype=torch.float64)
    x = torch._standard_gamma(a)
    step = 1e-5 * alpha
    slope = (torch.special.gammainc(a + step, x) - torch.special.gammainc(a - step, x)) / (2 * step)
    exact = -slope / torch.distributions.Gamma(alpha, torch.ones((), dtype=torch.float64)).log_prob(x).exp()
    torch.testing.assert_close(torch._standard_gamma_grad(a, x), exact, rtol=2e-3, atol=1e-6)


VECTORISED = """
    torch.func.vmap(torch._standard_gamma,randomness='different')(torch.ones(3,2))
    torch.func.vmap(torch._standard_gamma)(torch.ones(3,2))
    torch.func.vmap(torch._sample_dirichlet,randomness='different')(torch.ones(3,2))
    torch.func.vmap(torch._sample_dirichlet,randomness='same')(torch.ones(3,2))
    torch.func.vmap(lambda a: D.Gamma(a,1.,validate_args=False).log_prob(a))(torch.ones(3,2))
    torch.func.vmap(lambda a: D.kl_divergence(D.Normal(a,1.,validate_args=False),D.Normal(0.,1.)))(torch.ones(3,2))
    torch.func.jacrev(lambda a: D.Gamma(a,1.,validate_args=False).log_prob(a))(torch.ones(2))
"""


@pytest.mark.parametrize("expression", lines(VECTORISED))
@parity
def test_function_transforms(torch, expression):
    return attempt(lambda: evaluate(torch, expression))
