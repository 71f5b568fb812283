"""torch.compile and what programs touch around it: everything runs as it is, under the names that PyTorch gives."""

import pytest

from harness import Row, parity, rows


@parity
def test_a_compiled_module(torch):
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Dropout())
    compiled = torch.compile(model, backend="eager")
    compiled.eval()
    names = [name for name, _ in compiled.named_parameters()]
    loaded = compiled.load_state_dict(compiled.state_dict())
    out = compiled(torch.ones(1, 2))
    return repr(compiled), names, list(compiled.state_dict()), out, model.training, compiled.training, str(loaded), len(compiled)


test_functions = rows(
    Row("torch.compile(lambda x: x + 1, backend='eager')(a)", a=3),
    Row("torch.compile(backend='eager')(lambda x: x + 1)(a)", a=3),
    Row("torch.compile(lambda x: x, mode='bogus')"),
    Row("torch.compile(lambda x: x, backend='bogus')", message="Invalid backend: 'bogus'"),
    Row("torch.compile(3)"),
    Row("torch.compile(lambda x: x, mode='default', options={})"),
    *(Row(f"torch.compiler.{e}") for e in "is_compiling() reset()".split()),
    *(Row(f"torch._dynamo.{e}") for e in "reset() graph_break() is_compiling() disable(abs)(-3)".split()),
    *(Row(f"torch._dynamo.config.{e}") for e in "suppress_errors cache_size_limit".split()),
)


def test_settings_can_be_made():
    import flambeau as torch

    torch._dynamo.config.suppress_errors = True
    torch._inductor.config.max_autotune = True
    torch._dynamo.config.suppress_errors = torch._inductor.config.max_autotune = False
    with pytest.raises(NotImplementedError):
        torch._dynamo.explain(abs)
    net = torch.nn.Linear(1, 1)
    compiled = torch.compile(net)
    compiled.note = 3
    assert net.note == 3 and compiled.in_features == 1 and compiled._orig_mod is net and compiled.weight is net.weight
