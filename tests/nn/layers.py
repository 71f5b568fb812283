"""One layer, run in PyTorch and here: what the tests of several files of layers share."""

from typing import Any


def run_layer(torch: Any, make: str, inputs: str) -> tuple[Any, ...]:
    """Construction with the initial values, repr, forward, backward, the names in its state, and the layer in evaluation.

    make: an expression of `nn` and `torch`; inputs: one of `torch`, a list of tensors. Of several results the first counts.
    """
    names = {"nn": torch.nn, "torch": torch}
    layer = eval(make, names)
    tensors = eval(inputs, names)
    leaves = [t.requires_grad_() if t.is_floating_point() else t for t in tensors]
    out = layer(*leaves)
    out = out[0] if isinstance(out, tuple) else out
    weights = torch.linspace(0.5, 2, out.numel(), dtype=torch.float64).to(out.dtype).view(out.shape)
    (out * weights).sum().backward()
    grads = [t.grad for t in leaves if t.is_floating_point()] + [p.grad for p in layer.parameters()]
    quiet = layer.eval()(*[t.detach() for t in leaves])
    quiet = quiet[0] if isinstance(quiet, tuple) else quiet
    return repr(layer), dict(layer.state_dict()), out.detach(), out.grad_fn and out.grad_fn.name(), grads, quiet
