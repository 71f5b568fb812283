"""While a function is traced, `Tensor` tells when its shape is read and when its values leave for Python.

Reading a shape gives tensors, which are recorded; a value that leaves becomes a constant of the trace, of which a TracerWarning
warns. The methods stand in for those of Tensor only as long as something is traced, and only the innermost mode asks them, so that
nothing is paid for them otherwise.
"""

from __future__ import annotations

import threading
import warnings
from typing import Any

from .._C import DisableTorchFunction
from ..core.naming import public
from ..core.size import Size
from ..ops.modes import stacks
from ..tensor import Tensor


@public("torch.jit._trace")
class TracerWarning(Warning):
    """What was traced may not hold for other inputs."""


_LEAVES = (
    "Converting a tensor to a {} might cause the trace to be incorrect. We can't record the data flow of Python values, so this value "
    "will be treated as a constant in the future. This means that the trace might not generalize to other inputs!"
)
_LEAVING = {
    "__bool__": "Python boolean",
    "__float__": "Python float",
    "__int__": "Python integer",
    "__complex__": "Python complex",
    "item": "Python number",
    "tolist": "Python list",
    "numpy": "NumPy array",
    "__array__": "NumPy array",
    "__index__": "",  # of this PyTorch does not warn
}
_LENGTH = (
    "Using len to get tensor shape might cause the trace to be incorrect. Recommended usage would be tensor.shape[0]. Passing a tensor "
    "of different shape might lead to errors or silently give incorrect results."
)
_ITERATION = (
    "Iterating over a tensor might cause the trace to be incorrect. Passing a tensor of different shape won't change the number of "
    "iterations executed (and might lead to errors or silently give incorrect results)."
)
_lock = threading.Lock()
_watchers = 0
_originals: dict[str, Any] = {}


def _tracer() -> Any:
    """The tracer that is the innermost mode of this thread, or None."""
    found = stacks.function_modes[-1] if stacks.function_modes else None
    return found if getattr(found, "is_tracer", False) else None


def warn(text: str, stacklevel: int = 2) -> None:
    """A TracerWarning at the caller's caller."""
    warnings.warn(text, TracerWarning, stacklevel=stacklevel + 1)


def _leaving(name: str, what: str) -> Any:
    original = _originals[name]

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        tracer = _tracer()
        if tracer is None:
            return original(self, *args, **kwargs)
        if what:
            warn(_LEAVES.format(what))
        with DisableTorchFunction():  # what the method itself asks for is not the user's doing
            return original(self, *args, **kwargs)

    return method


def _shape(self: Tensor) -> Any:
    tracer = _tracer()
    if tracer is None:
        return _originals["shape"].fget(self)
    return tuple.__new__(Size, [tracer.size(self, dim) for dim in range(self._array.ndim)])


def _size(self: Tensor, dim: Any = None) -> Any:
    tracer = _tracer()
    if tracer is None:
        return _originals["size"](self, dim)
    return _shape(self) if dim is None else tracer.size(self, int(dim) if isinstance(dim, Tensor) else dim)


def _numel(self: Tensor) -> Any:
    tracer = _tracer()
    return _originals["numel"](self) if tracer is None else tracer.numel(self)


def _len(self: Tensor) -> int:
    if _tracer() is not None:
        warn(_LENGTH)
    return _originals["__len__"](self)


def _iter(self: Tensor) -> Any:
    if _tracer() is None or not self._array.ndim:
        return _originals["__iter__"](self)
    warn(_ITERATION)
    return iter(self.unbind(0))


def _data(self: Tensor) -> Any:
    return _originals["data"].fget(self) if _tracer() is None else self.detach()


class watching:
    """A block in which tensors tell."""

    def __enter__(self) -> None:
        global _watchers
        with _lock:
            _watchers += 1
            if _watchers > 1:
                return
            names = (*_LEAVING, "shape", "size", "numel", "nelement", "__len__", "__iter__", "data")
            _originals.update((name, vars(Tensor)[name]) for name in names)
            methods: dict[str, Any] = {name: _leaving(name, what) for name, what in _LEAVING.items()}
            methods.update(size=_size, numel=_numel, nelement=_numel, __len__=_len, __iter__=_iter, shape=property(_shape))
            methods["data"] = property(_data, _originals["data"].fset)
            for name, method in methods.items():
                setattr(Tensor, name, method)

    def __exit__(self, *exception: Any) -> None:
        global _watchers
        with _lock:
            _watchers -= 1
            if not _watchers:
                for name, original in _originals.items():
                    setattr(Tensor, name, original)
