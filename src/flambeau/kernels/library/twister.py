"""MT19937 in blocks: the words of the stream, straight from NumPy's state of the generator.

Matsumoto and Nishimura, "Mersenne Twister", 1998. The recurrence reaches 227 words back at least, so LLVM vectorises it.
The state is NumPy's own: 624 words and the position, which the kernels advance as NumPy would.
"""

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
