"""Reductions of row-major arrays (outer, n, inner) over the middle, for arrays of any size: variances, products, sums of integers."""

from functools import cache
from typing import Any, Callable

from ..compiler.code import ELEMENT, Code, Value, kernel, share

GRAIN = 1 << 15
"""About so many elements are one thread's share."""
WIDTH = 64
"""Columns that are walked down side by side."""
_REGISTER = 32
"""Bytes of the vectors that PyTorch multiplies in."""


def _main(name: str, body: Code, arrays: str, numbers: str, blocks: bool) -> Callable[..., Any]:
    """`kernel(arrays..., outer, n, inner, numbers...)` of a body with the parameters `arrays n inner numbers begin end`.

    Its items are rows, or with `blocks` the blocks of at most `WIDTH` columns.
    """
    main = Code("main", f"{arrays} outer:double n:double inner:double {numbers}")
    given = main.given
    outer, n, inner = (main.convert(given[k], "i64") for k in ("outer", "n", "inner"))
    parts = (inner + (WIDTH - 1)) // WIDTH if blocks else inner
    values = [given[a] for a in arrays.split()] + [n, inner, *[given[k.partition(":")[0]] for k in numbers.split()]]
    grain = GRAIN // (n * main.least(inner, WIDTH) + 1) + 1 if blocks else GRAIN // (n + 1) + 1
    share(main, body, values, outer * parts, grain)
    return kernel(name, main, body)


@cache
def spread(kind: str) -> Callable[..., Any]:
    """`kernel(out, mean, x, outer, n, inner, divisor, root)`: the sum of squared distances from the mean over the divisor, or its square
    root where `root` is 1.0, and the mean. Both are computed in float64 and rounded at the end, as PyTorch does."""
    element = ELEMENT[kind]
    code = Code("spread", "out mean x n:i64 inner:i64 divisor:double root:double begin:i64 end:i64")
    out, mean, x, n, inner, divisor, root, begin, end = code.arguments
    count = code.convert(n, "double")

    def finish(squares: Value, centre: Value, at: Value) -> None:
        value = squares / divisor
        value = code.where(root.equals(1.0), code.root(value), value)
        code.store(code.convert(value, element), out, at)
        code.store(code.convert(centre, element), mean, at)

    def rows() -> None:
        with code.loop(begin, end) as o:
            row = code.at(x, o * n, element)
            total, squares = code.variable("double", 0.0), code.variable("double", 0.0)
            with code.loop(0, n) as i:
                total.value = total.value.plus(code.convert(code.load(element, row, i), "double"))
            centre = total.value / count
            with code.loop(0, n) as i:
                distance = code.convert(code.load(element, row, i), "double") - centre
                squares.value = squares.value.plus(distance * distance)
            finish(squares.value, centre, o)

    def columns() -> None:
        totals, squares = code.array("double", WIDTH), code.array("double", WIDTH)
        blocks = (inner + (WIDTH - 1)) // WIDTH
        with code.loop(begin, end) as item:
            column = (item % blocks) * WIDTH
            width = code.least(inner - column, WIDTH)
            start = (item // blocks) * n * inner + column
            with code.loop(0, width) as j:
                code.store(code.value(0.0), totals, j)
                code.store(code.value(0.0), squares, j)
            with code.loop(0, n) as i, code.loop(0, width) as j:
                value = code.convert(code.load(element, x, start + i * inner + j), "double")
                code.store(code.load("double", totals, j) + value, totals, j)
            with code.loop(0, width) as j:
                code.store(code.load("double", totals, j) / count, totals, j)
            with code.loop(0, n) as i, code.loop(0, width) as j:
                distance = code.convert(code.load(element, x, start + i * inner + j), "double") - code.load("double", totals, j)
                code.store(code.load("double", squares, j) + distance * distance, squares, j)
            with code.loop(0, width) as j:
                finish(code.load("double", squares, j), code.load("double", totals, j), (item // blocks) * inner + column + j)

    code.either(inner.equals(1), rows, columns)
    return _main(f"flambeau_spread_{kind}", code, "out mean x", "divisor:double root:double", True)


@cache
def products(kind: str) -> Callable[..., Any]:
    """`kernel(out, x, outer, n, inner)`: the products in PyTorch's order: of rows, four vectors side by side, their products pairwise, then
    lane by lane, then what is left; of columns, one after the other."""
    element = ELEMENT[kind]
    lanes = _REGISTER * 8 // int(kind[1:])
    vector = f"<{lanes} x {element}>"
    code = Code("products", "out x n:i64 inner:i64 begin:i64 end:i64")
    out, x, n, inner, begin, end = code.arguments

    def rows() -> None:
        step = 4 * lanes
        with code.loop(begin, end, short=True) as o:
            row = code.at(x, o * n, element)
            result = code.variable(element, 1.0)
            whole = n // step * step
            with code.when(whole > 0):
                totals = [code.variable(vector, code.load(vector, row, k * lanes)) for k in range(4)]
                with code.loop(step, whole, step, short=True) as i:
                    for k, total in enumerate(totals):
                        total.value = total.value * code.load(vector, row, i + k * lanes)
                a, b, c, d = (total.value for total in totals)
                together = (a * b) * (c * d)
                product = code.lane(together, 0)
                for k in range(1, lanes):
                    product = product * code.lane(together, k)
                result.value = product
            with code.loop(whole, n, short=True) as i:
                result.value = result.value * code.load(element, row, i)
            code.store(result.value, out, o)

    def columns() -> None:
        blocks = (inner + (WIDTH - 1)) // WIDTH
        with code.loop(begin, end) as item:
            column = (item % blocks) * WIDTH
            width = code.least(inner - column, WIDTH)
            start = (item // blocks) * n * inner + column
            to = code.at(out, (item // blocks) * inner + column, element)
            with code.loop(0, width) as j:
                code.store(code.value(1.0, element), to, j)
            with code.loop(0, n) as i, code.loop(0, width) as j:
                code.store(code.load(element, to, j) * code.load(element, x, start + i * inner + j), to, j)

    code.either(inner.equals(1), rows, columns)
    return _main(f"flambeau_products_{kind}", code, "out x", "", True)


@cache
def extremes(kind: str, largest: bool) -> Callable[..., Any]:
    """`kernel(out, x, outer, n, inner)`, `inner` being 1: the largest (smallest) element of each row, NaN where there is one."""
    element = ELEMENT[kind]
    lanes = 64 // int(kind[1:]) * 8
    vector, mask = f"<{lanes} x {element}>", f"<{lanes} x i1>"
    code = Code("extremes", "out x n:i64 inner:i64 begin:i64 end:i64")
    out, x, n, _, begin, end = code.arguments
    worst = float("-inf" if largest else "inf")

    def better(a: Value, b: Value) -> Value:
        return code.where(a > b if largest else a < b, a, b)

    with code.loop(begin, end, short=True) as o:
        row = code.at(x, o * n, element)
        bests = [code.variable(vector, worst) for _ in range(4)]
        lost = code.variable(mask, code.value("zeroinitializer", mask))
        whole = n // (4 * lanes) * (4 * lanes)
        with code.loop(0, whole, 4 * lanes, short=True) as i:
            for k, best in enumerate(bests):
                value = code.load(vector, row, i + k * lanes)
                best.value, lost.value = better(value, best.value), lost.value | value.is_nan()
        a, b, c, d = (best.value for best in bests)
        together = better(better(a, b), better(c, d))
        result = code.variable(element, worst)
        nan = code.variable("i1", code.call("i1", f"llvm.vector.reduce.or.v{lanes}i1", lost.value))
        for k in range(lanes):
            result.value = better(code.lane(together, k), result.value)
        with code.loop(whole, n, short=True) as i:
            value = code.load(element, row, i)
            result.value, nan.value = better(value, result.value), nan.value | value.is_nan()
        code.store(code.where(nan.value, code.value(float("nan"), element), result.value), out, o)
    return _main(f"flambeau_row_{'largest' if largest else 'smallest'}_{kind}", code, "out x", "", False)


@cache
def integer_sums(itemsize: int, unsigned: bool) -> Callable[..., Any]:
    """`kernel(out, x, outer, n, inner)`, `inner` being 1: the sums of rows of integers in int64."""
    stored = {1: "i8", 2: "i16", 4: "i32", 8: "i64"}[itemsize]
    code = Code("sums", "out x n:i64 inner:i64 begin:i64 end:i64")
    out, x, n, _, begin, end = code.arguments

    def wide(value: Value) -> Value:
        return code.op(f"zext {stored} {value} to i64", "i64") if unsigned else code.convert(value, "i64")

    with code.loop(begin, end) as o:
        row = code.at(x, o * n, stored)
        total = code.variable("i64", 0)
        with code.loop(0, n) as i:
            total.value = code.sum(total.value, wide(code.load(stored, row, i)))
        code.store(total.value, out, o)
    return _main(f"flambeau_sums_{'u' if unsigned else 'i'}{itemsize * 8}", code, "out x", "", False)
