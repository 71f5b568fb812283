"""Running sums and products along the middle of (outer, n, inner), one element after the other in float64 as PyTorch has it."""

from functools import cache
from typing import Any, Callable

from ..compiler.code import ELEMENT, Code, Value, kernel

WIDTH = 64
"""Columns that are walked down side by side."""
GRAIN = 1 << 15
"""About so many elements are one thread's share."""


@cache
def running(kind: str, product: bool, backwards: bool = False) -> Callable[..., Any]:
    """`kernel(out, x, outer, n, inner)` for arrays of "f32" or "f64"; `backwards`: from the end."""
    element = ELEMENT[kind]
    code = Code("running", "out x n:i64 inner:i64 blocks:i64 begin:i64 end:i64")
    out, x, n, inner, blocks, begin, end = code.arguments
    first = 1.0 if product else 0.0

    def step(before: Value, at: Value) -> Value:
        value = code.convert(code.load(element, x, at), "double")
        after = before * value if product else before + value
        code.store(code.convert(after, element), out, at)
        return after

    def rows() -> None:
        with code.loop(begin, end) as o:
            total = code.variable("double", first)
            start = o * n
            with code.loop(0, n) as i:
                total.value = step(total.value, start + (n - 1 - i if backwards else i))

    def columns() -> None:
        totals = code.array("double", WIDTH)
        with code.loop(begin, end) as item:
            column = (item % blocks) * WIDTH
            width = code.least(inner - column, WIDTH)
            with code.loop(0, width) as j:
                code.store(code.value(first, "double"), totals, j)
            start = (item // blocks) * n * inner + column
            with code.loop(0, n) as i:
                row = start + (n - 1 - i if backwards else i) * inner
                with code.loop(0, width) as j:
                    code.store(step(code.load("double", totals, j), row + j), totals, j)

    code.either(inner.equals(1), rows, columns)
    main = Code("main", "out x outer:double n:double inner:double")
    to, source, *sizes = main.arguments
    outer, length, width = (main.convert(s, "i64") for s in sizes)
    parts = (width + (WIDTH - 1)) // WIDTH
    share = GRAIN // (length * main.least(width, WIDTH) + 1) + 1
    with main.unlocked():
        main.parallel(code, [to, source, length, width, parts], outer * parts, share)
    return kernel(f"flambeau_running_{'product' if product else 'sum'}{'_backwards' if backwards else ''}_{kind}", main, code)
