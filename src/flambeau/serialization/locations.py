"""Where a file says that storages lie, and where they are put: location tags and `map_location`."""

import re
from typing import Any, Callable

from ..core.device import device
from ..core.storage import UntypedStorage

Tagger = Callable[[Any], str | None]
Deserializer = Callable[[Any, str], Any]

_registry: list[tuple[int, Tagger, Deserializer]] = []


def register_package(priority: int, tagger: Tagger, deserializer: Deserializer) -> None:
    """Adds a kind of location: `tagger(storage)` names it, `deserializer(storage, location)` moves a storage there.

    Either returns None for what it does not know. They are asked by ascending `priority`; the CPU has 10.
    """
    _registry.append((priority, tagger, deserializer))
    _registry.sort(key=lambda entry: entry[0])


def location_tag(storage: Any) -> str:
    """The name of the place of `storage` (`"cpu"`). Raises RuntimeError where no tagger knows it."""
    for _, tagger, _ in _registry:
        location = tagger(storage)
        if location:
            return location
    raise RuntimeError(f"don't know how to determine data location of {_typename(storage)}")


def default_restore_location(storage: Any, location: str) -> Any:
    """`storage` moved to `location`. Raises RuntimeError where that place is not there, or unknown."""
    for _, _, deserializer in _registry:
        result = deserializer(storage, location)
        if result is not None:
            return result
    raise RuntimeError(f"don't know how to restore data location of {_typename(storage)} (tagged with {location})")


def restorer(map_location: Any) -> Deserializer:
    """The function that puts a storage where `map_location` (of `torch.load`) wants it."""
    if map_location is None:
        return default_restore_location
    if isinstance(map_location, dict):
        return lambda storage, location: default_restore_location(storage, map_location.get(location, location))
    if isinstance(map_location, (str, bytes)):
        return lambda storage, location: default_restore_location(storage, map_location)  # type: ignore[arg-type]
    if isinstance(map_location, device):
        return lambda storage, location: default_restore_location(storage, str(map_location))

    def restore(storage: Any, location: str) -> Any:
        result = map_location(storage, location)
        return default_restore_location(storage, location) if result is None else result

    return restore


def is_meta(map_location: Any) -> bool:
    """Whether everything is certain to land on the meta device, so that no data need be read."""
    return map_location == "meta" if isinstance(map_location, str) else isinstance(map_location, device) and map_location.type == "meta"


def _typename(storage: Any) -> str:
    return f"{type(storage).__module__}.{type(storage).__qualname__}"


def _cpu_tag(storage: Any) -> str | None:
    return "cpu" if storage.device.type == "cpu" else None


def _meta_tag(storage: Any) -> str | None:
    return "meta" if storage.device.type == "meta" else None


def _to_cpu(storage: Any, location: str) -> Any:
    return storage if location == "cpu" else None


def _to_meta(storage: Any, location: str) -> Any:
    return UntypedStorage.on_meta(storage.nbytes()) if location == "meta" else None


def _to_mps(storage: Any, location: str) -> Any:
    if location.startswith("mps"):
        raise RuntimeError(f"torch.UntypedStorage(): Storage device not recognized: {location}")


def _to_accelerator(kind: str, registered: bool) -> Deserializer:
    def deserialize(storage: Any, location: str) -> None:
        if location == kind or re.match(f"{kind}(:|[0-9]+)", location):
            validate(kind, registered)

    return deserialize


def validate(kind: str, registered: bool = True) -> int:
    """Raises RuntimeError: flambeau runs on the CPU alone. (The index of the device, were it there.)"""
    problem = (
        f"Attempting to deserialize object on a {kind.upper()} device but torch.{kind}.is_available() is False."
        if registered
        else f"The {kind.upper()} device module is not registered."
    )
    raise RuntimeError(
        f"{problem} If you are running on a CPU-only machine, please use torch.load with map_location=torch.device('cpu') to map your "
        "storages to the CPU."
    )


def _no_tag(storage: Any) -> None:
    return None


register_package(10, _cpu_tag, _to_cpu)
register_package(20, _no_tag, _to_accelerator("cuda", True))
register_package(21, _no_tag, _to_mps)
register_package(22, _meta_tag, _to_meta)
register_package(23, _no_tag, _to_accelerator("privateuseone", False))
register_package(24, _no_tag, _to_accelerator("hpu", False))
register_package(25, _no_tag, _to_accelerator("xpu", True))
register_package(26, _no_tag, _to_accelerator("mtia", True))
