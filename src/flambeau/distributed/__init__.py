"""Training in several processes, as far as one process goes: a process group of one, whose operations give back what they get.

A world of more processes raises NotImplementedError.
"""

from ..core.missing import missing_name
from . import constants, distributed_c10d
from .distributed_c10d import *  # noqa: F403

__all__ = list(distributed_c10d.__all__)
__all__ += ["constants", "distributed_c10d"]

__getattr__ = missing_name(__name__)
