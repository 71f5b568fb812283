"""The transcendental functions, written in expressions: `FUNCTIONS[name](x)` says what a node of that name stands for.

Each is a polynomial behind an exact reduction of its argument, without branches, so that a loop over it is vectorised:
LLVM would call the C library once for each lane. An element's value does not depend on where it stands: products are
fused (`fma`) where this file says so and nowhere else.

Errors are at most 2 units in the last place in float32 and 4 in float64, but for GELU and `vector_sigmoid`, which in float32 are PyTorch's.
Functions of float32 that are not computed in float32 are computed in float64 with shorter polynomials (`wide`): there they are rounded
once. The methods are the common ones (W. J. Cody and W. Waite, Software Manual for the Elementary Functions, 1980; fdlibm; S. Moshier,
Cephes); the coefficients are found by tools/maths_tables.py. Where the bits must be PyTorch's, they are from where it has them
(`sleef.py`, `gaussian.py`).
"""

from typing import Callable

from ..expression import Expression
from .angles import acos, asin, atan, atan2, bounded_tan, cos, sin, tan
from .exponential import (
    acosh,
    asinh,
    atanh,
    cosh,
    exp,
    exp2,
    exp_of_negative,
    exp_plus_one,
    expm1,
    log,
    log1p,
    log2,
    log10,
    log_sigmoid,
    power,
    rsqrt,
    sigmoid,
    sinh,
    softplus,
    tanh,
    vector_exp,
    vector_log,
    vector_log1p,
    vector_sigmoid,
    vector_tanh,
)
from .gaussian import gelu, gelu_slope
from .special import digamma, erf, erfc, erfcx, erfinv, lgamma, log_ndtr, ndtr

FUNCTIONS: dict[str, Callable[..., Expression]] = {
    "exp": exp, "exp2": exp2, "expm1": expm1, "sigmoid": sigmoid, "log_sigmoid": log_sigmoid, "softplus": softplus,
    "log": log, "log1p": log1p, "log2": log2, "log10": log10, "pow": power, "rsqrt": rsqrt,
    "sin": sin, "cos": cos, "tan": tan, "asin": asin, "acos": acos, "atan": atan, "atan2": atan2,
    "sinh": sinh, "cosh": cosh, "tanh": tanh, "asinh": asinh, "acosh": acosh, "atanh": atanh,
    "erf": erf, "erfc": erfc, "erfcx": erfcx, "erfinv": erfinv, "ndtr": ndtr, "log_ndtr": log_ndtr, "lgamma": lgamma, "digamma": digamma,
    "vector_exp": vector_exp, "exp_of_negative": exp_of_negative, "exp_plus_one": exp_plus_one,
    "vector_log": vector_log, "vector_log1p": vector_log1p, "vector_sigmoid": vector_sigmoid,
    "vector_tanh": vector_tanh,
    "gelu": gelu, "gelu_slope": gelu_slope,
    "bounded_sin": lambda x: sin(x, True), "bounded_cos": lambda x: cos(x, True), "bounded_tan": bounded_tan,
}  # fmt: skip
"""What the nodes of these names stand for. The bounded ones hold for |x| < 2^30 and are faster."""
