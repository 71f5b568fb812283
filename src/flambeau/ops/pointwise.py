"""Arithmetic, element by element."""

from __future__ import annotations

from typing import Any

from ..core.dtype import SCALAR_NAMES, complex128, float64, int64
from ..core.promotion import rounded
from ..kernels import division, memory
from ..kernels import elementwise as k
from ..kernels.compiler import expression as e
from ..kernels.memory import sum_to
from ..tensor import Tensor
from .definition import NUMBERS, Array, Number, apply_in_place, attach, composite, explained_here, formula_function, operator, tensors
from .running import laid_out, ndarray
from .running import refuse as refuse

# What the engine and the formulas need in both forms. Over Tensors the names resolve when they are called.
formula_function("sum_to", sum_to, lambda x, shape: tensors.sum_to_size(x, shape))
formula_function(
    "cast", lambda x, dtype: k.cast(x.real if x.dtype.kind == "c" and dtype.kind != "c" else x, dtype), lambda x, d: tensors.to_dtype(x, d)
)


def everywhere(*names: str, function_in_place: bool = False) -> list[str]:
    """The public names of functions that are also methods and have in-place forms."""
    found = [f"{where}.{name}" for name in names for where in ("torch", "Tensor")] + [f"Tensor.{name}_" for name in names]
    return found + [f"torch.{name}_" for name in names] if function_in_place else found


def undefined(name: str) -> Any:
    """The formula of a function that is recorded but, as in PyTorch, has no derivative."""

    def formula(F: Any, grad: Any) -> Any:
        raise RuntimeError(f"derivative for aten::{name} is not implemented")

    return formula


# --- sums and products -----------------------------------------------------------------------------------------


def check_alpha(x: Any, y: Any, alpha: Any) -> None:
    """Raises RuntimeError where the multiplier of add or sub is of a higher category than the operands."""
    dtype = getattr(x, "dtype", None) or y.dtype
    if alpha.__class__ is bool:
        if dtype.kind != "b":
            raise RuntimeError("Boolean alpha only supported for Boolean results.")
    elif alpha.__class__ is float:
        if dtype.kind in "biu":
            raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")
    elif alpha.__class__ is complex:
        if dtype.kind != "c":
            raise RuntimeError("For non-complex input tensors, argument alpha must not be a complex number.")
    elif not hasattr(alpha, "__float__") or hasattr(alpha, "_array"):
        raise TypeError(f"add(): argument 'alpha' must be Number, not {type(alpha).__name__}")


def beside(x: Any, number: Any) -> Any:
    """A number in the dtype of the floating-point array beside it: two numbers multiplied would be float64 for NumPy."""
    return memory.asarray(number, x.dtype) if x.__class__ is ndarray and x.dtype.kind in "fc" else number


@operator(
    "torch.add",
    "Tensor.add",
    "Tensor.add_",
    "Tensor.__add__",
    "Tensor.__radd__",
    "Tensor.__iadd__",
    promote="arithmetic",
    rounds_number=True,
    takes_numbers=2,
    legacy="alpha",
)
def add(input: Array, other: Array | Number, *, alpha: Any = 1, out: Any = None) -> Array:
    """`input + alpha * other`, broadcast."""
    if alpha.__class__ is int and alpha == 1:
        return k.add(input, other, out)
    check_alpha(input, other, alpha)
    return k.add_scaled(input, beside(input, other) if other.__class__ in NUMBERS else other, alpha, out)


add.derivative(input=lambda F, grad: grad, other=lambda F, grad, alpha: grad if alpha == 1 else grad * F.conj(alpha))
add.native(lambda input, other: input + other)


def check_subtraction(x: Any, y: Any) -> None:
    """Raises RuntimeError where booleans are subtracted, as PyTorch does."""
    bools = [(z.__class__ is bool if z.__class__ in NUMBERS else z.dtype.kind == "b") for z in (x, y)]
    if all(bools):
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` operator instead."
        )
    if any(bools):
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, use the `~` or "
            "`logical_not()` operator instead."
        )


@operator(
    *everywhere("sub", "subtract"),
    "Tensor.__sub__",
    "Tensor.__isub__",
    promote="arithmetic",
    rounds_number=True,
    check=check_subtraction,
    takes_numbers=2,
    legacy="alpha",
)
def sub(input: Array, other: Array | Number, *, alpha: Any = 1, out: Any = None) -> Array:
    """`input - alpha * other`, broadcast. Raises RuntimeError for booleans."""
    if input.dtype.kind == "b":
        check_subtraction(input, other)
    if alpha.__class__ is int and alpha == 1:
        return k.subtract(input, other, out)
    check_alpha(input, other, alpha)
    return k.add_scaled(input, beside(input, other) if other.__class__ in NUMBERS else other, -alpha, out)


sub.derivative(input=lambda F, grad: grad, other=lambda F, grad, alpha: -grad if alpha == 1 else grad * -F.conj(alpha))
sub.native(lambda input, other: input - other)


@operator(
    "torch.rsub",
    "Tensor.__rsub__",
    promote="arithmetic",
    rounds_number=True,
    check=check_subtraction,
    node=lambda input, other, alpha: f"RsubBackward{int(other.__class__ in NUMBERS)}",
)
def rsub(input: Array, other: Array | Number, alpha: Any = 1, *, out: Any = None) -> Array:
    """`other - alpha * input`, broadcast. Raises RuntimeError for booleans."""
    if input.dtype.kind == "b":
        check_subtraction(input, other)
    if alpha.__class__ is int and alpha == 1:
        return k.subtract(other, input, out)
    check_alpha(input, other, alpha)
    return k.add_scaled(other, input, -alpha, out)


rsub.derivative(input=lambda F, grad, alpha: -grad if alpha == 1 else grad * -F.conj(alpha), other=lambda F, grad: grad)
rsub.native(lambda input, other: other - input)


@operator(
    *everywhere("mul", "multiply"),
    "Tensor.__mul__",
    "Tensor.__rmul__",
    "Tensor.__imul__",
    promote="arithmetic",
    takes_numbers=2,
)
def mul(input: Array, other: Array | Number, out: Any = None) -> Array:
    """`input * other`, broadcast."""
    return k.multiply(input, other, out)


mul.derivative(
    input=lambda F, grad, other: F.mul(grad, F.conj(other)),
    other=lambda F, grad, input: F.mul(grad, F.conj(input)),
)
mul.native(lambda input, other: input * other)


# --- quotients -------------------------------------------------------------------------------------------------


@operator(
    "Tensor.__truediv__", "Tensor.__div__", "Tensor.__itruediv__", "Tensor.__idiv__", promote="float", node="DivBackward0", takes_numbers=2
)
def true_divide(input: Array, other: Array | Number, out: Any = None) -> Array:
    """`input / other`, broadcast; integers become the default floating-point dtype."""
    return k.divide(input, other, out)


true_divide.derivative(
    input=lambda F, grad, other: grad / F.conj(other),
    other=lambda F, grad, input, other: -grad * F.conj((input / other) / other),
)
true_divide.native(lambda input, other: input / other)


@operator(
    *everywhere("floor_divide"), "Tensor.__floordiv__", "Tensor.__ifloordiv__", promote="arithmetic", node="NotImplemented", takes_numbers=2
)
def floor_divide(input: Array, other: Array | Number, out: Any = None) -> Array:
    """The quotient rounded towards minus infinity. Raises RuntimeError (ZeroDivisionError) for an integer division by 0."""
    if input.dtype.kind in "bc":
        refuse(input, "div_floor_cpu")
    return division.floor_divide(input, other, out)


floor_divide.derivative(input=undefined("floor_divide"), other=undefined("floor_divide"))


@operator(promote="arithmetic", node="DivBackward2", takes_numbers=2)
def div_rounded(input: Array, other: Array | Number, rounding_mode: Any, out: Any = None) -> Array:
    """The quotient rounded by `rounding_mode`, "trunc" or "floor"."""
    if input.dtype.kind in "bc" and rounding_mode in ("floor", "trunc"):
        refuse(input, f"div_{rounding_mode}_cpu")
    if rounding_mode == "floor":
        return division.floor_divide(input, other, out)
    if rounding_mode == "trunc":
        return division.trunc_divide(input, other, out)
    raise RuntimeError(f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'")


div_rounded.derivative(input=lambda F, grad: F.zeros_like(grad), other=lambda F, grad: F.zeros_like(grad))
formula_function("zeros_like", lambda x: k.zeros_like(x), lambda x: tensors.wrap(k.zeros_like(x._array)))


@composite("torch.div", "torch.divide", "Tensor.div", "Tensor.divide", hot=True)
def div(input: Any, other: Any, *, rounding_mode: str | None = None, out: Any = None) -> Any:
    """`input / other`, broadcast; with `rounding_mode` "trunc" or "floor" rounded, in the operands' own dtype."""
    try:
        if rounding_mode is None:
            return true_divide.function(input, other, out=out)
        return div_rounded.function(input, other, rounding_mode, out=out)
    except Exception as error:
        raise explained_here(error, "Tensor.div", "torch.div")


@composite("Tensor.div_", "Tensor.divide_", hot=True)
def div_(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """`div`, in place."""
    try:
        if rounding_mode is None:
            return _true_divide_(input, other)
        return apply_in_place(div_rounded, input, (other, rounding_mode), "div_")
    except Exception as error:
        raise explained_here(error, "Tensor.div_")


attach("torch.true_divide", true_divide.function)
attach("Tensor.true_divide", true_divide.function)
_true_divide_ = true_divide.in_places["true_divide_"] = true_divide.in_place_stub("true_divide_")
attach("Tensor.true_divide_", _true_divide_)


def _is_number(value: Any) -> bool:
    return value.__class__ in NUMBERS


@operator(
    "torch.remainder",
    "Tensor.remainder",
    "Tensor.remainder_",
    "Tensor.__mod__",
    "Tensor.__imod__",
    promote="arithmetic",
    rounds_number=True,
    node=lambda input, other: f"RemainderBackward{1 - _is_number(other)}" if not _is_number(input) else "NotImplemented",
)
def remainder(input: Array | Number, other: Array | Number, out: Any = None) -> Array:
    """The remainder with the divisor's sign. Raises RuntimeError (ZeroDivisionError) for integers and divisor 0."""
    array: Any = other if input.__class__ in NUMBERS else input
    if array.dtype.kind in "bc":
        refuse(array, "remainder_cpu")
    return division.remainder(input, other, out)


remainder.derivative(
    input=lambda F, grad: grad,
    other=lambda F, grad, input, other: -grad * F.div_rounded(input, other, "floor"),
)


@operator(
    "torch.fmod",
    "Tensor.fmod",
    "Tensor.fmod_",
    promote="arithmetic",
    rounds_number=True,
    node=lambda input, other: f"FmodBackward{1 - _is_number(other)}",
)
def fmod(input: Array, other: Array | Number, out: Any = None) -> Array:
    """The remainder with the dividend's sign. Raises RuntimeError (ZeroDivisionError) for integers and divisor 0."""
    if input.dtype.kind in "bc":
        refuse(input, "fmod_cpu")
    return division.fmod(input, other, out)


fmod.derivative(input=lambda F, grad: grad, other=lambda F, grad, input, other: -grad * F.div_rounded(input, other, "trunc"))


# --- powers ----------------------------------------------------------------------------------------------------


def _pow_node(input: Any, exponent: Any) -> str:
    return "PowBackward0" if _is_number(exponent) else "PowBackward2" if _is_number(input) else "PowBackward1"


def _check_exponent(x: Any, exponent: Any) -> None:
    """Raises RuntimeError for integers to a negative power."""
    if exponent.__class__ is int and exponent < 0 and x.dtype.kind in "biu":
        raise RuntimeError("Integers to negative integer powers are not allowed.")


@operator(
    "torch.pow",
    "Tensor.pow",
    "Tensor.pow_",
    "Tensor.__pow__",
    "Tensor.__ipow__",
    promote="arithmetic",
    rounds_number=True,
    node=_pow_node,
    check=_check_exponent,
)
def pow(input: Array | Number, exponent: Array | Number, out: Any = None) -> Array:
    """`input ** exponent`, broadcast. Raises RuntimeError for an integer tensor with a negative number as exponent."""
    array: Any = exponent if input.__class__ in NUMBERS else input
    if array.dtype.kind == "b" and exponent.__class__ is not bool:
        refuse(array, "pow")
    return k.power(input, exponent, out)


def _pow_input(F: Any, grad: Any, input: Any, exponent: Any) -> Any:
    if exponent.__class__ in NUMBERS:
        if exponent == 0:
            return F.zeros_like(grad)
        if exponent == 2:
            return grad * F.conj(input * 2.0)
        return grad * F.conj(F.pow(input, exponent - 1) * exponent)
    return F.where(exponent == 0.0, 0.0, grad * F.conj(exponent * F.pow(input, exponent - 1)))


def _pow_exponent(F: Any, grad: Any, input: Any, exponent: Any, result: Any) -> Any:
    if input.__class__ in NUMBERS:
        import cmath
        import math

        if input == 0:
            return F.where(
                exponent >= 0.0 if not F.is_complex(exponent) else F.real(exponent) >= 0.0, 0.0, grad * F.conj(result * -math.inf)
            )
        log = cmath.log(input) if isinstance(input, complex) or F.is_complex(exponent) else math.log(input) if input > 0 else math.nan
        return grad * F.conj(result * log)
    positive = exponent >= 0.0 if not F.is_complex(exponent) else F.real(exponent) >= 0.0
    return F.where((input == 0.0) & positive, 0.0, grad * F.conj(result * F.log(input)))


pow.derivative(input=_pow_input, exponent=_pow_exponent)
pow.native(lambda input, exponent: input * input, constant=2.0)
formula_function("is_complex", lambda x: x.dtype.kind == "c", lambda x: x._array.dtype.kind == "c")


@operator("torch.square", "torch.square_", "Tensor.square", "Tensor.square_", node="PowBackward0")
def square(input: Array, out: Any = None) -> Array:
    """`input ** 2`; of booleans, integers."""
    return k.square(input if input.dtype.kind != "b" else k.cast(input, int64.numpy), out)


square.derivative(input=lambda F, grad, input: grad * F.conj(input * 2.0))


@composite("torch.float_power", "Tensor.float_power")
def float_power(input: Any, exponent: Any, *, out: Any = None) -> Any:
    """`pow` computed in float64, or complex128 where an operand is complex."""
    complex_ = any(isinstance(x, complex) or isinstance(x, Tensor) and x.is_complex() for x in (input, exponent))
    to = complex128 if complex_ else float64
    base, power = (x.to(to) if isinstance(x, Tensor) else complex(x) if complex_ else float(x) for x in (input, exponent))
    return pow.function(base, power, out=out)


@composite("Tensor.float_power_")
def float_power_(input: Any, exponent: Any) -> Any:
    """`float_power`, in place; only a float64 or complex128 tensor can hold the result."""
    complex_ = any(isinstance(x, complex) or isinstance(x, Tensor) and x.is_complex() for x in (input, exponent))
    to = complex128 if complex_ else float64
    if input.dtype is not to:
        raise RuntimeError(
            f"the base given to float_power_ has dtype {SCALAR_NAMES[input.dtype]} but the operation's result requires dtype "
            f"{SCALAR_NAMES[to]}"
        )
    return input.pow_(exponent.to(to) if isinstance(exponent, Tensor) else complex(exponent) if complex_ else float(exponent))


def reversed_operands(name: str, function: Any) -> None:
    """Attaches a reflected dunder: `function(other, self)`."""

    def reflected(self: Any, other: Any) -> Any:
        if not isinstance(self, Tensor):
            raise TypeError(f"descriptor '{name}' requires a 'torch.Tensor' object but received '{type(self).__name__}'")
        try:
            return function(other, self)
        except TypeError:
            return NotImplemented

    reflected.__name__ = reflected.__qualname__ = name
    attach(f"Tensor.{name}", reflected)


def _rtruediv(self: Any, other: Any) -> Any:
    if other.__class__ not in NUMBERS and not isinstance(other, (Tensor, int, float, complex)) and not hasattr(other, "dtype"):
        return NotImplemented
    return reciprocal.function(self) * other


_rtruediv.__name__ = "__rtruediv__"
attach("Tensor.__rtruediv__", _rtruediv)
attach("Tensor.__rdiv__", _rtruediv)
reversed_operands("__rpow__", pow.function)
reversed_operands("__rmod__", remainder.function)
reversed_operands("__rfloordiv__", floor_divide.function)


# --- signs and roots -------------------------------------------------------------------------------------------


@operator(*everywhere("neg", "negative", function_in_place=True), "Tensor.__neg__", promote="arithmetic")
def neg(input: Array, out: Any = None) -> Array:
    """`-input`. Raises RuntimeError for booleans."""
    if input.dtype.kind == "b":
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use the `~` or "
            "`logical_not()` operator instead."
        )
    return k.negative(input, out)


neg.derivative(input=lambda F, grad: -grad)
neg.native(lambda input: -input)


@composite("torch.positive", "Tensor.positive", "Tensor.__pos__")
def positive(input: Any) -> Any:
    """The tensor itself. Raises RuntimeError for booleans."""
    if input._array.dtype.kind == "b":
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


@operator("torch.abs", "torch.absolute", "torch.abs_", "Tensor.abs", "Tensor.absolute", "Tensor.abs_", "Tensor.absolute_", "Tensor.__abs__")
def abs(input: Array, out: Any = None) -> Array:
    """The absolute value; of complex numbers, real."""
    if input.dtype.kind == "b":
        refuse(input, "abs_cpu")
    if out is not None and input.dtype.kind == "c":
        raise RuntimeError("In-place abs is not supported for complex tensors.")
    return k.absolute(input, out)


abs.derivative(input=lambda F, grad, input: grad * F.sgn(input))


@operator("torch.sgn", "Tensor.sgn", "Tensor.sgn_")
def sgn(input: Array, out: Any = None) -> Array:
    """`input / abs(input)`, and 0 for 0; the sign of real numbers."""
    return k.sgn(input, out)


def _sgn_input(F: Any, grad: Any, input: Any, result: Any) -> Any:
    if not F.is_complex(input):
        return F.zeros_like(grad)
    size = F.abs(input)
    return F.where(size == 0.0, 0.0, (grad - F.real(grad * F.conj(result)) * result) / size)


sgn.derivative(input=_sgn_input)


@operator("torch.conj_physical_", "Tensor.conj_physical_", node="ConjPhysicalBackward0")
def conj_physical(input: Array, out: Any = None) -> Array:
    """The complex conjugate."""
    return k.conjugate(input, out) if input.dtype.kind == "c" else k.positive(input, out) if input.dtype.kind != "b" else input.copy()


conj_physical.derivative(input=lambda F, grad: F.conj(grad))


@operator(node="ConjBackward0")
def conjugated(input: Array) -> Array:
    """The complex conjugate, as `conj` gives it."""
    return k.conjugate(input)


conjugated.derivative(input=lambda F, grad: F.conj(grad))


@composite("torch.conj_physical", "Tensor.conj_physical")
def _conj_physical(input: Any, *, out: Any = None) -> Any:
    """The complex conjugate in new memory; a real tensor itself."""
    if out is None and input._array.dtype.kind != "c":
        return input
    return conj_physical.function(input, out=out)


@composite("torch.resolve_conj", "torch.resolve_neg", "Tensor.resolve_conj", "Tensor.resolve_neg", hot=True)
def _same(input: Any) -> Any:
    return input


@composite("torch.conj", "Tensor.conj", hot=True)
def conj(input: Any) -> Any:
    """The complex conjugate; a real tensor itself."""
    if input.__class__ in NUMBERS:
        return input.conjugate()
    return conjugated.function(input) if input._array.dtype.kind == "c" else input


formula_function("conj", k.conj, conj)


@operator("torch.sign", "Tensor.sign", "Tensor.sign_")
def sign(input: Array, out: Any = None) -> Array:
    """-1, 0 or 1. Raises RuntimeError for complex numbers."""
    if input.dtype.kind == "c":
        raise NotImplementedError("Unlike NumPy, torch.sign is not intended to support complex numbers. Please use torch.sgn instead.")
    return k.sign(input, out)


sign.derivative(input=lambda F, grad: F.zeros_like(grad))


@operator("torch.sqrt", "torch.sqrt_", "Tensor.sqrt", "Tensor.sqrt_", promote="float")
def sqrt(input: Array, out: Any = None) -> Array:
    """The square root."""
    return k.sqrt(input, out)


sqrt.derivative(input=lambda F, grad, result: grad / F.conj(result * 2.0))
sqrt.native(lambda input: e.torch_sqrt(input))


@operator("torch.rsqrt", "torch.rsqrt_", "Tensor.rsqrt", "Tensor.rsqrt_", promote="float")
def rsqrt(input: Array, out: Any = None) -> Array:
    """`1 / sqrt(input)`."""
    return k.rsqrt(input, out=out)


rsqrt.derivative(
    input=lambda F, grad, result: (grad * -0.5) * (F.conj(result * result * result) if F.is_complex(result) else F.pow(result, 3))
)


@operator("torch.reciprocal", "torch.reciprocal_", "Tensor.reciprocal", "Tensor.reciprocal_", promote="float")
def reciprocal(input: Array, out: Any = None) -> Array:
    """`1 / input`."""
    return k.reciprocal(input, out)


reciprocal.derivative(input=lambda F, grad, result: -grad * F.conj(result * result))


# --- bounds ----------------------------------------------------------------------------------------------------


@operator("torch.maximum", "Tensor.maximum", promote="arithmetic")
def maximum(input: Array, other: Array, out: Any = None) -> Array:
    """The larger of both; NaN where either is."""
    if input.dtype.kind == "c":
        raise RuntimeError("maximum not implemented for complex tensors.")
    return k.maximum(input, other, out)


def _shared_at_ties(larger: Any) -> dict[str, Any]:
    """The gradient goes to the operand that was taken, halved where both are equal."""
    return dict(
        input=lambda F, grad, input, other: F.where(input == other, grad * 0.5, F.where(larger(other, input), 0.0, grad)),
        other=lambda F, grad, input, other: F.where(input == other, grad * 0.5, F.where(larger(input, other), 0.0, grad)),
    )


maximum.derivative(**_shared_at_ties(lambda a, b: a > b))


@operator("torch.minimum", "Tensor.minimum", promote="arithmetic")
def minimum(input: Array, other: Array, out: Any = None) -> Array:
    """The smaller of both; NaN where either is."""
    if input.dtype.kind == "c":
        raise RuntimeError("minimum not implemented for complex tensors.")
    return k.minimum(input, other, out)


minimum.derivative(**_shared_at_ties(lambda a, b: a < b))


@operator(node="ClampBackward1")
def clamp_numbers(input: Array, min: Any, max: Any, out: Any = None) -> Array:
    """The values held between two numbers, either of which may be None."""
    if input.dtype.kind in "biuc":
        if out is not None:
            return k.write(out, clamp_numbers.forward(input, min, max))
        if input.dtype.kind == "c":
            raise NotImplementedError("clamp is not supported for complex types")
        to = k.result_numpy(input, *(b for b in (min, max) if b is not None))
        input = k.cast(input, to) if to != input.dtype else input
    elif input.dtype.itemsize == 2:
        min, max = (bound if bound is None else rounded(bound, input.dtype) for bound in (min, max))
    return k.clamp(input, min, max, out)


_clamp_numbers_ = clamp_numbers.in_places["clamp_"] = clamp_numbers.in_place_stub("clamp_")


def _clamp_numbers_input(F: Any, grad: Any, input: Any, min: Any, max: Any) -> Any:
    if max is None:
        return F.where(input >= min, grad, 0.0) if min == min else F.zeros_like(grad)
    if min is None:
        return F.where(input <= max, grad, 0.0)
    return F.where((input >= min) & (input <= max), grad, 0.0)


clamp_numbers.derivative(input=_clamp_numbers_input)


@operator(node="ClampBackward0")
def clamp_tensors(input: Array, min: Array | None, max: Array | None, into: Any = None) -> Array:
    """The values held between two tensors, either of which may be None."""
    if input.dtype.kind == "c":
        raise NotImplementedError("clamp is not supported for complex types")
    to = k.result_numpy(input, *(b for b in (min, max) if b is not None))
    if to.kind == "c":
        refuse(memory.empty((), to), "maximum_cpu" if max is None else "minimum_cpu" if min is None else "clamp_cpu")
    given, low, high = [x if x is None or x.dtype == to else k.cast(x, to) for x in (input, min, max)]
    shape = input.shape
    if into is not None and into.dtype is to and into.shape == shape and all(x is None or x.shape == shape for x in (min, max)):
        return k.clamp(given, low, high, into)
    result = k.clamp(given, low, high)
    return result if input.flags.c_contiguous else laid_out(result, *[x for x in (input, min, max) if x is not None])


def _clamp_bounds(F: Any, input: Any, min: Any, max: Any) -> Any:
    if min is None:
        return input <= max
    return input >= min if max is None else (input >= min) & (input <= max)


clamp_tensors.derivative(
    input=lambda F, grad, input, min, max: F.where(_clamp_bounds(F, input, min, max), grad, 0.0),
    min=lambda F, grad, input, min, max: F.where(input < min if max is None else (input < min) & (min < max), grad, 0.0),
    max=lambda F, grad, input, min, max: F.where(input > max if min is None else (input > max) | (max < min), grad, 0.0),
)


@operator(
    "torch.clamp_min",
    "torch.clamp_min_",
    "Tensor.clamp_min",
    "Tensor.clamp_min_",
    promote="arithmetic",
    rounds_number=True,
    node=lambda input, min: f"ClampMinBackward{1 - _is_number(min)}",
)
def clamp_min(input: Array, min: Array | Number, out: Any = None) -> Array:
    """The values, but at least `min`."""
    if input.dtype.kind == "c":
        raise NotImplementedError("clamp is not supported for complex types")
    return k.maximum(input, min, out)


clamp_min.derivative(
    input=lambda F, grad, input, min: F.where(input >= min, grad, 0.0),
    min=lambda F, grad, input, min: F.where(input < min, grad, 0.0),
)


@operator(
    "torch.clamp_max",
    "torch.clamp_max_",
    "Tensor.clamp_max",
    "Tensor.clamp_max_",
    promote="arithmetic",
    rounds_number=True,
    node=lambda input, max: f"ClampMaxBackward{1 - _is_number(max)}",
)
def clamp_max(input: Array, max: Array | Number, out: Any = None) -> Array:
    """The values, but at most `max`."""
    if input.dtype.kind == "c":
        raise NotImplementedError("clamp is not supported for complex types")
    return k.minimum(input, max, out)


clamp_max.derivative(
    input=lambda F, grad, input, max: F.where(input <= max, grad, 0.0),
    max=lambda F, grad, input, max: F.where(input > max, grad, 0.0),
)


REAL = frozenset((int, float))


def _bounds(min: Any, max: Any, name: str = "clamp") -> tuple[Any, Any, bool]:
    """The bounds as the operators take them, and whether they are tensors."""
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    tensor = isinstance(min, Tensor) or isinstance(max, Tensor)
    found = []
    for bound in (min, max):
        if bound is None or isinstance(bound, Tensor) or not tensor and bound.__class__ in NUMBERS:
            found.append(bound)
        elif not tensor and hasattr(bound, "item"):  # a NumPy scalar
            found.append(bound.item())
        else:
            given = [type(b).__name__ for b in (min, max) if b is not None]
            wrong = ", ".join(f"!{name}!" for name in given)
            why = f"      didn't match because some of the arguments have invalid types: ({wrong})\n" if len(given) == 2 else ""
            raise TypeError(
                f"{name}() received an invalid combination of arguments - got ({', '.join(given)}), but expected one of:\n"
                f" * (Tensor min = None, Tensor max = None)\n{why} * (Number min = None, Number max = None)\n{why}"
            )
        if bound.__class__ is complex:
            raise RuntimeError("value cannot be converted to type double without overflow")
    return found[0], found[1], tensor


@composite("torch.clamp", "torch.clip", "Tensor.clamp", "Tensor.clip", hot=True)
def clamp(input: Any, min: Any = None, max: Any = None, *, out: Any = None) -> Any:
    """The values held between `min` and `max`: numbers, or tensors that broadcast with `input`."""
    try:
        if min.__class__ in REAL and max.__class__ in REAL and out is None:
            return clamp_numbers.function(input, min, max)
        min, max, tensor = _bounds(min, max)
        return clamp_tensors.function(input, min, max, out=out) if tensor else clamp_numbers.function(input, min, max, out=out)
    except Exception as error:
        raise explained_here(error, "Tensor.clamp", "torch.clamp")


@composite("torch.clamp_", "torch.clip_", "Tensor.clamp_", "Tensor.clip_", hot=True)
def clamp_(input: Any, min: Any = None, max: Any = None) -> Any:
    """`clamp`, in place."""
    try:
        if min.__class__ in REAL and max.__class__ in REAL:
            return _clamp_numbers_(input, min, max)
        min, max, tensor = _bounds(min, max, "clamp_")
        return apply_in_place(clamp_tensors if tensor else clamp_numbers, input, (min, max), "clamp_")
    except Exception as error:
        raise explained_here(error, "Tensor.clamp_", "torch.clamp_")
