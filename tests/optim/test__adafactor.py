"""Adafactor against PyTorch: trajectories, state, repr and messages."""

import pytest

from harness import parity
from optim.training import train

OPTIONS = [
    dict(),
    dict(lr=0.1, weight_decay=0.1),
    dict(lr=0.1, maximize=True, beta2_decay=-0.5),
    dict(eps=(1e-3, 1e-2), d=1.5),
    dict(foreach=True),
    dict(lr="tensor"),
    dict(grouped=True),
]
SHAPES = [(3, 4), (5,), (), (2, 3), (2, 3, 4)]
REFUSED = [
    dict(lr=-1.0),
    dict(beta2_decay=0.5),
    dict(eps=(-1.0, 1e-3)),
    dict(eps=(None, -1.0)),
    dict(d=0.5),
    dict(weight_decay=-1.0),
    dict(dtype="complex64"),
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@parity
def test_trajectory(torch, options):
    return train(torch, "Adafactor", shapes=SHAPES, **options)


@parity
def test_trajectory_in_float64(torch):
    return train(torch, "Adafactor", shapes=SHAPES, dtype="float64")


@pytest.mark.parametrize("options", REFUSED, ids=str)
@parity
def test_what_is_refused(torch, options):
    return train(torch, "Adafactor", **options)
