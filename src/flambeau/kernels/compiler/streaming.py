"""Large results past the caches: what a map writes goes through a small buffer and from there straight to memory.

An ordinary store reads the cache line that it is about to overwrite. For a result that no cache would keep, that is a third of the
traffic of a copy; stores past the caches save it. The map itself stays as it is: it runs over pieces of a buffer.
"""

from .llvm import STORAGE, Row

PIECE = 512
"""Elements of the buffer: long enough for the loop, short enough that reading and writing memory take turns."""

LARGE = 1 << 25
"""Bytes of a result that the caches do not keep until it is read: smaller ones are still there for the next kernel."""

_BYTES = {"float": 4, "double": 8, "i32": 4, "i64": 8, "i8": 1, "half": 2, "i16": 2}


def only_result(row: Row, arrays: list[tuple[str, str, str]]) -> int | None:
    """Which array a map writes, if that is one and nothing of it is read; else None."""
    if len(row.stored) != 1 or row.stored & row.loaded:
        return None
    (written,) = row.stored
    return [f"%{name}_row" for name, _, _ in arrays].index(written)


def parts(fields: list[str], loads: str, name: str, stored: str) -> str:
    """`@part(context, begin, end)` and `@streamed`, of the same arguments: the body over a range of a map with one result.

    Both begin with the few elements up to the first whole cache line of the result: a store that crosses lines costs two. fields:
    the body's parameters, which `loads` takes from the context. name, stored: the result and its type in memory.
    """
    type_ = STORAGE[stored]
    size = _BYTES[type_]
    lanes = 64 // size
    through_buffer = ", ".join("ptr %.piece" if f == f"ptr %{name}" else f for f in fields)
    head = f"""{loads}  %.start = getelementptr {type_}, ptr %{name}, i64 %begin
  %.address = ptrtoint ptr %.start to i64
  %.past = sub i64 0, %.address
  %.to_line = and i64 %.past, 63
  %.ahead = lshr i64 %.to_line, {size.bit_length() - 1}
  %.aligned = add i64 %begin, %.ahead
  %.first = call i64 @llvm.smin.i64(i64 %.aligned, i64 %end)
"""
    return f"""
define internal void @part(ptr %context, i64 %begin, i64 %end) {{
entry:
{head}  %.count = sub i64 %end, %begin
  %.few = icmp slt i64 %.count, {8 * PIECE}
  %.none = icmp eq i64 %.first, %begin
  %.whole = or i1 %.few, %.none
  br i1 %.whole, label %all, label %two
two:
  call void @body({", ".join(fields)}, i64 %begin, i64 %.first)
  br label %all
all:
  %.from = phi i64 [%begin, %entry], [%.first, %two]
  call void @body({", ".join(fields)}, i64 %.from, i64 %end)
  ret void
}}

define internal void @streamed(ptr %context, i64 %begin, i64 %end) {{
entry:
  %.buffer = alloca [{PIECE} x {type_}], align 64
{head}  call void @body({", ".join(fields)}, i64 %begin, i64 %.first)
  br label %test
test:
  %.i = phi i64 [%.first, %entry], [%.behind, %write]
  %.behind = add i64 %.i, {PIECE}
  %.whole = icmp sle i64 %.behind, %end
  br i1 %.whole, label %compute, label %rest
compute:
  %.back = sub i64 0, %.i
  %.piece = getelementptr {type_}, ptr %.buffer, i64 %.back
  call void @body({through_buffer}, i64 %.i, i64 %.behind)
  %.there = getelementptr {type_}, ptr %{name}, i64 %.i
  br label %write
write:
  %.j = phi i64 [0, %compute], [%.j1, %write]
  %.from = getelementptr {type_}, ptr %.buffer, i64 %.j
  %.to = getelementptr {type_}, ptr %.there, i64 %.j
  %.line = load <{lanes} x {type_}>, ptr %.from, align 64
  store <{lanes} x {type_}> %.line, ptr %.to, align 64, !nontemporal !0
  %.j1 = add i64 %.j, {lanes}
  %.more = icmp slt i64 %.j1, {PIECE}
  br i1 %.more, label %write, label %test
rest:
  fence seq_cst
  call void @body({", ".join(fields)}, i64 %.i, i64 %end)
  ret void
}}

!0 = !{{i32 1}}
"""


def choice(data: list[str], result: int, stored: str) -> str:
    """IR that sets `%run` to the part to run: `@streamed` if the result is large and no operand is the same array."""
    size = _BYTES[STORAGE[stored]]
    lines = [f"  %stream0 = icmp sge i64 %extent, {LARGE // size}"]
    operands = data[:result] + data[result + 1 :]
    for i, other in enumerate(operands):
        lines += [f"  %apart{i} = icmp ne ptr {data[result]}, {other}", f"  %stream{i + 1} = and i1 %stream{i}, %apart{i}"]
    return "\n".join([*lines, f"  %run = select i1 %stream{len(operands)}, ptr @streamed, ptr @part"])
