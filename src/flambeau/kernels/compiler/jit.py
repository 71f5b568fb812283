"""From IR text to a Python callable: llvmlite, a cache of object code on disk, and the calling convention.

A compiled kernel is a built-in function (METH_FASTCALL) that takes ndarrays and Python floats and reads data pointers
straight out of the `PyArrayObject` fields: a call costs 0.1 us, where ctypes would cost 0.5 us and the arrays' addresses
1.5 us each. What it is given has been checked in Python (see `launch.py`) or is checked by itself (products, groups of arrays): it
reads nothing but aligned ndarrays of the dtypes that it was compiled for, row-major or as the plan of a walk says.
"""

import ctypes
import functools
import hashlib
import itertools
import os
import sys
import threading
from typing import Any, Callable

from . import cache, square_root
from .loader import load
from .machine import identity

_METH_FASTCALL = 0x80
lock = threading.RLock()
"""Held while something is compiled or linked."""
_numbers = itertools.count().__next__  # llvmlite's linker wants names of its own for libraries


class _MethodDef(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("method", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p)]


class Compiler:
    """llvmlite's target machine and linker for this process; made when the first kernel is compiled."""

    def __init__(self) -> None:
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self.llvm = llvm
        self.cpu = llvm.get_host_cpu_name()
        self.features = llvm.get_host_cpu_features().flatten()
        target = llvm.Target.from_default_triple()
        self.machine = target.create_target_machine(cpu=self.cpu, features=self.features, opt=3, jit=True)
        self.lljit = llvm.create_lljit_compiler(self.machine)
        _keep(self.lljit)

    def object_code(self, ir: str, loops: bool = True) -> bytes:
        """Optimised machine code of a module. loops: whether LLVM is to make vector code of them.

        Where vectors are written out, three passes are as good as all of them, which take forty times as long.
        """
        llvm = self.llvm
        rooted = square_root.NAME in ir
        module = llvm.parse_assembly(ir + square_root.definitions() if rooted else ir)
        module.verify()
        options = llvm.create_pipeline_tuning_options(speed_level=3)
        options.loop_vectorization = options.loop_interleaving = options.loop_unrolling = loops
        options.slp_vectorization = False
        builder = llvm.create_pass_builder(self.machine, options)
        if loops:
            passes = builder.getModulePassManager()
        else:
            passes = llvm.create_new_module_pass_manager()
            passes.add_sroa_pass()
            passes.add_instruction_combine_pass()
            passes.add_simplify_cfg_pass()
        passes.run(module, builder)
        if rooted:
            late = llvm.create_new_module_pass_manager()
            late.add_always_inliner_pass()
            late.run(module, builder)
        return self.machine.emit_object(module)

    def link(self, code: bytes, name: str, symbols: tuple[str, ...]) -> list[int]:
        """The addresses of `symbols` in object code of a kind that `loader.py` does not take."""
        library = self.llvm.JITLibraryBuilder().add_object_img(code).add_current_process()
        for symbol in symbols:
            library.export_symbol(symbol)
        if b"flambeau_parallel" in code and "flambeau_parallel" not in symbols:
            for imported, address in _of_the_pool().items():
                library.import_symbol(imported, address)
        for offered_name, address in offered.items():
            if offered_name not in symbols and offered_name.encode() in code:
                library.import_symbol(offered_name, address)
        resource = library.link(self.lljit, name)
        _keep(resource)
        return [resource[symbol] for symbol in symbols]


offered: dict[str, int] = {}
"""Functions of modules that modules linked later may call by name."""


def _of_the_pool() -> dict[str, int]:
    from .threads import symbols

    return symbols()


def link(code: bytes, name: str, *symbols: str) -> list[int]:
    """The addresses of `symbols` in object code; what it calls itself is offered, the pool of `threads.py`, or the process's."""
    return load(code, symbols, _address) or compiler().link(code, name, symbols)


def _address(symbol: str) -> int:
    """Where a function lies that object code calls."""
    if symbol in offered:
        return offered[symbol]
    if symbol == "flambeau_parallel":
        return _of_the_pool()[symbol]
    for library in _libraries():
        try:
            return ctypes.cast(library[symbol], ctypes.c_void_p).value or 0
        except AttributeError:
            continue
    raise RuntimeError(f"compiled code calls {symbol}, which this process does not have")


@functools.cache
def _libraries() -> list[ctypes.CDLL]:
    """Where functions of Python and the C library are looked for."""
    found = [ctypes.CDLL(None)]
    try:
        found.append(ctypes.CDLL("libm.so.6"))  # a Python need not be linked with the mathematics library
    except OSError:
        pass
    return found


_compiler: Compiler | None = None


def compiler() -> Compiler:
    """The process's compiler."""
    global _compiler
    if _compiler is None:
        with lock:
            if _compiler is None:
                _compiler = Compiler()
    return _compiler


def cached_object(ir: str, loops: bool = True) -> bytes:
    """Object code of a module, from the disk where a former process left it. loops: see `Compiler.object_code`."""
    key = hashlib.sha256(f"{identity()}|{loops}\n{ir}".encode()).hexdigest()
    code = cache.read(key)
    if code is None:
        code = compiler().object_code(ir, loops)
        cache.write(key, code)
    return code


def python_function(ir: str, name: str) -> Callable[..., Any]:
    """The built-in function whose body is `@<name>` in the module: `ptr (ptr self, ptr args, i64 count)`."""
    return python_functions(ir, name)[0]


def python_functions(ir: str, *names: str, offers: tuple[str, ...] = (), loops: bool = True) -> list[Callable[..., Any]]:
    """The built-in functions that one module holds. offers: functions in it that modules linked later may call by name.

    loops: whether LLVM is to make vector code of loops; not where vectors are written out.
    """
    with lock:
        addresses = link(cached_object(ir, loops), f"{names[0]}.{_numbers()}", *names, *offers)
        offered.update(zip(offers, addresses[len(names) :]))
        return [_built_in(name, address) for name, address in zip(names, addresses)]


def native_functions(ir: str, name: str, table: list[int], functions: list[str], methods: list[str]) -> dict[str, Any]:
    """What a module of machine code offers: `functions` as built-ins, `methods` as addresses for `method_descriptor`.

    The module's `@table` is filled with addresses of objects, which the caller keeps alive.
    """
    with lock:
        place, *addresses = link(cached_object(ir), f"{name}.{_numbers()}", "table", *functions, *methods)
        ctypes.memmove(place, (ctypes.c_uint64 * len(table))(*table), 8 * len(table))
        made: dict[str, Any] = dict(zip(functions + methods, addresses))
        for function in functions:
            made[function] = _built_in(name, made[function])
        return made


def _built_in(name: str, address: int) -> Callable[..., Any]:
    """A built-in function whose code is a METH_FASTCALL function."""
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype = ctypes.py_object
    make.argtypes = [ctypes.POINTER(_MethodDef), ctypes.c_void_p, ctypes.c_void_p]
    return make(ctypes.byref(_definition(name, address)), None, None)


def method_descriptor(cls: type, name: str, address: int) -> Any:
    """A method of a class whose code is a METH_FASTCALL function."""
    make = ctypes.pythonapi.PyDescr_NewMethod
    make.restype = ctypes.py_object
    make.argtypes = [ctypes.py_object, ctypes.POINTER(_MethodDef)]
    return make(cls, ctypes.byref(_definition(name, address)))


def _definition(name: str, address: int) -> _MethodDef:
    text = name.encode()
    definition = _MethodDef(text, address, _METH_FASTCALL, None)
    _keep(text)
    _keep(definition)
    return definition


def _keep(thing: Any) -> None:
    """Keeps an object until the process is gone: functions look at their definitions, and run, while Python takes modules down."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


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
