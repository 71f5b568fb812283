"""`torch.Size`, the shape of a tensor."""

from typing import Any

from .naming import public


@public("torch")
class Size(tuple):
    """A tuple of non-negative integers, one per dimension."""

    __slots__ = ()

    def __new__(cls, sizes: Any = ()) -> "Size":
        self = tuple.__new__(cls, sizes)
        for i, n in enumerate(self):
            if type(n) is not int:
                if not hasattr(n, "__index__"):
                    raise TypeError(f"torch.Size() takes an iterable of 'int' (item {i} is '{type(n).__name__}')")
                return tuple.__new__(cls, [m.__index__() for m in self])
        return self

    def numel(self) -> int:
        """The product of the sizes."""
        product = 1
        for n in self:
            product *= n
        return product

    def __repr__(self) -> str:
        return f"torch.Size([{', '.join(map(str, self))}])"

    __str__ = __repr__

    def __add__(self, other: Any) -> "Size":
        if not isinstance(other, tuple):
            return NotImplemented
        return Size(tuple.__add__(self, other))

    def __radd__(self, other: Any) -> "Size":
        if not isinstance(other, tuple):
            return NotImplemented
        return Size(tuple.__add__(other, self))

    def __mul__(self, times: Any) -> "Size":
        return Size(tuple.__mul__(self, times))

    __rmul__ = __mul__

    def __getitem__(self, index: Any) -> Any:
        found = tuple.__getitem__(self, index)
        return Size(found) if isinstance(index, slice) else found

    def __reduce__(self) -> Any:
        return make_size, (tuple(self),)


def make_size(sizes: tuple[int, ...]) -> Size:
    """Unpickles a size."""
    return Size(sizes)


def fresh_size(shape: tuple[int, ...], _new: Any = tuple.__new__, _cls: type = Size) -> Size:
    """The Size of an array's shape, which needs no check."""
    return _new(_cls, shape)
