"""Making ndarrays from machine code: NumPy's C function for it, and the objects that such code compares with."""

import ctypes
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np

_NEW_FROM_DESCR = 94  # PyArray_NewFromDescr in NumPy's table of C functions


def _pointer(address: int) -> int:
    return ctypes.c_void_p.from_address(address).value or 0


@lru_cache(None)
def array_objects() -> dict[str, Any]:
    """The class of arrays and the dtypes that machine code knows, and an array to probe."""
    return {
        "ndarray": np.ndarray, "f32": np.dtype(np.float32), "f64": np.dtype(np.float64), "bool": np.dtype(np.bool_),
        "example": np.zeros((), np.float32),
    }  # fmt: skip


def _table() -> int:
    """The address of NumPy's table of C functions."""
    core: Any = import_module("numpy._core._multiarray_umath")

    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(get(core._ARRAY_API, None))


@lru_cache(None)
def array_maker() -> int:
    """The address of PyArray_NewFromDescr; 0 where NumPy's table or the fields of arrays are not as expected."""
    table = _table()
    if _pointer(table + 2 * 8) != id(np.ndarray):
        return 0
    address = _pointer(table + _NEW_FROM_DESCR * 8)
    make = ctypes.PYFUNCTYPE(
        ctypes.py_object, ctypes.py_object, ctypes.py_object, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p,
        ctypes.c_int, ctypes.c_void_p,
    )(address)  # fmt: skip
    sizes = (ctypes.c_ssize_t * 2)(2, 3)
    descr = np.dtype(np.float64)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(descr))  # the call takes one reference over
    made = make(np.ndarray, descr, 2, ctypes.addressof(sizes), None, None, 0, None)
    flags = ctypes.c_int.from_address(id(made) + 64).value
    agree = made.shape == (2, 3) and made.dtype is descr and _pointer(id(made) + 56) == id(descr) and flags & 0x501 == 0x501
    return address if agree else 0


_SET_BASE_OBJECT = 282  # PyArray_SetBaseObject in the same table


def base_setter() -> int:
    """The address of PyArray_SetBaseObject, by which a view keeps the array that owns its memory."""
    return _pointer(_table() + _SET_BASE_OBJECT * 8)
