"""From IR text to a Python callable: llvmlite, a cache of object code on disk, and the calling convention.

A compiled kernel is a built-in function (METH_FASTCALL) that takes ndarrays and Python floats and reads data pointers
straight out of the `PyArrayObject` fields: a call costs 0.1 us, where ctypes would cost 0.5 us and the arrays' addresses
1.5 us each. What it is given is checked in Python before (see `launch.py`); it never sees anything but aligned, row-major
ndarrays of the dtypes it was compiled for.
"""

import ctypes
import hashlib
import os
import sys
import threading
from typing import Any, Callable

from . import cache

_METH_FASTCALL = 0x80
lock = threading.RLock()
"""Held while something is compiled or linked."""
_alive: list[Any] = []  # code, method definitions and names must outlive every call


class _MethodDef(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("method", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p)]


class Compiler:
    """llvmlite's target machine and linker for this process; made when the first kernel is needed."""

    def __init__(self) -> None:
        import llvmlite
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self.llvm = llvm
        self.cpu = llvm.get_host_cpu_name()
        self.features = llvm.get_host_cpu_features().flatten()
        target = llvm.Target.from_default_triple()
        self.machine = target.create_target_machine(cpu=self.cpu, features=self.features, opt=3, jit=True)
        self.lljit = llvm.create_lljit_compiler(self.machine)
        self.offered: dict[str, int] = {}
        parts = [cache.compiler_sources(), llvmlite.__version__, ".".join(map(str, llvm.llvm_version_info)), self.cpu, self.features]
        self.identity = "|".join([*parts, sys.version, _numpy_version()])

    def object_code(self, ir: str) -> bytes:
        """Optimised machine code of a module."""
        llvm = self.llvm
        module = llvm.parse_assembly(ir)
        module.verify()
        options = llvm.create_pipeline_tuning_options(speed_level=3)
        options.loop_vectorization = True
        options.slp_vectorization = False
        options.loop_interleaving = True
        builder = llvm.create_pass_builder(self.machine, options)
        builder.getModulePassManager().run(module, builder)
        return self.machine.emit_object(module)

    def link(self, code: bytes, name: str, *symbols: str) -> list[int]:
        """The addresses of `symbols` in object code; what it calls itself is the process's, the pool of `threads.py`, or offered."""
        library = self.llvm.JITLibraryBuilder().add_object_img(code).add_current_process()
        for symbol in symbols:
            library.export_symbol(symbol)
        if b"flambeau_parallel" in code and "flambeau_parallel" not in symbols:
            from .threads import symbols as of_the_pool

            for imported, address in of_the_pool().items():
                library.import_symbol(imported, address)
        for offered, address in self.offered.items():
            if offered not in symbols and offered.encode() in code:
                library.import_symbol(offered, address)
        resource = library.link(self.lljit, name)
        _alive.append(resource)
        return [resource[symbol] for symbol in symbols]


def _numpy_version() -> str:
    import numpy

    return numpy.__version__


_compiler: Compiler | None = None


def compiler() -> Compiler:
    """The process's compiler."""
    global _compiler
    if _compiler is None:
        with lock:
            if _compiler is None:
                _compiler = Compiler()
    return _compiler


def cached_object(ir: str) -> bytes:
    """Object code of a module, from the disk where a former process left it."""
    made = compiler()
    key = hashlib.sha256(f"{made.identity}\n{ir}".encode()).hexdigest()
    code = cache.read(key)
    if code is None:
        code = made.object_code(ir)
        cache.write(key, code)
    return code


def python_function(ir: str, name: str) -> Callable[..., Any]:
    """The built-in function whose body is `@<name>` in the module: `ptr (ptr self, ptr args, i64 count)`."""
    return python_functions(ir, name)[0]


def python_functions(ir: str, *names: str, offers: tuple[str, ...] = ()) -> list[Callable[..., Any]]:
    """The built-in functions that one module holds. offers: functions in it that modules linked later may call by name."""
    with lock:
        addresses = compiler().link(cached_object(ir), f"{names[0]}.{len(_alive)}", *names, *offers)
        compiler().offered |= zip(offers, addresses[len(names) :])
        make = ctypes.pythonapi.PyCFunction_NewEx
        make.restype = ctypes.py_object
        make.argtypes = [ctypes.POINTER(_MethodDef), ctypes.c_void_p, ctypes.c_void_p]
        made = []
        for name, address in zip(names, addresses):
            text = name.encode()
            definition = _MethodDef(text, address, _METH_FASTCALL, None)
            _alive.extend((text, definition))
            made.append(make(ctypes.byref(definition), None, None))
        return made


def native_functions(ir: str, name: str, table: list[int], functions: list[str], methods: list[str]) -> dict[str, Any]:
    """What a module of machine code offers: `functions` as built-ins, `methods` as addresses for `method_descriptor`.

    The module's `@table` is filled with addresses of objects, which the caller keeps alive.
    """
    with lock:
        place, *addresses = compiler().link(cached_object(ir), f"{name}.{len(_alive)}", "table", *functions, *methods)
        (ctypes.c_uint64 * len(table)).from_address(place)[:] = table
        made: dict[str, Any] = dict(zip(functions + methods, addresses))
        make = ctypes.pythonapi.PyCFunction_NewEx
        make.restype = ctypes.py_object
        make.argtypes = [ctypes.POINTER(_MethodDef), ctypes.c_void_p, ctypes.c_void_p]
        for function in functions:
            made[function] = make(ctypes.byref(_definition(name, made[function])), None, None)
        return made


def method_descriptor(cls: type, name: str, address: int) -> Any:
    """A method of a class whose code is a METH_FASTCALL function."""
    make = ctypes.pythonapi.PyDescr_NewMethod
    make.restype = ctypes.py_object
    make.argtypes = [ctypes.py_object, ctypes.POINTER(_MethodDef)]
    return make(cls, ctypes.byref(_definition(name, address)))


def _definition(name: str, address: int) -> _MethodDef:
    text = name.encode()
    definition = _MethodDef(text, address, _METH_FASTCALL, None)
    _alive.extend((text, definition))
    return definition


def available() -> bool:
    """Whether kernels can be compiled here: llvmlite, CPython with its usual object header, and nobody forbade it."""
    if os.environ.get("FLAMBEAU_KERNELS", "") == "numpy":
        return False
    if sys.implementation.name != "cpython" or not getattr(sys, "_is_gil_enabled", lambda: True)():
        return False
    try:
        import llvmlite  # noqa: F401
    except ImportError:
        import warnings

        warnings.warn("llvmlite is not installed: flambeau computes with NumPy alone, at reduced speed.", stacklevel=2)
        return False
    return _fields_agree()


def _fields_agree() -> bool:
    """Whether ndarrays keep their data pointer, rank and dimensions where the kernels look for them."""
    import numpy

    probe = numpy.zeros((3, 5), numpy.float32)
    words = (ctypes.c_int64 * 9).from_address(id(probe))
    if words[1] != id(numpy.ndarray) or words[2] != probe.ctypes.data or (words[3] & 0xFFFFFFFF) != 2:
        return False
    if words[7] != id(probe.dtype) or (words[8] & 0xFFFFFFFF) != probe.flags.num:
        return False
    some = [probe, probe]
    size, items = (ctypes.c_int64 * 2).from_address(id(some) + 16)
    if size != 2 or ctypes.c_int64.from_address(items).value != id(probe):
        return False
    sizes = (ctypes.c_int64 * 2).from_address(words[4])
    number = 2.5
    return (sizes[0], sizes[1]) == (3, 5) and ctypes.c_double.from_address(id(number) + 16).value == 2.5
