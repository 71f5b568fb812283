"""Muon against PyTorch. It works in bfloat16, so the numbers are compared loosely."""

import pytest

from harness import parity
from optim.training import train

OPTIONS = [
    dict(lr=0.1),
    dict(lr=0.1, nesterov=False, weight_decay=0.3),
    dict(lr=0.1, adjust_lr_fn="match_rms_adamw", ns_steps=3),
    dict(lr=0.1, adjust_lr_fn="original", momentum=0.5, ns_coefficients=(2.0, -1.5, 0.5)),
    dict(grouped=True),
]
MATRICES = [(3, 4), (5, 2), (2, 3)]
REFUSED = [
    dict(lr=-1.0),
    dict(momentum=-1.0),
    dict(weight_decay=-1.0),
    dict(adjust_lr_fn="other"),
    dict(ns_steps=100),
    dict(ns_coefficients=(1.0, 2.0)),
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@parity(rtol=5e-2, atol=1e-2)
def test_trajectory(torch, options):
    return train(torch, "Muon", shapes=MATRICES, **options)


@pytest.mark.parametrize("options", REFUSED, ids=str)
@parity
def test_what_is_refused(torch, options):
    return train(torch, "Muon", shapes=MATRICES, **options)


@parity
def test_vectors_are_refused(torch):
    return train(torch, "Muon")
