"""The chi-squared distribution."""

from typing import Any

from ..core.naming import public
from . import constraints
from .gamma import Gamma

__all__ = ["Chi2"]


@public("torch.distributions.chi2")
class Chi2(Gamma):
    """The sum of squares of `df` standard normal numbers: a gamma distribution of concentration df / 2 and rate 1 / 2."""

    arg_constraints = {"df": constraints.positive}
    _batched = Gamma._batched

    def __init__(self, df: Any, validate_args: bool | None = None) -> None:
        super().__init__(0.5 * df, 0.5, validate_args=validate_args)

    @property
    def df(self) -> Any:
        """The degrees of freedom."""
        return self.concentration * 2
