"""LBFGS against PyTorch. Its history amplifies rounding, so the numbers are compared loosely."""

import pytest

from harness import parity
from optim.training import tensor

OPTIONS = [
    dict(),
    dict(lr=0.5, max_iter=4),
    dict(max_iter=3, history_size=2),
    dict(line_search_fn="strong_wolfe"),
    dict(line_search_fn="strong_wolfe", lr=10.0, max_iter=5),
    dict(lr="tensor"),
    dict(max_iter=1),
    dict(tolerance_grad=1e3),
]


def problem(torch, options, steps=4):
    """A least-squares fit with a bent term."""
    options = {**options, "lr": torch.tensor(0.5)} if options.get("lr") == "tensor" else options
    x, y = tensor(torch, 1, (10, 3), "float64"), tensor(torch, 2, (10,), "float64")
    w, b = (torch.nn.Parameter(tensor(torch, i, shape, "float64")) for i, shape in ((3, (3,)), (4, ())))
    optimizer = torch.optim.LBFGS([w, b], **options)

    def closure():
        optimizer.zero_grad()
        z = x @ w + b
        loss = ((z + 0.1 * z * z - y) ** 2).mean()
        loss.backward()
        return loss

    losses = [optimizer.step(closure).detach() for _ in range(steps)]
    return losses, w.detach(), b.detach(), optimizer


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@parity(rtol=1e-5, atol=1e-6)
def test_trajectory(torch, options):
    losses, w, b, optimizer = problem(torch, options)
    state = optimizer.state[optimizer.param_groups[0]["params"][0]]
    return losses, w, b, list(state), state["n_iter"], state["func_evals"], repr(optimizer)


@parity(rtol=1e-5, atol=1e-6)
def test_state_dict_continues(torch):
    _, w, b, optimizer = problem(torch, dict(max_iter=4), steps=2)
    other = torch.optim.LBFGS([w.requires_grad_(), b.requires_grad_()], max_iter=4)
    other.load_state_dict(optimizer.state_dict())
    x, y = tensor(torch, 1, (10, 3), "float64"), tensor(torch, 2, (10,), "float64")

    def closure():
        other.zero_grad()
        loss = ((x @ w + b - y) ** 2).mean()
        loss.backward()
        return loss

    other.step(closure)
    return w.detach(), b.detach(), sorted(other.state_dict()["state"][0])


@parity(rtol=1e-4, atol=1e-5)
def test_rosenbrock_with_a_line_search(torch):
    p = torch.nn.Parameter(torch.tensor([-1.2, 1.0], dtype=torch.float64))
    optimizer = torch.optim.LBFGS([p], max_iter=50, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2
        loss.backward()
        return loss

    optimizer.step(closure)
    return p.detach()


@parity(rtol=1e-5, atol=1e-6)
def test_a_missing_gradient_counts_as_zero(torch):
    p, unused = (torch.nn.Parameter(tensor(torch, i, (3,), "float64")) for i in range(2))
    optimizer = torch.optim.LBFGS([p, unused], max_iter=3)

    def closure():
        optimizer.zero_grad()
        loss = (p * p * p * p).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return p.detach(), unused.detach()


REFUSED = [dict(lr=-1.0), dict(line_search_fn="golden")]


@pytest.mark.parametrize("options", REFUSED, ids=str)
@parity
def test_what_is_refused(torch, options):
    return problem(torch, options)[1]


@parity
def test_groups_are_refused(torch):
    p, q = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    torch.optim.LBFGS([{"params": [p]}, {"params": [q]}])
