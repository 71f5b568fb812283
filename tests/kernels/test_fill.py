"""The compiled random fills against those in NumPy: the same numbers and the same state, at any size and number of threads."""

import threading
from typing import Any, Callable

import numpy as np
import pytest

import flambeau
from flambeau.core.generator import Generator
from flambeau.kernels import random, sampling
from flambeau.kernels.compiler import threads, usable
from flambeau.kernels.library import fill

pytestmark = pytest.mark.skipif(not usable(), reason="needs llvmlite")

BLOCK = fill.BLOCK
SIZES = (1, 15, 16, 17, 31, 1000, 2047, 2048, 2049, fill.ALONE + 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 17, 3 * BLOCK + fill.PIECE + 5)

FILLS: dict[str, tuple[Any, Callable[[Any, Any], Any]]] = {
    "uniform": (np.float32, lambda a, g: random.uniform_(a, 0.0, 1.0, g)),
    "uniform in bounds": (np.float32, lambda a, g: random.uniform_(a, -0.3, 1.7, g)),
    "uniform in narrow bounds": (np.float32, lambda a, g: random.uniform_(a, 1e6, 1e6 + 1, g)),
    "uniform float64": (np.float64, lambda a, g: random.uniform_(a, -2.0, 3.0, g)),
    "uniform float16": (np.float16, lambda a, g: random.uniform_(a, 0.0, 1.0, g)),
    "normal": (np.float32, lambda a, g: random.normal_(a, 0.0, 1.0, g)),
    "normal of mean and deviation": (np.float32, lambda a, g: random.normal_(a, 3.25, 0.1, g)),
    "normal float16": (np.float16, lambda a, g: random.normal_(a, 0.0, 1.0, g)),
    "exponential": (np.float32, lambda a, g: random.exponential_(a, 1.5, g)),
    "bernoulli": (np.float32, lambda a, g: random.bernoulli_(a, 0.3, g)),
    "bernoulli bool": (np.bool_, lambda a, g: random.bernoulli_(a, 0.7, g)),
    "integers": (np.int64, lambda a, g: random.random_(a, -3, 1000, g)),
    "integers of one word": (np.int32, lambda a, g: random.random_(a, None, None, g)),
    "integers uint8": (np.uint8, lambda a, g: random.random_(a, 0, 256, g)),
    "integers float32": (np.float32, lambda a, g: random.random_(a, 0, 77, g)),
    "permutation": (np.int64, lambda a, g: sampling.randperm(a.size, np.int64, g)),
}


def made(name: str, size: int, seed: int) -> tuple[bytes, bytes]:
    """The numbers, and the generator's state behind them."""
    dtype, draw = FILLS[name]
    generator = Generator().manual_seed(seed)
    return draw(np.zeros(size, dtype), generator).tobytes(), generator.state_array().tobytes()


@pytest.fixture
def count() -> Any:
    """The number of threads, put back at the end."""
    before = threads.count()
    yield threads.set_count
    threads.set_count(before)


@pytest.mark.parametrize("name", FILLS)
def test_fills_are_those_of_numpy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the sizes where the way of computing changes."""
    compiled = [made(name, size, size) for size in SIZES]
    for module in (random, sampling):
        monkeypatch.setattr(module, "usable", lambda: False)
    assert [made(name, size, size) == found for size, found in zip(SIZES, compiled)] == [True] * len(SIZES)


@pytest.mark.parametrize("name", FILLS)
def test_threads_change_nothing(name: str, count: Callable[[int], None]) -> None:
    """One thread and three."""
    size = 5 * BLOCK + 7
    count(1)
    alone = made(name, size, 1)
    count(3)
    assert made(name, size, 1) == alone


def test_one_generator_in_several_threads() -> None:
    """Each call has a stretch of the stream to itself, whichever comes first."""
    size, calls = 2 * BLOCK, 8
    generator = Generator().manual_seed(4)
    whole = random.uniform_(np.empty(calls * size, np.float32), 0.0, 1.0, generator).reshape(calls, size)
    generator.manual_seed(4)
    parts = [np.empty(size, np.float32) for _ in range(calls)]
    workers = [threading.Thread(target=random.uniform_, args=(part, 0.0, 1.0, generator)) for part in parts]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(part.tobytes() for part in parts) == sorted(row.tobytes() for row in whole)


def test_memory_that_is_not_aligned_or_read_only() -> None:
    """A fill by way of a copy, and an error."""
    memory = np.zeros(4 * 100 + 1, np.uint8)
    array = memory[1:].view(np.float32)
    expected = random.normal_(np.empty(100, np.float32), 0.0, 1.0, Generator().manual_seed(8))
    assert random.normal_(array, 0.0, 1.0, Generator().manual_seed(8)).tobytes() == expected.tobytes()
    array.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        random.uniform_(array, 0.0, 1.0)


def test_doubtful_results_are_computed_again() -> None:
    """Exponential numbers whose float64 lies next to a tie are the C library's: some of a million are always doubtful
    where the distance that counts as doubt is large."""
    wide = fill._module("flambeau_doubtful", 2, "f32", 1, _doubtful, "checked")
    from flambeau.kernels.compiler.jit import python_function

    kernel = python_function(wide, "flambeau_doubtful")
    size = BLOCK + 100
    first, second = Generator().manual_seed(9), Generator().manual_seed(9)
    numbers = random.drawn(kernel, np.empty(size, np.float32), first, -1.0)
    assert numbers.tobytes() == random.exponential_(np.empty(size, np.float32), 1.0, second).tobytes()


def _doubtful(high: Any, low: Any, factor: Any) -> list[Any]:
    """Wrong results, all of them doubtful."""
    value, _ = fill._exponential(high, low, factor)
    return [value + 1.0, fill.constant(1, "i32")]


def test_masks_are_the_same_on_one_thread_and_on_two():
    count, found = threads.count(), []
    try:
        for n in (1, 2):
            threads.set_count(n)
            flambeau.manual_seed(5)
            found.append((random.bernoulli_mask((132_306,), 0.3).tobytes(), flambeau.rand(3).tolist()))
    finally:
        threads.set_count(count)
    assert found[0] == found[1]
