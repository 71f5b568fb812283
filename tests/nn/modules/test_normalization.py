"""Layer, group, RMS and local response normalisation."""

import pytest

from harness import Row, parity, randn, rows
from nn.layers import run_layer

CASES = [
    ("nn.LayerNorm(4)", "[torch.randn(2, 6, 4)]"),
    ("nn.LayerNorm((6, 4), bias=False)", "[torch.randn(2, 6, 4)]"),
    ("nn.LayerNorm(4, elementwise_affine=False)", "[torch.randn(2, 6, 4)]"),
    ("nn.GroupNorm(3, 6)", "[torch.randn(2, 6, 4)]"),
    ("nn.GroupNorm(2, 6, affine=False)", "[torch.randn(2, 6, 4)]"),
    ("nn.GroupNorm(6, 6, bias=False)", "[torch.randn(2, 6, 4)]"),
    ("nn.RMSNorm(4)", "[torch.randn(2, 6, 4)]"),
    ("nn.RMSNorm((6, 4), eps=1e-3, elementwise_affine=False)", "[torch.randn(2, 6, 4)]"),
    ("nn.LocalResponseNorm(3)", "[torch.randn(2, 6, 4)]"),
]


@pytest.mark.parametrize(("make", "inputs"), CASES)
@parity
def test_layer(torch, make, inputs):
    return run_layer(torch, make, inputs)


test_details = rows(
    Row("nn.GroupNorm(4, 6)"),
    Row("nn.LayerNorm(5)(torch.ones(2, 4))"),
    Row("nn.RMSNorm(5)(torch.ones(2, 4))"),
    Row("repr(nn.CrossMapLRN2d(3)), repr(nn.LocalResponseNorm(2, 1e-3, 0.5, 2.0))", name="repr"),
    Row("nn.LayerNorm(4, dtype=torch.float64).weight.dtype"),
    *(Row(f"nn.CrossMapLRN2d({n}, alpha=1.0)(x)", x=randn(2, 7, 2, 2), grad_fn=False) for n in (1, 2, 3, 4, 5, 8)),
    Row("nn.CrossMapLRN2d(3)(torch.ones(2, 3))"),
)

test_short_rows = rows(*(Row("F.layer_norm(x * 3 + 1, (x.shape[-1],))", x=randn(4, n), exact=True, name=f"{n}") for n in (1, 2, 3, 5, 7)))
