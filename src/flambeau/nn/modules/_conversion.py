"""Moving a module's tensors to another dtype, device or memory format: the functions here are methods of `Module`."""

import warnings
from typing import Any, Callable

from ...autograd.grad_mode import no_grad
from ...core import device as devices
from ...core.dtype import dtype as Dtype
from ...ops.creation import empty_like
from ...tensor import Tensor
from ..parameter import Parameter

overwrite = False
"""Whether converted parameters are always new objects; set by `torch.__future__`."""


def _apply(self: Any, fn: Callable, recurse: bool = True) -> Any:
    """Replaces every parameter, gradient and buffer `t` by `fn(t)`, children first.

    A parameter stays the same object (only its data changes) where the new data can be put into it; between real memory
    and the meta device it can't, and a new Parameter takes its place.
    """
    if recurse:
        for module in self.children():
            module._apply(fn)
    for name, parameter in self._parameters.items():
        if parameter is None:
            continue
        with no_grad():
            converted = fn(parameter)
        grad = parameter.grad
        if _fits(parameter, converted):
            parameter.data = converted
        else:
            parameter = self._parameters[name] = Parameter(converted, parameter.requires_grad)
        if grad is None:
            continue
        with no_grad():
            converted = fn(grad)
        if parameter.grad is not None and _fits(grad, converted):
            parameter.grad.data = converted
        else:
            parameter.grad = converted.requires_grad_(grad.requires_grad)
    for name, buffer in self._buffers.items():
        if buffer is not None:
            self._buffers[name] = fn(buffer)
    return self


def _fits(tensor: Any, converted: Any) -> bool:
    """Whether `tensor.data = converted` is possible and wanted."""
    return tensor.is_meta == converted.is_meta and not overwrite


def _floating(convert: Callable) -> Callable:
    return lambda t: convert(t) if t.is_floating_point() else t


def cuda(self: Any, device: Any = None) -> Any:
    """Moves all parameters and buffers to the GPU. Raises AssertionError in a build without CUDA."""
    return self._apply(lambda t: t.cuda(device))


def ipu(self: Any, device: Any = None) -> Any:
    """Moves all parameters and buffers to an IPU. Raises RuntimeError: none is supported."""
    return self._apply(lambda t: t.to("ipu" if device is None else device))


def xpu(self: Any, device: Any = None) -> Any:
    """Moves all parameters and buffers to an XPU. Raises AssertionError: none is supported."""
    return self._apply(lambda t: t.to("xpu" if device is None else device))


def mtia(self: Any, device: Any = None) -> Any:
    """Moves all parameters and buffers to an MTIA device. Raises RuntimeError: none is supported."""
    return self._apply(lambda t: t.to("mtia" if device is None else device))


def cpu(self: Any) -> Any:
    """Moves all parameters and buffers to the CPU."""
    return self._apply(lambda t: t.cpu())


def type(self: Any, dst_type: Any) -> Any:
    """Casts all parameters and buffers, integers included, to a dtype or a type by name (`"torch.DoubleTensor"`)."""
    return self._apply(lambda t: t.type(dst_type))


def float(self: Any) -> Any:
    """Casts all floating-point parameters and buffers to float32."""
    return self._apply(_floating(lambda t: t.float()))


def double(self: Any) -> Any:
    """Casts all floating-point parameters and buffers to float64."""
    return self._apply(_floating(lambda t: t.double()))


def half(self: Any) -> Any:
    """Casts all floating-point parameters and buffers to float16."""
    return self._apply(_floating(lambda t: t.half()))


def bfloat16(self: Any) -> Any:
    """Casts all floating-point parameters and buffers to bfloat16."""
    return self._apply(_floating(lambda t: t.bfloat16()))


def to_empty(self: Any, *, device: Any, recurse: bool = True) -> Any:
    """Gives all parameters and buffers new, unset memory on `device`; the way off the meta device."""
    return self._apply(lambda t: empty_like(t, device=device), recurse=recurse)


def to(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Moves or casts all parameters and buffers, in place, and returns the module.

    `to(device=None, dtype=None, non_blocking=False)`, `to(dtype)`, `to(tensor)` (its dtype and device),
    `to(memory_format=torch.channels_last)` (4- and 5-dim tensors only). Only floating-point and complex tensors are cast.
    Raises TypeError for an integer dtype.
    """
    device, dtype, non_blocking, memory_format = parse_to(*args, **kwargs)
    if dtype is not None:
        if not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}")
        if dtype.is_complex:
            warnings.warn(
                "Complex modules are a new feature under active development whose design may change, and some modules might not work as "
                "expected when using complex tensors as parameters or buffers.",
                stacklevel=2,
            )

    def convert(t: Any) -> Any:
        wanted = dtype if t.is_floating_point() or t.is_complex() else None
        layout = {"memory_format": memory_format} if memory_format is not None and t.dim() in (4, 5) else {}
        try:
            return t.to(t.device if device is None else device, t.dtype if wanted is None else wanted, non_blocking, **layout)
        except NotImplementedError as error:
            if str(error) != "Cannot copy out of meta tensor; no data!":
                raise
            raise NotImplementedError(
                f"{error} Please use torch.nn.Module.to_empty() instead of torch.nn.Module.to() when moving module from meta to a "
                "different device."
            ) from None

    return self._apply(convert)


_TO_NAMES = (("device", "dtype", "non_blocking", "copy"), ("dtype", "non_blocking", "copy"), ("tensor", "non_blocking", "copy"))


def parse_to(*args: Any, **kwargs: Any) -> tuple[Any, Any, bool, Any]:
    """The arguments of `.to()` as (device or None, dtype or None, non_blocking, memory format or None)."""
    if len(args) > 4:
        raise TypeError(f"to() takes from 0 to 4 positional arguments but {len(args)} were given")
    for names in _TO_NAMES:
        given = dict(zip(names, args))
        if len(args) > len(names) or given.keys() & kwargs.keys():
            continue
        given.update(kwargs)
        if given.keys() <= {*names, "memory_format"} and _are_to_arguments(given, names[0]):
            break
    else:
        shown = [_type_name(value) for value in args] + [f"{name}={_type_name(value)}" for name, value in kwargs.items()]
        comma = ", " if len(shown) == 1 else ""
        raise TypeError(
            f"to() received an invalid combination of arguments - got ({', '.join(shown)}{comma}), but expected one of:\n"
            " * (torch.device device = None, torch.dtype dtype = None, bool non_blocking = False, bool copy = False, *, "
            "torch.memory_format memory_format = None)\n"
            " * (torch.dtype dtype, bool non_blocking = False, bool copy = False, *, torch.memory_format memory_format = None)\n"
            " * (Tensor tensor, bool non_blocking = False, bool copy = False, *, torch.memory_format memory_format = None)\n"
        )
    if "copy" in given:
        raise RuntimeError(".to() does not accept copy argument")
    device, dtype = given.get("device"), given.get("dtype")
    if given.get("tensor") is not None:
        device, dtype = given["tensor"].device, given["tensor"].dtype
    elif isinstance(device, int):
        raise RuntimeError("Cannot access accelerator device when none is available.")
    elif device is not None:
        device = devices.device(device)
    return device, dtype, given.get("non_blocking", False), given.get("memory_format")


def _are_to_arguments(given: dict[str, Any], first: str) -> bool:
    for name, value in given.items():
        if name in ("non_blocking", "copy"):
            fits = isinstance(value, bool)
        elif name == "device":
            fits = value is None or isinstance(value, (str, devices.device)) or isinstance(value, int) and not isinstance(value, bool)
        elif name == "dtype":
            fits = isinstance(value, Dtype) or value is None and first == "device"
        elif name == "tensor":
            fits = isinstance(value, Tensor)
        else:
            fits = value is None or value.__class__.__name__ == "memory_format"
        if not fits:
            return False
    return True


def _type_name(value: Any) -> str:
    if isinstance(value, Tensor):
        return "Parameter" if isinstance(value, Parameter) else "Tensor"
    kind = value.__class__
    return f"{kind.__module__}.{kind.__name__}" if kind.__module__ == "torch" else kind.__name__
