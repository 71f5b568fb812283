"""Convolution in any number of dimensions: by compiled kernels (`direct.py`) or, where there are none or they do not pay, by
windows copied side by side into columns (im2col) and one BLAS product, as follows.

The columns of a few samples, or of a few rows of a large image, are made at a time, so that they are still in the cache
when the product reads them. With stride 1 a whole image is one run of memory: the window element at offset k of every
position, one position after the other, is the padded image from k on. What the runs hold beyond the ends of rows is
computed and left out at the end, which costs less than short copies.

`S` stands for the spatial sizes, `K` for those of the kernel. Shapes: x (N, C, *S), weight (O, C / groups, *K), the
result (N, O, *out).
"""

import math
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from . import direct
from .blas import by_numpy
from .blas import products as own_products
from .matmul import matmul
from .quiet import quiet

_F32 = np.dtype(np.float32)
_BUDGET = 1 << 18
"""Elements of the column buffer: about a megabyte of float32."""

Ints = tuple[int, ...]


class _Plan:
    """What follows from the shapes alone: how a convolution is cut into pieces."""

    def __init__(self, shape: Ints, weight_shape: Ints, out: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int) -> None:
        self.n, self.channels, *spatial = shape
        self.out_channels, self.kernel, self.out, self.groups = weight_shape[0], weight_shape[2:], out, groups
        self.window = math.prod(self.kernel)
        # The padded image must hold every window; where windows leave something over, the image itself is longer.
        self.padded = tuple(max(s + 2 * p, 1) for s, p in zip(spatial, padding))
        self.inside = tuple([slice(p, p + s) for s, p in zip(spatial, padding)])
        self.unpadded = not any(padding)
        steps = [math.prod(self.padded[i + 1 :]) for i in range(len(out))]
        self.offset_steps = tuple([d * s for d, s in zip(dilation, steps)])
        self.position_steps = tuple([t * s for t, s in zip(stride, steps)])
        positions = math.prod(out)
        rest = out[1:]
        run = sum((o - 1) * s for o, s in zip(rest, self.position_steps[1:])) + 1
        row = self.position_steps[0]  # how far the positions of the first spatial dimension lie apart
        whole = (out[0] - 1) * row + run
        self.flat = all(t == 1 for t in stride) and whole <= 1.4 * positions
        per_sample = channels_times = self.channels * self.window
        per_sample *= max(whole if self.flat else positions, 1)
        self.samples = max(1, min(self.n, _BUDGET // max(per_sample, 1)))
        self.rows = out[0]
        if self.samples == 1 and per_sample > 2 * _BUDGET:
            per_row = channels_times * (row if self.flat else math.prod(rest))
            self.rows = max(1, min(out[0], 2 * _BUDGET // max(per_row, 1)))
        self.row, self.tail = row, run

    def pieces(self) -> Any:
        """(first sample, last, first row, last) of each piece."""
        for start in range(0, self.n, self.samples):
            for top in range(0, self.out[0], self.rows):
                yield start, min(start + self.samples, self.n), top, min(top + self.rows, self.out[0])

    def length(self, rows: int) -> Ints:
        """The shape of a run of positions: one long one where the plan is flat."""
        return ((rows - 1) * self.row + self.tail,) if self.flat else (rows, *self.out[1:])

    def windows(self, images: Any, top: int, rows: int) -> Any:
        """(C, *K, n, positions) of padded images (n, C, *padded), as a view."""
        size = images.itemsize
        run_steps = (1,) if self.flat else self.position_steps
        return np.ndarray(
            (self.channels, *self.kernel, len(images), *self.length(rows)),
            images.dtype,
            images,
            top * self.row * size,
            (images.strides[1], *[s * size for s in self.offset_steps], images.strides[0], *[s * size for s in run_steps]),
        )

    def positions(self, buffer: Any, n: int, rows: int) -> Any:
        """(channels, n, *out) of a buffer of runs, without what lies between the rows."""
        if not self.flat:
            return buffer.reshape(-1, n, rows, *self.out[1:])
        size, length = buffer.itemsize, buffer.shape[-1] // n
        steps = [s * size for s in self.position_steps]
        return np.ndarray(
            (buffer.size // (n * length), n, rows, *self.out[1:]), buffer.dtype, buffer, 0, (n * length * size, length * size, *steps)
        )


@lru_cache(512)
def _plan(shape: Ints, weight_shape: Ints, out: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int) -> _Plan:
    return _Plan(shape, weight_shape, out, stride, padding, dilation, groups)


@lru_cache(1024)
def output_size(spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Ints:
    """How many windows fit, per dimension."""
    return tuple([(s + 2 * p - d * (k - 1) - 1) // t + 1 for s, k, t, p, d in zip(spatial, kernel, stride, padding, dilation)])


def _wide(array: Any) -> Any:
    """Half precision is summed in float32 and rounded once."""
    return array.astype(_F32) if array.dtype.itemsize == 2 and array.dtype.kind in "fV" else array


def _fill(images: Any, x: Any, plan: _Plan) -> Any:
    """Some samples of x as padded images, in the buffer `images` whose border is zero already."""
    part = images[: len(x)]
    part[(slice(None), slice(None), *plan.inside)] = x
    return part


def _product(a: Any, b: Any, out: Any) -> None:
    """`a @ b` into row-major memory."""
    own = own_products(out.dtype)
    if own is None or own.matmul(out, a, b) is not out and own.matmul(out, np.ascontiguousarray(a), np.ascontiguousarray(b)) is not out:
        by_numpy(np.matmul, a, b, out)


def _is_pointwise(weight: Any, stride: Ints, padding: Ints) -> bool:
    return weight.size == weight.shape[0] * weight.shape[1] and max(stride) == 1 and max(padding) == 0


@quiet
def convolution(x: Any, weight: Any, bias: Any, stride: Ints, padding: Ints, dilation: Ints, groups: int, out: Ints | None = None) -> Any:
    """y[n, o, p] = bias[o] + sum over c, k of weight[o, c, k] * x[n, c, p * stride + k * dilation - padding].

    `out`: the spatial sizes of y, where not all the windows that fit are wanted.
    """
    low = x.dtype
    x, weight = _wide(x), _wide(weight)
    if out is None:
        out = output_size(x.shape[2:], weight.shape[2:], stride, padding, dilation)
    y = np.empty((x.shape[0], weight.shape[0], *out), x.dtype)
    if bias is not None:
        bias = bias.astype(x.dtype, copy=False).reshape(-1, 1, *[1] * len(out))
    if y.size == 0 or weight.size == 0:
        y[...] = 0 if bias is None else bias[:, 0]
        return y.astype(low, copy=False)
    if direct.convolution(y, x, weight, None if bias is None else bias.reshape(-1), stride, padding, dilation, groups):
        return y.astype(low, copy=False)
    if groups == 1 and _is_pointwise(weight, stride, padding) and out == x.shape[2:]:
        rows = y.reshape(*y.shape[:2], -1)
        _product(weight.reshape(weight.shape[:2]), x.reshape(*x.shape[:2], -1), rows)
        if bias is not None:
            rows += bias.reshape(-1, 1)
        return y.astype(low, copy=False)
    plan = _plan(x.shape, weight.shape, out, stride, padding, dilation, groups)
    images = None if plan.unpadded and x.flags.c_contiguous else np.zeros((plan.samples, plan.channels, *plan.padded), x.dtype)
    matrix = weight.reshape(groups, weight.shape[0] // groups, -1)
    columns = products = np.empty(0, x.dtype)
    filled = -1
    for start, stop, top, bottom in plan.pieces():
        n, rows = stop - start, bottom - top
        length = plan.length(rows)
        count = n * math.prod(length)
        if start != filled:
            padded = x[start:stop] if images is None else _fill(images, x[start:stop], plan)
            filled = start
        if columns.size != plan.channels * plan.window * count:
            columns = np.empty((plan.channels, *plan.kernel, n, *length), x.dtype)
            products = np.empty((groups, matrix.shape[1], count), x.dtype)
        np.copyto(columns, plan.windows(padded, top, rows))
        stacked = columns.reshape(groups, -1, count)
        if groups == 1:
            _product(matrix[0], stacked[0], products[0])
        else:
            _product(matrix, stacked, products)
        target = y[start:stop, :, top:bottom].swapaxes(0, 1)
        if bias is None:
            target[...] = plan.positions(products, n, rows)
        else:
            np.add(plan.positions(products, n, rows), bias, out=target)
    return y.astype(low, copy=False)


@quiet
def convolution_backward(
    grad: Any, x: Any, weight: Any, x_shape: Ints, weight_shape: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
) -> tuple[Any, Any]:
    """The gradients of input and weight; None for the input where no weight is given, and the other way round."""
    low = grad.dtype
    grad = _wide(grad)
    x, weight = (None if x is None else _wide(x)), (None if weight is None else _wide(weight))
    dtype = grad.dtype
    if grad.size == 0 or 0 in x_shape or 0 in weight_shape:
        return None if weight is None else np.zeros(x_shape, low), None if x is None else np.zeros(weight_shape, low)
    grad_x: Any = None if weight is None else np.empty(x_shape, dtype)
    grad_weight: Any = None if x is None else np.empty(weight_shape, dtype)
    if weight is not None and direct.input_gradient(grad_x, grad, weight, stride, padding, dilation, groups):
        weight = None
    if x is not None and direct.weight_gradient(grad_weight, grad, x, stride, padding, dilation, groups):
        x = None
    if weight is None and x is None:
        return _low(grad_x, low), _low(grad_weight, low)
    if x is not None:
        grad_weight.fill(0)
    plan = _plan(tuple(x_shape), tuple(weight_shape), grad.shape[2:], stride, padding, dilation, groups)
    per_group = plan.out_channels // groups
    sums = None if x is None else grad_weight.reshape(groups, per_group, -1)
    matrix = None if weight is None else weight.reshape(groups, per_group, -1).swapaxes(1, 2)
    images = None if x is None or (plan.unpadded and x.flags.c_contiguous) else np.zeros((plan.samples, plan.channels, *plan.padded), dtype)
    gradients = np.empty(0, dtype)
    size = -1
    filled = -1
    spread: Any = None
    for start, stop, top, bottom in plan.pieces():
        n, rows = stop - start, bottom - top
        length = plan.length(rows)
        count = n * math.prod(length)
        if size != count:
            size = count
            columns = np.empty((plan.channels, *plan.kernel, n, *length), dtype)
            gradients = (np.zeros if plan.flat else np.empty)((groups, per_group, count), dtype)
        plan.positions(gradients, n, rows)[...] = grad[start:stop, :, top:bottom].swapaxes(0, 1)
        first = start != filled
        filled = start
        if sums is not None:
            if first:
                padded = x[start:stop] if images is None else _fill(images, x[start:stop], plan)
            np.copyto(columns, plan.windows(padded, top, rows))
            sums += matmul(gradients, columns.reshape(groups, -1, count).swapaxes(1, 2))
        if matrix is not None:
            stacked = columns.reshape(groups, -1, count)
            _product(matrix, gradients, stacked)
            if first:
                spread = np.zeros((n, plan.channels, *plan.padded), dtype)
            views = plan.windows(spread, top, rows)
            for offset in product(*map(range, plan.kernel)):
                where: Any = (slice(None), *offset)
                views[where] += columns[where]
            if bottom == plan.out[0]:
                grad_x[start:stop] = spread[(slice(None), slice(None), *plan.inside)]
    return _low(grad_x, low), _low(grad_weight, low)


def _low(array: Any, dtype: Any) -> Any:
    return array if array is None else array.astype(dtype, copy=False)


# --- blocks as columns --------------------------------------------------------------------------------------------------


@quiet
def im2col(x: Any, kernel: Ints, dilation: Ints, padding: Ints, stride: Ints) -> Any:
    """The windows of (N, C, H, W) as columns (N, C * kh * kw, positions)."""
    n, c, h, w = x.shape
    out = output_size((h, w), kernel, stride, padding, dilation)
    images = np.zeros((n, c, h + 2 * padding[0], w + 2 * padding[1]), x.dtype)
    images[:, :, padding[0] : padding[0] + h, padding[1] : padding[1] + w] = x
    columns = np.empty((n, c, *kernel, *out), x.dtype)
    for (i, j), where in _window_slices(kernel, dilation, stride, out):
        columns[:, :, i, j] = images[where]
    return columns.reshape(n, c * math.prod(kernel), math.prod(out))


@quiet
def col2im(columns: Any, size: Ints, kernel: Ints, dilation: Ints, padding: Ints, stride: Ints) -> Any:
    """The transpose of `im2col`: what lies at the same place adds up."""
    low = columns.dtype
    columns = _wide(columns)
    out = output_size(size, kernel, stride, padding, dilation)
    n, c = columns.shape[0], columns.shape[1] // math.prod(kernel)
    columns = columns.reshape(n, c, *kernel, *out)
    images = np.zeros((n, c, size[0] + 2 * padding[0], size[1] + 2 * padding[1]), columns.dtype)
    for (i, j), where in _window_slices(kernel, dilation, stride, out):
        images[where] += columns[:, :, i, j]
    inside = images[:, :, padding[0] : padding[0] + size[0], padding[1] : padding[1] + size[1]]
    return inside.astype(low)


def _window_slices(kernel: Ints, dilation: Ints, stride: Ints, out: Ints) -> Any:
    for offset in product(*map(range, kernel)):
        starts = [o * d for o, d in zip(offset, dilation)]
        yield offset, (..., *[slice(s, s + (n - 1) * t + 1, t) for s, n, t in zip(starts, out, stride)])


def rearranged(x: Any, split: Ints, order: Ints, shape: Ints) -> Any:
    """x seen in the shape `split`, its last dimensions in another order, copied and given its new shape."""
    lead = len(split) - len(order)
    return x.reshape(split).transpose(*range(lead), *[lead + o for o in order]).copy("C").reshape(shape)
