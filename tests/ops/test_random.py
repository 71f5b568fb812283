"""Random numbers: PyTorch's, from the same seed."""

from harness import Row, parity, rand, randn, rows

test_streams = rows(
    *[
        Row(expression, exact=True)
        for expression in (
            "torch.rand(5), torch.rand(2, 3), torch.rand((2, 2), dtype=torch.float64), torch.rand(40)",
            "torch.randn(5), torch.randn(40), torch.randn(3, 7, dtype=torch.float64)",
            "torch.randint(10, (5,)), torch.randint(-3, 3, (2, 3)), torch.randint(0, 2, (4,), dtype=torch.int32)",
            "torch.randperm(10), torch.randperm(0), torch.randperm(300)",
            "x = torch.empty(3, 3); x.uniform_(-2, 5); y = torch.empty(20).normal_(1, 3); x, y",
            "torch.empty(9).bernoulli_(0.3), torch.bernoulli(torch.full((9,), 0.4)), torch.empty(9).exponential_(2.0)",
            "torch.empty(9).geometric_(0.3), torch.empty(9).cauchy_(), torch.empty(9).log_normal_()",
            "torch.empty(9, dtype=torch.int64).random_(), torch.empty(9).random_(7), torch.empty(9, dtype=torch.int32).random_(3, 9)",
            "torch.multinomial(torch.tensor([0.1, 0.2, 0.7]), 2), torch.multinomial(torch.ones(2, 5), 8, replacement=True)",
            "torch.poisson(torch.full((9,), 3.0)), torch.binomial(torch.full((9,), 10.0), torch.full((9,), 0.3))",
            "torch.normal(0.0, 2.0, (5,)), torch.normal(torch.arange(20.0), 1.0), torch.normal(0.0, torch.ones(20))",
            "g = torch.Generator().manual_seed(7); torch.rand(3, generator=g), torch.randn(3, generator=g), torch.randperm(5, generator=g)",
            "s = torch.get_rng_state(); a = torch.rand(3); torch.set_rng_state(s); a, torch.rand(3), torch.initial_seed()",
        )
    ],
    Row("torch.rand_like(x), torch.randn_like(x), torch.randint_like(x, 9)", x=randn(4, 5).T, exact=True, strides=True),
    Row("torch.rand(3, requires_grad=True).requires_grad, torch.normal(m, s).requires_grad", m=randn(3), s=rand(3)),
    Row("torch.normal(m, s) * 1, torch.normal(m, 1.0), torch.bernoulli(s), torch.poisson(s)", m=randn(20), s=rand(20), grad=True),
)

test_errors = rows(
    Row("torch.randint(3, 3, (2,))"),
    Row("torch.randperm(-1)"),
    Row("torch.multinomial(torch.ones(3), 5)"),
    Row("torch.multinomial(torch.ones(3), 0)"),
    Row("torch.multinomial(torch.tensor([-1.0, 1]), 1)"),
    Row("torch.multinomial(torch.zeros(3), 1)"),
    Row("torch.multinomial(torch.ones(1, 2), 2, out=torch.empty(1, 2))"),
    Row("torch.bernoulli(torch.tensor([2.0]))"),
    Row("torch.normal(torch.ones(2), torch.tensor([-1.0, 1]))"),
    Row("torch.normal(torch.ones(2), -1.0)"),
    Row("torch.ones(3, dtype=torch.long).uniform_()"),
    Row("torch.ones(3, dtype=torch.long).normal_()"),
    Row("torch.ones(3).bernoulli_(2.0)"),
    Row("torch.ones(3).uniform_(2, 1)"),
    Row("torch.ones(3).exponential_(-1)"),
    Row("torch.rand(2, dtype=torch.int64)"),
    Row("x.requires_grad_().uniform_()", x=randn(3)),
)


@parity
def test_in_place_draws_cut_the_graph(torch):
    """What is overwritten by random numbers gets no gradient."""
    x = torch.ones(3, requires_grad=True)
    y = x * 2
    y.uniform_()
    (y * x).sum().backward()
    return x.grad, y.detach()
