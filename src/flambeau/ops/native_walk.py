"""The walk of an ordinary `backward()` in machine code: what `autograd/plain.py` does, for the graphs that are usual.

What waits for nodes and leaves lies in two sorted tables in plain memory: by a node's number, by a leaf's address. The
walk takes nodes from the end, so the latest comes first. Where it meets a node with hooks, or something that is neither a
node nor a leaf, it hands all that waits back, and the loop of `plain.py` goes on from there.
"""

from typing import Any, Callable

from ..autograd import plain
from ..autograd.node import Node, Output
from ..autograd.saving import NEVER_CHANGED
from ..kernels.compiler.code import Code, Value, Variable
from .native_objects import Table, Writer, common_table, fields, slot_offset

_KEY, _OBJECT, _GRAD, _OWNED = 0, 8, 16, 24  # the words of an entry
_ENTRY = 32
_SEVERAL = 2  # stands for `owned` where the gradient is a list: of a node with several outputs
_BASE, _COUNT, _CAPACITY = 0, 8, 16  # the words of a table

_NOT_A_SEQUENCE = '@not_a_sequence = private constant [39 x i8] c"a backward must return a list or tuple\\00"\n'


class _WalkWriter(Writer):
    """Writes the walk and its helpers."""

    output_at = {n: slot_offset(Output, n) for n in ("node", "index")}

    def write(self) -> None:
        self.common()
        self._find()
        self._insert()
        self._clear()
        self._sum()
        self._shape_agrees()
        self._goes_once()
        self._deliver()
        self._unchanged()
        self._hand_back()
        self._walk()

    # --- tables --------------------------------------------------------------------------------------------------

    def _find(self) -> None:
        """The position of a key in a table, or where it would stand."""
        code = self.function("find", "table key:i64", "i64")
        base = code.field(code["table"], _BASE)
        low, high = code.variable("i64", 0), code.variable("i64", code.field(code["table"], _COUNT, "i64"))
        again, inside, done = (code.fresh(x) for x in ("again", "inside", "done"))
        code.mark(again)
        l, h = low.value, high.value
        code.branch(l < h, inside, done)
        code.mark(inside)
        middle = code.op(f"lshr i64 {l + h}, 1", "i64")
        key = code.field(base, middle * _ENTRY, "i64")
        less = key < code["key"]
        low.value = code.where(less, middle + 1, l)
        high.value = code.where(less, h, middle)
        code.jump(again)
        code.mark(done)
        code.back(low.value)

    def _insert(self) -> None:
        """Puts an entry at a position; the table takes over the reference to the gradient. False without memory."""
        code = self.function("insert", "table at:i64 key:i64 object grad owned:i64", "i1")
        count, capacity = code.field(code["table"], _COUNT, "i64"), code.field(code["table"], _CAPACITY, "i64")
        with code.when(count.equals(capacity)):
            larger = capacity * 2 + 16
            moved = code.call("ptr", "PyMem_Realloc", code.field(code["table"], _BASE), larger * _ENTRY)
            with code.when(moved.equals(None)):
                code.call("ptr", "PyErr_NoMemory")
                code.call("void", "Py_DecRef", code["grad"])
                code.back(False)
            code.set_field(code["table"], _BASE, moved)
            code.set_field(code["table"], _CAPACITY, larger)
        base = code.field(code["table"], _BASE)
        here = code.at(base, code["at"] * _ENTRY, "i8")
        next_ = code.at(here, _ENTRY, "i8")
        behind = (count - code["at"]) * _ENTRY
        code.call("void", "llvm.memmove.p0.p0.i64", next_, here, behind, False)
        code.call("void", "Py_IncRef", code["object"])
        code.set_field(here, _KEY, code["key"])
        code.set_field(here, _OBJECT, code["object"])
        code.set_field(here, _GRAD, code["grad"])
        code.set_field(here, _OWNED, code["owned"])
        code.set_field(code["table"], _COUNT, count + 1)
        code.back(True)

    def _clear(self) -> None:
        """Frees a table."""
        code = self.function("clear", "table")
        base = code.field(code["table"], _BASE)
        with code.loop(code.field(code["table"], _COUNT, "i64"), short=True) as i:
            entry = code.at(base, i * _ENTRY, "i8")
            code.call("void", "Py_DecRef", code.field(entry, _OBJECT))
            code.call("void", "Py_DecRef", code.field(entry, _GRAD))
        code.call("void", "PyMem_Free", base)
        code.back()

    # --- gradients -----------------------------------------------------------------------------------------------

    def _sum(self) -> None:
        """The sum of two gradients of one shape and dtype: into the first where that is owned, else a new array; takes over both."""
        code = self.function("sum", "held grad owned:i64", "ptr")
        stack = code.memory("[3 x ptr]")
        code.store(code["held"], stack)
        code.set_field(stack, 8, code["grad"])
        code.set_field(stack, 16, code["held"])
        count = code.where(code["owned"].differs(0), 3, 2)
        result = code.call("ptr", "PyObject_Vectorcall", self.table.read(code, "add"), stack, count, None)
        code.call("void", "Py_DecRef", code["held"])
        code.call("void", "Py_DecRef", code["grad"])
        with code.when(result.equals(None)):
            code.back(None)
        with code.when(self.isnt(code, code.field(result, 8), "ndarray")):
            code.store(result, stack)
            array = code.call("ptr", "PyObject_Vectorcall", self.table.read(code, "as_array"), stack, 1, None)
            code.call("void", "Py_DecRef", result)
            code.back(array)
        code.back(result)

    def _shape_agrees(self) -> None:
        """Whether an array has the shape that a tuple says."""
        code = self.function("shape_agrees", "array shape", "i1")
        rank, sizes = self.rank_and_sizes(code, code["array"])
        code.leave(rank.differs(code.call("i64", "PyTuple_Size", code["shape"])), "no")
        items = code.at(code["shape"], self.places.items, "i8")
        with code.loop(rank, short=True) as i:
            size = code.call("i64", "PyLong_AsLongLong", code.load("ptr", items, i))
            code.leave(size.differs(code.load("i64", sizes, i)), "no")
        code.back(True)
        code.mark("no")
        code.back(False)

    def _goes_once(self) -> None:
        """Whether an array is one of the results only, and none of them is a view of it."""
        code = self.function("goes_once", "array items count:i64", "i1")
        seen = code.variable("i64", 0)
        base = code.field(code["array"], 48)
        with code.loop(code["count"], short=True) as i:
            other = code.load("ptr", code["items"], i)
            same = other.equals(code["array"])
            seen.value = seen.value + code.convert(same, "i64")
            with code.when(self.is_(code, code.field(other, 8), "ndarray")):
                its = code.field(other, 48)
                view = its.equals(code["array"]) | its.equals(base)
                view = view & its.differs(None)
                code.leave(view & ~same, "no")
        code.back(seen.value.equals(1))
        code.mark("no")
        code.back(False)

    def _deliver(self) -> None:
        """Adds a gradient to what waits at the end of an edge. 1: done; 0: an exception is set; 2: not for this walk."""
        table, node_at, tensor_at = self.table, self.places.node, self.places.tensor
        code = self.function("deliver", "nodes leaves edge given given_owned:i64", "i64")
        cls = code.field(code["edge"], 8)
        targets, key, shape, dtype = code.variable("ptr"), code.variable("i64"), code.variable("ptr"), code.variable("ptr")
        agrees = code.variable("i1")
        result, owned = code.variable("ptr", code["given"]), code.variable("i64", code["given_owned"])
        stack = code.memory("[3 x ptr]")
        leaf = code.call("i32", "PySet_Contains", table.read(code, "plain"), cls).equals(1)
        node = code.call("i32", "PyType_IsSubtype", cls, table.read(code, "Node")).equals(1)
        several = self.is_(code, cls, "Output")
        code.leave(~(leaf | node | several), "odd")
        target = code.variable("ptr", code["edge"])
        index = code.variable("i64", -1)  # which of several outputs
        code.call("void", "Py_IncRef", code["given"])
        with code.when(self.isnt(code, code.field(code["given"], 8), "ndarray")):
            code.store(code["given"], stack)
            array = code.call("ptr", "PyObject_Vectorcall", table.read(code, "as_array"), stack, 1, None)
            code.call("void", "Py_DecRef", code["given"])
            code.leave(array.equals(None), "failed")
            result.value = array
            with code.when(self.isnt(code, code.field(array, 8), "ndarray")):  # a sparse one
                code.call("void", "Py_DecRef", array)
                code.jump("odd")
        grad = result.value
        to_leaf, to_node, to_output, not_leaf, known = (code.fresh(x) for x in ("leaf", "node", "output", "other", "known"))
        code.branch(leaf, to_leaf, not_leaf)
        code.mark(not_leaf)
        code.branch(several, to_output, to_node)
        code.mark(to_output)
        inner = code.field(code["edge"], self.output_at["node"])
        which = code.call("i64", "PyLong_AsLongLong", code.field(code["edge"], self.output_at["index"]))
        target.value = inner
        index.value = which
        targets.value = code["nodes"]
        key.value = code.call("i64", "PyLong_AsLongLong", code.field(inner, node_at["sequence"]))
        shape.value = code.call("ptr", "PySequence_GetItem", code.field(inner, node_at["shape"]), which)
        its_dtype = code.call("ptr", "PySequence_GetItem", code.field(inner, node_at["dtype"]), which)
        code.call("void", "Py_DecRef", its_dtype)  # the node holds it
        dtype.value = its_dtype
        code.jump(known)
        code.mark(to_leaf)
        array = code.field(code["edge"], tensor_at["_array"])
        with code.when(self.isnt(code, code.field(array, 8), "ndarray")):
            code.call("void", "Py_DecRef", grad)
            code.jump("odd")
        targets.value = code["leaves"]
        key.value = code.convert(code["edge"], "i64")
        tuple_ = code.call("ptr", "shape_tuple", array)
        shape.value = tuple_
        dtype.value = code.field(array, 56)
        code.jump(known)
        code.mark(to_node)
        targets.value = code["nodes"]
        key.value = code.call("i64", "PyLong_AsLongLong", code.field(code["edge"], node_at["sequence"]))
        tuple_ = code.field(code["edge"], node_at["shape"])
        code.call("void", "Py_IncRef", tuple_)
        shape.value = tuple_
        dtype.value = code.field(code["edge"], node_at["dtype"])
        code.jump(known)
        code.mark(known)
        wanted, wanted_dtype = shape.value, dtype.value
        with code.when(self.isnt(code, code.field(wanted, 8), "tuple")):
            code.call("void", "Py_DecRef", wanted)
            code.call("void", "Py_DecRef", grad)
            code.jump("odd")
        same_shape = code.call("i1", "shape_agrees", grad, wanted)
        agrees.value = same_shape & code.field(grad, 56).equals(wanted_dtype)
        with code.when(~agrees.value):
            code.store(grad, stack)
            code.set_field(stack, 8, wanted)
            code.set_field(stack, 16, wanted_dtype)
            fitted = code.call("ptr", "PyObject_Vectorcall", table.read(code, "fitted"), stack, 3, None)
            # An array that was right after all (an equal dtype) comes back as it is, with the owner it had.
            result.value = fitted
            with code.when(fitted.differs(None)):
                changed = fitted.differs(grad)
                base = code.field(fitted, 48)
                outer = base.equals(code.field(grad, 48))
                outer = outer & base.differs(None)
                view = outer | base.equals(grad)
                fresh = code.convert(~view, "i64")
                owned.value = code.where(changed, fresh, owned.value)
            code.call("void", "Py_DecRef", grad)
        code.call("void", "Py_DecRef", wanted)
        grad = result.value
        code.leave(grad.equals(None), "failed")
        where, number = targets.value, key.value
        at = code.call("i64", "find", where, number)
        there = code.variable("ptr", None)
        with code.when(at < code.field(where, _COUNT, "i64")):
            entry = code.at(code.field(where, _BASE), at * _ENTRY, "i8")
            with code.when(code.field(entry, _KEY, "i64").equals(number)):
                there.value = entry
        entry = there.value
        which = index.value
        with code.when(which >= 0):
            code.back(self._one_of_several(code, where, at, number, target.value, entry, which, grad))
        with code.when(entry.differs(None)):
            held = code.field(entry, _GRAD)
            total = code.call("ptr", "sum", held, grad, code.field(entry, _OWNED, "i64"))
            code.set_field(entry, _OWNED, 1)
            with code.when(total.equals(None)):
                code.set_field(entry, _GRAD, self.new_reference(code, "None"))
                code.jump("failed")
            code.set_field(entry, _GRAD, total)
            code.back(1)
        good = code.call("i1", "insert", where, at, number, code["edge"], grad, owned.value)
        code.back(code.convert(good, "i64"))
        code.mark("odd")
        code.back(2)
        code.mark("failed")
        code.back(0)

    def _one_of_several(
        self, code: Code, where: Value, at: Value, number: Value, node: Value, entry: Value, which: Value, grad: Value
    ) -> Value:
        """Code that puts a gradient into the list that waits for a node with several outputs; 1, or 0 where an exception is set."""
        grads = code.variable("ptr")
        new, old, ready, failed, done = (code.fresh(x) for x in ("new", "old", "ready", "failed", "done"))
        good = code.variable("i64", 1)
        code.branch(entry.equals(None), new, old)
        code.mark(new)
        outputs = code.call("ptr", "PyObject_GetAttr", node, self.table.read(code, "outputs"))
        code.leave(outputs.equals(None), failed)
        count = code.call("i64", "PyLong_AsLongLong", outputs)
        code.call("void", "Py_DecRef", outputs)
        made = code.call("ptr", "PyList_New", count)
        code.leave(made.equals(None), failed)
        with code.loop(count, short=True) as i:
            code.call("i32", "PyList_SetItem", made, i, self.new_reference(code, "None"))
        inserted = code.call("i1", "insert", where, at, number, node, made, _SEVERAL)
        code.leave(~inserted, failed)
        grads.value = made
        code.jump(ready)
        code.mark(old)
        grads.value = code.field(entry, _GRAD)
        code.jump(ready)
        code.mark(ready)
        list_ = grads.value
        held = code.call("ptr", "PyList_GetItem", list_, which)
        value = code.variable("ptr", grad)
        with code.when(self.isnt(code, held, "None")):
            code.call("void", "Py_IncRef", held)
            total = code.call("ptr", "sum", held, grad, 0)
            code.leave(total.equals(None), failed)
            value.value = total
        code.call("i32", "PyList_SetItem", list_, which, value.value)
        code.jump(done)
        code.mark(failed)
        good.value = 0
        code.jump(done)
        code.mark(done)
        return good.value

    def _unchanged(self) -> None:
        """Whether every version counter still has the value it had; counters and values alternate."""
        code = self.function("unchanged", "versions", "i1")
        items, count = code.variable("ptr"), code.field(code["versions"], 16, "i64")
        inline = code.at(code["versions"], self.places.items, "i8")
        items.value = inline
        with code.when(self.isnt(code, code.field(code["versions"], 8), "tuple")):
            items.value = code.field(code["versions"], 24)
        at = items.value
        with code.loop(code.op(f"lshr i64 {count}, 1", "i64"), short=True) as i:
            counter = code.load("ptr", at, i * 2)
            then = code.load("ptr", at, i * 2 + 1)
            now = code.call("ptr", "PyList_GetItem", counter, 0)
            with code.when(now.differs(then)):
                a, b = (code.call("i64", "PyLong_AsLongLong", x) for x in (now, then))
                code.leave(a.differs(b), "no")
        code.back(True)
        code.mark("no")
        code.back(False)

    def _hand_back(self) -> None:
        """A table as a list of [object, gradient, owned]."""
        code = self.function("hand_back", "table", "ptr")
        count = code.field(code["table"], _COUNT, "i64")
        made = code.call("ptr", "PyList_New", count)
        with code.loop(count, short=True) as i:
            entry = code.at(code.field(code["table"], _BASE), i * _ENTRY, "i8")
            item = code.call("ptr", "PyList_New", 3)
            for j, part in enumerate((_OBJECT, _GRAD)):
                value = code.field(entry, part)
                code.call("void", "Py_IncRef", value)
                code.call("i32", "PyList_SetItem", item, j, value)
            how = code.field(entry, _OWNED, "i64")
            owned = how.differs(0)
            flag = code.where(owned, self.table.read(code, "True"), self.table.read(code, "False"))
            third = code.variable("ptr", flag)
            code.call("void", "Py_IncRef", flag)
            with code.when(how.equals(_SEVERAL)):  # none of several is owned
                code.call("void", "Py_DecRef", flag)
                many = code.field(code.field(entry, _GRAD), 16, "i64")
                flags = code.call("ptr", "PyList_New", many)
                with code.loop(many, short=True) as which:
                    code.call("i32", "PyList_SetItem", flags, which, self.new_reference(code, "False"))
                third.value = flags
            code.call("i32", "PyList_SetItem", item, 2, third.value)
            code.call("i32", "PyList_SetItem", made, i, item)
        code.back(made)

    # --- the walk ------------------------------------------------------------------------------------------------

    def _walk(self) -> None:
        """`walk(edges, results, retain_graph)`: what waits for nodes, for leaves, and (edges, results, gradient, owned) to go on with."""
        table, node_at = self.table, self.places.node
        code = self.function("walk", "self args count:i64", "ptr", internal=False)
        nodes, leaves = (code.memory("[3 x i64]") for _ in range(2))
        for t in (nodes, leaves):
            for word in (_BASE, _COUNT, _CAPACITY):
                code.set_field(t, word, 0)
        edges, results = code.variable("ptr"), code.variable("ptr")  # sequences, with references of ours
        grad, incoming, current = code.variable("ptr", None), code.variable("i64", 0), code.variable("ptr", None)
        position = code.variable("i64")
        for slot, place in ((edges, 0), (results, 1)):
            value = code.load("ptr", code["args"], place)
            code.call("void", "Py_IncRef", value)
            slot.value = value
        retain = self.is_(code, code.load("ptr", code["args"], 2), "True")
        arguments = code.memory("[4 x ptr]")

        def items(sequence: Value) -> Value:
            inline = code.at(sequence, self.places.items, "i8")
            return code.where(self.is_(code, code.field(sequence, 8), "tuple"), inline, code.field(sequence, 24))

        hand_on, deliver_next, delivered, next_node = (code.fresh(x) for x in ("hand_on", "deliver", "delivered", "next"))
        code.mark(hand_on)
        e, r = edges.value, results.value
        e_items, r_items = items(e), items(r)
        e_count, r_count = code.field(e, 16, "i64"), code.field(r, 16, "i64")
        fewer = e_count < r_count
        count = code.where(fewer, e_count, r_count)
        position.value = 0
        code.mark(deliver_next)
        i = position.value
        code.leave(i >= count, next_node)
        edge, result = code.load("ptr", e_items, i), code.load("ptr", r_items, i)
        nothing = self.is_(code, edge, "None") | self.is_(code, result, "None")
        code.leave(nothing, delivered)
        owned = code.variable("i64", 0)
        with code.when(result.equals(grad.value)):
            owned.value = incoming.value
        with code.when(result.differs(grad.value)):
            with code.when(self.is_(code, code.field(result, 8), "ndarray")):
                free = code.field(result, 48).equals(None)
                owned.value = code.convert(free, "i64")
                with code.when(incoming.value.equals(_SEVERAL)):  # one that came in is not ours
                    came = grad.value
                    with code.loop(code.field(came, 16, "i64"), short=True) as j:
                        with code.when(code.load("ptr", code.field(came, 24), j).equals(result)):
                            owned.value = 0
        several = r_count.differs(1)
        is_owned = owned.value
        with code.when(several & is_owned.differs(0)):
            once = code.call("i1", "goes_once", result, r_items, r_count)
            owned.value = code.convert(once, "i64")
        how = code.call("i64", "deliver", nodes, leaves, edge, result, owned.value)
        code.leave(how.equals(0), "failed")
        code.leave(how.equals(2), "odd")
        code.jump(delivered)
        code.mark(delivered)
        position.value = i + 1
        code.jump(deliver_next)

        code.mark(next_node)
        waiting = code.field(nodes, _COUNT, "i64")
        code.leave(waiting.equals(0), "finished")
        last = waiting - 1
        entry = code.at(code.field(nodes, _BASE), last * _ENTRY, "i8")
        node = code.field(entry, _OBJECT)
        before, behind = (self.isnt(code, code.field(node, node_at[hooks]), "None") for hooks in ("pre_hooks", "post_hooks"))
        with code.when(before | behind):  # nothing is left to deliver: an empty rest
            position.value = code.field(edges.value, 16, "i64")
            code.jump("odd")
        # The entry's references go over to `current` and `grad`.
        code.set_field(nodes, _COUNT, last)
        self._release(code, current)
        self._release(code, grad)
        current.value = node
        grad.value = code.field(entry, _GRAD)
        incoming.value = code.field(entry, _OWNED, "i64")
        saved = code.variable("ptr", code.field(node, node_at["saved"]))
        kept = saved.value
        code.call("void", "Py_IncRef", kept)
        check, apply, raise_ = (code.fresh(x) for x in ("check", "apply", "raise"))
        code.branch(self.is_(code, kept, "None"), raise_, check)
        code.mark(check)
        versions = code.field(node, node_at["versions"])
        code.leave(self.is_(code, versions, "packed"), raise_)
        good = code.call("i1", "unchanged", versions)
        code.branch(good, apply, raise_)
        code.mark(raise_)  # unpacks what a hook has packed, or raises: what was saved is gone or was changed
        code.call("void", "Py_DecRef", kept)
        code.store(node, arguments)
        name = table.read(code, "unpack")
        again = code.call("ptr", "PyObject_VectorcallMethod", name, arguments, 1, None)
        code.leave(again.equals(None), "failed")
        saved.value = again
        code.jump(apply)
        code.mark(apply)
        values = saved.value
        code.store(node, arguments)
        code.set_field(arguments, 8, table.read(code, "arrays"))
        code.set_field(arguments, 16, grad.value)
        code.set_field(arguments, 24, values)
        name = table.read(code, "apply_name")
        made = code.call("ptr", "PyObject_VectorcallMethod", name, arguments, 4, None)
        code.call("void", "Py_DecRef", values)
        code.leave(made.equals(None), "failed")
        for slot, value in ((results, made), (edges, code.field(node, node_at["edges"]))):
            fast = code.call("ptr", "PySequence_Fast", value, code.value("@not_a_sequence", "ptr"))
            if slot is results:
                code.call("void", "Py_DecRef", made)
            code.leave(fast.equals(None), "failed")
            old = slot.value
            slot.value = fast
            code.call("void", "Py_DecRef", old)
        with code.when(~retain):
            had = code.field(node, node_at["saved"])
            with code.when(code.field(had, 16, "i64").differs(0)):
                code.set_field(node, node_at["saved"], self.new_reference(code, "None"))
                code.call("void", "Py_DecRef", had)
        code.jump(hand_on)

        code.mark("finished")
        rest = self.new_reference(code, "None")
        code.jump("ready")
        code.mark("odd")
        from_ = position.value
        parts = [code.call("ptr", "PySequence_GetSlice", x.value, from_, 2**62) for x in (edges, results)]
        has_grad = grad.value.differs(None)
        parts.append(code.where(has_grad, grad.value, table.read(code, "None")))
        owns = incoming.value.equals(1)
        parts.append(code.where(owns, table.read(code, "True"), table.read(code, "False")))
        for part in parts[2:]:
            code.call("void", "Py_IncRef", part)
        odd_rest, odd_block = self.tuple_of(code, parts), code.label
        code.jump("ready")
        code.mark("ready")
        remaining = code.op(f"phi ptr [{rest}, %finished], [{odd_rest}, %{odd_block}]", "ptr")
        waiting_nodes, waiting_leaves = code.call("ptr", "hand_back", nodes), code.call("ptr", "hand_back", leaves)
        answer = self.tuple_of(code, [waiting_nodes, waiting_leaves, remaining])
        self._finish(code, nodes, leaves, edges, results, current, grad)
        code.back(answer)
        code.mark("failed")
        self._finish(code, nodes, leaves, edges, results, current, grad)
        code.back(None)

    def _release(self, code: Code, slot: Variable) -> None:
        value = slot.value
        with code.when(value.differs(None)):
            code.call("void", "Py_DecRef", value)

    def _finish(self, code: Code, nodes: Value, leaves: Value, *slots: Variable) -> None:
        code.call("void", "clear", nodes)
        code.call("void", "clear", leaves)
        for slot in slots:
            self._release(code, slot)


def _walk_table() -> Table:
    table = common_table()
    for name, value in {
        "Node": Node, "tuple": tuple, "add": plain.add_gradients, "as_array": plain.as_array, "fitted": plain.fitted, "unpack": "unpack",
        "apply_name": "apply", "Output": Output, "outputs": "outputs", "packed": NEVER_CHANGED,
    }.items():  # fmt: skip
        table.add(name, value)
    return table


_kept: list[Any] = []


def install_walk() -> Callable[..., Any] | None:
    """Compiles the walk and gives it to `autograd/plain.py`; None where it cannot be."""
    from ..kernels.compiler.jit import native_functions

    places = fields()
    if places is None:
        return None
    table = _walk_table()
    writer = _WalkWriter(table, places)
    writer.write()
    made = native_functions(writer.text(_NOT_A_SEQUENCE), "flambeau_walk", table.values, ["walk"], [])["walk"]
    _kept.append(table)
    plain.native = made
    return made
