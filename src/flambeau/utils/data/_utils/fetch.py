"""Fetching: from the indices of a batch to the collated batch, alike in this process and in a worker."""

from typing import Any, Callable

import numpy as np

from ....ops.modes import modes
from ....tensor import Tensor, wrap
from ..dataset import Subset, TensorDataset
from .collate import collate_tensor_fn, default_collate, default_collate_fn_map


class MapFetcher:
    """Fetches from a dataset that is indexed."""

    def __init__(self, dataset: Any, auto_collation: bool, collate_fn: Callable[[Any], Any], drop_last: bool) -> None:
        self.dataset = dataset
        self.auto_collation = auto_collation
        self.collate_fn = collate_fn
        source = dataset
        while type(source) is Subset:
            source = source.dataset
        self.may_gather = auto_collation and collate_fn is default_collate and type(source) is TensorDataset

    def fetch(self, index: Any) -> Any:
        """The batch at a list of indices; the one sample at `index` where nothing is collated."""
        dataset = self.dataset
        if not self.auto_collation:
            return self.collate_fn(dataset[index])
        if self.may_gather:
            batch = gather(dataset, index)
            if batch is not None:
                return batch
        if getattr(dataset, "__getitems__", None):
            data = dataset.__getitems__(index)
        else:
            data = [dataset[i] for i in index]
        return self.collate_fn(data)


def gather(dataset: Any, index: Any) -> list[Tensor] | None:
    """A batch of a TensorDataset, or of Subsets of one, with one copy for each tensor instead of one for each sample.

    None where that might not be the same: tensors in a graph, indices that are no ints or out of range.
    """
    while type(dataset) is Subset:
        index = [dataset.indices[i] for i in index]
        dataset = dataset.dataset
    rows = np.array(index)
    if rows.dtype != np.int64 or rows.ndim != 1 or modes.active or default_collate_fn_map.get(Tensor) is not collate_tensor_fn:
        return None
    batch = []
    for tensor in dataset.tensors:
        if type(tensor) is not Tensor or tensor.requires_grad or type(tensor._array) is not np.ndarray:
            return None
        try:
            batch.append(wrap(tensor._array.take(rows, 0)))
        except IndexError:
            return None
    return batch


class IterableFetcher:
    """Fetches from a dataset that is iterated over. Raises StopIteration at its end."""

    def __init__(self, dataset: Any, auto_collation: bool, collate_fn: Callable[[Any], Any], drop_last: bool) -> None:
        self.samples = iter(dataset)
        self.auto_collation = auto_collation
        self.collate_fn = collate_fn
        self.drop_last = drop_last
        self.ended = False

    def fetch(self, index: Any) -> Any:
        """The next batch, as long as the list `index`; the next sample where nothing is collated."""
        if self.ended:
            raise StopIteration
        if not self.auto_collation:
            return self.collate_fn(next(self.samples))
        data = []
        for _ in index:
            try:
                data.append(next(self.samples))
            except StopIteration:
                self.ended = True
                break
        if not data or (self.drop_last and len(data) < len(index)):
            raise StopIteration
        return self.collate_fn(data)
