"""`torch.nn.grad` and batch norms folded into the layer before."""

import importlib

import pytest

from harness import parity


@pytest.mark.parametrize("n", [1, 2, 3])
@parity
def test_gradients_of_convolutions(torch, n):
    G = importlib.import_module(f"{torch.__name__}.nn.grad")
    x, weight = torch.randn(2, 4, *[6] * n), torch.randn(6, 2, *[3] * n)
    out = getattr(torch.nn.functional, f"conv{n}d")(x, weight, stride=2, padding=1, groups=2)
    grad = torch.randn_like(out)
    options = dict(stride=2, padding=1, groups=2)
    return (
        getattr(G, f"conv{n}d_input")(x.shape, weight, grad, **options),
        getattr(G, f"conv{n}d_weight")(x, weight.shape, grad, **options),
    )


@pytest.mark.parametrize("layer", ["Conv1d", "Conv2d", "ConvTranspose2d", "Linear", "Linear without bias"])
@parity
def test_fusion(torch, layer):
    nn, utils = torch.nn, importlib.import_module(f"{torch.__name__}.nn.utils")
    made = {
        "Conv1d": lambda: (nn.Conv1d(2, 3, 2), nn.BatchNorm1d(3), (2, 2, 5)),
        "Conv2d": lambda: (nn.Conv2d(2, 3, 2, bias=False), nn.BatchNorm2d(3), (2, 2, 5, 5)),
        "ConvTranspose2d": lambda: (nn.ConvTranspose2d(2, 3, 2), nn.BatchNorm2d(3, affine=False), (2, 2, 5, 5)),
        "Linear": lambda: (nn.Linear(4, 3), nn.BatchNorm1d(3), (2, 4)),
        "Linear without bias": lambda: (nn.Linear(4, 3, bias=False), nn.BatchNorm1d(1), (2, 4)),
    }
    first, norm, shape = made[layer]()
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    first.eval()
    norm.eval()
    fused = utils.fuse_linear_bn_eval(first, norm) if "Linear" in layer else utils.fuse_conv_bn_eval(first, norm, "Transpose" in layer)
    return fused(torch.randn(*shape)).detach(), fused.weight.detach(), fused.bias.detach(), fused.bias.requires_grad, repr(fused)


@pytest.mark.parametrize("what", ["training", "sizes", "statistics"])
@parity
def test_what_cannot_be_fused(torch, what):
    nn, utils = torch.nn, importlib.import_module(f"{torch.__name__}.nn.utils")
    if what == "training":
        utils.fuse_conv_bn_eval(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    elif what == "sizes":
        utils.fuse_linear_bn_eval(nn.Linear(2, 4).eval(), nn.BatchNorm1d(5).eval())
    else:
        utils.fuse_conv_bn_eval(nn.Conv2d(1, 1, 1).eval(), nn.BatchNorm2d(1, track_running_stats=False).eval())
