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
from ..kernels.compiler.code import Code, Value, Variable
from ..kernels.compiler.expression import Expression
from ..tensor import Tensor
from .native_objects import DECLINED, FULL, ONE, ROW, Fields, Table, Writer, common_table, fields
from .recording import arguments, needed_for, saved_names

if TYPE_CHECKING:
    from .definition import Operator

LIMIT = 32768
"""The number of elements up to which one thread is as fast as several, and the call is what counts."""

WRITTEN_OUT = 4096
"""Up to so many elements a number that is broadcast is written out, as `kernels.memory.broadcast` does it."""

_FLOATS = {"f32": "float", "f64": "double"}


def ordered_sum(code: Code, x: Value, count: Value, type_: str) -> Value:
    """The sum of `count` elements that lie side by side, added up in the order in which PyTorch does it, so that no digit differs.

    They are taken four vectors of 32 bytes at a time; every 16 of these groups are added to sums of a second level, every 16 of those to
    a third; then the four, what is left of the elements, and the lanes of the vector, one after the other.
    """
    lanes = 8 if type_ == "float" else 4
    vector = f"<{lanes} x {type_}>"
    sums = [[code.variable(vector, 0.0) for _ in range(4)] for _ in range(3)]
    total = code.variable(type_, 0.0)

    def add(slot: Variable, value: Value) -> None:
        slot.value = slot.value + value

    def load(index: Value) -> Value:
        return code.load(vector, code.at(x, index, vector))

    short = (count < 8) & (count >= 4)
    if lanes == 8:  # fewer than a vector: by fours, the rest after the first
        with code.when(short):
            add(total, code.load(type_, x, 0))
            with code.loop(count - 4, short=True) as i:
                add(total, code.load(type_, x, i + 4))
            for k in (1, 2, 3):
                add(total, code.load(type_, x, k))
    vectors = count // lanes
    groups = vectors // 4
    with code.loop(groups, short=True) as i:
        first = i * 4
        for k in range(4):
            add(sums[0][k], load(first + k))
        done = i + 1
        for level, step in ((1, 16), (2, 256)):
            with code.when((done & (step - 1)).equals(0)):
                for k in range(4):
                    add(sums[level][k], sums[level - 1][k].value)
                    sums[level - 1][k].value = 0.0
    for level in (1, 2):
        for k in range(4):
            add(sums[0][k], sums[level][k].value)
    used = groups * 4
    with code.loop(vectors - used, short=True) as i:
        add(sums[0][0], load(i + used))
    for k in (1, 2, 3):
        add(sums[0][0], sums[0][k].value)
    seen = vectors * lanes
    rest = count - seen
    if lanes == 8:
        rest = code.where(short, 0, rest)
    with code.loop(rest, short=True) as i:
        add(total, code.load(type_, x, i + seen))
    together = sums[0][0].value
    with code.when(vectors > 0):
        for k in range(lanes):
            add(total, code.lane(together, k))
    return total.value


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
    def mul(a: Any, b: Any) -> Any:
        return a * b

    @staticmethod
    def tanh_backward(grad: Any, result: Any) -> Any:
        from ..kernels.compiler.expression import multiply_add

        return grad * multiply_add(-result, result, 1.0)

    @staticmethod
    def sigmoid_backward(grad: Any, result: Any) -> Any:
        return grad * (1.0 - result) * result

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
        self.saved = saved_names(self.op) if native.records else []

    # --- kernels -------------------------------------------------------------------------------------------------

    def kernel(
        self, name: str, function: Callable[..., Any], names: list[str], kind: str, targets: tuple[int, ...], mean: bool = False
    ) -> None:
        """`void name(ptr o, (ptr x, i64 row step, i64 step)..., i64 rows, i64 columns, i64 target)`.

        target: FULL writes every element, ONE the sum of all. The result may be one of the operands.
        """
        type_ = _FLOATS[kind]
        compares = self.native.kind == "compare"
        result_type = "i8" if compares else type_
        operands = " ".join(f"{n} {n}_row:i64 {n}_step:i64" for n in names)
        code = self.function(name, f"o {operands} rows:i64 columns:i64 target:i64")

        def element(pointers: list[Value], steps: list[Any], j: Value) -> Value:
            places = [p if step == 0 else code.at(p, j if step == 1 else j * step, type_) for p, step in zip(pointers, steps)]
            return code.expression(lambda *given: function(**dict(zip(names, given))), *(code.load(type_, place) for place in places))

        def loops(steps: list[Any], target: int) -> None:
            """The loops over all elements; a step is 0, 1 or the name of one that is known when the kernel runs."""
            total = code.variable(type_, 0.0)
            with code.loop(code["rows"], short=True) as r:
                pointers = [code.at(code[n], r * code[f"{n}_row"], type_) for n in names]
                base = code.at(code["o"], r * code["columns"], result_type)
                with code.loop(code["columns"], elements=True) as j:
                    value = element(pointers, steps, j)
                    if target == FULL:
                        if compares:
                            value = code.convert(value, "i8")
                        code.store(value, code.at(base, j, result_type))
                    else:
                        total.value = total.value.plus(value)
            if target == ONE:
                value = total.value
                if mean:
                    count = code.convert(code["rows"] * code["columns"], type_)
                    value = value / count
                code.store(value, code["o"])
            code.back()

        # What comes in from behind, `grad`, has every element; of the others at most one repeats its elements.
        repeating = [n for n in names if n != "grad"] or (names if FULL in targets and self.native.reduces else [])
        if FULL in targets:
            with code.when(code["target"].equals(FULL)):
                for zero in repeating:
                    with code.when(code[f"{zero}_step"].equals(0)):
                        loops([int(n != zero) for n in names], FULL)
                loops([1] * len(names), FULL)
        steps = [code[f"{n}_step"] if n in repeating and len(names) > 1 else 1 for n in names]
        if ONE in targets and self.native.reduces and len(names) == 1:
            dense = code["rows"].equals(1) | code[f"{names[0]}_row"].equals(code["columns"])
            with code.when(dense & code["target"].equals(ONE)):
                count = code["rows"] * code["columns"]
                value = ordered_sum(code, code[names[0]], count, type_)
                if mean:
                    value = value / code.convert(count, type_)
                code.store(value, code["o"])
                code.back()
        if ONE in targets:
            loops(steps, ONE)
        code.back()

    # --- the call ------------------------------------------------------------------------------------------------

    def call(self) -> None:
        """`ptr core(ptr input, ptr other)`: the result, null with an exception set, or `DECLINED`."""
        native, at = self.native, self.places.tensor
        names = native.operands
        code = self.function("core", " ".join(names), "ptr")
        steps, arrays_, pick = self._operands(code, names, writeable=False)
        rank, sizes, rows, columns, dtypes = pick
        tensors = {n: arrays_[n][1] for n in names}
        record = self._watch(code, names, tensors) if native.records else None
        descr = self.table.read(code, "bool") if native.kind == "compare" else dtypes.value
        form = FULL
        if native.reduces:
            form, sizes, rank = ONE, None, 0
        result = code.call("ptr", "new_array", descr, sizes, rank)
        with code.when(result.equals(None)):
            code.back(None)
        self._run(code, "map", code.field(result, 16), [steps[n] for n in names], dtypes.value, rows, columns, form)
        made = code.call("ptr", "make_tensor", result)
        with code.when(made.equals(None)):
            code.back(None)
        if record is not None:
            with code.when(record):
                node = code.call("ptr", "record", made, result, *(v for n in names for v in (code[n], arrays_[n][0].value)))
                with code.when(node.equals(None)):
                    code.call("void", "Py_DecRef", made)
                    code.back(None)
                self._replace(code, made, at["_node"], node)
                self._replace(code, made, at["_requires_grad"], self.new_reference(code, "True"))
        code.back(made)
        code.mark("decline")
        code.back(DECLINED)

    def _replace(self, code: Code, owner: Value, offset: int, value: Value) -> None:
        """Sets a field that holds a reference; takes over the reference to the value."""
        old = code.field(owner, offset)
        code.set_field(owner, offset, value)
        code.call("void", "Py_DecRef", old)

    def _operands(self, code: Code, names: list[str], writeable: bool) -> Any:
        """Checks the operands and finds how they lie in the result."""
        table = self.table
        active = code.field(table.read(code, "modes"), self.places.active)
        code.leave(active.differs(table.read(code, "zero")), "decline")
        first = self.tensor_array(code, code[names[0]], "decline", writeable)
        dtype = code.field(first, 56)
        known = self.is_(code, dtype, "f32") | self.is_(code, dtype, "f64")
        code.leave(~known, "decline")
        dtypes = code.variable("ptr", dtype)
        arrays_ = {names[0]: (code.variable("ptr", first), code.variable("i1", True))}
        rank, sizes = self.rank_and_sizes(code, first)
        count = code.call("i64", "product", sizes, rank)
        ranks, sizess, counts = code.variable("i64", rank), code.variable("ptr", sizes), code.variable("i64", count)
        columns = code.variable("i64", count)
        pointers = {n: code.variable("ptr", None) for n in names}
        forms = {n: code.variable("i64", FULL) for n in names}
        pointers[names[0]].value = code.field(first, 16)
        if len(names) == 2:
            other = names[1]
            value, double = code.memory("double"), code.variable("double")
            held, is_array = code.variable("ptr", None), code.variable("i1", False)
            arrays_[other] = (held, is_array)
            if self.native.constant is not None:
                good = code.call("i1", "number", code[other], double.pointer)
                code.leave(~good, "decline")
                wanted = float(self.native.constant)
                code.leave(double.value.differs(wanted), "decline")
            cls = code.field(code[other], 8)
            number = self.is_(code, cls, "float") | self.is_(code, cls, "int")
            as_number, as_tensor, join = (code.fresh(x) for x in ("number", "tensor", "join"))
            code.branch(number, as_number, as_tensor)
            code.mark(as_number)
            good = code.call("i1", "number", code[other], double.pointer)
            code.leave(~good, "decline")
            wide = double.value
            with code.when(self.is_(code, dtype, "f32")):
                code.store(code.convert(wide, "float"), value)
            with code.when(self.is_(code, dtype, "f64")):
                code.store(wide, value)
            pointers[other].value = value
            forms[other].value = ONE
            code.jump(join)
            code.mark(as_tensor)
            if self.native.constant is not None or self.op.kinds[other] != "number" and self.op.kinds[other] != "tensor":
                code.jump("decline")
            else:
                second = self.tensor_array(code, code[other], "decline")
                code.leave(code.field(second, 56).differs(dtype), "decline")
                held.value = second
                is_array.value = True
                pointers[other].value = code.field(second, 16)
                rank2, sizes2 = self.rank_and_sizes(code, second)
                count2 = code.call("i64", "product", sizes2, rank2)
                larger = count2 > count
                equal = count2.equals(count)
                higher = rank2 > rank
                swap = larger | equal & higher
                first_big, second_big, fitted = (code.fresh(x) for x in ("big", "big", "fitted"))
                if writeable:
                    code.leave(swap, "decline")
                code.branch(swap, second_big, first_big)
                code.mark(first_big)
                form = code.call("i64", "fit", sizes, rank, sizes2, rank2, columns.pointer)
                code.leave(form < 0, "decline")
                forms[other].value = form
                code.jump(fitted)
                code.mark(second_big)
                columns.value = count2
                form = code.call("i64", "fit", sizes2, rank2, sizes, rank, columns.pointer)
                code.leave(form < 0, "decline")
                forms[names[0]].value = form
                ranks.value = rank2
                sizess.value = sizes2
                counts.value = count2
                code.jump(fitted)
                code.mark(fitted)
                code.jump(join)
            code.mark(join)
        total = counts.value
        outside = total.equals(0) | (total > LIMIT)
        code.leave(outside, "decline")
        width = columns.value
        rows = total // width
        steps = {n: self._steps(code, pointers[n].value, forms[n].value, width) for n in names}
        return steps, arrays_, (ranks.value, sizess.value, rows, width, dtypes)

    def _steps(self, code: Code, pointer: Value, form: Any, columns: Value) -> tuple[Any, ...]:
        """The arguments that hand an operand to a kernel: its pointer, the step from row to row and from element to element."""
        full, one, row = (form.equals(f) for f in (FULL, ONE, ROW))
        moves = full | row
        step = code.convert(moves, "i64")
        per_row = code.where(full, columns, 1)
        still = one | row
        return pointer, code.where(still, 0, per_row), step

    def _run(
        self, code: Code, kernel: str, target: Value, operands: list[tuple[Any, ...]], dtype: Value, rows: Any, columns: Any, form: Any
    ) -> None:
        """Calls the kernel for the dtype."""
        arguments = [target, *(x for operand in operands for x in operand), rows, columns, form]
        single, other, after = (code.fresh(x) for x in ("single", "double", "after"))
        code.branch(self.is_(code, dtype, "f32"), single, other)
        code.mark(single)
        code.call("void", f"{kernel}_f32", *arguments)
        code.jump(after)
        code.mark(other)
        code.call("void", f"{kernel}_f64", *arguments)
        code.jump(after)
        code.mark(after)

    def _watch(self, code: Code, names: list[str], is_tensor: dict[str, Variable]) -> Value:
        if len(names) == 1 or self.native.constant is not None:
            return self.watch(code, [code[names[0]]], "decline")
        # A number as second operand is watched as if it were the first.
        second = code.where(is_tensor[names[1]].value, code[names[1]], code[names[0]])
        return self.watch(code, [code[names[0]], second], "decline")

    # --- the node ------------------------------------------------------------------------------------------------

    def record(self) -> None:
        """`ptr record(ptr result tensor, ptr result, (ptr operand, ptr array or null)...)`: a new node, or null."""
        op, native, table = self.op, self.native, self.table
        names = native.operands
        code = self.function("record", "made result " + " ".join(f"{n} a_{n}" for n in names), "ptr")
        node_at, tensor_at = self.places.node, self.places.tensor
        differentiable = op.differentiable_params
        edges = {}
        for n in differentiable:
            edge = edges[n] = code.variable("ptr", table.read(code, "None"))
            with code.when(code[f"a_{n}"].differs(None)):
                with code.when(self.is_(code, code.field(code[n], tensor_at["_requires_grad"]), "True")):
                    source = code.field(code[n], tensor_at["_node"])
                    leaf = self.is_(code, source, "None")
                    edge.value = code.where(leaf, code[n], source)
        variant = table.read(code, "node")
        if len(names) == 2:
            number = code[f"a_{names[1]}"].equals(None)
            variant = code.where(number, table.read(code, "node_number"), variant)
        node = code.call("ptr", "PyType_GenericAlloc", variant, 0)
        code.leave(node.equals(None), "failed")
        code.set_field(node, node_at["sequence"], code.call("ptr", "PyObject_CallNoArgs", table.read(code, "next")))
        for hooks in ("pre_hooks", "post_hooks"):
            code.set_field(node, node_at[hooks], self.new_reference(code, "None"))
        code.set_field(node, node_at["edges"], self.tuple_of(code, [self._taken(code, edges[n].value) for n in differentiable]))
        code.set_field(node, node_at["dtype"], self._taken(code, code.field(code["result"], 56)))
        code.set_field(node, node_at["shape"], code.call("ptr", "shape_tuple", code["result"]))
        saved, versions = [], []
        for n in self.saved:
            needed = needed_for(op, n)
            condition = code.value(True)
            if needed is not None:
                condition = code.value(False)
                for p in needed:
                    condition = condition | self.isnt(code, edges[p].value, "None")
            if n == "result":
                saved.append(self._taken(code, code["result"]))
                versions.append((code["made"], code.value(True)))
            elif n in names:
                is_array = code[f"a_{n}"].differs(None)
                value = code.where(is_array, code[f"a_{n}"], code[n])
                saved.append(self._taken(code, code.where(condition, value, table.read(code, "None"))))
                versions.append((code[n], is_array & condition))
            elif n.endswith("_shape"):
                base = n[:-6]
                saved.append(self._shape_or_empty(code, base))
            else:  # a parameter that is not an operand has its default
                saved.append(self.new_reference(code, f"default_{n}"))
        code.set_field(node, node_at["saved"], self.tuple_of(code, saved))
        code.set_field(node, node_at["versions"], self._versions(code, versions))
        code.back(node)
        code.mark("failed")
        code.back(None)

    def _shape_or_empty(self, code: Code, name: str) -> Value:
        value = code.variable("ptr", None)
        is_array = code[f"a_{name}"].differs(None)
        with code.when(is_array):
            value.value = code.call("ptr", "shape_tuple", code[f"a_{name}"])
        with code.when(~is_array):
            value.value = code.call("ptr", "PyTuple_New", 0)
        return value.value

    def _taken(self, code: Code, value: Value) -> Value:
        """The value with a reference of its own."""
        code.call("void", "Py_IncRef", value)
        return value

    def _versions(self, code: Code, wanted: list[tuple[Value, Value]]) -> Value:
        """A tuple of counters and their values, for the Tensors whose condition holds."""
        if not wanted:
            return code.call("ptr", "PyTuple_New", 0)
        count = code.value(0)
        for _, condition in wanted:
            count = count + code.convert(condition, "i64")
        made = code.call("ptr", "PyTuple_New", count * 2)
        position = code.variable("i64", self.places.items)
        for tensor, condition in wanted:
            with code.when(condition):
                at = position.value
                counter = code.call("ptr", "version", tensor)
                code.set_field(made, at, counter)
                value = self._taken(code, code.call("ptr", "PyList_GetItem", counter, 0))
                code.set_field(made, at + 8, value)
                position.value = at + 16
        return made

    # --- in place ------------------------------------------------------------------------------------------------

    def in_place(self) -> None:
        """`ptr in_place(ptr input, ptr other)`: writes into the input outside any graph, and returns it."""
        names = self.native.operands
        code = self.function("in_place", " ".join(names), "ptr")
        steps, arrays_, (_, _, rows, columns, dtypes) = self._operands(code, names, writeable=True)
        tensors = {n: arrays_[n][1] for n in names}
        code.leave(self._watch(code, names, tensors), "decline")
        target = arrays_[names[0]][0].value
        data = code.field(target, 16)
        if len(names) == 2 and self.native.constant is None:
            with code.when(tensors[names[1]].value):
                self._leave_if_they_overlap(code, target, arrays_[names[1]][0].value)
        self._run(code, "map", data, [steps[n] for n in names], dtypes.value, rows, columns, FULL)
        code.call("void", "bump", code[names[0]])
        code.back(self._taken(code, code[names[0]]))
        code.mark("decline")
        code.back(DECLINED)

    def _leave_if_they_overlap(self, code: Code, a: Value, b: Value) -> None:
        """Declines where two arrays share memory without being the same elements."""
        ends = []
        for array in (a, b):
            rank, sizes = self.rank_and_sizes(code, array)
            count = code.call("i64", "product", sizes, rank)
            start = code.convert(code.field(array, 16), "i64")
            ends.append((start, start + count * 8))  # eight bytes at most
        (a0, a1), (b0, b1) = ends
        meet = code.op(f"icmp ult i64 {a0}, {b1}", "i1") & code.op(f"icmp ult i64 {b0}, {a1}", "i1")
        code.leave(meet & a0.differs(b0), "decline")
        rank_a, sizes_a = self.rank_and_sizes(code, a)
        rank_b, sizes_b = self.rank_and_sizes(code, b)
        count_a = code.call("i64", "product", sizes_a, rank_a)
        count_b = code.call("i64", "product", sizes_b, rank_b)
        code.leave(meet & count_a.differs(count_b), "decline")

    # --- the way back --------------------------------------------------------------------------------------------

    def traced(self, p: str) -> tuple[Callable[..., Any], list[str]]:
        """The derivative formula of a parameter as a function of expressions, and the names of those it takes."""
        formula = self.op.formulas[p]

        takes = [n for n in arguments(formula) if n != "F"]
        constants = {n: self.op.defaults[n] for n in takes if n in self.op.params and n not in self.native.operands}
        if self.native.constant is not None:
            constants[self.native.operands[1]] = self.native.constant
        leaves = [n for n in takes if n not in constants]

        def function(**values: Any) -> Any:
            return formula(*(_Expressions() if n == "F" else values[n] if n in values else constants[n] for n in arguments(formula)))

        return function, leaves

    def passes(self, p: str) -> bool:
        """Whether the gradient goes on as it is."""
        function, leaves = self.traced(p)
        grad = Expression("named", "f32", "%grad")
        return leaves == ["grad"] and function(grad=grad) is grad

    def apply(self) -> None:
        """`ptr apply_core(ptr node, ptr F, ptr grad, ptr saved)`: the gradients as a tuple, or `DECLINED`.

        What was broadcast as a row or a column is left to be added up by who takes the gradients; one element gets its sum here.
        """
        op, table, node_at = self.op, self.table, self.places.node
        code = self.function("apply_core", "node F grad saved", "ptr")
        code.leave(self.isnt(code, code["F"], "arrays"), "decline")
        self.check_array(code, code["grad"], "decline")
        dtype = code.field(code["grad"], 56)
        known = self.is_(code, dtype, "f32") | self.is_(code, dtype, "f64")
        code.leave(~known, "decline")
        rank, sizes = self.rank_and_sizes(code, code["grad"])
        count = code.call("i64", "product", sizes, rank)
        outside = count.equals(0) | (count > LIMIT)
        code.leave(outside, "decline")
        width = code.variable("i64", -1)  # columns, once an array tells

        def lies(sizes_: Value, rank_: Value) -> Value:
            columns = code.variable("i64", -1)
            form = code.call("i64", "fit", sizes, rank, sizes_, rank_, columns.pointer)
            code.leave(form < 0, "decline")
            with code.when(form >= ROW):
                found, former = columns.value, width.value
                differs = (former >= 0) & former.differs(found)
                code.leave(differs, "decline")
                width.value = found
            return form

        params = self.native.way_back
        traced = {p: self.traced(p) for p in params}
        if self.native.constant is not None:
            double = code.variable("double")
            number = code.field(code["saved"], self.places.items + 8 * self.saved.index(self.native.operands[1]))
            good = code.call("i1", "number", number, double.pointer)
            code.leave(~good, "decline")
            code.leave(double.value.differs(float(self.native.constant)), "decline")
        for n in self.saved:
            if n in op.params and n not in self.native.operands:  # traced with its default
                value = code.field(code["saved"], self.places.items + 8 * self.saved.index(n))
                code.leave(self.isnt(code, value, f"default_{n}"), "decline")
        used = [n for n in self.saved if any(n in leaves for _, leaves in traced.values())]
        values = {"grad": (code.field(code["grad"], 16), code.value(FULL))}
        for n in used:
            saved = code.field(code["saved"], self.places.items + 8 * self.saved.index(n))
            pointer, form = code.variable("ptr", None), code.variable("i64", FULL)
            number, double = code.memory("double"), code.variable("double")
            cls = code.field(saved, 8)
            is_array, not_array, next_ = (code.fresh(x) for x in ("array", "other", "next"))
            code.branch(self.is_(code, cls, "ndarray"), is_array, not_array)
            code.mark(is_array)
            self.check_array(code, saved, "decline")
            code.leave(code.field(saved, 56).differs(dtype), "decline")
            pointer.value = code.field(saved, 16)
            rank_, sizes_ = self.rank_and_sizes(code, saved)
            form.value = lies(sizes_, rank_)
            code.jump(next_)
            code.mark(not_array)
            with code.when(self.isnt(code, saved, "None")):
                good = code.call("i1", "number", saved, double.pointer)
                code.leave(~good, "decline")
                wide = double.value
                with code.when(self.is_(code, dtype, "f32")):
                    code.store(code.convert(wide, "float"), number)
                with code.when(self.is_(code, dtype, "f64")):
                    code.store(wide, number)
                pointer.value = number
                form.value = ONE
            code.jump(next_)
            code.mark(next_)
            values[n] = pointer.value, form.value
        edges = code.field(code["node"], node_at["edges"])
        wanted, targets = {}, {}
        for i, p in enumerate(params):
            edge = code.field(edges, self.places.items + 8 * i)
            wanted[p] = self.isnt(code, edge, "None")
            how, where, rank_slot = code.variable("i64", FULL), code.variable("ptr", None), code.variable("i64", 0)
            with code.when(wanted[p]):
                self._edge_shape(code, edge, dtype, where, rank_slot)
                how.value = lies(where.value, rank_slot.value)
            targets[p] = how.value, where.value, rank_slot.value
        told = width.value
        columns = code.where(told < 0, count, told)
        rows = count // columns
        results = []
        for i, p in enumerate(params):
            result = code.variable("ptr", table.read(code, "None"))
            form, at, rank_ = targets[p]
            skip, compute, after = (code.fresh(x) for x in ("skip", "compute", "after"))
            code.branch(wanted[p], compute, skip)
            code.mark(compute)
            result.value = code["grad"]
            if self.passes(p):
                code.leave(form.differs(ONE), skip)
                code.call("void", "Py_IncRef", code["grad"])
            else:
                made = code.call("ptr", "new_array", dtype, sizes, rank)
                with code.when(made.equals(None)):
                    code.back(None)
                result.value = made
                operands = [self._steps(code, *values[n], columns) for n in traced[p][1]]
                self._run(code, f"back{i}", code.field(made, 16), operands, dtype, rows, columns, FULL)
                code.leave(form.differs(ONE), after)
            terms = result.value
            total = self._total(code, terms, count, dtype, at, rank_)
            code.call("void", "Py_DecRef", terms)
            with code.when(total.equals(None)):
                code.back(None)
            result.value = total
            code.jump(after)
            code.mark(skip)
            code.call("void", "Py_IncRef", result.value)
            code.jump(after)
            code.mark(after)
            results.append(result.value)
        results += [self.new_reference(code, "None") for _ in op.differentiable_params[len(params) :]]
        code.back(self.tuple_of(code, results))
        code.mark("decline")
        code.back(DECLINED)

    def _total(self, code: Code, terms: Value, count: Value, dtype: Value, sizes: Value, rank: Value) -> Value:
        """The sum of an array's elements, in an array of a shape with one; null without memory."""
        made = code.call("ptr", "new_array", dtype, sizes, rank)
        with code.when(made.differs(None)):
            for kind in _FLOATS:
                with code.when(self.is_(code, dtype, kind)):
                    code.call("void", f"total_{kind}", code.field(made, 16), code.field(terms, 16), count)
        return made

    def total(self, kind: str) -> None:
        """`void total_<kind>(ptr o, ptr x, i64 count)`: the sum of x in `o[0]`."""
        code = self.function(f"total_{kind}", "o x count:i64")
        code.store(ordered_sum(code, code["x"], code["count"], _FLOATS[kind]), code["o"])
        code.back()

    def _edge_shape(self, code: Code, edge: Value, dtype: Value, at: Variable, rank: Variable) -> None:
        """Where the shape lies that a gradient must have to go along an edge: to a leaf or to a node with one output."""
        table, node_at, tensor_at = self.table, self.places.node, self.places.tensor
        cls = code.field(edge, 8)
        code.leave(self.is_(code, cls, "Output"), "decline")
        leaf = code.call("i32", "PySet_Contains", table.read(code, "plain"), cls)
        to_leaf, to_node, done = (code.fresh(x) for x in ("leaf", "node", "shape"))
        code.branch(leaf.equals(1), to_leaf, to_node)
        code.mark(to_leaf)
        array = code.field(edge, tensor_at["_array"])
        code.leave(self.isnt(code, code.field(array, 8), "ndarray"), "decline")
        code.leave(code.field(array, 56).differs(dtype), "decline")
        rank_, sizes = self.rank_and_sizes(code, array)
        at.value = sizes
        rank.value = rank_
        code.jump(done)
        code.mark(to_node)
        code.leave(code.call("i32", "PyType_IsSubtype", cls, table.read(code, "Node")).differs(1), "decline")
        code.leave(code.field(edge, node_at["dtype"]).differs(dtype), "decline")
        shape = code.field(edge, node_at["shape"])
        code.leave(self.isnt(code, code.field(shape, 8), "tuple"), "decline")
        sizes = code.memory("[64 x i64]")
        rank.value = code.call("i64", "read_shape", shape, sizes)
        at.value = sizes
        code.jump(done)
        code.mark(done)

    def spread(self) -> None:
        """`apply_core` of a sum or mean over all elements: the gradient, everywhere."""
        node_at = self.places.node
        code = self.function("apply_core", "node F grad saved", "ptr")
        code.leave(self.isnt(code, code["F"], "arrays"), "decline")
        self.check_array(code, code["grad"], "decline")
        # The gradient of a sum along a dimension is the general path's.
        code.leave(self.isnt(code, code.field(code["saved"], self.places.items + 8 * self.saved.index("dim")), "None"), "decline")
        dtype = code.field(code["grad"], 56)
        known = self.is_(code, dtype, "f32") | self.is_(code, dtype, "f64")
        code.leave(~known, "decline")
        edge = code.field(code.field(code["node"], node_at["edges"]), self.places.items)
        at, rank_slot = code.variable("ptr", None), code.variable("i64", 0)
        self._edge_shape(code, edge, dtype, at, rank_slot)
        sizes, rank = at.value, rank_slot.value
        count = code.call("i64", "product", sizes, rank)
        outside = count.equals(0) | (count > WRITTEN_OUT)
        code.leave(outside, "decline")
        made = code.call("ptr", "new_array", dtype, sizes, rank)
        with code.when(made.equals(None)):
            code.back(None)
        number = code.memory("double")
        for kind, type_ in _FLOATS.items():
            with code.when(self.is_(code, dtype, kind)):
                value = code.load(type_, code.field(code["grad"], 16))
                if self.native.kind == "mean":
                    value = value / code.convert(count, type_)
                code.store(value, number)
        self._run(code, "back0", code.field(made, 16), [(number, 0, 0)], dtype, 1, count, FULL)
        code.back(self.tuple_of(code, [made]))
        code.mark("decline")
        code.back(DECLINED)

    # --- the built-in functions ----------------------------------------------------------------------------------

    def entry(self, name: str, core: str, arguments: int, method: bool, fallback: str | None) -> None:
        """A METH_FASTCALL function: of a method, `self` is the first argument. Declining, it calls the fallback or returns None."""
        code = self.function(name, "self args count:i64", "ptr", internal=False)
        given = arguments - method
        code.leave(code["count"].differs(given), "decline")
        values = [code["self"]] * method + [code.load("ptr", code["args"], i) for i in range(given)]
        result = code.call("ptr", core, *values)
        code.leave(result.equals(DECLINED), "decline")
        code.back(result)
        code.mark("decline")
        if fallback is None:
            code.back(self.new_reference(code, "None"))
        else:  # the call as it came, with `self` in front
            stack = code.memory("[8 x ptr]")
            code.leave(code["count"] > 7, "many")
            code.store(code["self"], stack)
            with code.loop(code["count"], short=True) as i:
                value = code.load("ptr", code["args"], i)
                code.store(value, code.at(stack, i + 1, "ptr"))
            total = code["count"] + 1
            code.back(code.call("ptr", "PyObject_Vectorcall", self.table.read(code, fallback), stack, total, None))
            code.mark("many")
            code.back(self.new_reference(code, "None"))


def _module(native: Native, table: Table, places: Fields) -> tuple[str, list[str]]:
    """The IR of an operator, and the names of the functions it offers."""
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
                w.kernel(f"back{i}_{kind}", function, leaves, kind, (FULL,))
        if native.reduces:
            w.spread()
        else:
            for kind in _FLOATS:
                w.total(kind)
            w.apply()
        w.entry("apply", "apply_core", 4, True, "apply")
        offered.append("apply")
    return w.text(), offered


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
