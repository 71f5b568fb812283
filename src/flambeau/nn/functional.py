"""`torch.nn.functional`: the functions of networks. Each is defined in its family's file in `ops/`."""

from typing import Any

from ..core.missing import missing_name
from ..ops.definition import NAMES

globals().update(NAMES["F"])
_missing = missing_name(__name__)


def __getattr__(name: str) -> Any:
    """A function whose family has not been imported yet."""
    try:
        found = globals()[name] = NAMES["F"][name]
    except KeyError:
        return _missing(name)
    return found
