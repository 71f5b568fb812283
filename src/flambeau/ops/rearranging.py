"""Copies with the elements in another order, triangles of matrices, and padding."""

from __future__ import annotations

from typing import Any

from ..core.layout import in_format_of, normalize_dim, normalize_dims
from ..kernels import placing
from ..tensor import Tensor
from .definition import Array, composite, operator
from .running import refuse
from .shape import as_dim, ints


@operator(out=False)
def flip(input: Array, dims: Any) -> Array:
    """A copy with the order along some dimensions reversed."""
    return placing.flip(input, normalize_dims(dims, input.ndim) if input.ndim else ())


flip.derivative(input=lambda F, grad, dims: F.flip(grad, dims))


@composite("torch.flip", "Tensor.flip")
def flip_any(input: Tensor, *args: Any, dims: Any = None) -> Tensor:
    """A copy with the order along some dimensions reversed."""
    return flip.function(input, ints(args if dims is None else (dims,), "flip", "dims"))


flip_any.__name__ = flip_any.__qualname__ = "flip"


@composite("torch.fliplr", "Tensor.fliplr")
def fliplr(input: Tensor) -> Tensor:
    """A copy with the columns in reverse order."""
    if input._array.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return flip.function(input, (1,))


@composite("torch.flipud", "Tensor.flipud")
def flipud(input: Tensor) -> Tensor:
    """A copy with the rows in reverse order."""
    if input._array.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return flip.function(input, (0,))


def _shifts(value: Any, name: str) -> tuple[int, ...]:
    return ints((value,), "roll", name) if isinstance(value, (tuple, list)) else (as_dim(value, "roll", name),)


@operator("torch.roll", "Tensor.roll", out=False)
def roll(input: Array, shifts: Any, dims: Any = ()) -> Array:
    """A copy shifted along dimensions, or as one row where none are given; what leaves at the end comes in at the start."""
    by, along = _shifts(shifts, "shifts"), _shifts(dims, "dims") if dims is not None else ()
    if not by:
        raise RuntimeError("`shifts` required")
    if not along and len(by) == 1:
        flat = input.reshape(-1)
        return placing.roll(flat, by, (0,)).reshape(input.shape)
    if not input.ndim and along:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    if len(by) != len(along):
        raise RuntimeError(f"shifts and dimensions must align. shifts: {len(by)}, dims:{len(along)}")
    return in_format_of(input, placing.roll(input, by, [normalize_dim(d, input.ndim) for d in along]))


def _negative(shifts: Any) -> Any:
    return tuple([-s for s in shifts]) if isinstance(shifts, (tuple, list)) else -shifts


roll.derivative(input=lambda F, grad, shifts, dims: F.roll(grad, _negative(shifts), dims))


@operator("torch.rot90", "Tensor.rot90", out=False)
def rot90(input: Array, k: int = 1, dims: Any = (0, 1)) -> Array:
    """A copy turned by 90 degrees `k` times, from the first of `dims` towards the second."""
    ndim = input.ndim
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {ndim}")
    if dims[0] == dims[1] or abs(dims[0] - dims[1]) == ndim:
        raise RuntimeError(f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}")
    for i, d in enumerate(dims):
        if not -ndim <= d < ndim:
            raise RuntimeError(f"Rotation dim{i} out of range, dim{i} = {d}")
    a, b = dims[0] % ndim, dims[1] % ndim
    k %= 4
    if k == 0:
        return input.copy()
    if k == 2:
        return placing.flip(input, (a, b))
    return placing.flip(input, (b,)).swapaxes(a, b) if k == 1 else placing.flip(input, (a,)).swapaxes(a, b)


rot90.derivative(input=lambda F, grad, k, dims: F.rot90(grad, -k, dims))


def _check_triangle(input: Array, name: str) -> None:
    if input.ndim < 2:
        raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions")


@operator("torch.tril", "Tensor.tril", "Tensor.tril_")
def tril(input: Array, diagonal: int = 0, into: Any = None) -> Array:
    """The lower triangle of matrices, up to a diagonal; zeros above."""
    _check_triangle(input, "tril")
    return placing.triangle(input, diagonal, True, into)


@operator("torch.triu", "Tensor.triu", "Tensor.triu_")
def triu(input: Array, diagonal: int = 0, into: Any = None) -> Array:
    """The upper triangle of matrices, from a diagonal; zeros below."""
    _check_triangle(input, "triu")
    return placing.triangle(input, diagonal, False, into)


tril.derivative(input=lambda F, grad, diagonal: F.tril(grad, diagonal))
triu.derivative(input=lambda F, grad, diagonal: F.triu(grad, diagonal))


# --- padding -------------------------------------------------------------------------------------------------------


def _pairs(pad: Any, ndim: int) -> list[tuple[int, int]]:
    """`pad`, which counts from the last dimension, as (before, behind) for each dimension."""
    pairs = [(0, 0)] * ndim
    for i in range(len(pad) // 2):
        pairs[ndim - 1 - i] = (pad[2 * i], pad[2 * i + 1])
    return pairs


@operator("torch.constant_pad_nd", node="ConstantPadNdBackward0")
def constant_pad_nd(input: Array, pad: Any, value: Any = 0) -> Array:
    """The input with constant values around it; negative sizes cut off."""
    if len(pad) % 2:
        raise RuntimeError(f"Length of pad must be even but instead it equals {len(pad)}")
    if len(pad) > 2 * input.ndim:
        raise RuntimeError(
            f"Length of pad should be no more than twice the number of dimensions of the input. Pad length is {len(pad)} while the input "
            f"has {input.ndim} dimensions."
        )
    pairs = _pairs(pad, input.ndim)
    for d, (n, (a, b)) in enumerate(zip(input.shape, pairs)):
        if n + min(a, 0) + min(b, 0) < 0:
            raise RuntimeError("narrow(): length must be non-negative.")
        if n + a + b < 0:
            raise RuntimeError(
                f"The input size {n}, plus negative padding {a} and {b} resulted in a negative output size, which is invalid. Check "
                f"dimension {d} of your input."
            )
    return in_format_of(input, placing.pad_constant(input, pairs, value))


constant_pad_nd.derivative(input=lambda F, grad, pad: F.constant_pad_nd(grad, tuple([-p for p in pad])))

_NODES = {"reflect": "Reflection", "replicate": "Replication"}


def _pad_node(input: Any, pad: Any, mode: str) -> str:
    """`ReflectionPad1DBackward0` and the like."""
    return "torch::autograd::CopySlices" if mode == "circular" else f"{_NODES[mode]}Pad{len(pad) // 2}DBackward0"


@operator(node=_pad_node)
def padded(input: Array, pad: Any, mode: str) -> Array:
    """The input with elements of its own around it."""
    result = placing.pad_from_inside(input, _pairs(pad, input.ndim), mode)
    kept = mode == "replicate" or (mode == "reflect" and input.ndim == 5)
    return in_format_of(input, result) if kept else result


@operator()
def padded_backward(grad: Array, shape: Any, pad: Any, mode: str) -> Array:
    """The gradient of what was padded: elements that were used again add up."""
    return placing.pad_gradient(grad, shape, _pairs(pad, len(shape)), mode)


padded.derivative(input=lambda F, grad, input_shape, pad, mode: F.padded_backward(grad, input_shape, pad, mode))
padded_backward.derivative(grad=lambda F, grad, pad, mode: F.padded(grad, pad, mode))


def pad(input: Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> Tensor:
    """Adds elements around the last dimensions: `pad` is (before, behind) of the last one, then of the last but one, ...

    `mode`: `constant` (with `value`, default 0; negative sizes cut off), `reflect`, `replicate`, `circular`.
    """
    if isinstance(pad, (tuple, list)):
        for i, n in enumerate(pad):
            if isinstance(n, (float, bool)) or not hasattr(n, "__index__"):
                raise TypeError(
                    f"pad(): argument 'pad' (position 2) must be tuple of ints, but found element of type {type(n).__name__} at pos {i}"
                )
    pad = ints((pad,), "pad", "pad")
    shape = input._array.shape
    ndim = len(shape)
    if len(pad) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(pad) > 2 * ndim:
        raise RuntimeError(
            f"Padding length should be less than or equal to two times the input dimension but got padding length {len(pad)} and input of "
            f"dimension {ndim}"
        )
    if mode == "constant":
        return constant_pad_nd.function(input, pad, 0 if value is None else value)
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if (len(pad), ndim) not in ((2, 2), (2, 3), (4, 3), (4, 4), (6, 4), (6, 5)):
        raise NotImplementedError(
            f"Padding size {len(pad)} is not supported for {ndim}D input tensor.\nSupported combinations for non-constant padding:\n"
            "  - 2D or 3D input: padding size = 2 (pads last dimension)\n  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)\n"
            "  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)"
        )
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    _check_padding(input, pad, mode)
    if input._array.dtype.kind == "b" and mode != "circular":
        refuse(input._array, f"{_NODES[mode].lower()}_pad{len(pad) // 2}d")
    return padded.function(input, pad, mode)


def _check_padding(input: Tensor, pad: tuple[int, ...], mode: str) -> None:
    shape = input._array.shape
    ndim = len(shape)
    for i in range(len(pad) // 2):
        before, behind = pad[2 * i], pad[2 * i + 1]
        d = ndim - 1 - i
        n = shape[d]
        if mode == "circular":
            if before > n or behind > n:
                raise RuntimeError("Padding value causes wrapping around more than once.")
            if n + before + behind < 0:
                raise RuntimeError("Negative padding value is resulting in an empty dimension")
        elif mode == "reflect" and (before >= n or behind >= n):
            raise RuntimeError(
                f"Argument #{4 + 2 * i}: Padding size should be less than the corresponding input dimension, but got: padding ({before}, "
                f"{behind}) at dimension {d} of input {list(shape)}"
            )
        if n + before + behind < 1 and mode != "circular":
            raise RuntimeError(f"input (W: {n}) is too small. Calculated output W: {n + before + behind}")


composite("F.pad")(pad)
