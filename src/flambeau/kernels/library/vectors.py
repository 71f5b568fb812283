"""Writing IR that works on vectors of a given width: loops, conditions and variables in place of labels and phi nodes.

Values are the names of IR registers. Variables are stack slots, which LLVM turns into registers.
"""

from ..compiler.code import Code


class Shape:
    """What the registers of a CPU allow: the element's LLVM type, elements in a vector, rows and vectors in a tile."""

    def __init__(self, element: str, vector_bits: int) -> None:
        self.element = element
        self.size = 4 if element == "float" else 8
        self.width = vector_bits // 8 // self.size
        self.rows, self.vectors = (8, 3) if vector_bits == 512 else (4, 3)
        self.columns = self.vectors * self.width
        self.dot = 4
        self.row_dot = min(8, self.width)
        self.kind = f"{'f32' if element == 'float' else 'f64'}"
        self.vector = f"<{self.width} x {element}>"
        self.mangled = f"v{self.width}{self.kind}"
        self.mask = f"<{self.width} x i1>"

    def narrowed(self, width: int) -> "Shape":
        """The same with shorter vectors."""
        return Shape(self.element, 8 * self.size * width)


class Writer(Code):
    """One function under construction, for vectors of a shape."""

    def __init__(self, shape: Shape, result: str, name: str, *parameters: str, internal: bool = True) -> None:
        super().__init__(result, name, *parameters, internal=internal, hints=False)
        self.shape = shape

    def at(self, pointer: str, index: str | int) -> str:
        """The address of element `index` behind a pointer."""
        return self.op(f"getelementptr {self.shape.element}, ptr {pointer}, i64 {index}")

    def add(self, a: str | int, b: str | int) -> str:
        return self.op(f"add nsw i64 {a}, {b}")

    def sub(self, a: str | int, b: str | int) -> str:
        return self.op(f"sub nsw i64 {a}, {b}")

    def mul(self, a: str | int, b: str | int) -> str:
        return self.op(f"mul nsw i64 {a}, {b}")

    def least(self, a: str | int, b: str | int) -> str:
        return self.op(f"call i64 @llvm.smin.i64(i64 {a}, i64 {b})")

    def parts(self, a: str | int, b: str | int) -> str:
        """a / b, rounded up."""
        return self.op(f"sdiv i64 {self.sub(self.add(a, b), 1)}, {b}")

    def first_lanes(self, count: str) -> str:
        """A mask of the first `count` lanes."""
        s = self.shape
        narrow = self.op(f"trunc i64 {count} to i32")
        one = self.op(f"insertelement <{s.width} x i32> poison, i32 {narrow}, i32 0")
        all_ = self.op(f"shufflevector <{s.width} x i32> {one}, <{s.width} x i32> poison, <{s.width} x i32> zeroinitializer")
        lanes = ", ".join(f"i32 {i}" for i in range(s.width))
        return self.op(f"icmp slt <{s.width} x i32> <{lanes}>, {all_}")

    def vector_at(self, pointer: str, mask: str | None = None) -> str:
        """A vector from memory; lanes without the mask are 0 and not read."""
        s = self.shape
        if mask is None:
            return self.op(f"load {s.vector}, ptr {pointer}, align {s.size}")
        call = f"call {s.vector} @llvm.masked.load.{s.mangled}.p0(ptr {pointer}, i32 {s.size}, {s.mask} {mask}, {s.vector} zeroinitializer)"
        return self.op(call)

    def set_vector(self, pointer: str, value: str, mask: str | None = None) -> None:
        s = self.shape
        if mask is None:
            self.do(f"store {s.vector} {value}, ptr {pointer}, align {s.size}")
        else:
            self.do(f"call void @llvm.masked.store.{s.mangled}.p0({s.vector} {value}, ptr {pointer}, i32 {s.size}, {s.mask} {mask})")

    def everywhere(self, number: str) -> str:
        """One number in all lanes."""
        s = self.shape
        one = self.op(f"insertelement {s.vector} poison, {s.element} {number}, i32 0")
        return self.op(f"shufflevector {s.vector} {one}, {s.vector} poison, <{s.width} x i32> zeroinitializer")

    def fused(self, a: str, b: str, c: str) -> str:
        """a * b + c."""
        s = self.shape
        return self.op(f"call {s.vector} @llvm.fma.{s.mangled}({s.vector} {a}, {s.vector} {b}, {s.vector} {c})")

    def pick(self, a: str, b: str, lanes: list[int], vector: str, width: int) -> str:
        """The named lanes of two vectors laid end to end."""
        order = ", ".join(f"i32 {i}" for i in lanes)
        return self.op(f"shufflevector {vector} {a}, {vector} {b}, <{width} x i32> <{order}>")

    def transposed(self, rows: list[str]) -> list[str]:
        """`width` vectors as the columns of what they are the rows of."""
        s, rows = self.shape, list(rows)
        distance = 1
        while distance < s.width:
            for i in range(s.width):
                if not i & distance:
                    a, b = rows[i], rows[i + distance]
                    low = [j if not j & distance else s.width + j - distance for j in range(s.width)]
                    high = [j + distance if not j & distance else s.width + j for j in range(s.width)]
                    rows[i] = self.pick(a, b, low, s.vector, s.width)
                    rows[i + distance] = self.pick(a, b, high, s.vector, s.width)
            distance *= 2
        return rows

    def test(self, relation: str, a: str | int, b: str | int, type_: str = "i64") -> str:
        """A comparison: `eq`, `ne`, `slt`, `sle`, `sgt`, `sge`."""
        return self.op(f"icmp {relation} {type_} {a}, {b}")

    def both(self, a: str, b: str) -> str:
        return self.op(f"and i1 {a}, {b}")

    def either(self, a: str, b: str) -> str:
        return self.op(f"or i1 {a}, {b}")

    def no(self, a: str) -> str:
        return self.op(f"xor i1 {a}, true")

    def choose(self, condition: str, a: str | int, b: str | int, type_: str = "i64") -> str:
        return self.op(f"select i1 {condition}, {type_} {a}, {type_} {b}")

    def over(self, a: str | int, b: str | int) -> str:
        """a / b, rounded down, of what is not negative."""
        return self.op(f"sdiv i64 {a}, {b}")

    def bits(self, a: str | int, b: str | int) -> str:
        return self.op(f"and i64 {a}, {b}")

    def wide(self, number: str) -> str:
        """An i32 as i64."""
        return self.op(f"sext i32 {number} to i64")

    def flag(self, bit: int) -> str:
        return self.test("ne", self.bits("%flags", bit), 0)
