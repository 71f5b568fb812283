"""Results that are written past the caches: each element is written, and nothing beside them."""

import numpy as np
import pytest

from flambeau.kernels.compiler import map_kernel, streaming, usable

pytestmark = pytest.mark.skipif(not usable(), reason="kernels are not compiled here")


def sum_of_products(row, out, x, y, number):
    def body(i):
        out[i] = x[i] * y[i] + number

    row.each(body)


def is_larger(row, out, x, y, number):
    def body(i):
        out[i] = x[i] > y[i] + number

    row.each(body)


@pytest.fixture
def small(monkeypatch):
    """Few elements count as many."""
    monkeypatch.setattr(streaming, "LARGE", 1024)


@pytest.mark.parametrize("size", [1100, 4096, 70_001])
@pytest.mark.parametrize("offset", [0, 1, 5, 16])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_every_element_is_written_wherever_the_result_begins(small, dtype, offset, size):
    kernel = map_kernel("out:f x:f y:f", 1, halves=True)(sum_of_products)
    x, y = np.random.RandomState(size).randn(2, size).astype(dtype)
    room = np.full(size + 64, 7, dtype)
    kernel.version(np.dtype(dtype))(room[offset : offset + size], x, y, 0.5)
    assert (room[:offset] == 7).all() and (room[offset + size :] == 7).all()
    wide = np.float64 if dtype == np.float64 else np.float32
    wanted = (x.astype(wide) * y + wide(0.5)).astype(dtype)
    np.testing.assert_allclose(room[offset : offset + size].astype(wide), wanted.astype(wide), rtol=1e-3 if dtype == np.float16 else 1e-6)


@pytest.mark.parametrize("offset", [0, 3])
def test_a_boolean_result(small, offset):
    kernel = map_kernel("out:i1 x:f y:f", 1)(is_larger)
    x, y = np.random.RandomState(1).randn(2, 5000).astype(np.float32)
    room = np.zeros(5100, np.bool_)
    kernel.version(np.dtype(np.float32))(room[offset : offset + 5000], x, y, 0.25)
    assert (room[offset : offset + 5000] == (x > y + np.float32(0.25))).all() and not room[offset + 5000 :].any()


def test_a_result_in_the_place_of_an_operand(small):
    kernel = map_kernel("out:f x:f y:f", 1)(sum_of_products)
    x, y = np.random.RandomState(2).randn(2, 5000)
    wanted = x * y + 0.5
    kernel.version(np.dtype(np.float64))(x, x, y, 0.5)
    np.testing.assert_allclose(x, wanted, rtol=1e-12)
