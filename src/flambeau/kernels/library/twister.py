"""MT19937 in blocks: the words of the stream, and dropout's noise, straight from NumPy's state of the generator.

Matsumoto and Nishimura, "Mersenne Twister", 1998. The recurrence reaches 227 words back at least, so LLVM vectorises it.
The state is NumPy's own: 624 words and the position, which the kernels advance as NumPy would.
"""

from functools import cache
from typing import Any, Callable

STATE = """
define internal i32 @twisted(i32 %this, i32 %next, i32 %far) alwaysinline {
  %upper = and i32 %this, -2147483648
  %lower = and i32 %next, 2147483647
  %y = or i32 %upper, %lower
  %half = lshr i32 %y, 1
  %bit = and i32 %y, 1
  %all = sub i32 0, %bit
  %matrix = and i32 %all, -1727483681
  %mixed = xor i32 %far, %half
  %new = xor i32 %mixed, %matrix
  ret i32 %new
}

define internal i32 @temper(i32 %y0) alwaysinline {
  %a = lshr i32 %y0, 11
  %y1 = xor i32 %y0, %a
  %b = shl i32 %y1, 7
  %c = and i32 %b, -1658038656
  %y2 = xor i32 %y1, %c
  %d = shl i32 %y2, 15
  %e = and i32 %d, -272236544
  %y3 = xor i32 %y2, %e
  %f = lshr i32 %y3, 18
  %y4 = xor i32 %y3, %f
  ret i32 %y4
}

define internal void @refill(ptr %key) {
entry:
  br label %first
first:
  %i = phi i64 [0, %entry], [%i1, %first]
  %i1 = add nuw nsw i64 %i, 1
  %far_i = add nuw nsw i64 %i, 397
  %this_at = getelementptr i32, ptr %key, i64 %i
  %next_at = getelementptr i32, ptr %key, i64 %i1
  %far_at = getelementptr i32, ptr %key, i64 %far_i
  %this = load i32, ptr %this_at
  %next = load i32, ptr %next_at
  %far = load i32, ptr %far_at
  %new = call i32 @twisted(i32 %this, i32 %next, i32 %far)
  store i32 %new, ptr %this_at
  %end = icmp eq i64 %i1, 227
  br i1 %end, label %second, label %first
second:
  %j = phi i64 [227, %first], [%j1, %second]
  %j1 = add nuw nsw i64 %j, 1
  %near_j = sub nuw nsw i64 %j, 227
  %this2_at = getelementptr i32, ptr %key, i64 %j
  %next2_at = getelementptr i32, ptr %key, i64 %j1
  %near_at = getelementptr i32, ptr %key, i64 %near_j
  %this2 = load i32, ptr %this2_at
  %next2 = load i32, ptr %next2_at
  %near = load i32, ptr %near_at
  %new2 = call i32 @twisted(i32 %this2, i32 %next2, i32 %near)
  store i32 %new2, ptr %this2_at
  %end2 = icmp eq i64 %j1, 623
  br i1 %end2, label %last, label %second
last:
  %last_at = getelementptr i32, ptr %key, i64 623
  %mid_at = getelementptr i32, ptr %key, i64 396
  %this3 = load i32, ptr %last_at
  %next3 = load i32, ptr %key
  %mid = load i32, ptr %mid_at
  %new3 = call i32 @twisted(i32 %this3, i32 %next3, i32 %mid)
  store i32 %new3, ptr %last_at
  ret void
}

; Copies the next words as they are in the state, not tempered.
define internal void @draw(ptr noalias %key, ptr noalias %pos_at, ptr noalias %to, i64 %count) noinline {
entry:
  br label %again
again:
  %done = phi i64 [0, %entry], [%done1, %next]
  %left = sub i64 %count, %done
  %more = icmp sgt i64 %left, 0
  br i1 %more, label %look, label %finish
look:
  %pos = load i32, ptr %pos_at
  %empty = icmp sge i32 %pos, 624
  br i1 %empty, label %fill, label %copy
fill:
  call void @refill(ptr %key)
  br label %copy
copy:
  %p = phi i32 [%pos, %look], [0, %fill]
  %p64 = sext i32 %p to i64
  %rest = sub i64 624, %p64
  %less = icmp slt i64 %rest, %left
  %n = select i1 %less, i64 %rest, i64 %left
  %from = getelementptr i32, ptr %key, i64 %p64
  %at = getelementptr i32, ptr %to, i64 %done
  br label %word
word:
  %k = phi i64 [0, %copy], [%k1, %word]
  %k_from = getelementptr i32, ptr %from, i64 %k
  %k_at = getelementptr i32, ptr %at, i64 %k
  %k_word = load i32, ptr %k_from
  store i32 %k_word, ptr %k_at
  %k1 = add nuw nsw i64 %k, 1
  %copied = icmp eq i64 %k1, %n
  br i1 %copied, label %next, label %word
next:
  %n32 = trunc i64 %n to i32
  %p1 = add i32 %p, %n32
  store i32 %p1, ptr %pos_at
  %done1 = add i64 %done, %n
  br label %again
finish:
  ret void
}

define internal i32 @next_word(ptr %key, ptr %pos_at) {
entry:
  %pos = load i32, ptr %pos_at
  %empty = icmp sge i32 %pos, 624
  br i1 %empty, label %fill, label %take
fill:
  call void @refill(ptr %key)
  br label %take
take:
  %p = phi i32 [%pos, %entry], [0, %fill]
  %p1 = add i32 %p, 1
  store i32 %p1, ptr %pos_at
  %at = getelementptr i32, ptr %key, i32 %p
  %word = load i32, ptr %at
  %tempered = call i32 @temper(i32 %word)
  ret i32 %tempered
}
"""


ARGUMENTS = """
  %object = load ptr, ptr %args
  %state_at = getelementptr ptr, ptr %args, i64 1
  %state_object = load ptr, ptr %state_at
  %out_data = getelementptr i8, ptr %object, i64 16
  %out = load ptr, ptr %out_data
  %state_data = getelementptr i8, ptr %state_object, i64 16
  %key = load ptr, ptr %state_data
  %pos_at = getelementptr i32, ptr %key, i64 624"""
"""What a built-in function of (out, state, ...) reads first: the addresses of the elements, the words, the position."""

COUNT = """
  %dims_at = getelementptr i8, ptr %object, i64 32
  %dims = load ptr, ptr %dims_at
  %n = load i64, ptr %dims"""
"""How many elements a 1-d `out` has."""


def _numbers(name: str, element: str, compute: str) -> str:
    """A kernel that makes one element of `out` from each 64-bit number of the stream.

    `compute` is the IR from `%number` (i64, the first word in the upper half) and `%limit` to `%value`.
    """
    from ..compiler.llvm import given_back

    return f"""{STATE}
define internal {element} @element(i64 %number, i64 %limit) alwaysinline {{
{compute}
  ret {element} %value
}}

define internal i64 @joined(i32 %high, i32 %low) alwaysinline {{
  %h = zext i32 %high to i64
  %l = zext i32 %low to i64
  %shifted = shl i64 %h, 32
  %number = or i64 %shifted, %l
  ret i64 %number
}}

define internal void @fill(ptr noalias %out, ptr noalias %key, ptr noalias %pos_at, i64 %count, i64 %limit) {{
entry:
  br label %again
again:
  %done = phi i64 [0, %entry], [%done1, %one], [%done2, %batch_end]
  %some = icmp slt i64 %done, %count
  br i1 %some, label %look, label %finish
look:
  %pos = load i32, ptr %pos_at
  %rest = sub i32 624, %pos
  %pairs32 = ashr i32 %rest, 1
  %pairs = sext i32 %pairs32 to i64
  %wanted = sub i64 %count, %done
  %less = icmp slt i64 %pairs, %wanted
  %m = select i1 %less, i64 %pairs, i64 %wanted
  %any = icmp sgt i64 %m, 0
  br i1 %any, label %batch_start, label %one
one:
  %high = call i32 @next_word(ptr %key, ptr %pos_at)
  %low = call i32 @next_word(ptr %key, ptr %pos_at)
  %n = call i64 @joined(i32 %high, i32 %low)
  %v = call {element} @element(i64 %n, i64 %limit)
  %at = getelementptr {element}, ptr %out, i64 %done
  store {element} %v, ptr %at
  %done1 = add i64 %done, 1
  br label %again
batch_start:
  %from = getelementptr i32, ptr %key, i32 %pos
  %to = getelementptr {element}, ptr %out, i64 %done
  br label %batch
batch:
  %i = phi i64 [0, %batch_start], [%i1, %batch]
  %two = mul nuw nsw i64 %i, 2
  %two1 = add nuw nsw i64 %two, 1
  %high_at = getelementptr i32, ptr %from, i64 %two
  %low_at = getelementptr i32, ptr %from, i64 %two1
  %high0 = load i32, ptr %high_at
  %low0 = load i32, ptr %low_at
  %high2 = call i32 @temper(i32 %high0)
  %low2 = call i32 @temper(i32 %low0)
  %n2 = call i64 @joined(i32 %high2, i32 %low2)
  %v2 = call {element} @element(i64 %n2, i64 %limit)
  %to_at = getelementptr {element}, ptr %to, i64 %i
  store {element} %v2, ptr %to_at
  %i1 = add nuw nsw i64 %i, 1
  %end = icmp eq i64 %i1, %m
  br i1 %end, label %batch_end, label %batch
batch_end:
  %m32 = trunc i64 %m to i32
  %used = shl i32 %m32, 1
  %pos1 = add i32 %pos, %used
  store i32 %pos1, ptr %pos_at
  %done2 = add i64 %done, %m
  br label %again
finish:
  ret void
}}

define ptr @{name}(ptr %self, ptr %args, i64 %nargs) {{{ARGUMENTS}
  %limit_at = getelementptr ptr, ptr %args, i64 2
  %limit_object = load ptr, ptr %limit_at
  %limit_data = getelementptr i8, ptr %limit_object, i64 16
  %limit_float = load double, ptr %limit_data
  %limit = fptoui double %limit_float to i64
{COUNT[1:]}
  call void @fill(ptr %out, ptr %key, ptr %pos_at, i64 %n, i64 %limit)
{given_back("%object")}}}
"""


_BELOW = """  %low53 = and i64 %number, 9007199254740991
  %less = icmp ult i64 %low53, %limit
  %value = zext i1 %less to i8"""


@cache
def bernoulli() -> Callable[..., Any]:
    """`kernel(out, state, limit)`: out (1-d, bool) is whether the low 53 bits of each 64-bit number are below the limit.

    state: the generator's 625 words; limit: a Python float, a whole number up to 2^53.
    """
    from ..compiler.jit import python_function

    return python_function(_numbers("flambeau_bernoulli", "i8", _BELOW), "flambeau_bernoulli")
