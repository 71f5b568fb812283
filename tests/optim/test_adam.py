"""Adam against PyTorch: trajectories, state, repr and messages."""

import pytest

from harness import parity
from optim.training import DENSE, train

OPTIONS = [
    dict(),
    dict(lr=0.1, weight_decay=0.1),
    dict(lr=0.1, amsgrad=True),
    dict(lr=0.1, maximize=True, amsgrad=True, weight_decay=0.1),
    dict(lr=0.1, betas=(0.3, 0.9), eps=0.001),
    dict(lr=0.1, decoupled_weight_decay=True, weight_decay=0.1, maximize=True),
    dict(lr=0.1, foreach=True),
    dict(lr=0.1, fused=True, amsgrad=True, shapes=DENSE),
    dict(lr="tensor"),
    dict(grouped=True),
    dict(shapes=[(150, 120), (3,)]),
]
REFUSED = [
    dict(lr=-0.1),
    dict(eps=-1),
    dict(betas=(1.0, 0.9)),
    dict(betas=(0.9, -1.0)),
    dict(weight_decay=-1),
    dict(betas=(0, 0.9)),
    dict(fused=True, foreach=True),
    dict(fused=True, differentiable=True),
    dict(lr="tensor", foreach=True),
    dict(capturable=True),
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@parity
def test_trajectory(torch, options):
    return train(torch, "Adam", **options)


@pytest.mark.parametrize("dtype", ["float64", "complex64"])
@parity
def test_trajectory_in_another_dtype(torch, dtype):
    return train(torch, "Adam", dtype=dtype)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@parity(rtol=1e-2, atol=1e-2)
def test_trajectory_in_half_precision(torch, dtype):
    return train(torch, "Adam", dtype=dtype, shapes=[(3, 4), (5,)])


@pytest.mark.parametrize("options", REFUSED, ids=str)
@parity
def test_what_is_refused(torch, options):
    return train(torch, "Adam", **options)
