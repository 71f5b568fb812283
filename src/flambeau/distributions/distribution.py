"""What all distributions share."""

from functools import cached_property
from typing import Any

from ..autograd.grad_mode import no_grad
from ..core.dtype import get_default_dtype
from ..core.layout import broadcast_shapes
from ..core.naming import public
from ..core.size import Size
from ..ops.creation import empty, tensor
from ..tensor import Tensor
from . import constraints

__all__ = ["Distribution", "broadcast_all", "standard_normal"]


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Tensors and numbers as tensors of one shape; numbers take the dtype of the first tensor. Raises ValueError for others."""
    if not all(isinstance(v, (Tensor, int, float, complex)) for v in values):
        raise ValueError("Input arguments must all be instances of Number, torch.Tensor or objects implementing __torch_function__.")
    dtype = next((v.dtype for v in values if isinstance(v, Tensor)), get_default_dtype())
    made = [v if isinstance(v, Tensor) else tensor(v, dtype=dtype) for v in values]
    shape = broadcast_shapes(*(v.shape for v in made))
    return tuple(v if tuple(v.shape) == shape else v.expand(shape) for v in made)


def batch_shape_of(parameter: Tensor, *given: Any) -> Size:
    """The shape of the broadcast parameters; () if all were given as numbers."""
    return parameter.shape if any(isinstance(v, Tensor) for v in given) else Size()


def standard_normal(shape: Any, like: Tensor) -> Tensor:
    """Normal random numbers of mean 0 and variance 1."""
    return empty(shape, dtype=like.dtype, device=like.device).normal_()


def sum_rightmost(value: Any, dims: int) -> Any:
    """The sum over the last dims."""
    return value.reshape(*value.shape[:-dims], -1).sum(-1) if dims else value


@public("torch.distributions.distribution")
class Distribution:
    """A batch of independent distributions of one kind, with parameters broadcast against each other.

    Samples are of shape `sample_shape + batch_shape + event_shape`. With `validate_args`, the default, parameters and values are checked
    and ValueError says what is wrong with them.
    """

    has_rsample = False
    has_enumerate_support = False
    arg_constraints: Any = {}  # by the names of the parameters
    _validate_args = __debug__

    def __init__(self, batch_shape: Any = (), event_shape: Any = (), validate_args: bool | None = None) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if not self._validate_args:
            return
        for name, constraint in self.arg_constraints.items():
            if constraints.is_dependent(constraint) or name not in self.__dict__:
                continue
            value = self.__dict__[name]
            if not constraint.check(value).all():
                raise ValueError(
                    f"Expected parameter {name} ({type(value).__name__} of shape {tuple(value.shape)}) of distribution {self!r} to satisfy "
                    f"the constraint {constraint!r}, but found invalid values:\n{value}"
                )

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether distributions check their parameters and values unless told otherwise."""
        if value not in (True, False):
            raise ValueError
        Distribution._validate_args = value

    @property
    def batch_shape(self) -> Size:
        """The shape of the parameters."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one value."""
        return self._event_shape

    @property
    def support(self) -> Any:
        """Where the values lie, a constraint."""
        raise NotImplementedError

    @property
    def mean(self) -> Any:
        """The expected value."""
        raise NotImplementedError

    @property
    def mode(self) -> Any:
        """The likeliest value."""
        raise NotImplementedError(f"{self.__class__} does not implement mode")

    @property
    def variance(self) -> Any:
        """The expected squared distance from the mean."""
        raise NotImplementedError

    @property
    def stddev(self) -> Any:
        """The square root of the variance."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Any = ()) -> Any:
        """Random values, without gradients."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Random values as a function of the parameters, which gradients flow through. Raises NotImplementedError where there is none."""
        raise NotImplementedError

    def sample_n(self, n: int) -> Any:
        """`sample((n,))`; deprecated."""
        import warnings

        warnings.warn("`sample_n(n)` will be deprecated. Use `sample((n,))` instead.", FutureWarning, stacklevel=2)
        return self.sample(Size((n,)))

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the probability, or density, of a value."""
        raise NotImplementedError

    def cdf(self, value: Any) -> Any:
        """The probability of values up to this one."""
        raise NotImplementedError

    def icdf(self, value: Any) -> Any:
        """The value whose `cdf` this is."""
        raise NotImplementedError

    def entropy(self) -> Any:
        """The expected negative `log_prob`."""
        raise NotImplementedError

    def enumerate_support(self, expand: bool = True) -> Any:
        """All values of a discrete distribution, along the first dim."""
        raise NotImplementedError

    def perplexity(self) -> Any:
        """The exponential of the entropy."""
        return self.entropy().exp()

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution with its parameters expanded to a batch shape."""
        batch_shape = Size(batch_shape)
        new: Any = type(self).__new__(type(self))
        before = len(self._batch_shape)
        for name, value in self.__dict__.items():
            if isinstance(value, Tensor) and tuple(value.shape[:before]) == tuple(self._batch_shape):
                value = value.expand(*batch_shape, *value.shape[before:])
            new.__dict__[name] = value
        new._batch_shape = batch_shape
        return new

    def _extended_shape(self, sample_shape: Any = ()) -> Size:
        return Size((*sample_shape, *self._batch_shape, *self._event_shape))

    def _validate_sample(self, value: Any) -> None:
        """Raises ValueError for a value of the wrong shape or outside the support."""
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        start = value.dim() - len(self._event_shape)
        if tuple(value.shape[start:]) != tuple(self._event_shape):
            raise ValueError(f"The right-most size of value must match event_shape: {value.size()} vs {self._event_shape}.")
        expected = Size((*self._batch_shape, *self._event_shape))
        if any(i != 1 and j != 1 and i != j for i, j in zip(reversed(value.shape), reversed(expected))):
            raise ValueError(f"Value is not broadcastable with batch_shape+event_shape: {value.size()} vs {expected}.")
        try:
            support = self.support
        except NotImplementedError:
            return
        if not support.check(value).all():
            raise ValueError(
                f"Expected value argument ({type(value).__name__} of shape {tuple(value.shape)}) to be within the support ({support!r}) of "
                f"the distribution {self!r}, but found invalid values:\n{value}"
            )

    def __repr__(self) -> str:
        named = {name: self.__dict__[name] for name in self.arg_constraints if name in self.__dict__}
        return f"{type(self).__name__}({', '.join(f'{n}: {v if v.numel() == 1 else v.size()}' for n, v in named.items())})"


class ProbsAndLogits(Distribution):
    """Distributions given by probabilities or by their logarithms, either of which is computed from the other when asked for."""

    _binary = False

    def _check_one(self, probs: Any, logits: Any) -> None:
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")

    @cached_property
    def probs(self) -> Any:
        """The probabilities."""
        return self.logits.sigmoid() if self._binary else self.logits.softmax(-1)

    @cached_property
    def logits(self) -> Any:
        """Their logarithms, for two outcomes the logarithm of the odds."""
        probs = self.probs
        eps = epsilon_of(probs)
        probs = probs.clamp(eps, 1 - eps)
        return probs.log() - (-probs).log1p() if self._binary else probs.log()


def epsilon_of(x: Any) -> float:
    """The distance from 1 to the next number of the tensor's dtype."""
    from ..core.number_info import finfo

    return finfo(x.dtype).eps
