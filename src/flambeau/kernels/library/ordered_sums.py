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

from .vectors import Shape, Writer

LEVELS = 4
CHAINS = 4


def register(itemsize: int) -> int:
    """Elements in an AVX2 register."""
    return 32 // itemsize


def _power(w: Writer, terms: str) -> str:
    """log2 of how many terms are one chain."""
    before = w.op(f"call i64 @llvm.smax.i64(i64 {w.sub(terms, 1)}, i64 0)")
    zeros = w.op(f"call i64 @llvm.ctlz.i64(i64 {before}, i1 false)")
    return w.op(f"call i64 @llvm.smax.i64(i64 {w.over(w.sub(64, zeros), LEVELS)}, i64 {LEVELS})")


def _plus(w: Writer, to: str, value: str) -> None:
    w.put(to, w.shape.vector, w.op(f"fadd {w.shape.vector} {w.get(to, w.shape.vector)}, {value}"))


def _total(w: Writer, source: str, terms: str, step: str | int, vectors: int, mask: str | None = None) -> list[str]:
    """The sums of some terms, `step` elements apart, for each of `vectors` neighbouring vectors, in slots."""
    s = w.shape
    levels = [[w.slot(s.vector, "zeroinitializer") for _ in range(vectors)] for _ in range(LEVELS)]
    power = _power(w, terms)
    length = w.op(f"shl i64 1, {power}")
    last = w.sub(length, 1)
    whole = w.op(f"lshr i64 {terms}, {power}")

    def add_term(term: str) -> None:
        start = w.at(source, w.mul(term, step))
        for v, slot in enumerate(levels[0]):
            _plus(w, slot, w.vector_at(w.at(start, v * s.width), mask))

    def carry(level: int) -> None:
        for lower, upper in zip(levels[level - 1], levels[level]):
            _plus(w, upper, w.get(lower, s.vector))
            w.put(lower, s.vector, "zeroinitializer")

    with w.loop(whole) as chain:
        first = w.mul(chain, length)
        with w.loop(length) as i:
            add_term(w.add(first, i))
        carry(1)
        done = w.add(chain, 1)
        with w.when(w.test("eq", w.bits(done, last), 0)):
            carry(2)
            with w.when(w.test("eq", w.bits(w.op(f"lshr i64 {done}, {power}"), last), 0)):
                carry(3)
    first = w.mul(whole, length)
    with w.loop(w.sub(terms, first)) as i:
        add_term(w.add(first, i))
    for upper in levels[1:]:
        for slot, other in zip(levels[0], upper):
            _plus(w, slot, w.get(other, s.vector))
    return levels[0]


def _together(w: Writer, chains: list[str]) -> str:
    total = w.get(chains[0], w.shape.vector)
    for chain in chains[1:]:
        total = w.op(f"fadd {w.shape.vector} {total}, {w.get(chain, w.shape.vector)}")
    return total


def _block(s: Shape, name: str, vectors: int) -> str:
    """The sums of `vectors` vectors of columns."""
    w = Writer(s, "void", name, "ptr %out", "ptr %x", "i64 %n", "i64 %inner")
    for v, slot in enumerate(_total(w, "%x", "%n", "%inner", vectors)):
        w.set_vector(w.at("%out", v * s.width), w.get(slot, s.vector))
    w.back()
    return w.text()


def _four(s: Shape) -> str:
    """The sums of four columns."""
    w = Writer(s, "void", "four", "ptr %out", "ptr %x", "i64 %n", "i64 %inner")
    mask = w.first_lanes("4")
    w.set_vector("%out", w.get(_total(w, "%x", "%n", "%inner", 1, mask)[0], s.vector), mask)
    w.back()
    return w.text()


def _rest(s: Shape) -> str:
    """The sums of the columns behind the blocks, a vector of them at a time."""
    w = Writer(s, "void", "rest", "ptr %out", "ptr %x", "i64 %n", "i64 %columns", "i64 %inner")
    quarter = w.over("%n", CHAINS)
    done = w.mul(quarter, CHAINS)
    with w.loop(w.parts("%columns", s.width)) as part:
        j = w.mul(part, s.width)
        mask = w.first_lanes(w.sub("%columns", j))
        x = w.at("%x", j)
        chains = [_total(w, w.at(x, w.mul(c, "%inner")), quarter, w.mul(CHAINS, "%inner"), 1, mask)[0] for c in range(CHAINS)]
        with w.loop(w.sub("%n", done)) as i:
            _plus(w, chains[0], w.vector_at(w.at(x, w.mul(w.add(done, i), "%inner")), mask))
        w.set_vector(w.at("%out", j), _together(w, chains), mask)
    w.back()
    return w.text()


def _columns_body(s: Shape, wide: int) -> str:
    """Parts [begin, end): in each outer index the panels of `wide` columns, then single blocks, then the rest as one."""
    narrow = CHAINS * register(s.size)
    w = Writer(s, "void", "body", "ptr %out", "ptr %x", "ptr %sizes", "i64 %begin", "i64 %end")
    n, inner, panels, blocks, each = (w.field("%sizes", 8 * i, "i64") for i in range(2, 7))
    with w.loop(w.sub("%end", "%begin")) as count:
        part = w.add("%begin", count)
        outer = w.over(part, each)
        item = w.sub(part, w.mul(outer, each))
        out, x = w.at("%out", w.mul(outer, inner)), w.at("%x", w.mul(w.mul(outer, n), inner))
        is_panel = w.test("slt", item, panels)
        is_block = w.test("slt", item, w.add(panels, blocks))
        behind = w.add(w.mul(panels, wide), w.mul(w.sub(item, panels), narrow))
        j = w.choose(is_panel, w.mul(item, wide), behind)
        given = [f"ptr {w.at(out, j)}", f"ptr {w.at(x, j)}", f"i64 {n}"]
        with w.when(is_panel):
            w.call("void", "panel", *given, f"i64 {inner}")
        with w.when(w.both(is_block, w.no(is_panel))):
            w.call("void", "block", *given, f"i64 {inner}")
        with w.when(w.no(is_block)):
            fours = w.both(w.test("slt", inner, register(s.size)), w.test("sge", inner, 4))
            with w.when(fours):
                w.call("void", "four", *given, f"i64 {inner}")
            k = w.add(j, w.choose(fours, 4, 0))
            w.call("void", "rest", f"ptr {w.at(out, k)}", f"ptr {w.at(x, k)}", f"i64 {n}", f"i64 {w.sub(inner, k)}", f"i64 {inner}")
    w.back()
    return w.text()


def _rows_body(s: Shape) -> str:
    """Rows [begin, end); the vectors of the shape are AVX2 registers."""
    w = Writer(s, "void", "body", "ptr %out", "ptr %x", "ptr %sizes", "i64 %begin", "i64 %end")
    n = w.field("%sizes", 16, "i64")
    whole = w.over(n, s.width)
    quarter = w.over(whole, CHAINS)
    done = w.mul(quarter, CHAINS)
    short, four = w.test("slt", n, s.width), w.test("sge", n, CHAINS)

    def plus(to: str, x: str, i: str | int) -> None:
        w.put(to, s.element, w.op(f"fadd {s.element} {w.get(to, s.element)}, {w.get(w.at(x, i), s.element)}"))

    with w.loop(w.sub("%end", "%begin")) as count:
        row = w.add("%begin", count)
        x, to = w.at("%x", w.mul(row, n)), w.at("%out", row)
        with w.when(short):
            total = w.slot(s.element, "0.0")
            with w.when(four):
                plus(total, x, 0)
            first = w.choose(four, CHAINS, 0)
            with w.loop(w.sub(n, first)) as i:
                plus(total, x, w.add(first, i))
            with w.when(four):
                for other in range(1, CHAINS):
                    plus(total, x, other)
            w.put(to, s.element, w.get(total, s.element))
        with w.when(w.no(short)):
            chains = _total(w, x, quarter, CHAINS * s.width, CHAINS)
            with w.loop(w.sub(whole, done)) as i:
                _plus(w, chains[0], w.vector_at(w.at(x, w.mul(w.add(done, i), s.width))))
            lanes = _together(w, chains)
            total = w.slot(s.element, "0.0")
            tail = w.mul(whole, s.width)
            with w.loop(w.sub(n, tail)) as i:
                plus(total, x, w.add(tail, i))
            for lane in range(s.width):
                value = w.op(f"extractelement {s.vector} {lanes}, i32 {lane}")
                w.put(total, s.element, w.op(f"fadd {s.element} {w.get(total, s.element)}, {value}"))
            w.put(to, s.element, w.get(total, s.element))
    w.back()
    return w.text()


def _module(s: Shape, name: str, parts: list[str]) -> Callable[..., Any]:
    from ..compiler.jit import python_function
    from ..compiler.sized import sized_module

    v, m, mask = s.vector, s.mangled, s.mask
    declared = [f"declare {v} @llvm.masked.load.{m}.p0(ptr, i32, {mask}, {v})",
                f"declare void @llvm.masked.store.{m}.p0({v}, ptr, i32, {mask})", "declare i64 @llvm.ctlz.i64(i64, i1)"]  # fmt: skip
    name = f"flambeau_{name}_{s.kind}"
    return python_function(sized_module(name, ["out", "x"], "\n".join(declared + parts)), name)


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
