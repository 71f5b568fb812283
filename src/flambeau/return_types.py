"""`torch.return_types`: the classes of results with several parts, each under the name of its function."""

from typing import Any

from .core.missing import missing_name
from .core.naming import PUBLIC
from .ops.definition import NAMES

_missing = missing_name(__name__)


def __getattr__(name: str) -> Any:
    found = PUBLIC.get(("torch.return_types", name))
    if found is None and not name.startswith("_"):
        where, last = ("linalg", name.removeprefix("linalg_")) if name.startswith("linalg_") else ("torch", name)
        try:
            NAMES[where][last]  # its family is imported, which makes the class
        except KeyError:
            return _missing(name)
        found = PUBLIC.get(("torch.return_types", name))
    return _missing(name) if found is None else found
