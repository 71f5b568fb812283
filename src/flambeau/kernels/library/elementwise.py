"""Element-wise operators of large arrays, and the transcendental functions of all."""

import math
from typing import Any, Callable

from ..compiler import Kernel
from ..compiler import expression as e
from ..compiler.launch import GRAIN

LIGHT = 1 << 16
"""One thread's share of the elements where little is computed with each."""


def unary(name: str, compute: Callable[[Any], Any], grain: int = GRAIN, result: str = "f") -> Kernel:
    """`out = compute(x)`; result: its type in memory, "f" where that is x's."""

    def build(row: Any, out: Any, x: Any) -> None:
        def body(i: Any) -> None:
            out[i] = compute(x[i])

        row.each(body)

    build.__name__ = name
    return Kernel(build, f"out:{result} x:f", 0, False, True, grain)


def _sqrt(row: Any, out: Any, x: Any) -> None:
    root = e.torch_sqrt if x.stored == "f32" else e.sqrt

    def body(i: Any) -> None:
        out[i] = root(x[i])

    row.each(body)


def condition(name: str, compute: Callable[[Any], Any]) -> Kernel:
    """`out = compute(x)`, whether something is so."""
    return unary(name, compute, LIGHT, "i1")


def periodic(name: str) -> Kernel:
    """sin, cos or tan: where all numbers of a stretch are below 2^30, which is nearly always, without what the others need."""

    def build(row: Any, out: Any, x: Any) -> None:
        def bounded(i: Any) -> None:
            out[i] = e.Expression(f"bounded_{name}", out.type, x[i])

        def unbounded(i: Any) -> None:
            out[i] = e.Expression(name, out.type, x[i])

        huge = row.once(row.max(lambda i: e.absolute(x[i])) >= 2.0**30)
        row.each(unbounded, huge)
        row.each(bounded, huge ^ True)

    build.__name__ = name
    return Kernel(build, "out:f x:f", 0, False, True, GRAIN)


def binary(name: str, compute: Callable[[Any, Any], Any], result: str = "f", grain: int = LIGHT) -> tuple[Kernel, Kernel, Kernel]:
    """`out = compute(x, y)` of two arrays, of an array and a number, and of a number and an array."""

    def arrays(row: Any, out: Any, x: Any, y: Any) -> None:
        def body(i: Any) -> None:
            out[i] = compute(x[i], y[i])

        row.each(body)

    def number_behind(row: Any, out: Any, x: Any, y: Any) -> None:
        def body(i: Any) -> None:
            out[i] = compute(x[i], y)

        row.each(body)

    def number_before(row: Any, out: Any, y: Any, x: Any) -> None:
        def body(i: Any) -> None:
            out[i] = compute(x, y[i])

        row.each(body)

    arrays.__name__, number_behind.__name__, number_before.__name__ = name, f"{name}_number", f"number_{name}"
    return (
        Kernel(arrays, f"out:{result} x:f y:f", 0, False, True, grain),
        Kernel(number_behind, f"out:{result} x:f", 1, False, True, grain),
        Kernel(number_before, f"out:{result} y:f", 1, False, True, grain),
    )


def rounding(name: str, compute: Callable[..., Any], numbers: bool = False, grain: int = LIGHT) -> tuple[Kernel, Kernel, Kernel]:
    """`binary` of `compute(x, y, rounded)`: see `division`. numbers: whether steps are rounded beside a number, too."""

    def version(of: Callable[..., Callable[[Any], Any]], label: str, parameters: str, count: int) -> Kernel:
        def build(row: Any, out: Any, *operands: Any) -> None:
            stored = out.stored if numbers or not count else out.type

            def body(i: Any) -> None:
                out[i] = compute(*of(*operands)(i), lambda value: e.rounded(value, stored))

            row.each(body)

        build.__name__ = label
        return Kernel(build, parameters, count, False, True, grain)

    return (
        version(lambda x, y: lambda i: (x[i], y[i]), name, "out:f x:f y:f", 0),
        version(lambda x, y: lambda i: (x[i], y), f"{name}_number", "out:f x:f", 1),
        version(lambda y, x: lambda i: (x, y[i]), f"number_{name}", "out:f y:f", 1),
    )


def division(name: str, rest: Callable[..., Any]) -> tuple[Kernel, Kernel, Kernel]:
    """`binary` of what is left of x divided by y: exact, by a fused product where all quotients of a stretch are small, else by the
    C library. `rest(r, x, y, rounded)` makes the result of fmod(x, y); `rounded` is what half precision makes of a step on the way, where
    no operand is a number."""

    def loops(row: Any, out: Any, x: Callable[[Any], Any], y: Callable[[Any], Any], stored: str) -> None:
        def rounded(value: Any) -> Any:
            return e.rounded(value, stored)

        def quick(i: Any) -> None:
            a, b = x(i), y(i)
            size, unit = e.absolute(a), e.absolute(b)
            r = e.fma(-e.trunc(size / unit), unit, size)
            r = e.where(r < 0.0, r + unit, r)  # the quotient was rounded up to a whole number
            r = e.where(unit.equals(math.inf), e.where(size < math.inf, size, math.nan), r)
            out[i] = rest(e.copysign(r, a), a, b, rounded)

        def slow(i: Any) -> None:
            a, b = x(i), y(i)
            out[i] = rest(e.binary("rem", a, b), a, b, rounded)

        huge = row.once(row.max(lambda i: e.absolute(x(i)) / e.absolute(y(i))) >= 2.0**22)
        row.each(slow, huge)
        row.each(quick, huge ^ True)

    def arrays(row: Any, out: Any, x: Any, y: Any) -> None:
        loops(row, out, lambda i: x[i], lambda i: y[i], out.stored)

    def number_behind(row: Any, out: Any, x: Any, y: Any) -> None:
        loops(row, out, lambda i: x[i], lambda i: y, out.type)

    def number_before(row: Any, out: Any, y: Any, x: Any) -> None:
        loops(row, out, lambda i: x, lambda i: y[i], out.type)

    arrays.__name__, number_behind.__name__, number_before.__name__ = name, f"{name}_number", f"number_{name}"
    return (
        Kernel(arrays, "out:f x:f y:f", 0, False, True, LIGHT),
        Kernel(number_behind, "out:f x:f", 1, False, True, LIGHT),
        Kernel(number_before, "out:f y:f", 1, False, True, LIGHT),
    )


def _with_sign_of_divisor(r: Any, x: Any, y: Any, rounded: Any) -> Any:
    """The remainder that lies between 0 and y; 0 has the sign of x."""
    opposite = e.where(y < 0.0, e.constant(1.0, r.type), -1.0) * r > 0.0
    return e.where(opposite, r + y, r)


def _whole_quotient(r: Any, x: Any, y: Any, rounded: Any) -> Any:
    """The quotient rounded down, by what the division leaves, as Python's `//` has it; of 0 the plain quotient."""
    plain = rounded(x / y)
    quotient = rounded(rounded(x - r) / y)
    opposite = e.where(y < 0.0, e.constant(1.0, r.type), -1.0) * r > 0.0
    quotient = e.where(opposite, rounded(quotient - 1.0), quotient)
    whole = e.floor(quotient)
    whole = e.where(quotient - whole > 0.5, rounded(whole + 1.0), whole)
    whole = e.where(quotient.equals(0.0), e.copysign(e.constant(0.0, r.type), plain), whole)
    return e.where(y.equals(0.0), plain, whole)


def _whole(x: Any) -> Any:
    return e.copysign(e.trunc(x), x)


def _product_or_zero(x: Any, y: Any, log: Any) -> Any:
    """x times the logarithm of what y is, 0 where x is 0 unless y is NaN."""
    return e.where(x.equals(0.0) & y.equals(y), e.constant(0.0, x.type), x * log)


def _exact_log(x: Any) -> Any:
    """The logarithm of float32 by that of float64: nearly always the nearest number, as from the C library, which PyTorch calls."""
    return e.cast(e.log(e.cast(x, "f64")), x.type)


def _entropy(x: Any) -> Any:
    """-x log(x), 0 at 0 and minus infinity below."""
    others = e.where(x.equals(0.0), e.constant(0.0, x.type), e.where(x.equals(x), -math.inf, x))
    return e.where(x > 0.0, -x * _exact_log(x), others)


def _next_after(x: Any, y: Any) -> Any:
    """The neighbour of x on the way to y: the next pattern of bits, away from 0 or towards it."""
    whole = "i32" if x.type == "f32" else "i64"
    away = (x < y) ^ (x > 0.0) ^ True
    moved = e.bitcast(e.bitcast(x, whole) + e.where(away, e.constant(1, whole), -1), x.type)
    least = e.copysign(e.constant(2.0**-149 if x.type == "f32" else 2.0**-1074, x.type), y)
    found = e.where(x.equals(y), y, e.where(x.equals(0.0), least, moved))
    return e.where(x.equals(x) & y.equals(y), found, x + y)


def log_of_sum(x: Any, y: Any) -> Any:
    """log(exp(x) + exp(y))."""
    larger, smaller = _larger(x, y), _smaller(x, y)
    rest = e.log1p(e.exp(smaller - larger))
    return e.where(x.equals(y), x + math.log(2), larger + rest)


def _log2_of_sum(x: Any, y: Any) -> Any:
    """log2(2^x + 2^y)."""
    larger, smaller = _larger(x, y), _smaller(x, y)
    rest = e.log1p(e.exp2(smaller - larger)) * (1 / math.log(2))
    return e.where(x.equals(y), x + 1.0, larger + rest)


def _hypotenuse(x: Any, y: Any) -> Any:
    """sqrt(x^2 + y^2) without overflow on the way; infinity if either is, even beside NaN."""
    a, b = e.absolute(x), e.absolute(y)
    if x.type == "f32":
        wide, high = e.cast(a, "f64"), e.cast(b, "f64")
        result = e.cast(e.sqrt(e.fma(wide, wide, high * high)), "f32")
    else:
        larger = e.where(a > b, a, b)
        factor = e.where(larger > 2.0**500, 2.0**-600, e.where(larger < 2.0**-400, e.constant(2.0**600, "f64"), 1.0))
        inverse = e.where(larger > 2.0**500, 2.0**600, e.where(larger < 2.0**-400, e.constant(2.0**-600, "f64"), 1.0))
        result = e.sqrt(e.fma(a * factor, a * factor, (b * factor) * (b * factor))) * inverse
    return e.where(a.equals(math.inf), math.inf, e.where(b.equals(math.inf), math.inf, result))


def _larger(x: Any, y: Any) -> Any:
    """The second of two equal ones (0 and -0), as the CPU's own instruction has it; NaN if either is."""
    return e.where(x > y, x, e.where(x.equals(x), y, x))


def _smaller(x: Any, y: Any) -> Any:
    return e.where(x < y, x, e.where(x.equals(x), y, x))


add = binary("add", lambda x, y: x + y)
subtract = binary("subtract", lambda x, y: x - y)
multiply = binary("multiply", lambda x, y: x * y)
divide = binary("divide", lambda x, y: x / y)
maximum = binary("maximum", _larger)
minimum = binary("minimum", _smaller)
equal = binary("equal", lambda x, y: x.equals(y), "i1")
not_equal = binary("not_equal", lambda x, y: e.compare("ne", x, y), "i1")
less = binary("less", lambda x, y: x < y, "i1")
less_equal = binary("less_equal", lambda x, y: x <= y, "i1")
greater = binary("greater", lambda x, y: x > y, "i1")
greater_equal = binary("greater_equal", lambda x, y: x >= y, "i1")
logical_and = binary("logical_and", lambda x, y: e.compare("ne", x, 0.0) & e.compare("ne", y, 0.0), "i1")
logical_or = binary("logical_or", lambda x, y: e.compare("ne", x, 0.0) | e.compare("ne", y, 0.0), "i1")
logical_xor = binary("logical_xor", lambda x, y: e.compare("ne", x, 0.0) ^ e.compare("ne", y, 0.0), "i1")
fmax = binary("fmax", lambda x, y: e.where(x > y, x, e.where(y.equals(y), y, x)))
fmin = binary("fmin", lambda x, y: e.where(x < y, x, e.where(y.equals(y), y, x)))
power = binary("power", e.power, grain=GRAIN)
arctan2 = binary("arctan2", e.atan2, grain=GRAIN)
fmod = division("fmod", lambda r, x, y, rounded: r)
remainder = division("remainder", _with_sign_of_divisor)
floor_divide = division("floor_divide", _whole_quotient)
trunc_divide = rounding("trunc_divide", lambda x, y, rounded: _whole(rounded(x / y)))
xlogy = rounding("xlogy", lambda x, y, rounded: _product_or_zero(x, y, rounded(e.log(y))), True, GRAIN)
xlog1py = rounding("xlog1py", lambda x, y, rounded: _product_or_zero(x, y, rounded(e.log1p(y))), True, GRAIN)
xlogy_single = binary("xlogy_single", lambda x, y: _product_or_zero(x, y, _exact_log(y)), grain=GRAIN)
logaddexp = binary("logaddexp", log_of_sum, grain=GRAIN)
logaddexp2 = binary("logaddexp2", _log2_of_sum, grain=GRAIN)
hypot = binary("hypot", _hypotenuse, grain=GRAIN)
copysign = binary("copysign", e.copysign)

nextafter = binary("nextafter", _next_after)
entr = unary("entr", _entropy)
for _kernel in (*nextafter, *xlogy_single, entr):
    _kernel.halves = False  # their neighbours are others

negative = unary("negative", lambda x: -x, LIGHT)
absolute = unary("absolute", e.absolute, LIGHT)
square = unary("square", lambda x: x * x, LIGHT)
cube = unary("cube", lambda x: x * x * x, LIGHT)
reciprocal = unary("reciprocal", lambda x: 1.0 / x, LIGHT)
sqrt = Kernel(_sqrt, "out:f x:f", 0, False, True, LIGHT)
exact_sqrt = unary("exact_sqrt", e.sqrt, LIGHT)
sign = unary("sign", lambda x: e.where(x > 0.0, e.constant(1.0, x.type), e.where(x < 0.0, e.constant(-1.0, x.type), 0.0)), LIGHT)
# LLVM would round float16 as such, one by one, if it did not see the sign put back.
floor = unary("floor", lambda x: e.copysign(e.floor(x), x), LIGHT)
ceil = unary("ceil", lambda x: e.copysign(e.ceil(x), x), LIGHT)
trunc = unary("trunc", lambda x: e.copysign(e.trunc(x), x), LIGHT)
rint = unary("rint", lambda x: e.copysign(e.rint(x), x), LIGHT)
frac = unary("frac", lambda x: x - e.trunc(x), LIGHT)

angle = unary("angle", lambda x: e.where(x < 0.0, e.constant(math.pi, x.type), e.where(x.equals(x), e.constant(0.0, x.type), x)), LIGHT)
isnan = condition("isnan", lambda x: e.compare("ne", x, x))
isinf = condition("isinf", lambda x: e.absolute(x).equals(math.inf))
isfinite = condition("isfinite", lambda x: e.absolute(x) < math.inf)
signbit = condition("signbit", lambda x: e.copysign(e.constant(1.0, x.type), x) < 0.0)

exp = unary("exp", e.exp)
exp2 = unary("exp2", e.exp2)
expm1 = unary("expm1", e.expm1)
log = unary("log", e.log)
log1p = unary("log1p", e.log1p)
log2 = unary("log2", e.log2)
log10 = unary("log10", e.log10)
sin = periodic("sin")
cos = periodic("cos")
tan = periodic("tan")
arcsin = unary("arcsin", e.asin)
arccos = unary("arccos", e.acos)
arctan = unary("arctan", e.atan)
sinh = unary("sinh", e.sinh)
cosh = unary("cosh", e.cosh)
tanh = unary("tanh", e.tanh)
arcsinh = unary("arcsinh", e.asinh)
arccosh = unary("arccosh", e.acosh)
arctanh = unary("arctanh", e.atanh)
sigmoid = unary("sigmoid", e.sigmoid)
rsqrt = unary("rsqrt", lambda x: 1.0 / e.sqrt(x), LIGHT)


def _where(row: Any, out: Any, condition: Any, x: Any, y: Any) -> None:
    def body(i: Any) -> None:
        out[i] = e.where(condition[i], x[i], y[i])

    row.each(body)


def _where_else_number(row: Any, out: Any, condition: Any, x: Any, y: Any) -> None:
    def body(i: Any) -> None:
        out[i] = e.where(condition[i], x[i], y)

    row.each(body)


def _where_number(row: Any, out: Any, condition: Any, y: Any, x: Any) -> None:
    def body(i: Any) -> None:
        out[i] = e.where(condition[i], x, y[i])

    row.each(body)


where = Kernel(_where, "out:f condition:i1 x:f y:f", 0, False, True, LIGHT)
where_else_number = Kernel(_where_else_number, "out:f condition:i1 x:f", 1, False, True, LIGHT)
where_number = Kernel(_where_number, "out:f condition:i1 y:f", 1, False, True, LIGHT)


def _held(value: Any, low: Any, high: Any) -> Any:
    """Not below `low`, then not above `high`; NaN if any is."""
    return _smaller(_larger(value, low), high)


def _clamp(row: Any, out: Any, x: Any, low: Any, high: Any) -> None:
    def body(i: Any) -> None:
        value = x[i]
        value = e.where(value < low, low, value)
        out[i] = e.where(value > high, high, value)

    row.each(body)


clamp = Kernel(_clamp, "out:f x:f", 2, False, True, LIGHT)


def _sigmoid_backward(row: Any, out: Any, grad: Any, y: Any) -> None:
    def body(i: Any) -> None:
        out[i] = grad[i] * (1.0 - y[i]) * y[i]

    row.each(body)


def _tanh_backward(row: Any, out: Any, grad: Any, y: Any) -> None:
    def body(i: Any) -> None:
        out[i] = grad[i] * e.multiply_add(-y[i], y[i], 1.0)

    row.each(body)


sigmoid_backward = Kernel(_sigmoid_backward, "out:f grad:f y:f", 0, False, True, LIGHT)
tanh_backward = Kernel(_tanh_backward, "out:f grad:f y:f", 0, False, True, LIGHT)


def of_several(name: str, compute: Callable[..., Any], arrays: int, numbers: int, grain: int = LIGHT, steps: bool = False) -> Kernel:
    """`out = compute(x, ..., number, ...)`. `steps`: a last argument `rounded` is what half precision makes of a step on the way."""

    def build(row: Any, out: Any, *operands: Any) -> None:
        more = (lambda value: e.rounded(value, out.stored),) if steps else ()

        def body(i: Any) -> None:
            out[i] = compute(*[x[i] for x in operands[:arrays]], *operands[arrays:], *more)

        row.each(body)

    build.__name__ = name
    return Kernel(build, " ".join(["out:f", *[f"x{i}:f" for i in range(arrays)]]), numbers, False, True, grain)


clamp_between = of_several("clamp_between", _held, 3, 0)
add_scaled = of_several("add_scaled", lambda x, y, alpha: e.multiply_add(y, alpha, x), 2, 1)
add_product = of_several("add_product", lambda x, a, b, value: e.multiply_add(a * value, b, x), 3, 1)
add_quotient = of_several("add_quotient", lambda x, a, b, value: x + a * value / b, 3, 1)


def _lerp(x: Any, end: Any, weight: Any) -> Any:
    near = e.absolute(weight) < 0.5
    return e.multiply_add(end - x, e.where(near, weight, weight - 1.0), e.where(near, x, end))


lerp = of_several("lerp", _lerp, 2, 1)
lerp_between = of_several("lerp_between", _lerp, 3, 0)


def _finite_only(x: Any, nan: Any, posinf: Any, neginf: Any) -> Any:
    return e.where(x.equals(x), e.where(x.equals(math.inf), posinf, e.where(x.equals(-math.inf), neginf, x)), nan)


nan_to_num = of_several("nan_to_num", _finite_only, 1, 3)
