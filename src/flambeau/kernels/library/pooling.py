"""Pooling: rows of results go over rows of inputs, one window element after the other."""

from functools import cache
from typing import Any, Callable

from ..compiler.code import ELEMENT, Code, Value, kernel, launch
from .vectors import lanes, vector

HEADER = (
    "planes grain size_d size_h size_w out_d out_h out_w kernel_d kernel_h kernel_w stride_d stride_h stride_w padding_d padding_h "
    "padding_w dilation_d dilation_h dilation_w include divisor"
).split()
"""The names of the table's numbers. `include`: whether the padding counts in a mean; `divisor`: what to divide by, or 0."""


GRAIN = 1 << 15
"""About so many elements are one thread's share."""
LINES = 4
"""How many elements of a window are looked at side by side, so that none waits for the one before."""
SPAN = 256
"""How many outputs of a row are looked at together."""


def _columns(code: Code, t: Any, tap: Value) -> tuple[Value, Value, Value]:
    """The outputs of a row that have a tap inside the input, from and to, and the tap's place for output 0."""
    place = tap * t.dilation_w - t.padding_w
    low = code.most((t.stride_w - 1 - place) // t.stride_w, 0)
    low = code.where(place < 0, low, 0)
    behind = code.most(t.size_w - place, 0)
    high = code.least((behind + t.stride_w - 1) // t.stride_w, t.out_w)
    return code.least(low, t.out_w), code.most(high, low), place


def _by_stride(code: Code, stride: Value, body: Callable[[Any], None]) -> None:
    """Runs the body for a stride of 1, of 2, or any: LLVM vectorises the first two."""

    def others() -> None:
        code.either(stride.equals(2), lambda: body(2), lambda: body(stride))

    code.either(stride.equals(1), lambda: body(1), others)


def _rows(code: Code, t: Any, out_d: Value, out_h: Value, body: Callable[[Value, Value], None], backwards: bool = False) -> None:
    """Runs the body for each input row (d, h) under a row of outputs."""
    with code.loop(0, t.kernel_d, short=True) as kd:
        if backwards:
            kd = t.kernel_d - 1 - kd
        d = out_d * t.stride_d - t.padding_d + kd * t.dilation_d
        with code.when((d >= 0) & (d < t.size_d)), code.loop(0, t.kernel_h, short=True) as kh:
            if backwards:
                kh = t.kernel_h - 1 - kh
            h = out_h * t.stride_h - t.padding_h + kh * t.dilation_h
            with code.when((h >= 0) & (h < t.size_h)):
                body(d, h)


def _better(value: Value, best: Value) -> Value:
    """Whether a value takes the place of the best so far: NaN always does."""
    return (value > best) | value.is_nan()


@cache
def max_pool(kind: str, indices: bool) -> Callable[..., Any]:
    """`kernel(out, x, table)` or, with indices (int64), `kernel(out, indices, x, table)`."""
    element = ELEMENT[kind]
    code = Code("planes", f"out {'places ' if indices else ''}x table begin:i64 end:i64")
    out, *rest, x, table, begin, end = code.arguments
    t = code.named(table, HEADER)
    lowest = code.value(float("-inf"), element)
    with code.loop(begin, end) as plane, code.loop(0, t.out_d) as out_d, code.loop(0, t.out_h) as out_h:
        start = ((plane * t.out_d + out_d) * t.out_h + out_h) * t.out_w
        row = code.at(out, start, element)
        places = code.at(rest[0], start, "i64") if indices else None
        with code.loop(0, t.out_w) as j:
            code.store(lowest, row, j)
            if places is not None:
                code.store(code.value(-1), places, j)

        def over(d: Value, h: Value) -> None:
            base = (d * t.size_h + h) * t.size_w
            line = code.at(x, plane * t.size_d * t.size_h * t.size_w + base, element)

            def pairs() -> None:
                with code.loop(0, t.out_w) as j:
                    best = code.load(element, row, j)
                    for tap in range(2):
                        value = code.load(element, line, j * 2 + tap)
                        best = code.where(_better(value, best), value, best)
                    code.store(best, row, j)

            def each() -> None:
                with code.loop(0, t.kernel_w, short=True) as kw:
                    low, high, place = _columns(code, t, kw)
                    source = code.at(line, place, element)

                    def along(stride: Any) -> None:
                        with code.loop(low, high, short=isinstance(stride, Value)) as j:
                            value, best = code.load(element, source, j * stride), code.load(element, row, j)
                            better = _better(value, best)
                            if places is not None:
                                before = code.load("i64", places, j)
                                better = better | (before < 0)
                                code.store(code.where(better, base + place + j * stride, before), places, j)
                            code.store(code.where(better, value, best), row, j)

                    _by_stride(code, t.stride_w, along)

            if indices:
                each()
            else:
                code.either(_plain_pairs(t), pairs, each)

        _rows(code, t, out_d, out_h, over)
    return launch(f"flambeau_max_pool_{kind}", code, HEADER, "planes")


def _plain_pairs(t: Any) -> Value:
    """Whether the windows are pairs side by side."""
    return t.kernel_w.equals(2) & t.stride_w.equals(2) & t.padding_w.equals(0) & t.dilation_w.equals(1) & (t.out_w * 2 <= t.size_w)


def _hits(taps: list[Value], best: Value) -> list[Value]:
    """Which of the taps is the maximum: the first of equal ones, the last NaN."""
    equal, nan = [tap.equals(best) for tap in taps], [tap.is_nan() for tap in taps]
    hits = []
    for i in range(len(taps)):
        one, other = equal[i], nan[i]
        for before in equal[:i]:
            one = one & ~before
        for behind in nan[i + 1 :]:
            other = other & ~behind
        hits.append(one | other)
    return hits


def _squares(code: Code, element: str, t: Any, image: Value, result: Value, values: Value, grads: Value) -> None:
    """The gradient of maxima over squares of 2 x 2 side by side."""
    zero = code.value(0.0, element)
    with code.loop(0, t.out_h) as h:
        sources = [code.at(image, (h * 2 + i) * t.size_w, element) for i in range(2)]
        targets = [code.at(result, (h * 2 + i) * t.size_w, element) for i in range(2)]
        value_row, grad_row = code.at(values, h * t.out_w, element), code.at(grads, h * t.out_w, element)
        full: Any = code.value(0)
        for size in [n for n in (lanes(element), lanes(element) // 2, lanes(element) // 4) if n > 1]:
            start, full = full, full + (t.out_w - full) // size * size
            with code.loop(start, full, size) as j:
                taps = []
                for source in sources:
                    pair = [code.load(vector(element, size), source, j * 2 + i * size) for i in range(2)]
                    taps += [code.shuffle(pair[0], pair[1], [2 * n + i for n in range(size)]) for i in range(2)]
                grad = code.load(vector(element, size), grad_row, j)
                shares = [code.where(hit, grad, 0.0) for hit in _hits(taps, code.load(vector(element, size), value_row, j))]
                for i, target in enumerate(targets):
                    for half in range(2):
                        places = [n // 2 + half * size // 2 + n % 2 * size for n in range(size)]
                        code.store(code.shuffle(shares[i * 2], shares[i * 2 + 1], places), target, j * 2 + half * size)
        with code.loop(full, t.out_w, short=True) as j:
            taps = [code.load(element, source, j * 2 + i) for source in sources for i in range(2)]
            grad = code.load(element, grad_row, j)
            for i, hit in enumerate(_hits(taps, code.load(element, value_row, j))):
                code.store(code.where(hit, grad, zero), targets[i // 2], j * 2 + i % 2)
        for target in targets:
            with code.loop(t.out_w * 2, t.size_w, short=True) as j:
                code.store(zero, target, j)
    with code.loop(t.out_h * 2 * t.size_w, t.size_h * t.size_w, short=True) as j:
        code.store(zero, result, j)


@cache
def max_pool_backward(kind: str) -> Callable[..., Any]:
    """`kernel(out, grad, x, values, table)`: each gradient added where its maximum lies, the first of equal ones, the last NaN."""
    element = ELEMENT[kind]
    code = Code("planes", "out grad x values table begin:i64 end:i64")
    out, grad, x, values, table, begin, end = code.arguments
    t = code.named(table, HEADER)
    size, count = t.size_d * t.size_h * t.size_w, t.out_d * t.out_h * t.out_w
    plain = t.kernel_d.equals(1) & t.kernel_h.equals(2) & t.stride_h.equals(2) & t.padding_h.equals(0) & t.dilation_h.equals(1)
    plain = plain & t.size_d.equals(1) & t.out_d.equals(1) & (t.out_h * 2 <= t.size_h) & _plain_pairs(t)
    places = code.array("i32", SPAN)
    with code.loop(begin, end) as plane:
        image, result = code.at(x, plane * size, element), code.at(out, plane * size, element)
        value_plane, grad_plane = code.at(values, plane * count, element), code.at(grad, plane * count, element)

        def any_windows() -> None:
            with code.loop(0, size) as i:
                code.store(code.value(0.0, element), result, i)
            with code.loop(0, t.out_d) as out_d, code.loop(0, t.out_h) as out_h, code.loop(0, t.out_w, SPAN) as first:
                start = (out_d * t.out_h + out_h) * t.out_w
                last = code.least(first + SPAN, t.out_w)
                value_row, grad_row = code.at(value_plane, start, element), code.at(grad_plane, start, element)
                with code.loop(first, last) as j:
                    code.store(code.value(-1, "i32"), places, j - first)

                def over(d: Value, h: Value) -> None:
                    base = (d * t.size_h + h) * t.size_w
                    line = code.at(image, base, element)
                    with code.loop(0, t.kernel_w, short=True) as back_w:
                        low, high, place = _columns(code, t, t.kernel_w - 1 - back_w)
                        low, high = code.most(low, first), code.least(high, last)
                        source = code.at(line, place, element)

                        at = code.convert(base + place, "i32")

                        def along(stride: Any) -> None:
                            step = code.convert(code.value(stride), "i32")
                            with code.loop(low, high, short=isinstance(stride, Value)) as j:
                                value, best = code.load(element, source, j * stride), code.load(element, value_row, j)
                                before = code.load("i32", places, j - first)
                                takes = value.equals(best) | (value.is_nan() & (before < 0))
                                code.store(code.where(takes, at + code.convert(j, "i32") * step, before), places, j - first)

                        _by_stride(code, t.stride_w, along)

                _rows(code, t, out_d, out_h, over, backwards=True)
                with code.loop(first, last, short=True) as j:
                    place = code.convert(code.load("i32", places, j - first), "i64")
                    with code.when(place >= 0):
                        code.store(code.load(element, result, place) + code.load(element, grad_row, j), result, place)

        code.either(plain, lambda: _squares(code, element, t, image, result, value_plane, grad_plane), any_windows)
    return launch(f"flambeau_max_pool_backward_{kind}", code, HEADER, "planes")


def _extent(code: Code, t: Any, axis: str, place: Value) -> Value:
    """How many elements of a window count in one dimension."""
    start = place * getattr(t, f"stride_{axis}") - getattr(t, f"padding_{axis}")
    size, padding = getattr(t, f"size_{axis}"), getattr(t, f"padding_{axis}")
    stop = code.least(start + getattr(t, f"kernel_{axis}"), size + padding)
    inner = code.least(stop, size) - code.most(start, 0)
    return code.where(t.include.differs(0), stop - start, inner)


def _count(code: Code, t: Any, element: str, rows: Value, j: Value) -> Value:
    """What a window's sum is divided by."""
    return code.convert(code.where(t.divisor.differs(0), t.divisor, rows * _extent(code, t, "w", j)), element)


@cache
def avg_pool(kind: str) -> Callable[..., Any]:
    """`kernel(out, x, table)`."""
    element = ELEMENT[kind]
    code = Code("planes", "out x table begin:i64 end:i64")
    out, x, table, begin, end = code.arguments
    t = code.named(table, HEADER)
    with code.loop(begin, end) as plane, code.loop(0, t.out_d) as out_d, code.loop(0, t.out_h) as out_h:
        row = code.at(out, ((plane * t.out_d + out_d) * t.out_h + out_h) * t.out_w, element)
        with code.loop(0, t.out_w) as j:
            code.store(code.value(0.0, element), row, j)

        def over(d: Value, h: Value) -> None:
            line = code.at(x, ((plane * t.size_d + d) * t.size_h + h) * t.size_w, element)
            with code.loop(0, t.kernel_w, short=True) as kw:
                low, high, place = _columns(code, t, kw)
                source = code.at(line, place, element)

                def along(stride: Any) -> None:
                    with code.loop(low, high, short=isinstance(stride, Value)) as j:
                        code.store(code.load(element, row, j) + code.load(element, source, j * stride), row, j)

                _by_stride(code, t.stride_w, along)

        _rows(code, t, out_d, out_h, over)
        rows = _extent(code, t, "d", out_d) * _extent(code, t, "h", out_h)
        with code.loop(0, t.out_w) as j:
            code.store(code.load(element, row, j) / _count(code, t, element, rows, j), row, j)
    return launch(f"flambeau_avg_pool_{kind}", code, HEADER, "planes")


@cache
def avg_pool_backward(kind: str) -> Callable[..., Any]:
    """`kernel(out, grad, table)`: each gradient spread evenly over its window."""
    element = ELEMENT[kind]
    code = Code("planes", "out grad table begin:i64 end:i64")
    out, grad, table, begin, end = code.arguments
    t = code.named(table, HEADER)
    size = t.size_d * t.size_h * t.size_w
    with code.loop(begin, end) as plane:
        result = code.at(out, plane * size, element)
        with code.loop(0, size) as i:
            code.store(code.value(0.0, element), result, i)
        with code.loop(0, t.out_d) as out_d, code.loop(0, t.out_h) as out_h:
            row = code.at(grad, ((plane * t.out_d + out_d) * t.out_h + out_h) * t.out_w, element)
            rows = _extent(code, t, "d", out_d) * _extent(code, t, "h", out_h)

            def over(d: Value, h: Value) -> None:
                line = code.at(result, (d * t.size_h + h) * t.size_w, element)
                with code.loop(0, t.kernel_w, short=True) as kw:
                    low, high, place = _columns(code, t, kw)
                    target = code.at(line, place, element)

                    def along(stride: Any) -> None:
                        with code.loop(low, high, short=isinstance(stride, Value)) as j:
                            share = code.load(element, row, j) / _count(code, t, element, rows, j)
                            code.store(code.load(element, target, j * stride) + share, target, j * stride)

                    _by_stride(code, t.stride_w, along)

            _rows(code, t, out_d, out_h, over)
    return launch(f"flambeau_avg_pool_backward_{kind}", code, HEADER, "planes")


@cache
def adaptive_max_pool(kind: str) -> Callable[..., Any]:
    """`kernel(out, places, x, planes, sizes (d, h, w), outputs (d, h, w))`: maxima over windows that divide each dimension evenly."""
    element = ELEMENT[kind]
    sizes = [f"{n}_{axis}" for n in ("size", "out") for axis in "dhw"]
    code = Code("planes", f"out places x {' '.join(f'{n}:i64' for n in sizes)} begin:i64 end:i64")
    out, places, x, begin, end = (code[n] for n in ("out", "places", "x", "begin", "end"))
    t = {n: code[n] for n in sizes}

    def window(axis: str, i: Value) -> tuple[Value, Value]:
        size, count = t[f"size_{axis}"], t[f"out_{axis}"]
        return i * size // count, ((i + 1) * size + count - 1) // count

    def look(line: Any, start: Value, at: Value) -> None:
        best, place = line
        value = code.load(element, x, start + at)
        taken = _better(value, best.value)
        place.value = code.where(taken, at, place.value)
        best.value = code.where(taken, value, best.value)

    plane = t["size_d"] * t["size_h"] * t["size_w"]
    with code.loop(begin, end) as m:
        with code.loop(0, t["out_d"]) as od, code.loop(0, t["out_h"]) as oh, code.loop(0, t["out_w"]) as ow:
            (d0, d1), (h0, h1), (w0, w1) = window("d", od), window("h", oh), window("w", ow)
            first = (d0 * t["size_h"] + h0) * t["size_w"] + w0
            lines = [(code.variable(element, float("-inf")), code.variable("i64", first)) for _ in range(LINES)]
            with code.loop(d0, d1) as d, code.loop(h0, h1) as h:
                row = (d * t["size_h"] + h) * t["size_w"]
                whole = w0 + (w1 - w0) // LINES * LINES
                with code.loop(w0, whole, LINES) as w:
                    for k, line in enumerate(lines):
                        look(line, m * plane, row + w + k)
                with code.loop(whole, w1) as w:
                    look(lines[0], m * plane, row + w)
            best, place = (v.value for v in lines[0])
            for line in lines[1:]:
                value, at = (v.value for v in line)
                later = value.is_nan() & (~best.is_nan() | (at > place))  # the last NaN, or the first of equal ones
                taken = (value > best) | later | (value.equals(best) & (at < place))
                best, place = code.where(taken, value, best), code.where(taken, at, place)
            at = ((m * t["out_d"] + od) * t["out_h"] + oh) * t["out_w"] + ow
            code.store(best, out, at)
            code.store(place, places, at)
    main = Code("main", f"out places x planes:double {' '.join(f'{n}:double' for n in sizes)}")
    arrays = [main[n] for n in ("out", "places", "x")]
    numbers = [main.convert(main[n], "i64") for n in ("planes", *sizes)]
    share = GRAIN // (numbers[1] * numbers[2] * numbers[3] + 1) + 1
    with main.unlocked():
        main.parallel(code, [*arrays, *numbers[1:]], numbers[0], share)
    return kernel(f"flambeau_adaptive_max_pool_{kind}", main, code)
