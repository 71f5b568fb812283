"""Training in float32 gives PyTorch's losses to the last bit, step after step: nothing that it computes rounds differently."""

import pytest

from flambeau.kernels.compiler import usable
from flambeau.kernels.compiler.machine import vector_bits
from harness import parity

pytestmark = pytest.mark.skipif(not usable() or vector_bits() != 512, reason="the stored bits are those of 512-bit vectors")


def losses(torch, parameters, optimizer, loss_of_step, steps):
    """What the steps of training give, on one thread: PyTorch's sums of LayerNorm's gradients depend on how many there are."""
    threads, found = torch.get_num_threads(), []
    torch.set_num_threads(1)
    try:
        for _ in range(steps):
            loss = loss_of_step()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            found.append(loss.item())
        return found, [p.sum(-1) for p in parameters]
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@parity(exact=True)
def test_a_transformer(torch, activation):
    nn, vocabulary, width = torch.nn, 200, 64
    layer = nn.TransformerEncoderLayer(width, 4, 128, 0.1, activation=activation, batch_first=True)
    model = nn.ModuleList([nn.Embedding(vocabulary, width), nn.TransformerEncoder(layer, 2), nn.Linear(width, vocabulary)])
    mask = nn.Transformer.generate_square_subsequent_mask(16)

    def loss_of_step():
        words = torch.randint(0, vocabulary, (4, 17))
        logits = model[2](model[1](model[0](words[:, :-1]), mask=mask))
        return nn.functional.cross_entropy(logits.reshape(-1, vocabulary), words[:, 1:].reshape(-1))

    parameters = list(model.parameters())
    return losses(torch, parameters, torch.optim.Adam(parameters, 1e-3), loss_of_step, 6)


@parity(exact=True)
def test_a_classifier(torch):
    nn = torch.nn
    model = nn.Sequential(nn.Linear(20, 64), nn.LayerNorm(64), nn.SiLU(), nn.Dropout(0.2), nn.Linear(64, 32), nn.GELU(), nn.Linear(32, 16))
    x, y = torch.randn(64, 20), torch.arange(64) % 16
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, 1e-2)
    return losses(torch, parameters, optimizer, lambda: nn.functional.cross_entropy(model(x), y), 20)
