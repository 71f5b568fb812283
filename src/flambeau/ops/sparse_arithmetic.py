"""Sparse forms that work element by element, sums, and questions about the elements."""

from __future__ import annotations

from typing import Any, Callable

from ..core.layout import broadcast_shapes, normalize_dim
from ..core.sparse import CooArray, add_to_dense, flat_places, merged, refusal
from ..kernels import memory
from ..kernels import sparse as k
from ..tensor import Tensor, wrap
from .definition import operator, tensors
from .sparse import coalesce, empty_coo, from_parts, is_sparse, rows_of_values, sparse_total, stored, sum_over
from .sparse_registry import COMPOSITES, FORMS, IN_PLACE, call, form, moved, new_values, recorded_as

OF_VALUES = (
    "abs asin asinh atan atanh ceil deg2rad erf erfinv expm1 floor frac isinf isnan isneginf isposinf log1p nan_to_num rad2deg relu round "
    "sgn sign signbit sin sinh sqrt square tan tanh trunc"
)


def _of_values(name: str) -> Callable[..., Any]:
    def apply(input: Any, *args: Any) -> Any:
        x = coalesce(input)
        return new_values(x, call(name, stored.function(x), *args))

    return apply


for _name in OF_VALUES.split():
    FORMS[_name] = _of_values(_name)


def _linear(name: str) -> Callable[..., Any]:
    return lambda input, *args: new_values(input, call(name, stored.function(input), *args))


for _name in ("neg", "conj_physical", "conjugated", "clone", "to_dtype", "to_integer", "divided"):
    FORMS[_name] = _linear(_name)


@form("clone")
def clone(input: Any, memory_format: Any = None) -> Any:
    """A copy of the places and the values."""
    if memory_format is not None and memory_format.__class__.__name__ == "memory_format" and "preserve" not in repr(memory_format):
        raise RuntimeError(f"unsupported memory format option {repr(memory_format).rpartition('.')[2].removesuffix('_format').title()}")
    array = input._array
    return moved(input, array.indices.copy(), array.shape, array.coalesced, call("clone", stored.function(input), None))


@form("zero")
def zero(input: Any) -> Any:
    """Nothing stored."""
    array = input._array
    return wrap(empty_coo(array.shape, array.dtype, array.sparse_dim))


@form("pow")
def power(input: Any, exponent: Any) -> Any:
    """A power by a number other than zero."""
    if not is_sparse(input) or isinstance(exponent, Tensor) and exponent._array.ndim:
        raise refusal("pow.Tensor_Tensor" if isinstance(input, Tensor) else "pow.Scalar")
    if (exponent.item() if isinstance(exponent, Tensor) else exponent) == 0:
        raise RuntimeError("pow: cannot raise to zeroth power on sparse tensor; it would make the result tensor dense")
    x = coalesce(input)
    return new_values(x, tensors.pow(stored.function(x), exponent))


def real(input: Any) -> Any:
    """The real parts."""
    return new_values(input, tensors.real(stored.function(input)), False)


def imaginary(input: Any) -> Any:
    """The imaginary parts."""
    return new_values(input, tensors.imag(stored.function(input)), False)


# --- arithmetic --------------------------------------------------------------------------------------------------------


@form("add")
def add(input: Any, other: Any, alpha: Any = 1) -> Any:
    """The sum of two sparse tensors, or of a dense and a sparse one in this order."""
    if not is_sparse(other):
        raise RuntimeError("add(sparse, dense) is not supported. Use add(dense, sparse) instead.")
    a, b = _promoted(input, other)
    if a._array.shape != b._array.shape:
        if not is_sparse(a):
            shape = list(a._array.shape)
            raise RuntimeError(
                f"add: expected 'self' and 'other' to have same size, but self has size {shape} while other has size "
                f"{list(b._array.shape)} (FYI: dense-sparse addition does not currently support broadcasting)"
                if isinstance(a, Tensor)
                else "add(dense, sparse) of a number is not supported"
            )
        raise RuntimeError(f"add: expected sizes of 'self' and 'other' to match, but {list(a._array.shape)} != {list(b._array.shape)}")
    return _sum.function(a, b, alpha)


def _sum_forward(input: Any, other: Any, alpha: Any) -> Any:
    if isinstance(input, CooArray):
        return merged(input, other, alpha)

    return add_to_dense(input.copy(), other, alpha)


def _promoted(a: Any, b: Any) -> tuple[Any, Any]:
    """Two tensors in the dtype they have together; a number as it is."""
    if not isinstance(a, Tensor):
        raise RuntimeError("add(sparse, dense) is not supported. Use add(dense, sparse) instead.")
    to = tensors.result_type(a, b)
    return (a if a.dtype is to else a.to(to)), (b if b.dtype is to else b.to(to))


_sum_forward.__name__ = "sparse_add"
_sum_forward.__annotations__ = {"input": "Array", "other": "Array", "alpha": "Any"}


def _define() -> Any:

    op = operator(node="AddBackward0", out=False)(_sum_forward)
    op.derivative(input=lambda F, grad: grad, other=lambda F, grad, alpha: grad if alpha == 1 else grad * alpha)
    return op


_sum = _define()


@form("round")
def round(input: Any, decimals: Any = 0) -> Any:
    """Rounded to whole numbers."""
    if decimals:
        raise refusal("round.decimals")
    x = coalesce(input)
    return new_values(x, tensors.round(stored.function(x)))


@form("sub")
def subtract(input: Any, other: Any, alpha: Any = 1) -> Any:
    """`input - alpha * other`."""
    return add(input, other, -alpha)


@form("rsub")
def subtract_from(input: Any, other: Any, alpha: Any = 1) -> Any:
    """`other - alpha * input`."""
    return add(other, input, -alpha)


@form("mul")
def multiply(input: Any, other: Any) -> Any:
    """The product, element by element: stored where both are, or where the one that is sparse is."""
    if not is_sparse(input):
        return multiply(other, input)
    if not isinstance(other, Tensor) or not other._array.ndim and not is_sparse(other):
        return new_values(input, tensors.mul(stored.function(input), other))
    if not is_sparse(other):
        return _times_dense(input, other)
    if input._array.shape != other._array.shape:
        raise RuntimeError(
            "sparse_binary_op_intersection_cpu(): expects sparse inputs with equal dimensionality, number of sparse dimensions, and shape "
            "of sparse dimensions"
        )
    a, b = input._array, other._array
    if a.sparse_dim != b.sparse_dim:
        raise NotImplementedError(f"mul(sparse, sparse) with inconsistent sparse dimensions: {a.sparse_dim} vs {b.sparse_dim}")
    if a.coalesced and b.coalesced:
        at, found = k.find(a.keys(), b)
        mine, theirs = wrap(found.nonzero()[0]), wrap(at[found])
        values = tensors.mul(rows_of_values.function(stored.function(input), mine), rows_of_values.function(stored.function(other), theirs))
        return from_parts.function(wrap(a.indices[:, found]), values, a.shape, True)
    if b.coalesced:
        input, other, a, b = other, input, b, a
    at, found = k.find(b.keys(), a.coalesce())
    values = rows_of_values.function(stored.function(coalesce(input)), wrap(memory.asarray(at * found)))
    if not a.nnz:
        values = tensors.zeros_like(stored.function(other))
    mask = wrap(found.reshape(-1, *[1] * (b.values.ndim - 1)))
    return new_values(other, tensors.mul(tensors.mul(values, mask), stored.function(other)), False)


def _times_dense(x: Any, other: Any) -> Any:
    """A sparse tensor times a dense one, which is broadcast."""
    array = x._array
    if broadcast_shapes(array.shape, other._array.shape) != array.shape:
        raise RuntimeError("mul(sparse, dense): the sparse tensor cannot be broadcast")
    wide = other if other._array.shape == array.shape else tensors.expand(other, array.shape)
    if not array.sparse_dim:
        return new_values(x, tensors.mul(stored.function(x), wide))
    flat_places(array.indices, array.shape)
    return new_values(x, tensors.mul(stored.function(x), wide[tuple([wrap(row) for row in array.indices])]))


@form("true_divide")
def divide(input: Any, other: Any) -> Any:
    """A sparse tensor over a number."""
    return _divided(input, other, None)


@form("div_rounded")
def divide_rounded(input: Any, other: Any, rounding_mode: Any) -> Any:
    """The same, rounded."""
    return _divided(input, other, rounding_mode)


@form("floor_divide")
def floor_divide(input: Any, other: Any) -> Any:
    """The same, rounded down."""
    return _divided(input, other, "floor")


def _divided(input: Any, other: Any, mode: Any) -> Any:
    if not is_sparse(input):
        raise refusal("reciprocal")
    if isinstance(other, Tensor) and (other._array.ndim or is_sparse(other)):
        raise RuntimeError(
            f"Sparse division requires a scalar or zero-dim dense tensor divisor (got shape {list(other._array.shape)} for divisor)"
        )
    x = input if mode is None else coalesce(input)
    return new_values(x, tensors.div(stored.function(x), other, rounding_mode=mode))


# --- sums and questions ------------------------------------------------------------------------------------------------


@form("sum")
def sum(input: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    """The sum over all dims, dense, or over some."""
    ndim = input._array.ndim
    if dim is None or isinstance(dim, (list, tuple)) and not dim:
        return sparse_total.function(input, dtype)
    dims = [normalize_dim(d, ndim) for d in ([dim] if isinstance(dim, int) else dim)]
    result = sum_over(coalesce(input), dims, keepdim, dtype)
    return result


@form("any")
def any_of(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """Whether an element is not zero."""
    if dim is not None:
        raise refusal("any.dim")
    return tensors.any(stored.function(coalesce(input)))


def norm(input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None, out: Any = None) -> Any:
    """The norm of all elements."""
    if dim is not None and (not isinstance(dim, (list, tuple)) or len(dim)) or keepdim or dtype is not None or out is not None:
        raise RuntimeError(
            "norm_sparse currently only supports full reductions, so 'dim' must either be empty or contain all dimensions of the input"
        )
    return recorded_as(tensors.vector_norm(stored.function(coalesce(input)), 2.0 if p in ("fro", None) else p), "NormBackward1")


COMPOSITES["torch.norm"] = COMPOSITES["Tensor.norm"] = norm


# --- in place and gradients --------------------------------------------------------------------------------------------


def _fill_in_place(input: Any, value: Any) -> Any:
    raise refusal("fill_.Scalar")


def _multiply_in_place(input: Any, other: Any) -> Any:
    result = multiply(input, other)
    if is_sparse(result) and not is_sparse(other):
        result._array.coalesced = False
    return result


IN_PLACE |= {"fill": _fill_in_place, "mul": _multiply_in_place}
