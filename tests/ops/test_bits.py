"""Operators bit for bit: float32, compared exactly with what PyTorch computes on an x86 CPU with fused products."""

import numpy as np
import pytest

from flambeau.kernels.compiler import machine, square_root, usable
from harness import parity

compiled = pytest.mark.skipif(not (usable() and "fma" in machine.features()), reason="products are not fused with sums")


def tensors(torch, count, shape=(5, 23)):
    random = np.random.RandomState(0)
    return [torch.tensor(random.standard_normal(shape).tolist()) for _ in range(count)]


@compiled
@pytest.mark.parametrize("weight", [0.1, 0.5, 0.7, -0.2, 1.5])
@parity(exact=True)
def test_lerp(torch, weight):
    x, y = tensors(torch, 2)
    return torch.lerp(x, y, weight), x.clone().lerp_(y, weight), torch.lerp(x, y[0], torch.tensor(weight)), torch.lerp(x, y, y * x)


@compiled
@parity(exact=True)
def test_fused_products(torch):
    x, y, z = tensors(torch, 3)
    return (
        torch.addcmul(x, y, z), torch.addcmul(x, y, z, value=0.3), x.clone().addcmul_(y, z[0], value=-2.7),
        torch.addcdiv(x, y, z, value=0.3), torch.add(x, y, alpha=0.3), torch.add(x[0], y, alpha=0.3), torch.sub(x, y, alpha=0.3),
        torch.rsub(x, y, alpha=0.3), x.clone().sub_(y, alpha=1.7), torch.add(x[:, ::2], y[:, ::2], alpha=0.3),
    )  # fmt: skip


@compiled
@pytest.mark.skipif(not square_root.estimated(), reason="PyTorch's square root is another one here")
@parity(exact=True)
def test_sqrt(torch):
    (x,) = tensors(torch, 1, (1001,))
    odd = torch.tensor([0.0, -0.0, float("inf"), -1.0, float("nan"), 1e-40, 2e-38, 1e38])
    return x.abs().sqrt(), (x * x)[::2].sqrt(), x.abs() ** 0.5, x.abs().rsqrt(), (x * 1e-18).abs().sqrt_(), odd.sqrt(), x[:3].abs().sqrt()


@compiled
@pytest.mark.parametrize("mask", ["none", "added", "bool", "causal"])
@pytest.mark.parametrize("sizes", [(2, 3, 40, 40, 16, 16), (2, 2, 7, 7, 8, 8), (1, 2, 33, 50, 16, 20), (1, 1, 201, 197, 16, 16)], ids=str)
@pytest.mark.skipif(machine.vector_bits() < 512, reason="PyTorch adds up narrower vectors here")
@parity(exact=True)
def test_attention_with_dropout(torch, sizes, mask):
    batch, heads, length, source, width, outer = sizes
    random = np.random.RandomState(0)
    shapes = [(batch, heads, n, e) for n, e in ((length, width), (source, width), (source, outer), (length, outer))]
    query, key, value, grad = (torch.tensor(random.standard_normal(shape).tolist()).requires_grad_() for shape in shapes)
    scores = random.standard_normal((length, source))
    given = {"none": None, "causal": None, "added": torch.tensor(scores.tolist()), "bool": torch.tensor((scores < 0.7).tolist())}[mask]
    torch.manual_seed(3)
    result = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=given, dropout_p=0.1, is_causal=mask == "causal")
    gradients = torch.autograd.grad(result, [query, key, value], grad)
    return [x.detach().reshape(-1)[::7].clone() for x in (result, *gradients)]


@compiled
@pytest.mark.parametrize("mask", ["none", "added", "per key", "bool", "causal"])
@pytest.mark.parametrize(
    "sizes", [(2, 3, 32, 32, 16), (1, 2, 70, 40, 24), (2, 2, 17, 90, 32), (1, 1, 200, 196, 20), (1, 1, 300, 700, 64), (1, 1, 800, 800, 12)],
    ids=str,
)  # fmt: skip
@pytest.mark.skipif(machine.vector_bits() < 512, reason="PyTorch adds up narrower vectors here")
@parity(exact=True)
def test_attention(torch, sizes, mask):
    batch, heads, length, source, width = sizes
    random = np.random.RandomState(0)
    shapes = [(batch, heads, n, width) for n in (length, source, source, length)]
    query, key, value, grad = (torch.tensor(random.standard_normal(shape).tolist()).requires_grad_() for shape in shapes)
    scores = random.standard_normal((length, source))
    given = {
        "added": torch.tensor(scores.tolist()),
        "per key": torch.tensor(scores[:1].tolist()),
        "bool": torch.tensor((scores < 0.7).tolist()),
    }
    result = torch.nn.functional.scaled_dot_product_attention(query, key, value, given.get(mask), is_causal=mask == "causal")
    gradients = torch.autograd.grad(result, [query, key, value], grad)
    return [x.detach().reshape(-1)[::37].clone() for x in (result, *gradients)]


@compiled
@pytest.mark.skipif(machine.vector_bits() < 512, reason="PyTorch adds up in another order here")
@parity(exact=True)
def test_bias_of_a_batch_in_another_order(torch):
    x, weight, bias = (tensors(torch, 1, shape)[0] for shape in ((16, 16, 300), (16, 300), (16,)))
    linear = torch.nn.functional.linear
    return linear(x, weight, bias), linear(x.transpose(0, 1), weight, bias), linear(x[:, ::2], weight, bias)


@compiled
@pytest.mark.parametrize(
    "shape, dims", [((33, 5, 77), (0, 2)), ((4, 5, 6, 20), (0, 2, 3)), ((4, 5, 6, 20), (0, 2)), ((60, 2, 3), (0, 2))], ids=str
)
@parity(exact=True)
def test_sums_over_dimensions_apart(torch, shape, dims):
    (x,) = tensors(torch, 1, shape)
    return x.sum(dims), x.sum(dims, keepdim=True), x.mean(dims)


@compiled
@pytest.mark.parametrize("sizes", [(5, 4, 6), (16, 16, 16), (40, 300, 24)], ids=str)
@pytest.mark.skipif(machine.vector_bits() < 512, reason="PyTorch adds up in another order here")
@parity(exact=True)
def test_products_with_numbers(torch, sizes):
    m, k, n = sizes
    c, a, b = (tensors(torch, 1, shape)[0] for shape in ((3, m, n), (3, m, k), (3, k, n)))
    made = []
    for numbers in ({}, {"alpha": 0.3}, {"beta": 0.7}, {"alpha": 0.3, "beta": 0.7}):
        made += [torch.baddbmm(c, a, b, **numbers), torch.baddbmm(c[0], a, b, **numbers)]
        if m > 12:
            made += [torch.addmm(summand, a[0], b[0], **numbers) for summand in (c[0], c[0, 0])]
            made += [torch.addbmm(c[0], a, b, **numbers)]
    return made


@compiled
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@parity(exact=True)
def test_norms(torch, dtype):
    x = tensors(torch, 1, (40_000,))[0].to(getattr(torch, dtype))
    norm = torch.linalg.vector_norm
    rows = x[:1500].view(30, 50)
    return (
        [x[:n].norm() for n in (1, 2, 3, 5, 7, 8, 41, 103, 1000)],
        norm(rows, dim=1),
        norm(rows, dim=0),
        norm(rows.view(5, 6, 50), dim=(1, 2)),
        rows.t().norm(),
        torch.nn.functional.normalize(rows),
        torch.nn.utils.get_total_norm([x[i * 7 : i * 900 + 1] for i in range(41)]),
    )


@compiled
@pytest.mark.parametrize("size", [7, 100, 3001])
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy_with_logits"])
@parity(exact=True)
def test_means_of_losses(torch, name, size):
    x, target = tensors(torch, 2, (size,))
    if name.startswith("binary"):
        target = target.clamp(0, 1)
    x.requires_grad_()
    loss = getattr(torch.nn.functional, name)(x, target)
    return loss.detach(), torch.autograd.grad(loss, x)[0][::7].clone()


@compiled
@pytest.mark.parametrize("sizes", [(7, 8, 7), (3, 4, 5), (4, 3, 33), (1, 20, 10), (5, 79, 1)], ids=str)
@parity(exact=True)
def test_small_batches_of_matrices(torch, sizes):
    m, k, n = sizes
    x, y = tensors(torch, 1, (3, m, k))[0], tensors(torch, 1, (3, k, n))[0]
    return x @ y, torch.bmm(x, y.transpose(1, 2).contiguous().transpose(1, 2)), x.transpose(1, 2).contiguous().transpose(1, 2) @ y[:1]


@compiled
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@parity(exact=True)
def test_gradients_of_what_was_broadcast(torch, dtype):
    """Their sums have one order, before and after the operators are compiled for small arrays."""
    random = np.random.RandomState(0)
    found = []
    for shape, small in (
        ((8, 5), (5,)),
        ((8, 5), (8, 1)),
        ((8, 5), ()),
        ((64, 17), (17,)),
        ((2, 3, 4), (3, 1)),
        ((2, 3, 4), (2, 1, 1)),
        ((33,), (1,)),
    ):
        x, y = (torch.tensor(random.standard_normal(s), dtype=getattr(torch, dtype)) for s in (shape, small))
        for operation in (torch.add, torch.sub, torch.mul, torch.div):
            y = y.abs().add(0.5).requires_grad_()
            for turn in range(230):
                (grad,) = torch.autograd.grad(operation(x, y), y, x)
                if turn in (0, 229):
                    found.append(grad)
    return found
