"""Dropout layers."""

import pytest

from harness import Row, parity, rows

CASES = [
    ("nn.Dropout(0.4)", "[torch.randn(2, 6, 4)]"),
    ("nn.Dropout1d(0.4)", "[torch.randn(2, 6, 4)]"),
    ("nn.Dropout2d(0.4)", "[torch.randn(2, 6, 4, 2)]"),
    ("nn.Dropout3d(0.4)", "[torch.randn(2, 6, 4, 2, 2)]"),
    ("nn.AlphaDropout(0.4)", "[torch.randn(2, 6, 4)]"),
    ("nn.FeatureAlphaDropout(0.4)", "[torch.randn(2, 6, 4)]"),
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
    Row("repr(nn.Dropout(0.5, True)), repr(nn.Dropout2d(0.1)), repr(nn.AlphaDropout(inplace=True))", name="repr"),
    Row("nn.Dropout(1.5)"),
    Row("nn.Dropout(-0.1)"),
    Row("x = torch.ones(50); y = nn.Dropout(0.5, inplace=True)(x); y is x, x"),
    Row("nn.Dropout(0.5).eval()(torch.ones(3))"),
)
