"""Writing checkpoint archives: a zip file whose records lie uncompressed and aligned, and files replaced in one step."""

import os
from contextlib import contextmanager
from typing import Any, Iterator

ZIP32_MAX = 0xFFFFFFFF
"""Sizes and offsets from here on need the ZIP64 fields."""

_IN_ZIP64 = 0xFFFFFFFF
"""Stands in a field of 32 bits whose number is in a ZIP64 field."""

_UTF8, _SIZES_FOLLOW = 0x800, 0x8


class ZipWriter:
    """Writes one archive to a file object, which needs `write` alone.

    Every record lies in the folder `root`; its data begins at a multiple of `alignment` from the start of the archive.
    The checksum is written behind the data, so that a record is passed to the file once and never copied.
    """

    def __init__(self, file: Any, root: str, alignment: int = 64, checksums: bool = True) -> None:
        self.write = file.write
        self.file = file
        self.root = root
        self.alignment = alignment
        self.checksums = checksums
        self.position = 0
        self.entries: list[tuple[bytes, int, int, int, int]] = []
        self.crc_of_all = 0

    def record(self, name: str, data: Any) -> None:
        """Adds a record from a bytes-like object."""
        from zlib import crc32

        view = memoryview(data)
        nbytes = view.nbytes
        crc = crc32(view) if self.checksums and nbytes else 0
        self._begin(name, nbytes, crc)
        if nbytes:
            self.write(view if view.format == "B" else view.cast("B"))
            self._end(nbytes, crc)

    def gap(self, name: str, nbytes: int) -> None:
        """Adds a record of `nbytes` whose content is left zero."""
        self._begin(name, nbytes, 0)
        if nbytes:
            if hasattr(self.file, "seekable") and self.file.seekable():
                self.file.seek(nbytes, os.SEEK_CUR)
            else:
                zeros = bytes(min(nbytes, 1 << 20))
                for start in range(0, nbytes, len(zeros)):
                    self.write(zeros[: nbytes - start])
            self._end(nbytes, 0)

    def _begin(self, name: str, nbytes: int, crc: int) -> None:
        from struct import pack

        path = f"{self.root}/{name}".encode()
        start = self.position
        flags = _UTF8 | (_SIZES_FOLLOW if nbytes else 0)
        extra = b""
        if nbytes >= ZIP32_MAX or start >= ZIP32_MAX:
            fields = ([nbytes, nbytes] if nbytes >= ZIP32_MAX else []) + ([start] if start >= ZIP32_MAX else [])
            extra = pack(f"<HH{len(fields)}Q", 1, 8 * len(fields), *fields)
        before = start + 30 + len(path) + len(extra) + 4
        extra += pack("<2sH", b"FB", -before % self.alignment) + b"Z" * (-before % self.alignment)
        size = _IN_ZIP64 if nbytes >= ZIP32_MAX else 0
        self.write(pack("<4s5H3I2H", b"PK\3\4", 0, flags, 0, 0, 0, 0, size, size, len(path), len(extra)) + path + extra)
        self.position = start + 30 + len(path) + len(extra)
        self.entries.append((path, flags, nbytes, crc, start))

    def _end(self, nbytes: int, crc: int) -> None:
        from struct import pack
        from zlib import crc32

        start = self.entries[-1][4]
        wide = nbytes >= ZIP32_MAX or start >= ZIP32_MAX
        descriptor = pack("<4sI2Q" if wide else "<4s3I", b"PK\7\x08", crc, nbytes, nbytes)
        self.write(descriptor)
        self.position += nbytes + len(descriptor)
        self.crc_of_all = crc32(crc.to_bytes(4, "little"), self.crc_of_all)

    def close(self) -> None:
        """Writes the version, an identity drawn from names and checksums, and the directory. The file stays open."""
        from struct import pack
        from zlib import crc32

        self.record("version", b"3\n")
        names = crc32(b"\0".join(sorted(entry[0] for entry in self.entries)))
        self.record(".data/serialization_id", b"%020d%020d" % (names, self.crc_of_all))
        directory = self.position
        for path, flags, nbytes, crc, start in self.entries:
            fields = ([nbytes, nbytes] if nbytes >= ZIP32_MAX else []) + ([start] if start >= ZIP32_MAX else [])
            extra = pack(f"<HH{len(fields)}Q", 1, 8 * len(fields), *fields) if fields else b""
            size, begin = (_IN_ZIP64 if number >= ZIP32_MAX else number for number in (nbytes, start))
            entry = pack(
                "<4s6H3I5H2I", b"PK\1\2", 0, 0, flags, 0, 0, 0, crc, size, size, len(path), len(extra), 0, 0, 0, 0, begin
            )  # fmt: skip
            self.write(entry + path + extra)
            self.position += len(entry) + len(path) + len(extra)
        end, count = self.position, len(self.entries)
        size = end - directory
        # The ZIP64 records stand in every archive, as in PyTorch's.
        self.write(pack("<4sQ2H2I4Q", b"PK\6\6", 44, 0x31E, 45, 0, 0, count, count, size, directory))
        self.write(pack("<4sIQI", b"PK\6\7", 0, end, 1))
        count = min(count, 0xFFFF)
        self.write(
            pack(
                "<4s4H2IH",
                b"PK\5\6",
                0,
                0,
                count,
                count,
                *(_IN_ZIP64 if number >= ZIP32_MAX else number for number in (size, directory)),
                0,
            )
        )


def archive_root(path: str) -> str:
    """The folder in an archive that will be called `path`: its file name without the last extension."""
    if not path.isascii():
        return "archive"
    name = path.replace("\\", "/").rpartition("/")[2]
    root = name.rpartition(".")[0] if "." in name else name
    if not root:
        raise RuntimeError(f"[enforce fail at inline_container.cc:720] . invalid file name: {path}")
    return root


def reserve(file: Any, nbytes: int) -> None:
    """Claims room on the disk for a file opened by `replacing`, so that a full disk is noticed before anything is written.

    It is faster, too: a file whose blocks are laid out need not be flushed by the file system when it replaces another.
    """
    if nbytes < 1 << 20 or not hasattr(os, "posix_fallocate"):
        return
    import errno

    try:
        os.posix_fallocate(file.fileno(), 0, nbytes)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        # else the file system has no such call


@contextmanager
def replacing(path: str) -> Iterator[Any]:
    """Opens a file that takes `path`'s place once it is complete.

    It is written under another name in the same folder; an exception, or the death of the process, leaves what was at
    `path` as it was. A new file gets the permissions that `open` gives, a replaced one keeps its own; a symbolic link
    keeps pointing where it did. What is no regular file (a pipe, a device) is written directly.
    """
    import stat

    target = os.path.realpath(path)
    try:
        old = os.stat(target)
    except FileNotFoundError:
        old = None
    if old is not None and not (stat.S_ISREG(old.st_mode) and os.access(target, os.W_OK)):
        with open(path, "wb") as file:  # raises where it may not be written
            yield file
        return
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f".{os.urandom(8).hex()}.tmp")
    try:
        file = open(temporary, "xb")  # noqa: SIM115 (closed below, before it is moved)
    except PermissionError:
        if old is None:
            raise
        with open(path, "wb") as file:  # the folder takes no new files, but this one may be written
            yield file
            file.truncate()
        return
    try:
        with file:
            yield file
            file.truncate()  # what was reserved and not used
        if old is not None:
            _take_over(temporary, old)
        os.replace(temporary, target)
    except BaseException:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        raise


def _take_over(path: str, old: os.stat_result) -> None:
    """Gives a file the permissions and, where allowed, the owner of the one it replaces."""
    import stat

    if hasattr(os, "chown"):
        own = os.stat(path)
        if (own.st_uid, own.st_gid) != (old.st_uid, old.st_gid):
            try:
                os.chown(path, old.st_uid, old.st_gid)
            except OSError:
                pass
    os.chmod(path, stat.S_IMODE(old.st_mode))
