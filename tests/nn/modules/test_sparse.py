"""Embeddings."""

import pytest

from harness import Row, parity, rows
from nn.layers import run_layer

CASES = [
    ("nn.Embedding(6, 3)", "[torch.tensor([[1, 4, 2], [4, 3, 0]])]"),
    ("nn.Embedding(6, 3, padding_idx=4)", "[torch.tensor([[1, 4, 2], [4, 3, 0]])]"),
    ("nn.Embedding(6, 3, padding_idx=-1, scale_grad_by_freq=True)", "[torch.tensor([[1, 4, 2], [4, 3, 0]])]"),
    ("nn.EmbeddingBag(6, 3)", "[torch.tensor([[1, 4, 2], [4, 3, 0]])]"),
    ("nn.EmbeddingBag(6, 3, mode='sum', padding_idx=4)", "[torch.tensor([[1, 4, 2], [4, 3, 0]])]"),
    ("nn.EmbeddingBag(6, 3, mode='max')", "[torch.tensor([[1, 4, 2], [4, 3, 0]])]"),
]


@pytest.mark.parametrize(("make", "inputs"), CASES)
@parity
def test_layer(torch, make, inputs):
    return run_layer(torch, make, inputs)


test_details = rows(
    Row("nn.Embedding(6, 3, max_norm=1.0)(torch.tensor([1, 2])).detach()"),
    Row("repr(nn.Embedding(6, 3, 1, 2.0, 3.0, True, True)), repr(nn.EmbeddingBag(6, 3, 2.0, mode='sum'))", name="repr with options"),
    Row("e = nn.Embedding.from_pretrained(torch.eye(3)); e.weight.requires_grad, e(torch.tensor([2, 0]))"),
    Row("nn.Embedding.from_pretrained(torch.ones(3))"),
    Row("nn.Embedding(3, 2, padding_idx=5)"),
    Row("nn.Embedding(3, 2, _weight=torch.ones(2, 2))"),
    Row("nn.Embedding(3, 2)(torch.tensor([3]))"),
    Row("nn.EmbeddingBag(6, 3, mode='sum')(torch.tensor([1, 2, 4, 5]), torch.tensor([0, 3])).detach()"),
)
