"""Kernels as their callers see them: compiled at the first call, one version per dtype."""

from typing import Any, Callable

import numpy as np

_LAYOUTS = {"*": "row", "+": "shared", "~": "cycle"}
_FLOATS = {np.dtype(np.float32): "f32", np.dtype(np.float64): "f64"}

compiled: bool | None = None
"""Whether kernels are compiled in this process; None until the first is asked for."""


def usable() -> bool:
    """Whether kernels can be compiled here; found out once."""
    global compiled
    if compiled is None:
        from .jit import available

        compiled = available()
    return compiled


class Kernel:
    """A kernel: `kernel(out, ..., x, ..., number, ...)` over row-major arrays.

    parameters: the arrays as "name:type" with type `f` (the kernel's floating-point dtype), `i64` or `i1`; a `*` behind it
    marks one element per row, a `+` one row shared by all rows, a `~` rows that are used again and again. The first array
    decides the extent. The caller has checked shapes, dtypes and memory order.
    """

    def __init__(self, build: Callable[..., None], parameters: str, numbers: int, rows: bool) -> None:
        self.build = build
        self.name: str = build.__name__
        self.parameters = parameters.split()
        self.numbers = numbers
        self.rows = rows
        self.versions: dict[Any, Callable[..., Any]] = {}
        self.__doc__ = build.__doc__

    def version(self, dtype: Any) -> Callable[..., Any]:
        """The compiled function for a floating-point dtype: a built-in that takes the arrays and numbers."""
        found = self.versions.get(dtype)
        if found is None:
            from .jit import python_function
            from .llvm import module

            kind = _FLOATS[dtype]
            arrays = []
            for text in self.parameters:
                name, _, type_ = text.partition(":")
                layout = _LAYOUTS.get(type_[-1], "")
                type_ = type_.rstrip("*+~")
                arrays.append((name, kind if type_ == "f" else type_, layout))
            name = f"flambeau_{self.name}_{kind}"
            ir = module(name, self.build, arrays, self.numbers, kind, self.rows)
            found = self.versions[dtype] = python_function(ir, name)
        return found


def map_kernel(parameters: str, numbers: int = 0) -> Callable[[Callable[..., None]], Kernel]:
    """Decorator: the function of `(row, arrays..., numbers...)` is one loop over all elements."""
    return lambda build: Kernel(build, parameters, numbers, False)


def row_kernel(parameters: str, numbers: int = 0) -> Callable[[Callable[..., None]], Kernel]:
    """Decorator: the function runs once for each row of the last dimension."""
    return lambda build: Kernel(build, parameters, numbers, True)


def compiled_for(kernel: Kernel, *arrays: Any) -> Callable[..., Any] | None:
    """The compiled kernel if it can take these arrays, else None.

    They must be aligned, writeable, row-major ndarrays of one dtype, float32 or float64; those of a map have one shape.
    """
    if compiled is False:
        return None
    first = arrays[0]
    dtype, shape = first.dtype, None if kernel.rows else first.shape
    for a in arrays:
        if a.__class__ is not ndarray or a.dtype is not dtype or not a.flags.carray or (shape is not None and a.shape != shape):
            return None
    found = kernel.versions.get(dtype)
    if found is None and dtype in _FLOATS and usable():
        found = kernel.version(dtype)
    return found


ndarray = np.ndarray
