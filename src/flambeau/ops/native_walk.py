"""The walk of an ordinary `backward()` in machine code: what `autograd/plain.py` does, for the graphs that are usual.

What waits for nodes and leaves lies in two sorted tables in plain memory: by a node's number, by a leaf's address. The
walk takes nodes from the end, so the latest comes first. Where it meets a node with hooks, or something that is neither a
node nor a leaf, it hands all that waits back, and the loop of `plain.py` goes on from there.
"""

from typing import Any, Callable

from ..autograd import plain
from ..autograd.node import Node, Output
from ..autograd.saving import NEVER_CHANGED
from ..kernels.compiler.code import Code
from .native_objects import DECLARATIONS, Table, Writer, common_table, fields, slot_offset

_KEY, _OBJECT, _GRAD, _OWNED = 0, 8, 16, 24  # the words of an entry
_ENTRY = 32
_SEVERAL = 2  # stands for `owned` where the gradient is a list: of a node with several outputs
_BASE, _COUNT, _CAPACITY = 0, 8, 16  # the words of a table

_MORE_DECLARATIONS = """
declare ptr @PyMem_Realloc(ptr, i64)
declare void @PyMem_Free(ptr)
declare ptr @PySequence_Fast(ptr, ptr)
declare ptr @PySequence_GetItem(ptr, i64)
declare ptr @PySequence_GetSlice(ptr, i64, i64)
declare ptr @PyErr_NoMemory()
declare ptr @PyObject_VectorcallMethod(ptr, ptr, i64, ptr)
declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)
@not_a_sequence = private constant [39 x i8] c"a backward must return a list or tuple\\00"
"""


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
        code = Code("i64", "find", "ptr %table", "i64 %key")
        base = code.field("%table", _BASE)
        low, high = code.slot("i64", "0"), code.slot("i64", code.field("%table", _COUNT, "i64"))
        again, inside, done = (code.fresh(x) for x in ("again", "inside", "done"))
        code.mark(again)
        l, h = code.get(low, "i64"), code.get(high, "i64")
        code.do(f"br i1 {code.op(f'icmp slt i64 {l}, {h}')}, label %{inside}, label %{done}")
        code.mark(inside)
        middle = code.op(f"lshr i64 {code.op(f'add i64 {l}, {h}')}, 1")
        key = code.field(base, code.op(f"mul i64 {middle}, {_ENTRY}"), "i64")
        less = code.op(f"icmp slt i64 {key}, %key")
        code.put(low, "i64", code.op(f"select i1 {less}, i64 {code.op(f'add i64 {middle}, 1')}, i64 {l}"))
        code.put(high, "i64", code.op(f"select i1 {less}, i64 {h}, i64 {middle}"))
        code.do(f"br label %{again}")
        code.mark(done)
        code.back(code.get(low, "i64"))
        self.done(code)

    def _insert(self) -> None:
        """Puts an entry at a position; the table takes over the reference to the gradient. False without memory."""
        code = Code("i1", "insert", "ptr %table", "i64 %at", "i64 %key", "ptr %object", "ptr %grad", "i64 %owned")
        count, capacity = code.field("%table", _COUNT, "i64"), code.field("%table", _CAPACITY, "i64")
        with code.when(code.op(f"icmp eq i64 {count}, {capacity}")):
            larger = code.op(f"add i64 {code.op(f'mul i64 {capacity}, 2')}, 16")
            moved = code.call("ptr", "PyMem_Realloc", f"ptr {code.field('%table', _BASE)}", f"i64 {code.op(f'mul i64 {larger}, {_ENTRY}')}")
            with code.when(code.op(f"icmp eq ptr {moved}, null")):
                code.call("ptr", "PyErr_NoMemory")
                code.call("void", "Py_DecRef", "ptr %grad")
                code.back("false")
            code.set_field("%table", _BASE, moved)
            code.set_field("%table", _CAPACITY, larger, "i64")
        base = code.field("%table", _BASE)
        here = code.op(f"getelementptr i8, ptr {base}, i64 {code.op(f'mul i64 %at, {_ENTRY}')}")
        next_ = code.op(f"getelementptr i8, ptr {here}, i64 {_ENTRY}")
        behind = code.op(f"mul i64 {code.op(f'sub i64 {count}, %at')}, {_ENTRY}")
        code.call("void", "llvm.memmove.p0.p0.i64", f"ptr {next_}", f"ptr {here}", f"i64 {behind}", "i1 false")
        code.call("void", "Py_IncRef", "ptr %object")
        code.set_field(here, _KEY, "%key", "i64")
        code.set_field(here, _OBJECT, "%object")
        code.set_field(here, _GRAD, "%grad")
        code.set_field(here, _OWNED, "%owned", "i64")
        code.set_field("%table", _COUNT, code.op(f"add i64 {count}, 1"), "i64")
        code.back("true")
        self.done(code)

    def _clear(self) -> None:
        """Frees a table."""
        code = Code("void", "clear", "ptr %table")
        base = code.field("%table", _BASE)
        with code.loop(code.field("%table", _COUNT, "i64")) as i:
            entry = code.op(f"getelementptr i8, ptr {base}, i64 {code.op(f'mul i64 {i}, {_ENTRY}')}")
            code.call("void", "Py_DecRef", f"ptr {code.field(entry, _OBJECT)}")
            code.call("void", "Py_DecRef", f"ptr {code.field(entry, _GRAD)}")
        code.call("void", "PyMem_Free", f"ptr {base}")
        code.back()
        self.done(code)

    # --- gradients -----------------------------------------------------------------------------------------------

    def _sum(self) -> None:
        """The sum of two gradients of one shape and dtype: into the first where that is owned, else a new array; takes over both."""
        code = Code("ptr", "sum", "ptr %held", "ptr %grad", "i64 %owned")
        stack = code.slot("[3 x ptr]")
        code.put(stack, "ptr", "%held")
        code.set_field(stack, 8, "%grad")
        code.set_field(stack, 16, "%held")
        count = code.op(f"select i1 {code.op('icmp ne i64 %owned, 0')}, i64 3, i64 2")
        result = code.call("ptr", "PyObject_Vectorcall", f"ptr {self.table.read(code, 'add')}", f"ptr {stack}", f"i64 {count}", "ptr null")
        code.call("void", "Py_DecRef", "ptr %held")
        code.call("void", "Py_DecRef", "ptr %grad")
        with code.when(code.op(f"icmp eq ptr {result}, null")):
            code.back("null")
        with code.when(self.isnt(code, code.field(result, 8), "ndarray")):
            code.put(stack, "ptr", result)
            array = code.call("ptr", "PyObject_Vectorcall", f"ptr {self.table.read(code, 'as_array')}", f"ptr {stack}", "i64 1", "ptr null")
            code.call("void", "Py_DecRef", f"ptr {result}")
            code.back(array)
        code.back(result)
        self.done(code)

    def _shape_agrees(self) -> None:
        """Whether an array has the shape that a tuple says."""
        code = Code("i1", "shape_agrees", "ptr %array", "ptr %shape")
        rank, sizes = self.rank_and_sizes(code, "%array")
        code.leave(code.op(f"icmp ne i64 {rank}, {code.call('i64', 'PyTuple_Size', 'ptr %shape')}"), "no")
        items = code.op(f"getelementptr i8, ptr %shape, i64 {self.places.items}")
        with code.loop(rank) as i:
            size = code.call("i64", "PyLong_AsLongLong", f"ptr {code.item(items, i)}")
            code.leave(code.op(f"icmp ne i64 {size}, {code.item(sizes, i, 'i64')}"), "no")
        code.back("true")
        code.mark("no")
        code.back("false")
        self.done(code)

    def _goes_once(self) -> None:
        """Whether an array is one of the results only, and none of them is a view of it."""
        code = Code("i1", "goes_once", "ptr %array", "ptr %items", "i64 %count")
        seen = code.slot("i64", "0")
        base = code.field("%array", 48)
        with code.loop("%count") as i:
            other = code.item("%items", i)
            same = code.op(f"icmp eq ptr {other}, %array")
            code.put(seen, "i64", code.op(f"add i64 {code.get(seen, 'i64')}, {code.op(f'zext i1 {same} to i64')}"))
            with code.when(self.is_(code, code.field(other, 8), "ndarray")):
                its = code.field(other, 48)
                view = code.op(f"or i1 {code.op(f'icmp eq ptr {its}, %array')}, {code.op(f'icmp eq ptr {its}, {base}')}")
                view = code.op(f"and i1 {view}, {code.op(f'icmp ne ptr {its}, null')}")
                code.leave(code.op(f"and i1 {view}, {code.op(f'xor i1 {same}, true')}"), "no")
        code.back(code.op(f"icmp eq i64 {code.get(seen, 'i64')}, 1"))
        code.mark("no")
        code.back("false")
        self.done(code)

    def _deliver(self) -> None:
        """Adds a gradient to what waits at the end of an edge. 1: done; 0: an exception is set; 2: not for this walk."""
        table, node_at, tensor_at = self.table, self.places.node, self.places.tensor
        code = Code("i64", "deliver", "ptr %nodes", "ptr %leaves", "ptr %edge", "ptr %given", "i64 %given_owned")
        cls = code.field("%edge", 8)
        targets, key, shape, dtype = code.slot("ptr"), code.slot("i64"), code.slot("ptr"), code.slot("ptr")
        agrees = code.slot("i1")
        result, owned = code.slot("ptr", "%given"), code.slot("i64", "%given_owned")
        stack = code.slot("[3 x ptr]")
        leaf = code.op(f"icmp eq i32 {code.call('i32', 'PySet_Contains', 'ptr ' + table.read(code, 'plain'), f'ptr {cls}')}, 1")
        node = code.op(f"icmp eq i32 {code.call('i32', 'PyType_IsSubtype', f'ptr {cls}', 'ptr ' + table.read(code, 'Node'))}, 1")
        several = self.is_(code, cls, "Output")
        known = code.op(f"or i1 {code.op(f'or i1 {leaf}, {node}')}, {several}")
        code.leave(code.op(f"xor i1 {known}, true"), "odd")
        target = code.slot("ptr", "%edge")
        index = code.slot("i64", "-1")  # which of several outputs
        code.call("void", "Py_IncRef", "ptr %given")
        with code.when(self.isnt(code, code.field("%given", 8), "ndarray")):
            code.put(stack, "ptr", "%given")
            array = code.call("ptr", "PyObject_Vectorcall", f"ptr {table.read(code, 'as_array')}", f"ptr {stack}", "i64 1", "ptr null")
            code.call("void", "Py_DecRef", "ptr %given")
            code.leave(code.op(f"icmp eq ptr {array}, null"), "failed")
            code.put(result, "ptr", array)
        grad = code.get(result, "ptr")
        to_leaf, to_node, to_output, not_leaf, known = (code.fresh(x) for x in ("leaf", "node", "output", "other", "known"))
        code.do(f"br i1 {leaf}, label %{to_leaf}, label %{not_leaf}")
        code.mark(not_leaf)
        code.do(f"br i1 {several}, label %{to_output}, label %{to_node}")
        code.mark(to_output)
        inner = code.field("%edge", self.output_at["node"])
        which = code.call("i64", "PyLong_AsLongLong", f"ptr {code.field('%edge', self.output_at['index'])}")
        code.put(target, "ptr", inner)
        code.put(index, "i64", which)
        code.put(targets, "ptr", "%nodes")
        code.put(key, "i64", code.call("i64", "PyLong_AsLongLong", f"ptr {code.field(inner, node_at['sequence'])}"))
        code.put(shape, "ptr", code.call("ptr", "PySequence_GetItem", f"ptr {code.field(inner, node_at['shape'])}", f"i64 {which}"))
        its_dtype = code.call("ptr", "PySequence_GetItem", f"ptr {code.field(inner, node_at['dtype'])}", f"i64 {which}")
        code.call("void", "Py_DecRef", f"ptr {its_dtype}")  # the node holds it
        code.put(dtype, "ptr", its_dtype)
        code.do(f"br label %{known}")
        code.mark(to_leaf)
        array = code.field("%edge", tensor_at["_array"])
        with code.when(self.isnt(code, code.field(array, 8), "ndarray")):
            code.call("void", "Py_DecRef", f"ptr {grad}")
            code.jump("odd")
        code.put(targets, "ptr", "%leaves")
        code.put(key, "i64", code.op("ptrtoint ptr %edge to i64"))
        tuple_ = code.call("ptr", "shape_tuple", f"ptr {array}")
        code.put(shape, "ptr", tuple_)
        code.put(dtype, "ptr", code.field(array, 56))
        code.do(f"br label %{known}")
        code.mark(to_node)
        code.put(targets, "ptr", "%nodes")
        code.put(key, "i64", code.call("i64", "PyLong_AsLongLong", f"ptr {code.field('%edge', node_at['sequence'])}"))
        tuple_ = code.field("%edge", node_at["shape"])
        code.call("void", "Py_IncRef", f"ptr {tuple_}")
        code.put(shape, "ptr", tuple_)
        code.put(dtype, "ptr", code.field("%edge", node_at["dtype"]))
        code.do(f"br label %{known}")
        code.mark(known)
        wanted, wanted_dtype = code.get(shape, "ptr"), code.get(dtype, "ptr")
        with code.when(self.isnt(code, code.field(wanted, 8), "tuple")):
            code.call("void", "Py_DecRef", f"ptr {wanted}")
            code.call("void", "Py_DecRef", f"ptr {grad}")
            code.jump("odd")
        same_shape = code.call("i1", "shape_agrees", f"ptr {grad}", f"ptr {wanted}")
        code.put(agrees, "i1", code.op(f"and i1 {same_shape}, {code.op(f'icmp eq ptr {code.field(grad, 56)}, {wanted_dtype}')}"))
        with code.when(code.op(f"xor i1 {code.get(agrees, 'i1')}, true")):
            code.put(stack, "ptr", grad)
            code.set_field(stack, 8, wanted)
            code.set_field(stack, 16, wanted_dtype)
            fitted = code.call("ptr", "PyObject_Vectorcall", f"ptr {table.read(code, 'fitted')}", f"ptr {stack}", "i64 3", "ptr null")
            # An array that was right after all (an equal dtype) comes back as it is, with the owner it had.
            code.put(result, "ptr", fitted)
            with code.when(code.op(f"icmp ne ptr {fitted}, null")):
                changed = code.op(f"icmp ne ptr {fitted}, {grad}")
                base = code.field(fitted, 48)
                outer = code.op(f"icmp eq ptr {base}, {code.field(grad, 48)}")
                outer = code.op(f"and i1 {outer}, {code.op(f'icmp ne ptr {base}, null')}")
                view = code.op(f"or i1 {outer}, {code.op(f'icmp eq ptr {base}, {grad}')}")
                fresh = code.op(f"zext i1 {code.op(f'xor i1 {view}, true')} to i64")
                code.put(owned, "i64", code.op(f"select i1 {changed}, i64 {fresh}, i64 {code.get(owned, 'i64')}"))
            code.call("void", "Py_DecRef", f"ptr {grad}")
        code.call("void", "Py_DecRef", f"ptr {wanted}")
        grad = code.get(result, "ptr")
        code.leave(code.op(f"icmp eq ptr {grad}, null"), "failed")
        where, number = code.get(targets, "ptr"), code.get(key, "i64")
        at = code.call("i64", "find", f"ptr {where}", f"i64 {number}")
        there = code.slot("ptr", "null")
        with code.when(code.op(f"icmp slt i64 {at}, {code.field(where, _COUNT, 'i64')}")):
            entry = code.op(f"getelementptr i8, ptr {code.field(where, _BASE)}, i64 {code.op(f'mul i64 {at}, {_ENTRY}')}")
            with code.when(code.op(f"icmp eq i64 {code.field(entry, _KEY, 'i64')}, {number}")):
                code.put(there, "ptr", entry)
        entry = code.get(there, "ptr")
        which = code.get(index, "i64")
        with code.when(code.op(f"icmp sge i64 {which}, 0")):
            code.back(self._one_of_several(code, where, at, number, code.get(target, "ptr"), entry, which, grad))
        with code.when(code.op(f"icmp ne ptr {entry}, null")):
            held = code.field(entry, _GRAD)
            total = code.call("ptr", "sum", f"ptr {held}", f"ptr {grad}", f"i64 {code.field(entry, _OWNED, 'i64')}")
            code.set_field(entry, _OWNED, "1", "i64")
            with code.when(code.op(f"icmp eq ptr {total}, null")):
                code.set_field(entry, _GRAD, self.new_reference(code, "None"))
                code.jump("failed")
            code.set_field(entry, _GRAD, total)
            code.back("1")
        good = code.call(
            "i1", "insert", f"ptr {where}", f"i64 {at}", f"i64 {number}", "ptr %edge", f"ptr {grad}", f"i64 {code.get(owned, 'i64')}"
        )
        code.back(code.op(f"zext i1 {good} to i64"))
        code.mark("odd")
        code.back("2")
        code.mark("failed")
        code.back("0")
        self.done(code)

    def _one_of_several(self, code: Code, where: str, at: str, number: str, node: str, entry: str, which: str, grad: str) -> str:
        """Code that puts a gradient into the list that waits for a node with several outputs; 1, or 0 where an exception is set."""
        grads = code.slot("ptr")
        new, old, ready, failed, done = (code.fresh(x) for x in ("new", "old", "ready", "failed", "done"))
        good = code.slot("i64", "1")
        code.do(f"br i1 {code.op(f'icmp eq ptr {entry}, null')}, label %{new}, label %{old}")
        code.mark(new)
        outputs = code.call("ptr", "PyObject_GetAttr", f"ptr {node}", f"ptr {self.table.read(code, 'outputs')}")
        code.leave(code.op(f"icmp eq ptr {outputs}, null"), failed)
        count = code.call("i64", "PyLong_AsLongLong", f"ptr {outputs}")
        code.call("void", "Py_DecRef", f"ptr {outputs}")
        made = code.call("ptr", "PyList_New", f"i64 {count}")
        code.leave(code.op(f"icmp eq ptr {made}, null"), failed)
        with code.loop(count) as i:
            code.call("i32", "PyList_SetItem", f"ptr {made}", f"i64 {i}", f"ptr {self.new_reference(code, 'None')}")
        inserted = code.call("i1", "insert", f"ptr {where}", f"i64 {at}", f"i64 {number}", f"ptr {node}", f"ptr {made}", f"i64 {_SEVERAL}")
        code.leave(code.op(f"xor i1 {inserted}, true"), failed)
        code.put(grads, "ptr", made)
        code.do(f"br label %{ready}")
        code.mark(old)
        code.put(grads, "ptr", code.field(entry, _GRAD))
        code.do(f"br label %{ready}")
        code.mark(ready)
        list_ = code.get(grads, "ptr")
        held = code.call("ptr", "PyList_GetItem", f"ptr {list_}", f"i64 {which}")
        value = code.slot("ptr", grad)
        with code.when(self.isnt(code, held, "None")):
            code.call("void", "Py_IncRef", f"ptr {held}")
            total = code.call("ptr", "sum", f"ptr {held}", f"ptr {grad}", "i64 0")
            code.leave(code.op(f"icmp eq ptr {total}, null"), failed)
            code.put(value, "ptr", total)
        code.call("i32", "PyList_SetItem", f"ptr {list_}", f"i64 {which}", f"ptr {code.get(value, 'ptr')}")
        code.do(f"br label %{done}")
        code.mark(failed)
        code.put(good, "i64", "0")
        code.do(f"br label %{done}")
        code.mark(done)
        return code.get(good, "i64")

    def _unchanged(self) -> None:
        """Whether every version counter still has the value it had; counters and values alternate."""
        code = Code("i1", "unchanged", "ptr %versions")
        items, count = code.slot("ptr"), code.field("%versions", 16, "i64")
        inline = code.op(f"getelementptr i8, ptr %versions, i64 {self.places.items}")
        code.put(items, "ptr", inline)
        with code.when(self.isnt(code, code.field("%versions", 8), "tuple")):
            code.put(items, "ptr", code.field("%versions", 24))
        at = code.get(items, "ptr")
        with code.loop(code.op(f"lshr i64 {count}, 1")) as i:
            counter = code.item(at, code.op(f"mul i64 {i}, 2"))
            then = code.item(at, code.op(f"add i64 {code.op(f'mul i64 {i}, 2')}, 1"))
            now = code.call("ptr", "PyList_GetItem", f"ptr {counter}", "i64 0")
            with code.when(code.op(f"icmp ne ptr {now}, {then}")):
                a, b = (code.call("i64", "PyLong_AsLongLong", f"ptr {x}") for x in (now, then))
                code.leave(code.op(f"icmp ne i64 {a}, {b}"), "no")
        code.back("true")
        code.mark("no")
        code.back("false")
        self.done(code)

    def _hand_back(self) -> None:
        """A table as a list of [object, gradient, owned]."""
        code = Code("ptr", "hand_back", "ptr %table")
        count = code.field("%table", _COUNT, "i64")
        made = code.call("ptr", "PyList_New", f"i64 {count}")
        with code.loop(count) as i:
            entry = code.op(f"getelementptr i8, ptr {code.field('%table', _BASE)}, i64 {code.op(f'mul i64 {i}, {_ENTRY}')}")
            item = code.call("ptr", "PyList_New", "i64 3")
            for j, part in enumerate((_OBJECT, _GRAD)):
                value = code.field(entry, part)
                code.call("void", "Py_IncRef", f"ptr {value}")
                code.call("i32", "PyList_SetItem", f"ptr {item}", f"i64 {j}", f"ptr {value}")
            how = code.field(entry, _OWNED, "i64")
            owned = code.op(f"icmp ne i64 {how}, 0")
            flag = code.op(f"select i1 {owned}, ptr {self.table.read(code, 'True')}, ptr {self.table.read(code, 'False')}")
            third = code.slot("ptr")
            code.put(third, "ptr", flag)
            code.call("void", "Py_IncRef", f"ptr {flag}")
            with code.when(code.op(f"icmp eq i64 {how}, {_SEVERAL}")):  # none of several is owned
                code.call("void", "Py_DecRef", f"ptr {flag}")
                many = code.field(code.field(entry, _GRAD), 16, "i64")
                flags = code.call("ptr", "PyList_New", f"i64 {many}")
                with code.loop(many) as which:
                    code.call("i32", "PyList_SetItem", f"ptr {flags}", f"i64 {which}", f"ptr {self.new_reference(code, 'False')}")
                code.put(third, "ptr", flags)
            code.call("i32", "PyList_SetItem", f"ptr {item}", "i64 2", f"ptr {code.get(third, 'ptr')}")
            code.call("i32", "PyList_SetItem", f"ptr {made}", f"i64 {i}", f"ptr {item}")
        code.back(made)
        self.done(code)

    # --- the walk ------------------------------------------------------------------------------------------------

    def _walk(self) -> None:
        """`walk(edges, results, retain_graph)`: what waits for nodes, for leaves, and (edges, results, gradient, owned) to go on with."""
        table, node_at = self.table, self.places.node
        code = Code("ptr", "walk", "ptr %self", "ptr %args", "i64 %count", internal=False)
        nodes, leaves = (code.slot("[3 x i64]") for _ in range(2))
        for t in (nodes, leaves):
            for word in (_BASE, _COUNT, _CAPACITY):
                code.set_field(t, word, "0", "i64")
        edges, results = code.slot("ptr"), code.slot("ptr")  # sequences, with references of ours
        grad, incoming, current = code.slot("ptr", "null"), code.slot("i64", "0"), code.slot("ptr", "null")
        position = code.slot("i64")
        for slot, place in ((edges, 0), (results, 1)):
            value = code.item("%args", place)
            code.call("void", "Py_IncRef", f"ptr {value}")
            code.put(slot, "ptr", value)
        retain = self.is_(code, code.item("%args", 2), "True")
        arguments = code.slot("[4 x ptr]")

        def items(sequence: str) -> str:
            inline = code.op(f"getelementptr i8, ptr {sequence}, i64 {self.places.items}")
            return code.op(f"select i1 {self.is_(code, code.field(sequence, 8), 'tuple')}, ptr {inline}, ptr {code.field(sequence, 24)}")

        hand_on, deliver_next, delivered, next_node = (code.fresh(x) for x in ("hand_on", "deliver", "delivered", "next"))
        code.mark(hand_on)
        e, r = code.get(edges, "ptr"), code.get(results, "ptr")
        e_items, r_items = items(e), items(r)
        e_count, r_count = code.field(e, 16, "i64"), code.field(r, 16, "i64")
        fewer = code.op(f"icmp slt i64 {e_count}, {r_count}")
        count = code.op(f"select i1 {fewer}, i64 {e_count}, i64 {r_count}")
        code.put(position, "i64", "0")
        code.mark(deliver_next)
        i = code.get(position, "i64")
        code.leave(code.op(f"icmp sge i64 {i}, {count}"), next_node)
        edge, result = code.item(e_items, i), code.item(r_items, i)
        nothing = code.op(f"or i1 {self.is_(code, edge, 'None')}, {self.is_(code, result, 'None')}")
        code.leave(nothing, delivered)
        owned = code.slot("i64", "0")
        with code.when(code.op(f"icmp eq ptr {result}, {code.get(grad, 'ptr')}")):
            code.put(owned, "i64", code.get(incoming, "i64"))
        with code.when(code.op(f"icmp ne ptr {result}, {code.get(grad, 'ptr')}")):
            with code.when(self.is_(code, code.field(result, 8), "ndarray")):
                free = code.op(f"icmp eq ptr {code.field(result, 48)}, null")
                code.put(owned, "i64", code.op(f"zext i1 {free} to i64"))
                with code.when(code.op(f"icmp eq i64 {code.get(incoming, 'i64')}, {_SEVERAL}")):  # one that came in is not ours
                    came = code.get(grad, "ptr")
                    with code.loop(code.field(came, 16, "i64")) as j:
                        with code.when(code.op(f"icmp eq ptr {code.item(code.field(came, 24), j)}, {result}")):
                            code.put(owned, "i64", "0")
        several = code.op(f"icmp ne i64 {r_count}, 1")
        is_owned = code.get(owned, "i64")
        with code.when(code.op(f"and i1 {several}, {code.op(f'icmp ne i64 {is_owned}, 0')}")):
            once = code.call("i1", "goes_once", f"ptr {result}", f"ptr {r_items}", f"i64 {r_count}")
            code.put(owned, "i64", code.op(f"zext i1 {once} to i64"))
        how = code.call("i64", "deliver", f"ptr {nodes}", f"ptr {leaves}", f"ptr {edge}", f"ptr {result}", f"i64 {code.get(owned, 'i64')}")
        code.leave(code.op(f"icmp eq i64 {how}, 0"), "failed")
        code.leave(code.op(f"icmp eq i64 {how}, 2"), "odd")
        code.do(f"br label %{delivered}")
        code.mark(delivered)
        code.put(position, "i64", code.op(f"add i64 {i}, 1"))
        code.do(f"br label %{deliver_next}")

        code.mark(next_node)
        waiting = code.field(nodes, _COUNT, "i64")
        code.leave(code.op(f"icmp eq i64 {waiting}, 0"), "finished")
        last = code.op(f"sub i64 {waiting}, 1")
        entry = code.op(f"getelementptr i8, ptr {code.field(nodes, _BASE)}, i64 {code.op(f'mul i64 {last}, {_ENTRY}')}")
        node = code.field(entry, _OBJECT)
        hooked = code.op(
            f"or i1 {self.isnt(code, code.field(node, node_at['pre_hooks']), 'None')}, "
            f"{self.isnt(code, code.field(node, node_at['post_hooks']), 'None')}"
        )
        with code.when(hooked):  # nothing is left to deliver: an empty rest
            code.put(position, "i64", code.field(code.get(edges, "ptr"), 16, "i64"))
            code.jump("odd")
        # The entry's references go over to `current` and `grad`.
        code.set_field(nodes, _COUNT, last, "i64")
        self._release(code, current)
        self._release(code, grad)
        code.put(current, "ptr", node)
        code.put(grad, "ptr", code.field(entry, _GRAD))
        code.put(incoming, "i64", code.field(entry, _OWNED, "i64"))
        saved = code.slot("ptr", code.field(node, node_at["saved"]))
        kept = code.get(saved, "ptr")
        code.call("void", "Py_IncRef", f"ptr {kept}")
        check, apply, raise_ = (code.fresh(x) for x in ("check", "apply", "raise"))
        code.do(f"br i1 {self.is_(code, kept, 'None')}, label %{raise_}, label %{check}")
        code.mark(check)
        versions = code.field(node, node_at["versions"])
        code.leave(self.is_(code, versions, "packed"), raise_)
        good = code.call("i1", "unchanged", f"ptr {versions}")
        code.do(f"br i1 {good}, label %{apply}, label %{raise_}")
        code.mark(raise_)  # unpacks what a hook has packed, or raises: what was saved is gone or was changed
        code.call("void", "Py_DecRef", f"ptr {kept}")
        code.put(arguments, "ptr", node)
        name = table.read(code, "unpack")
        again = code.call("ptr", "PyObject_VectorcallMethod", f"ptr {name}", f"ptr {arguments}", "i64 1", "ptr null")
        code.leave(code.op(f"icmp eq ptr {again}, null"), "failed")
        code.put(saved, "ptr", again)
        code.do(f"br label %{apply}")
        code.mark(apply)
        values = code.get(saved, "ptr")
        code.put(arguments, "ptr", node)
        code.set_field(arguments, 8, table.read(code, "arrays"))
        code.set_field(arguments, 16, code.get(grad, "ptr"))
        code.set_field(arguments, 24, values)
        name = table.read(code, "apply_name")
        made = code.call("ptr", "PyObject_VectorcallMethod", f"ptr {name}", f"ptr {arguments}", "i64 4", "ptr null")
        code.call("void", "Py_DecRef", f"ptr {values}")
        code.leave(code.op(f"icmp eq ptr {made}, null"), "failed")
        for slot, value in ((results, made), (edges, code.field(node, node_at["edges"]))):
            fast = code.call("ptr", "PySequence_Fast", f"ptr {value}", "ptr @not_a_sequence")
            if slot is results:
                code.call("void", "Py_DecRef", f"ptr {made}")
            code.leave(code.op(f"icmp eq ptr {fast}, null"), "failed")
            old = code.get(slot, "ptr")
            code.put(slot, "ptr", fast)
            code.call("void", "Py_DecRef", f"ptr {old}")
        with code.when(code.op(f"xor i1 {retain}, true")):
            had = code.field(node, node_at["saved"])
            with code.when(code.op(f"icmp ne i64 {code.field(had, 16, 'i64')}, 0")):
                code.set_field(node, node_at["saved"], self.new_reference(code, "None"))
                code.call("void", "Py_DecRef", f"ptr {had}")
        code.do(f"br label %{hand_on}")

        code.mark("finished")
        rest = self.new_reference(code, "None")
        code.do("br label %ready")
        code.mark("odd")
        from_ = code.get(position, "i64")
        far = str(2**62)
        parts = [
            code.call("ptr", "PySequence_GetSlice", f"ptr {code.get(x, 'ptr')}", f"i64 {from_}", f"i64 {far}") for x in (edges, results)
        ]
        has_grad = code.op(f"icmp ne ptr {code.get(grad, 'ptr')}, null")
        parts.append(code.op(f"select i1 {has_grad}, ptr {code.get(grad, 'ptr')}, ptr {table.read(code, 'None')}"))
        owns = code.op(f"icmp eq i64 {code.get(incoming, 'i64')}, 1")
        parts.append(code.op(f"select i1 {owns}, ptr {table.read(code, 'True')}, ptr {table.read(code, 'False')}"))
        for part in parts[2:]:
            code.call("void", "Py_IncRef", f"ptr {part}")
        odd_rest = self.tuple_of(code, parts)
        code.do("br label %ready")
        odd_block = next(line[:-1] for line in reversed(code.lines) if line.endswith(":"))
        code.mark("ready")
        remaining = code.op(f"phi ptr [{rest}, %finished], [{odd_rest}, %{odd_block}]")
        waiting_nodes, waiting_leaves = code.call("ptr", "hand_back", f"ptr {nodes}"), code.call("ptr", "hand_back", f"ptr {leaves}")
        answer = self.tuple_of(code, [waiting_nodes, waiting_leaves, remaining])
        self._finish(code, nodes, leaves, edges, results, current, grad)
        code.back(answer)
        code.mark("failed")
        self._finish(code, nodes, leaves, edges, results, current, grad)
        code.back("null")
        self.done(code)

    def _release(self, code: Code, slot: str) -> None:
        value = code.get(slot, "ptr")
        with code.when(code.op(f"icmp ne ptr {value}, null")):
            code.call("void", "Py_DecRef", f"ptr {value}")

    def _finish(self, code: Code, nodes: str, leaves: str, *slots: str) -> None:
        code.call("void", "clear", f"ptr {nodes}")
        code.call("void", "clear", f"ptr {leaves}")
        for slot in slots:
            self._release(code, slot)


def _walk_table() -> Table:
    table = common_table()
    for name, value in {
        "Node": Node, "tuple": tuple, "add": plain.add, "as_array": plain.as_array, "fitted": plain.fitted, "unpack": "unpack",
        "apply_name": "apply", "Output": Output, "outputs": "outputs", "packed": NEVER_CHANGED,
    }.items():  # fmt: skip
        table.add(name, value)
    return table


_kept: list[Any] = []


def install_walk() -> Callable[..., Any] | None:
    """Compiles the walk and gives it to `autograd/plain.py`; None where it cannot be."""
    from ..kernels.compiler.jit import native_functions
    from ..kernels.compiler.llvm import PRELUDE

    places = fields()
    if places is None:
        return None
    table = _walk_table()
    writer = _WalkWriter(table, places)
    writer.write()
    ir = PRELUDE + DECLARATIONS + _MORE_DECLARATIONS + "\n".join(writer.functions)
    made = native_functions(ir, "flambeau_walk", table.values, ["walk"], [])["walk"]
    _kept.append(table)
    plain.native = made
    return made
