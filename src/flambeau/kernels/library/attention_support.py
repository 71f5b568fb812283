"""What attention's two kernels share (`fused_attention.py`, `flash_attention.py`): exp over vectors, heads of arrays, scratch memory."""

from typing import NamedTuple

from ..compiler.code import Code, Value
from ..compiler.maths.sleef import EXP, LN2, LOG2_E
from .vectors import Shape, Writer, vector

BLOCK = 32
"""How many queries meet the keys at a time."""
CHUNK = 512
"""How many queries of a head a task of the forward takes at most."""


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


class RowWriter(Writer):
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


class Head:
    """What a task knows of its arrays: sizes, and the head's matrices as (pointer, distance of rows in elements)."""

    def __init__(self, w: RowWriter, names: str, leader: str) -> None:
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


def scratch_memory(w: Writer, elements: Value) -> tuple[Value, Value, Value, Value]:
    """Scratch memory, and a buffer for cells: what to free, what to give back, and both at multiples of 64."""
    scratch = w.call("ptr", "malloc", elements * w.shape.size + 64)
    buffer = w.call("ptr", f"flambeau_take_{w.shape.kind}")
    return scratch, buffer, w.aligned(scratch), w.aligned(buffer)


def up(w: Writer, n: Value) -> Value:
    """The next multiple of the vectors' width."""
    return w.parts(n, w.shape.width) * w.shape.width


def number(w: Writer, index: int) -> Value:
    """A Python float among the arguments."""
    return w.convert(w.field(w.load("ptr", w["args"], index), 16, "double"), w.shape.element)


def flag(w: Writer, index: int) -> Value:
    """Whether a Python float among the arguments is not 0."""
    return w.op(f"fcmp one double {w.field(w.load('ptr', w['args'], index), 16, 'double')}, 0.0", "i1")


def copied(w: Writer, rows: Value, columns: Value, source: Value, step: Value, target: Value, lead: Value) -> None:
    """The transposed of rows x columns, as columns x rows."""
    w.call("void", f"flambeau_copy_{w.shape.kind}", 1, columns, rows, source, step, target, lead)


def times(w: RowWriter, rows: Value, columns: Value, source: Value, step: Value, target: Value, lead: Value, by: Value) -> None:
    """rows x columns of a matrix times a number, into a matrix that may be the same."""
    s, factor = w.shape, w.everywhere(by)
    with w.loop(rows) as r:
        row, result = w.at(source, r * step), w.at(target, r * lead)
        with w.loop(w.parts(columns, s.width)) as part:
            j = part * s.width
            mask = w.first_lanes(columns - j)
            w.set_vector(w.at(result, j), w.vector_at(w.at(row, j), mask) * factor, mask)


def added_to(w: RowWriter, rows: Value, columns: Value, source: Value, step: Value, target: Value, lead: Value) -> None:
    """Adds a matrix to another."""
    with w.loop(rows) as r:
        row, result = w.at(source, r * step), w.at(target, r * lead)
        with w.loop(w.parts(columns, w.shape.width)) as part:
            j = part * w.shape.width
            mask = w.first_lanes(columns - j)
            w.set_vector(w.at(result, j), w.vector_at(w.at(result, j), mask) + w.vector_at(w.at(row, j), mask), mask)


def entry(s: Shape, name: str, names: str, body: str, chunked: bool) -> Code:
    """The built-in function of arrays (`names`) and of floats, which the body knows: heads, or chunks of their queries, on the pool.

    Returns the first array.
    """
    w = RowWriter(s, name, "self args count:i64", "ptr", internal=False)
    h = Head(w, names, names.split()[0])
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
