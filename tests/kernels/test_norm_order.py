"""Normalisations in PyTorch's order of additions: bit for bit what PyTorch gave."""

import pytest

from flambeau.kernels.compiler import usable
from harness import parity

pytestmark = pytest.mark.skipif(not usable(), reason="kernels are not compiled here")


def _integers(torch, t):
    return t.detach().contiguous().view(torch.int32 if t.element_size() == 4 else torch.int64)


def numbers(torch, *shape):
    return torch.rand(shape) * 4 - 1.7


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


SHAPES = [(32, 10), (5, 3), (6, 15), (2, 20), (300, 33), (4, 130), (3, 5, 1), (4, 5, 33), (3, 4, 5, 7), (2, 3, 20, 20), (2, 6, 2, 2, 2)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@parity
def test_batch_norm(torch, shape):
    channels = shape[1]
    x = numbers(torch, *shape)
    given = numbers(torch, channels), numbers(torch, channels)
    running = [numbers(torch, channels), torch.rand(channels) + 0.1]
    found = []

    def normal(training):
        return lambda x, *parameters: torch.nn.functional.batch_norm(x, *running, *parameters, training=training)

    for threads in (1, 2):
        found += results(torch, threads, normal(True), x, *given)
        found += [_integers(torch, t) for t in running]
    found += results(torch, 2, normal(True), x)
    found += results(torch, 1, normal(False), x, *given)
    if len(shape) == 4:
        found += results(torch, 2, lambda x, *given: normal(True)(x.to(memory_format=torch.channels_last), *given), x, *given)[:1]
    return found


@pytest.mark.parametrize("shape", [(64, 100), (4, 6, 20, 20)], ids=str)
@parity
def test_batch_norm_of_a_broadcast_gradient(torch, shape):
    x, weight = numbers(torch, *shape).requires_grad_(), numbers(torch, shape[1]).requires_grad_()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        torch.nn.functional.batch_norm(x, None, None, weight, None, True).sum().backward()
    finally:
        torch.set_num_threads(before)
    return _integers(torch, x.grad), _integers(torch, weight.grad)


@parity
def test_instance_norm(torch):
    return results(torch, 1, torch.nn.functional.instance_norm, numbers(torch, 3, 4, 6, 7))


@pytest.mark.parametrize(
    "shape, dim", [((9, 77), -1), ((50, 6), 0), ((5,), None), ((3, 4, 5), 1), ((300, 400), 0), ((300, 400), 1)], ids=str
)
@parity
def test_spread(torch, shape, dim):
    x = numbers(torch, *shape)
    found = []
    for function in (torch.var, torch.std):
        found += results(torch, 1, lambda x, f=function: f(x, dim), x)
        found += results(torch, 1, lambda x, f=function: f(x, dim, correction=0), x)
    return found + [_integers(torch, torch.var_mean(x, dim)[0]), _integers(torch, torch.std_mean(x, dim)[0])]


@pytest.mark.parametrize(
    "shape, groups",
    [
        ((3, 16, 4, 5), 4),
        ((2, 6, 35), 3),
        ((3, 32, 49), 2),
        ((5, 24, 64), 1),
        ((6, 12), 3),
        ((2, 40, 5), 2),
        ((3, 9, 7), 9),
        ((4, 60, 11), 3),
    ],
    ids=str,
)
@parity
def test_group_norm(torch, shape, groups):
    def normal(x, *parameters):
        return torch.nn.functional.group_norm(x, groups, *parameters)

    x, weight, bias = numbers(torch, *shape), numbers(torch, shape[1]), numbers(torch, shape[1])
    return (
        results(torch, 1, normal, x, weight, bias)
        + results(torch, 2, normal, x, weight, bias)
        + results(torch, 2, normal, *(t.double() for t in (x, weight, bias)))
        + [_integers(torch, normal(x, *parameters)) for parameters in ((), (weight,), (None, bias))]
    )


@pytest.mark.parametrize("shape", [(7, 10), (20, 5), (50, 64), (3, 4, 100), (30, 513), (3, 4096), (6, 1), (1, 9)], ids=str)
@parity
def test_rms_norm(torch, shape):
    def normal(x, *weight):
        return torch.nn.functional.rms_norm(x, shape[-1:], *weight)

    x, weight = numbers(torch, *shape), numbers(torch, shape[-1])
    found = results(torch, 2, normal, x, weight) + results(torch, 1, normal, x)
    return found + results(torch, 1, normal, x.double(), weight.double()) if shape[-1] < 200 else found
