"""Questions about a tensor, as functions and methods, and the methods that run a Python function over the elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtype as dt
from ..core.device import as_device
from ..core.dtype import SCALAR_NAMES
from ..core.layout import address, strides_of
from ..tensor import Tensor
from .definition import as_array, attach, composite


def is_tensor(obj: Any, /) -> bool:
    """Whether `obj` is a tensor."""
    return isinstance(obj, Tensor)


attach("torch.is_tensor", is_tensor)


def _expect(name: str, input: Any) -> Tensor:
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    return input


@composite("torch.is_floating_point")
def is_floating_point(input: Any) -> bool:
    """Whether the tensor's dtype is a floating-point type."""
    return _expect("is_floating_point", input).is_floating_point()


@composite("torch.is_complex")
def is_complex(input: Any) -> bool:
    """Whether the tensor's dtype is complex."""
    return _expect("is_complex", input).is_complex()


@composite("torch.is_signed")
def is_signed(input: Any) -> bool:
    """Whether the tensor's dtype holds negative numbers."""
    return _expect("is_signed", input).is_signed()


@composite("torch.is_inference")
def is_inference(input: Any) -> bool:
    """Whether the tensor was made in inference mode."""
    return _expect("is_inference", input).is_inference()


@composite("torch.numel")
def numel(input: Any) -> int:
    """The number of elements."""
    return _expect("numel", input).numel()


@composite("torch.get_device")
def get_device(input: Any) -> int:
    """The number of the tensor's CUDA device; -1 on the CPU."""
    return _expect("get_device", input).get_device()


@composite("torch.is_nonzero", "Tensor.is_nonzero")
def is_nonzero(input: Any) -> bool:
    """Whether the one element is not zero. Raises RuntimeError unless there is exactly one."""
    return bool(_expect("is_nonzero", input))


@composite("torch.is_same_size", "Tensor.is_same_size")
def is_same_size(input: Any, other: Any) -> bool:
    """Whether both have the same shape."""
    return _expect("is_same_size", input)._array.shape == other._array.shape


@composite("torch.is_conj", "Tensor.is_conj")
def is_conj(input: Any) -> bool:
    """Whether a conjugation is still to be carried out: never, as it is carried out at once."""
    _expect("is_conj", input)
    return False


@composite("torch.is_neg", "Tensor.is_neg")
def is_neg(input: Any) -> bool:
    """Whether a negation is still to be carried out: never, as it is carried out at once."""
    _expect("is_neg", input)
    return False


@composite("torch.is_distributed", "Tensor.is_distributed")
def is_distributed(input: Any) -> bool:
    """Whether the tensor is spread over processes: never."""
    _expect("is_distributed", input)
    return False


@composite("Tensor.is_set_to")
def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Whether both are the same view of the same memory."""
    a, b = self._array, tensor._array
    if a.shape != b.shape or strides_of(a) != strides_of(b) or a.dtype != b.dtype:
        return False
    return a is b if a.__class__ is not np.ndarray or b.__class__ is not np.ndarray else address(a) == address(b)


@composite("Tensor.is_pinned")
def is_pinned(self: Tensor, device: Any = None) -> bool:
    """Whether the memory is locked for transfers to an accelerator: never."""
    return False


@composite("Tensor.pin_memory")
def pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """Raises RuntimeError: there is no accelerator to lock memory for."""
    if device is not None:
        as_device(device)
    raise RuntimeError("Cannot access accelerator device when none is available.")


@composite("Tensor.xpu")
def xpu(self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = None) -> Tensor:
    """Raises AssertionError: there is no XPU."""
    raise AssertionError("Torch not compiled with XPU enabled")


@composite("Tensor.dim_order")
def dim_order(self: Tensor, *, ambiguity_check: Any = False) -> tuple[int, ...]:
    """The dimensions from the outermost in memory to the innermost.

    Raises RuntimeError with `ambiguity_check` where several orders describe the strides.
    """
    shape, strides = self._array.shape, strides_of(self._array)
    order = sorted(range(len(shape)), key=lambda d: (-strides[d], shape[d] == 1, d))
    if ambiguity_check is not False:
        seen = [strides[d] for d in order]
        if len(set(seen)) != len(seen) or 0 in seen:
            raise RuntimeError("The tensor does not have unique dim order, or cannot map to exact one of the given memory formats.")
    return tuple(order)


# --- a Python function for each element ------------------------------------------------------------------------------


def _each(self: Tensor, name: str, function: Any, others: tuple[Tensor, ...]) -> Tensor:
    if self.requires_grad:
        raise RuntimeError(f"Can't call {name}() on Variable that requires grad. Use var.detach().{name}() instead.")
    array = self._array
    if array.__class__ is not np.ndarray:
        raise TypeError(f"{name} is only implemented on CPU tensors")
    columns = [array]
    for i, other in enumerate(others, 1):
        if not isinstance(other, Tensor):
            from .arguments import type_name

            word = "other" if len(others) == 1 else "xy"[i - 1]
            raise TypeError(f"{name}(): argument '{word}' (position {i}) must be Tensor, not {type_name(other)}")
        parameter = "other" if len(others) == 1 else f"argument '{i}'"
        if other._array.dtype != array.dtype:
            expected, got = (f"torch.{SCALAR_NAMES[t.dtype]}Tensor" for t in (self, other))
            raise TypeError(f"{name}: expected {expected} for {parameter!r} (got {got})")
        columns.append(np.broadcast_to(other._array, array.shape))
    widened = [c.astype(np.float32) if c.dtype.kind == "V" else c for c in columns]
    rows = zip(*(c.reshape(-1).tolist() for c in widened))
    flat = array.flat
    for i, row in enumerate(rows):
        value = function(*row)
        if not hasattr(value, "__float__") and value.__class__ is not complex:
            raise TypeError(f"must be real number, not {type(value).__name__}")
        flat[i] = value
    return self


@composite("Tensor.apply_")
def apply_(self: Tensor, callable: Any) -> Tensor:
    """Replaces each element by `callable(element)`, in place. Raises RuntimeError where a gradient is required."""
    return _each(self, "apply_", callable, ())


@composite("Tensor.map_")
def map_(self: Tensor, tensor: Tensor, callable: Any) -> Tensor:
    """Replaces each element by `callable(element, other)`, in place; `tensor` is broadcast and has the same dtype."""
    return _each(self, "map_", callable, (tensor,))


@composite("Tensor.map2_")
def map2_(self: Tensor, x: Tensor, y: Tensor, callable: Any) -> Tensor:
    """Replaces each element by `callable(element, a, b)`, in place."""
    return _each(self, "map2_", callable, (x, y))


def _volatile(self: Tensor) -> bool:
    import warnings

    warnings.warn("volatile was removed (Variable.volatile is always False)", stacklevel=2)
    return False


attach("Tensor.name", property(lambda self: None))
attach("Tensor.volatile", property(_volatile))


def reinforce(self: Tensor, reward: Any) -> Any:
    """Was removed from PyTorch: raises RuntimeError."""
    raise RuntimeError("reinforce() was removed.\nUse torch.distributions instead.")


# --- interchange -----------------------------------------------------------------------------------------------------


def __dlpack_device__(self: Tensor) -> tuple[int, int]:
    """The device of the DLPack standard: 1, the CPU, and number 0."""
    if self._array.__class__ is not np.ndarray:
        raise ValueError(f"Unknown device type {self.device.type} for Dlpack")
    return 1, 0


def __dlpack__(self: Tensor, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: bool | None = None) -> Any:
    """A capsule by which other libraries see this memory.

    Raises BufferError for tensors that require gradients, and for dtypes that NumPy does not export (bfloat16).
    """
    if self.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    array = self._array
    if array.__class__ is not np.ndarray:
        raise ValueError(f"Unknown device type {self.device.type} for Dlpack")
    if self.dtype is dt.bfloat16:
        raise BufferError("bfloat16 cannot be exported through DLPack")
    options: dict[str, Any] = {k: v for k, v in (("max_version", max_version), ("dl_device", dl_device), ("copy", copy)) if v is not None}
    return array.__dlpack__(**options)


def __array_wrap__(self: Tensor, array: Any, context: Any = None, return_scalar: bool = False) -> Tensor:
    """What NumPy makes of its result where a tensor went in: a tensor; truth values become uint8 or bool as PyTorch has them."""
    from .from_data import from_numpy

    return from_numpy(as_array(array))


for _method in (reinforce, __dlpack_device__, __dlpack__, __array_wrap__):
    setattr(Tensor, _method.__name__, _method)
