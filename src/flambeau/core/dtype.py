"""PyTorch's dtypes, each with the NumPy dtype that stores it."""

from typing import Any

import ml_dtypes
import numpy as np

from .naming import public


@public("torch")
class dtype:
    """The type of a tensor's elements.

    Attributes: `name` (`"float32"`), `numpy` (the NumPy dtype), `itemsize` (bytes), `is_floating_point`, `is_complex`,
    `is_signed`, and `kind`, the rank of its category in promotion: 0 bool, 1 integer, 2 floating point, 3 complex.
    """

    __slots__ = ("name", "numpy", "itemsize", "is_floating_point", "is_complex", "is_signed", "kind")

    def __init__(self, name: str, numpy: Any, kind: int) -> None:
        self.name = name
        self.numpy = np.dtype(numpy)
        self.itemsize = self.numpy.itemsize
        self.kind = kind
        self.is_floating_point = kind == 2
        self.is_complex = kind == 3
        self.is_signed = kind >= 2 or name.startswith("int")

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> Any:
        return by_name, (self.name,)

    def __copy__(self) -> "dtype":
        return self

    def __deepcopy__(self, memo: Any) -> "dtype":
        return self

    def to_real(self) -> "dtype":
        """The dtype of the real part; itself unless complex."""
        return {complex64: float32, complex128: float64}.get(self, self)

    def to_complex(self) -> "dtype":
        """The complex dtype whose parts are this one; itself if complex."""
        return {float32: complex64, float64: complex128, float16: complex64, bfloat16: complex64}.get(self, self)


bool = dtype("bool", np.bool_, 0)
uint8 = dtype("uint8", np.uint8, 1)
uint16 = dtype("uint16", np.uint16, 1)
uint32 = dtype("uint32", np.uint32, 1)
uint64 = dtype("uint64", np.uint64, 1)
int8 = dtype("int8", np.int8, 1)
int16 = dtype("int16", np.int16, 1)
int32 = dtype("int32", np.int32, 1)
int64 = dtype("int64", np.int64, 1)
float16 = dtype("float16", np.float16, 2)
bfloat16 = dtype("bfloat16", ml_dtypes.bfloat16, 2)
float32 = dtype("float32", np.float32, 2)
float64 = dtype("float64", np.float64, 2)
complex64 = dtype("complex64", np.complex64, 3)
complex128 = dtype("complex128", np.complex128, 3)

DTYPES = (bool, uint8, uint16, uint32, uint64, int8, int16, int32, int64, float16, bfloat16, float32, float64, complex64, complex128)

ALIASES = {
    "half": float16, "float": float32, "double": float64, "short": int16, "int": int32, "long": int64,
    "cfloat": complex64, "cdouble": complex128,
}  # fmt: skip
"""PyTorch's second names of dtypes."""

OF_NUMPY: dict[Any, dtype] = {d.numpy: d for d in DTYPES}
"""The dtype that a NumPy dtype stores; a NumPy dtype that PyTorch has none for is absent."""

SCALAR_NAMES = {
    bool: "Bool", uint8: "Byte", uint16: "UInt16", uint32: "UInt32", uint64: "UInt64", int8: "Char", int16: "Short",
    int32: "Int", int64: "Long", float16: "Half", bfloat16: "BFloat16", float32: "Float", float64: "Double",
    complex64: "ComplexFloat", complex128: "ComplexDouble",
}  # fmt: skip
"""The names that PyTorch's error messages and storage classes use."""


def by_name(name: str) -> dtype:
    """The dtype called `name` (`"float32"`)."""
    return next(d for d in DTYPES if d.name == name)


def of_array(array: Any) -> dtype:
    """The dtype of a NumPy array. Raises TypeError where PyTorch has none, in PyTorch's words."""
    found = OF_NUMPY.get(array.dtype)
    if found is None:
        found = OF_NUMPY.get(array.dtype.newbyteorder("=")) if array.dtype.kind in "biufc" else None
    if found is None:
        raise TypeError(
            f"can't convert np.ndarray of type {array.dtype.type.__module__}.{array.dtype.type.__name__}. The only supported types are: "
            "float64, float32, float16, complex64, complex128, int64, int32, int16, int8, uint64, uint32, uint16, uint8, and bool."
        )
    return found


class _Default:
    """The process-wide default dtype of floating-point results."""

    __slots__ = ("dtype", "complex")

    def __init__(self) -> None:
        self.dtype = float32
        self.complex = complex64


DEFAULT = _Default()


def get_default_dtype() -> dtype:
    """The dtype that creation functions give to Python floats: float32 unless set otherwise."""
    return DEFAULT.dtype


def set_default_dtype(d: dtype) -> None:
    """Sets the default floating-point dtype. Raises TypeError unless `d` is a floating-point dtype."""
    if not isinstance(d, dtype):
        raise TypeError("invalid dtype object: only floating-point types are supported as the default type")
    if not d.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    DEFAULT.dtype = d
    DEFAULT.complex = complex128 if d is float64 else complex64
