"""What `torch.save` and `torch.load` do where their arguments do not say."""

import sys
from contextlib import contextmanager
from typing import Any, Iterator


class load:
    """`mmap`: map files instead of reading them. `endianness`: a `LoadEndianness` for files that do not name theirs
    (None: little). `mmap_flags`: `mmap.MAP_PRIVATE` or `mmap.MAP_SHARED`. `calculate_storage_offsets`: without effect
    here, the offsets are always read from the file."""

    mmap: bool = False
    endianness: Any = None
    mmap_flags: int | None = None if sys.platform == "win32" else 2  # mmap.MAP_PRIVATE
    calculate_storage_offsets: bool = False


class save:
    """`compute_crc32`: write checksums. `storage_alignment`: each storage begins at a multiple of it.
    `use_pinned_memory_for_d2h`: without effect here, there is no device to copy from."""

    compute_crc32: bool = True
    use_pinned_memory_for_d2h: bool = False
    storage_alignment: int = 64


@contextmanager
def patch(name: Any = None, value: Any = None, **changes: Any) -> Iterator[None]:
    """Sets `"save.storage_alignment"` and the like inside a `with`: `patch(name, value)` or `patch({name: value})`."""
    wanted = {**(name if isinstance(name, dict) else {} if name is None else {name: value}), **changes}
    before = []
    try:
        for key, new in wanted.items():
            group, _, field = key.partition(".")
            owner = {"load": load, "save": save}[group]
            before.append((owner, field, getattr(owner, field)))
            setattr(owner, field, new)
        yield
    finally:
        for owner, field, old in reversed(before):
            setattr(owner, field, old)
