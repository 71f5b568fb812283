"""Batch normalisation of (N, C, L), channel by channel: a channel stays in the cache while several passes run over it."""

from functools import cache
from types import SimpleNamespace
from typing import Any, Callable

from .writer import ELEMENT, Code, Value, Variable, kernel

HEADER = ("samples", "channels", "length", "grain", "training", "wanted")
"""The names of the table's numbers. `wanted`: whether the input's gradient is."""


def _named(code: Code, table: Value) -> Any:
    return SimpleNamespace(**{name: code.load("i64", table, i) for i, name in enumerate(HEADER)})


def _launch(name: str, body: Code) -> Callable[..., Any]:
    """The kernel that runs `body(arrays..., table, more..., begin, end)` over the channels."""
    parameters = {n: t for n, t in body.parameters.items() if n not in ("begin", "end")}
    main = Code("main", **parameters)
    table = main.arguments[list(parameters).index("table")]
    t = _named(main, table)
    with main.unlocked():
        main.parallel(body, main.arguments, t.channels, t.grain)
    return kernel(name, main, body)


def _total(code: Code, t: Any, element: str, channel: Value, term: Callable[[Value], Value]) -> Value:
    """The sum of `term(i)` over a channel's elements i: rows in the element's type, the rows' sums in float64."""
    total = code.variable("double", 0.0)
    with code.loop(0, t.samples) as n:
        start = (n * t.channels + channel) * t.length
        row: Variable = code.variable(element, 0.0)
        row.value = 0.0
        with code.loop(0, t.length) as i:
            row.value = row.value.plus(term(start + i))
        total.value = total.value + code.convert(row.value, "double")
    return total.value


def _each(code: Code, t: Any, channel: Value, body: Callable[[Value], None]) -> None:
    """Runs the body for each of a channel's elements."""
    with code.loop(0, t.samples) as n:
        start = (n * t.channels + channel) * t.length
        with code.loop(0, t.length) as i:
            body(start + i)


def _by_channels(code: Code, t: Any, begin: Value, end: Value, one: Callable[[Value], None], many: Callable[[], None]) -> None:
    """Where a channel is a column of a matrix, all rows for many columns; else one channel after the other."""

    def each() -> None:
        with code.loop(begin, end) as channel:
            one(channel)

    code.either(t.length.equals(1), many, each)


def _add_columns(code: Code, t: Any, begin: Value, end: Value, terms: dict[Value, Callable[[Value, Value], Value]], element: str) -> None:
    """For each array its columns' sums of `term(place, column)`."""
    for out in terms:
        with code.loop(begin, end) as c:
            code.store(code.value(0.0, element), out, c)
    with code.loop(0, t.samples) as n, code.loop(begin, end) as c:
        for out, term in terms.items():
            code.store(code.load(element, out, c) + term(n * t.channels + c, c), out, c)


@cache
def batch_norm(kind: str) -> Callable[..., Any]:
    """`kernel(out, mean, rstd, squares, x, weight, bias, table, eps)`: in training it computes mean, 1 / sqrt(var + eps) and the sums
    of squared deviations, else mean and 1 / sqrt(...) are given."""
    element = ELEMENT[kind]
    names = dict.fromkeys(("out", "mean", "rstd", "squares", "x", "weight", "bias", "table"), "ptr")
    code = Code("channels", **names, eps="double", begin="i64", end="i64")
    out, mean, rstd, squares, x, weight, bias, table, eps, begin, end = code.arguments
    t = _named(code, table)
    count = code.convert(t.samples * t.length, "double")

    def finish(channel: Value) -> None:
        variance = code.convert(code.load(element, squares, channel), "double") / count
        code.store(code.convert(1.0 / code.root(variance + eps), element), rstd, channel)

    def factors(channel: Value) -> tuple[Value, Value]:
        scale = code.load(element, rstd, channel) * code.load(element, weight, channel)
        return scale, code.load(element, bias, channel) - code.load(element, mean, channel) * scale

    def one(channel: Value) -> None:
        with code.when(t.training.differs(0)):
            total = _total(code, t, element, channel, lambda i: code.load(element, x, i))
            centre = code.convert(total / count, element)
            code.store(centre, mean, channel)

            def square(i: Value) -> Value:
                d = code.load(element, x, i) - centre
                return d * d

            code.store(code.convert(_total(code, t, element, channel, square), element), squares, channel)
            finish(channel)
        scale, shift = factors(channel)
        _each(code, t, channel, lambda i: code.store(code.multiply_add(code.load(element, x, i), scale, shift), out, i))

    def many() -> None:
        with code.when(t.training.differs(0)):
            _add_columns(code, t, begin, end, {mean: lambda i, c: code.load(element, x, i)}, element)
            with code.loop(begin, end) as c:
                code.store(code.convert(code.convert(code.load(element, mean, c), "double") / count, element), mean, c)

            def square(i: Value, c: Value) -> Value:
                d = code.load(element, x, i) - code.load(element, mean, c)
                return d * d

            _add_columns(code, t, begin, end, {squares: square}, element)
            with code.loop(begin, end) as c:
                finish(c)
        with code.loop(0, t.samples) as n, code.loop(begin, end) as c:
            i = n * t.channels + c
            code.store(code.multiply_add(code.load(element, x, i), *factors(c)), out, i)

    _by_channels(code, t, begin, end, one, many)
    return _launch(f"flambeau_batch_norm_{kind}", code)


@cache
def batch_norm_backward(kind: str) -> Callable[..., Any]:
    """`kernel(out, sums, dots, grad, x, mean, rstd, weight, table)`: per channel the sum of grad and of grad * (x - mean), and the
    gradient of x if it is `wanted`."""
    element = ELEMENT[kind]
    names = dict.fromkeys(("out", "sums", "dots", "grad", "x", "mean", "rstd", "weight", "table"), "ptr")
    code = Code("channels", **names, begin="i64", end="i64")
    out, sums, dots, grad, x, mean, rstd, weight, table, begin, end = code.arguments
    t = _named(code, table)
    count = code.convert(t.samples * t.length, element)

    def product(i: Value, c: Value) -> Value:
        return code.load(element, grad, i) * (code.load(element, x, i) - code.load(element, mean, c))

    def write(i: Value, c: Value, factors: tuple[Value, ...]) -> None:
        scale, slope, offset = factors
        centred = code.load(element, x, i) - code.load(element, mean, c)
        code.store((centred * slope + (code.load(element, grad, i) - offset)) * scale, out, i)

    def factors(c: Value) -> tuple[Value, ...]:
        by = code.load(element, rstd, c)
        training = t.training.differs(0)
        slope = code.where(training, code.load(element, dots, c) * by * by / count * -1.0, code.value(0.0, element))
        offset = code.where(training, code.load(element, sums, c) / count, code.value(0.0, element))
        return by * code.load(element, weight, c), slope, offset

    def one(channel: Value) -> None:
        total = _total(code, t, element, channel, lambda i: code.load(element, grad, i))
        code.store(code.convert(total, element), sums, channel)
        centre = code.load(element, mean, channel)
        total = _total(code, t, element, channel, lambda i: code.load(element, grad, i) * (code.load(element, x, i) - centre))
        code.store(code.convert(total, element), dots, channel)
        with code.when(t.wanted.differs(0)):
            scale, slope, offset = factors(channel)

            def training(i: Value) -> None:
                centred = code.load(element, x, i) - centre
                code.store((centred * slope + (code.load(element, grad, i) - offset)) * scale, out, i)

            def evaluation(i: Value) -> None:
                code.store(code.load(element, grad, i) * scale, out, i)

            code.either(t.training.differs(0), lambda: _each(code, t, channel, training), lambda: _each(code, t, channel, evaluation))

    def many() -> None:
        _add_columns(code, t, begin, end, {sums: lambda i, c: code.load(element, grad, i), dots: product}, element)
        with code.when(t.wanted.differs(0)):

            def training() -> None:
                with code.loop(0, t.samples) as n, code.loop(begin, end) as c:
                    write(n * t.channels + c, c, factors(c))

            def evaluation() -> None:
                with code.loop(0, t.samples) as n, code.loop(begin, end) as c:
                    i = n * t.channels + c
                    code.store(code.load(element, grad, i) * factors(c)[0], out, i)

            code.either(t.training.differs(0), training, evaluation)

    _by_channels(code, t, begin, end, one, many)
    return _launch(f"flambeau_batch_norm_backward_{kind}", code)


@cache
def channel_sums(kind: str) -> Callable[..., Any]:
    """`kernel(sums, x, table)`: the sum of each channel."""
    element = ELEMENT[kind]
    code = Code("channels", sums="ptr", x="ptr", table="ptr", begin="i64", end="i64")
    sums, x, table, begin, end = code.arguments
    t = _named(code, table)

    def one(channel: Value) -> None:
        total = _total(code, t, element, channel, lambda i: code.load(element, x, i))
        code.store(code.convert(total, element), sums, channel)

    _by_channels(
        code, t, begin, end, one, lambda: _add_columns(code, t, begin, end, {sums: lambda i, c: code.load(element, x, i)}, element)
    )
    return _launch(f"flambeau_channel_sums_{kind}", code)
