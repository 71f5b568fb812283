"""Kernels written in IR by hand that learn sizes from an array of int64: the built-in function around a body.

The body is `@body(ptr noalias ..., ptr %sizes, i64 %begin, i64 %end)` and does the items [begin, end) of as many as the first of
the sizes says; the second is how many of them are one thread's share. The function takes ndarrays for the pointers and, last,
the sizes; it returns its first argument.
"""

from .llvm import PRELUDE

HEAD = f"{PRELUDE}\ndeclare i64 @llvm.smax.i64(i64, i64)\ndeclare i64 @llvm.smin.i64(i64, i64)\n"
"""What a kernel's module begins with."""


def sized_module(name: str, pointers: list[str], body: str) -> str:
    """The module of a kernel. pointers: what the body calls its arrays, in order."""
    loads, stores, takes = "", "", ""
    for i, p in enumerate([*pointers, "sizes"]):
        loads += f"""  %{p}_arg = getelementptr ptr, ptr %args, i64 {i}
  %{p}_object = load ptr, ptr %{p}_arg
  %{p}_data = getelementptr i8, ptr %{p}_object, i64 16
  %{p} = load ptr, ptr %{p}_data
"""
        slot = f"  %{p}_slot = getelementptr ptr, ptr %context, i64 {i}\n"
        stores += f"{slot}  store ptr %{p}, ptr %{p}_slot\n"
        takes += f"{slot}  %{p} = load ptr, ptr %{p}_slot\n"
    return f"""{HEAD}
{body}

define internal void @part(ptr %context, i64 %begin, i64 %end) {{
{takes}  call void @body({", ".join(f"ptr %{p}" for p in pointers)}, ptr %sizes, i64 %begin, i64 %end)
  ret void
}}

define ptr @{name}(ptr %self, ptr %args, i64 %count) {{
  %context = alloca [{len(pointers) + 1} x ptr]
{loads}{stores}  %work = load i64, ptr %sizes
  %grain_at = getelementptr i64, ptr %sizes, i64 1
  %grain = load i64, ptr %grain_at
  %large = icmp sgt i64 %work, %grain
  br i1 %large, label %over_pool, label %here
over_pool:
  %gil = call ptr @PyEval_SaveThread()
  call void @flambeau_parallel(ptr @part, ptr %context, i64 %work, i64 %grain)
  call void @PyEval_RestoreThread(ptr %gil)
  br label %finished
here:
  call void @part(ptr %context, i64 0, i64 %work)
  br label %finished
finished:
  %references = load i64, ptr %{pointers[0]}_object
  %more = add i64 %references, 1
  store i64 %more, ptr %{pointers[0]}_object
  ret ptr %{pointers[0]}_object
}}
"""


def take_sizes(*names: str) -> str:
    """IR that loads the sizes by these names, from the first on."""
    return "".join(f"  %{n}_at = getelementptr i64, ptr %sizes, i64 {i}\n  %{n} = load i64, ptr %{n}_at\n" for i, n in enumerate(names))
