"""What a kernel is written in: scalar expressions, traced once by calling the kernel's Python function.

An expression is a node of a graph: an operation, a type (`f32`, `f64`, `i64`, `i1`) and arguments. Arithmetic and
comparison build new nodes; the functions below do the rest. Nothing here knows how a node is computed: see `llvm.py`.
Where there is no compiler, the files of kernels/ that call a kernel compute the same with NumPy.
"""

from typing import Any

RANK = {"i1": 0, "i64": 1, "f32": 2, "f64": 3}


class Expression:
    """One node: `operation`, `type`, and `arguments` (expressions or constants)."""

    __slots__ = ("operation", "type", "arguments")

    def __init__(self, operation: str, type_: str, *arguments: Any) -> None:
        self.operation = operation
        self.type = type_
        self.arguments = arguments

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


def _function(name: str) -> Any:
    def call(x: Expression) -> Expression:
        return Expression(name, x.type, x)

    call.__name__ = name
    return call


exp = _function("exp")
log = _function("log")
tanh = _function("tanh")
erf = _function("erf")
sqrt = _function("sqrt")
absolute = _function("abs")


def sigmoid(x: Expression) -> Expression:
    """1 / (1 + exp(-x))."""
    return 1.0 / (exp(-x) + 1.0)
