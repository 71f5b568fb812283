"""Options of the linear layer with cross entropy."""

from typing import Any

from ...core import dtype as dtypes
from ...core.naming import public

__all__ = ["LinearCrossEntropyOptions"]

_FIELDS = {"allow_retain_graph": False, "batch_chunk_size": None, "chunking_method": "auto", "acc_policy": "auto", "acc_dtype": None}
_POLICIES = ("auto", "accurate", "balanced", "compact")


@public("torch.nn.modules.linear_cross_entropy_options")
class LinearCrossEntropyOptions:
    """How PyTorch computes `linear_cross_entropy` in pieces of the batch: a trade of memory against time.

    flambeau checks and keeps the options and computes the loss in one piece. Fields: allow_retain_graph, batch_chunk_size,
    chunking_method ("auto", "aspect_ratio", "aspect_ratio:N" or None), acc_policy ("auto", "accurate", "balanced" or
    "compact"), acc_dtype. Raises ValueError for other values; the fields cannot be changed.
    """

    __slots__ = tuple(_FIELDS)
    __match_args__ = tuple(_FIELDS)

    allow_retain_graph: bool
    batch_chunk_size: int | None
    chunking_method: str | None
    acc_policy: str
    acc_dtype: Any

    def __init__(
        self, allow_retain_graph: bool = False, batch_chunk_size: int | None = None, chunking_method: str | None = "auto",
        acc_policy: str = "auto", acc_dtype: Any = None,
    ) -> None:  # fmt: skip
        values = (allow_retain_graph, batch_chunk_size, chunking_method, acc_policy, acc_dtype)
        for name, value in zip(_FIELDS, values):
            object.__setattr__(self, name, value)
        if acc_policy not in _POLICIES:
            raise ValueError(f"invalid acc_policy: {acc_policy!r}")
        if chunking_method is not None and chunking_method != "auto":
            name, colon, factor = chunking_method.partition(":")
            factor = factor if colon else "1"
            if name != "aspect_ratio" or not factor.isdigit() or int(factor) <= 0:
                raise ValueError(f"invalid chunking_method: {chunking_method!r}")
        if batch_chunk_size is not None and not (isinstance(batch_chunk_size, int) and batch_chunk_size > 0):
            raise ValueError(f"batch_chunk_size must be positive int or None, got {batch_chunk_size!r}")
        if acc_dtype not in (None, dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64):
            raise ValueError(
                "acc_dtype must be one of {None, torch.float16, torch.bfloat16, torch.float32, torch.float64}, got "
                f"{acc_dtype!r}. Pass acc_dtype=None to let the op pick automatically."
            )

    def __setattr__(self, name: str, value: Any) -> None:
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __repr__(self) -> str:
        return f"LinearCrossEntropyOptions({', '.join(f'{name}={getattr(self, name)!r}' for name in _FIELDS)})"

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in _FIELDS)

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self) -> int:
        return hash(self._values())

    def __setstate__(self, state: Any) -> None:
        for name, value in state[1].items():
            object.__setattr__(self, name, value)
