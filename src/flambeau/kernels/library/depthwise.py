"""Convolution of each channel by a window of its own, in two dimensions.

A plane is laid out with its padding in rows of one pitch, one image for each phase of the stride, so that window element k of all
positions is the layout from an offset on, and the ends of rows, computed along, are left out when the result is copied. What lies
between the rows stays zero: each row is followed by a vector of zeros, which the next row overwrites.
"""

from functools import cache
from typing import Any, Callable

from ..compiler.code import ELEMENT, Code, Value, launch
from .vectors import lanes, vector

HEADER = (
    "planes grain slots channels images window taps packed work x_plane x_row x_column out_h out_w pitch positions phases to_row to_column "
    "at_phases at_offsets at_taps"
).split()
"""The names of the table's first numbers.

`window`: elements of a window; `taps`: those and what fills the last group; `packed`: elements of a laid-out plane; `work`: of a thread's
memory; x_row, x_column and to_row, to_column: steps from one element to the next where a plane comes from and in its layout. Each phase
has four numbers at `at_phases`: where its first element goes, where that comes from, rows, columns. Each tap has its offset at
`at_offsets`, its number at `at_taps`.
"""

TOGETHER = 4
"""Vectors of positions in registers at a time."""
TAPS = 9
"""Window elements whose sums are in registers at a time."""


def _copy_rows(
    code: Code, element: str, to: Value, to_step: Value, source: Value, step: Value, rows: Value, columns: Value, room: Value
) -> None:
    """Copies rows side by side, the later over what the earlier wrote behind their end, each followed by zeros. `room`: how many elements
    of the source may be read."""
    size, wide = lanes(element), vector(element)
    zeros = code.splat(code.value(0.0, element), wide)
    with code.loop(0, rows) as i:
        row, target = code.at(source, i * step, element), code.at(to, i * to_step, element)

        def vectors() -> None:
            with code.loop(0, columns, size, short=True) as j:
                code.store(code.load(wide, row, j), target, j)

        def elements() -> None:
            with code.loop(0, columns, short=True) as j:
                code.store(code.load(element, row, j), target, j)

        code.either(i * step + columns + size <= room, vectors, elements)
        code.store(zeros, target, columns)


def _pack(element: str) -> Code:
    """Lays out one plane, of which `room` elements may be read."""
    code = Code(f"pack_{element}", "to x table room:i64")
    to, x, table, room = code.arguments
    t = code.named(table, HEADER)
    with code.loop(0, t.phases) as phase:
        entry = code.at(table, t.at_phases + phase * 4, "i64")
        first, begin, rows, columns = (code.load("i64", entry, i) for i in range(4))
        target, source = code.at(to, first, element), code.at(x, begin, element)

        def together() -> None:
            _copy_rows(code, element, target, t.to_row, source, t.x_row, rows, columns, room - begin)

        def apart() -> None:
            with code.loop(0, rows) as i, code.loop(0, columns) as j:
                code.store(code.load(element, source, i * t.x_row + j * t.x_column), target, i * t.to_row + j * t.to_column)

        code.either(t.x_column.equals(1) & t.to_column.equals(1), together, apart)
    return code


def _products(element: str) -> Code:
    """All positions of a laid-out plane: the bias plus the products with the window."""
    code = Code(f"products_{element}", f"out x weight offsets taps:i64 positions:i64 bias:{element}")
    out, x, weight, offsets, taps, positions, bias = code.arguments
    size, wide = lanes(element), vector(element)
    start: Any = code.value(0)
    for count in (TOGETHER, 1):
        stop = start + (positions - start) // (count * size) * (count * size)
        with code.loop(start, stop, count * size) as v:
            sums = [code.variable(wide, bias) for _ in range(count)]
            with code.loop(0, taps) as k:
                by = code.splat(code.load(element, weight, k), wide)
                source = code.at(x, code.load("i64", offsets, k) + v, element)
                for i, total in enumerate(sums):
                    total.value = code.multiply_add(code.load(wide, source, i * size), by, total.value)
            for i, total in enumerate(sums):
                code.store(total.value, out, v + i * size)
        start = stop
    return code


@cache
def forward(kind: str) -> Callable[..., Any]:
    """`kernel(out, x, weight, bias, work, flags, table)`: each plane of x with the window of its channel; `work` begins as zeros."""
    element = ELEMENT[kind]
    pack, products = _pack(element), _products(element)
    size, wide = lanes(element), vector(element)
    body = Code("planes", "out x weight bias work flags table begin:i64 end:i64")
    out, x, weight, bias, work, flags, table, begin, end = body.arguments
    t = body.named(table, HEADER)
    offsets = body.at(table, t.at_offsets, "i64")
    with body.claimed(flags, t.slots) as slot:
        packed = body.at(work, slot * t.work, element)
        scratch = body.at(packed, t.packed, element)
        with body.loop(begin, end) as plane:
            channel = plane % t.channels
            body.run(pack, packed, body.at(x, plane * t.x_plane, element), table, (t.planes - plane) * t.x_plane)
            own = body.at(weight, channel * t.taps, element)
            body.run(products, scratch, packed, own, offsets, t.taps, t.positions, body.load(element, bias, channel))
            count = t.out_h * t.out_w
            target = body.at(out, plane * count, element)
            with body.loop(0, t.out_h) as i:
                row, to = body.at(scratch, i * t.pitch, element), body.at(target, i * t.out_w, element)

                def vectors() -> None:
                    with body.loop(0, t.out_w, size, short=True) as j:
                        body.store(body.load(wide, row, j), to, j)

                def elements() -> None:
                    with body.loop(0, t.out_w, short=True) as j:
                        body.store(body.load(element, row, j), to, j)

                body.either((i + 1) * t.out_w + size <= count, vectors, elements)
    return launch(f"flambeau_depthwise_{kind}", body, HEADER, "planes", pack, products)


@cache
def weight_gradient(kind: str) -> Callable[..., Any]:
    """`kernel(out, x, grad, work, flags, table)`: for each channel the sums over images and positions of grad times shifted x.

    `planes` of the table are the channels here; `work` begins as zeros.
    """
    element = ELEMENT[kind]
    size, wide = lanes(element), vector(element)
    pack = _pack(element)
    add = Code(f"add_{element}", "sums x grad offsets positions:i64")
    sums, x, grad, offsets, positions = add.arguments
    totals = [add.variable(wide, add.load(wide, sums, i * size)) for i in range(TAPS)]
    sources = [add.at(x, add.load("i64", offsets, i), element) for i in range(TAPS)]
    with add.loop(0, positions, size) as v:
        g = add.load(wide, grad, v)
        for source, total in zip(sources, totals):
            total.value = add.multiply_add(add.load(wide, source, v), g, total.value)
    for i, total in enumerate(totals):
        add.store(total.value, sums, i * size)
    body = Code("channels", "out x grad work flags table begin:i64 end:i64")
    out, x, grad, work, flags, table, begin, end = body.arguments
    t = body.named(table, HEADER)
    offsets = body.at(table, t.at_offsets, "i64")
    count = t.out_h * t.out_w
    zeros = body.splat(body.value(0.0, element), wide)
    with body.claimed(flags, t.slots) as slot:
        packed = body.at(work, slot * t.work, element)
        slopes = body.at(packed, t.packed, element)
        sums = body.at(slopes, t.packed, element)
        with body.loop(begin, end) as channel:
            with body.loop(0, t.taps, short=True) as k:
                body.store(zeros, sums, k * size)
            with body.loop(0, t.images) as image:
                plane = image * t.channels + channel
                room = t.images * t.channels - plane
                body.run(pack, packed, body.at(x, plane * t.x_plane, element), table, room * t.x_plane)
                own = body.at(grad, plane * count, element)
                _copy_rows(body, element, slopes, t.pitch, own, t.out_w, t.out_h, t.out_w, room * count)
                with body.loop(0, t.taps, TAPS) as first:
                    body.run(add, body.at(sums, first * size, element), packed, slopes, body.at(offsets, first, "i64"), t.positions)
            with body.loop(0, t.taps, short=True) as k:
                number = body.load("i64", table, t.at_taps + k)
                with body.when(number >= 0):
                    body.store(body.total(body.load(wide, sums, k * size)), out, channel * t.window + number)
    return launch(f"flambeau_depthwise_weight_{kind}", body, HEADER, "planes", pack, add)
