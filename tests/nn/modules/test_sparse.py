"""Embeddings."""

import pytest

from harness import Row, parity, rows

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
    """Construction with PyTorch's initial values, repr, forward, backward, the names in its state."""
    nn = torch.nn
    layer = eval(make, {"nn": nn, "torch": torch})
    tensors = eval(inputs, {"torch": torch})
    leaves = [t.requires_grad_() if t.is_floating_point() else t for t in tensors]
    out = layer(*leaves)
    out = out[0] if isinstance(out, tuple) else out
    (out * torch.linspace(-1, 1, out.numel()).view(out.shape)).sum().backward()
    grads = [t.grad for t in leaves if t.is_floating_point()] + [p.grad for p in layer.parameters()]
    quiet = layer.eval()(*[t.detach() for t in leaves])
    return repr(layer), dict(layer.state_dict()), out.detach(), grads, quiet[0] if isinstance(quiet, tuple) else quiet


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
