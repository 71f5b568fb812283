"""The LLVM instructions of the operations that the mathematical functions are made of: bits, rounding, fused products."""

import struct
from typing import Callable

from .code import literal
from .expression import Expression
from .maths import tables
from .maths.published_tables import LOOKUPS

BINARY = {"and": "and", "or": "or", "xor": "xor", "shl": "shl", "ashr": "ashr", "lshr": "lshr"}
TABLES = {f"TWO_OVER_PI_{j}": getattr(tables, f"TWO_OVER_PI_{j}") for j in range(3)}
INTRINSICS = ("fma", "rint", "floor", "ceil", "trunc", "copysign", "fmuladd")


def _table(name: str, values: tuple[float, ...]) -> str:
    numbers = ", ".join("double 0x" + struct.pack(">d", v).hex().upper() for v in values)
    return f"@flambeau_{name} = internal unnamed_addr constant [{len(values)} x double] [{numbers}]"


def _lookup(name: str, values: tuple[float, ...]) -> str:
    numbers = ", ".join(f"float {literal(v, 'float')}" for v in values)
    return f"@flambeau_{name} = internal unnamed_addr constant [{len(values)} x float] [{numbers}]"


def _declarations() -> str:
    lines = [_table(name, values) for name, values in TABLES.items()]
    lines += [_lookup(name, values) for name, values in LOOKUPS.items()]
    for t, kind in (("f32", "float"), ("f64", "double")):
        for name in ("rint", "floor", "ceil", "trunc"):
            lines.append(f"declare {kind} @llvm.{name}.{t}({kind})")
        lines.append(f"declare {kind} @llvm.copysign.{t}({kind}, {kind})")
        lines.append(f"declare {kind} @llvm.fma.{t}({kind}, {kind}, {kind})")
    return "\n".join(lines) + "\n"


DECLARATIONS = _declarations()
"""What a module with these operations declares."""


def primitive(emit: Callable[[str], str], x: Expression, values: list[str], kind: str, kinds: list[str], suffix: str) -> str:
    """Emits one operation: `values` are the names of its arguments, `kind` and `kinds` the LLVM types of it and of them, `suffix`
    what LLVM appends to the names of functions of that type."""
    operation = x.operation
    if operation in BINARY:
        return emit(f"{operation} {kind} {values[0]}, {values[1]}")
    if operation == "rem":
        return emit(f"{'f' if x.type[0] == 'f' else 's'}rem {kind} {values[0]}, {values[1]}")
    if operation == "bitcast":
        return emit(f"bitcast {kinds[0]} {values[0]} to {kind}")
    if operation.startswith("lookup:"):
        name = operation[7:]
        at = emit(f"getelementptr [{len(LOOKUPS[name])} x float], ptr @flambeau_{name}, i64 0, i32 {values[0]}")
        return emit(f"load float, ptr {at}")
    if operation.startswith("table:"):
        name = operation[6:]
        at = emit(f"getelementptr [{len(TABLES[name])} x double], ptr @flambeau_{name}, i64 0, i64 {values[0]}")
        return emit(f"load double, ptr {at}")
    arguments = ", ".join(f"{k} {v}" for k, v in zip(kinds, values))
    if operation.startswith("external:"):
        return emit(f"call {kind} @{operation[9:]}({arguments})")
    if operation in INTRINSICS:
        return emit(f"call {kind} @llvm.{operation}.{suffix}({arguments})")
    raise NotImplementedError(operation)
