"""Object code in memory without LLVM: the same addresses work, and what is not known is left to llvmlite's linker."""

import ctypes
import os
import platform
import struct
import sys

import pytest

from flambeau.kernels.compiler import jit, loader, machine, usable
from harness import run_python

pytestmark = pytest.mark.skipif(
    not usable() or sys.platform != "linux" or platform.machine() != "x86_64", reason="the loader is for Linux on x86-64"
)

IR = """
declare double @cos(double)
@table = global [4 x i64] zeroinitializer
@numbers = private constant [3 x double] [double 1.5, double 2.5, double 4.0]

define double @sum(ptr %x, i64 %count) {
entry:
  br label %test
test:
  %i = phi i64 [0, %entry], [%next, %more]
  %total = phi double [0.25, %entry], [%larger, %more]
  %go = icmp slt i64 %i, %count
  br i1 %go, label %more, label %done
more:
  %at = getelementptr double, ptr %x, i64 %i
  %value = load double, ptr %at
  %larger = fadd reassoc double %total, %value
  %next = add i64 %i, 1
  br label %test
done:
  %turned = call double @cos(double %total)
  ret double %turned
}

define i64 @entry(i64 %i) {
  %at = getelementptr i64, ptr @table, i64 %i
  %value = load i64, ptr %at
  ret i64 %value
}
"""


@pytest.fixture(scope="module")
def code():
    return jit.compiler().object_code(IR)


def test_code_runs(code):
    place, total, entry = loader.load(code, ("table", "sum", "entry"), jit._address)
    numbers = (ctypes.c_double * 37)(*range(37))
    call = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_void_p, ctypes.c_int64)
    other = jit.compiler().link(code, "test_code_runs", ("sum",))[0]
    assert call(total)(numbers, 37) == call(other)(numbers, 37)
    (ctypes.c_int64 * 4).from_address(place)[2] = 77
    assert ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(entry)(2) == 77
    child = os.fork()
    if not child:  # has variables of its own
        (ctypes.c_int64 * 4).from_address(place)[2] = 78
        os._exit(0)
    os.waitpid(child, 0)
    assert ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(entry)(2) == 77


def test_a_function_that_is_nowhere(code):
    def resolve(name):
        raise RuntimeError(f"no {name}")

    with pytest.raises(RuntimeError, match="no cos"):
        loader.load(code, ("sum",), resolve)
    with pytest.raises(RuntimeError, match="compiled code calls flambeau_nowhere, which this process does not have"):
        jit._address("flambeau_nowhere")


def test_what_it_does_not_know_is_left_alone(code):
    assert loader.load(b"\x7fELF but not for long", ("sum",), jit._address) is None
    assert loader.load(b"\xcf\xfa\xed\xfe" + code[4:], ("sum",), jit._address) is None
    changed = bytearray(code)
    start, size, count = struct.unpack_from("<Q", code, 40) + struct.unpack_from("<HH", code, 58)
    for i in range(count):
        section = loader._SECTION.unpack_from(code, start + i * size)
        if section[1] == 4 and section[5]:
            struct.pack_into("<I", changed, section[4] + 8, 42)  # another kind of relocation
    assert loader.load(bytes(changed), ("sum",), jit._address) is None


def test_a_warm_process_does_without_llvm(tmp_path):
    program = (
        "import sys, flambeau as torch\n"
        "x = torch.randn(40, 30, requires_grad=True)\n"
        "for _ in range(250):\n"
        "    y = torch.nn.functional.gelu(x @ x.t() + 1).softmax(-1)\n"
        "    (y * y).sum().backward()\n"
        "print(round(float(x.grad.abs().sum()), 3) > 0, 'llvmlite.binding' in sys.modules)"
    )
    runs = [run_python("-c", program, FLAMBEAU_CACHE_DIR=str(tmp_path)).stdout.split() for _ in range(2)]
    assert runs == [["True", "True"], ["True", "False"]]


def test_a_process_ends_while_threads_of_the_pool_are_busy(tmp_path):
    """Code stays where it is until the process is gone."""
    program = "import flambeau as torch\nx = torch.randn(600, 600)\nfor _ in range(20):\n    y = (x @ x).exp().sum(0)\n"
    for _ in range(5):
        assert run_python("-c", program, FLAMBEAU_CACHE_DIR=str(tmp_path)).returncode == 0


def test_features_are_llvms():
    named = {f[1:] for f in jit.compiler().features.split(",") if f.startswith("+")}
    for feature in ("avx", "avx2", "avx512f", "f16c", "fma"):
        assert (feature in machine.features()) == (feature in named), feature
