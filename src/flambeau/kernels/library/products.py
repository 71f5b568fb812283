"""Matrix products in machine code: C = A @ B (+ C) (+ bias), ReLU behind it if wanted.

The scheme is that of Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008. C is cut into cells,
which threads compute one by one. A cell copies its rows of A into panels of `ROWS` rows (they stay in the second-level
cache), then copies one panel of B after the other, as many columns as fit `VECTORS` registers (it stays in the first-level
cache), and lets every panel of A meet it in a tile: `ROWS` x `VECTORS` registers that add up along k. Before each tile some of what
is copied next is asked for: without that, factors that come from memory cost 5 % more.
Small factors are read where they lie. A product of few rows with a transposed B of long rows (`x @ W.T` of a small batch)
goes another way: `DOT` x `DOT` registers add up partial sums along k of both, summed across at the end; nothing is copied.

The functions that Python calls are in `product_entries.py`.

Each element is summed in an order that depends on the shapes and memory order of the factors alone, never on where the cells
lie or who computes them. Tiles add one product after the other, fused, over a part of k; the sum of the first part, with the
bias, takes the sums of the others in turn. Up to `DEPTH` there is one part, below twice that two halves (a last product stays
alone), above they are `DEPTH` long. That is the order of PyTorch's products on CPUs with AVX-512 (found by comparing bits for
1,040 shapes of 4 to 512 rows, 12 to 512 columns and k to 1,500: products of 12 columns and more are equal), at no cost here.
Batches of matrices with fewer than `FEW_PRODUCTS` products each are multiplied as PyTorch's own loops do it.
k = 0 gives zeros.
"""

from typing import Any

from ..compiler.code import Code, Value, Variable
from .vectors import Shape, Writer

DEPTH = 192
"""How much of k is copied at once: a panel of B and one of A then fill a first-level cache of 48 KiB."""

PARAMETERS = "k:i64 a lda:i64 b ldb:i64 c ldc:i64 columns:i64 bias flags:i64"
AHEAD = 5
"""Numbers that say what is fetched from memory while tiles are computed: where it lies, the bytes from row to row, how many rows at
each tile, the bytes of a row, how many rows are left. There are two of them, for the next panel of B and the next part of A."""
ACCUMULATE, RELU, CONTINUE, LATE_BIAS, PLAIN, FAR, INSIDE = 1, 2, 4, 8, 16, 32, 64
"""Flags: the sum is added to C; ReLU; the sum begins with C, as the chain of a longer k whose first products are there; the bias is added
at the end, not to the first part; `plain_cell` serves; B comes from memory, and few rows meet it; columns of C come before the cell's."""

FEW_PRODUCTS = 400
"""Batches of matrices with fewer products each PyTorch multiplies by loops of its own, one element after the other, nothing fused."""


def _finished(w: Writer, sums: list[list[Variable]], vectors: int, mask: Value, bias: Value) -> None:
    """Adds the bias, if there is one, and applies ReLU if the flags say so, to sums in slots, row by row."""
    s = w.shape
    with w.when(bias.differs(None)):
        terms = [w.vector_at(w.at(bias, v * s.width), mask if v == vectors - 1 else None) for v in range(vectors)]
        for row in sums:
            for term, slot in zip(terms, row):
                slot.value = slot.value + term
    with w.when(w.flag(RELU)):
        for row in sums:
            for slot in row:
                value = slot.value
                slot.value = w.where(value < 0.0, 0.0, value)


def _places(w: Writer, sums: list[list[Variable]], vectors: int, mask: Value) -> Any:
    """A tile's sums (slots, row by row), each with where it lies in C, and its mask."""
    for i, row in enumerate(sums):
        start = w.at(w["c"], i * w["ldc"])
        for v, slot in enumerate(row):
            yield slot, w.at(start, v * w.shape.width), mask if v == vectors - 1 else None


def _finish(w: Writer, sums: list[list[Variable]], vectors: int, mask: Value) -> None:
    """Adds what the flags say to a tile's sums (slots, row by row) and stores it; the mask is the last vector's."""
    with w.when(w.flag(ACCUMULATE)):
        for slot, at, lanes in _places(w, sums, vectors, mask):
            slot.value = slot.value + w.vector_at(at, lanes)
    _finished(w, sums, vectors, mask, w["bias"])
    for slot, at, lanes in _places(w, sums, vectors, mask):
        w.set_vector(at, slot.value, lanes)


def _tile(s: Shape, kind: str, rows: int, vectors: int) -> Code:
    """A tile of C. kind: `rows` where a row of A is contiguous (`lda` apart), `columns` where a column is."""
    w = Writer(s, f"tile_{kind}_{rows}_{vectors}", PARAMETERS)
    sums = [[w.variable(s.vector, 0.0) for _ in range(vectors)] for _ in range(rows)]
    mask = w.first_lanes(w["columns"] - (vectors - 1) * s.width)
    starts = [w.at(w["a"], i * w["lda"]) for i in range(rows)] if kind == "rows" else []
    with w.when(w.flag(CONTINUE)):
        for slot, at, lanes in _places(w, sums, vectors, mask):
            slot.value = w.vector_at(at, lanes)
    with w.loop(w["k"]) as k:
        b = w.at(w["b"], k * w["ldb"])
        right = [w.vector_at(w.at(b, v * s.width), mask if v == vectors - 1 else None) for v in range(vectors)]
        column = [] if kind == "rows" else [w.at(w["a"], k * w["lda"])]
        for i in range(rows):
            at = w.at(starts[i], k) if kind == "rows" else w.at(column[0], i)
            left = w.everywhere(w.load(s.element, at))
            for v in range(vectors):
                sums[i][v].value = w.fused(left, right[v], sums[i][v].value)
    _finish(w, sums, vectors, mask)
    return w


def _sweep(s: Shape, kind: str, vectors: int) -> Code:
    """All rows of A against one panel of B. step: from one panel of `ROWS` rows of A to the next, in elements."""
    w = Writer(s, f"sweep_{kind}_{vectors}", f"rows:i64 step:i64 ahead {PARAMETERS}")

    _, _, _, k, _, lda, b, ldb, _, *rest = w.arguments

    def tile(a: Value, c: Value, rows: int) -> None:
        w.call("void", f"tile_{kind}_{rows}_{vectors}", k, a, lda, b, ldb, c, *rest)

    a, c = w.variable("ptr", w["a"]), w.variable("ptr", w["c"])
    with w.loop(w["rows"] // s.rows):
        for stream in range(2):
            w.call("void", "fetch", w.at(w["ahead"], stream * AHEAD, "i64"))
        tile(a.value, c.value, s.rows)
        a.value = w.at(a.value, w["step"])
        c.value = w.at(c.value, s.rows * w["ldc"])
    rows = s.rows // 2
    while rows:
        with w.when((w["rows"] & rows).differs(0)):
            tile(a.value, c.value, rows)
            a.value = w.at(a.value, rows * w["lda"] if kind == "rows" else rows)
            c.value = w.at(c.value, rows * w["ldc"])
        rows //= 2
    return w


def _fetch(s: Shape) -> Code:
    """Has the next rows of what is said `ahead` fetched into the second-level cache."""
    w = Writer(s, "fetch", "ahead")
    w.apart = True  # not inlined: it is no hot spot
    address, step, count, size, left = (w.load("i64", w["ahead"], i) for i in range(AHEAD))
    count = w.least(count, left)
    with w.loop(count, short=True) as row:
        start = w.convert(address + row * step, "ptr")
        with w.loop(0, size, 64, short=True) as line:
            w.prefetch(w.at(start, line, "i8"), 2)
    w.store(address + count * step, w["ahead"], 0)
    w.store(left - count, w["ahead"], AHEAD - 1)
    return w


def _meet(s: Shape) -> Code:
    """`sweep` by the kind of A (1: its columns are contiguous) and the number of columns."""
    w = Writer(s, "meet", f"kind:i64 rows:i64 step:i64 ahead {PARAMETERS}")
    for kind, name in ((0, "rows"), (1, "columns")):
        with w.when(w["kind"].equals(kind)):
            for vectors in range(1, s.vectors):
                with w.when(w["columns"] <= vectors * s.width):
                    w.call("void", f"sweep_{name}_{vectors}", *w.arguments[1:])
                    w.back()
            w.call("void", f"sweep_{name}_{s.vectors}", *w.arguments[1:])
    return w


def _copy_b(s: Shape) -> Code:
    """Copies a panel of B, k x columns, so that its rows are contiguous, `lead` apart. kind 1: columns of B are contiguous, `ldb` apart.

    With kind 1, rows are written up to a multiple of the vectors' width, in both dimensions. kind 2 is 1 for a B that comes from memory:
    the columns behind these are asked for.
    """
    w = Writer(s, f"flambeau_copy_{s.kind}", "kind:i64 k:i64 columns:i64 b ldb:i64 to lead:i64", internal=False)
    with w.when(w["kind"].equals(0)):
        masks = [w.first_lanes(w["columns"] - v * s.width) for v in range(s.vectors)]
        with w.loop(w["k"]) as k:
            source, target = w.at(w["b"], k * w["ldb"]), w.at(w["to"], k * w["lead"])
            for v in range(s.vectors):
                w.set_vector(w.at(target, v * s.width), w.vector_at(w.at(source, v * s.width), masks[v]))
        w.back()
    with w.loop(w.parts(w["columns"], s.width)) as j:
        first = j * s.width
        last = w["columns"] - 1
        columns = [w.at(w["b"], w.least(first + i, last) * w["ldb"]) for i in range(s.width)]
        with w.loop(w.parts(w["k"], s.width)) as block:
            k = block * s.width
            mask = w.first_lanes(w["k"] - k)
            target = w.at(w.at(w["to"], k * w["lead"]), first)
            with w.when(w["kind"].equals(2)):
                for column in columns:
                    w.prefetch(w.at(w.at(column, s.width * w["ldb"]), k), 3)
            for i, row in enumerate(w.transposed([w.vector_at(w.at(column, k), mask) for column in columns])):
                w.set_vector(w.at(target, i * w["lead"]), row)
    return w


def _copy_a(s: Shape) -> Code:
    """Copies panels of `ROWS` rows of A so that their columns are contiguous, `ROWS` apart. panels: how many."""
    w = Writer(s, "copy_a", "kind:i64 panels:i64 k:i64 a lda:i64 to")
    half = f"<{s.rows} x {s.element}>"
    with w.when(w["kind"].equals(1)):
        with w.loop(w["panels"]) as panel:
            source, target = w.at(w["a"], panel * s.rows), w.at(w["to"], panel * s.rows * w["k"])
            with w.loop(w["k"]) as k:
                row = w.load(half, w.at(source, k * w["lda"]))
                w.store(row, w.at(target, k * s.rows))
        w.back()
    with w.loop(w["panels"]) as panel:
        source, target = w.at(w["a"], panel * s.rows * w["lda"]), w.at(w["to"], panel * s.rows * w["k"])
        starts = [w.at(source, i * w["lda"]) for i in range(s.rows)]
        with w.loop(w["k"] // s.rows) as block:
            k = block * s.rows
            rows = w.transposed([w.load(half, w.at(start, k)) for start in starts])
            for i, row in enumerate(rows):
                w.store(row, w.at(target, (k + i) * s.rows))
        done = w["k"] & -s.rows
        with w.loop(w["k"] - done) as rest:
            k = done + rest
            for i, start in enumerate(starts):
                value = w.load(s.element, w.at(start, k))
                w.store(value, w.at(target, k * s.rows + i))
    return w


def buffers(s: Shape) -> str:
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


CELL = "rows:i64 columns:i64 k:i64 kind_a:i64 a lda:i64 kind_b:i64 b ldb:i64 c ldc:i64 bias flags:i64 buffer"


def parts_of(w: Writer, k: Value) -> tuple[Value, Value]:
    """How long the parts of k are that are summed apart, and how many there are."""
    short = k <= DEPTH
    depth = w.where(short, k, w.where(k < 2 * DEPTH, k // 2, DEPTH))
    return depth, w.where(k.equals(0), 1, w.parts(k, w.where(short, DEPTH, depth)))


def _cell(s: Shape) -> Code:
    """One cell of C, rows x columns over all of k, with the cell's own copies in %buffer."""
    w = Writer(s, f"flambeau_cell_{s.kind}", CELL, internal=False)
    panel_b = w.at(w["buffer"], A_PANELS, "i8")
    many_columns = w["columns"] > 2 * s.columns
    copied_rows = w.where(many_columns, w["rows"] & -s.rows, 0)
    own_rows = w["rows"] - copied_rows
    panels = copied_rows // s.rows
    many_rows = w["rows"] > 8 * s.rows
    turned = w["kind_b"].equals(1)
    copy_b = many_rows | turned
    depth, chunks = parts_of(w, w["k"])
    sum_on = w["flags"] & (ACCUMULATE | CONTINUE)
    rows_a = w["kind_a"].equals(0)
    ahead = w.array("i64", 2 * AHEAD)

    def say_ahead(which: int, start: Value, step: Value, each: Any, length: Value, rows: Value) -> None:
        """In elements; rows need not begin where a cache line does."""
        numbers = w.convert(start, "i64"), step * s.size, each, length * s.size + 48, rows
        for i, number in enumerate(numbers):
            w.store(number, ahead, which * AHEAD + i)

    with w.loop(chunks) as chunk:
        k0 = chunk * depth
        k = w.least(depth, w["k"] - k0)
        a = w.at(w["a"], w.where(rows_a, k0, k0 * w["lda"]))
        b = w.at(w["b"], w.where(turned, k0, k0 * w["ldb"]))
        first, last = chunk.equals(0), (chunk + 1).equals(chunks)
        begin = w.where(first, sum_on, ACCUMULATE)
        behind = w.where(last, w["flags"], 0)
        flags = begin | behind & RELU
        bias = w.where(w.where(w.flag(LATE_BIAS), last, first), w["bias"], None)
        has_bias = bias.differs(None)
        w.call("void", "copy_a", w["kind_a"], panels, k, a, w["lda"], w["buffer"])
        rest_a = w.at(a, w.where(rows_a, copied_rows * w["lda"], copied_rows))
        step = w.where(rows_a, s.rows * w["lda"], s.rows)
        lengths_a = w.where(rows_a, depth, copied_rows), w.where(last, 0, w.where(rows_a, copied_rows, depth))
        say_ahead(1, w.at(a, w.where(rows_a, depth, depth * w["lda"])), w["lda"], 1, *lengths_a)
        with w.loop(w.parts(w["columns"], s.columns)) as panel:
            j = panel * s.columns
            columns = w.least(s.columns, w["columns"] - j)
            here = w.at(b, w.where(turned, j * w["ldb"], j))
            with w.when(copy_b):
                kind = w.where(turned & w.flag(FAR), 2, w["kind_b"])
                w.call("void", f"flambeau_copy_{s.kind}", kind, k, columns, here, w["ldb"], panel_b, s.columns)
            used = w.where(copy_b, panel_b, here)
            ldb = w.where(copy_b, s.columns, w["ldb"])
            c = w.at(w["c"], j)
            there = w.where(has_bias, w.at(bias, j), None)
            more = j + s.columns < w["columns"]
            next_j, next_k = w.where(more, j + s.columns, 0), w.where(more, 0, depth)
            next_b = w.at(b, w.where(turned, next_j * w["ldb"] + next_k, next_j + next_k * w["ldb"]))
            rows_b = w.where(copy_b & (more | ~last), w.where(turned, s.columns, k), 0)
            each = w.parts(rows_b, w.most(panels, 1))
            say_ahead(0, next_b, w["ldb"], each, w.where(turned, k, s.columns), rows_b)
            tail = (w["ldc"], columns, there, flags)
            with w.when(panels > 0):
                w.call("void", "meet", 1, copied_rows, s.rows * k, ahead, k, w["buffer"], s.rows, used, ldb, c, *tail)
            with w.when(own_rows > 0):
                below = w.at(c, copied_rows * w["ldc"])
                w.call("void", "meet", w["kind_a"], own_rows, step, ahead, k, rest_a, w["lda"], used, ldb, below, *tail)
    return w


def _plain_cell(s: Shape) -> Code:
    """A cell of fewer than `FEW_PRODUCTS` products: one after the other, not fused, in one chain."""
    w = Writer(s, f"flambeau_plain_{s.kind}", CELL, internal=False)
    copied = w.memory(f"[{FEW_PRODUCTS} x {s.element}]")
    columns, turned = w["columns"], w["kind_b"].equals(1)
    with w.when(turned):
        with w.loop(columns) as j:
            with w.loop(w["k"]) as k:
                value = w.load(s.element, w.at(w.at(w["b"], j * w["ldb"]), k))
                w.store(value, w.at(copied, k * columns + j))
    b, ldb = w.where(turned, copied, w["b"]), w.where(turned, columns, w["ldb"])
    rows_a = w["kind_a"].equals(0)
    down, along = w.where(rows_a, w["lda"], 1), w.where(rows_a, 1, w["lda"])
    with w.loop(w["rows"]) as i:
        row, result = w.at(w["a"], i * down), w.at(w["c"], i * w["ldc"])
        with w.loop(w.parts(columns, s.width)) as part:
            j = part * s.width
            mask = w.first_lanes(columns - j)
            place = w.at(result, j)
            total = w.variable(s.vector, 0.0)
            with w.when(w.flag(CONTINUE)):
                total.value = w.vector_at(place, mask)
            with w.loop(w["k"]) as k:
                left = w.everywhere(w.load(s.element, w.at(row, k * along)))
                total.value = total.value + left * w.vector_at(w.at(w.at(b, k * ldb), j), mask)
            with w.when(w.flag(ACCUMULATE)):
                total.value = total.value + w.vector_at(place, mask)
            w.set_vector(place, total.value, mask)
    return w


# --- few rows times long columns -------------------------------------------------------------------------------------------


def _dot_tile(s: Shape, rows: int, across: int) -> Code:
    """`rows` x `across` elements of A @ B from contiguous rows of A (`lda` apart) and columns of B (`ldb` apart)."""
    w = Writer(s, f"dot_{rows}_{across}", PARAMETERS)
    last = w["columns"] - 1
    left = [w.at(w["a"], i * w["lda"]) for i in range(rows)]
    right = [w.at(w["b"], w.least(j, last) * w["ldb"]) for j in range(across)]
    sums = [[w.variable(s.vector, 0.0) for _ in range(across)] for _ in range(rows)]

    def step(k: Value, mask: Value | None) -> None:
        b = [w.vector_at(w.at(start, k), mask) for start in right]
        for start, row in zip(left, sums):
            a = w.vector_at(w.at(start, k), mask)
            for value, slot in zip(b, row):
                slot.value = w.fused(a, value, slot.value)

    with w.loop(w["k"] // s.width) as block:
        step(block * s.width, None)
    done = w["k"] & -s.width
    rest = w["k"] - done
    with w.when(rest > 0):
        step(done, w.first_lanes(rest))
    few = s.narrowed(across)
    totals = []
    for row in sums:
        values = [slot.value for slot in row]
        width = s.width
        while len(values) > 1 or width > across:  # neighbours are added until one vector of `across` sums is left
            if len(values) > 1:
                pairs, out = list(zip(values[::2], values[1::2])), width
            else:
                pairs, out = [(values[0], values[0])], width // 2
            values = []
            for a, b in pairs:
                even, odd = (w.shuffle(a, b, list(range(start, 2 * out, 2))) for start in (0, 1))
                values.append(even + odd)
            width = out
        totals.append([w.variable(few.vector, values[0])])
    w.shape = few
    _finish(w, totals, 1, w.first_lanes(w["columns"]))
    return w


def _dot_cell(s: Shape) -> Code:
    """One cell of C, of up to three rows, by `dot` tiles."""
    w = Writer(s, "dot_cell", "rows:i64 columns:i64 k:i64 a lda:i64 b ldb:i64 c ldc:i64 bias flags:i64")
    has_bias = w["bias"].differs(None)
    with w.when(w["rows"].equals(1)):
        with w.loop(w.parts(w["columns"], s.row_dot)) as block:
            j = block * s.row_dot
            columns = w.least(s.row_dot, w["columns"] - j)
            bias = w.where(has_bias, w.at(w["bias"], j), None)
            w.call(
                "void",
                f"dot_1_{s.row_dot}",
                w["k"],
                w["a"],
                w["lda"],
                w.at(w["b"], j * w["ldb"]),
                w["ldb"],
                w.at(w["c"], j),
                w["ldc"],
                columns,
                bias,
                w["flags"],
            )
        w.back()
    with w.loop(w.parts(w["columns"], s.dot)) as block:
        j = block * s.dot
        columns = w.least(s.dot, w["columns"] - j)
        b, c = w.at(w["b"], j * w["ldb"]), w.at(w["c"], j)
        bias = w.where(has_bias, w.at(w["bias"], j), None)

        def tile(i: Value, rows: int) -> None:
            w.call(
                "void",
                f"dot_{rows}_{s.dot}",
                w["k"],
                w.at(w["a"], i * w["lda"]),
                w["lda"],
                b,
                w["ldb"],
                w.at(c, i * w["ldc"]),
                w["ldc"],
                columns,
                bias,
                w["flags"],
            )

        i, rows = w.value(0), s.dot // 2
        while rows:
            some = w["rows"] & rows
            with w.when(some.differs(0)):
                tile(i, rows)
            i = i + some
            rows //= 2
    return w


# --- one row times rows ------------------------------------------------------------------------------------------------------


def _scaled_rows(s: Shape, count: int) -> Code:
    """Adds `count` rows of B, each times its element of A (`lda` apart), to the row C; the first time C is not read."""
    w = Writer(s, f"scaled_rows_{count}", "a lda:i64 b ldb:i64 c columns:i64 first:i1")
    factors = [w.everywhere(w.load(s.element, w.at(w["a"], i * w["lda"]))) for i in range(count)]
    rows = [w.at(w["b"], i * w["ldb"]) for i in range(count)]

    def step(j: Value, mask: Value | None) -> None:
        total = w.where(w["first"], 0.0, w.vector_at(w.at(w["c"], j), mask))
        for factor, row in zip(factors, rows):
            total = w.fused(factor, w.vector_at(w.at(row, j), mask), total)
        w.set_vector(w.at(w["c"], j), total, mask)

    with w.loop(w["columns"] // s.width) as block:
        step(block * s.width, None)
    done = w["columns"] & -s.width
    rest = w["columns"] - done
    with w.when(rest > 0):
        step(done, w.first_lanes(rest))
    return w


STREAMS = 8
"""How many rows of B are read at once."""


def _row_cell(s: Shape) -> Code:
    """One row of C from one row of A, whose elements are `lda` apart, and contiguous rows of B, read in order."""
    w = Writer(s, "row_cell", "columns:i64 k:i64 a lda:i64 b ldb:i64 c bias flags:i64")
    fresh = (w["flags"] & ACCUMULATE).equals(0)
    blocks = w["k"] // STREAMS

    def add(start: Value, count: int, first: Value) -> None:
        a, b = w.at(w["a"], start * w["lda"]), w.at(w["b"], start * w["ldb"])
        w.call("void", f"scaled_rows_{count}", a, w["lda"], b, w["ldb"], w["c"], w["columns"], first)

    with w.loop(blocks) as block:
        add(block * STREAMS, STREAMS, fresh & block.equals(0))
    done = blocks * STREAMS
    with w.loop(w["k"] - done) as rest:
        k = done + rest
        add(k, 1, fresh & k.equals(0))
    with w.when(w["bias"].differs(None) | w.flag(RELU)):
        with w.loop(w.parts(w["columns"], s.width)) as block:
            j = block * s.width
            left = w.least(s.width, w["columns"] - j)
            mask = w.first_lanes(left)
            slot = w.variable(s.vector, w.vector_at(w.at(w["c"], j), mask))
            _finished(w, [[slot]], 1, mask, w.where(w["bias"].differs(None), w.at(w["bias"], j), None))
            w.set_vector(w.at(w["c"], j), slot.value, mask)
    return w


def cells(s: Shape) -> list[Code]:
    """All functions of a cell."""
    rows, parts = s.rows, []
    while rows:
        parts += [_tile(s, kind, rows, vectors) for kind in ("rows", "columns") for vectors in range(1, s.vectors + 1)]
        rows //= 2
    parts += [_sweep(s, kind, vectors) for kind in ("rows", "columns") for vectors in range(1, s.vectors + 1)]
    parts += [_dot_tile(s, rows, across) for rows, across in sorted({(2, s.dot), (1, s.dot), (1, s.row_dot)})]
    parts += [_scaled_rows(s, count) for count in (STREAMS, 1)]
    return parts + [make(s) for make in (_row_cell, _fetch, _meet, _copy_a, _copy_b, _cell, _plain_cell, _dot_cell)]
