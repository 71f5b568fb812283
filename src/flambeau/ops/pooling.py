"""Pooling: maxima, means and powers over windows, with fixed or adaptive windows, and what undoes them."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from ..core.dtype import OF_NUMPY, SCALAR_NAMES
from ..core.layout import in_format_of, row_major
from ..kernels import pooling as k
from ..kernels import resampling
from ..tensor import Tensor
from .arguments import refusal, type_name
from .definition import NAMES, Array, composite, formula_function, operator, write_out

Ints = tuple[int, ...]
_WORDS = {1: "one int", 2: "two ints", 3: "three ints"}


def _each(value: Any, dims: int, name: str, argument: str, omitted: bool = False) -> tuple[int, ...]:
    """One int per spatial dimension."""
    if value.__class__ is int:
        return (value,) * dims
    if isinstance(value, (tuple, list)) and all(hasattr(n, "__index__") for n in value):
        if len(value) == dims:
            return tuple([int(n) for n in value])
        if len(value) == 1:
            return (int(value[0]),) * dims
        either = "be either" if argument == "dilation" else "either be"
        raise RuntimeError(
            f"{name}: {argument} must {either if not omitted else 'either be omitted,'} a single int, or a tuple of {_WORDS[dims]}"
        )
    if hasattr(value, "__index__"):
        return (int(value),) * dims
    raise TypeError(f"{name}(): argument '{argument}' must be tuple of ints, not {type(value).__name__}")


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, (tuple, list)) and not value)


def pooled_size(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    """How many windows there are; with `ceil_mode` one more where something is left over, if it starts inside."""
    over = size + 2 * padding - dilation * (kernel - 1) - 1
    out = (over + (stride - 1 if ceil_mode else 0)) // stride + 1
    if ceil_mode and (out - 1) * stride >= size + padding:
        out -= 1
    return out


def _check_windows(shape: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, out: Any) -> None:
    """Raises RuntimeError where windows, sizes and padding do not fit, in PyTorch's words."""
    dims = len(kernel)
    letters = {1: ("W",), 2: ("H", "W"), 3: ("T", "H", "W")}[dims]
    if 0 in stride:
        raise RuntimeError("stride should not be zero")
    if min(kernel) <= 0:
        parts = " ".join(f"k{a}: {b}" for a, b in zip(letters, kernel))
        raise RuntimeError(f"kernel size should be greater than zero, but got {parts}")
    if min(stride) < 0:
        raise RuntimeError("stride should be greater than zero, but got " + " ".join(f"d{a}: {b}" for a, b in zip(letters, stride)))
    if min(dilation) <= 0:
        raise RuntimeError(
            "dilation should be greater than zero, but got " + " ".join(f"dilation{a}: {b}" for a, b in zip(letters, dilation))
        )
    for p, n, d in zip(padding, kernel, dilation):
        if p < 0:
            raise RuntimeError(f"pad must be non-negative, but got pad: {p}")
        if p > ((n - 1) * d + 1) // 2:
            raise RuntimeError(f"pad should be at most half of effective kernel size, but got pad={p}, kernel_size={n} and dilation={d}")
    sizes = shape[-dims - 1 :]
    if out is not None and min(out) < 1:
        raise RuntimeError(
            f"Given input size: ({'x'.join(map(str, sizes))}). Calculated output size: ({sizes[0]}x{'x'.join(map(str, out))}). Output size "
            "is too small"
        )


def _geometry(name: str, shape: Any, dims: int, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> tuple[Ints, ...]:
    """(kernel, stride, padding, dilation, out), checked."""
    kernel = _each(kernel, dims, name, "kernel_size")
    stride = kernel if _is_empty(stride) else _each(stride, dims, name, "stride", omitted=True)
    padding, dilation = _each(padding, dims, name, "padding"), _each(dilation, dims, name, "dilation")
    return _windows(tuple(shape), kernel, stride, padding, dilation, bool(ceil_mode))


@lru_cache(1024)
def _windows(shape: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool) -> tuple[Ints, ...]:
    """The same of sizes that are tuples of ints already."""
    dims, ndim = len(kernel), len(shape)
    if ndim not in (dims + 1, dims + 2):
        raise RuntimeError(f"non-empty {dims + 1}D or {dims + 2}D (batch mode) tensor expected for input")
    _check_windows(shape, kernel, stride, padding, dilation, None)
    out = tuple([pooled_size(s, n, t, p, d, ceil_mode) for s, n, t, p, d in zip(shape[-dims:], kernel, stride, padding, dilation)])
    if dims == 3 and ndim == 4 and shape[0] == 0:
        raise RuntimeError(
            f"max_pool3d: Expected input's non-batch dimensions to have positive length, but input has a shape of {list(shape)} and "
            "non-batch dimension 0 has length zero!"
        )
    if 0 in shape[1:] or (ndim == dims + 1 and shape[0] == 0):
        raise RuntimeError(
            f"Expected {dims + 1}D or {dims + 2}D (batch mode) tensor with optional 0 dim batch size for input, but got:{list(shape)}"
        )
    _check_windows(shape, kernel, stride, padding, dilation, out)
    return kernel, stride, padding, dilation, out


def _rows(x: Any, dims: int) -> Any:
    """(M, *S): all but the last `dims` dimensions as one."""
    shape = x.shape[-dims:] if dims else ()
    return x.reshape(math.prod(x.shape[: x.ndim - dims]), *shape)


def _refuse(array: Any, name: str, kinds: str, small: bool = True) -> None:
    """Raises NotImplementedError for dtypes that PyTorch has no kernel for."""
    if array.dtype.kind not in kinds or (not small and array.dtype.kind in "iu" and array.dtype.itemsize != 8):
        raise NotImplementedError(f"\"{name}\" not implemented for '{SCALAR_NAMES[OF_NUMPY[array.dtype]]}'")


def _as_images(input: Array, result: Array) -> Array:
    """Channels last where the input has them: PyTorch keeps that for images, not for volumes."""
    return in_format_of(input, result) if input.ndim == 4 else row_major(input, result)


# --- maxima -------------------------------------------------------------------------------------------------------------


def _max_node(input: Any, kernel: Any, *rest: Any) -> str:
    return f"MaxPool{len(kernel)}DWithIndicesBackward0"


@operator(node=_max_node, out=False)
def max_pool(input: Array, kernel: Any, stride: Any, padding: Any, dilation: Any, out_size: Any) -> Array:
    """The largest element of each window."""
    dims = len(kernel)
    result = k.max_pool(_rows(input, dims), kernel, stride, padding, dilation, out_size)
    return in_format_of(input, result.reshape(*input.shape[: input.ndim - dims], *out_size))


@operator(node=_max_node, outputs=2, out=False)
def max_pool_with_indices(input: Array, kernel: Any, stride: Any, padding: Any, dilation: Any, out_size: Any) -> Array:
    """The largest element of each window and its place in its flattened image, the first of equal ones."""
    dims = len(kernel)
    rows = _rows(input, dims)
    result = k.max_pool(rows, kernel, stride, padding, dilation, out_size)
    indices = k.max_pool_indices(rows, result, kernel, stride, padding, dilation)
    shape = (*input.shape[: input.ndim - dims], *out_size)
    return in_format_of(input, result.reshape(shape)), in_format_of(input, indices.reshape(shape))


@operator(out=False)
def pool_scatter(grad_output: Array, indices: Array, spatial: Any) -> Array:
    """Adds each element at its index into an image of zeros."""
    dims = len(spatial)
    lead = grad_output.shape[: grad_output.ndim - dims]
    return k.scatter(_rows(grad_output, dims), _rows(indices, dims), spatial).reshape(*lead, *spatial)


@operator(out=False)
def pool_gather(input: Array, indices: Array, spatial: Any) -> Array:
    """The elements at indices into flattened images."""
    dims = len(spatial)
    return k.gather(_rows(input, dims), _rows(indices, dims)).reshape(indices.shape)


pool_scatter.derivative(grad_output=lambda F, grad, indices, spatial: F.pool_gather(grad, indices, spatial))
pool_gather.derivative(input=lambda F, grad, indices, spatial: F.pool_scatter(grad, indices, spatial))


def _max_backward_arrays(grad: Any, x: Any, values: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    dims = len(kernel)
    result = k.max_pool_backward(_rows(grad, dims), _rows(x, dims), _rows(values, dims), kernel, stride, padding, dilation)
    return result.reshape(x.shape)


def _max_backward_tensors(grad: Any, x: Any, values: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    out = tuple(values.shape[-len(kernel) :])
    indices = max_pool_with_indices.function(x.detach(), kernel, stride, padding, dilation, out)[1]
    return pool_scatter.function(grad, indices, tuple(x.shape[-len(kernel) :]))


formula_function("max_pool_backward", _max_backward_arrays, _max_backward_tensors)
max_pool.derivative(
    input=lambda F, grad, input, result, kernel, stride, padding, dilation: F.max_pool_backward(
        grad, input, result, kernel, stride, padding, dilation
    )
)


@max_pool_with_indices.joint("input")
def _to_maxima(F: Any, grads: Any, input_shape: Any, result1: Any, kernel: Any) -> Any:
    """The gradient of maxima goes to where they were found."""
    return (F.pool_scatter(grads[0], result1, tuple(input_shape[-len(kernel) :])),)


def _public_max(dims: int) -> None:
    name = f"max_pool{dims}d"

    def function(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        how = _geometry(name, input._array.shape, dims, kernel_size, stride, padding, dilation, ceil_mode)
        _refuse(input._array, name, "fViu")
        return (max_pool_with_indices if return_indices else max_pool).function(input, *how)

    def one_dimension(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        if input.dim() not in (2, 3) or 0 in input.shape[-2:]:
            raise RuntimeError(
                f"max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got:{list(input.shape)}"
            )
        given = {
            "kernel_size": kernel_size,
            "stride": kernel_size if _is_empty(stride) else stride,
            "padding": padding,
            "dilation": dilation,
        }
        values = {}
        for argument, value in given.items():
            if isinstance(value, (tuple, list)):
                if len(value) != 1:
                    raise RuntimeError(
                        f"max_pool1d() {argument} must be an int, list of ints or tuple of ints of size 1 but got size {len(value)}"
                    )
                value = value[0]
            values[argument] = value
        for argument in ("kernel_size", "stride", "dilation"):
            if values[argument] <= 0:
                raise RuntimeError(f"max_pool1d() {argument} must be greater than zero, but got {values[argument]}")
        n, t, p, d = values.values()
        if p < 0:
            if return_indices:
                raise RuntimeError(f"pad must be non-negative, but got pad: {p}")
            raise RuntimeError(f"max_pool1d() padding must be non-negative, but got {p}")
        if p > ((n - 1) * d + 1) // 2:
            if return_indices:
                raise RuntimeError(
                    f"pad should be at most half of effective kernel size, but got pad={p}, kernel_size={n} and dilation={d}"
                )
            raise RuntimeError(f"max_pool1d() padding should be at most half of kernel size, but got padding={p} and kernel_size={n}")
        out = pooled_size(input.shape[-1], n, t, p, d, ceil_mode)
        if out < 1:
            raise RuntimeError(f"max_pool1d() Invalid computed output size: {out}")
        if not return_indices:
            _refuse(input._array, "max_pool1d_impl", "fV")
        _refuse(input._array, "max_pool1d", "fViu")
        how = ((1, n), (1, t), (0, p), (1, d), (1, out))
        if return_indices:
            values_, indices = max_pool_with_indices.function(input.unsqueeze(-2), *how)
            return values_.squeeze(-2), indices.squeeze(-2)
        return max_pool.function(input.unsqueeze(-2), *how).squeeze(-2)

    made: Any = one_dimension if dims == 1 else function
    made.__name__ = made.__qualname__ = name
    made.__doc__ = f"""The largest element of each window over the last {dims} dimensions: input (N, C, ...) or (C, ...).

    `stride` is the kernel size by default; `padding` counts as minus infinity; with `return_indices` also where the maxima lie in
    their flattened images. Raises RuntimeError where sizes do not fit.
    """
    composite(f"torch.{name}", f"F.{name}")(made)

    def with_indices(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
                     return_indices: bool = False) -> Any:  # fmt: skip
        return made(input, kernel_size, stride, padding, dilation, ceil_mode, True)

    with_indices.__name__ = with_indices.__qualname__ = f"{name}_with_indices"
    with_indices.__doc__ = f"`{name}` with `return_indices`."
    composite(f"F.{name}_with_indices", *(["torch.max_pool1d_with_indices"] if dims == 1 else []))(with_indices)


# --- means --------------------------------------------------------------------------------------------------------------


def _avg_node(input: Any, kernel: Any, *rest: Any) -> str:
    return f"AvgPool{len(kernel)}DBackward0"


@operator(node=_avg_node, out=False)
def avg_pool(input: Array, kernel: Any, stride: Any, padding: Any, out_size: Any, include_padding: Any, divisor: Any) -> Array:
    """The mean of each window."""
    dims = len(kernel)
    result = k.avg_pool(_rows(input, dims), kernel, stride, padding, out_size, include_padding, divisor)
    return _as_images(input, result.reshape(*input.shape[: input.ndim - dims], *out_size))


@operator(out=False)
def avg_pool_backward(
    grad_output: Array, spatial: Any, kernel: Any, stride: Any, padding: Any, include_padding: Any, divisor: Any
) -> Array:
    """Each gradient spread over its window."""
    dims = len(kernel)
    result = k.avg_pool_backward(_rows(grad_output, dims), spatial, kernel, stride, padding, include_padding, divisor)
    return result.reshape(*grad_output.shape[: grad_output.ndim - dims], *spatial)


avg_pool.derivative(
    input=lambda F, grad, input_shape, kernel, stride, padding, include_padding, divisor: F.avg_pool_backward(
        grad, tuple(input_shape[-len(kernel) :]), kernel, stride, padding, include_padding, divisor
    )
)
avg_pool_backward.derivative(
    grad_output=lambda F, grad, kernel, stride, padding, grad_output_shape, include_padding, divisor: F.avg_pool(
        grad, kernel, stride, padding, tuple(grad_output_shape[-len(kernel) :]), include_padding, divisor
    )
)


def _public_avg(dims: int) -> None:
    name = f"avg_pool{dims}d"

    def function(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
        *,
        out: Any = None,
    ) -> Any:
        if out is not None:
            return write_out(function(input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override), out)
        if divisor_override == 0:
            raise RuntimeError("divisor must be not zero")
        if dims == 2 and input.dim() < 3:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-max(input.dim(), 1)}, {max(input.dim(), 1) - 1}], but got -3)"
            )
        if dims == 3 and input.dim() in (4, 5) and not ceil_mode:
            sizes = _each(kernel_size, 3, name, "kernel_size")
            pads = _each(padding, 3, name, "padding")
            if min(pads) >= 0 and any(s + 2 * p < n for s, p, n in zip(input.shape[-3:], pads, sizes)):
                image = " ".join(f"{a}: {n}" for a, n in zip("THW", input.shape[-3:]))
                raise RuntimeError(
                    f"input image ({image}) smaller than kernel size ({' '.join(f'k{a}: {n}' for a, n in zip('THW', sizes))})"
                )
        kernel, stride, padding, _, size = _geometry(name, input._array.shape, dims, kernel_size, stride, padding, 1, ceil_mode)
        _refuse(input._array, name, "fViu", small=False)
        return avg_pool.function(input, kernel, stride, padding, size, bool(count_include_pad), divisor_override)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""The mean of each window over the last {dims} dimensions: input (N, C, ...) or (C, ...).

    Zeros of the padding count with `count_include_pad`; `divisor_override` takes the place of the count. Raises RuntimeError where
    sizes do not fit.
    """
    composite(f"F.{name}")(function)


@composite("torch.avg_pool1d", "F.avg_pool1d")
def avg_pool1d(
    input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, count_include_pad: bool = True
) -> Any:
    """The mean of each window over the last dimension: input (N, C, L) or (C, L)."""
    values = []
    for argument, value in (("kernel_size", kernel_size), ("stride", kernel_size if _is_empty(stride) else stride), ("padding", padding)):
        if isinstance(value, (tuple, list)):
            if len(value) != 1:
                raise RuntimeError(f"avg_pool1d() argument '{argument}' should contain one int (got {len(value)})")
            value = value[0]
        values.append(value)
    _dims_2_to_3(input, "avg_pool1d")
    n, t, p = values
    kernel, stride, padding, _, out = _geometry(
        "avg_pool2d", (*input.shape[:-1], 1, input.shape[-1]), 2, (1, n), (1, t), (0, p), 1, ceil_mode
    )
    _refuse(input._array, "avg_pool2d", "fViu", small=False)
    return avg_pool.function(input.unsqueeze(-2), kernel, stride, padding, out, bool(count_include_pad), None).squeeze(-2)


def _dims_2_to_3(input: Any, name: str) -> None:
    if input.dim() not in (2, 3):
        raise RuntimeError(
            f"Expected 2 to 3 dimensions, but got {input.dim()}-dimensional tensor for argument #1 'self' (while checking arguments "
            f"for {name})"
        )


# --- adaptive windows -----------------------------------------------------------------------------------------------------


def _adaptive_node(input: Any, out_size: Any) -> str:
    return f"AdaptiveAvgPool{len(out_size)}DBackward0"


@operator(node=_adaptive_node, out=False)
def adaptive_avg_pool(input: Array, out_size: Any) -> Array:
    """Means over windows that divide each of the last dimensions as evenly as can be."""
    result = input
    for i, n in enumerate(out_size, input.ndim - len(out_size)):
        result = resampling.resample(result, i, resampling.adaptive_table(input.shape[i], n))
    return _as_images(input, result.astype(input.dtype, copy=False))


@operator(out=False)
def adaptive_avg_pool_backward(grad_output: Array, spatial: Any) -> Array:
    """Each gradient spread over its window."""
    result = grad_output
    for i, n in enumerate(spatial, grad_output.ndim - len(spatial)):
        result = resampling.resample(result, i, resampling.adaptive_table_back(n, grad_output.shape[i]))
    return result.astype(grad_output.dtype, copy=False)


adaptive_avg_pool.derivative(
    input=lambda F, grad, input_shape, out_size: F.adaptive_avg_pool_backward(grad, tuple(input_shape[-len(out_size) :]))
)
adaptive_avg_pool_backward.derivative(
    grad_output=lambda F, grad, grad_output_shape, spatial: F.adaptive_avg_pool(grad, tuple(grad_output_shape[-len(spatial) :]))
)


def _adaptive_max_node(input: Any, out_size: Any) -> str:
    return f"AdaptiveMaxPool{len(out_size)}DBackward0"


@operator(node=_adaptive_max_node, outputs=2, out=False)
def adaptive_max_pool(input: Array, out_size: Any) -> Array:
    """Maxima over windows that divide each of the last dimensions as evenly as can be, and their flat indices."""
    dims = len(out_size)
    values, indices = k.adaptive_max_pool(_rows(input, dims), tuple(out_size))
    shape = (*input.shape[: input.ndim - dims], *out_size)
    return _as_images(input, values.reshape(shape)), _as_images(input, indices.reshape(shape))


@adaptive_max_pool.joint("input")
def _to_adaptive_maxima(F: Any, grads: Any, input_shape: Any, result1: Any, out_size: Any) -> Any:
    return (F.pool_scatter(grads[0], result1, tuple(input_shape[-len(out_size) :])),)


def _adaptive_size(size: Any, input: Any, dims: int, name: str) -> tuple[int, ...]:
    """The output size with None, which keeps a dimension, filled in. Raises TypeError for what are no integers."""
    if size.__class__ is int or size is None:
        return (dims * (size,)) if size is not None else tuple(input.shape)[-dims:]
    whole = _filled_size(size, input, dims)
    if any(n.__class__ is not int for n in whole):
        error = refusal("nn", name, (input, size if hasattr(size, "__index__") else whole), {})
        if error is not None:
            raise error
        whole = tuple([n.__index__() for n in whole])
    return whole


def _filled_size(size: Any, input: Any, dims: int) -> tuple[Any, ...]:
    if hasattr(size, "__index__"):
        return dims * (size,)
    if input.dim() <= len(size):
        raise ValueError(f"Input dimension should be at least {len(size) + 1}")
    if len(size) != dims:
        return tuple(size)
    return tuple([s if s is not None else n for s, n in zip(size, tuple(input.shape)[-dims:])])


def _check_adaptive(name: str, input: Any, dims: int, colon: str) -> None:
    shape = list(input.shape)
    if len(shape) not in (dims + 1, dims + 2):
        raise RuntimeError(f"{name}(): Expected {dims + 1}D or {dims + 2}D tensor, but got{colon} {shape}")
    for i in range(len(shape) - dims, len(shape)):
        if shape[i] == 0:
            raise RuntimeError(
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes {shape} with dimension {i} "
                "being empty"
            )


def _one_int(size: Any, name: str) -> int:
    if isinstance(size, (tuple, list)):
        if len(size) != 1:
            raise RuntimeError(f"{name}() argument 'output_size' should contain one int (got {len(size)})")
        size = size[0]
    if size.__class__ is not int:
        raise TypeError(f"{name}(): argument 'output_size' (position 2) must be tuple of ints, not {type(size).__name__}")
    return size


def _public_adaptive(dims: int) -> None:
    name = f"adaptive_avg_pool{dims}d"

    def average(input: Any, output_size: Any) -> Any:
        size = _adaptive_size(output_size, input, dims, name)
        if len(size) != dims:
            raise RuntimeError(f"{name}: output_size must be {dims}")
        if min(size) < 0:
            raise RuntimeError(
                f"{name}: elements of output_size must be greater than or equal to 0 but received {{{', '.join(map(str, size))}}}"
            )
        if max(size) == 1 and min(size) == 1 and input.dim() in (dims + 1, dims + 2):
            return input.mean(tuple(range(-dims, 0)), keepdim=True)
        _check_adaptive(name, input, dims, "")
        _refuse(input._array, name, "fV")
        return adaptive_avg_pool.function(input, size)

    def maximum(input: Any, output_size: Any, return_indices: bool = False) -> Any:
        size = _adaptive_size(output_size, input, dims, f"adaptive_max_pool{dims}d")
        _check_adaptive(f"adaptive_max_pool{dims}d", input, dims, ":")
        if len(size) != dims:
            raise RuntimeError(f"adaptive_max_pool{dims}d(): internal error: output_size.size() must be {dims}")
        if min(size) < 0:
            bad = next(n for n in size if n < 0)
            raise RuntimeError(f"Trying to create tensor with negative dimension {bad}: {[*input.shape[:-dims], *size]}")
        _refuse(input._array, f"adaptive_max_pool{dims}d", "fV")
        values, indices = adaptive_max_pool.function(input, size)
        return (values, indices) if return_indices else values

    average.__name__ = average.__qualname__ = name
    average.__doc__ = (
        f"Means over the last {dims} dimensions of (N, C, ...) or (C, ...), as many as `output_size` says; None keeps a dimension."
    )
    maximum.__name__ = maximum.__qualname__ = f"adaptive_max_pool{dims}d"
    maximum.__doc__ = (
        f"Maxima over the last {dims} dimensions of (N, C, ...) or (C, ...), as many as `output_size` says; None keeps a dimension."
    )
    composite(f"F.{name}")(average)
    _with_indices_form(maximum, dims)


def _with_indices_form(maximum: Any, dims: int) -> None:
    def with_indices(input: Any, output_size: Any, return_indices: bool = False) -> Any:
        return maximum(input, output_size, True)

    with_indices.__name__ = with_indices.__qualname__ = f"adaptive_max_pool{dims}d_with_indices"
    with_indices.__doc__ = f"`adaptive_max_pool{dims}d` with `return_indices`."
    composite(f"F.adaptive_max_pool{dims}d")(maximum)
    composite(f"F.adaptive_max_pool{dims}d_with_indices")(with_indices)


for _dims in (1, 2, 3):
    _public_max(_dims)
    if _dims > 1:
        _public_avg(_dims)
        _public_adaptive(_dims)


@composite("torch.adaptive_avg_pool1d", "F.adaptive_avg_pool1d")
def adaptive_avg_pool1d(input: Any, output_size: Any) -> Any:
    """`output_size` means over the last dimension of (N, C, L) or (C, L)."""
    _dims_2_to_3(input, "adaptive_avg_pool1d")
    size = _one_int(output_size, "adaptive_avg_pool1d")
    if size < 0:
        raise RuntimeError(f"adaptive_avg_pool2d: elements of output_size must be greater than or equal to 0 but received {{1, {size}}}")
    if size == 1:
        return input.unsqueeze(-2).mean((-2, -1), keepdim=True).squeeze(-2)
    _check_adaptive("adaptive_avg_pool2d", input.unsqueeze(-2), 2, "")
    _refuse(input._array, "adaptive_avg_pool2d", "fV")
    return adaptive_avg_pool.function(input.unsqueeze(-2), (1, size)).squeeze(-2)


def adaptive_max_pool1d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """`output_size` maxima over the last dimension of (N, C, L) or (C, L)."""
    _dims_2_to_3(input, "adaptive_max_pool1d")
    size = _one_int(output_size, "adaptive_max_pool1d")
    if size < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {size}: {[*input.shape[:-1], 1, size]}")
    _check_adaptive("adaptive_max_pool2d", input.unsqueeze(-2), 2, ":")
    _refuse(input._array, "adaptive_max_pool2d", "fV")
    values, indices = adaptive_max_pool.function(input.unsqueeze(-2), (1, size))
    return (values.squeeze(-2), indices.squeeze(-2)) if return_indices else values.squeeze(-2)


_with_indices_form(adaptive_max_pool1d, 1)


def _adaptive_max_pool1d_pair(input: Any, output_size: Any) -> Any:
    """`adaptive_max_pool1d` of values and indices, as `torch` has it."""
    return adaptive_max_pool1d(input, output_size, True)


_adaptive_max_pool1d_pair.__name__ = _adaptive_max_pool1d_pair.__qualname__ = "adaptive_max_pool1d"
composite("torch.adaptive_max_pool1d")(_adaptive_max_pool1d_pair)


# --- p-norms, and undoing maxima ------------------------------------------------------------------------------------------


def _public_lp(dims: int) -> None:
    name = f"lp_pool{dims}d"

    def function(input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
        F = NAMES["F"]
        kernel = _each(kernel_size, dims, f"avg_pool{dims}d", "kernel_size")
        if norm_type == math.inf:
            return F[f"max_pool{dims}d"](input.abs(), kernel_size, stride, 0, 1, ceil_mode)
        if norm_type == -math.inf:
            return -F[f"max_pool{dims}d"](-input.abs(), kernel_size, stride, 0, 1, ceil_mode)
        means = F[f"avg_pool{dims}d"](input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
        return (means.sign() * F["relu"](means.abs())).mul(math.prod(kernel)).pow(1.0 / norm_type)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"(sum of x ** norm_type) ** (1 / norm_type) over each window of the last {dims} dimensions."
    composite(f"F.{name}")(function)


@operator(node=lambda input, indices, spatial: f"MaxUnpool{len(spatial)}DBackward0", out=False)
def max_unpool(input: Array, indices: Array, spatial: Any) -> Array:
    """Elements put at their indices into images of zeros."""
    dims = len(spatial)
    size = math.prod(spatial)
    bad = k.index_outside(indices, size)
    if bad is not None:
        raise RuntimeError(f"Found an invalid max index: {bad} (output volumes are of size {'x'.join(map(str, spatial))})")
    placed = k.place(_rows(input, dims), _rows(indices, dims), spatial).reshape(*input.shape[: input.ndim - dims], *spatial)
    return _as_images(input, placed)


max_unpool.derivative(input=lambda F, grad, indices, spatial: F.pool_gather(grad, indices, spatial))


def _public_unpool(dims: int) -> None:
    name = f"max_unpool{dims}d"

    def function(input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None) -> Any:
        if not isinstance(indices, Tensor):
            raise TypeError(f"{name}(): argument 'indices' (position 2) must be Tensor, not {type_name(indices)}")
        kernel = _each(kernel_size, dims, name, "kernel_size")
        stride = kernel if _is_empty(stride) else _each(stride, dims, name, "stride")
        padding = _each(padding, dims, name, "padding")
        default = [(n - 1) * t + m - 2 * p for n, t, m, p in zip(tuple(input.shape)[-dims:], stride, kernel, padding)]
        size = default
        if output_size is not None:
            size = list(output_size)
            if len(size) == dims + 2:
                size = size[2:]
            if len(size) != dims:
                raise ValueError(
                    f"output_size should be a sequence containing {dims} or {dims + 2} elements, but it has a length of '{len(size)}'"
                )
            for d in range(dims):
                low, high = default[d] - stride[d], default[d] + stride[d]
                if not low < size[d] < high:
                    raise ValueError(f'invalid output_size "{output_size}" (dim {d} must be between {low} and {high})')
        for d, n in enumerate(size):
            if n < 0:
                raise ValueError(f"max_unpooling: output_size must contain non-negative spatial dimensions, but got output_size[{d}]={n}")
        if indices._array.dtype.kind != "i" or indices._array.dtype.itemsize != 8:
            raise RuntimeError(f"elements in indices should be type int64 but got: {SCALAR_NAMES[OF_NUMPY[indices._array.dtype]]}")
        if input.shape != indices.shape:
            raise RuntimeError(
                f"Expected shape of indices to be same as that of the input tensor ({list(input.shape)}) but got indices tensor with "
                f"shape: {list(indices.shape)}"
            )
        _refuse(input._array, f"max_unpool{max(dims, 2)}d", "fV")
        if dims == 1:
            return max_unpool.function(input.unsqueeze(-1), indices.unsqueeze(-1), (*size, 1)).squeeze(-1)
        return max_unpool.function(input, indices, tuple(size))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Puts the maxima of `max_pool{dims}d` back to their indices; zeros elsewhere. Raises RuntimeError for a bad index."
    composite(f"F.{name}")(function)


# --- windows placed at random -----------------------------------------------------------------------------------------------


@operator(node=lambda input, *rest: f"FractionalMaxPool{len(rest[1])}DBackward0", outputs=2, out=False)
def fractional_max_pool(input: Array, samples: Array, kernel: Any, out_size: Any) -> Array:
    """Maxima over windows whose places follow from one number in [0, 1) per plane and dimension."""
    dims = len(kernel)
    values, indices = k.fractional_max_pool(_rows(input, dims), samples.reshape(-1, dims), kernel, out_size)
    shape = (*input.shape[: input.ndim - dims], *out_size)
    return values.reshape(shape), indices.reshape(shape)


fractional_max_pool.joint("input")(_to_maxima)


def _public_fractional(dims: int) -> None:
    name = f"fractional_max_pool{dims}d"

    def function(
        input: Any,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Any = None,
    ) -> Any:
        if output_size is None and output_ratio is None:
            raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
        sizes = tuple(input.shape)[-dims:]
        if output_size is None:
            if len(output_ratio) > dims:
                raise ValueError(f"{name} requires output_ratio to either be a single Int or tuple of Ints.")
            output_size = [int(n * r) for n, r in zip(sizes, output_ratio)]
        kernel = _each(kernel_size, dims, name, "kernel_size")
        out = _each(output_size, dims, name, "output_size")
        if input.dim() > dims + 2:
            raise RuntimeError(f"{name}(): Expected {dims + 1}D or {dims + 2}D tensor, but got: {list(input.shape)}")
        _refuse(input._array, f"{name}_out_frame", "fViu")
        if _random_samples is None:
            batch = 1 if input.dim() == dims + 1 else input.shape[0]
            _random_samples = NAMES["torch"]["rand"](batch, input.shape[-dims - 1], dims, dtype=input.dtype)
        letters = ("height", "width") if dims == 2 else ("time", "height", "width")
        for i, (n, o, m) in enumerate(zip(sizes, out, kernel)):
            if o + m - 1 > n:
                raise RuntimeError(f"{name}(): pool {letters[i]} {m} too large relative to input {letters[i]} {n}")
        values, indices = fractional_max_pool.function(input, _random_samples, kernel, out)
        return (values, indices) if return_indices else values

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""Maxima over windows of `kernel_size` placed at random over the last {dims} dimensions. Graham, 2014.

    The result has `output_size`, or `output_ratio` times the input's size. Raises ValueError or RuntimeError where sizes do not fit.
    """
    composite(f"F.{name}")(function)

    def with_indices(
        input: Any,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Any = None,
    ) -> Any:
        return function(input, kernel_size, output_size, output_ratio, True, _random_samples)

    with_indices.__name__ = with_indices.__qualname__ = f"{name}_with_indices"
    with_indices.__doc__ = f"`{name}` with `return_indices`."
    composite(f"F.{name}_with_indices")(with_indices)


for _dims in (1, 2, 3):
    _public_lp(_dims)
    _public_unpool(_dims)
    if _dims > 1:
        _public_fractional(_dims)
