"""Scaled dot-product attention with dropout or of few dimensions, and its gradient, in machine code, without the matrix of all scores.

A task is one head of one sequence (in the forward, up to `CHUNK` of its queries). It takes `BLOCK` queries at a time: their
scores against all keys that they may see are one small product, stay in the cache, become probabilities, and meet the values
in a second product. Of the probabilities only each row's maximum and the inverse of its sum are kept; the backward computes
them again. Causal attention leaves out the keys behind the last query of a block. After Dao et al., "FlashAttention", 2022;
Dao, "FlashAttention-2", 2023, but a block's row of scores is kept whole, so the maximum is known before the first exponential.

Here PyTorch makes attention of operators, and in float32 the bits are theirs: queries and keys are both multiplied by the root of the
scale, probabilities are exp times the inverse of their sum, then times dropout's factor, and rows are added up in the order of
`compiler/lanes.py`. Where it has a fused kernel of its own, `flash_attention.py` serves.

The products are cells of `products.py`, called by name.
"""

from typing import Any

from ..compiler.code import Code, Value
from ..compiler.code import module as code_module
from .attention_support import BLOCK, CHUNK, Head, RowWriter, added_to, copied, entry, flag, number, scratch_memory, times, up
from .product_entries import batch_offset
from .products import ACCUMULATE, CONTINUE, FEW_PRODUCTS, parts_of
from .vectors import Shape, Writer, vector


class _Writer(RowWriter):
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
    """exp(scores * scale + mask - maximum) / sum in place, dropout applied; zeros from `valid` to `total`. stats: maximum, 1 / sum."""
    w = _Writer(s, "softmax_row", f"p {_row(s)}")
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


_FORWARD = "out q k v stats mask kept"
_BACKWARD = "dq dk dv grad q k v stats mask kept"


def _each_row(w: _Writer, function: str, h: Head, rows: Value, first: Value, limit: Value, causal: Value, matrices: list[Value],
              lead: Value, head: Value, stats: Value, at: int) -> None:  # fmt: skip
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
            number(w, at),
            mask_row,
            kept_row,
            number(w, at + 1),
            w.at(stats, row * 2),
        )


def _forward_body(s: Shape) -> Code:
    w = _Writer(s, "forward_body", "args begin:i64 end:i64")
    h = Head(w, _FORWARD, "out")
    length, inner, keys, outer = h.size("q", 2), h.size("q", 1), h.size("k", 2), h.size("v", 1)
    at = len(h.names)
    causal = flag(w, at + 2)
    few_inner, few_outer = (length * keys * width < FEW_PRODUCTS for width in (inner, outer))
    lead = up(w, keys)
    wide = up(w, inner)
    scratch, buffer, turned, copies = scratch_memory(w, wide * lead + BLOCK * (lead + wide))
    p = w.at(turned, wide * lead)
    scaled = w.at(p, BLOCK * lead)
    of_queries, of_keys = number(w, at + 3), number(w, at + 4)
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
        copied(w, seen, inner, k, ldk, turned, lead)
        times(w, inner, seen, turned, lead, turned, lead, of_keys)
        with w.loop(w.parts(stop - start, BLOCK)) as block:
            first = start + block * BLOCK
            rows = w.least(BLOCK, stop - first)
            limit = w.where(causal, w.least(first + rows, keys), keys)
            queries = w.at(q, first * ldq)
            times(w, rows, inner, queries, ldq, scaled, wide, of_queries)
            _cell(w, few_inner, rows, limit, inner, 0, scaled, wide, 0, turned, lead, p, lead, None, 0, copies)
            _each_row(w, "softmax_row", h, rows, first, limit, causal, [p], lead, head, stats, at)
            result = w.at(out, first * ldo)
            _long_product(w, few_outer, rows, outer, limit, keys, p, lead, v, ldv, result, ldo, copies)
    w.call("void", f"flambeau_give_{s.kind}", buffer)
    w.call("void", "free", scratch)
    return w


def _backward_body(s: Shape) -> Code:
    w = _Writer(s, "backward_body", "args begin:i64 end:i64")
    h = Head(w, _BACKWARD, "dq")
    length, inner, keys, outer = h.size("q", 2), h.size("q", 1), h.size("k", 2), h.size("v", 1)
    at = len(h.names)
    causal = flag(w, at + 2)
    few_inner, few_outer = (length * keys * width < FEW_PRODUCTS for width in (inner, outer))
    lead = up(w, keys)
    wide = up(w, inner)
    wide_v = up(w, outer)
    k_size, v_size, block_size = wide * lead, wide_v * lead, BLOCK * lead
    elements = k_size * 2 + v_size + block_size * 2 + wide * BLOCK + keys * (wide + wide_v)
    scratch, buffer, turned_k, copies = scratch_memory(w, elements)
    turned_v = w.at(turned_k, k_size)
    p = w.at(turned_v, v_size)
    g = w.at(p, block_size)
    scaled_k = w.at(g, block_size)
    scaled_q = w.at(scaled_k, k_size)
    own_dk = w.at(scaled_q, wide * BLOCK)
    own_dv = w.at(own_dk, keys * wide)
    of_queries, of_keys = number(w, at + 3), number(w, at + 4)
    with w.loop(w["end"] - w["begin"]) as n:
        head = w["begin"] + n
        names = ("dq", "dk", "dv", "grad", "q", "k", "v")
        dq, dk, dv, grad, q, k, v = (h.start(name, head) for name in names)
        ldq_out, ldk_out, ldv_out, ldg, ldq, ldk, ldv = (h.step(name) for name in names)
        stats = w.at(w.field(h.arrays["stats"], 16), head * length * 2)
        times(w, keys, inner, k, ldk, scaled_k, wide, of_keys)
        used_k = scaled_k, wide
        copied(w, keys, inner, *used_k, turned_k, lead)
        copied(w, keys, outer, v, ldv, turned_v, lead)
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
                times(w, rows, inner, queries, ldq, scaled_q, wide, of_queries)
                used_q = scaled_q, wide
                _cell(w, few_inner, rows, limit, inner, 0, *used_q, 0, turned_k, lead, p, lead, None, 0, copies)
                _cell(w, few_outer, rows, limit, outer, 0, gradients, ldg, 0, turned_v, lead, g, lead, None, 0, copies)
                _each_row(w, "gradient_row", h, rows, first, limit, causal, [p, g], lead, head, stats, at)
                target = w.at(dq, first * ldq_out)
                _long_product(w, few_inner, rows, inner, limit, keys, g, lead, *used_k, target, ldq_out, copies)
                times(w, rows, inner, target, ldq_out, target, ldq_out, of_queries)
                _cell(w, few_inner, limit, inner, rows, 1, g, lead, 0, *used_q, into[0][0], into[0][1], None, CONTINUE, copies)
                _cell(w, few_outer, limit, outer, rows, 1, p, lead, 0, gradients, ldg, into[1][0], into[1][1], None, CONTINUE, copies)
            with w.when(part > 0):
                for here, here_step, target, step, width in into:
                    added_to(w, keys, width, here, here_step, target, step)
        times(w, keys, inner, dk, ldk_out, dk, ldk_out, of_keys)
    w.call("void", f"flambeau_give_{s.kind}", buffer)
    w.call("void", "free", scratch)
    return w


def module(element: str, vector_bits: int) -> str:
    """The IR for one element type, `float` or `double`; `product_entries.module` must have been linked before.

    The functions' numbers are the scores' factor, dropout's, whether causal, the queries' and the keys' factors.
    """
    s = Shape(element, vector_bits)
    kind = s.kind
    parts = [make(s) for make in (batch_offset, _softmax_row, _gradient_row, _forward_body, _backward_body)]
    parts += [entry(s, f"flambeau_attention_{kind}", _FORWARD, "forward_body", True),
              entry(s, f"flambeau_attention_backward_{kind}", _BACKWARD, "backward_body", False)]  # fmt: skip
    return code_module(parts)
