"""The kernel compiler: a kernel is a Python function over scalar expressions, traced once and lowered to LLVM IR."""

from .launch import Kernel, chunks_of_rows, compiled_for, map_kernel, mapped, row_kernel, usable

__all__ = ["Kernel", "chunks_of_rows", "compiled_for", "map_kernel", "mapped", "row_kernel", "usable"]
