"""Sparse arrays: what a tensor with the layout `sparse_coo` or a compressed one holds instead of an ndarray.

They have an ndarray's shape and dtype, a cast and a copy, and the sum that gradients are added up with; anything else that a
kernel for dense arrays asks of them raises, and the operator's sparse form takes over, where it has one.
"""

import math
import sys
from typing import Any, Sequence

import numpy as np

from .device import CPU
from .meta import OtherArray

ndarray = np.ndarray
I64 = np.dtype(np.int64)


class NoSparseForm(NotImplementedError, AttributeError):
    """What a sparse array raises that is asked what it is not, until an operator raises `refusal`. `hasattr` answers False instead.

    `nameless`: whether it names what was asked of the array, as no operator was running.
    """

    nameless = False


class NoSuchPart(NoSparseForm, IndexError):
    """The same where an ndarray would have looked for a part."""


class NoSlice(NoSparseForm, TypeError):
    """The same where an ndarray would have been sliced."""


def refusal(name: str, backend: str = "SparseCPU", kind: type[NotImplementedError] = NotImplementedError) -> NotImplementedError:
    """The error for an operator that does not take sparse tensors."""
    return kind(
        f"Could not run 'aten::{name}' with arguments from the '{backend}' backend. This could be because the operator doesn't exist for "
        "this backend."
    )


_ROOT = __package__.rpartition(".")[0]
AWARE = {f"{_ROOT}.{name}" for name in ("core.sparse", "core.sparse_printing", "kernels.sparse", "kernels.sparse_optimizer", "sparse")}
AWARE |= {
    f"{_ROOT}.ops.sparse{name}" for name in ("", "_registry", "_forms", "_arithmetic", "_places", "_products", "_functions", "_embedding")
}
AWARE |= {f"{_ROOT}.{name}" for name in ("core.compressed", "ops.compressed", "ops.compressed_forms")}
"""The modules that know how sparse arrays are stored."""

_TENSOR = f"{_ROOT}.tensor"


def operator_asking() -> Any:
    """The operator for dense arrays that is running and asks a sparse array what it is; None where no such operator asks."""
    frame: Any = sys._getframe(2)
    # A node may look at the gradient that it is handed; what asks a Tensor is no forward over arrays.
    if frame.f_code.co_name == "apply" or frame.f_globals.get("__name__") == _TENSOR:
        return None
    for _ in range(16):
        if frame is None:
            return None
        known = frame.f_globals
        if known.get("__name__") in AWARE:
            return None
        op = known.get("OP")
        if op is not None:
            return None if op.forward.__module__ in AWARE else op
        frame = frame.f_back
    return None


def guarded(value: Any) -> property:
    """A property that operators for dense arrays must not see: they would go on as if the array was one."""

    def get(self: Any) -> Any:
        op = operator_asking()
        if op is not None:
            raise refusal(op.name, self.backend, NoSparseForm)
        return value(self)

    return property(get, doc=value.__doc__)


class Flags:
    """The flags of a sparse array: it is in no memory order of an ndarray's."""

    c_contiguous = f_contiguous = forc = False


class Sparse(OtherArray):
    """What the sparse layouts have in common. Fields: `sizes` (the shape of the whole) and `values`, the elements that are stored."""

    __slots__ = ("sizes", "values")
    device = CPU
    base = None
    layout = ""
    backend = "SparseCPU"
    __hash__ = object.__hash__

    sizes: tuple[int, ...]
    values: ndarray
    shape = guarded(lambda self: self.sizes)
    dtype = guarded(lambda self: self.values.dtype)
    ndim = guarded(lambda self: len(self.sizes))
    size = guarded(lambda self: math.prod(self.sizes))
    itemsize = guarded(lambda self: self.values.itemsize)
    flags = guarded(lambda self: Flags)

    @property
    def nnz(self) -> int:
        """How many elements (or blocks, or dense parts) are stored."""
        raise NotImplementedError

    @property
    def real(self) -> "Sparse":
        return self.with_values(self.values.real) if self.dtype.kind == "c" else self

    def tensor_strides(self) -> tuple[int, ...]:
        """What `Tensor.stride()` gives."""
        return (0,) * len(self.shape)

    def with_values(self, values: ndarray) -> Any:
        """The same places with other values."""
        raise NotImplementedError

    def duplicate(self) -> Any:
        """A copy of all that it is made of."""
        raise NotImplementedError

    def dense(self) -> ndarray:
        """The whole array."""
        raise NotImplementedError

    def astype(self, dtype: Any, *args: Any, copy: bool = True, **options: Any) -> Any:
        """The values in another dtype; the places are shared."""
        return self if not copy and self.dtype == dtype else self.with_values(self.values.astype(dtype))

    def refuse(self, what: str) -> NotImplementedError:
        """The error for what is asked of it, with the name of the operator that is running."""
        frame: Any = sys._getframe(2)
        while frame is not None:
            operator = frame.f_globals.get("OP")
            if operator is not None:
                return refusal(operator.name, self.backend, NoSparseForm)
            frame = frame.f_back
        error = refusal(what, self.backend, NoSparseForm)
        error.nameless = True  # type: ignore[attr-defined]
        return error

    def __getitem__(self, index: Any) -> Any:
        # Integers and slices are told that NumPy does not take them, so that the operators are asked.
        kind = NoSuchPart if index.__class__ is tuple else NoSlice if index.__class__ is slice else NoSparseForm
        error = refusal("index.Tensor", self.backend, kind)
        error.nameless = True  # type: ignore[attr-defined]
        raise error

    def __setitem__(self, index: Any, value: Any) -> None:
        raise self.refuse("copy_")

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, *args: Any, **options: Any) -> Any:
        raise self.refuse("numpy")

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        raise self.refuse(function.__name__)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        if ufunc is np.add and method == "__call__" and not options and all(isinstance(x, (Sparse, ndarray)) for x in inputs):
            into = None if out is None else out[0]
            if not isinstance(into, Sparse):
                return plus(inputs[0], inputs[1], into)
        if method == "__call__" and out is None and not options:
            if ufunc is np.multiply:
                a, b = inputs
                return _times(a, b) if isinstance(a, Sparse) else _times(b, a)
            if ufunc is np.negative:
                return self.with_values(-self.values)
            if ufunc is np.true_divide and not getattr(inputs[1], "ndim", 0):
                return inputs[0].with_values(inputs[0].values / inputs[1])
        raise self.refuse(ufunc.__name__)

    def __mul__(self, other: Any) -> Any:
        return np.multiply(self, other)

    __rmul__ = __mul__

    def __neg__(self) -> Any:
        return np.negative(self)

    def __truediv__(self, other: Any) -> Any:
        return np.true_divide(self, other)

    def __eq__(self, other: Any) -> Any:
        raise self.refuse("eq")

    def __lt__(self, other: Any) -> Any:
        raise self.refuse("lt")

    __le__ = __gt__ = __ge__ = __lt__

    def __bool__(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        raise self.refuse(name)


class CooArray(Sparse):
    """Values by coordinates: `indices` (sparse dims, count), int64, and `values` (count, the other dims).

    `coalesced`: the places are in row-major order and none comes twice; where they do, the values count as their sum.
    """

    __slots__ = ("indices", "coalesced")
    layout = "sparse_coo"

    def __init__(self, indices: ndarray, values: ndarray, shape: Sequence[int], coalesced: bool = False) -> None:
        self.indices, self.values, self.sizes = indices, values, tuple(shape)
        self.coalesced = coalesced or values.shape[0] < 2

    @property
    def sparse_dim(self) -> int:
        return self.indices.shape[0]

    @property
    def dense_dim(self) -> int:
        return len(self.shape) - self.indices.shape[0]

    @property
    def nnz(self) -> int:
        return self.values.shape[0]

    def with_values(self, values: ndarray) -> "CooArray":
        return CooArray(self.indices, values, self.shape, self.coalesced)

    def duplicate(self) -> "CooArray":
        return CooArray(self.indices.copy(), self.values.copy(), self.shape, self.coalesced)

    def keys(self) -> ndarray:
        """The places as single numbers, in row-major order of the sparse dims. Raises RuntimeError for places out of range."""
        return flat_places(self.indices, self.shape)

    def coalesce(self) -> "CooArray":
        """The same array with every place once, in row-major order; itself if it is so already."""
        if self.coalesced:
            return self
        keys = self.keys()
        order = keys.argsort(kind="stable")
        ordered = keys[order]
        first = np.empty(len(ordered), bool)
        first[0] = True
        np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
        starts = first.nonzero()[0]
        values = self.values[order]
        if len(starts) < len(ordered):
            values = sum_groups(values, first, starts)
        return CooArray(self.indices[:, order[starts]], values, self.shape, True)

    def dense(self) -> ndarray:
        array = self.coalesce()
        array.keys()
        result = np.zeros(self.shape, self.dtype)
        result[tuple(array.indices)] = array.values if array.sparse_dim else array.values.sum(0, self.dtype)
        return result


def _times(a: Any, b: Any) -> Any:
    """A sparse gradient times a number or a dense array of its shape."""
    if not getattr(b, "ndim", 0):
        return a.with_values(a.values * b)
    if b.__class__ is not ndarray or a.__class__ is not CooArray:
        raise refusal("mul.Tensor", a.backend)
    a.keys()
    return a.with_values(a.values * np.broadcast_to(b, a.shape)[tuple(a.indices)])


def flat_places(indices: ndarray, shape: Sequence[int]) -> ndarray:
    """Coordinates (dims, count) as single numbers, row-major. Raises RuntimeError for coordinates outside of `shape`."""
    keys = np.zeros(indices.shape[1], I64)
    for d, row in enumerate(indices):
        if row.size and (row.min() < 0 or row.max() >= shape[d]):
            check_places(indices, shape)
        keys *= shape[d]
        keys += row
    return keys


def check_places(indices: ndarray, shape: Sequence[int]) -> None:
    """Raises RuntimeError for coordinates outside of `shape`."""
    if not indices.size:
        return
    for d, row in enumerate(indices):
        if row.min() < 0:
            raise RuntimeError(f"found negative index {row.min()} for dim {d}")
        if row.max() >= shape[d]:
            raise RuntimeError(f"size is inconsistent with indices: for dim {d}, size is {shape[d]} but found index {row.max()}")


def sum_groups(values: ndarray, first: ndarray, starts: ndarray) -> ndarray:
    """The sums of rows that belong together, one after the other; `first` marks where a group begins, at `starts`."""
    sums = values[starts]
    rest = (~first).nonzero()[0]
    if values.dtype == bool:
        np.logical_or.at(sums, first.cumsum()[rest] - 1, values[rest])
    else:
        np.add.at(sums, first.cumsum()[rest] - 1, values[rest])
    return sums


def plus(a: Any, b: Any, into: Any = None) -> Any:
    """`a + b` of one shape, where one or both are sparse: sparse where both are. Written to `into`, a dense array, if given."""
    if a.shape != b.shape:
        raise RuntimeError(f"add: expected sizes of 'self' and 'other' to match, but {list(a.shape)} != {list(b.shape)}")
    if isinstance(a, ndarray) or isinstance(b, ndarray):
        dense, sparse = (a, b) if isinstance(a, ndarray) else (b, a)
        result = into if into is not None else np.empty(dense.shape, np.result_type(dense.dtype, sparse.dtype))
        if result is not dense:
            result[...] = dense
        return add_to_dense(result, sparse)
    if not isinstance(a, CooArray) or not isinstance(b, CooArray):
        raise refusal("add.Tensor", a.backend)
    result = merged(a, b)
    if into is not None:
        into[...] = result.dense()
        return into
    return result


def add_to_dense(result: ndarray, sparse: Any, alpha: Any = 1) -> ndarray:
    """Adds a sparse array, times a number, into a dense one of its shape."""
    if not isinstance(sparse, CooArray):
        np.add(result, sparse.dense() * alpha if alpha != 1 else sparse.dense(), out=result, casting="unsafe")
        return result
    if alpha != 1 and sparse.dense_dim and sparse.sparse_dim and sparse.dtype == result.dtype and sparse.dtype.char in "fd":
        _add_rows_fused(result, sparse, alpha)
        return result
    sparse.keys()
    values = sparse.values if alpha == 1 else (sparse.values * alpha).astype(sparse.dtype)
    place: Any = tuple(sparse.indices)
    if not sparse.sparse_dim:
        np.add(result, values.sum(0, values.dtype), out=result, casting="unsafe")
    elif sparse.coalesced or sparse.nnz == 1:
        result[place] += values.astype(result.dtype, copy=False)
    else:
        np.add.at(result, place, values.astype(result.dtype, copy=False))
    return result


def _product_unrounded(values: ndarray, alpha: Any) -> ndarray:
    """Values times a number in a wider type, so that a sum with it rounds once, as a fused multiplication and addition does."""
    wide: Any = np.float64 if values.dtype == np.float32 else np.longdouble
    return values.astype(wide) * wide(values.dtype.type(alpha))


def _add_rows_fused(result: ndarray, sparse: "CooArray", alpha: Any) -> None:
    """Adds rows times a number with one rounding for each element."""
    wide = _product_unrounded(sparse.values, alpha)
    order = sparse.keys().argsort(kind="stable")
    turn = _occurrence(sparse.keys()[order])
    for n in range(int(turn.max(initial=-1)) + 1):  # the n-th rows of each place, of which there are no two
        which = order[turn == n]
        place = tuple(sparse.indices[:, which])
        result[place] = result[place] + wide[which]


def merged(a: CooArray, b: CooArray, alpha: Any = 1) -> CooArray:
    """`a + alpha * b`: the places of both, as two ordered lists are merged, where equal ones meet only once."""
    if a.sparse_dim != b.sparse_dim:
        raise RuntimeError(
            f"add: expected 'self' and 'other' to have same number of sparse dimensions, but {a.sparse_dim} != {b.sparse_dim}"
            if a.sparse_dim
            else "add: expected sparse dimensions"
        )
    dtype = np.result_type(a.dtype, b.dtype) if a.dtype != b.dtype else a.dtype
    mine, theirs = a.values.astype(dtype, copy=False), b.values.astype(dtype, copy=False)
    if alpha != 1:
        theirs = _product_unrounded(theirs, alpha) if dtype.char in "fd" else (theirs * alpha).astype(dtype, copy=False)
    coalesced = a.coalesced and b.coalesced
    if not b.nnz:
        return CooArray(a.indices.copy(), mine.copy(), a.shape, coalesced)
    if not a.nnz:
        return CooArray(b.indices.copy(), theirs.astype(dtype), a.shape, coalesced)
    x, y = a.keys(), b.keys()
    if (x[1:] >= x[:-1]).all() and (y[1:] >= y[:-1]).all():
        at, bt, total = _places_of_ordered(x, y)
    else:
        at, bt, total = _places_one_by_one(x.tolist(), y.tolist())
    indices = np.empty((a.sparse_dim, total), I64)
    indices[:, at], indices[:, bt] = a.indices, b.indices
    values = np.zeros((total, *mine.shape[1:]), dtype)
    values[at] = mine
    if dtype.kind == "b":
        values[bt] |= theirs
    else:
        values[bt] = values[bt] + theirs
    return CooArray(indices, values, a.shape, coalesced)


def _places_of_ordered(x: ndarray, y: ndarray) -> tuple[Any, Any, int]:
    """Where the elements of two lists in ascending order come to lie in the merged one."""
    both = np.concatenate([x, y])
    turn = np.concatenate([_occurrence(x), _occurrence(y)])  # the first of equal ones meets the first, the second the second
    order = np.lexsort((turn, both))
    new = np.empty(len(both), bool)
    new[0] = True
    sorted_keys, sorted_turn = both[order], turn[order]
    new[1:] = (sorted_keys[1:] != sorted_keys[:-1]) | (sorted_turn[1:] != sorted_turn[:-1])
    place = np.empty(len(both), I64)
    place[order] = new.cumsum() - 1
    return place[: len(x)], place[len(x) :], int(new.sum())


def _occurrence(keys: ndarray) -> ndarray:
    """For each of an ordered list: how many equal ones precede it."""
    number = np.arange(len(keys))
    new = np.empty(len(keys), bool)
    new[:1] = True
    new[1:] = keys[1:] != keys[:-1]
    return number - np.maximum.accumulate(np.where(new, number, 0))


def _places_one_by_one(x: list[int], y: list[int]) -> tuple[Any, Any, int]:
    """The same for lists in any order, of which always the smaller head comes next."""
    i = j = place = 0
    at, bt = [], []
    while i < len(x) and j < len(y):
        p, q = x[i], y[j]
        if p <= q:
            at.append(place)
            i += 1
        if q <= p:
            bt.append(place)
            j += 1
        place += 1
    at += range(place, place + len(x) - i)
    bt += range(place, place + len(y) - j)
    return np.array(at, I64), np.array(bt, I64), place + len(x) - i + len(y) - j
