"""Kernels as their callers see them: compiled at the first call, one version per dtype and way of access."""

from typing import Any, Callable

import ml_dtypes
import numpy as np

from ...core.meta import OtherArray
from .walk import broadcast_strides, plan

ndarray = np.ndarray
_LAYOUTS = {"*": "row", "+": "shared", "~": "cycle", "%": "partial"}
_FLOATS = {np.dtype(np.float32): "f32", np.dtype(np.float64): "f64"}
_HALVES = {np.dtype(np.float16): "f16", np.dtype(ml_dtypes.bfloat16): "bf16"}
_INTEGERS = {
    np.dtype(np.int64): "i64", np.dtype(np.int32): "i32", np.dtype(np.int16): "i16", np.dtype(np.int8): "s8", np.dtype(np.uint8): "u8",
    np.dtype(np.bool_): "i1",
}  # fmt: skip
KINDS: dict[Any, str] = {**_FLOATS, **_HALVES, **_INTEGERS}
"""What the compiler calls a dtype."""

GRAIN = 32768
"""Up to so many elements a launch stays on one thread, and so many at least are one thread's share."""

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

    parameters: the arrays as "name:type" with type `f` (the dtype the kernel is compiled for), `c` (float32 where that is of half
    precision, else the same) or a type of `llvm.STORAGE`; a `*` behind it marks one element per row, a `+` one row shared by all
    rows, a `~` rows that are used again and again, a `%` one row for each chunk of rows. The first array decides the extent. The
    caller has checked shapes, dtypes and memory order. halves: whether it takes float16 and bfloat16, computing in float32.
    """

    def __init__(
        self, build: Callable[..., None], parameters: str, numbers: int, rows: bool, halves: bool = False, grain: int = GRAIN
    ) -> None:
        self.build = build
        self.name: str = build.__name__
        self.parameters = parameters.split()
        self.numbers = numbers
        self.rows = rows
        self.halves = halves
        self.grain = grain
        self.versions: dict[Any, Callable[..., Any]] = {}
        self.walks: dict[Any, Callable[..., Any]] = {}
        self.groups: dict[Any, tuple[Callable[..., Any], Any]] = {}
        self.__doc__ = build.__doc__

    def version(self, dtype: Any) -> Callable[..., Any]:
        """The compiled function for a dtype: a built-in that takes the arrays and numbers."""
        found = self.versions.get(dtype)
        if found is None:
            found = self.versions[dtype] = self._compile(dtype, None)
        return found

    def walk(self, dtype: Any, access: str) -> Callable[..., Any]:
        """The version of a map that walks by a plan, its last argument; access "columns": that of a row kernel over columns."""
        found = self.walks.get((dtype, access))
        if found is None:
            found = self.walks[dtype, access] = self._compile(dtype, access)
        return found

    def over_lists(self, lists: Any, *numbers: float) -> bool:
        """Runs a map once over lists of arrays (see `group.py`); False where it can't, having done nothing."""
        if not lists[0] or not usable():
            return False
        dtype = lists[0][0].dtype
        found = self.groups.get(dtype)
        if found is None:
            if not self.takes(dtype):
                return False
            from .group import group_module
            from .jit import python_function
            from .llvm import COMPUTED

            kind = KINDS[dtype]
            arrays = [(text.partition(":")[0], kind) for text in self.parameters]
            name = f"flambeau_{self.name}_{kind}_lists"
            ir = group_module(name, self.build, arrays, self.numbers, COMPUTED.get(kind, kind))
            found = self.groups[dtype] = python_function(ir, name), np.empty((), dtype)
        function, like = found
        return function(*[x if x.__class__ is list else list(x) for x in lists], *numbers, like) is not like

    def _compile(self, dtype: Any, access: str | None) -> Callable[..., Any]:
        from .entry import module
        from .jit import python_function
        from .llvm import COMPUTED

        kind = KINDS[dtype]
        name = f"flambeau_{self.name}_{kind}{'' if access is None else '_' + access}"
        if access == "columns":
            from .channels import column_module

            computed = COMPUTED.get(kind, kind)
            return python_function(column_module(name, self.build, self._arrays(dtype), self.numbers, computed, False, self.grain), name)
        ir = module(name, self.build, self._arrays(dtype), self.numbers, COMPUTED.get(kind, kind), self.rows, access, self.grain)
        return python_function(ir, name)

    def _arrays(self, dtype: Any) -> list[tuple[str, str, str]]:
        """Name, type in memory and layout of each array (see `entry.py`) in the version for a dtype."""
        from .llvm import COMPUTED

        kind = KINDS[dtype]
        computed = COMPUTED.get(kind, kind)
        arrays = []
        for text in self.parameters:
            name, _, type_ = text.partition(":")
            layout = _LAYOUTS.get(type_[-1], "")
            type_ = type_.rstrip("*+~%")
            arrays.append((name, {"f": kind, "c": computed}.get(type_, type_), layout))
        return arrays

    def takes(self, dtype: Any) -> bool:
        """Whether there is a version for a dtype."""
        return dtype in _FLOATS or self.halves and dtype in _HALVES and halves_compile()


class ChannelKernel(Kernel):
    """A kernel over the channels of row-major arrays (N, C, ...), a `*` marking one element per channel; its numbers are float64.

    The function says with `row.sum`, `row.sums` and `row.each` what is done with a channel's elements; a sum is float64.
    """

    def __init__(self, build: Callable[..., None], parameters: str, numbers: int) -> None:
        super().__init__(build, parameters, numbers, False, True, 20_000)

    def _compile(self, dtype: Any, access: str | None) -> Callable[..., Any]:
        """access: "columns" where nothing is behind C."""
        from .channels import channel_module, column_module
        from .jit import python_function

        name = f"flambeau_{self.name}_{KINDS[dtype]}{'' if access is None else '_' + access}"
        arrays = self._arrays(dtype)
        if access is None:
            return python_function(channel_module(name, self.build, arrays, self.numbers, self.grain), name)
        return python_function(column_module(name, self.build, arrays, self.numbers, "f64", True, self.grain), name)

    def compiled_for(self, first: Any) -> Callable[..., Any] | None:
        """The compiled kernel for the first of its arrays, which must be row-major, aligned and not empty; None where there is none."""
        dtype = first.dtype
        if compiled is False or first.__class__ is not ndarray or not self.takes(dtype) or not usable():
            return None
        if first.ndim == 2 or first.size == first.shape[0] * first.shape[1]:
            return self.walk(dtype, "columns")
        return self.versions.get(dtype) or self.version(dtype)


def takes_float(dtype: Any) -> bool:
    """Whether kernels can read this dtype as floating-point numbers."""
    return dtype in _FLOATS or dtype in _HALVES and halves_compile()


def map_kernel(parameters: str, numbers: int = 0, halves: bool = False) -> Callable[[Callable[..., None]], Kernel]:
    """Decorator: the function of `(row, arrays..., numbers...)` is one loop over all elements."""
    return lambda build: Kernel(build, parameters, numbers, False, halves)


def row_kernel(parameters: str, numbers: int = 0, halves: bool = False) -> Callable[[Callable[..., None]], Kernel]:
    """Decorator: the function runs once for each row of the last dimension."""
    return lambda build: Kernel(build, parameters, numbers, True, halves)


def channel_kernel(parameters: str, numbers: int = 0) -> Callable[[Callable[..., None]], ChannelKernel]:
    """Decorator: the function runs once for each channel, the second dimension."""
    return lambda build: ChannelKernel(build, parameters, numbers)


def halves_compile() -> bool:
    """Whether the CPU converts float16 itself (without, each conversion would be a call)."""
    global _halves
    if _halves is None:
        if not usable():
            return False
        from .machine import arm, features

        _halves = arm() or "f16c" in features()
    return _halves


_halves: bool | None = None


def compiled_for(kernel: Kernel, *arrays: Any) -> Callable[..., Any] | None:
    """The compiled kernel if it can take these arrays, else None.

    They must be aligned, writeable, row-major ndarrays of one dtype that the kernel takes; those of a map have one shape.
    """
    if compiled is False:
        return None
    first = arrays[0]
    dtype, shape = first.dtype, None if kernel.rows else first.shape
    for a in arrays:
        if a.__class__ is not ndarray or a.dtype is not dtype or not a.flags.carray or (shape is not None and a.shape != shape):
            return None
    found = kernel.versions.get(dtype)
    if found is None and usable() and kernel.takes(dtype):
        found = kernel.version(dtype)
    return found


def compiled_for_columns(kernel: Kernel, *arrays: Any) -> Callable[..., Any] | None:
    """A row kernel compiled for the rows along the middle of row-major arrays (outer, n, inner) of one dtype, none of them empty."""
    dtype = arrays[0].dtype
    for a in arrays:
        if a.__class__ is not ndarray or a.dtype is not dtype or not a.flags.carray:
            return None
    return kernel.walk(dtype, "columns") if compiled is not False and kernel.takes(dtype) and usable() else None


def chunks_of_rows(rows: int, columns: int) -> int:
    """How many chunks the rows are added up in: it depends on the sizes alone, and with it the order of the additions."""
    return max(1, min(rows, rows * columns >> 17))


def mapped(kernel: Kernel, dtype: Any, out: Any, *operands: Any) -> Any:
    """Runs a map over arrays that broadcast to `out`, whatever their strides; None (and nothing written) where it can't.

    `dtype` is the one the kernel is compiled for. operands: arrays of the dtypes that it expects, then floats. What is read must
    not lie in the memory of `out`, except just where it is written.
    """
    shape, strides, arrays, walk = out.shape, out.strides, [out], False
    for x in operands:
        if x.__class__ is ndarray:
            if not x.flags.aligned:
                return None
            arrays.append(x)
            if x.shape != shape or x.strides != strides or x.dtype.itemsize != out.dtype.itemsize:
                walk = True
        elif x.__class__ is not float and isinstance(x, OtherArray):
            return None
    flags = out.flags
    if not flags.aligned or not flags.writeable:
        return None
    if not flags.c_contiguous:
        walk = walk or not is_dense(out)
    elif walk:
        walk = any(x.shape != shape or not x.flags.c_contiguous for x in arrays)
    if not walk:
        return kernel.version(dtype)(out, *operands)
    steps = []
    for x in arrays:
        found = broadcast_strides(shape, x)
        if found is None:
            return None
        steps.append(found)
    planned = plan(shape, tuple([x.itemsize for x in arrays]), *steps)
    if planned is None or 0 in shape:
        return None
    return kernel.walk(dtype, planned[0])(out, *operands, planned[1])


def is_dense(x: Any) -> bool:
    """Whether the elements fill their memory without gaps, in whatever order."""
    return x.flags.c_contiguous or x.flags.f_contiguous or bool(np.empty_like(x).strides == x.strides)
