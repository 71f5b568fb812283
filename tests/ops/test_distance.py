"""Distances and similarities."""

from harness import Row, randint, randn, rows, value

test_pairs = rows(
    Row("F.pairwise_distance(x, y)", x=randn(3, 4), y=randn(3, 4), grad=True),
    Row("F.pairwise_distance(x, y, p=1, keepdim=True)", x=randn(3, 4), y=randn(4), grad=True),
    Row("F.pairwise_distance(x, y, p=3.0)", x=randn(4), y=randn(4), grad=True),
    Row("F.cosine_similarity(x, y)", x=randn(3, 4), y=randn(3, 4), grad=2, grad_fn=False),
    Row("F.cosine_similarity(x, y, dim=0)", x=randn(3, 4), y=randn(4), grad=True, grad_fn=False),
    Row("F.cosine_similarity(x * 0, y)", x=randn(3, 4), y=randn(3, 4)),
    Row("F.cosine_similarity(x, y)", x=randint(0, 3, (2, 2)), y=randint(0, 3, (2, 2))),
)

test_all_pairs = rows(
    *(Row(f"torch.cdist(x, y, p={p})", x=randn(2, 4, 3), y=randn(2, 5, 3), grad=True) for p in (0, 1, 1.5, 2, 3, "math.inf")),
    Row("torch.cdist(x, y)", x=randn(30, 3), y=randn(28, 3), grad=True, rtol=1e-4, atol=1e-4),
    Row("torch.cdist(x, y, compute_mode='donot_use_mm_for_euclid_dist')", x=randn(30, 3), y=randn(28, 3)),
    Row("torch.cdist(x, y)", x=randn(3, 1, 4, 3, dtype="float64"), y=randn(2, 5, 3, dtype="float64"), grad=True),
    Row("torch.cdist(x, x)", x=value([[0.0, 0.0], [0.0, 0.0], [3.0, 4.0]]), grad=True),
    Row("torch.cdist(x, y)", x=randn(0, 3), y=randn(5, 3)),
    Row("torch.cdist(x, y)", x=randn(3), y=randn(5, 3)),
    Row("torch.cdist(x, y)", x=randn(3, 2), y=randn(5, 3)),
    Row("torch.cdist(x, y, p=-1)", x=randn(3, 2), y=randn(5, 2)),
    Row("torch.cdist(x, y)", x=randint(0, 3, (3, 2)), y=randn(5, 2)),
    Row("torch.cdist(x, y, compute_mode='x')", x=randn(3, 2), y=randn(5, 2)),
    *(Row(f"F.pdist(x, p={p})", x=randn(5, 3), grad=True) for p in (0, 1, 1.5, 2, 3, "math.inf")),
    Row("F.pdist(x)", x=randn(1, 3)),
    Row("F.pdist(x)", x=randn(2, 3, 4)),
)
