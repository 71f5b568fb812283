"""The normal distribution of vectors."""

import math
from typing import Any

from ..core.naming import public
from ..ops.creation import eye
from ..ops.definition import NAMES
from . import constraints
from .distribution import Distribution
from .utils import lazy_property, standard_normal

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
    _batched = ("loc", *MATRICES)

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
        batch = NAMES["torch"]["broadcast_shapes"](matrix.shape[:-2], loc.shape[:-1])
        self.__dict__[name] = matrix.expand(*batch, -1, -1)
        self.loc = loc.expand(*batch, -1)
        super().__init__(batch, self.loc.shape[-1:], validate_args=validate_args)
        if name == "scale_tril":
            self._unbroadcasted_scale_tril = matrix
        else:
            self._unbroadcasted_scale_tril = linalg["cholesky"](matrix) if name == "covariance_matrix" else factor_of_inverse(matrix)

    def _wide(self, matrix: Any) -> Any:
        return matrix.expand(*self._batch_shape, *self._event_shape, *self._event_shape)

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
        return self._wide(NAMES["torch"]["cholesky_inverse"](self._unbroadcasted_scale_tril))

    @property
    def mean(self) -> Any:
        return self.loc

    @property
    def mode(self) -> Any:
        return self.loc

    @property
    def variance(self) -> Any:
        return self._unbroadcasted_scale_tril.pow(2).sum(-1).expand(*self._batch_shape, *self._event_shape)

    def rsample(self, sample_shape: Any = ()) -> Any:
        noise = standard_normal(self._extended_shape(sample_shape), self.loc)
        return self.loc + (self._unbroadcasted_scale_tril @ noise.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        factor = self._unbroadcasted_scale_tril
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + mahalanobis(factor, value - self.loc)) - half_log_det(factor)

    def entropy(self) -> Any:
        result = 0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + half_log_det(self._unbroadcasted_scale_tril)
        return result.expand(self._batch_shape) if self._batch_shape else result


def half_log_det(factor: Any) -> Any:
    """The logarithm of a lower triangular matrix's determinant, half that of the matrix it is a factor of."""
    return factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def mahalanobis(factor: Any, x: Any) -> Any:
    """`x' M**-1 x` for the last dim of x, M having the lower triangular factor."""
    if factor.dim() > 2:
        return linalg["solve_triangular"](factor, x.unsqueeze(-1), upper=False).squeeze(-1).pow(2).sum(-1)
    columns = x.reshape(-1, x.shape[-1]).mT  # one system with many right-hand sides
    return linalg["solve_triangular"](factor, columns, upper=False).pow(2).sum(-2).reshape(x.shape[:-1])


def factor_of_inverse(precision: Any) -> Any:
    """The lower triangular factor of a matrix's inverse: of the matrix turned by 180 degrees, turned back and inverted."""
    turned = linalg["cholesky"](precision.flip(-2, -1)).flip(-2, -1).mT
    return linalg["solve_triangular"](turned, eye(precision.shape[-1], dtype=precision.dtype, device=precision.device), upper=False)
