"""The distribution of Lewandowski, Kurowicka and Joe for correlation matrices."""

import math
from typing import Any

from ..core.naming import public
from ..core.size import Size
from ..ops.ranges import arange
from . import constraints
from .beta import Beta
from .distribution import Distribution
from .utils import broadcast_all, standard_normal, tiny_of, torch

__all__ = ["LKJCholesky"]


@public("torch.distributions.lkj_cholesky")
class LKJCholesky(Distribution):
    """Lower triangular factors L of `dim` x `dim` correlation matrices of density proportional to `det(L L')**(concentration - 1)`.

    concentration 1: all matrices are equally likely; above it they come nearer to the identity ("Generating random correlation matrices
    based on vines and extended onion method", 2009). Raises ValueError for fewer than two dims.
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky
    _batched = ("concentration", "_beta")

    def __init__(self, dim: int, concentration: Any = 1.0, validate_args: bool | None = None) -> None:
        if dim < 2:
            raise ValueError(f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.")
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        rows = arange(dim - 1, dtype=self.concentration.dtype, device=self.concentration.device)
        before = torch["cat"]([rows.new_zeros((1,)), rows])  # the elements before the diagonal, less one; of the first row all is one
        rest = (self.concentration + 0.5 * (dim - 2)).unsqueeze(-1) - 0.5 * before
        self._beta = Beta(before + 0.5, rest)
        super().__init__(self.concentration.size(), Size((dim, dim)), validate_args)

    def sample(self, sample_shape: Any = ()) -> Any:
        """The onion method: row by row a direction on the sphere, and by a beta number how far towards it."""
        share = self._beta.sample(sample_shape).unsqueeze(-1)
        noise = standard_normal(self._extended_shape(sample_shape), share).tril(-1)
        directions = noise / noise.norm(dim=-1, keepdim=True)
        directions[..., 0, :].fill_(0.0)  # nothing before the diagonal
        below = share.sqrt() * directions
        diagonal = (1 - (below**2).sum(-1)).clamp(min=tiny_of(below)).sqrt()
        return below + diagonal.diag_embed()

    def log_prob(self, value: Any) -> Any:
        """The Jacobian of L to L L' gives the diagonal's powers; the normaliser is that of the paper's theorem 5."""
        if self._validate_args:
            self._validate_sample(value)
        diagonal = value.diagonal(dim1=-1, dim2=-2)[..., 1:]
        powers = 2 * (self.concentration - 1).unsqueeze(-1) + self.dim - arange(2, self.dim + 1, device=self.concentration.device)
        n = self.dim - 1
        alpha = self.concentration + 0.5 * n
        normaliser = 0.5 * n * math.log(math.pi) + torch["mvlgamma"](alpha - 0.5, n) - alpha.lgamma() * n
        return (powers * diagonal.log()).sum(-1) - normaliser
