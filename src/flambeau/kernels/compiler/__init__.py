"""The kernel compiler: a kernel is a Python function over scalar expressions, traced once and lowered to LLVM IR, or to NumPy."""

from .launch import (
    ChannelKernel,
    Kernel,
    channel_kernel,
    chunks_of_rows,
    compiled_for,
    compiled_for_columns,
    map_kernel,
    mapped,
    row_kernel,
    usable,
)
from .numpy_lowering import in_numpy
from .numpy_trace import unimplemented

__all__ = [
    "ChannelKernel",
    "Kernel",
    "channel_kernel",
    "chunks_of_rows",
    "compiled_for",
    "compiled_for_columns",
    "in_numpy",
    "map_kernel",
    "mapped",
    "row_kernel",
    "unimplemented",
    "usable",
]
