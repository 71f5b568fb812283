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
from ..kernels.compiler.code import Code
from ..tensor import PLAIN, Tensor
from .modes import modes

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

    def read(self, code: Code, name: str) -> str:
        """Code that loads an entry."""
        return code.item("@table", self.names[name])


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
declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)
declare ptr @PyType_GenericAlloc(ptr, i64)
declare ptr @PyList_New(i64)
declare ptr @PyList_GetItem(ptr, i64)
declare i32 @PyList_SetItem(ptr, i64, ptr)
declare ptr @PyTuple_New(i64)
declare i64 @PyTuple_Size(ptr)
declare ptr @PyLong_FromLongLong(i64)
declare i64 @PyLong_AsLongLong(ptr)
declare double @PyFloat_AsDouble(ptr)
declare ptr @PyErr_Occurred()
declare void @PyErr_Clear()
declare i32 @PySet_Contains(ptr, ptr)
declare i32 @PyType_IsSubtype(ptr, ptr)
declare ptr @PyObject_GetAttr(ptr, ptr)
declare ptr @PyObject_CallNoArgs(ptr)
declare ptr @PyObject_CallOneArg(ptr, ptr)
declare ptr @PyObject_CallMethodObjArgs(ptr, ptr, ...)
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
"""


class Writer:
    """Writes the functions of one operator."""

    def __init__(self, table: Table, places: Fields) -> None:
        self.table = table
        self.places = places
        self.functions: list[str] = []
        self.notes = 0  # metadata nodes so far

    def common(self) -> None:
        """The helpers: shapes, arrays, Tensors, version counters, numbers."""
        self._product()
        self._fit()
        self._new_array()
        self._make_tensor()
        self._version()
        self._bump()
        self._shape_tuple()
        self._read_shape()
        self._number()

    def done(self, code: Code) -> None:
        """Takes a function that is written to its end."""
        self.functions.append(code.text(self.notes))
        self.notes += 3 * len(code.loops)

    def is_(self, code: Code, value: str, name: str) -> str:
        """Whether a pointer is an object of the table."""
        return code.op(f"icmp eq ptr {value}, {self.table.read(code, name)}")

    def isnt(self, code: Code, value: str, name: str) -> str:
        return code.op(f"icmp ne ptr {value}, {self.table.read(code, name)}")

    def tuple_of(self, code: Code, values: list[str]) -> str:
        """A tuple that takes over references."""
        made = code.call("ptr", "PyTuple_New", f"i64 {len(values)}")
        for i, value in enumerate(values):
            code.set_field(made, self.places.items + 8 * i, value)
        return made

    def new_reference(self, code: Code, name: str) -> str:
        """An object of the table, with a reference of its own."""
        value = self.table.read(code, name)
        code.call("void", "Py_IncRef", f"ptr {value}")
        return value

    def _product(self) -> None:
        code = Code("i64", "product", "ptr %sizes", "i64 %count")
        total = code.slot("i64", "1")
        with code.loop("%count") as i:
            code.put(total, "i64", code.op(f"mul i64 {code.get(total, 'i64')}, {code.item('%sizes', i, 'i64')}"))
        code.back(code.get(total, "i64"))
        self.done(code)

    def _fit(self) -> None:
        """How a small shape lies in a big one: FULL, ONE, ROW or COLUMN, or -1; rows and columns have `%columns` elements."""
        code = Code("i64", "fit", "ptr %big", "i64 %rank", "ptr %small", "i64 %small_rank", "ptr %columns")
        code.leave(code.op("icmp sgt i64 %small_rank, %rank"), "no")
        lead = code.op("sub i64 %rank, %small_rank")
        big = code.call("i64", "product", "ptr %big", "i64 %rank")
        small = code.call("i64", "product", "ptr %small", "i64 %small_rank")
        code.leave(code.op(f"icmp eq i64 {small}, 0"), "no")
        with code.when(code.op(f"icmp eq i64 {small}, 1")):
            code.back(code.op(f"select i1 {code.op(f'icmp eq i64 {big}, 1')}, i64 {FULL}, i64 {ONE}"))
        tail = code.op(f"getelementptr i64, ptr %big, i64 {lead}")  # the sizes of the big one that meet those of the small one
        equal, rest = code.slot("i64", "1"), code.slot("i64", "%small_rank")  # the product of the last, equal sizes; what is before
        running = code.slot("i1", "true")
        with code.loop("%small_rank") as i:
            at = code.op(f"sub i64 {code.op(f'sub i64 %small_rank, {i}')}, 1")
            a, b = code.item("%small", at, "i64"), code.item(tail, at, "i64")
            same = code.op(f"and i1 {code.op(f'icmp eq i64 {a}, {b}')}, {code.get(running, 'i1')}")
            code.put(running, "i1", same)
            with code.when(same):
                code.put(equal, "i64", code.op(f"mul i64 {code.get(equal, 'i64')}, {a}"))
                code.put(rest, "i64", at)
        remaining = code.get(rest, "i64")
        equal_ = code.get(equal, "i64")
        with code.when(code.op(f"icmp eq i64 {equal_}, {big}")):
            code.back(str(FULL))
        before = code.call("i64", "product", "ptr %small", f"i64 {remaining}")
        with code.when(code.op(f"icmp eq i64 {before}, 1")):
            code.put("%columns", "i64", equal_)
            code.back(str(ROW))
        # One element per row: sizes of 1 at the end, the others equal.
        code.leave(code.op(f"icmp ne i64 {lead}, 0"), "no")
        columns, ones = code.slot("i64", "1"), code.slot("i1", "true")
        with code.loop("%small_rank") as i:
            at = code.op(f"sub i64 {code.op(f'sub i64 %small_rank, {i}')}, 1")
            a, b = code.item("%small", at, "i64"), code.item("%big", at, "i64")
            one = code.op(f"and i1 {code.op(f'icmp eq i64 {a}, 1')}, {code.get(ones, 'i1')}")
            code.put(ones, "i1", one)
            with code.when(one):
                code.put(columns, "i64", code.op(f"mul i64 {code.get(columns, 'i64')}, {b}"))
            code.leave(code.op(f"and i1 {code.op(f'icmp ne i64 {a}, {b}')}, {code.op(f'xor i1 {one}, true')}"), "no")
        code.put("%columns", "i64", code.get(columns, "i64"))
        code.back(str(COLUMN))
        code.mark("no")
        code.back("-1")
        self.done(code)

    def _new_array(self) -> None:
        code = Code("ptr", "new_array", "ptr %descr", "ptr %sizes", "i64 %rank")
        code.call("void", "Py_IncRef", "ptr %descr")
        rank = code.op("trunc i64 %rank to i32")
        made = code.call(
            "ptr", self.table.read(code, "new_array"), f"ptr {self.table.read(code, 'ndarray')}", "ptr %descr", f"i32 {rank}",
            "ptr %sizes", "ptr null", "ptr null", "i32 0", "ptr null",
        )  # fmt: skip
        code.back(made)
        self.done(code)

    def _make_tensor(self) -> None:
        """A Tensor over an array, whose reference it takes over; without a graph."""
        code = Code("ptr", "make_tensor", "ptr %array")
        made = code.call("ptr", "PyType_GenericAlloc", f"ptr {self.table.read(code, 'Tensor')}", "i64 0")
        with code.when(code.op(f"icmp eq ptr {made}, null")):
            code.call("void", "Py_DecRef", "ptr %array")
            code.back("null")
        at = self.places.tensor
        code.set_field(made, at["_array"], "%array")
        for name in ("_node", "_grad", "_view", "_counter", "_hooks"):
            code.set_field(made, at[name], self.new_reference(code, "None"))
        code.set_field(made, at["_requires_grad"], self.new_reference(code, "False"))
        blocks = code.field(self.table.read(code, "inferring"), self.places.blocks)
        with code.when(self.isnt(code, blocks, "zero")):  # somebody is in inference mode: this thread?
            with code.when(self.flag(code, "inference")):
                code.call("void", "Py_DecRef", f"ptr {self.table.read(code, 'None')}")
                code.set_field(made, at["_counter"], self.new_reference(code, "unversioned"))
        code.back(made)
        self.done(code)

    def flag(self, code: Code, name: str) -> str:
        """A flag of the thread's grad mode."""
        value = code.call("ptr", "PyObject_GetAttr", f"ptr {self.table.read(code, 'grad_mode')}", f"ptr {self.table.read(code, name)}")
        code.call("void", "Py_DecRef", f"ptr {value}")  # True and False outlive it
        return self.is_(code, value, "True")

    def _version(self) -> None:
        """A Tensor's version counter, made where there is none; a new reference."""
        code = Code("ptr", "version", "ptr %tensor")
        at = self.places.tensor["_counter"]
        counter = code.field("%tensor", at)
        with code.when(self.isnt(code, counter, "None")):
            code.call("void", "Py_IncRef", f"ptr {counter}")
            code.back(counter)
        made = code.call("ptr", "PyList_New", "i64 1")
        code.leave(code.op(f"icmp eq ptr {made}, null"), "failed")
        code.call("i32", "PyList_SetItem", f"ptr {made}", "i64 0", f"ptr {self.new_reference(code, 'zero')}")
        code.set_field("%tensor", at, made)
        code.call("void", "Py_DecRef", f"ptr {counter}")
        code.call("void", "Py_IncRef", f"ptr {made}")
        code.back(made)
        code.mark("failed")
        code.back("null")
        self.done(code)

    def _bump(self) -> None:
        """Counts an in-place change."""
        code = Code("void", "bump", "ptr %tensor")
        counter = code.call("ptr", "version", "ptr %tensor")
        with code.when(code.op(f"icmp ne ptr {counter}, null")):
            value = code.call("i64", "PyLong_AsLongLong", f"ptr {code.call('ptr', 'PyList_GetItem', f'ptr {counter}', 'i64 0')}")
            larger = code.call("ptr", "PyLong_FromLongLong", f"i64 {code.op(f'add i64 {value}, 1')}")
            code.call("i32", "PyList_SetItem", f"ptr {counter}", "i64 0", f"ptr {larger}")
            code.call("void", "Py_DecRef", f"ptr {counter}")
        code.back()
        self.done(code)

    def _shape_tuple(self) -> None:
        code = Code("ptr", "shape_tuple", "ptr %array")
        rank = code.op(f"sext i32 {code.field('%array', 24, 'i32')} to i64")
        sizes = code.field("%array", 32)
        made = code.call("ptr", "PyTuple_New", f"i64 {rank}")
        items = code.op(f"getelementptr i8, ptr {made}, i64 {self.places.items}")
        with code.loop(rank) as i:
            number = code.call("ptr", "PyLong_FromLongLong", f"i64 {code.item(sizes, i, 'i64')}")
            code.put(code.op(f"getelementptr ptr, ptr {items}, i64 {i}"), "ptr", number)
        code.back(made)
        self.done(code)

    def _read_shape(self) -> None:
        """Writes the numbers of a tuple to memory; returns how many."""
        code = Code("i64", "read_shape", "ptr %tuple", "ptr %sizes")
        rank = code.call("i64", "PyTuple_Size", "ptr %tuple")
        items = code.op(f"getelementptr i8, ptr %tuple, i64 {self.places.items}")
        with code.loop(rank) as i:
            size = code.call("i64", "PyLong_AsLongLong", f"ptr {code.item(items, i)}")
            code.put(code.op(f"getelementptr i64, ptr %sizes, i64 {i}"), "i64", size)
        code.back(rank)
        self.done(code)

    def _number(self) -> None:
        """Writes a float or int as double to memory; false where it is neither, or too large."""
        code = Code("i1", "number", "ptr %object", "ptr %value")
        cls = code.field("%object", 8)
        with code.when(self.is_(code, cls, "float")):
            code.put("%value", "double", code.field("%object", 16, "double"))
            code.back("true")
        with code.when(self.is_(code, cls, "int")):
            value = code.call("double", "PyFloat_AsDouble", "ptr %object")
            code.put("%value", "double", value)
            with code.when(code.op(f"fcmp oeq double {value}, -1.0")):
                with code.when(code.op(f"icmp ne ptr {code.call('ptr', 'PyErr_Occurred')}, null")):
                    code.call("void", "PyErr_Clear")
                    code.back("false")
            code.back("true")
        code.back("false")
        self.done(code)

    # --- operands ------------------------------------------------------------------------------------------------

    def tensor_array(self, code: Code, tensor: str, decline: str, writeable: bool = False) -> str:
        """The array of a plain Tensor in aligned, row-major memory."""
        cls = code.field(tensor, 8)
        with code.when(self.isnt(code, cls, "Tensor")):
            plain = code.call("i32", "PySet_Contains", f"ptr {self.table.read(code, 'plain')}", f"ptr {cls}")
            code.leave(code.op(f"icmp ne i32 {plain}, 1"), decline)
        if writeable:
            code.leave(self.is_(code, code.field(tensor, self.places.tensor["_counter"]), "unversioned"), decline)
        array = code.field(tensor, self.places.tensor["_array"])
        self.check_array(code, array, decline, writeable)
        return array

    def check_array(self, code: Code, array: str, decline: str, writeable: bool = False) -> None:
        code.leave(self.isnt(code, code.field(array, 8), "ndarray"), decline)
        flags = 0x501 if writeable else 0x101  # NPY_ARRAY_C_CONTIGUOUS, NPY_ARRAY_ALIGNED, NPY_ARRAY_WRITEABLE
        found = code.op(f"and i32 {code.field(array, 64, 'i32')}, {flags}")
        code.leave(code.op(f"icmp ne i32 {found}, {flags}"), decline)

    def rank_and_sizes(self, code: Code, array: str) -> tuple[str, str]:
        return code.op(f"sext i32 {code.field(array, 24, 'i32')} to i64"), code.field(array, 32)

    def watch(self, code: Code, tensors: list[str], decline: str) -> str:
        """Whether a node is to be recorded, after renewing views whose base has changed."""
        at = self.places.tensor
        record = code.slot("i1", "false")
        maybe = code.slot("i1", "false")
        for t in tensors:
            asks = self.is_(code, code.field(t, at["_requires_grad"]), "True")
            view = self.isnt(code, code.field(t, at["_view"]), "None")
            code.put(maybe, "i1", code.op(f"or i1 {code.get(maybe, 'i1')}, {code.op(f'or i1 {asks}, {view}')}"))
        with code.when(code.get(maybe, "i1")):
            with code.when(self.flag(code, "enabled")):
                for t in tensors:
                    code.leave(self.is_(code, code.field(t, at["_counter"]), "unversioned"), decline)  # it may not be saved
                    view = code.field(t, at["_view"])
                    with code.when(self.isnt(code, view, "None")):
                        sync = self.table.read(code, "sync")
                        done = code.op(f"call ptr (ptr, ptr, ...) @PyObject_CallMethodObjArgs(ptr {view}, ptr {sync}, ptr {t}, ptr null)")
                        with code.when(code.op(f"icmp eq ptr {done}, null")):
                            code.back("null")
                        code.call("void", "Py_DecRef", f"ptr {done}")
                        # A view made under no_grad of what requires a gradient is the general path's.
                        with code.when(self.isnt(code, code.field(t, at["_requires_grad"]), "True")):
                            base = code.call("ptr", "PyObject_GetAttr", f"ptr {view}", f"ptr {self.table.read(code, 'base')}")
                            code.call("void", "Py_DecRef", f"ptr {base}")  # the view holds it
                            code.leave(self.is_(code, code.field(base, at["_requires_grad"]), "True"), decline)
                    asks = self.is_(code, code.field(t, at["_requires_grad"]), "True")
                    code.put(record, "i1", code.op(f"or i1 {code.get(record, 'i1')}, {asks}"))
        return code.get(record, "i1")
