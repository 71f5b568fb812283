"""What every operator does around its kernel, in machine code: making a Tensor, a view, a node; and `x[i]`.

The functions stand in for those of the same names in `running.py`.
"""

from typing import Any

from ..autograd.version import remembered_version
from ..autograd.views import DEFAULT, NO_GRAD, View
from .native_objects import DECLINED, Writer, common_table, fields, slot_offset


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
        code = self.function("new_tensor", "self args count:i64", "ptr", internal=False)
        array = code.load("ptr", code["args"], 0)
        code.call("void", "Py_IncRef", array)
        code.back(code.call("ptr", "make_tensor", array))

    def _view_of(self) -> None:
        """A Tensor over an array, whose reference it takes over, that shares memory with another Tensor; null where it declines."""
        table, at = self.table, self.places.tensor
        view_at = {n: slot_offset(View, n) for n in ("base", "mode", "version", "crossing")}
        code = self.function("view_of", "array source", "ptr")
        enabled = self.flag(code, "enabled")
        with code.when(~enabled):
            code.leave(self.flag(code, "inference"), "decline")
        mode = code.variable("ptr", table.read(code, "default"))
        with code.when(~enabled):
            mode.value = table.read(code, "no_grad")
        base, crossing = code.variable("ptr", code["source"]), code.variable("ptr", table.read(code, "None"))
        parent = code.field(code["source"], at["_view"])
        with code.when(self.isnt(code, parent, "None")):
            base.value = code.field(parent, view_at["base"])
            crossing.value = code.field(parent, view_at["crossing"])
            with code.when(enabled):
                mode.value = code.field(parent, view_at["mode"])
        made = code.call("ptr", "make_tensor", code["array"])
        view = code.call("ptr", "PyType_GenericAlloc", table.read(code, "View"), 0)
        counter = code.call("ptr", "version", code["source"])
        code.leave(made.equals(None), "failed")
        code.leave(view.equals(None), "failed")
        code.leave(counter.equals(None), "failed")
        for name, value in (("base", base.value), ("mode", mode.value), ("crossing", crossing.value)):
            code.call("void", "Py_IncRef", value)
            code.set_field(view, view_at[name], value)
        version = code.call("ptr", "PyList_GetItem", counter, 0)
        code.call("void", "Py_IncRef", version)
        code.set_field(view, view_at["version"], version)
        for name, value in (("_counter", counter), ("_view", view)):  # in place of None
            code.call("void", "Py_DecRef", table.read(code, "None"))
            code.set_field(made, at[name], value)
        code.back(made)
        code.mark("decline")
        code.call("void", "Py_DecRef", code["array"])
        code.back(DECLINED)
        code.mark("failed")
        code.back(None)

    def _new_view(self) -> None:
        """`new_view(array, source)`."""
        code = self.function("new_view", "self args count:i64", "ptr", internal=False)
        array, source = code.load("ptr", code["args"], 0), code.load("ptr", code["args"], 1)
        code.call("void", "Py_IncRef", array)
        made = code.call("ptr", "view_of", array, source)
        code.leave(made.equals(DECLINED), "decline")
        code.back(made)
        code.mark("decline")
        slow = self.table.read(code, "slow_view")
        code.back(code.call("ptr", "PyObject_Vectorcall", slow, code["args"], 2, None))

    def _new_node(self) -> None:
        """`new_node(cls, shape, dtype, edges, saved, tensors)`: `tensors` are those whose version counters are remembered."""
        at = self.places.node
        code = self.function("new_node", "self args count:i64", "ptr", internal=False)
        cls, shape, dtype, edges, saved, versioned = (code.load("ptr", code["args"], i) for i in range(6))
        node = code.call("ptr", "PyType_GenericAlloc", cls, 0)
        code.leave(node.equals(None), "failed")
        code.set_field(node, at["sequence"], code.call("ptr", "PyObject_CallNoArgs", self.table.read(code, "next")))
        for hooks in ("pre_hooks", "post_hooks"):
            code.set_field(node, at[hooks], self.new_reference(code, "None"))
        for name, value in (("shape", shape), ("dtype", dtype), ("edges", edges), ("saved", saved)):
            code.call("void", "Py_IncRef", value)
            code.set_field(node, at[name], value)
        many = code.field(versioned, 16, "i64")
        there = code.variable("i64", 0)
        with code.loop(many, short=True) as i:
            tensor = code.field(versioned, self.places.items + i * 8)
            one = code.convert(self.isnt(code, tensor, "None"), "i64")
            there.value = there.value + one
        remembered = there.value
        versions = code.call("ptr", "PyTuple_New", remembered * 2)
        position = code.variable("i64", self.places.items)
        with code.loop(many, short=True) as i:
            tensor = code.field(versioned, self.places.items + i * 8)
            with code.when(self.isnt(code, tensor, "None")):
                here = position.value
                counter = code.call("ptr", "version", tensor)
                with code.when(self.is_(code, counter, "unversioned")):
                    code.call("ptr", "PyObject_CallOneArg", self.table.read(code, "refuse"), tensor)
                    for owned in (counter, versions, node):
                        code.call("void", "Py_DecRef", owned)
                    code.back(None)
                value = code.call("ptr", "PyList_GetItem", counter, 0)
                code.call("void", "Py_IncRef", value)
                code.set_field(versions, here, counter)
                code.set_field(versions, here + 8, value)
                position.value = here + 16
        code.set_field(node, at["versions"], versions)
        code.back(node)
        code.mark("failed")
        code.back(None)

    def _item(self) -> None:
        """`x[i]` for an int within range, of a plain Tensor outside any graph: a view."""
        table, at = self.table, self.places.tensor
        code = self.function("item", "tensor index", "ptr")
        active = code.field(table.read(code, "modes"), self.places.active)
        code.leave(active.differs(table.read(code, "zero")), "decline")
        code.leave(self.isnt(code, code.field(code["index"], 8), "int"), "decline")
        cls = code.field(code["tensor"], 8)
        with code.when(self.isnt(code, cls, "Tensor")):
            plain = code.call("i32", "PySet_Contains", table.read(code, "plain"), cls)
            code.leave(plain.differs(1), "decline")
        array = code.field(code["tensor"], at["_array"])
        code.leave(self.isnt(code, code.field(array, 8), "ndarray"), "decline")
        # Where a graph may be recorded, the general path records it.
        code.leave(self.is_(code, code.field(code["tensor"], at["_requires_grad"]), "True"), "decline")
        code.leave(self.isnt(code, code.field(code["tensor"], at["_view"]), "None"), "decline")
        rank, sizes = self.rank_and_sizes(code, array)
        code.leave(rank.equals(0), "decline")
        given = code.call("i64", "PyLong_AsLongLong", code["index"])
        with code.when(given.equals(-1)):
            with code.when(code.call("ptr", "PyErr_Occurred").differs(None)):
                code.call("void", "PyErr_Clear")
                code.jump("decline")
        size = code.load("i64", sizes)
        wrapped = code.where(given < 0, given + size, given)
        code.leave(code.op(f"icmp uge i64 {wrapped}, {size}", "i1"), "decline")
        strides = code.field(array, 40)
        stride = code.load("i64", strides)
        data = code.at(code.field(array, 16), wrapped * stride, "i8")
        descr = code.field(array, 56)
        writeable = code.field(array, 64, "i32") & 1024  # NPY_ARRAY_WRITEABLE
        code.call("void", "Py_IncRef", descr)
        less = code.convert(rank - 1, "i32")
        make, ndarray = table.read(code, "new_array"), table.read(code, "ndarray")
        behind, steps = code.at(sizes, 1, "i64"), code.at(strides, 1, "i64")
        part = code.call("ptr", make, ndarray, descr, less, behind, steps, data, writeable, None)
        code.leave(part.equals(None), "failed")
        code.call("void", "Py_IncRef", array)
        kept = code.call("i32", table.read(code, "set_base"), part, array)
        code.leave(kept.differs(0), "failed")
        code.back(code.call("ptr", "view_of", part, code["tensor"]))
        code.mark("failed")
        code.back(None)
        code.mark("decline")
        code.back(DECLINED)

    def _call_item(self) -> None:
        """`item(tensor, index)`: None for whatever else than an int within range of a plain Tensor outside any graph."""
        code = self.function("call_item", "self args count:i64", "ptr", internal=False)
        found = code.call("ptr", "item", code.load("ptr", code["args"], 0), code.load("ptr", code["args"], 1))
        code.leave(found.equals(DECLINED), "decline")
        code.back(found)
        code.mark("decline")
        code.back(self.new_reference(code, "None"))


_kept: list[Any] = []


def install_graph() -> dict[str, Any]:
    """Compiles the functions; returns `new_tensor`, `new_view`, `new_node` and `item`. Empty where it cannot be."""
    from ..kernels.compiler.arrays import base_setter
    from ..kernels.compiler.jit import native_functions
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
    made = native_functions(writer.text(), "flambeau_graph", table.values, ["new_tensor", "new_view", "new_node", "call_item"], [])
    _kept.append(table)
    made["item"] = made.pop("call_item")
    return made
