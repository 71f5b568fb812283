"""Batch normalisation of (N, C, ...) and its gradients in PyTorch's order (`aten/src/ATen/native/cpu/batch_norm_kernel.cpp`), so that
no digit of float32 differs.

Where a channel's elements lie side by side, in planes, one channel is done after the other: its statistics are sums in float64, where
the order does not show; the sums that its gradient takes run down each plane in one AVX2 register, and those of the planes are added up
in float64. Where neighbours are of different channels (nothing behind C, or channels last), the array is a matrix of rows of C columns:
their sums run down the rows in float32, in as many parts as there are threads, as PyTorch does it, and the parts are added up in float64.
"""

from functools import cache
from typing import Any, Callable

from ..compiler.code import Code, Value, Variable, kernel, share
from .layer_norm import PADDING, launched, negative, over_vectors, wide
from .moments import reduced, registers
from .vectors import Shape, Writer

UNROLLED = 4
"""Vectors of columns that are done at once."""
CHAINS = 4
"""Sums of a channel that run side by side."""
TILE = 8192
"""Elements of the rows whose columns are added up one block after the other: they stay in the cache until the last one is done."""


def _double(w: Writer, x: Value) -> Value:
    return w.convert(x, "double")


def _scalar_fused(w: Writer, a: Value, b: Value, c: Value) -> Value:
    return w.call(c.type, f"llvm.fma.{w.shape.kind}", a, b, c)


def _line(w: Writer, rstd: Value, mean: Value, weight: Value, bias: Value) -> tuple[Value, Value]:
    """The factor and the term by which a channel is normalised."""
    scale = rstd * weight
    return scale, _scalar_fused(w, negative(w, mean), scale, bias)


def _deviation(w: Writer, squares: Value, count: Value, eps: Value) -> Value:
    """1 / sqrt(variance + eps), by the sum of the squared distances from the mean."""
    variance = _double(w, squares / w.convert(count, w.shape.element))
    return w.convert(1.0 / w.root(variance + eps), w.shape.element)


# --- planes -----------------------------------------------------------------------------------------------------------


def _planes(w: Writer, channel: Value) -> Any:
    """A loop over the planes of a channel: where each begins."""
    samples, channels, length = (w.field(w["table"], 8 * i, "i64") for i in (2, 3, 4))

    def over(body: Callable[[Value], None]) -> None:
        with w.loop(samples) as n:
            body((n * channels + channel) * length)

    return over, length, samples * length


def _wide_sum(w: Writer, over: Any, length: Value, term: Callable[[Value, Value | None], Value]) -> Value:
    """The sum in float64 of `term(first element, mask)`, a vector of terms, over the elements of a channel."""
    s = w.shape
    pieces = 2 if s.element == "float" else 1
    width = s.width // pieces
    vector = f"<{width} x double>"
    totals = [[w.variable(vector, 0.0) for _ in range(pieces)] for _ in range(CHAINS)]

    def add(chain: list[Variable], value: Value) -> None:
        for k, total in enumerate(chain):
            part = value
            if pieces > 1:
                part = w.shuffle(value, value, list(range(k * width, (k + 1) * width)))
                part = w.op(f"fpext {part.type} {part} to {vector}", vector)
            total.value = total.value + part

    def plane(start: Value) -> None:
        def at(i: Any, mask: Value | None = None) -> Value:
            return term(start + i, mask)

        many = length // (CHAINS * s.width) * (CHAINS * s.width)
        whole = length // s.width * s.width
        with w.loop(0, many, CHAINS * s.width) as i:
            for k, chain in enumerate(totals):
                add(chain, at(i + k * s.width))
        with w.loop(many, whole, s.width) as i:
            add(totals[0], at(i))
        with w.when(length > whole):
            mask = w.first_lanes(length - whole)
            add(totals[1], w.where(mask, at(whole, mask), w.value(0.0, s.vector)))

    over(plane)
    first, *others = (total for chain in totals for total in chain)
    for total in others:
        first.value = first.value + total.value
    return w.total(first.value)


def _planes_body(s: Shape, training: bool) -> Code:
    """Channels [begin, end)."""
    w = Writer(s, "body", "out mean rstd squares x weight bias table eps:double begin:i64 end:i64")
    with w.loop(w["begin"], w["end"]) as channel:
        over, length, count = _planes(w, channel)
        weight, bias = (w.load(s.element, w[name], channel) for name in ("weight", "bias"))
        if training:
            total = _wide_sum(w, over, length, lambda i, mask: w.vector_at(w.at(w["x"], i), mask))
            mean = w.convert(total / w.convert(count, "double"), s.element)
            centre = w.everywhere(mean)

            def square(i: Value, mask: Value | None) -> Value:
                distance = w.vector_at(w.at(w["x"], i), mask) - centre
                return distance * distance

            squares = w.convert(_wide_sum(w, over, length, square), s.element)
            rstd = _deviation(w, squares, count, w["eps"])
            for name, value in (("mean", mean), ("rstd", rstd), ("squares", squares)):
                w.store(value, w[name], channel)
        else:
            mean, rstd = _given(w, channel)
        scale, shift = (w.everywhere(value) for value in _line(w, rstd, mean, weight, bias))

        def plane(start: Value) -> None:
            def body(i: Value, mask: Value | None) -> None:
                x = w.vector_at(w.at(w["x"], start + i), mask)
                w.set_vector(w.at(w["out"], start + i), w.fused(x, scale, shift), mask)

            over_vectors(w, length, body)

        over(plane)
    return w


def _given(w: Writer, channel: Value) -> tuple[Value, Value]:
    """The mean and 1 / sqrt(variance + eps) of statistics that are given; what the gradient takes for the latter goes to `rstd`.

    PyTorch computes it in float32 for the result, in float64 for the gradient.
    """
    element = w.shape.element
    mean, variance = (w.load(element, w[name], channel) for name in ("mean", "squares"))
    w.store(w.convert(1.0 / w.root(_double(w, variance) + w["eps"]), element), w["rstd"], channel)
    return mean, 1.0 / w.root(variance + w.convert(w["eps"], element))


def _sums_body(s: Shape, with_x: bool, gathered: bool) -> Code:
    """The gradients of channels [begin, end); the vectors of the shape are AVX2 registers.

    gathered: as PyTorch adds up a gradient that is not dense, in float64 throughout.
    """
    w = Writer(s, "body", "out grad_weight grad_bias grad x mean rstd weight table begin:i64 end:i64")
    with w.loop(w["begin"], w["end"]) as channel:
        over, length, count = _planes(w, channel)
        mean, rstd, weight = (w.load(s.element, w[name], channel) for name in ("mean", "rstd", "weight"))
        centre = w.everywhere(mean)

        def at(name: str, i: Value, mask: Value | None) -> Value:
            return w.vector_at(w.at(w[name], i), mask)

        if gathered:
            total = _wide_sum(w, over, length, lambda i, mask: at("grad", i, mask))
            dots = _wide_sum(w, over, length, lambda i, mask: (at("x", i, mask) - centre) * at("grad", i, mask))
        else:
            total, dots = _sums_of_planes(w, over, length, centre)
        narrow = w.convert(total, s.element)
        w.store(narrow, w["grad_bias"], channel)
        w.store(w.convert(dots * _double(w, rstd), s.element), w["grad_weight"], channel)
        if with_x:
            n = w.convert(count, s.element)
            slope = w.convert(dots, s.element) * rstd * rstd / n
            offset = narrow / n if gathered else w.convert(total / w.convert(count, "double"), s.element)
            given = length, mean, rstd, weight, slope, offset
            over(lambda start: w.call("void", "slope", *(w.at(w[p], start) for p in ("out", "grad", "x")), *given))
    return w


def _sums_of_planes(w: Writer, over: Any, length: Value, centre: Value) -> tuple[Value, Value]:
    """The sums of grad and of (x - centre) * grad over a channel: of each plane in one register, then in float64."""
    total, dots = (w.variable("double", 0.0) for _ in range(2))

    def plane(start: Value) -> None:
        def factors(i: Any, mask: Value | None = None) -> list[tuple[Value, Value | None]]:
            g, x = (w.vector_at(w.at(w[name], start + i), mask) for name in ("grad", "x"))
            return [(g, None), (x - centre, g)]

        for variable, value in zip((total, dots), reduced(w, length, factors)):
            variable.value = variable.value + _double(w, value)

    over(plane)
    return total.value, dots.value


def _slope(s: Shape, training: bool, gathered: bool) -> Code:
    """The gradient of x over a plane."""
    e = s.element
    w = Writer(s, "slope", f"out grad x n:i64 mean:{e} rstd:{e} weight:{e} slope:{e} offset:{e}")
    mean, rstd, weight, slope, offset = (w.everywhere(w[name]) for name in ("mean", "rstd", "weight", "slope", "offset"))

    def body(i: Value, mask: Value | None) -> None:
        g = w.vector_at(w.at(w["grad"], i), mask)
        if training:
            distance = w.vector_at(w.at(w["x"], i), mask) - mean
            g = g - offset
            g = g - distance * slope if gathered else w.fused(negative(w, distance), slope, g)
        w.set_vector(w.at(w["out"], i), g * rstd * weight, mask)

    over_vectors(w, w["n"], body)
    return w


@cache
def planes_forward(element: str, training: bool) -> Callable[..., Any]:
    """`kernel(out, mean, rstd, squares, x, weight, bias, [channels, grain, N, C, elements of a plane], eps)`.

    squares: the sums of the squared distances from the mean. Without `training` it is the variance, which is given as the mean is.
    """
    name = f"flambeau_batch_norm_planes_{registers(element).kind}{'' if training else '_given'}"
    return launched(name, _planes_body(wide(element), training))


@cache
def planes_backward(element: str, training: bool, with_x: bool, gathered: bool = False) -> Callable[..., Any]:
    """`kernel(out, grad_weight, grad_bias, grad, x, mean, rstd, weight, table)`; with_x: whether the gradient of x is asked for.

    gathered: the gradient was not dense in memory (a broadcast number, a transposed array), which PyTorch treats in another order.
    """
    s = registers(element)
    name = f"flambeau_batch_norm_planes_backward_{s.kind}{'' if training else '_given'}{'_x' * with_x}{'_gathered' * gathered}"
    return launched(name, _sums_body(s, with_x, gathered), _slope(wide(element), training, gathered))


# --- columns ----------------------------------------------------------------------------------------------------------

COLUMNS = "parts grain columns rows each row_grain".split()
"""The numbers of the table: parts that sums are added up in, how many are one thread's share, the extent of the matrix, the rows of a
part, and how many rows are one thread's share of what goes row by row."""


def _number(w: Code, table: Value, name: str) -> Value:
    return w.field(table, 8 * COLUMNS.index(name), "i64")


def _padded(w: Writer, columns: Value) -> Value:
    return w.parts(columns, PADDING) * PADDING


def _column_sums(s: Shape, name: str, arrays: str, sums: int, terms: Callable[..., Callable[..., list[Value]]]) -> Code:
    """Parts [begin, end): `sums` sums over their rows, each to rows of a buffer of its own, one row for each part.

    `terms(w, j, mask)` gives the function of sums and of the address of an element that makes the new sums of a vector of columns.
    """
    w = Writer(s, name, f"{' '.join(f'buffer{k}' for k in range(sums))} {arrays} table begin:i64 end:i64")
    columns, rows, each = (_number(w, w["table"], n) for n in ("columns", "rows", "each"))
    padded = _padded(w, columns)

    tile = w.most(TILE // columns, 8)

    def block(part: Value, begin: Value, end: Value, j: Value, vectors: int, mask: Value | None) -> None:
        slots = [[w.at(w[f"buffer{k}"], part * padded + j + v * s.width) for k in range(sums)] for v in range(vectors)]
        totals = [[w.variable(s.vector, w.vector_at(slot)) for slot in row] for row in slots]
        updates = [terms(w, j + v * s.width, mask) for v in range(vectors)]
        with w.loop(begin, end) as row:
            at = row * columns + j
            for v in range(vectors):
                for total, new in zip(totals[v], updates[v]([t.value for t in totals[v]], at + v * s.width)):
                    total.value = new
        for row_of_slots, row_of_totals in zip(slots, totals):
            for slot, total in zip(row_of_slots, row_of_totals):
                w.set_vector(slot, total.value)

    with w.loop(w["begin"], w["end"]) as part:
        for k in range(sums):
            zeroed = w.at(w[f"buffer{k}"], part * padded)
            w.call("void", "llvm.memset.p0.i64", zeroed, w.value(0, "i8"), padded * s.size, False)
        last = w.least(part * each + each, rows)
        with w.loop(part * each, last, tile) as begin:
            end = w.least(begin + tile, last)
            whole = columns // (UNROLLED * s.width) * (UNROLLED * s.width)
            with w.loop(0, whole, UNROLLED * s.width) as j:
                block(part, begin, end, j, UNROLLED, None)
            with w.loop(whole, columns, s.width) as j:
                block(part, begin, end, j, 1, w.first_lanes(columns - j))
    return w


def _total(w: Writer, buffer: Value, table: Value, column: Value) -> Value:
    """The sum of a column over all parts, in float64."""
    padded = _padded(w, _number(w, table, "columns"))
    total = w.variable("double", 0.0)
    with w.loop(_number(w, table, "parts")) as part:
        total.value = total.value + _double(w, w.load(w.shape.element, buffer, part * padded + column))
    return total.value


def _mean_of_columns(s: Shape) -> Code:
    w = Writer(s, "mean_of_columns", "mean buffer table")
    rows = w.convert(_number(w, w["table"], "rows"), "double")
    with w.loop(_number(w, w["table"], "columns")) as c:
        w.store(w.convert(_total(w, w["buffer"], w["table"], c) / rows, s.element), w["mean"], c)
    return w


def _lines_of_columns(s: Shape, training: bool) -> Code:
    """What is known of each column: `line` holds the factors, and behind them the terms."""
    w = Writer(s, "lines_of_columns", "line mean rstd squares weight bias buffer table eps:double")
    columns = _number(w, w["table"], "columns")
    padded = _padded(w, columns)
    with w.loop(columns) as c:
        if training:
            squares = w.convert(_total(w, w["buffer"], w["table"], c), s.element)
            mean, rstd = w.load(s.element, w["mean"], c), _deviation(w, squares, _number(w, w["table"], "rows"), w["eps"])
            w.store(squares, w["squares"], c)
            w.store(rstd, w["rstd"], c)
        else:
            mean, rstd = _given(w, c)
        scale, shift = _line(w, rstd, mean, *(w.load(s.element, w[name], c) for name in ("weight", "bias")))
        w.store(scale, w["line"], c)
        w.store(shift, w["line"], padded + c)
    return w


def _apply_to_rows(s: Shape) -> Code:
    w = Writer(s, "apply_to_rows", "out x line table begin:i64 end:i64")
    columns = _number(w, w["table"], "columns")
    padded = _padded(w, columns)
    with w.loop(w["begin"], w["end"]) as row:

        def body(j: Value, mask: Value | None) -> None:
            scale, shift = w.vector_at(w.at(w["line"], j), mask), w.vector_at(w.at(w["line"], padded + j), mask)
            at = row * columns + j
            w.set_vector(w.at(w["out"], at), w.fused(w.vector_at(w.at(w["x"], at), mask), scale, shift), mask)

        over_vectors(w, columns, body)
    return w


@cache
def columns_forward(element: str, training: bool) -> Callable[..., Any]:
    """`kernel(out, mean, rstd, squares, x, weight, bias, line, buffer, table, eps)`; squares as in `planes_forward`.

    line: two rows, and buffer: one for each part, of as many columns up to a multiple of PADDING.
    """
    s = wide(element)

    def plain(w: Writer, j: Value, mask: Value | None) -> Any:
        return lambda sums, at: [sums[0] + w.vector_at(w.at(w["x"], at), mask)]

    def squares(w: Writer, j: Value, mask: Value | None) -> Any:
        centre = w.vector_at(w.at(w["mean"], j), mask)

        def update(sums: list[Value], at: Value) -> list[Value]:
            distance = w.vector_at(w.at(w["x"], at), mask) - centre
            return [w.fused(distance, distance, sums[0])]

        return update

    sum_body, square_body = _column_sums(s, "sums", "x", 1, plain), _column_sums(s, "squares", "x mean", 1, squares)
    means, lines, rows_body = _mean_of_columns(s), _lines_of_columns(s, training), _apply_to_rows(s)
    main = Code("main", "out mean rstd squares x weight bias line buffer table eps:double")
    out, mean, rstd, sum_of_squares, x, weight, bias, line, buffer, table, eps = main.arguments
    parts, grain, rows, row_grain = (_number(main, table, n) for n in ("parts", "grain", "rows", "row_grain"))
    if training:
        share(main, sum_body, [buffer, x, table], parts, grain)
        main.run(means, mean, buffer, table)
        share(main, square_body, [buffer, x, mean, table], parts, grain)
    main.run(lines, line, mean, rstd, sum_of_squares, weight, bias, buffer, table, eps)
    share(main, rows_body, [out, x, line, table], rows, row_grain)
    name = f"flambeau_batch_norm_columns_{s.kind}{'' if training else '_given'}"
    return kernel(name, main, *([sum_body, square_body, means] if training else []), lines, rows_body)


def _slopes_of_columns(s: Shape) -> Code:
    """The gradients of weight and bias; `line` gets what the gradient of x takes of each column."""
    w = Writer(s, "slopes_of_columns", "grad_weight grad_bias rstd line total_buffer dot_buffer table")
    columns = _number(w, w["table"], "columns")
    rows, padded = w.convert(_number(w, w["table"], "rows"), s.element), _padded(w, columns)
    with w.loop(columns) as c:
        rstd = w.load(s.element, w["rstd"], c)
        total, dots = (w.convert(_total(w, w[name], w["table"], c), s.element) for name in ("total_buffer", "dot_buffer"))
        w.store(total, w["grad_bias"], c)
        w.store(dots * rstd, w["grad_weight"], c)
        w.store(dots * rstd * rstd / rows, w["line"], c)
        w.store(total / rows, w["line"], padded + c)
    return w


def _slope_of_rows(s: Shape, training: bool) -> Code:
    """The gradient of x in rows [begin, end). PyTorch fuses a product with a sum but for the columns behind the last whole register."""
    w = Writer(s, "slope_of_rows", "out grad x mean rstd weight line table begin:i64 end:i64")
    columns = _number(w, w["table"], "columns")
    padded = _padded(w, columns)
    register = registers(s.element).width
    whole = columns // register * register
    with w.loop(w["begin"], w["end"]) as row:

        def at(name: str, j: Value, mask: Value | None) -> Value:
            return w.vector_at(w.at(w[name], j), mask)

        def body(j: Value, mask: Value | None, fused: bool = True) -> None:
            place = row * columns + j
            g = at("grad", place, mask)
            if training:
                distance, slope = at("x", place, mask) - at("mean", j, mask), at("line", j, mask)
                g = g - at("line", padded + j, mask)
                g = w.fused(negative(w, distance), slope, g) if fused else g - distance * slope
            w.set_vector(w.at(w["out"], place), g * at("rstd", j, mask) * at("weight", j, mask), mask)

        over_vectors(w, whole, body)
        with w.loop(whole, columns, s.width) as j:
            body(j, w.first_lanes(columns - j), False)
    return w


@cache
def columns_backward(element: str, training: bool, with_x: bool) -> Callable[..., Any]:
    """`kernel(out, grad_weight, grad_bias, grad, x, mean, rstd, weight, line, totals, dots, table)`; the last three arrays are room."""
    s = wide(element)

    def terms(w: Writer, j: Value, mask: Value | None) -> Any:
        centre = w.vector_at(w.at(w["mean"], j), mask)

        def update(sums: list[Value], at: Value) -> list[Value]:
            g, x = (w.vector_at(w.at(w[name], at), mask) for name in ("grad", "x"))
            return [sums[0] + g, w.fused(x - centre, g, sums[1])]

        return update

    sum_body, slopes, rows_body = _column_sums(s, "sums", "grad x mean", 2, terms), _slopes_of_columns(s), _slope_of_rows(s, training)
    main = Code("main", "out grad_weight grad_bias grad x mean rstd weight line totals dots table")
    out, grad_weight, grad_bias, grad, x, mean, rstd, weight, line, totals, dots, table = main.arguments
    parts, grain, rows, row_grain = (_number(main, table, n) for n in ("parts", "grain", "rows", "row_grain"))
    share(main, sum_body, [totals, dots, grad, x, mean, table], parts, grain)
    main.run(slopes, grad_weight, grad_bias, rstd, line, totals, dots, table)
    if with_x:
        share(main, rows_body, [out, grad, x, mean, rstd, weight, line, table], rows, row_grain)
    name = f"flambeau_batch_norm_columns_backward_{s.kind}{'' if training else '_given'}{'_x' * with_x}"
    return kernel(name, main, sum_body, slopes, *[rows_body] * with_x)


# --- running statistics -----------------------------------------------------------------------------------------------


@cache
def running(element: str) -> Callable[..., Any]:
    """`kernel(running_mean, running_var, mean, squares, channels, momentum, count)`: moves running statistics towards those of a batch.

    The variance of the batch is its unbiased estimate, of `count` elements a channel. `channels`: an array of that number.
    """
    s = wide(element)
    w = Writer(s, "main", "running_mean running_var mean squares channels momentum:double count:double")
    others = w.convert(w["count"] - 1.0, element)
    momentum, keep = w.convert(w["momentum"], element), w.convert(1.0 - w["momentum"], element)
    with w.loop(w.load("i64", w["channels"])) as c:
        variance = w.load(element, w["squares"], c) / others
        kept = [w.load(element, w[name], c) * keep for name in ("running_mean", "running_var")]
        w.store(w.load(element, w["mean"], c) * momentum + kept[0], w["running_mean"], c)
        w.store(_scalar_fused(w, momentum, variance, kept[1]), w["running_var"], c)
    return kernel(f"flambeau_running_statistics_{s.kind}", w)
