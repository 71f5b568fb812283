"""Modules that hold other modules or parameters: lists, dictionaries and sequences."""

import operator
import warnings
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, groupby, islice
from typing import Any, Callable

from ...core.naming import public
from ...tensor import Tensor
from ...utils._typename import typename
from ..parameter import Parameter
from .module import Module, _addindent

__all__ = ["Container", "Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"]


def _absolute(index: Any, size: int) -> int:
    """`index` counted from the front. Raises IndexError out of range."""
    index = operator.index(index)
    if not -size <= index < size:
        raise IndexError(f"index {index} is out of range")
    return index % size


def _without_numbers(names: list[str]) -> list[str]:
    return [name for name in names if not name.isdigit()]


def _renumber(container: Module) -> None:
    container._modules = OrderedDict((str(i), module) for i, module in enumerate(container._modules.values()))


def _pairs(mapping: Any, name: str) -> Iterator[tuple[Any, Any]]:
    """The entries of an iterable of key/value pairs, checked; `name` is the caller's in messages."""
    for i, pair in enumerate(mapping):
        if not isinstance(pair, Iterable):
            raise TypeError(f"{name} update sequence element #{i} should be Iterable; is{type(pair).__name__}")
        if len(pair) != 2:  # type: ignore[arg-type]
            raise ValueError(f"{name} update sequence element #{i} has length {len(pair)}; 2 is required")  # type: ignore[arg-type]
        yield pair[0], pair[1]  # type: ignore[index]


def _check_pairs(mapping: Any, name: str) -> None:
    if not isinstance(mapping, Iterable):
        raise TypeError(f"{name}.update should be called with an iterable of key/value pairs, but got {type(mapping).__name__}")


@public("torch.nn.modules.container")
class Container(Module):
    """Deprecated: subclass `Module` instead."""

    def __init__(self, **kwargs: Any) -> None:
        warnings.warn(
            "`nn.Container` is deprecated. All of its functionality is now implemented in `nn.Module`. Subclass that instead.",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__()
        for key, value in kwargs.items():
            self.add_module(key, value)


@public("torch.nn.modules.container")
class Sequential(Module):
    """Modules that run one after the other, each on the output of the one before.

    Args: the modules, or one OrderedDict of them by name.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        named = args[0].items() if len(args) == 1 and isinstance(args[0], OrderedDict) else ((str(i), m) for i, m in enumerate(args))
        for name, module in named:
            self.add_module(name, module)

    def forward(self, input: Any) -> Any:
        """The output of the last module."""
        for module in self._modules.values():
            input = module(input)  # type: ignore[misc]
        return input

    def _name_at(self, index: Any) -> str:
        return next(islice(self._modules, _absolute(index, len(self)), None))

    def __getitem__(self, idx: Any) -> Any:
        if isinstance(idx, slice):
            return self.__class__(OrderedDict(list(self._modules.items())[idx]))
        return self._modules[self._name_at(idx)]

    def __setitem__(self, idx: int, module: Module) -> None:
        setattr(self, self._name_at(idx), module)

    def __delitem__(self, idx: Any) -> None:
        names = list(self._modules)[idx] if isinstance(idx, slice) else [self._name_at(idx)]
        for name in names:
            delattr(self, name)
        _renumber(self)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())  # type: ignore[arg-type]

    def __dir__(self) -> list[str]:
        return _without_numbers(super().__dir__())

    def __add__(self, other: Any) -> "Sequential":
        self._check_sequential(other)
        return Sequential(*self, *other)

    def __iadd__(self, other: Any) -> Any:
        self._check_sequential(other)
        return self.extend(other)

    def _check_sequential(self, other: Any) -> None:
        if not isinstance(other, Sequential):
            raise ValueError(f"add operator supports only objects of Sequential class, but {type(other)} is given.")

    def __mul__(self, other: int) -> "Sequential":
        self._check_factor(other)
        return Sequential(*(module for _ in range(other) for module in self))

    __rmul__ = __mul__

    def __imul__(self, other: int) -> Any:
        self._check_factor(other)
        return self.extend([module for _ in range(other - 1) for module in self])

    def _check_factor(self, factor: Any) -> None:
        if not isinstance(factor, int):
            raise TypeError(f"unsupported operand type(s) for *: {type(self)} and {type(factor)}")
        if factor <= 0:
            raise ValueError(f"Non-positive multiplication factor {factor} for {type(self)}")

    def append(self, module: Module) -> Any:
        """Adds a module at the end. Returns the container."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, sequential: Iterable[Module]) -> Any:
        """Adds the modules of an iterable at the end. Returns the container."""
        for module in sequential:
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Any:
        """Puts a module in front of position `index`. Raises IndexError out of range. Returns the container."""
        if not isinstance(module, Module):
            raise AssertionError(f"module should be of type: {Module}")
        size = len(self._modules)
        if not -size <= index <= size:
            raise IndexError(f"Index out of range: {index}")
        _insert(self._modules, index + size if index < 0 else index, module)
        return self

    def pop(self, key: Any) -> Any:
        """Takes out and returns the module at a position, or a Sequential of those in a slice."""
        taken = self[key]
        del self[key]
        return taken


def _insert(modules: Any, index: int, module: Module) -> None:
    for i in range(len(modules), index, -1):
        modules[str(i)] = modules[str(i - 1)]
    modules[str(index)] = module


@public("torch.nn.modules.container")
class ModuleList(Module):
    """A list of modules; it computes nothing itself.

    Args: `modules`, an iterable of modules to begin with.
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self += modules

    def _get_abs_string_index(self, idx: Any) -> str:
        return str(_absolute(idx, len(self)))

    def __getitem__(self, idx: Any) -> Any:
        if isinstance(idx, slice):
            return self.__class__(list(self._modules.values())[idx])  # type: ignore[arg-type]
        return self._modules[self._get_abs_string_index(idx)]

    def __setitem__(self, idx: int, module: Module) -> None:
        setattr(self, self._get_abs_string_index(idx), module)

    def __delitem__(self, idx: Any) -> None:
        names = [str(i) for i in range(len(self))[idx]] if isinstance(idx, slice) else [self._get_abs_string_index(idx)]
        for name in names:
            delattr(self, name)
        _renumber(self)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())  # type: ignore[arg-type]

    def __dir__(self) -> list[str]:
        return _without_numbers(super().__dir__())

    def __add__(self, other: Iterable[Module]) -> "ModuleList":
        combined = ModuleList()
        for i, module in enumerate(chain(self, other)):
            combined.add_module(str(i), module)
        return combined

    def __iadd__(self, modules: Iterable[Module]) -> Any:
        return self.extend(modules)

    def append(self, module: Module) -> Any:
        """Adds a module at the end. Returns the list."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Any:
        """Adds the modules of an iterable at the end. Raises TypeError if it is none. Returns the list."""
        if not isinstance(modules, Iterable):
            raise TypeError(f"ModuleList.extend should be called with an iterable, but got {type(modules).__name__}")
        start = len(self)
        for i, module in enumerate(modules, start):
            self.add_module(str(i), module)
        return self

    def insert(self, index: int, module: Module) -> None:
        """Puts a module in front of position `index`."""
        _insert(self._modules, index, module)

    def pop(self, key: Any) -> Any:
        """Takes out and returns the module at a position, or a ModuleList of those in a slice."""
        taken = self[key]
        del self[key]
        return taken

    def __repr__(self) -> str:
        # Neighbours that print alike are shown once, with their number.
        if not self._modules:
            return self._get_name() + "()"
        lines = []
        start = 0
        for text, group in groupby(map(repr, self)):
            count = sum(1 for _ in group)
            label = f"({start}): {text}" if count == 1 else f"({start}-{start + count - 1}): {count} x {text}"
            lines.append(_addindent(label, 2))
            start += count
        return self._get_name() + "(\n  " + "\n  ".join(lines) + "\n)"


@public("torch.nn.modules.container")
class ModuleDict(Module):
    """An ordered dictionary of modules; it computes nothing itself.

    Args: `modules`, a mapping or an iterable of pairs to begin with.
    """

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Any) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: Any) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Takes everything out."""
        self._modules.clear()

    def pop(self, key: str) -> Any:
        """Takes out and returns one module. Raises KeyError if it is not there."""
        return self._modules.pop(key)

    def keys(self) -> Any:
        """The names."""
        return self._modules.keys()

    def items(self) -> Any:
        """The pairs of name and module."""
        return self._modules.items()

    def values(self) -> Any:
        """The modules."""
        return self._modules.values()

    def update(self, modules: Any) -> None:
        """Adds the entries of a mapping or an iterable of pairs; those of the same name are replaced."""
        _check_pairs(modules, "ModuleDict")
        pairs = modules.items() if isinstance(modules, (ModuleDict, Mapping)) else _pairs(modules, "ModuleDict")
        for key, module in pairs:
            self[key] = module


def _lines(entries: Iterable[tuple[Any, Any]], describe: Callable[[Tensor], str]) -> str:
    """One line per entry of a parameter container."""
    lines = []
    for key, entry in entries:
        if isinstance(entry, Tensor):
            kind = "Parameter" if isinstance(entry, Parameter) else "Tensor"
            size = "x".join(str(n) for n in entry.size())
            where = f" ({entry.device})" if entry.device.type == "cuda" else ""
            lines.append(f"  ({key}): {kind} containing: [{describe(entry)} of size {size}{where}]")
        else:
            lines.append(f"  ({key}): Object of type: {type(entry).__name__}")
    return "\n".join(lines)


@public("torch.nn.modules.container")
class ParameterList(Module):
    """A list of parameters; Tensors that are put in become Parameters, other objects stay as they are.

    Args: `values`, an iterable to begin with.
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        if values is not None:
            self += values

    def _get_abs_string_index(self, idx: Any) -> str:
        return str(_absolute(idx, len(self)))

    def __getitem__(self, idx: Any) -> Any:
        if isinstance(idx, slice):
            return self.__class__().extend([self[i] for i in range(len(self))[idx]])
        return getattr(self, self._get_abs_string_index(idx))

    def __setitem__(self, idx: int, param: Any) -> None:
        if isinstance(param, Tensor) and not isinstance(param, Parameter):
            param = Parameter(param)
        setattr(self, self._get_abs_string_index(idx), param)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return iter(self[i] for i in range(len(self)))

    def __iadd__(self, parameters: Iterable[Any]) -> Any:
        return self.extend(parameters)

    def __dir__(self) -> list[str]:
        return _without_numbers(super().__dir__())

    def append(self, value: Any) -> Any:
        """Adds a value at the end. Returns the list."""
        self._size += 1
        self[self._size - 1] = value
        return self

    def extend(self, values: Iterable[Any]) -> Any:
        """Adds the values of an iterable (not of a Tensor) at the end. Returns the list."""
        if not isinstance(values, Iterable) or isinstance(values, Tensor):
            raise TypeError(f"ParameterList.extend should be called with an iterable, but got {type(values).__name__}")
        for value in values:
            self.append(value)
        return self

    def extra_repr(self) -> str:
        return _lines(enumerate(self), lambda tensor: str(tensor.dtype))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("ParameterList should not be called.")


@public("torch.nn.modules.container")
class ParameterDict(Module):
    """An ordered dictionary of parameters; Tensors that are put in become Parameters, other objects stay as they are.

    Args: `parameters`, a mapping or an iterable of pairs to begin with. A plain mapping is taken in sorted order.
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def _key_to_attr(self, key: str) -> str:
        if not isinstance(key, str):
            raise TypeError(
                "Index given to ParameterDict cannot be used as a key as it is not a string (type is "
                f"'{type(key).__name__}'). Open an issue on github if you need non-string keys."
            )
        return key

    def __getitem__(self, key: str) -> Any:
        return getattr(self, self._key_to_attr(key))

    def __setitem__(self, key: str, value: Any) -> None:
        self._keys[key] = None
        name = self._key_to_attr(key)
        if isinstance(value, Tensor) and not isinstance(value, Parameter):
            value = Parameter(value)
        setattr(self, name, value)

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        delattr(self, self._key_to_attr(key))

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys)

    def __contains__(self, key: Any) -> bool:
        return key in self._keys

    def copy(self) -> "ParameterDict":
        """A new ParameterDict with the same entries."""
        return ParameterDict(OrderedDict(self.items()))

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The entry under `key`, which is `default` from now on if there was none."""
        if key not in self:
            self[key] = default
        return self[key]

    def clear(self) -> None:
        """Takes everything out."""
        for key in list(self._keys):
            del self[key]

    def pop(self, key: str) -> Any:
        """Takes out and returns one entry."""
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Takes out and returns the last entry, with its key. Raises KeyError if there is none."""
        key, _ = self._keys.popitem()
        self._keys[key] = None
        return key, self.pop(key)

    def get(self, key: str, default: Any = None) -> Any:
        """The entry under `key`, or `default`."""
        return self[key] if key in self else default

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> "ParameterDict":
        """A new ParameterDict in which every one of `keys` has the value `default`."""
        return ParameterDict((key, default) for key in keys)

    def keys(self) -> Any:
        """The keys."""
        return self._keys.keys()

    def items(self) -> Iterator[tuple[str, Any]]:
        """The pairs of key and value."""
        return ((key, self[key]) for key in self._keys)

    def values(self) -> Iterator[Any]:
        """The values."""
        return (self[key] for key in self._keys)

    def update(self, parameters: Any) -> None:
        """Adds the entries of a mapping or an iterable of pairs; those of the same key are replaced."""
        _check_pairs(parameters, "ParametersDict")
        if isinstance(parameters, (OrderedDict, ParameterDict)):
            pairs: Any = parameters.items()
        elif isinstance(parameters, Mapping):
            pairs = sorted(parameters.items())
        else:
            pairs = _pairs(parameters, "ParameterDict")
        for key, value in pairs:
            self[key] = value

    def extra_repr(self) -> str:
        return _lines(self.items(), typename)

    def __call__(self, input: Any) -> Any:
        raise RuntimeError("ParameterDict should not be called.")

    def __or__(self, other: "ParameterDict") -> "ParameterDict":
        combined = self.copy()
        combined.update(other)
        return combined

    def __ror__(self, other: "ParameterDict") -> "ParameterDict":
        combined = other.copy()
        combined.update(self)
        return combined

    def __ior__(self, other: "ParameterDict") -> Any:
        self.update(other)
        return self
