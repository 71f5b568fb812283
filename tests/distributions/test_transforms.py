"""Transforms and regions: values, inverses, log-determinants, shapes, gradients, registries, texts and errors."""

import pytest

from expressions import attempt, evaluate
from harness import parity

TRANSFORMS = [
    ("D.ExpTransform()", "torch.randn(2,3)"),
    ("D.PowerTransform(2.)", "torch.rand(2,3)"),
    ("D.PowerTransform(torch.tensor([.5,-1.,3.]))", "torch.rand(2,3)+.1"),
    ("D.SigmoidTransform()", "torch.randn(2,3)*5"),
    ("D.SoftplusTransform()", "torch.randn(2,3)*5"),
    ("D.TanhTransform()", "torch.randn(2,3)"),
    ("D.AbsTransform()", "torch.randn(2,3)"),
    ("D.AffineTransform(1.,-2.)", "torch.randn(2,3)"),
    ("D.AffineTransform(torch.randn(3),torch.randn(2,1))", "torch.randn(2,3)"),
    ("D.AffineTransform(torch.randn(3),torch.randn(3),event_dim=1)", "torch.randn(2,3)"),
    ("D.AffineTransform(0,3.,event_dim=1)", "torch.randn(2,3)"),
    ("D.AffineTransform(0,0.)", "torch.randn(2,3)"),
    ("D.CorrCholeskyTransform()", "torch.randn(2,6)"),
    ("D.SoftmaxTransform()", "torch.randn(2,3)"),
    ("D.StickBreakingTransform()", "torch.randn(2,3)"),
    ("D.LowerCholeskyTransform()", "torch.randn(2,3,3)"),
    ("D.PositiveDefiniteTransform()", "torch.randn(2,3,3) / 3"),
    ("D.ComposeTransform([D.AffineTransform(1.,2.),D.StickBreakingTransform()])", "torch.randn(2,3)"),
    ("D.ComposeTransform([])", "torch.randn(2,3)"),
    ("D.ComposeTransform([D.ExpTransform(),D.ReshapeTransform((6,),(2,3)),D.AffineTransform(0.,2.,event_dim=2)])", "torch.randn(2,6)"),
    ("D.IndependentTransform(D.ExpTransform(),1)", "torch.randn(2,3)"),
    ("D.IndependentTransform(D.StickBreakingTransform(),1)", "torch.randn(2,3,3)"),
    ("D.IndependentTransform(D.ExpTransform(),3)", "torch.randn(2,3)"),
    ("D.ReshapeTransform((2,3),(6,))", "torch.randn(4,2,3)"),
    ("D.ReshapeTransform((2,2),(6,))", "torch.randn(4,2,3)"),
    ("D.ReshapeTransform((3,2),(6,))", "torch.randn(4,2,3)"),
    ("D.CatTransform([D.ExpTransform(),D.AffineTransform(1.,2.)],dim=-1,lengths=[2,1])", "torch.randn(2,3)"),
    ("D.CatTransform([D.ExpTransform(),D.identity_transform],dim=0)", "torch.randn(2,3)"),
    ("D.CatTransform([D.ExpTransform(),D.StickBreakingTransform()],dim=1,lengths=[1,2])", "torch.randn(4,3,3)"),
    ("D.CatTransform([D.ExpTransform()],dim=1,lengths=[1,2])", "torch.randn(4,3,3)"),
    ("D.CatTransform([1])", "torch.randn(4,3,3)"),
    ("D.CatTransform([D.IndependentTransform(D.ExpTransform(),1),D.ExpTransform()],dim=0,lengths=[1,2])", "torch.randn(3,3)"),
    ("D.CatTransform([D.IndependentTransform(D.ExpTransform(),1),D.ExpTransform()],dim=1,lengths=[1,2])", "torch.randn(3,3)"),
    ("D.StackTransform([D.ExpTransform(),D.AffineTransform(1.,2.)],dim=1)", "torch.randn(3,2)"),
    ("D.StackTransform([D.ExpTransform(),D.AffineTransform(1.,2.)],dim=4)", "torch.randn(3,2)"),
    ("D.StackTransform([D.ExpTransform()],dim=0)", "torch.randn(3,2)"),
    ("D.CumulativeDistributionTransform(D.Normal(0.,1.))", "torch.randn(3)"),
    ("D.SigmoidTransform().inv", "torch.rand(3)"),
    ("D.StickBreakingTransform().inv", "torch.tensor([.2,.3,.5])"),
    ("D.ComposeTransform([D.ExpTransform(),D.AffineTransform(0.,2.)]).inv", "torch.rand(3)"),
    ("D.ExpTransform(cache_size=1)", "torch.randn(3)"),
    ("D.ExpTransform(cache_size=2)", "torch.randn(3)"),
    ("D.AffineTransform(1.,2.).with_cache(1)", "torch.randn(3)"),
    ("D.CatTransform([D.ExpTransform()]*3).with_cache()", "torch.randn(3)"),
    ("D.TanhTransform().inv.with_cache(1)", "torch.rand(3)"),
]
CALLS = """
    repr(t)
    (t.bijective, t._cache_size)
    t.sign
    (repr(t.domain),repr(t.codomain),t.domain.event_dim,t.codomain.event_dim)
    (t.domain.is_discrete,t.codomain.is_discrete)
    t.event_dim
    t(x)
    t.inv(t(x))
    t.log_abs_det_jacobian(x,t(x))
    t.inv.log_abs_det_jacobian(t(x),x)
    (t.forward_shape(x.shape), type(t.forward_shape(x.shape)).__name__)
    t.inverse_shape(t(x).shape)
    t.forward_shape(())
    t.inverse_shape(())
    t.forward_shape((5,5))
    t.inverse_shape((5,4))
    t.inv.inv is t
    (t==t, t!=t, t==t.inv, t==D.ExpTransform(), t==D.ComposeTransform([]))
    t.codomain.check(t(x))
    t.domain.check(x)
    torch.autograd.grad(t(x).sin().sum(), x)
    torch.autograd.grad(t.log_abs_det_jacobian(x,t(x)).sum(), x)
    (t(x) is t(x), t.inv(t(x)) is x)
    D.TransformedDistribution(D.Normal(torch.zeros(x.shape),1.),t).log_prob(t(x))
    D.TransformedDistribution(D.Normal(torch.zeros(x.shape),1.),t).cdf(t(x))
    hash(t)
"""

REGISTERED = """
    D.constraints.real
    D.constraints.real_vector
    D.constraints.positive
    D.constraints.nonnegative
    D.constraints.greater_than(torch.tensor([1.,2.,3.]))
    D.constraints.greater_than_eq(-1.)
    D.constraints.less_than(2.)
    D.constraints.unit_interval
    D.constraints.interval(-1.,2.)
    D.constraints.half_open_interval(0.,1)
    D.constraints.simplex
    D.constraints.lower_cholesky
    D.constraints.positive_definite
    D.constraints.positive_semidefinite
    D.constraints.corr_cholesky
    D.constraints.independent(D.constraints.positive,1)
    D.constraints.cat([D.constraints.real,D.constraints.positive],-1,[2,1])
    D.constraints.stack([D.constraints.real,D.constraints.positive,D.constraints.unit_interval],-1)
    D.constraints.boolean
    D.constraints.lower_triangular
    D.constraints.dependent
"""

REGIONS = """
    D.constraints.positive, D.constraints.real_vector, D.constraints.simplex, D.constraints.unit_interval, D.constraints.boolean
    D.constraints.cat([1])
    D.constraints.cat([D.constraints.real],0,[1,2])
    D.constraints.stack([1])
    D.constraints.independent(1,1)
    D.constraints.independent(D.constraints.real,1.5)
    D.constraints.independent(D.constraints.real,-1)
    D.constraints.independent(D.constraints.real,2).check(torch.ones(2))
    D.constraints.MixtureSameFamilyConstraint(1)
    D.constraints.MixtureSameFamilyConstraint(D.constraints.real)
    D.constraints.cat([D.constraints.real,D.constraints.positive],-1,[1,2]).check(torch.tensor([[-1.,2.,-1.],[0.,0.,1.]]))
    D.constraints.stack([D.constraints.real,D.constraints.positive],-1).check(torch.tensor([[-1.,2.],[0.,0.]]))
    D.constraints.stack([D.constraints.real,D.constraints.positive],3).check(torch.tensor([[-1.,2.],[0.,0.]]))
    D.constraints.stack([D.constraints.real,D.constraints.simplex],-1).event_dim
    D.constraints.stack([D.constraints.real,D.constraints.boolean],0).is_discrete
    D.constraints.lower_triangular.check(torch.tensor([[[1.,0.],[2.,-3.]],[[1.,1.],[0.,1.]]]))
    D.constraints.corr_cholesky.check(torch.tensor([[[1.,0.],[.6,.8]],[[1.,0.],[.5,1.]]]))
    D.constraints.square.check(torch.ones(3,2,2)), D.constraints.square.check(torch.ones(2,3))
    D.constraints.symmetric.check(torch.ones(3,2,2)), D.constraints.symmetric.check(torch.ones(2,3))
    D.constraints.positive_semidefinite.check(torch.tensor([[[1.,0.],[0.,0.]],[[1.,2.],[2.,1.]]]))
    D.constraints.positive_definite.check(torch.tensor([[[1.,0.],[0.,0.1]],[[1.,2.],[2.,1.]]]))
    D.constraints.multinomial(3).check(torch.tensor([[1,2],[2,2],[-1,1]])), D.constraints.multinomial(3)
    D.constraints.one_hot.check(torch.tensor([[1,0],[1,1],[2,-1]]))
    D.constraints._IntegerLessThan(3).check(torch.tensor([1.,3.,4.,.5])), D.constraints._IntegerLessThan(3)
    D.constraints.dependent.event_dim
    D.constraints.dependent.is_discrete
    D.constraints.dependent.check(1)
    D.constraints.dependent(event_dim=1).event_dim, D.constraints.is_dependent(D.constraints.dependent(event_dim=1))
    D.constraints.is_dependent(D.Uniform.support)
    D.transform_to(D.constraints.boolean)
    D.biject_to(D.constraints.positive_definite)
    D.biject_to.register(1, 2)
    D.biject_to.register(int)(3)
    D.constraint_registry.ConstraintRegistry()(D.constraints.real)
    D.Transform().sign
    D.Transform()(torch.ones(1))
    D.Transform().inv(torch.ones(1))
    D.AbsTransform().log_abs_det_jacobian(1,1)
    D.transforms.vec_to_tril_matrix(torch.arange(6.))
"""


def lines(text):
    return [line.strip() for line in text.strip().splitlines()]


@pytest.mark.parametrize(("transform", "sample"), TRANSFORMS)
@parity
def test_transform(torch, transform, sample):
    def answer(call):
        torch.manual_seed(0)
        t = evaluate(torch, transform)
        x = evaluate(torch, sample).requires_grad_()
        return evaluate(torch, call, t=t, x=x)

    return [attempt(lambda call=call: answer(call)) for call in lines(CALLS)]


@pytest.mark.parametrize("constraint", lines(REGISTERED))
@parity
def test_registry(torch, constraint):
    """Real numbers become values of the region, and the same numbers again."""
    D = torch.distributions

    def answer(registry):
        region = evaluate(torch, constraint)
        transform = registry(region)
        x = torch.linspace(-1, 1, 9).view(3, 3)
        y = transform(x)
        return repr(transform), y, transform.inv(y), region.check(y)

    return [attempt(lambda registry=registry: answer(registry)) for registry in (D.biject_to, D.transform_to)]


@pytest.mark.parametrize("expression", lines(REGIONS))
@parity
def test_regions(torch, expression):
    return attempt(lambda: repr(evaluate(torch, expression)))


@parity
def test_own_constraints(torch):
    D = torch.distributions

    class Even(D.constraints.Constraint):
        is_discrete = True

        def check(self, value):
            return value % 2 == 0

    class Doubled(D.Transform):
        domain, codomain, bijective, sign = D.constraints.real, Even(), True, 1

        def _call(self, x):
            return x * 2

        def _inverse(self, y):
            return y / 2

        def log_abs_det_jacobian(self, x, y):
            return torch.full_like(x, 0.5)

    registry = D.constraint_registry.ConstraintRegistry()
    registry.register(Even(), lambda constraint: Doubled(cache_size=1))
    registry.register(D.constraints.real)(lambda constraint: D.ExpTransform())
    t, x = registry(Even()), torch.tensor([1.0, 2.0])
    d = D.TransformedDistribution(D.Normal(torch.zeros(2), 1.0), [t])
    return [
        repr(Even()), repr(t), repr(registry(D.constraints.real)), t(x), t(x) is t(x), t.with_cache(0)._cache_size, repr(d.support),
        d.log_prob(torch.tensor([2.0, 4.0])), d.icdf(torch.tensor([0.3, 0.5])), attempt(lambda: d.log_prob(torch.tensor([1.0, 4.0]))),
    ]  # fmt: skip


@parity
def test_a_copula(torch):
    """Normal numbers as uniform ones as gamma-like ones: `CumulativeDistributionTransform` forward and back."""
    D = torch.distributions
    base = D.MultivariateNormal(torch.zeros(2), torch.tensor([[1.0, 0.8], [0.8, 1.0]]))
    to_uniform = D.CumulativeDistributionTransform(D.Normal(0.0, 1.0))
    d = D.TransformedDistribution(base, [to_uniform, D.CumulativeDistributionTransform(D.Exponential(2.0)).inv])
    x = d.sample((4,))
    return x, d.log_prob(x), repr(d.support), d.event_shape
