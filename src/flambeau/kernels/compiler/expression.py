"""What a kernel is written in: scalar expressions, traced once by calling the kernel's Python function.

An expression is a node of a graph: an operation, a type (`f32`, `f64`, `i32`, `i64`, `i1`) and arguments. Arithmetic and
comparison build new nodes; the functions below do the rest. Nothing here knows how a node is computed: see `llvm.py`.
Where there is no compiler, the files of kernels/ that call a kernel compute the same with NumPy.
"""

from typing import Any

RANK = {"i1": 0, "i32": 1, "i64": 2, "f32": 3, "f64": 4}


class Expression:
    """One node: `operation`, `type`, and `arguments` (expressions or constants)."""

    __slots__ = ("operation", "type", "arguments")

    def __init__(self, operation: str, type_: str, *arguments: Any) -> None:
        self.operation = operation
        self.type = type_
        self.arguments = arguments

    def __bool__(self) -> bool:
        raise TypeError("a kernel cannot branch on a value: use where()")

    def __add__(self, other: Any) -> "Expression":
        return binary("add", self, other)

    def __radd__(self, other: Any) -> "Expression":
        return binary("add", other, self)

    def __sub__(self, other: Any) -> "Expression":
        return binary("sub", self, other)

    def __rsub__(self, other: Any) -> "Expression":
        return binary("sub", other, self)

    def __mul__(self, other: Any) -> "Expression":
        return binary("mul", self, other)

    def __rmul__(self, other: Any) -> "Expression":
        return binary("mul", other, self)

    def __truediv__(self, other: Any) -> "Expression":
        return binary("div", self, other)

    def __rtruediv__(self, other: Any) -> "Expression":
        return binary("div", other, self)

    def __neg__(self) -> "Expression":
        return Expression("neg", self.type, self)

    def __lt__(self, other: Any) -> "Expression":
        return compare("lt", self, other)

    def __le__(self, other: Any) -> "Expression":
        return compare("le", self, other)

    def __gt__(self, other: Any) -> "Expression":
        return compare("gt", self, other)

    def __ge__(self, other: Any) -> "Expression":
        return compare("ge", self, other)

    def __and__(self, other: Any) -> "Expression":
        return binary("and", self, other)

    def __or__(self, other: Any) -> "Expression":
        return binary("or", self, other)

    def __xor__(self, other: Any) -> "Expression":
        return binary("xor", self, other)

    def __lshift__(self, other: Any) -> "Expression":
        return binary("shl", self, other)

    def __rshift__(self, other: Any) -> "Expression":
        """The sign goes along."""
        return binary("ashr", self, other)

    def equals(self, other: Any) -> "Expression":
        """Whether both are equal (`==` stays Python's, so that nodes can be keys)."""
        return compare("eq", self, other)


def constant(value: Any, type_: str) -> Expression:
    """A number of a type."""
    return Expression("constant", type_, value)


def _pair(a: Any, b: Any) -> tuple[Expression, Expression]:
    """Two operands of one type; a Python number takes the other's."""
    if not isinstance(a, Expression):
        a = constant(a, b.type)
    if not isinstance(b, Expression):
        b = constant(b, a.type)
    if a.type != b.type:
        if RANK[a.type] < RANK[b.type]:
            a = cast(a, b.type)
        else:
            b = cast(b, a.type)
    return a, b


def binary(operation: str, a: Any, b: Any) -> Expression:
    a, b = _pair(a, b)
    return Expression(operation, a.type, a, b)


def compare(operation: str, a: Any, b: Any) -> Expression:
    a, b = _pair(a, b)
    return Expression(operation, "i1", a, b)


def cast(x: Expression, type_: str) -> Expression:
    """The value in another type; a condition becomes 0 or 1."""
    return x if x.type == type_ else Expression("cast", type_, x)


def where(condition: Expression, a: Any, b: Any) -> Expression:
    """`a` where the condition holds, else `b`."""
    a, b = _pair(a, b)
    return Expression("select", a.type, condition, a, b)


def maximum(a: Any, b: Any) -> Expression:
    """The larger; NaN if either is."""
    return binary("maximum", a, b)


def minimum(a: Any, b: Any) -> Expression:
    """The smaller; NaN if either is."""
    return binary("minimum", a, b)


def fma(a: Any, b: Any, c: Any) -> Expression:
    """a * b + c with one rounding."""
    type_ = next(x.type for x in (a, b, c) if isinstance(x, Expression))
    return Expression("fma", type_, *[x if isinstance(x, Expression) else constant(x, type_) for x in (a, b, c)])


def multiply_add(a: Any, b: Any, c: Any) -> Expression:
    """a * b + c, with one rounding where that is as fast."""
    fused = fma(a, b, c)
    return Expression("fmuladd", fused.type, *fused.arguments)


def copysign(a: Any, b: Any) -> Expression:
    """The size of `a` with the sign of `b`."""
    return binary("copysign", a, b)


def rounded(x: Expression, stored: str) -> Expression:
    """The value as memory of a type would hold it: float16 and bfloat16 keep fewer digits than are computed."""
    return x if stored == x.type else Expression("rounded", x.type, x, stored)


def bitcast(x: Expression, type_: str) -> Expression:
    """The same bits as another type of the same size."""
    return Expression("bitcast", type_, x)


def shift_right(x: Expression, bits: int) -> Expression:
    """Zeros come in from the left."""
    return binary("lshr", x, bits)


def lookup(name: str, index: Expression) -> Expression:
    """An element of a table of 32 float32 numbers (`maths.tables.LOOKUPS`)."""
    return Expression(f"lookup:{name}", "f32", index)


def external(name: str, x: Expression, *more: Expression) -> Expression:
    """A function of the C library or an intrinsic of LLVM, for what has no better definition."""
    return Expression(f"external:{name}", x.type, x, *more)


def _function(name: str) -> Any:
    def call(x: Expression) -> Expression:
        return Expression(name, x.type, x)

    call.__name__ = name
    return call


def _function_of_two(name: str) -> Any:
    def call(a: Any, b: Any) -> Expression:
        return binary(name, a, b)

    call.__name__ = name
    return call


sqrt = _function("sqrt")
torch_sqrt = _function("torch_sqrt")
"""PyTorch's square root, which of float32 need not be rounded correctly: see `square_root.py`."""
absolute = _function("abs")
rint = _function("rint")
floor = _function("floor")
ceil = _function("ceil")
trunc = _function("trunc")

# What these stand for: see `maths/`.
exp = _function("exp")
exp2 = _function("exp2")
vector_exp = _function("vector_exp")
exp_of_negative = _function("exp_of_negative")
exp_plus_one = _function("exp_plus_one")
expm1 = _function("expm1")
log = _function("log")
log1p = _function("log1p")
vector_log = _function("vector_log")
vector_log1p = _function("vector_log1p")
vector_sigmoid = _function("vector_sigmoid")
vector_tanh = _function("vector_tanh")
log2 = _function("log2")
log10 = _function("log10")
sin = _function("sin")
cos = _function("cos")
tan = _function("tan")
asin = _function("asin")
acos = _function("acos")
atan = _function("atan")
sinh = _function("sinh")
cosh = _function("cosh")
tanh = _function("tanh")
asinh = _function("asinh")
acosh = _function("acosh")
atanh = _function("atanh")
sigmoid = _function("sigmoid")
log_sigmoid = _function("log_sigmoid")
softplus = _function("softplus")
erf = _function("erf")
erfc = _function("erfc")
erfinv = _function("erfinv")
rsqrt = _function("rsqrt")
gelu = _function("gelu")
gelu_slope = _function("gelu_slope")
lgamma = _function("lgamma")
digamma = _function("digamma")
power = _function_of_two("pow")
atan2 = _function_of_two("atan2")
