"""Arrays of half precision whose operators are our kernels: what backward formulas compute with.

NumPy's own operators are slow on them, and the operators of bfloat16 with Python's numbers give float32. Here each operation
computes in float32 and rounds once. A number is rounded first, unless it multiplies or divides.
"""

from typing import Any, Callable

import numpy as np

from ..core.promotion import operands
from . import elementwise as k
from .pointwise import LOW

ndarray = np.ndarray


class Half(ndarray):
    """A view of an array of half precision with these operators."""

    __slots__ = ()

    def __neg__(self) -> Any:
        return k.negative(self.view(ndarray)).view(Half)

    def __abs__(self) -> Any:
        return k.absolute(self.view(ndarray)).view(Half)


def seen(x: Any) -> Any:
    """The array with these operators if it is of half precision; all else as it is."""
    if x.__class__ is ndarray:
        return x.view(Half) if x.dtype.char in LOW else x
    if x.__class__ is list or x.__class__ is tuple:
        return x.__class__([seen(y) for y in x])
    return x


def bare(x: Any) -> Any:
    """The array itself."""
    if x.__class__ is Half:
        base = x.base
        if base.__class__ is ndarray and base.shape == x.shape and base.strides == x.strides and base.dtype is x.dtype:
            return base  # one array has one identity: who may write into it depends on that
        return x.view(ndarray)
    if x.__class__ is list or x.__class__ is tuple and type(x) is tuple:
        return x.__class__([bare(y) for y in x])
    return x


def _operator(kernel: Callable[..., Any], rounds: bool, reflected: bool = False) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        a = self.view(ndarray)
        b = other.view(ndarray) if other.__class__ is Half else other
        if b.__class__ is not ndarray or b.dtype is not a.dtype:
            if b.__class__ is not ndarray and not isinstance(b, (int, float)):
                return NotImplemented
            a, b, final = operands(a, b, rounds)
            if final is not None:
                if reflected:
                    a, b = b, a
                return seen(k.beside_scalar(kernel, a, b, final, rounds))
        result = kernel(b, a) if reflected else kernel(a, b)
        return result.view(Half) if result.dtype is self.dtype else result

    return method


for _name, _kernel, _rounds in (
    ("add", k.add, True), ("sub", k.subtract, True), ("mul", k.multiply, False), ("truediv", k.divide, False), ("pow", k.power, True),
):  # fmt: skip
    setattr(Half, f"__{_name}__", _operator(_kernel, _rounds))
    setattr(Half, f"__r{_name}__", _operator(_kernel, True, True))
for _name, _kernel in (
    ("eq", k.equal), ("ne", k.not_equal), ("lt", k.less), ("le", k.less_equal), ("gt", k.greater), ("ge", k.greater_equal),
):  # fmt: skip
    setattr(Half, f"__{_name}__", _operator(_kernel, True))
