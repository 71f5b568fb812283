"""Products of float32 in the order in which PyTorch adds them up: bit for bit what PyTorch gave."""

import sys

import pytest

from flambeau.kernels.compiler import usable
from harness import parity

pytestmark = pytest.mark.skipif(not usable(), reason="kernels are not compiled here")


@pytest.fixture(autouse=True)
def two_threads():
    """PyTorch's products of 5 to 11 rows are cut for its threads; flambeau's are as with two, whatever their number."""
    import flambeau

    libraries = [flambeau]
    if "torch" in sys.modules:
        libraries.append(sys.modules["torch"])
    before = [library.get_num_threads() for library in libraries]
    for library in libraries:
        library.set_num_threads(2)
    yield
    for library, count in zip(libraries, before):
        library.set_num_threads(count)


def numbers(torch, *shape):
    return torch.rand(shape) * 4 - 1.7


def bits(torch, x):
    return x.contiguous().view(torch.int32)


def turned(x):
    """The same matrix with contiguous columns."""
    return x.t().contiguous().t()


ROWS = [2, 3, 4, 5, 7, 11, 12, 33]
COLUMNS = [2, 3, 4, 5, 9, 10, 12, 16, 17, 50]


@pytest.mark.parametrize("rows", ROWS)
@parity
def test_small_products(torch, rows):
    """Fewer than 12 rows or columns go another way than larger ones; rows of any alignment."""
    found = []
    for columns in COLUMNS:
        for k in (1, 3, 4, 7, 16, 17, 30, 64, 129, 200):
            x, w, bias = numbers(torch, rows, k), numbers(torch, columns, k), numbers(torch, columns)
            given = [torch.nn.functional.linear(x, w, bias), turned(x) @ w.t(), x @ w.t().contiguous(), turned(x) @ w.t().contiguous()]
            if columns < 12:
                given += [torch.addmm(bias, x, w.t().contiguous()), torch.nn.functional.linear(x, turned(w), bias)]
            found.append(bits(torch, torch.cat(given)).sum(0))
    return found


@pytest.mark.parametrize("shape", [(8, 784, 128), (32, 784, 128), (32, 128, 10), (5, 512, 64), (40, 400, 33), (3, 1000, 7)], ids=str)
@parity
def test_long_products(torch, shape):
    rows, k, columns = shape
    x, w, bias = numbers(torch, rows, k), numbers(torch, columns, k), numbers(torch, rows, columns)
    found = [torch.nn.functional.linear(x, w, bias[0]), torch.addmm(bias, x, w.t())]
    return [bits(torch, y).sum(0) for y in found]


@parity
def test_rows_that_begin_elsewhere(torch):
    """The sums of a row depend on where it begins: views as PyTorch has them."""
    x, w = numbers(torch, 200), numbers(torch, 6, 13)
    return [bits(torch, torch.nn.functional.linear(x[start : start + 52].view(4, 13), w)) for start in range(5)]
