"""Exponentials, logarithms, trigonometric and hyperbolic functions, element by element."""

from __future__ import annotations

import math
from typing import Any

from ..kernels import elementwise as k
from ..kernels.compiler import expression as e
from .definition import Array, operator
from .pointwise import everywhere, refuse

LN2 = math.log(2.0)
LN10 = math.log(10.0)


def _names(*names: str) -> list[str]:
    return everywhere(*names, function_in_place=True)


# --- exponentials and logarithms -------------------------------------------------------------------------------


@operator(*_names("exp"), promote="float")
def exp(input: Array, out: Any = None) -> Array:
    """e to the power of `input`."""
    return k.exp(input, out)


exp.derivative(input=lambda F, grad, result: grad * F.conj(result))
exp.native(lambda input: e.exp(input))


@operator(*_names("exp2"), "special.exp2", promote="float")
def exp2(input: Array, out: Any = None) -> Array:
    """2 to the power of `input`."""
    return k.exp2(input, out)


exp2.derivative(input=lambda F, grad, result: grad * F.conj(result) * LN2)


@operator(*_names("expm1"), "special.expm1", promote="float")
def expm1(input: Array, out: Any = None) -> Array:
    """`exp(input) - 1`, exact near 0."""
    return k.expm1(input, out)


expm1.derivative(input=lambda F, grad, result: grad * F.conj(result + 1.0))


@operator(*_names("log"), promote="float")
def log(input: Array, out: Any = None) -> Array:
    """The natural logarithm."""
    return k.log(input, out)


log.derivative(input=lambda F, grad, input: grad / F.conj(input))
log.native(lambda input: e.log(input))


@operator(*_names("log2"), promote="float")
def log2(input: Array, out: Any = None) -> Array:
    """The logarithm to base 2."""
    return k.log2(input, out)


log2.derivative(input=lambda F, grad, input: grad / F.conj(input * LN2))


@operator(*_names("log10"), promote="float")
def log10(input: Array, out: Any = None) -> Array:
    """The logarithm to base 10."""
    return k.log10(input, out)


log10.derivative(input=lambda F, grad, input: grad / F.conj(input * LN10))


@operator(*_names("log1p"), "special.log1p", promote="float", node="Log1PBackward0")
def log1p(input: Array, out: Any = None) -> Array:
    """`log(1 + input)`, exact near 0."""
    return k.log1p(input, out)


log1p.derivative(input=lambda F, grad, input: grad / F.conj(input + 1.0))


@operator("torch.logaddexp", "Tensor.logaddexp", promote="arithmetic")
def logaddexp(input: Array, other: Array, out: Any = None) -> Array:
    """`log(exp(input) + exp(other))`, without overflow."""
    if input.dtype.kind in "biu":
        refuse(input, "logaddexp_cpu")
    return k.logaddexp(input, other, out) if input.dtype.kind != "c" else k.complex_logaddexp(input, other, out=out)


logaddexp.derivative(
    input=lambda F, grad, input, other: grad / F.conj(F.exp(other - input) + 1.0),
    other=lambda F, grad, input, other: grad / F.conj(F.exp(input - other) + 1.0),
)


@operator("torch.logaddexp2", "Tensor.logaddexp2", promote="arithmetic")
def logaddexp2(input: Array, other: Array, out: Any = None) -> Array:
    """`log2(2**input + 2**other)`, without overflow."""
    if input.dtype.kind in "biuc":
        refuse(input, "logaddexp2_cpu")
    return k.logaddexp2(input, other, out)


logaddexp2.derivative(
    input=lambda F, grad, input, other: grad / (F.exp2(other - input) + 1.0),
    other=lambda F, grad, input, other: grad / (F.exp2(input - other) + 1.0),
)


# --- trigonometric functions -----------------------------------------------------------------------------------


@operator(*_names("sin"), promote="float")
def sin(input: Array, out: Any = None) -> Array:
    """The sine of angles in radians."""
    return k.sin(input, out)


sin.derivative(input=lambda F, grad, input: grad * F.conj(F.cos(input)))


@operator(*_names("cos"), promote="float")
def cos(input: Array, out: Any = None) -> Array:
    """The cosine of angles in radians."""
    return k.cos(input, out)


cos.derivative(input=lambda F, grad, input: grad * -F.conj(F.sin(input)))


@operator(*_names("tan"), promote="float")
def tan(input: Array, out: Any = None) -> Array:
    """The tangent of angles in radians."""
    return k.tan(input, out)


tan.derivative(input=lambda F, grad, result: grad * F.conj(result * result + 1.0))


@operator(*_names("asin", "arcsin"), promote="float")
def asin(input: Array, out: Any = None) -> Array:
    """The angle whose sine is `input`."""
    return k.arcsin(input, out)


asin.derivative(input=lambda F, grad, input: grad * F.conj(F.rsqrt(1.0 - input * input)))


@operator(*_names("acos", "arccos"), promote="float")
def acos(input: Array, out: Any = None) -> Array:
    """The angle whose cosine is `input`."""
    return k.arccos(input, out)


acos.derivative(input=lambda F, grad, input: grad * -F.conj(F.rsqrt(1.0 - input * input)))


@operator(*_names("atan", "arctan"), promote="float")
def atan(input: Array, out: Any = None) -> Array:
    """The angle whose tangent is `input`."""
    return k.arctan(input, out)


atan.derivative(input=lambda F, grad, input: grad / F.conj(input * input + 1.0))


@operator("torch.atan2", "torch.arctan2", "Tensor.atan2", "Tensor.arctan2", "Tensor.atan2_", "Tensor.arctan2_", promote="float")
def atan2(input: Array, other: Array, out: Any = None) -> Array:
    """The angle of the point (`other`, `input`) seen from the origin, in (-pi, pi]."""
    if input.dtype.kind == "c":
        refuse(input, "atan2_cpu")
    return k.arctan2(input, other, out)


def _over_square(F: Any, value: Any, input: Any, other: Any) -> Any:
    square = input * input + other * other
    return F.where(square == 0.0, 0.0, value * F.reciprocal(square))


atan2.derivative(
    input=lambda F, grad, input, other: _over_square(F, grad * other, input, other),
    other=lambda F, grad, input, other: _over_square(F, grad * -input, input, other),
)


@operator(*_names("deg2rad"), promote="float", node="Deg2RadBackward0")
def deg2rad(input: Array, out: Any = None) -> Array:
    """Degrees in radians."""
    if input.dtype.kind == "c":
        raise RuntimeError("deg2rad is not supported for complex tensors.")
    return k.scale(input, math.pi / 180.0, out=out)


deg2rad.derivative(input=lambda F, grad: grad * (math.pi / 180.0))


@operator(*_names("rad2deg"), promote="float", node="Rad2DegBackward0")
def rad2deg(input: Array, out: Any = None) -> Array:
    """Radians in degrees."""
    if input.dtype.kind == "c":
        raise RuntimeError("rad2deg is not supported for complex tensors.")
    return k.scale(input, 180.0 / math.pi, out=out)


rad2deg.derivative(input=lambda F, grad: grad * (180.0 / math.pi))


@operator(*_names("sinc"), "special.sinc", promote="float")
def sinc(input: Array, out: Any = None) -> Array:
    """`sin(pi x) / (pi x)`, and 1 at 0."""
    return k.sinc(input, out=out)


def _sinc_input(F: Any, grad: Any, input: Any) -> Any:
    x = input * math.pi
    slope = (F.cos(x) * x - F.sin(x)) / (input * input * math.pi)
    return F.where(input == 0.0, 0.0, grad * F.conj(slope))


sinc.derivative(input=_sinc_input)


# --- hyperbolic functions --------------------------------------------------------------------------------------


@operator(*_names("sinh"), promote="float")
def sinh(input: Array, out: Any = None) -> Array:
    """The hyperbolic sine."""
    return k.sinh(input, out)


sinh.derivative(input=lambda F, grad, input: grad * F.conj(F.cosh(input)))


@operator(*_names("cosh"), promote="float")
def cosh(input: Array, out: Any = None) -> Array:
    """The hyperbolic cosine."""
    return k.cosh(input, out)


cosh.derivative(input=lambda F, grad, input: grad * F.conj(F.sinh(input)))


@operator(*_names("tanh"), "F.tanh", promote="float", kernel_backward=True)
def tanh(input: Array, out: Any = None) -> Array:
    """The hyperbolic tangent."""
    return k.tanh(input, out)


@operator()
def tanh_backward(grad_output: Array, output: Array, out: Any = None) -> Array:
    """`grad_output * (1 - output^2)`, conjugated for complex numbers."""
    return k.tanh_backward(grad_output, output, out=out)


tanh.derivative(input=lambda F, grad, result: F.tanh_backward(grad, result))
tanh.native(lambda input: e.tanh(input))
tanh_backward.derivative(
    grad_output=lambda F, grad, output: F.tanh_backward(grad, F.conj(output)),
    output=lambda F, grad, grad_output, output: F.conj(grad) * grad_output * F.conj(output) * -2.0,
)


@operator(*_names("asinh", "arcsinh"), promote="float")
def asinh(input: Array, out: Any = None) -> Array:
    """The number whose hyperbolic sine is `input`."""
    return k.arcsinh(input, out)


asinh.derivative(input=lambda F, grad, input: grad * F.conj(F.rsqrt(input * input + 1.0)))


@operator(*_names("acosh", "arccosh"), promote="float")
def acosh(input: Array, out: Any = None) -> Array:
    """The number whose hyperbolic cosine is `input`."""
    return k.arccosh(input, out)


def _acosh_input(F: Any, grad: Any, input: Any) -> Any:
    if F.is_complex(input):
        return grad * F.conj(F.rsqrt(input - 1.0) * F.rsqrt(input + 1.0))
    return grad * F.rsqrt(input * input - 1.0)


acosh.derivative(input=_acosh_input)


@operator(*_names("atanh", "arctanh"), promote="float")
def atanh(input: Array, out: Any = None) -> Array:
    """The number whose hyperbolic tangent is `input`."""
    return k.arctanh(input, out)


atanh.derivative(input=lambda F, grad, input: grad / F.conj(1.0 - input * input))


# --- the logistic function -------------------------------------------------------------------------------------


@operator(*_names("sigmoid"), "special.expit", "F.sigmoid", promote="float", kernel_backward=True)
def sigmoid(input: Array, out: Any = None) -> Array:
    """`1 / (1 + exp(-input))`."""
    return k.sigmoid(input, out=out)


@operator()
def sigmoid_backward(grad_output: Array, output: Array, out: Any = None) -> Array:
    """`grad_output * output * (1 - output)`, conjugated for complex numbers."""
    return k.sigmoid_backward(grad_output, output, out=out)


sigmoid.derivative(input=lambda F, grad, result: F.sigmoid_backward(grad, result))
sigmoid.native(lambda input: e.sigmoid(input))
sigmoid_backward.derivative(
    grad_output=lambda F, grad, output: F.sigmoid_backward(grad, F.conj(output)),
    output=lambda F, grad, grad_output, output: F.conj(grad) * grad_output * F.conj(1.0 - output * 2.0),
)


@operator(*_names("logit"), "special.logit", promote="float")
def logit(input: Array, eps: float | None = None, out: Any = None) -> Array:
    """`log(x / (1 - x))`, where x is `input` held within `eps` of 0 and 1 if given."""
    if input.dtype.kind == "c":
        refuse(input, "logit_cpu")
    if eps is not None and eps.__class__ is not float:
        eps = float(eps)
    return k.logit(input, eps, out=out)


def _logit_input(F: Any, grad: Any, input: Any, eps: Any) -> Any:
    low, outside = (0.0, math.nan) if eps is None else (eps, 0.0)
    return F.where((input < low) | (input > 1.0 - low), outside, grad / (input * (1.0 - input)))


logit.derivative(input=_logit_input)
