"""SGD against PyTorch: trajectories, state, repr and messages."""

import pytest

from harness import parity
from optim.training import DENSE, train

OPTIONS = [
    dict(lr=0.1),
    dict(lr=0.1, momentum=0.9),
    dict(lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.1),
    dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    dict(lr=0.1, momentum=0.5, maximize=True, weight_decay=0.1),
    dict(lr=0.1, foreach=True, momentum=0.9),
    dict(lr=0.1, fused=True, weight_decay=0.1, shapes=DENSE),
    dict(lr=0.1, fused=True, momentum=0.9, shapes=[(3, 4)]),
    dict(lr="tensor", momentum=0.9),
    dict(lr=0.1, grouped=True, momentum=0.9),
    dict(shapes=[(150, 120), (3,)]),
]
REFUSED = [
    dict(lr=-0.1),
    dict(momentum=-1),
    dict(weight_decay=-1),
    dict(nesterov=True),
    dict(nesterov=True, momentum=0.9, dampening=0.1),
    dict(fused=True, foreach=True),
    dict(fused=True, differentiable=True),
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@parity
def test_trajectory(torch, options):
    return train(torch, "SGD", **options)


@pytest.mark.parametrize("dtype", ["float64", "complex64"])
@parity
def test_trajectory_in_another_dtype(torch, dtype):
    return train(torch, "SGD", dtype=dtype)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@parity(rtol=1e-2, atol=1e-2)
def test_trajectory_in_half_precision(torch, dtype):
    return train(torch, "SGD", dtype=dtype, shapes=[(3, 4), (5,)])


@pytest.mark.parametrize("options", REFUSED, ids=str)
@parity
def test_what_is_refused(torch, options):
    return train(torch, "SGD", **options)
