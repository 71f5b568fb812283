"""What a distribution demands of its parameters, and where its values lie."""

from typing import Any

from ..autograd.node import tensors
from ..core.naming import public
from ..ops.definition import NAMES

__all__ = [
    "Constraint", "boolean", "dependent", "greater_than", "greater_than_eq", "half_open_interval", "independent", "integer_interval",
    "interval", "is_dependent", "less_than", "lower_cholesky", "nonnegative", "nonnegative_integer", "positive", "positive_definite",
    "positive_integer", "real", "real_vector", "simplex", "symmetric", "unit_interval",
]  # fmt: skip

_here = public("torch.distributions.constraints")


@_here
class Constraint:
    """A region of tensors: `check(value)` says for each event whether it lies inside. `event_dim`: how many dims an event has."""

    is_discrete = False
    event_dim = 0
    _shown: tuple[str, ...] = ()  # the fields that its text names

    def check(self, value: Any) -> Any:
        """A bool tensor, one element for each event."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__[1:]}({', '.join(f'{name}={getattr(self, name)}' for name in self._shown)})"


@_here
class _Dependent(Constraint):
    """A region that depends on other parameters and cannot be checked alone."""

    def check(self, value: Any) -> Any:
        raise ValueError("Cannot determine validity of dependent constraint")


def is_dependent(constraint: Any) -> bool:
    """Whether a constraint depends on other parameters."""
    return isinstance(constraint, _Dependent)


@_here
class _Boolean(Constraint):
    """0 or 1."""

    is_discrete = True

    def check(self, value: Any) -> Any:
        return (value == 0) | (value == 1)


@_here
class _Real(Constraint):
    """Every number but NaN."""

    def check(self, value: Any) -> Any:
        return value == value


@_here
class _IntegerInterval(Constraint):
    """Whole numbers from a lower to an upper bound, both included."""

    is_discrete = True
    _shown = ("lower_bound", "upper_bound")

    def __init__(self, lower_bound: Any, upper_bound: Any) -> None:
        self.lower_bound, self.upper_bound = lower_bound, upper_bound

    def check(self, value: Any) -> Any:
        return (value % 1 == 0) & (self.lower_bound <= value) & (value <= self.upper_bound)


@_here
class _IntegerGreaterThan(Constraint):
    """Whole numbers from a lower bound, included."""

    is_discrete = True
    _shown = ("lower_bound",)

    def __init__(self, lower_bound: Any) -> None:
        self.lower_bound = lower_bound

    def check(self, value: Any) -> Any:
        return (value % 1 == 0) & (value >= self.lower_bound)


@_here
class _GreaterThan(Constraint):
    """Numbers above a bound."""

    _shown = ("lower_bound",)

    def __init__(self, lower_bound: Any) -> None:
        self.lower_bound = lower_bound

    def check(self, value: Any) -> Any:
        return self.lower_bound < value


@_here
class _GreaterThanEq(_GreaterThan):
    """Numbers from a bound, included."""

    def check(self, value: Any) -> Any:
        return self.lower_bound <= value


@_here
class _LessThan(Constraint):
    """Numbers below a bound."""

    _shown = ("upper_bound",)

    def __init__(self, upper_bound: Any) -> None:
        self.upper_bound = upper_bound

    def check(self, value: Any) -> Any:
        return value < self.upper_bound


@_here
class _Interval(Constraint):
    """Numbers between two bounds, both included."""

    _shown = ("lower_bound", "upper_bound")

    def __init__(self, lower_bound: Any, upper_bound: Any) -> None:
        self.lower_bound, self.upper_bound = lower_bound, upper_bound

    def check(self, value: Any) -> Any:
        return (self.lower_bound <= value) & (value <= self.upper_bound)


@_here
class _HalfOpenInterval(_Interval):
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
class _LowerCholesky(Constraint):
    """Lower triangular matrices with a positive diagonal."""

    event_dim = 2

    def check(self, value: Any) -> Any:
        lower = (value.tril() == value).flatten(-2).all(-1)
        return lower & (value.diagonal(dim1=-2, dim2=-1) > 0).all(-1)


@_here
class _Symmetric(Constraint):
    """Square symmetric matrices."""

    event_dim = 2

    def check(self, value: Any) -> Any:
        if value.shape[-1] != value.shape[-2]:
            return tensors.new_full(value, value.shape[:-2], False).bool()
        return NAMES["torch"]["isclose"](value, value.mT, atol=1e-6).all(-2).all(-1)


@_here
class _PositiveDefinite(_Symmetric):
    """Symmetric positive definite matrices."""

    def check(self, value: Any) -> Any:
        symmetric = super().check(value)
        return NAMES["linalg"]["cholesky_ex"](value).info.eq(0) if symmetric.all() else symmetric


@_here
class _IndependentConstraint(Constraint):
    """Another region whose last dims before the event belong to the event."""

    def __init__(self, base_constraint: Constraint, reinterpreted_batch_ndims: int) -> None:
        self.base_constraint, self.reinterpreted_batch_ndims = base_constraint, reinterpreted_batch_ndims
        self.is_discrete = base_constraint.is_discrete
        self.event_dim = base_constraint.event_dim + reinterpreted_batch_ndims

    def check(self, value: Any) -> Any:
        result = self.base_constraint.check(value)
        if result.dim() < self.reinterpreted_batch_ndims:
            raise ValueError(
                f"Expected value.dim() >= {self.base_constraint.event_dim + self.reinterpreted_batch_ndims} but got {value.dim()}"
            )
        return result.reshape(*result.shape[: result.dim() - self.reinterpreted_batch_ndims], -1).all(-1)

    def __repr__(self) -> str:
        return f"{type(self).__name__[1:]}({self.base_constraint!r}, {self.reinterpreted_batch_ndims})"


dependent = _Dependent()
boolean = _Boolean()
real = _Real()
real_vector = _IndependentConstraint(real, 1)
positive, nonnegative = _GreaterThan(0.0), _GreaterThanEq(0.0)
unit_interval = _Interval(0.0, 1.0)
nonnegative_integer, positive_integer = _IntegerGreaterThan(0), _IntegerGreaterThan(1)
simplex, lower_cholesky, symmetric, positive_definite = _Simplex(), _LowerCholesky(), _Symmetric(), _PositiveDefinite()
greater_than, greater_than_eq, less_than = _GreaterThan, _GreaterThanEq, _LessThan
interval, half_open_interval, integer_interval, independent = _Interval, _HalfOpenInterval, _IntegerInterval, _IndependentConstraint
