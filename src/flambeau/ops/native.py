"""Operators on small arrays in machine code: from the call to the result, its node and the way back, without a Python step.

An operator that says what it computes as an expression over scalars,

    mul.native(lambda input, other: input * other)

gets, once it has been called often enough, three built-in functions made of that expression and of its derivative
formulas: the call (operands -> kernel -> Tensor, with its node where a graph is recorded), the in-place form, and the
node's `apply`. They know the ordinary case only: plain Tensors of one floating-point dtype in row-major memory, or a
Python number as second operand; one shape, or one of them a single element, a row or a column of the other; no mode
entered; few elements. For everything else they decline, and the function written by `definition.py` runs as it does
without a compiler. So this file adds speed and no behaviour; `FLAMBEAU_KERNELS=numpy` switches it off.
"""

from typing import TYPE_CHECKING, Any, Callable

from ..autograd import plain
from ..kernels.compiler.code import Code
from ..kernels.compiler.expression import Expression
from ..tensor import Tensor
from .native_objects import COLUMN, DECLARATIONS, FULL, ONE, ROW, Fields, Table, Writer, common_table, fields

if TYPE_CHECKING:
    from .definition import Operator

LIMIT = 32768
"""The number of elements up to which one thread is as fast as several, and the call is what counts."""

_DECLINED = "inttoptr (i64 1 to ptr)"
_FLOATS = {"f32": "float", "f64": "double"}


def ordered_sum(code: Code, x: str, count: str, type_: str) -> str:
    """The sum of `count` elements that lie side by side, added up in the order in which PyTorch does it, so that no digit differs.

    They are taken four vectors of 32 bytes at a time; every 16 of these groups are added to sums of a second level, every 16 of those to
    a third; then the four, what is left of the elements, and the lanes of the vector, one after the other.
    """
    lanes, size = (8, 4) if type_ == "float" else (4, 8)
    vector = f"<{lanes} x {type_}>"
    sums = [[code.slot(vector, "zeroinitializer") for _ in range(4)] for _ in range(3)]
    total = code.slot(type_, "0.0")

    def add(slot: str, value: str, kind: str = vector) -> None:
        code.put(slot, kind, code.op(f"fadd {kind} {code.get(slot, kind)}, {value}"))

    def load(index: str) -> str:
        return code.op(f"load {vector}, ptr {code.op(f'getelementptr {vector}, ptr {x}, i64 {index}')}, align {size}")

    short = code.op(f"and i1 {code.op(f'icmp slt i64 {count}, 8')}, {code.op(f'icmp sge i64 {count}, 4')}")
    if lanes == 8:  # fewer than a vector: by fours, the rest after the first
        with code.when(short):
            add(total, code.item(x, 0, type_), type_)
            with code.loop(code.op(f"sub i64 {count}, 4")) as i:
                add(total, code.item(x, code.op(f"add i64 {i}, 4"), type_), type_)
            for k in (1, 2, 3):
                add(total, code.item(x, k, type_), type_)
    vectors = code.op(f"sdiv i64 {count}, {lanes}")
    groups = code.op(f"sdiv i64 {vectors}, 4")
    with code.loop(groups) as i:
        first = code.op(f"mul i64 {i}, 4")
        for k in range(4):
            add(sums[0][k], load(code.op(f"add i64 {first}, {k}")))
        done = code.op(f"add i64 {i}, 1")
        for level, step in ((1, 16), (2, 256)):
            with code.when(code.op(f"icmp eq i64 {code.op(f'and i64 {done}, {step - 1}')}, 0")):
                for k in range(4):
                    add(sums[level][k], code.get(sums[level - 1][k], vector))
                    code.put(sums[level - 1][k], vector, "zeroinitializer")
    for level in (1, 2):
        for k in range(4):
            add(sums[0][k], code.get(sums[level][k], vector))
    used = code.op(f"mul i64 {groups}, 4")
    with code.loop(code.op(f"sub i64 {vectors}, {used}")) as i:
        add(sums[0][0], load(code.op(f"add i64 {i}, {used}")))
    for k in (1, 2, 3):
        add(sums[0][0], code.get(sums[0][k], vector))
    seen = code.op(f"mul i64 {vectors}, {lanes}")
    rest = code.op(f"sub i64 {count}, {seen}")
    if lanes == 8:
        rest = code.op(f"select i1 {short}, i64 0, i64 {rest}")
    with code.loop(rest) as i:
        add(total, code.item(x, code.op(f"add i64 {i}, {seen}"), type_), type_)
    together = code.get(sums[0][0], vector)
    with code.when(code.op(f"icmp sgt i64 {vectors}, 0")):
        for k in range(lanes):
            add(total, code.op(f"extractelement {vector} {together}, i32 {k}"), type_)
    return code.get(total, type_)


class Untraceable(Exception):
    """A formula does something that has no expression."""


class _Expressions:
    """The functions that a derivative formula may call while it is traced."""

    def __getattr__(self, name: str) -> Any:
        raise Untraceable(name)

    @staticmethod
    def conj(x: Any) -> Any:
        return x

    @staticmethod
    def tanh_backward(grad: Any, result: Any) -> Any:
        return grad * (1.0 - result * result)

    @staticmethod
    def sigmoid_backward(grad: Any, result: Any) -> Any:
        return grad * ((1.0 - result) * result)

    @staticmethod
    def threshold_backward(grad: Any, result: Any, threshold: Any) -> Any:
        from ..kernels.compiler.expression import where

        return where(result <= threshold, 0.0, grad)


class Native:
    """What an operator is in machine code.

    forward: the result as an expression over the operands, by name. constant: where the second operand must be this number
    (as in `x ** 2`); kind: "map" (element by element), "compare" (the result is bool), "sum" or "mean" (over all elements).
    """

    def __init__(self, op: "Operator", forward: Callable[..., Any], kind: str = "map", constant: float | None = None) -> None:
        self.op = op
        self.forward = forward
        self.kind = kind
        self.constant = constant
        self.operands = [p for p in op.params if op.kinds[p] in ("tensor", "number")]
        self.records = op.differentiable and bool(op.differentiable_params)
        self.reduces = kind in ("sum", "mean")
        # A constant has no edge.
        self.way_back = [p for p in op.differentiable_params if constant is None or p != self.operands[-1]]


class _OperatorWriter(Writer):
    """Writes the functions of one operator."""

    def __init__(self, native: Native, table: Table, places: Fields) -> None:
        super().__init__(table, places)
        self.native = native
        self.op = native.op
        self.saved = self.op._saved_names() if native.records else []

    # --- kernels -------------------------------------------------------------------------------------------------

    def expression(self, code: Code, value: Any, leaves: dict[Expression, str], kind: str) -> str:
        """Code that computes a traced expression of the given leaves."""
        from ..kernels.compiler.llvm import Block, literal

        if not isinstance(value, Expression):
            return literal(value, kind)
        block = Block(lambda: "%" + code.fresh())
        block.known.update(leaves)
        name = block.value(value)
        code.lines += block.lines
        return name

    def kernel(
        self, name: str, function: Callable[..., Any], names: list[str], kind: str, targets: tuple[int, ...], mean: bool = False
    ) -> None:
        """`void name(ptr o, (ptr x, i64 row step, i64 step)..., i64 rows, i64 columns, i64 target)`.

        target: FULL writes every element; ROW sums over rows, COLUMN over columns, ONE over both. The result may be one of the
        operands.
        """
        type_ = _FLOATS[kind]
        compares = self.native.kind == "compare"
        result_type = "i8" if compares else type_
        parameters = ["ptr %o"]
        for n in names:
            parameters += [f"ptr %{n}", f"i64 %{n}_row", f"i64 %{n}_step"]
        code = Code("void", name, *parameters, "i64 %rows", "i64 %columns", "i64 %target")

        def element(pointers: list[str], steps: list[Any], j: str) -> str:
            leaves: dict[Expression, str] = {}
            arguments = {}
            for n, p, step in zip(names, pointers, steps):
                index = j if step == 1 else code.op(f"mul i64 {j}, {step}")
                leaf = Expression("named", kind, f"%{n}")
                leaves[leaf] = code.get(p if step == 0 else code.op(f"getelementptr {type_}, ptr {p}, i64 {index}"), type_)
                arguments[n] = leaf
            return self.expression(code, function(**arguments), leaves, kind)

        def loops(steps: list[Any], target: int) -> None:
            """The loops over all elements; a step is 0, 1 or the name of one that is known when the kernel runs."""
            total, whole = code.slot(type_, "0.0"), code.slot(type_, "0.0")
            with code.loop("%rows") as r:
                pointers = [code.op(f"getelementptr {type_}, ptr %{n}, i64 {code.op(f'mul i64 {r}, %{n}_row')}") for n in names]
                base = code.op(f"getelementptr {result_type}, ptr %o, i64 {code.op(f'mul i64 {r}, %columns')}")
                if target == ONE:
                    code.put(total, type_, "0.0")
                with code.loop("%columns", elements=True) as j:
                    value = element(pointers, steps, j)
                    if target == FULL:
                        if compares:
                            value = code.op(f"zext i1 {value} to i8")
                        code.put(code.op(f"getelementptr {result_type}, ptr {base}, i64 {j}"), result_type, value)
                    elif target == ROW:
                        at = code.op(f"getelementptr {type_}, ptr %o, i64 {j}")
                        code.put(at, type_, code.op(f"fadd {type_} {code.get(at, type_)}, {value}"))
                    else:
                        code.put(total, type_, code.op(f"fadd reassoc {type_} {code.get(total, type_)}, {value}"))
                if target == ONE:
                    of_row = code.get(total, type_)
                    with code.when(code.op(f"icmp eq i64 %target, {COLUMN}")):
                        code.put(code.op(f"getelementptr {type_}, ptr %o, i64 {r}"), type_, of_row)
                    code.put(whole, type_, code.op(f"fadd {type_} {code.get(whole, type_)}, {of_row}"))
            if target == ONE:
                with code.when(code.op(f"icmp eq i64 %target, {ONE}")):
                    value = code.get(whole, type_)
                    if mean:
                        count = code.op(f"sitofp i64 {code.op('mul i64 %rows, %columns')} to {type_}")
                        value = code.op(f"fdiv {type_} {value}, {count}")
                    code.put("%o", type_, value)
            code.back()

        # What comes in from behind, `grad`, has every element; of the others at most one repeats its elements.
        repeating = [n for n in names if n != "grad"] or (names if FULL in targets and self.native.reduces else [])
        if FULL in targets:
            with code.when(code.op(f"icmp eq i64 %target, {FULL}")):
                for zero in repeating:
                    with code.when(code.op(f"icmp eq i64 %{zero}_step, 0")):
                        loops([int(n != zero) for n in names], FULL)
                loops([1] * len(names), FULL)
        steps = [f"%{n}_step" if n in repeating and len(names) > 1 else 1 for n in names]
        if ROW in targets:
            with code.when(code.op(f"icmp eq i64 %target, {ROW}")):
                with code.loop("%columns", elements=True) as j:
                    code.put(code.op(f"getelementptr {type_}, ptr %o, i64 {j}"), type_, "0.0")
                loops(steps, ROW)
        if ONE in targets and self.native.reduces and len(names) == 1:
            dense = code.op(f"or i1 {code.op('icmp eq i64 %rows, 1')}, {code.op(f'icmp eq i64 %{names[0]}_row, %columns')}")
            with code.when(code.op(f"and i1 {dense}, {code.op(f'icmp eq i64 %target, {ONE}')}")):
                count = code.op("mul i64 %rows, %columns")
                value = ordered_sum(code, f"%{names[0]}", count, type_)
                if mean:
                    value = code.op(f"fdiv {type_} {value}, {code.op(f'sitofp i64 {count} to {type_}')}")
                code.put("%o", type_, value)
                code.back()
        if ONE in targets:
            loops(steps, ONE)
        code.back()
        self.done(code)

    # --- the call ------------------------------------------------------------------------------------------------

    def call(self) -> None:
        """`ptr core(ptr input, ptr other)`: the result, null with an exception set, or `_DECLINED`."""
        native, at = self.native, self.places.tensor
        names = native.operands
        code = Code("ptr", "core", *(f"ptr %{n}" for n in names))
        steps, arrays_, pick = self._operands(code, names, writeable=False)
        rank, sizes, rows, columns, dtypes = pick
        tensors = {n: arrays_[n][1] for n in names}
        record = self._watch(code, names, tensors) if native.records else "false"
        descr = self.table.read(code, "bool") if native.kind == "compare" else code.get(dtypes, "ptr")
        form = FULL
        if native.reduces:
            form, sizes, rank = ONE, "null", "0"
        result = code.call("ptr", "new_array", f"ptr {descr}", f"ptr {sizes}", f"i64 {rank}")
        with code.when(code.op(f"icmp eq ptr {result}, null")):
            code.back("null")
        self._run(code, "map", code.field(result, 16), [steps[n] for n in names], code.get(dtypes, "ptr"), rows, columns, str(form))
        made = code.call("ptr", "make_tensor", f"ptr {result}")
        with code.when(code.op(f"icmp eq ptr {made}, null")):
            code.back("null")
        if native.records:
            with code.when(record):
                node = code.call(
                    "ptr", "record", f"ptr {made}", f"ptr {result}", *(f"ptr %{n}, ptr {code.get(arrays_[n][0], 'ptr')}" for n in names)
                )
                with code.when(code.op(f"icmp eq ptr {node}, null")):
                    code.call("void", "Py_DecRef", f"ptr {made}")
                    code.back("null")
                self._replace(code, made, at["_node"], node)
                self._replace(code, made, at["_requires_grad"], self.new_reference(code, "True"))
        code.back(made)
        code.mark("decline")
        code.back(_DECLINED)
        self.done(code)

    def _replace(self, code: Code, owner: str, offset: int, value: str) -> None:
        """Sets a field that holds a reference; takes over the reference to the value."""
        old = code.field(owner, offset)
        code.set_field(owner, offset, value)
        code.call("void", "Py_DecRef", f"ptr {old}")

    def _operands(self, code: Code, names: list[str], writeable: bool) -> Any:
        """Checks the operands and finds how they lie in the result."""
        table = self.table
        active = code.field(table.read(code, "modes"), self.places.active)
        code.leave(code.op(f"icmp ne ptr {active}, {table.read(code, 'zero')}"), "decline")
        first = self.tensor_array(code, f"%{names[0]}", "decline", writeable)
        dtype = code.field(first, 56)
        known = code.op(f"or i1 {self.is_(code, dtype, 'f32')}, {self.is_(code, dtype, 'f64')}")
        code.leave(code.op(f"xor i1 {known}, true"), "decline")
        dtypes = code.slot("ptr", dtype)
        arrays_ = {names[0]: (code.slot("ptr", first), "true")}
        rank, sizes = self.rank_and_sizes(code, first)
        count = code.call("i64", "product", f"ptr {sizes}", f"i64 {rank}")
        ranks, sizess, counts = code.slot("i64", rank), code.slot("ptr", sizes), code.slot("i64", count)
        columns = code.slot("i64", count)
        pointers = {n: code.slot("ptr", "null") for n in names}
        forms = {n: code.slot("i64", str(FULL)) for n in names}
        code.put(pointers[names[0]], "ptr", code.field(first, 16))
        if len(names) == 2:
            other = names[1]
            value, double = code.slot("double"), code.slot("double")
            held, is_array = code.slot("ptr", "null"), code.slot("i1", "false")
            arrays_[other] = (held, is_array)
            if self.native.constant is not None:
                good = code.call("i1", "number", f"ptr %{other}", f"ptr {double}")
                code.leave(code.op(f"xor i1 {good}, true"), "decline")
                wanted = float(self.native.constant)
                code.leave(code.op(f"fcmp une double {code.get(double, 'double')}, {wanted!r}"), "decline")
            cls = code.field(f"%{other}", 8)
            number = code.op(f"or i1 {self.is_(code, cls, 'float')}, {self.is_(code, cls, 'int')}")
            as_number, as_tensor, join = (code.fresh(x) for x in ("number", "tensor", "join"))
            code.do(f"br i1 {number}, label %{as_number}, label %{as_tensor}")
            code.mark(as_number)
            good = code.call("i1", "number", f"ptr %{other}", f"ptr {double}")
            code.leave(code.op(f"xor i1 {good}, true"), "decline")
            wide = code.get(double, "double")
            with code.when(self.is_(code, dtype, "f32")):
                code.put(value, "float", code.op(f"fptrunc double {wide} to float"))
            with code.when(self.is_(code, dtype, "f64")):
                code.put(value, "double", wide)
            code.put(pointers[other], "ptr", value)
            code.put(forms[other], "i64", str(ONE))
            code.do(f"br label %{join}")
            code.mark(as_tensor)
            if self.native.constant is not None or self.op.kinds[other] != "number" and self.op.kinds[other] != "tensor":
                code.do("br label %decline")
            else:
                second = self.tensor_array(code, f"%{other}", "decline")
                code.leave(code.op(f"icmp ne ptr {code.field(second, 56)}, {dtype}"), "decline")
                code.put(held, "ptr", second)
                code.put(is_array, "i1", "true")
                code.put(pointers[other], "ptr", code.field(second, 16))
                rank2, sizes2 = self.rank_and_sizes(code, second)
                count2 = code.call("i64", "product", f"ptr {sizes2}", f"i64 {rank2}")
                larger = code.op(f"icmp sgt i64 {count2}, {count}")
                equal = code.op(f"icmp eq i64 {count2}, {count}")
                higher = code.op(f"icmp sgt i64 {rank2}, {rank}")
                swap = code.op(f"or i1 {larger}, {code.op(f'and i1 {equal}, {higher}')}")
                first_big, second_big, fitted = (code.fresh(x) for x in ("big", "big", "fitted"))
                if writeable:
                    code.leave(swap, "decline")
                code.do(f"br i1 {swap}, label %{second_big}, label %{first_big}")
                code.mark(first_big)
                form = code.call("i64", "fit", f"ptr {sizes}", f"i64 {rank}", f"ptr {sizes2}", f"i64 {rank2}", f"ptr {columns}")
                code.leave(code.op(f"icmp slt i64 {form}, 0"), "decline")
                code.put(forms[other], "i64", form)
                code.do(f"br label %{fitted}")
                code.mark(second_big)
                code.put(columns, "i64", count2)
                form = code.call("i64", "fit", f"ptr {sizes2}", f"i64 {rank2}", f"ptr {sizes}", f"i64 {rank}", f"ptr {columns}")
                code.leave(code.op(f"icmp slt i64 {form}, 0"), "decline")
                code.put(forms[names[0]], "i64", form)
                code.put(ranks, "i64", rank2)
                code.put(sizess, "ptr", sizes2)
                code.put(counts, "i64", count2)
                code.do(f"br label %{fitted}")
                code.mark(fitted)
                code.do(f"br label %{join}")
            code.mark(join)
        total = code.get(counts, "i64")
        outside = code.op(f"or i1 {code.op(f'icmp eq i64 {total}, 0')}, {code.op(f'icmp sgt i64 {total}, {LIMIT}')}")
        code.leave(outside, "decline")
        width = code.get(columns, "i64")
        rows = code.op(f"sdiv i64 {total}, {width}")
        steps = {n: self._steps(code, code.get(pointers[n], "ptr"), code.get(forms[n], "i64"), width) for n in names}
        return steps, arrays_, (code.get(ranks, "i64"), code.get(sizess, "ptr"), rows, width, dtypes)

    def _steps(self, code: Code, pointer: str, form: str, columns: str) -> str:
        """The arguments that hand an operand to a kernel: its pointer, the step from row to row and from element to element."""
        full, one, row = (code.op(f"icmp eq i64 {form}, {f}") for f in (FULL, ONE, ROW))
        moves = code.op(f"or i1 {full}, {row}")
        step = code.op(f"zext i1 {moves} to i64")
        per_row = code.op(f"select i1 {full}, i64 {columns}, i64 1")
        still = code.op(f"or i1 {one}, {row}")
        return f"ptr {pointer}, i64 {code.op(f'select i1 {still}, i64 0, i64 {per_row}')}, i64 {step}"

    def _run(self, code: Code, kernel: str, target: str, operands: list[str], dtype: str, rows: str, columns: str, form: str) -> None:
        """Calls the kernel for the dtype."""
        arguments = [f"ptr {target}", *operands, f"i64 {rows}", f"i64 {columns}", f"i64 {form}"]
        single, other, after = (code.fresh(x) for x in ("single", "double", "after"))
        code.do(f"br i1 {self.is_(code, dtype, 'f32')}, label %{single}, label %{other}")
        code.mark(single)
        code.call("void", f"{kernel}_f32", *arguments)
        code.do(f"br label %{after}")
        code.mark(other)
        code.call("void", f"{kernel}_f64", *arguments)
        code.do(f"br label %{after}")
        code.mark(after)

    def _watch(self, code: Code, names: list[str], is_tensor: dict[str, str]) -> str:
        if len(names) == 1 or self.native.constant is not None:
            return self.watch(code, [f"%{names[0]}"], "decline")
        # A number as second operand is watched as if it were the first.
        second = code.op(f"select i1 {code.get(is_tensor[names[1]], 'i1')}, ptr %{names[1]}, ptr %{names[0]}")
        return self.watch(code, [f"%{names[0]}", second], "decline")

    # --- the node ------------------------------------------------------------------------------------------------

    def record(self) -> None:
        """`ptr record(ptr result tensor, ptr result, (ptr operand, ptr array or null)...)`: a new node, or null."""
        op, native, table = self.op, self.native, self.table
        names = native.operands
        code = Code("ptr", "record", "ptr %made", "ptr %result", *(f"ptr %{n}, ptr %a_{n}" for n in names))
        node_at, tensor_at = self.places.node, self.places.tensor
        differentiable = op.differentiable_params
        edges = {}
        for n in differentiable:
            edge = edges[n] = code.slot("ptr", table.read(code, "None"))
            with code.when(code.op(f"icmp ne ptr %a_{n}, null")):
                with code.when(self.is_(code, code.field(f"%{n}", tensor_at["_requires_grad"]), "True")):
                    source = code.field(f"%{n}", tensor_at["_node"])
                    leaf = self.is_(code, source, "None")
                    code.put(edge, "ptr", code.op(f"select i1 {leaf}, ptr %{n}, ptr {source}"))
        variant = table.read(code, "node")
        if len(names) == 2:
            number = code.op(f"icmp eq ptr %a_{names[1]}, null")
            variant = code.op(f"select i1 {number}, ptr {table.read(code, 'node_number')}, ptr {variant}")
        node = code.call("ptr", "PyType_GenericAlloc", f"ptr {variant}", "i64 0")
        code.leave(code.op(f"icmp eq ptr {node}, null"), "failed")
        code.set_field(node, node_at["sequence"], code.call("ptr", "PyObject_CallNoArgs", f"ptr {table.read(code, 'next')}"))
        for hooks in ("pre_hooks", "post_hooks"):
            code.set_field(node, node_at[hooks], self.new_reference(code, "None"))
        code.set_field(node, node_at["edges"], self.tuple_of(code, [self._taken(code, code.get(edges[n], "ptr")) for n in differentiable]))
        code.set_field(node, node_at["dtype"], self._taken(code, code.field("%result", 56)))
        code.set_field(node, node_at["shape"], code.call("ptr", "shape_tuple", "ptr %result"))
        saved, versions = [], []
        for n in self.saved:
            needed = op._needed_for(n)
            condition = "true"
            if needed is not None:
                condition = "false"
                for p in needed:
                    condition = code.op(f"or i1 {condition}, {self.isnt(code, code.get(edges[p], 'ptr'), 'None')}")
            if n == "result":
                saved.append(self._taken(code, "%result"))
                versions.append(("%made", "true"))
            elif n in names:
                is_array = code.op(f"icmp ne ptr %a_{n}, null")
                value = code.op(f"select i1 {is_array}, ptr %a_{n}, ptr %{n}")
                saved.append(self._taken(code, code.op(f"select i1 {condition}, ptr {value}, ptr {table.read(code, 'None')}")))
                versions.append((f"%{n}", code.op(f"and i1 {is_array}, {condition}")))
            elif n.endswith("_shape"):
                base = n[:-6]
                saved.append(self._shape_or_empty(code, base))
            else:  # a parameter that is not an operand has its default
                saved.append(self.new_reference(code, f"default_{n}"))
        code.set_field(node, node_at["saved"], self.tuple_of(code, saved))
        code.set_field(node, node_at["versions"], self._versions(code, versions))
        code.back(node)
        code.mark("failed")
        code.back("null")
        self.done(code)

    def _shape_or_empty(self, code: Code, name: str) -> str:
        value = code.slot("ptr", "null")
        is_array = code.op(f"icmp ne ptr %a_{name}, null")
        with code.when(is_array):
            code.put(value, "ptr", code.call("ptr", "shape_tuple", f"ptr %a_{name}"))
        with code.when(code.op(f"xor i1 {is_array}, true")):
            code.put(value, "ptr", code.call("ptr", "PyTuple_New", "i64 0"))
        return code.get(value, "ptr")

    def _taken(self, code: Code, value: str) -> str:
        """The value with a reference of its own."""
        code.call("void", "Py_IncRef", f"ptr {value}")
        return value

    def _versions(self, code: Code, wanted: list[tuple[str, str]]) -> str:
        """A tuple of counters and their values, for the Tensors whose condition holds."""
        if not wanted:
            return code.call("ptr", "PyTuple_New", "i64 0")
        count = "0"
        for _, condition in wanted:
            count = code.op(f"add i64 {count}, {code.op(f'zext i1 {condition} to i64')}")
        made = code.call("ptr", "PyTuple_New", f"i64 {code.op(f'mul i64 {count}, 2')}")
        position = code.slot("i64", str(self.places.items))
        for tensor, condition in wanted:
            with code.when(condition):
                at = code.get(position, "i64")
                counter = code.call("ptr", "version", f"ptr {tensor}")
                code.set_field(made, at, counter)
                value = self._taken(code, code.call("ptr", "PyList_GetItem", f"ptr {counter}", "i64 0"))
                code.set_field(made, code.op(f"add i64 {at}, 8"), value)
                code.put(position, "i64", code.op(f"add i64 {at}, 16"))
        return made

    # --- in place ------------------------------------------------------------------------------------------------

    def in_place(self) -> None:
        """`ptr in_place(ptr input, ptr other)`: writes into the input outside any graph, and returns it."""
        names = self.native.operands
        code = Code("ptr", "in_place", *(f"ptr %{n}" for n in names))
        steps, arrays_, (_, _, rows, columns, dtypes) = self._operands(code, names, writeable=True)
        tensors = {n: arrays_[n][1] for n in names}
        code.leave(self._watch(code, names, tensors), "decline")
        target = code.get(arrays_[names[0]][0], "ptr")
        data = code.field(target, 16)
        if len(names) == 2 and self.native.constant is None:
            with code.when(code.get(tensors[names[1]], "i1")):
                self._leave_if_they_overlap(code, target, code.get(arrays_[names[1]][0], "ptr"))
        self._run(code, "map", data, [steps[n] for n in names], code.get(dtypes, "ptr"), rows, columns, str(FULL))
        code.call("void", "bump", f"ptr %{names[0]}")
        code.back(self._taken(code, f"%{names[0]}"))
        code.mark("decline")
        code.back(_DECLINED)
        self.done(code)

    def _leave_if_they_overlap(self, code: Code, a: str, b: str) -> None:
        """Declines where two arrays share memory without being the same elements."""
        ends = []
        for array in (a, b):
            rank, sizes = self.rank_and_sizes(code, array)
            count = code.call("i64", "product", f"ptr {sizes}", f"i64 {rank}")
            start = code.op(f"ptrtoint ptr {code.field(array, 16)} to i64")
            ends.append((start, code.op(f"add i64 {start}, {code.op(f'mul i64 {count}, 8')}")))  # eight bytes at most
        (a0, a1), (b0, b1) = ends
        meet = code.op(f"and i1 {code.op(f'icmp ult i64 {a0}, {b1}')}, {code.op(f'icmp ult i64 {b0}, {a1}')}")
        code.leave(code.op(f"and i1 {meet}, {code.op(f'icmp ne i64 {a0}, {b0}')}"), "decline")
        rank_a, sizes_a = self.rank_and_sizes(code, a)
        rank_b, sizes_b = self.rank_and_sizes(code, b)
        count_a = code.call("i64", "product", f"ptr {sizes_a}", f"i64 {rank_a}")
        count_b = code.call("i64", "product", f"ptr {sizes_b}", f"i64 {rank_b}")
        code.leave(code.op(f"and i1 {meet}, {code.op(f'icmp ne i64 {count_a}, {count_b}')}"), "decline")

    # --- the way back --------------------------------------------------------------------------------------------

    def traced(self, p: str) -> tuple[Callable[..., Any], list[str]]:
        """The derivative formula of a parameter as a function of expressions, and the names of those it takes."""
        formula = self.op.formulas[p]
        from .definition import _arguments

        takes = [n for n in _arguments(formula) if n != "F"]
        constants = {n: self.op.defaults[n] for n in takes if n in self.op.params and n not in self.native.operands}
        if self.native.constant is not None:
            constants[self.native.operands[1]] = self.native.constant
        leaves = [n for n in takes if n not in constants]

        def function(**values: Any) -> Any:
            return formula(*(_Expressions() if n == "F" else values[n] if n in values else constants[n] for n in _arguments(formula)))

        return function, leaves

    def passes(self, p: str) -> bool:
        """Whether the gradient goes on as it is."""
        function, leaves = self.traced(p)
        grad = Expression("named", "f32", "%grad")
        return leaves == ["grad"] and function(grad=grad) is grad

    def apply(self) -> None:
        """`ptr apply_core(ptr node, ptr F, ptr grad, ptr saved)`: the gradients as a tuple, or `_DECLINED`."""
        op, table, node_at = self.op, self.table, self.places.node
        code = Code("ptr", "apply_core", "ptr %node", "ptr %F", "ptr %grad", "ptr %saved")
        code.leave(self.isnt(code, "%F", "arrays"), "decline")
        self.check_array(code, "%grad", "decline")
        dtype = code.field("%grad", 56)
        known = code.op(f"or i1 {self.is_(code, dtype, 'f32')}, {self.is_(code, dtype, 'f64')}")
        code.leave(code.op(f"xor i1 {known}, true"), "decline")
        rank, sizes = self.rank_and_sizes(code, "%grad")
        count = code.call("i64", "product", f"ptr {sizes}", f"i64 {rank}")
        outside = code.op(f"or i1 {code.op(f'icmp eq i64 {count}, 0')}, {code.op(f'icmp sgt i64 {count}, {LIMIT}')}")
        code.leave(outside, "decline")
        width = code.slot("i64", "-1")  # columns, once an array tells

        def lies(sizes_: str, rank_: str) -> str:
            columns = code.slot("i64", "-1")
            form = code.call("i64", "fit", f"ptr {sizes}", f"i64 {rank}", f"ptr {sizes_}", f"i64 {rank_}", f"ptr {columns}")
            code.leave(code.op(f"icmp slt i64 {form}, 0"), "decline")
            with code.when(code.op(f"icmp sge i64 {form}, {ROW}")):
                found, former = code.get(columns, "i64"), code.get(width, "i64")
                differs = code.op(f"and i1 {code.op(f'icmp sge i64 {former}, 0')}, {code.op(f'icmp ne i64 {former}, {found}')}")
                code.leave(differs, "decline")
                code.put(width, "i64", found)
            return form

        params = self.native.way_back
        traced = {p: self.traced(p) for p in params}
        if self.native.constant is not None:
            double = code.slot("double")
            number = code.field("%saved", self.places.items + 8 * self.saved.index(self.native.operands[1]))
            good = code.call("i1", "number", f"ptr {number}", f"ptr {double}")
            code.leave(code.op(f"xor i1 {good}, true"), "decline")
            code.leave(code.op(f"fcmp une double {code.get(double, 'double')}, {float(self.native.constant)!r}"), "decline")
        for n in self.saved:
            if n in op.params and n not in self.native.operands:  # traced with its default
                value = code.field("%saved", self.places.items + 8 * self.saved.index(n))
                code.leave(self.isnt(code, value, f"default_{n}"), "decline")
        used = [n for n in self.saved if any(n in leaves for _, leaves in traced.values())]
        values: dict[str, tuple[str, str]] = {"grad": (code.field("%grad", 16), str(FULL))}
        for n in used:
            saved = code.field("%saved", self.places.items + 8 * self.saved.index(n))
            pointer, form = code.slot("ptr", "null"), code.slot("i64", str(FULL))
            number, double = code.slot("double"), code.slot("double")
            cls = code.field(saved, 8)
            is_array, not_array, next_ = (code.fresh(x) for x in ("array", "other", "next"))
            code.do(f"br i1 {self.is_(code, cls, 'ndarray')}, label %{is_array}, label %{not_array}")
            code.mark(is_array)
            self.check_array(code, saved, "decline")
            code.leave(code.op(f"icmp ne ptr {code.field(saved, 56)}, {dtype}"), "decline")
            code.put(pointer, "ptr", code.field(saved, 16))
            rank_, sizes_ = self.rank_and_sizes(code, saved)
            code.put(form, "i64", lies(sizes_, rank_))
            code.do(f"br label %{next_}")
            code.mark(not_array)
            with code.when(self.isnt(code, saved, "None")):
                good = code.call("i1", "number", f"ptr {saved}", f"ptr {double}")
                code.leave(code.op(f"xor i1 {good}, true"), "decline")
                wide = code.get(double, "double")
                with code.when(self.is_(code, dtype, "f32")):
                    code.put(number, "float", code.op(f"fptrunc double {wide} to float"))
                with code.when(self.is_(code, dtype, "f64")):
                    code.put(number, "double", wide)
                code.put(pointer, "ptr", number)
                code.put(form, "i64", str(ONE))
            code.do(f"br label %{next_}")
            code.mark(next_)
            values[n] = (code.get(pointer, "ptr"), code.get(form, "i64"))
        edges = code.field("%node", node_at["edges"])
        wanted, targets = {}, {}
        for i, p in enumerate(params):
            edge = code.field(edges, self.places.items + 8 * i)
            wanted[p] = self.isnt(code, edge, "None")
            form, at, rank_slot = code.slot("i64", str(FULL)), code.slot("ptr", "null"), code.slot("i64", "0")
            with code.when(wanted[p]):
                self._edge_shape(code, edge, dtype, at, rank_slot)
                code.put(form, "i64", lies(code.get(at, "ptr"), code.get(rank_slot, "i64")))
            targets[p] = (code.get(form, "i64"), code.get(at, "ptr"), code.get(rank_slot, "i64"))
        told = code.get(width, "i64")
        columns = code.op(f"select i1 {code.op(f'icmp slt i64 {told}, 0')}, i64 {count}, i64 {told}")
        rows = code.op(f"sdiv i64 {count}, {columns}")
        results = []
        for i, p in enumerate(params):
            result = code.slot("ptr", table.read(code, "None"))
            form, at, rank_ = targets[p]
            skip, compute, after = (code.fresh(x) for x in ("skip", "compute", "after"))
            code.do(f"br i1 {wanted[p]}, label %{compute}, label %{skip}")
            code.mark(compute)
            if self.passes(p):
                here = code.fresh("pass")
                fresh = code.fresh("fresh")
                code.do(f"br i1 {code.op(f'icmp eq i64 {form}, {FULL}')}, label %{here}, label %{fresh}")
                code.mark(here)
                code.put(result, "ptr", "%grad")
                code.do(f"br label %{skip}")
                code.mark(fresh)
            made = code.call("ptr", "new_array", f"ptr {dtype}", f"ptr {at}", f"i64 {rank_}")
            with code.when(code.op(f"icmp eq ptr {made}, null")):
                code.back("null")
            code.put(result, "ptr", made)
            operands = [self._steps(code, *values[n], columns) for n in traced[p][1]]
            self._run(code, f"back{i}", code.field(made, 16), operands, dtype, rows, columns, form)
            code.do(f"br label %{after}")
            code.mark(skip)
            code.call("void", "Py_IncRef", f"ptr {code.get(result, 'ptr')}")
            code.do(f"br label %{after}")
            code.mark(after)
            results.append(code.get(result, "ptr"))
        results += [self.new_reference(code, "None") for _ in op.differentiable_params[len(params) :]]
        code.back(self.tuple_of(code, results))
        code.mark("decline")
        code.back(_DECLINED)
        self.done(code)

    def _edge_shape(self, code: Code, edge: str, dtype: str, at: str, rank: str) -> None:
        """Where the shape lies that a gradient must have to go along an edge: to a leaf or to a node with one output."""
        table, node_at, tensor_at = self.table, self.places.node, self.places.tensor
        cls = code.field(edge, 8)
        code.leave(self.is_(code, cls, "Output"), "decline")
        leaf = code.call("i32", "PySet_Contains", f"ptr {table.read(code, 'plain')}", f"ptr {cls}")
        to_leaf, to_node, done = (code.fresh(x) for x in ("leaf", "node", "shape"))
        code.do(f"br i1 {code.op(f'icmp eq i32 {leaf}, 1')}, label %{to_leaf}, label %{to_node}")
        code.mark(to_leaf)
        array = code.field(edge, tensor_at["_array"])
        code.leave(self.isnt(code, code.field(array, 8), "ndarray"), "decline")
        code.leave(code.op(f"icmp ne ptr {code.field(array, 56)}, {dtype}"), "decline")
        rank_, sizes = self.rank_and_sizes(code, array)
        code.put(at, "ptr", sizes)
        code.put(rank, "i64", rank_)
        code.do(f"br label %{done}")
        code.mark(to_node)
        code.leave(
            code.op(f"icmp ne i32 {code.call('i32', 'PyType_IsSubtype', f'ptr {cls}', 'ptr ' + table.read(code, 'Node'))}, 1"), "decline"
        )
        code.leave(code.op(f"icmp ne ptr {code.field(edge, node_at['dtype'])}, {dtype}"), "decline")
        shape = code.field(edge, node_at["shape"])
        code.leave(self.isnt(code, code.field(shape, 8), "tuple"), "decline")
        sizes = code.slot("[64 x i64]")
        code.put(rank, "i64", code.call("i64", "read_shape", f"ptr {shape}", f"ptr {sizes}"))
        code.put(at, "ptr", sizes)
        code.do(f"br label %{done}")
        code.mark(done)

    def spread(self) -> None:
        """`apply_core` of a sum or mean over all elements: the gradient, everywhere."""
        node_at = self.places.node
        code = Code("ptr", "apply_core", "ptr %node", "ptr %F", "ptr %grad", "ptr %saved")
        code.leave(self.isnt(code, "%F", "arrays"), "decline")
        self.check_array(code, "%grad", "decline")
        # The gradient of a sum along a dimension is the general path's.
        code.leave(self.isnt(code, code.field("%saved", self.places.items + 8 * self.saved.index("dim")), "None"), "decline")
        dtype = code.field("%grad", 56)
        known = code.op(f"or i1 {self.is_(code, dtype, 'f32')}, {self.is_(code, dtype, 'f64')}")
        code.leave(code.op(f"xor i1 {known}, true"), "decline")
        edge = code.field(code.field("%node", node_at["edges"]), self.places.items)
        at, rank_slot = code.slot("ptr", "null"), code.slot("i64", "0")
        self._edge_shape(code, edge, dtype, at, rank_slot)
        sizes, rank = code.get(at, "ptr"), code.get(rank_slot, "i64")
        count = code.call("i64", "product", f"ptr {sizes}", f"i64 {rank}")
        outside = code.op(f"or i1 {code.op(f'icmp eq i64 {count}, 0')}, {code.op(f'icmp sgt i64 {count}, {LIMIT}')}")
        code.leave(outside, "decline")
        made = code.call("ptr", "new_array", f"ptr {dtype}", f"ptr {sizes}", f"i64 {rank}")
        with code.when(code.op(f"icmp eq ptr {made}, null")):
            code.back("null")
        number = code.slot("double")
        for kind, type_ in _FLOATS.items():
            with code.when(self.is_(code, dtype, kind)):
                value = code.get(code.field("%grad", 16), type_)
                if self.native.kind == "mean":
                    value = code.op(f"fdiv {type_} {value}, {code.op(f'sitofp i64 {count} to {type_}')}")
                code.put(number, type_, value)
        self._run(code, "back0", code.field(made, 16), [f"ptr {number}, i64 0, i64 0"], dtype, "1", count, str(FULL))
        code.back(self.tuple_of(code, [made]))
        code.mark("decline")
        code.back(_DECLINED)
        self.done(code)

    # --- the built-in functions ----------------------------------------------------------------------------------

    def entry(self, name: str, core: str, arguments: int, method: bool, fallback: str | None) -> None:
        """A METH_FASTCALL function: of a method, `self` is the first argument. Declining, it calls the fallback or returns None."""
        code = Code("ptr", name, "ptr %self", "ptr %args", "i64 %count", internal=False)
        given = arguments - method
        code.leave(code.op(f"icmp ne i64 %count, {given}"), "decline")
        values = ["%self"] * method + [code.item("%args", i) for i in range(given)]
        result = code.call("ptr", core, *(f"ptr {v}" for v in values))
        code.leave(code.op(f"icmp eq ptr {result}, {_DECLINED}"), "decline")
        code.back(result)
        code.mark("decline")
        if fallback is None:
            code.back(self.new_reference(code, "None"))
        else:  # the call as it came, with `self` in front
            stack = code.slot("[8 x ptr]")
            code.leave(code.op("icmp sgt i64 %count, 7"), "many")
            code.put(stack, "ptr", "%self")
            with code.loop("%count") as i:
                value = code.item("%args", i)
                code.put(code.op(f"getelementptr ptr, ptr {stack}, i64 {code.op(f'add i64 {i}, 1')}"), "ptr", value)
            total = code.op("add i64 %count, 1")
            code.back(
                code.call(
                    "ptr", "PyObject_Vectorcall", f"ptr {self.table.read(code, fallback)}", f"ptr {stack}", f"i64 {total}", "ptr null"
                )
            )
            code.mark("many")
            code.back(self.new_reference(code, "None"))
        self.done(code)


def _module(native: Native, table: Table, places: Fields) -> tuple[str, list[str]]:
    """The IR of an operator, and the names of the functions it offers."""
    from ..kernels.compiler.llvm import PRELUDE

    op, names = native.op, native.operands
    w = _OperatorWriter(native, table, places)
    w.common()
    forward = (lambda input: input) if native.reduces else native.forward
    for kind in _FLOATS:
        w.kernel(f"map_{kind}", forward, names, kind, (ONE,) if native.reduces else (FULL,), native.kind == "mean")
    if native.records:
        w.record()
    w.call()
    count = len(names)
    w.entry("call", "core", count, False, None)
    offered = ["call"]
    if any(n.startswith("__") for n in _dunders(op)):
        w.entry("method", "core", count, True, "dunder")
        offered.append("method")
    if op.in_places and native.kind == "map":
        w.in_place()
        w.entry("call_in_place", "in_place", count, False, None)
        offered.append("call_in_place")
        if any(n.startswith("__") for n in op.in_places):
            w.entry("method_in_place", "in_place", count, True, "in_place_dunder")
            offered.append("method_in_place")
    if native.records:
        for i, p in enumerate(native.way_back):
            function, leaves = ((lambda grad: grad), ["grad"]) if native.reduces else w.traced(p)
            for kind in _FLOATS:
                w.kernel(f"back{i}_{kind}", function, leaves, kind, (FULL,) if native.reduces else (FULL, ONE, ROW, COLUMN))
        w.spread() if native.reduces else w.apply()
        w.entry("apply", "apply_core", 4, True, "apply")
        offered.append("apply")
    return PRELUDE + DECLARATIONS + "\n".join(w.functions), offered


_shared: dict[str, Any] | None = None


def native_parts() -> tuple[dict[str, Any], bool]:
    """What all operators share in machine code (nothing where it cannot be compiled), and whether it is there for the first time."""
    global _shared
    if _shared is not None:
        return _shared, False
    from . import running
    from .native_graph import install_graph

    _shared = install_graph()
    if _shared:
        running.new_tensor, running.new_view = _shared["new_tensor"], _shared["new_view"]
    return _shared, True


def _dunders(op: "Operator") -> list[str]:
    """The names under which Python's operators call an operator."""
    return [name.partition(".")[2] for name in op.public if name.startswith("Tensor.__") and name.rpartition(".")[2] not in op.in_places]


def install(native: Native) -> dict[str, Any]:
    """Compiles an operator; puts its methods in place, and returns the built-in functions by name. Empty where it cannot be."""
    from ..kernels.compiler.jit import method_descriptor, native_functions

    places = fields()
    if places is None:
        return {}
    if plain.native is None:
        from .native_walk import install_walk

        install_walk()
    op = native.op
    from ..autograd.node import Node, Output

    table = common_table()
    table.add("Node", Node)
    table.add("Output", Output)
    table.add("tuple", tuple)
    if native.records:
        example = dict.fromkeys(native.operands, places.example)
        defaults = [example.get(p, op.defaults.get(p)) for p in op.params]
        table.add("node", _node_class(op, defaults))
        if len(native.operands) == 2:
            second = native.operands[1]
            number = [native.constant or 2.0 if p == second else v for p, v in zip(op.params, defaults)]
            table.add("node_number", _node_class(op, number) if op.kinds[second] == "number" else table.kept[-1])
        table.add("apply", op.node_type.__dict__["apply"])
        for p in op.params:
            if p not in native.operands:
                table.add(f"default_{p}", op.defaults[p])
    table.add("dunder", op.dunder)
    in_place_dunder = next((f for n, f in op.in_places.items() if n.startswith("__")), None)
    table.add("in_place_dunder", in_place_dunder)
    try:
        ir, offered = _module(native, table, places)
    except Untraceable:
        return {}
    made = native_functions(
        ir,
        f"flambeau_{op.name}",
        table.values,
        [n for n in offered if n.startswith("call")],
        [n for n in offered if not n.startswith("call")],
    )
    _kept.append(table)
    for name in _dunders(op):
        if "method" in made:
            setattr(Tensor, name, method_descriptor(Tensor, name, made["method"]))
    for name in op.in_places:
        if name.startswith("__") and "method_in_place" in made:
            setattr(Tensor, name, method_descriptor(Tensor, name, made["method_in_place"]))
    if "apply" in made:
        op.node_type.apply = method_descriptor(op.node_type, "apply", made["apply"])  # type: ignore[method-assign]
    return made


_kept: list[Table] = []  # machine code refers to their objects


def _node_class(op: "Operator", values: list[Any]) -> type:
    return op._variant(*values) if op.choose_node else op.node_type
