"""torch.jit.trace: what is recorded, what runs again, and of what it warns."""

import re

import pytest

import flambeau
from harness import Row, parity, rows


def models(torch):
    nn = torch.nn

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.project = nn.Linear(8, 24)
            self.register_buffer("mask", torch.tril(torch.ones(16, 16)))

        def forward(self, x):
            batch, length, width = x.shape
            q, k, v = self.project(x).chunk(3, dim=-1)
            q, k, v = (t.view(batch, length, 2, width // 2).transpose(1, 2) for t in (q, k, v))
            scores = (q @ k.transpose(-2, -1)) * 0.5
            scores = scores.masked_fill(self.mask[:length, :length] == 0, float("-inf")).softmax(-1)
            return (scores @ v).transpose(1, 2).reshape(batch, length, width)

    class Several(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(2)])
            self.norm = nn.LayerNorm(8)

        def forward(self, x):
            for layer in self.layers:
                x = torch.relu(layer(x)) + x
            out = torch.zeros(x.size(0), x.size(1), 8)
            out[:, 0] = x.mean(1)
            return self.norm(x), (out, x.sum())

    return {
        "mlp": nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 3)),
        "attention": Attention(),
        "several": Several(),
        "lstm": nn.LSTM(8, 4, 2, batch_first=True),
        "encoder": nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1, enable_nested_tensor=False),
        "embedding": nn.Sequential(nn.Linear(8, 5), nn.Flatten(0, 1), nn.BatchNorm1d(5), nn.Softmax(-1)),
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["mlp", "attention", "several", "lstm", "encoder", "embedding"])
@parity
def test_a_traced_module_takes_other_sizes(torch, name):
    model = models(torch)[name].eval()
    traced = torch.jit.trace(model, torch.randn(2, 5, 8), check_trace=name != "encoder")  # of PyTorch's there are two ways through it
    x = torch.randn(3, 7, 8)
    first, expected = traced(x), model(x)
    out = first[0] if isinstance(first, tuple) else first
    out.sum().backward()
    return first, expected, [p.grad for p in model.parameters()], list(traced.state_dict())


@pytest.mark.filterwarnings("ignore")
@parity
def test_a_traced_module_shares_its_parameters(torch):
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU())
    traced = torch.jit.trace(model, torch.ones(2, 3))
    torch.nn.init.ones_(model[0].weight)
    names = [name for name, _ in traced.named_parameters()]
    same = traced._modules["0"].weight is model[0].weight
    double = torch.jit.trace(torch.nn.Linear(3, 2), torch.ones(1, 3)).to(torch.float64)
    return repr(traced), str(traced), names, same, traced(torch.ones(1, 3)), double(torch.ones(1, 3).double()), traced.original_name


ERRORS = [
    "traced()", "traced(3)", "traced(x, x)", "traced(y=x)", "traced.missing", "function(x)", "function(x, 3)",
    "torch.jit.trace(lambda x: None, x)", "torch.jit.trace(lambda x: 3, x)", "torch.jit.trace(lambda x, s: x, (x, 'a'))",
    "torch.jit.trace(lambda x, s: x, (x, 3))", "torch.jit.trace(lambda x: {'a': x + 1}, x)", "torch.jit.trace(3, x)",
    "torch.jit.trace(lambda x: x)", "torch.jit.trace(lambda x: x @ x, x)",
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("expression", ERRORS)
@parity
def test_errors(torch, expression):
    x = torch.arange(6.0).reshape(2, 3)
    traced, function = torch.jit.trace(torch.nn.Linear(3, 2), x), torch.jit.trace(lambda x, y: x * y, (x, x))
    names = {"__name__": "some", "torch": torch, "x": x, "traced": traced, "function": function}
    try:
        return eval(expression, names)
    except Exception as error:
        return type(error).__name__, re.sub(r"___torch_mangle_\d+\.", "", str(error))


WARNINGS = [
    "x if x.sum() > 3 else -x", "x * float(x.sum())", "x * int(x.sum())", "x * x.sum().item()", "x * x.tolist()[0][1]", "sum(r for r in x)",
    "x * len(x)", "x if x.shape[0] == 2 else -x", "x + torch.tensor(3.0)", "x + complex(x.sum())", "x / math.sqrt(x.size(-1))",
    "x + sum(range(x.size(0)))", "[1, 2, 3][x.argmin()] * x", "x * x.numel()", "[x + 1]", "x + x.numpy().sum()",
]  # fmt: skip

test_warnings = rows(*(Row(f"torch.jit.trace(lambda x: {e}, torch.arange(6.).reshape(2, 3)).name", warns=True, name=e) for e in WARNINGS))


@pytest.mark.filterwarnings("ignore")
@parity
def test_structures_of_inputs_and_results(torch):
    x = torch.arange(3.0)
    return (
        torch.jit.trace(lambda a: a[0] + a[1], ([x, x],))([x, x * 2]),
        torch.jit.trace(lambda a: a["k"] + 1, ({"k": x},))({"k": x * 2}),
        torch.jit.trace(lambda a: ((a + 1,), a), x)(x * 2),
        torch.jit.trace(lambda a: {"k": a + 1}, x, strict=False)(x * 2),
        torch.jit.trace(lambda a, b: a - b, (x, x))(x, b=x * 2),
        torch.jit.trace(lambda a, b: a - b * 2, example_kwarg_inputs={"a": x, "b": x + 1})(b=x, a=x * 3),
        torch.jit.trace(lambda a: a.add_(1), x.clone())(x.clone()),
    )


@pytest.mark.filterwarnings("ignore")
@parity
def test_the_check_finds_differences(torch):
    x = torch.ones(3)
    found = []
    for function, options in ((lambda a: a if a.sum() > 0 else -a, {"check_inputs": [(-x,)]}), (lambda a: a + x, {})):
        try:
            torch.jit.trace(function, x, **options)
        except torch.jit.TracingCheckError as error:
            found.append(str(error).splitlines()[:2])
    return found, torch.jit.is_tracing()


def test_random_operators_are_named():
    with pytest.warns(flambeau.jit.TracerWarning) as caught:
        flambeau.jit.trace(flambeau.nn.Dropout(), flambeau.ones(2, 30))
    texts = [str(w.message) for w in caught if w.category is flambeau.jit.TracerWarning]
    assert texts[0].startswith("Trace had nondeterministic nodes. Did you forget call .eval() on your model? Nodes:\n\t%1")
    assert texts[1].startswith("Output nr 1. of the traced function does not match the corresponding output of the Python function.")


def test_code_and_graph():
    torch = flambeau
    traced = torch.jit.trace(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU()), torch.ones(2, 3))
    assert traced.code == (
        "def forward(self,\n    input: Tensor) -> Tensor:\n"
        '  weight = getattr(self, "0").weight\n  bias = getattr(self, "0").bias\n'
        "  _0 = torch.nn.functional.linear(input, weight, bias)\n  _1 = torch.relu(_0)\n  return _1\n"
    )
    assert [node.kind() for node in traced.graph.nodes()] == ["aten::linear", "aten::relu"]
    assert [node.scopeName() for node in traced.graph.nodes()] == ["__module.0", "__module.1"]
    assert str(traced.graph).startswith("graph(%self : __torch__.torch.nn.modules.container.Sequential,\n      %input : Float(2, 3,")
    assert [value.debugName() for value in traced.graph.inputs()] == ["input"]
    sliced = torch.jit.trace(lambda x: x[:, 1:, None] + x.new_zeros(1), torch.ones(2, 3))
    assert "x[:, 1:, None]" in sliced.code


def test_failures_name_the_line_that_was_traced():
    torch = flambeau
    traced = torch.jit.trace(torch.nn.Linear(3, 2), torch.ones(1, 3))
    with pytest.raises(RuntimeError, match=r"(?s)failed in the TorchScript interpreter.*linear.py\(\d+\): forward.*mat1 and mat2"):
        traced(torch.ones(1, 4))


def test_tensors_are_as_before_when_nothing_is_traced():
    names = ("shape", "size", "item", "numpy", "__bool__", "__iter__", "data")
    before = [vars(flambeau.Tensor)[name] for name in names]
    with pytest.raises(ZeroDivisionError):
        flambeau.jit.trace(lambda x: 1 / 0, flambeau.ones(2))
    assert [vars(flambeau.Tensor)[name] for name in names] == before
    assert flambeau.ones(2, 3).size(0).__class__ is int


def test_parts_of_a_traced_module_do_not_run():
    traced = flambeau.jit.trace(flambeau.nn.Sequential(flambeau.nn.Linear(3, 2)), flambeau.ones(1, 3))
    with pytest.raises(NotImplementedError, match="call the traced module itself"):
        traced.get_submodule("0")(flambeau.ones(1, 3))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "expression",
    ["F.dropout(x, 0.5)", "F.dropout2d(x[None], 0.5)", "F.alpha_dropout(x, 0.5, True)", "x + torch.randint(0, 9, (x.size(0), 1, 1))",
     "x[torch.randperm(x.size(0))]", "x.new_zeros(x.size(0))", "torch.rand(x.shape)", "torch.arange(x.size(1))",
     "x.new_full((x.size(0),), 2.0)", "torch.eye(x.size(1))", "x.repeat(x.size(0), 1, 1)", "F.interpolate(x, size=(x.size(1) * 2,))"],
)  # fmt: skip
@parity
def test_sizes_are_never_constants(torch, expression):
    names = {"torch": torch, "F": torch.nn.functional}
    function = eval(f"lambda x: {expression}", {"__name__": "some", **names})
    traced = torch.jit.trace(function, torch.ones(2, 4, 4), check_trace=False)
    torch.manual_seed(3)
    return traced(torch.ones(3, 6, 8)).shape
