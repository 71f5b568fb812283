"""Convolution and transposed convolution.

Three bilinear maps, each of whose derivatives are the other two: the convolution of input and weight, the gradient of the
input (which is also the transposed convolution), and the gradient of the weight.
"""

from __future__ import annotations

from typing import Any

from ..core.dtype import OF_NUMPY, SCALAR_NAMES
from ..kernels import convolution as k
from ..kernels.batch_norm import channel_sums
from ..kernels.elementwise import add
from ..tensor import Tensor
from .definition import NUMBERS, Array, composite, formula_function, operator

_C_NAMES = {"Float": "float", "Double": "double", "Half": "c10::Half", "BFloat16": "c10::BFloat16", "Long": "long int", "Int": "int",
            "ComplexFloat": "c10::complex<float>", "ComplexDouble": "c10::complex<double>", "Bool": "bool", "Short": "short int",
            "Byte": "unsigned char", "Char": "signed char"}  # fmt: skip


def _list(shape: Any) -> str:
    return str(list(shape))


def check_convolution(
    input: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool, output_padding: Any, groups: int
) -> None:
    """Raises RuntimeError where shapes, dtypes or parameters do not go together, in PyTorch's words."""
    dims = weight.ndim - 2
    if dims < 1:
        raise RuntimeError("weight should have at least three dimensions")
    if bias is not None and bias.dtype != input.dtype and not transposed:
        a, b = (_C_NAMES[SCALAR_NAMES[OF_NUMPY[t.dtype]]] for t in (input, bias))
        raise RuntimeError(f"Input type ({a}) and bias type ({b}) should be the same")
    if input.dtype != weight.dtype:
        a, b = (SCALAR_NAMES[OF_NUMPY[t.dtype]] for t in (input, weight))
        if "Complex" in a or "Complex" in b:
            a, b = (f"CPU{n}Type" if "Complex" in n else f"torch.{n}Tensor" for n in (a, b))
            raise RuntimeError(f"Input type ({a}) and weight type ({b}) should be the same")
        raise RuntimeError(f"expected scalar type {a} but found {b}")
    if bias is not None and bias.dtype != input.dtype:
        a, b = (_C_NAMES[SCALAR_NAMES[OF_NUMPY[t.dtype]]] for t in (input, bias))
        raise RuntimeError(f"Input type ({a}) and bias type ({b}) should be the same")
    if input.dtype.kind == "b":
        raise NotImplementedError("\"slow_conv2d_cpu\" not implemented for 'Bool'")
    if min(padding) < 0:
        raise RuntimeError("negative padding is not supported")
    if min(output_padding) < 0:
        raise RuntimeError("negative output_padding is not supported")
    if min(stride) <= 0:
        raise RuntimeError("non-positive stride is not supported")
    if min(dilation) <= 0:
        raise RuntimeError(f"dilation should be greater than zero, but got {_list(dilation)}")
    if groups <= 0:
        raise RuntimeError("non-positive groups is not supported")
    shape, spatial = weight.shape, input.shape[2:]
    if input.ndim != weight.ndim:
        raise RuntimeError(
            f"Expected {weight.ndim}-dimensional input for {weight.ndim}-dimensional weight {_list(shape)}, but got "
            f"{input.ndim}-dimensional input of size {_list(input.shape)} instead"
        )
    if shape[0] < groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but got weight of size {_list(shape)} instead"
        )
    if shape[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got weight of size "
            f"[{_list(shape)}] instead"
        )
    if not transposed:
        if input.shape[1] != shape[1] * groups:
            raise RuntimeError(
                f"Given groups={groups}, weight of size {_list(shape)}, expected input{_list(input.shape)} to have {shape[1] * groups} "
                f"channels, but got {input.shape[1]} channels instead"
            )
        if bias is not None and bias.shape != shape[:1]:
            raise RuntimeError(
                f"Given weight of size {_list(shape)}, expected bias to be 1-dimensional with {shape[0]} elements, but got bias of size "
                f"{_list(bias.shape)} instead"
            )
        padded = [s + 2 * p for s, p in zip(spatial, padding)]
        kernel = [d * (n - 1) + 1 for d, n in zip(dilation, shape[2:])]
        if any(a < b for a, b in zip(padded, kernel)):
            raise RuntimeError(
                f"Calculated padded input size per channel: ({' x '.join(map(str, padded))}). Kernel size: "
                f"({' x '.join(map(str, kernel))}). Kernel size can't be greater than actual input size"
            )
    else:
        if input.shape[1] != shape[0]:
            raise RuntimeError(
                f"Given transposed=1, weight of size {_list(shape)}, expected input{_list(input.shape)} to have {shape[0]} channels, but "
                f"got {input.shape[1]} channels instead"
            )
        if bias is not None and bias.shape != (shape[1] * groups,):
            raise RuntimeError(
                f"Given transposed=1, weight of size {_list(shape)}, expected bias to be 1-dimensional with {shape[1] * groups} elements, "
                f"but got bias of size {_list(bias.shape)} instead"
            )
    if 0 in spatial and input.size == 0 and input.shape[0] and input.shape[1]:
        raise RuntimeError(f"Only zero batch or zero channel inputs are supported, but got input shape: {_list(input.shape)}")
    if transposed:
        if any(o >= t and o >= d for o, t, d in zip(output_padding, stride, dilation)):
            names = {1: ("",), 2: ("_height", "_width"), 3: ("_depth", "_height", "_width")}.get(dims, ("",) * dims)
            if dims == 1:  # PyTorch takes it as an image of one row
                output_padding, stride, dilation, names = (0, *output_padding), (1, *stride), (1, *dilation), ("_height", "_width")
            parts = [
                f"{what}{n}: {v}"
                for what, values in (("output_padding", output_padding), ("stride", stride), ("dilation", dilation))
                for n, v in zip(names, values)
            ]
            raise RuntimeError(f"output padding must be smaller than either stride or dilation, but got {' '.join(parts)}")
        out = transposed_size(spatial, shape[2:], stride, padding, dilation, output_padding)
        if min(out) < 1:
            raise RuntimeError(
                f"Given input size per channel: ({' x '.join(map(str, spatial))}). Calculated output size per channel: "
                f"({' x '.join(map(str, out))}). Output size is too small"
            )


def transposed_size(spatial: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, output_padding: Any) -> tuple[int, ...]:
    """The spatial sizes of a transposed convolution's result."""
    return tuple(
        [(s - 1) * t - 2 * p + d * (n - 1) + o + 1 for s, n, t, p, d, o in zip(spatial, kernel, stride, padding, dilation, output_padding)]
    )


def _channels_last(array: Any) -> bool:
    return not array.flags.c_contiguous and array.ndim in (4, 5) and array.transpose(0, *range(2, array.ndim), 1).flags.c_contiguous


_fitting: set[Any] = set()
"""Shapes, dtypes and parameters that were found to go together."""


@operator("torch.convolution", out=False)
def convolution(
    input: Array,
    weight: Array,
    bias: Array | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: Any,
    output_padding: Any,
    groups: Any,
) -> Array:
    """The convolution of input (N, C, ...) and weight, or the transposed one, in as many dimensions as `weight` has beyond two.

    Shapes: weight (out, C / groups, ...), transposed (C, out / groups, ...); bias (out). Raises RuntimeError where they do not fit.
    """
    dims = weight.ndim - 2
    stride, padding = _each(stride, dims, "stride"), _each(padding, dims, "padding")
    dilation, output_padding = _each(dilation, dims, "dilation"), _each(output_padding, dims, "output_padding")
    of_bias = None if bias is None else (bias.shape, bias.dtype)
    how = stride, padding, dilation, transposed, output_padding, groups
    key = input.shape, input.dtype, weight.shape, weight.dtype, of_bias, how
    if key not in _fitting:
        check_convolution(input, weight, bias, *how)
        if len(_fitting) > 4096:
            _fitting.clear()
        _fitting.add(key)
    if transposed:
        out = transposed_size(input.shape[2:], weight.shape[2:], stride, padding, dilation, output_padding)
        shape = (input.shape[0], weight.shape[1] * groups, *out)
        result = k.convolution_backward(input, None, weight, shape, weight.shape, stride, padding, dilation, groups)[0]
        if bias is not None:
            add(result, bias.reshape(-1, *[1] * dims), result)
    else:
        result = k.convolution(input, weight, bias, stride, padding, dilation, groups)
    if _channels_last(input) or _channels_last(weight):
        order = (0, *range(2, result.ndim), 1)
        return result.transpose(order).copy().transpose(0, result.ndim - 1, *range(1, result.ndim - 1))
    return result


def _each(values: Any, dims: int, name: str) -> tuple[int, ...]:
    """One int for each spatial dimension."""
    if values.__class__ is int:
        return (values,) * dims
    if len(values) == 1:
        return tuple(values) * dims
    if len(values) != dims:
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {dims} values to match the convolution dimensions, but got "
            f"{name}={list(values)}"
        )
    return tuple(values)


@operator(node="ConvolutionBackwardBackward0", out=False)
def convolution_input_gradient(
    grad_output: Array, weight: Array, shape: Any, stride: Any, padding: Any, dilation: Any, groups: Any
) -> Array:
    """The gradient of a convolution's input, of the given shape."""
    return k.convolution_backward(grad_output, None, weight, tuple(shape), weight.shape, stride, padding, dilation, groups)[0]


@operator(node="ConvolutionBackwardBackward0", out=False)
def convolution_weight_gradient(
    grad_output: Array, input: Array, shape: Any, stride: Any, padding: Any, dilation: Any, groups: Any
) -> Array:
    """The gradient of a convolution's weight, of the given shape."""
    return k.convolution_backward(grad_output, input, None, input.shape, tuple(shape), stride, padding, dilation, groups)[1]


convolution_input_gradient.derivative(
    grad_output=lambda F, grad, weight, grad_output_shape, stride, padding, dilation, groups: F.plain_convolution(
        grad, F.conj(weight), grad_output_shape, stride, padding, dilation, groups
    ),
    weight=lambda F, grad, grad_output, weight_shape, stride, padding, dilation, groups: F.convolution_weight_gradient(
        F.conj(grad_output), grad, weight_shape, stride, padding, dilation, groups
    ),
)
convolution_weight_gradient.derivative(
    grad_output=lambda F, grad, input, grad_output_shape, stride, padding, dilation, groups: F.plain_convolution(
        F.conj(input), grad, grad_output_shape, stride, padding, dilation, groups
    ),
    input=lambda F, grad, grad_output, input_shape, stride, padding, dilation, groups: F.convolution_input_gradient(
        F.conj(grad_output), grad, input_shape, stride, padding, dilation, groups
    ),
)


def _plain_over_tensors(x: Any, weight: Any, shape: Any, stride: Any, padding: Any, dilation: Any, groups: Any) -> Any:
    result = convolution.function(x, weight, None, stride, padding, dilation, False, (0,), groups)
    for dim in range(2, len(shape)):  # windows beyond those that were asked for
        if result.shape[dim] != shape[dim]:
            result = result.narrow(dim, 0, shape[dim])
    return result


formula_function(
    "plain_convolution",
    lambda x, w, shape, stride, padding, dilation, groups: k.convolution(x, w, None, stride, padding, dilation, groups, tuple(shape[2:])),
    _plain_over_tensors,
)


def _gradients_over_tensors(grad: Any, x: Any, weight: Any, x_shape: Any, weight_shape: Any, *how: Any) -> tuple[Any, Any]:
    return (
        None if weight is None else convolution_input_gradient.function(grad, weight, x_shape, *how),
        None if x is None else convolution_weight_gradient.function(grad, x, weight_shape, *how),
    )


formula_function("channel_sums", channel_sums, lambda x: x.sum((0, *range(2, x.dim()))))
formula_function("convolution_gradients", k.convolution_backward, _gradients_over_tensors)


@convolution.joint("input", "weight", "bias")
def _convolution_gradients(
    F: Any, grad: Any, needs: Any, input: Any, weight: Any, stride: Any, padding: Any, dilation: Any, transposed: Any, groups: Any
) -> Any:
    dims = len(weight.shape) - 2
    stride, padding, dilation = _each(stride, dims, "stride"), _each(padding, dims, "padding"), _each(dilation, dims, "dilation")
    how = (stride, padding, dilation, groups)
    gx = gw = None
    if needs[0] or needs[1]:
        x = F.conj(input) if needs[1] else None
        if transposed:  # the result takes the place of the input
            if needs[0]:
                gx = F.plain_convolution(grad, F.conj(weight), tuple(input.shape), *how)
            if needs[1]:
                gw = F.convolution_weight_gradient(x, grad, tuple(weight.shape), *how)
        else:
            w = F.conj(weight) if needs[0] else None
            gx, gw = F.convolution_gradients(grad, x, w, tuple(input.shape), tuple(weight.shape), *how)
    return gx, gw, F.channel_sums(grad) if needs[2] else None


# --- the public functions --------------------------------------------------------------------------------------------


def _bad_arguments(name: str, args: Any, kwargs: Any) -> TypeError:
    """What PyTorch says of arguments that fit none of a function's forms."""
    given = ", ".join([type(a).__name__ for a in args] + [f"{n}={type(v).__name__}" for n, v in kwargs.items()])
    if "transpose" in name:
        return TypeError(
            f"{name}(): argument types ({given}) do not fit (Tensor input, Tensor weight, Tensor bias = None, tuple of ints stride = 1, "
            "tuple of ints padding = 0, tuple of ints output_padding = 0, int groups = 1, tuple of ints dilation = 1)"
        )
    forms = "".join(
        f" * (Tensor input, Tensor weight, Tensor bias = None, tuple of ints stride = 1, {padding}, tuple of ints dilation = 1, int "
        "groups = 1)\n"
        for padding in ("tuple of ints padding = 0", 'str padding = "valid"')
    )
    return TypeError(f"{name}() received an invalid combination of arguments - got ({given}), but expected one of:\n{forms}")


def _is_ints(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        for n in value:
            if n.__class__ is not int and not hasattr(n, "__index__"):
                return False
        return True
    return value.__class__ is int or hasattr(value, "__index__") and not isinstance(value, Tensor)


def _public(name: str, dims: int) -> None:
    def function(input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: Any = 1) -> Any:
        if not isinstance(input, Tensor) or not isinstance(weight, Tensor) or not (bias is None or isinstance(bias, Tensor)):
            raise _bad_arguments(name, (input, weight) if bias is None else (input, weight, bias), {})
        named = padding.__class__ is str
        if not (
            _is_ints(stride)
            and (named or _is_ints(padding))
            and _is_ints(dilation)
            and groups.__class__ in NUMBERS
            and groups.__class__ is int
        ):
            odd = {
                n: v for n, v in (("stride", stride), ("padding", padding), ("dilation", dilation), ("groups", groups)) if v not in (0, 1)
            }
            raise _bad_arguments(name, (input, weight) if bias is None else (input, weight, bias), odd)
        ndim = input._array.ndim
        if ndim != dims + 2 and ndim != dims + 1:
            raise RuntimeError(
                f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to {name}, but got input of size: {list(input.shape)}"
            )
        if ndim == dims + 1:
            input = input.unsqueeze(0)
        if stride.__class__ is int:
            stride = (stride,) * dims
        if dilation.__class__ is int:
            dilation = (dilation,) * dims
        if named:
            input, padding = _named_padding(input, weight, stride, padding, dilation)
        elif padding.__class__ is int:
            padding = (padding,) * dims
        result = convolution.function(input, weight, bias, stride, padding, dilation, False, (0,) * dims, groups)
        return result if ndim == dims + 2 else result.squeeze(0)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""Convolution in {dims} dimension{"s" if dims > 1 else ""} (cross-correlation: the kernel is not flipped).

    Shapes: input (N, C, ...) or (C, ...), weight (out, C / groups, ...), bias (out); `padding` is a number of zeros on each side, one
    for each dimension, "same" or "valid". Raises RuntimeError where shapes or dtypes do not fit.
    """
    composite(f"torch.{name}", f"F.{name}")(function)


def _named_padding(input: Any, weight: Any, stride: Any, padding: str, dilation: Any) -> tuple[Any, tuple[int, ...]]:
    """The input and the numbers that "same" or "valid" stand for; an odd number of zeros is put half by hand."""
    dims = weight.ndim - 2
    if input.ndim != weight.ndim:
        raise RuntimeError(
            f"Expected {weight.ndim}-dimensional input for {weight.ndim}-dimensional weight {_list(weight.shape)}, but got "
            f"{input.ndim}-dimensional input of size {_list(input.shape)} instead"
        )
    if padding == "valid":
        return input, (0,) * dims
    if padding != "same":
        raise RuntimeError(f"Invalid padding string: '{padding}'")
    if any(s != 1 for s in stride):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    total = [d * (n - 1) for d, n in zip(_each(dilation, dims, "dilation"), weight.shape[2:])]
    if any(t % 2 for t in total):
        import warnings

        from .rearranging import constant_pad_nd

        warnings.warn(
            "Using padding='same' with even kernel lengths and odd dilation may require a zero-padded copy of the input be created "
            "(Triggered internally at /__w/pytorch/pytorch/aten/src/ATen/native/Convolution.cpp:1101.)",
            stacklevel=4,
        )
        pads = []
        for t in reversed(total):
            pads += [0, t % 2]
        input = constant_pad_nd.function(input, tuple(pads))
    return input, tuple([t // 2 for t in total])


def _public_transposed(name: str, dims: int) -> None:
    def function(
        input: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: Any = 1,
        dilation: Any = 1,
    ) -> Any:
        if padding.__class__ is str:
            raise TypeError(f"{name}(): argument 'padding' must be tuple of ints, not str")
        good = isinstance(input, Tensor) and isinstance(weight, Tensor) and (bias is None or isinstance(bias, Tensor))
        if not good or not (
            _is_ints(stride) and _is_ints(padding) and _is_ints(output_padding) and _is_ints(dilation) and groups.__class__ is int
        ):
            raise _bad_arguments(name, (input, weight, bias, stride, padding, output_padding, groups, dilation), {})
        ndim = input._array.ndim
        if ndim != dims + 2 and ndim != dims + 1:
            raise RuntimeError(
                f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to {name}, but got input of size: {list(input.shape)}"
            )
        if ndim == dims + 1:
            input = input.unsqueeze(0)
        result = convolution.function(input, weight, bias, stride, padding, dilation, True, output_padding, groups)
        return result if ndim == dims + 2 else result.squeeze(0)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""Transposed convolution in {dims} dimension{"s" if dims > 1 else ""}: the gradient of a convolution with
    respect to its input.

    Shapes: input (N, C, ...) or (C, ...), weight (C, out / groups, ...), bias (out). Raises RuntimeError where they do not fit.
    """
    composite(f"torch.{name}", f"F.{name}")(function)


for _dims in (1, 2, 3):
    _public(f"conv{_dims}d", _dims)
    _public_transposed(f"conv_transpose{_dims}d", _dims)


@operator("torch.conv_tbc", "F.conv_tbc", out=False)
def conv_tbc(input: Array, weight: Array, bias: Array, pad: Any = 0) -> Array:
    """Convolution over time: input (T, N, C), weight (kernel, C, out), bias (out), result (T + 2 pad - kernel + 1, N, out)."""
    if input.ndim != 3:
        raise RuntimeError("Input must have 3 dims: time, batch, in_channel")
    if weight.ndim != 3:
        raise RuntimeError("Weight tensor must have 3 dims: kernel_width, in_channels, out_channels.")
    if bias.ndim != 1:
        raise RuntimeError("Bias must be 1-D")
    if input.shape[2] != weight.shape[1]:
        raise RuntimeError("Input dim 2 (input channels) is not == dim 1 in the weight tensor")
    if weight.shape[2] != bias.shape[0]:
        raise RuntimeError("Bias size must equal dim 2 in the weight tensor (output channels).")
    result = k.convolution(input.transpose(1, 2, 0), weight.transpose(2, 1, 0), bias, (1,), (pad,), (1,), 1)
    return result.transpose(2, 0, 1).copy()


@conv_tbc.joint("input", "weight", "bias")
def _conv_tbc_gradients(F: Any, grad: Any, needs: Any, input: Any, weight: Any, pad: Any) -> Any:
    def turned(x: Any, a: int, b: int) -> Any:
        return F.transpose(x, a, b)

    x = turned(turned(input, 0, 1), 1, 2)
    w = turned(weight, 0, 2)
    g = turned(turned(grad, 0, 1), 1, 2)
    how = ((1,), (pad,), (1,), 1)
    gx, gw = F.convolution_gradients(g, x if needs[1] else None, w if needs[0] else None, tuple(x.shape), tuple(w.shape), *how)
    return (
        None if gx is None else turned(turned(gx, 1, 2), 0, 1),
        None if gw is None else turned(gw, 0, 2),
        F.sum(grad, (0, 1)) if needs[2] else None,
    )
