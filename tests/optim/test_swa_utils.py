"""Weight averaging against PyTorch."""

import copy

import pytest

from harness import parity
from optim.training import tensor


def models(torch, count=4):
    """A small model in several states, with buffers of two dtypes."""

    class Statistics(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("mean", torch.zeros(3))
            self.register_buffer("count", torch.tensor(0))

        def forward(self, x):
            return x - self.mean

    model = torch.nn.Sequential(torch.nn.Linear(2, 3), Statistics())
    for step in range(count):
        with torch.no_grad():
            for i, t in enumerate([*model.parameters(), *model.buffers()]):
                if t.dtype.is_floating_point:
                    t.copy_(tensor(torch, 10 * step + i, tuple(t.shape)))
                else:
                    t.fill_(step)
        yield model


def averages(torch, **options):
    averaged = None
    for model in models(torch):
        averaged = averaged or torch.optim.swa_utils.AveragedModel(model, **options)
        averaged.update_parameters(model)
    return averaged


FUNCTIONS = {
    "equal": lambda u: dict(),
    "swa": lambda u: dict(avg_fn=u.get_swa_avg_fn()),
    "multi swa": lambda u: dict(multi_avg_fn=u.get_swa_multi_avg_fn()),
    "ema": lambda u: dict(avg_fn=u.get_ema_avg_fn(0.9)),
    "multi ema": lambda u: dict(multi_avg_fn=u.get_ema_multi_avg_fn(0.9)),
    "ema with buffers": lambda u: dict(multi_avg_fn=u.get_ema_multi_avg_fn(0.6), use_buffers=True),
    "one by one with buffers": lambda u: dict(avg_fn=u.get_ema_avg_fn(0.6), use_buffers=True),
    "a user's": lambda u: dict(avg_fn=lambda average, value, count: average + value * count),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@parity
def test_averages(torch, name):
    averaged = averages(torch, **FUNCTIONS[name](torch.optim.swa_utils))
    return averaged.state_dict(), averaged.n_averaged


@parity
def test_the_average_is_a_copy(torch):
    model = next(models(torch))
    averaged = torch.optim.swa_utils.AveragedModel(model)
    x = tensor(torch, 1, (4, 2))
    same = torch.equal(averaged(x), model(x))
    with torch.no_grad():
        model[0].weight.zero_()
    other = copy.deepcopy(averaged)
    return same, averaged.state_dict(), list(other.state_dict())


@pytest.mark.parametrize("decay", [-0.1, 1.5])
@pytest.mark.parametrize("name", ["get_ema_avg_fn", "get_ema_multi_avg_fn"])
@parity
def test_decays_out_of_range(torch, name, decay):
    getattr(torch.optim.swa_utils, name)(decay)


@parity
def test_two_functions_are_refused(torch):
    u = torch.optim.swa_utils
    u.AveragedModel(torch.nn.Linear(1, 1), avg_fn=u.get_swa_avg_fn(), multi_avg_fn=u.get_swa_multi_avg_fn())


@pytest.mark.parametrize("batches", ["tensors", "pairs"])
@parity
def test_update_bn(torch, batches):
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3, momentum=0.3)).eval()
    loader = [tensor(torch, 40 + i, (5, 2)) for i in range(3)]
    if batches == "pairs":
        loader = [[batch, None] for batch in loader]
    torch.optim.swa_utils.update_bn(loader, model)
    return model.state_dict(), model.training, model[1].momentum


@parity
def test_update_bn_without_batch_norm_reads_no_data(torch):
    torch.optim.swa_utils.update_bn(iter(lambda: 1 / 0, None), torch.nn.Linear(1, 1))
