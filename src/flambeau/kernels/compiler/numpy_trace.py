"""What a kernel does, as a list of steps over whole arrays: the first half of the NumPy lowering (see `numpy_lowering.py`)."""

import math
import operator
from typing import Any, Callable

import numpy as np

from ...core.dtype import OF_NUMPY, SCALAR_NAMES
from .expression import Expression, absolute, erf, exp, log1p, maximum, minimum, sqrt
from .llvm import Array

DTYPES: dict[str, Any] = {
    "f32": np.dtype(np.float32), "f64": np.dtype(np.float64), "i32": np.dtype(np.int32), "i64": np.dtype(np.int64),
    "i1": np.dtype(np.bool_), "c64": np.dtype(np.complex64), "c128": np.dtype(np.complex128),
}  # fmt: skip
"""The dtypes of values, by what the compiler calls them."""

UFUNCS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "div": "divide", "neg": "negative", "rem": "fmod", "abs": "absolute",
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal", "ne": "not_equal",
    "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "shl": "left_shift", "ashr": "right_shift",
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh",
    "atan2": "arctan2", "pow": "power", "torch_sqrt": "sqrt", "bounded_sin": "sin", "bounded_cos": "cos", "bounded_tan": "tan",
    "vector_exp": "exp", "vector_log": "log", "vector_log1p": "log1p", "vector_tanh": "tanh", "exp_of_negative": "exp",
    **{name: name for name in (
        "maximum", "minimum", "sqrt", "rint", "floor", "ceil", "trunc", "copysign", "exp", "exp2", "expm1", "log", "log1p", "log2",
        "log10", "sin", "cos", "tan", "sinh", "cosh", "tanh",
    )},
}  # fmt: skip
"""Which ufunc computes a node."""

ORDERED = frozenset(("lt", "le", "gt", "ge", "maximum", "minimum", "fmax"))
"""What complex numbers have not."""

DEFINITIONS: dict[str, Callable[..., Expression]] = {
    "sigmoid": lambda x: 1.0 / (exp(-x) + 1.0),
    "vector_sigmoid": lambda x: 1.0 / (exp(-x) + 1.0),
    "exp_plus_one": lambda x: exp(x) + 1.0,
    "log_sigmoid": lambda x: minimum(x, 0.0) - log1p(exp(-absolute(x))),
    "softplus": lambda x: maximum(x, 0.0) + log1p(exp(-absolute(x))),
    "rsqrt": lambda x: 1.0 / sqrt(x),
    "gelu": lambda x: x * 0.5 * (erf(x * math.sqrt(0.5)) + 1.0),
    "gelu_slope": lambda x: (erf(x * math.sqrt(0.5)) + 1.0) * 0.5 + x * exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi)),
    "fmuladd": lambda a, b, c: a * b + c,
}
"""What nodes stand for that NumPy has no ufunc for."""


class Value:
    """What a step computes. form: "all" elements, one per "row", one row that is "shared", or "one" number."""

    __slots__ = ("type", "form", "name", "owned", "last")

    def __init__(self, type_: str, form: str, name: str = "", owned: bool = False) -> None:
        self.type = type_
        self.form = form
        self.name = name  # of the array, constant or variable, once it is known
        self.owned = owned  # whether it is a buffer that a later step may use again
        self.last = -1  # the last step that reads it


class Step:
    """One line of the function: `result = code(operands)`; `target` names the array whose memory takes the result."""

    __slots__ = ("kind", "result", "operands", "detail", "target")

    def __init__(self, kind: str, result: Value | None, operands: list[Value], detail: Any = None) -> None:
        self.kind = kind
        self.result = result
        self.operands = operands
        self.detail = detail
        self.target = ""

    def in_place(self) -> bool:
        """Whether the line can write its result into memory that it is given."""
        return self.kind == "ufunc" or self.kind == "select" and self.operands[0].form == "all"


class Trace:
    """The Row (see `llvm.py`) that a kernel is traced with for this lowering: what it does becomes a list of steps.

    numbers: the values of the kernel's numbers in this call, by which conditions on them are decided.
    """

    along_lanes = True

    def __init__(self, name: str, over: str, numbers: list[Any]) -> None:
        self.name = name
        self.over = over  # "rows", "channels" or (all) "elements"
        self.numbers = numbers
        self.steps: list[Step] = []
        self.known: dict[Expression, Value] = {}
        self.numbered: dict[Any, Value] = {}  # equal computations are done once
        self.stores: dict[str, int] = {}
        self.arrays: dict[str, Array] = {}
        self.read: set[str] = set()  # arrays whose first contents matter
        self.constants: dict[str, Any] = {}
        self.decisions: list[tuple[Value, bool]] = []
        self.index = Expression("index", "i64")
        self.when: Value | None = None

    # What kernels call

    def load(self, array: Array, index: Expression) -> Expression:
        return Expression("load", array.type, array) if index is self.index else Expression("pick", array.type, array, index)

    def store(self, array: Array, index: Expression, value: Any) -> None:
        if array.layout == "partial":
            self._add_to(array, value)
            self._forget(array)
            return
        found = self._stored(array, value)
        if index is not self.index:
            self._emit("put", None, [self.value(index), found], array.pointer)
        elif self.when is not None:
            self._emit("copy", None, [found, self.when], array.pointer)
        else:
            last = self.steps[-1] if self.steps else None
            fits = array.stored == array.type and found.form == "all"
            if last is not None and last.result is found and last.in_place() and fits and not last.target:
                last.target = array.pointer
            else:
                self._emit("copy", None, [found], array.pointer)
        self._forget(array)

    set = store

    def once(self, x: Expression) -> Expression:
        self.value(x)
        return x

    def put(self, array: Array, value: Any) -> None:
        found = self._stored(array, value)
        maker = next((s for s in self.steps if s.result is found and s.kind == "ufunc"), None)
        unused = array.pointer not in self.read and array.pointer not in self.stores
        if maker is not None and not maker.target and found.form == "row" and array.stored == array.type and unused:
            maker.target = array.pointer
        else:
            self._emit("copy", None, [found], array.pointer)
        self._forget(array)

    def get(self, array: Array) -> Expression:
        return self.once(Expression("load", array.type, array))

    def pick(self, array: Array, index: Expression) -> Expression:
        return self.once(Expression("pick", array.type, array, index))

    def each(self, body: Callable[[Expression], Any], when: Expression | None = None) -> None:
        self.when = None if when is None else self.value(when)
        body(self.index)
        self.when = None

    def sum(self, body: Callable[[Expression], Expression]) -> Expression:
        x = body(self.index)
        if self.over != "elements" and x.operation == "mul" and x.type[0] == "f" and x not in self.known:
            a, b = [self.value(y) for y in x.arguments]
            if "all" in (a.form, b.form) and {a.form, b.form} <= {"all", "shared"}:
                return self._named(self._emit("dot", Value(self._sum_type(x), "row"), [a, b]))
        return self._reduced(x, "add")

    lane_sum = sum

    def lane_dot(self, body: Callable[[Expression], tuple[Expression, Expression]]) -> Expression:
        return self.sum(lambda i: operator.mul(*body(i)))

    def sums(self, *bodies: Callable[[Expression], Expression]) -> list[Expression]:
        return [self.sum(body) for body in bodies]

    each_lane = each

    def _sum_type(self, x: Expression) -> str:
        return "f64" if self.over == "channels" else x.type

    def max(self, body: Callable[[Expression], Expression]) -> Expression:
        return self._reduced(body(self.index), "fmax")

    def fold(self, body: Callable[[Expression], Expression], combine: str) -> Expression:
        return self._reduced(body(self.index), "add" if combine == "sum" else combine)

    def first(self, condition: Callable[[Expression], Expression]) -> Expression:
        beyond = Expression("constant", "i64", 1 << 62)
        return self._reduced(Expression("select", "i64", condition(self.index), self.index, beyond), "minimum")

    # Expressions into steps

    def value(self, x: Expression) -> Value:
        found = self.known.get(x)
        if found is None:
            found = self.known[x] = self._compute(x)
        return found

    def _compute(self, x: Expression) -> Value:
        operation, t = x.operation, x.type
        if operation == "number":
            return Value(t, "one", x.arguments[0])
        if operation == "constant":
            return self._constant(x.arguments[0], t)
        if operation == "index":
            return self._shared(("index",), "index", Value(t, "shared"), [])
        if operation in ("load", "pick"):
            return self._loaded(x)
        if operation in DEFINITIONS:
            return self.value(DEFINITIONS[operation](*x.arguments))
        if operation == "select":
            condition = self.value(x.arguments[0])
            if condition.form == "one":
                return self.value(x.arguments[1 if self._decide(condition) else 2])
        if operation == "rounded":
            operand = self.value(x.arguments[0])
            stored = x.arguments[1]
            return self._shared((operation, stored, id(operand)), operation, Value(t, operand.form), [operand], stored)
        operands = [self.value(a) for a in x.arguments]
        if operation in ORDERED:
            self._refuse_complex(operands[0])
        form = operands[0].form
        for o in operands[1:]:
            form = o.form if form in ("one", o.form) else form if o.form == "one" else "all"
        kind, detail = operation, None
        if operation in UFUNCS:
            kind, detail = "ufunc", UFUNCS[operation]
        elif operation not in ("select", "cast", "fma", "bitcast"):
            kind, detail = "function", operation
        return self._shared((detail or operation, t, *map(id, operands)), kind, Value(t, form), operands, detail)

    def _shared(self, key: Any, kind: str, result: Value, operands: list[Value], detail: Any = None) -> Value:
        """The value of a step that computes the same as an earlier one, or of a new step."""
        found = self.numbered.get(key)
        if found is None:
            found = self.numbered[key] = self._emit(kind, result, operands, detail)
        return found

    def _emit(self, kind: str, result: Any, operands: list[Value], detail: Any = None) -> Any:
        self.steps.append(Step(kind, result, operands, detail))
        return result

    def _named(self, value: Value) -> Expression:
        x = Expression("named", value.type)
        self.known[x] = value
        return x

    def _constant(self, number: Any, type_: str) -> Value:
        key = ("constant", type_, repr(number))
        found = self.numbered.get(key)
        if found is None:
            name = f"c{len(self.constants)}"
            self.constants[name] = np.asarray(number, DTYPES[type_])
            found = self.numbered[key] = Value(type_, "one", name)
        return found

    def _loaded(self, x: Expression) -> Value:
        array, place = x.arguments[0], x.arguments[1:]
        if array.pointer not in self.stores:
            self.read.add(array.pointer)
        key = ("load", array.pointer, self.stores.get(array.pointer, 0))
        if place:
            index = self.value(place[0])
            return self._shared((*key, id(index)), "pick", Value(x.type, "row"), [index], (array.pointer, array.stored != array.type))
        form = {"row": "row", "shared": "shared"}.get(array.layout, "all")
        if array.stored == array.type:
            found = self.numbered.get(key)
            if found is None:
                found = self.numbered[key] = Value(x.type, form, array.pointer)
            return found
        return self._shared(key, "cast", Value(x.type, form), [Value(array.stored, form, array.pointer)])

    def _stored(self, array: Array, value: Any) -> Value:
        if array.layout in ("shared", "cycle"):
            raise NotImplementedError("a kernel that writes to a row that others share")
        if not isinstance(value, Expression):
            value = Expression("constant", array.type, value)
        return self.value(value if value.type == array.type else Expression("cast", array.type, value))

    def _forget(self, array: Array) -> None:
        """What was loaded from this array before must be loaded again."""
        self.stores[array.pointer] = self.stores.get(array.pointer, 0) + 1
        for x in [x for x in self.known if x.operation in ("load", "pick") and x.arguments[0] is array]:
            del self.known[x]

    def _add_to(self, array: Array, value: Any) -> None:
        """`array[i] = array[i] + x` of an array with a row for each chunk: the sum of x over the rows."""
        before = value.arguments[0] if value.operation == "add" else None
        if before is None or before.operation != "load" or before.arguments[0] is not array:
            raise NotImplementedError("a row for each chunk of rows is only added to")
        term = value.arguments[1]
        self._emit("add", None, [self.value(term)], array.pointer)

    def _refuse_complex(self, operand: Value) -> None:
        if operand.type[0] == "c":
            raise unimplemented(f"{self.name}_cpu", DTYPES[operand.type])

    def _reduced(self, x: Expression, ufunc: str) -> Expression:
        operand = self.value(x)
        if ufunc in ORDERED:
            self._refuse_complex(operand)
        if operand.form != "all":
            raise NotImplementedError("a reduction of what is no whole row")
        return self._named(self._shared((ufunc, id(operand)), "reduce", Value(self._sum_type(x), "row"), [operand], ufunc))

    def _decide(self, condition: Value) -> bool:
        for decided, held in self.decisions:
            if decided is condition:
                return held
        values = {f"n{i}": n for i, n in enumerate(self.numbers)}
        values.update(self.constants)
        computed: dict[int, Any] = {}

        def of(v: Value) -> Any:
            return computed[id(v)] if id(v) in computed else values[v.name]

        for step in self.steps:
            if step.result is not None and step.result.form == "one" and step.kind == "ufunc":
                computed[id(step.result)] = getattr(np, step.detail)(*map(of, step.operands))
            elif step.result is not None and step.result.form == "one" and step.kind == "cast":
                computed[id(step.result)] = DTYPES[step.result.type].type(of(step.operands[0]))
        held = bool(of(condition))
        self.decisions.append((condition, held))
        return held


def unimplemented(name: str, dtype: Any) -> Exception:
    """PyTorch's error for a dtype that a kernel does not take."""
    return NotImplementedError(f"\"{name}\" not implemented for '{SCALAR_NAMES[OF_NUMPY[dtype]]}'")
