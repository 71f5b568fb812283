"""Bags of embeddings."""

from harness import Row, rand, randint, randn, rows, value

IDS, STARTS = value([1, 4, 2, 2, 0, 1]), value([0, 2, 2, 5])
test_bags = rows(
    *(Row(f"F.embedding_bag(i, w, mode='{m}')", i=randint(0, 6, (3, 4)), w=randn(6, 3), grad=True) for m in ("sum", "mean", "max")),
    *(Row(f"F.embedding_bag(i, w, o, mode='{m}')", i=IDS, o=STARTS, w=randn(6, 3), grad=True) for m in ("sum", "mean", "max")),
    *(Row(f"F.embedding_bag(i, w, o, mode='{m}', padding_idx=2)", i=IDS, o=STARTS, w=randn(6, 3), grad=True) for m in ("sum", "mean",
        "max")),
    Row("F.embedding_bag(i, w, o, mode='sum', per_sample_weights=s)", i=IDS, o=STARTS, w=randn(6, 3), s=rand(6), grad=True),
    Row("F.embedding_bag(i, w, o, scale_grad_by_freq=True)", i=IDS, o=STARTS, w=randn(6, 3), grad=True),
    Row("F.embedding_bag(i, w, o, include_last_offset=True)", i=IDS, o=value([0, 2, 6]), w=randn(6, 3), grad=True),
    Row("F.embedding_bag(i, w, o, max_norm=0.5)", i=IDS, o=STARTS, w=randn(6, 3)),
    Row("F.embedding_bag(i, w)", i=IDS, w=randn(6, 3)),
    Row("F.embedding_bag(i, w, o)", i=randint(0, 6, (3, 4)), o=STARTS, w=randn(6, 3)),
    Row("F.embedding_bag(i, w, o, mode='x')", i=IDS, o=STARTS, w=randn(6, 3)),
    Row("F.embedding_bag(i, w, o + 1)", i=IDS, o=STARTS, w=randn(6, 3)),
    Row("F.embedding_bag(i, w, o + 2 * (o > 3).long())", i=IDS, o=STARTS, w=randn(6, 3)),
    Row("F.embedding_bag(i + 3, w, o)", i=IDS, o=STARTS, w=randn(6, 3), message="(?s).*"),
    Row("F.embedding_bag(i, w, o, per_sample_weights=s)", i=IDS, o=STARTS, w=randn(6, 3), s=rand(6)),
    Row("F.embedding_bag(i, w, o, mode='max', scale_grad_by_freq=True)", i=IDS, o=STARTS, w=randn(6, 3)),
)  # fmt: skip
