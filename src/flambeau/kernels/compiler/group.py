"""One launch of a map over many arrays: the optimizer's update of a whole parameter group.

The function takes Python lists of ndarrays, one for each array of the kernel, then the numbers and an ndarray of the
dtype it was compiled for. It checks every array itself (ndarray, that dtype, row-major, aligned, writeable, as many elements
as its fellows), at a nanosecond each, and returns the first list; where one is not so, the last argument, having done nothing.
"""

from typing import Callable

from .expression import Expression
from .llvm import PRELUDE, STORAGE, Array, Row

CHUNK = 16384
"""Elements of a thread's share."""

MOST = 8192
"""Arrays in one launch; of more, the caller makes several."""


def group_module(name: str, build: Callable[..., None], arrays: list[tuple[str, str]], numbers: int, number_type: str) -> str:
    """The IR of a map over lists. arrays: name and type in memory."""
    row = Row()
    parameters = [Array(row, f"%{n}_row", t) for n, t in arrays]
    build(row, *parameters, *[Expression("named", number_type, f"%number{i}") for i in range(numbers)])
    lines = "\n".join(row.lines)
    n = len(arrays)
    fields = [f"ptr %items{k}" for k in range(n)] + [f"double %wide{i}" for i in range(numbers)] + ["ptr %ends", "i64 %arrays"]
    types = ", ".join(f.split()[0] for f in fields)
    takes = "".join(
        f"  %field{i} = getelementptr %context, ptr %context, i32 0, i32 {i}\n  {f.split()[1]} = load {f.split()[0]}, ptr %field{i}\n"
        for i, f in enumerate(fields)
    )
    convert = "".join(
        f"  %number{i} = {f'fptrunc double %wide{i} to float' if number_type == 'f32' else f'fadd double %wide{i}, -0.0'}\n"
        for i in range(numbers)
    )
    pointers = ", ".join(f"ptr noalias %{a}_row" for a, _ in arrays)
    numbers_in = "".join(f", {'float' if number_type == 'f32' else 'double'} %number{i}" for i in range(numbers))
    data = "".join(
        f"  %slot{k} = getelementptr ptr, ptr %items{k}, i64 %array\n  %object{k} = load ptr, ptr %slot{k}\n"
        f"  %data_at{k} = getelementptr i8, ptr %object{k}, i64 16\n  %data{k} = load ptr, ptr %data_at{k}\n"
        for k in range(n)
    )
    rows = ", ".join(f"ptr %data{k}" for k in range(n))
    lists, checks, stores = "", "", ""
    for k in range(n):
        lists += f"""  %arg{k} = getelementptr ptr, ptr %args, i64 {k}
  %list{k} = load ptr, ptr %arg{k}
  %items_at{k} = getelementptr i8, ptr %list{k}, i64 24
  %items{k} = load ptr, ptr %items_at{k}
  %length_at{k} = getelementptr i8, ptr %list{k}, i64 16
  %length{k} = load i64, ptr %length_at{k}
"""
        checks += f"""  %slot{k} = getelementptr ptr, ptr %items{k}, i64 %i
  %object{k} = load ptr, ptr %slot{k}
  %class_at{k} = getelementptr i8, ptr %object{k}, i64 8
  %class{k} = load ptr, ptr %class_at{k}
  %array_too{k} = icmp eq ptr %class{k}, %ndarray
  br i1 %array_too{k}, label %fields{k}, label %refuse
fields{k}:
  %dtype_at{k} = getelementptr i8, ptr %object{k}, i64 56
  %dtype{k} = load ptr, ptr %dtype_at{k}
  %dtype_good{k} = icmp eq ptr %dtype{k}, %dtype
  %flags_at{k} = getelementptr i8, ptr %object{k}, i64 64
  %flags{k} = load i32, ptr %flags_at{k}
  %carray{k} = and i32 %flags{k}, 1281
  %flags_good{k} = icmp eq i32 %carray{k}, 1281
  %size{k} = call i64 @numel(ptr %object{k})
  %size_good{k} = icmp eq i64 %size{k}, %size0
  %both{k} = and i1 %dtype_good{k}, %flags_good{k}
  %good{k} = and i1 %both{k}, %size_good{k}
  br i1 %good{k}, label %next{k}, label %refuse
next{k}:
"""
    same = "  %same0 = add i1 0, 1\n"
    for k in range(1, n):
        same += f"  %equal{k} = icmp eq i64 %length{k}, %length0\n  %same{k} = and i1 %same{k - 1}, %equal{k}\n"
    for i in range(numbers):
        j = n + i
        lists += f"  %arg{j} = getelementptr ptr, ptr %args, i64 {j}\n  %float{i} = load ptr, ptr %arg{j}\n"
        lists += f"  %float_at{i} = getelementptr i8, ptr %float{i}, i64 16\n  %wide{i} = load double, ptr %float_at{i}\n"
    for i, f in enumerate(fields):
        value = "%length0" if f.endswith("%arrays") else f.split()[1]
        stores += f"  %field{i} = getelementptr %context, ptr %context, i32 0, i32 {i}\n  store {f.split()[0]} {value}, ptr %field{i}\n"
    assert all(t in STORAGE for _, t in arrays)
    return f"""{PRELUDE}
declare i64 @llvm.smin.i64(i64, i64)

%context = type {{ {types} }}

define internal void @body({pointers}{numbers_in}, i64 %first, i64 %last) noinline {{
start:
{lines}
  ret void
}}

; Chunks [begin, end) of all arrays, one behind the other; ends[i] is where the chunks of array i end.
define internal void @part(ptr %context, i64 %begin, i64 %end) {{
entry:
{takes}{convert}  br label %arrays_test
arrays_test:
  %array = phi i64 [0, %entry], [%array1, %arrays_next]
  %before = phi i64 [0, %entry], [%behind, %arrays_next]
  %more_arrays = icmp slt i64 %array, %arrays
  br i1 %more_arrays, label %look, label %finished
look:
  %end_at = getelementptr i64, ptr %ends, i64 %array
  %behind = load i64, ptr %end_at
  %from = call i64 @llvm.smax.i64(i64 %begin, i64 %before)
  %to = call i64 @llvm.smin.i64(i64 %end, i64 %behind)
  %some = icmp slt i64 %from, %to
  br i1 %some, label %run, label %arrays_next
run:
{data}  %size = call i64 @numel(ptr %object0)
  %from_chunk = sub i64 %from, %before
  %first = mul i64 %from_chunk, {CHUNK}
  %to_chunk = sub i64 %to, %before
  %to_element = mul i64 %to_chunk, {CHUNK}
  %last = call i64 @llvm.smin.i64(i64 %to_element, i64 %size)
  call void @body({rows}{numbers_in}, i64 %first, i64 %last)
  br label %arrays_next
arrays_next:
  %array1 = add i64 %array, 1
  br label %arrays_test
finished:
  ret void
}}

declare i64 @llvm.smax.i64(i64, i64)

define ptr @{name}(ptr %self, ptr %args, i64 %count) {{
entry:
  %context = alloca %context
  %ends = alloca [{MOST} x i64]
{lists}  %like_arg = getelementptr ptr, ptr %args, i64 {n + numbers}
  %like = load ptr, ptr %like_arg
  %ndarray_at = getelementptr i8, ptr %like, i64 8
  %ndarray = load ptr, ptr %ndarray_at
  %wanted_at = getelementptr i8, ptr %like, i64 56
  %dtype = load ptr, ptr %wanted_at
{same}  %few = icmp sle i64 %length0, {MOST}
  %lengths_good = and i1 %same{n - 1}, %few
  br i1 %lengths_good, label %test, label %refuse
test:
  %i = phi i64 [0, %entry], [%i1, %next{n - 1}]
  %chunks = phi i64 [0, %entry], [%chunks1, %next{n - 1}]
  %more = icmp slt i64 %i, %length0
  br i1 %more, label %check, label %launch
check:
{checks}  %up = add i64 %size0, {CHUNK - 1}
  %of_this = sdiv i64 %up, {CHUNK}
  %chunks1 = add i64 %chunks, %of_this
  %ends_at = getelementptr i64, ptr %ends, i64 %i
  store i64 %chunks1, ptr %ends_at
  %i1 = add i64 %i, 1
  br label %test
launch:
{stores}  %large = icmp sgt i64 %chunks, 2
  br i1 %large, label %over_pool, label %here
over_pool:
  %gil = call ptr @PyEval_SaveThread()
  call void @flambeau_parallel(ptr @part, ptr %context, i64 %chunks, i64 1)
  call void @PyEval_RestoreThread(ptr %gil)
  br label %finished
here:
  call void @part(ptr %context, i64 0, i64 %chunks)
  br label %finished
finished:
  %references = load i64, ptr %list0
  %more_references = add i64 %references, 1
  store i64 %more_references, ptr %list0
  ret ptr %list0
refuse:
  %none_references = load i64, ptr %like
  %none_more = add i64 %none_references, 1
  store i64 %none_more, ptr %like
  ret ptr %like
}}
"""
