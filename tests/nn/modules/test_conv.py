"""Convolutions and their transposes."""

import pytest

from harness import Row, parity, rows
from nn.layers import run_layer

CASES = [
    ("nn.Conv1d(4, 6, 3)", "[torch.randn(2, 4, 9)]"),
    ("nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2, bias=False)", "[torch.randn(2, 4, 9)]"),
    ('nn.Conv1d(4, 8, 3, groups=4, padding="same", padding_mode="circular")', "[torch.randn(2, 4, 9)]"),
    ("nn.Conv1d(4, 2, 1)", "[torch.randn(4, 9)]"),
    ("nn.Conv2d(4, 6, 3)", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), bias=False)", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.Conv2d(4, 4, 3, groups=4, padding=1)", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.Conv2d(4, 4, 3, groups=2, padding=2, dilation=2)", "[torch.randn(2, 4, 7, 6)]"),
    ('nn.Conv2d(4, 3, 3, padding="valid")', "[torch.randn(2, 4, 7, 6)]"),
    ('nn.Conv2d(4, 3, 3, padding=1, padding_mode="reflect")', "[torch.randn(2, 4, 7, 6)]"),
    ('nn.Conv2d(4, 3, 3, padding=(2, 1), padding_mode="replicate")', "[torch.randn(2, 4, 7, 6)]"),
    ("nn.Conv2d(4, 3, 2, dtype=torch.float64)", "[torch.randn(2, 4, 5, 5, dtype=torch.float64)]"),
    ("nn.Conv3d(2, 3, 2)", "[torch.randn(1, 2, 4, 5, 4)]"),
    ("nn.Conv3d(2, 4, (2, 3, 1), stride=(1, 2, 1), padding=(0, 1, 0), groups=2)", "[torch.randn(1, 2, 4, 5, 4)]"),
    ("nn.ConvTranspose1d(4, 3, 3)", "[torch.randn(2, 4, 9)]"),
    ("nn.ConvTranspose1d(4, 4, 3, stride=2, padding=1, output_padding=1, groups=2)", "[torch.randn(2, 4, 9)]"),
    ("nn.ConvTranspose2d(4, 3, 3, stride=2)", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.ConvTranspose2d(4, 2, (2, 3), stride=(1, 2), padding=1, dilation=2, bias=False)", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.ConvTranspose3d(2, 2, 2, stride=2)", "[torch.randn(1, 2, 4, 5, 4)]"),
    ("nn.LazyConv2d(3, 2)", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.LazyConvTranspose1d(3, 2)", "[torch.randn(2, 4, 9)]"),
]


@pytest.mark.parametrize(("make", "inputs"), CASES)
@parity
def test_layer(torch, make, inputs):
    return run_layer(torch, make, inputs)


test_details = rows(
    Row("nn.Conv2d(4, 6, 3, groups=3)"),
    Row("nn.Conv2d(4, 5, 3, groups=2)"),
    Row('nn.Conv2d(4, 4, 3, stride=2, padding="same")'),
    Row("nn.Conv2d(4, 4, 3, groups=0)"),
    Row("nn.Conv2d(4, 4, 3)(torch.ones(2, 3, 8, 8))"),
    Row("nn.Conv2d(4, 4, 3)(torch.ones(2, 4, 2, 8))"),
    Row("nn.Conv2d(4, 4, 3)(torch.ones(4, 8))"),
    Row("nn.Conv1d(4, 4, 3)(torch.ones(2, 4, 8, 8))"),
    Row("nn.Conv2d(1, 1, 3)(torch.ones(1, 1, 5, 5, dtype=torch.float64))"),
    Row('nn.ConvTranspose2d(4, 4, 3, padding_mode="reflect")'),
    Row("nn.ConvTranspose1d(1, 1, 3, stride=2)(torch.ones(1, 1, 4), output_size=[10]).shape"),
    Row("nn.ConvTranspose1d(1, 1, 3, stride=2)(torch.ones(1, 1, 4), output_size=[12])"),
    Row("nn.Conv2d(4, 8, 3).weight.shape, nn.ConvTranspose2d(4, 8, 3).weight.shape"),
)
