"""`torch.types`: names for annotations."""

import os
from builtins import bool as _bool
from builtins import bytes as _bytes
from builtins import float as _float
from builtins import int as _int
from builtins import str as _str
from collections.abc import Sequence
from typing import IO, Any, Union

from ._symbolic import SymBool, SymFloat, SymInt
from .core.device import device as _device
from .core.dtype import dtype as _dtype
from .core.size import Size
from .core.typed_storage import TypedStorage, UntypedStorage
from .tensor import Tensor

__all__ = ["Number", "Device", "FileLike", "Storage"]

py_sym_types = (SymInt, SymFloat, SymBool)
Number = Union[_int, _float, _bool]
Device = Union[_device, _str, _int, None]
FileLike = Union[_str, os.PathLike[_str], IO[_bytes]]
Storage = Union[UntypedStorage, TypedStorage]
_TensorOrTensors = Union[Tensor, Sequence[Tensor]]
_TensorOrTensorsOrGradEdge = Any
_size = Union[Size, list[_int], tuple[_int, ...]]
_symsize = Union[Size, Sequence[_int]]
_dispatchkey = Union[_str, Any]
_qscheme = Any
_prims_dtype = _dtype
