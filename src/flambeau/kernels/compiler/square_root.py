"""The square root that PyTorch computes of float32 arrays on this CPU.

PyTorch hands them to Intel's MKL, which on a CPU of another maker begins with the estimate of `rsqrtps`, takes two of Newton's steps and
fuses no product with a sum: y = rsqrt(x), s = x y, h = y / 2, e = 1/2 - s h; s + s e is the root but for some digits, h + h e half its
inverse, and the second step adds (h + h e) (x - s^2). The result is within 0.75 units in the last place (found by comparing results).
What is zero, subnormal, infinite or NaN goes by the exact root, and so does everything on other CPUs.

LLVM's vectoriser knows no estimates: it is told that a call of `@flambeau_sqrt` stands for calls of these functions on 4, 8 or 16
elements, and once it has used them they are inlined (see `Compiler.object_code`).
"""

import functools

from .machine import features, vendor

NAME = "@flambeau_sqrt"
"""The function of one float32 that IR calls; `definitions()` must then be added to the module."""

_WIDTHS = (4, 8, 16)

_VARIANTS = ",".join(f"_ZGV_LLVM_N{n}v_flambeau_sqrt(flambeau_sqrt_{n})" for n in _WIDTHS)
CALL = f'{NAME}(float %s) "vector-function-abi-variant"="{_VARIANTS}"'
"""A call of it."""

_PAIR = """  %low = shufflevector <16 x float> %x, <16 x float> poison, <8 x i32> <{first}>
  %high = shufflevector <16 x float> %x, <16 x float> poison, <8 x i32> <{second}>
  %y_low = call <8 x float> @llvm.x86.avx.rsqrt.ps.256(<8 x float> %low)
  %y_high = call <8 x float> @llvm.x86.avx.rsqrt.ps.256(<8 x float> %high)
  %y = shufflevector <8 x float> %y_low, <8 x float> %y_high, <16 x i32> <{first}, {second}>"""

_ROOT = """
declare i1 @llvm.vector.reduce.or.v{n}i1(<{n} x i1>)
declare {v} @llvm.sqrt.v{n}f32({v})

define internal {v} @flambeau_sqrt_{n}({v} %x) alwaysinline memory(none) nounwind willreturn {{
start:
{estimate}
  %s = fmul {v} %x, %y
  %h = fmul {v} %y, splat (float 0.5)
  %sh = fmul {v} %s, %h
  %e = fsub {v} splat (float 0.5), %sh
  %se = fmul {v} %s, %e
  %root = fadd {v} %s, %se
  %he = fmul {v} %h, %e
  %half = fadd {v} %h, %he
  %square = fmul {v} %root, %root
  %rest = fsub {v} %x, %square
  %step = fmul {v} %half, %rest
  %usual = fadd {v} %root, %step
  %bits = bitcast {v} %x to <{n} x i32>
  %above = sub <{n} x i32> %bits, splat (i32 8388608)
  %odd = icmp uge <{n} x i32> %above, splat (i32 2130706432)
  %any = call i1 @llvm.vector.reduce.or.v{n}i1(<{n} x i1> %odd)
  br i1 %any, label %rare, label %done
rare:
  %exact = call {v} @llvm.sqrt.v{n}f32({v} %x)
  %either = select <{n} x i1> %odd, {v} %exact, {v} %usual
  br label %done
done:
  %result = phi {v} [%usual, %start], [%either, %rare]
  ret {v} %result
}}
"""

_ONE = """
declare <4 x float> @llvm.x86.sse.rsqrt.ps(<4 x float>)
declare <8 x float> @llvm.x86.avx.rsqrt.ps.256(<8 x float>)

define internal float @flambeau_sqrt(float %x) noinline memory(none) nounwind willreturn {
  %v = insertelement <4 x float> splat (float 1.0), float %x, i64 0
  %roots = call <4 x float> @flambeau_sqrt_4(<4 x float> %v)
  %root = extractelement <4 x float> %roots, i64 0
  ret float %root
}
@llvm.compiler.used = appending global [4 x ptr] [ptr @flambeau_sqrt, ptr @flambeau_sqrt_4, ptr @flambeau_sqrt_8, ptr @flambeau_sqrt_16],
  section "llvm.metadata"
"""


@functools.cache
def estimated() -> bool:
    """Whether PyTorch's square root is an estimate here."""
    return vendor() == "AuthenticAMD" and "avx" in features()


def _lanes(first: int) -> str:
    return ", ".join(f"i32 {i}" for i in range(first, first + 8))


def definitions() -> str:
    """The functions, as IR."""
    estimates = {
        4: "  %y = call <4 x float> @llvm.x86.sse.rsqrt.ps(<4 x float> %x)",
        8: "  %y = call <8 x float> @llvm.x86.avx.rsqrt.ps.256(<8 x float> %x)",
        16: _PAIR.format(first=_lanes(0), second=_lanes(8)),
    }
    return _ONE + "".join(_ROOT.format(n=n, v=f"<{n} x float>", estimate=estimates[n]) for n in _WIDTHS)
