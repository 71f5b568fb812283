"""Random fills as compiled kernels: words of the stream become numbers, on all threads.

The stream is serial: one thread draws the next block of words while the others compute with the one before. A kernel says
what one element is made of: expressions over its words, as they come out of the engine. See `random.py` for the rules, and
`box_muller.py` for the same arithmetic in NumPy.
"""

import math
from functools import cache
from typing import Any, Callable

from ..compiler.expression import Expression, bitcast, cast, constant, external, fma, rint, shift_right, sqrt, where
from ..compiler.maths.exponential import natural_log
from .twister import ARGUMENTS, COUNT, STATE

BLOCK = 65536
"""Words in one go: two blocks of them stay in the cache."""

PIECE = 8192
"""Words of a thread's share."""

ALONE = 32768
"""Up to here waking another thread costs more than it gains."""

LLVM = {"f32": "float", "f64": "double", "i64": "i64", "i32": "i32"}


def temper(word: Expression) -> Expression:
    """What the engine makes of a word of its state."""
    word = word ^ shift_right(word, 11)
    word = word ^ ((word << 7) & -1658038656)
    word = word ^ ((word << 15) & -272236544)
    return word ^ shift_right(word, 18)


def unit24(word: Expression) -> Expression:
    """U24, a float32."""
    return cast(word & (2**24 - 1), "f32") * 2.0**-24


def unsigned(word: Expression) -> Expression:
    """The word as a float64."""
    return cast(word ^ -(2**31), "f64") + 2.0**31


def unit53(high: Expression, low: Expression) -> Expression:
    """U53, a float64: the low 53 bits of two words."""
    return fma(cast(high & (2**21 - 1), "f64"), 2.0**32, unsigned(low)) * 2.0**-53


# --- what an element is -----------------------------------------------------------------------------------------------


def _uniform32(word: Expression, low: Expression, width: Expression, high: Expression) -> list[Expression]:
    value = fma(unit24(word), cast(width, "f32"), cast(low, "f32"))
    return [where(value.equals(cast(high, "f32")), cast(low, "f32"), value)]


def _uniform64(first: Expression, second: Expression, low: Expression, width: Expression, high: Expression) -> list[Expression]:
    value = fma(unit53(first, second), width, low)
    return [where(value.equals(high), low, value)]


def _integer(word: Expression, low: Expression, width: Expression, inverse: Expression) -> list[Expression]:
    """low + word mod width: the quotient in float64, which is off by one at most."""
    number = unsigned(word)
    rest = fma(-rint(number * inverse), width, number)
    rest = where(rest < 0.0, rest + width, rest)
    shift = 1.5 * 2.0**52
    return [bitcast((rest + low) + shift, "i64") - 0x4338000000000000]


def _exponential(first: Expression, second: Expression, factor: Expression) -> list[Expression]:
    """log(1 - U53) factor, rounded to float32; and whether the next float64 might round otherwise (see `_exact`)."""
    result = natural_log(1.0 - unit53(first, second)) * factor + 0.0
    distance = (bitcast(result, "i64") & 0x1FFFFFFF) - 0x10000000
    doubtful = where(distance < 16, where(distance > -16, constant(1, "i32"), 0), 0)
    return [cast(result, "f32"), doubtful]


def _normal32(u: Expression, v: Expression, mean: Expression, std: Expression) -> list[Expression]:
    """The pair of normal numbers, in float32 with the polynomials of Cephes and fused where PyTorch's build fuses."""
    x = 1.0 - unit24(u)
    bits = bitcast(x, "i32")
    e = cast(shift_right(bits, 23) - 126, "f32")
    m = bitcast((bits & 0x7FFFFF) | 0x3F000000, "f32")
    small = m < 0.707106781186547524
    e = where(small, e - 1.0, e)
    m = where(small, (m - 1.0) + m, m - 1.0)
    z = m * m
    y: Any = 7.0376836292e-2  # ln(1 + m) by Horner's scheme
    for c in (-1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1,
              3.3333331174e-1):  # fmt: skip
        y = fma(y, m, c)
    y = fma(y * m, z, e * -2.12194440e-4)
    y = fma(-z, 0.5, y)
    radius = sqrt(fma(e, 0.693359375, m + y) * -2.0)

    t = unit24(v) * 6.28318530717958647692
    j = (cast(t * 1.27323954473516, "i32") + 1) & -2
    k = cast(j, "f32")
    r = fma(k, -3.77489497744594108e-8, fma(k, -2.4187564849853515625e-4, fma(k, -0.78515625, t)))
    z = r * r
    even = fma(fma(z, 2.443315711809948e-5, -1.388731625493765e-3), z, 4.166664568298827e-2) * z
    cosine = fma(even, z, -(z * 0.5)) + 1.0
    odd = fma(fma(z, -1.9515295891e-4, 8.3321608736e-3), z, -1.6666654611e-1) * z
    sine = fma(odd, r, r)
    swapped = (j & 2).equals(2)
    sine, cosine = where(swapped, cosine, sine), where(swapped, sine, cosine)
    sine = bitcast(bitcast(sine, "i32") ^ ((j & 4) << 29), "f32")
    cosine = bitcast(bitcast(cosine, "i32") ^ (((j + 2) & 4) << 29), "f32")
    mean, std = cast(mean, "f32"), cast(std, "f32")
    return [fma(radius * cosine, std, mean), fma(radius * sine, std, mean)]


def _normal64(u0: Expression, u1: Expression, v0: Expression, v1: Expression, mean: Expression, std: Expression) -> list[Expression]:
    """The pair in float64, by the C library's functions: they are called one number at a time."""
    radius = sqrt(external("llvm.log.f64", 1.0 - unit53(u0, u1)) * -2.0)
    angle = unit53(v0, v1) * (2 * math.pi)
    return [fma(radius * external(f"llvm.{f}.f64", angle), std, mean) for f in ("cos", "sin")]


# --- the kernels ------------------------------------------------------------------------------------------------------


def _function(name: str, words: int, numbers: int, element: Callable[..., list[Expression]], results: list[str]) -> str:
    """`element` as a function of IR: words as they lie in the state, numbers as float64; its results in a struct."""
    from ..compiler.llvm import Block

    count = 0

    def fresh() -> str:
        nonlocal count
        count += 1
        return f"%v{count}"

    block = Block(fresh)
    given = [temper(Expression("named", "i32", f"%word{i}")) for i in range(words)]
    given += [Expression("named", "f64", f"%number{i}") for i in range(numbers)]
    names = [block.value(x) for x in element(*given)]
    struct = "{ " + ", ".join(results) + " }"
    made = "poison"
    for i, (type_, value) in enumerate(zip(results, names)):
        block.lines.append(f"  %made{i} = insertvalue {struct} {made}, {type_} {value}, {i}")
        made = f"%made{i}"
    signature = ", ".join([f"i32 %word{i}" for i in range(words)] + [f"double %number{i}" for i in range(numbers)])
    body = "\n".join(block.lines)
    return f"define internal {struct} @{name}({signature}) alwaysinline {{\n{body}\n  ret {struct} {made}\n}}\n"


def _module(name: str, words: int, out: str, numbers: int, element: Callable[..., list[Expression]], kind: str = "") -> str:
    """A fill: `kernel(out, state, numbers...)`, with so many `words` for each number.

    kind "pairs": eight numbers and the eight behind them make sixteen results in their places; the last sixteen are drawn anew if
    they are no full block. kind "checked": a piece with doubtful results is done again, see `_exact`.
    """
    from ..compiler.llvm import PRELUDE, given_back

    pairs = kind == "pairs"
    results = [LLVM[out], LLVM[out]] if pairs else [LLVM[out], "i32"] if kind == "checked" else [LLVM[out]]
    struct = "{ " + ", ".join(results) + " }"
    fields = ["ptr %key", "ptr %out", "ptr %now", "ptr %next", "i64 %count", "i64 %next_count"]
    fields += [f"double %number{i}" for i in range(numbers)]
    given = "".join(f", double %number{i}" for i in range(numbers))
    store = "{ " + ", ".join(f.split()[0] for f in fields) + " }"
    loads = "".join(
        f"  {f.split()[1]}_at = getelementptr %context, ptr %context, i32 0, i32 {i}\n  {f} = load {f.split()[0]}, ptr {f.split()[1]}_at\n"
        for i, f in enumerate(fields)
    ).replace("  ptr %", "  %").replace("  i64 %", "  %").replace("  double %", "  %")  # fmt: skip
    piece = _pairs(words, LLVM[out], struct, given) if pairs else _elements(words, LLVM[out], struct, given, kind == "checked")
    read = "".join(
        f"  %at{i} = getelementptr ptr, ptr %args, i64 {i + 2}\n  %o{i} = load ptr, ptr %at{i}\n"
        f"  %float_at{i} = getelementptr i8, ptr %o{i}, i64 16\n  %number{i} = load double, ptr %float_at{i}\n"
        f"  %field{i} = getelementptr %context, ptr %context, i32 0, i32 {i + 6}\n  store double %number{i}, ptr %field{i}\n"
        for i in range(numbers)
    )
    size = 4 if out == "f32" else 8
    per_word = words
    declared = "declare i64 @llvm.smin.i64(i64, i64)", "declare double @llvm.cos.f64(double)", "declare double @llvm.sin.f64(double)"
    return f"""{PRELUDE}{chr(10).join(d for d in declared if d not in PRELUDE)}{STATE}
{_function("element", 2 * words if pairs else words, numbers, element, results)}
{_exact() if kind == "checked" else ""}
declare ptr @malloc(i64)
declare void @free(ptr)

%context = type {store}

define internal void @piece(ptr noalias %words, ptr noalias %out, i64 %begin, i64 %end{given}) noinline {{
{piece}
}}

; Item 0 draws the next block; the others are pieces of the present one.
define internal void @items(ptr %context, i64 %begin, i64 %end) {{
entry:
{loads}  br label %test
test:
  %item = phi i64 [%begin, %entry], [%item1, %step]
  %more = icmp slt i64 %item, %end
  br i1 %more, label %which, label %finished
which:
  %drawing = icmp eq i64 %item, 0
  br i1 %drawing, label %draw, label %compute
draw:
  %pos_at = getelementptr i32, ptr %key, i64 624
  %wanted = mul i64 %next_count, {per_word}
  call void @draw(ptr %key, ptr %pos_at, ptr %next, i64 %wanted)
  br label %step
compute:
  %before = sub i64 %item, 1
  %from = mul i64 %before, {PIECE}
  %behind = mul i64 %item, {PIECE}
  %to = call i64 @llvm.smin.i64(i64 %behind, i64 %count)
  call void @piece(ptr %now, ptr %out, i64 %from, i64 %to{given})
  br label %step
step:
  %item1 = add i64 %item, 1
  br label %test
finished:
  ret void
}}

define ptr @{name}(ptr %self, ptr %args, i64 %nargs) {{
entry:
  %context = alloca %context
  %few = alloca [2048 x i32], align 64{ARGUMENTS}
  %size = call i64 @numel(ptr %object)
{read}  store ptr %key, ptr %context
  %out_field = getelementptr %context, ptr %context, i32 0, i32 1
  %now_field = getelementptr %context, ptr %context, i32 0, i32 2
  %next_field = getelementptr %context, ptr %context, i32 0, i32 3
  %count_field = getelementptr %context, ptr %context, i32 0, i32 4
  %next_count_field = getelementptr %context, ptr %context, i32 0, i32 5
  %total = {"and i64 %size, -16" if pairs else "add i64 %size, 0"}
  %all_words = mul i64 %total, {per_word}
  %small = icmp sle i64 %all_words, 2048
  br i1 %small, label %here, label %large
here:
  call void @draw(ptr %key, ptr %pos_at, ptr %few, i64 %all_words)
  call void @piece(ptr %few, ptr %out, i64 0, i64 %total{given})
  br label %done
large:
  %alone = icmp sle i64 %all_words, {ALONE}
  %share = select i1 %alone, i64 {ALONE}, i64 1
  %buffers = call ptr @malloc(i64 {2 * 4 * BLOCK})
  %other = getelementptr i32, ptr %buffers, i64 {BLOCK}
  %first_count = call i64 @llvm.smin.i64(i64 %total, i64 {BLOCK // per_word})
  %first_words = mul i64 %first_count, {per_word}
  call void @draw(ptr %key, ptr %pos_at, ptr %buffers, i64 %first_words)
  br label %blocks
blocks:
  %start = phi i64 [0, %large], [%start1, %compute]
  %now = phi ptr [%buffers, %large], [%next, %compute]
  %next = phi ptr [%other, %large], [%now, %compute]
  %count = phi i64 [%first_count, %large], [%next_count, %compute]
  %some = icmp sgt i64 %count, 0
  br i1 %some, label %compute, label %release
compute:
  %start1 = add i64 %start, %count
  %left = sub i64 %total, %start1
  %next_count = call i64 @llvm.smin.i64(i64 %left, i64 {BLOCK // per_word})
  %to = getelementptr i8, ptr %out, i64 0
  %offset = mul i64 %start, {size}
  %to_here = getelementptr i8, ptr %to, i64 %offset
  store ptr %to_here, ptr %out_field
  store ptr %now, ptr %now_field
  store ptr %next, ptr %next_field
  store i64 %count, ptr %count_field
  store i64 %next_count, ptr %next_count_field
  %up = add i64 %count, {PIECE - 1}
  %pieces = sdiv i64 %up, {PIECE}
  %items = add i64 %pieces, 1
  call void @flambeau_parallel(ptr @items, ptr %context, i64 %items, i64 %share)
  br label %blocks
release:
  call void @free(ptr %buffers)
  br label %done
done:
{_tail(words, LLVM[out], given) if pairs else "  br label %finished"}
finished:
{given_back("%object")}}}
"""


def _elements(words: int, out: str, struct: str, given: str, checked: bool) -> str:
    """The loop over the elements of a piece."""
    loads = "".join(
        f"  %k{i} = add nsw i64 %base, {i}\n  %w{i}_at = getelementptr i32, ptr %words, i64 %k{i}\n  %w{i} = load i32, ptr %w{i}_at\n"
        for i in range(words)
    )
    given_words = ", ".join(f"i32 %w{i}" for i in range(words))
    doubt = doubt_phi = ""
    end = "finished:\n  ret void"
    if checked:
        doubt_phi = "  %doubts = phi i32 [0, %entry], [%doubts1, %step]\n"
        doubt = f"  %doubt = extractvalue {struct} %made, 1\n  %doubts1 = or i32 %doubts, %doubt\n"
        end = f"""finished:
  %any = icmp ne i32 %doubts, 0
  br i1 %any, label %again, label %leave
again:
  call void @exact(ptr %words, ptr %out, i64 %begin, i64 %end{given})
  br label %leave
leave:
  ret void"""
    return f"""entry:
  br label %test
test:
  %i = phi i64 [%begin, %entry], [%i1, %step]
{doubt_phi}  %more = icmp slt i64 %i, %end
  br i1 %more, label %step, label %finished
step:
  %base = mul nsw i64 %i, {words}
{loads}  %made = call {struct} @element({given_words}{given})
  %value = extractvalue {struct} %made, 0
{doubt}  %at = getelementptr {out}, ptr %out, i64 %i
  store {out} %value, ptr %at
  %i1 = add nsw i64 %i, 1
  br label %test
{end}"""


def _pairs(words: int, out: str, struct: str, given: str) -> str:
    """The loops over a piece in blocks of sixteen."""
    loads, names = "", []
    for which in ("first", "second"):
        for i in range(words):
            n = f"{which}{i}"
            loads += f"  %{n}_base = mul nsw i64 %{which}, {words}\n  %{n}_word = add nsw i64 %{n}_base, {i}\n"
            loads += f"  %{n}_at = getelementptr i32, ptr %words, i64 %{n}_word\n  %{n} = load i32, ptr %{n}_at\n"
            names.append(f"i32 %{n}")
    return f"""entry:
  br label %test
test:
  %b = phi i64 [%begin, %entry], [%b1, %next_block]
  %more = icmp slt i64 %b, %end
  br i1 %more, label %block, label %finished
block:
  br label %pair
pair:
  %j = phi i64 [0, %block], [%j1, %pair]
  %first = add nsw i64 %b, %j
  %second = add nsw i64 %first, 8
{loads}  %made = call {struct} @element({", ".join(names)}{given})
  %x = extractvalue {struct} %made, 0
  %y = extractvalue {struct} %made, 1
  %x_at = getelementptr {out}, ptr %out, i64 %first
  %y_at = getelementptr {out}, ptr %out, i64 %second
  store {out} %x, ptr %x_at
  store {out} %y, ptr %y_at
  %j1 = add nuw nsw i64 %j, 1
  %last = icmp eq i64 %j1, 8
  br i1 %last, label %next_block, label %pair
next_block:
  %b1 = add nsw i64 %b, 16
  br label %test
finished:
  ret void"""


def _tail(words: int, out: str, given: str) -> str:
    """The last sixteen numbers drawn anew, where they are no full block; PyTorch first draws for those that are left."""
    return f"""  %rest = sub i64 %size, %total
  %ragged = icmp sgt i64 %rest, 0
  br i1 %ragged, label %tail, label %finished
tail:
  %last_numbers = alloca [16 x {out}], align 64
  %rest_words = mul i64 %rest, {words}
  call void @draw(ptr %key, ptr %pos_at, ptr %few, i64 %rest_words)
  call void @draw(ptr %key, ptr %pos_at, ptr %few, i64 {16 * words})
  call void @piece(ptr %few, ptr %last_numbers, i64 0, i64 16{given})
  %last_start = sub i64 %size, 16
  %last_at = getelementptr {out}, ptr %out, i64 %last_start
  %last16 = load <16 x {out}>, ptr %last_numbers, align 8
  store <16 x {out}> %last16, ptr %last_at, align 4
  br label %finished"""


def _exact() -> str:
    """`_exponential` by the C library's log1p, as PyTorch computes it."""
    return """declare double @log1p(double)

define internal void @exact(ptr %words, ptr %out, i64 %begin, i64 %end, double %factor) noinline {
entry:
  br label %test
test:
  %i = phi i64 [%begin, %entry], [%i1, %step]
  %more = icmp slt i64 %i, %end
  br i1 %more, label %step, label %finished
step:
  %base = mul nsw i64 %i, 2
  %base1 = add nsw i64 %base, 1
  %high_at = getelementptr i32, ptr %words, i64 %base
  %low_at = getelementptr i32, ptr %words, i64 %base1
  %high0 = load i32, ptr %high_at
  %low0 = load i32, ptr %low_at
  %high1 = call i32 @temper(i32 %high0)
  %low1 = call i32 @temper(i32 %low0)
  %high = zext i32 %high1 to i64
  %low = zext i32 %low1 to i64
  %shifted = shl i64 %high, 32
  %number = or i64 %shifted, %low
  %low53 = and i64 %number, 9007199254740991
  %float = uitofp i64 %low53 to double
  %minus = fmul double %float, 0xBCA0000000000000
  %log = call double @log1p(double %minus)
  %wide = fmul double %log, %factor
  %value = fptrunc double %wide to float
  %at = getelementptr float, ptr %out, i64 %i
  store float %value, ptr %at
  %i1 = add nsw i64 %i, 1
  br label %test
finished:
  ret void
}
"""


def _compiled(name: str, *what: Any) -> Callable[..., Any]:
    from ..compiler.jit import python_function

    return python_function(_module(f"flambeau_{name}", *what), f"flambeau_{name}")


@cache
def uniform32() -> Callable[..., Any]:
    """`kernel(out, state, low, high - low, high)`: fma(U24, high - low, low), `low` where that is `high`. out: row-major, float32;
    state: the generator's 625 words; the others Python floats, as in all kernels here."""
    return _compiled("uniform32", 1, "f32", 3, _uniform32)


@cache
def uniform64() -> Callable[..., Any]:
    """The same with U53 and a float64 array."""
    return _compiled("uniform64", 2, "f64", 3, _uniform64)


@cache
def integers() -> Callable[..., Any]:
    """`kernel(out, state, low, width, 1 / width)`: low + r mod width for a word r, out int64, |low| and width below 2^50."""
    return _compiled("integers", 1, "i64", 3, _integer)


@cache
def exponential32() -> Callable[..., Any]:
    """`kernel(out, state, factor)`: factor * log1p(-U53) in float64, rounded to a float32 array."""
    return _compiled("exponential32", 2, "f32", 1, _exponential, "checked")


@cache
def normal32() -> Callable[..., Any]:
    """`kernel(out, state, mean, std)`: blocks of sixteen normal numbers, out float32 with 16 elements at least."""
    return _compiled("normal32", 1, "f32", 2, _normal32, "pairs")


@cache
def normal64() -> Callable[..., Any]:
    """The same for a float64 array."""
    return _compiled("normal64", 2, "f64", 2, _normal64, "pairs")


_PERMUTE = """
  %last = sub i64 %n, 1
  br label %number
number:
  %k = phi i64 [0, %entry], [%k1, %set]
  %unset = icmp slt i64 %k, %n
  br i1 %unset, label %set, label %test
set:
  %k_at = getelementptr i64, ptr %out, i64 %k
  store i64 %k, ptr %k_at
  %k1 = add nsw i64 %k, 1
  br label %number
test:
  %i = phi i64 [0, %number], [%i1, %swap]
  %more = icmp slt i64 %i, %last
  br i1 %more, label %swap, label %finished
swap:
  %word = call i32 @next_word(ptr %key, ptr %pos_at)
  %left64 = sub i64 %n, %i
  %left = trunc i64 %left64 to i32
  %z32 = urem i32 %word, %left
  %z = zext i32 %z32 to i64
  %j = add i64 %i, %z
  %i_at = getelementptr i64, ptr %out, i64 %i
  %j_at = getelementptr i64, ptr %out, i64 %j
  %a = load i64, ptr %i_at
  %b = load i64, ptr %j_at
  store i64 %b, ptr %i_at
  store i64 %a, ptr %j_at
  %i1 = add nsw i64 %i, 1
  br label %test
finished:
"""


@cache
def permute() -> Callable[..., Any]:
    """`kernel(out, state)`: 0 to n-1 in out (1-d, int64), each but the last swapped with one behind it or itself."""
    from ..compiler.jit import python_function
    from ..compiler.llvm import given_back

    head = "define ptr @flambeau_permute(ptr %self, ptr %args, i64 %nargs) {\nentry:"
    return python_function(f"{STATE}{head}{ARGUMENTS}{COUNT}{_PERMUTE}{given_back('%object')}}}\n", "flambeau_permute")
