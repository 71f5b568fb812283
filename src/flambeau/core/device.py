"""Devices: where a tensor's memory lies. Only the CPU and `meta` (no memory at all) hold tensors here."""

from typing import Any

from .naming import public

TYPES = (
    "cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia", "xla", "lazy", "vulkan",
    "mps", "meta", "hpu", "mtia", "privateuseone",
)  # fmt: skip


_ALONE = frozenset(TYPES)


@public("torch")
class device:
    """`device("cpu")`, `device("cuda:1")`, `device("cuda", 1)`; also a context that sets the default.

    Attributes: `type` (`"cpu"`) and `index` (an int or None). Raises RuntimeError for a string that names no device, and for a number
    alone, which would mean an accelerator.
    """

    __slots__ = ("type", "index", "_entered")

    _entered: list[Any]

    def __init__(self, device: Any = None, index: int | None = None, *, type: Any = None) -> None:
        if index is None and device.__class__ is str and device in _ALONE:
            self.type, self.index, self._entered = device, None, []
            return
        device = type if device is None else device
        if index is not None and index.__class__ is not int:
            raise TypeError(f"device(): argument 'index' (position 2) must be int, not {index.__class__.__name__}")
        if index is not None and index < 0 or device.__class__ is int and device < 0:
            raise RuntimeError("Device index must not be negative")
        if isinstance(device, int) and not isinstance(device, bool):
            raise RuntimeError("Cannot access accelerator device when none is available.")
        elif hasattr(device, "type") and hasattr(device, "index"):
            kind, index = device.type, device.index if index is None else index
        elif isinstance(device, str):
            kind, colon, number = device.partition(":")
            if not kind.isidentifier() or any(c.isdigit() for c in kind):
                raise RuntimeError(f"Invalid device string: '{device}'" if device else "Device string must not be empty")
            if colon and index is not None:
                raise RuntimeError(f"type (string) must not include an index because index was passed explicitly: {device}")
            if colon:
                if not number.isdigit() or (number[0] == "0" and len(number) > 1):
                    raise RuntimeError(f"Invalid device string: '{device}'")
                index = int(number)
            if kind not in TYPES:
                raise RuntimeError(f"Expected one of {', '.join(TYPES)} device type at start of device string: {kind or device}")
        else:
            name = device.__class__.__name__
            raise TypeError(
                f"device() received an invalid combination of arguments - got ({name}), but expected one of:\n * (torch.device device)\n"
                f"      didn't match because some of the arguments have invalid types: (!{name}!)\n * (str type, int index = -1)\n"
            )
        self.type = kind
        self.index = index
        self._entered = []

    def __repr__(self) -> str:
        return f"device(type='{self.type}')" if self.index is None else f"device(type='{self.type}', index={self.index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return type(other) is device and self.type == other.type and self.index == other.index

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> Any:
        return make_device, ((self.type,) if self.index is None else (self.type, self.index))

    def __copy__(self) -> "device":
        return self

    def __deepcopy__(self, memo: Any) -> "device":
        return self

    def __enter__(self) -> "device":
        check_available(self)
        self._entered.append(DEFAULT.device)
        DEFAULT.device = self
        return self

    def __exit__(self, *exception: Any) -> None:
        DEFAULT.device = self._entered.pop()

    def __call__(self, function: Any) -> Any:
        """Used as a decorator: the function runs with this as its default device."""
        import functools

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return inside


def make_device(*arguments: Any) -> device:
    """Unpickles a device."""
    return device(*arguments)


CPU = device("cpu")
META = device("meta")


class _Default:
    __slots__ = ("device",)

    def __init__(self) -> None:
        self.device = CPU


DEFAULT = _Default()
"""Where creation functions put a tensor when no device is named."""


def check_available(where: device) -> None:
    """Raises what PyTorch's CPU build raises when a tensor is asked for on a device that is not there."""
    if where.type in ("cpu", "meta"):
        return
    if where.type == "cuda":
        raise AssertionError("Torch not compiled with CUDA enabled")
    if where.type == "xpu":
        raise AssertionError("Torch not compiled with XPU enabled")
    if where.type == "mps":
        raise RuntimeError("PyTorch is not linked with support for mps devices")
    raise RuntimeError(f"PyTorch is not linked with support for {where.type} devices")


def as_device(where: Any) -> device:
    """The device that a `device=` argument means (None: the default). Raises where it is not there."""
    if where is None:
        return DEFAULT.device
    found = where if type(where) is device else device(where)
    if found is not CPU:
        check_available(found)
    return found
