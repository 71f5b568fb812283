"""Arrays without memory: what a tensor on the device `meta` holds instead of an ndarray.

A kernel that runs on one works out shape and dtype: ufuncs and matrix products by their rules, other NumPy functions and
methods by running on a stand-in, one element seen in the whole shape (stride 0). What wants the memory itself raises
NotImplementedError and names the operator.
"""

import math
import sys
from typing import Any, Sequence

import numpy as np

from .device import META
from .layout import broadcast_shapes, contiguous_strides, extent, ordered_strides, overlaps, strides_of, view_strides

ndarray = np.ndarray
_as_strided = np.lib.stride_tricks.as_strided


class OtherArray:
    """What stands in a tensor where an ndarray would: kernels for ndarrays leave it alone."""

    __slots__ = ()


class Flags:
    """The flags of an array without memory. What asks whether memory is aligned is about to read it: that is refused."""

    __slots__ = ("array", "c_contiguous", "f_contiguous", "forc", "writeable")

    def __init__(self, array: "MetaArray", flags: Any) -> None:
        self.array = array
        self.c_contiguous, self.f_contiguous, self.forc, self.writeable = flags.c_contiguous, flags.f_contiguous, flags.forc, True

    def __getattr__(self, name: str) -> Any:
        raise self.array.refusal(name)


class MetaArray(OtherArray):
    """Shape, dtype and strides (given in elements, row-major unless told), and the methods of ndarray that keep to these."""

    __slots__ = ("shape", "dtype", "strides")
    device = META
    base = None
    __hash__ = object.__hash__

    def __init__(self, shape: Sequence[int], dtype: Any, strides: Sequence[int] | None = None) -> None:
        self.shape = tuple(shape)
        self.dtype = np.dtype(dtype)
        size = self.dtype.itemsize
        self.strides = tuple([s * size for s in (contiguous_strides(self.shape) if strides is None else strides)])

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    @property
    def flags(self) -> Any:
        """ndarray's flags for this shape and these strides, but for those that only what reads memory asks for."""
        return Flags(self, self._seen().flags)

    @property
    def T(self) -> "MetaArray":
        return self.transpose()

    @property
    def real(self) -> "MetaArray":
        return self if self.dtype.kind != "c" else as_meta(self.stand_in().real)

    @property
    def imag(self) -> "MetaArray":
        return as_meta(self.stand_in().imag)

    def _seen(self) -> Any:
        """An ndarray with these strides over no memory of its own: only its attributes and views may be used."""
        return _as_strided(np.empty(1, self.dtype), self.shape, self.strides)

    def _view(self, array: Any) -> "MetaArray":
        return MetaArray(array.shape, array.dtype, [s // array.itemsize for s in array.strides])

    @property
    def steps(self) -> tuple[int, ...]:
        """The strides in elements."""
        return tuple([s // self.itemsize for s in self.strides])

    def stand_in(self) -> Any:
        """Zeros for what computes; a large array is one zero seen in the whole shape, which cannot be written to."""
        if self.size > SMALL:
            return np.broadcast_to(np.zeros((), self.dtype), self.shape)
        steps = self.steps
        if steps == contiguous_strides(self.shape) or overlaps(self.shape, steps) or extent(self.shape, steps) > 4 * SMALL:
            return np.zeros(self.shape, self.dtype)
        return _as_strided(np.zeros(extent(self.shape, steps), self.dtype), self.shape, self.strides)

    def filled(self) -> Any:
        """A stand-in that has a logarithm, an inverse and a Cholesky factor, and may be probabilities; integers are zeros."""
        array = self.stand_in()
        if self.dtype.kind in "fcV" and self.size <= SMALL:
            array[...] = 0.5
            if len(self.shape) > 1 and self.shape[-1] == self.shape[-2]:
                array += np.eye(self.shape[-1]) * (0.5 * self.shape[-1])
                array /= 0.5 + 0.5 * self.shape[-1]
        return array

    def as_strided(self, shape: Sequence[int], strides: Sequence[int]) -> "MetaArray":
        """A view with any shape and strides (in elements)."""
        return MetaArray(shape, self.dtype, strides)

    def transpose(self, *axes: Any) -> "MetaArray":
        return self._view(self._seen().transpose(*axes))

    def swapaxes(self, a: int, b: int) -> "MetaArray":
        return self._view(self._seen().swapaxes(a, b))

    def squeeze(self, axis: Any = None) -> "MetaArray":
        return self._view(self._seen().squeeze(axis))

    def diagonal(self, *args: Any) -> "MetaArray":
        return self._view(self._seen().diagonal(*args))

    def view(self, dtype: Any = None, *more: Any) -> "MetaArray":
        return self if dtype is None or isinstance(dtype, type) and issubclass(dtype, ndarray) else self._view(self._seen().view(dtype))

    def reshape(self, *shape: Any, **options: Any) -> "MetaArray":
        new = np.empty(0).reshape(0).shape if self.size == 0 and not shape else self.stand_in().reshape(*shape).shape
        strides = view_strides(self.shape, [s // self.itemsize for s in self.strides], new)
        return MetaArray(new, self.dtype, strides)

    def ravel(self, *order: Any) -> "MetaArray":
        return self.reshape(-1)

    flatten = ravel

    def copy(self, order: Any = "C") -> "MetaArray":
        return MetaArray(self.shape, self.dtype, ordered_strides(self.shape, self.steps) if order in "KA" else None)

    def astype(self, dtype: Any, order: Any = "K", *args: Any, copy: bool = True, **options: Any) -> "MetaArray":
        if not copy and self.dtype == dtype:
            return self
        return MetaArray(self.shape, dtype, ordered_strides(self.shape, self.steps) if order in "KA" else None)

    def fill(self, value: Any) -> None:
        """Nothing is there to be filled."""

    def __getitem__(self, index: Any) -> "MetaArray":
        parts = index if isinstance(index, tuple) else (index,)
        for part in parts:
            if isinstance(part, (MetaArray, ndarray)) and part.dtype.kind == "b":
                raise self.refusal("an index by truth values")
        if all(part is None or part is Ellipsis or isinstance(part, (int, slice)) for part in parts):
            return self._view(self._seen()[(*parts, Ellipsis)] if Ellipsis not in parts else self._seen()[index])
        return as_meta(self.stand_in()[_stand_in(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        """Nothing is there to be written to."""

    def __len__(self) -> int:
        return self.shape[0]

    def __bool__(self) -> bool:
        raise self.refusal("its elements were asked for")

    __int__ = __float__ = __index__ = __complex__ = __bool__

    def refusal(self, what: str) -> NotImplementedError:
        """The error for what needs the memory, with the name of the operator that is running."""
        frame: Any = sys._getframe(1)
        while frame is not None:
            operator = frame.f_globals.get("OP")
            if operator is not None:
                return NotImplementedError(f"{operator.name}: not available for tensors on the meta device, which have no data ({what})")
            frame = frame.f_back
        return NotImplementedError("Cannot copy out of meta tensor; no data!")

    def __array__(self, *args: Any, **options: Any) -> Any:
        raise self.refusal("its elements were asked for")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("ctypes", "data", "flat"):
            raise AttributeError(f"'MetaArray' object has no attribute '{name}'") if name.startswith("__array") else self.refusal(name)
        if name in ("item", "tolist", "tobytes", "nonzero"):
            raise self.refusal(name)
        method = getattr(self.stand_in(), name)

        def run(*args: Any, **options: Any) -> Any:
            return as_meta(method(*_stand_in(args), **_stand_in(options)))

        return run

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        out = out[0] if out else None
        if len(inputs) == 2 and mixed(inputs):
            raise self.refusal("another array has some")
        if out is not None and not isinstance(out, MetaArray):
            raise self.refusal("its elements would be written elsewhere")
        if method == "__call__" and ufunc.signature is None:
            shape = broadcast_shapes(*(getattr(x, "shape", ()) for x in inputs))
            small = [np.zeros((1,) * len(x.shape), x.dtype) if hasattr(x, "dtype") else x for x in inputs]
            with np.errstate(all="ignore"):
                made = ufunc(*small, **options)
            strides = _result_strides(shape, inputs)
            results = tuple(MetaArray(shape, r.dtype, strides) for r in (made if isinstance(made, tuple) else (made,)))
        elif method == "__call__" and ufunc is np.matmul:
            results = (_product(*inputs),)
        else:
            with np.errstate(all="ignore"):
                made = getattr(ufunc, method)(*_stand_in(inputs), **_stand_in(options))
            results = made if isinstance(made, tuple) else (made,)
            results = tuple(as_meta(r) for r in results)
        if out is not None:
            return out
        return results[0] if len(results) == 1 else results

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function is np.copyto:
            if isinstance(args[0], MetaArray):
                return None
            raise NotImplementedError("Cannot copy out of meta tensor; no data!")
        if mixed(list(_inside(args))):
            raise self.refusal("another array has some")
        if function in (np.nonzero, np.argwhere, np.flatnonzero, np.unique, np.array_equal, np.allclose):
            raise self.refusal(function.__name__)
        if function in (np.empty_like, np.zeros_like, np.ones_like, np.full_like):
            return MetaArray(self.shape, kwargs.get("dtype") or (args[1] if len(args) > 1 and function is not np.full_like else self.dtype))
        if function in (np.transpose, np.moveaxis, np.swapaxes, np.expand_dims, np.squeeze, np.diagonal):
            return self._view(function(self._seen(), *args[1:], **kwargs))
        if function is np.dot and len(args) == 2 and not kwargs and all(len(a.shape) in (1, 2) for a in args):
            return _product(*args)
        if function is np.broadcast_to:
            return self._view(function(self._seen(), *args[1:], **kwargs))
        with np.errstate(all="ignore"):
            return as_meta(function(*_stand_in(args), **_stand_in(kwargs)))


def meta_like(x: Any, shape: Sequence[int], dtype: Any) -> MetaArray:
    """An array without memory for a result of `x`, which is none itself. Raises NotImplementedError where that is sparse."""
    if not isinstance(x, MetaArray):
        raise x.refuse("empty_like")
    return MetaArray(shape, dtype)


def mixed(arrays: Any) -> bool:
    """Whether arrays with memory and without stand side by side; 0-dim ones do not count."""
    classes = {x.__class__ for x in arrays}
    if MetaArray not in classes:
        return False
    found = {x.__class__ is MetaArray for x in arrays if isinstance(x, (MetaArray, ndarray)) and x.ndim}
    return len(found) > 1


def one_device(arrays: Any) -> None:
    """Raises RuntimeError where arrays with memory and without are operands together; 0-dim ones may."""
    if mixed(arrays):
        found = [x for x in arrays if isinstance(x, (MetaArray, ndarray)) and x.ndim]
        names = ("cpu", "meta") if isinstance(found[0], MetaArray) else ("meta", "cpu")
        raise RuntimeError("Tensor on device {} is not on the expected device {}!".format(*names))


def _product(a: Any, b: Any) -> MetaArray:
    """The shape of a matrix product. Raises ValueError where the matrices do not fit, as NumPy does."""
    x, y = a.shape if len(a.shape) > 1 else (1, *a.shape), b.shape if len(b.shape) > 1 else (*b.shape, 1)
    if x[-1] != y[-2]:
        raise ValueError(f"matmul: shapes {a.shape} and {b.shape} do not fit")
    shape = (*broadcast_shapes(x[:-2], y[:-2]), *(x[-2:-1] if len(a.shape) > 1 else ()), *(y[-1:] if len(b.shape) > 1 else ()))
    return MetaArray(shape, np.result_type(a.dtype, b.dtype))


def _stand_in(value: Any) -> Any:
    """Meta arrays replaced by their stand-ins, in containers too."""
    if isinstance(value, MetaArray):
        return value.stand_in()
    if isinstance(value, (list, tuple)):
        return type(value)([_stand_in(v) for v in value])
    if isinstance(value, dict):
        return {k: _stand_in(v) for k, v in value.items()}
    return value


def _filled(value: Any) -> Any:
    """The same with elements that most functions take."""
    if isinstance(value, MetaArray):
        return value.filled()
    if isinstance(value, (list, tuple)):
        return type(value)([_filled(v) for v in value])
    return value


def _inside(values: Any) -> Any:
    """The values themselves, and those in lists among them."""
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from value
        else:
            yield value


def _result_strides(shape: Sequence[int], inputs: Sequence[Any]) -> Any:
    """The strides of an elementwise result: row-major, unless an operand has another order."""
    arrays = [x for x in inputs if isinstance(x, MetaArray)]
    if all(x.steps == contiguous_strides(x.shape) for x in arrays):
        return None
    steps = [(0,) * (len(shape) - len(x.shape)) + tuple([s if n > 1 else 0 for s, n in zip(x.steps, x.shape)]) for x in arrays]
    return ordered_strides(shape, *steps)


def as_meta(value: Any) -> Any:
    """Arrays replaced by meta arrays of the same shape and dtype, and of the same memory order where that is known."""
    if isinstance(value, (ndarray, np.generic)):
        strides = strides_of(value) if value.size <= SMALL else ()
        plain = value.size > SMALL or any(s <= 0 for s in strides) or overlaps(value.shape, strides)
        return MetaArray(value.shape, value.dtype, None if plain else strides)
    if hasattr(value, "_make"):  # a named tuple
        return value._make([as_meta(v) for v in value])
    if isinstance(value, (list, tuple)):
        return type(value)([as_meta(v) for v in value])
    return value


SMALL = 1 << 16
"""Elements of which a stand-in is made one by one."""

DATA_DEPENDENT = frozenset(("nonzero_rows", "argwhere", "masked_select"))
"""Operators whose result, or its shape, depends on the elements: they are refused."""


MIXED = frozenset(("index", "index_put", "index_put_", "copy", "matmul", "mm", "bmm"))
"""Operators that take tensors with memory beside those without, as PyTorch's do."""

SUMS_OF_PRODUCTS = frozenset(("addbmm", "addmm", "addmv", "addr", "baddbmm"))
"""Operators that ask their second and third operand first which device it is to be."""


def run_forward(op: Any, error: Exception, values: tuple[Any, ...]) -> Any:
    """What an operator's forward makes of stand-ins; of views, only where they lie. Raises `error` where the elements matter."""
    if op.name in DATA_DEPENDENT or op.name == "index" and any(getattr(v, "dtype", None) in (np.bool_, np.uint8) for v in _inside(values)):
        raise error
    if op.name in SUMS_OF_PRODUCTS:
        one_device((*values[1:3], values[0]))
    elif op.name in ("masked_fill", "prelu_op"):
        one_device((values[1], values[0]))
    elif op.name not in MIXED and (op.name != "linear" or values[2] is not None):
        one_device(list(_inside(values)))
    if op.view:
        values = tuple([v._seen() if isinstance(v, MetaArray) else v for v in values])
    else:
        values = tuple([_filled(v) for v in values])
    cut = op.positional
    with np.errstate(all="ignore"):
        made = op.forward(*values[:cut], **dict(zip(op.params[cut:], values[cut:])))
    if op.view and isinstance(made, ndarray):
        return MetaArray(made.shape, made.dtype, [s // made.itemsize for s in made.strides])
    return as_meta(made)


def _operator(name: str, reflected: bool = False) -> Any:
    ufunc = getattr(np, name)

    def method(self: MetaArray, *other: Any) -> Any:
        return ufunc(other[0], self) if reflected else ufunc(self, *other)

    return method


for _dunder, _name in {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "floordiv": "floor_divide", "mod": "remainder",
    "pow": "power", "matmul": "matmul", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
}.items():  # fmt: skip
    setattr(MetaArray, f"__{_dunder}__", _operator(_name))
    setattr(MetaArray, f"__r{_dunder}__", _operator(_name, True))
for _dunder, _name in {
    "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "neg": "negative",
    "abs": "absolute", "invert": "invert",
}.items():  # fmt: skip
    setattr(MetaArray, f"__{_dunder}__", _operator(_name))
