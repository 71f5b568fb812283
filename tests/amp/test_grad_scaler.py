"""The scale's way through good and bad steps."""

import pickle

import pytest

import flambeau
from harness import Row, parity, rows


@pytest.mark.parametrize("name", ["SGD", "Adam"])
@parity
def test_training(torch, name):
    torch.manual_seed(1)
    model = torch.nn.Linear(2, 1)
    optimizer = getattr(torch.optim, name)(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=128.0, growth_interval=2)
    story = []
    for i in range(6):
        optimizer.zero_grad()
        loss = model(torch.ones(3, 2) * (float("inf") if i == 3 else 1)).sum()
        scaler.scale(loss).backward()
        if i == 4:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        scaler.step(optimizer)
        scaler.update()
        story.append((scaler.get_scale(), scaler.state_dict(), model.weight.detach().clone()))
    return story


START = (
    "p = torch.nn.Parameter(torch.ones(2)); o = torch.optim.SGD([p], lr=0.1); s = torch.amp.GradScaler('cpu', init_scale=4.0); "
    "s.scale(p.sum()).backward(); "
)

test_states = rows(
    Row(START + "s.unscale_(o); s.unscale_(o)"),
    Row(START + "s.step(o); s.step(o)"),
    Row(START + "s.step(o); s.unscale_(o)"),
    Row(START + "s.update()"),
    Row(START + "s.step(o, closure=None)"),
    Row(START + "s.step(o); s.update(8.0); s.get_scale(), p"),
    Row(START + "[float(v.detach().sum()) for v in s.scale([p, (p)])]"),
    Row("torch.amp.GradScaler('cpu').unscale_(None)"),
    Row("torch.amp.GradScaler('cpu', growth_factor=1.0)"),
    Row("torch.amp.GradScaler('cpu', backoff_factor=1.0)"),
    Row("torch.amp.GradScaler('cpu').load_state_dict({})"),
    Row("torch.amp.GradScaler('cpu').scale(3)"),
    Row("s = torch.amp.GradScaler('cuda', enabled=False); s.scale(3), s.get_scale(), s.state_dict(), s.is_enabled()"),
    Row("torch.amp.GradScaler().is_enabled()", warns=True),
    Row("torch.cuda.amp.GradScaler().is_enabled()", warns=True),
)


def test_pickles():
    scaler = flambeau.amp.GradScaler("cpu", init_scale=8.0)
    assert pickle.loads(pickle.dumps(scaler)).state_dict() == scaler.state_dict()
