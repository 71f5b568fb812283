"""Checkpointing: the same gradients, random numbers and errors."""

import importlib

import pytest

from harness import parity


def module(torch):
    return importlib.import_module(f"{torch.__name__}.utils.checkpoint")


@pytest.mark.parametrize("use_reentrant", [True, False])
@parity
def test_gradients_and_random_numbers(torch, use_reentrant):
    nn = torch.nn
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))
    x = torch.randn(5, 3, requires_grad=True)
    found = []
    calls = []
    model[0].register_forward_hook(lambda *_: calls.append(1))
    for run in (
        lambda: model(x),
        lambda: module(torch).checkpoint(model, x, use_reentrant=use_reentrant),
        lambda: module(torch).checkpoint_sequential(model, 3, x, use_reentrant=use_reentrant),
        lambda: module(torch).checkpoint(model, x, use_reentrant=use_reentrant, preserve_rng_state=True) * 2,
    ):
        torch.manual_seed(7)
        model.zero_grad()
        x.grad = None
        y = run()
        y.pow(2).sum().backward()
        found.append((y, x.grad, [p.grad.clone() for p in model.parameters()], torch.rand(1)))
    return found, len(calls)


@parity
def test_autograd_grad_without_reentrance(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = module(torch).checkpoint(lambda a, scale=1: (a * scale).sin() * a, x, use_reentrant=False, scale=3)
    (first,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    return first, second


@pytest.mark.parametrize("what", ["grad", "kwargs", "context"])
@parity
def test_errors(torch, what):
    checkpoint = module(torch).checkpoint
    x = torch.ones(2, requires_grad=True)
    if what == "grad":
        torch.autograd.grad(checkpoint(torch.sin, x, use_reentrant=True).sum(), x)
    elif what == "kwargs":
        checkpoint(torch.sin, x, use_reentrant=True, other=1)
    else:
        checkpoint(torch.sin, x, use_reentrant=True, debug=True)


def test_another_second_run_is_an_error():
    import flambeau

    checkpoint = module(flambeau)
    x = flambeau.ones(2, requires_grad=True)
    calls = []

    def changing(a):
        calls.append(1)
        return a.sin().exp() if len(calls) == 1 else a.sin()

    with pytest.raises(checkpoint.CheckpointError, match="different number of tensors"):
        checkpoint.checkpoint(changing, x, use_reentrant=False).sum().backward()


@parity(warns=True)
def test_the_default_warns(torch):
    x = torch.ones(2, requires_grad=True)
    return module(torch).checkpoint(torch.sin, x)
