"""Samplers that draw one number after the other, with the C library's functions: as compiled kernels.

All take the generator's 625 words as `state`. What they compute is said in `kernels/sampling.py` and `kernels/random.py`.
"""

from functools import cache
from typing import Any, Callable

import numpy as np

from .twister import ARGUMENTS, COUNT, STATE

_HEAD = """
declare double @exp(double)
declare double @log(double)
declare double @log1p(double)
declare double @sin(double)
declare double @cos(double)
declare double @lgamma(double)
declare double @llvm.sqrt.f64(double)
declare double @llvm.fabs.f64(double)
declare double @llvm.floor.f64(double)

; U53
define internal double @uniform(ptr %key, ptr %pos_at) {
  %high = call i32 @next_word(ptr %key, ptr %pos_at)
  %low = call i32 @next_word(ptr %key, ptr %pos_at)
  %h = zext i32 %high to i64
  %l = zext i32 %low to i64
  %shifted = shl i64 %h, 32
  %number = or i64 %shifted, %l
  %low53 = and i64 %number, 9007199254740991
  %float = uitofp i64 %low53 to double
  %u = fmul double %float, 0x3CA0000000000000
  ret double %u
}
"""

_ENTRY = """
define ptr @NAME(ptr %self, ptr %args, i64 %nargs) {
entry:
ARGUMENTS
  br label %test
test:
  %i = phi i64 [0, %entry], [%i1, %next]
  %more = icmp slt i64 %i, %n
  br i1 %more, label %one, label %finished
one:
BODY
next:
  %i1 = add nsw i64 %i, STEP
  br label %test
finished:
RETURN}
"""

_PAIR = """  %u = call double @uniform(ptr %key, ptr %pos_at)
  %v = call double @uniform(ptr %key, ptr %pos_at)
  %minus = fneg double %v
  %log = call double @log1p(double %minus)
  %twice = fmul double %log, -2.0
  %r = call double @llvm.sqrt.f64(double %twice)
  %angle = fmul double %u, 0x401921FB54442D18
  %cos = call double @cos(double %angle)
  %sin = call double @sin(double %angle)
  %a = fmul double %r, %cos
  %b = fmul double %r, %sin
"""
"""Two normal numbers, %a and %b, from two uniform ones (Box and Muller, 1958)."""

_NORMAL = f"""
{_PAIR}  %a_at = getelementptr double, ptr %out, i64 %i
  %b_at = getelementptr double, ptr %a_at, i64 1
  store double %a, ptr %a_at
  store double %b, ptr %b_at
  br label %next
"""

_POISSON = """
define internal double @poisson(double %rate, ptr %key, ptr %pos_at) {
entry:
  %none = fcmp oeq double %rate, 0.0
  br i1 %none, label %zero, label %some
zero:
  ret double 0.0
some:
  %few = fcmp olt double %rate, 10.0
  br i1 %few, label %product, label %rejection

product:
  %minus = fneg double %rate
  %limit = call double @exp(double %minus)
  %first = call double @uniform(ptr %key, ptr %pos_at)
  br label %product_test
product_test:
  %p = phi double [%first, %product], [%p1, %product_step]
  %count = phi double [0.0, %product], [%count1, %product_step]
  %above = fcmp ogt double %p, %limit
  br i1 %above, label %product_step, label %product_end
product_step:
  %factor = call double @uniform(ptr %key, ptr %pos_at)
  %p1 = fmul double %p, %factor
  %count1 = fadd double %count, 1.0
  br label %product_test
product_end:
  ret double %count

rejection:
  %log_rate = call double @log(double %rate)
  %root = call double @llvm.sqrt.f64(double %rate)
  %b0 = fmul double %root, {2.53}
  %b = fadd double %b0, {0.931}
  %a0 = fmul double %b, {0.02483}
  %a = fadd double %a0, {-0.059}
  %i0 = fsub double %b, {3.4}
  %i1 = fdiv double {1.1328}, %i0
  %inverse_alpha = fadd double %i1, {1.1239}
  %v0 = fsub double %b, 2.0
  %v1 = fdiv double {3.6224}, %v0
  %v_r = fsub double {0.9277}, %v1
  %log_inverse = call double @log(double %inverse_alpha)
  br label %again
again:
  %u0 = call double @uniform(ptr %key, ptr %pos_at)
  %u = fsub double %u0, 0.5
  %v = call double @uniform(ptr %key, ptr %pos_at)
  %size = call double @llvm.fabs.f64(double %u)
  %us = fsub double 0.5, %size
  %k0 = fmul double %a, 2.0
  %k1 = fdiv double %k0, %us
  %k2 = fadd double %k1, %b
  %k3 = fmul double %k2, %u
  %k4 = fadd double %k3, %rate
  %k5 = fadd double %k4, {0.43}
  %k = call double @llvm.floor.f64(double %k5)
  %wide = fcmp oge double %us, {0.07}
  %low = fcmp ole double %v, %v_r
  %at_once = and i1 %wide, %low
  br i1 %at_once, label %accept, label %look
look:
  %negative = fcmp olt double %k, 0.0
  %narrow = fcmp olt double %us, {0.013}
  %high = fcmp ogt double %v, %us
  %outside = and i1 %narrow, %high
  %no = or i1 %negative, %outside
  br i1 %no, label %again, label %compare
compare:
  %log_v = call double @log(double %v)
  %square = fmul double %us, %us
  %d0 = fdiv double %a, %square
  %d1 = fadd double %d0, %b
  %log_d = call double @log(double %d1)
  %left0 = fadd double %log_v, %log_inverse
  %left = fsub double %left0, %log_d
  %next = fadd double %k, 1.0
  %gamma = call double @lgamma(double %next)
  %kl = fmul double %k, %log_rate
  %minus_rate = fneg double %rate
  %right0 = fadd double %minus_rate, %kl
  %right = fsub double %right0, %gamma
  %good = fcmp ole double %left, %right
  br i1 %good, label %accept, label %again
accept:
  ret double %k
}
"""

_POISSON_BODY = """
  %at = getelementptr double, ptr %out, i64 %i
  %rate = load double, ptr %at
  %number = call double @poisson(double %rate, ptr %key, ptr %pos_at)
  store double %number, ptr %at
  br label %next
"""


_GAMMA = """
; The next normal number: the one that waits, or the first of a pair, whose second waits then.
define internal double @normal(ptr %key, ptr %pos_at, ptr %cache) {
entry:
  %flag_at = getelementptr double, ptr %cache, i64 1
  %flag = load double, ptr %flag_at
  %waits = fcmp one double %flag, 0.0
  br i1 %waits, label %take, label %make
take:
  %waiting = load double, ptr %cache
  store double 0.0, ptr %flag_at
  ret double %waiting
make:
PAIR  store double %b, ptr %cache
  store double 1.0, ptr %flag_at
  ret double %a
}

declare double @pow(double, double)

define internal double @gamma(double %d, double %exponent, ptr %key, ptr %pos_at, ptr %cache) {
entry:
  %none = fcmp olt double %exponent, 0.0
  br i1 %none, label %zero, label %some
zero:
  ret double 0.0
some:
  %below_one = fcmp ogt double %exponent, 0.0
  br i1 %below_one, label %small, label %prepare
small:
  %w = call double @uniform(ptr %key, ptr %pos_at)
  %w1 = fsub double 1.0, %w
  %power = call double @pow(double %w1, double %exponent)
  br label %prepare
prepare:
  %scale = phi double [1.0, %some], [%power, %small]
  %nine = fmul double %d, 9.0
  %root = call double @llvm.sqrt.f64(double %nine)
  %c = fdiv double 1.0, %root
  br label %again
again:
  %x = call double @normal(ptr %key, ptr %pos_at, ptr %cache)
  %cx = fmul double %c, %x
  %y = fadd double %cx, 1.0
  %positive = fcmp ogt double %y, 0.0
  br i1 %positive, label %look, label %nan
nan:
  %unordered = fcmp uno double %y, 0.0
  br i1 %unordered, label %look, label %again
look:
  %y2 = fmul double %y, %y
  %v = fmul double %y2, %y
  %u0 = call double @uniform(ptr %key, ptr %pos_at)
  %u = fsub double 1.0, %u0
  %xx = fmul double %x, %x
  %s0 = fmul double SQUEEZE, %xx
  %s1 = fmul double %s0, %xx
  %s = fsub double 1.0, %s1
  %inside = fcmp olt double %u, %s
  br i1 %inside, label %accept, label %compare
compare:
  %log_u = call double @log(double %u)
  %log_v = call double @log(double %v)
  %half = fmul double %xx, 0.5
  %minus_v = fsub double 1.0, %v
  %sum = fadd double %minus_v, %log_v
  %product = fmul double %d, %sum
  %bound = fadd double %half, %product
  %beyond = fcmp uge double %log_u, %bound
  br i1 %beyond, label %never, label %accept
never:
  %hopeless = fcmp uno double %bound, 0.0
  br i1 %hopeless, label %accept, label %again
accept:
  %dv0 = fmul double %scale, %d
  %dv = fmul double %dv0, %v
  ret double %dv
}
""".replace("PAIR", _PAIR)

_GAMMA_BODY = """
  %exponents_at = getelementptr ptr, ptr %args, i64 2
  %exponents_object = load ptr, ptr %exponents_at
  %exponents_data = getelementptr i8, ptr %exponents_object, i64 16
  %exponents = load ptr, ptr %exponents_data
  %cache_at = getelementptr ptr, ptr %args, i64 3
  %cache_object = load ptr, ptr %cache_at
  %cache_data = getelementptr i8, ptr %cache_object, i64 16
  %cache = load ptr, ptr %cache_data
  %at = getelementptr double, ptr %out, i64 %i
  %exponent_at = getelementptr double, ptr %exponents, i64 %i
  %d = load double, ptr %at
  %exponent = load double, ptr %exponent_at
  %number = call double @gamma(double %d, double %exponent, ptr %key, ptr %pos_at, ptr %cache)
  store double %number, ptr %at
  br label %next
"""


_BINOMIAL = (
    """
declare double @llvm.ceil.f64(double)

@stirling_table = internal constant [10 x double] [
  double {0.0810614667953272}, double {0.0413406959554092}, double {0.0276779256849983}, double {0.02079067210376509},
  double {0.0166446911898211}, double {0.0138761288230707}, double {0.0118967099458917}, double {0.0104112652619720},
  double {0.00925546218271273}, double {0.00833056343336287}]

define internal double @stirling_tail(double %k) {
entry:
  %small = fcmp ole double %k, 9.0
  br i1 %small, label %look_up, label %compute
look_up:
  %index = fptosi double %k to i64
  %entry_at = getelementptr [10 x double], ptr @stirling_table, i64 0, i64 %index
  %listed = load double, ptr %entry_at
  ret double %listed
compute:
  %next = fadd double %k, 1.0
  %square = fmul double %next, %next
  %t0 = fdiv double {1260th}, %square
  %t1 = fsub double {360th}, %t0
  %t2 = fdiv double %t1, %square
  %t3 = fsub double {12th}, %t2
  %tail = fdiv double %t3, %next
  ret double %tail
}

define internal double @inversion(double %n, double %log_q, ptr %key, ptr %pos_at) {
entry:
  br label %again
again:
  %total = phi double [0.0, %entry], [%total1, %one_more]
  %count = phi double [0.0, %entry], [%count1, %one_more]
  %u = call double @uniform(ptr %key, ptr %pos_at)
  %log_u = call double @log(double %u)
  %length = fdiv double %log_u, %log_q
  %trials = call double @llvm.ceil.f64(double %length)
  %total1 = fadd double %total, %trials
  %beyond = fcmp ogt double %total1, %n
  br i1 %beyond, label %finish, label %one_more
one_more:
  %count1 = fadd double %count, 1.0
  br label %again
finish:
  ret double %count
}

define internal double @rejection(double %n, double %p, double %deviation, double %product, double %r, double %m, double %n1, ptr %key,
                                  ptr %pos_at) {
entry:
  %b0 = fmul double %deviation, {2.53}
  %b = fadd double %b0, {1.15}
  %a0 = fmul double %b, {0.0248}
  %a1 = fadd double %a0, {-0.0873}
  %a2 = fmul double %p, {0.01}
  %a = fadd double %a1, %a2
  %c = fadd double %product, 0.5
  %v0 = fdiv double {4.2}, %b
  %v_r = fsub double {0.92}, %v0
  %alpha0 = fdiv double {5.1}, %b
  %alpha1 = fadd double %alpha0, {2.83}
  %alpha = fmul double %alpha1, %deviation
  %two_a = fmul double %a, 2.0
  br label %again
again:
  %u0 = call double @uniform(ptr %key, ptr %pos_at)
  %u = fsub double %u0, 0.5
  %v = call double @uniform(ptr %key, ptr %pos_at)
  %size = call double @llvm.fabs.f64(double %u)
  %us = fsub double 0.5, %size
  %k0 = fdiv double %two_a, %us
  %k1 = fadd double %k0, %b
  %k2 = fmul double %k1, %u
  %k3 = fadd double %k2, %c
  %k = call double @llvm.floor.f64(double %k3)
  %negative = fcmp olt double %k, 0.0
  %large = fcmp ogt double %k, %n
  %outside = or i1 %negative, %large
  br i1 %outside, label %again, label %possible
possible:
  %wide = fcmp oge double %us, {0.07}
  %low = fcmp ole double %v, %v_r
  %at_once = and i1 %wide, %low
  br i1 %at_once, label %accept, label %compare
compare:
  %us2 = fmul double %us, %us
  %bound0 = fdiv double %a, %us2
  %bound1 = fadd double %bound0, %b
  %bound2 = fmul double %v, %alpha
  %bound = fdiv double %bound2, %bound1
  %left = call double @log(double %bound)
  %k_1 = fadd double %k, 1.0
  %rest = fsub double %n, %k
  %failures = fadd double %rest, 1.0
  %m_1 = fadd double %m, 1.0
  %m_rest = fsub double %n, %m
  %m_failures = fadd double %m_rest, 1.0
  %x0 = fmul double %r, %m_failures
  %x1 = fdiv double %m_1, %x0
  %x2 = call double @log(double %x1)
  %x3 = fadd double %m, 0.5
  %x = fmul double %x3, %x2
  %y0 = fdiv double %m_failures, %failures
  %y1 = call double @log(double %y0)
  %y = fmul double %n1, %y1
  %z0 = fmul double %r, %failures
  %z1 = fdiv double %z0, %k_1
  %z2 = call double @log(double %z1)
  %z3 = fadd double %k, 0.5
  %z = fmul double %z3, %z2
  %tail_m = call double @stirling_tail(double %m)
  %tail_m_rest = call double @stirling_tail(double %m_rest)
  %tail_k = call double @stirling_tail(double %k)
  %tail_rest = call double @stirling_tail(double %rest)
  %right0 = fadd double %x, %y
  %right1 = fadd double %right0, %z
  %right2 = fadd double %right1, %tail_m
  %right3 = fadd double %right2, %tail_m_rest
  %right4 = fsub double %right3, %tail_k
  %right = fsub double %right4, %tail_rest
  %good = fcmp ole double %left, %right
  br i1 %good, label %accept, label %again
accept:
  ret double %k
}
""".replace("{1260th}", f"{{{1 / 1260:.25f}}}")
    .replace("{360th}", f"{{{1 / 360:.25f}}}")
    .replace("{12th}", f"{{{1 / 12:.25f}}}")
)

_BINOMIAL_BODY = """
  %rows_at = getelementptr ptr, ptr %args, i64 2
  %rows_object = load ptr, ptr %rows_at
  %rows_data = getelementptr i8, ptr %rows_object, i64 16
  %rows = load ptr, ptr %rows_data
  %at = getelementptr double, ptr %out, i64 %i
  %row = getelementptr [7 x double], ptr %rows, i64 %i
  %count = load double, ptr %row
  %p_at = getelementptr double, ptr %row, i64 1
  %p = load double, ptr %p_at
  %deviation_at = getelementptr double, ptr %row, i64 2
  %deviation = load double, ptr %deviation_at
  %few = fcmp olt double %deviation, 0.0
  br i1 %few, label %geometric, label %reject
geometric:
  %successes = call double @inversion(double %count, double %p, ptr %key, ptr %pos_at)
  store double %successes, ptr %at
  br label %next
reject:
  %product_at = getelementptr double, ptr %row, i64 3
  %product = load double, ptr %product_at
  %r_at = getelementptr double, ptr %row, i64 4
  %r = load double, ptr %r_at
  %m_at = getelementptr double, ptr %row, i64 5
  %m = load double, ptr %m_at
  %n1_at = getelementptr double, ptr %row, i64 6
  %n1 = load double, ptr %n1_at
  %number = call double @rejection(double %count, double %p, double %deviation, double %product, double %r, double %m, double %n1,
                                   ptr %key, ptr %pos_at)
  store double %number, ptr %at
  br label %next
"""


def _with_constants(text: str) -> str:
    """Decimal constants in braces become their bits: LLVM takes only decimals that are exact."""
    import re
    import struct

    return re.sub(r"\{(-?[0-9.]+)\}", lambda m: "0x" + struct.pack(">d", float(m[1])).hex().upper(), text)


def _compiled(name: str, functions: str, body: str, step: int) -> Callable[..., Any]:
    from ..compiler.jit import python_function
    from ..compiler.llvm import given_back

    entry = _ENTRY.replace("ARGUMENTS", ARGUMENTS + COUNT).replace("RETURN", given_back("%object"))
    entry = entry.replace("NAME", f"flambeau_{name}").replace("BODY", body).replace("STEP", str(step))
    return python_function(STATE + _HEAD + _with_constants(functions) + entry, f"flambeau_{name}")


@cache
def normal_pairs() -> Callable[..., Any]:
    """`kernel(out, state)`: normal numbers in pairs, out float64 with an even number of elements."""
    return _compiled("normal_pairs", "", _NORMAL, 2)


@cache
def poisson() -> Callable[..., Any]:
    """`kernel(out, state)`: each rate in `out` (float64, none negative or NaN) becomes a Poisson number."""
    return _compiled("poisson", _POISSON, _POISSON_BODY, 1)


@cache
def gamma() -> Callable[..., Any]:
    """`kernel(out, state, exponents, cache)`: each d in `out` (float64) becomes a gamma number of shape d + 1/3, times a power
    of U53 where the exponent is positive; 0 where it is negative. cache: the normal number that waits, and whether one does."""
    squeeze = float(np.float32(0.0331))
    return _compiled("gamma", _GAMMA.replace("SQUEEZE", f"{{{squeeze!r}}}"), _GAMMA_BODY, 1)


@cache
def binomial() -> Callable[..., Any]:
    """`kernel(out, state, rows)`: binomial numbers, out float64. A row: n, p, the deviation, n p, p / (1 - p), floor((n + 1) p), n + 1;
    or n, log(1 - p) and a negative number where geometric numbers are to be added up."""
    return _compiled("binomial", _BINOMIAL, _BINOMIAL_BODY, 1)
