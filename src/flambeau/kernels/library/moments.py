"""Mean and variance of rows in PyTorch's order, so that no digit differs; and how the lanes of a register are added up.

The order of the moments is that of ATen's `cpu/moments_utils.h`, over AVX2 registers: Welford's update (1962) runs down a chunk of 16
registers; chunks are merged two by two, the results two by two again, and so on (Chan, Golub and LeVeque, 1979); what is left over at the
end of the row goes one element after the other, and into this the lanes are merged one after the other. Where PyTorch's compiler fuses a
product with a sum was learnt by comparing bits: everywhere but where a sum is carried from one turn of a loop to the next.
"""

from typing import Any, Callable

from ..compiler.code import Code, Value, Variable
from .vectors import Shape, Writer

CHUNK = 16
"""Registers in a chunk."""
DEPTH = 64
"""Levels of merging: more than there can be."""
BLOCK = 4096
"""Elements of the rows that are done at a time: they stay in the cache until they are read again."""


def registers(element: str) -> Shape:
    """Shapes of AVX2 registers: the order of additions depends on how wide they are."""
    return Shape(element, 256)


def _number(w: Writer, x: Value) -> Value:
    """An integer as an element."""
    return w.convert(x, w.shape.element)


def _merge(w: Writer, count: Value, other: tuple[Value, Value], own: Value, into: tuple[Value, Value]) -> tuple[Value, Value]:
    """The moments of `own` elements in each lane, joined by those of `count` others."""
    part = w.everywhere(_number(w, count) / _number(w, own + count))
    distance = other[0] - into[0]
    step = part * distance
    return into[0] + step, w.fused(distance * w.everywhere(_number(w, own)), step, into[1] + other[1])


def _carry(s: Shape) -> Code:
    """Takes the moments `found` of a chunk, or of some, up the levels; a level that is complete goes on into the next.

    `levels` holds the first and the second moments of each level, `counts` how many registers each has seen. `done` is the number of chunks
    by now, `level` where these come in.
    """
    w = Writer(s, "carry", "levels counts found level:i64 done:i64 depth:i64 count:i64", apart=True)
    at, first, second = w.variable("i64", w["level"]), *(w.variable(s.vector, w.load(s.vector, w["found"], i * s.width)) for i in range(2))
    count = w.variable("i64", w["count"])
    up, stays = w.fresh("up"), w.fresh("stays")
    w.mark(up)
    slot = w.at(w["levels"], at.value * (2 * s.width))
    seen = w.at(w["counts"], at.value, "i64")
    before = w.load("i64", seen)
    with w.when(before > 0):
        first.value, second.value = _merge(
            w, count.value, (first.value, second.value), before, (w.load(s.vector, slot), w.load(s.vector, slot, s.width))
        )
    count.value = count.value + before
    higher = at.value + 1
    complete = (w.op(f"ashr i64 {w['done']}, {at.value}", "i64") & 1).equals(0)
    w.store(0, seen)
    at.value = higher
    w.branch(complete & (higher < w["depth"]), up, stays)
    w.mark(stays)
    w.store(first.value, slot)
    w.store(second.value, slot, s.width)
    w.store(count.value, seen)
    return w


class Moments:
    """What a function needs for the moments of rows of `n` elements: made once, before the loop over the rows.

    Some rows are done at a time, so that what goes one after the other within a row, the lanes of its registers, is done for all at once.
    """

    def __init__(self, w: Writer, n: Value) -> None:
        s = w.shape
        self.w, self.n = w, n
        self.block = w.least(w.most(BLOCK // n, 1), s.width)
        self.vectors = n // s.width
        self.tail = self.vectors * s.width
        self.chunks = (self.vectors + (CHUNK - 1)) // CHUNK
        zeros = w.call("i64", "llvm.ctlz.i64", w.most(self.chunks - 1, 0), False)
        self.depth = w.most(64 - zeros, 1)
        self.levels, self.counts = w.array(s.element, 2 * DEPTH * s.width), w.array("i64", DEPTH)
        self.found, self.inverse = w.array(s.element, 2 * s.width), w.array(s.element, CHUNK)
        self.firsts, self.seconds = (w.array(s.element, s.width * s.width) for _ in range(2))
        for k in range(CHUNK):
            w.store(w.value(1.0, s.element) / w.value(k + 1.0, s.element), self.inverse, k)
        self.parts, self.before = w.array(s.element, s.width), w.array(s.element, s.width)
        with w.loop(s.width, short=True) as i:
            seen = n - self.tail + self.vectors * i
            w.store(_number(w, self.vectors) / _number(w, seen + self.vectors), self.parts, i)
            w.store(_number(w, seen), self.before, i)
        with w.loop(self.depth) as i:
            w.store(0, self.counts, i)

    def of(self, x: Value, rows: Value) -> tuple[Value, Value]:
        """The means and the variances of the first rows from x on, `block` of them at most, as the lanes of two vectors."""
        w, s = self.w, self.w.shape
        with w.when(self.vectors > 0):
            with w.loop(rows) as row:
                start, to = w.at(x, row * self.n), row * s.width
                w.either(self.chunks > 1, lambda: self._long(start, to), lambda: self._short(start, to))
        return self._merged(x, rows)

    def _chains(self, x: Value, chains: int, steps: Any = CHUNK) -> list[tuple[Value, Value]]:
        """The moments of `chains` chunks from x on, in lanes; of their first registers where `steps` says how many."""
        w, s = self.w, self.w.shape
        first, second = ([w.variable(s.vector, 0.0) for _ in range(chains)] for _ in range(2))
        at_once = 4 if steps is CHUNK else 1
        with w.loop(0, steps, at_once, short=True) as start:
            for k in range(at_once):
                i = start + k
                part = w.everywhere(w.load(s.element, self.inverse, i))
                for c in range(chains):
                    value = w.load(s.vector, w.at(x, (i + c * CHUNK) * s.width))
                    distance = value - first[c].value
                    first[c].value = w.fused(part, distance, first[c].value)
                    second[c].value = w.fused(distance, value - first[c].value, second[c].value)
        return [(a.value, b.value) for a, b in zip(first, second)]

    def _put(self, found: Any, to: Value) -> None:
        for array, part in zip((self.firsts, self.seconds), found):
            self.w.store(part, array, to)

    def _short(self, x: Value, to: Value) -> None:
        """The moments in the lanes of a row of one chunk."""
        self._put(self._chains(x, 1, self.vectors)[0], to)

    def _long(self, x: Value, to: Value) -> None:
        """The moments in the lanes of a row of several chunks."""
        w, s = self.w, self.w.shape
        whole = self.vectors // CHUNK
        size = CHUNK * s.width
        chunk = w.value(CHUNK)
        fours = whole // 4
        start = w.least(w.value(2), self.depth - 1)
        with w.loop(fours) as i:
            parts = self._chains(w.at(x, i * (4 * size)), 4)
            left, right = (_merge(w, chunk, parts[c + 1], chunk, parts[c]) for c in (0, 2))
            joined = _merge(w, chunk * 2, right, chunk * 2, left)
            self._carry(joined, start, i * 4 + 4, chunk * 4)
        with w.loop(fours * 4, whole) as i:
            (found,) = self._chains(w.at(x, i * size), 1)
            self._carry(found, 0, i + 1, chunk)
        left_over = self.vectors - whole * CHUNK
        with w.when(left_over > 0):
            (found,) = self._chains(w.at(x, whole * size), 1, left_over)
            self._carry(found, 0, whole + 1, left_over)
        first, second = (w.variable(s.vector, 0.0) for _ in range(2))
        count = w.variable("i64", 0)
        with w.loop(self.depth) as level:
            seen = w.at(self.counts, level, "i64")
            more = w.load("i64", seen)
            with w.when(more > 0):
                slot = w.at(self.levels, level * (2 * s.width))
                other = w.load(s.vector, slot), w.load(s.vector, slot, s.width)
                w.either(
                    count.value > 0,
                    lambda: self._assign((first, second), _merge(w, more, other, count.value, (first.value, second.value))),
                    lambda: self._assign((first, second), other),
                )
                count.value = count.value + more
                w.store(0, seen)
        self._put((first.value, second.value), to)

    def _carry(self, found: tuple[Value, Value], level: Any, done: Value, count: Value) -> None:
        w = self.w
        for i, part in enumerate(found):
            w.store(part, self.found, i * w.shape.width)
        w.call("void", "carry", self.levels, self.counts, self.found, level, done, self.depth, count)

    def _merged(self, x: Value, rows: Value) -> tuple[Value, Value]:
        """The elements behind the registers, one after the other, and then the lanes, for all rows of a block."""
        w, s = self.w, self.w.shape
        mean, squares = (w.variable(s.vector, 0.0) for _ in range(2))
        with w.when(self.n > self.tail):
            starts = [w.at(x, w.least(w.value(row), rows - 1) * self.n + self.tail) for row in range(s.width)]
            with w.loop(self.n - self.tail, short=True) as i:
                value = w.value("poison", s.vector)
                for row, start in enumerate(starts):
                    value = w.op(f"insertelement {s.vector} {value}, {s.element} {w.load(s.element, start, i)}, i64 {row}", s.vector)
                distance = value - mean.value
                mean.value = mean.value + distance / w.everywhere(_number(w, i + 1))
                squares.value = squares.value + distance * (value - mean.value)
        with w.when(self.vectors > 0):
            first, second = (
                w.transposed([w.load(s.vector, array, row * s.width) for row in range(s.width)]) for array in (self.firsts, self.seconds)
            )
            for lane in range(s.width):
                part, before = (w.everywhere(w.load(s.element, array, lane)) for array in (self.parts, self.before))
                distance = first[lane] - mean.value
                squares.value = squares.value + w.fused(distance * distance * part, before, second[lane])
                mean.value = w.fused(part, distance, mean.value)
        return mean.value, squares.value / w.everywhere(_number(w, self.n))

    @staticmethod
    def _assign(variables: Any, values: Any) -> None:
        for variable, value in zip(variables, values):
            variable.value = value


def folded(w: Writer, x: Value) -> Value:
    """The sum of the lanes of a register: of float32 the halves, then again; else one after the other."""
    if w.shape.element == "float":
        return w.total(x)
    return in_sequence(w, x)


def in_sequence(w: Writer, x: Value) -> Value:
    """The sum of the lanes of a register, one after the other."""
    total = w.lane(x, 0)
    for lane in range(1, w.shape.width):
        total = total + w.lane(x, lane)
    return total


def reduced(w: Writer, n: Value, factors: Callable[..., list[tuple[Value, Value | None]]]) -> list[Value]:
    """Sums over the n elements of a row, each in one register whose lanes are added up at the end (ATen's `vec/functional_base.h`).

    `factors(first element, mask)` gives for each sum the last two factors of its terms (the second None where there is one alone): only
    behind the last whole register their product is fused with the sum.
    """
    s = w.shape

    def product(a: Value, b: Value | None) -> Value:
        return a if b is None else a * b

    results: list[Variable] = []

    def short() -> None:
        for pair in factors(0, w.first_lanes(n)):
            results.append(w.variable(s.element, in_sequence(w, product(*pair))))

    def long() -> None:
        totals = [w.variable(s.vector, product(*pair)) for pair in factors(0)]
        whole = n // s.width * s.width
        with w.loop(s.width, whole, s.width) as i:
            for total, pair in zip(totals, factors(i)):
                total.value = total.value + product(*pair)
        with w.when(n > whole):
            for total, (a, b) in zip(totals, factors(whole, w.first_lanes(n - whole))):
                total.value = total.value + a if b is None else w.fused(a, b, total.value)
        for result, total in zip(results, totals):
            result.value = folded(w, total.value)

    w.either(n < s.width, short, long)
    return [result.value for result in results]


def parts(s: Shape) -> list[Code]:
    """The functions that a module with `Moments` needs."""
    return [_carry(s)]
