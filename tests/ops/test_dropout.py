"""Dropout and its kin: the same elements fall out as in PyTorch."""

from harness import Row, randn, rows

test_dropout = rows(
    Row(
        "F.dropout(x, 0.3), F.dropout(x), F.dropout(x, 0.5, False), torch.dropout(x, 0.4, True)",
        x=randn(30, 7),
        grad=True,
        exact=True,
        grad_fn=False,
    ),
    Row("F.dropout(x, 0.0), F.dropout(x, 1.0), F.dropout(x[:0], 0.5)", x=randn(5), grad=True, grad_fn=False),
    Row("F.dropout(x, 0.3)", x=randn(40), dtypes="float64 float16 bfloat16", exact=True),
    Row("y = x * 1; r = F.dropout(y, 0.5, inplace=True); r is y, y", x=randn(20), grad=True, grad_fn=False),
    Row("F.dropout(x, 0.3)", x=randn(8, 9).T, exact=True),
    Row("F.dropout1d(x, 0.5), F.dropout1d(x[0], 0.5)", x=randn(4, 6, 3), grad=True, grad_fn=False),
    Row("F.dropout2d(x, 0.5)", x=randn(4, 6, 3, 2), grad=True, grad_fn=False),
    Row("F.dropout3d(x, 0.5)", x=randn(4, 6, 3, 2, 2), grad_fn=False),
    Row(
        "F.alpha_dropout(x, 0.4, True), F.feature_alpha_dropout(x, 0.4, True), F.alpha_dropout(x)", x=randn(5, 6), grad=True, grad_fn=False
    ),
    Row("F.dropout(x, 1.5)", x=randn(3)),
    Row("F.dropout(x, -0.5)", x=randn(3)),
    Row("F.dropout2d(x, 2.0)", x=randn(3, 3, 3)),
    Row("F.dropout2d(x, 0.5)", x=randn(3, 3), warns=True, grad_fn=False),
    Row("F.dropout1d(x, 0.5)", x=randn(3)),
)
