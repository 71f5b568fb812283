"""One launch over many arrays: the optimizer's update of a whole parameter group, the norm of all gradients.

The function of a map takes Python lists of ndarrays, one for each array of the kernel, then the numbers and an ndarray of the
dtype it was compiled for. It checks every array itself (ndarray, that dtype, row-major, aligned, writeable, as many elements
as its fellows), at a nanosecond each, and returns the first list; where one is not so, the last argument, having done nothing.
That of a sum only reads, and returns a float. It adds up chunks of fixed sizes, and these in their order, in float64, whatever the
number of threads.
"""

from typing import Any, Callable

import numpy as np

from .expression import Expression, cast
from .llvm import PRELUDE, STORAGE, Array, Row

CHUNK = 16384
"""Elements of a thread's share; up to two of them stay on one thread."""

MOST = 8192
"""Arrays in one launch; of more, the caller makes several."""

_LIST = """  %arg{k} = getelementptr ptr, ptr %args, i64 {k}
  %list{k} = load ptr, ptr %arg{k}
  %items_at{k} = getelementptr i8, ptr %list{k}, i64 24
  %items{k} = load ptr, ptr %items_at{k}
  %length_at{k} = getelementptr i8, ptr %list{k}, i64 16
  %length{k} = load i64, ptr %length_at{k}
"""
"""Argument k: a list, its items and its length."""

_CHECK = """  %slot{k} = getelementptr ptr, ptr %items{k}, i64 %i
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
  %carray{k} = and i32 %flags{k}, {needed}
  %flags_good{k} = icmp eq i32 %carray{k}, {needed}
  %size{k} = call i64 @numel(ptr %object{k})
  %size_good{k} = icmp eq i64 %size{k}, %size0
  %both{k} = and i1 %dtype_good{k}, %flags_good{k}
  %good{k} = and i1 %both{k}, %size_good{k}
  br i1 %good{k}, label %next{k}, label %refuse
next{k}:
"""
"""Refuses unless array number i of list k is what the kernel takes."""

_SHARE_OF_MAP = """  %first = mul i64 %from_chunk, {CHUNK}
  %to_element = mul i64 %to_chunk, {CHUNK}
  %last = call i64 @llvm.smin.i64(i64 %to_element, i64 %size)
  call void @body({rows}{numbers_in}, i64 %first, i64 %last)
  br label %arrays_next"""
"""What a thread does with the chunks of an array that are its share."""

_SHARE_OF_SUM = """  br label %chunks_test
chunks_test:
  %chunk = phi i64 [%from_chunk, %run], [%chunk1, %chunk_run]
  %more_chunks = icmp slt i64 %chunk, %to_chunk
  br i1 %more_chunks, label %chunk_run, label %arrays_next
chunk_run:
  %first = mul i64 %chunk, {CHUNK}
  %whole = add i64 %first, {CHUNK}
  %last = call i64 @llvm.smin.i64(i64 %whole, i64 %size)
  %sum = call double @body({rows}{numbers_in}, i64 %first, i64 %last)
  %place = add i64 %before, %chunk
  %sum_at = getelementptr double, ptr %sums, i64 %place
  store double %sum, ptr %sum_at
  %chunk1 = add i64 %chunk, 1
  br label %chunks_test"""

_MEMORY = """  %some_chunks = add i64 %chunks, 1
  %bytes = mul i64 %some_chunks, 8
  %sums = call ptr @malloc(i64 %bytes)
  %none = icmp eq ptr %sums, null
  br i1 %none, label %refuse, label %ready
ready:
"""

_FINISH_MAP = """  %references = load i64, ptr %list0
  %more_references = add i64 %references, 1
  store i64 %more_references, ptr %list0
  ret ptr %list0"""

_FINISH_SUM = """  br label %add_test
add_test:
  %c = phi i64 [0, %finished], [%c1, %add]
  %total = phi double [0.0, %finished], [%total1, %add]
  %more_sums = icmp slt i64 %c, %chunks
  br i1 %more_sums, label %add, label %added
add:
  %sum_at = getelementptr double, ptr %sums, i64 %c
  %sum = load double, ptr %sum_at
  %total1 = fadd double %total, %sum
  %c1 = add i64 %c, 1
  br label %add_test
added:
  call void @free(ptr %sums)
  %result = call ptr @PyFloat_FromDouble(double %total)
  ret ptr %result"""


class ListSum:
    """The sum of `element(x)` over all elements of all arrays of a list."""

    def __init__(self, name: str, element: Callable[[Expression], Expression]) -> None:
        self.name = name
        self.element = element
        self.versions: dict[Any, tuple[Callable[..., Any], Any]] = {}

    def __call__(self, arrays: list[Any]) -> float | None:
        """The sum; None unless all are row-major arrays of one dtype, float32 or float64. Asks for compiled kernels to be usable."""
        dtype = arrays[0].dtype
        found = self.versions.get(dtype)
        if found is None:
            if dtype.char not in "fd" or not dtype.isnative:
                return None
            from .jit import python_function

            kind = "f32" if dtype.char == "f" else "f64"
            name = f"flambeau_{self.name}_{kind}_lists"
            found = self.versions[dtype] = (
                python_function(group_module(name, self._build, [("x", kind)], 0, kind, True), name),
                np.empty((), dtype),
            )
        total = found[0](arrays, found[1])
        return None if total is found[1] else total

    def _build(self, row: Row, x: Array) -> Expression:
        return row.sum(lambda i: self.element(cast(x[i], "f64")))


def group_module(
    name: str, build: Callable[..., Any], arrays: list[tuple[str, str]], numbers: int, number_type: str, adds: bool = False
) -> str:
    """The IR of a map over lists, or with `adds` of a sum. arrays: name and type in memory."""
    assert all(t in STORAGE for _, t in arrays)
    row = Row()
    parameters = [Array(row, f"%{n}_row", t) for n, t in arrays]
    result = build(row, *parameters, *[Expression("named", number_type, f"%number{i}") for i in range(numbers)])
    lines = "\n".join(row.lines)
    fields = (
        [f"ptr %items{k}" for k in range(len(arrays))]
        + [f"double %wide{i}" for i in range(numbers)]
        + ["ptr %ends", "i64 %arrays"]
        + ["ptr %sums"] * adds
    )
    types = ", ".join(f.split()[0] for f in fields)
    pointers = ", ".join(f"ptr noalias %{a}_row" for a, _ in arrays)
    numbers_in = "".join(f", {'float' if number_type == 'f32' else 'double'} %number{i}" for i in range(numbers))
    return f"""{PRELUDE}
declare i64 @llvm.smin.i64(i64, i64)

%context = type {{ {types} }}

define internal {"double" if adds else "void"} @body({pointers}{numbers_in}, i64 %first, i64 %last) noinline {{
start:
{lines}
  ret {f"double {result.arguments[0]}" if adds else "void"}
}}

{_part(fields, len(arrays), numbers, number_type, numbers_in, adds)}declare i64 @llvm.smax.i64(i64, i64)
declare ptr @PyFloat_FromDouble(double)
declare ptr @malloc(i64)
declare void @free(ptr)

{_entry(name, fields, len(arrays), numbers, adds)}"""


def _part(fields: list[str], n: int, numbers: int, number_type: str, numbers_in: str, adds: bool) -> str:
    """`@part(context, begin, end)`: what one thread does. fields: of the context; n: how many lists there are."""
    takes = "".join(
        f"  %field{i} = getelementptr %context, ptr %context, i32 0, i32 {i}\n  {f.split()[1]} = load {f.split()[0]}, ptr %field{i}\n"
        for i, f in enumerate(fields)
    )
    convert = "".join(
        f"  %number{i} = {f'fptrunc double %wide{i} to float' if number_type == 'f32' else f'fadd double %wide{i}, -0.0'}\n"
        for i in range(numbers)
    )
    data = "".join(
        f"  %slot{k} = getelementptr ptr, ptr %items{k}, i64 %array\n  %object{k} = load ptr, ptr %slot{k}\n"
        f"  %data_at{k} = getelementptr i8, ptr %object{k}, i64 16\n  %data{k} = load ptr, ptr %data_at{k}\n"
        for k in range(n)
    )
    rows = ", ".join(f"ptr %data{k}" for k in range(n))
    share = (_SHARE_OF_SUM if adds else _SHARE_OF_MAP).format(CHUNK=CHUNK, rows=rows, numbers_in=numbers_in)
    return f"""; Chunks [begin, end) of all arrays, one behind the other; ends[i] is where the chunks of array i end.
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
  %to_chunk = sub i64 %to, %before
{share}
arrays_next:
  %array1 = add i64 %array, 1
  br label %arrays_test
finished:
  ret void
}}

"""


def _entry(name: str, fields: list[str], n: int, numbers: int, adds: bool) -> str:
    """The function that Python calls: takes its arguments apart, checks every array, and runs the parts here or over the pool."""
    needed = 257 if adds else 1281  # row-major and aligned; writeable
    lists = "".join(_LIST.format(k=k) for k in range(n))
    checks = "".join(_CHECK.format(k=k, needed=needed) for k in range(n))
    same = "  %same0 = add i1 0, 1\n"
    for k in range(1, n):
        same += f"  %equal{k} = icmp eq i64 %length{k}, %length0\n  %same{k} = and i1 %same{k - 1}, %equal{k}\n"
    for i in range(numbers):
        j = n + i
        lists += f"  %arg{j} = getelementptr ptr, ptr %args, i64 {j}\n  %float{i} = load ptr, ptr %arg{j}\n"
        lists += f"  %float_at{i} = getelementptr i8, ptr %float{i}, i64 16\n  %wide{i} = load double, ptr %float_at{i}\n"
    stores = ""
    for i, f in enumerate(fields):
        value = "%length0" if f.endswith("%arrays") else f.split()[1]
        stores += f"  %field{i} = getelementptr %context, ptr %context, i32 0, i32 {i}\n  store {f.split()[0]} {value}, ptr %field{i}\n"
    memory = _MEMORY if adds else ""
    finish = _FINISH_SUM if adds else _FINISH_MAP
    return f"""define ptr @{name}(ptr %self, ptr %args, i64 %count) {{
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
  %elements = phi i64 [0, %entry], [%elements1, %next{n - 1}]
  %more = icmp slt i64 %i, %length0
  br i1 %more, label %check, label %launch
check:
{checks}  %up = add i64 %size0, {CHUNK - 1}
  %of_this = sdiv i64 %up, {CHUNK}
  %chunks1 = add i64 %chunks, %of_this
  %elements1 = add i64 %elements, %size0
  %ends_at = getelementptr i64, ptr %ends, i64 %i
  store i64 %chunks1, ptr %ends_at
  %i1 = add i64 %i, 1
  br label %test
launch:
{memory}{stores}  %large = icmp sgt i64 %elements, {2 * CHUNK}
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
{finish}
refuse:
  %none_references = load i64, ptr %like
  %none_more = add i64 %none_references, 1
  store i64 %none_more, ptr %like
  ret ptr %like
}}
"""
