"""The random numbers that samplers and loaders draw, as Python ints."""

from typing import Any

from ....core.generator import Generator, default_generator


def draw_seed(generator: Generator | None) -> int:
    """A seed from a generator (None: the default one): what `torch.empty((), dtype=torch.int64).random_()` draws."""
    raw = (default_generator if generator is None else generator).raw
    high = raw()
    return (high << 32 | raw()) & 0x7FFFFFFFFFFFFFFF


def randperm(n: int, generator: Generator | None) -> list[int]:
    """A random permutation of 0..n-1."""
    a = list(range(n))
    if n > 1:
        words = (generator or default_generator).raw(n - 1).tolist()
        for i in range(n - 1):
            j = i + words[i] % (n - i)
            a[i], a[j] = a[j], a[i]
    return a


def randint(high: int, count: int, generator: Generator) -> list[int]:
    """`count` random ints from 0 to high - 1."""
    if high >= 1 << 28:
        return (generator.raw64(count) % high).tolist()
    return (generator.raw(count) % high).tolist() if count else []


def multinomial(weights: Any, count: int, replacement: bool, generator: Generator | None) -> list[int]:
    """`count` indices drawn with the probabilities that `weights`, a one-dimensional tensor, gives."""
    from ....ops import multinomial as draw

    return draw(weights, count, replacement, generator=generator).tolist()
