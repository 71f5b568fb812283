"""Vectors as wide as this machine's registers, and functions of IR that work on vectors of a given width."""

from functools import cache
from typing import Any

from ..compiler.code import SIZE, Code, Value, mangled


@cache
def vector_bytes() -> int:
    """How wide this machine's vector registers are."""
    from ..compiler.machine import vector_bits

    return vector_bits() // 8


def lanes(element: str) -> int:
    """How many elements a vector register holds."""
    return vector_bytes() // SIZE[element]


def vector(element: str, count: int | None = None) -> str:
    """The type of a vector of elements."""
    return f"<{lanes(element) if count is None else count} x {element}>"


class Shape:
    """What the registers of a CPU allow: the element's LLVM type, elements in a vector, rows and vectors in a tile."""

    def __init__(self, element: str, vector_bits: int) -> None:
        self.element = element
        self.size = SIZE[element]
        self.width = vector_bits // 8 // self.size
        self.rows, self.vectors = (8, 3) if vector_bits == 512 else (4, 3)
        self.columns = self.vectors * self.width
        self.dot = 4
        self.row_dot = min(8, self.width)
        self.kind = mangled(element)
        self.vector = vector(element, self.width)
        self.mangled = mangled(self.vector)
        self.mask = f"<{self.width} x i1>"

    def narrowed(self, width: int) -> "Shape":
        """The same with shorter vectors."""
        return Shape(self.element, 8 * self.size * width)


class Writer(Code):
    """One function under construction, for vectors of a shape; apart: as in `Code`."""

    def __init__(self, shape: Shape, name: str, parameters: str, result: str = "void", internal: bool = True, apart: bool = False) -> None:
        super().__init__(name, parameters, result, internal, apart)
        self.shape = shape

    def at(self, pointer: Value, index: Any, type_: str | None = None) -> Value:
        """The address of element `index` behind a pointer."""
        return self.op(
            f"getelementptr {type_ or self.shape.element}, ptr {pointer.name}, i64 {index.name if index.__class__ is Value else index}",
            "ptr",
        )

    def least(self, a: Any, b: Any) -> Value:
        """The smaller of two numbers (i64)."""
        return self.call("i64", "llvm.smin.i64", a, b)

    def most(self, a: Any, b: Any) -> Value:
        """The larger of two numbers (i64)."""
        return self.call("i64", "llvm.smax.i64", a, b)

    def parts(self, a: Any, b: Any) -> Value:
        """a / b, rounded up."""
        return (a + b - 1) // b

    def first_lanes(self, count: Any) -> Value:
        """A mask of the first `count` lanes."""
        s = self.shape
        numbers = self.value(f"<{', '.join(f'i32 {i}' for i in range(s.width))}>", f"<{s.width} x i32>")
        return numbers < self.convert(self.value(count), "i32")

    def vector_at(self, pointer: Value, mask: Value | None = None) -> Value:
        """A vector from memory; lanes without the mask are 0 and not read."""
        s = self.shape
        if mask is None:
            return self.load(s.vector, pointer)
        return self.masked_load(s.vector, pointer, mask, s.size)

    def masked_load(self, type_: str, pointer: Value, mask: Value, align: int) -> Value:
        """A vector of any type from memory; lanes without the mask are 0 and not read."""
        nothing = self.value("zeroinitializer", type_)
        return self.call(type_, f"llvm.masked.load.{mangled(type_)}.p0", pointer, self.value(align, "i32"), mask, nothing)

    def set_vector(self, pointer: Value, x: Value, mask: Value | None = None) -> None:
        """Writes a vector, or its lanes within the mask."""
        s = self.shape
        if mask is None:
            self.store(x, pointer)
        else:
            self.call("void", f"llvm.masked.store.{s.mangled}.p0", x, pointer, self.value(s.size, "i32"), mask)

    def everywhere(self, number: Value) -> Value:
        """One number in all lanes."""
        return self.splat(number, self.shape.vector)

    def fused(self, a: Any, b: Any, c: Any) -> Value:
        """a * b + c, rounded once."""
        s = self.shape
        a, b, c = self.value(a, s.vector), self.value(b, s.vector), self.value(c, s.vector)
        return self.call(s.vector, f"llvm.fma.{s.mangled}", a, b, c)

    def aligned(self, pointer: Value) -> Value:
        """The next address that is a multiple of 64."""
        return self.convert((self.convert(pointer, "i64") + 63) & -64, "ptr")

    def flag(self, bit: int) -> Value:
        """Whether a bit of the parameter `flags` is set."""
        return (self["flags"] & bit).differs(0)
