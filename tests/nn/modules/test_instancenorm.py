"""Instance normalisation."""

import pytest

from harness import Row, parity, rows
from nn.layers import run_layer

CASES = [
    ("nn.InstanceNorm1d(4)", "[torch.randn(2, 4, 9)]"),
    ("nn.InstanceNorm1d(4, affine=True)", "[torch.randn(4, 9)]"),
    ("nn.InstanceNorm2d(4, affine=True, track_running_stats=True)", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.InstanceNorm2d(4, eps=1e-2, momentum=0.3, track_running_stats=True)", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.InstanceNorm3d(2)", "[torch.randn(1, 2, 4, 5, 4)]"),
    ("nn.LazyInstanceNorm2d(affine=True)", "[torch.randn(2, 4, 7, 6)]"),
]


@pytest.mark.parametrize(("make", "inputs"), CASES)
@parity
def test_layer(torch, make, inputs):
    return run_layer(torch, make, inputs)


test_details = rows(
    Row("nn.InstanceNorm1d(4)(torch.ones(2, 4, 1))"),
    Row("nn.InstanceNorm2d(4)(torch.ones(2, 4))"),
    Row("nn.InstanceNorm1d(4, affine=True)(torch.ones(2, 3, 5))"),
    Row("m = nn.InstanceNorm1d(2, track_running_stats=True); m(torch.arange(12.0).view(2, 2, 3)); m.running_mean, m.running_var"),
)
