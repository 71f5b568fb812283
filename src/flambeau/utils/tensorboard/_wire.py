"""Event files byte by byte: TFRecord framing, and protobuf messages in wire format.

A message is the concatenation of its fields, so a field is a function that returns bytes. Fields at their default are left out,
as proto3 does; those of a oneof are always written.
"""

import struct
from collections.abc import Iterable
from functools import cache
from typing import Any


@cache
def _table() -> tuple[int, ...]:
    """The table of CRC-32C (Castagnoli), reflected."""
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


def crc32c(data: bytes) -> int:
    """The CRC-32C checksum."""
    table = _table()
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> bytes:
    """The checksum as TFRecord stores it: rotated by 15 bits, plus a constant."""
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def record(data: bytes) -> bytes:
    """A TFRecord: the length, its checksum, the data, its checksum."""
    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)


def varint(value: int) -> bytes:
    """An integer in groups of seven bits, the lowest first; negative ones as 64-bit two's complement."""
    value &= 0xFFFFFFFFFFFFFFFF
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def integer(number: int, value: int, always: bool = False) -> bytes:
    """A field of an integer, an enum or a bool."""
    return varint(number << 3) + varint(value) if value or always else b""


def double(number: int, value: float, always: bool = False) -> bytes:
    """A field of a float64."""
    return varint(number << 3 | 1) + struct.pack("<d", value) if value or always else b""


def single(number: int, value: float, always: bool = False) -> bytes:
    """A field of a float32."""
    return varint(number << 3 | 5) + struct.pack("<f", value) if value or always else b""


def message(number: int, data: bytes) -> bytes:
    """A field of a message, or of bytes."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def text(number: int, value: str) -> bytes:
    """A field of text."""
    return message(number, value.encode()) if value else b""


def packed(number: int, values: Iterable[Any], kind: str) -> bytes:
    """A repeated field of numbers: "d" float64, "f" float32, "v" integers."""
    values = list(values)
    if not values:
        return b""
    return message(number, b"".join(map(varint, values)) if kind == "v" else struct.pack(f"<{len(values)}{kind}", *values))
