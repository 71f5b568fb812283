"""Batches of sequences of different lengths: padded to one length, or packed without padding."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ...autograd.node import tensors
from ...core.dtype import int64
from ...core.naming import PUBLIC, public, rebuild
from ...ops.from_data import as_tensor
from ...ops.modes import modes
from ...ops.packing import pack_rows, side_by_side, unpack_rows
from ...ops.ranges import arange
from ...tensor import PLAIN, Tensor, wrap

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpad_sequence",
    "pack_sequence",
    "unpack_sequence",
]


@public("torch.nn.utils.rnn")
class PackedSequence_(NamedTuple):
    """The fields of a PackedSequence."""

    data: Any
    batch_sizes: Any
    sorted_indices: Any
    unsorted_indices: Any


@public("torch.nn.utils.rnn")
class PackedSequence(PackedSequence_):
    """A batch of sequences without padding: first all first elements, then all second ones, and so on.

    Recurrent modules take and return it; `pack_padded_sequence` and `pack_sequence` make it. Fields: `data`, the elements
    in that order; `batch_sizes` (int64, CPU), how many sequences reach each step; `sorted_indices`, the order by length in
    which the sequences are packed, or None; `unsorted_indices`, its inverse.
    """

    def __new__(cls, data: Any, batch_sizes: Any = None, sorted_indices: Any = None, unsorted_indices: Any = None) -> Any:
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:
            if not (isinstance(data, (list, tuple)) and len(data) == 2):
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        elif batch_sizes.device.type != "cpu":
            raise ValueError(
                "batch_sizes should always be on CPU. Instances of PackedSequence should never be created manually. They should be "
                "instantiated by functions like pack_sequence and pack_padded_sequences in nn.utils.rnn. "
                "https://pytorch.org/docs/stable/nn.html#torch.nn.utils.rnn.pack_sequence"
            )
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def __reduce_ex__(self, protocol: Any) -> Any:
        cls = type(self)
        if PUBLIC.get((cls.__module__, cls.__qualname__)) is cls:
            return rebuild, (__name__, cls.__module__, cls.__qualname__, *self)
        return cls, tuple(self)

    def pin_memory(self) -> "PackedSequence":
        """A copy in pinned memory, for which an accelerator is needed."""
        return self._with_data(self.data.pin_memory(), lambda indices: indices.pin_memory())

    def _with_data(self, data: Any, convert: Any) -> "PackedSequence":
        # batch_sizes stay on the CPU, whatever happens to the rest.
        order = [None if indices is None else convert(indices) for indices in (self.sorted_indices, self.unsorted_indices)]
        return type(self)(data, self.batch_sizes, *order)

    def to(self, *args: Any, **kwargs: Any) -> "PackedSequence":
        """`data.to(...)` with the same arguments; the indices follow to its device. `self` if nothing changes."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        return self._with_data(data, lambda indices: indices.to(data.device))

    def cuda(self, *args: Any, **kwargs: Any) -> "PackedSequence":
        """Moves the data to the GPU. Raises AssertionError in a build without CUDA."""
        return self._to_device("cuda", args, kwargs)

    def cpu(self, *args: Any, **kwargs: Any) -> "PackedSequence":
        """Moves the data to the CPU."""
        return self._to_device("cpu", args, kwargs)

    def _to_device(self, kind: str, args: Any, kwargs: Any) -> "PackedSequence":
        # The arguments may name the device already, among others.
        trial = self.data.new_empty(0).to(*args, **kwargs)
        return self.to(*args, **kwargs) if trial.device.type == kind else self.to(*args, **{**kwargs, "device": kind})

    def double(self) -> "PackedSequence":
        """The data as float64."""
        return self._cast("double")

    def float(self) -> "PackedSequence":
        """The data as float32."""
        return self._cast("float")

    def half(self) -> "PackedSequence":
        """The data as float16."""
        return self._cast("half")

    def long(self) -> "PackedSequence":
        """The data as int64."""
        return self._cast("long")

    def int(self) -> "PackedSequence":
        """The data as int32."""
        return self._cast("int")

    def short(self) -> "PackedSequence":
        """The data as int16."""
        return self._cast("short")

    def char(self) -> "PackedSequence":
        """The data as int8."""
        return self._cast("char")

    def byte(self) -> "PackedSequence":
        """The data as uint8."""
        return self._cast("byte")

    def _cast(self, method: str) -> "PackedSequence":
        data = getattr(self.data, method)()
        return self if data is self.data else self._with_data(data, lambda indices: indices)

    @property
    def is_cuda(self) -> bool:
        """Whether the data lie on a GPU."""
        return self.data.is_cuda

    def is_pinned(self) -> bool:
        """Whether the data lie in pinned memory."""
        return self.data.is_pinned()


def invert_permutation(permutation: Any) -> Any:
    """The inverse of a permutation, a 1-dim tensor of indices; None for None."""
    if permutation is None:
        return None
    order = permutation._array
    inverse = np.empty_like(order)
    inverse[order] = np.arange(order.size, dtype=order.dtype)
    return wrap(inverse)


def pack_padded_sequence(input: Any, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True) -> PackedSequence:
    """Packs a padded batch, of shape (T, B, *) or, if `batch_first`, (B, T, *).

    `lengths`: of the B sequences, as a list or a 1-dim CPU tensor; in decreasing order unless `enforce_sorted` is False,
    which sorts them. Raises RuntimeError for lengths that are not positive, not sorted or too many.
    """
    if isinstance(lengths, Tensor):
        lengths = lengths.to(dtype=int64)
    else:
        lengths = as_tensor(lengths, dtype=int64, device="cpu")
    sorted_indices = None
    if not enforce_sorted:
        order = np.argsort(-lengths._array, kind="stable")
        lengths, sorted_indices = wrap(lengths._array[order]), wrap(order)
        input = input.index_select(0 if batch_first else 1, sorted_indices)
    batch_sizes, index = _packed_order(input, lengths, batch_first)
    return PackedSequence(pack_rows.function(input, index), wrap(batch_sizes), sorted_indices, None)


def _packed_order(input: Tensor, lengths: Any, batch_first: bool) -> tuple[Any, Any]:
    """The number of sequences at each step, and the rows of the padded input in packed order."""
    if input._array.size == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    if lengths.dim() != 1 or not lengths.is_cpu:
        raise RuntimeError(f"'lengths' argument should be a 1D CPU int64 tensor, but got {lengths.dim()}D {lengths.device} Long tensor")
    steps, batch = input.size(1 if batch_first else 0), input.size(0 if batch_first else 1)
    counts = lengths._array
    if counts.size != batch:
        raise RuntimeError(f"Expected `len(lengths)` to be equal to batch_size, but got {counts.size} (batch_size={batch})")
    if counts[-1] <= 0:
        raise RuntimeError("Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0")
    if (counts[1:] > counts[:-1]).any():
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass `enforce_sorted=False` to "
            "pack_padded_sequence and/or pack_sequence to sidestep this requirement if you do not need ONNX exportability."
        )
    batch_sizes = (np.arange(counts[0])[:, None] < counts).sum(1)
    # A length beyond the input's is believed in batch_sizes, but there are no rows to go with it.
    return batch_sizes, _rows(batch_sizes[:steps], steps, batch, batch_first)


def _rows(batch_sizes: Any, steps: int, batch: int, batch_first: bool) -> Any:
    """Where each packed row lies in a padded batch whose first two dimensions count as one."""
    step = np.repeat(np.arange(batch_sizes.size), batch_sizes)
    sequence = np.arange(step.size) - np.repeat(np.cumsum(batch_sizes) - batch_sizes, batch_sizes)
    return sequence * steps + step if batch_first else step * batch + sequence


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """Undoes `pack_padded_sequence`: the padded batch, (T, B, *) or (B, T, *), and the lengths, in the original order.

    `total_length`: T, if more than the longest sequence is wanted. Raises ValueError if it is less.
    """
    data, batch_sizes = sequence.data, sequence.batch_sizes._array
    steps = batch_sizes.size
    if total_length is not None:
        if total_length < steps:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={total_length} and max sequence length being {steps}"
            )
        steps = total_length
    batch = int(batch_sizes[0])
    padded = unpack_rows.function(data, _rows(batch_sizes, steps, batch, False), (steps, batch), padding_value)
    if batch_first:
        padded = padded.transpose(0, 1)
    lengths: Any = wrap((batch_sizes[:, None] > np.arange(batch)).sum(0))
    order = sequence.unsorted_indices
    if order is None:
        return padded, lengths
    return padded.index_select(0 if batch_first else 1, order), lengths[order]


def pad_sequence(sequences: Any, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right") -> Any:
    """One tensor, (T, B, *) or (B, T, *), of B tensors (L, *), filled up with `padding_value` to the longest length T.

    `padding_side`: "right" or "left". Raises RuntimeError for no sequences or trailing dimensions that differ.
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}")
    sequences = tuple(sequences)
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    for i, sequence in enumerate(sequences):
        if not isinstance(sequence, Tensor):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {type(sequence).__name__}")
    first = sequences[0]
    if first.dim() == 0:
        raise RuntimeError("ArrayRef: invalid slice, N = 1; size = 0")
    if not modes.active and all(_is_plain(sequence, first) for sequence in sequences):
        parts = [sequence._array for sequence in sequences]
        return wrap(side_by_side(parts, max(map(len, parts)), batch_first, padding_side == "left", padding_value))
    lengths = np.array([sequence.size(0) for sequence in sequences])
    batch, longest = len(sequences), int(lengths.max())
    sequence_number = np.repeat(np.arange(batch), lengths)
    step = np.arange(sequence_number.size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    if padding_side == "left":
        step += np.repeat(longest - lengths, lengths)
    index = sequence_number * longest + step if batch_first else step * batch + sequence_number
    rows: Any = tensors.cat([_like(first, sequence) for sequence in sequences])
    return unpack_rows.function(rows, index, (batch, longest) if batch_first else (longest, batch), padding_value)


def _is_plain(sequence: Any, first: Any) -> bool:
    """Whether a sequence has memory, no gradient, and the dtype and trailing dimensions of the first one."""
    array, other = sequence._array, first._array
    if type(sequence) not in PLAIN or sequence.requires_grad or array.__class__ is not np.ndarray:
        return False
    return array.dtype is other.dtype and array.ndim == other.ndim and array.shape[1:] == other.shape[1:]


def _like(first: Any, sequence: Any) -> Any:
    """A sequence in the dtype of the first one, its elements broadcast to the shape of that one's."""
    sequence = sequence.to(first.dtype)
    wanted, found = (sequence.size(0), *first.shape[1:]), tuple(sequence.shape)
    if wanted == found:
        return sequence
    last = max(len(wanted), len(found)) - 1
    for back, (a, b) in enumerate(zip(reversed(wanted), reversed(found))):
        if a != b and a != 1 and b != 1:
            raise RuntimeError(f"The size of tensor a ({a}) must match the size of tensor b ({b}) at non-singleton dimension {last - back}")
    return sequence.expand(wanted)


def unpad_sequence(padded_sequences: Any, lengths: Any, batch_first: bool = False) -> list[Any]:
    """The sequences of a padded batch, cut to their lengths. Without `batch_first` it transposes its argument in place."""
    if not batch_first:
        padded_sequences.transpose_(0, 1)
    steps = arange(padded_sequences.shape[1])
    return [sequence[steps < length] for sequence, length in zip(padded_sequences, lengths, strict=True)]


def pack_sequence(sequences: Any, enforce_sorted: bool = True) -> PackedSequence:
    """Packs a list of tensors (L, *), in decreasing order of length unless `enforce_sorted` is False."""
    lengths = as_tensor([sequence.size(0) for sequence in sequences])
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Any]:
    """Undoes `pack_sequence`: the list of tensors, in the original order."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
