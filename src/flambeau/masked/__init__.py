"""`torch.masked`: reductions and normalisations that pass over masked-out elements.

`mask` is a boolean tensor that broadcasts to the input: True where an element counts; None: all count. What a reduction gives where
nothing counts is its identity (0 for a sum, -inf for a maximum) or NaN where it has none. MaskedTensor is not there.
"""

from typing import Any

from ..autograd.node import tensors
from ..core import dtype as dtypes
from ..core.layout import normalize_dim
from ..core.missing import missing_name
from ..core.number_info import iinfo
from ..ops.creation import ones
from ..tensor import Tensor

__all__ = [
    "amax",
    "amin",
    "argmax",
    "argmin",
    "cumprod",
    "cumsum",
    "log_softmax",
    "logaddexp",
    "logsumexp",
    "mean",
    "median",
    "norm",
    "normalize",
    "prod",
    "softmax",
    "softmin",
    "std",
    "sum",
    "var",
]

__getattr__ = missing_name(__name__)

_NARROW = (dtypes.uint8, dtypes.bool, dtypes.int8, dtypes.int16, dtypes.int32)
"""Dtypes whose sums and products are int64."""


def _dims(dim: Any, ndim: int) -> tuple[int, ...]:
    """All dimensions for None and (), else those named, from the front. RuntimeError where one is named twice."""
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return tuple(range(ndim))
    found: list[int] = []
    for d in dim if isinstance(dim, (tuple, list)) else (dim,):
        d = normalize_dim(d, max(ndim, 1))
        if d in found:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
        found.append(d)
    return tuple(sorted(found))


def _whole_mask(input: Tensor, mask: Tensor) -> Tensor:
    """The mask as a boolean tensor of the input's shape. IndexError where it has more dimensions."""
    if mask.shape != input.shape:
        if mask.ndim > input.ndim:
            raise IndexError("_input_mask expected broadcastable mask (got mask dimensionality higher than of the input)")
        mask = mask.broadcast_to(input.shape)
    return mask.to(dtypes.bool)


def _lowest(dtype: Any) -> Any:
    return -float("inf") if dtype.is_floating_point or dtype.is_complex else iinfo(dtype).min


def _highest(dtype: Any) -> Any:
    return float("inf") if dtype.is_floating_point else iinfo(dtype).max


def _filled(input: Tensor, mask: Tensor | None, value: Any) -> Tensor:
    """The input with `value` where the mask is False."""
    return input if mask is None else tensors.where(_whole_mask(input, mask), input, tensors.tensor(value, dtype=input.dtype))


def _refuse(name: str, dtype: Any, *, complex: bool = False) -> None:
    """Raises NotImplementedError where the reduction has no identity in this dtype."""
    if dtype is dtypes.bool or (dtype.is_complex and not complex):
        raise NotImplementedError(f"identity of {name} on {dtype} input")


def _sum_dtype(input: Tensor, dtype: Any) -> Any:
    return dtype if dtype is not None else dtypes.int64 if input.dtype in _NARROW else input.dtype


def sum(input: Tensor, dim: Any = None, *, keepdim: bool | None = False, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """The sum of what the mask lets through, over `dim` or over all."""
    dtype = _sum_dtype(input, dtype)
    return tensors.sum(_filled(input, mask, 0), _dims(dim, input.ndim), bool(keepdim), dtype=dtype)


def prod(input: Tensor, dim: Any = None, *, keepdim: bool | None = False, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """The product of what the mask lets through, over `dim` or over all."""
    result = _filled(input, mask, 1).to(_sum_dtype(input, dtype))
    for d in reversed(_dims(dim, input.ndim)):
        result = result.prod(d, bool(keepdim))
    return result


def cumsum(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Running sums along `dim`; masked-out elements count as 0."""
    dtype = dtype or input.dtype
    return tensors.cumsum(_filled(input, mask, 0), _dims(dim, input.ndim)[0], dtype=dtype).to(dtype)


def cumprod(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Running products along `dim`; masked-out elements count as 1."""
    dtype = dtype or input.dtype
    return tensors.cumprod(_filled(input, mask, 1), _dims(dim, input.ndim)[0], dtype=dtype).to(dtype)


def _without(input: Tensor, mask: Tensor | None, name: str) -> Tensor:
    """The input with masked-out elements at the far end from an extremum of that name."""
    if mask is None:
        return input
    _refuse(name, input.dtype)
    return _filled(input, mask, (_highest if name.endswith("min") else _lowest)(input.dtype))


def amax(input: Tensor, dim: Any = None, *, keepdim: bool | None = False, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """The largest of what the mask lets through, over `dim` or over all."""
    return tensors.amax(_without(input, mask, "amax"), _dims(dim, input.ndim), bool(keepdim)).to(dtype or input.dtype)


def amin(input: Tensor, dim: Any = None, *, keepdim: bool | None = False, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """The smallest of what the mask lets through, over `dim` or over all."""
    return tensors.amin(_without(input, mask, "amin"), _dims(dim, input.ndim), bool(keepdim)).to(dtype or input.dtype)


def argmax(input: Tensor, dim: int | None = None, *, keepdim: bool | None = False, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Where the largest of what the mask lets through is; in the dtype of the input unless `dtype` says otherwise."""
    return tensors.argmax(_without(input, mask, "argmax"), dim, bool(keepdim)).to(dtype or input.dtype)


def argmin(input: Tensor, dim: int | None = None, *, keepdim: bool | None = False, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Where the smallest of what the mask lets through is; in the dtype of the input unless `dtype` says otherwise."""
    return tensors.argmin(_without(input, mask, "argmin"), dim, bool(keepdim)).to(dtype or input.dtype)


def _count(input: Tensor, dim: Any, keepdim: bool, mask: Tensor | None) -> Tensor:
    """How many elements count, over `dim`."""
    seen = ones(input.shape, dtype=dtypes.int64) if mask is None else _whole_mask(input, mask)
    return tensors.sum(seen, _dims(dim, input.ndim), keepdim)


def mean(input: Tensor, dim: Any = None, *, keepdim: bool | None = False, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """The mean of what the mask lets through; NaN where that is nothing. ValueError for integers."""
    source = "Input" if dtype is None else "Optional"
    dtype = dtype or input.dtype
    if not (dtype.is_floating_point or dtype.is_complex):
        raise ValueError(
            f"mean(): Could not infer output dtype. {source} dtype must be either a floating point or complex dtype. Got: {dtype}"
        )
    return sum(input, dim, keepdim=keepdim, dtype=dtype, mask=mask) / _count(input, dim, bool(keepdim), mask)


def median(input: Tensor, dim: int = -1, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """The (lower) median of what the mask lets through; NaN where that is nothing, ValueError if the dtype has no NaN."""
    floating = input.is_floating_point()
    kept = _filled(input if floating else input.to(dtypes.float32), mask, float("nan"))
    result = tensors.nanmedian(kept, _dims(dim, input.ndim)[0], keepdim)[0]
    if floating:
        return result
    if result.isnan().any():
        raise ValueError("masked median expects no fully masked out rows if dtype is not floating point")
    return result.to(dtype or input.dtype)


def logsumexp(input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """log(sum(exp(x))) of what the mask lets through."""
    if mask is not None:
        _refuse("logsumexp", input.dtype, complex=True)
        input = _filled(input, mask, _lowest(input.dtype))
    return tensors.logsumexp(input, _dims(dim, input.ndim), keepdim).to(dtype or input.dtype)


def logaddexp(
    input: Tensor, other: Tensor, *, dtype: Any = None, input_mask: Tensor | None = None, other_mask: Tensor | None = None
) -> Tensor:
    """log(exp(input) + exp(other)), each with its own mask; -inf where neither counts."""
    a, b = _without(input, input_mask, "logaddexp"), _without(other, other_mask, "logaddexp")
    return tensors.logaddexp(a, b).to(dtype or input.dtype)


def norm(
    input: Tensor,
    ord: float | None = 2.0,
    dim: Any = None,
    *,
    keepdim: bool | None = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The `ord`-norm of what the mask lets through."""
    kept = _filled(input, mask, float("inf") if ord == -float("inf") else 0)
    return tensors.vector_norm(kept, 2 if ord is None else ord, _dims(dim, input.ndim), bool(keepdim), dtype=dtype or input.dtype)


def _variance(
    input: Tensor, dim: Any, unbiased: bool | None, correction: float | None, keepdim: bool | None, dtype: Any, mask: Tensor | None
) -> tuple[Tensor, Any]:
    """The variance in the dtype that it is computed in, and the dtype asked for."""
    if unbiased is not None and correction is not None:
        raise AssertionError("Only one of unbiased and correction may be given")
    if correction is None:
        correction = 1.0 if unbiased is None else float(unbiased)
    if dtype is None:
        dtype = input.dtype if input.is_floating_point() or input.is_complex() else dtypes.float32
    computed = dtype if dtype.is_floating_point or dtype.is_complex else dtypes.float32
    count = _count(input, dim, True, mask)
    centred = input - sum(input, dim, keepdim=True, dtype=dtype, mask=mask) / count
    total = sum(centred * centred.conj(), dim, keepdim=keepdim, dtype=computed, mask=mask)
    count = count.reshape(total.shape)
    if correction:
        count = (count.to(computed.to_real() if computed.is_complex else computed) - correction).clamp(min=0)
    return total / count, dtype


def var(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool | None = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The variance of what the mask lets through, divided by their number less `correction` (1); NaN where that is nothing."""
    result, dtype = _variance(input, dim, unbiased, correction, keepdim, dtype, mask)
    return result.to(dtype)


def std(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool | None = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The standard deviation of what the mask lets through: the root of `var`."""
    result, dtype = _variance(input, dim, unbiased, correction, keepdim, dtype, mask)
    return result.to(dtype).sqrt()


def softmax(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """softmax along `dim`, in which masked-out elements have no share; NaN where all are."""
    return tensors.softmax(_without(input, mask, "amax"), _dims(dim, input.ndim)[0], dtype=dtype or input.dtype)


def log_softmax(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """The logarithm of `softmax`."""
    return tensors.log_softmax(_without(input, mask, "amax"), _dims(dim, input.ndim)[0], dtype=dtype or input.dtype)


def softmin(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """softmax of the negative, in which masked-out elements have no share; NaN where all are."""
    kept = _without(input, mask, "amin")
    return tensors.softmax(-kept, _dims(dim, input.ndim)[0], dtype=dtype or input.dtype)


def normalize(input: Tensor, ord: float, dim: int, *, eps: float = 1e-12, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """The input over its `ord`-norm along `dim`, or over `eps` where that is larger; masked-out elements are 0."""
    length = norm(input, ord, dim, keepdim=True, dtype=dtype or input.dtype, mask=mask)
    return _filled(input, mask, 0) / length.clamp(min=eps)
