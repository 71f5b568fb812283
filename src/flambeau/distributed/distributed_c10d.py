"""The home of the process group and of the collective operations under PyTorch's name."""

from . import collectives, groups, stores
from .collectives import *  # noqa: F403
from .constants import default_pg_timeout
from .groups import *  # noqa: F403
from .groups import _get_default_group as _get_default_group
from .rendezvous import register_rendezvous_handler, rendezvous
from .stores import *  # noqa: F403

__all__ = ["default_pg_timeout", "register_rendezvous_handler", "rendezvous"]
__all__ += collectives.__all__ + groups.__all__ + stores.__all__
