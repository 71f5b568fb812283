"""Reductions of large arrays."""

from typing import Any

from ..compiler import expression as e
from ..compiler.reduction import Reduction

total = Reduction("sum", lambda x: x)
largest = Reduction("amax", lambda x: x, "maximum")
smallest = Reduction("amin", lambda x: x, "minimum")
size = Reduction("sum_of_sizes", e.absolute)
largest_size = Reduction("largest_size", e.absolute, "maximum")
squares = Reduction("sum_of_squares", lambda x: x * x)


def _square_from(x: Any, centre: Any) -> Any:
    distance = e.cast(x, centre.type) - centre
    return distance * distance


deviations = Reduction("sum_of_deviations", _square_from, extras=1)
exponentials = Reduction("sum_of_exponentials", lambda x, peak: e.exp(x - e.cast(peak, x.type)), extras=1)
