"""Samplers that are no plain fills: permutations, categories, counts. PyTorch's CPU streams, bit for bit.

Where a method rejects, numbers are drawn one at a time. `generator` is the default one if None.
"""

import math
from typing import Any

import numpy as np

from ..core.generator import default_generator
from .compiler import usable
from .library import fill, sampler
from .quiet import quiet
from .random import drawn, exponential_, standard_normal
from .random_support import (
    BF16,
    BOOL,
    F16,
    F32,
    F64,
    FLOATS,
    INT64,
    INTEGER_RANGE,
    WIDE_UNSIGNED,
    draw_u53,
    not_implemented,
    scalar_name,
    u53,
)
from .selection import top_order

ONE_BY_ONE = 500
"""Up to this many numbers, swapping in a Python loop is faster."""

HUGE = (2**32 - 1) // 20
"""From this many numbers on, PyTorch permutes with two words a step (a word mod n would be too uneven)."""

LARGEST_COUNT = {F16: (2**11 + 1, "2049 for Half"), F32: (2**24 + 1, "2^24+1 for Float"), F64: (2**53 + 1, "2^53+1 for Double")}
"""How many numbers PyTorch permutes in a floating-point dtype, and how it says so. (It lets bfloat16 pass.)"""


def randperm(n: int, dtype: Any = INT64, generator: Any = None) -> Any:
    """The numbers 0 to n-1 in random order, a new array: for each i but the last, swap i with i + r mod (n - i).

    r is a word. Raises RuntimeError if n is negative or more than the dtype holds, NotImplementedError for bool, complex
    and wide unsigned dtypes.
    """
    dtype = np.dtype(dtype)
    if n < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
    if dtype in INTEGER_RANGE and n - 1 > INTEGER_RANGE[dtype][1] and dtype != BOOL:
        name = {"i": "int", "u": "uint"}[dtype.kind] + str(8 * dtype.itemsize)
        raise RuntimeError(f"value cannot be converted to type {name}_t without overflow")
    if dtype in LARGEST_COUNT and n > LARGEST_COUNT[dtype][0]:
        raise RuntimeError(f"n cannot be greater than {LARGEST_COUNT[dtype][1]} type.")
    if dtype == BOOL or dtype.kind == "c" or dtype in WIDE_UNSIGNED:
        raise not_implemented("randperm", dtype)
    generator = generator or default_generator
    if n >= HUGE:
        numbers = inside_out(n, generator)
    elif usable():
        numbers = drawn(fill.permute(), np.empty(n, INT64), generator)
    elif n <= ONE_BY_ONE:
        numbers = swap_one_by_one(n, generator)
    else:
        numbers = swap_all(n, generator)
    if dtype == INT64:
        return numbers
    return numbers.astype(F32).astype(dtype) if dtype in (F16, BF16) else numbers.astype(dtype)


def swap_targets(n: int, generator: Any) -> Any:
    """For each step but the last, the position that it swaps with."""
    steps = np.arange(n - 1, dtype=np.uint64)
    targets = generator.raw(n - 1)
    targets %= np.uint64(n) - steps
    targets += steps
    return targets


def swap_one_by_one(n: int, generator: Any) -> Any:
    numbers = list(range(n))
    if n > 1:
        for i, j in enumerate(swap_targets(n, generator).tolist()):
            numbers[i], numbers[j] = numbers[j], numbers[i]
    return np.array(numbers, INT64)


def swap_all(n: int, generator: Any) -> Any:
    """The same swaps without a loop.

    Position p is hit by the steps k < p with target p; each takes what is there and leaves what stood at its own
    position k. So what stands at p when its turn comes is what stood at k when k's came, k being the last step that hit p:
    following these links leads to a position never hit, which holds its own number. And step i takes away what the step
    that hit the same target before it had left there.
    """
    targets = np.empty(n, np.uint64)
    targets[:-1] = swap_targets(n, generator)
    targets[-1] = n - 1
    steps = np.arange(n, dtype=np.uint64)
    keys = targets << 32
    keys |= steps
    keys.sort()  # by target, then by step
    step = (keys & 0xFFFFFFFF).astype(INT64)
    target = (keys >> 32).astype(INT64)
    own = step == target  # the step of the position itself, always the last to hit it
    standing = np.arange(n)  # what stands at a position when its turn comes, as the position that brought it
    hits = step[~own]
    standing[target[~own]] = hits  # of several, the last assignment counts: the latest step
    while True:
        further = standing[standing]
        if (further == standing).all():
            break
        standing = further
    taken = np.empty(n, INT64)
    taken[step] = target
    same = np.flatnonzero(target[1:] == target[:-1])
    taken[step[same + 1]] = standing[step[same]]
    return taken


def inside_out(n: int, generator: Any) -> Any:
    """A permutation of very many numbers, two words a step: put i where a random earlier one is, which moves to i."""
    numbers = np.empty(n, INT64)
    view: Any = memoryview(numbers)  # type: ignore[arg-type]
    for start in range(0, n, 65536):
        for i, word in enumerate(generator.raw64(min(65536, n - start)).tolist(), start):
            z = word % (i + 1)
            view[i] = view[z]
            view[z] = i
    return numbers


@quiet
def multinomial(weights: Any, count: int, replacement: bool = False, generator: Any = None) -> Any:
    """`count` categories for each row of `weights` (one or two dimensions, not normalised): an int64 array.

    With replacement: the first category whose cumulative share reaches U53. Without, or if only one is asked for: the
    largest weight / q with q from `exponential_`, in the dtype of the weights, in descending order. Raises RuntimeError
    for weights that are no floats, negative, infinite, NaN or all zero, and for a count that is not positive or, without
    replacement, too large.
    """
    if not 0 < weights.ndim <= 2:
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    dtype = weights.dtype
    if dtype not in FLOATS:
        raise RuntimeError(f"multinomial only supports floating-point dtypes for input, got: {scalar_name(dtype)}")
    if count <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    categories = weights.shape[-1]
    if not replacement and count > categories:
        raise RuntimeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    if categories > 2**24:
        raise RuntimeError("number of categories cannot exceed 2^24")
    shape = (*weights.shape[:-1], count)
    if 0 in shape:
        return np.empty(shape, INT64)
    generator = generator or default_generator
    if replacement and count > 1:
        return with_replacement(np.atleast_2d(weights), count, generator).reshape(shape)
    if not categories:
        raise RuntimeError("aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity.")
    peaks = np.maximum.reduce(weights, -1)
    if not (np.maximum.reduce(peaks, None) < np.inf and np.minimum.reduce(weights, None) >= 0):
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if not peaks.all():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    score = weights / exponential_(np.empty(weights.shape, dtype), 1.0, generator)
    if count == 1:
        return score.argmax(-1, keepdims=True)
    keys = -(score if dtype in (F32, F64) else score.astype(F32)).reshape(-1, categories)
    if categories > 4 * count:
        some = np.argpartition(keys, count, -1)[:, : count + 1]
        order = np.take_along_axis(some, np.argsort(np.take_along_axis(keys, some, -1), -1), -1)
    else:
        order = np.argsort(keys, -1)
    first = np.take_along_axis(keys, order[:, : count + 1], -1)
    order = order[:, :count]
    for row in np.flatnonzero((first[:, 1:] == first[:, :-1]).any(-1)).tolist():
        order[row] = top_order(keys[row].tolist(), count)
    return np.ascontiguousarray(order).reshape(shape)


def with_replacement(weights: Any, count: int, generator: Any) -> Any:
    """`count` categories for each row. A row that is no distribution raises, after the rows before it were drawn."""
    dtype = weights.dtype
    shares = np.cumsum(weights if dtype in (F32, F64) else weights.astype(F32), -1)
    valid = (weights >= 0) & (weights < np.inf)
    good = valid.all(-1) & (weights != 0).any(-1)
    rows = len(shares) if good.all() else int(good.argmin())
    uniform = u53(generator, rows * count).reshape(rows, count)
    if rows < len(shares):
        bad = weights[rows][~valid[rows]]
        why = "sum of probabilities <= 0"
        if bad.size:
            why = "encountering probability entry = infinity or NaN" if bad[0] > 0 else "encountering probability entry < 0"
        raise RuntimeError(f"invalid multinomial distribution ({why})")
    shares /= shares[:, -1:]
    shares[:, -1] = 1
    if uniform.size * shares.shape[1] < 1 << 16:  # how many lie below is the place of each
        return np.add.reduce(shares[:, None] < uniform[:, :, None], -1, INT64)
    return np.stack([np.searchsorted(row, u) for row, u in zip(shares.astype(F64), uniform)]).astype(INT64, copy=False)


@quiet
def poisson(rate: Any, generator: Any = None) -> Any:
    """A Poisson number for each rate, in the dtype of `rate`, a new array.

    Below a rate of 10 the product of uniform numbers until it falls to exp(-rate), from there on transformed rejection
    (PTRS; Hoermann, 1993). Raises RuntimeError for a negative rate or NaN, NotImplementedError for other dtypes.
    """
    if rate.dtype not in FLOATS:
        raise not_implemented("poisson_cpu", rate.dtype)
    generator = generator or default_generator
    if usable():
        numbers = rate.astype(F64).reshape(-1)
        valid = numbers >= 0
        n = numbers.size if valid.all() else int(valid.argmin())
        drawn(sampler.poisson(), numbers[:n], generator)
        if n < numbers.size:
            raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
        return (numbers.astype(F32) if rate.dtype in (F16, BF16) else numbers).astype(rate.dtype).reshape(rate.shape)
    uniform = draw_u53(generator)
    numbers = [poisson_one(mean, uniform) for mean in rate.astype(F64).ravel().tolist()]
    return np.array(numbers, F64).astype(F32 if rate.dtype in (F16, BF16) else rate.dtype).astype(rate.dtype).reshape(rate.shape)


def poisson_one(rate: float, uniform: Any) -> float:
    if not rate >= 0:
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    if rate == 0:
        return 0.0
    if rate < 10:
        limit, product, count = math.exp(-rate), uniform(), 0
        while product > limit:
            product *= uniform()
            count += 1
        return count
    log_rate = math.log(rate)
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2)
    while True:
        u = uniform() - 0.5
        v = uniform()
        us = 0.5 - abs(u)
        k = math.floor((2 * a / us + b) * u + rate + 0.43) if us else -1
        if us >= 0.07 and v <= v_r:
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        left = (math.log(v) if v else -math.inf) + math.log(inverse_alpha) - math.log(a / (us * us) + b)
        if left <= -rate + k * log_rate - math.lgamma(k + 1.0):
            return k


@quiet
def binomial(count: Any, prob: Any, generator: Any = None) -> Any:
    """Successes in `count` trials with probability `prob` each, for arrays of one dtype that broadcast: a new array.

    Where the mean is below 10: geometric numbers are added up; else transformed rejection (BTRS; Hoermann, 1993).
    Raises ValueError for integers, RuntimeError for two dtypes, NotImplementedError for others than float32 and float64.
    """
    for name, given in (("count", count), ("prob", prob)):
        if given.dtype not in FLOATS:
            raise ValueError(f"binomial only supports floating-point dtypes for {name}, got: {scalar_name(given.dtype)}")
    if count.dtype != prob.dtype:
        raise RuntimeError(f"Found dtype {scalar_name(prob.dtype)} but expected {scalar_name(count.dtype)}")
    dtype = count.dtype
    if dtype not in (F32, F64):
        raise not_implemented("binomial_cpu", dtype)
    count, prob = np.broadcast_arrays(count, prob)
    generator = generator or default_generator
    if usable() and (dtype is F64 or (count <= 2**24).all() and (count == np.floor(count)).all()):
        return binomial_numbers(count, prob, generator)
    uniform = draw_u53(generator)
    result = np.empty(count.shape, dtype)
    flat = result.reshape(-1)
    for i, (n, p) in enumerate(zip(count.ravel(), prob.ravel())):
        flat[i] = binomial_one(n, p, uniform)
    return result


def binomial_numbers(count: Any, prob: Any, generator: Any) -> Any:
    """The same as `binomial_one` for arrays, compiled; in float32 for whole counts that it holds exactly."""
    dtype = count.dtype
    result = np.where(prob >= 1, count, (prob - prob) + (count - count))  # without a draw: all succeed, none does, or NaN
    result[(count <= 0) | (prob <= 0)] = 0
    drawn_ones = (count > 0) & (prob > 0) & (prob < 1)
    n, p = count[drawn_ones], prob[drawn_ones]
    flipped = p > 0.5
    p = np.where(flipped, (1.0 - p.astype(F64)).astype(dtype), p)
    one = dtype.type(1)
    product = n * p
    few = product < 10
    rows = np.empty((n.size, 7))
    rows[:, 0] = n
    rows[:, 1] = np.where(few, np.log1p(-p.astype(F64)).astype(dtype), p)
    rows[:, 2] = np.where(few, -one, np.sqrt(product * (one - p)))
    rows[:, 3] = product
    rows[:, 4] = p / (one - p)
    rows[:, 5] = np.floor((n + one) * p)
    rows[:, 6] = n + one
    successes = drawn(sampler.binomial(), np.empty(n.size), generator, rows).astype(dtype)
    result[drawn_ones] = np.where(flipped, n - successes, successes)
    return result


def binomial_one(n: Any, p: Any, uniform: Any) -> Any:
    """`n` and `p` are NumPy scalars: PyTorch computes partly in their dtype, partly in float64."""
    if n <= 0 or p <= 0:
        return 0
    if p >= 1:
        return n
    if p != p:
        return math.nan
    if p <= 0.5:
        return rejection(n, p, uniform) if n * p >= 10 else inversion(n, p, uniform)
    q = type(p)(1.0 - float(p))
    return n - (rejection(n, q, uniform) if n * q >= 10 else inversion(n, q, uniform))


def inversion(n: Any, p: Any, uniform: Any) -> Any:
    log_q = float(log1p_of(-p))
    total, successes = 0.0, 0
    while True:
        u = uniform()
        total += math.ceil(math.log(u) / log_q) if u else math.inf
        if total > n:
            return type(n)(successes)
        successes += 1


def log1p_of(x: Any) -> Any:
    """log1p in the dtype of the NumPy scalar x, rounded correctly but for rare cases."""
    return type(x)(math.log1p(float(x)))


STIRLING_TAIL = (
    0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509, 0.0166446911898211,
    0.0138761288230707, 0.0118967099458917, 0.0104112652619720, 0.00925546218271273, 0.00833056343336287,
)  # fmt: skip
"""ln k! less Stirling's approximation, for k below 10 (Hoermann, 1993)."""


def stirling_tail(k: float) -> float:
    if k <= 9:
        return STIRLING_TAIL[int(k)]
    square = (k + 1) * (k + 1)
    return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1)


def rejection(n: Any, p: Any, uniform: Any) -> Any:
    """BTRS. `n`, `p`, k and what is made of them alone are in their dtype, everything else in float64."""
    kind = type(n)
    one = kind(1)
    deviation = float(np.sqrt(n * p * (one - p)))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * float(p)
    c = float(n * p) + 0.5
    v_r = 0.92 - 4.2 / b
    r = float(p / (one - p))
    alpha = (2.83 + 5.1 / b) * deviation
    m = float(np.floor((n + one) * p))
    trials = float(n)
    while True:
        u = uniform() - 0.5
        v = uniform()
        us = 0.5 - abs(u)
        if not us:
            continue
        k = float(kind(math.floor((2 * a / us + b) * u + c)))
        if k < 0 or k > trials:
            continue
        if us >= 0.07 and v <= v_r:
            return kind(k)
        bound = v * alpha / (a / (us * us) + b)
        v = math.log(bound) if bound else -math.inf
        failures = float(kind(kind(trials - k) + one))
        upper = (
            (m + 0.5) * math.log((m + 1) / (r * (trials - m + 1)))
            + float(n + one) * math.log((trials - m + 1) / failures)
            + (k + 0.5) * math.log(r * failures / float(kind(k) + one))
            + stirling_tail(m)
            + stirling_tail(trials - m)
            - stirling_tail(k)
            - stirling_tail(float(kind(trials - k)))
        )
        if v <= upper:
            return kind(k)


@quiet
def standard_gamma(shape: Any, generator: Any = None) -> Any:
    """A gamma number of scale 1 for each shape parameter, at least the dtype's smallest normal number: a new array.

    Marsaglia and Tsang (2000), from normal numbers one by one and U53; below 1 by way of shape + 1 and a power of U53.
    Raises NotImplementedError for others than float32 and float64.
    """
    dtype = shape.dtype
    if dtype not in (F32, F64):
        raise not_implemented("gamma_cpu", dtype)
    generator = generator or default_generator
    if usable():
        return np.fmax(gamma_numbers(shape, generator).astype(dtype, copy=False), np.finfo(dtype).tiny)
    uniform = draw_u53(generator)
    result = np.empty(shape.shape, dtype)
    flat = result.reshape(-1)
    for i, alpha in enumerate(shape.ravel()):
        flat[i] = gamma_one(alpha, uniform, generator)
    return np.fmax(result, np.finfo(dtype).tiny)


@quiet
def dirichlet(concentration: Any, generator: Any = None) -> Any:
    """Gamma numbers in float64, divided by their sum over the last dim, between the dtype's smallest normal number and 1: a new array.

    Raises NotImplementedError for others than float32 and float64.
    """
    dtype = concentration.dtype
    if dtype not in (F32, F64):
        raise not_implemented("dirichlet", dtype)
    numbers = standard_gamma(concentration.astype(F64), generator)
    shares = numbers / (row_sums(numbers)[..., None] if numbers.ndim else numbers)
    kind = dtype.type
    return np.clip(shares.astype(dtype, copy=False), np.finfo(dtype).tiny, np.nextafter(kind(1), kind(0)))


def row_sums(x: Any) -> Any:
    """Sums over the last dim of float64 in PyTorch's order with AVX2: the rest, then four lanes, each of four sums of every fourth one."""
    n = x.shape[-1]
    if not 4 <= n <= 256:
        return x.sum(-1)
    count = n // 4
    vectors = x[..., : 4 * count].reshape(*x.shape[:-1], count, 4)
    sums = [vectors[..., k, :] * 1 for k in range(min(count, 4))]
    for i in range(4, count):
        sums[i % 4 if i < count - count % 4 else 0] += vectors[..., i, :]
    lanes = sums[0]
    for other in sums[1:]:
        lanes += other
    total = x[..., 4 * count :].sum(-1)
    for k in range(4):
        total = total + lanes[..., k]
    return total


def gamma_numbers(shape: Any, generator: Any) -> Any:
    """The same as `gamma_one` for an array, compiled."""
    kind = shape.dtype.type
    third = kind(np.float32(1) / np.float32(3))
    small = shape < 1
    if small.any():
        exponents = np.where(small, kind(1) / shape, kind(0)).astype(F64)
        exponents[shape == 0] = -1
        numbers = (np.where(small, shape + kind(1), shape) - third).astype(F64)
    else:
        exponents = np.zeros(shape.shape)
        numbers = (shape - third).astype(F64)
    numbers, exponents = np.ascontiguousarray(numbers).reshape(-1), np.ascontiguousarray(exponents)
    waiting = generator.next_normal
    cache = np.array([0.0 if waiting is None else waiting, waiting is not None])
    drawn(sampler.gamma(), numbers, generator, exponents, cache)
    generator.next_normal = float(cache[0]) if cache[1] else None
    return numbers.reshape(shape.shape)


def gamma_one(alpha: Any, uniform: Any, generator: Any) -> float:
    """`alpha` is a NumPy scalar: PyTorch computes with it in its dtype, with everything else in float64."""
    kind = type(alpha)
    scale = 1.0
    if alpha < 1:
        if alpha == 0:
            return 0.0
        scale = (1 - uniform()) ** float(kind(1) / alpha)
        alpha = alpha + kind(1)
    d = float(alpha - kind(np.float32(1) / np.float32(3)))
    c = 1.0 / math.sqrt(9.0 * d) if d > 0 else math.nan
    squeeze = float(np.float32(0.0331))
    while True:
        y = 0.0
        while y <= 0:
            x = float(standard_normal(1, generator)[0])
            y = 1.0 + c * x
        v = y * y * y
        u = 1 - uniform()
        xx = x * x
        if u < 1.0 - squeeze * xx * xx or math.log(u) < 0.5 * xx + d * (1.0 - v + math.log(v)):
            return scale * d * v
