"""The LLVM lowering: loops of scalar IR, left to LLVM's loop vectoriser.

No fast-math flags but `reassoc` on the sums of reductions, so an element's value does not depend on where the vector
loop ends and the scalar one begins. Transcendental functions are inlined polynomials: LLVM would call the C library once
for each lane.
"""

import struct
from typing import Any, Callable

from .expression import Expression
from .maths import FUNCTIONS
from .primitives import DECLARATIONS, primitive

LLVM_TYPE = {"f32": "float", "f64": "double", "i32": "i32", "i64": "i64", "i1": "i1", "i8": "i8"}
STORAGE = {"f32": "float", "f64": "double", "i32": "i32", "i64": "i64", "i1": "i8"}
SIZE = {"f32": 4, "f64": 8, "i32": 4, "i64": 8, "i1": 1}

_PRELUDE = """
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
"""


def literal(value: float, type_: str) -> str:
    """A constant as IR text; floats by their bits, so that nothing is lost."""
    if type_ == "f64":
        return "0x%016X" % struct.unpack("<Q", struct.pack("<d", value))[0]
    if type_ == "f32":  # LLVM writes a float as the double of equal value
        single = struct.unpack("<f", struct.pack("<f", value))[0]
        return "0x%016X" % struct.unpack("<Q", struct.pack("<d", single))[0]
    return str(int(value))


class Block:
    """Straight-line code of one loop body: names values, and computes each expression once."""

    def __init__(self, names: Callable[[], str]) -> None:
        self.fresh = names
        self.lines: list[str] = []
        self.known: dict[Expression, str] = {}

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

    def _compute(self, x: Expression) -> str:
        operation, t = x.operation, x.type
        kind = LLVM_TYPE[t]
        floating = t[0] == "f"
        if operation == "constant":
            return literal(x.arguments[0], t)
        if operation == "load":
            pointer, index, stored = x.arguments
            at = self.emit(f"getelementptr {STORAGE[stored]}, ptr {pointer}, i64 {index}")
            loaded = self.emit(f"load {STORAGE[stored]}, ptr {at}")
            return self.emit(f"icmp ne i8 {loaded}, 0") if stored == "i1" else loaded
        if operation == "named":
            return x.arguments[0]
        values = [self.value(a) for a in x.arguments]
        if operation in ("add", "sub", "mul", "div"):
            return self.emit(f"{'f' if floating else 's' if operation == 'div' else ''}{operation} {kind} {values[0]}, {values[1]}")
        if operation == "neg":
            return self.emit(f"fneg {kind} {values[0]}") if floating else self.emit(f"sub {kind} 0, {values[0]}")
        if operation in ("lt", "le", "gt", "ge", "eq"):
            operand = x.arguments[0].type
            if operand[0] == "f":
                return self.emit(f"fcmp o{operation} {LLVM_TYPE[operand]} {values[0]}, {values[1]}")
            predicate = operation if operation == "eq" else f"s{operation}"
            return self.emit(f"icmp {predicate} {LLVM_TYPE[operand]} {values[0]}, {values[1]}")
        if operation == "select":
            return self.emit(f"select i1 {values[0]}, {kind} {values[1]}, {kind} {values[2]}")
        if operation == "cast":
            return self._cast(values[0], x.arguments[0].type, t)
        if operation in ("maximum", "minimum"):
            return self.emit(f"call {kind} @llvm.{operation}.{t}({kind} {values[0]}, {kind} {values[1]})")
        if operation == "sqrt":
            return self.emit(f"call {kind} @llvm.sqrt.{t}({kind} {values[0]})")
        if operation == "abs":
            return self.emit(f"call {kind} @llvm.fabs.{t}({kind} {values[0]})")
        if operation in FUNCTIONS:
            return self.value(FUNCTIONS[operation](*x.arguments))
        return primitive(self.emit, x, values, kind, [LLVM_TYPE[a.type] for a in x.arguments])

    def _cast(self, value: str, from_: str, to: str) -> str:
        source, target = LLVM_TYPE[from_], LLVM_TYPE[to]
        if from_ == "i1":
            return self.emit(f"{'uitofp' if to[0] == 'f' else 'zext'} i1 {value} to {target}")
        if from_[0] == "i":
            if to[0] == "f":
                return self.emit(f"sitofp {source} {value} to {target}")
            if to == "i1":
                return self.emit(f"icmp ne {source} {value}, 0")
            return self.emit(f"{'sext' if to == 'i64' else 'trunc'} {source} {value} to {target}")
        if to[0] == "i":
            return self.emit(f"fptosi {source} {value} to {target}")
        return self.emit(f"{'fpext' if to == 'f64' else 'fptrunc'} {source} {value} to {target}")


class Array:
    """An array parameter inside a kernel: `x[i]` loads, `x[i] = value` stores."""

    def __init__(self, row: "Row", pointer: str, type_: str) -> None:
        self.row = row
        self.pointer = pointer
        self.type = type_

    def __getitem__(self, index: Expression) -> Expression:
        return self.row.load(self, index)

    def __setitem__(self, index: Expression, value: Any) -> None:
        self.row.store(self, index, value)


class Row:
    """The builder of a kernel's loops: over the elements of a row, one after the other.

    `max`, `sum` and `each` each make a loop from a function of the index; what `max` and `sum` return can be used in the
    loops behind. A map is a kernel whose only loop is one `each`.
    """

    def __init__(self) -> None:
        self.count = 0
        self.lines: list[str] = []
        self.block: Block | None = None
        self.label = "start"

    def fresh(self, prefix: str = "%v") -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def load(self, array: Array, index: Expression) -> Expression:
        return Expression("load", array.type, array.pointer, index.arguments[0], array.type)

    def store(self, array: Array, index: Expression, value: Any) -> None:
        block = self.block
        assert block is not None
        if not isinstance(value, Expression):
            value = Expression("constant", array.type, value)
        name = block.value(value if value.type == array.type else Expression("cast", array.type, value))
        if array.type == "i1":
            name = block.emit(f"zext i1 {name} to i8")
        at = block.emit(f"getelementptr {STORAGE[array.type]}, ptr {array.pointer}, i64 {block.value(index)}")
        block.lines.append(f"  store {STORAGE[array.type]} {name}, ptr {at}")
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
        return self.once(Expression("load", array.type, array.pointer, "%row", array.type))

    def pick(self, array: Array, index: Expression) -> Expression:
        """Loads one element of the row, at an index that was computed before."""
        return self.once(Expression("load", array.type, array.pointer, index.arguments[0], array.type))

    def set(self, array: Array, index: Expression, value: Expression) -> None:
        """Stores one element of the row, at an index that was computed before."""
        self.block = Block(self.fresh)
        self.store(array, index, value)
        self.lines += self.block.lines
        self.block = None

    def each(self, body: Callable[[Expression], Any]) -> None:
        """Runs `body` for each index."""
        self._loop(body, None, None)

    def sum(self, body: Callable[[Expression], Expression]) -> Expression:
        """The sum of `body(i)` over the row; LLVM may reassociate it."""
        return self._loop(body, "sum", 0.0)

    def max(self, body: Callable[[Expression], Expression]) -> Expression:
        """The largest `body(i)` of the row; NaN is passed over (what is computed from it becomes NaN all the same)."""
        return self._loop(body, "max", float("-inf"))

    def _loop(self, body: Callable[[Expression], Any], reduction: str | None, initial: float | None) -> Any:
        number = self.fresh("")
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
            else:
                larger = block.emit(f"fcmp nnan nsz ogt {kind} {name}, {accumulated}")
                update = block.emit(f"select nnan nsz i1 {larger}, {kind} {name}, {kind} {accumulated}")
        self.lines += [f"  br label %{head}", f"{head}:"]
        self.lines.append(f"  %i{number} = phi i64 [%first, %{self.label}], [%next{number}, %{inside}]")
        if reduction is not None:
            start = literal(initial or 0.0, result.type)
            self.lines.append(f"  {accumulated} = phi {kind} [{start}, %{self.label}], [{update}, %{inside}]")
        self.lines += [
            f"  %more{number} = icmp slt i64 %i{number}, %last",
            f"  br i1 %more{number}, label %{inside}, label %{done}",
            f"{inside}:",
        ]
        self.lines += block.lines
        self.lines += [f"  %next{number} = add nsw i64 %i{number}, 1", f"  br label %{head}", f"{done}:"]
        self.label = done
        self.block = None
        return None if reduction is None else Expression("named", result.type, accumulated)


def module(name: str, build: Callable[..., None], arrays: list[tuple[str, str, str]], numbers: int, number_type: str, rows: bool) -> str:
    """The IR of a kernel.

    arrays: (name, type, layout) in order; the first decides the extent; layout "" is one element per column of each row, "row" one
    per row, "shared" one row for all, "cycle" rows used again and again. numbers: how many Python floats follow. `rows`: the
    kernel runs once per row of the last dimension; otherwise all elements are one row.
    """
    row = Row()
    parameters = [Array(row, f"%{n}_row", t) for n, t, _ in arrays]
    scalars = [Expression("named", number_type, f"%number{i}") for i in range(numbers)]
    build(row, *parameters, *scalars)
    body = "\n".join(row.lines)
    cycles = [(i, n) for i, (n, _, layout) in enumerate(arrays) if layout == "cycle"]
    signature = ", ".join(
        [f"ptr noalias %{n}" for n, _, _ in arrays] + [f"double %wide{i}" for i in range(numbers)] + [f"i64 %{n}_rows" for _, n in cycles]
    )
    convert = "".join(
        f"  %number{i} = fptrunc double %wide{i} to float\n" if number_type == "f32" else f"  %number{i} = fadd double %wide{i}, -0.0\n"
        for i in range(numbers)
    )
    if rows:
        bases = ""
        for n, t, layout in arrays:
            if layout == "cycle":  # its rows are used again and again
                bases += f"  %{n}_number = srem i64 %row, %{n}_rows\n  %{n}_offset = mul i64 %{n}_number, %columns\n"
            offset = {"": "%offset", "cycle": f"%{n}_offset"}.get(layout, "0")
            bases += f"  %{n}_row = getelementptr {STORAGE[t]}, ptr %{n}, i64 {offset}\n"
        code = f"""
define internal void @body({signature}, i64 %begin, i64 %end, i64 %columns) {{
entry:
{convert}  br label %rows
rows:
  %row = phi i64 [%begin, %entry], [%row1, %{row.label}]
  %some = icmp slt i64 %row, %end
  br i1 %some, label %start, label %finished
start:
  %offset = mul i64 %row, %columns
  %first = add i64 0, 0
  %last = add i64 %columns, 0
{bases}{body}
  %row1 = add i64 %row, 1
  br label %rows
finished:
  ret void
}}
"""
        extent = (
            "  %total = call i64 @numel(ptr %o0)\n  %columns = call i64 @last_size(ptr %o0)\n  %none = icmp eq i64 %columns, 0\n"
            "  %safe = select i1 %none, i64 1, i64 %columns\n  %extent = sdiv i64 %total, %safe\n"
        )
    else:
        bases = "".join(f"  %{n}_row = getelementptr i8, ptr %{n}, i64 0\n" for n, _, _ in arrays)
        code = f"""
define internal void @body({signature}, i64 %first, i64 %last, i64 %columns) {{
start:
{convert}{bases}{body}
  ret void
}}
"""
        extent = "  %extent = call i64 @numel(ptr %o0)\n  %columns = add i64 0, 0\n"
    loads, arguments = [], []
    for i in range(len(arrays)):
        loads += [f"  %at{i} = getelementptr ptr, ptr %args, i64 {i}", f"  %o{i} = load ptr, ptr %at{i}",
                  f"  %data_at{i} = getelementptr i8, ptr %o{i}, i64 16", f"  %data{i} = load ptr, ptr %data_at{i}"]  # fmt: skip
        arguments.append(f"ptr %data{i}")
    for i in range(numbers):
        j = len(arrays) + i
        loads += [f"  %at{j} = getelementptr ptr, ptr %args, i64 {j}", f"  %o{j} = load ptr, ptr %at{j}",
                  f"  %data_at{j} = getelementptr i8, ptr %o{j}, i64 16", f"  %float{i} = load double, ptr %data_at{j}"]  # fmt: skip
        arguments.append(f"double %float{i}")
    for i, _ in cycles:
        extent += f"  %all{i} = call i64 @numel(ptr %o{i})\n  %rows{i} = sdiv i64 %all{i}, %safe\n"
        arguments.append(f"i64 %rows{i}")
    entry = "\n".join(loads)
    return f"""{_PRELUDE}{DECLARATIONS}{code}
define ptr @{name}(ptr %self, ptr %args, i64 %count) {{
{entry}
{extent}  call void @body({", ".join(arguments)}, i64 0, i64 %extent, i64 %columns)
  %references = load i64, ptr %o0
  %more_references = add i64 %references, 1
  store i64 %more_references, ptr %o0
  ret ptr %o0
}}
"""
