"""Generators of random numbers: the MT19937 engine that PyTorch uses on the CPU, word for word.

A word is one 32-bit output of the engine. What a distribution makes of the words stands in `kernels/random.py`; here
are the engine, its seed and its state. NumPy's bit generator does the work; NumPy's own global stream is never touched.
"""

import functools
import os
from _thread import allocate_lock
from typing import TYPE_CHECKING, Any

import numpy as np

from .device import CPU
from .device import device as Device
from .naming import public

DEFAULT_SEED = 67280421310721
STATE_SIZE = 5056
WORDS = 624
FEW = 1024
"""Below this many 64-bit numbers, joining pairs of words beats NumPy's bulk call, which takes 3 us to start."""

STARTING = allocate_lock()
"""Held while a generator starts its engine; one generator's numbers are given out under NumPy's own lock."""

STATE = np.dtype(
    {
        "names": ["seed", "left", "seeded", "next", "words", "normal", "normal_is_valid", "float_normal", "float_normal_is_valid"],
        "formats": ["<u8", "<i4", "<i4", "<u8", ("<u8", WORDS), "<f8", "<i4", "<f4", "u1"],
        "offsets": [0, 8, 12, 16, 24, 5024, 5040, 5048, 5052],
        "itemsize": STATE_SIZE,
    }
)
"""The layout of PyTorch's state tensor. `left` counts the words until the engine makes 624 new ones."""


@public("torch._C")
class Generator:
    """A stream of random numbers, `Generator(device="cpu")`; it starts with the seed 67280421310721.

    Attributes: `device`. For the kernels: `raw()` is the next word as an int and `raw(n)` the next n as a uint64 array;
    `next_normal` is the second half of a pair of normal numbers that a later call will use, or None.
    Raises RuntimeError for any device other than the CPU, TypeError for what is no device.
    """

    __slots__ = (
        "__weakref__",
        "_device",
        "_engine",
        "_integers",
        "_legacy",
        "_next_float_normal",
        "_seed",
        "_words",
        "lock",
        "next_normal",
        "raw",
    )

    raw: Any
    lock: Any
    next_normal: float | None
    _next_float_normal: float | None

    if TYPE_CHECKING:  # attached by ops/random, which knows tensors

        def get_state(self) -> Any: ...

        def set_state(self, state: Any) -> None: ...

    def __init__(self, device: Any = None) -> None:
        self._device = CPU if device is None or device == "cpu" else cpu_only(device)
        self._legacy: Any = None
        self._engine: Any = None
        self._words: Any = None
        self._integers: Any = None
        self.raw = self._start
        self._reset(DEFAULT_SEED)

    def _start(self, size: int | None = None) -> Any:
        """The first words: `numpy.random` is imported no earlier (12 ms), and `raw` becomes the engine's own method."""
        self._make_engine()
        return self.raw(size)

    def _make_engine(self) -> None:
        with STARTING:
            if self._legacy is None:
                self._start_engine()

    def _start_engine(self) -> None:
        from numpy.random import MT19937, Generator, RandomState

        engine = MT19937(unseeded())
        legacy = RandomState(engine)
        legacy.seed(self._seed & 0xFFFFFFFF)
        self._integers = Generator(engine).integers
        self.raw = engine.random_raw
        self._engine = engine
        self.lock = engine.lock
        self._legacy = legacy

    def words(self) -> Any:
        """The engine's state as it lies in memory, 624 words and the position: compiled kernels draw from it, holding `lock`."""
        if self._words is None:
            self._make_engine()
            import ctypes

            self._words = np.ctypeslib.as_array((ctypes.c_uint32 * 625).from_address(self._engine.ctypes.state_address))
        return self._words

    def raw64(self, n: int) -> Any:
        """n numbers of 64 bits as a uint64 array: two words each, the first in the upper half."""
        if n < FEW or self._integers is None:
            words = self.raw(2 * n)
            high = words[::2] << 32
            high |= words[1::2]
            return high
        return self._integers(0, 0xFFFFFFFFFFFFFFFF, n, np.uint64, True)

    def _reset(self, seed: int) -> None:
        self._seed = seed
        self.next_normal = self._next_float_normal = None
        if self._legacy is not None:
            self._legacy.seed(seed & 0xFFFFFFFF)

    @property
    def device(self) -> Device:
        """Where the generator's numbers arise: the CPU."""
        return self._device

    def manual_seed(self, seed: int, /) -> "Generator":
        """Starts the stream that belongs to `seed`, an int in [-2^63, 2^64); a negative one counts as seed + 2^64.

        Only the low 32 bits reach the engine. Returns the generator. Raises RuntimeError for what is no int,
        ValueError beyond the range.
        """
        if type(seed) is not int:
            if isinstance(seed, np.integer):
                raise TypeError("an integer is required")
            if isinstance(seed, bool) or not isinstance(seed, int):
                name = type(seed).__name__
                raise RuntimeError(f"manual_seed expected a long, but got {'numpy.' * isinstance(seed, np.generic)}{name}")
            seed = int(seed)
        if not -(2**63) <= seed < 2**64:
            raise ValueError("Overflow when unpacking long long")
        self._reset(seed & 0xFFFFFFFFFFFFFFFF)
        return self

    def seed(self) -> int:
        """Seeds the generator with 64 bits from the operating system, and returns them."""
        seed = int.from_bytes(os.urandom(8), "little")
        self._reset(seed)
        return seed

    def initial_seed(self) -> int:
        """The seed of the last seeding, or of the state that was set since."""
        return self._seed

    def state_array(self) -> Any:
        """The state as PyTorch lays it out: a uint8 array of 5056 bytes. See `STATE`."""
        self._make_engine()
        _, words, position, *_ = self._legacy.get_state()
        state = np.zeros(1, STATE)
        state["seed"] = self._seed
        state["seeded"] = 1
        state["words"] = words
        if position == WORDS and is_seeding(words):
            state["left"] = 1
        else:
            state["left"] = WORDS + 1 - position
            state["next"] = position
        if self.next_normal is not None:
            state["normal"] = self.next_normal
            state["normal_is_valid"] = 1
        if self._next_float_normal is not None:
            state["float_normal"] = self._next_float_normal
            state["float_normal_is_valid"] = 1
        return state.view(np.uint8)

    def set_state_array(self, array: Any) -> None:
        """Continues from a state that `state_array` gave: a contiguous uint8 array of 5056 elements in any shape.

        Raises TypeError for another dtype, RuntimeError for another size, strides or for contents that are no state.
        """
        if array.dtype != np.uint8:
            raise TypeError("RNG state must be a torch.ByteTensor")
        if not array.flags.c_contiguous:
            raise RuntimeError("RNG state must be contiguous")
        if array.size != STATE_SIZE:
            raise RuntimeError(
                f"Expected a CPUGeneratorImplState of size {STATE_SIZE} but found the input RNG state size to be {array.size}"
            )
        state = np.frombuffer(array.tobytes(), STATE)[0]
        left, position = int(state["left"]), int(state["next"])
        if not state["seeded"] or not 0 < left <= WORDS or position > WORDS:
            raise RuntimeError("Invalid mt19937 state")
        if left == 1:
            position = WORDS
        elif left + position != WORDS + 1:  # PyTorch would read beyond its words
            raise RuntimeError("Invalid mt19937 state")
        self._make_engine()
        self._legacy.set_state(("MT19937", (state["words"] & 0xFFFFFFFF).astype(np.uint32), position))
        self._seed = int(state["seed"])
        self.next_normal = float(state["normal"]) if state["normal_is_valid"] else None
        self._next_float_normal = float(state["float_normal"]) if state["float_normal_is_valid"] else None

    def clone_state(self) -> "Generator":
        """A new generator that continues from the same state."""
        twin = Generator(self._device)
        twin.set_state_array(self.state_array())
        return twin

    def graphsafe_get_state(self) -> "Generator":
        """Only CUDA generators have this. Raises NotImplementedError."""
        raise NotImplementedError("graphsafe_get_state is not supported in this Generator")

    def graphsafe_set_state(self, state: "Generator", /) -> "Generator":
        """Only CUDA generators have this. Raises NotImplementedError."""
        raise NotImplementedError("graphsafe_set_state is not supported in this Generator")

    def get_offset(self) -> int:
        """Only CUDA generators have an offset. Raises RuntimeError."""
        raise RuntimeError("CPU Generator does not use offset")

    def set_offset(self, offset: int, /) -> "Generator":
        """Only CUDA generators have an offset. Raises RuntimeError."""
        raise RuntimeError("CPU Generator does not use offset")

    def __repr__(self) -> str:
        cls = type(self)
        return f"<{cls.__module__}.{cls.__qualname__} object at {id(self):#x}>"

    def __reduce__(self) -> Any:
        return make_generator, (self._device,), (self._seed, None, self.state_array())

    def __setstate__(self, state: Any) -> None:
        seed, _, array = state
        array = getattr(array, "_array", array)  # PyTorch's files hold a tensor
        self.manual_seed(seed)
        self.set_state_array(array)


def make_generator(where: Any = None) -> Generator:
    """Unpickles a generator."""
    return Generator(where)


@functools.cache
def unseeded() -> Any:
    """What an engine is made from that is seeded right after: it spares NumPy 70 us of hashing."""
    from numpy.random.bit_generator import ISeedSequence

    class Unseeded(ISeedSequence):
        def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Any:
            return np.zeros(n_words, dtype)

    return Unseeded()


def is_seeding(words: Any) -> bool:
    """Whether the 624 words come straight from a seed, before the engine's first turn (which PyTorch's state shows)."""
    first = int(words[0])
    return int(words[1]) == (1812433253 * (first ^ (first >> 30)) + 1) & 0xFFFFFFFF


def cpu_only(where: Any) -> Device:
    """The device that a generator is asked for; raises unless it is the CPU."""
    if type(where) is not Device:
        if isinstance(where, bool) or not isinstance(where, (str, int)):
            raise TypeError(f"Generator(): argument 'device' (position 1) must be torch.device, not {type(where).__name__}")
        if isinstance(where, int):
            raise RuntimeError(
                "Device index must not be negative" if where < 0 else "Cannot access accelerator device when none is available."
            )
        where = Device(where)
    if where.type == "cpu":
        return CPU
    if where.type in ("cuda", "xpu"):
        name = where.type.upper()
        raise RuntimeError(f"Cannot get {name} generator without ATen_{where.type} library.")
    if where.type in ("mps", "mtia"):
        raise RuntimeError(f"Cannot execute getNewGenerator() without {where.type.upper()} backend.")
    if where.type == "xla":
        raise RuntimeError("Cannot get XLA generator without torch_xla library.")
    if where.type == "hpu":
        raise RuntimeError("Backend doesn`t support getNewGenerator()")
    raise RuntimeError(f"{where.type.upper()} device type not an accelerator.")


default_generator = Generator()
"""The stream that every random function uses unless it is given another; seeded from the operating system at import."""

default_generator.seed()
