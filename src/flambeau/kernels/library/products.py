"""Matrix products in machine code: C = A @ B (+ C) (+ bias), ReLU behind it if wanted.

The scheme is that of Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008. C is cut into cells,
which threads compute one by one. A cell copies its rows of A into panels of `ROWS` rows (they stay in the second-level
cache), then copies one panel of B after the other, as many columns as fit `VECTORS` registers (it stays in the first-level
cache), and lets every panel of A meet it in a tile: `ROWS` x `VECTORS` registers that add up along k.
Small factors are read where they lie. A product of few rows with a transposed B of long rows (`x @ W.T` of a small batch)
goes another way: `DOT` x `DOT` registers add up partial sums along k of both, summed across at the end; nothing is copied.

The functions that Python calls are in `product_entries.py`.

Each element is summed in an order that depends on the shapes and memory order of the factors alone, never on where the cells
lie or who computes them. Tiles add one product after the other, fused, over a part of k; the sum of the first part, with the
bias, takes the sums of the others in turn. Up to `DEPTH` there is one part, below twice that two halves (a last product stays
alone), above they are `DEPTH` long. That is the order of PyTorch's products on CPUs with AVX-512 (found by comparing bits for
1,040 shapes of 4 to 512 rows, 12 to 512 columns and k to 1,500: products of 12 columns and more are equal), at no cost here.
k = 0 gives zeros.
"""

from typing import Any

from .vectors import Shape, Writer

DEPTH = 192
"""How much of k is copied at once: a panel of B and one of A then fill a first-level cache of 48 KiB."""

PARAMETERS = ("i64 %k", "ptr %a", "i64 %lda", "ptr %b", "i64 %ldb", "ptr %c", "i64 %ldc", "i64 %columns", "ptr %bias", "i64 %flags")
ACCUMULATE, RELU = 1, 2


def _finished(w: Writer, sums: list[list[str]], vectors: int, mask: str, bias: str) -> None:
    """Adds the bias, if there is one, and applies ReLU if the flags say so, to sums in slots, row by row."""
    s = w.shape
    with w.when(w.test("ne", bias, "null", "ptr")):
        terms = [w.vector_at(w.at(bias, v * s.width), mask if v == vectors - 1 else None) for v in range(vectors)]
        for row in sums:
            for term, slot in zip(terms, row):
                w.put(slot, s.vector, w.op(f"fadd {s.vector} {w.get(slot, s.vector)}, {term}"))
    with w.when(w.flag(RELU)):
        for row in sums:
            for slot in row:
                value = w.get(slot, s.vector)
                low = w.op(f"fcmp olt {s.vector} {value}, zeroinitializer")
                w.put(slot, s.vector, w.op(f"select {s.mask} {low}, {s.vector} zeroinitializer, {s.vector} {value}"))


def _finish(w: Writer, sums: list[list[str]], vectors: int, mask: str) -> None:
    """Adds what the flags say to a tile's sums (slots, row by row) and stores it; the mask is the last vector's."""
    s = w.shape

    def each() -> Any:
        for i, row in enumerate(sums):
            start = w.at("%c", w.mul(i, "%ldc"))
            for v, slot in enumerate(row):
                yield slot, w.at(start, v * s.width), mask if v == vectors - 1 else None

    with w.when(w.flag(ACCUMULATE)):
        for slot, at, lanes in each():
            w.put(slot, s.vector, w.op(f"fadd {s.vector} {w.get(slot, s.vector)}, {w.vector_at(at, lanes)}"))
    _finished(w, sums, vectors, mask, "%bias")
    for slot, at, lanes in each():
        w.set_vector(at, w.get(slot, s.vector), lanes)


def _tile(s: Shape, kind: str, rows: int, vectors: int) -> str:
    """A tile of C. kind: `rows` where a row of A is contiguous (`lda` apart), `columns` where a column is."""
    w = Writer(s, "void", f"tile_{kind}_{rows}_{vectors}", *PARAMETERS)
    sums = [[w.slot(s.vector, "zeroinitializer") for _ in range(vectors)] for _ in range(rows)]
    mask = w.first_lanes(w.sub("%columns", (vectors - 1) * s.width))
    starts = [w.at("%a", w.mul(i, "%lda")) for i in range(rows)] if kind == "rows" else []
    with w.loop("%k") as k:
        b = w.at("%b", w.mul(k, "%ldb"))
        right = [w.vector_at(w.at(b, v * s.width), mask if v == vectors - 1 else None) for v in range(vectors)]
        column = w.at("%a", w.mul(k, "%lda")) if kind == "columns" else ""
        for i in range(rows):
            at = w.at(starts[i], k) if kind == "rows" else w.at(column, i)
            left = w.everywhere(w.op(f"load {s.element}, ptr {at}, align {s.size}"))
            for v in range(vectors):
                w.put(sums[i][v], s.vector, w.fused(left, right[v], w.get(sums[i][v], s.vector)))
    _finish(w, sums, vectors, mask)
    w.back()
    return w.text()


def _sweep(s: Shape, kind: str, vectors: int) -> str:
    """All rows of A against one panel of B. step: from one panel of `ROWS` rows of A to the next, in elements."""
    w = Writer(s, "void", f"sweep_{kind}_{vectors}", "i64 %rows", "i64 %step", *PARAMETERS)

    def tile(a: str, c: str, rows: int) -> None:
        given = ["i64 %k", f"ptr {a}", "i64 %lda", "ptr %b", "i64 %ldb", f"ptr {c}", "i64 %ldc", "i64 %columns", "ptr %bias", "i64 %flags"]
        w.call("void", f"tile_{kind}_{rows}_{vectors}", *given)

    a, c = w.slot("ptr", "%a"), w.slot("ptr", "%c")
    with w.loop(w.over("%rows", s.rows)):
        tile(w.get(a, "ptr"), w.get(c, "ptr"), s.rows)
        w.put(a, "ptr", w.at(w.get(a, "ptr"), "%step"))
        w.put(c, "ptr", w.at(w.get(c, "ptr"), w.mul(s.rows, "%ldc")))
    rows = s.rows // 2
    while rows:
        with w.when(w.test("ne", w.bits("%rows", rows), 0)):
            tile(w.get(a, "ptr"), w.get(c, "ptr"), rows)
            w.put(a, "ptr", w.at(w.get(a, "ptr"), w.mul(rows, "%lda") if kind == "rows" else rows))
            w.put(c, "ptr", w.at(w.get(c, "ptr"), w.mul(rows, "%ldc")))
        rows //= 2
    w.back()
    return w.text()


def _meet(s: Shape) -> str:
    """`sweep` by the kind of A (1: its columns are contiguous) and the number of columns."""
    w = Writer(s, "void", "meet", "i64 %kind", "i64 %rows", "i64 %step", *PARAMETERS)
    given = ["i64 %rows", "i64 %step", *PARAMETERS]
    for kind, name in ((0, "rows"), (1, "columns")):
        with w.when(w.test("eq", "%kind", kind)):
            for vectors in range(1, s.vectors):
                with w.when(w.test("sle", "%columns", vectors * s.width)):
                    w.call("void", f"sweep_{name}_{vectors}", *given)
                    w.back()
            w.call("void", f"sweep_{name}_{s.vectors}", *given)
    w.back()
    return w.text()


def _copy_b(s: Shape) -> str:
    """Copies a panel of B, k x columns, so that its rows are contiguous, `lead` apart. kind 1: columns of B are contiguous, `ldb` apart.

    With kind 1, rows are written up to a multiple of the vectors' width, in both dimensions.
    """
    w = Writer(
        s,
        "void",
        f"flambeau_copy_{s.kind}",
        "i64 %kind",
        "i64 %k",
        "i64 %columns",
        "ptr %b",
        "i64 %ldb",
        "ptr %to",
        "i64 %lead",
        internal=False,
    )
    with w.when(w.test("eq", "%kind", 0)):
        masks = [w.first_lanes(w.sub("%columns", v * s.width)) for v in range(s.vectors)]
        with w.loop("%k") as k:
            source, target = w.at("%b", w.mul(k, "%ldb")), w.at("%to", w.mul(k, "%lead"))
            for v in range(s.vectors):
                w.set_vector(w.at(target, v * s.width), w.vector_at(w.at(source, v * s.width), masks[v]))
        w.back()
    with w.loop(w.parts("%columns", s.width)) as j:
        first = w.mul(j, s.width)
        last = w.sub("%columns", 1)
        columns = [w.at("%b", w.mul(w.least(w.add(first, i), last), "%ldb")) for i in range(s.width)]
        with w.loop(w.parts("%k", s.width)) as block:
            k = w.mul(block, s.width)
            mask = w.first_lanes(w.sub("%k", k))
            target = w.at(w.at("%to", w.mul(k, "%lead")), first)
            for i, row in enumerate(w.transposed([w.vector_at(w.at(column, k), mask) for column in columns])):
                w.set_vector(w.at(target, w.mul(i, "%lead")), row)
    w.back()
    return w.text()


def _copy_a(s: Shape) -> str:
    """Copies panels of `ROWS` rows of A so that their columns are contiguous, `ROWS` apart. panels: how many."""
    w = Writer(s, "void", "copy_a", "i64 %kind", "i64 %panels", "i64 %k", "ptr %a", "i64 %lda", "ptr %to")
    half = f"<{s.rows} x {s.element}>"
    with w.when(w.test("eq", "%kind", 1)):
        with w.loop("%panels") as panel:
            source, target = w.at("%a", w.mul(panel, s.rows)), w.at("%to", w.mul(w.mul(panel, s.rows), "%k"))
            with w.loop("%k") as k:
                row = w.op(f"load {half}, ptr {w.at(source, w.mul(k, '%lda'))}, align {s.size}")
                w.do(f"store {half} {row}, ptr {w.at(target, w.mul(k, s.rows))}, align {s.size}")
        w.back()
    with w.loop("%panels") as panel:
        source, target = w.at("%a", w.mul(w.mul(panel, s.rows), "%lda")), w.at("%to", w.mul(w.mul(panel, s.rows), "%k"))
        starts = [w.at(source, w.mul(i, "%lda")) for i in range(s.rows)]
        with w.loop(w.over("%k", s.rows)) as block:
            k = w.mul(block, s.rows)
            w.shape = s.narrowed(s.rows)
            rows = w.transposed([w.op(f"load {half}, ptr {w.at(start, k)}, align {s.size}") for start in starts])
            for i, row in enumerate(rows):
                w.do(f"store {half} {row}, ptr {w.at(target, w.mul(w.add(k, i), s.rows))}, align {s.size}")
            w.shape = s
        done = w.bits("%k", -s.rows)
        with w.loop(w.sub("%k", done)) as rest:
            k = w.add(done, rest)
            for i, start in enumerate(starts):
                value = w.op(f"load {s.element}, ptr {w.at(start, k)}, align {s.size}")
                w.do(f"store {s.element} {value}, ptr {w.at(target, w.add(w.mul(k, s.rows), i))}, align {s.size}")
    w.back()
    return w.text()


def _buffers(s: Shape) -> str:
    """`take` gives memory for the copies, `give` keeps it for the next who asks: each thread at work has one."""
    return f"""
@kept = internal global [64 x ptr] zeroinitializer
declare ptr @malloc(i64)
declare void @free(ptr)

define ptr @flambeau_take_{s.kind}() {{
entry:
  br label %look
look:
  %i = phi i64 [0, %entry], [%i1, %next]
  %at = getelementptr ptr, ptr @kept, i64 %i
  %seen = load atomic ptr, ptr %at monotonic, align 8
  %none = icmp eq ptr %seen, null
  br i1 %none, label %next, label %try
try:
  %old = atomicrmw xchg ptr %at, ptr null acquire
  %gone = icmp eq ptr %old, null
  br i1 %gone, label %next, label %found
next:
  %i1 = add i64 %i, 1
  %end = icmp eq i64 %i1, 64
  br i1 %end, label %make, label %look
make:
  %new = call ptr @malloc(i64 {BUFFER + 64})
  ret ptr %new
found:
  ret ptr %old
}}

define void @flambeau_give_{s.kind}(ptr %buffer) {{
entry:
  br label %look
look:
  %i = phi i64 [0, %entry], [%i1, %next]
  %at = getelementptr ptr, ptr @kept, i64 %i
  %pair = cmpxchg ptr %at, ptr null, ptr %buffer release monotonic
  %done = extractvalue {{ptr, i1}} %pair, 1
  br i1 %done, label %finished, label %next
next:
  %i1 = add i64 %i, 1
  %end = icmp eq i64 %i1, 64
  br i1 %end, label %drop, label %look
drop:
  call void @free(ptr %buffer)
  br label %finished
finished:
  ret void
}}
"""


CELL_ROWS, CELL_COLUMNS = 256, 512
"""The size of a cell of C: its rows of A fill a quarter of a second-level cache."""

B_PANEL = (DEPTH + 16) * 64 * 8
A_PANELS = CELL_ROWS * DEPTH * 8
BUFFER = A_PANELS + B_PANEL


CELL = ("i64 %rows", "i64 %columns", "i64 %k", "i64 %kind_a", "ptr %a", "i64 %lda", "i64 %kind_b", "ptr %b", "i64 %ldb",
        "ptr %c", "i64 %ldc", "ptr %bias", "i64 %flags", "ptr %buffer")  # fmt: skip


def _cell(s: Shape) -> str:
    """One cell of C, rows x columns over all of k, with the cell's own copies in %buffer."""
    w = Writer(s, "void", f"flambeau_cell_{s.kind}", *CELL, internal=False)
    panel_b = w.op(f"getelementptr i8, ptr %buffer, i64 {A_PANELS}")
    many_columns = w.test("sgt", "%columns", 2 * s.columns)
    copied_rows = w.choose(many_columns, w.bits("%rows", -s.rows), 0)
    own_rows = w.sub("%rows", copied_rows)
    panels = w.over(copied_rows, s.rows)
    many_rows = w.test("sgt", "%rows", 8 * s.rows)
    turned = w.test("eq", "%kind_b", 1)
    copy_b = w.either(many_rows, turned)
    short, halved = w.test("sle", "%k", DEPTH), w.test("slt", "%k", 2 * DEPTH)
    depth = w.choose(short, "%k", w.choose(halved, w.over("%k", 2), DEPTH))
    chunks = w.choose(w.test("eq", "%k", 0), 1, w.parts("%k", w.choose(short, DEPTH, depth)))
    sum_on = w.bits("%flags", ACCUMULATE)
    rows_a = w.test("eq", "%kind_a", 0)
    with w.loop(chunks) as chunk:
        k0 = w.mul(chunk, depth)
        k = w.least(depth, w.sub("%k", k0))
        a = w.at("%a", w.choose(rows_a, k0, w.mul(k0, "%lda")))
        b = w.at("%b", w.choose(turned, k0, w.mul(k0, "%ldb")))
        first, last = w.test("eq", chunk, 0), w.test("eq", w.add(chunk, 1), chunks)
        begin = w.choose(first, sum_on, ACCUMULATE)
        behind = w.choose(last, "%flags", 0)
        flags = w.op(f"or i64 {begin}, {w.bits(behind, RELU)}")
        bias = w.choose(first, "%bias", "null", "ptr")
        has_bias = w.test("ne", bias, "null", "ptr")
        w.call("void", "copy_a", "i64 %kind_a", f"i64 {panels}", f"i64 {k}", f"ptr {a}", "i64 %lda", "ptr %buffer")
        rest_a = w.at(a, w.choose(rows_a, w.mul(copied_rows, "%lda"), copied_rows))
        step = w.choose(rows_a, w.mul(s.rows, "%lda"), s.rows)
        with w.loop(w.parts("%columns", s.columns)) as panel:
            j = w.mul(panel, s.columns)
            columns = w.least(s.columns, w.sub("%columns", j))
            here = w.at(b, w.choose(turned, w.mul(j, "%ldb"), j))
            with w.when(copy_b):
                w.call("void", f"flambeau_copy_{s.kind}", "i64 %kind_b", f"i64 {k}", f"i64 {columns}", f"ptr {here}", "i64 %ldb",
                       f"ptr {panel_b}", f"i64 {s.columns}")  # fmt: skip
            used = w.choose(copy_b, panel_b, here, "ptr")
            ldb = w.choose(copy_b, s.columns, "%ldb")
            c = w.at("%c", j)
            there = w.choose(has_bias, w.at(bias, j), "null", "ptr")
            tail = (f"ptr {used}", f"i64 {ldb}")
            with w.when(w.test("sgt", panels, 0)):
                w.call("void", "meet", "i64 1", f"i64 {copied_rows}", f"i64 {w.mul(s.rows, k)}", f"i64 {k}", "ptr %buffer", f"i64 {s.rows}",
                       *tail, f"ptr {c}", "i64 %ldc", f"i64 {columns}", f"ptr {there}", f"i64 {flags}")  # fmt: skip
            with w.when(w.test("sgt", own_rows, 0)):
                below = w.at(c, w.mul(copied_rows, "%ldc"))
                w.call("void", "meet", "i64 %kind_a", f"i64 {own_rows}", f"i64 {step}", f"i64 {k}", f"ptr {rest_a}", "i64 %lda",
                       *tail, f"ptr {below}", "i64 %ldc", f"i64 {columns}", f"ptr {there}", f"i64 {flags}")  # fmt: skip
    w.back()
    return w.text()


# --- few rows times long columns -------------------------------------------------------------------------------------------


def _dot_tile(s: Shape, rows: int, across: int) -> str:
    """`rows` x `across` elements of A @ B from contiguous rows of A (`lda` apart) and columns of B (`ldb` apart)."""
    w = Writer(s, "void", f"dot_{rows}_{across}", *PARAMETERS)
    last = w.sub("%columns", 1)
    left = [w.at("%a", w.mul(i, "%lda")) for i in range(rows)]
    right = [w.at("%b", w.mul(w.least(j, last), "%ldb")) for j in range(across)]
    sums = [[w.slot(s.vector, "zeroinitializer") for _ in range(across)] for _ in range(rows)]

    def step(k: str, mask: str | None) -> None:
        b = [w.vector_at(w.at(start, k), mask) for start in right]
        for start, row in zip(left, sums):
            a = w.vector_at(w.at(start, k), mask)
            for value, slot in zip(b, row):
                w.put(slot, s.vector, w.fused(a, value, w.get(slot, s.vector)))

    with w.loop(w.over("%k", s.width)) as block:
        step(w.mul(block, s.width), None)
    done = w.bits("%k", -s.width)
    rest = w.sub("%k", done)
    with w.when(w.test("sgt", rest, 0)):
        step(done, w.first_lanes(rest))
    few = s.narrowed(across)
    totals = []
    for row in sums:
        values = [w.get(slot, s.vector) for slot in row]
        width = s.width
        while len(values) > 1 or width > across:  # neighbours are added until one vector of `across` sums is left
            vector = f"<{width} x {s.element}>"
            if len(values) > 1:
                pairs, out = list(zip(values[::2], values[1::2])), width
            else:
                pairs, out = [(values[0], "poison")], width // 2
            values = []
            for a, b in pairs:
                even, odd = (w.pick(a, b, list(range(start, 2 * out, 2)), vector, out) for start in (0, 1))
                values.append(w.op(f"fadd <{out} x {s.element}> {even}, {odd}"))
            width = out
        slot = w.slot(few.vector)
        w.put(slot, few.vector, values[0])
        totals.append([slot])
    w.shape = few
    _finish(w, totals, 1, w.first_lanes("%columns"))
    w.back()
    return w.text()


def _dot_cell(s: Shape) -> str:
    """One cell of C by `dot` tiles."""
    given = ("i64 %rows", "i64 %columns", "i64 %k", "ptr %a", "i64 %lda", "ptr %b", "i64 %ldb", "ptr %c", "i64 %ldc",
             "ptr %bias", "i64 %flags")  # fmt: skip
    w = Writer(s, "void", "dot_cell", *given)
    has_bias = w.test("ne", "%bias", "null", "ptr")
    with w.when(w.test("eq", "%rows", 1)):
        with w.loop(w.parts("%columns", s.row_dot)) as block:
            j = w.mul(block, s.row_dot)
            columns = w.least(s.row_dot, w.sub("%columns", j))
            bias = w.choose(has_bias, w.at("%bias", j), "null", "ptr")
            w.call("void", f"dot_1_{s.row_dot}", "i64 %k", "ptr %a", "i64 %lda", f"ptr {w.at('%b', w.mul(j, '%ldb'))}", "i64 %ldb",
                   f"ptr {w.at('%c', j)}", "i64 %ldc", f"i64 {columns}", f"ptr {bias}", "i64 %flags")  # fmt: skip
        w.back()
    with w.loop(w.parts("%columns", s.dot)) as block:
        j = w.mul(block, s.dot)
        columns = w.least(s.dot, w.sub("%columns", j))
        b, c = w.at("%b", w.mul(j, "%ldb")), w.at("%c", j)
        bias = w.choose(has_bias, w.at("%bias", j), "null", "ptr")

        def tile(i: str, rows: int) -> None:
            w.call("void", f"dot_{rows}_{s.dot}", "i64 %k", f"ptr {w.at('%a', w.mul(i, '%lda'))}", "i64 %lda", f"ptr {b}", "i64 %ldb",
                   f"ptr {w.at(c, w.mul(i, '%ldc'))}", "i64 %ldc", f"i64 {columns}", f"ptr {bias}", "i64 %flags")  # fmt: skip

        with w.loop(w.over("%rows", s.dot)) as block_row:
            tile(w.mul(block_row, s.dot), s.dot)
        i = w.bits("%rows", -s.dot)
        rows = s.dot // 2
        while rows:
            some = w.bits("%rows", rows)
            with w.when(w.test("ne", some, 0)):
                tile(i, rows)
            i = w.add(i, some)
            rows //= 2
    w.back()
    return w.text()


# --- one row times rows ------------------------------------------------------------------------------------------------------


def _scaled_rows(s: Shape, count: int) -> str:
    """Adds `count` rows of B, each times its element of A (`lda` apart), to the row C; the first time C is not read."""
    w = Writer(s, "void", f"scaled_rows_{count}", "ptr %a", "i64 %lda", "ptr %b", "i64 %ldb", "ptr %c", "i64 %columns", "i1 %first")
    factors = [w.everywhere(w.op(f"load {s.element}, ptr {w.at('%a', w.mul(i, '%lda'))}, align {s.size}")) for i in range(count)]
    rows = [w.at("%b", w.mul(i, "%ldb")) for i in range(count)]

    def step(j: str, mask: str | None) -> None:
        total = w.choose("%first", "zeroinitializer", w.vector_at(w.at("%c", j), mask), s.vector)
        for factor, row in zip(factors, rows):
            total = w.fused(factor, w.vector_at(w.at(row, j), mask), total)
        w.set_vector(w.at("%c", j), total, mask)

    with w.loop(w.over("%columns", s.width)) as block:
        step(w.mul(block, s.width), None)
    done = w.bits("%columns", -s.width)
    rest = w.sub("%columns", done)
    with w.when(w.test("sgt", rest, 0)):
        step(done, w.first_lanes(rest))
    w.back()
    return w.text()


STREAMS = 8
"""How many rows of B are read at once."""


def _row_cell(s: Shape) -> str:
    """One row of C from one row of A, whose elements are `lda` apart, and contiguous rows of B, read in order."""
    w = Writer(
        s, "void", "row_cell", "i64 %columns", "i64 %k", "ptr %a", "i64 %lda", "ptr %b", "i64 %ldb", "ptr %c", "ptr %bias", "i64 %flags"
    )
    fresh = w.test("eq", w.bits("%flags", ACCUMULATE), 0)
    blocks = w.over("%k", STREAMS)

    def add(start: str, count: int, first: str) -> None:
        a, b = w.at("%a", w.mul(start, "%lda")), w.at("%b", w.mul(start, "%ldb"))
        w.call("void", f"scaled_rows_{count}", f"ptr {a}", "i64 %lda", f"ptr {b}", "i64 %ldb", "ptr %c", "i64 %columns", f"i1 {first}")

    with w.loop(blocks) as block:
        add(w.mul(block, STREAMS), STREAMS, w.both(fresh, w.test("eq", block, 0)))
    done = w.mul(blocks, STREAMS)
    with w.loop(w.sub("%k", done)) as rest:
        k = w.add(done, rest)
        add(k, 1, w.both(fresh, w.test("eq", k, 0)))
    with w.when(w.either(w.test("ne", "%bias", "null", "ptr"), w.flag(RELU))):
        with w.loop(w.parts("%columns", s.width)) as block:
            j = w.mul(block, s.width)
            left = w.least(s.width, w.sub("%columns", j))
            mask = w.first_lanes(left)
            slot = w.slot(s.vector)
            w.put(slot, s.vector, w.vector_at(w.at("%c", j), mask))
            _finished(w, [[slot]], 1, mask, w.choose(w.test("ne", "%bias", "null", "ptr"), w.at("%bias", j), "null", "ptr"))
            w.set_vector(w.at("%c", j), w.get(slot, s.vector), mask)
    w.back()
    return w.text()


def cells(s: Shape) -> list[str]:
    """All functions of a cell."""
    rows, parts = s.rows, []
    while rows:
        parts += [_tile(s, kind, rows, vectors) for kind in ("rows", "columns") for vectors in range(1, s.vectors + 1)]
        rows //= 2
    parts += [_sweep(s, kind, vectors) for kind in ("rows", "columns") for vectors in range(1, s.vectors + 1)]
    parts += [_dot_tile(s, rows, across) for rows, across in sorted({(4, s.dot), (2, s.dot), (1, s.dot), (1, s.row_dot)})]
    parts += [_scaled_rows(s, count) for count in (STREAMS, 1)]
    return parts + [make(s) for make in (_row_cell, _meet, _copy_a, _copy_b, _buffers, _cell, _dot_cell)]
