"""Comparisons, logic, bits, choices and the writing of values, element by element."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..autograd.grad_mode import grad_mode
from ..autograd.version import UNVERSIONED
from ..core import promotion
from ..core.dtype import OF_NUMPY, SCALAR_NAMES, dtype
from ..kernels import elementwise as k
from ..kernels.memory import copy_into
from ..tensor import PLAIN, Tensor, wrap
from .definition import (
    NUMBERS,
    Array,
    Number,
    apply_in_place,
    as_array,
    attach,
    broadcast_failure,
    composite,
    explained_here,
    handle_overrides,
    modes,
    operator,
    raise_overlap,
    tensors,
)
from .pointwise import everywhere, refuse, reversed_operands
from .running import laid_out, sparse_among

# --- comparisons -----------------------------------------------------------------------------------------------


@operator(*everywhere("eq"), "Tensor.__eq__", promote="compare", differentiable=False)
def eq(input: Array, other: Array | Number, out: Any = None) -> Array:
    """Where both are equal."""
    return k.equal(input, other, out)


eq.native(lambda input, other: input.equals(other), "compare")


@operator(*everywhere("ne", "not_equal"), "Tensor.__ne__", promote="compare", differentiable=False)
def ne(input: Array, other: Array | Number, out: Any = None) -> Array:
    """Where they differ."""
    return k.not_equal(input, other, out)


@operator(*everywhere("lt", "less"), "Tensor.__lt__", promote="compare", differentiable=False)
def lt(input: Array, other: Array | Number, out: Any = None) -> Array:
    """Where `input < other`."""
    if input.dtype.kind == "c":
        refuse(input, "lt_cpu")
    return k.less(input, other, out)


lt.native(lambda input, other: input < other, "compare")


@operator(*everywhere("le", "less_equal"), "Tensor.__le__", promote="compare", differentiable=False)
def le(input: Array, other: Array | Number, out: Any = None) -> Array:
    """Where `input <= other`."""
    if input.dtype.kind == "c":
        refuse(input, "le_cpu")
    return k.less_equal(input, other, out)


le.native(lambda input, other: input <= other, "compare")


@operator(*everywhere("gt", "greater"), "Tensor.__gt__", promote="compare", differentiable=False)
def gt(input: Array, other: Array | Number, out: Any = None) -> Array:
    """Where `input > other`."""
    if input.dtype.kind == "c":
        refuse(input, "gt_cpu")
    return k.greater(input, other, out)


gt.native(lambda input, other: input > other, "compare")


@operator(*everywhere("ge", "greater_equal"), "Tensor.__ge__", promote="compare", differentiable=False)
def ge(input: Array, other: Array | Number, out: Any = None) -> Array:
    """Where `input >= other`."""
    if input.dtype.kind == "c":
        refuse(input, "ge_cpu")
    return k.greater_equal(input, other, out)


ge.native(lambda input, other: input >= other, "compare")


@operator("torch.isnan", "Tensor.isnan", differentiable=False, out=False)
def isnan(input: Array) -> Array:
    """Where the elements are NaN."""
    return k.isnan(input)


@operator("torch.isinf", "Tensor.isinf", differentiable=False, out=False)
def isinf(input: Array) -> Array:
    """Where the elements are infinite."""
    return k.isinf(input)


@operator("torch.isfinite", "Tensor.isfinite", differentiable=False, out=False)
def isfinite(input: Array) -> Array:
    """Where the elements are neither infinite nor NaN."""
    return k.isfinite(input)


@operator("torch.isposinf", "Tensor.isposinf", differentiable=False)
def isposinf(input: Array) -> Array:
    """Where the elements are plus infinity."""
    if input.dtype.kind == "c":
        raise RuntimeError("isposinf does not support complex inputs.")
    return k.equal(input, math.inf) if input.dtype.kind in "fV" else k.falses_like(input)


@operator("torch.isneginf", "Tensor.isneginf", differentiable=False)
def isneginf(input: Array) -> Array:
    """Where the elements are minus infinity."""
    if input.dtype.kind == "c":
        raise RuntimeError("isneginf does not support complex inputs.")
    return k.equal(input, -math.inf) if input.dtype.kind in "fV" else k.falses_like(input)


@operator("torch.isreal", "Tensor.isreal", differentiable=False, out=False)
def isreal(input: Array) -> Array:
    """Where the imaginary part is 0."""
    return k.equal(input.imag, 0) if input.dtype.kind == "c" else k.logical_not(k.falses_like(input))


@operator("torch.isclose", "Tensor.isclose", differentiable=False, out=False)
def isclose(input: Array, other: Array, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Array:
    """Where `|input - other| <= atol + rtol * |other|`; equal infinities are close, NaNs if `equal_nan`."""
    if input.dtype != other.dtype:
        raise RuntimeError(f"{SCALAR_NAMES[OF_NUMPY[input.dtype]]} did not match {SCALAR_NAMES[OF_NUMPY[other.dtype]]}")
    for name, value in (("rtol", rtol), ("atol", atol)):
        if not value >= 0:
            raise RuntimeError(f"{name} must be greater than or equal to zero, but got {value}")
    try:
        return k.isclose(input, other, rtol, atol, equal_nan)
    except ValueError:
        raise broadcast_failure(input, other) from None


@composite("torch.allclose", "Tensor.allclose")
def allclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether all elements are close: see `isclose`."""
    return bool(k.all_of(isclose.function(input, other, rtol, atol, equal_nan)._array))


@composite("torch.equal", "Tensor.equal")
def equal(input: Any, other: Any) -> bool:
    """Whether both have the same size and elements."""
    if not isinstance(other, Tensor):
        raise TypeError(f"equal(): argument 'other' (position 2) must be Tensor, not {type(other).__name__}")
    a, b = input._array, other._array
    return a.shape == b.shape and k.same(a, b)


# --- logic and bits --------------------------------------------------------------------------------------------


@operator(*everywhere("logical_and"), promote="compare", differentiable=False)
def logical_and(input: Array, other: Array, out: Any = None) -> Array:
    """Where both are non-zero."""
    return k.logical_and(input, other, out)


@operator(*everywhere("logical_or"), promote="compare", differentiable=False)
def logical_or(input: Array, other: Array, out: Any = None) -> Array:
    """Where either is non-zero."""
    return k.logical_or(input, other, out)


@operator(*everywhere("logical_xor"), promote="compare", differentiable=False)
def logical_xor(input: Array, other: Array, out: Any = None) -> Array:
    """Where just one is non-zero."""
    return k.logical_xor(input, other, out)


@operator(*everywhere("logical_not"), promote="compare", differentiable=False)
def logical_not(input: Array, out: Any = None) -> Array:
    """Where the elements are zero."""
    return k.logical_not(input, out)


def _integers(x: Any, y: Any, name: str, kinds: str = "biu") -> None:
    """Raises NotImplementedError for what has no bits."""
    array = y if x.__class__ in NUMBERS else x
    if array.dtype.kind not in kinds:
        refuse(array, name)


@operator(
    *everywhere("bitwise_and"),
    "Tensor.__and__",
    "Tensor.__rand__",
    "Tensor.__iand__",
    promote="arithmetic",
    differentiable=False,
    takes_numbers=1,
)
def bitwise_and(input: Array, other: Array | Number, out: Any = None) -> Array:
    """The bits that both have."""
    _integers(input, other, "bitwise_and_cpu")
    return k.bitwise_and(input, other, out)


@operator(
    *everywhere("bitwise_or"),
    "Tensor.__or__",
    "Tensor.__ror__",
    "Tensor.__ior__",
    promote="arithmetic",
    differentiable=False,
    takes_numbers=1,
)
def bitwise_or(input: Array, other: Array | Number, out: Any = None) -> Array:
    """The bits that either has."""
    _integers(input, other, "bitwise_or_cpu")
    return k.bitwise_or(input, other, out)


@operator(
    *everywhere("bitwise_xor"),
    "Tensor.__xor__",
    "Tensor.__rxor__",
    "Tensor.__ixor__",
    promote="arithmetic",
    differentiable=False,
    takes_numbers=1,
)
def bitwise_xor(input: Array, other: Array | Number, out: Any = None) -> Array:
    """The bits that just one has."""
    _integers(input, other, "bitwise_xor_cpu")
    return k.bitwise_xor(input, other, out)


@operator(*everywhere("bitwise_not"), promote="arithmetic", differentiable=False)
def bitwise_not(input: Array, out: Any = None) -> Array:
    """All bits the other way; of booleans, the opposite."""
    if input.dtype.kind not in "biu":
        refuse(input, "bitwise_not_cpu")
    return k.invert(input, out)


@composite("Tensor.__invert__")
def _invert(self: Any) -> Any:
    """`~self`. Raises TypeError unless the elements are integers or booleans."""
    if self._array.dtype.kind not in "biu":
        raise TypeError("~ (operator.invert) is only implemented on integer and Boolean-type tensors")
    return bitwise_not.function(self)


@operator(*everywhere("bitwise_left_shift"), "Tensor.__lshift__", "Tensor.__ilshift__", promote="arithmetic", differentiable=False)
def bitwise_left_shift(input: Array | Number, other: Array | Number, out: Any = None) -> Array:
    """The bits moved up by `other` places; 0 where that is out of range."""
    _integers(input, other, "lshift_cpu", "iu")
    return k.left_shift(input, other, out)


@operator(*everywhere("bitwise_right_shift"), "Tensor.__rshift__", "Tensor.__irshift__", promote="arithmetic", differentiable=False)
def bitwise_right_shift(input: Array | Number, other: Array | Number, out: Any = None) -> Array:
    """The bits moved down by `other` places, the sign filling up."""
    _integers(input, other, "rshift_cpu", "iu")
    return k.right_shift(input, other, out)


reversed_operands("__rlshift__", bitwise_left_shift.function)
reversed_operands("__rrshift__", bitwise_right_shift.function)


# --- choices ---------------------------------------------------------------------------------------------------


@operator()
def where(condition: Array, input: Array | Number, other: Array | Number, into: Any = None) -> Array:
    """`input` where the condition holds, else `other`."""
    result = k.where(condition, input, other, into)
    if condition.flags.c_contiguous:
        return result
    return laid_out(result, condition, *[x for x in (input, other) if x.__class__ not in NUMBERS])


where.derivative(
    input=lambda F, grad, condition: F.where(condition, grad, 0.0),
    other=lambda F, grad, condition: F.where(condition, 0.0, grad),
)
_where = where.function


@composite("torch.where", hot=True)
def where_any(condition: Any, input: Any = None, other: Any = None, *, out: Any = None) -> Any:
    """`input` where `condition` (booleans) holds, else `other`; without both, the indices where it holds, as a tuple."""
    try:
        if input is None and other is None:
            return tensors.nonzero(condition, as_tuple=True)
        if condition.__class__ in PLAIN and condition._array.dtype.kind != "b":
            if condition._array.dtype.char != "B":
                raise RuntimeError(
                    f"where expected condition to be a boolean tensor, but got a tensor with dtype {SCALAR_NAMES[condition.dtype]}"
                )
            import warnings

            warnings.warn(
                "where received a uint8 condition tensor. This behavior is deprecated and will be removed in a future version of PyTorch. "
                "Use a boolean condition instead.",
                stacklevel=2,
            )
            condition = ne.function(condition, 0)
        try:
            return _where(condition, input, other, out=out)
        except ValueError:
            raise broadcast_failure(*(getattr(x, "_array", x) for x in (condition, input, other))) from None
        except TypeError:
            if isinstance(condition, Tensor) and all(isinstance(x, Tensor) or x.__class__ in NUMBERS for x in (input, other)):
                raise
            raise TypeError("where() takes a tensor as the condition, and tensors or numbers") from None
    except Exception as error:
        raise explained_here(error, "torch.where")


@composite("Tensor.where", hot=True)
def where_method(self: Any, condition: Any, other: Any) -> Any:
    """`self` where the condition holds, else `other`."""
    try:
        return where_any(condition, self, other)
    except Exception as error:
        raise explained_here(error, "Tensor.where")


# --- writing ---------------------------------------------------------------------------------------------------


@operator(node="torch::autograd::CopyBackwards", out=False)
def copy(input: Array, src: Array) -> Array:
    """`src` in the dtype of `input`."""
    return k.cast(src.real if src.dtype.kind == "c" and input.dtype.kind != "c" else src, input.dtype)


copy.derivative(input=lambda F, grad: F.zeros_like(grad), src=lambda F, grad: grad)


def copy_(self: Any, src: Any, non_blocking: bool = False) -> Any:
    """Writes `src` into this tensor, broadcast and cast. Returns it."""
    if modes.active or type(self) not in PLAIN or type(src) not in PLAIN:
        result = handle_overrides(copy_, (self, src), {})
        if result is not NotImplemented:
            return result
        if isinstance(src, (int, float, complex, np.number)):
            src = wrap(k.full((), src, self._array.dtype))
        if not isinstance(src, Tensor):
            from .arguments import type_name

            raise TypeError(f"copy_(): argument 'other' (position 1) must be Tensor, not {type_name(src)}")
    if grad_mode.enabled and (self._requires_grad or src._requires_grad or self._view is not None or src._view is not None):
        return apply_in_place(copy, self, (src,), "copy_")
    if self._counter is UNVERSIONED:
        UNVERSIONED.check()
    target, source = self._array, src._array
    try:
        if 0 in target.strides and target.size and any(s == 0 and n > 1 for s, n in zip(target.strides, target.shape)):
            raise_overlap()
        if source.ndim > target.ndim:
            return apply_in_place(copy, self, (src,), "copy_")
        copy_into(target, source)
    except ValueError:
        return apply_in_place(copy, self, (src,), "copy_")
    except NotImplementedError:
        if not sparse_among((self, src)):
            raise
        return apply_in_place(copy, self, (src,), "copy_")
    counter = self._counter
    if counter is None:
        self._counter = [1]
    else:
        counter[0] += 1
    return self


attach("Tensor.copy_", copy_)


@operator("torch.fill", overlap=True, node=lambda input, value: f"FillBackward{2 + (value.__class__ not in NUMBERS)}")
def fill(input: Array, value: Array | Number) -> Array:
    """`value` in the shape and dtype of `input`."""
    ndim = getattr(value, "ndim", 0)
    if ndim:
        raise RuntimeError(f"fill_ only supports 0-dimension value tensor but got tensor with {ndim} dimensions.")
    return k.full_like(input, value)


_fill_ = fill.in_places["fill_"] = fill.in_place_stub("fill_")


def fill_(input: Any, value: Any) -> Any:
    """Writes one value everywhere: a number, or a tensor without dimensions. Returns the tensor."""
    if (
        modes.active
        or type(input) not in PLAIN
        or value.__class__ not in NUMBERS
        or grad_mode.enabled
        and (input._requires_grad or input._view is not None)
    ):
        try:
            return _fill_(input, value)
        except Exception as error:
            raise explained_here(error, "Tensor.fill_", "torch.fill_")
    if input._counter is UNVERSIONED:
        UNVERSIONED.check()
    try:
        k.fill(input._array, value)
    except NotImplementedError:
        if not sparse_among((input,)):
            raise
        return _fill_(input, value)
    counter = input._counter
    if counter is None:
        input._counter = [1]
    else:
        counter[0] += 1
    return input


attach("torch.fill_", fill_)
attach("Tensor.fill_", fill_)
fill.derivative(input=lambda F, grad: F.zeros_like(grad), value=lambda F, grad: F.sum(grad))


@operator("torch.zero_", "Tensor.zero_", overlap=True)
def zero(input: Array, out: Any = None) -> Array:
    """Zeros in the shape and dtype of `input`."""
    return k.zeros_like(input, out)


zero.derivative(input=lambda F, grad: F.zeros_like(grad))


# --- promotion -------------------------------------------------------------------------------------------------


@composite("torch.result_type")
def result_type(tensor: Any, other: Any) -> dtype:
    """The dtype of the result of arithmetic on two operands, tensors or numbers."""
    values = []
    for value in (tensor, other):
        if not isinstance(value, (Tensor, int, float, complex)):
            raise TypeError(
                f"result_type() received an invalid combination of arguments - got ({type(tensor).__name__}, {type(other).__name__}), "
                "but expected one of:\n * (Tensor tensor, Tensor other)\n * (Number scalar, Tensor tensor)\n"
                " * (Tensor tensor, Number other)\n * (Number scalar1, Number scalar2)\n"
            )
        values.append(value._array if isinstance(value, Tensor) else value)
    return promotion.result_dtype(*values)


def _dtype_argument(function: str, name: str, position: int, value: Any) -> None:
    if not isinstance(value, dtype):
        raise TypeError(f"{function}(): argument '{name}' (position {position}) must be torch.dtype, not {type(value).__name__}")


@composite("torch.promote_types", hot=True)
def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest dtype that both convert to. Raises RuntimeError for uint16, uint32, uint64 with other integers."""
    _dtype_argument("promote_types", "type1", 1, type1)
    _dtype_argument("promote_types", "type2", 2, type2)
    return promotion.promote_types(type1, type2)


@composite("torch.can_cast", hot=True)
def can_cast(from_: dtype, to: dtype) -> bool:
    """Whether a result of dtype `from_` may be written in place into a tensor of dtype `to`."""
    _dtype_argument("can_cast", "from_", 1, from_)
    _dtype_argument("can_cast", "to", 2, to)
    return promotion.can_cast(from_, to)


# --- NumPy -----------------------------------------------------------------------------------------------------


def _array_wrap(self: Tensor, array: Any, context: Any = None, return_scalar: bool = False) -> Tensor:
    """What NumPy's functions give back for a tensor: a tensor."""
    return wrap(as_array(array.astype("uint8") if array.dtype.kind == "b" else array))


attach("Tensor.__array_wrap__", _array_wrap)
