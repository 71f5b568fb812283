"""Layer, batch, group and other normalisations."""

from __future__ import annotations

import math
from typing import Any

from ..autograd.version import bump_version
from ..core import dtype as dt
from ..core.dtype import OF_NUMPY, SCALAR_NAMES
from ..core.layout import in_format_of, in_order_of, row_major
from ..core.meta import one_device
from ..kernels import batch_norm as batch_norm_kernels
from ..kernels import normalization as k
from .definition import Array, composite, explained_here, formula_function, operator, tensors, write_out
from .running import refuse, same_scalar_type


def _layer_norm_backward_tensors(grad: Any, x: Any, mean: Any, rstd: Any, weight: Any, needs: Any) -> tuple[Any, Any, Any]:
    """The kernel's formula in operators, the statistics computed anew so that they are differentiated as well."""
    shape = x.shape
    count = x.numel() // max(mean.numel(), 1)
    rows, g = x.reshape(mean.numel(), count), grad.reshape(mean.numel(), count)
    if not x.numel():
        return x * 0 + grad, None if weight is None else weight * 0, grad.sum(0) if needs[2] else None
    centred = rows - rows.mean(1, True)
    # The eps that the forward used is what its rstd holds beyond the variance.
    eps = (1 / (rstd * rstd) - (centred * centred).mean(1, True)).detach()
    scale = ((centred * centred).mean(1, True) + eps) ** -0.5
    normal = centred * scale
    gw = g if weight is None else g * weight.reshape(-1)
    grad_x = (gw - gw.mean(1, True) - normal * (gw * normal).mean(1, True)) * scale
    return (
        grad_x.reshape(shape) if needs[0] else None,
        (g * normal).sum(0).reshape(weight.shape) if needs[1] else None,
        g.sum(0) if needs[2] else None,
    )


formula_function("layer_norm_backward", k.layer_norm_backward, _layer_norm_backward_tensors)


@operator(outputs=3, node="NativeLayerNormBackward0", out=False)
def layer_norm_with_statistics(input: Array, normalized_shape: Any, weight: Array | None, bias: Array | None, eps: Any) -> Array:
    """Layer normalisation together with the mean and 1 / sqrt(var + eps)."""
    check_normalized_shape(input.shape, tuple(normalized_shape), weight, bias)
    check_mixed(input, weight, bias)
    found = k.layer_norm(input, math.prod(normalized_shape), weight, bias, eps)
    return found if input.flags.c_contiguous else (row_major(input, found[0]), *found[1:])


def _layer_norm_gradients(F: Any, grads: Any, needs: Any, input: Any, weight: Any, result1: Any, result2: Any, bias_shape: Any) -> Any:
    grad = grads[0]
    if grad is None:
        return None, None, None
    gx, gw, gb = F.layer_norm_backward(grad, input, result1, result2, weight, needs)
    if gb is not None:  # without rows the kernel cannot tell how long they would be
        gb = gb.reshape(bias_shape) if math.prod(gb.shape) == math.prod(bias_shape) else F.zeros(bias_shape, gb.dtype)
    return gx, gw, gb


def check_mixed(input: Array, weight: Any, bias: Any) -> None:
    """Raises RuntimeError where the parameters have another dtype than the input, but for float32 beside half precision."""
    given = [p for p in (weight, bias) if p is not None]
    if not given or given[0].dtype == input.dtype:
        return same_scalar_type(input, *given)
    if any(p.dtype != dt.float32.numpy for p in given):
        raise RuntimeError("mixed dtype (CPU): expect parameter to have scalar type of Float")
    if input.dtype.kind not in "fV" or input.dtype.itemsize != 2:
        raise RuntimeError("mixed dtype (CPU): all inputs must share same datatype.")


def check_normalized_shape(shape: tuple[int, ...], normalized: tuple[int, ...], weight: Any, bias: Any) -> None:
    """Raises RuntimeError where the shapes do not go together, in PyTorch's words."""
    if not normalized:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got normalized_shape "
            f"= {list(normalized)}"
        )
    for name, p in (("weight", weight), ("bias", bias)):
        if p is not None and tuple(p.shape) != normalized:
            raise RuntimeError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape {list(p.shape)} and "
                f"normalized_shape = {list(normalized)}"
            )
    if len(shape) < len(normalized) or shape[len(shape) - len(normalized) :] != normalized:
        wanted = ", ".join(["*", *map(str, normalized)])
        raise RuntimeError(
            f"Given normalized_shape={list(normalized)}, expected input with shape [{wanted}], but got input of size{list(shape)}"
        )


@operator(outputs=3, hidden=2, node="NativeLayerNormBackward0", out=False)
def layer_norm(input: Array, normalized_shape: Any, weight: Array | None = None, bias: Array | None = None, eps: Any = 1e-5) -> Array:
    """Normalises over the last dimensions, which must be `normalized_shape`: zero mean, unit variance, then `weight` and `bias`.

    Ba, Kiros and Hinton, "Layer Normalization", 2016. The variance is the biased one.
    """
    if (
        normalized_shape.__class__ is not tuple
        or input.shape[input.ndim - len(normalized_shape) :] != normalized_shape
        or not normalized_shape
        or (weight is not None and (weight.shape != normalized_shape or weight.dtype is not input.dtype))
        or (bias is not None and (bias.shape != normalized_shape or bias.dtype is not input.dtype))
    ):
        check_normalized_shape(input.shape, tuple(normalized_shape), weight, bias)
        check_mixed(input, weight, bias)
    found = k.layer_norm(input, math.prod(normalized_shape), weight, bias, eps)
    return found if input.flags.c_contiguous else (row_major(input, found[0]), *found[1:])


for _op in (layer_norm_with_statistics, layer_norm):
    _op.joint("input", "weight", "bias")(_layer_norm_gradients)


def _statistics_dtype(input: Any, *parameters: Any) -> Any:
    """The dtype that mean and deviation are returned in: the input's, unless the parameters are kept in float32."""
    return next((p.dtype for p in parameters if p is not None), input.dtype)


@composite("torch.native_layer_norm")
def native_layer_norm(input: Any, normalized_shape: Any, weight: Any, bias: Any, eps: float) -> Any:
    """Layer normalisation with its statistics: (result, mean, 1 / sqrt(var + eps)); these have no gradient."""
    normalized = tuple(normalized_shape)
    result, *statistics = layer_norm_with_statistics.function(input, normalized, weight, bias, eps)
    shape, dtype = (*input.shape[: input.dim() - len(normalized)], *[1] * len(normalized)), _statistics_dtype(input, weight, bias)
    return result, *[s.detach().reshape(shape).to(dtype) for s in statistics]


@composite("F.layer_norm", "torch.layer_norm", hot=True)
def layer_norm_function(
    input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5, cudnn_enable: bool = True
) -> Any:
    """Normalises over the last dimensions, which must be `normalized_shape`: zero mean, unit variance, then `weight` and `bias`."""
    try:
        shape = normalized_shape
        if shape.__class__ is not tuple:
            shape = (shape,) if isinstance(shape, int) else tuple(shape)
        return layer_norm.function(input, shape, weight, bias, eps)
    except Exception as error:
        raise explained_here(error, "F.layer_norm")


layer_norm_function.__name__ = layer_norm_function.__qualname__ = "layer_norm"
tensors.layer_norm = layer_norm_function


# --- batch normalisation ----------------------------------------------------------------------------------------------


def _line(ndim: int) -> tuple[int, ...]:
    """The shape that spreads one number per channel over (N, C, ...)."""
    return (1, -1, *[1] * (ndim - 2))


def _batch_norm_backward_tensors(grad: Any, x: Any, weight: Any, mean: Any, rstd: Any, training: Any, needs: Any) -> tuple[Any, Any, Any]:
    """The kernel's formula in operators; in training the statistics are computed anew so that they are differentiated as well."""
    axes, line = (0, *range(2, x.dim())), _line(x.dim())
    low = x.dtype
    x, grad = x.to(mean.dtype), grad.to(mean.dtype)
    if training:
        centred = x - x.mean(axes, True)
        var = (centred * centred).mean(axes, True)
        eps = (1 / (rstd * rstd).detach()).reshape(line) - var.detach()  # what the forward added
        scale = (var + eps) ** -0.5
    else:
        centred, scale = x - mean.detach().reshape(line), rstd.detach().reshape(line)
    normal = centred * scale
    gw = grad if weight is None else grad * weight.reshape(line)
    grad_x = grad_weight = None
    if needs[0]:
        grad_x = gw * scale
        if training:
            grad_x = (gw - gw.mean(axes, True) - normal * (gw * normal).mean(axes, True)) * scale
        grad_x = grad_x.to(low)
    if needs[1]:
        grad_weight = (grad * normal).sum(axes)
    return grad_x, grad_weight, grad.sum(axes) if needs[2] else None


formula_function("batch_norm_backward", batch_norm_kernels.batch_norm_backward, _batch_norm_backward_tensors)


def _check_batch_norm(input: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool) -> None:
    """Raises RuntimeError where the shapes or dtypes do not go together, in PyTorch's words."""
    channels = input.shape[1] if input.ndim > 1 else 0
    for name, p in (("running_mean", running_mean), ("running_var", running_var)):
        if p is None:
            if not training:
                raise RuntimeError(f"{name} must be defined in evaluation mode")
        elif p.size != channels:
            raise RuntimeError(f"{name} should contain {channels} elements not {p.size}")
    for name, p in (("weight", weight), ("bias", bias)):
        if p is not None and p.size != channels:
            raise RuntimeError(f"{name} should contain {channels} elements not {p.size}")
    one_device((input, weight, bias, running_mean, running_var))
    if input.ndim < 2 and (input.size or not input.ndim):
        raise IndexError(f"Dimension out of range (expected to be in range of [-1, 0], but got {input.ndim})")
    if input.dtype.kind not in "fV":
        raise NotImplementedError(f"\"batch_norm\" not implemented for '{SCALAR_NAMES[OF_NUMPY[input.dtype]]}'")
    others = {p.dtype for p in (weight, bias, running_mean, running_var) if p is not None}
    if others and others != {input.dtype} and not (input.dtype.itemsize == 2 and len(others) == 1 and others.pop().itemsize == 4):
        raise RuntimeError("mixed dtype (CPU): all inputs must share same datatype." if input.dtype.itemsize > 2 else
                           "mixed dtype (CPU): expect parameter to have scalar type of Float")  # fmt: skip


@operator(outputs=3, hidden=2, node="NativeBatchNormBackward0", out=False)
def batch_norm(
    input: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array | None,
    running_var: Array | None,
    training: Any,
    momentum: Any,
    eps: Any,
) -> Array:
    """Normalises each channel of (N, C, ...): see `F.batch_norm`. The running statistics change in place."""
    _check_batch_norm(input, weight, bias, running_mean, running_var, training)
    result, mean, rstd = batch_norm_kernels.batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)
    return in_format_of(input, result), mean, rstd


@batch_norm.joint("input", "weight", "bias")
def _batch_norm_gradients(F: Any, grads: Any, needs: Any, input: Any, weight: Any, result1: Any, result2: Any, training: Any) -> Any:
    if grads[0] is None:
        return None, None, None
    return F.batch_norm_backward(grads[0], input, weight, result1, result2, training, needs)


def _run_batch_norm(input: Any, running_mean: Any, running_var: Any, weight: Any, bias: Any, training: Any, momentum: Any, eps: Any) -> Any:
    result = batch_norm.function(input, weight, bias, running_mean, running_var, bool(training), momentum, eps)
    if training:
        for buffer in (running_mean, running_var):
            if buffer is not None:
                bump_version(buffer)
    return result


@composite("F.batch_norm")
def batch_norm_function(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """(x - mean) / sqrt(var + eps) * weight + bias for each channel of (N, C, ...).

    With `training` mean and (biased) variance are those of the batch, and the running statistics, where given, move towards them
    by `momentum`, the variance by its unbiased estimate; else they are the running ones. Ioffe and Szegedy, 2015.
    """
    if training:
        if eps <= 0.0:
            raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
        shape = input.shape
        if input.numel() == (shape[1] if len(shape) > 1 else 0) and shape[0] == 1:
            raise ValueError(f"Expected more than 1 value per channel when training, got input size {shape}")
        if (running_mean is None) is not (running_var is None):
            raise ValueError("running_mean and running_var must either both be None or neither be None")
    elif eps < 0.0:
        raise ValueError(f"batch_norm eps must be non-negative, but got {eps}")
    return _run_batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


batch_norm_function.__name__ = batch_norm_function.__qualname__ = "batch_norm"


@composite("torch.batch_norm")
def torch_batch_norm(
    input: Any,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Any:
    """`F.batch_norm` with the arguments in another order."""
    return _run_batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


torch_batch_norm.__name__ = torch_batch_norm.__qualname__ = "batch_norm"


@operator(outputs=3, node="NativeBatchNormBackward0", out=False)
def batch_norm_with_statistics(
    input: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array | None,
    running_var: Array | None,
    training: Any,
    momentum: Any,
    eps: Any,
) -> Array:
    """Batch normalisation together with the mean and 1 / sqrt(var + eps)."""
    _check_batch_norm(input, weight, bias, running_mean, running_var, training)
    result, mean, rstd = batch_norm_kernels.batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)
    return in_format_of(input, result), mean, rstd


batch_norm_with_statistics.joint("input", "weight", "bias")(_batch_norm_gradients)


@composite("torch.native_batch_norm")
def native_batch_norm(
    input: Any,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    training: bool,
    momentum: float,
    eps: float,
    *,
    out: Any = None,
) -> Any:
    """Batch normalisation with its statistics: (result, mean, 1 / sqrt(var + eps)), empty ones outside training."""
    result, *statistics = batch_norm_with_statistics.function(input, weight, bias, running_mean, running_var, bool(training), momentum, eps)
    if training:
        for buffer in (running_mean, running_var):
            if buffer is not None:
                bump_version(buffer)
    dtype = _statistics_dtype(input, weight, bias, running_mean, running_var)
    made = (result, *[(s if training else s[:0]).detach().to(dtype) for s in statistics])
    return made if out is None else write_out(made, out)


# --- instance, group, RMS and local response normalisation ------------------------------------------------------------


@composite("F.instance_norm")
def instance_norm(
    input: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Batch normalisation of every sample of (N, C, ...) by itself. Ulyanov, Vedaldi and Lempitsky, 2016."""
    shape = input.shape
    if use_input_stats:
        if math.prod(shape[2:]) == 1:
            raise ValueError(f"Expected more than 1 spatial element when training, got input size {shape}")
    elif running_mean is None or running_var is None:
        raise RuntimeError("Expected running_mean and running_var to be defined when use_input_stats is false")
    n, c = shape[0], shape[1]

    def repeated(p: Any) -> Any:
        return None if p is None else p.repeat(n)

    mean, var = repeated(running_mean), repeated(running_var)
    seen = input.contiguous().view(1, n * c, *shape[2:])
    result = _run_batch_norm(seen, mean, var, repeated(weight), repeated(bias), use_input_stats, momentum, eps)
    if use_input_stats:
        for buffer, moved in ((running_mean, mean), (running_var, var)):
            if buffer is not None:
                buffer.detach().copy_(moved.view(n, c).mean(0))
    return result.view(shape)


@composite("torch.instance_norm")
def torch_instance_norm(
    input: Any,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Any:
    """`F.instance_norm` with the arguments in another order."""
    return instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


torch_instance_norm.__name__ = torch_instance_norm.__qualname__ = "instance_norm"


def _group_norm_backward_tensors(grad: Any, x: Any, mean: Any, rstd: Any, weight: Any, needs: Any) -> tuple[Any, Any, Any]:
    axes, line = (0, *range(2, x.dim())), _line(x.dim())
    gw = grad if weight is None else grad * weight.reshape(line)
    none = (needs[0], False, False)
    grad_x = _layer_norm_backward_tensors(gw, x, mean.reshape(-1, 1), rstd.reshape(-1, 1), None, none)[0] if needs[0] else None
    grad_weight = None
    if needs[1]:
        rows = x.reshape(mean.numel(), x.numel() // max(mean.numel(), 1))
        centred = rows - rows.mean(1, True)
        var = (centred * centred).mean(1, True)
        eps = 1 / (rstd * rstd).detach().reshape(-1, 1) - var.detach()
        grad_weight = (grad * (centred * (var + eps) ** -0.5).reshape(x.shape)).sum(axes)
    return grad_x, grad_weight, grad.sum(axes) if needs[2] else None


formula_function("group_norm_backward", k.group_norm_backward, _group_norm_backward_tensors)


def _check_group_norm(shape: Any, groups: int, weight: Any, bias: Any) -> None:
    if len(shape) < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {len(shape)}")
    if groups <= 0:
        raise RuntimeError(f"Expected num groups to be greater than 0, got {groups}")
    if shape[1] % groups:
        raise RuntimeError(
            f"Expected number of channels in input to be divisible by num_groups, but got input of shape {list(shape)} and "
            f"num_groups={groups}"
        )
    for name, p in (("weight", weight), ("bias", bias)):
        if p is not None and p.shape != (shape[1],):
            seen = list(weight.shape) if weight is not None else [0]
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, but got {name} of shape {seen} and "
                f"input of shape {list(shape)}"
            )


@operator(outputs=3, hidden=2, node="NativeGroupNormBackward0", out=False)
def group_norm(input: Array, num_groups: Any, weight: Array | None, bias: Array | None, eps: Any) -> Array:
    """Normalises each group of channels of (N, C, ...): see `F.group_norm`."""
    _check_group_norm(input.shape, num_groups, weight, bias)
    check_mixed(input, weight, bias)
    result, mean, rstd = k.group_norm(input, num_groups, weight, bias, eps)
    return in_format_of(input, result), mean, rstd


@operator(outputs=3, node="NativeGroupNormBackward0", out=False)
def group_norm_with_statistics(
    input: Array, weight: Array | None, bias: Array | None, N: Any, C: Any, HxW: Any, group: Any, eps: Any
) -> Array:
    """Group normalisation together with the mean and 1 / sqrt(var + eps)."""
    _check_group_norm((N, C), group, weight, bias)
    result, mean, rstd = k.group_norm(input.reshape(N, C, HxW), group, weight, bias, eps)
    return result.reshape(input.shape), mean, rstd


def _group_norm_gradients(F: Any, grads: Any, needs: Any, input: Any, weight: Any, result1: Any, result2: Any) -> Any:
    found: Any = (None, None, None)
    if grads[0] is not None:
        found = F.group_norm_backward(grads[0], input, result1, result2, weight, needs)
    if needs[0] and not grads[1] is grads[2] is None:
        statistics = _statistics_gradient(grads[1], grads[2], input, result1, result2)
        found = (statistics if found[0] is None else found[0] + statistics, *found[1:])
    return found


def _statistics_gradient(grad_mean: Any, grad_rstd: Any, x: Any, mean: Any, rstd: Any) -> Any:
    """The gradient of x by way of its groups' means and 1 / sqrt(var + eps)."""
    groups = math.prod(mean.shape)
    rows = x.reshape(groups, math.prod(x.shape) // max(groups, 1))
    total = 0
    if grad_mean is not None:
        total = grad_mean.reshape(groups, 1)
    if grad_rstd is not None:
        total = total - grad_rstd.reshape(groups, 1) * rstd.reshape(groups, 1) ** 3 * (rows - mean.reshape(groups, 1))
    return (rows * 0 + total / max(rows.shape[1], 1)).reshape(tuple(x.shape))


for _op in (group_norm, group_norm_with_statistics):
    _op.joint("input", "weight", "bias")(_group_norm_gradients)


@composite("torch.native_group_norm")
def native_group_norm(input: Any, weight: Any, bias: Any, N: int, C: int, HxW: int, group: int, eps: float) -> Any:
    """Group normalisation of (N, C, ...) with its statistics, (N, group): (result, mean, 1 / sqrt(var + eps))."""
    result, *statistics = group_norm_with_statistics.function(input, weight, bias, N, C, HxW, group, eps)
    dtype = _statistics_dtype(input, weight, bias)
    return result, *[s if s.dtype is dtype else s.to(dtype) for s in statistics]


@composite("F.group_norm", "torch.group_norm")
def group_norm_function(
    input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5, cudnn_enabled: bool = True
) -> Any:
    """Normalises each of `num_groups` groups of channels of every sample of (N, C, ...), then `weight` and `bias` per channel.

    Wu and He, 2018.
    """
    shape = input.shape
    if len(shape) < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {len(shape)}")
    if shape[0] * (shape[1] // num_groups) * math.prod(shape[2:]) == 1:
        sizes = [shape[0] * shape[1] // num_groups, num_groups, *shape[2:]]
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {sizes}")
    return group_norm.function(input, num_groups, weight, bias, eps)


group_norm_function.__name__ = group_norm_function.__qualname__ = "group_norm"


def _rms_norm_backward_tensors(grad: Any, x: Any, rstd: Any, weight: Any, needs: Any) -> tuple[Any, Any]:
    count = x.numel() // max(rstd.numel(), 1)
    rows, g = x.reshape(-1, count), grad.reshape(-1, count)
    squares = (rows * rows).mean(1, True)
    scale = (squares + (1 / (rstd * rstd) - squares).detach()) ** -0.5
    normal = rows * scale
    gw = g if weight is None else g * weight.reshape(-1)
    grad_x = (gw - normal * (gw * normal).mean(1, True)) * scale
    return (grad_x.reshape(x.shape) if needs[0] else None), (g * normal).sum(0).reshape(weight.shape) if needs[1] else None


formula_function("rms_norm_backward", k.rms_norm_backward, _rms_norm_backward_tensors)


@operator(outputs=2, hidden=1, node="MulBackward0", out=False)
def rms_norm(input: Array, normalized_shape: Any, weight: Array | None, eps: Any) -> Array:
    """x / sqrt(mean(x^2) + eps) * weight over the last dimensions: see `F.rms_norm`."""
    result, rstd = k.rms_norm(input, math.prod(normalized_shape), weight, eps)
    return in_order_of(input, result), rstd


@rms_norm.joint("input", "weight")
def _rms_norm_gradients(F: Any, grads: Any, needs: Any, input: Any, weight: Any, result1: Any) -> Any:
    return (None, None) if grads[0] is None else F.rms_norm_backward(grads[0], input, result1, weight, needs)


@composite("F.rms_norm", "torch.rms_norm")
def rms_norm_function(input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Any:
    """x / sqrt(mean(x^2) + eps) * weight over the last dimensions, which must be `normalized_shape`; eps is the machine's by default.

    Zhang and Sennrich, 2019.
    """
    normalized = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    array = input._array
    if (
        not normalized
        or array.shape[array.ndim - len(normalized) :] != normalized
        or (weight is not None and tuple(weight.shape) != normalized)
    ):
        _check_rms_norm(array.shape, normalized, weight)
    if eps is None:
        if array.dtype.kind in "iub":
            refuse(array, "rms_norm")
        eps = _EPS[OF_NUMPY[array.dtype].name]
    if array.dtype.kind == "c":
        mean = (input * input).mean(tuple(range(-len(normalized), 0)), True)
        result = input * (mean + eps).rsqrt()
        return result if weight is None else result * weight
    return rms_norm.function(input, normalized, weight, eps)


rms_norm_function.__name__ = rms_norm_function.__qualname__ = "rms_norm"
# The statistics of half precision are in float32, and so is the epsilon.
_EPS = {"float64": 2.0**-52, "complex128": 2.0**-52, "float32": 2.0**-23, "complex64": 2.0**-23, "float16": 2.0**-23, "bfloat16": 2.0**-23}


def _check_rms_norm(shape: Any, normalized: Any, weight: Any) -> None:
    if len(shape) < len(normalized):
        raise ValueError(f"Input tensor must have at least {len(normalized)} dimensions, but got {len(shape)}")
    check_normalized_shape(tuple(normalized), tuple(normalized), weight, None)
    raise RuntimeError(
        f"Given normalized_shape={list(normalized)}, expected input with shape [*{', '.join(map(str, normalized))}], but got input of "
        f"size{list(shape)}"
    )


@composite("F.local_response_norm")
def local_response_norm(input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    """x / (k + alpha * m) ** beta, where m is the mean of squares over `size` neighbouring channels of (N, C, ...)."""
    from .definition import NAMES

    F = NAMES["F"]
    dim = input.dim()
    if dim < 3:
        raise ValueError(f"Expected 3D or higher dimensionality                          input (got {dim} dimensions)")
    if input.numel() == 0:
        return input
    squares = (input * input).unsqueeze(1)
    if dim == 3:
        squares = F["avg_pool2d"](F["pad"](squares, (0, 0, size // 2, (size - 1) // 2)), (size, 1), stride=1).squeeze(1)
    else:
        shape = input.shape
        squares = squares.view(shape[0], 1, shape[1], shape[2], -1)
        squares = F["avg_pool3d"](F["pad"](squares, (0, 0, 0, 0, size // 2, (size - 1) // 2)), (size, 1, 1), stride=1).squeeze(1)
        squares = squares.view(shape)
    return input / (squares * alpha + k) ** beta


@composite("F.normalize")
def normalize(input: Any, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Any = None) -> Any:
    """Divides by the p-norm along `dim`, or by `eps` where that is larger."""
    from .definition import NAMES

    divisor = input.norm(p, dim, keepdim=True).clamp_min(eps).expand_as(input)
    return input / divisor if out is None else NAMES["torch"]["div"](input, divisor, out=out)


# --- weight normalisation ---------------------------------------------------------------------------------------------


@composite("torch.norm_except_dim")
def norm_except_dim(v: Any, pow: int = 2, dim: int = 0) -> Any:
    """The `pow`-norm of v over all dimensions but `dim`, kept with size 1; over all for -1."""
    if dim == -1:
        return tensors.norm(v, pow)
    if dim not in (0, v.dim() - 1):  # PyTorch looks at the first or the last dimension of a transposed view
        return norm_except_dim(v.transpose(0, dim), pow, 0).transpose(0, dim)
    line = [1] * v.dim()
    line[dim] = v.shape[dim]
    rows = v.contiguous().reshape(line[0], -1) if dim == 0 else v.contiguous().reshape(-1, line[-1])
    return tensors.norm(rows, pow, 1 if dim == 0 else 0).view(line)


@composite("torch._weight_norm")
def _weight_norm(v: Any, g: Any, dim: int = 0) -> Any:
    """The direction of v in the length g: `v * g / norm_except_dim(v, 2, dim)`. Salimans and Kingma, 2016."""
    return v * (g / norm_except_dim(v, 2, dim))
