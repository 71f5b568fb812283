"""Reading and writing at places along a dimension: an array is (outer, n, inner), the dimension in the middle.

Indices are int64 and looked at first: a kernel that finds one out of range does nothing and returns the index array; else it
returns its first argument. With `wrap` negative ones count from the end. Threads never write to one place, and sums are
added in the order of the indices, so nothing depends on how many there are.
"""

from functools import cache
from typing import Any, Callable

from ..compiler.code import SIZE, Code, Value, kernel

LARGE = 1 << 15
"""Elements from which on the work is spread over threads."""
AHEAD = 4096
"""How many bytes before a row is copied it is asked for: on a Zen 5 core rows of 1 KiB then arrive 1.7 times as fast."""
INTEGERS = {1: "i8", 2: "i16", 4: "i32", 8: "i64"}
"""The type that stands for elements of a size where they are only copied."""


def _place(code: Code, index: Value, i: Any, n: Value, wrap: bool) -> Value:
    place = code.load("i64", index, i)
    return code.where(place < 0, place + n, place) if wrap else place


def _outside(code: Code, index: Value, count: Value, n: Value, wrap: bool) -> Value:
    """Whether any index is out of range."""
    bad = code.variable("i64", 0)
    with code.loop(0, count) as i:
        place = _place(code, index, i, n, wrap)
        one = code.convert((place < 0) | (place >= n), "i64")
        bad.value = bad.value | one
    return bad.value.differs(0)


def _main(name: str, body: Code, sizes: str, run: Callable[[Code, dict[str, Value]], None], indices: str, wrap: bool) -> Callable[..., Any]:
    """The kernel of three arrays, one of them `index`, and sizes as floats: checks the indices, then runs. `indices`: the sizes
    whose product is their number."""
    arrays = [n for n, t in body.parameters.items() if t == "ptr"]
    main = Code("main", " ".join([*arrays, *(f"{n}:double" for n in sizes.split())]), "i64")
    given = {n: v if v.type == "ptr" else main.convert(v, "i64") for n, v in zip(main.parameters, main.arguments)}
    number = main.value(1)
    for size in indices.split():
        number = number * given[size]
    bad = _outside(main, given["index"], number, given["n"], wrap)
    with main.when(~bad):
        run(main, given)
    main.back(main.where(bad, main.value(arrays.index("index")), 0))
    return kernel(name, main, body)


def _spread(main: Code, body: Code, given: dict[str, Value], elements: Value, count: Value, grain: Value) -> None:
    """Runs the body over [0, count), on all threads where there is much to do."""
    values = [given[n] for n in body.parameters if n not in ("begin", "end")]

    def large() -> None:
        with main.unlocked():
            main.parallel(body, values, count, grain)

    def small() -> None:
        main.run(body, *values, 0, count)

    main.either(elements > LARGE, large, small)


@cache
def take(itemsize: int, wrap: bool) -> Callable[..., Any]:
    """`kernel(out, x, index, outer, n, inner, count)`: out[o, i] = x[o, index[i]]."""
    element = INTEGERS[itemsize]
    code = Code("take", "out x index n:i64 inner:i64 count:i64 begin:i64 end:i64")
    out, x, index, n, inner, count, begin, end = code.arguments

    def each(copy: Callable[[Value, Value, Value], None]) -> Callable[[], None]:
        def loop() -> None:
            with code.loop(begin // count, (end + count - 1) // count) as o:
                start = o * count
                with code.loop(code.most(begin - start, 0), code.least(end - start, count)) as i:
                    copy(start + i, o * n, i)

        return loop

    def one(to: Value, start: Value, i: Value) -> None:
        code.store(code.load(element, x, start + _place(code, index, i, n, wrap)), out, to)

    def row(to: Value, start: Value, i: Value) -> None:
        length = inner * itemsize
        soon = _place(code, index, code.least(i + (AHEAD // length + 1), count - 1), n, wrap)
        coming = code.at(x, (start + soon) * inner, element)
        with code.loop(0, code.least(length, AHEAD), 64, short=True) as line:  # rows at random places: no CPU foresees them
            code.prefetch(code.at(coming, line, "i8"))
        code.copy(code.at(out, to * inner, element), code.at(x, (start + _place(code, index, i, n, wrap)) * inner, element), length)

    code.either(inner.equals(1), each(one), each(row))

    def run(main: Code, given: dict[str, Value]) -> None:
        rows = given["outer"] * given["count"]
        _spread(main, code, given, rows * given["inner"], rows, (LARGE // 4) // given["inner"] + 1)

    return _main(f"flambeau_take_{itemsize}", code, "outer n inner count", run, "count", wrap)


@cache
def reverse(itemsize: int) -> Callable[..., Any]:
    """`kernel(out, x, rows, n)`: out[r, i] = x[r, n - 1 - i]."""
    element = INTEGERS[itemsize]
    code = Code("reverse", "out x n:i64 begin:i64 end:i64")
    out, x, n, begin, end = code.arguments
    with code.loop(begin, end) as r:
        target, source = code.at(out, r * n, element), code.at(x, r * n, element)
        with code.loop(0, n) as i:
            code.store(code.load(element, source, n - 1 - i), target, i)
    main = Code("main", "out x rows:double n:double")
    rows, length = (main.convert(v, "i64") for v in main.arguments[2:])
    with main.unlocked():
        main.parallel(code, [*main.arguments[:2], length], rows, LARGE // length + 1)
    return kernel(f"flambeau_reverse_{itemsize}", main, code)


@cache
def triangle(itemsize: int, lower: bool) -> Callable[..., Any]:
    """`kernel(out, x, matrices, rows, columns, diagonal)`: copies with zeros above (`lower`) or below a diagonal."""
    element = INTEGERS[itemsize]
    code = Code("triangle", "out x rows:i64 columns:i64 diagonal:i64 begin:i64 end:i64")
    out, x, rows, columns, diagonal, begin, end = code.arguments
    zero = code.value(0, element)
    with code.loop(begin, end) as r:
        target, source = code.at(out, r * columns, element), code.at(x, r * columns, element)
        edge = code.least(code.most(r % rows + diagonal + int(lower), 0), columns)
        kept, gone = ((code.value(0), edge), (edge, columns)) if lower else ((edge, columns), (code.value(0), edge))
        code.copy(code.at(target, kept[0], element), code.at(source, kept[0], element), (kept[1] - kept[0]) * itemsize)
        with code.loop(*gone) as j:
            code.store(zero, target, j)
    main = Code("main", "out x matrices:double rows:double columns:double diagonal:double")
    matrices, height, width, shift = (main.convert(v, "i64") for v in main.arguments[2:])
    with main.unlocked():
        main.parallel(code, [*main.arguments[:2], height, width, shift], matrices * height, LARGE // width + 1)
    return kernel(f"flambeau_triangle_{'lower' if lower else 'upper'}_{itemsize}", main, code)


def _into_rows(name: str, element: str, wrap: bool, add: bool) -> Callable[..., Any]:
    """`kernel(target, index, rows, outer, n, inner, count, skip)`: rows[o, i] into target[o, index[i]], but not where that is `skip`."""
    arrays, sizes = "target index rows", "n:i64 inner:i64 count:i64 skip:i64"
    code = Code("rows", f"{arrays} {sizes} first:i64 last:i64 begin:i64 end:i64")
    target, index, rows, n, inner, count, skip, first, last, begin, end = code.arguments

    def put(to: Value, source: Value, at: Any) -> None:
        value = code.load(element, source, at)
        code.store(code.sum(code.load(element, to, at), value) if add else value, to, at)

    with code.loop(first, last) as o, code.loop(0, count) as i:
        place = _place(code, index, i, n, wrap)
        with code.when((place >= begin) & (place < end) & place.differs(skip)):
            to, source = code.at(target, (o * n + place) * inner, element), code.at(rows, (o * count + i) * inner, element)

            def along() -> None:
                with code.loop(0, inner) as j:
                    put(to, source, j)

            code.either(inner.equals(1), lambda: put(to, source, 0), along)
    by_place = Code("by_place", f"{arrays} outer:i64 {sizes} begin:i64 end:i64")
    target, index, rows, outer, n, inner, count, skip, begin, end = by_place.arguments
    by_place.run(code, target, index, rows, n, inner, count, skip, 0, outer, begin, end)
    by_outer = Code("by_outer", f"{arrays} {sizes} begin:i64 end:i64")
    target, index, rows, n, inner, count, skip, begin, end = by_outer.arguments
    by_outer.run(code, target, index, rows, n, inner, count, skip, begin, end, 0, n)
    by_place.functions += [code, by_outer]

    def run(main: Code, given: dict[str, Value]) -> None:
        each = given["count"] * given["inner"]
        outer = given["outer"]

        def places() -> None:  # each range looks at all indices
            _spread(main, by_place, given, outer * each, given["n"], given["n"] // 8 + 1)

        def blocks() -> None:
            _spread(main, by_outer, given, outer * each, outer, (LARGE // 4) // each + 1)

        main.either(outer < 16, places, blocks)

    return _main(name, by_place, "outer n inner count skip", run, "count", wrap)


@cache
def add_rows(element: str, wrap: bool) -> Callable[..., Any]:
    """`kernel(target, index, rows, outer, n, inner, count, skip)`: target[o, index[i]] += rows[o, i], but not where it is `skip`."""
    return _into_rows(f"flambeau_add_rows_{element}", element, wrap, True)


@cache
def put_rows(itemsize: int, wrap: bool) -> Callable[..., Any]:
    """`kernel(target, index, rows, outer, n, inner, count, skip)`: target[o, index[i]] = rows[o, i], but not where it is `skip`."""
    return _into_rows(f"flambeau_put_rows_{itemsize}", INTEGERS[itemsize], wrap, False)


@cache
def bags(element: str) -> Callable[..., Any]:
    """`kernel(out, table, index, starts, bags, count, width, skip)`: out[b] is the sum of the rows table[index[i]] for i from starts[b] to
    starts[b + 1], or to `count`, but not those whose index is `skip`. Indices must be in range."""
    code = Code("bags", "out table index starts bags:i64 count:i64 width:i64 skip:i64 begin:i64 end:i64")
    out, table, index, starts, number, count, width, skip, begin, end = code.arguments
    size = width * SIZE[element]
    with code.loop(begin, end) as bag:
        row = code.at(out, bag * width, element)
        with code.loop(0, width) as j:
            code.store(code.value(0, element), row, j)
        following = code.load("i64", starts, code.least(bag + 1, number - 1))
        stop = code.where((bag + 1) < number, following, count)
        with code.loop(code.load("i64", starts, bag), stop) as i:
            coming = code.at(table, code.load("i64", index, code.least(i + (AHEAD // size + 1), count - 1)) * width, element)
            with code.loop(0, code.least(size, AHEAD), 64, short=True) as line:
                code.prefetch(code.at(coming, line, "i8"))
            place = code.load("i64", index, i)
            source = code.at(table, place * width, element)
            with code.when(place.differs(skip)), code.loop(0, width) as j:
                code.store(code.load(element, row, j) + code.load(element, source, j), row, j)
    main = Code("main", "out table index starts bags:double count:double width:double skip:double")
    values = [v if v.type == "ptr" else main.convert(v, "i64") for v in main.arguments]
    with main.unlocked():
        main.parallel(code, values, values[4], (LARGE // 4) * values[4] // (values[5] * values[6] + 1) + 1)
    return kernel(f"flambeau_bags_{element}", main, code)


@cache
def largest_in_bags(element: str) -> Callable[..., Any]:
    """`kernel(out, places, table, index, starts, bags, count, width, skip)`: as `bags`, the largest of each column, the first of equal
    ones, and the index of its row. A bag without rows has 0 and the index -1."""
    code = Code("bags", "out places table index starts bags:i64 count:i64 width:i64 skip:i64 begin:i64 end:i64")
    out, places, table, index, starts, number, count, width, skip, begin, end = code.arguments
    with code.loop(begin, end) as bag:
        row, where = code.at(out, bag * width, element), code.at(places, bag * width, "i64")
        with code.loop(0, width) as j:
            code.store(code.value(0, element), row, j)
            code.store(code.value(-1), where, j)
        following = code.load("i64", starts, code.least(bag + 1, number - 1))
        stop = code.where((bag + 1) < number, following, count)
        with code.loop(code.load("i64", starts, bag), stop) as i:
            place = code.load("i64", index, i)
            source = code.at(table, place * width, element)
            with code.when(place.differs(skip)), code.loop(0, width) as j:
                old, new, known = code.load(element, row, j), code.load(element, source, j), code.load("i64", where, j)
                taken = (known < 0) | (new > old)
                code.store(code.where(taken, new, old), row, j)
                code.store(code.where(taken, place, known), where, j)
    main = Code("main", "out places table index starts bags:double count:double width:double skip:double")
    values = [v if v.type == "ptr" else main.convert(v, "i64") for v in main.arguments]
    with main.unlocked():
        main.parallel(code, values, values[5], (LARGE // 4) * values[5] // (values[6] * values[7] + 1) + 1)
    return kernel(f"flambeau_largest_in_bags_{element}", main, code)


def _elements(name: str, main_name: str, touch: Callable[[Code, Value, Value, Value, Value], None]) -> Callable[..., Any]:
    """A kernel over elements: `touch(code, array, other, place, own)` for the place that the index names and the own place."""
    code = Code(name, "target index other n:i64 inner:i64 count:i64 first:i64 last:i64 begin:i64 end:i64")
    target, index, other, n, inner, count, first, last, begin, end = code.arguments
    with code.loop(begin, end) as o:

        def line() -> None:
            with code.loop(0, count) as i:
                touch(code, target, other, o * n + code.load("i64", index, o * count + i), o * count + i)

        def lines() -> None:
            with code.loop(0, count) as i, code.loop(first, last) as j:
                own = (o * count + i) * inner + j
                touch(code, target, other, (o * n + code.load("i64", index, own)) * inner + j, own)

        code.either(inner.equals(1), line, lines)
    columns = Code(f"{name}_columns", "target index other n:i64 inner:i64 count:i64 begin:i64 end:i64")
    target, index, other, n, inner, count, begin, end = columns.arguments
    columns.run(code, target, index, other, n, inner, count, begin, end, 0, 1)
    columns.functions.append(code)

    def run(main: Code, given: dict[str, Value]) -> None:
        given |= {"first": main.value(0), "last": given["inner"]}
        outer = given["outer"]
        each = given["count"] * given["inner"]

        def by_columns() -> None:
            _spread(main, columns, given, each, given["inner"], (LARGE // 4) // given["count"] + 1)

        def by_outer() -> None:
            _spread(main, code, given, outer * each, outer, (LARGE // 4) // each + 1)

        main.either(outer.equals(1) & (given["inner"] > 1), by_columns, by_outer)

    return _main(main_name, columns, "outer n inner count", run, "outer count inner", False)


@cache
def gather(itemsize: int) -> Callable[..., Any]:
    """`kernel(out, index, x, outer, n, inner, count)`: out[o, i, j] = x[o, index[o, i, j], j]."""
    element = INTEGERS[itemsize]

    def touch(code: Code, out: Value, x: Value, place: Value, own: Value) -> None:
        code.store(code.load(element, x, place), out, own)

    return _elements("gather", f"flambeau_gather_{itemsize}", touch)


@cache
def scatter(itemsize: int) -> Callable[..., Any]:
    """`kernel(target, index, source, outer, n, inner, count)`: target[o, index[o, i, j], j] = source[o, i, j]."""
    element = INTEGERS[itemsize]

    def touch(code: Code, target: Value, source: Value, place: Value, own: Value) -> None:
        code.store(code.load(element, source, own), target, place)

    return _elements("scatter", f"flambeau_scatter_{itemsize}", touch)


@cache
def scatter_add(element: str) -> Callable[..., Any]:
    """`kernel(target, index, source, outer, n, inner, count)`: target[o, index[o, i, j], j] += source[o, i, j]."""

    def touch(code: Code, target: Value, source: Value, place: Value, own: Value) -> None:
        code.store(code.sum(code.load(element, target, place), code.load(element, source, own)), target, place)

    return _elements("scatter_add", f"flambeau_scatter_add_{element}", touch)
