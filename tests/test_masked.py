"""torch.masked and torch.signal.windows against PyTorch."""

from harness import Row, bools, rand, randint, randn, rows

MASKED = ("sum", "prod", "amax", "amin", "mean", "var", "std", "logsumexp", "norm")
ALONG = ("cumsum", "cumprod", "softmax", "log_softmax", "softmin", "median", "argmax", "argmin")
WINDOWS = ("bartlett", "blackman", "cosine", "exponential", "gaussian", "hamming", "hann", "kaiser", "nuttall")

test_reductions = rows(
    *(Row(f"torch.masked.{name}(x, dim=1, mask=m)", x=randn(3, 4), m=bools(3, 4), grad=True) for name in MASKED),
    *(Row(f"torch.masked.{name}(x, dim=(0, 1), keepdim=True)", x=randn(3, 4)) for name in MASKED),
    *(Row(f"torch.masked.{name}(x, dim=1, mask=m)", x=randn(3, 4), m=bools(1, 4)) for name in ALONG),
    Row("torch.masked.normalize(x, 2.0, 1, mask=m)", x=randn(3, 4), m=bools(3, 4), grad=True),
    Row("torch.masked.logaddexp(x, y, input_mask=m)", x=randn(3, 4), y=randn(3, 4), m=bools(3, 4)),
    Row("torch.masked.sum(x, dim=0, mask=m), torch.masked.prod(x, mask=m)", x=randint(1, 5, (3, 4)), m=bools(3, 4)),
    Row("torch.masked.sum(x, dim=(0, -2))", x=randn(3, 4)),
    Row("torch.masked.mean(x)", x=randint(0, 5, (3,))),
    Row("torch.masked.sum(x, mask=torch.ones(2, 3, 4, dtype=torch.bool))", x=randn(3, 4)),
    Row("torch.masked.amax(x > 0, mask=x > 1)", x=randn(3, 4)),
    Row("torch.masked.var(x, unbiased=True, correction=1)", x=randn(3, 4)),
)

test_windows = rows(
    *(Row(f"W = torch.signal.windows; W.{name}(7), W.{name}(6, sym=False), W.{name}(1), W.{name}(0)") for name in WINDOWS),
    Row("torch.signal.windows.general_cosine(5, a=[0.5, 0.3, 0.2], dtype=torch.float64)"),
    Row("torch.signal.windows.general_hamming(5, alpha=0.6, requires_grad=True)"),
    Row("torch.signal.windows.hann(-1)"),
    Row("torch.signal.windows.hann(3, dtype=torch.int64)"),
    Row("torch.signal.windows.gaussian(3, std=0.0)"),
    Row("torch.signal.windows.exponential(3, center=1.0)"),
    Row("torch.signal.windows.general_cosine(3, a=[])"),
)

test_slopes_and_low_rank = rows(
    Row("torch.gradient(x)", x=randn(4, 5), grad=True),
    Row("torch.gradient(x, spacing=[torch.tensor([0.0, 1.0, 3.0, 4.0]), 0.5 * torch.arange(5.0)], edge_order=2)", x=randn(4, 5)),
    Row("torch.gradient(x, spacing=2, dim=1)", x=randint(0, 9, (3, 4))),
    Row("torch.gradient(x, edge_order=3)", x=randn(3)),
    Row("torch.gradient(x, spacing=[1.0])", x=randn(3, 3)),
    Row("U, S, V = torch.svd_lowrank(x, q=3); U @ torch.diag(S) @ V.mT, S", x=rand(5, 4), rtol=1e-3, atol=1e-4),
    Row("torch.pca_lowrank(x, q=9)", x=rand(5, 4)),
    Row("torch.norm_except_dim(x, 2, 0), torch.norm_except_dim(x, 2, 2), torch.norm_except_dim(x, 1, 1)", x=randn(2, 3, 4), grad=True),
    Row("torch._weight_norm(x, y)", x=randn(2, 3), y=rand(2, 1), grad=True, grad_fn=False),
)
