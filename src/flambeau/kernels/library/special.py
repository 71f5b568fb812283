"""Special functions whose definition stands in `compiler/maths/special.py`."""

from ..compiler import expression as e
from .elementwise import unary

erf = unary("erf", e.erf)
erfc = unary("erfc", e.erfc)
erfinv = unary("erfinv", e.erfinv)
lgamma = unary("lgamma", e.lgamma)
digamma = unary("digamma", e.digamma)
erfcx = unary("erfcx", lambda x: e.Expression("erfcx", x.type, x))
ndtr = unary("ndtr", lambda x: e.Expression("ndtr", x.type, x))
log_ndtr = unary("log_ndtr", lambda x: e.Expression("log_ndtr", x.type, x))
