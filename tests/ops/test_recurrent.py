"""Recurrent networks as functions."""

import pytest

from harness import Row, parity, randn, rows

WEIGHTS = {"w_ih": randn(12, 4), "w_hh": randn(12, 3), "b_ih": randn(12), "b_hh": randn(12)}
GRU = {"w_ih": randn(9, 4), "w_hh": randn(9, 3), "b_ih": randn(9), "b_hh": randn(9)}
RNN = {"w_ih": randn(3, 4), "w_hh": randn(3, 3), "b_ih": randn(3), "b_hh": randn(3)}
PARAMS = "[w_ih, w_hh, b_ih, b_hh], True, 1, 0.0, False, False, False"

test_steps = rows(
    Row("torch.lstm_cell(x, (h, c), w_ih, w_hh, b_ih, b_hh)", x=randn(2, 4), h=randn(2, 3), c=randn(2, 3), **WEIGHTS, grad=2),
    Row(
        "torch.lstm_cell(x, (h, c), w_ih, w_hh)",
        x=randn(2, 4),
        h=randn(2, 3),
        c=randn(2, 3),
        w_ih=randn(12, 4),
        w_hh=randn(12, 3),
        grad=True,
    ),
    Row("torch.gru_cell(x, h, w_ih, w_hh, b_ih, b_hh)", x=randn(2, 4), h=randn(2, 3), **GRU, grad=2),
    Row("torch.rnn_tanh_cell(x, h, w_ih, w_hh, b_ih, b_hh)", x=randn(2, 4), h=randn(2, 3), **RNN, grad=2),
    Row("torch.rnn_relu_cell(x, h, w_ih, w_hh, b_ih, b_hh)", x=randn(2, 4), h=randn(2, 3), **RNN, grad=True),
    Row("torch.gru_cell(x, h, w_ih, w_hh)", x=randn(2, 5), h=randn(2, 3), w_ih=randn(9, 4), w_hh=randn(9, 3)),
    Row("torch.gru_cell(x, h, w_ih, w_hh)", x=randn(2, 4), h=randn(3, 3), w_ih=randn(9, 4), w_hh=randn(9, 3), name="another batch"),
    Row("torch.lstm_cell(x, (h, h), w_ih, w_hh)", x=randn(2, 4), h=randn(2, 5), w_ih=randn(12, 4), w_hh=randn(12, 3)),
)

test_layers = rows(
    Row(f"torch.lstm(x, (h, c), {PARAMS})", x=randn(5, 2, 4), h=randn(1, 2, 3), c=randn(1, 2, 3), **WEIGHTS, grad=2, rtol=1e-4, atol=1e-4),
    Row(f"torch.gru(x, h, {PARAMS})", x=randn(5, 2, 4), h=randn(1, 2, 3), **GRU, grad=2, rtol=1e-4, atol=1e-4),
    Row(f"torch.rnn_tanh(x, h, {PARAMS})", x=randn(5, 2, 4), h=randn(1, 2, 3), **RNN, grad=2, rtol=1e-4, atol=1e-4),
    Row(f"torch.rnn_relu(x, h, {PARAMS})", x=randn(5, 2, 4), h=randn(1, 2, 3), **RNN, grad=True, rtol=1e-4, atol=1e-4),
    Row(f"torch.gru(x, h, {PARAMS})", x=randn(0, 2, 4), h=randn(1, 2, 3), **GRU, name="no steps"),
    Row(f"torch.gru(x, h.double(), {PARAMS})", x=randn(5, 2, 4), h=randn(1, 2, 3), **GRU, name="another dtype"),
    Row(
        f"torch.lstm(x, torch.tensor([3, 2]), (h, c), {PARAMS.removesuffix(', False')})",
        x=randn(5, 4), h=randn(1, 3, 3), c=randn(1, 3, 3), **WEIGHTS, grad=True,
    ),
)  # fmt: skip


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@parity(rtol=2e-2, atol=2e-2)
def test_half(torch, dtype):
    torch.manual_seed(0)
    results = []
    for kind in ("GRU", "RNN"):
        module = getattr(torch.nn, kind)(4, 6).to(getattr(torch, dtype))
        results += module(torch.linspace(-1, 1, 40).reshape(5, 2, 4).to(getattr(torch, dtype)))
    return [r.detach() for r in results]
