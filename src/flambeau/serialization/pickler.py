"""Pickling for model files: storages become persistent ids, our objects get PyTorch's names.

The C pickler insists on finding a class under the name it writes, and there need not be a PyTorch to find it in.
Python's own pickler class does not insist once its `save_global` is ours; the bulk of a file never passes through it.
"""

from types import FunctionType
from typing import Any, Callable

from ..core import device as devices
from ..core import dtype as dtypes
from ..core import generator as generators
from ..core import naming, return_types, size
from ..core.storage import UntypedStorage
from ..core.typed_storage import LEGACY, TypedStorage
from ..tensor import Tensor, wrap
from . import locations
from .names import torch_name
from .rebuild import is_layout


class StorageIds:
    """Hands out persistent ids and collects the storages to be written, in the order they are met."""

    def __init__(self) -> None:
        self.storages: dict[str, UntypedStorage] = {}
        self._keys: dict[int, str] = {}
        self._dtypes: dict[int, Any] = {}

    def __call__(self, obj: Any) -> tuple | None:
        """The id of a storage, None for anything else. Raises RuntimeError where one memory is saved with two dtypes."""
        cls = type(obj)
        if cls is TypedStorage:
            untyped, dtype = obj._untyped_storage, obj.dtype
            saved_class: Any = LEGACY[obj._pickle_storage_type()]
            numel = obj._size()
        elif cls is UntypedStorage:
            untyped, dtype, saved_class, numel = obj, dtypes.uint8, UntypedStorage, obj.nbytes()
        else:
            return None
        identity = untyped._cdata
        if untyped.data_ptr() and self._dtypes.setdefault(identity, dtype) is not dtype:
            raise RuntimeError("Cannot save multiple tensors or storages that view the same data as different types")
        key = self._keys.get(identity)
        if key is None:
            key = self._keys[identity] = self._key(len(self._keys), identity)
            self.storages[key] = untyped
        return ("storage", saved_class, key, locations.location_tag(untyped), numel)

    def _key(self, count: int, identity: int) -> str:
        return str(count)


def make_pickler(pickle_module: Any, file: Any, protocol: int, persistent_id: Callable[[Any], Any]) -> Any:
    """A pickler of `pickle_module` that writes to `file`."""
    from . import _get_layout

    base = getattr(pickle_module, "_Pickler", pickle_module.Pickler)
    if not isinstance(getattr(base, "dispatch", None), dict) or not hasattr(base, "save_global"):
        return _compiled_pickler(base, file, protocol, persistent_id)

    class Pickler(base):  # type: ignore[misc, valid-type]
        dispatch = dict(base.dispatch)

        def save_global(self, obj: Any, name: str | None = None) -> None:
            named = torch_name(obj) if name is None else None
            if named is None:
                base.save_global(self, obj, name)
            else:
                self.write_name(obj, *named)

        def write_name(self, obj: Any, module: str, name: str) -> None:
            if self.proto >= 4:
                self.save(module)
                self.save(name)
                self.write(b"\x93")  # STACK_GLOBAL
            else:
                self.write(b"c" + module.encode() + b"\n" + name.encode() + b"\n")
            self.memoize(obj)

        def save_reduce(self, func: Any, args: Any, *rest: Any, obj: Any = None, **fields: Any) -> None:
            if func is dtypes.by_name:
                self.write_name(obj, "torch", args[0])
                return
            if is_layout(obj):
                func, args, rest = _get_layout, (str(obj),), ()
            func, args, rest = _torch_reduce(func, args, rest)
            base.save_reduce(self, func, args, *rest, obj=obj, **fields)

    for kind in (FunctionType, type, type(Tensor)):
        Pickler.dispatch[kind] = _named_or(base.dispatch.get(kind, base.save_global))
    pickler = Pickler(file, protocol=protocol)
    pickler.persistent_id = persistent_id
    return pickler


def _named_or(otherwise: Callable) -> Callable:
    def save(self: Any, obj: Any) -> None:
        named = torch_name(obj)
        if named is None:
            otherwise(self, obj)
        else:
            self.write_name(obj, *named)

    return save


def _torch_reduce(func: Any, args: tuple, rest: tuple) -> tuple[Any, tuple, tuple]:
    """The reduction that PyTorch has for an object whose own names our functions."""
    if func is naming.rebuild:
        from copyreg import __newobj__  # type: ignore[attr-defined]

        home, module, name, *arguments = args
        return __newobj__, (naming.find_class(module, name, home), *arguments), rest
    if func is size.make_size:
        return size.Size, args, rest
    if func is devices.make_device:
        return devices.device, args, rest
    if func is return_types.make:
        return naming.PUBLIC["torch.return_types", args[0]], (args[1], {}), rest
    if func is generators.make_generator:
        (seed, offset, array), *others = rest
        return generators.Generator, args, ((seed, offset, wrap(array)), *others)
    return func, args, rest


def _compiled_pickler(base: Any, file: Any, protocol: int, persistent_id: Callable[[Any], Any]) -> Any:
    """A pickler whose base is compiled (cloudpickle's): only `reducer_override` can be replaced, not how names are written.

    Our classes are then looked up through `naming.find_class`: such files are for flambeau alone.
    """

    class Pickler(base):
        def persistent_id(self, obj: Any) -> Any:
            return persistent_id(obj)

        def reducer_override(self, obj: Any) -> Any:
            if isinstance(obj, type) and naming.PUBLIC.get((obj.__module__, obj.__qualname__)) is obj:
                return naming.find_class, (obj.__module__, obj.__qualname__, naming._HOME[obj.__module__, obj.__qualname__])
            outer = getattr(super(), "reducer_override", None)
            return NotImplemented if outer is None else outer(obj)

    return Pickler(file, protocol=protocol)
