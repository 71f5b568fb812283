"""Rounding, parts of floating-point numbers, interpolation, fused products, divisors: element by element."""

from __future__ import annotations

import math
from typing import Any

from ..core.dtype import OF_NUMPY, SCALAR_NAMES
from ..core.return_types import return_type
from ..kernels import elementwise as k
from .definition import NUMBERS, Array, Number, formula_function, operator
from .pointwise import everywhere, refuse, undefined
from .running import laid_out

# --- rounding --------------------------------------------------------------------------------------------------


def _round_names(*names: str) -> list[str]:
    return everywhere(*names, function_in_place=True)


def _zero_gradient(F: Any, grad: Any) -> Any:
    return F.zeros_like(grad)


@operator(*_round_names("floor"))
def floor(input: Array, out: Any = None) -> Array:
    """The greatest integer not above."""
    if input.dtype.kind in "bc":
        _no_rounding(input, "floor")
    return k.floor(input, out)


def _no_rounding(input: Any, name: str) -> None:
    if input.dtype.kind == "c":
        raise NotImplementedError(f"{name} is not supported for complex inputs")
    refuse(input, f"{name}_vml_cpu")


@operator(*_round_names("ceil"))
def ceil(input: Array, out: Any = None) -> Array:
    """The least integer not below."""
    if input.dtype.kind in "bc":
        _no_rounding(input, "ceil")
    return k.ceil(input, out)


@operator(*_round_names("trunc", "fix"))
def trunc(input: Array, out: Any = None) -> Array:
    """The integer part."""
    if input.dtype.kind in "bc":
        _no_rounding(input, "trunc")
    return k.trunc(input, out)


@operator(*_round_names("round"), "special.round", node=lambda input, decimals: f"RoundBackward{int(decimals != 0)}")
def round(input: Array, *, decimals: int = 0, out: Any = None) -> Array:
    """The nearest integer, the even one if there are two; or the nearest multiple of `10**-decimals`."""
    if decimals == 0:
        if input.dtype.kind in "bc":
            refuse(input, "round_vml_cpu")
        return k.rint(input, out) if input.dtype.kind not in "iu" else k.positive(input, out)
    if input.dtype.kind in "biuc":
        refuse(input, "round_cpu")
    return k.round_decimals(input, decimals, out=out)


@operator(*_round_names("frac"))
def frac(input: Array, out: Any = None) -> Array:
    """What `trunc` cuts off, with the sign of `input`."""
    if input.dtype.kind in "biuc":
        refuse(input, "frac_cpu")
    return k.frac(input, out=out)


for _op in (floor, ceil, trunc, round):
    _op.derivative(input=_zero_gradient)
frac.derivative(input=lambda F, grad: grad)


# --- parts of floating-point numbers ---------------------------------------------------------------------------


@operator(*_round_names("nan_to_num"))
def nan_to_num(input: Array, nan: float | None = None, posinf: float | None = None, neginf: float | None = None, out: Any = None) -> Array:
    """NaN and the infinities replaced: by 0 and the greatest and least finite number unless given."""
    return k.nan_to_num(input, nan, posinf, neginf, out=out)


nan_to_num.derivative(input=lambda F, grad, input: F.where(F.isfinite(input), grad, 0.0))


def _by_number(name: str) -> Any:
    return lambda input, other: f"{name}Backward{int(other.__class__ in NUMBERS)}"


@operator("torch.copysign", "Tensor.copysign", "Tensor.copysign_", promote="float", node=_by_number("Copysign"))
def copysign(input: Array, other: Array | Number, out: Any = None) -> Array:
    """The magnitude of `input` with the sign of `other`."""
    if input.dtype.kind == "c":
        refuse(input, "copysign_cpu")
    return k.copysign(input, other, out)


copysign.derivative(
    input=lambda F, grad, input, result: F.where(input == 0.0, 0.0, grad * (result / input)),
    other=_zero_gradient,
)


@operator("torch.nextafter", "Tensor.nextafter", "Tensor.nextafter_", promote="arithmetic")
def nextafter(input: Array, other: Array, out: Any = None) -> Array:
    """The next floating-point number after `input` in the direction of `other`."""
    if input.dtype.kind in "biuc":
        refuse(input, "nextafter_cpu")
    return k.nextafter(input, other, out)


nextafter.derivative(
    input=lambda F, grad, input, other: F.where((other == input) | F.isnan(input) | F.isnan(other), 0.0, grad),
    other=_zero_gradient,
)


@operator(*_round_names("ldexp"))
def ldexp(input: Array, other: Array) -> Array:
    """`input * 2**other`."""
    return k.ldexp(input, other)


ldexp.derivative(
    input=lambda F, grad, other: grad * F.conj(F.exp2(other)),
    other=lambda F, grad, result: grad * F.conj(result) * math.log(2.0),
)


@operator("torch.frexp", "Tensor.frexp", outputs=2, result_type=return_type("frexp", "mantissa", "exponent"))
def frexp(input: Array) -> tuple[Array, Array]:
    """Mantissa in [0.5, 1) and exponent, an int32, such that `mantissa * 2**exponent` is the input."""
    if input.dtype.kind in "biuc":
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    return k.frexp(input)


frexp.derivative(input=lambda F, grads, result1: grads[0] / F.exp2(F.cast(result1, F.dtype_of(grads[0]))))
formula_function("dtype_of", lambda x: x.dtype, lambda x: x._array.dtype)


@operator("torch.signbit", "Tensor.signbit", differentiable=False)
def signbit(input: Array) -> Array:
    """Where the sign is set: negative numbers and -0.0."""
    if input.dtype.kind == "c":
        raise NotImplementedError("signbit is not implemented for complex tensors.")
    return k.signbit(input) if input.dtype.kind in "fV" else k.less(input, 0) if input.dtype.kind == "i" else k.falses_like(input)


@operator("torch.heaviside", "Tensor.heaviside", "Tensor.heaviside_", node="NotImplemented")
def heaviside(input: Array, values: Array, out: Any = None) -> Array:
    """0 for negative, 1 for positive numbers, `values` for 0."""
    if input.dtype.kind == "c" or values.dtype.kind == "c":
        raise RuntimeError("heaviside is not yet implemented for complex tensors.")
    if input.dtype != values.dtype:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")
    result = k.heaviside(input, values, out)
    return laid_out(result, input, values) if out is None else result


heaviside.derivative(input=undefined("heaviside"), values=undefined("heaviside"))


# --- greater and smaller, lengths ------------------------------------------------------------------------------


@operator("torch.fmax", "Tensor.fmax", promote="arithmetic")
def fmax(input: Array, other: Array, out: Any = None) -> Array:
    """The larger of both; a NaN gives way to a number."""
    if input.dtype.kind == "c":
        raise RuntimeError("fmax not implemented for complex tensors.")
    return k.fmax(input, other, out)


fmax.derivative(
    input=lambda F, grad, input, other: F.where((input >= other) | F.isnan(other), grad, 0.0),
    other=lambda F, grad, input, other: F.where((input >= other) | F.isnan(other), 0.0, grad),
)


@operator("torch.fmin", "Tensor.fmin", promote="arithmetic")
def fmin(input: Array, other: Array, out: Any = None) -> Array:
    """The smaller of both; a NaN gives way to a number."""
    if input.dtype.kind == "c":
        raise RuntimeError("fmin not implemented for complex tensors.")
    return k.fmin(input, other, out)


fmin.derivative(
    input=lambda F, grad, input, other: F.where((input <= other) | F.isnan(other), grad, 0.0),
    other=lambda F, grad, input, other: F.where((input <= other) | F.isnan(other), 0.0, grad),
)


@operator("torch.hypot", "Tensor.hypot", "Tensor.hypot_", promote="arithmetic")
def hypot(input: Array, other: Array, out: Any = None) -> Array:
    """`sqrt(input**2 + other**2)`, without overflow."""
    if input.dtype.kind in "biuc":
        refuse(input, "hypot_cpu")
    return k.hypot(input, other, out)


hypot.derivative(
    input=lambda F, grad, input, result: grad * input / result,
    other=lambda F, grad, other, result: grad * other / result,
)


@operator("torch.gcd", "torch.gcd_", "Tensor.gcd", "Tensor.gcd_", promote="arithmetic", differentiable=False)
def gcd(input: Array, other: Array, out: Any = None) -> Array:
    """The greatest common divisor of integers."""
    if input.dtype.kind not in "iu":
        refuse(input, "gcd_cpu")
    return k.gcd(input, other, out)


@operator("torch.lcm", "torch.lcm_", "Tensor.lcm", "Tensor.lcm_", promote="arithmetic", differentiable=False)
def lcm(input: Array, other: Array, out: Any = None) -> Array:
    """The least common multiple of integers."""
    if input.dtype.kind not in "iu":
        refuse(input, "lcm_cpu")
    return k.lcm(input, other, out)


# --- interpolation and fused products --------------------------------------------------------------------------


@operator("torch.lerp", "Tensor.lerp", "Tensor.lerp_", node=lambda input, end, weight: f"LerpBackward{1 - (weight.__class__ in NUMBERS)}")
def lerp(input: Array, end: Array, weight: Array | Number, out: Any = None) -> Array:
    """`input + weight * (end - input)`. Raises RuntimeError unless the tensors have one dtype."""
    x: Any
    for name, x in (("end", end), ("weight", weight)):
        if x.__class__ not in NUMBERS and x.dtype != input.dtype:
            raise RuntimeError(f"expected dtype {_c_name(input)} for `{name}` but got dtype {_c_name(x)}")
    if input.dtype.kind in "biu":
        refuse(input, "lerp_kernel_scalar" if weight.__class__ in NUMBERS else "lerp_kernel_tensor")
    result = k.lerp(input, end, weight, out=out)
    return result if out is not None or input.flags.c_contiguous else laid_out(result, input, end)


def _c_name(x: Any) -> str:
    scalar = SCALAR_NAMES[OF_NUMPY[x.dtype]]
    return {
        "Half": "c10::Half",
        "BFloat16": "c10::BFloat16",
        "Long": "long int",
        "Byte": "unsigned char",
        "Char": "signed char",
        "Short": "short int",
        "ComplexFloat": "c10::complex<float>",
        "ComplexDouble": "c10::complex<double>",
    }.get(scalar, scalar.lower())


lerp.derivative(
    input=lambda F, grad, weight: grad * (1 - F.conj(weight)),
    end=lambda F, grad, weight: grad * F.conj(weight),
    weight=lambda F, grad, input, end: grad * F.conj(end - input),
)


@operator("torch.addcmul", "Tensor.addcmul", "Tensor.addcmul_", legacy="value")
def addcmul(input: Array, tensor1: Array, tensor2: Array, *, value: Any = 1, out: Any = None) -> Array:
    """`input + value * tensor1 * tensor2`, broadcast."""
    if input.dtype is not tensor1.dtype or input.dtype is not tensor2.dtype:
        input, tensor1, tensor2 = k.promoted(input, tensor1, tensor2)
    if input.dtype.kind == "b":
        refuse(input, "addcmul_cpu_out")
    result = k.addcmul(input, tensor1, tensor2, value, out=out)
    return result if out is not None or input.flags.c_contiguous else laid_out(result, input, tensor1, tensor2)


addcmul.derivative(
    input=lambda F, grad: grad,
    tensor1=lambda F, grad, tensor2, value: grad * F.conj(tensor2 * value),
    tensor2=lambda F, grad, tensor1, value: grad * F.conj(tensor1 * value),
)

_NO_INTEGER_ADDCDIV = (
    "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will perform a true division of tensor1 and "
    "tensor2. The historic addcdiv behavior can be implemented as (input + value * torch.trunc(tensor1 / tensor2)).to(input.dtype) for "
    "integer inputs and as (input + value * tensor1 / tensor2) for float inputs. The future addcdiv behavior is just the latter "
    "implementation: (input + value * tensor1 / tensor2), for all dtypes."
)


@operator("torch.addcdiv", "Tensor.addcdiv", "Tensor.addcdiv_", legacy="value")
def addcdiv(input: Array, tensor1: Array, tensor2: Array, *, value: Any = 1, out: Any = None) -> Array:
    """`input + value * tensor1 / tensor2`, broadcast. Raises RuntimeError for a division of integers."""
    if tensor1.dtype.kind in "biu" and tensor2.dtype.kind in "biu":
        raise RuntimeError(_NO_INTEGER_ADDCDIV)
    if input.dtype is not tensor1.dtype or input.dtype is not tensor2.dtype:
        input, tensor1, tensor2 = k.promoted(input, tensor1, tensor2)
    result = k.addcdiv(input, tensor1, tensor2, value, out=out)
    return result if out is not None or input.flags.c_contiguous else laid_out(result, input, tensor1, tensor2)


addcdiv.derivative(
    input=lambda F, grad: grad,
    tensor1=lambda F, grad, tensor2, value: grad * F.conj(value / tensor2),
    tensor2=lambda F, grad, tensor1, tensor2, value: -grad * F.conj((tensor1 * value) / (tensor2 * tensor2)),
)


# --- complex numbers -------------------------------------------------------------------------------------------


def _check_parts(x: Any, y: Any) -> None:
    names = [SCALAR_NAMES[OF_NUMPY[z.dtype]] for z in (x, y)]
    if any(name not in ("Half", "Float", "Double") for name in names):
        raise RuntimeError(f"Expected both inputs to be Half, Float or Double tensors but got {names[0]} and {names[1]}")
    if names[0] != names[1]:
        raise RuntimeError(f"Expected object of scalar type {names[0]} but got scalar type {names[1]} for second argument")
    if names[0] == "Half":
        raise NotImplementedError("complex32 (ComplexHalf) is not supported")


@operator("torch.complex")
def complex(real: Array, imag: Array) -> Array:
    """Complex numbers from their parts, of dtype float32 or float64."""
    _check_parts(real, imag)
    return laid_out(k.complex_from(real, imag), real, imag)


complex.derivative(real=lambda F, grad: F.real(grad), imag=lambda F, grad: F.imag(grad))


@operator("torch.polar")
def polar(abs: Array, angle: Array) -> Array:
    """Complex numbers from lengths and angles, of dtype float32 or float64."""
    _check_parts(abs, angle)
    return k.polar(abs, angle)


polar.derivative(
    abs=lambda F, grad, result: F.real(F.conj(grad) * F.sgn(result)),
    angle=lambda F, grad, result: F.real(F.conj(grad) * result * 1j),
)


@operator("torch.angle", "Tensor.angle", promote="float")
def angle(input: Array) -> Array:
    """The angle of complex numbers, in (-pi, pi]; of real ones 0, or pi where they are negative."""
    return k.angle(input)


def _angle_input(F: Any, grad: Any, input: Any) -> Any:
    if not F.is_complex(input):
        return F.zeros_like(grad)
    square = F.real(input * F.conj(input))
    return F.where(square == 0.0, 0.0, grad / square) * (input * 1j)


angle.derivative(input=_angle_input)
