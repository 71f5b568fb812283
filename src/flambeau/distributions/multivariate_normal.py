"""The normal distribution of vectors."""

import math
from functools import cached_property
from typing import Any

from ..core.layout import broadcast_shapes
from ..core.naming import public
from ..ops.creation import eye
from ..ops.definition import NAMES
from . import constraints
from .distribution import Distribution, standard_normal

__all__ = ["MultivariateNormal"]

linalg = NAMES["linalg"]
MATRICES = ("covariance_matrix", "precision_matrix", "scale_tril")


@public("torch.distributions.multivariate_normal")
class MultivariateNormal(Distribution):
    """Vectors of mean `loc` with a covariance, given as itself, as its inverse or as its lower triangular factor `scale_tril`."""

    arg_constraints = {
        "loc": constraints.real_vector, "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite, "scale_tril": constraints.lower_cholesky,
    }  # fmt: skip
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        loc: Any,
        covariance_matrix: Any = None,
        precision_matrix: Any = None,
        scale_tril: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        given = {n: m for n, m in zip(MATRICES, (covariance_matrix, precision_matrix, scale_tril)) if m is not None}
        if len(given) != 1:
            raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        ((name, matrix),) = given.items()
        if matrix.dim() < 2:
            what = "scale_tril matrix" if name == "scale_tril" else name
            raise ValueError(f"{what} must be at least two-dimensional, with optional leading batch dimensions")
        batch = broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        self.__dict__[name] = matrix.expand(*batch, -1, -1)
        self.loc = loc.expand(*batch, -1)
        super().__init__(batch, self.loc.shape[-1:], validate_args=validate_args)
        if name == "scale_tril":
            self._factor = matrix
        else:
            self._factor = linalg["cholesky"](matrix) if name == "covariance_matrix" else _factor_of_inverse(matrix)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape)
        new._factor = self._factor
        return new

    def _wide(self, matrix: Any) -> Any:
        return matrix.expand(*self._batch_shape, *self._event_shape, *self._event_shape)

    @cached_property
    def scale_tril(self) -> Any:
        """The lower triangular factor of the covariance."""
        return self._wide(self._factor)

    @cached_property
    def covariance_matrix(self) -> Any:
        """The covariance."""
        return self._wide(self._factor @ self._factor.mT)

    @cached_property
    def precision_matrix(self) -> Any:
        """The inverse of the covariance."""
        return self._wide(NAMES["torch"]["cholesky_inverse"](self._factor))

    @property
    def mean(self) -> Any:
        return self.loc

    @property
    def mode(self) -> Any:
        return self.loc

    @property
    def variance(self) -> Any:
        return self._factor.pow(2).sum(-1).expand(*self._batch_shape, *self._event_shape)

    def rsample(self, sample_shape: Any = ()) -> Any:
        noise = standard_normal(self._extended_shape(sample_shape), self.loc)
        return self.loc + (self._factor @ noise.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        solved = linalg["solve_triangular"](self._factor, (value - self.loc).unsqueeze(-1), upper=False)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + solved.squeeze(-1).pow(2).sum(-1)) - self.half_log_det()

    def half_log_det(self) -> Any:
        """Half the logarithm of the covariance's determinant."""
        return self._factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def entropy(self) -> Any:
        result = 0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + self.half_log_det()
        return result.expand(self._batch_shape) if self._batch_shape else result


def _factor_of_inverse(precision: Any) -> Any:
    """The lower triangular factor of a matrix's inverse: of the matrix turned by 180 degrees, turned back and inverted."""
    turned = linalg["cholesky"](precision.flip(-2, -1)).flip(-2, -1).mT
    return linalg["solve_triangular"](turned, eye(precision.shape[-1], dtype=precision.dtype, device=precision.device), upper=False)
