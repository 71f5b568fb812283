"""Weighted sums along the middle of (outer, n, inner), and maxima over windows given element by element."""

from functools import cache
from typing import Any, Callable

from ..compiler.code import ELEMENT, Code, Value, kernel

GRAIN = 1 << 15
"""About so many elements, counted once for each tap, are one thread's share."""


@cache
def resample(kind: str) -> Callable[..., Any]:
    """`kernel(out, x, index, weight, outer, n, inner, count, taps)`: out[o, i] is the sum over t of weight[t, i] * x[o, index[t, i]].

    A tap without weight hands on no infinity.
    """
    element = ELEMENT[kind]
    code = Code("items", "out x index weight n:i64 inner:i64 count:i64 taps:i64 begin:i64 end:i64")
    out, x, index, weight, n, inner, count, taps, begin, end = code.arguments
    zero = code.value(0.0, element)

    def numbers() -> None:  # a tap of all elements of a row after the other: loops without divisions, which become vectors
        with code.loop(begin // count, (end + count - 1) // count, short=True) as o:
            source, target = code.at(x, o * n, element), code.at(out, o * count, element)
            first, last = code.most(begin - o * count, 0), code.least(end - o * count, count)
            with code.loop(first, last) as i:
                code.store(zero, target, i)
            with code.loop(0, taps, short=True) as t:
                weights, places = code.at(weight, t * count, element), code.at(index, t * count, "i64")
                with code.loop(first, last) as i:
                    w = code.load(element, weights, i)
                    product = code.load(element, source, code.load("i64", places, i)) * w
                    code.store(code.load(element, target, i) + code.where(w.differs(0.0), product, zero), target, i)

    def rows() -> None:
        with code.loop(begin, end, short=True) as item:
            i, target = item % count, code.at(out, item * inner, element)

            def tap(t: Any, already: Callable[[Value], Value]) -> None:
                w = code.load(element, weight, t * count + i)
                source = code.at(x, (item // count * n + code.load("i64", index, t * count + i)) * inner, element)

                def weighted() -> None:
                    with code.loop(0, inner) as j:
                        code.store(already(j) + code.load(element, source, j) * w, target, j)

                def without() -> None:
                    with code.loop(0, inner) as j:
                        code.store(already(j), target, j)

                code.either(w.differs(0.0), weighted, without)

            tap(code.value(0), lambda j: zero)
            with code.loop(1, taps, short=True) as t:
                tap(t, lambda j: code.load(element, target, j))

    code.either(inner.equals(1), numbers, rows)
    main = Code("main", "out x index weight outer:double n:double inner:double count:double taps:double")
    outer, *lengths = (main.convert(v, "i64") for v in main.arguments[4:])
    with main.unlocked():
        main.parallel(code, [*main.arguments[:4], *lengths], outer * lengths[2], GRAIN // (lengths[1] * lengths[3] + 1) + 1)
    return kernel(f"flambeau_resample_{kind}", main, code)


@cache
def max_of_windows(kind: str) -> Callable[..., Any]:
    """`kernel(values, places, x, windows, table)`: the largest element of each window, the first of equal ones, the last NaN, and its place
    in the flattened image.

    The table: planes, grain, then for three dimensions size, outputs, taps. `windows`: their indices (taps, outputs) one after the other.
    """
    element = ELEMENT[kind]
    code = Code("planes", "values places x windows table begin:i64 end:i64")
    values, places, x, windows, table, begin, end = code.arguments
    (_, out_d, taps_d), (size_h, out_h, taps_h), (size_w, out_w, taps_w) = dims = [
        [code.load("i64", table, 2 + 3 * d + i) for i in range(3)] for d in range(3)
    ]
    at_h = out_d * taps_d
    at_w = at_h + out_h * taps_h
    size = dims[0][0] * size_h * size_w

    def lines(at: Any, number: Value, place: Value) -> Any:
        return lambda tap: code.load("i64", windows, tap * number + place + at)

    with code.loop(begin, end) as plane, code.loop(0, out_d) as d, code.loop(0, out_h) as h, code.loop(0, out_w, short=True) as w:
        image = code.at(x, plane * size, element)
        depth, line, column = lines(0, out_d, d), lines(at_h, out_h, h), lines(at_w, out_w, w)
        best, where = code.variable(element, float("-inf")), code.variable("i64", -1)
        with code.loop(0, taps_d, short=True) as i, code.loop(0, taps_h, short=True) as j, code.loop(0, taps_w, short=True) as k:
            place = (depth(i) * size_h + line(j)) * size_w + column(k)
            value = code.load(element, image, place)
            better = (value > best.value) | value.is_nan() | (where.value < 0)
            where.value = code.where(better, place, where.value)
            best.value = code.where(better, value, best.value)
        target = ((plane * out_d + d) * out_h + h) * out_w + w
        code.store(best.value, values, target)
        code.store(where.value, places, target)
    main = Code("main", "values places x windows table")
    table = main.arguments[-1]
    with main.unlocked():
        main.parallel(code, main.arguments, main.load("i64", table), main.load("i64", table, 1))
    return kernel(f"flambeau_max_of_windows_{kind}", main, code)
