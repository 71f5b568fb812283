"""The sampler that gives each process of a group its share of a dataset."""

from math import ceil
from typing import Any, Iterator, TypeVar

from ...core.generator import Generator
from ...core.naming import public
from ._utils.random import randperm
from .sampler import Sampler

T_co = TypeVar("T_co", covariant=True)


@public("torch.utils.data.distributed")
class DistributedSampler(Sampler[T_co]):
    """The indices that process `rank` of `num_replicas` loads: every `num_replicas`-th of a common order.

    With `shuffle` the order is a permutation seeded with `seed + epoch`, equal in all processes; call `set_epoch`
    before each epoch or it never changes. Where the length does not divide evenly, indices from the start are
    repeated, or with `drop_last` the tail is left out. `num_replicas` and `rank` default to those of the process
    group. Raises ValueError for a rank outside the group.
    """

    def __init__(
        self,
        dataset: Any,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None:
            group = _process_group()
            num_replicas = group.get_world_size() if num_replicas is None else num_replicas
            rank = group.get_rank() if rank is None else rank
        if rank >= num_replicas or rank < 0:
            raise ValueError(f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]")
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.drop_last = drop_last
        self.num_samples = len(dataset) // num_replicas if drop_last else ceil(len(dataset) / num_replicas)
        self.total_size = self.num_samples * num_replicas
        self.shuffle = shuffle
        self.seed = seed

    def __iter__(self) -> Iterator[Any]:
        if self.shuffle:
            generator = Generator()
            generator.manual_seed(self.seed + self.epoch)
            indices = randperm(len(self.dataset), generator)
        else:
            indices = list(range(len(self.dataset)))
        missing = self.total_size - len(indices)
        if missing > 0 and not self.drop_last:
            indices += (indices * ceil(missing / len(indices)))[:missing]
        indices = indices[: self.total_size]
        if len(indices) != self.total_size:
            raise AssertionError(f"Number of indices ({len(indices)}) does not match total_size ({self.total_size})")
        return iter(indices[self.rank :: self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch, on which the permutation of the next iteration depends."""
        self.epoch = epoch


def _process_group() -> Any:
    try:
        from ... import distributed
    except ImportError:
        raise ValueError("Default process group has not been initialized, please make sure to call init_process_group.") from None
    return distributed
