"""`flambeau run`: a script or a module as `__main__`, as `python` itself would run it, with flambeau as `torch`."""

import importlib.machinery
import importlib.util
import io
import os
import sys
from types import CodeType, ModuleType
from typing import Any, Callable

from ..alias import alias_torch


def run_script(path: str, arguments: list[str]) -> int:
    """`python path arguments...`; a folder or a zip file with a `__main__.py` will do. Returns the exit status."""
    alias_torch()
    sys.argv = [path, *arguments]
    absolute = os.path.abspath(path)
    spec = importlib.machinery.PathFinder.find_spec("__main__", [absolute])  # None unless it is a folder or a zip file
    if spec is not None:
        set_first_path(absolute)
        return run_spec(spec)
    try:
        with io.open_code(absolute) as file:
            source = file.read()
    except OSError as error:
        return complain(f"can't open file {absolute!r}: [Errno {error.errno}] {error.strerror}", 2)
    set_first_path(os.path.dirname(os.path.realpath(path)))
    loader = importlib.machinery.SourceFileLoader("__main__", absolute)
    names = {"__file__": absolute, "__cached__": None, "__loader__": loader, "__package__": None, "__spec__": None}
    return run_main(lambda: compile(source, absolute, "exec", dont_inherit=True), names)


def run_module(name: str, arguments: list[str]) -> int:
    """`python -m name arguments...`. Returns the exit status."""
    alias_torch()
    sys.argv = ["-m", *arguments]
    set_first_path(os.getcwd())
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            package, spec = name, importlib.util.find_spec(f"{name}.__main__")
            if spec is None:
                return complain(f"No module named {package}.__main__; {package!r} is a package and cannot be directly executed", 1)
    except ModuleNotFoundError as error:
        return complain(f"Error while finding module specification for {name!r} ({type(error).__name__}: {error})", 1)
    if spec is None:
        return complain(f"No module named {name}", 1)
    sys.argv[0] = spec.origin or name
    return run_spec(spec)


def run_spec(spec: importlib.machinery.ModuleSpec) -> int:
    """Runs the code that a spec finds."""
    loader: Any = spec.loader
    names = {"__file__": spec.origin, "__cached__": spec.cached, "__loader__": loader, "__package__": spec.parent, "__spec__": spec}
    return run_main(lambda: loader.get_code(spec.name), names)


def run_main(code: Callable[[], CodeType], names: dict[str, Any]) -> int:
    """Executes the code in a new module `__main__`. An exception is shown without the frames of this file."""
    main = ModuleType("__main__")
    main.__dict__.update(names, __annotations__={}, __builtins__=sys.modules["builtins"])
    sys.modules["__main__"] = main
    try:
        exec(code(), main.__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        traceback = error.__traceback__
        while traceback is not None and traceback.tb_frame.f_globals is not main.__dict__:
            traceback = traceback.tb_next
        sys.excepthook(type(error), error.with_traceback(traceback), traceback)
        sys.excepthook = lambda *shown: None  # the interpreter ends as after any exception, but has nothing more to show
        raise
    return 0


def set_first_path(folder: str) -> None:
    """`folder` takes the place in `sys.path` that Python has given to its own command's folder, unless told not to (-P)."""
    if not sys.flags.safe_path:
        sys.path[0] = folder


def complain(message: str, status: int) -> int:
    """What `python` says when there is nothing to run."""
    print(f"{sys.executable}: {message}", file=sys.stderr)
    return status
