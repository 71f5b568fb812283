"""What a distribution demands of its parameters, and where its values lie."""

from typing import Any, Callable, Sequence

from ..core.naming import public
from ..core.number_info import finfo
from ..ops.creation import full
from ..ops.definition import NAMES

__all__ = [
    "Constraint", "MixtureSameFamilyConstraint", "boolean", "cat", "corr_cholesky", "dependent", "dependent_property", "greater_than",
    "greater_than_eq", "half_open_interval", "independent", "integer_interval", "interval", "is_dependent", "less_than", "lower_cholesky",
    "lower_triangular", "multinomial", "nonnegative", "nonnegative_integer", "one_hot", "positive", "positive_definite", "positive_integer",
    "positive_semidefinite", "real", "real_vector", "simplex", "square", "stack", "symmetric", "unit_interval",
]  # fmt: skip

_here = public("torch.distributions.constraints")


@_here
class Constraint:
    """A region of tensors: `check(value)` says for each event whether it lies inside. `event_dim`: how many dims an event has."""

    is_discrete: Any = False
    event_dim: Any = 0
    _shown: tuple[str, ...] = ()  # the fields that its text names

    def check(self, value: Any) -> Any:
        """A bool tensor, one element for each event."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__[1:]}({', '.join(f'{name}={getattr(self, name)}' for name in self._shown)})"


@_here
class _Dependent(Constraint):
    """A region that depends on other parameters and cannot be checked alone; what is known of it at once may be said."""

    def __init__(self, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented) -> None:
        self._is_discrete, self._event_dim = is_discrete, event_dim

    @property
    def is_discrete(self) -> Any:
        if self._is_discrete is NotImplemented:
            raise NotImplementedError(".is_discrete cannot be determined statically")
        return self._is_discrete

    @property
    def event_dim(self) -> Any:
        if self._event_dim is NotImplemented:
            raise NotImplementedError(".event_dim cannot be determined statically")
        return self._event_dim

    def __call__(self, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented) -> Any:
        """The same with more said of it."""
        return _Dependent(
            is_discrete=self._is_discrete if is_discrete is NotImplemented else is_discrete,
            event_dim=self._event_dim if event_dim is NotImplemented else event_dim,
        )

    def check(self, value: Any) -> Any:
        raise ValueError("Cannot determine validity of dependent constraint")


def is_dependent(constraint: Any) -> bool:
    """Whether a constraint depends on other parameters."""
    return isinstance(constraint, _Dependent)


@_here
class _DependentProperty(property, _Dependent):
    """Decorator: in an instance the property's value, in the class a dependent constraint."""

    def __init__(self, fn: Callable[..., Any] | None = None, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented) -> None:
        super().__init__(fn)
        self._is_discrete, self._event_dim = is_discrete, event_dim

    def __call__(self, fn: Callable[..., Any]) -> Any:  # type: ignore[override]
        return _DependentProperty(fn, is_discrete=self._is_discrete, event_dim=self._event_dim)


@_here
class _Boolean(Constraint):
    """0 or 1."""

    is_discrete = True

    def check(self, value: Any) -> Any:
        return (value == 0) | (value == 1)


@_here
class _OneHot(_Boolean):
    """Vectors of zeros and a single 1."""

    event_dim = 1

    def check(self, value: Any) -> Any:
        return super().check(value).all(-1) & value.sum(-1).eq(1)


@_here
class _Real(Constraint):
    """Every number but NaN."""

    def check(self, value: Any) -> Any:
        return value == value


class _Below(Constraint):
    _shown = ("upper_bound",)

    def __init__(self, upper_bound: Any) -> None:
        self.upper_bound = upper_bound


class _Above(Constraint):
    _shown = ("lower_bound",)

    def __init__(self, lower_bound: Any) -> None:
        self.lower_bound = lower_bound


class _Between(Constraint):
    _shown = ("lower_bound", "upper_bound")

    def __init__(self, lower_bound: Any, upper_bound: Any) -> None:
        self.lower_bound, self.upper_bound = lower_bound, upper_bound


def _whole(value: Any, inside: Any) -> Any:
    """Which of the numbers that lie inside are whole."""
    return (value % 1 == 0) & inside if value.dtype.is_floating_point else inside


@_here
class _IntegerInterval(_Between):
    """Whole numbers from a lower to an upper bound, both included."""

    is_discrete = True

    def check(self, value: Any) -> Any:
        return _whole(value, self.lower_bound <= value) & (value <= self.upper_bound)


@_here
class _IntegerLessThan(_Below):
    """Whole numbers up to a bound, included."""

    is_discrete = True

    def check(self, value: Any) -> Any:
        return _whole(value, value <= self.upper_bound)


@_here
class _IntegerGreaterThan(_Above):
    """Whole numbers from a bound on, included."""

    is_discrete = True

    def check(self, value: Any) -> Any:
        return _whole(value, value >= self.lower_bound)


@_here
class _GreaterThan(_Above):
    """Numbers above a bound."""

    def check(self, value: Any) -> Any:
        return self.lower_bound < value


@_here
class _GreaterThanEq(_Above):
    """Numbers from a bound on, included."""

    def check(self, value: Any) -> Any:
        return self.lower_bound <= value


@_here
class _LessThan(_Below):
    """Numbers below a bound."""

    def check(self, value: Any) -> Any:
        return value < self.upper_bound


@_here
class _Interval(_Between):
    """Numbers between two bounds, both included."""

    def check(self, value: Any) -> Any:
        return (self.lower_bound <= value) & (value <= self.upper_bound)


@_here
class _HalfOpenInterval(_Between):
    """Numbers between two bounds, the lower one included."""

    def check(self, value: Any) -> Any:
        return (self.lower_bound <= value) & (value < self.upper_bound)


@_here
class _Simplex(Constraint):
    """Vectors that are not negative and sum to 1."""

    event_dim = 1

    def check(self, value: Any) -> Any:
        return (value >= 0).all(-1) & ((value.sum(-1) - 1).abs() < 1e-6)


@_here
class _Multinomial(Constraint):
    """Vectors of counts with a sum up to a bound."""

    is_discrete = True
    event_dim = 1

    def __init__(self, upper_bound: Any) -> None:
        self.upper_bound = upper_bound

    def check(self, value: Any) -> Any:
        return (value >= 0).all(-1) & (value.sum(-1) <= self.upper_bound)


@_here
class _LowerTriangular(Constraint):
    """Matrices of zeros above the diagonal."""

    event_dim = 2

    def check(self, value: Any) -> Any:
        return (value.tril() == value).flatten(-2).all(-1)


@_here
class _LowerCholesky(_LowerTriangular):
    """Lower triangular matrices with a positive diagonal."""

    def check(self, value: Any) -> Any:
        return super().check(value) & (value.diagonal(dim1=-2, dim2=-1) > 0).all(-1)


@_here
class _CorrCholesky(_LowerCholesky):
    """Lower triangular factors of correlation matrices: their rows are of length 1."""

    def check(self, value: Any) -> Any:
        tolerance = finfo(value.dtype).eps * value.shape[-1] * 10
        off = (NAMES["linalg"]["norm"](value.detach(), dim=-1) - 1.0).abs()
        return super().check(value) & off.le(tolerance).all(-1)


@_here
class _Square(Constraint):
    """Square matrices."""

    event_dim = 2

    def check(self, value: Any) -> Any:
        return full(value.shape[:-2], value.shape[-2] == value.shape[-1], device=value.device)


@_here
class _Symmetric(_Square):
    """Square symmetric matrices."""

    def check(self, value: Any) -> Any:
        square = super().check(value)
        return NAMES["torch"]["isclose"](value, value.mT, atol=1e-6).all(-2).all(-1) if square.all() else square


@_here
class _PositiveSemidefinite(_Symmetric):
    """Symmetric matrices without negative eigenvalues."""

    def check(self, value: Any) -> Any:
        symmetric = super().check(value)
        return NAMES["linalg"]["eigvalsh"](value).ge(0).all(-1) if symmetric.all() else symmetric


@_here
class _PositiveDefinite(_Symmetric):
    """Symmetric positive definite matrices."""

    def check(self, value: Any) -> Any:
        symmetric = super().check(value)
        return NAMES["linalg"]["cholesky_ex"](value).info.eq(0) if symmetric.all() else symmetric


def _demand(good: bool, text: str) -> None:
    if not good:
        raise AssertionError(text)


def _demand_constraint(base_constraint: Any) -> None:
    _demand(isinstance(base_constraint, Constraint), f"base_constraint must be a Constraint, got {type(base_constraint).__name__}")


@_here
class _IndependentConstraint(Constraint):
    """Another region whose last dims before the event belong to the event."""

    def __init__(self, base_constraint: Constraint, reinterpreted_batch_ndims: int) -> None:
        _demand_constraint(base_constraint)
        dims = reinterpreted_batch_ndims
        _demand(isinstance(dims, int), f"reinterpreted_batch_ndims must be an int, got {type(dims).__name__}")
        _demand(dims >= 0, f"reinterpreted_batch_ndims must be >= 0, got {dims}")
        self.base_constraint, self.reinterpreted_batch_ndims = base_constraint, dims

    @property
    def is_discrete(self) -> Any:
        return self.base_constraint.is_discrete

    @property
    def event_dim(self) -> Any:
        return self.base_constraint.event_dim + self.reinterpreted_batch_ndims

    def check(self, value: Any) -> Any:
        result = self.base_constraint.check(value)
        if result.dim() < self.reinterpreted_batch_ndims:
            raise ValueError(f"Expected value.dim() >= {self.event_dim} but got {value.dim()}")
        return result.reshape(*result.shape[: result.dim() - self.reinterpreted_batch_ndims], -1).all(-1)

    def __repr__(self) -> str:
        return f"{type(self).__name__[1:]}({self.base_constraint!r}, {self.reinterpreted_batch_ndims})"


@_here
class MixtureSameFamilyConstraint(Constraint):
    """Where the values of a mixture lie: inside the region of every component, which have a batch dim more."""

    def __init__(self, base_constraint: Constraint) -> None:
        _demand_constraint(base_constraint)
        self.base_constraint = base_constraint

    @property
    def is_discrete(self) -> Any:
        return self.base_constraint.is_discrete

    @property
    def event_dim(self) -> Any:
        return self.base_constraint.event_dim

    def check(self, value: Any) -> Any:
        result = self.base_constraint.check(value.unsqueeze(-1 - self.event_dim))
        if value.dim() < self.event_dim:
            raise ValueError(f"Expected value.dim() >= {self.event_dim} but got {value.dim()}")
        return result.reshape(*result.shape[: value.dim() - self.event_dim], -1).all(-1)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_constraint!r})"


class _Several(Constraint):
    """Several regions side by side along a dim."""

    def __init__(self, cseq: Sequence[Constraint], dim: int = 0) -> None:
        _demand(all(isinstance(c, Constraint) for c in cseq), "All elements of cseq must be Constraint instances")
        self.cseq, self.dim = list(cseq), dim

    @property
    def is_discrete(self) -> bool:
        return any(c.is_discrete for c in self.cseq)

    def _demand_dim(self, value: Any) -> None:
        good = -value.dim() <= self.dim < value.dim()
        _demand(good, f"dim {self.dim} out of range for value with {value.dim()} dimensions")


@_here
class _Cat(_Several):
    """Regions of parts with given lengths along a dim."""

    def __init__(self, cseq: Sequence[Constraint], dim: int = 0, lengths: Sequence[int] | None = None) -> None:
        super().__init__(cseq, dim)
        self.lengths = [1] * len(self.cseq) if lengths is None else list(lengths)
        _demand(len(self.lengths) == len(self.cseq), f"lengths ({len(self.lengths)}) must match cseq ({len(self.cseq)})")

    @property
    def event_dim(self) -> int:
        return max(c.event_dim for c in self.cseq)

    def check(self, value: Any) -> Any:
        self._demand_dim(value)
        starts = (sum(self.lengths[:i]) for i in range(len(self.lengths)))
        parts = [c.check(value.narrow(self.dim, start, length)) for c, start, length in zip(self.cseq, starts, self.lengths)]
        return NAMES["torch"]["cat"](parts, self.dim)


@_here
class _Stack(_Several):
    """A region for each index along a dim."""

    @property
    def event_dim(self) -> int:
        dim = max(c.event_dim for c in self.cseq)
        return dim + 1 if self.dim + dim < 0 else dim

    def check(self, value: Any) -> Any:
        self._demand_dim(value)
        slices = (value.select(self.dim, i) for i in range(value.shape[self.dim]))
        return NAMES["torch"]["stack"]([c.check(v) for v, c in zip(slices, self.cseq)], self.dim)


dependent, dependent_property = _Dependent(), _DependentProperty
boolean, one_hot = _Boolean(), _OneHot()
real = _Real()
real_vector = _IndependentConstraint(real, 1)
positive, nonnegative = _GreaterThan(0.0), _GreaterThanEq(0.0)
unit_interval = _Interval(0.0, 1.0)
nonnegative_integer, positive_integer = _IntegerGreaterThan(0), _IntegerGreaterThan(1)
simplex, lower_triangular, lower_cholesky, corr_cholesky = _Simplex(), _LowerTriangular(), _LowerCholesky(), _CorrCholesky()
square, symmetric = _Square(), _Symmetric()
positive_semidefinite, positive_definite = _PositiveSemidefinite(), _PositiveDefinite()
greater_than, greater_than_eq, less_than = _GreaterThan, _GreaterThanEq, _LessThan
interval, half_open_interval, integer_interval = _Interval, _HalfOpenInterval, _IntegerInterval
independent, multinomial, cat, stack = _IndependentConstraint, _Multinomial, _Cat, _Stack
