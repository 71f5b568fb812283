"""Special functions: `torch.special` and its kin, element by element."""

from __future__ import annotations

import math
from typing import Any, Callable

from ..kernels import bessel, special
from .definition import NUMBERS, Array, Number, Operator, operator
from .pointwise import everywhere, refuse

SQRT_PI = math.sqrt(math.pi)


def _all(name: str, *also: str) -> list[str]:
    """A function of torch, torch.special and Tensor, with its in-place forms."""
    return everywhere(name, *also, function_in_place=True) + [f"special.{name}"]


def _function(
    name: str,
    public: list[str],
    kernel: Callable[..., Any],
    text: str,
    kernel_name: str = "",
    low: bool = True,
    node: str | None = None,
    **options: Any,
) -> Operator:
    """Defines a function of one operand. `low`: whether PyTorch has it for float16 and bfloat16."""
    kernel_name = kernel_name or f"{name.removeprefix('special_')}_cpu"
    refused = "c" if low else "cV"

    def forward(input: Array, out: Any = None) -> Array:
        dtype = input.dtype
        if dtype.kind in refused or not low and dtype.char == "e":
            refuse(input, kernel_name)
        return kernel(input, out=out)

    forward.__name__ = name
    forward.__doc__ = text
    return operator(*public, promote="float", node=node, **options)(forward)


# --- error functions and the normal distribution ---------------------------------------------------------------

erf = _function(
    "erf",
    _all("erf"),
    special.erf,
    "The error function, `2 / sqrt(pi)` times the integral of `exp(-t^2)` from 0 to `input`.",
    "erf_vml_cpu",
)
erf.derivative(input=lambda F, grad, input: grad * (F.exp(-(input * input)) * (2.0 / SQRT_PI)))

erfc = _function("erfc", _all("erfc"), special.erfc, "`1 - erf(input)`, exact where it is small.", "erfc_vml_cpu")
erfc.derivative(input=lambda F, grad, input: grad * (F.exp(-(input * input)) * (-2.0 / SQRT_PI)))

erfcx = _function("special_erfcx", ["special.erfcx"], special.erfcx, "`exp(input^2) * erfc(input)`.", low=False)
erfcx.derivative(input=lambda F, grad, input, result: grad * (input * result * 2.0 - 2.0 / SQRT_PI))

erfinv = _function(
    "erfinv",
    ["torch.erfinv", "Tensor.erfinv", "Tensor.erfinv_", "special.erfinv"],
    special.erfinv,
    "The inverse of `erf`.",
    "erfinv_vml_cpu",
)
erfinv.derivative(input=lambda F, grad, result: grad * (F.exp(result * result) * (SQRT_PI / 2.0)))

ndtr = _function(
    "special_ndtr",
    ["special.ndtr"],
    special.ndtr,
    "The distribution function of the standard normal distribution.",
    "erf_vml_cpu",
    node="MulBackward1",
)


def _ndtr_input(F: Any, grad: Any, input: Any) -> Any:
    t = input * math.sqrt(0.5)  # of (1 + erf(t)) / 2
    return (F.exp(-(t * t)) * (2.0 / SQRT_PI)) * (grad * 0.5) * math.sqrt(0.5)


ndtr.derivative(input=_ndtr_input)

log_ndtr = _function("special_log_ndtr", ["special.log_ndtr"], special.log_ndtr, "The logarithm of `ndtr`, exact far out.", low=False)
log_ndtr.derivative(input=lambda F, grad, input: grad / F.special_erfcx(input * -math.sqrt(0.5)) * math.sqrt(2.0 / math.pi))

ndtri = _function("special_ndtri", ["special.ndtri"], special.ndtri, "The inverse of `ndtr`.", low=False)
ndtri.derivative(input=lambda F, grad, result: grad * (F.exp(result * result * 0.5) * math.sqrt(2.0 * math.pi)))

entr = _function("special_entr", ["special.entr"], special.entr, "`-x log(x)`, 0 at 0 and minus infinity below.")
entr.derivative(input=lambda F, grad, input: grad * -(F.log(input) + 1.0))


# --- gamma functions -------------------------------------------------------------------------------------------

lgamma = _function(
    "lgamma",
    ["torch.lgamma", "Tensor.lgamma", "Tensor.lgamma_", "special.gammaln"],
    special.lgamma,
    "The logarithm of the gamma function's absolute value.",
    "lgamma_vml_cpu",
)
lgamma.derivative(input=lambda F, grad, input: grad * F.digamma(input))

digamma = _function(
    "digamma",
    ["torch.digamma", "Tensor.digamma", "Tensor.digamma_", "special.digamma", "special.psi"],
    special.digamma,
    "The derivative of `lgamma`.",
    "digamma",
)
digamma.derivative(input=lambda F, grad, input: grad * F.polygamma(1, input))


@operator("torch.polygamma", "special.polygamma", promote="float")
def polygamma(n: int, input: Array, out: Any = None) -> Array:
    """The `n`-th derivative of `digamma`. Raises RuntimeError for a negative `n`."""
    if n.__class__ not in (int, bool):
        raise TypeError(f"polygamma(): argument 'n' (position 1) must be int, not {type(n).__name__}")
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    if input.dtype.kind == "c":
        refuse(input, "digamma" if n == 0 else "trigamma" if n == 1 else "polygamma")
    return special.polygamma(input, n=int(n), out=out)


polygamma.derivative(input=lambda F, grad, input, n: grad * F.polygamma(n + 1, input))


def _register_polygamma_methods() -> None:
    from .definition import attach

    def method(self: Any, n: int) -> Any:
        return polygamma.function(n, self)

    def in_place(self: Any, n: int) -> Any:
        return self.copy_(polygamma.function(n, self))

    method.__name__, in_place.__name__ = "polygamma", "polygamma_"
    attach("Tensor.polygamma", method)
    attach("Tensor.polygamma_", in_place)


_register_polygamma_methods()


@operator("torch.mvlgamma", "Tensor.mvlgamma", "Tensor.mvlgamma_", "special.multigammaln", promote="float")
def mvlgamma(input: Array, p: int) -> Array:
    """The logarithm of the multivariate gamma function of dimension `p`. Raises RuntimeError unless `p >= 1`."""
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    if input.dtype.kind == "c":
        refuse(input, "mvlgamma_cpu")
    return special.mvlgamma(input, p=p)


def _mvlgamma_input(F: Any, grad: Any, input: Any, p: int) -> Any:
    total = F.digamma(input)
    for j in range(1, p):
        total = total + F.digamma(input - 0.5 * j)
    return grad * total


mvlgamma.derivative(input=_mvlgamma_input)


def _igamma_density(F: Any, grad: Any, input: Any, other: Any) -> Any:
    return grad * F.exp((input - 1.0) * F.log(other) - other - F.lgamma(input))


def _no_derivative(name: str) -> Any:
    def formula(F: Any, grad: Any) -> Any:
        raise NotImplementedError(f"the derivative for '{name}' is not implemented.")

    return formula


@operator("torch.igamma", "Tensor.igamma", "Tensor.igamma_", "special.gammainc", promote="arithmetic")
def igamma(input: Array, other: Array, out: Any = None) -> Array:
    """The regularised lower incomplete gamma function of shape `input`."""
    if input.dtype.kind in "biuc":
        refuse(input, "igamma_cpu")
    return special.igamma(input, other, out=out)


igamma.derivative(input=_no_derivative("igamma: input"), other=_igamma_density)


@operator("torch.igammac", "Tensor.igammac", "Tensor.igammac_", "special.gammaincc", promote="arithmetic")
def igammac(input: Array, other: Array, out: Any = None) -> Array:
    """The regularised upper incomplete gamma function of shape `input`."""
    if input.dtype.kind in "biuc":
        refuse(input, "igammac_cpu")
    return special.igammac(input, other, out=out)


igammac.derivative(input=_no_derivative("igammac: input"), other=lambda F, grad, input, other: -_igamma_density(F, grad, input, other))


def _array_of(x: Any, y: Any) -> Any:
    return y if x.__class__ in NUMBERS else x


def _real(x: Any, y: Any, name: str, low: bool = True) -> None:
    array = _array_of(x, y)
    if array.dtype.kind == "c" or not low and array.dtype.char in "eE":
        refuse(array, name)


def _numbered(name: str) -> Callable[[Any, Any], str]:
    return lambda input, other: f"{name}Backward{1 if input.__class__ in NUMBERS else 2 if other.__class__ in NUMBERS else 0}"


@operator("special.zeta", promote="float", node="SpecialZetaBackward0")
def zeta(input: Array | Number, other: Array | Number, out: Any = None) -> Array:
    """Hurwitz's zeta function, the sum over k of `(k + other) ** -input`."""
    _real(input, other, "zeta_cpu", low=False)
    return special.zeta(input, other, out=out)


zeta.derivative(
    input=_no_derivative("zeta"),
    other=lambda F, grad, input, other: grad * (F.zeta(input + 1.0, other) * -input),
)


@operator(*everywhere("xlogy", function_in_place=True), "special.xlogy", promote="float", rounds_number=True, node=_numbered("Xlogy"))
def xlogy(input: Array | Number, other: Array | Number, out: Any = None) -> Array:
    """`input * log(other)`, and 0 where `input` is 0 unless `other` is NaN."""
    _real(input, other, "xlogy_cpu")
    return special.xlogy(input, other, out=out)


xlogy.derivative(
    input=lambda F, grad, input, other: F.where((input == 0.0) & (other <= 0.0), 0.0, F.xlogy(grad, other)),
    other=lambda F, grad, input, other: grad * input / other,
)


@operator("special.xlog1py", promote="float", rounds_number=True, node=_numbered("SpecialXlog1Py"))
def xlog1py(input: Array | Number, other: Array | Number, out: Any = None) -> Array:
    """`input * log(1 + other)`, and 0 where `input` is 0 unless `other` is NaN."""
    _real(input, other, "xlog1py_cpu")
    return special.xlog1py(input, other, out=out)


xlog1py.derivative(
    input=lambda F, grad, input, other: F.where((input == 0.0) & (other <= -1.0), 0.0, F.xlog1py(grad, other)),
    other=lambda F, grad, input, other: grad * input / (other + 1.0),
)


# --- modified Bessel functions ---------------------------------------------------------------------------------

i0 = _function("i0", _all("i0"), bessel.i0, "The modified Bessel function of the first kind, order 0.", "i0_vml_cpu")
i0.derivative(input=lambda F, grad, input: grad * F.special_i1(input))

i0e = _function("special_i0e", ["special.i0e"], bessel.i0e, "`exp(-|input|) * i0(input)`.", node="SpecialI0EBackward0")
i0e.derivative(input=lambda F, grad, input, result: grad * (F.special_i1e(input) - F.sgn(input) * result))

i1 = _function("special_i1", ["special.i1"], bessel.i1, "The modified Bessel function of the first kind, order 1.")


def _by_nonzero(F: Any, x: Any) -> Any:
    """x, and a harmless number where it is 0."""
    return F.where(x == 0.0, 1.0, x)


i1.derivative(input=lambda F, grad, input, result: grad * F.where(input == 0.0, 0.5, F.i0(input) - result / _by_nonzero(F, input)))

i1e = _function("special_i1e", ["special.i1e"], bessel.i1e, "`exp(-|input|) * i1(input)`.", node="SpecialI1EBackward0")
i1e.derivative(
    input=lambda F, grad, input, result: (
        grad * F.where(input == 0.0, 0.5, F.special_i0e(input) - result * (F.sgn(input) + 1.0 / _by_nonzero(F, input)))
    )
)

# --- functions without derivatives -----------------------------------------------------------------------------

for _name, _kernel, _text in (
    ("bessel_j0", bessel.j0, "The Bessel function of the first kind, order 0."),
    ("bessel_j1", bessel.j1, "The Bessel function of the first kind, order 1."),
    ("bessel_y0", bessel.y0, "The Bessel function of the second kind, order 0."),
    ("bessel_y1", bessel.y1, "The Bessel function of the second kind, order 1."),
    ("modified_bessel_i0", bessel.i0, "The modified Bessel function of the first kind, order 0."),
    ("modified_bessel_i1", bessel.i1, "The modified Bessel function of the first kind, order 1."),
    ("modified_bessel_k0", bessel.k0, "The modified Bessel function of the second kind, order 0."),
    ("modified_bessel_k1", bessel.k1, "The modified Bessel function of the second kind, order 1."),
    ("scaled_modified_bessel_k0", bessel.k0e, "`exp(input)` times the modified Bessel function of the second kind, order 0."),
    ("scaled_modified_bessel_k1", bessel.k1e, "`exp(input)` times the modified Bessel function of the second kind, order 1."),
    ("spherical_bessel_j0", bessel.spherical_j0, "The spherical Bessel function of the first kind, order 0."),
    ("airy_ai", bessel.airy_ai, "The Airy function Ai."),
):
    _function(f"special_{_name}", [f"special.{_name}"], _kernel, _text, low=False, differentiable=False)


def _polynomial(name: str, kernel: Callable[..., Any], text: str) -> None:
    """Defines a family of polynomials: of `input`, of degree `n`."""

    def forward(input: Array | Number, n: Array | Number, out: Any = None) -> Array:
        _real(input, n, f"{name}_cpu", low=False)
        return kernel(input, n, out=out)

    forward.__name__ = f"special_{name}"
    forward.__doc__ = f"{text} of degree `n`; 0 for a negative degree."
    operator(f"special.{name}", promote="float", differentiable=False)(forward)


for _name, _kernel, _text in (
    ("chebyshev_polynomial_t", bessel.chebyshev_t, "Chebyshev's polynomials of the first kind"),
    ("chebyshev_polynomial_u", bessel.chebyshev_u, "Chebyshev's polynomials of the second kind"),
    ("chebyshev_polynomial_v", bessel.chebyshev_v, "Chebyshev's polynomials of the third kind"),
    ("chebyshev_polynomial_w", bessel.chebyshev_w, "Chebyshev's polynomials of the fourth kind"),
    ("shifted_chebyshev_polynomial_t", bessel.shifted_chebyshev_t, "Chebyshev's polynomials of the first kind on [0, 1]"),
    ("shifted_chebyshev_polynomial_u", bessel.shifted_chebyshev_u, "Chebyshev's polynomials of the second kind on [0, 1]"),
    ("shifted_chebyshev_polynomial_v", bessel.shifted_chebyshev_v, "Chebyshev's polynomials of the third kind on [0, 1]"),
    ("shifted_chebyshev_polynomial_w", bessel.shifted_chebyshev_w, "Chebyshev's polynomials of the fourth kind on [0, 1]"),
    ("hermite_polynomial_h", bessel.hermite_h, "Hermite's polynomials as physicists define them"),
    ("hermite_polynomial_he", bessel.hermite_he, "Hermite's polynomials as probabilists define them"),
    ("laguerre_polynomial_l", bessel.laguerre_l, "Laguerre's polynomials"),
    ("legendre_polynomial_p", bessel.legendre_p, "Legendre's polynomials"),
):
    _polynomial(_name, _kernel, _text)
