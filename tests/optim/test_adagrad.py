"""Adagrad against PyTorch: trajectories, state, repr and messages."""

import pytest

from harness import parity
from optim.training import DENSE, train

OPTIONS = [
    dict(),
    dict(lr=0.1, lr_decay=0.1),
    dict(weight_decay=0.1, initial_accumulator_value=0.2, eps=0.001),
    dict(maximize=True, foreach=True),
    dict(fused=True, shapes=DENSE),
    dict(lr="tensor"),
    dict(grouped=True),
    dict(shapes=[(150, 120), (3,)]),
]
REFUSED = [
    dict(lr=-1),
    dict(lr_decay=-1),
    dict(weight_decay=-1),
    dict(initial_accumulator_value=-1),
    dict(eps=-1),
    dict(fused=True, foreach=True),
    dict(fused=True, differentiable=True),
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@parity
def test_trajectory(torch, options):
    return train(torch, "Adagrad", **options)


@pytest.mark.parametrize("dtype", ["float64", "complex64"])
@parity
def test_trajectory_in_another_dtype(torch, dtype):
    return train(torch, "Adagrad", dtype=dtype)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@parity(rtol=1e-2, atol=1e-2)
def test_trajectory_in_half_precision(torch, dtype):
    return train(torch, "Adagrad", dtype=dtype, shapes=[(3, 4), (5,)])


@pytest.mark.parametrize("options", REFUSED, ids=str)
@parity
def test_what_is_refused(torch, options):
    return train(torch, "Adagrad", **options)
