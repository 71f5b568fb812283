"""Samplers: in which order, and in which batches, a loader asks for the samples of a dataset."""

from itertools import islice
from typing import Any, Generic, Iterable, Iterator, Sequence, TypeVar

from ...core.dtype import float64
from ...core.generator import Generator
from ...core.naming import public
from ...ops.from_data import as_tensor
from ._utils.random import draw_seed, multinomial, randint, randperm

T_co = TypeVar("T_co", covariant=True)


@public("torch.utils.data.sampler")
class Sampler(Generic[T_co]):
    """Base of all samplers: `__iter__` yields indices, or lists of indices. `__len__` is optional."""

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError


@public("torch.utils.data.sampler")
class SequentialSampler(Sampler[int]):
    """The indices of `data_source` in order."""

    def __init__(self, data_source: Any) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


@public("torch.utils.data.sampler")
class RandomSampler(Sampler[int]):
    """Indices of `data_source` at random: a permutation, or with `replacement` independent draws.

    `num_samples` (default: the length of `data_source`) may be smaller or larger than one pass. Without `generator`,
    each iteration draws one seed from the default generator and its indices from a new generator with that seed.
    Raises TypeError for a `replacement` that is no bool, ValueError for a `num_samples` that is no positive int.
    """

    def __init__(
        self, data_source: Any, replacement: bool = False, num_samples: int | None = None, generator: Generator | None = None
    ) -> None:
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got replacement={replacement}")
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ValueError(f"num_samples should be a positive integer value, but got num_samples={self.num_samples}")

    @property
    def num_samples(self) -> int:
        """How many indices an iteration yields; follows a data source that changes its length."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        n = len(self.data_source)
        generator = self.generator
        if generator is None:
            seed = draw_seed(None)
            generator = Generator()
            generator.manual_seed(seed)
        if self.replacement:
            for _ in range(self.num_samples // 32):
                yield from randint(n, 32, generator)
            yield from randint(n, self.num_samples % 32, generator)
        else:
            for _ in range(self.num_samples // n):
                yield from randperm(n, generator)
            rest = self.num_samples % n
            if rest or generator is self.generator:  # the user's generator ends in PyTorch's state: one more is drawn
                yield from randperm(n, generator)[:rest]

    def __len__(self) -> int:
        return self.num_samples


@public("torch.utils.data.sampler")
class SubsetRandomSampler(Sampler[int]):
    """The given indices in random order."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for i in randperm(len(self.indices), self.generator):
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


@public("torch.utils.data.sampler")
class WeightedRandomSampler(Sampler[int]):
    """`num_samples` indices into `weights`, each drawn with probability proportional to its weight.

    Raises ValueError for a `num_samples` that is no positive int, a `replacement` that is no bool, weights that are
    not one-dimensional; RuntimeError when it draws from negative weights, or more than there are without replacement.
    """

    def __init__(self, weights: Sequence[float], num_samples: int, replacement: bool = True, generator: Generator | None = None) -> None:
        if not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0:
            raise ValueError(f"num_samples should be a positive integer value, but got num_samples={num_samples}")
        if not isinstance(replacement, bool):
            raise ValueError(f"replacement should be a boolean value, but got replacement={replacement}")
        self.weights = as_tensor(weights, dtype=float64)
        if self.weights.dim() != 1:
            raise ValueError(f"weights should be a 1d sequence but given weights have shape {tuple(self.weights.shape)}")
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        yield from multinomial(self.weights._array, self.num_samples, self.replacement, self.generator)

    def __len__(self) -> int:
        return self.num_samples


@public("torch.utils.data.sampler")
class BatchSampler(Sampler[list[int]]):
    """Lists of `batch_size` indices of another sampler; a shorter last list is left out with `drop_last`.

    Raises ValueError for a `batch_size` that is no positive int and a `drop_last` that is no bool.
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ValueError(f"batch_size should be a positive integer value, but got batch_size={batch_size}")
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(islice(indices, self.batch_size)):
            if self.drop_last and len(batch) < self.batch_size:
                return
            yield batch

    def __len__(self) -> int:
        length = len(self.sampler)  # type: ignore[arg-type]
        return length // self.batch_size if self.drop_last else (length + self.batch_size - 1) // self.batch_size
