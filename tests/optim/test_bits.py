"""The updates bit for bit: thirty steps in float32, compared exactly with what PyTorch computes on an x86 CPU with fused products."""

import numpy as np
import pytest

from flambeau.kernels.compiler import machine, square_root, usable
from harness import parity

SHAPES = [(3,), (37,), (5, 7), (1, 1), (16,)]

ROOTED = [
    ("Adam", {}),
    ("Adam", {"weight_decay": 0.01}),
    ("Adam", {"amsgrad": True}),
    ("Adam", {"maximize": True, "betas": (0.4, 0.99)}),
    ("AdamW", {}),
    ("AdamW", {"amsgrad": True, "maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.9, "centered": True, "weight_decay": 0.1}),
    ("RMSprop", {"centered": True}),
    ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1}),
    ("NAdam", {}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"weight_decay": 0.1}),
    ("Adadelta", {"weight_decay": 0.1}),
    ("Adafactor", {}),
    ("Adafactor", {"weight_decay": 0.1, "maximize": True, "d": 0.5}),
]
"""With a square root in them, which is MKL's: what it gives depends on who made the CPU."""

FUSED = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"momentum": 0.9, "dampening": 0.3, "maximize": True}),
    ("Adamax", {"weight_decay": 0.1}),
    ("ASGD", {"weight_decay": 0.1}),
    ("Rprop", {}),
]

compiled = pytest.mark.skipif(not (usable() and "fma" in machine.features()), reason="products are not fused with sums")


LINE_SEARCHES = [{}, {"lr": 0.01, "history_size": 3}, {"line_search_fn": "strong_wolfe"}]


def trajectory(torch, name, options):
    """Parameters after the first and the thirtieth step."""
    random = np.random.RandomState(0)
    params = [torch.nn.Parameter(torch.tensor(random.standard_normal(shape).tolist())) for shape in SHAPES]
    optimizer = getattr(torch.optim, name)(params, lr=1e-3, **options)
    seen = []
    for step in range(30):
        for p in params:
            p.grad = torch.tensor((random.standard_normal(tuple(p.shape)) * 0.01).tolist())
        optimizer.step()
        if step in (0, 29):
            seen.append([p.detach().clone() for p in params])
    return seen


@compiled
@pytest.mark.parametrize("name, options", FUSED, ids=str)
@parity(exact=True)
def test_updates(torch, name, options):
    return trajectory(torch, name, options)


@compiled
@pytest.mark.skipif(not square_root.estimated(), reason="PyTorch's square root is another one here")
@pytest.mark.parametrize("name, options", ROOTED, ids=str)
@parity(exact=True)
def test_updates_with_a_square_root(torch, name, options):
    return trajectory(torch, name, options)


@compiled
@pytest.mark.parametrize("options", LINE_SEARCHES, ids=str)
@parity(exact=True)
def test_lbfgs(torch, options):
    """Four steps of two layers by hand: products, sums over what was broadcast, dot products and the search of a step length."""
    random = np.random.RandomState(0)

    def numbers(*shape, scale=1.0):
        return torch.tensor((random.standard_normal(shape) * scale).tolist())

    x, y = numbers(8, 4), numbers(8, 3)
    params = [torch.nn.Parameter(p) for p in (numbers(4, 5, scale=0.5), numbers(5, scale=0.1), numbers(5, 3, scale=0.5))]
    optimizer = torch.optim.LBFGS(params, **options)
    losses = []

    def closure():
        optimizer.zero_grad()
        hidden = x @ params[0] + params[1]
        loss = ((hidden * hidden @ params[2] - y) ** 2).mean()
        loss.backward()
        losses.append(loss.detach().clone())
        return loss

    for _ in range(4):
        optimizer.step(closure)
    return losses, [p.detach() for p in params]


@compiled
@pytest.mark.skipif(not square_root.estimated(), reason="PyTorch's square root is another one here")
@pytest.mark.parametrize("shape", [(40, 30), (3, 200), (200, 3), (2, 3, 4)], ids=str)
@parity(exact=True)
def test_adafactor_of_larger_matrices(torch, shape):
    random = np.random.RandomState(0)
    p = torch.nn.Parameter(torch.tensor(random.standard_normal(shape).tolist()))
    optimizer = torch.optim.Adafactor([p], lr=0.1, weight_decay=0.1)
    for _ in range(12):
        p.grad = torch.tensor((random.standard_normal(shape) * 0.01).tolist())
        optimizer.step()
    state = optimizer.state[p]
    return p.detach(), state["row_var"], state["col_var"]
