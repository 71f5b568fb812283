"""Sums in PyTorch's order: bit for bit what the rule gives, and what PyTorch gave."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flambeau
from flambeau.kernels import reduction
from flambeau.kernels.compiler import threads, usable
from harness import parity

pytestmark = pytest.mark.skipif(not usable(), reason="kernels are not compiled here")


def cascade(terms):
    """Chains of 2^p additions whose totals go up from one accumulator to the next."""
    power = max(4, (len(terms) - 1).bit_length() // 4) if terms else 4
    levels = [np.zeros_like(terms[0]) for _ in range(4)] if terms else [0.0] * 4
    for i, term in enumerate(terms, 1):
        levels[0] = levels[0] + term
        for level in range(1, 4):
            if i % (1 << (level * power)):
                break
            levels[level], levels[level - 1] = levels[level] + levels[level - 1], np.zeros_like(term)
    return ((levels[0] + levels[1]) + levels[2]) + levels[3]


def four_chains(terms):
    whole = len(terms) // 4 * 4
    first, *others = (cascade(terms[c:whole:4]) for c in range(4))
    for term in terms[whole:]:
        first = first + term
    for other in others:
        first = first + other
    return np.asarray(first, terms[0].dtype)


def of_columns(x, register):
    """x: (n, inner)."""
    columns, terms = x.shape[1], list(x)
    whole = columns // (4 * register) * (4 * register)
    if columns < register:
        whole = 4 if columns >= 4 else 0
    return np.concatenate([cascade(terms)[:whole], four_chains(terms)[whole:]])


def of_row(x, register):
    if len(x) < register:
        return four_chains(list(x.reshape(-1, 1)))[0]
    whole = len(x) // register * register
    lanes = four_chains(list(x[:whole].reshape(-1, register)))
    total = x.dtype.type(0)
    for value in (*x[whole:], *lanes):
        total = total + value
    return total


SIZES = st.one_of(st.integers(1, 10), st.sampled_from([15, 16, 17, 31, 32, 33, 64, 65, 130, 257, 300, 530]))


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 3), SIZES, SIZES, st.sampled_from([np.float32, np.float64]), st.booleans(), st.integers(0, 99))
def test_the_rule(outer, n, inner, dtype, mean, seed):
    x = np.random.RandomState(seed).standard_normal((outer, n, inner)).astype(dtype)
    register = 32 // x.itemsize
    if inner == 1:
        expected = np.stack([of_row(part[:, 0], register) for part in x])[:, None]
    else:
        expected = np.stack([of_columns(part, register) for part in x])
    found = reduction.mean(x, (1,), False, n) if mean else reduction.sum(x, (1,))
    assert found.tobytes() == (expected / dtype(n) if mean else expected).tobytes()
    if x.size <= reduction.ORDERED:
        flat = reduction.sum(x, (0, 1, 2), True)
        assert flat.shape == (1, 1, 1) and flat.ravel()[0] == of_row(x.reshape(-1), register)


@pytest.mark.parametrize("shape", [(200, 300), (7, 5000), (5000, 7), (3, 40, 50), (100, 6)])
@parity
def test_the_bits_are_pytorchs(torch, shape):
    x = (torch.arange(torch.Size(shape).numel()) * 0.37).remainder(2.9).sub(1.4).view(shape)
    y = x.double().div(3)
    return [x.sum(0).view(torch.int32), x.sum(-1).view(torch.int32), x.mean(1).view(torch.int32), y.sum(0).view(torch.int64)]


def test_threads_do_not_matter():
    x = flambeau.randn(3000, 200)
    count = threads.count()
    found = []
    try:
        for n in (1, 2, 3):
            threads.set_count(n)
            found.append((x.sum(0).tolist(), x.sum(1).tolist()))
    finally:
        threads.set_count(count)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("size", [32_769, 50_000, 70_001, 300_003])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_of_a_large_array_is_added_up_in_parts_for_threads(size, dtype):
    x = np.random.RandomState(0).standard_normal(size).astype(dtype)
    count = threads.count()
    try:
        for n in (1, 2, 3, 8):
            threads.set_count(n)
            parts = min(n, -(-size // 32_768))
            each = -(-size // parts)
            sums = [of_row(x[start : start + each], 32 // x.itemsize) for start in range(0, size, each)]
            expected = of_row(np.array(sums + [0] * (n - len(sums)), dtype), 32 // x.itemsize)
            found = [reduction.sum(x), reduction.sum(x.reshape(1, -1), (0, 1)), reduction.sum(x.reshape(-1, 1, 1))]
            assert [total.tobytes() for total in found] == [expected.tobytes()] * 3
    finally:
        threads.set_count(count)


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "binary_cross_entropy_with_logits"])
@parity(exact=True)
def test_means_of_many(torch, name):
    x = (torch.arange(60_000) * 0.37).remainder(2.9).sub(1.4)
    y = (torch.arange(60_000) * 0.73).remainder(1.0)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        return getattr(torch.nn.functional, name)(x, y), x.sum(), x.mean(), x.view(300, 200).t().sum(), x.double().sum()
    finally:
        torch.set_num_threads(before)
