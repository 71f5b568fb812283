"""Random masks: for each element whether a 53-bit number of the stream lies below a limit. Dropout's noise.

MT19937 (Matsumoto and Nishimura, "Mersenne Twister", 1998) as a line instead of a ring: word n + 624 comes from words n, n + 1 and
n + 397, so where blocks of 624 words lie one behind the other every vector of the recurrence is alike. They are read while they are in
the innermost cache. The stream is serial; it is drawn faster than a second thread could take it over.
"""

from functools import cache
from typing import Any, Callable

from ..compiler.code import Code, Value, kernel

WORDS = 624
_LANES = 16
_BLOCKS = 8
"""How many are drawn in one go: with the one before them 22 KiB."""


def _shifted_right(code: Code, x: Value, bits: int) -> Value:
    return code.op(f"lshr {x.type} {x}, {code.value(bits, x.type)}", x.type)


def _shifted_left(code: Code, x: Value, bits: int) -> Value:
    return code.op(f"shl {x.type} {x}, {code.value(bits, x.type)}", x.type)


def _draw() -> Code:
    """Blocks of words behind the one that is there."""
    code = Code("draw", "words blocks:i64")
    words, blocks = code.arguments
    vector = f"<{_LANES} x i32>"
    with code.loop(0, blocks * WORDS, _LANES) as i:
        this, following, far = (code.load(vector, words, i + ahead) for ahead in (0, 1, 397))
        y = (this & -(2**31)) | (following & 2**31 - 1)
        odd = code.value(0, vector) - (y & 1)
        code.store(far._xor(_shifted_right(code, y, 1))._xor(odd & -1727483681), words, i + WORDS)
    return code


def _below() -> Code:
    """Whether the numbers of pairs of words lie below the limit: the first word is the upper one, and 53 bits of the two count."""
    code = Code("below", "out words limit:i64 count:i64")
    out, words, limit, count = code.arguments
    lanes = _LANES // 2
    wide = f"<{lanes} x i64>"
    rest = code.array("i8", lanes)

    def hits(first: Value) -> Value:
        x = code.load(f"<{_LANES} x i32>", words, first * 2)
        x = x._xor(_shifted_right(code, x, 11))
        x = x._xor(_shifted_left(code, x, 7) & -1658038656)
        x = x._xor(_shifted_left(code, x, 15) & -272236544)
        x = x._xor(_shifted_right(code, x, 18))
        pairs = code.op(f"bitcast {x.type} {x} to {wide}", wide)
        number = code.call(wide, f"llvm.fshl.v{lanes}i64", pairs, pairs, code.value(32, wide)) & 2**53 - 1
        return code.op(f"zext <{lanes} x i1> {number < limit} to <{lanes} x i8>", f"<{lanes} x i8>")

    whole = count - count % lanes
    with code.loop(0, whole, lanes) as first:
        code.store(hits(first), out, first)
    with code.when(whole < count):
        code.store(hits(whole), rest)
        with code.loop(whole, count, short=True) as i:
            code.store(code.load("i8", rest, i - whole), out, i)
    return code


@cache
def below() -> Callable[..., Any]:
    """`kernel(out, state, limit, count)`: whether the low 53 bits of each 64-bit number of the stream are below the limit.

    out: row-major, bool, `count` elements. state: the generator's 624 words and the position among them, which are advanced. limit, a
    whole number up to 2^53, and count: Python floats.
    """
    draw, compare = _draw(), _below()
    code = Code("main", "out state limit:double count:double")
    out, state, limit, count = code.arguments
    limit, count = code.convert(limit, "i64"), code.convert(count, "i64")
    block = code.value(4 * WORDS)
    words = code.array("i32", (_BLOCKS + 1) * WORDS + _LANES)
    code.copy(words, state, block)
    position = code.variable("i64", code.convert(code.load("i32", state, WORDS), "i64"))
    begun = code.least(count, (WORDS - position.value) // 2)
    code.run(compare, out, code.at(words, position.value, "i32"), limit, begun)
    position.value = position.value + begun * 2
    with code.loop(begun, count, _BLOCKS * WORDS // 2) as first:
        some = code.least(count - first, _BLOCKS * WORDS // 2)
        blocks = (position.value + some * 2 - 1) // WORDS
        code.run(draw, words, blocks)
        code.run(compare, code.at(out, first, "i8"), code.at(words, position.value, "i32"), limit, some)
        code.copy(words, code.at(words, blocks * WORDS, "i32"), block)
        position.value = position.value + some * 2 - blocks * WORDS
    code.copy(state, words, block)
    code.store(code.convert(position.value, "i32"), state, WORDS)
    return kernel("flambeau_masks_below", code, draw, compare)
