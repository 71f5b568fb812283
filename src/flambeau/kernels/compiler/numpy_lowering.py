"""The NumPy lowering: the same kernel function, traced once for a dtype, becomes a Python function over whole arrays.

Every node of the graph is one ufunc call into a buffer, and a buffer is used again as soon as its value is no longer needed: what one
would write by hand. A row kernel sees its arrays as (rows, columns), what is computed per row as (rows, 1); a kernel over channels as
(N, C, L) and (1, C, 1). Arrays that outgrow the cache are handed to that function in blocks, so that its passes over the elements stay
in the cache.

This lowering takes what the compiled one does not: any strides, arrays without memory, complex numbers, float16 and bfloat16 on every
CPU. `where` on numbers alone is decided while tracing, so there may be several functions for a kernel, each with another that says
for which numbers it is.
"""

import linecache
import struct
from typing import Any, Callable

import numpy as np

from ..quiet import SILENT, restore, silence
from .expression import Expression
from .launch import KINDS, ChannelKernel, Kernel, ndarray
from .llvm import COMPUTED, Array
from .numpy_trace import DTYPES, Step, Trace, Value, unimplemented

CACHE = 1 << 18
"""Bytes of one array that are worked on at a time: some buffers of this size stay in the second-level cache."""

CHANNELS = 16
"""Blocks of channels are so many times larger: what is computed per channel is computed once for each block."""

LONG = 1 << 13
"""Up to so many products are added up by the BLAS inside NumPy at a time: it takes one thread for them."""

_F64 = np.dtype(np.float64)
_KINDS: dict[Any, str] = {**KINDS, np.dtype(np.complex64): "c64", np.dtype(np.complex128): "c128"}
_HALVES: dict[str, Any] = {kind: dtype for dtype, kind in KINDS.items() if kind in ("f16", "bf16")}
_BITS: dict[Any, Any] = {np.dtype(np.float32): np.dtype(np.int32), np.dtype(np.float64): np.dtype(np.int64)}
_LAYOUTS = {"*": "row", "+": "shared", "~": "cycle", "%": "partial"}

FUNCTIONS: dict[str, Callable[[Any], Any]] = {}
"""Functions of an array that stand for a node; the file that has them enters them (see `kernels/special.py`)."""


def _fma(a: Any, b: Any, c: Any) -> Any:
    """a * b + c with one rounding: of float32 in float64, of float64 in two parts (T. Dekker, 1971)."""
    if np.result_type(a, b, c).char == "f":
        return (np.multiply(a, b, dtype=np.float64) + c).astype(np.float32)
    product = a * b
    a_high, b_high = a * 134217729.0, b * 134217729.0
    a_high, b_high = a_high - (a_high - a), b_high - (b_high - b)
    a_low, b_low = a - a_high, b - b_high
    lost = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    total = product + c
    back = total - product
    lost = lost + ((product - (total - back)) + (c - back))
    return np.where(np.isfinite(lost), total + lost, total)


def _select(condition: Any, a: Any, b: Any, out: Any) -> None:
    """np.where into `out`, by the bits where there are many elements: that does not depend on how well a branch is predicted."""
    bits = _BITS.get(out.dtype)
    if condition.size < 1024 or bits is None:
        if a is out:
            np.copyto(out, b, where=~condition)
        else:
            np.copyto(out, b)
            np.copyto(out, a, where=condition)
        return
    mask = condition.astype(bits)
    np.negative(mask, mask)
    a, b = a.view(bits), b.view(bits)
    np.bitwise_and(mask, a ^ b, mask)
    np.bitwise_xor(mask, b, out.view(bits))


def _zero(condition: Any, x: Any, out: Any) -> None:
    """x into `out`, or zero where the condition holds."""
    bits = _BITS.get(out.dtype)
    if condition.size < 1024 or bits is None:
        np.copyto(out, x)
        np.copyto(out, 0, where=condition)
        return
    mask = condition.astype(bits)
    np.subtract(mask, 1, mask)
    np.bitwise_and(mask, x.view(bits), out.view(bits))


def _pick(x: Any, index: Any) -> Any:
    """One element of each row."""
    return x[np.arange(len(x)), index[:, 0]][:, None]


def _put(x: Any, index: Any, value: Any) -> None:
    """Writes one element of each row."""
    x[np.arange(len(x)), index[:, 0]] = value[:, 0]


def _line_dots(x: Any, y: Any) -> Any:
    """The sums of x * y over the last dimension, in pieces that the BLAS inside NumPy gives one thread."""
    total = np.vecdot(x[..., :LONG], y[..., :LONG])
    for i in range(LONG, x.shape[-1], LONG):
        total += np.vecdot(x[..., i : i + LONG], y[..., i : i + LONG])
    return total


def _channel_sums(x: Any) -> Any:
    """The sums of channels in float64, as (1, C, 1): of their lines first; of columns in the order of the rows."""
    length = x.shape[2]
    if length == 1:
        return np.add.reduce(x[:, :, 0], 0)[None, :, None].astype(_F64, copy=False)
    ones = np.broadcast_to(np.ones(length, x.dtype), x.shape)
    return np.add.reduce(_line_dots(x, ones), 0, _F64)[None, :, None]


def _channel_dots(x: Any, y: Any) -> Any:
    """The sums of x * y over channels in float64, as (1, C, 1)."""
    if x.shape[2] == 1:
        return np.einsum("ncl,ncl->c", x, y)[None, :, None].astype(_F64, copy=False)
    return np.add.reduce(_line_dots(x, y), 0, _F64)[None, :, None]


class Writer:
    """Writes the steps of a trace as a Python function, deciding which buffer takes which value."""

    def __init__(self, trace: Trace, parameters: list[str], numbers: int) -> None:
        self.trace = trace
        self.first = parameters[0]
        self.lines: list[str] = []
        self.free: dict[str, list[str]] = {}
        self.buffers = 0
        self.outputs: dict[str, int] = {}  # arrays that are only written to, and the step that does so: buffers until then
        self.names: dict[str, Any] = {
            "where": np.where, "select": _select, "zero": _zero, "copyto": np.copyto, "empty_like": np.empty_like, "arange": np.arange,
            "line_dots": _line_dots, "channel_sums": _channel_sums, "channel_dots": _channel_dots, "fma": _fma, "pick": _pick, "put": _put,
            "add": np.add, **trace.constants,
        }  # fmt: skip
        for name, dtype in DTYPES.items():
            self.names[name] = dtype
        self.numbers = [f"n{i}" for i in range(numbers)]
        self.signature = ", ".join([*parameters, *self.numbers])

    def functions(self, name: str) -> tuple[Callable[..., bool], Callable[..., Any]]:
        """Whether the function is for some numbers, and the function."""
        steps = self._ordered()
        self._check_targets(steps)
        for i, step in enumerate(steps):
            for o in step.operands:
                o.last = i
            written = step.target or _writes(step)
            if written:
                self.outputs.setdefault(written, i)
        self._offer_outputs()
        decided = {id(condition): held for condition, held in self.trace.decisions}
        used = {id(o) for step in steps for o in step.operands}
        tests: list[str] = []
        for i, step in enumerate(steps):
            before = len(self.lines)
            self._write(step, i)
            if step.result is not None and step.result.form == "one":
                tests += self.lines[before:]
                if id(step.result) in decided:
                    tests.append(f"if {'not ' if decided[id(step.result)] else ''}{step.result.name}:\n        return False")
                    if id(step.result) not in used:
                        del self.lines[before:]
        source = f"def is_for({', '.join(self.numbers)}):\n" + "".join(f"    {line}\n" for line in [*tests, "return True"])
        source += f"\n\ndef {name}({self.signature}):\n" + "".join(f"    {line}\n" for line in self.lines)
        file = f"<flambeau kernel {name} {len(linecache.cache)}>"
        linecache.cache[file] = len(source), None, source.splitlines(True), file  # for debuggers and tracebacks
        exec(compile(source, file, "exec"), self.names)
        return self.names["is_for"], self.names[name]

    def _offer_outputs(self) -> None:
        for name in list(self.outputs):
            array = self.trace.arrays[name]
            if name in self.trace.read or array.layout or array.stored != array.type:
                del self.outputs[name]
            else:
                self.free.setdefault(array.type, []).append(name)

    def _ordered(self) -> list[Step]:
        """What depends on numbers alone comes first: it decides which function is the one."""
        alone = [s for s in self.trace.steps if s.result is not None and s.result.form == "one"]
        return alone + [s for s in self.trace.steps if s.result is None or s.result.form != "one"]

    def _check_targets(self, steps: list[Step]) -> None:
        """A value that is needed after its array is written once more does not live in that array."""
        i = 0
        while i < len(steps):
            step, target = steps[i], steps[i].target
            if target:
                later = [j for j in range(i + 1, len(steps)) if steps[j].target == target or _writes(steps[j]) == target]
                if later and any(step.result in s.operands for s in steps[later[0] + 1 :]):
                    step.target = ""
                    assert step.result is not None
                    steps.insert(i + 1, Step("copy", None, [step.result], target))
            i += 1

    def _write(self, step: Step, i: int) -> None:
        kind, result, operands, detail = step.kind, step.result, step.operands, step.detail
        names = ", ".join([o.name for o in operands])
        if kind == "copy":
            where = f", where={operands[1].name}" if len(operands) > 1 else ""
            if operands[0].name != detail:
                self.lines.append(f"copyto({detail}, {operands[0].name}, 'unsafe'{where})")
        elif kind == "put":
            self.lines.append(f"put({detail}, {names})")
        elif kind == "add":
            self.lines.append(f"add({detail}, add.reduce({names}, 0), {detail})")
        else:
            assert result is not None
            self._assign(result, step, names, i)
        self._release(operands, i)

    def _assign(self, result: Value, step: Step, names: str, i: int) -> None:
        kind, detail, t = step.kind, step.detail, result.type
        if kind == "ufunc":
            self.names[detail] = getattr(np, detail)
            if step.target:
                result.name = step.target
                self.lines.append(f"{detail}({names}, out={step.target})" if detail in _BY_NAME else f"{detail}({names}, {step.target})")
                return
            if result.form == "all":
                self._release(step.operands, i)
                self._buffer(result)
                self.lines.append(f"{detail}({names}, out={result.name})" if detail in _BY_NAME else f"{detail}({names}, {result.name})")
                return
            code = f"{detail}({names})"
        elif kind == "cast":
            if result.form == "all":
                self._buffer(result)
                self.lines.append(f"copyto({result.name}, {names}, 'unsafe')")
                return
            code = f"{t}.type({names})" if result.form == "one" else f"{names}.astype({t})"
        elif kind == "bitcast":
            code = f"{names}.view({t}).copy()"
        elif kind == "select":
            if step.in_place():
                condition, a, b = step.operands
                if step.target:
                    result.name = step.target
                else:
                    self._buffer(result)
                if repr(self.names.get(a.name)) == _ZERO[t]:
                    self.lines.append(f"zero({condition.name}, {b.name}, {result.name})")
                else:
                    self.lines.append(f"select({names}, {result.name})")
                return
            code = f"where({names})"
        elif kind == "reduce":
            self.names[detail] = getattr(np, detail)
            if self.trace.over == "channels":
                code = f"channel_sums({names})"
            else:
                code = f"{detail}.reduce({names}, 1, None, None, True)" if self.trace.over == "rows" else f"{detail}.reduce({names}, None)"
        elif kind == "dot":
            code = f"channel_dots({names})" if self.trace.over == "channels" else f"line_dots({names})[:, None]"
        elif kind == "index":
            code = f"arange({self.first}.shape[-1])"
        elif kind == "pick":
            code = f"pick({detail[0]}, {names})" + (f".astype({t})" if detail[1] else "")
        elif kind == "rounded":
            self.names[detail] = _HALVES[detail]
            code = f"{names}.astype({detail}).astype({t})"
        elif kind == "fma":
            code = f"fma({names})"
        else:
            if detail not in FUNCTIONS:
                from .. import special  # noqa: F401  # it enters its functions
            if detail not in FUNCTIONS:
                raise NotImplementedError(f"{detail} in the NumPy lowering")
            self.names[f"f_{detail}"] = FUNCTIONS[detail]
            code = f"f_{detail}({names})"
        self._own(result, kind)
        self.lines.append(f"{result.name} = {code}")

    def _own(self, result: Value, kind: str) -> None:
        result.name = f"b{self.buffers}"
        self.buffers += 1
        result.owned = result.form == "all" and kind not in ("reduce", "dot")

    def _buffer(self, result: Value) -> None:
        """Gives a value of all elements a buffer, a free one if there is."""
        ready = self.free.get(result.type, [])
        for name in ready:
            if self.outputs.get(name, result.last) >= result.last:
                ready.remove(name)
                result.name, result.owned = name, True
                return
        self._own(result, "ufunc")
        same = self.trace.arrays[self.first].stored == result.type
        self.lines.append(f"{result.name} = empty_like({self.first}{'' if same else f', {result.type}'})")

    def _release(self, operands: list[Value], i: int) -> None:
        for o in operands:
            if o.owned and o.last == i:
                o.owned = False
                self.free.setdefault(o.type, []).append(o.name)


_ZERO = {t: repr(np.zeros((), dtype)) for t, dtype in DTYPES.items()}
_BY_NAME = ("maximum", "minimum")  # these want `out` by name


def _writes(step: Step) -> str:
    """The array that a step without a result writes to."""
    return step.detail if step.kind in ("copy", "put", "add") else ""


def _traced(kernel: Kernel, dtype: Any, numbers: Any) -> tuple[Callable[..., bool], Callable[..., Any]]:
    """The function of a kernel for a dtype and for what these numbers decide; before it, whether it is for others, too."""
    kind = _KINDS[dtype]
    computed = COMPUTED.get(kind, kind)
    arrays, names = [], []
    over = "channels" if isinstance(kernel, ChannelKernel) else "rows" if kernel.rows else "elements"
    number = "f64" if over == "channels" else computed
    trace = Trace(kernel.name, over, [DTYPES[number].type(n) for n in numbers])
    for text in kernel.parameters:
        name, _, type_ = text.partition(":")
        layout, type_ = _LAYOUTS.get(type_[-1], ""), type_.rstrip("*+~%")
        name = f"{name}_"  # apart from the names of functions
        names.append(name)
        stored = {"f": kind, "c": computed}.get(type_, type_)
        array = Array(trace, name, stored, "" if layout == "cycle" else layout)  # type: ignore[arg-type]  # what kernels ask of a Row
        trace.arrays[name] = array
        arrays.append(array)
    kernel.build(trace, *arrays, *[Expression("number", number, f"n{i}") for i in range(len(numbers))])
    return Writer(trace, names, len(numbers)).functions(f"{kernel.name}_in_numpy")


class Lowered:
    """A kernel in NumPy, called like a compiled one; it takes arrays of any strides, and those without memory.

    What is read must not lie in the memory of an array that is only written to.
    """

    def __init__(self, kernel: Kernel, dtype: Any) -> None:
        self.kernel = kernel
        self.dtype = dtype
        self.arrays = len(kernel.parameters)
        self.functions: list[tuple[Callable[..., bool], Callable[..., Any]]] = []
        self.ready: dict[bytes | None, tuple[Callable[..., Any], Any]] = {}
        self.pack = struct.Struct(f"{kernel.numbers}d").pack
        self.layouts = [_LAYOUTS.get(text[-1], "") for text in kernel.parameters]
        self.block = CACHE // max(dtype.itemsize, 4)

    def __call__(self, *arguments: Any) -> Any:
        first = arguments[0]
        if first.__class__ is not ndarray or not first.size:
            return first
        token = silence(SILENT)
        try:
            arrays = arguments[: self.arrays]
            function, numbers = self._for(arguments[self.arrays :])
            if self.kernel.rows:
                self._over_rows(function, arrays, numbers)
            elif isinstance(self.kernel, ChannelKernel):
                self._over_channels(function, arrays, numbers)
            elif first.size > self.block:
                self._over_elements(function, arrays, numbers)
            else:
                function(*arrays, *numbers)
        finally:
            restore(token)
        return first

    def _for(self, numbers: Any) -> tuple[Callable[..., Any], Any]:
        """The function for some numbers, and these as arrays, which ufuncs take sooner than Python's or NumPy's numbers."""
        try:
            key = self.pack(*numbers)
        except struct.error:  # complex ones
            key = None
        found = None if key is None else self.ready.get(key)
        if found is None:
            kind = _KINDS[self.dtype]
            dtype = _F64 if isinstance(self.kernel, ChannelKernel) else DTYPES[COMPUTED.get(kind, kind)]
            arrays = [np.array(n, dtype) for n in numbers]
            function = next((function for is_for, function in self.functions if is_for(*arrays)), None)
            if function is None:
                made = _traced(self.kernel, self.dtype, arrays)
                self.functions.append(made)
                function = made[1]
            found = function, arrays
            if len(self.ready) >= 64:
                self.ready.clear()
            self.ready[key] = found
        return found

    def _over_elements(self, function: Callable[..., Any], arrays: Any, numbers: Any) -> None:
        """A map in blocks, where all arrays lie in one and the same order without gaps."""
        first = arrays[0]
        if not first.flags.c_contiguous and first.flags.f_contiguous:
            arrays = [a.T for a in arrays]
        if any(not a.flags.c_contiguous or a.shape != arrays[0].shape for a in arrays):
            function(*arrays, *numbers)
            return
        flat = [a.reshape(-1) for a in arrays]
        blocks = first.size // self.block
        for k in range(blocks):  # the last takes what is left, so that none is small
            part = slice(k * self.block, None if k == blocks - 1 else (k + 1) * self.block)
            function(*[a[part] for a in flat], *numbers)

    def _over_channels(self, function: Callable[..., Any], given: Any, numbers: Any) -> None:
        """A kernel over channels, in blocks of these: at least as many as make runs of some length in memory."""
        samples, channels = given[0].shape[:2]
        length = given[0].size // (samples * channels)
        row, full = (1, channels, 1), (samples, channels, length)
        arrays = [a.reshape(row if layout else full) for a, layout in zip(given, self.layouts)]
        step = max(CHANNELS * self.block // (samples * length), -(-512 // length))
        if step >= channels:
            function(*arrays, *numbers)
            return
        for c in range(0, channels, step):
            function(*[a[:, c : c + step] for a in arrays], *numbers)

    def _over_rows(self, function: Callable[..., Any], given: Any, numbers: Any) -> None:
        """A row kernel in blocks of rows, each within a chunk."""
        columns = given[0].shape[-1]
        rows = given[0].size // columns
        shapes = {"row": (rows, 1), "shared": (columns,)}
        arrays, moved, chunk, whole = [], [], rows, rows * columns <= self.block
        for a, layout in zip(given, self.layouts):
            shape = shapes.get(layout) or (-1, columns)
            seen = a if a.shape == shape or a.ndim == 2 and len(shape) == 2 and shape[0] == -1 else a.reshape(shape)
            if seen is not a and not a.flags.c_contiguous and not np.may_share_memory(seen, a):
                moved.append((a, seen))
            if layout == "partial":
                chunk = -(-rows // len(seen))
                whole = whole and len(seen) == 1
                seen = seen[0] if whole else seen
            elif layout == "cycle":
                whole = whole and len(seen) == rows
            arrays.append(seen)
        if whole:
            function(*arrays, *numbers)
        else:
            self._in_chunks(function, arrays, numbers, rows, chunk, max(1, self.block // columns))
        for a, seen in moved:
            if a.flags.writeable:
                a[...] = seen.reshape(a.shape)

    def _in_chunks(self, function: Callable[..., Any], arrays: list[Any], numbers: Any, rows: int, chunk: int, step: int) -> None:
        for c in range(0, rows, chunk):
            for i in range(c, min(c + chunk, rows), step):
                j = min(i + step, c + chunk, rows)
                function(*[_part(a, layout, i, j, c // chunk) for a, layout in zip(arrays, self.layouts)], *numbers)


def _part(a: Any, layout: str, i: int, j: int, chunk: int) -> Any:
    """What rows i to j see of an array."""
    if layout == "shared":
        return a
    if layout == "partial":
        return (a if a.ndim == 2 else a[None])[chunk]
    return a.take(np.arange(i, j) % len(a), 0) if layout == "cycle" else a[i:j]


_lowered: dict[tuple[Kernel, Any], Lowered] = {}


def in_numpy(kernel: Kernel, dtype: Any) -> Lowered:
    """A kernel lowered to NumPy for a dtype: float32, float64, float16, bfloat16, or a complex one where nothing is ordered."""
    found = _lowered.get((kernel, dtype))
    if found is None:
        if dtype.kind in "biu":
            raise unimplemented(f"{kernel.name}_cpu", dtype)
        found = _lowered[kernel, dtype] = Lowered(kernel, dtype)
    return found
