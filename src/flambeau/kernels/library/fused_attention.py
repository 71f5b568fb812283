"""Scaled dot-product attention and its gradient in machine code, without the matrix of all scores.

A task is one head of one sequence (in the forward, up to `CHUNK` of its queries). It takes `BLOCK` queries at a time: their
scores against all keys that they may see are one small product, stay in the cache, become probabilities, and meet the values
in a second product. Of the probabilities only each row's maximum and the inverse of its sum are kept; the backward computes
them again. Causal attention leaves out the keys behind the last query of a block. After Dao et al., "FlashAttention", 2022;
Dao, "FlashAttention-2", 2023, but a block's row of scores is kept whole, so the maximum is known before the first exponential.

The products are cells of `products.py`, called by name.
"""

import struct
from typing import NamedTuple

from .product_entries import batch_offset
from .products import CELL
from .vectors import Shape, Writer

BLOCK = 32
CHUNK = 512


class _Numbers(NamedTuple):
    """What exp needs of a type: the integer as wide, the number whose last bits count wholes, ln(2) in two parts..."""

    integer: str
    magic: float
    bits: int
    bias: int
    low: float
    ln2: tuple[float, float]
    terms: int


_NUMBERS = {
    "float": _Numbers("i32", 12582912.0, 23, 127, -87.0, (0.693359375, -2.12194440e-4), 7),
    "double": _Numbers("i64", 6755399441055744.0, 52, 1023, -708.0, (6.93145751953125e-1, 1.42860682030941723212e-6), 13),
}


def _literal(value: float, element: str) -> str:
    if element == "float":
        value = struct.unpack("<f", struct.pack("<f", value))[0]
    return "0x%016X" % struct.unpack("<Q", struct.pack("<d", value))[0]


class _Writer(Writer):
    def number(self, value: float) -> str:
        """A constant in all lanes."""
        s = self.shape
        return "<" + ", ".join([f"{s.element} {_literal(value, s.element)}"] * s.width) + ">"

    def times(self, a: str, b: str) -> str:
        return self.op(f"fmul {self.shape.vector} {a}, {b}")

    def minus(self, a: str, b: str) -> str:
        return self.op(f"fsub {self.shape.vector} {a}, {b}")

    def plus(self, a: str, b: str) -> str:
        return self.op(f"fadd {self.shape.vector} {a}, {b}")

    def select(self, mask: str, a: str, b: str) -> str:
        s = self.shape
        return self.op(f"select {s.mask} {mask}, {s.vector} {a}, {s.vector} {b}")

    def exp(self, x: str) -> str:
        """exp of what is at most about 0: 2^n p(r) with |r| <= ln(2) / 2; 0 where the result would be subnormal."""
        s, c = self.shape, _NUMBERS[self.shape.element]
        low = self.number(c.low)
        tiny = self.op(f"fcmp olt {s.vector} {x}, {low}")
        x = self.select(tiny, low, x)
        magic = self.number(c.magic)
        shifted = self.fused(x, self.number(1.44269504088896341), magic)  # its last bits hold the nearest whole number
        n = self.minus(shifted, magic)
        r = self.fused(n, self.number(-c.ln2[0]), x)
        r = self.fused(n, self.number(-c.ln2[1]), r)
        factorial, terms = 1.0, [1.0]
        for i in range(1, c.terms + 1):
            factorial *= i
            terms.append(1.0 / factorial)
        p = self.number(terms[-1])
        for term in reversed(terms[:-1]):
            p = self.fused(p, r, self.number(term))
        integers = f"<{s.width} x {c.integer}>"

        def whole(value: int) -> str:
            return "<" + ", ".join([f"{c.integer} {value}"] * s.width) + ">"

        bits = self.op(f"bitcast {s.vector} {shifted} to {integers}")
        biased = self.op(f"add {integers} {bits}, {whole(c.bias)}")
        power = self.op(f"shl {integers} {biased}, {whole(c.bits)}")
        result = self.times(p, self.op(f"bitcast {integers} {power} to {s.vector}"))
        return self.select(tiny, "zeroinitializer", result)

    def scores(self, at: str, scale: str, mask_row: str, j: str, active: str) -> str:
        """scores * scale + mask for the lanes from j on; minus infinity where not active."""
        s = self.shape
        slot = self.slot(s.vector)
        self.put(slot, s.vector, self.times(self.vector_at(at), scale))
        with self.when(self.test("ne", mask_row, "null", "ptr")):
            self.put(slot, s.vector, self.plus(self.get(slot, s.vector), self.vector_at(self.at(mask_row, j), active)))
        return self.select(active, self.get(slot, s.vector), self.number(float("-inf")))

    def kept(self, kept_row: str, factor: str, j: str, active: str) -> str:
        """Dropout's factor for the lanes from j on: `factor` where kept, else 0; 1 without dropout."""
        s = self.shape
        slot = self.slot(s.vector)
        self.put(slot, s.vector, self.number(1.0))
        with self.when(self.test("ne", kept_row, "null", "ptr")):
            byte = f"<{s.width} x i8>"
            at = self.op(f"getelementptr i8, ptr {kept_row}, i64 {j}")
            noise = self.op(f"call {byte} @llvm.masked.load.v{s.width}i8.p0(ptr {at}, i32 1, {s.mask} {active}, {byte} zeroinitializer)")
            self.put(slot, s.vector, self.select(self.op(f"icmp ne {byte} {noise}, zeroinitializer"), factor, "zeroinitializer"))
        return self.get(slot, s.vector)


_ROW = ("i64 %valid", "i64 %total", "T %scale", "ptr %mask", "ptr %kept", "T %factor", "ptr %stats")


def _row(s: Shape) -> tuple[str, ...]:
    return tuple(x.replace("T ", s.element + " ") for x in _ROW)


def _softmax_row(s: Shape) -> str:
    """exp(scores * scale + mask - maximum) in place, dropout applied; zeros from `valid` to `total`. stats: maximum, 1 / sum."""
    w = _Writer(s, "void", "softmax_row", "ptr %p", *_row(s))
    scale, factor = w.everywhere("%scale"), w.everywhere("%factor")
    blocks = w.parts("%total", s.width)
    peaks = w.slot(s.vector, w.number(float("-inf")))
    with w.loop(blocks) as block:
        j = w.mul(block, s.width)
        value = w.scores(w.at("%p", j), scale, "%mask", j, w.first_lanes(w.sub("%valid", j)))
        before = w.get(peaks, s.vector)
        larger = w.op(f"fcmp ogt {s.vector} {value}, {before}")
        w.put(peaks, s.vector, w.select(larger, value, before))
    highest = w.op(f"call {s.element} @llvm.vector.reduce.fmax.{s.mangled}({s.vector} {w.get(peaks, s.vector)})")
    some = w.op(f"fcmp ogt {s.element} {highest}, {_literal(float('-inf'), s.element)}")
    highest = w.choose(some, highest, _literal(0.0, s.element), s.element)
    peak = w.everywhere(highest)
    totals = w.slot(s.vector, "zeroinitializer")
    with w.loop(blocks) as block:
        j = w.mul(block, s.width)
        at, active = w.at("%p", j), w.first_lanes(w.sub("%valid", j))
        e = w.exp(w.minus(w.scores(at, scale, "%mask", j, active), peak))
        w.put(totals, s.vector, w.plus(w.get(totals, s.vector), e))
        w.set_vector(at, w.times(e, w.kept("%kept", factor, j, active)))
    zero = _literal(0.0, s.element)
    sums = f"call reassoc {s.element} @llvm.vector.reduce.fadd.{s.mangled}({s.element} {zero}, {s.vector} {w.get(totals, s.vector)})"
    total = w.op(sums)
    inverse = w.op(f"fdiv {s.element} {_literal(1.0, s.element)}, {total}")
    none = w.op(f"fcmp oeq {s.element} {total}, {zero}")  # a row that may look nowhere becomes zeros
    w.put("%stats", s.element, highest)
    w.put(w.at("%stats", 1), s.element, w.choose(none, zero, inverse, s.element))
    w.back()
    return w.text()


def _gradient_row(s: Shape) -> str:
    """From scores and the gradient of the used probabilities: those probabilities (over p), the scores' gradient (over g)."""
    w = _Writer(s, "void", "gradient_row", "ptr %p", "ptr %g", *_row(s))
    scale, factor = w.everywhere("%scale"), w.everywhere("%factor")
    peak = w.everywhere(w.get("%stats", s.element))
    inverse = w.everywhere(w.get(w.at("%stats", 1), s.element))
    blocks = w.parts("%total", s.width)
    totals = w.slot(s.vector, "zeroinitializer")
    with w.loop(blocks) as block:
        j = w.mul(block, s.width)
        at, active = w.at("%p", j), w.first_lanes(w.sub("%valid", j))
        p = w.times(w.exp(w.minus(w.scores(at, scale, "%mask", j, active), peak)), inverse)
        g = w.select(active, w.times(w.vector_at(w.at("%g", j)), w.kept("%kept", factor, j, active)), "zeroinitializer")
        w.set_vector(at, p)
        w.set_vector(w.at("%g", j), g)
        w.put(totals, s.vector, w.fused(p, g, w.get(totals, s.vector)))
    zero = _literal(0.0, s.element)
    sums = f"call reassoc {s.element} @llvm.vector.reduce.fadd.{s.mangled}({s.element} {zero}, {s.vector} {w.get(totals, s.vector)})"
    total = w.everywhere(w.op(sums))
    with w.loop(blocks) as block:
        j = w.mul(block, s.width)
        at, active = w.at("%p", j), w.first_lanes(w.sub("%valid", j))
        p = w.vector_at(at)
        change = w.times(w.times(p, w.minus(w.vector_at(w.at("%g", j)), total)), scale)
        w.set_vector(w.at("%g", j), w.select(active, change, "zeroinitializer"))
        w.set_vector(at, w.times(p, w.kept("%kept", factor, j, active)))
    w.back()
    return w.text()


class _Head:
    """What a task knows of its arrays: sizes, and the head's matrices as (pointer, distance of rows in elements)."""

    def __init__(self, w: _Writer, names: str, leader: str) -> None:
        self.w, self.names = w, names.split()
        self.arrays = {name: w.item("%args", i) for i, name in enumerate(self.names)}
        self.leader = self.arrays[leader]

    def size(self, name: str, from_last: int) -> str:
        w, array = self.w, self.arrays[name]
        nd = w.wide(w.field(array, 24, "i32"))
        return w.item(w.field(array, 32), w.sub(nd, from_last), "i64")

    def step(self, name: str) -> str:
        """From one row to the next, in elements."""
        w, array = self.w, self.arrays[name]
        nd = w.wide(w.field(array, 24, "i32"))
        return w.over(w.item(w.field(array, 40), w.sub(nd, 2), "i64"), w.shape.size)

    def start(self, name: str, head: str) -> str:
        """Where the head's matrix begins."""
        w, array = self.w, self.arrays[name]
        offset = w.call("i64", "batch_offset", f"ptr {array}", f"ptr {self.leader}", f"i64 {head}")
        return w.op(f"getelementptr i8, ptr {w.field(array, 16)}, i64 {offset}")

    def optional(self, name: str, head: str) -> tuple[str, str]:
        """The same for an array or None: null and 0 for None. The distance is in bytes."""
        w, array = self.w, self.arrays[name]
        pointer, step = w.slot("ptr", "null"), w.slot("i64", "0")
        with w.when(w.test("eq", w.field(array, 8), w.field(self.leader, 8), "ptr")):
            w.put(pointer, "ptr", self.start(name, head))
            nd = w.wide(w.field(array, 24, "i32"))
            w.put(step, "i64", w.item(w.field(array, 40), w.sub(nd, 2), "i64"))
        return w.get(pointer, "ptr"), w.get(step, "i64")


def _cell(w: Writer, *given: str) -> None:
    w.call("void", f"flambeau_cell_{w.shape.kind}", *(f"{p.split()[0]} {x}" for p, x in zip(CELL, given, strict=True)))


def _memory(w: Writer, elements: str) -> tuple[str, str, str, str]:
    """Scratch memory, and a buffer for cells: what to free, what to give back, and both at multiples of 64."""

    def aligned(pointer: str) -> str:
        address = w.bits(w.add(w.op(f"ptrtoint ptr {pointer} to i64"), 63), -64)
        return w.op(f"inttoptr i64 {address} to ptr")

    scratch = w.call("ptr", "malloc", f"i64 {w.add(w.mul(elements, w.shape.size), 64)}")
    buffer = w.call("ptr", f"flambeau_take_{w.shape.kind}")
    return scratch, buffer, aligned(scratch), aligned(buffer)


def _up(w: Writer, n: str) -> str:
    """The next multiple of the vectors' width."""
    return w.mul(w.parts(n, w.shape.width), w.shape.width)


def _number(w: Writer, index: int) -> str:
    """A Python float among the arguments."""
    wide = w.field(w.item("%args", index), 16, "double")
    return w.op(f"fptrunc double {wide} to float") if w.shape.element == "float" else wide


_FORWARD = "out q k v stats mask kept"
_BACKWARD = "dq dk dv grad q k v stats mask kept"


def _causal(w: Writer, index: int) -> str:
    return w.op(f"fcmp one double {w.field(w.item('%args', index), 16, 'double')}, 0.0")


def _copied(w: Writer, rows: str, columns: str, source: str, step: str, target: str, lead: str) -> None:
    """The transposed of rows x columns, as columns x rows."""
    w.call("void", f"flambeau_copy_{w.shape.kind}", "i64 1", f"i64 {columns}", f"i64 {rows}", f"ptr {source}", f"i64 {step}",
           f"ptr {target}", f"i64 {lead}")  # fmt: skip


def _each_row(w: _Writer, function: str, h: "_Head", rows: str, first: str, limit: str, causal: str, matrices: list[str], lead: str,
              head: str, stats: str, at: int) -> None:  # fmt: skip
    """Calls a function of rows for the block's rows."""
    mask, mask_step = h.optional("mask", head)
    kept, kept_step = h.optional("kept", head)
    has_mask, has_kept = w.test("ne", mask, "null", "ptr"), w.test("ne", kept, "null", "ptr")
    with w.loop(rows) as r:
        row = w.add(first, r)
        valid = w.choose(causal, w.least(w.add(row, 1), limit), limit)
        mask_row = w.choose(has_mask, w.op(f"getelementptr i8, ptr {mask}, i64 {w.mul(row, mask_step)}"), "null", "ptr")
        kept_row = w.choose(has_kept, w.op(f"getelementptr i8, ptr {kept}, i64 {w.mul(row, kept_step)}"), "null", "ptr")
        w.call("void", function, *(f"ptr {w.at(m, w.mul(r, lead))}" for m in matrices), f"i64 {valid}", f"i64 {limit}",
               f"{w.shape.element} {_number(w, at)}", f"ptr {mask_row}", f"ptr {kept_row}", f"{w.shape.element} {_number(w, at + 1)}",
               f"ptr {w.at(stats, w.mul(row, 2))}")  # fmt: skip


def _forward_body(s: Shape) -> str:
    w = _Writer(s, "void", "forward_body", "ptr %args", "i64 %begin", "i64 %end")
    h = _Head(w, _FORWARD, "out")
    length, inner, keys, outer = h.size("q", 2), h.size("q", 1), h.size("k", 2), h.size("v", 1)
    at = len(h.names)
    causal = _causal(w, at + 2)
    lead = _up(w, keys)
    turned_size = w.mul(_up(w, inner), lead)
    scratch, buffer, turned, copies = _memory(w, w.add(turned_size, w.mul(BLOCK, lead)))
    p = w.at(turned, turned_size)
    chunks = w.parts(length, CHUNK)
    with w.loop(w.sub("%end", "%begin")) as n:
        task = w.add("%begin", n)
        head = w.over(task, chunks)
        start = w.mul(w.op(f"srem i64 {task}, {chunks}"), CHUNK)
        stop = w.least(w.add(start, CHUNK), length)
        out, q, k, v = (h.start(name, head) for name in ("out", "q", "k", "v"))
        ldo, ldq, ldk, ldv = (h.step(name) for name in ("out", "q", "k", "v"))
        stats = w.at(w.field(h.arrays["stats"], 16), w.mul(w.mul(head, length), 2))
        seen = w.choose(causal, w.least(stop, keys), keys)
        _copied(w, seen, inner, k, ldk, turned, lead)
        with w.loop(w.parts(w.sub(stop, start), BLOCK)) as block:
            first = w.add(start, w.mul(block, BLOCK))
            rows = w.least(BLOCK, w.sub(stop, first))
            limit = w.choose(causal, w.least(w.add(first, rows), keys), keys)
            _cell(w, rows, limit, inner, "0", w.at(q, w.mul(first, ldq)), ldq, "0", turned, lead, p, lead, "null", "0", copies)
            _each_row(w, "softmax_row", h, rows, first, limit, causal, [p], lead, head, stats, at)
            result = w.at(out, w.mul(first, ldo))
            _cell(w, rows, outer, limit, "0", p, lead, "0", v, ldv, result, ldo, "null", "0", copies)
            with w.loop(rows) as r:
                factor = w.everywhere(w.get(w.at(stats, w.add(w.mul(w.add(first, r), 2), 1)), s.element))
                row = w.at(result, w.mul(r, ldo))
                with w.loop(w.parts(outer, s.width)) as part:
                    j = w.mul(part, s.width)
                    mask = w.first_lanes(w.sub(outer, j))
                    place = w.at(row, j)
                    w.set_vector(place, w.times(w.vector_at(place, mask), factor), mask)
    w.call("void", f"flambeau_give_{s.kind}", f"ptr {buffer}")
    w.call("void", "free", f"ptr {scratch}")
    w.back()
    return w.text()


def _backward_body(s: Shape) -> str:
    w = _Writer(s, "void", "backward_body", "ptr %args", "i64 %begin", "i64 %end")
    h = _Head(w, _BACKWARD, "dq")
    length, inner, keys, outer = h.size("q", 2), h.size("q", 1), h.size("k", 2), h.size("v", 1)
    at = len(h.names)
    causal = _causal(w, at + 2)
    lead = _up(w, keys)
    k_size, v_size, block_size = w.mul(_up(w, inner), lead), w.mul(_up(w, outer), lead), w.mul(BLOCK, lead)
    elements = w.add(w.add(k_size, v_size), w.mul(block_size, 2))
    scratch, buffer, turned_k, copies = _memory(w, elements)
    turned_v = w.at(turned_k, k_size)
    p = w.at(turned_v, v_size)
    g = w.at(p, block_size)
    with w.loop(w.sub("%end", "%begin")) as n:
        head = w.add("%begin", n)
        names = ("dq", "dk", "dv", "grad", "q", "k", "v")
        dq, dk, dv, grad, q, k, v = (h.start(name, head) for name in names)
        ldq_out, ldk_out, ldv_out, ldg, ldq, ldk, ldv = (h.step(name) for name in names)
        stats = w.at(w.field(h.arrays["stats"], 16), w.mul(w.mul(head, length), 2))
        for target, step, width in ((dk, ldk_out, inner), (dv, ldv_out, outer)):
            with w.loop(keys) as row:
                bytes_ = w.mul(width, s.size)
                w.do(f"call void @llvm.memset.p0.i64(ptr {w.at(target, w.mul(row, step))}, i8 0, i64 {bytes_}, i1 false)")
        _copied(w, keys, inner, k, ldk, turned_k, lead)
        _copied(w, keys, outer, v, ldv, turned_v, lead)
        with w.loop(w.parts(length, BLOCK)) as block:
            first = w.mul(block, BLOCK)
            rows = w.least(BLOCK, w.sub(length, first))
            limit = w.choose(causal, w.least(w.add(first, rows), keys), keys)
            queries, gradients = w.at(q, w.mul(first, ldq)), w.at(grad, w.mul(first, ldg))
            _cell(w, rows, limit, inner, "0", queries, ldq, "0", turned_k, lead, p, lead, "null", "0", copies)
            _cell(w, rows, limit, outer, "0", gradients, ldg, "0", turned_v, lead, g, lead, "null", "0", copies)
            _each_row(w, "gradient_row", h, rows, first, limit, causal, [p, g], lead, head, stats, at)
            target = w.at(dq, w.mul(first, ldq_out))
            _cell(w, rows, inner, limit, "0", g, lead, "0", k, ldk, target, ldq_out, "null", "0", copies)
            _cell(w, limit, inner, rows, "1", g, lead, "0", queries, ldq, dk, ldk_out, "null", "1", copies)
            _cell(w, limit, outer, rows, "1", p, lead, "0", gradients, ldg, dv, ldv_out, "null", "1", copies)
    w.call("void", f"flambeau_give_{s.kind}", f"ptr {buffer}")
    w.call("void", "free", f"ptr {scratch}")
    w.back()
    return w.text()


def _entry(s: Shape, name: str, names: str, body: str, chunked: bool) -> str:
    """The built-in function: the arrays, then scale, dropout's factor, and whether causal (as floats). Returns the first."""
    w = _Writer(s, "ptr", name, "ptr %self", "ptr %args", "i64 %count", internal=False)
    h = _Head(w, names, names.split()[0])
    nd = w.wide(w.field(h.leader, 24, "i32"))
    dims = w.field(h.leader, 32)
    heads = w.slot("i64", "1")
    with w.loop(w.sub(nd, 2)) as d:
        w.put(heads, "i64", w.mul(w.get(heads, "i64"), w.item(dims, d, "i64")))
    length, keys = h.size("q", 2), h.size("k", 2)
    work = w.mul(w.mul(length, keys), w.mul(8, w.add(h.size("q", 1), 16)))
    tasks = w.get(heads, "i64")
    if chunked:
        chunks = w.parts(length, CHUNK)
        tasks = w.mul(tasks, chunks)
        work = w.over(work, w.op(f"call i64 @llvm.smax.i64(i64 {chunks}, i64 1)"))
    grain = w.add(w.over(1 << 21, w.add(work, 1)), 1)
    gil = w.call("ptr", "PyEval_SaveThread")
    w.call("void", "flambeau_parallel", f"ptr @{body}", "ptr %args", f"i64 {tasks}", f"i64 {grain}")
    w.call("void", "PyEval_RestoreThread", f"ptr {gil}")
    w.put(h.leader, "i64", w.add(w.get(h.leader, "i64"), 1))
    w.back(h.leader)
    return w.text()


def module(element: str, vector_bits: int) -> str:
    """The IR for one element type, `float` or `double`; `product_entries.module` must have been linked before."""
    s = Shape(element, vector_bits)
    v, m, e, kind = s.vector, s.mangled, s.element, s.kind
    declared = [
        f"declare {v} @llvm.masked.load.{m}.p0(ptr, i32, {s.mask}, {v})",
        f"declare void @llvm.masked.store.{m}.p0({v}, ptr, i32, {s.mask})",
        f"declare <{s.width} x i8> @llvm.masked.load.v{s.width}i8.p0(ptr, i32, {s.mask}, <{s.width} x i8>)",
        f"declare {v} @llvm.fma.{m}({v}, {v}, {v})",
        f"declare {e} @llvm.vector.reduce.fmax.{m}({v})",
        f"declare {e} @llvm.vector.reduce.fadd.{m}({e}, {v})",
        "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)",
        "declare i64 @llvm.smin.i64(i64, i64)",
        "declare i64 @llvm.smax.i64(i64, i64)",
        "declare ptr @malloc(i64)",
        "declare void @free(ptr)",
        "declare ptr @PyEval_SaveThread()",
        "declare void @PyEval_RestoreThread(ptr)",
        "declare void @flambeau_parallel(ptr, ptr, i64, i64)",
        f"declare void @flambeau_cell_{kind}({', '.join(p.split()[0] for p in CELL)})",
        f"declare void @flambeau_copy_{kind}(i64, i64, i64, ptr, i64, ptr, i64)",
        f"declare ptr @flambeau_take_{kind}()",
        f"declare void @flambeau_give_{kind}(ptr)",
    ]
    parts = [make(s) for make in (batch_offset, _softmax_row, _gradient_row, _forward_body, _backward_body)]
    parts += [_entry(s, f"flambeau_attention_{kind}", _FORWARD, "forward_body", True),
              _entry(s, f"flambeau_attention_backward_{kind}", _BACKWARD, "backward_body", False)]  # fmt: skip
    return "\n".join(declared + parts)
