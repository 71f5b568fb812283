"""Python objects as machine code sees them: Tensors, nodes, arrays and tuples, through the C API of Python and NumPy.

Where the fields of ndarrays, Tensors and nodes lie is asked of the running interpreter; if an answer is not what is
expected here, `fields()` is None and no operator gets machine code of its own (see `native.py`).
"""

import ctypes
from functools import lru_cache
from typing import Any

from ..autograd.grad_mode import grad_mode, inferring
from ..autograd.node import Node, arrays, next_sequence
from ..autograd.version import UNVERSIONED
from ..kernels.compiler.arrays import array_maker, array_objects
from ..kernels.compiler.code import Code, Value, module
from ..tensor import PLAIN, Tensor
from .modes import modes

DECLINED = "inttoptr (i64 1 to ptr)"
"""What a function returns in place of a result where it is not for it."""

FULL, ONE, ROW, COLUMN = range(4)
"""How an operand lies in the result: it has every element, one for all, one row for all, or one element per row."""


# --- where fields lie --------------------------------------------------------------------------------------------


def slot_offset(cls: type, name: str) -> int:
    """Where the slot `name` lies in the instances of a class: a field of the member descriptor's PyMemberDef."""
    member = ctypes.c_void_p.from_address(id(cls.__dict__[name]) + 5 * 8).value or 0
    return ctypes.c_ssize_t.from_address(member + 16).value


def _pointer(address: int) -> int:
    return ctypes.c_void_p.from_address(address).value or 0


class Fields:
    """Offsets of the slots of Tensors and nodes."""

    def __init__(self) -> None:
        self.tensor = {n: slot_offset(Tensor, n) for n in Tensor.__dict__["__slots__"] if not n.startswith("__")}
        self.node = {n: slot_offset(Node, n) for n in Node.__slots__ if not n.startswith("__")}
        self.active = slot_offset(type(modes), "active")
        self.blocks = slot_offset(type(inferring), "blocks")
        pair = (object(), object())  # where a tuple has its items differs from one Python to the next
        self.items = next(n for n in (24, 32) if (_pointer(id(pair) + n), _pointer(id(pair) + n + 8)) == tuple(map(id, pair)))
        self.example = array_objects()["example"]  # an operand, to ask an operator for the class of its nodes


@lru_cache(None)
def fields() -> Fields | None:
    """The offsets, if a probe of real objects finds everything where it should be; else None."""
    from ..kernels.compiler.launch import usable

    if not usable():
        return None
    try:
        found = Fields()
        array = found.example
        t = object.__new__(Tensor)
        t._array, t._requires_grad = array, True
        node = object.__new__(Node)
        node.saved = edges = ("x",)
        agree = (
            _pointer(id(t) + 8) == id(Tensor)
            and _pointer(id(t) + found.tensor["_array"]) == id(array)
            and _pointer(id(t) + found.tensor["_requires_grad"]) == id(True)
            and _pointer(id(node) + found.node["saved"]) == id(edges)
            and _pointer(id(modes) + found.active) == id(modes.active)
            and _pointer(id(inferring) + found.blocks) == id(inferring.blocks)
        )
        return found if agree and array_maker() else None
    except (AttributeError, KeyError, StopIteration, ValueError):
        return None


# --- the table of objects ----------------------------------------------------------------------------------------


class Table:
    """Objects and addresses that machine code refers to by number: they differ from process to process."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.values: list[int] = []
        self.kept: list[Any] = []

    def add(self, name: str, value: Any = None, address: int | None = None) -> None:
        self.names[name] = len(self.values)
        self.values.append(id(value) if address is None else address)
        self.kept.append(value)

    def read(self, code: Code, name: str) -> Value:
        """Code that loads an entry."""
        return code.load("ptr", code.value("@table", "ptr"), self.names[name])


def common_table() -> Table:
    """The table's first entries, which every module has."""
    table = Table()
    objects: dict[str, Any] = {
        "Tensor": Tensor, "plain": PLAIN, "float": float, "int": int, "None": None, "True": True,
        "False": False, "zero": 0, "modes": modes, "inferring": inferring, "unversioned": UNVERSIONED,
        "grad_mode": grad_mode, "enabled": "enabled", "inference": "inference", "sync": "sync", "next": next_sequence,
        "arrays": arrays, "base": "base",
    }  # fmt: skip
    for name, value in objects.items():
        table.add(name, value)
    for name, value in array_objects().items():
        table.add(name, value)
    table.add("new_array", address=array_maker())
    return table


# --- helpers every module has ------------------------------------------------------------------------------------

DECLARATIONS = """
@table = global [64 x ptr] zeroinitializer
declare ptr @PyObject_CallMethodObjArgs(ptr, ptr, ...)
"""


_common: list[Code] = []


class Writer:
    """Writes the functions of one operator."""

    def __init__(self, table: Table, places: Fields) -> None:
        self.table = table
        self.places = places
        self.functions: list[Code] = []

    def common(self) -> None:
        """The helpers: shapes, arrays, Tensors, version counters, numbers. They are the same in all modules."""
        if _common:
            self.functions += _common
            return
        self._product()
        self._fit()
        self._new_array()
        self._make_tensor()
        self._version()
        self._bump()
        self._shape_tuple()
        self._read_shape()
        self._number()
        _common.extend(self.functions)

    def function(self, name: str, parameters: str, result: str = "void", internal: bool = True) -> Code:
        """The next function, to be written."""
        self.functions.append(Code(name, parameters, result, internal, apart=False))
        return self.functions[-1]

    def text(self, more: str = "") -> str:
        """The module. more: what it declares of its own."""
        from ..kernels.compiler.llvm import PRELUDE

        return module(self.functions, PRELUDE + DECLARATIONS + more)

    def is_(self, code: Code, value: Value, name: str) -> Value:
        """Whether a pointer is an object of the table."""
        return value.equals(self.table.read(code, name))

    def isnt(self, code: Code, value: Value, name: str) -> Value:
        return value.differs(self.table.read(code, name))

    def tuple_of(self, code: Code, values: list[Value]) -> Value:
        """A tuple that takes over references."""
        made = code.call("ptr", "PyTuple_New", len(values))
        for i, value in enumerate(values):
            code.set_field(made, self.places.items + 8 * i, value)
        return made

    def new_reference(self, code: Code, name: str) -> Value:
        """An object of the table, with a reference of its own."""
        value = self.table.read(code, name)
        code.call("void", "Py_IncRef", value)
        return value

    def _product(self) -> None:
        code = self.function("product", "sizes count:i64", "i64")
        total = code.variable("i64", 1)
        with code.loop(code["count"], short=True) as i:
            total.value = total.value * code.load("i64", code["sizes"], i)
        code.back(total.value)

    def _fit(self) -> None:
        """How a small shape lies in a big one: FULL, ONE, ROW or COLUMN, or -1; rows and columns have `%columns` elements."""
        code = self.function("fit", "big rank:i64 small small_rank:i64 columns", "i64")
        code.leave(code["small_rank"] > code["rank"], "no")
        lead = code["rank"] - code["small_rank"]
        big = code.call("i64", "product", code["big"], code["rank"])
        small = code.call("i64", "product", code["small"], code["small_rank"])
        code.leave(small.equals(0), "no")
        with code.when(small.equals(1)):
            code.back(code.where(big.equals(1), FULL, ONE))
        tail = code.at(code["big"], lead, "i64")  # the sizes of the big one that meet those of the small one
        # The product of the last, equal sizes; what is before.
        equal, rest = code.variable("i64", 1), code.variable("i64", code["small_rank"])
        running = code.variable("i1", True)
        with code.loop(code["small_rank"], short=True) as i:
            at = code["small_rank"] - i - 1
            a, b = code.load("i64", code["small"], at), code.load("i64", tail, at)
            same = a.equals(b) & running.value
            running.value = same
            with code.when(same):
                equal.value = equal.value * a
                rest.value = at
        remaining = rest.value
        equal_ = equal.value
        with code.when(equal_.equals(big)):
            code.back(FULL)
        before = code.call("i64", "product", code["small"], remaining)
        with code.when(before.equals(1)):
            code.store(equal_, code["columns"])
            code.back(ROW)
        # One element per row: sizes of 1 at the end, the others equal.
        code.leave(lead.differs(0), "no")
        columns, ones = code.variable("i64", 1), code.variable("i1", True)
        with code.loop(code["small_rank"], short=True) as i:
            at = code["small_rank"] - i - 1
            a, b = code.load("i64", code["small"], at), code.load("i64", code["big"], at)
            one = a.equals(1) & ones.value
            ones.value = one
            with code.when(one):
                columns.value = columns.value * b
            code.leave(a.differs(b) & ~one, "no")
        code.store(columns.value, code["columns"])
        code.back(COLUMN)
        code.mark("no")
        code.back(-1)

    def _new_array(self) -> None:
        code = self.function("new_array", "descr sizes rank:i64", "ptr")
        code.call("void", "Py_IncRef", code["descr"])
        rank = code.convert(code["rank"], "i32")
        make, ndarray = self.table.read(code, "new_array"), self.table.read(code, "ndarray")
        code.back(code.call("ptr", make, ndarray, code["descr"], rank, code["sizes"], None, None, code.value(0, "i32"), None))

    def _make_tensor(self) -> None:
        """A Tensor over an array, whose reference it takes over; without a graph."""
        code = self.function("make_tensor", "array", "ptr")
        made = code.call("ptr", "PyType_GenericAlloc", self.table.read(code, "Tensor"), 0)
        with code.when(made.equals(None)):
            code.call("void", "Py_DecRef", code["array"])
            code.back(None)
        at = self.places.tensor
        code.set_field(made, at["_array"], code["array"])
        for name in ("_node", "_grad", "_view", "_counter", "_hooks"):
            code.set_field(made, at[name], self.new_reference(code, "None"))
        code.set_field(made, at["_requires_grad"], self.new_reference(code, "False"))
        blocks = code.field(self.table.read(code, "inferring"), self.places.blocks)
        with code.when(self.isnt(code, blocks, "zero")):  # somebody is in inference mode: this thread?
            with code.when(self.flag(code, "inference")):
                code.call("void", "Py_DecRef", self.table.read(code, "None"))
                code.set_field(made, at["_counter"], self.new_reference(code, "unversioned"))
        code.back(made)

    def flag(self, code: Code, name: str) -> Value:
        """A flag of the thread's grad mode."""
        value = code.call("ptr", "PyObject_GetAttr", self.table.read(code, "grad_mode"), self.table.read(code, name))
        code.call("void", "Py_DecRef", value)  # True and False outlive it
        return self.is_(code, value, "True")

    def _version(self) -> None:
        """A Tensor's version counter, made where there is none; a new reference."""
        code = self.function("version", "tensor", "ptr")
        at = self.places.tensor["_counter"]
        counter = code.field(code["tensor"], at)
        with code.when(self.isnt(code, counter, "None")):
            code.call("void", "Py_IncRef", counter)
            code.back(counter)
        made = code.call("ptr", "PyList_New", 1)
        code.leave(made.equals(None), "failed")
        code.call("i32", "PyList_SetItem", made, 0, self.new_reference(code, "zero"))
        code.set_field(code["tensor"], at, made)
        code.call("void", "Py_DecRef", counter)
        code.call("void", "Py_IncRef", made)
        code.back(made)
        code.mark("failed")
        code.back(None)

    def _bump(self) -> None:
        """Counts an in-place change."""
        code = self.function("bump", "tensor")
        counter = code.call("ptr", "version", code["tensor"])
        with code.when(counter.differs(None)):
            value = code.call("i64", "PyLong_AsLongLong", code.call("ptr", "PyList_GetItem", counter, 0))
            larger = code.call("ptr", "PyLong_FromLongLong", value + 1)
            code.call("i32", "PyList_SetItem", counter, 0, larger)
            code.call("void", "Py_DecRef", counter)
        code.back()

    def _shape_tuple(self) -> None:
        code = self.function("shape_tuple", "array", "ptr")
        rank = code.convert(code.field(code["array"], 24, "i32"), "i64")
        sizes = code.field(code["array"], 32)
        made = code.call("ptr", "PyTuple_New", rank)
        items = code.at(made, self.places.items, "i8")
        with code.loop(rank, short=True) as i:
            number = code.call("ptr", "PyLong_FromLongLong", code.load("i64", sizes, i))
            code.store(number, code.at(items, i, "ptr"))
        code.back(made)

    def _read_shape(self) -> None:
        """Writes the numbers of a tuple to memory; returns how many."""
        code = self.function("read_shape", "tuple sizes", "i64")
        rank = code.call("i64", "PyTuple_Size", code["tuple"])
        items = code.at(code["tuple"], self.places.items, "i8")
        with code.loop(rank, short=True) as i:
            size = code.call("i64", "PyLong_AsLongLong", code.load("ptr", items, i))
            code.store(size, code.at(code["sizes"], i, "i64"))
        code.back(rank)

    def _number(self) -> None:
        """Writes a float or int as double to memory; false where it is neither, or too large."""
        code = self.function("number", "object value", "i1")
        cls = code.field(code["object"], 8)
        with code.when(self.is_(code, cls, "float")):
            code.store(code.field(code["object"], 16, "double"), code["value"])
            code.back(True)
        with code.when(self.is_(code, cls, "int")):
            value = code.call("double", "PyFloat_AsDouble", code["object"])
            code.store(value, code["value"])
            with code.when(value.equals(-1.0)):
                with code.when(code.call("ptr", "PyErr_Occurred").differs(None)):
                    code.call("void", "PyErr_Clear")
                    code.back(False)
            code.back(True)
        code.back(False)

    # --- operands ------------------------------------------------------------------------------------------------

    def tensor_array(self, code: Code, tensor: Value, decline: str, writeable: bool = False) -> Value:
        """The array of a plain Tensor in aligned, row-major memory."""
        cls = code.field(tensor, 8)
        with code.when(self.isnt(code, cls, "Tensor")):
            plain = code.call("i32", "PySet_Contains", self.table.read(code, "plain"), cls)
            code.leave(plain.differs(1), decline)
        if writeable:
            code.leave(self.is_(code, code.field(tensor, self.places.tensor["_counter"]), "unversioned"), decline)
        array = code.field(tensor, self.places.tensor["_array"])
        self.check_array(code, array, decline, writeable)
        return array

    def check_array(self, code: Code, array: Value, decline: str, writeable: bool = False) -> None:
        code.leave(self.isnt(code, code.field(array, 8), "ndarray"), decline)
        flags = 0x501 if writeable else 0x101  # NPY_ARRAY_C_CONTIGUOUS, NPY_ARRAY_ALIGNED, NPY_ARRAY_WRITEABLE
        found = code.field(array, 64, "i32") & flags
        code.leave(found.differs(flags), decline)

    def rank_and_sizes(self, code: Code, array: Value) -> tuple[Value, Value]:
        return code.convert(code.field(array, 24, "i32"), "i64"), code.field(array, 32)

    def watch(self, code: Code, tensors: list[Value], decline: str) -> Value:
        """Whether a node is to be recorded, after renewing views whose base has changed."""
        at = self.places.tensor
        record = code.variable("i1", False)
        maybe = code.variable("i1", False)
        for t in tensors:
            asks = self.is_(code, code.field(t, at["_requires_grad"]), "True")
            view = self.isnt(code, code.field(t, at["_view"]), "None")
            maybe.value = maybe.value | (asks | view)
        with code.when(maybe.value):
            with code.when(self.flag(code, "enabled")):
                for t in tensors:
                    code.leave(self.is_(code, code.field(t, at["_counter"]), "unversioned"), decline)  # it may not be saved
                    view = code.field(t, at["_view"])
                    with code.when(self.isnt(code, view, "None")):
                        sync = self.table.read(code, "sync")
                        done = code.op(
                            f"call ptr (ptr, ptr, ...) @PyObject_CallMethodObjArgs(ptr {view}, ptr {sync}, ptr {t}, ptr null)", "ptr"
                        )
                        with code.when(done.equals(None)):
                            code.back(None)
                        code.call("void", "Py_DecRef", done)
                        # A view made under no_grad of what requires a gradient is the general path's.
                        with code.when(self.isnt(code, code.field(t, at["_requires_grad"]), "True")):
                            base = code.call("ptr", "PyObject_GetAttr", view, self.table.read(code, "base"))
                            code.call("void", "Py_DecRef", base)  # the view holds it
                            code.leave(self.is_(code, code.field(base, at["_requires_grad"]), "True"), decline)
                    asks = self.is_(code, code.field(t, at["_requires_grad"]), "True")
                    record.value = record.value | asks
        return record.value
