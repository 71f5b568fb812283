"""`DistributedDataParallel` with one process, and `DataParallel` without GPUs."""

import copy
import io
import pickle

import pytest

import flambeau
from harness import parity


@pytest.fixture(autouse=True)
def no_group_left():
    yield
    if flambeau.distributed.is_initialized():
        flambeau.distributed.destroy_process_group()


def attempt(call):
    try:
        return call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def begin(torch):
    torch.distributed.init_process_group("gloo", rank=0, world_size=1, store=torch.distributed.HashStore())


def model_of(torch):
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a = torch.nn.Linear(2, 2)
            self.b = torch.nn.Linear(2, 2)
            self.norm = torch.nn.BatchNorm1d(2)

        def forward(self, x, whole=True):
            x = self.norm(self.a(x))
            return {"out": (self.b(x),)} if whole else {"out": (x,)}

    return Model()


@parity
def test_training(torch):
    begin(torch)
    model = torch.nn.parallel.DistributedDataParallel(model_of(torch))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, losses = torch.randn(8, 2), []
    for _ in range(5):
        optimizer.zero_grad()
        loss = model(x)["out"][0].pow(2).sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    state = model.state_dict()
    torch.distributed.destroy_process_group()
    return losses, state, repr(model), [name for name, _ in model.named_parameters()]


@parity
def test_parameters_without_gradients(torch):
    """Every pass must give all of them one, unless told otherwise."""
    begin(torch)
    ddp, x, found = torch.nn.parallel.DistributedDataParallel, torch.randn(4, 2), []

    def forward(model, **options):
        return attempt(lambda: model(x, **options)["out"][0].shape)

    def backward(model, **options):
        model(x, **options)["out"][0].sum().backward()

    model = ddp(model_of(torch))
    found += [forward(model), forward(model)]  # without a backward nothing is missing
    backward(model, whole=False)
    found += [forward(model), forward(model), forward(model.eval())]
    with torch.no_grad():
        found.append(forward(model))
    with model.no_sync():
        found.append(forward(model))
    model = ddp(model_of(torch), find_unused_parameters=True)
    backward(model, whole=False)
    found += [forward(model), model.module.b.weight.grad is None]
    backward(model)
    found += [forward(model), model.module.b.weight.grad is None]
    model = ddp(model_of(torch))
    with model.no_sync():
        backward(model, whole=False)
        found.append(model.require_backward_grad_sync)
    found += [forward(model), model.require_backward_grad_sync]
    first, second = model(x)["out"][0], model(x)["out"][0]
    (first.sum() + second.sum()).backward()
    found.append(forward(model))
    loss = model(x)["out"][0].sum()
    loss.backward(retain_graph=True)
    loss.backward()
    found.append(forward(model))
    with model.join():
        found.append(forward(model))
    torch.distributed.destroy_process_group()
    return found


@parity
def test_attributes(torch):
    begin(torch)
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 2))
    names = (
        "dim device_ids output_device device device_type broadcast_buffers forward_sync_buffers find_unused_parameters static_graph "
        "gradient_as_bucket_view require_backward_grad_sync require_forward_param_sync parameters_to_ignore is_multi_device_module training"
    )
    found = [repr(getattr(model, name)) for name in names.split()]
    found += [model.train(False) is model, model.module.training, type(copy.deepcopy(model)).__name__]
    hooks = []
    model.register_forward_hook(lambda module, args, output: hooks.append(type(module).__name__))
    model.module.register_forward_hook(lambda module, args, output: hooks.append(type(module).__name__))
    model(torch.ones(1, 2))
    torch.distributed.destroy_process_group()
    return found, hooks


def test_copies_go_on():
    torch = flambeau
    begin(torch)
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 2))
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), torch.load(buffer, weights_only=False)):
        assert torch.equal(twin.module.weight, model.module.weight) and twin.process_group is torch.distributed.group.WORLD
        for _ in range(2):
            twin(torch.ones(1, 2)).sum().backward()
        assert model.module.weight.grad is None and twin.module.weight.grad.tolist() == [[2, 2], [2, 2]]
    torch.distributed.destroy_process_group()
    with pytest.raises(ValueError, match="Default process group has not been initialized"):
        copy.deepcopy(model)


def test_what_is_not_there():
    torch = flambeau
    begin(torch)
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 2))
    with pytest.raises(NotImplementedError, match="register_comm_hook"):
        model.register_comm_hook(None, print)
    for option in ("mixed_precision", "device_mesh"):
        with pytest.raises(NotImplementedError, match=option):
            torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 2), **{option: object()})


@parity
def test_data_parallel(torch):
    model, x = torch.nn.DataParallel(torch.nn.Linear(2, 3)), torch.randn(4, 2)
    found = [repr(model), model(x), list(model.state_dict()), model.device_ids, torch.nn.DataParallel is torch.nn.parallel.DataParallel]
    found += [torch.nn.DataParallel(torch.nn.ReLU(), device_ids=[0], output_device=0)(x), model.module(x)]
    parallel = torch.nn.parallel
    found += [
        attempt(lambda: parallel.replicate(torch.nn.Linear(2, 2), [0])), repr(parallel.replicate(torch.nn.ReLU(), [0, 1])),
        attempt(lambda: parallel.gather([x], 0)), attempt(lambda: parallel.data_parallel(torch.nn.ReLU(), x)),
        attempt(lambda: parallel.parallel_apply([torch.nn.ReLU()], [x])), attempt(lambda: parallel.parallel_apply([torch.nn.ReLU()], [])),
    ]  # fmt: skip
    return found
