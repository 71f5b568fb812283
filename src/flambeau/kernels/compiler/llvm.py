"""The LLVM lowering: loops of scalar IR, left to LLVM's loop vectoriser.

No fast-math flags but `reassoc` on the sums of reductions, so an element's value does not depend on where the vector
loop ends and the scalar one begins. Transcendental functions are inlined polynomials: LLVM would call the C library once
for each lane.
"""

from typing import Any, Callable

from . import code
from .expression import Expression
from .maths import FUNCTIONS
from .primitives import DECLARATIONS, primitive

LLVM_TYPE = {"f32": "float", "f64": "double", "i32": "i32", "i64": "i64", "i1": "i1", "i8": "i8"}
STORAGE = {
    "f32": "float", "f64": "double", "i32": "i32", "i64": "i64", "i1": "i8", "f16": "half", "bf16": "i16", "u8": "i8", "s8": "i8",
    "i16": "i16",
}  # fmt: skip
"""What lies in memory."""

COMPUTED = {"f16": "f32", "bf16": "f32", "u8": "i32", "s8": "i32", "i16": "i32"}
"""The type that a kernel computes in for what lies in memory otherwise."""

PRELUDE = (
    DECLARATIONS
    + """
declare float @llvm.fmuladd.f32(float, float, float)
declare double @llvm.fmuladd.f64(double, double, double)
declare float @llvm.sqrt.f32(float)
declare double @llvm.sqrt.f64(double)
declare float @llvm.fabs.f32(float)
declare double @llvm.fabs.f64(double)
declare float @llvm.maximum.f32(float, float)
declare double @llvm.maximum.f64(double, double)
declare float @llvm.minimum.f32(float, float)
declare double @llvm.minimum.f64(double, double)
declare float @llvm.log.f32(float)
declare double @llvm.log.f64(double)
declare double @llvm.exp.f64(double)
declare double @llvm.tanh.f64(double)
declare double @erf(double)

define internal i64 @numel(ptr %array) alwaysinline {
entry:
  %nd_at = getelementptr i8, ptr %array, i64 24
  %nd = load i32, ptr %nd_at
  %dims_at = getelementptr i8, ptr %array, i64 32
  %dims = load ptr, ptr %dims_at
  br label %test
test:
  %i = phi i32 [0, %entry], [%i1, %step]
  %product = phi i64 [1, %entry], [%product1, %step]
  %more = icmp slt i32 %i, %nd
  br i1 %more, label %step, label %done
step:
  %at = getelementptr i64, ptr %dims, i32 %i
  %n = load i64, ptr %at
  %product1 = mul i64 %product, %n
  %i1 = add i32 %i, 1
  br label %test
done:
  ret i64 %product
}

define internal i64 @last_size(ptr %array) alwaysinline {
  %nd_at = getelementptr i8, ptr %array, i64 24
  %nd = load i32, ptr %nd_at
  %dims_at = getelementptr i8, ptr %array, i64 32
  %dims = load ptr, ptr %dims_at
  %last = sub i32 %nd, 1
  %at = getelementptr i64, ptr %dims, i32 %last
  %n = load i64, ptr %at
  ret i64 %n
}
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare void @flambeau_parallel(ptr, ptr, i64, i64)
"""
)
"""What a module declares, and what it asks of ndarrays."""


def literal(value: float, type_: str) -> str:
    """A constant as IR text."""
    return code.literal(value, LLVM_TYPE[type_])


def given_back(name: str) -> str:
    """IR that ends a built-in function: it returns an object, with a reference more."""
    return f"""  %references = load i64, ptr {name}
  %more_references = add i64 %references, 1
  store i64 %more_references, ptr {name}
  ret ptr {name}
"""


class Block:
    """Straight-line code of one loop body: names values, and computes each expression once."""

    def __init__(self, names: Callable[[], str]) -> None:
        self.fresh = names
        self.lines: list[str] = []
        self.known: dict[Expression, str] = {}

    def kind(self, t: str) -> str:
        """The LLVM type of values of a type."""
        return LLVM_TYPE[t]

    def stored_kind(self, stored: str) -> str:
        """The LLVM type of what lies in memory."""
        return STORAGE[stored]

    def suffix(self, t: str) -> str:
        """What LLVM appends to the names of functions of a type."""
        return t

    def literal(self, value: float, type_: str) -> str:
        """A number of an LLVM type as IR text."""
        return code.literal(value, type_)

    def emit(self, code: str) -> str:
        """Adds an instruction; returns the name of its value."""
        name = self.fresh()
        self.lines.append(f"  {name} = {code}")
        return name

    def value(self, x: Expression) -> str:
        """The name of an expression's value."""
        found = self.known.get(x)
        if found is None:
            found = self.known[x] = self._compute(x)
        return found

    def address(self, pointer: str, index: str, stored: str, access: str) -> str:
        """Where an element lies: `access` is "1" for neighbours, "0" for one and the same, "s" for a distance in bytes."""
        if access == "s":
            offset = self.emit(f"mul i64 {index}, {pointer}_step")
            return self.emit(f"getelementptr i8, ptr {pointer}, i64 {offset}")
        return self.emit(f"getelementptr {STORAGE[stored]}, ptr {pointer}, i64 {index if access == '1' else 0}")

    def load(self, pointer: str, index: str, stored: str, access: str) -> str:
        """An element, in the type that is computed in."""
        return self.widened(self.emit(f"load {STORAGE[stored]}, ptr {self.address(pointer, index, stored, access)}"), stored)

    def widened(self, value: str, stored: str) -> str:
        """What was loaded, in the type that is computed in."""
        kind = self.stored_kind(stored)
        if stored == "i1":
            return self.emit(f"icmp ne {kind} {value}, {self.literal(0, 'i8')}")
        if stored == "f16":
            return self.emit(f"fpext {kind} {value} to {self.kind('f32')}")
        if stored == "bf16":  # the upper half of a float32
            integer = self.kind("i32")
            wide = self.emit(f"zext {kind} {value} to {integer}")
            bits = self.emit(f"shl {integer} {wide}, {self.literal(16, 'i32')}")
            return self.emit(f"bitcast {integer} {bits} to {self.kind('f32')}")
        if stored in COMPUTED:
            return self.emit(f"{'zext' if stored == 'u8' else 'sext'} {kind} {value} to {self.kind('i32')}")
        return value

    def store(self, pointer: str, index: str, stored: str, access: str, value: str) -> None:
        """Writes a value that was computed into an element."""
        value = self.narrowed(value, stored)
        self.lines.append(f"  store {STORAGE[stored]} {value}, ptr {self.address(pointer, index, stored, access)}")

    def narrowed(self, value: str, stored: str) -> str:
        """A value that was computed, in the type of memory; rounded to nearest even."""
        kind = self.stored_kind(stored)
        if stored == "i1":
            return self.emit(f"zext {self.kind('i1')} {value} to {kind}")
        if stored == "f16":
            return self.emit(f"fptrunc {self.kind('f32')} {value} to {kind}")
        if stored == "bf16":  # in integers: the instruction of some CPUs flushes subnormal numbers
            number, integer, sixteen = self.kind("f32"), self.kind("i32"), self.literal(16, "i32")
            bits = self.emit(f"bitcast {number} {value} to {integer}")
            upper = self.emit(f"lshr {integer} {bits}, {sixteen}")
            odd = self.emit(f"and {integer} {upper}, {self.literal(1, 'i32')}")
            half = self.emit(f"add {integer} {odd}, {self.literal(32767, 'i32')}")
            rounded = self.emit(f"add {integer} {bits}, {half}")
            cut = self.emit(f"lshr {integer} {rounded}, {sixteen}")
            nan = self.emit(f"fcmp uno {number} {value}, {value}")
            quiet = self.emit(f"or {integer} {upper}, {self.literal(64, 'i32')}")
            chosen = self.emit(f"select {self.kind('i1')} {nan}, {integer} {quiet}, {integer} {cut}")
            return self.emit(f"trunc {integer} {chosen} to {kind}")
        return self.emit(f"trunc {self.kind('i32')} {value} to {kind}") if stored in COMPUTED else value

    def _compute(self, x: Expression) -> str:
        operation, t = x.operation, x.type
        kind = self.kind(t)
        floating = t[0] == "f"
        if operation == "constant":
            return self.literal(x.arguments[0], LLVM_TYPE[t])
        if operation == "load":
            return self.load(*x.arguments)
        if operation == "named":
            return x.arguments[0]
        if operation == "rounded":
            stored = x.arguments[1]
            return self.widened(self.narrowed(self.value(x.arguments[0]), stored), stored)
        values = [self.value(a) for a in x.arguments]
        if operation in ("add", "sub", "mul", "div"):
            return self.emit(f"{'f' if floating else 's' if operation == 'div' else ''}{operation} {kind} {values[0]}, {values[1]}")
        if operation == "neg":
            zero = "" if floating else self.literal(0, LLVM_TYPE[t]) + ", "
            return self.emit(f"{'fneg' if floating else 'sub'} {kind} {zero}{values[0]}")
        if operation in ("lt", "le", "gt", "ge", "eq", "ne"):
            operand = x.arguments[0].type
            if operand[0] == "f":
                return self.emit(f"fcmp {'u' if operation == 'ne' else 'o'}{operation} {self.kind(operand)} {values[0]}, {values[1]}")
            predicate = operation if operation in ("eq", "ne") else f"s{operation}"
            return self.emit(f"icmp {predicate} {self.kind(operand)} {values[0]}, {values[1]}")
        if operation == "select":
            return self.emit(f"select {self.kind('i1')} {values[0]}, {kind} {values[1]}, {kind} {values[2]}")
        if operation == "cast":
            return self._cast(values[0], x.arguments[0].type, t)
        if operation in ("maximum", "minimum"):
            return self.emit(f"call {kind} @llvm.{operation}.{self.suffix(t)}({kind} {values[0]}, {kind} {values[1]})")
        if operation == "torch_sqrt" and t == "f32":
            from . import square_root  # reads what CPU this is, which importing flambeau need not wait for

            if square_root.estimated():
                return self.emit(f"call float {square_root.CALL % values[0]}")
        if operation in ("sqrt", "torch_sqrt"):
            return self.emit(f"call {kind} @llvm.sqrt.{self.suffix(t)}({kind} {values[0]})")
        if operation == "abs":
            return self.emit(f"call {kind} @llvm.fabs.{self.suffix(t)}({kind} {values[0]})")
        if operation in FUNCTIONS:
            return self.value(FUNCTIONS[operation](*x.arguments))
        return primitive(self.emit, x, values, kind, [self.kind(a.type) for a in x.arguments], self.suffix(t))

    def _cast(self, value: str, from_: str, to: str) -> str:
        source, target = self.kind(from_), self.kind(to)
        if from_ == "i1":
            return self.emit(f"{'uitofp' if to[0] == 'f' else 'zext'} {source} {value} to {target}")
        if from_[0] == "i":
            if to[0] == "f":
                return self.emit(f"sitofp {source} {value} to {target}")
            if to == "i1":
                return self.emit(f"icmp ne {source} {value}, {self.literal(0, LLVM_TYPE[from_])}")
            return self.emit(f"{'sext' if to == 'i64' else 'trunc'} {source} {value} to {target}")
        if to[0] == "i":
            return self.emit(f"fptosi {source} {value} to {target}")
        return self.emit(f"{'fpext' if to == 'f64' else 'fptrunc'} {source} {value} to {target}")


class Array:
    """An array parameter inside a kernel: `x[i]` loads, `x[i] = value` stores.

    stored: the type in memory; `type` is the one that is computed in. layout, access: see `entry.py`.
    """

    def __init__(self, row: "Row", pointer: str, stored: str, layout: str = "", access: str = "1") -> None:
        self.row = row
        self.pointer = pointer
        self.stored = stored
        self.type = COMPUTED.get(stored, stored)
        self.layout = layout
        self.access = access

    def __getitem__(self, index: Expression) -> Expression:
        return self.row.load(self, index)

    def __setitem__(self, index: Expression, value: Any) -> None:
        self.row.store(self, index, value)


class Row:
    """The builder of a kernel's loops: over the elements of a row, one after the other.

    `max`, `sum` and `each` each make a loop from a function of the index; what `max` and `sum` return can be used in the
    loops behind. A map is a kernel whose only loop is one `each`.
    """

    along_lanes = True
    """Whether neighbours of a row lie side by side."""

    def __init__(self, type_: str = "f32") -> None:
        self.type = type_  # what is computed in
        self.neighbours = True  # whether all arrays are row-major
        self.declarations: dict[str, str] = {}
        self.count = 0
        self.lines: list[str] = []
        self.block: Block | None = None
        self.label = "start"
        self.serial = False  # whether rows write where other rows do
        self.loaded: set[str] = set()
        self.stored: set[str] = set()

    def fresh(self, prefix: str = "%v") -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def load(self, array: Array, index: Expression) -> Expression:
        self.loaded.add(array.pointer)
        return Expression("load", array.type, array.pointer, index.arguments[0], array.stored, array.access)

    def store(self, array: Array, index: Expression, value: Any) -> None:
        block = self.block
        assert block is not None
        self.stored.add(array.pointer)
        if array.layout in ("shared", "cycle"):
            self.serial = True
        if not isinstance(value, Expression):
            value = Expression("constant", array.type, value)
        name = block.value(value if value.type == array.type else Expression("cast", array.type, value))
        block.store(array.pointer, block.value(index), array.stored, array.access, name)
        # What was loaded from this array before must be loaded again.
        for x in [x for x in block.known if x.operation == "load" and x.arguments[0] == array.pointer]:
            del block.known[x]

    def once(self, x: Expression) -> Expression:
        """The value of an expression, computed once for the row, outside the loops."""
        block = Block(self.fresh)
        name = block.value(x)
        self.lines += block.lines
        return Expression("named", x.type, name)

    def put(self, array: Array, value: Expression) -> None:
        """Stores one value for the row into an array with one element per row."""
        self.block = Block(self.fresh)
        self.store(array, Expression("named", "i64", "%row"), value)
        self.lines += self.block.lines
        self.block = None

    def get(self, array: Array) -> Expression:
        """Loads the row's element of an array with one element per row."""
        return self.once(Expression("load", array.type, array.pointer, "%row", array.stored, "1"))

    def pick(self, array: Array, index: Expression) -> Expression:
        """Loads one element of the row, at an index that was computed before."""
        return self.once(self.load(array, index))

    def set(self, array: Array, index: Expression, value: Expression) -> None:
        """Stores one element of the row, at an index that was computed before."""
        self.block = Block(self.fresh)
        self.store(array, index, value)
        self.lines += self.block.lines
        self.block = None

    def each(self, body: Callable[[Expression], Any], when: Expression | None = None) -> None:
        """Runs `body` for each index; with a condition that was computed before, for none unless it holds."""
        self._loop(body, None, None, when)

    def sum(self, body: Callable[[Expression], Expression]) -> Expression:
        """The sum of `body(i)` over the row; LLVM may reassociate it."""
        return self._loop(body, "sum", 0.0)

    def lane_sum(self, body: Callable[[Expression], Expression]) -> Expression:
        """The sum of `body(i)` over the row in the order of PyTorch's vectors (see `lanes.py`)."""
        from .lanes import loop

        return loop(self, body, True)  # type: ignore[return-value]

    def lane_dot(self, body: Callable[[Expression], tuple[Expression, Expression]]) -> Expression:
        """The sum of the products of the two numbers that `body(i)` gives, in the same order."""
        from .lanes import loop

        return loop(self, body, True, True)  # type: ignore[return-value]

    def each_lane(self, body: Callable[[Expression], Any]) -> None:
        """`each`, written out in vectors where elements are neighbours and vectors are long: for tables in registers and short rows."""
        from .lanes import loop, permutes

        if permutes() and self.neighbours:
            loop(self, body, False)
        else:
            self._loop(body, None, None)

    def max(self, body: Callable[[Expression], Expression]) -> Expression:
        """The largest `body(i)` of the row; NaN is passed over (what is computed from it becomes NaN all the same)."""
        return self._loop(body, "max", float("-inf"))

    def fold(self, body: Callable[[Expression], Expression], combine: str) -> Expression:
        """The "sum", "maximum" or "minimum" of `body(i)` over the row; NaN if one is."""
        return self._loop(body, combine, {"sum": 0.0, "maximum": float("-inf"), "minimum": float("inf")}[combine])

    def first(self, condition: Callable[[Expression], Expression]) -> Expression:
        """The first index where the condition holds; a number beyond all rows where it never does."""
        beyond = Expression("constant", "i64", 1 << 62)
        return self._loop(lambda i: Expression("select", "i64", condition(i), i, beyond), "minimum", float(1 << 62))

    def _loop(self, body: Callable[[Expression], Any], reduction: str | None, initial: float | None, when: Expression | None = None) -> Any:
        number = self.fresh("")
        last = "%last"
        if when is not None:
            last = f"%last{number}"
            self.lines.append(f"  {last} = select i1 {self.once(when).arguments[0]}, i64 %last, i64 %first")
        head, inside, done = f"head{number}", f"loop{number}", f"done{number}"
        index = Expression("named", "i64", f"%i{number}")
        self.block = block = Block(self.fresh)
        result = body(index)
        accumulated = ""
        if reduction is not None:
            kind = LLVM_TYPE[result.type]
            name = block.value(result)
            accumulated = f"%sum{number}"
            if reduction == "sum":
                update = block.emit(f"fadd reassoc {kind} {accumulated}, {name}")
            elif reduction != "max":
                function = reduction if result.type[0] == "f" else f"s{reduction[:3]}"
                update = block.emit(f"call {kind} @llvm.{function}.{result.type}({kind} {accumulated}, {kind} {name})")
            else:
                larger = block.emit(f"fcmp nnan nsz ogt {kind} {name}, {accumulated}")
                update = block.emit(f"select nnan nsz i1 {larger}, {kind} {name}, {kind} {accumulated}")
        self.lines += [f"  br label %{head}", f"{head}:"]
        self.lines.append(f"  %i{number} = phi i64 [%first, %{self.label}], [%next{number}, %{inside}]")
        if reduction is not None:
            start = literal(initial or 0.0, result.type)
            self.lines.append(f"  {accumulated} = phi {kind} [{start}, %{self.label}], [{update}, %{inside}]")
        self.lines += [
            f"  %more{number} = icmp slt i64 %i{number}, {last}",
            f"  br i1 %more{number}, label %{inside}, label %{done}",
            f"{inside}:",
        ]
        self.lines += block.lines
        self.lines += [f"  %next{number} = add nsw i64 %i{number}, 1", f"  br label %{head}", f"{done}:"]
        self.label = done
        self.block = None
        return None if reduction is None else Expression("named", result.type, accumulated)
