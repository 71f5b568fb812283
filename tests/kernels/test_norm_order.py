"""Normalisations in PyTorch's order of additions: bit for bit what PyTorch gave."""

import pytest

from flambeau.kernels.compiler import usable
from harness import parity

pytestmark = pytest.mark.skipif(not usable(), reason="kernels are not compiled here")


def _integers(torch, t):
    return t.detach().contiguous().view(torch.int32 if t.element_size() == 4 else torch.int64)


def numbers(torch, *shape):
    return torch.rand(*shape) * 4 - 1.7


def results(torch, threads, function, *inputs):
    """The bits of what a function gives, and of its gradients."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        leaves = [x.clone().requires_grad_() for x in inputs]
        out = function(*leaves)
        out.backward(numbers(torch, *out.shape).to(out.dtype))
    finally:
        torch.set_num_threads(before)
    return [_integers(torch, t) for t in (out, *[x.grad for x in leaves])]


@pytest.mark.parametrize("count", [1, 3, 7, 8, 10, 17, 64, 100, 257, 513, 1100, 5000])
@parity
def test_layer_norm(torch, count):
    def normal(x, *parameters):
        return torch.nn.functional.layer_norm(x, (count,), *parameters)

    x, weight, bias = numbers(torch, 3 if count > 64 else 11, count), numbers(torch, count), numbers(torch, count)
    found = results(torch, 2, normal, x, weight, bias)
    if count < 1000:
        found += results(torch, 1, normal, x, weight)[:1]
        found += results(torch, 1, lambda x, bias: normal(x, None, bias), x, bias)
        found += results(torch, 1, normal, x)
        found += results(torch, 1, lambda x: normal(x, weight, bias), x)
    if count < 500:
        found += results(torch, 1, normal, x, weight, bias)
        found += results(torch, 2, normal, *(t.double() for t in (x, weight, bias)))
    return found
