"""`make_tensor`: random tensors for tests."""

import math
from collections.abc import Sequence
from typing import Any

from ..core import dtype as dt
from ..core.dtype import dtype as Dtype
from ..core.number_info import finfo, iinfo
from ..ops.definition import NAMES
from ..tensor import Tensor


def _interval(low: Any, high: Any, lowest: Any, highest: Any, default: tuple[Any, Any], dtype: Dtype) -> tuple[Any, Any]:
    """The bounds, checked and brought inside what the dtype holds."""
    low, high = default[0] if low is None else low, default[1] if high is None else high
    if any(isinstance(v, float) and math.isnan(v) for v in (low, high)):
        raise ValueError(f"`low` and `high` cannot be NaN, but got {low=} and {high=}")
    if low == high and dtype.kind >= 2:
        import warnings

        warnings.warn(
            "Passing `low==high` to `torch.testing.make_tensor` for floating or complex types is deprecated since 2.1 and will be removed "
            "in 2.3. Use `torch.full(...)` instead.",
            FutureWarning,
            stacklevel=4,
        )
    elif low >= high:
        raise ValueError(f"`low` must be less than `high`, but got {low} >= {high}")
    elif high < lowest or low >= highest:
        raise ValueError(
            f"The value interval specified by `low` and `high` is [{low}, {high}), but {dtype} only supports [{lowest}, {highest})"
        )
    low, high = (min(max(v, lowest), highest) for v in (low, high))
    return (math.ceil(low), math.ceil(high)) if dtype.kind < 2 else (low, high)


def make_tensor(
    *shape: Any,
    dtype: Dtype,
    device: Any,
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """A tensor of numbers uniform in [low, high): by default [-9, 9) for floats, [-9, 10) for integers (within the dtype).

    `noncontiguous` leaves gaps in the last dimension; `exclude_zero` replaces zeros by 1 or the smallest normal number.
    Raises ValueError for bounds that are NaN, out of order or beyond the dtype, and where options exclude each other.
    """
    if len(shape) == 1 and isinstance(shape[0], Sequence):
        shape = tuple(shape[0])
    if noncontiguous and memory_format is not None:
        raise ValueError(
            f"The parameters `noncontiguous` and `memory_format` are mutually exclusive, but got {noncontiguous=} and {memory_format=}"
        )
    if requires_grad and dtype.kind < 2:
        raise ValueError(f"`requires_grad=True` is not supported for boolean and integral dtypes, but got {dtype=}")
    noncontiguous = noncontiguous and math.prod(shape) > 1
    if noncontiguous:
        shape = (*shape[:-1], 2 * shape[-1])
    torch = NAMES["torch"]
    result: Any
    if dtype.kind < 2:
        if dtype is dt.bool:
            bounds = _interval(low, high, 0, 2, (0, 2), dtype)
        else:
            info = iinfo(dtype)
            bounds = _interval(low, high, info.min, info.max + (dtype is not dt.int64), (-9, 10), dtype)
        result = torch["randint"](*bounds, shape, device=device, dtype=dtype)
    else:
        limits = finfo(dtype)
        low, high = _interval(low, high, limits.min, limits.max, (-9, 9), dtype)
        result = torch["empty"](shape, device=device, dtype=dtype)
        parts = torch["view_as_real"](result) if dtype.kind == 3 else result
        if high - low >= limits.max:  # wider than a single draw can be
            parts.uniform_(low / 2, high / 2).mul_(2)
        else:
            parts.uniform_(low, high)
    if noncontiguous:
        result = result[..., 1::2]
    elif memory_format is not None:
        result = result.clone(memory_format=memory_format)
    if exclude_zero:
        result[result == 0] = 1 if dtype.kind < 2 else finfo(dtype).tiny
    if dtype.kind >= 2:
        result.requires_grad = requires_grad
    return result
