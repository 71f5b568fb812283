"""Upsampling, and the layers that only move elements."""

import pytest

from harness import Row, parity, rows
from nn.layers import run_layer

CASES = [
    ("nn.Upsample(scale_factor=2)", "[torch.randn(2, 4, 9)]"),
    ('nn.Upsample(size=(9, 4), mode="bilinear")', "[torch.randn(2, 4, 7, 6)]"),
    ('nn.Upsample(scale_factor=(1.5, 2.0), mode="bilinear", align_corners=True)', "[torch.randn(2, 4, 7, 6)]"),
    ('nn.Upsample(size=5, mode="linear")', "[torch.randn(2, 4, 9)]"),
    ('nn.Upsample(scale_factor=2, mode="bicubic")', "[torch.randn(2, 4, 7, 6)]"),
    ('nn.Upsample(scale_factor=2, mode="trilinear")', "[torch.randn(1, 2, 4, 5, 4)]"),
    ("nn.UpsamplingNearest2d(scale_factor=2)", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.UpsamplingBilinear2d(size=(3, 4))", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.PixelShuffle(2)", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.PixelUnshuffle(2)", "[torch.randn(1, 2, 4, 6)]"),
    ("nn.ChannelShuffle(2)", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.Flatten()", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.Flatten(0, 1)", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.Unflatten(1, (2, 2))", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.Unfold(2, stride=2)", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.Fold((4, 4), 2, stride=2)", "[torch.randn(1, 8, 4)]"),
]


@pytest.mark.parametrize(("make", "inputs"), CASES)
@parity
def test_layer(torch, make, inputs):
    return run_layer(torch, make, inputs)


test_details = rows(
    Row("nn.PixelShuffle(3)(torch.ones(1, 4, 2, 2))"),
    Row("nn.Unflatten(1, (2, 3))(torch.ones(2, 4))"),
    Row('nn.Upsample(mode="nearest")(torch.ones(1, 1, 3))'),
    Row('nn.Upsample(scale_factor=2, mode="bilinear")(torch.ones(1, 1, 3))'),
    Row("nn.Fold((4, 4), 2)(torch.ones(1, 8, 4))"),
    Row('repr(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False))'),
)
