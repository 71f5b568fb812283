"""Batch normalisation: over batches, by running statistics, and what it keeps."""

import pytest

from harness import Row, parity, randn, rows
from nn.layers import run_layer

CASES = [
    ("nn.BatchNorm1d(4)", "[torch.randn(2, 4, 9)]"),
    ("nn.BatchNorm1d(4)", "[torch.randn(5, 4)]"),
    ("nn.BatchNorm1d(4, momentum=None)", "[torch.randn(2, 4, 9)]"),
    ("nn.BatchNorm1d(4, affine=False)", "[torch.randn(2, 4, 9)]"),
    ("nn.BatchNorm1d(4, track_running_stats=False)", "[torch.randn(2, 4, 9)]"),
    ("nn.BatchNorm1d(4, bias=False)", "[torch.randn(2, 4, 9)]"),
    ("nn.BatchNorm2d(4, eps=1e-3, momentum=0.5)", "[torch.randn(2, 4, 7, 6)]"),
    ("nn.BatchNorm2d(4)", "[torch.randn(2, 4, 5, 5).to(memory_format=torch.channels_last)]"),
    ("nn.BatchNorm2d(4, dtype=torch.float64)", "[torch.randn(2, 4, 5, 5, dtype=torch.float64)]"),
    ("nn.BatchNorm3d(2)", "[torch.randn(1, 2, 4, 5, 4)]"),
    ("nn.LazyBatchNorm2d()", "[torch.randn(2, 4, 7, 6)]"),
]


@pytest.mark.parametrize(("make", "inputs"), CASES)
@parity
def test_layer(torch, make, inputs):
    return run_layer(torch, make, inputs)


test_details = rows(
    Row("nn.BatchNorm1d(4)(torch.ones(1, 4))"),
    Row("nn.BatchNorm2d(4)(torch.ones(2, 4))"),
    Row("nn.BatchNorm1d(4)(torch.ones(2, 4, 3, 3))"),
    Row("nn.BatchNorm3d(4)(torch.ones(2, 4, 3, 3))"),
    Row("nn.BatchNorm2d(4)(torch.ones(2, 3, 5, 5))"),
    Row("nn.BatchNorm1d(2, eps=0.0)(torch.ones(3, 2))"),
    Row("nn.BatchNorm1d(2, eps=-1.0).eval()(torch.ones(3, 2))"),
    Row("m = nn.BatchNorm1d(2); [m(x * i) for i in (1, 2, 3)]; m.running_mean, m.running_var, m.num_batches_tracked", x=randn(4, 2)),
    Row(
        "m = nn.BatchNorm1d(2, momentum=None); [m(x * i) for i in (1, 2, 3)]; m.running_mean, m.running_var, m.num_batches_tracked",
        x=randn(4, 2),
    ),
    Row("m = nn.BatchNorm1d(2); m(torch.randn(4, 2)); m.reset_running_stats(); m.running_mean, m.running_var, m.num_batches_tracked"),
    Row("m = nn.BatchNorm2d(3); m.weight, m.bias, m.running_mean, m.running_var, m.num_batches_tracked"),
    Row("nn.BatchNorm1d(4).to(torch.bfloat16)(torch.ones(2, 4, dtype=torch.bfloat16)).dtype"),
    Row("repr(nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(nn.BatchNorm1d(3))))"),
)
