"""Loops of a row written out in vectors, for what the order of additions or a table in registers asks for.

LLVM's vectoriser makes vector code of a scalar loop, but a sum's order is then its own. Here a loop takes as many elements at a time as
PyTorch's vectors have, and those behind the last whole vector under a mask. What is computed for an element is the same as in a
scalar loop.

The order of a sum (from ATen's `vec::map_reduce_all` and by comparing bits): one vector adds up the vectors of the row one after the
other; the elements behind the last of them are added to its first lanes. Then its halves are added, and theirs, down to one number;
in float64 its lanes one after the other. A row shorter than a vector is added up from the first element to the last.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, Callable

from .code import literal
from .expression import Expression, fma
from .llvm import LLVM_TYPE, STORAGE, Block
from .machine import arm, vector_bits
from .maths.published_tables import LOOKUPS
from .primitives import INTRINSICS

if TYPE_CHECKING:
    from .llvm import Row

PERMUTE = "llvm.x86.avx512.vpermi2var.ps.512"


@cache
def width(type_: str) -> int:
    """Elements in a vector of PyTorch's: 512 bits with AVX-512, 128 on ARM, else 256."""
    bits = 128 if arm() else max(vector_bits(), 256)
    return bits // (32 if type_ == "f32" else 64)


@cache
def permutes() -> bool:
    """Whether a table of 32 numbers can lie in two registers."""
    return vector_bits() == 512


class LaneBlock(Block):
    """Straight-line code on vectors of `lanes` elements from `index` on; `mask` names which of them there are (None: all)."""

    def __init__(self, row: "Row", lanes: int, index: Expression, mask: str | None) -> None:
        super().__init__(row.fresh)
        self.row = row
        self.lanes = lanes
        self.index = index
        self.mask = mask

    def kind(self, t: str) -> str:
        return f"<{self.lanes} x {LLVM_TYPE[t]}>"

    def stored_kind(self, stored: str) -> str:
        return f"<{self.lanes} x {STORAGE[stored]}>"

    def suffix(self, t: str) -> str:
        return f"v{self.lanes}{t}"

    def literal(self, value: float, type_: str) -> str:
        number = literal(value, type_)
        return f"<{', '.join([f'{type_} {number}'] * self.lanes)}>"

    def declare(self, result: str, name: str, *types: str) -> None:
        """Makes the module declare a function of LLVM."""
        self.row.declarations[name] = f"declare {result} @{name}({', '.join(types)})"

    def value(self, x: Expression) -> str:
        return x.arguments[0] if x is self.index else super().value(x)

    def _address(self, pointer: str, index: str, stored: str, access: str) -> tuple[str, int]:
        if access != "1":
            raise NotImplementedError("vectors of elements that are no neighbours")
        return self.address(pointer, index, stored, access), _bytes(STORAGE[stored])

    def load(self, pointer: str, index: str, stored: str, access: str) -> str:
        at, size = self._address(pointer, index, stored, access)
        kind = self.stored_kind(stored)
        if self.mask is None:
            return self.widened(self.emit(f"load {kind}, ptr {at}, align {size}"), stored)
        name, flags = f"llvm.masked.load.v{self.lanes}{_short(STORAGE[stored])}.p0", f"<{self.lanes} x i1>"
        self.declare(kind, name, "ptr", "i32", flags, kind)
        return self.widened(self.emit(f"call {kind} @{name}(ptr {at}, i32 {size}, {flags} {self.mask}, {kind} zeroinitializer)"), stored)

    def store(self, pointer: str, index: str, stored: str, access: str, value: str) -> None:
        value = self.narrowed(value, stored)
        at, size = self._address(pointer, index, stored, access)
        kind = self.stored_kind(stored)
        if self.mask is None:
            self.lines.append(f"  store {kind} {value}, ptr {at}, align {size}")
            return
        name, flags = f"llvm.masked.store.v{self.lanes}{_short(STORAGE[stored])}.p0", f"<{self.lanes} x i1>"
        self.declare("void", name, kind, "ptr", "i32", flags)
        self.lines.append(f"  call void @{name}({kind} {value}, ptr {at}, i32 {size}, {flags} {self.mask})")

    def _compute(self, x: Expression) -> str:
        operation, t = x.operation, x.type
        if operation == "named":  # a number of the row in all lanes
            kind = self.kind(t)
            one = self.emit(f"insertelement {kind} poison, {LLVM_TYPE[t]} {x.arguments[0]}, i64 0")
            return self.emit(f"shufflevector {kind} {one}, {kind} poison, <{self.lanes} x i32> zeroinitializer")
        if operation.startswith("lookup:"):
            return self._looked_up(operation[7:], self.value(x.arguments[0]))
        if operation.startswith(("table:", "external:", "torch_sqrt")):
            raise NotImplementedError(f"{operation} in vectors")
        intrinsic = {"abs": "fabs"}.get(operation, operation)
        if intrinsic in INTRINSICS or intrinsic in ("fabs", "sqrt", "maximum", "minimum"):
            self.declare(self.kind(t), f"llvm.{intrinsic}.{self.suffix(t)}", *[self.kind(a.type) for a in x.arguments])
        return super()._compute(x)

    def _looked_up(self, name: str, index: str) -> str:
        """An element of a table of 32 numbers that lies in two registers."""
        values = LOOKUPS[name]
        kind = self.kind("f32")
        halves = [f"<{', '.join('float ' + literal(v, 'float') for v in values[k : k + 16])}>" for k in (0, 16)]
        self.declare(kind, PERMUTE, kind, self.kind("i32"), kind)
        return self.emit(f"call {kind} @{PERMUTE}({kind} {halves[0]}, {self.kind('i32')} {index}, {kind} {halves[1]})")


def _bytes(kind: str) -> int:
    return {"float": 4, "double": 8, "half": 2}.get(kind) or int(kind[1:]) // 8


def _short(kind: str) -> str:
    return {"float": "f32", "double": "f64", "half": "f16"}.get(kind, kind)


Body = Callable[[Expression], Any]


def loop(row: "Row", body: Body, sums: bool, fused: bool = False) -> Expression | None:
    """A loop over the row in vectors, and what `body` gives added up if `sums`. Appends to the row's lines.

    fused: the body gives a product as a pair, and what is behind the last whole vector joins by fused multiply-add, as ATen's does.
    """
    k, t, lanes = row.fresh(""), row.type, width(row.type)
    kind, one = f"<{lanes} x {LLVM_TYPE[t]}>", LLVM_TYPE[t]
    index, last_index = Expression("named", "i64", f"%i{k}"), Expression("named", "i64", f"%whole{k}")
    minus_zero = literal(-0.0, one)

    def traced(at: Expression, mask: str | None, before: str) -> tuple[list[str], str, str]:
        """The code of the body, the value that it gives, and the sum with `before`."""
        row.block = block = LaneBlock(row, lanes, at, mask)
        result = body(at)
        value = joined = ""
        if sums:
            block.known[total] = before
            if fused:
                value = block.value(result[0] * result[1])
                if mask is not None:
                    joined = block.value(fma(result[0], result[1], total))
            else:
                value = block.value(result)
            joined = joined or block.emit(f"fadd {kind} {before}, {value}")
        row.block = None
        return block.lines, value, joined

    total = Expression("named", t, "")
    main, _, update = traced(index, None, f"%sum{k}")
    tail, value, joined = traced(last_index, f"%mask{k}", f"%sum{k}")
    numbers = ", ".join(f"i32 {i}" for i in range(lanes))
    lines = [
        f"  %n{k} = sub i64 %last, %first",
        f"  %part{k} = and i64 %n{k}, {-lanes}",
        f"  %whole{k} = add i64 %first, %part{k}",
        f"  br label %head{k}",
        f"head{k}:",
        f"  %i{k} = phi i64 [%first, %{row.label}], [%next{k}, %loop{k}]",
    ]
    if sums:
        start = f"<{', '.join([f'{one} {minus_zero}'] * lanes)}>"
        lines.append(f"  %sum{k} = phi {kind} [{start}, %{row.label}], [{update}, %loop{k}]")
    lines += [
        f"  %more{k} = icmp slt i64 %i{k}, %whole{k}",
        f"  br i1 %more{k}, label %loop{k}, label %beyond{k}",
        f"loop{k}:",
        *main,
        f"  %next{k} = add nsw i64 %i{k}, {lanes}",
        f"  br label %head{k}",
        f"beyond{k}:",
        f"  %left{k} = sub i64 %last, %whole{k}",
        f"  %some{k} = icmp sgt i64 %left{k}, 0",
        f"  br i1 %some{k}, label %tail{k}, label %{'fold' if sums else 'done'}{k}",
        f"tail{k}:",
        f"  %short{k} = trunc i64 %left{k} to i32",
        f"  %short_one{k} = insertelement <{lanes} x i32> poison, i32 %short{k}, i64 0",
        f"  %short_all{k} = shufflevector <{lanes} x i32> %short_one{k}, <{lanes} x i32> poison, <{lanes} x i32> zeroinitializer",
        f"  %mask{k} = icmp ult <{lanes} x i32> <{numbers}>, %short_all{k}",
        *tail,
    ]
    if sums:
        lines += _folded(k, lanes, kind, one, value, joined, minus_zero)
    else:
        lines += [f"  br label %done{k}", f"done{k}:"]
    row.lines += lines
    row.label = f"done{k}"
    return Expression("named", t, f"%total{k}") if sums else None


def _folded(k: str, lanes: int, kind: str, one: str, value: str, joined: str, minus_zero: str) -> list[str]:
    """From the lanes' sums to their total."""
    lines = [
        f"  %kept{k} = select <{lanes} x i1> %mask{k}, {kind} {joined}, {kind} %sum{k}",
        f"  %few{k} = icmp eq i64 %part{k}, 0",
        f"  br i1 %few{k}, label %serial{k}, label %fold{k}",
        f"serial{k}:",
        f"  %lane{k} = phi i64 [0, %tail{k}], [%lane_next{k}, %serial{k}]",
        f"  %few_sum{k} = phi {one} [{minus_zero}, %tail{k}], [%few_next{k}, %serial{k}]",
        f"  %element{k} = extractelement {kind} {value}, i64 %lane{k}",
        f"  %few_next{k} = fadd {one} %few_sum{k}, %element{k}",
        f"  %lane_next{k} = add i64 %lane{k}, 1",
        f"  %again{k} = icmp slt i64 %lane_next{k}, %left{k}",
        f"  br i1 %again{k}, label %serial{k}, label %done{k}",
        f"fold{k}:",
        f"  %lanes{k} = phi {kind} [%sum{k}, %beyond{k}], [%kept{k}, %tail{k}]",
    ]
    if one == "float":
        name, half = f"%lanes{k}", lanes
        while half > 1:
            half //= 2
            order = ", ".join(f"i32 {i + half}" if i < half else "i32 poison" for i in range(lanes))
            lines.append(f"  %moved{k}_{half} = shufflevector {kind} {name}, {kind} poison, <{lanes} x i32> <{order}>")
            lines.append(f"  %folded{k}_{half} = fadd {kind} {name}, %moved{k}_{half}")
            name = f"%folded{k}_{half}"
        lines.append(f"  %folded{k} = extractelement {kind} {name}, i64 0")
    else:
        before = minus_zero
        for i in range(lanes):
            lines.append(f"  %lane{k}_{i} = extractelement {kind} %lanes{k}, i64 {i}")
            after = f"%folded{k}" if i == lanes - 1 else f"%folded{k}_{i}"
            lines.append(f"  {after} = fadd {one} {before}, %lane{k}_{i}")
            before = after
    return [
        *lines,
        f"  br label %done{k}",
        f"done{k}:",
        f"  %total{k} = phi {one} [%few_next{k}, %serial{k}], [%folded{k}, %fold{k}]",
    ]


__all__ = ["LaneBlock", "loop", "permutes", "width"]
