"""Sums along one dimension of a row-major array in PyTorch's order, so that no digit differs.

That order was learnt from ATen's sum kernel and by comparing bits. A chain of additions runs over 2^p terms; its total goes to
a second accumulator, after every 2^p of these that one to a third, and so on to a fourth; at the end they are added up. p is 4
for less than 2^20 terms. An array is (outer, n, inner), summed over n.

Along columns (inner > 1) a block of columns, as many as four AVX2 registers hold, has one such sum for each column. A column
behind the last whole block has four of them, over every fourth term, which are then added; terms left over join the first.
Fewer columns than a register holds go in fours, and the rest as before.

Along rows (inner = 1) the terms are AVX2 registers, and there are four sums, over every fourth register, as before. The elements
behind the last whole register are added up first, then those of the register that was found. A row shorter than a register
counts as a column behind the blocks.
"""

from functools import cache
from typing import Any, Callable

from ..compiler.code import Code, Value, Variable, module
from .vectors import Shape, Writer

LEVELS = 4
CHAINS = 4


def register(itemsize: int) -> int:
    """Elements in an AVX2 register."""
    return 32 // itemsize


def _power(w: Writer, terms: Value) -> Value:
    """log2 of how many terms are one chain."""
    before = w.most(terms - 1, 0)
    zeros = w.call("i64", "llvm.ctlz.i64", before, False)
    return w.most((64 - zeros) // LEVELS, LEVELS)


Load = Callable[[Value, int], Value]
"""Of the number of a term and of the vector among neighbouring ones: its value."""


def _total(w: Writer, load: Load, terms: Value, vectors: int) -> list[Variable]:
    """The sums of some terms for each of `vectors` neighbouring vectors, in variables."""
    s = w.shape
    levels = [[w.variable(s.vector, 0.0) for _ in range(vectors)] for _ in range(LEVELS)]
    power = _power(w, terms)
    length = w.op(f"shl i64 1, {power}", "i64")
    last = length - 1
    whole = w.op(f"lshr i64 {terms}, {power}", "i64")

    def add_term(term: Value) -> None:
        for v, slot in enumerate(levels[0]):
            slot.value = slot.value + load(term, v)

    def carry(level: int) -> None:
        for lower, upper in zip(levels[level - 1], levels[level]):
            upper.value = upper.value + lower.value
            lower.value = 0.0

    with w.loop(whole) as chain:
        first = chain * length
        with w.loop(length) as i:
            add_term(first + i)
        carry(1)
        done = chain + 1
        with w.when((done & last).equals(0)):
            carry(2)
            with w.when((w.op(f"lshr i64 {done}, {power}", "i64") & last).equals(0)):
                carry(3)
    first = whole * length
    with w.loop(terms - first) as i:
        add_term(first + i)
    for upper in levels[1:]:
        for slot, other in zip(levels[0], upper):
            slot.value = slot.value + other.value
    return levels[0]


def _together(chains: list[Variable]) -> Value:
    total = chains[0].value
    for chain in chains[1:]:
        total = total + chain.value
    return total


class Terms:
    """What is added up along columns: a matrix, or what a function makes of several and of numbers of the rows.

    `value(w, row, place, mask)` is a vector of terms, `place` that of its first element in a matrix. matrices, others: parameters.
    vectors: how many vectors of columns a panel has; half as many without AVX-512, but a block at least.
    """

    def __init__(self, name: str, matrices: str, others: str, value: Callable[..., Value], vectors: int) -> None:
        self.name, self.matrices, self.others, self.value = name, matrices.split(), others.split(), value
        self.vectors = vectors
        self.parameters = [*self.matrices, *self.others]

    def load(self, w: Writer, first: Value | int, step: int, mask: Value | None = None) -> Load:
        """The terms of every step-th row from the first on, in the columns from `j` on."""

        def of(term: Value, v: int) -> Value:
            row = term * step + first
            return self.value(w, row, row * w["inner"] + (w["j"] + v * w.shape.width), mask)

        return of

    def writer(self, s: Shape, name: str) -> Writer:
        return Writer(s, name, f"out {' '.join(self.parameters)} j:i64 n:i64 inner:i64", apart=True)


def _element_of_matrix(w: Writer, row: Value, place: Value, mask: Value | None) -> Value:
    return w.vector_at(w.at(w["x"], place), mask)


def _scaled_products(w: Writer, row: Value, place: Value, mask: Value | None) -> Value:
    g, x = (w.vector_at(w.at(w[name], place), mask) for name in ("grad", "x"))
    return g * (x * w.everywhere(w.load(w.shape.element, w["scale"], row)))


MATRIX = Terms("sums_of_columns", "x", "", _element_of_matrix, 16)
SCALED = Terms("sums_of_scaled_columns", "grad x", "scale", _scaled_products, 4)
"""grad * (x * scale of the row)."""


def _block(s: Shape, terms: Terms, name: str, vectors: int) -> Code:
    """The sums of `vectors` vectors of columns."""
    w = terms.writer(s, name)
    for v, slot in enumerate(_total(w, terms.load(w, 0, 1), w["n"], vectors)):
        w.set_vector(w.at(w["out"], w["j"] + v * s.width), slot.value)
    return w


def _four(s: Shape, terms: Terms) -> Code:
    """The sums of four columns."""
    w = terms.writer(s, "four")
    mask = w.first_lanes(4)
    w.set_vector(w.at(w["out"], w["j"]), _total(w, terms.load(w, 0, 1, mask), w["n"], 1)[0].value, mask)
    return w


def _rest(s: Shape, terms: Terms) -> Code:
    """The sums of up to a vector of the columns behind the blocks."""
    w = terms.writer(s, "rest")
    quarter = w["n"] // CHAINS
    done = quarter * CHAINS
    mask = w.first_lanes(w["inner"] - w["j"])
    chains = [_total(w, terms.load(w, c, CHAINS, mask), quarter, 1)[0] for c in range(CHAINS)]
    left_over = terms.load(w, done, 1, mask)
    with w.loop(w["n"] - done) as i:
        chains[0].value = chains[0].value + left_over(i, 0)
    w.set_vector(w.at(w["out"], w["j"]), _together(chains), mask)
    return w


def _columns_body(s: Shape, terms: Terms, wide: int) -> Code:
    """Parts [begin, end): in each outer index the panels of `wide` columns, then single blocks, then the rest as one."""
    narrow = CHAINS * register(s.size)
    w = Writer(s, "body", f"out {' '.join(terms.parameters)} sizes begin:i64 end:i64")
    n, inner, panels, blocks, each = (w.field(w["sizes"], 8 * i, "i64") for i in range(2, 7))
    with w.loop(w["end"] - w["begin"]) as count:
        part = w["begin"] + count
        outer = part // each
        item = part - outer * each
        before = [w.at(w["out"], outer * inner), *(w.at(w[x], outer * n * inner) for x in terms.matrices), *(w[x] for x in terms.others)]
        is_panel = item < panels
        is_block = item < panels + blocks
        j = w.where(is_panel, item * wide, panels * wide + (item - panels) * narrow)
        with w.when(is_panel):
            w.call("void", "panel", *before, j, n, inner)
        with w.when(is_block & ~is_panel):
            w.call("void", "block", *before, j, n, inner)
        with w.when(~is_block):
            fours = (inner < register(s.size)) & (inner >= 4)
            with w.when(fours):
                w.call("void", "four", *before, j, n, inner)
            with w.loop(j + w.where(fours, 4, 0), inner, s.width) as k:
                w.call("void", "rest", *before, k, n, inner)
    return w


def row_sum(w: Writer, n: Value, term: Callable[[Value | int, bool], Value]) -> Variable:
    """The sum of n terms along a row, in a variable; the vectors of the shape are AVX2 registers.

    `term(element, whole)` is a term, or a vector of them from that element on.
    """
    s = w.shape
    total = w.variable(s.element, 0.0)
    whole = n // s.width
    quarter = whole // CHAINS
    done = quarter * CHAINS

    def plus(i: Value | int) -> None:
        total.value = total.value + term(i, False)

    def short() -> None:
        four = n >= CHAINS
        with w.when(four):
            plus(0)
        first = w.where(four, CHAINS, 0)
        with w.loop(n - first) as i:
            plus(first + i)
        with w.when(four):
            for other in range(1, CHAINS):
                plus(other)

    chains = [w.variable(s.vector) for _ in range(CHAINS)]

    def vectors(i: Value, v: int) -> Value:
        return term((i * CHAINS + v) * s.width, True)

    def cascade() -> None:
        for chain, found in zip(chains, _total(w, vectors, quarter, CHAINS)):
            chain.value = found.value

    def one_chain() -> None:
        for chain in chains:
            chain.value = 0.0
        with w.loop(quarter) as i:
            for v, chain in enumerate(chains):
                chain.value = chain.value + vectors(i, v)

    def long() -> None:
        w.either(quarter < 1 << LEVELS, one_chain, cascade)
        with w.loop(whole - done) as i:
            chains[0].value = chains[0].value + term((done + i) * s.width, True)
        lanes = _together(chains)
        tail = whole * s.width
        with w.loop(n - tail) as i:
            plus(tail + i)
        for lane in range(s.width):
            total.value = total.value + w.lane(lanes, lane)

    w.either(n < s.width, short, long)
    return total


def _rows_body(s: Shape) -> Code:
    """Rows [begin, end), of which the last may be shorter; the vectors of the shape are AVX2 registers."""
    w = Writer(s, "body", "out x sizes begin:i64 end:i64")
    n, elements = w.field(w["sizes"], 16, "i64"), w.field(w["sizes"], 24, "i64")
    with w.loop(w["end"] - w["begin"]) as count:
        row = w["begin"] + count
        x = w.at(w["x"], row * n)
        w.store(
            row_sum(w, w.least(n, elements - row * n), lambda i, whole: w.load(s.vector if whole else s.element, x, i)).value, w["out"], row
        )
    return w


def _module(s: Shape, name: str, pointers: list[str], parts: list[Code]) -> Callable[..., Any]:
    from ..compiler.jit import python_function
    from ..compiler.sized import HEAD, sized_module

    name = f"flambeau_{name}_{s.kind}"
    return python_function(sized_module(name, ["out", *pointers], module(parts, known=HEAD)), name)


def _element(itemsize: int) -> str:
    return "float" if itemsize == 4 else "double"


@cache
def along_columns(itemsize: int, terms: Terms = MATRIX) -> tuple[Callable[..., Any], int]:
    """`kernel(out, x, [parts, grain, n, inner, panels, blocks, parts of one outer index])`, and how many columns a panel has.

    In place of x come the parameters of `terms`.
    """
    from ..compiler.machine import vector_bits

    s = Shape(_element(itemsize), vector_bits())
    block = CHAINS * register(itemsize) // s.width
    vectors = max(terms.vectors if vector_bits() == 512 else terms.vectors // 2, block)
    wide = vectors * s.width
    blocks = [_block(s, terms, "panel", vectors), _block(s, terms, "block", block)]
    parts = [*blocks, _four(s, terms), _rest(s, terms), _columns_body(s, terms, wide)]
    return _module(s, terms.name, terms.parameters, parts), wide


@cache
def along_rows(itemsize: int) -> Callable[..., Any]:
    """`kernel(out, x, [rows, grain, n, elements of all rows])`."""
    s = Shape(_element(itemsize), 256)
    return _module(s, "sums_of_rows", ["x"], [_rows_body(s)])
