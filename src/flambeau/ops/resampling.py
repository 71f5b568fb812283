"""Interpolation of images, and sampling them at given places."""

from __future__ import annotations

import math
from typing import Any

from ..autograd.grad_mode import enable_grad, is_grad_enabled, no_grad
from ..core.dtype import OF_NUMPY, SCALAR_NAMES
from ..core.layout import in_format_of
from ..kernels import resampling as k
from ..tensor import wrap
from .definition import NAMES, Array, composite, formula_function, operator
from .running import refuse, same_scalar_type

_NODES = {
    ("nearest", 1): "UpsampleNearest1DBackward0", ("nearest", 2): "UpsampleNearest2DBackward0",
    ("nearest", 3): "UpsampleNearest3DBackward0",
    ("nearest-exact", 1): "UpsampleNearestExact1DBackward0", ("nearest-exact", 2): "UpsampleNearestExact2DBackward0",
    ("nearest-exact", 3): "UpsampleNearestExact3DBackward0", ("linear", 1): "UpsampleLinear1DBackward0",
    ("linear", 2): "UpsampleBilinear2DBackward0", ("linear", 3): "UpsampleTrilinear3DBackward0", ("cubic", 2): "UpsampleBicubic2DBackward0",
}  # fmt: skip


def _node(input: Any, mode: str, out_size: Any, factors: Any, align_corners: Any, antialias: Any) -> str:
    if antialias:
        return {"linear": "UpsampleBilinear2DAaBackward0", "cubic": "UpsampleBicubic2DAaBackward0"}.get(
            mode, "UpsampleLanczos2DAaBackward0"
        )
    return _NODES[mode, len(out_size)]


@operator(node=_node, out=False)
def upsample(input: Array, mode: str, out_size: Any, factors: Any, align_corners: Any, antialias: Any) -> Array:
    """Interpolation over the last dimensions, one after the other."""
    result = input
    steps = list(enumerate(zip(out_size, factors), input.ndim - len(out_size)))
    if (
        mode in ("nearest", "nearest-exact") and out_size[-1] > input.shape[-1]
    ):  # nothing is added up: the costly dimension, the last one, while the array is small
        steps.reverse()
    for i, (n, f) in steps:
        result = k.resample(result, i, k.interpolation_table(mode, input.shape[i], n, f, align_corners, antialias))
    return in_format_of(input, result.astype(input.dtype, copy=False))


@operator(out=False)
def upsample_backward(grad_output: Array, mode: str, in_size: Any, factors: Any, align_corners: Any, antialias: Any) -> Array:
    """The transpose of `upsample`."""
    result = grad_output
    for i, (n, f) in enumerate(zip(in_size, factors), grad_output.ndim - len(in_size)):
        result = k.resample(result, i, k.interpolation_table_back(mode, n, grad_output.shape[i], f, align_corners, antialias))
    return result.astype(grad_output.dtype, copy=False)


upsample.derivative(
    input=lambda F, grad, input_shape, mode, out_size, factors, align_corners, antialias: F.upsample_backward(
        grad, mode, tuple(input_shape[-len(out_size) :]), factors, align_corners, antialias
    )
)
upsample_backward.derivative(
    grad_output=lambda F, grad, grad_output_shape, mode, in_size, factors, align_corners, antialias: F.upsample(
        grad, mode, tuple(grad_output_shape[-len(in_size) :]), factors, align_corners, antialias
    )
)

_MODES = {"linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2, "lanczos": 2}
"""The modes that need a certain number of spatial dimensions."""
_NAMES = {"linear": "linear", "bilinear": "linear", "trilinear": "linear", "bicubic": "cubic", "lanczos": "lanczos"}


@composite("F.interpolate")
def interpolate(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Any:
    """Resizes (N, C, ...) to `size`, or by `scale_factor`.

    Modes: nearest, nearest-exact, linear, bilinear, trilinear, bicubic, area, and lanczos (with `antialias`). With `align_corners`
    the centres of the corner elements stay where they are, else the corners themselves. Raises ValueError or NotImplementedError
    for what does not fit.
    """
    if mode in ("nearest", "area", "nearest-exact"):
        if align_corners is not None:
            raise ValueError("align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear")
    align = bool(align_corners)
    shape = tuple(input.shape)
    dims, spatial = len(shape) - 2, shape[2:]
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    factors: Any = (None,) * max(dims, 0)
    if size is not None:
        if isinstance(size, (list, tuple)):
            if len(size) != dims:
                raise ValueError(
                    "Input and output must have the same number of spatial dimensions, but got input with spatial dimensions of "
                    f"{list(spatial)} and output size of {size}. Please provide input tensor in (N, C, d1, d2, ...,dK) format and output "
                    "size in (o1, o2, ...,oK) format."
                )
            out = tuple(size)
        else:
            out = (size,) * dims
        if not all(hasattr(n, "__index__") for n in out):
            raise TypeError(
                "expected size to be one of int or Tuple[int] or Tuple[int, int] or Tuple[int, int, int], but got size with types "
                f"{[type(n) for n in out]}"
            )
        out = tuple([int(n) for n in out])
        if recompute_scale_factor:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
    elif scale_factor is not None:
        if isinstance(scale_factor, (list, tuple)):
            if len(scale_factor) != dims:
                raise ValueError(
                    "Input and scale_factor must have the same number of spatial dimensions, but got input with spatial dimensions of "
                    f"{list(spatial)} and scale_factor of shape {scale_factor}. Please provide input tensor in (N, C, d1, d2, ...,dK) "
                    "format and scale_factor in (s1, s2, ...,sK) format."
                )
            factors = tuple([float(f) for f in scale_factor])
        else:
            factors = (float(scale_factor),) * dims
        out = tuple([math.floor(n * f) for n, f in zip(spatial, factors)])
        if recompute_scale_factor or mode == "area":
            factors = (None,) * dims
    else:
        raise ValueError("either size or scale_factor should be defined")
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and dims == 2):
        raise ValueError("Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input")
    if dims in (1, 2, 3):
        if mode == "area":
            return NAMES["F"][f"adaptive_avg_pool{dims}d"](input, out)
        if mode in ("nearest", "nearest-exact"):
            _check_sizes(shape, out)
            dtype = input._array.dtype
            if dtype.kind not in "fVu":
                kernel = "upsample_nearest2d_channels_last" if dims == 2 else "compute_indices_weights_nearest"
                raise NotImplementedError(f"\"{kernel}\" not implemented for '{SCALAR_NAMES[OF_NUMPY[dtype]]}'")
            return upsample.function(input, mode, out, factors, False, False)
        if mode == "lanczos" and dims == 2:
            if align:
                raise ValueError("Lanczos mode does not support align_corners=True")
            if not antialias:
                raise ValueError("Lanczos mode requires antialias=True")
        if mode in _MODES:
            if _MODES[mode] != dims and mode in ("linear", "bilinear", "trilinear"):
                raise NotImplementedError(f"Got {dims + 2}D input, but {mode} mode needs {_MODES[mode] + 2}D input")
            if _MODES[mode] == dims:
                _check_sizes(shape, out)
                dtype = input._array.dtype
                if dtype.kind not in "fV":
                    raise NotImplementedError(
                        f"\"compute_indices_weights_{_NAMES[mode]}\" not implemented for '{SCALAR_NAMES[OF_NUMPY[dtype]]}'"
                    )
                return upsample.function(input, _NAMES[mode], out, factors, align, bool(antialias))
    raise NotImplementedError(
        f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {len(shape)}D) for the modes: nearest | linear | bilinear | bicubic "
        f"| trilinear | lanczos | area | nearest-exact (got {mode})"
    )


def _check_sizes(shape: Any, out: Any) -> None:
    letters = "DHW"[3 - len(out) :]
    sizes = shape[2:]
    if min(sizes) <= 0 or min(out) <= 0:
        before, after = (", ".join(f"{a}: {n}" for a, n in zip(letters, values)) for values in (sizes, out))
        word = "output " if len(out) > 1 else "and output "
        raise RuntimeError(f"Input and output sizes should be greater than 0, but got input ({before}) {word}({after})")
    if shape[1] == 0:
        raise RuntimeError(f"Non-empty {len(shape)}D data tensor expected but got a tensor with sizes {list(shape)}")


def _upsample(input: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None) -> Any:
    """`interpolate` under its old name."""
    import warnings

    warnings.warn("`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=3)
    return interpolate(input, size, scale_factor, mode, align_corners)


def _upsample_nearest(input: Any, size: Any = None, scale_factor: Any = None) -> Any:
    """`interpolate` with the nearest elements, under its old name."""
    import warnings

    warnings.warn("`nn.functional.upsample_nearest` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=3)
    return interpolate(input, size, scale_factor, mode="nearest")


def _upsample_bilinear(input: Any, size: Any = None, scale_factor: Any = None) -> Any:
    """`interpolate` with aligned corners, under its old name."""
    import warnings

    warnings.warn("`nn.functional.upsample_bilinear` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=3)
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)


for _function in (_upsample, _upsample_nearest, _upsample_bilinear):
    _name = _function.__name__[1:]
    _function.__name__ = _function.__qualname__ = f"{_name}_function"
    composite(f"F.{_name}")(_function).__name__ = _name


# --- sampling at given places ---------------------------------------------------------------------------------------------


def _reflect(x: Any, twice_low: int, twice_high: int) -> Any:
    """Coordinates folded back into [low, high]."""
    if twice_low == twice_high:
        return x * 0
    low, span = twice_low / 2, (twice_high - twice_low) / 2
    x = (x - low).abs()
    turns = (x / span).floor().detach()
    rest = x - turns * span
    return ((turns % 2 == 0).to(x.dtype) * 2 - 1) * (rest - span / 2) + span / 2 + low


def _inside(x: Any, size: int, padding_mode: str, align_corners: bool) -> Any:
    """Coordinates after padding: clipped to the border, or reflected."""
    where = NAMES["torch"]["where"]
    if padding_mode == "reflection":
        x = _reflect(x, 0, 2 * (size - 1)) if align_corners else _reflect(x, -1, 2 * size - 1)
    if padding_mode != "zeros":
        x = where(x > 0, x, x.detach() * 0)
        x = where(x < size - 1, x, x.detach() * 0 + (size - 1))
    return x


def _sample(input: Any, grid: Any, mode: str, padding_mode: str, align_corners: bool) -> Any:
    """Grid sampling in operators: the forward, and what is differentiated."""
    torch = NAMES["torch"]
    sizes = tuple(input.shape[2:])
    dims = len(sizes)
    n, c = input.shape[0], input.shape[1]
    flat = input.reshape(n, c, -1)
    places = []
    for i, size in enumerate(sizes):
        x = grid[..., dims - 1 - i]  # the grid's first coordinate is that of the last dimension
        places.append((x + 1) / 2 * (size - 1) if align_corners else ((x + 1) * size - 1) / 2)

    def corner(index: list[Any], weight: Any) -> Any:
        """The elements at integral coordinates (as floats), times their weight; zero outside."""
        valid: Any = None
        position: Any = 0
        for x, size in zip(index, sizes):
            good = (x >= 0) & (x <= size - 1)
            valid = good if valid is None else valid & good
            position = position * size + torch["where"](good, x, x * 0).nan_to_num(0.0).long()
        values = flat.gather(2, position.reshape(n, 1, -1).expand(n, c, -1)).reshape(n, c, *grid.shape[1:-1])
        valid = valid.unsqueeze(1)
        values = torch["where"](valid, values, values.detach() * 0) if weight is None else values * (weight * valid)
        return values

    if mode == "bicubic":
        lines = []
        for x, size in zip(places, sizes):
            first = x.detach().floor()
            t = x - first
            a = -0.75
            taps = []
            for offset in range(-1, 3):
                d = (t - offset) if offset <= 0 else (offset - t)
                near = offset in (0, 1)
                share = ((a + 2) * d - (a + 3)) * d * d + 1 if near else ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
                taps.append((_inside(first + offset, size, padding_mode, align_corners), share))
            lines.append(taps)
        total: Any = 0
        for y, wy in lines[0]:
            for x, wx in lines[1]:
                total = total + corner([y, x], (wy * wx).unsqueeze(1))
        return total
    places = [_inside(x, size, padding_mode, align_corners) for x, size in zip(places, sizes)]
    if mode == "nearest":
        return corner([x.detach().round() for x in places], None)
    pairs = []
    for x in places:
        first = x.detach().floor()
        t = x - first
        pairs.append(((first, 1 - t), (first + 1, t)))
    total = 0
    for number in range(2**dims):
        chosen = [pair[number >> i & 1] for i, pair in enumerate(pairs)]
        weight: Any = 1
        for _, w in chosen:
            weight = weight * w
        total = total + corner([x for x, _ in chosen], weight.unsqueeze(1))
    return total


@operator(node=lambda input, *rest: f"GridSampler{input.ndim - 2}DBackward0", out=False)
def grid_sampler_nd(input: Array, grid: Array, mode: str, padding_mode: str, align_corners: Any) -> Array:
    """Samples images at the places of a grid."""
    result = k.grid_sample(input, grid, mode, padding_mode, align_corners)
    if result is not None:
        return result
    with no_grad():
        return _sample(wrap(input), wrap(grid), mode, padding_mode, align_corners)._array


def _sampler_gradients(grad: Any, input: Any, grid: Any, mode: str, padding_mode: str, align_corners: bool, needs: Any) -> Any:
    from ..autograd import grad as gradients

    create_graph = is_grad_enabled()
    with enable_grad():
        input, grid = input.requires_grad_() if input.is_leaf else input, grid.requires_grad_() if grid.is_leaf else grid
        result = _sample(input, grid, mode, padding_mode, align_corners)
        asked = [t for t, need in zip((input, grid), needs) if need]
        found = iter(gradients(result, asked, grad, create_graph=create_graph, allow_unused=True))
    given = [next(found) if need else None for need in needs]
    # The nearest element does not move with the grid: its gradient is zero.
    return tuple([t.detach() * 0 if g is None and need else g for g, t, need in zip(given, (input, grid), needs)])


def _sampler_gradients_arrays(grad: Any, input: Any, grid: Any, *rest: Any) -> Any:
    gradients = k.grid_sample_backward(grad, input, grid, *rest)
    if gradients is not None:
        return gradients
    with no_grad():
        found = _sampler_gradients(wrap(grad), wrap(input), wrap(grid), *rest)
    return tuple([None if t is None else t._array for t in found])


formula_function("grid_sampler_gradients", _sampler_gradients_arrays, _sampler_gradients)


@grid_sampler_nd.joint("input", "grid")
def _grid_sampler_gradients(F: Any, grad: Any, needs: Any, input: Any, grid: Any, mode: Any, padding_mode: Any, align_corners: Any) -> Any:
    return F.grid_sampler_gradients(grad, input, grid, mode, padding_mode, align_corners, needs)


def _warn_of_default() -> None:
    """The warning of a call that leaves `align_corners` out, two frames above the function that it called."""
    import warnings

    warnings.warn(
        "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please specify "
        "align_corners=True if the old behavior is desired. See the documentation of grid_sample for details.",
        stacklevel=4,
    )


@composite("F.grid_sample")
def grid_sample(input: Any, grid: Any, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None) -> Any:
    """The elements of (N, C, [D,] H, W) at the places of grid (N, ..., 2 or 3), whose coordinates (x, y[, z]) run from -1 to 1.

    Modes: bilinear, nearest, bicubic (images only); padding: zeros, border, reflection. Raises ValueError or RuntimeError for what
    does not fit.
    """
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(
            f"nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: '{padding_mode}'"
        )
    if align_corners is None:
        _warn_of_default()
    return _checked_sampler(input, grid, mode, padding_mode, bool(align_corners))


def _checked_sampler(input: Any, grid: Any, mode: str, padding_mode: str, align_corners: bool) -> Any:
    a, b = list(input.shape), list(grid.shape)
    if a[0] != b[0]:
        raise RuntimeError(
            f"grid_sampler(): expected grid and input to have same batch size, but got input with sizes {a} and grid with sizes {b}"
        )
    if b[-1] != len(a) - 2:
        raise RuntimeError(f"grid_sampler(): expected grid to have size {len(a) - 2} in last dimension, but got grid with sizes {b}")
    if len(a) not in (4, 5) or len(a) != len(b):
        raise RuntimeError(
            f"grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but got input with sizes {a} and grid with "
            f"sizes {b}"
        )
    for i in range(2, len(a)):
        if a[i] <= 0:
            raise RuntimeError(
                f"grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes {a} with dimension {i} "
                "being empty"
            )
    if mode == "bicubic" and len(a) == 5:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    if input._array.dtype.kind not in "fV":
        refuse(input._array, "grid_sampler_2d_cpu_kernel_impl" if len(a) == 4 else "grid_sampler3d_cpu")
    same_scalar_type(input._array, grid._array)
    return grid_sampler_nd.function(input, grid, mode, padding_mode, align_corners)


_INTERPOLATION, _PADDING = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")


@composite("torch.grid_sampler")
def grid_sampler(input: Any, grid: Any, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Any:
    """`F.grid_sample` with its modes as numbers."""
    return _checked_sampler(input, grid, _INTERPOLATION[interpolation_mode], _PADDING[padding_mode], align_corners)


for _dims in (2, 3):
    _alias = composite(f"torch.grid_sampler_{_dims}d")(lambda *args, **kwargs: grid_sampler(*args, **kwargs))
    _alias.__name__ = _alias.__qualname__ = f"grid_sampler_{_dims}d"


@operator("torch.affine_grid_generator", out=False)
def affine_grid_generator(theta: Array, size: Any, align_corners: Any) -> Array:
    """The grid of an affine map: see `F.affine_grid`."""
    base = k.base_grid(tuple(size[2:]), align_corners, theta.dtype)
    return (
        (base.reshape(-1, base.shape[-1]) @ theta.swapaxes(1, 2))
        .reshape(size[0], *size[2:], theta.shape[1])
        .astype(theta.dtype, copy=False)
    )


@operator(out=False)
def affine_grid_generator_backward(grad_output: Array, size: Any, align_corners: Any) -> Array:
    """The gradient of the affine maps."""
    base = k.base_grid(tuple(size[2:]), align_corners, grad_output.dtype)
    rows = grad_output.reshape(size[0], -1, grad_output.shape[-1])
    return rows.swapaxes(1, 2) @ base.reshape(-1, base.shape[-1])


affine_grid_generator.derivative(theta=lambda F, grad, size, align_corners: F.affine_grid_generator_backward(grad, size, align_corners))
affine_grid_generator_backward.derivative(
    grad_output=lambda F, grad, size, align_corners: F.affine_grid_generator(grad, size, align_corners)
)


@composite("F.affine_grid")
def affine_grid(theta: Any, size: Any, align_corners: bool | None = None) -> Any:
    """The grid (N, [D,] H, W, 2 or 3) for `grid_sample` that an affine map theta (N, 2, 3) or (N, 3, 4) makes of images of `size`."""
    if align_corners is None:
        _warn_of_default()
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    size = tuple(size)
    if len(size) not in (4, 5):
        raise NotImplementedError(
            f"affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size {size}."
        )
    dims = len(size) - 2
    if theta.dim() != 3 or tuple(theta.shape[-2:]) != (dims, dims + 1):
        raise ValueError(f"Expected a batch of {dims}D affine matrices of shape Nx{dims}x{dims + 1} for size {size}. Got {theta.shape}.")
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")
    return affine_grid_generator.function(theta, size, bool(align_corners))
