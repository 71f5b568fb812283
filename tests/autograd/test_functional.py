"""Jacobians and Hessians by products from the right (`strategy="forward-mode"`)."""

import pytest

from harness import parity

CALLS = """
J.jacobian(torch.sin, x, strategy="forward-mode", vectorize=True)
J.jacobian(lambda a, b: (a * b, b.sum(), a.exp()), (x, x), strategy="forward-mode", vectorize=True)
J.jacobian(lambda a: (a * 2, a.prod()), x, strategy="forward-mode", vectorize=True)
J.jacobian(lambda a: torch.ones(2), x, strategy="forward-mode", vectorize=True)
J.jacobian(lambda a, b: a.outer(b), (x, torch.ones(2)), strategy="forward-mode", vectorize=True)
J.jacobian(torch.sin, x, strategy="forward-mode")
J.jacobian(torch.sin, x, strategy="forward-mode", vectorize=True, create_graph=True)
J.jacobian(torch.sin, x, strategy="forward-mode", vectorize=True, strict=True)
J.jacobian(torch.sin, 3, strategy="forward-mode", vectorize=True)
J.hessian(lambda a: (a ** 3).sum(), x, outer_jacobian_strategy="forward-mode", vectorize=True).detach()
J.hessian(lambda a: (a ** 3).sum(), x, outer_jacobian_strategy="forward-mode")
J.hessian(lambda a: (a ** 3).sum(), x, outer_jacobian_strategy="sideways")
"""


@pytest.mark.parametrize("call", CALLS.strip().splitlines())
@parity
def test_forward_mode(torch, call):
    return eval(call, {"J": torch.autograd.functional, "torch": torch, "x": torch.arange(1.0, 4.0)})


@parity
def test_it_stays_in_the_graph(torch):
    x = torch.tensor([0.5, 1.0], requires_grad=True)
    found = torch.autograd.functional.jacobian(torch.sin, x, strategy="forward-mode", vectorize=True)
    found.sum().backward()
    return found.detach(), x.grad
