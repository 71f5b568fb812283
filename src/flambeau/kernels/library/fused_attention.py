"""Scaled dot-product attention and its gradient in machine code, without the matrix of all scores.

A task is one head of one sequence (in the forward, up to `CHUNK` of its queries). It takes `BLOCK` queries at a time: their
scores against all keys that they may see are one small product, stay in the cache, become probabilities, and meet the values
in a second product. Of the probabilities only each row's maximum and the inverse of its sum are kept; the backward computes
them again. Causal attention leaves out the keys behind the last query of a block. After Dao et al., "FlashAttention", 2022;
Dao, "FlashAttention-2", 2023, but a block's row of scores is kept whole, so the maximum is known before the first exponential.

Where PyTorch's own fused kernel does not serve (with dropout, above all), it makes attention of operators, and in float32 the bits are
theirs: queries and keys are both multiplied by the root of the scale, probabilities are exp times the inverse of their sum, then
times dropout's factor, and rows are added up in the order of `compiler/lanes.py`. Where it does serve, the flag `late` says so: scores are
multiplied by the scale, and the result's rows are divided by the sums.

The products are cells of `products.py`, called by name.
"""

from typing import Any, NamedTuple

from ..compiler.code import Code, Value
from ..compiler.code import module as code_module
from ..compiler.maths.sleef import EXP, LN2, LOG2_E
from .product_entries import batch_offset
from .products import ACCUMULATE, CONTINUE, FEW_PRODUCTS, parts_of
from .vectors import Shape, Writer, vector

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


class _Writer(Writer):
    def exp(self, x: Value) -> Value:
        """exp of what is at most about 0."""
        return self.sleef_exp(x) if self.shape.element == "float" else self.short_exp(x)

    def sleef_exp(self, x: Value) -> Value:
        """That of `maths/sleef.py`."""
        s, integers = self.shape, vector("i32", self.shape.width)
        gone = x < -103.98  # rounds to 0; not by way of subnormal numbers, which are slow
        x = self.where(gone, 0.0, x)
        shift = 1.5 * 2.0**23 + 190
        moved = x * LOG2_E + shift
        n = moved - shift
        r = self.fused(n, -LN2[1], self.fused(n, -LN2[0], x))
        p = self.value(EXP[0], s.vector)
        for term in EXP[1:]:
            p = self.fused(p, r, term)
        power = self.op(
            f"shl {integers} {self.op(f'bitcast {s.vector} {moved} to {integers}', integers)}, {self.value(23, integers)}", integers
        )
        e = (self.fused(r * r, p, r) + 1.0) * self.op(f"bitcast {integers} {power} to {s.vector}", s.vector) * 2.0**-63
        return self.where(gone, 0.0, e)

    def short_exp(self, x: Value) -> Value:
        """2^n p(r) with |r| <= ln(2) / 2; 0 where the result would be subnormal."""
        s, c = self.shape, _NUMBERS[self.shape.element]
        tiny = x < c.low
        x = self.where(tiny, c.low, x)
        shifted = self.fused(x, 1.44269504088896341, c.magic)  # its last bits hold the nearest whole number
        n = shifted - c.magic
        r = self.fused(n, -c.ln2[0], x)
        r = self.fused(n, -c.ln2[1], r)
        factorial, terms = 1.0, [1.0]
        for i in range(1, c.terms + 1):
            factorial *= i
            terms.append(1.0 / factorial)
        p = self.value(terms[-1], s.vector)
        for term in reversed(terms[:-1]):
            p = self.fused(p, r, term)
        integers = vector(c.integer, s.width)
        biased = self.sum(self.op(f"bitcast {s.vector} {shifted} to {integers}", integers), c.bias)
        power = self.op(f"shl {integers} {biased}, {self.value(c.bits, integers)}", integers)
        return self.where(tiny, 0.0, p * self.op(f"bitcast {integers} {power} to {s.vector}", s.vector))

    def largest(self, x: Value) -> Value:
        """Of a vector's lanes."""
        return self.call(self.shape.element, f"llvm.vector.reduce.fmax.{self.shape.mangled}", x)

    def total_of(self, x: Value, keys: Value) -> Value:
        """The sum of the lanes: halves, and theirs; in float64, and of a row shorter than a vector, one after the other."""
        s = self.shape
        slot = self.variable(s.element)
        with self.when(keys < s.width if s.element == "float" else self.value(True)):
            slot.value = self.call(s.element, f"llvm.vector.reduce.fadd.{s.mangled}", self.value(-0.0, s.element), x)
        if s.element == "float":
            with self.when(keys >= s.width):
                half = s.width
                while half > 1:
                    half //= 2
                    order = ", ".join(f"i32 {i + half}" if i < half else "i32 poison" for i in range(s.width))
                    x = x + self.op(f"shufflevector {s.vector} {x}, {s.vector} poison, <{s.width} x i32> <{order}>", s.vector)
                slot.value = self.op(f"extractelement {s.vector} {x}, i64 0", s.element)
        return slot.value

    def scores(self, at: Value, scale: Value, mask_row: Value, j: Value, active: Value) -> Value:
        """scores * scale + mask for the lanes from j on; minus infinity where not active."""
        slot = self.variable(self.shape.vector, self.vector_at(at) * scale)
        with self.when(mask_row.differs(None)):
            slot.value = slot.value + self.vector_at(self.at(mask_row, j), active)
        return self.where(active, slot.value, float("-inf"))

    def kept(self, kept_row: Value, factor: Value, j: Value, active: Value) -> Value:
        """Dropout's factor for the lanes from j on: `factor` where kept, else 0; 1 without dropout."""
        slot = self.variable(self.shape.vector, 1.0)
        with self.when(kept_row.differs(None)):
            noise = self.masked_load(vector("i8", self.shape.width), self.at(kept_row, j, "i8"), active, 1)
            slot.value = self.where(noise.differs(0), factor, 0.0)
        return slot.value


def _row(s: Shape) -> str:
    return f"valid:i64 total:i64 keys:i64 scale:{s.element} mask kept factor:{s.element} stats"


def _softmax_row(s: Shape) -> Code:
    """exp(scores * scale + mask - maximum) / sum in place, dropout applied; zeros from `valid` to `total`. stats: maximum, 1 / sum.

    late: neither division nor dropout.
    """
    w = _Writer(s, "softmax_row", f"p {_row(s)} late:i1")
    scale, factor = w.everywhere(w["scale"]), w.everywhere(w["factor"])
    blocks = w.parts(w["total"], s.width)
    peaks = w.variable(s.vector, float("-inf"))
    with w.loop(blocks) as block:
        j = block * s.width
        value = w.scores(w.at(w["p"], j), scale, w["mask"], j, w.first_lanes(w["valid"] - j))
        before = peaks.value
        peaks.value = w.where(value > before, value, before)
    highest = w.largest(peaks.value)
    highest = w.where(highest > float("-inf"), highest, 0.0)
    peak = w.everywhere(highest)
    totals = w.variable(s.vector, 0.0)
    with w.loop(blocks) as block:
        j = block * s.width
        at = w.at(w["p"], j)
        e = w.exp(w.scores(at, scale, w["mask"], j, w.first_lanes(w["valid"] - j)) - peak)
        totals.value = totals.value + e
        w.set_vector(at, e)
    total = w.total_of(totals.value, w["keys"])
    inverse = w.where(total.equals(0.0), 0.0, 1.0 / total)  # a row that may look nowhere becomes zeros
    w.store(highest, w["stats"])
    w.store(inverse, w["stats"], 1)
    with w.when(w["late"]):
        w.back()
    everywhere = w.everywhere(inverse)
    with w.loop(blocks) as block:
        j = block * s.width
        at = w.at(w["p"], j)
        w.set_vector(at, w.vector_at(at) * everywhere * w.kept(w["kept"], factor, j, w.first_lanes(w["valid"] - j)))
    return w


def _gradient_row(s: Shape) -> Code:
    """From scores and the gradient of the used probabilities: those probabilities (over p), the scores' gradient (over g)."""
    w = _Writer(s, "gradient_row", f"p g {_row(s)}")
    scale, factor = w.everywhere(w["scale"]), w.everywhere(w["factor"])
    peak = w.everywhere(w.load(s.element, w["stats"]))
    inverse = w.everywhere(w.load(s.element, w["stats"], 1))
    blocks = w.parts(w["total"], s.width)
    totals = w.variable(s.vector, 0.0)
    with w.loop(blocks) as block:
        j = block * s.width
        at, active = w.at(w["p"], j), w.first_lanes(w["valid"] - j)
        p = w.exp(w.scores(at, scale, w["mask"], j, active) - peak) * inverse
        g = w.where(active, w.vector_at(w.at(w["g"], j)) * w.kept(w["kept"], factor, j, active), 0.0)
        w.set_vector(at, p)
        w.set_vector(w.at(w["g"], j), g)
        product, before = p * g, totals.value
        behind = (w["keys"] < j + s.width) & (w["keys"] > s.width - 1)  # the last vector of the row is not whole: its products are fused
        totals.value = w.where(behind, w.fused(p, g, before), before + product)
    total = w.everywhere(w.total_of(totals.value, w["keys"]))
    with w.loop(blocks) as block:
        j = block * s.width
        at, active = w.at(w["p"], j), w.first_lanes(w["valid"] - j)
        p = w.vector_at(at)
        w.set_vector(w.at(w["g"], j), w.where(active, p * (w.vector_at(w.at(w["g"], j)) - total) * scale, 0.0))
        w.set_vector(at, p * w.kept(w["kept"], factor, j, active))
    return w


class _Head:
    """What a task knows of its arrays: sizes, and the head's matrices as (pointer, distance of rows in elements)."""

    def __init__(self, w: _Writer, names: str, leader: str) -> None:
        self.w, self.names = w, names.split()
        self.arrays = {name: w.load("ptr", w["args"], i) for i, name in enumerate(self.names)}
        self.leader = self.arrays[leader]

    def size(self, name: str, from_last: int) -> Value:
        w, array = self.w, self.arrays[name]
        nd = w.convert(w.field(array, 24, "i32"), "i64")
        return w.load("i64", w.field(array, 32), nd - from_last)

    def step(self, name: str) -> Value:
        """From one row to the next, in elements."""
        w, array = self.w, self.arrays[name]
        nd = w.convert(w.field(array, 24, "i32"), "i64")
        return w.load("i64", w.field(array, 40), nd - 2) // w.shape.size

    def start(self, name: str, head: Value) -> Value:
        """Where the head's matrix begins."""
        w, array = self.w, self.arrays[name]
        offset = w.call("i64", "batch_offset", array, self.leader, head)
        return w.at(w.field(array, 16), offset, "i8")

    def optional(self, name: str, head: Value) -> tuple[Value, Value]:
        """The same for an array or None: null and 0 for None. The distance is in bytes."""
        w, array = self.w, self.arrays[name]
        pointer, step = w.variable("ptr", None), w.variable("i64", 0)
        with w.when(w.field(array, 8).equals(w.field(self.leader, 8))):
            pointer.value = self.start(name, head)
            nd = w.convert(w.field(array, 24, "i32"), "i64")
            step.value = w.load("i64", w.field(array, 40), nd - 2)
        return pointer.value, step.value


def _cell(w: Writer, few: Value, *given: Any) -> None:
    """A product; `few`: by PyTorch's own loops (see `products.FEW_PRODUCTS`)."""
    with w.when(few):
        w.call("void", f"flambeau_plain_{w.shape.kind}", *given)
    with w.when(~few):
        w.call("void", f"flambeau_cell_{w.shape.kind}", *given)


def _long_product(w: Writer, few: Value, rows: Value, columns: Value, k: Value, of: Value, a: Value, lda: Value, b: Value, ldb: Value,
                  c: Value, ldc: Value, buffer: Value) -> None:  # fmt: skip
    """rows x columns of A @ B over the first k of `of` products, in the parts that `of` products are summed in."""
    depth, parts = parts_of(w, of)
    with w.loop(parts) as part:
        start = part * depth
        with w.when((start < k) | part.equals(0)):
            here = w.least(depth, k - start)
            _cell(
                w,
                few,
                rows,
                columns,
                here,
                0,
                w.at(a, start),
                lda,
                0,
                w.at(b, start * ldb),
                ldb,
                c,
                ldc,
                None,
                w.where(part > 0, ACCUMULATE, 0),
                buffer,
            )


def _memory(w: Writer, elements: Value) -> tuple[Value, Value, Value, Value]:
    """Scratch memory, and a buffer for cells: what to free, what to give back, and both at multiples of 64."""
    scratch = w.call("ptr", "malloc", elements * w.shape.size + 64)
    buffer = w.call("ptr", f"flambeau_take_{w.shape.kind}")
    return scratch, buffer, w.aligned(scratch), w.aligned(buffer)


def _up(w: Writer, n: Value) -> Value:
    """The next multiple of the vectors' width."""
    return w.parts(n, w.shape.width) * w.shape.width


def _number(w: Writer, index: int) -> Value:
    """A Python float among the arguments."""
    return w.convert(w.field(w.load("ptr", w["args"], index), 16, "double"), w.shape.element)


_FORWARD = "out q k v stats mask kept"
_BACKWARD = "dq dk dv grad q k v stats mask kept"


def _flag(w: Writer, index: int) -> Value:
    """Whether a Python float among the arguments is not 0."""
    return w.op(f"fcmp one double {w.field(w.load('ptr', w['args'], index), 16, 'double')}, 0.0", "i1")


def _copied(w: Writer, rows: Value, columns: Value, source: Value, step: Value, target: Value, lead: Value) -> None:
    """The transposed of rows x columns, as columns x rows."""
    w.call("void", f"flambeau_copy_{w.shape.kind}", 1, columns, rows, source, step, target, lead)


def _times(w: _Writer, rows: Value, columns: Value, source: Value, step: Value, target: Value, lead: Value, number: Value) -> None:
    """rows x columns of a matrix times a number, into a matrix that may be the same."""
    s, factor = w.shape, w.everywhere(number)
    with w.loop(rows) as r:
        row, result = w.at(source, r * step), w.at(target, r * lead)
        with w.loop(w.parts(columns, s.width)) as part:
            j = part * s.width
            mask = w.first_lanes(columns - j)
            w.set_vector(w.at(result, j), w.vector_at(w.at(row, j), mask) * factor, mask)


def _added_to(w: _Writer, rows: Value, columns: Value, source: Value, step: Value, target: Value, lead: Value) -> None:
    """Adds a matrix to another."""
    with w.loop(rows) as r:
        row, result = w.at(source, r * step), w.at(target, r * lead)
        with w.loop(w.parts(columns, w.shape.width)) as part:
            j = part * w.shape.width
            mask = w.first_lanes(columns - j)
            w.set_vector(w.at(result, j), w.vector_at(w.at(result, j), mask) + w.vector_at(w.at(row, j), mask), mask)


def _each_row(w: _Writer, function: str, h: "_Head", rows: Value, first: Value, limit: Value, causal: Value, matrices: list[Value],
              lead: Value, head: Value, stats: Value, at: int, *more: Value) -> None:  # fmt: skip
    """Calls a function of rows for the block's rows."""
    mask, mask_step = h.optional("mask", head)
    kept, kept_step = h.optional("kept", head)
    has_mask, has_kept = mask.differs(None), kept.differs(None)
    with w.loop(rows) as r:
        row = first + r
        valid = w.where(causal, w.least(row + 1, limit), limit)
        mask_row = w.where(has_mask, w.at(mask, row * mask_step, "i8"), None)
        kept_row = w.where(has_kept, w.at(kept, row * kept_step, "i8"), None)
        places, keys = [w.at(m, r * lead) for m in matrices], h.size("k", 2)
        w.call(
            "void",
            function,
            *places,
            valid,
            limit,
            keys,
            _number(w, at),
            mask_row,
            kept_row,
            _number(w, at + 1),
            w.at(stats, row * 2),
            *more,
        )


def _forward_body(s: Shape) -> Code:
    w = _Writer(s, "forward_body", "args begin:i64 end:i64")
    h = _Head(w, _FORWARD, "out")
    length, inner, keys, outer = h.size("q", 2), h.size("q", 1), h.size("k", 2), h.size("v", 1)
    at = len(h.names)
    causal, late = _flag(w, at + 2), _flag(w, at + 5)
    few_inner, few_outer = (~late & (length * keys * width < FEW_PRODUCTS) for width in (inner, outer))
    lead = _up(w, keys)
    wide = _up(w, inner)
    scratch, buffer, turned, copies = _memory(w, wide * lead + BLOCK * (lead + wide))
    p = w.at(turned, wide * lead)
    scaled = w.at(p, BLOCK * lead)
    of_queries, of_keys = _number(w, at + 3), _number(w, at + 4)
    chunks = w.parts(length, CHUNK)
    with w.loop(w["end"] - w["begin"]) as n:
        task = w["begin"] + n
        head = task // chunks
        start = task % chunks * CHUNK
        stop = w.least(start + CHUNK, length)
        out, q, k, v = (h.start(name, head) for name in ("out", "q", "k", "v"))
        ldo, ldq, ldk, ldv = (h.step(name) for name in ("out", "q", "k", "v"))
        stats = w.at(w.field(h.arrays["stats"], 16), head * length * 2)
        seen = w.where(causal, w.least(stop, keys), keys)
        _copied(w, seen, inner, k, ldk, turned, lead)
        with w.when(~late):
            _times(w, inner, seen, turned, lead, turned, lead, of_keys)
        with w.loop(w.parts(stop - start, BLOCK)) as block:
            first = start + block * BLOCK
            rows = w.least(BLOCK, stop - first)
            limit = w.where(causal, w.least(first + rows, keys), keys)
            queries = w.at(q, first * ldq)
            with w.when(~late):
                _times(w, rows, inner, queries, ldq, scaled, wide, of_queries)
            given = w.where(late, queries, scaled), w.where(late, ldq, wide)
            _cell(w, few_inner, rows, limit, inner, 0, *given, 0, turned, lead, p, lead, None, 0, copies)
            _each_row(w, "softmax_row", h, rows, first, limit, causal, [p], lead, head, stats, at, late)
            result = w.at(out, first * ldo)
            _long_product(w, few_outer, rows, outer, limit, keys, p, lead, v, ldv, result, ldo, copies)
            with w.when(late):
                with w.loop(rows) as r:
                    row = w.at(result, r * ldo)
                    _times(w, w.value(1), outer, row, ldo, row, ldo, w.load(s.element, w.at(stats, (first + r) * 2 + 1)))
    w.call("void", f"flambeau_give_{s.kind}", buffer)
    w.call("void", "free", scratch)
    return w


def _backward_body(s: Shape) -> Code:
    w = _Writer(s, "backward_body", "args begin:i64 end:i64")
    h = _Head(w, _BACKWARD, "dq")
    length, inner, keys, outer = h.size("q", 2), h.size("q", 1), h.size("k", 2), h.size("v", 1)
    at = len(h.names)
    causal, late = _flag(w, at + 2), _flag(w, at + 5)
    few_inner, few_outer = (~late & (length * keys * width < FEW_PRODUCTS) for width in (inner, outer))
    lead = _up(w, keys)
    wide = _up(w, inner)
    wide_v = _up(w, outer)
    k_size, v_size, block_size = wide * lead, wide_v * lead, BLOCK * lead
    elements = k_size * 2 + v_size + block_size * 2 + wide * BLOCK + keys * (wide + wide_v)
    scratch, buffer, turned_k, copies = _memory(w, elements)
    turned_v = w.at(turned_k, k_size)
    p = w.at(turned_v, v_size)
    g = w.at(p, block_size)
    scaled_k = w.at(g, block_size)
    scaled_q = w.at(scaled_k, k_size)
    own_dk = w.at(scaled_q, wide * BLOCK)
    own_dv = w.at(own_dk, keys * wide)
    of_queries, of_keys = _number(w, at + 3), _number(w, at + 4)
    with w.loop(w["end"] - w["begin"]) as n:
        head = w["begin"] + n
        names = ("dq", "dk", "dv", "grad", "q", "k", "v")
        dq, dk, dv, grad, q, k, v = (h.start(name, head) for name in names)
        ldq_out, ldk_out, ldv_out, ldg, ldq, ldk, ldv = (h.step(name) for name in names)
        stats = w.at(w.field(h.arrays["stats"], 16), head * length * 2)
        with w.when(~late):
            _times(w, keys, inner, k, ldk, scaled_k, wide, of_keys)
        used_k = w.where(late, k, scaled_k), w.where(late, ldk, wide)
        _copied(w, keys, inner, *used_k, turned_k, lead)
        _copied(w, keys, outer, v, ldv, turned_v, lead)
        depth, parts = parts_of(w, length)
        with w.loop(parts) as part:
            # The sums over the queries begin anew with each part of them, in memory of their own but for the first part's.
            start, alone = part * depth, part.equals(0)
            stop = w.least(start + depth, length)
            into = [
                (w.where(alone, target, own), w.where(alone, step, lead_of), target, step, width)
                for target, step, own, lead_of, width in ((dk, ldk_out, own_dk, wide, inner), (dv, ldv_out, own_dv, wide_v, outer))
            ]
            for here, step, _, _, width in into:
                with w.loop(keys) as row:
                    w.call("void", "llvm.memset.p0.i64", w.at(here, row * step), w.value(0, "i8"), width * s.size, False)
            with w.loop(w.parts(stop - start, BLOCK)) as block:
                first = start + block * BLOCK
                rows = w.least(BLOCK, stop - first)
                limit = w.where(causal, w.least(first + rows, keys), keys)
                gradients = w.at(grad, first * ldg)
                queries = w.at(q, first * ldq)
                with w.when(~late):
                    _times(w, rows, inner, queries, ldq, scaled_q, wide, of_queries)
                used_q = w.where(late, queries, scaled_q), w.where(late, ldq, wide)
                _cell(w, few_inner, rows, limit, inner, 0, *used_q, 0, turned_k, lead, p, lead, None, 0, copies)
                _cell(w, few_outer, rows, limit, outer, 0, gradients, ldg, 0, turned_v, lead, g, lead, None, 0, copies)
                _each_row(w, "gradient_row", h, rows, first, limit, causal, [p, g], lead, head, stats, at)
                target = w.at(dq, first * ldq_out)
                _long_product(w, few_inner, rows, inner, limit, keys, g, lead, *used_k, target, ldq_out, copies)
                with w.when(~late):
                    _times(w, rows, inner, target, ldq_out, target, ldq_out, of_queries)
                _cell(w, few_inner, limit, inner, rows, 1, g, lead, 0, *used_q, into[0][0], into[0][1], None, CONTINUE, copies)
                _cell(w, few_outer, limit, outer, rows, 1, p, lead, 0, gradients, ldg, into[1][0], into[1][1], None, CONTINUE, copies)
            with w.when(part > 0):
                for here, here_step, target, step, width in into:
                    _added_to(w, keys, width, here, here_step, target, step)
        with w.when(~late):
            _times(w, keys, inner, dk, ldk_out, dk, ldk_out, of_keys)
    w.call("void", f"flambeau_give_{s.kind}", buffer)
    w.call("void", "free", scratch)
    return w


def _entry(s: Shape, name: str, names: str, body: str, chunked: bool) -> Code:
    """The built-in function: the arrays, then as floats the scores' factor, dropout's, whether causal, the queries' and keys' factors,
    and whether `late`. Returns the first.
    """
    w = _Writer(s, name, "self args count:i64", "ptr", internal=False)
    h = _Head(w, names, names.split()[0])
    nd = w.convert(w.field(h.leader, 24, "i32"), "i64")
    dims = w.field(h.leader, 32)
    heads = w.variable("i64", 1)
    with w.loop(nd - 2) as d:
        heads.value = heads.value * w.load("i64", dims, d)
    length, keys = h.size("q", 2), h.size("k", 2)
    work = length * keys * (8 * (h.size("q", 1) + 16))
    tasks = heads.value
    if chunked:
        chunks = w.parts(length, CHUNK)
        tasks = tasks * chunks
        work = work // w.most(chunks, 1)
    grain = (1 << 21) // (work + 1) + 1
    with w.unlocked():
        w.spread(body, w["args"], tasks, grain)
    w.give(h.leader)
    return w


def module(element: str, vector_bits: int) -> str:
    """The IR for one element type, `float` or `double`; `product_entries.module` must have been linked before."""
    s = Shape(element, vector_bits)
    kind = s.kind
    parts = [make(s) for make in (batch_offset, _softmax_row, _gradient_row, _forward_body, _backward_body)]
    parts += [_entry(s, f"flambeau_attention_{kind}", _FORWARD, "forward_body", True),
              _entry(s, f"flambeau_attention_backward_{kind}", _BACKWARD, "backward_body", False)]  # fmt: skip
    return code_module(parts)
