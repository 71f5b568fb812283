"""Reductions of row-major arrays seen as (outer, n, inner), over the middle: how they are cut up, and their IR.

What is added up is cut into chunks whose sizes depend on the array's alone, so the order of the additions, and with it the
result, does not depend on the number of threads. Sums are kept in float64; of columns, some rows at a time are added pairwise
before. A launch fills `out` (outer, chunks, inner); the caller combines the chunks.
"""

from typing import Any, Callable

import numpy as np

from .expression import Expression, binary, cast, compare, where
from .llvm import COMPUTED, LLVM_TYPE, STORAGE, Array, Block, Row, literal
from .sized import sized_module, take_sizes

WIDTH = 1024
"""Columns that are added up side by side: their sums stay in the first-level cache."""

SHARE = 1 << 16
"""About so many elements make a chunk."""

LANES = 8
"""Rows that are joined before they are added to the sums."""


class Reduction:
    """A reduction: `element(x, extra...)` of every element, combined by "sum", "maximum" or "minimum".

    extras: how many arrays (outer, inner) of the accumulating type the element depends on, such as the mean or the maximum.
    """

    def __init__(self, name: str, element: Callable[..., Expression], combine: str = "sum", extras: int = 0) -> None:
        self.name = name
        self.element = element
        self.combine = combine
        self.extras = extras
        self.versions: dict[Any, Callable[..., Any]] = {}

    def accumulates(self, dtype: np.dtype) -> np.dtype:
        """The dtype of what a launch leaves."""
        return np.dtype(np.float64) if self.combine == "sum" or dtype.char == "d" else np.dtype(np.float32)

    def launch(self, x: np.ndarray, outer: int, n: int, inner: int, *extras: np.ndarray) -> np.ndarray:
        """The partial results (outer, chunks, inner) of a row-major array."""
        from .jit import python_function
        from .launch import KINDS

        accumulator = self.accumulates(x.dtype)
        width = min(inner, WIDTH)
        if inner == 1:
            chunk = 2048 if x.dtype.char == "d" else SHARE
        else:
            chunk = min(1024, -(-max(4 * SHARE // width, 1) // LANES) * LANES)
        chunk = min(chunk, n)
        chunks, blocks = -(-n // chunk), -(-inner // WIDTH)
        out = np.empty((outer, chunks, inner), accumulator)
        key = x.dtype, inner == 1
        found = self.versions.get(key)
        if found is None:
            name = f"flambeau_{self.name}_{KINDS[x.dtype]}_{'rows' if inner == 1 else 'columns'}"
            found = self.versions[key] = python_function(self._module(name, KINDS[x.dtype], KINDS[accumulator], inner == 1), name)
        grain = max(1, SHARE // 2 // (chunk * width))
        found(out, x, *extras, np.array([outer * chunks * blocks, grain, n, inner, chunk, chunks, blocks], np.int64))
        return out

    def _module(self, name: str, stored: str, accumulator: str, rows: bool) -> str:
        pointers = ["out", "x", *[f"extra{i}" for i in range(self.extras)]]
        body = self._rows(stored, accumulator) if rows else self._columns(stored, accumulator)
        code = f"""
define internal void @body({", ".join(f"ptr noalias %{p}" for p in pointers)}, ptr %sizes, i64 %begin, i64 %end) noinline {{
entry:
  %sums = alloca [{WIDTH} x {LLVM_TYPE[accumulator]}], align 64
{take_sizes("work", "grain", "n", "inner", "chunk", "chunks", "blocks")}  br label %items
items:
  %item = phi i64 [%begin, %entry], [%item1, %item_done]
  %some = icmp slt i64 %item, %end
  br i1 %some, label %start, label %finished
{body}
item_done:
  %item1 = add i64 %item, 1
  br label %items
finished:
  ret void
}}
"""
        return sized_module(name, pointers, code)

    def _rows(self, stored: str, accumulator: str) -> str:
        """One item is a chunk of a row."""
        row = Row()
        x = Array(row, "%x_row", stored)
        extras = [row.once(Expression("load", accumulator, f"%extra{i}", "%o", accumulator, "1")) for i in range(self.extras)]

        def element(i: Expression) -> Expression:
            value = x[i] if self.combine != "sum" or extras else cast(x[i], accumulator)
            return cast(self.element(value, *extras), accumulator)

        result = row.fold(element, self.combine)
        lines = "\n".join(row.lines)
        return f"""start:
  %o = sdiv i64 %item, %chunks
  %c = srem i64 %item, %chunks
  %row_offset = mul i64 %o, %n
  %chunk_offset = mul i64 %c, %chunk
  %offset = add i64 %row_offset, %chunk_offset
  %x_row = getelementptr {STORAGE[stored]}, ptr %x, i64 %offset
  %left = sub i64 %n, %chunk_offset
  %first = add i64 0, 0
  %last = call i64 @llvm.smin.i64(i64 %left, i64 %chunk)
{lines}
  %out_at = getelementptr {STORAGE[accumulator]}, ptr %out, i64 %item
  store {STORAGE[accumulator]} {result.arguments[0]}, ptr %out_at
  br label %item_done"""

    def _columns(self, stored: str, accumulator: str) -> str:
        """One item is a chunk of rows, at most `WIDTH` columns of them."""
        kind = LLVM_TYPE[accumulator]
        initial = literal({"sum": 0.0, "maximum": float("-inf"), "minimum": float("inf")}[self.combine], accumulator)

        def loop(label: str, lanes: int) -> str:
            """Adds `lanes` rows to the sums."""
            count = 0

            def fresh() -> str:
                nonlocal count
                count += 1
                return f"%{label}v{count}"

            block = Block(fresh)
            j = f"%{label}_j"
            extras = [Expression("load", accumulator, f"%extra{i}_row", j, accumulator, "1") for i in range(self.extras)]
            values = []
            for lane in range(lanes):
                x = Expression("load", COMPUTED.get(stored, stored), f"%{label}_row{lane}", j, stored, "1")
                values.append(self.element(x, *extras))
            join = self._joined if stored != "f16" else self._chosen
            while len(values) > 1:  # pairwise, in the type of the elements
                values = [join(a, b) for a, b in zip(values[::2], values[1::2])]
            at = block.emit(f"getelementptr {kind}, ptr %sums, i64 {j}")
            old = block.emit(f"load {kind}, ptr {at}")
            joined = self._joined(Expression("named", accumulator, old), cast(values[0], accumulator))
            block.lines.append(f"  store {kind} {block.value(joined)}, ptr {at}")
            bases = "".join(
                f"  %{label}_index{k} = add i64 %{label}_i, {k}\n  %{label}_move{k} = mul i64 %{label}_index{k}, %inner\n"
                f"  %{label}_row{k} = getelementptr {STORAGE[stored]}, ptr %base, i64 %{label}_move{k}\n"
                for k in range(lanes)
            )
            code = "\n".join(block.lines)
            return f"""{bases}  br label %{label}_columns
{label}_columns:
  {j} = phi i64 [0, %{label}_body], [{j}1, %{label}_columns]
{code}
  {j}1 = add nuw nsw i64 {j}, 1
  %{label}_end = icmp eq i64 {j}1, %width
  br i1 %{label}_end, label %{label}_next, label %{label}_columns
"""

        extra_rows = "".join(
            f"  %extra{i}_move = mul i64 %o, %inner\n  %extra{i}_first = add i64 %extra{i}_move, %column\n"
            f"  %extra{i}_row = getelementptr {kind}, ptr %extra{i}, i64 %extra{i}_first\n"
            for i in range(self.extras)
        )
        return f"""start:
  %oc = sdiv i64 %item, %blocks
  %b = srem i64 %item, %blocks
  %o = sdiv i64 %oc, %chunks
  %c = srem i64 %oc, %chunks
  %column = mul i64 %b, {WIDTH}
  %columns_left = sub i64 %inner, %column
  %width = call i64 @llvm.smin.i64(i64 %columns_left, i64 {WIDTH})
  %first = mul i64 %c, %chunk
  %rows_left = sub i64 %n, %first
  %rows = call i64 @llvm.smin.i64(i64 %rows_left, i64 %chunk)
  %rows_before = mul i64 %o, %n
  %row0 = add i64 %rows_before, %first
  %row0_offset = mul i64 %row0, %inner
  %offset = add i64 %row0_offset, %column
  %base = getelementptr {STORAGE[stored]}, ptr %x, i64 %offset
{extra_rows}  br label %zero
zero:
  %z = phi i64 [0, %start], [%z1, %zero]
  %z_at = getelementptr {kind}, ptr %sums, i64 %z
  store {kind} {initial}, ptr %z_at
  %z1 = add nuw nsw i64 %z, 1
  %z_end = icmp eq i64 %z1, %width
  br i1 %z_end, label %wide, label %zero
wide:
  %many = sdiv i64 %rows, {LANES}
  %joined = mul i64 %many, {LANES}
  br label %wide_test
wide_test:
  %wide_i = phi i64 [0, %wide], [%wide_i1, %wide_next]
  %wide_more = icmp slt i64 %wide_i, %joined
  br i1 %wide_more, label %wide_body, label %single_test
wide_body:
{loop("wide", LANES)}wide_next:
  %wide_i1 = add i64 %wide_i, {LANES}
  br label %wide_test
single_test:
  %single_i = phi i64 [%joined, %wide_test], [%single_i1, %single_next]
  %single_more = icmp slt i64 %single_i, %rows
  br i1 %single_more, label %single_body, label %write
single_body:
{loop("single", 1)}single_next:
  %single_i1 = add i64 %single_i, 1
  br label %single_test
write:
  %out_row = mul i64 %oc, %inner
  %out_first = add i64 %out_row, %column
  %out_at = getelementptr {kind}, ptr %out, i64 %out_first
  %bytes = mul i64 %width, {8 if accumulator == "f64" else 4}
  call void @llvm.memcpy.p0.p0.i64(ptr %out_at, ptr %sums, i64 %bytes, i1 false)
  br label %item_done"""

    def _joined(self, a: Expression, b: Expression) -> Expression:
        return a + b if self.combine == "sum" else binary(self.combine, a, b)

    def _chosen(self, a: Expression, b: Expression) -> Expression:
        """The same of float16: LLVM would take the larger of these as such, one by one."""
        if self.combine == "sum":
            return a + b
        first = a > b if self.combine == "maximum" else a < b
        return where(first | compare("ne", a, a), a, b)
