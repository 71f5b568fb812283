"""Products of fewer than 4 rows or 12 columns in float32, in the order in which PyTorch's library adds them up.

Above those sizes it goes by tiles (`products.py`); below by loops as a compiler makes vector code of them, without fused
multiply-adds. Both were found by comparing bits (2 to 5,000 rows, 2 to 2,000 columns, k to 2,048):

- where the rows of A and the columns of B are contiguous (`x @ W.T`), partial sums go along k: `LANES` of them for columns in fours, twice
  as many for the columns that are left. A row of A that does not begin at a multiple of 16 bytes has its first elements added up
  before, into the first partial sum; what is left at the end of k is added after the partial sums are, pairwise.
- else one product after the other is added; where the rows of B are contiguous, to what is added to the product. There a row of C that
  does not begin at a multiple of 16 bytes, and has four columns behind the first such multiple, is another matter up to it: of each
  eight products the first four are added one after the other, the others as the sum of four.

Of 5 to 11 rows, those beyond the last four go so as well (`product_entries.py`; PyTorch does it with two threads, not with one).
One row, or one column, goes so with k up to 4; beyond that the library has other ways for them, which are not known.
"""

from contextlib import contextmanager
from typing import Any, Iterator

from ..compiler.code import Code, Value
from .products import ACCUMULATE, INSIDE, LATE_BIAS, RELU
from .vectors import Shape, Writer

LANES = 4
FEW_ROWS, FEW_COLUMNS = 4, 12
"""Fewer rows or columns than these make a short product."""

SIZES = "rows:i64 columns:i64 k:i64 a lda:i64"
RESULT = "c ldc:i64 bias flags:i64"


def _finish(w: Writer, total: Value, place: Value, bias: Value) -> None:
    """Stores one element, with what the flags and the bias say; `bias` may be the null pointer."""
    slot = w.variable(total.type, total)
    with w.when(w.flag(ACCUMULATE)):
        slot.value = slot.value + w.load(total.type, place)
    with w.when(bias.differs(None)):
        slot.value = slot.value + w.load(total.type, bias)
    with w.when(w.flag(RELU)):
        value = slot.value
        slot.value = w.where(value < 0.0, 0.0, value)
    w.store(slot.value, place)


def _added(w: Writer, total: Value, x: Value, y: Value, begin: Value, end: Value) -> Value:
    """`total` and the products x[i] * y[i], one after the other."""
    slot = w.variable(total.type, total)
    with w.loop(begin, end, short=True) as i:
        slot.value = slot.value + w.load(total.type, x, i) * w.load(total.type, y, i)
    return slot.value


def _before_multiple(w: Writer, x: Value) -> Value:
    """How many elements lie before the first multiple of 16 bytes."""
    past = w.op(f"sub i64 0, {w.convert(x, 'i64')}", "i64")
    return (past & 15) // w.shape.size


def _head(w: Writer, x: Value) -> Value:
    """How many elements of a row of length k lie there."""
    return w.least(_before_multiple(w, x), w["k"])


def _fours(s: Shape, rows: int) -> Code:
    """`rows` rows that begin alike times four columns: in each vector four partial sums of four elements."""
    w = Writer(s, f"short_fours_{rows}", f"k:i64 a lda:i64 b ldb:i64 {RESULT}")
    w.apart = True  # not inlined
    part, vector = f"<{LANES} x {s.element}>", f"<{4 * LANES} x {s.element}>"
    left, right = ([w.at(w[x], i * w[f"ld{x}"]) for i in range(n)] for x, n in (("a", rows), ("b", 4)))
    head = _head(w, left[0])
    end = head + ((w["k"] - head) & -LANES)
    lanes = w.array(s.element, 4 * LANES * rows)
    for number in range(rows):
        w.store(w.value(0.0, vector), lanes, number * 4 * LANES)

    @contextmanager
    def elements() -> Iterator[tuple[Value, ...]]:
        """Each element of the result: its row and column, the factors, and its first lane."""
        with w.loop(0, rows, short=True) as i, w.loop(0, 4, short=True) as j:
            yield i, j, w.at(w["a"], i * w["lda"]), w.at(w["b"], j * w["ldb"]), w.at(lanes, (i * 4 + j) * LANES)

    with elements() as (_, _, x, y, lane):
        w.store(_added(w, w.value(0.0, s.element), x, y, w.value(0), head), lane)
    sums = [w.variable(vector, w.load(vector, lanes, i * 4 * LANES)) for i in range(rows)]
    with w.loop(head, end, LANES, short=True) as k:
        parts = [w.load(part, start, k) for start in right]
        low, high = (w.shuffle(parts[i], parts[i + 1], list(range(2 * LANES))) for i in (0, 2))
        y = w.shuffle(low, high, list(range(4 * LANES)))
        for x, slot in zip(left, sums):
            once = w.load(part, x, k)
            slot.value = slot.value + w.shuffle(once, once, list(range(LANES)) * 4) * y
    for number, slot in enumerate(sums):
        total = slot.value
        for step in (2, 1):  # lanes 0, 4, 8 and 12 are the sums in the end
            total = total + w.shuffle(total, total, [lane ^ step for lane in range(4 * LANES)])
        w.store(total, lanes, number * 4 * LANES)
    has_bias = w["bias"].differs(None)
    with elements() as (i, j, x, y, lane):
        last = _added(w, w.load(s.element, lane), x, y, end, w["k"])
        _finish(w, last, w.at(w["c"], i * w["ldc"] + j), w.where(has_bias, w.at(w["bias"], j), None))
    return w


def _one(s: Shape) -> Code:
    """One row times one of the columns that are left: eight partial sums."""
    w = Writer(s, "short_one", "k:i64 a b c bias flags:i64")
    w.apart = True
    vector = f"<{2 * LANES} x {s.element}>"
    head = _head(w, w["a"])
    first = _added(w, w.value(0.0, s.element), w["a"], w["b"], w.value(0), head)
    start = w.op(f"insertelement {vector} zeroinitializer, {s.element} {first}, i64 0", vector)
    total = w.variable(vector, start)
    end = head + ((w["k"] - head) & -2 * LANES)
    with w.loop(head, end, 2 * LANES) as k:
        total.value = total.value + w.load(vector, w["a"], k) * w.load(vector, w["b"], k)
    _finish(w, _added(w, w.total(total.value), w["a"], w["b"], end, w["k"]), w["c"], w["bias"])
    return w


def _along_k(s: Shape) -> Code:
    """Contiguous rows of A times contiguous columns of B."""
    w = Writer(s, "short_along_k", f"{SIZES} b ldb:i64 {RESULT}")
    has_bias = w["bias"].differs(None)
    alike = (w["lda"] & LANES - 1).equals(0)  # all rows begin as the first does

    def some(first: Value, count: int) -> None:
        a, c = w.at(w["a"], first * w["lda"]), w.at(w["c"], first * w["ldc"])
        with w.loop(w["columns"] // 4) as block:
            j = block * 4
            b, bias = w.at(w["b"], j * w["ldb"]), w.where(has_bias, w.at(w["bias"], j), None)
            w.call("void", f"short_fours_{count}", w["k"], a, w["lda"], b, w["ldb"], w.at(c, j), w["ldc"], bias, w["flags"])
        with w.loop(w["columns"] & -4, w["columns"]) as j:
            b, bias = w.at(w["b"], j * w["ldb"]), w.where(has_bias, w.at(w["bias"], j), None)
            for i in range(count):
                w.call("void", "short_one", w["k"], w.at(a, i * w["lda"]), b, w.at(w.at(c, i * w["ldc"]), j), bias, w["flags"])

    done = w.where(alike, w["rows"] & -4, 0)
    with w.loop(0, done, 4) as i:
        some(i, 4)
    rest = w["rows"] - done
    for count in (2, 3):
        with w.when(alike & rest.equals(count)):
            some(done, count)
            w.back()
    with w.loop(done, w["rows"]) as i:
        some(i, 1)
    return w


def _one_by_one(s: Shape) -> Code:
    """The other memory orders: the products of an element are added one after the other."""
    w = Writer(s, "short_one_by_one", f"kind_a:i64 {SIZES} kind_b:i64 b ldb:i64 {RESULT}")
    has_bias = w["bias"].differs(None)
    rows_a = w["kind_a"].equals(0)
    along, down = w.where(rows_a, 1, w["lda"]), w.where(rows_a, w["lda"], 1)

    def factor(i: Value, k: Value) -> Value:
        return w.load(s.element, w.at(w["a"], i * down + k * along))

    is_late = w.flag(LATE_BIAS)

    def early(j: Value) -> Value:
        return w.where(has_bias & ~is_late, w.at(w["bias"], j), None)

    def late(j: Value) -> Value:
        return w.where(has_bias & is_late, w.at(w["bias"], j), None)

    def product(i: Value, j: Value, k: Value) -> Value:
        return factor(i, k) * w.load(s.element, w.at(w.at(w["b"], k * w["ldb"]), j))

    with w.loop(w["rows"]) as i:
        row = w.at(w["c"], i * w["ldc"])
        with w.when(w["kind_b"].equals(0)):
            head = _before_multiple(w, row)
            head = w.where((w["columns"] - head >= LANES) & ~w.flag(INSIDE), head, 0)
            with w.loop(head) as j:
                one = _begun(w, s.element, w.at(row, j), early(j))
                eights = w["k"] & -8
                with w.loop(0, eights, 8, short=True) as k:
                    for n in range(4):
                        one.value = one.value + product(i, j, k + n)
                    four = product(i, j, k + 4)
                    for n in range(5, 8):
                        four = four + product(i, j, k + n)
                    one.value = one.value + four
                with w.loop(eights, w["k"], short=True) as k:
                    one.value = one.value + product(i, j, k)
                _ended(w, one, w.at(row, j), late(j))
            with w.loop(head, w["columns"], s.width) as j:
                mask = w.first_lanes(w["columns"] - j)
                total = _begun(w, s.vector, w.at(row, j), early(j), mask)
                with w.loop(w["k"]) as k:
                    total.value = total.value + w.everywhere(factor(i, k)) * w.vector_at(w.at(w.at(w["b"], k * w["ldb"]), j), mask)
                _ended(w, total, w.at(row, j), late(j), mask)
        with w.when(w["kind_b"].equals(1)):
            with w.loop(w["columns"]) as j:
                one = w.variable(s.element, 0.0)
                with w.loop(w["k"], short=True) as k:
                    one.value = one.value + factor(i, k) * w.load(s.element, w.at(w["b"], j * w["ldb"] + k))
                _finish(w, one.value, w.at(row, j), w.where(has_bias, w.at(w["bias"], j), None))
    return w


def _loaded(w: Writer, type_: str, place: Value, mask: Value | None) -> Value:
    return w.load(type_, place) if mask is None else w.vector_at(place, mask)


def _begun(w: Writer, type_: str, place: Value, bias: Value, mask: Value | None = None) -> Any:
    """A variable for a sum, or for the lanes of a mask, with what is there before the first product."""
    slot = w.variable(type_, 0.0)
    with w.when(w.flag(ACCUMULATE)):
        slot.value = _loaded(w, type_, place, mask)
    with w.when(bias.differs(None)):
        slot.value = slot.value + _loaded(w, type_, bias, mask)
    return slot


def _ended(w: Writer, slot: Any, place: Value, bias: Value, mask: Value | None = None) -> None:
    """Stores such a sum, with what the flags and a bias that comes late say."""
    with w.when(bias.differs(None)):
        slot.value = slot.value + _loaded(w, slot.type, bias, mask)
    with w.when(w.flag(RELU)):
        value = slot.value
        slot.value = w.where(value < 0.0, 0.0, value)
    if mask is None:
        w.store(slot.value, place)
    else:
        w.set_vector(place, slot.value, mask)


def _cell(s: Shape) -> Code:
    w = Writer(s, "short_cell", f"{SIZES} kind_a:i64 kind_b:i64 b ldb:i64 {RESULT}")
    rows, columns, k, a, lda, kind_a, kind_b, b, ldb, *result = w.arguments
    dots = kind_a.equals(0) & kind_b.equals(1)
    with w.when(dots):
        w.call("void", "short_along_k", rows, columns, k, a, lda, b, ldb, *result)
        w.back()
    w.call("void", "short_one_by_one", kind_a, rows, columns, k, a, lda, kind_b, b, ldb, *result)
    return w


def short_cells(s: Shape) -> list[Code]:
    """All functions of a cell of such a product, `short_cell` the last."""
    return [*(_fours(s, rows) for rows in (1, 2, 3, 4)), *(make(s) for make in (_one, _along_k, _one_by_one, _cell))]
