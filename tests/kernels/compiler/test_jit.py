"""The cache of object code: private, checked, and never in the way."""

import os
import stat
import sys
import time

import numpy as np
import pytest

from flambeau.kernels.compiler import cache, jit, machine, usable
from harness import run_python

pytestmark = pytest.mark.skipif(not usable(), reason="kernels are not compiled here")

PROGRAM = """
import numpy as np
from flambeau.kernels.compiler import jit
from flambeau.kernels.library import activation
made = []
plain = jit.Compiler.object_code
jit.Compiler.object_code = lambda self, ir, loops: made.append(1) or plain(self, ir, loops)
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
    (tmp_path / "notes.txt").write_text("kept")
    monkeypatch.setenv("FLAMBEAU_CACHE_DIR", str(tmp_path))
    assert cache.clear() == 2
    assert cache.clear() == 0
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_that_others_may_write_to_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("FLAMBEAU_CACHE_DIR", str(tmp_path))
    assert cache.folder() == tmp_path
    for mode in (0o770, 0o707, 0o777):
        tmp_path.chmod(mode)
        assert cache.folder() is None and cache.read("a" * 64) is None
        cache.write("a" * 64, b"code")
    tmp_path.chmod(0o700)
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr("os.getuid", lambda: tmp_path.stat().st_uid + 1)
    assert cache.folder() is None


def test_without_a_home(monkeypatch):
    for name in ("FLAMBEAU_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert cache.folder() is None and cache.clear() == 0


def test_the_users_cache_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("FLAMBEAU_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "deep" / "er"))
    assert cache.folder() == tmp_path / "deep" / "er" / "flambeau"


@pytest.mark.parametrize("failing", ["pathlib.Path.write_bytes", "os.replace"])
def test_a_full_or_read_only_disk(failing, tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("FLAMBEAU_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(failing, fail)
    cache.write("a" * 64, b"code")
    assert cache.read("a" * 64) is None and not list(tmp_path.iterdir())


def test_what_is_written_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("FLAMBEAU_CACHE_DIR", str(tmp_path))
    cache.write("a" * 64, b"code")
    assert cache.read("a" * 64) == b"code" and cache.read("b" * 64) is None
    (tmp_path / ("c" * 64 + ".o")).write_bytes(b"short")
    assert cache.read("c" * 64) is None


def test_the_folder_is_bounded_and_the_oldest_go(tmp_path, monkeypatch):
    monkeypatch.setenv("FLAMBEAU_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(cache, "LIMIT", 10_000)
    now = time.time()
    for i in range(20):
        cache.write(f"{i:064}", bytes(900))
        os.utime(tmp_path / f"{i:064}.o", (now - 1e6 + i * 1000,) * 2)
    assert cache.read(f"{3:064}") is not None or not (tmp_path / f"{3:064}.o").exists()
    (tmp_path / ("d" * 64 + ".123.456")).write_bytes(b"left by a process that was killed")
    os.utime(tmp_path / ("d" * 64 + ".123.456"), (now - 1e6,) * 2)
    for i in range(8):
        cache.write(f"e{i:063}", bytes(900))
    cache.trim(tmp_path)
    kept = [path.name for path in tmp_path.iterdir()]
    assert sum((tmp_path / name).stat().st_size for name in kept) <= 10_000
    assert all(f"e{i:063}.o" in kept for i in range(8))
    assert f"{0:064}.o" not in kept and not any(name.startswith("d") for name in kept)


def test_reading_keeps_a_file_young(tmp_path, monkeypatch):
    monkeypatch.setenv("FLAMBEAU_CACHE_DIR", str(tmp_path))
    cache.write("a" * 64, b"code")
    os.utime(tmp_path / ("a" * 64 + ".o"), (1.0, 1.0))
    cache.read("a" * 64)
    assert (tmp_path / ("a" * 64 + ".o")).stat().st_mtime > 1e6


def test_another_compiler_means_another_key(tmp_path, monkeypatch):
    monkeypatch.setenv("FLAMBEAU_CACHE_DIR", str(tmp_path))
    ir = "define i32 @seven() {\n  ret i32 7\n}\n"
    jit.cached_object(ir)
    jit.cached_object(ir)
    assert len(list(tmp_path.iterdir())) == 1
    parts = machine.identity().split("|")
    assert cache.compiler_sources() in parts and sys.version in parts and np.__version__ in parts and len(parts) > 5
    for part in ("0" * 64, "another"):
        monkeypatch.setattr(jit, "identity", lambda part=part: "|".join([part, *parts[1:]]))
        jit.cached_object(ir)
    assert len(list(tmp_path.iterdir())) == 3


def test_command(tmp_path):
    folder = tmp_path / "cache"
    run(folder)
    done = run_python("-m", "flambeau", "cache", "clear", FLAMBEAU_CACHE_DIR=str(folder))
    assert done.stdout == f"removed 2 compiled kernels from {folder}\n"
    assert not list(folder.iterdir())
