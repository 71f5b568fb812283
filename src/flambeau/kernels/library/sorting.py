"""Rows in order, equal elements in their former one. Short rows are sorted by ranks or merged from stretches, others go digit by digit
of their keys from the last one on (Knuth, The Art of Computer Programming 3, 5.2.5). A digit that all elements share costs nothing."""

from functools import cache, partial
from typing import Any, Callable

from ..compiler.code import Code, Value, kernel
from .selection import GRAIN, STORED, ascending, while_

STRETCH = 16
"""So many elements are sorted by insertion."""
SHORT = 192
"""Up to so many elements of 8 bytes a row is merged from stretches."""
LANES = 8
FEW = 80
"""Up to so many smaller elements each is compared with all."""
BITS = 8
"""Of a digit."""
DIGITS = 1 << BITS


class Pairs:
    """Keys, which ascend as unsigned numbers, and places; in one word where the key has 32 bits at most."""

    def __init__(self, code: Code, wide: bool, keys: Value, places: Value) -> None:
        self.code, self.wide, self.keys, self.places = code, wide, keys, places

    def first(self, at: Value, key: Value, place: Value) -> None:
        """Puts a key, an i32 or i64, and its place."""
        code = self.code
        if self.wide:
            self.put(at, (code.op(f"xor i64 {key}, {-1 << 63}", "i64"), code.convert(place, "i32")))
        else:
            word = code.op(f"zext i32 {code.op(f'xor i32 {key}, {-1 << 31}', 'i32')} to i64", "i64")
            self.put(at, (code.op(f"shl i64 {word}, 32", "i64") | place,))

    def get(self, at: Any) -> tuple[Value, ...]:
        word = self.code.load("i64", self.keys, at)
        return (word, self.code.load("i32", self.places, at)) if self.wide else (word,)

    def put(self, at: Any, pair: tuple[Value, ...]) -> None:
        self.code.store(pair[0], self.keys, at)
        if self.wide:
            self.code.store(pair[1], self.places, at)

    def place(self, at: Any) -> Value:
        code = self.code
        if self.wide:
            return code.convert(code.load("i32", self.places, at), "i64")
        return code.load("i64", self.keys, at) & 0xFFFFFFFF

    def digit(self, key: Value, shift: int) -> Value:
        return self.code.op(f"lshr i64 {key}, {shift + (0 if self.wide else 32)}", "i64") & (DIGITS - 1)


def _insertion() -> Code:
    """Sorts the pairs of [start, stop) in place."""
    code = Code("insertion", "keys places start:i64 stop:i64")
    keys, places, start, stop = code.arguments
    pairs = Pairs(code, True, keys, places)
    at = code.variable("i64")
    with code.loop(start + 1, stop, short=True) as i:
        moved = pairs.get(i)
        at.value = i

        def before() -> Value:
            above = code.load("i64", keys, code.most(at.value - 1, start))
            return (at.value > start) & code.op(f"icmp ult i64 {moved[0]}, {above}", "i1")

        with while_(code, before):
            pairs.put(at.value, pairs.get(at.value - 1))
            at.value = at.value - 1
        pairs.put(at.value, moved)
    return code


def _by_merging(insertion: Code) -> Code:
    """Sorts n pairs; whether they are in the second buffers then."""
    code = Code("by_merging", "keys places keys2 places2 n:i64", "i64")
    keys, places, keys2, places2, n = code.arguments
    with code.loop(0, n, STRETCH, short=True) as start:
        code.run(insertion, keys, places, start, code.least(start + STRETCH, n))
    pointers = [code.variable("ptr", p) for p in (keys, places, keys2, places2)]
    swapped, width = code.variable("i64", 0), code.variable("i64", STRETCH)
    a, b = code.variable("i64"), code.variable("i64")
    with while_(code, lambda: width.value < n):
        now = [p.value for p in pointers]
        source, target = Pairs(code, True, *now[:2]), Pairs(code, True, *now[2:])
        step = width.value
        with code.loop(0, n, step * 2, short=True) as start:
            middle = code.least(start + step, n)
            end = code.least(middle + step, n)
            a.value, b.value = start, middle
            with code.loop(start, end, short=True) as to:
                one = source.get(code.least(a.value, middle - 1))
                other = source.get(code.least(b.value, n - 1))
                later = (a.value >= middle) | ((b.value < end) & code.op(f"icmp ult i64 {other[0]}, {one[0]}", "i1"))
                target.put(to, tuple([code.where(later, y, x) for x, y in zip(one, other)]))
                taken = code.convert(later, "i64")
                a.value, b.value = a.value + (1 - taken), b.value + taken
        for p, value in zip(pointers, now[2:] + now[:2]):
            p.value = value
        swapped.value = 1 - swapped.value
        width.value = step * 2
    code.back(swapped.value)
    return code


def _by_ranks() -> Code:
    """Sorts n words, of which no two are equal, into the second buffer: each goes behind as many as are less. They are made a multiple of
    `LANES` in number."""
    code = Code("by_ranks", "keys places keys2 places2 n:i64", "i64")
    keys, _, target, _, n = code.arguments
    vector = f"<{LANES} x i64>"
    rounded = (n + (LANES - 1)) // LANES * LANES
    with code.loop(n, rounded, short=True) as i:
        code.store(code.value(-1), keys, i)
    counts = code.variable(vector)
    with code.loop(0, n, short=True) as i:
        word = code.load("i64", keys, i)
        wanted = code.splat(word, vector)
        counts.value = code.value(0, vector)
        with code.loop(0, rounded, LANES, short=True) as j:
            less = code.op(f"icmp ult {vector} {code.load(vector, keys, j)}, {wanted}", f"<{LANES} x i1>")
            counts.value = counts.value - code.op(f"sext {less.type} {less} to {vector}", vector)
        code.store(word, target, code.total(counts.value))
    code.back(1)
    return code


def _by_digits(wide: bool, bits: int) -> Code:
    """Sorts n pairs; whether they are in the second buffers then."""
    code = Code("by_digits_wide" if wide else "by_digits", "keys places keys2 places2 n:i64", "i64")
    keys, places, keys2, places2, n = code.arguments
    shifts = range(0, bits, BITS)
    counts = code.array("i64", DIGITS * len(shifts))
    with code.loop(DIGITS * len(shifts)) as i:
        code.store(code.value(0), counts, i)
    here = Pairs(code, wide, keys, places)
    with code.loop(0, n, short=True) as i:
        key = here.get(i)[0]
        for d, shift in enumerate(shifts):
            at = code.at(counts, here.digit(key, shift) + d * DIGITS, "i64")
            code.store(code.load("i64", at) + 1, at)
    pointers = [code.variable("ptr", p) for p in (keys, places, keys2, places2)]
    swapped = code.variable("i64", 0)
    total = code.variable("i64")
    for d, shift in enumerate(shifts):
        table = code.at(counts, d * DIGITS, "i64")
        now = [p.value for p in pointers]
        source, target = Pairs(code, wide, *now[:2]), Pairs(code, wide, *now[2:])
        with code.when(code.load("i64", table, source.digit(source.get(0)[0], shift)).differs(n)):
            total.value = 0
            with code.loop(0, DIGITS, short=True) as i:
                count = code.load("i64", table, i)
                code.store(total.value, table, i)
                total.value = total.value + count
            with code.loop(0, n, short=True) as i:
                pair = source.get(i)
                at = code.at(table, source.digit(pair[0], shift), "i64")
                to = code.load("i64", at)
                code.store(to + 1, at)
                target.put(to, pair)
            for p, value in zip(pointers, now[2:] + now[:2]):
                p.value = value
            swapped.value = 1 - swapped.value
    code.back(swapped.value)
    return code


@cache
def sort(itemsize: int, infinity: int | None, unsigned: bool, descending: bool) -> Callable[..., Any]:
    """`kernel(values, indices, x, words, more, rows, n)`: each row of x in order, equal ones in their former order, and where they were.

    words: memory for 2 * rows * (n + LANES) int64; more: for as many int32 where elements have 8 bytes. n is below 2^31.
    infinity, unsigned: as in `selection.top`.
    """
    stored, wide = STORED[itemsize], itemsize == 8
    parts: list[Code] = []
    code = Code("rows", "values indices x words more n:i64 begin:i64 end:i64")
    values, indices, x, words, more, n, begin, end = code.arguments
    buffer = n + LANES  # what is compared goes beyond n
    first = begin * buffer * 2

    def sorter(wide: bool, bits: int) -> Callable[..., None]:
        """What sorts the pairs that `fill(pairs, i)` makes and gives them back."""
        insertion = _insertion()
        quick, by_digits = _by_merging(insertion) if wide else _by_ranks(), _by_digits(wide, bits)
        parts.extend([insertion, quick, by_digits] if wide else [quick, by_digits])
        limit = SHORT if wide else FEW
        keys, places = code.at(words, first, "i64"), code.at(more, first if wide else 0, "i32")
        keys2, places2 = code.at(keys, buffer, "i64"), code.at(places, buffer if wide else 0, "i32")

        def run(r: Value, fill: Callable[[Pairs, Value], None]) -> None:
            row, to, found = code.at(x, r * n, stored), code.at(values, r * n, stored), code.at(indices, r * n, "i64")
            front, back = Pairs(code, wide, keys, places), Pairs(code, wide, keys2, places2)
            with code.loop(0, n) as i:
                fill(front, i)
            moved = code.variable("i64")

            def by(function: Code) -> None:
                moved.value = code.run(function, keys, places, keys2, places2, n)

            def give(pairs: Pairs) -> None:
                with code.loop(0, n, short=True) as i:
                    place = pairs.place(i)
                    code.store(place, found, i)
                    code.store(code.load(stored, row, place), to, i)

            code.either(n <= limit, lambda: by(quick), lambda: by(by_digits))
            code.either(moved.value.equals(0), lambda: give(front), lambda: give(back))

        return run

    whole = sorter(wide, itemsize * 8)
    narrow = sorter(False, 32) if wide and infinity is None else None
    with code.loop(begin, end, short=True) as r:
        row = code.at(x, r * n, stored)

        def as_it_is(pairs: Pairs, i: Value) -> None:
            value = ascending(code, code.load(stored, row, i), stored, infinity, unsigned, descending, "i64" if wide else "i32")
            if itemsize < 4:  # all digits but the last ones are the same
                value = code.op(f"add i32 {value}, {0 if unsigned else 1 << (itemsize * 8 - 1)}", "i32")
                value = code.op(f"and i32 {value}, {(1 << itemsize * 8) - 1}", "i32")
                value = code.op(f"xor i32 {value}, {-1 << 31}", "i32")
            pairs.first(i, value, i)

        def by_distance(pairs: Pairs, i: Value, low: Value, high: Value) -> None:
            value = code.load("i64", row, i)
            distance = code.op(f"sub i64 {high}, {value}" if descending else f"sub i64 {value}, {low}", "i64")
            pairs.put(i, (code.op(f"shl i64 {distance}, 32", "i64") | i,))

        if narrow is None:
            whole(r, as_it_is)
        else:
            least, most = code.variable("i64", code.load("i64", row, 0)), code.variable("i64", code.load("i64", row, 0))
            with code.loop(0, n) as i:
                value = code.load("i64", row, i)
                least.value, most.value = code.least(least.value, value), code.most(most.value, value)
            low, high = least.value, most.value
            near = code.op(f"icmp ult i64 {code.op(f'sub i64 {high}, {low}', 'i64')}, {1 << 32}", "i1")
            narrow_row = partial(narrow, r, lambda pairs, i: by_distance(pairs, i, low, high))
            code.either(near, narrow_row, partial(whole, r, as_it_is))
    main = Code("main", "values indices x words more rows:double n:double")
    *arrays, rows, length = main.arguments
    rows, length = (main.convert(v, "i64") for v in (rows, length))

    def spread() -> None:
        with main.unlocked():
            main.parallel(code, [*arrays, length], rows, GRAIN // length + 1)

    main.either(rows * length > GRAIN, spread, lambda: (main.run(code, *arrays, length, 0, rows), None)[1])
    kinds = f"{'u' if unsigned else 'i' if infinity is None else f'f{infinity:x}_'}{itemsize * 8}"
    return kernel(f"flambeau_sort_{kinds}{'_descending' if descending else ''}", main, *parts, code)
