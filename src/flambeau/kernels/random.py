"""Random numbers as PyTorch's CPU generator yields them, bit for bit: arrays filled in place.

Two numbers come straight from the engine: U24, the low 24 bits of a word times 2^-24 (a float32), and U53, the low 53
bits of two words times 2^-53 (a float64). Each function says what it makes of them. Elements are drawn in the order of
memory: an array whose strides are not in order is filled as if its dimensions were sorted by stride. Functions whose
name ends in `_` fill `array` and return it; `generator` is the default one if None. An empty array draws nothing.

float16 and bfloat16 are computed in float32 or float64, then cast by way of float32. Elementary functions are the C
library's (see `random_support.libm`), as in PyTorch, so the last bit of a float64 result may depend on the machine's C library.
"""

import math
from typing import Any, Callable, Iterator

import numpy as np

from ..core.generator import default_generator
from .box_muller import LOW_24, PAIRS, Workspace, transform
from .compiler import usable
from .library import fill, masks, sampler
from .quiet import quiet
from .random_support import (
    BOOL,
    CHUNK,
    CPP_NAMES,
    DIGITS,
    F16,
    F32,
    F64,
    FLOATS,
    INT64,
    INTEGER_RANGE,
    INTEGERS,
    LARGEST,
    LOW_24_64,
    LOW_53,
    REAL,
    SMALL,
    TWO_M24,
    TWO_M53,
    TWO_PI,
    WIDE_UNSIGNED,
    chunks,
    fused32,
    fused64,
    libm,
    memory_order,
    not_implemented,
    scalar_name,
    spread,
    store,
    u53,
)


def drawn(kernel: Callable[..., Any], flat: Any, generator: Any, *others: Any) -> Any:
    """A compiled kernel that fills `flat` from the generator's state, which no other thread touches meanwhile."""
    if not flat.flags.carray:  # not aligned; or read-only, which raises
        flat[...] = drawn(kernel, np.empty(flat.shape, flat.dtype), generator, *others)
        return flat
    words = generator.words()
    with generator.lock:
        return kernel(flat, words, *others)


# Continuous distributions


def uniform_(array: Any, low: float = 0.0, high: float = 1.0, generator: Any = None) -> Any:
    """Uniform on [low, high): U24 * (high - low) + low with one rounding in float32, U53 in float64.

    A result that rounds to `high` becomes `low`. Complex: real and imaginary parts alternate. Raises NotImplementedError
    for other dtypes, RuntimeError for bounds that are out of order or that the dtype can't hold.
    """
    if array.dtype is F32 and low == 0 and high == 1 and array.flags.c_contiguous and usable():
        return drawn(fill.uniform32(), array, generator or default_generator, 0.0, 1.0, 1.0)
    dtype = REAL.get(array.dtype)
    if dtype is None:
        raise not_implemented("check_uniform_bounds", array.dtype)
    if array.dtype.kind == "c" and not array.size:
        return array
    if low != 0 or high != 1:
        largest = LARGEST[dtype]
        for name, bound in (("from", low), ("to", high)):
            if not -largest <= bound <= largest:
                raise RuntimeError(f"{name} is out of bounds for {CPP_NAMES[dtype]}")
        if not low <= high:
            raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}")
        if not high - low <= largest:
            raise RuntimeError(
                f"uniform_ expects to-from <= std::numeric_limits<{scalar_name(dtype)}>::max(), but found to={high:g} "
                f"and from={low:g} which result in to-from to exceed the limit"
            )
    if not array.size:
        return array
    generator = generator or default_generator
    flat, target = memory_order(array)
    if array.dtype.kind == "c":
        flat = flat.view(dtype)
    if dtype is F32:
        uniform32(flat, float(np.float32(low)), float(np.float32(high)), generator)
    elif dtype is F64:
        uniform64(flat, float(low), float(high), generator)
    else:
        single = np.empty(flat.size, F32)
        uniform32(single, float(np.float32(low)), float(np.float32(high)), generator, clamped=False)
        flat[...] = single
        clamp(flat, np.float32(low).astype(dtype), np.float32(high).astype(dtype))
    if target is not None:
        target[...] = flat.view(array.dtype).reshape(target.shape)
    return array


def clamp(flat: Any, low: Any, high: Any) -> None:
    """What rounding made `high` becomes `low`."""
    above = flat == high
    if above.any():
        flat[above] = low


def uniform32(flat: Any, low: float, high: float, generator: Any, clamped: bool = True) -> None:
    """Fills a contiguous float32 array with fma(U24, high - low, low); the bounds are float32 values."""
    unit = low == 0 and high == 1
    width = 1.0 if unit else float(np.float32(high) - np.float32(low))
    if usable():
        drawn(fill.uniform32(), flat, generator, low, width, high if clamped else math.nan)
        return
    # The product k * width * 2^-24 has 48 bits. If the sum has at most 53, float64 holds it, and there is one rounding.
    exact = unit or (max(abs(low), abs(high)) <= 16 * width and (low == 0 or abs(low) >= width * 2.0**-28))
    if flat.size <= SMALL and exact:
        words = generator.raw(flat.size)
        words &= LOW_24_64
        if unit:
            np.multiply(words, 2.0**-24, flat)
        else:
            np.add(words * (width * 2.0**-24), low, flat)
            if clamped and np.float32((1 - 2.0**-24) * width + low) == high:
                clamp(flat, low, high)
        return
    wide = None if unit else np.empty(min(flat.size, CHUNK), F64)
    for start, stop in chunks(flat.size):
        part = flat[start:stop]
        words = part.view(np.int32)
        words[...] = generator.raw(stop - start)
        words &= LOW_24
        if unit or not exact:
            np.copyto(part, words, casting="unsafe")
            part *= TWO_M24
            if not exact:
                fused32(part, width, low)
        else:
            numbers = wide[: stop - start]  # type: ignore[index]
            np.copyto(numbers, words)
            numbers *= width * 2.0**-24
            numbers += low
            part[...] = numbers
        if clamped and not unit:
            clamp(part, low, high)


def uniform64(flat: Any, low: float, high: float, generator: Any) -> None:
    """Fills a contiguous float64 array with fma(U53, high - low, low)."""
    if usable():
        drawn(fill.uniform64(), flat, generator, low, high - low, high)
        return
    for start, stop in chunks(flat.size):
        part = flat[start:stop]
        words = generator.raw64(stop - start)
        words &= LOW_53
        np.copyto(part, words.view(np.int64), casting="unsafe")
        part *= TWO_M53
        if low != 0 or high != 1:
            part[...] = fused64(part, high - low, low)
            clamp(part, low, high)


def normal_(array: Any, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Any:
    """Normal numbers. Complex: each part has std / sqrt(2).

    From 16 elements on, if contiguous: in blocks of 16 (see `box_muller`), from U24 in float32 and the small floats, from
    U53 in float64; if the last block is not full, the last 16 elements are drawn anew. Otherwise: one by one, see
    `standard_normal`. Raises RuntimeError if std < 0, NotImplementedError for dtypes that are not floating point.
    """
    if array.dtype is F32 and array.size >= 16 and std >= 0 and array.flags.c_contiguous and usable():
        return drawn(fill.normal32(), array, generator or default_generator, mean, std)
    return _normal(array, mean, std, generator)


@quiet
def _normal(array: Any, mean: float, std: float, generator: Any) -> Any:
    if not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
    size = array.size
    if not size:
        return array
    dtype = REAL.get(array.dtype)
    if dtype is None:
        raise not_implemented("normal_kernel_cpu", array.dtype)
    generator = generator or default_generator
    if array.dtype.kind == "c":
        std /= math.sqrt(2)
        size *= 2
    if size < 16 or not array.flags.c_contiguous:
        flat, target = memory_order(array)
        numbers = standard_normal(size, generator)
        if mean != 0 or std != 1:
            numbers = fused64(numbers, float(std), float(mean))
        if dtype is F32 or dtype is F64:
            flat.view(dtype)[...] = numbers
        else:
            store(flat, numbers)
        if target is not None:
            target[...] = flat.reshape(target.shape)
        return array
    flat = array.reshape(-1).view(dtype)
    if dtype is F64:
        normal_blocks64(flat, float(mean), float(std), generator)
    else:
        normal_blocks32(flat, float(np.float32(mean)), float(np.float32(std)), generator)
    return array


def normal_blocks32(flat: Any, mean: float, std: float, generator: Any) -> None:
    """Blocks of 16 in float32, or in float32 and then cast."""
    size = flat.size
    full = size & ~15
    small = flat.dtype != F32
    if usable():
        if not small:
            drawn(fill.normal32(), flat, generator, mean, std)
            return
        numbers = drawn(fill.normal32(), np.empty(full, F32), generator, mean, std)
        flat[:full] = numbers
        if size != full:
            flat[size - 16 :] = drawn(fill.normal32(), np.empty(16, F32), generator, mean, std)
        return
    if size != full and size <= SMALL:  # the last 16 elements go along in the same transformation
        numbers = np.empty(full + 16, F32)
        words = numbers.view(np.int32)
        words[:full] = generator.raw(full)
        if not small:
            generator.raw(size - full)  # PyTorch draws a number for each element first
        words[full:] = generator.raw(16)
        transform(numbers, mean, std, Workspace(numbers.size // 2), fused32)
        flat[:full] = numbers[:full]
        flat[size - 16 :] = numbers[full:]
        return

    def draw() -> Iterator[tuple[Any, Any]]:
        for start, stop in chunks(full):
            numbers = np.empty(stop - start, F32) if small else flat[start:stop]
            numbers.view(np.int32)[...] = generator.raw(stop - start)
            yield flat[start:stop], numbers

    def make_work() -> Callable[[Any], None]:
        workspace = Workspace(min(PAIRS, full // 2))

        def work(item: tuple[Any, Any]) -> None:
            nonlocal workspace
            part, numbers = item
            if workspace.pairs != part.size // 2:
                workspace = Workspace(part.size // 2)
            transform(numbers, mean, std, workspace, fused32)
            if small:
                part[...] = numbers

        return work

    spread(draw(), make_work, size)
    if size != full:
        if not small:
            generator.raw(size - full)
        numbers = np.empty(16, F32)
        numbers.view(np.int32)[...] = generator.raw(16)
        transform(numbers, mean, std, Workspace(8), fused32)
        flat[size - 16 :] = numbers


def normal_blocks64(flat: Any, mean: float, std: float, generator: Any) -> None:
    """Blocks of 16 in float64: cos and sin of 2 pi v times sqrt(-2 ln(1 - u))."""
    if usable():
        drawn(fill.normal64(), flat, generator, mean, std)
        return
    log = libm("log")
    sin, cos = libm("sin"), libm("cos")

    def work(part: Any) -> None:
        pairs = part.reshape(-1, 2, 8)
        u, v = pairs[:, 0].ravel(), pairs[:, 1].ravel()
        r = np.sqrt(-2.0 * log(1.0 - u))
        v *= TWO_PI
        pairs[:, 0] = fused64(r * cos(v), std, mean).reshape(-1, 8)
        pairs[:, 1] = fused64(r * sin(v), std, mean).reshape(-1, 8)

    size = flat.size
    full = size & ~15
    for start, stop in chunks(full):
        uniform64(flat[start:stop], 0.0, 1.0, generator)
        work(flat[start:stop])
    if size != full:
        generator.raw(2 * (size - full))
        last = flat[size - 16 :]
        uniform64(last, 0.0, 1.0, generator)
        work(last)


def standard_normal(n: int, generator: Any) -> Any:
    """n normal numbers one by one, a float64 array; the second of a pair waits in the generator for the next call.

    Each pair: u, v = U53, U53; sqrt(-2 log1p(-v)) times cos(2 pi u) and sin(2 pi u).
    """
    waiting = generator.next_normal
    missing = n - (waiting is not None)
    pairs = (missing + 1) // 2
    if usable():
        both = np.empty(2 * pairs + 1)
        both[0] = 0.0 if waiting is None else waiting
        drawn(sampler.normal_pairs(), both[1:], generator)
        generator.next_normal = float(both[-1]) if missing & 1 else None
        return both[1 : n + 1] if waiting is None else both[:n]
    words = generator.raw64(2 * pairs)
    words &= LOW_53
    if pairs < 16:
        numbers = [] if waiting is None else [waiting]
        uniform = words.tolist()
        for u, v in zip(uniform[::2], uniform[1::2]):
            r = math.sqrt(-2.0 * math.log1p(-(v * TWO_M53)))
            angle = TWO_PI * (u * TWO_M53)
            numbers += (r * math.cos(angle), r * math.sin(angle))
        generator.next_normal = numbers.pop() if missing & 1 else None
        return np.array(numbers)
    u, v = (words.view(np.int64) * TWO_M53).reshape(-1, 2).T.copy()
    r = np.sqrt(-2.0 * libm("log1p")(-v))
    u *= TWO_PI
    both = np.empty(2 * pairs + 1)
    both[1::2], both[2::2] = r * libm("cos")(u), r * libm("sin")(u)
    generator.next_normal = float(both[-1]) if missing & 1 else None
    if waiting is None:
        return both[1 : n + 1]
    both[0] = waiting
    return both[:n]


def one_by_one(array: Any, draw: Callable[[int], Any], step: int = CHUNK) -> Any:
    """Fills `array` with the float64 numbers that `draw(n)` gives, in memory order."""
    flat, target = memory_order(array)
    for start, stop in chunks(flat.size, step):
        store(flat[start:stop], draw(stop - start))
    if target is not None:
        target[...] = flat.reshape(target.shape)
    return array


@quiet
def log_normal_(array: Any, mean: float = 1.0, std: float = 2.0, generator: Any = None) -> Any:
    """exp of a normal number drawn one by one. Raises RuntimeError unless std > 0, NotImplementedError by dtype."""
    if not std > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std:g}")
    if not array.size:
        return array
    if array.dtype not in FLOATS:
        raise not_implemented("log_normal_cpu", array.dtype)
    generator = generator or default_generator
    return one_by_one(array, lambda n: libm("exp")(fused64(standard_normal(n, generator), float(std), float(mean))))


@quiet
def cauchy_(array: Any, median: float = 0.0, sigma: float = 1.0, generator: Any = None) -> Any:
    """median + sigma tan(pi (U53 - 1/2)). Raises RuntimeError unless sigma > 0 and the dtype is floating point."""
    if not sigma > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
    if array.dtype not in FLOATS:
        raise RuntimeError(
            "Cauchy distribution is a continuous probability distribution. dtype must be a floating point but you specified "
            + CPP_NAMES.get(array.dtype, str(array.dtype))
        )
    if not array.size:
        return array
    generator = generator or default_generator
    return one_by_one(array, lambda n: fused64(libm("tan")(math.pi * (u53(generator, n) - 0.5)), float(sigma), float(median)))


@quiet
def exponential_(array: Any, lambd: float = 1.0, generator: Any = None) -> Any:
    """-log1p(-U53) / lambd. Raises RuntimeError unless lambd > 0 and the dtype is floating point."""
    if not lambd > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd:g}")
    if not array.size:
        return array
    if array.dtype not in FLOATS:
        raise RuntimeError(
            "Exponential distribution is a continuous probability distribution. dtype must be a floating point but you "
            f"specified {scalar_name(array.dtype)}"
        )
    generator = generator or default_generator
    factor = -1.0 / lambd
    if array.dtype == F64:
        return one_by_one(array, lambda n: libm("log1p")(-u53(generator, n)) * factor)
    flat, target = memory_order(array)
    if usable():
        numbers = drawn(fill.exponential32(), flat if flat.dtype == F32 else np.empty(flat.size, F32), generator, factor)
        if numbers is not flat:
            flat[...] = numbers
        if target is not None:
            target[...] = flat.reshape(target.shape)
        return array

    def draw() -> Iterator[tuple[int, int, Any]]:
        for start, stop in chunks(flat.size):
            yield start, stop, generator.raw64(stop - start)

    def work(item: tuple[int, int, Any]) -> None:
        start, stop, words = item
        # 1 - U53 is exact, and NumPy's log is several times faster than log1p. The two may differ in the last bits,
        # which the rounding to float32 hides but for results next to a tie: these are computed again.
        words &= LOW_53
        uniform = words.view(np.int64) * -TWO_M53
        result = np.log(uniform + 1.0)
        result *= factor
        bits = result.view(np.int64) & 0x1FFFFFFF
        bits -= 0x10000000 - 16
        for i in np.flatnonzero(bits.view(np.uint64) < 32).tolist():
            result[i] = math.log1p(uniform[i]) * factor
        store(flat[start:stop], result)

    spread(draw(), lambda: work, flat.size)
    if target is not None:
        target[...] = flat.reshape(target.shape)
    return array


# Discrete distributions


@quiet
def geometric_(array: Any, p: float, generator: Any = None) -> Any:
    """ceil(ln U53 / log1p(-p)). Raises RuntimeError unless 0 < p < 1, NotImplementedError by dtype."""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
    if not array.size:
        return array
    dtype = array.dtype
    if dtype not in FLOATS and dtype not in INTEGERS:
        raise not_implemented("geometric_cpu", dtype)
    generator = generator or default_generator
    scale = math.log1p(-p)

    def draw(n: int) -> Any:
        uniform = u53(generator, n)
        numbers = np.log(uniform)
        numbers /= scale
        # NumPy's log may differ from the C library's in the last bits: it matters next to a whole number.
        doubtful = np.abs(numbers - np.rint(numbers)) <= np.abs(numbers) * 2.0**-48
        for i in np.flatnonzero(doubtful).tolist():
            numbers[i] = math.log(uniform[i]) / scale
        np.ceil(numbers, numbers)
        return numbers if dtype in FLOATS else numbers.astype(np.int64)

    return one_by_one(array, draw)


def bernoulli_(array: Any, p: float = 0.5, generator: Any = None) -> Any:
    """1 where U53 < p, else 0: two words for each element, whatever the dtype.

    Raises RuntimeError unless 0 <= p <= 1, NotImplementedError for complex and wide unsigned dtypes.
    """
    if not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")
    if not array.size:
        return array
    if array.dtype.kind == "c" or array.dtype in WIDE_UNSIGNED:
        raise not_implemented("bernoulli_scalar_cpu_", array.dtype)
    flat, target = memory_order(array)
    generator = generator or default_generator
    limit = np.uint64(math.ceil(p * 2.0**53))  # U53 < p says that the 53 bits, as an integer, lie below p * 2^53
    if usable():
        hits = flat if flat.dtype == BOOL else np.empty(flat.size, np.bool_)
        hits = drawn(masks.below(), hits, generator, float(limit), float(flat.size))
        if hits is not flat:
            flat[...] = hits
        if target is not None:
            target[...] = flat.reshape(target.shape)
        return array
    for start, stop in chunks(flat.size):
        words = generator.raw64(stop - start)
        words &= LOW_53
        if flat.dtype == BOOL:
            np.less(words, limit, flat[start:stop])
        else:
            flat[start:stop] = words < limit
    if target is not None:
        target[...] = flat.reshape(target.shape)
    return array


def bernoulli_mask(shape: Any, p: float, generator: Any = None) -> Any:
    """A contiguous bool array of that shape, True with probability p: dropout's noise, before the division by p."""
    return bernoulli_(np.empty(shape, np.bool_), p, generator)


def bernoulli_from_(array: Any, p: Any, generator: Any = None) -> Any:
    """1 with the probability that stands in `p`, an array that broadcasts to `array`, else 0.

    U53 < p in float64; U24 < p (one word) for the other floating-point dtypes. Raises RuntimeError at a probability
    outside [0, 1] (the words of the elements before it are used up), NotImplementedError by dtype.
    """
    if not array.size:
        return array
    if array.dtype.kind == "c" or array.dtype in WIDE_UNSIGNED:
        raise not_implemented("bernoulli_tensor_cpu_self_", array.dtype)
    p = p if p.shape == array.shape else expand(p, array.shape)
    if p.dtype not in FLOATS:
        raise not_implemented("bernoulli_tensor_cpu_p_", p.dtype)
    generator = generator or default_generator
    if not array.flags.c_contiguous:
        p = p.transpose(sorted(range(array.ndim), key=lambda dim: -array.strides[dim]))
    flat, target = memory_order(array)
    p = p.reshape(-1) if p.dtype == F64 else p.reshape(-1).astype(F32, copy=False)
    valid = (p >= 0) & (p <= 1)
    n = flat.size if valid.all() else int(valid.argmin())
    if p.dtype == F64:
        hits = u53(generator, n) < p[:n]
    else:
        uniform = np.empty(n, F32)
        uniform32(uniform, 0.0, 1.0, generator)
        hits = uniform < p[:n]
    if n < flat.size:
        raise RuntimeError(
            "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error message be improved?  If so, please report an "
            "enhancement request to PyTorch.)"
        )
    flat[...] = hits
    if target is not None:
        target[...] = flat.reshape(target.shape)
    return array


def expand(p: Any, shape: tuple[int, ...]) -> Any:
    """`p` broadcast to that shape; raises RuntimeError where PyTorch's `expand` does."""
    if p.ndim > len(shape):
        raise RuntimeError(
            f"expand(torch.{scalar_name(p.dtype)}Tensor{{{list(p.shape)}}}, size={list(shape)}): the number of sizes provided "
            f"({len(shape)}) must be greater or equal to the number of dimensions in the tensor ({p.ndim})"
        )
    for dim in range(1, p.ndim + 1):
        if p.shape[-dim] not in (1, shape[-dim]):
            raise RuntimeError(
                f"The expanded size of the tensor ({shape[-dim]}) must match the existing size ({p.shape[-dim]}) at non-singleton "
                f"dimension {len(shape) - dim}.  Target sizes: {list(shape)}.  Tensor sizes: {list(p.shape)}"
            )
    return np.broadcast_to(p, shape)


def random_(array: Any, low: int | None = None, high: int | None = None, generator: Any = None) -> Any:
    """Integers, uniform on [low, high); without `high` up to the largest of the dtype; without both from 0 on.

    With the width w = high - low: low + r mod w, where r is a word, or two from w = 2^28 on. For floating-point dtypes
    the largest is 2^digits, and bounds that the dtype can't hold move inwards. Without both bounds: int64 two words
    mod 2^63, float64 two words mod 2^53 + 1, the others one word mod (largest + 1). low = -2^63 alone: two words as
    they are. Raises RuntimeError for bounds that are out of order or range, NotImplementedError by dtype.
    """
    dtype = array.dtype
    if low is None:
        if not array.size:
            return array
        if dtype.kind == "c" or dtype in WIDE_UNSIGNED:
            raise not_implemented("random_kernel_cpu", dtype)
        return fill_integers(array, 0, largest_integer(dtype) + 1, dtype in (F64, INT64), generator)
    if high is None:
        if low == -(2**63):
            return random_full_range(array, generator)
        if dtype.kind == "c":
            raise RuntimeError("random_from_to_impl handles only integral, floating-point and boolean types")
        last = -1 if dtype == np.uint64 else largest_integer(dtype)  # -1: PyTorch overflows, and refuses
        if dtype in FLOATS:
            low = move_low(low, dtype)
            if not low < last:
                raise RuntimeError(
                    "random_ expects 'from' casted to dtype to be less than or equal to 'to_inc' casted to dtype, "
                    f"but got from={low} > to_inc={last}"
                )
    else:
        if not low < high:
            raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
        if dtype in FLOATS:
            low, high = move_low(low, dtype), move_high(high, dtype)
            if not low < high:
                raise RuntimeError(
                    f"random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, but got from={low} >= to={high}"
                )
        last = high - 1
    check_integer_bounds(low, last, dtype)
    if not array.size:
        return array
    width = (last + 1 - low) % 2**64
    return fill_integers(array, low, width, width >= 2**28, generator)


def largest_integer(dtype: Any) -> int:
    return 1 << DIGITS[dtype] if dtype in FLOATS else INTEGER_RANGE[dtype][1]


def as_float_dtype(number: int, dtype: Any) -> int:
    """The integer after a cast to a floating-point dtype and back."""
    single = np.array(number, np.int64)
    with np.errstate(over="ignore"):
        value = float(single.astype(dtype) if dtype in (F32, F64) else single.astype(F32).astype(dtype))
    return int(value) if math.isfinite(value) and abs(value) < 2**63 else -(2**63)


def move_low(low: int, dtype: Any) -> int:
    """The first integer from `low` on that the floating-point dtype holds."""
    next_one = as_float_dtype(low + 1, dtype)
    if next_one < low:
        low = next_one + (1 << (abs(low + 1).bit_length() - DIGITS[dtype]))
    return low


def move_high(high: int, dtype: Any) -> int:
    """The bound below which no integer is rounded up to `high`."""
    last = as_float_dtype(high - 1, dtype)
    if last >= high:
        high = last - (1 << (abs(high - 1).bit_length() - DIGITS[dtype]))
    return high


def check_integer_bounds(low: int, last: int, dtype: Any) -> None:
    if dtype.kind == "c":
        raise RuntimeError("check_random_bounds handles only integral, floating-point and boolean types")
    smallest, largest = (-LARGEST[dtype], LARGEST[dtype]) if dtype in FLOATS else INTEGER_RANGE[dtype]
    if smallest <= low <= largest and smallest <= last <= largest and dtype not in FLOATS:
        return
    for name, bound in (("from", low), ("to - 1", last)):
        if not smallest <= bound <= largest:
            raise RuntimeError(f"{name} is out of bounds for {CPP_NAMES[dtype]}")
    if dtype in FLOATS:
        digits = DIGITS[dtype]
        for name, bound in (("from", low), ("to - 1", last)):
            if abs(bound) > 1 << digits:
                import warnings

                warnings.warn(
                    f"{name} is out of bounds [-(2^{digits}), 2^{digits}]. Due to precision limitations {CPP_NAMES[dtype]} can "
                    "support discrete uniform distribution only within this range. This warning will become an error in "
                    "version 1.7 release, please fix the code in advance",
                    stacklevel=4,
                )


def fill_integers(array: Any, low: int, width: int, two_words: bool, generator: Any) -> Any:
    """low + r mod width, cast to the dtype; width 0 stands for 2^64."""
    generator = generator or default_generator
    flat, target = memory_order(array)
    if not two_words and usable() and 0 < width <= 2**32 and -(2**50) < low < 2**50:
        numbers = flat if flat.dtype == INT64 else np.empty(flat.size, INT64)
        drawn(fill.integers(), numbers, generator, float(low), float(width), 1.0 / width)
        if numbers is not flat:
            store(flat, numbers)
        if target is not None:
            target[...] = flat.reshape(target.shape)
        return array
    draw = generator.raw64 if two_words else generator.raw
    for start, stop in chunks(flat.size):
        words = draw(stop - start)
        if width & (width - 1) == 0:
            if width:
                words &= np.uint64(width - 1)
        else:
            quotient = words // np.uint64(width)  # twice as fast as NumPy's remainder
            quotient *= np.uint64(width)
            words -= quotient
        numbers = words.view(np.int64)
        if low:
            numbers += low
        if flat.dtype == INT64:
            flat[start:stop] = numbers
        else:
            store(flat[start:stop], numbers)
    if target is not None:
        target[...] = flat.reshape(target.shape)
    return array


def random_full_range(array: Any, generator: Any) -> Any:
    """Two words as an int64, in the dtypes for which PyTorch has that."""
    dtype = array.dtype
    if not array.size:
        return array
    if dtype in (F16, BOOL) or dtype.kind == "c" or dtype in WIDE_UNSIGNED:
        raise not_implemented("random_full_64_bits_range_kernel_cpu", dtype)
    if dtype not in FLOATS and dtype != INT64:
        raise RuntimeError("random_full_64_bits_range_kernel_cpu handles only int64, double, float and bfloat16")
    return fill_integers(array, 0, 0, True, generator)
