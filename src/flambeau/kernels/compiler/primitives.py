"""The LLVM instructions of the operations that the mathematical functions are made of: bits, rounding, fused products."""

from typing import Callable

from .expression import Expression

BINARY = {"and": "and", "or": "or", "xor": "xor", "shl": "shl", "ashr": "ashr", "lshr": "lshr"}
INTRINSICS = ("fma", "rint", "floor", "ceil", "trunc", "copysign")


def _declarations() -> str:
    lines = []
    for t, kind in (("f32", "float"), ("f64", "double")):
        for name in ("rint", "floor", "ceil", "trunc"):
            lines.append(f"declare {kind} @llvm.{name}.{t}({kind})")
        lines.append(f"declare {kind} @llvm.copysign.{t}({kind}, {kind})")
        lines.append(f"declare {kind} @llvm.fma.{t}({kind}, {kind}, {kind})")
    return "\n".join(lines) + "\n"


DECLARATIONS = _declarations()
"""What a module with these operations declares."""


def primitive(emit: Callable[[str], str], x: Expression, values: list[str], kind: str, kinds: list[str]) -> str:
    """Emits one operation: `values` are the names of its arguments, `kind` and `kinds` the LLVM types of it and of them."""
    operation = x.operation
    if operation in BINARY:
        return emit(f"{operation} {kind} {values[0]}, {values[1]}")
    if operation == "bitcast":
        return emit(f"bitcast {kinds[0]} {values[0]} to {kind}")
    arguments = ", ".join(f"{k} {v}" for k, v in zip(kinds, values))
    if operation.startswith("external:"):
        return emit(f"call {kind} @{operation[9:]}({arguments})")
    if operation in INTRINSICS:
        return emit(f"call {kind} @llvm.{operation}.{x.type}({arguments})")
    raise NotImplementedError(operation)
