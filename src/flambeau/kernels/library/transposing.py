"""Copies into row-major memory from memory where another dimension than the last has neighbouring elements.

Tiles of some 8 by 8 elements are turned around in registers, so that whole cache lines are read and written.
"""

from functools import cache, lru_cache
from typing import Any, Callable

import numpy as np

from ..compiler.sized import sized_module, take_sizes

BLOCK = 64
"""Rows and columns of one item: both sides of it fit the first-level cache."""

_SIZES = ("work", "grain", "nu", "nv", "to_step", "from_step", "blocks_u", "blocks_v", "outer")
"""What a plan begins with; size, target step and source step of each dimension around follow."""


def _tile(bits: int, n: int) -> str:
    """A function that turns n by n elements around: source rows lie `%from_step` bytes apart, target rows `%to_step`."""
    vector = f"<{n} x i{bits}>"
    lines = []
    rows = []
    for i in range(n):
        lines += [
            f"  %from_offset{i} = mul i64 %from_step, {i}",
            f"  %from{i} = getelementptr i8, ptr %from, i64 %from_offset{i}",
            f"  %row{i} = load {vector}, ptr %from{i}, align {bits // 8}",
        ]
        rows.append(f"%row{i}")
    low = ", ".join(f"i32 {i // 2 + (i % 2) * n}" for i in range(n))
    high = ", ".join(f"i32 {n // 2 + i // 2 + (i % 2) * n}" for i in range(n))
    stage = 0
    while 1 << stage < n:  # perfect shuffles, log2(n) of them
        mixed = []
        for i in range(n // 2):
            for half, mask in (("l", low), ("h", high)):
                name = f"%{half}{stage}_{i}"
                lines.append(f"  {name} = shufflevector {vector} {rows[i]}, {vector} {rows[i + n // 2]}, <{n} x i32> <{mask}>")
                mixed.append(name)
        rows = mixed
        stage += 1
    for i in range(n):
        lines += [
            f"  %to_offset{i} = mul i64 %to_step, {i}",
            f"  %to{i} = getelementptr i8, ptr %to, i64 %to_offset{i}",
            f"  store {vector} {rows[i]}, ptr %to{i}, align {bits // 8}",
        ]
    code = "\n".join(lines)
    return f"define internal void @tile(ptr %to, ptr %from, i64 %to_step, i64 %from_step) alwaysinline {{\n{code}\n  ret void\n}}\n"


def _body(bits: int, n: int) -> str:
    """Items are blocks: of u (neighbours in the source), of v (neighbours in the target), of the dimensions around both."""
    size = bits // 8
    return f"""{_tile(bits, n)}
define internal void @body(ptr noalias %out, ptr noalias %x, ptr %sizes, i64 %begin, i64 %end) noinline {{
entry:
{take_sizes(*_SIZES)}  %dims = getelementptr i64, ptr %sizes, i64 9
  br label %items
items:
  %item = phi i64 [%begin, %entry], [%item1, %item_done]
  %some = icmp slt i64 %item, %end
  br i1 %some, label %start, label %finished
start:
  %above = sdiv i64 %item, %blocks_u
  %block_u = srem i64 %item, %blocks_u
  %around = sdiv i64 %above, %blocks_v
  %block_v = srem i64 %above, %blocks_v
  br label %dim_test
dim_test:
  %d = phi i64 [0, %start], [%d1, %dim]
  %rest = phi i64 [%around, %start], [%rest1, %dim]
  %to_offset = phi i64 [0, %start], [%to_offset1, %dim]
  %from_offset = phi i64 [0, %start], [%from_offset1, %dim]
  %more_dims = icmp slt i64 %d, %outer
  br i1 %more_dims, label %dim, label %located
dim:
  %d3 = mul i64 %d, 3
  %dim_at = getelementptr i64, ptr %dims, i64 %d3
  %dim_size = load i64, ptr %dim_at
  %to_at = getelementptr i64, ptr %dim_at, i64 1
  %to_stride = load i64, ptr %to_at
  %from_at = getelementptr i64, ptr %dim_at, i64 2
  %from_stride = load i64, ptr %from_at
  %rest1 = sdiv i64 %rest, %dim_size
  %coordinate = srem i64 %rest, %dim_size
  %to_move = mul i64 %coordinate, %to_stride
  %to_offset1 = add i64 %to_offset, %to_move
  %from_move = mul i64 %coordinate, %from_stride
  %from_offset1 = add i64 %from_offset, %from_move
  %d1 = add i64 %d, 1
  br label %dim_test
located:
  %u0 = mul i64 %block_u, {BLOCK}
  %v0 = mul i64 %block_v, {BLOCK}
  %u_behind = add i64 %u0, {BLOCK}
  %u1 = call i64 @llvm.smin.i64(i64 %u_behind, i64 %nu)
  %v_behind = add i64 %v0, {BLOCK}
  %v1 = call i64 @llvm.smin.i64(i64 %v_behind, i64 %nv)
  %to = getelementptr i8, ptr %out, i64 %to_offset
  %from = getelementptr i8, ptr %x, i64 %from_offset
  %u_count = sub i64 %u1, %u0
  %u_whole = sdiv i64 %u_count, {n}
  %u_tiles = mul i64 %u_whole, {n}
  %u_tiled = add i64 %u0, %u_tiles
  %v_count = sub i64 %v1, %v0
  %v_whole = sdiv i64 %v_count, {n}
  %v_tiles = mul i64 %v_whole, {n}
  %v_tiled = add i64 %v0, %v_tiles
  br label %tiles_v
tiles_v:
  %v = phi i64 [%v0, %located], [%v_next, %tiles_v_done]
  %more_v = icmp slt i64 %v, %v_tiled
  br i1 %more_v, label %tiles_u, label %right
tiles_u:
  %u = phi i64 [%u0, %tiles_v], [%u_next, %tile]
  %more_u = icmp slt i64 %u, %u_tiled
  br i1 %more_u, label %tile, label %tiles_v_done
tile:
  %to_u = mul i64 %u, %to_step
  %to_v = mul i64 %v, {size}
  %to_uv = add i64 %to_u, %to_v
  %to_tile = getelementptr i8, ptr %to, i64 %to_uv
  %from_u = mul i64 %u, {size}
  %from_v = mul i64 %v, %from_step
  %from_uv = add i64 %from_u, %from_v
  %from_tile = getelementptr i8, ptr %from, i64 %from_uv
  call void @tile(ptr %to_tile, ptr %from_tile, i64 %to_step, i64 %from_step)
  %u_next = add i64 %u, {n}
  br label %tiles_u
tiles_v_done:
  %v_next = add i64 %v, {n}
  br label %tiles_v
right:
  call void @rest(ptr %to, ptr %from, i64 %u0, i64 %u1, i64 %v_tiled, i64 %v1, i64 %to_step, i64 %from_step)
  call void @rest(ptr %to, ptr %from, i64 %u_tiled, i64 %u1, i64 %v0, i64 %v_tiled, i64 %to_step, i64 %from_step)
  br label %item_done
item_done:
  %item1 = add i64 %item, 1
  br label %items
finished:
  ret void
}}

define internal void @rest(ptr %to, ptr %from, i64 %u0, i64 %u1, i64 %v0, i64 %v1, i64 %to_step, i64 %from_step) noinline {{
entry:
  br label %us
us:
  %u = phi i64 [%u0, %entry], [%u_next, %vs_done]
  %more_u = icmp slt i64 %u, %u1
  br i1 %more_u, label %vs, label %finished
vs:
  %v = phi i64 [%v0, %us], [%v_next, %one]
  %more_v = icmp slt i64 %v, %v1
  br i1 %more_v, label %one, label %vs_done
one:
  %to_u = mul i64 %u, %to_step
  %to_v = mul i64 %v, {size}
  %to_uv = add i64 %to_u, %to_v
  %to_one = getelementptr i8, ptr %to, i64 %to_uv
  %from_u = mul i64 %u, {size}
  %from_v = mul i64 %v, %from_step
  %from_uv = add i64 %from_u, %from_v
  %from_one = getelementptr i8, ptr %from, i64 %from_uv
  %value = load i{bits}, ptr %from_one
  store i{bits} %value, ptr %to_one
  %v_next = add i64 %v, 1
  br label %vs
vs_done:
  %u_next = add i64 %u, 1
  br label %us
finished:
  ret void
}}"""


@cache
def kernel(itemsize: int) -> Callable[..., Any]:
    """`kernel(out, x, plan)`: see `plan`."""
    from ..compiler.jit import python_function
    from ..compiler.machine import vector_bits

    n = {1: 16, 2: 16, 4: 16 if vector_bits() == 512 else 8, 8: 8}[itemsize]
    name = f"flambeau_transpose_{itemsize}"
    return python_function(sized_module(name, ["out", "x"], _body(8 * itemsize, n)), name)


@lru_cache(256)
def plan(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int) -> np.ndarray | None:
    """The sizes that the kernel wants for copying such an array into row-major memory; None where that is no transposition."""
    dims: list[list[int]] = []  # size, target stride, source stride
    step = itemsize
    for size, stride in zip(shape[::-1], strides[::-1]):
        if size != 1:
            if dims and dims[-1][2] * dims[-1][0] == stride:
                dims[-1][0] *= size
            else:
                dims.append([size, step, stride])
        step *= size
    if len(dims) < 2 or dims[0][2] <= itemsize:
        return None
    found = [d for d in dims[1:] if d[2] == itemsize]
    if not found or found[0][0] < 8 or dims[0][0] < 8:
        return None
    v, u = dims[0], found[0]
    outer = [d for d in dims[1:] if d is not u]
    blocks_u, blocks_v = -(-u[0] // BLOCK), -(-v[0] // BLOCK)
    work = blocks_u * blocks_v
    for d in outer:
        work *= d[0]
    grain = max(1, 65536 // (min(u[0], BLOCK) * min(v[0], BLOCK)))
    sizes = [work, grain, u[0], v[0], u[1], v[2], blocks_u, blocks_v, len(outer), *[n for d in outer for n in d]]
    return np.array(sizes, np.int64)
