"""What every operator does around its kernel, in machine code: making a Tensor, a view, a node; and `x[i]`.

The functions stand in for those of the same names in `running.py`.
"""

from typing import Any

from ..autograd.version import remembered_version
from ..autograd.views import DEFAULT, NO_GRAD, View
from ..kernels.compiler.code import Code
from .native_objects import DECLARATIONS, Writer, common_table, fields, slot_offset


class _GraphWriter(Writer):
    """Writes the functions."""

    def write(self) -> None:
        self.common()
        self._new_tensor()
        self._view_of()
        self._new_view()
        self._new_node()
        self._item()
        self._call_item()

    def _new_tensor(self) -> None:
        """`new_tensor(array)`."""
        code = Code("ptr", "new_tensor", "ptr %self", "ptr %args", "i64 %count", internal=False)
        array = code.item("%args", 0)
        code.call("void", "Py_IncRef", f"ptr {array}")
        code.back(code.call("ptr", "make_tensor", f"ptr {array}"))
        self.done(code)

    def _view_of(self) -> None:
        """A Tensor over an array, whose reference it takes over, that shares memory with another Tensor; null where it declines."""
        table, at = self.table, self.places.tensor
        view_at = {n: slot_offset(View, n) for n in ("base", "mode", "version", "crossing")}
        code = Code("ptr", "view_of", "ptr %array", "ptr %source")
        enabled = self.flag(code, "enabled")
        with code.when(code.op(f"xor i1 {enabled}, true")):
            code.leave(self.flag(code, "inference"), "decline")
        mode = code.slot("ptr", table.read(code, "default"))
        with code.when(code.op(f"xor i1 {enabled}, true")):
            code.put(mode, "ptr", table.read(code, "no_grad"))
        base, crossing = code.slot("ptr", "%source"), code.slot("ptr", table.read(code, "None"))
        parent = code.field("%source", at["_view"])
        with code.when(self.isnt(code, parent, "None")):
            code.put(base, "ptr", code.field(parent, view_at["base"]))
            code.put(crossing, "ptr", code.field(parent, view_at["crossing"]))
            with code.when(enabled):
                code.put(mode, "ptr", code.field(parent, view_at["mode"]))
        made = code.call("ptr", "make_tensor", "ptr %array")
        view = code.call("ptr", "PyType_GenericAlloc", f"ptr {table.read(code, 'View')}", "i64 0")
        counter = code.call("ptr", "version", "ptr %source")
        code.leave(code.op(f"icmp eq ptr {made}, null"), "failed")
        code.leave(code.op(f"icmp eq ptr {view}, null"), "failed")
        code.leave(code.op(f"icmp eq ptr {counter}, null"), "failed")
        for name, value in (("base", code.get(base, "ptr")), ("mode", code.get(mode, "ptr")), ("crossing", code.get(crossing, "ptr"))):
            code.call("void", "Py_IncRef", f"ptr {value}")
            code.set_field(view, view_at[name], value)
        version = code.call("ptr", "PyList_GetItem", f"ptr {counter}", "i64 0")
        code.call("void", "Py_IncRef", f"ptr {version}")
        code.set_field(view, view_at["version"], version)
        for name, value in (("_counter", counter), ("_view", view)):  # in place of None
            code.call("void", "Py_DecRef", f"ptr {table.read(code, 'None')}")
            code.set_field(made, at[name], value)
        code.back(made)
        code.mark("decline")
        code.call("void", "Py_DecRef", "ptr %array")
        code.back("inttoptr (i64 1 to ptr)")
        code.mark("failed")
        code.back("null")
        self.done(code)

    def _new_view(self) -> None:
        """`new_view(array, source)`."""
        code = Code("ptr", "new_view", "ptr %self", "ptr %args", "i64 %count", internal=False)
        array, source = code.item("%args", 0), code.item("%args", 1)
        code.call("void", "Py_IncRef", f"ptr {array}")
        made = code.call("ptr", "view_of", f"ptr {array}", f"ptr {source}")
        code.leave(code.op(f"icmp eq ptr {made}, inttoptr (i64 1 to ptr)"), "decline")
        code.back(made)
        code.mark("decline")
        slow = self.table.read(code, "slow_view")
        code.back(code.call("ptr", "PyObject_Vectorcall", f"ptr {slow}", "ptr %args", "i64 2", "ptr null"))
        self.done(code)

    def _new_node(self) -> None:
        """`new_node(cls, shape, dtype, edges, saved, tensors)`: `tensors` are those whose version counters are remembered."""
        at = self.places.node
        code = Code("ptr", "new_node", "ptr %self", "ptr %args", "i64 %count", internal=False)
        cls, shape, dtype, edges, saved, versioned = (code.item("%args", i) for i in range(6))
        node = code.call("ptr", "PyType_GenericAlloc", f"ptr {cls}", "i64 0")
        code.leave(code.op(f"icmp eq ptr {node}, null"), "failed")
        code.set_field(node, at["sequence"], code.call("ptr", "PyObject_CallNoArgs", f"ptr {self.table.read(code, 'next')}"))
        for hooks in ("pre_hooks", "post_hooks"):
            code.set_field(node, at[hooks], self.new_reference(code, "None"))
        for name, value in (("shape", shape), ("dtype", dtype), ("edges", edges), ("saved", saved)):
            code.call("void", "Py_IncRef", f"ptr {value}")
            code.set_field(node, at[name], value)
        many = code.field(versioned, 16, "i64")
        there = code.slot("i64", "0")
        with code.loop(many) as i:
            tensor = code.field(versioned, code.op(f"add i64 {self.places.items}, {code.op(f'mul i64 {i}, 8')}"))
            one = code.op(f"zext i1 {self.isnt(code, tensor, 'None')} to i64")
            code.put(there, "i64", code.op(f"add i64 {code.get(there, 'i64')}, {one}"))
        remembered = code.get(there, "i64")
        versions = code.call("ptr", "PyTuple_New", f"i64 {code.op(f'mul i64 {remembered}, 2')}")
        position = code.slot("i64", str(self.places.items))
        with code.loop(many) as i:
            tensor = code.field(versioned, code.op(f"add i64 {self.places.items}, {code.op(f'mul i64 {i}, 8')}"))
            with code.when(self.isnt(code, tensor, "None")):
                here = code.get(position, "i64")
                counter = code.call("ptr", "version", f"ptr {tensor}")
                with code.when(self.is_(code, counter, "unversioned")):
                    refuse = self.table.read(code, "refuse")
                    code.call("ptr", "PyObject_CallOneArg", f"ptr {refuse}", f"ptr {tensor}")
                    for owned in (counter, versions, node):
                        code.call("void", "Py_DecRef", f"ptr {owned}")
                    code.back("null")
                value = code.call("ptr", "PyList_GetItem", f"ptr {counter}", "i64 0")
                code.call("void", "Py_IncRef", f"ptr {value}")
                code.set_field(versions, here, counter)
                code.set_field(versions, code.op(f"add i64 {here}, 8"), value)
                code.put(position, "i64", code.op(f"add i64 {here}, 16"))
        code.set_field(node, at["versions"], versions)
        code.back(node)
        code.mark("failed")
        code.back("null")
        self.done(code)

    def _item(self) -> None:
        """`x[i]` for an int within range, of a plain Tensor outside any graph: a view."""
        table, at = self.table, self.places.tensor
        code = Code("ptr", "item", "ptr %tensor", "ptr %index")
        active = code.field(table.read(code, "modes"), self.places.active)
        code.leave(code.op(f"icmp ne ptr {active}, {table.read(code, 'zero')}"), "decline")
        code.leave(self.isnt(code, code.field("%index", 8), "int"), "decline")
        cls = code.field("%tensor", 8)
        with code.when(self.isnt(code, cls, "Tensor")):
            plain = code.call("i32", "PySet_Contains", f"ptr {table.read(code, 'plain')}", f"ptr {cls}")
            code.leave(code.op(f"icmp ne i32 {plain}, 1"), "decline")
        array = code.field("%tensor", at["_array"])
        code.leave(self.isnt(code, code.field(array, 8), "ndarray"), "decline")
        # Where a graph may be recorded, the general path records it.
        code.leave(self.is_(code, code.field("%tensor", at["_requires_grad"]), "True"), "decline")
        code.leave(self.isnt(code, code.field("%tensor", at["_view"]), "None"), "decline")
        rank, sizes = self.rank_and_sizes(code, array)
        code.leave(code.op(f"icmp eq i64 {rank}, 0"), "decline")
        given = code.call("i64", "PyLong_AsLongLong", "ptr %index")
        with code.when(code.op(f"icmp eq i64 {given}, -1")):
            with code.when(code.op(f"icmp ne ptr {code.call('ptr', 'PyErr_Occurred')}, null")):
                code.call("void", "PyErr_Clear")
                code.jump("decline")
        size = code.get(sizes, "i64")
        wrapped = code.op(f"select i1 {code.op(f'icmp slt i64 {given}, 0')}, i64 {code.op(f'add i64 {given}, {size}')}, i64 {given}")
        code.leave(code.op(f"icmp uge i64 {wrapped}, {size}"), "decline")
        strides = code.field(array, 40)
        stride = code.get(strides, "i64")
        data = code.op(f"getelementptr i8, ptr {code.field(array, 16)}, i64 {code.op(f'mul i64 {wrapped}, {stride}')}")
        descr = code.field(array, 56)
        writeable = code.op(f"and i32 {code.field(array, 64, 'i32')}, 1024")  # NPY_ARRAY_WRITEABLE
        code.call("void", "Py_IncRef", f"ptr {descr}")
        less = code.op(f"trunc i64 {code.op(f'sub i64 {rank}, 1')} to i32")
        part = code.call(
            "ptr", table.read(code, "new_array"), f"ptr {table.read(code, 'ndarray')}", f"ptr {descr}", f"i32 {less}",
            f"ptr {code.op(f'getelementptr i64, ptr {sizes}, i64 1')}", f"ptr {code.op(f'getelementptr i64, ptr {strides}, i64 1')}",
            f"ptr {data}", f"i32 {writeable}", "ptr null",
        )  # fmt: skip
        code.leave(code.op(f"icmp eq ptr {part}, null"), "failed")
        code.call("void", "Py_IncRef", f"ptr {array}")
        kept = code.call("i32", table.read(code, "set_base"), f"ptr {part}", f"ptr {array}")
        code.leave(code.op(f"icmp ne i32 {kept}, 0"), "failed")
        code.back(code.call("ptr", "view_of", f"ptr {part}", "ptr %tensor"))
        code.mark("failed")
        code.back("null")
        code.mark("decline")
        code.back("inttoptr (i64 1 to ptr)")
        self.done(code)

    def _call_item(self) -> None:
        """`item(tensor, index)`: None for whatever else than an int within range of a plain Tensor outside any graph."""
        code = Code("ptr", "call_item", "ptr %self", "ptr %args", "i64 %count", internal=False)
        found = code.call("ptr", "item", f"ptr {code.item('%args', 0)}", f"ptr {code.item('%args', 1)}")
        code.leave(code.op(f"icmp eq ptr {found}, inttoptr (i64 1 to ptr)"), "decline")
        code.back(found)
        code.mark("decline")
        code.back(self.new_reference(code, "None"))
        self.done(code)


_kept: list[Any] = []


def install_graph() -> dict[str, Any]:
    """Compiles the functions; returns `new_tensor`, `new_view`, `new_node` and `item`. Empty where it cannot be."""
    from ..kernels.compiler.arrays import base_setter
    from ..kernels.compiler.jit import native_functions
    from ..kernels.compiler.llvm import PRELUDE
    from .running import new_view

    places = fields()
    if places is None:
        return {}
    table = common_table()
    for name, value in {
        "View": View, "default": DEFAULT, "no_grad": NO_GRAD, "refuse": remembered_version, "slow_view": new_view,
    }.items():  # fmt: skip
        table.add(name, value)
    table.add("set_base", address=base_setter())
    writer = _GraphWriter(table, places)
    writer.write()
    ir = PRELUDE + DECLARATIONS + "\n".join(writer.functions)
    made = native_functions(ir, "flambeau_graph", table.values, ["new_tensor", "new_view", "new_node", "call_item"], [])
    _kept.append(table)
    made["item"] = made.pop("call_item")
    return made
