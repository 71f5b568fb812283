"""Floating-point errors pass in silence, as in PyTorch: the one place where NumPy's warnings are switched off.

`np.errstate` costs a microsecond and `np.seterr` would change the user's own settings. NumPy keeps the error state in
a context variable; setting and resetting it costs a tenth of that.
"""

import functools
from typing import Any, Callable

import numpy as np

try:
    from numpy._core._ufunc_config import _extobj_contextvar  # type: ignore[attr-defined]  # not in NumPy's stubs
    from numpy._core.umath import _make_extobj
except ImportError:  # a NumPy that keeps its error state elsewhere: the public, slower way

    class _Silence:
        def set(self, value: Any) -> Any:
            state = np.errstate(all="ignore")
            state.__enter__()
            return state

        def reset(self, token: Any) -> None:
            token.__exit__(None, None, None)

    _extobj_contextvar = _Silence()
    SILENT: Any = None
else:
    SILENT = _make_extobj(all="ignore")

silence: Callable[[Any], Any] = _extobj_contextvar.set
"""`token = silence(SILENT)` switches the warnings off in this context."""

restore: Callable[[Any], None] = _extobj_contextvar.reset
"""`restore(token)` brings back what was."""


def quiet(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: the kernel runs without floating-point warnings."""

    @functools.wraps(function)
    def silent(*args: Any, **kwargs: Any) -> Any:
        token = silence(SILENT)
        try:
            return function(*args, **kwargs)
        finally:
            restore(token)

    return silent


def quiet_unary(ufunc: Callable[..., Any]) -> Callable[..., Any]:
    """A ufunc of one array as a kernel: no warnings; the second argument is where the result goes."""

    def kernel(x: Any, out: Any = None) -> Any:
        token = silence(SILENT)
        try:
            return ufunc(x, out=out)
        finally:
            restore(token)

    kernel.__name__ = getattr(ufunc, "__name__", "kernel")
    return kernel


def quiet_binary(ufunc: Callable[..., Any]) -> Callable[..., Any]:
    """A ufunc of two operands as a kernel: no warnings; the third argument is where the result goes."""

    def kernel(x: Any, y: Any, out: Any = None) -> Any:
        token = silence(SILENT)
        try:
            return ufunc(x, y, out=out)
        finally:
            restore(token)

    kernel.__name__ = getattr(ufunc, "__name__", "kernel")
    return kernel
