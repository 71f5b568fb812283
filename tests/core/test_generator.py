"""The generator: its words, its state byte for byte, and its errors, as PyTorch's."""

import copy
import gc
import pickle
import threading
import weakref
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streams
from flambeau.core import generator as generators
from flambeau.core.device import device
from flambeau.core.generator import STATE, STATE_SIZE, Generator, default_generator
from harness import real_torch, run_python

STORED = streams.Stored(__file__)
SEEDS = (0, 1, -1, 42, 2**32 - 1, 2**32 + 5, 2**64 - 1, -(2**63))
STEPS = (0, 1, 2, 3, 617, 1, 623, 624, 625, 1248, 5000)


@pytest.fixture(scope="module", autouse=True)
def save() -> Any:
    yield
    STORED.save()


def fresh() -> Generator:
    return Generator().manual_seed(7)


@pytest.mark.parametrize("seed", SEEDS)
def test_words_and_states(seed: int) -> None:
    """After any number of words, the state is PyTorch's."""

    def theirs(torch: Any) -> dict[str, Any]:
        generator = torch.Generator().manual_seed(seed)
        states = [generator.get_state().numpy()]
        for n in STEPS:
            torch.empty(n).uniform_(generator=generator)
            states.append(generator.get_state().numpy())
        return {"states": [streams.short_hash(state) for state in states], "initial_seed": generator.initial_seed()}

    def ours() -> dict[str, Any]:
        generator = Generator().manual_seed(seed)
        states = [generator.state_array()]
        for n in STEPS:
            generator.raw(n)
            states.append(generator.state_array())
        return {"states": [streams.short_hash(state) for state in states], "initial_seed": generator.initial_seed()}

    STORED.check(f"states {seed}", ours, theirs)


def test_first_words_are_those_of_mt19937() -> None:
    """The reference implementation's first and ten-thousandth output for its default seed (Matsumoto and Nishimura)."""
    words = Generator().manual_seed(5489).raw(10000)
    assert words[0] == 3499211612 and words[9999] == 4123659995


def test_a_new_generator() -> None:
    generator = Generator()
    assert generator.initial_seed() == 67280421310721
    other = Generator().manual_seed(67280421310721)
    assert (generator.state_array() == other.state_array()).all()
    assert generator.device == device("cpu")
    assert Generator.__module__ == "torch._C"
    assert repr(generator) == f"<torch._C.Generator object at {id(generator):#x}>"
    with pytest.raises(AttributeError):
        generator.anything = 1  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        generator.device = device("cpu")  # type: ignore[misc]


@pytest.mark.parametrize("n", [1, 5, generators.FEW - 1, generators.FEW, 5000])
def test_two_words_make_64_bits(n: int) -> None:
    generator, other = fresh(), fresh()
    generator.raw(3)
    other.raw(3)
    words = other.raw(2 * n)
    assert (generator.raw64(n) == (words[::2] << 32 | words[1::2])).all()
    assert generator.raw() == other.raw()


def test_one_word_at_a_time() -> None:
    generator, raw = fresh(), fresh().raw
    words = generator.raw(2000)
    assert [raw() for _ in range(2000)] == words.tolist()  # `raw` was taken before the engine started


def test_state_goes_round() -> None:
    generator = fresh()
    for n in STEPS:
        generator.raw(n)
        generator.next_normal = 0.25 * n if n % 2 else None
        state = generator.state_array()
        other = Generator()
        other.set_state_array(state.reshape(2, -1))
        assert (other.state_array() == state).all()
        assert other.initial_seed() == 7 and other.next_normal == generator.next_normal
        for twin in (generator.clone_state(), copy.copy(generator), copy.deepcopy(generator), pickle.loads(pickle.dumps(generator))):
            assert twin is not generator and (twin.state_array() == state).all()
            assert twin.initial_seed() == 7
            twin.raw(5)
        assert (generator.state_array() == state).all()


def test_seeding_forgets_the_waiting_normal_number() -> None:
    generator = fresh()
    generator.next_normal = 1.5
    assert generator.manual_seed(7).next_normal is None


def test_float_cache_is_kept() -> None:
    state = fresh().state_array()
    state.view(STATE)["float_normal"] = 0.5
    state.view(STATE)["float_normal_is_valid"] = 1
    generator = Generator()
    generator.set_state_array(state)
    assert (generator.state_array() == state).all()
    assert not generator.manual_seed(7).state_array().view(STATE)["float_normal_is_valid"][0]


@pytest.mark.parametrize("field, value", [("left", 0), ("left", 625), ("left", -1), ("seeded", 0), ("next", 625), ("next", 700)])
def test_invalid_states(field: str, value: int) -> None:
    generator = fresh()
    generator.raw(8)
    state = generator.state_array()
    before = state.copy()
    state.view(STATE)[field] = value
    with pytest.raises(RuntimeError, match=r"^Invalid mt19937 state$"):
        generator.set_state_array(state)
    assert (generator.state_array() == before).all()
    torch = real_torch()
    if torch is not None:
        with pytest.raises(RuntimeError, match=r"^Invalid mt19937 state"):
            torch.Generator().set_state(torch.from_numpy(state))


def test_state_whose_positions_disagree() -> None:
    """PyTorch takes it and reads beyond its words; this is refused."""
    state = fresh().state_array()
    state.view(STATE)["left"] = 600
    with pytest.raises(RuntimeError, match=r"^Invalid mt19937 state$"):
        Generator().set_state_array(state)


def test_arrays_that_are_no_state() -> None:
    for dtype in (np.float32, np.int8):
        with pytest.raises(TypeError, match=r"^RNG state must be a torch.ByteTensor$"):
            Generator().set_state_array(np.zeros(STATE_SIZE, dtype))
    with pytest.raises(RuntimeError, match=r"^RNG state must be contiguous$"):
        Generator().set_state_array(np.zeros(2 * STATE_SIZE, np.uint8)[::2])
    with pytest.raises(RuntimeError, match=r"^Expected a CPUGeneratorImplState of size 5056 but found the input RNG state size to be 16$"):
        Generator().set_state_array(np.zeros(16, np.uint8))


CALLS = (
    "g.manual_seed(2**64)", "g.manual_seed(-2**63 - 1)", "g.manual_seed(1.5)", "g.manual_seed('a')", "g.manual_seed(True)",
    "g.manual_seed(None)", "g.manual_seed(numpy.int64(3))", "g.manual_seed(numpy.float32(3))", "g.get_offset()", "g.set_offset(3)",
    "g.graphsafe_get_state()", "g.graphsafe_set_state(g)", "G('foo')", "G(['a'])", "G(True)", "G(1.5)", "G(3)", "G(-1)",
    "G('mps')", "G('mtia')", "G('meta')", "G('vulkan')", "G('hpu')",
)  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_errors(call: str) -> None:
    def run(factory: Any) -> dict[str, Any]:
        try:
            eval(call, {"g": factory(), "G": factory, "numpy": np})
        except Exception as error:
            return {"error": [type(error).__name__, str(error).split("\n")[0]]}
        raise AssertionError("no error")

    STORED.check(call, lambda: run(Generator), lambda torch: run(torch.Generator))


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "xpu", "xla"])
def test_devices_that_are_not_there(name: str) -> None:
    where = name.split(":")[0]
    with pytest.raises(RuntimeError, match=f"^Cannot get {where.upper()} generator without "):
        Generator(device(name))
    torch = real_torch()
    if torch is not None:
        with pytest.raises(RuntimeError, match=f"^Cannot get {where.upper()} generator without "):
            torch.Generator(name)


def test_subclass_and_integers_of_other_classes() -> None:
    class Mine(Generator):
        pass

    class Whole(int):
        pass

    assert Mine().manual_seed(Whole(4)).initial_seed() == 4
    assert Generator(device("cpu", 0)).device == device("cpu")


def test_seed_comes_from_the_system() -> None:
    generator = Generator()
    seeds = {generator.seed() for _ in range(4)}
    assert len(seeds) == 4 and generator.initial_seed() in seeds
    script = "from flambeau.core.generator import default_generator; print(default_generator.initial_seed())"
    assert run_python("-c", script).stdout != run_python("-c", script).stdout


def test_numpy_random_is_imported_when_numbers_are_drawn() -> None:
    script = (
        "import sys; from flambeau.core.generator import default_generator as g; g.manual_seed(3)\n"
        "before = 'numpy.random' in sys.modules; print(before, g.raw())"
    )
    assert run_python("-c", script).stdout.split() == ["False", str(Generator().manual_seed(3).raw())]


def test_nothing_keeps_a_used_generator() -> None:
    generator = fresh()
    generator.raw()
    reference = weakref.ref(generator)
    gc.disable()
    try:
        del generator
        assert reference() is None
    finally:
        gc.enable()


def test_threads_share_a_stream() -> None:
    """Every word is given out once."""
    generator = fresh()
    drawn: list[Any] = []
    threads = [threading.Thread(target=lambda: drawn.extend(generator.raw(1000).tolist() for _ in range(20))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = fresh().raw(80000).reshape(80, 1000).tolist()
    assert sorted(drawn) == sorted(expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(-(2**63), 2**64 - 1), st.lists(st.integers(0, 1500), max_size=6))
def test_any_seed(seed: int, steps: list[int]) -> None:
    """The same state as PyTorch's after any words; without PyTorch, as one draw of them all."""
    torch = real_torch()
    generator = Generator().manual_seed(seed)
    for n in steps:
        generator.raw(n)
    if torch is not None:
        other = torch.Generator().manual_seed(seed)
        torch.empty(sum(steps)).uniform_(generator=other)
    else:
        other = Generator().manual_seed(seed)
        other.raw(sum(steps))
    assert (generator.state_array() == streams.state_of(other)).all()


def test_default_generator_is_one() -> None:
    state = default_generator.state_array()
    default_generator.raw(3)
    default_generator.set_state_array(state)
    assert (default_generator.state_array() == state).all()
