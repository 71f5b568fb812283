"""Dropout layers."""

import pytest

from harness import Row, parity, rows
from nn.layers import run_layer

CASES = [
    ("nn.Dropout(0.4)", "[torch.randn(2, 6, 4)]"),
    ("nn.Dropout1d(0.4)", "[torch.randn(2, 6, 4)]"),
    ("nn.Dropout2d(0.4)", "[torch.randn(2, 6, 4, 2)]"),
    ("nn.Dropout3d(0.4)", "[torch.randn(2, 6, 4, 2, 2)]"),
    ("nn.AlphaDropout(0.4)", "[torch.randn(2, 6, 4)]"),
    ("nn.FeatureAlphaDropout(0.4)", "[torch.randn(2, 6, 4)]"),
]


@pytest.mark.parametrize(("make", "inputs"), CASES)
@parity
def test_layer(torch, make, inputs):
    return run_layer(torch, make, inputs)


test_details = rows(
    Row("repr(nn.Dropout(0.5, True)), repr(nn.Dropout2d(0.1)), repr(nn.AlphaDropout(inplace=True))", name="repr"),
    Row("nn.Dropout(1.5)"),
    Row("nn.Dropout(-0.1)"),
    Row("x = torch.ones(50); y = nn.Dropout(0.5, inplace=True)(x); y is x, x"),
    Row("nn.Dropout(0.5).eval()(torch.ones(3))"),
)
