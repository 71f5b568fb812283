"""Recurrent modules."""

import copy
import pickle

import pytest

from harness import parity

OPTIONS = [
    {},
    {"num_layers": 2, "bidirectional": True},
    {"batch_first": True, "bias": False},
    {"num_layers": 3, "dropout": 0.4},
]
KINDS = [(kind, options) for kind in ("LSTM", "GRU", "RNN") for options in OPTIONS]
KINDS += [("LSTM", {"proj_size": 3, "bidirectional": True}), ("LSTM", {"proj_size": 2, "bias": False, "num_layers": 2})]
KINDS += [("RNN", {"nonlinearity": "relu", "bidirectional": True})]


def states(torch, module, batch):
    number = module.num_layers * (2 if module.bidirectional else 1)
    h = torch.randn(number, batch, module.proj_size or module.hidden_size).requires_grad_()
    if module.mode != "LSTM":
        return h, [h]
    c = torch.randn(number, batch, module.hidden_size).requires_grad_()
    return (h, c), [h, c]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind, options", KINDS, ids=str)
@parity(rtol=1e-4, atol=1e-5)
def test_training(torch, kind, options, packed):
    module = getattr(torch.nn, kind)(4, 6, **options)
    x = torch.randn(5, 5, 4).requires_grad_()
    hx, leaves = states(torch, module, 5)
    input = x
    if packed:
        lengths = torch.tensor([2, 5, 1, 3, 3])
        input = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=module.batch_first, enforce_sorted=False)
    torch.manual_seed(1)
    output, hidden = module(input, hx)
    ends = [output.data if packed else output, *(hidden if kind == "LSTM" else [hidden])]
    loss = sum((end * torch.randn(end.shape)).sum() for end in ends)
    grads = torch.autograd.grad(loss, [x, *leaves, *module.parameters()])
    names = [end.grad_fn.name() for end in ends]
    return [end.detach() for end in ends], list(grads), names, [end.stride() for end in ends], repr(module), list(module.state_dict())


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@parity(rtol=1e-4, atol=1e-5)
def test_unbatched_and_default_state(torch, kind):
    module = getattr(torch.nn, kind)(4, 6, bidirectional=True)
    x = torch.randn(5, 4)
    output, hidden = module(x)
    again, _ = module(x, hidden)
    return output, hidden, again


@pytest.mark.parametrize("kind, options", [("LSTMCell", {}), ("GRUCell", {"bias": False}), ("RNNCell", {"nonlinearity": "relu"})])
@parity(rtol=1e-4, atol=1e-5)
def test_cells(torch, kind, options):
    cell = getattr(torch.nn, kind)(4, 6, **options)
    hidden, outputs = None, []
    for x in torch.randn(3, 2, 4):
        hidden = cell(x, hidden)
        outputs.append(hidden)
    alone = cell(torch.randn(4))
    last = hidden[0] if kind == "LSTMCell" else hidden
    last.sum().backward()
    return outputs, alone, last.grad_fn.name(), [p.grad for p in cell.parameters()], repr(cell)


BAD = [
    "nn.LSTM(4, 6, proj_size=6)",
    "nn.LSTM(4, 6, proj_size=-1)",
    "nn.GRU(4, 6, proj_size=2)",
    "nn.RNN(4, 6, proj_size=2)",
    "nn.RNN(4, 6, nonlinearity='gelu')",
    "nn.LSTM(4, 6, dropout=2)",
    "nn.LSTM(4, 6, dropout=True)",
    "nn.LSTM(4, 6, bias=1)",
    "nn.LSTM(4, 6, batch_first=None)",
    "nn.LSTM(4.0, 6)",
    "nn.LSTM(0, 6)",
    "nn.LSTM(4, -1)",
    "nn.LSTM(4, 6, num_layers=0)",
    "nn.RNNBase('TANH', 4, 6)",
    "nn.LSTM(4, 6)(torch.randn(4))",
    "nn.RNN(4, 6)(torch.randn(4))",
    "nn.LSTM(4, 6)(torch.randn(2, 3, 5))",
    "nn.LSTM(4, 6)(torch.randn(2, 3, 4).double())",
    "nn.LSTM(4, 6)(torch.randn(2, 3, 4), (torch.randn(1, 3, 6), torch.randn(1, 3, 5)))",
    "nn.LSTM(4, 6)(torch.randn(2, 3, 4), (torch.randn(1, 2, 6), torch.randn(1, 3, 6)))",
    "nn.LSTM(4, 6)(torch.randn(2, 3, 4), (torch.randn(1, 6), torch.randn(1, 6)))",
    "nn.LSTM(4, 6)(torch.randn(2, 4), (torch.randn(1, 1, 6), torch.randn(1, 1, 6)))",
    "nn.GRU(4, 6)(torch.randn(2, 3, 4), torch.randn(1, 6))",
    "nn.GRU(4, 6)(torch.randn(2, 4), torch.randn(1, 1, 6))",
    "nn.GRU(4, 6)(torch.randn(2, 3, 4), torch.randn(2, 3, 6))",
    "nn.GRU(4, 6)(torch.randn(0, 3, 4))",
    "nn.LSTMCell(4, 6)(torch.randn(3, 5))",
    "nn.LSTMCell(4, 6)(torch.randn(1, 3, 4))",
    "nn.GRUCell(4, 6)(torch.randn(3, 4), torch.randn(2, 6))",
    "nn.RNNCell(4, 6)(torch.randn(3, 4), torch.randn(3, 5))",
    "nn.RNNCell(4, 6, nonlinearity='x')(torch.randn(3, 4))",
]


@pytest.mark.parametrize("code", BAD)
@parity
def test_errors(torch, code):
    try:
        eval(code, {"torch": torch, "nn": torch.nn})
    except Exception as error:
        return type(error).__name__, str(error)
    return "no error"


@parity
def test_weights_follow_the_module(torch):
    module = torch.nn.LSTM(3, 2, num_layers=2)
    names = module._flat_weights_names, module._all_weights
    module.weight_hh_l0 = torch.nn.Parameter(torch.zeros(8, 2))
    same = module._flat_weights[1] is module.weight_hh_l0 and module.all_weights[0][1] is module.weight_hh_l0
    module.double()
    followed = all(a is getattr(module, n) for a, n in zip(module._flat_weights, module._flat_weights_names))
    module.flatten_parameters()
    clone = copy.deepcopy(module)
    own = all(a is getattr(clone, n) for a, n in zip(clone._flat_weights, clone._flat_weights_names))
    x = torch.ones(4, 1, 3, dtype=torch.float64)
    loaded = pickle.loads(pickle.dumps(module))
    return names, same, followed, own, clone(x)[0], loaded(x)[0], list(module.__getstate__())
