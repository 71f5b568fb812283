"""What is known of this machine and its compiler without importing llvmlite."""

import functools
import hashlib
import platform
import sys
from importlib.util import find_spec
from pathlib import Path


@functools.cache
def features() -> frozenset[str]:
    """What the CPU has, by LLVM's names: `avx2`, `avx512f`, `f16c`, `fma`, ..."""
    flags = _flags()
    if flags is not None:
        return frozenset(flags.split())
    from .jit import compiler

    return frozenset(f[1:] for f in compiler().features.split(",") if f.startswith("+"))


@functools.cache
def _flags() -> str | None:
    """The flags of an x86 CPU as Linux names them, which for what is asked here are LLVM's names; None elsewhere."""
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        return None
    return _about_cpu("flags")


@functools.cache
def vendor() -> str | None:
    """Who made an x86 CPU: `GenuineIntel`, `AuthenticAMD`, ...; None where that is not known."""
    return None if _flags() is None else _about_cpu("vendor_id")


def _about_cpu(what: str) -> str | None:
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if name.strip() == what:
                    return value.strip()
    except OSError:
        pass
    return None


def arm() -> bool:
    """Whether it is a 64-bit ARM."""
    return platform.machine().lower() in ("aarch64", "arm64")


def vector_bits() -> int:
    """How wide the vector registers are."""
    return 512 if "avx512f" in features() else 256 if "avx2" in features() else 128


@functools.cache
def identity() -> str:
    """What object code depends on beside its IR: the compiler's sources, llvmlite with its LLVM, the CPU, Python and NumPy."""
    import numpy

    from .cache import compiler_sources

    flags = _flags()
    if flags is None:
        from .jit import compiler

        cpu = f"{compiler().cpu}|{compiler().features}"
    else:
        cpu = "|".join(str(_about_cpu(what)) for what in ("vendor_id", "cpu family", "model", "stepping")) + flags
    return "|".join([compiler_sources(), _llvmlite_version(), platform.machine(), cpu, sys.version, numpy.__version__])


def _llvmlite_version() -> str:
    """A hash of the file in which llvmlite says its version, and with it LLVM's."""
    spec = find_spec("llvmlite")
    folder = Path(spec.origin).parent if spec is not None and spec.origin else None
    if folder is None or not (folder / "_version.py").exists():
        import llvmlite

        return str(llvmlite.__version__)
    return hashlib.sha256((folder / "_version.py").read_bytes()).hexdigest()
