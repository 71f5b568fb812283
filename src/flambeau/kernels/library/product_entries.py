"""Products as built-in functions: what is read of the arrays, how C is cut into cells, batches, and the pool.

The cells themselves are in `products.py`.
"""

from .products import ACCUMULATE, CELL_COLUMNS, CELL_ROWS, RELU, cells
from .vectors import Shape, Writer

FIELDS = ("rows columns k kind_a a lda kind_b b ldb c ldc bias flags cell_rows cell_columns down across route "
          "out_array a_array b_array batches").split()  # fmt: skip
_POINTERS = {"a", "b", "c", "bias", "out_array", "a_array", "b_array"}
CONTEXT = f"[{len(FIELDS)} x i64]"
TILES, DOTS, ROW = range(3)
MULTIPLICATIONS = 1 << 20
"""What a thread gets at least, about 10 us of work."""


def field(w: Writer, name: str) -> str:
    """A number or address of the product's context."""
    return w.field("%context", 8 * FIELDS.index(name), "ptr" if name in _POINTERS else "i64")


def set_field(w: Writer, name: str, value: str | int) -> None:
    w.set_field("%context", 8 * FIELDS.index(name), str(value), "ptr" if name in _POINTERS else "i64")


def _body(s: Shape) -> str:
    """Computes the cells [begin, end) of a product, or of a batch of products."""
    w = Writer(s, "void", "product_body", "ptr %context", "i64 %begin", "i64 %end")
    v = {name: field(w, name) for name in FIELDS}
    tiles = w.test("eq", v["route"], TILES)
    buffer = w.slot("ptr", "null")
    with w.when(tiles):
        w.put(buffer, "ptr", w.call("ptr", f"flambeau_take_{s.kind}"))
    memory = w.get(buffer, "ptr")
    address = w.op(f"ptrtoint ptr {memory} to i64")
    up = w.bits(w.add(address, 63), -64)
    aligned = w.op(f"inttoptr i64 {up} to ptr")
    in_batch = w.mul(v["down"], v["across"])
    many = w.test("sgt", v["batches"], 1)
    starts = {name: w.slot("ptr") for name in "abc"}
    with w.loop(w.sub("%end", "%begin")) as n:
        cell = w.add("%begin", n)
        for name in "abc":
            w.put(starts[name], "ptr", v[name])
        with w.when(many):
            batch = w.over(cell, in_batch)
            for name, array in (("a", "a_array"), ("b", "b_array"), ("c", "out_array")):
                offset = w.call("i64", "batch_offset", f"ptr {v[array]}", f"ptr {v['out_array']}", f"i64 {batch}")
                w.put(starts[name], "ptr", w.op(f"getelementptr i8, ptr {v[name]}, i64 {offset}"))
        place = w.op(f"srem i64 {cell}, {in_batch}")
        i = w.mul(w.over(place, v["across"]), v["cell_rows"])
        j = w.mul(w.op(f"srem i64 {place}, {v['across']}"), v["cell_columns"])
        rows, columns = w.least(v["cell_rows"], w.sub(v["rows"], i)), w.least(v["cell_columns"], w.sub(v["columns"], j))
        rows_a, turned = w.test("eq", v["kind_a"], 0), w.test("eq", v["kind_b"], 1)
        a = w.at(w.get(starts["a"], "ptr"), w.choose(rows_a, w.mul(i, v["lda"]), i))
        b = w.at(w.get(starts["b"], "ptr"), w.choose(turned, w.mul(j, v["ldb"]), j))
        c = w.at(w.at(w.get(starts["c"], "ptr"), w.mul(i, v["ldc"])), j)
        has_bias = w.test("ne", v["bias"], "null", "ptr")
        bias = w.choose(has_bias, w.at(v["bias"], j), "null", "ptr")
        sizes = (f"i64 {rows}", f"i64 {columns}", f"i64 {v['k']}")
        result = (f"ptr {c}", f"i64 {v['ldc']}", f"ptr {bias}", f"i64 {v['flags']}")
        with w.when(w.test("eq", v["route"], DOTS)):
            w.call("void", "dot_cell", *sizes, f"ptr {a}", f"i64 {v['lda']}", f"ptr {b}", f"i64 {v['ldb']}", *result)
        with w.when(w.test("eq", v["route"], ROW)):
            step = w.choose(rows_a, 1, v["lda"])
            w.call("void", "row_cell", *sizes[1:], f"ptr {a}", f"i64 {step}", f"ptr {b}", f"i64 {v['ldb']}", *result[:1], *result[2:])
        with w.when(tiles):
            factors = (f"i64 {v['kind_a']}", f"ptr {a}", f"i64 {v['lda']}", f"i64 {v['kind_b']}", f"ptr {b}", f"i64 {v['ldb']}")
            w.call("void", f"flambeau_cell_{s.kind}", *sizes, *factors, *result, f"ptr {aligned}")
    with w.when(tiles):
        w.call("void", f"flambeau_give_{s.kind}", f"ptr {memory}")
    w.back()
    return w.text()


def batch_offset(s: Shape) -> str:
    """How many bytes into an array matrix `batch` of the result begins; dimensions that it lacks or has as 1 are broadcast."""
    w = Writer(s, "i64", "batch_offset", "ptr %array", "ptr %out", "i64 %batch")
    nd, out_nd = (w.wide(w.field(x, 24, "i32")) for x in ("%array", "%out"))
    dims, strides, out_dims = w.field("%array", 32), w.field("%array", 40), w.field("%out", 32)
    left, offset = w.slot("i64", "%batch"), w.slot("i64", "0")
    with w.loop(w.sub(out_nd, 2)) as step:
        d = w.sub(w.sub(out_nd, 3), step)
        size = w.item(out_dims, d, "i64")
        rest = w.get(left, "i64")
        index = w.op(f"srem i64 {rest}, {size}")
        w.put(left, "i64", w.over(rest, size))
        own = w.sub(d, w.sub(out_nd, nd))
        with w.when(w.test("sge", own, 0)):
            with w.when(w.test("ne", w.item(dims, own, "i64"), 1)):
                w.put(offset, "i64", w.add(w.get(offset, "i64"), w.mul(index, w.item(strides, own, "i64"))))
    w.back(w.get(offset, "i64"))
    return w.text()


def _launch(s: Shape) -> str:
    """Cuts the product of the context into cells and computes them on the pool."""
    w = Writer(s, "void", "launch", "ptr %context")
    rows, columns, k, batches = (field(w, name) for name in ("rows", "columns", "k", "batches"))
    matrix = w.mul(rows, columns)
    with w.when(w.test("eq", w.mul(matrix, batches), 0)):
        w.back()
    thin = w.choose(w.test("slt", rows, 4), 8, 1)  # few rows: reading B is the work
    work = w.mul(w.mul(matrix, k), thin)
    down, across = w.slot("i64", w.parts(rows, CELL_ROWS)), w.slot("i64", w.parts(columns, CELL_COLUMNS))
    with w.loop("3"):
        x, y = w.get(down, "i64"), w.get(across, "i64")
        cells = w.mul(x, y)
        few = w.test("slt", w.mul(cells, batches), 8)
        large = w.test("sgt", w.over(work, cells), 2 * MULTIPLICATIONS)
        with w.when(w.both(few, large)):
            tall = w.test("sgt", w.over(rows, x), w.over(columns, y))
            w.put(down, "i64", w.choose(tall, w.mul(x, 2), x))
            w.put(across, "i64", w.choose(tall, y, w.mul(y, 2)))
    cell_rows = w.mul(w.parts(w.parts(rows, w.get(down, "i64")), s.rows), s.rows)
    cell_columns = w.mul(w.parts(w.parts(columns, w.get(across, "i64")), s.width), s.width)
    x, y = w.parts(rows, cell_rows), w.parts(columns, cell_columns)
    for name, value in (("cell_rows", cell_rows), ("cell_columns", cell_columns), ("down", x), ("across", y)):
        set_field(w, name, value)
    turned = w.test("eq", field(w, "kind_b"), 1)
    rows_a = w.test("eq", field(w, "kind_a"), 0)
    dots = w.both(w.both(rows_a, turned), w.test("sge", k, w.mul(rows, FEW_ROWS)))
    single = w.both(w.both(w.test("eq", rows, 1), w.no(turned)), w.test("sgt", k, 0))
    set_field(w, "route", w.choose(dots, DOTS, w.choose(single, ROW, TILES)))
    cells = w.mul(batches, w.mul(x, y))
    each = w.op(f"call i64 @llvm.smax.i64(i64 {w.over(work, w.mul(x, y))}, i64 1)")
    grain = w.parts(MULTIPLICATIONS, each)
    with w.when(w.test("sle", cells, grain)):
        w.call("void", "product_body", "ptr %context", "i64 0", f"i64 {cells}")
        w.back()
    gil = w.call("ptr", "PyEval_SaveThread")
    w.call("void", "flambeau_parallel", "ptr @product_body", "ptr %context", f"i64 {cells}", f"i64 {grain}")
    w.call("void", "PyEval_RestoreThread", f"ptr {gil}")
    w.back()
    return w.text()


FEW_ROWS = 8
"""`dot` tiles where a row is at least so many times as long as there are rows."""


def _suits(s: Shape) -> str:
    """Whether an object is an array of the class and dtype of `out`, with at least `least` dimensions."""
    w = Writer(s, "i1", "suits", "ptr %array", "ptr %out", "i32 %least")
    same_class = w.test("eq", w.field("%array", 8), w.field("%out", 8), "ptr")
    with w.when(w.no(same_class)):
        w.back("false")
    descr = w.field("%out", 56)
    number = w.test("eq", w.field(descr, 28, "i32"), 11 if s.size == 4 else 12, "i32")
    native = w.test("eq", w.field(descr, 26, "i8"), ord("="), "i8")
    same_dtype = w.test("eq", w.field("%array", 56), descr, "ptr")
    dims = w.test("sge", w.field("%array", 24, "i32"), "%least", "i32")
    w.back(w.both(w.both(number, native), w.both(same_dtype, dims)))
    return w.text()


def _matrix(s: Shape) -> str:
    """How a matrix lies: rows, columns and strides in elements, into `%to`. flat: leading dimensions count as rows.

    to: rows, columns, kind, lead, as i64. kind 0: rows are contiguous, 1: columns are; lead is from one to the next.
    False where neither is.
    """
    w = Writer(s, "i1", "matrix", "ptr %array", "i1 %flat", "ptr %to")
    nd = w.wide(w.field("%array", 24, "i32"))
    dims, strides = w.field("%array", 32), w.field("%array", 40)
    last, before = w.sub(nd, 1), w.sub(nd, 2)
    columns = w.item(dims, last, "i64")
    step = w.item(strides, last, "i64")
    rows, stride = w.slot("i64", "1"), w.slot("i64", "0")
    with w.when(w.test("sge", before, 0)):
        w.put(rows, "i64", w.item(dims, before, "i64"))
        w.put(stride, "i64", w.item(strides, before, "i64"))
    outer = w.choose("%flat", before, 0)
    with w.loop(outer) as n:
        d = w.sub(w.sub(before, 1), n)
        size, jump = w.item(dims, d, "i64"), w.item(strides, d, "i64")
        have, width = w.get(rows, "i64"), w.get(stride, "i64")
        with w.when(w.test("eq", have, 1)):
            w.put(stride, "i64", jump)
        with w.when(w.test("ne", have, 1)):
            follows = w.test("eq", jump, w.mul(have, width))
            single = w.test("sle", size, 1)
            with w.when(w.no(w.either(follows, single))):
                w.back("false")
        w.put(rows, "i64", w.mul(have, size))
    down = w.get(stride, "i64")
    ragged = w.op(f"or i64 {down}, {step}")
    with w.when(w.test("ne", w.bits(ragged, s.size - 1), 0)):
        w.back("false")
    height = w.get(rows, "i64")
    w.set_field("%to", 0, height, "i64")
    w.set_field("%to", 8, columns, "i64")
    empty = w.test("eq", w.mul(height, columns), 0)
    for kind, (unit, count, lead) in enumerate(((step, columns, down), (down, height, step))):
        fine = w.either(empty, w.either(w.test("eq", unit, s.size), w.test("sle", count, 1)))
        with w.when(fine):
            w.set_field("%to", 16, str(kind), "i64")
            w.set_field("%to", 24, w.over(lead, s.size), "i64")
            w.back("true")
    w.back("false")
    return w.text()


def _entry(s: Shape, name: str, flags: int, turn_a: bool, turn_b: bool, flat: bool, bias: bool) -> str:
    """A built-in function of (out, a, b) and perhaps a bias or None. Returns `out`, or `a` where it could not do it."""
    w = Writer(s, "ptr", name, "ptr %self", "ptr %args", "i64 %count", internal=False)
    context, sizes = w.slot(CONTEXT), w.slot("[12 x i64]")
    w.do(f"%context = getelementptr i8, ptr {context}, i64 0")
    out, a, b = (w.item("%args", i) for i in range(3))
    with w.when(w.test("slt", "%count", 4 if bias else 3)):
        w.back("null")
    infos = [w.op(f"getelementptr i8, ptr {sizes}, i64 {32 * i}") for i in range(3)]

    def need(condition: str) -> None:
        with w.when(w.no(condition)):
            references = w.get(a, "i64")
            w.put(a, "i64", w.add(references, 1))
            w.back(a)

    for i, (x, info) in enumerate(zip((out, a, b), infos)):
        need(w.call("i1", "suits", f"ptr {x}", f"ptr {out}", "i32 1" if flat and i < 2 else "i32 2"))
        need(w.call("i1", "matrix", f"ptr {x}", f"i1 {'true' if flat else 'false'}", f"ptr {info}"))
    (m, n, kind_c, ldc), (am, ak, kind_a, lda), (bk, bn, kind_b, ldb) = ([w.field(info, 8 * i, "i64") for i in range(4)] for info in infos)
    if turn_a:
        am, ak, kind_a = ak, am, w.sub(1, kind_a)
    if turn_b:
        bk, bn, kind_b = bn, bk, w.sub(1, kind_b)
    for x, y in ((m, am), (n, bn), (ak, bk)):
        need(w.test("eq", x, y))
    single = w.test("eq", n, 1)  # a column: its elements are a row's, `ldc` apart
    need(w.either(w.test("eq", kind_c, 0), single))
    pointers = {"a": w.field(a, 16), "b": w.field(b, 16), "c": w.field(out, 16), "bias": "null"}
    if bias:
        given = w.item("%args", 3)
        term = w.slot("ptr", "null")
        with w.when(w.test("eq", w.field(given, 8), w.field(out, 8), "ptr")):
            need(w.call("i1", "suits", f"ptr {given}", f"ptr {out}", "i32 1"))
            need(w.test("eq", w.field(given, 24, "i32"), 1, "i32"))
            need(w.test("eq", w.item(w.field(given, 32), 0, "i64"), n))
            unit = w.test("eq", w.item(w.field(given, 40), 0, "i64"), s.size)
            need(w.either(unit, w.test("sle", n, 1)))
            w.put(term, "ptr", w.field(given, 16))
        pointers["bias"] = w.get(term, "ptr")
    batches = w.slot("i64", "1")
    if not flat:
        nd = w.wide(w.field(out, 24, "i32"))
        for x in (a, b):
            need(w.test("sle", w.wide(w.field(x, 24, "i32")), nd))
        dims = w.field(out, 32)
        with w.loop(w.sub(nd, 2)) as d:
            w.put(batches, "i64", w.mul(w.get(batches, "i64"), w.item(dims, d, "i64")))
    values: dict[str, str | int] = dict(zip(("rows", "columns", "k", "ldc"), (m, n, ak, ldc)))
    values |= {"kind_a": kind_a, "lda": lda, "kind_b": kind_b, "ldb": ldb, "flags": flags, "batches": w.get(batches, "i64")}
    values |= {"out_array": out, "a_array": a, "b_array": b, **pointers}
    for field_name, value in values.items():
        set_field(w, field_name, value)
    w.call("void", "launch", "ptr %context")
    references = w.get(out, "i64")
    w.put(out, "i64", w.add(references, 1))
    w.back(out)
    return w.text()


ENTRIES = {
    "matmul": (0, False, False, False, False),
    "matmul_add": (ACCUMULATE, False, False, False, False),
    "linear": (0, False, True, True, True),
    "linear_relu": (RELU, False, True, True, True),
    "weight_gradient": (0, True, False, True, False),
    "input_gradient": (0, False, False, True, False),
}


def offers(kind: str) -> tuple[str, ...]:
    """What other modules may call: one cell of a product, a copy (or transposed copy) of a matrix, memory for the cell's copies."""
    return tuple(f"flambeau_{name}_{kind}" for name in ("cell", "copy", "take", "give"))


def module(element: str, vector_bits: int) -> str:
    """The IR of all products of one element type, `float` or `double`."""
    s = Shape(element, vector_bits)
    kind, declared = s.kind, []
    for shape in {x.mangled: x for x in (s, s.narrowed(s.dot), s.narrowed(s.row_dot))}.values():
        v, m, mask = shape.vector, shape.mangled, shape.mask
        declared += [f"declare {v} @llvm.masked.load.{m}.p0(ptr, i32, {mask}, {v})",
                     f"declare void @llvm.masked.store.{m}.p0({v}, ptr, i32, {mask})",
                     f"declare {v} @llvm.fma.{m}({v}, {v}, {v})"]  # fmt: skip
    declared += ["declare i64 @llvm.smin.i64(i64, i64)", "declare i64 @llvm.smax.i64(i64, i64)", "declare ptr @PyEval_SaveThread()",
                 "declare void @PyEval_RestoreThread(ptr)", "declare void @flambeau_parallel(ptr, ptr, i64, i64)"]  # fmt: skip
    parts = cells(s)
    parts += [make(s) for make in (batch_offset, _body, _launch, _suits, _matrix)]
    parts += [_entry(s, f"flambeau_{name}_{kind}", *how) for name, how in ENTRIES.items()]
    return "\n".join(declared + parts)
