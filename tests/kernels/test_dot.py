"""The dot product in the order in which PyTorch adds it up: bit for bit what PyTorch gave, compiled or in NumPy."""

import numpy as np
import pytest

import flambeau
from flambeau.kernels import matmul
from flambeau.kernels.compiler import usable
from harness import parity

LENGTHS = [0, 1, 2, 3, 4, 5, 7, 8, 11, 15, 16, 17, 23, 31, 40, 64, 100, 129, 1000, 4099]


def vectors(torch, dtype, n, step=1):
    random = np.random.RandomState(n)
    return [torch.tensor(random.standard_normal(step * n + 8), dtype=getattr(torch, dtype)) for _ in range(2)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@parity(exact=True)
def test_lengths_and_functions(torch, dtype):
    found = []
    for n in LENGTHS:
        a, b = (x[:n].clone() for x in vectors(torch, dtype, n))
        found.append((a.dot(b), torch.vdot(a, b), a @ b, torch.linalg.vecdot(a, b)))
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@parity(exact=True)
def test_any_alignment(torch, dtype):
    """Elements before a multiple of 16 bytes are added up on their own."""
    a, b = vectors(torch, dtype, 60)
    return [a[i : i + n].dot(b[j : j + n]) for n in (1, 2, 3, 6, 9, 25, 60) for i in range(5) for j in range(5)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@parity(exact=True)
def test_strides(torch, dtype):
    a, b = vectors(torch, dtype, 50, 3)
    return [a[: i * n : i].dot(b[: j * n : j]) for n in (1, 2, 3, 6, 9, 25, 50) for i, j in ((1, 2), (2, 1), (3, 3))]


@parity(exact=True)
def test_zeros_and_odd_numbers(torch):
    zero, odd = torch.tensor([-0.0, -0.0, -0.0]), torch.tensor([1.0, float("inf"), 3.0, float("nan")])
    return (1 / zero.dot(-zero)), odd[:3].dot(odd[:3]), odd.dot(odd), odd[1:2].dot(zero[:1])


@parity(exact=True)
def test_tensors_contracted_to_a_number(torch):
    a, b = (x[:48] for x in vectors(torch, "float32", 48))
    found = [torch.tensordot(a.view(4, 12), b.view(4, 12)), torch.tensordot(a.view(2, 3, 8), b.view(2, 3, 8), 3), torch.inner(a, b)]
    return found, torch.tensordot(a[0], b[0], 0)


@parity
def test_gradients_of_tensors_contracted_to_a_number(torch):
    """In other memory orders than row-major the products are summed."""
    a, b = (x[:48].clone().requires_grad_() for x in vectors(torch, "float32", 48))
    results = [
        torch.tensordot(a.view(4, 12), b.view(4, 12), 2),
        torch.tensordot(a.view(6, 8).T, b.view(8, 6), 2),
        torch.tensordot(a[::2], b[:24], 1),
        torch.inner(a, b),
    ]
    return results, [torch.autograd.grad(r, [a, b]) for r in results]


@pytest.mark.skipif(not usable(), reason="kernels are not compiled here")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_both_lowerings_agree(dtype):
    random = np.random.RandomState(0)
    memory = [random.standard_normal(9000).astype(dtype) for _ in range(2)]
    for _ in range(300):
        n, (i, j), (s, t) = random.randint(3000), random.randint(9, size=2), random.choice([1, 1, 1, 2, 3], 2)
        a, b = memory[0][i : i + n * s : s][:n], memory[1][j : j + n * t : t][:n]
        n = min(len(a), len(b))
        assert matmul.inner(a[:n], b[:n]) == matmul._inner(a[:n], b[:n], 16 // a.itemsize)


@parity
def test_gradients(torch):
    a, b = (x[:9].clone().requires_grad_() for x in vectors(torch, "float64", 9))
    grads = torch.autograd.grad(a.dot(b) ** 2, [a, b], create_graph=True)
    return grads, torch.autograd.grad((grads[0] * grads[1]).sum(), [a, b])


def test_long_vectors_need_no_memory():
    import tracemalloc

    if not usable():
        pytest.skip("NumPy's lowering multiplies first")
    a = flambeau.ones(1 << 18)
    a.dot(a)
    tracemalloc.start()
    try:
        assert a.dot(a).item() == 1 << 18
        assert tracemalloc.get_traced_memory()[1] < 1 << 14
    finally:
        tracemalloc.stop()
