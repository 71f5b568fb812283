"""Reading checkpoint archives.

No number in a file is believed: offsets and sizes are compared with the file's size before anything is allocated.
"""

import os
from typing import Any, NoReturn

import numpy as np

_ADVICE = (
    "This is an internal miniz error. If you are seeing this error, there is a high likelihood that your checkpoint file is corrupted. "
    "This can happen if the checkpoint was not saved properly, was transferred incorrectly, or the file was modified after saving."
)

_NO_ZIP = "not a ZIP archive"
_NO_DIRECTORY = "failed finding central directory"
_INVALID = "invalid header or archive is corrupted"
_NOT_FOUND = "file not found"
_READ = "file read failed"
_INFLATE = "decompression failed or archive is corrupted"
_ENCRYPTED = "unsupported encryption"
_METHOD = "unsupported method"

MINIMUM_VERSION, MAXIMUM_VERSION = 1, 10


def fail(doing: str, reason: str) -> NoReturn:
    """Raises RuntimeError in the words of PyTorch's reader."""
    raise RuntimeError(f"PytorchStreamReader failed {doing}: {reason}. {_ADVICE}")


class ZipReader:
    """The records of an archive in a seekable binary file, which is taken to end where the archive ends.

    Raises RuntimeError for a file that is no archive, is damaged, has no folder around its records or no version.
    """

    def __init__(self, file: Any) -> None:
        self.file = file
        self.start = file.tell()
        self.size = file.seek(0, os.SEEK_END) - self.start
        self.records: dict[str, tuple[int, int, int, int, int]] = {}
        self.root = ""
        self._read_directory()
        self._check_version()

    def __contains__(self, name: str) -> bool:
        return name in self.records

    def content(self, name: str) -> bytes:
        """The content of a record. Raises RuntimeError where there is none of that name, or it is damaged."""
        return bytes(self.array(name))

    def array(self, name: str) -> np.ndarray:
        """The content of a record as a new array of bytes, which may be written to."""
        method, packed, nbytes = self._record(name)[1:4]
        offset = self.offset(name)
        if method == 0:
            data = np.empty(nbytes, np.uint8)
            self._fill(offset, data, f"reading file {name}")
            return data
        return self._inflate(name, offset, packed, nbytes)

    def nbytes(self, name: str) -> int:
        """The size of a record's content."""
        return self._record(name)[3]

    def is_stored(self, name: str) -> bool:
        """Whether a record lies in the file as it is, not compressed."""
        return self._record(name)[1] == 0

    def offset(self, name: str) -> int:
        """Where in the archive the content of a record begins."""
        flags, method, packed, nbytes, header = self._record(name)
        if flags & 1:
            fail(f"reading file {name}", _ENCRYPTED)
        if method not in (0, 8):
            fail(f"reading file {name}", _METHOD)
        if method == 0 and packed != nbytes:
            fail(f"reading file {name}", _INVALID)
        head = self._read(header, 30, f"reading file {name}")
        if head[:4] != b"PK\3\4":
            fail(f"reading file {name}", _INVALID)
        offset = header + 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        if offset + packed > self.size:
            fail(f"reading file {name}", _INVALID)
        return offset

    def _record(self, name: str) -> tuple[int, int, int, int, int]:
        found = self.records.get(name)
        if found is None:
            fail(f"locating file {name}", _NOT_FOUND)
        return found

    def _inflate(self, name: str, offset: int, packed: int, nbytes: int) -> np.ndarray:
        import zlib

        if nbytes > packed * 1040 + 64:  # DEFLATE cannot do better than 1032 to 1
            fail(f"reading file {name}", _INFLATE)
        source = np.empty(packed, np.uint8)
        self._fill(offset, source, f"reading file {name}")
        inflater = zlib.decompressobj(-15)
        try:
            content = inflater.decompress(source.data, nbytes + 1)
        except zlib.error:
            content = b""
        if len(content) != nbytes:
            fail(f"reading file {name}", _INFLATE)
        return np.frombuffer(bytearray(content), np.uint8)

    def _read(self, offset: int, nbytes: int, doing: str) -> bytes:
        if offset < 0 or offset + nbytes > self.size:
            fail(doing, _READ)
        data = bytearray(nbytes)
        self._fill(offset, data, doing)
        return bytes(data)

    def _fill(self, offset: int, target: Any, doing: str) -> None:
        """Reads from `offset` on until `target` is full."""
        view = memoryview(target)
        self.file.seek(self.start + offset)
        readinto = getattr(self.file, "readinto", None)
        while len(view):
            if readinto is not None:
                count = readinto(view)
            else:
                part = self.file.read(min(len(view), 1 << 26))
                count = len(part)
                view[:count] = part
            if not count:
                fail(doing, _READ)
            view = view[count:]

    # --- the directory -----------------------------------------------------------------------------------------

    def _read_directory(self) -> None:
        from struct import unpack_from

        doing = "reading zip archive"
        if self.size < 22:
            fail(doing, _NO_ZIP)
        tail_start = max(0, self.size - 22 - 0xFFFF)
        tail = self._read(tail_start, self.size - tail_start, doing)
        end = tail.rfind(b"PK\5\6", 0, len(tail) - 18)
        if end < 0:
            fail(doing, _NO_DIRECTORY)
        count, size, offset = unpack_from("<H2I", tail, end + 10)
        end += tail_start
        if count == 0xFFFF or 0xFFFFFFFF in (size, offset):
            count, size, offset = self._zip64_end(end, count, size, offset)
        if offset + size > end or count * 46 > size:
            fail(doing, _INVALID)
        directory = self._read(offset, size, doing)
        position = 0
        entries = []
        for _ in range(count):
            if position + 46 > size or directory[position : position + 4] != b"PK\1\2":
                fail(doing, _INVALID)
            flags, method = unpack_from("<2H", directory, position + 8)
            packed, nbytes, name_size, extra_size, comment_size = unpack_from("<2I3H", directory, position + 20)
            (header,) = unpack_from("<I", directory, position + 42)
            name = directory[position + 46 : position + 46 + name_size]
            extra = directory[position + 46 + name_size : position + 46 + name_size + extra_size]
            position += 46 + name_size + extra_size + comment_size
            if position > size:
                fail(doing, _INVALID)
            if 0xFFFFFFFF in (packed, nbytes, header):
                nbytes, packed, header = self._zip64_fields(extra, nbytes, packed, header)
            if header + 30 + packed > self.size:
                fail(doing, _INVALID)
            entries.append((name.decode("utf-8", "replace"), (flags, method, packed, nbytes, header)))
        self._enter(entries)

    def _zip64_end(self, end: int, count: int, size: int, offset: int) -> tuple[int, int, int]:
        from struct import unpack_from

        doing = "reading zip archive"
        if end < 20 or (locator := self._read(end - 20, 20, doing))[:4] != b"PK\6\7":
            return count, size, offset
        (where,) = unpack_from("<Q", locator, 8)
        record = self._read(where, 56, doing)
        if record[:4] != b"PK\6\6":
            fail(doing, _INVALID)
        count, size, offset = unpack_from("<3Q", record, 32)
        return count, size, offset

    def _zip64_fields(self, extra: bytes, nbytes: int, packed: int, header: int) -> tuple[int, int, int]:
        """The sizes and the offset that stand in a ZIP64 extra field wherever the 32-bit field is full."""
        from struct import unpack_from

        position = 0
        while position + 4 <= len(extra):
            kind, length = unpack_from("<2H", extra, position)
            if kind == 1:
                field = extra[position + 4 : position + 4 + length]
                values = list(unpack_from(f"<{len(field) // 8}Q", field))
                found = [values.pop(0) if old == 0xFFFFFFFF and values else old for old in (nbytes, packed, header)]
                return found[0], found[1], found[2]
            position += 4 + length
        return nbytes, packed, header

    def _enter(self, entries: list[tuple[str, tuple[int, int, int, int, int]]]) -> None:
        if not entries:
            fail("reading zip archive", _INVALID)
        first = entries[0][0]
        root, slash, _ = first.partition("/")
        if not slash:
            raise RuntimeError(f"[enforce fail at inline_container.cc:180] . file in archive is not in a subdirectory: {first}")
        self.root = root
        for name, record in entries:
            if name.startswith(root + "/"):
                self.records.setdefault(name[len(root) + 1 :], record)

    def _check_version(self) -> None:
        name = "version" if "version" in self else ".data/version"
        if name not in self:
            raise RuntimeError(
                'Expected hasRecord("version") to be true, but got false.  (Could this error message be improved?  If so, please report an '
                "enhancement request to PyTorch.)"
            )
        text = self.content(name)[:64].decode("ascii", "replace")
        try:
            version = int(text)
        except ValueError:
            raise RuntimeError(f"[enforce fail at inline_container.cc:215] . Couldn't parse the version {text} as Long Long.") from None
        if version < MINIMUM_VERSION:
            raise RuntimeError(
                f"[enforce fail at inline_container.cc:219] . Attempted to read a PyTorch file with version {version}, but the minimum "
                f"supported version for reading is {MINIMUM_VERSION}. Your PyTorch script module file is too old. Please regenerate it "
                "with latest version of PyTorch to mitigate this issue."
            )
        if version > MAXIMUM_VERSION:
            raise RuntimeError(
                f"[enforce fail at inline_container.cc:230] . Attempted to read a PyTorch file with version {version}, but the maximum "
                f"supported version for reading is {MAXIMUM_VERSION}. The version of your PyTorch installation may be too old, please "
                "upgrade PyTorch to latest version to mitigate this issue."
            )
