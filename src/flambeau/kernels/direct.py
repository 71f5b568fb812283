"""Convolution by the compiled kernels of `library/convolution.py`: what a convolution needs is laid down in tables, once per shape.

Everything is a product: per spatial dimension a first window (`start`, negative in the padding), the distance of windows
(`stride`), the taps of a window as (number, offset), and where the results go (`first`, `step`). A convolution is one product;
the gradient of its input is one for each phase of the stride, over the windows that reach that phase.
"""

import math
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from . import depthwise
from .compiler import usable
from .compiler.threads import count
from .library import convolution as library

Ints = tuple[int, ...]
_KINDS = {np.dtype(np.float32): "f32", np.dtype(np.float64): "f64"}

BLOCK = 1 << 15
"""Elements of a laid-out block, about: it stays in the second-level cache."""
WORTH = 0.3
"""The least share of useful elements in the vectors; below, products of columns are faster."""


class Line(NamedTuple):
    """One spatial dimension of a product."""

    start: int
    stride: int
    taps: tuple[tuple[int, int], ...]
    number: int
    first: int
    step: int


class Plan(NamedTuple):
    """A product laid down: the kernel's table, its variant, and the sizes of its buffers."""

    table: Any
    variant: int
    buffer: int
    work: int
    slots: int


def lines_forward(kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints) -> list[Line]:
    """The dimensions of a convolution."""
    return [Line(-p, t, tuple([(j, j * d) for j in range(k)]), o, 0, 1) for k, t, p, d, o in zip(kernel, stride, padding, dilation, out)]


def lines_backward(spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> list[list[Line]]:
    """For each dimension the phases of the gradient of a convolution's input: input i is reached by window m through tap j
    where i + padding = m * stride + j * dilation."""
    found = []
    for size, k, t, p, d in zip(spatial, kernel, stride, padding, dilation):
        phases = []
        for rest in range(t):
            q = -((rest - p) // t)  # the first q with q * t + rest - p >= 0
            first = q * t + rest - p
            count = len(range(first, size, t))
            taps = [(j, (j * d - rest) // t) for j in range(k) if j * d % t == rest % t]
            most = max([back for _, back in taps], default=0)
            if count:
                phases.append(Line(q - most, 1, tuple([(j, most - back) for j, back in taps]), count, first, t))
        found.append(phases)
    return found


def _three(values: Any, fill: Any) -> list[Any]:
    return [fill] * (3 - len(values)) + list(values)


class _Layout:
    """How the input of a product is cut into blocks and laid out."""

    def __init__(
        self, in_shape: Ints, in_steps: Ints, lines: tuple[Line, ...], out_steps: Ints, channels: int, size: int, budget: int
    ) -> None:
        images, _, *spatial = in_shape
        sizes = _three(spatial, 1)
        dims = _three(lines, Line(0, 1, ((0, 0),), 1, 0, 1))
        x_steps, y_steps = _three(in_steps[2:], 0), _three(out_steps[2:], 0)
        self.x_image, self.y_image = in_steps[0], out_steps[0]
        if len(spatial) < 3:  # the images themselves are the first dimension
            sizes[0], x_steps[0], y_steps[0] = images, self.x_image, self.y_image
            dims[0] = Line(0, 1, ((0, 0),), images, 0, 1)
            images = 1
            self.x_image = self.y_image = 0
        plain = all(d.taps == ((0, 0),) and d.stride == 1 == d.step and not d.start and d.number == s for d, s in zip(dims, sizes))
        if len(spatial) == 2 and plain and x_steps[1] == sizes[2] and y_steps[1] == sizes[2]:  # no windows: an image is one line
            whole = sizes[1] * sizes[2]
            sizes[1:], dims[1:] = [1, whole], [dims[0]._replace(number=1), dims[2]._replace(number=whole)]
        self.images, self.sizes, self.dims, self.x_steps, self.y_steps = images, sizes, dims, x_steps, y_steps
        self.phases = list(product(*[sorted({e % d.stride for _, e in d.taps}) or [0] for d in dims]))
        reach = [max([e // d.stride for _, e in d.taps], default=0) for d in dims]
        counts = [d.number for d in dims]
        for axis, least in ((0, 1), (1, 1), (2, 4 * size)):
            while channels * len(self.phases) * math.prod([c + r for c, r in zip(counts, reach)]) > budget and counts[axis] > least:
                counts[axis] = max(least, counts[axis] // 2)
        if counts == [d.number for d in dims] and images == 1:
            counts[0] = -(-counts[0] // 4)  # something for every thread
        self.counts = [-(-d.number // -(-d.number // c)) for d, c in zip(dims, counts)]  # as even as can be
        self.packed = [c + r for c, r in zip(self.counts, reach)]
        self.plane = channels * len(self.phases) * math.prod(self.packed)

    def taps(self, kernel: Ints) -> list[tuple[int, int]]:
        """For each tap its place in the laid-out channel and its number in the kernel."""
        found = []
        kernel = tuple(_three(kernel, 1))
        _, ph, pw = self.packed
        for tap in product(*[d.taps for d in self.dims]):
            phase = self.phases.index(tuple([e % d.stride for (_, e), d in zip(tap, self.dims)]))
            shift = [e // d.stride for (_, e), d in zip(tap, self.dims)]
            (a, _), (b, _), (c, _) = tap
            found.append((((phase * self.packed[0] + shift[0]) * ph + shift[1]) * pw + shift[2], (a * kernel[1] + b) * kernel[2] + c))
        return found

    def channel(self) -> int:
        """Elements of a laid-out channel."""
        return len(self.phases) * math.prod(self.packed)

    def blocks(self, exact: bool) -> list[list[int]]:
        """For each block the element of its image, its first d, h, w, the element of its result; all of one size, the last ones
        reaching back, or `exact` ones, with their counts."""
        found = []
        begins = [
            [(b if exact else min(b, d.number - c), min(c, d.number - b)) for b in range(0, d.number, c)]
            for d, c in zip(self.dims, self.counts)
        ]
        for image in range(self.images):
            for begin in product(*begins):
                place = image * self.y_image + sum((d.first + b * d.step) * s for d, (b, _), s in zip(self.dims, begin, self.y_steps))
                block = [image * self.x_image, *[d.start + b * d.stride for d, (b, _) in zip(self.dims, begin)], place]
                found.append(block + [n for _, n in begin] if exact else block)
        return found

    def header(self) -> dict[str, int]:
        """The numbers that both tables have."""
        (sd, sh, sw), (pd, ph, pw) = self.sizes, self.packed
        a, b, c = self.dims
        return dict(
            size_d=sd, size_h=sh, size_w=sw, x_d=self.x_steps[0], x_h=self.x_steps[1], phases=len(self.phases), packed_d=pd, packed_h=ph,
            packed_w=pw, stride_d=a.stride, stride_h=b.stride, stride_w=c.stride, packed=self.plane,
        )  # fmt: skip


def _table(names: list[str], header: dict[str, int], parts: dict[str, list[int]]) -> Any:
    table: list[int] = [0] * len(names)
    for name, values in parts.items():
        header[name] = len(table)
        table += values
    table[: len(names)] = [header[name] for name in names]
    return np.array(table, np.int64)


def _up(n: int, step: int) -> int:
    return -(-n // step) * step


def plan(
    in_shape: Ints, in_steps: Ints, lines: tuple[Line, ...], groups: int, in_per_group: int, out_per_group: int, weight_in: int,
    weight_out: int, weight_group: int, kernel: Ints, out_steps: Ints, size: int, threads: int,
) -> Plan | None:  # fmt: skip
    """The table of a product.

    in_shape: (images, channels, *spatial); in_steps and out_steps: elements from one image, channel, ... to the next;
    weight_in, weight_out, weight_group: from one input channel, output channel, group to the next; size: lanes of a vector.
    None where vectors would be mostly waste.
    """
    weights = groups * in_per_group * out_per_group * math.prod(kernel)
    at = _Layout(in_shape, in_steps, lines, out_steps, in_shape[1], size, min(8 * BLOCK, max(BLOCK, 2 * weights)))
    dims, (bd, bh, bw), (_, ph, pw) = at.dims, at.counts, at.packed
    # Vectors along the rows of the block, the last one of a row reaching back; short rows run into each other instead.
    straight = bw >= size and dims[2].step == 1
    if bw >= size:
        starts = [min(w, bw - size) for w in range(0, bw, size)]
        reads = [(d * ph + h) * pw + w for d in range(bd) for h in range(bh) for w in starts]
        steps = (at.y_steps[0] * dims[0].step, at.y_steps[1] * dims[1].step) if straight else (bh * bw, bw)
        writes = [d * steps[0] + h * steps[1] + w for d in range(bd) for h in range(bh) for w in starts]
        scratch = bd * bh * bw
    else:
        run, gap = (bh - 1) * pw + bw, ph * pw
        each = _up(run, size)
        if each * bd < (bd - 1) * gap + run:
            reads = [d * gap + v for d in range(bd) for v in range(0, run, size)]
            scratch, steps = bd * each, (each, pw)
        else:
            reads = list(range(0, (bd - 1) * gap + run, size))
            scratch, steps = len(reads) * size, (gap, pw)
        writes = list(range(0, scratch, size))
    if bd * bh * bw < WORTH * len(reads) * size:
        return None
    taps = at.taps(kernel)
    offsets = [c * at.channel() + o for c in range(in_per_group) for o, _ in taps]
    sources = [c * weight_in + n for c in range(in_per_group) for _, n in taps]
    blocks = at.blocks(False)
    rows = library.ROWS if out_per_group > 2 else 1
    per_group = -(-out_per_group // rows)
    work = _up(at.plane + 16 * size + rows * scratch, 16)
    operations = len(reads) * size * max(1, len(offsets)) * groups * out_per_group
    header = at.header() | dict(
        tasks=len(blocks), grain=max(1, int(3e6 / operations)), slots=max(1, min(threads, len(blocks))), channels=in_shape[1],
        groups=groups,
        out_per_group=out_per_group, taps=len(offsets), blocks=per_group, x_channel=in_steps[1], slack=16 * size, work=work,
        vectors=len(reads), direct=int(straight), scratch=scratch, out_channel=out_steps[1], out_d=at.y_steps[0] * dims[0].step,
        out_h=at.y_steps[1] * dims[1].step, out_w=dims[2].step, count_d=bd, count_h=bh, count_w=bw, scratch_d=steps[0],
        scratch_h=steps[1], weight_out=weight_out, weight_group=weight_group, rows=rows,
    )  # fmt: skip
    parts = {"at_phases": [n for p in at.phases for n in p], "at_blocks": [n for b in blocks for n in b], "at_offsets": offsets,
             "at_sources": sources, "at_reads": reads, "at_writes": writes}  # fmt: skip
    table = _table(library.HEADER, header, parts)
    return Plan(table, rows, groups * per_group * (len(offsets) + 1) * rows, work, header["slots"])


def weight_plan(x_shape: Ints, lines: tuple[Line, ...], groups: int, out_shape: Ints, kernel: Ints, size: int, threads: int) -> Plan:
    """The table of a weight's gradient."""
    in_per_group, out_per_group = x_shape[1] // groups, out_shape[1] // groups
    window = math.prod(kernel)
    few = out_per_group <= size // 4
    padded_out = out_per_group if few else _up(out_per_group, size)
    vectors = 0 if few else next(v for v in (4, 2, 1) if padded_out // size % v == 0)
    channels = min(in_per_group, max(16, -(-128 // window)))
    out_steps = _steps(out_shape)
    at = _Layout(x_shape, _steps(x_shape), lines, out_steps, channels, size, 2 * BLOCK)
    per_tile = library.weight_tile(vectors)
    taps = at.taps(kernel)
    offsets = [c * at.channel() + o for c in range(channels) for o, _ in taps]
    offsets += [0] * (_up(len(offsets), 16 if few else per_tile) - len(offsets))
    blocks = at.blocks(True)
    channel_blocks = -(-in_per_group // channels)
    sums = groups * channel_blocks * len(offsets) * padded_out
    # How the sum is cut depends on the shapes alone, so the result does not change with the number of threads.
    chunks = max(1, min(len(blocks), 8, -(-16 // (groups * channel_blocks)), (1 << 21) // sums))
    cuts = [i * len(blocks) // chunks for i in range(chunks + 1)]
    bd, bh, bw = at.counts
    work = _up(at.plane + 16 * size + bd * bh * bw * padded_out, 16)
    tasks = chunks * groups * channel_blocks
    full = bw == at.dims[2].count and out_steps[-1] == 1
    header = at.header() | dict(
        tasks=tasks, grain=1, slots=max(1, min(threads, tasks)), channels=x_shape[1], groups=groups, out_per_group=out_per_group,
        taps=len(taps) * channels, chunks=chunks, x_channel=_steps(x_shape)[1], slack=16 * size, work=work, channel_blocks=channel_blocks,
        channels_per_block=channels, window=window, padded_taps=len(offsets), padded_out=padded_out, out_channel=out_steps[1],
        out_d=at.y_steps[0], out_h=at.y_steps[1], full=int(full),
    )  # fmt: skip
    parts = {"at_phases": [n for p in at.phases for n in p], "at_blocks": [n for b in blocks for n in b], "at_offsets": offsets,
             "at_chunks": cuts}  # fmt: skip
    return Plan(_table(library.WEIGHT_HEADER, header, parts), vectors, chunks * sums, work, header["slots"])


def _run(made: Plan, out: Any, x: Any, weight: Any, bias: Any) -> None:
    dtype = out.dtype
    weights = np.empty(made.buffer, dtype)
    work = np.empty(made.slots * made.work, dtype)
    library.products(_KINDS[dtype], made.variant)(out, x, weight, bias, weights, work, np.zeros(made.slots, np.int64), made.table)


def _steps(shape: Ints) -> Ints:
    return tuple([math.prod(shape[i + 1 :]) for i in range(len(shape))])


def _fits(*arrays: Any) -> bool:
    dtype = arrays[0].dtype
    return dtype in _KINDS and arrays[0].ndim <= 5 and usable() and all(a.dtype == dtype and a.flags.aligned for a in arrays)


@lru_cache(256)
def _forward(
    x: Ints, weight: Ints, out: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int, size: int, threads: int
) -> Plan | None:
    """The plan of a convolution of these shapes."""
    per_group, taps = weight[0] // groups, math.prod(weight[2:])
    lines = lines_forward(weight[2:], stride, padding, dilation, out[2:])
    return plan(
        x, _steps(x), tuple(lines), groups, weight[1], per_group, taps, weight[1] * taps, per_group * weight[1] * taps, weight[2:],
        _steps(out), size, threads,
    )  # fmt: skip


@lru_cache(256)
def _backward(
    x: Ints, weight: Ints, out: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int, size: int, threads: int
) -> list[Plan] | None:
    """The plans of the gradient of a convolution's input."""
    per_group, taps = weight[0] // groups, math.prod(weight[2:])
    made = []
    for lines in product(*lines_backward(x[2:], weight[2:], stride, padding, dilation)):
        one = plan(
            out, _steps(out), lines, groups, per_group, weight[1], weight[1] * taps, taps, per_group * weight[1] * taps, weight[2:],
            _steps(x), size, threads,
        )  # fmt: skip
        if one is None:
            return None
        made.append(one)
    return made


@lru_cache(256)
def _weight(x: Ints, weight: Ints, out: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int, size: int, threads: int) -> Plan:
    """The plan of the gradient of a convolution's weight."""
    lines = lines_forward(weight[2:], stride, padding, dilation, out[2:])
    return weight_plan(x, tuple(lines), groups, out, weight[2:], size, threads)


def convolution(y: Any, x: Any, weight: Any, bias: Any, stride: Ints, padding: Ints, dilation: Ints, groups: int) -> bool:
    """Writes the convolution into y; False where it is not for these kernels."""
    if depthwise.convolution(y, x, weight, bias, stride, padding, dilation, groups):
        return True
    if not _fits(x, weight):
        return False
    size = library.lanes_of(_KINDS[x.dtype])
    made = _forward(x.shape, weight.shape, y.shape, stride, padding, dilation, groups, size, count())
    if made is None:
        return False
    bias = np.zeros(len(weight), x.dtype) if bias is None else np.ascontiguousarray(bias)
    _run(made, y, np.ascontiguousarray(x), np.ascontiguousarray(weight), bias)
    return True


def input_gradient(grad_x: Any, grad: Any, weight: Any, stride: Ints, padding: Ints, dilation: Ints, groups: int) -> bool:
    """Writes the gradient of the input into grad_x, every element of it; False where it is not for these kernels."""
    if depthwise.input_gradient(grad_x, grad, weight, stride, padding, dilation, groups):
        return True
    if not _fits(grad, weight):
        return False
    size = library.lanes_of(_KINDS[grad.dtype])
    made = _backward(grad_x.shape, weight.shape, grad.shape, stride, padding, dilation, groups, size, count())
    if made is None:
        return False
    grad, weight = np.ascontiguousarray(grad), np.ascontiguousarray(weight)
    zeros = np.zeros(weight.shape[1] * groups, grad.dtype)
    for one in made:
        _run(one, grad_x, grad, weight, zeros)
    return True


def weight_gradient(grad_weight: Any, grad: Any, x: Any, stride: Ints, padding: Ints, dilation: Ints, groups: int) -> bool:
    """Writes the gradient of the weight into grad_weight; False where it is not for these kernels."""
    if depthwise.weight_gradient(grad_weight, grad, x, stride, padding, dilation, groups):
        return True
    if not _fits(grad, x):
        return False
    kind = _KINDS[grad.dtype]
    size = library.lanes_of(kind)
    made = _weight(x.shape, grad_weight.shape, grad.shape, stride, padding, dilation, groups, size, count())
    sums, work = np.empty(made.buffer, grad.dtype), np.empty(made.slots * made.work, grad.dtype)
    flags = np.zeros(made.slots, np.int64)
    kernel = library.weight_gradient(kind, made.variant)
    kernel(grad_weight, np.ascontiguousarray(x), np.ascontiguousarray(grad), sums, work, flags, made.table)
    return True
