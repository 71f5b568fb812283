"""Sums, means, extremes, variances, norms along dimensions."""

from harness import Row, bools, distinct, randint, randn, rows, value

FLOATS = "float32 float64 float16 bfloat16 complex64"
EVERY = "float32 int64 uint8 bool bfloat16 float16"

test_sums = rows(
    Row("x.sum(), x.sum(1), x.sum((0, 2), keepdim=True), x.sum(-1, True), x.sum([])", x=randn(3, 4, 2), grad=2),
    Row("torch.sum(x), torch.sum(x, dim=0)", x=randint(0, 5, (3, 4)), dtypes=EVERY),
    Row("x.sum(dtype=torch.float64), x.sum(0, dtype=torch.int32), x.sum(dtype=torch.bool)", x=randint(0, 3, (3, 4))),
    Row("x.sum(), x.sum(0), x.sum(-1, keepdim=True)", x=randn(), grad=True),
    Row("x.sum(), x.sum(0), x.sum(1), x.sum((0, 1))", x=randn(0, 3), grad=True),
    Row("x.sum(0)", x=randn(300, 20)),
    Row("x.sum(0), x.sum(1)", x=randn(4, 5).T, strides=True),
    Row("x.sum(0)", x=randn(4).expanded(3), grad=True),
    Row("out = torch.empty(4); r = torch.sum(x, 0, out=out); r is out, out", x=randn(3, 4)),
    Row("x.sum(2)", x=randn(3, 4)),
    Row("x.sum((0, 0))", x=randn(3, 4)),
    Row("x.sum_to_size(3, 1), x.sum_to_size(1, 4), x.sum_to_size(3, 4)", x=randn(3, 4), grad=True),
    Row("x.mean(), x.mean(1), x.mean((0, 1), keepdim=True)", x=randn(3, 4), grad=2, dtypes=FLOATS),
    Row("x.mean(dim=0, keepdim=True), x.mean(0)", x=randn(), grad=True),
    Row("x.mean(), x.mean(0), x.mean(1)", x=randn(0, 3), grad=True),
    Row("x.mean(dtype=torch.float64)", x=randint(0, 9, (3,))),
    Row("x.mean()", x=randint(0, 9, (3,))),
    Row("x.mean(dtype=torch.int64)", x=randn(3)),
    Row("x.nansum(), x.nansum(0), x.nanmean(1, True), x.nanmean()", x=value([[1.0, float("nan")], [3.0, 4.0]]), grad=True),
    Row("x.nansum(0, keepdim=True)", x=value([float("nan"), 1.0, float("nan")]).strided),
    Row("x.nanmean()", x=randint(0, 9, (3,))),
)

test_products = rows(
    Row("x.prod(), x.prod(1), x.prod(0, keepdim=True)", x=randn(3, 4), grad=2),
    Row("x.prod(), x.prod(1)", x=value([[1.0, 0.0, 3.0], [0.0, 0.0, 2.0]]), grad=2),
    Row("x.prod(), x.prod(0)", x=randint(0, 5, (3, 2)), dtypes=EVERY),
    Row("x.prod(), x.prod(0)", x=randn(), grad=True),
    Row("x.prod(), x.prod(0)", x=randn(0, 2), grad=True),
    Row("x.prod(dtype=torch.float64)", x=randint(1, 5, (4,))),
)

test_extremes = rows(
    Row("x.max(), x.min(), x.amax(1), x.amin((0, 1), True), x.max(1), x.min(0, True)", x=distinct(3, 4), grad=2),
    Row("x.max(), x.amax(), x.amin(0)", x=value([2.0, 1.0, 2.0, 1.0]), grad=2),
    Row("x.max(0), x.max(), x.amax(0)", x=value([1.0, float("nan"), 2.0]), grad=True),
    Row("x.max(), x.min(), x.max(1), x.amin(0)", x=randint(0, 50, (3, 4)), dtypes=EVERY),
    Row("torch.max(x, y), torch.min(x, other=y), x.max(y)", x=randn(3, 4), y=randn(4), grad=True),
    Row("x.max(0), x.min(-1, True), x.amax(0)", x=randn(), grad=True),
    Row("x.aminmax(), x.aminmax(dim=1), x.aminmax(dim=0, keepdim=True), torch.aminmax(x, keepdim=True)", x=distinct(3, 4), grad=2),
    Row("x.aminmax()", x=randn(0)),
    Row("x.aminmax(dim=1)", x=randn(3, 0)),
    Row("x.argmax(), x.argmin(), x.argmax(1), x.argmin(0, True), x.argmax(dim=-1, keepdim=True), x.argmax(keepdim=True)", x=randn(3, 4)),
    Row("x.argmax(), x.argmin()", x=value([1.0, float("nan"), 2.0, float("nan")])),
    Row("x.argmax(0)", x=randint(0, 3, (9,)), dtypes="int64 uint8 float16 bfloat16"),
    Row("x.argmax()", x=bools(3)),
    Row("x.argmax()", x=randn(0)),
    Row("x.argmax(1)", x=randn(3, 0)),
    Row("x.max()", x=randn(0)),
    Row("x.max(1)", x=randn(3, 0)),
    Row("x.amax()", x=randn(0)),
    Row("x.amax(1), x.amin(1)", x=randn(0, 3)),
    Row("torch.max(x, 0, out=(torch.empty(4), torch.empty(4, dtype=torch.long)))", x=distinct(3, 4)),
)

test_truth = rows(
    Row("x.all(), x.any(), x.all(1), x.any(0, True), x.all((0, 1)), torch.any(x, dim=-1)", x=randint(0, 2, (3, 4)), dtypes=EVERY),
    Row("x.all(), x.any(), x.all(0), x.any(1)", x=bools(0, 3)),
    Row("x.count_nonzero(), x.count_nonzero(1), x.count_nonzero((0, 1))", x=randint(-1, 2, (3, 4)), dtypes=EVERY),
)

test_spread = rows(
    Row("x.var(), x.std(), x.var(1), x.std((0, 1), keepdim=True), x.var(1, correction=0)", x=randn(3, 4), grad=2),
    Row("x.var(False), x.std(1, False), x.var(1, unbiased=True)", x=randn(3, 4), grad=True),
    Row("torch.var_mean(x, 1), torch.std_mean(x), torch.std_mean(x, 0, keepdim=True, correction=2)", x=randn(3, 4), grad=True),
    Row("x.var(0), x.std(1)", x=randn(3, 4), dtypes=FLOATS),
    Row("x.std(1)", x=value([[1.0, 1.0], [2.0, 3.0]]), grad=True),
    Row("x.std()", x=randint(0, 9, (3,))),
    Row("x.var()", x=randn(1), warns=True),
    Row("x.logsumexp(1), torch.logsumexp(x, (0, 1), keepdim=True)", x=randn(3, 4), grad=2),
    Row("x.logsumexp(0)", x=value([[-float("inf"), float("inf")], [-float("inf"), 1.0]])),
    Row("x.logsumexp(0)", x=randint(0, 3, (3,))),
)

test_norms = rows(
    Row("x.norm(), x.norm(1), x.norm(3, 1), x.norm(2, 0, True), x.norm(dim=1)", x=randn(3, 4), grad=2),
    Row("x.norm(p=float('inf')), x.norm(-float('inf'), 0), x.norm(0), x.norm('fro'), torch.norm(x, 0.5)", x=randn(3, 4), grad=True),
    Row("x.norm(), x.norm(1, 0)", x=randn(3, 4), dtypes=FLOATS),
    Row("x.norm()", x=value([0.0, 0.0]), grad=True),
    Row("x.norm()", x=randint(0, 9, (3,))),
    Row("torch.dist(x, y), torch.dist(x, y, 1), x.dist(y, float('inf'))", x=randn(3, 4), y=randn(4), grad=True),
    Row("torch.renorm(x, 2, 0, 1.0), x.renorm(1, 1, 2.0)", x=randn(3, 4), grad=True),
    Row("y = x.clone(); r = y.renorm_(2, 1, 0.5); r is y, y", x=randn(3, 4)),
    Row("x.renorm(2, 0, 1)", x=randn(3)),
    Row("x.renorm(-2, 0, 1)", x=randn(3, 3)),
    Row("x.renorm(2, 0, -1)", x=randn(3, 3)),
)

test_sums_in_order = rows(
    *(
        Row("torch.stack([x.sum(), x.mean()] * 30)", x=randn(n, dtype=dtype), exact=True, name=f"{n} {dtype}")
        for n in (3, 4, 7, 8, 9, 31, 33, 50, 127, 512, 1000, 5000, 20000)
        for dtype in ("float32", "float64")
    ),
    Row("x.sum(), x.mean(dim=(0, 1), keepdim=True)", x=randn(7, 9), exact=True, name="two dimensions"),
)

test_hash_tensor = rows(
    Row("torch.hash_tensor(x), x.hash_tensor(1), torch.hash_tensor(x, (0, 2), keepdim=True), torch.hash_tensor(x, ())", x=randn(2, 3, 4)),
    Row(
        "torch.hash_tensor(x, -1), x.T.hash_tensor(0)",
        x=randint(-5, 9, (3, 4)),
        dtypes="int8 int32 int64 uint8 bool float16 bfloat16 float64",
    ),
    Row("torch.hash_tensor(torch.tensor(2.)), torch.hash_tensor(torch.tensor([float('nan'), 1.])), torch.hash_tensor(torch.ones(0, 3), 1)"),
    Row("torch.hash_tensor(x.requires_grad_()).requires_grad", x=randn(2)),
    Row("torch.hash_tensor(x, 1, out=torch.empty(0, dtype=torch.uint64))", x=randn(2, 3)),
    Row("torch.hash_tensor(torch.ones(0))"),
    Row("torch.hash_tensor(torch.ones(0, 3), 0)"),
    Row("torch.hash_tensor(x, mode=1)", x=randn(2)),
    Row("torch.hash_tensor(x, out=torch.empty(()))", x=randn(2)),
    Row("torch.hash_tensor(torch.ones(2, dtype=torch.complex64))"),
    Row("torch.hash_tensor(torch.ones(2, dtype=torch.uint64))"),
    Row("torch.hash_tensor(x, 3)", x=randn(2)),
)
