"""flambeau's own version, and the version of PyTorch whose behaviour it has."""

__version__ = "0.1.0"

TORCH = "2.13.0"
"""The reference release."""

TORCH_LOCAL = f"{TORCH}+cpu"
"""What `torch.__version__` says."""
