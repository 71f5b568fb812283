"""Layer, group, RMS and local response normalisation."""

import pytest

from harness import Row, parity, randn, rows

CASES = [
    ("nn.LayerNorm(4)", "[torch.randn(2, 6, 4)]"),
    ("nn.LayerNorm((6, 4), bias=False)", "[torch.randn(2, 6, 4)]"),
    ("nn.LayerNorm(4, elementwise_affine=False)", "[torch.randn(2, 6, 4)]"),
    ("nn.GroupNorm(3, 6)", "[torch.randn(2, 6, 4)]"),
    ("nn.GroupNorm(2, 6, affine=False)", "[torch.randn(2, 6, 4)]"),
    ("nn.GroupNorm(6, 6, bias=False)", "[torch.randn(2, 6, 4)]"),
    ("nn.RMSNorm(4)", "[torch.randn(2, 6, 4)]"),
    ("nn.RMSNorm((6, 4), eps=1e-3, elementwise_affine=False)", "[torch.randn(2, 6, 4)]"),
    ("nn.LocalResponseNorm(3)", "[torch.randn(2, 6, 4)]"),
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
    Row("nn.GroupNorm(4, 6)"),
    Row("nn.LayerNorm(5)(torch.ones(2, 4))"),
    Row("nn.RMSNorm(5)(torch.ones(2, 4))"),
    Row("repr(nn.CrossMapLRN2d(3)), repr(nn.LocalResponseNorm(2, 1e-3, 0.5, 2.0))", name="repr"),
    Row("nn.LayerNorm(4, dtype=torch.float64).weight.dtype"),
    *(Row(f"nn.CrossMapLRN2d({n}, alpha=1.0)(x)", x=randn(2, 7, 2, 2), grad_fn=False) for n in (1, 2, 3, 4, 5, 8)),
    Row("nn.CrossMapLRN2d(3)(torch.ones(2, 3))"),
)

test_short_rows = rows(*(Row("F.layer_norm(x * 3 + 1, (x.shape[-1],))", x=randn(4, n), exact=True, name=f"{n}") for n in (1, 2, 3, 5, 7)))
