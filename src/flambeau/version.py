"""flambeau's own version, and what `torch.version` says of the build that is the reference."""

__version__ = "0.1.0"

TORCH = "2.13.0+cpu"
"""What `torch.__version__` says."""

cuda = None
hip = None
rocm = None
xpu = None
debug = False
git_version = "cf30153c4c131c8164ee7798e5022d810682e2cb"
"""Of the build that is the reference."""
