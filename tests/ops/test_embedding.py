"""Embeddings: rows of a table by index."""

from harness import Row, randint, randn, rows, value

test_lookup = rows(
    Row("F.embedding(i, w)", i=randint(0, 5, (2, 3)), w=randn(5, 4), grad=2),
    Row("F.embedding(i, w)", i=randint(0, 5, (6,)), w=randn(5, 4), dtypes="float64 float16 bfloat16"),
    Row("F.embedding(i.int(), w), F.embedding(i[0, 0], w), F.embedding(i[:0], w)", i=randint(0, 5, (2, 3)), w=randn(5, 4), grad=True),
    Row("F.embedding(i, w, padding_idx=2), F.embedding(i, w, padding_idx=-1)", i=randint(0, 5, (9,)), w=randn(5, 4), grad=2),
    Row("F.embedding(i, w, scale_grad_by_freq=True)", i=randint(0, 5, (9,)), w=randn(5, 4), grad=True),
    Row("v = w.clone(); F.embedding(i, v, max_norm=1.0), v", i=value([1, 3]), w=randn(5, 4)),
    Row("F.embedding(i, w)", i=value([5]), w=randn(5, 4)),
    Row("F.embedding(i, w)", i=value([-1]), w=randn(5, 4)),
    Row("F.embedding(i, w)", i=value([0.5]), w=randn(5, 4)),
    Row("F.embedding(i, w, padding_idx=7)", i=value([0]), w=randn(5, 4)),
    Row("F.one_hot(i), F.one_hot(i, 7)", i=randint(0, 5, (2, 3))),
    Row("F.one_hot(i)", i=value([-1])),
    Row("F.one_hot(i, 2)", i=value([3])),
)
