"""Datasets: collections of samples by index, streams of samples, and ways to combine them."""

from bisect import bisect_right
from itertools import accumulate
from math import floor, isclose
from typing import Any, Generic, Iterable, Iterator, Sequence, TypeVar
from warnings import warn

from ...core.generator import Generator, default_generator
from ...core.naming import public
from ._utils.random import randperm

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@public("torch.utils.data.dataset")
class Dataset(Generic[T_co]):
    """Samples by index. A subclass defines `__getitem__(index)`, and `__len__()` for the samplers that need it.

    It may also define `__getitems__(indices)`, which returns the list of samples of a whole batch; the loader then
    calls that one. A subclass without `__getitem__` raises NotImplementedError when it is indexed.
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: "Dataset[Any]") -> "ConcatDataset[Any]":
        return ConcatDataset([self, other])


@public("torch.utils.data.dataset")
class IterableDataset(Dataset[T_co], Iterable[T_co]):
    """A stream of samples. A subclass defines `__iter__()`.

    Every worker of a loader iterates over a copy of its own: `get_worker_info()` tells `__iter__` which part to yield.
    """

    def __add__(self, other: Dataset[Any]) -> "ChainDataset":  # type: ignore[override]
        return ChainDataset([self, other])


@public("torch.utils.data.dataset")
class TensorDataset(Dataset[tuple[Any, ...]]):
    """Sample `i` is the tuple of `tensor[i]`, one for each tensor given.

    Raises AssertionError unless all tensors have the same size in dimension 0.
    """

    def __init__(self, *tensors: Any) -> None:
        if any(tensor.size(0) != tensors[0].size(0) for tensor in tensors):
            raise AssertionError("Size mismatch between tensors")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        return tuple([tensor[index] for tensor in self.tensors])

    def __len__(self) -> int:
        return self.tensors[0].size(0)


@public("torch.utils.data.dataset")
class StackDataset(Dataset[Any]):
    """Several datasets of one length side by side: a sample is a tuple (positional datasets) or a dict (named ones).

    Raises ValueError for no dataset, for both kinds at once and for datasets of different lengths.
    """

    datasets: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and kwargs:
            raise ValueError(
                "Supported either ``tuple``- (via ``args``) or``dict``- (via ``kwargs``) like input/output, but both types are given."
            )
        if not args and not kwargs:
            raise ValueError("At least one dataset should be passed")
        self.datasets = args or kwargs
        parts = list(args or kwargs.values())
        self._length = len(parts[0])
        if any(len(part) != self._length for part in parts):
            raise ValueError("Size mismatch between datasets")

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {name: part[index] for name, part in self.datasets.items()}
        return tuple([part[index] for part in self.datasets])

    def __getitems__(self, indices: list[Any]) -> list[Any]:
        if isinstance(self.datasets, dict):
            columns = [_fetch_column(part, indices) for part in self.datasets.values()]
            return [dict(zip(self.datasets, row, strict=True)) for row in zip(*columns, strict=True)]
        return list(zip(*[_fetch_column(part, indices) for part in self.datasets], strict=True))

    def __len__(self) -> int:
        return self._length


def _fetch_column(dataset: Any, indices: list[Any]) -> Any:
    """The samples of one part of a StackDataset, in one call where the part can do that."""
    if not callable(getattr(dataset, "__getitems__", None)):
        return [dataset[index] for index in indices]
    items = dataset.__getitems__(indices)
    if len(items) != len(indices):
        raise ValueError(f"Nested dataset's output size mismatch. Expected {len(indices)}, got {len(items)}")
    return items


@public("torch.utils.data.dataset")
class ConcatDataset(Dataset[T_co]):
    """The samples of several datasets, one dataset after the other.

    Raises AssertionError for no dataset at all and for an IterableDataset; ValueError for an index below `-len(self)`.
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset")
        self.cumulative_sizes = self.cumsum(self.datasets)

    @staticmethod
    def cumsum(sequence: Sequence[Any]) -> list[int]:
        """The lengths of the elements, summed up to each of them."""
        return list(accumulate(len(element) for element in sequence))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, idx: int) -> Any:
        if idx < 0:
            if -idx > len(self):
                raise ValueError("absolute value of index should not exceed dataset length")
            idx += len(self)
        which = bisect_right(self.cumulative_sizes, idx)
        return self.datasets[which][idx - self.cumulative_sizes[which - 1] if which else idx]

    @property
    def cummulative_sizes(self) -> list[int]:
        """The old, misspelt name of `cumulative_sizes`."""
        warn("`cummulative_sizes` attribute is renamed to `cumulative_sizes`", FutureWarning, stacklevel=2)
        return self.cumulative_sizes


@public("torch.utils.data.dataset")
class ChainDataset(IterableDataset[Any]):
    """The samples of several IterableDatasets, one after the other.

    Raises AssertionError, when it gets there, for a dataset that is no IterableDataset.
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = datasets

    def __iter__(self) -> Iterator[Any]:
        for dataset in self.datasets:
            yield from _only_iterable(dataset)

    def __len__(self) -> int:
        return sum(len(_only_iterable(dataset)) for dataset in self.datasets)


def _only_iterable(dataset: Any) -> Any:
    if not isinstance(dataset, IterableDataset):
        raise AssertionError("ChainDataset only supports IterableDataset")
    return dataset


@public("torch.utils.data.dataset")
class Subset(Dataset[T_co]):
    """The samples of `dataset` at `indices`.

    A subclass that overrides `__getitem__` alone would be passed over by the loader, which asks `__getitems__`: its
    construction raises NotImplementedError.
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices
        cls = type(self)
        if cls.__getitem__ is not Subset.__getitem__ and cls.__getitems__ is Subset.__getitems__:
            raise NotImplementedError(
                f"{cls.__name__} overrides __getitem__ but not __getitems__. When subclassing Subset and overriding __getitem__, you must "
                "also override __getitems__ to ensure DataLoader works correctly with your custom logic. A simple implementation:\n\n"
                "def __getitems__(self, indices):\n"
                "    return [self.__getitem__(idx) for idx in indices]"
            )

    def __getitem__(self, idx: Any) -> Any:
        if isinstance(idx, list):
            return self.dataset[[self.indices[i] for i in idx]]
        return self.dataset[self.indices[idx]]

    def __getitems__(self, indices: list[int]) -> list[T_co]:
        chosen = [self.indices[i] for i in indices]
        if callable(getattr(self.dataset, "__getitems__", None)):
            return self.dataset.__getitems__(chosen)
        dataset = self.dataset
        return [dataset[i] for i in chosen]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(dataset: Dataset[T], lengths: Sequence[int | float], generator: Generator | None = default_generator) -> list[Subset[T]]:
    """Splits a dataset at random into Subsets of the given lengths, or of the given fractions where these sum to 1.

    A fraction's length is rounded down; what is left over goes to the first splits, one sample each. One permutation
    is drawn from `generator`. Warns about an empty split; raises ValueError for a fraction outside [0, 1] and for
    lengths that do not sum to `len(dataset)`.
    """
    if isclose(sum(lengths), 1) and sum(lengths) <= 1:
        sizes = []
        for i, fraction in enumerate(lengths):
            if fraction < 0 or fraction > 1:
                raise ValueError(f"Fraction at index {i} is not between 0 and 1")
            sizes.append(floor(len(dataset) * fraction))  # type: ignore[arg-type]
        for i in range(len(dataset) - sum(sizes)):  # type: ignore[arg-type]
            sizes[i % len(sizes)] += 1
        for i, size in enumerate(sizes):
            if size == 0:
                warn(f"Length of split at index {i} is 0. This might result in an empty dataset.", stacklevel=2)
        lengths = sizes
    if sum(lengths) != len(dataset):  # type: ignore[arg-type]
        raise ValueError("Sum of input lengths does not equal the length of the input dataset!")
    indices = randperm(sum(lengths), generator)  # type: ignore[arg-type]
    ends: list[Any] = list(accumulate(lengths))
    return [Subset(dataset, indices[end - length : end]) for end, length in zip(ends, lengths, strict=True)]
