"""`torch.utils.dlpack`: memory shared with other libraries by the DLPack standard."""

from enum import IntEnum
from typing import Any

import numpy as np

from ..ops.from_data import from_numpy
from ..tensor import Tensor

__all__ = ["DLDeviceType", "from_dlpack"]


class DLDeviceType(IntEnum):
    """The device types of the standard."""

    kDLCPU = 1
    kDLCUDA = 2
    kDLCUDAHost = 3
    kDLOpenCL = 4
    kDLVulkan = 7
    kDLMetal = 8
    kDLVPI = 9
    kDLROCM = 10
    kDLROCMHost = 11
    kDLExtDev = 12
    kDLCUDAManaged = 13
    kDLOneAPI = 14
    kDLWebGPU = 15
    kDLHexagon = 16
    kDLMAIA = 17


class _Capsule:
    """Gives a bare capsule in the standard's way."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **options: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor over the memory of another library's tensor, or of a capsule.

    Raises what the other library raises where it cannot hand over its memory, TypeError for what is neither.
    """
    if isinstance(ext_tensor, Tensor):
        return ext_tensor.clone() if copy else ext_tensor.detach()
    if type(ext_tensor).__name__ == "PyCapsule":
        ext_tensor = _Capsule(ext_tensor)
    elif not hasattr(ext_tensor, "__dlpack__"):
        raise TypeError(f"from_dlpack(): expected an object with __dlpack__ or a capsule, got {type(ext_tensor).__name__}")
    if isinstance(ext_tensor, np.ndarray):
        array = ext_tensor
    else:
        array = np.from_dlpack(ext_tensor)
        if not array.flags.writeable:
            array = _writeable(array)
    tensor = from_numpy(array.copy() if copy else array)
    return tensor if device is None else tensor.to(device)


def _writeable(array: Any) -> Any:
    """The same memory, open to changes: NumPy takes every import for read-only where the exporter's version is old."""
    strided = {**array.__array_interface__, "data": (array.__array_interface__["data"][0], False)}

    class Memory:
        __array_interface__ = strided
        owner = array

    return np.asarray(Memory())


def to_dlpack(tensor: Tensor) -> Any:
    """The tensor's memory as a capsule."""
    return tensor.__dlpack__()
