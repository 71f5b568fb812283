"""The random numbers that samplers and loaders draw, as Python ints."""

from typing import Any

import numpy as np

from ....core.generator import Generator, default_generator
from ....kernels import sampling
from ....kernels.random import random_


def _refused(where: str, name: str, args: tuple[Any, ...], generator: Any) -> Exception:
    """The error of PyTorch's function for a generator that is none, or a number that it does not take."""
    from ....ops.arguments import refusal

    return refusal(where, name, args, {"generator": generator}) or TypeError(f"{name}(): wrong arguments")


def draw_seed(generator: Generator | None) -> int:
    """A seed from a generator (None: the default one): what `torch.empty((), dtype=torch.int64).random_()` draws."""
    if generator is not None and not isinstance(generator, Generator):
        raise _refused("Tensor", "random_", (), generator)
    raw = (default_generator if generator is None else generator).raw
    high = raw()
    return (high << 32 | raw()) & 0x7FFFFFFFFFFFFFFF


def randperm(n: int, generator: Generator | None) -> list[int]:
    """A random permutation of 0..n-1."""
    if n.__class__ is not int or generator is not None and not isinstance(generator, Generator):
        raise _refused("torch", "randperm", (n,), generator)
    return sampling.randperm(n, generator=generator).tolist()


def randint(high: int, count: int, generator: Generator) -> list[int]:
    """`count` random ints from 0 to high - 1."""
    if not isinstance(generator, Generator):
        raise _refused("torch", "randint", (high, (count,)), generator)
    return random_(np.empty(count, np.int64), 0, high, generator).tolist()


def multinomial(weights: Any, count: int, replacement: bool, generator: Generator | None) -> list[int]:
    """`count` indices drawn with the probabilities that `weights`, a one-dimensional array, gives."""
    return sampling.multinomial(weights, count, replacement, generator).tolist()
