"""Pooling layers."""

import pytest

from harness import Row, parity, rows
from nn.layers import run_layer

CASES = [
    ("nn.MaxPool1d(2)", "[torch.randn(2, 4, 9)]"),
    ("nn.MaxPool1d(3, stride=1, padding=1, dilation=2, ceil_mode=True)", "[torch.randn(2, 4, 9)]"),
    ("nn.MaxPool1d(2, return_indices=True)", "[torch.randn(2, 4, 9)]"),
    ("nn.MaxPool2d(2)", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.MaxPool2d((3, 2), stride=(2, 1), padding=(1, 0), ceil_mode=True)", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.MaxPool2d(2)", "[torch.randn(4, 6, 6)]"),
    ("nn.MaxPool3d(2)", "[torch.randn(1, 2, 4, 5, 4)]"),
    ("nn.AvgPool1d(3, stride=2, padding=1)", "[torch.randn(2, 4, 9)]"),
    ("nn.AvgPool2d(2)", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False, ceil_mode=True)", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.AvgPool2d(2, divisor_override=3)", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.AvgPool3d(2)", "[torch.randn(1, 2, 4, 5, 4)]"),
    ("nn.AdaptiveAvgPool1d(4)", "[torch.randn(2, 4, 9)]"),
    ("nn.AdaptiveAvgPool2d((3, None))", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.AdaptiveAvgPool2d(1)", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.AdaptiveAvgPool3d(2)", "[torch.randn(1, 2, 4, 5, 4)]"),
    ("nn.AdaptiveMaxPool1d(4)", "[torch.randn(2, 4, 9)]"),
    ("nn.AdaptiveMaxPool2d((3, 2))", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.AdaptiveMaxPool3d(2)", "[torch.randn(1, 2, 4, 5, 4)]"),
    ("nn.LPPool1d(2, 3)", "[torch.rand(2, 4, 9) + 0.5]"),
    ("nn.LPPool2d(1.5, 2, stride=1)", "[torch.rand(2, 4, 5, 5) + 0.5]"),
    ("nn.FractionalMaxPool2d(2, output_size=(3, 3))", "[torch.randn(2, 4, 7, 6)]"),
]


@pytest.mark.parametrize(("make", "inputs"), CASES)
@parity
def test_layer(torch, make, inputs):
    return run_layer(torch, make, inputs)


test_details = rows(
    Row("nn.MaxPool2d(2)(torch.ones(1, 1, 1, 1))"),
    Row("nn.MaxPool2d(2, padding=2)(torch.ones(1, 1, 8, 8))"),
    Row("nn.AvgPool2d(0)(torch.ones(1, 1, 8, 8))"),
    Row("nn.AdaptiveAvgPool2d(2)(torch.ones(3, 3))"),
    Row("nn.FractionalMaxPool2d(2)"),
    Row("nn.MaxUnpool2d(2)(*nn.MaxPool2d(2, return_indices=True)(torch.arange(16.0).view(1, 1, 4, 4)))"),
    Row("nn.MaxUnpool1d(2)(*nn.MaxPool1d(2, return_indices=True)(torch.arange(9.0).view(1, 1, 9)), output_size=[9])"),
    Row("[repr(m) for m in (nn.MaxPool2d(3, 2, 1), nn.AvgPool1d(2), nn.AdaptiveAvgPool2d((1, 2)), nn.LPPool2d(2, 3), nn.MaxUnpool2d(2))]"),
)
