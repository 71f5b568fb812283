"""`finfo` and `iinfo`: what the numbers of a dtype can hold."""

from typing import Any

from . import dtype as dt
from .naming import public

_FLOATS = {
    dt.float16: (0.001, 65504.0, 2.0**-10, 2.0**-14),
    dt.bfloat16: (0.01, 3.3895313892515355e38, 2.0**-7, 2.0**-126),
    dt.float32: (1e-06, 3.4028234663852886e38, 2.0**-23, 2.0**-126),
    dt.float64: (1e-15, 1.7976931348623157e308, 2.0**-52, 2.0**-1022),
}
"""Per dtype: resolution, largest number, distance from 1 to the next number, smallest normal number."""


def _asked(type: Any, name: str) -> dt.dtype:
    if not isinstance(type, dt.dtype):
        raise TypeError(f"{name}(): argument 'type' (position 1) must be torch.dtype, not {type.__class__.__name__}")
    return type


class _Info:
    """What both have in common; equal where dtypes are."""

    __slots__ = ("_dtype",)
    __hash__ = None  # type: ignore[assignment]  # what compares equal by value is no key
    _dtype: dt.dtype

    @property
    def bits(self) -> int:
        """The size of one number."""
        return 8 * self._dtype.itemsize

    @property
    def dtype(self) -> str:
        """The name of the dtype."""
        return self._dtype.name

    def __eq__(self, other: object) -> Any:
        return self._dtype is other._dtype if type(other) is type(self) else NotImplemented

    def __reduce__(self) -> Any:
        return _make, (type(self).__name__, self._dtype)


@public("torch")
class finfo(_Info):
    """`finfo(dtype)`: the limits of a floating-point dtype (of the parts, if complex); without an argument, of the default one.

    Attributes: `bits`, `eps`, `max`, `min`, `tiny` and `smallest_normal`, `resolution`, `dtype`. Raises TypeError for integers.
    """

    __slots__ = ()

    def __init__(self, type: Any = None) -> None:
        found = dt.get_default_dtype() if type is None else _asked(type, "finfo").to_real()
        if found not in _FLOATS:
            raise TypeError("torch.finfo() requires a floating point input type. Use torch.iinfo to handle 'torch.finfo'")
        self._dtype = found

    resolution = property(lambda self: _FLOATS[self._dtype][0])
    max = property(lambda self: _FLOATS[self._dtype][1])
    min = property(lambda self: -_FLOATS[self._dtype][1])
    eps = property(lambda self: _FLOATS[self._dtype][2])
    smallest_normal = tiny = property(lambda self: _FLOATS[self._dtype][3])

    def __repr__(self) -> str:
        names = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        return f"finfo({', '.join(f'{name}={getattr(self, name):g}' for name in names)}, dtype={self.dtype})"


@public("torch")
class iinfo(_Info):
    """`iinfo(dtype)`: the limits of an integer dtype: `bits`, `max`, `min`, `dtype`. Raises TypeError for others."""

    __slots__ = ()

    def __init__(self, *args: Any, **named: Any) -> None:
        given = (*args, *named.values())
        if not given:
            raise TypeError('iinfo() missing 1 required positional arguments: "type"')
        found = _asked(given[0], "iinfo")
        if found is dt.bool:
            raise TypeError("torch.bool is not supported by torch.iinfo")
        if found.kind != 1:
            raise TypeError("torch.iinfo() requires an integer input type. Use torch.finfo to handle 'torch.iinfo'")
        self._dtype = found

    @property
    def max(self) -> int:
        """The largest number."""
        return 2 ** (self.bits - self._dtype.is_signed) - 1

    @property
    def min(self) -> int:
        """The smallest number."""
        return -(2 ** (self.bits - 1)) if self._dtype.is_signed else 0

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"


def _make(name: str, type: dt.dtype) -> Any:
    """Unpickles either."""
    return (finfo if name == "finfo" else iinfo)(type)
