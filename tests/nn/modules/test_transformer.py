"""Transformers."""

import pytest

from harness import Row, parity, rows

CASES = [
    ("nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0)", "[torch.randn(5, 2, 8)]"),
    ("nn.TransformerEncoderLayer(8, 2, 16, 0.0, 'gelu', norm_first=True, batch_first=True)", "[torch.randn(5, 2, 8)]"),
    ("nn.TransformerEncoderLayer(8, 2, 16, dropout=0.3)", "[torch.randn(5, 2, 8)]"),
    ("nn.TransformerDecoderLayer(8, 2, 16, dropout=0.0)", "[torch.randn(5, 2, 8), torch.randn(4, 2, 8)]"),
    ("nn.TransformerDecoderLayer(8, 2, 16, 0.2, norm_first=True, bias=False)", "[torch.randn(5, 2, 8), torch.randn(4, 2, 8)]"),
    ("nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, 0.0), 2, enable_nested_tensor=False)", "[torch.randn(5, 2, 8)]"),
    (
        "nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16, 0.0), 2, norm=nn.LayerNorm(8))",
        "[torch.randn(5, 2, 8), torch.randn(4, 2, 8)]",
    ),
    ("nn.Transformer(8, 2, 1, 1, 16, 0.0)", "[torch.randn(5, 2, 8), torch.randn(4, 2, 8)]"),
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
    Row("nn.Transformer.generate_square_subsequent_mask(4)"),
    Row("nn.TransformerEncoderLayer(8, 2, 16, activation='no')"),
    Row("nn.Transformer(8, 2, 1, 1, 16)(torch.ones(5, 2, 8), torch.ones(4, 3, 8))"),
    Row("nn.Transformer(8, 2, 1, 1, 16)(torch.ones(5, 2, 7), torch.ones(4, 2, 8))"),
    Row("m = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True), 1).eval(); x = torch.randn(2, 5, 8); "
        "m(x, mask=nn.Transformer.generate_square_subsequent_mask(5), is_causal=True).detach(), "
        "m(x, src_key_padding_mask=torch.tensor([[False] * 5, [False] * 4 + [True]])).detach()[0]", name="masks", warns=False),
)  # fmt: skip
