"""`torch.linalg`: linear algebra."""

from .core.missing import missing_name
from .ops import indefinite, linalg  # noqa: F401  (importing a family attaches its functions)
from .ops.definition import NAMES

globals().update(NAMES["linalg"])
__all__ = list(NAMES["linalg"])
__getattr__ = missing_name(__name__)
