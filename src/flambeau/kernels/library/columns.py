"""Softmax and its gradient along the middle of (outer, n, inner): some columns at a time, side by side."""

from functools import cache
from typing import Any, Callable

from ..compiler.expression import exp, log
from .writer import ELEMENT, Code, Value, kernel

WIDTH = 64
"""Columns that are walked down side by side: whole cache lines of each row."""
GRAIN = 1 << 15
"""About so many elements are one thread's share."""


def _launch(name: str, kind: str, arrays: str, walk: Callable[[Code, dict[str, Value], Any, Value], None]) -> Callable[..., Any]:
    """`kernel(arrays..., outer, n, inner)`. `walk(code, arrays from the first column on, rows, width)`; `rows()` is a loop over rows: the
    element at which each begins."""
    element = ELEMENT[kind]
    names = arrays.split()
    code = Code("columns", **dict.fromkeys(names, "ptr"), n="i64", inner="i64", blocks="i64", begin="i64", end="i64")
    *pointers, n, inner, blocks, begin, end = code.arguments
    with code.loop(begin, end) as item:
        column = (item % blocks) * WIDTH
        start = (item // blocks) * n * inner + column
        here = {name: code.at(pointer, start, element) for name, pointer in zip(names, pointers)}

        def rows(body: Callable[[Value], None]) -> None:
            with code.loop(0, n) as i:
                body(i * inner)

        walk(code, here, rows, code.least(inner - column, WIDTH))
    main = Code("main", **dict.fromkeys(names, "ptr"), outer="double", n="double", inner="double")
    values, sizes = main.arguments[:-3], main.arguments[-3:]
    outer, length, width = (main.convert(s, "i64") for s in sizes)
    parts = (width + (WIDTH - 1)) // WIDTH
    share = GRAIN // (length * main.least(width, WIDTH) + 1) + 1
    with main.unlocked():
        main.parallel(code, [*values, length, width, parts], outer * parts, share)
    return kernel(f"flambeau_{name}_{kind}", main, code)


@cache
def softmax(kind: str, logarithm: bool) -> Callable[..., Any]:
    """`kernel(out, x, outer, n, inner)`: exp(x - max) / sum, or x - max - log(sum)."""
    element = ELEMENT[kind]

    def walk(code: Code, at: dict[str, Value], rows: Any, width: Value) -> None:
        out, x = at["out"], at["x"]
        peaks, totals = code.array(element, WIDTH), code.array(element, WIDTH)
        with code.loop(0, width) as j:
            code.store(code.value(float("-inf"), element), peaks, j)
            code.store(code.value(0.0, element), totals, j)

        def largest(row: Value) -> None:
            with code.loop(0, width) as j:
                value, peak = code.load(element, x, row + j), code.load(element, peaks, j)
                code.store(code.where(value > peak, value, peak), peaks, j)

        def add(row: Value) -> None:
            with code.loop(0, width) as j:
                value = code.expression(exp, code.load(element, x, row + j) - code.load(element, peaks, j))
                if not logarithm:
                    code.store(value, out, row + j)
                code.store(code.load(element, totals, j) + value, totals, j)

        def finish(row: Value) -> None:
            with code.loop(0, width) as j:
                if logarithm:
                    shifted = code.load(element, x, row + j) - code.load(element, peaks, j)
                    code.store(shifted - code.load(element, totals, j), out, row + j)
                else:
                    code.store(code.load(element, out, row + j) * code.load(element, totals, j), out, row + j)

        rows(largest)
        rows(add)
        with code.loop(0, width) as j:
            total = code.load(element, totals, j)
            code.store(code.expression(log, total) if logarithm else 1.0 / total, totals, j)
        rows(finish)

    return _launch("columns_log_softmax" if logarithm else "columns_softmax", kind, "out x", walk)


@cache
def softmax_backward(kind: str, logarithm: bool) -> Callable[..., Any]:
    """`kernel(out, grad, result, outer, n, inner)`: result * (grad - sum(grad * result)), or grad - exp(result) * sum(grad)."""
    element = ELEMENT[kind]

    def walk(code: Code, at: dict[str, Value], rows: Any, width: Value) -> None:
        out, grad, result = at["out"], at["grad"], at["y"]
        totals = code.array(element, WIDTH)
        with code.loop(0, width) as j:
            code.store(code.value(0.0, element), totals, j)

        def add(row: Value) -> None:
            with code.loop(0, width) as j:
                value = code.load(element, grad, row + j)
                if not logarithm:
                    value = value * code.load(element, result, row + j)
                code.store(code.load(element, totals, j) + value, totals, j)

        def finish(row: Value) -> None:
            with code.loop(0, width) as j:
                g, y, total = code.load(element, grad, row + j), code.load(element, result, row + j), code.load(element, totals, j)
                code.store(g - code.expression(exp, y) * total if logarithm else y * (g - total), out, row + j)

        rows(add)
        rows(finish)

    return _launch("columns_log_softmax_backward" if logarithm else "columns_softmax_backward", kind, "out grad y", walk)
