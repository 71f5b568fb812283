"""Linear and bilinear layers."""

import pytest

from harness import Row, parity, rows
from nn.layers import run_layer

CASES = [
    ("nn.Linear(4, 5)", "[torch.randn(3, 4)]"),
    ("nn.Linear(4, 5, bias=False)", "[torch.randn(2, 3, 4)]"),
    ("nn.Linear(4, 2)", "[torch.randn(4)]"),
    ("nn.Bilinear(3, 4, 5)", "[torch.randn(2, 3), torch.randn(2, 4)]"),
    ("nn.Bilinear(3, 4, 5, bias=False)", "[torch.randn(2, 2, 3), torch.randn(2, 2, 4)]"),
    ("nn.Identity(3, a=2)", "[torch.randn(3, 4)]"),
    ("nn.LazyLinear(3)", "[torch.randn(3, 4)]"),
]


@pytest.mark.parametrize(("make", "inputs"), CASES)
@parity
def test_layer(torch, make, inputs):
    return run_layer(torch, make, inputs)


test_details = rows(
    Row("nn.Linear(2, 3, dtype=torch.float64).weight.dtype, nn.Linear(2, 3, device='meta').weight.device"),
    Row("l = nn.LazyLinear(3); r = repr(l); l(torch.ones(2, 5)); r, repr(l), type(l).__name__, l.in_features"),
    Row("repr(nn.Linear(0, 3))", warns=True),
    Row("nn.Bilinear(0, 2, 3)"),
    Row("nn.Linear(3, 2)(torch.ones(2, 4))"),
    Row("nn.Linear(3, 2)(torch.ones(2, 3, dtype=torch.float64))"),
)
