"""The functions that backward formulas call, as those in half precision see them: see `kernels/halves.py`."""

from __future__ import annotations

from typing import Any, Callable

from ..autograd.node import Namespace, arrays
from ..core.promotion import rounded
from ..kernels.halves import Half, bare, seen


class Halves(Namespace):
    """`arrays`, with results that have the operators of half precision."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        from .definition import OPERATORS

        function = getattr(arrays, name)
        op = OPERATORS.get(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            return seen(function(*[bare(x) for x in args], **kwargs))

        def rounding(*args: Any) -> Any:
            dtype = next((x.dtype for x in args if x.__class__ is Half), None)
            if dtype is not None:
                args = tuple([rounded(x, dtype) if x.__class__ is float or x.__class__ is int else x for x in args])
            return call(*args)

        found = rounding if op is not None and op.rounds_number else call
        self.__dict__[name] = found
        return found


halves = Halves()
