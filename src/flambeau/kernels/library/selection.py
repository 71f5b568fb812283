"""The first of a row in order, equal ones as PyTorch's `topk` leaves them.

PyTorch calls the C++ library's `partial_sort` where 64 k <= n, else `nth_element` and `sort`, which are not stable. These follow GNU's
libstdc++ step by step (introsort after Musser, 1997), as `kernels/selection.py` does in Python. A queue is keys and places, moved
together; keys are integers that ascend from the first on, so that one comparison serves all dtypes.
"""

from contextlib import contextmanager
from functools import cache
from typing import Any, Callable, Iterator

from ..compiler.code import SIZE, Code, Value, kernel

_MOST = {2: 0x7FFF, 4: 0x7FFFFFFF, 8: 0x7FFFFFFFFFFFFFFF}
STORED = {1: "i8", 2: "i16", 4: "i32", 8: "i64"}
LANES = 16
"""Keys that are looked at together for one that is to come in."""
GRAIN = 1 << 15


class Queue:
    """Keys and places of one row, in a function that is being written."""

    def __init__(self, code: Code, key: str) -> None:
        self.code, self.keys, self.places, self.type = code, code["keys"], code["places"], key

    def key(self, at: Any) -> Value:
        return self.code.load(self.type, self.keys, at)

    def get(self, at: Any) -> tuple[Value, Value]:
        return self.key(at), self.code.load("i64", self.places, at)

    def put(self, at: Any, moved: tuple[Value, Value]) -> None:
        self.code.store(moved[0], self.keys, at)
        self.code.store(moved[1], self.places, at)

    def move(self, to: Any, source: Any) -> None:
        self.put(to, self.get(source))

    def swap(self, a: Any, b: Any) -> None:
        one, other = self.get(a), self.get(b)
        self.put(a, other)
        self.put(b, one)


@contextmanager
def while_(code: Code, condition: Callable[[], Value]) -> Iterator[None]:
    n = code.fresh("")
    code.mark(f"while{n}")
    code.branch(condition(), f"do{n}", f"end{n}")
    code.mark(f"do{n}")
    yield
    code.jump(f"while{n}")
    code.mark(f"end{n}")


def _sift(key: str) -> Code:
    """Moves the hole down to the bottom, always to the greater child, then what was moved up from there."""
    code = Code("sift", f"keys places first:i64 top:i64 size:i64 moved:{key} place:i64")
    q, first, top, size, moved = Queue(code, key), code["first"], code["top"], code["size"], code["moved"]
    child, hole = code.variable("i64", top), code.variable("i64", top)
    with while_(code, lambda: child.value < (size - 1) // 2):
        right = child.value * 2 + 2
        child.value = code.where(q.key(first + right) < q.key(first + right - 1), right - 1, right)
        q.move(first + hole.value, first + child.value)
        hole.value = child.value
    with code.when((size % 2).equals(0) & child.value.equals((size - 2) // 2)):
        child.value = child.value * 2 + 1
        q.move(first + hole.value, first + child.value)
        hole.value = child.value
    parent = code.variable("i64", (hole.value - 1) // 2)
    with while_(code, lambda: (hole.value > top) & (q.key(first + parent.value) < moved)):
        q.move(first + hole.value, first + parent.value)
        hole.value = parent.value
        parent.value = (hole.value - 1) // 2
    q.put(first + hole.value, (moved, code["place"]))
    return code


def _make_heap(code: Code, q: Queue, sift: Code, first: Value, size: Value) -> None:
    with code.loop(0, size // 2, short=True) as i:
        parent = size // 2 - 1 - i
        code.run(sift, q.keys, q.places, first, parent, size, *q.get(first + parent))


def _sort_heap(code: Code, q: Queue, sift: Code, first: Value, middle: Value) -> None:
    with code.loop(1, middle - first, short=True) as i:
        end = middle - i
        moved = q.get(end)
        q.move(end, first)
        code.run(sift, q.keys, q.places, first, 0, end - first, *moved)


def _heap_select(key: str, sift: Code) -> Code:
    """Makes a heap of the smallest of [first, last) in [first, middle), the greatest of them in front."""
    code = Code("heap_select", "keys places first:i64 middle:i64 last:i64")
    q, first, middle = Queue(code, key), code["first"], code["middle"]
    _make_heap(code, q, sift, first, middle - first)
    with code.loop(middle, code["last"], short=True) as i, code.when(q.key(i) < q.key(first)):
        moved = q.get(i)
        q.move(i, first)
        code.run(sift, q.keys, q.places, first, 0, middle - first, *moved)
    return code


def _partial_sort(key: str, sift: Code) -> Code:
    """The smallest `count` of all `n` keys, sorted, in front. Places behind them are taken to be their own."""
    code = Code("partial_sort", "keys places count:i64 n:i64")
    q, count, n = Queue(code, key), code["count"], code["n"]
    zero = code.value(0)
    _make_heap(code, q, sift, zero, count)

    def look(i: Value) -> None:
        with code.when(q.key(i) < q.key(0)):
            code.run(sift, q.keys, q.places, 0, 0, count, q.key(i), i)

    vector = f"<{LANES} x {key}>"
    whole = count + (n - count) // LANES * LANES
    with code.loop(count, whole, LANES, short=True) as i:
        some = code.load(vector, q.keys, i) < code.splat(q.key(0), vector)
        with code.when(code.op(f"bitcast {some.type} {some} to i{LANES}", f"i{LANES}").differs(0)):
            with code.loop(i, i + LANES, short=True) as j:
                look(j)
    with code.loop(whole, n, short=True) as i:
        look(i)
    _sort_heap(code, q, sift, zero, count)
    return code


def _partition(key: str) -> Code:
    """Parts [first, last) at the median of its second, middle and last key, which moves to the front; where the upper part begins."""
    code = Code("partition", "keys places first:i64 last:i64", "i64")
    q, first, last = Queue(code, key), code["first"], code["last"]
    second, middle, end = first + 1, first + (last - first) // 2, last - 1
    a, b, c = q.key(second), q.key(middle), q.key(end)
    rising = code.where(b < c, middle, code.where(a < c, end, second))
    falling = code.where(a < c, second, code.where(b < c, end, middle))
    q.swap(first, code.where(a < b, rising, falling))
    pivot = q.key(first)
    left, right = code.variable("i64", first + 1), code.variable("i64", last)
    n = code.fresh("")
    code.mark(f"again{n}")
    with while_(code, lambda: q.key(left.value) < pivot):
        left.value = left.value + 1
    right.value = right.value - 1
    with while_(code, lambda: pivot < q.key(right.value)):
        right.value = right.value - 1
    code.leave(left.value >= right.value, f"parted{n}")
    q.swap(left.value, right.value)
    left.value = left.value + 1
    code.jump(f"again{n}")
    code.mark(f"parted{n}")
    code.back(left.value)
    return code


def _insert(key: str) -> Code:
    """Moves what is at a place back to where it belongs; something not greater stands before."""
    code = Code("insert", "keys places from:i64")
    q = Queue(code, key)
    at = code.variable("i64", code["from"])
    moved = q.get(code["from"])
    with while_(code, lambda: moved[0] < q.key(at.value - 1)):
        q.move(at.value, at.value - 1)
        at.value = at.value - 1
    q.put(at.value, moved)
    return code


def _insertion_sort(key: str, insert: Code) -> Code:
    code = Code("insertion_sort", "keys places first:i64 last:i64")
    q, first = Queue(code, key), code["first"]
    with code.loop(first + 1, code["last"], short=True) as i:

        def to_front() -> None:
            moved = q.get(i)
            with code.loop(0, i - first, short=True) as j:
                q.move(i - j, i - j - 1)
            q.put(first, moved)

        code.either(q.key(i) < q.key(first), to_front, lambda: (code.run(insert, q.keys, q.places, i), None)[1])
    return code


def _nth_element(key: str, heap_select: Code, partition: Code, insertion_sort: Code) -> Code:
    """Puts the right key at `nth` of [0, n), none greater before it."""
    code = Code("nth_element", "keys places nth:i64 n:i64 limit:i64")
    q, nth = Queue(code, key), code["nth"]
    first, last, depth = code.variable("i64", 0), code.variable("i64", code["n"]), code.variable("i64", code["limit"])
    with while_(code, lambda: last.value - first.value > 3):
        with code.when(depth.value.equals(0)):
            code.run(heap_select, q.keys, q.places, first.value, nth + 1, last.value)
            q.swap(first.value, nth)
            code.back()
        depth.value = depth.value - 1
        cut = code.run(partition, q.keys, q.places, first.value, last.value)
        lower = cut > nth
        first.value = code.where(lower, first.value, cut)
        last.value = code.where(lower, cut, last.value)
    code.run(insertion_sort, q.keys, q.places, first.value, last.value)
    return code


def _introsort(key: str, sift: Code, heap_select: Code, partition: Code) -> Code:
    """Sorts coarsely: stretches of at most 16 stay as they are."""
    code = Code("introsort", "keys places first:i64 last:i64 limit:i64")
    q, first = Queue(code, key), code["first"]
    last, depth = code.variable("i64", code["last"]), code.variable("i64", code["limit"])
    with while_(code, lambda: last.value - first > 16):
        with code.when(depth.value.equals(0)):
            code.run(heap_select, q.keys, q.places, first, last.value, last.value)
            _sort_heap(code, q, sift, first, last.value)
            code.back()
        depth.value = depth.value - 1
        cut = code.run(partition, q.keys, q.places, first, last.value)
        code.run(code, q.keys, q.places, cut, last.value, depth.value)
        last.value = cut
    return code


def _sort(introsort: Code, insertion_sort: Code, insert: Code) -> Code:
    """Sorts [0, last)."""
    code = Code("sort", "keys places last:i64")
    keys, places, last = code.arguments
    with code.when(last > 0):
        code.run(introsort, keys, places, 0, last, _depth_limit(code, last))
        code.run(insertion_sort, keys, places, 0, code.least(last, 16))
        with code.loop(16, last, short=True) as i:
            code.run(insert, keys, places, i)
    return code


def _depth_limit(code: Code, n: Value) -> Value:
    return (63 - code.call("i64", "llvm.ctlz.i64", n, False)) * 2


def ascending(code: Code, bits: Value, stored: str, infinity: int | None, unsigned: bool, largest: bool, key: str) -> Value:
    """An integer that ascends as the wanted order does. infinity: its bits, of floating-point numbers; NaN is the greatest."""
    if unsigned:
        value = code.op(f"zext {stored} {bits} to {key}", key)
    elif infinity is None:
        value = code.convert(bits, key)
    else:
        most = code.value(_MOST[SIZE[stored]], stored)
        size = bits & most
        size = code.where(size > code.value(infinity, stored), most, size)
        nan = size.equals(most)
        value = code.convert(code.where((bits < 0) & ~nan, code.op(f"sub {stored} 0, {size}", stored), size), key)
    return ~value if largest else value


@cache
def top(itemsize: int, infinity: int | None, unsigned: bool, largest: bool) -> Callable[..., Any]:
    """`kernel(values, indices, x, keys, places, rows, n, count)`: the first `count` of each row of x and where they are.

    keys, places: memory for rows * n keys (int64 of elements of 8 bytes, else int32) and int64 places, used for nothing else. infinity:
    the bits of infinity where x is of floating-point numbers.
    """
    stored = STORED[itemsize]
    key = "i64" if itemsize == 8 else "i32"
    sift = _sift(key)
    heap_select, partition, insert = _heap_select(key, sift), _partition(key), _insert(key)
    insertion_sort = _insertion_sort(key, insert)
    partial_sort, introsort = _partial_sort(key, sift), _introsort(key, sift, heap_select, partition)
    nth_element, sort = _nth_element(key, heap_select, partition, insertion_sort), _sort(introsort, insertion_sort, insert)
    code = Code("top", "values indices x keys places n:i64 count:i64 begin:i64 end:i64")
    values, indices, x, keys, places, n, count, begin, end = code.arguments
    keys, places = code.at(keys, begin * n, key), code.at(places, begin * n, "i64")
    with code.loop(begin, end, short=True) as r:
        row, to, found = code.at(x, r * n, stored), code.at(values, r * count, stored), code.at(indices, r * count, "i64")
        with code.loop(0, n) as i:
            code.store(ascending(code, code.load(stored, row, i), stored, infinity, unsigned, largest, key), keys, i)

        def few() -> None:
            with code.loop(0, count) as i:
                code.store(i, places, i)
            code.run(partial_sort, keys, places, count, n)

        def many() -> None:
            with code.loop(0, n) as i:
                code.store(i, places, i)
            code.run(nth_element, keys, places, count - 1, n, _depth_limit(code, n))
            code.run(sort, keys, places, count - 1)

        code.either(count * 64 <= n, few, many)
        with code.loop(0, count, short=True) as i:
            place = code.load("i64", places, i)
            code.store(place, found, i)
            code.store(code.load(stored, row, place), to, i)
    main = Code("main", "values indices x keys places rows:double n:double count:double")
    *arrays, rows, length, number = main.arguments
    rows, length, number = (main.convert(v, "i64") for v in (rows, length, number))

    def spread() -> None:
        with main.unlocked():
            main.parallel(code, [*arrays, length, number], rows, GRAIN // length + 1)

    main.either(rows * length > GRAIN, spread, lambda: (main.run(code, *arrays, length, number, 0, rows), None)[1])
    kinds = f"{'u' if unsigned else 'i' if infinity is None else f'f{infinity:x}_'}{itemsize * 8}"
    parts = [sift, heap_select, partition, insert, insertion_sort, partial_sort, introsort, nth_element, sort, code]
    return kernel(f"flambeau_top_{kinds}_{'largest' if largest else 'smallest'}", main, *parts)
