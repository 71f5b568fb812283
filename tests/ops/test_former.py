"""Names that PyTorch keeps beside better ones."""

import pytest

from harness import Row, distinct, parity, rand, randint, randn, rows

test_embedding_and_dropout = rows(
    Row("torch.embedding(w, i)", w=randn(5, 3), i=randint(0, 5, (2, 2)), grad=True),
    Row("torch.embedding(w, torch.tensor([7]))", w=randn(5, 3)),
    Row("torch.embedding_renorm_(w.clone(), torch.tensor([1, 0]), 1.0, 2.0)", w=randn(5, 3)),
    Row("torch.manual_seed(3); torch.native_dropout(x, 0.5, True)", x=randn(4, 5), exact=True),
    Row("torch.manual_seed(3); torch.native_dropout(x, 0.5, None)", x=randn(4, 5), exact=True),
    Row("torch.native_dropout(x, 0.5, False)", x=randn(4, 5)),
    Row("torch.manual_seed(3); torch.alpha_dropout(x, 0.5, True)", x=randn(4, 5)),
    Row("torch.manual_seed(3); torch.alpha_dropout_(x.clone(), 0.5, True)", x=randn(4, 5)),
    Row("torch.manual_seed(3); torch.feature_alpha_dropout(x, 0.5, True)", x=randn(2, 3, 2)),
    Row("torch.manual_seed(3); torch.feature_dropout(x, 0.5, True)", x=randn(2, 3, 2), exact=True),
    Row("torch.manual_seed(3); torch.feature_dropout_(x.clone(), 0.5, True)", x=randn(2, 3, 2), exact=True),
    Row("torch.feature_dropout(x, 0.5, True)", x=randn(3)),
    Row("torch.feature_dropout(x, 0.5, False)", x=randn(3)),
)

test_segments = rows(
    *(
        Row(f"torch.segment_reduce(x, '{kind}', lengths=torch.tensor([2, 1, 3]))", x=distinct(6, 2), grad=True, grad_fn=False)
        for kind in ("sum", "mean", "max", "min", "prod")
    ),
    *(
        Row(f"torch.segment_reduce(x, '{kind}', lengths=torch.tensor([2, 0, 4]){more})", x=rand(6), name=f"empty {kind}{more}")
        for kind in ("sum", "mean", "max", "min", "prod")
        for more in ("", ", initial=0.5")
    ),
    Row("torch.segment_reduce(x, 'sum', offsets=torch.tensor([0, 2, 6]))", x=rand(6)),
    Row("torch.segment_reduce(x, 'prod', lengths=torch.tensor([[1, 2], [3, 0]]), axis=1)", x=rand(2, 3)),
    Row("torch.segment_reduce(x, 'sum', lengths=torch.tensor([2, 3]), unsafe=True)", x=rand(6)),
    Row("torch.segment_reduce(x, 'sum', lengths=torch.tensor([2, 3]))", x=rand(6)),
    Row("torch.segment_reduce(x, 'median', lengths=torch.tensor([2, 4]))", x=rand(6)),
    Row("torch.segment_reduce(x, 'sum')", x=rand(6)),
    Row("torch.segment_reduce(x, 'sum', lengths=torch.tensor([6]))", x=randint(0, 3, (6,))),
)

test_other_layouts = rows(
    Row("x.dense_dim(), x.sparse_dim(), x.to_dense(), x.to_dense(torch.float64), x.const_data_ptr() == x.data_ptr()", x=randn(2, 3)),
    Row("x.dequantize(), torch.dequantize(x), torch.dsmm(x, x.T)", x=randn(2, 3)),
    Row("torch.addmv_(y.clone(), x, z, alpha=2, beta=3)", x=randn(2, 3), y=randn(2), z=randn(3)),
    Row("torch.nuclear_norm(x)", x=randn(3, 3)),
    Row("x.resize_as(y)", x=randn(2, 3), y=randn(3, 2)),
    Row("x.clone().module_load(y), x.module_load(y, assign=True)", x=randn(2, 3), y=randn(2, 3)),
    Row("torch.cudnn_is_acceptable(x)", x=randn(2)),
    *(
        Row(f"x.{name}()", x=randn(2))
        for name in ("coalesce", "is_coalesced", "indices", "values", "crow_indices", "col_indices", "ccol_indices", "row_indices")
    ),
)


@pytest.mark.parametrize(
    "call",
    [
        *(f"torch.{n}(x, x)" for n in ("eig", "solve", "symeig", "lstsq", "matrix_rank")),
        "x.eig()",
        "x.symeig()",
        "x.solve(x)",
        "x.lstsq(x)",
    ],
)
@parity
def test_removed(torch, call):
    eval(call, {"torch": torch, "x": torch.ones(2, 2)})
