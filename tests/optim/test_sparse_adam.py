"""SparseAdam: what PyTorch's says to dense gradients."""

import pytest

from harness import parity
from optim.training import parameters

REFUSED = [dict(lr=0.0), dict(eps=0.0), dict(betas=(1.0, 0.9)), dict(betas=(0.9, -1.0))]


@pytest.mark.parametrize("options", REFUSED, ids=str)
@parity
def test_what_is_refused(torch, options):
    torch.optim.SparseAdam(parameters(torch), **options)


@parity
def test_complex_parameters_are_refused(torch):
    torch.optim.SparseAdam([torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2, dtype=torch.complex64))])


@parity
def test_dense_gradients_are_refused(torch):
    p = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SparseAdam([p])
    p.grad = torch.ones(2)
    optimizer.step()


@parity
def test_a_step_without_gradients(torch):
    optimizer = torch.optim.SparseAdam(parameters(torch))
    return optimizer.step(lambda: 3), optimizer.state_dict(), repr(optimizer)
