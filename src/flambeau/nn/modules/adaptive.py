"""The adaptive softmax, for many classes of unequal frequency."""

from collections import namedtuple
from itertools import pairwise
from typing import Any, Sequence

from ...autograd.node import tensors
from ...core.naming import public
from .container import ModuleList, Sequential
from .linear import Linear
from .module import Module

__all__ = ["AdaptiveLogSoftmaxWithLoss"]

_ASMoutput = namedtuple("_ASMoutput", ["output", "loss"])
_ASMoutput.__module__ = "torch.nn.modules.adaptive"


@public("torch.nn.modules.adaptive")
class AdaptiveLogSoftmaxWithLoss(Module):
    """Classes in clusters by frequency: the rarer, the smaller the layers that tell them apart. Grave et al., 2017.

    The classes below the first of `cutoffs` are in the head, together with one class for every cluster; cluster i, in
    `tail[i]`, goes through in_features / div_value^(i + 1) features. Raises ValueError for cutoffs that are not unique,
    rising and between 1 and n_classes - 1.
    """

    def __init__(
        self, in_features: int, n_classes: int, cutoffs: Sequence[int], div_value: float = 4.0, head_bias: bool = False,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        cutoffs = list(cutoffs)
        if not cutoffs:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        rising = cutoffs == sorted(set(cutoffs)) and cutoffs[0] > 0 and cutoffs[-1] <= n_classes - 1
        if not rising or any(int(c) != c for c in cutoffs):
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each value is between 1 "
                "and n_classes-1"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, device=device, dtype=dtype)
        self.tail = ModuleList()
        for i, (low, high) in enumerate(pairwise(self.cutoffs)):
            width = int(in_features // div_value ** (i + 1))
            first = Linear(in_features, width, bias=False, device=device, dtype=dtype)
            self.tail.append(Sequential(first, Linear(width, high - low, bias=False, device=device, dtype=dtype)))

    def reset_parameters(self) -> None:
        """Draws new initial values."""
        self.head.reset_parameters()
        for pair in self.tail.children():
            for layer in pair.children():
                layer.reset_parameters()

    def forward(self, input_: Any, target_: Any) -> Any:
        """The log probability of each target class, and the mean of their negatives, as (output, loss).

        Shapes: input (N, in_features), target (N), output (N); or without N. Raises RuntimeError for other shapes and
        for targets out of range.
        """
        if target_.dim() == 1:
            if input_.size(0) != target_.size(0):
                raise RuntimeError("Input and target should have the same size in the batch dimension.")
            if input_.dim() != 2:
                raise RuntimeError(f"1D target tensor expects 2D input tensors, but found inputs with size {input_.size()}")
        elif target_.dim() == 0:
            if input_.dim() != 1:
                raise RuntimeError(f"0D target tensor expects 1D input tensors, but found inputs with size {input_.size()}")
        else:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        batched = target_.dim() > 0
        input, target = (input_, target_) if batched else (input_.unsqueeze(0), target_.unsqueeze(0))
        output = input.new_zeros(target.size(0))
        in_head = target.clone()  # of each row, its class in the head: its own, or its cluster's
        used = 0
        for i, (low, high) in enumerate(pairwise((0, *self.cutoffs))):
            rows = ((target >= low) & (target < high)).nonzero().squeeze(1)
            used += rows.numel()
            if i and rows.numel():
                scores = tensors.log_softmax(self.tail[i - 1](input.index_select(0, rows)), 1)
                local = scores.gather(1, (target[rows] - low).unsqueeze(1))
                in_head.index_fill_(0, rows, self.shortlist_size + i - 1)
                output = output.index_copy(0, rows, local.squeeze(1))
        if used != target.size(0):
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range [{target.min().item()}, "
                f"{target.max().item()}] were found. "
            )
        head = tensors.log_softmax(self.head(input), 1)
        output = output + head.gather(1, in_head.unsqueeze(1)).squeeze()
        loss = (-output).mean()
        return _ASMoutput(output if batched else output.squeeze(0), loss)

    def _get_full_log_prob(self, input: Any, head_output: Any) -> Any:
        head = tensors.log_softmax(head_output, 1)
        parts = [head[:, : self.shortlist_size]]
        for i, cluster in enumerate(self.tail):
            parts.append(tensors.log_softmax(cluster(input), 1) + head[:, self.shortlist_size + i].unsqueeze(1))
        return tensors.cat(parts, 1)

    def log_prob(self, input: Any) -> Any:
        """The log probabilities of all classes: (N, in_features) to (N, n_classes)."""
        return self._get_full_log_prob(input, self.head(input))

    def predict(self, input: Any) -> Any:
        """The most probable class of each row: (N, in_features) to (N). Only rows that need it go through the tail."""
        head_output = self.head(input)
        output = head_output.argmax(1)
        rare = output >= self.shortlist_size
        if not rare.any():
            return output
        if rare.all():
            return self._get_full_log_prob(input, head_output).argmax(1)
        output[rare] = self._get_full_log_prob(input[rare], head_output[rare]).argmax(1)
        return output
