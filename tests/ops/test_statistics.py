"""Covariances, histograms, Vandermonde matrices."""

from harness import Row, rand, randint, randn, rows, value

test_covariance = rows(
    Row("torch.cov(x), x.cov(correction=0), torch.corrcoef(x)", x=randn(3, 5), grad=True),
    Row("torch.cov(x, fweights=f, aweights=a)", x=randn(3, 4), f=value([1, 2, 1, 3]), a=rand(4).nograd, grad=True),
    Row("torch.cov(x), torch.corrcoef(x)", x=randn(5), grad=True),
    Row("torch.cov(x), torch.corrcoef(x)", x=randn(2, 5), dtypes="complex64 float64"),
    Row("torch.cov(x)", x=randn(2, 1), warns=True),
    Row("torch.cov(x)", x=randn(2, 2, 2)),
    Row("torch.corrcoef(x)", x=randn(2, 2, 2)),
    Row("torch.cov(x > 0)", x=randn(2, 2)),
    Row("torch.cov(x, fweights=torch.ones(3))", x=randn(2, 3)),
    Row("torch.cov(x, fweights=torch.ones(2, dtype=torch.long))", x=randn(2, 3)),
    Row("torch.cov(x, fweights=torch.tensor([-1, 1, 1]))", x=randn(2, 3)),
    Row("torch.cov(x, aweights=torch.tensor([-1., 1, 1]))", x=randn(2, 3)),
    Row("torch.cov(x, aweights=torch.ones(2, 2))", x=randn(2, 3)),
    Row("torch.cov(x, fweights=torch.zeros(3, dtype=torch.long))", x=randn(2, 3)),
)

test_histograms = rows(
    Row("torch.histogram(x, 4), x.histogram(3, range=(-1., 1.)), torch.histogram(x, 4, density=True)", x=randn(40)),
    Row("torch.histogram(x, b), torch.histogram(x, 4, weight=w)", x=randn(40), b=value([-1.0, 0.0, 0.5, 2.0]), w=rand(40)),
    Row(
        "torch.histogramdd(x, [2, 3]), torch.histogramdd(x, 2, density=True), torch.histogramdd(x, [b, b])",
        x=randn(40, 2),
        b=value([-1.0, 0.0, 2.0]),
    ),
    Row("torch.histogram(x, 3)", x=randint(0, 3, (3,))),
    Row("torch.histogram(x, -3)", x=randn(3)),
    Row("torch.histogram(x, torch.ones(2, 2))", x=randn(3)),
    Row("torch.histogram(x, 4, range=(3., 1.))", x=randn(3)),
    Row("torch.histogramdd(x, [3])", x=randn(3, 2)),
)

test_vander = rows(
    Row("torch.vander(x), torch.vander(x, 2), torch.vander(x, N=5, increasing=True), torch.vander(x, 0)", x=randn(3)),
    Row("torch.vander(x)", x=randint(0, 4, (3,))),
    Row("torch.vander(x)", x=randn(2, 2)),
    Row("torch.vander(x, -1)", x=randn(2)),
)
