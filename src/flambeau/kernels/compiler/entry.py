"""A whole kernel as a module of IR: its loops over a range of rows or elements, and the built-in function that Python calls.

The function reads the arrays' pointers and sizes, puts them into a struct, and runs the range itself or, above a grain, with
the GIL released and over the pool of `threads.py`.
"""

from typing import Callable

from .expression import Expression
from .llvm import PRELUDE, STORAGE, Array, Row
from .streaming import choice, only_result, parts

SHORT = 24
"""A map of fewer instructions waits for memory. It is as fast with vectors of 256 bits, which cross cache lines less often than those of
512: NumPy aligns arrays to 16 bytes."""

Parameter = tuple[str, str, str]
"""Name, type in memory, layout: "" one element per column of each row, "row" one per row, "shared" one row for all, "cycle"
rows used again and again, "partial" one row for each chunk of rows (a chunk is as many rows as its first dimension says)."""


def module(
    name: str,
    build: Callable[..., None],
    arrays: list[Parameter],
    numbers: int,
    number_type: str,
    rows: bool,
    access: str | None,
    grain: int,
) -> str:
    """The IR of a kernel.

    arrays: in order; the first decides the extent. numbers: how many Python floats follow. `rows`: the kernel runs once per row
    of the last dimension; otherwise all elements are one row. access: how each array of a map lies along the innermost
    dimension, "1" neighbours, "0" one element, "s" a distance in bytes; then a last argument is the plan of the walk
    (see `walk.py`). None: all are row-major. grain: one thread's share at least, in elements.
    """
    row = Row(number_type)
    row.neighbours = access is None or set(access) == {"1"}
    parameters = [Array(row, f"%{n}_row", t, layout, access[i] if access is not None else "1") for i, (n, t, layout) in enumerate(arrays)]
    scalars = [Expression("named", number_type, f"%number{i}") for i in range(numbers)]
    build(row, *parameters, *scalars)
    partial = [i for i, (_, _, layout) in enumerate(arrays) if layout == "partial"]
    cycles = [i for i, (_, _, layout) in enumerate(arrays) if layout == "cycle"]
    fields = [f"ptr %{n}" for n, _, _ in arrays] + [f"double %wide{i}" for i in range(numbers)]
    fields += [f"i64 %{arrays[i][0]}_rows" for i in cycles] + ["i64 %columns"]
    if partial:
        fields += ["i64 %all_rows", "i64 %chunk_rows"]
    if access is not None:
        fields.append("ptr %plan")
    convert = converted(numbers, number_type)
    if access is not None:
        body = _walk_body(row, arrays, convert)
    elif rows:
        body = _rows_body(row, arrays, convert)
    else:
        bases = "".join(f"  %{n}_row = getelementptr i8, ptr %{n}, i64 0\n" for n, _, _ in arrays)
        body = "\n".join(["start:", convert + bases, "  %first = add i64 %begin, 0", "  %last = add i64 %end, 0", *row.lines, "  ret void"])
    width = ' "prefer-vector-width"="256"' if not rows and len(row.lines) < SHORT else ""
    code = f"""
define internal void @body({signature(fields)}, i64 %begin, i64 %end) noinline{width} {{
{body}
}}
"""
    result = only_result(row, arrays) if access is None and not rows else None
    return (
        PRELUDE
        + "".join(f"{line}\n" for line in row.declarations.values())
        + code
        + context(fields)
        + (part(fields, arrays, partial) if result is None else parts(fields, loaded(fields), *arrays[result][:2]))
        + entry(
            name, arrays, numbers, fields, cycles, partial, "rows" if rows else "elements", access is not None, row.serial, grain, result
        )
    )


def signature(fields: list[str]) -> str:
    """The fields of the context as parameters, none of which lies in another's memory."""
    return ", ".join(f.replace("ptr ", "ptr noalias ") for f in fields)


def converted(numbers: int, number_type: str) -> str:
    """IR that takes the kernel's numbers, which come as double, in the type that they are computed in."""
    return "".join(
        f"  %number{i} = fptrunc double %wide{i} to float\n" if number_type == "f32"
        else f"  %number{i} = fadd double %wide{i}, -0.0\n" if number_type == "f64"
        else f"  %number{i} = fptosi double %wide{i} to {number_type}\n"
        for i in range(numbers)
    )  # fmt: skip


def _rows_body(row: Row, arrays: list[Parameter], convert: str) -> str:
    bases = ""
    for n, t, layout in arrays:
        if layout == "cycle":
            bases += f"  %{n}_number = srem i64 %row, %{n}_rows\n  %{n}_offset = mul i64 %{n}_number, %columns\n"
        offset = {"": "%offset", "cycle": f"%{n}_offset"}.get(layout, "0")
        bases += f"  %{n}_row = getelementptr {STORAGE[t]}, ptr %{n}, i64 {offset}\n"
    lines = "\n".join(row.lines)
    return f"""entry:
{convert}  br label %rows
rows:
  %row = phi i64 [%begin, %entry], [%row1, %{row.label}]
  %some = icmp slt i64 %row, %end
  br i1 %some, label %start, label %finished
start:
  %offset = mul i64 %row, %columns
  %first = add i64 0, 0
  %last = add i64 %columns, 0
{bases}{lines}
  %row1 = add i64 %row, 1
  br label %rows
finished:
  ret void"""


def _walk_body(row: Row, arrays: list[Parameter], convert: str) -> str:
    """Elements [begin, end) of a walk: the plan is the inner size, the number of outer dimensions, their sizes from the
    innermost on, and for each array the inner distance and one for each outer dimension, all in bytes.

    Where a row lies is divided out at the start and whenever the innermost of the outer dimensions is through, added up in between.
    """
    steps = ""
    for k, (n, _, _) in enumerate(arrays):
        steps += f"""  %{n}_per = add i64 %outer, 1
  %{n}_before = mul i64 %{n}_per, {k}
  %{n}_index = add i64 %{n}_before, %steps_at
  %{n}_steps = getelementptr i64, ptr %plan, i64 %{n}_index
  %{n}_row_step = load i64, ptr %{n}_steps
  %{n}_along_at = getelementptr i64, ptr %{n}_steps, i64 %along
  %{n}_along = load i64, ptr %{n}_along_at
"""
    offsets = "".join(f"  %{n}_offset = phi i64 [0, %next_row], [%{n}_offset1, %dim]\n" for n, _, _ in arrays)
    moves = ""
    for n, _, _ in arrays:
        moves += f"""  %{n}_at = getelementptr i64, ptr %{n}_steps, i64 %d1
  %{n}_stride = load i64, ptr %{n}_at
  %{n}_move = mul i64 %{n}_stride, %coordinate
  %{n}_offset1 = add i64 %{n}_offset, %{n}_move
"""
    places = "".join(f"  %{n}_here = phi i64 [%{n}_offset, %located], [%{n}_further, %step]\n" for n, _, _ in arrays)
    bases = "".join(f"  %{n}_row = getelementptr i8, ptr %{n}, i64 %{n}_here\n" for n, _, _ in arrays)
    further = "".join(f"  %{n}_further = add i64 %{n}_here, %{n}_along\n" for n, _, _ in arrays)
    lines = "\n".join(row.lines)
    return f"""entry:
{convert}  %inner = load i64, ptr %plan
  %outer_at = getelementptr i64, ptr %plan, i64 1
  %outer = load i64, ptr %outer_at
  %sizes = getelementptr i64, ptr %plan, i64 2
  %steps_at = add i64 %outer, 2
  %many = icmp sgt i64 %outer, 0
  %along = zext i1 %many to i64
  %first_size = load i64, ptr %sizes
  %run = select i1 %many, i64 %first_size, i64 1
{steps}  %row0 = sdiv i64 %begin, %inner
  %nothing = icmp sge i64 %begin, %end
  br i1 %nothing, label %finished, label %next_row
next_row:
  %located_row = phi i64 [%row0, %entry], [%row1, %step]
  br label %dims
dims:
  %d = phi i64 [0, %next_row], [%d1, %dim]
  %rest = phi i64 [%located_row, %next_row], [%rest1, %dim]
{offsets}  %deeper = icmp slt i64 %d, %outer
  br i1 %deeper, label %dim, label %located
dim:
  %size_at = getelementptr i64, ptr %sizes, i64 %d
  %size = load i64, ptr %size_at
  %rest1 = udiv i64 %rest, %size
  %whole = mul i64 %rest1, %size
  %coordinate = sub i64 %rest, %whole
  %d1 = add i64 %d, 1
{moves}  br label %dims
located:
  %place0 = urem i64 %located_row, %run
  br label %start
start:
  %row = phi i64 [%located_row, %located], [%row1, %step]
  %place = phi i64 [%place0, %located], [%place1, %step]
{places}  %base = mul i64 %row, %inner
  %from = sub i64 %begin, %base
  %to = sub i64 %end, %base
  %first = call i64 @llvm.smax.i64(i64 %from, i64 0)
  %last = call i64 @llvm.smin.i64(i64 %to, i64 %inner)
{bases}{lines}
  %row1 = add i64 %row, 1
  %reached = mul i64 %row1, %inner
  %again = icmp slt i64 %reached, %end
  br i1 %again, label %step, label %finished
step:
  %place1 = add i64 %place, 1
{further}  %inside = icmp slt i64 %place1, %run
  br i1 %inside, label %start, label %next_row
finished:
  ret void"""


def context(fields: list[str]) -> str:
    """The struct of the fields."""
    return f"\n%context = type {{ {', '.join(f.split()[0] for f in fields)} }}\n"


def loaded(fields: list[str]) -> str:
    """IR that loads the fields from the context."""
    return "".join(
        f"  {n}_at = getelementptr %context, ptr %context, i32 0, i32 {i}\n  {n} = load {t}, ptr {n}_at\n"
        for i, (t, n) in enumerate(f.split() for f in fields)
    )


def part(fields: list[str], arrays: list[Parameter], partial: list[int]) -> str:
    """`@part(context, begin, end)`: the body over a range, or over a range of chunks of rows."""
    head = f"\ndefine internal void @part(ptr %context, i64 %begin, i64 %end) {{\nentry:\n{loaded(fields)}"
    if not partial:
        return f"{head}  call void @body({', '.join(fields)}, i64 %begin, i64 %end)\n  ret void\n}}\n"
    moved, arguments = "", list(fields)
    for i in partial:
        n, t, _ = arrays[i]
        moved += f"  %{n}_chunk = getelementptr {STORAGE[t]}, ptr %{n}, i64 %offset\n"
        arguments[i] = f"ptr %{n}_chunk"
    return f"""{head}  br label %test
test:
  %chunk = phi i64 [%begin, %entry], [%chunk1, %run]
  %more = icmp slt i64 %chunk, %end
  br i1 %more, label %run, label %finished
run:
  %offset = mul i64 %chunk, %columns
{moved}  %first_row = mul i64 %chunk, %chunk_rows
  %behind = add i64 %first_row, %chunk_rows
  %last_row = call i64 @llvm.smin.i64(i64 %behind, i64 %all_rows)
  call void @body({", ".join(arguments)}, i64 %first_row, i64 %last_row)
  %chunk1 = add i64 %chunk, 1
  br label %test
finished:
  ret void
}}
"""


_CHANNELS = """\
  %total = call i64 @numel(ptr %o0)
  %dims_at = getelementptr i8, ptr %o0, i64 32
  %dims = load ptr, ptr %dims_at
  %samples = load i64, ptr %dims
  %channels_at = getelementptr i64, ptr %dims, i64 1
  %extent = load i64, ptr %channels_at
  %per_channel = sdiv i64 %total, %extent
  %length = sdiv i64 %per_channel, %samples
  %share = sdiv i64 {{grain}}, %per_channel
  %grain = call i64 @llvm.smax.i64(i64 %share, i64 {least})
"""

_EXTENTS = {
    "elements": """\
  %extent = call i64 @numel(ptr %o0)
  %columns = add i64 0, 0
  %grain = add i64 {grain}, 0
""",
    "rows": """\
  %total = call i64 @numel(ptr %o0)
  %columns = call i64 @last_size(ptr %o0)
  %safe = call i64 @llvm.smax.i64(i64 %columns, i64 1)
  %extent = sdiv i64 %total, %safe
  %share = sdiv i64 {grain}, %safe
  %grain = call i64 @llvm.smax.i64(i64 %share, i64 1)
""",
    "channels": _CHANNELS.format(least=1),
    "columns": _CHANNELS.format(least=64),
    "inner": """\
  %dims_at = getelementptr i8, ptr %o0, i64 32
  %dims = load ptr, ptr %dims_at
  %outer = load i64, ptr %dims
  %samples_at = getelementptr i64, ptr %dims, i64 1
  %samples = load i64, ptr %samples_at
  %inner_at = getelementptr i64, ptr %dims, i64 2
  %inner = load i64, ptr %inner_at
  %extent = mul i64 %outer, %inner
  %share = sdiv i64 {grain}, %samples
  %grain = call i64 @llvm.smax.i64(i64 %share, i64 64)
""",
}
"""By what a kernel counts: how much of it the first array has, and how much of that is one thread's share."""


def _taken(i: int, name: str, type_: str = "ptr") -> list[str]:
    """IR that takes the data pointer of an array, or the number in a float, from argument i."""
    return [
        f"  %at{i} = getelementptr ptr, ptr %args, i64 {i}",
        f"  %o{i} = load ptr, ptr %at{i}",
        f"  %data_at{i} = getelementptr i8, ptr %o{i}, i64 16",
        f"  {name} = load {type_}, ptr %data_at{i}",
    ]


def entry(
    name: str,
    arrays: list[Parameter],
    numbers: int,
    fields: list[str],
    cycles: list[int],
    partial: list[int],
    over: str,
    walks: bool,
    serial: bool,
    grain: int,
    streamed: int | None = None,
) -> str:
    """The built-in function: arguments into the context, then the whole range here or over the pool.

    over: what the range counts of the first array: "rows", "elements" or "channels" (the second dimension), "columns" (channels with
    nothing behind them), or "inner" (the rows along the middle of three dimensions). streamed: which array may be written past the
    caches (see `streaming.py`).
    """
    loads, values = [], []
    for i in range(len(arrays)):
        loads += _taken(i, f"%data{i}")
        values.append(f"%data{i}")
    for i in range(numbers):
        loads += _taken(len(arrays) + i, f"%float{i}", "double")
        values.append(f"%float{i}")
    loads += _EXTENTS[over].format(grain=grain).rstrip().split("\n")
    for i in cycles:
        loads += [f"  %all{i} = call i64 @numel(ptr %o{i})", f"  %rows{i} = sdiv i64 %all{i}, %safe"]
        values.append(f"%rows{i}")
    more = {"channels": ["%samples", "%extent", "%length"], "columns": ["%samples", "%extent"], "inner": ["%samples", "%inner"]}
    values += more.get(over, ["%columns"])
    work, share = "%extent", "%grain"
    if partial:
        i = partial[0]
        loads += [
            f"  %dims_at = getelementptr i8, ptr %o{i}, i64 32",
            "  %dims = load ptr, ptr %dims_at",
            "  %chunks = load i64, ptr %dims",
            "  %up = add i64 %extent, %chunks",
            "  %up1 = sub i64 %up, 1",
            "  %chunk_rows = sdiv i64 %up1, %chunks",
        ]
        values += ["%extent", "%chunk_rows"]
        work, share = "%chunks", "1"
    if walks:
        loads += _taken(len(arrays) + numbers, "%plan")
        values.append("%plan")
    for i, (field, value) in enumerate(zip(fields, values)):
        loads += [
            f"  %field{i} = getelementptr %context, ptr %context, i32 0, i32 {i}",
            f"  store {field.split()[0]} {value}, ptr %field{i}",
        ]
    run = "@part"
    if streamed is not None:
        loads.append(choice([f"%data{i}" for i in range(len(arrays))], streamed, arrays[streamed][1]))
        run = "%run"
    large = "" if serial else f"""  %large = icmp sgt i64 {work}, {share}
  br i1 %large, label %over_pool, label %here
over_pool:
  %gil = call ptr @PyEval_SaveThread()
  call void @flambeau_parallel(ptr {run}, ptr %context, i64 {work}, i64 {share})
  call void @PyEval_RestoreThread(ptr %gil)
  br label %finished
"""  # fmt: skip
    return f"""
define ptr @{name}(ptr %self, ptr %args, i64 %count) {{
entry:
  %context = alloca %context
{chr(10).join(loads)}
{large or "  br label %here" + chr(10)}here:
  call void {run}(ptr %context, i64 0, i64 {work})
  br label %finished
finished:
  %references = load i64, ptr %o0
  %more_references = add i64 %references, 1
  store i64 %more_references, ptr %o0
  ret ptr %o0
}}

declare i64 @llvm.smax.i64(i64, i64)
declare i64 @llvm.smin.i64(i64, i64)
"""
