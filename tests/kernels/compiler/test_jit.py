"""The cache of object code: private, checked, and never in the way."""

import stat

import pytest

from flambeau.kernels.compiler import jit, usable
from harness import run_python

pytestmark = pytest.mark.skipif(not usable(), reason="kernels are not compiled here")

PROGRAM = """
import numpy as np
from flambeau.kernels.compiler import jit
from flambeau.kernels.library import activation
made = []
plain = jit.Compiler.object_code
jit.Compiler.object_code = lambda self, ir: made.append(1) or plain(self, ir)
x = np.linspace(-3, 3, 50, dtype=np.float32)
print(activation.gelu.version(x.dtype)(np.empty_like(x), x).sum(), len(made))
"""


def run(folder, **environment):
    done = run_python("-c", PROGRAM, **{"FLAMBEAU_CACHE_DIR": str(folder), **environment})
    total, compiled = done.stdout.split()
    return float(total), int(compiled)


def test_a_second_process_compiles_nothing(tmp_path):
    folder = tmp_path / "cache"
    first, compiled = run(folder)
    assert compiled == 2  # the kernel and the pool of threads
    assert run(folder) == (first, 0)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.suffix for path in folder.iterdir()] == [".o", ".o"]


def test_a_damaged_object_is_compiled_again(tmp_path):
    first, _ = run(tmp_path)
    path = next(tmp_path.glob("*.o"))
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    assert run(tmp_path) == (first, 1)
    assert run(tmp_path) == (first, 0)


def test_without_a_folder_the_code_lives_in_memory(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    assert run(blocker / "cache")[1] == 2


def test_clear(tmp_path, monkeypatch):
    run(tmp_path)
    monkeypatch.setenv("FLAMBEAU_CACHE_DIR", str(tmp_path))
    assert jit.clear_cache() == 2
    assert jit.clear_cache() == 0
