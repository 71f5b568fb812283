"""`torch.nn.functional`: the functions of networks. Each is defined in its family's file in `ops/`."""

from ..core.missing import missing_name
from ..ops.definition import NAMES

globals().update(NAMES["F"])
__getattr__ = missing_name(__name__)
