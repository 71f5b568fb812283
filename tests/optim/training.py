"""A short run of an optimizer with gradients from a fixed stream: what the tests of all optimizers compare."""

import numpy as np

SHAPES = [(3, 4), (5,), (), (2, 3), (0, 2)]

DENSE = [(3, 4), (5,), ()]
"""For PyTorch's fused updates, which go wrong without a word where a gradient lies in another order than its parameter."""


def numbers(seed, shape, dtype="float32"):
    array = np.random.RandomState(seed).standard_normal(shape)
    if dtype.startswith("complex"):
        array = array + 1j * np.random.RandomState(seed + 500).standard_normal(shape)
    return np.asarray(array)


def tensor(torch, seed, shape, dtype="float32"):
    return torch.tensor(numbers(seed, shape, dtype).tolist(), dtype=getattr(torch, dtype)).reshape(shape)


def parameters(torch, dtype="float32", shapes=SHAPES):
    """Parameters of several shapes; that of two rows lies transposed in memory."""
    made = [tensor(torch, i, shape, dtype) for i, shape in enumerate(shapes)]
    return [torch.nn.Parameter(t.t().contiguous().t() if shape == (2, 3) else t) for t, shape in zip(made, shapes)]


def give_gradients(torch, params, step):
    """Gradients for step number `step`; the second parameter has none at the first step."""
    for i, p in enumerate(params):
        dtype = str(p.dtype).removeprefix("torch.")
        p.grad = None if step == 0 and i == 1 else tensor(torch, 100 * (step + 1) + i, tuple(p.shape), dtype)


def train(torch, name, steps=6, dtype="float32", grouped=False, shapes=SHAPES, **options):
    """Parameters after the first, second and last step, the state_dict, and the repr."""
    params = parameters(torch, dtype, shapes)
    if "lr" in options and options["lr"] == "tensor":
        options["lr"] = torch.tensor(0.05)
    given = [{"params": params[:2], "lr": 0.3}, {"params": params[2:]}] if grouped else params
    optimizer = getattr(torch.optim, name)(given, **options)
    seen = []
    for step in range(steps):
        give_gradients(torch, params, step)
        optimizer.step()
        if step in (0, 1, steps - 1):
            seen.append([p.detach().clone() for p in params])
    return seen, optimizer.state_dict(), repr(optimizer)
