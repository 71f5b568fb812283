"""The LLVM lowering of kernels over the channels of row-major arrays (N, C, ...), and of row kernels over columns.

Where a channel's elements lie side by side, one channel is done after the other, so that it stays in the cache while several loops
run over it; the sum of a channel adds up its lines in the elements' type, and the lines' sums in float64. Where every element is in
another channel than its neighbours (no dimensions behind C), a channel is a column, and so is a row along another dimension than the
last: the loops go over the rows of a matrix, and inside over many columns; what is known per column lies in memory on the stack.
"""

import operator
from typing import Any, Callable

from .entry import Parameter, context, converted, entry, part, signature
from .expression import Expression, cast, multiply_add, where
from .llvm import LLVM_TYPE, PRELUDE, STORAGE, Array, Block, Row, literal

WIDTH = 512
"""Columns that are done at once: their sums stay in the first-level cache, and what is read of each row is a long run of memory."""


class Channel(Row):
    """The loops over the elements of one channel."""

    def sums(self, *bodies: Callable[[Expression], Expression]) -> list[Expression]:
        """The sums of several functions of the index over the channel."""
        return [self.sum(body) for body in bodies]

    def _loop(self, body: Callable[[Expression], Any], reduction: str | None, initial: float | None, when: Expression | None = None) -> Any:
        if reduction not in (None, "sum") or when is not None:
            raise NotImplementedError("a kernel over channels with another reduction than a sum, or with a condition")
        k = self.fresh("")
        self.block = block = Block(self.fresh)
        result = body(Expression("named", "i64", f"%at{k}"))
        total = row_sum = add = ""
        if reduction:
            kind, zero = LLVM_TYPE[result.type], literal(0.0, result.type)
            update = block.emit(f"fadd reassoc {kind} %sum{k}, {block.value(result)}")
            total = f"  %total{k} = phi double [{literal(0.0, 'f64')}, %{self.label}], [%total_next{k}, %line_done{k}]\n"
            row_sum = f"  %sum{k} = phi {kind} [{zero}, %line{k}], [{update}, %loop{k}]\n"
            wide = f"%sum{k}"
            if kind == "float":
                add, wide = f"  %line_sum{k} = fpext float %sum{k} to double\n", f"%line_sum{k}"
            add += f"  %total_next{k} = fadd double %total{k}, {wide}\n"
        lines = "\n".join(block.lines)
        self.lines.append(f"""  br label %lines{k}
lines{k}:
  %n{k} = phi i64 [0, %{self.label}], [%n_next{k}, %line_done{k}]
{total}  %more_lines{k} = icmp slt i64 %n{k}, %samples
  br i1 %more_lines{k}, label %line{k}, label %done{k}
line{k}:
  %before{k} = mul nsw i64 %n{k}, %channels
  %line_number{k} = add nsw i64 %before{k}, %row
  %start{k} = mul nsw i64 %line_number{k}, %length
  br label %head{k}
head{k}:
  %i{k} = phi i64 [0, %line{k}], [%next{k}, %loop{k}]
{row_sum}  %more{k} = icmp slt i64 %i{k}, %length
  br i1 %more{k}, label %loop{k}, label %line_done{k}
loop{k}:
  %at{k} = add nsw i64 %start{k}, %i{k}
{lines}
  %next{k} = add nsw i64 %i{k}, 1
  br label %head{k}
line_done{k}:
{add}  %n_next{k} = add nsw i64 %n{k}, 1
  br label %lines{k}
done{k}:""")
        self.label = f"done{k}"
        self.block = None
        return Expression("named", "f64", f"%total{k}") if reduction else None


class _ColumnBlock(Block):
    """Code inside a loop over columns: `column` names the loop's index."""

    def __init__(self, names: Callable[[], str], column: str) -> None:
        super().__init__(names)
        self.column = column

    def _compute(self, x: Expression) -> str:
        if x.operation == "column":
            pointer, stored = x.arguments
            return self.load(pointer, self.column, stored, "1")
        return super()._compute(x)


class Columns(Row):
    """The same loops over up to `WIDTH` columns of a matrix. wide: whether a sum is handed on in float64."""

    along_lanes = False

    def __init__(self, wide: bool) -> None:
        super().__init__()
        self.wide = wide
        self.stack: list[str] = []

    def once(self, x: Expression) -> Expression:
        slot = self._slot(x.type)
        self._columns(lambda block: block.store(slot.arguments[0], block.column, x.type, "1", block.value(x)))
        return slot

    def put(self, array: Array, value: Expression) -> None:
        value = cast(value, array.type)
        self._columns(lambda block: block.store(array.pointer, block.column, array.stored, array.access, block.value(value)))

    def get(self, array: Array) -> Expression:
        return Expression("column", array.type, array.pointer, array.stored)

    def sum(self, body: Callable[[Expression], Expression]) -> Expression:
        return self.sums(body)[0]

    lane_sum = sum

    def lane_dot(self, body: Callable[[Expression], tuple[Expression, Expression]]) -> Expression:
        def joined(total: Expression, product: Expression) -> Expression:
            a, b = product.arguments
            return multiply_add(a, b, total)

        return self._reduced((lambda i: operator.mul(*body(i)),), 0.0, joined)[0]

    def sums(self, *bodies: Callable[[Expression], Expression]) -> list[Expression]:
        slots = self._reduced(bodies, 0.0, lambda total, x: total + x)
        return [cast(slot, "f64") for slot in slots] if self.wide else slots

    def max(self, body: Callable[[Expression], Expression]) -> Expression:
        return self._reduced((body,), float("-inf"), lambda peak, x: where(x > peak, x, peak))[0]

    def _reduced(self, bodies: Any, initial: float, combine: Callable[[Expression, Expression], Expression]) -> list[Expression]:
        """What several functions of the index give in each column, combined in one loop over the rows."""
        slots: list[Expression] = []

        def add(index: Expression) -> None:
            block = self.block
            assert isinstance(block, _ColumnBlock)
            for body in bodies:
                term = body(index)
                slot = self._slot(term.type)
                slots.append(slot)
                block.store(slot.arguments[0], block.column, term.type, "1", block.value(combine(slot, term)))

        loop = self._rows(add)
        for slot in slots:
            self._fill(slot, initial)
        self._append(loop)
        return slots

    def each(self, body: Callable[[Expression], Any], when: Expression | None = None) -> None:
        if when is not None:
            raise NotImplementedError("a kernel over channels with a condition")
        self._append(self._rows(body))

    each_lane = each

    def _loop(self, *_: Any) -> Any:
        raise NotImplementedError("a kernel over channels with another reduction than a sum")

    def _slot(self, type_: str) -> Expression:
        """Room for a number per column."""
        name = self.fresh("%slot")
        self.stack.append(f"  {name} = alloca [{WIDTH} x {STORAGE[type_]}], align 64\n")
        return Expression("column", type_, name, type_)

    def _fill(self, slot: Expression, number: float) -> None:
        """A number in each column of a slot."""
        value = literal(number, slot.type)
        self._columns(lambda block: block.store(slot.arguments[0], block.column, slot.type, "1", value))

    def _columns(self, write: Callable[[_ColumnBlock], Any]) -> None:
        """A loop over the columns."""
        k = self.fresh("")
        block = _ColumnBlock(self.fresh, f"%j{k}")
        write(block)
        self._append((k, self._inner(k, f"%{self.label}", block, f"done{k}")))

    def _inner(self, k: str, before: str, block: Block, behind: str) -> str:
        lines = "\n".join(block.lines)
        return f"""  br label %columns{k}
columns{k}:
  %j{k} = phi i64 [0, {before}], [%j_next{k}, %column{k}]
  %more_columns{k} = icmp slt i64 %j{k}, %width
  br i1 %more_columns{k}, label %column{k}, label %{behind}
column{k}:
{lines}
  %j_next{k} = add nsw i64 %j{k}, 1
  br label %columns{k}
"""

    def _rows(self, body: Callable[[Expression], Any]) -> tuple[str, str]:
        """A loop over the rows, and inside one over the columns; what comes before is marked by BEFORE."""
        k = self.fresh("")
        self.block = block = _ColumnBlock(self.fresh, f"%j{k}")
        block.lines.append(f"  %at{k} = add nsw i64 %start{k}, %j{k}")
        body(Expression("named", "i64", f"%at{k}"))
        self.block = None
        inner = self._inner(k, f"%line{k}", block, f"line_done{k}")
        text = f"""  br label %lines{k}
lines{k}:
  %n{k} = phi i64 [0, %BEFORE], [%n_next{k}, %line_done{k}]
  %more_lines{k} = icmp slt i64 %n{k}, %n
  br i1 %more_lines{k}, label %line{k}, label %done{k}
line{k}:
  %start{k} = mul nsw i64 %n{k}, %inner
{inner}line_done{k}:
  %n_next{k} = add nsw i64 %n{k}, 1
  br label %lines{k}
"""
        return k, text

    def _append(self, loop: tuple[str, str]) -> None:
        k, text = loop
        self.lines.append(f"{text.replace('%BEFORE', '%' + self.label)}done{k}:")
        self.label = f"done{k}"


def channel_module(name: str, build: Callable[..., None], arrays: list[Parameter], numbers: int, grain: int) -> str:
    """The IR of a kernel over channels, one after the other. Its numbers are float64.

    arrays: layout "" has the shape (N, C, ...) of the first, "row" one element per channel. grain: one thread's share at least, in
    elements.
    """
    row = Channel()
    build(
        row,
        *[Array(row, f"%{n}_row", t, layout) for n, t, layout in arrays],
        *[Expression("named", "f64", f"%wide{i}") for i in range(numbers)],
    )
    fields = [f"ptr %{n}" for n, _, _ in arrays] + [f"double %wide{i}" for i in range(numbers)]
    fields += ["i64 %samples", "i64 %channels", "i64 %length"]
    bases = "".join(f"  %{n}_row = getelementptr i8, ptr %{n}, i64 0\n" for n, _, _ in arrays)
    lines = "\n".join(row.lines)
    body = f"""
define internal void @body({signature(fields)}, i64 %begin, i64 %end) noinline {{
entry:
  br label %rows
rows:
  %row = phi i64 [%begin, %entry], [%row1, %{row.label}]
  %some = icmp slt i64 %row, %end
  br i1 %some, label %start, label %finished
start:
{bases}{lines}
  %row1 = add i64 %row, 1
  br label %rows
finished:
  ret void
}}
"""
    return (
        PRELUDE
        + body
        + context(fields)
        + part(fields, arrays, [])
        + entry(name, arrays, numbers, fields, [], [], "channels", False, False, grain)
    )


def column_module(
    name: str, build: Callable[..., None], arrays: list[Parameter], numbers: int, number_type: str, channels: bool, grain: int
) -> str:
    """The IR of a kernel over columns: of a kernel over the channels of (N, C), or of a row kernel along the middle of (outer, n, inner).

    arrays: layout "" has the shape of the first, "row" one element per column.
    """
    row = Columns(channels)
    if any(layout not in ("", "row") for _, _, layout in arrays):
        raise NotImplementedError(f"{name}: rows that columns share")
    build(
        row,
        *[Array(row, f"%{n}_row", t, layout) for n, t, layout in arrays],
        *[Expression("named", number_type, f"%number{i}") for i in range(numbers)],
    )
    fields = [f"ptr %{n}" for n, _, _ in arrays] + [f"double %wide{i}" for i in range(numbers)] + ["i64 %n", "i64 %inner"]
    bases = "".join(f"  %{n}_row = getelementptr {STORAGE[t]}, ptr %{n}, i64 {'%row' if layout else '%first'}\n" for n, t, layout in arrays)
    lines = "\n".join(row.lines)
    body = f"""
define internal void @body({signature(fields)}, i64 %begin, i64 %end) noinline {{
entry:
{"".join(row.stack)}{converted(numbers, number_type)}  br label %rows
rows:
  %row = phi i64 [%begin, %entry], [%row1, %{row.label}]
  %some = icmp slt i64 %row, %end
  br i1 %some, label %start, label %finished
start:
  %outer = sdiv i64 %row, %inner
  %column = srem i64 %row, %inner
  %rows_before = mul i64 %outer, %n
  %offset = mul i64 %rows_before, %inner
  %first = add i64 %offset, %column
  %behind = sub i64 %inner, %column
  %left = sub i64 %end, %row
  %here = call i64 @llvm.smin.i64(i64 %behind, i64 %left)
  %width = call i64 @llvm.smin.i64(i64 %here, i64 {WIDTH})
{bases}{lines}
  %row1 = add i64 %row, %width
  br label %rows
finished:
  ret void
}}
"""
    over = "columns" if channels else "inner"
    return (
        PRELUDE
        + body
        + context(fields)
        + part(fields, arrays, [])
        + entry(name, arrays, numbers, fields, [], [], over, False, False, grain)
    )
