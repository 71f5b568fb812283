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
    return repr(compiled), names, list(compiled.state_dict()), compiled(torch.ones(1, 2)), model.training, compiled.training, str(loaded), len(compiled)


test_functions = rows(
    Row("torch.compile(lambda x: x + 1, backend='eager')(a)", a=3),
    Row("torch.compile(backend='eager')(lambda x: x + 1)(a)", a=3),
    Row("torch.compile(lambda x: x, mode='bogus')"),
    Row("torch.compile(lambda x: x, backend='bogus')", message="Invalid backend: 'bogus'"),
    Row("torch.compile(3)"),
    Row("torch.compile(lambda x: x, mode='default', options={})"),
    *(Row(f"torch.{e}") for e in "compiler.is_compiling() _dynamo.reset() compiler.reset() _dynamo.graph_break() _dynamo.is_compiling()".split()),
    *(Row(f"torch.{e}") for e in "_dynamo.config.suppress_errors _dynamo.config.cache_size_limit _dynamo.disable(abs)(-3)".split()),
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
