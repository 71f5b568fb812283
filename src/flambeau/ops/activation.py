"""Activation functions, softmax and its kin."""

from __future__ import annotations

from typing import Any

from ..core.dtype import OF_NUMPY, SCALAR_NAMES
from ..core.layout import normalize_dim, row_major
from ..core.number_info import finfo
from ..kernels import activation as k
from ..kernels import elementwise as e
from ..kernels.compiler.expression import where
from .definition import Array, composite, explained_here, formula_function, operator, tensors, write_out
from .making import numpy_dtype

# Gradients: one fused kernel over arrays; over Tensors the same formula in operators that can be differentiated again.


@operator(out=False)
def constant_in(input: Array, other: Array) -> Array:
    """`input`, which depends on `other` in steps only: PyTorch gives `other` a gradient of zero rather than none."""
    return input


constant_in.derivative(input=lambda F, grad: grad, other=lambda F, grad, other_shape: F.expand(grad.sum() * 0, other_shape))
formula_function("constant_in", lambda x, other: x, constant_in.function)
formula_function(
    "threshold_backward",
    k.threshold_backward,
    lambda grad, result, threshold: constant_in.function(tensors.where(result <= threshold, 0, grad), result),
)


def in_place_form(op: Any, name: str) -> Any:
    """The function that overwrites its first argument with what the operator makes of it."""
    form = op.in_places[name] = op.in_place_stub(name)
    return form


@operator("torch.relu", "torch.relu_", "F.relu_", "Tensor.relu", "Tensor.relu_")
def relu(input: Array, out: Any = None) -> Array:
    """max(input, 0), element by element. Raises RuntimeError for bool."""
    if input.dtype.kind == "b":
        raise RuntimeError("Boolean inputs not supported for relu")
    return k.relu(input, out)


relu.derivative(input=lambda F, grad, result: F.threshold_backward(grad, result, 0))
relu.native(lambda input: where(input < 0.0, 0.0, input))


_relu, relu_in_place = relu.function, relu.in_places["relu_"]


@composite("F.relu", hot=True)
def relu_function(input: Any, inplace: bool = False) -> Any:
    """max(input, 0), element by element; `inplace` overwrites the input."""
    try:
        return relu_in_place(input) if inplace else _relu(input)
    except Exception as error:
        raise explained_here(error, "F.relu")


relu_function.__name__ = relu_function.__qualname__ = "relu"


def _gelu_backward_tensors(grad: Any, x: Any, approximate: str) -> Any:
    if approximate == "tanh":
        beta, kappa = 0.7978845608028654, 0.044715
        t = tensors.tanh((x + x * x * x * kappa) * beta)
        return grad * ((t + 1) * 0.5 + x * (1 - t * t) * (x * x * (3 * kappa) + 1) * (0.5 * beta))
    cdf = (tensors.erf(x * 0.7071067811865476) + 1) * 0.5
    return grad * (cdf + x * tensors.exp(x * x * -0.5) * 0.3989422804014327)


formula_function("gelu_backward", k.gelu_backward, _gelu_backward_tensors)


@operator("F.gelu")
def gelu(input: Array, *, approximate: Any = "none") -> Array:
    """x * Phi(x), where Phi is the normal distribution function; `approximate="tanh"` replaces it by a tanh formula.

    Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016. Raises RuntimeError for integers or another `approximate`.
    """
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    if input.dtype.kind in "iubc":
        raise unimplemented("GeluKernelImpl", input)
    return k.gelu(input, approximate)


gelu.derivative(input=lambda F, grad, input, approximate: F.gelu_backward(grad, input, approximate))


def unimplemented(kernel: str, array: Any) -> Exception:
    """PyTorch's error for a dtype that a kernel does not take."""
    return NotImplementedError(f"\"{kernel}\" not implemented for '{SCALAR_NAMES[OF_NUMPY[array.dtype]]}'")


def _silu_backward_tensors(grad: Any, x: Any) -> Any:
    s = tensors.sigmoid(x)
    return grad * s * (x * (1 - s) + 1)


formula_function("silu_backward", k.silu_backward, _silu_backward_tensors)


@operator(out=False)
def silu(input: Array, out: Any = None) -> Array:
    """x * sigmoid(x), also called swish."""
    if input.dtype.kind in "iub":
        raise unimplemented("silu_cpu", input)
    return k.silu(input, out)


silu.derivative(input=lambda F, grad, input: F.silu_backward(grad, input))


_silu_in_place = in_place_form(silu, "silu_")


@composite("F.silu", hot=True)
def silu_function(input: Any, inplace: bool = False) -> Any:
    """x * sigmoid(x), also called swish; `inplace` overwrites the input."""
    try:
        return _silu_in_place(input) if inplace else silu.function(input)
    except Exception as error:
        raise explained_here(error, "F.silu")


silu_function.__name__ = silu_function.__qualname__ = "silu"


# --- softmax -----------------------------------------------------------------------------------------------------


def _softmax_backward_tensors(grad: Any, result: Any, dim: int) -> Any:
    product = grad * result
    return product - result * product.sum(dim, True)


formula_function("softmax_backward", k.softmax_backward, _softmax_backward_tensors)
formula_function("log_softmax_backward", k.log_softmax_backward, lambda g, r, dim: g - tensors.exp(r) * g.sum(dim, True))


def _prepared(input: Any, dtype: Any, kernel: str) -> Any:
    if dtype is not None:
        input = e.cast(input, numpy_dtype(dtype))
    elif input.dtype.kind in "iub":
        raise unimplemented(kernel, input)
    return input


@operator("torch.softmax", "Tensor.softmax", "special.softmax")
def softmax(input: Array, dim: int, dtype: Any = None, into: Any = None) -> Array:
    """exp(input) / sum(exp(input)) along `dim`. `dtype`: the input is cast first."""
    axis: int | None = normalize_dim(dim, input.ndim)
    if not input.ndim:
        axis = None
    if dtype is not None or input.dtype.kind in "iub":
        input = _prepared(input, dtype, "softmax_lastdim_kernel_impl" if axis == input.ndim - 1 or axis is None else "softmax_kernel_impl")
    return k.softmax(input, axis, into)


softmax.derivative(input=lambda F, grad, result, dim: F.softmax_backward(grad, result, dim))


@operator("torch.log_softmax", "Tensor.log_softmax", "special.log_softmax")
def log_softmax(input: Array, dim: int, dtype: Any = None, into: Any = None) -> Array:
    """log(softmax(input)) along `dim`, computed without overflow. `dtype`: the input is cast first."""
    axis = normalize_dim(dim, input.ndim)
    return k.log_softmax(_prepared(input, dtype, "log_softmax_lastdim_kernel_impl"), axis if input.ndim else None, into)


log_softmax.derivative(input=lambda F, grad, result, dim: F.log_softmax_backward(grad, result, dim))


def implicit_dim(name: str, ndim: int, stacklevel: int) -> int:
    """The dimension of a softmax that names none: deprecated."""
    import warnings

    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        stacklevel=stacklevel,
    )
    return 0 if ndim in (0, 1, 3) else 1


def _functional_softmax(name: str, op: Any) -> None:
    def call(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
        try:
            if dim is None:
                dim = implicit_dim(name, input.dim(), _stacklevel)
            return op.function(input, dim, dtype)
        except Exception as error:
            raise explained_here(error, f"F.{name}")

    call.__name__ = call.__qualname__ = name
    call.__doc__ = op.forward.__doc__
    composite(f"F.{name}", hot=True)(call)
    setattr(tensors, name, op.function)


_functional_softmax("softmax", softmax)
_functional_softmax("log_softmax", log_softmax)


# --- the other activations -----------------------------------------------------------------------------------------


@operator("F.logsigmoid", node="LogSigmoidBackward0")
def logsigmoid(input: Array) -> Array:
    """log(sigmoid(input)), computed without overflow."""
    return row_major(input, k.log_sigmoid(input))


formula_function("log_sigmoid_backward", k.log_sigmoid_backward, lambda grad, x: grad * tensors.sigmoid(-x))
logsigmoid.derivative(input=lambda F, grad, input: F.log_sigmoid_backward(grad, input))


@operator(node="SoftplusBackward0", out=False)
def softplus_op(input: Array, beta: Any, threshold: Any) -> Array:
    """log(1 + exp(beta * input)) / beta; the input itself where beta * input exceeds the threshold."""
    return k.softplus(input, beta, threshold)


def _softplus_backward_tensors(grad: Any, x: Any, beta: Any, threshold: Any) -> Any:
    return grad * tensors.where(x * beta > threshold, tensors.ones_like(x), tensors.sigmoid(x * beta))


formula_function("softplus_backward", k.softplus_backward, _softplus_backward_tensors)
softplus_op.derivative(input=lambda F, grad, input, beta, threshold: F.softplus_backward(grad, input, beta, threshold))


@composite("F.softplus", hot=True)
def softplus(input: Any, beta: float = 1, threshold: float = 20, *, out: Any = None) -> Any:
    """log(1 + exp(beta * input)) / beta; the input itself where beta * input exceeds the threshold."""
    result = softplus_op.function(input, beta, threshold)
    return result if out is None else write_out(result, out)


@operator(node="EluBackward0", out=False)
def elu_op(input: Array, alpha: Any, scale: Any, input_scale: Any, out: Any = None) -> Array:
    """scale * (input if input > 0 else alpha * (exp(input * input_scale) - 1))."""
    return k.elu(input, alpha, scale, input_scale, out)


def _elu_backward_tensors(grad: Any, x: Any, alpha: Any, scale: Any, input_scale: Any) -> Any:
    below = tensors.exp(tensors.where(x > 0, 0.0, x) * input_scale) * (alpha * scale * input_scale)
    return grad * tensors.where(x > 0, tensors.ones_like(x) * scale, below)


formula_function("elu_backward", k.elu_backward, _elu_backward_tensors)
elu_op.derivative(input=lambda F, grad, input, alpha, scale, input_scale: F.elu_backward(grad, input, alpha, scale, input_scale))


@operator(node="CeluBackward0", out=False)
def celu_op(input: Array, alpha: Any, out: Any = None) -> Array:
    """input if positive, else alpha * (exp(input / alpha) - 1)."""
    return k.elu(input, alpha, 1.0, 1.0 / alpha, out)


celu_op.derivative(input=lambda F, grad, input, alpha: F.elu_backward(grad, input, alpha, 1.0, 1.0 / alpha))
_elu_in_place, _celu_in_place = in_place_form(elu_op, "elu_"), in_place_form(celu_op, "celu_")


@composite("F.elu")
def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """input if it is positive, else alpha * (exp(input) - 1) (Clevert et al., 2015)."""
    return (_elu_in_place if inplace else elu_op.function)(input, alpha, 1.0, 1.0)


@composite("F.elu_")
def elu_(input: Any, alpha: float = 1.0) -> Any:
    """`elu` in place."""
    return elu(input, alpha, True)


SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


@composite("F.selu", "torch.selu")
def selu(input: Any, inplace: bool = False) -> Any:
    """scale * elu(input, alpha) with the constants that keep mean and variance (Klambauer et al., 2017)."""
    return (_elu_in_place if inplace else elu_op.function)(input, SELU_ALPHA, SELU_SCALE, 1.0)


@composite("F.selu_", "torch.selu_")
def selu_(input: Any) -> Any:
    """`selu` in place."""
    return selu(input, True)


@composite("F.celu", "torch.celu")
def celu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """max(0, input) + min(0, alpha * (exp(input / alpha) - 1))."""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return (_celu_in_place if inplace else celu_op.function)(input, alpha)


@composite("F.celu_", "torch.celu_")
def celu_(input: Any, alpha: float = 1.0) -> Any:
    """`celu` in place."""
    return celu(input, alpha, True)


@operator(node="LeakyReluBackward0", out=False)
def leaky_relu_op(input: Array, negative_slope: Any, out: Any = None) -> Array:
    """input where positive, else negative_slope * input."""
    return k.leaky_relu(input, negative_slope, out)


formula_function(
    "leaky_relu_backward",
    k.leaky_relu_backward,
    lambda grad, x, slope: constant_in.function(tensors.where(x > 0, grad, grad * slope), x),
)
leaky_relu_op.derivative(input=lambda F, grad, input, negative_slope: F.leaky_relu_backward(grad, input, negative_slope))


_leaky_relu_in_place = in_place_form(leaky_relu_op, "leaky_relu_")


@composite("F.leaky_relu", hot=True)
def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    """input where positive, else negative_slope * input."""
    try:
        return (_leaky_relu_in_place if inplace else leaky_relu_op.function)(input, negative_slope)
    except Exception as error:
        raise explained_here(error, "F.leaky_relu")


@composite("F.leaky_relu_")
def leaky_relu_(input: Any, negative_slope: float = 0.01) -> Any:
    """`leaky_relu` in place."""
    return leaky_relu(input, negative_slope, True)


@composite("F.relu6")
def relu6(input: Any, inplace: bool = False) -> Any:
    """min(max(input, 0), 6)."""
    return hardtanh(input, 0.0, 6.0, inplace)


@operator(node="HardtanhBackward0", out=False)
def hardtanh_op(input: Array, min_val: Any, max_val: Any, out: Any = None) -> Array:
    """input cut off at both bounds."""
    kind = input.dtype.kind
    if kind == "b":
        raise RuntimeError("Bool inputs not supported for hardtanh")
    if kind == "c":
        raise NotImplementedError("clamp is not supported for complex types")
    if kind == "u" and (min_val < 0 or max_val < 0):
        raise RuntimeError("cannot do hardtanh on an unsigned type with negative limits")
    return k.clip(input, min_val, max_val, out)


formula_function("hardtanh_backward", k.hardtanh_backward, lambda grad, x, low, high: grad * ((x > low) & (x < high)))
hardtanh_op.derivative(
    input=lambda F, grad, input, min_val, max_val: F.constant_in(F.hardtanh_backward(grad, input, min_val, max_val), input)
)


_hardtanh_in_place = in_place_form(hardtanh_op, "hardtanh_")


@composite("F.hardtanh")
def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Any:
    """input cut off at `min_val` and `max_val`. Raises ValueError where the bounds are the wrong way round."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return (_hardtanh_in_place if inplace else hardtanh_op.function)(input, min_val, max_val)


@composite("F.hardtanh_")
def hardtanh_(input: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """`hardtanh` in place."""
    return hardtanh(input, min_val, max_val, True)


@operator(node="HardsigmoidBackward0", out=False)
def hardsigmoid_op(input: Array, out: Any = None) -> Array:
    """min(max(input + 3, 0), 6) / 6."""
    return k.hardsigmoid(input, out)


formula_function("hardsigmoid_backward", k.hardsigmoid_backward, lambda grad, x: grad * ((x > -3) & (x < 3)) / 6)
hardsigmoid_op.derivative(input=lambda F, grad, input: F.hardsigmoid_backward(grad, input))


_hardsigmoid_in_place = in_place_form(hardsigmoid_op, "hardsigmoid_")


@composite("F.hardsigmoid")
def hardsigmoid(input: Any, inplace: bool = False) -> Any:
    """min(max(input + 3, 0), 6) / 6."""
    return (_hardsigmoid_in_place if inplace else hardsigmoid_op.function)(input)


@operator(node="HardswishBackward0", out=False)
def hardswish_op(input: Array, out: Any = None) -> Array:
    """input * hardsigmoid(input)."""
    return k.hardswish(input, out)


def _hardswish_backward_tensors(grad: Any, x: Any) -> Any:
    return grad * tensors.where(x <= -3, x * 0, tensors.where(x < 3, x / 3 + 0.5, tensors.ones_like(x)))


formula_function("hardswish_backward", k.hardswish_backward, _hardswish_backward_tensors)
hardswish_op.derivative(input=lambda F, grad, input: F.hardswish_backward(grad, input))


_hardswish_in_place = in_place_form(hardswish_op, "hardswish_")


@composite("F.hardswish")
def hardswish(input: Any, inplace: bool = False) -> Any:
    """input * min(max(input + 3, 0), 6) / 6 (Howard et al., 2019)."""
    return (_hardswish_in_place if inplace else hardswish_op.function)(input)


@operator(node="MishBackward0", out=False)
def mish_op(input: Array, out: Any = None) -> Array:
    """input * tanh(softplus(input))."""
    if input.dtype.kind not in "fV":
        raise unimplemented("mish_cpu", input)
    return k.mish(input, out)


def _mish_backward_tensors(grad: Any, x: Any) -> Any:
    t = tensors.tanh(softplus_op.function(x, 1.0, 20.0))
    return grad * (t + x * tensors.sigmoid(x) * (1 - t * t))


formula_function("mish_backward", k.mish_backward, _mish_backward_tensors)
mish_op.derivative(input=lambda F, grad, input: F.mish_backward(grad, input))


_mish_in_place = in_place_form(mish_op, "mish_")


@composite("F.mish")
def mish(input: Any, inplace: bool = False) -> Any:
    """input * tanh(softplus(input)) (Misra, 2019)."""
    return (_mish_in_place if inplace else mish_op.function)(input)


@composite("F.softsign")
def softsign(input: Any) -> Any:
    """input / (1 + |input|)."""
    return input / (input.abs() + 1)


@composite("F.tanhshrink")
def tanhshrink(input: Any) -> Any:
    """input - tanh(input)."""
    return input - input.tanh()


formula_function("shrink_backward", k.shrink_backward, lambda grad, x, lambd: grad * ((x > lambd) | (x < -lambd)))


@operator("F.softshrink", node="SoftshrinkBackward0")
def softshrink(input: Array, lambd: Any = 0.5) -> Array:
    """input moved towards zero by `lambd`, zero within it. Raises RuntimeError for a negative `lambd`."""
    if lambd < 0:
        d = OF_NUMPY[input.dtype]
        raise RuntimeError(f"lambda must be in range [0, {finfo(d).max:g}] for input dtype {SCALAR_NAMES[d]}, but found {lambd:g}")
    return k.softshrink(input, lambd)


softshrink.derivative(input=lambda F, grad, input, lambd: F.constant_in(F.shrink_backward(grad, input, lambd), input))


@operator("F.hardshrink", "torch.hardshrink", "Tensor.hardshrink", node="HardshrinkBackward0")
def hardshrink(input: Array, lambd: Any = 0.5) -> Array:
    """input where it is beyond `lambd` on either side, else zero."""
    return k.hardshrink(input, lambd)


hardshrink.derivative(input=lambda F, grad, input, lambd: F.constant_in(F.shrink_backward(grad, input, lambd), input))


@operator(node="ThresholdBackward0", out=False)
def threshold_op(input: Array, threshold: Any, value: Any) -> Array:
    """input where it is above the threshold, else the value."""
    return k.threshold(input, threshold, value)


threshold_op.derivative(input=lambda F, grad, input, threshold: F.threshold_backward(grad, input, threshold))


_threshold_in_place = in_place_form(threshold_op, "threshold_")


@composite("F.threshold", "torch.threshold")
def threshold(input: Any, threshold: float, value: float, inplace: bool = False) -> Any:
    """input where it is above the threshold, else the value."""
    return (_threshold_in_place if inplace else threshold_op.function)(input, threshold, value)


@composite("F.threshold_", "torch.threshold_")
def threshold_(input: Any, threshold_value: float, value: float) -> Any:
    """`threshold` in place."""
    return threshold(input, threshold_value, value, True)


@operator(node="PreluKernelBackward0", out=False, promote="arithmetic")
def prelu_op(input: Array, weight: Array) -> Array:
    """input where positive, else weight * input; the weight broadcasts."""
    return k.prelu(input, weight)


prelu_op.derivative(
    input=lambda F, grad, input, weight: F.where(input > 0, grad, grad * weight),
    weight=lambda F, grad, input: F.where(input > 0, grad * 0, grad * input),
)


@composite("F.prelu", "torch.prelu", "Tensor.prelu")
def prelu(input: Any, weight: Any) -> Any:
    """input where positive, else weight * input: one weight for all, or one for each channel (dimension 1)."""
    if input.dtype is not weight.dtype:
        names = [SCALAR_NAMES[t.dtype] for t in (input, weight)]
        raise RuntimeError("prelu: Type promoting not supported. Got {} and {}".format(*names))
    if weight.dim() > 1:
        raise RuntimeError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.dim()}")
    if weight.numel() != 1:
        channels = input.shape[1] if input.dim() > 1 else 1
        if input.dim() == 0:
            raise RuntimeError("Not allow zero-dim input tensor.")
        if channels != weight.numel():
            raise RuntimeError(
                f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {weight.numel()} and channel size = "
                f"{channels}."
            )
        if input.dim() > 1:
            weight = weight.reshape([1, -1] + [1] * (input.dim() - 2))
    elif weight.dim():
        weight = weight.reshape([1] * max(input.dim(), 0)) if input.dim() else weight.reshape(())
    return prelu_op.function(input, weight)


def _glu_backward_tensors(grad: Any, x: Any, axis: int) -> Any:
    size = x.shape[axis] // 2
    first, s = x.narrow(axis, 0, size), x.narrow(axis, size, size).sigmoid()
    return tensors.cat([grad * s, grad * first * s * (1 - s)], axis)


formula_function("glu_backward", k.glu_backward, _glu_backward_tensors)


@operator("F.glu", out=False)
def glu(input: Array, dim: int = -1) -> Array:
    """The first half along `dim` times the sigmoid of the second (Dauphin et al., 2016). Raises RuntimeError where there are no halves."""
    if input.ndim == 0:
        raise RuntimeError("glu does not support scalars because halving size must be even")
    axis = normalize_dim(dim, input.ndim)
    if input.shape[axis] % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {axis} is size {input.shape[axis]}")
    if input.dtype.kind == "c":
        raise unimplemented("glu_cpu", input)
    return k.glu(input, axis)


glu.derivative(input=lambda F, grad, input, dim: F.glu_backward(grad, input, dim % len(input.shape)))


@composite("F.rrelu", "torch.rrelu")
def rrelu(input: Any, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False) -> Any:
    """input where positive, else a times input: a drawn uniformly from [lower, upper] in training, their mean otherwise."""
    if lower > upper:
        raise RuntimeError("Lower bound should be less than or equal to the upper bound")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    if input._array.dtype.kind not in "fV" or input._array.dtype.char == "e":
        raise unimplemented("rrelu_with_noise_out_cpu", input._array)
    return (_rrelu_in_place if inplace else rrelu_op.function)(input, k.rrelu_noise(input._array, lower, upper))


@composite("F.rrelu_", "torch.rrelu_")
def rrelu_(input: Any, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False) -> Any:
    """`rrelu` in place."""
    return rrelu(input, lower, upper, training, True)


@operator(node="RreluWithNoiseBackward0", out=False)
def rrelu_op(input: Array, noise: Any) -> Array:
    """input * noise."""
    return k.times_noise(input, noise)


rrelu_op.derivative(input=lambda F, grad, noise: F.times_array(grad, noise))
formula_function("times_array", k.times_noise, lambda x, array: x * tensors.wrap(array.astype(x._array.dtype)))
_rrelu_in_place = in_place_form(rrelu_op, "rrelu_")


@composite("F.softmin")
def softmin(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """softmax(-input)."""
    if dim is None:
        dim = implicit_dim("softmin", input.dim(), _stacklevel)
    return softmax.function(-input, dim, dtype)


@composite("F.gumbel_softmax")
def gumbel_softmax(logits: Any, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Any:
    """A sample of the Gumbel-softmax distribution (Jang et al., 2016); `hard` gives one-hot samples with soft gradients."""
    noise = -tensors.empty_like(logits).exponential_().log()
    soft = softmax.function((logits + noise) / tau, dim)
    if not hard:
        return soft
    index = soft.max(dim, keepdim=True)[1]
    return tensors.zeros_like(logits).scatter_(dim, index, 1.0) - soft.detach() + soft


# `F.tanh` and `F.sigmoid` are those of `torch`: see elementary.py.
