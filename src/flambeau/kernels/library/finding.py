"""Where elements are, how often, and one value everywhere: loops over bytes and whole numbers."""

from functools import cache
from typing import Any, Callable

from ..compiler.code import Code, Value, kernel, share
from .selection import while_

GRAIN = 1 << 17
"""One thread's share of the bytes that are filled."""
TABLES = 4
"""Tables that are counted in, one after the other: a count waits for the last one in its own."""
FEW = 1024
"""Up to so many numbers are counted in several tables."""
_STORED = {1: "i8", 2: "i16", 4: "i32", 8: "i64"}


@cache
def nonzero() -> Callable[..., Any]:
    """`kernel(out, mask, sizes, count, last)`: the indices of the `count` > 0 true bytes, a row of `out` each, in order.

    sizes: the number of dimensions and their sizes, int64. last: the number of the last one that is true.
    """
    main = Code("main", "out mask sizes count:double last:double")
    out, mask, sizes = main.arguments[:3]
    last = main.convert(main["last"], "i64")
    ndim = main.load("i64", sizes)
    found = main.variable("i64", 0)

    def hit(at: Value) -> Value:
        return main.op(f"zext i8 {main.load('i8', mask, at)} to i64", "i64")

    def vector() -> None:
        with main.loop(0, last + 1, short=True) as i:
            main.store(i, out, found.value)
            found.value = found.value + hit(i)

    def matrix() -> None:
        columns = main.load("i64", sizes, 2)
        with main.loop(0, last // columns + 1, short=True) as r:
            with main.loop(0, main.least(columns, last + 1 - r * columns), short=True) as c:
                to = found.value * 2
                main.store(r, out, to)
                main.store(c, out, to + 1)
                found.value = found.value + hit(r * columns + c)

    def any_shape() -> None:
        rest = main.variable("i64")
        with main.loop(0, last + 1, short=True) as i, main.when(hit(i).differs(0)):
            rest.value = i
            with main.loop(0, ndim, short=True) as k:
                d = ndim - 1 - k
                size = main.load("i64", sizes, d + 1)
                main.store(rest.value % size, out, found.value * ndim + d)
                rest.value = rest.value // size
            found.value = found.value + 1

    with main.unlocked():
        main.either(ndim.equals(1), vector, lambda: main.either(ndim.equals(2), matrix, any_shape))
    return kernel("flambeau_nonzero", main)


@cache
def bincount(weights: str | None) -> Callable[..., Any]:
    """`kernel(counts, x, n, bins)`: adds 1 to the int64 of each number of x, which are int64 and from 0 to bins - 1; with `weights` (a
    floating-point type) `kernel(sums, x, weights, n, bins)` adds those, one after the other."""
    main = Code("main", f"counts x {'weights ' if weights else ''}n:double bins:double")
    counts, x = main.arguments[:2]
    n, bins = (main.convert(main[k], "i64") for k in ("n", "bins"))

    def one(to: Value, i: Value) -> None:
        at = main.at(to, main.load("i64", x, i), weights or "i64")
        main.store(main.load(weights or "i64", at) + (main.load(weights, main["weights"], i) if weights else 1), at)

    def plain() -> None:
        with main.loop(0, n, short=True) as i:
            one(counts, i)

    def tables() -> None:
        more = main.array("i64", TABLES * FEW)
        with main.loop(0, TABLES * FEW) as i:
            main.store(main.value(0), more, i)
        whole = n // TABLES * TABLES
        with main.loop(0, whole, TABLES, short=True) as i:
            for k in range(TABLES):
                one(main.at(more, k * FEW, "i64"), i + k)
        with main.loop(whole, n, short=True) as i:
            one(more, i)
        with main.loop(0, bins) as b:
            total = main.load("i64", more, b)
            for k in range(1, TABLES):
                total = total + main.load("i64", more, b + k * FEW)
            main.store(total, counts, b)

    with main.unlocked():
        if weights:
            plain()
        else:
            main.either((bins <= FEW) & (n > TABLES * FEW), tables, plain)
    return kernel(f"flambeau_bincount_{weights}", main)


@cache
def fill(itemsize: int) -> Callable[..., Any]:
    """`kernel(out, value, count)`: the one element of `value` in every place of `out`."""
    stored = _STORED[itemsize]
    code = Code("fill", "out value begin:i64 end:i64")
    out, value, begin, end = code.arguments
    one = code.load(stored, value)
    with code.loop(begin, end) as i:
        code.store(one, out, i)
    main = Code("main", "out value count:double")
    share(main, code, main.arguments[:2], main.convert(main["count"], "i64"), main.value(GRAIN // itemsize))
    return kernel(f"flambeau_fill_{itemsize}", main, code)


@cache
def repeat(itemsize: int) -> Callable[..., Any]:
    """`kernel(out, x, count, times)`: each element of x `times` times in a row."""
    stored = _STORED[itemsize]
    code = Code("repeat", "out x times:i64 begin:i64 end:i64")
    out, x, times, begin, end = code.arguments

    def twice() -> None:
        with code.loop(begin, end) as i:
            value = code.load(stored, x, i)
            code.store(value, out, i * 2)
            code.store(value, out, i * 2 + 1)

    def often() -> None:
        with code.loop(begin, end) as i:
            value = code.load(stored, x, i)
            with code.loop(0, times) as k:
                code.store(value, out, i * times + k)

    code.either(times.equals(2), twice, often)
    main = Code("main", "out x count:double times:double")
    count, number = (main.convert(main[k], "i64") for k in ("count", "times"))
    share(main, code, [*main.arguments[:2], number], count, GRAIN // itemsize // (number + 1) + 1)
    return kernel(f"flambeau_repeat_{itemsize}", main, code)


TOGETHER = 8
"""Values that are looked for at a time."""


@cache
def search(element: str, right: bool) -> Callable[..., Any]:
    """`kernel(out, sequences, values, rows, n, count)`: for `count` values of each row where they go in its sorted sequence of n > 0
    elements, before equal ones or (`right`) behind them."""
    code = Code("search", "out sequences values n:i64 count:i64 begin:i64 end:i64")
    out, sequences, values, n, count, begin, end = code.arguments

    def after(other: Value, value: Value) -> Value:
        """Whether values go behind elements; NaN goes to the end."""
        return ~(other > value if right else other >= value)

    def some(first: Value, number: int) -> None:
        """As vectors: of a choice between scalars LLVM makes a branch, which no CPU foresees."""
        vector, integers = f"<{number} x {element}>", f"<{number} x i64>"
        wanted = code.load(vector, values, first)
        rows = [code.at(sequences, (first + k) // count * n, element) for k in range(number)]
        places = code.variable(integers, 0)
        left = code.variable("i64", n)

        def behind(offset: Value) -> Value:
            """Where the values go behind the elements so far from their places, -1."""
            found = Value(code, "poison", vector)
            for k, row in enumerate(rows):
                one = code.load(element, row, code.lane(places.value, k) + offset)
                found = code.op(f"insertelement {vector} {found}, {element} {one}, i64 {k}", vector)
            mask = after(found, wanted)
            return code.op(f"sext {mask.type} {mask} to {integers}", integers)

        with while_(code, lambda: left.value > 1):
            half = left.value // 2
            places.value = places.value + (behind(half - 1) & code.splat(half, integers))
            left.value = left.value - half
        code.store(places.value - behind(code.value(0)), out, first)

    whole = begin + (end - begin) // TOGETHER * TOGETHER
    with code.loop(begin, whole, TOGETHER, short=True) as i:
        some(i, TOGETHER)
    with code.loop(whole, end, short=True) as i:
        some(i, 1)
    main = Code("main", "out sequences values rows:double n:double count:double")
    rows, length, number = (main.convert(main[k], "i64") for k in ("rows", "n", "count"))
    share(main, code, [*main.arguments[:3], length, number], rows * number, main.value(1 << 13))
    return kernel(f"flambeau_search_{element}{'_right' if right else ''}", main, code)


def _quotients(name: str, finish: Callable[[Code, Value, Value, Value], Value]) -> Callable[..., Any]:
    """`kernel(out, x, y, count, step)` of int64, y having no 0: `finish(x, y, the quotient rounded towards zero)`. step: 0 where y is one.

    Where numbers are below 2^31 their quotient comes from float64, which is exact: no division of integers is as quick.
    """
    code = Code("quotients", "out x y step:i64 begin:i64 end:i64")
    out, x, y, step, begin, end = code.arguments
    bits = code.variable("i64", 0)

    def size(value: Value) -> Value:
        return code.op(f"xor i64 {value}, {code.op(f'ashr i64 {value}, 63', 'i64')}", "i64")

    with code.loop(begin, end) as i:
        bits.value = bits.value | size(code.load("i64", x, i))

    def divisors(i: Value) -> Value:
        return code.load("i64", y, i * step)

    def all_divisors() -> None:
        with code.loop(begin, end) as i:
            bits.value = bits.value | size(code.load("i64", y, i))

    def one_divisor() -> None:
        bits.value = bits.value | size(code.load("i64", y))

    code.either(step.equals(1), all_divisors, one_divisor)

    def quick(divisor: Callable[[Value], Value]) -> None:
        with code.loop(begin, end) as i:
            a, b = code.load("i64", x, i), divisor(i)
            quotient = code.convert(code.convert(a, "double") / code.convert(b, "double"), "i64")
            code.store(finish(code, a, b, quotient), out, i)

    def slow() -> None:
        with code.loop(begin, end) as i:
            a, b = code.load("i64", x, i), divisors(i)
            negated = b.equals(-1)  # the least number has no quotient by it
            quotient = code.where(negated, code.op(f"sub i64 0, {a}", "i64"), a // code.where(negated, 1, b))
            code.store(finish(code, a, b, quotient), out, i)

    def one_quick() -> None:
        only = code.load("i64", y)
        quick(lambda i: only)

    def quick_ones() -> None:
        code.either(step.equals(1), lambda: quick(lambda i: code.load("i64", y, i)), one_quick)

    code.either(bits.value < 1 << 31, quick_ones, slow)
    main = Code("main", "out x y count:double step:double")
    count, stride = (main.convert(main[k], "i64") for k in ("count", "step"))
    share(main, code, [*main.arguments[:3], stride], count, main.value(GRAIN // 8))
    return kernel(f"flambeau_{name}", main, code)


def _down(code: Code, a: Value, b: Value, quotient: Value) -> Value:
    rest = code.op(f"sub i64 {a}, {code.op(f'mul i64 {quotient}, {b}', 'i64')}", "i64")
    apart = (code.op(f"xor i64 {rest}, {b}", "i64") < 0) & rest.differs(0)
    return code.where(apart, quotient - 1, quotient)


def _rest(code: Code, a: Value, b: Value, quotient: Value) -> Value:
    return code.op(f"sub i64 {a}, {code.op(f'mul i64 {quotient}, {b}', 'i64')}", "i64")


def _rest_with_sign(code: Code, a: Value, b: Value, quotient: Value) -> Value:
    rest = _rest(code, a, b, quotient)
    apart = (code.op(f"xor i64 {rest}, {b}", "i64") < 0) & rest.differs(0)
    return code.where(apart, rest + b, rest)


@cache
def quotients(kind: str) -> Callable[..., Any]:
    """The kernel for "trunc", "floor", "fmod" or "remainder"."""
    finish = {"trunc": lambda code, a, b, q: q, "floor": _down, "fmod": _rest, "remainder": _rest_with_sign}[kind]
    return _quotients(f"integer_{kind}", finish)
