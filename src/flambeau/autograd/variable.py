"""`torch.autograd.Variable`: today another name of Tensor."""

from typing import Any

from ..core.naming import public

__all__ = ["Variable"]


class VariableMeta(type):
    """Makes every Tensor an instance of Variable."""

    def __instancecheck__(cls, other: Any) -> bool:
        return hasattr(other, "_array") and hasattr(other, "requires_grad")


@public("torch.autograd.variable")
class Variable(metaclass=VariableMeta):
    """`Variable(tensor, requires_grad=False)` gives a Tensor over the same memory."""

    def __new__(cls, data: Any = None, requires_grad: bool | None = None, volatile: bool | None = None) -> Any:
        if data is None:
            from .node import tensors

            data = tensors.zeros(0)
        result = data.detach() if data.requires_grad or requires_grad else data
        return result.requires_grad_(True) if requires_grad else result
