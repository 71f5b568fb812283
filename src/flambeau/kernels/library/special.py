"""Special functions whose definition stands in `compiler/maths/special.py`."""

import math
from typing import Any

from ..compiler import expression as e
from .elementwise import GRAIN, unary

erf = unary("erf", e.erf)
erfc = unary("erfc", e.erfc)
erfinv = unary("erfinv", e.erfinv)
lgamma = unary("lgamma", e.lgamma)
digamma = unary("digamma", e.digamma)
erfcx = unary("erfcx", lambda x: e.Expression("erfcx", x.type, x))
ndtr = unary("ndtr", lambda x: e.Expression("ndtr", x.type, x))
log_ndtr = unary("log_ndtr", lambda x: e.Expression("log_ndtr", x.type, x))


def _trigamma(x: Any) -> Any:
    """The second derivative of lgamma, of float32 computed in float64: A&S 6.4.7 below 1/2, then 6.4.6 and 6.4.12."""
    wide = e.cast(x, "f64")
    low = wide < 0.5
    z = e.where(low, 1.0 - wide, wide)
    total = 1.0 / (z * z)
    for _ in range(5):
        z = z + 1.0
        total = total + 1.0 / (z * z)
    z = z + 1.0
    inverse = 1.0 / z
    square = inverse * inverse
    series = 1 / 6 - square * (1 / 30 - square * (1 / 42 - square * (1 / 30 - square * (5 / 66))))
    total = total + inverse + square * 0.5 + inverse * square * series
    sine = e.sin((wide - e.rint(wide)) * math.pi)
    ratio = math.pi / sine
    result = e.where(low, ratio * ratio - total, total)
    return e.cast(e.where(wide.equals(math.inf), 0.0, result), x.type)


trigamma = unary("trigamma", _trigamma, GRAIN)
