"""What the distributions share: broadcasting of parameters, probabilities and their logarithms, values computed when asked for."""

from functools import update_wrapper
from typing import Any, Callable, Sequence

from ..autograd.grad_mode import enable_grad
from ..core.dtype import get_default_dtype
from ..core.layout import broadcast_shapes
from ..core.number_info import finfo
from ..core.size import Size
from ..ops.creation import empty
from ..ops.definition import NAMES
from ..ops.from_data import tensor
from ..ops.ranges import arange
from ..tensor import Tensor

__all__ = [
    "broadcast_all", "clamp_probs", "lazy_property", "logits_to_probs", "probs_to_logits", "tril_matrix_to_vec",
    "vec_to_tril_matrix",
]  # fmt: skip

torch = NAMES["torch"]
euler_constant = 0.57721566490153286060  # Euler's and Mascheroni's


def is_number(x: Any) -> bool:
    """Whether this is a Python number, which has no shape of its own."""
    return isinstance(x, (int, float))


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Tensors and numbers as tensors of one shape; numbers take the dtype of the first tensor. Raises ValueError for others."""
    tensors = [v for v in values if isinstance(v, Tensor)]
    if len(tensors) < len(values):
        if not all(isinstance(v, Tensor) or is_number(v) or hasattr(v, "__torch_function__") for v in values):
            raise ValueError("Input arguments must all be instances of Number, torch.Tensor or objects implementing __torch_function__.")
        options = {"dtype": tensors[0].dtype, "device": tensors[0].device} if tensors else {"dtype": get_default_dtype()}
        tensors = [tensor(v, **options) if is_number(v) else v for v in values]
    shapes = [v.shape for v in tensors]
    if shapes.count(shapes[0]) == len(shapes):
        return tuple(tensors)
    shape = broadcast_shapes(*shapes)
    return tuple(v if tuple(v.shape) == shape else v.expand(shape) for v in tensors)


def batch_shape_of(parameter: Tensor, *given: Any) -> Size:
    """The shape of the broadcast parameters; () if all were given as numbers."""
    return Size() if all(is_number(v) for v in given) else parameter.shape


def standard_normal(shape: Sequence[int], like: Tensor) -> Tensor:
    """Normal random numbers of mean 0 and variance 1."""
    return empty(shape, dtype=like.dtype, device=like.device).normal_()


def _standard_normal(shape: Sequence[int], dtype: Any, device: Any) -> Tensor:
    """The same under the name, and with the arguments, that distributions outside know."""
    return empty(shape, dtype=dtype, device=device).normal_()


def uniform(shape: Sequence[int], like: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Uniform random numbers."""
    return empty(shape, dtype=like.dtype, device=like.device).uniform_(low, high)


def sum_rightmost(value: Any, dims: int) -> Any:
    """The sum over the last dims."""
    return value.reshape(*value.shape[:-dims], -1).sum(-1) if dims else value


_sum_rightmost = sum_rightmost  # the name that distributions outside know


def filled(like: Tensor, number: float) -> Tensor:
    """A tensor of this shape that holds one number."""
    return like.new_full(like.shape, number)


def epsilon_of(x: Tensor) -> float:
    """The distance from 1 to the next number of the tensor's dtype."""
    return finfo(x.dtype).eps


def tiny_of(x: Tensor) -> float:
    """The smallest normal number of the tensor's dtype."""
    return finfo(x.dtype).tiny


def clamp_probs(probs: Tensor) -> Tensor:
    """Probabilities moved into [eps, 1 - eps], eps of their dtype."""
    eps = epsilon_of(probs)
    return probs.clamp(eps, 1 - eps)


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """Probabilities of log-odds, or of logarithms along the last dim (normalised or not)."""
    return logits.sigmoid() if is_binary else logits.softmax(-1)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """The logarithms of clamped probabilities, for two outcomes the logarithm of the odds."""
    probs = clamp_probs(probs)
    return probs.log() - (-probs).log1p() if is_binary else probs.log()


class lazy_property:
    """Decorator: a method whose value is computed when first asked for, with gradients, and kept in the instance."""

    def __init__(self, wrapped: Callable[[Any], Any]) -> None:
        self.wrapped = wrapped
        update_wrapper(self, wrapped)  # type: ignore[arg-type]

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        with enable_grad():
            value = self.wrapped(instance)
        instance.__dict__[self.wrapped.__name__] = value
        return value


def _lower(n: int, diag: int, device: Any) -> Tensor:
    """A mask of the elements up to a diagonal of an n x n matrix."""
    index = arange(n, device=device)
    return index < index.view(-1, 1) + (diag + 1)


def tril_matrix_to_vec(mat: Tensor, diag: int = 0) -> Tensor:
    """The elements on and below a diagonal, row by row, as the last dim."""
    n = mat.shape[-1]
    if not -n <= diag < n:
        raise ValueError(f"diag ({diag}) provided is outside [{-n}, {n - 1}].")
    return mat[..., _lower(n, diag, mat.device)]


def vec_to_tril_matrix(vec: Tensor, diag: int = 0) -> Tensor:
    """The inverse of `tril_matrix_to_vec`; the other elements are zero.

    A D x D matrix has `D (D + 1 + 2 diag) / 2` elements there for diag <= 0 (for diag > 0 less a triangle): D is the positive root.
    """
    count = vec.shape[-1]
    shift = 1 + 2 * diag
    root = (-shift + (shift**2 + 8 * count + 4 * abs(diag) * (diag + 1)) ** 0.5) / 2
    n = round(root)
    if n - root > epsilon_of(vec):
        raise ValueError(
            f"The size of last dimension is {count} which cannot be expressed as the lower triangular part of a square D x D matrix."
        )
    mat = vec.new_zeros((*vec.shape[:-1], n, n))
    mat[..., _lower(n, diag, vec.device)] = vec
    return mat
