"""Object code on disk, so that the next process compiles nothing: private, checked before it is used, bounded.

Whatever is wrong with the folder (none, another user's, read-only, full), the code lives in memory, in silence.
"""

import functools
import hashlib
import os
import threading
import time
from pathlib import Path

LIMIT = 64 << 20
"""Bytes that the folder may hold; the files that were not used for longest go first."""

_DAY = 86400.0
_bytes_written = 0


@functools.cache
def compiler_sources() -> str:
    """A hash of the compiler's own files but the NumPy lowering: they decide what code comes of a kernel."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if not path.name.startswith("numpy_"):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def folder() -> Path | None:
    """Where object code is kept: `FLAMBEAU_CACHE_DIR`, or `flambeau` in the user's cache folder; made if need be.

    None where there is no such place, or where others could put code into it.
    """
    named = os.environ.get("FLAMBEAU_CACHE_DIR")
    if named:
        path = Path(named)
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        if base.startswith("~"):
            return None
        path = Path(base) / "flambeau"
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if hasattr(os, "getuid"):
            found = path.stat()
            if found.st_uid != os.getuid() or found.st_mode & 0o022:
                return None
    except OSError:
        return None
    return path


def read(key: str) -> bytes | None:
    """The code stored under a key, if it is whole."""
    place = folder()
    if place is None:
        return None
    path = place / f"{key}.o"
    try:
        content = path.read_bytes()
        if hashlib.sha256(content[32:]).digest() != content[:32]:
            return None
    except OSError:
        return None
    try:
        if time.time() - path.stat().st_mtime > _DAY:
            os.utime(path)  # it is in use
    except OSError:
        pass
    return content[32:]


def write(key: str, code: bytes) -> None:
    """Stores code under a key: a file appears whole or not at all."""
    global _bytes_written
    place = folder()
    if place is None:
        return
    temporary = place / f"{key}.{os.getpid()}.{threading.get_ident()}"
    try:
        temporary.write_bytes(hashlib.sha256(code).digest() + code)
        os.replace(temporary, place / f"{key}.o")
    except OSError:
        _remove(temporary)
        return
    first = _bytes_written == 0
    _bytes_written += len(code)
    if first or _bytes_written > LIMIT // 8:
        _bytes_written = 1
        trim(place)


def trim(place: Path) -> None:
    """Brings the folder down to three quarters of its limit where it is above, and sweeps out what broken processes left."""
    found = []
    try:
        for path in place.iterdir():
            about = path.stat()
            if path.suffix == ".o":
                found.append((about.st_mtime, about.st_size, path))
            elif len(path.stem.partition(".")[0]) == 64 and time.time() - about.st_mtime > _DAY:
                _remove(path)
    except OSError:
        return
    total = sum(size for _, size, _ in found)
    if total > LIMIT:
        for _, size, path in sorted(found):
            _remove(path)
            total -= size
            if total <= LIMIT * 3 // 4:
                return


def clear() -> int:
    """Removes all object code from the disk; returns how many files there were."""
    place = folder()
    return 0 if place is None else sum([_remove(path) for path in place.glob("*.o")])


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True
