"""Scaled dot-product attention without dropout, and its gradient, in machine code, as PyTorch's fused kernel for CPUs computes them.

A task is one head of one sequence (in the forward, up to `CHUNK` of its queries). Of the scores a block of queries against `KEYS` keys is
there at a time. The forward keeps each row's maximum and sum as it goes from keys to keys, and what has come before is scaled when
the maximum grows; for the backward it leaves the logarithm of the sum of the exponentials. Causal attention leaves out the keys behind
the last query of a block. After Dao et al., "FlashAttention", 2022; Dao, "FlashAttention-2", 2023.

In float32 the bits are PyTorch's where it uses vectors of 512 bits. The sums over keys and over queries begin anew with each block; the
backward's blocks of queries are 32, 64 or 256 long, by the length of the sequence (`_queries`). The forward's exponential is a
short polynomial; the last keys, fewer than a vector, go by the C library's. In the backward the keys carry the scale, and for the keys'
gradient the queries do. Not PyTorch's are blocks of one to three queries, and fewer than 12 keys or features, whose products it adds up
in other orders.

The products are cells of `products.py`, called by name.
"""

from ..compiler.code import Code, Value
from ..compiler.code import module as code_module
from .attention_support import BLOCK, CHUNK, Head, RowWriter, copied, entry, flag, number, scratch_memory, times, up
from .product_entries import batch_offset
from .products import ACCUMULATE, DEPTH, parts_of
from .vectors import Shape, vector

KEYS = 512
"""How many keys a block of queries meets at a time."""

LEAST_EXPONENT, LOG2_E, LN2 = -87.3365478515625, 1.44269502162933349609375, 0.693147182464599609375
EXP_TERMS = (0.00828929059, 0.0418978221, 0.166676521, 0.499991506, 0.999999701, 1.0)
"""The coefficients of `exp_u20` in PyTorch's ATen/cpu/vec."""

_FORWARD = "out q k v stats mask"
_BACKWARD = "dq dk dv grad out q k v stats mask"


class _Writer(RowWriter):
    def quick_exp(self, x: Value) -> Value:
        """exp of what is at most about 0, to 20 units in the last place in float32."""
        s = self.shape
        if s.element != "float":
            return self.short_exp(x)
        integers = vector("i32", s.width)
        gone = x < LEAST_EXPONENT
        x = self.where(gone, LEAST_EXPONENT, x)
        n = self.call(s.vector, f"llvm.floor.{s.mangled}", self.fused(x, LOG2_E, 0.5))
        r = self.fused(n, -LN2, x)
        p = self.value(EXP_TERMS[0], s.vector)
        for term in EXP_TERMS[1:]:
            p = self.fused(p, r, term)
        shifted = n + (1.5 * 2.0**23 + 126)  # its last bits hold n + 126
        biased = self.op(f"bitcast {s.vector} {shifted} to {integers}", integers)
        power = self.op(f"shl {integers} {biased}, {self.value(23, integers)}", integers)
        return self.where(gone, 0.0, p * self.op(f"bitcast {integers} {power} to {s.vector}", s.vector) * 2.0)

    def scalar(self, function: str, x: Value) -> Value:
        """A function of the C library's, of one number."""
        return self.call(self.shape.element, function + ("f" if self.shape.element == "float" else ""), x)


def _softmax_row(s: Shape) -> Code:
    """exp(scores * scale + mask - maximum) in place, zeros from `valid` to `total`; of the block's `keys` some may be behind `total`.

    stats: the maximum and the sum, of this block and those before it (`later`), to which the row of the result is scaled.
    """
    w = _Writer(s, "softmax_row", f"p valid:i64 total:i64 keys:i64 scale:{s.element} mask stats out outer:i64 later:i1")
    scale = w.everywhere(w["scale"])
    peaks = w.variable(s.vector, float("-inf"))
    has_mask = w["mask"].differs(None)
    with w.loop(w.parts(w["total"], s.width)) as block:
        j = block * s.width
        active, at = w.first_lanes(w["valid"] - j), w.at(w["p"], j)
        score = w.vector_at(at)
        slot = w.variable(s.vector, score * scale)
        with w.when(has_mask):
            slot.value = w.fused(score, scale, w.vector_at(w.at(w["mask"], j), active))
        value = w.where(active, slot.value, float("-inf"))
        w.set_vector(at, value)
        before = peaks.value
        peaks.value = w.where(value > before, value, before)
    highest = w.largest(peaks.value)
    highest_before, sum_before = (w.variable(s.element, first) for first in (float("-inf"), 0.0))
    with w.when(w["later"]):
        highest_before.value, sum_before.value = w.load(s.element, w["stats"]), w.load(s.element, w["stats"], 1)
    highest = w.where(highest > highest_before.value, highest, highest_before.value)
    seen = highest > float("-inf")  # a row that may look nowhere becomes zeros
    peak = w.where(seen, highest, 0.0)
    peaks_everywhere = w.everywhere(peak)
    whole = w["keys"] & -s.width if s.element == "float" else up(w, w["keys"])
    totals = w.variable(s.vector, 0.0)
    with w.loop(w.least(w.parts(w["total"], s.width), whole // s.width)) as block:
        at = w.at(w["p"], block * s.width)
        e = w.quick_exp(w.vector_at(at) - peaks_everywhere)
        totals.value = totals.value + e
        w.set_vector(at, e)
    total = w.variable(s.element, w.total_of(totals.value, w.value(s.width)))
    with w.loop(whole, w["total"], short=True) as j:
        at = w.at(w["p"], j)
        e = w.scalar("exp", w.load(s.element, at) - peak)
        total.value = total.value + e
        w.store(e, at)
    with w.when(w["later"]):
        kept = w.scalar("exp", highest_before.value - peak)
        total.value = w.call(s.element, f"llvm.fma.{'f32' if s.size == 4 else 'f64'}", kept, sum_before.value, total.value)
        times(w, w.value(1), w["outer"], w["out"], w.value(0), w["out"], w.value(0), kept)
    w.store(highest, w["stats"])
    w.store(total.value, w["stats"], 1)
    return w


def _gradient_row(s: Shape) -> Code:
    """From scores and the gradient of the probabilities: the probabilities (over p) and the scores' gradient (over g)."""
    w = _Writer(s, "gradient_row", f"p g valid:i64 total:i64 mask stats dot:{s.element}")
    dot, logarithm = w.everywhere(w["dot"]), w.everywhere(w.load(s.element, w["stats"]))
    has_mask = w["mask"].differs(None)
    with w.loop(w.parts(w["total"], s.width)) as block:
        j = block * s.width
        at, at_g, active = w.at(w["p"], j), w.at(w["g"], j), w.first_lanes(w["valid"] - j)
        score = w.variable(s.vector, w.vector_at(at))
        with w.when(has_mask):
            score.value = score.value + w.vector_at(w.at(w["mask"], j), active)
        p = w.where(active, w.exp(score.value - logarithm), 0.0)
        w.set_vector(at, p)
        w.set_vector(at_g, w.where(active, p * (w.vector_at(at_g) - dot), 0.0))
    return w


def _row_dot(s: Shape) -> Code:
    """The sum of the products of two rows."""
    w = _Writer(s, "row_dot", "x y count:i64", s.element)
    totals = w.variable(s.vector, 0.0)
    with w.loop(w.parts(w["count"], s.width)) as block:
        j = block * s.width
        active = w.first_lanes(w["count"] - j)
        totals.value = totals.value + w.vector_at(w.at(w["x"], j), active) * w.vector_at(w.at(w["y"], j), active)
    w.back(w.total_of(totals.value, w["count"]))
    return w


def _queries(w: _Writer, length: Value) -> Value:
    """How many queries are a block of the backward."""
    return w.where(length >= 768, 256, w.where(length >= 192, 64, 32))


def _cell(w: _Writer, *given: object) -> None:
    w.call("void", f"flambeau_cell_{w.shape.kind}", *given)


def _forward_body(s: Shape) -> Code:
    w = _Writer(s, "forward_body", "args begin:i64 end:i64")
    h = Head(w, _FORWARD, "out")
    length, inner, keys, outer = h.size("q", 2), h.size("q", 1), h.size("k", 2), h.size("v", 1)
    scale, causal = number(w, len(h.names)), flag(w, len(h.names) + 1)
    lead, lead_k = up(w, w.least(keys, KEYS)), up(w, keys)
    scratch, buffer, turned, copies = scratch_memory(w, up(w, inner) * lead_k + BLOCK * lead)
    p = w.at(turned, up(w, inner) * lead_k)
    chunks = w.parts(length, CHUNK)
    with w.loop(w["begin"], w["end"]) as task:
        head = task // chunks
        start = task % chunks * CHUNK
        stop = w.least(start + CHUNK, length)
        out, q, k, v = (h.start(name, head) for name in ("out", "q", "k", "v"))
        ldo, ldq, ldk, ldv = (h.step(name) for name in ("out", "q", "k", "v"))
        mask, mask_step = h.optional("mask", head)
        has_mask = mask.differs(None)
        stats = w.at(w.field(h.arrays["stats"], 16), head * length * 2)
        copied(w, w.where(causal, w.least(stop, keys), keys), inner, k, ldk, turned, lead_k)
        with w.loop(w.parts(stop - start, BLOCK)) as block:
            first = start + block * BLOCK
            rows = w.least(BLOCK, stop - first)
            limit = w.where(causal, w.least(first + rows, keys), keys)
            result = w.at(out, first * ldo)
            with w.loop(0, limit, KEYS) as n:
                nominal = w.least(KEYS, keys - n)
                here, later = w.least(limit - n, nominal), n > 0
                _cell(w, rows, here, inner, 0, w.at(q, first * ldq), ldq, 0, w.at(turned, n), lead_k, p, lead, None, 0, copies)
                with w.loop(rows) as r:
                    row = first + r
                    valid = w.where(causal, w.least(row + 1 - n, here), here)
                    mask_row = w.where(has_mask, w.at(w.at(mask, row * mask_step, "i8"), n), None)
                    place, row_out = w.at(p, r * lead), w.at(result, r * ldo)
                    w.call("void", "softmax_row", place, valid, here, nominal, scale, mask_row, w.at(stats, row * 2), row_out, outer, later)
                depth, parts = parts_of(w, nominal)
                with w.loop(parts) as part:
                    begin = part * depth
                    with w.when(begin < here):
                        flags = w.where(later | (part > 0), ACCUMULATE, 0)
                        factors = w.least(depth, here - begin), 0, w.at(p, begin), lead, 0, w.at(v, (n + begin) * ldv), ldv
                        _cell(w, rows, outer, *factors, result, ldo, None, flags, copies)
            with w.loop(rows) as r:
                row, at = w.at(result, r * ldo), w.at(stats, (first + r) * 2)
                highest, total = w.load(s.element, at), w.load(s.element, at, 1)
                total = w.where(total.equals(0.0), 1.0, total)
                times(w, w.value(1), outer, row, ldo, row, ldo, 1.0 / total)
                w.store(w.where(highest > float("-inf"), highest, 0.0) + w.scalar("log", total), at)
    w.call("void", f"flambeau_give_{s.kind}", buffer)
    w.call("void", "free", scratch)
    return w


def _backward_body(s: Shape) -> Code:
    w = _Writer(s, "backward_body", "args begin:i64 end:i64")
    h = Head(w, _BACKWARD, "dq")
    length, inner, keys, outer = h.size("q", 2), h.size("q", 1), h.size("k", 2), h.size("v", 1)
    at = len(h.names)
    scale, causal = number(w, at), flag(w, at + 1)
    lead, lead_k = up(w, w.least(keys, KEYS)), up(w, keys)
    wide, wide_v = up(w, inner), up(w, outer)
    most = w.least(length, DEPTH)
    scratch, buffer, turned_k, copies = scratch_memory(w, (wide + wide_v) * lead_k + 2 * most * lead + (most + keys) * wide)
    turned_v = w.at(turned_k, wide * lead_k)
    p = w.at(turned_v, wide_v * lead_k)
    g = w.at(p, most * lead)
    scaled_q = w.at(g, most * lead)
    scaled_k = w.at(scaled_q, most * wide)
    size = _queries(w, length)
    with w.loop(w["begin"], w["end"]) as head:
        names = ("dq", "dk", "dv", "grad", "out", "q", "k", "v")
        dq, dk, dv, grad, out, q, k, v = (h.start(name, head) for name in names)
        ldq_out, ldk_out, ldv_out, ldg, ldo, ldq, ldk, ldv = (h.step(name) for name in names)
        mask, mask_step = h.optional("mask", head)
        has_mask = mask.differs(None)
        stats = w.at(w.field(h.arrays["stats"], 16), head * length * 2)
        times(w, keys, inner, k, ldk, scaled_k, wide, scale)
        copied(w, keys, inner, scaled_k, wide, turned_k, lead_k)
        copied(w, keys, outer, v, ldv, turned_v, lead_k)
        for target, step, count, width in ((dq, ldq_out, length, inner), (dk, ldk_out, keys, inner), (dv, ldv_out, keys, outer)):
            with w.loop(count) as row:
                w.call("void", "llvm.memset.p0.i64", w.at(target, row * step), w.value(0, "i8"), width * s.size, False)
        with w.loop(0, length, size) as start:
            queries = w.least(size, length - start)
            limit = w.where(causal, w.least(start + queries, keys), keys)
            depth, parts = parts_of(w, queries)
            with w.loop(parts) as part:
                first = start + part * depth
                rows = w.least(depth, start + queries - first)
                gradients, asked = w.at(grad, first * ldg), w.at(q, first * ldq)
                times(w, rows, inner, asked, ldq, scaled_q, wide, scale)
                with w.loop(0, limit, KEYS) as n:
                    nominal = w.least(KEYS, keys - n)
                    here = w.least(limit - n, nominal)
                    _cell(w, rows, here, inner, 0, asked, ldq, 0, w.at(turned_k, n), lead_k, p, lead, None, 0, copies)
                    _cell(w, rows, here, outer, 0, gradients, ldg, 0, w.at(turned_v, n), lead_k, g, lead, None, 0, copies)
                    with w.loop(rows) as r:
                        row = first + r
                        valid = w.where(causal, w.least(row + 1 - n, here), here)
                        mask_row = w.where(has_mask, w.at(w.at(mask, row * mask_step, "i8"), n), None)
                        dot = w.call(s.element, "row_dot", w.at(gradients, r * ldg), w.at(out, row * ldo), outer)
                        w.call(
                            "void", "gradient_row", w.at(p, r * lead), w.at(g, r * lead), valid, here, mask_row, w.at(stats, row * 2), dot
                        )
                    added = None, ACCUMULATE, copies
                    _cell(w, here, outer, rows, 1, p, lead, 0, gradients, ldg, w.at(dv, n * ldv_out), ldv_out, *added)
                    _cell(w, here, inner, rows, 1, g, lead, 0, scaled_q, wide, w.at(dk, n * ldk_out), ldk_out, *added)
                    depth_k, parts_k = parts_of(w, nominal)
                    with w.loop(parts_k) as part_k:
                        begin = part_k * depth_k
                        with w.when(begin < here):
                            factors = 0, w.at(g, begin), lead, 0, w.at(scaled_k, (n + begin) * wide), wide
                            _cell(w, rows, inner, w.least(depth_k, here - begin), *factors, w.at(dq, first * ldq_out), ldq_out, *added)
    w.call("void", f"flambeau_give_{s.kind}", buffer)
    w.call("void", "free", scratch)
    return w


def module(element: str, vector_bits: int) -> str:
    """The IR for one element type, `float` or `double`; `product_entries.module` must have been linked before.

    The functions' numbers are the scale and whether causal.
    """
    s = Shape(element, vector_bits)
    kind = s.kind
    parts = [make(s) for make in (batch_offset, _softmax_row, _gradient_row, _row_dot, _forward_body, _backward_body)]
    parts += [entry(s, f"flambeau_flash_{kind}", _FORWARD, "forward_body", True),
              entry(s, f"flambeau_flash_backward_{kind}", _BACKWARD, "backward_body", False)]  # fmt: skip
    return code_module(parts)
