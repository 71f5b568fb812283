"""Functions of random numbers, with their inverses and the logarithms of their Jacobians' determinants."""

import math
from typing import Any, Sequence

from ..core.naming import public
from ..core.number_info import finfo
from ..nn import functional as F
from ..ops.creation import eye
from ..ops.definition import NAMES
from . import constraints
from ._parts import (
    ComposeTransform,
    IndependentTransform,
    Plain,
    ReshapeTransform,
    Transform,
    identity_transform,
    require_dims,
)
from ._parts import _InverseTransform as _InverseTransform
from .utils import (
    broadcast_all,
    filled,
    is_number,
    lazy_property,
    sum_rightmost,
    tiny_of,
    tril_matrix_to_vec,
    vec_to_tril_matrix,
)

__all__ = [
    "AbsTransform", "AffineTransform", "CatTransform", "ComposeTransform", "CorrCholeskyTransform", "CumulativeDistributionTransform",
    "ExpTransform", "IndependentTransform", "LowerCholeskyTransform", "PositiveDefiniteTransform", "PowerTransform", "ReshapeTransform",
    "SigmoidTransform", "SoftmaxTransform", "SoftplusTransform", "StackTransform", "StickBreakingTransform", "TanhTransform", "Transform",
    "identity_transform",
]  # fmt: skip

_here = public("torch.distributions.transforms")
torch = NAMES["torch"]


@_here
class ExpTransform(Plain):
    """`y = exp(x)`."""

    domain = constraints.real
    codomain = constraints.positive
    bijective = True
    sign = +1

    def _call(self, x: Any) -> Any:
        return x.exp()

    def _inverse(self, y: Any) -> Any:
        return y.log()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return x


@_here
class PowerTransform(Transform):
    """`y = x ** exponent` of positive numbers."""

    domain = constraints.positive
    codomain = constraints.positive
    bijective = True

    def __init__(self, exponent: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size=cache_size)
        (self.exponent,) = broadcast_all(exponent)

    def _again(self, cache_size: int) -> Any:
        return PowerTransform(self.exponent, cache_size=cache_size)

    @lazy_property
    def sign(self) -> Any:
        return self.exponent.sign()

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, PowerTransform) and self.exponent.eq(other.exponent).all().item()

    __hash__ = None

    def _call(self, x: Any) -> Any:
        return x.pow(self.exponent)

    def _inverse(self, y: Any) -> Any:
        return y.pow(1 / self.exponent)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return (self.exponent * y / x).abs().log()

    def forward_shape(self, shape: Any) -> Any:
        return torch["broadcast_shapes"](shape, self.exponent.shape)

    inverse_shape = forward_shape


def _clipped_sigmoid(x: Any) -> Any:
    """The sigmoid, kept off 0 and 1."""
    info = finfo(x.dtype)
    return x.sigmoid().clamp(info.tiny, 1 - info.eps)


@_here
class SigmoidTransform(Plain):
    """`y = 1 / (1 + exp(-x))`, kept off 0 and 1."""

    domain = constraints.real
    codomain = constraints.unit_interval
    bijective = True
    sign = +1

    def _call(self, x: Any) -> Any:
        return _clipped_sigmoid(x)

    def _inverse(self, y: Any) -> Any:
        info = finfo(y.dtype)
        y = y.clamp(info.tiny, 1 - info.eps)
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return -F.softplus(-x) - F.softplus(x)


@_here
class SoftplusTransform(Plain):
    """`y = log(1 + exp(x))`, above 20 x itself."""

    domain = constraints.real
    codomain = constraints.positive
    bijective = True
    sign = +1

    def _call(self, x: Any) -> Any:
        return F.softplus(x)

    def _inverse(self, y: Any) -> Any:
        return (-y).expm1().neg().log() + y

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return -F.softplus(-x)


@_here
class TanhTransform(Plain):
    """`y = tanh(x)`. The inverse of 1 and -1 is infinite: `cache_size=1` keeps what the value came from."""

    domain = constraints.real
    codomain = constraints.interval(-1.0, 1.0)
    bijective = True
    sign = +1

    def _call(self, x: Any) -> Any:
        return x.tanh()

    def _inverse(self, y: Any) -> Any:
        return y.atanh()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return 2.0 * (math.log(2.0) - x - F.softplus(-2.0 * x))  # log(1 - tanh(x)**2) without cancellation


@_here
class AbsTransform(Plain):
    """`y = |x|`; the inverse gives the positive x."""

    domain = constraints.real
    codomain = constraints.positive

    def _call(self, x: Any) -> Any:
        return x.abs()

    def _inverse(self, y: Any) -> Any:
        return y


@_here
class AffineTransform(Transform):
    """`y = loc + scale * x`, for events of `event_dim` dims."""

    bijective = True

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size=cache_size)
        self.loc, self.scale, self._event_dim = loc, scale, event_dim

    @property
    def event_dim(self) -> int:
        return self._event_dim

    @constraints.dependent_property(is_discrete=False)
    def domain(self) -> Any:
        return constraints.independent(constraints.real, self.event_dim) if self.event_dim else constraints.real

    codomain = domain

    def _again(self, cache_size: int) -> Any:
        return AffineTransform(self.loc, self.scale, self.event_dim, cache_size=cache_size)

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, AffineTransform):
            return False
        for mine, theirs in ((self.loc, other.loc), (self.scale, other.scale)):
            same: Any = mine == theirs
            if not (same if is_number(mine) and is_number(theirs) else same.all().item()):
                return False
        return True

    __hash__ = None

    @property
    def sign(self) -> Any:
        if is_number(self.scale):
            return (self.scale > 0) - (self.scale < 0)
        return self.scale.sign()

    def _call(self, x: Any) -> Any:
        return self.loc + self.scale * x

    def _inverse(self, y: Any) -> Any:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        result = filled(x, math.log(abs(self.scale))) if is_number(self.scale) else self.scale.abs().log()
        if not self.event_dim:
            return result.expand(x.shape)
        summed = result.view(*result.shape[: -self.event_dim], -1).sum(-1)
        return summed.expand(x.shape[: -self.event_dim])

    def forward_shape(self, shape: Any) -> Any:
        return torch["broadcast_shapes"](shape, getattr(self.loc, "shape", ()), getattr(self.scale, "shape", ()))

    inverse_shape = forward_shape


def _shifted(x: Any) -> Any:
    """The last dim moved by one, a 1 in front and the last element dropped."""
    return F.pad(x[..., :-1], [1, 0], value=1)


@_here
class CorrCholeskyTransform(Transform):
    """Vectors of D (D - 1) / 2 real numbers as lower triangular factors of D x D correlation matrices.

    Row by row, tanh gives partial correlations z; an element is z times what the row's earlier ones leave of its length 1,
    sqrt(prod(1 - z**2)) (Lewandowski, Kurowicka and Joe, 2009; the Stan reference manual, "Cholesky factors of correlation matrices").
    The log-determinant is that of the elements below the diagonal.
    """

    domain = constraints.real_vector
    codomain = constraints.corr_cholesky
    bijective = True

    def _call(self, x: Any) -> Any:
        eps = finfo(x.dtype).eps
        z = vec_to_tril_matrix(x.tanh().clamp(eps - 1, 1 - eps), diag=-1)
        left = (1 - z**2).sqrt().cumprod(-1)
        return (z + eye(z.shape[-1], dtype=z.dtype, device=z.device)) * _shifted(left)

    def _inverse(self, y: Any) -> Any:
        left = _shifted(1 - (y * y).cumsum(-1))
        z = tril_matrix_to_vec(y, diag=-1) / tril_matrix_to_vec(left, diag=-1).sqrt()
        return (z.log1p() - z.neg().log1p()) / 2

    def log_abs_det_jacobian(self, x: Any, y: Any, intermediates: Any = None) -> Any:
        left = tril_matrix_to_vec(1 - (y * y).cumsum(-1), diag=-2)
        of_tanh = (x + F.softplus(-2 * x) - math.log(2.0)).sum(-1)
        return 0.5 * left.log().sum(-1) + -2 * of_tanh

    def forward_shape(self, shape: Any) -> Any:
        require_dims(len(shape), 1)
        n = round((0.25 + 2 * shape[-1]) ** 0.5 + 0.5)
        if n * (n - 1) // 2 != shape[-1]:
            raise ValueError("Input is not a flattened lower-diagonal number")
        return type(shape)((*shape[:-1], n, n))

    def inverse_shape(self, shape: Any) -> Any:
        require_dims(len(shape), 2)
        if shape[-2] != shape[-1]:
            raise ValueError("Input is not square")
        return type(shape)((*shape[:-2], shape[-1] * (shape[-1] - 1) // 2))


@_here
class SoftmaxTransform(Plain):
    """`y = exp(x) / sum(exp(x))` along the last dim; not bijective, as x + c gives the same y."""

    domain = constraints.real_vector
    codomain = constraints.simplex

    def _call(self, x: Any) -> Any:
        weights = (x - x.max(-1, True)[0]).exp()
        return weights / weights.sum(-1, True)

    def _inverse(self, y: Any) -> Any:
        return y.log()

    def forward_shape(self, shape: Any) -> Any:
        require_dims(len(shape), 1)
        return shape

    inverse_shape = forward_shape


def _offset(x: Any, start: int, count: int) -> Any:
    """start - 1, start - 2, ..."""
    return start - x.new_ones(count).cumsum(-1)


@_here
class StickBreakingTransform(Plain):
    """Vectors of K real numbers as K + 1 positive ones that sum to 1.

    Of a stick of length 1 the share sigmoid(x - log(remaining pieces)) is broken off, then of what is left, and so on (the Stan
    reference manual, "Unit simplex"). x = 0 gives equal pieces.
    """

    domain = constraints.real_vector
    codomain = constraints.simplex
    bijective = True

    def _call(self, x: Any) -> Any:
        share = _clipped_sigmoid(x - _offset(x, x.shape[-1] + 1, x.shape[-1]).log())
        left = (1 - share).cumprod(-1)
        return F.pad(share, [0, 1], value=1) * F.pad(left, [1, 0], value=1)

    def _inverse(self, y: Any) -> Any:
        pieces = y[..., :-1]
        left = (1 - pieces.cumsum(-1)).clamp(min=tiny_of(y))  # rounding may take it below zero
        return pieces.log() - left.log() + _offset(y, y.shape[-1], y.shape[-1] - 1).log()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        x = x - _offset(x, x.shape[-1] + 1, x.shape[-1]).log()
        return (F.logsigmoid(x) - x + y[..., :-1].log()).sum(-1)  # log(1 - sigmoid(x)) is logsigmoid(x) - x

    def forward_shape(self, shape: Any) -> Any:
        require_dims(len(shape), 1)
        return type(shape)((*shape[:-1], shape[-1] + 1))

    def inverse_shape(self, shape: Any) -> Any:
        require_dims(len(shape), 1)
        return type(shape)((*shape[:-1], shape[-1] - 1))


@_here
class LowerCholeskyTransform(Plain):
    """Matrices as lower triangular ones with a positive diagonal, the exponential of theirs."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.lower_cholesky

    def _call(self, x: Any) -> Any:
        return x.tril(-1) + x.diagonal(dim1=-2, dim2=-1).exp().diag_embed()

    def _inverse(self, y: Any) -> Any:
        return y.tril(-1) + y.diagonal(dim1=-2, dim2=-1).log().diag_embed()


@_here
class PositiveDefiniteTransform(Plain):
    """Matrices as positive definite ones: a lower triangular factor times its transpose."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.positive_definite

    def _call(self, x: Any) -> Any:
        factor = LowerCholeskyTransform()(x)
        return factor @ factor.mT

    def _inverse(self, y: Any) -> Any:
        return LowerCholeskyTransform().inv(NAMES["linalg"]["cholesky"](y))


class _Several(Transform):
    """Transforms side by side along a dim."""

    transforms: list[Transform]

    def __init__(self, tseq: Sequence[Transform], dim: int = 0, cache_size: int = 0) -> None:
        if not all(isinstance(t, Transform) for t in tseq):
            raise AssertionError("All elements of tseq must be Transform instances")
        super().__init__(cache_size=cache_size)
        self.transforms = [t.with_cache(cache_size) for t in tseq] if cache_size else list(tseq)
        self.dim = dim

    @property
    def bijective(self) -> bool:
        return all(t.bijective for t in self.transforms)

    def _demand(self, size: int, what: str, **values: Any) -> None:
        """AssertionError unless the values have this size along the dim."""
        for name, value in values.items():
            if not -value.dim() <= self.dim < value.dim():
                shown = name if len(values) > 1 else "tensor"
                raise AssertionError(f"dim {self.dim} out of range for {shown} with {value.dim()} dimensions")
            if value.shape[self.dim] != size:
                raise AssertionError(f"{name}.size({self.dim}) = {value.shape[self.dim]} must equal {what} {size}")


@_here
class CatTransform(_Several):
    """Transforms of parts along a dim, of the given lengths: what `torch.cat` puts together."""

    def __init__(self, tseq: Sequence[Transform], dim: int = 0, lengths: Sequence[int] | None = None, cache_size: int = 0) -> None:
        super().__init__(tseq, dim, cache_size)
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.transforms):
            raise AssertionError(f"lengths ({len(self.lengths)}) must match transforms ({len(self.transforms)})")

    @lazy_property
    def event_dim(self) -> int:
        return max(t.event_dim for t in self.transforms)

    @lazy_property
    def length(self) -> int:
        """The size along the dim."""
        return sum(self.lengths)

    def _again(self, cache_size: int) -> Any:
        return CatTransform(self.transforms, self.dim, self.lengths, cache_size)

    def _parts(self, value: Any) -> Any:
        return value.split(self.lengths, self.dim)

    def _call(self, x: Any) -> Any:
        self._demand(self.length, "length", x=x)
        return torch["cat"]([t(part) for t, part in zip(self.transforms, self._parts(x))], self.dim)

    def _inverse(self, y: Any) -> Any:
        self._demand(self.length, "length", y=y)
        return torch["cat"]([t.inv(part) for t, part in zip(self.transforms, self._parts(y))], self.dim)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        self._demand(self.length, "length", x=x, y=y)
        terms = []
        for t, xs, ys in zip(self.transforms, self._parts(x), self._parts(y)):
            terms.append(sum_rightmost(t.log_abs_det_jacobian(xs, ys), max(self.event_dim - t.event_dim, 0)))
        dim = (self.dim - x.dim() if self.dim >= 0 else self.dim) + self.event_dim
        return torch["cat"](terms, dim) if dim < 0 else sum(terms)

    @constraints.dependent_property
    def domain(self) -> Any:
        return constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths)

    @constraints.dependent_property
    def codomain(self) -> Any:
        return constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths)


@_here
class StackTransform(_Several):
    """A transform for each index along a dim: what `torch.stack` puts together."""

    def _again(self, cache_size: int) -> Any:
        return StackTransform(self.transforms, self.dim, cache_size)

    def _slices(self, **values: Any) -> Any:
        self._demand(len(self.transforms), "len(transforms)", **values)
        return zip(self.transforms, *(value.unbind(self.dim) for value in values.values()))

    def _call(self, x: Any) -> Any:
        return torch["stack"]([t(part) for t, part in self._slices(x=x)], self.dim)

    def _inverse(self, y: Any) -> Any:
        return torch["stack"]([t.inv(part) for t, part in self._slices(y=y)], self.dim)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return torch["stack"]([t.log_abs_det_jacobian(xs, ys) for t, xs, ys in self._slices(x=x, y=y)], self.dim)

    @constraints.dependent_property
    def domain(self) -> Any:
        return constraints.stack([t.domain for t in self.transforms], self.dim)

    @constraints.dependent_property
    def codomain(self) -> Any:
        return constraints.stack([t.codomain for t in self.transforms], self.dim)


@_here
class CumulativeDistributionTransform(Transform):
    """`y = cdf(x)` of a distribution of numbers, so that uniform numbers become its numbers by the inverse, and so on for copulas."""

    bijective = True
    codomain = constraints.unit_interval
    sign = +1

    def __init__(self, distribution: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size=cache_size)
        self.distribution = distribution

    @property
    def domain(self) -> Any:
        return self.distribution.support

    def _call(self, x: Any) -> Any:
        return self.distribution.cdf(x)

    def _inverse(self, y: Any) -> Any:
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return self.distribution.log_prob(x)

    def _again(self, cache_size: int) -> Any:
        return CumulativeDistributionTransform(self.distribution, cache_size=cache_size)
