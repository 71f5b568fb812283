"""Sums, means and other reductions along dimensions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.dtype import OF_NUMPY, SCALAR_NAMES
from ..core.layout import normalize_dim, normalize_dims, row_major
from ..core.return_types import return_type
from ..kernels import hashing, memory
from ..kernels import reduction as k
from ..kernels.elementwise import exact_sqrt, subtract
from ..kernels.halves import Half, bare, seen
from ..kernels.memory import broadcast
from ..tensor import PLAIN, Tensor
from .definition import (
    NAMES,
    Array,
    arrays,
    as_array,
    composite,
    explained_here,
    formula_function,
    handle_overrides,
    ndarray,
    operator,
    tensors,
    write_out,
)
from .making import numpy_dtype
from .modes import modes
from .pointwise import check_subtraction
from .running import refuse

_INT64 = np.dtype(np.int64)
_F32 = np.dtype(np.float32)


def axes_of(dim: Any, ndim: int) -> tuple[int, ...] | None:
    """The axes that `dim` means: None (or empty) for all."""
    if dim is None:
        return None
    if dim.__class__ is int:
        if 0 <= dim < ndim:
            return (dim,)
        if not ndim:
            normalize_dim(dim, ndim)
            return None
        return (normalize_dim(dim, ndim),)
    if not isinstance(dim, (tuple, list)):
        if dim.__class__ is bool:
            raise TypeError("argument 'dim' must be tuple of ints, not bool")
        dim = dim.__index__()
        return (normalize_dim(dim, ndim),) if ndim else None
    if not len(dim):
        return None
    axes = normalize_dims(dim, ndim)
    return axes if ndim else None


def count_of(shape: tuple[int, ...], axes: tuple[int, ...] | None) -> int:
    """How many elements each result is made of."""
    if axes is None:
        return math.prod(shape)
    count = 1
    for a in axes:
        count *= shape[a]
    return count


def expand_reduced(F: Any, grad: Any, shape: tuple[int, ...], dim: Any, keepdim: bool) -> Any:
    """The gradient of a reduction with its reduced dimensions back, broadcast over them."""
    if grad.__class__ is Half:
        return seen(expand_reduced(arrays, bare(grad), shape, dim, keepdim))
    over_arrays = F is arrays
    if over_arrays and grad.__class__ is not ndarray:
        grad = as_array(grad)
    if not keepdim and dim is not None and shape:
        axes = axes_of(dim, len(shape))
        grad = grad.reshape(tuple([1 if axes is None or i in axes else n for i, n in enumerate(shape)]))
    elif over_arrays and dim is None and not keepdim:
        return broadcast(grad, tuple(shape))
    elif not keepdim and shape:
        grad = grad.reshape((1,) * len(shape))
    return broadcast(grad, tuple(shape)) if over_arrays else F.expand(grad, shape)


def _numbered(name: str) -> Any:
    """PyTorch's name of a node: its number tells whether the dimensions were given."""
    whole, along = f"{name}Backward0", f"{name}Backward1"
    return lambda input, dim, keepdim, dtype: whole if dim is None else along


@operator("torch.sum", "Tensor.sum", node=_numbered("Sum"))
def sum(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Array:
    """The sum of all elements, or along `dim` (an int or several); integers and bools sum in int64."""
    if dim is not None:
        dim = axes_of(dim, input.ndim)
    if dtype is not None:
        return row_major(input, k.sum(input, dim, keepdim, numpy_dtype(dtype)))
    total = k.sum(input, dim, keepdim, _INT64 if input.dtype.kind in "iub" else None)
    return total if input.flags.c_contiguous else row_major(input, total)


sum.derivative(input=lambda F, grad, input_shape, dim, keepdim: expand_reduced(F, grad, input_shape, dim, keepdim))
sum.native(lambda input: input, "sum")


@operator("torch.mean", "Tensor.mean", node=_numbered("Mean"))
def mean(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Array:
    """The mean of all elements, or along `dim`. Raises RuntimeError for integers unless `dtype` is a floating one."""
    if dtype is not None:
        input = input.astype(numpy_dtype(dtype), copy=False)
    if input.dtype.kind in "iub":
        which = "Input" if dtype is None else "Optional"
        name = SCALAR_NAMES[OF_NUMPY[input.dtype]]
        raise RuntimeError(
            f"mean(): could not infer output dtype. {which} dtype must be either a floating point or complex dtype. Got: {name}"
        )
    if dim is None:
        return k.mean(input, None, keepdim, input.size)
    axes = axes_of(dim, input.ndim)
    return row_major(input, k.mean(input, axes, keepdim, count_of(input.shape, axes)))


def _mean_derivative(F: Any, grad: Any, input_shape: Any, dim: Any, keepdim: bool) -> Any:
    count = count_of(input_shape, axes_of(dim, len(input_shape)))
    return expand_reduced(F, grad / count if count else grad, input_shape, dim, keepdim)


mean.derivative(input=_mean_derivative)
mean.native(lambda input: input, "mean")


# --- extremes ----------------------------------------------------------------------------------------------------


def _shared_among_equals(F: Any, grad: Any, x: Any, result: Any, dim: Any, keepdim: bool, nan: bool = False) -> Any:
    """The gradient of an extreme of several equal elements: divided evenly among them."""
    grad, result = expand_reduced(F, grad, x.shape, dim, keepdim), expand_reduced(F, result, x.shape, dim, keepdim)
    hits = (x == result) | ((x != x) & (result != result)) if nan else x == result
    axes = axes_of(dim, len(x.shape))
    counts = F.sum(hits, axes if axes is None else tuple(axes), True)
    return grad * hits / counts


def numpy_names(dim: Any, axis: Any, keepdim: Any, keepdims: Any) -> tuple[Any, Any]:
    """`dim` and `keepdim`, which may be called `axis` and `keepdims`."""
    return (dim if axis is None else axis), (keepdim if keepdims is None else keepdims)


def _require_elements(name: str, input: Array, axes: tuple[int, ...] | None) -> None:
    """Raises IndexError or RuntimeError where a reduction without identity has nothing to reduce."""
    if input.size == 0:
        if axes is None:
            raise RuntimeError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim "
                "with the 'dim' argument."
            )
        for a in axes:
            if input.shape[a] == 0:
                raise IndexError(f"{name}(): Expected reduction dim {a} to have non-zero size.")


def _extreme(name: str, kernel: Any, arg: Any) -> None:
    word = "largest" if name == "max" else "smallest"
    result_type = return_type(name, "values", "indices")

    def whole(input: Array) -> Array:
        _require_elements(name, input, None)
        if input.dtype is not _F32 and input.dtype.kind == "c":
            refuse(input, f"{name}_all")
        return kernel(input)

    whole.__name__, whole.__doc__ = f"{name}_all", f"The {word} element."
    whole.__annotations__ = {"input": "Array"}
    whole_op = operator(node=f"{name.capitalize()}Backward1")(whole)
    whole_op.derivative(input=lambda F, grad, input, result: _shared_among_equals(F, grad, input, result, None, False, True))

    def along(input: Array, dim: Any, keepdim: Any = False) -> Array:
        axis = normalize_dim(dim, input.ndim)
        if not input.ndim:
            return input.copy(), memory.no_index(input)
        _require_elements(name, input, (axis,))
        if input.dtype.kind == "c":
            raise RuntimeError(f"{name}(): does not support complex input")
        return row_major(input, as_array(kernel(input, axis, keepdim))), row_major(input, as_array(arg(input, axis, keepdim)))

    along.__name__, along.__doc__ = f"{name}_dim", f"The {word} element along a dimension, and its index."
    along.__annotations__ = {"input": "Array"}
    along_op = operator(node=f"{name.capitalize()}Backward0", outputs=2, result_type=result_type)(along)
    along_op.joint("input")(
        lambda F, grads, result1, input_shape, dim, keepdim: (F.value_selecting_backward(grads[0], result1, input_shape, dim, keepdim),)
    )

    reduce_all, reduce_along = whole_op.function, along_op.function

    def call(
        input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None, out: Any = None, axis: Any = None, keepdims: Any = None
    ) -> Any:
        try:
            if axis is not None or keepdims is not None:
                dim, keepdim = numpy_names(dim, axis, keepdim, keepdims)
            if modes.active or type(input) not in PLAIN:
                result = handle_overrides(call, (input, dim, keepdim), {"other": other, "out": out})
                if result is not NotImplemented:
                    return result
                if not isinstance(input, Tensor):
                    raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
            if dim is None and other is None:
                result = reduce_all(input)
            elif other is not None or isinstance(dim, Tensor):
                return getattr(tensors, f"{name}imum")(input, dim if other is None else other, **({} if out is None else {"out": out}))
            else:
                result = reduce_along(input, dim, keepdim)
            return result if out is None else write_out(result, out, name)
        except Exception as error:
            raise explained_here(error, f"Tensor.{name}", f"torch.{name}")

    call.__name__ = name
    call.__doc__ = (
        f"The {word} element; with `dim`, a named tuple of the {word} elements along it and their indices; "
        "with `other`, element by element."
    )
    composite(f"torch.{name}", f"Tensor.{name}", hot=True)(call)

    def amount(input: Array, dim: Any = (), keepdim: Any = False) -> Array:
        axes = axes_of(dim, input.ndim)
        if input.size == 0:
            _require_elements(f"a{name}", input, axes)
        if input.dtype is not _F32 and input.dtype.kind == "c":
            refuse(input, f"{name}_values_cpu")
        return row_major(input, kernel(input, axes, keepdim))

    amount.__name__, amount.__doc__ = f"a{name}", f"The {word} element along one or several dimensions; equal ones share the gradient."
    amount.__annotations__ = {"input": "Array"}
    operator(f"torch.a{name}", f"Tensor.a{name}")(amount).derivative(
        input=lambda F, grad, input, result, dim, keepdim: _shared_among_equals(F, grad, input, result, dim, keepdim)
    )

    def position(input: Array, dim: Any = None, keepdim: Any = False) -> Array:
        if input.size == 0 and (dim is None or input.shape[normalize_dim(dim, input.ndim)] == 0):
            what = "to be specified for input.numel() == 0." if dim is None else f"{normalize_dim(dim, input.ndim)} to have non-zero size."
            raise IndexError(f"arg{name}(): Expected reduction dim {what}")
        if input.dtype.kind in "bc":
            raise RuntimeError(f"arg{name}(): does not support {'bool' if input.dtype.kind == 'b' else 'complex'} input")
        if dim is None:
            index = arg(input, None)
            return index.reshape((1,) * input.ndim) if keepdim else index
        axis = normalize_dim(dim, input.ndim)
        return arg(input, axis, keepdim) if input.ndim else memory.no_index(input)

    position.__name__, position.__doc__ = f"arg{name}", f"The index of the first {word} element, of all or along `dim`."
    position.__annotations__ = {"input": "Array"}
    operator(f"torch.arg{name}", f"Tensor.arg{name}", differentiable=False)(position)


_extreme("max", k.maximum, k.argmax)
_extreme("min", k.minimum, k.argmin)


def _select_backward_arrays(grad: Any, indices: Any, shape: Any, dim: Any, keepdim: bool) -> Any:
    if not shape:
        return grad
    axis = normalize_dim(dim, len(shape))
    if not keepdim:
        grad, indices = np.expand_dims(grad, axis), np.expand_dims(indices, axis)
    return k.place_along(grad, indices, shape, axis)


def _select_backward_tensors(grad: Any, indices: Any, shape: Any, dim: Any, keepdim: bool) -> Any:
    if not len(shape):
        return grad
    if not keepdim:
        grad, indices = grad.unsqueeze(dim), indices.unsqueeze(dim)
    return grad.new_zeros(shape).scatter(dim, indices, grad)


formula_function("value_selecting_backward", _select_backward_arrays, _select_backward_tensors)


@operator("torch.aminmax", "Tensor.aminmax", outputs=2, result_type=return_type("aminmax", "min", "max"))
def aminmax(input: Array, *, dim: Any = None, keepdim: bool = False) -> Array:
    """The smallest and the largest element, of all or along `dim`."""
    axes = None if dim is None else axes_of(dim, input.ndim)
    if input.size == 0:
        if axes is None:
            raise RuntimeError("aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity.")
        if input.shape[axes[0]] == 0:
            raise IndexError(f"aminmax: Expected reduction dim {axes[0]} to have non-zero size.")
    if input.dtype is not _F32 and input.dtype.kind == "c":
        refuse(input, "aminmax_cpu")
    return row_major(input, as_array(k.minimum(input, axes, keepdim))), row_major(input, as_array(k.maximum(input, axes, keepdim)))


@aminmax.joint("input")
def _aminmax_gradient(F: Any, grads: Any, input: Any, result0: Any, result1: Any, dim: Any, keepdim: bool) -> Any:
    parts = [_shared_among_equals(F, g, input, r, dim, keepdim) for g, r in zip(grads, (result0, result1)) if g is not None]
    return (parts[0] if len(parts) == 1 else parts[0] + parts[1],)


# --- truth -------------------------------------------------------------------------------------------------------


def _truth(input: Array, result: Any) -> Any:
    """PyTorch answers uint8 for uint8 and bool for everything else."""
    return memory.asarray(result, np.uint8) if input.dtype == np.uint8 else result


@operator("torch.any", "Tensor.any", differentiable=False)
def any(input: Array, dim: Any = None, keepdim: Any = False) -> Array:
    """Whether any element is true (not zero), of all or along `dim`. No dimension (`()`): each by itself."""
    if (dim.__class__ is tuple or dim.__class__ is list) and not dim:
        input, dim, keepdim = input[..., None], -1, False
    return row_major(input, _truth(input, k.any_true(input, axes_of(dim, input.ndim), keepdim)))


@operator("torch.all", "Tensor.all", differentiable=False)
def all(input: Array, dim: Any = None, keepdim: Any = False) -> Array:
    """Whether every element is true (not zero), of all or along `dim`. No dimension (`()`): each by itself."""
    if (dim.__class__ is tuple or dim.__class__ is list) and not dim:
        input, dim, keepdim = input[..., None], -1, False
    return row_major(input, _truth(input, k.all_true(input, axes_of(dim, input.ndim), keepdim)))


@operator("torch.count_nonzero", "Tensor.count_nonzero", differentiable=False, out=False)
def count_nonzero(input: Array, dim: Any = None) -> Array:
    """How many elements are not zero, of all or along `dim`."""
    return row_major(input, k.count_nonzero(input, axes_of(dim, input.ndim)))


# --- products, variances, norms ----------------------------------------------------------------------------------


@operator("torch.prod", "Tensor.prod", node=_numbered("Prod"))
def prod(input: Array, dim: Any = None, keepdim: Any = False, *, dtype: Any = None) -> Array:
    """The product of all elements, or along `dim`; integers and bools multiply in int64."""
    target = numpy_dtype(dtype) if dtype is not None else _INT64 if input.dtype.kind in "iub" else None
    return row_major(input, k.prod(input, axes_of(dim, input.ndim), keepdim, target))


def _prod_derivative(F: Any, grad: Any, input: Any, dim: Any, keepdim: bool) -> Any:
    """The product of all the others: of those before times those behind, so that zeros do no harm."""
    if not len(input.shape):
        return grad
    if dim is None:
        return _prod_derivative(F, grad, input.reshape(-1), 0, False).reshape(input.shape)
    axis = normalize_dim(dim, len(input.shape))
    grad = expand_reduced(F, grad, input.shape, dim, keepdim)
    return grad * F.conj(F.product_of_others(input, axis))


prod.derivative(input=_prod_derivative)


def _others_tensors(x: Any, axis: int) -> Any:
    n = x.shape[axis]
    one = tensors.ones_like(x.narrow(axis, 0, min(n, 1)))
    if n == 0:
        return x
    before = tensors.cumprod(tensors.cat([one, x.narrow(axis, 0, n - 1)], axis), axis)
    behind = tensors.cumprod(tensors.cat([one, x.flip([axis]).narrow(axis, 0, n - 1)], axis), axis).flip([axis])
    return before * behind


formula_function("product_of_others", k.product_of_others, _others_tensors)


def _correction(unbiased: Any, correction: Any) -> float:
    if unbiased is not None:
        return 1 if unbiased else 0
    if isinstance(correction, Tensor):
        return correction.item()
    return 1 if correction is None else correction


def _var_mean_arrays(input: Array, dim: Any, correction: float, keepdim: bool, name: str) -> tuple[Any, Any]:
    """The variance, or its root where `name` is that of a standard deviation, and the mean."""
    low = input.dtype
    if low.kind in "iub":
        raise RuntimeError("std and var only support floating point and complex dtypes")
    axes = axes_of(dim, input.ndim)
    count = count_of(input.shape, axes)
    if count - correction <= 0 or not input.size:
        import warnings

        warnings.warn(
            f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the reduction factor (input numel divided by "
            "output numel).",
            stacklevel=3,
        )
    found = k.spread(input, axes, keepdim, count, correction, name[0] == "s")
    if found is not None:
        return found
    variance, mean_ = k.var(input, axes, keepdim, count, correction)
    if name[0] == "s":
        variance = exact_sqrt(variance)
    real = OF_NUMPY[low].to_real().numpy
    return row_major(input, variance.astype(real, copy=False)), row_major(input, mean_.astype(low, copy=False))


@operator(node="VarBackward0", out=False)
def var_op(input: Array, dim: Any, correction: Any, keepdim: Any) -> Array:
    """The variance along `dim`."""
    return _var_mean_arrays(input, dim, correction, keepdim, "var")[0]


def _centred(F: Any, input: Any, dim: Any) -> Any:
    return input - F.mean(input, axes_of(dim, len(input.shape)), True)


def _var_derivative(F: Any, grad: Any, input: Any, dim: Any, correction: Any, keepdim: bool) -> Any:
    count = count_of(tuple(input.shape), axes_of(dim, len(input.shape)))
    scale = 2.0 / (count - correction) if count != correction else float("nan") if count else 0.0
    return expand_reduced(F, grad * scale, tuple(input.shape), dim, keepdim) * _centred(F, input, dim)


var_op.derivative(input=_var_derivative)


@operator(node="StdBackward0", out=False)
def std_op(input: Array, dim: Any, correction: Any, keepdim: Any) -> Array:
    """The standard deviation along `dim`."""
    return _var_mean_arrays(input, dim, correction, keepdim, "std")[0]


def _std_derivative(F: Any, grad: Any, input: Any, result: Any, dim: Any, correction: Any, keepdim: bool) -> Any:
    scaled = F.masked_fill_zero(grad / (result * 2), result)
    return _var_derivative(F, scaled, input, dim, correction, keepdim)


formula_function(
    "masked_fill_zero",
    lambda x, result: k.zero_where(result == 0, x),
    lambda x, result: tensors.where(result == 0, tensors.zeros_like(x), x),
)
std_op.derivative(input=_std_derivative)


def _with_mean(name: str, derivative: Any) -> Any:
    """The operator that gives a spread and the mean."""

    def forward(input: Array, dim: Any, correction: Any, keepdim: Any) -> Array:
        spread, average = _var_mean_arrays(input, dim, correction, keepdim, f"{name}_mean")
        return as_array(spread), as_array(average)

    forward.__name__, forward.__doc__ = f"{name}_mean_op", f"`{name}` and the mean."
    op = operator(node=f"{name.capitalize()}MeanBackward0", outputs=2, out=False)(forward)

    def gradient(F: Any, grads: Any, input: Any, result0: Any, dim: Any, correction: Any, keepdim: Any) -> Any:
        parts = []
        if grads[0] is not None:
            parts.append(derivative(F, grads[0], input, result0, dim, correction, keepdim))
        if grads[1] is not None:
            parts.append(_mean_derivative(F, grads[1], tuple(input.shape), dim, keepdim))
        return (parts[0] if len(parts) == 1 else parts[0] + parts[1],)

    op.joint("input")(gradient)
    return op


def _spread(name: str, op: Any, both: Any) -> None:
    def call(
        input: Any,
        dim: Any = None,
        unbiased: Any = None,
        keepdim: bool = False,
        *,
        correction: Any = None,
        out: Any = None,
        axis: Any = None,
        keepdims: Any = None,
    ) -> Any:
        try:
            if axis is not None or keepdims is not None:
                dim, keepdim = numpy_names(dim, axis, keepdim, keepdims)
            if isinstance(dim, bool):  # var(input, unbiased)
                dim, unbiased = None, dim
            if keepdim is not False and keepdim is not True or unbiased is not None and unbiased.__class__ is not bool:
                raise TypeError(f"{name}(): arguments 'unbiased' and 'keepdim' must be bool")
            result = op.function(input, dim, _correction(unbiased, correction), keepdim)
            return result if out is None else write_out(result, out, name)
        except Exception as error:
            raise explained_here(error, f"Tensor.{name}", f"torch.{name}")

    call.__name__ = name
    call.__doc__ = (
        f"The {'variance' if name == 'var' else 'standard deviation'}, of all elements or along `dim`, divided by count - correction."
    )
    composite(f"torch.{name}", f"Tensor.{name}", hot=True)(call)

    def with_mean(
        input: Any,
        dim: Any = None,
        unbiased: Any = None,
        keepdim: bool = False,
        *,
        correction: Any = None,
        out: Any = None,
        axis: Any = None,
        keepdims: Any = None,
    ) -> Any:
        try:
            if axis is not None or keepdims is not None:
                dim, keepdim = numpy_names(dim, axis, keepdim, keepdims)
            if isinstance(dim, bool):
                dim, unbiased = None, dim
            if keepdim is not False and keepdim is not True or unbiased is not None and unbiased.__class__ is not bool or out is not None:
                raise TypeError(f"{name}_mean(): arguments 'unbiased' and 'keepdim' must be bool, and there is no 'out'")
            return both.function(input, dim, _correction(unbiased, correction), keepdim)
        except Exception as error:
            raise explained_here(error, f"torch.{name}_mean")

    with_mean.__name__ = f"{name}_mean"
    with_mean.__doc__ = f"`{name}` and the mean."
    composite(f"torch.{name}_mean", hot=True)(with_mean)


_spread(
    "var",
    var_op,
    _with_mean("var", lambda F, grad, input, result, dim, correction, keepdim: _var_derivative(F, grad, input, dim, correction, keepdim)),
)
_spread("std", std_op, _with_mean("std", _std_derivative))


@operator("torch.logsumexp", "Tensor.logsumexp", "special.logsumexp", promote="float")
def logsumexp(input: Array, dim: Any, keepdim: Any = False) -> Array:
    """log(sum(exp(input))) along one or several dimensions, without overflow."""
    return row_major(input, k.logsumexp(input, axes_of(dim, input.ndim), keepdim))


logsumexp.derivative(
    input=lambda F, grad, input, result, dim, keepdim: (
        expand_reduced(F, grad, tuple(input.shape), dim, keepdim)
        * F.exp(input - expand_reduced(F, result, tuple(input.shape), dim, keepdim))
    )
)


@operator("linalg.vector_norm", node="LinalgVectorNormBackward0")
def vector_norm(input: Array, ord: Any = 2, dim: Any = None, keepdim: Any = False, *, dtype: Any = None) -> Array:
    """The `ord`-norm of the elements along `dim`, or of all."""
    if dtype is not None:
        target = numpy_dtype(dtype)
        if target.kind == "c" and input.dtype.kind != "c":
            raise RuntimeError(f"linalg.vector_norm: dtype should be real for real inputs, but got {SCALAR_NAMES[OF_NUMPY[target]]}")
        input = input.astype(target, copy=False)
    if input.dtype.kind in "iub":
        raise RuntimeError(
            f"linalg.vector_norm: Expected a floating point or complex tensor as input. Got {SCALAR_NAMES[OF_NUMPY[input.dtype]]}"
        )
    axes = axes_of(dim, input.ndim)
    return row_major(input, k.norm(input, float(ord), axes, keepdim))


def _norm_derivative(F: Any, grad: Any, input: Any, result: Any, ord: Any, dim: Any, keepdim: bool) -> Any:
    p, shape = float(ord), tuple(input.shape)
    if p == 2:
        full = expand_reduced(F, F.where(result == 0.0, math.inf, result), shape, dim, keepdim)  # of nothing but zeros, zeros
        return input / full * expand_reduced(F, grad, shape, dim, keepdim)
    grad, full = expand_reduced(F, grad, shape, dim, keepdim), expand_reduced(F, result, shape, dim, keepdim)
    if p == 0:
        return None
    if p == 1:
        return grad * F.sgn(input)
    if p in (float("inf"), float("-inf")):
        hits = F.abs(input) == full
        counts = F.sum(hits, axes_of(dim, len(shape)), True)
        return F.sgn(input) * hits * (grad / counts)
    magnitude = F.abs(input)
    if p < 1:
        scaled = F.sgn(input) * F.masked_fill_zero(magnitude ** (p - 1), magnitude)
    elif p < 2:
        scaled = F.sgn(input) * magnitude ** (p - 1)
    else:
        scaled = input * magnitude ** (p - 2)
    return scaled * F.masked_fill_zero(grad / full ** (p - 1), full)


vector_norm.derivative(input=_norm_derivative)


@composite("torch.norm", "Tensor.norm")
def norm(input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, out: Any = None, dtype: Any = None) -> Any:
    """The p-norm of the elements, of all or along `dim`; `"fro"` and None are the 2-norm, `"nuc"` the nuclear norm."""
    if not isinstance(input, Tensor):
        from .arguments import type_name

        raise AttributeError(f"'{type_name(input)}' object has no attribute 'layout'")
    if p == "nuc":
        result = NAMES["linalg"]["matrix_norm"](input, "nuc", (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    elif p.__class__ is str and p != "fro":
        raise RuntimeError(f"linalg.matrix_norm: Order {p} not supported.")
    else:
        order = 2.0 if p in ("fro", None) else p
        try:
            result = vector_norm.function(input, order, dim, keepdim, dtype=dtype)
        except (AttributeError, TypeError) as error:
            from .arguments import instead, refusal

            raise instead(refusal("linalg", "vector_norm", (input, order, dim), {}), error)
    return result if out is None else write_out(result, out)


@operator("torch.nansum", "Tensor.nansum")
def nansum(input: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Array:
    """The sum with NaN taken as zero. Raises RuntimeError for complex numbers."""
    if input.dtype.kind == "c":
        raise RuntimeError("nansum does not support complex inputs")
    target = numpy_dtype(dtype) if dtype is not None else _INT64 if input.dtype.kind in "iub" else input.dtype
    if target.kind == "c":
        refuse(memory.empty((), target), "nansum_cpu")
    return row_major(input, k.nansum(input, axes_of(dim, input.ndim), keepdim, target))


nansum.derivative(input=lambda F, grad, input, dim, keepdim: expand_reduced(F, grad, tuple(input.shape), dim, keepdim) * (input == input))


@operator("torch.hash_tensor", "Tensor.hash_tensor", differentiable=False)
def hash_tensor(input: Array, dim: Any = None, *, keepdim: bool = False, mode: int = 0) -> Array:
    """A hash of all elements, or along `dim`, in uint64: the exclusive or of their bits as float64 or int64.

    Raises RuntimeError for another `mode` than 0 and for an empty tensor without `dim`, NotImplementedError for complex numbers
    and unsigned ones of more than 8 bits.
    """
    if mode != 0:
        raise RuntimeError(f"Unknown hash_tensor mode: {mode}")
    axes = axes_of(dim, input.ndim)
    if not input.size and axes is None:
        raise RuntimeError(
            "hash_tensor: Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' argument."
        )
    for axis in axes or ():
        if not input.shape[axis]:
            raise IndexError(f"hash_tensor: Expected reduction dim {axis} to have non-zero size.")
    if input.dtype.kind == "c" or input.dtype.kind == "u" and input.dtype.itemsize > 1:
        raise NotImplementedError(f"\"xor_sum_cpu\" not implemented for '{SCALAR_NAMES[OF_NUMPY[input.dtype]]}'")
    return hashing.xor_sum(input, axes, keepdim)


@composite("torch.nanmean", "Tensor.nanmean")
def nanmean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Any = None) -> Any:
    """The mean of what is not NaN."""
    if input.dtype.kind < 2:
        raise RuntimeError(f"nanmean(): expected input to have floating point or complex dtype but got {SCALAR_NAMES[input.dtype]}")
    count = sum.function(tensors.logical_not(tensors.isnan(input)), dim, keepdim)
    result = nansum.function(input, dim, keepdim, dtype=dtype) / count
    return result if out is None else write_out(result, out)


@operator("torch.dist", "Tensor.dist", promote="arithmetic", out=False, check=check_subtraction)
def dist(input: Array, other: Array, p: Any = 2) -> Array:
    """The p-norm of `input - other`."""
    if input.dtype.kind == "b":
        check_subtraction(input, other)
    return k.norm(subtract(input, other), float(p), None, False)


dist.derivative(
    input=lambda F, grad, input, other, result, p: _norm_derivative(F, grad, input - other, result, p, None, False),
    other=lambda F, grad, input, other, result, p: _norm_derivative(F, -grad, input - other, result, p, None, False),
)


@composite("torch.frobenius_norm")
def frobenius_norm(input: Any, dim: Any = (), keepdim: bool = False, *, out: Any = None) -> Any:
    """The 2-norm of the elements along `dim`."""
    result = vector_norm.function(input, 2.0, dim, keepdim)
    return result if out is None else write_out(result, out)


@operator("torch.renorm", "Tensor.renorm", "Tensor.renorm_")
def renorm(input: Array, p: Any, dim: Any, maxnorm: Any) -> Array:
    """Each slice along `dim` whose p-norm exceeds `maxnorm`, scaled down to it; the others as they are."""
    _check_renorm(input, p, maxnorm)
    return row_major(input, k.renorm(input, float(p), normalize_dim(dim, input.ndim), float(maxnorm)))


def _check_renorm(input: Array, p: float, maxnorm: float) -> None:
    if p <= 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {float(maxnorm):g}")
    if input.ndim < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {input.ndim} dimensions")


def _renorm_derivative(F: Any, grad: Any, input: Any, p: Any, dim: Any, maxnorm: Any) -> Any:
    """With n the norm of a slice: grad * (maxnorm / n) + the slice's share in how n moves, where n exceeds maxnorm."""
    axes = tuple(i for i in range(len(input.shape)) if i != normalize_dim(dim, len(input.shape)))
    norms = F.vector_norm(input, p, axes, True)
    along = F.sum(grad * F.conj(input), axes, True)
    factor = maxnorm / (norms + 1e-7)
    through = _norm_derivative(F, along, input, norms, p, axes, True)
    return F.where(norms > maxnorm, factor * grad - through * (factor / (norms + 1e-7)), grad)


renorm.derivative(input=_renorm_derivative)
