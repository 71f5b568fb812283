"""Autograd functions that modules need for themselves."""

from typing import Any

from ...autograd.function import Function
from ...core.naming import public

__all__ = ["BackwardHookFunction"]


@public("torch.nn.modules._functions")
class BackwardHookFunction(Function):
    """The identity on several tensors at once: one node that a module's backward hooks can hang on."""

    @staticmethod
    def forward(ctx: Any, *args: Any) -> tuple:
        ctx.mark_non_differentiable(*[arg for arg in args if not arg.requires_grad])
        return args

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple:
        return grads
