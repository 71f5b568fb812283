"""Copies between memory orders, and casts."""

from functools import cache
from typing import Any

import numpy as np

from ..compiler import Kernel
from ..compiler import expression as e
from ..compiler.launch import KINDS, halves_compile
from .elementwise import LIGHT, unary

BITS = {1: np.dtype(np.uint8), 2: np.dtype(np.int16), 4: np.dtype(np.int32), 8: np.dtype(np.int64)}
"""As what elements of a size are copied: whole numbers keep their bits."""

copy = unary("copy", lambda x: x, LIGHT)

_WIDE, _HALVES, _SHORT = ("f32", "f64"), ("f16", "bf16"), ("u8", "s8", "i16", "i1")


@cache
def cast(source: np.dtype, target: np.dtype) -> Kernel | None:
    """The kernel from one dtype to another, or None where it would round twice or where NumPy's rules are wanted."""
    from_, to = KINDS.get(source), KINDS.get(target)
    if from_ is None or to is None or from_ == to:
        return None
    known = (
        from_ in _WIDE and to in (*_WIDE, "i1")
        or from_ in (*_SHORT, "i32", "i64") and to in _WIDE
        or from_ in _SHORT and to in ("i32", "i64") or from_ == "i32" and to == "i64" or from_ == "i64" and to == "i32"
        or (from_ in (*_HALVES, *_SHORT, "i32", "i64") and to in _HALVES
            or from_ in _HALVES and to in (*_WIDE, "i1") or from_ == "f32" and to in _HALVES)
        and halves_compile()
    )  # fmt: skip
    if not known:
        return None

    def build(row: Any, out: Any, x: Any) -> None:
        def body(i: Any) -> None:
            value = x[i]
            out[i] = e.compare("ne", value, 0.0) if to == "i1" else value

        row.each(body)

    build.__name__ = f"cast_{from_}"
    return Kernel(build, f"out:f x:{from_}", 0, False, True, LIGHT)
