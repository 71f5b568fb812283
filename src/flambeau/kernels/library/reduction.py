"""Reductions of large arrays."""

from typing import Any

from ..compiler import expression as e
from ..compiler import row_kernel
from ..compiler.group import ListSum
from ..compiler.reduction import Reduction

total = Reduction("sum", lambda x: x)
wide_total = Reduction("wide_sum", lambda x: e.cast(x, "f64"))
"""The sum in float64 throughout."""
largest = Reduction("amax", lambda x: x, "maximum")
smallest = Reduction("amin", lambda x: x, "minimum")
size = Reduction("sum_of_sizes", e.absolute)
largest_size = Reduction("largest_size", e.absolute, "maximum")
without_nan = Reduction("sum_without_nan", lambda x: e.where(x.equals(x), x, 0.0))
squares = Reduction("sum_of_squares", lambda x: x * x)
squares_of_all = ListSum("sum_of_all_squares", lambda x: x * x)


def _square_from(x: Any, centre: Any) -> Any:
    distance = e.cast(x, centre.type) - centre
    return distance * distance


deviations = Reduction("sum_of_deviations", _square_from, extras=1)
exponentials = Reduction("sum_of_exponentials", lambda x, peak: e.exp(x - e.cast(peak, x.type)), extras=1)


def _first_place(row: Any, x: Any, places: Any, combine: str) -> None:
    """Where the extreme of the row is, the first of them; NaN counts as one."""
    extreme = row.fold(lambda i: x[i], combine)

    def found(i: Any) -> Any:
        return e.where(x[i].equals(x[i]), x[i].equals(extreme), e.constant(1, "i1"))

    row.put(places, row.first(found))


@row_kernel("x:f places:i64*", halves=True)
def argmax(row: Any, x: Any, places: Any) -> None:
    """The index of the first largest element of each row, or of the first NaN."""
    _first_place(row, x, places, "maximum")


@row_kernel("x:f places:i64*", halves=True)
def argmin(row: Any, x: Any, places: Any) -> None:
    """The index of the first smallest element of each row, or of the first NaN."""
    _first_place(row, x, places, "minimum")
