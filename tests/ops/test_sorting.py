"""Sorting, selecting, counting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flambeau
from harness import Row, distinct, randint, randn, rows, value

EVERY = "float32 int64 uint8 bool bfloat16 float16"
NAN = float("nan")

test_order = rows(
    Row(
        "x.sort(), x.sort(0, descending=True), torch.sort(x, dim=1, stable=True), x.argsort(), x.argsort(0, True), x.msort()",
        x=distinct(4, 5),
        grad=True,
    ),
    Row("x.sort(stable=True), x.sort(descending=True, stable=True), x.argsort(stable=True)", x=randint(0, 3, (20,)), dtypes=EVERY),
    Row("x.sort(), x.sort(descending=True)", x=value([2.0, NAN, -1.0, float("inf")])),
    Row("x.sort(), x.argsort()", x=randn()),
    Row("x.sort(0), x.sort(1)", x=randn(0, 3)),
    Row("x.sort(3)", x=randn(2)),
    Row("out = torch.empty(3), torch.empty(3, dtype=torch.long); torch.sort(x, out=out); out", x=randn(3)),
)

test_selection = rows(
    Row("x.topk(3), x.topk(2, 0), x.topk(2, largest=False), torch.topk(x, 1, 1)", x=distinct(4, 5), grad=2),
    Row("x.topk(4), x.topk(3, largest=False), x.topk(1)", x=randint(0, 3, (30,)), dtypes=EVERY),
    Row("x.topk(3), x.topk(3, largest=False)", x=value([1.0, NAN, 0.0, NAN, 2.0])),
    Row("x.topk(0), x.topk(1)", x=randn()),
    Row("x.topk(4)", x=randn(3)),
    Row("x.topk(-1)", x=randn(3)),
    Row("x.kthvalue(2), x.kthvalue(1, 0, True)", x=distinct(4, 5), grad=True),
    Row("x.kthvalue(0)", x=randn(3)),
    Row("x.median(), x.median(1), x.nanmedian(0, True), x.nanmedian()", x=distinct(4, 5), grad=True),
    Row("x.median(), x.nanmedian(), x.median(0), x.nanmedian(0)", x=value([1.0, NAN, 3.0])),
    Row("x.median(1)", x=randn(2, 0)),
    Row("x.mode(), x.mode(0, True)", x=value([[1.0, 2.0, 2.0], [3.0, 3.0, 1.0]]), grad=True),
    Row("x.mode(1)", x=randn(2, 0)),
    Row("x.quantile(0.3), x.quantile(q, 1), x.nanquantile(q, 0, True)", x=randn(4, 5), q=value([0.0, 0.4, 1.0]), grad=True, grad_fn=False),
    Row(
        "x.quantile(0.3, 0, interpolation='lower'), x.quantile(0.3, 0, interpolation='higher'), x.quantile(0.3, interpolation='nearest')",
        x=randn(6),
    ),
    Row("x.quantile(0.3, interpolation='midpoint')", x=randn(6), grad=True, grad_fn=False),
    Row("x.quantile(2.0)", x=randn(3)),
    Row("x.quantile(0.5)", x=randn(0)),
    Row("x.quantile(0.5)", x=randint(0, 3, (3,))),
)

test_counting = rows(
    Row(
        "x.unique(), torch.unique(x, return_inverse=True), torch.unique(x, return_counts=True), x.unique(True, True, True)",
        x=randint(0, 4, (3, 4)),
    ),
    Row("torch.unique(x, dim=0), torch.unique(x, dim=1, return_inverse=True, return_counts=True)", x=randint(0, 2, (6, 2))),
    Row("x.unique_consecutive(), x.unique_consecutive(True, True), x.unique_consecutive(dim=0)", x=randint(0, 2, (6, 2))),
    Row("x.bincount(), x.bincount(minlength=9), torch.bincount(x, w)", x=randint(0, 5, (20,)), w=randn(20)),
    Row("torch.bincount(x)", x=randint(-3, 0, (2,))),
    Row("torch.bincount(x)", x=randn(2)),
    Row("x.histc(4), x.histc(4, -1, 1), torch.histc(x, bins=3, min=0, max=2)", x=randn(30)),
    Row("x.histc(0)", x=randn(3)),
    Row(
        "torch.searchsorted(s, x), torch.searchsorted(s, x, right=True), torch.searchsorted(s, x, side='right', out_int32=True)",
        s=value([0.0, 1.0, 1.0, 2.0]),
        x=value([[-1.0, 1.0], [1.5, 5.0]]),
    ),
    Row("torch.searchsorted(s, x)", s=value([[0.0, 1.0], [3.0, 4.0]]), x=value([[0.5, 2.0, 1.0], [3.5, 9.0, 1.0]])),
    Row("torch.searchsorted(s, 1.5), torch.searchsorted(s, s, sorter=i)", s=value([0.0, 1.0, 2.0]), i=value([0, 1, 2])),
    Row("torch.searchsorted(s, x)", s=randn(2, 2), x=randn(3, 2)),
    Row("torch.searchsorted(s, x, right=True, side='left')", s=randn(2), x=randn(3)),
    Row("torch.bucketize(x, b), torch.bucketize(x, b, right=True)", x=value([0.5, 1.0, 3.0]), b=value([0.0, 1.0, 2.0])),
    Row("torch.bucketize(x, b)", x=randn(2), b=randn(2, 2)),
    Row("torch.isin(x, y), torch.isin(x, 2), torch.isin(x, y, invert=True)", x=randint(0, 5, (3, 4)), y=value([1, 3])),
)


@pytest.mark.parametrize("largest", [True, False])
@given(values=st.lists(st.one_of(st.integers(-3, 3).map(float), st.just(float("nan"))), min_size=1, max_size=70), data=st.data())
@settings(deadline=None, max_examples=60)
def test_topk_is_a_sorted_selection(values, data, largest):
    """Whatever the ties: the indices are distinct, the values are those at the indices, and none better is left out."""
    k = data.draw(st.integers(1, len(values)))
    x = np.array(values, np.float32)
    found, indices = (t.numpy() for t in flambeau.tensor(values).topk(k, largest=largest))
    assert len(set(indices.tolist())) == k
    assert np.array_equal(x[indices], found, equal_nan=True)
    assert np.array_equal(found, _first(x, k, largest), equal_nan=True)


def _first(x, k, largest):
    """The first k in order, NaN being the largest."""
    order = np.sort(x)
    return order[::-1][:k] if largest else order[:k]
