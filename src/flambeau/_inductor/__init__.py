"""`torch._inductor`: its settings, which are kept and change nothing."""

from . import config as config

__all__ = ["config"]
