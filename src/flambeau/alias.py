"""`torch` as a second name of flambeau, for those who ask: `flambeau.alias_torch()`, `python -m flambeau run script.py`.

Both names give the same module objects. Processes that `multiprocessing` spawns from an aliased one are aliased, too.
"""

import importlib
import os.path
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from .version import TORCH

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def alias_torch() -> ModuleType:
    """From here on, `import torch` and `import torch.nn` give flambeau and `flambeau.nn`. Returns flambeau.

    `importlib.metadata.version("torch")` answers with the version of the reference. Calling it again changes nothing.
    Raises RuntimeError if the real PyTorch has been imported already: its objects and ours cannot be mixed.
    """
    flambeau = sys.modules[__package__]
    if sys.modules.get("torch", flambeau) is not flambeau:
        raise RuntimeError(
            "alias_torch(): the real PyTorch has already been imported as 'torch'. "
            "Call flambeau.alias_torch() before anything imports torch (in a notebook: restart the kernel first)."
        )
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
        for name, module in list(sys.modules.items()):
            if name == __package__ or name.startswith(f"{__package__}."):
                sys.modules["torch" + name[len(__package__) :]] = module
        _alias_spawned_processes()
    return flambeau


class _Finder:
    """Finds `torch.x.y` where `flambeau.x.y` is, and a distribution called torch."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname != "torch" and not fullname.startswith("torch."):
            return None
        import importlib.util

        ours = __package__ + fullname[len("torch") :]
        found = sys.modules.get(ours)
        if found is not None:
            origin, package = getattr(found, "__file__", None), hasattr(found, "__path__")
        else:
            spec = importlib.util.find_spec(ours)
            if spec is None:
                return None
            origin, package = spec.origin, spec.submodule_search_locations is not None
        loader: Any = _Loader(ours)
        return ModuleSpec(fullname, loader, origin=origin, is_package=package)

    def find_distributions(self, context: Any) -> list[Any]:
        """What `importlib.metadata` asks."""
        from importlib.metadata import Distribution
        from pathlib import Path

        class Torch(Distribution):
            def read_text(self, filename: str) -> str | None:
                return f"Metadata-Version: 2.1\nName: torch\nVersion: {TORCH}\n" if filename in ("METADATA", "PKG-INFO") else None

            def locate_file(self, path: Any) -> Any:
                return Path(_ROOT, path)

        return [Torch()] if context.name in (None, "torch") else []


class _Loader:
    """Gives the module called `ours`, which has another name of its own."""

    def __init__(self, ours: str) -> None:
        self.ours = ours
        self.spec: Any = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self.ours)
        self.spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec  # the import system has put the alias's spec there

    def is_package(self, fullname: str) -> bool:
        return self._own().is_package(self.ours)

    def get_code(self, fullname: str) -> Any:
        return self._own().get_code(self.ours)

    def get_source(self, fullname: str) -> str | None:
        return self._own().get_source(self.ours)

    def _own(self) -> Any:
        import importlib.util

        spec = importlib.util.find_spec(self.ours)
        return spec.loader if spec is not None else None


def _alias_spawned_processes() -> None:
    """Puts the alias into what multiprocessing hands to a new interpreter (start methods spawn and forkserver).

    That is a pickled dict, read before the parent's main module is imported there under the name `__mp_main__`.
    """
    import multiprocessing.spawn

    original = multiprocessing.spawn.get_preparation_data
    if isinstance(original, _PreparationData):
        return
    multiprocessing.spawn.get_preparation_data = _PreparationData(original)


class _PreparationData:
    """`multiprocessing.spawn.get_preparation_data` with the alias in its answer."""

    def __init__(self, original: Any) -> None:
        self.original = original

    def __call__(self, name: str) -> dict[str, Any]:
        data = self.original(name)
        if sys._getframe(1).f_globals.get("__name__") == "multiprocessing.forkserver":
            # For the fork server itself, which would import the main module without the alias; its children get it all.
            return {key: entry for key, entry in data.items() if not key.startswith("init_main")}
        return {"flambeau": _Unpickled(), **data}


class _Unpickled:
    """Unpickling it aliases torch. By builtins alone: the new process has not got our sys.path yet."""

    def __reduce__(self) -> Any:
        return exec, (f"import sys; sys.path.append({_ROOT!r}); import flambeau.alias as a; a.alias_torch(); sys.path.remove({_ROOT!r})",)
