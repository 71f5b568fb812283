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


def _total(w: Writer, source: Value, terms: Value, step: Value | int, vectors: int, mask: Value | None = None) -> list[Variable]:
    """The sums of some terms, `step` elements apart, for each of `vectors` neighbouring vectors, in variables."""
    s = w.shape
    levels = [[w.variable(s.vector, 0.0) for _ in range(vectors)] for _ in range(LEVELS)]
    power = _power(w, terms)
    length = w.op(f"shl i64 1, {power}", "i64")
    last = length - 1
    whole = w.op(f"lshr i64 {terms}, {power}", "i64")

    def add_term(term: Value) -> None:
        start = w.at(source, term * step)
        for v, slot in enumerate(levels[0]):
            slot.value = slot.value + w.vector_at(w.at(start, v * s.width), mask)

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


def _block(s: Shape, name: str, vectors: int) -> Code:
    """The sums of `vectors` vectors of columns."""
    w = Writer(s, name, "out x n:i64 inner:i64")
    for v, slot in enumerate(_total(w, w["x"], w["n"], w["inner"], vectors)):
        w.set_vector(w.at(w["out"], v * s.width), slot.value)
    return w


def _four(s: Shape) -> Code:
    """The sums of four columns."""
    w = Writer(s, "four", "out x n:i64 inner:i64")
    mask = w.first_lanes(4)
    w.set_vector(w["out"], _total(w, w["x"], w["n"], w["inner"], 1, mask)[0].value, mask)
    return w


def _rest(s: Shape) -> Code:
    """The sums of the columns behind the blocks, a vector of them at a time."""
    w = Writer(s, "rest", "out x n:i64 columns:i64 inner:i64")
    quarter = w["n"] // CHAINS
    done = quarter * CHAINS
    with w.loop(w.parts(w["columns"], s.width)) as part:
        j = part * s.width
        mask = w.first_lanes(w["columns"] - j)
        x = w.at(w["x"], j)
        chains = [_total(w, w.at(x, c * w["inner"]), quarter, CHAINS * w["inner"], 1, mask)[0] for c in range(CHAINS)]
        with w.loop(w["n"] - done) as i:
            chains[0].value = chains[0].value + w.vector_at(w.at(x, (done + i) * w["inner"]), mask)
        w.set_vector(w.at(w["out"], j), _together(chains), mask)
    return w


def _columns_body(s: Shape, wide: int) -> Code:
    """Parts [begin, end): in each outer index the panels of `wide` columns, then single blocks, then the rest as one."""
    narrow = CHAINS * register(s.size)
    w = Writer(s, "body", "out x sizes begin:i64 end:i64")
    n, inner, panels, blocks, each = (w.field(w["sizes"], 8 * i, "i64") for i in range(2, 7))
    with w.loop(w["end"] - w["begin"]) as count:
        part = w["begin"] + count
        outer = part // each
        item = part - outer * each
        out, x = w.at(w["out"], outer * inner), w.at(w["x"], outer * n * inner)
        is_panel = item < panels
        is_block = item < panels + blocks
        behind = panels * wide + (item - panels) * narrow
        j = w.where(is_panel, item * wide, behind)
        given = w.at(out, j), w.at(x, j), n
        with w.when(is_panel):
            w.call("void", "panel", *given, inner)
        with w.when(is_block & ~is_panel):
            w.call("void", "block", *given, inner)
        with w.when(~is_block):
            fours = (inner < register(s.size)) & (inner >= 4)
            with w.when(fours):
                w.call("void", "four", *given, inner)
            k = j + w.where(fours, 4, 0)
            w.call("void", "rest", w.at(out, k), w.at(x, k), n, inner - k, inner)
    return w


def _rows_body(s: Shape) -> Code:
    """Rows [begin, end); the vectors of the shape are AVX2 registers."""
    w = Writer(s, "body", "out x sizes begin:i64 end:i64")
    n = w.field(w["sizes"], 16, "i64")
    whole = n // s.width
    quarter = whole // CHAINS
    done = quarter * CHAINS
    short, four = n < s.width, n >= CHAINS

    def plus(to: Variable, x: Value, i: Value | int) -> None:
        to.value = to.value + w.load(s.element, x, i)

    with w.loop(w["end"] - w["begin"]) as count:
        row = w["begin"] + count
        x, to = w.at(w["x"], row * n), w.at(w["out"], row)
        with w.when(short):
            total = w.variable(s.element, 0.0)
            with w.when(four):
                plus(total, x, 0)
            first = w.where(four, CHAINS, 0)
            with w.loop(n - first) as i:
                plus(total, x, first + i)
            with w.when(four):
                for other in range(1, CHAINS):
                    plus(total, x, other)
            w.store(total.value, to)
        with w.when(~short):
            chains = _total(w, x, quarter, CHAINS * s.width, CHAINS)
            with w.loop(whole - done) as i:
                chains[0].value = chains[0].value + w.vector_at(w.at(x, (done + i) * s.width))
            lanes = _together(chains)
            total = w.variable(s.element, 0.0)
            tail = whole * s.width
            with w.loop(n - tail) as i:
                plus(total, x, tail + i)
            for lane in range(s.width):
                value = w.lane(lanes, lane)
                total.value = total.value + value
            w.store(total.value, to)
    return w


def _module(s: Shape, name: str, parts: list[Code]) -> Callable[..., Any]:
    from ..compiler.jit import python_function
    from ..compiler.sized import HEAD, sized_module

    name = f"flambeau_{name}_{s.kind}"
    return python_function(sized_module(name, ["out", "x"], module(parts, known=HEAD)), name)


def _element(itemsize: int) -> str:
    return "float" if itemsize == 4 else "double"


@cache
def along_columns(itemsize: int) -> tuple[Callable[..., Any], int]:
    """`kernel(out, x, [parts, grain, n, inner, panels, blocks, parts of one outer index])`, and how many columns a panel has."""
    from ..compiler.machine import vector_bits

    s = Shape(_element(itemsize), vector_bits())
    vectors = 16 if vector_bits() == 512 else 8
    wide = vectors * s.width
    parts = [_block(s, "panel", vectors), _block(s, "block", CHAINS * register(itemsize) // s.width), _four(s), _rest(s)]
    return _module(s, "sums_of_columns", [*parts, _columns_body(s, wide)]), wide


@cache
def along_rows(itemsize: int) -> Callable[..., Any]:
    """`kernel(out, x, [rows, grain, n])`."""
    s = Shape(_element(itemsize), 256)
    return _module(s, "sums_of_rows", [_rows_body(s)])
