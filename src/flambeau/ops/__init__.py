"""Floor 4: the operators, one file per family. Importing the package attaches them all."""

from . import (
)

__all__ = [
]
