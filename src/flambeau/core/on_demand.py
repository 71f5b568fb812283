"""Packages whose files are imported when one of their names is first asked for, so that importing the package is quick."""

from importlib import import_module
from typing import Any, Callable

from .missing import missing_name


def names_on_demand(package: str, files: dict[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package: `files` says which names each of its files holds; a file may be asked for as well.

    `dir()` of the package lists them all. Raises AttributeError for any other name.
    """
    file_of = {name: file for file, names in files.items() for name in names.split()}
    missing = missing_name(package)
    public = import_module(package).__dict__

    def __getattr__(name: str) -> Any:
        file = file_of.get(name)
        if file is not None:
            found = public[name] = getattr(import_module(f"{package}.{file}"), name)
            return found
        return import_module(f"{package}.{name}") if name in files else missing(name)

    public.setdefault("__dir__", lambda: sorted({*public, *file_of, *files}))
    return __getattr__
