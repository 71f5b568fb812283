"""Recurrent layers: all time steps in one launch. A thread has some sequences of the batch to itself, from the first step to the
last: the product with the recurrent weight, then the cell.

The steps are a table: for each the first of its rows, how many there are, and the same of the step before it (see
`kernels/recurrent.py` for packed order). `weight` is packed in panels: `panel()` columns side by side for each k.
"""

from functools import cache
from typing import Any, Callable

from ..compiler.code import ELEMENT, Code, Value, launch
from ..compiler.expression import sigmoid, tanh
from .vectors import lanes, vector, vector_bytes

VECTORS = 2
HEADER = "steps rows width grain padded has_grad".split()
"""The names of the table's first numbers; four numbers for each step follow. `padded`: columns of a packed
product; `has_grad`: 1, or 0 where `grad` is one row of zeros."""


def panel(kind: str) -> int:
    """How many columns a packed weight has side by side."""
    return VECTORS * lanes(ELEMENT[kind])


def _tile(element: str, rows: int) -> Code:
    """`rows` rows times a panel of the weight."""
    size, wide = lanes(element), vector(element)
    code = Code(f"tile_{rows}", "out out_step:i64 x x_step:i64 weight count:i64")
    out, out_step, x, x_step, weight, count = code.arguments
    starts = [code.at(x, x_step * r, element) for r in range(rows)]
    sums = [[code.variable(wide, 0.0) for _ in range(VECTORS)] for _ in range(rows)]
    with code.loop(0, count) as k:
        line = code.at(weight, k * (VECTORS * size), element)
        values = [code.load(wide, line, v * size) for v in range(VECTORS)]
        for r in range(rows):
            one = code.splat(code.load(element, starts[r], k), wide)
            for v in range(VECTORS):
                sums[r][v].value = code.multiply_add(one, values[v], sums[r][v].value)
    for r in range(rows):
        for v in range(VECTORS):
            code.store(sums[r][v].value, out, out_step * r + v * size)
    return code


def _product(element: str) -> tuple[Code, list[Code]]:
    """out (rows, padded) = x (rows, count) times the packed weight."""
    sizes = (8, 4, 1) if vector_bytes() == 64 else (4, 1)
    tiles = [_tile(element, n) for n in sizes]
    code = Code("product", "out padded:i64 x x_step:i64 weight count:i64 rows:i64")
    out, padded, x, x_step, weight, count, rows = code.arguments
    with code.loop(0, padded, VECTORS * lanes(element)) as column:
        packed = code.at(weight, column * count, element)
        start: Any = code.value(0)
        for size, tile in zip(sizes, tiles):
            stop = start + (rows - start) // size * size
            with code.loop(start, stop, size) as r:
                code.run(tile, code.at(out, r * padded + column, element), padded, code.at(x, r * x_step, element), x_step, packed, count)
            start = stop
    return code, tiles


def _row(name: str, element: str, arrays: str, body: Callable[[Any, Callable[[str], Value], Callable[[str, Value], None]], None]) -> Code:
    """A loop over the units of one row: `body(code, get, put)`; no two arrays overlap."""
    code = Code(name, f"{arrays} width:i64")
    by_name = dict(zip(code.parameters, code.arguments))
    with code.loop(0, code.arguments[-1]) as j:
        body(code, lambda n: code.load(element, by_name[n], j), lambda n, v: code.store(v, by_name[n], j))
    return code


class _Steps:
    """The loop over the steps: for each, where its rows are and which of the thread's sequences are in it."""

    def __init__(self, code: Code, table: Value, step: Value, begin: Value, end: Value) -> None:
        entry = code.at(table, step * 4 + len(HEADER), "i64")
        self.start, self.count, self.before, self.had = (code.load("i64", entry, i) for i in range(4))
        self.stop = code.most(code.least(end, self.count), begin)


def _copy_row(element: str) -> Code:
    return _row("copy_row", element, "to source", lambda code, get, put: put("to", get("source")))


@cache
def lstm(kind: str) -> Callable[..., Any]:
    """`kernel(outputs, cells, gates, h, c, product, weight, table)`: gates hold the products with the input, and then (i, f, g, o)."""
    element = ELEMENT[kind]

    def cell(code: Code, get: Any, put: Any) -> None:
        i, f, o = (code.expression(sigmoid, get(n) + get(f"p{n}")) for n in "ifo")
        g = code.expression(tanh, get("g") + get("pg"))
        for n, v in zip("ifgo", (i, f, g, o)):
            put(n, v)
        c = f * get("c") + i * g
        h = o * code.expression(tanh, c)
        for n, v in (("c", c), ("cells", c), ("h", h), ("out", h)):
            put(n, v)

    row = _row("lstm_row", element, "i f g o pi pf pg po c cells h out", cell)
    product, tiles = _product(element)
    code = Code("sequences", "outputs cells gates h c product weight table begin:i64 end:i64")
    outputs, cells, gates, h, c, buffer, weight, table, begin, end = code.arguments
    t = code.named(table, HEADER)
    with code.loop(0, t.steps) as step:
        at = _Steps(code, table, step, begin, end)
        states = code.at(h, begin * t.width, element)
        code.run(product, code.at(buffer, begin * t.padded, element), t.padded, states, t.width, weight, t.width, at.stop - begin)
        with code.loop(begin, at.stop) as r:
            place = (at.start + r) * t.width
            fields = [code.at(gates, place * 4 + t.width * i, element) for i in range(4)]
            fields += [code.at(buffer, r * t.padded + t.width * i, element) for i in range(4)]
            fields += [code.at(c, r * t.width, element), code.at(cells, place, element)]
            fields += [code.at(h, r * t.width, element), code.at(outputs, place, element)]
            code.run(row, *fields, t.width)
    return launch(f"flambeau_lstm_{kind}", code, HEADER, "rows", *tiles, product, row)


@cache
def lstm_backward(kind: str) -> Callable[..., Any]:
    """`kernel(slopes, previous, dh, dc, grad, outputs, gates, cells, h0, c0, product, weight, table)`: the gradients of the gates'
    arguments, the h before each step, and in dh, dc those of the first h and c. The steps are in reverse."""
    element = ELEMENT[kind]

    def cell(code: Code, get: Any, put: Any) -> None:
        i, f, g, o = (get(n) for n in "ifgo")
        t = code.expression(tanh, get("cell"))
        dh = get("dh") + get("grad")
        dc = get("dc") + dh * o * (1.0 - t * t)
        put("do", dh * t * (o * (1.0 - o)))
        put("di", dc * g * (i * (1.0 - i)))
        put("df", dc * get("before") * (f * (1.0 - f)))
        put("dg", dc * i * (1.0 - g * g))
        put("dc", dc * f)

    row = _row("lstm_row", element, "i f g o di df dg do cell before dh dc grad", cell)
    product, tiles = _product(element)
    copy = _copy_row(element)
    code = Code("sequences", "slopes previous dh dc grad outputs gates cells h0 c0 product weight table begin:i64 end:i64")
    slopes, previous, dh, dc, grad, outputs, gates, cells, h0, c0, buffer, weight, table, begin, end = code.arguments
    t = code.named(table, HEADER)
    with code.loop(0, t.steps) as step:
        at = _Steps(code, table, step, begin, end)
        with code.loop(begin, at.stop) as r:
            place = (at.start + r) * t.width
            inside = r < at.had
            before = (at.before + r) * t.width
            earlier = code.where(inside, code.at(cells, before, element), code.at(c0, r * t.width, element))
            state = code.where(inside, code.at(outputs, before, element), code.at(h0, r * t.width, element))
            code.run(copy, code.at(previous, place, element), state, t.width)
            fields = [code.at(gates, place * 4 + t.width * i, element) for i in range(4)]
            fields += [code.at(slopes, place * 4 + t.width * i, element) for i in range(4)]
            fields += [code.at(cells, place, element), earlier, code.at(dh, r * t.width, element), code.at(dc, r * t.width, element)]
            fields += [code.at(grad, place * t.has_grad, element)]
            code.run(row, *fields, t.width)
        x = code.at(slopes, (at.start + begin) * t.width * 4, element)
        code.run(product, code.at(buffer, begin * t.padded, element), t.padded, x, t.width * 4, weight, t.width * 4, at.stop - begin)
        with code.loop(begin, at.stop) as r:
            code.run(copy, code.at(dh, r * t.width, element), code.at(buffer, r * t.padded, element), t.width)
    return launch(f"flambeau_lstm_backward_{kind}", code, HEADER, "rows", *tiles, product, row, copy)


@cache
def gru(kind: str) -> Callable[..., Any]:
    """`kernel(outputs, gates, parts, h, bias, product, weight, table)`: gates hold the products with the input, and then (r, z, n);
    `bias` is added to n's recurrent part."""
    element = ELEMENT[kind]

    def cell(code: Code, get: Any, put: Any) -> None:
        r, z = (code.expression(sigmoid, get(n) + get(f"p{n}")) for n in "rz")
        part = get("pn") + get("bias")
        n = code.expression(tanh, get("n") + r * part)
        h = (get("h") - n) * z + n
        for name, v in (("r", r), ("z", z), ("n", n), ("part", part), ("h", h), ("out", h)):
            put(name, v)

    row = _row("gru_row", element, "r z n pr pz pn bias part h out", cell)
    product, tiles = _product(element)
    code = Code("sequences", "outputs gates parts h bias product weight table begin:i64 end:i64")
    outputs, gates, parts, h, bias, buffer, weight, table, begin, end = code.arguments
    t = code.named(table, HEADER)
    with code.loop(0, t.steps) as step:
        at = _Steps(code, table, step, begin, end)
        states = code.at(h, begin * t.width, element)
        code.run(product, code.at(buffer, begin * t.padded, element), t.padded, states, t.width, weight, t.width, at.stop - begin)
        with code.loop(begin, at.stop) as r:
            place = (at.start + r) * t.width
            fields = [code.at(gates, place * 3 + t.width * i, element) for i in range(3)]
            fields += [code.at(buffer, r * t.padded + t.width * i, element) for i in range(3)]
            fields += [bias, code.at(parts, place, element), code.at(h, r * t.width, element), code.at(outputs, place, element)]
            code.run(row, *fields, t.width)
    return launch(f"flambeau_gru_{kind}", code, HEADER, "rows", *tiles, product, row)


@cache
def gru_backward(kind: str) -> Callable[..., Any]:
    """`kernel(slopes, news, previous, dh, grad, outputs, gates, parts, h0, product, weight, table)`: the gradients of the arguments
    of r, z and of n's recurrent part, of n's argument, the h before each step, and in dh that of the first h."""
    element = ELEMENT[kind]

    def cell(code: Code, get: Any, put: Any) -> None:
        r, z, n = (get(name) for name in "rzn")
        dh = get("dh") + get("grad")
        new = dh * ((1.0 - z) * (1.0 - n * n))
        put("new", new)
        put("dr", new * get("part") * (r * (1.0 - r)))
        put("dz", dh * (get("before") - n) * (z * (1.0 - z)))
        put("dn", new * r)
        put("dh", dh * z)

    row = _row("gru_row", element, "r z n dr dz dn new part before dh grad", cell)
    add = _row("add_row", element, "to more", lambda code, get, put: put("to", get("to") + get("more")))
    product, tiles = _product(element)
    copy = _copy_row(element)
    code = Code("sequences", "slopes news previous dh grad outputs gates parts h0 product weight table begin:i64 end:i64")
    slopes, news, previous, dh, grad, outputs, gates, parts, h0, buffer, weight, table, begin, end = code.arguments
    t = code.named(table, HEADER)
    with code.loop(0, t.steps) as step:
        at = _Steps(code, table, step, begin, end)
        with code.loop(begin, at.stop) as r:
            place = (at.start + r) * t.width
            before = code.at(outputs, (at.before + r) * t.width, element)
            state = code.where(r < at.had, before, code.at(h0, r * t.width, element))
            code.run(copy, code.at(previous, place, element), state, t.width)
            fields = [code.at(gates, place * 3 + t.width * i, element) for i in range(3)]
            fields += [code.at(slopes, place * 3 + t.width * i, element) for i in range(3)]
            fields += [code.at(news, place, element), code.at(parts, place, element), state, code.at(dh, r * t.width, element)]
            fields += [code.at(grad, place * t.has_grad, element)]
            code.run(row, *fields, t.width)
        x = code.at(slopes, (at.start + begin) * t.width * 3, element)
        code.run(product, code.at(buffer, begin * t.padded, element), t.padded, x, t.width * 3, weight, t.width * 3, at.stop - begin)
        with code.loop(begin, at.stop) as r:
            code.run(add, code.at(dh, r * t.width, element), code.at(buffer, r * t.padded, element), t.width)
    return launch(f"flambeau_gru_backward_{kind}", code, HEADER, "rows", *tiles, product, row, add, copy)


def _activation(code: Code, x: Value, relu: bool) -> Value:
    if not relu:
        return code.expression(tanh, x)
    return code.where((x > 0.0) | x.is_nan(), x, 0.0)


@cache
def rnn(kind: str, relu: bool) -> Callable[..., Any]:
    """`kernel(outputs, h, product, weight, table)`: outputs hold the products with the input, and then the states."""
    element = ELEMENT[kind]

    def cell(code: Code, get: Any, put: Any) -> None:
        h = _activation(code, get("out") + get("more"), relu)
        put("out", h)
        put("h", h)

    row = _row("rnn_row", element, "out more h", cell)
    product, tiles = _product(element)
    code = Code("sequences", "outputs h product weight table begin:i64 end:i64")
    outputs, h, buffer, weight, table, begin, end = code.arguments
    t = code.named(table, HEADER)
    with code.loop(0, t.steps) as step:
        at = _Steps(code, table, step, begin, end)
        states = code.at(h, begin * t.width, element)
        code.run(product, code.at(buffer, begin * t.padded, element), t.padded, states, t.width, weight, t.width, at.stop - begin)
        with code.loop(begin, at.stop) as r:
            out = code.at(outputs, (at.start + r) * t.width, element)
            code.run(row, out, code.at(buffer, r * t.padded, element), code.at(h, r * t.width, element), t.width)
    return launch(f"flambeau_rnn_{kind}", code, HEADER, "rows", *tiles, product, row)


@cache
def rnn_backward(kind: str, relu: bool) -> Callable[..., Any]:
    """`kernel(slopes, previous, dh, grad, outputs, h0, product, weight, table)`: the gradients of the activations' arguments, the h
    before each step, and in dh that of the first h."""
    element = ELEMENT[kind]

    def cell(code: Code, get: Any, put: Any) -> None:
        out, dh = get("out"), get("dh") + get("grad")
        put("slope", code.where(out > 0.0, dh, 0.0) if relu else dh * (1.0 - out * out))

    row = _row("rnn_row", element, "slope out dh grad", cell)
    product, tiles = _product(element)
    copy = _copy_row(element)
    code = Code("sequences", "slopes previous dh grad outputs h0 product weight table begin:i64 end:i64")
    slopes, previous, dh, grad, outputs, h0, buffer, weight, table, begin, end = code.arguments
    t = code.named(table, HEADER)
    with code.loop(0, t.steps) as step:
        at = _Steps(code, table, step, begin, end)
        with code.loop(begin, at.stop) as r:
            place = (at.start + r) * t.width
            before = code.at(outputs, (at.before + r) * t.width, element)
            state = code.where(r < at.had, before, code.at(h0, r * t.width, element))
            code.run(copy, code.at(previous, place, element), state, t.width)
            fields = [code.at(a, place, element) for a in (slopes, outputs)]
            code.run(row, *fields, code.at(dh, r * t.width, element), code.at(grad, place * t.has_grad, element), t.width)
        x = code.at(slopes, (at.start + begin) * t.width, element)
        code.run(product, code.at(buffer, begin * t.padded, element), t.padded, x, t.width, weight, t.width, at.stop - begin)
        with code.loop(begin, at.stop) as r:
            code.run(copy, code.at(dh, r * t.width, element), code.at(buffer, r * t.padded, element), t.width)
    return launch(f"flambeau_rnn_backward_{kind}", code, HEADER, "rows", *tiles, product, row, copy)
