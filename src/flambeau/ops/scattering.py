"""Reading and writing at index tensors and masks by name: gather, scatter, index_add, masked_fill, take, nonzero, ..."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.grad_mode import grad_mode
from ..autograd.version import shared_version
from ..core.dtype import OF_NUMPY, SCALAR_NAMES
from ..core.layout import normalize_dim
from ..kernels import memory
from ..kernels import scattering as k
from ..tensor import PLAIN, Tensor, wrap
from .definition import (
    NUMBERS,
    Array,
    Number,
    apply_in_place,
    attach,
    composite,
    explained_here,
    formula_function,
    handle_overrides,
    operator,
    tensors,
    write_out,
)
from .indexing import number_array
from .indexing import put as put_at
from .modes import modes

INT64 = np.int64


def scalar_name(array: Array) -> str:
    return SCALAR_NAMES[OF_NUMPY[array.dtype]]


def is_index(array: Array) -> bool:
    """Whether the dtype is int32 or int64."""
    return array.dtype.kind == "i" and array.itemsize >= 4


def start(input: Array, out: Any, ordered: bool = False) -> Array:
    """The array to write into: a row-major copy of the input (in its own order if `ordered`), or where the result belongs."""
    if out is None:
        return memory.array(input, order="K" if ordered else "C")  # also of the scalars that formulas may bring
    if out is not input:
        out[...] = input
    return out


# --- gather and scatter --------------------------------------------------------------------------------------------


@operator("torch.gather", "Tensor.gather")
def gather(input: Array, dim: int, index: Array, *, sparse_grad: bool = False, into: Any = None) -> Array:
    """`result[i][j] = input[index[i][j]][j]` for dim 0, and likewise for others: as large as `index`."""
    if index.size and not is_index(index):
        raise RuntimeError("gather(): Expected dtype int32/int64 for index")
    d = normalize_dim(dim, input.ndim)
    if max(input.ndim, 1) != max(index.ndim, 1) and index.size:
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    for i, (n, m) in enumerate(zip(index.shape, input.shape)):
        if i != d and n > m and index.size:
            raise RuntimeError(
                f"Size does not match at dimension {i} expected index {list(index.shape)} to be no larger than self {list(input.shape)} "
                f"apart from dimension {d}"
            )
    return k.gather(input, d, index, into)


gather.derivative(input=lambda F, grad, input_shape, dim, index: F.scatter_add(F.zeros(input_shape, dtype_of(grad)), dim, index, grad))


def dtype_of(grad: Any) -> Any:
    """The NumPy dtype of a gradient in either form."""
    return getattr(grad, "_array", grad).dtype


def _check_scatter(name: str, input: Array, dim: int, index: Array, src: Any = None) -> int:
    if index.size and not is_index(index):
        raise RuntimeError(f"{name}(): Expected dtype int32/int64 for index")
    d = normalize_dim(dim, input.ndim)
    shape, own = index.shape, input.shape
    if len(shape) == len(own) and shape[:d] == own[:d] and shape[d + 1 :] == own[d + 1 :]:
        if src is None or src.shape == shape and src.dtype is input.dtype:
            return d
    if src is not None and src.dtype != input.dtype:
        raise RuntimeError(f"{name}(): Expected self.dtype to be equal to src.dtype")
    if not index.size:
        return d
    if max(input.ndim, 1) != max(index.ndim, 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as self tensor")
    if src is not None and max(src.ndim, 1) != max(index.ndim, 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as src tensor")
    too_large = any(n > m for i, (n, m) in enumerate(zip(index.shape, input.shape)) if i != d)
    if src is None:
        if too_large:
            raise RuntimeError(f"Expected index {list(index.shape)} to be no larger than self {list(input.shape)} apart from dimension {d}")
    elif too_large or any(n > m for n, m in zip(index.shape, src.shape)):
        raise RuntimeError(
            f"Expected index {list(index.shape)} to be no larger than self {list(input.shape)} apart from dimension {d} and to be no "
            f"larger size than src {list(src.shape)}"
        )
    return d


@operator(node="ScatterBackward0", out=False)
def scatter_src(input: Array, dim: int, index: Array, src: Array, out: Any = None) -> Array:
    """`result[index[i][j]][j] = src[i][j]` for dim 0, and likewise for others."""
    d = _check_scatter("scatter", input, dim, index, src)
    result = start(input, out)
    k.scatter(result, d, index, src)
    return result


scatter_src.derivative(
    input=lambda F, grad, dim, index: F.scatter_value(grad, dim, index, 0),
    src=lambda F, grad, dim, index, src_shape: F.fitted_gather(grad, dim, index, src_shape),
)


@operator(node="ScatterBackward1", out=False)
def scatter_value(input: Array, dim: int, index: Array, value: Any, out: Any = None) -> Array:
    """One number written where the index points."""
    d = _check_scatter("scatter", input, dim, index)
    number = number_array(value, input.dtype)
    result = start(input, out)
    k.scatter(result, d, index, number)
    return result


scatter_value.derivative(input=lambda F, grad, dim, index: F.scatter_value(grad, dim, index, 0))


@operator()
def fitted_gather(input: Array, dim: int, index: Array, shape: Any) -> Array:
    """`gather`, in the lower corner of zeros of another shape: the gradient of a source larger than its index."""
    found = gather.forward(input, dim, index)
    if found.shape == shape:
        return found
    result = memory.zeros(shape, found.dtype)
    if not shape:
        return found.reshape(())
    result[tuple([slice(n) for n in found.shape])] = found
    return result


def _gathered_back(F: Any, grad: Any, dim: int, index: Any, input_shape: Any) -> Any:
    return F.scatter_add(F.zeros(input_shape, dtype_of(grad)), dim, index, grad)


fitted_gather.derivative(input=lambda F, grad, dim, index, input_shape: _gathered_back(F, grad, dim, index, input_shape))


@operator(node="ScatterBackward2", out=False)
def scatter_reduced(input: Array, dim: int, index: Array, src: Array | Number, reduce: str, out: Any = None) -> Array:
    """Numbers added to, or multiplied into, where the index points."""
    is_array = hasattr(src, "dtype")
    d = _check_scatter("scatter", input, dim, index, src if is_array else None)
    if reduce not in ("add", "multiply"):
        raise RuntimeError("reduce argument must be either add or multiply.")
    result = start(input, out)
    k.scatter_with(result, d, index, src if is_array else number_array(src, input.dtype), "sum" if reduce == "add" else "prod")
    return result


def _scatter(dim: Any, index: Any, src: Any, value: Any, reduce: Any, call: Any) -> Any:
    if src is None and value is None:
        raise TypeError('scatter() missing 1 required positional arguments: "src"')
    source = value if src is None else src
    if reduce is not None:
        if reduce not in ("add", "multiply"):
            raise RuntimeError("reduce argument must be either add or multiply.")
        return call(scatter_reduced, (dim, index, source, reduce))
    if isinstance(source, Tensor):
        return call(scatter_src, (dim, index, source))
    return call(scatter_value, (dim, index, source))


@composite("torch.scatter", "Tensor.scatter")
def scatter(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None, out: Any = None
) -> Tensor:
    """A copy in which `result[index[i][j]][j] = src[i][j]` (for dim 0, and likewise for others); `src` may be a number.

    `reduce`: `add` or `multiply` combine with what is there. Raises RuntimeError where shapes do not fit or an index is out of range.
    """
    result = _scatter(dim, index, src, value, reduce, lambda op, args: op.function(input, *args))
    return result if out is None else write_out(result, out)


@composite("Tensor.scatter_", hot=True)
def scatter_(self: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None) -> Tensor:
    """`scatter` into the tensor itself."""
    try:
        if modes.active or type(self) not in PLAIN or type(index) not in PLAIN or (src.__class__ not in NUMBERS and type(src) not in PLAIN):
            kwargs = {name: given for name, given in (("value", value), ("reduce", reduce)) if given is not None}
            result = handle_overrides(scatter_, (self, dim, index) if src is None else (self, dim, index, src), kwargs)
            if result is not NotImplemented:
                return result
        array = self._array
        if (
            reduce is None
            and not (grad_mode.enabled and (self.requires_grad or isinstance(src, Tensor) and src.requires_grad))
            and 0 not in array.strides
        ):
            if src is None:
                src = value
            if isinstance(src, Tensor):
                scatter_src.forward(array, dim, index._array, src._array, array)
            elif src is not None:
                scatter_value.forward(array, dim, index._array, src, array)
            if src is not None:
                shared_version(self)[0] += 1
                return self
        return _scatter(dim, index, src, value, reduce, lambda op, args: apply_in_place(op, self, args, "scatter_"))
    except Exception as error:
        raise explained_here(error, "Tensor.scatter_")


@operator("torch.scatter_add", "Tensor.scatter_add", "Tensor.scatter_add_")
def scatter_add(input: Array, dim: int, index: Array, src: Array, out: Any = None) -> Array:
    """A copy in which `src[i][j]` is added to `result[index[i][j]][j]` (for dim 0, and likewise for others)."""
    d = _check_scatter("scatter", input, dim, index, src)
    result = start(input, out)
    k.scatter_with(result, d, index, src, "sum")
    return result


scatter_add.derivative(input=lambda F, grad: grad, src=lambda F, grad, dim, index, src_shape: F.fitted_gather(grad, dim, index, src_shape))

_REDUCTIONS = ("sum", "prod", "mean", "amax", "amin")


@operator("torch.scatter_reduce", "Tensor.scatter_reduce", "Tensor.scatter_reduce_")
def scatter_reduce(input: Array, dim: int, index: Array, src: Array, reduce: str, *, include_self: bool = True) -> Array:
    """A copy in which all that `src` has for a place is reduced to one number: `sum`, `prod`, `mean`, `amax` or `amin`.

    `include_self`: what was there counts, too.
    """
    if reduce not in _REDUCTIONS:
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    d = _check_scatter("scatter", input, dim, index, src)
    result = memory.array(input, order="C")
    k.scatter_reduce(result, d, index, src, reduce, include_self)
    return result


@scatter_reduce.joint("input", "src")
def _scatter_reduce_gradient(
    F: Any, grad: Any, input: Any, dim: Any, index: Any, src: Any, reduce: Any, include_self: Any, result: Any
) -> Any:
    def spread(x: Any) -> Any:
        return F.fitted_gather(x, dim, index, getattr(src, "_array", src).shape)

    def add(x: Any, values: Any) -> Any:
        return F.scatter_add(x, dim, index, values)

    def fill(x: Any, value: Any) -> Any:
        return F.scatter_value(x, dim, index, value)

    return _reduce_gradient(F, grad, input, src, reduce, include_self, result, spread, add, fill)


def _reduce_gradient(
    F: Any, grad: Any, input: Any, src: Any, reduce: str, include_self: bool, result: Any, spread: Any, add: Any, fill: Any
) -> Any:
    """The gradients of `scatter_reduce` and `index_reduce`, given how they read (`spread`), add and write."""
    if reduce == "sum":
        d_input, d_src = grad, spread(grad)
    elif reduce == "mean":
        ones = F.ones_of(input)
        counts = add(ones if include_self else F.zeros_like(ones), F.ones_of(src))
        counts = F.where(counts == 0, F.ones_of(counts), counts)
        d_input, d_src = grad / counts, spread(grad / counts)
    elif reduce == "prod":
        zero = src == 0
        zeros_there = add(F.zeros_like(input), F.cast(zero, dtype_of(input)))
        src_zeros = spread(zeros_there)
        own = F.where(input == 0, F.ones_of(input), input)
        d_input = F.where(input == 0, _product_without(F, input, src, add), result / own) * grad
        start = input if include_self else fill(input, 1)
        nonzero_product = _masked_product(F, start, src, zero, add)
        alone = (src_zeros == 1) & zero
        full = F.where(zero, F.ones_of(src), src)
        d_src = F.where(alone, spread(grad * nonzero_product), spread(grad * result) / full)
        d_src = F.where(zero & (src_zeros > 1), F.zeros_like(d_src), d_src)
    else:
        mine = F.cast(input == result, dtype_of(input))
        theirs = F.cast(src == spread(result), dtype_of(src))
        start = mine if include_self else fill(mine, 0)
        shared = add(start, theirs)
        each = grad / F.where(shared == 0, F.ones_of(shared), shared)
        d_input, d_src = mine * each, theirs * spread(each)
    if not include_self:
        d_input = fill(d_input, 0)
    return d_input, d_src


def _masked_product(F: Any, start: Any, src: Any, zero: Any, add: Any) -> Any:
    """The product of `start` with the nonzero sources, by logarithms of magnitudes and counts of signs."""
    magnitude = F.where(zero, F.ones_of(src), F.abs(src))
    logs = add(F.zeros_like(start), F.log(magnitude))
    negative = add(F.zeros_like(start), F.cast(src < 0, dtype_of(src)))
    sign = 1 - 2 * (negative - 2 * F.floor(negative / 2))
    return start * F.exp(logs) * sign


def _product_without(F: Any, input: Any, src: Any, add: Any) -> Any:
    """The product of the sources alone."""
    zero = src == 0
    any_zero = add(F.zeros_like(input), F.cast(zero, dtype_of(input)))
    return F.where(any_zero > 0, F.zeros_like(input), _masked_product(F, F.ones_of(input), src, zero, add))


# --- whole parts along a dimension ---------------------------------------------------------------------------------


@operator("torch.index_select", "Tensor.index_select")
def index_select(input: Array, dim: int, index: Array, into: Any = None) -> Array:
    """The parts along a dimension that a vector of indices names, as a copy."""
    if index.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    if not is_index(index):
        raise RuntimeError("index_select(): Expected dtype int32 or int64 for index")
    d = normalize_dim(dim, input.ndim)
    return k.index_select(input, d, index, into)


index_select.derivative(input=lambda F, grad, input_shape, dim, index: F.index_add(F.zeros(input_shape, dtype_of(grad)), dim, index, grad))


@operator("torch.index_add", "Tensor.index_add", "Tensor.index_add_")
def index_add(input: Array, dim: int, index: Array, source: Array, *, alpha: Any = 1, out: Any = None) -> Array:
    """A copy with the parts of `source`, times `alpha`, added at the indices along a dimension."""
    d = normalize_dim(dim, input.ndim)
    if index.ndim > 1:
        raise IndexError(
            f"index_add_(): Index is supposed to be a vector, but got dim: {index.ndim} with type: {scalar_name(index)} and size: "
            f"{list(index.shape)}"
        )
    if not is_index(index):
        raise RuntimeError(f"index_add_(): Expected dtype int32/int64 for index but got: {scalar_name(index)}")
    if input.dtype != source.dtype:
        raise RuntimeError(f"index_add_(): self ({scalar_name(input)}) and source ({scalar_name(source)}) must have the same scalar type")
    if (source.ndim == 0) is not (input.ndim == 0):
        raise RuntimeError(
            "source tensor shape must match self tensor shape, excluding the specified dimension. Got self.shape = "
            f"{list(input.shape)} source.shape = {list(source.shape)}"
        )
    if source.ndim == 0:
        if index.size != 1:
            raise RuntimeError(f"index_add_(): Number of indices ({index.size}) should be equal to source.numel() for a 0-dim source")
    elif d >= source.ndim or index.size != source.shape[d]:
        raise RuntimeError(
            f"index_add_(): Number of indices ({index.size}) should be equal to source.size(dim): "
            f"({source.shape[d] if d < source.ndim else 0}), for dim: {d}"
        )
    if input.ndim and source.ndim and (*input.shape[:d], *input.shape[d + 1 :]) != (*source.shape[:d], *source.shape[d + 1 :]):
        raise RuntimeError("source tensor shape must match self tensor shape, excluding the specified dimension. Got self.shape = "
                           f"{list(input.shape)} source.shape = {list(source.shape)}")  # fmt: skip
    result = start(input, out)
    try:
        k.index_add(result, d, index, source if alpha == 1 else source * memory.asarray(alpha, source.dtype))
    except RuntimeError:
        if alpha != 1 or input.ndim < 2:  # PyTorch's two ways of adding word it differently
            raise IndexError("index out of range in self") from None
        raise
    return result


index_add.derivative(
    input=lambda F, grad: grad,
    source=lambda F, grad, dim, index, alpha, source_shape: (
        F.reshape(F.index_select(grad, dim, index), source_shape) * alpha
        if alpha != 1
        else F.reshape(F.index_select(grad, dim, index), source_shape)
    ),
)


@operator("torch.index_copy", "Tensor.index_copy", "Tensor.index_copy_")
def index_copy(input: Array, dim: int, index: Array, source: Array, out: Any = None) -> Array:
    """A copy with the parts of `source` written at the indices along a dimension."""
    d = normalize_dim(dim, input.ndim)
    if index.ndim > 1:
        raise IndexError(f"index_copy_(): Index should have dimension 1 or 0 (got {index.ndim})")
    if source.ndim == 0 and index.size != 1:
        raise IndexError(f"index_copy_(): When source is scalar, index should have one element (got {index.size})")
    if source.ndim and input.ndim and source.ndim != input.ndim:
        raise IndexError(
            "index_copy_(): When source and destination are not scalars, their dimensionality must match. Source dimensionality "
            f"({source.ndim}), destination dimensionality ({input.ndim})"
        )
    if index.dtype != INT64:
        raise RuntimeError(f"index_copy_(): Expected a long tensor for index, but got {scalar_name(index)}")
    if input.dtype != source.dtype:
        raise RuntimeError(
            f"index_copy_(): self and source expected to have the same dtype, but got (self) {scalar_name(input)} "
            f"and (source) {scalar_name(source)}"
        )
    if source.ndim and input.ndim:
        a, b = (*input.shape[:d], *input.shape[d + 1 :]), (*source.shape[:d], *source.shape[d + 1 :])
        if a != b:
            raise RuntimeError(
                f"index_copy_(): Source/destination tensor must have same slice shapes. Destination slice shape: {_spaced(a)} at dimension "
                f"{d} and source slice shape: {_spaced(b)} at dimension 0."
            )
        if index.size != source.shape[d]:
            raise IndexError(f"index_copy_(): Number of indices ({index.size}) should be equal to source.size(dim) ({source.shape[d]})")
    result = start(input, out)
    k.index_copy(result, d, index, source)
    return result


def _spaced(shape: Any) -> str:
    return " ".join(map(str, shape))


index_copy.derivative(
    input=lambda F, grad, dim, index: F.index_fill(grad, dim, index, 0),
    source=lambda F, grad, dim, index, source_shape: F.reshape(F.index_select(grad, dim, index), source_shape),
)


@operator("torch.index_fill", "Tensor.index_fill", "Tensor.index_fill_", out=False, overlap=True,
          node=lambda *given: "IndexFillBackward0" if not hasattr(given[-1], "ndim") else "IndexFillBackward1")  # fmt: skip
def index_fill(input: Array, dim: int, index: Array, value: Array | Number, out: Any = None) -> Array:
    """A copy with one number written at the indices along a dimension."""
    if hasattr(value, "ndim"):
        if value.ndim:
            raise RuntimeError(f"index_fill_ only supports a 0-dimensional value tensor, but got tensor with {value.ndim} dimension(s).")
        zero_dim: Any = value
        number = zero_dim.astype(input.dtype)
    else:
        number = number_array(value, input.dtype)
    d = normalize_dim(dim, input.ndim)
    if index.dtype != INT64:
        raise IndexError("index_fill_(): Expected dtype int64 for index.")
    if index.ndim > 1:
        raise IndexError("Index has to be a vector/scalar")
    result = start(input, out, True)
    k.index_copy(result, d, index, number, True)
    return result


index_fill.derivative(
    input=lambda F, grad, dim, index: F.index_fill(grad, dim, index, 0),
    value=lambda F, grad, dim, index: F.sum(F.index_select(grad, dim, F.distinct(index))),
)


formula_function("distinct", k.distinct, lambda index: wrap(k.distinct(index._array)))
formula_function("ones_of", lambda x: memory.ones(x.shape, x.dtype), lambda x: wrap(memory.ones(x._array.shape, x._array.dtype)))


@operator("torch.index_reduce", "Tensor.index_reduce", "Tensor.index_reduce_")
def index_reduce(input: Array, dim: int, index: Array, source: Array, reduce: str, *, include_self: bool = True) -> Array:
    """A copy in which all parts of `source` for one index are reduced to one: `prod`, `mean`, `amax` or `amin`."""
    if reduce not in _REDUCTIONS[1:]:
        raise RuntimeError(f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got {reduce}.")
    d = normalize_dim(dim, input.ndim)
    if index.ndim > 1:
        raise IndexError(
            f"index_reduce_(): Index is supposed to be a vector, but got dim: {index.ndim} with type: {scalar_name(index)} and size: "
            f"{list(index.shape)}"
        )
    if not is_index(index):
        raise RuntimeError(f"index_reduce_(): Expected dtype int32/int64 for index but got: {scalar_name(index)}")
    if input.dtype != source.dtype:
        raise RuntimeError(
            f"index_reduce_(): self ({scalar_name(input)}) and source ({scalar_name(source)}) must have the same scalar type"
        )
    if d >= source.ndim and (d or source.size != 1):
        raise RuntimeError(f"index_reduce_(): Indexing dim {d} is out of bounds of the source tensor with dim {source.ndim}")
    if source.ndim and index.size != source.shape[d]:
        raise RuntimeError(
            f"index_reduce_(): Number of indices ({index.size}) should be equal to source.size(dim): ({source.shape[d]}), for dim: {d}"
        )
    if input.ndim and source.ndim and (*input.shape[:d], *input.shape[d + 1 :]) != (*source.shape[:d], *source.shape[d + 1 :]):
        raise RuntimeError("source tensor shape must match self tensor shape, excluding the specified dimension. Got self.shape = "
                           f"{list(input.shape)} source.shape = {list(source.shape)}")  # fmt: skip
    result = memory.array(input, order="C")
    try:
        k.scatter_reduce(result, d, k.along(index, source, d), source, reduce, include_self)
    except RuntimeError as error:
        if "out of bounds" in str(error):
            raise IndexError("index out of range in self") from None
        raise
    return result


@index_reduce.joint("input", "source")
def _index_reduce_gradient(
    F: Any, grad: Any, input: Any, dim: Any, index: Any, source: Any, reduce: Any, include_self: Any, result: Any
) -> Any:
    def spread(x: Any) -> Any:
        return F.index_select(x, dim, index)

    def add(x: Any, values: Any) -> Any:
        return F.index_add(x, dim, index, values)

    def fill(x: Any, value: Any) -> Any:
        return F.index_fill(x, dim, index, value)

    return _reduce_gradient(F, grad, input, source, reduce, include_self, result, spread, add, fill)


# --- by index tensors, by name -------------------------------------------------------------------------------------


def _indices(indices: Any) -> Any:
    for i, index in enumerate(indices):
        if index is not None and not isinstance(index, Tensor):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {type(index).__name__}")
    return [None if i is None else i._array for i in indices]


@composite("torch.index_put_", "Tensor.index_put_")
def index_put_(self: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """Writes (or adds) values where the index tensors point."""
    from ..kernels.indexing import expanded

    if not isinstance(values, Tensor):
        raise TypeError(f"index_put_(): argument 'values' (position 2) must be Tensor, not {type(values).__name__}")
    return put_at(self, expanded(self._array, _indices(indices)), values, accumulate)


@composite("torch.index_put", "Tensor.index_put", formula=False)
def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """A copy with values written (or added) where the index tensors point."""
    from ..kernels.indexing import expanded
    from .indexing import check_put_dtypes

    places = expanded(input._array, _indices(indices))
    check_put_dtypes(input, values)
    return op_index_put().function(input, places, values, accumulate)


formula_function(
    "index_put",
    lambda x, i, v, accumulate=False: op_index_put().forward(x, i, v, accumulate),
    lambda x, i, v, accumulate=False: op_index_put().function(x, i, v, accumulate),
)


def op_index_put() -> Any:
    """The operator behind `index_put`."""
    from .indexing import index_put as op

    return op


@composite()
def contains(self: Tensor, element: Any) -> bool:
    """Whether any element equals a number or tensor."""
    if isinstance(element, (Tensor, int, float, complex, np.number)):
        equal: Any = element == self
        return bool(equal.any().item())
    raise RuntimeError(f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}.")


attach("Tensor.__contains__", contains)


@composite()
def reverse(self: Tensor) -> Tensor:
    """The parts along the first dimension in reverse order; a 0-dim tensor itself."""
    return tensors.flip(self, (0,)) if self._array.ndim else self


attach("Tensor.__reversed__", reverse)
