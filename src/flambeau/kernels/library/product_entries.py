"""Products as built-in functions: what is read of the arrays, how C is cut into cells, batches, and the pool.

The cells themselves are in `products.py`.
"""

from ..compiler.code import Code, Value
from ..compiler.code import module as code_module
from .products import ACCUMULATE, CELL_COLUMNS, CELL_ROWS, FAR, FEW_PRODUCTS, INSIDE, LATE_BIAS, PLAIN, RELU, buffers, cells
from .short_products import FEW_COLUMNS, FEW_ROWS, short_cells
from .vectors import Shape, Writer

FIELDS = ("rows columns k kind_a a lda kind_b b ldb c ldc bias flags cell_rows cell_columns down across route "
          "out_array a_array b_array batches").split()  # fmt: skip
_POINTERS = {"a", "b", "c", "bias", "out_array", "a_array", "b_array"}
CONTEXT = f"[{len(FIELDS)} x i64]"
TILES, DOTS, ROW, LOOPS, SHORT, SPLIT = range(6)
"""Ways to compute a cell. SPLIT: rows in fours by tiles, the others as a short product."""
MULTIPLICATIONS = 1 << 20
"""What a thread gets at least, about 10 us of work."""
NEAR = 8 << 20
"""Bytes of a B that is thought to be in a cache: asking for it ahead then costs a tenth; from memory it saves a third."""


def field(context: Value, name: str) -> Value:
    """A number or address of the product's context."""
    return context.code.field(context, 8 * FIELDS.index(name), "ptr" if name in _POINTERS else "i64")


def set_field(context: Value, name: str, value: Value | int | None) -> None:
    context.code.set_field(context, 8 * FIELDS.index(name), value)


def _body(s: Shape) -> Code:
    """Computes the cells [begin, end) of a product, or of a batch of products."""
    w = Writer(s, "product_body", "context begin:i64 end:i64")
    v = {name: field(w["context"], name) for name in FIELDS}
    tiles = v["route"].equals(TILES) | v["route"].equals(SPLIT)
    buffer = w.variable("ptr", None)
    with w.when(tiles):
        buffer.value = w.call("ptr", f"flambeau_take_{s.kind}")
    memory = buffer.value
    aligned = w.aligned(memory)
    in_batch = v["down"] * v["across"]
    many = v["batches"] > 1
    starts = {name: w.variable("ptr") for name in "abc"}
    with w.loop(w["end"] - w["begin"]) as n:
        cell = w["begin"] + n
        for name in "abc":
            starts[name].value = v[name]
        with w.when(many):
            batch = cell // in_batch
            for name, array in (("a", "a_array"), ("b", "b_array"), ("c", "out_array")):
                offset = w.call("i64", "batch_offset", v[array], v["out_array"], batch)
                starts[name].value = w.at(v[name], offset, "i8")
        place = cell % in_batch
        i = place // v["across"] * v["cell_rows"]
        j = place % v["across"] * v["cell_columns"]
        rows, columns = w.least(v["cell_rows"], v["rows"] - i), w.least(v["cell_columns"], v["columns"] - j)
        rows_a, turned = v["kind_a"].equals(0), v["kind_b"].equals(1)
        a = w.at(starts["a"].value, w.where(rows_a, i * v["lda"], i))
        b = w.at(starts["b"].value, w.where(turned, j * v["ldb"], j))
        c = w.at(w.at(starts["c"].value, i * v["ldc"]), j)
        has_bias = v["bias"].differs(None)
        bias = w.where(has_bias, w.at(v["bias"], j), None)
        whole = w.where(v["route"].equals(SPLIT), rows & -FEW_ROWS, rows)
        sizes = rows, columns, v["k"]
        result = c, v["ldc"], bias, v["flags"] | w.where(j > 0, INSIDE, 0)
        with w.when(v["route"].equals(DOTS)):
            w.call("void", "dot_cell", *sizes, a, v["lda"], b, v["ldb"], *result)
        with w.when(v["route"].equals(LOOPS)):
            factors = v["kind_a"], a, v["lda"], v["kind_b"], b, v["ldb"]
            w.call("void", f"flambeau_plain_{s.kind}", *sizes, *factors, *result, None)
        with w.when(v["route"].equals(SHORT)):
            w.call("void", "short_cell", *sizes, a, v["lda"], v["kind_a"], v["kind_b"], b, v["ldb"], *result)
        with w.when(v["route"].equals(ROW)):
            step = w.where(rows_a, 1, v["lda"])
            w.call("void", "row_cell", *sizes[1:], a, step, b, v["ldb"], *result[:1], *result[2:])
        with w.when(tiles):
            factors = v["kind_a"], a, v["lda"], v["kind_b"], b, v["ldb"]
            w.call("void", f"flambeau_cell_{s.kind}", whole, *sizes[1:], *factors, *result, aligned)
        with w.when(v["route"].equals(SPLIT)):
            a, c = w.at(a, w.where(rows_a, whole * v["lda"], whole)), w.at(c, whole * v["ldc"])
            w.call("void", "short_cell", rows - whole, *sizes[1:], a, v["lda"], v["kind_a"], v["kind_b"], b, v["ldb"], c, *result[1:])
    with w.when(tiles):
        w.call("void", f"flambeau_give_{s.kind}", memory)
    return w


def batch_offset(s: Shape) -> Code:
    """How many bytes into an array matrix `batch` of the result begins; dimensions that it lacks or has as 1 are broadcast."""
    w = Writer(s, "batch_offset", "array out batch:i64", "i64")
    nd, out_nd = (w.convert(w.field(x, 24, "i32"), "i64") for x in (w["array"], w["out"]))
    dims, strides, out_dims = w.field(w["array"], 32), w.field(w["array"], 40), w.field(w["out"], 32)
    left, offset = w.variable("i64", w["batch"]), w.variable("i64", 0)
    with w.loop(out_nd - 2) as step:
        d = out_nd - 3 - step
        size = w.load("i64", out_dims, d)
        rest = left.value
        index = rest % size
        left.value = rest // size
        own = d - (out_nd - nd)
        with w.when(own >= 0):
            with w.when(w.load("i64", dims, own).differs(1)):
                offset.value = offset.value + index * w.load("i64", strides, own)
    w.back(offset.value)
    return w


def _launch(s: Shape) -> Code:
    """Cuts the product of the context into cells and computes them on the pool."""
    w = Writer(s, "launch", "context")
    context = w["context"]
    rows, columns, k, batches = (field(context, name) for name in ("rows", "columns", "k", "batches"))
    matrix = rows * columns
    with w.when((matrix * batches).equals(0)):
        w.back()
    thin = w.where(rows < 4, 8, 1)  # few rows: reading B is the work
    work = matrix * k * thin
    down, across = w.variable("i64", w.parts(rows, CELL_ROWS)), w.variable("i64", w.parts(columns, CELL_COLUMNS))
    with w.loop(3):
        x, y = down.value, across.value
        cells = x * y
        few = cells * batches < 8
        large = work // cells > 2 * MULTIPLICATIONS
        with w.when(few & large):
            tall = rows // x > columns // y
            down.value = w.where(tall, x * 2, x)
            across.value = w.where(tall, y, y * 2)
    cell_rows = w.parts(w.parts(rows, down.value), s.rows) * s.rows
    cell_columns = w.parts(w.parts(columns, across.value), s.width) * s.width
    x, y = w.parts(rows, cell_rows), w.parts(columns, cell_columns)
    for name, value in (("cell_rows", cell_rows), ("cell_columns", cell_columns), ("down", x), ("across", y)):
        set_field(context, name, value)
    turned = field(context, "kind_b").equals(1)
    rows_a = field(context, "kind_a").equals(0)
    dots = rows_a & turned & (rows < FEW_ROWS) & (k >= 8 * rows)
    one_row, one_column = rows.equals(1), columns.equals(1)
    single = one_row & ~turned & (k > 0)
    route = w.where(dots, DOTS, w.where(single, ROW, TILES))
    flags = field(context, "flags")
    of_batches = (flags & PLAIN).differs(0)
    far = (rows <= 64) & (columns * k > NEAR // s.size)
    set_field(context, "flags", flags | w.where(far, FAR, 0))
    if s.size == 4:
        split = (rows < FEW_COLUMNS) & (rows & FEW_ROWS - 1).differs(0) & ~one_row & ((k > 16) | (columns > 16) & (k > 4))
        known = ~(one_row | one_column) | (k <= 4)
        short = ((rows < FEW_ROWS) | (columns < FEW_COLUMNS)) & known & (k > 0)
        route = w.where(short & ~of_batches, SHORT, w.where(split & ~of_batches, SPLIT, route))
    set_field(context, "route", w.where(of_batches & (matrix * k < FEW_PRODUCTS), LOOPS, route))
    cells = batches * (x * y)
    each = w.most(work // (x * y), 1)
    grain = w.parts(MULTIPLICATIONS, each)
    with w.when(cells <= grain):
        w.call("void", "product_body", context, 0, cells)
        w.back()
    with w.unlocked():
        w.spread("product_body", context, cells, grain)
    return w


def _suits(s: Shape) -> Code:
    """Whether an object is an array of the class and dtype of `out`, with at least `least` dimensions."""
    w = Writer(s, "suits", "array out least:i32", "i1")
    same_class = w.field(w["array"], 8).equals(w.field(w["out"], 8))
    with w.when(~same_class):
        w.back(False)
    descr = w.field(w["out"], 56)
    number = w.field(descr, 28, "i32").equals(11 if s.size == 4 else 12)
    native = w.field(descr, 26, "i8").equals(ord("="))
    same_dtype = w.field(w["array"], 56).equals(descr)
    dims = w.field(w["array"], 24, "i32") >= w["least"]
    w.back(number & native & (same_dtype & dims))
    return w


def _matrix(s: Shape) -> Code:
    """How a matrix lies: rows, columns and strides in elements, into `%to`. flat: leading dimensions count as rows.

    to: rows, columns, kind, lead, as i64. kind 0: rows are contiguous, 1: columns are; lead is from one to the next.
    False where neither is.
    """
    w = Writer(s, "matrix", "array flat:i1 to", "i1")
    nd = w.convert(w.field(w["array"], 24, "i32"), "i64")
    dims, strides = w.field(w["array"], 32), w.field(w["array"], 40)
    last, before = nd - 1, nd - 2
    columns = w.load("i64", dims, last)
    step = w.load("i64", strides, last)
    rows, stride = w.variable("i64", 1), w.variable("i64", 0)
    with w.when(before >= 0):
        rows.value = w.load("i64", dims, before)
        stride.value = w.load("i64", strides, before)
    outer = w.where(w["flat"], before, 0)
    with w.loop(outer) as n:
        d = before - 1 - n
        size, jump = w.load("i64", dims, d), w.load("i64", strides, d)
        have, width = rows.value, stride.value
        with w.when(have.equals(1)):
            stride.value = jump
        with w.when(have.differs(1)):
            follows = jump.equals(have * width)
            single = size <= 1
            with w.when(~(follows | single)):
                w.back(False)
        rows.value = have * size
    down = stride.value
    ragged = down | step
    with w.when((ragged & (s.size - 1)).differs(0)):
        w.back(False)
    height = rows.value
    w.set_field(w["to"], 0, height)
    w.set_field(w["to"], 8, columns)
    empty = (height * columns).equals(0)
    for kind, (unit, count, lead) in enumerate(((step, columns, down), (down, height, step))):
        fine = empty | (unit.equals(s.size) | (count <= 1))
        with w.when(fine):
            w.set_field(w["to"], 16, kind)
            w.set_field(w["to"], 24, lead // s.size)
            w.back(True)
    w.back(False)
    return w


def _entry(s: Shape, name: str, flags: int, turn_a: bool, turn_b: bool, flat: bool, bias: bool) -> Code:
    """A built-in function of (out, a, b) and perhaps a bias or None. Returns `out`, or `a` where it could not do it."""
    w = Writer(s, name, "self args count:i64", "ptr", internal=False)
    context, sizes = w.memory(CONTEXT), w.memory("[12 x i64]")
    out, a, b = (w.load("ptr", w["args"], i) for i in range(3))
    with w.when(w["count"] < (4 if bias else 3)):
        w.back(None)
    infos = [w.at(sizes, 32 * i, "i8") for i in range(3)]

    def need(condition: Value) -> None:
        with w.when(~condition):
            w.give(a)

    for i, (x, info) in enumerate(zip((out, a, b), infos)):
        need(w.call("i1", "suits", x, out, w.value(1 if flat and i < 2 else 2, "i32")))
        need(w.call("i1", "matrix", x, flat, info))
    (m, n, kind_c, ldc), (am, ak, kind_a, lda), (bk, bn, kind_b, ldb) = ([w.field(info, 8 * i, "i64") for i in range(4)] for info in infos)
    if turn_a:
        am, ak, kind_a = ak, am, 1 - kind_a
    if turn_b:
        bk, bn, kind_b = bn, bk, 1 - kind_b
    for x, y in ((m, am), (n, bn), (ak, bk)):
        need(x.equals(y))
    single = n.equals(1)  # a column: its elements are a row's, `ldc` apart
    need(kind_c.equals(0) | single)
    pointers: dict[str, Value | None] = {"a": w.field(a, 16), "b": w.field(b, 16), "c": w.field(out, 16), "bias": None}
    if bias:
        given = w.load("ptr", w["args"], 3)
        term = w.variable("ptr", None)
        none = w.op("getelementptr i8, ptr @_Py_NoneStruct, i64 0", "ptr")
        with w.when(given.differs(none)):
            need(w.call("i1", "suits", given, out, w.value(1, "i32")))
            need(w.field(given, 24, "i32").equals(1))
            need(w.load("i64", w.field(given, 32), 0).equals(n))
            unit = w.load("i64", w.field(given, 40), 0).equals(s.size)
            need(unit | (n <= 1))
            term.value = w.field(given, 16)
        pointers["bias"] = term.value
    batches = w.variable("i64", 1)
    if not flat:
        nd = w.convert(w.field(out, 24, "i32"), "i64")
        for x in (a, b):
            need(w.convert(w.field(x, 24, "i32"), "i64") <= nd)
        dims = w.field(out, 32)
        with w.loop(nd - 2) as d:
            batches.value = batches.value * w.load("i64", dims, d)
    values: dict[str, Value | int | None] = dict(zip(("rows", "columns", "k", "ldc"), (m, n, ak, ldc)))
    flags_of_batch: Value | int = flags
    if not flat:  # batches on both sides
        least = w.where(w.field(a, 24, "i32") < w.field(b, 24, "i32"), w.field(a, 24, "i32"), w.field(b, 24, "i32"))
        flags_of_batch = w.where(w.convert(least, "i64") > 2, w.value(flags | PLAIN), w.value(flags))
    values |= {"kind_a": kind_a, "lda": lda, "kind_b": kind_b, "ldb": ldb, "flags": flags_of_batch, "batches": batches.value}
    values |= {"out_array": out, "a_array": a, "b_array": b, **pointers}
    for field_name, value in values.items():
        set_field(context, field_name, value)
    w.call("void", "launch", context)
    w.give(out)
    return w


ENTRIES = {
    "matmul": (0, False, False, False, False),
    "matmul_add": (ACCUMULATE, False, False, False, False),
    "linear": (0, False, True, True, True),
    "linear_late": (LATE_BIAS, False, True, True, True),
    "linear_relu": (RELU, False, True, True, True),
    "weight_gradient": (0, True, False, True, False),
    "input_gradient": (0, False, False, True, False),
}


def offers(kind: str) -> tuple[str, ...]:
    """What other modules may call: one cell of a product, a copy (or transposed copy) of a matrix, memory for the cell's copies."""
    return tuple(f"flambeau_{name}_{kind}" for name in ("cell", "plain", "copy", "take", "give"))


def module(element: str, vector_bits: int) -> str:
    """The IR of all products of one element type, `float` or `double`."""
    s = Shape(element, vector_bits)
    parts = cells(s) + short_cells(s)
    parts += [make(s) for make in (batch_offset, _body, _launch, _suits, _matrix)]
    parts += [_entry(s, f"flambeau_{name}_{s.kind}", *how) for name, how in ENTRIES.items()]
    return code_module(parts, buffers(s) + "@_Py_NoneStruct = external global i8\n")
