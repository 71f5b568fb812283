"""Sparse gradients: of embeddings, added up in leaves, and what the optimizers make of them."""

import pytest

from harness import parity

INDICES = [[0, 3, 3, 1], [2, 3, 0, 0], [4, 4, 4, 1]]
MORE = {"SparseAdam betas": dict(betas=(0.5, 0.7), eps=1e-3), "SGD weight_decay": dict(weight_decay=0.1)}
OPTIMIZERS = {
    "SGD": dict(), "SGD momentum": dict(momentum=0.9), "SGD nesterov": dict(momentum=0.9, nesterov=True),
    "SGD maximize": dict(maximize=True),
    "SGD fused": dict(fused=True), "Adagrad": dict(), "Adagrad lr_decay": dict(lr_decay=0.1),
    "Adagrad maximize": dict(maximize=True), "Adagrad weight_decay": dict(weight_decay=0.1), "Adagrad fused": dict(fused=True),
    "SparseAdam": dict(), "SparseAdam maximize": dict(maximize=True), "Adam": dict(), "AdamW": dict(),
    "Adamax": dict(), "NAdam": dict(), "RAdam": dict(), "RMSprop": dict(), "Adadelta": dict(), "ASGD": dict(), "Rprop": dict(),
    "Adafactor": dict(),
} | MORE  # fmt: skip


def loss(torch, weight, indices):
    rows = torch.nn.functional.embedding(torch.tensor(indices), weight, sparse=True)
    return (rows * rows * torch.arange(0.7, rows.numel() + 0.6).reshape(rows.shape)).sum()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OPTIMIZERS)
@parity(rtol=1e-6)
def test_trajectories(torch, name, dtype):
    weight = torch.nn.Parameter((torch.arange(15.0) / 8).reshape(5, 3).to(getattr(torch, dtype)))
    optimizer = getattr(torch.optim, name.split()[0])([weight], lr=0.1, **OPTIMIZERS[name])
    found = []
    for indices in INDICES:
        optimizer.zero_grad()
        loss(torch, weight, indices).backward()
        try:
            optimizer.step()
        except RuntimeError as error:
            return f"{type(error).__name__}: {error}"
        found.append(weight.detach().clone())
    state = {key: value.to_dense() if hasattr(value, "to_dense") else value for key, value in optimizer.state[weight].items()}
    return found, state


@parity
def test_lbfgs(torch):
    weight = torch.nn.Parameter(torch.ones(3, 2))
    optimizer = torch.optim.LBFGS([weight], max_iter=3)

    def closure():
        optimizer.zero_grad()
        value = (torch.nn.functional.embedding(torch.tensor([0, 1, 1]), weight, sparse=True) ** 2).sum()
        value.backward()
        return value

    optimizer.step(closure)
    return weight


@parity
def test_gradients_add_up(torch):
    weight = torch.nn.Parameter(torch.ones(5, 3))
    found = []

    def note():
        grad = weight.grad
        found.append((str(grad.layout), grad.to_dense(), grad.is_coalesced() if grad.is_sparse else None, type(grad) is torch.Tensor))

    loss(torch, weight, [0, 3, 3]).backward()
    held = weight.grad
    note()
    loss(torch, weight, [3, 4]).backward()
    found.append(weight.grad is held)
    note()
    (weight * 2).sum().backward()
    note()
    loss(torch, weight, [1]).backward()
    note()
    weight.grad = None
    (loss(torch, weight, [0, 1]) + (weight * weight).sum()).backward()
    note()
    weight.grad = None
    loss(torch, weight, [0, 1]).backward()
    weight.grad.zero_()
    note()
    found.append(torch.autograd.grad(loss(torch, weight, [2, 2]), weight)[0].to_dense())
    loss(torch, weight * 2, [2, 2]).backward()
    note()
    return found


@parity
def test_printed_gradient(torch):
    table = torch.nn.Embedding(4, 2, sparse=True, padding_idx=2, _weight=torch.arange(8.0).reshape(4, 2))
    table(torch.tensor([[0, 2], [3, 0]])).square().sum().backward()
    return repr(table.weight.grad), repr(table)


@parity
def test_hooks_see_sparse_gradients(torch):
    weight = torch.nn.Parameter(torch.ones(5, 3))
    found = []
    weight.register_hook(lambda g: found.append(str(g.layout)))
    weight.register_hook(lambda g: g * 2)
    weight.register_post_accumulate_grad_hook(lambda p: found.append(str(p.grad.layout)))
    loss(torch, weight, [0, 3, 3]).backward()
    return found, weight.grad.to_dense()


BAGS = [
    dict(mode="sum"), dict(mode="mean"), dict(mode="sum", padding_idx=3), dict(mode="mean", padding_idx=3), dict(mode="max"),
    dict(mode="sum", scale_grad_by_freq=True), dict(mode="sum", per_sample_weights=True),
]  # fmt: skip


@pytest.mark.parametrize("options", BAGS, ids=str)
@parity
def test_bags(torch, options):
    options = dict(options)
    weight = torch.nn.Parameter(torch.arange(15.0).reshape(5, 3) / 4)
    if options.get("per_sample_weights"):
        options["per_sample_weights"] = torch.tensor([1.0, 2.0, 3.0, 4.0])
    rows = torch.nn.functional.embedding_bag(torch.tensor([0, 3, 3, 1]), weight, torch.tensor([0, 3]), sparse=True, **options)
    (rows * torch.arange(1.0, 7).reshape(2, 3)).sum().backward()
    return str(weight.grad.layout), weight.grad._indices(), weight.grad._values()


@parity
def test_the_frequency_does_not_go_with_it(torch):
    weight = torch.nn.Parameter(torch.ones(5, 3))
    torch.nn.functional.embedding(torch.tensor([1]), weight, sparse=True, scale_grad_by_freq=True).sum().backward()


@pytest.mark.parametrize("function", ["clip_grad_norm_", "clip_grad_value_"])
def test_clipping_is_refused(function):
    import flambeau as torch

    weight = torch.nn.Parameter(torch.ones(5, 3))
    loss(torch, weight, [1, 2]).backward()
    with pytest.raises(NotImplementedError, match="SparseCPU"):
        getattr(torch.nn.utils, function)([weight], 0.1)


@parity
def test_training_with_two_optimizers(torch):
    torch.manual_seed(0)
    table, layer = torch.nn.Embedding(7, 4, sparse=True), torch.nn.Linear(4, 2)
    sparse, dense = torch.optim.SparseAdam(table.parameters(), lr=0.05), torch.optim.Adam(layer.parameters(), lr=0.05)
    losses = []
    for step in range(5):
        words, targets = torch.tensor([[step % 7, 3, 3], [1, (2 * step) % 7, 0]]), torch.tensor([0, 1])
        value = torch.nn.functional.cross_entropy(layer(table(words).mean(1)), targets)
        sparse.zero_grad()
        dense.zero_grad()
        value.backward()
        sparse.step()
        dense.step()
        losses.append(value.item())
    return losses, table.weight, sparse.state_dict()
