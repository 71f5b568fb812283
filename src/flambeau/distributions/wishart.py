"""The Wishart distribution."""

import math
import warnings
from typing import Any

from ..core.naming import public
from ..core.size import Size
from ..ops.creation import eye
from ..ops.definition import NAMES
from ..ops.from_data import tensor
from ..ops.ranges import arange
from . import constraints
from .chi2 import Chi2
from .exp_family import ExponentialFamily
from .multivariate_normal import MATRICES, factor_of_inverse, half_log_det
from .utils import epsilon_of, is_number, lazy_property, standard_normal, torch

__all__ = ["Wishart"]

linalg = NAMES["linalg"]
LOG_2 = math.log(2)


def _mvdigamma(x: Any, p: int) -> Any:
    """The gradient of `mvlgamma(x, p)`."""
    return (x.unsqueeze(-1) - arange(p, dtype=x.dtype, device=x.device) / 2).digamma().sum(-1)


@public("torch.distributions.wishart")
class Wishart(ExponentialFamily):
    """p x p matrices X X', the p rows of X having `df` columns of normal vectors with a covariance matrix.

    The covariance is given as itself, as its inverse or as its lower triangular factor `scale_tril`; df is above p - 1, which ValueError
    says where it is not.
    """

    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure = 0
    _batched = ("df", *MATRICES)

    @property
    def arg_constraints(self) -> Any:
        """The constraint of df depends on the matrices' size."""
        return {
            "covariance_matrix": constraints.positive_definite, "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky, "df": constraints.greater_than(self._event_shape[-1] - 1),
        }  # fmt: skip

    def __init__(
        self,
        df: Any,
        covariance_matrix: Any = None,
        precision_matrix: Any = None,
        scale_tril: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        given = {n: m for n, m in zip(MATRICES, (covariance_matrix, precision_matrix, scale_tril)) if m is not None}
        if len(given) != 1:
            raise AssertionError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        ((name, matrix),) = given.items()
        if matrix.dim() < 2:
            raise ValueError("scale_tril must be at least two-dimensional, with optional leading batch dimensions")
        if is_number(df):
            batch = Size(matrix.shape[:-2])
            self.df = tensor(df, dtype=matrix.dtype, device=matrix.device)
        else:
            batch = torch["broadcast_shapes"](matrix.shape[:-2], df.shape)
            self.df = df.expand(batch)
        p = matrix.shape[-1]
        if self.df.le(p - 1).any():
            raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = {p - 1}.")
        self.__dict__[name] = matrix.expand(*batch, -1, -1)
        if self.df.lt(p).any():
            warnings.warn("Low df values detected. Singular samples are highly likely to occur for ndim - 1 < df < ndim.", stacklevel=2)
        super().__init__(batch, matrix.shape[-2:], validate_args=validate_args)
        if name == "scale_tril":
            self._unbroadcasted_scale_tril = matrix
        else:
            self._unbroadcasted_scale_tril = linalg["cholesky"](matrix) if name == "covariance_matrix" else factor_of_inverse(matrix)
        self._dist_chi2 = self._diagonal_squares()

    def _diagonal_squares(self) -> Chi2:
        """The squares on the diagonal of a factor: chi-squared with df, df - 1, ... degrees of freedom."""
        p, factor = self._event_shape[-1], self._unbroadcasted_scale_tril
        return Chi2(self.df.unsqueeze(-1) - arange(p, dtype=factor.dtype, device=factor.device).expand(*self._batch_shape, -1))

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        new.df = self.df.expand(new._batch_shape)
        new._unbroadcasted_scale_tril = self._unbroadcasted_scale_tril.expand(*new._batch_shape, *self._event_shape)
        new._dist_chi2 = new._diagonal_squares()
        return new

    def _wide(self, matrix: Any) -> Any:
        return matrix.expand(*self._batch_shape, *self._event_shape)

    @lazy_property
    def scale_tril(self) -> Any:
        """The lower triangular factor of the covariance."""
        return self._wide(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self) -> Any:
        """The covariance."""
        return self._wide(self._unbroadcasted_scale_tril @ self._unbroadcasted_scale_tril.mT)

    @lazy_property
    def precision_matrix(self) -> Any:
        """The inverse of the covariance."""
        factor = self._unbroadcasted_scale_tril
        return self._wide(torch["cholesky_solve"](eye(factor.shape[-1], dtype=factor.dtype, device=factor.device), factor))

    def _of_matrices(self, number: Any) -> Any:
        return number.view(*self._batch_shape, 1, 1)

    @property
    def mean(self) -> Any:
        return self._of_matrices(self.df) * self.covariance_matrix

    @property
    def mode(self) -> Any:
        factor = self.df - self._event_shape[-1] - 1
        return self._of_matrices(factor.masked_fill(factor <= 0, float("nan"))) * self.covariance_matrix

    @property
    def variance(self) -> Any:
        covariance = self.covariance_matrix
        diagonal = covariance.diagonal(dim1=-2, dim2=-1)
        return self._of_matrices(self.df) * (covariance.pow(2) + diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2))

    def _bartlett_sampling(self, sample_shape: Any = ()) -> Any:
        """A lower triangular matrix of normal numbers and roots of chi-squared ones gives a factor (Bartlett's decomposition)."""
        p = self._event_shape[-1]
        diagonal = self._dist_chi2.rsample(sample_shape).sqrt()
        noise = diagonal.clamp(min=epsilon_of(diagonal)).diag_embed(dim1=-2, dim2=-1)
        i, j = torch["tril_indices"](p, p, offset=-1)
        noise[..., i, j] = standard_normal((*sample_shape, *self._batch_shape, p * (p - 1) // 2), noise)
        factor = self._unbroadcasted_scale_tril @ noise
        return factor @ factor.mT

    def _any_of_batch(self, good: Any) -> Any:
        return good.amax([-i - 1 for i in range(len(self._batch_shape))]) if self._batch_shape else good

    def rsample(self, sample_shape: Any = (), max_try_correction: int | None = None) -> Any:
        """Samples; those to be drawn anew are, up to `max_try_correction` times (10).

        PyTorch draws anew, and warns of, the positive definite ones of the first draw, in later draws those that are not: so that its
        seeds give its numbers, this does the same.
        """
        sample_shape = Size(sample_shape)
        sample = self._bartlett_sampling(sample_shape)
        again = self._any_of_batch(self.support.check(sample))
        if again.any():
            warnings.warn("Singular sample detected.", stacklevel=2)
            for _ in range(10 if max_try_correction is None else max_try_correction):
                new = self._bartlett_sampling(again[again].shape)
                sample[again] = new
                again = again.masked_scatter(again, self._any_of_batch(~self.support.check(new)))  # the assignment keeps its mask
                if not again.any():
                    break
        return sample

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        df, p, factor = self.df, self._event_shape[-1], self._unbroadcasted_scale_tril
        trace = torch["cholesky_solve"](value, factor).diagonal(dim1=-2, dim2=-1).sum(dim=-1)
        return (
            -df * (p * LOG_2 / 2 + half_log_det(factor)) - torch["mvlgamma"](df / 2, p)
            + (df - p - 1) / 2 * linalg["slogdet"](value).logabsdet - trace / 2
        )  # fmt: skip

    def entropy(self) -> Any:
        df, p = self.df, self._event_shape[-1]
        return (
            (p + 1) * (p * LOG_2 / 2 + half_log_det(self._unbroadcasted_scale_tril)) + torch["mvlgamma"](df / 2, p)
            - (df - p - 1) / 2 * _mvdigamma(df / 2, p) + df * p / 2
        )  # fmt: skip

    @property
    def _natural_params(self) -> tuple[Any, ...]:
        return -self.precision_matrix / 2, (self.df - self._event_shape[-1] - 1) / 2

    def _log_normalizer(self, x: Any, y: Any) -> Any:
        p = self._event_shape[-1]
        half = y + (p + 1) / 2
        return half * (p * LOG_2 - linalg["slogdet"](-2 * x).logabsdet) + torch["mvlgamma"](half, p)
