"""The text of tensors: `repr(t)`, `print(t)`, `format(t)`, and the options that shape it.

Everything here takes arrays. How a tensor's fields become the arguments of `tensor_text` is the Tensor's business.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import device as devices
from . import dtype as dtypes


class PrinterOptions:
    """What `set_printoptions` sets."""

    def __init__(self) -> None:
        self.precision = 4
        self.threshold: float = 1000
        self.edgeitems = 3
        self.linewidth = 80
        self.sci_mode: bool | None = None


PRINT_OPTS = PrinterOptions()

PROFILES: dict[str, dict[str, Any]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Sets how tensors are printed. What is None stays as it is, except `sci_mode`, which is set by every call.

    precision: digits after the point (4).
    threshold: a tensor with more elements is summarised (1000).
    edgeitems: how many elements a summary shows at either end of a dim (3).
    linewidth: where lines wrap (80).
    profile: `"default"`, `"short"` or `"full"` sets the four above first; another name does nothing.
    sci_mode: scientific notation always (True), never (False), or as the values need it (None).
    """
    for name, value in PROFILES.get(profile or "", {}).items():
        setattr(PRINT_OPTS, name, value)
    if precision is not None:
        PRINT_OPTS.precision = precision
    if threshold is not None:
        PRINT_OPTS.threshold = threshold
    if edgeitems is not None:
        PRINT_OPTS.edgeitems = edgeitems
    if linewidth is not None:
        PRINT_OPTS.linewidth = linewidth
    PRINT_OPTS.sci_mode = sci_mode


def get_printoptions() -> dict[str, Any]:
    """The options now in force, as keyword arguments of `set_printoptions`."""
    return dict(vars(PRINT_OPTS))


@contextmanager
def printoptions(**kwargs: Any) -> Iterator[None]:
    """Context manager: `set_printoptions(**kwargs)` inside it, the options of before after it."""
    before = get_printoptions()
    set_printoptions(**kwargs)
    try:
        yield
    finally:
        set_printoptions(**before)


def tensor_text(
    array: Any,
    prefix: str = "tensor(",
    *,
    device: devices.device = devices.CPU,
    dtype: dtypes.dtype | None = None,
    requires_grad: bool = False,
    grad_fn_name: str | None = None,
    contents: str | None = None,
) -> str:
    """What `repr(tensor)` returns for a tensor with these elements.

    array: the elements; on `meta` anything with a `shape` (and a NumPy `dtype`, unless `dtype` is given).
    prefix: the name of the tensor's class and a parenthesis; following lines are indented by its length.
    dtype: the dtype of `array` unless given.
    grad_fn_name: the name of the node that made the tensor, or None; then `requires_grad` counts.
    contents: stands in place of the elements where given.
    Raises what Python's `format` raises for a precision that is none.
    """
    if dtype is None:
        dtype = dtypes.OF_NUMPY[array.dtype]
    default = dtypes.DEFAULT
    suffixes = []
    if device.type != "cpu":
        suffixes.append(f"device='{device}'")
    if device.type == "meta":
        text = "..."
        suffixes.append(f"size={tuple(array.shape)}")
        if dtype is not default.dtype:
            suffixes.append(f"dtype={dtype}")
    elif array.size == 0:
        text = "[]"
        if array.ndim != 1:
            suffixes.append(f"size={array.shape}")
        if dtype is not default.dtype:  # no element tells an int64 from a float
            suffixes.append(f"dtype={dtype}")
    else:
        text = _elements(array, dtype, len(prefix)) if contents is None else ""
        if not PRINT_OPTS.edgeitems:
            suffixes.append(f"size={array.shape}")
        if dtype is not default.dtype and dtype is not default.complex and dtype is not dtypes.int64 and dtype is not dtypes.bool:
            suffixes.append(f"dtype={dtype}")
    if grad_fn_name is not None:
        suffixes.append(f"grad_fn=<{grad_fn_name}>")
    elif requires_grad:
        suffixes.append("requires_grad=True")

    return with_suffixes(prefix + (text if contents is None else contents), suffixes, len(prefix))


def with_suffixes(text: str, suffixes: list[str], indent: int, new_line: bool = False) -> str:
    """The text, what is said behind it, and a closing parenthesis. `new_line`: whether the first begins a line in any case."""
    column = len(text) - text.rfind("\n") + 1  # one more than the true column, which is where PyTorch wraps
    for suffix in suffixes:
        if new_line or column + len(suffix) + 2 > PRINT_OPTS.linewidth:
            text += ",\n" + " " * indent + suffix
            column, new_line = indent + len(suffix), False
        else:
            text += ", " + suffix
            column += len(suffix) + 2
    return text + ")"


def _elements(array: Any, dtype: dtypes.dtype, indent: int) -> str:
    """The bracketed elements of an array with at least one; lines after the first are indented."""
    shape = array.shape
    if not shape:
        return _cells(array, dtype)[0][0]
    edge = PRINT_OPTS.edgeitems
    heads: list[int | None] = [None] * len(shape)  # for each dim that is cut: how many elements precede the dots
    if array.size > PRINT_OPTS.threshold:
        if not edge:
            return "[...]"
        if edge < 0 and len(shape) > 1:
            raise RuntimeError("stack expects a non-empty TensorList")
        heads = [len(range(n)[:edge]) if n > 2 * edge else None for n in shape]
        array = array[np.ix_(*[[*range(n)[:edge], *range(n)[-edge:]] if n > 2 * edge else range(n) for n in shape])]
        shape = array.shape

    cells, width = _cells(array, dtype)
    last = len(shape) - 1
    count, head = shape[last], heads[last]
    per_line = max(1, math.floor((PRINT_OPTS.linewidth - indent - last) / (width + 2)))
    wrap = ",\n" + " " * (indent + last + 1)
    blocks = []
    for start in range(0, len(cells), count):
        row = cells[start : start + count]
        if head is not None:
            row.insert(head, " ...")
        lines = [", ".join(row[i : i + per_line]) for i in range(0, len(row), per_line)]
        blocks.append("[" + wrap.join(lines) + "]")
    for axis in range(last - 1, -1, -1):
        count, head = shape[axis], heads[axis]
        between = "," + "\n" * (last - axis) + " " * (indent + axis + 1)
        outer = []
        for start in range(0, len(blocks), count):
            group = blocks[start : start + count]
            if head is not None:
                group.insert(head, "...")
            outer.append("[" + between.join(group) + "]")
        blocks = outer
    return blocks[0]


def _cells(array: Any, dtype: dtypes.dtype) -> tuple[list[str], int]:
    """The text of each element, and the width that wrapping reckons with (zeros, nan and inf don't count for it)."""
    values = array.reshape(-1).tolist()
    if dtype.is_floating_point:
        return _float_cells(values)
    if dtype.is_complex:
        real, real_width = _float_cells([value.real for value in values])
        imag, imag_width = _float_cells([value.imag for value in values])
        cells = []
        for a, b in zip(real, imag, strict=True):
            b = b.lstrip()
            cells.append(f"{a}{b}j" if b[0] == "-" else f"{a}+{b}j")
        return cells, real_width + imag_width + 1
    cells = [str(value) for value in values]
    width = max(map(len, cells))
    return [cell.rjust(width) for cell in cells], width


def _float_cells(values: list[float]) -> tuple[list[str], int]:
    """The text of real numbers, all in one notation: whole (`1.`), decimal or scientific."""
    counted = [value != 0 and math.isfinite(value) for value in values]
    sizes = [abs(value) for value, counts in zip(values, counted, strict=True) if counts]
    scientific = False
    whole = True
    if sizes:
        low, high = min(sizes), max(sizes)
        whole = all(map(float.is_integer, sizes))
        if PRINT_OPTS.sci_mode is None:
            scientific = high / low > 1000.0 or high > 1.0e8 or low < 1.0e-4
        else:
            scientific = PRINT_OPTS.sci_mode
    if scientific:
        spec = f".{PRINT_OPTS.precision}e"
    elif whole:
        spec = ".0f"
    else:
        spec = f".{PRINT_OPTS.precision}f"
    cells = [format(value, spec) for value in values]
    if whole and not scientific:
        cells = [cell + "." if math.isfinite(value) else cell for cell, value in zip(cells, values, strict=True)]
    width = max((len(cell) for cell, counts in zip(cells, counted, strict=True) if counts), default=1)
    return [cell.rjust(width) for cell in cells], width
