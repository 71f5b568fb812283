"""Permutations, categories and counts: as PyTorch gives them, with the generator's state after each call."""

import zlib
from typing import Any, Callable, Iterator

import numpy as np
import pytest

import streams
from flambeau.core.generator import Generator
from flambeau.kernels import sampling

STORED = streams.Stored(__file__)
FLOATS = ("float32", "float64", "float16", "bfloat16")
ALL = (*FLOATS, "complex64", "int64", "int32", "int16", "int8", "uint8", "bool", "uint16", "uint64")


def numbers(shape: tuple[int, ...], dtype: str, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    return (np.random.RandomState(seed).random_sample(shape) * scale).astype(np.float32).astype(streams.numpy_dtype(dtype))


def check(key: str, ours: Callable[[Any], Any], theirs: Callable[[Any, Any], Any], last_bits: bool = False) -> None:
    seed = zlib.crc32(key.encode())
    STORED.check(
        key,
        lambda: streams.outcome(ours, Generator().manual_seed(seed)),
        lambda torch: streams.outcome(lambda generator: theirs(torch, generator), torch.Generator().manual_seed(seed)),
        last_bits,
    )


@pytest.fixture(scope="module", autouse=True)
def save() -> Any:
    yield
    STORED.save()


@pytest.mark.parametrize("dtype", ALL)
def test_randperm(dtype: str) -> None:
    for n in (-1, 0, 1, 2, 3, 10, 127, 128, 256, 499, 501, 2049, 2050, 5000):
        check(
            f"randperm {dtype} {n}",
            lambda generator: sampling.randperm(n, streams.numpy_dtype(dtype), generator),  # noqa: B023
            lambda torch, generator: torch.randperm(n, dtype=getattr(torch, dtype), generator=generator),  # noqa: B023
        )


@pytest.mark.parametrize("n", [1, 2, 3, 7, 50, 1000])
def test_permuting_in_one_go_is_permuting_one_by_one(n: int) -> None:
    for seed in range(20):
        ours, other = Generator().manual_seed(seed), Generator().manual_seed(seed)
        assert (sampling.swap_all(n, ours) == sampling.swap_one_by_one(n, other)).all()
        assert (ours.state_array() == other.state_array()).all()


def test_permuting_inside_out() -> None:
    """What PyTorch does from 214,748,364 numbers on, against its definition."""
    generator = Generator().manual_seed(1)
    words = Generator().manual_seed(1).raw64(70000).tolist()
    expected: list[int] = []
    for i, word in enumerate(words):
        z = word % (i + 1)
        expected.append(i)
        expected[i], expected[z] = expected[z], i
    assert sampling.inside_out(70000, generator).tolist() == expected
    assert sorted(expected) == list(range(70000))


def weights() -> Iterator[tuple[str, np.ndarray]]:
    for dtype in FLOATS:
        for shape in ((1,), (5,), (3, 50), (1, 300), (2, 4000)):
            yield dtype, numbers(shape, dtype)
    yield "zeros among them", np.array([0.5, 0, 0, 2, 0, 0, 1, 0, 0, 0], np.float32)
    yield "one of many", (np.arange(1000) == 500).astype(np.float32)
    yield "not contiguous", numbers((50, 3), "float32").T
    for label, bad in (("negative", -1.0), ("infinite", np.inf), ("nan", np.nan)):
        yield label, np.array([bad, 2], np.float32)
    yield "zero", np.zeros(2, np.float32)
    for label, row in (
        ("zero row", [0, 0]),
        ("negative in a row", [1, -1]),
        ("infinite in a row", [np.inf, -1]),
        ("nan in a row", [1, np.nan]),
    ):
        yield label, np.array([[1, 1], row, [1, 2]], np.float32)
    yield "sum overflows", np.array([3e38, 3e38, 1], np.float32)
    yield "scalar", np.ones((), np.float32)
    yield "three dimensions", np.ones((2, 2, 2), np.float32)
    yield "integers", np.ones(2, np.int64)
    yield "complex", np.ones(2, np.complex64)
    yield "no rows", np.ones((0, 3), np.float32)
    yield "no columns", np.ones((3, 0), np.float32)
    yield "nothing", np.ones(0, np.float32)


@pytest.mark.parametrize("replacement", [True, False])
def test_multinomial(replacement: bool) -> None:
    for label, array in weights():
        for count in (-1, 0, 1, 2, 6, 20, array.shape[-1] if array.ndim else 1):
            check(
                f"multinomial {label} {array.dtype} {array.shape} {count} {replacement}",
                lambda generator: sampling.multinomial(array, count, replacement, generator),  # noqa: B023
                lambda torch, generator: torch.multinomial(streams.to_torch(array), count, replacement, generator=generator),  # noqa: B023
            )


def test_poisson() -> None:
    for dtype in FLOATS:
        for scale in (0.0, 1.0, 12.0, 100.0, 5000.0):
            rate = numbers((3, 10), dtype, scale)
            check(
                f"poisson {dtype} {scale}",
                lambda generator: sampling.poisson(rate, generator),  # noqa: B023
                lambda torch, generator: torch.poisson(streams.to_torch(rate), generator=generator),  # noqa: B023
            )
    for rate in (np.array([2.0, -1.0, 3.0]), np.array([np.nan]), np.array([1, 2]), np.array([1j])):
        check(
            f"poisson {rate}",
            lambda generator: sampling.poisson(rate, generator),  # noqa: B023
            lambda torch, generator: torch.poisson(torch.from_numpy(rate), generator=generator),  # noqa: B023
        )


@pytest.mark.filterwarnings("ignore:An output with one or more elements was resized")
def test_binomial() -> None:
    given: list[tuple[np.ndarray, np.ndarray]] = []
    for dtype in ("float32", "float64"):
        for scale in (0, 5, 60, 1000, 1e6, 1e8):
            given.append((np.floor(numbers((60,), dtype, scale, 1)), numbers((60,), dtype, 1.0, 2)))
        given.append((np.array([5, -1, 4, 3, 2], dtype), np.array([0.5, 0.5, np.nan, 0, 1], dtype)))
        given.append((np.array([[30.0], [4.0]], dtype), np.array([0.2, 0.9, 0.5], dtype)))
    given.append((np.array([5.0]), np.array([0.5], np.float32)))
    given.append((np.array([5]), np.array([0.5])))
    given.append((np.array([5.0]), np.array([1])))
    given.append((np.array([5.0], np.float16), np.array([0.5], np.float16)))
    for i, (count, prob) in enumerate(given):
        check(
            f"binomial {i}",
            lambda generator: sampling.binomial(count, prob, generator),  # noqa: B023
            lambda torch, generator: torch.binomial(torch.from_numpy(count), torch.from_numpy(prob), generator=generator),  # noqa: B023
        )


def test_standard_gamma() -> None:
    for dtype in ("float32", "float64", "float16"):
        for scale in (0.0, 0.4, 3.0, 200.0):
            shape = numbers((60,), dtype, scale)
            check(
                f"gamma {dtype} {scale}",
                lambda generator: sampling.standard_gamma(shape, generator),  # noqa: B023
                lambda torch, generator: torch._standard_gamma(streams.to_torch(shape), generator=generator),  # noqa: B023
                last_bits=True,
            )
