"""The kernel compiler: a kernel is a Python function over scalar expressions, traced once and lowered to LLVM IR."""

from .launch import Kernel, compiled_for, map_kernel, row_kernel, usable

__all__ = ["Kernel", "compiled_for", "map_kernel", "row_kernel", "usable"]
