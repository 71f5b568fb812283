"""`linalg.ldl_factor` and `ldl_solve`."""

import numpy as np
import pytest

import flambeau
from harness import parity

CALLS = """
L.ldl_factor(a)
L.ldl_factor_ex(torch.stack([a, a * 2 + torch.eye(3), torch.eye(3)]))
L.ldl_factor_ex(torch.zeros(2, 2))
L.ldl_factor(torch.ones(2, 3))
L.ldl_factor(torch.ones(2))
L.ldl_factor(torch.ones(2, 2, dtype=torch.int64))
L.ldl_factor(torch.ones(2, 2).half())
L.ldl_factor(torch.ones(0, 0))
L.ldl_factor(c, hermitian=True)
L.ldl_factor(c)
L.ldl_solve(*L.ldl_factor(a), torch.ones(3, 2))
L.ldl_solve(*L.ldl_factor(torch.stack([a, a + 9 * torch.eye(3)])), torch.ones(3, 2))
L.ldl_solve(*L.ldl_factor(c, hermitian=True), torch.ones(3, 1, dtype=torch.complex64), hermitian=True)
L.ldl_solve(*L.ldl_factor(a), torch.ones(3))
L.ldl_solve(*L.ldl_factor(a), torch.ones(2, 1))
L.ldl_solve(*L.ldl_factor(a), torch.ones(3, 1).double())
L.ldl_solve(a, torch.tensor([1, 2]), torch.ones(3, 1))
L.ldl_solve(a, torch.ones(3), torch.ones(3, 1))
L.ldl_solve(a[:2], torch.tensor([1, 2, 3]), torch.ones(3, 1))
L.ldl_factor(a.T).LD.stride()
"""


@pytest.mark.parametrize("call", CALLS.strip().splitlines())
@parity(rtol=1e-5, atol=1e-6)
def test_calls(torch, call):
    a = torch.tensor([[0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [2.0, 3.0, 0.0]])
    c = torch.complex(a, torch.tensor([[0.0, 1.0, 2.0], [-1.0, 0.0, 3.0], [-2.0, -3.0, 0.0]]))
    return eval(call, {"L": torch.linalg, "torch": torch, "a": a, "c": c})


def test_singular():
    with pytest.raises(RuntimeError, match=r"torch\.linalg\.ldl_factor: Unknown error code: 1"):
        flambeau.linalg.ldl_factor(flambeau.zeros(2, 2))


@pytest.mark.parametrize("hermitian", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 30])
def test_factors_solve(n, dtype, hermitian):
    """Matrices whose small diagonals ask for blocks of two."""
    torch, g = flambeau, np.random.default_rng(n)
    a = g.standard_normal((4, n, n)).astype(dtype)
    if dtype == "complex128":
        a = a + 1j * g.standard_normal((4, n, n))
    a = a + (a.conj() if hermitian else a).swapaxes(-1, -2)
    a[:, range(n), range(n)] *= 0.1
    b = g.standard_normal((4, n, 2)).astype(dtype)
    factors, pivots = torch.linalg.ldl_factor(torch.from_numpy(a), hermitian=hermitian)
    x = torch.linalg.ldl_solve(factors, pivots, torch.from_numpy(b), hermitian=hermitian)
    np.testing.assert_allclose(a @ x.numpy(), b, rtol=1e-8, atol=1e-8)
    assert n < 7 or (pivots < 0).any()
