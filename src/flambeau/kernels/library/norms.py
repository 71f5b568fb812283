"""2-norms in PyTorch's order: squares are added down one AVX2 register, then its lanes and what is left of the elements, one by one.

Found by comparing bits of float32 and float64, 1 to 1,000,000 elements. Products are fused with sums for the last elements alone: in
float32 up to three, in fours they are not.
"""

from functools import cache
from typing import Any, Callable

from ..compiler.code import Code, mangled
from ..compiler.code import module as code_module
from ..compiler.llvm import PRELUDE
from ..compiler.sized import HEAD, sized_module
from .vectors import Shape, Writer

SHARE = 1 << 15
"""Elements of a list below which one thread does all of it."""

_USABLE = 0x101  # flags of ndarrays: row-major and aligned


def _norm(s: Shape) -> Code:
    w = Writer(s, "norm", "x count:i64", s.element)
    totals = w.variable(s.vector, 0.0)
    whole = w["count"] & -s.width
    with w.loop(0, whole, s.width) as i:
        x = w.load(s.vector, w["x"], i)
        totals.value = totals.value + x * x
    lanes = totals.value
    total = w.variable(s.element, w.lane(lanes, 0))
    for lane in range(1, s.width):
        total.value = total.value + w.lane(lanes, lane)
    fours = w["count"] & -4 if s.size == 4 else whole
    with w.loop(whole, fours, short=True) as i:
        x = w.load(s.element, w["x"], i)
        total.value = total.value + x * x
    with w.loop(fours, w["count"], short=True) as i:
        x = w.load(s.element, w["x"], i)
        total.value = w.call(s.element, f"llvm.fma.{mangled(s.element)}", x, x, total.value)
    w.back(w.call(s.element, f"llvm.sqrt.{mangled(s.element)}", total.value))
    return w


def _rows_body(s: Shape) -> Code:
    """Rows [begin, end)."""
    w = Writer(s, "body", "out x sizes begin:i64 end:i64")
    n = w.field(w["sizes"], 16, "i64")
    with w.loop(w["begin"], w["end"]) as row:
        w.store(w.call(s.element, "norm", w.at(w["x"], row * n), n), w["out"], row)
    return w


def _list_body(s: Shape) -> Code:
    """Arrays [begin, end) of those at the first address of the context; the results go to the second."""
    w = Writer(s, "list_body", "context begin:i64 end:i64")
    items, out = w.load("ptr", w["context"], 0), w.load("ptr", w["context"], 1)
    with w.loop(w["begin"], w["end"]) as i:
        array = w.load("ptr", items, i)
        w.store(w.call(s.element, "norm", w.field(array, 16), w.call("i64", "numel", array)), out, i)
    return w


def _list_entry(s: Shape, name: str) -> Code:
    """The built-in function of an array for the results and a list; returns the array, or the list where it does not take one of it."""
    w = Writer(s, name, "self args count:i64", "ptr", internal=False)
    out, given = w.load("ptr", w["args"], 0), w.load("ptr", w["args"], 1)
    count, items = w.field(given, 16, "i64"), w.field(given, 24)
    elements = w.variable("i64", 0)
    with w.loop(count) as i:
        array = w.load("ptr", items, i)
        with w.when(w.field(array, 8).differs(w.field(out, 8))):
            w.give(given)
        fits = w.field(array, 56).equals(w.field(out, 56)) & (w.field(array, 64, "i32") & _USABLE).equals(_USABLE)
        with w.when(~fits):
            w.give(given)
        elements.value = elements.value + w.call("i64", "numel", array)
    context = w.memory("[2 x ptr]")
    w.store(items, context, 0)
    w.store(w.field(out, 16), context, 1)
    with w.when(elements.value < SHARE):
        w.call("void", "list_body", context, 0, count)
        w.give(out)
    with w.unlocked():
        w.spread("list_body", context, count, 1)
    w.give(out)
    return w


def _shape(itemsize: int) -> Shape:
    return Shape("float" if itemsize == 4 else "double", 256)


@cache
def of_rows(itemsize: int) -> Callable[..., Any]:
    """`kernel(out, x, [rows, grain, n])`."""
    from ..compiler.jit import python_function

    s = _shape(itemsize)
    name = f"flambeau_norms_of_rows_{s.kind}"
    return python_function(sized_module(name, ["out", "x"], code_module([_norm(s), _rows_body(s)], known=HEAD)), name)


@cache
def of_list(itemsize: int) -> Callable[..., Any]:
    """`kernel(out, arrays)`: `out`, or `arrays` where one of them is no row-major array of out's dtype."""
    from ..compiler.jit import python_function

    s = _shape(itemsize)
    name = f"flambeau_norms_of_list_{s.kind}"
    return python_function(code_module([_norm(s), _list_body(s), _list_entry(s, name)], PRELUDE), name)
