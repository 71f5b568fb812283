"""The random fills: every number, and the generator's state after each call, as PyTorch's."""

import math
import zlib
from fractions import Fraction
from typing import Any, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streams
from flambeau.core.generator import Generator, default_generator
from flambeau.kernels import box_muller, random, random_support
from harness import real_torch

STORED = streams.Stored(__file__)
FLOATS = ("float32", "float64", "float16", "bfloat16")
COMPLEX = ("complex64", "complex128")
INTEGERS = ("int64", "int32", "int16", "int8", "uint8", "bool")
UNSIGNED = ("uint16", "uint32", "uint64")
ALL = FLOATS + COMPLEX + INTEGERS + UNSIGNED
LIBM = ("normal_", "exponential_", "cauchy_", "log_normal_")
"""What takes logarithms and angles from the C library."""


class Call:
    """One fill: function, dtype, shape, arguments, layout, and how many normal numbers were drawn before it.

    Layouts: "C"; "T", transposed (dense); "S", every second element of a permuted array. The seed comes from the text.
    """

    def __init__(
        self, name: str, dtype: str, shape: tuple[int, ...], args: tuple[Any, ...] = (), layout: str = "C", before: int = 0
    ) -> None:
        self.name, self.dtype, self.shape, self.args, self.layout, self.before = name, dtype, shape, args, layout, before

    @property
    def key(self) -> str:
        return f"{self.name} {self.dtype} {self.shape} {self.args} {self.layout} {self.before}"

    @property
    def last_bits(self) -> bool:
        return self.name in LIBM and self.dtype in ("float64", "complex128")

    def probabilities(self) -> np.ndarray:
        shape = self.shape[::-1] if self.layout == "T" else self.shape
        numbers = np.random.RandomState(len(self.key)).random_sample(shape).astype(np.float32)
        return np.asarray(numbers).astype(streams.numpy_dtype(self.args[0]))

    def base_shape(self) -> tuple[int, ...]:
        return tuple(2 * size for size in self.shape) if self.layout == "S" else self.shape

    def ours(self, generator: Any) -> Any:
        array = np.zeros(self.base_shape(), streams.numpy_dtype(self.dtype))
        if self.layout == "T":
            array = array.T
        elif self.layout == "S":
            array = np.moveaxis(array[tuple(slice(1, None, 2) for _ in self.shape)], 0, -1)
        random.normal_(np.empty(self.before, np.float32), 0.0, 1.0, generator)
        if self.name == "bernoulli_from_":
            return random.bernoulli_from_(array, self.probabilities(), generator)
        return getattr(random, self.name)(array, *self.args, generator=generator)

    def theirs(self, torch: Any, generator: Any) -> Any:
        tensor = torch.zeros(self.base_shape(), dtype=getattr(torch, self.dtype))
        if self.layout == "T":
            tensor = tensor.permute(*reversed(range(tensor.dim())))
        elif self.layout == "S":
            tensor = tensor[tuple(slice(1, None, 2) for _ in self.shape)].movedim(0, -1)
        torch.empty(self.before).normal_(generator=generator)
        if self.name == "bernoulli_from_":
            return tensor.bernoulli_(streams.to_torch(self.probabilities()), generator=generator)
        return getattr(tensor, self.name)(*self.args, generator=generator)

    def check(self) -> None:
        seed = zlib.crc32(self.key.encode())
        STORED.check(
            self.key,
            lambda: streams.outcome(self.ours, Generator().manual_seed(seed)),
            lambda torch: streams.outcome(lambda g: self.theirs(torch, g), torch.Generator().manual_seed(seed)),
            self.last_bits,
        )


BLOCKS: tuple[tuple[int, ...], ...] = ((), (1,), (7,), (15,), (16,), (17,), (31,), (5, 16), (2100,), (0,))


def continuous() -> Iterator[Call]:
    for dtype in FLOATS + COMPLEX:
        for shape in BLOCKS:
            yield Call("normal_", dtype, shape)
            yield Call("uniform_", dtype, shape)
        for layout in "TS":
            yield Call("normal_", dtype, (4, 6, 3), (0.5, 2.0), layout, before=1)
            yield Call("uniform_", dtype, (4, 6, 3), (-1.0, 1.0), layout)
        for args in ((0.0, 0.02), (1.0, 1.0), (0.3, 1.7), (-100.0, 0.1), (0.0, 0.0), (math.nan, 1.0)):
            yield Call("normal_", dtype, (50,), args, before=3)
            yield Call("normal_", dtype, (5,), args)
        for args in ((-0.1, 0.1), (-1.0, 1.0), (0.1, 0.3), (1e-9, 0.7), (1000.1, 1000.9), (2.0, 2.0), (0.0, 60000.0)):
            yield Call("uniform_", dtype, (60,), args)
            yield Call("uniform_", dtype, (2500,), args)
    for dtype in FLOATS:
        for shape, layout in (((60,), "C"), ((), "C"), ((0,), "C"), ((2100,), "C"), ((3, 4, 5), "S"), ((4, 6), "T")):
            yield Call("exponential_", dtype, shape, (), layout)
            yield Call("exponential_", dtype, shape, (2.3,), layout)
            yield Call("cauchy_", dtype, shape, (), layout)
            yield Call("cauchy_", dtype, shape, (0.5, 1.3), layout)
            yield Call("log_normal_", dtype, shape, (), layout, before=5)
            yield Call("log_normal_", dtype, shape, (0.5, 0.3), layout)
            yield Call("geometric_", dtype, shape, (0.3,), layout)
    for name, args in (("normal_", (0.0, -1.0)), ("normal_", (0.0, math.nan)), ("uniform_", (2.5, 1e-7)), ("uniform_", (-1e39, 1.0))):
        yield from (Call(name, "float32", shape, args) for shape in ((3,), (0,)))
    yield Call("uniform_", "float16", (3,), (-60000.0, 60000.0))
    yield Call("uniform_", "float64", (3,), (-1.7e308, 1.7e308))
    yield Call("uniform_", "float32", (3,), (0.0, math.inf))
    yield Call("uniform_", "complex64", (0,), (2.0, 1.0))
    for number in (0.0, -1.0, math.nan):
        yield Call("exponential_", "float32", (3,), (number,))
        yield Call("cauchy_", "float32", (3,), (0.0, number))
        yield Call("log_normal_", "float32", (3,), (0.0, number))
        yield Call("geometric_", "float32", (3,), (number,))
    for dtype in ("int64", "bool", "complex64", "uint16"):
        for name in ("normal_", "uniform_", "exponential_", "cauchy_", "log_normal_"):
            if dtype != "complex64" or name not in ("normal_", "uniform_"):
                yield from (Call(name, dtype, shape) for shape in ((3,), (0,)))


def discrete() -> Iterator[Call]:
    for dtype in ALL:
        for p in (0.0, 0.3, 0.5, 1.0):
            yield Call("bernoulli_", dtype, (70,), (p,))
        yield Call("bernoulli_", dtype, (4, 6, 3), (0.7,), "S")
        yield Call("geometric_", dtype, (60,), (0.01,))
        yield Call("random_", dtype, (60,))
        yield Call("random_", dtype, (4, 6, 3), (), "S")
        for bounds in ((0, 2), (0, 10), (-3, 100), (0, 256), (5, None), (300, None), (-3, None), (0, 2**28 - 1), (0, 2**28), (-5, 2**28)):
            yield Call("random_", dtype, (60,), bounds)
        for bounds in (
            (0, 2**40),
            (-(2**40), 2**30),
            (2**62, None),
            (-(2**63), None),
            (0, 2**63 - 1),
            (-(2**63), 2**63 - 1),
            (5, 3),
            (3, 3),
        ):
            yield Call("random_", dtype, (30,), bounds)
        for of in FLOATS:
            yield Call("bernoulli_from_", dtype, (40,), (of,))
        yield Call("bernoulli_from_", dtype, (4, 6), ("float32",), "T")
        yield Call("bernoulli_from_", dtype, (3,), ("int64",))
    yield Call("random_", "int64", (3000,), (0, 1000))
    yield Call("random_", "float32", (3,), (2**40, 2**40 + 1))
    yield Call("random_", "int64", (0,), (5, 3))
    yield Call("bernoulli_", "float32", (3000,), (0.1,))
    for p in (2.0, -0.1, math.nan):
        yield from (Call("bernoulli_", "float32", shape, (p,)) for shape in ((3,), (0,)))


@pytest.fixture(scope="module", autouse=True)
def save() -> Any:
    yield
    STORED.save()


@pytest.mark.parametrize("name", ["uniform_", "normal_", "exponential_", "cauchy_", "log_normal_", "geometric_"])
def test_continuous(name: str) -> None:
    for call in continuous():
        if call.name == name:
            call.check()


@pytest.mark.filterwarnings("ignore:.*Due to precision limitations")
@pytest.mark.parametrize("name", ["bernoulli_", "bernoulli_from_", "random_", "geometric_"])
def test_discrete(name: str) -> None:
    for call in discrete():
        if call.name == name:
            call.check()


def test_bounds_beyond_the_digits_warn() -> None:
    with pytest.warns(UserWarning, match=r"^to - 1 is out of bounds \[-\(2\^11\), 2\^11\]. Due to precision limitations c10::Half can"):
        random.random_(np.empty(3, np.float16), 0, 4000)


def test_bad_probability_uses_the_words_before_it() -> None:
    generator = Generator().manual_seed(3)
    with pytest.raises(RuntimeError, match="Expected p_in >= 0 && p_in <= 1 to be true"):
        random.bernoulli_from_(np.empty(3, np.float32), np.array([0.5, 2.0, 0.5], np.float32), generator)
    other = Generator().manual_seed(3)
    other.raw(1)
    assert (generator.state_array() == other.state_array()).all()


def test_probabilities_that_do_not_broadcast() -> None:
    target, p = np.empty((2, 3), np.float32), np.full((4, 3), 0.5, np.float32)
    with pytest.raises(
        RuntimeError, match=r"^The expanded size of the tensor \(2\) must match the existing size \(4\) at non-singleton dimension 0."
    ):
        random.bernoulli_from_(target, p)
    with pytest.raises(
        RuntimeError, match=r"^expand\(torch.FloatTensor\{\[4, 3\]\}, size=\[3\]\): the number of sizes provided \(1\) must be"
    ):
        random.bernoulli_from_(target[0], p)
    assert random.bernoulli_from_(target, np.ones((1, 3), np.float64)).sum() == 6


def test_written_to_memory_that_repeats() -> None:
    expanded = np.broadcast_to(np.zeros(1, np.float32), (20,))
    for name, args in (("uniform_", ()), ("normal_", ()), ("bernoulli_", (0.5,)), ("random_", ()), ("exponential_", ())):
        with pytest.raises(RuntimeError, match="more than one element of the written-to tensor refers to a single memory location"):
            getattr(random, name)(expanded, *args)


def test_default_generator() -> None:
    default_generator.manual_seed(1)
    first = random.uniform_(np.empty(5, np.float32))
    assert (first == random.uniform_(np.empty(5, np.float32), 0.0, 1.0, Generator().manual_seed(1))).all()


def test_numpys_own_stream_is_left_alone() -> None:
    before = np.random.get_state()
    generator = Generator().manual_seed(1)
    for name, args in (("normal_", ()), ("bernoulli_", (0.5,)), ("random_", ()), ("exponential_", ())):
        getattr(random, name)(np.empty(2000, np.float32), *args, generator=generator)
    after = np.random.get_state()
    assert before[2] == after[2] and (before[1] == after[1]).all()


@pytest.mark.parametrize("name, dtype", [("normal_", np.float32), ("normal_", np.float16), ("exponential_", np.float32)])
def test_threads_change_nothing(name: str, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for threads in (1, 3):
        monkeypatch.setattr(random_support, "THREADS", threads)
        generator = Generator().manual_seed(5)
        array = getattr(random, name)(np.empty(random_support.THREADED + 1003, dtype), generator=generator)
        results.append((array.tobytes(), generator.state_array().tobytes()))
    assert results[0] == results[1]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [5, 50, random_support.THREADED])
def test_overflow_is_silent(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_support, "THREADS", 2)
    for name, args in (("normal_", (0.0, 1e6)), ("exponential_", (1e-6,)), ("cauchy_", (0.0, 1e6)), ("log_normal_", (20.0, 1.0))):
        if size < 1000 or name in ("normal_", "exponential_"):
            assert np.isinf(getattr(random, name)(np.empty(size, np.float16), *args)).any()


def test_failure_in_a_thread_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_support, "THREADS", 2)

    def work(item: int) -> None:
        raise MemoryError(item)

    with pytest.raises(MemoryError):
        random_support.spread(iter(range(5)), lambda: work, random_support.THREADED)


def test_large_fills_in_pytorch() -> None:
    torch = real_torch()
    if torch is None:
        pytest.skip("needs PyTorch")
    n = 2 * random_support.CHUNK + 37
    for name, args, dtype in (
        ("normal_", (0.3, 1.7), "float32"), ("normal_", (), "bfloat16"), ("normal_", (), "float64"), ("uniform_", (-0.1, 0.1), "float32"),
        ("uniform_", (1000.1, 1000.9), "float32"), ("uniform_", (-0.1, 0.3), "float64"), ("exponential_", (1.3,), "float32"),
        ("exponential_", (), "float64"), ("bernoulli_", (0.3,), "bool"), ("random_", (-5, 1007), "int64"),
        ("geometric_", (0.01,), "float32"),
    ):  # fmt: skip
        ours, theirs = Generator().manual_seed(n), torch.Generator().manual_seed(n)
        array = getattr(random, name)(np.empty(n, streams.numpy_dtype(dtype)), *args, generator=ours)
        tensor = getattr(torch.empty(n, dtype=getattr(torch, dtype)), name)(*args, generator=theirs)
        assert array.tobytes() == streams.to_numpy(tensor).tobytes(), (name, dtype)
        assert (ours.state_array() == theirs.get_state().numpy()).all()


def calls() -> Any:
    args = {
        "normal_": st.sampled_from([(), (0.5, 2.0)]),
        "uniform_": st.sampled_from([(), (-1.0, 3.0)]),
        "exponential_": st.just(()),
        "log_normal_": st.just(()),
        "bernoulli_": st.tuples(st.floats(0, 1)),
        "geometric_": st.tuples(st.floats(0.01, 0.99)),
        "random_": st.sampled_from([(), (0, 10), (0, 200), (3, None)]),
    }
    shapes = st.lists(st.integers(0, 6), max_size=3).map(tuple)
    return st.sampled_from(sorted(args)).flatmap(
        lambda name: st.builds(Call, st.just(name), st.sampled_from(FLOATS), shapes, args[name], st.sampled_from("CTS"), st.integers(0, 2))
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**64 - 1), st.lists(calls().filter(lambda call: call.shape or call.layout == "C"), min_size=1, max_size=8))
def test_sequences_of_calls(seed: int, sequence: list[Call]) -> None:
    """Any calls one after the other: the same numbers and the same state as PyTorch's; without PyTorch, the same twice."""
    torch = real_torch()
    ours, theirs = Generator().manual_seed(seed), (Generator if torch is None else torch.Generator)().manual_seed(seed)
    for call in sequence:
        reference = call.ours(theirs) if torch is None else streams.to_numpy(call.theirs(torch, theirs))
        assert call.ours(ours).tobytes() == reference.tobytes(), call.key
        assert (streams.state_of(ours) == streams.state_of(theirs)).all(), call.key


def fused(a: float, b: float, c: float) -> Fraction:
    return Fraction(a) * Fraction(b) + Fraction(c)


single = st.floats(-(2.0**40), 2.0**40, width=32, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 2.0**-40)
double = st.floats(-(2.0**60), 2.0**60, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 2.0**-60)


@settings(max_examples=200, deadline=None)
@given(st.lists(single, min_size=1, max_size=20), single, single)
def test_fused32(numbers: list[float], factor: float, summand: float) -> None:
    array = np.array(numbers, np.float32)
    random_support.fused32(array, factor, summand)
    for x, result in zip(numbers, array.tolist()):
        exact = fused(x, factor, summand)
        near = np.float32(float(exact))
        distance = min(
            abs(Fraction(float(each)) - exact)
            for each in (near, np.nextafter(near, np.float32(-np.inf)), np.nextafter(near, np.float32(np.inf)))
        )
        assert abs(Fraction(result) - exact) == distance


def test_fused32_where_rounding_twice_goes_wrong() -> None:
    array = np.array([1 + 2.0**-12, 1 + 2.0**-12], np.float32)
    random_support.fused32(array, float(np.float32(1 + 2.0**-12)), float(np.float32(2.0**-60)))
    assert array[0] == np.float32(1 + 2.0**-11 + 2.0**-23)  # the sum lies just above the tie 1 + 2^-11 + 2^-24


@settings(max_examples=200, deadline=None)
@given(st.lists(double, min_size=1, max_size=20), double, double)
def test_fused64(numbers: list[float], factor: float, summand: float) -> None:
    for x, result in zip(numbers, random_support.fused64(np.array(numbers), factor, summand).tolist()):
        assert result == float(fused(x, factor, summand))


@pytest.mark.parametrize("name", ["log", "log1p", "exp", "sin", "cos", "tan"])
def test_libm(name: str) -> None:
    x = np.random.RandomState(1).random_sample(20000)
    x = -x if name == "log1p" else x
    assert random_support.libm(name)(x).tolist() == [getattr(math, name)(each) for each in x.tolist()]


def test_box_muller_near_the_axes() -> None:
    """Words next to multiples of a quarter turn, where the reduction cancels most, against exact arithmetic."""
    quarters = np.array([0, 2**22, 2**23, 3 * 2**22, 2**24])
    words = np.unique(np.clip((quarters[:, None] + np.arange(-60, 61)).ravel(), 0, 2**24 - 1)).astype(np.int32)
    workspace = box_muller.Workspace(words.size // 8 * 8)
    words = words[: workspace.pairs]
    workspace.i[0][:] = words
    cos, sin = box_muller.cos_sin(workspace)
    angle = np.float32(2 * np.pi) * (words.astype(np.float32) * np.float32(2.0**-24))
    np.testing.assert_allclose(cos, np.cos(angle.astype(np.float64)), rtol=2e-7, atol=2e-14)
    np.testing.assert_allclose(sin, np.sin(angle.astype(np.float64)), rtol=2e-7, atol=2e-14)
