"""Activation layers."""

import pytest

from harness import Row, parity, rows
from nn.layers import run_layer

CASES = [
    ("nn.ReLU()", "[torch.randn(3, 4)]"),
    ("nn.ReLU6()", "[torch.randn(3, 4)]"),
    ("nn.ELU(0.7)", "[torch.randn(3, 4)]"),
    ("nn.SELU()", "[torch.randn(3, 4)]"),
    ("nn.CELU(1.2)", "[torch.randn(3, 4)]"),
    ("nn.GELU()", "[torch.randn(3, 4)]"),
    ("nn.GELU('tanh')", "[torch.randn(3, 4)]"),
    ("nn.SiLU()", "[torch.randn(3, 4)]"),
    ("nn.Mish()", "[torch.randn(3, 4)]"),
    ("nn.Hardtanh(-0.3, 0.4)", "[torch.randn(3, 4)]"),
    ("nn.Hardsigmoid()", "[torch.randn(3, 4)]"),
    ("nn.Hardswish()", "[torch.randn(3, 4)]"),
    ("nn.LeakyReLU(0.3)", "[torch.randn(3, 4)]"),
    ("nn.LogSigmoid()", "[torch.randn(3, 4)]"),
    ("nn.Softplus(2, 3)", "[torch.randn(3, 4)]"),
    ("nn.Softshrink(0.3)", "[torch.randn(3, 4)]"),
    ("nn.Hardshrink(0.3)", "[torch.randn(3, 4)]"),
    ("nn.Softsign()", "[torch.randn(3, 4)]"),
    ("nn.Tanhshrink()", "[torch.randn(3, 4)]"),
    ("nn.Threshold(0.1, 2.0)", "[torch.randn(3, 4)]"),
    ("nn.Tanh()", "[torch.randn(3, 4)]"),
    ("nn.Sigmoid()", "[torch.randn(3, 4)]"),
    ("nn.Softmax(1)", "[torch.randn(3, 4)]"),
    ("nn.LogSoftmax(0)", "[torch.randn(3, 4)]"),
    ("nn.Softmin(1)", "[torch.randn(3, 4)]"),
    ("nn.GLU()", "[torch.randn(3, 4)]"),
    ("nn.PReLU()", "[torch.randn(3, 4)]"),
    ("nn.PReLU(4, init=0.5)", "[torch.randn(3, 4)]"),
    ("nn.RReLU(0.1, 0.3)", "[torch.randn(3, 4)]"),
    ("nn.Softmax2d()", "[torch.randn(2, 3, 2, 2)]"),
]


@pytest.mark.parametrize(("make", "inputs"), CASES)
@parity
def test_layer(torch, make, inputs):
    return run_layer(torch, make, inputs)


test_details = rows(
    Row(
        "[repr(m) for m in (nn.ReLU(True), nn.Threshold(1, 2, True), nn.RReLU(inplace=True), nn.Hardswish(True), nn.ELU(inplace=True))]",
        name="repr in place",
    ),
    Row("x = torch.ones(3) * -1; y = nn.ReLU(inplace=True)(x); y is x, x"),
    Row("repr(nn.Hardtanh(min_value=-2, max_value=2))", warns=True),
    Row("nn.Hardtanh(2, -2)"),
    Row("nn.Softmax()(torch.ones(2, 3))", warns=True),
    Row("nn.Softmax2d()(torch.ones(2, 3))"),
    Row("nn.GLU()(torch.ones(2, 3))"),
    Row("nn.PReLU(2)(torch.ones(2, 3))"),
)
