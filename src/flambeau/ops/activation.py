"""Activation functions, softmax and its kin."""

from __future__ import annotations

from typing import Any

from ..core.layout import normalize_dim
from ..kernels import activation as k
from ..kernels import elementwise as e
from .creation import numpy_dtype
from .definition import Array, composite, formula_function, operator, tensors

# Gradients: one fused kernel over arrays; over Tensors the same formula in operators that can be differentiated again.
formula_function("threshold_backward", k.threshold_backward, lambda grad, result, threshold: grad * (result > threshold))


@operator("torch.relu", "torch.relu_", "F.relu_", "Tensor.relu", "Tensor.relu_")
def relu(input: Array, out: Any = None) -> Array:
    """max(input, 0), element by element. Raises RuntimeError for bool."""
    if input.dtype.kind == "b":
        raise RuntimeError("Boolean inputs not supported for relu")
    return k.relu(input, out)


relu.derivative(input=lambda F, grad, result: F.threshold_backward(grad, result, 0))


@composite("F.relu", hot=True)
def relu_function(input: Any, inplace: bool = False) -> Any:
    """max(input, 0), element by element; `inplace` overwrites the input."""
    return relu.in_place(input) if inplace else relu.function(input)


relu_function.__name__ = relu_function.__qualname__ = "relu"


def _gelu_backward_tensors(grad: Any, x: Any, approximate: str) -> Any:
    if approximate == "tanh":
        beta, kappa = 0.7978845608028654, 0.044715
        t = tensors.tanh((x + x * x * x * kappa) * beta)
        return grad * ((t + 1) * 0.5 + x * (1 - t * t) * (x * x * (3 * kappa) + 1) * (0.5 * beta))
    cdf = (tensors.erf(x * 0.7071067811865476) + 1) * 0.5
    return grad * (cdf + x * tensors.exp(x * x * -0.5) * 0.3989422804014327)


formula_function("gelu_backward", k.gelu_backward, _gelu_backward_tensors)


@operator("F.gelu", out=False)
def gelu(input: Array, *, approximate: Any = "none") -> Array:
    """x * Phi(x), where Phi is the normal distribution function; `approximate="tanh"` replaces it by a tanh formula.

    Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016. Raises RuntimeError for integers or another `approximate`.
    """
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    if input.dtype.kind in "iub":
        raise unimplemented("GeluKernelImpl", input)
    return k.gelu(input, approximate)


gelu.derivative(input=lambda F, grad, input, approximate: F.gelu_backward(grad, input, approximate))


def unimplemented(kernel: str, array: Any) -> Exception:
    """PyTorch's error for a dtype that a kernel does not take."""
    from ..core.dtype import OF_NUMPY, SCALAR_NAMES

    return NotImplementedError(f"\"{kernel}\" not implemented for '{SCALAR_NAMES[OF_NUMPY[array.dtype]]}'")


def _silu_backward_tensors(grad: Any, x: Any) -> Any:
    s = tensors.sigmoid(x)
    return grad * s * (x * (1 - s) + 1)


formula_function("silu_backward", k.silu_backward, _silu_backward_tensors)


@operator(out=False)
def silu(input: Array) -> Array:
    """x * sigmoid(x), also called swish."""
    if input.dtype.kind in "iub":
        raise unimplemented("silu_cpu", input)
    return k.silu(input)


silu.derivative(input=lambda F, grad, input: F.silu_backward(grad, input))


@composite("F.silu", hot=True)
def silu_function(input: Any, inplace: bool = False) -> Any:
    """x * sigmoid(x), also called swish; `inplace` overwrites the input."""
    return input.copy_(silu.function(input)) if inplace else silu.function(input)


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
def softmax(input: Array, dim: Any, dtype: Any = None) -> Array:
    """exp(input) / sum(exp(input)) along `dim`. `dtype`: the input is cast first."""
    return k.softmax(_prepared(input, dtype, "softmax_lastdim_kernel_impl"), normalize_dim(dim, input.ndim) if input.ndim else None)


softmax.derivative(input=lambda F, grad, result, dim: F.softmax_backward(grad, result, dim))


@operator("torch.log_softmax", "Tensor.log_softmax", "special.log_softmax")
def log_softmax(input: Array, dim: Any, dtype: Any = None) -> Array:
    """log(softmax(input)) along `dim`, computed without overflow. `dtype`: the input is cast first."""
    return k.log_softmax(_prepared(input, dtype, "log_softmax_lastdim_kernel_impl"), normalize_dim(dim, input.ndim) if input.ndim else None)


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
        if dim is None:
            dim = implicit_dim(name, input.dim(), _stacklevel)
        return op.function(input, dim, dtype)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = op.forward.__doc__
    composite(f"F.{name}", hot=True)(call)
    setattr(tensors, name, op.function)


_functional_softmax("softmax", softmax)
_functional_softmax("log_softmax", log_softmax)
