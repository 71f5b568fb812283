"""Writing LLVM IR for kernels whose loops are no plain maps or rows: loops, conditions and variables over typed values.

Where the kernel compiler traces a function of scalars and finds the loops itself, here the kernel says its loops. Vectors are
LLVM's own (`<16 x float>`), as wide as the machine's registers (`vector_bytes`).
"""

import struct
from contextlib import contextmanager
from functools import cache
from typing import Any, Callable, Iterator

ELEMENT = {"f32": "float", "f64": "double", "i64": "i64", "i32": "i32", "i16": "i16", "i8": "i8"}
SIZE = {"float": 4, "double": 8, "i64": 8, "i32": 4, "i16": 2, "i8": 1}
_SHORT = {"float": "f32", "double": "f64"}
_INTEGER = {"+": "add nsw", "-": "sub nsw", "*": "mul nsw", "//": "sdiv", "%": "srem", "&": "and", "|": "or", "^": "xor"}
_FLOAT = {"+": "fadd", "-": "fsub", "*": "fmul", "/": "fdiv"}


def literal(value: float, type_: str) -> str:
    """A floating-point constant by its bits; LLVM writes a float as the double of equal value."""
    if type_ == "float":
        value = struct.unpack("<f", struct.pack("<f", value))[0]
    return "0x%016X" % struct.unpack("<Q", struct.pack("<d", value))[0]


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


def _is_float(type_: str) -> bool:
    return "float" in type_ or "double" in type_


class Value:
    """A typed value of a function under construction."""

    __slots__ = ("code", "name", "type")

    def __init__(self, code: "Code", name: str, type_: str) -> None:
        self.code, self.name, self.type = code, name, type_

    def _binary(self, sign: str, other: Any, swapped: bool = False, flags: str = "") -> "Value":
        a, b = self, self.code.value(other, self.type)
        if swapped:
            a, b = b, a
        operation = (_FLOAT if _is_float(self.type) else _INTEGER)[sign]
        return self.code.emit(f"{operation} {flags}{self.type} {a.name}, {b.name}", self.type)

    def __add__(self, other: Any) -> "Value":
        return self._binary("+", other)

    def __sub__(self, other: Any) -> "Value":
        return self._binary("-", other)

    def __rsub__(self, other: Any) -> "Value":
        return self._binary("-", other, True)

    def __mul__(self, other: Any) -> "Value":
        return self._binary("*", other)

    def __truediv__(self, other: Any) -> "Value":
        return self._binary("/", other)

    def __rtruediv__(self, other: Any) -> "Value":
        return self._binary("/", other, True)

    def __floordiv__(self, other: Any) -> "Value":
        return self._binary("//", other)

    def __rfloordiv__(self, other: Any) -> "Value":
        return self._binary("//", other, True)

    def __mod__(self, other: Any) -> "Value":
        return self._binary("%", other)

    def __and__(self, other: Any) -> "Value":
        return self._binary("&", other)

    def __or__(self, other: Any) -> "Value":
        return self._binary("|", other)

    def __invert__(self) -> "Value":
        return self._binary("^", self.code.value(True, "i1") if self.type == "i1" else -1)

    __radd__, __rmul__ = __add__, __mul__

    def plus(self, other: Any) -> "Value":
        """The sum, which LLVM may reassociate: for the sums of reductions."""
        return self._binary("+", other, flags="reassoc ")

    def _compare(self, predicate: str, other: Any) -> "Value":
        b = self.code.value(other, self.type)
        if _is_float(self.type):
            kind = f"fcmp {'une' if predicate == 'ne' else 'uno' if predicate == 'uno' else 'o' + predicate}"
        else:
            kind = f"icmp {predicate if predicate in ('eq', 'ne') else 's' + predicate}"
        result = self.type.replace(self.type.split()[-1].rstrip(">"), "i1") if self.type[0] == "<" else "i1"
        return self.code.emit(f"{kind} {self.type} {self.name}, {b.name}", result)

    def __lt__(self, other: Any) -> "Value":
        return self._compare("lt", other)

    def __le__(self, other: Any) -> "Value":
        return self._compare("le", other)

    def __gt__(self, other: Any) -> "Value":
        return self._compare("gt", other)

    def __ge__(self, other: Any) -> "Value":
        return self._compare("ge", other)

    def equals(self, other: Any) -> "Value":
        """Whether both are equal."""
        return self._compare("eq", other)

    def differs(self, other: Any) -> "Value":
        """Whether they are not equal; true of NaN and itself."""
        return self._compare("ne", other)

    def is_nan(self) -> "Value":
        """Whether it is NaN."""
        return self._compare("uno", self)


class Variable:
    """A value that changes: memory on the stack, which LLVM turns into registers."""

    __slots__ = ("code", "name", "type")

    def __init__(self, code: "Code", name: str, type_: str) -> None:
        self.code, self.name, self.type = code, name, type_

    @property
    def value(self) -> Value:
        return self.code.emit(f"load {self.type}, ptr {self.name}", self.type)

    @value.setter
    def value(self, new: Any) -> None:
        self.code.lines.append(f"  store {self.type} {self.code.value(new, self.type).name}, ptr {self.name}")


class Code:
    """One function under construction: `Code("name", x="ptr", n="i64")`; parameters that are pointers do not overlap."""

    def __init__(self, name: str, result: str = "void", **parameters: str) -> None:
        self.name = name
        self.result = result
        self.parameters = parameters
        self.lines: list[str] = []
        self.stack: list[str] = []
        self.declared: set[str] = set()
        self.expressions = False
        self.returned = ""
        self.functions: list[Code] = []
        """Those that this one brought along."""
        self.count = 0
        self.label = "entry"
        self.arguments = [Value(self, f"%{n}", t) for n, t in parameters.items()]

    # --- values ----------------------------------------------------------------------------------------------------

    def fresh(self, prefix: str = "%t") -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def emit(self, code: str, type_: str) -> Value:
        """Adds an instruction; returns its value."""
        name = self.fresh()
        self.lines.append(f"  {name} = {code}")
        return Value(self, name, type_)

    def value(self, x: Any, type_: str = "i64") -> Value:
        """A Python number as a constant; a scalar where a vector is wanted in every lane; values as they are."""
        if isinstance(x, Value):
            return self.splat(x, type_) if type_[0] == "<" and x.type[0] != "<" else x
        if type_[0] == "<":
            element = type_.split()[-1].rstrip(">")
            return self.splat(self.value(x, element), type_)
        if type_ == "i1":
            return Value(self, "true" if x else "false", type_)
        return Value(self, literal(x, type_) if type_ in _SHORT else str(int(x)), type_)

    def splat(self, x: Value, type_: str) -> Value:
        """A scalar in every lane of a vector."""
        one = self.emit(f"insertelement {type_} poison, {x.type} {x.name}, i64 0", type_)
        count = type_[1:].split()[0]
        return self.emit(f"shufflevector {type_} {one.name}, {type_} poison, <{count} x i32> zeroinitializer", type_)

    def variable(self, type_: str, initial: Any) -> Variable:
        """A variable with its first value."""
        name = self.fresh("%m")
        self.stack.append(f"  {name} = alloca {type_}")
        made = Variable(self, name, type_)
        made.value = initial
        return made

    def array(self, element: str, count: int) -> Value:
        """Memory on the stack."""
        name = self.fresh("%m")
        self.stack.append(f"  {name} = alloca [{count} x {element}], align 64")
        return Value(self, name, "ptr")

    def where(self, condition: Value, a: Any, b: Any) -> Value:
        """`a` where the condition holds, else `b`."""
        type_ = a.type if isinstance(a, Value) else b.type
        a, b = self.value(a, type_), self.value(b, type_)
        return self.emit(f"select {condition.type} {condition.name}, {type_} {a.name}, {type_} {b.name}", type_)

    def least(self, a: Value, b: Any) -> Value:
        """The smaller of two integers."""
        return self.where(a < b, a, b)

    def most(self, a: Value, b: Any) -> Value:
        """The larger of two integers."""
        return self.where(a > b, a, b)

    def convert(self, x: Value, type_: str) -> Value:
        """A number in another type."""
        if x.type == type_:
            return x
        if _is_float(x.type) and _is_float(type_):
            operation = "fpext" if type_ == "double" else "fptrunc"
        elif _is_float(type_):
            operation = "uitofp" if x.type == "i1" else "sitofp"
        elif _is_float(x.type):
            operation = "fptosi"
        else:
            wider = int(type_[1:]) > int(x.type[1:])
            operation = ("zext" if x.type == "i1" else "sext") if wider else "trunc"
        return self.emit(f"{operation} {x.type} {x.name} to {type_}", type_)

    def multiply_add(self, a: Value, b: Value, c: Value) -> Value:
        """a * b + c, fused where the machine can."""
        t = c.type
        short = _SHORT[t] if t[0] != "<" else f"v{t[1:].split()[0]}{_SHORT[t.split()[-1].rstrip('>')]}"
        self.declared.add(f"declare {t} @llvm.fmuladd.{short}({t}, {t}, {t})")
        a, b = self.value(a, t), self.value(b, t)
        return self.emit(f"call {t} @llvm.fmuladd.{short}({t} {a.name}, {t} {b.name}, {t} {c.name})", t)

    def expression(self, function: Callable[..., Any], *values: Value) -> Value:
        """What a function of the kernel compiler's expressions makes of scalars: `tanh`, `sigmoid`, ..."""
        from ..compiler.expression import Expression
        from ..compiler.llvm import Block

        block = Block(self.fresh)
        result = function(*[Expression("named", _SHORT[v.type], v.name) for v in values])
        name = block.value(result)
        self.lines += block.lines
        self.expressions = True
        return Value(self, name, ELEMENT[result.type])

    def root(self, x: Value) -> Value:
        """The square root of a scalar."""
        self.declared.add(f"declare {x.type} @llvm.sqrt.{_SHORT[x.type]}({x.type})")
        return self.emit(f"call {x.type} @llvm.sqrt.{_SHORT[x.type]}({x.type} {x.name})", x.type)

    def shuffle(self, a: Value, b: Value, places: list[int]) -> Value:
        """Lanes of two vectors, those of the second counted on from the first's."""
        mask = ", ".join(f"i32 {n}" for n in places)
        element = a.type.split()[-1].rstrip(">")
        text = f"shufflevector {a.type} {a.name}, {b.type} {b.name}, <{len(places)} x i32> <{mask}>"
        return self.emit(text, vector(element, len(places)))

    def total(self, x: Value) -> Value:
        """The sum of a vector's lanes, pairwise."""
        while x.type[0] == "<":
            count = int(x.type[1:].split()[0])
            element = x.type.split()[-1].rstrip(">")
            if count == 1:
                return self.emit(f"extractelement {x.type} {x.name}, i64 0", element)
            parts = [self.shuffle(x, x, list(range(first, first + count // 2))) for first in (0, count // 2)]
            x = parts[0] + parts[1]
        return x

    # --- memory ----------------------------------------------------------------------------------------------------

    def at(self, pointer: Value, index: Any, type_: str) -> Value:
        """The address of an element."""
        return self.emit(f"getelementptr inbounds {type_}, ptr {pointer.name}, i64 {self.value(index).name}", "ptr")

    def load(self, type_: str, pointer: Value, index: Any = 0) -> Value:
        """An element; of a vector type, as many elements from the index on."""
        element = type_.split()[-1].rstrip(">")
        at = self.at(pointer, index, element)
        return self.emit(f"load {type_}, ptr {at.name}, align {SIZE.get(element, 8)}", type_)

    def store(self, x: Value, pointer: Value, index: Any = 0) -> None:
        """Writes an element, or the elements of a vector from the index on."""
        element = x.type.split()[-1].rstrip(">")
        at = self.at(pointer, index, element)
        self.lines.append(f"  store {x.type} {x.name}, ptr {at.name}, align {SIZE.get(element, 8)}")

    def give(self, x: Any) -> None:
        """What the function returns, at its end."""
        self.returned = f" {self.value(x, self.result).name}"

    def copy(self, to: Value, source: Value, count: Value) -> None:
        """Copies bytes."""
        self.declared.add("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
        self.lines.append(f"  call void @llvm.memcpy.p0.p0.i64(ptr {to.name}, ptr {source.name}, i64 {count.name}, i1 false)")

    def prefetch(self, pointer: Value) -> None:
        """Has the cache line at an address, which need not be valid, fetched for reading."""
        self.declared.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        self.lines.append(f"  call void @llvm.prefetch.p0(ptr {pointer.name}, i32 0, i32 3, i32 1)")

    def sum(self, a: Value, b: Value) -> Value:
        """a + b; integers wrap around."""
        return a + b if _is_float(a.type) else self.emit(f"add {a.type} {a.name}, {b.name}", a.type)

    def call(self, other: "Code", *values: Any) -> Value | None:
        """Calls another function of the module."""
        given = [self.value(v, t) for v, t in zip(values, other.parameters.values(), strict=True)]
        text = f"call {other.result} @{other.name}({', '.join(f'{v.type} {v.name}' for v in given)})"
        if other.result == "void":
            self.lines.append(f"  {text}")
            return None
        return self.emit(text, other.result)

    # --- flow ------------------------------------------------------------------------------------------------------

    def begin(self, label: str) -> None:
        self.lines.append(f"{label}:")
        self.label = label

    @contextmanager
    def loop(self, start: Any, stop: Any, step: Any = 1, short: bool = False) -> Iterator[Value]:
        """`for i in range(start, stop, step)`, the step positive. `short`: a loop of few turns, which is left as it is."""
        start, stop, step = self.value(start), self.value(stop), self.value(step)
        n = self.fresh("")
        self.lines.append(f"  br label %head{n}")
        before = self.label
        self.begin(f"head{n}")
        i = Value(self, f"%i{n}", "i64")
        self.lines += [
            f"  %i{n} = phi i64 [{start.name}, %{before}], [%next{n}, %latch{n}]",
            f"  %more{n} = icmp slt i64 %i{n}, {stop.name}",
            f"  br i1 %more{n}, label %body{n}, label %done{n}",
        ]
        self.begin(f"body{n}")
        yield i
        self.lines.append(f"  br label %latch{n}")
        self.begin(f"latch{n}")
        self.lines += [f"  %next{n} = add nsw i64 %i{n}, {step.name}", f"  br label %head{n}{', !llvm.loop !SHORT' if short else ''}"]
        self.begin(f"done{n}")

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """`if condition`."""
        n = self.fresh("")
        self.lines.append(f"  br i1 {condition.name}, label %then{n}, label %after{n}")
        self.begin(f"then{n}")
        yield
        self.lines.append(f"  br label %after{n}")
        self.begin(f"after{n}")

    def either(self, condition: Value, one: Callable[[], None], other: Callable[[], None]) -> None:
        """`if condition: one() else: other()`."""
        n = self.fresh("")
        self.lines.append(f"  br i1 {condition.name}, label %one{n}, label %other{n}")
        for branch, label in ((one, f"one{n}"), (other, f"other{n}")):
            self.begin(label)
            branch()
            self.lines.append(f"  br label %after{n}")
        self.begin(f"after{n}")

    def parallel(self, body: "Code", values: list[Value], count: Any, grain: Any) -> None:
        """Runs `body(values..., begin, end)` over ranges of [0, count) on all threads; see `compiler/threads.py`."""
        context = self.fresh("%m")
        self.stack.append(f"  {context} = alloca [{len(values)} x i64]")
        here = Value(self, context, "ptr")
        for i, v in enumerate(values):
            self.store(v, self.at(here, i, "i64"))
        outer = Code(f"{body.name}_range", context="ptr", begin="i64", end="i64")
        given, begin, end = outer.arguments
        outer.call(body, *[outer.load(v.type, outer.at(given, i, "i64")) for i, v in enumerate(values)], begin, end)
        self.functions.append(outer)
        self.declared.add("declare void @flambeau_parallel(ptr, ptr, i64, i64)")
        count, grain = self.value(count), self.value(grain)
        self.lines.append(f"  call void @flambeau_parallel(ptr @{outer.name}, ptr {context}, i64 {count.name}, i64 {grain.name})")

    @contextmanager
    def claimed(self, flags: Value, count: Any) -> Iterator[Value]:
        """The number of a slot below `count` that nobody else has meanwhile; `flags` are as many words, zero at first."""
        n = self.fresh("")
        count = self.value(count)
        self.lines.append(f"  br label %seek{n}")
        before = self.label
        self.begin(f"seek{n}")
        self.lines += [
            f"  %slot{n} = phi i64 [0, %{before}], [%wrapped{n}, %taken{n}]",
            f"  %flag{n} = getelementptr i64, ptr {flags.name}, i64 %slot{n}",
            f"  %pair{n} = cmpxchg ptr %flag{n}, i64 0, i64 1 seq_cst seq_cst",
            f"  %free{n} = extractvalue {{i64, i1}} %pair{n}, 1",
            f"  br i1 %free{n}, label %mine{n}, label %taken{n}",
            f"taken{n}:",
            f"  %after_slot{n} = add i64 %slot{n}, 1",
            f"  %wrapped{n} = srem i64 %after_slot{n}, {count.name}",
            f"  br label %seek{n}",
        ]
        self.begin(f"mine{n}")
        yield Value(self, f"%slot{n}", "i64")
        self.lines.append(f"  store atomic i64 0, ptr %flag{n} seq_cst, align 8")

    @contextmanager
    def unlocked(self) -> Iterator[None]:
        """Without Python's lock: other Python threads run meanwhile."""
        self.declared |= {"declare ptr @PyEval_SaveThread()", "declare void @PyEval_RestoreThread(ptr)"}
        state = self.emit("call ptr @PyEval_SaveThread()", "ptr")
        yield
        self.lines.append(f"  call void @PyEval_RestoreThread(ptr {state.name})")

    def text(self) -> str:
        """The function's IR. Functions stay apart: inlined into one another they take LLVM longer, and run no faster."""
        parameters = ", ".join(f"{t}{' noalias' if t == 'ptr' else ''} %{n}" for n, t in self.parameters.items())
        body = "\n".join([*self.stack, *self.lines])
        end = f"  ret {self.result}{self.returned}\n"
        return f"define internal {self.result} @{self.name}({parameters}) noinline {{\nentry:\n{body}\n{end}}}\n"


def kernel(name: str, main: Code, *others: Code) -> Callable[..., Any]:
    """The built-in function that calls `main` with the data pointers of ndarrays (`ptr`) and with Python floats (`double`).

    It returns its first argument, or the one whose number `main` returns (i64).
    """
    from ..compiler.jit import python_function

    loads, arguments = [], []
    for i, type_ in enumerate(main.parameters.values()):
        loads += [f"  %at{i} = getelementptr ptr, ptr %args, i64 {i}", f"  %o{i} = load ptr, ptr %at{i}",
                  f"  %data_at{i} = getelementptr i8, ptr %o{i}, i64 16", f"  %data{i} = load {type_}, ptr %data_at{i}"]  # fmt: skip
        arguments.append(f"{type_} %data{i}")
    entry = "\n".join(loads)
    number = "%number = " if main.result == "i64" else "%number = add i64 0, 0\n  "
    functions = [g for f in (*others, main) for g in (*f.functions, f)]
    prelude = ""
    if any(f.expressions for f in functions):
        from ..compiler.llvm import PRELUDE as prelude
    declared = "\n".join(sorted(d for d in set().union(*(f.declared for f in functions)) if f"{d}\n" not in prelude))
    bodies = "".join(f.text() for f in functions).split("!SHORT")
    text = "".join(f"{body}!{i + 3}" for i, body in enumerate(bodies[:-1])) + bodies[-1]
    marks = '!1 = !{!"llvm.loop.vectorize.enable", i1 false}\n!2 = !{!"llvm.loop.unroll.disable"}\n'
    marks += "".join(f"!{i} = distinct !{{!{i}, !1, !2}}\n" for i in range(3, len(bodies) + 2))
    ir = f"""{prelude}{declared}
{text}{marks}
define ptr @{name}(ptr %self, ptr %args, i64 %count) {{
{entry}
  {number}call {main.result} @{main.name}({", ".join(arguments)})
  %result_at = getelementptr ptr, ptr %args, i64 %number
  %result = load ptr, ptr %result_at
  %references = load i64, ptr %result
  %more = add i64 %references, 1
  store i64 %more, ptr %result
  ret ptr %result
}}
"""
    return python_function(ir, name)
