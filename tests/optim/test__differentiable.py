"""Steps that are recorded: gradients through several of them, against PyTorch."""

import pytest

from harness import parity

CASES = [
    ("SGD", dict(lr=0.1)),
    ("SGD", dict(lr=0.1, momentum=0.9, dampening=0.1, weight_decay=0.1)),
    ("SGD", dict(lr=0.1, momentum=0.9, nesterov=True, maximize=True)),
    ("SGD", dict(lr="tensor")),
    ("Adam", dict(lr=0.1)),
    ("Adam", dict(lr="tensor", betas=(0.5, 0.6))),
    ("Adam", dict(lr=0.1, weight_decay=0.1)),
    ("AdamW", dict(lr=0.1)),
    ("Adagrad", dict(lr=0.1, lr_decay=0.1)),
    ("Adadelta", dict(lr=1.0)),
    ("ASGD", dict(lr=0.1, t0=1.0)),
    ("NAdam", dict(lr=0.1)),
    ("NAdam", dict(lr=0.1, weight_decay=0.1, decoupled_weight_decay=True)),
    ("RAdam", dict(lr=0.1)),
    ("RMSprop", dict(lr=0.01)),
]
ONE_STEP = [
    ("Adam", dict(lr=0.1, amsgrad=True)),
    ("Adamax", dict(lr=0.1, weight_decay=0.1)),
    ("RMSprop", dict(lr=0.01, momentum=0.9, centered=True)),
    ("Rprop", dict(lr=0.01)),
]
X = [[1.0, 2.0], [-1.0, 0.5], [0.3, -0.7]]
W = [[0.5, -1.0], [2.0, 0.3]]


def unrolled(torch, name, options, steps):
    """The weights after every step, and the gradients of the last loss with respect to the first weights and the rate."""
    options = dict(options)
    rate = None
    if options["lr"] == "tensor":
        rate = options["lr"] = torch.tensor(0.1, requires_grad=True)
    first = torch.tensor(W, requires_grad=True)
    x = torch.tensor(X)
    weight = first.clone()
    weight.retain_grad()
    optimizer = getattr(torch.optim, name)([weight], differentiable=True, **options)
    seen = []
    for _ in range(steps):
        (weight.grad,) = torch.autograd.grad(((x @ weight).tanh() ** 2).sum(), weight, create_graph=True)
        optimizer.step()
        seen.append(weight.detach().clone())
    ((x @ weight).tanh() ** 2).sum().backward()
    return seen, first.grad, None if rate is None else rate.grad


@pytest.mark.parametrize("name, options", CASES, ids=str)
@parity
def test_gradients_through_steps(torch, name, options):
    return unrolled(torch, name, options, 7)


@pytest.mark.parametrize("name, options", ONE_STEP, ids=str)
@parity
def test_gradients_through_one_step(torch, name, options):
    return unrolled(torch, name, options, 1)


@parity
def test_a_leaf_is_refused(torch):
    weight = torch.tensor(W, requires_grad=True)
    optimizer = torch.optim.Adam([weight], differentiable=True)
    weight.sum().backward()
    optimizer.step()
