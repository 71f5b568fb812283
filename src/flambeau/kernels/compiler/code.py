"""Machine code written with typed values, loops, conditions and variables instead of registers, labels and phi nodes.

    code = Code("scale", "out x factor:double n:i64")
    out, x, factor, n = code.arguments
    with code.loop(n) as i:
        code.store(code.load("double", x, i) * factor, out, i)

Where the kernel compiler traces a function of scalars and finds the loops itself (`llvm.py`), here a kernel says its loops.
Types are LLVM's: `i64`, `float`, `ptr`, `<16 x float>`. Variables are stack slots, which LLVM turns into registers.
"""

import re
import struct
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any, Callable, Iterator

ELEMENT = {"f32": "float", "f64": "double", "i64": "i64", "i32": "i32", "i16": "i16", "i8": "i8"}
SIZE = {"float": 4, "double": 8, "i64": 8, "i32": 4, "i16": 2, "i8": 1, "ptr": 8}
_SHORT = {"float": "f32", "double": "f64"}
_INTEGER = {"+": "add nsw", "-": "sub nsw", "*": "mul nsw", "//": "sdiv", "%": "srem", "&": "and", "|": "or", "^": "xor"}
_FLOAT = {"+": "fadd", "-": "fsub", "*": "fmul", "/": "fdiv"}
_ZEROS = ("0", "0x0000000000000000")
_PYTHON = {bool: "i1", int: "i64", float: "double", type(None): "ptr"}


def literal(value: float, type_: str) -> str:
    """A number as IR text; floats by their bits, so that nothing is lost. LLVM writes a float as the double of equal value."""
    if type_ not in _SHORT:
        return str(int(value))
    if type_ == "float":
        value = struct.unpack("<f", struct.pack("<f", value))[0]
    return "0x%016X" % struct.unpack("<Q", struct.pack("<d", value))[0]


@cache
def element_of(type_: str) -> str:
    """The type of a vector's elements; of a scalar, its own."""
    return type_.split()[-1].rstrip(">")


@cache
def width_of(type_: str) -> int:
    """How many elements a vector type has."""
    return int(type_[1:].split()[0])


@cache
def mangled(type_: str) -> str:
    """How the names of LLVM's functions say a type: `f32`, `v16f32`."""
    element = element_of(type_)
    return f"{f'v{width_of(type_)}' if type_[0] == '<' else ''}{_SHORT.get(element, element)}"


@cache
def _is_float(type_: str) -> bool:
    return element_of(type_) in _SHORT


@cache
def _operation(sign: str, type_: str) -> str:
    """The instruction that an operator adds for values of a type."""
    return f"{(_FLOAT if _is_float(type_) else _INTEGER)[sign]} {type_}"


@cache
def _comparison(predicate: str, type_: str) -> tuple[str, str]:
    """The instruction of a comparison, and the type of its result."""
    if _is_float(type_):
        kind = f"fcmp {'une' if predicate == 'ne' else 'uno' if predicate == 'uno' else 'o' + predicate}"
    else:
        kind = f"icmp {predicate if predicate in ('eq', 'ne') else 's' + predicate}"
    return f"{kind} {type_}", f"<{width_of(type_)} x i1>" if type_[0] == "<" else "i1"


@cache
def _alignment(type_: str) -> str:
    """How a load or store says that the elements of a vector are aligned, and no more."""
    return f", align {SIZE[element_of(type_)]}" if type_[0] == "<" else ""


def _operator(sign: str, swapped: bool = False) -> "Callable[[Value, Any], Value]":
    """The method of Value for an operator of Python."""

    def method(self: "Value", other: Any) -> "Value":
        type_ = self.type
        a, b = self.name, other.name if other.__class__ is Value and other.type == type_ else self.code.operand(other, type_)
        if swapped:
            a, b = b, a
        return self.code.op(f"{_operation(sign, type_)} {a}, {b}", type_)

    return method


def _relation(predicate: str) -> "Callable[[Value, Any], Value]":
    """The method of Value for a comparison."""

    def method(self: "Value", other: Any) -> "Value":
        kind, result = _comparison(predicate, self.type)
        return self.code.op(f"{kind} {self.name}, {self.code.operand(other, self.type)}", result)

    return method


class Value:
    """A typed value of a function under construction. Its operators add instructions; its text is its name."""

    __slots__ = ("code", "name", "type")

    def __init__(self, code: "Code", name: str, type_: str) -> None:
        self.code, self.name, self.type = code, name, type_

    def __str__(self) -> str:
        return self.name

    __add__ = __radd__ = _operator("+")
    __sub__, __rsub__ = _operator("-"), _operator("-", True)
    __mul__ = __rmul__ = _operator("*")
    __truediv__, __rtruediv__ = _operator("/"), _operator("/", True)
    __floordiv__, __rfloordiv__ = _operator("//"), _operator("//", True)
    __mod__ = _operator("%")
    __and__, __or__, _xor = _operator("&"), _operator("|"), _operator("^")
    __lt__, __le__, __gt__, __ge__ = _relation("lt"), _relation("le"), _relation("gt"), _relation("ge")
    equals, differs, _unordered = _relation("eq"), _relation("ne"), _relation("uno")
    """`differs` is true of NaN and itself."""

    def __invert__(self) -> "Value":
        return self._xor(self.type == "i1" or -1)

    def plus(self, other: Any) -> "Value":
        """The sum, which LLVM may reassociate: for the sums of reductions."""
        return self.code.op(f"fadd reassoc {self.type} {self.name}, {self.code.operand(other, self.type)}", self.type)

    def is_nan(self) -> "Value":
        """Whether it is NaN."""
        return self._unordered(self)


class Variable:
    """A value that changes: memory on the stack, at `pointer`."""

    __slots__ = ("pointer", "type", "load")

    def __init__(self, pointer: Value, type_: str) -> None:
        self.pointer, self.type, self.load = pointer, type_, f"load {type_}, ptr {pointer.name}"

    @property
    def value(self) -> Value:
        return self.pointer.code.op(self.load, self.type)

    @value.setter
    def value(self, new: Any) -> None:
        code = self.pointer.code
        code.lines.append(f"  store {self.type} {code.operand(new, self.type)}, ptr {self.pointer.name}")


class Code:
    """One function under construction.

    parameters: "name" of a pointer or "name:type", in order; `arguments` are their values. apart: the pointers do not overlap, and
    the function is not inlined, which takes LLVM longer and makes large ones no faster.
    """

    def __init__(self, name: str, parameters: str = "", result: str = "void", internal: bool = True, apart: bool = True) -> None:
        self.name, self.result = name, result
        self.internal, self.apart = internal, apart
        self.parameters = {n: t or "ptr" for n, _, t in (p.partition(":") for p in parameters.split())}
        self.given = {n: Value(self, f"%{n}", t) for n, t in self.parameters.items()}
        self.arguments = list(self.given.values())
        self.slots: list[str] = []
        self.lines: list[str] = []
        self.label: str | None = "entry"
        """The block that is being written; None behind its end."""
        self.count = 0
        self.declared: dict[str, str] = {}
        """The declarations of functions that it calls, by name."""
        self.expressions = False
        self.functions: list[Code] = []
        """Those that this one brought along."""

    def __getitem__(self, name: str) -> Value:
        """The parameter of that name."""
        return self.given[name]

    def fresh(self, prefix: str = "v") -> str:
        """A name that no other value or block of the function has."""
        self.count += 1
        return f"{prefix}.{self.count}"

    def op(self, instruction: str, type_: str) -> Value:
        """Adds an instruction; returns its value, of the type."""
        lines = self.lines
        name = f"%.{len(lines)}"
        lines.append(f"  {name} = {instruction}")
        return Value(self, name, type_)

    def do(self, instruction: str) -> None:
        """Adds an instruction without a value."""
        self.lines.append("  " + instruction)

    # --- values ----------------------------------------------------------------------------------------------------

    def value(self, x: Any, type_: str | None = None) -> Value:
        """A constant: of a Python number, of None (the null pointer) or of a text that IR knows. Values are taken as they are.

        Where the type is a vector's, a scalar is in every lane.
        """
        if x.__class__ is Value:
            return x if type_ is None or type_ == x.type or type_[0] != "<" or x.type[0] == "<" else self.splat(x, type_)
        if type_ is None:
            type_ = _PYTHON[type(x)]
        if isinstance(x, str):
            return Value(self, x, type_)
        if type_[0] == "<":
            one = self.value(x, element_of(type_))
            return Value(self, "zeroinitializer", type_) if one.name in _ZEROS else self.splat(one, type_)
        if type_ == "ptr":
            return Value(self, "null", type_)
        if type_ == "i1":
            return Value(self, "true" if x else "false", type_)
        return Value(self, literal(x, type_), type_)

    def operand(self, x: Any, type_: str) -> str:
        """The text of a value, or of a constant of the type."""
        if x.__class__ is Value and (x.type == type_ or type_[0] != "<"):
            return x.name
        if x.__class__ is int and type_ == "i64":
            return str(x)
        return self.value(x, type_).name

    def splat(self, x: Value, type_: str) -> Value:
        """A scalar in every lane of a vector."""
        one = self.op(f"insertelement {type_} poison, {x.type} {x.name}, i64 0", type_)
        return self.op(f"shufflevector {type_} {one.name}, {type_} poison, <{width_of(type_)} x i32> zeroinitializer", type_)

    def where(self, condition: Value, a: Any, b: Any) -> Value:
        """`a` where the condition holds, else `b`."""
        type_ = (a if isinstance(a, Value) else self.value(b)).type
        return self.op(
            f"select {condition.type} {condition.name}, {type_} {self.operand(a, type_)}, {type_} {self.operand(b, type_)}", type_
        )

    def least(self, a: Any, b: Any) -> Value:
        """The smaller of two integers."""
        a = self.value(a)
        return self.where(a < b, a, b)

    def most(self, a: Any, b: Any) -> Value:
        """The larger of two integers."""
        a = self.value(a)
        return self.where(a > b, a, b)

    def convert(self, x: Value, type_: str) -> Value:
        """A number in another type; a pointer as an integer, or back."""
        if x.type == type_:
            return x
        if x.type == "ptr" or type_ == "ptr":
            operation = "ptrtoint" if x.type == "ptr" else "inttoptr"
        elif _is_float(x.type) and _is_float(type_):
            operation = "fpext" if type_ == "double" else "fptrunc"
        elif _is_float(type_):
            operation = "uitofp" if x.type == "i1" else "sitofp"
        elif _is_float(x.type):
            operation = "fptosi"
        else:
            wider = int(type_[1:]) > int(x.type[1:])
            operation = ("zext" if x.type == "i1" else "sext") if wider else "trunc"
        return self.op(f"{operation} {x.type} {x.name} to {type_}", type_)

    def multiply_add(self, a: Value, b: Value, c: Value) -> Value:
        """a * b + c, fused where the machine can."""
        t = c.type
        return self.call(t, f"llvm.fmuladd.{mangled(t)}", self.value(a, t), self.value(b, t), c)

    def expression(self, function: Callable[..., Any], *values: Value) -> Value:
        """What a function of the kernel compiler's expressions makes of scalars: `tanh`, `sigmoid`, ..."""
        from .expression import Expression
        from .llvm import LLVM_TYPE, Block

        result = function(*[Expression("named", _SHORT[v.type], v.name) for v in values])
        if not isinstance(result, Expression):
            return self.value(result, values[0].type)
        block = Block(lambda: "%" + self.fresh())
        name = block.value(result)
        self.lines += block.lines
        self.expressions = True
        return Value(self, name, LLVM_TYPE[result.type])

    def root(self, x: Value) -> Value:
        """The square root."""
        return self.call(x.type, f"llvm.sqrt.{mangled(x.type)}", x)

    def shuffle(self, a: Value, b: Value, places: list[int]) -> Value:
        """Lanes of two vectors, those of the second counted on from the first's."""
        mask = ", ".join(f"i32 {n}" for n in places)
        text = f"shufflevector {a.type} {a.name}, {b.type} {b.name}, <{len(places)} x i32> <{mask}>"
        return self.op(text, f"<{len(places)} x {element_of(a.type)}>")

    def lane(self, x: Value, place: int) -> Value:
        """One element of a vector."""
        return self.op(f"extractelement {x.type} {x.name}, i64 {place}", element_of(x.type))

    def transposed(self, rows: list[Value]) -> list[Value]:
        """As many vectors as each has lanes: the columns of what they are the rows of."""
        rows, size = list(rows), len(rows)
        step = 1
        while step < size:
            low = [n if not n & step else size + n - step for n in range(size)]
            high = [n + step if not n & step else size + n for n in range(size)]
            for i in range(size):
                if not i & step:
                    a, b = rows[i], rows[i + step]
                    rows[i], rows[i + step] = self.shuffle(a, b, low), self.shuffle(a, b, high)
            step *= 2
        return rows

    def total(self, x: Value) -> Value:
        """The sum of a vector's lanes, pairwise."""
        while (count := width_of(x.type)) > 1:
            parts = [self.shuffle(x, x, list(range(first, first + count // 2))) for first in (0, count // 2)]
            x = parts[0] + parts[1]
        return self.lane(x, 0)

    def sum(self, a: Value, b: Any) -> Value:
        """a + b; integers wrap around."""
        return a + b if _is_float(a.type) else self.op(f"add {a.type} {a.name}, {self.value(b, a.type).name}", a.type)

    # --- memory ----------------------------------------------------------------------------------------------------

    def variable(self, type_: str, initial: Any = ...) -> Variable:
        """A variable, with its first value if it is given."""
        made = Variable(self.memory(type_), type_)
        if initial is not ...:
            made.value = initial
        return made

    def array(self, element: str, count: int) -> Value:
        """Memory on the stack for elements, at a multiple of 64."""
        return self.memory(f"[{count} x {element}], align 64")

    def memory(self, what: str) -> Value:
        """Memory on the stack for a type."""
        name = f"%{self.fresh('m')}"
        self.slots.append(f"  {name} = alloca {what}")
        return Value(self, name, "ptr")

    def at(self, pointer: Value, index: Any, type_: str) -> Value:
        """The address of an element."""
        return self.op(
            f"getelementptr inbounds {type_}, ptr {pointer.name}, i64 {index.name if index.__class__ is Value else index}", "ptr"
        )

    def load(self, type_: str, pointer: Value, index: Any = None) -> Value:
        """An element; of a vector type, as many elements from the index on."""
        if index is not None:
            pointer = self.at(pointer, index, element_of(type_))
        return self.op(f"load {type_}, ptr {pointer.name}{_alignment(type_)}", type_)

    def store(self, x: Any, pointer: Value, index: Any = None) -> None:
        """Writes an element, or the elements of a vector from the index on."""
        x = self.value(x)
        if index is not None:
            pointer = self.at(pointer, index, element_of(x.type))
        self.lines.append(f"  store {x.type} {x.name}, ptr {pointer.name}{_alignment(x.type)}")

    def field(self, pointer: Value, offset: Any, type_: str = "ptr") -> Value:
        """What lies `offset` bytes behind a pointer."""
        return self.load(type_, self.at(pointer, offset, "i8"))

    def set_field(self, pointer: Value, offset: Any, x: Any) -> None:
        """Stores `offset` bytes behind a pointer."""
        self.store(x, self.at(pointer, offset, "i8"))

    def copy(self, to: Value, source: Value, count: Value) -> None:
        """Copies bytes."""
        self.call("void", "llvm.memcpy.p0.p0.i64", to, source, count, False)

    def prefetch(self, pointer: Value, level: int = 1) -> None:
        """Has the cache line at an address, which need not be valid, fetched for reading into the first or second cache."""
        self.call("void", "llvm.prefetch.p0", pointer, *(self.value(n, "i32") for n in (0, 4 - level, 1)))

    def named(self, table: Value, names: list[str]) -> Any:
        """The first numbers (i64) of a table, as fields with these names."""
        return SimpleNamespace(**{name: self.load("i64", table, i) for i, name in enumerate(names)})

    # --- flow ------------------------------------------------------------------------------------------------------

    def mark(self, label: str) -> None:
        """Starts the block called `label`; what comes before runs into it."""
        if self.label is not None:
            self.lines.append(f"  br label %{label}")
        self.lines.append(f"{label}:")
        self.label = label

    def jump(self, label: str) -> None:
        """Goes to the block called `label`."""
        self.lines.append(f"  br label %{label}")
        self.label = None

    def branch(self, condition: Value, yes: str, no: str) -> None:
        """Goes to the one block or the other."""
        self.lines.append(f"  br i1 {condition.name}, label %{yes}, label %{no}")
        self.label = None

    def leave(self, condition: Value, label: str) -> None:
        """Goes to the block called `label` if the condition holds."""
        after = self.fresh("go")
        self.branch(condition, label, after)
        self.mark(after)

    def back(self, x: Any = None) -> None:
        """Returns from the function."""
        self.do("ret void" if self.result == "void" else f"ret {self.result} {self.value(x, self.result).name}")
        self.label = None

    def give(self, x: Value) -> None:
        """Returns a Python object, with a reference more."""
        self.store(self.load("i64", x) + 1, x)
        self.back(x)

    @contextmanager
    def loop(self, *bounds: Any, short: bool = False, elements: bool = False) -> Iterator[Value]:
        """`for i in range(...)` of one to three bounds, the step positive.

        short: a loop of few turns, which is left as it is. elements: one that is made into vector code without copies of its
        body, which cost more to compile than they save on few elements.
        """
        start, stop, step = (self.value(b) for b in ((0, *bounds, 1) if len(bounds) == 1 else (*bounds, 1)[:3]))
        n = self.fresh("")
        before = self.label
        self.mark(f"head{n}")
        i = Value(self, f"%i{n}", "i64")
        self.lines.append(f"  %i{n} = phi i64 [{start.name}, %{before}], [%next{n}, %latch{n}]")
        self.branch(i < stop, f"body{n}", f"done{n}")
        self.mark(f"body{n}")
        yield i
        self.mark(f"latch{n}")
        hint = ", !llvm.loop !SHORT" if short else ", !llvm.loop !ELEMENTS" if elements else ""
        self.lines += [f"  %next{n} = add nsw i64 %i{n}, {step.name}", f"  br label %head{n}{hint}"]
        self.label = None
        self.mark(f"done{n}")

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """`if condition`."""
        inside, after = self.fresh("then"), self.fresh("after")
        self.branch(condition, inside, after)
        self.mark(inside)
        yield
        self.mark(after)

    def either(self, condition: Value, one: Callable[[], None], other: Callable[[], None]) -> None:
        """`if condition: one() else: other()`."""
        n = self.fresh("")
        self.branch(condition, f"one{n}", f"other{n}")
        self.mark(f"one{n}")
        one()
        self.jump(f"after{n}")
        self.mark(f"other{n}")
        other()
        self.mark(f"after{n}")

    # --- functions -------------------------------------------------------------------------------------------------

    def call(self, result: str, function: "str | Value", *values: Any, flags: str = "") -> Value:
        """Calls `@function`, or the function at a pointer."""
        given = [x if x.__class__ is Value else self.value(x) for x in values]
        if function.__class__ is str:
            if function not in self.declared:
                self.declared[function] = f"declare {result} @{function}({', '.join([x.type for x in given])})"
            function = f"@{function}"
        text = f"call {flags}{result} {function}({', '.join([f'{x.type} {x.name}' for x in given])})"
        if result == "void":
            self.do(text)
            return Value(self, "", "void")
        return self.op(text, result)

    def run(self, other: "Code", *values: Any) -> Value:
        """Calls another function of the module."""
        given = [self.value(v, t) for v, t in zip(values, other.parameters.values(), strict=True)]
        return self.call(other.result, other.name, *given)

    def parallel(self, body: "Code", values: list[Value], count: Any, grain: Any) -> None:
        """Runs `body(values..., begin, end)` over ranges of [0, count) on all threads."""
        context = self.memory(f"[{len(values)} x i64]")
        for i, v in enumerate(values):
            self.store(v, self.at(context, i, "i64"))
        outer = Code(f"{body.name}_range", "context begin:i64 end:i64")
        given, begin, end = outer.arguments
        outer.run(body, *[outer.load(v.type, outer.at(given, i, "i64")) for i, v in enumerate(values)], begin, end)
        self.functions.append(outer)
        self.spread(outer.name, context, count, grain)

    def spread(self, function: str, context: Value, count: Any, grain: Any) -> None:
        """Runs `@function(context, begin, end)` over ranges of [0, count) on all threads; see `threads.py`."""
        self.call("void", "flambeau_parallel", self.value(f"@{function}", "ptr"), context, count, grain)

    @contextmanager
    def claimed(self, flags: Value, count: Any) -> Iterator[Value]:
        """The number of a slot below `count` that nobody else has meanwhile; `flags` are as many words, zero at first."""
        n, before = self.fresh(""), self.label
        self.mark(f"seek{n}")
        slot = Value(self, f"%slot{n}", "i64")
        self.lines.append(f"  {slot} = phi i64 [0, %{before}], [%wrapped{n}, %taken{n}]")
        flag = self.at(flags, slot, "i64")
        pair = self.op(f"cmpxchg ptr {flag}, i64 0, i64 1 seq_cst seq_cst", "{i64, i1}")
        self.branch(self.op(f"extractvalue {{i64, i1}} {pair}, 1", "i1"), f"mine{n}", f"taken{n}")
        self.mark(f"taken{n}")
        self.do(f"%wrapped{n} = srem i64 {slot + 1}, {self.value(count)}")
        self.jump(f"seek{n}")
        self.mark(f"mine{n}")
        yield slot
        self.do(f"store atomic i64 0, ptr {flag} seq_cst, align 8")

    @contextmanager
    def unlocked(self) -> Iterator[None]:
        """Without Python's lock: other Python threads run meanwhile."""
        state = self.call("ptr", "PyEval_SaveThread")
        yield
        self.call("void", "PyEval_RestoreThread", state)

    def text(self) -> str:
        """The function's IR, but for the marks of its loops: see `module`."""
        pointer = "ptr noalias" if self.apart else "ptr"
        parameters = ", ".join(f"{pointer if t == 'ptr' else t} %{n}" for n, t in self.parameters.items())
        head = (
            f"define{' internal' if self.internal else ''} {self.result} @{self.name}({parameters}){' noinline' if self.apart else ''} {{"
        )
        end = [] if self.label is None else ["  ret void" if self.result == "void" else "  unreachable"]
        return "\n".join([head, "entry:", *self.slots, *self.lines, *end, "}", ""])


_VECTORS, _UNROLL = '!{!"llvm.loop.vectorize.enable", i1 false}', '!{!"llvm.loop.unroll.disable"}'
_INTERLEAVE = '!{!"llvm.loop.interleave.count", i32 1}'


def module(functions: list[Code], prelude: str = "", known: str = "") -> str:
    """The IR of functions, declarations of those that they call, and the marks that tell LLVM how far to go with their loops.

    prelude: IR to begin with. known: IR that the caller puts around this.
    """
    declared = {name: line for f in functions for name, line in f.declared.items()}
    for f in functions:
        declared.pop(f.name, None)
    lines = [line for name, line in sorted(declared.items()) if f"@{name}(" not in prelude and f"@{name}(" not in known]
    text, *rest = re.split("!(SHORT|ELEMENTS)", "".join([f.text() for f in functions]))
    marks = [f"!0 = {_VECTORS}", f"!1 = {_INTERLEAVE}", f"!2 = {_UNROLL}"]
    parts = [prelude, "\n".join([*lines, text])]
    for n, (kind, behind) in enumerate(zip(rest[::2], rest[1::2]), 3):
        parts.append(f"!{n}{behind}")
        marks.append(f"!{n} = distinct !{{!{n}, !{0 if kind == 'SHORT' else 1}, !2}}")
    return "".join(parts) + "\n".join([*marks, ""])


def kernel(name: str, main: Code, *others: Code) -> Callable[..., Any]:
    """The built-in function that calls `main` with the data pointers of ndarrays (`ptr`) and with Python floats (`double`).

    It returns its first argument, or the one whose number `main` returns (i64).
    """
    from .jit import python_function
    from .llvm import PRELUDE

    entry = Code(name, "self args count:i64", "ptr", internal=False, apart=False)
    args = entry.arguments[1]
    number = entry.run(main, *[entry.field(entry.load("ptr", args, i), 16, t) for i, t in enumerate(main.parameters.values())])
    result = entry.load("ptr", args, number if main.result == "i64" else 0)
    entry.give(result)
    functions = [g for f in (*others, main) for g in (*f.functions, f)]
    prelude = PRELUDE if any(f.expressions for f in functions) else ""
    return python_function(module([*functions, entry], prelude), name)


def share(main: Code, body: Code, values: list[Value], items: Value, grain: Value) -> None:
    """Runs `body(values..., begin, end)` over the items: up to one share here, else on all threads and without Python's lock."""

    def spread() -> None:
        with main.unlocked():
            main.parallel(body, values, items, grain)

    def here() -> None:
        main.run(body, *values, 0, items)

    main.either(items > grain, spread, here)


def launch(name: str, body: Code, header: list[str], count: str, *others: Code) -> Callable[..., Any]:
    """The kernel that runs `body(..., begin, end)` over ranges of its items on all threads.

    Its parameter `table` begins with the numbers that `header` names: `count` says which of them is the number of items, and "grain" is
    how many are one thread's share.
    """
    parameters = [f"{n}:{t}" for n, t in body.parameters.items() if n not in ("begin", "end")]
    main = Code("main", " ".join(parameters))
    table = main.arguments[list(body.parameters).index("table")]
    items, grain = (main.load("i64", table, header.index(n)) for n in (count, "grain"))
    with main.unlocked():
        main.parallel(body, main.arguments, items, grain)
    return kernel(name, main, *others, body)
