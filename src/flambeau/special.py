"""`torch.special`: special functions, most of them of one operand, element by element."""

from .core.missing import missing_name
from .ops import reduction, special  # noqa: F401  (importing a family attaches its functions)
from .ops.definition import NAMES

globals().update(NAMES["special"])
__getattr__ = missing_name(__name__)
