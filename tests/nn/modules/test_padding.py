"""Padding layers."""

import pytest

from harness import Row, parity, rows
from nn.layers import run_layer

CASES = [
    ("nn.ZeroPad1d((1, 2))", "[torch.randn(2, 4, 9)]"),
    ("nn.ConstantPad1d(2, 3.5)", "[torch.randn(2, 4, 9)]"),
    ("nn.ReflectionPad1d((2, 1))", "[torch.randn(2, 4, 9)]"),
    ("nn.ReplicationPad1d(2)", "[torch.randn(2, 4, 9)]"),
    ("nn.CircularPad1d((1, 2))", "[torch.randn(2, 4, 9)]"),
    ("nn.ZeroPad2d((1, 0, 2, 1))", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.ConstantPad2d((1, -1, 0, 2), 1.0)", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.ReflectionPad2d(2)", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.ReplicationPad2d((1, 2, 3, 0))", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.CircularPad2d(1)", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.ZeroPad3d(1)", "[torch.randn(1, 2, 4, 5, 4)]"),
    ("nn.ConstantPad3d((1, 0, 0, 1, 1, 1), -1.0)", "[torch.randn(1, 2, 4, 5, 4)]"),
    ("nn.ReflectionPad3d(1)", "[torch.randn(1, 2, 4, 5, 4)]"),
    ("nn.ReplicationPad3d(1)", "[torch.randn(1, 2, 4, 5, 4)]"),
    ("nn.CircularPad3d(1)", "[torch.randn(1, 2, 4, 5, 4)]"),
]


@pytest.mark.parametrize(("make", "inputs"), CASES)
@parity
def test_layer(torch, make, inputs):
    return run_layer(torch, make, inputs)


test_details = rows(
    Row("nn.ReflectionPad1d(3)(torch.ones(1, 1, 3))"),
    Row("nn.ReplicationPad2d(1)(torch.ones(3, 3))"),
    Row("nn.CircularPad1d(5)(torch.ones(1, 1, 3))"),
    Row("nn.ConstantPad1d(-3, 0.0)(torch.ones(1, 1, 3))"),
)
