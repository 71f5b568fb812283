"""PyTorch's block of 16 normal numbers in float32, bit for bit, in NumPy.

PyTorch turns eight pairs of uniform numbers at a time into normal ones (Box and Muller, 1958) with AVX2 code: ln, sin
and cos are the single-precision polynomials of Stephen Moshier's Cephes library, as Julien Pommier's `avx_mathfun` writes
them, with multiplication and addition fused (`fma`: one rounding). NumPy has no fma, so:

- where the product is exact in float32 (by a power of two, or of a short constant and a small integer), it is plain;
- elsewhere both operands are float64, where the product is exact, and the sum is rounded to float32: by a cast, or, if
  all results lie in one binade [2^e, 2^(e+1)), by adding and subtracting 1.5 * 2^(e+29), which ends the last digit there.

A uniform number here is one of 2^24, so every formula below was compared with the fused one for all of them: rounding
twice (to float64, then float32) never differs. Numbers are handled as words of the engine, k standing for k * 2^-24.
"""

from typing import Any

import numpy as np
from numpy import add, bitwise_and, bitwise_or, bitwise_xor, copyto, left_shift, multiply, right_shift, sqrt, subtract

PAIRS = 32768
"""Pairs in one go: large enough that NumPy's calls, and passing on its lock, cost little, small enough for the cache."""

f32, f64, i32 = np.float32, np.float64, np.int32

# ln x = e ln 2 + m - m^2/2 + m^3 P(m), with x = 2^e (1 + m) and sqrt(1/2) <= 1 + m < sqrt(2)
LOG_FIRST, *LOG_MIDDLE, LOG_LAST = (
    f64(f32(c))
    for c in (
        7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
        -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
    )
)  # fmt: skip
LN2_LOW, LN2_HIGH = f32(-2.12194440e-4), f32(0.693359375)
SQRT_HALF = i32(int(f32(np.sqrt(0.5)).view(i32)) - 2**31)  # the bits of -sqrt(1/2)

TWO_PI = f32(f32(2 * np.pi) * f32(2**-24))
FOUR_OVER_PI = f32(1.27323954473516)
QUARTER_PI = f64(f32(-0.78515625)) + f64(f32(-2.4187564849853515625e-4)) + f64(f32(-3.77489497744594108e-8))  # exact: 48 bits


def rounding_to(exponent: int) -> Any:
    """The float64 that, added to a number in [2^exponent, 2^(exponent+1)), rounds it as float32 does."""
    return f64(1.5 * 2.0 ** (exponent + 29))


# cos x = 1 - x^2/2 + x^4 C(x^2) and sin x = x + x^3 S(x^2) for |x| <= pi/4
COS_1, SIN_1 = f64(f32(2.443315711809948e-5)), f64(f32(-1.9515295891e-4))
COS_2_ROUND, COS_3_ROUND = rounding_to(-10), rounding_to(-5)
SIN_2_ROUND, SIN_3_ROUND = rounding_to(-7), rounding_to(-3)
COS_2, COS_3 = f64(f32(-1.388731625493765e-3)) + COS_2_ROUND, f64(f32(4.166664568298827e-2)) + COS_3_ROUND
SIN_2, SIN_3 = f64(f32(8.3321608736e-3)) + SIN_2_ROUND, f64(f32(-1.6666654611e-1)) + SIN_3_ROUND

ONE, HALF, MINUS_ONE, MINUS_TWO, ZERO, OFFSET = (f32(c) for c in (1, 0.5, -1, -2, 0, 24))
HALF_64 = f64(0.5)
LOW_24, HIGH_8, EXPONENT, SIGN = i32(2**24 - 1), i32(-(2**24)), i32(-(2**23)), i32(-(2**31))
I1, I2, EVEN, S23, S29, S30, S31 = (i32(c) for c in (1, 2, -2, 23, 29, 30, 31))


class Workspace:
    """Scratch arrays for a number of pairs, and their views as integers and as blocks of eight."""

    def __init__(self, pairs: int) -> None:
        self.pairs = pairs
        single = np.empty((7, pairs), f32)
        self.f = list(single)
        self.i = list(single.view(i32))
        self.d = list(np.empty((3, pairs), f64))
        self.blocks = [row.view("V32") for row in single]


def radius(w: Workspace) -> Any:
    """sqrt(-2 ln(1 - u)) for the words in `w.i[0]`; overwrites 0 to 3, the result is `w.f[1]`."""
    words, m, e, y = w.i[:4]
    m_, e_, y_ = w.f[1:4]
    z_ = w.f[0]
    x, a, b = w.d
    bitwise_or(words, HIGH_8, words)  # k - 2^24, that is -(1 - u) * 2^24
    copyto(m_, words, casting="unsafe")
    subtract(m, SQRT_HALF, y)  # both negative: the difference of the magnitudes' bits
    right_shift(y, S23, e)  # its exponent: e + 24
    bitwise_and(y, EXPONENT, y)
    subtract(m, y, m)  # -(1 + m)
    copyto(e_, e, casting="unsafe")
    subtract(e_, OFFSET, e_)
    subtract(MINUS_ONE, m_, m_)
    copyto(x, m_)
    multiply(x, LOG_FIRST, a)
    for c in LOG_MIDDLE:
        add(a, c, a)
        copyto(y_, a, casting="same_kind")
        copyto(b, y_)
        multiply(b, x, a)
    add(a, LOG_LAST, a)
    copyto(y_, a, casting="same_kind")
    multiply(y_, m_, y_)
    multiply(m_, m_, z_)
    copyto(b, y_)
    copyto(a, z_)
    multiply(b, a, a)
    multiply(e_, LN2_LOW, y_)
    copyto(b, y_)
    add(a, b, a)
    copyto(y_, a, casting="same_kind")
    multiply(z_, HALF, z_)
    subtract(y_, z_, y_)
    add(m_, y_, m_)
    multiply(e_, LN2_HIGH, e_)
    add(m_, e_, m_)
    multiply(m_, MINUS_TWO, m_)
    sqrt(m_, m_)
    return m_


def cos_sin(w: Workspace) -> tuple[Any, Any]:
    """cos(2 pi u) and sin(2 pi u) for the words in `w.i[0]`; overwrites all but 1, the results are `w.f[2]`, `w.f[3]`."""
    words, _, cos, sin, j, t, _ = w.i
    _, _, cos_, sin_, j_, t_, z_ = w.f
    spare = w.i[0]
    x, a, b = w.d
    bitwise_and(words, LOW_24, words)
    copyto(t_, words, casting="unsafe")
    multiply(t_, TWO_PI, t_)
    multiply(t_, FOUR_OVER_PI, j_)
    copyto(j, j_, casting="unsafe")
    add(j, I1, j)
    bitwise_and(j, EVEN, j)  # the octant, made even: t - j pi/4 lies in [-pi/4, pi/4]
    copyto(a, j)
    copyto(x, t_)
    multiply(a, QUARTER_PI, a)
    add(x, a, x)
    copyto(t_, x, casting="same_kind")
    copyto(x, t_)
    multiply(t_, t_, z_)
    copyto(a, z_)
    multiply(a, SIN_1, b)
    add(b, SIN_2, b)
    subtract(b, SIN_2_ROUND, b)
    multiply(b, a, b)
    add(b, SIN_3, b)
    subtract(b, SIN_3_ROUND, b)
    multiply(b, a, b)
    copyto(sin_, b, casting="same_kind")
    copyto(b, sin_)
    multiply(b, x, b)
    add(b, x, b)
    copyto(sin_, b, casting="same_kind")
    multiply(a, COS_1, b)
    add(b, COS_2, b)
    subtract(b, COS_2_ROUND, b)
    multiply(b, a, b)
    add(b, COS_3, b)
    subtract(b, COS_3_ROUND, b)
    multiply(b, a, b)
    copyto(cos_, b, casting="same_kind")
    copyto(b, cos_)
    multiply(b, a, b)
    multiply(a, HALF_64, a)
    subtract(b, a, b)
    copyto(cos_, b, casting="same_kind")
    add(cos_, ONE, cos_)
    # The octant says which of the two is which (j & 2), and the signs: sin's is j & 4, cos's (j + 2) & 4.
    left_shift(j, S30, t)
    right_shift(t, S31, t)
    bitwise_xor(cos, sin, spare)
    bitwise_and(spare, t, spare)
    bitwise_xor(cos, spare, cos)
    bitwise_xor(sin, spare, sin)
    left_shift(j, S29, t)
    bitwise_and(t, SIGN, t)
    bitwise_xor(sin, t, sin)
    add(j, I2, j)
    left_shift(j, S29, t)
    bitwise_and(t, SIGN, t)
    bitwise_xor(cos, t, cos)
    return cos_, sin_


def transform(words: Any, mean: float, std: float, w: Workspace, affine: Any) -> None:
    """Turns words into normal numbers in place: a contiguous float32 array of a multiple of 16 elements.

    In each block of 16, eight words u are followed by eight words v; they become R(u) cos(2 pi v) and R(u) sin(2 pi v),
    times `std` plus `mean` (both float32 values; `affine(array, std, mean)` does that with one rounding, in place).
    """
    blocks = words.view("V32")
    copyto(w.blocks[0], blocks[::2])
    r = radius(w)
    copyto(w.blocks[0], blocks[1::2])
    cos, sin = cos_sin(w)
    multiply(cos, r, cos)
    multiply(sin, r, sin)
    if mean == 0:
        if std != 1:
            multiply(cos, f32(std), cos)
            multiply(sin, f32(std), sin)
        add(cos, ZERO, cos)  # -0 becomes 0, as in the fused operation
        add(sin, ZERO, sin)
    else:
        affine(cos, std, mean)
        affine(sin, std, mean)
    blocks[::2] = w.blocks[2]
    blocks[1::2] = w.blocks[3]
