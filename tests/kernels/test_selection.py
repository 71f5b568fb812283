"""The order of equal values in `topk`."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flambeau.kernels.selection import heap_select, introsort, top_order
from harness import real_torch


@given(st.lists(st.integers(0, 5), min_size=1, max_size=200), st.data())
def test_is_sorted(keys: list[int], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(keys)))
    order = top_order([float(key) for key in keys], k)
    assert len(set(order)) == k
    assert [keys[place] for place in order] == sorted(keys)[:k]


def test_equal_values_come_as_from_pytorch() -> None:
    """Stored from PyTorch 2.13: `torch.topk` of ten values of which eight are equal, and one of a thousand."""
    assert top_order([-5.0, 0, 0, 0, -2, 0, 0, 0, 0, 0], 6) == [0, 4, 7, 5, 8, 9]
    assert top_order([-1.0 if i == 500 else 0.0 for i in range(1000)], 6) == [500, 1, 3, 4, 0, 2]


def test_against_pytorch() -> None:
    torch = real_torch()
    if torch is None:
        pytest.skip("needs PyTorch")
    draw = random.Random(0)
    for _ in range(500):
        n = draw.randint(1, draw.choice([5, 20, 100, 1500]))
        k = draw.choice([draw.randint(1, n), max(1, n // 64)])
        different = draw.choice([1, 2, 5, 50])
        values = [float(draw.randrange(different)) for _ in range(n)]
        assert top_order([-value for value in values], k) == torch.topk(torch.tensor(values), k)[1].tolist()


@pytest.mark.parametrize("n", [1, 2, 17, 40])
def test_where_quicksort_gives_up(n: int) -> None:
    """With no depth left, stretches are sorted by heap."""
    keys = [float(key) for key in random.Random(n).sample(range(100), n)]
    order = list(range(n))
    introsort(order, keys, 0, n, 0)
    if n > 16:
        assert [keys[place] for place in order] == sorted(keys)
    order = list(range(n))
    heap_select(order, keys, 0, (n + 1) // 2, n)
    assert sorted(keys[place] for place in order[: (n + 1) // 2]) == sorted(keys)[: (n + 1) // 2]
