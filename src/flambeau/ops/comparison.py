"""Comparisons, logic, bits, choices and the writing of values, element by element."""

from __future__ import annotations

from typing import Any

from ..autograd.grad_mode import grad_mode
from ..core.dtype import OF_NUMPY
from ..kernels import elementwise as k
from ..kernels.memory import copy_into
from ..tensor import PLAIN, Tensor
from .definition import NUMBERS, Array, Number, apply_in_place, attach, composite, handle_overrides, modes, operator, raise_overlap
from .pointwise import reversed_operands

# --- comparisons -----------------------------------------------------------------------------------------------


def _names(*names: str, dunder: str = "") -> list[str]:
    """The public names of functions that are also methods and have in-place forms."""
    found = [f"{where}.{name}" for name in names for where in ("torch", "Tensor")] + [f"Tensor.{name}_" for name in names]
    return found + ([f"Tensor.{dunder}"] if dunder else [])


def _real(x: Any, y: Any, name: str) -> None:
    if getattr(x, "dtype", x).kind == "c" or getattr(y, "dtype", None) is not None and y.dtype.kind == "c":
        raise RuntimeError(f'"{name}_cpu" not implemented for \'{"ComplexDouble" if x.dtype.itemsize == 16 else "ComplexFloat"}\'')


@operator(*_names("eq", dunder="__eq__"), promote="compare", differentiable=False)
def eq(input: Array, other: Array | Number) -> Array:
    """Where both are equal."""
    return k.equal(input, other)


@operator(*_names("ne", "not_equal", dunder="__ne__"), promote="compare", differentiable=False)
def ne(input: Array, other: Array | Number) -> Array:
    """Where they differ."""
    return k.not_equal(input, other)


@operator(*_names("lt", "less", dunder="__lt__"), promote="compare", differentiable=False)
def lt(input: Array, other: Array | Number) -> Array:
    """Where `input < other`."""
    if input.dtype.kind == "c":
        _real(input, other, "lt")
    return k.less(input, other)


@operator(*_names("le", "less_equal", dunder="__le__"), promote="compare", differentiable=False)
def le(input: Array, other: Array | Number) -> Array:
    """Where `input <= other`."""
    if input.dtype.kind == "c":
        _real(input, other, "le")
    return k.less_equal(input, other)


@operator(*_names("gt", "greater", dunder="__gt__"), promote="compare", differentiable=False)
def gt(input: Array, other: Array | Number) -> Array:
    """Where `input > other`."""
    if input.dtype.kind == "c":
        _real(input, other, "gt")
    return k.greater(input, other)


@operator(*_names("ge", "greater_equal", dunder="__ge__"), promote="compare", differentiable=False)
def ge(input: Array, other: Array | Number) -> Array:
    """Where `input >= other`."""
    if input.dtype.kind == "c":
        _real(input, other, "ge")
    return k.greater_equal(input, other)


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


# --- logic and bits --------------------------------------------------------------------------------------------


@operator(*_names("logical_and"), promote="compare", differentiable=False)
def logical_and(input: Array, other: Array) -> Array:
    """Where both are non-zero."""
    return k.logical_and(input, other)


@operator(*_names("logical_or"), promote="compare", differentiable=False)
def logical_or(input: Array, other: Array) -> Array:
    """Where either is non-zero."""
    return k.logical_or(input, other)


@operator(*_names("logical_xor"), promote="compare", differentiable=False)
def logical_xor(input: Array, other: Array) -> Array:
    """Where just one is non-zero."""
    return k.logical_xor(input, other)


@operator(*_names("logical_not"), differentiable=False)
def logical_not(input: Array) -> Array:
    """Where the elements are zero."""
    return k.logical_not(input)


def _integers(x: Any, name: str, y: Any = None) -> None:
    """Raises NotImplementedError for what has no bits."""
    if x.dtype.kind not in "biu":
        from ..core.dtype import SCALAR_NAMES

        raise NotImplementedError(f"\"{name}_cpu\" not implemented for '{SCALAR_NAMES[OF_NUMPY[x.dtype]]}'")


@operator(*_names("bitwise_and"), "Tensor.__and__", "Tensor.__rand__", "Tensor.__iand__", promote="arithmetic", differentiable=False)
def bitwise_and(input: Array, other: Array | Number, out: Any = None) -> Array:
    """The bits that both have."""
    _integers(input, "bitwise_and")
    return k.bitwise_and(input, other, out)


@operator(*_names("bitwise_or"), "Tensor.__or__", "Tensor.__ror__", "Tensor.__ior__", promote="arithmetic", differentiable=False)
def bitwise_or(input: Array, other: Array | Number, out: Any = None) -> Array:
    """The bits that either has."""
    _integers(input, "bitwise_or")
    return k.bitwise_or(input, other, out)


@operator(*_names("bitwise_xor"), "Tensor.__xor__", "Tensor.__rxor__", "Tensor.__ixor__", promote="arithmetic", differentiable=False)
def bitwise_xor(input: Array, other: Array | Number, out: Any = None) -> Array:
    """The bits that just one has."""
    _integers(input, "bitwise_xor")
    return k.bitwise_xor(input, other, out)


@operator(*_names("bitwise_not"), "Tensor.__invert__", promote="arithmetic", differentiable=False)
def bitwise_not(input: Array, out: Any = None) -> Array:
    """All bits the other way; of booleans, the opposite."""
    _integers(input, "bitwise_not")
    return k.invert(input, out)


# --- choices ---------------------------------------------------------------------------------------------------


@operator(out=False)
def where(condition: Array, input: Array | Number, other: Array | Number) -> Array:
    """`input` where the condition holds, else `other`."""
    return k.where(condition, input, other)


where.derivative(
    input=lambda F, grad, condition: F.where(condition, grad, 0.0),
    other=lambda F, grad, condition: F.where(condition, 0.0, grad),
)
_where = where.function


@composite("torch.where", hot=True)
def where_any(condition: Any, input: Any = None, other: Any = None, *, out: Any = None) -> Any:
    """`input` where `condition` (booleans) holds, else `other`; without both, the indices where it holds, as a tuple."""
    if input is None and other is None:
        from .definition import tensors

        return tensors.nonzero(condition, as_tuple=True)
    if isinstance(condition, Tensor) and condition._array.dtype.kind != "b":
        raise RuntimeError(
            f"where expected condition to be a boolean tensor, but got a tensor with dtype {_scalar_name(condition)}"
        )
    if out is None:
        return _where(condition, input, other)
    from .definition import write_out

    return write_out(_where(condition, input, other), out)


def _scalar_name(tensor: Tensor) -> str:
    from ..core.dtype import SCALAR_NAMES

    return SCALAR_NAMES[tensor.dtype]


@composite("Tensor.where", hot=True)
def where_method(self: Any, condition: Any, other: Any) -> Any:
    """`self` where the condition holds, else `other`."""
    return where_any(condition, self, other)


# --- writing ---------------------------------------------------------------------------------------------------


@operator(node="CopyBackwards", out=False)
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
        if not isinstance(src, Tensor):
            raise TypeError(f"copy_(): argument 'src' (position 1) must be Tensor, not {type(src).__name__}")
    if grad_mode.enabled and (self._requires_grad or src._requires_grad or self._view is not None or src._view is not None):
        return apply_in_place(copy, self, (src,), "copy_")
    target, source = self._array, src._array
    if 0 in target.strides and any(s == 0 and n > 1 for s, n in zip(target.strides, target.shape)):
        raise_overlap()
    try:
        copy_into(target, source)
    except ValueError:
        return apply_in_place(copy, self, (src,), "copy_")
    counter = self._counter
    if counter is None:
        self._counter = [1]
    else:
        counter[0] += 1
    return self


attach("Tensor.copy_", copy_)


@operator("torch.fill_", "torch.fill", "Tensor.fill_", node=lambda input, value: f"FillBackward{2 + (value.__class__ not in NUMBERS)}")
def fill(input: Array, value: Array | Number) -> Array:
    """`value` in the shape and dtype of `input`."""
    if value.__class__ not in NUMBERS and value.ndim:
        raise RuntimeError(f"fill_ only supports 0-dimension value tensor but got tensor with {value.ndim} dimensions.")
    return k.full_like(input, value)


fill.derivative(input=lambda F, grad: F.zeros_like(grad), value=lambda F, grad: F.sum(grad))


@operator("torch.zero_", "Tensor.zero_")
def zero(input: Array, out: Any = None) -> Array:
    """Zeros in the shape and dtype of `input`."""
    return k.zeros_like(input, out)


zero.derivative(input=lambda F, grad: F.zeros_like(grad))

reversed_operands("__rand__", bitwise_and.function)
