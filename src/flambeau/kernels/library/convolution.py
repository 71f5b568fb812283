"""Convolution without columns: a block of the input is laid out with its padding, and the products run over shifted vectors of it.

Where windows lie `stride` apart, the block is laid out as `stride` interleaved images (phases), so that neighbouring windows
always read neighbouring elements: window element k of all positions is the block from an offset on. A tile of the result, a few
channels by a few vectors of positions, stays in registers while it runs over all window elements and channels.

What is computed where is said by one table of 64-bit integers, `HEADER` first, which `kernels/convolution.py` fills.
"""

from functools import cache
from typing import Any, Callable

from ..compiler.code import ELEMENT, Code, kernel
from .vectors import lanes, vector, vector_bytes

HEADER = (
    "tasks grain slots channels groups out_per_group taps blocks "
    "size_d size_h size_w x_channel x_d x_h "  # the input: sizes and steps in elements
    "phases packed_d packed_h packed_w stride_d stride_h stride_w packed slack work "  # the laid-out block; `packed` elements
    "vectors direct scratch "  # vectors of positions; whether they go straight into the result; elements of scratch per channel
    "out_channel out_d out_h out_w count_d count_h count_w scratch_d scratch_h "  # the result: steps, block sizes, steps of the scratch
    "weight_out weight_group rows "
    "at_phases at_blocks at_offsets at_sources at_reads at_writes"
).split()
"""The names of the table's first numbers. There are `tasks` blocks, each with five numbers at `at_blocks`: the
element where its image begins, its first d, h, w there (negative in the padding), the element where its result begins."""

ROWS = 4


def lanes_of(kind: str) -> int:
    """Elements of a vector."""
    return lanes(ELEMENT[kind])


def tile_vectors(rows: int) -> tuple[int, ...]:
    """How many vectors of positions the tiles of `rows` channels take, the largest first."""
    if rows == 1:
        return (8, 1)
    return (6, 2, 1) if vector_bytes() == 64 else (3, 1)


def _pack(element: str, header: list[str]) -> Code:
    """Lays the block of one task out: channels, phases, and each phase's image with zeros where there is padding."""
    code = Code(f"pack_{element}", "to x table channels:i64 first_d:i64 first_h:i64 first_w:i64")
    to, x, table, channels, first_d, first_h, first_w = code.arguments
    t = code.named(table, header)
    wide = vector(element)
    count = lanes(element)
    zero = code.value(0.0, element)
    with code.loop(0, t.phases) as phase:
        rest_d = first_d + code.load("i64", code.at(table, t.at_phases, "i64"), phase * 3)
        rest_h = first_h + code.load("i64", code.at(table, t.at_phases, "i64"), phase * 3 + 1)
        rest_w = first_w + code.load("i64", code.at(table, t.at_phases, "i64"), phase * 3 + 2)
        below = code.most((t.stride_w - 1 - rest_w) // t.stride_w, 0)
        low = code.least(code.where(rest_w < 0, below, 0), t.packed_w)
        left = code.most(t.size_w - rest_w, 0)
        high = code.most(code.least((left + t.stride_w - 1) // t.stride_w, t.packed_w), low)
        with code.loop(0, channels) as channel, code.loop(0, t.packed_d) as d:
            in_d = rest_d + d * t.stride_d
            fits_d = (in_d >= 0) & (in_d < t.size_d)
            with code.loop(0, t.packed_h) as h:
                in_h = rest_h + h * t.stride_h
                fits = fits_d & (in_h >= 0) & (in_h < t.size_h)
                line = ((channel * t.phases + phase) * t.packed_d + d) * t.packed_h + h
                row = code.at(to, line * t.packed_w, element)
                start = code.where(fits, low, 0)
                stop = code.where(fits, high, 0)
                with code.loop(0, start, short=True) as i:
                    code.store(zero, row, i)
                with code.loop(stop, t.packed_w, short=True) as i:
                    code.store(zero, row, i)
                source = code.at(x, channel * t.x_channel + in_d * t.x_d + in_h * t.x_h + rest_w, element)

                def together() -> None:
                    full = start + (stop - start) // count * count
                    with code.loop(start, full, count, short=True) as i:
                        code.store(code.load(wide, source, i), row, i)
                    with code.loop(full, stop, short=True) as i:
                        code.store(code.load(element, source, i), row, i)

                def apart() -> None:
                    with code.loop(start, stop) as i:
                        code.store(code.load(element, source, i * t.stride_w), row, i)

                code.either(t.stride_w.equals(1), together, apart)
    return code


def _tile(element: str, rows: int, count: int) -> Code:
    """`rows` channels by `count` vectors of positions: the bias plus the products with all window elements."""
    code = Code(f"tile_{element}_{rows}_{count}", "x weight offsets taps:i64 reads writes out out_channel:i64 valid:i64")
    x, weight, offsets, taps, reads, writes, out, out_channel, valid = code.arguments
    wide = vector(element)
    from_ = [code.at(x, code.load("i64", reads, v), element) for v in range(count)]
    sums = []
    for r in range(rows):
        bias = code.load(element, weight, r)
        sums.append([code.variable(wide, bias) for _ in range(count)])
    with code.loop(0, taps) as k:
        offset = code.load("i64", offsets, k)
        values = [code.load(wide, p, offset) for p in from_]
        here = code.at(weight, (k + 1) * rows, element)
        for r in range(rows):
            w = code.splat(code.load(element, here, r), wide)
            for v in range(count):
                sums[r][v].value = code.multiply_add(values[v], w, sums[r][v].value)
    to = [code.load("i64", writes, v) for v in range(count)]
    for r in range(rows):
        with code.when(valid > r):
            row = code.at(out, out_channel * r, element)
            for v in range(count):
                code.store(sums[r][v].value, row, to[v])
    return code


def _pack_weight(element: str) -> Code:
    """The weights in the order in which the tiles read them: blocks of `rows` channels, first their biases, then per window
    element the weight of each."""
    code = Code(f"pack_weight_{element}", "to weight bias table")
    to, weight, bias, table = code.arguments
    t = code.named(table, HEADER)
    sources = code.at(table, t.at_sources, "i64")
    zero = code.value(0.0, element)
    with code.loop(0, t.groups) as group, code.loop(0, t.blocks) as block:
        base = code.at(to, (group * t.blocks + block) * (t.taps + 1) * t.rows, element)
        first = block * t.rows

        def together() -> None:
            rows = [code.at(weight, group * t.weight_group + (first + r) * t.weight_out, element) for r in range(ROWS)]
            for r in range(ROWS):
                code.store(code.load(element, bias, group * t.out_per_group + first + r), base, r)
            with code.loop(0, t.taps, short=True) as k:
                source = code.load("i64", sources, k)
                for r in range(ROWS):
                    code.store(code.load(element, rows[r], source), base, (k + 1) * ROWS + r)

        def one_by_one() -> None:
            with code.loop(0, t.rows) as r:
                channel = first + r

                def fill() -> None:
                    code.store(code.load(element, bias, group * t.out_per_group + channel), base, r)
                    from_ = code.at(weight, group * t.weight_group + channel * t.weight_out, element)
                    with code.loop(0, t.taps, short=True) as k:
                        code.store(code.load(element, from_, code.load("i64", sources, k)), base, (k + 1) * t.rows + r)

                def clear() -> None:
                    with code.loop(0, t.taps + 1) as k:
                        code.store(zero, base, k * t.rows + r)

                code.either(channel < t.out_per_group, fill, clear)

        code.either(t.rows.equals(ROWS) & (first + ROWS <= t.out_per_group), together, one_by_one)
    return code


def _copy_out(element: str) -> Code:
    """One channel's block from the scratch into the result."""
    code = Code(f"copy_out_{element}", "to scratch table")
    to, scratch, table = code.arguments
    t = code.named(table, HEADER)
    with code.loop(0, t.count_d) as d, code.loop(0, t.count_h) as h:
        source = code.at(scratch, d * t.scratch_d + h * t.scratch_h, element)
        target = code.at(to, d * t.out_d + h * t.out_h, element)

        def together() -> None:
            with code.loop(0, t.count_w) as i:
                code.store(code.load(element, source, i), target, i)

        def apart() -> None:
            with code.loop(0, t.count_w) as i:
                code.store(code.load(element, source, i), target, i * t.out_w)

        code.either(t.out_w.equals(1), together, apart)
    return code


def _products(element: str, rows: int) -> tuple[Code, list[Code]]:
    """All channels of one task's block."""
    pack, copy_out = _pack(element, HEADER), _copy_out(element)
    sizes = tile_vectors(rows)
    tiles = [_tile(element, rows, n) for n in sizes]
    code = Code(f"block_{element}_{rows}", "out x weights packed scratch table task:i64")
    out, x, weights, packed, scratch, table, task = code.arguments
    t = code.named(table, HEADER)
    entry = code.at(table, t.at_blocks + task * 5, "i64")
    at_x, d, h, w, at_out = (code.load("i64", entry, i) for i in range(5))
    code.run(pack, packed, code.at(x, at_x, element), table, t.channels, d, h, w)
    group_size = t.packed // t.groups
    out = code.at(out, at_out, element)
    offsets, reads, writes = (code.at(table, n, "i64") for n in (t.at_offsets, t.at_reads, t.at_writes))
    with code.loop(0, t.groups) as group, code.loop(0, t.blocks) as block:
        base = code.at(packed, group * group_size, element)
        weight = code.at(weights, (group * t.blocks + block) * (t.taps + 1) * rows, element)
        valid = code.least(t.out_per_group - block * rows, rows)
        target = code.at(out, (group * t.out_per_group + block * rows) * t.out_channel, element)
        direct = t.direct.differs(0)
        to = code.where(direct, target, scratch)
        step = code.where(direct, t.out_channel, t.scratch)
        start: Any = code.value(0)
        for size, tile in zip(sizes, tiles):
            stop = start + (t.vectors - start) // size * size
            with code.loop(start, stop, size) as j:
                code.run(tile, base, weight, offsets, t.taps, code.at(reads, j, "i64"), code.at(writes, j, "i64"), to, step, valid)
            start = stop
        with code.when(t.direct.equals(0)), code.loop(0, valid) as r:
            code.run(copy_out, code.at(target, r * t.out_channel, element), code.at(scratch, r * t.scratch, element), table)
    return code, [pack, copy_out, *tiles]


@cache
def products(kind: str, rows: int) -> Callable[..., Any]:
    """`kernel(out, x, weight, bias, packed_weights, work, flags, table)` for f32 or f64, by tiles of `rows` channels.

    work: elements for each slot, for the block and a tile's results; flags: a zero for each slot.
    """
    element = ELEMENT[kind]
    block, others = _products(element, rows)
    pack_weight = _pack_weight(element)
    body = Code("blocks", "out x weights work flags table begin:i64 end:i64")
    out, x, weights, work, flags, table, begin, end = body.arguments
    t = body.named(table, HEADER)
    with body.claimed(flags, t.slots) as slot:
        packed = body.at(work, slot * t.work, element)
        scratch = body.at(packed, t.packed + t.slack, element)
        with body.loop(begin, end) as task:
            body.run(block, out, x, weights, packed, scratch, table, task)
    main = Code("main", "out x weight bias weights work flags table")
    out, x, weight, bias, weights, work, flags, table = main.arguments
    with main.unlocked():
        main.run(pack_weight, weights, weight, bias, table)
        main.parallel(body, [out, x, weights, work, flags, table], main.load("i64", table), main.load("i64", table, HEADER.index("grain")))
    return kernel(f"flambeau_convolution_{kind}_{rows}", main, *others, pack_weight, block, body)


# --- the gradient of the weight -----------------------------------------------------------------------------------------

WEIGHT_HEADER = (
    "tasks grain slots channels groups out_per_group taps chunks size_d size_h size_w x_channel x_d x_h "
    "phases packed_d packed_h packed_w stride_d stride_h stride_w packed slack work "
    "channel_blocks channels_per_block window padded_taps padded_out out_channel out_d out_h full "
    "at_phases at_blocks at_offsets at_chunks"
).split()
"""The names of the first numbers of the table of a weight's gradient. Each of the blocks at `at_blocks` has eight numbers: the
element where its image begins, its first d, h, w, the element of the result's gradient where it begins, its counts of d, h, w.
Chunk c has the blocks from number c at `at_chunks` to the next. `window` taps per channel, `taps` per block of channels."""


def weight_tile(vectors: int) -> int:
    """How many taps a tile has beside its vectors of channels; 0 vectors: one channel, with vectors of positions."""
    wide = vector_bytes() == 64
    return {4: 6 if wide else 2, 2: 8 if wide else 4, 1: 8, 0: 8}[vectors]


def _transpose(element: str) -> Code:
    """The gradient of a block with its channels side by side: from [channel][position] to [position][padded channel]."""
    size = lanes(element)
    wide = vector(element)
    code = Code(f"transpose_{element}", "to x x_channel:i64 channels:i64 padded:i64 count:i64")
    to, x, x_channel, channels, padded, count = code.arguments
    with code.loop(0, padded, size) as first:
        start = code.variable("i64", 0)
        with code.when(first + size <= channels):
            full = count // size * size
            with code.loop(0, full, size) as i:
                rows = code.transposed([code.load(wide, x, (first + j) * x_channel + i) for j in range(size)])
                for j in range(size):
                    code.store(rows[j], to, (i + j) * padded + first)
            start.value = full
        with code.loop(start.value, count, short=True) as i, code.loop(0, size, short=True) as lane:
            inside = first + lane < channels

            def copy() -> None:
                code.store(code.load(element, x, (first + lane) * x_channel + i), to, i * padded + first + lane)

            def clear() -> None:
                code.store(code.value(0.0, element), to, i * padded + first + lane)

            code.either(inside, copy, clear)
    return code


def _weight_tile(element: str, vectors: int) -> Code:
    """Adds to `taps` x `vectors` sums the products of shifted inputs with vectors of the gradient, over all positions."""
    taps = weight_tile(vectors)
    wide, size = vector(element), lanes(element)
    counts, steps = "count_d:i64 count_h:i64 count_w:i64", "step_d:i64 step_h:i64"
    code = Code(f"weight_tile_{element}_{vectors}", f"sums x offsets grad padded:i64 {counts} {steps}")
    sums, x, offsets, grad, padded, count_d, count_h, count_w, step_d, step_h = code.arguments
    totals = [[code.variable(wide, code.load(wide, sums, padded * k + v * size)) for v in range(vectors)] for k in range(taps)]
    from_ = [code.load("i64", offsets, k) for k in range(taps)]
    with code.loop(0, count_d) as d, code.loop(0, count_h) as h:
        row = code.at(x, d * step_d + h * step_h, element)
        rows = [code.at(row, o, element) for o in from_]
        beside = code.at(grad, (d * count_h + h) * count_w * padded, element)
        with code.loop(0, count_w) as w:
            line = code.at(beside, w * padded, element)
            values = [code.load(wide, line, v * size) for v in range(vectors)]
            for k in range(taps):
                one = code.splat(code.load(element, rows[k], w), wide)
                for v in range(vectors):
                    totals[k][v].value = code.multiply_add(values[v], one, totals[k][v].value)
    for k in range(taps):
        for v in range(vectors):
            code.store(totals[k][v].value, sums, padded * k + v * size)
    return code


def _weight_line(element: str) -> Code:
    """Adds to the sums of some taps of one channel, `sums_step` apart, the products of shifted inputs with the gradient."""
    taps = weight_tile(0)
    wide, size = vector(element), lanes(element)
    counts, steps = "count_d:i64 count_h:i64 count_w:i64", "step_d:i64 step_h:i64 grad_d:i64 grad_h:i64"
    code = Code(f"weight_line_{element}", f"sums sums_step:i64 x offsets grad {counts} {steps}")
    sums, sums_step, x, offsets, grad, count_d, count_h, count_w, step_d, step_h, grad_d, grad_h = code.arguments
    totals = [code.variable(wide, 0.0) for _ in range(taps)]
    rests = [code.variable(element, 0.0) for _ in range(taps)]
    from_ = [code.load("i64", offsets, k) for k in range(taps)]
    full = count_w // size * size
    with code.loop(0, count_d) as d, code.loop(0, count_h) as h:
        row = code.at(x, d * step_d + h * step_h, element)
        rows = [code.at(row, o, element) for o in from_]
        line = code.at(grad, d * grad_d + h * grad_h, element)
        with code.loop(0, full, size) as w:
            value = code.load(wide, line, w)
            for k in range(taps):
                totals[k].value = code.multiply_add(value, code.load(wide, rows[k], w), totals[k].value)
        with code.loop(full, count_w, short=True) as w:
            one = code.load(element, line, w)
            for k in range(taps):
                rests[k].value = code.multiply_add(one, code.load(element, rows[k], w), rests[k].value)
    for k in range(taps):
        place = sums_step * k
        code.store(code.load(element, sums, place) + (code.total(totals[k].value) + rests[k].value), sums, place)
    return code


def _weight_chunk(element: str, vectors: int) -> tuple[Code, list[Code]]:
    """One task: a chunk of blocks, one block of input channels."""
    pack, transpose = _pack(element, WEIGHT_HEADER), _transpose(element)
    tile = _weight_tile(element, vectors) if vectors else _weight_line(element)
    taps, size = weight_tile(vectors), lanes(element)
    code = Code("weight_chunk", "sums x grad packed beside table task:i64")
    sums, x, grad, packed, beside, table, task = code.arguments
    t = code.named(table, WEIGHT_HEADER)
    per_chunk = t.groups * t.channel_blocks
    chunk, rest = task // per_chunk, task % per_chunk
    group, block = rest // t.channel_blocks, rest % t.channel_blocks
    first = block * t.channels_per_block
    per_group = t.channels // t.groups
    channels = code.least(per_group - first, t.channels_per_block)
    own = code.at(sums, task * t.padded_taps * t.padded_out, element)
    with code.loop(0, t.padded_taps * t.padded_out, size) as i:
        code.store(code.value(0.0, vector(element)), own, i)
    chunks = code.at(table, t.at_chunks, "i64")
    offsets = code.at(table, t.at_offsets, "i64")
    with code.loop(code.load("i64", chunks, chunk), code.load("i64", chunks, chunk + 1)) as number:
        entry = code.at(table, t.at_blocks + number * 8, "i64")
        at_x, d, h, w, at_grad, count_d, count_h, count_w = (code.load("i64", entry, i) for i in range(8))
        source = code.at(x, at_x + (group * per_group + first) * t.x_channel, element)
        code.run(pack, packed, source, table, channels, d, h, w)
        from_ = code.at(grad, at_grad + group * t.out_per_group * t.out_channel, element)
        if not vectors:
            with code.loop(0, channels * t.window, taps) as k, code.loop(0, t.out_per_group) as o:
                code.run(
                    tile, code.at(own, k * t.padded_out + o, element), t.padded_out, packed, code.at(offsets, k, "i64"),
                    code.at(from_, o * t.out_channel, element), count_d, count_h, count_w, t.packed_h * t.packed_w, t.packed_w,
                    t.out_d, t.out_h,
                )  # fmt: skip
        else:
            plane = count_h * count_w * t.padded_out
            with code.loop(0, count_d) as i:

                def rows() -> None:
                    with code.loop(0, count_h) as j:
                        to = code.at(beside, i * plane + j * count_w * t.padded_out, element)
                        row = code.at(from_, i * t.out_d + j * t.out_h, element)
                        code.run(transpose, to, row, t.out_channel, t.out_per_group, t.padded_out, count_w)

                def whole() -> None:
                    to, row = code.at(beside, i * plane, element), code.at(from_, i * t.out_d, element)
                    code.run(transpose, to, row, t.out_channel, t.out_per_group, t.padded_out, count_h * count_w)

                code.either(t.full.differs(0), whole, rows)
            with code.loop(0, channels * t.window, taps) as k, code.loop(0, t.padded_out, vectors * size) as o:
                code.run(
                    tile, code.at(own, k * t.padded_out + o, element), packed, code.at(offsets, k, "i64"), code.at(beside, o, element),
                    t.padded_out, count_d, count_h, count_w, t.packed_h * t.packed_w, t.packed_w,
                )  # fmt: skip
    return code, [pack, transpose, tile]


def _weight_total(element: str) -> Code:
    """The chunks' sums added, one block of input channels, in the order of the weight."""
    code = Code("weight_total", "out sums table begin:i64 end:i64")
    out, sums, table, begin, end = code.arguments
    t = code.named(table, WEIGHT_HEADER)
    per_group = t.channels // t.groups
    with code.loop(begin, end) as part:
        group, block = part // t.channel_blocks, part % t.channel_blocks
        first = block * t.channels_per_block
        taps = code.least(per_group - first, t.channels_per_block) * t.window
        with code.loop(0, t.out_per_group) as o:
            target = code.at(out, ((group * t.out_per_group + o) * per_group + first) * t.window, element)
            with code.loop(0, taps) as k:
                total = code.variable(element, 0.0)
                with code.loop(0, t.chunks) as chunk:
                    place = (chunk * t.groups * t.channel_blocks + part) * t.padded_taps + k
                    total.value = total.value + code.load(element, sums, place * t.padded_out + o)
                code.store(total.value, target, k)
    return code


@cache
def weight_gradient(kind: str, vectors: int) -> Callable[..., Any]:
    """`kernel(out, x, grad, sums, work, flags, table)` for f32 or f64, by tiles of `vectors` vectors of channels."""
    element = ELEMENT[kind]
    chunk, others = _weight_chunk(element, vectors)
    body = Code("chunks", "sums x grad work flags table begin:i64 end:i64")
    sums, x, grad, work, flags, table, begin, end = body.arguments
    t = body.named(table, WEIGHT_HEADER)
    with body.claimed(flags, t.slots) as slot:
        packed = body.at(work, slot * t.work, element)
        with body.loop(begin, end) as task:
            body.run(chunk, sums, x, grad, packed, body.at(packed, t.packed + t.slack, element), table, task)
    total = _weight_total(element)
    main = Code("main", "out x grad sums work flags table")
    out, x, grad, sums, work, flags, table = main.arguments
    with main.unlocked():
        t = main.named(table, WEIGHT_HEADER)
        main.parallel(body, [sums, x, grad, work, flags, table], t.tasks, t.grain)
        main.parallel(total, [out, sums, table], t.groups * t.channel_blocks, 1)
    return kernel(f"flambeau_convolution_weight_{kind}_{vectors}", main, *others, chunk, body, total)
