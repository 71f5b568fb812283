"""Special functions whose definition stands in `compiler/maths.py`."""

from ..compiler import expression as e
from .elementwise import unary

erf = unary("erf", e.erf)
erfc = unary("erfc", e.erfc)
erfinv = unary("erfinv", e.erfinv)
lgamma = unary("lgamma", e.lgamma)
digamma = unary("digamma", e.digamma)
