"""Running sums and products along the middle of (outer, n, inner), one element after the other in float64 as PyTorch has it."""

from functools import cache
from typing import Any, Callable

from ..compiler.code import ELEMENT, Code, Value, kernel
from ..compiler.code import share as spread

WIDTH = 64
"""Columns that are walked down side by side."""
GRAIN = 1 << 15
"""About so many elements are one thread's share."""


@cache
def running(kind: str, product: bool, backwards: bool = False, wide: str = "double") -> Callable[..., Any]:
    """`kernel(out, x, outer, n, inner)` for arrays of "f32" or "f64"; `backwards`: from the end. wide: the type it adds up in."""
    element = ELEMENT[kind]
    code = Code("running", "out x n:i64 inner:i64 blocks:i64 begin:i64 end:i64")
    out, x, n, inner, blocks, begin, end = code.arguments
    first = 1.0 if product else 0.0

    def step(before: Value, at: Value) -> Value:
        value = code.convert(code.load(element, x, at), wide)
        after = before * value if product else before + value
        code.store(code.convert(after, element), out, at)
        return after

    def rows() -> None:
        with code.loop(begin, end) as o:
            total = code.variable(wide, first)
            start = o * n
            with code.loop(0, n) as i:
                total.value = step(total.value, start + (n - 1 - i if backwards else i))

    def columns() -> None:
        totals = code.array(wide, WIDTH)
        with code.loop(begin, end) as item:
            column = (item % blocks) * WIDTH
            width = code.least(inner - column, WIDTH)
            with code.loop(0, width) as j:
                code.store(code.value(first, wide), totals, j)
            start = (item // blocks) * n * inner + column
            with code.loop(0, n) as i:
                row = start + (n - 1 - i if backwards else i) * inner
                with code.loop(0, width) as j:
                    code.store(step(code.load(wide, totals, j), row + j), totals, j)

    code.either(inner.equals(1), rows, columns)
    main = Code("main", "out x outer:double n:double inner:double")
    to, source, *sizes = main.arguments
    outer, length, width = (main.convert(s, "i64") for s in sizes)
    parts = (width + (WIDTH - 1)) // WIDTH
    share = GRAIN // (length * main.least(width, WIDTH) + 1) + 1
    spread(main, code, [to, source, length, width, parts], outer * parts, share)
    return kernel(f"flambeau_running_{'product' if product else 'sum'}{'_backwards' if backwards else ''}_{kind}_{wide}", main, code)


@cache
def extremes(kind: str, largest: bool) -> Callable[..., Any]:
    """`kernel(out, places, x, outer, n, inner)`: the largest (smallest) element so far and its last place, an int64; NaN stays."""
    element = ELEMENT[kind]
    code = Code("extremes", "out places x n:i64 inner:i64 blocks:i64 begin:i64 end:i64")
    out, places, x, n, inner, blocks, begin, end = code.arguments
    floating = kind[0] == "f"
    bits = int(kind[1:])
    first: Any = float("-inf" if largest else "inf") if floating else (-1 << bits - 1) if largest else (1 << bits - 1) - 1

    def step(best: Value, place: Value, at: Value, i: Value) -> tuple[Value, Value]:
        value = code.load(element, x, at)
        taken = value >= best if largest else value <= best
        if floating:
            taken = value.is_nan() | taken
        best, place = code.where(taken, value, best), code.where(taken, i, place)
        code.store(best, out, at)
        code.store(place, places, at)
        return best, place

    def key_of(number: Value) -> Value:
        """An integer that is the greater, the more extreme the element with these bits; NaN is the most."""
        if floating:
            size = number & most
            size = code.where(size > code.value(infinity, whole), most, size)
            lost = size.equals(most)
            below = code.op(f"sub {whole} 0, {size}", whole)
            negative = (number < 0) if largest else (number >= 0)
            return code.where(negative & ~lost, below, size)
        return number if largest else ~number

    whole = f"i{bits}"
    most = code.value((1 << bits - 1) - 1, whole)
    infinity = 0x7F800000 if bits == 32 else 0x7FF0000000000000

    def rows() -> None:  # in integers: a choice between those waits for two cycles, not for a branch
        with code.loop(begin, end) as row:
            best, extreme = code.variable(whole, code.load(whole, x, row * n)), code.variable(whole)
            extreme.value = key_of(best.value)
            place = code.variable("i64", 0)
            with code.loop(0, n) as i:
                number = code.load(whole, x, row * n + i)
                key = key_of(number)
                taken = key >= extreme.value
                extreme.value = code.where(taken, key, extreme.value)
                best.value, place.value = code.where(taken, number, best.value), code.where(taken, i, place.value)
                code.store(best.value, out, row * n + i)
                code.store(place.value, places, row * n + i)

    def columns() -> None:
        bests, at_place = code.array(element, WIDTH), code.array("i64", WIDTH)
        with code.loop(begin, end) as item:
            column = (item % blocks) * WIDTH
            width = code.least(inner - column, WIDTH)
            with code.loop(0, width) as j:
                code.store(code.value(first, element), bests, j)
                code.store(code.value(0, "i64"), at_place, j)
            start = (item // blocks) * n * inner + column
            with code.loop(0, n) as i:
                row = start + i * inner
                with code.loop(0, width) as j:
                    best, place = step(code.load(element, bests, j), code.load("i64", at_place, j), row + j, i)
                    code.store(best, bests, j)
                    code.store(place, at_place, j)

    code.either(inner.equals(1), rows, columns)
    main = Code("main", "out places x outer:double n:double inner:double")
    *arrays, outer, length, width = main.arguments
    outer, length, width = (main.convert(s, "i64") for s in (outer, length, width))
    parts = (width + (WIDTH - 1)) // WIDTH
    share = GRAIN // (length * main.least(width, WIDTH) + 1) + 1
    spread(main, code, [*arrays, length, width, parts], outer * parts, share)
    return kernel(f"flambeau_running_{'largest' if largest else 'smallest'}_{kind}", main, code)
