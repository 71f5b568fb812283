"""Losses as functions."""

from harness import Row, parity, rand, randint, randn, rows, value

X, T, P = randn(4, 5), randn(4, 5).nograd, rand(4, 5, low=0.05, high=0.95)
CLASSES = value([1, 0, 4, 2])
SIGNS = value([[1.0, -1.0, 1.0, 1.0, -1.0]] * 4)
SIDES = value([1.0, -1.0, -1.0, 1.0])


def reductions(code, **options):
    """A row for every reduction."""
    return [Row(code.replace(")", f", reduction='{r}')", 1) if code.count(")") == 1 else f"{code[:-1]}, reduction='{r}')", **options)
            for r in ("none", "mean", "sum")]  # fmt: skip


test_errors_of_values = rows(
    *reductions("F.mse_loss(x, t)", x=X, t=randn(4, 5), grad=2),
    *reductions("F.mse_loss(x, t, weight=w)", x=X, t=T, w=rand(4, 5), grad=True, grad_fn=False),
    *reductions("F.l1_loss(x, t)", x=X, t=randn(4, 5), grad=True),
    *reductions("F.smooth_l1_loss(x, t, beta=0.7)", x=X, t=randn(4, 5), grad=2),
    *reductions("F.huber_loss(x, t, delta=0.6)", x=X, t=randn(4, 5), grad=2),
    *reductions("F.soft_margin_loss(x, t)", x=X, t=SIGNS.nograd, grad=2),
    Row("F.mse_loss(x, t)", x=X, t=randn(5), grad=True, warns=True),
    Row("F.l1_loss(x, t)", x=X, t=randn(1, 5), grad=True, warns=True),
    Row("F.mse_loss(x, t)", x=randn(3), t=randn(4)),
    Row("F.mse_loss(x, t)", x=randint(0, 5, (3,)), t=randint(0, 5, (3,))),
    Row("F.mse_loss(x, t)", x=randn(()), t=randn(()), grad=2),
    Row("F.mse_loss(x, t)", x=randn(0, 3), t=randn(0, 3), grad=True),
    Row("F.mse_loss(x, t)", x=X, t=T, dtypes="float16 bfloat16 float64"),
    Row("F.mse_loss(x, t.double())", x=X, t=T, grad=True),
    Row("F.mse_loss(x, t, reduction='max')", x=X, t=T),
    Row("F.mse_loss(x, t, reduction='elementwise_mean')", x=X, t=T, warns=True),
    Row("F.mse_loss(x, t, size_average=False)", x=X, t=T, warns=True),
    Row("F.mse_loss(x, t, reduce=False)", x=X, t=T, warns=True),
    Row("F.smooth_l1_loss(x, t, beta=-1)", x=X, t=T),
    Row("F.smooth_l1_loss(x, t, beta=0)", x=X, t=T, grad=True),
    Row("F.huber_loss(x, t, delta=0)", x=X, t=T),
)

test_binary_cross_entropy = rows(
    *reductions("F.binary_cross_entropy(x, t)", x=P, t=rand(4, 5), grad=2),
    *reductions("F.binary_cross_entropy(x, t, weight=w)", x=P, t=rand(4, 5).nograd, w=rand(5).nograd, grad=2),
    *reductions("F.binary_cross_entropy_with_logits(x, t)", x=X, t=rand(4, 5), grad=2),
    *reductions("F.binary_cross_entropy_with_logits(x, t, w, pos_weight=p)", x=X, t=rand(4, 5), w=rand(4, 1).nograd, p=rand(5).nograd,
        grad=2),
    Row("F.binary_cross_entropy_with_logits(x, t)", x=value([-1e4, -100.0, 0.0, 100.0, 1e4]), t=value([0.0, 1.0, 0.5, 0.0,
        1.0]).nograd, grad=True),
    Row("F.binary_cross_entropy(x, t)", x=value([0.0, 1.0, 0.0]), t=value([0.0, 1.0, 1.0]).nograd, grad=True),
    Row("F.binary_cross_entropy(x, t)", x=value([0.5, 1.5]), t=value([0.0, 1.0])),
    Row("F.binary_cross_entropy(x, t)", x=value([0.5, 0.5]), t=value([0.0, 2.0])),
    Row("F.binary_cross_entropy(x, t)", x=value([0.5, 0.5]), t=value([0.0, 1.0, 1.0])),
    Row("F.binary_cross_entropy(x, t.double())", x=P, t=P),
    Row("F.binary_cross_entropy(x, t, w)", x=P, t=P, w=rand(3)),
    Row("F.binary_cross_entropy_with_logits(x, t)", x=X, t=randn(2, 5)),
    Row("F.binary_cross_entropy_with_logits(x, t)", x=X, t=randint(0, 2, (4, 5))),
)  # fmt: skip

test_likelihoods = rows(
    *reductions("F.kl_div(x, t)", x=X, t=rand(4, 5), grad=True, warns=True),
    *reductions("F.kl_div(x, t, log_target=True)", x=X, t=randn(4, 5), grad=True),
    Row("F.kl_div(x, t, reduction='batchmean')", x=X, t=value([[0.0, 1.0, 0.5, 0.0, 0.0]]).nograd, grad=True),
    Row("F.kl_div(x, t)", x=X, t=randint(0, 2, (4, 5))),
    *reductions("F.poisson_nll_loss(x, t)", x=X, t=rand(4, 5, low=0, high=4).nograd, grad=True, grad_fn=False),
    Row("F.poisson_nll_loss(x, t, log_input=False, full=True)", x=P, t=rand(4, 5, low=0, high=4).nograd, grad=True),
    *reductions("F.gaussian_nll_loss(x, t, v)", x=X, t=randn(4, 5), v=rand(4, 5), grad=True),
    Row("F.gaussian_nll_loss(x, t, v, full=True)", x=X, t=T, v=value([0.0, 1e-9, 1.0, 2.0]), grad=True),
    Row("F.gaussian_nll_loss(x, t, 0.5)", x=X, t=T),
    Row("F.gaussian_nll_loss(x, t, v)", x=X, t=T, v=rand(4, 2)),
    Row("F.gaussian_nll_loss(x, t, -v)", x=X, t=T, v=P),
    Row("F.gaussian_nll_loss(x, t, v, reduction='x')", x=X, t=T, v=P),
)

test_margins = rows(
    *reductions("F.hinge_embedding_loss(x, t)", x=X, t=SIGNS.nograd, grad=True),
    *reductions("F.margin_ranking_loss(x, y, t, margin=0.3)", x=X, y=randn(4, 5), t=SIGNS.nograd, grad=True),
    *reductions("F.cosine_embedding_loss(x, y, t, margin=0.1)", x=X, y=randn(4, 5), t=SIDES.nograd, grad=True),
    *reductions("F.triplet_margin_loss(x, y, z, swap=True)", x=X, y=randn(4, 5), z=randn(4, 5), grad=True),
    *reductions("F.triplet_margin_with_distance_loss(x, y, z)", x=X, y=randn(4, 5), z=randn(4, 5), grad=True),
    *reductions("F.multi_margin_loss(x, t)", x=X, t=CLASSES, grad=True),
    *reductions("F.multi_margin_loss(x, t, p=2, margin=0.5, weight=w)", x=X, t=CLASSES, w=rand(5).nograd, grad=True),
    *reductions("F.multilabel_margin_loss(x, t)", x=X, t=value([[1, 3, -1, 0, 0], [0, 1, 2, 3, 4], [-1, 1, 1, 1, 1], [4, -1, 2, -1,
        0]]), grad=True),
    *reductions("F.multilabel_soft_margin_loss(x, t, weight=w)", x=X, t=rand(4, 5).nograd, w=rand(5).nograd, grad=True),
    Row("F.multi_margin_loss(x, t)", x=randn(5), t=value(2), grad=True),
    Row("F.multilabel_margin_loss(x, t)", x=randn(3), t=value([1, -1, 0]), grad=True),
    Row("F.multi_margin_loss(x, t, p=3)", x=X, t=CLASSES),
    Row("F.multi_margin_loss(x, t)", x=X, t=value([1, 2])),
    Row("F.multi_margin_loss(x, t + 3)", x=X, t=CLASSES),
    Row("F.multi_margin_loss(x, t.int())", x=X, t=CLASSES),
    Row("F.multi_margin_loss(x, t, weight=w)", x=X, t=CLASSES, w=rand(3)),
    Row("F.multilabel_margin_loss(x, t)", x=X, t=CLASSES),
    Row("F.multilabel_margin_loss(x, t)", x=X, t=randint(5, 9, (4, 5))),
    Row("F.cosine_embedding_loss(x, y, t)", x=X, y=T, t=SIGNS),
    Row("F.cosine_embedding_loss(x, y, t)", x=randn(5), y=randn(5), t=SIDES),
    Row("F.margin_ranking_loss(x, y, t)", x=X, y=T, t=SIDES),
    Row("F.triplet_margin_loss(x, y, z)", x=X, y=T, z=randn(5)),
    Row("F.triplet_margin_loss(x, y, z, margin=0)", x=X, y=T, z=T),
    Row("F.triplet_margin_with_distance_loss(x, y, z, reduction='x')", x=X, y=T, z=T),
)  # fmt: skip

test_classes = rows(
    *reductions("F.nll_loss(x, t)", x=X, t=CLASSES, grad=True),
    *reductions("F.nll_loss(x, t, weight=w, ignore_index=4)", x=X, t=CLASSES, w=rand(5).nograd, grad=True),
    *reductions("F.nll_loss(x, t, weight=w)", x=randn(2, 3, 2, 2), t=randint(0, 3, (2, 2, 2)), w=rand(3).nograd, grad=True),
    *reductions("F.nll_loss(x, t)", x=randn(5), t=value(3), grad=True),
    *reductions("F.cross_entropy(x, t)", x=X, t=CLASSES, grad=2),
    *reductions("F.cross_entropy(x, t, ignore_index=0, label_smoothing=0.2, weight=w)", x=X, t=CLASSES, w=rand(5).nograd, grad=True,
        grad_fn=False),
    *reductions("F.cross_entropy(x, t, label_smoothing=0.1, weight=w)", x=X, t=rand(4, 5), w=rand(5).nograd, grad=True, grad_fn=False),
    *reductions("F.cross_entropy(x, t)", x=randn(2, 3, 4), t=randint(0, 3, (2, 4)), grad=True),
    *reductions("F.linear_cross_entropy(x, w, t, linear_bias=b)", x=X, w=randn(3, 5), b=randn(3), t=randint(0, 3, (4,)), grad=True,
        grad_fn=False),
    Row("F.cross_entropy(x, t)", x=X, t=rand(4, 5).nograd, grad=True),
    *reductions("F.cross_entropy(x, t, ignore_index=1 << 40)", x=X, t=value([1, 1 << 40, 4, 2]), grad=True),
    Row("F.cross_entropy(x, t, ignore_index=1 << 40)", x=X, t=value([1, 1 << 40, -(1 << 24), 2])),
    *reductions("F.cross_entropy(x, t)", x=randn(2, 0), t=value([-100, -100])),
    *reductions("F.cross_entropy(x, t)", x=randn(2, 0), t=value([-100, 0])),
    *reductions("F.cross_entropy(x, t)", x=randn(0, 3), t=randint(0, 3, (0,)), grad=True),
    *reductions("F.cross_entropy(x.t(), t)", x=randn(5, 4), t=CLASSES, grad=True),
    Row("F.cross_entropy(x.to(torch.complex64), t)", x=X, t=CLASSES),
    Row("F.cross_entropy(x, t)", x=X, t=CLASSES, dtypes="float16 bfloat16 float64"),
    Row("F.cross_entropy(x, t * 0 - 100)", x=X, t=CLASSES, grad=True),
    Row("F.cross_entropy(x[:0], t[:0])", x=X, t=CLASSES),
    Row("F.cross_entropy(x, t[:3])", x=X, t=CLASSES),
    Row("F.cross_entropy(x, t + 5)", x=X, t=CLASSES),
    Row("F.cross_entropy(x, t.float())", x=X, t=CLASSES),
    Row("F.cross_entropy(x, t.int())", x=X, t=CLASSES),
    Row("F.cross_entropy(x, t)", x=X, t=randint(0, 3, (4, 5))),
    Row("F.cross_entropy(x, t)", x=randn(4, 5, 1), t=CLASSES),
    Row("F.cross_entropy(x, t)", x=randint(0, 3, (4, 5)), t=CLASSES),
    Row("F.cross_entropy(x, t, label_smoothing=2.0)", x=X, t=CLASSES),
    Row("F.cross_entropy(x, t, weight=x[0, :2])", x=X, t=CLASSES),
    Row("F.cross_entropy(x, t, weight=x[0].double())", x=X, t=CLASSES),
    Row("F.cross_entropy(x, t, ignore_index=1)", x=X, t=P),
    Row("F.cross_entropy(x, t, reduction='x')", x=X, t=CLASSES),
    Row("F.nll_loss(x, t.byte())", x=X, t=CLASSES),
    Row("F.nll_loss(x, t)", x=randn(()), t=CLASSES),
    Row("F.nll_loss(x, t)", x=randn(5), t=CLASSES),
    Row("F.nll_loss(x, t)", x=randn(4, 5, 1, 1), t=randint(0, 3, (4, 2))),
    Row("F.linear_cross_entropy(x, w, t)", x=X, w=randn(3, 4), t=CLASSES),
    Row("F.linear_cross_entropy(x, w, t)", x=randn(2, 2, 5), w=randn(3, 5), t=CLASSES),
)  # fmt: skip

CTC = {"x": randn(6, 3, 5), "t": value([[1, 2, 2], [3, 1, 4], [4, 4, 1]]), "n": value([6, 5, 6]), "m": value([3, 2, 0])}
test_ctc = rows(
    *reductions("F.ctc_loss(x.log_softmax(-1), t, n, m)", **CTC, grad=True, rtol=1e-4, atol=1e-5),
    Row("F.ctc_loss(x.log_softmax(-1), t, [6, 5, 6], [3, 2, 1])", x=CTC["x"], t=CTC["t"], grad=True, rtol=1e-4, atol=1e-5),
    Row("F.ctc_loss(x.log_softmax(-1), t, (6, 5, 6), (3, 2, 1))", x=CTC["x"], t=value([1, 2, 2, 3, 1, 4]), grad=True, rtol=1e-4, atol=1e-5),
    Row("F.ctc_loss(x.log_softmax(-1), t, n, m)", x=CTC["x"], t=CTC["t"], n=value([2, 5, 6]), m=CTC["m"]),
    Row("F.ctc_loss(x.log_softmax(-1), t, n, m, zero_infinity=True)", x=CTC["x"], t=CTC["t"], n=value([2, 5, 6]), m=CTC["m"],
        grad=True, rtol=1e-4, atol=1e-5),
    Row("F.ctc_loss(x.log_softmax(-1), t, torch.tensor([6]), torch.tensor([2]), reduction='none')", x=randn(6, 5), t=value([1, 2])),
    Row("F.ctc_loss(x, t, n, m, blank=7)", **CTC),
    Row("F.ctc_loss(x, t, n + 4, m)", **CTC),
    Row("F.ctc_loss(x, t, n[:2], m)", **CTC),
    Row("F.ctc_loss(x, t, n, m + 3)", **CTC),
)  # fmt: skip


@parity
def test_functions_with_numbers(torch):
    x, y, t = torch.linspace(-1, 1, 6).reshape(2, 3), torch.linspace(0, 1, 6).reshape(2, 3), torch.ones(2)
    return [
        torch.cosine_embedding_loss(x, y, t, 0.1, 2),
        torch.cosine_embedding_loss(x, y, t),
        torch.hinge_embedding_loss(x, torch.ones(2, 3), 0.5, 0),
        torch.margin_ranking_loss(x, y, torch.ones(2, 3), reduction=2),
        torch.triplet_margin_loss(x, y, y * 2, swap=True),
        torch.kl_div(x, y, 2, log_target=True),
        torch.poisson_nll_loss(x, y, True, False, 1e-8, 1),
        torch.binary_cross_entropy_with_logits(x, y, None, None, 0),
    ]
