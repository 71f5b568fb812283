"""Object code into memory, without LLVM: so a process that finds all its kernels on the disk never imports llvmlite.

What LLVM emits for a process of its own (the large code model) refers to everything by full addresses, so one kind of
relocation is all there is. Linux on x86-64 alone; `load` answers None for object files of other kinds, and for what it does not
know, and llvmlite's linker takes them.

The fields are those of the System V ABI, "Executable and Linkable Format" and its AMD64 supplement.
"""

import ctypes
import mmap
import platform
import struct
import sys
from typing import Callable

_HERE = sys.platform == "linux" and platform.machine() in ("x86_64", "AMD64")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QIIq")
_SYMBOLS, _RELOCATIONS, _ZEROS = 2, 4, 8  # kinds of sections: SHT_SYMTAB, SHT_RELA, SHT_NOBITS
_LOADED, _CODE = 2, 4  # flags of sections: SHF_ALLOC, SHF_EXECINSTR
_UNDEFINED = 0  # the number of no section: SHN_UNDEF
_FULL_ADDRESS = 1  # R_X86_64_64


def load(code: bytes, wanted: tuple[str, ...], resolve: Callable[[str], int]) -> list[int] | None:
    """The addresses of the wanted symbols of an object file, placed in memory. `resolve` gives those of symbols that it lacks.

    None where this loader does not take the file. Raises what `resolve` raises.
    """
    if not _HERE or code[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<HH", code, 16) != (1, 62):  # relocatable, AMD64
        return None
    start, size, count, names_at = struct.unpack_from("<Q", code, 40) + struct.unpack_from("<HHH", code, 58)
    sections = [_SECTION.unpack_from(code, start + i * size) for i in range(count)]

    def text(table: int, at: int) -> str:
        begin = sections[table][4] + at
        return code[begin : code.index(b"\0", begin)].decode()

    loaded = [i for i, s in enumerate(sections) if s[2] & _LOADED and text(names_at, s[0]) != ".eh_frame"]
    page = mmap.PAGESIZE
    places: dict[int, int] = {}
    end = 0
    for executable in (_CODE, 0):  # code first, then data on pages of its own
        for i in loaded:
            if sections[i][2] & _CODE == executable:
                align = max(sections[i][8], 16)
                places[i] = end = -(-end // align) * align
                end += sections[i][5]
        end = -(-end // page) * page
        if executable:
            code_bytes = end
    if not end:
        return None
    memory = mmap.mmap(-1, end, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # a fork's child has variables of its own
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for i in loaded:
        if sections[i][1] != _ZEROS:
            memory[places[i] : places[i] + sections[i][5]] = code[sections[i][4] : sections[i][4] + sections[i][5]]
    found: dict[str, int] = {}
    addresses: list[int | None] = []
    for table in [s for s in sections if s[1] == _SYMBOLS]:
        for name_at, _, _, section, value, _ in _SYMBOL.iter_unpack(code[table[4] : table[4] + table[5]]):
            name = text(table[6], name_at) if name_at else ""
            if section == _UNDEFINED:
                addresses.append(resolve(name) if name else 0)
            elif section in places:
                addresses.append(base + places[section] + value)
                found[name] = base + places[section] + value
            else:  # of a section that is not loaded
                addresses.append(None)
    for section in sections:
        if section[1] != _RELOCATIONS or section[7] not in places:
            continue
        at = places[section[7]]
        for offset, kind, symbol, addend in _RELOCATION.iter_unpack(code[section[4] : section[4] + section[5]]):
            target = addresses[symbol]
            if kind != _FULL_ADDRESS or target is None:
                return None
            struct.pack_into("<Q", memory, at + offset, (target + addend) & 0xFFFFFFFFFFFFFFFF)
    if code_bytes:
        protect = ctypes.CDLL(None).mprotect
        protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        if protect(base, code_bytes, mmap.PROT_READ | mmap.PROT_EXEC):
            return None
    # The memory stays to the very end: when Python takes its modules down, threads of the pool may still run in it.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(memory))
    return [found[name] for name in wanted]
