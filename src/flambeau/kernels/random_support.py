"""What the random fills and the samplers share: dtypes, the order of memory, threads, fused operations, libm."""

import functools
import math
import os
from typing import Any, Callable, Iterator

import numpy as np

from ..core.dtype import OF_NUMPY, SCALAR_NAMES, bfloat16
from .box_muller import PAIRS
from .quiet import quiet

CHUNK = 2 * PAIRS
"""Elements in one go, so that what is computed on stays in the cache."""

SMALL = 2048
"""Up to this many elements, fewer calls matter more than what each element costs."""

THREADED = 8 * CHUNK
"""From this many elements on, other threads compute on words while this one draws the next."""

try:
    THREADS = min(len(os.sched_getaffinity(0)), 4)
except AttributeError:
    THREADS = min(os.cpu_count() or 1, 4)

F16, F32, F64, BF16 = np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64), bfloat16.numpy
C64, C128, BOOL = np.dtype(np.complex64), np.dtype(np.complex128), np.dtype(np.bool_)
INT64 = np.dtype(np.int64)
FLOATS = frozenset((F32, F64, F16, BF16))
SMALL_FLOATS = frozenset((F16, BF16))
INTEGERS: frozenset[Any] = frozenset(np.dtype(t) for t in (np.int8, np.int16, np.int32, np.int64, np.uint8))
WIDE_UNSIGNED: frozenset[Any] = frozenset(np.dtype(t) for t in (np.uint16, np.uint32, np.uint64))
REAL = {F32: F32, F64: F64, F16: F16, BF16: BF16, C64: F32, C128: F64}
DIGITS = {F16: 11, BF16: 8, F32: 24, F64: 53}
LARGEST = {F16: 65504.0, BF16: float.fromhex("0x1.fep127"), F32: float(np.finfo(F32).max), F64: float(np.finfo(F64).max)}
INTEGER_RANGE: dict[Any, tuple[int, int]] = {
    d: (int(np.iinfo(d).min), min(int(np.iinfo(d).max), 2**63 - 1)) for d in INTEGERS | WIDE_UNSIGNED
} | {BOOL: (0, 1)}
CPP_NAMES = {
    BOOL: "bool", np.dtype(np.uint8): "unsigned char", np.dtype(np.int8): "signed char",
    np.dtype(np.int16): "short int", np.dtype(np.int32): "int", INT64: "long int",
    np.dtype(np.uint16): "short unsigned int", np.dtype(np.uint32): "unsigned int", np.dtype(np.uint64): "long unsigned int",
    F16: "c10::Half", BF16: "c10::BFloat16", F32: "float", F64: "double",
    C64: "c10::complex<float>", C128: "c10::complex<double>",
}  # fmt: skip
"""The dtypes as some of PyTorch's messages call them."""

TWO_M24, TWO_M53 = np.float32(2.0**-24), 2.0**-53
LOW_53, LOW_24_64 = np.uint64(2**53 - 1), np.uint64(2**24 - 1)
TWO_PI = 2.0 * math.pi


def scalar_name(dtype: Any) -> str:
    return SCALAR_NAMES[OF_NUMPY[dtype]]


def not_implemented(kernel: str, dtype: Any) -> NotImplementedError:
    return NotImplementedError(f"\"{kernel}\" not implemented for '{scalar_name(dtype)}'")


def memory_order(array: Any) -> tuple[Any, Any]:
    """(flat, target): a one-dimensional array to fill, and a view of `array` to copy it to, None if it is its memory."""
    if array.flags.c_contiguous:
        return array.reshape(-1), None
    strides, shape = array.strides, array.shape
    if any(stride == 0 and size > 1 for stride, size in zip(strides, shape)):
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
            "Please clone() the tensor before performing the operation."
        )
    view = array.transpose(sorted(range(array.ndim), key=lambda dim: -strides[dim]))
    if view.flags.c_contiguous:
        return view.reshape(-1), None
    return np.empty(array.size, array.dtype), view


def store(flat: Any, numbers: Any) -> None:
    """Casts float64 or int64 numbers to the dtype of `flat` as C++ does: to the small floats by way of float32."""
    if flat.dtype in SMALL_FLOATS:
        flat[...] = numbers.astype(F32)
    else:
        flat[...] = numbers


def chunks(size: int, step: int = CHUNK) -> Iterator[tuple[int, int]]:
    for start in range(0, size, step):
        yield start, min(start + step, size)


def spread(items: Iterator[Any], make_work: Callable[[], Callable[[Any], None]], size: int) -> None:
    """Calls `work(item)` for every item, on several threads if there are many elements; `make_work` once per thread.

    The items are drawn on this thread, in order, so that the stream does not depend on the number of threads.
    """
    work = make_work()
    if size < THREADED or THREADS < 2:
        for item in items:
            work(item)
        return
    from queue import Empty, SimpleQueue
    from threading import Thread

    queue: Any = SimpleQueue()
    failures: list[BaseException] = []

    @quiet
    def serve(work: Callable[[Any], None] | None = None) -> None:
        try:
            work = work or make_work()
            while (item := queue.get()) is not None:
                work(item)
        except BaseException as failure:
            failures.append(failure)

    threads = [Thread(target=serve, daemon=True) for _ in range(THREADS - 1)]
    for thread in threads:
        thread.start()
    try:
        for item in items:
            queue.put(item)
            if queue.qsize() > 2 * THREADS:
                try:
                    work(queue.get_nowait())
                except Empty:
                    pass
    finally:
        for _ in range(THREADS):
            queue.put(None)
        serve(work)
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]


def fused32(array: Any, factor: float, summand: float) -> None:
    """array = fma(array, factor, summand) in place: float32, one rounding. `factor` and `summand` are float32 values."""
    product = array.astype(F64)
    product *= factor
    total = product + summand
    # The float64 sum is rounded again, to float32: wrong only if the first rounding made it a tie.
    ties = np.flatnonzero((total.view(np.int64) & 0x1FFFFFFF) == 0x10000000)
    if ties.size:
        p, s = product[ties], total[ties]
        q = s - p
        error = (p - (s - q)) + (summand - q)
        total[ties] = np.where(error == 0, s, np.nextafter(s, np.copysign(np.inf, error)))
    array[...] = total


def fused64(x: Any, factor: float, summand: float) -> Any:
    """fma(x, factor, summand) for a float64 array (Boldo and Melquiond, 2008: exact product, sum rounded to odd)."""
    if summand == 0:
        return x * factor + 0.0
    if factor == 1:
        return x + summand
    factor_high = factor * 134217729.0
    factor_high -= factor_high - factor
    factor_low = factor - factor_high
    high = x * 134217729.0
    high -= high - x
    low = x - high
    product = x * factor
    rest = ((high * factor_high - product) + high * factor_low + low * factor_high) + low * factor_low

    def two_sum(a: Any, b: Any) -> tuple[Any, Any]:
        total = a + b
        part = total - a
        return total, (a - (total - part)) + (b - part)

    tail, tail_error = two_sum(rest, summand)
    head, head_error = two_sum(product, tail)
    odd, odd_error = two_sum(tail_error, head_error)
    even = (odd.view(np.int64) & 1) == 0
    odd = np.where((odd_error != 0) & even, np.nextafter(odd, np.copysign(np.inf, odd_error)), odd)
    result = head + odd
    return np.where(np.isfinite(product), result, product + summand)


@functools.cache
def libm(name: str) -> Callable[[Any], Any]:
    """The C library's function over float64 arrays: NumPy's own where that agrees with it, else element by element.

    On CPUs with AVX-512, NumPy has faster versions of log, log1p, exp and tan that differ in the last bit.
    """
    reference = getattr(math, name)
    sample = (np.arange(1, 4097) * 0.6180339887498949) % 1.0
    if name == "log1p":
        sample = -sample
    elif name == "exp":
        sample = 8 * sample - 4

        def reference(x: float) -> float:
            return math.exp(x) if x < 709 else math.inf if x > 710 else float(np.exp(x))

    elif name in ("tan", "sin", "cos"):
        sample = TWO_PI * sample
    function = getattr(np, name)
    if (function(sample) == [reference(x) for x in sample.tolist()]).all():
        return function
    return lambda x: np.fromiter(map(reference, x.tolist()), F64, x.size)


def u53(generator: Any, n: int) -> Any:
    """n times U53."""
    words = generator.raw64(n)
    words &= LOW_53
    return words.view(np.int64) * TWO_M53


def draw_u53(generator: Any) -> Callable[[], float]:
    """U53 one at a time, for the methods that reject."""
    raw = generator.raw
    return lambda: ((raw() << 32 | raw()) & 0x1FFFFFFFFFFFFF) * TWO_M53
