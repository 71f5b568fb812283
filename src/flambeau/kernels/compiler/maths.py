"""The transcendental functions, written in expressions: `FUNCTIONS[name](x)` says what a node of that name stands for.

Each is one polynomial or rational function behind an exact reduction of its argument, without branches, so that a loop over
it is vectorised: LLVM would call the C library once for each lane.
"""

from typing import Any, Callable

from .expression import Expression, absolute, bitcast, cast, external, fma, maximum, minimum, rint, where


def polynomial(x: Expression, coefficients: tuple[float, ...]) -> Any:
    """Horner's scheme, the highest power first."""
    result: Any = coefficients[0]
    for c in coefficients[1:]:
        result = fma(result, x, c)
    return result


def exp(x: Expression) -> Expression:
    """exp by reduction to |r| <= ln(2) / 2 and the polynomial of Cephes' expf; 2^n in two factors, so that subnormal
    results and infinity come out."""
    if x.type == "f64":
        return external("llvm.exp.f64", x)
    x = maximum(minimum(x, 89.0), -104.5)
    n = rint(x * 1.44269504088896341)
    r = fma(n, -0.693359375, x)
    r = fma(n, 2.12194440e-4, r)
    p = polynomial(r, (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1))
    p = fma(p, r * r, r) + 1.0
    whole = cast(n, "i32")
    half = whole >> 1
    for power in (half, whole - half):
        p = p * bitcast((power + 127) << 23, "f32")
    return p


def log(x: Expression) -> Expression:
    """By the C library."""
    return external(f"llvm.log.{x.type}", x)


def tanh(x: Expression) -> Expression:
    """A rational function of degree 13 / 6 on [-7.99, 7.99] (the coefficients are Eigen's)."""
    if x.type == "f64":
        return external("llvm.tanh.f64", x)
    c = maximum(minimum(x, 7.99881172180175781), -7.99881172180175781)
    square = c * c
    p = polynomial(
        square,
        (-2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08, 1.48572235717979e-05,
         6.37261928875436e-04, 4.89352455891786e-03),
    )  # fmt: skip
    q = polynomial(square, (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03))
    return where(absolute(x) < 0.0004, x, p * c / q)


def erf(x: Expression) -> Expression:
    """A rational function of degree 13 / 8 on [-4, 4] (the coefficients are Eigen's)."""
    if x.type == "f64":
        return external("erf", x)
    c = maximum(minimum(x, 4.0), -4.0)
    square = c * c
    p = polynomial(
        square,
        (-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05, -7.34990630326855e-04,
         -2.95459980854025e-03, -1.60960333262415e-02),
    )  # fmt: skip
    q = polynomial(
        square, (-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03, -1.42647390514189e-02)
    )
    return p * c / q


def sigmoid(x: Expression) -> Expression:
    """1 / (1 + exp(-x))."""
    return 1.0 / (exp(-x) + 1.0)


FUNCTIONS: dict[str, Callable[..., Expression]] = {"exp": exp, "log": log, "tanh": tanh, "erf": erf, "sigmoid": sigmoid}
